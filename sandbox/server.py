"""The HTTP face: auth, idempotency keys, errors in Stripe's shape, routes. Requests are served one by one."""

import asyncio
import hashlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import forms
from sandbox.clock import DAY, http_date
from sandbox.draw import identifier
from sandbox.errors import ApiError
from sandbox.events import API_VERSION
from sandbox.expand import expand
from sandbox.faults import Faults, Rule, drop, rate_limited, server_error
from sandbox.reads import Reader, readers
from sandbox.state import open_engine
from sandbox.store import Store
from sandbox.writes import WRITERS, Writer

Endpoint = Callable[[Request], Awaitable[Response]]
KEY_LIFE = DAY  # Stripe may forget an idempotency key after 24 hours


class Server:
    """Answers requests from one store. `boot` tells this process's request ids from those of earlier ones."""

    def __init__(self, store: Store) -> None:
        self.store, self.faults = store, Faults()
        self.requests = 0
        with store.transaction():
            self.boot = int(store.meta("boots") or 0) + 1
            store.set_meta("boots", str(self.boot))

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [Route(path, self.reading(reader), methods=["GET"]) for path, reader in readers().items()]
        routes += [Route(path, self.writing(writer), methods=["POST"]) for path, writer in WRITERS.items()]
        routes += [
            Route("/_sandbox/faults", self.set_faults, methods=["POST"]),
            Route("/_sandbox/advance", self.advance, methods=["POST"]),
            Route("/{path:path}", self.unknown, methods=["GET", "POST", "DELETE"]),
        ]
        return Starlette(routes=routes)

    def answer(self, request_id: str, status: int, body: bytes, **headers: str) -> Response:
        """A JSON response whose `Date` is the sandbox's clock."""
        shown = {"Date": http_date(self.store.now), "Request-Id": request_id, "Stripe-Version": API_VERSION} | headers
        return Response(body, status, shown, media_type="application/json")

    def refusal(self, request_id: str, error: ApiError) -> Response:
        return self.answer(request_id, error.status, msgspec.json.encode(error.body()))

    def next_request(self) -> str:
        self.requests += 1
        return identifier("req_", 14, self.store.seed, self.boot, self.requests)

    def guarded(self, handle: Callable[[Request, str, Rule | None], Awaitable[Response]]) -> Endpoint:
        """Around every Stripe route: the key, faults that come before, errors in Stripe's shape, dropped answers."""

        async def endpoint(request: Request) -> Response:
            request_id = self.next_request()
            try:
                check_key(request.headers.get("authorization", ""))
                rule = self.faults.take(f"{request.method} {request.url.path}")
                await meet(rule, request)
                response = await handle(request, request_id, rule)
            except ApiError as error:
                response = self.refusal(request_id, error)
            else:
                if rule and rule.kind == "drop_after":
                    await drop(request.scope)
            return response

        return endpoint

    def reading(self, reader: Reader) -> Endpoint:
        async def handle(request: Request, request_id: str, rule: Rule | None) -> Response:
            body = reader(self.store, request.path_params, forms.parse(request.url.query))
            if rule and rule.kind == "500_after":
                raise server_error()
            return self.answer(request_id, 200, body)

        return self.guarded(handle)

    def writing(self, writer: Writer) -> Endpoint:
        async def handle(request: Request, request_id: str, rule: Rule | None) -> Response:
            text = (await request.body()).decode(errors="replace")
            key = request.headers.get("idempotency-key")
            fingerprint = hashlib.sha256(repr((request.url.path, sorted(parse_qsl(text, True)))).encode()).hexdigest()
            if key and (kept := self.replay(key, fingerprint)):
                return self.answer(
                    request_id, kept[0], kept[1], **{"Idempotent-Replayed": "true", "Idempotency-Key": key}
                )
            store = self.store
            store.request = {"id": request_id, "idempotency_key": key}
            try:
                with store.transaction():
                    params = forms.parse(text)
                    obj = writer(store, request.path_params, params)
                    body, status = msgspec.json.encode(expand(store, obj, forms.strings(params, "expand"))), 200
                    if rule and rule.kind == "500_after":
                        body, status = msgspec.json.encode(server_error().body()), 500
                    if key:
                        row = (key, fingerprint, status, body, store.now)
                        store.db.execute("insert or replace into idempotency values (?, ?, ?, ?, ?)", row)
            finally:
                store.request = {"id": None, "idempotency_key": None}
            return self.answer(request_id, status, body, **({"Idempotency-Key": key} if key else {}))

        return self.guarded(handle)

    def replay(self, key: str, fingerprint: str) -> tuple[int, bytes] | None:
        """The stored answer of a key younger than a day; raises ApiError if it was used with other parameters."""
        row = self.store.db.execute(
            "select fingerprint, status, body from idempotency where key = ? and created > ?",
            (key, self.store.now - KEY_LIFE),
        ).fetchone()
        if row is None:
            return None
        if row[0] != fingerprint:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        return row[1], row[2]

    async def set_faults(self, request: Request) -> Response:
        """`{"match", "kind", "times", "seconds"}` adds a rule; `{"clear": true}` removes all."""
        given = msgspec.json.decode(await request.body())
        try:
            if given.get("clear"):
                self.faults.rules.clear()
            else:
                self.faults.add(given)
        except ApiError as error:
            return self.refusal("", error)
        return self.answer("", 200, msgspec.json.encode(self.faults.rules))

    async def advance(self, request: Request) -> Response:
        """`{"days": n}` moves the clock of the running server."""
        days = msgspec.json.decode(await request.body())["days"]
        open_engine(self.store).advance(self.store.now + int(days * DAY))
        return self.answer("", 200, msgspec.json.encode({"now": self.store.now}))

    async def unknown(self, request: Request) -> Response:
        error = ApiError(404, f"Unrecognized request URL ({request.method}: {request.url.path}).")
        return self.refusal(self.next_request(), error)


async def meet(rule: Rule | None, request: Request) -> None:
    """The part of a fault that comes before the request is carried out."""
    if rule is None:
        return
    if rule.kind == "429":
        raise rate_limited()
    if rule.kind == "500_before":
        raise server_error()
    if rule.kind == "drop_before":
        await drop(request.scope)
        raise server_error()
    if rule.kind == "stall":
        await asyncio.sleep(rule.seconds)


def check_key(header: str) -> None:
    """Accept any test key, by Bearer or Basic (key as user name); raise 401 for everything else."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = b64decode(value).decode().partition(":")[0]
        except (Base64Error, UnicodeDecodeError):
            value = ""
    if value.startswith(("sk_test_", "rk_test_")):
        return
    if not value:
        raise ApiError(401, "You did not provide an API key. Send `Authorization: Bearer rk_test_…`.")
    if value.startswith(("sk_live_", "rk_live_")):
        raise ApiError(401, "A live key was sent to the sandbox, which takes test keys only (sk_test_… or rk_test_…).")
    raise ApiError(401, f"Invalid API Key provided: {value[:8]}***; the sandbox takes any sk_test_… or rk_test_… key.")
