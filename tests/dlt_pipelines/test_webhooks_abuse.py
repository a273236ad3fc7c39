"""Slow, huge and senseless requests neither stop the receiver nor make it grow (actions.md 6, W9)."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from dlt_pipelines.webhooks.limits import CONNECTIONS
from tests.dlt_pipelines.receiving import Receiving, event, receiving, signed, stored

DRAW = random.Random(3)  # noqa: S311 no secret is drawn
HEADERS = b"POST /webhooks HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiving]:
    with receiving(tmp_path_factory.mktemp("abused")) as made:
        for number in range(50):  # what it allocates once is no growth
            assert made.post(event(f"evt_warm_{number}")) == 200
        made.post(b"x" * 500_000, "t=1,v1=0")
        yield made


def milliseconds_of_a_good_request(receiver: Receiving) -> float:
    """The best of five, because other tests share the cores."""
    best = float("inf")
    for _ in range(5):
        body = event(f"evt_{time.monotonic_ns()}")
        started = time.monotonic()
        assert receiver.post(body) == 200
        best = min(best, (time.monotonic() - started) * 1000)
    return best


def test_slow_senders_huge_bodies_and_garbage_leave_it_small_and_quick(receiver: Receiving) -> None:
    before = receiver.rss_mb
    with ExitStack() as slow:
        for number in range(3 * CONNECTIONS):
            connection = slow.enter_context(receiver.socket())
            with suppress(OSError):  # those that came first are dropped for later ones
                connection.sendall(HEADERS[: 1 + number % len(HEADERS)])
                if number % 2:
                    connection.sendall(HEADERS[1 + number % len(HEADERS) :] + b"Content-Length: 500000\r\n\r\nx")
        among_slow_ones = milliseconds_of_a_good_request(receiver)
    huge = b"x" * 10_000_000
    assert receiver.post(huge, "t=1,v1=0") in {413, 0}
    with closing(receiver.connection()) as chunked, suppress(OSError):
        chunked.request("POST", "/webhooks", iter([huge[:100_000]] * 100), encode_chunked=True)
        assert chunked.getresponse().status == 413
    for number in range(1_000):
        with receiver.socket() as connection, suppress(OSError):
            garbage = DRAW.randbytes(DRAW.randrange(1, 3_000))
            lines = (garbage, HEADERS + garbage, HEADERS + b"Content-Length: 9999999999999999999\r\n\r\n" + garbage)
            connection.sendall(lines[number % 3])
    after_it_all = milliseconds_of_a_good_request(receiver)
    growth = receiver.rss_mb - before
    print(
        f"good request {among_slow_ones:.1f} and {after_it_all:.1f} ms; grew {growth:.1f} MB to {receiver.rss_mb:.0f}"
    )
    assert among_slow_ones < 200
    assert after_it_all < 200
    assert growth < 20


def test_headers_without_end_are_refused(receiver: Receiving) -> None:
    with receiver.socket() as connection:
        with suppress(OSError):
            for _ in range(100):
                connection.sendall(b"X" * 1_000)
        with suppress(ConnectionError):
            assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_there_are_never_more_connections_than_the_limit(receiver: Receiving) -> None:
    with ExitStack() as idle:
        connections = [idle.enter_context(receiver.socket()) for _ in range(CONNECTIONS + 10)]
        assert receiver.post(event("evt_one_more")) == 200
        for connection in connections[:11]:  # those who waited longest made room
            connection.settimeout(5)
            assert connection.recv(1) == b""
        connections[-1].settimeout(0.1)
        with pytest.raises(TimeoutError):
            connections[-1].recv(1)


@pytest.mark.parametrize("sent", [b"", b"POST /webh", HEADERS + b"Content-Length: 10\r\n\r\nx"])
def test_a_slow_sender_is_cut_off_and_a_quick_one_on_the_same_line_is_not(tmp_path: Path, sent: bytes) -> None:
    with (
        receiving(tmp_path, read_s=0.5) as receiver,
        receiver.socket() as slow,
        closing(receiver.connection()) as quick,
    ):
        slow.sendall(sent)
        started = time.monotonic()
        for number in range(8):
            body = event(f"evt_{number}")
            quick.request("POST", "/webhooks", body, {"Stripe-Signature": signed(body)})
            assert quick.getresponse().read() == b"ok\n"
            time.sleep(0.1)
            with suppress(OSError):
                slow.sendall(sent[:1])  # a byte now and then buys no time
        assert time.monotonic() - started > 0.8
        with suppress(ConnectionError):
            assert slow.recv(1) == b""
    assert len(stored(tmp_path)) == 8


def test_a_request_that_is_cut_off_lands_nothing(receiver: Receiving) -> None:
    body = event("evt_half")
    with receiver.socket() as connection:
        head = HEADERS + f"Content-Length: {len(body)}\r\nStripe-Signature: {signed(body)}\r\n\r\n".encode()
        connection.sendall(head + body[:-1])
    assert receiver.post(event("evt_next")) == 200


def test_requests_sent_without_waiting_for_answers_are_answered_in_order(receiver: Receiving) -> None:
    wire = b""
    for number in range(5):
        body = event(f"evt_pipelined_{number}")
        wire += HEADERS + f"Content-Length: {len(body)}\r\nStripe-Signature: {signed(body)}\r\n\r\n".encode() + body
    with receiver.socket() as connection:
        connection.sendall(wire)
        got = b""
        while got.count(b"ok\n") < 5:
            part = connection.recv(65_536)
            assert part, got
            got += part
    assert got.count(b"HTTP/1.1 200") == 5
