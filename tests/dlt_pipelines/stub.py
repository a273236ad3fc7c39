"""A tiny Stripe on loopback whose every byte a test decides, for shapes and faults that the sandbox does not make."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
DAY = 86_400


class StubStripe:
    """lists: path → objects as exact bytes, newest first; usage: (meter, customer) → {day start: number as text}.

    hours: the same by hour, for summaries by the hour.
    moments: (meter, customer) → {second: whole number}, what summaries of a range add up, in place of `usage`.
    answers: path → full (status, body) answers given instead, one per request, until they are used up.
    drops, cuts: path → how many connections end without an answer, how many answers break off in the middle.
    dates: what the next answers' Date says, in place of `now`. delay: seconds before each answer.
    forbidden: path → the permission that a 403 for it names.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.account = b'{"id": "acct_stub", "object": "account"}'
        self.now = NOW
        self.lists: dict[str, list[bytes]] = {}
        self.usage: dict[tuple[str, str], dict[int, str]] = {}
        self.hours: dict[tuple[str, str], dict[int, str]] = {}
        self.moments: dict[tuple[str, str], dict[int, int]] = {}
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.drops: dict[str, int] = {}
        self.cuts: dict[str, int] = {}
        self.dates: list[datetime] = []
        self.forbidden: dict[str, str] = {}
        self.connections = 0
        self.delay = 0.0
        self.asked: list[str] = []
        self.ranges: list[tuple[int, int]] = []  # of the summaries asked for without windows
        self.grouped: list[tuple[str, int, int]] = []  # of those by day or hour: which, from, to

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of one GET."""
        if scripted := self.answers.get(path):
            return scripted.pop(0)
        if permission := self.forbidden.get(path):
            said = f"The provided key does not have the required permissions. Having the 'rak_{permission}' permission"
            return 403, json.dumps({"error": {"type": "invalid_request_error", "message": said}}).encode()
        if path == "/v1/account":
            return 200, self.account
        if path.endswith("/event_summaries"):
            return self._page(self._windows(path.split("/")[-2], query), query)
        parent, _, last = path.rpartition("/")
        for payload in self.lists.get(parent, []):
            if json.loads(payload)["id"] == last:
                return 200, payload
        if "_" in last and parent in {"/v1/customers", "/v1/invoices", "/v1/products"}:
            return 404, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}'
        found = [payload for payload in self.lists.get(path, []) if _is_within(payload, query)]
        if path == "/v1/subscription_items":
            found = self.lists.get(f"{path}?subscription={query['subscription']}", [])
        return self._page(found, query)

    def _windows(self, meter: str, query: dict[str, str]) -> list[bytes]:
        start, end = int(query["start_time"]), int(query["end_time"])
        if "value_grouping_window" not in query:
            assert start % 60 == end % 60 == 0, "Stripe answers 400 to broken minutes"
            self.ranges.append((start, end))
            used = [each for at, each in self.moments.get((meter, query["customer"]), {}).items() if start <= at < end]
            summary = f'"aggregated_value": {sum(used)}.0, "start_time": {start}, "end_time": {end}, "livemode": false'
            return [f'{{"id": "mtrusg_{start}", {summary}}}'.encode()] if used else []
        grain = query["value_grouping_window"]
        width, known = (DAY, self.usage) if grain == "day" else (3600, self.hours)
        assert start % width == end % width == 0, "Stripe answers 400 to broken windows"
        self.grouped.append((grain, start, end))
        used_in = known.get((meter, query["customer"]), {})
        return [
            f'{{"id": "mtrusg_{at}", "aggregated_value": {used_in[at]}, "start_time": {at}, '
            f'"end_time": {at + width}, "livemode": false}}'.encode()
            for at in sorted(used_in, reverse=True)
            if start <= at < end
        ]

    @staticmethod
    def _page(found: list[bytes], query: dict[str, str]) -> tuple[int, bytes]:
        limit, after = int(query.get("limit", "10")), query.get("starting_after")
        ids = [json.loads(payload).get("id") for payload in found]
        if after and after not in ids:
            gone = b'"code": "resource_missing", "param": "starting_after", "message": "No such object"'
            return 400, b'{"error": {"type": "invalid_request_error", ' + gone + b"}}"
        begin = ids.index(after) + 1 if after else 0
        more = b"true" if begin + limit < len(found) else b"false"
        data = b",\n ".join(found[begin : begin + limit])
        return 200, b'{"object": "list", "data": [' + data + b'], "has_more": ' + more + b"}"


def _is_within(payload: bytes, query: dict[str, str]) -> bool:
    """Whether `created` is in the range that the query asks for."""
    created = json.loads(payload).get("created", 0)
    since, before = int(query.get("created[gte]", 0)), int(query.get("created[lt]", 2**62))
    return bool(since <= created < before)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does; fails after ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited ten seconds in vain"
        time.sleep(0.001)


@contextmanager
def serving() -> Iterator[StubStripe]:
    """A stub on a free loopback port, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        stub: ClassVar[StubStripe]

        def setup(self) -> None:
            super().setup()
            self.stub.connections += 1

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            self.stub.asked.append(address.path)
            time.sleep(self.stub.delay)
            if self.stub.drops.get(address.path, 0) > 0:
                self.stub.drops[address.path] -= 1
                self.close_connection = True
                return
            status, body = self.stub.answer(address.path, query)
            is_small = "gzip" in self.headers.get("Accept-Encoding", "")
            body = gzip.compress(body) if is_small else body
            self.send_response_only(status)
            if is_small:
                self.send_header("Content-Encoding", "gzip")
            now = self.stub.dates.pop(0) if self.stub.dates else self.stub.now
            self.send_header("Date", now.strftime("%a, %d %b %Y %H:%M:%S GMT"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status == 200 and self.stub.cuts.get(address.path, 0) > 0:
                self.stub.cuts[address.path] -= 1
                self.close_connection = True
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the tests read `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.stub = StubStripe(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Handler.stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
