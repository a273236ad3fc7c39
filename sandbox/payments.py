"""Collecting invoices: customer balance, attempts, partial payments, retries and dunning (stripe.md 4.10)."""

from typing import Any

from sandbox import intents, invoices, objects, payment_methods, subscriptions, waterfall
from sandbox.clock import DAY
from sandbox.events import emit
from sandbox.options import AFTER_LAST_RETRY, RETRY_DAYS
from sandbox.store import Obj, Store

NO_METHOD = "no_payment_method"  # why an attempt fails that has no card to charge


def subscription_of(store: Store, invoice: Obj) -> Obj | None:
    """The subscription that an invoice bills, if any."""
    details = (invoice["parent"] or {}).get("subscription_details")
    return store.find("subscription", details["subscription"]) if details else None


def move_balance(store: Store, customer: Obj, amount: int, kind: str, **fields: Any) -> Obj:
    """Add `amount` (negative: credit) to the customer's balance and record why. Returns the transaction."""
    ending = customer["balance"] + amount
    named = {"amount": amount, "currency": customer["currency"], "customer": customer["id"], "ending_balance": ending}
    moved = objects.create(store, "customer_balance_transaction", parent=customer["id"], **named | fields, type=kind)
    objects.update(store, customer, balance=ending, currency=customer["currency"] or moved["currency"])
    return moved


def shares_balance(customer: Obj, invoice: Obj) -> bool:
    """Whether the customer's balance is money of the invoice's currency: otherwise neither changes the other."""
    return customer["currency"] in (None, invoice["currency"])


def settlement(customer: Obj, invoice: Obj) -> waterfall.Settlement:
    """What is due of an invoice after the customer's balance.

    In another currency than the balance's, what is too small to charge is not asked for, and a negative total is no
    credit: there is no balance to keep them.
    """
    if shares_balance(customer, invoice):
        return waterfall.settle(invoice["total"], customer["balance"], invoice["currency"])
    return waterfall.Settlement(waterfall.settle(invoice["total"], 0, invoice["currency"]).due, customer["balance"])


# --- what is asked for


def ask(store: Store, invoice: Obj) -> None:
    """A payment intent for what a newly opened invoice asks, as its default payment."""
    if invoice["amount_remaining"]:
        named = {name: invoice[name] for name in ("currency", "customer")}
        named |= {"amount": invoice["amount_remaining"], "description": f"Payment for Invoice {invoice['number']}"}
        attach(store, invoice, objects.create(store, "payment_intent", **named), id=_default_id(invoice))


def attach(store: Store, invoice: Obj, intent: Obj, **fields: Any) -> Obj:
    """Link an intent to an invoice as one of its payments; that with an id of its own is the invoice's default."""
    link = {"payment_intent": intent["id"], "type": "payment_intent"}
    return objects.create(
        store, "invoice_payment", emits=False, parent=intent["id"], invoice=invoice["id"], payment=link,
        amount_requested=intent["amount"], currency=invoice["currency"], is_default="id" in fields, **fields,
    )  # fmt: skip


def _default_id(invoice: Obj) -> str:
    """The default payment is found from its invoice without a search."""
    return f"inpay_{invoice['id'].removeprefix('in_')}"


def default_payment(store: Store, invoice: Obj) -> Obj | None:
    """The open payment that the invoice itself asks for, if it does."""
    found = store.find("invoice_payment", _default_id(invoice))
    return found if found and found["status"] == "open" else None


def payment_of(store: Store, intent: Obj) -> Obj | None:
    """The invoice payment that an intent is attached as, if it is."""
    return next(iter(store.rows("invoice_payment", parent=intent["id"])), None)


def intent_of(store: Store, payment: Obj) -> Obj:
    """The intent behind one of an invoice's payments."""
    return store.get("payment_intent", payment["payment"]["payment_intent"])


def withdraw(store: Store, invoice: Obj) -> None:
    """The invoice no longer asks for money."""
    for payment in store.rows("invoice_payment", invoice=invoice["id"], status="open"):
        payment["status_transitions"]["canceled_at"] = store.now
        objects.update(store, payment, emits=False, status="canceled")
        if (intent := intent_of(store, payment))["status"] in intents.OPEN:
            intents.cancel(store, intent, "void_invoice" if invoice["status"] == "void" else None)


# --- attempts


def collect(store: Store, invoice: Obj) -> Obj:
    """The automatic step after finalisation: settle, send, or charge. A decline is no error: look at the status."""
    if invoice["status"] != "open" or not invoice["auto_advance"]:
        return invoice
    pause = invoices.pause_of(subscription_of(store, invoice))
    if pause == "void":
        invoices.void(store, invoice)
    elif pause == "mark_uncollectible":
        recover(store, invoices.give_up(store, invoice, "subscription_paused"))
    elif invoice["amount_remaining"] == 0:
        settle(store, invoice)
    elif invoice["collection_method"] == "send_invoice":
        emit(store, "invoice.sent", invoice)
    else:
        attempt(store, invoice)
    return invoice


def attempt(store: Store, invoice: Obj, method: Obj | None = None, *, by_hand: bool = False) -> str | None:
    """Try to charge what remains of an open invoice: None if paid, else the decline code.

    The world decides for its own customers, unless a `method` is given; for others the card does. Retries by hand are
    not counted after the first attempt, and leave the automatic ones as they are.
    """
    before = {name: invoice[name] for name in ("attempt_count", "attempted", "next_payment_attempt")}
    is_counted = not by_hand or invoice["attempt_count"] == 0
    invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + is_counted)
    told = None if method else store.world.pays(store, invoice, invoice["attempt_count"])
    if method is None:
        sub, customer = subscription_of(store, invoice), store.get("customer", invoice["customer"])
        named = invoice["default_payment_method"] or (sub and sub["default_payment_method"])
        named = named or customer["invoice_settings"].get("default_payment_method") or customer["default_source"]
        method = store.find("payment_method", named) if named else None
    decline = None if told == "succeeds" else told
    if told is None:
        decline = payment_methods.outcome(store, method["id"]) if method else NO_METHOD
    if default_payment(store, invoice) is None:
        ask(store, invoice)
    payment = store.get("invoice_payment", _default_id(invoice))
    if decline != NO_METHOD:
        intents.attempt(store, intent_of(store, payment), method["id"] if method else None, decline)
    if decline is None:
        credit(store, invoice, payment)
    else:
        _fail(store, invoice, before, is_counted)
    return decline


def credit(store: Store, invoice: Obj, payment: Obj) -> None:
    """One of an invoice's payments came in: count it; what is over becomes credit of the customer."""
    received, was = intent_of(store, payment)["amount_received"], invoice["amount_paid"]
    over = max(received - invoice["amount_remaining"], 0)
    objects.become(store, payment, "paid", amount_paid=received, status="paid")
    invoice.update(amount_paid=was + received, amount_overpaid=invoice["amount_overpaid"] + over)
    customer = store.get("customer", invoice["customer"])
    if over and shares_balance(customer, invoice):
        move_balance(store, customer, -over, "invoice_overpaid", invoice=invoice["id"])
    reduce(store, invoice, received - over, amount_paid=was)


def reduce(store: Store, invoice: Obj, amount: int, **before: int) -> None:
    """So much less of an invoice remains to be paid: it is paid if that is all, else its default payment asks for less.

    before: what else has changed of the invoice, as it was.
    """
    before["amount_remaining"] = invoice["amount_remaining"]
    invoice["amount_remaining"] -= amount
    if amount and not invoice["amount_remaining"]:
        settle(store, invoice)
        return
    if payment := default_payment(store, invoice):
        objects.update(store, payment, emits=False, amount_requested=invoice["amount_remaining"])
        objects.update(store, intent_of(store, payment), emits=False, amount=invoice["amount_remaining"])
    objects.tell(store, invoice, before)


def settle(store: Store, invoice: Obj) -> None:
    """Nothing remains to be paid: the invoice is paid, and its subscription and customer in good standing again."""
    if default_payment(store, invoice):
        withdraw(store, invoice)
    objects.become(store, invoice, "paid", status="paid", attempted=True, amount_remaining=0,
                   next_payment_attempt=None, status_details=None)  # fmt: skip
    emit(store, "invoice.payment_succeeded", invoice)
    recover(store, invoice)
    if sub := subscription_of(store, invoice):
        if sub["status"] == "incomplete":
            subscriptions.save(store, sub, status="active")
        subscriptions.paid(store, sub, invoice)


def recover(store: Store, invoice: Obj) -> Obj:
    """An invoice is no longer open: its customer and subscription may be in good standing again."""
    customer, sub = store.get("customer", invoice["customer"]), subscription_of(store, invoice)
    if customer["delinquent"] and not _owes(store, customer=customer["id"]):
        objects.update(store, customer, delinquent=False)
    if sub is None or sub["status"] not in ("past_due", "unpaid"):
        return invoice
    if not (_is_latest_open(store, sub) and _owes(store, subscription=sub["id"])):
        subscriptions.save(store, sub, status="active")
    return invoice


def _is_latest_open(store: Store, sub: Obj) -> bool:
    """Whether the subscription's latest finalised invoice is open: whatever older ones are, it decides."""
    told = [one["status"] for one in store.rows("invoice", subscription=sub["id"]) if one["status"] != "draft"]
    return told[-1:] == ["open"]


def _owes(store: Store, **owner: str) -> bool:
    """Whether an open invoice was asked for in vain."""
    found = store.rows("invoice", status="open", **owner)
    return any(one["attempted"] or (one["due_date"] or store.now) < store.now for one in found)


# --- dunning


def _fail(store: Store, invoice: Obj, before: Obj, is_counted: bool) -> None:
    """After an attempt in vain: plan the next one, past due, and after the last what the account has chosen."""
    count, sub = invoice["attempt_count"], subscription_of(store, invoice)
    is_first, is_over = invoice["billing_reason"] == "subscription_create", count > len(RETRY_DAYS)
    if is_counted:  # Stripe waits for the customer to pay a first invoice
        again = invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically" and not is_first
        days = RETRY_DAYS[count - 1] - (0, *RETRY_DAYS)[count - 1] if again and not is_over else 0
        invoices.plan(store, invoice, store.now + days * DAY if days else None)
    emit(store, "invoice.payment_failed", invoice)
    objects.tell(store, invoice, before)
    if not is_counted or is_first:
        return
    fall_behind(store, invoice)
    if not is_over or sub is None or sub["status"] not in ("past_due", "unpaid"):
        return
    if AFTER_LAST_RETRY == "unpaid":
        subscriptions.save(store, sub, status="unpaid")
    elif AFTER_LAST_RETRY == "cancel":
        invoices.give_up(store, invoice, "max_payment_attempts")
        subscriptions.end(store, sub, "payment_failed")


def fall_behind(store: Store, invoice: Obj) -> None:
    """The customer owes what should have been paid by now."""
    sub = subscription_of(store, invoice)
    objects.update(store, store.get("customer", invoice["customer"]), delinquent=True)
    if sub is None or sub["status"] != "active" or (sub["pending_update"] and sub["latest_invoice"] == invoice["id"]):
        return
    if _is_latest_open(store, sub):
        subscriptions.save(store, sub, status="past_due")
