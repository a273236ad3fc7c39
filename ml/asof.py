"""The features of `features.usage_asof` for any daily panel, which has no warehouse to compute them.

A twin of the dbt models on purpose: a panel of somebody else's data is not a Stripe account. A test compares the two.
Unlike a warehouse, a panel has days on which nothing was observed: they are left out of every mean.
"""

from __future__ import annotations

import numpy as np

from ml.matrix import ratio
from ml.panel import SEASON, YEAR_BEFORE, YEAR_FIRST, Floats, Ints

WEEKS = 8  # same weekdays looked back on


def features(daily: Floats, item: Ints, position: Ints, first_weekday: int) -> dict[str, Floats]:
    """SCALARS and BLOCKS (see `panel.Panel`) of each (item, position), from the days up to the position only.

    daily: shape (items, days), NaN where nothing was observed. item, position: shape (rows,), what `daily` is read at.
    first_weekday: ISO weekday minus 1 of the first column.
    """
    running = _Running(daily, item, position)
    found = {f"mean_{n}": running.mean(n) for n in (7, 14, 28, 56, 91, 364)}
    whole = running.mean(daily.shape[1])
    # A series may have been silent for longer than the windows are: then what is known longest ago has to do.
    near = 0.5 * (_or(found["mean_28"], found["mean_91"]) + found["mean_91"])
    found["level"] = _or(near, _or(found["mean_364"], whole))
    found["sd_28"] = _deviation(_value(daily, item[:, None], position[:, None] - np.arange(28)[None, :]))
    found |= {f"last_{n}": _value(daily, item, position - (n - 1)) for n in (1, 2, 3, 7)}
    found["history_days"] = (position - running.first + 1).astype(np.float64)
    found["zero_share_28"] = running.zero_share(28)
    found["days_since_nonzero"] = running.days_since_nonzero()
    found |= _weekdays(daily, item, position, first_weekday)
    days = position[:, None] + 1 - YEAR_FIRST + np.arange(YEAR_BEFORE)[None, :]
    found["year_before"] = _value(daily, item[:, None], days)
    return found


def _weekdays(daily: Floats, item: Ints, position: Ints, first_weekday: int) -> dict[str, Floats]:
    """Arrays of 7 by target weekday, Monday first: the last, the mean of 4 and 8 and the median of 8 of them."""
    weekday = np.arange(SEASON)[None, :]
    back = (first_weekday + position[:, None] - weekday) % SEASON
    days = (position[:, None] - back)[:, :, None] - SEASON * np.arange(WEEKS)[None, None, :]
    known = _value(daily, item[:, None, None], days)
    with np.errstate(invalid="ignore"):
        return {
            "same_weekday_last": known[:, :, 0],
            "same_weekday_mean_4": _nanmean(known[:, :, :4]),
            "same_weekday_mean_8": _nanmean(known),
            "same_weekday_median_8": _nanmedian(known),
        }


class _Running:
    """Sums up to each day, so that a window costs two look-ups however long it is."""

    def __init__(self, daily: Floats, item: Ints, position: Ints) -> None:
        seen = ~np.isnan(daily)
        values = np.where(seen, daily, 0.0)
        self.item, self.position = item, position
        self.count = _cumulated(seen)
        self.sum = _cumulated(values)
        self.zeros = _cumulated(seen & (values == 0))
        self.first = np.where(seen.any(axis=1), seen.argmax(axis=1), daily.shape[1])[item]
        days = np.arange(daily.shape[1])[None, :]
        self.last_used = np.maximum.accumulate(np.where(seen & (values > 0), days, -1), axis=1)

    def window(self, running: Floats, days: int) -> Floats:
        start = np.maximum(self.position + 1 - days, 0)
        found: Floats = running[self.item, self.position + 1] - running[self.item, start]
        return found

    def mean(self, days: int) -> Floats:
        return ratio(self.window(self.sum, days), self.window(self.count, days))

    def zero_share(self, days: int) -> Floats:
        return ratio(self.window(self.zeros, days), self.window(self.count, days))

    def days_since_nonzero(self) -> Floats:
        last = self.last_used[self.item, self.position]
        return np.where(last >= 0, self.position - last, np.nan)


def _cumulated(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Floats:
    found = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=found[:, 1:])
    return found


def _value(daily: Floats, item: Ints, day: Ints) -> Floats:
    found: Floats = np.where(day >= 0, daily[item, np.clip(day, 0, daily.shape[1] - 1)], np.nan)
    return found


def _or(first: Floats, second: Floats) -> Floats:
    return np.where(np.isnan(first), second, first)


def _deviation(values: Floats) -> Floats:
    """Sample standard deviation over the last axis of what is known, from the values themselves.

    A difference of running squares would lose its digits to what the series is at other times, later ones too.
    """
    seen = ~np.isnan(values)
    squares = np.where(seen, values - _nanmean(values)[:, None], 0.0) ** 2
    found: Floats = np.sqrt(ratio(squares.sum(axis=-1), seen.sum(axis=-1) - 1.0))
    return found


def _nanmean(values: Floats) -> Floats:
    seen = ~np.isnan(values)
    return ratio(np.where(seen, values, 0.0).sum(axis=-1), seen.sum(axis=-1).astype(np.float64))


def _nanmedian(values: Floats) -> Floats:
    """Median over the last axis of what is known (numpy's nanmedian is 50 times slower and warns)."""
    ordered = np.sort(values, axis=-1)  # NaN last
    count = (~np.isnan(values)).sum(axis=-1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    last = values.shape[-1] - 1
    pair = [np.take_along_axis(ordered, np.minimum(i, last)[..., None], -1)[..., 0] for i in (low, high)]
    found: Floats = np.where(count > 0, (pair[0] + pair[1]) / 2, np.nan)
    return found
