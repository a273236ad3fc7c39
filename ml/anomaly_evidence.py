"""Evidence over several points: shifts of level, and silence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.anomaly_filter import SILENT, TAIL_RATE, WILD
from ml.panel import Floats

Flags = NDArray[np.bool_]

BRIEF, LONG = 3, 7  # points whose mean error is judged
LARGEST = 3.0  # what one point can add to such a mean: a spike alone is no shift


def shift(surprise: Floats, away: Floats) -> Floats:
    """Mean surprise over the last 3 points or mean error over the last 7, in usual sizes of such means; the larger.

    surprise, away: shape (series, points), in usual errors, NaN counts as none; away goes on for as long as a level is
    off, where surprise has come to expect part of it. Returns the same shape, signed.
    """
    brief, long = mean_of(surprise, BRIEF), mean_of(away, LONG)
    return np.where(np.abs(brief) > np.abs(long), brief, long)


def mean_of(errors: Floats, span: int) -> Floats:
    """Mean of the last `span` errors in the usual size of such means before; NaN where an error is."""
    single = np.clip(np.nan_to_num(errors), -LARGEST, LARGEST)
    sums = np.cumsum(np.pad(single, ((0, 0), (span, 0))), axis=1)
    mean = np.where(np.isnan(errors), np.nan, (sums[:, span:] - sums[:, :-span]) / np.sqrt(span))
    found: Floats = mean / usual_size(mean)
    return found


def usual_size(values: Floats) -> Floats:
    """Cubic mean of each series' values before each point, at least 1; shape (series, points)."""
    count, points = values.shape
    size, seen = np.zeros(count), np.zeros(count)
    usual = np.ones((count, points))
    for t in range(points):
        known = ~np.isnan(values[:, t])
        usual[:, t] = np.maximum(np.cbrt(size), 1.0)
        step = np.minimum(np.abs(values[:, t]), WILD * usual[:, t]) ** 3 - size
        size += np.where(known, np.maximum(TAIL_RATE, 1 / (seen + 1)) * step, 0.0)
        seen += known
    return usual


def silence(values: Floats, period: int) -> tuple[Floats, Flags]:
    """How unlikely a run of zeros is, as a surprise at or below 0, and where a series has fallen silent for good.

    A zero is as likely as zeros were among the points before (one half added). Only what a run lasts beyond the
    longest the series has had counts, and its chance p becomes -sqrt(-2 ln p): the size of a normal error as rare.
    After two periods the silence is known: its further zeros say nothing. values and both results: (series, points).
    """
    count, points = values.shape
    seen, zeros, run, longest = (np.zeros(count) for _ in range(4))
    found, dormant = np.zeros((count, points)), np.zeros((count, points), dtype=np.bool_)
    for t in range(points):
        known = ~np.isnan(values[:, t])
        zero = known & (values[:, t] == 0)
        longest = np.where(known & ~zero, np.maximum(longest, run), longest)
        run = np.where(zero, run + 1, np.where(known, 0.0, run))
        rare = -np.log((zeros + 0.5) / (seen + 1.0))
        dormant[:, t] = zero & (run > SILENT * period)
        found[:, t] = np.where(zero, -np.sqrt(2 * rare * np.maximum(run - longest, 0)), 0.0)
        seen += known
        zeros += zero
    return np.where(dormant, 0.0, found), dormant
