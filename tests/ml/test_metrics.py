"""Metrics against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ml import metrics


def test_wape_is_the_summed_error_over_the_summed_actuals() -> None:
    assert metrics.wape([10, 0, 30], [8, 1, 33]) == pytest.approx(100 * 6 / 40)
    assert math.isnan(metrics.wape([0, 0], [1, 1]))


def test_wape_by_unit_does_not_add_seconds_to_gigabytes() -> None:
    actual, forecast, unit = [1000, 1000, 1, 1], [1100, 900, 1.5, 0.5], ["s", "s", "gb", "gb"]
    assert metrics.wape_by_unit(actual, forecast, unit) == pytest.approx((10 + 50) / 2)
    assert metrics.wape_by_unit([5, 0], [4, 9], ["s", "silent"]) == pytest.approx(20)


def test_mase_scales_each_series_and_leaves_out_constant_ones() -> None:
    nan = float("nan")
    actual = np.array([[10, 12], [5, nan], [7, 7]])
    forecast = np.array([[11, 11], [9, 0], [0, 0]])
    assert metrics.mase(actual, forecast, [2, 4, 0]) == pytest.approx((1 / 2 + 4 / 4) / 2)


def test_coverage_counts_the_edges_as_inside() -> None:
    assert metrics.coverage([1, 2, 3, 9], [1, 0, 4, 0], [2, 2, 5, 8]) == pytest.approx(0.5)


def test_pinball_charges_the_tail_it_guards() -> None:
    assert metrics.pinball([10, 0], [0, 10], 0.9) == pytest.approx((0.9 * 10 + 0.1 * 10) / 2)


def test_log_loss_and_brier_of_two_forecasts() -> None:
    assert metrics.log_loss([1, 0], [0.8, 0.4]) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert metrics.brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)


def test_a_certain_and_wrong_probability_costs_much_but_not_infinity() -> None:
    assert metrics.log_loss([1], [0.0]) == pytest.approx(-math.log(1e-7))


def test_roc_auc_counts_pairs_and_halves_ties() -> None:
    assert metrics.roc_auc([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1]) == pytest.approx(3.5 / 4)
    assert math.isnan(metrics.roc_auc([1, 1], [0.2, 0.3]))


def test_pr_auc_is_the_precision_at_each_recall_step() -> None:
    assert metrics.pr_auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert metrics.pr_auc([1, 0], [0.5, 0.5]) == pytest.approx(0.5)


def test_ece_is_zero_when_each_bin_keeps_its_word_and_large_when_none_does() -> None:
    assert metrics.ece([1, 0] * 10, [0.5] * 20) == pytest.approx(0.0)
    assert metrics.ece([0] * 20, [0.7] * 20) == pytest.approx(0.7)


def test_lift_compares_the_top_tenth_with_everybody() -> None:
    label = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    probability = [0.9, 0.1, 0.1, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1, 0.1]
    assert metrics.lift(label, probability) == pytest.approx(1 / 0.2)


def test_the_calibration_line_is_a_logistic_regression_on_the_logit() -> None:
    rng = np.random.default_rng(9)
    logit = rng.normal(-1, 1.5, 4000)
    label = (rng.uniform(size=4000) < 1 / (1 + np.exp(-(0.3 + 0.7 * logit)))).astype(float)
    shift, slope, error = metrics.calibration_line(label, 1 / (1 + np.exp(-logit)))
    theirs = LogisticRegression(C=1e9, tol=1e-10).fit(logit[:, None], label)
    assert (shift, slope) == pytest.approx((theirs.intercept_[0], theirs.coef_[0, 0]), abs=1e-4)
    assert abs(slope - 0.7) < 3 * error < 0.3
    assert all(np.isnan(value) for value in metrics.calibration_line(np.ones(5), np.full(5, 0.4)))
    alone = metrics.calibration_line(label, 1 / (1 + np.exp(-logit)), np.arange(4000))[2]
    assert alone == pytest.approx(error, rel=0.05)
    thrice = [np.tile(one, 3) for one in (label, 1 / (1 + np.exp(-logit)), np.arange(4000))]
    assert metrics.calibration_line(*thrice)[2] == pytest.approx(alone)  # the same rows again say nothing new
