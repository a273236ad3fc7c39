"""The POST routes; each runs in a transaction that also holds its events and its idempotency record."""

from collections.abc import Callable
from decimal import Decimal

from sandbox import forms, payments
from sandbox.clock import DAY
from sandbox.errors import ApiError, missing
from sandbox.events import update
from sandbox.forms import Params
from sandbox.store import MICRO, Obj, Store
from sandbox.subscription_update import update_subscription

Writer = Callable[[Store, dict[str, str], Params], Obj]  # store, path parameters, body → the object answered
BACKDATING = 35 * DAY  # how old a meter event may be, and how far ahead
AHEAD = 300


def customer(store: Store, path: dict[str, str], params: Params) -> Obj:
    """Change name, email, description or metadata."""
    forms.only(params, {"name", "email", "description", "metadata", "expand"})
    found = _customer(store, path["id"])
    changes: dict[str, object] = {
        name: forms.text(params[name], name, 5000) or None
        for name in ("name", "email", "description")
        if name in params
    }
    if "metadata" in params:
        changes["metadata"] = forms.merge_metadata(found["metadata"], params["metadata"])
    return update(store, "customer", found, **changes)


def balance_transaction(store: Store, path: dict[str, str], params: Params) -> Obj:
    """Credit (negative) or debit the customer's balance, in the customer's currency."""
    forms.only(params, {"amount", "currency", "description", "metadata", "expand"})
    found = _customer(store, path["id"])
    amount = forms.integer(forms.required(params, "amount"), "amount")
    currency = forms.text(forms.required(params, "currency"), "currency").lower()
    if currency != found["currency"]:
        raise ApiError(
            400,
            f"Invalid currency: {currency}. The customer's currency is {found['currency']}; use that one.",
            param="currency",
        )
    description = forms.text(params["description"], "description", 350) if "description" in params else None
    metadata = forms.merge_metadata({}, params.get("metadata", ""))
    return payments.move_balance(store, found, amount, "adjustment", description=description, metadata=metadata)


def subscription(store: Store, path: dict[str, str], params: Params) -> Obj:
    """See subscription_update.py."""
    found = store.find("subscription", path["id"])
    if found is None:
        raise missing("subscription", path["id"])
    return update_subscription(store, found, params)


def meter_event(store: Store, _path: dict[str, str], params: Params) -> Obj:
    """Record usage: known meter and customer, at most 35 days old or 5 minutes ahead, an identifier not seen before."""
    forms.only(params, {"event_name", "payload", "identifier", "timestamp", "expand"})
    name = forms.text(forms.required(params, "event_name"), "event_name", 100)
    meter = next((m for m in store.all("billing.meter") if m["event_name"] == name and m["status"] == "active"), None)
    if meter is None:
        raise ApiError(
            400, f"Invalid event name: {name}. No active meter found with this event name.", param="event_name"
        )
    payload = forms.required(params, "payload")
    customer_key = meter["customer_mapping"]["event_payload_key"]
    value_key = meter["value_settings"]["event_payload_key"]
    for key in (customer_key, value_key):
        if not isinstance(payload, dict) or payload.get(key) in (None, ""):
            raise ApiError(400, f"Missing payload key: {key}.", param=f"payload[{key}]")
        forms.text(payload[key], f"payload[{key}]", 100)
    if store.find("customer", payload[customer_key]) is None:
        raise ApiError(400, f"No such customer: '{payload[customer_key]}'", param=f"payload[{customer_key}]")
    micro = forms.decimal(payload[value_key], f"payload[{value_key}]") * MICRO
    if micro != micro.to_integral_value() or abs(micro) > Decimal(10) ** 18:
        raise ApiError(400, "Invalid value: at most 12 digits and 6 decimal places", param=f"payload[{value_key}]")
    at = forms.integer(params["timestamp"], "timestamp") if "timestamp" in params else store.now
    if not store.now - BACKDATING <= at <= store.now + AHEAD:
        raise ApiError(
            400,
            f"The timestamp {at} must be within the past 35 calendar days and at most 5 minutes in the future.",
            param="timestamp",
            code="timestamp_too_far_in_past" if at < store.now else "timestamp_in_future",
        )
    identifier = (
        forms.text(params["identifier"], "identifier", 100) if params.get("identifier") else store.new_id("", 32)
    )
    if store.db.execute("select 1 from usage where identifier = ?", (identifier,)).fetchone():
        raise ApiError(400, f"An event already exists with identifier {identifier}.", param="identifier")
    store.db.execute(
        "insert into usage values (?, ?, ?, ?, ?)", (meter["id"], payload[customer_key], at, identifier, int(micro))
    )
    return {
        "object": "billing.meter_event",
        "created": store.now,
        "event_name": name,
        "identifier": identifier,
        "livemode": False,
        "payload": payload,
        "timestamp": at,
    }


def _customer(store: Store, identifier: str) -> Obj:
    found = store.find("customer", identifier)
    if found is None:
        raise missing("customer", identifier)
    return found


WRITERS: dict[str, Writer] = {
    "/v1/customers/{id}": customer,
    "/v1/customers/{id}/balance_transactions": balance_transaction,
    "/v1/subscriptions/{id}": subscription,
    "/v1/billing/meter_events": meter_event,
}
