"""The small company, loaded and modelled once for the tests that only look at it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import dbt, in_sandbox
from tests.conftest import made_once
from tests.dbt_project.staged_payloads import staged_twice


@pytest.fixture(scope="session")
def modelled_company(seeded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder after the load and the first dbt pass, every test of the pass included. Copy before changing."""
    with made_once(tmp_path_factory, "modelled") as (data, is_new):
        if is_new:
            shutil.copytree(seeded_data, data)
            loaded = in_sandbox(data, "dlt_pipelines", "load")
            assert loaded.returncode == 0, loaded.stderr
            built = dbt(data, "build", "--exclude", "tag:after_ml")
            assert built.returncode == 0, built.stdout
            with closing(sqlite3.connect(data / "sandbox" / "sandbox.sqlite")) as sandbox:
                sandbox.execute("pragma journal_mode = delete")  # who reads it leaves no files that a copy would miss
    return data


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder in which dbt built staging of odd payloads after each of two loads. Copy before changing."""
    with made_once(tmp_path_factory, "staged") as (data, is_new):
        if is_new:
            staged_twice(data)
    return data
