"""What Stripe keeps, as far as the runner's calls reach: made, changed, moved through their states, listed.

One customer is enough for most tests; those that need many name `cus_7` or `sub_7`, which exist when asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

CUSTOMER, SUBSCRIPTION, INVOICE, DRAFT = "cus_1", "sub_1", "in_1", "in_draft1"
Body = dict[str, Any]

# Of a collection: the beginning of its ids, what its objects are called, and the state they are born in.
BORN: dict[str, tuple[str, str, Body]] = {
    "balance_transactions": ("cbtxn", "customer_balance_transaction", {}),
    "quotes": ("qt", "quote", {"status": "draft", "status_transitions": {"finalized_at": None, "canceled_at": None}}),
    "subscription_schedules": ("sub_sched", "subscription_schedule", {"status": "active"}),
    "prices": ("price", "price", {"active": True}),
    "credit_notes": ("cn", "credit_note", {"status": "issued"}),
    "credit_grants": ("credgr", "billing.credit_grant", {"voided_at": None}),
    "alerts": ("alrt", "billing.alert", {"status": "active"}),
}
# Of a verb: the states it may begin in, and what it changes.
VERBS: dict[str, tuple[set[str], Body]] = {
    "quotes/finalize": ({"draft"}, {"status": "open"}),
    "quotes/cancel": ({"draft", "open"}, {"status": "canceled"}),
    "subscription_schedules/release": ({"active", "not_started"}, {"status": "released"}),
    "subscription_schedules/cancel": ({"active", "not_started"}, {"status": "canceled"}),
    "credit_notes/void": ({"issued"}, {"status": "void"}),
    "credit_grants/void": ({""}, {"voided_at": 1}),
    "credit_grants/expire": ({""}, {"expires_at": 1}),
    "alerts/archive": ({"active", "inactive"}, {"status": "archived"}),
    "alerts/deactivate": ({"active"}, {"status": "inactive"}),
    "invoices/pay": ({"open"}, {"status": "paid", "amount_remaining": 0}),
    "subscriptions/resume": ({"paused"}, {"status": "active"}),
}
ASIDE = ("limit", "starting_after", "created", "expand")  # what a list takes that is no field
VERB_NAMES = {verb.partition("/")[2] for verb in VERBS}
COLLECTIONS = {
    *BORN, "customers", "subscriptions", "subscription_items", "invoices", "coupons", "products", "meters", "events",
}  # fmt: skip
NUMBERS = {"amount", "unit_amount", "quantity", "gte", "start_date", "end_date", "unit_amount_decimal"}


class Refusal(Exception):
    """A 4xx: status and Stripe's code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code = status, code


def item(name: str, price: str, quantity: int | None) -> Body:
    return {"id": name, "object": "subscription_item", "price": {"id": price}, "quantity": quantity}


def discount(number: int, coupon: str) -> Body:
    source = {"type": "coupon", "coupon": coupon}
    return {"id": f"di_{number}", "object": "discount", "source": source}


def unfold(form: list[tuple[str, str]]) -> Body:
    """`a[b][0][c]=1` as nested objects and lists; `true`, `false` and the amounts as what they are."""
    root: Body = {}
    for name, value in form:
        parts = re.findall(r"[^\[\]]+", name)
        here = root
        for part in parts[:-1]:
            here = here.setdefault(part, {})
        typed: Any = {"true": True, "false": False}.get(value, value)
        is_number = parts[-1] in NUMBERS and re.fullmatch(r"-?\d+", value)
        here[parts[-1]] = int(value) if is_number and "metadata" not in parts else typed
    found = _listed(root)
    assert isinstance(found, dict)
    return found


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(part) for key, part in value.items()}


class Objects:
    """Objects by path (`/v1/quotes/qt_1`), in the order they were made."""

    def __init__(self, livemode: bool, now: Callable[[], int]) -> None:
        self.livemode, self.now = livemode, now
        self.by_path: dict[str, Body] = {}
        for coupon in ("RETAIN20", "RETAIN10"):
            self._put(f"/v1/coupons/{coupon}", "coupon", valid=True, percent_off=20, amount_off=None, currency=None)
        for number in (1, 2, 9, 11, 12):
            about: Body = {"active": True, "currency": "usd", "product": "prod_1", "type": "recurring"}
            self._put(f"/v1/prices/price_{number}", "price", **about, unit_amount=1000 * number)
        self._put("/v1/products/prod_1", "product", active=True, name="Plan")
        self._put("/v1/billing/meters/mtr_1", "billing.meter", status="active", event_name="api_calls")
        for name in (CUSTOMER, SUBSCRIPTION, INVOICE, DRAFT):
            assert self.at(self.path_of(name))

    @staticmethod
    def path_of(name: str) -> str:
        kinds = {"cus": "customers", "sub": "subscriptions", "in": "invoices"}
        return f"/v1/{kinds[name.split('_')[0]]}/{name}"

    def _put(self, path: str, kind: str, **fields: Any) -> Body:
        known = {"id": path.rpartition("/")[2], "object": kind, "livemode": self.livemode, "metadata": {}}
        self.by_path[path] = known | {"created": self.now()} | fields
        return self.by_path[path]

    def at(self, path: str) -> Body | None:
        """The object there; customers, subscriptions and invoices with a number are there from the beginning."""
        if path in self.by_path:
            return self.by_path[path]
        found = re.fullmatch(r"/v1/(customers/cus|subscriptions/sub|invoices/in|invoices/in_draft)_?(\d+)", path)
        if not found:
            return None
        kind, number = found[1].partition("/")[0], found[2]
        about: Body = {"customer": f"cus_{number}", "currency": "usd"}
        if kind == "customers":
            settings = {"footer": None, "default_payment_method": "pm_1"}
            return self._put(path, "customer", currency="usd", invoice_settings=settings, balance=0, email=None)
        if kind == "subscriptions":
            tail = "" if number == "1" else f"_{number}"
            items = [item(f"si_1{tail}", "price_1", 3), item(f"si_2{tail}", "price_2", None)]
            month = {"current_period_start": self.now() - 86_400, "current_period_end": self.now() + 30 * 86_400}
            items = [one | month for one in items]
            more: Body = {"status": "active", "discounts": [], "schedule": None, "cancel_at_period_end": False}
            more |= {"items": {"object": "list", "has_more": False, "data": items}, "cancel_at": None}
            return self._put(path, "subscription", **about, **more)
        is_draft = "draft" in path
        about |= {"status": "draft" if is_draft else "open"}
        about |= dict.fromkeys(("amount_due", "amount_remaining", "total"), 5000)
        about |= {"attempt_count": 1, "next_payment_attempt": None, "footer": None, "auto_advance": False}
        about |= {"collection_method": "charge_automatically", "attempted": True, "number": f"N-{number}"}
        return self._put(path, "invoice", **about)

    def listed(self, path: str, query: Body) -> list[Body]:
        """The objects directly under `path`, newest first, that have what `query` asks for."""
        inside = [found for at, found in self.by_path.items() if at.rpartition("/")[0] == path]
        if path == "/v1/subscription_items":
            owner = self.at(self.path_of(query["subscription"]))
            return list(owner["items"]["data"]) if owner else []
        since = int((query.get("created") or {}).get("gte", 0))
        asked = {key: value for key, value in query.items() if key not in ASIDE and value != "all"}
        return [
            found
            for found in reversed(inside)
            if found["created"] >= since and all(found.get(key, value) == value for key, value in asked.items())
        ]

    def touched(self, path: str) -> Body | None:
        """The object that a POST to `path` changes, None when it would make one."""
        return self.at(path) or (self.at(path.rpartition("/")[0]) if self._verb(path) in VERBS else None)

    @staticmethod
    def _verb(path: str) -> str:
        parts = path.split("/")
        return f"{parts[-3]}/{parts[-1]}" if len(parts) > 4 else ""

    def post(self, path: str, given: Body) -> Body:
        """Carries a write out and returns the object; an event shows it as it is then. Raises Refusal when Stripe
        would say no.
        """
        body = self._post(path, given)
        if "meterwise_action" in body["metadata"]:
            self._put(f"/v1/events/evt_{len(self.by_path)}", "event", data={"object": copied(body)})
        return body

    def _post(self, path: str, given: Body) -> Body:
        changed = self.at(path)
        if changed is not None:
            return self._change(changed, given)
        verb = self._verb(path)
        if verb in VERBS:
            moved, (states, change) = self.at(path.rpartition("/")[0]), VERBS[verb]
            if moved is None:
                raise Refusal(404, "resource_missing")
            if moved.get("status", "") not in states or moved.get("voided_at"):
                raise Refusal(400, "invalid_state")
            if verb.startswith("subscription_schedules/"):
                self._owner(moved)["schedule"] = None
            if verb in ("quotes/finalize", "quotes/cancel"):
                when = "finalized_at" if verb.endswith("finalize") else "canceled_at"
                moved["status_transitions"] = moved["status_transitions"] | {when: self.now()}
            if verb == "invoices/pay":
                moved["attempt_count"] += 1
            moved |= change
            return self._change(moved, given)
        return self._make(path, given)

    def _owner(self, schedule: Body) -> Body:
        owner = self.at(self.path_of(schedule["subscription"]))
        assert owner is not None
        return owner

    def _make(self, path: str, given: Body) -> Body:
        collection = path.rpartition("/")[2]
        if collection not in BORN:
            raise Refusal(404, "resource_missing")
        prefix, kind, state = BORN[collection]
        if collection == "balance_transactions":
            payer = self.at(path.rpartition("/")[0])
            if payer is None:
                raise Refusal(404, "resource_missing")
            payer["balance"] += given["amount"]
        if collection == "subscription_schedules":
            owner = self.at(self.path_of(given["from_subscription"]))
            if owner is None or owner["schedule"] or set(given) - {"from_subscription", "metadata"}:
                raise Refusal(400, "invalid_request")
            state = state | {"subscription": owner["id"], "customer": owner["customer"]} | _phases(owner)
        if collection == "credit_notes":
            invoice = self.at(self.path_of(given["invoice"])) or {}
            state = state | {"customer": invoice.get("customer"), "currency": invoice.get("currency")}
        made = self._put(f"{path}/{prefix}_x{len(self.by_path)}", kind, **{"metadata": {}} | state | given)
        if collection == "subscription_schedules":
            self._owner(made)["schedule"] = made["id"]
        return made

    def _change(self, found: Body, given: Body) -> Body:
        merged = {
            key: value
            for key, value in ((found.get("metadata") or {}) | (given.get("metadata") or {})).items()
            if value
        }
        for wanted in given.get("items", []) if found["object"] == "subscription" else []:
            held = next((one for one in found["items"]["data"] if one["id"] == wanted.get("id")), None)
            if held is None:
                raise Refusal(400, "resource_missing")
            # A price that changes resets the quantity to 1 unless it is sent; a metered one has none.
            held |= {"price": {"id": wanted["price"]}, "quantity": wanted.get("quantity")}
        if "discounts" in given and found["object"] == "subscription":
            coupons = [wanted["coupon"] for wanted in given["discounts"] or []]
            found["discounts"] = [discount(number + 1, coupon) for number, coupon in enumerate(coupons)]
        settings = (
            {"invoice_settings": found["invoice_settings"] | given["invoice_settings"]}
            if "invoice_settings" in given
            else {}
        )
        found |= {
            key: value for key, value in given.items() if key not in ("items", "discounts", "metadata")
        } | settings
        found["metadata"] = merged
        return found


def _phases(owner: Body) -> Body:
    now = {"start_date": owner["created"], "end_date": owner["created"] + 30 * 86_400}
    held = [{"price": one["price"]["id"], "quantity": one["quantity"]} for one in owner["items"]["data"]]
    phase: Body = now | {"items": held}
    return {"phases": [phase], "current_phase": now, "end_behavior": "release"}


def copied(body: Body) -> Body:
    found: Body = json.loads(json.dumps(body))
    return found
