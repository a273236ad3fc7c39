"""A tiny Stripe on loopback whose every byte a test decides, for shapes and faults that the sandbox does not make."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
DAY = 86_400


class StubStripe:
    """lists: path → objects as exact bytes, newest first; usage: (meter, customer) → {day start: number as text}.

    moments: (meter, customer) → {second: whole number}, what summaries of a range add up, in place of `usage`.
    answers: path → full (status, body) answers given instead, one per request, until they are used up.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.account = b'{"id": "acct_stub", "object": "account"}'
        self.now = NOW
        self.lists: dict[str, list[bytes]] = {}
        self.usage: dict[tuple[str, str], dict[int, str]] = {}
        self.moments: dict[tuple[str, str], dict[int, int]] = {}
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: list[str] = []
        self.ranges: list[tuple[int, int]] = []  # of the summaries asked for without windows

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of one GET."""
        if scripted := self.answers.get(path):
            return scripted.pop(0)
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
        found = self.lists.get(path, [])
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
        days = self.usage.get((meter, query["customer"]), {})
        return [
            f'{{"id": "mtrusg_{day}", "aggregated_value": {days[day]}, "start_time": {day}, '
            f'"end_time": {day + DAY}, "livemode": false}}'.encode()
            for day in sorted(days, reverse=True)
            if start <= day < end
        ]

    @staticmethod
    def _page(found: list[bytes], query: dict[str, str]) -> tuple[int, bytes]:
        limit, after = int(query.get("limit", "10")), query.get("starting_after")
        ids = [json.loads(payload).get("id") for payload in found]
        begin = ids.index(after) + 1 if after else 0
        more = b"true" if begin + limit < len(found) else b"false"
        data = b",\n ".join(found[begin : begin + limit])
        return 200, b'{"object": "list", "data": [' + data + b'], "has_more": ' + more + b"}"


@contextmanager
def serving() -> Iterator[StubStripe]:
    """A stub on a free loopback port, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        stub: ClassVar[StubStripe]

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            self.stub.asked.append(address.path)
            status, body = self.stub.answer(address.path, query)
            self.send_response_only(status)
            self.send_header("Date", self.stub.now.strftime("%a, %d %b %Y %H:%M:%S GMT"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
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
