"""The receiver's process: a socket, uvicorn, and a clean end."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any

import uvicorn

from dlt_pipelines.errors import CannotListen
from dlt_pipelines.settings import Settings, require_webhook_secrets
from dlt_pipelines.signals import answered_by
from dlt_pipelines.webhooks.limits import CONNECTIONS, GuardedProtocol
from dlt_pipelines.webhooks.receiver import PATH, Receiver
from dlt_pipelines.webhooks.writer import Writer

CONFIG: dict[str, Any] = {
    "loop": "asyncio", "http": GuardedProtocol, "ws": "none", "lifespan": "off", "log_level": "error",
    "access_log": False, "server_header": False, "proxy_headers": False, "timeout_keep_alive": 30,
    "timeout_graceful_shutdown": 3, "h11_max_incomplete_event_size": 16 * 1024,
    "limit_concurrency": CONNECTIONS + 1,  # 503 when every one of them is being answered: Stripe tries again
}  # fmt: skip


def serve(settings: Settings, host: str, port: int, say: Callable[[str], None]) -> None:
    """Receive webhooks until SIGTERM or SIGINT; then answer what is under way, and return.

    port: 0 takes a free one. say: takes the start-up lines and the access log.
    Raises SettingMissing, InboxFailed, CannotListen.
    """
    secrets = require_webhook_secrets(settings)
    with closing(_listen(host, port)) as listener, closing(Writer(settings.inbox)) as writer:
        receiver = Receiver(writer, secrets, settings.is_live if settings.api_key else None, say)
        server = uvicorn.Server(uvicorn.Config(receiver.app(), **CONFIG))
        with _stopped_by_signals(server):
            for line in _welcome(listener, settings):
                say(line)
            server.run(sockets=[listener])
    say("Stopped; what was answered 200 is in the inbox.")


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Ask the server to end; uvicorn's own handlers do so too, but raise the signal again afterwards."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    with answered_by(stop):
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # the protocol is named because asyncio sets TCP_NODELAY only then
        listener = socket.socket(family, kind, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        raise CannotListen(
            f"{host} port {port} cannot be listened on ({error.strerror}): stop what uses it, or choose with --port."
        ) from error
    return listener


def _welcome(listener: socket.socket, settings: Settings) -> list[str]:
    host, port = listener.getsockname()[:2]
    at = f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"
    return [
        f"Listening on {at}",
        f"In the Stripe dashboard (Developers, Webhooks, Add destination) paste https://<your host>{PATH}: the address "
        f"of the proxy or tunnel that ends TLS and passes on to {at}.",
        f"Events land in {settings.inbox}; `make watch` loads them. Ctrl-C ends this.",
    ]
