import threading
import time
from typing import Any

import pytest
import requests
import stripe

from .conftest import Sandbox

PATH = "/v1/webhook_endpoints"


def given(**change: str) -> dict[str, str]:
    return {"url": "http://localhost:9/hook", "enabled_events[]": "invoice.paid", **change}


def send(account: Sandbox, key: str, path: str = PATH, **change: str) -> requests.Response:
    return account.post(path, given(**change), **{"Idempotency-Key": key})


def count(account: Sandbox) -> int:
    return len(account.get(PATH, limit=100).json()["data"])


def wait_for_the_stall(account: Sandbox) -> None:
    """Until the last rule has been met."""
    deadline = time.monotonic() + 10
    while not requests.get(f"{account.url}/_sandbox/faults", timeout=20).json()[-1]["fired"]:
        assert time.monotonic() < deadline, "nobody met the rule"


def test_a_repeated_request_is_answered_with_the_first_ones_bytes(account: Sandbox) -> None:
    first = send(account, "once")
    before = count(account)
    again = send(account, "once")
    assert (again.status_code, again.content, count(account)) == (200, first.content, before)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"] != again.headers["Request-Id"]
    assert first.headers["Idempotency-Key"] == again.headers["Idempotency-Key"] == "once"
    assert "Idempotent-Replayed" not in first.headers


def test_the_two_spellings_of_an_array_are_the_same_parameters(account: Sandbox) -> None:
    send(account, "spelt")
    other = {"url": "http://localhost:9/hook", "enabled_events[0]": "invoice.paid"}
    assert account.post(PATH, other, **{"Idempotency-Key": "spelt"}).headers["Idempotent-Replayed"] == "true"


def test_a_key_used_with_other_parameters_or_another_path_is_refused(account: Sandbox) -> None:
    made = send(account, "mixed").json()
    before = count(account)
    params: Any = {"url": "http://localhost:10", "enabled_events": ["*"]}
    with pytest.raises(stripe.IdempotencyError, match="with the same parameters they were first used with"):
        account.stripe.v1.webhook_endpoints.create(params, {"idempotency_key": "mixed"})
    path = f"{PATH}/{made['id']}"
    refused = send(account, "mixed", path)
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "idempotency_error")
    assert f"('{path}' vs '{PATH}')" in refused.json()["error"]["message"]
    assert count(account) == before


def test_what_is_refused_before_execution_leaves_the_key_free(account: Sandbox) -> None:
    assert send(account, "free", colour="red").status_code == 400
    assert account.post(PATH, given(), "rk_test_sandbox_load", **{"Idempotency-Key": "free"}).status_code == 403
    assert account.post(PATH, given(), "sk_live_x", **{"Idempotency-Key": "free"}).status_code == 401
    assert send(account, "free", "/v1/nothing").status_code == 404
    account.fault(f"POST {PATH}", "429")
    assert send(account, "free").status_code == 429
    done = send(account, "free")
    assert (done.status_code, "Idempotent-Replayed" in done.headers) == (200, False)


def test_a_failed_execution_is_replayed_too(account: Sandbox) -> None:
    first, again = (account.post(f"{PATH}/we_nobody", {}, **{"Idempotency-Key": "failed"}) for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (404, 404, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["k" * 256, ""])
def test_a_key_has_1_to_255_characters(account: Sandbox, key: str) -> None:
    assert send(account, key).status_code == 400
    assert send(account, "k" * 255).status_code == 200


def test_a_running_request_holds_its_key_and_nothing_else(account: Sandbox) -> None:
    account.fault(f"POST {PATH}", "stall", seconds=1.0)
    answers: list[requests.Response] = []
    slow = threading.Thread(target=lambda: answers.append(send(account, "slow")))
    before = count(account)
    slow.start()
    wait_for_the_stall(account)
    refused = send(account, "slow")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert refused.headers["Stripe-Should-Retry"] == "true"
    assert count(account) == before  # others are served meanwhile, and nothing is done yet
    slow.join()
    assert answers[0].status_code == 200
    assert send(account, "slow").content == answers[0].content


def test_the_sdk_waits_for_the_running_request_and_gets_its_result(account: Sandbox) -> None:
    account.fault(f"POST {PATH}", "stall", seconds=0.6)
    params: Any = {"url": "http://localhost:11", "enabled_events": ["*"]}
    impatient = threading.Thread(
        target=lambda: account.post(PATH, {"url": params["url"], "enabled_events[]": "*"}, **{"Idempotency-Key": "sdk"})
    )
    impatient.start()
    wait_for_the_stall(account)
    made = account.client("sk_test_x", retries=3).v1.webhook_endpoints.create(params, {"idempotency_key": "sdk"})
    impatient.join()
    assert [
        one.id for one in account.stripe.v1.webhook_endpoints.list({"limit": 100}).data if one.url == params["url"]
    ] == [made.id]


def test_keys_are_forgotten_after_a_day_of_the_sandboxs_time(account: Sandbox) -> None:
    first = send(account, "old").json()["id"]
    account.advance(hours=23)
    assert send(account, "old").json()["id"] == first
    account.advance(hours=1)
    again = send(account, "old")
    assert "Idempotent-Replayed" not in again.headers
    assert again.json()["id"] != first


def test_reads_and_deletions_take_no_notice_of_a_key(account: Sandbox) -> None:
    made = send(account, "made").json()["id"]
    key = {"Idempotency-Key": "k" * 300}
    assert account.send("GET", f"{PATH}/{made}", headers=key).status_code == 200
    assert account.send("DELETE", f"{PATH}/{made}", headers=key).json()["deleted"] is True
