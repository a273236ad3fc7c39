"""After a load the warehouse holds what Stripe holds: every kind, long lists, what is hidden and what is over."""

from pathlib import Path

import pytest

from dlt_pipelines.stripe_api import ACCOUNT, EVENTS, KINDS, LEFT_OUT
from sandbox.resources import RESOURCES
from tests.dlt_pipelines import oracle
from tests.dlt_pipelines.furnished import ITEMS, LONG, MANY
from tests.dlt_pipelines.proof import Proof
from tests.dlt_pipelines.stripe_bytes import rows

# Every list of Stripe's about billing, as its reference names them.
LISTS = (
    "/v1/customers", "/v1/products", "/v1/prices", "/v1/plans", "/v1/coupons", "/v1/promotion_codes",
    "/v1/subscriptions", "/v1/subscription_items", "/v1/subscription_schedules", "/v1/invoices",
    "/v1/invoices/{id}/lines", "/v1/invoiceitems", "/v1/invoice_payments", "/v1/payment_intents", "/v1/charges",
    "/v1/refunds", "/v1/disputes", "/v1/credit_notes", "/v1/credit_notes/{id}/lines",
    "/v1/customers/{id}/balance_transactions", "/v1/quotes", "/v1/quotes/{id}/line_items",
    "/v1/quotes/{id}/computed_upfront_line_items", "/v1/billing/meters", "/v1/billing/alerts",
    "/v1/billing/credit_grants", "/v1/billing/credit_balance_transactions", "/v1/billing/credit_balance_summary",
    "/v1/tax_rates", "/v1/balance_transactions", "/v1/payment_methods", "/v1/events", "/v1/webhook_endpoints",
    "/v1/test_helpers/test_clocks", "/v1/account",
)  # fmt: skip
HIDDEN_OR_OVER = {  # what a careless reader misses → SQL that finds it among what landed
    "a canceled subscription": ("subscriptions", "payload ->> '$.status' = 'canceled'"),
    "an archived product": ("products", "payload ->> '$.active' = 'false'"),
    "an archived price": ("prices", "payload ->> '$.active' = 'false'"),
    "a price's tiers": ("prices", "payload ->> '$.tiers[1].unit_amount_decimal' = '0.5'"),
    "a spent promotion code": ("promotion_codes", "payload ->> '$.active' = 'false'"),
    "an archived tax rate": ("tax_rates", "payload ->> '$.active' = 'false'"),
    "a meter that is off": ("meters", "payload ->> '$.status' = 'inactive'"),
    "an alert that is off": ("alerts", "payload ->> '$.status' = 'inactive'"),
    "a draft invoice": ("invoices", "payload ->> '$.status' = 'draft'"),
    "a void invoice": ("invoices", "payload ->> '$.status' = 'void'"),
    "an uncollectible invoice": ("invoices", "payload ->> '$.status' = 'uncollectible'"),
    "a canceled payment": ("payment_intents", "payload ->> '$.status' = 'canceled'"),
    "a pending invoice item": ("invoice_items", "payload ->> '$.invoice' is null"),
    "a void credit note": ("credit_notes", "payload ->> '$.status' = 'void'"),
    "a void grant": ("credit_grants", "payload ->> '$.voided_at' is not null"),
    "a released schedule": ("subscription_schedules", "payload ->> '$.status' = 'released'"),
    "a canceled quote": ("quotes", "payload ->> '$.status' = 'canceled'"),
}


def test_every_list_of_stripes_is_loaded_or_left_out_for_a_stated_reason() -> None:
    nested = {nested.path for kind in KINDS for nested in kind.nested}
    read = {kind.path for kind in (*KINDS, ACCOUNT, EVENTS)} | nested
    # what belongs to a customer may be read from the customer
    of_customers = {f"/v1/{path.rpartition('/')[2]}" for path in nested if path.startswith("/v1/customers/{id}/")}

    assert set(LISTS) - read - of_customers == set(LEFT_OUT)
    assert all(LEFT_OUT.values())


def test_these_proofs_know_every_list_of_the_sandbox() -> None:
    assert {one.url for one in RESOURCES.values() if one.url} - set(LISTS) == {"/v1/accounts"}  # of Connect


def test_a_first_load_holds_every_object_of_stripes(loaded: Path) -> None:
    held = oracle.state_of_sandbox(loaded / "sandbox")

    assert oracle.differences(loaded / "sandbox", loaded) == []
    assert oracle.faults_of_history(loaded) == []
    assert [table for table, found in held.items() if not found] == [], "the account has none of these"


@pytest.mark.parametrize("what", HIDDEN_OR_OVER)
def test_what_is_hidden_or_over_has_landed(loaded: Path, what: str) -> None:
    table, condition = HIDDEN_OR_OVER[what]
    assert rows(loaded, f"select count(*) > 0 from raw_stripe.{table} where {condition}") == [(True,)]


def test_lists_longer_than_stripe_embeds_are_whole(loaded: Path) -> None:
    longest = "select count(*) from raw_stripe.{} group by parent_id order by all desc limit {}"

    assert rows(loaded, longest.format("invoice_lines", 2)) == [(LONG,), (25,)]
    assert rows(loaded, longest.format("subscription_items", 1)) == [(ITEMS,)]
    assert rows(loaded, longest.format("quote_lines", 1)) == [(15,)]
    assert rows(loaded, longest.format("credit_note_lines", 1)) == [(12,)]
    assert rows(loaded, longest.format("customer_balance_transactions", 1)) == [(LONG,)]
    assert rows(loaded, f"select count(*) > {MANY} from raw_stripe.customers") == [(True,)]


def test_a_second_load_appends_nothing_and_asks_ten_times_at_most(proof: Proof) -> None:
    before, asked = oracle.rows_of(proof.data), len(proof.served.requests)

    done = proof.load()

    assert oracle.rows_of(proof.data) == before
    assert sum(one.rows_appended for one in done.tallies.values()) == 0
    requests = proof.asked(asked)
    assert len(requests) <= 10, requests
