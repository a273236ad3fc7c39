"""One training of churn risk: hold out, refit the winner, register, promote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date

import numpy as np
import pandas as pd

from ml import churn, comparison, drift, lineage, model_plots, promotion, registry, scores
from ml.artifacts import Candidate
from ml.settings import Settings

EXAMPLE_ROWS = 3


def train(
    store: registry.Store,
    settings: Settings,
    as_of: date,
    rows: pd.DataFrame,
    labelled: pd.DataFrame,
    stamp: scores.Run,
    say: Callable[[str], None],
) -> None:
    """Whichever of XGBoost and logistic regression wins on the held-out dates becomes champion."""
    verdict = churn.judge(labelled, settings.threads)
    fitted = churn.final_fit(labelled, verdict.method, settings.threads)
    present = drift.customer_features(rows)
    figures = lineage.records(verdict.figures)
    measured = lineage.metrics(figures)
    values = churn.matrix(labelled)
    data = lineage.digest(values, labelled["is_churned"].to_numpy(np.float64))
    recipe = {"trees": churn.TREES, **churn.PARAMETERS, "horizon_days": churn.HORIZON_DAYS}
    first = labelled["as_of_date"].min().date()
    tags = {
        "as_of": as_of.isoformat(),
        "method": verdict.method,
        "gate": "passed" if verdict.passed else "failed: baseline serves",
        "gate_reason": verdict.reason,
        "data_hash": data,
        "features": lineage.fingerprint(churn.FEATURES),
        "recipe": lineage.fingerprint(recipe),
        "trained_at": stamp.at.isoformat(),
        "metrics": lineage.overall(measured),
        **lineage.tags(),
    }
    entry = registry.register(
        store,
        settings,
        Candidate(
            model=registry.CHURN,
            method=verdict.method,
            spec={
                "method": verdict.method,
                "features": churn.FEATURES,
                "recipe": recipe,
                "base_rate": fitted.base_rate,
                "logistic": asdict(fitted.logistic) if fitted.logistic else None,
                "figures": figures,
                "references": {name: drift.summary(found) for name, found in present.items() if found.size},
            },
            tags=tags,
            params=lineage.flat(
                {
                    **recipe,
                    "features": churn.FEATURES,
                    "method": verdict.method,
                    "data_hash": data,
                    "first_origin": first,
                    "as_of": as_of,
                    "labels": len(labelled),
                    **lineage.code(),
                }
            ),
            metrics=measured,
            example=pd.DataFrame(values[:EXAMPLE_ROWS], columns=list(churn.FEATURES)),
            boosters={"risk": fitted.booster} if fitted.booster is not None else {},
            main="risk",
            pictures=pictures(verdict, fitted),
        ),
    )
    promotion.promote(store, entry, stamp.at)
    say(f"{entry.name} version {entry.version}: champion is {verdict.method} ({verdict.reason}).")
    for line in comparison.headline(figures):
        say(line)


def pictures(verdict: churn.Verdict, fitted: churn.Champion) -> dict[str, bytes]:
    """Reliability of the held-out probabilities, and what the winner looks at."""
    found = {}
    if verdict.held_out is not None:
        found["calibration.png"] = model_plots.reliability(verdict.held_out.label, verdict.held_out.said)
    if fitted.booster is not None:
        found["importance.png"] = model_plots.importance({"risk": fitted.booster})
    elif fitted.logistic is not None:
        found["importance.png"] = model_plots.weights(churn.FEATURES, fitted.logistic.weight)
    return found
