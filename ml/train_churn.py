"""One training of churn risk: hold out, refit what won at each horizon, register with a card, promote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml import churn, churn_card, churn_columns, churn_gate, comparison, drift, lineage, promotion, registry, scores
from ml.artifacts import Candidate
from ml.churn_columns import Column
from ml.churn_gate import Verdict
from ml.churn_model import PARAMETERS, TREES, Logistic, Model
from ml.churn_scoring import Head
from ml.settings import Settings

EXAMPLE_ROWS = 3
BACKTEST = ("account_id", "customer_id", "as_of", "horizon_days", "probability", "is_churned")
SERVED = Path(__file__).with_name("served_churn.py")


@dataclass(frozen=True)
class Fitted:
    """One horizon: what the gate said, and what serves from now on."""

    verdict: Verdict
    head: Head
    labels: int


def train(
    store: registry.Store,
    settings: Settings,
    as_of: date,
    rows: pd.DataFrame,
    labelled: pd.DataFrame,
    stamp: scores.Run,
    say: Callable[[str], None],
    blocked: str = "",
) -> None:
    """Judge and fit each horizon that has matured labels; what won at each of them becomes one champion."""
    fitted = {horizon: fit(labelled, horizon, settings.threads) for horizon in horizons(labelled)}
    made = candidate(fitted, as_of, rows, labelled, stamp)
    entry = registry.register(store, settings, made)
    if promotion.admit(store, entry, stamp.at, blocked, say):
        say(f"{entry.name} version {entry.version}: champion is {made.tags['method']} ({made.tags['gate_reason']}).")
    for line in comparison.headline(made.spec["figures"]):
        say(line)


def horizons(labelled: pd.DataFrame) -> list[int]:
    """The horizons with a matured label of somebody who had not asked to leave, ascending."""
    return [horizon for horizon in churn.HORIZONS if len(churn.modelled(labelled, horizon))]


def fit(labelled: pd.DataFrame, horizon: int, threads: int) -> Fitted:
    """Judge one horizon on held-out months, then fit what won on all of them."""
    known = churn.modelled(labelled, horizon)
    verdict = churn_gate.judge(known, threads)
    model = churn_gate.final(known, verdict, threads)
    return Fitted(verdict, Head(model, churn.leaving_rate(labelled, horizon)), len(known))


def candidate(
    fitted: Mapping[int, Fitted], as_of: date, rows: pd.DataFrame, labelled: pd.DataFrame, stamp: scores.Run
) -> Candidate:
    """Everything that scoring and people need of the heads together."""
    main = max(fitted)
    passed = all(one.verdict.passed for one in fitted.values())
    methods = list(dict.fromkeys(one.verdict.method for _, one in sorted(fitted.items(), reverse=True)))
    reason = "; ".join(f"{horizon} days: {one.verdict.reason}" for horizon, one in sorted(fitted.items()))
    table = figures(fitted)
    measured = lineage.metrics(table)
    columns = fitted[main].head.model.columns
    values = churn_columns.matrix(labelled, columns)
    data = lineage.digest(values, labelled[["horizon_days", "is_churned"]].to_numpy(np.float64))
    recipe = {
        "trees": TREES,
        **PARAMETERS,
        "horizons": list(churn.HORIZONS),
        "signs": {name: sign for name, (sign, _) in churn_columns.SIGNS.items()},
    }
    present = drift.customer_features(rows)
    about = {
        "features": churn.FEATURES,
        "method": methods,
        "data_hash": data,
        "first_origin": labelled["as_of_date"].min().date(),
        "as_of": as_of,
        **{f"labels_{horizon}": one.labels for horizon, one in fitted.items()},
        **{f"chosen_{horizon}": asdict(one.verdict.recipe) for horizon, one in fitted.items()},
    }
    return Candidate(
        model=registry.CHURN,
        method="+".join(methods),
        spec={
            "method": fitted[main].verdict.method,
            "features": churn.FEATURES,
            "recipe": recipe,
            "models": {str(horizon): spec(one) for horizon, one in fitted.items()},
            "figures": table,
            "gate": {str(horizon): [asdict(check) for check in one.verdict.checks] for horizon, one in fitted.items()},
            "references": {name: drift.summary(found) for name, found in present.items() if found.size},
        },
        tags={
            "as_of": as_of.isoformat(),
            "method": "+".join(methods),
            "gate": "passed" if passed else "failed: baseline serves",
            "gate_reason": reason[:2000],
            "data_hash": data,
            "features": lineage.fingerprint(churn.FEATURES),
            "recipe": lineage.fingerprint(recipe),
            "trained_at": stamp.at.isoformat(),
            "metrics": lineage.overall(measured),
            **lineage.tags(),
        },
        params=lineage.flat({**recipe, **about, **lineage.code()}),
        metrics=measured,
        example=pd.DataFrame(values[:EXAMPLE_ROWS], columns=[column.name for column in columns]),
        boosters={
            f"risk_{horizon}": one.head.model.booster
            for horizon, one in fitted.items()
            if one.head.model.booster is not None
        },
        pictures=churn_card.pictures(
            {horizon: one.verdict for horizon, one in fitted.items()}, fitted[main].head.model
        ),
        card=churn_card.text(as_of, {horizon: (one.verdict, one.labels, one.head) for horizon, one in fitted.items()}),
        served=SERVED,
        frames={"backtest": backtest(fitted)},
    )


def figures(fitted: Mapping[int, Fitted]) -> list[dict[str, Any]]:
    """Held-out figures of all horizons: the longest's as they are, others' under the segment `horizon:<days>`."""
    main, found = max(fitted), []
    for horizon, one in sorted(fitted.items(), reverse=True):
        table = one.verdict.figures
        if horizon != main:
            table = table[table["segment"] == "all"].assign(segment=f"horizon:{horizon}")
        found += lineage.records(table)
    return found


def backtest(fitted: Mapping[int, Fitted]) -> pd.DataFrame:
    """What was said of the held-out months, by what had not seen them: rows of `churn_backtest`."""
    held = [one.verdict.held_out.said for one in fitted.values() if one.verdict.held_out is not None]
    return pd.concat(held, ignore_index=True) if held else pd.DataFrame({name: [] for name in BACKTEST})


def spec(fitted: Fitted) -> dict[str, Any]:
    """A head as JSON, all but its booster."""
    model = fitted.head.model
    return {
        "method": model.method,
        "columns": [asdict(column) for column in model.columns],
        "base_rate": model.base_rate,
        "logistic": asdict(model.logistic) if model.logistic else None,
        "ridge": asdict(model.ridge) if model.ridge else None,
        "share": model.share,
        "shift": model.shift,
        "slope": model.slope,
        "leaving_rate": fitted.head.leaving_rate,
        "recipe": asdict(fitted.verdict.recipe),
    }


def head(kept: Mapping[str, Any], booster: Any) -> Head:
    """The head that `spec` described."""
    columns = [Column(**column) for column in kept["columns"]]
    plain, ridge = (Logistic(**kept[name]) if kept[name] else None for name in ("logistic", "ridge"))
    numbers = {name: kept[name] for name in ("share", "shift", "slope")}
    model = Model(kept["method"], columns, kept["base_rate"], plain, ridge, booster, **numbers)
    return Head(model, kept["leaving_rate"])
