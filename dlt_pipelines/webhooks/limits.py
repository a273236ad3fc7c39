"""What a connection may take: uvicorn's HTTP/1.1 with the limits it lacks."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

READ_S = 10.0  # for a whole request, from its first byte (or the connection) to its last
CONNECTIONS = 64


class GuardedProtocol(H11Protocol):
    """Closes a connection that is slow to send its request, and keeps at most CONNECTIONS of them.

    One more takes the place of the one that has kept us waiting longest, so that slow senders cannot keep
    Stripe out; uvicorn's own `limit_concurrency` would answer Stripe 503 while they sit there.
    """

    _deadline: asyncio.TimerHandle | None = None
    _waits_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._await_request()
        if len(self.connections) > CONNECTIONS:
            others = [one for one in self.connections if isinstance(one, GuardedProtocol) and one is not self]
            if waiting := [one for one in others if one._is_waiting()]:
                min(waiting, key=lambda one: one._waits_since)._drop()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._await_request()
        super().data_received(data)

    def on_response_complete(self) -> None:
        self._stop_clock()
        self._waits_since = self.loop.time()
        super().on_response_complete()
        if self.cycle is not None and not self.cycle.response_complete:  # the next request was here already
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        self._waits_since = self.loop.time()
        self._deadline = self.loop.call_later(READ_S, self._too_slow)

    def _too_slow(self) -> None:
        if self._is_waiting():
            self._drop()

    def _is_waiting(self) -> bool:
        """Whether the other side is to send; not so once a request is complete and is being answered."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def _drop(self) -> None:
        self.connections.discard(self)
        self.transport.abort()

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
