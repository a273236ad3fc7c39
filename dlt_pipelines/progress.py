"""What a load says while it runs: on a terminal one line that rewrites itself, elsewhere plain lines."""

import os
import threading
import time
from collections.abc import Callable
from typing import Protocol, TextIO

REDRAW_S = 0.1  # at most ten times a second: more nobody reads, and terminals over a network are slow
PLAIN_S = 15.0  # between lines of one kind in a log
NAME = 30  # columns for "meter_usage_period_revisions:"


class Counts(Protocol):
    """What is counted of one kind (rows.Tally)."""

    rows_read: int
    rows_appended: int
    requests: int
    retries: int
    problems: dict[str, int]


class Progress:
    """Lines about kinds, by their table's name; from any thread. Counts and names of tables only, no data of anyone.

    A kind's time is that from its first `update` to its last, however much later it is said to be done.
    """

    def __init__(self, out: TextIO, is_quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """is_quiet: nothing is said at all. clock: seconds from any origin."""
        self._out, self._is_quiet, self._clock = out, is_quiet, clock
        self._width = _width_of(out)
        self._started: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._drawn = 0  # characters of the line that is on the terminal and not ended
        self._next = float("-inf")  # before this time no line is drawn again
        self._lock = threading.RLock()

    def said(self, line: str) -> None:
        """A whole line, kept."""
        if self._is_quiet:
            return
        with self._lock:
            self._erase()
            self._out.write(f"{line}\n")
            self._out.flush()

    def update(self, table: str, tally: Counts) -> None:
        """The counts of a kind that goes on. Cheap: call it as often as they change."""
        if self._is_quiet:
            return
        self._last[table] = now = self._clock()
        if table in self._started and now < self._next:
            return
        with self._lock:
            self._started.setdefault(table, now)
            if self._width:
                self._next = now + REDRAW_S
                self._draw(table, tally)
            elif now - self._told.setdefault(table, now) >= PLAIN_S:
                self._told[table] = now
                self.said(f"{self._final(table, tally)}, not finished")

    def done(self, table: str, tally: Counts) -> None:
        """The final line of a kind; without a time when it had no `update`."""
        with self._lock:
            self.said(self._final(table, tally))
            for times in (self._started, self._last, self._told):
                times.pop(table, None)

    def close(self) -> None:
        """Leave the terminal at the start of an empty line; to be called however the load ended."""
        with self._lock:
            self._erase()
            self._out.flush()

    def _seconds(self, table: str) -> float:
        """Zero for a kind without an `update`, and for one that another thread has just said to be done."""
        if table not in self._started:
            return 0.0
        return self._last.get(table, self._started[table]) - self._started[table]

    def _final(self, table: str, tally: Counts) -> str:
        seconds = self._seconds(table)
        line = (
            f"{table + ':':<{NAME}}{tally.rows_read:>12,} read {tally.rows_appended:>11,} appended "
            f"{tally.requests:>8,} requests"
        )
        if rate := _rate(tally, seconds):
            line += f" {seconds:>8,.1f} s {rate:>9} rows/s"
        for count, one, many in (
            (tally.retries, "retry", "retries"),
            (sum(tally.problems.values()), "problem", "problems"),
        ):
            line += f", {count:,} {one if count == 1 else many}" if count else ""
        return line

    def _draw(self, table: str, tally: Counts) -> None:
        """Over the line before, with blanks where that was longer: a carriage return is all a terminal must know."""
        self._width = _width_of(self._out) or self._width
        room = self._width - 1  # the last column would make some terminals begin a new line
        shown = f"{table}:"[:room]
        for part in (
            f" {tally.rows_read:>11,} read",
            f" {_rate(tally, self._seconds(table)) or '-':>9} rows/s",
            f" {tally.requests:>8,} requests",
            f" {tally.retries:>4,} retries" if tally.retries else "",
        ):
            if len(shown) + len(part) > room:  # left out whole: a number cut short would be another number
                break
            shown += part
        self._out.write("\r" + shown.ljust(min(self._drawn, room)))
        self._out.flush()
        self._drawn = len(shown)

    def _erase(self) -> None:
        if self._drawn:
            self._out.write("\r" + " " * min(self._drawn, self._width - 1) + "\r")
            self._drawn = 0


def _rate(tally: Counts, seconds: float) -> str:
    """Rows a second; of less than a tenth of a second it would be noise, and is ''."""
    return f"{tally.rows_read / seconds:,.0f}" if seconds >= REDRAW_S else ""


def _width_of(out: TextIO) -> int:
    """Columns of the terminal, 0 for what is none or cannot go back to the start of a line."""
    try:
        if not out.isatty() or os.environ.get("TERM", "dumb") == "dumb":
            return 0
        return os.get_terminal_size(out.fileno()).columns or 80
    except (OSError, ValueError):
        return 0
