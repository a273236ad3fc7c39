import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
import requests
import stripe

from sandbox import objects, state
from sandbox.call import Call
from sandbox.errors import ApiError
from sandbox.faults import Faults
from sandbox.routes import Route
from sandbox.server import Exchange, Server
from sandbox.store import Store

from .conftest import Sandbox

COUNT = 25


# --- keys


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "You did not provide an API key"),
        ("sk_live_0123456789abcdef", "Invalid API Key provided: sk_live_***cdef"),
        ("rk_live_x", "Invalid API Key provided: rk_live_***"),
        ("nonsense", "Invalid API Key provided: non***"),
        ("pk_test_x", "publishable API key"),
    ],
)
def test_only_secret_test_keys_are_taken(stocked: Sandbox, key: str, said: str) -> None:
    answer = stocked.get("/v1/customers", key=key)
    assert answer.status_code == 401
    assert said in answer.json()["error"]["message"]
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_basic_auth_works_and_the_sdk_sees_a_refused_key(stocked: Sandbox) -> None:
    assert requests.get(f"{stocked.url}/v1/customers", auth=("sk_test_x", ""), timeout=20).status_code == 200
    assert stocked.send("GET", "/v1/customers", headers={"Authorization": "Basic !"}).status_code == 401
    with pytest.raises(stripe.AuthenticationError):
        stocked.client("sk_live_x").v1.customers.list()


def test_a_restricted_key_is_told_which_permission_it_lacks(stocked: Sandbox) -> None:
    stocked.hidden("keys", {"key": "rk_test_narrow", "permissions": ["invoice_write"]})
    with pytest.raises(stripe.PermissionError, match="Having the 'customer_read' permission would allow"):
        stocked.client("rk_test_narrow").v1.customers.list()
    assert stocked.get("/v1/invoices", key="rk_test_narrow").status_code == 200
    assert stocked.get("/v1/customers", key="rk_test_unregistered").status_code == 200


def test_expanding_an_object_needs_permission_to_read_it(stocked: Sandbox) -> None:
    stocked.hidden("keys", {"key": "rk_test_invoices", "permissions": ["invoice_read"]})
    refused = stocked.get("/v1/invoices/in_1", key="rk_test_invoices", **{"expand[]": "customer"})
    assert (refused.status_code, "'customer_read'" in refused.json()["error"]["message"]) == (403, True)


def test_the_loaders_keys_read_and_the_runners_key_writes(stocked: Sandbox) -> None:
    for key in ("rk_test_sandbox_load", "rk_test_sandbox_shadow"):
        assert stocked.get("/v1/events", key=key).status_code == 200
        assert (
            "'webhook_write'" in stocked.post("/v1/webhook_endpoints", {"url": "x", "enabled_events[]": "*"}, key).text
        )
    refused = stocked.post("/v1/customers/cus_nobody", {}, "rk_test_sandbox_act")
    assert refused.status_code == 404  # it may, but there is no such customer


@pytest.mark.parametrize(
    "given", [{"key": "sk_test_x", "permissions": []}, {"key": "rk_test_x", "permissions": ["all"]}, {"key": 1}, []]
)
def test_a_registration_that_cannot_be_meant_is_refused(stocked: Sandbox, given: Any) -> None:
    assert requests.post(f"{stocked.url}/_sandbox/keys", json=given, timeout=20).status_code == 400


def test_only_the_one_account_can_be_named(stocked: Sandbox) -> None:
    own = stocked.send("GET", "/v1/customers", headers={"Stripe-Account": state.ACCOUNT})
    other = stocked.send("GET", "/v1/customers", headers={"Stripe-Account": "acct_other"})
    assert (own.status_code, other.status_code) == (200, 403)
    assert other.json()["error"]["code"] == "account_invalid"


# --- answers


def test_answers_are_pretty_printed_and_carry_id_date_and_the_version_asked_for(stocked: Sandbox) -> None:
    answer = stocked.send("GET", "/v1/customers", headers={"Stripe-Version": "2020-08-27"})
    assert answer.text == json.dumps(answer.json(), indent=2) + "\n"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Date"] == "Sun, 01 Nov 2026 06:00:00 GMT"
    assert answer.headers["Stripe-Version"] == "2020-08-27"
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Request-Id"] != stocked.get("/v1/customers").headers["Request-Id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nothing"),
        ("GET", "/v1/customers/"),
        ("PUT", "/v1/customers"),
        ("DELETE", "/v1/events/evt_1"),
        ("GET", "/"),
    ],
)
def test_a_url_that_stripe_does_not_know_is_404(stocked: Sandbox, method: str, path: str) -> None:
    answer = stocked.send(method, path)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith(f"Unrecognized request URL ({method}: {path}).")


def test_ids_in_a_path_are_decoded(stocked: Sandbox) -> None:
    answer = stocked.get(f"/v1/customers/{quote('a b?ü', safe='')}")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "No such customer: 'a b?ü'")
    assert answer.json()["error"] | {"message": ""} == {
        "code": "resource_missing",
        "doc_url": "https://stripe.com/docs/error-codes/resource-missing",
        "message": "",
        "param": "id",
        "type": "invalid_request_error",
    }


def test_a_json_body_and_a_huge_one_are_refused(stocked: Sandbox) -> None:
    answer = stocked.send("POST", "/v1/webhook_endpoints", json={"url": "http://localhost:9"})
    assert "application/x-www-form-urlencoded" in answer.json()["error"]["message"]
    assert stocked.post("/v1/webhook_endpoints", {"url": "x" * 1_100_000}).status_code == 413
    assert stocked.post("/v1/webhook_endpoints", "metadata=&metadata[a]=1").status_code == 400


def test_parameters_that_are_known_but_have_no_effect_are_named(stocked: Sandbox) -> None:
    given = {"url": "http://localhost:9", "enabled_events[]": "invoice.paid", "connect": "true"}
    assert stocked.post("/v1/webhook_endpoints", given).headers["Sandbox-Ignored-Parameters"] == "connect"
    assert "Sandbox-Ignored-Parameters" not in stocked.get("/v1/customers", limit=3).headers


@pytest.mark.parametrize("path", ["customers", "prices", "subscriptions", "invoices", "events", "billing/meters"])
@pytest.mark.parametrize("shape", ["{}[x][y]=1", "{}[][x]=1", "{}=", "{}=%FF%00", "{}[=1"])
def test_parameters_of_the_wrong_shape_are_refused_not_crashed_on(stocked: Sandbox, path: str, shape: str) -> None:
    for name in ("limit", "starting_after", "expand", "created", "status", "customer", "type", "types", "lookup_keys"):
        answer = stocked.get(f"/v1/{path}?{shape.format(name)}")
        assert answer.status_code in (200, 400), (name, answer.text)
        assert answer.headers["Content-Type"] == "application/json"


# --- in this process: routes that misbehave


def ask(server: Server, method: str, path: str, key: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    headers = [(b"authorization", b"Bearer sk_test_x"), (b"idempotency-key", key.encode())]
    exchange = Exchange(server, {"method": method, "path": path, "query_string": b"", "headers": headers}, receive)
    status, body = asyncio.run(exchange.answer())
    return status, json.loads(body), exchange.shown


def test_a_bug_is_a_500_in_stripes_shape_that_changes_nothing(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(call: Call) -> dict[str, Any]:
        objects.create(call.store, "customer", id="cus_half")
        raise ZeroDivisionError("half done")

    server = Server(store, Faults())
    server.routes = (Route("POST", "/v1/broken", broken, "customer_write"),)
    first = ask(server, "POST", "/v1/broken", "bug")
    assert (first[0], first[1]["error"]["type"]) == (500, "api_error")
    assert store.any("cus_half") is None
    assert capsys.readouterr().err.count("ZeroDivisionError: half done") == 1
    again = ask(server, "POST", "/v1/broken", "bug")
    assert (again[0], again[1], again[2]["Idempotent-Replayed"]) == (500, first[1], "true")


@pytest.mark.parametrize("keeps", [True, False])
def test_a_declined_payment_leaves_its_attempt_and_other_refusals_leave_nothing(store: Store, keeps: bool) -> None:
    def declined(call: Call) -> dict[str, Any]:
        objects.create(call.store, "charge", id="ch_1", status="failed")
        raise ApiError(402, "No", kind="card_error", code="card_declined", decline_code="expired_card", keeps=keeps)

    server = Server(store, Faults())
    server.routes = (Route("POST", "/v1/declined", declined, "charge_write"),)
    status, body, _ = ask(server, "POST", "/v1/declined", "card")
    assert (status, body["error"]["decline_code"]) == (402, "expired_card")
    assert (store.any("ch_1") is not None) == keeps
    assert ask(server, "POST", "/v1/declined", "card")[1] == body
