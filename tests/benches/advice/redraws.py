"""What bands would have said of an experiment that is over had the lot fallen otherwise, a thousand times.

The true answer to the price is taken out of what everybody used, the places in every block are drawn again, the answer
is put back for those who would have paid the price, and the bands are worked out anew, by numpy: many draws for the
price of one. They share their customers, so that the figures hold for these and no others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
TOLD = """
    select measures.experiment_id, drawn.stratum, drawn.block, measures.customer_id, drawn.segment,
        experiments.meter_event_name, cast(log_usage_before as double), cast(log_usage_after as double)
    from intermediate.int_price_experiment_measures as measures
    inner join marts.price_experiment_assignments as drawn using (account_id, experiment_id, customer_id)
    inner join marts.price_experiments as experiments
        on experiments.experiment_id = measures.experiment_id and experiments.is_control
    where log_usage_before is not null and log_usage_after is not null
    order by all
"""


class Lot(NamedTuple):
    """Customers of one experiment: usage before and after as logarithms, the latter at the old price; the answer to the
    new one; the block of each."""

    before: Floats
    after: Floats
    answer: Floats
    block: npt.NDArray[np.int64]


def redrawn(
    data: Path, answers: Mapping[tuple[str, str], float], felt: Mapping[tuple[str, str], float], rounds: int = 1000
) -> list[tuple[float, float]]:
    """How far off the effect is, in its standard errors, and the degrees of freedom: of each experiment and round.

    answers: the true effect on the logarithm of usage by (segment, meter). felt: what was felt by (customer, meter).
    """
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        rows = con.execute(TOLD).fetchall()
    chance, found = np.random.default_rng(31), []
    for name in sorted({row[0] for row in rows}):
        lot = _lot([row for row in rows if row[0] == name], answers, felt)
        blocks = int(lot.block.max()) + 1
        turn = np.arange(len(lot.block)) - np.searchsorted(lot.block, lot.block)  # place in its block: 0 or 1
        for _ in range(rounds):
            is_treated = (turn + chance.integers(0, 2, blocks)[lot.block]) % 2 == 1
            if 5 <= is_treated.sum() <= len(is_treated) - 5:
                found.append(_off(lot, is_treated))
    return found


def _lot(
    rows: Sequence[tuple[Any, ...]],
    answers: Mapping[tuple[str, str], float],
    felt: Mapping[tuple[str, str], float],
) -> Lot:
    _, strata, blocks, customers, segments, meters, before, after = zip(*rows, strict=True)
    numbers = {key: number for number, key in enumerate(sorted(set(zip(strata, blocks, strict=True))))}
    return Lot(
        np.array(before),
        np.array(after) - [felt.get(key, 0.0) for key in zip(customers, meters, strict=True)],
        np.array([answers[key] for key in zip(segments, meters, strict=True)]),
        np.array([numbers[key] for key in zip(strata, blocks, strict=True)]),
    )


def _off(lot: Lot, is_treated: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Analysis of covariance by least squares on a constant, the treatment and the usage before."""
    design = np.column_stack([np.ones(len(is_treated)), is_treated, lot.before])
    after = lot.after + np.where(is_treated, lot.answer, 0.0)
    inverse = np.linalg.inv(design.T @ design)
    solved = inverse @ (design.T @ after)
    rest, degrees = after - design @ solved, len(is_treated) - 3
    error = math.sqrt(float(rest @ rest) / degrees * inverse[1, 1])
    return (float(solved[1]) - float(lot.answer[is_treated].mean())) / error, float(degrees)


def coverage(offs: Sequence[tuple[float, float]], level: int) -> float:
    """The share of bands of that level, 80 or 95 %, that hold the truth."""
    reach = {degrees: float(stats.t.ppf(0.5 + level / 200, degrees)) for _, degrees in set(offs)}
    return sum(abs(off) <= reach[degrees] for off, degrees in offs) / len(offs)
