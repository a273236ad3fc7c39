"""The shapes that every step is held to: the SDK's own types, and Stripe's limits of metadata."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.errors import BadRecommendation
from actions.executors import EXECUTORS, for_kind
from actions.executors.shapes import check_shape
from actions.state import Request
from tests.commands import ROOT

Facts = dict[str, Any]

SHAPES = {
    "SubscriptionUpdateParams": "POST /v1/subscriptions/{id}",
    "SubscriptionScheduleCreateParams": "POST /v1/subscription_schedules",
    "SubscriptionScheduleUpdateParams": "POST /v1/subscription_schedules/{id}",
    "QuoteCreateParams": "POST /v1/quotes",
    "QuoteFinalizeQuoteParams": "POST /v1/quotes/{id}/finalize",
    "PriceCreateParams": "POST /v1/prices",
    "PriceUpdateParams": "POST /v1/prices/{id}",
    "CustomerUpdateParams": "POST /v1/customers/{id}",
    "CreditNoteCreateParams": "POST /v1/credit_notes",
    "billing.CreditGrantCreateParams": "POST /v1/billing/credit_grants",
    "InvoicePayParams": "POST /v1/invoices/{id}/pay",
}
CATALOGUE: dict[str, Any] = json.loads((ROOT / "sandbox" / "parameters.json").read_text())


def problem(shape: str, params: Any) -> str:
    """What is wrong with params; empty when nothing is."""
    try:
        check_shape(Request("x", "post", "/v1/x", params, shape))
    except BadRecommendation as error:
        return str(error)
    return ""


def values(rule: Any) -> st.SearchStrategy[Any]:
    """Values that the sandbox's catalogue, made of the same SDK in another way, takes for a parameter."""
    if isinstance(rule, list):
        return st.lists(values(rule[0]), max_size=2)
    if isinstance(rule, dict) and "any" in rule:
        return st.one_of([values(one) for one in rule["any"]])
    if isinstance(rule, dict) and "*" in rule:
        return st.dictionaries(st.sampled_from("abc"), values(rule["*"]), max_size=2)
    if isinstance(rule, dict):
        needed = {key.rstrip("!"): values(one) for key, one in rule.items() if key.endswith("!")}
        return st.fixed_dictionaries(needed, optional={key: values(one) for key, one in rule.items() if key[-1] != "!"})
    if rule.startswith("="):
        return st.sampled_from(rule[1:].split("|"))
    known: dict[str, st.SearchStrategy[Any]] = {
        "int": st.integers(-9, 9), "bool": st.booleans(), "str": st.just("x"),
        "decimal": st.sampled_from(["1", "-0.5"]), "float": st.sampled_from(["1", "2.5", 3]),
    }  # fmt: skip
    return known[rule]


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_what_the_sdk_describes_is_taken_and_anything_else_is_not(shape: str, data: st.DataObject) -> None:
    params = data.draw(values(CATALOGUE[SHAPES[shape]]))
    assert problem(shape, params) == ""
    assert "nonsense" in problem(shape, params | {"nonsense": 1})
    for steers_the_sdk in ("api_key", "idempotency_key", "stripe_account", "stripe_version", "headers"):
        assert steers_the_sdk in problem(shape, params | {steers_the_sdk: "x"})
    for key in params:
        for wrong in (None, 1.5, object()):
            assert key in problem(shape, params | {key: wrong})
        if key + "!" in CATALOGUE[SHAPES[shape]]:
            assert key in problem(shape, {name: one for name, one in params.items() if name != key})


WRONG: list[tuple[Facts, str]] = [
    ({"items": "all"}, "items"),
    ({"items": [{"id": "si_1", "price": 7}]}, "items.0.price"),
    ({"items": [{"id": "si_1", "prize": "p"}]}, "prize"),
    ({"items": [{"id": "si_1", "quantity": "3"}]}, "quantity"),
    ({"items": [{"id": "si_1", "quantity": True}]}, "quantity"),
    ({"items": [None]}, "items.0"),
    ({"discounts": [{"coupon": ["a"]}]}, "coupon"),
    ({"billing_cycle_anchor": {}}, "type"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"trial_end": "soon"}, "trial_end"),
    ({"application_fee_percent": "1e3"}, "application_fee_percent"),
    ({"application_fee_percent": "nan"}, "application_fee_percent"),
]


@pytest.mark.parametrize(("params", "said"), WRONG)
def test_a_wrong_key_type_or_gap_is_named_wherever_it_is(params: Facts, said: str) -> None:
    assert said in problem("SubscriptionUpdateParams", params)


def test_a_shape_that_the_sdk_does_not_have_is_refused() -> None:
    assert "SubscriptionModifyEverythingParams" in problem("SubscriptionModifyEverythingParams", {})
    assert "nowhere.CouponCreateParams" in problem("nowhere.CouponCreateParams", {})
    assert problem("", {"anything": None}) == ""


KINDS = sorted({kind for executor in EXECUTORS for kind in executor.kinds})


@pytest.mark.parametrize("kind", [*KINDS, "sell_the_company"])
@pytest.mark.parametrize(
    "params", [{}, {"api_key": "sk_live_x"}, {"subscription": "sub_1", "cancel_at_period_end": True}]
)
def test_params_that_no_executor_knows_are_refused(kind: str, params: Facts) -> None:
    with pytest.raises(BadRecommendation, match=kind):
        for_kind(kind, params)
