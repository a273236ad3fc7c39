"""A change on the sandbox arrives by webhook: two processes, the command line, and real deliveries."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stripe

from dlt_pipelines import inbox
from dlt_pipelines.errors import CannotListen, SettingMissing
from dlt_pipelines.settings import Settings, read_settings, require_webhook_secrets
from dlt_pipelines.webhooks.serve import serve
from sandbox.runner import start_server, stop_server
from tests.commands import ROOT, clean_environment, module


@contextmanager
def receiver(data: Path, port: int, secret: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m dlt_pipelines webhooks`, as a user starts it."""
    command = [sys.executable, "-m", "dlt_pipelines", "webhooks", "--port", str(port)]
    environment = clean_environment(data, STRIPE_WEBHOOK_SECRET=secret)
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: Callable[[], Any], seconds: float = 20) -> Any:
    """What it gives once it is not empty; fails the test after some seconds."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


def test_a_change_on_the_sandbox_waits_in_the_inbox(tmp_path: Path) -> None:
    port, here = free_port(), Settings(data=tmp_path)
    assert module(tmp_path, "sandbox", "seed", "--customers", "1", "--months", "2").returncode == 0
    server, url = start_server(tmp_path)
    try:
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": url}, max_network_retries=0)
        endpoint = client.v1.webhook_endpoints.create(
            {"url": f"http://127.0.0.1:{port}/webhooks", "enabled_events": ["*"]}
        )
        assert endpoint.secret
        with receiver(tmp_path, port, f"whsec_of_before,{endpoint.secret}") as child:
            assert child.stderr
            assert child.stderr.readline() == f"Listening on http://127.0.0.1:{port}/webhooks\n"
            who = client.v1.customers.create({"name": "Zoë"}).id
            ((event_id, body),) = until(lambda: inbox.pending(here))
            event = json.loads(body)
            assert (event["id"], event["type"], event["data"]["object"]["id"]) == (event_id, "customer.created", who)
            assert event == json.loads(str(client.v1.events.retrieve(event_id))) | {"pending_webhooks": 1}
            child.send_signal(signal.SIGTERM)
            assert child.wait(10) == 0
            assert "Zoë" not in child.stderr.read()
    finally:
        stop_server(server)


def test_it_ends_at_once_and_cleanly_though_a_sender_is_half_way(tmp_path: Path) -> None:
    port = free_port()
    with receiver(tmp_path, port, "whsec_x") as child:
        assert child.stderr
        child.stderr.readline()
        with socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(b"POST /webhooks HTTP/1.1\r\n")
            child.send_signal(signal.SIGINT)
            assert child.wait(5) == 0
        assert child.stderr.read().endswith("Stopped; what was answered 200 is in the inbox.\n")


@pytest.mark.parametrize("secret", ["", "sk_test_x", "whsec_", "whsec_a,whsec_b,whsec_c", " , "])
def test_secrets_are_one_or_two_signing_secrets(secret: str) -> None:
    with pytest.raises(SettingMissing) as refused:
        require_webhook_secrets(read_settings({"STRIPE_WEBHOOK_SECRET": secret}))
    assert "whsec_a" not in str(refused.value)
    assert "sk_test_x" not in str(refused.value)


def test_secrets_never_show_in_the_settings() -> None:
    settings = read_settings({"STRIPE_WEBHOOK_SECRET": " whsec_one , whsec_two "})
    assert require_webhook_secrets(settings) == ("whsec_one", "whsec_two")
    assert "whsec" not in repr(settings)


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    settings = Settings(tmp_path, webhook_secrets=("whsec_x",))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1 port {port} cannot be listened on .*--port"):
            serve(settings, "127.0.0.1", port, print)
    assert not settings.inbox.exists()
