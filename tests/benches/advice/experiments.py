"""Price experiments on the sandbox from their design to their verdict: prices are made in Stripe, customers are moved,
three months pass, and the effects that are told are held against the sandbox's true answer to prices.

A draw is six experiments at once on one company (two meters, each in three segments), drawn by a seed of its own: of
one company, draws differ by who pays which price and by nothing else, so their bands are independent given the company.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from scipy import stats

from tests.benches.advice.redraws import coverage, redrawn
from tests.benches.advice.twins import carry_out, clock_of, pass_time
from tests.benches.marks import Mark
from tests.benches.measure import run
from tests.commands import DBT_AT
from tests.parsed import hand_on

# covered_…_by_chance: how likely as few hits or fewer are if bands hold the truth as often as they say
MUST = {"experiment_moved_share": Mark(least=0.5)}
MUST |= {"experiment_redrawn_covered_95": Mark(least=0.92)}
MUST |= {f"experiment_covered_{level}_by_chance": Mark(least=0.01) for level in (80, 95)}
CUSTOMERS, MONTHS, SEED, EACH = 300, 14, 211, 4  # EACH: draws of one company, before the next one is seeded
DAYS, SETTLE, RATIO = 91, 2, 1.5
METERS, SEGMENTS = ("compute_seconds", "storage_gb_days"), ("startup", "midmarket", "enterprise")
BOOK = "bench_up"
# What a new design, or a new price, changes; and what three months of usage do.
OF_DESIGNS = "price_experiment_designs+,+{0} price_book_tiers+,+{0} price_rules+,+{0} stg_ml__price_assignments_said"
OF_PRICES = "stg_stripe__prices int_price_tiers dim_prices"
OF_TIME = "+fct_usage_daily +fct_invoices +int_churn_dates int_price_experiments_judged price_experiment_assignments"
OF_TIME += " stg_ml__price_assignments_said int_price_experiment_measures+,+price_experiments"


def experiments(folder: Path, draws: int = 1) -> dict[str, float]:
    """How often the bands of so many draws hold the truth, with Clopper and Pearson's bounds of that share."""
    told: list[dict[str, float]] = []
    offs: list[tuple[float, float]] = []
    for number in range(draws):
        base = company(folder / f"experiments_{SEED + number // EACH}", SEED + number // EACH)
        one, others = drawn(base, folder / f"experiments_draw_{number}", number)
        told, offs = told + one, offs + others
    found = counted(told) | {"experiment_draws": float(draws), "experiment_redraws": float(len(offs))}
    found["experiment_redrawn_off_mean"] = math.fsum(off for off, _ in offs) / len(offs)
    return found | {f"experiment_redrawn_covered_{level}": coverage(offs, level) for level in (80, 95)}


def company(data: Path, seed: int) -> Path:
    """A company as it is before the experiments, made once in a folder that stays."""
    if not (data / "last_run.json").exists():
        run(data, "sandbox", "seed", "--customers", str(CUSTOMERS), "--months", str(MONTHS), "--seed", str(seed))
        run(data, "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "run")
    return data


def counted(told: list[dict[str, float]]) -> dict[str, float]:
    """Figures of all experiments that told an effect."""
    assigned = math.fsum(one["assigned"] for one in told)
    found = {
        "experiment_effects": float(len(told)),
        "experiment_moved_share": math.fsum(one["moved"] for one in told) / assigned,
        # in the standard errors that each band claims: of mean 0 and spread 1 where nothing is wrong
        "experiment_off_mean": math.fsum(one["off"] for one in told) / len(told),
        "experiment_off_spread": math.sqrt(math.fsum(one["off"] ** 2 for one in told) / len(told)),
    }
    for level in (80, 95):
        hits = sum(one[f"in_{level}"] for one in told)
        bounds = stats.binomtest(int(hits), len(told)).proportion_ci()
        found[f"experiment_covered_{level}"] = hits / len(told)
        found |= {f"experiment_covered_{level}_low": bounds.low, f"experiment_covered_{level}_high": bounds.high}
        found[f"experiment_covered_{level}_by_chance"] = float(stats.binom.cdf(hits, len(told), level / 100))
    return found


def drawn(base: Path, data: Path, number: int) -> tuple[list[dict[str, float]], list[tuple[float, float]]]:
    """One draw, on a copy of the state in `base` that goes away: what `measured` says of it, and `redrawn`."""
    shutil.copytree(base, data, ignore=shutil.ignore_patterns("mlflow*", "logs", "bench"))
    hand_on(data)
    run(data, "dbt.cli.main", "seed", *DBT_AT, "--select", "price_books", "price_book_tiers", "price_rules")
    today = datetime.fromtimestamp(clock_of(data), UTC).date()
    design(data, today, f"bench{number}")
    made = round_of(data, OF_DESIGNS.format("recommendations"))
    assert set(made.values()) == {"done"}, made
    load(data)
    round_of(data, f"{OF_PRICES} {OF_DESIGNS.format('recommendations')}")
    pass_time(data, DAYS + 1)
    load(data)
    build(data, OF_TIME)
    felt = felt_since(data, today)
    answers = {(one["segment"], one["event_name"]): one["elasticity"] for one in truth(data, "elasticity")}
    answers = {key: elasticity * math.log(RATIO) for key, elasticity in answers.items()}
    told = measured(data, felt), redrawn(data, answers, felt)
    shutil.rmtree(data)
    return told


def design(data: Path, today: date, seed: str) -> None:
    """Replace books and designs by one book, half as dear again, and experiments with it from today on."""
    with duckdb.connect(str(data / "warehouse.duckdb")) as con:
        con.execute("delete from seeds.price_books; delete from seeds.price_book_tiers")
        con.execute("delete from seeds.price_experiment_designs")
        con.execute("insert into seeds.price_books (book, says) values (?, 'a benchmark')", [BOOK])
        # the rule that a book may shock few customers would refuse so large a step: here it is what is tested
        con.execute("update seeds.price_rules set value = '1' where trim(rule) = 'most_shocked_share'")
        con.execute(
            "insert into seeds.price_book_tiers by name select ? as book, tiers.price_id, tiers.currency, "
            "case when prices.tiers_mode is not null then prices.tiers_mode end as tiers_mode, "
            "tiers.upper_bound::varchar as up_to, "
            "(tiers.unit_amount_decimal * ?)::decimal(24, 12)::varchar as unit_amount_decimal "
            "from intermediate.int_price_tiers as tiers inner join marts.dim_prices as prices "
            "using (account_id, price_id) "
            "where prices.meter_event_name in (?, ?) and prices.experiment_id is null",
            [BOOK, RATIO, *METERS],
        )
        common = {"plan": None, "share": "0.5", "most_share": "1", "settle_days": str(SETTLE), "pre_days": "84"}
        common |= {"starts_on": str(today), "ends_on": str(today + timedelta(days=DAYS - 1)), "seed": seed}
        common |= {"primary_metric": "usage", "wanted_effect": "0.05", "most_churn_increase": "0.5"}
        common |= {"most_bill_shock": "1", "most_risk": "0.3", "is_released": "true"}
        for meter in METERS:
            for segment in SEGMENTS:
                of = {"experiment_id": f"{meter}_{segment}", "meter": meter, "segment": segment} | common
                for variant, book in (("control", None), ("dearer", BOOK)):
                    row = of | {"variant": variant, "price_book": book}
                    names, marks = ", ".join(row), ", ".join("?" for _ in row)
                    values = list(row.values())
                    con.execute(f"insert into seeds.price_experiment_designs ({names}) values ({marks})", values)


def build(data: Path, select: str) -> None:
    """The models on what is loaded; seeds stay as `design` left them."""
    run(data, "dbt.cli.main", "run", *DBT_AT, "--select", *select.split())


def load(data: Path) -> None:
    run(data, "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "load")


def round_of(data: Path, select: str) -> dict[str, str]:
    """Build, publish what the experiments ask for and nothing else, carry it out; recommendation → how it ended."""
    build(data, select)
    with duckdb.connect(str(data / "warehouse.duckdb")) as con:
        con.execute("delete from marts.recommendations where kind not in ('experiment_price', 'price_test_assignment')")
    run(data, "dlt_pipelines", "publish")
    carried = carry_out(data)
    print({end: list(carried.ends.values()).count(end) for end in set(carried.ends.values())}, carried.left, flush=True)
    print(sorted({words for key, words in carried.words.items() if carried.ends[key] != "done"})[:5], flush=True)
    return carried.ends


def measured(data: Path, felt: dict[tuple[str, str], float]) -> list[dict[str, float]]:
    """What is told of each experiment, beside the mean true answer of all who were assigned to the dearer price.

    The truth is of the same customers, days and price as the estimate: those with usage before and after, whoever was
    moved, and what the price did to the logarithm of their usage from the move on (`felt`, by customer and meter).
    """
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        query = "select * from marts.price_experiments where not is_control order by experiment_id"
        rows, told = con.execute(query).fetchdf().to_dict("records"), []
        query = "select customer_id, experiment_id from intermediate.int_price_experiment_measures where not is_control"
        query += " and log_usage_before is not null and log_usage_after is not null"
        assigned = con.execute(query).fetchall()
    for row in rows:
        name, meter = row["experiment_id"], row["meter_event_name"]
        theirs = [felt.get((customer, meter), 0.0) for customer, experiment in assigned if experiment == name]
        if row["usage_effect"] is None or math.isnan(row["usage_effect"]):
            print(f"{name}: no effect is told of {len(theirs)} customers. {row['said']}", flush=True)
            continue
        true = math.fsum(theirs) / len(theirs)
        effect, (low, high) = math.expm1(true), (math.log1p(row[f"usage_{end}_95"]) for end in ("low", "high"))
        error = (high - low) / 2 / stats.t.ppf(0.975, row["usage_n"] - 3)
        moved = sum(answer != 0 for answer in theirs)
        print(f"{name}: {row['said']} True: {100 * effect:.1f} %, {moved} of {len(theirs)} moved.", flush=True)
        told.append({"assigned": float(len(theirs)), "moved": float(moved), "off": ((low + high) / 2 - true) / error})
        for level in (80, 95):
            is_in = row[f"usage_low_{level}"] <= effect <= row[f"usage_high_{level}"]
            told[-1][f"in_{level}"] = float(is_in)
    return told


def felt_since(data: Path, day: date) -> dict[tuple[str, str], float]:
    """What new prices did to the logarithm of usage, by customer and meter; a plan of their own choice is no trial."""
    felt: dict[tuple[str, str], float] = {}
    for one in truth(data, "price_changes"):
        if one["at"] >= str(day) and not one["is_own_choice"]:
            key = (one["customer"], one["event_name"])
            felt[key] = felt.get(key, 0.0) + math.log(one["usage_factor"])
    return felt


def truth(data: Path, table: str) -> list[dict[str, Any]]:
    printed = run(data, "sandbox", "truth", "--json", "--table", table).printed
    return list(json.loads(printed)[table])
