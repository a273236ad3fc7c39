"""Bands must hold what they promise on data they have not seen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import intervals, metrics
from ml.intervals import Bands, calibrate, held_out_bands, ranked
from ml.panel import Floats
from tests.ml.panels import panel_of


def noisy(seed: int, rows: int = 600) -> tuple[Floats, Floats, Floats]:
    """Actuals whose noise grows with the horizon and with each row's own scale; skewed, not normal."""
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.normal(1, 1, rows))
    centre = np.full((rows, 28), 1000.0)
    noise = (rng.gamma(2, 1, (rows, 28)) - 2) * np.sqrt(1 + np.arange(28) / 14)
    return centre + scale[:, None] * noise, centre, scale


def blocks(rows: int, count: int) -> NDArray[np.datetime64]:
    """`count` origins of the same number of rows."""
    days = np.datetime64("2026-01-03") + 28 * np.arange(count)
    return days[np.arange(rows) % count]


def test_bands_learned_on_one_sample_cover_another_as_promised() -> None:
    actual, centre, scale = noisy(1)
    group = np.full(len(scale), "xgboost")
    bands = calibrate(actual, centre, scale, group, blocks(600, 6))
    fresh, centre, scale = noisy(2)
    said = bands.around(centre, scale, group)
    assert metrics.coverage(fresh, said["q10"], said["q90"]) == pytest.approx(0.80, abs=0.02)
    assert metrics.coverage(fresh, said["q025"], said["q975"]) == pytest.approx(0.95, abs=0.01)
    last_week = metrics.coverage(fresh[:, 21:], said["q10"][:, 21:], said["q90"][:, 21:])
    assert last_week == pytest.approx(0.80, abs=0.03)


def test_quantiles_never_cross_and_never_fall_below_zero() -> None:
    table = {str(week): {"q025": 0.5, "q10": -3.0, "q90": -1.0, "q975": -2.0} for week in range(1, 5)}
    said = Bands({"all": table}).around(np.full((2, 28), 1.0), np.array([1.0, 0.2]), np.array(["a", "b"]))
    stacked = np.stack([said["q025"], said["q10"], np.full((2, 28), 1.0), said["q90"], said["q975"]])
    assert (np.diff(stacked, axis=0) >= 0).all()
    assert (stacked >= 0).all()


def test_a_group_with_few_residuals_borrows_the_pooled_width() -> None:
    actual, centre, scale = noisy(3, rows=100)
    group = np.array(["xgboost"] * 95 + ["weekday_mean"] * 5)
    bands = calibrate(actual, centre, scale, group, blocks(100, 1))
    assert bands.table["weekday_mean"] == bands.table["all"]
    assert bands.table["xgboost"] != bands.table["all"]


def test_a_group_whose_late_weeks_are_not_known_yet_keeps_its_own_last_width() -> None:
    actual, centre, scale = noisy(9, rows=200)
    actual[100:, 14:] = np.nan
    group = np.array(["regular", "cold"]).repeat(100)
    table = calibrate(actual, centre, scale, group, blocks(200, 1)).table
    assert table["cold"]["1"] != table["cold"]["2"] == table["cold"]["3"] == table["cold"]["4"]
    assert table["cold"]["4"] != table["all"]["4"]


def test_without_any_past_the_bands_are_a_normal_distributions() -> None:
    bands = calibrate(np.empty((0, 28)), np.empty((0, 28)), np.empty(0), np.empty(0, dtype=str), blocks(0, 1))
    assert bands.table["all"]["1"] == intervals.NORMAL


def test_held_out_bands_do_not_learn_from_the_block_they_judge() -> None:
    actual, centre, scale = noisy(4, rows=200)
    block = np.array(["2026-08-01", "2026-09-01"], dtype="datetime64[D]").repeat(100)
    group = np.full(200, "xgboost")
    before = held_out_bands(actual, centre, scale, group, block)
    poisoned = actual.copy()
    poisoned[:100] += 1e6
    after = held_out_bands(poisoned, centre, scale, group, block)
    assert np.array_equal(before["q90"][:100], after["q90"][:100])
    assert not np.array_equal(before["q90"][100:], after["q90"][100:])


def covered_in_a_new_season(spread: float) -> tuple[float, float]:
    """cov80 of bands of 12 blocks on 200 more, each with a shift of its own: widened bands, and plain ones."""
    rng = np.random.default_rng(5)

    def season(count: int) -> Floats:
        shift = rng.normal(0, spread, count)[np.arange(40 * count) % count]
        found: Floats = 1000 + shift[:, None] + rng.normal(0, 1, (40 * count, 28))
        return found

    actual, fresh = season(12), season(200)
    centre, ones, group = np.full(actual.shape, 1000.0), np.ones(len(actual)), np.full(len(actual), "all")
    found = []
    for block in (blocks(len(actual), 12), blocks(len(actual), 1)):
        bands = calibrate(actual, centre, ones, group, block)
        said = bands.around(np.full(fresh.shape, 1000.0), np.ones(len(fresh)), np.full(len(fresh), "all"))
        found.append(metrics.coverage(fresh, said["q10"], said["q90"]))
    return found[0], found[1]


def test_bands_are_widened_for_a_season_that_is_none_of_those_learned_from_and_never_narrowed() -> None:
    widened, plain = covered_in_a_new_season(spread=3.0)
    assert plain + 0.01 < widened < 0.92
    widened, plain = covered_in_a_new_season(spread=0.0)
    assert plain == pytest.approx(0.8, abs=0.01)
    assert plain <= widened == pytest.approx(0.8, abs=0.015)


def test_bands_that_hold_more_than_they_say_are_left_as_they_are() -> None:
    actual, centre, scale = noisy(10, rows=6)  # of so few residuals the conformal ranks are nearly the extremes
    group, origin = np.full(6, "regular"), blocks(6, 3)
    said = held_out_bands(actual, centre, scale, group, origin)
    assert metrics.coverage(actual, said["q10"], said["q90"]) > 0.82
    several, one = (calibrate(actual, centre, scale, group, by).table["all"] for by in (origin, blocks(6, 1)))
    for week, row in one.items():
        assert (several[week]["q10"], several[week]["q90"]) == (row["q10"], row["q90"])


def test_no_band_is_widened_more_than_the_most_that_is_allowed() -> None:
    actual, centre, scale = noisy(6, rows=300)
    actual[blocks(300, 3) == blocks(3, 3)[0]] += 1e6
    group = np.full(300, "xgboost")
    plain = calibrate(actual, centre, scale, group, blocks(300, 1)).table["all"]
    widened = calibrate(actual, centre, scale, group, blocks(300, 3)).table["all"]
    for week, row in widened.items():
        factors = {name: value / plain[week][name] for name, value in row.items()}
        assert factors["q10"] == pytest.approx(factors["q90"])
        assert factors["q025"] == pytest.approx(factors["q975"])
        assert all(1 - 1e-9 <= factor <= intervals.WIDEST + 1e-9 for factor in factors.values())
    assert factors["q90"] == pytest.approx(intervals.WIDEST)


def test_an_items_own_scale_is_its_spread_or_its_weekly_changes_whichever_says_more() -> None:
    rng = np.random.default_rng(8)
    calm, wild = rng.normal(100, 1, 28), rng.normal(100, 20, 200)
    steady = np.full(228, 50.0)
    noisy_before = np.concatenate([wild, calm])  # its last month is calmer than the two before
    panel = panel_of(np.stack([steady, noisy_before, np.concatenate([np.full(200, 100.0), wild[:28]])]))
    found = intervals.own_scale(panel, np.arange(3))
    level = panel.features["level"]
    assert found[0] == pytest.approx(0.1 * 50)  # nothing but a tenth of the level
    changes = np.sort(np.abs(noisy_before[-91:] - noisy_before[-98:-7]))
    assert found[1] == pytest.approx(changes[72] / 2**0.5 / 1.2816 + 0.1 * level[1])
    assert found[2] == pytest.approx(np.std(wild[:28], ddof=1) + 0.1 * level[2])


def test_the_conformal_rank_is_one_beyond_the_plain_quantile() -> None:
    residuals = np.arange(1.0, 11.0)
    assert ranked(residuals, 0.9) == 10.0
    assert ranked(residuals, 0.1) == 1.0
    assert ranked(residuals, 0.8) == 9.0
