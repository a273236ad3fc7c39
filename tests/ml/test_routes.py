"""Which method serves whom, and that every series gets a forecast, whatever it looks like."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from ml import backtest, forecast, matrix, routes
from ml.panel import vocabulary
from ml.routes import COHORT_MEAN, SEASONAL_NAIVE, WEEKDAY_MEAN, XGBOOST, Served
from tests.ml.panels import Floats, panel_of, usage

FEW = forecast.Recipe(rows=3_000, median_rounds=8, mean_rounds=2)


def test_items_are_cold_mostly_zero_or_regular() -> None:
    some_zero, mostly_zero = np.full(60, 5.0), np.full(60, 5.0)
    some_zero[-14:], mostly_zero[-15:] = 0.0, 0.0
    young, grown, idle = np.full(60, 5.0), np.full(60, 5.0), np.zeros(60)
    young[:33], grown[:32] = np.nan, np.nan
    panel = panel_of(np.stack([some_zero, mostly_zero, young, grown, idle, np.full(60, -3.0)]))
    found = routes.demand_class(panel, np.arange(6)).tolist()
    assert found == ["regular", "intermittent", "cold", "regular", "cold", "cold"]


def young_among_grown(days: int, noise: float) -> tuple[Floats, float, float]:
    """Eight grown items about a level of 100 and one of `days` days at 900; its own and its cohort's level."""
    rng = np.random.default_rng(2)
    levels = np.array([80.0, 85, 93, 97, 103, 106, 114, 125])  # so near that noisy days would count for long
    grown = levels[:, None] * (1 + noise * rng.choice([-1.0, 1.0], (8, 112)))
    young = np.full((1, 112), 900.0)
    young[:, :-days] = np.nan
    return np.vstack([grown, young]), 900.0, float(np.median(np.log(levels)))


@pytest.mark.parametrize("days", [1, 3, 10, 20])
def test_a_young_items_level_leans_on_its_cohort_less_with_every_day_and_less_where_days_are_calm(days: int) -> None:
    shares = []
    for noise in (0.05, 0.9):
        values, own, _ = young_among_grown(days, noise)
        panel = panel_of(values)
        logs = [math.log(panel.features["level"][item]) for item in range(8)]
        noises = [(panel.features["sd_28"][item] / panel.features["level"][item]) ** 2 for item in range(8)]
        k = min(14.0, statistics.median(noises) / statistics.variance(logs))
        share = days / (days + k)
        expected = math.exp(share * math.log(own) + (1 - share) * statistics.median(logs))
        said = routes.candidates(panel, np.array([8]), None)[COHORT_MEAN].mean
        assert said == pytest.approx(np.full((1, 14), expected))
        shares.append(share)
    assert shares[0] > shares[1] == days / (days + 14)


def test_a_new_item_without_usage_gets_its_cohorts_level_for_a_week_and_then_its_own_zero() -> None:
    values, _, middle = young_among_grown(7, 0.0)
    older = values[8].copy()
    values[8, -7:], older[-8:] = 0.0, 0.0
    panel = panel_of(np.vstack([values, older]))
    said = routes.candidates(panel, np.array([8, 9]), None)[COHORT_MEAN].mean
    assert said[0] == pytest.approx(np.full(14, math.exp(middle)))
    assert (said[1] == 0).all()


def test_items_of_another_meter_and_cohorts_of_four_teach_nothing() -> None:
    values, own, _ = young_among_grown(3, 0.2)
    for kept, meters in ((9, ["calls"] * 8 + ["bytes"]), (4, None)):
        panel = panel_of(np.vstack([values[:kept][:8], values[8:]]), meters=meters)
        said = routes.candidates(panel, np.array([len(panel.item) - 1]), None)[COHORT_MEAN].mean
        assert said == pytest.approx(np.full((1, 14), own))


def test_a_segment_is_served_by_what_was_best_on_it_and_every_row_says_so() -> None:
    rng = np.random.default_rng(4)
    values = usage(rng, 480, 60)
    values[200:280, rng.uniform(size=60) < 0.7] = 0.0
    values[200:280, -10:] = 0.0
    meters = ["calls"] * 280 + ["bytes"] * 200
    panel = panel_of(values, meters=meters)
    rows = np.arange(480)
    actual = rng.uniform(50, 150, (480, 14))
    wrong, right = actual * 1.5, actual * 1.01

    def said(name: str, good: Floats) -> Served:
        return Served(*(np.where(good[:, None], right, wrong),) * 2, np.full(480, name))

    demand = routes.demand_class(panel, rows)
    is_regular, is_calls = demand == "regular", np.array(meters) == "calls"
    assert is_regular.sum() == 400
    tried = {
        SEASONAL_NAIVE: said(SEASONAL_NAIVE, ~is_regular),
        WEEKDAY_MEAN: said(WEEKDAY_MEAN, is_regular & ~is_calls),
        COHORT_MEAN: said(COHORT_MEAN, np.zeros(480, dtype=bool)),
        XGBOOST: said(XGBOOST, is_regular & is_calls),
    }
    served = routes.serve(panel, rows, routes.choose(panel, rows, actual, tried), tried)
    assert set(served.method[is_regular & is_calls]) == {XGBOOST}
    assert set(served.method[is_regular & ~is_calls]) == {WEEKDAY_MEAN}
    assert set(served.method[~is_regular]) == {SEASONAL_NAIVE}
    assert np.array_equal(served.mean, right)
    assert np.array_equal(served.median, right)


def test_of_equals_the_model_serves_and_too_few_rows_choose_nothing_of_their_own() -> None:
    rng = np.random.default_rng(5)
    values = usage(rng, 100, 60)
    values[92:, -20:] = 0.0  # 8 mostly idle ones
    panel, rows = panel_of(values), np.arange(100)
    actual = rng.uniform(50, 150, (100, 14))
    tried = {name: Served(actual, actual, np.full(100, name)) for name in (SEASONAL_NAIVE, WEEKDAY_MEAN, XGBOOST)}
    assert routes.choose(panel, rows, actual, tried) == {"all": XGBOOST, "cold": COHORT_MEAN, "regular": XGBOOST}
    nothing = np.full((100, 14), np.nan)
    assert routes.choose(panel, rows, nothing, tried) == {"all": WEEKDAY_MEAN, "cold": COHORT_MEAN}


def test_a_method_that_is_not_there_is_replaced_by_the_weekday_mean_which_is_what_the_row_says() -> None:
    panel = panel_of(usage(np.random.default_rng(6), 3, 60))
    rows = np.arange(3)
    tried = routes.candidates(panel, rows, None)
    served = routes.serve(panel, rows, {"all": XGBOOST}, tried)
    assert set(served.method) == {WEEKDAY_MEAN}
    assert np.array_equal(served.mean, tried[WEEKDAY_MEAN].mean)


ODD = ["zeros", "one point", "negative", "silent", "short", "constant", "zero since a month", "one long ago"]


def odd() -> Floats:
    values = np.full((len(ODD), 200), np.nan)
    values[0] = 0.0
    values[1, -1] = 7.0
    values[2] = -5.0
    values[3, :-80] = 30.0
    values[4, -10:] = np.arange(10.0)
    values[5] = 12.0
    values[6] = 40.0
    values[6, -30:] = 0.0
    values[7, 0] = 3.0
    return values


def test_every_series_gets_a_finite_forecast_that_is_not_negative_with_a_stated_method() -> None:
    values = np.vstack([odd(), usage(np.random.default_rng(7), 12, 200)])
    panel = panel_of(values, back=range(0, 190, 7))
    picked = panel.at(panel.as_of)
    heads = forecast.fit(panel, panel.as_of, vocabulary(panel.rows, matrix.CATEGORIES), 1, FEW)
    assert len(picked) == len(values)
    assert heads is not None
    for fitted in (heads, None):
        tried = routes.candidates(panel, picked, fitted)
        for name in tried:
            served = routes.serve(panel, picked, {"all": name}, tried)
            for said in (served.mean, served.median):
                assert np.isfinite(said).all(), name
                assert (said >= 0).all(), name
            assert set(served.method) == {name}
            assert (served.mean[[ODD.index("zeros"), ODD.index("negative")]] == 0).all()
    plain = tried[WEEKDAY_MEAN].mean
    assert plain[ODD.index("constant")] == pytest.approx(np.full(14, 12.0))
    assert plain[ODD.index("silent")] == pytest.approx(np.full(14, 30.0))


def test_an_account_of_odd_series_only_has_no_model_and_is_judged_on_every_day_there_was() -> None:
    panel = panel_of(odd()[[0, 4, 2]], back=range(0, 190, 7))
    block = backtest.run(panel, FEW, vocabulary(panel.rows, matrix.CATEGORIES), 1)
    assert XGBOOST not in block.forecasts  # nothing has a level to learn from
    found = backtest.judge(panel, block, WEEKDAY_MEAN).figures
    assert found.query("metric == 'cov80' and segment == 'all'")["n"].item() == (~np.isnan(block.actual)).sum()
