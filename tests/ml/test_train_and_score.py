"""The commands on a real MLflow registry: gate, aliases, replays, refusals, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ml import registry, score, scores, train, train_churn, train_usage
from ml.errors import FeaturesChanged, NoChampion, NothingToDo, RegistryUnreachable
from ml.forecast import Recipe
from ml.settings import Settings
from tests.ml import synthetic
from tests.ml.conftest import Cli, State

STAMPS = ["run_id", "scored_at"]


def newest(settings: Settings, table: str) -> pd.DataFrame:
    path = max((settings.scores / table).glob("run=*.parquet"))
    frame: pd.DataFrame = pq.read_table(path, partitioning=None).to_pandas()
    return frame.drop(columns=STAMPS)


def test_the_model_that_beats_its_baselines_is_champion_and_the_output_says_by_how_much(trained: Settings) -> None:
    entry = registry.find(registry.connect(trained), registry.USAGE)
    assert entry is not None
    assert (entry.version, entry.tags["method"], entry.tags["gate"]) == ("1", "xgboost", "passed")
    figures = json.loads(entry.tags["metrics"])
    assert figures["wape"] < figures["wape_weekday_mean"]
    assert figures["wape"] < figures["wape_baseline"]
    assert 0.7 < figures["cov80"] < 0.9
    assert entry.tags["gate_reason"] in (trained.data / "said.txt").read_text()


def test_the_champion_loads_by_alias_with_mlflow_alone(trained: Settings) -> None:
    import mlflow

    mlflow.set_tracking_uri(trained.tracking_uri)
    for name in (registry.USAGE, registry.CHURN):
        model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
        example = model.input_example
        assert not any("customer" in column or column.endswith("_id") for column in example.columns)
        assert len(model.predict(example)) == len(example)


def test_a_training_leaves_its_recipe_its_origin_and_its_pictures_in_mlflow(trained: Settings) -> None:
    store = registry.connect(trained)
    pictures = {
        registry.USAGE: {"backtest.png", "calibration.png", "importance.png"},
        registry.CHURN: {"calibration.png", "calibration_30.png", "importance.png"},
    }
    experiment = store.client.get_experiment_by_name(registry.EXPERIMENT)
    runs = {run.info.run_name.rsplit("-", 1)[0]: run for run in store.client.search_runs([experiment.experiment_id])}
    for name, expected in pictures.items():
        run = runs[name]
        assert {path.name for path in (Path(run.info.artifact_uri) / "plots").iterdir()} == expected
        assert {"data_hash", "first_origin", "as_of", "code_hash", "features", "method"} <= set(run.data.params)
        assert run.data.params["as_of"] == synthetic.AS_OF.isoformat()
        assert run.info.status == "FINISHED"
    assert {"median_rounds", "median.max_depth"} <= set(runs[registry.USAGE].data.params)
    assert "class.regular/wape" in runs[registry.USAGE].data.metrics


def test_a_worse_recipe_is_a_challenger_that_fails_and_the_champion_does_not_move(
    copied: Settings, cli: Cli, tmp_path: Path
) -> None:
    weak = tmp_path / "weak.json"
    weak.write_text(
        '{"rows": 20000, "median_rounds": 1, "mean_rounds": 1, "median": {"max_depth": 1}, "mean": {"max_depth": 1}}'
    )
    code, out, _ = cli(copied, "train", "--recipe", str(weak))
    assert code == 0
    assert "usage_forecast version 2: challenger failed the gate (" in out
    assert f"usage_forecast: champion stays version 1 (as-of {synthetic.AS_OF})" in out
    store = registry.connect(copied)
    challenger = registry.find(store, registry.USAGE, registry.CHALLENGER)
    assert challenger is not None
    assert (challenger.version, challenger.tags["gate"]) == ("2", "failed")
    assert "recipe of champion 1" in challenger.tags["gate_reason"] or "weekday_mean" in challenger.tags["gate_reason"]
    assert registry.champion(store, registry.USAGE).version == "1"
    assert train.usual(store, lambda line: None) == Recipe()
    assert cli(copied, "registry", "compare")[0] == 0


def test_a_second_training_is_not_needed_and_says_why(trained: Settings) -> None:
    said: list[str] = []
    with pytest.raises(NothingToDo, match="Nothing to train"):
        train.run(trained, None, if_needed=True, say=said.append)
    assert said == [f"{name}: not training: the champion is current." for name in ("usage_forecast", "churn_risk")]


def test_a_baseline_that_wins_is_champion_and_is_not_trained_again(state: State) -> None:
    settings = state()
    synthetic.build(settings.warehouse, usage="naive", churn="none", items=6, days=200)
    said: list[str] = []
    train.run(settings, None, if_needed=True, say=said.append)
    store = registry.connect(settings)
    found = {name: registry.champion(store, name).tags for name in (registry.USAGE, registry.CHURN)}
    assert found[registry.USAGE]["method"] in ("seasonal_naive", "weekday_mean")
    assert found[registry.CHURN]["method"] == "base_rate"
    with pytest.raises(NothingToDo):
        train.run(settings, None, if_needed=True, say=said.append)
    score.run(settings, None, said.append)
    scored = newest(settings, "usage_forecast")
    served = scored[found[registry.USAGE]["method"]]
    assert scored["yhat_median"].tolist() == pytest.approx(served.tolist())


def test_a_week_later_or_after_a_drift_training_is_needed_again(copied: Settings) -> None:
    store = registry.connect(copied)
    week = synthetic.AS_OF + timedelta(days=7)
    assert not train.need(store, copied, registry.USAGE, week - timedelta(days=1)).due
    assert train.need(store, copied, registry.USAGE, week) == train.Need(True, "the champion's as-of is 7 days old")
    scores.write(copied.scores, "feature_drift", synthetic.drifted(is_breach=True), scores.new_run())
    assert "drift was found on" in train.need(store, copied, registry.USAGE, synthetic.AS_OF).why


def test_a_training_is_told_what_stands_against_promoting_its_model(
    copied: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr(train_usage, "train", lambda *given: told.update(usage=given[-1]))
    monkeypatch.setattr(train_churn, "train", lambda *given: told.update(churn=given[-1]))
    scores.write(copied.scores, "feature_drift", synthetic.drifted(is_breach=True), scores.new_run())
    train.run(copied, None, if_needed=False, say=lambda line: None)
    assert told == {"usage": "level of items is in breach", "churn": ""}


def test_the_same_data_and_champion_give_the_same_scores(copied: Settings) -> None:
    written = ("usage_forecast", "usage_paths", "churn_risk", "churn_backtest", "revenue_trend", "model_performance")
    before = {table: newest(copied, table) for table in written}
    score.run(copied, None, lambda line: None)
    for table, frame in before.items():
        again = {"usage_paths": 3, "churn_backtest": 1}.get(table, 2)  # what was said of held-out days is written once
        assert len(list((copied.scores / table).glob("run=*.parquet"))) == again
        pd.testing.assert_frame_equal(newest(copied, table), frame, check_exact=True)


def test_scores_of_a_replayed_day_do_not_see_what_came_after_it(copied: Settings) -> None:
    replayed = synthetic.AS_OF - timedelta(days=28)
    score.run(copied, replayed, lambda line: None)
    before = {table: newest(copied, table) for table in ("usage_forecast", "revenue_trend")}
    for relation, column, values in (
        ("marts.fct_usage_daily", "usage_date", "quantity = 1e9"),
        ("features.usage_asof", "origin_date", "level = 1e9, mean_28 = 1e9, sd_28 = 1e9"),
        (
            "features.revenue_months",
            "month_start + interval 1 month - interval 1 day",
            "committed_mrr_minor = 1000000000",
        ),
    ):
        synthetic.change(copied.warehouse, f"update {relation} set {values} where {column} > '{replayed}'")
    score.run(copied, replayed, lambda line: None)
    for table, frame in before.items():
        assert set(frame["as_of"]) == {replayed}
        pd.testing.assert_frame_equal(newest(copied, table), frame, check_exact=True)


def test_young_accounts_without_a_matured_label_are_scored_without_churn(state: State) -> None:
    settings = state()
    synthetic.build(settings.warehouse, items=4, days=40, churn="unmatured")
    said: list[str] = []
    train.run(settings, None, if_needed=True, say=said.append)
    score.run(settings, None, said.append)
    assert "churn_risk: no label has matured yet, so there is nothing to learn from." in said
    assert "churn_risk: not scored, no label has matured yet." in said
    assert set(newest(settings, "usage_forecast")["method"]) == {"weekday_mean"}
    assert not (settings.scores / "churn_risk").exists()


@pytest.mark.parametrize("command", ["train", "score", "drift"])
def test_an_empty_account_writes_nothing_and_leaves_with_3(state: State, cli: Cli, command: str) -> None:
    settings = state()
    synthetic.empty(settings.warehouse)
    code, out, err = cli(settings, command)
    assert (code, err) == (3, "")
    assert "no usage and no customers" in out
    assert not settings.scores.exists()


def test_scoring_without_a_champion_leaves_with_3_and_the_next_command(state: State) -> None:
    settings = state()
    synthetic.build(settings.warehouse, items=2, days=60)
    with pytest.raises(NoChampion, match="python -m ml train"):
        score.run(settings, None, lambda line: None)
    assert not settings.scores.exists()


def test_a_locked_warehouse_leaves_with_4_and_names_the_process(copied: Settings, cli: Cli) -> None:
    holding = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holding, str(copied.warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        code, _, err = cli(copied, "score")
        holder.communicate("")
    assert code == 4
    assert f"(PID {holder.pid})" in err
    assert err.count("\n") == 1


def test_a_drifted_population_leaves_with_7_and_a_steady_one_with_0(state: State, cli: Cli) -> None:
    settings = state()
    synthetic.build(settings.warehouse, items=2, days=60, customers=220)
    assert cli(settings, "train")[0] == 0
    assert cli(settings, "drift")[0] == 0
    synthetic.change(
        settings.warehouse, "update features.customer_asof set usage_ratio_28_91 = usage_ratio_28_91 * 0.6"
    )
    code, out, _ = cli(settings, "drift")
    assert code == 7
    assert "breach: usage_ratio_28_91 of customers" in out
    assert newest(settings, "feature_drift").query("is_breach")["feature"].tolist() == ["usage_ratio_28_91"]


def test_the_registry_lists_versions_with_aliases_and_reasons(trained: Settings, cli: Cli) -> None:
    code, out, _ = cli(trained, "registry")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["model", "version", "aliases"],
        ["churn_risk", "1", "challenger,champion"],
        ["usage_forecast", "1", "challenger,champion"],
    ]


def test_a_champion_of_other_features_is_refused_and_trained_again(copied: Settings) -> None:
    store = registry.connect(copied)
    store.client.set_model_version_tag(registry.USAGE, "1", "features", "other")
    why = "the champion was trained on other features"
    assert train.need(store, copied, registry.USAGE, synthetic.AS_OF) == train.Need(True, why)
    entry = registry.champion(store, registry.USAGE)
    with pytest.raises(FeaturesChanged, match="python -m ml train"):
        score.checked(entry, {"features": ["lag_364"]}, ("mean_7", "mean_14"))


def test_a_registry_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(tmp_path, f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}", 1)
    with pytest.raises(RegistryUnreachable, match="MLFLOW_TRACKING_URI"):
        registry.connect(settings, suffix="")


def test_a_bad_thread_count_is_a_usage_error(trained: Settings, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from ml.errors import BadSetting
    from ml.settings import from_env

    monkeypatch.setenv("METERWISE_THREADS", "many")
    with pytest.raises(BadSetting, match="METERWISE_THREADS is 'many'"):
        from_env()
