"""Quotes: drafted, finalised, and accepted into a subscription, a schedule or an invoice (stripe.md 4.3)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sandbox import discounts, invoice_items, invoices, objects, paging, schedules, subscriptions, waterfall
from sandbox import subscription_items as items_of
from sandbox.call import Call, Handler, Page
from sandbox.clock import DAY
from sandbox.events import emit
from sandbox.invoice_lines import in_currency
from sandbox.options import QUOTE_LIFE_DAYS
from sandbox.params import Given
from sandbox.rating import rate
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj, Store

STORED = ("collection_method", "description", "expires_at", "footer", "header", "invoice_settings", "metadata",
          "subscription_data")  # fmt: skip
COPIED = (*STORED, "currency", "customer", "default_tax_rates", "discounts", "line_items")  # by from_quote


def create(call: Call) -> Obj:
    """A draft, perhaps as a copy of another quote (`from_quote`)."""
    store, source = call.store, call.params.get("from_quote")
    fields: Obj = {"line_items": {"object": "list", "data": [], "has_more": False, "url": ""}}
    if source is not None:
        old = call.find("quote", source["quote"], "from_quote[quote]")
        fields = {name: old[name] for name in COPIED}
        fields["from_quote"] = {"is_revision": source.get("is_revision", False), "quote": old["id"]}
    quote = objects.create(store, "quote", emits=False, **fields)
    quote["expires_at"] = store.now + QUOTE_LIFE_DAYS * DAY
    _fill(call, quote)
    emit(store, "quote.created", quote)
    return quote


def update(call: Call) -> Obj:
    """Change a draft."""
    return _fill(call, _in(call, "updated", "draft"))


def _fill(call: Call, quote: Obj) -> Obj:
    """Take over the parameters of a create or update, and work out the amounts."""
    store, given = call.store, call.params
    quote |= taken("quote", given, quote, STORED)
    if quote["subscription_data"]["effective_date"] == "current_period_end":
        quote["subscription_data"]["effective_date"] = None  # there is no running period to wait for
    if "customer" in given:
        customer = call.find("customer", given["customer"], "customer")
        quote |= {"customer": customer["id"], "test_clock": customer["test_clock"]}
    for index, row in enumerate(given.get("line_items", [])):
        item = _item(call, quote, row, f"line_items[{index}]")
        quote["currency"] = item["currency"]
        quote["line_items"] = _list(quote, [*(quote["line_items"]["data"] if index else []), item])
    if "default_tax_rates" in given:
        quote["default_tax_rates"] = [one["id"] for one in items_of.tax_rates(call, given, key="default_tax_rates")]
    if "discounts" in given:
        owner = {"customer": quote["customer"], "currency": quote["currency"] or "usd"}
        quote["discounts"] = discounts.chosen(call, given["discounts"], current=quote["discounts"], **owner)
    return _computed(store, quote)


def _list(quote: Obj, rows: list[Obj]) -> Obj:
    return {"object": "list", "data": rows, "has_more": False, "url": f"/v1/quotes/{quote['id']}/line_items"}


def _item(call: Call, quote: Obj, row: Given, name: str) -> Obj:
    price = items_of.price_of(call, row, name, quote["currency"] if quote["line_items"]["data"] else None, None)
    quantity, text = items_of.quantity_of(row, name, price), call.store.get("product", price["product"])["name"]
    fields = {"currency": price["currency"], "description": text, "price": price, "quantity": quantity}
    return objects.shape("item", id=call.store.new_id("li_"), **fields)


def _computed(store: Store, quote: Obj) -> Obj:
    """Work out what acceptance bills at once, and what each period does: licences and one-time prices, never usage."""
    if quote["expires_at"] <= store.now:
        raise refuse("not_future", "expires_at")
    rows, recurring = quote["line_items"]["data"], None
    upfront = _amounts(store, quote, _upfront(store, quote), quote["discounts"])
    forever = [one for one in quote["discounts"] if discounts.coupon_of(store, one)["duration"] == "forever"]
    repeats = [row for row in rows if row["price"]["recurring"]]
    if repeats:
        unit = {name: repeats[0]["price"]["recurring"][name] for name in ("interval", "interval_count")}
        recurring = _amounts(store, quote, repeats, forever) | unit
    _amounts(store, quote, rows, quote["discounts"])  # what each line shows
    quote |= upfront | {"computed": {"recurring": recurring, "upfront": upfront}}
    return store.put(quote)


def _upfront(store: Store, quote: Obj) -> list[Obj]:
    data = quote["subscription_data"]
    waits = data["trial_period_days"] or (data["effective_date"] or 0) > store.now
    return [row for row in quote["line_items"]["data"] if not (waits and row["price"]["recurring"])]


def _amounts(store: Store, quote: Obj, rows: Sequence[Obj], rules: Sequence[str]) -> Obj:
    """Fill in the amounts of line items, and sum them up."""
    found = [store.get("tax_rate", one) for one in quote["default_tax_rates"]]
    taxes = tuple(waterfall.Rate(one["id"], Decimal(str(one["percentage"])), one["inclusive"]) for one in found)
    lines = []
    for row in rows:
        price = in_currency(row["price"], row["currency"])
        parts = rate(price, Decimal(row["quantity"])) if row["quantity"] else []
        lines.append(waterfall.Line(sum(part.amount for part in parts), price["product"], price["id"], rates=taxes))
    sums = waterfall.apply(lines, [discounts.rule(store, one) for one in rules], (), quote["currency"] or "usd")
    for row, line in zip(rows, lines, strict=True):
        tax = sum(amount for one, amount, _ in line.taxes if not one.inclusive)
        row |= {"amount_subtotal": line.amount, "amount_discount": line.amount - line.left, "amount_tax": tax}
        row["amount_total"] = line.left + tax
    details = {"amount_discount": sums.discounts, "amount_shipping": None, "amount_tax": sums.exclusive_tax}
    return {"amount_subtotal": sums.subtotal, "amount_total": sums.total, "total_details": details}


# --- from draft to accepted


def _in(call: Call, act: str, *wanted: str) -> Obj:
    quote = call.target("quote")
    if quote["status"] not in wanted:
        raise refuse("quote_open", act=act, wanted=" or ".join(wanted), status=quote["status"])
    return quote


def _move(store: Store, quote: Obj, status: str, name: str) -> Obj:
    quote |= {"status": status, "status_transitions": quote["status_transitions"] | {f"{name}_at": store.now}}
    store.put(quote)
    emit(store, f"quote.{name}", quote)
    return quote


def finalize(call: Call) -> Obj:
    """Open it to be accepted: it gets a number, and lasts until `expires_at`."""
    store, quote = call.store, _in(call, "finalized", "draft")
    if not quote["line_items"]["data"] or not quote["customer"]:
        raise refuse("no_customer" if quote["line_items"]["data"] else "no_lines")
    quote["expires_at"] = call.params.get("expires_at", quote["expires_at"])
    _computed(store, quote)
    source, number = quote["from_quote"] or {}, f"QT-{quote['id'][-8:].upper()}-0001-1"
    if source.get("is_revision"):
        old = store.get("quote", source["quote"])
        root, _, version = (old["number"] or number).rpartition("-")
        number = f"{root}-{int(version) + 1}"
        if old["status"] in ("draft", "open"):
            _move(store, old, "canceled", "canceled")
    quote["number"] = number
    store.schedule(quote["expires_at"], "quote_expire", quote["id"])
    return _move(store, quote, "open", "finalized")


def cancel(call: Call) -> Obj:
    """Withdraw it before it is accepted."""
    return _move(call.store, _in(call, "canceled", "draft", "open"), "canceled", "canceled")


def expire(store: Store, ref: str) -> None:
    """Nobody accepted it in time."""
    if (quote := store.get("quote", ref))["status"] == "open":
        _move(store, quote, "canceled", "canceled")


def accept(call: Call) -> Obj:
    """The customer agrees: a subscription now, a schedule if it is to begin later, an invoice for one-time prices."""
    store, quote = call.store, _in(call, "accepted", "open")
    customer, data = call.find("customer", quote["customer"], "customer"), quote["subscription_data"]
    repeats = [row for row in quote["line_items"]["data"] if row["price"]["recurring"]]
    once = [row for row in quote["line_items"]["data"] if not row["price"]["recurring"]]
    if repeats and (data["effective_date"] or 0) > store.now:
        items = [Given({"price": row["price"]["id"]} | ({"quantity": row["quantity"]} if row["quantity"] else {}))
                 for row in repeats]  # fmt: skip
        phases = [Given({"items": items, "metadata": data["metadata"] or {}})]
        wanted = Given({"customer": customer["id"], "start_date": data["effective_date"], "phases": phases})
        quote["subscription_schedule"] = schedules.create(Call(store, {}, wanted))["id"]
    elif repeats:
        items_of.check_together([row["price"] for row in repeats], "line_items", "flexible")
        fields: dict[str, Any] = {"collection_method": quote["collection_method"], "description": data["description"]}
        fields |= {"metadata": dict(data["metadata"] or {}), "discounts": list(quote["discounts"])}
        fields |= {"days_until_due": quote["invoice_settings"]["days_until_due"], "currency": quote["currency"]}
        fields["default_tax_rates"] = [store.get("tax_rate", one) for one in quote["default_tax_rates"]]
        if data["trial_period_days"]:
            fields["trial_end"] = store.now + data["trial_period_days"] * DAY
        specs = [{"price": row["price"], "quantity": row["quantity"]} for row in repeats]
        sub = subscriptions.prepare(store, customer, specs, **fields)
        quote["subscription"] = sub["id"]
        for one in quote["discounts"]:
            store.put(store.get("discount", one) | {"subscription": sub["id"], "customer": customer["id"]})
        _one_time(call, quote, customer, once)
        quote["invoice"] = subscriptions.begin(store, sub)["latest_invoice"]
    if once and not quote["subscription"]:
        quote["invoice"] = _invoice(call, quote, customer, once)["id"]
    return _move(store, quote, "accepted", "accepted")


def _one_time(call: Call, quote: Obj, customer: Obj, once: Sequence[Obj]) -> None:
    """Pending invoice items for the one-time prices."""
    details = {"subscription_details": {"subscription": quote["subscription"]}, "type": "subscription_details"}
    parent = details if quote["subscription"] else None
    for row in once:
        given = Given({"price": row["price"]["id"], "quantity": row["quantity"]})
        invoice_items.entered(call, customer, given, quote["currency"], None, parent=parent)


def _invoice(call: Call, quote: Obj, customer: Obj, once: Sequence[Obj]) -> Obj:
    store = call.store
    _one_time(call, quote, customer, once)
    fields = {name: quote[name] for name in ("currency", "collection_method", "discounts", "default_tax_rates")}
    fields["days_until_due"] = quote["invoice_settings"]["days_until_due"]
    parent = {"quote_details": {"quote": quote["id"]}, "subscription_details": None, "type": "quote_details"}
    invoice = invoices.start(store, customer, billing_reason="quote_accept", parent=parent, **fields)
    invoices.set_lines(store, invoice, invoices.pull_in(store, invoice, None))
    emit(store, "invoice.created", invoice)
    return subscriptions.collect(store, invoice, "allow_incomplete")


def _lines(call: Call, name: str) -> Page:
    quote = call.target("quote")
    rows = quote["line_items"]["data"] if name == "line_items" else _upfront(call.store, quote)
    return paging.embedded(call, "item", f"/v1/quotes/{quote['id']}/{name}", rows)


TASKS = {"quote_expire": expire}
ROUTES: dict[str, Handler] = {
    "POST /v1/quotes": create,
    "POST /v1/quotes/{id}": update,
    "POST /v1/quotes/{id}/finalize": finalize,
    "POST /v1/quotes/{id}/accept": accept,
    "POST /v1/quotes/{id}/cancel": cancel,
    "GET /v1/quotes/{id}/line_items": lambda call: _lines(call, "line_items"),
    "GET /v1/quotes/{id}/computed_upfront_line_items": lambda call: _lines(call, "computed_upfront_line_items"),
}
