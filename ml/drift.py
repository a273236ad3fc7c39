"""Has the population moved away from what the champion learned? PSI with limits that know the sample size."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ml.panel import Floats, Ints, Panel

BINS = 10
ALPHA = 0.01  # chance of any false alarm in one run, over all features of a model
LEAST = 200  # below this the calibrated limit itself is wrong (ml.md 1: 2.8 to 9 % false alarms instead of 1)
MATERIAL = 0.1  # the customary "moderate" shift: a significant but smaller one changes no decision
# Shares and ratios only: levels of history and the weekday of the last value move with the calendar, not by drift.
ITEM_FEATURES = ("mean_7", "mean_14", "mean_28", "mean_56", "mean_91", "sd_28")
ITEM_SHARES = ("zero_share_28", "days_since_nonzero")
CUSTOMER_FEATURES = (
    *("usage_ratio_7_28", "usage_ratio_28_91", "zero_share_28", "days_since_last_usage", "quota_share_last"),
    *("failed_payments_90d", "open_invoices", "mrr_minor", "mrr_change_90d_share", "seats", "plan_rank"),
)


def stability_index(reference: ArrayLike, current: ArrayLike, bins: int = BINS) -> float:
    """Population stability index of one numeric feature, in nats; 0 means no shift.

    reference, current: shape (n,) and (m,), any unit, the same for both; NaN is a bin of its own.
    Raises ValueError if either side is empty.
    """
    kept = summary(reference, bins)
    return index_against(kept, current)


def summary(reference: ArrayLike, bins: int = BINS) -> dict[str, Any]:
    """What a champion keeps of a feature: inner bin edges (quantiles), counts per bin (last: NaN) and n.

    Raises ValueError if `reference` is empty.
    """
    values = np.asarray(reference, dtype=np.float64)
    if values.size == 0:
        raise ValueError("reference has no values; need at least one")
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if known.size else np.empty(0)
    return {"edges": edges.tolist(), "counts": _counts(values, edges).tolist(), "n": int(values.size)}


def index_against(kept: Mapping[str, Any], current: ArrayLike) -> float:
    """PSI of `current` against a `summary`; half an observation is added to each bin, so it is always finite.

    Raises ValueError if `current` is empty. Source: J-divergence of Kullback and Leibler (1951) on binned shares.
    """
    values = np.asarray(current, dtype=np.float64)
    if values.size == 0:
        raise ValueError("current has no values; need at least one")
    was = np.asarray(kept["counts"], dtype=np.float64) + 0.5
    now = _counts(values, np.asarray(kept["edges"], dtype=np.float64)) + 0.5
    was, now = was / was.sum(), now / now.sum()
    return float(np.sum((now - was) * np.log(now / was)))


def limit(n: int, m: int, bins: int, alpha: float) -> float:
    """PSI that an unchanged feature exceeds with chance `alpha`: (1/n + 1/m) times chi-square with bins - 1 degrees.

    n, m: rows now and independent rows in the reference. The quantile is Wilson and Hilferty's (1931), within 2 %.
    """
    degrees = max(1, bins - 1)
    z = NormalDist().inv_cdf(1 - alpha)
    chi_square = degrees * (1 - 2 / (9 * degrees) + z * np.sqrt(2 / (9 * degrees))) ** 3
    return float((1 / n + 1 / m) * chi_square)


def item_features(panel: Panel, picked: Ints) -> dict[str, Floats]:
    """Usage features of the picked rows in drift's form: trailing means and spread over the item's own level."""
    level = np.where(panel.features["level"] > 0, panel.features["level"], np.nan)[picked]
    ratios = {f"{name}_over_level": panel.features[name][picked] / level for name in ITEM_FEATURES}
    return ratios | {name: panel.features[name][picked] for name in ITEM_SHARES} | {"level": level}


def customer_features(rows: pd.DataFrame) -> dict[str, Floats]:
    """Customer features of scoring rows, each of shape (rows,)."""
    return {name: rows[name].to_numpy(np.float64) for name in CUSTOMER_FEATURES}


def compare(kept: Mapping[str, Mapping[str, Any]], current: Mapping[str, Floats], segment: str) -> pd.DataFrame:
    """feature, segment, psi, psi_limit, n, is_breach for every feature both sides have; empty without current rows.

    Breach: n >= 200 on both sides, and PSI above the larger of .1 and the limit at ALPHA over the number of features.
    """
    rows: list[dict[str, object]] = []
    for name, values in current.items():
        if name not in kept or not values.size:
            continue
        n, m = int(values.size), int(kept[name]["n"])
        bins = sum(1 for count in kept[name]["counts"] if count > 0)
        psi, bound = index_against(kept[name], values), max(MATERIAL, limit(n, m, bins, ALPHA / len(current)))
        breach = min(n, m) >= LEAST and psi > bound
        found = {"feature": name, "segment": segment, "psi": psi, "psi_limit": bound, "n": n}
        rows.append({**found, "is_breach": breach})
    return pd.DataFrame(rows)


def _counts(values: Floats, edges: Floats) -> NDArray[np.int64]:
    missing = np.isnan(values)
    inside = np.bincount(np.searchsorted(edges, values[~missing], side="right"), minlength=len(edges) + 1)
    return np.append(inside, missing.sum()).astype(np.int64)
