"""Credit notes: what they take off an open invoice, and what they give back of a paid one."""

from typing import Any

import pytest

from sandbox import credit_notes
from tests.sandbox.local import Local, local
from tests.sandbox.one_off import act, one_off, opened

__all__ = ["local"]


def paid(local: Local, amount: int = 4000) -> Any:
    return act(local, opened(local, amount), "pay")


def test_a_note_on_an_open_invoice_lowers_what_remains_and_can_be_voided(local: Local) -> None:
    invoice = opened(local, 4000)
    note = local.post("credit_notes", invoice=invoice["id"], amount=500, memo="sorry", reason="product_unsatisfactory")
    assert (note["type"], note["pre_payment_amount"], note["post_payment_amount"]) == ("pre_payment", 500, 0)
    assert note["number"] == f"{invoice['number']}-CN-01"
    assert (invoice["amount_remaining"], invoice["amount_due"], invoice["total"]) == (3500, 3500, 4000)
    assert invoice["pre_payment_credit_notes_amount"] == 500
    (intent,) = local.store.rows("payment_intent")
    assert intent["amount"] == 3500
    local.post(f"credit_notes/{note['id']}/void")
    assert (note["status"], invoice["amount_remaining"], invoice["pre_payment_credit_notes_amount"]) == (
        "void",
        4000,
        0,
    )
    assert local.types(note) == ["credit_note.created", "credit_note.voided"]
    assert act(local, invoice, "pay")["amount_paid"] == 4000


def test_a_note_over_all_that_remains_pays_the_invoice(local: Local) -> None:
    invoice = opened(local, 4000)
    note = local.post("credit_notes", invoice=invoice["id"], amount=4000)
    assert (invoice["status"], invoice["amount_remaining"], invoice["amount_paid"]) == ("paid", 0, 0)
    assert local.refused(f"credit_notes/{note['id']}/void").status == 400


def test_a_note_on_a_paid_invoice_is_split_between_balance_card_and_elsewhere(local: Local) -> None:
    invoice = paid(local)
    split = {"credit_amount": 200, "refund_amount": 700, "out_of_band_amount": 100}
    note = local.post("credit_notes", invoice=invoice["id"], amount=1000, **split)
    assert (note["type"], note["post_payment_amount"], note["out_of_band_amount"]) == ("post_payment", 1000, 100)
    assert invoice["post_payment_credit_notes_amount"] == 1000
    moved = local.store.get("customer_balance_transaction", note["customer_balance_transaction"])
    assert (moved["amount"], moved["type"], moved["credit_note"]) == (-200, "credit_note", note["id"])
    refund = local.store.get("refund", note["refunds"][0]["refund"])
    (charge,) = local.store.rows("charge", customer=invoice["customer"])
    assert (refund["amount"], charge["amount_refunded"]) == (700, 700)


def test_a_note_may_be_partly_before_and_partly_after_payment(local: Local) -> None:
    invoice = opened(local, 4000)
    intent = local.post("payment_intents", amount=3000, currency="usd", payment_method="pm_card_visa", confirm=True)
    act(local, invoice, "attach_payment", payment_intent=intent["id"])
    note = local.post("credit_notes", invoice=invoice["id"], amount=1500, credit_amount=500)
    assert (note["type"], note["pre_payment_amount"], note["post_payment_amount"]) == ("mixed", 1000, 500)
    assert (invoice["status"], invoice["amount_remaining"]) == ("paid", 0)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"amount": 4001, "credit_amount": 4001}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": 1000}, "credit_amount"),
        ({"amount": 1000, "credit_amount": 999}, "credit_amount"),
        ({"amount": 1000, "credit_amount": 1500, "refund_amount": -500}, "credit_amount"),
        ({}, "amount"),
        ({"lines": [{"type": "invoice_line_item", "invoice_line_item": "il_none"}]}, "lines[0][invoice_line_item]"),
        ({"lines": [{"type": "custom_line_item"}]}, "lines[0][unit_amount]"),
    ],
)
def test_a_note_that_does_not_add_up_is_refused(local: Local, params: dict[str, Any], param: str) -> None:
    refusal = local.refused("credit_notes", invoice=paid(local)["id"], **params)
    assert (refusal.status, refusal.param) == (400, param)


def test_notes_and_refunds_together_never_exceed_the_invoice(local: Local) -> None:
    invoice = paid(local)
    (charge,) = local.store.rows("charge", customer=invoice["customer"])
    refund = local.post("refunds", charge=charge["id"], amount=1000)
    local.post("credit_notes", invoice=invoice["id"], amount=2000, refund_amount=2000)
    assert local.refused("credit_notes", invoice=invoice["id"], amount=1001, credit_amount=1001).param == "amount"
    linked = [{"refund": refund["id"], "amount_refunded": 1000}]
    assert (
        local.refused("credit_notes", invoice=invoice["id"], amount=1000, refunds=linked, credit_amount=1).status == 400
    )
    local.post("credit_notes", invoice=invoice["id"], amount=1000, credit_amount=1000)


def test_an_open_invoice_takes_no_split(local: Local) -> None:
    assert local.refused("credit_notes", invoice=opened(local)["id"], amount=100, credit_amount=100).status == 400


@pytest.mark.parametrize("status", ["draft", "void"])
def test_drafts_and_void_invoices_take_no_note(local: Local, status: str) -> None:
    invoice = one_off(local) if status == "draft" else act(local, opened(local), "void")
    assert local.refused("credit_notes", invoice=invoice["id"], amount=100).param == "invoice"


def test_a_note_by_lines_takes_their_discounts_and_taxes_in_proportion(local: Local) -> None:
    vat = local.plant("tax_rate", id="txr_vat", percentage=20, inclusive=False, display_name="VAT")
    coupon = local.post("coupons", percent_off=10, duration="once")
    invoice = one_off(local, 10_000)
    local.post(f"invoices/{invoice['id']}", discounts=[{"coupon": coupon["id"]}], default_tax_rates=[vat["id"]])
    act(local, invoice, "finalize")
    assert invoice["total"] == 10_800
    (line,) = invoice["lines"]["data"]
    given = [
        {"type": "invoice_line_item", "invoice_line_item": line["id"], "amount": 2500},
        {"type": "custom_line_item", "description": "bad day", "unit_amount": 100, "quantity": 2},
    ]
    note = local.post("credit_notes", invoice=invoice["id"], lines=given)
    assert (note["subtotal"], note["discount_amount"], note["total"]) == (2700, 250, 2500 - 250 + 450 + 200)
    assert [row["type"] for row in note["lines"]["data"]] == ["invoice_line_item", "custom_line_item"]
    assert invoice["amount_remaining"] == 10_800 - 2900


def test_a_preview_shows_the_note_and_changes_nothing(local: Local) -> None:
    invoice = paid(local)
    before = local.state()
    shown = local.call(
        "GET", "/v1/credit_notes/preview", {"invoice": invoice["id"], "amount": 300, "credit_amount": 300}
    )
    assert (shown["amount"], shown["post_payment_amount"]) == (300, 300)
    page = local.call(
        "GET", "/v1/credit_notes/preview/lines", {"invoice": invoice["id"], "amount": 300, "credit_amount": 300}
    )
    assert [row["amount"] for row in page.rows] == [300]
    assert local.state() == before


def test_memo_and_metadata_can_be_changed(local: Local) -> None:
    note = local.post("credit_notes", invoice=opened(local)["id"], amount=100)
    local.post(f"credit_notes/{note['id']}", memo="better", metadata={"a": "b"})
    assert (note["memo"], note["metadata"]) == ("better", {"a": "b"})


def test_a_bad_days_note_is_left_out_where_refunds_have_left_nothing_to_credit(local: Local) -> None:
    invoice = paid(local)
    with local.store.transaction():
        note = credit_notes.create_for(local.store, invoice, 10)
    assert note is not None
    assert (note["total"], note["type"], local.store.get("customer", invoice["customer"])["balance"]) == (
        400,
        "post_payment",
        -400,
    )
    (charge,) = local.store.rows("charge", customer=invoice["customer"])
    local.post("refunds", charge=charge["id"])
    with local.store.transaction():
        assert credit_notes.create_for(local.store, invoice, 10) is None


def test_a_refund_is_linked_to_notes_up_to_its_amount_and_the_rest_of_it_lowers_what_can_be_credited(
    local: Local,
) -> None:
    invoice = paid(local, 3000)
    (charge,) = local.store.rows("charge", customer=invoice["customer"])
    refund = local.post("refunds", charge=charge["id"], amount=1000)

    def linked(amount: int) -> dict[str, Any]:
        return {"amount": amount, "refunds": [{"refund": refund["id"], "amount_refunded": amount}]}

    assert local.refused("credit_notes", invoice=invoice["id"], **linked(1001)).param == "refunds[0][amount_refunded]"
    local.post("credit_notes", invoice=invoice["id"], **linked(400))
    assert local.refused("credit_notes", invoice=invoice["id"], **linked(601)).status == 400
    assert local.refused("credit_notes", invoice=invoice["id"], amount=2001, credit_amount=2001).param == "amount"
    local.post("credit_notes", invoice=invoice["id"], amount=2000, credit_amount=2000)
    rest = local.post("credit_notes", invoice=invoice["id"], amount=600, refunds=[{"refund": refund["id"]}])
    assert rest["refunds"][0]["amount_refunded"] == 600


def test_notes_credit_no_more_of_a_line_than_its_amount(local: Local) -> None:
    invoice = one_off(local, 1000)
    local.post("invoiceitems", customer=invoice["customer"], invoice=invoice["id"], amount=5000, currency="usd")
    act(local, invoice, "finalize", auto_advance=False)
    line = invoice["lines"]["data"][0]["id"]

    def of_line(*amounts: int) -> list[dict[str, Any]]:
        return [{"type": "invoice_line_item", "invoice_line_item": line, "amount": amount} for amount in amounts]

    assert local.refused("credit_notes", invoice=invoice["id"], lines=of_line(600, 401)).param == "lines[1][amount]"
    note = local.post("credit_notes", invoice=invoice["id"], lines=of_line(600))
    assert local.refused("credit_notes", invoice=invoice["id"], lines=of_line(401)).param == "lines[0][amount]"
    local.post(f"credit_notes/{note['id']}/void")
    local.post("credit_notes", invoice=invoice["id"], lines=of_line(1000))


def test_a_note_in_another_currency_than_the_customers_gives_no_credit_to_the_balance(local: Local) -> None:
    customer = local.customer()
    local.subscribe(local.price(), customer=customer)
    invoice = local.post("invoices", customer=customer["id"], currency="eur")
    local.post("invoiceitems", customer=customer["id"], invoice=invoice["id"], amount=3000, currency="eur")
    act(local, invoice, "pay")
    refusal = local.refused("credit_notes", invoice=invoice["id"], amount=3000, credit_amount=3000)
    assert refusal.param == "credit_amount"
    local.post("credit_notes", invoice=invoice["id"], amount=3000, refund_amount=3000)
    assert local.get(customer)["balance"] == 0
