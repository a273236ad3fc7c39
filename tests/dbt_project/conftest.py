"""The small company, loaded and modelled once for the tests that only look at it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.commands import dbt, in_sandbox


@pytest.fixture(scope="session")
def modelled_company(seeded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder after the load and the first dbt pass, every test of the pass included. Copy before changing."""
    data = tmp_path_factory.mktemp("modelled") / "data"
    shutil.copytree(seeded_data, data)
    loaded = in_sandbox(data, "dlt_pipelines", "load")
    assert loaded.returncode == 0, loaded.stderr
    built = dbt(data, "build", "--exclude", "tag:after_ml")
    assert built.returncode == 0, built.stdout
    return data
