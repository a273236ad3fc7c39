"""One load: Stripe into schema raw_stripe through dlt, then its report."""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dlt_pipelines.client import Reader
from dlt_pipelines.context import Batch, Load
from dlt_pipelines.errors import AccessDenied, LoaderError, WarehouseFailed
from dlt_pipelines.events import read_events
from dlt_pipelines.objects import Watch, read_account, read_balances, read_kind
from dlt_pipelines.period_usage import TABLE as PERIODS
from dlt_pipelines.period_usage import read_periods
from dlt_pipelines.periods import Periods
from dlt_pipelines.rows import REPORT_SCHEMA, STAMP, Tally, head_of, table_of
from dlt_pipelines.settings import Settings, require_key
from dlt_pipelines.stripe_api import ACCOUNT, BALANCES, EVENTS, KINDS
from dlt_pipelines.usage import TABLE as USAGE
from dlt_pipelines.usage import TRAILING, Metered, end_of_cover, read_usage
from dlt_pipelines.warehouse import SCHEMA, Warehouse, explain, mode, open_warehouse

PIPELINE = "meterwise_stripe"
REPORT = "load_report"
# What must hold wherever the command is started; .dlt/config.toml says why, and is only found from the repository root.
DLT_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "EXTRACT__NEXT_ITEM_MODE": "fifo",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Loaded:
    """What a load did, for its summary: counts per table."""

    account: str
    server_now: str
    customers: int
    tallies: dict[str, Tally]

    def __str__(self) -> str:
        counts = self.tallies.values()
        lines = [
            f"Loaded {self.account} as of {self.server_now}: {sum(one.rows_read for one in counts)} rows read, "
            f"{sum(one.rows_appended for one in counts)} appended, {sum(one.requests for one in counts)} requests."
        ]
        if not self.customers:
            lines.append(
                "The account has no customers yet, so there is nothing to bill: the tables are there and empty."
            )
        return "\n".join(lines)


def load(settings: Settings, say: Say) -> Loaded:
    """Load everything that is new, and report it in raw_stripe.load_report as the very last step.

    The warehouse is held open from the first question to the last row, so a second load is refused meanwhile.
    Raises a LoaderError; then no report is written, and the next load fetches again what is missing.
    """
    require_key(settings)
    connection = open_warehouse(settings.warehouse)
    try:
        begun, account = _begin(settings, connection)
        say(f"account {begun.account_id} ({mode(begun.is_live)}), server clock {begun.started_at.isoformat()}Z")
        if begun.after_crash:
            say("the last load did not end: every nested list is read again")
        if begun.is_upgrade:
            say("usage by billing period is new to this warehouse: every nested list is read again, once")
        customers = set[str]()
        metered, periods = Metered(customers), Periods(customers, _lines_since(begun))
        watches: dict[str, list[Watch]] = {
            "meters": [metered.see_meter],
            "prices": [periods.see_price],
            "subscriptions": [metered.see_subscription, periods.see_subscription],
            "invoices": [periods.see_invoice],
        }
        listed = {"customers": customers}
        kinds = {
            kind.table: read_kind(begun, kind, listed.get(kind.table, set()), watches.get(kind.table, []))
            for kind in KINDS
        }
        steps = {
            ACCOUNT.table: read_account(begun, account),
            **kinds,
            BALANCES.table: read_balances(begun, customers),
            EVENTS.table: read_events(begun),
            USAGE: read_usage(begun, metered, say),
            PERIODS: read_periods(begun, periods, say),
        }
        append = _appender(settings, connection, begun)
        append({name: _told(begun, batches, say) for name, batches in steps.items()})
        append({REPORT: iter([(REPORT, _report(begun, metered, periods))])})
        _unfinished(settings).unlink()
        return Loaded(begun.account_id, f"{begun.started_at.isoformat()}Z", len(customers), begun.tallies)
    finally:
        connection.close()


def _begin(settings: Settings, connection: duckdb.DuckDBPyConnection) -> tuple[Load, bytes]:
    """Ask whose key this is, refuse another account's, and leave the mark that a load is under way."""
    reader, tally, warehouse = Reader(settings), Tally(), Warehouse(connection)
    account = reader.get(ACCOUNT.path, {}, tally)
    if account is None:
        raise AccessDenied(f"{ACCOUNT.path} answered 404, so it is unknown whose data this is; check STRIPE_API_BASE.")
    account_id = head_of(account, ACCOUNT.path)[0].id
    warehouse.check_account(account_id, settings.is_live)
    now, last = reader.server_now, warehouse.last_stamp()
    stamp = now if last is None else max(now, last + timedelta(microseconds=1))
    mark = _unfinished(settings)
    after_crash = mark.exists()
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        raise explain(mark, error) from error
    is_upgrade = "load_report" in warehouse.tables and PERIODS not in warehouse.tables
    tallies = {ACCOUNT.table: tally}
    begun = Load(reader, warehouse, account_id, settings.is_live, now, stamp, after_crash, is_upgrade, tallies)
    return begun, account


def _lines_since(begun: Load) -> datetime | None:
    """From when on an invoice's lines may bill a period that no finished load has seen; None: any may."""
    covered = begun.warehouse.covered_until().values()
    return None if begun.rereads or not covered else min(covered) - TRAILING


def _unfinished(settings: Settings) -> Path:
    """A file that is there from the start of a load to its end, so that the next one knows of a killed one."""
    return settings.dlt / "load.unfinished"


def _told(begun: Load, batches: Iterator[Batch], say: Say) -> Iterator[Batch]:
    """The same batches; at their end one line per table."""
    start, tables = time.monotonic(), dict[str, None]()
    for table, rows in batches:
        tables[table] = None
        yield table, rows
    seconds = time.monotonic() - start
    for table in tables:
        done = begun.tally(table)
        say(f"{table}: {done.rows_read} read, {done.rows_appended} appended, {done.requests} requests, {seconds:.1f} s")


def _report(begun: Load, metered: Metered, periods: Periods) -> pa.Table:
    """One row per table, and for usage one per active meter, which says how far it is covered."""
    ended = begun.reader.server_now
    # By this machine's clock: the sandbox's may stand still, and ids of later runs must sort after earlier ones.
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{uuid.uuid4().hex[:8]}"

    def row(kind: str, meter: str | None, done: Tally, covered: object) -> tuple[Any, ...]:
        counts = (done.rows_read, done.rows_appended, done.requests)
        times = (covered, begun.started_at, begun.started_at, ended)
        return (begun.account_id, run_id, kind, meter, *counts, *times, begun.is_live)

    rows = [row(kind, None, done, None) for kind, done in begun.tallies.items() if kind not in {USAGE, PERIODS}]
    until = end_of_cover(begun)
    for meter in sorted(metered.active_meters):
        rows.append(row("meter_usage", meter, metered.tally(meter), until))
        rows.append(row("meter_usage_periods", meter, periods.tally(meter), until))
    return table_of(REPORT_SCHEMA, rows)


def _appender(
    settings: Settings, connection: duckdb.DuckDBPyConnection, begun: Load
) -> Callable[[dict[str, Iterator[Batch]]], None]:
    """A function that appends batches through dlt, one resource per name, in order; each call is a load package.

    What a killed load left in dlt's folder is dropped, packages half loaded included: their rows are fetched again,
    what did land is known by its hash, and dlt finds its schema in the warehouse. dlt is imported here because that
    takes more than a second.
    """
    existing = begun.warehouse.tables
    if begun.after_crash:
        shutil.rmtree(settings.dlt / PIPELINE, ignore_errors=True)
    os.environ.update({name: value for name, value in DLT_SETTINGS.items() if name not in os.environ})
    import dlt

    pipeline = dlt.pipeline(
        PIPELINE,
        destination=dlt.destinations.duckdb(connection),
        dataset_name=SCHEMA,
        pipelines_dir=str(settings.dlt),
    )

    def rows(batches: Iterator[Batch]) -> Iterator[Any]:
        hinted = set()
        for table, arrow in batches:
            if not arrow.num_rows and table in existing:
                continue
            if table in hinted:
                yield dlt.mark.with_table_name(arrow, table)
                continue
            hinted.add(table)
            # Unless told so, dlt makes every timestamp one with a zone.
            columns = [{"name": field.name, "timezone": False} for field in arrow.schema if field.type == STAMP]
            hints = dlt.mark.make_hints(table_name=table, write_disposition="append", columns=columns)
            yield dlt.mark.with_hints(arrow, hints, create_table_variant=True)

    def append(steps: dict[str, Iterator[Batch]]) -> None:
        resources = [
            dlt.resource(rows(batches), name=name, write_disposition="append") for name, batches in steps.items()
        ]
        try:
            pipeline.run(dlt.source(lambda: resources, name="stripe")())
        except Exception as error:
            raise _cause(settings, error) from error

    return append


def _cause(settings: Settings, error: BaseException) -> LoaderError | KeyboardInterrupt:
    """What dlt wrapped: a refusal of ours or Ctrl-C as it was, else DuckDB's or dlt's own words in one sentence."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, LoaderError | KeyboardInterrupt):
            return inner
        if isinstance(inner, duckdb.Error | OSError):
            return explain(settings.warehouse, inner)
        root, inner = inner, inner.__cause__ or inner.__context__
    said = str(root).splitlines() or ["it gave no reason"]
    return WarehouseFailed(
        f"dlt could not land the rows ({type(root).__name__}: {said[0]}); "
        f"run the load again, and if it repeats remove {settings.dlt}: it holds nothing that is not loaded again."
    )
