"""The two families of refusals: to a person at the command line, and to a client over HTTP."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Any


class SandboxError(Exception):
    """A command cannot go on; the message is one sentence with what to do."""

    exit_code = 1


class StateLocked(SandboxError):
    """Another process holds the state folder."""

    exit_code = 4


class BadCompany(SandboxError):
    """company.toml does not hold what the population needs."""


@dataclass(eq=False)
class ApiError(Exception):
    """An answer in Stripe's error shape. `status` is the HTTP status; the rest goes in `error`.

    `more` holds further keys of `error` (such as `payment_intent`), `headers` those of the answer. `keeps`: what the
    handler did stays (a declined payment leaves its failed attempt); otherwise all of it is rolled back.
    """

    status: int
    message: str
    _: KW_ONLY
    param: str | None = None
    code: str | None = None
    kind: str = "invalid_request_error"
    decline_code: str | None = None
    keeps: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Stripe's `{"error": {...}}`, without the keys that do not apply."""
        doc_url = self.code and f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        told = {"code": self.code, "doc_url": doc_url, "decline_code": self.decline_code, "message": self.message}
        told |= {"param": self.param, **self.more, "type": self.kind}
        return {"error": {key: value for key, value in told.items() if value or key == "message"}}


def missing(noun: str, identifier: str, param: str = "id", status: int = 404) -> ApiError:
    """For an id that is not there, in Stripe's words."""
    return ApiError(status, f"No such {noun}: '{identifier}'", param=param, code="resource_missing")
