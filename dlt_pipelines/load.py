"""One load: Stripe into schema raw_stripe through dlt, then its report."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from pathlib import Path

import duckdb

from dlt_pipelines import inbox
from dlt_pipelines.changes import Plan, plan_of, read_objects
from dlt_pipelines.client import Reader
from dlt_pipelines.config import Config, read_config
from dlt_pipelines.context import Batch, Load
from dlt_pipelines.crew import Crew
from dlt_pipelines.errors import LoaderError, PermissionMissing
from dlt_pipelines.events import News, read_events
from dlt_pipelines.exports.tables import ensure_tables as ensure_export_tables
from dlt_pipelines.landing import Landing
from dlt_pipelines.objects import read_account
from dlt_pipelines.permissions import all_missing, missing_permissions
from dlt_pipelines.problems import problem_lines
from dlt_pipelines.progress import Progress
from dlt_pipelines.report import PROBLEMS, REPORT, problem_rows, report_rows, run_id
from dlt_pipelines.rows import Tally, head_of
from dlt_pipelines.settings import Settings, require_key
from dlt_pipelines.state import Cursors, reading_list
from dlt_pipelines.stripe_api import ACCOUNT, EVENTS, KINDS
from dlt_pipelines.usage import DAYS, HOURS, PERIODS, MeteredUsage
from dlt_pipelines.usage_log.tables import ensure_tables as ensure_usage_tables
from dlt_pipelines.warehouse import Warehouse, explain, mode, open_warehouse


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


def load(settings: Settings, progress: Progress) -> Loaded:
    """Load everything that is new, and report it in raw_stripe.load_report as the very last step.

    Three packages of dlt: objects and events, usage (planned from the objects that have landed), then the report with
    the cursors of the next load. Only the last makes the load a finished one, whose rows staging shows.
    The warehouse is held open from the first question to the last row, so a second load is refused meanwhile.
    Raises a LoaderError; then no report is written, and the next load fetches again what is missing.
    """
    require_key(settings)
    connection = open_warehouse(settings.warehouse)
    try:
        ensure_usage_tables(connection)  # dbt reads these and those whether files were dropped in or not
        ensure_export_tables(connection)
        begun, account, landing, mark = _begin(settings, connection, progress)
        try:
            return _load(settings, begun, account, landing, mark)
        except LoaderError as error:
            _keep_problems(settings, connection, begun)
            if isinstance(error, PermissionMissing):
                raise _all_missing(begun.reader, begun.config, error) from error
            raise
    finally:
        progress.close()
        connection.close()


def _load(settings: Settings, begun: Load, account: bytes, landing: Landing, mark: Path) -> Loaded:
    news, usage = News(), MeteredUsage(begun)
    plans: list[Plan] = []
    try:
        # One resource, so that objects wait for the events whatever order dlt is told to take resources in.
        steps = (read_account(begun, account), read_events(begun, settings, news), _objects(begun, news, plans))
        landing.append({"objects": chain.from_iterable(steps)})
        _tell(begun, begun.tallies)
        before = set(begun.tallies)
        landing.append({DAYS: usage.read_days(), HOURS: usage.read_hours(), PERIODS: usage.read_periods()})
        _tell(begun, set(begun.tallies) - before)
        covered, is_whole = usage.report(), usage.is_whole
    finally:
        usage.close()
    run = run_id()
    rows = {
        REPORT: report_rows(begun, run, covered, begun.reader.server_now),
        PROBLEMS: problem_rows(begun, run),
    }
    landing.append(rows, _moved(begun, plans[0], news, is_whole))
    mark.unlink(missing_ok=True)
    inbox.mark_loaded(settings, news.from_inbox, begun.stamp)
    customers = Warehouse(begun.warehouse.connection).count("customers")
    return Loaded(begun.account_id, f"{begun.started_at.isoformat()}Z", customers, begun.tallies)


def _begin(
    settings: Settings, connection: duckdb.DuckDBPyConnection, progress: Progress
) -> tuple[Load, bytes, Landing, Path]:
    """Ask whose key this is, refuse another account's, and leave a mark that a load is under way until it ends."""
    config, warehouse, tally = read_config(), Warehouse(connection), Tally()
    reader = Reader(settings, share=config.rate_share, workers=config.workers)
    try:
        account = reader.agree_clock(tally)
    except PermissionMissing as refusal:
        raise _all_missing(reader, config, refusal) from refusal
    account_id, now = head_of(account, ACCOUNT.path).id, reader.server_now
    warehouse.check_account(account_id, settings.is_live)
    if others := inbox.remember_account(settings, account_id, settings.is_live):
        progress.said(f"{others} webhook events of another account or mode were dropped from the inbox")
    last = warehouse.last_stamp()
    stamp = now if last is None else max(now, last + timedelta(microseconds=1))
    mark = settings.dlt / "load.unfinished"
    is_torn = mark.exists()
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        raise explain(mark, error) from error
    landing = Landing(settings, connection, warehouse.tables, is_torn)
    progress.said(f"account {account_id} ({mode(settings.is_live)}), server clock {now.isoformat()}Z")
    if is_torn:
        progress.said("the last load did not end: what it landed is kept, and what it did not is read again")
    begun = Load(
        reader=reader,
        warehouse=warehouse,
        account_id=account_id,
        is_live=settings.is_live,
        started_at=now,
        stamp=stamp,
        config=config,
        cursors=landing.cursors(warehouse.finished()),
        progress=progress,
        tallies={ACCOUNT.table: tally},
    )
    return begun, account, landing, mark


def _objects(begun: Load, news: News, plans: list[Plan]) -> Iterator[Batch]:
    """Every kind, planned once the events have been read."""
    plan = plan_of(begun, news)
    plans.append(plan)
    yield from read_objects(begun, Crew(begun.config.workers, begun.reader.stop), plan, news)


def _all_missing(reader: Reader, config: Config, refusal: PermissionMissing) -> PermissionMissing:
    """A 403, whichever request met it first, told with all the permissions that the key lacks."""
    kinds = [kind for kind in (ACCOUNT, EVENTS, *KINDS) if kind.table not in config.skip]
    return all_missing(missing_permissions(reader.again(), kinds, Tally()) or [refusal.permission])


def _moved(begun: Load, plan: Plan, news: News, is_whole: bool) -> Cursors:
    """Where the next load goes on."""
    before, now = begun.cursors, begun.started_at
    whole = {table: now for table in plan.how if plan.compares_all(table)}
    newest = max(news.newest or 0, before.events_until or 0) or begun.started_second
    return replace(
        before,
        stamp=begun.stamp,
        read_at=now,
        events_until=min(newest, begun.started_second),  # an event dated ahead must not hide those that come before it
        whole_at={**before.whole_at, **whole},
        reread_at=now if plan.rereads else before.reread_at,
        usage_window_at=now if is_whole else before.usage_window_at,
        reading=reading_list(begun.config.skip),
    )


def _tell(begun: Load, tables: Iterable[str]) -> None:
    """One line per table of which anything was read, and one per problem."""
    for table in sorted(tables):
        tally = begun.tally(table)
        if tally.requests or tally.rows_read:
            begun.progress.done(table, tally)
        for line in problem_lines(table, tally):
            begun.say(line)


def _keep_problems(settings: Settings, connection: duckdb.DuckDBPyConnection, begun: Load) -> None:
    """Land what a load met that it did not survive. Of a load that failed nothing else is reported."""
    if any(tally.problems for tally in begun.tallies.values()):
        with suppress(LoaderError, duckdb.Error):  # what ended the load is what people are told
            landing = Landing(settings, connection, begun.warehouse.tables, torn=True)
            landing.append({PROBLEMS: problem_rows(begun, run_id(), is_fatal=True)})
