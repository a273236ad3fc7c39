"""Billing credits (stripe.md 4.6): grants, the ledger of what became of them, and what is left."""

from collections import Counter
from typing import Any

from sandbox import objects, waterfall
from sandbox.call import Call, Handler
from sandbox.options import UNUSED_GRANTS_PER_CUSTOMER
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.simple import changes, taken
from sandbox.store import Obj, Store

GRANT, ROW = "billing.credit_grant", "billing.credit_balance_transaction"
LINE = {"debit": "credits_applied", "credit": "credits_application_invoice_voided"}  # where a row names its line


def create(call: Call) -> Obj:
    """A grant of money for usage of metered prices, from `effective_at` (now) until `expires_at` (never)."""
    store, fields = call.store, taken(GRANT, call.params)
    money = fields["amount"]["monetary"]
    money["currency"] = money["currency"].lower()
    fields.setdefault("effective_at", store.now)
    for index, row in enumerate(fields["applicability_config"]["scope"].get("prices") or []):
        if not (store.get("price", row["id"])["recurring"] or {}).get("meter"):
            raise refuse("unmetered", f"applicability_config[scope][prices][{index}][id]", id=row["id"])
    if (fields.get("expires_at") or fields["effective_at"] + 1) <= fields["effective_at"]:
        raise refuse("not_future", "expires_at")
    if sum(left > 0 for left in _left(store, fields["customer"]).values()) >= UNUSED_GRANTS_PER_CUSTOMER:
        raise refuse("many_grants", most=UNUSED_GRANTS_PER_CUSTOMER)
    store.world.treated(store, fields["customer"], "credit", money["value"])
    return granted(store, fields.pop("customer"), **fields)


def granted(store: Store, customer: str, **fields: Any) -> Obj:
    """A new grant and its credit in the ledger."""
    clock = store.get("customer", customer)["test_clock"]
    grant = objects.create(store, GRANT, customer=customer, test_clock=clock, **fields)
    _record(store, grant, "credit", grant["amount"]["monetary"]["value"], "credits_granted")
    _plan_expiry(store, grant["id"], grant["expires_at"])
    return grant


def _plan_expiry(store: Store, grant: str, at: int | None) -> None:
    store.unschedule("credit_grant_expire", grant)
    if at is not None:
        store.schedule(at, "credit_grant_expire", grant)


def _check_update(call: Call, grant: Obj, fields: Obj) -> None:
    if "expires_at" in fields:
        _check_running(call.store, grant)
        _plan_expiry(call.store, grant["id"], fields["expires_at"])


def _check_running(store: Store, grant: Obj) -> None:
    if grant["voided_at"] is not None or _is_over(store, grant):
        raise refuse("status", id=grant["id"], now="expired" if grant["voided_at"] is None else "voided")


def _is_over(store: Store, grant: Obj) -> bool:
    return grant["expires_at"] is not None and grant["expires_at"] <= store.now


def close(call: Call, field: str, why: str) -> Obj:
    """Void a grant of which nothing was used, or expire it: what was used of it then stays used."""
    store, grant = call.store, call.target(GRANT)
    _check_running(store, grant)
    if field == "voided_at" and _left(store, grant["customer"])[grant["id"]] < grant["amount"]["monetary"]["value"]:
        raise refuse("grant_used", id=grant["id"])
    end(store, grant["id"], why)
    now: Obj = {field: store.now}
    return objects.update(store, grant, **now)


def end(store: Store, identifier: str, why: str = "credits_expired") -> None:
    """What is left of a grant is gone."""
    _plan_expiry(store, identifier, None)
    grant = store.get(GRANT, identifier)
    if left := _left(store, grant["customer"])[identifier]:
        _record(store, grant, "debit", left, why)


# --- the ledger


def _record(store: Store, grant: Obj, kind: str, amount: int, why: str, line: Obj | None = None) -> Obj:
    """A row of the ledger: `kind` credit or debit, amount in minor units, `line` the invoice line it is about."""
    money = {"monetary": grant["amount"]["monetary"] | {"value": amount}, "type": "monetary"}
    fields: Obj = {kind: {"amount": money, "type": why, LINE[kind]: line}, "type": kind, "credit_grant": grant["id"]}
    fields |= {"effective_at": max(store.now, grant["effective_at"]), "test_clock": grant["test_clock"]}
    return objects.create(store, ROW, parent=grant["customer"], **fields)


def _signed(row: Obj) -> int:
    amount: int = row[row["type"]]["amount"]["monetary"]["value"]
    return amount if row["credit"] else -amount


def _left(store: Store, customer: str) -> Counter[str]:
    """Grant → credits less debits, for all grants of a customer."""
    left: Counter[str] = Counter()
    for row in store.rows(ROW, parent=customer):
        left[row["credit_grant"]] += _signed(row)
    return left


def usable(store: Store, customer: str, currency: str, at: int) -> list[waterfall.Grant]:
    """The customer's grants in that currency with something left and effective at `at`, in the order of spending."""
    left, found = _left(store, customer), []
    for grant in store.rows(GRANT, customer=customer):
        starts, ends = grant["effective_at"], grant["expires_at"]
        is_due = starts <= at and (ends is None or at < ends)
        if is_due and left[grant["id"]] > 0 and grant["amount"]["monetary"]["currency"] == currency:
            terms = (grant["priority"], ends, grant["category"], starts, grant["created"], _prices(grant))
            found.append(waterfall.Grant(grant["id"], left[grant["id"]], *terms))
    return waterfall.ordered(found)


def _prices(grant: Obj) -> frozenset[str] | None:
    """The prices that a grant names; None: it is for all metered ones."""
    named = grant["applicability_config"]["scope"].get("prices")
    return frozenset(row["id"] for row in named) if named else None


def consume(store: Store, grant: str, amount: int, invoice: str, line: str) -> Obj:
    """Record that `amount` of a grant was applied to an invoice line. Returns the record."""
    on = {"invoice": invoice, "invoice_line_item": line}
    return _record(store, store.get(GRANT, grant), "debit", amount, "credits_applied", on)


def give_back(store: Store, invoice: Obj) -> None:
    """Return what a voided invoice had used; of a grant that has expired since, it expires with it."""
    used: Counter[tuple[str, str]] = Counter()
    for row in store.rows(ROW, parent=invoice["customer"]):
        line = row[row["type"]][LINE[row["type"]]] or {}
        if line.get("invoice") == invoice["id"]:
            used[row["credit_grant"], line["invoice_line_item"]] -= _signed(row)
    for (identifier, line_item), amount in used.items():
        if amount:
            grant, line = store.get(GRANT, identifier), {"invoice": invoice["id"], "invoice_line_item": line_item}
            _record(store, grant, "credit", amount, "credits_application_invoice_voided", line)
            if _is_over(store, grant):
                end(store, identifier)


def summary(call: Call) -> Obj:
    """What a customer has, by currency, of one grant or of those for certain prices; expired credits are gone."""
    store, customer, wanted = call.store, call.params["customer"], call.params["filter"]
    scope = wanted.get("applicability_scope") or Given({})
    prices = None if scope.get("price_type") else {row["id"] for row in scope.get("prices", ())}
    left, sums = _left(store, customer), Counter[str]()
    for grant in store.rows(GRANT, customer=customer):
        own = _prices(grant)
        is_meant = own is None if prices is None else bool(prices & (own or set()))
        if wanted["type"] == "credit_grant":
            is_meant = grant["id"] == wanted["credit_grant"]
        if is_meant and grant["effective_at"] <= store.now:
            sums[grant["amount"]["monetary"]["currency"]] += left[grant["id"]]
    money = [{"monetary": {"currency": one, "value": value}, "type": "monetary"} for one, value in sums.items()]
    balances = [{"available_balance": one, "ledger_balance": one} for one in money]
    return objects.shape("billing.credit_balance_summary", customer=customer, balances=balances)


ROUTES: dict[str, Handler] = {
    "POST /v1/billing/credit_grants": create,
    "POST /v1/billing/credit_grants/{id}": changes(GRANT, _check_update),
    "POST /v1/billing/credit_grants/{id}/void": lambda call: close(call, "voided_at", "credits_voided"),
    "POST /v1/billing/credit_grants/{id}/expire": lambda call: close(call, "expires_at", "credits_expired"),
    "GET /v1/billing/credit_balance_summary": summary,
}
TASKS = {"credit_grant_expire": end}
