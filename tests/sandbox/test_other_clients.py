"""Clients that are not ours: what libraries of years ago, and other people's loaders, send by themselves."""

from typing import Any

import pytest
import requests

from .conftest import KEY, Sandbox

OLD = {"Stripe-Version": "2020-08-27"}
IGNORED = "Sandbox-Ignored-Parameters"


def old(stocked: Sandbox, path: str, **params: Any) -> requests.Response:
    """What a library pinned to a version of 2020 is answered."""
    return stocked.send("GET", path, headers=OLD, params=params)


@pytest.mark.parametrize(
    ("path", "expand"),
    [
        ("/v1/customers", ["data.sources", "data.tax_ids"]),
        ("/v1/subscriptions", ["data.plan", "data.latest_invoice.payment_intent"]),
        ("/v1/invoices", ["data.charge", "data.payment_intent.charges.data", "data.total_tax_amounts.tax_rate"]),
        ("/v1/invoices/in_1", ["charge", "subscription"]),
        ("/v1/invoices/in_1/lines", ["data.price"]),
        ("/v1/charges", ["data.invoice"]),  # a list with no rows
        ("/v1/invoices", ["customer"]),  # a list's paths begin with `data`
    ],
)
def test_paths_that_an_old_version_could_expand_are_ignored_and_named(
    stocked: Sandbox, path: str, expand: list[str]
) -> None:
    answer = old(stocked, path, **{"expand[]": expand})
    assert answer.json() == stocked.get(path).json()
    assert answer.headers[IGNORED] == ", ".join(sorted(f"expand.{one}" for one in expand))


def test_what_an_old_version_may_still_expand_is_expanded(stocked: Sandbox) -> None:
    answer = old(stocked, "/v1/subscriptions", **{"expand[]": ["data.customer", "data.plan"]})
    assert answer.json()["data"][0]["customer"]["email"] == "3@x.example"
    assert answer.headers[IGNORED] == "expand.data.plan"


def test_the_depth_of_expansion_and_permissions_hold_for_every_version(stocked: Sandbox) -> None:
    assert old(stocked, "/v1/invoices", **{"expand[]": "data.a.b.c.d"}).status_code == 400
    stocked.hidden("keys", {"key": "rk_test_subs", "permissions": ["subscription_read"]})
    params = {"expand[]": "data.customer"}
    refused = stocked.send("GET", "/v1/subscriptions", "rk_test_subs", headers=OLD, params=params)
    assert (refused.status_code, "customer_read" in refused.text) == (403, True)


@pytest.mark.parametrize(
    ("path", "total"), [("/v1/customers", 25), ("/v1/invoices/in_1/lines", 12), ("/v1/subscriptions", 1)]
)
def test_old_libraries_are_told_the_total_of_a_list(stocked: Sandbox, path: str, total: int) -> None:
    first = old(stocked, path, **{"include[]": "total_count", "limit": 1}).json()
    after = old(stocked, path, **{"include[]": "total_count", "starting_after": first["data"][0]["id"]}).json()
    assert (first["total_count"], after["total_count"], len(first["data"])) == (total, total, 1)
    assert "total_count" not in old(stocked, path).json()


@pytest.mark.parametrize("params", [{"include[]": "total_count"}, {"expand[]": "data.sources"}])
@pytest.mark.parametrize("headers", [{}, {"Stripe-Version": "2026-10-28.endive"}])
def test_the_current_version_refuses_what_is_gone(
    stocked: Sandbox, params: dict[str, str], headers: dict[str, str]
) -> None:
    refused = stocked.send("GET", "/v1/customers", headers=headers, params=params)
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")


def test_other_unknown_parameters_and_all_writes_are_as_strict_for_old_versions(stocked: Sandbox) -> None:
    assert old(stocked, "/v1/invoices", paid="true").json()["error"]["param"] == "paid"
    for given in ({"include[]": "total_count"}, {"expand[]": "sources"}, {"coupon": "TEN"}):
        refused = stocked.post("/v1/customers", given, **OLD)
        assert (refused.status_code, stocked.get("/v1/customers").json()["data"][0]["id"]) == (400, "cus_24")


def test_a_path_to_expand_cannot_write_headers_of_its_own(stocked: Sandbox) -> None:
    answer = old(
        stocked, "/v1/customers", **{"expand[]": ["data.x\r\nEvil: 1", "data.€", *["data." + "y" * 4000] * 20]}
    )
    assert answer.status_code == 200
    assert "Evil" not in answer.headers
    assert len(answer.headers[IGNORED]) < 5000


def test_loaders_find_the_account_by_id_and_no_connected_accounts(stocked: Sandbox) -> None:
    own = stocked.get("/v1/account").json()
    assert stocked.get(f"/v1/accounts/{own['id']}").json() == own
    assert stocked.get("/v1/accounts/acct_other").status_code == 404
    # Airbyte's connection check, and dlt's verified source, list them with these parameters
    listed = old(stocked, "/v1/accounts", **{"limit": 100, "created[gte]": 1}).json()
    assert listed == {"object": "list", "data": [], "has_more": False, "url": "/v1/accounts"}


@pytest.mark.parametrize("limit", [1, 5, 12, 24, 25, 26, 100])
def test_every_limit_walks_a_list_both_ways_without_gap_or_repetition(stocked: Sandbox, limit: int) -> None:
    wanted = [f"cus_{number}" for number in reversed(range(25))]
    for cursor, at, rest in (("starting_after", -1, wanted), ("ending_before", 0, wanted[:-1])):
        seen: list[str] = []
        params: dict[str, Any] = {"limit": limit} | ({} if at else {cursor: wanted[-1]})
        while True:
            page = old(stocked, "/v1/customers", **params).json()
            ids = [row["id"] for row in page["data"]]
            seen = seen + ids if at else ids + seen
            if not page["has_more"]:
                break
            params[cursor] = seen[at]
        assert seen == rest


def test_a_walk_is_whole_while_objects_are_made_between_its_pages(account: Sandbox) -> None:
    old_ones = [account.made("/v1/customers", {"name": str(number)})["id"] for number in range(9)]
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 4}
    while True:
        page = account.send("GET", "/v1/customers", KEY, headers=OLD, params=params).json()
        account.made("/v1/customers", {"name": "meanwhile"})
        seen += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            break
        params["starting_after"] = seen[-1]
    assert seen == old_ones[::-1]


def test_what_a_deleted_test_clock_leaves_behind_names_nothing_that_is_gone(account: Sandbox) -> None:
    card = "pm_card_visa"
    clock = account.made("/v1/test_helpers/test_clocks", {"frozen_time": 1793500000})["id"]
    given = {"test_clock": clock, "payment_method": card, "invoice_settings[default_payment_method]": card}
    customer = account.made("/v1/customers", given)["id"]
    product = account.made("/v1/products", {"name": "Seats"})["id"]
    once = {"product": product, "currency": "usd", "unit_amount": 500, "recurring[interval]": "month"}
    price = account.made("/v1/prices", once)["id"]
    account.made("/v1/subscriptions", {"customer": customer, "items[0][price]": price})
    paths = ("/v1/balance_transactions", "/v1/invoice_payments", "/v1/charges", "/v1/invoices")
    assert [len(account.get(path).json()["data"]) for path in paths] == [1, 1, 1, 1]
    assert account.delete(f"/v1/test_helpers/test_clocks/{clock}").status_code == 200
    assert [len(account.get(path).json()["data"]) for path in paths] == [0, 0, 0, 0]
