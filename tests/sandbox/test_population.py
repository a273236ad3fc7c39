"""Who the customers are, how they use, and that the same seed is the same company."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sandbox import member, state, usage
from sandbox.clock import DAY, WORLD_END
from sandbox.population import Population
from sandbox.store import MICRO
from sandbox.usage import Floats, Items, Wholes
from tests.sandbox.worlds import changed, contents, copied, default, later, opened, seeded

END = WORLD_END // DAY


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state that nobody changes."""
    return seeded(tmp_path_factory.mktemp("company") / "sandbox", customers=40, months=8, seed=1)


def used(items: Items, days: Wholes) -> Floats:
    """Units recorded by a customer to whom nothing happens but anomalies: rows are items."""
    first, last = int(days[0]), int(days[-1])
    path = usage.path(items, first, last)
    shifts, passing = usage.factors(usage.anomalies(items, [], first, last), days, len(items.meters))
    recorded = usage.quantities(path.expectation * path.noise * shifts * passing, items)
    return np.asarray(recorded * (1.0 / MICRO), np.float64)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(folder: Path, tmp_path: Path) -> None:
    first = contents(folder)
    assert contents(seeded(tmp_path / "same", customers=40, months=8, seed=1)) == first
    assert contents(seeded(tmp_path / "other", customers=40, months=8, seed=8)) != first


def test_one_long_step_of_time_is_two_short_ones_and_a_restart(folder: Path, tmp_path: Path) -> None:
    with opened(copied(folder, tmp_path / "long")) as (store, _):
        later(store, 30)
    with opened(copied(folder, tmp_path / "short")) as (store, _):
        later(store, 10)
    with opened(tmp_path / "short") as (store, _):
        later(store, 20)
    assert contents(tmp_path / "short") == contents(tmp_path / "long")


@pytest.mark.parametrize("seed", [7, 1, 2])
def test_usage_is_as_noisy_as_real_accounts(seed: int) -> None:
    """WAPE of 28-day item sums, each meter in its own unit: the last week's four times over, last three months."""
    company, naive, truth, total = default(), 0.0, 0.0, 0.0
    people = Population(company, seed, 300, 24)
    for idx in range(300):
        person = people.person(idx)
        days = np.arange(END - 28 * 4, END, dtype=np.int64)
        if person.joins_at // DAY > days[0]:
            continue
        recorded = used(person.items, days)
        for begin in (28, 56, 84):
            sums = recorded[:, begin : begin + 28].sum(axis=1)
            naive += np.abs(4 * recorded[:, begin - 7 : begin].sum(axis=1) - sums).sum()
            path = usage.path(person.items, int(days[begin]), int(days[begin]) + 27)
            truth += np.abs(path.expectation.sum(axis=1) - sums).sum()
            total += sums.sum()
    assert 0.12 < naive / total < 0.30
    assert truth < 0.75 * naive  # there is something to learn


def test_usage_of_a_day_does_not_depend_on_the_days_asked_for() -> None:
    company = default()
    items = Population(company, 7, 40, 8).person(3).items
    first = items.joins_at // DAY
    long = used(items, np.arange(first, first + 200))
    usage._piece.cache_clear()
    assert used(items, np.arange(first + 50, first + 60)).tolist() == long[:, 50:60].tolist()


def test_noise_leaves_the_expectation_where_it_is() -> None:
    company = default()
    items = [person.items for person in map(Population(company, 7, 200, 24).person, range(200))]
    paths = [usage.path(each, END - 600, END - 1) for each in items]
    assert np.concatenate([path.noise.ravel() for path in paths]).mean() == pytest.approx(1, abs=0.01)


def test_weekends_holidays_and_seasons_are_in_the_expectation() -> None:
    company = changed(usage={"drift": 0, "peak_day": 196, "ramp_days": 1})
    for segment in company["segments"].values():
        segment |= {"growth": 0, "growth_spread": 0, "season": 0.5, "weekend": [0.5, 0.5]}
    items = Population(company, 7, 50, 24).person(0).items
    days = np.arange(END - 365, END, dtype=np.int64)
    calls = usage.path(items, int(days[0]), int(days[-1])).expectation[0]
    weekday, dates = (days + 3) % 7, days.astype("datetime64[D]").astype(str)
    july, january = calls[np.char.startswith(dates, "2026-07")], calls[np.char.startswith(dates, "2026-01")]
    assert july.mean() / january.mean() == pytest.approx(np.exp(1), rel=0.1)
    assert calls[weekday >= 5].mean() / calls[weekday < 5].mean() == pytest.approx(0.5 / 1.2, rel=0.05)
    christmas = int(np.argmax(dates == "2025-12-25"))
    assert calls[christmas] / calls[christmas + 14] == pytest.approx(0.6, rel=0.1)


def test_rarely_used_items_are_silent_on_most_days_and_not_less_on_the_whole() -> None:
    company = changed(usage={"intermittent": 1, "compute": 1})
    items = Population(company, 7, 20, 24).person(0).items
    noise = usage.path(items, END - 600, END - 1).noise[items.meters.index("compute_seconds")]
    assert (noise == 0).mean() == pytest.approx(0.75, abs=0.06)
    assert noise.mean() == pytest.approx(1, abs=0.2)


def test_anomalies_come_as_often_as_the_file_says() -> None:
    company = default()
    rates = {kind: spec["per_item_month"] for kind, spec in company["anomalies"].items()}
    found, months = dict.fromkeys(rates, 0), 0.0
    people = Population(company, 7, 600, 24)
    for idx in range(600):
        items = people.person(idx).items
        months += (END - items.joins_at / DAY - 14) / 30 * int((items.each["is_on"] == 1).sum())
        for anomaly in usage.anomalies(items, [], items.joins_at // DAY, END):
            low, high = company["anomalies"][anomaly.kind]["factor"]
            assert low <= anomaly.factor <= high
            found[anomaly.kind] += 1
    for kind, rate in rates.items():
        assert found[kind] / months == pytest.approx(rate, rel=0.3), kind


def test_signups_fall_on_any_second_in_order_and_all_within_history() -> None:
    population = Population(default(), 7, 300, 24)
    joins = [population.joins_at(idx) for idx in range(310)]
    assert all(first < second for first, second in pairwise(joins))
    assert joins[0] >= population.start
    assert joins[299] < WORLD_END <= joins[300]
    assert sum(at < population.start + 28 * DAY for at in joins) == 90
    assert all(at % DAY for at in joins)
    hours = np.bincount([at % DAY // 3600 for at in joins], minlength=24)
    assert hours.max() < 30


def test_customers_are_shared_out_as_the_file_says() -> None:
    company = default()
    people = [Population(company, 7, 3000, 24).person(idx) for idx in range(3000)]
    for currency, weight in company["currencies"].items():
        assert np.mean([person.currency == currency for person in people]) == pytest.approx(weight, abs=0.03)
    for name, segment in company["segments"].items():
        mine = [person for person in people if person.segment == name]
        assert len(mine) / 3000 == pytest.approx(segment["share"], abs=0.03)
        for plan, weight in segment["plans"].items():
            assert np.mean([person.plan == plan for person in mine]) == pytest.approx(weight, abs=0.05)


def test_billing_periods_begin_at_the_second_of_signup(folder: Path) -> None:
    with opened(folder) as (store, world):
        for one in member.everybody(store):
            sub = store.get("subscription", one.subscription)
            joined = world.person(one.idx).joins_at
            assert sub["billing_cycle_anchor"] == sub["created"] == joined
            if sub["status"] == "active":
                assert sub["items"]["data"][0]["current_period_start"] % DAY == joined % DAY


def test_usage_is_recorded_once_a_day_at_any_second_and_ends_with_the_subscription(folder: Path) -> None:
    with opened(folder) as (store, _):
        rows = store.db.execute("select meter, customer, at from usage").fetchall()
        ends = dict(store.db.execute("select customer, ends_at from member").fetchall())
    assert len({(meter, customer, at // DAY) for meter, customer, at in rows}) == len(rows)
    seconds = [at % DAY for _, _, at in rows]
    assert np.histogram(seconds, bins=24, range=(0, DAY))[0].min() > len(rows) / 24 * 0.8
    assert all(at < (ends[customer] or WORLD_END) for _, customer, at in rows)
    assert any(ends.values())


def test_planted_customers_are_near_their_quota_or_have_a_costly_spike(folder: Path) -> None:
    near = costly = 0
    with opened(folder) as (store, world):
        meter = store.get("billing.meter", world.meter(store, "api_calls"))
        for one in member.everybody(store, open_only=True):
            if not one.planted:
                continue
            item = next(
                item
                for item in store.get("subscription", one.subscription)["items"]["data"]
                if "_api_calls_" in item["price"]["lookup_key"]
            )
            included = store.get("price", item["price"]["id"])["tiers"][0]["up_to"]
            start = item["current_period_start"]
            spikes = [each for each in one.planted if each.kind == "spike"]
            near += not spikes and store.usage(meter, one.customer, start, WORLD_END) >= included * 8 // 10
            costly += bool(spikes) and spikes[0].first >= END - 26
    assert near >= 5
    assert costly >= 5


def test_an_empty_account_has_no_company(tmp_path: Path) -> None:
    state.seed(tmp_path, customers=1, months=2, seed=7, empty=True)
    store = state.open_store(tmp_path)
    assert store.rows("customer") == store.rows("product") == store.rows("billing.meter") == []
    assert store.meta("company") is None
    store.db.close()
