"""The generated panels are what they are said to be, so that a figure on them means something."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests.benches.ml.baselines import forecast, last_of_weekday
from tests.benches.ml.panels import PANELS, Intermittent, Yearly, draw

YEARLY = [name for name, (kind, _) in PANELS.items() if isinstance(kind, Yearly)]
INTERMITTENT = [name for name in PANELS if name not in YEARLY]


@cache
def drawn(name: str) -> pd.DataFrame:
    return draw(*PANELS[name])


def wide(name: str) -> pd.DataFrame:
    return drawn(name).pivot(index="ds", columns="unique_id", values="y").asfreq("D")


@pytest.mark.parametrize("name", list(PANELS))
def test_a_panel_has_one_row_per_series_and_day_and_nothing_negative(name: str) -> None:
    panel = drawn(name)
    kind = PANELS[name][0]
    assert list(panel.columns) == ["unique_id", "ds", "y"]
    assert not panel.duplicated(["unique_id", "ds"]).any()
    assert panel["unique_id"].nunique() == kind.series
    assert panel["ds"].max() == pd.Timestamp(kind.last)
    assert (panel["y"].dropna() >= 0).all()


@pytest.mark.parametrize("name", list(PANELS))
def test_a_seed_gives_the_same_panel_again_and_another_seed_another(name: str) -> None:
    kind, seed = PANELS[name]
    small = replace(kind, series=12)
    pd.testing.assert_frame_equal(draw(small, seed), draw(small, seed))
    assert not draw(small, seed).equals(draw(small, seed + 1))


@pytest.mark.parametrize("name", YEARLY)
def test_the_season_of_the_year_is_strong_and_each_series_has_its_own(name: str) -> None:
    months = wide(name).groupby(lambda day: day.month).mean()
    ratio = months.max() / months.min()
    assert 2 < ratio.median() < 5
    assert months.idxmax().nunique() >= 5


@pytest.mark.parametrize("name", YEARLY)
def test_weeks_are_missing_as_nulls_and_as_rows_left_out_and_some_series_begin_late(name: str) -> None:
    panel = drawn(name)
    assert panel["y"].isna().any()
    spans = panel.groupby("unique_id")["ds"].agg(["min", "max", "size"])
    days = (spans["max"] - spans["min"]).dt.days + 1
    assert (spans["size"] < days - 6).mean() > 0.2
    assert 0.1 < (spans["min"] > panel["ds"].min()).mean() < 0.6
    runs = wide(name).apply(lambda series: longest_gap(series.to_numpy()))
    assert (runs >= 7).mean() > 0.4
    assert (panel["y"] == 0).mean() < 0.15


@pytest.mark.parametrize("name", INTERMITTENT)
def test_more_than_half_of_the_days_are_zero_and_demand_comes_in_bursts(name: str) -> None:
    panel = drawn(name)
    kind = PANELS[name][0]
    assert 0.5 < (panel["y"] == 0).mean() < 0.75
    assert 420 <= kind.days <= 450
    by_series = panel.groupby("unique_id")["y"].agg(["mean", "var", "size"])
    seen = by_series[by_series["mean"] > 0]
    assert (seen["var"] > seen["mean"]).mean() > 0.8  # a Poisson's would be equal
    assert (by_series["size"] < kind.days).mean() > 0.1


def test_weekdays_matter_to_both_kinds() -> None:
    for name in ("yearly", "intermittent"):
        by_day = drawn(name).groupby(drawn(name)["ds"].dt.day_of_week)["y"].mean()
        assert by_day.max() / by_day.min() > 1.15


def test_a_small_intermittent_panel_can_be_asked_for() -> None:
    assert draw(Intermittent(series=3, days=120), 1)["unique_id"].nunique() == 3


def test_a_naive_forecast_takes_the_last_observed_values_of_a_weekday() -> None:
    days = np.arange(1.0, 36.0)[None, :]
    days[0, 27] = np.nan  # the last but one of tomorrow's weekday
    assert last_of_weekday(days, 1)[0].tolist() == [29, 30, 31, 32, 33, 34, 35]
    assert last_of_weekday(days, 4)[0, 0] == (29 + 22 + 15 + 8) / 4
    assert last_of_weekday(days, 4)[0, 6] == (35 + 21 + 14 + 7) / 4
    assert last_of_weekday(np.array([[4.0, np.nan]]), 4)[0].tolist() == [4.0] * 7


def test_the_naive_forecasts_have_the_scorers_shape_and_see_nothing_after_a_cutoff() -> None:
    panel = drawn("intermittent2").query("unique_id < 'sku-0020'")
    later = panel.assign(y=panel["y"].where(panel["ds"] <= panel["ds"].max() - pd.Timedelta(days=28), 1e6))
    kept = ["unique_id", "cutoff", "ds", "mean", "median", "q025", "q10", "q90", "q975"]
    first, poisoned = (forecast(each, "weekday_mean", 28, 2) for each in (panel, later))
    assert set(kept) <= set(first.columns)
    pd.testing.assert_frame_equal(first, poisoned)
    bounds = first[["q025", "q10", "median", "q90", "q975"]].to_numpy()
    assert (np.diff(bounds, axis=1) >= 0).all()


def longest_gap(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """Days of the longest run without a value between the first and the last one."""
    known = np.flatnonzero(~np.isnan(values))
    return int(np.diff(known).max() - 1) if len(known) > 1 else 0
