"""What was said against what came: rolling figures in the backtest's band, matured risks by their own expectation."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from ml import metrics, performance, scores
from ml.registry import CHURN, USAGE, Entry

AS_OF = date(2026, 10, 31)
SERVING = {name: Entry(name, "3", "", {"as_of": "2026-09-01"}, name) for name in (USAGE, CHURN)}


def warehouse(rng: np.random.Generator, days: int = 40, items: int = 12) -> duckdb.DuckDBPyConnection:
    """Usage around 100 a day of two meters, the last item of none."""
    con = duckdb.connect()
    rows = [
        ("acct", f"si_{item}", f"m_{item % 2}", AS_OF - timedelta(days=back), 100 * float(rng.lognormal(0, 0.2)))
        for item in range(items)
        for back in range(days)
    ]
    columns = ["account_id", "subscription_item_id", "meter_id", "usage_date", "quantity"]
    usage = pd.DataFrame(rows, columns=columns)  # noqa: F841 - the query reads it
    con.execute("create schema marts; create schema features")
    con.execute("create table marts.fct_usage_daily as select *, true as is_counted from usage")
    con.execute("update marts.fct_usage_daily set is_counted = false where subscription_item_id = 'si_0'")
    return con


def said(folder: Path, as_of: date, level: float, items: int = 12) -> None:
    """A run's forecasts: the same for each day."""
    rows = [
        {"account_id": "acct", "subscription_item_id": f"si_{item}", "customer_id": "cus", "meter_id": f"m_{item % 2}"}
        | {"as_of": as_of, "forecast_date": as_of + timedelta(days=h), "horizon": h, "yhat_mean": level}
        | {"yhat_median": level, "q025": level / 2, "q10": 0.75 * level, "q90": 1.3 * level, "q975": 2 * level}
        | {"seasonal_naive": 110.0, "weekday_mean": 110.0, "demand_class": "regular", "method": "xgboost"}
        | {"model_name": USAGE, "model_version": "1"}
        for item in range(items)
        for h in range(1, 41)
    ]
    scores.write(folder, USAGE, pd.DataFrame(rows), scores.new_run())


def measured(con: duckdb.DuckDBPyConnection, folder: Path, limits: performance.Limits) -> pd.DataFrame:
    return performance.measure(con, folder, AS_OF, SERVING, {USAGE: {"limits": limits}, CHURN: {}})


def by_figure(found: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows by metric and segment."""
    rows = [{str(name): value for name, value in row.items()} for row in found.to_dict("records")]
    return {(row["metric"], row["segment"]): row for row in rows}


def test_rolling_figures_are_those_of_the_newest_runs_and_a_breach_is_outside_the_band(tmp_path: Path) -> None:
    con = warehouse(np.random.default_rng(1))
    said(tmp_path, AS_OF - timedelta(days=20), 1.0)  # said again by a newer run: does not count
    said(tmp_path, AS_OF - timedelta(days=20), 100.0)
    band: performance.Limits = {
        "wape_last_28": {"all": [None, 10.0], "meter:m_0": [None, 90.0]},
        "cov80_last_28": {"all": [0.6, None]},
    }
    found = by_figure(measured(con, tmp_path, band))
    usage = con.execute(
        "select quantity, meter_id from marts.fct_usage_daily where is_counted and usage_date > ?",
        [AS_OF - timedelta(days=20)],
    ).fetch_df()
    wape = metrics.wape_by_unit(usage["quantity"], np.full(len(usage), 100.0), usage["meter_id"])
    row = found["wape_last_28", "all"]
    assert row["value"] == pytest.approx(wape)
    assert (row["n"], bool(row["is_breach"]), row["limit_high"]) == (11 * 20, True, 10.0)
    assert row["alert_key"] == "performance:usage_forecast:wape_last_28:all"
    assert not found["cov80_last_28", "all"]["is_breach"]
    assert not found["wape_last_28", "meter:m_0"]["is_breach"]
    assert np.isnan(found["wape_last_28", "meter:m_0"]["limit_high"])  # 100 item-days: shown, not judged
    assert found["wape_last_7", "all"]["n"] == 11 * 7


def test_nothing_that_has_come_is_no_row(tmp_path: Path) -> None:
    con = warehouse(np.random.default_rng(2))
    assert len(measured(con, tmp_path, {})) == 0  # no run yet
    said(tmp_path, AS_OF, 100.0)
    assert len(measured(con, tmp_path, {})) == 0  # said today
    assert performance.summary(measured(con, tmp_path, {})) == "Nothing that the models said has come true yet."


def risks(rng: np.random.Generator, count: int, factor: float) -> pd.DataFrame:
    p = rng.uniform(0.02, 0.4, count)
    left = rng.uniform(size=count) < np.clip(factor * p, 0, 1)
    return pd.DataFrame(
        {"horizon_days": 90, "probability": p, "baseline_probability": p.mean(), "is_churned": left.astype(float)}
    )


def test_honest_risks_hardly_ever_break_their_limits_and_halved_ones_do() -> None:
    rng = np.random.default_rng(3)
    honest = [any(row["is_breach"] for row in performance.churn(risks(rng, 300, 1.0))) for _ in range(300)]
    assert sum(honest) <= 4
    halved = [any(row["is_breach"] for row in performance.churn(risks(rng, 300, 2.0))) for _ in range(20)]
    assert all(halved)
    few = list(performance.churn(risks(rng, 99, 4.0)))
    assert {row["metric"] for row in few} == {"brier_matured", "calibration_matured", "ece_matured"}
    assert not any(row["is_breach"] for row in few)


def test_risks_are_judged_when_their_label_has_matured_and_of_the_newest_day_that_has(tmp_path: Path) -> None:
    con = warehouse(np.random.default_rng(4), days=1, items=1)
    days = [date(2026, 5, 31), date(2026, 6, 30), date(2026, 7, 31)]
    rows = [
        {"account_id": "acct", "customer_id": f"cus_{i}", "as_of": day, "horizon_days": 90, "probability": 0.1 * place}
        | {"baseline_probability": 0.2, "model_name": CHURN, "model_version": "1", "reasons": "[]", "method": "m"}
        for place, day in enumerate(days, 1)
        for i in range(4)
    ]
    frame = pd.DataFrame(rows)
    for name in scores.TABLES[CHURN]:
        if name not in frame and name not in scores.RUN:
            frame[name] = None
    scores.write(tmp_path, CHURN, frame, scores.new_run())
    labels = pd.DataFrame(rows)[["account_id", "customer_id", "as_of", "horizon_days"]]
    labels = labels.rename(columns={"as_of": "as_of_date"}).assign(is_churned=True)
    labels["matured_on"] = [day + timedelta(days=120) for day in labels["as_of_date"]]
    con.execute("create table features.churn_labels as from labels")
    found = by_figure(measured(con, tmp_path, {}))
    assert found["brier_matured", "horizon:90"]["value"] == pytest.approx(0.8**2)  # 30 June: 31 July is not known yet
    assert found["brier_matured", "horizon:90"]["baseline_value"] == pytest.approx(0.64)
    assert found["calibration_matured", "horizon:90"]["value"] == pytest.approx(0.8)
    assert {key[1] for key in found} == {"horizon:90"}
