"""What may be learned from and what is held out, always by time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from ml.errors import LabelsOverlap

STEP = 28  # days between held-out origins: whole weeks, so that each is an origin of `features.usage_asof`
YEAR = 12  # held-out origins within the last year; fewer see too few seasons (ml.md 0.3)
LEAST = 84  # days of the panel before a held-out origin: with fewer there is next to nothing to learn from
Bools = NDArray[np.bool_]


def held_out_origins(first: date, as_of: date, every: int = 1) -> list[date]:
    """Origins 28, 28 + 28 x every, … days before `as_of`, oldest first, for at most a year.

    first: the panel's first day; origins under 84 days after it are left out. Each is forecast by a model that saw
    nothing after it.
    """
    days = [as_of - timedelta(days=STEP * k) for k in range(1, YEAR + 1, every)]
    return [day for day in days[::-1] if (day - first).days >= LEAST]


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
    if not train.any():
        return None
    assert_gap(matured_on[train], first)
    return HeldOut(train, test, first.astype(object))


def assert_gap(known_on: NDArray[np.datetime64], first_test: np.datetime64) -> None:
    """Raise LabelsOverlap if a training label was not final by the first test origin: it would tell the test's future.

    known_on: shape (rows,), the day on which each training label became known, datetime64[D].
    """
    late = known_on > first_test
    if late.any():
        raise LabelsOverlap(
            int(late.sum()),
            known_on.max().astype("datetime64[D]").astype(object),
            first_test.astype("datetime64[D]").astype(object),
        )
