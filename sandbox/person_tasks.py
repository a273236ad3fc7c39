"""What the seeded company's customers do by themselves: sign up, decide month by month, upgrade, leave."""

from typing import cast

import numpy as np

from sandbox import credit_notes, draw, hazard, member, objects, plants, subscriptions
from sandbox.clock import DAY, HOUR, add_months, months_between
from sandbox.hazard import CAUSES, Signs
from sandbox.member import Member
from sandbox.population import Person
from sandbox.store import Obj, Store
from sandbox.world_company import SeededCompany

FELT_FAILURES = 90 * DAY  # how long a failed payment weighs
FELT_DECLINE = 91  # days over which a fall of usage is felt: one gets used to what lasts longer
FELT_COSTS = 3  # months that a dearer bill is felt
STEPS = {1: 4, 2: 3, 4: 1, -1: 2}  # by which seats change → weight


def _world(store: Store) -> SeededCompany:
    return cast(SeededCompany, store.world)  # only its `begin` and `join` put these tasks on the agenda


def join(store: Store, ref: str) -> None:
    """A customer signs up; the next signup is put on the agenda."""
    world, idx = _world(store), int(ref)
    person = world.person(idx)
    store.schedule(world.population.joins_at(idx + 1), "person.join", str(idx + 1))
    metadata = {"segment": person.segment, "tier": person.tier}
    fields: Obj = {"name": person.name, "email": person.email, "currency": person.currency, "metadata": metadata}
    prefix = draw.identifier("", 8, store.seed, idx, "prefix").upper()
    customer = objects.create(store, "customer", invoice_prefix=prefix, **fields)
    wanted: dict[str, int | None] = {f"{person.plan}_fee": 1, f"{person.plan}_api_calls": None}
    wanted |= dict.fromkeys(person.items.meters[1:]) | ({"seats": person.seats} if person.seats else {})
    items = [(world.price(store, f"{key}_{person.currency}"), count) for key, count in wanted.items()]
    coupons = [world.company["behaviour"]["coupon"]] if person.has_coupon else []
    # before the renewal that `start` puts on the agenda, so that each month is decided before it is billed
    store.schedule(add_months(store.now, 1), "person.month", ref)
    one = Member(idx, customer["id"], "", store.now, store.now, [0] * len(person.items.meters))
    member.save(store, one)
    one.subscription = subscriptions.start(store, customer, items, coupons=coupons)["id"]
    one.effects = []  # the welcome coupon is no offer to stay
    member.save(store, one)


def month(store: Store, ref: str) -> None:
    """A month of a customer's life begins: does it lose interest, give up, need more seats or a larger plan?"""
    world, one = _world(store), member.get(store, int(ref))
    if one.ends_at is not None:
        return
    person, sub = world.person(one.idx), store.get("subscription", one.subscription)
    age = months_between(person.joins_at, store.now)
    end = add_months(person.joins_at, age + 1)
    store.schedule(end, "person.month", ref)
    world.record(store, one, store.now)
    one.calls = [*one.calls[-1:], one.used[0] * 1e-6]
    one.month_at, one.used = store.now, [0] * len(one.used)
    _live(world, one, person, store.now)
    is_leaving = sub["cancel_at_period_end"] or one.stops_paying_at is not None
    if one.leaves_at is not None and one.leaves_at <= store.now and not is_leaving:
        member.take_back(store, one)  # somebody undid the cancellation
    if age >= world.company["hazards"]["quiet_months"] and one.leaves_at is None and not is_leaving:
        seen, key = signs(store, world, one, sub), (world.seed, one.idx, store.now)
        risk = hazard.hazard(world.company, person.segment, seen)
        gives_up = draw.uniform(*key, "gives up") < risk
        member.record_hazard(store, one, age, risk, gives_up, seen)
        if gives_up:
            one.leaves_at = draw.whole(store.now + 1, end - 1, *key, "leaves")
            one.cause = draw.pick(CAUSES, hazard.cause_weights(world.company, seen), *key, "cause")
            store.schedule(one.leaves_at, "person.leave", ref)
    member.save(store, one)
    if not is_leaving:
        _wish(store, world, one, person, sub)


def _live(world: SeededCompany, one: Member, person: Person, now: int) -> None:
    """A customer's interest and solvency change by themselves."""
    spec, payments = world.company["disengagement"], world.company["payments"]
    key, today = (world.seed, one.idx, now), now // DAY
    is_low = bool(one.declines) and one.declines[-1][3] < 0
    point = draw.uniform(*key, "interest")
    if is_low and point < spec["recovers"]:
        first, days, floor, _ = one.declines[-1]
        one.declines[-1] = (first, days, floor, today + draw.whole(0, 27, *key, "recovers"))
    elif not is_low and point < world.company["segments"][person.segment]["disengages"] and not one.planted:
        first, floor = today + draw.whole(0, 27, *key, "begins"), draw.between(*spec["floor"], *key, "floor")
        one.declines.append((first, draw.whole(*spec["days"], *key, "days"), floor, -1))
    if now >= one.trouble_until and draw.uniform(*key, "trouble") < payments["trouble"]:
        one.trouble_until = add_months(now, draw.whole(*payments["trouble_months"], *key, "troubled"))


def signs(store: Store, world: SeededCompany, one: Member, sub: Obj) -> Signs:
    """What this month's hazard is computed from."""
    now, felt, left, ratio = store.now, world.company["hazards"]["months"], 1.0, 1.0
    if one.declines:
        then, today = hazard.decline_left(one.declines, np.array([now // DAY - FELT_DECLINE, now // DAY])).tolist()
        left = min(today / then, 1.0)
    for at, each in one.costs:
        ratio *= each if add_months(at, FELT_COSTS) > now else 1.0
    recent = {kind for kind, at in one.effects if add_months(at, felt) > now}
    return Signs(
        usage_left=left,
        failed_payments=sum(at > now - FELT_FAILURES for at in one.failures),
        cost_ratio=ratio,
        overage=world.overage(store, sub["items"]["data"], one.calls[-1]),
        has_discount=bool(sub["discounts"]),
        has_credit="credit" in recent,
        has_offer="offer" in recent,
    )


def leave(store: Store, ref: str) -> None:
    """The customer gives up: it cancels, now or with the period, or stops paying.

    A credit or offer since the month began may still keep it, so that the month's risk falls by just its multiplier.
    """
    world, one = _world(store), member.get(store, int(ref))
    if one.ends_at is not None or one.leaves_at != store.now:
        return
    sub, left = store.get("subscription", one.subscription), 1.0
    for kind in {kind for kind, at in one.effects if at >= one.month_at}:
        left *= world.company["hazards"][kind]
    if draw.uniform(world.seed, one.idx, store.now, "kept") >= left:
        member.take_back(store, one)
    elif one.cause == "payment_failure":
        one.stops_paying_at = store.now
    elif not sub["cancel_at_period_end"] and world.person(one.idx).leaves_at_period_end:
        subscriptions.request_cancel(store, sub)
    elif not sub["cancel_at_period_end"]:
        subscriptions.end(store, sub, "cancellation_requested")
    member.save(store, one)


def _wish(store: Store, world: SeededCompany, one: Member, person: Person, sub: Obj) -> None:
    """Seats, a larger plan, and a bad day of the company's that it makes good."""
    spec, key = world.company["behaviour"], (world.seed, one.idx, store.now)
    if person.seats and draw.uniform(*key, "seats") < spec["seat_change"]:
        step = draw.pick(list(STEPS), list(STEPS.values()), *key, "step")
        for item in sub["items"]["data"]:
            if (item["price"]["lookup_key"] or "").startswith("seats_"):
                before = subscriptions.swap(store, sub, item["id"], item["price"], max(item["quantity"] + step, 1))
                subscriptions.save(store, sub, before=before)
    if draw.uniform(*key, "credit") < spec["bad_day"]:
        store.schedule(store.now + 4 * DAY + 9 * HOUR, "person.credit", str(one.idx))
    if person.upgrades and not one.planted and len(one.calls) == 2:
        plan, target = _plans(store, world, sub)
        if target and min(one.calls) > world.company["plans"][plan]["included"] * spec["upgrade_pressure"]:
            store.schedule(store.now + draw.whole(30, 220, *key, "upgrade") * HOUR, "person.upgrade", str(one.idx))


def _plans(store: Store, world: SeededCompany, sub: Obj) -> tuple[str | None, str | None]:
    """The subscription's plan, wherever a client has moved it, and the one a rank up; None where there is none."""
    plan = next((plan for item in sub["items"]["data"] if (plan := world.plan(store, item))), None)
    ranked = sorted(world.company["plans"], key=lambda name: int(world.company["plans"][name]["rank"]))
    return plan, next(iter(ranked[ranked.index(plan) + 1 :]), None) if plan else None


def upgrade(store: Store, ref: str) -> None:
    """The customer moves to the next plan by itself, without proration."""
    world, one = _world(store), member.get(store, int(ref))
    sub = store.get("subscription", one.subscription)
    plan, target = _plans(store, world, sub)
    if one.ends_at is not None or sub["cancel_at_period_end"] or target is None:
        return
    before = list(sub["items"]["data"])
    for item in before:
        if world.plan(store, item) == plan:
            what = "api_calls" if item["price"]["recurring"]["meter"] else "fee"
            price = world.price(store, f"{target}_{what}_{sub['currency']}")
            subscriptions.swap(store, sub, item["id"], price, item.get("quantity"))
    subscriptions.save(store, sub, before=before)
    world.changed(store, sub, before, is_own=True)


def credit(store: Store, ref: str) -> None:
    """A credit note for a bad day, on the last invoice that was paid."""
    world, one = _world(store), member.get(store, int(ref))
    paid = store.rows("invoice", customer=one.customer, status="paid")
    if paid and paid[-1]["amount_paid"]:
        bounds = world.company["behaviour"]["bad_day_percent"]
        percent = draw.whole(*bounds, world.seed, one.idx, store.now, "credit")
        if note := credit_notes.create_for(store, paid[-1], percent):
            world.treated(store, one.customer, "credit", note["total"])


def plant(store: Store, ref: str) -> None:
    """Shortly before the world's end: arrange who is near the quota and who has a costly spike."""
    for one in plants.arrange(_world(store), store):
        member.save(store, one)


_PERSON = {"join": join, "month": month, "leave": leave, "upgrade": upgrade, "credit": credit}
TASKS = {f"person.{name}": task for name, task in _PERSON.items()} | {"company.plant": plant}
