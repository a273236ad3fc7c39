"""Figures that say how good a forecast or a probability is. All pure; NaN where a figure is undefined."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def _floats(*values: ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.asarray(value, dtype=np.float64) for value in values)


def wape(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Weighted absolute percentage error: 100 * sum|y - f| / sum|y|; 0 is perfect, NaN if all y are 0."""
    y, f = _floats(actual, forecast)
    total = np.abs(y).sum()
    return float(100 * np.abs(y - f).sum() / total) if total > 0 else float("nan")


def wape_by_unit(actual: ArrayLike, forecast: ArrayLike, unit: ArrayLike) -> float:
    """Mean of the WAPE of each unit, weighted by its rows: seconds and gigabytes cannot be added up.

    unit: shape (n,), any labels. Units that are all 0 are left out; NaN if none is left.
    """
    y, f = _floats(actual, forecast)
    labels = np.asarray(unit)
    found = [(wape(y[labels == u], f[labels == u]), int((labels == u).sum())) for u in np.unique(labels)]
    kept = [(value, rows) for value, rows in found if not np.isnan(value)]
    return float(np.average([v for v, _ in kept], weights=[n for _, n in kept])) if kept else float("nan")


def bias_by_unit(actual: ArrayLike, forecast: ArrayLike, unit: ArrayLike) -> float:
    """Mean over units of 100 * sum(f - y) / sum|y|, weighted by their rows; positive: the forecast was too high.

    unit: shape (n,), any labels. Units that are all 0 are left out; NaN if none is left.
    """
    y, f = _floats(actual, forecast)
    labels = np.asarray(unit)
    found = [(np.abs(y[labels == u]).sum(), (f - y)[labels == u].sum(), (labels == u).sum()) for u in np.unique(labels)]
    kept = [(100 * gap / size, rows) for size, gap, rows in found if size > 0]
    return float(np.average([v for v, _ in kept], weights=[n for _, n in kept])) if kept else float("nan")


def mase(actual: ArrayLike, forecast: ArrayLike, scale: ArrayLike) -> float:
    """Mean absolute scaled error; under 1 beats the in-sample seasonal naive.

    actual, forecast: shape (series, horizon), NaN where not observed. scale: shape (series,), the in-sample
    mean |y(t) - y(t-7)|; series whose scale is 0 or NaN are left out. Source: Hyndman and Koehler (2006).
    """
    y, f, s = _floats(actual, forecast, scale)
    keep = (s > 0) & ~np.isnan(y).all(axis=1)
    if not keep.any():
        return float("nan")
    return float(np.mean(np.nanmean(np.abs(y - f)[keep], axis=1) / s[keep]))


def coverage(actual: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of actuals inside [low, high], 0 to 1."""
    y, lo, hi = _floats(actual, low, high)
    return float(np.mean((y >= lo) & (y <= hi))) if y.size else float("nan")


def pinball(actual: ArrayLike, forecast: ArrayLike, quantile: float) -> float:
    """Mean pinball loss of one quantile forecast, in the unit of y."""
    y, f = _floats(actual, forecast)
    return float(np.mean(np.maximum(quantile * (y - f), (quantile - 1) * (y - f))))


def log_loss(label: ArrayLike, probability: ArrayLike) -> float:
    """Mean negative log likelihood in nats; probabilities are held 1e-7 away from 0 and 1."""
    y, p = _floats(label, probability)
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def brier(label: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared error of the probability, 0 to 1."""
    y, p = _floats(label, probability)
    return float(np.mean((y - p) ** 2))


def roc_auc(label: ArrayLike, probability: ArrayLike) -> float:
    """Chance that a random positive ranks above a random negative, ties count half; NaN with one class."""
    y, p = _floats(label, probability)
    positives, negatives = int(y.sum()), int((1 - y).sum())
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, counts = np.unique(p, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def pr_auc(label: ArrayLike, probability: ArrayLike) -> float:
    """Average precision: precision at each distinct threshold, weighted by the recall gained; NaN without positives."""
    y, p = _floats(label, probability)
    if y.sum() == 0:
        return float("nan")
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(y[order])
    last_of_tie = np.append(np.diff(p[order]) != 0, True)
    hits, seen = hits[last_of_tie], (np.arange(len(y)) + 1)[last_of_tie]
    return float(np.sum(np.diff(np.append(0, hits)) * hits / seen) / y.sum())


def ece(label: ArrayLike, probability: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error over equal-count bins: mean |share of positives - mean probability|, 0 to 1."""
    y, p = _floats(label, probability)
    if y.size == 0:
        return float("nan")
    parts = np.array_split(np.argsort(p, kind="stable"), min(bins, y.size))
    return float(sum(len(part) * abs(y[part].mean() - p[part].mean()) for part in parts) / y.size)


def lift(label: ArrayLike, probability: ArrayLike, share: float = 0.1) -> float:
    """Share of positives in the top `share` of scores over their share in all; 1 is no better than chance."""
    y, p = _floats(label, probability)
    if y.sum() == 0:
        return float("nan")
    top = np.argsort(-p, kind="stable")[: max(1, round(share * y.size))]
    return float(y[top].mean() / y.mean())


def calibration_line(
    label: ArrayLike, probability: ArrayLike, group: ArrayLike | None = None
) -> tuple[float, float, float]:
    """Intercept and slope of a logistic regression of the label on the logit, and the slope's standard error.

    0 and 1 are right; a slope under 1 says that the probabilities are too extreme. group: whose rows go together, e.g.
    the months of one customer; the error is then of so many groups, not rows. NaN where one class or one probability
    leaves them undefined. Sources: Cox (1958); for groups Liang and Zeger (1986).
    """
    y, p = _floats(label, probability)
    p = np.clip(p, 1e-7, 1 - 1e-7)
    logit = np.log(p / (1 - p))
    if y.size == 0 or y.min() == y.max() or np.ptp(logit) < 1e-9:
        return float("nan"), float("nan"), float("nan")
    design = np.column_stack([np.ones_like(logit), logit])
    line, information = np.array([0.0, 1.0]), np.eye(2)
    for _ in range(50):
        said = 1 / (1 + np.exp(-np.clip(design @ line, -30, 30)))
        information = (design * (said * (1 - said))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(information, design.T @ (y - said))
        line = line + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    spread = np.linalg.inv(information)
    if group is not None:
        _, place = np.unique(np.asarray(group), return_inverse=True)
        pulls = design * (y - 1 / (1 + np.exp(-np.clip(design @ line, -30, 30))))[:, None]
        sums = np.stack([np.bincount(place, weights=column) for column in pulls.T])
        spread = spread @ (sums @ sums.T) @ spread
    return float(line[0]), float(line[1]), float(np.sqrt(spread[1, 1]))
