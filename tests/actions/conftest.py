"""A desk to act from: a published warehouse, a ledger, and a loopback Stripe that fails on demand."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from click.testing import Result as Ran

from actions.apply import Runner
from actions.approval import approve
from actions.audit import verify
from actions.cli import cli
from actions.clock import Clock
from actions.guard import only_runner, retry
from actions.ledger import Ledger, no_point, open_or_create
from actions.plan import Report, make_plans
from actions.policy import Policy, read_policy
from actions.port import StripeReader, StripeWriter
from actions.publication import read_publication
from actions.record import Result
from actions.settings import Settings
from actions.state import Action, Actor, choose, load, overview
from tests.actions.fault_server import ACCOUNT, CUSTOMER, STALL_S, SUBSCRIPTION, World, serving

WALL_US = 1_790_000_000_000_000  # September 2026; far from the sandbox's clock, as in life
ME = Actor("ada", "os_user")
COLUMNS = """
account_id varchar, recommendation_id varchar, livemode boolean, kind varchar, customer_id varchar,
customer_tier varchar, segment varchar, subscription_id varchar, source_event_id varchar, subject_id varchar,
target_key varchar, period varchar,
currency varchar, amount_minor bigint, pct_change decimal(18, 6), margin decimal(18, 6), params varchar,
precondition varchar, reason varchar, evidence varchar, model_version varchar, expected_value_minor bigint,
expected_value_low_minor bigint, expected_value_high_minor bigint, confidence double, risk_score double,
expires_at timestamp, is_held_back boolean, as_of date
"""
PUBLICATION = """run_id varchar, published_at timestamp, as_of date, account_id varchar, livemode boolean,
dbt_invocation_id varchar"""
HELD = {"customer": CUSTOMER, "currency": "usd", "livemode": False}
ITEMS = [{"id": "si_1", "price": "price_1", "quantity": 3}, {"id": "si_2", "price": "price_2", "quantity": None}]
ON = HELD | {"subscription": SUBSCRIPTION, "subscription_status": "active", "items": ITEMS}
_ids = itertools.count(1)


def recommendation(row_kind: str, sent: dict[str, Any], held: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row of marts.recommendations with its own id."""
    row = {
        "account_id": ACCOUNT, "recommendation_id": f"h1:{next(_ids):032x}", "livemode": False, "kind": row_kind,
        "customer_id": held["customer"], "subscription_id": held.get("subscription"),
        "currency": held["currency"], "amount_minor": 1200, "params": json.dumps(sent),
        "precondition": json.dumps(held), "reason": f"Ada Lovelace Ltd should get a {row_kind}", "evidence": "{}",
        "model_version": "3", "expected_value_minor": 900, "expires_at": "2026-11-14 00:00:00", "is_held_back": False,
        "as_of": date(2026, 10, 31),
    }  # fmt: skip
    return row | more


def credit(**more: Any) -> dict[str, Any]:
    params = {"amount": -1200, "currency": "usd", "customer": CUSTOMER, "description": "Courtesy credit"}
    return recommendation("courtesy_credit", params, HELD, **more)


def upgrade(**more: Any) -> dict[str, Any]:
    items = [{"id": "si_1", "price": "price_11"}, {"id": "si_2", "price": "price_12"}]
    params = {"items": items, "proration_behavior": "none", "subscription": SUBSCRIPTION}
    return recommendation("tier_upgrade", params, ON, **more)


def offer(**more: Any) -> dict[str, Any]:
    params = {"discounts": [{"coupon": "RETAIN20"}], "subscription": SUBSCRIPTION}
    return recommendation("retention_offer", params, ON, **more)


KINDS: dict[str, Callable[..., dict[str, Any]]] = {"credit": credit, "upgrade": upgrade, "offer": offer}


def publish(settings: Settings, *rows: dict[str, Any], run_id: str = "run-1", account: str = ACCOUNT) -> None:
    """A published file as the contract has it."""
    settings.published.parent.mkdir(parents=True, exist_ok=True)
    settings.published.unlink(missing_ok=True)
    with duckdb.connect(str(settings.published)) as db:
        db.execute("create schema marts; create schema meta")
        db.execute(f"create table marts.recommendations ({COLUMNS})")
        db.execute(f"create table meta.publication ({PUBLICATION})")
        db.execute("create table marts.dim_customers (account_id varchar, customer_id varchar)")
        for row in rows:
            marks = ", ".join("?" * len(row))
            db.execute(f"insert into marts.recommendations ({', '.join(row)}) values ({marks})", list(row.values()))
        livemode = bool(rows[0]["livemode"]) if rows else False
        values = [run_id, "2026-11-01 06:00:00", date(2026, 10, 31), account, livemode, "invocation"]
        db.execute("insert into meta.publication values (?, ?, ?, ?, ?, ?)", values)


@dataclass
class Desk:
    """A ledger beside a loopback Stripe. Time stands still but for sleeps, which take none."""

    settings: Settings
    world: World
    now_us: int = WALL_US
    slept: list[float] = field(default_factory=list)
    runner: type[Runner] = Runner
    rules: Policy | None = None  # None: policy.toml as it is

    @property
    def clock(self) -> Clock:
        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.now_us += int(seconds * 1_000_000)

        return Clock(lambda: self.now_us, sleep)

    def publish(self, *rows: dict[str, Any], run_id: str = "run-1") -> None:
        publish(self.settings, *rows, run_id=run_id)

    def plan(self, kind: str | None = None, limit: int | None = None, expect: int | None = None) -> Report:
        found = read_publication(self.settings.published, self.clock)
        settings = self.settings
        ledger = open_or_create(settings.ledger, settings.head, self.clock, found.account_id, found.livemode, "ada")
        try:
            return make_plans(ledger, found, self.policy(), kind, limit, expect)
        finally:
            ledger.close()

    def approve(self, *actions: Action, actor: Actor = ME) -> None:
        ledger = self.ledger()
        try:
            approve(ledger, self.policy(), [action.action_id for action in actions], "agreed", actor)
        finally:
            ledger.close()

    def approved(self, *rows: dict[str, Any]) -> list[Action]:
        """Publishes, plans and approves `rows`."""
        self.publish(*rows)
        actions = [action for action, _ in self.plan().new]
        self.approve(*actions)
        return actions

    def ledger(self, point: Callable[[str], None] = no_point) -> Ledger:
        return Ledger(self.settings.ledger, self.settings.head, self.clock, point)

    def actions(self) -> list[Action]:
        ledger = self.ledger()
        try:
            return [load(ledger, action.action_id) for action in overview(ledger)]
        finally:
            ledger.close()

    def port(self, send: bool) -> StripeReader:
        return (StripeWriter if send else StripeReader)("rk_test_x", self.settings, self.clock)

    def policy(self) -> Policy:
        return self.rules or read_policy()

    def retry(self, action: Action) -> None:
        ledger = self.ledger()
        try:
            retry(ledger, action.action_id, "go on", ME)
        finally:
            ledger.close()

    def apply(
        self, send: bool = True, point: Callable[[str], None] = no_point, ids: tuple[str, ...] = ()
    ) -> list[Result]:
        """What `apply` does after the command line is read."""
        ledger = self.ledger(point)
        try:
            with only_runner(self.settings.ledger):
                runner = self.runner(ledger, self.port(send), self.policy(), ME, self.world.livemode, point)
                runner.check_account()
                return [runner.run(load(ledger, name), send) for name in choose(ledger, ids, send)]
        finally:
            ledger.close()

    def kinds(self) -> list[str]:
        """The kinds of all events but the first, in order."""
        ledger = self.ledger()
        try:
            verify(ledger)
            return [event.kind for event in ledger.events()][1:]
        finally:
            ledger.close()

    def impatient(self) -> Desk:
        """With a timeout that a stalled answer passes."""
        return replace(self, settings=replace(self.settings, timeout_s=STALL_S * 0.4))

    def copy(self, path: Path, world: World) -> Desk:
        """This desk's ledger as it is now, in another folder, before another Stripe."""
        shutil.copytree(self.settings.data, path)
        return Desk(replace(self.settings, data=path), world, self.now_us)


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: thousands of commits, each waiting for a disk, would take minutes."""
    memory = Path("/dev/shm")  # noqa: S108 - looked for, and a fresh private folder is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as path:
        yield Path(path)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    world = World()
    with serving(world) as address:
        data = tmp_path / "data"
        yield Desk(Settings(data, "rk_test_x", "rk_test_x", address, timeout_s=10, writes_per_second=0), world)


@pytest.fixture
def memory_desk(quick_path: Path) -> Desk:
    """As `desk`, without a socket: thousands of cases."""
    from tests.actions.harness import NOWHERE, MemoryDesk

    settings = Settings(quick_path / "data", "rk_test_x", "rk_test_x", NOWHERE, timeout_s=10, writes_per_second=0)
    return MemoryDesk(settings, World())


def command(desk: Desk, *arguments: str, **environ: str) -> Ran:
    """`python -m actions` in this process, with the real clock."""
    known = {
        "METERWISE_DATA": str(desk.settings.data), "STRIPE_API_BASE": desk.settings.api_base, "METERWISE_LIVE": "",
        "STRIPE_SHADOW_KEY": "rk_test_x", "STRIPE_ACTIONS_KEY": "rk_test_x", "METERWISE_WRITES_PER_SECOND": "0",
    }  # fmt: skip
    return CliRunner().invoke(cli, list(arguments), env=known | environ)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """One approved credit, by the command line."""
    desk.publish(credit())
    assert command(desk, "plan").exit_code == 0
    short = command(desk, "show").output.splitlines()[1].split()[0]
    assert command(desk, "approve", short, "--reason", "agreed").exit_code == 0
    return desk
