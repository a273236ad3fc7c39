"""A loopback Stripe with Stripe's idempotency rules and one scripted fault per write, by HTTP or in memory.

It counts what the runner must never cause: a second effect, a key used with other parameters, a write that no intent
stands for; and how many writes came in one second.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.actions.faults import FAULTS as FAULTS
from tests.actions.faults import KILLS, NOT_DONE
from tests.actions.stripe_objects import COLLECTIONS, VERB_NAMES, Body, Objects, Refusal, copied, unfold
from tests.actions.stripe_objects import CUSTOMER as CUSTOMER
from tests.actions.stripe_objects import SUBSCRIPTION as SUBSCRIPTION
from tests.actions.stripe_objects import item as item

ACCOUNT = "acct_test"
SERVER_NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
STALL_S = 0.5  # the tests that stall wait for less
KEPT_US = 24 * 3_600_000_000
PREVIEWS = ("/v1/invoices/create_preview", "/v1/credit_notes/preview")
ACTION_ID = re.compile(r"h1:[0-9a-f]{32}-[0-9a-f]{8}")
ERROR = {"error": {"type": "api_error", "message": "Something went wrong"}}


@dataclass
class Answer:
    """What goes back: manner `drop` is no answer, `stall` a late one, `truncate` a part, `kill` ends the client."""

    status: int
    body: Body
    manner: str = "whole"
    more: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        odd = {"garbage": b"<html>fine</html>", "empty": b""}
        return odd[self.manner] if self.manner in odd else json.dumps(self.body).encode()


@dataclass
class World:
    """The account behind the server. Tests read and change it between runs.

    done: effects by (action id, what and which step). keys_done: effects by key. tick: the time that Stripe keeps
    keys by, in microseconds. before_write: called with the key before a write is looked at. at_read: what happens
    just before the n-th read. victim: whom `kill` ends.
    """

    faults: list[str] = field(default_factory=list)
    get_faults: list[str] = field(default_factory=list)
    keys: dict[str, tuple[str, int, Body]] = field(default_factory=dict)
    kept_at_us: dict[str, int] = field(default_factory=dict)
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    keys_done: Counter[str] = field(default_factory=Counter)
    per_second: Counter[int] = field(default_factory=Counter)
    requests: list[str] = field(default_factory=list)
    idempotency_errors: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    account: str = ACCOUNT
    livemode: bool = False
    now: datetime = SERVER_NOW
    tick: Callable[[], int] = time.time_ns
    before_write: Callable[[str], None] | None = None
    at_read: tuple[int, Callable[[], None]] | None = None
    victim: int = 0

    def __post_init__(self) -> None:
        self.objects = Objects(self.livemode, lambda: int(self.now.timestamp()))

    def reset(self, *faults: str) -> None:
        """As it began, with these faults before it."""
        kept = ("lock", "tick", "before_write", "objects")
        vars(self).update({name: value for name, value in vars(World()).items() if name not in kept})
        self.objects = Objects(self.livemode, lambda: int(self.now.timestamp()))
        self.faults = list(faults)

    def object(self, path: str) -> Body:
        found = self.objects.at(path)
        assert found is not None, path
        return found

    @property
    def customer(self) -> Body:
        return self.object(f"/v1/customers/{CUSTOMER}")

    @property
    def subscription(self) -> Body:
        return self.object(f"/v1/subscriptions/{SUBSCRIPTION}")

    @property
    def balance(self) -> list[Body]:
        return self.objects.listed(f"/v1/customers/{CUSTOMER}/balance_transactions", {})

    @property
    def effects(self) -> Counter[str]:
        """How many effects each action had, over all its steps."""
        counted: Counter[str] = Counter()
        for (action, _), count in self.done.items():
            counted[action] += count
        return counted

    @property
    def writes(self) -> int:
        return sum(not line.startswith("GET ") and line[5:] not in PREVIEWS for line in self.requests)

    def handle(self, method: str, target: str, form: str, key: str) -> Answer:
        """One request, start to end, one at a time."""
        url = urlsplit(target)
        with self.lock:
            self.requests.append(f"{method} {url.path}")
            if method == "GET":
                if self.at_read and self.at_read[0] == sum(line.startswith("GET") for line in self.requests):
                    self.at_read[1]()
                return self._get(url.path, unfold(parse_qsl(url.query)))
            if url.path in PREVIEWS:
                return self._preview({})
            self.per_second[self.tick() // 1_000_000] += 1
            if self.before_write:
                self.before_write(key)
            return self._post(url.path, form, key)

    def _get(self, path: str, query: Body) -> Answer:
        fault = self.get_faults.pop(0) if self.get_faults else ""
        if fault:
            return Answer(500, ERROR, FAULTS[fault][2]) if fault in FAULTS else Answer(int(fault), ERROR)
        if path == "/v1/account":
            return Answer(200, {"id": self.account, "object": "account"})
        if path in PREVIEWS:
            return self._preview(query)
        found = self.objects.at(path)
        if found is not None:
            return Answer(200, copied(found))
        if path.rpartition("/")[2] not in COLLECTIONS:
            return Answer(404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}})
        rows = self.objects.listed(path, query)
        ids = [row["id"] for row in rows]
        begin = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
        page = rows[begin : begin + int(query.get("limit", 10))]
        return Answer(200, copied({"object": "list", "data": page, "has_more": begin + len(page) < len(rows)}))

    def _preview(self, given: Body) -> Answer:
        amount = int(given.get("amount", 4200))
        body: Body = {"object": "preview", "total": amount, "amount": amount, "amount_due": amount, "subtotal": amount}
        lines = {"object": "list", "has_more": False, "data": []}
        invoice = self.objects.at(f"/v1/invoices/{given['invoice']}") if "invoice" in given else None
        currency = invoice["currency"] if invoice else "usd"
        return Answer(200, body | {"currency": currency, "livemode": self.livemode, "lines": lines})

    def _post(self, path: str, form: str, key: str) -> Answer:
        sent = f"{path} {form}"
        if self.tick() - self.kept_at_us.get(key, self.tick()) >= KEPT_US:
            del self.keys[key], self.kept_at_us[key]
        if key in self.keys:
            first, status, body = self.keys[key]
            if first == sent:
                return Answer(status, body, more={"Idempotent-Replayed": "true"})
            self.idempotency_errors += 1
            return Answer(400, {"error": {"type": "idempotency_error", "message": "other parameters"}})
        fault = self.faults.pop(0) if self.faults else ""
        if fault in NOT_DONE:
            said = {"type": "invalid_request_error", "code": NOT_DONE[fault], "message": "said by Ada Lovelace"}
            answer, is_kept = Answer(int(fault), {"error": said}), fault == "402"
        else:
            is_done, is_kept, manner = (FAULTS | KILLS).get(fault, (True, True, "whole"))
            answer, is_kept = self._carry_out(path, form, key) if is_done else (Answer(500, ERROR), is_kept)
            answer.manner = manner
            if manner.isdigit():
                answer = Answer(int(manner), ERROR, more={"Retry-After": "2"} if manner[0] == "4" else {})
        if is_kept:
            status, body = (500, ERROR) if answer.status >= 500 else (answer.status, answer.body)
            self.keys[key], self.kept_at_us[key] = (sent, status, body), self.tick()
        return answer

    def _carry_out(self, path: str, form: str, key: str) -> tuple[Answer, bool]:
        given = unfold(parse_qsl(form, keep_blank_values=True))
        tagged = [given, self.objects.touched(path) or {}]
        actions = [
            found["metadata"]["meterwise_action"]
            for found in tagged
            if "meterwise_action" in (found.get("metadata") or {})
        ]
        actions += [found[0] for text in given.values() if isinstance(text, str) and (found := ACTION_ID.findall(text))]
        try:
            body = copied(self.objects.post(path, given))
        except Refusal as refusal:  # parameters are judged before anything begins, so the key stays free
            return Answer(refusal.status, {"error": {"type": "invalid_request_error", "code": refusal.code}}), False
        step = (given.get("metadata") or {}).get("meterwise_step", "")
        what = "/".join(part for part in path.split("/") if part in COLLECTIONS or part in VERB_NAMES)
        self.done[(actions[0] if actions else "", f"{what}#{step}")] += 1
        self.keys_done[key] += 1
        return Answer(200, body), True


@contextlib.contextmanager
def serving(world: World) -> Iterator[str]:
    """Serves `world` on a free loopback port; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            """Silent: the requests are in world.requests."""

        def do_GET(self) -> None:
            self.answer(world.handle("GET", self.path, "", ""))

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self.answer(world.handle("POST", self.path, form, self.headers["Idempotency-Key"] or ""))

        def answer(self, answer: Answer) -> None:
            if answer.manner == "stall":
                time.sleep(STALL_S)
            if answer.manner == "kill":
                while world.victim <= 0:  # 0 would be everybody in this process's group
                    time.sleep(0.001)
                os.kill(world.victim, signal.SIGKILL)
            if answer.manner in ("drop", "stall", "kill"):
                self.close_connection = True
                self.connection.close()
                return
            content = answer.content
            head = response_headers(world) | {"Content-Length": str(len(content))} | answer.more
            lines = [f"HTTP/1.1 {answer.status} x", *(f"{name}: {value}" for name, value in head.items()), "", ""]
            missing = 10 if answer.manner == "truncate" else 0
            # One write: two would wait for each other's acknowledgement, 40 ms a call.
            self.wfile.write("\r\n".join(lines).encode() + content[: len(content) - missing])
            self.wfile.flush()
            self.close_connection = self.close_connection or bool(missing)

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


def response_headers(world: World) -> dict[str, str]:
    """The response headers that the runner reads."""
    return {
        "Date": format_datetime(world.now, usegmt=True),
        "Request-Id": f"req_{len(world.requests)}",
        "Content-Type": "application/json",
    }
