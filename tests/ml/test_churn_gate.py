"""The churn gate: what it asks, and that it allows for chance but not for more than chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml import churn_gate, metrics
from ml.churn_choice import folded
from ml.churn_gate import HeldOut
from ml.churn_model import sigmoid

ROWS = 3000


def held(rows: int = ROWS, seed: int = 4) -> HeldOut:
    """A contender that knows the probabilities, and a logistic regression that knows them a little less well."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-1.5, 1.2, rows)
    label = (rng.uniform(size=rows) < sigmoid(margin)).astype(float)
    blurred = sigmoid(margin + rng.normal(0, 0.4, rows))
    newest = np.arange(rows) >= rows // 2
    segments = {"tenure:new": np.arange(rows) % 3 == 0, "plan_rank:9": np.arange(rows) < 8}
    return HeldOut(label, sigmoid(margin), blurred, float(label.mean()), newest, segments, np.arange(rows))


def failed(one: HeldOut) -> list[str]:
    return [check.name for check in churn_gate.ask(one) if not check.passed]


def test_a_contender_that_knows_better_and_is_calibrated_passes() -> None:
    assert failed(held()) == []
    checks = {check.name: check for check in churn_gate.ask(held())}
    assert set(checks) == {"beats_logistic", "ece", "slope", "tenure:new", "plan_rank:9"}
    assert "too few labels to judge" in checks["plan_rank:9"].text


def test_a_contender_worse_on_both_log_loss_and_pr_auc_fails() -> None:
    good = held()
    assert "beats_logistic" in failed(replace(good, contender=good.logistic, logistic=good.contender))


@pytest.mark.parametrize(("stretch", "shift", "expected"), [(1, 0.5, "ece"), (1.8, 0, "slope"), (0.5, 0, "slope")])
def test_probabilities_off_by_more_than_chance_fail(stretch: float, shift: float, expected: str) -> None:
    good = held()
    margin = np.log(good.contender / (1 - good.contender))
    assert expected in failed(replace(good, contender=sigmoid(stretch * margin + shift)))


def test_few_rows_that_miss_a_limit_by_chance_pass() -> None:
    missed = [metrics.ece(one.label, one.contender) > 0.04 for one in (held(120, seed) for seed in range(15))]
    asked = ["ece" in failed(replace(held(120, seed), newest=np.ones(120, dtype=bool))) for seed in range(15)]
    assert sum(missed) >= 10
    assert sum(asked) <= 3


def test_a_segment_that_loses_more_than_a_twentieth_fails_the_whole() -> None:
    good = held()
    new = good.segments["tenure:new"]
    noise = np.random.default_rng(1).normal(0, 1.2, ROWS)
    margin = np.log(good.contender / (1 - good.contender))
    assert "tenure:new" in failed(replace(good, contender=sigmoid(margin + np.where(new, noise, 0))))


def test_what_is_only_out_of_calibration_is_put_on_a_line_that_had_not_seen_whom_it_judges() -> None:
    good = held()
    margin = np.log(good.contender / (1 - good.contender))
    off = replace(good, contender=sigmoid(0.5 * margin + 1.0))
    mended = churn_gate.recalibrated(off)
    assert mended is not None
    said, shift, slope = mended
    assert (shift, slope) == pytest.approx((-2.0, 2.0), abs=0.3)
    assert failed(replace(off, contender=said)) == []
    other = folded(off.group) != 2
    poisoned = churn_gate.recalibrated(replace(off, label=np.where(other, off.label, 1 - off.label)))
    assert poisoned is not None
    np.testing.assert_array_equal(poisoned[0][~other], said[~other])  # their own labels had no say
    assert churn_gate.recalibrated(replace(off, label=np.zeros(ROWS))) is None
    assert churn_gate.recalibrated(replace(off, contender=1 - off.contender)) is None  # no line turns a ranking round
