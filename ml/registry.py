"""MLflow: runs, artifacts, registered versions, and the aliases `champion` and `challenger`.

A registered version is a folder: an MLflow model (`MLmodel`, loadable as `models:/<name>@champion`), the boosters as
`<head>.ubj`, and `spec.json` with all that scoring needs besides (features, recipe, bands, references).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml import warehouse
from ml.artifacts import Candidate
from ml.errors import ArtifactIncomplete, NoChampion, RegistryUnreachable
from ml.settings import Settings, quiet_libraries

if TYPE_CHECKING:
    import pandas as pd
    import xgboost
    from mlflow import MlflowClient

EXPERIMENT = "meterwise"
USAGE, CHURN = "usage_forecast", "churn_risk"
CHAMPION, CHALLENGER = "champion", "challenger"
# MLflow's own 7 retries of 120 seconds are meant for a long training; here a server that is gone is one error.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
LONGEST_NAME = 100  # of the accounts in a registered name; MLflow's own limit is 255
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # a missing model, version; a missing alias


@dataclass(frozen=True)
class Store:
    """An open registry. suffix: what sets this company's registered names apart on a store it shares, else ""."""

    client: MlflowClient
    uri: str
    suffix: str = ""

    def name(self, model: str) -> str:
        """The registered name of one of our models."""
        return model + self.suffix


@dataclass(frozen=True)
class Entry:
    """A registered version as the commands need it; `tags` hold as_of, method, gate, metrics and trained_at.

    model: our name of it, as in score tables; name: the registered one, with the company's suffix on a shared store.
    """

    model: str
    version: str
    source: str
    tags: Mapping[str, str]
    name: str = ""


def connect(settings: Settings, suffix: str | None = None) -> Store:
    """Open the settings' store, made on first use (a new SQLite file takes seconds to migrate).

    suffix: default is "" for the state folder's own database, else the warehouse's accounts. Raises RegistryUnreachable
    with the cause after seconds, and what reading the accounts raises.
    """
    quiet_libraries()
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    settings.data.mkdir(parents=True, exist_ok=True)
    if suffix is None:
        suffix = "" if is_own(settings) else "-" + company(settings)
    from mlflow import MlflowClient

    with reached(settings.tracking_uri):
        client = MlflowClient(settings.tracking_uri, settings.tracking_uri)
        client.search_registered_models(max_results=1)
    return Store(client, settings.tracking_uri, suffix)


def is_own(settings: Settings) -> bool:
    """Whether the registry is the state folder's own SQLite file, which no other company uses."""
    return settings.tracking_uri == f"sqlite:///{settings.data / 'mlflow.db'}"


def company(settings: Settings) -> str:
    """The warehouse's account ids, joined; a short hash of them if that is longer than a name may be."""
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        joined = "-".join(warehouse.accounts(connection))
    return joined if len(joined) <= LONGEST_NAME else hashlib.sha256(joined.encode()).hexdigest()[:16]


@contextmanager
def reached(uri: str) -> Iterator[None]:
    """Whatever MLflow passes on from its store (SQLAlchemy, requests, OSError) becomes RegistryUnreachable."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        lines = str(error).strip().splitlines() or ["no message"]
        raise RegistryUnreachable(uri, f"{type(error).__name__}: {lines[0][:200]}") from error


def find(store: Store, model: str, alias: str = CHAMPION) -> Entry | None:
    """The version that carries `alias`, or None. Raises RegistryUnreachable: a store that is gone is no empty one."""
    from mlflow.exceptions import MlflowException

    with reached(store.uri):
        try:
            return _entry(store, store.client.get_model_version_by_alias(store.name(model), alias))
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise


def version(store: Store, model: str, number: str) -> Entry | None:
    """One version by its number, or None."""
    from mlflow.exceptions import MlflowException

    with reached(store.uri):
        try:
            return _entry(store, store.client.get_model_version(store.name(model), number))
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise


def entries(store: Store) -> list[tuple[Entry, list[str]]]:
    """Every registered version of ours with its aliases, newest first within a name; all companies' without suffix."""
    listed = []
    with reached(store.uri):
        for registered in sorted(store.client.search_registered_models(), key=lambda one: str(one.name)):
            if not registered.name.startswith((USAGE, CHURN)) or not registered.name.endswith(store.suffix):
                continue
            aliases: dict[str, list[str]] = {}
            for alias, number in sorted(registered.aliases.items()):
                aliases.setdefault(str(number), []).append(alias)
            versions = store.client.search_model_versions(f"name='{registered.name}'")
            for one in sorted(versions, key=lambda found: -int(found.version)):
                listed.append((_entry(store, one), aliases.get(str(one.version), [])))
    return listed


def register(store: Store, settings: Settings, candidate: Candidate, alias: str | None = CHALLENGER) -> Entry:
    """Track a run, store the model's files, register a version with its tags, and last of all move `alias` to it.

    So a run that is killed at any point leaves no alias on half a version. Raises RegistryUnreachable.
    """
    client, name = store.client, store.name(candidate.model)
    with reached(store.uri):
        experiment = client.get_experiment_by_name(EXPERIMENT)
        experiment_id = experiment.experiment_id if experiment else _new_experiment(client, settings)
        run = client.create_run(experiment_id, run_name=f"{name}-{candidate.method}", tags=dict(candidate.tags))
        run_id = run.info.run_id
        try:
            candidate.log(client, run_id)
            if not client.search_registered_models(f"name='{name}'"):
                client.create_registered_model(name)
            source = f"{run.info.artifact_uri}/model"
            card = candidate.card or None
            made = client.create_model_version(name, source, run_id, tags=dict(candidate.tags), description=card)
        except BaseException:
            with suppress(Exception):  # the first error is the one to tell
                client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id)
        if alias:
            client.set_registered_model_alias(name, alias, made.version)
    return Entry(candidate.model, str(made.version), source, dict(candidate.tags), name)


@contextmanager
def files(entry: Entry, tracking_uri: str) -> Iterator[Path]:
    """The version's folder on this machine, fetched if it lives elsewhere. Raises ArtifactIncomplete."""
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
        except Exception as error:  # a missing folder, a refused connection, a store's own error: all the same here
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


def read_frame(entry: Entry, folder: Path, name: str) -> pd.DataFrame:
    """One table kept with a version. Raises ArtifactIncomplete."""
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(folder / f"{name}.parquet")
    except (OSError, pa.ArrowException) as error:
        raise ArtifactIncomplete(entry.model, entry.version, f"{name}.parquet") from error


def champion(store: Store, model: str) -> Entry:
    """The serving version. Raises NoChampion."""
    found = find(store, model)
    if found is None:
        raise NoChampion(model)
    return found


def _entry(store: Store, found: Any) -> Entry:
    model = CHURN if found.name.startswith(CHURN) else USAGE
    return Entry(model, str(found.version), found.source, dict(found.tags), found.name)


def _new_experiment(client: MlflowClient, settings: Settings) -> str:
    # Without a location MLflow would drop ./mlruns into the working folder; a server keeps artifacts itself.
    served = settings.tracking_uri.startswith(("http:", "https:"))
    made: str = client.create_experiment(EXPERIMENT, artifact_location=None if served else str(settings.artifacts))
    return made
