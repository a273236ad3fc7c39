"""Customers, their balance and their cards (stripe.md 2.2, 4.5)."""

from typing import Any

from sandbox import objects, paging, payment_methods, payments, subscriptions, test_clocks
from sandbox.call import Call, Handler, Page
from sandbox.errors import missing
from sandbox.events import emit, plain
from sandbox.refusals import refuse
from sandbox.simple import changes, taken
from sandbox.store import Obj

TRANSACTION = "customer_balance_transaction"


def create(call: Call) -> Obj:
    """A customer, on a test clock if one is named, with a payment method attached if one is given."""
    store, clock, card = call.store, call.params.get("test_clock"), call.params.get("payment_method")
    if clock:
        test_clocks.make_room(store, clock)
    prefix = store.new_id("", 8).upper()
    customer = objects.create(store, "customer", emits=False, invoice_prefix=prefix, test_clock=clock)
    if card:
        payment_methods.attach(store, payment_methods.named(store, card, "payment_method"), customer)
    objects.become(store, customer, "created", **_fields(call, customer))
    _set_balance(call, customer, "initial")
    return customer


def update(call: Call) -> Obj:
    """Change a customer; a new `balance` is a transaction of the difference."""
    customer = call.target("customer")
    fields = _fields(call, customer)
    _set_balance(call, customer, "adjustment")
    return objects.update(call.store, customer, **fields)


def _fields(call: Call, customer: Obj) -> Obj:
    fields = taken("customer", call.params, customer)
    fields.pop("balance", None)
    settings = fields.get("invoice_settings", {})
    if token := settings.get("default_payment_method"):
        param = "invoice_settings[default_payment_method]"
        settings["default_payment_method"] = payment_methods.of_customer(call.store, token, customer, param)["id"]
    return fields


def _set_balance(call: Call, customer: Obj, kind: str) -> None:
    if amount := call.params.get("balance", customer["balance"]) - customer["balance"]:
        currency = customer["currency"] or call.store.rows("account")[0]["default_currency"]
        _move(call, customer, amount, kind, currency=currency)


def _move(call: Call, customer: Obj, amount: int, kind: str, **fields: Any) -> Obj:
    if amount < 0:
        call.store.world.treated(call.store, customer["id"], "credit", -amount)
    return payments.move_balance(call.store, customer, amount, kind, **fields)


def delete(call: Call) -> Obj:
    """Cancel all of the customer's subscriptions at once. What is left of the customer can still be retrieved."""
    store, customer = call.store, call.target("customer")
    for sub in store.rows("subscription", customer=customer["id"]):
        if sub["status"] not in ("canceled", "incomplete_expired"):
            subscriptions.end(store, sub, "cancellation_requested")
    emit(store, "customer.deleted", customer)
    return plain(store.put(customer | {"deleted": True}))


def cards(call: Call) -> Page:
    """A customer's payment methods."""
    url = f"/v1/customers/{call.target('customer')['id']}/payment_methods"
    return paging.listed(call, "payment_method", url, customer=call.path["id"])


def move(call: Call) -> Obj:
    """A balance transaction: negative is credit. A customer's first currency stays."""
    customer, fields = call.target("customer"), taken(TRANSACTION, call.params)
    if customer["currency"] not in (None, fields["currency"]):
        raise refuse("customer_currency", "currency", own=customer["currency"], given=fields["currency"])
    return _move(call, customer, fields.pop("amount"), "adjustment", **fields)


def transaction(call: Call) -> Obj:
    """One of a customer's balance transactions."""
    found = call.target(TRANSACTION)
    if found["customer"] != call.path["parent"]:
        raise missing("customer balance transaction", found["id"])
    return found


ROUTES: dict[str, Handler] = {
    "POST /v1/customers": create,
    "POST /v1/customers/{id}": update,
    "DELETE /v1/customers/{id}": delete,
    "GET /v1/customers/{id}/payment_methods": cards,
    "POST /v1/customers/{id}/balance_transactions": move,
    "GET /v1/customers/{parent}/balance_transactions/{id}": transaction,
    "POST /v1/customers/{parent}/balance_transactions/{id}": changes(TRANSACTION, lambda call, *_: transaction(call)),
}
