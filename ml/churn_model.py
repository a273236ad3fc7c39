"""One risk model: penalised logistic regression, shallow slow trees beside it, and their margins added.

A margin is a sum of terms, one for each column, so every probability comes with the reasons that make it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.churn_columns import LEVEL, Column
from ml.panel import Floats

if TYPE_CHECKING:
    import xgboost

# Chosen once on Telco (ml.md 3.2): default settings lose to logistic regression, class weights wreck calibration.
PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "max_depth": 3,
    "eta": 0.03,
    "min_child_weight": 12,
    "subsample": 0.6,
    "colsample_bytree": 0.5,
    "tree_method": "hist",
    "seed": 7,
}
TREES = 240
EXACT_ROWS = (
    20_000  # exact contributions take 0.3 ms a row; above, the path-wise ones (20 times as fast) add up as well
)
BEYOND = 0.5  # of the range learned from: silences grow with a log that grows, but nothing says what lies far outside
UNSIGNED = 0.25  # prior spread of a weight whose sign nobody knows, against one whose sign is sure
RIDGE, BLEND, LOGISTIC, BASE_RATE = "ridge", "blend", "logistic", "base_rate"


@dataclass(frozen=True)
class Logistic:
    """Coefficients on median-filled, standardised columns; all numbers, so that scoring needs no scikit-learn.

    low, high: how far the line is believed, half a range beyond the values learned from; a value further out counts as
    the nearest end.
    """

    median: list[float]
    low: list[float]
    high: list[float]
    mean: list[float]
    spread: list[float]
    weight: list[float]
    intercept: float

    def terms(self, features: Floats) -> Floats:
        """Contribution of each column in log-odds, shape like `features`; they and the intercept are the margin."""
        filled = np.clip(np.where(np.isnan(features), np.array(self.median), features), self.low, self.high)
        found: Floats = (filled - np.array(self.mean)) / np.array(self.spread) * np.array(self.weight)
        return found

    def margin(self, features: Floats) -> Floats:
        """Log-odds, shape (rows,)."""
        found: Floats = self.terms(features).sum(axis=1) + self.intercept
        return found


@dataclass(frozen=True)
class Said:
    """base + the row's terms = margin, in log-odds. terms: shape (rows, columns); base, margin: shape (rows,)."""

    base: Floats
    terms: Floats

    @property
    def margin(self) -> Floats:
        found: Floats = self.base + self.terms.sum(axis=1)
        return found

    @property
    def probability(self) -> Floats:
        return sigmoid(self.margin)


@dataclass(frozen=True)
class Recipe:
    """penalty: C of the ridge (smaller is stronger). share: of the trees in the margin, 0 to 1."""

    penalty: float
    share: float


@dataclass(frozen=True)
class Model:
    """What serves. logistic: the plain one that is always said beside it; None when the labels allow none.

    shift, slope: of the calibration, shift + slope x margin; 0 and 1 where none was needed.
    """

    method: str
    columns: Sequence[Column]
    base_rate: float
    logistic: Logistic | None = None
    ridge: Logistic | None = None
    booster: xgboost.Booster | None = None
    share: float = 0.0
    shift: float = 0.0
    slope: float = 1.0

    def say(self, features: Floats) -> Said:
        """Margins of the method that serves, with what they are made of."""
        if self.method == LOGISTIC and self.logistic is not None:
            return of_logistic(self.logistic, features)
        if self.ridge is None:
            return constant(self.base_rate, features)
        said = of_logistic(self.ridge, features)
        base, terms = said.base, said.terms
        if self.booster is not None:
            trees = of_booster(self.booster, features)
            base = (1 - self.share) * base + self.share * trees.base
            terms = (1 - self.share) * terms + self.share * trees.terms
        return Said(self.shift + self.slope * base, self.slope * terms)

    def say_plain(self, features: Floats) -> Said:
        """What the plain logistic regression says, or the base rate where there is none."""
        return constant(self.base_rate, features) if self.logistic is None else of_logistic(self.logistic, features)


def fit(features: Floats, label: Floats, columns: Sequence[Column], recipe: Recipe, threads: int) -> Model:
    """The contender: ridge, and trees as far as the recipe has a share for them. `label` needs both classes."""
    booster = fit_booster(features, label, columns, threads) if recipe.share else None
    ridge = fit_ridge(features, label, columns, recipe.penalty)
    method = BLEND if recipe.share else RIDGE
    return Model(method, columns, rate(label), fit_logistic(features, label), ridge, booster, recipe.share)


def calibrated(model: Model, shift: float, slope: float) -> Model:
    """The same model, its margins on another line: shift + slope x margin (Platt 1999)."""
    return replace(model, shift=shift, slope=slope)


def fit_logistic(features: Floats, label: Floats) -> Logistic:
    """Logistic regression as everybody runs it (C=1), the baseline. `label` needs both classes."""
    return _fitted(features, label, 1.0, np.ones(features.shape[1]))


def fit_ridge(features: Floats, label: Floats, columns: Sequence[Column], penalty: float) -> Logistic:
    """Ridge whose weights have the columns' signs: the one most wrong is left out, and the rest fitted again.

    Where any sign is known, numbers without one are held closer to 0 (words, which say of what kind a customer is, are
    not): with sixty customers lost a year, what nobody expects is more often chance than a discovery.
    """
    signs = np.array([column.sign for column in columns])
    sure = np.array([column.sign != 0 or column.form == LEVEL for column in columns])
    prior = np.where(sure, 1.0, UNSIGNED) if signs.any() else np.ones(len(signs))
    while True:
        found = _fitted(features, label, penalty, prior)
        wrong = np.where(prior > 0, -signs * np.array(found.weight), 0)
        if not len(wrong) or wrong.max() <= 0:
            return found
        prior[wrong.argmax()] = 0.0


def fit_booster(features: Floats, label: Floats, columns: Sequence[Column], threads: int) -> xgboost.Booster:
    """Depth 3, 240 slow trees, monotone where the sign is sure, no class weights."""
    import xgboost

    signs = "(" + ",".join(str(column.sign) for column in columns) + ")"
    names = [f"{index}" for index in range(len(columns))]  # any character may be in a table's own names
    data = xgboost.DMatrix(features.astype(np.float32), label=label, feature_names=names, nthread=threads)
    return xgboost.train({**PARAMETERS, "monotone_constraints": signs, "nthread": threads}, data, TREES)


def of_logistic(rule: Logistic, features: Floats) -> Said:
    """A logistic regression's margins and terms."""
    return Said(np.full(len(features), rule.intercept), rule.terms(features))


def of_booster(booster: xgboost.Booster, features: Floats) -> Said:
    """The trees' margins and terms (Shapley values; Saabas' above EXACT_ROWS rows: both sum to the margin)."""
    import xgboost

    names = booster.feature_names
    data = xgboost.DMatrix(features.astype(np.float32), feature_names=names, nthread=1)
    found = booster.predict(data, pred_contribs=True, approx_contribs=len(features) > EXACT_ROWS)
    values = np.asarray(found, dtype=np.float64).reshape(len(features), -1)
    return Said(values[:, -1], values[:, :-1])


def constant(probability: float, features: Floats) -> Said:
    """The same probability for everybody, without reasons."""
    return Said(np.full(len(features), float(np.log(probability / (1 - probability)))), np.zeros_like(features))


def rate(label: Floats) -> float:
    """Share of positives with half a pseudo-count on each side (Jeffreys): never 0 or 1; 1/2 of no label."""
    return float((label.sum() + 0.5) / (len(label) + 1))


def sigmoid(margin: Floats) -> Floats:
    """Log-odds as a probability."""
    found: Floats = 1 / (1 + np.exp(-np.clip(margin, -700, 700)))
    return found


def _fitted(features: Floats, label: Floats, penalty: float, prior: Floats) -> Logistic:
    """Minimise the log loss summed over rows + |weight / prior|^2 / (2 penalty).

    prior: shape (columns,); 0 leaves a column out. A column without any value, or without spread, weighs 0.
    """
    from sklearn.linear_model import LogisticRegression

    known = ~np.isnan(features).all(axis=0)
    median = np.zeros(features.shape[1])
    median[known] = np.nanmedian(features[:, known], axis=0)
    filled = np.where(np.isnan(features), median, features)
    mean, spread = filled.mean(axis=0), filled.std(axis=0)
    flat = spread <= 1e-9 * np.maximum(1, np.abs(mean))
    spread = np.where(flat, 1.0, spread)
    used = (prior > 0) & ~flat
    share = rate(label)
    weight, intercept = np.zeros(features.shape[1]), float(np.log(share / (1 - share)))
    if used.any():
        scaled = ((filled - mean) / spread * prior)[:, used]
        found = LogisticRegression(C=penalty, solver="newton-cholesky", tol=1e-6, max_iter=100).fit(scaled, label)
        weight[used], intercept = found.coef_[0] * prior[used], float(found.intercept_[0])
    low, high = filled.min(axis=0), filled.max(axis=0)
    low, high = low - BEYOND * (high - low), high + BEYOND * (high - low)
    return Logistic(
        median.tolist(), low.tolist(), high.tolist(), mean.tolist(), spread.tolist(), weight.tolist(), intercept
    )
