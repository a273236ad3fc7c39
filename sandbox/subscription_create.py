"""`POST /v1/subscriptions`, and the parameters that creating and updating have in common."""

from typing import Any

from sandbox import changes, invoice_items, options, payment_methods, renewals, subscriptions
from sandbox import subscription_items as items_of
from sandbox.call import Call, Handler
from sandbox.clock import DAY, add_intervals
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj

STORED = ("cancellation_details", "description", "invoice_settings", "metadata", "payment_settings", "trial_settings")
ENTERED = ("quantity", "discountable", "discounts", "metadata", "tax_rates")  # of add_invoice_items
LONGEST_TRIAL = 730 * DAY


def settings(call: Call, customer: Obj, sub: Obj | None) -> dict[str, Any]:
    """The fields that parameters set without further ado; `sub` None: there is none yet. Raises ApiError 400."""
    given = call.params
    given.get("off_session")  # every payment here is off session
    fields = taken("subscription", given, sub, STORED)
    if len(fields.get("invoice_settings", {}).get("custom_fields") or ()) > 4:
        raise refuse("custom_fields", "invoice_settings[custom_fields]")
    if "default_tax_rates" in given:
        fields["default_tax_rates"] = items_of.tax_rates(call, given, key="default_tax_rates")
    if (method := given.get("default_payment_method")) is not None:
        found = payment_methods.named(call.store, method, "default_payment_method") if method else None
        if found is not None and found["customer"] != customer["id"]:
            raise refuse("others_method", "default_payment_method", id=method)
        fields["default_payment_method"] = found and found["id"]
    old = sub or {"collection_method": "charge_automatically", "days_until_due": None}
    how = given.get("collection_method", old["collection_method"])
    if how == "charge_automatically" and "days_until_due" in given:
        raise refuse("days_until_due", "days_until_due")
    days = given.get("days_until_due", old["days_until_due"]) if how == "send_invoice" else None
    if how == "send_invoice" and (days is None or days < 0):
        raise refuse("no_days_until_due" if days is None else "negative", "days_until_due")
    return fields | {"collection_method": how, "days_until_due": days}


def trial_end(call: Call, prices: list[Obj]) -> int | None:
    """When the trial asked for ends, None if none is: `trial_end`, `trial_period_days`, or that of the prices."""
    given, now = call.params, call.store.now
    end, days = given.get("trial_end"), given.get("trial_period_days")
    if end is not None and days is not None:
        raise refuse("one_of", "trial_end", names="trial_end, trial_period_days")
    if end is None and days is None and given.get("trial_from_plan"):
        days = max((price["recurring"].get("trial_period_days") or 0 for price in prices), default=0)
    if end == "now" or (end is None and not days):
        return None
    end = now + days * DAY if days is not None else end
    if end <= now or end > now + LONGEST_TRIAL:
        raise refuse("not_future" if end <= now else "long_trial", "trial_end")
    return int(end)


def future(given: Given, name: str, now: int) -> int | None:
    """A moment that must lie ahead; None if the parameter is not given."""
    at = given.get(name)
    if at is not None and at <= now:
        raise refuse("not_future", name)
    return at if at is None else int(at)


def cancel_at(given: Given, now: int, items: list[Obj]) -> int | None:
    """The moment that `cancel_at` means; None if it is not given, or "" to take it back."""
    ends = [item["current_period_end"] for item in items]
    if isinstance(wanted := given.get("cancel_at"), str):
        return None if wanted == "" else int(min(ends) if wanted == "min_period_end" else max(ends))
    return future(given, "cancel_at", now)


def add_invoice_items(call: Call, sub: Obj) -> None:
    """Pending invoice items, for the subscription's next invoice, of one-time prices."""
    parent = {"subscription_details": {"subscription": sub["id"]}, "type": "subscription_details"}
    customer = call.store.get("customer", sub["customer"])
    for index, row in enumerate(call.params.get("add_invoice_items") or []):
        name = f"add_invoice_items[{index}]"
        price = items_of.price_of(call, row, name, sub["currency"], "one_time")
        known = {"price": price["id"]} | {key: row[key] for key in ENTERED if key in row}
        invoice_items.entered(call, customer, known, sub["currency"], None, name, parent=parent)


def create(call: Call) -> Obj:
    """A new subscription and its first invoice, collected as `payment_behavior` says. Raises ApiError 400 or 402."""
    store, given = call.store, call.params
    for name in ("customer", "items"):
        if not given.get(name):
            raise refuse("missing", name)
    customer = call.find("customer", given["customer"], "customer")
    payment = given.get("payment_behavior", "allow_incomplete")
    if payment == "pending_if_incomplete":
        raise refuse("pending_on_create", "payment_behavior")
    mode = given.get("billing_mode", {"type": "flexible"})["type"]
    specs = items_of.specs_of(call, given["items"], given.get("currency"), "items", mode)
    currency = given.get("currency") or specs[0]["price"]["currency"]
    if customer["currency"] not in (None, currency):
        raise refuse("currencies", found=customer["currency"])
    current = [one["status"] for one in store.rows("subscription", customer=customer["id"])]
    if sum(status not in subscriptions.ENDED for status in current) >= options.MAX_SUBSCRIPTIONS:
        raise refuse("many_subscriptions", id=customer["id"], most=options.MAX_SUBSCRIPTIONS)
    prices = [spec["price"] for spec in specs]
    end, anchor = trial_end(call, prices), future(given, "billing_cycle_anchor", store.now)
    units = [(price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in prices]
    limit = min(add_intervals(end or store.now, *unit) for unit in units)
    if anchor is not None and anchor > limit:
        raise refuse("late_anchor", "billing_cycle_anchor", limit=limit)
    fields = settings(call, customer, None) | {"trial_end": end, "billing_cycle_anchor": anchor or end or store.now}
    if mode == "classic":
        fields["billing_mode"] = {"type": "classic"}
    sub = subscriptions.prepare(store, customer, specs, currency=currency, **fields)
    for index, (item, row) in enumerate(zip(sub["items"]["data"], given["items"], strict=True)):
        item["discounts"] = items_of.replaced(call, sub, [], row, f"items[{index}]", subscription_item=item["id"])
    sub["discounts"] = items_of.replaced(call, sub, [], given)
    add_invoice_items(call, sub)
    at_end, at = given.get("cancel_at_period_end"), cancel_at(given, store.now, sub["items"]["data"])
    if at_end and at is not None:
        raise refuse("one_of", "cancel_at", names="cancel_at, cancel_at_period_end")
    if at_end or at is not None:
        sub["cancel_at_period_end"] = bool(at_end)
        sub["cancel_at"] = at or max(item["current_period_end"] for item in sub["items"]["data"])
        sub["canceled_at"], sub["cancellation_details"]["reason"] = store.now, "cancellation_requested"
        items = [item | subscriptions.first_period(sub, item, store.now) for item in sub["items"]["data"]]
        sub["items"] = subscriptions.listed(sub, items)
    subscriptions.begin(store, sub, payment=payment, proration=given.get("proration_behavior", "create_prorations"))
    if sub["status"] == "incomplete" and payment != "default_incomplete":
        if not renewals.has_payment_method(store, sub):
            raise refuse("no_method")
        if payment == "error_if_incomplete":
            raise changes.declined(store, store.get("invoice", sub["latest_invoice"]))
    return sub


ROUTES: dict[str, Handler] = {"POST /v1/subscriptions": create}
