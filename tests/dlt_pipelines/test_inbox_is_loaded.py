"""What only a webhook told is fetched by the next load; then the event is in the warehouse and waits no longer."""

from __future__ import annotations

import io
import json
from contextlib import closing
from pathlib import Path

from dlt_pipelines import inbox
from dlt_pipelines.inbox import Arrival, Inbox
from dlt_pipelines.load import load
from dlt_pipelines.progress import Progress
from dlt_pipelines.settings import Settings
from tests.dlt_pipelines.stripe_bytes import rows
from tests.dlt_pipelines.stub import StubStripe

CREATED = 1_790_000_000
EVENTS = "select count(*) from raw_stripe.events where id = 'evt_by_webhook'"
VERSIONS = "select payload from raw_stripe.customers where id = 'cus_1' order by loaded_at"


def customer(name: str) -> bytes:
    made = {"id": "cus_1", "object": "customer", "created": CREATED, "livemode": False, "name": name}
    return json.dumps(made).encode()


def told(body: bytes, created: int) -> bytes:
    made = {"id": "evt_by_webhook", "object": "event", "created": created, "livemode": False}
    return json.dumps(made | {"type": "customer.updated", "data": {"object": json.loads(body)}}, indent=2).encode()


def test_what_only_a_webhook_told_is_fetched_once(stub: StubStripe, tmp_path: Path) -> None:
    settings = Settings(tmp_path, stub.url, "rk_test_x")

    def run() -> None:
        load(settings, Progress(io.StringIO(), is_quiet=True))

    before, after = customer("before"), customer("after")
    stub.lists["/v1/customers"] = [before]
    run()
    stub.lists["/v1/customers"] = [after]  # and Stripe's list of events is silent about it
    stub.asked.clear()
    with closing(Inbox(settings.inbox)) as box:
        created = int(stub.now.timestamp())
        box.land([Arrival("evt_by_webhook", "customer.updated", created, False, None, told(after, created))])
    run()
    assert stub.asked.count("/v1/customers/cus_1") == 1
    assert rows(tmp_path, VERSIONS) == [(before.decode(),), (after.decode(),)]
    assert rows(tmp_path, EVENTS) == [(1,)]
    assert inbox.pending(settings) == []
