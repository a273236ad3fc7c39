"""Versions, aliases and their history on a real MLflow store: promotion, rollback, comparison, interruptions."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from ml import comparison, lineage, matrix, promotion, registry, train
from ml.artifacts import Candidate
from ml.errors import CannotRollBack, NoSuchModel, RegistryUnreachable
from ml.registry import CHALLENGER, CHAMPION, CHURN, USAGE, Entry, Store
from ml.settings import Settings
from tests.ml.conftest import Cli, State

AT = datetime.fromisoformat("2026-11-01T08:00:00")
FIGURES = [
    {"metric": "wape", "segment": "all", "value": 20.0, "baseline_value": 25.0, "n": 9},
    {"metric": "wape", "segment": "plan:Pro (EU)", "value": 18.0, "baseline_value": 25.0, "n": 9},
    {"metric": "cov80", "segment": "all", "value": 0.86, "baseline_value": 0.8, "n": 9},
]


@pytest.fixture(scope="module")
def booster() -> xgboost.Booster:
    data = xgboost.DMatrix(np.arange(20.0)[:, None], label=np.arange(20.0), feature_names=["mean_7_over_level"])
    return xgboost.train({"nthread": 1, "max_depth": 2}, data, 2)


@pytest.fixture
def settings(state: State) -> Settings:
    return state()


@pytest.fixture
def store(settings: Settings) -> Store:
    return registry.connect(settings)


@pytest.fixture
def make(store: Store, settings: Settings, booster: xgboost.Booster) -> Callable[..., Entry]:
    """Registers a small model of its own as the challenger."""

    def register(as_of: str = "2026-10-31", recipe: str = "r1", wape: float = 20.0, **other: Any) -> Entry:
        made = candidate(booster, as_of, recipe, wape)
        return registry.register(store, settings, replace(made, **other))

    return register


def candidate(booster: xgboost.Booster, as_of: str, recipe: str, wape: float) -> Candidate:
    tags = {"as_of": as_of, "method": "xgboost", "gate": "passed", "gate_reason": "better", "recipe": recipe}
    figures = [{**FIGURES[0], "value": wape}, *FIGURES[1:]]
    return Candidate(
        model=USAGE,
        method="xgboost",
        spec={"method": "xgboost", "features": ["mean_7_over_level"], "recipe": {"trees": 2}, "figures": figures},
        tags={**tags, "features": lineage.fingerprint(matrix.FEATURES), "trained_at": AT.isoformat()},
        params={"trees": "2"},
        metrics=lineage.metrics(figures),
        example=pd.DataFrame({"mean_7_over_level": [1.0]}),
        boosters={"median": booster},
        main="median",
        frames={"residuals": pd.DataFrame({"1": [0.5]})},
    )


def aliases(store: Store) -> dict[str, str]:
    found = {alias: registry.find(store, USAGE, alias) for alias in (CHAMPION, CHALLENGER)}
    return {alias: entry.version for alias, entry in found.items() if entry}


def test_training_moves_the_challenger_and_only_promotion_the_champion(
    store: Store, make: Callable[..., Entry]
) -> None:
    first = make()
    assert aliases(store) == {CHALLENGER: "1"}
    promotion.promote(store, first, AT)
    second = make()
    assert aliases(store) == {CHALLENGER: "2", CHAMPION: "1"}
    promotion.promote(store, second, AT)
    champion = registry.champion(store, USAGE)
    assert (champion.version, champion.tags["previous"]) == ("2", "1")
    assert champion.tags["promoted_at"] == "2026-11-01T08:00:00"


def test_rollback_walks_back_through_the_champions_and_holds_for_a_week_of_data(
    settings: Settings, store: Store, make: Callable[..., Entry], cli: Cli
) -> None:
    for as_of in ("2026-10-10", "2026-10-17", "2026-10-31"):
        promotion.promote(store, make(as_of), AT)
    code, out, _ = cli(settings, "registry", "rollback", "usage_forecast")
    assert code == 0
    assert "champion is version 2 (xgboost, as-of 2026-10-17) again, not 3" in out
    assert "until as-of 2026-11-07" in out
    assert aliases(store)[CHAMPION] == "2"
    held = train.need(store, settings, USAGE, date(2026, 11, 6))
    assert not held.due
    assert held.why == "version 2 was rolled back to, which holds until as-of 2026-11-07"
    assert train.need(store, settings, USAGE, date(2026, 11, 7)).due
    promotion.rollback(store, USAGE, None, matrix.FEATURES, AT)
    assert aliases(store)[CHAMPION] == "1"
    with pytest.raises(CannotRollBack, match="replaced no other champion"):
        promotion.rollback(store, USAGE, None, matrix.FEATURES, AT)
    promotion.rollback(store, USAGE, "3", matrix.FEATURES, AT)
    assert aliases(store)[CHAMPION] == "3"
    with pytest.raises(CannotRollBack, match="it is the champion already"):
        promotion.rollback(store, USAGE, "3", matrix.FEATURES, AT)
    assert ["rolled back" in line for line in comparison.listing(store)[1:]] == [False, True, True]


def test_a_version_that_could_not_serve_is_not_rolled_back_to(
    settings: Settings, store: Store, make: Callable[..., Entry], booster: xgboost.Booster, cli: Cli
) -> None:
    old = candidate(booster, "2026-10-10", "r1", 20.0)
    promotion.promote(store, make(spec={**old.spec, "features": ["lag_364_over_level"]}), AT)
    promotion.promote(store, make(), AT)
    promotion.promote(store, make(), AT)
    second = registry.version(store, USAGE, "2")
    assert second is not None
    (Path(second.source) / "median.ubj").unlink()
    for arguments, why in (
        (["usage_forecast"], "version 2 cannot take over: it has no readable median.ubj"),
        (["usage_forecast", "--to", "1"], "this code no longer builds its features lag_364_over_level"),
    ):
        code, _, err = cli(settings, "registry", "rollback", *arguments)
        assert code == 6
        assert why in err
        assert err.count("\n") == 1
    shutil.rmtree(second.source)
    with pytest.raises(CannotRollBack, match="no readable files at"):
        promotion.rollback(store, USAGE, "2", matrix.FEATURES, AT)
    assert cli(settings, "registry", "rollback", "usage_forecast", "--to", "9")[0] == 2
    assert cli(settings, "registry", "rollback", "nothing")[0] == 2
    assert aliases(store)[CHAMPION] == "3"


def test_two_versions_are_compared_figure_by_figure(
    settings: Settings, store: Store, make: Callable[..., Entry], booster: xgboost.Booster, cli: Cli
) -> None:
    promotion.promote(store, make("2026-10-24"), AT)
    deeper = candidate(booster, "2026-10-31", "r2", 19.0)
    make("2026-10-31", "r2", 19.0, spec={**deeper.spec, "recipe": {"trees": 5}})
    code, out, _ = cli(settings, "registry", "compare")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["1", "(champion)", "2", "(challenger)"]
    assert ["trees", "2", "5"] in [line.split() for line in lines]
    assert ["all", "wape", "20.0000", "19.0000", "2", "better"] in [line.split() for line in lines]
    assert any(line.startswith("Held out on different days") for line in lines)
    assert any(line.startswith("Better on 0 figures: version 1; on 1: version 2") for line in lines)
    assert cli(settings, "registry", "compare", "usage_forecast", "2", "7")[0] == 2


def test_a_failed_try_of_the_champions_recipe_is_not_repeated_daily_and_another_recipe_is_no_try(
    settings: Settings, store: Store, make: Callable[..., Entry]
) -> None:
    promotion.promote(store, make("2026-10-17"), AT)
    assert train.need(store, settings, USAGE, date(2026, 10, 25)).due
    failed = candidate_tags("2026-10-25", "r1")
    make(tags=failed)
    assert not train.need(store, settings, USAGE, date(2026, 10, 26)).due
    assert "failed the gate 1 days ago" in train.need(store, settings, USAGE, date(2026, 10, 26)).why
    assert train.need(store, settings, USAGE, date(2026, 11, 1)).due
    make(tags=candidate_tags("2026-10-25", "r2"))
    assert train.need(store, settings, USAGE, date(2026, 10, 26)).due


def candidate_tags(as_of: str, recipe: str) -> dict[str, str]:
    features = lineage.fingerprint(matrix.FEATURES)
    known = {"as_of": as_of, "recipe": recipe, "gate": "failed", "method": "xgboost", "features": features}
    return {**known, "trained_at": AT.isoformat()}


@pytest.mark.parametrize("step", ["log_batch", "log_artifacts", "create_model_version", "set_registered_model_alias"])
def test_a_training_killed_at_any_step_leaves_the_champion_and_the_next_one_works(
    store: Store, make: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    promotion.promote(store, make(), AT)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store.client, step, die)
        with pytest.raises(KeyboardInterrupt):
            make()
    assert aliases(store) == {CHALLENGER: "1", CHAMPION: "1"}
    again = make()
    promotion.promote(store, again, AT)
    serving = registry.champion(store, USAGE)
    assert serving.version == again.version
    with registry.files(serving, store.uri) as folder:
        registry.read_booster(serving, folder, "median", 1)
        assert registry.read_frame(serving, folder, "residuals")["1"].tolist() == [0.5]


def test_a_promotion_killed_before_the_alias_moves_leaves_the_old_champion(
    store: Store, make: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion.promote(store, make(), AT)
    second = make()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.client, "set_registered_model_alias", die)
    with pytest.raises(KeyboardInterrupt):
        promotion.promote(store, second, AT)
    assert aliases(store)[CHAMPION] == "1"


def test_an_empty_registry_is_a_sentence_and_exit_3(settings: Settings, cli: Cli) -> None:
    for arguments in (["registry"], ["registry", "list"]):
        code, out, err = cli(settings, *arguments)
        assert (code, err) == (3, "")
        assert "Run `python -m ml train` first" in out
    assert cli(settings, "registry", "compare")[0] == 2


def test_companies_on_one_registry_have_models_of_their_own(
    settings: Settings, store: Store, booster: xgboost.Booster
) -> None:
    companies = [Store(store.client, store.uri, f"-acct_{number}") for number in (1, 2)]
    for number, own in enumerate(companies):
        made = candidate(booster, "2026-10-31", "r1", 20.0 + number)
        promotion.promote(own, registry.register(own, settings, made), AT)
    first = registry.champion(companies[0], USAGE)
    assert (first.model, first.name, first.version) == ("usage_forecast", "usage_forecast-acct_1", "1")
    assert [entry.name for entry, _ in registry.entries(companies[1])] == ["usage_forecast-acct_2"]
    assert len(registry.entries(store)) == 2
    with pytest.raises(NoSuchModel, match="usage_forecast-acct_1, usage_forecast-acct_2"):
        promotion.model_named(store, "usage_forecast")
    chosen, model = promotion.model_named(store, "usage_forecast-acct_2")
    assert (chosen.suffix, model) == ("-acct_2", USAGE)
    assert registry.find(store, CHURN) is None


def test_a_server_that_is_not_there_is_one_sentence_within_seconds(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in registry.PATIENCE:
        monkeypatch.delenv(name, raising=False)
    started = time.monotonic()
    with pytest.raises(RegistryUnreachable, match="MLFLOW_TRACKING_URI"):
        registry.connect(Settings(tmp_path, "http://127.0.0.1:9", threads=1), suffix="")
    assert time.monotonic() - started < 20
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
    for name in registry.PATIENCE:
        monkeypatch.delenv(name, raising=False)


def test_a_registry_that_dies_in_the_middle_is_not_taken_for_an_empty_one(
    store: Store, make: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion.promote(store, make(), AT)

    def gone(*_: object) -> None:
        raise ConnectionError("connection refused")

    monkeypatch.setattr(store.client, "get_model_version_by_alias", gone)
    with pytest.raises(RegistryUnreachable, match="connection refused"):
        registry.find(store, USAGE)


def test_a_run_says_where_it_came_from(store: Store, make: Callable[..., Entry]) -> None:
    make(pictures={"backtest.png": b"\x89PNG"})
    run = store.client.search_runs([store.client.get_experiment_by_name(registry.EXPERIMENT).experiment_id])[0]
    assert run.data.metrics["plan.Pro__EU_/wape"] == 18.0
    assert run.data.metrics["wape_baseline"] == 25.0
    assert run.data.params == {"trees": "2"}
    assert (Path(run.info.artifact_uri) / "plots" / "backtest.png").is_file()
    code = lineage.code()
    assert len(code["code_hash"]) == 16
    assert len(code.get("code_commit", "0" * 40)) == 40
