"""Refusals of the loader and the publisher: one class each, carrying the exit code of design.md section 7."""

import re

# The prefix tells test from live and is no secret; what follows it is.
_SECRETS = re.compile(r"\b((?:sk|rk|pk)_(?:test|live)_|(?:sk|rk|pk|whsec)_)[A-Za-z0-9_*]+")


class LoaderError(Exception):
    """A failure that is told in one sentence saying what was found and what to do; exits with `exit_code`."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(_SECRETS.sub(r"\1…", " ".join(message.split())))


class SettingMissing(LoaderError):
    """A setting is absent or malformed."""

    exit_code = 2


class KeyRefused(LoaderError):
    """The key is of a kind that cannot or must not read billing data."""

    exit_code = 6


class OtherAccount(LoaderError):
    """The warehouse holds another account, or the other mode of this one."""

    exit_code = 6


class Locked(LoaderError):
    """Another process has the file open; the message names it."""

    exit_code = 4


class FolderUnusable(LoaderError):
    """The state folder cannot be written."""


class AccessDenied(LoaderError):
    """Stripe refused the key (401) or the key lacks a permission (403)."""


class StripeUnreachable(LoaderError):
    """No usable answer after all retries."""


class BadResponse(LoaderError):
    """Stripe's answer is not what its API promises: not JSON, no id, or a cursor that repeats."""


class WarehouseFailed(LoaderError):
    """The warehouse is missing, damaged or refused a write."""


class LedgerUnreadable(LoaderError):
    """The ledger file is not the ledger that actions writes."""


class NothingToPublish(LoaderError):
    """The warehouse has no marts yet."""


class PublishFailed(LoaderError):
    """The new copy is not what was built; the previous copy stays."""
