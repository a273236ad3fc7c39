"""What is done about invoices: another try to collect one, a note at their foot, a decision that is only recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actions.errors import BadRecommendation
from tests.actions.till import BAD, GOOD, Plan, Till, counter_at, till_at


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    with till_at(tmp_path_factory.mktemp("invoices")) as running:
        yield running


def held(customer: str | None, currency: str = "usd", **more: Any) -> dict[str, Any]:
    return {"customer": customer, "currency": currency, "livemode": False} | more


def retry_of(till: Till, invoice: str) -> Plan:
    """A plan on the invoice as it is now."""
    found = till.read(f"/v1/invoices/{invoice}")
    keys = ("amount_remaining", "attempt_count", "next_payment_attempt")
    facts = held(found["customer"], found["currency"], invoice=invoice, invoice_status="open")
    facts |= {key: found[key] for key in keys}
    return till.plan("retry_payment", found["amount_remaining"], {"invoice": invoice}, facts)


def renewed_in_vain(till: Till) -> str:
    """The open invoice of a subscription whose card failed an hour ago; Stripe tries again three days after."""
    customer = till.customer(None)
    given = {"currency": "usd", "unit_amount": 5000, "recurring": {"interval": "month"}}
    given["product_data"] = {"name": "Plan"}
    price = till.admin.v1.prices.create(given)
    till.admin.v1.subscriptions.create({"customer": customer, "items": [{"price": price.id}]})
    till.give_card(customer, BAD)
    till.advance(hours=31 * 24 + 2)
    return str(till.admin.v1.invoices.list({"customer": customer, "status": "open"}).data[0].id)


@pytest.mark.parametrize(("currency", "amount"), [("usd", 4000), ("jpy", 4001), ("kwd", 40010)])
def test_a_retry_tags_the_invoice_and_collects_what_is_left(till: Till, currency: str, amount: int) -> None:
    customer = till.customer(currency, BAD)
    plan = retry_of(till, till.invoice(customer, amount, currency, "failed"))
    till.give_card(customer, GOOD)
    done = till.send(plan)
    paid = till.read(f"/v1/invoices/{plan.held['invoice']}")
    assert (paid["status"], paid["amount_paid"], paid["metadata"]["meterwise_step"]) == ("paid", amount, "0")
    assert till.undo(done) is None
    assert "not possible" in done.executor.describe(done.steps, done.held)[-1][2]
    assert till.stale(plan)["invoice_status"] == {"planned": "open", "live": "paid"}


def test_a_declined_card_is_an_answer_and_leaves_the_facts_as_they_were(till: Till) -> None:
    customer = till.customer("usd", BAD)
    plan = retry_of(till, till.invoice(customer, 4000, status="failed"))
    assert plan.held["attempt_count"] == 1
    assert till.post(plan, 0).status == 200
    declined = till.post(plan, 1)
    assert (declined.status, declined.error_code) == (402, "card_declined")
    again = till.post(plan, 1)
    assert (again.status, again.is_replayed) == (402, True)
    assert till.find(plan, 0) is not None
    assert till.find(plan, 1) is None
    # Stripe counts no retries by hand, so the plan still fits; what was answered does not change either.
    assert till.stale(plan) == {}


def test_a_retry_never_races_an_attempt_of_stripe_s_own(till: Till) -> None:
    invoice = renewed_in_vain(till)
    plan = retry_of(till, invoice)
    assert plan.executor.rechecks  # type: ignore[attr-defined] # only this executor has it
    assert till.stale(plan) == {}
    now = till.port.server_now
    assert now is not None
    till.advance(seconds=plan.held["next_payment_attempt"] - int(now.timestamp()) - 3601)
    assert till.stale(plan) == {}
    till.advance(seconds=1)
    assert till.stale(plan) == {"is_attempt_due": {"planned": False, "live": True}}
    till.advance(2)
    moved_on = till.stale(plan)
    assert moved_on["attempt_count"] == {"planned": 1, "live": 2}
    assert set(moved_on) == {"attempt_count", "next_payment_attempt"}


@pytest.mark.parametrize("status", ["paid", "void", "uncollectible"])
def test_an_invoice_that_is_not_open_any_more_is_not_tried(till: Till, status: str) -> None:
    invoice = till.invoice(till.customer("usd"), 4000, status=status)
    facts = {"amount_remaining": 4000, "attempt_count": 1, "next_payment_attempt": None}
    customer = till.read(f"/v1/invoices/{invoice}")["customer"]
    plan = till.plan(
        "retry_payment", 4000, {"invoice": invoice}, held(customer, invoice=invoice, invoice_status="open") | facts
    )
    assert till.stale(plan)["invoice_status"] == {"planned": "open", "live": status}


def test_a_retry_is_refused_for_who_pays_by_transfer_is_gone_or_has_full_metadata(till: Till) -> None:
    sent, gone, full = (till.invoice(till.customer("usd", BAD), 4000, status="failed") for _ in range(3))
    plans = [retry_of(till, invoice) for invoice in (sent, gone, full)]
    till.admin.v1.customers.delete(plans[1].held["customer"])
    till.admin.v1.invoices.update(full, {"metadata": {f"key_{number}": "1" for number in range(47)}})
    assert till.stale(plans[1]) == {"is_deleted": {"planned": False, "live": True}}
    assert till.stale(plans[2]) == {"has_room_for_metadata": {"planned": True, "live": False}}

    customer = till.customer("usd")
    v1 = till.admin.v1
    made = v1.invoices.create({"customer": customer, "collection_method": "send_invoice", "days_until_due": 9})
    v1.invoice_items.create({"customer": customer, "invoice": made.id, "amount": 4000, "currency": "usd"})
    v1.invoices.finalize_invoice(made.id, {"auto_advance": False})
    facts = {"amount_remaining": 4000, "attempt_count": 1, "next_payment_attempt": None, "invoice_status": "open"}
    plan = till.plan("retry_payment", 4000, {"invoice": made.id}, held(customer, invoice=made.id) | facts)
    assert till.stale(plan)["collection_method"] == {"planned": "charge_automatically", "live": "send_invoice"}


def test_a_note_for_all_future_invoices_is_set_shown_and_cleared(till: Till) -> None:
    customer = till.customer()
    facts = held(customer)
    done = till.send(till.plan("invoice_note", 0, {"customer": customer, "footer": "Thank you"}, facts))
    later = till.invoice(customer, 4000, status="draft")
    assert till.read(f"/v1/invoices/{later}")["footer"] == "Thank you"
    undo = till.undo(done)
    assert undo is not None
    till.send(undo)
    assert not till.read(f"/v1/customers/{customer}")["invoice_settings"]["footer"]
    assert till.undo(undo) is None


def test_a_note_on_a_draft_is_set_and_cleared(till: Till) -> None:
    customer = till.customer()
    invoice = till.invoice(customer, 4000, status="draft")
    done = till.send(
        till.plan("invoice_note", 0, {"invoice": invoice, "footer": "Thanks"}, held(customer, invoice=invoice))
    )
    assert till.read(f"/v1/invoices/{invoice}")["footer"] == "Thanks"
    undo = till.undo(done)
    assert undo is not None
    till.send(undo)
    assert not till.read(f"/v1/invoices/{invoice}")["footer"]


def test_a_note_overwrites_none_and_comes_too_late_for_a_finished_invoice(till: Till) -> None:
    customer = till.customer()
    invoice = till.invoice(customer, 4000, status="draft")
    plans = [
        till.plan("invoice_note", 0, {"customer": customer, "footer": "Thanks"}, held(customer)),
        till.plan("invoice_note", 0, {"invoice": invoice, "footer": "Thanks"}, held(customer, invoice=invoice)),
    ]
    done = till.send(plans[0])
    till.admin.v1.customers.update(customer, {"invoice_settings": {"footer": "Theirs"}})
    till.admin.v1.invoices.update(invoice, {"footer": "Theirs"})
    theirs = {"footer": {"planned": None, "live": "Theirs"}}
    assert [till.stale(plan) for plan in plans] == [theirs, theirs]
    undo = till.undo(done)
    assert undo is not None
    assert till.stale(undo) == {"footer": {"planned": "Thanks", "live": "Theirs"}}
    till.admin.v1.invoices.finalize_invoice(invoice)
    assert till.stale(plans[1])["invoice_status"] == {"planned": "draft", "live": "open"}


def test_a_note_is_refused_for_who_is_gone_and_where_metadata_is_full(till: Till) -> None:
    customer = till.customer(None)
    plan = till.plan(
        "invoice_note", 0, {"customer": customer, "footer": "Thanks"}, {"customer": customer, "livemode": False}
    )
    assert till.stale(plan) == {}
    till.admin.v1.customers.update(customer, {"metadata": {f"key_{number}": "1" for number in range(47)}})
    assert till.stale(plan) == {"has_room_for_metadata": {"planned": True, "live": False}}
    till.admin.v1.customers.delete(customer)
    assert till.stale(plan) == {"is_deleted": {"planned": False, "live": True}}


def instalments(*amounts: Any) -> list[dict[str, Any]]:
    return [{"amount": amount, "due_on": f"2026-1{number}-01"} for number, amount in enumerate(amounts)]


def test_a_decision_calls_nothing_and_is_held_against_the_invoice(till: Till) -> None:
    customer = till.customer()
    invoice = till.invoice(customer, 4000, status="open")
    facts = held(customer, invoice=invoice, invoice_status="open", amount_remaining=4000)
    params = {"invoice": invoice, "instalments": instalments(1500, 2500)}
    plan = till.plan("payment_plan", 4000, params, facts)
    assert [(step.method, step.shape) for step in plan.steps] == [("record", "")]
    assert ("due on 2026-11-01", "", "USD 25.00") in plan.executor.describe(plan.steps, plan.held)
    assert till.stale(plan) == {}
    assert till.find(plan) is None
    assert till.undo(plan) is None
    till.admin.v1.invoices.pay(invoice)
    assert till.stale(plan)["invoice_status"] == {"planned": "open", "live": "paid"}


def test_a_message_is_decided_for_a_customer_who_is_still_there(till: Till) -> None:
    customer = till.customer(None)
    params = {"template": "upgrade_hint", "locale": "de-DE", "text_hash": "h1:" + "0" * 64}
    plan = till.plan("customer_message", 0, params, {"customer": customer, "livemode": False})
    assert till.stale(plan) == {}
    till.admin.v1.customers.delete(customer)
    assert till.stale(plan) == {"is_deleted": {"planned": False, "live": True}}


def test_a_phase_change_needs_nobody_and_nothing_of_stripe(till: Till) -> None:
    facts = {"customer": None, "currency": None, "livemode": False, "phase": "shadow"}
    plan = till.plan("phase_change", 0, {"kind": "tier_upgrade", "phase": "assisted"}, facts)
    assert till.stale(plan) == {}


@pytest.mark.parametrize(("card", "end"), [(GOOD, "done"), (BAD, "failed")])
def test_an_approved_retry_collects_or_ends_as_failed(till: Till, quick_path: Path, card: str, end: str) -> None:
    customer = till.customer("usd", BAD)
    plan = retry_of(till, till.invoice(customer, 4000, status="failed"))
    till.give_card(customer, card)
    done = counter_at(till, quick_path).carried_out("retry_payment", 4000, {"invoice": plan.held["invoice"]}, plan.held)
    assert done.state == end
    assert [event.step for event in done.intents] == [0, 1]
    if end == "failed":
        assert done.events[-1].facts["code"] == "card_declined"
        assert done.plan["precondition"]["attempt_count"] == 1


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "500_before", "500_after", "500_replayed"])
@pytest.mark.parametrize(("card", "end"), [(GOOD, "done"), (BAD, "failed")])
def test_a_payment_whose_answer_got_lost_is_tried_once(
    till: Till, quick_path: Path, card: str, end: str, fault: str
) -> None:
    customer = till.customer("usd", BAD)
    plan = retry_of(till, till.invoice(customer, 4000, status="failed"))
    till.give_card(customer, card)
    before = len(list(till.port.list("/v1/charges", {"customer": customer})))
    till.fail("POST /v1/invoices/*/pay", fault)
    counter = counter_at(till, quick_path)
    done = counter.carried_out("retry_payment", 4000, {"invoice": plan.held["invoice"]}, plan.held)
    charges = list(till.port.list("/v1/charges", {"customer": customer}))
    assert done.state == end
    # Where Stripe goes on answering 500 after a decline, nothing at Stripe shows that the card was asked: once more.
    assert len(charges) == before + (2 if (end, fault) == ("failed", "500_after") else 1)
    assert sum(charge["status"] == "succeeded" for charge in charges) == (end == "done")


def test_an_approved_note_is_written_and_cleared_by_the_ledger(till: Till, quick_path: Path) -> None:
    customer, counter = till.customer(), counter_at(till, quick_path)
    done = counter.carried_out("invoice_note", 0, {"customer": customer, "footer": "Thanks"}, held(customer))
    assert done.state == "done"
    assert counter.undone(done).state == "undone"
    assert not till.read(f"/v1/customers/{customer}")["invoice_settings"]["footer"]


def test_an_approved_decision_is_recorded_without_a_call(till: Till, quick_path: Path) -> None:
    customer = till.customer()
    invoice = till.invoice(customer, 4000)
    facts = held(customer, invoice=invoice, invoice_status="open", amount_remaining=4000)
    params = {"invoice": invoice, "instalments": instalments(1500, 2500)}
    done = counter_at(till, quick_path).carried_out("payment_plan", 4000, params, facts)
    assert done.state == "done"
    (intent,) = done.intents
    assert intent.facts["params"] == params
    assert till.read(f"/v1/invoices/{invoice}")["metadata"] == {}


OPEN = held("cus_1", invoice="in_1", invoice_status="open", amount_remaining=700, attempt_count=1)
RETRY = OPEN | {"next_payment_attempt": None}
PARTS = {"invoice": "in_1", "instalments": instalments(300, 400)}
NOTE = {"customer": "cus_1", "footer": "Thanks"}
MESSAGE = {"template": "hint", "locale": "en", "text_hash": "h1:0"}
REFUSED = [
    ("retry_payment", 700, {"invoice": "in_2"}, RETRY, "the invoice of the precondition"),
    ("retry_payment", 701, {"invoice": "in_1"}, RETRY, "the exposure that is approved"),
    ("retry_payment", 700, {"invoice": "in_1"}, RETRY | {"invoice_status": "uncollectible"}, "an open invoice"),
    ("retry_payment", 700, {"invoice": "in_1"}, RETRY | {"attempt_count": 0}, "an attempt_count above 0"),
    ("retry_payment", 700, {"invoice": "in_1"}, OPEN, "a next_payment_attempt"),
    ("retry_payment", 700, {"invoice": "in_1", "forgive": True}, RETRY, "is none that"),
    ("invoice_note", 1, NOTE, OPEN, "no exposure"),
    ("invoice_note", 0, NOTE | {"customer": "cus_2"}, OPEN, "the customer of the precondition"),
    ("invoice_note", 0, {"invoice": "in_1", "footer": "Thanks"}, OPEN, "still a draft"),
    ("invoice_note", 0, NOTE, held("cus_1", footer="Theirs"), "no footer that is there"),
    ("invoice_note", 0, NOTE | {"footer": "a\u202eb"}, held("cus_1"), "plain characters"),
    ("invoice_note", 0, NOTE | {"footer": "Dear {name}"}, held("cus_1"), "plain characters"),
    ("invoice_note", 0, NOTE | {"footer": " "}, held("cus_1"), "plain characters"),
    ("invoice_note", 0, NOTE | {"footer": "x" * 501}, held("cus_1"), "plain characters"),
    ("payment_plan", 700, PARTS | {"instalments": instalments(300, 401)}, OPEN, "the exposure that is approved"),
    ("payment_plan", 700, PARTS | {"instalments": instalments(300.0, 400)}, OPEN, "whole amounts"),
    ("payment_plan", 700, PARTS | {"instalments": instalments(700)}, OPEN, "two or more"),
    ("payment_plan", 700, PARTS | {"instalments": instalments(300, 400)[::-1]}, OPEN, "two or more"),
    ("payment_plan", 600, PARTS, OPEN, "the exposure that is approved"),
    ("customer_message", 0, MESSAGE | {"template": "Dear Ada"}, held("cus_1"), "codes and hashes only"),
    ("customer_message", 0, MESSAGE | {"locale": "ada@example.com"}, held("cus_1"), "codes and hashes only"),
    ("phase_change", 5, {"kind": "tier_upgrade", "phase": "auto"}, {}, "no exposure"),
    ("phase_change", 0, MESSAGE, {}, "kind, phase"),
]


@pytest.mark.parametrize(("kind", "amount", "params", "facts", "said"), REFUSED)
def test_a_recommendation_that_breaks_its_contract_is_refused_before_anything_is_written(
    till: Till, kind: str, amount: int, params: dict[str, Any], facts: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRecommendation, match=said):
        till.plan(kind, amount, params, facts)
