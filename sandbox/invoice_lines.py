"""An invoice's lines, from subscription items, usage and invoice items, and its totals (stripe.md 6)."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from typing import Any

from sandbox import credit_grants, discounts, waterfall
from sandbox.objects import shape
from sandbox.rating import ZERO, Part, rate, round_amount
from sandbox.store import Obj, Store

Period = tuple[int, int]
OF_ITEM = ("amount", "description", "discountable", "discounts", "metadata", "period", "pricing", "quantity",
           "quantity_decimal")  # fmt: skip


def in_currency(price: Obj, currency: str) -> Obj:
    """The price with its amounts in another of its currencies."""
    if price["currency"] == currency:
        return price
    return {**price, **price["currency_options"][currency], "currency": currency}


def is_metered(item: Obj) -> bool:
    """Whether a subscription item is billed by usage, after its period; others are licences, paid before it."""
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


# --- where lines come from


def item_lines(store: Store, invoice: Obj, sub: Obj, item: Obj, period: Period) -> list[Obj]:
    """A subscription item's lines for a period: usage of it, or a licence for it. Nothing for usage within a trial."""
    is_trial = (sub["trial_start"] or 0) <= period[0] < (sub["trial_end"] or 0)
    price = in_currency(store.get("price", item["price"]["id"]), invoice["currency"])
    own = {"discounts": discounts.running(store, item["discounts"], store.now), "taxes": untaxed(item["tax_rates"])}
    if is_metered(item):
        parts = [] if is_trial else _used(store, invoice, price, period)
        return _lines(store, invoice, item["id"], price, period, parts, "{}", own)
    quantity, every = Decimal(item["quantity"]), price["recurring"]
    count, unit = every["interval_count"], every["interval"]
    text = f"{quantity} × {{}} (per {unit if count == 1 else f'{count} {unit}s'})"
    parts, text = ([Part(quantity, ZERO, 0)], "Trial period for {}") if is_trial else (rate(price, quantity), text)
    return _lines(store, invoice, item["id"], price, period, parts, text, own)


def recounted(store: Store, invoice: Obj) -> list[Obj]:
    """A draft's lines with its usage counted again: those of other usage than before are new ones, otherwise alike."""
    fresh: list[Obj] = []
    for source, rows in groupby(invoice["lines"]["data"], _source):
        kept = list(rows)
        if source and (price := store.get("price", source[1]))["recurring"]["usage_type"] == "metered":
            item, price, period = source[0], in_currency(price, invoice["currency"]), source[2:]
            store.world.use(store, invoice["customer"], period[1])
            parts = _used(store, invoice, price, period)
            if [f"{part.quantity:f}" for part in parts] != [row["quantity_decimal"] for row in kept]:
                own = {name: kept[0][name] for name in ("discounts", "taxes")}
                kept = _lines(store, invoice, item, price, period, parts, "{}", own)
        fresh += kept
    return fresh


def _source(row: Obj) -> tuple[str, str, int, int] | None:
    """Item, price and period of a line that may be metered; None for what does not come from an item's period."""
    details, period = row["parent"]["subscription_item_details"], row["period"]
    if not details or details["invoice_item"]:
        return None
    return details["subscription_item"], row["pricing"]["price_details"]["price"], period["start"], period["end"]


def _used(store: Store, invoice: Obj, price: Obj, period: Period) -> list[Part]:
    meter = store.get("billing.meter", price["recurring"]["meter"])
    return rate(price, store.usage(meter, invoice["customer"], *period))


def _lines(
    store: Store, invoice: Obj, item: str, price: Obj, period: Period, parts: list[Part], text: str, own: Obj
) -> list[Obj]:
    """A line for each tier entered (though nothing was used) and each flat fee; text: with {} for the product."""
    sub, name = invoice["parent"]["subscription_details"], store.get("product", price["product"])["name"]
    lines = []
    for part in parts:
        fee = ", flat fee" if part.is_flat else f" at {part.unit_amount:f}"
        tier = "" if part.tier is None else f" (Tier {part.tier + 1}{fee})"
        source = {"subscription": sub["subscription"], "subscription_item": item}
        lines.append(_line(
            store, invoice, "subscription_item_details", source, amount=part.amount, metadata=dict(sub["metadata"]),
            description=text.format(name) + tier, period={"end": period[1], "start": period[0]},
            pricing=pricing(price, part.unit_amount), quantity=round_amount(part.quantity),
            quantity_decimal=f"{part.quantity:f}", **{key: [*parts] for key, parts in own.items()},
        ))  # fmt: skip
    return lines


def pending_line(store: Store, invoice: Obj, entry: Obj) -> Obj:
    """The line of an invoice item; that of a proration says which subscription item it is for."""
    owner = (entry["parent"] or {}).get("subscription_details") or {}
    source = {"subscription": owner.get("subscription"), "invoice_item": entry["id"], "proration": entry["proration"]}
    credited = (entry["proration_details"]["credited_items"] or {}).get("invoice_line_item_details")
    source["proration_details"], kind = {"credited_items": credited}, "invoice_item_details"
    if owner.get("subscription_item"):
        source["subscription_item"], kind = owner["subscription_item"], "subscription_item_details"
    fields = {name: entry[name] for name in OF_ITEM} | {"taxes": untaxed(entry["tax_rates"])}
    return _line(store, invoice, kind, source, **fields)


def _line(store: Store, invoice: Obj, kind: str, source: Obj, **fields: Any) -> Obj:
    details = {"invoice_item": None, "proration": False, "proration_details": {"credited_items": None}} | source
    parent = {"invoice_item_details": None, "subscription_item_details": None, "type": kind, kind: details}
    return shape(
        "line_item", id=store.new_id("il_"), currency=invoice["currency"], invoice=invoice["id"], parent=parent,
        subscription=source["subscription"], subtotal=fields["amount"], **fields,
    )  # fmt: skip


def pricing(price: Obj, unit_amount: Decimal) -> Obj:
    """Where a line's amount is from."""
    details = {"price": price["id"], "product": price["product"]}
    return {"price_details": details, "type": "price_details", "unit_amount_decimal": f"{unit_amount:f}"}


# --- what they come to


def untaxed(rates: Iterable[Any]) -> list[Obj]:
    """A line's taxes at these tax rates (or their ids), before `total_up` works out the amounts."""
    return [_tax(waterfall.Rate(one if isinstance(one, str) else one["id"], ZERO), 0, 0) for one in rates]


def _tax(rate: waterfall.Rate, amount: int, taxable: int) -> Obj:
    behavior = "inclusive" if rate.inclusive else "exclusive"
    return {"amount": amount, "tax_behavior": behavior, "tax_rate_details": {"tax_rate": rate.id},
            "taxability_reason": "not_available", "taxable_amount": taxable, "type": "tax_rate_details"}  # fmt: skip


def total_up(store: Store, invoice: Obj, grants: Iterable[waterfall.Grant] = ()) -> None:
    """Work out the invoice's discounts, credits and taxes again, line by line, and its sums; what is due is not set.

    grants: billing credits that are now spent on it, as only finalising an invoice does.
    """
    rows = invoice["lines"]["data"]
    lines = [_figures(store, row) for row in rows]
    rules = [discounts.rule(store, one) for one in invoice["discounts"]]
    totals = waterfall.apply(lines, rules, grants, invoice["currency"])
    for row, line in zip(rows, lines, strict=True):
        row["discount_amounts"] = [{"amount": amount, "discount": one} for one, amount in line.discounts]
        row["pretax_credit_amounts"] = [part | {"type": "discount"} for part in row["discount_amounts"]]
        for grant, amount in line.credits:
            made = credit_grants.consume(store, grant, amount, invoice["id"], row["id"])
            part = {"amount": amount, "credit_balance_transaction": made["id"], "type": "credit_balance_transaction"}
            row["pretax_credit_amounts"].append(part)
        row["taxes"] = [_tax(*tax) for tax in line.taxes]
    net = totals.total - totals.exclusive_tax - totals.inclusive_tax
    none = [{"amount": 0, "discount": one} for one in invoice["discounts"]]
    invoice.update(
        subtotal=totals.subtotal, subtotal_excluding_tax=totals.subtotal - totals.inclusive_tax, total=totals.total,
        total_excluding_tax=net, total_discount_amounts=_sums([none, *(row["discount_amounts"] for row in rows)]),
        total_pretax_credit_amounts=_sums(row["pretax_credit_amounts"] for row in rows),
        total_taxes=_sums(row["taxes"] for row in rows),
    )  # fmt: skip


def _figures(store: Store, row: Obj) -> waterfall.Line:
    source = (row["pricing"] or {}).get("price_details") or {"product": None, "price": None}
    line = waterfall.Line(row["amount"], source["product"], source["price"], discountable=row["discountable"])
    if (
        row["parent"]["subscription_item_details"] and source["price"]
    ):  # a proration that was given another amount has none
        line.is_metered = store.get("price", source["price"])["recurring"]["usage_type"] == "metered"
    line.own = tuple(discounts.rule(store, one) for one in row["discounts"])
    found = [store.get("tax_rate", tax["tax_rate_details"]["tax_rate"]) for tax in row["taxes"]]
    line.rates = tuple(waterfall.Rate(one["id"], Decimal(str(one["percentage"])), one["inclusive"]) for one in found)
    return line


def _sums(lists: Iterable[list[Obj]]) -> list[Obj]:
    """Entries that differ in amounts only, added up."""
    found: dict[str, Obj] = {}
    for entry in (entry for entries in lists for entry in entries):
        rate = entry.get("tax_rate_details", {}).get("tax_rate")
        key = rate or entry.get("credit_balance_transaction") or entry["discount"]
        known = found.setdefault(key, {name: 0 if "amount" in name else entry[name] for name in entry})
        known.update({name: known[name] + entry[name] for name in entry if "amount" in name})
    return list(found.values())
