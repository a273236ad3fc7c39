"""Fixtures shared by the packages' tests: a small company, taken through the loop once a session."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import module, run

# Small enough for seconds, large enough that each model has something to learn and every recommendation occurs.
SMALL_COMPANY = ("--customers", "60", "--months", "14", "--seed", "7")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread files, not single tests, over the workers; what needs the finished run stays on one, and starts first."""

    def needs_run(item: pytest.Item) -> bool:
        return "first_run" in getattr(item, "fixturenames", ())

    items.sort(key=needs_run, reverse=True)
    for item in items:
        item.add_marker(pytest.mark.xdist_group("run" if needs_run(item) else item.path.name))


@pytest.fixture(scope="session")
def seeded_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that holds nothing but the small company. Copy it before you change it."""
    data = tmp_path_factory.mktemp("seeded")
    seeded = module(data, "sandbox", "seed", *SMALL_COMPANY)
    assert seeded.returncode == 0, seeded.stderr
    return data


@pytest.fixture(scope="session")
def first_run(seeded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The small company after one `make run`: its state folder and what was printed. Copy it before you change it."""
    data = tmp_path_factory.mktemp("first") / "data"
    shutil.copytree(seeded_data, data)
    done = run(["make", "run"], data)
    assert done.returncode == 0, done.stderr
    return data, done.stdout


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Copy a state folder, so that a test may change it."""

    def copied(data: Path) -> Path:
        return Path(shutil.copytree(data, tmp_path / "data"))

    return copied
