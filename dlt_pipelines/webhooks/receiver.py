"""The one route: read the raw body, verify it, land it, answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dlt_pipelines.errors import InboxFailed
from dlt_pipelines.inbox import Arrival, Verdict
from dlt_pipelines.webhooks.signature import is_signed
from dlt_pipelines.webhooks.writer import Writer

PATH = "/webhooks"
LONGEST_BODY = 512 * 1024

Word = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,255}\Z")]  # printable, so that it can stand in a log
Second = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Envelope(msgspec.Struct):
    """What is read of an event: everything else is the load's business. `created` of a thin event is RFC 3339."""

    id: Word
    type: Word
    livemode: bool
    created: Second | datetime
    account: Word | None = None


@dataclass(frozen=True)
class Receiver:
    """secrets: one or two. is_live: mode of the loader's key; None without a key: then only the inbox's owner decides.

    say: takes the access log's lines, which hold no body and no header.
    """

    writer: Writer
    secrets: Sequence[str]
    is_live: bool | None
    say: Callable[[str], None]

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [Route(PATH, self.receive, methods=["POST"])]
        app = Starlette(routes=routes, exception_handlers={HTTPException: self.refuse})
        app.router.redirect_slashes = False  # one path
        return app

    async def receive(self, request: Request) -> Response:
        """200 once the event is on disk, also when it was before; HTTPException otherwise."""
        started = time.monotonic()
        body = await _read(request)
        if not is_signed(body, request.headers.get("stripe-signature", ""), self.secrets):
            raise HTTPException(400, "no good signature")
        arrival = _arrival(body)
        if self.is_live not in (None, arrival.livemode):
            raise HTTPException(400, f"event of {'live' if arrival.livemode else 'test'} mode, the key is of the other")
        try:
            verdict = await asyncio.wrap_future(self.writer.submit(arrival))
        except InboxFailed as error:
            raise HTTPException(500, str(error)) from error
        if verdict is Verdict.FOREIGN:
            raise HTTPException(400, "event of another account or mode than the warehouse")
        took = (time.monotonic() - started) * 1000
        self._log(f"200 {arrival.id} {arrival.type} {verdict.value} in {took:.1f} ms")
        return PlainTextResponse("ok\n")

    async def refuse(self, request: Request, error: Exception) -> Response:
        """Tell the log why, and the caller only the status; what it still sends is not read."""
        assert isinstance(error, HTTPException)  # noqa: S101 the only one we are registered for
        came_from = request.client.host if request.client else "unknown"
        self._log(f"{error.status_code} {error.detail} ({came_from})")
        text = HTTPStatus(error.status_code).phrase.lower()
        return PlainTextResponse(f"{text}\n", error.status_code, {**(error.headers or {}), "Connection": "close"})

    def _log(self, line: str) -> None:
        with suppress(OSError):  # an event that is on disk is answered 200, whether or not somebody reads the log
            self.say(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}")


async def _read(request: Request) -> bytes:
    """The raw body; 413 when it is too long, by what it says or by what comes."""
    if int(request.headers.get("content-length", "0")) > LONGEST_BODY:  # h11 has seen to it that it is a number
        raise HTTPException(413, "body too long")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > LONGEST_BODY:
                raise HTTPException(413, "body too long")
    except ClientDisconnect:
        raise HTTPException(400, "the sender went away or was too slow") from None
    return bytes(body)


def _arrival(body: bytes) -> Arrival:
    try:
        event = msgspec.json.decode(body, type=Envelope)
    except (msgspec.DecodeError, RecursionError):
        raise HTTPException(400, "signed, but no Stripe event") from None
    created = event.created if isinstance(event.created, int) else int(_utc(event.created).timestamp())
    return Arrival(event.id, event.type, created, event.livemode, event.account, body)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
