"""The MRR rule against arithmetic done by hand, and its bands against its own past."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from ml import revenue, warehouse
from ml.panel import Floats
from ml.settings import Settings
from tests.ml import synthetic


def test_the_trend_is_the_mean_of_three_changes_damped_month_by_month() -> None:
    history = np.array([50.0, 100.0, 110.0, 130.0, 160.0])
    assert revenue.project(history, 1) == pytest.approx(160 + 20 * 0.8)
    assert revenue.project(history, 2) == pytest.approx(160 + 20 * (0.8 + 0.64))
    assert revenue.project(np.array([70.0]), 3) == 70.0
    assert revenue.project(np.array([400.0, 300.0, 200.0, 10.0]), 1) == 0.0


def test_under_six_past_forecasts_there_is_no_band() -> None:
    short = revenue.outlook(np.linspace(100, 200, 9), 1)
    assert all(np.isnan(value) for value in short.band.values())
    enough = revenue.outlook(np.linspace(100, 200, 10), 1)
    assert enough.band["q025"] <= enough.band["q10"] <= enough.mean <= enough.band["q90"] <= enough.band["q975"]


def test_bands_cover_what_came_next_about_as_often_as_they_say() -> None:
    inside = []
    for seed in range(200):
        steps = np.random.default_rng(seed).normal(0.01, 0.02, 25)
        path: Floats = 1_000_000 * np.cumprod(1 + steps, dtype=np.float64)
        said = revenue.outlook(path[:-1], 1).band
        inside.append(said["q10"] <= path[-1] <= said["q90"])
    assert np.mean(inside) == pytest.approx(0.80, abs=0.08)


def test_each_currency_gets_the_three_months_after_the_current_one(trained: Settings) -> None:
    with warehouse.opened(trained.warehouse, 1) as connection:
        months = revenue.load(connection, synthetic.AS_OF, synthetic.AS_OF)
    found = revenue.forecast(months, synthetic.AS_OF)
    assert found.groupby("currency")["month_start"].apply(list).to_dict() == {
        currency: [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)] for currency in ("jpy", "usd")
    }
    assert (found["mrr_mean"] > 1000).all()


def test_a_replay_does_not_read_the_month_it_stands_in(trained: Settings) -> None:
    with warehouse.opened(trained.warehouse, 1) as connection:
        months = revenue.load(connection, date(2026, 10, 17), synthetic.AS_OF)
    assert months["month_start"].max() == pd.Timestamp("2026-09-01")
