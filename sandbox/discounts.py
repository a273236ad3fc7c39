"""Discounts: coupons in use on a subscription, an item, an invoice or an invoice item."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox import objects, waterfall
from sandbox.call import Call
from sandbox.clock import add_months
from sandbox.events import emit
from sandbox.refusals import refuse
from sandbox.store import Obj, Store


def use(store: Store, coupon: Obj, *, customer: str, promotion_code: str | None = None, **owner: Any) -> Obj:
    """A new discount from now on; `owner` names what it is on (`subscription=`, `invoice=` …). The coupon counts it.

    Raises ApiError 400 `coupon_expired` if the coupon is no longer redeemable.
    """
    limit, last, months = coupon["max_redemptions"], coupon["redeem_by"], coupon["duration_in_months"]
    is_used_up = limit is not None and coupon["times_redeemed"] >= limit
    if is_used_up or not coupon["valid"] or (last is not None and last <= store.now):
        raise refuse("coupon_expired", "discounts", id=coupon["id"])
    coupon["times_redeemed"] += 1
    coupon["valid"] = limit is None or coupon["times_redeemed"] < limit
    store.put(coupon)
    end = add_months(store.now, months) if months else None
    source = {"coupon": coupon["id"], "type": "coupon"}
    return objects.create(store, "discount", customer=customer, end=end, promotion_code=promotion_code, source=source,
                          start=store.now, **owner)  # fmt: skip


def chosen(
    call: Call, rows: Any, *, customer: str, currency: str, name: str = "discounts", current: Any = (), **owner: Any
) -> list[str]:
    """The ids that a `discounts` parameter asks for, new ones made; "" means none. Raises ApiError 400.

    current: ids that `{discount: …}` may name; the others of them are the caller's to end.
    """
    found: list[str] = []
    for index, row in enumerate(rows or []):
        param, promotion = f"{name}[{index}]", None
        if "discount" in row:
            if row["discount"] not in current:
                raise refuse("other_discount", param, id=row["discount"])
            found.append(row["discount"])
            continue
        if "promotion_code" in row:
            promotion = call.find("promotion_code", row["promotion_code"], f"{param}[promotion_code]")
            if not promotion["active"]:
                raise refuse("promotion_inactive", param)
        wanted = promotion["promotion"]["coupon"] if promotion else row.get("coupon")
        coupon = call.find("coupon", wanted, f"{param}[coupon]")
        if coupon["amount_off"] and coupon["currency"] != currency:
            raise refuse("coupon_currency", f"{param}[coupon]", found=coupon["currency"], wanted=currency)
        code = promotion["id"] if promotion else None
        found.append(use(call.store, coupon, customer=customer, promotion_code=code, **owner)["id"])
    return found


def end(store: Store, identifier: str) -> None:
    """Tell that a discount no longer applies; the object stays, since invoices name it."""
    discount = store.get("discount", identifier)
    discount["end"] = min(discount["end"] or store.now, store.now)
    emit(store, "customer.discount.deleted", store.put(discount))


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
