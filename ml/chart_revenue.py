"""The company's revenue: what MRR was, what it is expected to be, and what that is made of; one row per currency."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from ml import warehouse
from ml.chart_pages import (
    BAND80,
    BAND95,
    DPI,
    FONT,
    FOOT,
    GREY,
    INK,
    LINE,
    WIDTH,
    bare,
    money,
    pixels,
    ribbon,
    shown,
)

PAST = 24  # months of history
HEAD, TALL = 0.46, 2.3  # inches: above the first row, of a row
WAS = "#b9b9b9"
PARTS = {
    "existing_book_minor": ("existing book", "#4878a8"),
    "usage_growth_minor": ("usage growth", "#8fbc6a"),
    "new_business_minor": ("new business", "#e0a04c"),
}
BANDS = ("q025_minor", "q10_minor", "q90_minor", "q975_minor")
AMOUNTS = ("mrr_minor", *PARTS, *BANDS)
FORECAST = (
    *("account_id", "level", "currency", "as_of", "month_start", "minor_unit_exponent", "mrr_now_minor"),
    *AMOUNTS,
)
HISTORY = ("account_id", "currency", "month_start", "mrr_minor", "reporting_mrr_minor")
COMPANY = "company"


def pages(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, Image.Image]]:
    """(account, picture) of each account that has a revenue forecast."""
    where = "is_current and level in ('company', 'currency')"
    forecasts = warehouse.fetch(connection, "marts.revenue_forecast", {n: n for n in FORECAST}, where, [])
    past = warehouse.fetch(connection, "marts.fct_mrr_monthly", {n: n for n in HISTORY}, "true", [])
    for account, rows in forecasts.dropna(subset=["mrr_minor", *PARTS]).groupby("account_id"):
        yield str(account), page(rows, past[past["account_id"] == account])


def page(forecasts: pd.DataFrame, past: pd.DataFrame) -> Image.Image:
    """One account's picture: the company in its reporting currency, then each currency it bills in."""
    keys = sorted(
        set(zip(forecasts["level"], forecasts["currency"], strict=True)), key=lambda key: (key[0] != COMPANY, key[1])
    )
    if len({currency for _, currency in keys}) == 1:  # the company is its one currency
        keys = keys[:1]
    height = HEAD + TALL * len(keys) + FOOT
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    canvas: Any = FigureCanvasAgg(figure)
    as_of = pd.Timestamp(forecasts["as_of"].iloc[0])
    style: dict[str, Any] = {"color": INK, "va": "top", "family": FONT}
    head = f"MRR · as of {as_of:%-d %B %Y}" + (
        "" if forecasts["new_business_minor"].any() else " · no new business assumed"
    )
    figure.text(0.012, 1 - 0.10 / height, head, fontsize=11, weight="bold", **style)
    for row, (level, currency) in enumerate(keys):
        bottom = FOOT + TALL * (len(keys) - 1 - row) + 0.06
        axes = figure.add_axes((0.075, bottom / height, 0.915, (TALL - 0.42) / height))
        ahead = forecasts[(forecasts["level"] == level) & (forecasts["currency"] == currency)]
        column = "reporting_mrr_minor" if level == COMPANY else "mrr_minor"
        known = past if level == COMPANY else past[past["currency"] == currency]
        known = known[known["month_start"] < ahead["month_start"].min()].groupby("month_start")[column].sum()
        what = f"All currencies, in {currency.upper()}" if level == COMPANY else currency.upper()
        _row(axes, what, known.tail(PAST), ahead.sort_values("month_start"), row == len(keys) - 1)
    _legend(figure, height)
    canvas.draw()
    return pixels(canvas)


def _row(axes: Axes, what: str, known: pd.Series[int], ahead: pd.DataFrame, has_names: bool) -> None:
    """Bars of what was, and of what is expected stacked by what it is made of, before its fan."""
    bare(axes)
    exponent, currency = int(ahead["minor_unit_exponent"].iloc[0]), str(ahead["currency"].iloc[0])
    months = [*known.index, *ahead["month_start"]]
    now, after = len(known), np.arange(len(known), len(months))
    axes.bar(np.arange(now), known.to_numpy(), width=0.62, color=WAS)
    up, down = np.zeros(len(after)), np.zeros(len(after))
    for column, (_, color) in PARTS.items():
        part = ahead[column].to_numpy(np.float64)
        bottom = np.where(part >= 0, up, down)
        axes.bar(after, part, width=0.62, bottom=bottom, color=color, zorder=3)
        up, down = up + np.maximum(part, 0), down + np.minimum(part, 0)
    start = float(ahead["mrr_now_minor"].iloc[0])
    at = np.concatenate([[now - 1], after])
    for low, high, color in (("q025_minor", "q975_minor", BAND95), ("q10_minor", "q90_minor", BAND80)):
        bounds = [np.concatenate([[start], ahead[name].to_numpy(np.float64)]) for name in (low, high)]
        if np.isnan(bounds).any():  # too little history for a band
            continue
        axes.add_patch(Polygon(ribbon(at, bounds[0], bounds[1]), facecolor=color, edgecolor="none", zorder=2))
        for bound in bounds:  # over the bars as well
            axes.plot(at, bound, color=LINE, linewidth=0.7, linestyle="-" if color == BAND80 else ":", zorder=4)
    middle = np.concatenate([[start], ahead["mrr_minor"].to_numpy(np.float64)])
    axes.plot(at, middle, color=INK, linewidth=1.2, zorder=4)
    axes.axvline(now - 0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlim(-0.7, len(months) - 0.3)
    inner = max(up.max(), float(known.max()) if now else 0, float(ahead["q90_minor"].fillna(0).max()))
    top = max(inner, min(float(ahead["q975_minor"].fillna(0).max()), 1.4 * inner), 1)
    axes.set_ylim(1.05 * min(0, float(down.min())), 1.06 * top)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, exponent)))
    ticks = [place for place, month in enumerate(months) if month.month in (1, 4, 7, 10)]
    names = [_name(months[place].date(), place == ticks[0]) if has_names else "" for place in ticks]
    axes.set_xticks(ticks, names, fontsize=8)
    last = ahead.iloc[-1]
    now_minor, then_minor = (money(int(each), currency, exponent) for each in (start, last["mrr_minor"]))
    said = f"{what}: {now_minor} now, {then_minor} expected in {last['month_start']:%B %Y}"
    axes.set_title(said, fontsize=8.5, loc="left", color=INK, pad=3, family=FONT)


def _name(month: date, is_first: bool) -> str:
    return month.strftime("%b %Y" if is_first or month.month == 1 else "%b")


def _legend(figure: Figure, height: float) -> None:
    handles = [Patch(facecolor=WAS, label="was")]
    handles += [Patch(facecolor=color, label=name) for name, color in PARTS.values()]
    handles += [Patch(facecolor=BAND80, label="80 % band"), Patch(facecolor=BAND95, label="95 % band")]
    where = (0.995, 1 - 0.22 / height)
    figure.legend(handles=handles, loc="upper right", ncols=6, fontsize=8, frameon=False, bbox_to_anchor=where)
