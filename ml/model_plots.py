"""Pictures of a training run, as PNG bytes: backtest, calibration, importance. No id and no customer is in them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.panel import Floats

if TYPE_CHECKING:
    import xgboost
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SAID, NAIVE, GRID = "#222222", "#0b62a4", "#d9822b", "#dddddd"
MOST_CUTOFFS = 6  # the newest; more panels could not be read
MOST_FEATURES = 20
WEEK = 7
DPI = 90


def backtest(
    actual: Floats,
    said: Floats,
    naive: Floats,
    cutoff: NDArray[np.datetime64],
    unit: NDArray[np.generic],
    names: tuple[str, str],
) -> bytes:
    """What came against what the model and the naive said, summed over items, one panel per cutoff.

    actual, said, naive: shape (rows, horizon), NaN in actual where unknown (left out of all three). Meters are added
    as multiples of their own mean day, so the axis says percent of an average day. names: of the model and the naive.
    """
    scaled = np.full(len(actual), np.nan)
    for one in np.unique(unit):
        days = np.abs(actual[unit == one])
        if np.isfinite(days).any() and np.nanmean(days) > 0:
            scaled[unit == one] = 1 / np.nanmean(days)
    days = [day for day in np.unique(cutoff) if np.isfinite((actual * scaled[:, None])[cutoff == day]).any()]
    days = days[-MOST_CUTOFFS:]
    figure = _figure(10, 2.6 * max(1, -(-len(days) // 2)))
    for place, day in enumerate(days):
        axes = figure.add_subplot(-(-len(days) // 2), min(2, len(days)), place + 1)
        rows = cutoff == day
        known = np.isfinite(actual[rows] * scaled[rows, None])
        count = known.sum(axis=0)
        shown = count > 0
        step = np.arange(1, actual.shape[1] + 1)[shown]
        for values, colour, label, width in (
            (naive, NAIVE, names[1], 1.2),
            (said, SAID, names[0], 1.8),
            (actual, INK, "actual", 1.2),
        ):
            total = np.where(known, values[rows] * scaled[rows, None], 0).sum(axis=0)[shown]
            axes.plot(step, 100 * total / count[shown], color=colour, label=label, linewidth=width)
        _dress(axes, f"forecast on {day}, {int(rows.sum())} items", "days ahead", "% of an average day")
        axes.set_ylim(bottom=0)
        if place == 0:
            axes.legend(fontsize=8, frameon=False, loc="lower left", ncols=3)
    return _png(figure)


def calibration(
    actual: Floats, median: Floats, bands: Mapping[str, Floats], quantiles: Mapping[str, float], origin: str
) -> bytes:
    """Left: share of actuals below each quantile against its nominal share. Right: coverage by week of the horizon.

    bands: held-out quantiles by name, shape like actual; quantiles: their nominal shares. A tie counts half, so that
    days at zero do not look like misses. origin: words on what was held out.
    """
    known = ~np.isnan(actual) & np.all([~np.isnan(band) for band in bands.values()], axis=0)
    figure = _figure(10, 4)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    points = sorted([(share, bands[name]) for name, share in quantiles.items()] + [(0.5, median)], key=lambda p: p[0])
    seen = [_below(actual[known], band[known]) for _, band in points]
    left.plot([0, 1], [0, 1], color=GRID, linewidth=1.5)
    left.plot([share for share, _ in points], seen, color=SAID, marker="o", linewidth=1.5)
    for (share, _), value in zip(points, seen, strict=True):
        left.annotate(f"{value:.3f}", (share, value), textcoords="offset points", xytext=(6, -11), fontsize=8)
    _dress(left, f"quantiles, {origin}", "nominal share", "share of days below")
    weeks = range(-(-actual.shape[1] // WEEK))
    for low, high, nominal, colour in (("q10", "q90", 0.8, SAID), ("q025", "q975", 0.95, NAIVE)):
        inside = (actual >= bands[low]) & (actual <= bands[high])
        cut = [(slice(None), slice(week * WEEK, (week + 1) * WEEK)) for week in weeks]
        shares = [inside[one][known[one]].mean() if known[one].any() else np.nan for one in cut]
        right.axhline(nominal, color=colour, linewidth=1, linestyle="--", alpha=0.6)
        right.plot([week + 1 for week in weeks], shares, color=colour, marker="o", label=f"{nominal:.0%} band")
    _dress(right, "coverage by week of the horizon (dashed: nominal)", "week ahead", "share of days inside")
    right.set_ylim(0.5, 1.0)
    right.legend(fontsize=8, frameon=False, loc="lower left")
    return _png(figure)


def reliability(label: Floats, said: Mapping[str, Floats], bins: int = 10) -> bytes:
    """Share that came true against the probability said, in equal-count bins, one line per contender."""
    figure = _figure(5.5, 4.5)
    axes = figure.add_subplot(1, 1, 1)
    top = 0.0
    for (name, probability), colour in zip(said.items(), (SAID, NAIVE), strict=False):
        parts = np.array_split(np.argsort(probability, kind="stable"), min(bins, len(label)))
        means = [(float(probability[part].mean()), float(label[part].mean())) for part in parts if len(part)]
        top = max([top, *(value for pair in means for value in pair)])
        axes.plot(*zip(*means, strict=True), color=colour, marker="o", linewidth=1.5, label=name)
    top = min(1.0, 1.08 * top) or 1.0
    axes.plot([0, top], [0, top], color=GRID, linewidth=1.5, zorder=0)
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    _dress(axes, f"held-out probabilities, {len(label)} labels", "probability said", "share that churned")
    return _png(figure)


def importance(boosters: Mapping[str, xgboost.Booster]) -> bytes:
    """Share of the total gain that each feature brought, per head, the largest on top."""
    shares = {head: _gains(booster) for head, booster in boosters.items()}
    names = {name for gains in shares.values() for name in gains}
    order = sorted(names, key=lambda name: (-max(gains.get(name, 0.0) for gains in shares.values()), name))
    return _bars(
        order[:MOST_FEATURES], shares, "% of the gain", f"importance: top {MOST_FEATURES} of {len(names)} used"
    )


def weights(names: Sequence[str], values: Sequence[float]) -> bytes:
    """Coefficients of a logistic regression on standardised features, the largest on top."""
    order = sorted(zip(names, values, strict=True), key=lambda pair: (-abs(pair[1]), pair[0]))[:MOST_FEATURES]
    shown = {"log-odds per standard deviation": dict(order)}
    return _bars([name for name, _ in order], shown, "log-odds per standard deviation", "weights of the regression")


def _bars(order: Sequence[str], shares: Mapping[str, Mapping[str, float]], unit: str, title: str) -> bytes:
    figure = _figure(9, 1.2 + 0.24 * len(order), left=2.6)
    axes = figure.add_subplot(1, 1, 1)
    height = 0.8 / max(1, len(shares))
    for place, ((head, gains), colour) in enumerate(zip(shares.items(), (SAID, NAIVE, INK), strict=False)):
        spots = np.arange(len(order)) + (place - (len(shares) - 1) / 2) * height
        axes.barh(spots, [gains.get(name, 0.0) for name in order], height=height, color=colour, label=head)
    axes.set_yticks(np.arange(len(order)), list(order))
    axes.invert_yaxis()
    _dress(axes, title, unit, "")
    if len(shares) > 1:
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    return _png(figure)


def _gains(booster: xgboost.Booster) -> dict[str, float]:
    found = {str(name): float(gain) for name, gain in booster.get_score(importance_type="total_gain").items()}
    total = sum(found.values()) or 1.0
    return {name: 100 * gain / total for name, gain in found.items()}


def _below(actual: Floats, band: Floats) -> float:
    if not actual.size:
        return float("nan")
    close = np.isclose(actual, band, rtol=1e-9, atol=0)
    return float(((actual < band) & ~close).mean() + close.mean() / 2)


def _figure(width: float, height: float, left: float = 0.6) -> Figure:
    """A figure of so many inches, `left` of them beside it for labels: laying it out by measuring doubles its time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    edges = {"left": left / width, "right": 1 - 0.2 / width, "bottom": 0.5 / height, "top": 1 - 0.35 / height}
    figure.subplots_adjust(**edges, wspace=0.16, hspace=0.45)
    return figure


def _dress(axes: Axes, title: str, below: str, beside: str) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(below, fontsize=8)
    axes.set_ylabel(beside, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", pil_kwargs={"compress_level": 1})
    return out.getvalue()
