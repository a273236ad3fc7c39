"""What Stripe's answers are read as: pages, whole bodies, and refusals in one sentence."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import msgspec

from dlt_pipelines.errors import (
    AccessDenied,
    BadResponse,
    CursorGone,
    LoaderError,
    PermissionMissing,
    RequestRefused,
    StripeUnreachable,
)
from dlt_pipelines.rows import decode

if TYPE_CHECKING:
    from stripe import StripeError

# As in "Having the 'rak_customer_read' permission would allow this request to continue."
_PERMISSION = re.compile(r"\b(?:rak_)?([a-z][a-z_]*_(?:read|write))\b")

Shape = TypeVar("Shape")


class Listed(msgspec.Struct):
    """A list as sent."""

    data: list[msgspec.Raw]
    has_more: bool


class AnyObject(msgspec.Struct):
    """Any JSON object; all its fields are skipped, which checks that it is whole."""


class _Id(msgspec.Struct):
    id: str


_id_of = msgspec.json.Decoder(_Id).decode


class Page:
    """One page of a list, newest first; each object keeps its exact bytes.

    cursor: the id after which the list goes on, of the last object that has one; None at its end.
    """

    __slots__ = ("cursor", "data", "has_more", "used")

    def __init__(self, listed: Listed, before: "Page | None" = None) -> None:
        self.data, self.has_more = listed.data, listed.has_more
        self.used: set[str] = before.used if before else set()  # the cursors of this walk, shared by its pages
        self.cursor = next(self.ids_back(), None) if self.has_more else None

    def ids_back(self) -> Iterator[str]:
        """The ids of the page's objects from last to first, without those that have none."""
        for payload in reversed(self.data):
            try:
                yield _id_of(payload).id
            except msgspec.ValidationError:
                continue

    def leads_on(self) -> bool:
        """Whether the list ends here or goes on after an object that no page of this walk ended with."""
        return not self.has_more or (self.cursor is not None and self.cursor not in self.used)


class Broken(Exception):
    """A body that is not whole; its text is the problem's name."""


def whole(body: bytes, shape: type[Shape], path: str) -> Shape:
    """`body` as `shape`. Raises Broken when it is cut or no JSON, BadResponse when it is JSON of another shape."""
    try:
        str(body, "utf-8")  # msgspec does not look into texts that it skips
        return msgspec.json.decode(body, type=shape)
    except UnicodeDecodeError as error:
        raise Broken("not_json") from error
    except msgspec.ValidationError:
        return decode(body, shape, path)  # raises, in the loader's words
    except msgspec.DecodeError as error:
        raise Broken("truncated_body" if "truncated" in str(error) else "not_json") from error


def is_passing(error: "StripeError") -> bool:
    """Whether the same request may well succeed a little later.

    A 5xx is asked for again even when `Stripe-Should-Retry` says false: that is said because of writes.
    """
    if error.http_status is None:
        return bool(getattr(error, "should_retry", False))
    if (error.headers or {}).get("Stripe-Should-Retry") == "true":
        return True
    return error.http_status in (409, 429) or error.http_status >= 500


def is_nowhere(error: "StripeError") -> bool:
    """Whether Stripe says that what was asked for, or the parent that a parameter names, does not exist; no cursor.

    A 404 alone does not say so: a proxy's page, or a path that the server does not know, must not delete anything.
    """
    told = _told(error)
    is_missing = error.http_status in (400, 404) and told.get("code") == "resource_missing"
    return is_missing and told.get("param") != "starting_after"


def _told(error: "StripeError") -> dict[str, object]:
    """Stripe's error object; empty when the body has none."""
    told = error.json_body.get("error") if isinstance(error.json_body, dict) else None
    return told if isinstance(told, dict) else {}


def refusal(path: str, error: "StripeError") -> LoaderError:
    """One sentence for what the SDK raised; bodies stay out of it, since they may hold personal data."""
    status, said = error.http_status, (error.user_message or "no reason given").rstrip(".")
    if status is None:
        return StripeUnreachable(
            f"No answer for {path} after all retries ({type(error.__cause__ or error).__name__}); "
            "check STRIPE_API_BASE and the network, then run the load again."
        )
    if status == 429:
        return StripeUnreachable(
            f"{path} was rate limited (429) each time it was asked for; run the load again later, or with a lower "
            "rate_share in .dlt/config.toml."
        )
    if not isinstance(error.json_body, dict) or "error" not in error.json_body:
        return BadResponse(
            f"{path} answered {status} with a body that is not JSON; check STRIPE_API_BASE and any proxy."
        )
    if status == 401:
        return AccessDenied(f"Stripe refused the key: {said}; check STRIPE_API_KEY (asked for {path}).")
    if status == 403:
        named = _PERMISSION.search(said)
        return PermissionMissing(
            f"Stripe refused {path} with 403: {said}; use a restricted key with read permission for it.",
            named[1] if named else "",
        )
    if _told(error).get("param") == "starting_after" and _told(error).get("code") == "resource_missing":
        return CursorGone(f"{path} cannot go on: the objects of its last page have been deleted; run the load again.")
    if status < 500 and status != 409:
        return RequestRefused(f"{path} answered {status}: {said}; run the load again, and report it if it repeats.")
    return StripeUnreachable(
        f"{path} answered {status}: {said}; run the load again, and report it to Stripe if it repeats."
    )
