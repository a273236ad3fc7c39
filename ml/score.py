"""`score`: load the champions, read today's features, append score files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml import (
    churn,
    churn_scoring,
    forecast,
    intervals,
    matrix,
    panel,
    registry,
    revenue,
    routes,
    scores,
    train_churn,
    usage_panel,
    usage_scores,
    warehouse,
)
from ml.errors import FeaturesChanged, NothingToDo
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
    learned: list[tuple[str, pd.DataFrame, scores.Run]] = []
    used: list[registry.Entry] = []
    if len(items.rows):
        used.append(registry.champion(client, registry.USAGE))
        champion, past = usage_champion(settings, used[-1])
        tables["usage_forecast"], tables["usage_paths"] = usage_scores.run(items, champion, periods)
        learned.append(("usage_paths", past, training(used[-1])))
    if len(customers) and (len(labelled) or registry.find(client, registry.CHURN)):
        used.append(registry.champion(client, registry.CHURN))
        tables["churn_risk"], past = churn_risk(settings, used[-1], customers, as_of)
        learned.append(("churn_backtest", past, training(used[-1])))
    elif len(customers):
        say("churn_risk: not scored, no label has matured yet.")
    if len(months):
        tables["revenue_trend"] = revenue.forecast(months, as_of)
    if not tables:
        raise NothingToDo(f"Nothing to score at as-of {as_of}.")
    performance = pd.concat([held_out(settings, entry) for entry in used]) if used else pd.DataFrame()
    stamp = scores.new_run()
    for table, frame, run_of in learned:
        if len(frame) and not scores.path_of(settings.scores, table, run_of.run_id).exists():
            scores.write(settings.scores, table, frame, run_of)
    for table, rows in tables.items():
        shaped = scores.shaped(table, rows)
        scores.write(settings.scores, table, shaped, stamp)
        method = ", ".join(sorted(set(shaped.column("method").unique().to_pylist())))
        say(f"{table:<17} {len(shaped):>8} rows at as-of {as_of}, by {method}")
    if len(performance):
        scores.write(settings.scores, "model_performance", performance, stamp)


def training(entry: registry.Entry) -> scores.Run:
    """The run under which a version's held-out rows are kept: once a version, whenever that file is not there."""
    at = datetime.fromisoformat(entry.tags["trained_at"])
    return scores.Run(f"{at:%Y%m%dT%H%M%S%f}-version-{entry.version}", at)


def usage_champion(settings: Settings, entry: registry.Entry) -> tuple[usage_scores.Champion, pd.DataFrame]:
    """The serving version, and what it said at its held-out origins: rows of `usage_paths`."""
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
    return champion, past.assign(model_name=entry.model, model_version=entry.version)


def held_out(settings: Settings, entry: registry.Entry) -> pd.DataFrame:
    """Rows of the `model_performance` table (without run columns): what the champion scored before it was promoted.

    Written with every scoring, not at training, so that a killed training or a deleted score folder loses nothing;
    `as_of` is the training's.
    """
    with registry.files(entry, settings.tracking_uri) as folder:
        figures = pd.DataFrame(registry.read_spec(entry, folder)["figures"])
    return figures.assign(
        model_name=entry.model,
        model_version=entry.version,
        as_of=date.fromisoformat(entry.tags["as_of"]),
        said="training",
        limit_low=np.nan,
        limit_high=np.nan,
        is_breach=False,
        alert_key=None,
        consequence=None,
    )


def churn_risk(
    settings: Settings, entry: registry.Entry, customers: pd.DataFrame, as_of: date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `churn_risk` (without run columns), one per customer with a living subscription and horizon; and those of
    `churn_backtest`, what the version said of months that it had not seen.
    """
    with registry.files(entry, settings.tracking_uri) as folder:
        spec = checked(entry, registry.read_spec(entry, folder), churn.FEATURES)
        heads = {}
        for horizon, kept in spec["models"].items():
            boosted = f"risk_{horizon}" in spec["heads"]
            booster = registry.read_booster(entry, folder, f"risk_{horizon}", settings.threads) if boosted else None
            heads[int(horizon)] = train_churn.head(kept, booster)
        past = registry.read_frame(entry, folder, "backtest")
    about = {"model_name": entry.model, "model_version": entry.version}
    return churn_scoring.score(customers, heads).assign(as_of=as_of, **about), past.assign(**about)


def checked(entry: registry.Entry, spec: dict[str, Any], features: tuple[str, ...]) -> dict[str, Any]:
    """The spec, if this code still builds the features that the champion was trained on. Raises FeaturesChanged."""
    if not set(spec["features"]) <= set(features) or (entry.model == registry.CHURN and "models" not in spec):
        raise FeaturesChanged(entry.model, entry.version)
    return spec
