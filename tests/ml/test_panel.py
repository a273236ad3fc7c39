"""What may be read: contracted columns, and nothing after the as-of day."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from ml import backtest, forecast, matrix, panel, paths, routes, splits, usage_panel, warehouse
from ml.errors import ColumnsMissing, NotAnOrigin, NothingToDo, RelationMissing, RowsAfterAsOf, WarehouseMissing
from ml.settings import Settings
from tests.ml import synthetic

AS_OF = synthetic.AS_OF
FEW = forecast.Recipe(rows=3_000, median_rounds=8, mean_rounds=2)


def load(settings: Settings, as_of: date = AS_OF) -> panel.Panel:
    with warehouse.opened(settings.warehouse, 1) as connection:
        return usage_panel.load(connection, as_of)


def test_a_missing_feature_column_is_refused_by_name(copied: Settings) -> None:
    synthetic.change(copied.warehouse, "alter table features.usage_asof drop column same_weekday_mean_4")
    with pytest.raises(ColumnsMissing, match=r"features\.usage_asof lacks same_weekday_mean_4"):
        load(copied)


def test_a_missing_table_is_refused_by_name(copied: Settings) -> None:
    synthetic.change(copied.warehouse, "drop table marts.fct_usage_daily")
    with pytest.raises(RelationMissing, match=r"marts\.fct_usage_daily"):
        load(copied)


def test_a_missing_warehouse_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(WarehouseMissing, match="nowhere"), warehouse.opened(tmp_path / "nowhere.duckdb", 1):
        pass


def test_usage_after_the_built_day_is_refused(copied: Settings) -> None:
    synthetic.change(
        copied.warehouse, "update marts.fct_usage_daily set usage_date = '2026-11-05' where usage_date = '2026-10-30'"
    )
    with (
        warehouse.opened(copied.warehouse, 1) as connection,
        pytest.raises(RowsAfterAsOf, match=r"fct_usage_daily has \d+ rows after as-of 2026-10-31"),
    ):
        warehouse.chosen_as_of(connection, None)


def test_a_day_without_features_is_refused_with_the_days_there_are(trained: Settings) -> None:
    with warehouse.opened(trained.warehouse, 1) as connection:
        assert warehouse.chosen_as_of(connection, AS_OF - timedelta(days=14)) == AS_OF - timedelta(days=14)
        with pytest.raises(NotAnOrigin, match=r"2026-10-30; the warehouse was built for 2026-10-31"):
            warehouse.chosen_as_of(connection, AS_OF - timedelta(days=1))


def test_an_empty_account_has_nothing_to_do(tmp_path: Path) -> None:
    path = synthetic.empty(tmp_path / "warehouse.duckdb")
    with warehouse.opened(path, 1) as connection, pytest.raises(NothingToDo, match="no usage and no customers"):
        warehouse.chosen_as_of(connection, None)


def test_targets_are_the_days_after_the_origin_and_end_at_the_limit(trained: Settings) -> None:
    items = load(trained)
    picked = items.at(AS_OF - timedelta(days=14))
    row = picked[5]
    key = items.rows.loc[row, "subscription_item_id"]
    with duckdb.connect(str(trained.warehouse), read_only=True) as connection:
        query = (
            "select quantity from marts.fct_usage_daily "
            "where subscription_item_id = ? and usage_date > ? order by usage_date"
        )
        after = [value for (value,) in connection.execute(query, [key, AS_OF - timedelta(days=14)]).fetchall()]
    found = items.targets(np.array([row]))[0]
    assert found[:14].tolist() == pytest.approx(after)
    assert np.isnan(found[14:]).all()
    assert np.isnan(items.targets(np.array([row]), AS_OF - timedelta(days=7))[0, 7:]).all()


def test_a_sample_keeps_its_limit_and_takes_known_targets_of_as_many_origins_as_it_can(trained: Settings) -> None:
    items = load(trained)
    everything = np.arange(len(items.rows))
    until = AS_OF - timedelta(days=14)
    row, step = panel.sample(items, everything, until, 2_000, seed=1)
    assert 1_500 < len(row) <= 2_000
    assert not np.isnan(items.targets(everything, until)[row, step - 1]).any()
    assert len(np.unique(row)) > 250  # 7 days of each at least, of 37 origins and 24 items
    assert len(set(zip(row.tolist(), step.tolist(), strict=True))) == len(row)
    again = panel.sample(items, everything, until, 2_000, seed=1)
    assert np.array_equal(row, again[0])
    assert np.array_equal(step, again[1])
    assert not np.array_equal(row, panel.sample(items, everything, until, 2_000, seed=2)[0])
    whole, _ = panel.sample(items, everything, until, 10**6, seed=1)
    assert len(whole) == (~np.isnan(items.targets(everything, until))).sum()


def test_weekdays_and_target_day_features_are_picked_by_the_target_day(trained: Settings) -> None:
    assert matrix.weekdays(np.array(["2026-11-02", "2026-11-08"], dtype="datetime64[D]")).tolist() == [0, 6]
    items = load(trained)
    row = items.at(AS_OF)[5]
    monday = matrix.by_target_weekday(items, "same_weekday_last", np.array([row]), np.array([2]))  # Sat + 2 days
    assert monday[0] == items.features["same_weekday_last"][row, 0]


def test_the_day_a_year_before_the_target_is_read_from_the_year_before(trained: Settings) -> None:
    items = load(trained)
    row = items.at(AS_OF)[5]
    counted = np.tile(np.arange(1.0, 127.0), (len(items.rows), 1))  # column 1 is the day origin - 391
    items = dataclasses.replace(items, features={**items.features, "year_before": counted})
    level, ahead = items.features["level"][row], np.array([1, 40, 90])
    names = ("year_before_over_level", "year_before_week_over_level", "growth_in_a_year")
    made = matrix.build(items, np.repeat(row, 3), ahead, panel.vocabulary(items.rows, matrix.CATEGORIES), names)
    assert made[:, 0] == pytest.approx((28 + ahead) / level, rel=1e-6)
    assert made[:, 1] == pytest.approx((28 + ahead) / level, rel=1e-6)  # the week around it rises evenly
    assert made[:, 2] == pytest.approx([items.features["mean_28"][row] / 14.5] * 3, rel=1e-6)


@pytest.mark.parametrize("last_level", [-5.0, np.nan])
def test_a_forecast_is_never_negative_nor_known_where_there_is_no_level(last_level: float, trained: Settings) -> None:
    items = load(trained)
    heads = forecast.fit(items, AS_OF, panel.vocabulary(items.rows, matrix.CATEGORIES), 1, FEW)
    assert heads is not None
    levels = items.features["level"].copy()
    levels[items.at(AS_OF)[5]] = last_level
    items = dataclasses.replace(items, features={**items.features, "level": levels})
    for said in forecast.predict(items, items.at(AS_OF), heads):
        assert (said[:5] >= 0).all()
        assert np.isnan(said[5]).all() == np.isnan(last_level)
        assert np.isnan(last_level) or (said[5] == 0).all()


def test_held_out_origins_are_four_weeks_apart_within_a_year_and_leave_something_to_learn_from() -> None:
    long_ago = AS_OF - timedelta(days=2_000)
    assert splits.held_out_origins(long_ago, AS_OF) == [AS_OF - timedelta(days=28 * k) for k in range(12, 0, -1)]
    assert splits.held_out_origins(long_ago, AS_OF, 4) == [AS_OF - timedelta(days=28 * k) for k in (9, 5, 1)]
    assert splits.held_out_origins(AS_OF - timedelta(days=140), AS_OF) == [
        AS_OF - timedelta(days=56),
        AS_OF - timedelta(days=28),
    ]
    assert splits.held_out_origins(AS_OF - timedelta(days=100), AS_OF) == []


def poison(settings: Settings, until: date) -> None:
    """Make everything after a day absurd: usage, features and billing periods."""
    later = {"usage_date": "marts.fct_usage_daily", "origin_date": "features.usage_asof"}
    for column, table in later.items():
        what = "quantity = 1e9 + quantity" if column == "usage_date" else "mean_7 = 1e9, level = 1e9, sd_28 = 1e9"
        synthetic.change(settings.warehouse, f"update {table} set {what} where {column} > '{until}'")
    absurd = "quantity_so_far = 1e9, last_horizon = 3"
    synthetic.change(
        settings.warehouse, f"update features.usage_periods_ahead set {absurd} where origin_date > '{until}'"
    )


def test_a_fit_up_to_a_day_does_not_move_when_later_days_change(trained: Settings, copied: Settings) -> None:
    until = AS_OF - timedelta(days=56)
    poison(copied, until)
    fitted = []
    for settings in (trained, copied):
        items = load(settings)
        known = panel.vocabulary(items.rows, matrix.CATEGORIES)
        tried = backtest.try_at(items, until, known, 1, FEW)
        assert tried.heads is not None
        said = b"".join(one.mean.tobytes() + one.median.tobytes() for one in tried.tried.values())
        boosters = tried.heads.median.save_raw("ubj"), tried.heads.mean.save_raw("ubj")
        fitted.append((*map(bytes, boosters), said))
    assert fitted[0] == fitted[1]


def test_a_backtest_at_an_earlier_day_and_its_paths_do_not_move_when_later_days_change(
    trained: Settings, copied: Settings
) -> None:
    until = AS_OF - timedelta(days=84)
    poison(copied, until)
    found = []
    for settings in (trained, copied):
        items = load(settings, until)
        block = backtest.run(items, FEW, panel.vocabulary(items.rows, matrix.CATEGORIES), 1)
        origins = sorted({day.astype(date) for day in block.cutoff})
        assert origins == [AS_OF - timedelta(days=84 + 28 * k) for k in (3, 1)]
        with warehouse.opened(settings.warehouse, 1) as connection:
            periods = usage_panel.periods(connection, origins)
        verdict = backtest.judge(items, block, routes.XGBOOST)
        donors = paths.residuals(items, block, routes.XGBOOST)
        drawn = paths.backtested(items, block, routes.XGBOOST, periods, donors)
        found.append((drawn, verdict.figures, verdict.bands.table, block.chosen))
    assert len(found[0][0]) > 100 * 40
    assert found[0][0].equals(found[1][0])
    assert found[0][1].equals(found[1][1])
    assert found[0][2:] == found[1][2:]
