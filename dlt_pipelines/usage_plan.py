"""Which usage a load asks for: worked out in the warehouse from the objects that have landed, one row per request."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from dlt_pipelines import periods, usage_sql
from dlt_pipelines.context import Load
from dlt_pipelines.rows import CHILD_SCHEMA, KIND_SCHEMA, PERIOD_SCHEMA, REPORT_SCHEMA, USAGE_SCHEMA, table_of
from dlt_pipelines.stripe_api import PAGE
from dlt_pipelines.usage_reads import Found, Request
from dlt_pipelines.warehouse import SCHEMA

DAYS = "meter_usage_revisions"
HOURS = "meter_usage_hourly_revisions"
PERIODS = "meter_usage_period_revisions"
RAW = {
    "customers": KIND_SCHEMA,
    "prices": KIND_SCHEMA,
    "meters": KIND_SCHEMA,
    "subscriptions": KIND_SCHEMA,
    "invoices": KIND_SCHEMA,
    "subscription_items": CHILD_SCHEMA,
    "invoice_lines": CHILD_SCHEMA,
    "load_report": REPORT_SCHEMA,
    DAYS: USAGE_SCHEMA,
    HOURS: USAGE_SCHEMA,
    PERIODS: PERIOD_SCHEMA,
}
FOUND = pa.schema(
    [
        ("no", pa.int64()),
        ("started", pa.int64()),
        ("ended", pa.int64()),
        ("value", pa.decimal128(38, 12)),
    ]
)
NEVER = datetime(9999, 1, 1)  # noqa: DTZ001 - UTC without zone, as all times in the warehouse
STRETCH = 20_000  # rows of invoice lines that are opened at once, some 20 MB of JSON
CHUNK = 512  # requests whose answers are compared at once: up to 51,200 windows


class Plan:
    """The requests of one load, in temp tables of a cursor of its own, and what they find beside what had landed.

    The tables of requests are asked_days, asked_hours, asked_periods and asked_minutes; `asked` names one by its end.
    Memory does not grow with the history: DuckDB holds it, and requests leave it a chunk at a time.
    """

    def __init__(self, load: Load) -> None:
        self.until = load.started_at.replace(hour=0, minute=0, second=0, microsecond=0)
        self.is_whole = _is_whole(load)
        self._cursor = load.warehouse.connection.cursor()
        self._names = self._raw_tables()
        self._set_variables(load)
        self._run(usage_sql.COVER, usage_sql.METERS, usage_sql.DELETED, usage_sql.SUBSCRIPTIONS, usage_sql.ITEMS)
        self._run(usage_sql.PRICES)
        self._set("lines_from", self._rows(periods.LINES_FROM)[0][0])
        self._run(periods.NEWEST_LINES, periods.NO_LINES)
        for (stretch,) in self._rows("select distinct position // ? from newest_lines order by 1", [STRETCH]):
            self._run(periods.BILLED_LINES, first=stretch * STRETCH, last=(stretch + 1) * STRETCH - 1)
        self._run(periods.BILLED, usage_sql.PAIRS, periods.ASKED)
        self._run(usage_sql.SLICES, usage_sql.HELD, grain="day", starts="days_from", page=PAGE, revisions=DAYS)
        self._run(periods.HELD, asked="periods")
        if load.config.usage_grain == "hour":
            self._run(usage_sql.SLICES, usage_sql.HELD, grain="hour", starts="hours_from", page=PAGE, revisions=HOURS)
        else:
            self._run("create temp table asked_hours as from asked_days where false")
        self._run("create temp table shared_minutes (meter_id varchar, customer_id varchar, window_start timestamp)")

    def close(self) -> None:
        """Forget the plan; nothing of it is in the warehouse."""
        self._cursor.close()

    def count(self, asked: str, where: str = "true") -> int:
        """How many requests of a table fulfil a condition."""
        found: int = self._rows(f"select count(*) from asked_{asked} where {where}")[0][0]  # noqa: S608 - ours
        return found

    def pairs(self) -> int:
        """How many customers x meters are asked for."""
        query = "select count(*) from (select distinct meter_id, customer_id from asked_days)"
        found: int = self._rows(query)[0][0]
        return found

    def meters(self) -> list[str]:
        """The meters that take events, and those that anything is metered by."""
        query = (
            "select meter_id from active_meters union select meter_id from metered_prices"
            " union select meter_id from pairs order by meter_id"
        )
        return [meter for (meter,) in self._rows(query)]

    def requests(self, asked: str) -> Iterator[Request]:
        """The requests of a table in order, numbered from 0."""
        columns = "no, meter_id, customer_id, window_start, window_end, grain"
        query = f"select {columns} from asked_{asked} where no between ? and ? order by no"  # noqa: S608 - ours
        first = 0
        while rows := self._rows(query, [first, first + CHUNK - 1]):
            yield from (Request(*row) for row in rows)
            first += CHUNK

    def revised(self, asked: str, first: int, found: Sequence[Found], gone: Sequence[int]) -> pa.Table:
        """The revisions that one chunk of requests makes, in the columns of the table of revisions.

        first: number of the chunk's first request. found: what its requests listed. gone: the requests whose customer
        is gone, of whom what landed stays.
        """
        if gone:
            self._rows(f"delete from asked_{asked} where no in (select unnest(?))", [list(gone)])  # noqa: S608 - ours
        is_by_period = asked in ("periods", "minutes")
        query = (
            periods.REVISED.format(asked=asked)
            if is_by_period
            else usage_sql.REVISED.format(grain=asked.removesuffix("s"))
        )
        self._cursor.register("found", table_of(FOUND, found))
        try:
            revised: pa.Table = self._cursor.sql(query, params=[first, first + CHUNK - 1]).to_arrow_table()
        finally:
            self._cursor.unregister("found")
        return revised.cast(PERIOD_SCHEMA if is_by_period else USAGE_SCHEMA)

    def note_shared_minutes(self, first: int, found: Sequence[Found]) -> None:
        """Keep the minutes to ask for of a chunk of periods: of those whose bill is not for what was found."""
        used = {no: value for no, _, _, value in found}
        bills = (periods.Bill(*row) for row in self._rows(periods.BILLS, [first, first + CHUNK - 1]))
        differing = {bill for bill in bills if bill.no in used and not bill.stands_for(used[bill.no])}
        minutes = [(bill.no, minute) for bill in differing for minute in bill.shared_minutes()]
        if minutes:
            self._rows(
                "insert into shared_minutes select meter_id, customer_id, make_timestamp(minutes[2] * 1000000)"
                " from (select unnest(?::bigint[][]) as minutes) inner join asked_periods on minutes[1] = no",
                [[list(each) for each in minutes]],
            )

    def ask_shared_minutes(self) -> None:
        """Make requests of the minutes that were kept."""
        self._run(periods.SHARED)
        self._run(periods.HELD, asked="minutes")

    def _raw_tables(self) -> dict[str, str]:
        """Name of each raw table → what stands for it in a query: an empty one where it has not landed."""
        query = "select table_name from duckdb_tables() where database_name = current_database() and schema_name = ?"
        there = {name for (name,) in self._rows(query, [SCHEMA])}
        for name in RAW.keys() - there:
            self._cursor.register("columns", RAW[name].empty_table())
            self._rows(f"create temp table {name} as from columns")
            self._cursor.unregister("columns")
        return {name: f"{SCHEMA}.{name}" if name in there else f"temp.{name}" for name in RAW}

    def _set_variables(self, load: Load) -> None:
        last, config = load.cursors, load.config
        self._set("until", self.until)
        # without a finished load, all that landed before this one counts
        self._set("stamp", last.stamp or load.stamp - timedelta(microseconds=1))
        self._set("now", load.stamp)
        self._set("account_id", load.account_id)
        whole = last.usage_window_at or NEVER
        self._set("window_day", whole.replace(hour=0, minute=0, second=0, microsecond=0))
        self._set("recent_days", config.usage_recent_days)
        self._set("window_days", config.usage_window_days)
        self._set("is_whole", self.is_whole)

    def _set(self, variable: str, value: object) -> None:
        self._rows(f"set variable {variable} = $1", [value])

    def _run(self, *statements: str, **names: Any) -> None:
        for statement in statements:
            revisions = self._names[names["revisions"]] if "revisions" in names else ""
            self._rows(statement.format(**self._names | names | {"revisions": revisions, "newest": usage_sql.NEWEST}))

    def _rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._cursor.execute(query, parameters).fetchall()


def _is_whole(load: Load) -> bool:
    """Whether the whole window is due: never read, or not for so many hours of the server's clock."""
    last = load.cursors.usage_window_at
    return last is None or not timedelta(0) <= load.started_at - last < timedelta(hours=load.config.usage_window_hours)
