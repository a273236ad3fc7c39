"""An empty account in this process: requests run as the server runs them, without HTTP."""

import contextlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sandbox import engine, objects
from sandbox.call import Call
from sandbox.errors import ApiError
from sandbox.params import CATALOGUE, validate
from sandbox.routes import routes
from sandbox.store import Store

NOVEMBER = 1_793_491_200 + 43_200 + 7  # 2026-11-01 12:00:07 UTC: no boundary of anything
DAY = 86_400


class Local:
    """A store of its own, and what tests do to it."""

    def __init__(self, path: Path) -> None:
        self.store = Store.create(path / "local.sqlite", {"seed": "1"})
        self.seen: dict[str, Any] = {}
        with self.store.transaction():
            engine.move(self.store, NOVEMBER)
            objects.create(self.store, "account", emits=False, id="acct_1")

    @property
    def now(self) -> int:
        return self.store.account_now

    def call(self, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        """The answer of a route, or its ApiError, with everything rolled back unless it keeps what it did."""
        for route in routes():
            ids = _match(route.path, path) if route.method == method else None
            if ids is not None:
                break
        else:
            raise AssertionError(f"no route {method} {path}")
        given = validate(CATALOGUE.get(route.key, {}), _wire(params or {}))
        kept: ApiError | None = None
        with self.store.transaction():
            clock = engine.clock_of(self.store, ids, given)
            with engine.on_clock(self.store, clock):
                try:
                    answer = route.handler(Call(self.store, ids, given))
                except ApiError as error:
                    if not error.keeps:
                        raise
                    kept = error
        if kept is not None:
            raise kept
        return answer

    def post(self, path: str, **params: Any) -> Any:
        return self.call("POST", f"/v1/{path}", params)

    def delete(self, path: str, **params: Any) -> Any:
        return self.call("DELETE", f"/v1/{path}", params)

    def refused(self, path: str, method: str = "POST", **params: Any) -> ApiError:
        """The refusal of a request, which must have changed nothing."""
        before = self.state()
        with pytest.raises(ApiError) as caught:
            self.call(method, f"/v1/{path}", params)
        assert self.state() == before
        return caught.value

    def state(self) -> list[Any]:
        self.store.flush()
        tables = ("select id, json from object order by seq", "select clock, at, kind, ref from task order by seq")
        return [self.store.db.execute(table).fetchall() for table in tables]

    def get(self, obj: Any) -> Any:
        """The object as it is now."""
        return self.store.any(obj["id"])

    def advance(self, days: float = 0, *, to: int | None = None) -> None:
        """Let time pass, in steps short enough that no event is forgotten unseen."""
        until = to or self.now + int(days * DAY)
        while self.now < until:
            engine.advance(self.store, min(until, self.now + 20 * DAY))
            self._look()

    def events(self, obj: Any = None, prefix: str = "") -> list[Any]:
        """Events, oldest first: of an object, or those whose type begins so."""
        self._look()
        return [
            event
            for event in self.seen.values()
            if event["type"].startswith(prefix) and (obj is None or event["data"]["object"].get("id") == obj["id"])
        ]

    def _look(self) -> None:
        self.store.flush()
        rows = self.store.db.execute("select id, json from object where kind = 'event' order by seq").fetchall()
        self.seen |= {key: msgspec.json.decode(text) for key, text in rows if key not in self.seen}

    def types(self, obj: Any) -> list[str]:
        return [event["type"] for event in self.events(obj)]

    def invoices(self, sub: Any) -> list[Any]:
        return self.store.rows("invoice", subscription=sub["id"])

    def pending(self, sub: Any) -> list[Any]:
        return [one for one in self.store.rows("invoiceitem", subscription=sub["id"]) if one["invoice"] is None]

    # --- things to bill

    def customer(self, card: str | None = "pm_card_visa", **fields: Any) -> Any:
        customer = self.post("customers", name="Ada", **fields)
        if card:
            method = self.post(f"payment_methods/{card}/attach", customer=customer["id"])
            settings = {"default_payment_method": method["id"]}
            customer = self.post(f"customers/{customer['id']}", invoice_settings=settings)
        return customer

    def price(self, amount: int = 3000, interval: str = "month", name: str = "Gold", **fields: Any) -> Any:
        currency, count = fields.pop("currency", "usd"), fields.pop("interval_count", 1)
        product = self.post("products", name=name)
        recurring = {"interval": interval, "interval_count": count} if interval else None
        more = {"recurring": recurring} if recurring else {}
        return self.post("prices", product=product["id"], currency=currency, unit_amount=amount, **more, **fields)

    def meter(self, event: str = "calls") -> Any:
        return self.post(
            "billing/meters", display_name=event, event_name=event, default_aggregation={"formula": "sum"},
            customer_mapping={"type": "by_id", "event_payload_key": "customer"},
        )  # fmt: skip

    def metered(self, meter: Any, amount: int = 2, **fields: Any) -> Any:
        product = self.post("products", name="Calls")
        recurring = {"interval": "month", "usage_type": "metered", "meter": meter["id"]}
        return self.post(
            "prices", product=product["id"], currency="usd", unit_amount=amount, recurring=recurring, **fields
        )

    def use(self, meter: Any, customer: Any, value: int, at: int | None = None) -> None:
        payload = {"customer": customer["id"], "value": value}
        more = {} if at is None else {"timestamp": at}
        self.post("billing/meter_events", event_name=meter["event_name"], payload=payload, **more)

    def subscribe(self, *prices: Any, customer: Any = None, **params: Any) -> Any:
        customer = customer or self.customer()
        items = [{"price": price["id"]} for price in prices]
        return self.post("subscriptions", customer=customer["id"], items=items, **params)

    def plant(self, kind: str, **fields: Any) -> Any:
        with self.store.transaction():
            return objects.create(self.store, kind, emits=False, **fields)


@pytest.fixture
def local(tmp_path: Path) -> Any:
    account = Local(tmp_path)
    yield account
    with contextlib.suppress(Exception):
        account.store.db.close()


def _match(template: str, path: str) -> dict[str, str] | None:
    parts, given = template.split("/"), path.split("/")
    if len(parts) != len(given):
        return None
    ids = {}
    for part, value in zip(parts, given, strict=True):
        if part.startswith("{"):
            ids[part[1:-1]] = value
        elif part != value:
            return None
    return ids


def _wire(value: Any) -> Any:
    """Parameters as a form carries them: nothing but strings inside hashes and arrays."""
    if isinstance(value, dict):
        return {key: _wire(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_wire(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def item_of(sub: Any) -> str:
    """The id of a subscription's first item."""
    return str(sub["items"]["data"][0]["id"])


def change(local: Local, sub: Any, price: Any, **params: Any) -> Any:
    """Move the first item of a subscription to another price."""
    return local.post(f"subscriptions/{sub['id']}", items=[{"id": item_of(sub), "price": price["id"]}], **params)
