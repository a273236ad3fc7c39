"""State folders with a synthetic warehouse; MLflow is real, on SQLite, migrated once for the whole session."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ml import registry, score, train
from ml.settings import Settings
from tests.ml import synthetic

Cli = Callable[..., tuple[int, str, str]]
State = Callable[[], Settings]


def settings_in(folder: Path) -> Settings:
    return Settings(folder, f"sqlite:///{folder / 'mlflow.db'}", threads=1)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database: migrating one takes seconds, copying it none."""
    settings = settings_in(tmp_path_factory.mktemp("migrated"))
    registry.connect(settings)
    return settings.data / "mlflow.db"


@pytest.fixture
def state(tmp_path: Path, migrated: Path) -> State:
    """Makes the settings of a new state folder, with an empty registry and no warehouse yet."""

    def make() -> Settings:
        folder = tmp_path / "data"
        folder.mkdir()
        shutil.copy(migrated, folder / "mlflow.db")
        return settings_in(folder)

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Settings:
    """A warehouse of 24 items and 60 customers, both models trained, scored once. Tests that change it copy it."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(migrated, folder / "mlflow.db")
    settings = settings_in(folder)
    synthetic.build(settings.warehouse)
    said: list[str] = []
    train.run(settings, None, if_needed=True, say=said.append)
    score.run(settings, None, said.append)
    (folder / "said.txt").write_text("\n".join(said))
    return settings


@pytest.fixture
def copied(trained: Settings, tmp_path: Path) -> Settings:
    """The trained state, free to change; its artifacts stay where they were registered."""
    folder = tmp_path / "copied"
    shutil.copytree(trained.data, folder, ignore=shutil.ignore_patterns("mlflow-artifacts"))
    return settings_in(folder)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs `python -m ml …` in this process; returns exit code, stdout, stderr."""
    from ml.__main__ import main

    def run(settings: Settings, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("METERWISE_DATA", str(settings.data))
        monkeypatch.setenv("METERWISE_THREADS", "1")
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.setattr(sys, "argv", ["ml", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run
