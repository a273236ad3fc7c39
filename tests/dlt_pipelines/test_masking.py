"""Personal columns never reach the published copy unless asked for, and what is not described is not published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.errors import ColumnUnknown, ManifestUnusable
from dlt_pipelines.publish import publish
from dlt_pipelines.settings import Settings, read_settings
from tests.commands import module
from tests.dlt_pipelines.manifests import Meta, describe

PII: Meta = {"pii": True}
COLUMNS: dict[str, dict[str, Meta]] = {
    "people": {
        "account_id": None,
        "customer_id": None,
        "name": {"pii": True, "mask": "name"},
        "advice": {"pii": True, "mask": "sentence"},
        "memo": PII,
        "number": {"pii": True, "mask": "code"},
        "spent_minor": None,
    },
    "lines": {"line": None, "text": {"pii": True, "mask": "sentence"}},
    "odd": {"kind": {"pii": True, "mask": "of no known kind"}},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Four customers: Ada; one whose name is a letter; one without a name; one that is not in int_customer_names."""
    made = Settings(tmp_path)
    describe(made, COLUMNS)
    with duckdb.connect(str(made.warehouse)) as warehouse:
        warehouse.execute(
            """
            create schema marts; create schema intermediate;
            create table intermediate.int_as_of as select 'acct_1' as account_id, date '2026-10-01' as as_of;
            create table intermediate.int_customer_names as
                select 'acct_1' as account_id, * from (values
                    ('cus_000ada', 'Ada <b>', 'Ada b', 'customer …000ada'),
                    ('cus_000bee', 'a', 'a', 'customer …000bee'),
                    ('cus_noname', null, null, 'customer …noname')
                ) as names (customer_id, name, name_in_text, stand_in);
            create table marts.people as
                select 'acct_1' as account_id, * from (values
                    ('cus_000ada', 'Ada <b>', 'Ada b, who is Ada b, pays', 'for Ada', 'ADA-1', 1),
                    ('cus_000bee', 'a', 'a pays', null, 'ADA-1', 2),
                    ('cus_noname', null, 'cus_noname pays', '', null, 3),
                    ('cus_absent', 'Eve', 'Eve pays', 'Eve', 'EVE-1', 4),
                    (null, null, 'nobody pays', null, null, 5)
                ) as people (customer_id, name, advice, memo, number, spent_minor);
            create table marts.lines as select 1 as line, 'Ada pays' as text;
            create table marts.odd as select 'Ada' as kind;
            """
        )
    return made


def shown(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.published), read_only=True) as copy:
        return copy.execute(query).fetchall()


def test_each_kind_of_personal_column_has_its_stand_in_and_the_rest_is_as_it_was(settings: Settings) -> None:
    assert publish(settings).is_masked
    people = shown(settings, "select name, advice, memo, spent_minor from marts.people order by spent_minor")
    assert people == [
        ("customer …000ada", "customer …000ada, who is customer …000ada, pays", "withheld", 1),
        (
            "customer …000bee",
            "customer …000bee pcustomer …000beeys",
            None,
            2,
        ),  # clumsy, but nothing of the name is left
        (None, "cus_noname pays", "withheld", 3),
        ("withheld", "withheld", "withheld", 4),
        (None, "nobody pays", None, 5),
    ]
    numbers = [number for (number,) in shown(settings, "select number from marts.people order by spent_minor")]
    assert numbers[0] == numbers[1] != numbers[3]
    assert str(numbers[0]).startswith("withheld ")
    assert numbers[2] is None
    # a text about nobody in particular, and a mask that nobody knows
    assert shown(settings, "select text, kind from marts.lines, marts.odd") == [("withheld", "withheld")]
    assert shown(settings, "select is_masked from meta.publication") == [(True,)]


def test_types_and_row_counts_are_those_of_the_marts(settings: Settings) -> None:
    publish(settings)
    types = "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'marts' order by all"
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        assert shown(settings, types) == warehouse.execute(types).fetchall()
    assert shown(settings, "select * from meta.row_counts order by 1") == [("lines", 1), ("odd", 1), ("people", 5)]


def test_asked_for_personal_data_are_published_as_they_are(settings: Settings) -> None:
    assert read_settings({"METERWISE_PUBLISH_PII": "1"}).publish_personal
    assert not read_settings({"METERWISE_PUBLISH_PII": "0"}).publish_personal
    assert not publish(replace(settings, publish_personal=True)).is_masked
    assert ("Ada <b>", "ADA-1") in shown(settings, "select name, number from marts.people")


def test_a_column_that_the_manifest_does_not_know_is_refused_and_the_old_copy_stays(settings: Settings) -> None:
    publish(settings)
    before = settings.published.read_bytes()
    describe(settings, COLUMNS | {"odd": {}})
    for asked in (settings, replace(settings, publish_personal=True)):
        with pytest.raises(ColumnUnknown, match=r"marts\.odd has columns .* \(kind\)"):
            publish(asked)
    assert settings.published.read_bytes() == before


def test_without_a_manifest_nothing_is_published(settings: Settings) -> None:
    settings.dbt_manifest.write_text('{"nodes": {"model.a": {}}}')
    with pytest.raises(ManifestUnusable, match="KeyError"):
        publish(settings)
    settings.dbt_manifest.unlink()
    refused = module(settings.data, "dlt_pipelines", "publish")
    assert (refused.returncode, "run `dbt build`" in refused.stderr) == (1, True)
    assert not settings.published.exists()
