"""`train`: decide what needs training, hold out, gate, refit, register."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml import backtest, churn, drift, matrix, panel, registry, scores, warehouse
from ml.errors import NothingToDo
from ml.settings import Settings, quiet_libraries

if TYPE_CHECKING:
    from mlflow import MlflowClient

STALE_DAYS = 7
EXAMPLE_ROWS = 3
FEATURES = {registry.USAGE: matrix.FEATURES, registry.CHURN: churn.FEATURES}


def run(settings: Settings, asked: date | None, *, if_needed: bool, say: Callable[[str], None]) -> None:
    """Train both models at `asked` (default: the day the features were built for); only the needed ones if asked so.

    Raises NothingToDo when there is no data, or nothing needs training; any error of the warehouse or the registry.
    """
    quiet_libraries()
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        as_of = warehouse.chosen_as_of(connection, asked)
        customers = churn.load(connection, as_of)
        items_alive = panel.count(connection, as_of)
    client = registry.connect(settings)
    due = {name: need(client, settings, name, as_of) for name in (registry.USAGE, registry.CHURN)}
    if not items_alive:
        del due[registry.USAGE]
        say("usage_forecast: no metered item is alive, so there is nothing to learn from.")
    if not len(customers[1]):
        del due[registry.CHURN]
        say("churn_risk: no label has matured yet, so there is nothing to learn from.")
    for name, why in due.items():
        if if_needed or why != "there is no champion":
            say(
                f"{name}: {'training' if why or not if_needed else 'not training'}: {why or 'the champion is current'}."
            )
    todo = [name for name, why in due.items() if why or not if_needed]
    if not todo:
        raise NothingToDo(f"Nothing to train at as-of {as_of}.")
    stamp = scores.new_run()
    if registry.USAGE in todo:
        with warehouse.opened(settings.warehouse, settings.threads) as connection:
            items = panel.load(connection, as_of)
        usage(client, settings, items, stamp, say)
    if registry.CHURN in todo:
        churn_risk(client, settings, as_of, *customers, stamp=stamp, say=say)


def need(client: MlflowClient, settings: Settings, model: str, as_of: date) -> str | None:
    """Why `model` must be trained at `as_of`, in words; None if its champion is current."""
    champion = registry.find(client, model)
    if champion is None:
        return "there is no champion"
    if champion.tags.get("features") != fingerprint(FEATURES[model]):
        return "the champion was trained on other features"
    local = Path(champion.source.removeprefix("file://"))
    if settings.tracking_uri.startswith("sqlite:") and not (local / "spec.json").is_file():
        return f"the champion's files are gone from {local}"
    age = (as_of - date.fromisoformat(champion.tags["as_of"])).days
    if age >= STALE_DAYS:
        return f"the champion's as-of is {age} days old"
    breach = scores.last_breach(settings.scores)
    if breach is not None and breach > datetime.fromisoformat(champion.tags["trained_at"]):
        return f"drift was found on {breach:%Y-%m-%d %H:%M} UTC, after its training"
    return None


def usage(
    client: MlflowClient, settings: Settings, items: panel.Panel, stamp: scores.Run, say: Callable[[str], None]
) -> None:
    """Hold out, judge, refit and register the usage forecast."""
    known = panel.vocabulary(items.rows, matrix.CATEGORIES)
    verdict = backtest.judge(items, backtest.run(items, known, settings.threads))
    heads = backtest.final_fit(items, verdict, known, settings.threads)
    now = items.at(items.as_of)
    spec = {
        "method": verdict.method,
        "features": matrix.FEATURES,
        "horizon": panel.HORIZON,
        "vocabulary": known,
        "bands": verdict.bands.table,
        "figures": records(verdict.figures),
        "references": {name: drift.summary(values) for name, values in drift.item_features(items, now).items()},
    }
    few = now[:EXAMPLE_ROWS]
    example = matrix.build(items, few, np.ones(len(few), dtype=np.int64), known)
    entry = registry.register(
        client,
        settings,
        registry.Candidate(
            model=registry.USAGE,
            method=verdict.method,
            spec=spec,
            tags=tags(registry.USAGE, items.as_of, verdict, stamp, digest(items.daily, items.item, items.position)),
            metrics=flat(verdict.figures),
            example=pd.DataFrame(example, columns=list(matrix.FEATURES)),
            boosters={"mean": heads.mean, "median": heads.median} if heads else {},
        ),
        *(registry.CHALLENGER, registry.CHAMPION),
    )
    announce(entry, verdict, say)


def churn_risk(
    client: MlflowClient,
    settings: Settings,
    as_of: date,
    rows: pd.DataFrame,
    labelled: pd.DataFrame,
    *,
    stamp: scores.Run,
    say: Callable[[str], None],
) -> None:
    """Hold out, judge, refit and register churn risk."""
    verdict = churn.judge(labelled, settings.threads)
    fitted = churn.final_fit(labelled, verdict.method, settings.threads)
    present = drift.customer_features(rows)
    spec = {
        "method": verdict.method,
        "features": churn.FEATURES,
        "base_rate": fitted.base_rate,
        "logistic": asdict(fitted.logistic) if fitted.logistic else None,
        "figures": records(verdict.figures),
        "references": {name: drift.summary(values) for name, values in present.items() if values.size},
    }
    values = churn.matrix(labelled)
    label = labelled["is_churned"].to_numpy(np.float64)
    entry = registry.register(
        client,
        settings,
        registry.Candidate(
            model=registry.CHURN,
            method=verdict.method,
            spec=spec,
            tags=tags(registry.CHURN, as_of, verdict, stamp, digest(values, label)),
            metrics=flat(verdict.figures),
            example=pd.DataFrame(values[:EXAMPLE_ROWS], columns=list(churn.FEATURES)),
            boosters={"risk": fitted.booster} if fitted.booster is not None else {},
            main="risk",
        ),
        *(registry.CHALLENGER, registry.CHAMPION),
    )
    announce(entry, verdict, say)


def announce(entry: registry.Entry, verdict: backtest.Verdict | churn.Verdict, say: Callable[[str], None]) -> None:
    """Print the outcome beside the baseline."""
    say(f"{entry.model} version {entry.version}: champion is {verdict.method} ({verdict.reason}).")
    for row in records(verdict.figures):
        if row["segment"] == "all":
            shown = [
                f"{row[name]:>9.3f}" if row[name] is not None else "       - " for name in ("value", "baseline_value")
            ]
            say(f"  {row['metric']:<18} {shown[0]}   baseline {shown[1]}   n {row['n']}")


def records(figures: pd.DataFrame) -> list[dict[str, Any]]:
    """Figures as plain values for JSON; an undefined one is None."""
    rows: list[dict[str, Any]] = json.loads(figures.to_json(orient="records", double_precision=15))
    return rows


def tags(
    model: str, as_of: date, verdict: backtest.Verdict | churn.Verdict, stamp: scores.Run, data: str
) -> dict[str, str]:
    """Version tags: what was trained on what, when, and why it serves."""
    gate = "passed" if verdict.passed else "failed: baseline serves"
    return {
        "as_of": as_of.isoformat(),
        "method": verdict.method,
        "gate": gate,
        "gate_reason": verdict.reason,
        "data_hash": data,
        "features": fingerprint(FEATURES[model]),
        "trained_at": stamp.at.isoformat(),
        "metrics": json.dumps({name: round(value, 6) for name, value in flat(verdict.figures).items()}),
    }


def flat(figures: pd.DataFrame) -> dict[str, float]:
    """Overall figures and the baseline's as one flat mapping; undefined ones left out."""
    overall = [row for row in records(figures) if row["segment"] == "all"]
    found = {row["metric"]: row["value"] for row in overall}
    found |= {f"{row['metric']}_baseline": row["baseline_value"] for row in overall}
    return {name: value for name, value in found.items() if value is not None}


def digest(*arrays: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
    """First 16 hex digits of the SHA-256 of the arrays' bytes and shapes."""
    found = hashlib.sha256()
    for one in arrays:
        found.update(str(one.shape).encode())
        found.update(np.ascontiguousarray(one).tobytes())
    return found.hexdigest()[:16]


def fingerprint(features: Sequence[str]) -> str:
    """Short name of a feature list; another list, or another order, gives another one."""
    return hashlib.sha256("\n".join(features).encode()).hexdigest()[:16]
