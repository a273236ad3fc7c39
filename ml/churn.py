"""Churn risk: shallow, slow XGBoost beside logistic regression on `features.customer_asof`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import metrics, splits, warehouse
from ml.panel import Floats

if TYPE_CHECKING:
    import xgboost

HORIZON_DAYS = 90
FEATURES = (
    *("tenure_days", "usage_ratio_7_28", "usage_ratio_28_91", "usage_mean_28", "zero_share_28"),
    *("days_since_last_usage", "quota_share_last", "failed_payments_90d", "open_invoices", "mrr_minor"),
    *("mrr_change_90d_share", "seats", "has_discount", "plan_rank", "months_since_upgrade"),
)
# Amounts and counts that span orders of magnitude: a straight line in their logarithm is the fair baseline.
LOGGED = ("tenure_days", "usage_mean_28", "mrr_minor", "seats", "days_since_last_usage")
# Only signs nobody would argue about; the rest is left to the data.
SIGNS = {
    "usage_ratio_7_28": -1,
    "usage_ratio_28_91": -1,
    "zero_share_28": 1,
    "days_since_last_usage": 1,
    "failed_payments_90d": 1,
    "open_invoices": 1,
}
# Chosen once on Telco (ml.md 3.2): default settings lose to logistic regression, class weights wreck calibration.
PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "max_depth": 3,
    "eta": 0.04,
    "min_child_weight": 8,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "tree_method": "hist",
    "seed": 7,
    "monotone_constraints": "(" + ",".join(str(SIGNS.get(name, 0)) for name in FEATURES) + ")",
}
TREES = 220
XGBOOST, LOGISTIC, BASE_RATE = "xgboost", "logistic", "base_rate"
COLUMNS = {name: name for name in ("account_id", "customer_id", "as_of_date", "is_scoring")} | {
    name: f"cast({name} as double) as {name}" for name in FEATURES
}
LABELS = {
    name: name for name in ("account_id", "customer_id", "as_of_date", "horizon_days", "is_churned", "matured_on")
}


@dataclass(frozen=True)
class Logistic:
    """Coefficients on median-filled, standardised features; all numbers, so that scoring needs no scikit-learn."""

    median: list[float]
    mean: list[float]
    spread: list[float]
    weight: list[float]
    intercept: float

    def terms(self, features: Floats) -> Floats:
        """Contribution of each feature in log-odds, shape like `features`; they and the intercept sum to the margin."""
        filled = np.where(np.isnan(features), np.array(self.median), features)
        found: Floats = (filled - np.array(self.mean)) / np.array(self.spread) * np.array(self.weight)
        return found

    def probability(self, features: Floats) -> Floats:
        """Shape (rows,), 0 to 1."""
        found: Floats = 1 / (1 + np.exp(-(self.terms(features).sum(axis=1) + self.intercept)))
        return found


@dataclass(frozen=True)
class Champion:
    """Everything scoring needs. base_rate: share of churn in the labels; logistic and booster None when one class."""

    method: str
    base_rate: float
    logistic: Logistic | None
    booster: xgboost.Booster | None


@dataclass(frozen=True)
class HeldOut:
    """Labels of the held-out dates and what each contender said of them, shape (rows,)."""

    label: Floats
    said: Mapping[str, Floats]


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and the held-out figures behind it (held_out None: no date could be held out)."""

    method: str
    passed: bool
    reason: str
    figures: pd.DataFrame
    held_out: HeldOut | None = None


def load(connection: duckdb.DuckDBPyConnection, as_of: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers to score at `as_of`, and all rows whose label had matured by then (with `is_churned`, `matured_on`)."""
    rows = warehouse.fetch(connection, "features.customer_asof", COLUMNS, "as_of_date <= ?", [as_of])
    labels = warehouse.fetch(
        connection, "features.churn_labels", LABELS, "matured_on <= ? and horizon_days = ?", [as_of, HORIZON_DAYS]
    )
    keys = ["account_id", "customer_id", "as_of_date"]
    rows = rows.sort_values(keys, ignore_index=True)
    labelled = rows.merge(labels.drop(columns="horizon_days"), on=keys, validate="one_to_one")
    return rows[rows["as_of_date"] == pd.Timestamp(as_of)].reset_index(drop=True), labelled


def matrix(rows: pd.DataFrame) -> Floats:
    """Shape (rows, len(FEATURES)), float64, NaN for unknown; the skewed columns in log1p."""
    values = rows[list(FEATURES)].to_numpy(np.float64, copy=True)
    for name in LOGGED:
        position = FEATURES.index(name)
        values[:, position] = np.log1p(np.maximum(values[:, position], 0))
    return values


def fit_logistic(features: Floats, label: Floats) -> Logistic:
    """Ridge logistic regression (C=1); a feature without any value or without spread gets weight 0.

    Raises ValueError if `label` has one class: use the base rate then.
    """
    from sklearn.linear_model import LogisticRegression

    known = ~np.isnan(features).all(axis=0)
    median = np.zeros(features.shape[1])
    median[known] = np.nanmedian(features[:, known], axis=0)
    filled = np.where(np.isnan(features), median, features)
    mean, spread = filled.mean(axis=0), filled.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit((filled - mean) / spread, label)
    weight, intercept = fitted.coef_[0].tolist(), float(fitted.intercept_[0])
    return Logistic(median.tolist(), mean.tolist(), spread.tolist(), weight, intercept)


def fit_booster(features: Floats, label: Floats, threads: int) -> xgboost.Booster:
    """Depth 3, 220 trees, monotone where the sign is sure."""
    import xgboost

    data = xgboost.DMatrix(features.astype(np.float32), label=label, feature_names=list(FEATURES), nthread=threads)
    return xgboost.train({**PARAMETERS, "nthread": threads}, data, TREES)


def judge(labelled: pd.DataFrame, threads: int) -> Verdict:
    """Hold out the newest as-of dates; the model wins if it beats logistic regression on log loss or PR-AUC.

    With one class in either part nothing can be ranked: logistic serves if the labels have two classes, else the
    base rate.
    """
    label = labelled["is_churned"].to_numpy(np.float64)
    if len(np.unique(label)) < 2:
        return Verdict(BASE_RATE, False, f"labels have one class ({int(label.sum())} of {len(label)} churned)", _none())
    days = [labelled[name].to_numpy().astype("datetime64[D]") for name in ("as_of_date", "matured_on")]
    split = splits.churn_holdout(days[0], days[1])
    if split is None or len(np.unique(label[split.train])) < 2 or not split.test.any():
        return Verdict(LOGISTIC, False, "too little matured history to hold dates out", _none())
    features = matrix(labelled)
    logistic = fit_logistic(features[split.train], label[split.train])
    booster = fit_booster(features[split.train], label[split.train], threads)
    model, plain = booster_probability(booster, features[split.test]), logistic.probability(features[split.test])
    figures = _figures(label[split.test], model, plain)
    loss, area = figures.set_index("metric").loc[["log_loss", "pr_auc"], ["value", "baseline_value"]].to_numpy()
    passed = bool(loss[0] < loss[1] or area[0] > area[1])
    reason = f"log loss {loss[0]:.4f} against logistic {loss[1]:.4f}, PR-AUC {area[0]:.3f} against {area[1]:.3f}"
    if not passed:
        figures["value"] = figures["baseline_value"]
    reason = f"{reason}, from {split.first_test} on"
    held = HeldOut(label[split.test], {XGBOOST: model, LOGISTIC: plain})
    return Verdict(XGBOOST if passed else LOGISTIC, passed, reason, figures, held)


def final_fit(labelled: pd.DataFrame, method: str, threads: int) -> Champion:
    """Refit on every matured label. The base rate carries half a pseudo-count on each side (Jeffreys): never 0 or 1."""
    label = labelled["is_churned"].to_numpy(np.float64)
    rate = float((label.sum() + 0.5) / (len(label) + 1))
    if method == BASE_RATE:
        return Champion(method, rate, None, None)
    features = matrix(labelled)
    booster = fit_booster(features, label, threads) if method == XGBOOST else None
    return Champion(method, rate, fit_logistic(features, label), booster)


def score(rows: pd.DataFrame, champion: Champion) -> pd.DataFrame:
    """probability, baseline_probability (logistic's) and reasons (JSON, top 3 by size, in log-odds) per customer."""
    features = matrix(rows)
    flat = np.full(len(rows), champion.base_rate)
    plain = champion.logistic.probability(features) if champion.logistic else flat
    terms = champion.logistic.terms(features) if champion.logistic else np.zeros_like(features)
    probability = plain
    if champion.booster is not None:
        probability = booster_probability(champion.booster, features)
        terms = _predict(champion.booster, features, pred_contribs=True)[:, :-1]
    shown = rows[list(FEATURES)].to_numpy(np.float64)
    reasons = [_reasons(*pair) for pair in zip(shown, terms, strict=True)]
    return pd.DataFrame({"probability": probability, "baseline_probability": plain, "reasons": reasons})


def booster_probability(booster: xgboost.Booster, features: Floats) -> Floats:
    """Shape (rows,), 0 to 1."""
    return _predict(booster, features)


def _predict(booster: xgboost.Booster, features: Floats, **options: bool) -> Floats:
    import xgboost

    data = xgboost.DMatrix(features.astype(np.float32), feature_names=list(FEATURES), nthread=1)
    return np.asarray(booster.predict(data, **options), dtype=np.float64)


def _reasons(values: Floats, terms: Floats) -> str:
    top = [i for i in np.argsort(-np.abs(terms), kind="stable")[:3] if terms[i] != 0]
    found = [
        {
            "feature": FEATURES[i],
            "value": None if np.isnan(values[i]) else round(float(values[i]), 6),
            "contribution": round(float(terms[i]), 6),
        }
        for i in top
    ]
    return json.dumps(found)


def _figures(label: NDArray[np.float64], model: Floats, plain: Floats) -> pd.DataFrame:
    rules: dict[str, Callable[[Floats, Floats], float]] = {
        "log_loss": metrics.log_loss,
        "pr_auc": metrics.pr_auc,
        "roc_auc": metrics.roc_auc,
        "brier": metrics.brier,
        "ece": metrics.ece,
        "lift10": metrics.lift,
    }
    found = [(name, "all", rule(label, model), rule(label, plain), len(label)) for name, rule in rules.items()]
    return pd.DataFrame(found, columns=["metric", "segment", "value", "baseline_value", "n"])


def _none() -> pd.DataFrame:
    return pd.DataFrame({"metric": [], "segment": [], "value": [], "baseline_value": [], "n": []})
