"""A thread lands events, so that the event loop never waits for the disk; what queues up shares a commit."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue

from dlt_pipelines.inbox import Arrival, Inbox, Verdict

TOGETHER = 64  # arrivals in one commit

Entry = tuple[Arrival, "Future[Verdict]"]


class Writer:
    """Lands what `submit` is given, in order. Raises InboxFailed at once when the inbox cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._inbox = Inbox(path)
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="inbox")
        self._thread.start()

    def submit(self, arrival: Arrival) -> Future[Verdict]:
        """A promise that is kept once the event is on disk, and broken (InboxFailed) when it is not."""
        promise: Future[Verdict] = Future()
        promise.set_running_or_notify_cancel()  # who no longer waits for it must not stop the thread that keeps it
        self._queue.put((arrival, promise))
        return promise

    def close(self) -> None:
        """Land what was submitted, then end the thread."""
        self._queue.put(None)
        self._thread.join()
        self._inbox.close()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            entries = [first]
            is_last = self._add_waiting(entries)
            try:
                verdicts = self._inbox.land([arrival for arrival, _ in entries])
            except Exception as error:
                for _, promise in entries:
                    promise.set_exception(error)
            else:
                for (_, promise), verdict in zip(entries, verdicts, strict=True):
                    promise.set_result(verdict)
            if is_last:
                return

    def _add_waiting(self, entries: list[Entry]) -> bool:
        """Take what is in the queue along; whether the end was in it."""
        while len(entries) < TOGETHER:
            try:
                entry = self._queue.get_nowait()
            except Empty:
                return False
            if entry is None:
                return True
            entries.append(entry)
        return False
