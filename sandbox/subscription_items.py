"""What requests say of items and their prices, what is refused, and the routes for a single item."""

from typing import Any

from sandbox import changes, discounts, objects, options, paging, prices, subscriptions
from sandbox.call import Call, Handler, Page, merge_metadata
from sandbox.errors import missing
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.store import Obj

LENGTHS = {"day": 1, "week": 7}, {"month": 1, "year": 12}  # intervals that can be multiples of each other


def within(name: str, key: str) -> str:
    """A parameter's name inside a hash, `items[0][price]`; at the top where name is ""."""
    return f"{name}[{key}]" if name else key


def price_of(call: Call, row: Given, name: str, currency: str | None, kind: str | None = "recurring") -> Obj:
    """The price that `price` (or `plan`) names or `price_data` describes; name: of the hash that holds them.

    currency: what it must support, kind: what it must be; None: any. Raises ApiError 400.
    """
    given = [one for one in ("price", "price_data", "plan") if one in row]
    if len(given) != 1:
        raise refuse("one_of" if given else "missing", within(name, "price"), names=", ".join(given))
    param = within(name, given[0])
    if given[0] == "price_data":
        product = call.find("product", row["price_data"]["product"], f"{param}[product]")
        fields = prices.described(call, row["price_data"], param) | {"product": product["id"], "active": False}
        price = objects.create(call.store, "price", **fields)
    elif not (price := call.find("price", row[given[0]], param))["active"]:
        raise refuse("price_inactive", param)
    if kind not in (None, price["type"]):
        raise refuse("price_kind", param, found=price["type"], wanted=kind)
    if currency not in (None, price["currency"], *price.get("currency_options", ())):
        raise refuse("price_currency", param, found=price["currency"], wanted=currency)
    return price


def quantity_of(row: Given, name: str, price: Obj, kept: int | None = 1) -> int | None:
    """None for metered prices; for others what was sent, else `kept`, else 1 (Stripe's reset)."""
    quantity, is_metered = row.get("quantity"), (price["recurring"] or {}).get("usage_type") == "metered"
    if quantity is not None and (is_metered or quantity < 0):
        raise refuse("metered_quantity" if is_metered else "negative", within(name, "quantity"))
    return None if is_metered else (1 if kept is None else kept) if quantity is None else int(quantity)


def spec_of(call: Call, row: Given, name: str, currency: str | None) -> subscriptions.Spec:
    """What a new item is to be."""
    price = price_of(call, row, name, currency)
    spec = {"price": price, "quantity": quantity_of(row, name, price), "tax_rates": tax_rates(call, row, name)}
    return spec | {"metadata": merge_metadata({}, row.get("metadata", {}))}


def specs_of(call: Call, rows: list[Given], currency: str | None, name: str, mode: str) -> list[subscriptions.Spec]:
    """What the items of a new subscription (or phase) are to be."""
    specs: list[subscriptions.Spec] = []
    for index, row in enumerate(rows):
        specs.append(
            spec_of(call, row, f"{name}[{index}]", currency or (specs and specs[0]["price"]["currency"]) or None)
        )
    check_together([spec["price"] for spec in specs], name, mode)
    return specs


def tax_rates(call: Call, row: Given, name: str = "", key: str = "tax_rates") -> list[Obj]:
    """The tax rates that a list of ids names, as items and subscriptions show them."""
    return [dict(call.find("tax_rate", one, within(name, key))) for one in row.get(key) or []]


def check_together(found: list[Obj], name: str, mode: str) -> None:
    """Refuse prices that cannot be on one subscription: none, too many, one twice, intervals that do not fit.

    Classic billing (`mode`) knows one interval, flexible billing also longer ones that are multiples of the shortest.
    """
    ids = [price["id"] for price in found]
    if not found or len(found) > options.MAX_ITEMS:
        raise refuse("many_items" if found else "no_items", name, most=options.MAX_ITEMS)
    for index, one in enumerate(ids):
        if one in ids[:index]:
            raise refuse("twice", f"{name}[{index}][price]", id=one)
    both = {(price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in found}
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
    for one in [one for one in found if one not in current]:
        store.world.treated(store, sub["customer"], "offer", 0)
        subscriptions.plan_discount(store, one)
    return found


# --- items of a subscription that runs


def wanted(call: Call, sub: Obj, rows: list[Given]) -> list[Obj]:
    """All of the subscription's items as an update's `items` ask for; rows without `id` add one."""
    items: dict[str, Obj] = {item["id"]: item for item in sub["items"]["data"]}
    for index, row in enumerate(rows):
        name, old = f"items[{index}]", items.get(row.get("id", ""))
        row.get("clear_usage")  # has no effect on prices with a meter, and there are no others
        if "id" in row and old is None:
            raise refuse("no_item", f"{name}[id]", id=row["id"])
        if old is not None and row.get("deleted"):
            del items[old["id"]]
        else:
            item = item_of(call, sub, old, row, name, [*items.values()])
            items[item["id"]] = item
    check_together([item["price"] for item in items.values()], "items", sub["billing_mode"]["type"])
    return list(items.values())


def item_of(call: Call, sub: Obj, old: Obj | None, row: Given, name: str, others: list[Obj]) -> Obj:
    """An item as it shall be, or a new one (old None). Another price resets the quantity to 1 unless one is sent."""
    if old is None:
        spec = spec_of(call, row, name, sub["currency"])
        if spec["price"]["id"] in [item["price"]["id"] for item in others]:
            raise refuse("used", within(name, "price"), id=spec["price"]["id"])
        new = old = subscriptions.new_item(call.store, sub, spec, call.store.now)
    else:
        is_named = any(one in row for one in ("price", "price_data", "plan"))
        price = price_of(call, row, name, sub["currency"]) if is_named else old["price"]
        kept = old.get("quantity") if price["id"] == old["price"]["id"] else None
        new = subscriptions.repriced(old, price, quantity_of(row, name, price, kept))
        new["metadata"] = merge_metadata(old["metadata"], row.get("metadata", {}))
        new["tax_rates"] = tax_rates(call, row, name) if "tax_rates" in row else old["tax_rates"]
    return new | {"discounts": replaced(call, sub, old["discounts"], row, name, subscription_item=new["id"])}


def change_of(call: Call, sub: Obj, items: list[Obj], fields: dict[str, Any]) -> changes.Change:
    """A change with the request's proration_behavior, proration_date and payment_behavior."""
    given, periods = call.params, [subscriptions.period_of(item) for item in sub["items"]["data"]]
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


# --- routes


def _subscription(call: Call) -> Obj:
    """The subscription that holds the URL's item, or that `subscription` names."""
    if "id" not in call.path:
        return call.find("subscription", call.params["subscription"], "subscription")
    sub = call.store.owner(call.path["id"])
    if sub is None or all(item["id"] != call.path["id"] for item in sub["items"]["data"]):
        raise missing("subscription item", call.path["id"])
    return sub


def _list(call: Call) -> Page:
    return paging.embedded(call, "subscription_item", "/v1/subscription_items", _subscription(call)["items"]["data"])


def _retrieve(call: Call) -> Obj:
    return next(dict(item) for item in _subscription(call)["items"]["data"] if item["id"] == call.path["id"])


def _change(call: Call, act: str) -> Obj:
    """Create, update or delete one item."""
    sub, given = _subscription(call), call.params
    check_open(sub)
    for name in ("off_session", "clear_usage"):  # neither has an effect here
        given.get(name)
    items, ids = list(sub["items"]["data"]), [item["id"] for item in sub["items"]["data"]]
    place = len(items) if act == "create" else ids.index(call.path["id"])
    if act == "delete":
        items.pop(place)
    else:
        items[place:] = [item_of(call, sub, (items[place:] or [None])[0], given, "", items), *items[place + 1 :]]
    check_together([one["price"] for one in items], "price", sub["billing_mode"]["type"])
    changes.apply(call.store, sub, change_of(call, sub, items, {}))
    shown: list[Obj] = (sub["pending_update"] or {}).get("subscription_items") or sub["items"]["data"]
    gone = {"id": ids[place], "object": "subscription_item", "deleted": True} if act == "delete" else None
    return gone or shown[place]


ROUTES: dict[str, Handler] = {
    "GET /v1/subscription_items": _list,
    "POST /v1/subscription_items": lambda call: _change(call, "create"),
    "GET /v1/subscription_items/{id}": _retrieve,
    "POST /v1/subscription_items/{id}": lambda call: _change(call, "update"),
    "DELETE /v1/subscription_items/{id}": lambda call: _change(call, "delete"),
}
