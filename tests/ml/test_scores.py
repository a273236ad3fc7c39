"""Score files: the contract's columns, whole files, nothing overwritten."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ml import scores
from ml.settings import Settings
from tests.ml import synthetic

BAND = "q025 double, q10 double, q90 double, q975 double"
MODEL = "method varchar, model_name varchar, model_version varchar"
BREACH = "is_breach boolean, alert_key varchar, consequence varchar"
RUN = "run_id varchar, scored_at timestamp"
# Written out again on purpose: this is what dbt's sources expect, not what ml happens to write.
CONTRACT = {
    "usage_forecast": "account_id varchar, subscription_item_id varchar, customer_id varchar, meter_id varchar, "
    "as_of date, forecast_date date, horizon integer, yhat_mean double, yhat_median double, "
    f"{BAND}, seasonal_naive double, weekday_mean double, demand_class varchar, {MODEL}, {RUN}",
    "usage_paths": "account_id varchar, subscription_item_id varchar, as_of date, is_backtest boolean, "
    "period_start timestamp, period_number integer, path integer, quantity_so_far double, path_quantity double, "
    f"{MODEL}, {RUN}",
    "churn_risk": "account_id varchar, customer_id varchar, as_of date, horizon_days integer, treatment varchar, "
    "probability double, baseline_probability double, base_margin double, margin double, other_contribution double, "
    f"reasons varchar, {MODEL}, {RUN}",
    "revenue_trend": "account_id varchar, level varchar, plan varchar, currency varchar, as_of date, "
    f"months_ahead integer, metered_growth double, {BAND}, n integer, method varchar, model_version varchar, {RUN}",
    "model_performance": "model_name varchar, model_version varchar, as_of date, metric varchar, segment varchar, "
    "value double, baseline_value double, n bigint, said varchar, limit_low double, limit_high double, "
    f"{BREACH}, {RUN}",
    "feature_drift": "model_name varchar, feature varchar, segment varchar, test varchar, as_of date, psi double, "
    "psi_limit double, n bigint, statistic double, statistic_limit double, p_value double, effect double, "
    f"{BREACH}, {RUN}",
}


@pytest.mark.parametrize("table", ["usage_forecast", "churn_risk", "revenue_trend", "model_performance"])
def test_a_scoring_run_writes_the_contracts_columns_and_types(trained: Settings, table: str) -> None:
    files = list((trained.scores / table).glob("run=*.parquet"))
    assert len(files) == 1
    described = duckdb.execute(
        f"describe select * from read_parquet('{files[0]}', hive_partitioning = false)"
    ).fetchall()
    assert ", ".join(f"{name} {kind.lower()}" for name, kind, *_ in described) == CONTRACT[table]


def test_drift_has_the_contracts_columns_too(tmp_path: Path) -> None:
    path = scores.write(tmp_path, "feature_drift", synthetic.drifted(is_breach=False), scores.new_run())
    described = duckdb.execute(f"describe select * from read_parquet('{path}', hive_partitioning = false)").fetchall()
    assert ", ".join(f"{name} {kind.lower()}" for name, kind, *_ in described) == CONTRACT["feature_drift"]


def test_paths_of_today_and_of_the_past_are_two_files_of_the_contracts_columns(trained: Settings) -> None:
    files = list((trained.scores / "usage_paths").glob("run=*.parquet"))
    kinds = []
    for file in files:
        described = duckdb.execute(f"describe select * from read_parquet('{file}', hive_partitioning = false)")
        assert ", ".join(f"{name} {kind.lower()}" for name, kind, *_ in described.fetchall()) == CONTRACT["usage_paths"]
        rows = pq.read_table(file, partitioning=None).to_pandas()
        kinds.append((set(rows["is_backtest"].tolist()), int(rows["path"].max())))
    assert sorted(kinds, key=str) == [({False}, 200), ({True}, 100)]


def test_every_item_has_90_ordered_days_with_bands_around_the_median(trained: Settings) -> None:
    said = read(trained, "usage_forecast")
    assert said.groupby("subscription_item_id").size().eq(90).all()
    assert said["subscription_item_id"].nunique() == 24
    assert (pd.to_datetime(said["forecast_date"]) - pd.Timestamp(synthetic.AS_OF)).dt.days.eq(said["horizon"]).all()
    ordered = said[["q025", "q10", "yhat_median", "q90", "q975"]].to_numpy(np.float64)
    assert (np.diff(ordered, axis=1) >= 0).all()
    assert (ordered[:, 0] >= 0).all()


def test_every_row_says_which_method_served_it_and_of_what_kind_the_item_is(trained: Settings) -> None:
    said = read(trained, "usage_forecast").groupby("subscription_item_id")[["demand_class", "method"]].first()
    assert said.loc["si_000", "demand_class"] == "intermittent"
    assert dict(said.loc["si_001"]) == {"demand_class": "cold", "method": "cohort_mean"}
    assert dict(said.loc["si_005"]) == {"demand_class": "regular", "method": "xgboost"}


def test_the_baselines_beside_a_forecast_are_the_last_same_weekday_and_the_mean_of_four(trained: Settings) -> None:
    said = read(trained, "usage_forecast").query("subscription_item_id == 'si_005'").set_index("horizon")
    with duckdb.connect(str(trained.warehouse), read_only=True) as connection:
        query = "select quantity from marts.fct_usage_daily where subscription_item_id = 'si_005' order by usage_date"
        known = [value for (value,) in connection.execute(query).fetchall()]
    for ahead in (1, 7, 8, 90):
        same = [known[-1 - (-ahead % 7) - 7 * week] for week in range(4)]
        assert said.loc[ahead, "seasonal_naive"] == pytest.approx(same[0])
        assert said.loc[ahead, "weekday_mean"] == pytest.approx(sum(same) / 4)


def test_undefined_figures_are_null(tmp_path: Path) -> None:
    row: dict[str, object] = dict.fromkeys(("account_id", "level", "plan", "currency"), "a")
    row |= {"as_of": synthetic.AS_OF, "months_ahead": 1, "metered_growth": 1.0, "n": 0}
    frame = pd.DataFrame([{**row, **dict.fromkeys(scores.BAND, float("nan")), "method": "m", "model_version": "1"}])
    path = scores.write(tmp_path, "revenue_trend", frame, scores.new_run())
    assert pq.read_table(path, partitioning=None)["q10"].to_pylist() == [None]


def test_a_second_run_adds_a_file_and_leaves_the_first_alone(tmp_path: Path) -> None:
    frame = synthetic.drifted(is_breach=False)
    first = scores.write(tmp_path, "feature_drift", frame, scores.new_run())
    before = first.read_bytes()
    second = scores.write(tmp_path, "feature_drift", frame, scores.new_run())
    assert second.name > first.name
    assert first.read_bytes() == before
    assert not list((tmp_path / "feature_drift").glob("*.tmp"))


def test_a_breach_is_remembered_until_a_newer_run_finds_none(tmp_path: Path) -> None:
    frame = synthetic.drifted(is_breach=True)
    run = scores.new_run()
    assert scores.last_breach(tmp_path) is None
    scores.write(tmp_path, "feature_drift", frame, run)
    assert scores.last_breach(tmp_path) == run.at
    scores.write(tmp_path, "feature_drift", frame.assign(is_breach=False), scores.new_run())
    assert scores.last_breach(tmp_path) is None


def read(settings: Settings, table: str) -> pd.DataFrame:
    path = max((settings.scores / table).glob("run=*.parquet"))
    frame: pd.DataFrame = pq.read_table(path, partitioning=None).to_pandas()
    return frame
