"""Usage alerts: which level is told, at which chance, when, and after how many units more."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from math import ceil, floor
from typing import Any

import pytest

from actions.executors import for_kind
from actions.executors.shapes import check_shape
from tests.dbt_project.plan_bench import AS_OF
from tests.dbt_project.plan_world import DRAWS, END, START, PlanWorld, paths

Proposals = dict[str, dict[str, Any]]
PASSES = paths((DRAWS, 1200))
# last: spend levels are 5,000 or 1.5 times what the last period cost, so that 1,500 calls are the next one
CASES: dict[str, dict[str, Any]] = {
    "likely": {"running": paths((100, 1001), (100, 1000))},
    "unlikely": {"running": paths((99, 1001), (101, 1000))},
    "passed": {"so_far": 1001, "running": PASSES},
    "on_the_edge": {"so_far": 1000, "running": PASSES},
    "spends": {"so_far": 1200, "running": paths((DRAWS, 1600))},
    "spends_as_usual": {"so_far": 1200, "last": 1500, "running": paths((DRAWS, 1749))},
    "spends_more": {"so_far": 1200, "last": 1500, "running": paths((DRAWS, 1750))},
    "yen": {"so_far": 1200, "currency": "jpy", "running": paths((DRAWS, 1750))},
    "no_floor": {"so_far": 1200, "currency": "eur", "running": paths((DRAWS, 1750))},
    "unmetered": {"plan": "thin", "last": 1000, "running": paths((DRAWS, 1400))},
    "has_an_alert": {"running": PASSES},
    "has_another": {"running": PASSES},
    "all_have_one": {"plan": "thin", "last": 0, "running": paths((DRAWS, 600))},
    "paused": {"running": PASSES, "staged": {"pause_behavior": "void"}},
    "gone": {"running": PASSES, "dim": {"status": "canceled"}},
    "ends_with_the_period": {"running": PASSES, "dim": {"cancel_at_period_end": True}},
    "trial": {"running": PASSES},
    "gauge": {"running": PASSES},
    "over": {"running": PASSES, "elapsed": 31},
    # these pay 10 a unit, 8 from the 1,001st and 5 from the 2,001st on
    "first_period": {"plan": "thin", "so_far": 500, "last": None, "before": None, "running": PASSES},
    "passed_it_last_time": {"plan": "thin", "so_far": 500, "last": 1001, "running": PASSES},
    "goes_beyond": {"plan": "thin", "so_far": 500, "last": 1500, "running": paths((DRAWS, 2100))},
}
STEPPED = ("first_period", "passed_it_last_time", "goes_beyond")
TOLD = {"likely": "quota", "on_the_edge": "quota", "spends": "spend", "spends_more": "spend", "yen": "spend",
        "has_another": "quota", "ends_with_the_period": "quota", "first_period": "tier_edge",
        "goes_beyond": "tier_edge"}  # fmt: skip


def forecast(world: PlanWorld, name: str, a_day: float) -> None:
    days = [{"subscription_item_id": f"si_{name}_usage", "is_current": True, "yhat_mean": a_day,
             "forecast_date": AS_OF + timedelta(days=ahead)} for ahead in range(1, 29)]  # fmt: skip
    world.bench.put("marts.usage_forecast", days)


def opened(world: PlanWorld, name: str, *, is_trial: bool = False, formula: str = "sum") -> None:
    row = {"subscription_item_id": f"si_{name}_usage", "period_start": START, "is_open": True}
    world.bench.put("marts.fct_usage_periods", [row | {"is_trial": is_trial, "aggregation_formula": formula}])


@pytest.fixture(scope="module")
def world() -> PlanWorld:
    made = PlanWorld()
    for name, given in CASES.items():
        usual: dict[str, Any] = {"last": 500}
        made.customer(name, **(usual | given))
        opened(made, name, is_trial=name == "trial", formula="last" if name == "gauge" else "sum")
        forecast(made, name, 50)
    # 901 are missing to the 1,001st call of who has used 100
    for name, customer, meter, threshold in (
        ("1", "cus_has_an_alert", "calls", 901), ("2", "cus_has_another", "calls", 900), ("3", None, "runs", 400),
    ):  # fmt: skip
        made.bench.put(
            "staging.stg_stripe__alerts",
            [{"alert_id": name, "customer_id": customer, "meter_id": meter, "threshold": threshold,
              "alert_type": "usage_threshold", "status": "active", "is_deleted": False}],
        )  # fmt: skip
    # a credit of 3,000 of which another line draws 1,000: it is gone at 200 calls beyond the quota, on 60 % of paths
    made.customer("credited", so_far=1100, last=1500, running=paths((120, 1250), (80, 1150)))
    opened(made, "credited")
    forecast(made, "credited", 50)
    grant = {"credit_grant_id": "cg_1", "remaining_minor": 3000}
    made.bench.put("intermediate.int_credit_grants_live", [grant | {"place": 1}])
    made.bench.put("intermediate.int_upcoming_invoices",
                   [{"subscription_id": "sub_credited", "period_end": END, "is_running": True}])  # fmt: skip
    mine = [2000 if path < 120 else 1500 for path in range(DRAWS)]
    made.bench.put(
        "intermediate.int_credit_draws_pathed",
        [grant | {"path": path, "running_draw_minor": drawn + 1000} for path, drawn in enumerate(mine, 1)],
    )
    made.bench.put(
        "intermediate.int_upcoming_credits",
        [{"credit_grant_id": "cg_1", "subscription_id": "sub_credited", "line_id": f"si_credited_{line}",
          "period_end": END, "path": path, "drawn_minor": drawn}
         for line, all_drawn in (("usage", mine), ("x", [1000] * DRAWS)) for path, drawn in enumerate(all_drawn, 1)],
    )  # fmt: skip
    made.tiers("price_stepped", "usd", "graduated", [(0, 1000, 10, 0), (1000, 2000, 8, 0), (2000, None, 5, 0)])
    for name in STEPPED:
        made.bench.con.execute(
            "update intermediate.int_open_periods_forecast set price_id = 'price_stepped'"
            " where subscription_item_id = ?", [f"si_{name}_usage"],
        )  # fmt: skip
    # the running period of this one ends at noon: its last day counts
    made.customer("ends_at_noon", so_far=1200, last=500, running=paths((DRAWS, 1500)))
    opened(made, "ends_at_noon")
    forecast(made, "ends_at_noon", 50)
    made.bench.con.execute(
        "update intermediate.int_open_periods_forecast set period_end = '2026-11-10 12:00:00'"
        " where subscription_item_id = 'si_ends_at_noon_usage'"
    )
    made.alerts()
    return made


@pytest.fixture(scope="module")
def alerts(world: PlanWorld) -> Proposals:
    return world.proposed("usage_alerts")


@pytest.mark.parametrize("name", CASES)
def test_the_level_that_half_of_the_paths_pass_is_told_once_and_before_it_is_passed(
    alerts: Proposals, name: str
) -> None:
    assert (alerts[name]["target_key"] if name in alerts else None) == TOLD.get(name)


def missing(said: dict[str, Any]) -> int:
    return int(json.loads(said["params"])["usage_threshold"]["gte"])


def test_stripe_counts_from_now_so_that_an_alert_asks_for_what_is_missing(alerts: Proposals) -> None:
    assert missing(alerts["likely"]) == 1001 - 100
    # 500 calls beyond the quota cost 5,000; half a unit of money less is rounded up
    assert missing(alerts["spends"]) == 1500 - 1200
    assert missing(alerts["spends_more"]) == 1750 - 1200
    assert missing(alerts["yen"]) == 1750 - 1200
    assert [missing(alerts[name]) for name in ("first_period", "goes_beyond")] == [1001 - 500, 2001 - 500]


def test_the_chance_is_the_share_of_paths_and_the_day_that_of_the_median(alerts: Proposals) -> None:
    # the period ends as the 10th begins, so nine days are left
    edge, likely = alerts["on_the_edge"], alerts["likely"]
    assert (likely["confidence"], edge["confidence"]) == (0.5, 1.0)
    assert edge["said"]["date"] == str(AS_OF + timedelta(days=1))
    spends = alerts["spends"]
    # 400 in nine days, 300 of them missing
    assert spends["said"]["date"] == str(AS_OF + timedelta(days=ceil(300 * 9 / 400)))
    assert date.fromisoformat(likely["said"]["date"]) == END.date() - timedelta(days=1)
    assert alerts["ends_at_noon"]["said"]["date"] == str(END.date())


def test_the_end_of_a_prepaid_credit_is_told_for_the_line_that_draws_most_of_it(alerts: Proposals) -> None:
    said = alerts["credited"]
    assert (said["target_key"], said["confidence"]) == ("credit", 0.6)
    # 2,000 are left to this line: 200 calls beyond the 1,000 that are free
    assert missing(said) == 1000 + 200 - 1100
    assert "USD 30.00" in said["said"]["level"]


def test_the_runner_takes_every_alert_as_it_is(alerts: Proposals) -> None:
    for said in alerts.values():
        params, precondition = json.loads(said["params"]), json.loads(said["precondition"])
        steps = for_kind("usage_alert", params).plan("usage_alert", said["amount_minor"], params, precondition)
        assert for_kind("usage_alert", params).describe(steps, precondition)
        check_shape(steps[0])


Tiers = Sequence[tuple[int, int | None, Decimal, int]]


def money(exact: Decimal, multiple: int) -> int:
    return int((exact / multiple).quantize(Decimal(1), ROUND_HALF_UP)) * multiple


def cost(mode: str, tiers: Tiers, size: int | None, multiple: int, quantity: int) -> int:
    """A quantity's price, tier by tier."""
    if mode.startswith("package"):
        assert size
        packs = ceil(Decimal(quantity) / size) if mode == "package_up" else floor(Decimal(quantity) / size)
        return money(packs * tiers[0][2], multiple)
    total = 0
    for number, (lower, upper, unit, flat) in enumerate(tiers):
        is_in = quantity > lower or number == 0
        if mode == "volume":
            is_in = is_in and (upper is None or quantity <= upper)
        if is_in:
            units = quantity if mode == "volume" else min(quantity, quantity if upper is None else upper) - lower
            total += money(units * unit, multiple) + flat
    return total


def drawn_price(seed: int) -> tuple[str, Tiers, int | None, int]:
    """A price of any kind: with free tiers, flat amounts, fractions of a unit of money, odd packages."""
    draw = random.Random(seed)  # noqa: S311 - drawn prices
    mode = ("graduated", "volume", "per_unit", "package_up", "package_down")[seed % 5]
    multiple = draw.choice((1, 1, 1, 10, 100))
    edges = sorted(draw.sample(range(1, 1500), draw.randint(0, 3))) if mode in ("graduated", "volume") else []
    bounds = [0, *edges, None]
    tiers = []
    for lower, upper in pairwise(bounds):
        unit = draw.choice((Decimal(0), Decimal("0.35"), Decimal("2.5"), Decimal(7), Decimal("12.345678901234")))
        flat = draw.choice((0, 0, 100, 3000)) if len(bounds) > 2 else 0
        tiers.append((lower or 0, upper, unit if upper else unit or Decimal("2.5"), flat))
    return mode, tiers, draw.choice((1, 3, 100)) if mode.startswith("package") else None, multiple


def test_a_level_of_money_is_the_smallest_whole_quantity_that_costs_as_much() -> None:
    made, prices = PlanWorld(), dict[str, tuple[int, str, Tiers, int | None, int]]()
    for seed in range(30):
        (mode, tiers, size, multiple), item = drawn_price(seed), f"si_p{seed}_usage"
        made.customer(f"p{seed}", so_far=0, last=0, running=[])
        made.tiers(f"price_{seed}", "usd", mode, tiers, package_size=size, billed_multiple_of=multiple)
        opened(made, f"p{seed}")
        last = 3500 + 83 * seed
        for statement in (
            "update intermediate.int_open_periods_forecast set price_id = $1, included_units = null",
            "update intermediate.int_usage_periods_settled set rated_amount_minor = $1",
        ):
            value = f"price_{seed}" if "price_id" in statement else last
            made.bench.con.execute(f"{statement} where subscription_item_id = $2", [value, item])
        prices[item] = (ceil(Decimal("1.5") * last), mode, tiers, size, multiple)
    made.alerts()
    found = {
        row["subscription_item_id"]: int(row["counted_quantity"])
        for row in made.bench.rows("from intermediate.int_usage_levels_counted where level = 'spend'")
    }
    for item, (level, mode, tiers, size, multiple) in prices.items():
        costs = [cost(mode, tiers, size, multiple, quantity) for quantity in range(2500)]
        first = next((quantity for quantity, amount in enumerate(costs) if amount >= level), None)
        if first is not None:
            assert found.get(item) == first, (item, level, mode, tiers)
        elif item in found:
            here = found[item]
            before, then = (cost(mode, tiers, size, multiple, quantity) for quantity in (here - 1, here))
            assert before < level <= then
    assert len(found) > 25
