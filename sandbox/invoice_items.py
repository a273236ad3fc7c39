"""Invoice items: what waits for a customer's next invoice, or was put on a draft by hand; and a draft's lines."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox import discounts, invoice_lines, invoices, objects, subscription_items
from sandbox.call import Call, Handler, merge_metadata, plain_value
from sandbox.events import emit
from sandbox.rating import rate, round_amount, step_of
from sandbox.refusals import refuse
from sandbox.store import Obj, Store


def figures(call: Call, given: Any, currency: str, name: str = "") -> Obj:
    """Amount, pricing and quantity from `amount`, `pricing`, `price_data` or `unit_amount_decimal`; else {}."""
    quantity, source = Decimal(given.get("quantity_decimal", given.get("quantity", 1))), given.get("pricing") or given
    unit_amount = given.get("unit_amount_decimal", given.get("unit_amount"))
    if {"price", "price_data"} & set(source):
        if "product" not in source.get("price_data", ("product",)):
            raise refuse("missing", "price_data[product]")
        where = name if source is given else subscription_items.within(name, "pricing")
        price = subscription_items.price_of(call, source, where, currency, "one_time")
        parts = rate(invoice_lines.in_currency(price, currency), quantity)
        found = {
            "amount": sum(part.amount for part in parts),
            "description": call.store.get("product", price["product"])["name"],
        }
        found["pricing"] = invoice_lines.pricing(price, parts[0].unit_amount)
    elif unit_amount is not None:
        found = {"amount": round_amount(Decimal(unit_amount) * quantity, step_of(currency))}
    elif "amount" in given:
        found = {"amount": given["amount"]}
    else:
        return {}
    counted = {"quantity": round_amount(quantity), "quantity_decimal": f"{quantity:f}"}
    return {"pricing": None, "discountable": found["amount"] >= 0} | counted | found


def _revised(call: Call, given: Any, old: Obj, customer: str, name: str = "") -> Obj:
    """What a request changes of an item or a line."""
    known = figures(call, given, old["currency"], name)
    if not known and {"quantity", "quantity_decimal"} & set(given) and old.get("pricing"):
        unit = old["pricing"]["unit_amount_decimal"]
        known = figures(call, {**given, "unit_amount_decimal": unit}, old["currency"]) | {"pricing": old["pricing"]}
    known |= {one: plain_value(given[one]) for one in ("description", "discountable", "period") if one in given}
    if "metadata" in given:
        known["metadata"] = merge_metadata(old.get("metadata"), given["metadata"])
    if "tax_rates" in given:
        known["tax_rates"] = [call.find("tax_rate", one, "tax_rates")["id"] for one in given["tax_rates"] or []]
    if "discounts" in given:
        known["discounts"] = discounts.chosen(call, given["discounts"], customer=customer, currency=old["currency"],
                                              current=old.get("discounts", ()), invoice_item=old.get("id"))  # fmt: skip
    return known


def entered(
    call: Call, customer: Obj, given: Any, currency: str, invoice: Obj | None, name: str = "", **fields: Any
) -> Obj:
    """An item made from what a request gives, and put on `invoice` if there is one (its sums are not yet changed)."""
    known = _revised(call, given, {"currency": currency}, customer["id"], name)
    if "amount" not in known:
        raise refuse("no_amount", "amount")
    now, on = call.store.now, invoice["id"] if invoice else None
    fields |= {"currency": currency, "customer": customer["id"], "test_clock": customer["test_clock"], "date": now}
    fields |= {"invoice": on, "net_amount": known["amount"], "period": {"end": now, "start": now}} | known
    return objects.create(call.store, "invoiceitem", **fields)


def editable(invoice: Obj) -> Obj:
    """The invoice, if it is a draft. Raises ApiError 400 `invoice_not_editable`."""
    if invoice["status"] != "draft":
        raise refuse("not_editable", "invoice")
    return invoice


def _changed(store: Store, invoice: Obj, rows: list[Obj]) -> Obj:
    """Give a draft other lines, and tell."""
    before = {name: invoice[name] for name in ("amount_due", "subtotal", "total")}
    invoices.set_lines(store, invoice, rows)
    emit(store, "invoice.updated", invoice, {name: old for name, old in before.items() if old != invoice[name]})
    return invoice


def item_of(row: Obj) -> str:
    """The invoice item behind a line, or ""."""
    found = row["parent"]["invoice_item_details"] or row["parent"]["subscription_item_details"] or {}
    return found.get("invoice_item") or ""


def _put(store: Store, entry: Obj, changes: Obj) -> Obj:
    entry.update(changes)
    entry["net_amount"] = entry["amount"]
    return store.put(entry)


# --- routes of items


def _create(call: Call) -> Obj:
    params, store = call.params, call.store
    invoice = editable(call.find("invoice", params["invoice"], "invoice")) if "invoice" in params else None
    sub = call.find("subscription", params["subscription"], "subscription") if "subscription" in params else None
    owner = invoice or sub or {}
    customer_id = params.get("customer") or owner.get("customer")
    if customer_id is None:
        raise refuse("missing", "customer")
    customer = call.find("customer", customer_id, "customer")
    currency = (params.get("currency") or owner.get("currency") or customer["currency"] or "usd").lower()
    if invoice and currency != invoice["currency"]:
        raise refuse("price_currency", "currency", found=currency, wanted=invoice["currency"])
    parent = {"subscription_details": {"subscription": sub["id"]}, "type": "subscription_details"} if sub else None
    entry = entered(call, customer, params, currency, invoice, parent=parent)
    if invoice is not None:
        _changed(store, invoice, [*invoice["lines"]["data"], invoice_lines.pending_line(store, invoice, entry)])
    return entry


def _update(call: Call) -> Obj:
    """Change an item, and with it its line on a draft."""
    store, entry = call.store, call.target("invoiceitem")
    invoice = editable(store.get("invoice", entry["invoice"])) if entry["invoice"] else None
    _put(store, entry, _revised(call, call.params, entry, entry["customer"]))
    if invoice is not None:
        line = invoice_lines.pending_line(store, invoice, entry)
        rows = [line | {"id": row["id"]} if item_of(row) == entry["id"] else row for row in invoice["lines"]["data"]]
        _changed(store, invoice, rows)
    return entry


def _delete(call: Call) -> Obj:
    entry = call.target("invoiceitem")
    if entry["invoice"]:
        invoice = editable(call.store.get("invoice", entry["invoice"]))
        _changed(call.store, invoice, [row for row in invoice["lines"]["data"] if item_of(row) != entry["id"]])
    return objects.delete(call.store, entry)


# --- routes of a draft's lines


def _edited(edit: Callable[[Call, Obj, list[Obj], Any, str], None]) -> Handler:
    """A handler that applies `edit` for each of the request's lines."""

    def handler(call: Call) -> Obj:
        invoice = editable(call.target("invoice"))
        if "invoice_metadata" in call.params:
            invoice["metadata"] = merge_metadata(invoice["metadata"], call.params["invoice_metadata"])
        rows = list(invoice["lines"]["data"])
        for index, given in enumerate(call.params["lines"]):
            edit(call, invoice, rows, given, f"lines[{index}]")
        return _changed(call.store, invoice, rows)

    return handler


def _add(call: Call, invoice: Obj, rows: list[Obj], given: Any, name: str) -> None:
    if "invoice_item" in given:
        entry = call.find("invoiceitem", given["invoice_item"], f"{name}[invoice_item]")
        if entry["invoice"] or entry["customer"] != invoice["customer"]:
            raise refuse("not_waiting", f"{name}[invoice_item]")
        _put(call.store, entry, {"invoice": invoice["id"]})
    else:
        customer = call.store.get("customer", invoice["customer"])
        entry = entered(call, customer, given, invoice["currency"], invoice, name)
    rows.append(invoice_lines.pending_line(call.store, invoice, entry))


def _change(call: Call, invoice: Obj, rows: list[Obj], given: Any, name: str) -> None:
    row = _find(rows, given["id"], f"{name}[id]")
    known = _revised(call, given, row, invoice["customer"], name)
    entry = call.store.find("invoiceitem", item_of(row))
    if entry is not None:
        _put(call.store, entry, known)
        known = invoice_lines.pending_line(call.store, invoice, entry) | {"id": row["id"]}
    row.update({key: value for key, value in known.items() if key in row}, subtotal=known.get("amount", row["amount"]))


def _find(rows: list[Obj], identifier: str, param: str) -> Obj:
    found = [row for row in rows if row["id"] == identifier]
    if not found:
        raise refuse("no_line", param, id=identifier)
    return found[0]


def _remove(call: Call, invoice: Obj, rows: list[Obj], given: Any, name: str) -> None:
    row = _find(rows, given["id"], f"{name}[id]")
    rows.remove(row)
    entry = call.store.find("invoiceitem", item_of(row))
    if entry is not None and given["behavior"] == "delete":
        objects.delete(call.store, entry)
    elif entry is not None:
        _put(call.store, entry, {"invoice": None})


def _change_one(call: Call) -> Obj:
    invoice = editable(call.target("invoice"))
    rows = invoice["lines"]["data"]
    _change(call, invoice, rows, {**call.params, "id": call.path["line"]}, "line")
    call.params.used |= set(call.params)
    _changed(call.store, invoice, rows)
    return _find(rows, call.path["line"], "line")


ROUTES: dict[str, Handler] = {
    "POST /v1/invoiceitems": _create,
    "POST /v1/invoiceitems/{id}": _update,
    "DELETE /v1/invoiceitems/{id}": _delete,
    "POST /v1/invoices/{id}/add_lines": _edited(_add),
    "POST /v1/invoices/{id}/update_lines": _edited(_change),
    "POST /v1/invoices/{id}/remove_lines": _edited(_remove),
    "POST /v1/invoices/{id}/lines/{line}": _change_one,
}
