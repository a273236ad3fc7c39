"""The load report: the last rows of a load, which make it a finished one, and what went wrong on the way."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from dlt_pipelines.context import Batch, Load
from dlt_pipelines.rows import PROBLEM_SCHEMA, REPORT_SCHEMA, Tally, table_of
from dlt_pipelines.usage import DAYS, PERIODS

REPORT, PROBLEMS = "load_report", "load_problems"
Covered = tuple[str, str, Tally, datetime | None]  # kind of usage, meter, its counts, end of what was read


def run_id() -> str:
    """An id whose order is that of the runs, by this machine's clock: the sandbox's may stand still."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{uuid.uuid4().hex[:8]}"


def report_rows(load: Load, run: str, usage: list[Covered], ended: datetime) -> Iterator[Batch]:
    """One row per table, and for usage one per meter, which says how far it is covered."""
    counted = [(kind, None, tally, None) for kind, tally in load.tallies.items() if kind not in (DAYS, PERIODS)]
    recorded = datetime.now(UTC).replace(tzinfo=None)

    def row(kind: str, meter: str | None, done: Tally, covered: datetime | None) -> tuple[Any, ...]:
        counts = (done.rows_read, done.rows_appended, done.requests, done.retries, sum(done.problems.values()))
        times = (covered, load.started_at, load.started_at, ended, load.stamp, recorded)
        return (load.account_id, run, kind, meter, done.how, *counts, *times, load.is_live)

    yield REPORT, table_of(REPORT_SCHEMA, [row(*each) for each in [*counted, *usage]])


def problem_rows(load: Load, run: str, is_fatal: bool = False) -> Iterator[Batch]:
    """One row per table and problem met; is_fatal: the load ended with it."""
    rows = [
        (load.account_id, run, kind, problem, count, tally.examples.get(problem) or None, is_fatal, load.stamp)
        for kind, tally in load.tallies.items()
        for problem, count in sorted(tally.problems.items())
    ]
    yield PROBLEMS, table_of(PROBLEM_SCHEMA, rows)
