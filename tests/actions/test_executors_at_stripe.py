"""What the real Stripe would do otherwise than people expect: each held back, or said before they decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actions.errors import BadRecommendation
from actions.executors.decision import Decision
from actions.executors.shapes import check_shape
from actions.state import Request
from tests.actions.shelf import Shelf, again, held, licence, scheduled, stocked
from tests.actions.test_executors_credits import grant
from tests.actions.till import Plan, Till, till_at


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    with till_at(tmp_path_factory.mktemp("at_stripe")) as till:
        yield stocked(till)


@pytest.fixture
def till(shelf: Shelf) -> Till:
    return shelf.till


def told(plan: Plan) -> str:
    """What a person reads of a plan."""
    return "\n".join(" | ".join(row) for row in plan.executor.describe(plan.steps, plan.held))


def test_a_price_of_another_interval_would_charge_at_once_and_is_held_back(shelf: Shelf) -> None:
    found, yearly = shelf.subscribed(), licence(shelf.till, 30_000, interval="year")
    now = shelf.till.plan("tier_upgrade", 6000, shelf.swap(found, yearly), held(found))
    assert shelf.till.stale(now) == {"unfit_prices": {"planned": [], "live": [yearly]}}
    later = shelf.till.plan("tier_upgrade", 6000, shelf.later(found, yearly), scheduled(found, yearly))
    assert shelf.till.stale(later) == {"new_prices": {"planned": [yearly], "live": []}}
    quote = {"customer": found["customer"], "line_items": [{"price": yearly}]}
    facts = {key: found[key] for key in ("customer", "currency", "livemode")}
    assert shelf.till.stale(shelf.till.plan("upgrade_quote", 0, quote, facts)) == {}  # a subscription of its own


def test_a_status_that_nobody_spoke_of_must_be_active(shelf: Shelf) -> None:
    customer = shelf.till.customer()
    found = shelf.subscribed(customer, trial_period_days=7)
    facts = held(found)
    del facts["subscription_status"]
    plan = shelf.till.plan("retention_offer", 0, {"subscription": found["id"], "discounts": [{"coupon": "X"}]}, facts)
    assert shelf.till.stale(plan)["subscription_status"] == {"planned": "active", "live": "trialing"}


@pytest.mark.parametrize(
    ("behavior", "said"),
    [("none", "next invoice on"), ("create_prorations", "on the next invoice"), ("always_invoice", "charged at once")],
)
def test_when_a_change_is_charged_is_said_in_words(shelf: Shelf, behavior: str, said: str) -> None:
    found = shelf.subscribed()
    plan = shelf.till.plan("tier_upgrade", 6000, shelf.swap(found, proration_behavior=behavior), held(found))
    assert said in told(plan)


def test_a_preview_with_more_lines_than_stripe_shows_claims_no_proration(shelf: Shelf) -> None:
    till, found = shelf.till, shelf.subscribed()
    for number in range(12):
        line = {"customer": found["customer"], "subscription": found["id"], "amount": 100 + number, "currency": "usd"}
        till.admin.v1.invoice_items.create(line)
    plan = till.plan("tier_upgrade", 6000, shelf.swap(found, proration_behavior="create_prorations"), held(found))
    lines = till.port.preview({"subscription": found["id"]}).body["lines"]
    seen = plan.executor.preview(till.port, plan.steps[0])
    assert seen is not None
    assert ("proration" not in seen) == lines["has_more"]
    assert {"total_before", "total_after", "currency"} <= set(seen)


def test_a_quote_says_that_the_present_subscription_goes_on_beside_the_new_one(shelf: Shelf) -> None:
    found = shelf.subscribed()
    params = {"customer": found["customer"], "line_items": [{"price": shelf.prices["large"], "quantity": 3}]}
    facts = {key: found[key] for key in ("customer", "currency", "livemode")}
    done = shelf.till.send(shelf.till.plan("upgrade_quote", 6000, params, facts))
    assert "a new subscription beside" in told(done)
    shelf.till.admin.v1.quotes.accept(done.made[0])
    assert again(shelf.till, found)["status"] == "active"


def test_a_grant_says_how_long_it_lasts_and_what_it_pays_for(till: Till) -> None:
    customer, facts = "cus_1", {"customer": "cus_1", "currency": "usd", "livemode": False}
    assert "any metered price, without an end" in told(till.plan("courtesy_credit", 500, grant(customer, 500), facts))
    scope = {"scope": {"prices": [{"id": "price_1"}, {"id": "price_2"}]}}
    params = grant(customer, 500) | {"applicability_config": scope, "expires_at": 1_900_000_000}
    assert "price_1, price_2, until 2030-03-17 17:46Z" in told(till.plan("courtesy_credit", 500, params, facts))


NOTED = {"customer": "cus_1", "currency": "usd", "livemode": False, "invoice": "in_1", "invoice_status": "open"}


@pytest.mark.parametrize("mail", ["none", "credit_note"])
def test_a_note_says_whether_stripe_writes_to_the_customer(till: Till, mail: str) -> None:
    params = {"invoice": "in_1", "amount": 600} | ({} if mail == "none" else {"email_type": mail})
    assert f"e-mail by Stripe |  | {mail}" in told(till.plan("courtesy_credit", 600, params, NOTED | {"total": 600}))


@pytest.mark.parametrize("more", [{"description": "For Ada"}, {"metadata": {"meterwise_action": "x"}}])
def test_no_free_text_gets_onto_a_customers_document_by_a_line(till: Till, more: dict[str, Any]) -> None:
    lines = [{"type": "invoice_line_item", "invoice_line_item": "il_1", "amount": 600} | more]
    with pytest.raises(BadRecommendation, match="lines with"):
        till.plan("courtesy_credit", 600, {"invoice": "in_1", "lines": lines}, NOTED | {"total": 600})


@pytest.mark.parametrize("value", [None, True, 7, ["a"], {"a": "b"}, "", "Dear Ada", "x" * 81, "{0}"])
def test_only_codes_are_recorded_as_a_decision(value: Any) -> None:
    params = {"template": "late", "locale": "en", "text_hash": value}
    with pytest.raises(BadRecommendation, match="codes and hashes"):
        Decision().plan("customer_message", 0, params, {})


@pytest.mark.parametrize(
    "name", ["cus_1?expand[]=x", "../accounts", "", "cus 1", "cus_1#", "{action}", "cüs", "cus_1\n"]
)
def test_an_id_that_would_make_another_call_is_refused(name: str) -> None:
    with pytest.raises(BadRecommendation, match="a path of ids"):
        check_shape(Request("metadata", "post", f"/v1/customers/{name}", {"metadata": {}}, "CustomerUpdateParams"))


@pytest.mark.parametrize("metadata", [{"": "x"}, {"k" * 41: "x"}, {"a[b]": "x"}, {"k": "v" * 501}])
def test_metadata_that_stripe_would_refuse_is_refused_before(metadata: dict[str, str]) -> None:
    with pytest.raises(BadRecommendation, match="of 1 to 40"):
        check_shape(Request("metadata", "post", "/v1/customers/cus_1", {"metadata": metadata}, "CustomerUpdateParams"))


def test_an_id_with_another_objects_path_behind_it_is_found_out_by_what_is_read(till: Till) -> None:
    customer, invoice = till.customer(), till.invoice(till.customer(), 1000)
    name, draft = f"{customer}/balance_transactions", f"{invoice}/lines"
    facts: dict[str, Any] = {"customer": name, "currency": "usd", "livemode": False}
    credit = {"amount": -1200, "currency": "usd", "customer": name, "description": "Courtesy credit"}
    note = {"invoice": draft, "footer": "Terms: 30 days"}
    for plan in (
        till.plan("courtesy_credit", 1200, credit, facts),
        till.plan("metadata_change", 0, {"customer": name, "metadata": {"a": "b"}}, facts),
        till.plan("invoice_note", 0, {"customer": name, "footer": "Terms: 30 days"}, facts),
        till.plan("invoice_note", 0, note, facts | {"invoice": draft, "invoice_status": "draft"}),
    ):
        assert till.stale(plan) != {}, plan


@pytest.mark.parametrize(
    "item", [{"price": None}, {"price": ""}, {"price": "a/b"}, {"price": "{0}"}, {"quantity": None}]
)
def test_a_swap_without_a_price_or_that_would_drop_the_seats_to_one_is_refused(
    shelf: Shelf, item: dict[str, Any]
) -> None:
    found = shelf.subscribed()
    params = shelf.swap(found)
    params["items"][0] |= item
    with pytest.raises(BadRecommendation, match="items of an id and a price"):
        shelf.till.plan("tier_upgrade", 6000, params, held(found))
    with pytest.raises(BadRecommendation):
        shelf.till.plan(
            "retention_offer", 0, {"subscription": found["id"], "discounts": [{"coupon": "a/b"}]}, held(found)
        )


@pytest.mark.parametrize("price", [{"unit_amount": 0}, {"unit_amount": -1}, {"unit_amount_decimal": "0.00"}])
def test_an_experiment_with_a_price_of_nothing_is_refused(till: Till, price: dict[str, Any]) -> None:
    params = {"currency": "usd", "product": "prod_1", "recurring": {"interval": "month"}, "metadata": {"a": "b"}}
    with pytest.raises(BadRecommendation, match="an amount above 0"):
        till.plan("experiment_price", 0, params | price, {"currency": "usd", "product": "prod_1", "livemode": False})


@pytest.mark.parametrize("value", ["{0}", "{action}", "{}"])
def test_a_value_with_a_slot_is_no_metadata(till: Till, value: str) -> None:
    facts = {"customer": "cus_1", "currency": "usd", "livemode": False}
    with pytest.raises(BadRecommendation, match="without braces"):
        till.plan("metadata_change", 0, {"customer": "cus_1", "metadata": {"a": value}}, facts)
