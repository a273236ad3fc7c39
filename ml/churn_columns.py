"""What the churn model looks at: features, the form their forms, and the few signs that nobody would argue about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.panel import Floats

PLAIN, LOGGED, LEFT, RATIO, DAYS = "plain", "logged", "left", "ratio", "days"
LEVEL, MISSING = "level", "missing"
LEAST_LEFT = 0.05  # of usage: below it a customer is as good as gone, and the logarithm would run away
WIDEST_RATIO = 4.0  # of a bill: one that grows tenfold frightens no more than one that grows fourfold
FURTHEST = 1e30  # no measurement: squares of what is further out, and 32-bit floats, overflow
LEAST_ROWS = 20  # of a word to be told apart from the rare ones: with fewer its own effect is luck
MOST_LEVELS = 30  # of one feature; the commonest
# Form of each numeric feature. LOGGED: amounts and counts that span orders of magnitude. LEFT: share of earlier usage
# that is left, of which only falls matter. RATIO: after over before, the same weight for a half as for a double.
NUMERIC: dict[str, str] = {
    "tenure_days": LOGGED,
    "usage_left_28": LEFT,
    "usage_left_91": LEFT,
    "usage_ratio_7_28": LEFT,
    "usage_ratio_28_91": LEFT,
    "usage_mean_28": LOGGED,
    "zero_share_28": PLAIN,
    "days_since_last_usage": LOGGED,
    "quota_share_last": LOGGED,
    "failed_payments_90d": PLAIN,
    "open_invoices": PLAIN,
    "is_past_due": PLAIN,
    "days_past_due": LOGGED,
    "mrr_minor": LOGGED,
    "mrr_change_90d_share": PLAIN,
    "overage_share": LOGGED,
    "bill_change_ratio": RATIO,
    "credited_90d": PLAIN,
    "seats": LOGGED,
    "has_discount": PLAIN,
    "plan_rank": PLAIN,
    "months_since_upgrade": PLAIN,
    "is_paused": PLAIN,
    "is_trialing": PLAIN,
}
WORDS = ("segment",)
FEATURES = (*NUMERIC, *WORDS)
# +1: more of it never lowers the risk, -1: never raises it; the rest is left to the data.
SIGNS: dict[str, tuple[int, str]] = {
    "usage_left_28": (-1, "who uses less than in the month before gets less out of it"),
    "usage_left_91": (-1, "who uses less than in the quarter before gets less out of it"),
    "usage_ratio_7_28": (-1, "who uses less than last month gets less out of it"),
    "usage_ratio_28_91": (-1, "who uses less than last quarter gets less out of it"),
    "zero_share_28": (1, "days without use are days without need"),
    "days_since_last_usage": (1, "the longer the silence, the weaker the habit"),
    "failed_payments_90d": (1, "a payment that fails ends subscriptions by itself, or shows that nobody minds"),
    "open_invoices": (1, "unpaid bills end subscriptions by dunning"),
    "is_past_due": (1, "unpaid bills end subscriptions by dunning"),
    "days_past_due": (1, "the longer a bill is unpaid, the nearer the end of dunning"),
    "overage_share": (1, "a bill far over the fee is one that somebody has to explain"),
    "bill_change_ratio": (1, "nobody stays because the price went up"),
}

# Features that tell the same story: a person hears it once, in the words of the one that says it strongest.
STORIES = (
    ("usage_left_28", "usage_left_91", "usage_ratio_7_28", "usage_ratio_28_91", "usage_mean_28"),
    ("zero_share_28", "days_since_last_usage"),
    ("failed_payments_90d", "open_invoices", "is_past_due", "days_past_due"),
)


@dataclass(frozen=True)
class Column:
    """One column of the matrix. feature: where its value comes from; level: the word it stands for (form `level`)."""

    feature: str
    form: str = PLAIN
    level: str = ""
    sign: int = 0

    @property
    def name(self) -> str:
        """The feature's name, with the word or the form where one feature has several columns."""
        return f"{self.feature}={self.level or self.form}" if self.form in (LEVEL, MISSING) else self.feature

    def of(self, values: pd.Series[float]) -> Floats:
        """The feature's values in this column's form, NaN where unknown."""
        if self.form == LEVEL:
            return np.asarray(values.astype(object) == self.level, dtype=np.float64)
        if self.form == MISSING:
            return np.asarray(values.isna(), dtype=np.float64)
        found = values.to_numpy(np.float64, na_value=np.nan)
        if self.form == LOGGED:
            return np.asarray(np.log1p(np.maximum(found, 0)))
        if self.form == LEFT:
            return np.asarray(np.log(np.clip(found, LEAST_LEFT, 1)))
        if self.form == RATIO:
            return np.asarray(np.log(np.clip(found, 1 / WIDEST_RATIO, WIDEST_RATIO)))
        return np.asarray(np.clip(found, -FURTHEST, FURTHEST), dtype=np.float64)


def of_product(rows: pd.DataFrame) -> list[Column]:
    """The columns of `features.customer_asof`, with the words that `rows` (those learned from) have often enough."""
    found = [Column(name, form, sign=SIGNS[name][0] if name in SIGNS else 0) for name, form in NUMERIC.items()]
    for name in WORDS:
        found += [Column(name, LEVEL, level) for level in levels(rows[name])]
    return found


def levels(values: pd.Series[str]) -> list[str]:
    """The words that get a column of their own, sorted; the commonest is the one that all others are compared with."""
    counts = values.dropna().astype(str).value_counts()
    often = [str(name) for name, count in counts.items() if count >= LEAST_ROWS]
    if len(values.dropna()) - counts[often].sum() < LEAST_ROWS:  # else the rare ones together are what is compared with
        often = often[1:]
    return sorted(often[:MOST_LEVELS])


def matrix(rows: pd.DataFrame, columns: Sequence[Column]) -> Floats:
    """Shape (rows, columns), float64, NaN for unknown."""
    if not columns:
        return np.empty((len(rows), 0))
    return np.column_stack([column.of(rows[column.feature]) for column in columns])


def by_feature(terms: Floats, columns: Sequence[Column]) -> tuple[list[str], Floats]:
    """Features in order, and their terms: those of a feature's several columns are added up."""
    names = list(dict.fromkeys(column.feature for column in columns))
    place: Mapping[str, int] = {name: index for index, name in enumerate(names)}
    found = np.zeros((len(terms), len(names)))
    for index, column in enumerate(columns):
        found[:, place[column.feature]] += terms[:, index]
    return names, found


def by_story(names: Sequence[str], terms: Floats) -> Floats:
    """Terms by feature, each row's story told by its strongest feature, which takes on the terms of the others.

    terms: shape (rows, names); so is the result, and its rows have the same sums.
    """
    found, rows = terms.copy(), np.arange(len(terms))
    for story in STORIES:
        places = np.array([index for index, name in enumerate(names) if name in story], dtype=np.int64)
        if not len(places):
            continue
        total = terms[:, places].sum(axis=1)
        teller = places[(terms[:, places] * np.sign(total)[:, None]).argmax(axis=1)]
        found[:, places] = 0.0
        found[rows, teller] = total
    return found
