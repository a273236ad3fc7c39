"""R7: a thousand times something that a plan took for granted changes before it is sent, or something else does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.actions.conftest import Desk, credit, offer, upgrade
from tests.actions.harness import Start, laid, seeded
from tests.actions.rows import alert, credit_note, label, note, price, quote, retry, schedule
from tests.actions.stripe_objects import discount, item

CHANGES = 1_000
Kind = Callable[..., dict[str, Any]]

Change = tuple[str, str, list[Any], str]  # object, field, values, the fact that must be named

CUS, SUB, INV = "customers/cus_1", "subscriptions/sub_1", "invoices/in_1"
OTHER_ITEMS = [
    [item("si_1", "price_9", 3), item("si_2", "price_2", None)],
    [item("si_1", "price_1", 4), item("si_2", "price_2", None)],
    [item("si_1", "price_1", 3)],
    [item("si_1", "price_1", 3), item("si_2", "price_2", None), item("si_3", "price_2", 1)],
]
FULL = {f"k{number}": "v" for number in range(50)}
GONE: Change = (CUS, "deleted", [True], "is_deleted")
OF_SUBSCRIPTION: list[Change] = [
    GONE,
    (SUB, "status", ["canceled", "past_due", "unpaid", "paused", "trialing"], "subscription_status"),
    (SUB, "currency", ["eur", "jpy"], "currency"),
    (SUB, "customer", ["cus_2"], "customer"),
    (SUB, "livemode", [True], "livemode"),
    (SUB, "schedule", ["sub_sched_1"], "has_schedule"),
    (SUB, "metadata", [FULL], "has_room_for_metadata"),
    (SUB, "items", [{"has_more": False, "data": items} for items in OTHER_ITEMS], "items"),
]
OF_INVOICE: list[Change] = [
    GONE,
    (INV, "status", ["paid", "void", "uncollectible", "draft"], "invoice_status"),
    (INV, "currency", ["eur"], "currency"),
]
FACTS: dict[str, tuple[Kind, list[Change]]] = {
    "credit": (credit, [GONE, (CUS, "currency", ["eur", "jpy", None], "currency"),
                        (CUS, "livemode", [True], "livemode")]),
    "upgrade": (upgrade, [*OF_SUBSCRIPTION, ("prices/price_11", "active", [False], "unfit_prices")]),
    "offer": (offer, [*OF_SUBSCRIPTION, (SUB, "discounts", [[discount(9, "OTHER")]], "coupons"),
                      (CUS, "discount", [discount(9, "OTHER")], "customer_coupons"),
                      ("coupons/RETAIN20", "valid", [False], "unfit_coupons")]),
    "schedule": (schedule, [*OF_SUBSCRIPTION, (SUB, "cancel_at_period_end", [True], "is_ending")]),
    "note": (note, [GONE, (CUS, "invoice_settings", [{"footer": "theirs"}], "footer")]),
    "credit_note": (credit_note, OF_INVOICE),
    "retry": (retry, [*OF_INVOICE, (INV, "amount_remaining", [4_999, 0], "amount_remaining"),
                      (INV, "attempt_count", [2, 3], "attempt_count"),
                      (INV, "next_payment_attempt", [1_893_456_000], "next_payment_attempt")]),
    "label": (label, [GONE, (CUS, "metadata", [{"segment": "startup"}], "metadata"),
                      (CUS, "metadata", [FULL], "has_room_for_metadata")]),
    "alert": (alert, [GONE, ("billing/meters/mtr_1", "status", ["inactive"], "meter_status")]),
    "quote": (quote, [GONE, ("prices/price_12", "active", [False], "unfit_prices")]),
    "price": (price, [("products/prod_1", "active", [False], "product_is_active")]),
}  # fmt: skip
# What no plan speaks of.
HARMLESS = [(CUS, "email", "new@example.com"), (CUS, "name", "Ada"), (SUB, "description", "x"), (INV, "memo", "x"),
            ("prices/price_9", "nickname", "x"), (CUS, "metadata", {"theirs": "1"})]  # fmt: skip


@pytest.fixture
def start(memory_desk: Desk, request: pytest.FixtureRequest) -> Start:
    memory_desk.approved(FACTS[request.param][0]())
    return Start(memory_desk)


def changed(desk: Desk, random: Random, path: str, field: str, values: list[Any]) -> None:
    desk.world.object(f"/v1/{path}")[field] = random.choice(values)


@pytest.mark.parametrize("start", FACTS, indirect=True, ids=FACTS)
def test_whatever_a_plan_took_for_granted_is_compared_before_it_is_sent(
    start: Start, quick_path: Path, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["start"]
    facts, random = FACTS[kind][1], seeded(f"stale {kind}")
    for number in range(-(-CHANGES // len(FACTS))):
        with laid(start, quick_path) as desk:
            drawn = random.sample(facts, random.randint(1, min(2, len(facts))))
            for path, field, values, _ in drawn:
                changed(desk, random, path, field, values)
            is_shadow = number % 4 == 0
            (result,) = desk.apply(send=not is_shadow)
            said = set(result.action.events[-1].facts.get("difference", {}))
            assert result.end == "refused", (number, drawn)
            assert said & {"is_deleted"} or {name for *_, name in drawn} & said, (number, drawn, said)
            assert desk.world.writes == 0, (number, drawn)


@pytest.mark.parametrize("start", FACTS, indirect=True, ids=FACTS)
def test_what_a_plan_does_not_speak_of_may_change(start: Start, quick_path: Path) -> None:
    for path, field, value in HARMLESS:
        with laid(start, quick_path) as desk:
            desk.world.object(f"/v1/{path}")[field] = value
            assert [result.end for result in desk.apply()] == ["done"], (path, field)


@pytest.mark.parametrize("start", ["upgrade", "retry", "label"], indirect=True)
def test_a_change_between_two_reads_is_noticed_unless_it_comes_after_the_last(
    start: Start, quick_path: Path, request: pytest.FixtureRequest
) -> None:
    """Stripe has no If-Match: what changes after the read that it concerns cannot be seen. Nothing else slips by."""
    for path, field, values, _ in FACTS[request.node.callspec.params["start"]][1]:
        for at in range(1, 6):
            with laid(start, quick_path) as desk:
                what = functools.partial(changed, desk, seeded("x"), path, field, values)
                desk.world.at_read = (at, what)
                (result,) = desk.apply()
                lines = desk.world.requests
                first = next((place for place, line in enumerate(lines) if line.startswith("POST")), len(lines))
                if f"GET /v1/{path}" in lines[at - 1 : first]:
                    assert result.end == "refused", (path, at, lines)
                    assert desk.world.writes == 0
