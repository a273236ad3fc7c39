"""On which scale a series is judged: as it is, or flattened towards its logarithm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.anomaly_filter import Filtered, follow
from ml.panel import Floats

POWERS = {"D": (1.0, 0.5, 0.25), "h": (1.0,)}  # of values, by frequency; .25 is near a logarithm and keeps zeros
IDLE = 0.25  # a series with more zeros than this is judged as it is: flattening only spreads its zeros out
OWN = 365.0  # points of its own after which a series counts as much as the panel in the choice


def on_tamest_scale(values: Floats, period: int, powers: tuple[float, ...]) -> Filtered:
    """Follow each series on each scale; at each point take the one on which its errors were the least wild before.

    Usage whose noise is a factor (double as easily as half) is tame near its logarithm, other usage as it is. A short
    history cannot tell them apart, so the wildness of a series is drawn towards the median of its panel. powers: the
    first is 1, and serves where zeros are common.
    expected and level are given in the unit of `values`.
    """
    followed = [follow(np.sign(values) * np.abs(values) ** power, period) for power in powers]
    if len(powers) == 1:
        return followed[0]
    known = np.cumsum(~np.isnan(values), axis=1)
    own = known / (known + OWN)
    wild = np.stack([own * one.tail + (1 - own) * middle(one) for one in followed])
    idle = np.cumsum(values == 0, axis=1) > IDLE * known
    wild[1:] = np.where(idle, np.inf, wild[1:])
    chosen = wild.argmin(axis=0)
    expected = pick([unscaled(one.expected, power) for one, power in zip(followed, powers, strict=True)], chosen)
    level = pick([unscaled(one.level, power) for one, power in zip(followed, powers, strict=True)], chosen)
    surprise, away = pick([one.surprise for one in followed], chosen), pick([one.away for one in followed], chosen)
    tail = pick([one.tail for one in followed], chosen)
    return Filtered(expected, surprise, away, level, tail, followed[0].common)


def middle(followed: Filtered) -> Floats:
    """Median wildness of the series judged at each point, shape (points,); 1 where there is none."""
    judged = ~np.isnan(followed.surprise)
    some = judged.any(axis=0)
    found = np.ones(judged.shape[1])
    found[some] = np.nanmedian(np.where(judged, followed.tail, np.nan)[:, some], axis=0)
    return found


def unscaled(values: Floats, power: float) -> Floats:
    """The values whose `power` these are, signs kept."""
    found: Floats = np.sign(values) * np.abs(values) ** (1 / power)
    return found


def pick(stacked: list[Floats], chosen: NDArray[np.intp]) -> Floats:
    """Of each point the one that is chosen."""
    found: Floats = np.take_along_axis(np.stack(stacked), chosen[None], axis=0)[0]
    return found
