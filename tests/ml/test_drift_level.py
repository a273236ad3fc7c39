"""Level drift: what moves everybody is no drift, a segment that leaves its own level is, and is named."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ml import drift_level, watch
from tests.ml import drift_worlds

DAY = 700  # in the middle of an autumn: two years of days behind it, a month end and no holiday around it
Floats = NDArray[np.float64]


def levels_of(world: drift_worlds.World, day: int) -> pd.DataFrame:
    rows = world.asof(day)
    customers = rows[["account_id", "customer_id", "origin_date", "segment"]]
    return watch.levels(rows.drop(columns="segment"), customers, drift_worlds.FIRST + timedelta(days=day))


def weekly(count: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Ratios of items around 1, at 53 weekly origins."""
    return {name: np.exp(rng.normal(0, 0.2, (count, 53))) for name in drift_level.RATIOS}


def of_segments(count: int, name: str = "plan") -> pd.DataFrame:
    return pd.DataFrame({"customer_id": [f"cus_{i}" for i in range(count)], name: ["a", "b"] * (count // 2)})


def test_weekdays_month_ends_holidays_seasons_and_growth_are_no_drift() -> None:
    world = drift_worlds.build(2)
    turn_of_the_year = (pd.Timestamp("2026-01-03") - pd.Timestamp(drift_worlds.FIRST)).days
    month_end = (pd.Timestamp("2026-09-30") - pd.Timestamp(drift_worlds.FIRST)).days
    for day in (turn_of_the_year, month_end, month_end + 3):
        found = levels_of(world, day)
        assert found["p_value"].notna().sum() > 15
        assert not found["is_breach"].any(), found[found["is_breach"]]


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_fifth_more_or_less_of_75_customers_is_seen_within_14_days_and_named(factor: float) -> None:
    world = drift_worlds.build(3)
    known = world.items.loc[~np.isnan(world.daily[:, DAY - 200]), "customer_id"].unique()
    segment = set(np.random.default_rng(1).choice(known, 75, replace=False))
    labelled = world.items.assign(segment=np.where(world.items["customer_id"].isin(segment), "moved", "others"))
    moved = drift_worlds.World(labelled, world.daily).shifted(segment, DAY - 13, factor)
    found = levels_of(moved, DAY)
    breach = found[found["is_breach"] & (found["segment"] == "segment:moved")]
    assert len(breach)
    assert np.sign(breach["effect"]).tolist() == [np.sign(factor - 1)] * len(breach)
    assert not found.loc[found["segment"] == "segment:others", "is_breach"].any()  # they only seem to have moved


def test_where_one_of_three_segments_moved_only_that_one_is_named() -> None:
    rng = np.random.default_rng(4)
    items = pd.DataFrame({"customer_id": [f"cus_{i}" for i in range(240)], "plan": np.repeat(["a", "b", "c"], 80)})
    ratios = weekly(240, rng)
    for values in ratios.values():
        values[80:160, -1] *= 0.8
    found = drift_level.tests(items, ratios)
    flags, _ = drift_level.breaches(found)
    named = {one.segment for one, flag in zip(found, flags, strict=True) if flag}
    assert named - {"all"} == {"plan:b"}


def test_all_customers_together_are_held_against_their_own_year() -> None:
    rng = np.random.default_rng(5)
    items, ratios = of_segments(200), weekly(200, rng)
    for values in ratios.values():
        values[:, -2:] *= 0.8
    found = {(one.feature, one.segment): one for one in drift_level.tests(items, ratios)}
    flags, _ = drift_level.breaches(list(found.values()))
    assert {name for name, flag in zip(found, flags, strict=True) if flag} == {(one, "all") for one in ratios}
    for values in ratios.values():
        values[:, 0] *= 0.8  # the same week a year before was like that: a season
    assert not any(drift_level.breaches(drift_level.tests(items, ratios))[0])


def test_the_rank_sum_is_wilcoxons_with_ties_at_their_mean_rank() -> None:
    rng = np.random.default_rng(6)
    values, inside = rng.integers(0, 9, 90).astype(float), np.arange(90) < 40
    # an oracle by the textbook's pairs: U counts wins and half ties; its variance has the correction for ties
    one, other = values[inside], values[~inside]
    u = float((one[:, None] > other).sum() + 0.5 * (one[:, None] == other).sum())
    ties = np.unique(values, return_counts=True)[1].astype(float)
    variance = 40 * 50 / 12 * (91 - float((ties**3 - ties).sum()) / (90 * 89))
    sums = drift_level._rank_sums(drift_level._ranks(values[:, None]), inside)
    assert sums == pytest.approx([(u - 1000) / np.sqrt(variance)])


def test_false_discoveries_are_held_over_all_tests_together() -> None:
    def level(p: float | None, effect: float = 0.2) -> drift_level.Level:
        return drift_level.Level("mean_7_over_91", "plan:a", 80, None if p is None else 4.0, p, effect)

    found = [level(0.0004), level(0.012), level(None), level(0.0049), level(0.9)]
    assert drift_level.breaches(found, q=0.01)[0] == [True, False, False, True, False]  # .01 x 2/4 = .005
    assert drift_level.breaches([level(0.0001, effect=0.02)])[0] == [False]  # sure, and too small to matter
    assert drift_level.breaches([level(None)]) == ([False], None)


@pytest.mark.parametrize("what", ["unknown", "constant", "one_day"])
def test_what_says_nothing_is_not_judged(what: str) -> None:
    items, ratios = of_segments(100), weekly(100, np.random.default_rng(7))
    for values in ratios.values():
        if what == "unknown":
            values[:] = np.nan
        if what == "constant":
            values[:] = 1.0
        if what == "one_day":
            values[:, :-1] = np.nan
    found = drift_level.tests(items, ratios)
    assert not any(drift_level.breaches(found)[0])
    everybody = [one for one in found if one.segment == "all"]
    assert all(one.p_value is None or what == "constant" for one in everybody)
    assert bool([one for one in found if one.segment != "all"]) == (what != "unknown")


def test_a_segment_of_few_customers_is_shown_and_not_judged() -> None:
    items = pd.DataFrame({"customer_id": [f"cus_{i}" for i in range(100)], "plan": ["small"] * 19 + ["large"] * 81})
    found = drift_level.tests(items, weekly(100, np.random.default_rng(8)))
    assert {one.segment: one.p_value for one in found}["plan:small"] is None
    assert {one.segment: one.n for one in found}["plan:small"] == 19
