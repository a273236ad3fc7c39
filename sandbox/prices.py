"""Products, prices and coupons (stripe.md 4.7, 4.8). What makes no sense is refused by rules.json; amounts stay."""

from decimal import Decimal
from typing import Any

from sandbox import objects
from sandbox.call import Call, Handler
from sandbox.events import emit, plain
from sandbox.params import Given, inside
from sandbox.rating import step_of
from sandbox.refusals import refuse
from sandbox.simple import changes, make, taken
from sandbox.store import Obj, Store

LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}  # interval_count: three years
RECURRING = {"interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed"}


def create_product(call: Call) -> Obj:
    """A product, and its default price if `default_price_data` describes one."""
    data = call.params.get("default_price_data")
    fields = described(call, data, "default_price_data") if data else None
    product = make(call, "product")
    if fields:
        price = objects.create(call.store, "price", product=product["id"], **fields)
        objects.update(call.store, product, default_price=price["id"])
    return product


def _check_product(call: Call, product: Obj, fields: Obj) -> None:
    if fields.get("default_price"):
        price = call.find("price", fields["default_price"], "default_price")
        if price["product"] != product["id"] or not price["active"]:
            raise refuse("default_other", "default_price", id=price["id"])


def delete_product(call: Call) -> Obj:
    """Only a product that never had prices can go: prices cannot."""
    product = call.target("product")
    if any(price["product"] == product["id"] for price in call.store.rows("price")):
        raise refuse("product_priced")
    return objects.delete(call.store, product)


def create_price(call: Call) -> Obj:
    """A price of a product that exists, or of one made with it (`product_data`)."""
    fields, data = described(call, call.params), call.params.get("product_data")
    _take_key(call, call.params.get("lookup_key"))
    product = make(call, "product", data)["id"] if data else call.params["product"]
    return objects.create(call.store, "price", product=product, **fields)


def described(call: Call, given: Given, within: str = "") -> Obj:
    """A price's fields from its parameters; `within` is the hash that holds them. Raises ApiError (400)."""
    fields = {name: value for name, value in taken("price", given).items() if name != "product"}
    if "tiers" in given:
        fields["tiers"] = _tiers(given["tiers"])
    elif "custom_unit_amount" in given:
        shape: Obj = {"maximum": None, "minimum": None, "preset": None}
        fields["custom_unit_amount"] = shape | taken("price", given)["custom_unit_amount"]
        fields["custom_unit_amount"].pop("enabled")
    else:
        fields |= _twins(given, "unit_amount")
    if recurring := fields.get("recurring"):
        fields |= {"type": "recurring", "recurring": RECURRING | recurring}
        param = inside(within, "recurring")
        if recurring.get("interval_count", 1) > LONGEST[recurring["interval"]]:
            raise refuse("three_years", f"{param}[interval_count]")
        if (meter := recurring.get("meter")) and call.store.get("billing.meter", meter)["status"] != "active":
            raise refuse("status", f"{param}[meter]", id=meter, now="inactive")
    return fields


def _twins(given: Given, name: str) -> Obj:
    """An amount's whole and decimal form, from whichever was given; the whole one is null if there is none."""
    exact = given.get(f"{name}_decimal", given.get(name))
    if exact is None:
        return {name: None, f"{name}_decimal": None}
    text = format(Decimal(exact), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return {name: None if "." in text else int(text), f"{name}_decimal": text}


def _tiers(given: list[Given]) -> list[Obj]:
    below, tiers = 0, []
    for index, row in enumerate(given):
        up_to, is_last = row["up_to"], index == len(given) - 1
        if (up_to == "inf") != is_last or (not is_last and up_to <= below):
            raise refuse("tier_order", f"tiers[{index}][up_to]")
        tiers.append(_twins(row, "flat_amount") | _twins(row, "unit_amount") | {"up_to": None if is_last else up_to})
        below = up_to
    return tiers


def _take_key(call: Call, key: str | None, own: str | None = None) -> None:
    """Make a lookup key free: refused if another price has it, unless it is to be transferred."""
    moves = call.params.get("transfer_lookup_key")
    for price in call.store.rows("price") if key else ():
        if price["lookup_key"] == key and price["id"] != own:
            if not moves:
                raise refuse("lookup_taken", "lookup_key", id=price["id"])
            _change(call.store, price, lookup_key=None)


def update_price(call: Call) -> Obj:
    """Change what may change; subscriptions show the price as it is now."""
    store, price = call.store, call.target("price")
    fields = taken("price", call.params, price)
    product = store.find("product", price["product"]) or {}
    if fields.get("active") is False and product.get("default_price") == price["id"]:
        raise refuse("price_default", "active")
    if price["tax_behavior"] not in ("unspecified", fields.get("tax_behavior", price["tax_behavior"])):
        raise refuse("tax_behavior", "tax_behavior")
    _take_key(call, fields.get("lookup_key"), price["id"])
    return _change(store, price, **fields)


def _change(store: Store, price: Obj, **fields: Any) -> Obj:
    """Change a price, also in the subscription items that show it."""
    objects.update(store, price, **fields)
    store.flush()
    holds = "select id from object where kind = 'subscription' and json like ?"
    for (identifier,) in store.db.execute(holds, (f'%"{price["id"]}"%',)).fetchall():
        sub = store.get("subscription", identifier)
        for item in sub["items"]["data"]:
            item["price"] = plain(price) if item["price"]["id"] == price["id"] else item["price"]
        store.put(sub)
    return price


def create_coupon(call: Call) -> Obj:
    """A coupon, under the id the caller chose if there is one."""
    amount, currency = call.params.get("amount_off"), call.params.get("currency", "").lower()
    if amount and amount % (step := step_of(currency)):
        raise refuse("amount_step", "amount_off", step=step, currency=currency)
    coupon = make(call, "coupon")
    if coupon["redeem_by"] is not None:
        call.store.schedule(coupon["redeem_by"], "coupon_expire", coupon["id"])
    return coupon


def delete_coupon(call: Call) -> Obj:
    """No new redemptions from now on; it stays stored, because discounts given before go on."""
    coupon = call.target("coupon")
    emit(call.store, "coupon.deleted", coupon)
    call.store.put(coupon | {"deleted": True, "valid": False})
    return {"id": coupon["id"], "object": "coupon", "deleted": True}


def expire_coupon(store: Store, identifier: str) -> None:
    """`redeem_by` has come."""
    coupon = store.find("coupon", identifier)
    if coupon is not None and coupon["redeem_by"] == store.now:
        objects.update(store, coupon, valid=False, emits=False)


ROUTES: dict[str, Handler] = {
    "POST /v1/products": create_product,
    "POST /v1/products/{id}": changes("product", _check_product),
    "DELETE /v1/products/{id}": delete_product,
    "POST /v1/prices": create_price,
    "POST /v1/prices/{id}": update_price,
    "POST /v1/coupons": create_coupon,
    "POST /v1/coupons/{id}": changes("coupon"),
    "DELETE /v1/coupons/{id}": delete_coupon,
}
TASKS = {"coupon_expire": expire_coupon}
