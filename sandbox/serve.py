"""The server process: a loopback socket, uvicorn, and ways to stop."""

import socket
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn

from sandbox import state
from sandbox.errors import SandboxError
from sandbox.faults import Faults
from sandbox.server import Server

HOST = "127.0.0.1"
CONFIG: dict[str, Any] = {
    "loop": "asyncio", "http": "h11", "ws": "none", "lifespan": "on", "log_level": "error", "access_log": False,
    "date_header": False, "server_header": False, "timeout_graceful_shutdown": 1, "timeout_keep_alive": 600,
}  # fmt: skip


def serve(folder: Path, port: int, faults: Faults, *, rate: float | None, anywhere: bool, until_eof: bool) -> None:
    """Print the URL, then answer until SIGINT or SIGTERM, or until our stdin closes. Call under the state's lock.

    port: 0 takes a free one. rate: requests a second before 429, None: no limit. Raises SandboxError.
    """
    # the protocol is named because asyncio sets TCP_NODELAY only then: without it every answer waits 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        raise SandboxError(
            f"port {port} cannot be used ({error.strerror}): stop what uses it, or let the sandbox choose with --port 0"
        ) from error
    listener.listen(128)
    store = state.open_store(folder)
    app = Server(store, faults, rate, anywhere=anywhere)
    server = uvicorn.Server(uvicorn.Config(app, **CONFIG))
    if until_eof:
        threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
    print(f"http://{HOST}:{listener.getsockname()[1]}", flush=True)
    server.run(sockets=[listener])
    store.db.close()


def _stop_at_end_of_input(server: uvicorn.Server) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True
