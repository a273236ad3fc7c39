"""What Stripe says of a subscription, in the words of a precondition."""

from typing import Any

from actions.executors.base import Facts, has_room
from actions.executors.fits import is_fit, unfit_prices
from actions.executors.swaps import by_id
from actions.port import StripeReader

IMPLIED: Facts = {"is_deleted": False, "has_schedule": False, "has_room_for_metadata": True,
                  "subscription_status": "active"}  # fmt: skip
CHANGEABLE: Facts = {"is_ending": False, "has_pending_update": False}


def facts_of(reader: StripeReader, subscription: str, expected: Facts, sent: Facts) -> Facts:
    """GETs of the subscription and its customer, and of the prices and coupons that `sent` would give it.

    The keys are those of `expected`; of a subscription or customer that is gone only that it is gone.
    """
    found = reader.read(f"/v1/subscriptions/{subscription}", {"expand": ["discounts"]})
    customer = found and reader.read(f"/v1/customers/{found['customer']}")
    if found is None or customer is None or customer.get("deleted"):
        return expected | {"is_deleted": True}
    items = found["items"]["data"]
    if found["items"]["has_more"]:
        items = list(reader.list("/v1/subscription_items", {"subscription": found["id"]}))
    periods = {(item.get("current_period_start"), item.get("current_period_end")) for item in items}
    facts: Facts = {key: found.get(key) for key in ("customer", "currency", "livemode", "schedule")}
    facts |= {
        "is_deleted": False,
        "has_schedule": found.get("schedule") is not None,
        "is_ending": found.get("cancel_at") is not None or bool(found.get("cancel_at_period_end")),
        "has_pending_update": found.get("pending_update") is not None,
        "has_room_for_metadata": has_room(found, sent.get("metadata")),
        "subscription": found["id"],
        "subscription_status": found["status"],
        "items": by_id([_item(item) for item in items]),
        "period": list(*periods) if len(periods) == 1 else None,
        "coupons": sorted(_coupon(one) for one in found.get("discounts") or []),
        "customer_coupons": [_coupon(one) for one in (customer.get("discount"),) if one],
        "lost_in_a_schedule": sorted({*_set(found), *(name for item in items for name in _set(item))}),
        "metadata": {key: (found.get("metadata") or {}).get(key) for key in expected.get("metadata", {})},
        "unfit_coupons": [one for one in coupons(sent) if not is_fit(reader, f"/v1/coupons/{one}", "valid", found)],
    }
    if "unfit_prices" in expected:
        facts["unfit_prices"] = unfit_prices(reader, [item["price"] for item in sent["items"]], found)
    if "new_prices" in expected:
        unfit = unfit_prices(reader, expected["new_prices"], found)
        facts["new_prices"] = [price for price in expected["new_prices"] if price not in unfit]
    return {key: facts.get(key) for key in expected}


def coupons(sent: Facts) -> list[str]:
    """The coupons that `sent` puts on a subscription."""
    return [one["coupon"] for one in sent.get("discounts") or ()]


def _set(found: Facts) -> list[str]:
    """What a phase of a schedule would take from a subscription or an item, as it is not repeated in it."""
    return [name for name in ("discounts", "default_tax_rates", "tax_rates", "billing_thresholds") if found.get(name)]


def _item(item: dict[str, Any]) -> dict[str, Any]:
    return {"id": item["id"], "price": item["price"]["id"], "quantity": item.get("quantity")}


def _coupon(discount: Any) -> str:
    return str(discount if isinstance(discount, str) else discount["source"]["coupon"])
