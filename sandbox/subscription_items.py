"""What requests say of items and their prices, what is refused, and the routes for a single item."""

from collections.abc import Iterable
from typing import Any

from sandbox import changes, discounts, objects, options, paging, prices, subscriptions
from sandbox.call import Call, Handler, Page, merge_metadata
from sandbox.errors import missing
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.store import Obj

LENGTHS = {"day": 1, "week": 7}, {"month": 1, "year": 12}  # intervals that can be multiples of each other
NAMES = ("price", "price_data", "plan")  # of the parameters that give a price
Row = tuple[str, str | None, Given | None]  # a hash's name, the id of the item it is about, the hash (None: remove)


def within(name: str, key: str) -> str:
    """A parameter's name inside a hash, `items[0][price]`; at the top where name is ""."""
    return f"{name}[{key}]" if name else key


def price_of(call: Call, row: Given, name: str, currency: str | None, kind: str | None = "recurring") -> Obj:
    """The price that `price` (or `plan`) names or `price_data` describes; name: of the hash that holds them.

    currency: what it must support, kind: what it must be; None: any. Raises ApiError 400.
    """
    given = next((one for one in NAMES if one in row), NAMES[0])
    param = within(name, given)
    if given not in row:
        raise refuse("missing", param)
    if given == "price_data":
        product = call.find("product", row["price_data"]["product"], f"{param}[product]")
        fields = prices.described(call, row["price_data"], param) | {"product": product["id"], "active": False}
        price = objects.create(call.store, "price", **fields)
    elif not (price := call.find("price", row[given], param))["active"]:
        raise refuse("price_inactive", param)
    if kind not in (None, price["type"]):
        raise refuse("price_kind", param, found=price["type"], wanted=kind)
    if currency not in (None, price["currency"], *price.get("currency_options", ())):
        raise refuse("price_currency", param, found=price["currency"], wanted=currency)
    return price


def spec_of(
    call: Call, row: Given, name: str, currency: str | None, old: Obj | None = None, kind: str | None = "recurring"
) -> Obj:
    """What an item is to be: price, quantity (None: metered), tax_rates and metadata; old: what is not sent.

    Another price resets the quantity to 1 unless one is sent, as Stripe does.
    """
    is_named = old is None or any(one in row for one in NAMES)
    price = price_of(call, row, name, currency, kind) if old is None or is_named else old["price"]
    is_metered = (price["recurring"] or {}).get("usage_type") == "metered"
    if is_metered and "quantity" in row:
        raise refuse("metered_quantity", within(name, "quantity"))
    kept = old["quantity"] if old and old["price"]["id"] == price["id"] and not is_metered else 1
    rates = tax_rates(call, row, name) if old is None or "tax_rates" in row else old["tax_rates"]
    metadata = merge_metadata(old and old["metadata"], row.get("metadata", {}))
    quantity = None if is_metered else row.get("quantity", kept)
    return {"price": price, "quantity": quantity, "tax_rates": rates, "metadata": metadata}


def tax_rates(call: Call, row: Given, name: str = "", key: str = "tax_rates") -> list[Obj]:
    """The tax rates that a list of ids names, as items and subscriptions show them."""
    return [dict(call.find("tax_rate", one, within(name, key))) for one in row.get(key) or []]


def check_together(found: list[tuple[str, Obj]], name: str, mode: str) -> None:
    """Refuse prices that cannot be on one subscription: none, too many, one twice, intervals that do not fit.

    found: each with the name of the hash that gives it. Classic billing (`mode`) knows one interval, flexible billing
    also longer ones that are multiples of the shortest.
    """
    if not found or len(found) > options.MAX_ITEMS:
        raise refuse("many_items" if found else "no_items", name, most=options.MAX_ITEMS)
    ids = [price["id"] for _, price in found]
    for index, (where, price) in enumerate(found):
        if price["id"] in ids[:index]:
            raise refuse("twice", within(where, "price"), id=price["id"])
    both = {(price["recurring"]["interval"], price["recurring"]["interval_count"]) for _, price in found}
    for unit in LENGTHS if mode == "flexible" else ():
        lengths = [unit[interval] * count for interval, count in both if interval in unit]
        if len(lengths) == len(both) and not any(length % min(lengths) for length in lengths):
            return
    if len(both) > 1:
        raise refuse("interval", name)


def replaced(call: Call, sub: Obj, current: list[str], row: Given, name: str = "", **owner: Any) -> list[str]:
    """What a `discounts` parameter makes of the current ones: a list replaces them, "" clears, [] leaves them."""
    store, given = call.store, row.get("discounts", [])
    if given == []:
        return list(current)
    owner |= {"customer": sub["customer"], "currency": sub["currency"], "subscription": sub["id"]}
    found = discounts.chosen(call, given, name=within(name, "discounts"), current=current, **owner)
    for one in [one for one in current if one not in found]:
        discounts.end(store, one)
    for _ in set(found) - set(current):
        store.world.treated(store, sub["customer"], "offer", 0)
    return found


def wanted(call: Call, sub: Obj, rows: Iterable[Row], name: str) -> list[Obj]:
    """All of a subscription's items as a request asks for them; a row without an id adds one. Raises ApiError 400.

    The first price gives a new subscription its currency.
    """
    items: dict[str | None, Obj] = {item["id"]: item for item in sub["items"]["data"]}
    names = dict.fromkeys(items, name)
    for where, key, row in rows:
        old = items.get(key)
        if key is not None and old is None:
            raise refuse("no_item", within(where, "id"), id=key)
        if row is None:
            del items[key]
            continue
        spec = spec_of(call, row, where, sub["currency"] or None, old)
        sub["currency"] = sub["currency"] or spec["price"]["currency"]
        item = subscriptions.repriced(old, **spec) if old else subscriptions.new_item(call.store, sub, **spec)
        item["discounts"] = replaced(call, sub, item["discounts"], row, where, subscription_item=item["id"])
        items[item["id"]], names[item["id"]] = item, where
    check_together([(names[key], item["price"]) for key, item in items.items()], name, sub["billing_mode"]["type"])
    return list(items.values())


def rows_of(given: Given) -> list[Row]:
    """The rows of an `items` parameter."""
    rows = enumerate(given.get("items") or ())
    return [(f"items[{at}]", row.get("id"), None if row.get("deleted") else row) for at, row in rows]


def change_of(call: Call, sub: Obj, items: list[Obj], fields: Obj) -> "changes.Change":
    """A change with the request's proration_behavior, proration_date and payment_behavior."""
    given, periods = call.params, [subscriptions.period_of(item) for item in sub["items"]["data"]]
    for name in ("off_session", "clear_usage"):  # every payment is off session, every metered price has a meter
        given.get(name)
    at, start, end = given.get("proration_date"), max(one[0] for one in periods), min(one[1] for one in periods)
    if at is not None and not start <= at <= end:
        raise refuse("proration_date", "proration_date", start=start, end=end)
    proration = given.get("proration_behavior", "create_prorations")
    return changes.Change(items, fields, proration, given.get("payment_behavior", "allow_incomplete"), at)


def check_open(sub: Obj, param: str | None = None) -> None:
    """Refuse changes of items and dates where Stripe does: ended, paused, or run by a schedule."""
    if sub["status"] in subscriptions.ENDED:
        raise refuse("ended")
    if sub["status"] == "paused" or sub["schedule"]:
        raise refuse("managed" if sub["schedule"] else "paused", param, id=sub["schedule"])


def _holder(call: Call) -> Obj:
    """The subscription that holds the URL's item, or that `subscription` names. Raises ApiError 404."""
    key = call.path.get("id")
    if key is None:
        return call.store.get("subscription", call.params["subscription"])
    sub = call.store.owner(key)
    if sub is None or key not in [item["id"] for item in sub["items"]["data"]]:
        raise missing("subscription item", key)
    return sub


def _list(call: Call) -> Page:
    return paging.embedded(call, "subscription_item", "/v1/subscription_items", _holder(call)["items"]["data"])


def _retrieve(call: Call) -> Obj:
    return next(dict(item) for item in _holder(call)["items"]["data"] if item["id"] == call.path["id"])


def _change(call: Call, row: Given | None) -> Obj:
    """Change or remove (row None) the URL's item, or add one; answers with it as it is now, or waits to be."""
    sub, key = _holder(call), call.path.get("id")
    check_open(sub)
    items = wanted(call, sub, [("", key, row)], "price")
    changes.apply(call.store, sub, change_of(call, sub, items, {}))
    shown = sub["pending_update"]["subscription_items"] if sub["pending_update"] else sub["items"]["data"]
    gone = {"id": key, "object": "subscription_item", "deleted": True}
    return next((dict(item) for item in reversed(shown) if key in (None, item["id"])), gone)


ROUTES: dict[str, Handler] = {
    "GET /v1/subscription_items": _list,
    "POST /v1/subscription_items": lambda call: _change(call, call.params),
    "GET /v1/subscription_items/{id}": _retrieve,
    "POST /v1/subscription_items/{id}": lambda call: _change(call, call.params),
    "DELETE /v1/subscription_items/{id}": lambda call: _change(call, None),
}
