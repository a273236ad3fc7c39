"""`bench churn`: the churn model on anybody's flat table, the same code from the columns on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ml import churn_choice, churn_columns, churn_model, churn_tables, metrics
from ml.churn_gate import allowed_ece
from ml.churn_model import BASE_RATE, Model
from ml.errors import BadTable
from ml.panel import Floats

LEAST_ROWS = 2  # of either class: with fewer there is nothing to tell them apart by


def run(train: Path, test: Path, key: str, label: str, positive: str, output: Path, threads: int) -> list[str]:
    """Learn from `train`, write a probability of the positive label for each row of `test` (its key, probability,
    baseline_probability: plain logistic regression's), in the order of the file.

    `test` needs no label. Returns sentences on what was done and what was left out. Raises BadTable.
    """
    known = churn_tables.read(train, [key, label])
    asked = churn_tables.read(test, [key])
    rows, labels = churn_tables.known_labels(known, label, positive)
    if not labels.any() and rows[label].nunique() > 1:
        found = ", ".join(sorted(rows[label].astype(str).unique())[:10])
        raise BadTable(train, f"no {label} is {positive}; its values are {found}")
    table = churn_tables.inspect(rows, asked, [key, label])
    model = fit(rows, labels, rows[key].to_numpy(), table, threads)
    features = matrix(asked, table)
    said = pd.DataFrame(
        {
            key: pd.read_csv(test, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)[key],
            "probability": model.say(features).probability,
            "baseline_probability": model.say_plain(features).probability,
        }
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    said.to_csv(output, index=False)
    sentences = [
        f"{len(said)} probabilities by {model.method}, learned from {len(rows)} rows, {int(labels.sum())} of them "
        f"{label} = {positive}, and {len({column.feature for column in table.columns})} features."
    ]
    if len(rows) < len(known):
        sentences.append(f"{len(known) - len(rows)} rows without {label} were not learned from.")
    if (others := rows[label].nunique()) > 2:
        sentences.append(f"{label} has {others} values: all but {positive} count as not {positive}.")
    if repeated := int(asked[key].duplicated().sum()):
        sentences.append(f"{repeated} rows to be scored repeat an earlier {key}: each has a probability of its own.")
    if model.method == BASE_RATE:
        few = min(churn_choice.counts(labels)) < LEAST_ROWS
        why = "The labels have too few rows of one class" if few else "There is no feature"
        sentences.append(f"{why} to learn from: everybody gets {model.base_rate:.4f}.")
    sentences += [f"Left out: {name} ({why})." for name, why in table.left_out.items()]
    return sentences


def fit(rows: pd.DataFrame, label: Floats, group: Floats, table: churn_tables.Table, threads: int) -> Model:
    """The contender with what cross-validation chooses, or the base rate where the labels have no two classes.

    Calibrated (Platt) only if the cross-validated probabilities are off by more than chance.
    """
    if min(churn_choice.counts(label)) < LEAST_ROWS or not table.columns:
        return Model(BASE_RATE, table.columns, churn_model.rate(label))
    features = matrix(rows, table)
    recipe, margin = churn_choice.choose(features, label, group, table.columns, threads)
    model = churn_model.fit(features, label, table.columns, recipe, threads)
    if np.isnan(margin).any():
        return model
    said = churn_model.sigmoid(margin)
    if metrics.ece(label, said) > allowed_ece(said):
        shift, slope, _ = metrics.calibration_line(label, said)
        return churn_model.calibrated(model, shift, slope)
    return model


def matrix(rows: pd.DataFrame, table: churn_tables.Table) -> Floats:
    """Shape (rows, columns) of the table's typed columns."""
    return churn_columns.matrix(churn_tables.typed(rows, table.columns), table.columns)
