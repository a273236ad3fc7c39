"""A webhook receiver in a process of its own, and a sender that signs as Stripe does."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stripe import WebhookSignature

from dlt_pipelines.inbox import Inbox
from dlt_pipelines.settings import Settings
from dlt_pipelines.webhooks import limits
from dlt_pipelines.webhooks.serve import serve

# Children are forks of a process that has imported everything, so that a start costs milliseconds.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.dlt_pipelines.receiving"])

SECRET, OTHER_SECRET = "whsec_first_of_the_two", "whsec_second_of_the_two"


@dataclass(frozen=True)
class How:
    """What is unusual about a receiver. kill: `before` or `after` the commit of a landing, the process kills itself.

    read_s: patience in seconds. file_bytes: how large a file it may write, as if the disk were full beyond that.
    """

    secrets: tuple[str, ...] = (SECRET,)
    api_key: str = ""
    kill: str = ""
    read_s: float = limits.READ_S
    file_bytes: int = resource.RLIM_INFINITY


class Receiving:
    """A running receiver: its process and how to reach it. `log` holds what it said, all of it once it ended."""

    def __init__(self, data: Path, how: How) -> None:
        self._says, theirs = FORKS.Pipe(duplex=False)
        self.process = FORKS.Process(target=_serve, args=(data, how, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.log: list[str] = [self._says.recv()]
        self.address = urlsplit(self.log[0].removeprefix("Listening on "))
        self._reader = threading.Thread(target=self._read, daemon=True)  # a full pipe would hold the receiver up
        self._reader.start()

    @property
    def rss_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.address.port, timeout=5)

    def socket(self) -> socket.socket:
        assert self.address.port
        return socket.create_connection(("127.0.0.1", self.address.port), timeout=5)

    def post(self, body: bytes, header: str | None = None, method: str = "POST", path: str = "/webhooks") -> int:
        """The status of one request on a connection of its own; 0 when the connection ended without one."""
        headers = {"Stripe-Signature": signed(body) if header is None else header}
        with closing(self.connection()) as connection:
            try:
                connection.request(method, path, body, headers)
                return connection.getresponse().status
            except (OSError, HTTPException):
                return 0

    def stop(self) -> int | None:
        """Ask it to end, as systemd does; its exit code."""
        self.process.terminate()
        return self.ended()

    def ended(self) -> int | None:
        """Wait for its end; its exit code."""
        self.process.join(15)
        self._reader.join(15)
        return self.process.exitcode

    def _read(self) -> None:
        with suppress(EOFError):
            while True:
                self.log.append(self._says.recv())


def _serve(data: Path, how: How, says: Connection) -> None:
    limits.READ_S = how.read_s
    resource.setrlimit(resource.RLIMIT_FSIZE, (how.file_bytes, resource.RLIM_INFINITY))
    if how.kill:
        land = Inbox.land

        def killed(inbox: Inbox, arrivals: Any) -> Any:
            if how.kill == "after":
                land(inbox, arrivals)
            os.kill(os.getpid(), signal.SIGKILL)

        Inbox.land = killed  # type: ignore[method-assign, assignment] # to die in its middle
    serve(Settings(data=data, api_key=how.api_key, webhook_secrets=how.secrets), "127.0.0.1", 0, says.send)


@contextmanager
def receiving(data: Path, how: How | None = None, **unusual: Any) -> Iterator[Receiving]:
    """A receiver on a free port until the block ends; `unusual` are fields of How."""
    made = Receiving(data, replace(how or How(), **unusual))
    try:
        yield made
    finally:
        if made.process.is_alive():
            made.stop()
        made.process.kill()


def event(event_id: str, livemode: bool = False, **more: Any) -> bytes:
    """An event's body, written the way Stripe writes it."""
    made = {"id": event_id, "object": "event", "created": 1_793_000_000, "livemode": livemode, "type": "invoice.paid"}
    return json.dumps(made | {"data": {"object": {"id": "in_1", "object": "invoice"}}} | more, indent=2).encode()


def signed(body: bytes, secret: str = SECRET, at: int | None = None) -> str:
    """Its Stripe-Signature, by the SDK's own helper; at: Unix second, None: now."""
    return str(WebhookSignature.generate_signature_header(body.decode(errors="replace"), secret, at))


def stored(data: Path) -> dict[str, bytes]:
    """Event id → body of every row of the inbox; fails on a row that is there twice."""
    with closing(sqlite3.connect(data / "landing" / "inbox.sqlite")) as db:
        rows = db.execute("select id, body from event").fetchall()
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    assert len({each for each, _ in rows}) == len(rows)
    return dict(rows)
