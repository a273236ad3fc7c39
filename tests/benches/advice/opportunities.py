"""Whether the plan moves that are proposed are those that the sandbox's truth calls for. Run as a module.

A true opportunity for an upgrade is a customer with an active, not ending subscription of a plan that has a higher one,
and at least 28 days behind it, of whom one of these holds, by the TRUE expected API calls (`expected_usage` of
`python -m sandbox truth`: no noise, no passing anomaly), whether or not the seed planted it:
  near     they are at least 80 % of the included calls in the running billing period and in the last one;
  cheaper  the running period's would cost less on a higher plan: fee and graduated calls by the company's file, in a
           few lines of Python that share nothing with the warehouse's rating.
A downgrade is true where a lower plan costs less at the running period's truth. What is found is every customer with a
row of the kind in int_tier_upgrades_proposed or int_right_size_downgrades_proposed: before conflicts, hold-back and
cool-downs, which withhold good advice as well. Nothing was tuned to the seeds below.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.benches.marks import Mark, missed, table
from tests.benches.measure import run
from tests.commands import ROOT

HERE = Path(__file__).parent / "companies"
NEAR, SETTLED_DAYS = 0.8, 28
COMPANIES = (("default", 11, None), ("default", 12, None), ("default", 13, None),
             ("agencies", 21, HERE / "agencies.toml"), ("steep", 22, HERE / "steep.toml"))  # fmt: skip
MUST = {
    "opportunities_upgrade_recall": Mark(least=0.8),
    "opportunities_upgrade_precision": Mark(least=0.7),
    "opportunities_planted_recall": Mark(least=0.8),
}
PERIODS = """
    select
        subscriptions.customer_id,
        any_value(subscriptions.plan) as plan,
        any_value(subscriptions.currency) as currency,
        max(case when periods.is_open then periods.period_start end) as starts,
        max(case when periods.is_open then periods.period_end end) as ends,
        max(case when not periods.is_open then periods.period_start end) as last_starts,
        min(periods.period_start) as begins
    from marts.dim_subscriptions as subscriptions
    inner join marts.fct_usage_periods as periods using (account_id, subscription_id)
    inner join marts.dim_prices as prices using (account_id, price_id)
    where subscriptions.status = 'active' and not subscriptions.cancel_at_period_end
        and prices.meter_event_name = 'api_calls'
    group by subscriptions.customer_id
"""


@dataclass(frozen=True)
class Case:
    """One customer: what the truth calls for, and what was proposed."""

    customer: str
    is_near: bool
    is_cheaper: bool
    is_cheaper_below: bool
    is_planted: bool


def cost(plan: dict[str, Any], currency: str, calls: float) -> Decimal:
    """A month on a plan of the company's file, in minor units, not rounded."""
    total, lower = Decimal(plan["fee"][currency]), Decimal(plan["included"])
    quantity = Decimal(calls)
    for tier in plan["overage"]:
        upper = Decimal(tier["up_to"]) if "up_to" in tier else None
        top = quantity if upper is None else min(quantity, upper)
        total += max(top - lower, Decimal(0)) * Decimal(tier[currency])
        lower = upper if upper is not None else lower
    return total


def expected(row: dict[str, Any], starts: datetime, ends: datetime) -> float:
    """Expected units between two times; of a day that is cut, its share."""
    first = date.fromisoformat(row["start_date"])
    total = 0.0
    for number, value in enumerate(row["values"]):
        begins = datetime.combine(first + timedelta(days=number), datetime.min.time())
        seconds = (min(ends, begins + timedelta(days=1)) - max(starts, begins)).total_seconds()
        total += value * max(seconds, 0.0) / 86_400
    return total


def cases(company: dict[str, Any], truth: dict[str, Any], periods: Iterable[dict[str, Any]]) -> list[Case]:
    """Every customer who could be advised."""
    calls = {row["customer"]: row for row in truth["expected_usage"] if row["event_name"] == "api_calls"}
    planted = {row["customer"] for row in truth["customers"] if row["is_planted"]}
    found = []
    for period in periods:
        starts, last, row = period["starts"], period["last_starts"], calls.get(period["customer_id"])
        if row is None or starts is None or last is None or (starts - period["begins"]).days < SETTLED_DAYS:
            continue
        own, currency = company["plans"][period["plan"]], period["currency"]
        now, before = expected(row, starts, period["ends"]), expected(row, last, starts)
        costs = {spec["rank"]: cost(spec, currency, now) for spec in company["plans"].values()}
        above = [amount for rank, amount in costs.items() if rank > own["rank"]]
        below = [amount for rank, amount in costs.items() if rank < own["rank"]]
        found.append(
            Case(
                period["customer_id"],
                bool(above) and min(now, before) >= NEAR * own["included"],
                bool(above) and min(above) < costs[own["rank"]],
                bool(below) and min(below) < costs[own["rank"]],
                period["customer_id"] in planted,
            )
        )
    return found


def warehouse_rows(data: Path, query: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        found = con.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def looked_at(data: Path, file: Path | None) -> tuple[list[Case], dict[str, set[str]]]:
    """The cases of a state folder on which `run` was complete, and whom each kind was proposed to."""
    company = tomllib.loads((file or ROOT / "sandbox" / "company.toml").read_text())
    tables = [word for name in ("customers", "expected_usage") for word in ("--table", name)]
    truth = json.loads(run(data, "sandbox", "truth", "--json", *tables).printed)
    proposed = {
        kind: {row["customer_id"] for row in warehouse_rows(data, f"from intermediate.int_{kind}_proposed")}
        for kind in ("tier_upgrades", "right_size_downgrades")
    }
    return cases(company, truth, warehouse_rows(data, PERIODS)), proposed


def share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 1.0


def figures(found: list[Case], proposed: dict[str, set[str]]) -> dict[str, float]:
    """Counts, recall and precision. A proposal to somebody who is no case counts against precision."""
    true = {case.customer for case in found if case.is_near or case.is_cheaper}
    lower = {case.customer for case in found if case.is_cheaper_below}
    up, down = proposed["tier_upgrades"], proposed["right_size_downgrades"]
    near = {case.customer for case in found if case.is_near}
    planted = {case.customer for case in found if case.is_planted} & true
    return {
        "customers": len(found),
        "upgrade_true": len(true),
        "upgrade_true_near": len(near),
        "upgrade_true_cheaper": len({case.customer for case in found if case.is_cheaper}),
        "upgrade_proposed": len(up),
        "upgrade_hits": len(up & true),
        "upgrade_recall": share(len(up & true), len(true)),
        "upgrade_precision": share(len(up & true), len(up)),
        "planted_true": len(planted),
        "planted_recall": share(len(up & planted), len(planted)),
        "downgrade_true": len(lower),
        "downgrade_proposed": len(down),
        "downgrade_hits": len(down & lower),
        "downgrade_precision": share(len(down & lower), len(down)),
    }


def opportunities(folder: Path) -> dict[str, float]:
    """Make each company, run everything, and look; then all of them together."""
    flat: dict[str, float] = {}
    everything: list[Case] = []
    everybody: dict[str, set[str]] = {"tier_upgrades": set(), "right_size_downgrades": set()}
    for name, seed, file in COMPANIES:
        data = folder / f"{name}_{seed}"
        of_file = () if file is None else ("--company", str(file))
        run(data, "sandbox", "seed", "--customers", "120", "--months", "14", "--seed", str(seed), *of_file)
        run(data, "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "run")
        found, proposed = looked_at(data, file)
        flat |= {f"opportunities_{name}_{seed}_{key}": value for key, value in figures(found, proposed).items()}
        everything += found
        for kind, customers in proposed.items():
            everybody[kind] |= customers
        print(f"{name} {seed}: done", flush=True)
    return flat | {f"opportunities_{key}": value for key, value in figures(everything, everybody).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, help="look at this state folder instead of making companies")
    parser.add_argument("--company", type=Path, help="the company's file of that folder, if not the default one")
    given = parser.parse_args()
    if given.state:
        print("\n".join(table(figures(*looked_at(given.state, given.company)), {}, {})))
        return
    with tempfile.TemporaryDirectory() as folder:
        flat = opportunities(Path(folder))
    print("\n".join(table(flat, MUST, {})))
    raise SystemExit("\n".join(missed(flat, MUST)) or 0)


if __name__ == "__main__":
    main()
