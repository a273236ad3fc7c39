from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from sandbox.clock import WORLD_END
from sandbox.errors import SandboxError
from sandbox.faults import KINDS, NO_RULE, Faults, Rule, read_file

from .conftest import Sandbox

PATH = "/v1/webhook_endpoints"
GIVEN = {"url": "http://localhost:9/hook", "enabled_events[]": "invoice.paid"}


def send(account: Sandbox, key: str) -> requests.Response:
    return account.post(PATH, GIVEN, **{"Idempotency-Key": key})


def count(account: Sandbox) -> int:
    return len(account.get(PATH, limit=100).json()["data"])


# What a client sees first, then with the same key: how many objects there are after each, and whether it is a replay.
OUTCOMES = {
    "429": (429, 0, 200, 1, False),
    "500_before": (500, 0, 200, 1, False),
    "500_replayed": (500, 0, 500, 0, True),
    "500_after": (500, 1, 500, 1, True),
    "drop_before": (None, 0, 200, 1, False),
    "drop_after": (None, 1, 200, 1, True),
    "truncated": (None, 1, 200, 1, True),
    "not_json": (200, 1, 200, 1, True),
    "skewed_date": (200, 1, 200, 1, True),
    "stall": (200, 1, 200, 1, True),
}


@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_fault_and_a_retry_with_the_same_key(account: Sandbox, kind: str) -> None:
    first_status, first_count, second_status, second_count, is_replay = OUTCOMES[kind]
    before = count(account)
    account.fault(f"POST {PATH}", kind, seconds=0.2)
    if first_status is None:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            send(account, kind)
    else:
        assert send(account, kind).status_code == first_status
    assert count(account) == before + first_count
    again = send(account, kind)
    assert (again.status_code, "Idempotent-Replayed" in again.headers) == (second_status, is_replay)
    assert count(account) == before + second_count


def test_every_kind_of_request_fault_is_tried_here() -> None:
    assert set(KINDS) == {*OUTCOMES, "webhook_duplicate", "webhook_reorder"}


def test_reads_fail_on_demand_too(account: Sandbox) -> None:
    account.fault("GET /v1/events", "500_after")
    with pytest.raises(stripe.APIError):
        account.stripe.v1.events.list()
    account.fault("GET /v1/events", "429", reason="endpoint-rate")
    with pytest.raises(stripe.RateLimitError) as limited:
        account.stripe.v1.events.list()
    assert limited.value.headers is not None
    assert limited.value.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"


def test_a_page_that_is_not_json_and_a_clock_that_is_off(account: Sandbox) -> None:
    account.fault("GET /v1/events", "not_json")
    page = account.get("/v1/events")
    assert (page.status_code, page.headers["Content-Type"], page.text[:6]) == (200, "text/html", "<html>")
    account.fault("GET /v1/events", "skewed_date", seconds=-7200)
    now = parsedate_to_datetime(account.get("/v1/events").headers["Date"]).timestamp()
    assert now == WORLD_END - 7200


def test_a_stalled_answer_comes_after_the_callers_patience(account: Sandbox) -> None:
    account.fault("GET /v1/events", "stall", seconds=0.6)
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{account.url}/v1/events", headers={"Authorization": "Bearer sk_test_x"}, timeout=0.2)
    assert account.get("/v1/events").status_code == 200


def test_rules_match_by_glob_count_and_pass_some_by() -> None:
    faults = Faults([Rule(match="POST /v1/customers*", kind="429", times=2, after=1)])
    met = [faults.take(line) is not NO_RULE for line in ["GET /v1/customers", *["POST /v1/customers/cus_1"] * 4]]
    assert met == [False, False, True, True, False]
    assert faults.take("POST /v1/customers", webhook=True) is NO_RULE


def test_chance_comes_from_the_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = Faults([Rule(match="*", kind="429", times=0, probability=0.3)], seed)
        return [faults.take("GET /v1/events") is not NO_RULE for _ in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 30 < sum(drawn(1)) < 90


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"match": "*", "kind": "flood"}, "there are 429, 500_before"),
        ({"kind": "429"}, "missing required field `match`"),
        ({"match": "*", "kind": "429", "colour": "red"}, "unknown field `colour`"),
        ({"match": "*", "kind": "429", "probability": 2}, "probability"),
        ([], "Expected `object`"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(account: Sandbox, given: Any, said: str) -> None:
    answer = requests.post(f"{account.url}/_sandbox/faults", json=given, timeout=20)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_a_script_of_rules_is_read_from_toml_or_json(tmp_path: Path) -> None:
    toml, json = tmp_path / "rules.toml", tmp_path / "rules.json"
    toml.write_text('seed = 3\n[[fault]]\nmatch = "*"\nkind = "stall"\nseconds = 1\n')
    json.write_text('{"seed": 3, "fault": [{"match": "*", "kind": "stall", "seconds": 1}]}')
    assert read_file(toml).rules == read_file(json).rules == [Rule(match="*", kind="stall", seconds=1)]
    assert read_file(toml).seed == 3


@pytest.mark.parametrize(
    "text", ["[[fault]]\nmatch = 1", "[fault", 'seed = "x"', "rules = []", "fault = 1", '[[fault]]\nkind="x"']
)
def test_a_script_that_makes_no_sense_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(SandboxError, match=r"rules\.toml"):
        read_file(tmp_path / "rules.toml")
