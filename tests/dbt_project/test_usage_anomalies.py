"""From unusual days to incidents that somebody is told of: which run counts, money, causes, gates, budget.

The models are run as compiled SQL on rows of these tests' own. One item uses 100 a day; days that are unusual are said
as `ml` says them. The price has 1,000 units a month free, then 5 minor units each.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from tests.dbt_project.anomaly_world import AS_OF, CUSTOMER, EACH, FREE, Row, World, day, fill
from tests.dbt_project.compiled import Bench, compiled_models
from tests.oracles.rating import rated_steps

INTERMEDIATE = tuple(f"int_anomaly_{name}" for name in ("days", "incidents", "amounts", "causes", "gates"))
PRICE = {
    "currency": "usd",
    "billing_scheme": "tiered",
    "tiers_mode": "graduated",
    "tiers": [{"up_to": FREE, "unit_amount_decimal": "0"}, {"up_to": None, "unit_amount_decimal": str(EACH)}],
}


@pytest.fixture(scope="module")
def incidents(tmp_path_factory: pytest.TempPathFactory) -> Callable[[World], list[Row]]:
    sql = compiled_models(tmp_path_factory.mktemp("anomalies"), *INTERMEDIATE, "usage_anomalies")

    def found(world: World) -> list[Row]:
        bench = Bench(sql)
        fill(bench, world)
        for model in INTERMEDIATE:
            bench.build("intermediate", model)
        rows = bench.con.execute(f"{sql['usage_anomalies']} order by started_on, anomaly_id")
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    return found


def bill(quantity: float) -> int:
    return sum(step.amount or 0 for step in rated_steps(PRICE, Decimal(str(quantity))))


def the_one(found: list[Row]) -> Row:
    assert len(found) == 1, found
    return found[0]


def test_an_incident_costs_what_the_bill_would_be_less_without_it(incidents: Callable[[World], list[Row]]) -> None:
    world = World()
    world.unusual("09-10", [600.0])
    one = the_one(incidents(world))
    assert one["excess_amount_minor"] == bill(30 * 100 + 500) - bill(30 * 100)
    assert one["severity_minor"] == 500 * EACH
    assert (one["anomaly_id"], one["kind"], one["cause"]) == ("anomaly:si_1:2026-09-10", "spike", "single_day_burst")
    assert (one["state"], one["owner"], one["rule_baseline_days"]) == ("ended", "support", 1)
    assert (one["is_told"], one["why_not_told"]) == (True, None)


def test_an_incident_over_two_periods_is_rated_in_each_and_a_loss_costs_less(
    incidents: Callable[[World], list[Row]],
) -> None:
    world = World()
    world.unusual("08-30", [0.0, 0.0, 10.0, 10.0])
    one = the_one(incidents(world))
    august, september = 29 * 100, 28 * 100 + 20
    assert one["excess_amount_minor"] == bill(august) - bill(august + 200) + bill(september) - bill(september + 180)
    assert one["severity_minor"] == -one["excess_amount_minor"]
    assert (one["kind"], str(one["period_start"])[:10], one["is_projected"]) == ("dip", "2026-09-01", False)


def test_an_open_period_is_rated_as_the_forecast_says_it_will_end(incidents: Callable[[World], list[Row]]) -> None:
    """Within what is free so far a spike costs nothing yet; but the forecast takes the period beyond it."""
    world = World(projected=Decimal(1200))
    world.unusual("10-30", [600.0])
    one = the_one(incidents(world))
    assert one["excess_amount_minor"] == bill(1200) - bill(700) == 200 * EACH
    assert (one["is_projected"], one["state"]) == (True, "open")


def test_what_a_last_value_was_less_without_a_day_is_not_known_and_not_told(
    incidents: Callable[[World], list[Row]],
) -> None:
    world = World(formula="last")
    world.unusual("09-10", [600.0])
    one = the_one(incidents(world))
    assert (one["severity_minor"], one["is_told"], one["why_not_told"]) == (None, False, "immaterial")


def test_the_newest_run_that_judged_a_day_decides_also_by_finding_nothing(
    incidents: Callable[[World], list[Row]],
) -> None:
    world = World()
    world.judge("run_1")
    world.judge("run_2", since="10-01")
    world.unusual("09-10", [600.0])  # not judged again
    world.unusual("10-05", [700.0])  # not found again
    world.unusual("10-10", [800.0], run_id="run_2")
    world.unusual("09-20", [100.0])  # its unusual days are no longer usage
    # a replay of an earlier day knows less than what was said since
    world.judge("replay", as_of=day("10-20"))
    # what a later day's run says is not known yet
    world.runs.append(
        {
            "run_id": "run_3",
            "judged_from": day("09-01"),
            "as_of": AS_OF + timedelta(days=1),
            "scored_at": pd.Timestamp(2026, 11, 3),
        }
    )
    assert [str(one["started_on"]) for one in incidents(world)] == ["2026-09-10", "2026-10-10"]


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"quantities": [600.0]}, "single_day_burst"),
        ({"quantities": [0.0, 0.0]}, "silence"),
        ({"quantities": [50.0]}, "unknown"),
        ({"quantities": [600.0] * 3}, "unknown"),
        ({"quantities": [600.0] * 7, "flat": True}, "machine_loop"),
        ({"quantities": [600.0] * 7, "flat": True, "related_ratio": 1.6}, "unknown"),
        ({"quantities": [600.0] * 5 + [180.0] * 2, "flat": True, "related_ratio": 1.6}, "adoption"),
        ({"quantities": [600.0] * 5 + [180.0] * 2, "flat": True}, "unknown"),
        ({"quantities": [600.0], "history_days": 35}, "new_meter"),
    ],
)
def test_a_cause_is_named_where_the_usage_says_it(
    incidents: Callable[[World], list[Row]], said: Row, cause: str
) -> None:
    """2026-09-07 is a Monday; a `flat` one is where weekends were expected to be quiet."""
    world = World()
    quantities, is_flat = said.pop("quantities"), said.pop("flat", False)
    world.unusual("09-07", quantities, **said)
    if is_flat:
        for one in world.days:
            one["expected_quantity"] = 30.0 if one["usage_date"].weekday() >= 5 else 100.0
    assert the_one(incidents(world))["cause"] == cause


@pytest.mark.parametrize(("changed_on", "is_explained"), [("09-03", True), ("09-10", True), ("09-02", False)])
def test_a_price_or_seats_that_changed_in_the_week_before_explain_an_incident(
    incidents: Callable[[World], list[Row]], changed_on: str, is_explained: bool
) -> None:
    at = pd.Timestamp(day(changed_on))
    priced = World(spans=[{"first_day": day(changed_on), "price_id": "new"}])
    seated = World(states=[{"valid_from": pd.Timestamp(2026, 1, 1), "quantity": 3}, {"valid_from": at, "quantity": 9}])
    for world, cause in ((priced, "price_change"), (seated, "seats_change")):
        world.unusual("09-10", [600.0])
        one = the_one(incidents(world))
        assert one["cause"] == (cause if is_explained else "single_day_burst")
        assert one["why_not_told"] == (cause if is_explained else None)


def test_each_gate_keeps_an_incident_from_being_told_and_says_so(incidents: Callable[[World], list[Row]]) -> None:
    def why(world: World, first: str = "09-10", quantity: float = 600.0, **more: Any) -> str | None:
        world.unusual(first, [quantity], **more)
        told: str | None = the_one(incidents(world))["why_not_told"]
        return told

    launch: Row = {"first_day": day("09-08"), "last_day": day("09-10")}
    launch |= {"customer_id": None, "meter_event_name": None, "direction": "up"}
    assert why(World(floors=[{"currency": "usd", "floor_minor": 2501}])) == "immaterial"
    assert why(World(floors=[{"currency": "usd", "floor_minor": 2500}])) is None
    assert why(World(floors=[{"currency": "eur", "floor_minor": 9999}])) is None
    assert why(World(), company_share=0.2) == "company_wide"
    assert why(World(), company_share=None) is None
    assert why(World(planned=[launch])) == "planned_event"
    assert why(World(planned=[launch | {"last_day": None}]), first="09-20") == "planned_event"
    assert why(World(planned=[launch]), quantity=10.0) is None
    assert why(World(planned=[launch | {"customer_id": "cus_other"}])) is None
    assert why(World(planned=[launch | {"meter_event_name": "calls", "customer_id": CUSTOMER}])) == "planned_event"
    assert why(World(), "10-31", 10.0) == "reporting_lag"
    assert why(World(), "10-31") is None


def test_a_month_has_so_many_alerts_first_come_first_told(incidents: Callable[[World], list[Row]]) -> None:
    world = World(most_a_month=2)
    for number, (first, quantity) in enumerate(
        [("09-03", 600.0), ("09-05", 101.0), ("09-10", 700.0), ("09-10", 900.0), ("10-02", 600.0)]
    ):
        world.unusual(first, [quantity], item=f"si_{number}")
    found = incidents(world)
    assert [(one["subscription_item_id"], one["is_told"], one["why_not_told"]) for one in found] == [
        ("si_0", True, None),
        ("si_1", False, "immaterial"),
        ("si_2", False, "over_budget"),
        ("si_3", True, None),
        ("si_4", True, None),
    ]


def test_absurd_usage_is_an_incident_without_an_amount_and_stops_nothing(
    incidents: Callable[[World], list[Row]],
) -> None:
    world = World()
    world.unusual("09-30", [900_000_000_000.0] * 2, expected_quantity=1e300)
    one = the_one(incidents(world))
    assert one["quantity"] == one["expected_quantity"] == 999_999_999_999
    assert (one["excess_quantity"], one["is_told"]) == (0, False)
