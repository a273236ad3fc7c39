import shutil
from pathlib import Path

from sandbox.errors import ApiError
from sandbox.server import Limits

from .conftest import running


class Watch:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def refusals(limits: Limits, endpoint: str, count: int) -> list[str]:
    found = []
    for _ in range(count):
        try:
            limits.take(endpoint)
        except ApiError as refused:
            found.append(refused.headers["Stripe-Rate-Limited-Reason"])
    return found


def test_a_second_holds_so_many_requests_in_all_and_fills_again() -> None:
    watch = Watch()
    limits = Limits(25, watch)
    assert refusals(limits, "GET /v1/customers", 20) == []
    assert refusals(limits, "GET /v1/invoices", 7) == ["global-rate"] * 2
    watch.now = 0.2
    assert refusals(limits, "GET /v1/invoices", 6) == ["global-rate"]


def test_meter_events_have_a_budget_of_their_own() -> None:
    limits = Limits(25, Watch())
    assert refusals(limits, "POST /v1/billing/meter_events", 1002) == ["endpoint-rate"] * 2
    assert refusals(limits, "GET /v1/customers", 25) == []


def test_without_a_rate_there_is_no_limit() -> None:
    assert refusals(Limits(None), "GET /v1/customers", 1000) == []


def test_a_client_that_is_too_fast_is_told_so(empty: Path, tmp_path: Path) -> None:
    shutil.copytree(empty, tmp_path / "sandbox")
    for account in running(tmp_path, "--rate-limit", "3"):
        answers = [account.get("/v1/customers") for _ in range(9)]
        assert {answer.status_code for answer in answers} == {200, 429}
        assert answers[-1].json()["error"]["code"] == "rate_limit"
        assert answers[-1].headers["Stripe-Rate-Limited-Reason"] == "global-rate"
