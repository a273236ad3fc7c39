"""A loopback Stripe with four resources, Stripe's idempotency rules, and one scripted fault per write.

It counts what the runner must never cause: a second effect, and a key used with other parameters.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ACCOUNT, CUSTOMER, SUBSCRIPTION = "acct_test", "cus_1", "sub_1"
SERVER_NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
STALL_S = 0.5  # the tests that stall wait for less

# What a fault does: (is the write carried out, is the answer kept under its key, what the client gets).
FAULTS: dict[str, tuple[bool, bool, str]] = {
    "drop before": (False, False, "drop"),
    "drop after": (True, True, "drop"),
    "stall": (True, True, "stall"),
    "truncated body": (True, True, "truncate"),
    "not JSON": (True, True, "garbage"),
    "500 before, not kept": (False, False, "500"),
    "500 before, kept": (False, True, "500"),
    "500 after, kept": (True, True, "500"),
    "429": (False, False, "429"),
    "409": (False, False, "409"),
}
NOT_DONE = {"402": "card_declined", "404": "resource_missing", "400": "parameter_invalid", "403": "", "401": ""}


@dataclass
class World:
    """The account behind the server. Tests read and change it between runs."""

    faults: list[str] = field(default_factory=list)
    get_faults: list[str] = field(default_factory=list)
    keys: dict[str, tuple[str, int, dict[str, Any]]] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    requests: list[str] = field(default_factory=list)
    idempotency_errors: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    account: str = ACCOUNT
    livemode: bool = False
    now: datetime = SERVER_NOW
    balance: list[dict[str, Any]] = field(default_factory=list)
    customer: dict[str, Any] = field(default_factory=dict)
    subscription: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.customer |= {"id": CUSTOMER, "object": "customer", "currency": "usd", "livemode": self.livemode}
        self.subscription |= {
            "id": SUBSCRIPTION, "object": "subscription", "customer": CUSTOMER, "status": "active", "currency": "usd",
            "livemode": self.livemode, "discounts": [], "schedule": None, "metadata": {},
            "items": {"has_more": False, "data": [item("si_1", "price_1", 3), item("si_2", "price_2", None)]},
        }  # fmt: skip

    def reset(self, *faults: str) -> None:
        """As it began, with these faults before it."""
        vars(self).update({name: value for name, value in vars(World()).items() if name != "lock"})
        self.faults = list(faults)

    @property
    def writes(self) -> int:
        return sum(not line.startswith("GET ") for line in self.requests)

    def write(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        """Carries a write out."""
        tags = {key[9:-1]: value for key, value in form.items() if key.startswith("metadata[")}
        self.effects[tags["meterwise_action"]] += 1
        if path.endswith("/balance_transactions"):
            made: dict[str, Any] = {
                "id": f"cbtxn_{len(self.balance)}",
                "object": "customer_balance_transaction",
                "metadata": tags,
            }
            made |= {"amount": int(form["amount"]), "currency": form["currency"]}
            self.balance.insert(0, made)
            return made
        for number in range(2):
            if f"items[{number}][id]" in form:
                found = next(i for i in self.subscription["items"]["data"] if i["id"] == form[f"items[{number}][id]"])
                found["price"] = {"id": form[f"items[{number}][price]"]}
                found["quantity"] = (
                    int(form[f"items[{number}][quantity]"]) if f"items[{number}][quantity]" in form else None
                )
        if "discounts[0][coupon]" in form:
            self.subscription["discounts"] = ["di_1"]
        self.subscription["metadata"] = self.subscription["metadata"] | tags
        return dict(self.subscription)

    def read(self, path: str) -> dict[str, Any] | None:
        if path == "/v1/account":
            return {"id": self.account, "object": "account"}
        if path == f"/v1/customers/{CUSTOMER}":
            return self.customer
        if path == f"/v1/subscriptions/{SUBSCRIPTION}":
            return self.subscription
        if path == f"/v1/customers/{CUSTOMER}/balance_transactions":
            return {"object": "list", "has_more": False, "data": self.balance}
        return None


def item(name: str, price: str, quantity: int | None) -> dict[str, Any]:
    return {"id": name, "object": "subscription_item", "price": {"id": price}, "quantity": quantity}


@contextlib.contextmanager
def serving(world: World) -> Iterator[str]:
    """Serves `world` on a free loopback port; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            """Silent: the requests are in world.requests."""

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            world.requests.append(f"GET {path}")
            fault = world.get_faults.pop(0) if world.get_faults else ""
            if fault:
                self.wreck(fault, {})
                return
            found = world.read(path)
            if found is None:
                self.answer(404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}})
            else:
                self.answer(200, found)

        def do_POST(self) -> None:
            path = urlsplit(self.path).path
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            key = self.headers["Idempotency-Key"]
            with world.lock:
                world.requests.append(f"POST {path}")
                if key in world.keys:
                    self.replay(key, raw)
                    return
                fault = world.faults.pop(0) if world.faults else ""
                if fault in NOT_DONE:
                    error = {
                        "type": "invalid_request_error",
                        "code": NOT_DONE[fault],
                        "message": "said by Ada Lovelace",
                    }
                    self.answer(int(fault), {"error": error})
                    return
                is_done, is_kept, effect = FAULTS.get(fault, (True, True, "none"))
                body = world.write(path, dict(parse_qsl(raw))) if is_done else {}
                status = 200
                if effect == "500":
                    status, body = 500, {"error": {"type": "api_error", "message": "Something went wrong"}}
                if is_kept:
                    world.keys[key] = (raw, status, json.loads(json.dumps(body)))
            self.wreck(effect, body)

        def replay(self, key: str, raw: str) -> None:
            sent, status, body = world.keys[key]
            if sent != raw:
                world.idempotency_errors += 1
                self.answer(400, {"error": {"type": "idempotency_error", "message": "other parameters"}})
            else:
                self.answer(status, body, {"Idempotent-Replayed": "true"})

        def wreck(self, effect: str, body: dict[str, Any]) -> None:
            if effect == "stall":
                time.sleep(STALL_S)
            if effect in ("drop", "stall"):
                self.close_connection = True
                self.connection.close()
            elif effect == "truncate":
                self.answer(200, body, missing=10)
            elif effect == "garbage":
                self.answer(200, body, garbage=True)
            elif effect in ("409", "429"):
                self.answer(int(effect), {"error": {"type": "invalid_request_error"}}, {"Retry-After": "2"})
            elif effect == "500":
                self.answer(500, body or {"error": {"type": "api_error"}})
            else:
                self.answer(200, body)

        def answer(
            self,
            status: int,
            body: dict[str, Any],
            more: dict[str, str] | None = None,
            missing: int = 0,
            garbage: bool = False,
        ) -> None:
            content = b"<html>fine</html>" if garbage else json.dumps(body).encode()
            head = {"Date": format_datetime(world.now, usegmt=True), "Request-Id": f"req_{len(world.requests)}"}
            head |= {"Content-Length": str(len(content)), "Content-Type": "application/json"} | (more or {})
            lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in head.items()), "", ""]
            # One write: two would wait for each other's acknowledgement, 40 ms a call.
            self.wfile.write("\r\n".join(lines).encode() + content[: len(content) - missing])
            self.wfile.flush()
            if missing:
                self.close_connection = True

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: Any) -> None:
            """A client that was killed leaves a broken connection behind; that is the point."""

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
