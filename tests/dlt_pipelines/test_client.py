"""The reader: paging, retries and refusals, and the rate that all workers share."""

from pathlib import Path
from typing import Any

import pytest

from dlt_pipelines.budget import Budget, budget_for
from dlt_pipelines.client import Reader
from dlt_pipelines.errors import AccessDenied, BadResponse, StripeUnreachable
from dlt_pipelines.rows import Tally
from dlt_pipelines.settings import Settings
from dlt_pipelines.stripe_api import API_VERSION
from tests.dlt_pipelines.stripe_bytes import customer, settings_for
from tests.dlt_pipelines.stub import NOW, StubStripe

LIMITED = b'{"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "slow down"}}'


def ids(reader: Reader) -> list[str]:
    pages = reader.pages("/v1/customers", {}, Tally())
    return [bytes(payload).decode().split('"')[3] for page in pages for payload in page]


def test_the_pinned_version_is_the_one_the_sdk_is_built_for() -> None:
    import stripe

    assert stripe.api_version == API_VERSION


def test_rate_limits_and_server_errors_never_lose_a_page(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists["/v1/customers"] = [customer(f"{number:03}") for number in range(250)]
    stub.answers["/v1/customers"] = [(429, LIMITED), (500, b'{"error": {"type": "api_error"}}'), (429, LIMITED)]

    assert ids(Reader(settings_for(stub, tmp_path))) == [f"cus_{number:03}" for number in range(250)]


def test_the_clock_is_the_servers(stub: StubStripe, tmp_path: Path) -> None:
    reader = Reader(settings_for(stub, tmp_path))
    ids(reader)

    assert reader.server_now == NOW.replace(tzinfo=None)


def test_a_page_that_repeats_its_cursor_is_an_error_and_not_an_endless_loop(stub: StubStripe, tmp_path: Path) -> None:
    page = b'{"data": [' + customer("a") + b'], "has_more": true}'
    stub.answers["/v1/customers"] = [(200, page)] * 3

    with pytest.raises(BadResponse, match="would never end"):
        ids(Reader(settings_for(stub, tmp_path)))


@pytest.mark.parametrize(
    ("status", "body", "refusal", "words"),
    [
        (403, b'{"error": {"message": "The key needs customer_read."}}', AccessDenied, "needs customer_read"),
        (401, b'{"error": {"message": "Invalid API Key: rk_test_abc"}}', AccessDenied, "Invalid API Key: rk_test_…"),
        (400, b'{"error": {"message": "Unknown parameter"}}', StripeUnreachable, "answered 400: Unknown parameter"),
        (400, b"<html>", BadResponse, "answered 400 with a body that is not JSON"),
    ],
)
def test_a_refusal_of_stripe_is_one_sentence_without_the_key(
    stub: StubStripe, tmp_path: Path, status: int, body: bytes, refusal: type[Exception], words: str
) -> None:
    stub.answers["/v1/customers"] = [(status, body)]

    with pytest.raises(refusal, match=words) as raised:
        ids(Reader(settings_for(stub, tmp_path)))

    assert "abc" not in str(raised.value)


def test_a_server_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    nobody = Settings(tmp_path, "http://127.0.0.1:9", "rk_test_x")

    with pytest.raises(StripeUnreachable, match=r"No answer for /v1/customers .*check STRIPE_API_BASE"):
        ids(Reader(nobody, network_retries=0))


class Watch:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def paced(**rates: Any) -> tuple[Budget, Watch]:
    watch = Watch()
    return Budget(**rates, clock=lambda: watch.now, sleep=watch.sleep), watch


def test_requests_keep_to_the_rate_in_all_and_to_the_rate_of_one_endpoint() -> None:
    budget, watch = paced(rate=80.0, endpoint_rate=20.0)
    for _ in range(21):
        budget.wait("/v1/invoices")
    assert watch.now == pytest.approx(1.0)

    budget, watch = paced(rate=80.0, endpoint_rate=20.0)
    for number in range(81):
        budget.wait(f"/v1/{number}")
    assert watch.now == pytest.approx(1.0)


def test_a_pause_holds_everybody_back_and_a_local_server_is_not_paced() -> None:
    budget, watch = paced(rate=None)
    budget.wait("/v1/invoices")
    assert watch.now == 0.0
    budget.pause(3.0)
    budget.wait("/v1/customers")
    assert watch.now == pytest.approx(3.0)


def test_the_default_budget_leaves_a_fifth_of_stripes_limit_to_others() -> None:
    watch = Watch()
    budget = budget_for(is_live=True, is_local=False)
    budget._clock, budget._sleep = (lambda: watch.now), watch.sleep
    for number in range(81):
        budget.wait(f"/v1/{number}")
    assert watch.now == pytest.approx(1.0)
