"""One company's churn risk, fitted as of earlier days, beside what the sandbox's truth says. Prints rows as JSON.

    python -m tests.benches.ml.judge_churn WAREHOUSE TRUTH.json

A row is a customer and month end after a fit: [gave up in the decision that follows (null where none
does), hazard of that decision, hazard in force, hazard as it stands on the day, probability of 30 days, churned within
30 days (null: not matured), probability of 90 days, churned within 90 days].
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from ml import churn, churn_scoring, train_churn
from sandbox.hazard import decline_left

MONTHS_BACK = (8, 4)  # of the fits, from the last month end; each is judged on the month ends up to the next fit
STRENGTH = 2.6  # hazards.decline of the company files
DAY_ZERO = pd.Timestamp("2000-01-01")


def main() -> None:
    """Fit, score, and put the truth beside it."""
    warehouse, truth = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    with duckdb.connect(warehouse, read_only=True) as connection:
        rows = connection.execute("select distinct as_of_date from features.customer_asof order by 1").fetchall()
        days = [day for (day,) in rows]
        found = []
        for place, back in enumerate(MONTHS_BACK):
            fitted_at = days[-1 - back]
            until = days[-1 - MONTHS_BACK[place + 1]] if place + 1 < len(MONTHS_BACK) else days[-1]
            asked = [day for day in days if fitted_at <= day < until]
            found.append(said_at(connection, fitted_at, asked))
        said = pd.concat(found, ignore_index=True)
        newest = days[-1]
        labels = connection.execute(
            "select customer_id, as_of_date, horizon_days, is_churned from features.churn_labels where matured_on <= ?",
            [newest],
        ).df()
    for horizon in churn.HORIZONS:
        part = labels[labels["horizon_days"] == horizon].drop(columns="horizon_days")
        part = part.rename(columns={"is_churned": f"churned_{horizon}"})
        said = said.merge(part, on=["customer_id", "as_of_date"], how="left")
    print(json.dumps(beside(said, truth)))


def said_at(connection: duckdb.DuckDBPyConnection, fitted_at: date, asked: list[date]) -> pd.DataFrame:
    """Probabilities at `asked` by heads fitted to labels matured at `fitted_at`, one row a customer and day."""
    _, labelled = churn.load(connection, fitted_at)
    heads = {}
    for horizon in train_churn.horizons(labelled):
        heads[horizon] = train_churn.fit(labelled, horizon, 1).head
    scored = []
    for day in asked:
        rows, _ = churn.load(connection, day)
        said = churn_scoring.score(rows, heads).assign(as_of_date=pd.Timestamp(day))
        scored.append(
            said.pivot_table(index=["customer_id", "as_of_date"], columns="horizon_days", values="probability")
        )
    return pd.concat(scored).reset_index()


def beside(said: pd.DataFrame, truth: dict[str, list[dict[str, Any]]]) -> list[list[Any]]:
    """The truth of each row: the decision that follows the day, the one in force on it, and the odds as they stand."""
    hazards = pd.DataFrame(truth["hazards"])
    hazards["at"] = pd.to_datetime(hazards["month_start"]).dt.tz_localize(None).astype("datetime64[us]")
    hazards = hazards.rename(columns={"customer": "customer_id"}).sort_values("at")
    said = said.assign(end=(said["as_of_date"] + pd.Timedelta(days=1)).astype("datetime64[us]")).sort_values("end")
    columns = ["customer_id", "at", "hazard", "gave_up", "usage_left"]
    ahead = pd.merge_asof(
        said, hazards[columns], left_on="end", right_on="at", by="customer_id", direction="forward"
    ).sort_values(["customer_id", "as_of_date"])
    force = pd.merge_asof(said, hazards[columns], left_on="end", right_on="at", by="customer_id").sort_values(
        ["customer_id", "as_of_date"]
    )
    follows = (ahead["at"] - ahead["end"]).dt.days <= 31
    left = {row["customer"]: row["declines"] for row in truth["customers"]}
    now = [
        usage_left(left[customer], day) for customer, day in zip(ahead["customer_id"], ahead["as_of_date"], strict=True)
    ]
    stands = (
        np.log(force["hazard"] / (1 - force["hazard"]))
        + STRENGTH * np.log(force["usage_left"].clip(0.01))
        - STRENGTH * np.log(np.clip(now, 0.01, 1))
    )
    return [
        [
            bool(up) if follow else None,
            *(none(value) for value in (hazard if follow else np.nan, in_force, standing)),
            *(
                value
                for horizon in churn.HORIZONS
                for value in (float(row[horizon]), truthful(row[f"churned_{horizon}"]))
            ),
        ]
        for follow, up, hazard, in_force, standing, (_, row) in zip(
            follows, ahead["gave_up"], ahead["hazard"], force["hazard"], stands, ahead.iterrows(), strict=True
        )
    ]


def usage_left(declines: list[dict[str, Any]], day: pd.Timestamp) -> float:
    """Share of the usage of 91 days before that disengagement has left on a day."""
    episodes = [
        (number(one["begins_on"]), number(one["lowest_on"]) - number(one["begins_on"]), one["usage_left"],
         number(one["recovers_on"]) if one["recovers_on"] else -1)
        for one in declines
    ]  # fmt: skip
    now, before = decline_left(episodes, np.array([number(day), number(day) - 91]))
    return float(now / before)


def number(day: Any) -> int:
    """Days since DAY_ZERO."""
    return int((pd.Timestamp(day) - DAY_ZERO).days)


def none(value: float) -> float | None:
    """JSON has no NaN."""
    return None if np.isnan(value) else float(value)


def truthful(value: Any) -> bool | None:
    """A label, None where it has not matured."""
    return None if pd.isna(value) else bool(value)


if __name__ == "__main__":
    main()
