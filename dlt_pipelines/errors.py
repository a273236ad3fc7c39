"""Refusals of the loader and the publisher: one class each, carrying the exit code of design.md section 7."""

import re

# The prefix tells test from live and is no secret; what follows it is.
# (A prefix that is all there is, as in "set it to rk_test_…", stays as it is.)
_SECRETS = re.compile(r"\b((?:sk|rk|pk)_(?:test|live)_|(?:sk|rk|pk|whsec)_(?!(?:test|live)_…))[A-Za-z0-9_*]+")


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


class PermissionMissing(AccessDenied):
    """The key lacks a permission (403); `permission` is its name, '' when Stripe did not say."""

    def __init__(self, message: str, permission: str = "") -> None:
        super().__init__(message)
        self.permission = permission


class RequestRefused(LoaderError):
    """Stripe refused what was asked (400 and the like): a mistake of ours, or a feature the account lacks."""


class CursorGone(RequestRefused):
    """The objects after which a list was to go on have been deleted meanwhile."""


class StripeUnreachable(LoaderError):
    """No usable answer after all retries."""


class Stopped(LoaderError):
    """A request was given up because the load failed elsewhere or was interrupted."""


class BadResponse(LoaderError):
    """Stripe's answer is not what its API promises: not JSON, no id, or a cursor that repeats."""


class WarehouseFailed(LoaderError):
    """The warehouse is missing, damaged or refused a write."""


class UsageLogUnreadable(LoaderError):
    """A usage log is not there, of no known kind, damaged, lacks a column, or changed while it was read."""


class ExportUnreadable(LoaderError):
    """A Reporting or Sigma export is not there, is no CSV, lacks a column, or leaves its unit of money unclear."""


class InboxFailed(LoaderError):
    """The webhook inbox cannot be opened, read or written."""


class CannotListen(LoaderError):
    """The address the webhook receiver should listen on is not to be had."""


class LedgerUnreadable(LoaderError):
    """The ledger file is not the ledger that actions writes."""


class NothingToPublish(LoaderError):
    """The warehouse has no marts yet."""


class ManifestUnusable(LoaderError):
    """dbt left no manifest that says which columns are personal."""


class ColumnUnknown(LoaderError):
    """A mart holds a column that dbt's manifest does not describe: it may be personal."""


class PublishFailed(LoaderError):
    """The new copy is not what was built; the previous copy stays."""


class NothingToBackUp(LoaderError):
    """The state folder holds nothing that a backup covers."""

    exit_code = 3


class BackupFailed(LoaderError):
    """The backup could not be written whole, so none was written."""


class BackupInPlace(LoaderError):
    """A file with the backup's name is already there."""

    exit_code = 6


class BackupDamaged(LoaderError):
    """The file is not a whole backup, as it was written."""

    exit_code = 6


class BackupTooNew(LoaderError):
    """The backup was made by a newer version, in a format that this one does not know."""

    exit_code = 6


class StateInPlace(LoaderError):
    """The state folder holds what a restore would overwrite."""

    exit_code = 6


class RestoreUnfinished(LoaderError):
    """A restore was interrupted, and is to be finished before anything else works on its state folder."""

    exit_code = 6
