"""What Stripe holds and what the warehouse says it holds, object by object.

The one side is read from the sandbox's own file, without its server, and rendered here as the API would; the other
is the newest row of each id, in plain SQL. Neither uses the loader.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from dlt_pipelines.stripe_api import KINDS

Object = dict[str, Any]
_DECODER = msgspec.json.Decoder(float_hook=str)  # 1.10 and 1.1 are two values
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"]+')  # strings whole, and all else but white space
EMBEDDED = 10  # entries of a nested list that Stripe embeds
ROOTS = {
    "accounts": "account", "customers": "customer", "products": "product", "prices": "price", "coupons": "coupon",
    "promotion_codes": "promotion_code", "tax_rates": "tax_rate", "meters": "billing.meter",
    "subscriptions": "subscription", "subscription_schedules": "subscription_schedule", "quotes": "quote",
    "invoices": "invoice", "invoice_items": "invoiceitem",
    "payment_intents": "payment_intent", "charges": "charge", "refunds": "refund", "disputes": "dispute",
    "credit_notes": "credit_note", "balance_transactions": "balance_transaction",
    "payment_methods": "payment_method", "credit_grants": "billing.credit_grant",
    "credit_balance_transactions": "billing.credit_balance_transaction", "alerts": "billing.alert", "events": "event",
}  # fmt: skip
NESTED = {  # table of children → the parents' table, and the field that holds them
    "subscription_items": ("subscriptions", "items"), "invoice_lines": ("invoices", "lines"),
    "credit_note_lines": ("credit_notes", "lines"),
}  # fmt: skip
OWNED = ("customer_balance_transactions", "invoice_payments", "quote_lines")  # of a parent that does not embed them
HIDDEN = {  # what shows only when expanded, and of an alert never
    "price": {"tiers", "currency_options"}, "coupon": {"applies_to", "currency_options"}, "quote": {"line_items"},
    "billing.alert": {"since", "triggered"},
}  # fmt: skip


@dataclass(frozen=True)
class Held:
    """An object as the API shows it (numbers as they are spelled), whose child it is, and whether a list shows it."""

    shown: Any
    parent: str | None = None
    is_listed: bool = True


@dataclass(frozen=True)
class Landed:
    """The newest version of an object in the warehouse."""

    shown: Any
    is_deleted: bool
    parent: str | None = None


class _Account:
    """Every stored object of a sandbox, and how the API renders it."""

    def __init__(self, folder: Path) -> None:
        connection = sqlite3.connect(f"file:{folder / 'sandbox.sqlite'}?mode=ro", uri=True)
        query = "select id, kind, parent, clock, hidden, json from object order by created desc, seq desc"
        self.rows = [(*row, _parsed(text)) for *row, text in connection.execute(query)]
        self.now = int(connection.execute("select value from meta where key = 'clock'").fetchone()[0])
        connection.close()
        self.stored: dict[str, Object] = {row[0]: row[-1] for row in self.rows}

    def whole(self, key: str, expands: Iterable[list[str]]) -> Object:
        """The object with what its list expands, its nested lists uncut."""
        shown: Object = self._plain(self.stored[key])
        for steps in expands:
            shown = self._expanded(shown, steps)
        return shown

    def is_alive(self, customer: str | None) -> bool:
        return customer is not None and not self.stored.get(customer, {"deleted": True}).get("deleted")

    def _plain(self, obj: Object) -> Object:
        if obj.get("deleted"):
            return {name: obj[name] for name in ("id", "object", "deleted")}
        return {name: value for name, value in obj.items() if name not in HIDDEN.get(obj["object"], ())}

    def _expanded(self, shown: Any, steps: list[str]) -> Any:
        """`shown` with what the steps name in place of its ids."""
        if isinstance(shown, list):
            return [self._expanded(one, steps) for one in shown]
        if isinstance(shown, str) and shown in self.stored:
            shown = _cut(self._plain(self.stored[shown]))
        if not steps or not isinstance(shown, dict):
            return shown
        name, rest = steps[0], steps[1:]
        kind = shown.get("object")
        if (kind, name) == ("invoice", "payments"):
            paid = [row[-1] for row in self.rows if row[1] == "invoice_payment" and row[-1]["invoice"] == shown["id"]]
            url = f"/v1/invoice_payments?invoice={shown['id']}"
            return shown | {name: {"object": "list", "data": paid, "has_more": False, "url": url}}
        value = self.stored[shown["id"]].get(name) if name in HIDDEN.get(kind or "", ()) else shown.get(name)
        return shown if value is None else shown | {name: self._expanded(value, rest)}


def _cut(shown: Object) -> Object:
    """The object as it embeds its nested lists."""
    for name in ("items", "lines", "payments"):
        if len((shown.get(name) or {}).get("data", ())) > EMBEDDED:
            shown = shown | {name: shown[name] | {"data": shown[name]["data"][:EMBEDDED], "has_more": True}}
    return shown


def state_of_sandbox(folder: Path) -> dict[str, dict[str, Held]]:
    """Table → id → what Stripe has; `folder` is the sandbox's. Deleted objects are absent."""
    account = _Account(folder)
    expands = {kind.table: [path.split(".")[1:] for path in kind.params.get("expand", [])] for kind in KINDS}
    kinds = {kind: table for table, kind in ROOTS.items()}
    found: dict[str, dict[str, Held]] = {table: {} for table in (*ROOTS, *NESTED, *OWNED, "quote_upfront_lines")}
    for key, kind, parent, clock, is_hidden, obj in account.rows:
        if kind == "customer_balance_transaction":
            is_listed = account.is_alive(parent) and clock is None
            found["customer_balance_transactions"][key] = Held(obj, parent, is_listed)
        elif kind == "invoice_payment":
            found["invoice_payments"][key] = Held(obj, obj["invoice"])
        if kind not in kinds or is_hidden:
            continue
        is_listed = obj.get("status") != "archived" if kind == "billing.alert" else True
        if clock is not None and kind in ("customer", "subscription", "quote"):
            is_listed = False
        whole = account.whole(key, expands.get(kinds[kind], []))
        found[kinds[kind]][key] = Held(_cut(whole), None, is_listed)
        for table, (parents, field) in NESTED.items():
            if parents == kinds[kind]:
                found[table] |= {one["id"]: Held(one, key, is_listed) for one in whole[field]["data"]}
        if kind == "quote":
            for table, lines in (
                ("quote_lines", obj["line_items"]["data"]),
                ("quote_upfront_lines", _upfront(obj, account.now)),
            ):
                found[table] |= {one["id"]: Held(one, key, is_listed) for one in lines}
    return found


def _upfront(quote: Object, now: int) -> Iterator[Object]:
    """The lines of a quote that are billed at once: not the recurring ones of a subscription that begins later."""
    data = quote["subscription_data"]
    begins_later = data["trial_period_days"] or int(data["effective_date"] or 0) > now
    return (one for one in quote["line_items"]["data"] if not (begins_later and one["price"]["recurring"]))


def state_of_warehouse(data: Path) -> dict[str, dict[str, Landed]]:
    """Table → id → its newest version, tombstones included; `data` is METERWISE_DATA."""
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        return {
            table: {
                key: Landed(_parsed(payload), is_deleted, parent)
                for key, payload, is_deleted, parent in connection.execute(
                    f"select id, payload, is_deleted, {'parent_id' if 'parent_id' in columns else 'null'}"
                    f" from raw_stripe.{table} qualify row_number() over"
                    " (partition by account_id, id order by loaded_at desc, rowid desc) = 1"
                ).fetchall()
            }
            for table, columns in _tables(connection).items()
        }


def _tables(connection: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Table of objects → its columns."""
    query = "select table_name, list(column_name) from duckdb_columns() where schema_name = 'raw_stripe' group by all"
    tables = {table: set(columns) for table, columns in connection.execute(query).fetchall()}
    return {table: columns for table, columns in sorted(tables.items()) if {"payload", "account_id"} <= columns}


def differences(folder: Path, data: Path) -> list[str]:
    """One line for each object of which the warehouse's newest version is not what the sandbox holds; [] is the goal.

    What no list shows (archived alerts, objects on test clocks) need not be there, but must be right if it is.
    """
    held, landed = state_of_sandbox(folder), state_of_warehouse(data)
    lines = [f"{table}: no such table" for table in held if table not in landed]
    for table in sorted(held.keys() & landed.keys()):
        # events that are over 30 days old are gone at Stripe, and stay here
        for key in sorted({*held[table], *(landed[table] if table != "events" else ())}):
            lines += _differing(f"{table} {key}", held[table].get(key), landed[table].get(key))
    return lines


def _differing(name: str, held: Held | None, landed: Landed | None) -> Iterator[str]:
    if landed is None:
        if held and held.is_listed:
            yield f"{name}: has not landed"
    elif held is None:
        if not landed.is_deleted:
            yield f"{name}: is gone, and the warehouse does not know"
    elif landed.is_deleted:
        yield f"{name}: is there, and the warehouse has a tombstone"
    elif held.parent != landed.parent:
        yield f"{name}: landed under {landed.parent}, belongs to {held.parent}"
    else:
        yield from (f"{name}: {said}" for said in _unlike(landed.shown, held.shown))


def _unlike(landed: Any, held: Any, at: str = "") -> Iterator[str]:
    """Where two JSON values differ, each as `path: landed → held`."""
    if isinstance(landed, dict) and isinstance(held, dict):
        for name in sorted({*landed, *held}):
            yield from _unlike(landed.get(name, "(absent)"), held.get(name, "(absent)"), f"{at}.{name}".strip("."))
    elif isinstance(landed, list) and isinstance(held, list) and len(landed) == len(held):
        for index, (one, other) in enumerate(zip(landed, held, strict=True)):
            yield from _unlike(one, other, f"{at}[{index}]")
    elif landed != held:
        yield f"{at}: {str(landed)[:80]} → {str(held)[:80]}"


def faults_of_history(data: Path) -> list[str]:
    """What must never be in the raw tables: a version that repeats the one before it, or a hash that is not its own."""
    lines = []
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        for table in _tables(connection):
            query = (
                "select id, version_hash, payload, is_deleted, lag(version_hash) over"
                f" (partition by account_id, id order by loaded_at, rowid) from raw_stripe.{table}"
            )
            for key, hashed, payload, is_deleted, before in connection.execute(query).fetchall():
                if hashed == before:
                    lines.append(f"{table} {key}: two versions in a row are the same")
                text = "".join(_TOKENS.findall(payload))
                own = hashlib.sha256((b"deleted\n" if is_deleted else b"") + text.encode()).hexdigest()
                if hashed != own:
                    lines.append(f"{table} {key}: the hash of a version is not that of its payload")
    return lines


def _parsed(text: str) -> Any:
    return _DECODER.decode(text)


def rows_of(data: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every table of raw_stripe that holds what was read, whole."""
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        query = "select table_name from duckdb_tables() where schema_name = 'raw_stripe'"
        names: Iterable[str] = (name for (name,) in connection.execute(query).fetchall())
        return {
            name: connection.execute(f"from raw_stripe.{name} order by all").fetchall()
            for name in names
            if not name.startswith(("_dlt", "load_"))
        }
