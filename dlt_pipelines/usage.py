"""Metered usage by day, hour and billing period, read from event summaries; a changed window appends a revision."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from dlt_pipelines.context import Batch, Load
from dlt_pipelines.periods import SO_FAR
from dlt_pipelines.rows import PERIOD_SCHEMA, USAGE_SCHEMA, Tally
from dlt_pipelines.stripe_api import SUMMARIES
from dlt_pipelines.usage_plan import CHUNK, DAYS, HOURS, PERIODS, Plan
from dlt_pipelines.usage_reads import Found, Request, in_parallel, read_windows

__all__ = ["DAYS", "HOURS", "PERIODS", "MeteredUsage"]

BY_DAY, BY_PERIOD = "meter_usage", "meter_usage_periods"  # kinds in the load report
Covered = tuple[str, str, Tally, datetime | None]  # kind, meter, its counts, the end of what was read


@dataclass
class MeterTally(Tally):
    """The counts of one meter, which count for its table as well."""

    table: Tally = field(default_factory=Tally)

    def asked(self, retries: int = 0) -> None:
        """One more request went out, or one more try of it."""
        super().asked(retries)
        self.table.asked(retries)

    def note(self, problem: str, example: str = "") -> None:
        """Count one problem of `problems.PROBLEMS`."""
        super().note(problem, example)
        self.table.note(problem, example)

    def count(self, read: int = 0, appended: int = 0) -> None:
        """Rows of this meter that were read, and appended."""
        for tally in (self, self.table):
            tally.rows_read += read
            tally.rows_appended += appended


class MeteredUsage:
    """The usage of one load. Nothing is asked, of Stripe or of the warehouse, before the first reader starts.

    Days and periods up to the start of the server's current UTC day. A pair of meter and customer that never landed is
    read from its subscription's start; others their last `usage_recent_days`, and once in `usage_window_hours` the
    last `usage_window_days`, counted from what was covered, however long ago that was. A period that is over is read
    at once and again as its days are; the running one with every load.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._plan: Plan | None = None
        self._meters: list[str] = []
        self._gone: set[tuple[str, str]] = set()
        self._tallies: dict[tuple[str, str], MeterTally] = {}
        self._ended: set[str] = set()

    @property
    def is_whole(self) -> bool:
        """Whether the whole window has been read."""
        return self._plan is not None and self._plan.is_whole and DAYS in self._ended

    def read_days(self) -> Iterator[Batch]:
        """Revisions of usage by UTC day."""
        yield DAYS, USAGE_SCHEMA.empty_table()
        yield from self._read(DAYS, "days")

    def read_hours(self) -> Iterator[Batch]:
        """Revisions of usage by hour of the recent days, where `usage_grain` asks for hours."""
        yield HOURS, USAGE_SCHEMA.empty_table()
        yield from self._read(HOURS, "hours")

    def read_periods(self) -> Iterator[Batch]:
        """Revisions of usage by billing period, and of the minutes that periods share where a bill differs."""
        yield PERIODS, PERIOD_SCHEMA.empty_table()
        plan = self._planned()
        yield from self._read(PERIODS, "periods", plan.note_shared_minutes)
        self._ended.discard(PERIODS)
        plan.ask_shared_minutes()
        yield from self._read(PERIODS, "minutes")

    def report(self) -> list[Covered]:
        """One row per meter of what was read to its end, by day and by period, and how far that covers it."""
        kinds = [(kind, table) for kind, table in ((BY_DAY, DAYS), (BY_PERIOD, PERIODS)) if table in self._ended]
        if not self._plan or not kinds:
            return []
        until = self._plan.until
        return [(kind, meter, self._tally(table, meter), until) for meter in self._meters for kind, table in kinds]

    def close(self) -> None:
        """Drop the plan."""
        if self._plan:
            self._plan.close()

    def _planned(self) -> Plan:
        """The plan, made when first needed, and the estimate said."""
        if self._plan is None:
            self._plan = Plan(self._load)
            self._meters = self._plan.meters()
            self._load.say(estimate(self._plan, self._load.reader.rate(SUMMARIES)))
        return self._plan

    def _tally(self, table: str, meter: str) -> MeterTally:
        whole = self._load.tally(table)
        return self._tallies.setdefault((table, meter), MeterTally(how=whole.how, table=whole))

    def _read(
        self, table: str, asked: str, look: Callable[[int, list[Found]], None] = lambda first, found: None
    ) -> Iterator[Batch]:
        """Revisions that the requests of one table of the plan make; `look` is shown what each chunk of them found."""
        plan, whole = self._planned(), self._load.tally(table)
        whole.how = "window" if plan.is_whole else "recent"
        self._load.progress.update(table, whole)
        left = plan.count(asked)
        found: list[Found] = []
        gone: list[int] = []

        def ask(request: Request) -> tuple[Request, list[Found] | None]:
            pair = (request.meter, request.customer)
            if pair in self._gone:
                return request, None
            return request, read_windows(self._load.reader, request, self._tally(table, request.meter))

        workers, stop = self._load.config.workers, self._load.reader.stop
        for request, windows in in_parallel(ask, plan.requests(asked), workers, stop):
            left -= 1
            if windows is None:
                gone.append(request.no)
                self._note_gone(table, request)
            else:
                found += windows
                self._tally(table, request.meter).count(read=len(windows))
            self._load.progress.update(table, whole)
            if request.no % CHUNK == CHUNK - 1 or not left:
                first = request.no - request.no % CHUNK
                revised = plan.revised(asked, first, found, gone)
                self._count_appended(table, revised)
                look(first, found)
                found, gone = [], []
                if revised.num_rows:
                    yield table, revised
        self._ended.add(table)

    def _note_gone(self, table: str, request: Request) -> None:
        """Stripe says nothing about a deleted customer: what landed stays, and no more is asked."""
        pair = (request.meter, request.customer)
        if pair not in self._gone:
            self._gone.add(pair)
            self._tally(table, request.meter).note("deleted_parent", request.customer)

    def _count_appended(self, table: str, revised: pa.Table) -> None:
        for meter, rows in Counter(revised["meter_id"].to_pylist()).items():
            self._tally(table, meter).count(appended=rows)


def estimate(plan: Plan, rate: float | None) -> str:
    """What the usage will cost, in one line.

    rate: requests/s that the account's limit leaves; None where nothing is paced. Only shared minutes come on top: at
    most two requests for each closed period, where its bill is not for what it used.
    """
    days, hours, closed_and_open = plan.count("days"), plan.count("hours"), plan.count("periods")
    running = plan.count("periods", f"grain = '{SO_FAR}'")
    closed = closed_and_open - running
    requests = days + hours + closed_and_open
    window = "the whole window" if plan.is_whole else "recent days"
    by_hour = f", {hours} for hours" if hours else ""
    bound = f", and up to {2 * closed} for minutes where a bill differs" if closed else ""
    pace = f"; about {_lasting(requests / rate)} at {rate:g} requests/s" if rate else ""
    return (
        f"usage, {window}: {plan.pairs()} customers x meters, {requests} requests: {days} for days{by_hour}, "
        f"{closed_and_open} for periods ({running} open, {closed} closed){bound}{pace}"
    )


def _lasting(seconds: float) -> str:
    """Seconds below two minutes, minutes above."""
    return f"{seconds:.2g} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
