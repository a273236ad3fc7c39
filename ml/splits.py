"""What may be learned from and what is held out, always by time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

BLOCKS = 4  # past origins whose 28 days are known; fewer under-cover (ml.md 3.1: 76/92 with one, 81/95 with four)
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Fold:
    """A model fitted on targets up to `until` and tested on the `cutoffs`, none of them before it."""

    until: date
    cutoffs: tuple[date, ...]


def usage_folds(origins: NDArray[np.datetime64], as_of: date, horizon: int, refits: int = BLOCKS) -> list[Fold]:
    """Non-overlapping test origins horizon, 2 x horizon, … days before `as_of`, shared among `refits` fits.

    origins: the origins that exist. A cutoff is used only if at least one earlier origin's whole horizon lies before
    the fit's end, so that there is something to learn from; without any, the list is empty.
    """
    days = {day.astype(object) for day in np.unique(origins)}
    per_fit = -(-BLOCKS // refits)
    folds = []
    for newest in range(1, BLOCKS + 1, per_fit):
        steps = range(min(newest + per_fit - 1, BLOCKS), newest - 1, -1)
        cutoffs = tuple(day for day in (as_of - timedelta(days=horizon * k) for k in steps) if day in days)
        if cutoffs and min(days) + timedelta(days=horizon) <= cutoffs[0]:
            folds.append(Fold(cutoffs[0], cutoffs))
    return folds[::-1]


@dataclass(frozen=True)
class HeldOut:
    """Boolean masks over labelled rows: what to fit on and what to test on."""

    train: Bools
    test: Bools
    first_test: date


def churn_holdout(
    as_of_dates: NDArray[np.datetime64], matured_on: NDArray[np.datetime64], share: float = 0.25
) -> HeldOut | None:
    """Test on the newest `share` of as-of dates (at least one); train only on labels known by the first of them.

    as_of_dates, matured_on: shape (rows,), datetime64[D]; a label is known from `matured_on` on, so the gap between
    the last training row and the first test row is the label's horizon and its 30 days of waiting.
    None if no training row is left.
    """
    dates = np.unique(as_of_dates)
    if len(dates) < 2:
        return None
    first = dates[-max(1, round(share * len(dates)))]
    test = as_of_dates >= first
    train = (matured_on <= first) & ~test
    return HeldOut(train, test, first.astype(object)) if train.any() else None
