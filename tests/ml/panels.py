"""Panels of plain arrays, for tests that need no warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import asof
from ml.panel import Panel

Floats = NDArray[np.float64]
AS_OF = date(2026, 10, 31)
WEEKDAYS = np.array([1.0, 1.1, 1.2, 1.1, 1.0, 0.6, 0.5])


def panel_of(
    daily: Sequence[Sequence[float]] | Floats,
    *,
    horizon: int = 14,
    back: Sequence[int] = (0,),
    meters: Sequence[str] | None = None,
) -> Panel:
    """Series that end on AS_OF (NaN for unknown), seen from the origins `back` days before it; all on one plan."""
    values = np.array(daily, dtype=np.float64)
    count, days = values.shape
    item, steps = np.repeat(np.arange(count), len(back)), np.tile(np.sort(back)[::-1], count)
    known = (~np.isnan(values)).argmax(axis=1)[item] <= days - 1 - steps
    item, steps = item[known], steps[known]
    rows = pd.DataFrame(
        {
            "account_id": "acct_test",
            "subscription_item_id": [f"si_{one:03d}" for one in item],
            "customer_id": [f"cus_{one:03d}" for one in item],
            "meter_id": [meters[one] if meters else "mtr" for one in item],
            "currency": "usd",
            "price_id": "price_1",
            "plan": "growth",
            "origin_date": [AS_OF - timedelta(days=int(step)) for step in steps],
        }
    )
    position = days - 1 - steps
    weekday = (AS_OF - timedelta(days=days - 1)).weekday()
    return Panel(AS_OF, horizon, rows, asof.features(values, item, position, weekday), values, item, position)


def usage(rng: np.random.Generator, items: int, days: int, noise: float = 0.2) -> Floats:
    """Levels of their own, one weekday pattern, noise."""
    level = np.exp(rng.normal(4, 1, items))[:, None]
    weekday = np.array([(AS_OF - timedelta(days=days - 1 - day)).weekday() for day in range(days)])
    found: Floats = level * WEEKDAYS[weekday] * np.exp(rng.normal(0, noise, (items, days)))
    return found
