"""The clock of a load is Stripe's, and one wrong Date does not move it."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dlt_pipelines.client import Reader
from dlt_pipelines.clock import ServerClock
from dlt_pipelines.errors import AccessDenied, BadResponse
from dlt_pipelines.rows import Tally
from tests.dlt_pipelines.stripe_bytes import settings_for
from tests.dlt_pipelines.stub import NOW, StubStripe

TODAY = NOW.replace(tzinfo=None)
HOUR, YEAR = timedelta(hours=1), timedelta(days=365)


@pytest.mark.parametrize(
    ("dates", "asks", "noted"),
    [
        ([], 2, {}),
        ([NOW + YEAR], 3, {"skewed_clock": 1}),
        ([NOW - YEAR], 3, {"skewed_clock": 1}),
        ([NOW, NOW + YEAR], 4, {"skewed_clock": 2}),
        ([NOW, NOW + timedelta(minutes=2)], 2, {}),
    ],
)
def test_a_load_begins_when_two_answers_in_a_row_agree(
    stub: StubStripe, tmp_path: Path, dates: list[datetime], asks: int, noted: dict[str, int]
) -> None:
    stub.dates = list(dates)
    reader, tally = Reader(settings_for(stub, tmp_path)), Tally()

    assert reader.agree_clock(tally) == stub.account
    assert TODAY <= reader.server_now <= TODAY + timedelta(minutes=2)
    assert (tally.requests, tally.problems) == (asks, noted)


def test_a_clock_that_never_agrees_names_both_and_loads_nothing(stub: StubStripe, tmp_path: Path) -> None:
    stub.dates = [NOW, NOW + YEAR] * 3

    with pytest.raises(BadResponse, match="2026-11-01T06:00:00Z, then 2027-11-01T06:00:00Z"):
        Reader(settings_for(stub, tmp_path)).agree_clock(Tally())

    assert len(stub.asked) == 4


def test_a_later_answer_far_ahead_is_not_believed(stub: StubStripe, tmp_path: Path) -> None:
    reader, tally = Reader(settings_for(stub, tmp_path)), Tally()
    reader.agree_clock(tally)
    stub.dates = [NOW + YEAR, NOW + HOUR / 2, NOW - YEAR, NOW]
    clocks = []
    for _ in range(4):
        list(reader.pages("/v1/customers", {}, tally))
        clocks.append(reader.server_now)

    assert clocks == [TODAY, TODAY + HOUR / 2, TODAY + HOUR / 2, TODAY + HOUR / 2]
    assert tally.problems == {"skewed_clock": 1}
    assert tally.examples == {"skewed_clock": "/v1/customers"}


def test_a_long_load_believes_the_time_that_has_passed() -> None:
    passed = [0.0]
    clock = ServerClock(monotonic=lambda: passed[0])
    clock.agree(lambda: "Sun, 01 Nov 2026 06:00:00 GMT")

    assert not clock.note("Sun, 01 Nov 2026 09:30:00 GMT")
    passed[0] = 3 * 3600.0
    assert clock.note("Sun, 01 Nov 2026 09:30:00 GMT")
    assert clock.now == TODAY + 3.5 * HOUR
    assert clock.note("Sun, 01 Nov 2026 06:00:00 GMT")  # a sandbox's clock may stand still
    assert clock.now == TODAY + 3.5 * HOUR


def test_an_answer_without_a_date_is_refused() -> None:
    with pytest.raises(BadResponse, match="no Date header"):
        ServerClock().note("yesterday")


def test_an_account_that_is_not_there_is_refused(stub: StubStripe, tmp_path: Path) -> None:
    stub.answers["/v1/account"] = [(404, b'{"error": {"code": "resource_missing"}}')]

    with pytest.raises(AccessDenied, match="unknown whose data"):
        Reader(settings_for(stub, tmp_path)).agree_clock(Tally())
