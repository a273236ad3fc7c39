"""Has the shape of a feature moved away from what the champion learned? PSI with limits calibrated without a change.

Own ratios and the calendar: a holiday moves everybody's 28-day mean at once, which PSI's limit for independent rows
knows nothing of. So the limit is also above what the feature moved between earlier days as far apart, and the level of
usage is watched by the rank tests of `drift_level`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ml.panel import Floats

BINS = 10
ALPHA = 0.005  # chance of any false alarm in one run, over all features of a model; there are two models
LEAST = 200  # below this the calibrated limit itself is wrong (ml.md 1: 2.8 to 9 % false alarms instead of 1)
MATERIAL = 0.1  # the customary "moderate" shift: a significant but smaller one changes no decision
USUAL = 1.25  # times the most that the feature moved between earlier days as far apart
LEAST_PAIRS = 6  # of earlier days, to say what is usual
ITEM_SHARES = ("zero_share_28", "days_since_nonzero")
CUSTOMER_FEATURES = (
    *("usage_ratio_7_28", "usage_ratio_28_91", "zero_share_28", "days_since_last_usage", "quota_share_last"),
    *("failed_payments_90d", "open_invoices", "mrr_minor", "mrr_change_90d_share", "seats", "plan_rank"),
    *("usage_left_28", "usage_left_91", "bill_change_ratio", "overage_share", "days_past_due"),
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


def item_features(rows: Mapping[str, Floats]) -> dict[str, Floats]:
    """Shape features of items: spread over the own level, shares of silence, and the level itself.

    rows: level, sd_28 and ITEM_SHARES, each of shape (rows,), of one day.
    """
    level = np.where(rows["level"] > 0, rows["level"], np.nan)
    return {"sd_28_over_level": rows["sd_28"] / level, "level": level} | {name: rows[name] for name in ITEM_SHARES}


def customer_features(rows: pd.DataFrame) -> dict[str, Floats]:
    """Customer features of scoring rows, each of shape (rows,); those that the rows lack are left out."""
    return {name: rows[name].to_numpy(np.float64) for name in CUSTOMER_FEATURES if name in rows}


def usual(past: Sequence[Mapping[str, Floats]], lag: int) -> dict[str, float]:
    """The most that each feature moved between earlier days `lag` apart (PSI); too few pairs: it is left out.

    past: features of earlier days, oldest first, without the judged one.
    """
    found: dict[str, list[float]] = {}
    for before, after in zip(past, past[max(1, lag) :], strict=False):
        for name in before.keys() & after.keys():
            if before[name].size and after[name].size:
                found.setdefault(name, []).append(index_against(summary(before[name]), after[name]))
    return {name: max(values) for name, values in found.items() if len(values) >= LEAST_PAIRS}


def compare(
    kept: Mapping[str, Mapping[str, Any]],
    current: Mapping[str, Floats],
    segment: str,
    moved: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """feature, segment, psi, psi_limit, p_value, n, is_breach of every feature both sides have; empty without rows.

    Breach: n >= 200 on both sides, and PSI above the largest of .1, the limit at ALPHA over the number of features, and
    1.25 times what `moved` (of `usual`) says. A feature that is all missing on both sides has PSI 0.
    """
    rows: list[dict[str, object]] = []
    for name, values in current.items():
        if name not in kept or not values.size:
            continue
        n, m = int(values.size), int(kept[name]["n"])
        bins = sum(1 for count in kept[name]["counts"] if count > 0)
        psi, bound = index_against(kept[name], values), max(MATERIAL, limit(n, m, bins, ALPHA / len(current)))
        bound = max(bound, USUAL * (moved or {}).get(name, 0.0))
        breach = min(n, m) >= LEAST and psi > bound
        found = {"feature": name, "segment": segment, "psi": psi, "psi_limit": bound, "n": n}
        rows.append({**found, "p_value": chance(psi, n, m, bins), "is_breach": breach})
    return pd.DataFrame(rows)


def chance(psi: float, n: int, m: int, bins: int) -> float:
    """Chance that an unchanged feature of independent rows exceeds `psi`; the inverse of `limit`."""
    degrees = max(1, bins - 1)
    scaled = (psi / (1 / n + 1 / m) / degrees) ** (1 / 3)
    return float(NormalDist().cdf(-(scaled - (1 - 2 / (9 * degrees))) / np.sqrt(2 / (9 * degrees))))


def _counts(values: Floats, edges: Floats) -> NDArray[np.int64]:
    missing = np.isnan(values)
    inside = np.bincount(np.searchsorted(edges, values[~missing], side="right"), minlength=len(edges) + 1)
    return np.append(inside, missing.sum()).astype(np.int64)
