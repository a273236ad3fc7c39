"""Phases of a subscription schedule: as a request describes them, or as the running period of a subscription."""

from typing import Any

from sandbox import objects, subscriptions
from sandbox import subscription_items as items_of
from sandbox.call import Call, plain_value
from sandbox.clock import MONTHS, add_intervals, add_months, months_between
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj, Store

PHASE = "subscription_schedule_phase"
HELD = ("coupon", "promotion_code", "discount")  # one of which names a discount


def bounds(phase: Obj) -> Obj:
    """When a phase begins and ends, as a schedule shows its current one."""
    return {name: phase[name] for name in ("start_date", "end_date")}


def _item(given: Obj, discounts: Any) -> Obj:
    """An item of a phase, of one of a subscription or of what a request says."""
    kept = {name: given[name] for name in ("metadata", "quantity", "tax_rates") if given.get(name) is not None}
    return kept | {"billing_thresholds": None, "discounts": discounts, "price": given["price"]["id"]}


def running(sub: Obj) -> Obj:
    """The subscription's present period as a phase."""
    items, (start, end) = sub["items"]["data"], subscriptions.period_of(sub["items"]["data"][0])
    held = [{"coupon": None, "discount": one, "promotion_code": None} for one in sub["discounts"]]
    kept = {name: sub[name] for name in ("currency", "metadata", "trial_end")}
    return objects.shape(PHASE, start_date=start, end_date=end, discounts=held,
                         items=[_item(item, []) for item in items], **kept)  # fmt: skip


def described(call: Call, rows: list[Given], begin: int | str, sub: Obj | None) -> list[Obj]:
    """The phases that a request describes, one after the other from `begin` (or "now"). Raises ApiError 400."""
    phases, currency, now = list[Obj](), sub["currency"] if sub else None, call.store.now
    start = now if isinstance(begin, str) else begin
    anchor = sub["billing_cycle_anchor"] if sub else start
    for index, row in enumerate(rows):
        name, given = f"phases[{index}]", row.get("start_date", start)
        if given != start and (given != "now" or start != now):
            raise refuse("phase_start", f"{name}[start_date]", wanted=start)
        currency, named, items = currency or row.get("currency"), list[tuple[str, Obj]](), list[Obj]()
        for place, one in enumerate(row["items"]):
            where = f"{name}[items][{place}]"
            spec = items_of.spec_of(call, one, where, currency)
            currency = currency or spec["price"]["currency"]
            named.append((where, spec["price"]))
            items.append(_item(spec, plain_value(one.get("discounts") or [])))
            _check_discounts(call, one, where, currency)
        _check_discounts(call, row, name, currency)
        items_of.check_together(named, f"{name}[items]", sub["billing_mode"]["type"] if sub else "flexible")
        unit = row.get("duration") or named[0][1]["recurring"]
        anchor = start if row.get("billing_cycle_anchor") == "phase_start" else anchor
        end = row.get("end_date", _after(anchor, start, unit["interval"], unit.get("interval_count", 1)))
        end = now if end == "now" else end
        if end <= start or (end <= now and row is rows[-1]):
            raise refuse("phase_end", f"{name}[end_date]")
        known = {"start_date": start, "end_date": end, "currency": currency, "items": items}
        known |= {"trial_end": end} if row.get("trial") else {}
        phases.append(objects.shape(PHASE) | taken(PHASE, row) | known)
        anchor = phases[-1]["trial_end"] or anchor  # billing begins with a trial's end
        start = end
    return phases


def _after(anchor: int, start: int, interval: str, count: int) -> int:
    """`count` intervals after `start`, on the anchor's day of the month where `start` is: 28 February + 1 month is 31
    March if the anchor is on a 31st."""
    if interval in MONTHS and add_months(anchor, done := months_between(anchor, start)) == start:
        return add_months(anchor, done + count * MONTHS[interval])
    return add_intervals(start, interval, count)


def _check_discounts(call: Call, given: Given, name: str, currency: str | None) -> None:
    """Refuse discounts that the phase could not take up. Raises ApiError 400."""
    for index, row in enumerate(given.get("discounts") or []):
        param = f"{name}[discounts][{index}]"
        for kind in [kind for kind in HELD if row.get(kind)]:
            call.find(kind, row[kind], f"{param}[{kind}]")
        coupon = call.store.find("coupon", coupon_of(call.store, row) or "")
        if coupon and coupon["amount_off"] and coupon["currency"] != currency:
            raise refuse("coupon_currency", f"{param}[coupon]", found=coupon["currency"], wanted=currency)


def coupon_of(store: Store, row: Obj) -> str | None:
    """The id of the coupon that a phase's discount uses; None: it names a discount that there is."""
    code = row.get("promotion_code")
    found: str | None = store.get("promotion_code", code)["promotion"]["coupon"] if code else row.get("coupon")
    return found
