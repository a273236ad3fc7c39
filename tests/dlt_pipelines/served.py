"""A sandbox inside the tests' own process: served over real HTTP by a thread, and looked into beside it."""

import asyncio
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import stripe
import uvicorn

from sandbox import state
from sandbox.faults import Faults, Rule
from sandbox.serve import CONFIG
from sandbox.server import Server
from sandbox.store import Store

KEY = "sk_test_proofs"
Answer = TypeVar("Answer")


class Served:
    """One running sandbox. `requests` are `METHOD /path` lines in the order they came.

    heard: called in the server's thread with the number of requests so far, before each is answered.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults = Faults()
        self.requests: list[str] = []
        self.heard: Callable[[int], object] = lambda count: None
        self.url = ""
        self._ready: queue.Queue[BaseException | None] = queue.Queue()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def v1(self) -> Any:
        """The official SDK, with a key that may do everything, without retries."""
        http = stripe.RequestsClient(timeout=60)
        return stripe.StripeClient(KEY, base_addresses={"api": self.url}, http_client=http).v1

    def rules(self, *rules: Rule, seed: int = 0) -> None:
        """Meet these faults from now on; none clears them."""
        self.faults.rules, self.faults.seed = list(rules), seed

    def within(self, work: Callable[[Store], Answer]) -> Answer:
        """What `work` returns, run in the server's thread between two requests, as one transaction."""

        async def run() -> Answer:
            with self._app.store.transaction():
                return work(self._app.store)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def advance(self, days: float) -> None:
        """Let time pass."""
        from sandbox import engine

        async def run() -> None:
            engine.advance(self._app.store, self._app.store.account_now + int(days * 86_400))

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(120)

    def start(self) -> None:
        self._thread.start()
        failed = self._ready.get(timeout=30)
        if failed:
            raise failed

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)

    def _serve(self) -> None:
        # the store belongs to the thread that opens it (sqlite3), so all of the server is made here
        try:
            # the protocol is named because asyncio sets TCP_NODELAY only then (sandbox/serve.py)
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            store = state.open_store(self.folder)
            store.db.execute("pragma synchronous = off")
            self._app = Server(store, self.faults)
            self._server = uvicorn.Server(uvicorn.Config(self._seen, interface="asgi3", **CONFIG))
        except BaseException as error:
            self._ready.put(error)
            raise
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._ready.put(None)
            runner.run(self._server.serve(sockets=[listener]))
        store.db.close()

    async def _seen(self, scope: Any, receive: Any, send: Any) -> None:
        """The sandbox's application, with each request noted before it is answered."""
        if scope["type"] == "http":
            self.requests.append(f"{scope['method']} {scope['path']}")
            self.heard(len(self.requests))
        await self._app(scope, receive, send)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A sandbox on the state in `folder`, which it changes, until the block ends."""
    served = Served(folder)
    served.start()
    try:
        yield served
    finally:
        served.stop()
