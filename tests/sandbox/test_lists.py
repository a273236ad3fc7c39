from typing import Any

import pytest
import requests

from sandbox.clock import DAY, WORLD_END

from .conftest import COUNT, Sandbox


def ids(answer: requests.Response) -> list[str]:
    return [row["id"] for row in answer.json()["data"]]


def test_the_sdk_pages_through_a_list_newest_first(stocked: Sandbox) -> None:
    found = list(stocked.stripe.v1.customers.list({"limit": 7}).auto_paging_iter())
    assert [one.id for one in found] == [f"cus_{number}" for number in reversed(range(COUNT))]


def test_a_list_is_paged_backwards_as_well(stocked: Sandbox) -> None:
    answer = stocked.get("/v1/customers", limit=4, ending_before="cus_10")
    assert (ids(answer), answer.json()["has_more"]) == (["cus_14", "cus_13", "cus_12", "cus_11"], True)
    answer = stocked.get("/v1/customers", limit=4, ending_before="cus_22")
    assert (ids(answer), answer.json()["has_more"]) == (["cus_24", "cus_23"], False)


def test_created_takes_a_second_or_a_range(stocked: Sandbox) -> None:
    begin = WORLD_END - DAY
    after: Any = {"created[gt]": begin, "created[lte]": begin + 1}
    found = ids(stocked.get("/v1/customers", **after))
    assert found == [f"cus_{number}" for number in (9, 8, 7, 6, 5)]
    assert ids(stocked.get("/v1/customers", created=begin)) == [f"cus_{number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("query", "param", "said"),
    [
        ("limit=0", "limit", "greater than or equal to 1"),
        ("limit=101", "limit", "less than or equal to 100"),
        ("limit=many", "limit", "Invalid integer"),
        ("starting_after=cus_nobody", "starting_after", "No such customer: 'cus_nobody'"),
        ("ending_before=sub_1", "ending_before", "No such customer: 'sub_1'"),
        ("starting_after=cus_1&ending_before=cus_2", None, "Received both starting_after and ending_before"),
        ("colour=red", "colour", "Received unknown parameter: colour"),
        ("created[after]=1", "created[after]", "unknown parameter"),
        ("test_clock=clock_nobody", "test_clock", "No such test clock"),
    ],
)
def test_a_bad_list_parameter_is_refused_by_name(stocked: Sandbox, query: str, param: str, said: str) -> None:
    error = stocked.get(f"/v1/customers?{query}").json()["error"]
    assert (error.get("param"), said in error["message"]) == (param, True), error


def test_objects_on_a_test_clock_are_listed_only_when_it_or_their_customer_is_named(stocked: Sandbox) -> None:
    assert "cus_clock" not in ids(stocked.get("/v1/customers", limit=100))
    assert ids(stocked.get("/v1/customers", test_clock="clock_1")) == ["cus_clock"]
    assert ids(stocked.get("/v1/quotes")) == []
    assert ids(stocked.get("/v1/quotes", customer="cus_clock")) == ["qt_clock"]


def test_canceled_subscriptions_hide_unless_they_are_asked_for(stocked: Sandbox) -> None:
    found = {status: ids(stocked.get("/v1/subscriptions", status=status)) for status in ("all", "ended", "active")}
    assert found == {"all": ["sub_gone", "sub_1"], "ended": ["sub_gone"], "active": ["sub_1"]}
    assert ids(stocked.get("/v1/subscriptions")) == ["sub_1"]


def test_filters_keep_what_belongs_to_their_owner_who_must_exist(stocked: Sandbox) -> None:
    assert ids(stocked.get("/v1/invoices", subscription="sub_1")) == ["in_1"]
    assert ids(stocked.get("/v1/invoices", customer="cus_1")) == []
    assert ids(stocked.get("/v1/subscriptions", price="price_1")) == ["sub_1"]
    assert ids(stocked.get("/v1/prices", active="true", type="recurring")) == []
    refused = stocked.get("/v1/invoices", customer="cus_nobody")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "customer")


def test_nested_lists_show_ten_rows_and_their_route_shows_all(stocked: Sandbox) -> None:
    for path, name in (("/v1/invoices", "lines"), ("/v1/subscriptions", "items")):
        row = stocked.get(path).json()["data"][0]
        assert (len(row[name]["data"]), row[name]["has_more"]) == (10, True)
        assert stocked.get(f"{path}/{row['id']}").json() == row
    first = stocked.get("/v1/invoices/in_1/lines", limit=5)
    rest = stocked.get("/v1/invoices/in_1/lines", limit=100, starting_after="il_4")
    assert ids(first) + ids(rest) == [f"il_{number}" for number in range(12)]
    assert ids(stocked.get("/v1/invoices/in_1/lines", limit=2, ending_before="il_6")) == ["il_4", "il_5"]
    assert stocked.get("/v1/invoices/in_1/lines", starting_after="il_99").status_code == 400


# --- expand


def test_ids_are_expanded_to_a_depth_of_four(stocked: Sandbox) -> None:
    expand = {"expand": ["data.latest_invoice.payments.data", "data.customer"]}
    shown: Any = stocked.stripe.v1.subscriptions.list(expand).data[0]  # type: ignore[arg-type] # a plain dict, as people write
    assert shown.customer.email == "3@x.example"
    assert shown.latest_invoice.payments.data[0].id == "inpay_1"
    invoice: Any = stocked.stripe.v1.invoices.retrieve(
        "in_1", {"expand": ["payments.data.payment.payment_intent", "parent.subscription_details.subscription"]}
    )
    assert invoice.payments.data[0].payment.payment_intent.amount == 66
    assert invoice.parent.subscription_details.subscription.id == "sub_1"
    assert len(stocked.get("/v1/subscriptions/sub_1").json()["items"]["data"]) == 10


def test_tiers_are_hidden_until_asked_for(stocked: Sandbox) -> None:
    v1 = stocked.stripe.v1
    assert "tiers" not in v1.prices.retrieve("price_1")
    assert (
        v1.prices.list({"expand": ["data.tiers"]}).data[0].tiers
        == v1.prices.retrieve("price_1", {"expand": ["tiers"]}).tiers
    )
    sub: Any = v1.subscriptions.retrieve("sub_1", {"expand": ["items.data.price.tiers"]})
    assert sub["items"].data[9].price.tiers[0].unit_amount == 5


@pytest.mark.parametrize(
    ("path", "expand", "said"),
    [
        ("/v1/invoices/in_1", "payments.data.payment.payment_intent.customer", "more than 4 levels of a property."),
        ("/v1/invoices", "data.payments.data.payment.payment_intent", "more than 4 levels of a property."),
        ("/v1/invoices", "customer", "(customer). You may want to try expanding 'data.customer' instead."),
        ("/v1/invoices", "data.colour", "This property cannot be expanded (data.colour)."),
        ("/v1/charges", "data.colour", "This property cannot be expanded (data.colour)."),
        ("/v1/invoices/in_1", "status", "This property cannot be expanded (status)."),
        ("/v1/invoices/in_1", "metadata", "This property cannot be expanded (metadata)."),
        ("/v1/invoices/in_1", "customer.email", "This property cannot be expanded (customer.email)."),
    ],
)
def test_what_cannot_be_expanded_is_refused(stocked: Sandbox, path: str, expand: str, said: str) -> None:
    answer = stocked.get(path, **{"expand[]": expand})
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
