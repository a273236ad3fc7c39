"""The value proof: what recommendations said they are worth over three months, against what they brought in.

For each seed a company of the sandbox goes through the whole loop, its recommendations are valued over MONTHS months,
all of them are carried out in one of two twins, and DAYS days later the twins' bills are compared. The sum of the
expected values, in one currency, has to have the realised sum inside its 80 % band.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from tests.benches.advice.twins import Bill, Twin, carry_out, clock_of, outcome, pass_time, twin
from tests.benches.measure import run
from tests.commands import DBT_AT, ROOT

CUSTOMERS, MONTHS_OF_HISTORY = 80, 14
SEEDS = tuple(range(101, 111))  # none of them is the default company's
MONTHS, DAYS = 3, 92
REPORTING = "usd"
# Decisions, notes and warnings: nothing that a bill shows by itself.
APART = {"retry_payment", "payment_plan", "invoice_note", "usage_alert"}
DRAFT = "customer_message"
SEEDS_FOLDER = ROOT / "dbt_project" / "seeds"
ASKED = (
    "recommendation_id, kind, customer_id, currency, amount_minor, is_held_back, expected_value_minor,"
    " expected_value_low_minor, expected_value_high_minor, confidence, risk_score, evidence, params"
)
BOUNDS = ("low", "high")
Row = dict[str, Any]


def prepared(folder: Path, seed: int) -> Path:
    """A state folder after one whole run of the loop; one that is there already is taken as it is."""
    data = folder / str(seed)
    if not (data / "last_run.json").exists():
        run(
            data,
            "sandbox",
            "seed",
            "--seed",
            str(seed),
            "--customers",
            str(CUSTOMERS),
            "--months",
            str(MONTHS_OF_HISTORY),
        )
        run(data, "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "run")
    return data


def valued(data: Path) -> list[Row]:
    """Build recommendations whose value is counted over MONTHS, publish them, and read them."""
    told = json.dumps({"value_months": MONTHS})
    dbt = ("dbt.cli.main", "--no-use-colors", "build", *DBT_AT, "--vars", told, "--exclude-resource-type", "test")
    run(data, *dbt, "--select", "tag:after_ml,+recommendations", "resource_type:seed")
    run(data, "dlt_pipelines", "publish")
    with duckdb.connect(str(data / "published" / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(f"select {ASKED} from marts.recommendations order by recommendation_id")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def realised(rows: list[Row], treated: Twin, untreated: Twin) -> None:
    """Give each row `realised_minor`: what the treated customer brought in more than its twin.

    A customer's difference is shared evenly by its actions. Retrying a payment changes what is collected, not what is
    billed: there the invoice's own payments count. A message, a note or an alert is told apart and worth nothing here.
    """
    sharing = Counter(row["customer_id"] for row in rows if row["kind"] not in APART)
    for row in rows:
        customer = row["customer_id"]
        if row["kind"] == "retry_payment":
            name = json.loads(row["params"])["invoice"]
            row["realised_minor"] = treated.paid.get(name, 0) - untreated.paid.get(name, 0)
        elif row["kind"] in APART:
            row["realised_minor"] = 0
        else:
            both = [twin.bills.get(customer, Bill()).value for twin in (treated, untreated)]
            row["realised_minor"] = (both[0] - both[1]) / sharing[customer]
        row["is_alive"], row["twin_is_alive"] = (
            twin.bills.get(customer, Bill()).is_alive for twin in (treated, untreated)
        )


def combined(rows: Iterable[Row], rate: dict[str, float], common: set[str]) -> tuple[float, float, float]:
    """(value, low, high) of a sum in major units of the reporting currency, by the digest's rule.

    What a kind is assumed to do (`common`: the kinds with an effect; how leaving answers the bill of a plan move) is
    wrong for all its rows at once: that part of their bands adds up. All else, and the kinds among each other, err
    independently: squares add up. The evidence of a plan move says which part is which; the band of another kind with
    an effect is all the effect's.
    """
    value = 0.0
    together: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    alone = [0.0, 0.0]
    for row in rows:
        unit, expected = rate[row["currency"]], row["expected_value_minor"]
        told = json.loads(row["evidence"])
        value += unit * expected
        for side, (name, end) in enumerate((("low", min), ("high", max))):
            by = {
                part: unit * abs(expected - end(expected, *(told[f"with_{bound}_{part}_minor"] for bound in BOUNDS)))
                for part in ("effect", "usage")
                if "with_low_effect_minor" in told
            } or {
                "effect" if row["kind"] in common else "usage": unit
                * abs(expected - row[f"expected_value_{name}_minor"])
            }
            together[row["kind"]][side] += by.get("effect", 0.0)
            alone[side] = math.hypot(alone[side], by.get("usage", 0.0))
    low, high = (math.hypot(alone[side], *(kind[side] for kind in together.values())) for side in (0, 1))
    return value, value - low, value + high


def rates() -> dict[str, float]:
    """Major units of the reporting currency for one minor unit of a currency, by the last row of the seed fx_rates."""
    with (SEEDS_FOLDER / "currencies.csv").open() as file:
        exponent = {row["currency"]: int(row["minor_unit_exponent"]) for row in csv.DictReader(file)}
    with (SEEDS_FOLDER / "fx_rates.csv").open() as file:
        quoted = sorted(csv.DictReader(file), key=lambda row: row["date"])
    one = {REPORTING: 1.0}
    for row in quoted:
        if row["to_currency"] == REPORTING:
            one[row["from_currency"]] = float(row["rate"])
        elif row["from_currency"] == REPORTING:
            one[row["to_currency"]] = 1 / float(row["rate"])
    return {currency: rate / 10 ** exponent[currency] for currency, rate in one.items()}


def of_assumed_effect() -> set[str]:
    """Kinds whose value rests on an assumed effect (columns effect_low and effect_high of action_kinds)."""
    with (SEEDS_FOLDER / "action_kinds.csv").open() as file:
        return {row["kind"] for row in csv.DictReader(file) if row["effect_low"]}


def proved(data: Path, work: Path) -> list[Row]:
    """A row per recommendation that was carried out, with what its customer's twins differ in."""
    rows = valued(data)
    shutil.rmtree(work, ignore_errors=True)
    treated, untreated = twin(data, work / "treated"), twin(data, work / "untreated")
    since = clock_of(treated)
    carried = carry_out(treated)
    for reason, count in carried.left.items():
        print(f"  left out: {count} x {reason}")
    for name, end in carried.ends.items():
        if end != "done":
            print(f"  {end}: {name}: {carried.words[name]}")
    for one in (treated, untreated):
        pass_time(one, DAYS)
    # a message is a draft of another recommendation, with its evidence
    done = [row for row in rows if carried.ends.get(row["recommendation_id"]) == "done" and row["kind"] != DRAFT]
    realised(done, outcome(treated, since), outcome(untreated, since))
    return done


def value(folder: Path, seeds: Iterable[int] = SEEDS) -> dict[str, float]:
    """Figures of the proof; prints a line for each seed, and for each kind over all seeds."""
    rate, common = rates(), of_assumed_effect()
    figures: dict[str, float] = {}
    every: list[Row] = []
    hits = 0
    for seed in (seeds := list(seeds)):
        rows = proved(prepared(folder, seed), folder / f"twins-{seed}")
        expected, low, high = combined(rows, rate, common)
        brought = sum(rate[row["currency"]] * row["realised_minor"] for row in rows)
        hits += low <= brought <= high
        every += [row | {"seed": seed} for row in rows]
        print(f"seed {seed}: {said(len(rows), expected, low, high, brought)}", flush=True)
        figures |= {f"value_{seed}_expected_usd": round(expected), f"value_{seed}_realised_usd": round(brought)}
    for kind in sorted({row["kind"] for row in every}):
        mine = [row for row in every if row["kind"] == kind]
        brought = sum(rate[row["currency"]] * row["realised_minor"] for row in mine)
        print(f"{kind:<22} {said(len(mine), *combined(mine, rate, common), brought)}")
    (folder / "value.jsonl").write_text("".join(json.dumps(row, sort_keys=True, default=str) + "\n" for row in every))
    return {"value_seeds": len(seeds), "value_seeds_in_band": hits} | figures


def said(count: int, expected: float, low: float, high: float, brought: float) -> str:
    """One line: what was expected of `count` actions and what came."""
    verdict = "inside" if low <= brought <= high else "OUTSIDE"
    band = f"80 % band {low:,.0f} to {high:,.0f}"
    return f"{count} actions, expected {expected:,.0f} ({band}), came {brought:,.0f}: {verdict}"
