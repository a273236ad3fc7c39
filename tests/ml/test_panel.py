"""What may be read: contracted columns, and nothing after the as-of day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from ml import forecast, matrix, panel, splits, warehouse
from ml.errors import ColumnsMissing, NotAnOrigin, NothingToDo, RelationMissing, RowsAfterAsOf, WarehouseMissing
from ml.settings import Settings
from tests.ml import synthetic

AS_OF = synthetic.AS_OF


def load(settings: Settings, as_of: date = AS_OF) -> panel.Panel:
    with warehouse.opened(settings.warehouse, 1) as connection:
        return panel.load(connection, as_of)


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


def test_a_sample_keeps_whole_items_and_origins_and_its_limit(trained: Settings) -> None:
    items = load(trained)
    everything = np.arange(len(items.rows))
    row, horizon = panel.sample(items, everything, AS_OF, 2_000, seed=1)
    assert 1_900 < len(row) <= 2_000
    known = (~np.isnan(items.targets(everything))).sum(axis=1)
    assert all(count == known[one] for one, count in zip(*np.unique(row, return_counts=True), strict=True))
    assert horizon.min() == 1
    again, _ = panel.sample(items, everything, AS_OF, 2_000, seed=1)
    assert np.array_equal(row, again)


def test_weekdays_and_target_day_features_are_picked_by_the_target_day(trained: Settings) -> None:
    assert matrix.weekdays(np.array(["2026-11-02", "2026-11-08"], dtype="datetime64[D]")).tolist() == [0, 6]
    items = load(trained)
    row = items.at(AS_OF)[5]
    monday = matrix.by_target_weekday(items, "same_weekday_last", np.array([row]), np.array([2]))  # Sat + 2 days
    assert monday[0] == items.rows.loc[row, "same_weekday_last_1"]


def test_no_fold_learns_from_a_day_it_is_tested_on(trained: Settings) -> None:
    items = load(trained)
    folds = splits.usage_folds(items.origins(), AS_OF, panel.HORIZON)
    cutoffs = [cutoff for fold in folds for cutoff in fold.cutoffs]
    assert cutoffs == [AS_OF - timedelta(days=28 * k) for k in (4, 3, 2, 1)]
    assert all(fold.until <= cutoff for fold in folds for cutoff in fold.cutoffs)


def test_a_fit_up_to_a_day_does_not_move_when_later_days_change(trained: Settings, copied: Settings) -> None:
    until = AS_OF - timedelta(days=56)
    synthetic.change(copied.warehouse, f"update marts.fct_usage_daily set quantity = 1e9 where usage_date > '{until}'")
    synthetic.change(copied.warehouse, f"update features.usage_asof set mean_7 = 1e9 where origin_date > '{until}'")
    fitted = []
    for settings in (trained, copied):
        items = load(settings)
        known = panel.vocabulary(items.rows, matrix.CATEGORIES)
        heads = forecast.fit(items, until, known, threads=1, limit=3_000)
        assert heads is not None
        fitted.append(bytes(heads.median.save_raw("ubj")))
    assert fitted[0] == fitted[1]
