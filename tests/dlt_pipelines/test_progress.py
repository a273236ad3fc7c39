"""Progress: one line that rewrites itself on a terminal, plain lines elsewhere, and never more than are of use."""

import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from select import select
from typing import TextIO

import pytest

from dlt_pipelines.progress import Progress
from dlt_pipelines.rows import Tally


class Clock:
    """A clock that a test sets, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def terminal(columns: int) -> Iterator[tuple[TextIO, int]]:
    """A real terminal of so many columns: what a program writes to, and the descriptor to read its bytes from."""
    reader, writer = pty.openpty()
    ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(writer, "w") as out:
        yield out, reader
    os.close(reader)


def shown(reader: int) -> str:
    """What was written since the last time; a terminal hands it over in pieces."""
    written = b""
    while select([reader], [], [], 0.05)[0]:
        written += os.read(reader, 1 << 16)
    return written.decode()


def screen(written: str) -> list[str]:
    """What a terminal shows in the end: a carriage return goes back, what follows overwrites."""
    lines = []
    for line in written.split("\r\n"):
        cells: list[str] = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        lines.append("".join(cells).rstrip())
    return lines


@pytest.fixture
def xterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("xterm")
def test_on_a_terminal_one_line_rewrites_itself_and_the_final_ones_stay() -> None:
    clock, tally = Clock(), Tally()
    with terminal(100) as (out, reader):
        progress = Progress(out, is_quiet=False, clock=clock)
        progress.said("account acct_1")
        for _ in range(40):
            clock.now += 0.5
            tally.rows_read += 100_000
            tally.requests += 1000
            progress.update("invoice_lines", tally)
        going = screen(shown(reader))
        tally.rows_appended, tally.retries = 12, 3
        tally.note("gone", "in_1")
        progress.done("invoice_lines", tally)
        progress.update("coupons", Tally())
        progress.close()
        ended = screen(shown(reader))

    line = "invoice_lines:   4,000,000 read   205,128 rows/s   40,000 requests"
    assert going == ["account acct_1", line]
    assert [" ".join(each.split()) for each in ended] == [
        "invoice_lines: 4,000,000 read 12 appended 40,000 requests 19.5 s 205,128 rows/s, 3 retries, 1 problem",
        "",
    ]


@pytest.mark.usefixtures("xterm")
@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100])
def test_a_line_is_never_wider_than_the_terminal_and_no_number_is_cut(columns: int) -> None:
    clock = Clock()
    with terminal(columns) as (out, reader):
        progress = Progress(out, is_quiet=False, clock=clock)
        for step in range(3):
            clock.now += 1
            progress.update(
                "meter_usage_period_revisions", Tally(rows_read=1_234_567 * step, requests=7654321, retries=1)
            )
        line = screen(shown(reader))[-1]
    assert len(line) < columns
    words = {"1,234,567", "2,469,134", "7,654,321", "1", "rows/s", "read", "requests", "retries"}
    assert set(line.split()[1:]) <= words
    assert ("read" in line.split()) == (columns > 45)


@pytest.mark.usefixtures("xterm")
def test_a_terminal_is_written_to_at_most_ten_times_a_second() -> None:
    clock, tally = Clock(), Tally()
    with terminal(80) as (out, reader):
        progress = Progress(out, is_quiet=False, clock=clock)
        for _ in range(6_000):
            clock.now += 0.0005
            progress.update("customers", tally)
        written = shown(reader)
    assert 25 <= written.count("\r") <= 31
    assert "\x1b" not in written


@pytest.mark.parametrize("is_terminal", [False, True])
def test_elsewhere_a_kind_has_a_final_line_and_one_every_fifteen_seconds(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    clock, tally = Clock(), Tally()
    with terminal(80) as (out, reader):
        text = io.StringIO()
        progress = Progress(out if is_terminal else text, is_quiet=False, clock=clock)
        for _ in range(248):
            progress.update("customers", tally)
            clock.now += 0.125
            tally.rows_read += 125
        progress.update("customers", tally)
        clock.now += 60  # other kinds went on before it was told
        progress.done("customers", tally)
        progress.done("coupons", Tally())
        progress.close()
        written = shown(reader) if is_terminal else text.getvalue()

    lines = written.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "customers: 15,000 read 0 appended 0 requests 15.0 s 1,000 rows/s, not finished",
        "customers: 30,000 read 0 appended 0 requests 30.0 s 1,000 rows/s, not finished",
        "customers: 31,000 read 0 appended 0 requests 31.0 s 1,000 rows/s",
        "coupons: 0 read 0 appended 0 requests",
    ]
    assert len({line.index(" read ") for line in lines}) == 1
    assert len({line.index(" requests") for line in lines}) == len({line.index(" s ") for line in lines[:3]}) == 1
    assert "\r" not in written.replace("\r\n", "\n")


def test_quiet_says_nothing() -> None:
    text = io.StringIO()
    progress = Progress(text, is_quiet=True)
    progress.said("account")
    progress.update("customers", Tally())
    progress.done("customers", Tally())
    progress.close()
    assert text.getvalue() == ""
