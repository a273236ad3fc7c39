import json
from pathlib import Path

import numpy as np

from sandbox import plants, state
from sandbox.clock import DAY, WORLD_END, iso_date
from sandbox.population import Population, read_company
from sandbox.rating import rate
from sandbox.settings import COMPANY_FILE
from sandbox.store import Store
from sandbox.truth import truth
from sandbox.usage import Plant, daily_use, normal_use


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(seeded: Path, tmp_path: Path) -> None:
    def contents(folder: Path) -> list[tuple[str, str]]:
        store = state.open_store(folder, read_only=True)
        rows: list[tuple[str, str]] = store.db.execute("select id, json from object order by seq").fetchall()
        return rows

    for name, seed in (("same", 7), ("other", 8)):
        (tmp_path / name).mkdir()
        state.seed(tmp_path / name, customers=40, months=8, seed=seed)
    assert contents(tmp_path / "same") == contents(seeded)
    assert contents(tmp_path / "other") != contents(seeded)


def test_usage_of_a_day_does_not_depend_on_the_days_asked_for() -> None:
    population = Population(read_company(COMPANY_FILE), 7, 40, 8)
    person = population.person(3)
    first = person.joins_at // DAY
    long, _ = daily_use(population.company, 7, person, "api_calls", np.arange(first, first + 200), Plant())
    short, _ = daily_use(population.company, 7, person, "api_calls", np.arange(first + 50, first + 60), Plant())
    assert short.tolist() == long[50:60].tolist()


def test_customers_who_lose_interest_use_less_before_they_leave() -> None:
    population = Population(read_company(COMPANY_FILE), 7, 200, 24)
    fallers = [person for person in map(population.person, range(200)) if person.decline_from][:20]
    ratios = []
    for person in fallers:
        assert person.decline_from is not None
        start, end = person.decline_from // DAY, person.leaves_at // DAY
        days = np.arange(start - 21, end)
        used = normal_use(population.company, 7, person, "api_calls", days)
        ratios.append(used[-7:].mean() / used[:21].mean())
    assert np.median(ratios) < 0.55


def test_the_default_company_has_customers_near_their_quota_and_costly_spikes() -> None:
    arranged = plants.arrange(Population(read_company(COMPANY_FILE), 7, 200, 24))
    assert sum(1 for plant in arranged.values() if plant.spikes) >= 5
    assert sum(1 for plant in arranged.values() if not plant.spikes) >= 5
    assert all(0.1 < plant.scale < 10 for plant in arranged.values())


def test_planted_customers_of_the_small_company_are_as_promised(company: Store) -> None:
    engine = state.open_engine(company)
    near, costly = 0, 0
    spikes = truth(engine)["anomalies"]
    for idx, customer, subscription in company.db.execute("select idx, customer, subscription from member"):
        plant = engine.plants.get(idx)
        if plant is None:
            continue
        sub = company.get("subscription", subscription)
        assert sub["status"] == "active"
        item = next(i for i in sub["items"]["data"] if "_api_calls_" in i["price"]["lookup_key"])
        included = company.get("price", item["price"]["id"])["tiers"][0]["up_to"]
        used = company.usage(engine.meters["api_calls"], customer, item["current_period_start"], WORLD_END)
        near += not plant.spikes and used >= included * 8 // 10
        mine = [row for row in spikes if row["customer"] == customer and row["event_name"] == "api_calls"]
        late = [row for row in mine if row["date"] >= iso_date(WORLD_END // DAY - 26)]
        costly += bool(plant.spikes and late and all(row["true_excess"] > 0 for row in late))
    assert near >= 5
    assert costly >= 5


def test_prices_make_an_upgrade_worth_it_only_well_above_the_quota(company: Store) -> None:
    from decimal import Decimal

    prices = {price["lookup_key"]: price for price in company.all("price")}

    def monthly(plan: str, calls: int) -> int:
        fee: int = prices[f"{plan}_fee_usd"]["unit_amount"]
        return fee + sum(part.amount for part in rate(prices[f"{plan}_api_calls_usd"], Decimal(calls)))

    assert monthly("starter", 120_000) < monthly("growth", 120_000)
    assert monthly("starter", 180_000) > monthly("growth", 180_000)


def test_the_truth_names_each_spike_and_who_leaves_why(company: Store) -> None:
    told = json.loads(json.dumps(truth(state.open_engine(company))))
    assert len(told["customers"]) == 40
    assert {row["churn_cause"] for row in told["customers"]} == {"usage_decline", "payment_failure", "other"}
    for row in told["anomalies"]:
        assert 3 <= row["factor"] <= 8
        assert row["kind"] == "spike"
        assert row["date"] <= iso_date(WORLD_END // DAY)
