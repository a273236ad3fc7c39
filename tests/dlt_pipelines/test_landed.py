"""What is asked of the warehouse about landed versions, chunk by chunk, against the same worked out in Python."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_pipelines.landed import PARTS, Landed, Version, _stretches
from dlt_pipelines.warehouse import Warehouse, open_warehouse

DAY = datetime(2026, 11, 1)  # noqa: DTZ001 - UTC without zone, as in the warehouse
SETTLED = DAY + timedelta(days=1)

Row = tuple[int, int, bool, int]  # object, load (a day each), is_deleted, created; the hash is the row's place
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.booleans(), st.integers(0, 40)), max_size=14)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    opened = open_warehouse(tmp_path_factory.mktemp("landed") / "warehouse.duckdb")
    yield opened
    opened.close()


def landed(connection: duckdb.DuckDBPyConnection, rows: list[Row], is_prepared: bool) -> tuple[Landed, Landed]:
    """Parents and their children: object n has the child n, and every third object has no `created`."""
    columns = (
        "id varchar, version_hash varchar, created bigint, payload varchar, is_deleted boolean, loaded_at timestamp"
    )
    connection.execute("create schema if not exists raw_stripe")
    connection.execute(f"create or replace table raw_stripe.parents ({columns})")
    connection.execute(f"create or replace table raw_stripe.parts ({columns}, parent_id varchar)")
    for place, (number, load, is_deleted, _) in enumerate(rows):
        row = f"'{place}', %s, '{{\"place\": {place}}}', {is_deleted}, timestamp '{DAY + timedelta(days=load)}'"
        made = created(rows, number)
        connection.execute(
            f"insert into raw_stripe.parents values ('p{number}', {row % ('null' if made is None else made)})"
        )
        connection.execute(f"insert into raw_stripe.parts values ('c{number}', {row % 'null'}, 'p{number}')")
    warehouse = Warehouse(connection)
    parents, parts = Landed(warehouse, "parents", SETTLED), Landed(warehouse, "parts", SETTLED)
    if is_prepared:
        parents.prepare(least=0)
        parts.prepare("parents", least=0)
    return parents, parts


def created(rows: list[Row], number: int) -> int | None:
    """When object `number` was made: what its first row says, the same in every version."""
    return next(at for each, _, _, at in rows if each == number) if number % 3 else None


def newest(rows: list[Row]) -> dict[int, Version]:
    """Object → its newest version: the latest load's, of several the one landed last."""
    order = sorted(enumerate(rows), key=lambda each: (each[1][1], each[0]))
    return {number: Version(str(place), gone, load <= 1) for place, (number, load, gone, _) in order}


@pytest.mark.parametrize("is_prepared", [False, True])
@settings(max_examples=20, deadline=None)
@given(rows=ROWS, asked=st.sets(st.integers(0, 7)), listed=st.sets(st.integers(0, 5)))
def test_every_question_is_answered_with_newest_versions(
    connection: duckdb.DuckDBPyConnection, is_prepared: bool, rows: list[Row], asked: set[int], listed: set[int]
) -> None:
    parents, parts = landed(connection, rows, is_prepared)
    expected = {number: version for number, version in newest(rows).items() if number in asked}
    made = [created(rows, number) if number in expected else 7 for number in asked]
    ids = [f"p{number}" for number in asked]
    assert parents.versions(ids, made) == {f"p{number}": version for number, version in expected.items()}
    assert parents.versions(ids) == parents.versions(ids, made)
    children = {f"p{number}": {f"c{number}": version} for number, version in expected.items()}
    assert parts.children(ids, made) == parts.children(ids) == children

    parents.note_listed(f"p{number}" for number in listed)
    living = {number for number, version in newest(rows).items() if not version.is_deleted}
    assert parents.unlisted() == [f"p{number}" for number in sorted(living - listed)]
    place = "cast(json_extract_string(payload, '$.place') as integer)"
    even = {number for number in living if int(newest(rows)[number].hash) % 2 == 0}
    assert {each for each, _ in parents.where(f"{place} % 2 = 0 or false")} == {f"p{number}" for number in even}


@given(st.lists(st.integers(0, 10**6)))
def test_stretches_hold_every_moment_in_few_ranges(moments: list[int]) -> None:
    ranges = _stretches(moments)
    assert len(ranges) <= PARTS
    assert all(any(first <= at <= last for first, last in ranges) for at in moments)
    assert all(before[1] <= after[0] for before, after in pairwise(ranges))


def test_many_versions_are_compared_in_little_memory(tmp_path: Path) -> None:
    """As a whole re-read does: the copy, a chunk of six stretches, then what is not listed; DuckDB's share is 64 MB."""
    connection = open_warehouse(tmp_path / "warehouse.duckdb")
    connection.execute("set memory_limit = '64MB'")
    connection.execute("create schema raw_stripe")
    connection.execute(
        """
        create table raw_stripe.customers as
        select 'cus_' || md5(i::varchar) as id, md5(i::varchar) || md5('-' || i) as version_hash, i as created,
               '{}' as payload, false as is_deleted, timestamp '2026-11-01' as loaded_at
        from range(300_000) as numbers(i)
        order by i % 6, i
        """
    )
    customers = Landed(Warehouse(connection), "customers", SETTLED)
    customers.prepare()
    chunk = [at + stretch * 48_000 for stretch in range(6) for at in range(800)]
    ids = [str(each) for (each,) in connection.sql(f"select 'cus_' || md5(unnest({chunk})::varchar)").fetchall()]
    known = customers.versions(ids, chunk)
    assert len(known) == len(chunk)
    connection.execute("create temp table listed_customers as select id from raw_stripe.customers where created <> 5")
    assert customers.unlisted() == [ids[5]]
    connection.close()


def test_a_new_table_has_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    nothing: Any = Landed(Warehouse(connection), "nowhere", None)
    nothing.prepare(least=0)
    assert (nothing.versions(["a"], [1]), nothing.children(["a"], [1]), nothing.unlisted()) == ({}, {}, [])
