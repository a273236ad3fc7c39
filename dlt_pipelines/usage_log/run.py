"""The command `usage-log`: find the files, skip what has landed, land the rest batch by batch, say what became."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic

import duckdb

from dlt_pipelines.errors import UsageLogUnreadable
from dlt_pipelines.settings import Settings
from dlt_pipelines.usage_log.config import LogConfig
from dlt_pipelines.usage_log.fields import rows_sql
from dlt_pipelines.usage_log.passes import BatchLanding, Context
from dlt_pipelines.usage_log.paths import LogFile, find_files
from dlt_pipelines.usage_log.shapes import Batch, batches, refuse_cut_short
from dlt_pipelines.usage_log.tables import SCHEMA, account_of, count_events, ensure_tables, newest_moment
from dlt_pipelines.usage_log.verdicts import Outcome
from dlt_pipelines.warehouse import explain, open_warehouse

# The command promises 6 GB; DuckDB counts its own buffers, not what the reader and the allocator hold beside them.
MEMORY = "4500MB"
Say = Callable[[str], None]


def land_usage_logs(
    settings: Settings,
    paths: Sequence[str],
    config: LogConfig,
    say: Say,
    account: str | None = None,
    again: bool = False,
    memory: str = MEMORY,
) -> str:
    """Land the events of `paths` (files, folders, globs) in raw_usage; a summary for people.

    A file that has landed is skipped unless `again`. Every file is looked at before the first one lands, so a wrong
    path or a missing column stops the command with nothing done. Raises UsageLogUnreadable, OtherAccount,
    SettingMissing, Locked, FolderUnusable or WarehouseFailed.
    """
    files = find_files(paths)
    with _warehouse(settings, memory) as connection:
        ensure_tables(connection)
        context = _context(connection, config, account)
        new, old = _new_and_old(connection, files, again)
        for file in old:
            say(f"{file.path}: landed before, skipped")
        todo = batches(connection, new)
        for batch in todo:
            rows_sql(batch.shape, config, "now()", [], str(batch.files[0].path))  # refuses a missing column
        done = [outcome for batch in todo for outcome in _land(connection, batch, context, say)]
        reasons = _reasons(connection, context.stamp) if done else {}
    return _summary(done, len(old), reasons)


@contextmanager
def _warehouse(settings: Settings, memory: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse with this command's memory limit, and a folder to spill into that is empty before and after."""
    connection = open_warehouse(settings.warehouse)
    spill = settings.data / "usage_log.tmp"  # ours alone: the open warehouse keeps a second loader out
    try:
        shutil.rmtree(spill, ignore_errors=True)
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"set memory_limit = '{memory}'")
        connection.execute("set temp_directory = $folder", {"folder": str(spill)})
        yield connection
    except duckdb.Error as error:
        raise explain(settings.warehouse, error) from error
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def _context(connection: duckdb.DuckDBPyConnection, config: LogConfig, account: str | None) -> Context:
    now = datetime.now(UTC).replace(tzinfo=None)
    return Context(
        account_id=account_of(connection, account),
        config=config,
        until=newest_moment(connection, now),
        stamp=now,
        counts=count_events(connection, config.count_events),
    )


def _new_and_old(
    connection: duckdb.DuckDBPyConnection, files: list[LogFile], again: bool
) -> tuple[list[LogFile], list[LogFile]]:
    rows = connection.execute(f"select distinct fingerprint from {SCHEMA}.files").fetchall()  # noqa: S608 - fixed names
    landed = set() if again else {fingerprint for (fingerprint,) in rows}
    old = [file for file in files if file.fingerprint in landed]
    return [file for file in files if file.fingerprint not in landed], old


def _land(connection: duckdb.DuckDBPyConnection, batch: Batch, context: Context, say: Say) -> list[Outcome]:
    size = sum(file.size for file in batch.files)
    more = f" and {len(batch.files) - 1} more" if len(batch.files) > 1 else ""
    say(f"{batch.files[0].path}{more}: reading {size / 1e6:,.1f} MB of {batch.shape.format}")
    started = monotonic()
    for file in batch.files:
        refuse_cut_short(file)
    try:
        done = BatchLanding(connection, batch, context).land()
    except (duckdb.DataError, duckdb.InvalidInputException, duckdb.InvalidTypeException, duckdb.IOException) as error:
        if isinstance(error, duckdb.IOException) and not any(str(file.path) in str(error) for file in batch.files):
            raise  # the warehouse's disk; of a log it is compressed text cut short, or a file that is gone
        # what DuckDB says of bad data quotes the data, which may be personal
        raise UsageLogUnreadable(
            f"{batch.files[0].path}{more} cannot be read ({type(error).__name__}); "
            "nothing of it was landed: is it whole, and are all its lines ended alike?"
        ) from None
    seconds = max(monotonic() - started, 1e-3)
    rows = sum(outcome.rows for outcome in done)
    for outcome in done:
        say(f"{outcome.path}: {_counts(outcome)}")
    say(f"{rows:,} rows in {seconds:,.1f} s, {rows / seconds:,.0f} rows/s")
    return done


def _counts(outcome: Outcome) -> str:
    return (
        f"{outcome.rows:,} rows: {outcome.landed:,} landed, {outcome.duplicates:,} duplicates, "
        f"{outcome.conflicts:,} conflicts, {outcome.quarantined:,} quarantined"
    )


def _reasons(connection: duckdb.DuckDBPyConnection, stamp: datetime) -> dict[str, int]:
    return dict(
        connection.execute(
            f"select reason, count(*) from {SCHEMA}.quarantine where loaded_at = ? group by reason",  # noqa: S608 - fixed names
            [stamp],
        ).fetchall()
    )


def _summary(done: list[Outcome], skipped: int, reasons: dict[str, int]) -> str:
    total: Counter[str] = Counter()
    for outcome in done:
        total.update({name: value for name, value in vars(outcome).items() if name != "path"})
    lines = [
        f"{len(done)} files read, {skipped} skipped as landed before; "
        + _counts(Outcome("", *(total[name] for name in ("rows", "landed", "duplicates", "conflicts", "quarantined"))))
    ]
    lines += [f"  {count:,} × {reason}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1])]
    if reasons:
        lines.append("See raw_usage.quarantine for the rows and docs/usage-log.md for the reasons.")
    return "\n".join(lines)
