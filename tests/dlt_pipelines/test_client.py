"""The reader: paging, retries and refusals, over real HTTP."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dlt_pipelines.budget import Patience
from dlt_pipelines.client import Reader
from dlt_pipelines.errors import (
    AccessDenied,
    BadResponse,
    LoaderError,
    PermissionMissing,
    RequestRefused,
    Stopped,
    StripeUnreachable,
)
from dlt_pipelines.rows import Tally
from dlt_pipelines.settings import Settings
from dlt_pipelines.stripe_api import API_VERSION
from tests.dlt_pipelines.stripe_bytes import customer, settings_for
from tests.dlt_pipelines.stub import StubStripe, until

LIMITED = (429, b'{"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "slow down"}}')
FAILED = (500, b'{"error": {"type": "api_error"}}')
BUSY = (409, b'{"error": {"type": "invalid_request_error", "code": "lock_timeout"}}')
GATEWAY = (503, b"<html>Service Unavailable</html>")
HASTY = Patience(0.001, 0.002, 0.5)  # as many tries as Stripe gets, in a moment


def reader(stub: StubStripe, data: Path) -> Reader:
    return Reader(settings_for(stub, data), patience=HASTY)


def ids(reader: Reader, path: str = "/v1/customers", tally: Tally | None = None) -> list[str]:
    pages = reader.pages(path, {}, tally or Tally())
    return [bytes(payload).decode().split('"')[3] for page in pages for payload in page]


def test_the_pinned_version_is_the_one_the_sdk_is_built_for() -> None:
    import stripe

    assert stripe.api_version == API_VERSION


def test_rate_limits_and_server_errors_never_lose_a_page(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists["/v1/customers"] = [customer(f"{number:03}") for number in range(250)]
    stub.answers["/v1/customers"] = [LIMITED, FAILED, BUSY, GATEWAY, LIMITED, *[FAILED] * 30]
    tally = Tally()

    assert ids(reader(stub, tmp_path), tally=tally) == [f"cus_{number:03}" for number in range(250)]
    assert (tally.requests, tally.retries) == (38, 35)
    assert stub.asked == ["/v1/customers"] * 38


def test_connections_that_drop_never_lose_a_page(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists["/v1/customers"] = [customer(f"{number:03}") for number in range(150)]
    one, tally = reader(stub, tmp_path), Tally()
    one.get("/v1/account", {}, tally)
    stub.drops = {"/v1/customers": 20}

    assert ids(one, tally=tally) == [f"cus_{number:03}" for number in range(150)]
    assert (tally.requests, tally.retries, tally.problems) == (23, 20, {})


def test_a_storm_on_every_list_read_by_sixteen_workers_loses_nothing(stub: StubStripe, tmp_path: Path) -> None:
    draw, storm = random.Random(4), 0  # noqa: S311 - a storm that repeats exactly
    paths = [f"/v1/list{number}" for number in range(16)]
    for path in paths:
        stub.lists[path] = [customer(f"{path[8:]}_{number:04}") for number in range(330)]
        stub.answers[path] = [draw.choice([LIMITED, FAILED, BUSY, GATEWAY]) for _ in range(draw.randrange(6))]
        stub.cuts[path] = draw.randrange(3)
        storm += len(stub.answers[path]) + stub.cuts[path]
    shared, tally = reader(stub, tmp_path), Tally()

    with ThreadPoolExecutor(16) as pool:
        read = list(pool.map(lambda path: ids(shared, path, tally), paths))

    assert read == [[f"cus_{path[8:]}_{number:04}" for number in range(330)] for path in paths]
    assert (tally.requests, tally.retries) == (16 * 4 + storm, storm)
    assert len(stub.asked) == tally.requests


def test_workers_keep_their_connections(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists["/v1/customers"] = [customer("a")]
    stub.delay = 0.05  # so that their requests overlap
    shared = Reader(settings_for(stub, tmp_path), workers=16)

    with ThreadPoolExecutor(16) as pool:
        for _ in range(3):  # between the rounds, nobody has use for a connection
            assert list(pool.map(lambda _: ids(shared), range(16))) == [["cus_a"]] * 16

    assert stub.connections <= 16


def test_requests_that_were_limited_wait_together(stub: StubStripe, tmp_path: Path) -> None:
    stub.answers["/v1/customers"] = [LIMITED]
    shared = Reader(settings_for(stub, tmp_path), patience=Patience(1.0, 1.0, 1.0))  # half a second, or more
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ids, shared)
        until(lambda: shared._budget._pauses[""] == 1)
        start = time.monotonic()
        ids(shared, "/v1/invoices")
        assert time.monotonic() - start > 0.3
        first.result()


def test_a_limit_that_never_ends_is_one_sentence(stub: StubStripe, tmp_path: Path) -> None:
    stub.answers["/v1/customers"] = [LIMITED] * 1000

    with pytest.raises(StripeUnreachable, match=r"rate limited \(429\) each time"):
        ids(Reader(settings_for(stub, tmp_path), patience=Patience(0.001, 0.001, 0.01)))


@pytest.mark.parametrize(
    ("status", "body", "refused", "words"),
    [
        (403, b'{"error": {"message": "The key needs customer_read."}}', PermissionMissing, "needs customer_read"),
        (401, b'{"error": {"message": "Invalid API Key: rk_test_abc"}}', AccessDenied, "Invalid API Key: rk_test_…"),
        (400, b'{"error": {"message": "Unknown parameter"}}', RequestRefused, "answered 400: Unknown parameter"),
        (400, b"<html>", BadResponse, "answered 400 with a body that is not JSON"),
        (403, b"<html>", BadResponse, "answered 403 with a body that is not JSON"),
        (302, b"", BadResponse, "answered 302 with a body that is not JSON"),
        # a 404 means "deleted" only where Stripe says so, else a proxy's page would delete the warehouse
        (404, b"<html>", BadResponse, "answered 404 with a body that is not JSON"),
        (404, b'{"error": {"message": "Unrecognized request URL"}}', RequestRefused, "Unrecognized request URL"),
    ],
)
def test_a_refusal_of_stripe_is_one_sentence_without_the_key(
    stub: StubStripe, tmp_path: Path, status: int, body: bytes, refused: type[LoaderError], words: str
) -> None:
    stub.answers["/v1/customers"] = [(status, body)]

    with pytest.raises(LoaderError, match=words) as raised:
        ids(reader(stub, tmp_path))

    assert type(raised.value) is refused
    assert "abc" not in str(raised.value)
    assert len(stub.asked) == 1


def test_a_server_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    nobody = Settings(tmp_path, "http://127.0.0.1:9", "rk_test_x")

    with pytest.raises(StripeUnreachable, match=r"No answer for /v1/customers .*check STRIPE_API_BASE"):
        ids(Reader(nobody, patience=Patience(0.001, 0.001, 0.01)))


def test_a_stopped_reader_gives_up_what_waits_and_begins_nothing(stub: StubStripe, tmp_path: Path) -> None:
    stub.answers["/v1/customers"] = [FAILED] * 5
    shared = Reader(settings_for(stub, tmp_path), patience=Patience(60.0, 60.0, 120.0))

    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(ids, shared)
        until(lambda: len(stub.asked) == 1)
        shared.stop()
        with pytest.raises(Stopped):
            waits.result(timeout=10)
    with pytest.raises(Stopped):
        ids(shared)

    assert len(stub.asked) == 1
    stub.answers.clear()
    assert ids(shared.again()) == []


def test_an_id_of_any_letters_reaches_its_own_path(stub: StubStripe, tmp_path: Path) -> None:
    coupon = b'{"id": "25% / \xc3\xa4", "object": "coupon"}'
    stub.answers["/v1/coupons/25%25%20%2F%20%C3%A4"] = [(200, coupon)]

    assert reader(stub, tmp_path).get("/v1/coupons/{id}", {}, Tally(), of="25% / ä") == coupon


def test_an_object_that_is_not_there_is_none(stub: StubStripe, tmp_path: Path) -> None:
    one = reader(stub, tmp_path)

    assert one.get("/v1/customers/{id}", {}, Tally(), of="cus_none") is None
    stub.answers["/v1/invoices/in_gone/lines"] = [(404, b'{"error": {"code": "resource_missing", "param": "id"}}')]
    assert list(one.pages("/v1/invoices/{id}/lines", {}, Tally(), of="in_gone")) == []
    stub.answers["/v1/subscription_items"] = [
        (400, b'{"error": {"code": "resource_missing", "param": "subscription"}}')
    ]
    assert one.entries("/v1/subscription_items", {"subscription": "sub_gone"}, Tally()) is None


def test_the_rate_of_one_endpoint_is_told_for_estimates(tmp_path: Path) -> None:
    def rate(base: str, key: str, share: float) -> float | None:
        return Reader(Settings(tmp_path, base, key), share).rate("/v1/customers")

    assert rate("https://api.stripe.com", "rk_live_x", 0.8) == pytest.approx(20)
    assert rate("https://api.stripe.com", "rk_test_x", 0.4) == pytest.approx(10)
    assert rate("http://127.0.0.1:9", "rk_test_x", 0.8) is None
