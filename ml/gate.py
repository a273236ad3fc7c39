"""The promotion gate: a challenger must be shown better than the best naive, and than another recipe that serves now.

Pure functions of held-out forecasts on the same cutoffs. An error is |actual - median| over the mean day of the item's
meter, so that seconds and gigabytes can be added; its total over the total of actuals in the same measure is the WAPE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ml.panel import Floats

DRAWS, SEED = 1000, 7  # of the bootstrap; its 95 % interval then moves by about a tenth of its width between seeds
OF_CUTOFFS = 2 / 3  # share of cutoffs to win: a lead at a single cutoff may be one odd month
WORSE = 0.05  # most that one segment, or the sums, may lose while the whole wins
LEAST = 5  # series without which a segment's figure is luck, and resampling series shows no spread
TINY = 0.001  # share of all errors below which a segment decides nothing: items at zero, forecast at nearly zero
# Asked of held-out bands (each block's learned from the other blocks). Wide, since a shift of regime within four blocks
# moves any honest band this far; beyond it a band is still taken if the naive's is no nearer to what it promises.
RANGES = {"cov80": (0.80, 0.70, 0.90), "cov95": (0.95, 0.90, 0.99)}


@dataclass(frozen=True)
class Said:
    """Forecasts of one contender in the meter's unit, shape (rows, horizon): mean for sums, median for days."""

    name: str
    mean: Floats
    median: Floats


@dataclass(frozen=True)
class HeldOut:
    """What came, one row per series and cutoff.

    actual: shape (rows, horizon), NaN where unknown. cutoff, series, unit: shape (rows,); unit is the meter.
    segments: name -> boolean mask of shape (rows,), e.g. cold, intermittent, the ten largest by money.
    """

    actual: Floats
    cutoff: NDArray[np.datetime64]
    series: NDArray[np.generic]
    unit: NDArray[np.generic]
    segments: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One question of the gate. value, limit: the figure and what it was held against (None: not judged)."""

    name: str
    passed: bool
    value: float | None
    limit: float | None
    text: str


@dataclass(frozen=True)
class Outcome:
    """The gate's answer. loses: the challenger's error is not below the best naive's, so the naive should serve."""

    passed: bool
    loses: bool
    reason: str
    checks: tuple[Check, ...]


def judge(
    held: HeldOut,
    challenger: Said | None,
    naive: Sequence[Said],
    champion: Said | None = None,
    coverage: Mapping[str, tuple[float, float]] | None = None,
) -> Outcome:
    """Ask everything of `challenger` (None: too little history to fit one) and say the answer in words.

    naive: the baselines, of which the one with the least error is the opponent. champion: the serving recipe, refitted
    on the same folds; None if the challenger has the same recipe. coverage: "cov80" and "cov95" -> held-out share of
    days inside the challenger's band and inside the naive's; empty with a single block.
    """
    if not np.isfinite(held.actual).any():
        return Outcome(False, True, "no held-out day to compare on", ())
    if challenger is None:
        return Outcome(False, True, "too little history to fit a model and hold days out", ())
    best = best_naive(held, naive)
    checks = compare(held, challenger, best, "naive")
    checks += cover(coverage or {})
    if champion is not None:
        checks += compare(held, challenger, champion, "champion")
    failed = [check.text for check in checks if not check.passed]
    passing = [check.text for check in checks if check.name in ("naive:error", "naive:cutoffs", "champion:error")]
    loses = next(check.value for check in checks if check.name == "naive:error") or 0.0
    return Outcome(not failed, loses >= 0, "; ".join(failed or passing), tuple(checks))


def best_naive(held: HeldOut, naive: Sequence[Said]) -> Said:
    """The baseline with the least error over all cutoffs; the first of equals."""
    return min(naive, key=lambda one: float(errors(held, one).sum()))


def compare(held: HeldOut, challenger: Said, other: Said, role: str) -> list[Check]:
    """Is the challenger better than `other` over all, at most cutoffs, and nowhere much worse?"""
    ours, theirs = errors(held, challenger), errors(held, other)
    volume = float(_scaled(held, np.abs(held.actual)).sum())
    change, (low, high) = relative(ours, theirs), interval(held.series, ours, theirs)
    wape = [100 * float(one.sum()) / volume if volume else float("nan") for one in (ours, theirs)]
    against = f"WAPE {wape[0]:.2f} against {wape[1]:.2f} of {other.name}"
    shown = f"({100 * change:+.1f} %, 95 % interval {100 * low:+.1f} to {100 * high:+.1f} %)"
    better = change < 0 and high < 0
    found = [Check(f"{role}:error", better, change, 0.0, f"{against} {shown}{'' if better else ': not shown better'}")]
    days = np.unique(held.cutoff[~np.isnan(held.actual).all(axis=1)])
    won = sum(float(ours[held.cutoff == day].sum()) < float(theirs[held.cutoff == day].sum()) for day in days)
    need = ceil(OF_CUTOFFS * len(days))
    text = f"lower than {other.name} at {won} of {len(days)} cutoffs" + ("" if won >= need else f", {need} needed")
    found.append(Check(f"{role}:cutoffs", won >= need, float(won), float(need), text))
    sums = relative(total_errors(held, challenger), total_errors(held, other))
    found.append(_no_worse(f"{role}:sums", sums, f"sums of the {held.actual.shape[1]} days", other.name))
    for name, rows in sorted(held.segments.items()):
        count = len(np.unique(held.series[rows & ~np.isnan(held.actual).all(axis=1)]))
        if count < LEAST:
            text = f"{name}: {count} series, too few to judge"
            found.append(Check(f"{role}:{name}", True, None, None, text))
        elif max(ours[rows].sum(), theirs[rows].sum()) < TINY * theirs.sum():
            found.append(Check(f"{role}:{name}", True, None, None, f"{name}: errors too small to judge"))
        else:
            found.append(_no_worse(f"{role}:{name}", relative(ours[rows], theirs[rows]), name, other.name))
    return found


def cover(coverage: Mapping[str, tuple[float, float]]) -> list[Check]:
    """Do the held-out bands hold about as many days as they promise, or at least as nearly as the naive's?"""
    found = []
    for name, (nominal, least, most) in RANGES.items():
        value, plain = coverage.get(name, (float("nan"), float("nan")))
        if np.isnan(value):
            found.append(Check(name, True, None, None, f"{name}: not judged, a single block cannot be held out"))
            continue
        limit = least if value < nominal else most
        good = least <= value <= most or abs(value - nominal) <= abs(plain - nominal)
        text = f"{name} {100 * value:.1f} % ({100 * least:.0f} to {100 * most:.0f} %, naive {100 * plain:.1f} %)"
        found.append(Check(name, good, value, limit, text))
    return found


def errors(held: HeldOut, said: Said) -> Floats:
    """Each row's |actual - median| summed over known days, in mean days of its meter, shape (rows,)."""
    return _scaled(held, np.abs(held.actual - said.median))


def total_errors(held: HeldOut, said: Said) -> Floats:
    """Each row's |sum of known days - sum of means over them|, in mean days of its meter, shape (rows,)."""
    known = ~np.isnan(held.actual)
    gap = np.where(known, held.actual - said.mean, 0).sum(axis=1)
    return _scaled(held, np.abs(gap)[:, None])


def relative(ours: Floats, theirs: Floats) -> float:
    """Total error of ours over theirs, minus 1: below 0 is better; 0 where both are 0, inf where only theirs is."""
    mine, base = float(ours.sum()), float(theirs.sum())
    if base > 0:
        return mine / base - 1
    return 0.0 if mine == 0 else float("inf")


def interval(series: NDArray[np.generic], ours: Floats, theirs: Floats) -> tuple[float, float]:
    """95 % interval of `relative`, by drawing whole series with replacement, the same for both (paired).

    Whole series, because the days and cutoffs of one item err together. Below 5 series rows are drawn: one series
    alone would give an interval without width.
    """
    _, place = np.unique(series, return_inverse=True)
    if place.size and place.max() + 1 < LEAST:
        place = np.arange(len(series))
    sums = np.stack([np.bincount(place, weights=one) for one in (ours, theirs)])
    rng, count = np.random.default_rng(SEED), sums.shape[1]
    drawn = np.empty((DRAWS, 2))
    for draw in range(DRAWS):
        drawn[draw] = sums @ np.bincount(rng.integers(0, count, count), minlength=count)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(drawn[:, 1] > 0, drawn[:, 0] / drawn[:, 1] - 1, np.where(drawn[:, 0] > 0, np.inf, 0.0))
    # The order statistics themselves: interpolating next to an infinite draw would give no number.
    low, high = np.quantile(change, [0.025, 0.975], method="nearest")
    return float(low), float(high)


def _scaled(held: HeldOut, values: Floats) -> Floats:
    """Row sums over known days in mean days of the row's meter; a meter that is all zero counts nothing."""
    found = np.zeros(len(values))
    for unit in np.unique(held.unit):
        rows = held.unit == unit
        days = np.abs(held.actual[rows])
        typical = float(np.nanmean(days)) if np.isfinite(days).any() else 0.0
        if typical > 0:
            found[rows] = np.nansum(values[rows], axis=1) / typical
    return found


def _no_worse(name: str, change: float, what: str, other: str) -> Check:
    text = f"{what}: error {100 * change:+.1f} % against {other}" + ("" if change <= WORSE else ", over 5 % worse")
    return Check(name, change <= WORSE, change, WORSE, text)
