"""The two families of refusals: to a person at the command line, and to a client over HTTP."""

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


class CommandNotFound(SandboxError):
    """`exec` was given a command that does not exist."""


class ApiError(Exception):
    """An answer in Stripe's error shape. `status` is the HTTP status; the rest goes in `error`."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.kind = status, message, param, code, kind

    def body(self) -> dict[str, Any]:
        """Stripe's `{"error": {...}}`, without the keys that do not apply."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param:
            error["param"] = self.param
        return {"error": error}


def missing(noun: str, identifier: str, param: str = "id") -> ApiError:
    """404 for an id that is not there, in Stripe's words."""
    return ApiError(404, f"No such {noun}: '{identifier}'", param=param, code="resource_missing")
