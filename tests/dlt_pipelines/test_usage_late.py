"""Usage that arrives late between loads, all at random: in the end each day and each period has landed as it is."""

import json
import os
import random
from datetime import timedelta
from pathlib import Path

import pytest

from dlt_pipelines.config import Config
from tests.dlt_pipelines.metering import Metering, metering
from tests.dlt_pipelines.stripe_bytes import METER, TODAY, customer
from tests.dlt_pipelines.stub import DAY, StubStripe, serving
from tests.dlt_pipelines.test_periods import begun, invoice, minute, price, subscription

SEEDS = range(int(os.environ.get("METERWISE_SOAK_EXAMPLES", "1")))


def use(stub: StubStripe, at: int, amount: int) -> None:
    """Some usage at a second, in days as in moments."""
    moments = stub.moments.setdefault(("mtr_api", "cus_a"), {})
    moments[at] = moments.get(at, 0) + amount
    days: dict[int, int] = {}
    for second, used in moments.items():
        days[second - second % DAY] = days.get(second - second % DAY, 0) + used
    stub.usage["mtr_api", "cus_a"] = {day: str(used) for day, used in days.items()}


def between(stub: StubStripe, start: int, end: int) -> int:
    return sum(used for at, used in stub.moments["mtr_api", "cus_a"].items() if start <= at < end)


def pass_time(stub: StubStripe, chance: random.Random, hours: int, back: int) -> int:
    """Hour by hour: events of up to 35 days ago arrive, and a period that ends is billed; the period that runs then."""
    for _ in range(hours):
        stub.now += timedelta(hours=1)
        now = int(stub.now.timestamp())
        for _ in range(chance.randrange(3)):
            use(stub, now - chance.choice([0, DAY, 3 * DAY, chance.randrange(35 * DAY)]), chance.randrange(1, 9))
        if now >= begun(back - 1):
            billed = str(between(stub, begun(back), begun(back - 1)))
            stub.lists["/v1/invoices"].insert(0, invoice(back, billed))
            back -= 1
            stub.lists["/v1/subscriptions"] = [in_period(back)]
    return back


def in_period(back: int) -> bytes:
    """The subscription while that period runs."""
    body = json.loads(subscription())
    body["items"]["data"][0] |= {"current_period_start": begun(back), "current_period_end": begun(back - 1)}
    return json.dumps(body).encode()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_arrives_late_has_landed_once_the_whole_window_is_read(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance, no secret
    config = Config(usage_window_hours=chance.choice([24, 24 * 10, 24 * 20]), usage_recent_days=chance.choice([1, 3]))
    with serving() as stub, metering(stub, tmp_path) as account:
        stub.lists |= {
            "/v1/customers": [customer("a")],
            "/v1/billing/meters": [METER],
            "/v1/prices": [price()],
            "/v1/subscriptions": [subscription()],
            "/v1/invoices": [],
        }
        use(stub, TODAY - 9 * DAY, 1)
        back = 0
        for _ in range(chance.randrange(3, 7)):
            back = pass_time(stub, chance, chance.choice([5, 30, 24 * 6, 24 * 25]), back)
            account.run(config, killed_after=chance.choice([None, None, None, 1]))
        back = pass_time(stub, chance, config.usage_window_hours, back)
        account.run(config)

        check(account, back)


def check(account: Metering, running: int) -> None:
    """Each day and each period that began, landed as Stripe has it."""
    until = int(account.stub.now.timestamp()) // DAY * DAY
    latest = "arg_max(aggregated_value, first_seen_at)::bigint from raw_stripe"
    days = account.rows(f"select epoch(window_start)::bigint, {latest}.meter_usage_revisions group by 1")
    used = account.stub.usage["mtr_api", "cus_a"].items()
    assert dict(days) == {day: int(amount) for day, amount in used if day < until}
    periods = account.rows(
        f"select epoch(window_start)::bigint, epoch(window_end)::bigint, {latest}.meter_usage_period_revisions"
        " where grain <> 'shared_minute' group by 1, 2"
    )
    landed = {(start, end): amount for start, end, amount in periods}
    bounds = [(minute(begun(back)), minute(begun(back - 1))) for back in range(running, 1)]
    ended = [(start, min(end, until)) for start, end in bounds if start < until]
    assert {bound: landed[bound] for bound in ended} == {bound: between(account.stub, *bound) for bound in ended}
