"""Whether a subscription or a customer can have a price or a coupon."""

import re
from collections.abc import Iterable
from typing import Any

from actions.executors.base import Facts
from actions.port import StripeReader

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


def is_id(name: object) -> bool:
    """Whether it can be the id of a price or a coupon: in a path anything else could be another call."""
    return isinstance(name, str) and _ID.fullmatch(name) is not None


def unfit_prices(reader: StripeReader, prices: Iterable[str], owner: Facts) -> list[str]:
    """Those of `prices` that are gone, archived, not of the owner's currency and mode, or of an interval that none of
    its items has: for that Stripe moves the billing date and charges at once.
    """
    return [price for price in sorted(prices) if not is_fit(reader, f"/v1/prices/{price}", "active", owner)]


def is_fit(reader: StripeReader, path: str, usable: str, owner: Facts) -> bool:
    """One GET. usable: the field that says whether it can be had at all. owner: a subscription, or a customer."""
    found = reader.read(path, {"expand": ["currency_options"]})
    if found is None or not found[usable] or found["livemode"] != owner["livemode"]:
        return False
    held = [_interval(item["price"]) for item in (owner.get("items") or {"data": ()})["data"]]
    if held and found.get("recurring") and _interval(found) not in held:
        return False
    return bool({None, owner["currency"]} & {found.get("currency"), *(found.get("currency_options") or {})})


def _interval(price: Facts) -> tuple[Any, Any]:
    recurring = price.get("recurring") or {}
    return recurring.get("interval"), recurring.get("interval_count")
