from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dlt_pipelines.furnished import furnish
from tests.dlt_pipelines.proof import Proof, proving
from tests.dlt_pipelines.stub import StubStripe, serving


@pytest.fixture
def stub() -> Iterator[StubStripe]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder whose sandbox holds every kind of object; nothing is loaded. Copy it before you change it."""
    data = tmp_path_factory.mktemp("furnished")
    furnish(data / "sandbox")
    return data


@pytest.fixture(scope="session")
def loaded(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, loaded once. Copy it before you change it."""
    data = tmp_path_factory.mktemp("loaded")
    with proving(furnished, data) as proof:
        proof.load()
    return data


@pytest.fixture
def proof(loaded: Path, tmp_path: Path) -> Iterator[Proof]:
    """An account of one's own that holds every kind of object, loaded once."""
    with proving(loaded, tmp_path / "data") as own:
        yield own
