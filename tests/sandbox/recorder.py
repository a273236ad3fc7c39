"""An HTTP client for the official SDK that remembers every request and answer."""

import json
from typing import Any
from urllib.parse import urlsplit

import stripe

from tests.oracles.openapi import route_of


class Recorder(stripe.RequestsClient):
    """The SDK's own client; `seen` holds route → [(status, body)] in the order of the requests."""

    def __init__(self) -> None:
        super().__init__(timeout=60)
        self.seen: dict[str, list[tuple[int, Any]]] = {}

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **more: Any) -> Any:
        content, status, shown = super().request(method, url, headers, post_data, **more)
        route = route_of(method, urlsplit(url).path)
        self.seen.setdefault(route, []).append((int(status), json.loads(content)))
        return content, status, shown


def client(url: str) -> tuple[stripe.StripeClient, Recorder]:
    """An SDK client for a sandbox at `url`, and what records it."""
    recorder = Recorder()
    return stripe.StripeClient("sk_test_recorded", base_addresses={"api": url}, http_client=recorder), recorder
