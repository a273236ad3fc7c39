"""Invoice items: what waits for a customer's next invoice, or was put on a draft by hand; and a draft's lines."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox import discounts, invoice_lines, invoices, objects, subscription_items
from sandbox.call import Call, Handler, merge_metadata, plain_value
from sandbox.rating import rate, round_amount, step_of
from sandbox.refusals import refuse
from sandbox.store import Obj, Store

Edit = Callable[[Call, Obj, Any, str], None]  # of a line of a draft: call, invoice, what is given and its name


def _asked(call: Call, given: Any, old: Obj, name: str = "") -> Obj:
    """What a request asks of an item (`old`; of a new one its currency and customer)."""
    found = {one: plain_value(given[one]) for one in ("description", "discountable", "period") if one in given}
    if "metadata" in given:
        found["metadata"] = merge_metadata(old.get("metadata"), given["metadata"])
    if "tax_rates" in given:
        found["tax_rates"] = [call.find("tax_rate", one, "tax_rates")["id"] for one in given["tax_rates"] or []]
    if "discounts" in given:
        owner = {"customer": old["customer"], "currency": old["currency"], "invoice_item": old.get("id")}
        found["discounts"] = discounts.chosen(call, given["discounts"], current=old.get("discounts", ()), **owner)
    return _figures(call, given, old, name) | found


def _figures(call: Call, given: Any, old: Obj, name: str) -> Obj:
    """Amount, pricing and quantity from `pricing`, `price_data`, `unit_amount_decimal` (as it was) or `amount`."""
    currency, source = old["currency"], given.get("pricing") or given
    quantity = Decimal(given.get("quantity_decimal", given.get("quantity", 1)))
    unit = given.get("unit_amount_decimal", given.get("unit_amount"))
    found: Obj = {"pricing": None, "quantity": round_amount(quantity), "quantity_decimal": f"{quantity:f}"}
    if {"price", "price_data"} & set(source):
        if "product" not in source.get("price_data", ("product",)):
            raise refuse("missing", "price_data[product]")
        where = name if source is given else subscription_items.within(name, "pricing")
        price = subscription_items.price_of(call, source, where, currency, "one_time")
        parts = rate(invoice_lines.in_currency(price, currency), quantity)
        found |= {"amount": sum(part.amount for part in parts)}
        found |= {"pricing": invoice_lines.pricing(price, parts[0].unit_amount)}
        found |= {"description": call.store.get("product", price["product"])["name"]}
    elif unit is None and "amount" in given:
        found["amount"] = given["amount"]
    else:
        if unit is None and old.get("pricing") and {"quantity", "quantity_decimal"} & set(given):
            unit, found["pricing"] = old["pricing"]["unit_amount_decimal"], old["pricing"]
        if unit is None:
            return {}
        found["amount"] = round_amount(Decimal(unit) * quantity, step_of(currency))
    return found | {"discountable": found["amount"] >= 0}


def entered(
    call: Call, customer: Obj, given: Any, currency: str, invoice: Obj | None, name: str = "", **fields: Any
) -> Obj:
    """An item made from what a request gives, and put on `invoice` if there is one (its sums are not yet changed)."""
    now, owner = call.store.now, {"currency": currency, "customer": customer["id"]}
    known = _asked(call, given, owner, name)
    if "amount" not in known:
        raise refuse("no_amount", "amount")
    fields |= owner | {"test_clock": customer["test_clock"], "date": now, "net_amount": known["amount"]}
    fields["invoice"] = invoice and invoice["id"]
    return objects.create(call.store, "invoiceitem", **{"period": {"end": now, "start": now}} | fields | known)


def item_of(row: Obj) -> str:
    """The invoice item behind a line, or ""."""
    found = row["parent"]["invoice_item_details"] or row["parent"]["subscription_item_details"]
    return found["invoice_item"] or ""


def _rebuilt(store: Store, invoice: Obj, **changes: Any) -> Obj:
    """A draft with the lines of the items that are now on it, made anew under the ids that they have."""
    items = {entry["id"]: entry for entry in store.rows("invoiceitem", invoice=invoice["id"])}
    rows = []
    for row in invoice["lines"]["data"]:
        if entry := items.pop(item_of(row), None):
            rows.append(invoice_lines.pending_line(store, invoice, entry) | {"id": row["id"]})
        elif not item_of(row):
            rows.append(row)
    rows += [invoice_lines.pending_line(store, invoice, entry) for entry in items.values()]
    return invoices.revise(store, invoice, rows, **changes)


def _revise(call: Call, entry: Obj, given: Any, name: str = "") -> Obj:
    entry.update(_asked(call, given, entry, name))
    entry["net_amount"] = entry["amount"]
    return call.store.put(entry)


# --- routes of items


def _draft_of(store: Store, item: Obj) -> Obj | None:
    """The draft that an item is on, if it is on one. Raises ApiError 400 `invoice_not_editable`."""
    invoice = store.get("invoice", item["invoice"]) if item.get("invoice") else None
    if invoice and invoice["status"] != "draft":
        raise refuse("not_editable", "invoice")
    return invoice


def _create(call: Call) -> Obj:
    params, store = call.params, call.store
    invoice, sub = _draft_of(store, params), store.find("subscription", params.get("subscription", ""))
    owner = invoice or sub or {}
    customer = store.get("customer", params.get("customer") or owner["customer"])
    if owner.get("customer", customer["id"]) != customer["id"]:
        raise refuse("not_yours", "customer", id=owner["id"], customer=customer["id"])
    currency = (params.get("currency") or owner.get("currency") or customer["currency"] or "usd").lower()
    if invoice and currency != invoice["currency"]:
        raise refuse("price_currency", "currency", found=currency, wanted=invoice["currency"])
    parent = {"subscription_details": {"subscription": sub["id"]}, "type": "subscription_details"} if sub else None
    entry = entered(call, customer, params, currency, invoice, parent=parent)
    if invoice:
        _rebuilt(store, invoice)
    return entry


def _changed(call: Call, change: Callable[[Obj], Obj]) -> Obj:
    """What `change` makes of the URL's item, and with it of its line on a draft."""
    entry = call.target("invoiceitem")
    invoice, answer = _draft_of(call.store, entry), change(entry)
    if invoice:
        _rebuilt(call.store, invoice)
    return answer


# --- routes of a draft's lines


def _edited(edit: Edit) -> Handler:
    """A handler that applies `edit` for each of the request's lines."""

    def handler(call: Call) -> Obj:
        invoice = call.target("invoice")
        for index, given in enumerate(call.params["lines"]):
            edit(call, invoice, given, f"lines[{index}]")
        metadata = merge_metadata(invoice["metadata"], call.params.get("invoice_metadata", {}))
        return _rebuilt(call.store, invoice, metadata=metadata)

    return handler


def _add_line(call: Call, invoice: Obj, given: Any, name: str) -> None:
    if "invoice_item" not in given:
        entered(call, call.store.get("customer", invoice["customer"]), given, invoice["currency"], invoice, name)
        return
    entry = call.find("invoiceitem", given["invoice_item"], f"{name}[invoice_item]")
    if entry["invoice"] or entry["customer"] != invoice["customer"]:
        raise refuse("not_waiting", f"{name}[invoice_item]")
    call.store.put(entry)["invoice"] = invoice["id"]


def _item_at(call: Call, invoice: Obj, line: str, name: str) -> Obj:
    """The item behind a line. Raises ApiError 400 if there is no such line, or it is a subscription's."""
    for row in invoice["lines"]["data"]:
        if row["id"] == line and item_of(row):
            return call.store.get("invoiceitem", item_of(row))
    raise refuse("no_line", f"{name}[id]", id=line)


def _change_line(call: Call, invoice: Obj, given: Any, name: str) -> None:
    _revise(call, _item_at(call, invoice, given["id"], name), given, name)


def _remove_line(call: Call, invoice: Obj, given: Any, name: str) -> None:
    entry = call.store.put(_item_at(call, invoice, given["id"], name))
    entry["invoice"] = None
    if given["behavior"] == "delete":
        objects.delete(call.store, entry)


def _change_one(call: Call) -> Obj:
    invoice, line = call.target("invoice"), call.path["line"]
    _revise(call, _item_at(call, invoice, line, "line"), call.params)
    return next(row for row in _rebuilt(call.store, invoice)["lines"]["data"] if row["id"] == line)


ROUTES: dict[str, Handler] = {
    "POST /v1/invoiceitems": _create,
    "POST /v1/invoiceitems/{id}": lambda call: _changed(call, lambda entry: _revise(call, entry, call.params)),
    "DELETE /v1/invoiceitems/{id}": lambda call: _changed(call, lambda entry: objects.delete(call.store, entry)),
    "POST /v1/invoices/{id}/add_lines": _edited(_add_line),
    "POST /v1/invoices/{id}/update_lines": _edited(_change_line),
    "POST /v1/invoices/{id}/remove_lines": _edited(_remove_line),
    "POST /v1/invoices/{id}/lines/{line}": _change_one,
}
