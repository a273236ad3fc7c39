"""`train`: decide what needs training and by which recipe, then train it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np

from ml import (
    breaches,
    churn,
    lineage,
    matrix,
    promotion,
    recipes,
    registry,
    scores,
    train_churn,
    train_usage,
    usage_panel,
    warehouse,
)
from ml.errors import BadRecipe, NothingToDo
from ml.forecast import Recipe
from ml.settings import Settings, quiet_libraries

STALE_DAYS = 7
FEATURES = {registry.USAGE: matrix.FEATURES, registry.CHURN: churn.FEATURES}


@dataclass(frozen=True)
class Need:
    """Whether a model must be trained, and the reason in words."""

    due: bool
    why: str


def run(
    settings: Settings,
    asked: date | None,
    *,
    if_needed: bool,
    say: Callable[[str], None],
    recipe_file: Path | None = None,
) -> None:
    """Train both models at `asked` (default: the day the features were built for); only the needed ones if asked so.

    recipe_file: try another recipe of the usage forecast, and train nothing else. Raises NothingToDo when there is no
    data or nothing needs training, BadRecipe, and any error of the warehouse or the registry.
    """
    quiet_libraries()
    tried = recipes.read(recipe_file, matrix.FEATURES) if recipe_file else None
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        as_of = warehouse.chosen_as_of(connection, asked)
        customers = churn.load(connection, as_of)
        against = breaches.standing(settings.scores, connection)
        items_alive = usage_panel.count(connection, as_of)
    store = registry.connect(settings)
    models = [registry.USAGE] if tried else [registry.USAGE, registry.CHURN]
    needs = {name: need(store, settings, name, as_of) for name in models}
    if not items_alive:
        del needs[registry.USAGE]
        say("usage_forecast: no metered item is alive, so there is nothing to learn from.")
    if not tried and not len(customers[1]):
        del needs[registry.CHURN]
        say("churn_risk: no label has matured yet, so there is nothing to learn from.")
    todo = [name for name, found in needs.items() if found.due or not if_needed]
    for name, found in needs.items():
        if if_needed or found.why != "there is no champion":
            say(f"{name}: {'training' if name in todo else 'not training'}: {found.why}.")
    if not todo:
        raise NothingToDo(f"Nothing to train at as-of {as_of}.")
    stamp = scores.new_run()
    if registry.USAGE in todo:
        with warehouse.opened(settings.warehouse, settings.threads) as connection:
            items = usage_panel.load(connection, as_of)
            periods = usage_panel.periods(connection, np.unique(items.origins()).tolist())
        recipe = tried or usual(store, say)
        from xgboost.core import XGBoostError

        try:
            blocked = breaches.reason(against, registry.USAGE)
            train_usage.train(store, settings, items, periods, recipe, stamp, say, blocked)
        except XGBoostError as error:
            if recipe_file is None:
                raise
            raise BadRecipe(recipe_file, f"XGBoost refuses it ({str(error).strip().splitlines()[-1]})") from error
    if registry.CHURN in todo:
        train_churn.train(store, settings, as_of, *customers, stamp, say, breaches.reason(against, registry.CHURN))


def usual(store: registry.Store, say: Callable[[str], None]) -> Recipe:
    """The champion's recipe where it fits what this code builds, else the default: a refresh changes data only."""
    champion = registry.find(store, registry.USAGE)
    same = champion is not None and champion.tags.get("features") == lineage.fingerprint(matrix.FEATURES)
    kept = train_usage.serving(store, champion) if same else None
    if kept is not None and kept != Recipe():
        say("usage_forecast: fitting the champion's recipe; `train --recipe` with a file of {} tries the default.")
    return kept or Recipe()


def need(store: registry.Store, settings: Settings, model: str, as_of: date) -> Need:
    """Whether `model` must be trained at `as_of`.

    A training of the champion's own recipe counts as a try even if it failed the gate, so that a failure is not
    repeated every day. A rollback holds (`promotion.held`) unless the champion cannot serve.
    """
    champion = registry.find(store, model)
    if champion is None:
        return Need(True, "there is no champion")
    if champion.tags.get("features") != lineage.fingerprint(FEATURES[model]):
        return Need(True, "the champion was trained on other features")
    local = Path(champion.source.removeprefix("file://"))
    if settings.tracking_uri.startswith("sqlite:") and not (local / "spec.json").is_file():
        return Need(True, f"the champion's files are gone from {local}")
    until = promotion.held(champion, as_of)
    if until is not None:
        return Need(False, f"version {champion.version} was rolled back to, which holds until as-of {until}")
    tried = registry.find(store, model, registry.CHALLENGER)
    if tried is None or tried.tags.get("recipe") != champion.tags.get("recipe"):
        tried = champion
    last = max(date.fromisoformat(one.tags["as_of"]) for one in (champion, tried))
    whose = "champion" if last == date.fromisoformat(champion.tags["as_of"]) else "last try"
    age = (as_of - last).days
    if age >= STALE_DAYS:
        return Need(True, f"the {whose}'s as-of is {age} days old")
    if tried.tags.get("gate") == promotion.BLOCKED:
        return Need(
            False, f"version {tried.version} waits for a person ({tried.tags['gate_reason'].split('; else')[0]})"
        )
    breach = scores.last_breach(settings.scores)
    trained = max(datetime.fromisoformat(one.tags["trained_at"]) for one in (champion, tried))
    if breach is not None and breach > trained:
        return Need(True, f"drift was found on {breach:%Y-%m-%d %H:%M} UTC, after its training")
    if tried.version != champion.version and tried.tags.get("gate") != "passed" and whose == "last try":
        return Need(
            False, f"version {tried.version} failed the gate {age} days ago; the next try is after {STALE_DAYS}"
        )
    return Need(False, "the champion is current")
