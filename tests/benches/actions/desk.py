"""A ledger with as many approved actions as a bench wants, and a policy that lets them all go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from actions.approval import approve
from actions.clock import Clock
from actions.ledger import Event, Ledger, open_or_create
from actions.plan import make_plans
from actions.policy import Policy, read_policy
from actions.publication import Publication, read_publication
from actions.settings import Settings
from actions.state import Actor
from tests.actions.conftest import publish
from tests.actions.fault_server import ACCOUNT
from tests.actions.rows import courtesy

ME = Actor("bench", "os_user")
BATCH = 2_000
MANY = 1 << 40


def settings(data: Path, address: str = "http://127.0.0.1:1") -> Settings:
    return Settings(data, "rk_test_bench", "rk_test_bench", address, timeout_s=30, writes_per_second=0)


def open_policy() -> Policy:
    """policy.toml without caps and with approvals that last: a bench sends more in an hour than others in a year."""
    policy = read_policy()
    amounts = dict.fromkeys(policy.caps["day"]["amount_minor"], MANY)
    cap = {"actions": MANY, "amount_minor": amounts}
    rules = [one | {"then": one["then"] | ({"hours": 10_000} if "hours" in one["then"] else {})} for one in policy.rule]
    approval = policy.approval | {"hours": 10_000}  # the shortest of all counts
    return replace(policy, rule=rules, approval=approval, caps={"day": cap, "customer_in_30_days": cap})


def publication(folder: Path, count: int) -> Publication:
    """`count` credits, each for another customer; more than one published file may hold, so made from one of one."""
    published(folder, 1)
    found = read_publication(settings(folder).published, Clock())
    [row], new = found.recommendations, [courtesy(number) for number in range(1, count + 1)]
    kept = ("recommendation_id", "customer_id", "params", "precondition")
    return replace(found, customers=count, recommendations=[row | {key: one[key] for key in kept} for one in new])


def approved(data: Path, count: int, address: str) -> list[str]:
    """Plans and approves `count` credits; their ids."""
    at, policy = settings(data, address), open_policy()
    ledger = open_or_create(at.ledger, at.head, Clock(), ACCOUNT, False, "bench")
    report = make_plans(ledger, publication(data, count), policy, expect=count)
    names = [action.action_id for action, _ in report.new]
    for begin in range(0, count, BATCH):
        approve(ledger, policy, names[begin : begin + BATCH], "bench", ME)
    ledger.close()
    return names


def filled(data: Path, count: int) -> Settings:
    """A ledger of `count` events, as a year of work leaves it."""
    at = settings(data)
    ledger = open_or_create(at.ledger, at.head, Clock(), ACCOUNT, False, "bench")
    body = '{"note":"' + "x" * 600 + '"}'
    about: dict[str, Any] = {
        "account_id": ACCOUNT,
        "actor": "bench",
        "actor_assurance": "os_user",
        "reasoning": "An event.",
    }
    while (last := ledger.last().seq) < count:
        with ledger.write():
            for number in range(last, min(last + BATCH, count)):
                name = f"h1:{number // 6:032x}-00000000"
                ledger.append(Event(kind="notified", action_id=name, customer_id=f"cus_{number}", body=body, **about))
    ledger.close()
    return at


def opened(at: Settings) -> Ledger:
    return Ledger(at.ledger, at.head, Clock())


def published(data: Path, count: int) -> None:
    """A published warehouse with `count` recommendations."""
    rows = [courtesy(number, expires_at=None) for number in range(1, count + 1)]
    publish(settings(data), *rows)
