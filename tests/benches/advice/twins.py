"""Two sandboxes from one state: in one every recommendation is carried out, then as many days pass in both.

What customers do in the sandbox is drawn per seed and customer: whatever the twins differ in was caused by the actions.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actions.apply import Runner
from actions.approval import approve
from actions.clock import Clock
from actions.guard import only_runner
from actions.ledger import open_or_create
from actions.plan import make_plans
from actions.policy import Policy
from actions.port import StripeWriter
from actions.publication import read_publication
from actions.state import Actor, load
from sandbox import runner, state
from sandbox.invoice_preview import upcoming
from sandbox.store import Store
from tests.benches.actions.desk import open_policy, settings
from tests.benches.measure import run

ME = Actor("bench", "os_user")


@dataclass(frozen=True)
class Carried:
    """What was planned and how each ended: recommendation id → end; why others were left out."""

    ends: dict[str, str]
    words: dict[str, str]
    left: dict[str, int]


def policy_of_one() -> Policy:
    """policy.toml without caps, where one person is enough: a bench has one."""
    policy = open_policy()
    rules = [one | {"then": one["then"] | ({"approvers": 1} if "hours" in one["then"] else {})} for one in policy.rule]
    return replace(policy, rule=rules)


def carry_out(data: Path) -> Carried:
    """Plan, approve and send every published recommendation of `data` to its sandbox."""
    policy, ends, words = policy_of_one(), {}, {}
    server, url = runner.start_server(data)
    try:
        at = settings(data, url)
        found = read_publication(at.published, Clock())
        ledger = open_or_create(at.ledger, at.head, Clock(), found.account_id, found.livemode, "bench")
        report = make_plans(ledger, found, policy, expect=sum(not row["refusal"] for row in found.recommendations))
        names = [action.action_id for action, _ in report.new]
        for name in names:
            if load(ledger, name).state == "planned":
                approve(ledger, policy, [name], "the bench carries out all of them", ME)
        with only_runner(at.ledger):
            hand = Runner(ledger, StripeWriter("rk_test_bench", at, Clock()), policy, ME, False)
            hand.check_account()
            for name in names:
                result = hand.run(load(ledger, name), True)
                key = result.action.recommendation_id
                ends[key], words[key] = result.end, result.words
        ledger.close()
        return Carried(ends, words, dict(report.left))
    finally:
        runner.stop_server(server)


def pass_time(data: Path, days: int) -> None:
    """Let days pass in the sandbox of `data`."""
    run(data, "sandbox", "advance", "--days", str(days))


def twin(data: Path, into: Path) -> Path:
    """A copy of a state folder with what the runner needs: the sandbox and the publication."""
    for part in ("sandbox", "published"):
        shutil.copytree(data / part, into / part)
    return into


@dataclass(frozen=True)
class Bill:
    """What one customer brought in since a moment, minor units of its currency.

    invoiced: totals of invoices made since, after discounts and tax. accrued: usage that is not billed yet, after
    discounts. credited: given back since, by credit notes and to the balance.
    """

    invoiced: int = 0
    accrued: int = 0
    credited: int = 0
    is_alive: bool = False

    @property
    def value(self) -> int:
        return self.invoiced + self.accrued - self.credited


@dataclass(frozen=True)
class Twin:
    """What became of a twin: bills by customer, and what was paid by invoice."""

    bills: dict[str, Bill]
    paid: dict[str, int]


def outcome(data: Path, since: int) -> Twin:
    """What each customer of the sandbox in `data` brought in since unix second `since`."""
    store = state.open_store(data / "sandbox", read_only=True)
    invoiced, accrued, credited = Counter[str](), Counter[str](), Counter[str]()
    paid = {}
    for invoice in store.rows("invoice"):
        paid[invoice["id"]] = invoice["amount_paid"]
        if invoice["created"] > since and invoice["status"] not in ("draft", "void"):
            invoiced[invoice["customer"]] += invoice["total"]
    for note in store.rows("credit_note"):
        if note["created"] >= since and note["status"] != "void":
            credited[note["customer"]] += note["total"]
    for movement in store.rows("customer_balance_transaction"):
        if movement["created"] >= since and movement["type"] == "adjustment":
            credited[movement["customer"]] -= movement["amount"]
    alive = set()
    for sub in store.rows("subscription"):
        if sub["status"] not in ("canceled", "incomplete_expired"):
            alive.add(sub["customer"])
            accrued[sub["customer"]] += _accrued(store, sub)
    store.db.close()
    customers = set(invoiced) | set(accrued) | set(credited) | alive
    return Twin({one: Bill(invoiced[one], accrued[one], credited[one], one in alive) for one in customers}, paid)


def _accrued(store: Store, sub: dict[str, Any]) -> int:
    """Metered lines of the invoice to come as usage stands now, less their discounts."""
    invoice, sum_ = upcoming(store, sub), 0
    for line in invoice["lines"]["data"] if invoice else []:
        price = line.get("pricing", {}).get("price_details", {}).get("price")
        if price and store.get("price", price)["recurring"]["usage_type"] == "metered":
            sum_ += line["amount"] - sum(part["amount"] for part in line["discount_amounts"] or [])
    return sum_


def clock_of(data: Path) -> int:
    """Unix second that the sandbox's clock shows."""
    store = state.open_store(data / "sandbox", read_only=True)
    now = store.account_now
    store.db.close()
    return now
