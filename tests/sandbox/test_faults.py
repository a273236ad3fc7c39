import pytest
import requests
import stripe

from .conftest import Sandbox


def customer(sandbox: Sandbox, index: int) -> str:
    return str(sandbox.get("/v1/customers", limit=100).json()["data"][index]["id"])


def name_of(sandbox: Sandbox, identifier: str) -> str:
    return str(sandbox.get(f"/v1/customers/{identifier}").json()["name"])


def test_a_rate_limit_is_met_once_and_changes_nothing(sandbox: Sandbox) -> None:
    who = customer(sandbox, 0)
    sandbox.fault(f"POST /v1/customers/{who}", "429")
    with pytest.raises(stripe.RateLimitError):
        sandbox.stripe.v1.customers.update(who, {"name": "Limited"}, {"idempotency_key": "limited"})
    assert name_of(sandbox, who) != "Limited"
    answer = sandbox.stripe.v1.customers.update(who, {"name": "Limited"}, {"idempotency_key": "limited"})
    assert answer.name == "Limited"


def test_an_error_after_the_commit_is_replayed_though_the_change_is_there(sandbox: Sandbox) -> None:
    who = customer(sandbox, 1)
    sandbox.fault(f"POST /v1/customers/{who}", "500_after")
    key = {"Idempotency-Key": "after-1"}
    first = sandbox.post(f"/v1/customers/{who}", {"name": "Committed"}, **key)
    again = sandbox.post(f"/v1/customers/{who}", {"name": "Committed"}, **key)
    assert (first.status_code, again.status_code) == (500, 500)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert name_of(sandbox, who) == "Committed"


def test_an_error_before_execution_leaves_the_key_free(sandbox: Sandbox) -> None:
    who = customer(sandbox, 2)
    sandbox.fault(f"POST /v1/customers/{who}", "500_before")
    key = {"Idempotency-Key": "before-1"}
    assert sandbox.post(f"/v1/customers/{who}", {"name": "Later"}, **key).status_code == 500
    assert name_of(sandbox, who) != "Later"
    assert sandbox.post(f"/v1/customers/{who}", {"name": "Later"}, **key).status_code == 200


@pytest.mark.parametrize(("kind", "index", "is_done"), [("drop_before", 3, False), ("drop_after", 4, True)])
def test_a_dropped_connection_and_a_retry_with_the_key_write_once(
    sandbox: Sandbox, kind: str, index: int, is_done: bool
) -> None:
    who = customer(sandbox, index)
    path = f"/v1/customers/{who}/balance_transactions"
    given = {"amount": "-100", "currency": sandbox.get(f"/v1/customers/{who}").json()["currency"]}
    before = len(sandbox.get(path).json()["data"])
    sandbox.fault(f"POST {path}", kind)
    with pytest.raises(requests.ConnectionError):
        sandbox.post(path, given, **{"Idempotency-Key": kind})
    assert len(sandbox.get(path).json()["data"]) == before + is_done
    again = sandbox.post(path, given, **{"Idempotency-Key": kind})
    assert again.status_code == 200
    assert ("Idempotent-Replayed" in again.headers) == is_done
    assert len(sandbox.get(path).json()["data"]) == before + 1


def test_a_stalled_answer_comes_after_the_callers_patience(sandbox: Sandbox) -> None:
    sandbox.fault("GET /v1/coupons", "stall", seconds=0.6)
    headers = {"Authorization": "Bearer rk_test_x"}
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{sandbox.url}/v1/coupons", headers=headers, timeout=0.2)
    assert sandbox.get("/v1/coupons").status_code == 200


def test_an_unknown_fault_is_refused(sandbox: Sandbox) -> None:
    answer = requests.post(f"{sandbox.url}/_sandbox/faults", json={"match": "GET", "kind": "flood"}, timeout=20)
    assert answer.status_code == 400
