"""`ml drift` on usage whose level moved in one plan: the breach is named, told with its consequence, and left at 7."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xgboost

from ml import performance, promotion, registry, warehouse, watch
from tests.ml import drift_worlds, synthetic
from tests.ml.conftest import State
from tests.ml.test_registry import AT, candidate

DAY = 700
AS_OF = pd.Timestamp(drift_worlds.FIRST) + pd.Timedelta(days=DAY)


def test_a_breach_is_written_and_told_with_its_feature_its_segment_and_its_consequence(
    monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    settings = state()
    store = registry.connect(settings)
    data = xgboost.DMatrix(np.arange(20.0)[:, None], label=np.arange(20.0), feature_names=["mean_7_over_level"])
    made = candidate(xgboost.train({"nthread": 1}, data, 1), "2026-09-01", "r1", 20.0)
    champion = registry.register(store, settings, replace(made, spec={**made.spec, "references": {}}))
    promotion.promote(store, champion, AT)
    world = drift_worlds.build(9)
    moved = set(world.items.loc[world.items["plan"] == "growth", "customer_id"])
    rows = world.shifted(moved, DAY - 10, 0.75).asof(DAY)
    customers = rows.groupby(["account_id", "customer_id", "origin_date"], as_index=False)["segment"].first()
    monkeypatch.setattr(watch, "_items", lambda *_: rows.drop(columns="segment"))
    monkeypatch.setattr(watch, "_customers", lambda *_: customers)
    monkeypatch.setattr(warehouse, "chosen_as_of", lambda *_: AS_OF.date())
    out = performance.usage(_said(), AS_OF.date(), {"wape_last_7": {"all": [None, 10.0]}})
    live = pd.DataFrame([{"model_name": registry.USAGE, "model_version": "1", **row} for row in out])
    live["alert_key"] = "performance:" + live["metric"] + ":" + live["segment"]
    monkeypatch.setattr(performance, "measure", lambda *_: live)
    synthetic.build(settings.warehouse, items=2, days=60, customers=2)  # read by nothing that is not replaced here
    said: list[str] = []
    assert watch.run(settings, None, said.append)
    told = [line for line in said if line.startswith("breach: ")]
    assert any("mean_7_over_91 of plan:growth: level -2" in line for line in told)
    assert any("wape_last_7 of all: " in line and "over its limit 10" in line for line in told)
    assert all("new versions wait" in line for line in told)
    written = {
        table: pq.read_table(max((settings.scores / table).glob("run=2*.parquet")), partitioning=None).to_pandas()
        for table in ("feature_drift", "model_performance")
    }
    found = written["feature_drift"].query("is_breach")
    assert "drift:level:mean_7_over_91:plan:growth" in found["alert_key"].tolist()
    assert not found["segment"].isin(["plan:starter", "plan:scale"]).any()
    assert found["consequence"].notna().all()
    assert written["model_performance"].query("is_breach")["metric"].tolist() == ["wape_last_7"]
    assert written["model_performance"]["said"].eq("live").all()


def _said() -> pd.DataFrame:
    """Forecasts of the last 7 days that were half of what came."""
    days = np.repeat([AS_OF - pd.Timedelta(days=back) for back in range(7)], 40)
    rows = pd.DataFrame({"forecast_date": days, "meter_id": "m", "quantity": 100.0, "yhat_median": 50.0})
    return rows.assign(seasonal_naive=90.0, q10=10.0, q90=200.0)
