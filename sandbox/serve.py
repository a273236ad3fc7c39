"""The server process: a loopback socket, uvicorn, and ways to stop."""

import asyncio
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox import state as states
from sandbox.errors import PortTaken
from sandbox.server import Server

HOST = "127.0.0.1"


class DroppableProtocol(H11Protocol):
    """Hands each request its connection, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn narrows it too
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["sandbox.transport"] = transport
            await inner(scope, receive, send)

        self.app = cast(Any, app)


def bind(port: int) -> socket.socket:
    """A listening loopback socket; port 0 takes a free one. Raises PortTaken."""
    # the protocol is named because asyncio sets TCP_NODELAY only then: without it every answer waits 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"port {port} cannot be used ({error.strerror}): stop what uses it, or let the sandbox choose with --port 0"
        ) from error
    listener.listen(128)
    return listener


def serve(folder: Path, listener: socket.socket, ready: Callable[[str], None], *, until_stdin_closes: bool) -> None:
    """Answer requests until SIGINT or SIGTERM, or until whoever started us is gone. Call under the state's lock."""
    store = states.open_store(folder)
    config = uvicorn.Config(
        Server(store).app(),
        http=DroppableProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=600,
    )
    server = uvicorn.Server(config)
    if until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
    ready(f"http://{HOST}:{listener.getsockname()[1]}")
    server.run(sockets=[listener])
    store.db.close()


def _stop_at_end_of_input(server: uvicorn.Server) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True
