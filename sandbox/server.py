"""What happens to a request, from its key to its answer. Requests are carried out one by one, in one event loop."""

import asyncio
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

import msgspec

from sandbox import engine, forms, hidden
from sandbox.call import Call, Page
from sandbox.clock import http_date
from sandbox.draw import identifier
from sandbox.errors import ApiError
from sandbox.events import API_VERSION
from sandbox.expand import Expander
from sandbox.faults import NO_RULE, Faults
from sandbox.forms import Params
from sandbox.idempotency import Keys
from sandbox.keys import authenticate
from sandbox.params import CATALOGUE, validate
from sandbox.refusals import refuse
from sandbox.routes import Route, routes
from sandbox.store import Store
from sandbox.webhooks import Courier

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answered = tuple[int, bytes]  # status and JSON
SEPARATE = {"POST /v1/billing/meter_events": 1000.0}  # endpoints with a budget of their own, in requests a second
PAGE = b"<html><body><h1>Welcome to the guest network</h1></body></html>\n"  # what a proxy may say instead


class Limits:
    """Token buckets that hold a second's worth. `rate`: requests a second; None: no limits.

    A limit is about how fast somebody really calls, so this reads the machine's monotonic clock and not the sandbox's,
    which stands still between advances. Nothing that is stored depends on it.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.clock = rate, clock
        self.buckets: dict[str, tuple[float, float]] = {}  # name → tokens left, and when that was so

    def take(self, endpoint: str) -> None:
        """Count a request to `endpoint` (method and path template); raises ApiError (429) naming the limiter."""
        if self.rate is None:
            return
        separate = SEPARATE.get(endpoint)
        wanted = {} if separate else {"": ("global-rate", self.rate)}
        now = self.clock()
        for name, (reason, rate) in (wanted | {endpoint: ("endpoint-rate", separate or self.rate)}).items():
            most = max(rate, 1.0)
            tokens, at = self.buckets.get(name, (most, now))
            tokens = min(most, tokens + (now - at) * rate)
            self.buckets[name] = (tokens - (tokens >= 1), now)
            if tokens < 1:
                raise refuse("rate_limit", reason=reason)


class Server:
    """Answers requests from one store; the ASGI application. rate: requests a second before 429, None: no limit."""

    def __init__(self, store: Store, faults: Faults, rate: float | None = None, *, anywhere: bool = False) -> None:
        self.store, self.faults, self.limits, self.keys = store, faults, Limits(rate), Keys(store)
        self.routes, self.courier = routes(), Courier(store, faults, anywhere=anywhere)
        self.account = str(store.rows("account")[0]["id"])
        self.requests = 0
        with store.transaction():
            self.boot = int(store.meta("boots") or 0) + 1  # tells this process's request ids from those of earlier ones
            store.set_meta("boots", str(self.boot))

    def route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a request, and the ids in its path by name; raises ApiError (404)."""
        for route in self.routes:
            if route.method == method and (match := route.pattern.fullmatch(path)):
                return route, match.groupdict()
        raise refuse("unknown_url", method=method, path=path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Webhooks are delivered for as long as the application lives."""
        if scope["type"] == "http":
            await Exchange(self, scope, receive).run(send)
            self.courier.news.set()
            return
        courier = asyncio.create_task(self.courier.run())
        for state in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{state}.complete"})
        courier.cancel()


class Exchange:
    """One request on its way through the server; `shown` are its answer's headers, `rule` is the fault it meets."""

    def __init__(self, server: Server, scope: Scope, receive: Receive) -> None:
        self.server, self.store, self.scope, self.receive = server, server.store, scope, receive
        self.method, self.path = scope["method"], scope["path"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        server.requests += 1
        self.id = identifier("req_", 14, server.store.seed, server.boot, server.requests)
        version = self.headers.get("stripe-version", API_VERSION)
        self.shown = {"Content-Type": "application/json", "Request-Id": self.id, "Stripe-Version": version}
        self.rule = NO_RULE

    async def run(self, send: Send) -> None:
        """Answer, or break off as the fault says."""
        status, body = await self.answer()
        # uvicorn's `receive` is a method of what holds the connection: the only way to cut it
        connection = getattr(getattr(self.receive, "__self__", None), "transport", None)
        if self.rule.kind.startswith("drop_") and connection:
            connection.abort()
            await asyncio.sleep(0)  # so that uvicorn learns of it before it looks for our answer
            return
        pairs = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in self.shown.items()]
        pairs.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        is_cut = self.rule.kind == "truncated"
        part = body[: len(body) // 2] if is_cut else body
        await send({"type": "http.response.body", "body": part, "more_body": is_cut})
        if is_cut and connection:
            connection.close()
            await asyncio.sleep(0)

    async def answer(self) -> Answered:
        """Status and body of the answer, whatever happens."""
        try:
            if self.path.startswith("/_sandbox/"):
                route = f"{self.method} {self.path.removeprefix('/_sandbox/')}"
                told = hidden.answer(self.store, self.server.faults, route, await self.body())
                status, body = 200, msgspec.json.encode(told)
            else:
                status, body = await self.served()
        except Exception as error:
            status, body = self.refused(error)
        self.store.relax()
        skew = int(self.rule.seconds) if self.rule.kind == "skewed_date" else 0
        self.shown["Date"] = http_date(self.store.account_now + skew)
        if self.rule.kind == "not_json":
            self.shown["Content-Type"] = "text/html"
            return 200, PAGE
        return status, msgspec.json.format(body, indent=2) + b"\n"

    def refused(self, error: Exception) -> Answered:
        """An error as status and body; one that is a bug shows on stderr and as Stripe's 500."""
        if not isinstance(error, ApiError):
            traceback.print_exception(error, file=sys.stderr)
            error = refuse("server_error")
        self.shown |= error.headers
        return error.status, msgspec.json.encode(error.body())

    async def body(self) -> bytes:
        """All of the request's body; raises ApiError if it is too long, or if the client leaves before its end."""
        body, more = b"", True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise refuse("cut_short")  # to nobody: half of a form must have no effect
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > forms.MAX_BODY:
                raise refuse("too_large", limit=forms.MAX_BODY)
        return body

    async def served(self) -> Answered:
        """Status and body of a Stripe route: all that comes before its execution. Raises ApiError."""
        server, account = self.server, self.server.account
        key = authenticate(self.store, self.headers.get("authorization", ""))
        if (asked := self.headers.get("stripe-account", account)) != account:
            raise refuse("other_account", key=key.shown, account=asked)
        route, path = server.route(self.method, self.path)
        server.limits.take(f"{route.method} {route.path}")
        self.rule = server.faults.take(f"{self.method} {self.path}")
        if self.rule.kind == "429":
            raise refuse("rate_limit", reason=self.rule.reason)
        if self.rule.kind in ("500_before", "drop_before"):
            raise refuse("server_error")
        body = await self.body()
        forms.check_content_type(self.headers.get("content-type", "") if body else "")
        raw = forms.parse(self.scope["query_string"] + b"&" + body)
        spec = CATALOGUE.get(route.key, {"expand": ["str"]})
        # what the library of an older version sends by itself does not stop its reads
        is_old = route.method == "GET" and self.shown["Stripe-Version"] != API_VERSION
        params = validate(spec | ({"include": ["str"]} if is_old else {}), raw)
        key.demand(route.permission, account)
        shows = Expander(self.store, params.get("expand", []), key, account, lenient=is_old)
        name = self.headers.get("idempotency-key") if self.method == "POST" else None
        with server.keys.claim(name):
            if name is not None:
                self.shown |= {"Idempotency-Key": name, "Original-Request": self.id}
                if kept := server.keys.find(name, self.path, raw):
                    # told not to retry: it would be told the same again
                    replayed = {"Idempotent-Replayed": "true", "Stripe-Should-Retry": "false"}
                    self.shown |= replayed | {"Original-Request": kept[2]}
                    return kept[0], kept[1]
            if self.rule.kind == "stall":
                await asyncio.sleep(self.rule.seconds)
            answered = self.executed(Call(self.store, path, params), route, shows, name, raw)
        if ignored := [*params.ignored(), *sorted(shows.ignored)]:
            self.shown["Sandbox-Ignored-Parameters"] = quote(", ".join(ignored)[:1000], safe=", .[]")
        return answered

    def executed(self, call: Call, route: Route, shows: Expander, name: str | None, raw: Params) -> Answered:
        """The route's own work, and its result under the idempotency key: both in one transaction, or neither."""
        store, keep, kind = self.store, self.server.keys.keep, self.rule.kind
        if route.method == "GET":
            if kind in ("500_replayed", "500_after"):
                raise refuse("server_error")
            return self.handled(call, route, shows)
        store.request = {"id": self.id, "idempotency_key": name}
        try:
            with store.transaction():
                answered = self.handled(call, route, shows)
                if kind == "500_replayed":
                    raise refuse("server_error")
                if kind == "500_after":
                    answered = self.refused(refuse("server_error"))
                keep(name, self.path, raw, (*answered, self.id))
        except Exception as error:
            answered = self.refused(error)
            with store.transaction():
                keep(name, self.path, raw, (*answered, self.id))
        finally:
            store.request = {"id": None, "idempotency_key": None}
        return answered

    def handled(self, call: Call, route: Route, shows: Expander) -> Answered:
        """What the handler gives back, expanded, or its refusal if that is to be kept; on the test clock concerned."""
        try:
            with engine.on_clock(self.store, engine.clock_of(self.store, call.path, call.params)):
                found = route.handler(call)
                return 200, shows.page(found) if isinstance(found, Page) else msgspec.json.encode(shows.obj(found))
        except ApiError as error:
            if not error.keeps:
                raise
            return self.refused(error)
