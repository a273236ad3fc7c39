"""Bands must hold what they promise on data they have not seen."""

from __future__ import annotations

import numpy as np
import pytest

from ml import intervals, metrics
from ml.intervals import Bands, calibrate, held_out_bands, ranked
from ml.panel import Floats


def noisy(seed: int, rows: int = 600) -> tuple[Floats, Floats, Floats]:
    """Actuals whose noise grows with the horizon and with each row's own scale; skewed, not normal."""
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.normal(1, 1, rows))
    centre = np.full((rows, 28), 1000.0)
    noise = (rng.gamma(2, 1, (rows, 28)) - 2) * np.sqrt(1 + np.arange(28) / 14)
    return centre + scale[:, None] * noise, centre, scale


def test_bands_learned_on_one_sample_cover_another_as_promised() -> None:
    actual, centre, scale = noisy(1)
    group = np.full(len(scale), "xgboost")
    bands = calibrate(actual, centre, scale, group)
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
    bands = calibrate(actual, centre, scale, group)
    assert bands.table["weekday_mean"] == bands.table["all"]
    assert bands.table["xgboost"] != bands.table["all"]


def test_without_any_past_the_bands_are_a_normal_distributions() -> None:
    bands = calibrate(np.empty((0, 28)), np.empty((0, 28)), np.empty(0), np.empty(0, dtype=str))
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


def test_the_conformal_rank_is_one_beyond_the_plain_quantile() -> None:
    residuals = np.arange(1.0, 11.0)
    assert ranked(residuals, 0.9) == 10.0
    assert ranked(residuals, 0.1) == 1.0
    assert ranked(residuals, 0.8) == 9.0
