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
    "logged": {"account_id": None, "customer_id": {"pii": True, "mask": "customer"}},
    "examples": {"id": {"pii": True, "mask": "id"}},
    "odd": {"kind": {"pii": True, "mask": "of no known kind"}},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Five customers: Ada; one whose name is a letter; one without a name; one whose name the texts write with another
    code point for its é; one that is not in int_customer_names."""
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
                    ('cus_noname', null, null, 'customer …noname'),
                    ('cus_000zoe', 'Zoé', 'Zoé', 'customer …000zoe')
                ) as names (customer_id, name, name_in_text, stand_in);
            create table marts.people as
                select 'acct_1' as account_id, * from (values
                    ('cus_000ada', 'Ada <b>', 'To Ada b: pay "{soon}"', 'for Ada', 'ADA-1', 1),
                    ('cus_000bee', 'a', 'a pays', null, 'ADA-1', 2),
                    ('cus_noname', null, 'cus_noname pays', '', null, 3),
                    ('cus_absent', 'Eve', 'Eve pays', 'Eve', 'EVE-1', 4),
                    (null, null, 'nobody pays', null, null, 5),
                    ('cus_000zoe', 'Zoé', 'Zoe' || chr(769) || ' pays', null, null, 6)
                ) as people (customer_id, name, advice, memo, number, spent_minor);
            create table marts.lines as select 1 as line, 'Ada pays' as text;
            create table marts.logged as
                select 'acct_1' as account_id, unnest(['cus_000ada', 'eve@example.com']) as customer_id;
            create table marts.examples as
                select unnest(['cus_8NbAI0NigKR5Xc', 'mtr_test_61QzXabcdefgh12', 'ada_lovelace.csv', 'ADA-1']) as id;
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
        ("customer …000ada", 'To customer …000ada: pay "{soon}"', "withheld", 1),
        ("customer …000bee", "withheld", None, 2),  # replaced in "pays" too, it would be plain to see
        (None, "cus_noname pays", "withheld", 3),
        ("withheld", "withheld", "withheld", 4),
        (None, "nobody pays", None, 5),
        ("customer …000zoe", "withheld", None, 6),
    ]
    numbers = [number for (number,) in shown(settings, "select number from marts.people order by spent_minor")]
    assert numbers[0] == numbers[1] != numbers[3]
    assert str(numbers[0]).startswith("withheld ")
    assert numbers[2] is None
    # a text about nobody in particular, and a mask that nobody knows
    assert shown(settings, "select text, kind from marts.lines, marts.odd") == [("withheld", "withheld")]
    assert shown(settings, "select is_masked from meta.publication") == [(True,)]


def test_only_customers_whom_stripe_knows_are_named_by_their_ids(settings: Settings) -> None:
    publish(settings)
    known, unknown = [str(one) for (one,) in shown(settings, "select customer_id from marts.logged order by 1")]
    assert known == "cus_000ada"
    assert unknown.startswith("withheld ")


def test_ids_that_stripe_made_up_stay_and_what_somebody_typed_does_not(settings: Settings) -> None:
    publish(settings)
    ids = [str(one) for (one,) in shown(settings, "select id from marts.examples")]
    assert ids[:2] == ["cus_8NbAI0NigKR5Xc", "mtr_test_61QzXabcdefgh12"]
    assert all(one.startswith("withheld ") for one in ids[2:])


def test_types_and_row_counts_are_those_of_the_marts(settings: Settings) -> None:
    publish(settings)
    types = "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'marts' order by all"
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        assert shown(settings, types) == warehouse.execute(types).fetchall()
    assert shown(settings, "select * from meta.row_counts order by 1") == [
        ("examples", 4),
        ("lines", 1),
        ("logged", 2),
        ("odd", 1),
        ("people", 6),
    ]


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
