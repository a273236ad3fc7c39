"""Customers, their balance and their cards, driven by the official SDK."""

from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.refusal import refused


@pytest.fixture
def v1(account: Sandbox) -> Any:
    return account.stripe.v1


def latest(v1: Any, kind: str, about: str) -> Any:
    """The newest event of that type about an object."""
    found = v1.events.list({"type": kind, "limit": 100}).auto_paging_iter()
    return next(event.to_dict() for event in found if event.data.object.to_dict().get("id") == about)


def test_a_customer_keeps_what_it_was_made_with(v1: Any) -> None:
    made = v1.customers.create(
        {
            "name": "Ada",
            "email": "ada@example.com",
            "address": {"country": "GB", "city": "London"},
            "tax_exempt": "reverse",
            "preferred_locales": ["en"],
            "business_name": "Engines",
            "metadata": {"tier": "a"},
        }
    )
    kept = v1.customers.retrieve(made.id).to_dict()
    assert kept == made.to_dict()
    assert (kept["address"]["country"], kept["tax_exempt"], kept["preferred_locales"]) == ("GB", "reverse", ["en"])
    assert (kept["business_name"], kept["metadata"], kept["balance"]) == ("Engines", {"tier": "a"}, 0)
    assert latest(v1, "customer.created", made.id)["data"]["object"]["name"] == "Ada"


def test_metadata_merges_and_an_empty_value_takes_a_key_away(v1: Any) -> None:
    made = v1.customers.create({"metadata": {"a": "1", "b": "2"}})
    assert v1.customers.update(made.id, {"metadata": {"b": "", "c": "3"}}).metadata.to_dict() == {"a": "1", "c": "3"}
    assert latest(v1, "customer.updated", made.id)["data"]["previous_attributes"] == {"metadata": {"b": "2", "c": None}}
    assert v1.customers.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


def test_an_empty_text_clears_a_field(v1: Any) -> None:
    made = v1.customers.create({"name": "Ada", "description": "x", "tax_exempt": "exempt", "phone": "1"})
    changed = v1.customers.update(made.id, {"name": "", "tax_exempt": "", "address": ""})
    assert (changed.name, changed.tax_exempt, changed.address, changed.phone) == (None, "none", None, "1")


def test_invoice_settings_keep_what_is_not_sent(v1: Any) -> None:
    made = v1.customers.create({"invoice_settings": {"footer": "thanks"}})
    fields = [{"name": "PO", "value": "7"}]
    settings = v1.customers.update(made.id, {"invoice_settings": {"custom_fields": fields}}).invoice_settings
    assert (settings.footer, settings.custom_fields[0].value) == ("thanks", "7")


def test_a_balance_transaction_sets_the_currency_that_a_customer_lacks(v1: Any) -> None:
    made = v1.customers.create({})
    moved = v1.customers.balance_transactions.create(made.id, {"amount": -500, "currency": "EUR"})
    assert (moved.ending_balance, moved.type, moved.currency) == (-500, "adjustment", "eur")
    now = v1.customers.retrieve(made.id)
    assert (now.balance, now.currency) == (-500, "eur")
    assert latest(v1, "customer.updated", made.id)["data"]["previous_attributes"] == {"balance": 0, "currency": None}


def test_a_balance_in_another_currency_is_refused(v1: Any) -> None:
    made = v1.customers.create({})
    v1.customers.balance_transactions.create(made.id, {"amount": -500, "currency": "usd"})
    with refused("currency"):
        v1.customers.balance_transactions.create(made.id, {"amount": -500, "currency": "eur"})
    with refused("currency"):
        v1.customers.balance_transactions.create(made.id, {"amount": -500, "currency": "zzz"})
    assert v1.customers.retrieve(made.id).balance == -500


def test_a_balance_set_on_the_customer_is_a_transaction_of_the_difference(v1: Any) -> None:
    made = v1.customers.create({"balance": -200})
    v1.customers.update(made.id, {"balance": 50})
    rows = v1.customers.balance_transactions.list(made.id).data
    assert [(row.amount, row.ending_balance) for row in rows] == [(250, 50), (-200, -200)]
    assert v1.customers.retrieve(made.id).currency == "usd"


def test_only_words_about_a_balance_transaction_can_change(v1: Any) -> None:
    one, other = v1.customers.create({}), v1.customers.create({})
    moved = v1.customers.balance_transactions.create(one.id, {"amount": 7, "currency": "usd", "metadata": {"a": "b"}})
    v1.customers.balance_transactions.update(one.id, moved.id, {"description": "why", "metadata": {"c": "d"}})
    kept = v1.customers.balance_transactions.retrieve(one.id, moved.id)
    assert (kept.description, kept.metadata.to_dict(), kept.amount) == ("why", {"a": "b", "c": "d"}, 7)
    with refused("amount", code="parameter_unknown"):
        v1.customers.balance_transactions.update(one.id, moved.id, {"amount": 8})
    with refused(status=404, code="resource_missing"):
        v1.customers.balance_transactions.retrieve(other.id, moved.id)


def test_a_deleted_customer_can_be_retrieved_but_not_used_or_listed(v1: Any) -> None:
    made = v1.customers.create({"email": "gone@example.com"})
    assert v1.customers.delete(made.id).to_dict() == {"id": made.id, "object": "customer", "deleted": True}
    assert v1.customers.retrieve(made.id).to_dict() == {"id": made.id, "object": "customer", "deleted": True}
    assert v1.customers.list({"email": "gone@example.com"}).data == []
    assert latest(v1, "customer.deleted", made.id)["data"]["object"]["email"] == "gone@example.com"
    with refused(status=404, code="resource_missing"):
        v1.customers.update(made.id, {"name": "again"})
    with refused(status=404, code="resource_missing"):
        v1.customers.delete(made.id)


def test_deleting_a_customer_cancels_the_subscriptions_at_once(v1: Any) -> None:
    made = v1.customers.create({"payment_method": "pm_card_visa"})
    v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": "pm_card_visa"}})
    data = {"currency": "usd", "unit_amount": 500, "recurring": {"interval": "month"}, "product_data": {"name": "P"}}
    sub = v1.subscriptions.create({"customer": made.id, "items": [{"price": v1.prices.create(data).id}]})
    v1.customers.delete(made.id)
    assert v1.subscriptions.retrieve(sub.id).status == "canceled"


def test_a_customer_without_a_discount_has_none_to_delete(v1: Any) -> None:
    made = v1.customers.create({})
    with refused(status=404):
        v1.customers.delete_discount(made.id)


# --- payment methods


def test_a_test_card_becomes_a_payment_method_with_an_id_of_its_own(v1: Any) -> None:
    made = v1.customers.create(
        {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    )
    [method] = v1.customers.payment_methods.list(made.id).data
    assert method.id != "pm_card_visa"
    assert method.id.startswith("pm_")
    assert (method.customer, method.card.last4, made.invoice_settings.default_payment_method) == (
        made.id, "4242", method.id,
    )  # fmt: skip
    assert latest(v1, "payment_method.attached", method.id)["data"]["object"]["customer"] == made.id


def test_a_default_payment_method_must_be_the_customers(v1: Any) -> None:
    one, other = v1.customers.create({}), v1.customers.create({"payment_method": "pm_card_visa"})
    method = v1.customers.payment_methods.list(other.id).data[0]
    with refused("invoice_settings[default_payment_method]", code="resource_missing"):
        v1.customers.update(one.id, {"invoice_settings": {"default_payment_method": method.id}})
    with refused("invoice_settings[default_payment_method]", code="resource_missing"):
        v1.customers.create({"invoice_settings": {"default_payment_method": "pm_card_visa"}})
    with refused("payment_method", code="resource_missing"):
        v1.customers.create({"payment_method": "pm_card_unknown"})


def test_a_payment_method_belongs_to_one_customer(v1: Any) -> None:
    one, other = v1.customers.create({}), v1.customers.create({})
    method = v1.payment_methods.attach("pm_card_mastercard", {"customer": one.id})
    assert method.card.brand == "mastercard"
    assert v1.payment_methods.attach(method.id, {"customer": one.id}).customer == one.id
    with refused(says="already been attached"):
        v1.payment_methods.attach(method.id, {"customer": other.id})
    with refused(status=404, code="resource_missing"):
        v1.payment_methods.attach("pm_nothing", {"customer": one.id})


def test_a_detached_payment_method_is_nobodys_default(v1: Any) -> None:
    made = v1.customers.create({"payment_method": "pm_card_visa"})
    [method] = v1.customers.payment_methods.list(made.id).data
    v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": method.id}})
    assert v1.payment_methods.detach(method.id).customer is None
    assert v1.customers.retrieve(made.id).invoice_settings.default_payment_method is None
    assert v1.customers.payment_methods.list(made.id).data == []
    with refused(says="not attached"):
        v1.payment_methods.detach(method.id)
