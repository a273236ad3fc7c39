"""Where a rule must be known in two places, the second copy is held equal to the first."""

from __future__ import annotations

import csv
import tomllib
from decimal import Decimal

import stripe

from actions.executors import EXECUTORS
from actions.policy import read_policy
from actions.text import money
from dlt_pipelines import stripe_api
from tests.commands import ROOT

SEEDS = ROOT / "dbt_project" / "seeds"


def seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_runner_writes_amounts_with_the_decimals_of_the_warehouses_currencies() -> None:
    """The runner starts without a warehouse, so it knows the commonest currencies itself; the rest it never guesses."""
    known = 0
    for row in seed("currencies"):
        text = money(1_234_567, row["currency"])
        if "minor units of" in text:
            continue
        known += 1
        decimals = len(text.partition(".")[2])
        assert decimals == int(row["minor_unit_exponent"]), row
    assert known > 30


def test_the_runner_never_gives_more_than_the_warehouse_recommends_at_most() -> None:
    policy = read_policy()
    for row in seed("action_caps"):
        case = {"kind": row["kind"], "currency": row["currency"]}
        cap = int(row["cap_minor"])
        assert policy.judge(case | {"amount_minor": cap}).denial is None, row
        assert policy.judge(case | {"amount_minor": cap + 1}).denial, row


def test_a_price_on_trial_keeps_the_margin_that_price_books_are_held_to() -> None:
    """A book below it is refused when it is planned, its price when it is applied; so is a margin that nobody knows."""
    [least] = [Decimal(row["value"]) for row in seed("price_rules") if row["rule"] == "min_margin"]
    for kind in ("price_test_assignment", "experiment_price"):
        case = {"kind": kind, "currency": "usd", "amount_minor": 0}
        assert read_policy().judge(case | {"margin": str(least)}).denial is None
        assert read_policy().judge(case | {"margin": str(least - Decimal("0.000001"))}).denial
        assert read_policy().judge(case | {"margin": None}).denial


def test_every_kind_of_action_has_an_executor_and_a_rule() -> None:
    kinds = {row["kind"] for row in seed("action_kinds")}
    assert {kind for executor in EXECUTORS for kind in executor.kinds} == kinds
    rules = tomllib.loads((ROOT / "actions" / "policy.toml").read_text())["rule"]
    # who has to agree to another phase is said under [promotion]
    assert {kind for rule in rules for kind in rule["when"]["kinds"]} == kinds - {"phase_change"}


def test_every_kind_that_is_recommended_may_be_carried_out() -> None:
    for row in seed("action_kinds"):
        case = {"kind": row["kind"], "currency": "usd", "amount_minor": 1, "margin": "1"}
        assert read_policy().judge(case).denial is None or row["kind"] == "phase_change", row


def test_the_loader_and_the_runner_speak_the_version_that_the_sdk_pins() -> None:
    assert stripe.api_version == stripe_api.API_VERSION
