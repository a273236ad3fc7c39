"""The two families of refusals: to a person at the command line, and to a client over HTTP."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any


class SandboxError(Exception):
    """A command cannot go on; the message is one sentence with what to do. Exit code 1."""

    exit_code = 1


class StateLocked(SandboxError):
    """Another process holds the state folder. Exit code 4."""

    exit_code = 4


class StateMissing(SandboxError):
    """There is no seeded state to serve, advance or report on."""


class StateOutdated(SandboxError):
    """The state was seeded by a sandbox that kept it differently."""


class StateUnwritable(SandboxError):
    """The state folder cannot be made or written."""


class PortTaken(SandboxError):
    """The port asked for is in use."""


class BadCompany(SandboxError):
    """company.toml does not hold what the population needs."""


class BadFaults(SandboxError):
    """The file given to `serve --faults` is no script of faults."""


class NoServer(SandboxError):
    """No sandbox answers at the URL given."""


class CommandNotFound(SandboxError):
    """`exec` was given a command that does not exist."""


class ApiError(Exception):
    """An answer in Stripe's error shape. `status` is the HTTP status; the rest goes in `error`.

    `more` holds further keys of `error` (such as `payment_intent`), `headers` those of the answer. `keeps`: what the
    handler did stays (a declined payment leaves its failed attempt); otherwise all of it is rolled back.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        decline_code: str | None = None,
        keeps: bool = False,
        headers: dict[str, str] | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.kind = status, message, param, code, kind
        self.decline_code, self.keeps, self.headers, self.more = decline_code, keeps, headers or {}, more or {}

    def body(self) -> dict[str, Any]:
        """Stripe's `{"error": {...}}`, without the keys that do not apply."""
        error: dict[str, Any] = {}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.decline_code:
            error["decline_code"] = self.decline_code
        error["message"] = self.message
        if self.param:
            error["param"] = self.param
        return {"error": error | self.more | {"type": self.kind}}


def refusal(name: str, /, *, param: str | None = None, **words: object) -> ApiError:
    """The answer that refusals.toml holds under a name, with its `{words}` filled in."""
    said: dict[str, Any] = {"status": 400, "headers": {}} | _refusals()[name]
    said["headers"] = {key: value.format(**words) for key, value in said["headers"].items()}
    return ApiError(said.pop("status"), said.pop("message").format(**words), param=param, **said)


@cache
def _refusals() -> dict[str, dict[str, Any]]:
    return tomllib.loads((Path(__file__).parent / "refusals.toml").read_text())


def missing(noun: str, identifier: str, param: str = "id") -> ApiError:
    """404 for an id that is not there, in Stripe's words."""
    return ApiError(404, f"No such {noun}: '{identifier}'", param=param, code="resource_missing")
