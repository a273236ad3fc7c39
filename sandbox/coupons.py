"""Coupons (stripe.md 4.8). A deleted one stays stored: discounts given before go on."""

from sandbox import objects
from sandbox.call import Call, Handler
from sandbox.events import emit
from sandbox.simple import changes, make
from sandbox.store import Obj, Store


def create(call: Call) -> Obj:
    """A coupon, under the id the caller chose if there is one."""
    coupon = make(call, "coupon")
    if coupon["redeem_by"] is not None:
        call.store.schedule(coupon["redeem_by"], "coupon_expire", coupon["id"])
    return coupon


def delete(call: Call) -> Obj:
    """No new redemptions from now on."""
    coupon = call.target("coupon")
    emit(call.store, "coupon.deleted", coupon)
    call.store.put(coupon | {"deleted": True, "valid": False})
    return {"id": coupon["id"], "object": "coupon", "deleted": True}


def expire(store: Store, identifier: str) -> None:
    """`redeem_by` has come."""
    coupon = store.find("coupon", identifier)
    if coupon is not None and coupon["redeem_by"] == store.now:
        objects.update(store, coupon, valid=False, emits=False)


ROUTES: dict[str, Handler] = {
    "POST /v1/coupons": create,
    "POST /v1/coupons/{id}": changes("coupon"),
    "DELETE /v1/coupons/{id}": delete,
}
TASKS = {"coupon_expire": expire}
