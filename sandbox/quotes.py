"""Quotes: drafted, finalised, and accepted into a subscription, a schedule or an invoice (stripe.md 4.3)."""

from collections.abc import Sequence
from decimal import Decimal

from sandbox import discounts, invoice_items, invoices, objects, paging, schedules, subscriptions, waterfall
from sandbox import subscription_items as items_of
from sandbox import subscription_routes as routes_of
from sandbox.call import Call, Handler, Page
from sandbox.clock import DAY
from sandbox.invoice_lines import in_currency
from sandbox.options import QUOTE_LIFE_DAYS
from sandbox.params import Given
from sandbox.rating import rate
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj, Store

STORED = ("collection_method", "description", "expires_at", "footer", "header", "invoice_settings", "metadata",
          "subscription_data")  # fmt: skip


def create(call: Call) -> Obj:
    """A draft."""
    rows = {"object": "list", "data": [], "has_more": False, "url": ""}
    expires_at = call.store.now + QUOTE_LIFE_DAYS * DAY
    quote = _fill(call, objects.create(call.store, "quote", emits=False, line_items=rows, expires_at=expires_at))
    return objects.become(call.store, quote, "created")


def _fill(call: Call, quote: Obj) -> Obj:
    """Take over the parameters of a create or update, and work out the amounts."""
    given = call.params
    quote |= taken("quote", given, quote, STORED)
    if quote["subscription_data"]["effective_date"] == "current_period_end":
        quote["subscription_data"]["effective_date"] = None  # there is no running period to wait for
    if "customer" in given:
        customer = call.find("customer", given["customer"], "customer")
        quote |= {"customer": customer["id"], "test_clock": customer["test_clock"]}
    if "line_items" in given:
        quote["currency"], rows = None, []
        for index, row in enumerate(given["line_items"]):
            spec = items_of.spec_of(call, row, f"line_items[{index}]", quote["currency"], kind=None)
            price, text = spec["price"], call.store.get("product", spec["price"]["product"])["name"]
            quote["currency"] = quote["currency"] or price["currency"]
            fields = {"currency": quote["currency"], "description": text, "price": price, "quantity": spec["quantity"]}
            rows.append(objects.shape("item", id=call.store.new_id("li_"), **fields))
        quote["line_items"] = quote["line_items"] | {"data": rows, "url": f"/v1/quotes/{quote['id']}/line_items"}
    if "default_tax_rates" in given:
        quote["default_tax_rates"] = [one["id"] for one in items_of.tax_rates(call, given, key="default_tax_rates")]
    if "discounts" in given:
        owner = {"customer": quote["customer"], "currency": quote["currency"] or "usd"}
        quote["discounts"] = discounts.chosen(call, given["discounts"], current=quote["discounts"], **owner)
    return _compute(call.store, quote)


def _compute(store: Store, quote: Obj) -> Obj:
    """Work out what acceptance bills at once, and what each period does: licences and one-time prices, never usage."""
    rows, recurring = quote["line_items"]["data"], None
    upfront = _amounts(store, quote, _upfront(store, quote), quote["discounts"])
    if repeats := [row for row in rows if row["price"]["recurring"]]:
        forever = [one for one in quote["discounts"] if discounts.coupon_of(store, one)["duration"] == "forever"]
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


def finalize(call: Call) -> Obj:
    """Open it to be accepted: it gets a number, and lasts until `expires_at`."""
    store, quote = call.store, call.target("quote")
    if not quote["line_items"]["data"] or not quote["customer"]:
        raise refuse("no_customer" if quote["line_items"]["data"] else "no_lines")
    quote["expires_at"] = call.params.get("expires_at", quote["expires_at"])
    quote["number"] = f"QT-{quote['id'][-8:].upper()}-0001-1"
    store.schedule(quote["expires_at"], "quote_expire", quote["id"])
    return objects.become(store, _compute(store, quote), "finalized", status="open")


def cancel(call: Call) -> Obj:
    """Withdraw it before it is accepted."""
    return objects.become(call.store, call.target("quote"), "canceled", status="canceled")


def expire(store: Store, ref: str) -> None:
    """Nobody accepted it in time."""
    if (quote := store.get("quote", ref))["status"] == "open":
        objects.become(store, quote, "canceled", status="canceled")


def accept(call: Call) -> Obj:
    """The customer agrees: a subscription now, a schedule if it is to begin later, an invoice for one-time prices."""
    store, quote = call.store, call.target("quote")
    data, repeats, once = quote["subscription_data"], list[Given](), list[Given]()
    for row in quote["line_items"]["data"]:
        quantity = {} if row["quantity"] is None else {"quantity": row["quantity"]}
        (repeats if row["price"]["recurring"] else once).append(Given({"price": row["price"]["id"]} | quantity))
    asked = {name: quote[name] for name in ("currency", "collection_method", "default_tax_rates")}
    if (days := quote["invoice_settings"]["days_until_due"]) is not None:
        asked["days_until_due"] = days
    if repeats and (data["effective_date"] or 0) > store.now:
        phases = [Given({"items": repeats, "metadata": data["metadata"] or {}})]
        wanted = {"customer": quote["customer"], "start_date": data["effective_date"], "phases": phases}
        quote["subscription_schedule"] = schedules.create(Call(store, {}, Given(wanted)))["id"]
    elif repeats:
        asked |= {name: data[name] for name in ("description", "metadata", "trial_period_days") if data[name]}
        asked |= {"customer": quote["customer"], "items": repeats, "add_invoice_items": once}
        asked["discounts"] = [Given({"discount": one}) for one in quote["discounts"]]
        sub = routes_of.create(Call(store, {}, Given(asked)), quote["discounts"])
        for one in quote["discounts"]:
            store.put(store.get("discount", one) | {"subscription": sub["id"]})
        quote |= {"subscription": sub["id"], "invoice": sub["latest_invoice"]}
    if once and not quote["subscription"]:
        quote["invoice"] = _invoice(call, quote, asked, once)["id"]
    return objects.become(store, quote, "accepted", status="accepted")


def _invoice(call: Call, quote: Obj, asked: Obj, once: Sequence[Given]) -> Obj:
    """The one-time prices on an invoice of their own, collected at once."""
    store, customer = call.store, call.find("customer", quote["customer"], "customer")
    for row in once:
        invoice_items.entered(call, customer, row, quote["currency"], None)
    parent = {"quote_details": {"quote": quote["id"]}, "subscription_details": None, "type": "quote_details"}
    fields = asked | {"discounts": quote["discounts"], "billing_reason": "quote_accept", "parent": parent}
    invoice = invoices.start(store, customer, **fields)
    invoices.set_lines(store, invoice, invoices.pull_in(store, invoice, None))
    return subscriptions.collect(store, objects.become(store, invoice, "created"))


def _lines(call: Call, name: str) -> Page:
    quote = call.target("quote")
    rows = quote["line_items"]["data"] if name == "line_items" else _upfront(call.store, quote)
    return paging.embedded(call, "item", f"/v1/quotes/{quote['id']}/{name}", rows)


TASKS = {"quote_expire": expire}
ROUTES: dict[str, Handler] = {
    "POST /v1/quotes": create,
    "POST /v1/quotes/{id}": lambda call: _fill(call, call.target("quote")),
    "POST /v1/quotes/{id}/finalize": finalize,
    "POST /v1/quotes/{id}/accept": accept,
    "POST /v1/quotes/{id}/cancel": cancel,
    "GET /v1/quotes/{id}/line_items": lambda call: _lines(call, "line_items"),
    "GET /v1/quotes/{id}/computed_upfront_line_items": lambda call: _lines(call, "computed_upfront_line_items"),
}
