"""`score` and `drift`: load the champions, read today's features, append score files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ml import backtest, churn, drift, forecast, intervals, matrix, panel, registry, revenue, scores, warehouse
from ml.errors import FeaturesChanged, NoChampion, NothingToDo
from ml.settings import Settings, quiet_libraries

Say = Callable[[str], None]


def run(settings: Settings, asked: date | None, say: Say) -> None:
    """Append usage_forecast, churn_risk, revenue_forecast and the champions' model_performance at `asked`.

    `asked` defaults to the built day. Everything is computed before the first file is written. Raises NothingToDo on
    an empty account, NoChampion if there is something to score and nothing to score it with.
    """
    quiet_libraries()
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        built = warehouse.built_as_of(connection)
        as_of = warehouse.chosen_as_of(connection, asked)
        items = panel.load(connection, as_of, for_scoring=True)
        customers, labelled = churn.load(connection, as_of)
        months = revenue.load(connection, as_of, built)
    client = registry.connect(settings)
    tables: dict[str, pd.DataFrame] = {}
    used: list[registry.Entry] = []
    if len(items.rows):
        used.append(registry.champion(client, registry.USAGE))
        tables["usage_forecast"] = usage(settings, used[-1], items)
    if len(customers) and (len(labelled) or registry.find(client, registry.CHURN)):
        used.append(registry.champion(client, registry.CHURN))
        tables["churn_risk"] = churn_risk(settings, used[-1], customers, as_of)
    elif len(customers):
        say("churn_risk: not scored, no label has matured yet.")
    if len(months):
        tables["revenue_forecast"] = revenue.forecast(months, as_of)
    if not tables:
        raise NothingToDo(f"Nothing to score at as-of {as_of}.")
    performance = pd.concat([held_out(settings, entry) for entry in used]) if used else pd.DataFrame()
    stamp = scores.new_run()
    for table, frame in tables.items():
        scores.write(settings.scores, table, frame, stamp)
        method = ", ".join(sorted(frame["method"].unique()))
        say(f"{table:<17} {len(frame):>8} rows at as-of {as_of}, by {method}")
    if len(performance):
        scores.write(settings.scores, "model_performance", performance, stamp)


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
        items = panel.load(connection, as_of, for_scoring=True)
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


def usage(settings: Settings, entry: registry.Entry, items: panel.Panel) -> pd.DataFrame:
    """Rows of the `usage_forecast` table (without run columns), 28 per item."""
    picked = np.arange(len(items.rows))
    with registry.files(entry, settings.tracking_uri) as folder:
        spec = checked(entry, registry.read_spec(entry, folder), matrix.FEATURES)
        heads = None
        if spec["method"] == forecast.XGBOOST:
            boosters = [registry.read_booster(entry, folder, head, settings.threads) for head in ("mean", "median")]
            heads = forecast.Heads(boosters[0], boosters[1], spec["vocabulary"])
    said = forecast.serve(items, picked, spec["method"], heads)
    bands = intervals.Bands(spec["bands"]).around(said.median, intervals.own_scale(items, picked), said.method)
    row, horizon = np.repeat(picked, panel.HORIZON), np.tile(np.arange(1, panel.HORIZON + 1), len(picked))
    found = items.rows.loc[row, ["account_id", "subscription_item_id", "customer_id", "meter_id"]]
    found = found.reset_index(drop=True)
    values = {
        "yhat_mean": said.mean,
        "yhat_median": said.median,
        **bands,
        "baseline": backtest.serve_baseline(items, picked),
    }
    return found.assign(
        as_of=items.as_of,
        forecast_date=matrix.target_days(items.origins()[row], horizon).astype(object),
        horizon=horizon,
        method=said.method[row],
        model_name=entry.model,
        model_version=entry.version,
        **{name: array.ravel() for name, array in values.items()},
    )


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
    """The spec, if the champion was trained on the features this code builds. Raises FeaturesChanged."""
    if tuple(spec["features"]) != features:
        raise FeaturesChanged(entry.model, entry.version)
    return spec
