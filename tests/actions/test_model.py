"""Anything in any order: plans, people, policy, halts, time, Stripe and crashes, beside a model of what may be sent."""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actions.approval import approve, decline
from actions.audit import verify
from actions.clock import HOUR_US, SECOND_US
from actions.errors import ActionError, LedgerBehind
from actions.guard import halt, resume, retry
from actions.ledger import open_or_create
from actions.plan import make_plans
from actions.publication import Publication, read_publication
from actions.settings import Settings
from tests.actions.conftest import ME, publish
from tests.actions.fault_server import ACCOUNT, World
from tests.actions.faults import FAULTS
from tests.actions.harness import NOWHERE, Crash, DiesAt, MemoryDesk, come_back, default_policy, rerun_until_settled
from tests.actions.rows import courtesy, label, quote

NAMES = range(3)  # a credit and a label for one customer, a quote for another
names = st.sampled_from(NAMES)
INTENTS = "SELECT seq, action_id, recommendation_id, step, idempotency_key FROM event WHERE kind = 'intent'"
ENDS = "FROM event WHERE kind IN ('outcome', 'reconciled')"
FACTS = [("currency", "jpy"), ("currency", "usd"), ("currency", "usd"), ("deleted", True), ("deleted", False)]


@cache
def published() -> Publication:
    """The three recommendations as the runner reads them."""
    with tempfile.TemporaryDirectory() as folder:
        at = Settings(Path(folder))
        publish(at, courtesy(1), label(1), quote(2))
        found = read_publication(at.published, MemoryDesk(at, World()).clock)
    order = {kind: place for place, kind in enumerate(("courtesy_credit", "metadata_change", "upgrade_quote"))}
    return replace(found, recommendations=sorted(found.recommendations, key=lambda row: order[row["kind"]]))


def revised(row: dict[str, Any], version: int, period: int) -> dict[str, Any]:
    """The recommendation of a period, with one set of parameters for each version."""
    params = json.loads(row["params"])
    if row["kind"] == "courtesy_credit":
        params["amount"] = -1200 - version
        row = row | {"amount_minor": 1200 + version}
    elif row["kind"] == "metadata_change":
        params["metadata"] = {"segment": f"v{version}"}
    else:
        params["line_items"][0]["quantity"] = 3 + version
    name = row["recommendation_id"]
    name = f"{name[:-8]}{period:04x}{name[-4:]}"
    return row | {"params": json.dumps(params), "recommendation_id": name}


class Desks(RuleBasedStateMachine):
    """The model: what people said of which plan, until when and under which policy; what is there in Stripe."""

    @initialize()
    def begin(self) -> None:
        memory = Path("/dev/shm")  # noqa: S108 - a fresh private folder is made in it
        self.folder = tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)
        at = Settings(Path(self.folder.name), "rk_test_x", "rk_test_x", NOWHERE, timeout_s=10, writes_per_second=0)
        self.desk = MemoryDesk(at, World(), rules=default_policy())
        self.desk.world.tick = lambda: self.desk.now_us
        self.version, self.period, self.is_wanted = [0, 0, 0], [0, 0, 0], [True, True, True]
        self.newest: dict[int, str] = {}  # recommendation -> action that stands for it
        self.good_until: dict[str, int] = {}  # action -> microsecond
        self.planned_under: dict[str, str] = {}
        self.is_halted, self.ever, self.seen, self.runs = False, set[str](), 0, 0
        open_or_create(at.ledger, at.head, self.desk.clock, ACCOUNT, False, "ada").close()
        self.plan()
        self.agree_to_all()

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        self.heal()
        rerun_until_settled(self.desk)
        self.books_close()
        done = {name for (name,) in self.ask(f"SELECT action_id {ENDS}")}
        sent = {key: action for _, action, _, _, key in self.ask(INTENTS)}
        assert {sent[key] for key in self.desk.world.keys_done} <= done  # nothing that happened is unknown in the end
        self.folder.cleanup()

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the table, read past the runner."""
        with closing(sqlite3.connect(self.desk.settings.ledger)) as db:
            return db.execute(sql).fetchall()

    def heal(self) -> None:
        self.resume()
        self.desk.rules = default_policy()
        for number in (1, 2):
            self.desk.world.object(f"/v1/customers/cus_{number}").update(currency="usd", deleted=False)
        self.desk.world.faults = []
        come_back(self.desk)

    @rule(kept=st.sampled_from([[True] * 3, [False, True, True], [True, True, False]]))
    def plan(self, kept: list[bool] | None = None) -> None:
        self.is_wanted, self.runs = kept or [True] * 3, self.runs + 1
        all_rows = [revised(row, self.version[n], self.period[n]) for n, row in enumerate(published().recommendations)]
        rows, ids = (
            [row for n, row in enumerate(all_rows) if self.is_wanted[n]],
            [row["recommendation_id"] for row in all_rows],
        )
        ledger = self.desk.ledger()
        report = make_plans(
            ledger, replace(published(), run_id=f"run-{self.runs}", recommendations=rows), self.desk.policy()
        )
        ledger.close()
        for number in NAMES:
            if not self.is_wanted[number]:
                self.newest.pop(number, None)  # superseded, unless it was sent before: then it is in `ever`
        for action, _ in report.new:
            self.newest[ids.index(action.recommendation_id)] = action.action_id
            self.planned_under[action.action_id] = self.desk.policy().hash

    @rule(number=names, is_new=st.sampled_from([True, True, False]))
    def revise(self, number: int, is_new: bool) -> None:
        """Other parameters, for the same recommendation or for the next period's."""
        self.version[number] += 1
        self.period[number] += is_new
        if is_new:
            self.newest.pop(number, None)
        self.plan()

    @rule()
    def agree_to_all(self) -> None:
        for number in NAMES:
            self.decide(number, True)

    @rule(number=names, is_yes=st.sampled_from([True, True, False]))
    def decide(self, number: int, is_yes: bool) -> None:
        name, ledger = self.newest.get(number), self.desk.ledger()
        if name:
            with suppress(ActionError):  # not open any more
                if is_yes:
                    approve(ledger, self.desk.policy(), [name], "agreed", ME)
                    self.good_until[name] = self.desk.now_us + 72 * HOUR_US
                else:
                    decline(ledger, [name], "no", ME)
                    self.good_until[name] = 0
        ledger.close()

    @rule(hours=st.sampled_from([0, 1, 25]))
    def wait(self, hours: int) -> None:
        come_back(self.desk, hours)

    @rule()
    def halt(self) -> None:
        ledger = self.desk.ledger()
        halt(ledger, "wait", ME)
        ledger.close()
        self.is_halted = True

    @rule()
    def resume(self) -> None:
        ledger = self.desk.ledger()
        resume(ledger, "go on", ME)
        ledger.close()
        self.is_halted = False

    @rule(is_ours=st.booleans())
    def edit_policy(self, is_ours: bool) -> None:
        self.desk.rules = default_policy() if is_ours else replace(default_policy(), hash="h1:other")

    @rule(number=st.sampled_from([1, 2]), field=st.sampled_from(FACTS))
    def change_stripe(self, number: int, field: tuple[str, Any]) -> None:
        self.desk.world.object(f"/v1/customers/cus_{number}")[field[0]] = field[1]

    @rule()
    def retry_what_is_blocked(self) -> None:
        ledger = self.desk.ledger()
        for action in [action for action in self.desk.actions() if action.state == "blocked"]:
            retry(ledger, action.action_id, "go on", ME)
        ledger.close()

    def may_begin(self) -> set[str]:
        """Actions that the model lets go out now."""

        def fits(name: str, number: int) -> bool:
            customer = self.desk.world.object(f"/v1/customers/cus_{2 if number == 2 else 1}")
            is_there = not customer.get("deleted") and customer["currency"] == "usd"
            is_said = self.desk.now_us < self.good_until.get(name, 0)
            return is_there and is_said and self.planned_under[name] == self.desk.policy().hash

        return {name for number, name in self.newest.items() if fits(name, number)}

    @rule(faults=st.lists(st.sampled_from(["", *FAULTS]), max_size=3))
    def send_all(self, faults: list[str]) -> None:
        self.agree_to_all()
        self.send(0, faults)

    @rule(what=st.sampled_from(["halt", "policy", "late", "stale"]))
    def send_what_must_not_go(self, what: str) -> None:
        self.agree_to_all()
        if what == "halt":
            self.halt()
        elif what == "policy":
            self.edit_policy(False)
        elif what == "late":
            self.wait(73)
        else:
            self.change_stripe(1, ("currency", "jpy"))
        self.send(0, [])
        self.heal()

    @rule(n=st.integers(0, 20), faults=st.lists(st.sampled_from(["", *FAULTS]), max_size=3))
    def send(self, n: int, faults: list[str]) -> None:
        may, before, self.desk.world.faults = self.may_begin(), self.desk.world.writes, faults
        with suppress(Crash, ActionError):
            self.desk.apply(point=DiesAt(n))
        self.desk.world.faults = []
        self.desk.now_us += SECOND_US
        if self.is_halted:
            assert self.desk.world.writes == before
        begun = {action for seq, action, _, _, _ in self.ask(INTENTS) if seq > self.seen}
        assert begun - self.ever <= may
        self.ever |= begun

    @rule()
    def shadow(self) -> None:
        before = self.desk.world.writes
        with suppress(ActionError):
            self.desk.apply(send=False)
        assert self.desk.world.writes == before

    @precondition(lambda self: self.ever)
    @rule()
    def put_an_old_copy_back(self) -> None:
        """It is noticed before anything is read from it."""
        ledger, head = self.desk.settings.ledger, self.desk.settings.head
        files = {path: path.read_bytes() for path in (ledger, head)}
        with closing(sqlite3.connect(ledger, isolation_level=None)) as db:
            db.execute("DROP TRIGGER no_delete")
            db.execute("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)")
        with pytest.raises(LedgerBehind):
            self.desk.ledger()
        gc.collect()  # the connection of the ledger that did not open
        for path in ledger.parent.glob("ledger.sqlite-*"):
            path.unlink()
        for path, content in files.items():
            path.write_bytes(content)

    @invariant()
    def books_close(self) -> None:
        if not hasattr(self, "desk"):
            return
        ledger = self.desk.ledger()
        verify(ledger)
        ledger.close()
        sent = {key: (recommendation, step) for _, _, recommendation, step, key in self.ask(INTENTS)}
        [(self.seen,)] = self.ask("SELECT max(seq) FROM event")
        ends = {key for (key,) in self.ask(f"SELECT idempotency_key {ENDS}")}
        world = self.desk.world
        effects = Counter(sent[key] for key in world.keys_done.elements())  # a key without intent is an error here
        assert not effects or max(effects.values()) == 1
        assert {sent[key] for key in ends} <= set(effects)
        assert world.idempotency_errors == 0


TestDesks = Desks.TestCase
TestDesks.settings = settings(
    max_examples=int(os.environ.get("METERWISE_SOAK_EXAMPLES", "25")), stateful_step_count=30, deadline=None,
    suppress_health_check=list(HealthCheck), print_blob=True, derandomize="METERWISE_SOAK_EXAMPLES" not in os.environ,
)  # fmt: skip
