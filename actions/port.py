"""The only way to Stripe: the official SDK, one try per call, and answers instead of exceptions.

The reader has no way to write: no method for it, and an HTTP client that lets through GET and one POST, the invoice
preview, which changes nothing.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from actions.clock import SECOND_US, Clock
from actions.errors import ActionError, LiveKeyRefused, ShadowCannotWrite, StripeUnusable
from actions.settings import LOOPBACK, Settings
from actions.text import safe_text

if TYPE_CHECKING:
    import stripe

LIVE_KEYS = ("rk_live_",)
TEST_KEYS = ("rk_test_", "sk_test_")
PREVIEW = "/v1/invoices/create_preview"
PAGE = 100
LONGEST_CODE = 80  # characters of what Stripe calls an error


class NoAnswer(Exception):
    """The call got no readable answer: whether Stripe carried it out is unknown."""


@dataclass(frozen=True)
class Reply:
    """An answer of Stripe. body is the parsed object (or its `error` object when status >= 400)."""

    status: int
    body: dict[str, Any]
    request_id: str | None
    is_replayed: bool
    retry_after_s: float | None

    @property
    def error_code(self) -> str:
        """Stripe's code, else its type; empty when it sent neither."""
        return str(self.body.get("code") or self.body.get("type") or "")[:LONGEST_CODE]

    @property
    def is_unknown(self) -> bool:
        """A 5xx: Stripe may or may not have carried it out."""
        return self.status >= 500

    @property
    def is_busy(self) -> bool:
        """Not carried out, by Stripe's own word: rate limit, lock, or the same key still running."""
        return self.status in (409, 429)


class StripeReader:
    """GET and the invoice preview only. The shadow runs on it."""

    can_write = False

    def __init__(self, key: str, settings: Settings, clock: Clock) -> None:
        """No call yet. Raises ActionError when the address is not Stripe's kind of address."""
        base = urlsplit(settings.api_base)
        self.clock, self.is_loopback = clock, base.hostname in LOOPBACK
        if base.scheme != "https" and not self.is_loopback:
            raise ActionError(f"STRIPE_API_BASE is {base.geturl()}: keys go over https or to this machine; correct it")
        self.server_now: datetime | None = None
        self._client = _client(key, settings, self.can_write)

    def get(self, path: str, params: dict[str, Any] | None = None) -> Reply:
        """Raises NoAnswer."""
        return self._call("get", path, params or {}, {})

    def read(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The object at `path`, None when there is none. Raises StripeUnusable when Stripe does not say."""
        try:
            reply = self.get(path, params)
        except NoAnswer as error:
            raise StripeUnusable(f"Stripe did not answer GET {path} ({error}); run the same command again") from error
        if reply.status != 200 and (reply.status != 404 or not reply.body):  # a 404 that is not Stripe's says nothing
            said = safe_text(str(reply.body.get("message", "no message")))
            raise StripeUnusable(f"Stripe answered {reply.status} to GET {path}: {said}; correct that, then run again")
        return reply.body if reply.status == 200 else None

    def preview(self, params: dict[str, Any]) -> Reply:
        """The invoice that `params` would lead to; Stripe keeps nothing of it. Raises NoAnswer."""
        return self._call("post", PREVIEW, params, {})

    def list(self, path: str, params: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Every object of a list, newest first, page by page. Raises StripeUnusable."""
        asked = {"limit": PAGE} | (params or {})
        while (page := self.read(path, asked)) is not None:
            if not isinstance(page.get("data"), list):  # "nothing found" is a reason to send again
                raise StripeUnusable(f"Stripe's answer to GET {path} is no list; run the same command again")
            yield from page["data"]
            if not page["has_more"]:
                return
            asked |= {"starting_after": page["data"][-1]["id"]}

    def _call(self, method: str, path: str, params: dict[str, Any], options: dict[str, Any]) -> Reply:
        import stripe

        try:
            answer = self._client.raw_request(method, path, **params, **options)
        except stripe.APIConnectionError as error:
            raise NoAnswer(type(error).__name__) from error
        except stripe.StripeError as error:
            # Of a 200 that is no JSON the SDK makes an error that has the headers for its body.
            body = error.json_body if (error.http_status or 0) >= 400 else None
            return self._reply(error.http_status or 0, body, error.headers)
        return self._reply(answer.code, answer.data, answer.headers)

    def _reply(self, status: int, body: Any, headers: Any) -> Reply:
        """Raises NoAnswer when the body cannot be read, whatever the status says."""
        lower = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
        with suppress(ValueError):  # a date that is none must not lose the answer
            if "date" in lower:
                self.server_now = parsedate_to_datetime(lower["date"]).astimezone(UTC)
        if status < 400 and not isinstance(body, dict):
            raise NoAnswer(f"unreadable answer with status {status}")
        found = dict(body) if isinstance(body, dict) else {}
        if status >= 400:
            found = dict(found["error"]) if isinstance(found.get("error"), dict) else {}
        wait, is_replayed = lower.get("retry-after", ""), lower.get("idempotent-replayed") == "true"
        wait_s = float(wait) if wait.replace(".", "", 1).isdecimal() else None
        return Reply(status, found, lower.get("request-id"), is_replayed, wait_s)


class StripeWriter(StripeReader):
    """Reads, and posts at most `writes_per_second`, one call at a time."""

    can_write = True

    def __init__(self, key: str, settings: Settings, clock: Clock) -> None:
        super().__init__(key, settings, clock)
        self._gap_us = SECOND_US // settings.writes_per_second if settings.writes_per_second else 0
        self._next_us = 0

    def post(self, path: str, params: dict[str, Any], key: str) -> Reply:
        """One try, with `key` as its Idempotency-Key. Raises NoAnswer."""
        wait_us = min(self._next_us - self.clock.now_us(), self._gap_us)  # a clock set back must not stall the run
        if wait_us > 0:
            self.clock.sleep(wait_us / SECOND_US)
        self._next_us = self.clock.now_us() + self._gap_us
        return self._call("post", path, params, {"idempotency_key": key})


def check_key(key: str, name: str, is_live_asked: bool, settings: Settings) -> bool:
    """Whether `key` is a live one, after holding it against both switches and the SDK's debug switch.

    Raises LiveKeyRefused unless the key is a test key and --live absent, or a restricted live key and both set.
    """
    is_live, is_allowed = key.startswith(LIVE_KEYS), is_live_asked and settings.is_live_allowed
    if not key.startswith((*LIVE_KEYS, *TEST_KEYS, "sk_live_")):
        found = "not a Stripe secret key" if key else "not set"
        raise ActionError(f"{name} is {found}, expected a restricted key (rk_test_…); set it in .env")
    refusals = {
        "an unrestricted live key; make a restricted one (rk_live_…)": key.startswith("sk_live_"),
        "a live key, which needs --live and METERWISE_LIVE=1; nothing was sent": is_live and not is_allowed,
        "a live key, and STRIPE_LOG would print customers' data; unset STRIPE_LOG": is_live and settings.stripe_log,
        "a test key and --live was given; leave --live out or set a live key": not is_live and is_live_asked,
    }
    for words, is_so in refusals.items():
        if is_so:
            raise LiveKeyRefused(f"{name} is {words}")
    return is_live


def _client(key: str, settings: Settings, can_write: bool) -> "stripe.StripeClient":
    # At debug level the SDK logs whole bodies; STRIPE_LOG prints them to stderr whatever the logger's level says, and
    # counts from the moment the SDK is imported (cli.py has taken it away before).
    os.environ.pop("STRIPE_LOG", None)
    import stripe

    stripe.log, stripe.enable_telemetry = None, False
    logging.getLogger("stripe").setLevel(logging.WARNING)
    http = stripe.RequestsClient(timeout=settings.timeout_s)
    for way in ("request", "request_stream", "request_async", "request_stream_async") if not can_write else ():
        setattr(http, way, _reading_only(getattr(http, way)))
    # No retry of the SDK's: one that nobody recorded is one that nobody can explain. apply.py owns the loop.
    return stripe.StripeClient(key, max_network_retries=0, base_addresses={"api": settings.api_base}, http_client=http)


def _reading_only(send: Callable[..., Any]) -> Callable[..., Any]:
    """For the shadow an HTTP client that cannot write, whatever the code above it tries."""

    def checked(method: str, url: str, *rest: Any, **options: Any) -> Any:
        if method.lower() != "get" and (method.lower(), urlsplit(url).path) != ("post", PREVIEW):
            raise ShadowCannotWrite(f"the shadow was asked to {method} {url}; it reads, and writes nothing")
        return send(method, url, *rest, **options)

    return checked
