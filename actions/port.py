"""The only way to Stripe: the official SDK, one try per call, and answers instead of exceptions.

The reader has no way to write: no method for it, and an HTTP client that refuses everything but GET.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from actions.clock import SECOND_US, Clock
from actions.errors import ActionError, LiveKeyRefused, ShadowCannotWrite, StripeUnusable
from actions.settings import Settings

if TYPE_CHECKING:
    import stripe

LIVE_KEYS = ("rk_live_",)
TEST_KEYS = ("rk_test_", "sk_test_")
PAGE = 100


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
        return str(self.body.get("code") or self.body.get("type") or "")

    @property
    def is_unknown(self) -> bool:
        """A 5xx: Stripe may or may not have carried it out."""
        return self.status >= 500

    @property
    def is_busy(self) -> bool:
        """Not carried out, by Stripe's own word: rate limit, lock, or the same key still running."""
        return self.status in (409, 429)


class StripeReader:
    """GET only. The shadow runs on it."""

    can_write = False

    def __init__(self, key: str, settings: Settings, clock: Clock) -> None:
        """No call yet. Raises ActionError when the address is not Stripe's kind of address."""
        where = urlsplit(settings.api_base)
        if where.scheme != "https" and where.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ActionError(
                f"STRIPE_API_BASE is {settings.api_base}: a key is sent over https or to this machine only; correct it"
            )
        self.clock = clock
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
        if reply.status == 404:
            return None
        if reply.status != 200:
            message = reply.body.get("message", "no message")
            raise StripeUnusable(
                f"Stripe answered {reply.status} to GET {path}: {message}; correct that, then run again"
            )
        return reply.body

    def list(self, path: str, params: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Every object of a list, newest first, page by page. Raises StripeUnusable."""
        asked = {"limit": PAGE} | (params or {})
        while True:
            page = self.read(path, asked)
            if page is None:
                return
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
            return self._reply(error.http_status or 0, error.json_body, error.headers)
        return self._reply(answer.code, answer.data, answer.headers)

    def _reply(self, status: int, body: Any, headers: Any) -> Reply:
        """Raises NoAnswer when the body cannot be read, whatever the status says."""
        lower = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
        if "date" in lower:
            self.server_now = parsedate_to_datetime(lower["date"]).astimezone(UTC)
        if status < 400 and not isinstance(body, dict):
            raise NoAnswer(f"unreadable answer with status {status}")
        found = dict(body) if isinstance(body, dict) else {}
        if status >= 400:
            found = dict(found["error"]) if isinstance(found.get("error"), dict) else {}
        wait = lower.get("retry-after", "")
        return Reply(
            status, found, lower.get("request-id"), lower.get("idempotent-replayed") == "true",
            float(wait) if wait.replace(".", "", 1).isdigit() else None,
        )  # fmt: skip


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
    """Whether `key` is a live one, after holding it against both switches.

    Raises LiveKeyRefused unless the key is a test key and --live absent, or a restricted live key and both set.
    """
    if key.startswith("sk_live_"):
        raise LiveKeyRefused(f"{name} is an unrestricted live key; make a restricted one (rk_live_…) for this runner")
    if key.startswith(LIVE_KEYS):
        if not (is_live_asked and settings.is_live_allowed):
            raise LiveKeyRefused(
                f"{name} is a live key: acting on a live account needs --live and METERWISE_LIVE=1; nothing was sent"
            )
        return True
    if not key.startswith(TEST_KEYS):
        found = "not set" if not key else "not a Stripe secret key"
        raise ActionError(f"{name} is {found}, expected a restricted key (rk_test_…); set it in .env")
    if is_live_asked:
        raise LiveKeyRefused(f"--live was given but {name} is a test key; leave --live out or set a live key")
    return False


def _client(key: str, settings: Settings, can_write: bool) -> "stripe.StripeClient":
    import stripe

    # At debug level the SDK logs whole bodies, and STRIPE_LOG turns that on from outside.
    logging.getLogger("stripe").setLevel(logging.WARNING)
    stripe.enable_telemetry = False
    base: Any = stripe.RequestsClient if can_write else _get_only()
    return stripe.StripeClient(
        key,
        max_network_retries=0,  # a retry nobody recorded is a retry nobody can explain: apply.py owns the loop
        base_addresses={"api": settings.api_base},
        http_client=base(timeout=settings.timeout_s),
    )


def _get_only() -> Any:
    import stripe

    class GetOnly(stripe.RequestsClient):
        """An HTTP client that cannot write, whatever the code above it tries."""

        def request(self, method: str, url: str, *rest: Any, **options: Any) -> Any:
            if method.lower() != "get":
                raise ShadowCannotWrite(f"the shadow port was asked to {method} {url}; it can only GET")
            return super().request(method, url, *rest, **options)

    return GetOnly
