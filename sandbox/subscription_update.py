"""`POST /v1/subscriptions/{id}`: swap prices, add or remove items, set discounts, end with the period."""

from typing import Any

from sandbox import forms, shapes, subscriptions
from sandbox.errors import ApiError
from sandbox.forms import Params
from sandbox.store import Obj, Store

KNOWN = {
    "items",
    "proration_behavior",
    "discounts",
    "metadata",
    "cancel_at_period_end",
    "cancellation_details",
    "expand",
}
ITEM_FIELDS = {"id", "price", "quantity", "deleted"}
PRORATIONS = {"none", "create_prorations", "always_invoice"}


def update_subscription(store: Store, sub: Obj, params: Params) -> Obj:
    """Apply the parameters and return the subscription. Raises ApiError, and the caller rolls everything back.

    Prorations are not simulated: a change of licensed items needs `proration_behavior=none`.
    """
    forms.only(params, KNOWN)
    if sub["status"] == "canceled" and set(params) - {"metadata", "expand", "cancellation_details"}:
        raise ApiError(
            400,
            "A canceled subscription can only update its cancellation_details and metadata.",
            code="invalid_canceled_subscription_fields",
        )
    behavior = forms.text(params.get("proration_behavior", "create_prorations"), "proration_behavior")
    if behavior not in PRORATIONS:
        raise ApiError(400, f"Invalid proration_behavior: {behavior}", param="proration_behavior")
    if "items" in params:
        for index, given in enumerate(forms.objects(params["items"], "items")):
            _change_item(store, sub, given, f"items[{index}]", behavior)
        if not store.children("subscription_item", sub["id"]):
            raise ApiError(400, "A subscription must have at least one active plan.", param="items")
    changes: dict[str, Any] = {}
    if "metadata" in params:
        changes["metadata"] = forms.merge_metadata(sub["metadata"], params["metadata"])
    if "discounts" in params:
        changes["discounts"] = _discounts(store, sub, params["discounts"])
    sub = subscriptions.save(store, sub, **changes)
    if "cancel_at_period_end" in params:
        wanted = forms.boolean(params["cancel_at_period_end"], "cancel_at_period_end")
        if wanted != sub["cancel_at_period_end"]:
            sub = subscriptions.request_cancel(store, sub) if wanted else subscriptions.keep(store, sub)
    return sub


def _change_item(store: Store, sub: Obj, given: Params, name: str, behavior: str) -> None:
    forms.only(given, ITEM_FIELDS, name)
    item = _item(store, sub, given["id"], name) if "id" in given else None
    price = _price(store, sub, given["price"], name) if "price" in given else None
    if item is None and price is None:
        raise ApiError(400, f"Missing required param: {name}[price].", param=f"{name}[price]", code="parameter_missing")
    shown = price or (item or {})["price"]
    is_licensed = shown["recurring"]["usage_type"] == "licensed"
    was_licensed = item is not None and item["price"]["recurring"]["usage_type"] == "licensed"
    if (is_licensed or was_licensed) and behavior != "none":
        raise ApiError(
            400,
            f"The sandbox does not simulate prorations: send proration_behavior=none, not {behavior}.",
            param="proration_behavior",
        )
    if item is not None and "deleted" in given and forms.boolean(given["deleted"], f"{name}[deleted]"):
        store.remove(item["id"])
        return
    quantity = _quantity(given, name, is_licensed, None if item is None or price else item.get("quantity"))
    if item is not None:
        subscriptions.set_price(store, item, shown, quantity)
        return
    taken = {row["price"]["id"] for row in store.children("subscription_item", sub["id"])}
    if shown["id"] in taken:
        raise ApiError(
            400, f"An existing Subscription Item is already using that Price: {shown['id']}", param=f"{name}[price]"
        )
    period = sub["items"]["data"][0]
    bounds = period["current_period_start"], period["current_period_end"]
    subscriptions.put_item(store, shapes.subscription_item(store, sub["id"], shown, quantity, *bounds))


def _quantity(given: Params, name: str, is_licensed: bool, kept: int | None) -> int | None:
    """None for metered items; for licensed ones what was sent, else what the item keeps, else 1 (Stripe's reset)."""
    if not is_licensed:
        if "quantity" in given:
            raise ApiError(400, "You cannot set the quantity for metered plans.", param=f"{name}[quantity]")
        return None
    if "quantity" not in given:
        return 1 if kept is None else kept
    quantity = forms.integer(given["quantity"], f"{name}[quantity]")
    if quantity < 0:
        raise ApiError(400, "Invalid non-negative integer", param=f"{name}[quantity]")
    return quantity


def _item(store: Store, sub: Obj, identifier: Any, name: str) -> Obj:
    found = store.find("subscription_item", forms.text(identifier, f"{name}[id]"))
    if found is None or found["subscription"] != sub["id"]:
        raise ApiError(
            400,
            f"No such subscription_item on {sub['id']}: '{identifier}'",
            param=f"{name}[id]",
            code="resource_missing",
        )
    return found


def _price(store: Store, sub: Obj, identifier: Any, name: str) -> Obj:
    found = store.find("price", forms.text(identifier, f"{name}[price]"))
    if found is None:
        raise ApiError(400, f"No such price: '{identifier}'", param=f"{name}[price]", code="resource_missing")
    if not found["active"]:
        raise ApiError(400, f"The price specified is inactive: {identifier}.", param=f"{name}[price]")
    if found["currency"] != sub["currency"]:
        raise ApiError(
            400,
            f"The price specified supports currency {found['currency']}, the subscription's is {sub['currency']}.",
            param=f"{name}[price]",
        )
    return found


def _discounts(store: Store, sub: Obj, given: Any) -> list[str]:
    """The new list of discount ids: an array replaces, an empty string clears."""
    if given == "":
        return []
    chosen = []
    for index, row in enumerate(forms.objects(given, "discounts")):
        name = f"discounts[{index}]"
        forms.only(row, {"coupon", "discount"}, name)
        if "discount" in row:
            if row["discount"] not in sub["discounts"]:
                raise ApiError(400, f"No such discount: '{row['discount']}'", param=f"{name}[discount]")
            chosen.append(row["discount"])
            continue
        coupon = store.find("coupon", forms.text(forms.required(row, "coupon"), f"{name}[coupon]"))
        if coupon is None:
            raise ApiError(400, f"No such coupon: '{row['coupon']}'", param=f"{name}[coupon]", code="resource_missing")
        chosen.append(subscriptions.add_discount(store, sub, coupon))
    return chosen
