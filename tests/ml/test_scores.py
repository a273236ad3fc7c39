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
RUN = "run_id varchar, scored_at timestamp"
# Written out again on purpose: this is what dbt's sources expect, not what ml happens to write.
CONTRACT = {
    "usage_forecast": "account_id varchar, subscription_item_id varchar, customer_id varchar, meter_id varchar, "
    "as_of date, forecast_date date, horizon integer, yhat_mean double, yhat_median double, "
    f"{BAND}, baseline double, {MODEL}, {RUN}",
    "churn_risk": "account_id varchar, customer_id varchar, as_of date, horizon_days integer, probability double, "
    f"baseline_probability double, reasons varchar, {MODEL}, {RUN}",
    "revenue_forecast": f"account_id varchar, currency varchar, as_of date, month_start date, mrr_mean double, {BAND}, "
    f"method varchar, model_version varchar, {RUN}",
    "model_performance": "model_name varchar, model_version varchar, as_of date, metric varchar, segment varchar, "
    f"value double, baseline_value double, n bigint, {RUN}",
    "feature_drift": "feature varchar, segment varchar, as_of date, psi double, psi_limit double, n bigint, "
    f"is_breach boolean, {RUN}",
}


@pytest.mark.parametrize("table", ["usage_forecast", "churn_risk", "revenue_forecast", "model_performance"])
def test_a_scoring_run_writes_the_contracts_columns_and_types(trained: Settings, table: str) -> None:
    files = list((trained.scores / table).glob("run=*.parquet"))
    assert len(files) == 1
    described = duckdb.execute(
        f"describe select * from read_parquet('{files[0]}', hive_partitioning = false)"
    ).fetchall()
    assert ", ".join(f"{name} {kind.lower()}" for name, kind, *_ in described) == CONTRACT[table]


def test_drift_has_the_contracts_columns_too(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [{"feature": "a", "segment": "items", "psi": 0.1, "psi_limit": 0.2, "n": 5, "is_breach": False}]
    )
    path = scores.write(tmp_path, "feature_drift", frame.assign(as_of=synthetic.AS_OF), scores.new_run())
    described = duckdb.execute(f"describe select * from read_parquet('{path}', hive_partitioning = false)").fetchall()
    assert ", ".join(f"{name} {kind.lower()}" for name, kind, *_ in described) == CONTRACT["feature_drift"]


def test_every_item_has_28_ordered_days_with_bands_around_the_median(trained: Settings) -> None:
    said = read(trained, "usage_forecast")
    assert said.groupby("subscription_item_id").size().eq(28).all()
    assert (pd.to_datetime(said["forecast_date"]) - pd.Timestamp(synthetic.AS_OF)).dt.days.eq(said["horizon"]).all()
    ordered = said[["q025", "q10", "yhat_median", "q90", "q975"]].to_numpy(np.float64)
    assert (np.diff(ordered, axis=1) >= 0).all()
    assert (ordered[:, 0] >= 0).all()


def test_young_and_mostly_idle_items_say_that_a_simpler_method_served_them(trained: Settings) -> None:
    method = read(trained, "usage_forecast").groupby("subscription_item_id")["method"].first()
    assert method["si_000"] == method["si_001"] == "weekday_mean"
    assert method["si_005"] == "xgboost"


def test_undefined_figures_are_null(tmp_path: Path) -> None:
    row = {
        "account_id": "a",
        "currency": "usd",
        "as_of": synthetic.AS_OF,
        "month_start": synthetic.AS_OF,
        "mrr_mean": 1.0,
    }
    frame = pd.DataFrame([{**row, **dict.fromkeys(scores.BAND, float("nan")), "method": "m", "model_version": "1"}])
    path = scores.write(tmp_path, "revenue_forecast", frame, scores.new_run())
    assert pq.read_table(path, partitioning=None)["q10"].to_pylist() == [None]


def test_a_second_run_adds_a_file_and_leaves_the_first_alone(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [{"feature": "a", "segment": "items", "psi": 0.1, "psi_limit": 0.2, "n": 5, "is_breach": False}]
    )
    frame = frame.assign(as_of=synthetic.AS_OF)
    first = scores.write(tmp_path, "feature_drift", frame, scores.new_run())
    before = first.read_bytes()
    second = scores.write(tmp_path, "feature_drift", frame, scores.new_run())
    assert second.name > first.name
    assert first.read_bytes() == before
    assert not list((tmp_path / "feature_drift").glob("*.tmp"))


def test_a_breach_is_remembered_until_a_newer_run_finds_none(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [{"feature": "a", "segment": "items", "psi": 0.9, "psi_limit": 0.2, "n": 5, "is_breach": True}]
    )
    frame = frame.assign(as_of=synthetic.AS_OF)
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
