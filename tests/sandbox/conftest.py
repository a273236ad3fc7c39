"""Servers and stores for tests: an empty account, or a small seeded company, each shared or of one's own."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from stripe import StripeClient

from sandbox import objects, runner, state
from sandbox.clock import DAY, WORLD_END
from sandbox.events import plain
from sandbox.store import Store

CUSTOMERS, MONTHS, SEED = 40, 8, 7
KEY = "sk_test_sandbox"
COUNT = 25  # customers of `stocked`


@dataclass
class Sandbox:
    """A running server: its URL, its folder, and two ways to talk to it."""

    url: str
    data: Path

    @property
    def stripe(self) -> StripeClient:
        """The official SDK with a key that may do everything."""
        return self.client(KEY)

    def client(self, key: str, retries: int = 0) -> StripeClient:
        """The official SDK with a key."""
        return StripeClient(key, base_addresses={"api": self.url}, max_network_retries=retries)

    def get(self, path: str, key: str = KEY, **params: Any) -> requests.Response:
        return self.send("GET", path, key, params=params)

    def post(self, path: str, data: Any = None, key: str = KEY, **headers: str) -> requests.Response:
        return self.send("POST", path, key, data=data or {}, headers=headers)

    def delete(self, path: str, key: str = KEY) -> requests.Response:
        return self.send("DELETE", path, key)

    def send(
        self, method: str, path: str, key: str = KEY, *, headers: dict[str, str] | None = None, **more: Any
    ) -> requests.Response:
        shown = {"Authorization": f"Bearer {key}"} | (headers or {})
        return requests.request(method, self.url + path, headers=shown, timeout=20, **more)

    def made(self, path: str, data: Any = None, **headers: str) -> dict[str, Any]:
        """The object that a POST makes or changes; fails the test if it is refused."""
        answer = self.post(path, data, **headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def hidden(self, route: str, given: Any) -> Any:
        """POST JSON to a route under /_sandbox/."""
        answer = requests.post(f"{self.url}/_sandbox/{route}", json=given, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, match: str, kind: str, **more: Any) -> None:
        self.hidden("faults", {"match": match, "kind": kind, **more})

    def advance(self, days: int = 0, **more: Any) -> None:
        self.hidden("advance", {"days": days, **more})


def running(data: Path, *options: str) -> Iterator[Sandbox]:
    """A server on a state folder, stopped when the fixture ends."""
    server, url = runner.start_server(data, *options)
    try:
        yield Sandbox(url, data)
    finally:
        runner.stop_server(server)


def _seed_once(tmp_path_factory: pytest.TempPathFactory, name: str, **options: Any) -> Path:
    folder = tmp_path_factory.mktemp(name) / "sandbox"
    folder.mkdir()
    state.seed(folder, customers=CUSTOMERS, months=MONTHS, seed=SEED, **options)
    return folder


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of an account that holds nothing. Copy it before you change it."""
    return _seed_once(tmp_path_factory, "empty", empty=True)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a company that nobody changes."""
    return _seed_once(tmp_path_factory, "seeded")


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty account of one's own, in this process."""
    shutil.copytree(empty, tmp_path / "alone")
    opened = state.open_store(tmp_path / "alone")
    yield opened
    opened.db.close()


@pytest.fixture(scope="session")
def company(seeded: Path) -> Iterator[Store]:
    """The seeded store, to be read only."""
    opened = state.open_store(seeded, read_only=True)
    yield opened
    opened.db.close()


@pytest.fixture
def copy(seeded: Path, tmp_path: Path) -> Path:
    """A state folder of one's own, with the seeded company."""
    return Path(shutil.copytree(seeded, tmp_path / "sandbox"))


@pytest.fixture(scope="module")
def account(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A server on an empty account, shared by a module's tests: each builds the catalogue and customers it needs."""
    data = tmp_path_factory.mktemp("account")
    shutil.copytree(empty, data / "sandbox")
    yield from running(data)


@pytest.fixture(scope="module")
def stocked(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A server on an account with 25 customers, and one each of what embeds, hides or names something."""
    data = tmp_path_factory.mktemp("stocked")
    shutil.copytree(empty, data / "sandbox")
    store = state.open_store(data / "sandbox")
    with store.transaction():
        for number in range(COUNT):
            # five share a second, so that paging has to tell them apart by more than the time
            at = WORLD_END - DAY + number // 5
            objects.create(store, "customer", id=f"cus_{number}", email=f"{number}@x.example", created=at)
        objects.create(store, "test_helpers.test_clock", id="clock_1", frozen_time=WORLD_END)
        objects.create(store, "customer", id="cus_clock", test_clock="clock_1")
        objects.create(store, "quote", id="qt_clock", customer="cus_clock", test_clock="clock_1")
        objects.create(store, "product", id="prod_1", name="Calls")
        tiers = [{"up_to": None, "unit_amount": 5}]
        price = objects.create(store, "price", id="price_1", product="prod_1", currency="usd", tiers=tiers)
        items = [
            objects.shape("subscription_item", id=f"si_{n}", price=plain(price), subscription="sub_1")
            for n in range(12)
        ]
        listed = {"object": "list", "data": items, "has_more": False, "url": "/v1/subscription_items"}
        fields: Any = {"customer": "cus_3", "latest_invoice": "in_1", "items": listed, "status": "active"}
        objects.create(store, "subscription", id="sub_1", **fields)
        objects.create(
            store, "subscription", id="sub_gone", **fields | {"status": "canceled", "items": listed | {"data": []}}
        )
        lines = [objects.shape("line_item", id=f"il_{n}", amount=n, invoice="in_1") for n in range(12)]
        listed = {"object": "list", "data": lines, "has_more": False, "url": "/v1/invoices/in_1/lines"}
        parent = {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}}
        invoice = objects.create(store, "invoice", id="in_1", customer="cus_3", lines=listed, status="paid")
        store.put(invoice | {"parent": parent})
        objects.create(store, "payment_intent", id="pi_1", customer="cus_3", amount=66, currency="usd")
        payment = {"type": "payment_intent", "payment_intent": "pi_1"}
        objects.create(store, "invoice_payment", id="inpay_1", invoice="in_1", payment=payment, status="paid")
    store.db.close()
    yield from running(data)


@pytest.fixture(scope="session")
def reading(seeded: Path) -> Iterator[Sandbox]:
    """A server on the seeded company that tests only read from."""
    yield from running(seeded.parent)


@pytest.fixture(scope="module")
def sandbox(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A server whose company a module's tests may change: each takes customers of its own."""
    data = tmp_path_factory.mktemp("running")
    shutil.copytree(seeded, data / "sandbox")
    yield from running(data)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """For commands run as a user would, with a state folder of their own."""
    return os.environ | {"METERWISE_DATA": str(tmp_path / "data")}
