"""A static Stripe on loopback, fast enough not to be what a benchmark measures. Run as a module; it prints its URL.

Its objects are rendered by the sandbox and kept in objects/; object i differs from the next in its digits only, so a
page is a handful of joins. Object i was created at EPOCH + 100 * i, which spreads a million over three years.
"""

import argparse
import asyncio
import json
import re
import signal
import sys
import time
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qsl, unquote

OBJECTS = Path(__file__).parent / "objects"
NUMBER = "424242"  # stands in objects/ wherever the number of the object belongs
MOST = 10 ** len(NUMBER)
EPOCH, APART = 1_700_000_000, 100  # unix seconds: of object 0, and between an object and the next
NOW = EPOCH + APART * MOST  # the server's clock when it starts: no object is of the future
LINES = 25
_BOUND = re.compile(r"created\[(gte|gt|lte|lt)\]")


class Kind:
    """One kind of object, `count` of it: text in, pages out."""

    def __init__(self, path: str, text: str, count: int) -> None:
        if not 0 <= count <= MOST:
            raise SystemExit(f"{count} objects of {path} asked for; there are numbers for 0 to {MOST}")
        self.path, self.count = path, count
        lines = text.rstrip("\n").split("\n")
        self._alone = text.rstrip("\n").encode().split(NUMBER.encode())
        self._listed = ("\n    ".join(lines)).encode().split(NUMBER.encode())  # indented as Stripe indents it
        self._prefix = json.loads(text)["id"].removesuffix(NUMBER)

    def find(self, object_id: str) -> int | None:
        """The number of the object with this id; None if there is none."""
        digits = object_id.removeprefix(self._prefix)
        is_one = len(digits) == len(NUMBER) and digits.isdecimal() and object_id != digits
        return int(digits) if is_one and int(digits) < self.count else None

    def one(self, number: int) -> bytes:
        """One object as its own answer."""
        return (b"%06d" % number).join(self._alone)

    def page(self, query: dict[str, str]) -> bytes:
        """One page of the list, newest first. Raises ValueError for a parameter that would need more than this."""
        low, high = 0, self.count
        for name, value in query.items():
            if bound := _BOUND.fullmatch(name):
                # the first object at or after this second
                first = -(-(int(value) + (bound[1] in {"gt", "lte"}) - EPOCH) // APART)
                if bound[1].startswith("g"):
                    low = max(low, first)
                else:
                    high = min(high, first)
            elif name == "starting_after":
                after = self.find(value)
                if after is None:
                    raise ValueError(f"No such object: {value}")
                high = min(high, after)
            elif name not in {"limit", "status"} and not name.startswith("expand"):
                raise ValueError(f"this benchmark's server does not know the parameter {name}")
        end = max(low, high - int(query.get("limit", 10)))
        objects = b",\n    ".join([(b"%06d" % number).join(self._listed) for number in range(high - 1, end - 1, -1)])
        return _list(objects and b"\n    " + objects + b"\n  ", self.path, has_more=low < end < high)


def _list(objects: bytes, path: str, has_more: bool) -> bytes:
    more = b"true" if has_more else b"false"
    return b'{\n  "object": "list",\n  "data": [%b],\n  "has_more": %b,\n  "url": "%b"\n}' % (
        objects,
        more,
        path.encode(),
    )


def kinds(customers: int, invoices: int) -> dict[str, Kind]:
    """The kinds that are not empty, by path; an invoice embeds all of its 25 lines."""
    customer = (OBJECTS / "customer.json").read_text()
    invoice = (OBJECTS / "invoice.json").read_text()
    begin = invoice.index("      {\n")  # the one line that is kept stands for all
    end = invoice.index("\n      }\n") + len("\n      }")
    several = ",\n".join(invoice[begin:end].replace("LL", f"{line:02d}") for line in range(LINES))
    invoice = invoice[:begin] + several + invoice[end:]
    made = (Kind("/v1/customers", customer, customers), Kind("/v1/invoices", invoice, invoices))
    return {kind.path: kind for kind in made}


class Stripe:
    """Answers to GETs. Lists of kinds it has nothing of are empty."""

    def __init__(self, kinds: dict[str, Kind], now: int) -> None:
        self._kinds, self._account = kinds, (OBJECTS / "account.json").read_bytes()
        self._ahead = now - time.time()
        self._answered = 0

    def answer(self, target: str) -> bytes:
        """The whole HTTP answer to a GET of `target`, with the Date header of the server's own clock."""
        path, _, query = target.partition("?")
        if path == "/requests":  # not Stripe's: for whoever measures
            return _http(b"200 OK", b'{"requests": %d}' % self._answered, "")
        self._answered += 1
        try:
            status, body = self._body(path, dict(parse_qsl(query)))
        except ValueError as error:
            status, body = b"400 Bad Request", _error(str(error))
        return _http(status, body, formatdate(time.time() + self._ahead, usegmt=True))

    def _body(self, path: str, query: dict[str, str]) -> tuple[bytes, bytes]:
        if kind := self._kinds.get(path):
            return b"200 OK", kind.page(query)
        parent, _, name = path.rpartition("/")
        if kind := self._kinds.get(parent):
            number = kind.find(unquote(name))
            if number is None:
                return b"404 Not Found", _error(f"No such object: {name}")
            return b"200 OK", kind.one(number)
        return b"200 OK", self._account if path == "/v1/account" else _list(b"", path, has_more=False)


def _http(status: bytes, body: bytes, date: str) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nDate: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (status, date.encode(), len(body)) + body


def _error(message: str) -> bytes:
    return json.dumps({"error": {"type": "invalid_request_error", "message": message}}).encode()


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, GET only; what the loader sends fits one header block without a body."""

    def __init__(self, stripe: Stripe) -> None:
        self._stripe, self._read = stripe, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that has come in whole."""
        *requests, self._read = (self._read + data).split(b"\r\n\r\n")
        for request in requests:
            method, target, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
            if method != "GET":
                self._transport.close()
                return
            self._transport.write(self._stripe.answer(target))


async def serve(stripe: Stripe) -> None:
    """Serve on a free port of loopback until SIGTERM; the URL is the first line printed."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Connection(stripe), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    """Serve what the options ask for."""
    asked = argparse.ArgumentParser(description="A static Stripe for benchmarks.")
    asked.add_argument("--customers", type=int, default=0)
    asked.add_argument("--invoices", type=int, default=0)
    asked.add_argument("--days-later", type=float, default=0, help="how far the server's clock is ahead")
    options = asked.parse_args(sys.argv[1:])
    stripe = Stripe(kinds(options.customers, options.invoices), NOW + round(86_400 * options.days_later))
    asyncio.run(serve(stripe))


if __name__ == "__main__":
    main()
