"""The promotion gate on arrays: what passes, what does not, and that the reason says why."""

from __future__ import annotations

import numpy as np
import pytest

from ml import gate
from ml.gate import HeldOut, Said
from ml.metrics import wape_by_unit
from ml.panel import Floats

ITEMS, CUTOFFS, HORIZON = 30, 3, 14
ROWS = ITEMS * CUTOFFS
RNG = np.random.default_rng(3)
UNIT = np.where(np.arange(ROWS) % ITEMS < 15, "calls", "gigabytes")
LEVEL = np.where(UNIT == "calls", 1000.0, 3.0)[:, None]
ACTUAL = LEVEL * RNG.uniform(0.5, 1.5, (ROWS, HORIZON))
NOISE = LEVEL * RNG.normal(0, 1, (ROWS, HORIZON))
COVERED = {"cov80": (0.79, 0.81), "cov95": (0.95, 0.95)}


def held(**segments: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> HeldOut:
    cutoff = np.datetime64("2026-06-01") + 28 * np.arange(CUTOFFS).repeat(ITEMS)
    return HeldOut(ACTUAL, cutoff, np.tile(np.arange(ITEMS), CUTOFFS), UNIT, segments)


def off_by(share: Floats | float, name: str = "xgboost") -> Said:
    """A contender whose every day is wrong by `share` of a noise that all contenders have in common."""
    values = ACTUAL + np.broadcast_to(np.asarray(share, dtype=np.float64), (ROWS,))[:, None] * NOISE
    return Said(name, values, values)


NAIVE = [off_by(0.40, "seasonal_naive"), off_by(0.30, "weekday_mean")]


def test_a_model_better_than_the_best_naive_passes_and_says_by_how_much() -> None:
    outcome = gate.judge(held(), off_by(0.24), NAIVE, coverage=COVERED)
    assert outcome.passed
    assert "of weekday_mean (-20.0 %" in outcome.reason
    assert "lower than weekday_mean at 3 of 3 cutoffs" in outcome.reason
    assert gate.judge(held(), off_by(0.24), NAIVE, coverage=COVERED) == outcome


def test_the_error_is_the_wape_over_meters_that_the_report_shows() -> None:
    said = off_by(0.3)
    unit = np.broadcast_to(UNIT[:, None], ACTUAL.shape).ravel()
    expected = wape_by_unit(ACTUAL.ravel(), said.median.ravel(), unit)
    assert gate.errors(held(), said).sum() / (ROWS * HORIZON) == pytest.approx(expected / 100)


def test_a_tie_goes_to_the_naive() -> None:
    outcome = gate.judge(held(), off_by(0.30), NAIVE, coverage=COVERED)
    assert (outcome.passed, outcome.loses) == (False, True)
    assert "not shown better" in outcome.reason


def test_a_lead_that_a_few_items_make_is_not_shown() -> None:
    luck = np.where(np.tile(np.arange(ITEMS), CUTOFFS) < 2, 0.0, 0.305)
    outcome = gate.judge(held(), off_by(luck), NAIVE, coverage=COVERED)
    assert not outcome.passed
    check = outcome.checks[0]
    assert check.value is not None
    assert check.value < 0
    assert not outcome.loses


def test_two_of_three_cutoffs_must_be_won() -> None:
    first = np.repeat([True, False, False], ITEMS)
    outcome = gate.judge(held(), off_by(np.where(first, 0.05, 0.31)), NAIVE, coverage=COVERED)
    assert outcome.checks[0].passed
    assert "lower than weekday_mean at 1 of 3 cutoffs, 2 needed" in outcome.reason
    assert gate.judge(held(), off_by(np.where(first, 0.31, 0.2)), NAIVE, coverage=COVERED).passed


def test_one_segment_may_not_pay_for_the_rest() -> None:
    top = np.tile(np.arange(ITEMS) < 10, CUTOFFS)
    worse = off_by(np.where(top, 0.33, 0.1))
    outcome = gate.judge(held(top10=top), worse, NAIVE, coverage=COVERED)
    assert not outcome.passed
    assert outcome.reason.startswith("top10: error +10.0 % against weekday_mean, over 5 % worse")
    few = np.tile(np.arange(ITEMS) < 4, CUTOFFS)
    outcome = gate.judge(held(cold=few), off_by(np.where(few, 0.33, 0.1)), NAIVE, coverage=COVERED)
    assert outcome.passed
    assert "cold: 4 series, too few to judge" in [check.text for check in outcome.checks]


def test_items_at_zero_that_nobody_misses_by_much_decide_nothing() -> None:
    quiet = np.tile(np.arange(ITEMS) < 8, CUTOFFS)
    naive = [off_by(np.where(quiet, 0.0, 0.3), "weekday_mean")]
    outcome = gate.judge(held(quiet=quiet), off_by(np.where(quiet, 1e-6, 0.2)), naive, coverage=COVERED)
    assert outcome.passed


def test_sums_from_the_mean_head_may_not_be_worse_either() -> None:
    good = off_by(0.1)
    biased = Said("xgboost", ACTUAL + 0.5 * LEVEL, good.median)
    outcome = gate.judge(held(), biased, NAIVE, coverage=COVERED)
    assert [check.name for check in outcome.checks if not check.passed] == ["naive:sums"]


@pytest.mark.parametrize(
    ("coverage", "passes"),
    [
        ({"cov80": (0.80, 0.80), "cov95": (0.95, 0.95)}, True),
        ({"cov80": (0.66, 0.79), "cov95": (0.95, 0.95)}, False),
        ({"cov80": (0.66, 0.60), "cov95": (0.95, 0.95)}, True),  # the naive's bands are no nearer
        ({"cov80": (0.93, 0.82), "cov95": (0.95, 0.95)}, False),
        ({"cov80": (0.80, 0.80), "cov95": (0.88, 0.95)}, False),
        ({}, True),  # a single block: nothing to hold out
    ],
)
def test_bands_must_hold_about_what_they_promise(coverage: dict[str, tuple[float, float]], *, passes: bool) -> None:
    assert gate.judge(held(), off_by(0.2), NAIVE, coverage=coverage).passed is passes


def test_a_serving_recipe_is_beaten_on_the_same_cutoffs_or_stays() -> None:
    serving = off_by(0.2, "the recipe of champion 3")
    worse = gate.judge(held(), off_by(0.22), NAIVE, serving, COVERED)
    assert (worse.passed, worse.loses) == (False, False)
    assert "of the recipe of champion 3 (+10.0 %" in worse.reason
    assert gate.judge(held(), off_by(0.18), NAIVE, serving, COVERED).passed


def test_a_model_no_better_than_chance_is_seldom_promoted() -> None:
    passed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sides = [ACTUAL + 0.3 * LEVEL * rng.normal(0, 1, (ROWS, HORIZON)) for _ in range(2)]
        naive, model = Said("weekday_mean", sides[0], sides[0]), Said("xgboost", sides[1], sides[1])
        passed += gate.judge(held(), model, [naive], coverage=COVERED).passed
    assert passed <= 4


def test_unknown_days_count_for_nobody() -> None:
    actual = ACTUAL.copy()
    actual[:, 9:] = np.nan
    actual[:ITEMS] = np.nan
    some = HeldOut(actual, held().cutoff, held().series, UNIT)
    outcome = gate.judge(some, off_by(0.2), NAIVE, coverage=COVERED)
    assert outcome.passed
    assert "at 2 of 2 cutoffs" in outcome.reason


def test_nothing_to_compare_is_a_reason_and_no_crash() -> None:
    nothing = HeldOut(np.full((ROWS, HORIZON), np.nan), held().cutoff, held().series, UNIT)
    assert gate.judge(nothing, off_by(0.2), NAIVE).reason == "no held-out day to compare on"
    outcome = gate.judge(held(), None, NAIVE)
    assert (outcome.passed, outcome.loses) == (False, True)
    assert outcome.reason == "too little history to fit a model and hold days out"
    zeros = HeldOut(np.zeros((ROWS, HORIZON)), held().cutoff, held().series, UNIT)
    zero = Said("weekday_mean", np.zeros((ROWS, HORIZON)), np.zeros((ROWS, HORIZON)))
    assert not gate.judge(zeros, off_by(0.2), [zero]).passed


def test_one_item_is_judged_by_its_cutoffs() -> None:
    rows = np.flatnonzero(held().series == 0)
    one = HeldOut(ACTUAL[rows], held().cutoff[rows], held().series[rows], UNIT[rows])
    low, high = gate.interval(one.series, np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
    assert low < high
