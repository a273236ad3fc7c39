"""Payment intents, charges and refunds: one attempt after the other to take money from a card, and the way back."""

from decimal import Decimal

from sandbox import objects, payment_methods, payments
from sandbox.call import Call, Handler, merge_metadata
from sandbox.clock import DAY
from sandbox.errors import ApiError
from sandbox.options import CARD_FEE_FIXED, CARD_FEE_PERCENT, MINIMUM_CHARGE, MINIMUM_CHARGE_ELSEWHERE
from sandbox.rating import percent_of
from sandbox.refusals import refuse
from sandbox.simple import changes, taken
from sandbox.store import Obj, Store

OWN_CODES = ("expired_card", "processing_error", "incorrect_cvc")  # the error's code; of others it is card_declined
MESSAGES = {"insufficient_funds": "Your card has insufficient funds.", "expired_card": "Your card has expired."}
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
CARD = ("brand", "country", "exp_month", "exp_year", "funding", "last4")
AUTHORIZED = {
    "advice_code": None, "network_advice_code": None, "network_decline_code": None, "reason": None,
    "network_status": "approved_by_network", "risk_level": "normal", "seller_message": "Payment complete.",
    "type": "authorized",
}  # fmt: skip
DECLINED = AUTHORIZED | {"network_status": "declined_by_network", "type": "issuer_declined",
                         "seller_message": "The bank declined the payment."}  # fmt: skip


def attempt(store: Store, intent: Obj, method: str | None, decline: str | None) -> Obj:
    """One charge for an intent's amount, taken, or failed with a decline code. Returns the intent; both are told."""
    amount, found = intent["amount"], store.find("payment_method", method) if method else None
    card = {name: found["card"].get(name) if found else None for name in CARD}
    named = {name: intent[name] for name in ("amount", "currency", "customer", "description", "metadata")}
    charge = objects.create(
        store, "charge", emits=False, payment_intent=intent["id"], payment_method=method,
        payment_method_details={"card": card, "type": "card"}, **named,
    )  # fmt: skip
    intent["latest_charge"] = charge["id"]
    if decline is None:
        fee = percent_of(amount, Decimal(CARD_FEE_PERCENT)) + CARD_FEE_FIXED
        booked = _book(store, charge, amount, fee)
        objects.become(store, charge, "succeeded", amount_captured=amount, balance_transaction=booked,
                       outcome=AUTHORIZED, paid=True)  # fmt: skip
        return objects.become(store, intent, "succeeded", amount_received=amount, last_payment_error=None,
                              payment_method=method, status="succeeded")  # fmt: skip
    code, text = decline if decline in OWN_CODES else "card_declined", MESSAGES.get(decline, "Your card was declined.")
    objects.become(store, charge, "failed", captured=False, failure_code=code, failure_message=text,
                   outcome=DECLINED | {"reason": decline}, status="failed")  # fmt: skip
    error = {"charge": charge["id"], "code": code, "decline_code": decline, "message": text, "type": "card_error"}
    return objects.become(store, intent, "payment_failed", last_payment_error=error, payment_method=None,
                          status="requires_payment_method")  # fmt: skip


def _book(store: Store, source: Obj, amount: int, fee: int = 0) -> str:
    """The account's balance changes by `amount` less the `fee`: the id of a `txn_` for a charge or a refund."""
    currency, kind = source["currency"], source["object"]
    detail = {"amount": fee, "application": None, "currency": currency, "type": "stripe_fee"}
    made = objects.create(
        store, "balance_transaction", amount=amount, available_on=store.now + 2 * DAY, currency=currency, fee=fee,
        fee_details=[detail | {"description": "Stripe processing fees"}] if fee else [], net=amount - fee,
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
    return objects.become(store, intent, "canceled", status="canceled", canceled_at=store.now,
                          cancellation_reason=reason)  # fmt: skip


def refund(store: Store, charge: Obj, amount: int, reason: str | None = None, metadata: Obj | None = None) -> Obj:
    """Give `amount` of a charge back. Raises ApiError 400 for more than is left of it."""
    was = charge["amount_refunded"]
    left = charge["amount"] - was
    if charge["status"] != "succeeded" or left == 0:
        raise refuse("charge_refunded" if charge["paid"] else "charge_failed", "charge", id=charge["id"])
    if not 0 < amount <= left:
        raise refuse("refund_large", "amount", amount=amount, left=left)
    named = {name: charge[name] for name in ("currency", "customer", "payment_intent")} | {"charge": charge["id"]}
    made = objects.create(store, "refund", emits=False, amount=amount, metadata=metadata or {}, reason=reason, **named)
    objects.become(store, made, "created", balance_transaction=_book(store, made, -amount))
    refunded = {"amount_refunded": was + amount, "refunded": amount == left}
    objects.become(store, charge, "refunded", {"amount_refunded": was}, **refunded)
    return made


# --- routes

KEPT = ("description", "metadata", "receipt_email", "setup_future_usage", "automatic_payment_methods",
        "payment_method_types", "amount", "currency", "customer")  # fmt: skip
WHILE_OPEN = {"amount", "currency", "customer", "payment_method"}  # what changes of an intent only until it is paid


def _create(call: Call) -> Obj:
    store, fields = call.store, taken("payment_intent", call.params, None, KEPT)
    least = MINIMUM_CHARGE.get(fields["currency"], MINIMUM_CHARGE_ELSEWHERE)
    if fields["amount"] < least:
        raise refuse("amount_small", "amount", least=least, currency=fields["currency"])
    intent = objects.create(store, "payment_intent", emits=False, **fields)
    secret = store.new_id(f"{intent['id']}_secret_")
    objects.become(store, _with_method(call, intent), "created", client_secret=secret)
    return _confirmed(call, intent) if call.params.get("confirm") else intent


def _with_method(call: Call, intent: Obj) -> Obj:
    if "payment_method" in call.params:
        method = payment_methods.named(call.store, call.params["payment_method"], "payment_method")
        intent.update(payment_method=method["id"], status="requires_confirmation")
    return call.store.put(intent)


def _confirmed(call: Call, intent: Obj) -> Obj:
    store, method = call.store, intent["payment_method"]
    if method is None:
        raise refuse("intent_method")
    if attempt(store, intent, method, payment_methods.outcome(store, method))["status"] != "succeeded":
        raise declined(store, intent)
    payment = payments.payment_of(store, intent)
    if payment is not None and payment["status"] == "open":
        payments.credit(store, store.get("invoice", payment["invoice"]), payment)
    return intent


def _cancel(call: Call) -> Obj:
    intent = call.target("payment_intent")
    if (payments.payment_of(call.store, intent) or {}).get("is_default"):
        raise refuse("intent_of_invoice")
    return cancel(call.store, intent, call.params.get("cancellation_reason"))


def _update(call: Call) -> Obj:
    intent = call.target("payment_intent")
    if WHILE_OPEN & set(call.params) and intent["status"] not in OPEN:
        raise refuse("intent_status", act="update", now=intent["status"])
    intent.update(taken("payment_intent", call.params, intent, KEPT))
    return _with_method(call, intent)


def _refund(call: Call) -> Obj:
    params, store = call.params, call.store
    intent = store.find("payment_intent", params.get("payment_intent", "")) or {}
    charge = call.find("charge", params.get("charge") or intent.get("latest_charge"), "charge")
    amount = params.get("amount", charge["amount"] - charge["amount_refunded"])
    return refund(store, charge, amount, params.get("reason"), merge_metadata({}, params.get("metadata", {})))


ROUTES: dict[str, Handler] = {
    "POST /v1/payment_intents": _create,
    "POST /v1/payment_intents/{id}": _update,
    "POST /v1/payment_intents/{id}/confirm": lambda call: _confirmed(
        call, _with_method(call, call.target("payment_intent"))
    ),
    "POST /v1/payment_intents/{id}/cancel": _cancel,
    "POST /v1/charges/{id}": changes("charge"),
    "POST /v1/refunds": _refund,
    "POST /v1/refunds/{id}": changes("refund"),
    "POST /v1/refunds/{id}/cancel": lambda call: call.target("refund"),  # its rule refuses: none waits for anything
}
