"""Churn risk: held out in time, beside logistic regression, and calm about thin data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml import churn, splits, warehouse
from ml.settings import Settings
from tests.ml import synthetic


def load(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    with warehouse.opened(path, 1) as connection:
        return churn.load(connection, synthetic.AS_OF)


def test_labels_that_had_not_matured_are_not_learned_from(trained: Settings) -> None:
    rows, labelled = load(trained.warehouse)
    assert len(rows) == 60
    assert (labelled["matured_on"] <= pd.Timestamp(synthetic.AS_OF)).all()
    assert labelled["as_of_date"].max() == pd.Timestamp("2026-06-30")


def test_training_labels_are_known_before_the_first_test_day() -> None:
    days = pd.date_range("2025-01-31", periods=20, freq="ME").to_numpy().astype("datetime64[D]").repeat(3)
    matured = days + np.full(days.size, np.timedelta64(120, "D"))
    split = splits.churn_holdout(days, matured)
    assert split is not None
    assert len(np.unique(days[split.test])) == 5
    assert (matured[split.train] <= np.datetime64(split.first_test)).all()
    assert not (split.train & split.test).any()


def test_a_holdout_needs_labels_older_than_its_gap() -> None:
    days = np.array(["2026-01-31", "2026-02-28"], dtype="datetime64[D]")
    assert splits.churn_holdout(days, days + np.full(2, np.timedelta64(120, "D"))) is None


def test_the_gate_names_logistic_regression_where_the_truth_is_a_straight_line(trained: Settings) -> None:
    verdict = churn.judge(load(trained.warehouse)[1], threads=1)
    held = verdict.figures.set_index("metric")
    loss, area = held.loc["log_loss"], held.loc["pr_auc"]
    better = loss["value"] < loss["baseline_value"] or area["value"] > area["baseline_value"]
    assert verdict.passed == better
    assert verdict.method == (churn.XGBOOST if better else churn.LOGISTIC)
    assert held["value"].to_dict()["roc_auc"] > 0.75


def test_labels_of_one_class_give_a_base_rate_and_no_reasons(tmp_path: Path) -> None:
    rows, labelled = load(synthetic.build(tmp_path / "w.duckdb", items=2, days=60, churn="none"))
    verdict = churn.judge(labelled, threads=1)
    assert (verdict.method, verdict.passed) == (churn.BASE_RATE, False)
    scored = churn.score(rows, churn.final_fit(labelled, verdict.method, threads=1))
    expected = 0.5 / (len(labelled) + 1)
    assert scored["probability"].tolist() == pytest.approx([expected] * 60)
    assert scored["baseline_probability"].tolist() == pytest.approx([expected] * 60)
    assert set(scored["reasons"]) == {"[]"}


@pytest.mark.parametrize("method", [churn.XGBOOST, churn.LOGISTIC])
def test_the_reasons_name_the_feature_that_drives_the_risk(trained: Settings, method: str) -> None:
    rows, labelled = load(trained.warehouse)
    scored = churn.score(rows, churn.final_fit(labelled, method, threads=1))
    riskiest = json.loads(scored["reasons"].iloc[int(scored["probability"].argmax())])
    assert len(riskiest) == 3
    assert riskiest[0]["feature"] == "usage_ratio_28_91"
    assert riskiest[0]["contribution"] > 0
    assert riskiest[0]["value"] < 1


def test_falling_usage_never_lowers_the_risk(trained: Settings) -> None:
    rows, labelled = load(trained.warehouse)
    champion = churn.final_fit(labelled, churn.XGBOOST, threads=1)
    lower = rows.assign(usage_ratio_28_91=rows["usage_ratio_28_91"] * 0.5)
    assert (churn.score(lower, champion)["probability"] >= churn.score(rows, champion)["probability"]).all()


def test_a_feature_without_any_value_does_not_break_the_fit(trained: Settings) -> None:
    _, labelled = load(trained.warehouse)
    assert labelled["months_since_upgrade"].isna().all()
    fitted = churn.fit_logistic(churn.matrix(labelled), labelled["is_churned"].to_numpy(np.float64))
    assert fitted.weight[churn.FEATURES.index("months_since_upgrade")] == 0.0
