"""Paths of billing periods: their mean is the forecast's, their spread is that of past errors, honestly drawn."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from ml import backtest, forecast, matrix, paths
from ml.panel import Panel, vocabulary
from ml.paths import Outlook
from ml.routes import WEEKDAY_MEAN
from tests.ml.panels import AS_OF, panel_of, usage

HORIZON = 40
FEW = forecast.Recipe(rows=1_000, median_rounds=4, mean_rounds=1)
ORIGINS = [np.datetime64(AS_OF - timedelta(days=back)) for back in (56, 28)]


def outlook_of(items: int, *, scale: float = 5.0, demand: str = "regular") -> Outlook:
    mean = np.random.default_rng(1).gamma(3, 4, (items, HORIZON))
    keys = pd.DataFrame({"account_id": "a", "subscription_item_id": [f"si_{n}" for n in range(items)]})
    words = np.full(items, demand), np.full(items, "xgboost")
    return Outlook(keys.assign(origin_date=AS_OF), mean, np.full(items, scale), *words)


def donors_of(count: int = 30, *, shared: tuple[float, float] = (0.0, 0.0), noise: float = 1.0) -> pd.DataFrame:
    """Past errors of two origins, each with a mean of its own."""
    rng = np.random.default_rng(2)
    names = [str(day + 1) for day in range(HORIZON)]
    parts = [
        pd.DataFrame(mean + rng.normal(0, noise, (count, HORIZON)), columns=names).assign(
            origin_date=origin, demand_class="regular"
        )
        for origin, mean in zip(ORIGINS, shared, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def period(item: int, first: int, last: int, **other: object) -> dict[str, object]:
    plain: dict[str, object] = {"account_id": "a", "subscription_item_id": f"si_{item}", "origin_date": AS_OF}
    plain |= {"period_number": 0, "period_start": pd.Timestamp("2026-10-15"), "aggregation_formula": "sum"}
    plain |= {"quantity_so_far": 3.0, "first_horizon": first, "last_horizon": last}
    return plain | {"first_share": 1.0, "last_share": 1.0} | other


def drawn(outlook: Outlook, periods: list[dict[str, object]], donors: pd.DataFrame) -> pd.DataFrame:
    return paths.today(outlook, pd.DataFrame(periods), donors)


def test_the_mean_of_a_periods_paths_is_the_sum_of_its_days_means() -> None:
    outlook = outlook_of(3)
    periods = [
        period(0, 1, 20),
        period(1, 1, 10, first_share=0.25, last_share=0.75),
        period(1, 10, 40, first_share=0.25, period_number=1),
        period(2, 5, 5, first_share=0.6, last_share=0.9),  # within one day: half of it
        period(2, 1, 30, aggregation_formula="last", last_share=0.4, period_number=1),
    ]
    found = drawn(outlook, periods, donors_of()).groupby(["subscription_item_id", "period_number"])["path_quantity"]
    mean = outlook.mean
    assert found.mean().to_dict() == pytest.approx(
        {
            ("si_0", 0): mean[0, :20].sum(),
            ("si_1", 0): 0.25 * mean[1, 0] + mean[1, 1:9].sum() + 0.75 * mean[1, 9],
            ("si_1", 1): 0.25 * mean[1, 9] + mean[1, 10:].sum(),
            ("si_2", 0): 0.5 * mean[2, 4],
            ("si_2", 1): mean[2, 29],
        },
        rel=1e-9,
    )
    assert (found.min() >= 0).all()
    assert (found.std() > 0).all()


def test_a_period_keeps_what_is_known_of_it_and_one_beyond_the_horizon_is_left_out() -> None:
    stranger = period(0, 1, 9) | {"subscription_item_id": "si_unknown"}
    found = drawn(outlook_of(2), [period(1, 1, 9), period(0, 1, HORIZON + 1), stranger], donors_of())
    assert found["path"].tolist() == list(range(1, 201))
    for column, value in (("subscription_item_id", "si_1"), ("quantity_so_far", 3.0), ("method", "xgboost")):
        assert set(found[column]) == {value}
    assert set(found["is_backtest"]) == {False}
    assert set(found["as_of"]) == {AS_OF}


def test_drawing_again_gives_the_same_paths_and_one_more_period_changes_no_other() -> None:
    outlook, periods = outlook_of(300), [period(item, 1, 9) for item in range(0, 300, 7)]
    once, again = drawn(outlook, periods, donors_of()), drawn(outlook, periods, donors_of())
    assert once.equals(again)
    more = drawn(outlook, [*periods, period(7, 10, 20, period_number=1)], donors_of())
    assert more[more["period_number"] == 0].reset_index(drop=True).equals(once)


def test_a_bad_month_is_bad_for_all_items_on_the_same_path() -> None:
    outlook = outlook_of(40, scale=0.5)
    together = donors_of(shared=(-1.0, 1.0), noise=0.1)
    found = drawn(outlook, [period(item, 1, 20) for item in range(40)], together)
    wide = found.pivot(index="path", columns="subscription_item_id", values="path_quantity").to_numpy()
    assert np.corrcoef(wide.T).min() > 0.9
    apart = drawn(outlook, [period(item, 1, 20) for item in range(40)], donors_of(noise=0.1))
    wide = apart.pivot(index="path", columns="subscription_item_id", values="path_quantity").to_numpy()
    assert abs(np.corrcoef(wide.T)[np.triu_indices(40, 1)].mean()) < 0.1


def test_large_accounts_get_fewer_paths_of_each_period_but_never_under_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    outlook, periods = outlook_of(10), [period(item, 1, 9) for item in range(10)]
    counts = []
    for most in (5_000, 500, 50):
        monkeypatch.setattr(paths, "MOST_ROWS", most)
        counts.append(set(drawn(outlook, periods, donors_of()).groupby("subscription_item_id").size()))
    assert counts == [{200}, {50}, {20}]


def test_without_any_past_the_paths_spread_as_the_items_own_noise_does() -> None:
    outlook = outlook_of(1, scale=0.1)
    none = pd.DataFrame({"origin_date": [], "demand_class": []})
    found = drawn(outlook, [period(0, 1, 16)], none)["path_quantity"]
    assert found.mean() == pytest.approx(outlook.mean[0, :16].sum())
    assert found.std() == pytest.approx(0.1 * 4, rel=0.2)


def test_a_class_without_past_errors_borrows_those_of_all() -> None:
    plain, odd = (drawn(outlook_of(5, demand=name), [period(0, 1, 9)], donors_of()) for name in ("regular", "cold"))
    assert odd.equals(plain)


def held_out() -> tuple[Panel, backtest.Block]:
    panel = panel_of(usage(np.random.default_rng(3), 12, 240), horizon=HORIZON, back=range(0, 230, 7))
    block = backtest.run(panel, FEW, vocabulary(panel.rows, matrix.CATEGORIES), 1)
    return panel, block


def opened(block: backtest.Block, panel: Panel) -> pd.DataFrame:
    rows = panel.rows.iloc[block.picked][["account_id", "subscription_item_id", "origin_date"]]
    return pd.DataFrame([{**period(0, 1, 20), **row} for row in rows.to_dict("records")])


def test_paths_of_a_past_origin_do_not_know_its_own_errors_but_those_of_the_others() -> None:
    panel, block = held_out()
    periods, donors = opened(block, panel), paths.residuals(panel, block, WEEKDAY_MEAN)
    origins = sorted(set(donors["origin_date"]))
    assert len(origins) == 3
    own = donors.copy()
    days = [str(day + 1) for day in range(HORIZON)]
    rising = np.where((own["origin_date"] == origins[0]).to_numpy()[:, None], 50 * np.arange(HORIZON), 0)
    own[days] += rising.astype(np.float32)
    before, after = (paths.backtested(panel, block, WEEKDAY_MEAN, periods, one) for one in (donors, own))
    assert set(before["path"]) == set(range(1, 101))
    assert set(before["is_backtest"]) == {True}
    mine = pd.to_datetime(before["as_of"]) == pd.Timestamp(origins[0])
    assert mine.sum() == 12 * 100
    assert before[mine].equals(after[mine])
    assert not before[~mine].equals(after[~mine])


def test_errors_are_in_units_of_the_items_scale_and_a_path_that_is_not_known_to_its_end_repeats_whole_weeks() -> None:
    panel, block = held_out()
    donors = paths.residuals(panel, block, WEEKDAY_MEAN)
    newest = max(block.cutoff)
    assert newest.astype(date) == AS_OF - timedelta(days=28)
    days = [str(day + 1) for day in range(HORIZON)]
    late = donors.loc[donors["origin_date"] == newest, days].to_numpy()
    assert np.array_equal(late[:, 28:], late[:, : HORIZON - 28])
    rows = np.flatnonzero(block.cutoff == newest)
    error = block.actual[rows] - block.forecasts[WEEKDAY_MEAN].mean[rows]
    shares = late[:, 1] / late[:, 0]  # the scale falls out
    assert sorted(shares) == pytest.approx(sorted(error[:, 1] / error[:, 0]), rel=1e-4)


def test_at_most_400_past_paths_are_kept_of_each_origin_and_class(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, block = held_out()
    monkeypatch.setattr(paths, "DONORS", 5)
    sizes = paths.residuals(panel, block, WEEKDAY_MEAN).groupby("origin_date").size()
    assert sizes.tolist() == [5, 5, 5]
    blank = dataclasses.replace(block, actual=np.full(block.actual.shape, np.nan))
    assert paths.residuals(panel, blank, WEEKDAY_MEAN).columns.tolist() == ["origin_date", "demand_class"]
