"""Discounts: coupons in use on a subscription, an item, an invoice or an invoice item."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox import objects, waterfall
from sandbox.call import Call
from sandbox.clock import add_months
from sandbox.refusals import refuse
from sandbox.store import Obj, Store


def is_redeemable(store: Store, coupon: Obj) -> bool:
    """Whether new discounts can be made from the coupon now."""
    return bool(coupon["valid"]) and (coupon["redeem_by"] is None or store.now < coupon["redeem_by"])


def use(store: Store, coupon: Obj, *, customer: str, promotion_code: str | None = None, **owner: Any) -> Obj:
    """A new discount from now on; `owner` names what it is on (`subscription=`, `invoice=` …). The coupon counts it.

    Raises ApiError 400 `coupon_expired` if the coupon is no longer redeemable.
    """
    limit, months = coupon["max_redemptions"], coupon["duration_in_months"]
    if not is_redeemable(store, coupon):
        raise refuse("coupon_expired", "discounts", id=coupon["id"])
    coupon["times_redeemed"] += 1
    coupon["valid"] = limit is None or coupon["times_redeemed"] < limit
    store.put(coupon)
    made = objects.create(
        store, "discount", customer=customer, end=add_months(store.now, months) if months else None, start=store.now,
        promotion_code=promotion_code, source={"coupon": coupon["id"], "type": "coupon"}, **owner,
    )  # fmt: skip
    if made["end"] is not None:
        store.schedule(made["end"], "discount_end", made["id"])
    return made


def chosen(
    call: Call, rows: Any, *, customer: str, currency: str, name: str = "discounts", current: Any = (), **owner: Any
) -> list[str]:
    """The ids that a `discounts` parameter asks for, new ones made; "" means none. Raises ApiError 400.

    current: ids that `{discount: …}` may name; the others of them are the caller's to end.
    """
    found: list[str] = []
    for index, row in enumerate(rows or []):
        param = f"{name}[{index}]"
        if "discount" in row:
            if row["discount"] not in current:
                raise refuse("other_discount", param, id=row["discount"])
            found.append(row["discount"])
            continue
        named = row.get("promotion_code")
        code = call.find("promotion_code", named, f"{param}[promotion_code]") if named else None
        if code and not code["active"]:
            raise refuse("promotion_inactive", param)
        coupon = call.find("coupon", code["promotion"]["coupon"] if code else row.get("coupon"), f"{param}[coupon]")
        if coupon["amount_off"] and coupon["currency"] != currency:
            raise refuse("coupon_currency", f"{param}[coupon]", found=coupon["currency"], wanted=currency)
        made = use(call.store, coupon, customer=customer, promotion_code=code["id"] if code else None, **owner)
        found.append(made["id"])
    return found


def end(store: Store, identifier: str) -> None:
    """Tell that a discount no longer applies; the object stays, since invoices name it."""
    discount = store.get("discount", identifier)
    objects.become(store, discount, "deleted", end=min(discount["end"] or store.now, store.now))


def running(store: Store, identifiers: Iterable[str], at: int) -> list[str]:
    """Those of the discounts that have not ended by `at`."""
    return [one for one in identifiers if (last := store.get("discount", one)["end"]) is None or at < last]


def coupon_of(store: Store, identifier: str) -> Obj:
    """The coupon behind a discount, deleted or not."""
    return store.get("coupon", store.get("discount", identifier)["source"]["coupon"])


def rule(store: Store, identifier: str) -> waterfall.Discount:
    """What the discount takes off."""
    coupon = coupon_of(store, identifier)
    percent, products = coupon["percent_off"], (coupon.get("applies_to") or {}).get("products")
    return waterfall.Discount(identifier, None if percent is None else Decimal(str(percent)), coupon["amount_off"],
                              coupon["currency"], frozenset(products) if products else None)  # fmt: skip
