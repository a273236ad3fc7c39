"""The truth: hazards that come true, elasticities that show, expectations and labels that fit what was recorded."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from sandbox import hazard, member
from sandbox.changes import Change, apply
from sandbox.clock import DAY, iso_date
from sandbox.errors import SandboxError
from sandbox.hazard import Signs
from sandbox.objects import create
from sandbox.state import COMPANY_FILE
from sandbox.store import MICRO, Obj, Store
from sandbox.truth import TABLES, truth
from sandbox.world_company import SeededCompany
from tests.commands import ROOT
from tests.sandbox.worlds import copied, default, later, opened, seeded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state that nobody changes."""
    return seeded(tmp_path_factory.mktemp("truth") / "sandbox", customers=120, months=14, seed=1)


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, list[Obj]]:
    with opened(folder) as (store, world):
        return dict(json.loads(json.dumps(truth(store, world))))


def active(store: Store, world: SeededCompany) -> list[member.Member]:
    """Customers who stay for now, and use as they always did."""
    return [
        one
        for one in member.everybody(store, open_only=True)
        if one.leaves_at is None
        and not one.declines
        and store.get("subscription", one.subscription)["status"] == "active"
    ]


def reprice(store: Store, world: SeededCompany, one: member.Member, factor: int) -> Obj:
    """Swap the customer's API calls to a price whose unit amounts are multiplied; returns the new price."""
    sub = store.get("subscription", one.subscription)
    items = list(sub["items"]["data"])
    place = next(i for i, item in enumerate(items) if "_api_calls_" in (item["price"]["lookup_key"] or ""))
    old = store.get("price", items[place]["price"]["id"])
    tiers = [
        tier | {"unit_amount": None, "unit_amount_decimal": f"{float(tier['unit_amount_decimal']) * factor:.6f}"}
        for tier in old["tiers"]
    ]
    kept = {name: old[name] for name in ("product", "currency", "recurring", "type", "billing_scheme", "tiers_mode")}
    new = create(store, "price", tiers=tiers, **kept)
    shown = {key: value for key, value in new.items() if key != "tiers"}
    items[place] = items[place] | {"price": shown}
    apply(store, sub, Change(items=items, proration="none"))
    return new


def calls(store: Store, world: SeededCompany, one: member.Member, days: int) -> float:
    """API calls of the last days."""
    meter = store.get("billing.meter", world.meter(store, "api_calls"))
    return float(store.usage(meter, one.customer, store.now - days * DAY, store.now))


def test_hazards_come_true_as_often_as_they_say(told: dict[str, list[Obj]]) -> None:
    risk = np.array([row["hazard"] for row in told["hazards"]])
    gave_up = np.array([row["gave_up"] for row in told["hazards"]])
    assert len(risk) > 500
    for part in (risk >= 0, risk < np.quantile(risk, 0.8), risk >= np.quantile(risk, 0.8)):
        spread = np.sqrt((risk[part] * (1 - risk[part])).sum())
        assert abs(gave_up[part].sum() - risk[part].sum()) < 3 * spread


def test_some_leave_after_a_decline_and_others_for_other_causes(told: dict[str, list[Obj]]) -> None:
    causes = {row["churn_cause"] for row in told["customers"]}
    assert {"usage_decline", "other", "payment_failure", None} <= causes
    declined = [row for row in told["customers"] if row["declines"]]
    assert {row["churn_date"] is None for row in declined} == {True, False}
    left = [row for row in told["customers"] if row["churn_date"] and row["ended_on"]]
    assert all(row["churn_date"] <= row["ended_on"] for row in left)
    stopped = [row for row in left if row["churn_cause"] == "payment_failure"]
    assert all(row["churn_date"] < row["ended_on"] for row in stopped)


def test_each_sign_moves_the_hazard_the_way_it_should() -> None:
    company = default()
    base = hazard.hazard(company, "startup", Signs())
    worse = [Signs(usage_left=0.5), Signs(failed_payments=1), Signs(cost_ratio=1.3), Signs(overage=1.0)]
    better = [Signs(has_discount=True), Signs(has_credit=True), Signs(has_offer=True), Signs(cost_ratio=0.8)]
    assert all(hazard.hazard(company, "startup", signs) > base for signs in worse)
    assert all(hazard.hazard(company, "startup", signs) < base for signs in better)
    assert base == pytest.approx(0.026 / 1.026)
    assert hazard.hazard(company, "startup", Signs(0.01, 9, 9.0, 9.0)) == company["hazards"]["highest"]


def test_an_offer_and_a_credit_lower_the_hazard_by_just_their_factors(folder: Path, tmp_path: Path) -> None:
    odds: dict[str, dict[tuple[str, int], float]] = {}
    for kind in ("nothing", "offer", "credit"):
        with opened(copied(folder, tmp_path / kind)) as (store, world):
            since = store.now
            if kind != "nothing":
                with store.transaction():
                    for one in member.everybody(store, open_only=True):
                        world.treated(store, one.customer, kind, 500)
            later(store, 25)
            rows = [row for row in member.hazards(store) if row[2] > since]
        odds[kind] = {(row[0], row[1]): row[3] / (1 - row[3]) for row in rows if row[3] < 0.5}
    spec = default()["hazards"]
    for kind in ("offer", "credit"):
        both = odds[kind].keys() & odds["nothing"].keys()
        assert len(both) > 40
        ratios = [odds[kind][key] / odds["nothing"][key] for key in both]
        assert np.median(ratios) == pytest.approx(spec[kind])


def test_an_offer_in_time_keeps_who_had_decided_to_go(tmp_path: Path) -> None:
    path = tmp_path / "company.toml"
    path.write_text(COMPANY_FILE.read_text().replace("hazard = 0.026", "hazard = 0.5") + "\n[hazards]\noffer = 0.01\n")
    folder = seeded(tmp_path / "seeded", customers=60, months=4, company=path)
    left = {}
    for kind in ("nothing", "offer"):
        with opened(copied(folder, tmp_path / kind)) as (store, world):
            leaving = [one for one in member.everybody(store, open_only=True) if (one.leaves_at or 0) > store.now]
            with store.transaction():
                for one in leaving if kind == "offer" else []:
                    world.treated(store, one.customer, kind, 500)
            later(store, 14)
            due = [one for one in leaving if (one.leaves_at or 0) <= store.now]
            left[kind] = [member.get(store, one.idx).leaves_at == one.leaves_at for one in due]
            told = {row["customer"]: row["gave_up"] for row in truth(store, world, tables=["hazards"])["hazards"]}
            assert [told[one.customer] for one in due] == left[kind]
    assert len(left["nothing"]) > 1
    assert all(left["nothing"])
    assert not any(left["offer"])


def test_a_price_test_has_exactly_the_effect_the_truth_says(folder: Path, tmp_path: Path) -> None:
    with opened(copied(folder, tmp_path / "control")) as (store, world):
        chosen = [one for one in active(store, world) if not one.planted][:12]
        later(store, 28)
        control = [calls(store, world, one, 28) for one in chosen]
    with opened(copied(folder, tmp_path / "test")) as (store, world):
        with store.transaction():
            for one in chosen:
                reprice(store, world, one, 2)
        later(store, 28)
        ratios = np.array([calls(store, world, one, 28) for one in chosen]) / control
        rows = {row["customer"]: row for row in truth(store, world, tables=["price_changes"])["price_changes"]}
        true = {
            (row["segment"], row["event_name"]): row["elasticity"]
            for row in truth(store, world, tables=["elasticity"])["elasticity"]
        }
        segments = [world.person(one.idx).segment for one in chosen]
    assert len(chosen) == 12
    for one, ratio, segment in zip(chosen, ratios, segments, strict=True):
        row = rows[one.customer]
        assert row["ratio"] == pytest.approx(2)
        assert not row["is_own_choice"]
        assert row["usage_factor"] == pytest.approx(2 ** true[segment, "api_calls"])
        assert ratio == pytest.approx(row["usage_factor"], rel=0.002)


def test_elasticity_shows_in_usage_before_and_after(folder: Path, tmp_path: Path) -> None:
    with opened(copied(folder, tmp_path / "test")) as (store, world):
        chosen = active(store, world)
        before = np.array([calls(store, world, one, 56) for one in chosen])
        with store.transaction():
            for one in chosen:
                reprice(store, world, one, 3)
        later(store, 56)
        stayed = [one for one in chosen if not member.get(store, one.idx).declines]
        after = np.array([calls(store, world, one, 56) for one in chosen])
        keep = np.array([one in stayed for one in chosen])
        true = np.mean([hazard.elasticity(world.company, world.person(one.idx).segment, "api_calls") for one in stayed])
    seen = np.median(np.log(after[keep] / before[keep])) / np.log(3)
    assert keep.sum() > 30
    assert seen == pytest.approx(true, abs=0.12)


def test_a_dearer_bill_raises_the_hazard_and_a_cheaper_one_lowers_it(folder: Path, tmp_path: Path) -> None:
    ratios = {}
    for factor in (4, 0):
        with opened(copied(folder, tmp_path / str(factor))) as (store, world), store.transaction():
            for one in [each for each in active(store, world) if sum(each.calls) > 0][:40]:
                reprice(store, world, one, factor)
            found = [one.costs[-1][1] for one in member.everybody(store, open_only=True) if one.costs]
        ratios[factor] = found
    assert ratios[4]
    assert min(ratios[4]) > 1
    assert ratios[0]
    assert max(ratios[0]) < 1


def test_the_marginal_price_is_that_of_the_tier_or_of_the_next_that_costs() -> None:
    def tier(up_to: int | None, amount: str) -> Obj:
        return {"up_to": up_to, "unit_amount_decimal": amount, "flat_amount": None, "flat_amount_decimal": None}

    price = {"billing_scheme": "tiered", "tiers": [tier(100, "0"), tier(200, "3"), tier(None, "2")]}
    assert [hazard.marginal(price, units) for units in (0, 100, 101, 200, 201)] == [3, 3, 3, 3, 2]
    assert hazard.marginal(price | {"tiers": [tier(None, "0")]}, 5) == 0
    package = {"billing_scheme": "per_unit", "unit_amount_decimal": "50", "transform_quantity": {"divide_by": 100}}
    assert hazard.marginal(package, 7) == 0.5


def test_expected_usage_is_what_is_recorded_but_for_noise(folder: Path, told: dict[str, list[Obj]]) -> None:
    with opened(folder) as (store, _):
        today = store.now // DAY
        recorded = {
            (meter, customer): total
            for meter, customer, total in store.db.execute(
                "select meter, customer, sum(value) from usage group by meter, customer"
            )
        }
    expected = recorded_total = 0.0
    for row in told["expected_usage"]:
        start = (date.fromisoformat(row["start_date"]) - date(1970, 1, 1)).days
        assert len(row["values"]) <= today + 35 - start + 1
        excess = sum(
            each["true_excess"]
            for each in told["anomalies"]
            if (each["customer"], each["meter"]) == (row["customer"], row["meter"]) and each["kind"] != "shift"
        )
        if row["event_name"] == "api_calls":
            expected += sum(row["values"][: today - start])
            recorded_total += recorded.get((row["meter"], row["customer"]), 0) / MICRO - excess
    assert recorded_total == pytest.approx(expected, rel=0.03)


def test_the_horizon_adds_days_of_expectation_and_changes_none(folder: Path) -> None:
    with opened(folder) as (store, world):
        short, long = (
            truth(store, world, horizon=days, tables=["expected_usage"])["expected_usage"] for days in (1, 30)
        )
    for first, second in zip(short, long, strict=True):
        assert second["values"][: len(first["values"])] == first["values"]
    assert max(len(b["values"]) - len(a["values"]) for a, b in zip(short, long, strict=True)) == 29


def test_only_the_tables_asked_for_are_told_and_an_unknown_one_is_refused(folder: Path) -> None:
    with opened(folder) as (store, world):
        assert list(truth(store, world, tables=["hazards", "elasticity"])) == ["now", "hazards", "elasticity"]
        with pytest.raises(SandboxError, match=r"no table gold: there are customers, hazards"):
            truth(store, world, tables=["gold"])


def test_every_anomaly_is_labelled_with_what_it_added(folder: Path, told: dict[str, list[Obj]]) -> None:
    with opened(folder) as (store, _):
        events = {
            (meter, customer, iso_date(at // DAY)): value / MICRO
            for meter, customer, at, value in store.db.execute("select meter, customer, at, value from usage")
        }
        today = iso_date(store.now // DAY)
    assert {row["kind"] for row in told["anomalies"]} >= {"spike", "zero"}
    for row in told["anomalies"]:
        actual = events.get((row["meter"], row["customer"], row["date"]), 0.0)
        assert row["date"] <= today
        if row["kind"] == "zero":
            assert actual == 0
            assert row["true_excess"] <= 0
        else:
            assert row["true_excess"] == pytest.approx(actual * (1 - 1 / row["factor"]), rel=0.002, abs=10)


def test_every_column_of_the_truth_is_documented(told: dict[str, list[Obj]]) -> None:
    text = (ROOT / "docs" / "sandbox-company.md").read_text().partition("## The truth")[2]
    for name in TABLES:
        assert f"| `{name}`" in text
        assert told[name] or name == "price_changes", name
        for column in told[name][0] if told[name] else ():
            assert f"`{column}`" in text, column
