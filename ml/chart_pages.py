"""Fan charts as figures: what was, what is expected, and between which bounds. Drawn with Agg, without a display."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Floats = NDArray[np.float64]
DPI = 100
WIDTH, ROW, HEAD, FOOT = 8.4, 1.75, 0.70, 0.34  # inches
LEFT = 0.075  # of the width: where axes begin
INK, GREY, LINE, BAND80, BAND95 = "#222222", "#8a8a8a", "#08519c", "#7fb3dc", "#d6e6f4"
MARKS, NICE = 4, (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
FONT = "DejaVu Sans"  # matplotlib brings it
SHOWN = {0: "", 3: "k", 6: "M", 9: "bn", 12: "tn"}  # powers of ten, as suffixes


@dataclass(frozen=True)
class Fan:
    """One row of a picture: `history` ends on the as-of day; the others begin the day after. NaN is a gap."""

    title: str
    history: Floats
    middle: Floats
    q025: Floats
    q10: Floats
    q90: Floats
    q975: Floats

    @property
    def step(self) -> float:
        """Between two of the axis's marks: all is in view, but a wide 95 % band does not press the rest flat."""
        inner = max(_largest(self.history), _largest(self.q90))
        return nice_step(max(min(max(inner, _largest(self.q975)), 1.6 * inner), 1e-6) / MARKS)


class UsagePage:
    """A page of as many rows as a customer has metered items, made once and drawn for one customer after another.

    Making a figure takes several times as long as drawing one, and most of drawing is letters: what all pages share is
    drawn once and kept as pixels, values are shares of an axis that always has the same marks, and Pillow writes the
    letters that differ. rows: fans a page. past, ahead: days shown on both sides of `as_of`.
    """

    def __init__(self, rows: int, as_of: date, past: int, ahead: int) -> None:
        self._height = HEAD + ROW * rows + FOOT
        figure = Figure(figsize=(WIDTH, self._height), dpi=DPI)
        canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves its methods untyped
        days, names = month_starts(as_of, past, ahead)
        self._rows = []
        for row in range(rows):
            bottom = (FOOT + ROW * (rows - 1 - row) + 0.06) / self._height
            axes = figure.add_axes((LEFT, bottom, 0.99 - LEFT, (ROW - 0.36) / self._height))
            axes.set_xlim(-past, ahead)
            axes.set_xticks(days, names if row == rows - 1 else [""] * len(names), fontsize=8)
            self._rows.append(_Row(axes))
        legend(figure, self._height)
        canvas.draw()
        self._canvas, self._shared = canvas, canvas.copy_from_bbox(figure.bbox)
        self._letters = {size: letters(size) for size in (8.0, 8.5)} | {11.0: letters(11.0, bold=True)}

    def draw(self, head: str, said: str, fans: Sequence[Fan]) -> Image.Image:
        """The picture of one customer: `head` names it, `said` is up to two lines about its next invoices."""
        self._canvas.restore_region(self._shared)
        renderer = self._canvas.get_renderer()
        for row, fan in zip(self._rows, fans, strict=True):
            row.show(fan)
            for artist in row.artists:
                artist.draw(renderer)
        image = pixels(self._canvas)
        pen = ImageDraw.Draw(image)
        pen.text((10, 10), head, INK, self._letters[11.0])
        pen.multiline_text((10, 33), said, INK, self._letters[8.5], spacing=4)
        for row, fan in zip(self._rows, fans, strict=True):
            left, top, bottom = row.box(self._height)
            pen.text((left, top - 4), fan.title, INK, self._letters[8.5], anchor="ls")
            for mark in range(MARKS + 1):
                at = bottom + (top - bottom) * mark / MARKS
                pen.text((left - 6, at), shown(mark * fan.step), INK, self._letters[8.0], anchor="rm")
        return image


class _Row:
    """One fan's axes; `artists` are the lines and bands that differ between two customers."""

    def __init__(self, axes: Axes) -> None:
        bare(axes)
        self._axes = axes
        axes.set_ylim(0, 1)
        marks = [mark / MARKS for mark in range(MARKS + 1)]
        axes.set_yticks(marks, [""] * len(marks))
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
        self._bands = {
            names: Polygon(np.zeros((3, 2)), facecolor=color, edgecolor="none", animated=True)
            for names, color in ((("q025", "q975"), BAND95), (("q10", "q90"), BAND80))
        }
        for band in self._bands.values():
            axes.add_patch(band)
        (self._past,) = axes.plot([], [], color=INK, linewidth=0.9, animated=True)
        (self._ahead,) = axes.plot([], [], color=LINE, linewidth=1.3, animated=True)
        self.artists = [*self._bands.values(), self._past, self._ahead]

    def box(self, height: float) -> tuple[float, float, float]:
        """Its left, top and bottom edge in the picture, in pixels from the upper left corner."""
        place = self._axes.get_position()
        return place.x0 * WIDTH * DPI, (1 - place.y1) * height * DPI, (1 - place.y0) * height * DPI

    def show(self, fan: Fan) -> None:
        days, top = np.arange(1, len(fan.middle) + 1), MARKS * fan.step
        self._past.set_data(np.arange(1 - len(fan.history), 1), fan.history / top)
        self._ahead.set_data(days, fan.middle / top)
        for (low, high), band in self._bands.items():
            band.set_xy(ribbon(days, getattr(fan, low) / top, getattr(fan, high) / top))


def letters(points: float, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings, for Pillow."""
    name = f"DejaVuSans{'-Bold' if bold else ''}.ttf"
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / name), points * DPI / 72)


def pixels(canvas: Any) -> Image.Image:
    """What was drawn on a canvas, without an alpha channel: less to write."""
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])


def legend(figure: Figure, height: float) -> None:
    """The four things a fan shows, in the upper right corner."""
    shown_as = [
        Line2D([], [], color=INK, linewidth=0.9, label="known"),
        Line2D([], [], color=LINE, linewidth=1.3, label="expected"),
        Patch(facecolor=BAND80, label="80 % band"),
        Patch(facecolor=BAND95, label="95 % band"),
    ]
    where = (0.995, 1 - 0.60 / height)
    figure.legend(handles=shown_as, loc="upper right", ncols=4, fontsize=8, frameon=False, bbox_to_anchor=where)


def bare(axes: Axes) -> None:
    """Only what is read: two spines, a light grid across."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=8, length=2.5, pad=2)
    axes.grid(axis="y", color="#e8e8e8", linewidth=0.6)
    axes.set_axisbelow(True)


def ribbon(days: NDArray[np.int64], low: Floats, high: Floats) -> Floats:
    """The outline of a band, shape (2 * days, 2)."""
    return np.column_stack([np.concatenate([days, days[::-1]]), np.concatenate([low, high[::-1]])])


def month_starts(as_of: date, past: int, ahead: int) -> tuple[list[int], list[str]]:
    """Days from `as_of` to each first of a month in view, and its name; the first one and January carry the year."""
    found = [day for day in range(-past, ahead + 1) if (as_of + timedelta(days=day)).day == 1]
    names = [(as_of + timedelta(days=day)).strftime("%-d %b") for day in found]
    for place, day in enumerate(found):
        when = as_of + timedelta(days=day)
        if place == 0 or when.month == 1:
            names[place] += f" {when.year}"
    return found, names


def nice_step(least: float) -> float:
    """The smallest of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten that is not below `least`."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(digit * power for digit in NICE if digit * power >= least * (1 - 1e-9)))


def shown(value: float | int, exponent: int = 0) -> str:
    """A tick as people read it, "1.5k"; money is given in minor units, whose decimals are moved and not divided."""
    exact = Decimal(f"{float(value):.12g}").scaleb(-exponent).normalize()
    power = max((power for power in SHOWN if abs(exact) >= Decimal(1).scaleb(power)), default=0)
    return f"{exact.scaleb(-power).normalize():f}{SHOWN[power]}"


def money(amount_minor: int, currency: str, exponent: int) -> str:
    """An amount for people, "EUR 1,234.50": decimals are moved, nothing is divided."""
    return f"{currency.upper()} {Decimal(amount_minor).scaleb(-exponent):,.{exponent}f}"


def _largest(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else 0.0
