"""How the SDK's requests travel: kept-alive connections that all workers share, and good bodies kept as bytes."""

import threading
from http.client import IncompleteRead
from ssl import SSLCertVerificationError
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe
from requests.utils import get_environ_proxies
from stripe import HTTPClient, StripeClient
from urllib3 import HTTPConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from dlt_pipelines.settings import Settings
from dlt_pipelines.stripe_api import API_VERSION

TIMEOUT = Timeout(connect=5.0, read=80.0)  # seconds; the second is the SDK's own default


class Kept(threading.local):
    """What this thread's last request brought: a good answer's body, whether its end was missing, and its Date."""

    body: bytes = b""
    date: str = ""
    is_cut: bool = False


class BytesKept(HTTPClient):
    """Carries the SDK's requests over the connection pool of `requests`, without its work per request.

    The SDK would decode each page into Python objects that we drop, so it gets an empty object instead. A session of
    `requests` merges settings, looks for proxies and copies the body in small parts each time: half of a page's cost.
    """

    name = "requests"

    def __init__(self, base: str, workers: int, is_local: bool) -> None:
        super().__init__()
        scheme, host = urlsplit(base)[:2]
        self._origin = len(f"{scheme}://{host}")
        self._pool = _pool(base, workers, is_local or scheme == "http")
        # Stripe's answers shrink tenfold; on loopback there is nothing to gain
        self._headers = {} if is_local else {"Accept-Encoding": "gzip, deflate"}
        self.kept = Kept()

    # Bytes where the SDK annotates str: that is the point.
    def request(  # type: ignore[override] # the body stays bytes
        self, method: str, url: str, headers: Any, post_data: Any = None
    ) -> tuple[bytes, int, Any]:
        """One try. Raises APIConnectionError, which says whether another may help."""
        self.kept.is_cut = False
        try:
            answer = self._pool.urlopen(
                method.upper(),
                url[self._origin :],
                body=post_data,
                headers={**headers, **self._headers},
                retries=False,
                redirect=False,
                timeout=TIMEOUT,
            )
        except HTTPError as error:
            self.kept.is_cut = any(isinstance(part, IncompleteRead) for part in error.args)
            is_final = any(isinstance(part, SSLCertVerificationError) for part in error.args)
            lost: Exception = stripe.APIConnectionError(  # type: ignore[no-untyped-call] # the SDK's errors have no types
                type(error).__name__, should_retry=not is_final
            )
            raise lost from error
        if not 200 <= answer.status < 300:
            return answer.data, answer.status, answer.headers
        self.kept.body = answer.data
        return b"{}", answer.status, answer.headers

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()


def _pool(base: str, workers: int, is_direct: bool) -> HTTPConnectionPool:
    """Connections as `requests` would make them (TLS, proxies of the environment), as many as there are workers."""
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=workers)
    proxies = {} if is_direct else get_environ_proxies(base)
    asked = requests.Request("GET", base).prepare()
    return adapter.get_connection_with_tls_context(asked, verify=stripe.ca_bundle_path, proxies=proxies)


def connect(settings: Settings, workers: int) -> tuple[StripeClient, Kept]:
    """The SDK's client, which tries each request once, and where it leaves good bodies."""
    stripe.enable_telemetry = False
    carrier = BytesKept(settings.api_base, workers, settings.is_local)
    client = StripeClient(
        settings.api_key,
        stripe_version=API_VERSION,
        max_network_retries=0,  # the SDK's tries would pass by the budget and the tally
        base_addresses={"api": settings.api_base},
        http_client=carrier,
    )
    return client, carrier.kept
