"""Webhook endpoints: the objects, and the worker that posts signed events to them (stripe.md 3)."""

import asyncio
import hashlib
import hmac
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

import msgspec

from sandbox import objects, simple
from sandbox.call import Call, Handler
from sandbox.faults import NO_RULE, Faults
from sandbox.refusals import refuse
from sandbox.store import Obj, Store

LOOPBACK = ("localhost", "127.0.0.1", "::1")
TRIES = 3  # in a sandbox account; live ones go on for three days
RETRY_AFTER = (3600, 7200)  # sandbox seconds after a failed try, so that an advancing clock retries
RETRY_AFTER_WALL = (1.0, 4.0)  # and seconds of a standing clock: whichever comes first
PATIENCE = 5.0  # seconds an endpoint may take to answer
HELD_BACK = 0.5  # seconds that a reordered delivery waits for a later one


def create(call: Call) -> Obj:
    """POST /v1/webhook_endpoints; the only answer that shows the signing secret."""
    _check(call, {}, {})
    made, secret = simple.make(call, "webhook_endpoint"), call.store.new_id("whsec_", 27)
    call.store.set_meta(f"secret {made['id']}", secret)
    return made | {"secret": secret}


def _check(call: Call, _endpoint: Obj, fields: Obj) -> None:
    url = call.params.get("url", "http://unchanged")
    if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname or not url.isprintable():
        raise refuse("webhook_url", "url")
    if call.params.get("enabled_events") == []:
        raise refuse("no_events", "enabled_events")
    if "disabled" in call.params:
        fields["status"] = "disabled" if call.params["disabled"] else "enabled"


ROUTES: dict[str, Handler] = {
    "POST /v1/webhook_endpoints": create,
    "POST /v1/webhook_endpoints/{id}": simple.changes("webhook_endpoint", _check),
    "DELETE /v1/webhook_endpoints/{id}": lambda call: objects.delete(call.store, call.target("webhook_endpoint")),
}


class Courier:
    """Delivers what events.emit put into the table `delivery`: per endpoint one after the other, at least once."""

    def __init__(self, store: Store, faults: Faults, *, anywhere: bool = False) -> None:
        self.store, self.faults, self.anywhere = store, faults, anywhere
        self.news = asyncio.Event()
        self.waits: dict[int, float] = {}  # delivery → monotonic second of its next try
        self.held: set[int] = set()  # deliveries held back once, so that they come after a later one

    async def run(self) -> None:
        """Work until cancelled; woken by `news`, or when a retry is due."""
        while True:
            self.news.clear()
            while due := self.due():  # endpoints do not wait for each other
                await asyncio.gather(*(self.deliver(endpoint, rows) for endpoint, rows in due.items()))
            wait = min(self.waits.values()) - time.monotonic() if self.waits else None
            with suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), wait and max(wait, 0.01))

    def due(self) -> dict[str, list[tuple[int, str, int]]]:
        """Endpoint → its deliveries to be tried now, as (delivery, event, tries so far), in order."""
        found: dict[str, list[tuple[int, str, int]]] = {}
        rows = self.store.db.execute("select seq, event, endpoint, at, attempt from delivery order by seq").fetchall()
        for seq, event, endpoint, at, attempt in rows:
            if time.monotonic() >= self.waits.get(seq, 0.0) or (attempt and self.store.account_now >= at):
                found.setdefault(endpoint, []).append((seq, event, attempt))
        return found

    async def deliver(self, endpoint_id: str, rows: list[tuple[int, str, int]]) -> None:
        """Try each delivery once; twice, or later, where a fault says so."""
        for seq, event_id, attempt in rows:
            event, endpoint = self.store.find("event", event_id), self.store.any(endpoint_id)
            if event is None or endpoint is None or endpoint["status"] != "enabled":
                self.settle(seq)
                continue
            rule = self.faults.take(event["type"], webhook=True) if seq not in self.held else NO_RULE
            if rule.kind == "webhook_reorder":
                self.held.add(seq)
                self.waits[seq] = time.monotonic() + HELD_BACK
                continue
            done = [await self.post(endpoint, event) for _ in range(2 if rule.kind else 1)]
            self.settle(seq, event_id if all(done) else None, attempt + 1)

    def settle(self, seq: int, arrived: str | None = None, attempt: int = TRIES) -> None:
        """A try is over: it arrived (one endpoint fewer is waited for), is to be repeated, or is given up."""
        self.waits.pop(seq, None)
        with self.store.transaction():
            if arrived is None and attempt < TRIES:
                self.waits[seq] = time.monotonic() + RETRY_AFTER_WALL[attempt - 1]
                at = self.store.account_now + RETRY_AFTER[attempt - 1]
                self.store.db.execute("update delivery set attempt = ?, at = ? where seq = ?", (attempt, at, seq))
                return
            self.held.discard(seq)
            self.store.db.execute("delete from delivery where seq = ?", (seq,))
            if event := self.store.find("event", arrived or ""):
                event["pending_webhooks"] = max(event["pending_webhooks"] - 1, 0)
                self.store.put(event)

    async def post(self, endpoint: Obj, event: Obj) -> bool:
        """Whether the endpoint took the event (2xx in time)."""
        url = urlsplit(endpoint["url"])
        if url.hostname not in LOOPBACK and not self.anywhere:
            print(
                f"webhooks: {endpoint['url']} is not on this machine: serve with --webhooks-anywhere", file=sys.stderr
            )
            return False
        body = msgspec.json.format(msgspec.json.encode(event), indent=2)
        # the SDK refuses signatures 300 s off the machine's time, and the sandbox's clock is elsewhere
        secret, at = self.store.meta(f"secret {endpoint['id']}") or "", int(time.time())
        digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Stripe/1.0"}
        return await asyncio.to_thread(_post, url, body, headers | {"Stripe-Signature": f"t={at},v1={digest}"})


def _post(url: SplitResult, body: bytes, headers: dict[str, str]) -> bool:
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=PATIENCE)
    try:
        connection.request("POST", f"{url.path or '/'}{url.query and '?'}{url.query}", body, headers)
        return 200 <= connection.getresponse().status < 300
    except (OSError, HTTPException, ValueError):
        return False
    finally:
        connection.close()
