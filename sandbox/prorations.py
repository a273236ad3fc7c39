"""What a change within a period costs: pending invoice items for the time unused and the time that remains (6.4)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox import discounts, invoice_lines, objects, rating, subscriptions, waterfall
from sandbox.rating import Debit, Part, rate, step_of
from sandbox.store import Obj, Store

Source = tuple[Debit, str | None, str]  # a debit, the invoice it is on, if any, and its line or invoice item


def prorate(store: Store, sub: Obj, old: Obj | None, new: Obj | None, *, at: int) -> None:
    """Pending invoice items for a licensed item that becomes another at `at`; made anew: old None, removed: new None.

    The credit is the unused share of what was billed for it (in classic billing: of its present price), the debit the
    share of the new price that remains of the item's period. Metered items, and trials, are never prorated.
    """
    step = step_of(sub["currency"])
    if old is not None and not subscriptions.is_metered(old):
        found = list(_billed(store, sub, old, at))
        if sub["billing_mode"]["type"] == "classic" and sub["status"] != "trialing":
            found = [(Debit(_full(store, sub, old), old["current_period_start"], old["current_period_end"]), None, "")]
        amount = rating.credit([debit for debit, _, _ in found], at, step)
        _entry(store, sub, old, amount, at, "Unused", [(invoice, line) for _, invoice, line in found if invoice])
    if new is not None and not subscriptions.is_metered(new) and sub["status"] != "trialing":
        (first, last), end = subscriptions.turn(sub, new, at), new["current_period_end"]
        amount = rating.debit(_full(store, sub, new), end - (last - first), end, at, step)
        _entry(store, sub, new, amount, at, "Remaining", [])


def accrued(store: Store, sub: Obj, item: Obj, *, is_last: bool = False) -> None:
    """Pending invoice items for what a metered item has used since its period began, on the price it had until now.

    is_last: no other period of its meter follows, so the present second counts too.
    """
    begin, now = item["current_period_start"], store.now
    if not subscriptions.is_metered(item) or begin >= now or (sub["trial_end"] or 0) > begin:
        return
    until = now + is_last
    store.world.use(store, sub["customer"], until)
    price = invoice_lines.in_currency(store.get("price", item["price"]["id"]), sub["currency"])
    usage = store.usage(store.get("billing.meter", price["recurring"]["meter"]), sub["customer"], begin, until)
    for part in rate(price, usage):
        if part.amount:
            text = store.get("product", price["product"])["name"]
            _put(store, sub, item, part, (begin, now), text, discounts=list(item["discounts"]))


def pending(store: Store, sub: Obj) -> list[Obj]:
    """The subscription's invoice items that wait for its next invoice."""
    return [entry for entry in store.rows("invoiceitem", subscription=sub["id"]) if entry["invoice"] is None]


def _full(store: Store, sub: Obj, item: Obj) -> int:
    """What the item's whole period costs today, less the percentages of its and its subscription's discounts."""
    price = invoice_lines.in_currency(store.get("price", item["price"]["id"]), sub["currency"])
    amount = sum(part.amount for part in rate(price, Decimal(item["quantity"])))
    rules = [discounts.rule(store, one) for one in (*item["discounts"], *sub["discounts"])]
    line = waterfall.Line(amount, price["product"], price["id"])
    waterfall.apply([line], [one for one in rules if one.percent is not None], (), sub["currency"])
    return line.left


def _billed(store: Store, sub: Obj, item: Obj, at: int) -> Iterator[Source]:
    """What was asked for the item's time after `at`: on invoices, and by invoice items that wait for one."""
    for invoice in store.rows("invoice", subscription=sub["id"]):
        for line in invoice["lines"]["data"] if invoice["status"] != "void" else ():
            source = line["parent"]["subscription_item_details"] or {}
            if source.get("subscription_item") != item["id"] or line["period"]["end"] <= at:
                continue
            if not subscriptions.is_metered({"price": store.get("price", line["pricing"]["price_details"]["price"])}):
                taken = sum(part["amount"] for part in line["discount_amounts"])
                yield Debit(line["amount"] - taken, **line["period"]), invoice["id"], line["id"]
    for entry in pending(store, sub):
        if entry["parent"]["subscription_details"].get("subscription_item") == item["id"] and entry["proration"]:
            yield Debit(entry["amount"], **entry["period"]), None, entry["id"]


def _entry(store: Store, sub: Obj, item: Obj, amount: int, at: int, which: str, on: list[tuple[str, str]]) -> None:
    """The invoice item of one proration, in Stripe's words; none if it comes to nothing."""
    if not amount:
        return
    quantity, day = item["quantity"], datetime.fromtimestamp(at, UTC)
    name = store.get("product", item["price"]["product"])["name"]
    text = f"{which} time on {name if quantity == 1 else f'{quantity} × {name}'} after {day.day:02d} {day:%b %Y}"
    unit = (Decimal(amount) / (quantity or 1)).quantize(Decimal("1e-12")).normalize()
    part, period, source = Part(Decimal(quantity), unit, amount), (at, item["current_period_end"]), None
    if on:
        lines = [line for invoice, line in on if invoice == on[-1][0]]
        credited = {"invoice": on[-1][0], "invoice_line_items": lines}
        source = {"invoice_line_item_details": credited, "type": "invoice_line_items"}
    details: Obj = {"credited_items": source, "discount_amounts": []}
    _put(store, sub, item, part, period, text, discountable=False, proration=True, proration_details=details)


def _put(store: Store, sub: Obj, item: Obj, part: Part, period: tuple[int, int], text: str, **fields: Any) -> None:
    parent = {"subscription": sub["id"], "subscription_item": item["id"]}
    objects.create(
        store, "invoiceitem", amount=part.amount, net_amount=part.amount, currency=sub["currency"], date=store.now,
        customer=sub["customer"], description=text, period={"start": period[0], "end": period[1]},
        parent={"type": "subscription_details", "subscription_details": parent}, **fields,
        pricing=invoice_lines.pricing(item["price"], part.unit_amount), quantity=int(part.quantity),
        quantity_decimal=f"{part.quantity:f}", tax_rates=list(item["tax_rates"]), test_clock=sub["test_clock"],
    )  # fmt: skip
