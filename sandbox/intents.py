"""Payment intents, charges and refunds: one attempt after the other to take money from a card, and the way back."""

from decimal import Decimal

from sandbox import objects, payment_methods, payments
from sandbox.call import Call, Handler, merge_metadata
from sandbox.clock import DAY
from sandbox.errors import ApiError
from sandbox.events import emit
from sandbox.options import CARD_FEE_FIXED, CARD_FEE_PERCENT, MINIMUM_CHARGE, MINIMUM_CHARGE_ELSEWHERE
from sandbox.rating import percent_of
from sandbox.refusals import refuse
from sandbox.simple import changes, taken
from sandbox.store import Obj, Store

OWN_CODES = ("expired_card", "processing_error", "incorrect_cvc")  # the error's code; of others it is card_declined
MESSAGES = {"insufficient_funds": "Your card has insufficient funds.", "expired_card": "Your card has expired."}
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
CARD = ("brand", "country", "exp_month", "exp_year", "funding", "last4")


def attempt(store: Store, intent: Obj, method: str | None, decline: str | None) -> Obj:
    """One charge for an intent's amount, taken or declined. Returns the charge; the intent is changed and both told."""
    amount, is_paid = intent["amount"], decline is None
    card = (store.find("payment_method", method or "") or {}).get("card") or {}
    outcome = {"advice_code": None, "network_advice_code": None, "network_decline_code": None, "risk_level": "normal",
               "reason": decline, "type": "authorized" if is_paid else "issuer_declined",
               "network_status": "approved_by_network" if is_paid else "declined_by_network",
               "seller_message": "Payment complete." if is_paid else "The bank declined the payment."}  # fmt: skip
    fields = {name: intent[name] for name in ("amount", "currency", "customer", "description", "metadata")}
    if decline is not None:
        code = decline if decline in OWN_CODES else "card_declined"
        message = MESSAGES.get(decline, "Your card was declined.")
        fields |= {"failure_code": code, "failure_message": message}
    charge = objects.create(
        store, "charge", emits=False, amount_captured=amount * is_paid, captured=is_paid, outcome=outcome, paid=is_paid,
        payment_intent=intent["id"], payment_method=method, status="succeeded" if is_paid else "failed",
        payment_method_details={"card": {name: card.get(name) for name in CARD}, "type": "card"}, **fields,
    )  # fmt: skip
    intent["latest_charge"] = charge["id"]
    if decline is None:
        fee = percent_of(amount, Decimal(CARD_FEE_PERCENT)) + CARD_FEE_FIXED
        charge["balance_transaction"] = _book(store, charge, amount, "charge", fee)
        intent.update(amount_received=amount, last_payment_error=None, payment_method=method, status="succeeded")
    else:
        error = {
            "charge": charge["id"],
            "code": code,
            "decline_code": decline,
            "message": message,
            "type": "card_error",
        }
        intent.update(last_payment_error=error, payment_method=None, status="requires_payment_method")
    emit(store, f"charge.{charge['status']}", store.put(charge))
    emit(store, f"payment_intent.{'succeeded' if is_paid else 'payment_failed'}", store.put(intent))
    return charge


def _book(store: Store, source: Obj, amount: int, kind: str, fee: int = 0) -> str:
    """The account's balance changes by `amount` less the `fee`: the id of a `txn_` for a charge or a refund."""
    detail = {"amount": fee, "application": None, "currency": source["currency"], "type": "stripe_fee"}
    made = objects.create(
        store, "balance_transaction", amount=amount, available_on=store.now + 2 * DAY, currency=source["currency"],
        fee=fee, fee_details=[detail | {"description": "Stripe processing fees"}] if fee else [], net=amount - fee,
        reporting_category=kind, source=source["id"], type=kind,
    )  # fmt: skip
    return str(made["id"])


def declined(store: Store, intent: Obj) -> ApiError:
    """What a client is told of an intent's declined charge; the attempt stays on record."""
    error = intent["last_payment_error"]
    return ApiError(402, error["message"], code=error["code"], decline_code=error["decline_code"], kind="card_error",
                    keeps=True, more={"charge": error["charge"], "payment_intent": intent})  # fmt: skip


def cancel(store: Store, intent: Obj, reason: str | None) -> Obj:
    """Nothing more is asked for by this intent."""
    intent.update(status="canceled", canceled_at=store.now, cancellation_reason=reason)
    emit(store, "payment_intent.canceled", store.put(intent))
    return intent


def refund(store: Store, charge: Obj, amount: int, reason: str | None = None, metadata: Obj | None = None) -> Obj:
    """Give `amount` of a charge back. Raises ApiError 400 for more than is left of it."""
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded":
        raise refuse("charge_failed", "charge", id=charge["id"])
    if left == 0:
        raise refuse("charge_refunded", id=charge["id"])
    if not 0 < amount <= left:
        raise refuse("refund_large", "amount", amount=amount, left=left)
    named = {name: charge[name] for name in ("currency", "customer", "payment_intent")} | {"charge": charge["id"]}
    made = objects.create(store, "refund", emits=False, amount=amount, metadata=metadata or {}, reason=reason, **named)
    made["balance_transaction"] = _book(store, made, -amount, "refund")
    emit(store, "refund.created", made)
    was = charge["amount_refunded"]
    charge.update(amount_refunded=was + amount, refunded=amount == left)
    emit(store, "charge.refunded", store.put(charge), {"amount_refunded": was})
    return made


# --- routes

KEPT = ("description", "metadata", "receipt_email", "setup_future_usage", "automatic_payment_methods",
        "payment_method_types", "amount", "currency", "customer")  # fmt: skip


def _create(call: Call) -> Obj:
    params, store, fields = call.params, call.store, taken("payment_intent", call.params, None, KEPT)
    least = MINIMUM_CHARGE.get(fields["currency"], MINIMUM_CHARGE_ELSEWHERE)
    if fields["amount"] < least:
        raise refuse("amount_small", "amount", least=least, currency=fields["currency"])
    if "customer" in params:
        call.find("customer", params["customer"], "customer")
    intent = objects.create(store, "payment_intent", emits=False, **fields)
    intent["client_secret"] = store.new_id(f"{intent['id']}_secret_")
    emit(store, "payment_intent.created", _set_method(call, intent))
    return _confirmed(call, intent) if params.get("confirm") else intent


def _set_method(call: Call, intent: Obj) -> Obj:
    if "payment_method" in call.params:
        method = payment_methods.named(call.store, call.params["payment_method"], "payment_method")
        intent.update(payment_method=method["id"], status="requires_confirmation")
    return call.store.put(intent)


def _confirmed(call: Call, intent: Obj) -> Obj:
    if intent["payment_method"] is None:
        raise refuse("intent_method")
    method = intent["payment_method"]
    if attempt(call.store, intent, method, payment_methods.outcome(call.store, method))["status"] == "failed":
        raise declined(call.store, intent)
    payment = payments.payment_of(call.store, intent)
    if payment is not None and payment["status"] == "open":
        payments.credit(call.store, call.store.get("invoice", payment["invoice"]), payment)
    return intent


def _open(call: Call, act: str) -> Obj:
    intent = call.target("payment_intent")
    if intent["status"] not in OPEN:
        raise refuse("intent_status", act=act, status=intent["status"])
    return intent


def _cancel(call: Call) -> Obj:
    intent = _open(call, "cancel")
    if (payments.payment_of(call.store, intent) or {}).get("is_default"):
        raise refuse("intent_of_invoice")
    return cancel(call.store, intent, call.params.get("cancellation_reason"))


def _update(call: Call) -> Obj:
    """Metadata and description always; what is to be paid, and how, while it is not."""
    intent = call.target("payment_intent")
    if {"amount", "currency", "customer", "payment_method"} & set(call.params):
        _set_method(call, _open(call, "update"))
    intent.update(taken("payment_intent", call.params, intent, KEPT))
    return call.store.put(intent)


def _refund(call: Call) -> Obj:
    params, found = call.params, {}
    if ("charge" in params) == ("payment_intent" in params):
        raise refuse("one_of", names="payment_intent, charge")
    if "payment_intent" in params:
        found = call.find("payment_intent", params["payment_intent"], "payment_intent")
        if found["status"] != "succeeded":
            raise refuse("intent_status", "payment_intent", act="refund", status=found["status"])
    charge = call.find("charge", found.get("latest_charge") or params.get("charge"), "charge")
    amount = params.get("amount", charge["amount"] - charge["amount_refunded"])
    return refund(call.store, charge, amount, params.get("reason"), merge_metadata({}, params.get("metadata", {})))


def _cancel_refund(call: Call) -> Obj:
    """Only refunds that wait for the customer can be canceled, and those to cards never wait."""
    raise refuse("refund_status", status=call.target("refund")["status"])


ROUTES: dict[str, Handler] = {
    "POST /v1/payment_intents": _create,
    "POST /v1/payment_intents/{id}": _update,
    "POST /v1/payment_intents/{id}/confirm": lambda call: _confirmed(call, _set_method(call, _open(call, "confirm"))),
    "POST /v1/payment_intents/{id}/cancel": _cancel,
    "POST /v1/charges/{id}": changes("charge"),
    "POST /v1/refunds": _refund,
    "POST /v1/refunds/{id}": changes("refund"),
    "POST /v1/refunds/{id}/cancel": _cancel_refund,
}
