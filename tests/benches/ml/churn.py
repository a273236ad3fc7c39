"""Churn of flat tables by the product's own command, judged by the scorer outside the repository.

`telco`: IBM's sample of a made-up telephone company, five folds, the predictions pooled. `cdnow`: real purchases of
customers who joined a shop in 1997 Q1; who buys nothing for 90 days has left. Neither is Stripe usage. Beside ours is
a standardised logistic regression on log1p of the same columns, by scikit-learn: the same table, another program.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.benches.marks import Mark
from tests.benches.measure import run as run_module
from tests.benches.ml.backtests import ONE_THREAD, Data

MUST = {
    "telco_log_loss": Mark(most=0.413),
    "telco_pr_auc": Mark(least=0.655),
    "telco_ece": Mark(most=0.020),
    "cdnow_log_loss_over_logistic": Mark(most=0.005),
    "cdnow_roc_auc_under_logistic": Mark(most=0.005),
    "cdnow_ece": Mark(most=0.04),
}
FOLDS, SEED = 5, 0
DAYS = 90
LEARNED = (date(1997, 4, 1), date(1997, 5, 1))
ASKED = (date(1997, 8, 1), date(1997, 9, 1), date(1997, 10, 1))


@dataclass(frozen=True)
class Asked:
    """A table and how to read its label."""

    key: str
    label: str
    positive: str


TELCO = Asked("customerID", "Churn", "Yes")
CDNOW = Asked("row", "has_left", "1")


def telco(folder: Path, data: Data) -> dict[str, float]:
    """Five folds of the file given, each predicted from the other four; figures of the pooled predictions."""
    whole = data.folder / "data" / "churn" / "telco.csv"
    rows = pd.read_csv(whole, dtype=str, keep_default_na=False)
    fold = folds((rows[TELCO.label] == TELCO.positive).to_numpy())
    said, seconds = [], 0.0
    for held in range(FOLDS):
        predictions, used = predict(folder, rows[fold != held], rows[fold == held], TELCO)
        said.append(predictions)
        seconds += used
    found = score(folder, data, whole, pd.concat(said), TELCO)
    plain = pd.concat(said).drop(columns="probability").rename(columns={"baseline_probability": "probability"})
    beside = score(folder, data, whole, plain, TELCO)
    flat = {f"telco_{name}": value for name, value in found.items()}
    flat |= {f"telco_logistic_{name}": beside[name] for name in ("log_loss", "pr_auc", "roc_auc", "ece")}
    return flat | {"telco_cpu_s": round(seconds, 1)}


def cdnow(folder: Path, data: Data) -> dict[str, float]:
    """Learn at two months' starts, predict at three later ones; no label learned from reaches the first of those."""
    log = pd.read_csv(data.folder / "data" / "churn" / "cdnow_1997.csv", parse_dates=["Date"])
    assert_gap(LEARNED, ASKED)
    train, test = (pd.concat([as_of(log, origin) for origin in origins]) for origins in (LEARNED, ASKED))
    predictions, seconds = predict(folder, train, test, CDNOW)
    truth = folder / "truth.csv"
    test.to_csv(truth, index=False)
    found = score(folder, data, truth, predictions, CDNOW)
    beside = score(folder, data, truth, logistic(train, test), CDNOW)
    flat = {f"cdnow_{name}": value for name, value in found.items()}
    flat |= {f"cdnow_logistic_{name}": beside[name] for name in ("log_loss", "pr_auc", "roc_auc", "ece")}
    over = found["log_loss"] - beside["log_loss"]
    under = beside["roc_auc"] - found["roc_auc"]
    flat |= {"cdnow_log_loss_over_logistic": round(over, 4), "cdnow_roc_auc_under_logistic": round(under, 4)}
    return flat | {"cdnow_cpu_s": round(seconds, 1)}


def measure(folder: Path, data: Data) -> dict[str, float]:
    """Both tables' figures."""
    return telco(folder, data) | cdnow(folder, data)


def as_of(log: pd.DataFrame, origin: date) -> pd.DataFrame:
    """One row per id of the log: what was known before `origin`, and whether nothing is bought in the DAYS from it on.

    The population is every id of the file, whether or not it has bought of late.
    """
    start, end = pd.Timestamp(origin), pd.Timestamp(origin) + pd.Timedelta(days=DAYS)
    ids = pd.Index(np.sort(log["Id"].unique()), name="Id")
    past, later = log[log["Date"] < start], log[(log["Date"] >= start) & (log["Date"] < end)]
    by = past.groupby("Id")
    found = pd.DataFrame(index=ids)
    found["recency_days"] = (start - by["Date"].max()).dt.days
    found["tenure_days"] = (start - by["Date"].min()).dt.days
    found["orders"] = by.size().reindex(ids, fill_value=0)
    found["spent"] = by["Price"].sum().reindex(ids, fill_value=0.0).round(2)
    found["discs"] = by["CDs"].sum().reindex(ids, fill_value=0)
    found["last_order"] = by["Price"].last()
    for days in (30, 60):
        recent = past[past["Date"] >= start - pd.Timedelta(days=days)].groupby("Id")
        found[f"orders_{days}d"] = recent.size().reindex(ids, fill_value=0)
        found[f"spent_{days}d"] = recent["Price"].sum().reindex(ids, fill_value=0.0).round(2)
    found["has_left"] = (~ids.isin(later["Id"])).astype(int)
    found.insert(0, "row", [f"{one}@{origin}" for one in ids])
    return found.reset_index(drop=True)


def assert_gap(learned: tuple[date, ...], asked: tuple[date, ...]) -> None:
    """Raise ValueError if a label learned from looks at a day that is predicted."""
    last = max(learned) + timedelta(days=DAYS)
    if last > min(asked):
        raise ValueError(f"labels learned from end on {last}, after the first day that is predicted, {min(asked)}")


def logistic(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Scikit-learn on standardised log1p of the table's own columns, unknown values as medians."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    rule = make_pipeline(
        SimpleImputer(strategy="median"),
        FunctionTransformer(np.log1p),
        StandardScaler(),
        LogisticRegression(max_iter=2000),
    )
    names = [name for name in train if name not in (CDNOW.key, CDNOW.label)]
    rule.fit(train[names], train[CDNOW.label])
    return pd.DataFrame({CDNOW.key: test[CDNOW.key], "probability": rule.predict_proba(test[names])[:, 1]})


def folds(left: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A fold for each row, the same share of those who left in each."""
    rng, found = np.random.default_rng(SEED), np.empty(len(left), dtype=np.int64)
    for which in (left, ~left):
        found[which] = rng.permutation(int(which.sum())) % FOLDS
    return found


def predict(folder: Path, train: pd.DataFrame, test: pd.DataFrame, asked: Asked) -> tuple[pd.DataFrame, float]:
    """What `python -m ml bench churn` says of `test`, which is given without its label, and its CPU seconds."""
    files = {name: folder / f"{name}.csv" for name in ("train", "test", "said")}
    train.to_csv(files["train"], index=False)
    test.drop(columns=asked.label).to_csv(files["test"], index=False)
    used = run_module(
        folder,
        *("ml", "bench", "churn", "--train", str(files["train"]), "--test", str(files["test"])),
        *("--id", asked.key, "--label", asked.label, "--positive", asked.positive, "--output", str(files["said"])),
        **ONE_THREAD,
    )
    return pd.read_csv(files["said"], dtype={asked.key: str}), used.cpu_s


def score(folder: Path, data: Data, truth: Path, said: pd.DataFrame, asked: Asked) -> dict[str, float]:
    """The scorer's figures."""
    file = folder / "scored.csv"
    said.to_csv(file, index=False)
    scorer = data.folder / "bench" / "score_churn.py"
    command = [sys.executable, str(scorer), str(truth), str(file), "--id", asked.key, "--label", asked.label]
    done = subprocess.run([*command, "--positive", asked.positive], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{scorer.name} left with {done.returncode}: {done.stderr.strip()[-500:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found
