"""Collecting invoices: attempts, retries and dunning, partial payments, payment intents and refunds."""

from typing import Any

import pytest

from sandbox.errors import ApiError
from tests.sandbox.local import DAY, Local, local
from tests.sandbox.one_off import act, one_off, opened

__all__ = ["local"]

POOR = "pm_card_chargeDeclinedInsufficientFunds"


def failing(local: Local, **params: Any) -> tuple[Any, Any]:
    """A subscription whose card fails since its first payment, on the day after its renewal, and the invoice."""
    customer = local.customer()
    sub = local.subscribe(local.price(), customer=customer, **params)
    set_card(local, customer, "pm_card_chargeCustomerFail")
    local.advance(31)
    return sub, local.invoices(sub)[-1]


def set_card(local: Local, customer: Any, card: str) -> None:
    method = local.post(f"payment_methods/{card}/attach", customer=customer["id"])
    local.post(f"customers/{customer['id']}", invoice_settings={"default_payment_method": method["id"]})


def declined(local: Local, path: str, **params: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        local.post(path, **params)
    assert (caught.value.status, caught.value.kind) == (402, "card_error")
    return caught.value


def test_a_failed_renewal_is_past_due_and_tried_again_on_days_three_five_and_seven(local: Local) -> None:
    sub, invoice = failing(local)
    first = invoice["status_transitions"]["finalized_at"]
    assert (invoice["status"], invoice["attempt_count"], local.get(sub)["status"]) == ("open", 1, "past_due")
    assert invoice["next_payment_attempt"] == first + 3 * DAY
    assert local.store.get("customer", sub["customer"])["delinquent"]
    for count, day in ((2, 5), (3, 7)):
        local.advance(to=first + day * DAY - DAY)
        assert (invoice["attempt_count"], invoice["next_payment_attempt"]) == (count, first + day * DAY)
    told = local.events(invoice, "invoice.updated")[0]["data"]["previous_attributes"]
    assert told == {"attempt_count": 0, "attempted": False, "next_payment_attempt": None}


def test_after_the_last_retry_the_subscription_ends_and_the_invoice_is_given_up(local: Local) -> None:
    sub, invoice = failing(local)
    local.advance(8)
    assert (invoice["attempt_count"], invoice["status"]) == (4, "uncollectible")
    assert invoice["status_details"] == {"uncollectible": {"reason": "max_payment_attempts"}}
    ended = local.get(sub)
    assert (ended["status"], ended["cancellation_details"]["reason"]) == ("canceled", "payment_failed")


@pytest.mark.parametrize("choice", ["unpaid", "past_due"])
def test_an_account_may_keep_the_subscription_after_the_last_retry(
    local: Local, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    monkeypatch.setattr("sandbox.payments.AFTER_LAST_RETRY", choice)
    sub, invoice = failing(local)
    local.advance(32)
    assert (invoice["status"], invoice["next_payment_attempt"], local.get(sub)["status"]) == ("open", None, choice)
    newest = local.invoices(sub)[-1]
    assert newest["status"] == ("draft" if choice == "unpaid" else "open")


def test_paying_the_old_invoice_brings_the_subscription_back(local: Local) -> None:
    sub, invoice = failing(local)
    set_card(local, local.store.get("customer", sub["customer"]), "pm_card_visa")
    local.advance(3)
    assert (invoice["status"], invoice["attempt_count"], local.get(sub)["status"]) == ("paid", 2, "active")
    assert not local.store.get("customer", sub["customer"])["delinquent"]


def test_a_declined_payment_by_hand_stays_on_record_and_is_not_counted_twice(local: Local) -> None:
    invoice = opened(local, customer=local.customer(POOR))
    for _ in range(2):
        error = declined(local, f"invoices/{invoice['id']}/pay")
        assert (error.code, error.decline_code) == ("card_declined", "insufficient_funds")
    assert (invoice["status"], invoice["attempt_count"], invoice["attempted"]) == ("open", 1, True)
    charges = local.store.rows("charge", customer=invoice["customer"])
    assert [(charge["status"], charge["outcome"]["reason"]) for charge in charges] == [
        ("failed", "insufficient_funds")
    ] * 2
    intent = local.store.get("payment_intent", charges[0]["payment_intent"])
    assert (intent["status"], intent["last_payment_error"]["code"]) == ("requires_payment_method", "card_declined")
    assert act(local, invoice, "pay", payment_method="pm_card_visa")["status"] == "paid"
    assert intent["status"] == "succeeded"


def test_without_a_payment_method_an_invoice_cannot_be_paid(local: Local) -> None:
    invoice = opened(local, customer=local.customer(None))
    assert local.refused(f"invoices/{invoice['id']}/pay").code == "resource_missing"


def test_an_invoice_paid_elsewhere_or_forgiven_asks_no_more(local: Local) -> None:
    elsewhere = act(local, opened(local), "pay", paid_out_of_band=True)
    assert (elsewhere["status"], elsewhere["amount_paid_off_stripe"], elsewhere["amount_remaining"]) == (
        "paid",
        4000,
        0,
    )
    forgiven = act(local, opened(local, customer=local.customer(POOR)), "pay", forgive=True)
    assert (forgiven["status"], forgiven["amount_paid"], forgiven["amount_remaining"]) == ("paid", 0, 0)


def test_several_payments_pay_an_invoice_together(local: Local) -> None:
    invoice = opened(local, 4000, collection_method="send_invoice", days_until_due=5)
    paid = local.post("payment_intents", amount=1500, currency="usd", payment_method="pm_card_visa", confirm=True)
    act(local, invoice, "attach_payment", payment_intent=paid["id"])
    assert (invoice["status"], invoice["amount_paid"], invoice["amount_remaining"]) == ("open", 1500, 2500)
    later = local.post("payment_intents", amount=3000, currency="usd", payment_method="pm_card_visa")
    act(local, invoice, "attach_payment", payment_intent=later["id"])
    assert invoice["amount_remaining"] == 2500
    local.post(f"payment_intents/{later['id']}/confirm")
    assert (invoice["status"], invoice["amount_paid"], invoice["amount_overpaid"]) == ("paid", 4500, 500)
    assert local.store.get("customer", invoice["customer"])["balance"] == -500
    payments = local.store.rows("invoice_payment", invoice=invoice["id"])
    assert [(one["is_default"], one["status"]) for one in payments] == [
        (True, "canceled"),
        (False, "paid"),
        (False, "paid"),
    ]
    assert local.refused(f"invoices/{opened(local)['id']}/attach_payment", payment_intent=paid["id"]).status == 400


def test_a_sent_invoice_that_is_not_paid_by_its_date_is_overdue(local: Local) -> None:
    sub = local.subscribe(local.price(), collection_method="send_invoice", days_until_due=10)
    (invoice,) = local.invoices(sub)
    assert (invoice["status"], sub["status"]) == ("open", "active")
    local.advance(9)
    assert local.get(sub)["status"] == "active"
    local.advance(2)
    assert local.get(sub)["status"] == "past_due"
    assert local.types(invoice)[-1] == "invoice.overdue"
    act(local, invoice, "pay")
    assert local.get(sub)["status"] == "active"


def test_an_intent_is_confirmed_canceled_and_nothing_after_that(local: Local) -> None:
    customer = local.customer()
    intent = local.post("payment_intents", amount=1000, currency="usd", customer=customer["id"])
    assert intent["status"] == "requires_payment_method"
    assert local.refused(f"payment_intents/{intent['id']}/confirm").code == "payment_intent_unexpected_state"
    intent = local.post(
        f"payment_intents/{intent['id']}", payment_method="pm_card_visa", metadata={"a": "1"}, amount=1100
    )
    assert (intent["status"], intent["amount"]) == ("requires_confirmation", 1100)
    local.post(f"payment_intents/{intent['id']}/confirm")
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 1100)
    for path in ("confirm", "cancel"):
        assert local.refused(f"payment_intents/{intent['id']}/{path}").code == "payment_intent_unexpected_state"
    assert local.refused("payment_intents", amount=49, currency="usd").code == "amount_too_small"
    other = local.post("payment_intents", amount=900, currency="usd")
    assert local.post(f"payment_intents/{other['id']}/cancel", cancellation_reason="abandoned")["status"] == "canceled"


def test_an_intent_with_a_bad_card_fails_and_can_be_paid_with_another(local: Local) -> None:
    made = {"amount": 1000, "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": True}
    error = declined(local, "payment_intents", **made)
    assert error.decline_code == "generic_decline"
    intent = error.more["payment_intent"]
    local.post(f"payment_intents/{intent['id']}/confirm", payment_method="pm_card_visa")
    assert local.get(intent)["status"] == "succeeded"


def test_an_invoices_own_intent_is_not_canceled_by_hand(local: Local) -> None:
    opened(local)
    (intent,) = local.store.rows("payment_intent")
    assert local.refused(f"payment_intents/{intent['id']}/cancel").status == 400


def test_a_charge_is_refunded_in_parts_up_to_what_it_was(local: Local) -> None:
    invoice = act(local, opened(local, 4000), "pay")
    (charge,) = local.store.rows("charge", customer=invoice["customer"])
    part = local.post("refunds", charge=charge["id"], amount=1500, reason="requested_by_customer")
    assert (part["status"], charge["amount_refunded"], charge["refunded"]) == ("succeeded", 1500, False)
    assert local.store.get("balance_transaction", part["balance_transaction"])["net"] == -1500
    assert local.refused("refunds", charge=charge["id"], amount=2501).param == "amount"
    rest = local.post("refunds", payment_intent=charge["payment_intent"])
    assert (rest["amount"], local.get(charge)["refunded"]) == (2500, True)
    assert local.refused("refunds", charge=charge["id"]).code == "charge_already_refunded"
    assert local.refused("refunds").status == 400
    assert local.types(charge) == ["charge.succeeded", "charge.refunded", "charge.refunded"]


def test_nothing_is_refunded_of_a_charge_that_failed(local: Local) -> None:
    invoice = opened(local, customer=local.customer(POOR))
    declined(local, f"invoices/{invoice['id']}/pay")
    (charge,) = local.store.rows("charge", customer=invoice["customer"])
    assert local.refused("refunds", charge=charge["id"]).status == 400


def test_a_subscriptions_own_card_comes_before_the_customers(local: Local) -> None:
    customer = local.customer(POOR)
    good = local.post("payment_methods/pm_card_visa/attach", customer=customer["id"])
    sub = local.subscribe(local.price(), customer=customer, default_payment_method=good["id"])
    assert sub["status"] == "active"


def test_a_draft_is_finalised_when_it_is_paid(local: Local) -> None:
    paid = act(local, one_off(local), "pay")
    assert (paid["status"], paid["number"] is None) == ("paid", False)


@pytest.mark.parametrize("end", ["pay", "void", "mark_uncollectible"])
def test_the_end_of_its_latest_invoice_brings_a_subscription_back(local: Local, end: str) -> None:
    sub, invoice = failing(local)
    customer = local.get({"id": sub["customer"]})
    assert (local.get(sub)["status"], customer["delinquent"]) == ("past_due", True)
    act(local, invoice, end, **({"payment_method": "pm_card_visa"} if end == "pay" else {}))
    assert (local.get(sub)["status"], local.get(customer)["delinquent"]) == ("active", False)


def test_a_subscription_is_back_with_its_latest_invoice_though_an_older_one_is_open(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.payments.AFTER_LAST_RETRY", "past_due")
    sub, older = failing(local)
    local.advance(32)
    latest = local.invoices(sub)[-1]
    assert (latest["status"], latest["attempted"], older["status"]) == ("open", True, "open")
    act(local, latest, "pay", payment_method="pm_card_visa")
    assert (local.get(sub)["status"], local.get({"id": sub["customer"]})["delinquent"]) == ("active", True)
    act(local, older, "void")
    assert local.get({"id": sub["customer"]})["delinquent"] is False


@pytest.mark.parametrize("by", ["charge", "payment_intent"])
def test_a_refund_for_a_customer_of_a_test_clock_is_made_in_its_time(local: Local, by: str) -> None:
    clock = local.post("test_helpers/test_clocks", frozen_time=local.now + 90 * DAY)
    customer = local.customer(test_clock=clock["id"])
    local.subscribe(local.price(), customer=customer)
    (paid,) = local.store.rows(by, customer=customer["id"])
    assert local.post("refunds", **{by: paid["id"]})["created"] == clock["frozen_time"]
