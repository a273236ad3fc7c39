"""Staging only what changed comes to the same as staging everything, whatever happens to the raw tables in between."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dbt_project.raw import ACCOUNT, LOADED_AT
from tests.dbt_project.staged_payloads import changed, whole

MODEL, RAW, REPORT = "stg_stripe__subscription_items", "raw_stripe.subscription_items", "raw_stripe.load_report"
KEY = "account_id, subscription_item_id"
TABLE = "account_id varchar, id varchar, version_hash varchar, created bigint, payload varchar, is_deleted boolean, "
ITEMS = ((ACCOUNT, "si_1"), (ACCOUNT, "si_2"), ("acct_other", "si_1"))
PARENTS = ("sub_1", "sub_2")
Step = Callable[[duckdb.DuckDBPyConnection], object]


class Versions:
    """What may happen between two runs of dbt, each as a function of a connection."""

    @staticmethod
    def land(item: tuple[str, str], parent: str, quantity: int, is_deleted: bool, hour: int, times: int) -> Step:
        """A row is appended `times` times, read at an hour of the day before or after what is finished."""
        payload = json.dumps({"id": item[1], "created": 1_770_000_000, "quantity": quantity})
        digest = hashlib.sha256(b"deleted" * is_deleted + payload.encode()).hexdigest()
        row = [*item, digest, 1_770_000_000, payload, is_deleted, False, _at(hour), parent]
        return lambda con: con.executemany(f"insert into {RAW} values (?, ?, ?, ?, ?, ?, ?, ?, ?)", [row] * times)

    @staticmethod
    def finish(hour: int) -> Step:
        """A load writes its report."""
        return lambda con: con.execute(f"insert into {REPORT} values (?)", [_at(hour)])

    @staticmethod
    def lose(hour: int) -> Step:
        """A backup of an earlier hour is restored: what landed later is gone, reports too."""
        return lambda con: [
            con.execute(f"delete from {table} where loaded_at > ?", [_at(hour)]) for table in (RAW, REPORT)
        ]

    @staticmethod
    def rebuild(seed: int) -> Step:
        """The raw table is loaded anew: one version per object, in another order, so that positions mean others."""
        newest = (
            f"select * from {RAW} qualify row_number() over (partition by account_id, id order by loaded_at desc) = 1"
        )
        return lambda con: con.execute(f"create or replace table {RAW} as {newest} order by hash(id || {seed})")


hours = st.integers(0, 4)
ends = st.builds(Versions.finish, st.integers(1, 4))
landings = st.builds(
    Versions.land,
    st.sampled_from(ITEMS),
    st.sampled_from(PARENTS),
    st.integers(1, 2),
    st.booleans(),
    hours,
    st.integers(1, 2),
)
accidents = st.one_of(st.builds(Versions.lose, hours), st.builds(Versions.rebuild, st.integers(0, 9)))
# landings, at times an accident, and mostly the report of a load: then dbt runs
loads = st.tuples(st.lists(landings, max_size=4), st.lists(accidents, max_size=1), st.lists(ends, max_size=1))
runs = st.lists(loads.map(lambda parts: [step for part in parts for step in part]), min_size=2, max_size=6)


def _at(hour: int) -> datetime:
    return LOADED_AT + timedelta(hours=hour)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse in memory, called as the file is."""
    with duckdb.connect() as opened:
        opened.execute("attach ':memory:' as warehouse")
        opened.execute("use warehouse")
        opened.execute("create schema raw_stripe")
        opened.execute("create schema staging")
        yield opened


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=runs)
def test_any_sequence_of_loads_and_runs_comes_to_the_same_as_building_all_at_the_end(
    con: duckdb.DuckDBPyConnection, staged: Path, runs: list[list[Step]]
) -> None:
    con.execute(f"create or replace table {RAW} ({TABLE} livemode boolean, loaded_at timestamp, parent_id varchar)")
    con.execute(f"create or replace table {REPORT} (loaded_at timestamp)")
    con.execute(f"create or replace table staging.{MODEL} as {whole(staged, MODEL)}")
    for happened in runs:
        for step in happened:
            step(con)
        _run_incrementally(con, changed(staged, MODEL))
        rows, expected = (
            con.execute(f"select * from ({query}) order by all").fetchall()
            for query in (f"from staging.{MODEL}", whole(staged, MODEL))
        )
        assert rows == expected
        # and a run right after it finds nothing to do
        assert con.execute(changed(staged, MODEL)).fetchall() == []


def _run_incrementally(con: duckdb.DuckDBPyConnection, query: str) -> None:
    """What dbt does by delete+insert, and the hook after it."""
    con.execute(f"create or replace temp table found as {query}")
    con.execute(f"delete from staging.{MODEL} where ({KEY}) in (select ({KEY}) from found)")
    con.execute(f"insert into staging.{MODEL} by name from found")
    con.execute(f"delete from staging.{MODEL} where version_hash is null")
