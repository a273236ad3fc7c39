"""A Hypothesis state machine does what customers and billing teams do, in any order; the books must always close.

Each example is a customer on a test clock of its own, driven through the official SDK. `make soak-sandbox` runs more.
"""

import itertools
import os
from collections.abc import Callable
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.sandbox.conftest import Sandbox
from tests.sandbox.furnish import DAY, catalogue

EXAMPLES = int(os.environ.get("METERWISE_SOAK_EXAMPLES", "12"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=14,
    deadline=None,
    phases=(Phase.generate,),  # shrinking takes minutes, and the steps are printed anyway
    derandomize="METERWISE_SOAK_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
REFUSALS = (stripe.InvalidRequestError, stripe.CardError)  # what Stripe may say to a step; a 500 is never one
HAS_EVENTS = {"customer", "subscription", "invoice", "credit_note", "payment_intent", "charge"}
SILENT = {
    ("payment_intent", "amount"),
    ("customer", "next_invoice_sequence"),
}  # changes for which Stripe has no type of event


class Books(RuleBasedStateMachine):
    """One customer's life. `v1` and `made` (the catalogue) are set by the test."""

    v1: Any
    made: dict[str, Any]

    @initialize(method=st.sampled_from(["pm_card_visa", "pm_card_visa", "pm_card_chargeCustomerFail"]))
    def begin(self, method: str) -> None:
        now = self.made["product"].created
        self.clock = self.v1.test_helpers.test_clocks.create({"frozen_time": now})
        self.now = now
        paying = {"payment_method": method, "invoice_settings": {"default_payment_method": method}}
        self.customer = self.v1.customers.create({"test_clock": self.clock.id, **paying}).id
        self.sub: str | None = None

    def attempt(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except REFUSALS:
            return None

    def invoices(self, **filters: Any) -> list[Any]:
        return list(self.v1.invoices.list({"customer": self.customer, "limit": 100, **filters}).auto_paging_iter())

    # --- what people do

    @precondition(lambda self: self.sub is None)
    @rule(quantity=st.integers(0, 5), metered=st.booleans(), coupon=st.booleans(), trial=st.sampled_from([0, 0, 5, 40]))
    def subscribe(self, quantity: int, metered: bool, coupon: bool, trial: int) -> None:
        items: list[dict[str, Any]] = [{"price": self.made["price"].id, "quantity": quantity}]
        items += [{"price": self.made["metered"].id}] if metered else []
        params: dict[str, Any] = {"customer": self.customer, "items": items}
        if coupon:
            params["discounts"] = [{"coupon": self.made["coupon"].id}]
        if trial:
            params["trial_period_days"] = trial
        self.sub = self.v1.subscriptions.create(params).id

    @precondition(lambda self: self.sub is not None)
    @rule(
        quantity=st.integers(1, 7),
        dear=st.booleans(),
        how=st.sampled_from(["create_prorations", "none", "always_invoice"]),
    )
    def change(self, quantity: int, dear: bool, how: str) -> None:
        sub = self.v1.subscriptions.retrieve(self.sub)
        item = next(one for one in sub["items"].data if one.price.recurring.usage_type == "licensed")
        price = self.made["dear" if dear else "price"].id
        change = {"items": [{"id": item.id, "price": price, "quantity": quantity}], "proration_behavior": how}
        self.attempt(lambda: self.v1.subscriptions.update(self.sub, change))

    @rule(days=st.integers(1, 40))
    def wait(self, days: int) -> None:
        self.now += days * DAY + 137
        self.v1.test_helpers.test_clocks.advance(self.clock.id, {"frozen_time": self.now})

    @rule(value=st.integers(-50, 4000), days_ago=st.integers(0, 30))
    def use(self, value: int, days_ago: int) -> None:
        payload = {"stripe_customer_id": self.customer, "value": str(value)}
        event = {"event_name": "calls", "payload": payload, "timestamp": self.now - days_ago * DAY}
        self.attempt(lambda: self.v1.billing.meter_events.create(event))

    @rule(amount=st.integers(-9000, 3000).filter(bool))
    def adjust_balance(self, amount: int) -> None:
        params = {"amount": amount, "currency": "usd"}
        self.v1.customers.balance_transactions.create(self.customer, params)

    @rule(amount=st.integers(-500, 5000).filter(bool))
    def add_item(self, amount: int) -> None:
        params = {"customer": self.customer, "amount": amount, "currency": "usd"}
        self.attempt(lambda: self.v1.invoice_items.create(params))

    @rule(value=st.integers(1, 3000))
    def grant_credit(self, value: int) -> None:
        self.v1.billing.credit_grants.create(
            {
                "customer": self.customer,
                "amount": {"type": "monetary", "monetary": {"currency": "usd", "value": value}},
                "applicability_config": {"scope": {"price_type": "metered"}},
                "category": "promotional",
            }
        )

    @rule(
        act=st.sampled_from(["pay", "void_invoice", "mark_uncollectible", "finalize_invoice"]), place=st.integers(0, 9)
    )
    def act_on_invoice(self, act: str, place: int) -> None:
        found = self.invoices()
        if found:
            chosen = found[place % len(found)].id
            self.attempt(lambda: getattr(self.v1.invoices, act)(chosen))

    @rule(percent=st.integers(1, 120), place=st.integers(0, 9))
    def credit(self, percent: int, place: int) -> None:
        found = [one for one in self.invoices() if one.status in ("open", "paid") and one.total > 0]
        if found:
            invoice = found[place % len(found)]
            amount = invoice.total * percent // 100
            paid = max(0, amount - invoice.amount_remaining)
            params = {"invoice": invoice.id, "amount": amount} | ({"credit_amount": paid} if paid else {})
            self.attempt(lambda: self.v1.credit_notes.create(params))

    @precondition(lambda self: self.sub is not None)
    @rule(now=st.booleans())
    def cancel(self, now: bool) -> None:
        if now:
            self.attempt(lambda: self.v1.subscriptions.cancel(self.sub))
        else:
            self.attempt(lambda: self.v1.subscriptions.update(self.sub, {"cancel_at_period_end": True}))

    # --- what must hold

    @invariant()
    def invoices_add_up(self) -> None:
        for invoice in self.invoices() if hasattr(self, "customer") else []:
            lines = list(self.v1.invoices.line_items.list(invoice.id, {"limit": 100}).auto_paging_iter())
            assert sum(line.amount for line in lines) == invoice.subtotal, invoice.id
            taken = sum(row.amount for row in invoice.total_discount_amounts)
            pretax = invoice.total_pretax_credit_amounts  # discounts are listed there as well
            credits = sum(row.amount for row in pretax if row.type == "credit_balance_transaction")
            assert invoice.total == invoice.subtotal - taken - credits, invoice.id
            if invoice.status != "draft":
                moved = invoice.starting_balance - invoice.ending_balance
                # a credit note on an open invoice reduces its amount_due, one on a paid invoice does not
                assert invoice.amount_due == invoice.total + moved - invoice.pre_payment_credit_notes_amount, invoice.id
                assert invoice.amount_due >= 0
                assert invoice.amount_remaining == invoice.amount_due - invoice.amount_paid, invoice.id
                assert invoice.status != "paid" or invoice.amount_remaining == 0

    @invariant()
    def the_balance_is_the_sum_of_its_movements(self) -> None:
        if not hasattr(self, "customer"):
            return
        rows = list(self.v1.customers.balance_transactions.list(self.customer, {"limit": 100}).auto_paging_iter())
        assert self.v1.customers.retrieve(self.customer).balance == sum(row.amount for row in rows)
        running = 0
        for row in reversed(rows):
            running += row.amount
            assert row.ending_balance == running

    def teardown(self) -> None:
        if not hasattr(self, "customer"):
            return
        self.usage_periods_neither_overlap_nor_leave_gaps()
        self.the_last_event_of_each_object_shows_it_as_it_is()
        self.v1.test_helpers.test_clocks.delete(self.clock.id)

    def usage_periods_neither_overlap_nor_leave_gaps(self) -> None:
        periods = set()
        for invoice in self.invoices():
            for line in self.v1.invoices.line_items.list(invoice.id, {"limit": 100}).auto_paging_iter():
                details = line.parent.subscription_item_details
                if details and not details.proration and line.pricing.price_details.price == self.made["metered"].id:
                    periods.add((line.period.start, line.period.end))
        ordered = sorted(periods)
        assert all(first[1] == second[0] for first, second in itertools.pairwise(ordered)), ordered

    def the_last_event_of_each_object_shows_it_as_it_is(self) -> None:
        newest: dict[str, Any] = {}
        for event in self.v1.events.list({"limit": 100}).auto_paging_iter():
            shown = event.data.object.to_dict(for_json=True)
            mine = self.customer in (shown.get("id"), shown.get("customer"))
            if mine and shown["object"] in HAS_EVENTS and not event.type.endswith(".upcoming"):
                newest.setdefault(shown["id"], (event.type, shown))
        retrieve = {
            "customer": self.v1.customers,
            "subscription": self.v1.subscriptions,
            "invoice": self.v1.invoices,
            "credit_note": self.v1.credit_notes,
            "payment_intent": self.v1.payment_intents,
            "charge": self.v1.charges,
        }
        assert self.customer in newest
        for identifier, (kind, shown) in newest.items():
            if kind.endswith(".deleted") and shown["object"] != "subscription":
                continue
            current = retrieve[shown["object"]].retrieve(identifier).to_dict(for_json=True)
            different = {
                key: (shown.get(key), value)
                for key, value in current.items()
                if shown.get(key) != value and (shown["object"], key) not in SILENT
            }
            assert not different, f"{identifier} after {kind}: {different}"


@pytest.fixture(scope="module")
def books(account: Sandbox) -> type[Books]:
    """The state machine on an account with a catalogue."""
    v1: Any = stripe.StripeClient("sk_test_books", base_addresses={"api": account.url}).v1
    made = catalogue(v1)
    return type("BooksHere", (Books,), {"v1": v1, "made": made})


def test_whatever_happens_the_books_close(books: type[Books]) -> None:
    run_state_machine_as_test(books, settings=SETTINGS)
