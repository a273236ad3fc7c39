"""MLflow: runs, artifacts, registered models, and the aliases `champion` and `challenger`.

A registered version is a folder: an MLflow model (`MLmodel`, loadable as `models:/<name>@champion`), the boosters as
`<head>.ubj`, and `spec.json` with all that scoring needs besides (features, bands, references).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml.errors import ArtifactIncomplete, NoChampion, RegistryUnreachable
from ml.settings import Settings, quiet_libraries

if TYPE_CHECKING:
    import xgboost
    from mlflow import MlflowClient

EXPERIMENT = "meterwise"
USAGE, CHURN = "usage_forecast", "churn_risk"
CHAMPION, CHALLENGER = "champion", "challenger"
SERVED = Path(__file__).with_name("served_baseline.py")


@dataclass(frozen=True)
class Entry:
    """A registered version as the commands need it; `tags` hold as_of, method, gate, metrics and trained_at."""

    model: str
    version: str
    source: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Candidate:
    """A fitted model to be registered. example: a few feature rows without ids; main: the booster MLflow serves."""

    model: str
    method: str
    spec: Mapping[str, Any]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    example: pd.DataFrame
    boosters: Mapping[str, xgboost.Booster]
    main: str = "mean"


def connect(settings: Settings) -> MlflowClient:
    """A client of the settings' store, made on first use (a new SQLite file takes seconds to migrate).

    Raises RegistryUnreachable with the cause.
    """
    quiet_libraries()
    settings.data.mkdir(parents=True, exist_ok=True)
    from mlflow import MlflowClient

    try:
        client = MlflowClient(settings.tracking_uri, settings.tracking_uri)
        client.search_registered_models(max_results=1)
    except Exception as error:  # MLflow passes on whatever its store raises: SQLAlchemy, requests, OSError
        raise RegistryUnreachable(settings.tracking_uri, f"{type(error).__name__}: {_first_line(error)}") from error
    return client


def find(client: MlflowClient, model: str, alias: str = CHAMPION) -> Entry | None:
    """The version that carries `alias`, or None."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_model_version_by_alias(model, alias)
    except MlflowException:
        return None
    return Entry(model, str(found.version), found.source, dict(found.tags))


def entries(client: MlflowClient) -> list[tuple[Entry, list[str]]]:
    """Every registered version with its aliases, newest first within a model."""
    listed = []
    for registered in sorted(client.search_registered_models(), key=lambda one: one.name):
        aliases: dict[str, list[str]] = {}
        for alias, number in sorted(registered.aliases.items()):
            aliases.setdefault(str(number), []).append(alias)
        versions = client.search_model_versions(f"name='{registered.name}'")
        for one in sorted(versions, key=lambda found: -int(found.version)):
            number = str(one.version)
            listed.append((Entry(one.name, number, one.source, dict(one.tags)), aliases.get(number, [])))
    return listed


def register(client: MlflowClient, settings: Settings, candidate: Candidate, *aliases: str) -> Entry:
    """Track a run, store the model's files, register a version with its tags, then move the aliases to it."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = experiment.experiment_id if experiment else _new_experiment(client, settings)
    run = client.create_run(experiment_id, run_name=f"{candidate.model}-{candidate.method}", tags=dict(candidate.tags))
    run_id = run.info.run_id
    for name, value in candidate.metrics.items():
        client.log_metric(run_id, name, value)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        _save(candidate, folder)
        client.log_artifacts(run_id, str(folder), "model")
    if not client.search_registered_models(f"name='{candidate.model}'"):
        client.create_registered_model(candidate.model)
    source = f"{run.info.artifact_uri}/model"
    made = client.create_model_version(candidate.model, source, run_id, tags=dict(candidate.tags))
    client.set_terminated(run_id)
    for alias in aliases:
        client.set_registered_model_alias(candidate.model, alias, made.version)
    return Entry(candidate.model, str(made.version), source, dict(candidate.tags))


@contextmanager
def files(entry: Entry, tracking_uri: str) -> Iterator[Path]:
    """The version's folder on this machine, fetched if it lives elsewhere."""
    local = Path(entry.source.removeprefix("file://"))
    if local.is_dir():
        yield local
        return
    import mlflow

    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = mlflow.artifacts.download_artifacts(
                artifact_uri=entry.source, dst_path=scratch, tracking_uri=tracking_uri
            )
        except (
            Exception
        ) as error:  # a missing folder, a refused connection, a store's own error: all mean the same here
            raise ArtifactIncomplete(entry.model, entry.version, f"files at {entry.source}") from error
        yield Path(found)


def read_spec(entry: Entry, folder: Path) -> dict[str, Any]:
    """`spec.json` of a version. Raises ArtifactIncomplete."""
    try:
        spec: dict[str, Any] = json.loads((folder / "spec.json").read_text())
    except (OSError, ValueError) as error:
        raise ArtifactIncomplete(entry.model, entry.version, "spec.json") from error
    return spec


def read_booster(entry: Entry, folder: Path, head: str, threads: int) -> xgboost.Booster:
    """One fitted head of a version. Raises ArtifactIncomplete."""
    import xgboost

    try:
        return xgboost.Booster({"nthread": threads}, model_file=str(folder / f"{head}.ubj"))
    except xgboost.core.XGBoostError as error:
        raise ArtifactIncomplete(entry.model, entry.version, f"{head}.ubj") from error


def champion(client: MlflowClient, model: str) -> Entry:
    """The serving version. Raises NoChampion."""
    found = find(client, model)
    if found is None:
        raise NoChampion(model)
    return found


def _new_experiment(client: MlflowClient, settings: Settings) -> str:
    # Without a location MLflow would drop ./mlruns into the working folder; a server keeps artifacts itself.
    local = settings.tracking_uri.startswith("sqlite:")
    made: str = client.create_experiment(EXPERIMENT, artifact_location=str(settings.artifacts) if local else None)
    return made


def _save(candidate: Candidate, folder: Path) -> None:
    """Write the MLflow model, then the other files beside it. Requirements are given: inferring them takes 20 s."""
    from mlflow.models import infer_signature

    example = candidate.example.astype("float64")
    pinned = [f"{name}=={installed(name)}" for name in ("numpy", "pandas")]
    if candidate.boosters:
        import mlflow.xgboost

        signature = infer_signature(example, pd.DataFrame({"prediction": [0.0]}))
        pinned.append(f"xgboost-cpu=={installed('xgboost-cpu')}")
        mlflow.xgboost.save_model(
            candidate.boosters[candidate.main],
            folder,
            signature=signature,
            input_example=example,
            pip_requirements=pinned,
        )
    else:
        import mlflow.pyfunc

        signature = infer_signature(example, pd.DataFrame({"prediction": [0.0]}))
        with tempfile.TemporaryDirectory() as scratch:
            spec = Path(scratch) / "spec.json"
            spec.write_text(json.dumps(candidate.spec))
            mlflow.pyfunc.save_model(
                folder,
                python_model=str(SERVED),
                artifacts={"spec": str(spec)},
                signature=signature,
                input_example=example,
                pip_requirements=pinned,
            )
    (folder / "spec.json").write_text(json.dumps(candidate.spec, sort_keys=True))
    for head, booster in candidate.boosters.items():
        booster.save_model(folder / f"{head}.ubj")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"
