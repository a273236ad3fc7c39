"""The environment, read once into a frozen value and passed in from there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ml.errors import BadSetting


@dataclass(frozen=True)
class Settings:
    """Where things are and how much of the machine to use.

    data: the state folder (METERWISE_DATA), absolute. destination: the warehouse's path where it is not in there
    (DESTINATION__DUCKDB__CREDENTIALS). tracking_uri: MLflow's store
    (MLFLOW_TRACKING_URI; by default a SQLite file in the state folder). threads: of xgboost and DuckDB.
    """

    data: Path
    tracking_uri: str
    threads: int
    destination: Path | None = None

    @property
    def warehouse(self) -> Path:
        return self.destination or self.data / "warehouse.duckdb"

    @property
    def scores(self) -> Path:
        return self.data / "scores"

    @property
    def artifacts(self) -> Path:
        return self.data / "mlflow-artifacts"


def from_env() -> Settings:
    """Read METERWISE_DATA, DESTINATION__DUCKDB__CREDENTIALS, MLFLOW_TRACKING_URI and METERWISE_THREADS.

    Raises BadSetting if METERWISE_THREADS is not a whole number of at least 1.
    """
    data = Path(os.environ.get("METERWISE_DATA") or "data").absolute()
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{data / 'mlflow.db'}"
    threads = os.environ.get("METERWISE_THREADS") or "2"
    if not threads.isdigit() or int(threads) < 1:
        raise BadSetting(f"METERWISE_THREADS is {threads!r}; it must be a whole number of at least 1.")
    destination = os.environ.get("DESTINATION__DUCKDB__CREDENTIALS", "").removeprefix("duckdb:///")
    return Settings(data, uri, int(threads), Path(destination).absolute() if destination else None)


def quiet_libraries() -> None:
    """Turn telemetry, idle spinning and chatter off; must run before mlflow or xgboost is imported."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # a migration or a missing pip is no news to a user
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
