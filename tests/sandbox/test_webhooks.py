import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe

from sandbox.faults import Faults
from sandbox.store import Store
from sandbox.webhooks import Courier

from .conftest import Sandbox

PATH = "/v1/webhook_endpoints"


class Receiver:
    """An endpoint on loopback: `answers` are the statuses it gives first (then 200), `seen` what came."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.seen: list[tuple[bytes, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((body, self.headers["Stripe-Signature"]))
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?a=b"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count: int) -> list[dict[str, Any]]:
        """The events received once there are `count`; fails the test after ten seconds."""
        deadline = time.monotonic() + 10
        while len(self.seen) < count:
            assert time.monotonic() < deadline, f"{len(self.seen)} of {count} came"
            time.sleep(0.01)
        return [json.loads(body) for body, _ in self.seen]


@pytest.fixture
def receiver(account: Sandbox) -> Iterator[Receiver]:
    made = Receiver()
    yield made
    for endpoint in account.get(PATH, limit=100).json()["data"]:
        account.delete(f"{PATH}/{endpoint['id']}")
    made.server.shutdown()
    made.server.server_close()


def listen(account: Sandbox, receiver: Receiver, *events: str) -> stripe.WebhookEndpoint:
    params: Any = {"url": receiver.url, "enabled_events": list(events or ["customer.created", "customer.updated"])}
    return account.stripe.v1.webhook_endpoints.create(params)


def customer(account: Sandbox, name: str) -> str:
    return account.stripe.v1.customers.create({"name": name}).id


def test_the_sdk_verifies_what_is_delivered(account: Sandbox, receiver: Receiver) -> None:
    secret = listen(account, receiver).secret
    assert secret is not None
    who = customer(account, "Signed")
    receiver.wait(1)
    body, signature = receiver.seen[0]
    event = stripe.Webhook.construct_event(body, signature, secret)
    assert (event.type, event.data.object["id"]) == ("customer.created", who)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_other")


def test_an_event_counts_the_deliveries_still_to_come(account: Sandbox, receiver: Receiver) -> None:
    listen(account, receiver)
    customer(account, "Counted")
    event = receiver.wait(1)[0]
    assert event["pending_webhooks"] == 1
    deadline = time.monotonic() + 5
    while account.get(f"/v1/events/{event['id']}").json()["pending_webhooks"]:
        assert time.monotonic() < deadline


def test_the_secret_is_shown_once_and_only_wanted_events_come(account: Sandbox, receiver: Receiver) -> None:
    made = listen(account, receiver, "invoice.paid", "customer.updated")
    v1 = account.stripe.v1
    assert "secret" not in v1.webhook_endpoints.retrieve(made.id)
    assert "secret" not in v1.webhook_endpoints.update(made.id, {"description": "mine", "metadata": {"a": "b"}})
    v1.customers.update(customer(account, "First"), {"name": "Second"})
    assert [event["type"] for event in receiver.wait(1)] == ["customer.updated"]


def test_a_disabled_or_deleted_endpoint_hears_nothing(account: Sandbox, receiver: Receiver) -> None:
    off, gone, on = (listen(account, receiver).id for _ in range(3))
    assert account.stripe.v1.webhook_endpoints.update(off, {"disabled": True}).status == "disabled"
    assert account.stripe.v1.webhook_endpoints.delete(gone).deleted
    customer(account, "Heard once")
    time.sleep(0.2)
    assert (len(receiver.wait(1)), on[:3]) == (1, "we_")


def test_a_refused_delivery_is_tried_again_with_a_new_signature(account: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [500]
    listen(account, receiver)
    customer(account, "Tried twice")
    first, second = receiver.wait(2)
    assert first["id"] == second["id"]


def test_a_delivery_is_given_up_after_three_tries_which_an_advancing_clock_brings_on(
    account: Sandbox, receiver: Receiver
) -> None:
    receiver.answers = [500, 302, 500]
    listen(account, receiver)
    customer(account, "Given up")
    for tries in (1, 2, 3):
        receiver.wait(tries)
        account.advance(hours=3)
    time.sleep(0.2)
    assert len(receiver.seen) == 3


def test_an_event_can_come_twice(account: Sandbox, receiver: Receiver) -> None:
    listen(account, receiver)
    account.fault("customer.created", "webhook_duplicate")
    customer(account, "Twice")
    first, second = receiver.wait(2)
    assert first["id"] == second["id"]


def test_events_can_come_out_of_order(account: Sandbox, receiver: Receiver) -> None:
    listen(account, receiver)
    account.fault("customer.created", "webhook_reorder")
    who = customer(account, "Late")
    account.stripe.v1.customers.update(who, {"name": "Later"})
    assert [event["type"] for event in receiver.wait(2)] == ["customer.updated", "customer.created"]


def test_other_machines_are_not_called(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for host in ("example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com"):
        endpoint = {"id": "we_1", "url": f"http://{host}/hook"}
        assert not asyncio.run(Courier(store, Faults()).post(endpoint, {}))
        assert f"{host}/hook is not on this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"url": "no scheme"}, "url"),
        ({"url": "http://x/\r\nHost: y"}, "url"),
        ({"enabled_events": ""}, "enabled_events"),
        ({"enabled_events[]": "nonsense.created"}, "enabled_events[0]"),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(account: Sandbox, change: dict[str, str], param: str) -> None:
    answer = account.post(PATH, {"url": "http://localhost:9", "enabled_events[]": "*"} | change)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
