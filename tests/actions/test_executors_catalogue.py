"""Quotes, prices of experiments, metadata; and what a person reads of a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from actions.errors import BadRecommendation
from actions.executors import by_name
from tests.actions.shelf import Facts, Shelf, held, scheduled, seats, stocked
from tests.actions.till import Till, till_at

TRIED = {"experiment": "seats", "variant": "b"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    with till_at(tmp_path_factory.mktemp("catalogue")) as till:
        yield stocked(till)


def of(customer: str, **more: Any) -> Facts:
    return {"customer": customer, "currency": "usd", "livemode": False} | more


def offered(shelf: Shelf, customer: str, price: str = "large", **more: Any) -> Facts:
    return {"customer": customer, "line_items": [{"price": shelf.prices.get(price, price), "quantity": 5}]} | more


def test_a_quote_is_opened_never_accepted_and_withdrawn(shelf: Shelf) -> None:
    till, customer = shelf.till, shelf.till.customer()
    plan = till.plan("upgrade_quote", 15000, offered(shelf, customer), of(customer))
    assert plan.executor.preview(till.port, plan.steps[0]) == {"total": 15000, "currency": "usd"}
    done = till.send(plan)
    quote = till.read(f"/v1/quotes/{done.made[0]}")
    assert (quote["status"], quote["amount_total"], quote["subscription"]) == ("open", 15000, None)
    undo = till.undo(done)
    assert undo is not None
    till.send(undo)
    assert till.read(f"/v1/quotes/{done.made[0]}")["status"] == "canceled"
    assert till.undo(undo) is None
    assert not list(till.port.list("/v1/subscriptions", {"customer": customer, "status": "all"}))


def test_a_draft_is_withdrawn_too_and_a_quote_that_was_accepted_is_not(shelf: Shelf) -> None:
    till, customer = shelf.till, shelf.till.customer()
    plan = till.plan("upgrade_quote", 15000, offered(shelf, customer), of(customer))
    assert till.undo(plan) is None
    undo = till.undo(till.send(plan, steps=1))
    assert undo is not None
    till.send(undo)
    done = till.send(till.plan("upgrade_quote", 15000, offered(shelf, customer), of(customer)))
    undo = till.undo(done)
    assert undo is not None
    till.admin.v1.quotes.accept(done.made[0])
    assert till.stale(undo) == {"quote_status": {"planned": "open", "live": "accepted"}}
    assert till.find(done, 1) is not None  # finalised it was


def test_a_quote_is_stale_beside_another_one_or_with_prices_that_cannot_be_had(shelf: Shelf) -> None:
    till, customer = shelf.till, shelf.till.customer()
    till.send(till.plan("upgrade_quote", 15000, offered(shelf, customer), of(customer)))
    second = till.plan("upgrade_quote", 15000, offered(shelf, customer, "gone"), of(customer))
    assert set(till.stale(second)) == {"other_quotes", "unfit_prices"}
    in_euros = till.customer("eur")
    plan = till.plan("upgrade_quote", 15000, offered(shelf, in_euros, "dear"), of(in_euros))
    assert till.stale(plan) == {"currency": {"planned": "usd", "live": "eur"}}
    till.admin.v1.customers.delete(in_euros)
    assert till.stale(plan) == {"is_deleted": {"planned": False, "live": True}}


def test_a_quote_for_who_has_no_subscription_is_stale_once_there_is_one_and_may_be_withdrawn(shelf: Shelf) -> None:
    till, customer = shelf.till, shelf.till.customer()
    plan = till.plan("upgrade_quote", 15000, offered(shelf, customer), of(customer, other_subscriptions=[]))
    assert till.stale(plan) == {}
    done = till.send(plan)
    came_back = shelf.subscribed(customer)
    later = till.plan("upgrade_quote", 15000, offered(shelf, customer), of(customer, other_subscriptions=[]))
    assert till.stale(later)["other_subscriptions"] == {"planned": [], "live": [came_back["id"]]}
    undo = till.undo(done)
    assert undo is not None
    assert till.stale(undo) == {}


def product(till: Till) -> str:
    return str(till.admin.v1.products.create({"name": "Seats"}).id)


def variant(product: str, **more: Any) -> Facts:
    given = {"currency": "usd", "product": product, "unit_amount": 1900, "recurring": {"interval": "month"}}
    return given | {"metadata": TRIED, "nickname": "Seats, variant b"} | more


def sold(product: str) -> Facts:
    return {"currency": "usd", "product": product, "livemode": False}


def test_an_experiment_gets_a_new_price_and_archives_it(shelf: Shelf) -> None:
    till, seats = shelf.till, product(shelf.till)
    before = list(till.port.list("/v1/prices", {"active": True}))
    plan = till.plan("experiment_price", 0, variant(seats), sold(seats))
    done = till.send(plan)
    made = till.read(f"/v1/prices/{done.made[0]}")
    request = plan.action.request(0)
    assert [bool(plan.executor.find(till.port, request, made["created"] + late)) for late in (0, 1)] == [True, False]
    assert (made["unit_amount"], made["active"], made["lookup_key"]) == (1900, True, None)
    assert TRIED.items() <= made["metadata"].items()
    undo = till.undo(done)
    assert undo is not None
    till.send(undo)
    assert list(till.port.list("/v1/prices", {"active": True})) == before
    assert till.stale(undo)["price_is_active"] == {"planned": True, "live": False}
    assert till.undo(undo) is None
    assert till.stale(plan) == {}


def test_a_price_may_have_tiers_of_decimals_and_be_metered(shelf: Shelf) -> None:
    till, seats = shelf.till, product(shelf.till)
    _, meter = till.price()
    tiers = [{"up_to": 1000, "unit_amount_decimal": "0.5"}, {"up_to": "inf", "unit_amount_decimal": "0.25"}]
    recurring = {"interval": "month", "usage_type": "metered", "meter": meter}
    params = variant(seats, billing_scheme="tiered", tiers_mode="graduated", tiers=tiers, recurring=recurring)
    del params["unit_amount"]
    plan = till.plan("experiment_price", 0, params, sold(seats))
    till.send(plan)
    till.admin.v1.billing.meters.deactivate(meter)
    assert till.stale(plan)["meter_is_active"] == {"planned": True, "live": False}


def test_a_price_is_stale_when_its_product_is_not_sold_or_the_experiment_has_it(shelf: Shelf) -> None:
    till, seats = shelf.till, product(shelf.till)
    plan = till.plan("experiment_price", 0, variant(seats), sold(seats))
    made = till.send(plan).made[0]
    assert till.stale(plan) == {"same_in_experiment": {"planned": [], "live": [made]}}
    other = till.plan(
        "experiment_price", 0, variant(seats, metadata={"experiment": "seats", "variant": "c"}), sold(seats)
    )
    assert till.stale(other) == {}
    till.admin.v1.products.update(seats, {"active": False})
    assert set(till.stale(other)) == {"product_is_active"}
    nobodys = till.plan("experiment_price", 0, variant("prod_x"), sold("prod_x"))
    assert "product" in till.stale(nobodys)


@pytest.mark.parametrize(
    "more",
    [
        {"unit_amount_decimal": "1900"},
        {"currency": "eur"},
        {"lookup_key": "seats"},
        {"transfer_lookup_key": True},
        {"active": True},
        {"id": "p"},
    ],
)
def test_a_price_never_takes_the_place_of_one_that_is_there(shelf: Shelf, more: Facts) -> None:
    with pytest.raises(BadRecommendation):
        shelf.till.plan("experiment_price", 0, variant("prod_1") | more, sold("prod_1"))


def test_metadata_is_merged_and_taken_back_where_it_was(shelf: Shelf) -> None:
    till, found = shelf.till, shelf.subscribed(metadata={"crm": "7", "tier": "old", "stale": "x"})
    sent = {"tier": "new", "owner": "ada", "stale": ""}
    facts = of(found["customer"], subscription=found["id"], metadata={"tier": "old", "stale": "x"})
    done = till.send(till.plan("metadata_change", 0, {"subscription": found["id"], "metadata": sent}, facts))
    assert foreign(till, "subscriptions", found["id"]) == {"crm": "7", "tier": "new", "owner": "ada"}
    undo = till.undo(done)
    assert undo is not None
    till.send(undo)
    assert foreign(till, "subscriptions", found["id"]) == found["metadata"]


def foreign(till: Till, kind: str, identifier: str) -> Facts:
    """An object's metadata without the runner's."""
    metadata = till.read(f"/v1/{kind}/{identifier}")["metadata"]
    return {key: value for key, value in metadata.items() if not key.startswith("meterwise_")}


@pytest.mark.parametrize(
    ("there", "sent", "fits"), [(45, 1, True), (46, 1, False), (46, 0, True), (47, 0, False), (50, -4, True)]
)
def test_metadata_that_would_pass_fifty_keys_is_stale(shelf: Shelf, there: int, sent: int, fits: bool) -> None:
    """Beside the runner's four. sent: so many new keys; below 0: so many taken away; 0: one is changed."""
    till, customer = shelf.till, shelf.till.customer()
    keys = {f"key_{number}": "x" for number in range(there)}
    till.admin.v1.customers.update(customer, {"metadata": keys})
    new = (
        {f"new_{number}": "x" for number in range(sent)}
        or {f"key_{number}": "" for number in range(-sent)}
        or {"key_0": "y"}
    )
    facts = of(customer, metadata={key: keys.get(key) for key in new})
    plan = till.plan("metadata_change", 0, {"customer": customer, "metadata": new}, facts)
    assert till.stale(plan) == ({} if fits else {"has_room_for_metadata": {"planned": True, "live": False}})
    assert till.post(plan, 0).status == (200 if fits else 400)


def test_metadata_is_stale_where_somebody_wrote_another_value(shelf: Shelf) -> None:
    till, customer = shelf.till, shelf.till.customer()
    plan = till.plan("metadata_change", 0, {"customer": customer, "metadata": {"owner": "ada"}}, of(customer))
    with pytest.raises(BadRecommendation, match="exposure of 0"):
        till.plan("metadata_change", 1, {"customer": customer, "metadata": {"owner": "ada"}}, of(customer))
    till.admin.v1.customers.update(customer, {"metadata": {"owner": "bob"}})
    assert till.stale(plan) == {"metadata": {"planned": {"owner": None}, "live": {"owner": "bob"}}}
    till.admin.v1.customers.delete(customer)
    assert till.stale(plan) == {"is_deleted": {"planned": False, "live": True}}


@pytest.mark.parametrize(
    ("key", "value", "is_taken"),
    [("k" * 39, "v", True), ("k" * 40, "v", True), ("k" * 41, "v", False), ("", "v", False), ("a[b]", "v", False)]
    + [("k", "v" * length, length <= 500) for length in (499, 500, 501)],
)  # fmt: skip
def test_metadata_keys_have_40_characters_and_values_500_as_with_stripe(
    shelf: Shelf, key: str, value: str, is_taken: bool
) -> None:
    customer = shelf.till.customer()
    params = {"customer": customer, "metadata": {key: value}}
    if is_taken:
        shelf.till.send(shelf.till.plan("metadata_change", 0, params, of(customer)))
    else:
        with pytest.raises(BadRecommendation, match="metadata"):
            shelf.till.plan("metadata_change", 0, params, of(customer))


def test_a_person_reads_what_a_quote_a_price_and_metadata_come_to(shelf: Shelf) -> None:
    till, customer = shelf.till, shelf.till.customer()
    quote = till.plan("upgrade_quote", 0, offered(shelf, customer, expires_at=1_800_000_000), of(customer))
    assert quote.executor.describe(quote.steps, quote.held)[0] == (
        "line of the quote",
        "",
        f"{shelf.prices['large']} × 5",
    )
    price = till.plan("experiment_price", 0, variant("prod_1"), sold("prod_1"))
    assert ("unit_amount", "", "1900") in price.executor.describe(price.steps, price.held)
    note = till.plan("metadata_change", 0, {"customer": customer, "metadata": {"a": "b"}}, of(customer))
    assert note.executor.describe(note.steps, note.held)[0] == ("metadata a", "", "b")
    for plan in (quote, price, note):
        assert plan.executor.describe(plan.steps, plan.held)[-1][0] == "undo"


def test_steps_of_an_old_ledger_without_a_place_for_tags_can_be_read_and_undone(shelf: Shelf) -> None:
    found = shelf.subscribed()
    (step,) = shelf.till.plan("tier_upgrade", 0, shelf.swap(found), held(found)).steps
    old = replace(step, shape="", params={key: step.params[key] for key in ("items", "proration_behavior")})
    executor = by_name(step.executor)
    assert executor.describe([old], held(found)) == executor.describe([step], held(found))
    assert executor.compensate([old], {}, held(found)) == executor.compensate([step], {}, held(found))


def test_a_person_reads_what_changes_and_what_undoing_means(shelf: Shelf) -> None:
    found, large = shelf.subscribed(), shelf.prices["large"]
    now = shelf.till.plan("price_test_assignment", 0, shelf.swap(found, metadata=TRIED), held(found))
    rows = now.executor.describe(now.steps, now.held)
    assert rows[0] == (f"item {seats(found)['id']}", f"{shelf.prices['small']} × 3", f"{large} × 3")
    assert [row[0] for row in rows] == [rows[0][0], "metadata experiment", "metadata variant", "proration", "undo"]
    later = shelf.till.plan("tier_upgrade", 0, shelf.later(found), scheduled(found, large))
    assert later.executor.describe(later.steps, later.held)[0] == ("item", rows[0][1], rows[0][2])
    offer = {"subscription": found["id"], "discounts": [{"coupon": "RETAIN20"}]}
    plan = shelf.till.plan("retention_offer", 0, offer, held(found))
    assert plan.executor.describe(plan.steps, plan.held)[0] == ("coupons", "none", "RETAIN20")
    assert plan.steps == shelf.till.plan("retention_offer", 0, offer, held(found)).steps
