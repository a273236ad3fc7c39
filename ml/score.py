"""`score` and `drift`: load the champions, read today's features, append score files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml import (
    churn,
    drift,
    forecast,
    intervals,
    matrix,
    panel,
    registry,
    revenue,
    routes,
    scores,
    usage_panel,
    usage_scores,
    warehouse,
)
from ml.errors import FeaturesChanged, NoChampion, NothingToDo
from ml.settings import Settings, quiet_libraries

if TYPE_CHECKING:
    import pyarrow as pa

Say = Callable[[str], None]


def run(settings: Settings, asked: date | None, say: Say, horizon: int = panel.HORIZON) -> None:
    """Append usage_forecast, usage_paths, churn_risk, revenue_trend and the champions' model_performance at `asked`.

    `asked` defaults to the built day; horizon: days of usage to forecast, 1 to what the champion learned. Everything is
    computed before the first file is written. Raises NothingToDo on an empty account, NoChampion if there is something
    to score and nothing to score it with.
    """
    quiet_libraries()
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        built = warehouse.built_as_of(connection)
        as_of = warehouse.chosen_as_of(connection, asked)
        items = usage_panel.load(connection, as_of, for_scoring=True, horizon=horizon)
        periods = usage_panel.periods(connection, [as_of])
        customers, labelled = churn.load(connection, as_of)
        months = revenue.load(connection, as_of, built)
    client = registry.connect(settings)
    tables: dict[str, pd.DataFrame | pa.Table] = {}
    learned: list[tuple[pd.DataFrame, scores.Run]] = []
    used: list[registry.Entry] = []
    if len(items.rows):
        used.append(registry.champion(client, registry.USAGE))
        champion, past = usage_champion(settings, used[-1])
        tables["usage_forecast"], tables["usage_paths"] = usage_scores.run(items, champion, periods)
        learned.append(past)
    if len(customers) and (len(labelled) or registry.find(client, registry.CHURN)):
        used.append(registry.champion(client, registry.CHURN))
        tables["churn_risk"] = churn_risk(settings, used[-1], customers, as_of)
    elif len(customers):
        say("churn_risk: not scored, no label has matured yet.")
    if len(months):
        tables["revenue_trend"] = revenue.forecast(months, as_of)
    if not tables:
        raise NothingToDo(f"Nothing to score at as-of {as_of}.")
    performance = pd.concat([held_out(settings, entry) for entry in used]) if used else pd.DataFrame()
    stamp = scores.new_run()
    for frame, training in learned:
        if len(frame) and not scores.path_of(settings.scores, "usage_paths", training.run_id).exists():
            scores.write(settings.scores, "usage_paths", frame, training)
    for table, rows in tables.items():
        shaped = scores.shaped(table, rows)
        scores.write(settings.scores, table, shaped, stamp)
        method = ", ".join(sorted(set(shaped.column("method").unique().to_pylist())))
        say(f"{table:<17} {len(shaped):>8} rows at as-of {as_of}, by {method}")
    if len(performance):
        scores.write(settings.scores, "model_performance", performance, stamp)


def usage_champion(
    settings: Settings, entry: registry.Entry
) -> tuple[usage_scores.Champion, tuple[pd.DataFrame, scores.Run]]:
    """The serving version, and what it said at its held-out origins: rows of `usage_paths` and the training's run.

    Those rows are written once a version, under its training's own stamp, whenever that file is not there.
    """
    with registry.files(entry, settings.tracking_uri) as folder:
        spec = checked(entry, registry.read_spec(entry, folder), matrix.FEATURES)
        heads = None
        if spec["method"] == routes.XGBOOST:
            mean, median = (registry.read_booster(entry, folder, head, settings.threads) for head in ("mean", "median"))
            heads = forecast.Heads(mean, median, spec["vocabulary"], spec["features"])
        donors = registry.read_frame(entry, folder, "residuals")
        past = registry.read_frame(entry, folder, "backtest_paths")
    champion = usage_scores.Champion(
        entry.model, entry.version, spec["chosen"], intervals.Bands(spec["bands"]), heads, donors
    )
    at = datetime.fromisoformat(entry.tags["trained_at"])
    run = scores.Run(f"{at:%Y%m%dT%H%M%S%f}-version-{entry.version}", at)
    return champion, (past.assign(model_name=entry.model, model_version=entry.version), run)


def held_out(settings: Settings, entry: registry.Entry) -> pd.DataFrame:
    """Rows of the `model_performance` table (without run columns): what the champion scored before it was promoted.

    Written with every scoring, not at training, so that a killed training or a deleted score folder loses nothing;
    `as_of` is the training's.
    """
    with registry.files(entry, settings.tracking_uri) as folder:
        figures = pd.DataFrame(registry.read_spec(entry, folder)["figures"])
    return figures.assign(
        model_name=entry.model, model_version=entry.version, as_of=date.fromisoformat(entry.tags["as_of"])
    )


def watch(settings: Settings, asked: date | None, say: Say) -> bool:
    """Append feature_drift of both champions' features; True if any feature is in breach.

    Raises NoChampion if neither model has one.
    """
    quiet_libraries()
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        as_of = warehouse.chosen_as_of(connection, asked)
        items = usage_panel.load(connection, as_of, for_scoring=True)
        customers, _ = churn.load(connection, as_of)
    client = registry.connect(settings)
    current = {
        registry.USAGE: ("items", drift.item_features(items, np.arange(len(items.rows)))),
        registry.CHURN: ("customers", drift.customer_features(customers)),
    }
    found = []
    for model, (segment, features) in current.items():
        entry = registry.find(client, model)
        if entry is not None:
            with registry.files(entry, settings.tracking_uri) as folder:
                references = registry.read_spec(entry, folder)["references"]
            found.append(drift.compare(references, features, segment))
    if not found:
        raise NoChampion(registry.USAGE)
    table = pd.concat(found, ignore_index=True)
    if not len(table):
        raise NothingToDo(f"No feature to compare at as-of {as_of}.")
    scores.write(settings.scores, "feature_drift", table.assign(as_of=as_of), scores.new_run())
    for row in table[table["is_breach"]].itertuples(index=False):
        say(f"breach: {row.feature} of {row.segment}: PSI {row.psi:.3f} over its limit {row.psi_limit:.3f} (n {row.n})")
    judged = int((table["n"] >= drift.LEAST).sum())
    drifted = int(table["is_breach"].sum())
    say(f"{drifted} of {judged} features drifted; {len(table) - judged} have too few rows to judge.")
    return bool(table["is_breach"].any())


def churn_risk(settings: Settings, entry: registry.Entry, customers: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Rows of the `churn_risk` table (without run columns), one per customer with a live subscription."""
    with registry.files(entry, settings.tracking_uri) as folder:
        spec = checked(entry, registry.read_spec(entry, folder), churn.FEATURES)
        boosted = spec["method"] == churn.XGBOOST
        booster = registry.read_booster(entry, folder, "risk", settings.threads) if boosted else None
    logistic = churn.Logistic(**spec["logistic"]) if spec["logistic"] else None
    champion = churn.Champion(spec["method"], spec["base_rate"], logistic, booster)
    found = pd.concat([customers[["account_id", "customer_id"]], churn.score(customers, champion)], axis=1)
    return found.assign(
        as_of=as_of,
        horizon_days=churn.HORIZON_DAYS,
        method=spec["method"],
        model_name=entry.model,
        model_version=entry.version,
    )


def checked(entry: registry.Entry, spec: dict[str, Any], features: tuple[str, ...]) -> dict[str, Any]:
    """The spec, if this code still builds the features that the champion was trained on. Raises FeaturesChanged."""
    if not set(spec["features"]) <= set(features):
        raise FeaturesChanged(entry.model, entry.version)
    return spec
