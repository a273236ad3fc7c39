"""The rate that all workers share, and how long a refused request waits."""

import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from dlt_pipelines.budget import Budget, budget_for, patience_for
from dlt_pipelines.errors import Stopped
from tests.dlt_pipelines.stub import until


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


def test_a_pause_of_one_endpoint_holds_back_no_other() -> None:
    budget, watch = paced(rate=None)
    budget.pause(3.0, "/v1/invoices")

    budget.wait("/v1/customers")
    assert watch.now == 0.0
    budget.wait("/v1/invoices")
    assert watch.now == pytest.approx(3.0)


def test_a_queue_at_one_endpoint_holds_back_nobody_else() -> None:
    budget = Budget(rate=100.0, endpoint_rate=1.0)

    def work() -> None:
        with suppress(Stopped):
            budget.wait("/v1/invoices")

    start = time.monotonic()
    queue = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for worker in queue:
        worker.start()
    until(lambda: budget._free_at.get("/v1/invoices", 0.0) >= start + 8)  # all have their turn, the last in 7 s
    budget.wait("/v1/customers")
    waited = time.monotonic() - start
    budget.stop()
    for worker in queue:
        worker.join(timeout=10)

    assert waited < 5


@pytest.mark.parametrize(("is_live", "share", "rate"), [(True, 0.8, 80), (False, 0.8, 20), (True, 0.5, 50)])
def test_the_budget_is_a_share_of_stripes_limits(is_live: bool, share: float, rate: int) -> None:
    watch = Watch()
    budget = budget_for(is_live, is_local=False, share=share)
    budget._clock, budget._sleep = (lambda: watch.now), watch.sleep

    for number in range(rate + 1):
        budget.wait(f"/v1/{number}")

    assert watch.now == pytest.approx(1.0)


def test_a_moment_taken_before_a_pause_moves_behind_it() -> None:
    now = [0.0]
    budget: Budget

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if now[0] == pytest.approx(0.1):  # somebody meets a 429 while this one waits for its turn
            budget.pause(5.0)

    budget = Budget(rate=10.0, clock=lambda: now[0], sleep=sleep)
    budget.wait("/v1/invoices")
    budget.wait("/v1/invoices")

    assert now[0] >= 5.1


def test_those_whom_a_pause_held_back_do_not_rush_at_one_endpoint_afterwards() -> None:
    budget = Budget(rate=400.0, endpoint_rate=40.0)
    starts: list[float] = []

    def work() -> None:
        budget.wait("/v1/invoices")
        starts.append(time.monotonic())

    workers = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    budget.wait("/v1/invoices")
    for worker in workers[:4]:  # they have their moments when the pause begins, and the others ask meanwhile
        worker.start()
    until(lambda: budget._free_at["/v1/invoices"] >= budget._free_at[""] + 0.05)
    budget.pause(0.3)
    for worker in workers[4:]:
        worker.start()
    for worker in workers:
        worker.join(timeout=10)

    assert len(starts) == 8
    assert max(starts) - min(starts) >= 7 / 40 - 0.02


def test_a_stopped_load_wakes_those_who_wait() -> None:
    budget = Budget(rate=None)
    budget.pause(60.0)
    raised = []

    def work() -> None:
        try:
            budget.wait("/v1/invoices")
        except Stopped as stopped:
            raised.append(stopped)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    budget.stop()
    worker.join(timeout=10)

    assert len(raised) == 1


def test_a_refused_request_waits_about_two_minutes_for_stripe_and_seconds_for_a_local_server() -> None:
    waits = list(patience_for(is_local=False).waits())
    assert 75 <= sum(waits) <= 160
    assert max(waits) <= 30
    assert all(2**number / 4 <= wait <= 2**number / 2 for number, wait in enumerate(waits[:6]))

    assert 2 <= sum(patience_for(is_local=True).waits()) <= 6
