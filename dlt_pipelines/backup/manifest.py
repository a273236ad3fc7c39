"""What a backup says of itself: manifest.json in it, and the same for people."""

import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath

import msgspec

from dlt_pipelines.warehouse import mode

FORMAT = 1  # to be raised when an older version could not restore what a newer one writes
TABLES = "tables"
WAREHOUSE = "warehouse.duckdb"
# What a restore puts in place, in this order, relative to the state folder. The warehouse is the last, because a
# state without it looks like none to every other command.
PLACES = (
    "scores",
    "ledger-head/head.json",
    "ledger/ledger.sqlite",
    "landing/inbox.sqlite",
    "mlflow-artifacts",
    "mlflow.db",
    WAREHOUSE,
)


class Entry(msgspec.Struct, frozen=True):
    """One file of a backup: where it belongs, what it must hash to, its size and permission bits.

    rows: of a table, or events of the ledger; None for what is not counted. create: the table's DDL, '' for a file.
    """

    path: str
    sha256: str
    bytes: int
    mode: int
    rows: int | None = None
    create: str = ""

    @property
    def group(self) -> str:
        """What it is called for people: the schema of a table, else the name of its place."""
        parts = PurePosixPath(self.path).parts
        if parts[0] == TABLES:
            return parts[1]
        names = {"ledger-head": "ledger", "landing": "inbox", "mlflow.db": "models", "mlflow-artifacts": "models"}
        return names.get(parts[0], parts[0])


class Manifest(msgspec.Struct, frozen=True):
    """made_at: this machine's clock, UTC. loaded_until: how far the last finished load read, by Stripe's clock, UTC.

    folder: the absolute state folder it was made of. account_id and livemode are None when nothing was loaded.
    """

    format: int
    made_at: datetime
    account_id: str | None
    livemode: bool | None
    loaded_until: datetime | None
    duckdb: str
    folder: str
    files: Sequence[Entry]

    @property
    def tables(self) -> list[Entry]:
        return [entry for entry in self.files if entry.create]

    def lines(self) -> list[str]:
        """What is in it, as a table for people, one line per group."""
        account = "no account loaded" if self.account_id is None else f"{self.account_id} ({mode(bool(self.livemode))})"
        until = "" if self.loaded_until is None else f", loaded until {self.loaded_until:%Y-%m-%d %H:%M:%S} UTC"
        lines = [f"Backup of {account}{until}, made {self.made_at:%Y-%m-%d %H:%M:%S} UTC:"]
        for group in dict.fromkeys(entry.group for entry in self.files):
            members = [entry for entry in self.files if entry.group == group]
            rows = [entry.rows for entry in members if entry.rows is not None]
            unit = ("table" if members[0].create else "file") + ("s" if len(members) > 1 else "")
            counted = f"{sum(rows):>15,} rows" if rows else " " * 20
            lines.append(f"  {group:<12}{len(members):>5} {unit:<6}{counted}{megabytes(members):>12,.1f} MB")
        return lines


class _Format(msgspec.Struct):
    format: int


def entry_of(path: str, sha256: str, status_mode: int, size: int, rows: int | None, create: str) -> Entry:
    """An entry of a file whose `st_mode` is `status_mode`."""
    return Entry(path, sha256, size, stat.S_IMODE(status_mode), rows, create)


def megabytes(entries: Sequence[Entry]) -> float:
    """Their size in the backup, in units of 10^6 bytes."""
    return sum(entry.bytes for entry in entries) / 1e6


def format_of(body: bytes) -> int:
    """The format of a manifest whose other fields may be unknown. Raises msgspec.DecodeError."""
    return msgspec.json.decode(body, type=_Format).format


def read_manifest(body: bytes) -> Manifest:
    """Raises msgspec.DecodeError (its subclass ValidationError included)."""
    return msgspec.json.decode(body, type=Manifest)


def now() -> datetime:
    """This machine's clock, UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def belongs(path: str) -> bool:
    """Whether a backup may hold a file of this name: below one of the places, and nowhere else on the disk."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != path:
        return False
    if pure.parts[:1] == (TABLES,):
        return len(pure.parts) == 3 and pure.suffix == ".parquet"
    homes = {PurePosixPath(place) for place in PLACES if place != WAREHOUSE}
    return bool(homes & {pure, *pure.parents})
