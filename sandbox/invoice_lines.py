"""An invoice's lines, from subscription items, usage and invoice items, and its totals (stripe.md 6)."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from sandbox import discounts, waterfall
from sandbox.objects import shape
from sandbox.rating import ZERO, Part, rate, round_amount
from sandbox.store import Obj, Store

Period = tuple[int, int]


def in_currency(price: Obj, currency: str) -> Obj:
    """The price with its amounts in another of its currencies."""
    if price["currency"] == currency:
        return price
    return {**price, **price["currency_options"][currency], "currency": currency}


def is_metered(item: Obj) -> bool:
    """Whether a subscription item is billed by usage, after its period; others are licences, paid before it."""
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


def item_lines(store: Store, invoice: Obj, sub: Obj, item: Obj, period: Period) -> list[Obj]:
    """A subscription item's lines for a period: usage of it, or a licence for it. Nothing for usage within a trial."""
    is_trial = sub["trial_end"] is not None and period[0] < sub["trial_end"]
    if is_metered(item):
        rows = [] if is_trial else usage_lines(store, invoice, sub, item["id"], item["price"]["id"], period)
    else:
        price = in_currency(store.get("price", item["price"]["id"]), invoice["currency"])
        quantity, name = Decimal(item["quantity"]), store.get("product", price["product"])["name"]
        count, unit = price["recurring"]["interval_count"], price["recurring"]["interval"]
        text = f"{quantity} × {name} (per {unit if count == 1 else f'{count} {unit}s'})"
        parts = [Part(quantity, ZERO, 0)] if is_trial else rate(price, quantity)
        text = f"Trial period for {name}" if is_trial else text
        rows = list(_rows(store, invoice, sub, item["id"], price, period, parts, text))
    for row in rows:
        row["discounts"] = list(item["discounts"])
    set_rates(rows, ids(item["tax_rates"]))
    return rows


def usage_lines(
    store: Store, invoice: Obj, sub: Obj, item: str, price_id: str, period: Period, old: list[Obj] | None = None
) -> list[Obj]:
    """One line per tier entered (and per flat fee) for what the meter counted; one of quantity 0 when nothing was.

    old: the lines as they are: returned themselves if nothing has changed, else the new ones are discounted and taxed
    alike.
    """
    price = in_currency(store.get("price", price_id), invoice["currency"])
    meter = store.get("billing.meter", price["recurring"]["meter"])
    parts = rate(price, store.usage(meter, invoice["customer"], *period))
    if old and [f"{part.quantity:f}" for part in parts] == [row["quantity_decimal"] for row in old]:
        return old
    name = store.get("product", price["product"])["name"]
    rows = list(_rows(store, invoice, sub, item, price, period, parts, name))
    return [row | {name: [*old[0][name]] for name in ("discounts", "taxes")} for row in rows] if old else rows


def _rows(
    store: Store, invoice: Obj, sub: Obj, item: str, price: Obj, period: Period, parts: list[Part], text: str
) -> Iterator[Obj]:
    for part in parts:
        if part.tier is None:
            tier = ""
        else:
            tier = f" (Tier {part.tier + 1}{', flat fee' if part.is_flat else f' at {part.unit_amount:f}'})"
        source = {"subscription": sub["id"], "subscription_item": item}
        yield _line(
            store, invoice, source, "subscription_item_details", amount=part.amount, description=text + tier,
            metadata=dict(sub["metadata"]), period={"end": period[1], "start": period[0]},
            pricing=pricing(price, part.unit_amount), quantity=round_amount(part.quantity),
            quantity_decimal=f"{part.quantity:f}",
        )  # fmt: skip


def _line(store: Store, invoice: Obj, source: Obj, kind: str, credited: Any = None, **fields: Any) -> Obj:
    parent = {"invoice_item": None, "proration": False, "proration_details": {"credited_items": credited}} | source
    both = {"invoice_item_details": None, "subscription_item_details": None, "type": kind, kind: parent}
    return shape(
        "line_item", id=store.new_id("il_"), currency=invoice["currency"], invoice=invoice["id"], parent=both,
        subscription=source["subscription"], subtotal=fields["amount"], **fields,
    )  # fmt: skip


def pricing(price: Obj, unit_amount: Decimal) -> Obj:
    """Where a line's amount is from."""
    details = {"price": price["id"], "product": price["product"]}
    return {"price_details": details, "type": "price_details", "unit_amount_decimal": f"{unit_amount:f}"}


COPIED = ("amount", "description", "discountable", "discounts", "metadata", "period", "pricing", "quantity",
          "quantity_decimal")  # fmt: skip


def pending_line(store: Store, invoice: Obj, entry: Obj) -> Obj:
    """The line of an invoice item; that of a proration says which subscription item it is for."""
    owner = (entry["parent"] or {}).get("subscription_details") or {}
    source = {"subscription": owner.get("subscription"), "invoice_item": entry["id"], "proration": entry["proration"]}
    kind = "invoice_item_details"
    if owner.get("subscription_item"):
        source["subscription_item"], kind = owner["subscription_item"], "subscription_item_details"
    credited = (entry["proration_details"]["credited_items"] or {}).get("invoice_line_item_details")
    row = _line(store, invoice, source, kind, credited, **{name: entry[name] for name in COPIED})
    set_rates([row], ids(entry["tax_rates"]))
    return row


def ids(rates: Iterable[Any]) -> list[str]:
    """Tax rates are shown as objects or as ids."""
    return [one if isinstance(one, str) else one["id"] for one in rates]


def set_rates(rows: Iterable[Obj], rates: Iterable[str]) -> None:
    """The tax rates of lines that have none of their own; `total_up` fills in the amounts."""
    for row in rows:
        row["taxes"] = row["taxes"] or [_tax(waterfall.Rate(one, ZERO), 0, 0) for one in rates]


def _tax(rate: waterfall.Rate, amount: int, taxable: int) -> Obj:
    behavior = "inclusive" if rate.inclusive else "exclusive"
    return {"amount": amount, "tax_behavior": behavior, "tax_rate_details": {"tax_rate": rate.id},
            "taxability_reason": "not_available", "taxable_amount": taxable, "type": "tax_rate_details"}  # fmt: skip


def total_up(store: Store, invoice: Obj, grants: Iterable[waterfall.Grant] = ()) -> list[waterfall.Line]:
    """Work out the invoice's discounts, credits and taxes again, line by line, and its sums; what is due is not set.

    Returns the lines as worked out, in order. `grants`: billing credits, which only finalising an invoice spends.
    """
    rows, grants = invoice["lines"]["data"], list(grants)
    lines = [_figures(store, row, bool(grants)) for row in rows]
    rules = [discounts.rule(store, one) for one in invoice["discounts"]]
    totals = waterfall.apply(lines, rules, grants, invoice["currency"])
    for row, line in zip(rows, lines, strict=True):
        row["discount_amounts"] = [{"amount": amount, "discount": one} for one, amount in line.discounts]
        row["pretax_credit_amounts"] = [part | {"type": "discount"} for part in row["discount_amounts"]]
        row["taxes"] = [_tax(*tax) for tax in line.taxes]
    untaxed = totals.total - totals.exclusive_tax - totals.inclusive_tax
    invoice.update(subtotal=totals.subtotal, total=totals.total, total_excluding_tax=untaxed)
    invoice["subtotal_excluding_tax"] = totals.subtotal - totals.inclusive_tax
    sum_up(invoice)
    return lines


def sum_up(invoice: Obj) -> None:
    """The invoice's lists of discounts, pre-tax credits and taxes: sums over its lines."""
    rows = invoice["lines"]["data"]
    none = [{"amount": 0, "discount": one} for one in invoice["discounts"]]
    invoice["total_discount_amounts"] = _sums([none, *(row["discount_amounts"] for row in rows)])
    invoice["total_pretax_credit_amounts"] = _sums(row["pretax_credit_amounts"] for row in rows)
    invoice["total_taxes"] = _sums(row["taxes"] for row in rows)


def _sums(lists: Iterable[list[Obj]]) -> list[Obj]:
    """Entries that differ in amounts only, added up."""
    found: dict[str, Obj] = {}
    for entries in lists:
        for entry in entries:
            rate = entry.get("tax_rate_details", {}).get("tax_rate")
            key = rate or entry.get("credit_balance_transaction") or entry["discount"]
            known = found.setdefault(key, {name: 0 if "amount" in name else entry[name] for name in entry})
            known.update({name: known[name] + entry[name] for name in entry if "amount" in name})
    return list(found.values())


def _figures(store: Store, row: Obj, needs_meter: bool) -> waterfall.Line:
    source = (row["pricing"] or {}).get("price_details") or {}
    line = waterfall.Line(row["amount"], source.get("product"), source.get("price"), discountable=row["discountable"])
    line.own = tuple(discounts.rule(store, one) for one in row["discounts"])
    for tax in row["taxes"]:
        found = store.get("tax_rate", tax["tax_rate_details"]["tax_rate"])
        line.rates += (waterfall.Rate(found["id"], Decimal(str(found["percentage"])), found["inclusive"]),)
    if needs_meter and source.get("price") and row["parent"]["type"] == "subscription_item_details":
        line.is_metered = (store.get("price", source["price"])["recurring"] or {}).get("usage_type") == "metered"
    return line
