"""A till: executors against a sandbox of their own, over HTTP, with the real SDK and the runner's own key."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import stripe

from actions.clock import Clock
from actions.executors import for_kind
from actions.executors.base import Executor, difference
from actions.executors.shapes import check_shape
from actions.ids import canon
from actions.ledger import Event
from actions.plan import plan_undo
from actions.port import Reply, StripeWriter
from actions.settings import Settings
from actions.state import Action, Request
from sandbox import runner, state
from sandbox.hidden import ask
from tests.actions.conftest import ME, Desk, publish, recommendation
from tests.actions.fault_server import World

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"
ACCOUNT = "acct_1MeterwiseSandbox"
_numbers = itertools.count(1)


@dataclass
class Plan:
    """Steps with what they rest on, and the events of those that were sent."""

    executor: Executor
    action: Action
    held: dict[str, Any]

    @property
    def steps(self) -> list[Request]:
        return self.action.steps

    @property
    def made(self) -> dict[int, str]:
        return self.action.made


@dataclass
class Till:
    """A running sandbox that belongs to one test file; every test takes customers of its own."""

    url: str
    admin: Any  # the SDK with a key that may do everything
    port: StripeWriter  # the runner's, with the runner's permissions
    settings: Settings

    def customer(self, currency: str | None = "usd", card: str | None = GOOD) -> str:
        """With a card, and with a currency: Stripe gives it one with its first invoice item."""
        made = self.admin.v1.customers.create({})
        if card:
            self.give_card(made.id, card)
        if currency:
            self.invoice(made.id, 1000, currency, "void")
        return str(made.id)

    def give_card(self, customer: str, card: str) -> None:
        """The card that the customer pays with from now on."""
        method = self.admin.v1.payment_methods.attach(card, {"customer": customer})
        self.admin.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})

    def invoice(self, customer: str, amount: int, currency: str = "usd", status: str = "open") -> str:
        """One with a single line. status: draft, open, paid, void, uncollectible, or failed (open, tried once)."""
        v1 = self.admin.v1
        made = v1.invoices.create({"customer": customer, "currency": currency, "auto_advance": False})
        line = {"customer": customer, "invoice": made.id, "amount": amount, "currency": currency}
        v1.invoice_items.create(line)
        if status != "draft":
            v1.invoices.finalize_invoice(made.id)
        if status == "paid" and v1.invoices.retrieve(made.id).status == "open":  # else the balance paid it
            v1.invoices.pay(made.id)
        if status == "failed":
            with_decline(lambda: v1.invoices.pay(made.id))
        if status == "void":
            v1.invoices.void_invoice(made.id)
        if status == "uncollectible":
            v1.invoices.mark_uncollectible(made.id)
        return str(made.id)

    def price(self, currency: str = "usd") -> tuple[str, str]:
        """A metered price of one minor unit a piece: its id and its meter's."""
        name = f"calls_{next(_numbers)}"
        formula = {"formula": "sum"}
        meter = self.admin.v1.billing.meters.create(
            {"display_name": name, "event_name": name, "default_aggregation": formula}
        )
        recurring = {"interval": "month", "usage_type": "metered", "meter": meter.id}
        given = {"currency": currency, "unit_amount": 1, "recurring": recurring, "product_data": {"name": name}}
        return str(self.admin.v1.prices.create(given).id), str(meter.id)

    def advance(self, hours: int = 0, seconds: int = 0) -> None:
        """Moves the sandbox's clock, and with it what waits for a time."""
        ask(self.url, Path(), "POST advance", {"seconds": hours * 3600 + seconds})

    def fail(self, match: str, kind: str) -> None:
        """The next call that matches fails in this way."""
        ask(self.url, Path(), "POST faults", {"match": match, "kind": kind, "times": 1})

    def read(self, path: str) -> dict[str, Any]:
        found = self.port.read(path)
        assert found is not None, path
        return found

    def plan(self, kind: str, amount_minor: int, params: dict[str, Any], held: dict[str, Any]) -> Plan:
        """Raises BadRecommendation."""
        executor = for_kind(kind, params)
        steps = executor.plan(kind, amount_minor, params, held)
        assert executor.describe(steps, held)[-1][0] == "undo"  # a person always reads what undoing means
        return _plan(executor, steps, held)

    def undo(self, plan: Plan) -> Plan | None:
        found = plan.executor.compensate(plan.steps, plan.made, plan.held)
        return None if found is None else _plan(plan.executor, *found)

    def stale(self, plan: Plan) -> dict[str, Any]:
        """What differs between the plan and Stripe now; empty when nothing does."""
        request = plan.action.request(0)
        expected = plan.executor.expected(request, plan.held)
        return difference(expected, plan.executor.live(self.port, request, expected))

    def find(self, plan: Plan, step: int = 0) -> dict[str, Any] | None:
        return plan.executor.find(self.port, plan.action.request(step), 0)

    def post(self, plan: Plan, step: int) -> Reply:
        request = plan.action.request(step)
        check_shape(request)
        return self.port.post(request.path, request.params, f"test-{plan.action.action_id}-{step}")

    def send(self, plan: Plan, steps: int | None = None) -> Plan:
        """All steps in order, or the first ones; each is not there before, and afterwards is the object answered."""
        assert self.stale(plan) == {}
        for step in range(len(plan.steps) if steps is None else steps):
            assert self.find(plan, step) is None
            reply = self.post(plan, step)
            assert reply.status == 200, reply
            done = Event(kind="outcome", step=step, object_id=reply.body["id"], action_id=plan.action.action_id)
            plan = replace(plan, action=replace(plan.action, events=(*plan.action.events, done)))
            found = self.find(plan, step)
            assert found is not None
            assert found["id"] == reply.body["id"]
        return plan


def with_decline(call: Any) -> None:
    """Calls, and expects the card to be declined."""
    try:
        call()
    except stripe.CardError:
        return
    raise AssertionError("the card was not declined")


@contextmanager
def till_at(folder: Path) -> Iterator[Till]:
    """A server on an empty account in `folder`."""
    (folder / "sandbox").mkdir(parents=True)
    state.seed(folder / "sandbox", customers=1, months=2, seed=7, empty=True)
    server, url = runner.start_server(folder)
    try:
        key = "rk_test_sandbox_act"
        settings = Settings(folder, key, key, url, timeout_s=20, writes_per_second=0)
        admin = stripe.StripeClient("sk_test_x", base_addresses={"api": url}, max_network_retries=0)
        yield Till(url, admin, StripeWriter(key, settings, Clock()), settings)
    finally:
        runner.stop_server(server)


def _plan(executor: Executor, steps: list[Request], held: dict[str, Any]) -> Plan:
    number = next(_numbers)
    body = {"recommendation_kind": executor.kinds[0], "steps": [asdict(step) for step in steps], "precondition": held}
    known: Any = {"action_id": f"h1:{number:032x}-{number:08x}", "plan_hash": f"h1:{number:064x}"}
    planned = Event(kind="planned", body=canon(body), **known)
    for step in Action((planned,), "planned").steps:
        check_shape(step)
    rows = executor.describe(steps, held)
    assert rows
    assert all(type(cell) is str for row in rows for cell in row)
    return Plan(executor, Action((planned,), "planned"), held)


@dataclass
class Counter:
    """A desk before a till: everything by plan, approval and apply, as people do it, one action at a time."""

    desk: Desk

    def carried_out(self, kind: str, amount_minor: int, params: dict[str, Any], held: dict[str, Any]) -> Action:
        """Plans, approves and sends. Returns the action, whatever became of it."""
        row = recommendation(kind, params, held, amount_minor=amount_minor, account_id=ACCOUNT, expires_at=None)
        publish(self.desk.settings, row, account=ACCOUNT)
        ((action, _),) = self.desk.plan().new
        return self._sent(action)

    def undone(self, action: Action) -> Action:
        """Plans, approves and sends the undo. Returns the action that was undone."""
        ledger = self.desk.ledger()
        try:
            undo = plan_undo(ledger, self.desk.policy(), action, "a mistake", ME)
        finally:
            ledger.close()
        assert self._sent(undo).state == "done"
        return next(one for one in self.desk.actions() if one.action_id == action.action_id)

    def _sent(self, action: Action) -> Action:
        self.desk.approve(action)
        (result,) = self.desk.apply(ids=(action.action_id,))
        return result.action


def counter_at(till: Till, folder: Path) -> Counter:
    """A ledger of one's own in `folder`."""
    settings = replace(till.settings, data=folder / "data")
    return Counter(Desk(settings, World()))
