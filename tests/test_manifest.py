"""What dbt's manifest says of consumers, keys, metrics and personal columns (dbt-bouncer.yml has the rest)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dlt_pipelines.masking import MASKS, OF_A_CUSTOMER
from tests.commands import ROOT

Manifest = dict[str, Any]
METRICS = {
    "mrr", "committed_mrr", "metered_mrr", "arr", "nrr", "grr", "arpa", "churn_rate", "usage_revenue", "quota_share",
    "forecast_error",
}  # fmt: skip
# Texts whose names sound personal: each is tagged in its mart, or here with the reason why it holds nobody's name.
SOUNDS_PERSONAL = re.compile(
    r"name|mail|phone|address|description|memo|note|reason|comment|actor|number|text|coupon|example"
)
NOT_PERSONAL = {
    "actor_assurance": "of ours",
    "billing_reason": "Stripe's own list",
    "cancellation_reason": "Stripe's own list",
    "changed_text": "made from templates and features",
    "check_name": "of ours",
    "decline_reason": "a bank's, from Stripe's own list",
    "event_name": "of the catalogue, or what a usage log calls its events",
    "last_decline_reason": "the same",
    "meter_event_name": "of the catalogue",
    "model_name": "of ours",
    "product_name": "of the catalogue",
    **dict.fromkeys(
        ("amount_text", "change_text", "cost_text", "extra_text", "incident_excess_text"), "an amount in words"
    ),
    **dict.fromkeys(
        (
            "invoice_explanation_parts.name",
            "invoice_explanation_parts.previous_name",
            "usage_day_explanations.name",
        ),
        "a meter's or a product's, of the catalogue",
    ),
    "customer_messages.text_hash": "a digest",
    "price_experiment_assignments.reason": "one of a fixed list, in words from a template that names nobody",
    **dict.fromkeys(("reasons", "reason_1", "reason_2", "reason_3"), "made from templates and features"),
}


def of_layer(manifest: Manifest, *layers: str) -> dict[str, Any]:
    return {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1] in layers
    }


def read_by(manifest: Manifest, exposure: str) -> set[str]:
    """Names of the models that an exposure depends on."""
    return {
        key.split(".")[-1] for key in manifest["exposures"][f"exposure.meterwise.{exposure}"]["depends_on"]["nodes"]
    }


def consumer(exposure: Any) -> str:
    return str(exposure["config"]["meta"]["consumer"])


def test_every_mart_is_published(manifest: Manifest) -> None:
    assert read_by(manifest, "published_copy") == set(of_layer(manifest, "marts"))


def test_every_consumer_exists(manifest: Manifest) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for exposure in manifest["exposures"].values():
        name = consumer(exposure)
        assert name.removeprefix("make ") in targets if name.startswith("make ") else (ROOT / name).is_file(), name


@pytest.mark.parametrize("package", ["ml", "actions", "notebooks"])
def test_a_consumer_reads_what_its_exposures_say_and_nothing_else(manifest: Manifest, package: str) -> None:
    known = of_layer(manifest, "marts", "features")
    code = "\n".join(path.read_text() for end in ("py", "sql") for path in (ROOT / package).rglob(f"*.{end}"))
    read = {name for name in re.findall(r"\b(?:marts|features)\.([a-z_0-9]+)", code) if name in known}
    said = {
        name
        for exposure in manifest["exposures"].values()
        if consumer(exposure).startswith(f"{package}/")
        for name in read_by(manifest, exposure["name"])
    }
    assert said == read


def test_the_metrics_that_finance_asks_for_are_there_labelled_described_and_read_only_marts(manifest: Manifest) -> None:
    metrics = {metric["name"]: metric for metric in manifest["metrics"].values()}
    assert METRICS - set(metrics) == set()
    assert [name for name, metric in metrics.items() if not metric["label"] or len(metric["description"]) < 15] == []
    modelled = {
        parent.split(".")[-1]
        for model in manifest["semantic_models"].values()
        for parent in model["depends_on"]["nodes"]
    }
    assert modelled - set(of_layer(manifest, "marts")) == set()
    assert read_by(manifest, "metrics") == modelled


def test_the_account_is_in_every_key(manifest: Manifest) -> None:
    """Two accounts may be landed side by side one day, and ids of two accounts may be equal."""
    wrong = []
    for name, node in of_layer(manifest, "marts", "features").items():
        keys = [
            set(test["test_metadata"]["kwargs"]["columns"])
            for test in manifest["nodes"].values()
            if (test.get("test_metadata") or {}).get("name") == "is_key" and test["attached_node"] == node["unique_id"]
        ]
        if "account_id" in node["columns"] and not any("account_id" in key for key in keys):
            wrong.append(name)
    assert wrong == []


def test_columns_that_sound_personal_are_tagged_or_said_to_hold_nobodys_name(manifest: Manifest) -> None:
    forgotten = [
        f"{name}.{column}"
        for name, node in of_layer(manifest, "marts").items()
        for column, described in node["columns"].items()
        if described["data_type"] == "varchar"
        and SOUNDS_PERSONAL.search(column)
        and not {column, f"{name}.{column}"} & set(NOT_PERSONAL)
        and not described["config"]["meta"].get("pii")
    ]
    assert forgotten == []


def test_personal_columns_are_texts_that_the_publisher_knows_how_to_mask(manifest: Manifest) -> None:
    tagged = 0
    for name, node in of_layer(manifest, "marts").items():
        for column, described in node["columns"].items():
            meta = described["config"]["meta"]
            if not meta:
                continue
            tagged += 1
            assert set(meta) <= {"pii", "mask"}, (name, column)
            assert (meta["pii"], described["data_type"]) == (True, "varchar"), (name, column)
            assert meta.get("mask", "") in MASKS, (name, column)
            if meta.get("mask") in OF_A_CUSTOMER:
                assert {"account_id", "customer_id"} <= set(node["columns"]), (name, column)
    assert tagged > 5


def test_docs_are_one_page_with_every_mart_and_column_and_no_path_of_this_machine(
    documented: Path, manifest: Manifest
) -> None:
    page = (documented / "docs" / "index.html").read_text()
    for path in (documented, ROOT, Path.home()):
        assert str(path) + "/" not in page, path
    for name, node in of_layer(manifest, "marts", "features").items():
        assert f'"model.meterwise.{name}"' in page
        for column, described in node["columns"].items():
            assert "{{" not in described["description"]
            # as dbt writes it into the page
            assert f'"{column}": {{"name": "{column}", "description": {json.dumps(described["description"])}' in page
    assert 'src="http' not in page
