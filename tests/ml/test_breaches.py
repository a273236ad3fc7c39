"""A breach blocks promotion until it is acknowledged, over, or a person decides; the first champion is exempt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import duckdb
import numpy as np
import pytest
import xgboost

from ml import breaches, promotion, registry, scores, train
from ml.errors import CannotPromote
from ml.registry import CHURN, USAGE, Entry, Store
from ml.settings import Settings
from tests.ml import synthetic
from tests.ml.conftest import Cli, State
from tests.ml.test_registry import AT, candidate

Make = Callable[..., Entry]


@pytest.fixture
def settings(state: State) -> Settings:
    return state()


@pytest.fixture
def store(settings: Settings) -> Store:
    return registry.connect(settings)


@pytest.fixture
def make(store: Store, settings: Settings) -> Make:
    data = xgboost.DMatrix(np.arange(20.0)[:, None], label=np.arange(20.0), feature_names=["mean_7_over_level"])
    booster = xgboost.train({"nthread": 1, "max_depth": 2}, data, 2)
    return lambda as_of="2026-10-31": registry.register(store, settings, candidate(booster, as_of, "r1", 20.0))


def marts(settings: Settings, quality: list[tuple[str, str, int]], acknowledged: dict[str, bool]) -> None:
    """Only the two marts that say what stands."""
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema if not exists marts")
        con.execute("create or replace table marts.data_quality (check_name text, severity text, rows_affected bigint)")
        con.execute("alter table marts.data_quality add column meaning text")
        con.execute("alter table marts.data_quality add column is_of_models boolean")
        for check in quality:
            con.execute("insert into marts.data_quality values (?, ?, ?, 'odd', ?)", [*check, check[1] == "error"])
        con.execute("create or replace table marts.alerts (dedupe_key text, is_acknowledged boolean)")
        for alert in acknowledged.items():
            con.execute("insert into marts.alerts values (?, ?)", list(alert))


def standing(settings: Settings) -> list[breaches.Breach]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return breaches.standing(settings.scores, con)


def test_the_first_champion_is_exempt_and_the_next_one_waits(
    store: Store, make: Make, cli: Cli, settings: Settings
) -> None:
    said: list[str] = []
    assert promotion.admit(store, make(), AT, "level of items is in breach", said.append)
    second = make("2026-11-07")
    assert not promotion.admit(store, second, AT, "level of items is in breach", said.append)
    assert registry.champion(store, USAGE).version == "1"
    waiting = registry.find(store, USAGE, registry.CHALLENGER)
    assert waiting is not None
    assert waiting.tags["gate"] == "blocked"
    assert waiting.tags["gate_reason"] == "blocked: level of items is in breach; else: better"
    assert "not promoted (level of items is in breach); champion stays version 1" in said[0]
    assert "registry promote usage_forecast 2" in said[1]
    # it was a try: the same breach does not train again tomorrow, a week does
    scores.write(settings.scores, "feature_drift", synthetic.drifted(is_breach=True), scores.new_run())
    day = synthetic.AS_OF + timedelta(days=8)
    need = train.need(store, settings, USAGE, day)
    assert not need.due or "other features" in need.why
    assert "waits for a person" in need.why
    code, out, _ = cli(settings, "registry", "promote", "usage_forecast", "2")
    assert code == 0
    assert "usage_forecast: champion is version 2, not 1." in out
    promoted = registry.champion(store, USAGE)
    assert (promoted.tags["promoted_by"], promoted.tags["previous"]) == ("a person", "1")


def test_a_person_cannot_promote_what_could_not_serve(store: Store, make: Make) -> None:
    promotion.admit(store, make(), AT, "", lambda line: None)
    make("2026-11-07")
    with pytest.raises(CannotPromote, match="it is the champion already"):
        promotion.by_hand(store, USAGE, "1", ["mean_7_over_level"], AT)
    with pytest.raises(CannotPromote, match="no longer builds its features mean_7_over_level"):
        promotion.by_hand(store, USAGE, "2", ["another"], AT)
    assert registry.champion(store, USAGE).version == "1"


def test_what_stands_is_drift_figures_and_errors_that_nobody_acknowledged(settings: Settings) -> None:
    marts(settings, [("lines_without_invoice", "error", 3), ("negative_usage", "warning", 9), ("fine", "error", 0)], {})
    assert [one.key for one in standing(settings)] == ["data_quality:lines_without_invoice"]
    scores.write(settings.scores, "feature_drift", synthetic.drifted(is_breach=True), scores.new_run())
    found = standing(settings)
    assert breaches.reason(found, USAGE) == (
        "level of items is in breach; data quality: lines_without_invoice (3 rows)"
    )
    assert breaches.reason(found, CHURN) == "data quality: lines_without_invoice (3 rows)"
    marts(settings, [], {"drift:shape:level:items": True, "data_quality:lines_without_invoice": False})
    assert standing(settings) == []
    marts(settings, [], {"drift:shape:level:items": False})
    scores.write(settings.scores, "feature_drift", synthetic.drifted(is_breach=False), scores.new_run())
    assert standing(settings) == []  # the newest run says that it is over
