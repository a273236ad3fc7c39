"""A usage log beside Stripe's summaries: the sandbox's own record of events, with differences planted into it."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pytest

from tests.commands import dbt

MILLIONTHS = 1_000_000  # the sandbox keeps quantities as whole millionths
LOG = pa.schema(
    [
        ("customer", pa.string()),
        ("event_name", pa.string()),
        ("value", pa.decimal128(38, 12)),
        ("moment", pa.timestamp("us")),
    ]
)


class Event(NamedTuple):
    """One line of the log."""

    customer: str
    event_name: str
    value: Decimal
    moment: datetime

    @property
    def day(self) -> tuple[str, str, date]:
        """The row of the mart that it belongs to."""
        return self.customer, self.event_name, self.moment.date()


def _told(data: Path) -> tuple[list[Event], date]:
    """What the sandbox was told up to as_of, and that day; it is told once of each customer, meter and day."""
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        names = dict(con.execute("select meter_id, meter_event_name from staging.stg_stripe__meters").fetchall())
        [(as_of,)] = con.execute("select as_of from intermediate.int_as_of").fetchall()
    with sqlite3.connect(data / "sandbox" / "sandbox.sqlite") as sandbox:
        rows = sandbox.execute("select meter, customer, at, value from usage order by at, meter, customer").fetchall()
    events = [
        Event(customer, names[meter], Decimal(value) / MILLIONTHS, datetime.fromtimestamp(at, UTC).replace(tzinfo=None))
        for meter, customer, at, value in rows
    ]
    return [event for event in events if event.moment.date() <= as_of], as_of


def _write(data: Path, log: list[Event]) -> None:
    told = pa.Table.from_pylist([event._asdict() for event in log], schema=LOG)  # noqa: F841 - the query reads it
    with duckdb.connect(str(data / "warehouse.duckdb")) as con:
        con.execute(
            """
            insert into raw_usage.meter_events by position
            select as_of.account_id, 'event_' || row_number() over (), event_name, customer, value, moment, 1, moment
            from told, intermediate.int_as_of as as_of
            """
        )


Days = dict[tuple[str, str, date], str]


@pytest.fixture(scope="module")
def compared(modelled_company: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event], Days]:
    """The company beside a log of its events in two halves each, and the days planted wrong: to their status."""
    data = tmp_path_factory.mktemp("logged") / "data"
    shutil.copytree(modelled_company, data, ignore=shutil.ignore_patterns("dbt", "logs"))
    events, as_of = _told(data)
    old = [event for event in events if event.value > 1 and event.moment.date() < as_of - timedelta(days=60)]
    lost, more, other = old[100], old[200], old[300]
    recent = next(event for event in reversed(events) if event.value > 1)
    used = {event.day for event in events}
    idle = next(
        at
        for at in (other.moment + timedelta(days=n) for n in range(-300, 300))
        if (*other.day[:2], at.date()) not in used
    )
    wrong = {
        "differs": more._replace(value=Decimal("0.000001")),
        "missing_in_stripe": other._replace(moment=idle),
        "unknown_customer": other._replace(customer="cus_nobody"),
        "unknown_meter": other._replace(event_name="no_such_meter"),
        "waiting": recent,
    }
    halves = [event._replace(value=event.value / 2) for event in events if event is not lost]
    _write(data, [*halves, *halves, *wrong.values()])
    done = dbt(data, "run", "--select", "int_usage_logged", "fct_usage_reconciliation")
    assert done.returncode == 0, done.stdout
    return data, events, {event.day: status for status, event in wrong.items()} | {lost.day: "missing_in_log"}


def _rows(data: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def test_every_planted_difference_is_named_and_nothing_else_differs(compared: tuple[Path, list[Event], Days]) -> None:
    data, events, planted = compared

    found = _rows(data, "select customer_id, event_name, usage_date, status from marts.fct_usage_reconciliation")

    assert {(customer, name, day): status for customer, name, day, status in found if status != "matches"} == planted
    assert len(found) == len({event.day for event in events} | planted.keys())


def test_differences_sum_to_what_was_planted(compared: tuple[Path, list[Event], Days]) -> None:
    data, _, _ = compared

    assert _rows(
        data,
        "select count(*) from marts.fct_usage_reconciliation "
        "where coalesce(logged_quantity, 0) - coalesce(stripe_quantity, 0) != difference_quantity",
    ) == [(0,)]
    assert _rows(
        data, "select difference_quantity, event_count from marts.fct_usage_reconciliation where status = 'differs'"
    ) == [(Decimal("0.000001"), 3)]


def test_without_a_log_there_is_nothing_to_compare(modelled_company: Path) -> None:
    assert _rows(modelled_company, "select count(*) from marts.fct_usage_reconciliation") == [(0,)]
