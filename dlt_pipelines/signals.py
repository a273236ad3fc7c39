"""What a process does when it is asked to end, and what it did before once that is over."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def answered_by(stop: Callable[[int, FrameType | None], None], is_last: bool = False) -> Iterator[None]:
    """SIGINT and SIGTERM call `stop` inside the block; what they did before counts again after it.

    is_last: the process ends after the block, so what `stop` has made of no effect stays so.
    """
    previous = {number: signal.signal(number, stop) for number in NUMBERS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            if not (is_last and signal.getsignal(number) is signal.SIG_IGN):
                signal.signal(number, handler)


@contextmanager
def interruptible(is_last: bool = False) -> Iterator[None]:
    """SIGTERM ends us as Ctrl-C does; a second signal changes nothing, so that a stage's end is not cut short.

    is_last: nor does it after the block, where the process ends; an exit code of its own would be lost to it.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in NUMBERS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with answered_by(stop, is_last):
        yield
