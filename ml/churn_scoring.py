"""What is said of each customer at each horizon: probability, margin, and the reasons that add up to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.churn_columns import LEVEL, Column, by_feature, by_story, matrix
from ml.churn_model import Model, sigmoid
from ml.panel import Floats

MODELLED, LEAVING = "modelled", "leaving"  # leaving: the cancellation was asked for, so there is nothing to predict
TOP = 3
DIGITS = 6
KEYS = ("account_id", "customer_id")


@dataclass(frozen=True)
class Head:
    """One horizon. leaving_rate: share of those who had asked to leave and did, within the horizon."""

    model: Model
    leaving_rate: float


def score(rows: pd.DataFrame, heads: Mapping[int, Head]) -> pd.DataFrame:
    """Rows of `churn_risk` without those of the run: one per customer and horizon.

    A longer horizon never says less than a shorter one: where its head does, its margin is raised to the shorter
    one's, and the difference is in `other_contribution`, so that terms still add up.
    """
    found, least = [], {"margin": np.full(len(rows), -np.inf), "plain": np.full(len(rows), -np.inf)}
    leaving = (rows["state"] == LEAVING).to_numpy()
    for horizon, head in sorted(heads.items()):
        features = matrix(rows, head.model.columns)
        said, plain = head.model.say(features), head.model.say_plain(features).margin
        gone = float(np.log(head.leaving_rate / (1 - head.leaving_rate)))
        base = np.where(leaving, gone, said.base)
        terms = np.where(leaving[:, None], 0.0, said.terms)
        margin = np.maximum(base + terms.sum(axis=1), least["margin"])
        plain = np.maximum(np.where(leaving, gone, plain), least["plain"])
        least = {"margin": margin, "plain": plain}
        reasons, shown = reasons_of(rows, terms, head.model.columns)
        found.append(
            pd.DataFrame(
                {
                    **{name: rows[name] for name in KEYS},
                    "horizon_days": horizon,
                    "treatment": np.where(leaving, LEAVING, MODELLED),
                    "probability": sigmoid(margin),
                    "baseline_probability": sigmoid(plain),
                    "base_margin": base,
                    "margin": margin,
                    "other_contribution": margin - base - shown,
                    "reasons": reasons,
                    "method": head.model.method,
                }
            )
        )
    return pd.concat(found, ignore_index=True)


def reasons_of(rows: pd.DataFrame, terms: Floats, columns: Sequence[Column]) -> tuple[list[str], Floats]:
    """Each row's strongest features as JSON, by size of their signed contribution, and the sum of what is shown.

    value: the feature as the warehouse has it, null where unknown or a word; level: the word, else null. A feature of
    several columns is one reason, and so are features that tell one story (`by_story`). Contributions are rounded to 6
    decimals; the rest goes to the remainder.
    """
    names, values = by_feature(terms, columns)
    values = by_story(names, values)
    worded = {column.feature for column in columns if column.form == LEVEL}
    shown = {name: rows[name].tolist() for name in names}
    texts, sums = [], np.zeros(len(rows))
    for row, parts in enumerate(values):
        order = np.argsort(-np.abs(parts), kind="stable")[:TOP]
        found = []
        for rank, index in enumerate((i for i in order if round(float(parts[i]), DIGITS) != 0), start=1):
            name, value = names[index], shown[names[index]][row]
            known = value is not None and value == value  # NaN is not itself
            number = round(float(value), DIGITS) if known and name not in worded else None
            word = str(value) if known and name in worded else None
            contribution = round(float(parts[index]), DIGITS)
            sums[row] += contribution
            found.append({"rank": rank, "feature": name, "value": number, "level": word, "contribution": contribution})
        texts.append(json.dumps(found))
    return texts, sums
