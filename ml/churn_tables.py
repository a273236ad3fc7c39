"""Any flat table of customers as columns of numbers: what each column is, is found by looking at it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.churn_columns import DAYS, LEAST_ROWS, LEVEL, LOGGED, MISSING, PLAIN, Column, levels
from ml.errors import BadTable
from ml.panel import Floats

NOTHING = ("", "na", "n/a", "nan", "null", "none", "nil", "?", "-", "#n/a", "inf", "-inf", "infinity", "-infinity")
NUMBERS = 0.95  # share of a column's known values that must be numbers for it to be one
DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([ T].*)?|\d{1,2}/\d{1,2}/\d{4}")
NAMES = 0.5  # share of distinct words in rows above which a column names things: an id, a free text
MOST_WORDS = 1000  # distinct words above which it does so in any case
MISSING_SHARE = 0.01  # of rows, from which it is worth a column of its own that a value is unknown


@dataclass(frozen=True)
class Table:
    """What of a table is learned from. left_out: column -> why. values: the typed columns of the rows."""

    columns: Sequence[Column]
    left_out: dict[str, str] = field(default_factory=dict)


def read(path: Path, wanted: Sequence[str]) -> pd.DataFrame:
    """The file's rows, every value as text, NaN where there is none. Raises BadTable."""
    try:
        found = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except (OSError, ValueError) as error:  # pandas' own parser errors are ValueErrors
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadTable(path, f"it cannot be read as CSV ({why})") from error
    if missing := [name for name in wanted if name not in found]:
        raise BadTable(path, f"it lacks {', '.join(missing)}; it has {', '.join(map(str, found.columns))[:300]}")
    if not len(found):
        raise BadTable(path, "it has no rows")
    text = pd.DataFrame({name: found[name].astype(object).str.strip() for name in found})
    return pd.DataFrame({name: text[name].mask(text[name].str.lower().isin(NOTHING), np.nan) for name in text})


def inspect(train: pd.DataFrame, test: pd.DataFrame, kept_out: Sequence[str]) -> Table:
    """What each column of `train` is, from its own values; `test` only says whether a column will be there at all.

    Numbers (also those written as text) are given as log1p where none is negative and they are more than flags, as
    words those with rows enough, beside one column for "unknown". Left out: names and free texts, columns of one
    value, what the rows to be scored do not have, and dates that lie beyond those learned from, as a snapshot's does.
    """
    columns: list[Column] = []
    left_out: dict[str, str] = {}
    for name in map(str, train.columns):
        if name in kept_out:
            continue
        values = train[name].dropna()
        if name not in test:
            left_out[name] = "not in the rows to be scored"
        elif values.nunique() < 2 and not 0 < values.size < len(train):
            left_out[name] = "one value" if values.size else "no value"
        elif values.astype(str).str.fullmatch(DAY.pattern).mean() >= NUMBERS:
            if _reached(train[name], test[name]) >= NUMBERS:
                columns += [Column(name, DAYS), *_unknown(name, train[name].isna())]
            else:
                left_out[name] = "dates beyond those learned from"
        elif _numbers(values).notna().mean() >= NUMBERS:
            columns += _numeric(name, numeric(train[name]))
        elif values.nunique() > min(MOST_WORDS, NAMES * len(values)) and values.nunique() > 2:
            left_out[name] = f"{values.nunique()} different words in {len(values)} rows"
        else:
            often = [Column(name, LEVEL, level) for level in levels(train[name])] + _unknown(name, train[name].isna())
            columns += often
            if not often:
                left_out[name] = f"fewer than {LEAST_ROWS} rows have another word than the commonest"
    return Table(columns, left_out)


def typed(rows: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The rows with the columns' features as numbers where they are numbers."""
    kinds = {column.feature: column.form for column in columns if column.form != MISSING}
    rules: dict[str, Callable[[pd.Series[Any]], pd.Series[Any]]] = {LEVEL: lambda values: values, DAYS: _days}
    found = {name: rules.get(form, numeric)(rows[name]) for name, form in kinds.items()}
    return pd.DataFrame(found, rows.index)


def numeric(values: pd.Series[str]) -> pd.Series[float]:
    """Text as numbers, NaN where it is none; thousands commas, currency and percent signs are put up with."""
    return _numbers(values).astype("float64")


def known_labels(rows: pd.DataFrame, label: str, positive: str) -> tuple[pd.DataFrame, Floats]:
    """The rows whose label is known, and 1 where it is `positive` (1, 1.0 and "1" are the same), else 0."""
    kept = pd.DataFrame(rows[rows[label].notna()])
    values = kept[label].astype(str)
    same = values.str.lower() == positive.strip().lower()
    number = pd.to_numeric(pd.Series([positive]), errors="coerce").iloc[0]
    if not np.isnan(number):
        same |= pd.to_numeric(values, errors="coerce") == number
    return kept, np.asarray(same, dtype=np.float64)


def _numbers(values: pd.Series[str]) -> pd.Series[float]:
    plain = values.astype(object).str.replace(r"[,$€£%\s]", "", regex=True)
    found = pd.to_numeric(plain, errors="coerce")
    return found.where(np.isfinite(found.astype("float64")))


def _days(values: pd.Series[str]) -> pd.Series[float]:
    """Days since 1970, NaN where the text is no date; of several time zones each is its own instant."""
    day = pd.to_datetime(values, errors="coerce", format="mixed", utc=True)
    return (day.dt.as_unit("s") - pd.Timestamp(0, tz="UTC").as_unit("s")).dt.total_seconds() / 86400


def _reached(learned: pd.Series[str], asked: pd.Series[str]) -> float:
    """Share of the dates asked about that lie within those learned from."""
    known, later = _days(learned).dropna(), _days(asked).dropna()
    return float(later.between(known.min(), known.max()).mean()) if len(known) and len(later) else 0.0


def _numeric(name: str, values: pd.Series[float]) -> list[Column]:
    known = values.dropna()
    spread = known.nunique() > 2 and float(known.min()) >= 0
    return [Column(name, LOGGED if spread else PLAIN), *_unknown(name, values.isna())]


def _unknown(name: str, missing: pd.Series[bool]) -> list[Column]:
    return [Column(name, MISSING)] if MISSING_SHARE <= missing.mean() < 1 else []
