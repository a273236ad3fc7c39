"""Courtesy credits against the sandbox's truth: `python -m tests.benches.advice.credits`, or the group of bench-advice.

The truth of a credit is what the bill of each period was more by the true excess, rated by an oracle that shares no
code with the warehouse, less the share that Stripe's invoice took off as a discount. What is judged is every spike of
a company's whole history for which the rule as it stands would have given a credit, not only those of the last weeks,
of which a company has few.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from tests.benches.marks import Mark, table
from tests.benches.measure import run
from tests.benches.ml.companies import HERE, Company
from tests.benches.ml.stages import dbt, load_and_build
from tests.oracles.rating import rated_steps

# Not the seeds that the chance of a spike was fitted on (7 and 11, of the default company).
COMPANIES = (
    Company("default_12", 12, customers=120, months=14),
    Company("default_13", 13, customers=120, months=14),
    Company("growing_21", 21, "growing.toml", customers=120, months=14),
    Company("seasonal_22", 22, "seasonal.toml", customers=120, months=14),
)
NEAR = 0.1
MUST = {
    "credits_sum_to_truth": Mark(1 - NEAR, 1 + NEAR),
    "credits_within_a_tenth": Mark(least=0.8),
    "credits_real": Mark(least=0.85),
}
MODEL = "int_courtesy_credits_found"
KINDS = '"warehouse"."seeds"."action_kinds"'
Item = tuple[str, str]


@dataclass(frozen=True)
class Credit:
    """What the rule gives and what the truth says, capped alike; minor units, 0 for a spike that was none."""

    given: int
    true: int
    confidence: float

    @property
    def is_near(self) -> bool:
        return abs(self.given - self.true) <= NEAR * self.true


def credits(folder: Path) -> dict[str, float]:
    """Figures of each company, then of all together."""
    flat: dict[str, float] = {}
    everything: list[Credit] = []
    for company in COMPANIES:
        data = folder / company.name
        make(data, company)
        found = judged(data)
        shutil.rmtree(data)
        flat |= {f"credits_{company.name}_{name}": value for name, value in figures(found).items() if name in SHORT}
        everything += found
        print(f"{company.name}: done", flush=True)
    return flat | {f"credits_{name}": value for name, value in figures(everything).items()}


SHORT = ("given", "real", "within_a_tenth", "sum_to_truth")


def figures(found: Iterable[Credit]) -> dict[str, float]:
    """Counts, and shares from 0 to 1. sum_to_truth: all that was given over all that was owed, in minor units of
    whatever currency; in the real_ ones spikes that were none are left out.
    """
    rows = list(found)
    real = [one for one in rows if one.true]
    given, owed = sum(one.given for one in rows), sum(one.true for one in rows)
    return {
        "given": len(rows),
        "real": round(len(real) / max(len(rows), 1), 3),
        "within_a_tenth": round(sum(one.is_near for one in rows) / max(len(rows), 1), 3),
        "real_within_a_tenth": round(sum(one.is_near for one in real) / max(len(real), 1), 3),
        "median_of_ratio": round(median([one.given / one.true for one in real] or [1.0]), 3),
        "sum_to_truth": round(given / max(owed, 1), 3),
        "real_sum_to_truth": round(sum(one.given for one in real) / max(owed, 1), 3),
        "mean_confidence": round(sum(one.confidence for one in rows) / max(len(rows), 1), 3),
    }


def make(data: Path, company: Company) -> None:
    """The company with what a run knows of it before anybody is advised, and its truth beside it."""
    file = () if company.file is None else ("--company", str(HERE / "companies" / company.file))
    size = ("--customers", str(company.customers), "--months", str(company.months), "--seed", str(company.seed))
    run(data, "sandbox", "seed", *size, *file)
    load_and_build(data)
    run(data, "ml", "detect")
    dbt(data, "--select", f"+{MODEL},tag:after_ml")
    (data / "truth.json").write_text(run(data, "sandbox", "truth", "--json", "--table", "anomalies").printed)


def judged(data: Path, sql: str | None = None) -> list[Credit]:
    """The credits of the company's whole history. sql: of the model, if it is not what `data` was built with."""
    at = data / "dbt" / "compiled" / "meterwise" / "models"
    sql = sql or next(at.rglob(f"{MODEL}.sql")).read_text()
    truth = json.loads((data / "truth.json").read_text())["anomalies"]
    with duckdb.connect() as con:
        con.execute(f"attach '{data / 'warehouse.duckdb'}' as warehouse (read_only)")
        always = f"(select * replace (36500 as window_days) from {KINDS})"
        found = con.execute(
            "select customer_id, meter_id, subscription_item_id, started_on, ended_on, amount_minor, cap_minor, "
            f"confidence from ({sql.replace(KINDS, always)}) order by anomaly_id"
        ).fetchall()
        return [
            Credit(
                given, min(owed(con, item, excess_of(truth, (customer, meter), first, last)), cap), float(confidence)
            )
            for customer, meter, item, first, last, given, cap, confidence in found
        ]


def excess_of(truth: Iterable[Mapping[str, Any]], item: Item, first: date, last: date) -> dict[date, Decimal]:
    """The true excess of each day of an incident."""
    days: dict[date, Decimal] = defaultdict(Decimal)
    for row in truth:
        day = date.fromisoformat(row["date"])
        if (row["customer"], row["meter"]) == item and first <= day <= last and row["true_excess"] > 0:
            days[day] += Decimal(str(row["true_excess"]))
    return dict(days)


def owed(con: duckdb.DuckDBPyConnection, item: str, days: Mapping[date, Decimal]) -> int:
    """What the bills were more by these units, each period by its own price, after the discounts of its lines."""
    by_period: dict[Any, Decimal] = defaultdict(Decimal)
    bills: dict[Any, tuple[dict[str, Any], str, Decimal]] = {}
    discounts: dict[Any, float] = {}
    for day, units in days.items():
        row = con.execute(
            "select period_start, payload, periods.currency, periods.quantity, "
            "(select sum(discount_minor) / sum(amount_minor) from warehouse.marts.fct_invoice_lines as lines "
            "where lines.invoice_id = periods.invoice_id "
            "and lines.subscription_item_id = periods.subscription_item_id) from warehouse.marts.fct_usage_periods "
            "as periods inner join warehouse.raw_stripe.prices on prices.id = periods.price_id "
            "where subscription_item_id = ? and cast(period_start as date) <= ? "
            "order by period_start desc, loaded_at desc limit 1",
            [item, day],
        ).fetchone()
        if row is not None:
            by_period[row[0]] += units
            bills[row[0]], discounts[row[0]] = (json.loads(row[1]), row[2], row[3]), float(row[4] or 0)
    return sum(
        round((bill(bills[at], bills[at][2]) - bill(bills[at], bills[at][2] - more)) * (1 - discounts[at]))
        for at, more in by_period.items()
    )


def bill(terms: tuple[dict[str, Any], str, Decimal], quantity: Decimal) -> int:
    return sum(step.amount or 0 for step in rated_steps(terms[0], max(quantity, Decimal(0)), terms[1]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="meterwise-bench-") as made:
        print("\n".join(table(credits(Path(made)), MUST, {})))
    sys.exit(0)
