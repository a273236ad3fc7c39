"""Drift is reported when it is there, and only then."""

from __future__ import annotations

import numpy as np
import pytest

from ml import drift


def test_psi_of_the_same_sample_is_zero_and_of_a_worked_example_as_computed() -> None:
    assert drift.stability_index([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 0.0
    was, now = np.array([2.5, 2.5, 0.5]) / 5.5, np.array([1.5, 3.5, 0.5]) / 5.5
    by_hand = float(np.sum((now - was) * np.log(now / was)))
    assert drift.stability_index([0, 0, 1, 1], [0, 1, 1, 1], bins=2) == pytest.approx(by_hand)


def test_a_feature_that_goes_missing_counts_as_a_shift() -> None:
    reference = np.random.default_rng(1).normal(size=500)
    assert drift.stability_index(reference, np.where(np.arange(500) % 2, np.nan, reference)) > 0.5


def test_the_limit_is_the_one_measured_for_its_sample_size() -> None:
    # ml.md 1: calibrated 1 % limits for a reference of 5,000 and ten bins.
    for n, measured in ((200, 0.113), (500, 0.048), (2000, 0.015)):
        assert drift.limit(n, 5000, 10, 0.01) == pytest.approx(measured, rel=0.06)


def test_without_a_shift_there_are_hardly_any_alarms() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(200):
        kept = {name: drift.summary(rng.lognormal(size=400)) for name in "abcde"}
        alarms += int(drift.compare(kept, {name: rng.lognormal(size=300) for name in kept}, "x")["is_breach"].any())
    assert alarms <= 6


def test_a_planted_shift_fires_and_names_its_feature() -> None:
    rng = np.random.default_rng(4)
    kept = {name: drift.summary(rng.lognormal(size=400)) for name in "ab"}
    found = drift.compare(kept, {"a": rng.lognormal(size=300), "b": rng.lognormal(mean=0.6, size=300)}, "items")
    assert found.set_index("feature")["is_breach"].to_dict() == {"a": False, "b": True}


def test_under_two_hundred_rows_nothing_is_called_drift() -> None:
    rng = np.random.default_rng(5)
    kept = {"a": drift.summary(rng.normal(size=400))}
    found = drift.compare(kept, {"a": rng.normal(size=199) + 10}, "items")
    assert found["psi"].item() > 1
    assert not found["is_breach"].item()


def test_what_a_feature_moves_between_days_anyway_is_no_drift() -> None:
    rng = np.random.default_rng(6)
    # a month that runs high for all, and one that runs low: no two are alike
    past = [{"a": rng.lognormal(mean=0.5 * (day % 2), size=400)} for day in range(10)]
    kept = {"a": drift.summary(rng.lognormal(size=400))}
    now = {"a": rng.lognormal(mean=0.5, size=400)}
    assert drift.compare(kept, now, "customers")["is_breach"].item()
    moved = drift.usual(past, 1)
    assert not drift.compare(kept, now, "customers", moved)["is_breach"].item()
    assert drift.compare(kept, {"a": now["a"] * 3}, "customers", moved)["is_breach"].item()
    assert drift.usual(past[:6], 1) == {}  # five pairs of days do not say what is usual


def test_a_feature_that_is_all_missing_on_both_sides_has_not_moved() -> None:
    nothing = np.full(300, np.nan)
    found = drift.compare({"a": drift.summary(nothing)}, {"a": nothing}, "customers")
    assert found["psi"].item() == 0.0
    assert not found["is_breach"].item()


def test_the_chance_of_a_psi_is_the_inverse_of_its_limit() -> None:
    for alpha in (0.05, 0.001):
        assert drift.chance(drift.limit(300, 900, 10, alpha), 300, 900, 10) == pytest.approx(alpha, rel=1e-6)
