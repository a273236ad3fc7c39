"""The staging contract as written: every column named and typed, every field one of Stripe's, and the page in step."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from dlt_pipelines.stripe_api import KINDS
from tests.commands import ROOT
from tests.dbt_project.raw import TABLES
from tests.oracles import sdk_fields, staging_contract

STAGING = ROOT / "dbt_project" / "models" / "staging" / "stripe"
MODELS = {model["name"]: model for room in staging_contract.rooms().values() for model in room}
# Raw tables and what their objects are called; events carry any object, so theirs is not looked into.
OBJECTS = {kind.table: kind.object for kind in KINDS} | {
    "accounts": "account",
    "subscription_items": "subscription_item",
    "invoice_lines": "line_item",
    "invoice_payments": "invoice_payment",
    "credit_note_lines": "credit_note_line_item",
    "quote_lines": "item",
    "quote_upfront_lines": "item",
    "customer_balance_transactions": "customer_balance_transaction",
}


def structure(model: str) -> dict[str, Any]:
    """What a model unpacks of its payload; empty for one that unpacks none."""
    found = re.search(r"{% set structure = ({.*?}) %}", (STAGING / f"{model}.sql").read_text(), flags=re.DOTALL)
    return dict(ast.literal_eval(re.sub(r"'\s*~\s*'", "", found[1]))) if found else {}


def test_the_page_says_what_the_yaml_says() -> None:
    """If it does not: python -m tests.oracles.staging_contract."""
    assert staging_contract.PAGE.read_text() == staging_contract.page()


def test_every_model_is_in_the_contract_with_each_column_typed_and_described() -> None:
    assert sorted(MODELS) == sorted(path.stem for path in STAGING.glob("*.sql"))
    project = staging_contract.read(ROOT / "dbt_project" / "dbt_project.yml")
    assert project["models"]["meterwise"]["staging"]["stripe"]["+contract"] == {"enforced": True}
    columns = [(name, column) for name, model in MODELS.items() for column in model["columns"]]
    assert [(name, column) for name, column in columns if not column["data_type"] or not column["description"]] == []
    assert [name for name, model in MODELS.items() if not model["description"].strip().startswith("One row per")] == []


def test_every_table_has_a_tested_key_and_only_the_views_of_history_have_none() -> None:
    tests = {name: model.get("data_tests", []) for name, model in MODELS.items()}
    keyless = {name for name, found in tests.items() if not any("is_key" in test for test in found)}
    assert keyless == {"stg_stripe__versions", "stg_stripe__meter_usage_versions"}


def test_a_model_of_objects_is_incremental_by_the_key_that_it_is_tested_for() -> None:
    for name, model in MODELS.items():
        text = (STAGING / f"{name}.sql").read_text()
        if "latest_versions(" not in text:
            continue
        [key] = [test["is_key"]["arguments"]["columns"] for test in model["data_tests"] if "is_key" in test]
        [replaced] = re.findall(r"{{ incremental_by_version\('(\w+)'\) }}", text)
        [compared] = re.findall(r"latest_versions\(\s*source\('stripe', '\w+'\), structure, '(\w+)'", text)
        assert list(dict.fromkeys(["account_id", replaced])) == key, name
        assert compared == replaced, name
        assert text.index("fields(structure)") < text.index("latest_versions("), name


def test_no_field_is_hidden_behind_a_method_of_the_mapping_that_macro_fields_gives() -> None:
    """`object.items` in Jinja is the method of that name; inside a list it is no matter, a list is one expression."""

    def names(shape: Any) -> set[str]:
        return set().union(shape, *map(names, shape.values())) if isinstance(shape, dict) else set()

    assert {name: hidden for name in MODELS if (hidden := names(structure(name)) & set(dir(dict)))} == {}


def test_every_raw_table_that_a_load_leaves_is_a_source_and_has_a_model() -> None:
    [source] = staging_contract.read(STAGING / "_stripe__sources.yml")["sources"]
    assert sorted(table["name"] for table in source["tables"]) == sorted(TABLES)
    models = "".join(path.read_text() for path in STAGING.glob("*.sql"))
    read = set(re.findall(r"source\('stripe', '(\w+)'\)", models))
    assert read == set(TABLES)


def test_money_has_its_currency_beside_it_and_names_say_what_a_column_is() -> None:
    for name, model in MODELS.items():
        types = {column["name"]: column["data_type"] for column in model["columns"]}
        money = [column for column in types if column.endswith("_minor")]
        assert all(types[column] == "bigint" for column in money), name
        # a credit note's lines have no currency at Stripe either: the note has
        has_currency = any(column.endswith("currency") for column in types) or name == "stg_stripe__credit_note_lines"
        assert has_currency or not money, name
        assert all(types[column] == "timestamp" for column in types if column.endswith("_at")), name
        assert all(types[column] == "boolean" for column in types if column.startswith(("is_", "has_"))), name


@pytest.mark.parametrize("table", sorted(OBJECTS))
def test_every_field_that_is_read_is_one_of_stripes_and_of_its_type(table: str) -> None:
    fields = structure(f"stg_stripe__{table}")
    assert fields
    assert sdk_fields.differences(fields, OBJECTS[table]) == []


def test_a_field_that_stripe_does_not_have_would_be_told() -> None:
    wrong = {"amount": "BIGINT", "amuont": "BIGINT", "status": "BIGINT", "outcome": {"kind": "VARCHAR"}}
    told = ["charge.amuont", "charge.status is not BIGINT", "charge.outcome.kind"]
    assert sdk_fields.differences(wrong, "charge") == told
