"""When one more try, or a plan of instalments, is proposed, what it is worth, and that the runner can do it."""

from __future__ import annotations

import json
import math
import random
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actions.executors.decision import Decision
from actions.executors.retry_payment import RetryPayment
from tests.dbt_project.money_world import AS_OF, DUNNING, END, PLANS, RULES, Collecting, compiled_in, slots_of

HOUR = timedelta(hours=1)
RETRIES, INSTALMENTS = "int_retry_payments_proposed", "int_payment_plans_proposed"
REFUSED = [(9, "insufficient_funds"), (6, "insufficient_funds"), (2, "generic_decline")]


@pytest.fixture(scope="module")
def sql(first_run: tuple[Path, str]) -> dict[str, str]:
    return compiled_in(first_run[0], *DUNNING, *PLANS)


@pytest.mark.parametrize(("hours", "apart"), [(48, 48), (1, 1), (0, 1), (0.5, 1)])
def test_stripe_is_left_alone_up_to_the_very_second_and_for_an_hour_at_least(
    sql: dict[str, str], hours: float, apart: int
) -> None:
    world, border = Collecting(), END + apart * HOUR
    for name, next_at in {
        "at": border,
        "before": END - HOUR,
        "after": border + timedelta(seconds=1),
        "over": None,
    }.items():
        world.invoice(name, REFUSED, next_at=next_at)
    rules = RULES | {"retry_payment": RULES["retry_payment"] | {"hours_to_next_attempt": hours}}
    assert [row["subject_id"] for row in world.proposed(sql, RETRIES, rules)] == ["after", "over"]


def test_no_other_try_where_it_would_race_annoy_or_be_of_no_use(sql: dict[str, str]) -> None:
    others: list[dict[str, Any]] = [
        {"collection_method": "send_invoice"},
        {"dispute": "needs_response"},
        {"dispute": "lost"},
        {"advice": "do_not_try_again"},
        {"billing_reason": "subscription_create"},
        {"tries": []},
        {"amount_remaining_minor": 0},
        {"customer": {"currency": "eur"}},
        {"customer": {"is_deleted": True}},
    ]
    world = Collecting()
    for number, invoice in enumerate(others):
        world.invoice(f"in_{number}", invoice.pop("tries", REFUSED), **invoice)
    world.invoice("in_plain", REFUSED)
    world.invoice("in_won", REFUSED, dispute="won")
    assert [row["subject_id"] for row in world.proposed(sql, RETRIES)] == ["in_plain", "in_won"]


def test_a_final_refusal_counts_until_the_customer_has_another_card(sql: dict[str, str]) -> None:
    world = Collecting()
    for name, card in {"none": None, "same": "pm_1", "other": "pm_2"}.items():
        world.invoice(name, [(5, "stolen_card")], card=card)
    for reason in ("lost_card", "do_not_honor", "expired_card", "authentication_required"):
        world.invoice(reason, [(5, reason)])
    world.invoice("passing", [(5, "odd")])
    other, passing = world.proposed(sql, RETRIES)
    assert (other["subject_id"], passing["subject_id"]) == ("other", "passing")
    # whoever decides reads that another card is asked; the draft to the customer says no reason at all
    assert json.loads(other["words"])["stripe_tries"].endswith(
        "Another payment method is on file now, and the next try goes to that one."
    )
    assert json.loads(passing["words"])["stripe_tries"] == "Stripe does not try it again by itself."
    assert set(slots_of("retry_payment_message")) == {"customer", "amount", "invoice_day"}


def test_what_is_paid_in_instalments_or_already_under_way_is_not_charged_once_more(sql: dict[str, str]) -> None:
    world = Collecting()
    world.invoice("debit", [(9, "odd"), (5, "pending")])
    for name, undone in {"agreed": None, "undone": END}.items():
        world.invoice(name, REFUSED)
        params = json.dumps({"instalments": [], "invoice": name})
        world.add("intermediate.int_actions_executed", kind="payment_plan", params=params, undone_at=undone)
    assert [row["subject_id"] for row in world.proposed(sql, RETRIES)] == ["undone"]


def test_what_is_left_of_a_partly_paid_invoice_is_what_is_tried_and_the_runner_can_do_it(sql: dict[str, str]) -> None:
    world = Collecting()
    world.invoice("in_1", REFUSED[:1], amount_remaining_minor=1240, amount_paid_minor=8760, currency="jpy")
    [row] = world.proposed(sql, RETRIES)
    precondition = json.loads(row["precondition"])
    assert precondition == {
        "amount_remaining": 1240, "attempt_count": 1, "currency": "jpy", "customer": "cus_in_1", "invoice": "in_1",
        "invoice_status": "open", "livemode": False, "next_payment_attempt": None,
    }  # fmt: skip
    steps = RetryPayment().plan(row["kind"], row["amount_minor"], json.loads(row["params"]), precondition)
    assert [step.path for step in steps] == ["/v1/invoices/in_1", "/v1/invoices/in_1/pay"]
    assert json.loads(row["words"])["amount"] == "JPY 1,240"
    # nothing is known but the prior, and Stripe's own retries are over
    assert (row["confidence"], row["expected_value_minor"]) == (pytest.approx(0.3), 372)
    assert row["expected_value_low_minor"] < row["expected_value_minor"] < row["expected_value_high_minor"]


def chance_of(tries: list[tuple[int, str, int, bool]], number: int, reason: str, days: int) -> float:
    """By counting: from all tries to those ever more alike; each is (number, refusal before, days after it, worked)."""
    days_alike = [range(2), range(2, 4), range(4, 8), range(8, 999)]
    same_days = next(span for span in days_alike if days in span)
    chance, weight = 0.3, 10
    for is_in in (
        lambda one: True,
        lambda one: min(one[0], 4) == min(number, 4),
        lambda one: one[1] == reason,
        lambda one: one[2] in same_days,
    ):
        tries = [one for one in tries if is_in(one)]
        chance = (sum(one[3] for one in tries) + weight * chance) / (len(tries) + weight)
    return chance


def test_the_chance_is_that_of_the_accounts_own_tries_the_more_alike_the_more_they_count(sql: dict[str, str]) -> None:
    chances = random.Random(5)  # noqa: S311 - a history, no secret
    world, seen, ended = Collecting(), [], []
    for name in range(60):
        days, tries = 200, list[tuple[int, str | None]]()
        for number in range(1, chances.randrange(2, 7)):
            reason = None if number > 1 and chances.random() < 0.4 else chances.choice(["insufficient_funds", "odd"])
            days -= chances.choice([1, 3, 5, 9])
            if tries:
                seen.append((number, str(tries[-1][1]), tries[-1][0] - days, reason is None))
            tries.append((days, reason))
            if reason is None:
                break
        is_paid = tries[-1][1] is None
        ended.append((len(tries) - is_paid, is_paid))
        world.invoice(f"in_old_{name:02}", tries, status="paid" if is_paid else "uncollectible")
    world.invoice("in_a", REFUSED)
    world.invoice("in_b", [(3, "insufficient_funds")], next_at=END + 90 * HOUR)
    over, coming = world.proposed(sql, RETRIES)
    seen += [(2, "insufficient_funds", 3, False), (3, "insufficient_funds", 4, False)]  # of in_a itself
    assert over["confidence"] == pytest.approx(chance_of(seen, 4, "generic_decline", 3))
    assert coming["confidence"] == pytest.approx(chance_of(seen, 2, "insufficient_funds", 4))
    # of the one that Stripe goes on with only what would have been given up counts
    alike = [is_paid for failures, is_paid in ended if failures >= 1]
    anyway = (sum(alike) + 3) / (len(alike) + 10)
    assert coming["expected_value_minor"] == pytest.approx(20000 * coming["confidence"] * (1 - anyway), abs=1)
    told = json.loads(coming["evidence"])
    assert (told["number_tries"], told["invoices_alike"]) == (sum(one[0] == 2 for one in seen), len(alike))


def test_a_try_that_hardly_ever_works_is_not_proposed(sql: dict[str, str]) -> None:
    world = Collecting()
    for name in range(60):
        world.invoice(f"in_old_{name:02}", [(90, "odd"), (87, "odd"), (83, "odd"), (79, "odd")], status="uncollectible")
    world.invoice("in_a", REFUSED)
    assert world.proposed(sql, RETRIES) == []


def test_a_plan_is_for_a_bill_that_is_late_large_and_mostly_usage(sql: dict[str, str]) -> None:
    world = Collecting()
    world.invoice("late", [(5, "odd")], metered=0.5, amount_remaining_minor=10000)
    world.invoice("sent", [(5, "odd")], collection_method="send_invoice", due_at=END - timedelta(days=6))
    world.invoice("not_late", [(4, "odd")])
    world.invoice("not_usage", [(5, "odd")], metered=0.4999)
    world.invoice("not_large", [(5, "odd")], amount_remaining_minor=9999)
    world.invoice("no_floor", [(5, "odd")], currency="eur")
    world.invoice("disputed", [(5, "odd")], dispute="needs_response")
    world.invoice("paid", [(9, "odd"), (5, None)])
    world.invoice("under_way", [(9, "odd"), (5, "pending")])
    world.invoice("tried_on", [(5, "odd")], next_at=END + 30 * HOUR)
    plans = world.proposed(sql, INSTALMENTS)
    assert [row["subject_id"] for row in plans] == ["late", "sent", "tried_on"]
    # Stripe would take all of it while instalments are agreed: the reason says so
    assert [("take the invoice out of that" in json.loads(row["words"])["collection"]) for row in plans] == [
        False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "amount", "parts"),
    [("usd", 20000, [6668, 6666, 6666]), ("jpy", 15001, [5001, 5000, 5000]), ("kwd", 20000, [6680, 6660, 6660])],
)
def test_instalments_come_to_what_is_left_the_remainder_first_and_the_runner_records_them(
    sql: dict[str, str], currency: str, amount: int, parts: list[int]
) -> None:
    world = Collecting()
    world.invoice("in_1", [(5, "odd")], currency=currency, amount_remaining_minor=amount)
    [row] = world.proposed(sql, INSTALMENTS)
    params, precondition = json.loads(row["params"]), json.loads(row["precondition"])
    assert [part["amount"] for part in params["instalments"]] == parts
    assert Decision().plan(row["kind"], row["amount_minor"], params, precondition)[0].method == "record"
    # nothing is known but the prior: half of such bills come in, and a plan saves a fifth of the rest
    assert row["expected_value_minor"] == round(amount * 0.5 * 0.2)
    assert (row["expected_value_low_minor"], row["confidence"]) == (0, 0.5)
    spread = 1.2816 * math.sqrt(0.25 / 11)
    assert row["expected_value_high_minor"] == pytest.approx(amount * (0.5 + spread) * 0.4, abs=1)
    escalation = json.loads(row["words"])["escalation"]
    assert "account manager decides" in escalation
    assert "within 5 working days" in escalation


def test_a_plan_stays_the_same_while_somebody_decides_and_never_begins_within_a_week(sql: dict[str, str]) -> None:
    world, begun = Collecting(), []
    for due in range(5, 120):
        world.invoice(f"in_{due:03}", [(due, "odd")])
    for due, row in enumerate(world.proposed(sql, INSTALMENTS), 5):
        dues = [date.fromisoformat(part["due_on"]) for part in json.loads(row["params"])["instalments"]]
        assert dues[0] > AS_OF + timedelta(days=6)
        assert [later - sooner for sooner, later in pairwise(dues)] == [timedelta(days=30)] * 2
        begun.append((dues[0] - AS_OF).days + due)  # days after it was due
    assert begun == sorted(begun)
    assert set(begun) == {19, 49, 79, 109, 139}
