"""Fixtures shared by the packages' tests: a small company, taken through the loop once a session."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.commands import module, run
from tests.parsed import hand_on

# Small enough for seconds, large enough that each model has something to learn and every recommendation occurs.
SMALL_COMPANY = ("--customers", "60", "--months", "14", "--seed", "7")


# Files are spread over two workers (--dist loadfile); the long ones begin first, so that none is left over at the end.
LONG_FIRST = ("end_to_end/test_run", "dbt_project/", "end_to_end/", "notebooks/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by LONG_FIRST; the order inside a file stays."""

    def rank(item: pytest.Item) -> int:
        return next((place for place, part in enumerate(LONG_FIRST) if part in item.nodeid), len(LONG_FIRST))

    items.sort(key=rank)


@contextmanager
def made_once(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, bool]]:
    """A folder that all workers of this session share, and whether it is still to be filled; one fills at a time."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = shared / f"{name}.done"
        yield shared / name, not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def seeded_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that holds nothing but the small company. Copy it before you change it."""
    with made_once(tmp_path_factory, "seeded") as (data, is_new):
        if is_new:
            seeded = module(data, "sandbox", "seed", *SMALL_COMPANY)
            assert seeded.returncode == 0, seeded.stderr
    return data


@pytest.fixture(scope="session")
def first_run(seeded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The small company after one `make run`: its state folder and what was printed. Copy it before you change it."""
    with made_once(tmp_path_factory, "first") as (data, is_new):
        if is_new:
            shutil.copytree(seeded_data, data, dirs_exist_ok=True)
            hand_on(data)
            done = run(["make", "run"], data)
            assert done.returncode == 0, done.stderr
            (data / "printed.txt").write_text(done.stdout)
    return data, (data / "printed.txt").read_text()


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a new machine after `make docs`: dbt's page and the manifest it was made from."""
    with made_once(tmp_path_factory, "documented") as (data, is_new):
        if is_new:
            done = run(["make", "docs"], data)
            assert done.returncode == 0, done.stdout + done.stderr
    return data


@pytest.fixture(scope="session")
def manifest(documented: Path) -> dict[str, Any]:
    """dbt's manifest of the project."""
    return dict(json.loads((documented / "docs" / "dbt" / "manifest.json").read_text()))


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Copy a state folder, so that a test may change it."""

    def copied(data: Path) -> Path:
        copy = Path(shutil.copytree(data, tmp_path / "data"))
        hand_on(copy)
        return copy

    return copied
