"""What changes a subscription: now, by a coupon, in an experiment, and at the period's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actions.errors import BadRecommendation
from tests.actions.conftest import Desk, upgrade
from tests.actions.shelf import Facts, Shelf, again, contents, held, licence, scheduled, seats, stocked
from tests.actions.till import BAD, Plan, Till, till_at

Change = Callable[[Shelf, Facts], Any]
MONTH_H = 31 * 24
TRIED = {"experiment": "seats", "variant": "large"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    with till_at(tmp_path_factory.mktemp("subscriptions")) as till:
        yield stocked(till)


def undone(till: Till, plan: Plan) -> Plan:
    undo = till.undo(plan)
    assert undo is not None
    return till.send(undo)


@pytest.mark.parametrize("kind", ["tier_upgrade", "right_size_downgrade", "price_test_assignment"])
def test_an_item_takes_another_price_keeps_its_seats_and_goes_back(shelf: Shelf, kind: str) -> None:
    found = shelf.subscribed(metadata={"crm": "7", "variant": "small"})
    more: Facts = {"metadata": TRIED} if kind == "price_test_assignment" else {}
    facts = held(found) | ({"metadata": {"experiment": None, "variant": "small"}} if more else {})
    done = shelf.till.send(shelf.till.plan(kind, 6000, shelf.swap(found, **more), facts))
    moved = again(shelf.till, found)
    assert {row[1:] for row in contents(moved)} == {(shelf.prices["large"], 3), (shelf.prices["calls"], None)}
    assert {"crm": "7"}.items() | (TRIED.items() if more else set()) <= moved["metadata"].items()
    undone(shelf.till, done)
    back = again(shelf.till, found)
    assert contents(back) == contents(found)
    assert {key: value for key, value in back["metadata"].items() if "meterwise" not in key} == found["metadata"]


@pytest.mark.parametrize("behavior", ["none", "create_prorations", "always_invoice"])
def test_the_preview_is_what_the_change_then_comes_to(shelf: Shelf, behavior: str) -> None:
    till, found = shelf.till, shelf.subscribed()
    till.advance(hours=MONTH_H // 2)
    plan = till.plan("tier_upgrade", 6000, shelf.swap(found, proration_behavior=behavior), held(found))
    seen = plan.executor.preview(till.port, plan.steps[0])
    assert seen is not None
    assert seen["total_before"] == 3000
    done = till.send(plan)
    if behavior == "always_invoice":
        came = till.read(f"/v1/invoices/{again(till, found)['latest_invoice']}")["total"]
    else:
        came = till.port.preview({"subscription": found["id"]}).body["total"]
    assert (seen["total_after"], seen["currency"]) == (came, "usd")
    assert (seen["proration"] != 0) == (behavior != "none")
    undone(till, done)  # in the same second, so that what was prorated comes back in full
    if behavior != "always_invoice":
        assert till.port.preview({"subscription": found["id"]}).body["total"] == 3000
    else:
        assert till.read(f"/v1/invoices/{again(till, found)['latest_invoice']}")["total"] == -came


def test_a_coupon_is_added_as_previewed_and_taken_off(shelf: Shelf) -> None:
    till, found = shelf.till, shelf.subscribed()
    params = {"subscription": found["id"], "discounts": [{"coupon": shelf.coupon()}]}
    plan = till.plan("retention_offer", 600, params, held(found))
    seen = {"total_before": 3000, "total_after": 2400, "proration": 0, "currency": "usd"}
    assert plan.executor.preview(till.port, plan.steps[0]) == seen
    done = till.send(plan)
    assert len(again(till, found)["discounts"]) == 1
    assert till.port.preview({"subscription": found["id"]}).body["total"] == 2400
    undone(till, done)
    assert again(till, found)["discounts"] == []


def update(**params: Any) -> Change:
    return lambda shelf, found: shelf.till.admin.v1.subscriptions.update(found["id"], params)


def item(**params: Any) -> Change:
    return lambda shelf, found: shelf.till.admin.v1.subscription_items.update(seats(found)["id"], params)


def add_item(shelf: Shelf, found: Facts, price: str = "") -> None:
    given = {"subscription": found["id"], "price": price or shelf.prices["many_calls"]}
    shelf.till.admin.v1.subscription_items.create(given)


def remove_item(shelf: Shelf, found: Facts) -> None:
    (calls,) = [one for one in found["items"]["data"] if one["id"] != seats(found)["id"]]
    shelf.till.admin.v1.subscription_items.delete(calls["id"])


def attach_schedule(shelf: Shelf, found: Facts) -> None:
    shelf.till.admin.v1.subscription_schedules.create({"from_subscription": found["id"]})


def hold_update(shelf: Shelf, found: Facts) -> None:
    shelf.till.give_card(found["customer"], BAD)
    items = [{"id": seats(found)["id"], "quantity": 9}]
    held_back = {"payment_behavior": "pending_if_incomplete", "proration_behavior": "always_invoice", "items": items}
    shelf.till.admin.v1.subscriptions.update(found["id"], held_back)


def delete_customer(shelf: Shelf, found: Facts) -> None:
    shelf.till.admin.v1.customers.delete(found["customer"])


STALE: list[tuple[Change, str, Any]] = [
    (delete_customer, "is_deleted", True),
    (lambda shelf, found: shelf.till.admin.v1.subscriptions.cancel(found["id"]), "subscription_status", "canceled"),
    (lambda shelf, found: shelf.till.admin.v1.subscriptions.pause(found["id"]), "subscription_status", "paused"),
    (item(quantity=4), "items", ...),
    (add_item, "items", ...),
    (remove_item, "items", ...),
    (attach_schedule, "has_schedule", True),
    (update(cancel_at_period_end=True), "is_ending", True),
    (update(cancel_at="max_period_end"), "is_ending", True),
    (hold_update, "has_pending_update", True),
    (update(metadata={f"key_{number}": "x" for number in range(47)}), "has_room_for_metadata", False),
]


@pytest.mark.parametrize(("change", "field", "live"), STALE)
@pytest.mark.parametrize("is_later", [False, True])
def test_a_swap_is_stale_when_the_subscription_is_not_what_it_was(
    shelf: Shelf, change: Change, field: str, live: Any, is_later: bool
) -> None:
    found = shelf.subscribed()
    params, facts = (
        (shelf.later(found), scheduled(found, shelf.prices["large"])) if is_later else (shelf.swap(found), held(found))
    )
    plan = shelf.till.plan("tier_upgrade", 6000, params, facts)
    assert shelf.till.stale(plan) == {}
    change(shelf, found)
    diff = shelf.till.stale(plan)
    assert field in diff
    assert live in (..., diff[field]["live"])


@pytest.mark.parametrize("to", ["gone", "dear", "price_nobody_made"])
def test_a_price_that_cannot_be_had_makes_a_swap_stale(shelf: Shelf, to: str) -> None:
    found, price = shelf.subscribed(), shelf.prices.get(to, to)
    now = shelf.till.plan("tier_upgrade", 6000, shelf.swap(found, to), held(found))
    assert shelf.till.stale(now) == {"unfit_prices": {"planned": [], "live": [price]}}
    later = shelf.till.plan("tier_upgrade", 6000, shelf.later(found, to), scheduled(found, price))
    assert shelf.till.stale(later) == {"new_prices": {"planned": [price], "live": []}}


def test_a_price_in_several_currencies_can_be_had_in_the_subscriptions(desk: Desk) -> None:
    price = desk.world.object("/v1/prices/price_11")
    price |= {"currency": "eur", "currency_options": {"usd": {"unit_amount": 1900}}}
    desk.approved(upgrade())
    (done,) = desk.apply()
    assert done.end == "done"
    del price["currency_options"]
    desk.approved(upgrade())
    (refused,) = desk.apply()
    assert refused.action.events[-1].facts["difference"]["unfit_prices"]["live"] == ["price_11"]
    price |= {"currency": "usd", "livemode": True}
    desk.world.subscription["cancel_at_period_end"] = True
    desk.approved(upgrade())
    (refused,) = desk.apply()
    assert {"unfit_prices", "is_ending"} <= set(refused.action.events[-1].facts["difference"])


def test_a_coupon_is_stale_when_it_cannot_be_had_or_another_is_there(shelf: Shelf) -> None:
    till, other = shelf.till, shelf.coupon()
    spent, in_euros = shelf.coupon(), shelf.coupon(amount_off=100, currency="eur")
    till.admin.v1.coupons.delete(spent)
    for coupon in (spent, in_euros, "NOBODYS"):
        found = shelf.subscribed()
        params = {"subscription": found["id"], "discounts": [{"coupon": coupon}]}
        plan = till.plan("retention_offer", 600, params, held(found))
        assert till.stale(plan) == {"unfit_coupons": {"planned": [], "live": [coupon]}}
    update(discounts=[{"coupon": other}])(shelf, found)
    assert till.stale(plan)["coupons"] == {"planned": [], "live": [other]}


def test_a_subscription_that_is_in_another_experiment_or_never_was_is_stale(shelf: Shelf) -> None:
    found = shelf.subscribed(metadata={"experiment": "colours"})
    plan = shelf.till.plan("price_test_assignment", 0, shelf.swap(found, metadata=TRIED), held(found))
    diff = shelf.till.stale(plan)
    assert diff["metadata"]["live"] == {"experiment": "colours", "variant": None}
    nowhere = held(found, subscription="sub_nobodys")
    plan = shelf.till.plan("tier_upgrade", 0, shelf.swap(found, subscription="sub_nobodys"), nowhere)
    assert shelf.till.stale(plan) == {"is_deleted": {"planned": False, "live": True}}


def test_an_undo_is_stale_after_somebody_went_on(shelf: Shelf) -> None:
    found = shelf.subscribed()
    done = shelf.till.send(shelf.till.plan("tier_upgrade", 6000, shelf.swap(found), held(found)))
    undo = shelf.till.undo(done)
    assert undo is not None
    item(quantity=8)(shelf, found)
    assert set(shelf.till.stale(undo)) == {"items"}


def test_a_change_at_the_periods_end_waits_for_it_bills_nothing_before_and_lasts(shelf: Shelf) -> None:
    till, found = shelf.till, shelf.subscribed()
    plan = till.plan("right_size_downgrade", 6000, shelf.later(found), scheduled(found, shelf.prices["large"]))
    till.send(plan)
    assert contents(again(till, found)) == contents(found)
    till.advance(hours=MONTH_H)
    moved = again(till, found)
    assert {row[1:] for row in contents(moved)} == {(shelf.prices["large"], 3), (shelf.prices["calls"], None)}
    assert till.read(f"/v1/invoices/{moved['latest_invoice']}")["total"] == 9000
    till.advance(hours=MONTH_H)
    last = again(till, found)
    assert (last["status"], last["schedule"], contents(last)) == ("active", None, contents(moved))


def test_a_change_at_the_periods_end_is_undone_by_releasing_its_schedule(shelf: Shelf) -> None:
    till, found, new = shelf.till, shelf.subscribed(), licence(shelf.till, 5000)
    done = till.send(till.plan("tier_upgrade", 6000, shelf.later(found, new), scheduled(found, new)))
    schedule = till.read(f"/v1/subscription_schedules/{done.made[0]}")
    assert [len(phase["items"]) for phase in schedule["phases"]] == [2, 2]
    till.admin.v1.prices.update(new, {"active": False})  # matters no more
    undo = undone(till, done)
    assert again(till, found)["schedule"] is None
    assert contents(again(till, found)) == contents(found)
    assert till.undo(undo) is None
    assert till.stale(undo)["has_schedule"] == {"planned": True, "live": False}


def test_a_schedule_without_its_phases_is_released_too_and_one_not_made_needs_no_undo(shelf: Shelf) -> None:
    till, found = shelf.till, shelf.subscribed()
    plan = till.plan("tier_upgrade", 6000, shelf.later(found), scheduled(found, shelf.prices["large"]))
    assert till.undo(plan) is None
    half = till.send(plan, steps=1)
    undone(till, half)
    assert again(till, found)["schedule"] is None
    assert till.post(half, 1).status == 400  # its second step comes too late, and changes nothing


def test_somebody_elses_schedule_is_not_taken_for_ours(shelf: Shelf) -> None:
    till, found = shelf.till, shelf.subscribed()
    plan = till.plan("tier_upgrade", 6000, shelf.later(found), scheduled(found, shelf.prices["large"]))
    attach_schedule(shelf, found)
    schedule = till.read(f"/v1/subscription_schedules/{again(till, found)['schedule']}")
    create = plan.action.request(0)
    assert plan.executor.find(till.port, create, schedule["created"] + 1) is None
    till.admin.v1.subscription_schedules.update(schedule["id"], {"metadata": {"crm": "7"}})
    assert till.find(plan) is None


def test_what_a_schedule_would_lose_and_a_period_that_went_by_make_it_stale(shelf: Shelf) -> None:
    till = shelf.till
    coupon = shelf.coupon(percent_off=20, duration="forever")
    discounted, old = shelf.subscribed(discounts=[{"coupon": coupon}]), shelf.subscribed()
    plan = till.plan("tier_upgrade", 0, shelf.later(discounted), scheduled(discounted, shelf.prices["large"]))
    assert till.stale(plan) == {"lost_in_a_schedule": {"planned": [], "live": ["discounts"]}}
    plan = till.plan("tier_upgrade", 0, shelf.later(old), scheduled(old, shelf.prices["large"]))
    till.advance(hours=MONTH_H)
    assert set(till.stale(plan)) == {"period"}
    add_item(shelf, old, licence(till, 50, interval="year"))
    assert till.stale(plan)["period"]["live"] is None  # two of them: none is the period


BAD_SWAPS: list[tuple[str, Facts, str]] = [
    ("tier_upgrade", {"items": []}, "one item or more"),
    ("tier_upgrade", {"items": [{"id": "si_x", "price": "price_x"}]}, "si_x"),
    ("tier_upgrade", {"items": [{"price": "price_x"}]}, "id"),
    ("tier_upgrade", {"proration_behavior": "sometimes"}, "proration_behavior"),
    ("tier_upgrade", {"subscription": "sub_x"}, "subscription"),
    ("tier_upgrade", {"coupon": "FREE"}, "coupon"),
    ("tier_upgrade", {"at": "noon"}, "at"),
    ("price_test_assignment", {"metadata": {}}, "metadata"),
    ("price_test_assignment", {"metadata": {"a": 1}}, "metadata"),
    ("price_test_assignment", {"metadata": {"meterwise_plan": "x"}}, "runner's own"),
]


@pytest.mark.parametrize(("kind", "change", "said"), BAD_SWAPS)
def test_a_swap_that_breaks_its_contract_is_refused_before_anything_is_asked(
    shelf: Shelf, kind: str, change: Facts, said: str
) -> None:
    found = shelf.subscribed()
    with pytest.raises((BadRecommendation, KeyError), match=said):  # plan.py turns a KeyError into one
        shelf.till.plan(kind, 0, shelf.swap(found) | change, held(found))


def test_a_change_at_the_periods_end_needs_the_period_and_an_active_subscription(shelf: Shelf) -> None:
    found = shelf.subscribed()
    facts = scheduled(found, shelf.prices["large"])
    changes: list[Facts] = [
        {"period": [1, "2"]},
        {"new_prices": []},
        {"subscription_status": "trialing"},
        {"items": []},
    ]
    for change in changes:
        with pytest.raises(BadRecommendation):
            shelf.till.plan("tier_upgrade", 0, shelf.later(found), facts | change)
