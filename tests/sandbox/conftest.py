"""A small seeded company, and servers on copies of it."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import runner, state
from sandbox.store import Store

if TYPE_CHECKING:
    import stripe

CUSTOMERS, MONTHS, SEED = 40, 8, 7


@dataclass
class Sandbox:
    """A running server: its URL, its folder, and two ways to talk to it."""

    url: str
    data: Path

    @property
    def stripe(self) -> "stripe.StripeClient":
        import stripe

        return stripe.StripeClient("rk_test_x", base_addresses={"api": self.url})

    def get(self, path: str, key: str = "rk_test_x", **params: Any) -> requests.Response:
        return requests.get(self.url + path, params=params, headers={"Authorization": f"Bearer {key}"}, timeout=20)

    def post(self, path: str, data: dict[str, Any], **headers: str) -> requests.Response:
        shown = {"Authorization": "Bearer rk_test_x", **headers}
        return requests.post(self.url + path, data=data, headers=shown, timeout=20)

    def fault(self, match: str, kind: str, **more: Any) -> None:
        rule = {"match": match, "kind": kind, **more}
        assert requests.post(f"{self.url}/_sandbox/faults", json=rule, timeout=20).status_code == 200

    def advance(self, days: int) -> None:
        assert requests.post(f"{self.url}/_sandbox/advance", json={"days": days}, timeout=60).status_code == 200


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a company that nobody changes."""
    folder = tmp_path_factory.mktemp("seeded") / "sandbox"
    folder.mkdir()
    state.seed(folder, customers=CUSTOMERS, months=MONTHS, seed=SEED)
    return folder


@pytest.fixture(scope="session")
def company(seeded: Path) -> Iterator[Store]:
    """The seeded store, to be read only."""
    store = state.open_store(seeded, read_only=True)
    yield store
    store.db.close()


@pytest.fixture
def copy(seeded: Path, tmp_path: Path) -> Path:
    """A state folder of one's own, with the seeded company."""
    return Path(shutil.copytree(seeded, tmp_path / "sandbox"))


@pytest.fixture(scope="session")
def reading(seeded: Path) -> Iterator[Sandbox]:
    """A server that tests only read from."""
    yield from _running(seeded.parent)


@pytest.fixture(scope="module")
def sandbox(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A server whose company a module's tests may change: each takes customers of its own."""
    data = tmp_path_factory.mktemp("running")
    shutil.copytree(seeded, data / "sandbox")
    yield from _running(data)


def _running(data: Path) -> Iterator[Sandbox]:
    server, url = runner.start_server(data)
    yield Sandbox(url, data)
    runner.stop_server(server)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """For commands run as a user would, with a state folder of their own."""
    return os.environ | {"METERWISE_DATA": str(tmp_path / "data")}
