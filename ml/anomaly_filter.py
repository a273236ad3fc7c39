"""What each point of a series was expected to be, and how far off points of that series usually are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.panel import Floats

LEVEL_RATE = 0.04  # share of a surprise that the level takes on
SEASON_RATE = 0.1  # the same for one weekday (or hour of the day), seen once a period
WIDTH_RATE = 0.04  # share of a surprise that the usual size of errors takes on
TAIL_RATE = 0.006  # the slower memory of how wild the series gets: half of it is 115 points old
LATELY_RATE = 0.2  # of the errors since they changed sign last
SWING_RATE, SWING_KEPT = 0.3, 0.4  # of the errors of about the last three points, and the share expected to go on
SWING_MOST = 3.0  # widths; what lies further off counts for no more than this in a swing
TRUST = 2.0  # widths; what lies further off moves level and season no more than this
ODD, WILD = 4.0, 6.0  # usual sizes; what lies further off widens what is usual no more than this
FLOOR = 0.01  # of the level: a series that hardly moves is not judged more finely
NOTHING = 1e-30  # a series of zeros only has no usual error: its first use is not judged
WARM_UP = 4  # periods before a series is judged
SETTLED = 2  # periods on one side of what was expected, after which the level moves there
SILENT = 2  # periods of zeros, after which a series is taken to be silent, and to begin anew when it is heard again
FEWEST = 10  # series that must be known for their common move to be taken out
COMMON = 4.0  # widths; a common move beyond this is not explained away
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Filtered:
    """Shape (series, points) each. expected: of a point by those before it and by what all series did at it.

    surprise: the point less what was expected, in usual sizes of such errors; away: the same with nothing of the last
    few errors expected to go on. Both are NaN while the series is not judged.
    level: what the series runs at without its season, before the point; expected and level are NaN before the second
    known point. tail: how wild the errors before the point were, cubic mean over plain mean (1.46 if normal); 1 at
    first. common: shape (points,), what all series did at once, in widths.
    """

    expected: Floats
    surprise: Floats
    away: Floats
    level: Floats
    tail: Floats
    common: Floats


def follow(values: Floats, period: int) -> Filtered:
    """Follow each series by a level and a season of `period` points, both robust: one far point moves them little.

    values: shape (series, points), NaN where nothing is known; its columns are equally spaced. A point is expected
    from those before it, plus the median move of all series at that very point (holidays, outages), once ten are
    known, plus part of the last few errors, as swings last for days. The usual error is the cubic mean of the series'
    own past ones, so that it tells tame series from wild. A series that stays on one side for two periods has moved:
    its level follows at once. One that was silent for two periods begins anew.
    """
    state = State(len(values), period)
    expected, surprise, away, level = (np.full(values.shape, np.nan) for _ in range(4))
    tail, common = np.ones(values.shape), np.zeros(values.shape[1])
    for t in range(values.shape[1]):
        known, phase = ~np.isnan(values[:, t]), t % period
        if not known.any():
            continue
        likely, usual = state.level + state.season[:, phase] + SWING_KEPT * state.swing, state.usual()
        off = np.where(known, values[:, t] - likely, 0.0)
        ripe = (state.seen >= WARM_UP * period) & (usual > NOTHING)
        if (known & ripe).sum() >= FEWEST:
            common[t] = np.clip(np.median((off / usual)[known & ripe]), -COMMON, COMMON)
            move = np.where(ripe, common[t] * usual, 0.0)
            off, likely = off - np.where(known, move, 0.0), likely + move
        begun = state.seen > 0
        expected[:, t], level[:, t] = np.where(begun, likely, np.nan), np.where(begun, state.level, np.nan)
        widest = state.widest(usual)
        surprise[:, t] = np.where(known & ripe, off / widest, np.nan)
        away[:, t] = np.where(known & ripe, (off + SWING_KEPT * state.swing) / widest, np.nan)
        tail[:, t] = state.tail()
        state.learn(off, known, phase, usual)
        state.listen(values[:, t], known)
    return Filtered(expected, surprise, away, level, tail, common)


class State:
    """What is known of each series before a point; arrays of shape (series,), season (series, period).

    level and season: in the unit of the values. width, plain and wild: mean size of errors lately, in the long run,
    and of their cubes. seen: known points. side: points in a row above (below 0: below) what was expected, and lately
    how far. swing: mean of the last few errors, as they would be without allowing for it. quiet: zeros in a row.
    """

    def __init__(self, count: int, period: int) -> None:
        self.period = period
        self.seen, self.level, self.width, self.plain, self.wild = (np.zeros(count) for _ in range(5))
        self.side, self.lately, self.swing, self.quiet = (np.zeros(count) for _ in range(4))
        self.season, self.season_seen = np.zeros((count, period)), np.zeros((count, period))

    def least(self) -> Floats:
        """The smallest error that is told from none."""
        found: Floats = np.maximum(FLOOR * np.abs(self.level), NOTHING)
        return found

    def usual(self) -> Floats:
        """The usual size of errors lately, whatever the odd one was."""
        found: Floats = np.maximum(self.width, self.least())
        return found

    def widest(self, usual: Floats) -> Floats:
        """The usual size of errors in the long run, in which large ones count for more."""
        found: Floats = np.maximum(np.cbrt(self.wild), usual)
        return found

    def tail(self) -> Floats:
        """Cubic over plain mean of past errors; 1 where there were none."""
        found: Floats = np.divide(np.cbrt(self.wild), self.plain, out=np.ones_like(self.plain), where=self.plain > 0)
        return found

    def learn(self, off: Floats, known: Flags, phase: int, usual: Floats) -> None:
        """Take in an error `off` of each known series. Of a new or a constant one everything is believed."""
        new = (self.seen < 2 * self.period) | (self.width < self.least())
        widest, seasonal = self.widest(usual), known & (self.seen >= self.period)
        believed = np.where(new, off, np.clip(off, -TRUST * usual, TRUST * usual))
        self.level = self.level + np.where(known, np.maximum(LEVEL_RATE, 1 / (self.seen + 1)) * believed, 0.0)
        self.settle(off, known)
        rate = np.maximum(SEASON_RATE, 1 / (self.season_seen[:, phase] + 1))
        self.season[:, phase] += np.where(seasonal, rate * believed, 0.0)
        self.season_seen[:, phase] += seasonal
        size, age = np.abs(off), np.maximum(self.seen - self.period, 0) + 1
        step = np.where(new, size, np.minimum(size, ODD * usual)) - self.width
        self.width = self.width + np.where(seasonal, np.maximum(WIDTH_RATE, 1 / age) * step, 0.0)
        size = np.where(new, size, np.minimum(size, WILD * widest))
        slow = np.where(seasonal, np.maximum(TAIL_RATE, 1 / age), 0.0)
        self.wild, self.plain = self.wild + slow * (size**3 - self.wild), self.plain + slow * (size - self.plain)
        self.seen = self.seen + known
        felt = np.clip(off + SWING_KEPT * self.swing, -SWING_MOST * usual, SWING_MOST * usual) - self.swing
        self.swing = self.swing + np.where(known & ~new, SWING_RATE * felt, 0.0)

    def settle(self, off: Floats, known: Flags) -> None:
        """Move the level of a series to where it has stayed for two periods."""
        same = known & (np.sign(off) == np.sign(self.side)) & (off != 0)
        further = self.lately + LATELY_RATE * (off - self.lately)
        self.lately = np.where(same, further, np.where(known, off, self.lately))
        self.side = np.where(same, self.side + np.sign(self.side), np.where(known, np.sign(off), self.side))
        moved = np.abs(self.side) >= SETTLED * self.period
        self.level, self.side = np.where(moved, self.level + self.lately, self.level), np.where(moved, 0.0, self.side)

    def listen(self, values: Floats, known: Flags) -> None:
        """Count zeros in a row; begin anew where a value follows a long silence."""
        zero = known & (values == 0)
        woken = known & ~zero & (self.quiet > SILENT * self.period)
        self.quiet = np.where(zero, self.quiet + 1, np.where(known, 0.0, self.quiet))
        self.seen, self.side, self.swing = (np.where(woken, 0.0, one) for one in (self.seen, self.side, self.swing))
        self.season[woken], self.season_seen[woken] = 0.0, 0.0
        self.level = np.where(woken, values, self.level)
