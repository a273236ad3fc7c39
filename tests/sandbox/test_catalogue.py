"""Products, prices and coupons, driven by the official SDK."""

from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.refusal import refused

MONTHLY = {"interval": "month"}


@pytest.fixture
def v1(account: Sandbox) -> Any:
    return account.stripe.v1


@pytest.fixture
def product(v1: Any) -> str:
    return str(v1.products.create({"name": "Plan"}).id)


# --- products


def test_a_product_can_have_an_id_of_the_callers_choice_once(v1: Any) -> None:
    made = v1.products.create({"id": "plan-gold", "name": "Gold", "url": "https://x.example", "images": ["https://i"]})
    assert (made.id, made.created, made.images) == ("plan-gold", made.updated, ["https://i"])
    with refused("id", code="resource_already_exists"):
        v1.products.create({"id": "plan-gold", "name": "Gold"})


def test_a_product_can_be_changed_and_cleared_but_keeps_a_name(v1: Any, product: str) -> None:
    v1.products.update(product, {"description": "x", "unit_label": "seat", "active": False})
    changed = v1.products.update(product, {"description": "", "images": ""})
    assert (changed.description, changed.unit_label, changed.images, changed.active) == (None, "seat", [], False)
    with refused("name", code="parameter_invalid_empty"):
        v1.products.update(product, {"name": ""})


def test_a_product_goes_only_without_prices(v1: Any, product: str) -> None:
    other = v1.products.create({"name": "Empty"})
    assert v1.products.delete(other.id).deleted
    with refused(status=404, code="resource_missing"):
        v1.products.retrieve(other.id)
    v1.prices.create({"product": product, "currency": "usd", "unit_amount": 1})
    with refused(says="user-created prices"):
        v1.products.delete(product)


def test_a_default_price_is_made_with_the_product_and_cannot_be_archived(v1: Any) -> None:
    data = {"currency": "usd", "unit_amount": 900, "recurring": MONTHLY}
    made = v1.products.create({"name": "Plan", "default_price_data": data})
    price = v1.prices.retrieve(made.default_price)
    assert (price.product, price.unit_amount, price.recurring.interval) == (made.id, 900, "month")
    with refused("active", says="default price"):
        v1.prices.update(price.id, {"active": False})
    other = v1.prices.create({"product": made.id, "currency": "usd", "unit_amount": 1})
    v1.products.update(made.id, {"default_price": other.id})
    assert v1.prices.update(price.id, {"active": False}).active is False
    with refused("default_price"):
        v1.products.update(made.id, {"default_price": price.id})


def test_a_default_price_must_be_of_the_product(v1: Any, product: str) -> None:
    foreign = v1.prices.create({"product_data": {"name": "Else"}, "currency": "usd", "unit_amount": 1})
    with refused("default_price"):
        v1.products.update(product, {"default_price": foreign.id})


# --- prices


@pytest.mark.parametrize(
    ("amount", "whole", "exact"),
    [
        ({"unit_amount": 1500}, 1500, "1500"),
        ({"unit_amount_decimal": "0.05"}, None, "0.05"),
        ({"unit_amount_decimal": "12.00"}, 12, "12"),
        ({"unit_amount_decimal": "0.000000000001"}, None, "0.000000000001"),
        ({"unit_amount": 0}, 0, "0"),
    ],
)
def test_the_whole_amount_is_null_when_the_decimal_one_is_not_whole(
    v1: Any, account: Sandbox, product: str, amount: dict[str, Any], whole: int | None, exact: str
) -> None:
    made = v1.prices.create({"product": product, "currency": "usd"} | amount)
    assert made.unit_amount == whole
    assert account.get(f"/v1/prices/{made.id}").json()["unit_amount_decimal"] == exact


def test_tiers_show_when_they_are_asked_for(v1: Any, product: str, account: Sandbox) -> None:
    tiers = [{"up_to": 10, "flat_amount": 100}, {"up_to": "inf", "unit_amount_decimal": "0.5"}]
    data = {"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": tiers, "recurring": MONTHLY}
    made = v1.prices.create({"product": product, "currency": "jpy"} | data)
    assert "tiers" not in account.get(f"/v1/prices/{made.id}").json()
    shown = account.get(f"/v1/prices/{made.id}", **{"expand[]": "tiers"}).json()
    assert (shown["unit_amount"], shown["unit_amount_decimal"], shown["tiers_mode"]) == (None, None, "volume")
    none = {"flat_amount": None, "flat_amount_decimal": None, "unit_amount": None, "unit_amount_decimal": None}
    assert shown["tiers"] == [
        none | {"up_to": 10, "flat_amount": 100, "flat_amount_decimal": "100"},
        none | {"up_to": None, "unit_amount_decimal": "0.5"},
    ]


INF = {"up_to": "inf", "unit_amount": 1}
TIERED = {"billing_scheme": "tiered", "tiers_mode": "graduated", "recurring": MONTHLY}


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({}, "unit_amount"),
        ({"unit_amount": 1, "unit_amount_decimal": "1"}, "unit_amount_decimal"),
        ({"unit_amount": -1}, "unit_amount"),
        ({"unit_amount_decimal": "0.0000000000001"}, "unit_amount_decimal"),
        ({"unit_amount": 1, "currency": "xxx"}, "currency"),
        ({"unit_amount": 1, "tiers_mode": "volume"}, "tiers_mode"),
        (TIERED, "tiers"),
        ({"billing_scheme": "tiered", "tiers": [INF]}, "tiers_mode"),
        (TIERED | {"tiers": [INF], "unit_amount": 1}, "tiers"),
        (TIERED | {"tiers": [INF], "transform_quantity": {"divide_by": 2, "round": "up"}}, "transform_quantity"),
        (TIERED | {"tiers": [{"up_to": 5, "unit_amount": 1}]}, "tiers[0][up_to]"),
        (TIERED | {"tiers": [INF, INF]}, "tiers[0][up_to]"),
        (TIERED | {"tiers": [{"up_to": 5, "unit_amount": 1}, {"up_to": 5, "unit_amount": 1}, INF]}, "tiers[1][up_to]"),
        (TIERED | {"tiers": [{"up_to": "inf"}]}, "tiers[0][unit_amount]"),
        (
            TIERED | {"tiers": [{"up_to": "inf", "unit_amount": 1, "flat_amount_decimal": "0.5"}]},
            "tiers[0][flat_amount_decimal]",
        ),
        ({"unit_amount": 1, "transform_quantity": {"divide_by": 0, "round": "up"}}, "transform_quantity[divide_by]"),
        ({"unit_amount": 1, "recurring": MONTHLY | {"usage_type": "metered"}}, "recurring[meter]"),
        ({"unit_amount": 1, "recurring": MONTHLY | {"meter": "mtr_none"}}, "recurring[meter]"),
        ({"unit_amount": 1, "recurring": MONTHLY | {"interval_count": 37}}, "recurring[interval_count]"),
        ({"unit_amount": 1, "recurring": {"interval": "fortnight"}}, "recurring[interval]"),
        ({"unit_amount": 1, "product_data": {"name": "too"}}, "product_data"),
        ({"unit_amount": 1, "lookup_key": "k" * 201}, "lookup_key"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused(v1: Any, product: str, wrong: dict[str, Any], param: str) -> None:
    with refused(param):
        v1.prices.create({"product": product, "currency": "usd"} | wrong)
    assert v1.prices.list({"product": product}).data == []


def test_a_price_of_an_unknown_product_is_refused(v1: Any) -> None:
    with refused("product", code="resource_missing"):
        v1.prices.create({"product": "prod_none", "currency": "usd", "unit_amount": 1})
    with refused("product"):
        v1.prices.create({"currency": "usd", "unit_amount": 1})


def test_a_metered_price_needs_an_active_meter(v1: Any, product: str) -> None:
    meter = v1.billing.meters.create(
        {"display_name": "M", "event_name": "for_prices", "default_aggregation": {"formula": "sum"}}
    )
    metered = MONTHLY | {"usage_type": "metered", "meter": meter.id}
    data = {"product": product, "currency": "usd", "unit_amount_decimal": "0.01", "recurring": metered}
    assert v1.prices.create(data).recurring.to_dict() == {
        "interval": "month",
        "interval_count": 1,
        "meter": meter.id,
        "trial_period_days": None,
        "usage_type": "metered",
    }
    v1.billing.meters.deactivate(meter.id)
    with refused("recurring[meter]"):
        v1.prices.create(data)


def test_amounts_of_a_price_cannot_be_changed(v1: Any, product: str) -> None:
    made = v1.prices.create({"product": product, "currency": "usd", "unit_amount": 5, "tax_behavior": "exclusive"})
    for name, value in (("unit_amount", 6), ("currency", "eur"), ("recurring", MONTHLY), ("tiers", [INF])):
        with refused(f"{name}", code="parameter_unknown"):
            v1.prices.update(made.id, {name: value})
    with refused("tax_behavior"):
        v1.prices.update(made.id, {"tax_behavior": "inclusive"})
    assert v1.prices.update(made.id, {"nickname": "n", "active": False}).nickname == "n"


def test_a_lookup_key_moves_only_when_told_to(v1: Any, product: str) -> None:
    data = {"product": product, "currency": "usd", "unit_amount": 5}
    old = v1.prices.create(data | {"lookup_key": "gold"})
    with refused("lookup_key", says=f"A price (`{old.id}`) already uses that lookup key."):
        v1.prices.create(data | {"lookup_key": "gold"})
    new = v1.prices.create(data | {"lookup_key": "gold", "transfer_lookup_key": True})
    assert v1.prices.retrieve(old.id).lookup_key is None
    assert [price.id for price in v1.prices.list({"lookup_keys": ["gold"]}).data] == [new.id]


def test_a_subscription_shows_its_price_as_it_is_now(v1: Any, product: str) -> None:
    price = v1.prices.create({"product": product, "currency": "usd", "unit_amount": 5, "recurring": MONTHLY})
    customer = v1.customers.create({"payment_method": "pm_card_visa"})
    v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": "pm_card_visa"}})
    sub = v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
    v1.prices.update(price.id, {"active": False})
    assert v1.subscriptions.retrieve(sub.id)["items"].data[0].price.active is False


# --- coupons


def test_a_coupon_keeps_its_terms(v1: Any, product: str, account: Sandbox) -> None:
    terms = {"id": "TEN", "percent_off": 12.5, "duration": "repeating", "duration_in_months": 3, "name": "Ten"}
    made = v1.coupons.create(terms | {"applies_to": {"products": [product]}, "max_redemptions": 5})
    assert (made.id, made.percent_off, made.duration_in_months, made.valid, made.times_redeemed) == (
        "TEN", 12.5, 3, True, 0,
    )  # fmt: skip
    shown = account.get("/v1/coupons/TEN").json()
    assert "applies_to" not in shown
    shown = account.get("/v1/coupons/TEN", **{"expand[]": "applies_to"}).json()
    assert shown["applies_to"] == {"products": [product]}
    assert v1.coupons.update("TEN", {"name": "New", "metadata": {"a": "b"}}).name == "New"
    with refused("percent_off", code="parameter_unknown"):
        v1.coupons.update("TEN", {"percent_off": 20})
    with refused("id", code="resource_already_exists"):
        v1.coupons.create(terms)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({}, "percent_off"),
        ({"percent_off": 10, "amount_off": 10, "currency": "usd"}, "amount_off"),
        ({"percent_off": 0}, "percent_off"),
        ({"percent_off": 101}, "percent_off"),
        ({"amount_off": 10}, "currency"),
        ({"amount_off": 0, "currency": "usd"}, "amount_off"),
        ({"amount_off": 10, "currency": "zzz"}, "currency"),
        ({"percent_off": 10, "duration": "repeating"}, "duration_in_months"),
        ({"percent_off": 10, "duration": "once", "duration_in_months": 2}, "duration_in_months"),
        ({"percent_off": 10, "duration": "repeating", "duration_in_months": 0}, "duration_in_months"),
        ({"percent_off": 10, "redeem_by": 1}, "redeem_by"),
        ({"percent_off": 10, "redeem_by": 4_000_000_000}, "redeem_by"),
        ({"percent_off": 10, "max_redemptions": 0}, "max_redemptions"),
        ({"percent_off": 10, "applies_to": {"products": ["prod_none"]}}, "applies_to[products][0]"),
    ],
)
def test_a_coupon_that_makes_no_sense_is_refused(v1: Any, wrong: dict[str, Any], param: str) -> None:
    with refused(param):
        v1.coupons.create({"id": "NEVER"} | wrong)
    with refused(status=404, code="resource_missing"):
        v1.coupons.retrieve("NEVER")


def test_a_deleted_coupon_is_gone_and_its_id_is_free(v1: Any) -> None:
    v1.coupons.create({"id": "GONE", "percent_off": 10})
    assert v1.coupons.delete("GONE").to_dict() == {"id": "GONE", "object": "coupon", "deleted": True}
    with refused(status=404, code="resource_missing"):
        v1.coupons.retrieve("GONE")
    assert "GONE" not in [coupon.id for coupon in v1.coupons.list({"limit": 100}).data]
    assert v1.coupons.create({"id": "GONE", "percent_off": 20}).percent_off == 20


def test_a_coupon_is_no_longer_valid_after_redeem_by(v1: Any, account: Sandbox) -> None:
    now = v1.coupons.create({"id": "clock", "percent_off": 10}).created
    v1.coupons.create({"id": "SOON", "percent_off": 10, "redeem_by": now + 3600})
    assert v1.coupons.retrieve("SOON").valid
    account.advance(hours=2)
    assert not v1.coupons.retrieve("SOON").valid


def test_what_has_no_effect_is_named(account: Sandbox) -> None:
    data = {"name": "P", "package_dimensions[height]": "1.5", "package_dimensions[length]": "2"}
    made = account.made("/v1/products", data | {"package_dimensions[weight]": "3", "package_dimensions[width]": "4"})
    assert made["package_dimensions"] == {"height": 1.5, "length": 2.0, "weight": 3.0, "width": 4.0}
    price = {"product": made["id"], "currency": "usd", "unit_amount": "5", "transfer_lookup_key": "true"}
    answer = account.post("/v1/prices", price | {"currency_options[eur][unit_amount]": "6"})
    assert answer.headers["Sandbox-Ignored-Parameters"] == "currency_options"
