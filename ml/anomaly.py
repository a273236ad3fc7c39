"""Which points of a panel of series are unusual, judged from nothing that came after them.

Three kinds of evidence are kept on one scale, the series' own usual surprise: a point far from what its weekday (or
hour of the day) leads to expect, a mean of 3 or 7 points that is off, and zeros in a row where zeros are rare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import anomaly_evidence as evidence
from ml.anomaly_filter import WARM_UP, Filtered
from ml.anomaly_scale import POWERS, on_tamest_scale
from ml.panel import Floats

PERIODS = {"D": 7, "h": 24}  # points after which a series repeats itself, by frequency
THRESHOLD = 4.0  # one budget for all data: under 1 % of points on the development panels, whose labels were known
MOST = 50.0  # a surprise is no larger than this, however still the series was
RULE_POINTS, RULE_LEAST, RULE_SIGMAS = 90, 14, 2.0
Flags = NDArray[np.bool_]
Words = NDArray[np.object_]


@dataclass(frozen=True)
class Judged:
    """What was found about each point; shape (series, points) unless said otherwise.

    expected: NaN at a series' first point and before it. score: the strongest evidence, signed; 0 where the series is
    not judged (its first four periods, gaps, a silence of over two periods). is_anomaly: a score of the threshold or
    more in size. kind: spike, drop, surge, dip or zero at flagged points, else ''. point, shift, silence: the three
    kinds of evidence, signed (point and shift NaN where not judged). common: shape (points,), the move of all series
    at once that `expected` allows for, in widths.
    """

    expected: Floats
    score: Floats
    is_anomaly: Flags
    kind: Words
    point: Floats
    shift: Floats
    silence: Floats
    common: Floats


def detect(values: Floats, frequency: str, threshold: float = THRESHOLD) -> Judged:
    """Judge every point of every series.

    values: shape (series, points), equally spaced columns, NaN for gaps. frequency: D (weekly season) or h (daily).
    """
    followed = on_tamest_scale(values, PERIODS[frequency], POWERS[frequency])
    point = np.clip(followed.surprise, -MOST, MOST)
    shift = np.clip(evidence.shift(followed.surprise, followed.away), -MOST, MOST)
    silence, dormant = evidence.silence(values, PERIODS[frequency])
    parts = np.where(dormant, 0.0, np.nan_to_num(np.stack([point, shift, silence])))
    strongest = np.abs(parts).argmax(axis=0)
    score: Floats = np.take_along_axis(parts, strongest[None], axis=0)[0]
    score = np.where(np.isnan(point), 0.0, score)
    flagged = np.abs(score) >= threshold
    kind = np.where(flagged, kinds(values, score, strongest == 1, followed), "").astype(object)
    return Judged(followed.expected, score, flagged, kind, point, shift, silence, followed.common)


def kinds(values: Floats, score: Floats, lasting: Flags, followed: Filtered) -> NDArray[np.str_]:
    """The kind of each point if it is unusual; lasting: where a shift is what shows it most."""
    up = np.where(lasting, "surge", "spike")
    down = np.where(lasting, "dip", "drop")
    silent = (values == 0) & (followed.level > 0)
    return np.where(score > 0, up, np.where(silent, "zero", down))


def rule_baseline(values: Floats) -> Flags:
    """The rule everyone starts with: over two standard deviations from the mean of the 90 points before.

    values: shape (series, points); a point with fewer than 14 known among those 90 is not flagged.
    """
    past = pd.DataFrame(values.T).shift(1).rolling(RULE_POINTS, min_periods=RULE_LEAST)
    off = np.abs(values - past.mean().to_numpy().T)
    found: Flags = off > RULE_SIGMAS * past.std(ddof=0).to_numpy().T
    return found


__all__ = ["PERIODS", "THRESHOLD", "WARM_UP", "Judged", "detect", "rule_baseline"]
