"""Drafts that are edited, and what each step asks of an invoice's status."""

from typing import Any

import pytest

from tests.sandbox.local import Local, local
from tests.sandbox.one_off import act, one_off, opened

__all__ = ["local"]

HOUR = 3600


def test_lines_of_a_draft_can_be_added_changed_and_removed(local: Local) -> None:
    invoice = one_off(local, 1000)
    price = local.price(700, interval="")
    rows = [{"amount": 900, "description": "help"}, {"pricing": {"price": price["id"]}, "quantity": 3}]
    invoice = act(local, invoice, "add_lines", lines=rows, invoice_metadata={"po": "7"})
    assert [line["amount"] for line in invoice["lines"]["data"]] == [1000, 900, 2100]
    assert (invoice["total"], invoice["metadata"]) == (4000, {"po": "7"})
    _, help_line, packs = invoice["lines"]["data"]
    act(
        local,
        invoice,
        "update_lines",
        lines=[{"id": help_line["id"], "amount": 950}, {"id": packs["id"], "quantity": 1}],
    )
    assert local.get(invoice)["total"] == 1000 + 950 + 700
    changed = act(local, invoice, f"lines/{help_line['id']}", description="more help")
    assert (changed["description"], changed["amount"]) == ("more help", 950)
    gone = [{"id": help_line["id"], "behavior": "delete"}, {"id": packs["id"], "behavior": "unassign"}]
    act(local, invoice, "remove_lines", lines=gone)
    assert local.get(invoice)["total"] == 1000
    waiting = local.store.rows("invoiceitem", customer=invoice["customer"])
    assert [(item["amount"], item["invoice"]) for item in waiting] == [(1000, invoice["id"]), (700, None)]


def test_an_item_changes_its_line_while_the_invoice_is_a_draft_and_no_longer(local: Local) -> None:
    invoice = one_off(local, 1000)
    (item,) = local.store.rows("invoiceitem", customer=invoice["customer"])
    local.post(f"invoiceitems/{item['id']}", amount=1200, description="more")
    assert local.get(invoice)["total"] == 1200
    act(local, invoice, "finalize")
    assert local.refused(f"invoiceitems/{item['id']}", amount=1).code == "invoice_not_editable"
    assert local.refused(f"invoiceitems/{item['id']}", "DELETE").code == "invoice_not_editable"


def test_a_draft_can_be_changed_and_a_finalised_invoice_hardly(local: Local) -> None:
    invoice = one_off(local, 1000)
    coupon = local.post("coupons", percent_off=25, duration="once")
    local.post(
        f"invoices/{invoice['id']}", description="one-off", footer="thanks", discounts=[{"coupon": coupon["id"]}]
    )
    assert (invoice["description"], invoice["total"]) == ("one-off", 750)
    updated = local.events(invoice, "invoice.updated")[-1]["data"]["previous_attributes"]
    assert updated["total"] == 1000
    act(local, invoice, "finalize")
    refusal = local.refused(f"invoices/{invoice['id']}", description="late")
    assert (refusal.status, refusal.code, refusal.param) == (400, "invoice_not_editable", "description")
    local.post(f"invoices/{invoice['id']}", metadata={"a": "b"}, auto_advance=True)
    assert local.get(invoice)["metadata"] == {"a": "b"}
    local.advance(1)
    assert local.get(invoice)["status"] == "paid"


def test_a_draft_that_advances_by_itself_is_finalised_and_paid_after_the_grace(local: Local) -> None:
    invoice = one_off(local, 1000, auto_advance=True)
    assert invoice["automatically_finalizes_at"] == local.now + HOUR
    local.advance(0.02)
    assert local.get(invoice)["status"] == "draft"
    local.advance(0.03)
    assert local.get(invoice)["status"] == "paid"


def test_only_one_off_drafts_are_deleted(local: Local) -> None:
    invoice = one_off(local)
    assert local.delete(f"invoices/{invoice['id']}")["deleted"]
    assert local.store.rows("invoiceitem", customer=invoice["customer"]) == []
    assert local.refused(f"invoices/{opened(local)['id']}", "DELETE").code == "invoice_not_editable"
    sub = local.subscribe(local.price())
    local.advance(30.01)
    assert local.invoices(sub)[-1]["status"] == "draft"
    assert local.refused(f"invoices/{local.invoices(sub)[-1]['id']}", "DELETE").status == 400


@pytest.mark.parametrize("status", ["draft", "open", "paid", "void", "uncollectible"])
@pytest.mark.parametrize(
    ("action", "allowed", "becomes"),
    [
        ("finalize", {"draft"}, "open"),
        ("pay", {"draft", "open", "uncollectible"}, "paid"),
        ("void", {"open", "uncollectible"}, "void"),
        ("mark_uncollectible", {"open"}, "uncollectible"),
        ("send", {"draft", "open", "paid"}, None),
        ("add_lines", {"draft"}, None),
    ],
)
def test_each_step_is_possible_from_some_statuses_only(
    local: Local, status: str, action: str, allowed: set[str], becomes: str | None
) -> None:
    invoice = one_off(local, collection_method="send_invoice", days_until_due=3)
    steps = {"open": "finalize", "paid": "pay", "void": "void", "uncollectible": "mark_uncollectible"}
    if status != "draft":
        act(local, invoice, "finalize")
    if status not in ("draft", "open"):
        act(local, invoice, steps[status])
    params: dict[str, Any] = {"lines": [{"amount": 1}]} if action == "add_lines" else {}
    if status in allowed:
        after = act(local, invoice, action, **params)
        assert after["status"] == (becomes or ("open" if action == "send" and status == "draft" else status))
    else:
        assert local.refused(f"invoices/{invoice['id']}/{action}", **params).status == 400


@pytest.mark.parametrize(
    ("behavior", "status"), [("keep_as_draft", "draft"), ("void", "void"), ("mark_uncollectible", "uncollectible")]
)
def test_paused_collection_decides_what_becomes_of_renewals(local: Local, behavior: str, status: str) -> None:
    sub = local.subscribe(local.price())
    local.post(f"subscriptions/{sub['id']}", pause_collection={"behavior": behavior})
    local.advance(31)
    assert local.invoices(sub)[-1]["status"] == status
    assert local.get(sub)["status"] == "active"


@pytest.mark.parametrize(
    ("path", "params", "status", "param"),
    [
        ("invoices", {}, 400, "customer"),
        ("invoices", {"customer": "cus_none"}, 400, "customer"),
        ("invoices", {"customer": "C", "days_until_due": 3}, 400, "days_until_due"),
        ("invoices/in_none/pay", {}, 404, "id"),
        ("invoiceitems", {"customer": "C"}, 400, "amount"),
        ("invoiceitems", {"customer": "C", "amount": 1, "currency": "usd", "invoice": "in_none"}, 400, "invoice"),
        ("invoiceitems", {"customer": "C", "pricing": {"price": "price_none"}}, 400, "pricing[price]"),
        ("invoices/create_preview", {"customer": "cus_none"}, 400, "customer"),
    ],
)
def test_bad_input_is_refused_with_its_parameter(
    local: Local, path: str, params: dict[str, Any], status: int, param: str
) -> None:
    customer = local.customer()
    given = {key: customer["id"] if value == "C" else value for key, value in params.items()}
    refusal = local.refused(path, **given)
    assert (refusal.status, refusal.param) == (status, param)


def test_a_recurring_price_is_no_invoice_item(local: Local) -> None:
    refusal = local.refused("invoiceitems", customer=local.customer()["id"], pricing={"price": local.price()["id"]})
    assert "type=one_time" in refusal.message


def test_a_three_decimal_currency_is_billed_in_tens(local: Local) -> None:
    sub = local.subscribe(local.price(1234, currency="kwd"))
    assert local.invoices(sub)[0]["total"] == 1230
