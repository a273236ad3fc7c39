"""One account's MRR at month ends as arrays, and what one month end says of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml.panel import Floats, Ints

ALL = "all"
LEVELS = ("plan", "currency", "company")  # each but the last is drawn to the next
Names = list[tuple[str, str]]


@dataclass(frozen=True)
class Book:
    """MRR at consecutive ends of closed months, minor units, 0 where nothing counted.

    A line is a customer's MRR on one plan in one currency; its owner are all of the customer's lines in that currency.
    owner: shape (lines,). committed, metered, factor: shape (lines, months); factor turns a line's minor units into the
    reporting currency's at that month's rate, NaN without one. latest, latest_factor: shape (lines,), MRR and factor of
    the newest month, which may be running. alive: whether the owner paid anything, shape (lines, months).

    names: (plan, currency) of each level's series. index: shape (lines,), a line's series. above: shape (series,), the
    series of the next level that a series is part of. were, came: shape (series, months): metered MRR a month before
    and then, of customers that paid in that month and both before: neither a first bill nor a leaving is growth.
    exposed, gone: shape (plans, months), lines paying a month before, and those of them whose owner pays nothing then.
    """

    owner: Ints
    committed: Floats
    metered: Floats
    factor: Floats
    latest: Floats
    latest_factor: Floats
    alive: NDArray[np.bool_]
    names: Mapping[str, Names]
    index: Mapping[str, Ints]
    above: Mapping[str, Ints]
    were: Mapping[str, Floats]
    came: Mapping[str, Floats]
    exposed: Floats
    gone: Floats

    def followed(self, values: Floats, month: int) -> Floats:
        """What each line of `month` became, shape (lines, columns): its owner's `values`, by its share of them then.

        A customer that changes plan stays on the line where it was: nothing moves between plans in a forecast either.
        """
        return _followed(self.owner, self.committed[:, month] + self.metered[:, month], values)


def book_of(rows: pd.DataFrame, as_of: date) -> Book:
    """The months of one account up to the last that is over at `as_of`; one in which nobody paid is a column of zeros.

    rows: customer_id, plan, currency, month_start, committed_mrr_minor, metered_mrr_minor, reporting_factor.
    """
    month = (rows["month_start"].dt.year * 12 + rows["month_start"].dt.month).to_numpy(np.int64)
    tomorrow = pd.Timestamp(as_of) + pd.Timedelta(days=1)
    first, last = month.min(), tomorrow.year * 12 + tomorrow.month - 1  # the month before tomorrow's is over
    line, names = pd.factorize(pd.MultiIndex.from_frame(rows[["customer_id", "plan", "currency"]]))
    shape = (len(names), int(max(last, month.max()) - first) + 1)
    money = {}
    for name in ("committed_mrr_minor", "metered_mrr_minor"):
        money[name] = np.zeros(shape)
        money[name][line, month - first] = rows[name]
    customer, plan, currency = (names.get_level_values(place).to_numpy(str) for place in range(3))
    owner = pd.factorize(pd.MultiIndex.from_arrays([customer, currency]))[0].astype(np.int64)
    rates = rows.assign(column=month - first).groupby(["currency", "column"])["reporting_factor"].first().unstack()
    factor = rates.reindex(columns=range(shape[1])).ffill(axis=1).loc[currency].to_numpy(np.float64)
    closed = slice(0, max(int(last - first) + 1, 1))
    committed, metered = money["committed_mrr_minor"], money["metered_mrr_minor"]
    latest = (committed + metered)[:, -1]
    return _watched(
        owner, committed[:, closed], metered[:, closed], factor[:, closed], latest, factor[:, -1], plan, currency
    )


def _watched(
    owner: Ints,
    committed: Floats,
    metered: Floats,
    factor: Floats,
    latest: Floats,
    latest_factor: Floats,
    plan: NDArray[np.str_],
    currency: NDArray[np.str_],
) -> Book:
    """The book with what each month says of the one before; a month's figures use no later month."""
    index, names, above = _series(plan, currency)
    worth = committed + metered
    alive = np.asarray(summed(owner, worth, int(owner.max()) + 1)[owner] > 0)
    months = worth.shape[1]
    were = {level: np.zeros((len(names[level]), months)) for level in LEVELS}
    came = {level: np.zeros((len(names[level]), months)) for level in LEVELS}
    exposed, gone = (np.zeros((len(names["plan"]), months)) for _ in range(2))
    for month in range(1, months):
        paid = worth[:, month - 1] > 0
        exposed[:, month] = np.bincount(index["plan"], weights=paid, minlength=len(exposed))
        gone[:, month] = np.bincount(index["plan"], weights=paid & ~alive[:, month], minlength=len(gone))
    for month in range(2, months):
        kept = alive[:, month - 2 : month + 1].all(axis=1)
        then = _followed(owner, worth[:, month - 1], metered[:, [month]])[:, 0]
        for level in LEVELS:
            size = len(names[level])
            were[level][:, month] = np.bincount(index[level], weights=metered[:, month - 1] * kept, minlength=size)
            came[level][:, month] = np.bincount(index[level], weights=then * kept, minlength=size)
    return Book(
        owner,
        committed,
        metered,
        factor,
        latest,
        latest_factor,
        alive,
        names,
        index,
        above,
        were,
        came,
        exposed,
        gone,
    )


def _series(
    plan: NDArray[np.str_], currency: NDArray[np.str_]
) -> tuple[dict[str, Ints], dict[str, Names], dict[str, Ints]]:
    """index, names and above of a Book."""
    everything = np.full(len(plan), ALL)
    index: dict[str, Ints] = {}
    names: dict[str, Names] = {}
    for level, parts in zip(LEVELS, ((plan, currency), (everything, currency), (everything, everything)), strict=True):
        found = pd.MultiIndex.from_arrays(parts)
        order = found.unique().sort_values()
        index[level] = order.get_indexer(found).astype(np.int64)
        names[level] = [(str(one), str(other)) for one, other in order]
    currencies = {name: place for place, (_, name) in enumerate(names["currency"])}
    above = {
        "plan": np.array([currencies[name] for _, name in names["plan"]], dtype=np.int64),
        "currency": np.zeros(len(names["currency"]), dtype=np.int64),
        "company": np.zeros(1, dtype=np.int64),
    }
    return index, names, above


def summed(index: Ints, values: Floats, size: int) -> Floats:
    """Column sums of `values`, shape (rows, columns), by `index` of the rows: shape (size, columns)."""
    columns = [np.bincount(index, weights=column, minlength=size) for column in values.T]
    return np.stack(columns, axis=1) if columns else np.zeros((size, 0))


def _followed(owner: Ints, worth: Floats, values: Floats) -> Floats:
    size = int(owner.max()) + 1
    of = np.bincount(owner, weights=worth, minlength=size)[owner]
    share = np.divide(worth, of, out=np.zeros_like(worth), where=of > 0)
    return np.asarray(share[:, None] * summed(owner, values, size)[owner])
