"""A price experiment on the sandbox from its design to its verdict: the price is made in Stripe, customers are moved,
three months pass, and the effect that is told is held against the sandbox's true answer to prices.
"""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from tests.benches.advice.twins import carry_out, clock_of, pass_time
from tests.benches.marks import Mark
from tests.benches.measure import run
from tests.commands import DBT_AT

MUST = {"experiment_covered_95": Mark(least=1), "experiment_moved_share": Mark(least=0.5)}
CUSTOMERS, MONTHS, SEED = 300, 14, 211
DAYS, SETTLE, RATIO = 91, 2, 1.5
METER, NAME, BOOK = "compute_seconds", "bench_compute", "bench_compute_up"


def experiments(folder: Path) -> dict[str, float]:
    """Figures of one experiment on the price of compute, half of those who buy it against the other half."""
    data = folder / "experiments"
    if not (data / "last_run.json").exists():
        size = ("--customers", str(CUSTOMERS), "--months", str(MONTHS), "--seed", str(SEED))
        run(data, "sandbox", "seed", *size)
        run(data, "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "run")
    run(data, "dbt.cli.main", "seed", *DBT_AT)
    design(data, datetime.fromtimestamp(clock_of(data), UTC).date())
    made = round_of(data)
    assert set(made.values()) == {"done"}, made
    load(data)
    moved = round_of(data)
    pass_time(data, DAYS + 1)
    load(data)
    build(data)
    return measured(data) | {"experiment_prices": float(len(made)), "experiment_moves": float(len(moved))}


def design(data: Path, today: date) -> None:
    """Replace books and designs by one: compute half as dear again, from today, in every currency."""
    with duckdb.connect(str(data / "warehouse.duckdb")) as con:
        con.execute("delete from seeds.price_books; delete from seeds.price_book_tiers")
        con.execute("delete from seeds.price_experiment_designs")
        con.execute("insert into seeds.price_books (book, says) values (?, 'a benchmark')", [BOOK])
        # the rule that a book may shock few customers would refuse so large a step: here it is what is tested
        con.execute("update seeds.price_rules set value = '1' where trim(rule) = 'most_shocked_share'")
        con.execute(
            "insert into seeds.price_book_tiers by name select ? as book, tiers.price_id, tiers.currency, "
            "(tiers.unit_amount_decimal * ?)::decimal(24, 12)::varchar as unit_amount_decimal "
            "from intermediate.int_price_tiers as tiers inner join marts.dim_prices as prices "
            "using (account_id, price_id) "
            "where prices.meter_event_name = ? and prices.experiment_id is null",
            [BOOK, RATIO, METER],
        )
        common = {"plan": None, "meter": METER, "segment": None, "share": "0.5", "most_share": "1"}
        common |= {
            "starts_on": str(today),
            "ends_on": str(today + timedelta(days=DAYS - 1)),
            "settle_days": str(SETTLE),
        }
        common |= {"pre_days": "84", "primary_metric": "usage", "wanted_effect": "0.05", "most_churn_increase": "0.5"}
        common |= {"most_bill_shock": "1", "most_risk": "0.3", "seed": "bench", "is_released": "true"}
        for variant, book in (("control", None), ("dearer", BOOK)):
            row = {"experiment_id": NAME, "variant": variant, "price_book": book} | common
            marks = ", ".join("?" for _ in row)
            names = ", ".join(row)
            con.execute(f"insert into seeds.price_experiment_designs ({names}) values ({marks})", list(row.values()))


def build(data: Path) -> None:
    """Every model on what is loaded; seeds stay as `design` left them."""
    run(data, "dbt.cli.main", "run", *DBT_AT)


def load(data: Path) -> None:
    run(data, "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "load")


def round_of(data: Path) -> dict[str, str]:
    """Build, publish what the experiment asks for and nothing else, carry it out; recommendation → how it ended."""
    build(data)
    with duckdb.connect(str(data / "warehouse.duckdb")) as con:
        con.execute("delete from marts.recommendations where kind not in ('experiment_price', 'price_test_assignment')")
    run(data, "dlt_pipelines", "publish")
    carried = carry_out(data)
    print({end: list(carried.ends.values()).count(end) for end in set(carried.ends.values())}, carried.left, flush=True)
    print(sorted({words for key, words in carried.words.items() if carried.ends[key] != "done"})[:5], flush=True)
    return carried.ends


def measured(data: Path) -> dict[str, float]:
    """What is told of the experiment, beside the mean true answer of all who were assigned to the dearer price."""
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        query = "select * from marts.price_experiments where experiment_id = ? and not is_control"
        told = con.execute(query, [NAME]).fetchdf().to_dict("records")[0]
        query = "select customer_id from intermediate.int_price_experiment_measures where not is_control "
        query += "and log_usage_before is not null and log_usage_after is not null"
        assigned = [customer for (customer,) in con.execute(query).fetchall()]
    changes = truth(data, "price_changes")
    factors = {row["customer"]: row["usage_factor"] for row in changes if row["event_name"] == METER}
    true = math.fsum(math.log(factors.get(customer, 1.0)) for customer in assigned) / len(assigned)
    effect = math.exp(true) - 1
    print(told["said"], f"True: {100 * effect:.1f} %, {sum(c in factors for c in assigned)} of {len(assigned)} moved.")
    return {
        "experiment_assigned": float(told["assigned_n"]),
        "experiment_moved_share": sum(customer in factors for customer in assigned) / len(assigned),
        "experiment_true_effect": effect,
        "experiment_effect": float(told["usage_effect"]),
        **{f"experiment_{end}": float(told[f"usage_{end}"]) for end in ("low_80", "high_80", "low_95", "high_95")},
        "experiment_detectable_before": float(told["detectable_effect"]),
        "experiment_covered_80": float(told["usage_low_80"] <= effect <= told["usage_high_80"]),
        "experiment_covered_95": float(told["usage_low_95"] <= effect <= told["usage_high_95"]),
    }


def truth(data: Path, table: str) -> list[dict[str, Any]]:
    printed = run(data, "sandbox", "truth", "--json", "--table", table).printed
    return list(json.loads(printed)[table])
