"""A thin reader over the Stripe SDK's raw requests: pages as bytes, no object per row."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from dlt_pipelines.budget import Budget, budget_for
from dlt_pipelines.errors import AccessDenied, BadResponse, StripeUnreachable
from dlt_pipelines.rows import Tally, decode
from dlt_pipelines.settings import Settings
from dlt_pipelines.stripe_api import API_VERSION, PAGE

if TYPE_CHECKING:
    import stripe
    from stripe import StripeClient

NETWORK_RETRIES = 4  # by the SDK, for lost connections, 409 and 5xx: reads are safe to repeat
LIMIT_RETRIES = 10  # by us, for 429, which the SDK hands on; the waits sum to about two minutes
LONGEST_WAIT = 30.0  # seconds between two tries after 429
TIMEOUT = (5.0, 80.0)  # seconds to connect, to read; the second is the SDK's own default


class Page(msgspec.Struct):
    """One page of a list; each object keeps its exact bytes."""

    data: list[msgspec.Raw]
    has_more: bool


class _Cursor(msgspec.Struct):
    id: str


class Reader:
    """Reads one Stripe account. `server_now` is the only clock of a load: the HTTP Date header, UTC, no zone."""

    def __init__(
        self, settings: Settings, budget: Budget | None = None, network_retries: int = NETWORK_RETRIES
    ) -> None:
        self._budget = budget or budget_for(settings.is_live, settings.is_local)
        self._lock = threading.Lock()
        self._kept = threading.local()
        self._client = _connect(settings, self._kept, network_retries)
        self.server_now = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC without zone, as in the warehouse; the first answer sets it

    def get(self, path: str, params: dict[str, Any], tally: Tally, of: str = "") -> bytes | None:
        """The body of one GET, as sent; None for 404.

        path: a template of stripe_api, whose {id} becomes `of`. Raises AccessDenied for 401 and 403,
        StripeUnreachable when retries are used up, BadResponse for an error that is no JSON.
        """
        import stripe

        wait = 0.5
        for _ in range(LIMIT_RETRIES):
            self._budget.wait(path)
            with self._lock:
                tally.requests += 1
            try:
                answer = self._client.raw_request("get", path.replace("{id}", of), **params)
            except stripe.RateLimitError:
                self._budget.pause(wait)
                self._budget.wait(path)
                wait = min(2 * wait, LONGEST_WAIT)
                continue
            except (stripe.AuthenticationError, stripe.PermissionError) as error:
                raise AccessDenied(
                    f"Stripe refused {path} with {error.http_status}: {error.user_message or 'no reason given'}; "
                    "use a restricted key with read permission for it."
                ) from error
            except stripe.StripeError as error:
                if error.http_status == 404:
                    return None
                raise _unreachable(path, error) from error
            self._note_clock(answer.headers)
            body: bytes = self._kept.body
            return body
        raise StripeUnreachable(
            f"{path} was rate limited (429) {LIMIT_RETRIES} times in a row; run the load again later."
        )

    def pages(self, path: str, params: dict[str, Any], tally: Tally, of: str = "") -> Iterator[list[msgspec.Raw]]:
        """Every page of a list, newest first, each a list of objects as exact bytes. A 404 is an empty list.

        Raises BadResponse when a page is no list or gives a cursor that was used before (it would never end).
        """
        cursor: str | None = None
        used: set[str] = set()
        while True:
            after = {"starting_after": cursor} if cursor else {}
            body = self.get(path, {"limit": PAGE, **params, **after}, tally, of)
            if body is None:
                return
            page = decode(body, Page, path)
            if page.data:
                yield page.data
            if not page.has_more:
                return
            last = decode(page.data[-1], _Cursor, path).id if page.data else None
            if last is None or last in used:
                raise BadResponse(
                    f"{path} says there is more after {last or 'an empty page'} again, so its list would never end; "
                    "run the load again, and tell Stripe if it repeats."
                )
            used.add(last)
            cursor = last

    def _note_clock(self, headers: Any) -> None:
        """Keep the latest Date header; workers may finish out of order."""
        stamp = headers.get("Date")
        if stamp is None:
            raise BadResponse(
                "Stripe's answer has no Date header, which is the only clock of a load; check for a proxy."
            )
        now = parsedate_to_datetime(stamp).astimezone(UTC).replace(tzinfo=None)
        with self._lock:
            self.server_now = max(self.server_now, now)


def _connect(settings: Settings, kept: threading.local, network_retries: int) -> "StripeClient":
    """The SDK's client, except that a good body is set aside as bytes instead of being parsed into dicts."""
    import requests
    import stripe

    class BytesKept(stripe.RequestsClient):
        """The SDK would decode each page into Python objects that we drop; it gets an empty object instead."""

        # Bytes where the SDK annotates str: that is the point; and its extra parameter no client of its own takes.
        def request(  # type: ignore[override] # the body stays bytes
            self, method: str, url: str, headers: Any, post_data: Any = None
        ) -> tuple[bytes, int, Any]:
            content, status, answered = super().request(method, url, headers, post_data)
            if status == 200:
                kept.body, content = content, b"{}"
            return content, status, answered

    stripe.enable_telemetry = False
    session = None
    if settings.is_local:
        # loopback has no proxy, and looking for one in the environment is a quarter of what a request costs us
        session = requests.Session()
        session.trust_env = False
    return stripe.StripeClient(
        settings.api_key,
        stripe_version=API_VERSION,
        max_network_retries=network_retries,
        base_addresses={"api": settings.api_base},
        http_client=BytesKept(timeout=TIMEOUT, session=session),
    )


def _unreachable(path: str, error: "stripe.StripeError") -> BadResponse | StripeUnreachable:
    """One sentence for what the SDK raised; bodies stay out of it, since they may hold personal data."""
    if error.http_status is None:
        return StripeUnreachable(
            f"No answer for {path} after all retries ({type(error.__cause__ or error).__name__}); "
            "check STRIPE_API_BASE and the network, then run the load again."
        )
    if not isinstance(error.json_body, dict) or "error" not in error.json_body:
        return BadResponse(
            f"{path} answered {error.http_status} with a body that is not JSON; check STRIPE_API_BASE and any proxy."
        )
    return StripeUnreachable(
        f"{path} answered {error.http_status}: {error.user_message or 'no reason given'}; run the load again, "
        "and report it to Stripe if it repeats."
    )
