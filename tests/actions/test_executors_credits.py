"""What gives a customer something: credit on the balance, credit notes, billing credits; and usage alerts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actions.errors import BadRecommendation
from tests.actions.till import Till, counter_at, till_at


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    with till_at(tmp_path_factory.mktemp("credits")) as running:
        yield running


def held(customer: str, currency: str = "usd", **more: Any) -> dict[str, Any]:
    return {"customer": customer, "currency": currency, "livemode": False} | more


def credit(customer: str, amount: int, currency: str = "usd") -> dict[str, Any]:
    return {"amount": -amount, "currency": currency, "customer": customer, "description": "Courtesy credit"}


def grant(customer: str, amount: int, currency: str = "usd") -> dict[str, Any]:
    monetary = {"type": "monetary", "monetary": {"currency": currency, "value": amount}}
    scope = {"scope": {"price_type": "metered"}}
    return {"amount": monetary, "applicability_config": scope, "customer": customer, "name": "Courtesy"}


def alert(customer: str, meter: str, gte: Any = 100) -> dict[str, Any]:
    filters = [{"type": "customer", "customer": customer}]
    threshold = {"meter": meter, "gte": gte, "recurrence": "one_time", "filters": filters}
    return {"alert_type": "usage_threshold", "usage_threshold": threshold}


@pytest.mark.parametrize(("currency", "amount"), [("usd", 1200), ("jpy", 1201), ("kwd", 1230)])
def test_a_credit_reaches_the_balance_and_is_taken_back(till: Till, currency: str, amount: int) -> None:
    customer = till.customer(currency)
    done = till.send(till.plan("courtesy_credit", amount, credit(customer, amount, currency), held(customer, currency)))
    assert till.read(f"/v1/customers/{customer}")["balance"] == -amount
    undo = till.undo(done)
    assert undo is not None
    till.send(undo)
    assert till.read(f"/v1/customers/{customer}")["balance"] == 0
    assert till.undo(undo) is None


def test_a_credit_that_was_used_is_not_taken_back(till: Till) -> None:
    customer = till.customer()
    done = till.send(till.plan("courtesy_credit", 1200, credit(customer, 1200), held(customer)))
    undo = till.undo(done)
    assert undo is not None
    till.invoice(customer, 500, status="paid")
    assert till.stale(undo) == {"is_credit_left": {"planned": True, "live": False}}


@pytest.mark.parametrize("params", [credit, grant])
def test_who_is_gone_or_has_another_or_no_currency_gets_nothing(till: Till, params: Any) -> None:
    in_euro, without = till.customer("eur"), till.customer(None)
    for customer, found in ((in_euro, "eur"), (without, None)):
        plan = till.plan("courtesy_credit", 1200, params(customer, 1200), held(customer))
        assert till.stale(plan) == {"currency": {"planned": "usd", "live": found}}
    gone = till.customer()
    plan = till.plan("courtesy_credit", 1200, params(gone, 1200), held(gone))
    till.admin.v1.customers.delete(gone)
    assert till.stale(plan) == {"is_deleted": {"planned": False, "live": True}}


@pytest.mark.parametrize(("currency", "amount"), [("usd", 700), ("jpy", 701), ("kwd", 710)])
def test_a_note_on_an_open_invoice_is_what_was_previewed_and_can_be_voided(
    till: Till, currency: str, amount: int
) -> None:
    customer = till.customer(currency)
    invoice = till.invoice(customer, 4000, currency)
    facts = held(customer, currency, invoice=invoice, invoice_status="open", total=amount)
    plan = till.plan("courtesy_credit", amount, {"invoice": invoice, "amount": amount}, facts)
    previewed = plan.executor.preview(till.port, plan.action.request(0))
    assert previewed == {"total": amount, "currency": currency}
    done = till.send(plan)
    note = till.read(f"/v1/credit_notes/{done.made[0]}")
    assert {key: note[key] for key in previewed} == previewed
    assert till.read(f"/v1/invoices/{invoice}")["amount_remaining"] == 4000 - amount
    undo = till.undo(done)
    assert undo is not None
    till.send(undo)
    assert till.read(f"/v1/invoices/{invoice}")["amount_remaining"] == 4000
    assert till.undo(undo) is None
    assert till.stale(undo) == {"note_status": {"planned": "issued", "live": "void"}}


def test_a_note_by_lines_must_come_to_what_was_approved(till: Till) -> None:
    customer = till.customer()
    invoice = till.invoice(customer, 4000)
    (line,) = till.read(f"/v1/invoices/{invoice}/lines")["data"]
    facts = held(customer, invoice=invoice, invoice_status="open", total=600)
    lines = [{"type": "invoice_line_item", "invoice_line_item": line["id"], "amount": 600}]
    plan = till.plan("courtesy_credit", 600, {"invoice": invoice, "lines": lines}, facts)
    till.send(plan)
    other = [lines[0] | {"amount": 601}]
    plan = till.plan("courtesy_credit", 600, {"invoice": invoice, "lines": other}, facts)
    assert till.stale(plan) == {"total": {"planned": 600, "live": 601}}


def test_a_note_on_a_paid_invoice_gives_credit_and_stays(till: Till) -> None:
    customer = till.customer()
    invoice = till.invoice(customer, 4000, status="paid")
    facts = held(customer, invoice=invoice, invoice_status="paid", total=900)
    sent = {"invoice": invoice, "amount": 900, "credit_amount": 900, "reason": "product_unsatisfactory"}
    done = till.send(till.plan("courtesy_credit", 900, sent, facts))
    assert till.read(f"/v1/customers/{customer}")["balance"] == -900
    assert till.undo(done) is None
    assert "not possible" in done.executor.describe(done.steps, done.held)[-1][2]


@pytest.mark.parametrize("status", ["paid", "void", "uncollectible"])
def test_a_note_is_refused_when_the_invoice_has_moved_on(till: Till, status: str) -> None:
    customer = till.customer()
    invoice = till.invoice(customer, 4000, status=status)
    facts = held(customer, invoice=invoice, invoice_status="open", total=700)
    plan = till.plan("courtesy_credit", 700, {"invoice": invoice, "amount": 700}, facts)
    assert till.stale(plan)["invoice_status"] == {"planned": "open", "live": status}


def test_a_note_is_refused_over_what_is_left_in_another_currency_and_without_its_invoice(till: Till) -> None:
    customer = till.customer()
    invoice = till.invoice(customer, 600)
    facts = held(customer, invoice=invoice, invoice_status="open", total=700)
    plan = till.plan("courtesy_credit", 700, {"invoice": invoice, "amount": 700}, facts)
    assert till.stale(plan) == {"total": {"planned": 700, "live": None}}

    euro = till.invoice(till.customer("eur"), 4000, "eur")
    facts = held(till.read(f"/v1/invoices/{euro}")["customer"], invoice=euro, invoice_status="open", total=700)
    plan = till.plan("courtesy_credit", 700, {"invoice": euro, "amount": 700}, facts)
    wrong = {"planned": "usd", "live": "eur"}
    assert till.stale(plan) == {"currency": wrong, "customer_currency": wrong}

    facts = held(customer, invoice="in_none", invoice_status="open", total=700)
    plan = till.plan("courtesy_credit", 700, {"invoice": "in_none", "amount": 700}, facts)
    assert till.stale(plan)["invoice_status"] == {"planned": "open", "live": None}


@pytest.mark.parametrize(("currency", "amount"), [("usd", 700), ("jpy", 701), ("kwd", 710)])
def test_a_grant_pays_for_usage_and_is_voided_while_untouched(till: Till, currency: str, amount: int) -> None:
    customer = till.customer(currency)
    done = till.send(till.plan("courtesy_credit", amount, grant(customer, amount, currency), held(customer, currency)))
    granted = till.read(f"/v1/billing/credit_grants/{done.made[0]}")
    assert granted["amount"]["monetary"] == {"currency": currency, "value": amount}
    assert granted["category"] == "promotional"
    undo = till.undo(done)
    assert undo is not None
    till.send(undo)
    assert till.read(f"/v1/billing/credit_grants/{done.made[0]}")["voided_at"] is not None
    assert till.undo(undo) is None


def test_a_grant_that_was_used_is_not_voided(till: Till) -> None:
    customer, (price, meter) = till.customer(), till.price()
    done = till.send(till.plan("courtesy_credit", 700, grant(customer, 700), held(customer)))
    undo = till.undo(done)
    assert undo is not None
    sub = till.admin.v1.subscriptions.create({"customer": customer, "items": [{"price": price}]})
    name = till.read(f"/v1/billing/meters/{meter}")["event_name"]
    payload = {"stripe_customer_id": customer, "value": "300"}
    till.admin.v1.billing.meter_events.create({"event_name": name, "payload": payload})
    till.advance(hours=1)
    till.admin.v1.subscriptions.cancel(sub.id, {"invoice_now": True})
    invoice = till.admin.v1.invoices.list({"customer": customer}).data[0]
    if invoice.status == "draft":
        till.admin.v1.invoices.finalize_invoice(invoice.id)
    assert till.stale(undo) == {"left": {"planned": 700, "live": 400}}


def test_an_alert_is_found_by_its_title_and_archived(till: Till) -> None:
    customer, (_, meter) = till.customer(None), till.price()
    plan = till.plan(
        "usage_alert", 0, alert(customer, meter), {"customer": customer, "livemode": False, "meter": meter}
    )
    done = till.send(plan)
    made = till.read(f"/v1/billing/alerts/{done.made[0]}")
    assert made["title"].endswith(f"[meterwise {done.action.action_id}]")
    assert len(made["title"]) <= 256
    undo = till.undo(done)
    assert undo is not None
    till.send(undo)
    assert list(till.port.list("/v1/billing/alerts", {"meter": meter})) == []
    assert till.undo(undo) is None


def test_an_alert_is_refused_on_a_meter_that_is_off_and_for_a_deleted_customer(till: Till) -> None:
    customer, (price, meter) = till.customer(None), till.price()
    plan = till.plan(
        "usage_alert", 0, alert(customer, meter), {"customer": customer, "livemode": False, "meter": meter}
    )
    till.admin.v1.prices.update(price, {"active": False})
    till.admin.v1.billing.meters.deactivate(meter)
    assert till.stale(plan) == {"meter_status": {"planned": "active", "live": "inactive"}}
    till.admin.v1.customers.delete(customer)
    assert till.stale(plan)["is_deleted"] == {"planned": False, "live": True}


@pytest.mark.parametrize("executor", ["customer_credit", "credit_note", "credit_grant", "billing_alert"])
def test_what_people_approved_is_done_once_and_undone_by_the_ledger(
    till: Till, quick_path: Path, executor: str
) -> None:
    customer, (_, meter) = till.customer(), till.price()
    kind, amount, facts = "courtesy_credit", 700, held(customer)
    if executor == "customer_credit":
        params = credit(customer, amount)
    elif executor == "credit_note":
        invoice = till.invoice(customer, 4000)
        params, facts = {"invoice": invoice, "amount": amount}, facts | {"invoice": invoice, "total": amount}
        facts["invoice_status"] = "open"
    elif executor == "credit_grant":
        params = grant(customer, amount)
    else:
        kind, amount, params, facts = "usage_alert", 0, alert(customer, meter), facts | {"meter": meter}
    counter = counter_at(till, quick_path)
    done = counter.carried_out(kind, amount, params, facts)
    assert (done.state, [step.executor for step in done.steps]) == ("done", [executor])
    assert counter.undone(done).state == "undone"


ON = held("cus_1", invoice="in_1", invoice_status="open", total=700)
PAID, LOST = ON | {"invoice_status": "paid"}, ON | {"invoice_status": "uncollectible"}
METERED = held("cus_1", meter="mtr_1")
NOTE = {"invoice": "in_1", "amount": 700}
REFUSED = [
    ("courtesy_credit", credit("cus_1", 700, "eur"), ON, "the currency of the precondition"),
    ("courtesy_credit", credit("cus_2", 700), ON, "the customer of the precondition"),
    ("courtesy_credit", credit("cus_1", 701), ON, "the exposure that is approved"),
    ("courtesy_credit", credit("cus_1", -700), ON, "a negative whole amount"),
    ("courtesy_credit", credit("cus_1", 700) | {"amount": -700.0}, ON, "a negative whole amount"),
    ("courtesy_credit", credit("cus_1", 700) | {"description": "a\x1b[2Jb"}, ON, "plain characters"),
    ("courtesy_credit", credit("cus_1", 700) | {"refund": True}, ON, "is none that"),
    ("courtesy_credit", NOTE | {"amount": 699}, ON, "the total of the precondition"),
    ("courtesy_credit", NOTE, ON | {"total": 699}, "the exposure that is approved"),
    ("courtesy_credit", NOTE, PAID, "a credit_amount of 700"),
    ("courtesy_credit", NOTE | {"credit_amount": 700}, ON, "a credit_amount of None"),
    ("courtesy_credit", NOTE, LOST, "open or paid"),
    ("courtesy_credit", NOTE | {"refund_amount": 700}, PAID, "is none that"),
    ("courtesy_credit", NOTE | {"lines": []}, ON, "an amount or lines"),
    ("courtesy_credit", grant("cus_1", 700, "jpy"), ON, "the currency of the precondition"),
    ("courtesy_credit", grant("cus_1", 701), ON, "the exposure that is approved"),
    ("courtesy_credit", grant("cus_1", 700) | {"category": "paid"}, ON, "is none that"),
    ("usage_alert", alert("cus_2", "mtr_1"), METERED, "a filter on the customer"),
    ("usage_alert", alert("cus_1", "mtr_2"), METERED, "the meter of the precondition"),
    ("usage_alert", alert("cus_1", "mtr_1", 0), METERED, "a whole threshold above 0"),
    ("usage_alert", alert("cus_1", "mtr_1", "100"), METERED, "a whole threshold above 0"),
    ("usage_alert", alert("cus_1", "mtr_1") | {"title": "mine"}, METERED, "is none that"),
]


@pytest.mark.parametrize(("kind", "params", "facts", "said"), REFUSED)
def test_a_recommendation_that_breaks_its_contract_is_refused_before_anything_is_written(
    till: Till, kind: str, params: dict[str, Any], facts: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRecommendation, match=said):
        till.plan(kind, 0 if kind == "usage_alert" else 700, params, facts)
