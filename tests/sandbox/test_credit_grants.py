"""Billing credits, driven by the official SDK; what invoices do with them is tested with invoices."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox import credit_grants, objects
from sandbox.store import Store
from tests.sandbox.conftest import Sandbox
from tests.sandbox.refusal import refused


@pytest.fixture
def v1(account: Sandbox) -> Any:
    return account.stripe.v1


@pytest.fixture
def customer(v1: Any) -> str:
    return str(v1.customers.create({}).id)


@pytest.fixture
def grant(v1: Any, customer: str) -> Callable[..., Any]:
    """Grants the test's customer credits for metered prices."""

    def made(value: int = 500, currency: str = "usd", **more: Any) -> Any:
        given = {
            "customer": customer,
            "amount": {"type": "monetary", "monetary": {"currency": currency, "value": value}},
            "applicability_config": {"scope": {"price_type": "metered"}},
            "category": "paid",
        }
        return v1.billing.credit_grants.create(given | more)

    return made


@pytest.fixture
def balance(v1: Any, customer: str) -> Callable[..., dict[str, int]]:
    """Currency → what is available."""

    def asked(**scope: Any) -> dict[str, int]:
        by = {"type": "applicability_scope", "applicability_scope": scope or {"price_type": "metered"}}
        found = v1.billing.credit_balance_summary.retrieve({"customer": customer, "filter": by}).balances
        assert all(row.available_balance.to_dict() == row.ledger_balance.to_dict() for row in found)
        return {row.available_balance.monetary.currency: row.available_balance.monetary.value for row in found}

    return asked


def rows(v1: Any, grant: Any) -> list[tuple[str, str, int]]:
    """(type, reason, amount) of each row of a grant's ledger, oldest first."""
    found = v1.billing.credit_balance_transactions.list({"customer": grant.customer, "credit_grant": grant.id}).data
    told = [(row.type, row.to_dict()[row.type]) for row in reversed(found)]
    return [(kind, row["type"], row["amount"]["monetary"]["value"]) for kind, row in told]


def test_a_grant_is_a_credit_in_the_ledger(v1: Any, grant: Callable[..., Any], balance: Callable[..., Any]) -> None:
    made = grant(priority=10, name="sorry", metadata={"a": "b"})
    assert (made.priority, made.category, made.effective_at, made.updated) == (10, "paid", made.created, made.created)
    assert rows(v1, made) == [("credit", "credits_granted", 500)]
    grant(20, "eur")
    assert balance() == {"usd": 500, "eur": 20}
    by = {"type": "credit_grant", "credit_grant": made.id}
    one = v1.billing.credit_balance_summary.retrieve({"customer": made.customer, "filter": by}).balances
    assert [row.ledger_balance.monetary.value for row in one] == [500]


def test_a_grant_expires_by_itself(
    v1: Any, account: Sandbox, grant: Callable[..., Any], balance: Callable[..., Any]
) -> None:
    made = grant(expires_at=grant(1).created + 7200)
    account.advance(hours=1)
    assert balance() == {"usd": 501}
    later = v1.billing.credit_grants.update(made.id, {"expires_at": made.expires_at + 3600, "metadata": {"x": "y"}})
    account.advance(hours=1)
    assert balance() == {"usd": 501}
    account.advance(hours=1)
    assert rows(v1, later) == [("credit", "credits_granted", 500), ("debit", "credits_expired", 500)]
    assert balance() == {"usd": 1}
    with refused(says="expired"):
        v1.billing.credit_grants.update(made.id, {"expires_at": ""})


def test_a_grant_that_is_not_effective_yet_is_no_balance(
    account: Sandbox, grant: Callable[..., Any], balance: Callable[..., Any]
) -> None:
    grant(300, effective_at=grant(1).created + 3600)
    assert balance() == {"usd": 1}
    account.advance(hours=2)
    assert balance() == {"usd": 301}


def test_a_grant_is_voided_or_expired_once(v1: Any, grant: Callable[..., Any], balance: Callable[..., Any]) -> None:
    void, expired = grant(), grant()
    assert v1.billing.credit_grants.void_grant(void.id).voided_at == void.created
    assert v1.billing.credit_grants.expire(expired.id).expires_at == expired.created
    assert (rows(v1, void)[1][1], rows(v1, expired)[1][1]) == ("credits_voided", "credits_expired")
    for over in (void, expired):
        for act in (v1.billing.credit_grants.void_grant, v1.billing.credit_grants.expire):
            with refused():
                act(over.id)
    assert balance() == {"usd": 0}


def test_a_grant_for_named_prices_is_for_those(v1: Any, grant: Callable[..., Any], balance: Callable[..., Any]) -> None:
    aggregation = {"formula": "sum"}
    meter = v1.billing.meters.create({"display_name": "M", "event_name": "g", "default_aggregation": aggregation})
    recurring = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    data = {"currency": "usd", "unit_amount": 1, "product_data": {"name": "P"}}
    metered, licensed = v1.prices.create(data | {"recurring": recurring}), v1.prices.create(data)
    made = grant(applicability_config={"scope": {"prices": [{"id": metered.id}]}})
    assert made.applicability_config.scope.prices[0].id == metered.id
    assert (balance(), balance(prices=[{"id": metered.id}])) == ({}, {"usd": 500})
    with refused("applicability_config[scope][prices][0][id]"):
        grant(applicability_config={"scope": {"prices": [{"id": licensed.id}]}})


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 0}}}, "amount[monetary][value]"),
        (
            {"amount": {"type": "monetary", "monetary": {"currency": "zzz", "value": 1}}},
            "amount[monetary][currency]",
        ),
        (
            {"applicability_config": {"scope": {"price_type": "metered", "prices": [{"id": "price_none"}]}}},
            "applicability_config[scope][prices]",
        ),
        ({"priority": 101}, "priority"),
        ({"expires_at": 1}, "expires_at"),
        ({"customer": "cus_none"}, "customer"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(grant: Callable[..., Any], wrong: dict[str, Any], param: str) -> None:
    with refused(param):
        grant(**wrong)


def test_amount_and_scope_of_a_grant_cannot_be_changed(v1: Any, grant: Callable[..., Any]) -> None:
    made = grant()
    for name in ("amount", "category", "priority", "name"):
        with refused(name, code="parameter_unknown"):
            v1.billing.credit_grants.update(made.id, {name: "1"})


# --- what invoices use


@pytest.fixture
def given(store: Store) -> Callable[..., Any]:
    """Grants a customer of an in-process store credits."""
    objects.create(store, "customer", id="cus_1")

    def made(value: int, **fields: Any) -> Any:
        money = {"monetary": {"currency": fields.pop("currency", "usd"), "value": value}, "type": "monetary"}
        scope = {"scope": {"price_type": "metered"}}
        return credit_grants.granted(
            store, "cus_1", amount=money, applicability_config=scope, effective_at=fields.pop("at", store.now), **fields
        )

    return made


def test_grants_are_spent_in_stripes_order(store: Store, given: Callable[..., Any]) -> None:
    with store.transaction():
        later = given(1, expires_at=store.now + 9000)
        paid = given(2, category="paid")
        never = given(3)
        soon = given(4, expires_at=store.now + 100)
        first = given(5, priority=0)
        given(6, currency="eur")
        given(7, at=store.now + 50)
        order = [grant.id for grant in credit_grants.usable(store, "cus_1", "usd", store.now)]
        assert order == [grant["id"] for grant in (first, soon, later, never, paid)]
        left = [grant.left for grant in credit_grants.usable(store, "cus_1", "usd", store.now + 100)]
        assert left == [5, 1, 3, 7, 2]


def test_what_an_invoice_used_comes_back_when_it_is_voided(store: Store, given: Callable[..., Any]) -> None:
    with store.transaction():
        grant, gone = given(100), given(50, expires_at=store.now + 10)
        credit_grants.consume(store, grant["id"], 60, "in_1", "il_1")
        credit_grants.consume(store, grant["id"], 10, "in_2", "il_2")
        credit_grants.consume(store, gone["id"], 50, "in_1", "il_1")
        assert [one.left for one in credit_grants.usable(store, "cus_1", "usd", store.now)] == [30]
        store.now += 20
        invoice = {"id": "in_1", "customer": "cus_1"}
        credit_grants.give_back(store, invoice)
        credit_grants.give_back(store, invoice)
        assert [one.left for one in credit_grants.usable(store, "cus_1", "usd", store.now)] == [90]
        kinds = [row["debit"]["type"] for row in store.rows(credit_grants.ROW) if row["type"] == "debit"]
        assert kinds == ["credits_applied"] * 3 + ["credits_expired"]
