"""How requests travel to a server that is not this machine: small, over TLS, through the proxy of the environment."""

import socket
import threading
import time
from pathlib import Path

import pytest
import stripe

from dlt_pipelines.budget import Patience
from dlt_pipelines.client import Reader
from dlt_pipelines.errors import StripeUnreachable
from dlt_pipelines.rows import Tally
from dlt_pipelines.settings import Settings
from dlt_pipelines.transport import BytesKept
from tests.dlt_pipelines.stripe_bytes import customer
from tests.dlt_pipelines.stub import StubStripe

PATH = "/v1/customers"


def test_answers_travel_compressed_and_arrive_as_sent(stub: StubStripe) -> None:
    stub.lists[PATH] = [customer("a")]
    carrier = BytesKept(stub.url, workers=1, is_local=False)

    _, status, headers = carrier.request("get", stub.url + PATH, {})

    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert carrier.kept.body == b'{"object": "list", "data": [' + customer("a") + b'], "has_more": false}'


def test_a_compressed_answer_that_breaks_off_is_no_shorter_answer(stub: StubStripe) -> None:
    stub.lists[PATH] = [customer("a")]
    carrier = BytesKept(stub.url, workers=1, is_local=False)
    stub.cuts = {PATH: 1}

    with pytest.raises(stripe.APIConnectionError):
        carrier.request("get", stub.url + PATH, {})

    assert carrier.kept.is_cut
    assert carrier.request("get", stub.url + PATH, {})[1] == 200
    assert not carrier.kept.is_cut


def test_stripe_is_reached_through_the_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def refuse() -> None:
            for _ in range(5):
                asked, _ = proxy.accept()
                with asked:
                    heard.append(asked.recv(4096).split(b" HTTP/")[0])
                    asked.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        settings = Settings(tmp_path, "https://api.stripe.com", "rk_test_x")
        start = time.monotonic()
        with pytest.raises(StripeUnreachable, match="check STRIPE_API_BASE and the network"):
            Reader(settings, patience=Patience(0.001, 0.001, 60.0)).get("/v1/account", {}, Tally())

    assert heard == [b"CONNECT api.stripe.com:443"] * 5  # a server never heard of is given up soon
    assert time.monotonic() - start < 10
