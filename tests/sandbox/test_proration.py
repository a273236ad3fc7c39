from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.rating import Debit, credit, debit
from tests.oracles.unit_by_unit import rounded

DAY = 86_400
MONTH = 30 * DAY


def test_the_worked_example_of_the_reference() -> None:
    at = 15 * DAY
    assert credit([Debit(10_000, 0, MONTH)], at) == -5_000
    assert debit(20_000, 0, MONTH, at) == 10_000


def test_a_second_change_gives_back_what_the_first_left() -> None:
    billed = [Debit(10_000, 0, MONTH), Debit(-5_000, 15 * DAY, MONTH), Debit(10_000, 15 * DAY, MONTH)]
    assert credit(billed, 15 * DAY) == -10_000
    assert credit(billed, MONTH * 3 // 4) == -5_000


def test_a_period_that_is_over_gives_nothing_back_and_asks_for_nothing() -> None:
    assert credit([Debit(10_000, 0, MONTH)], MONTH + 5) == 0
    assert debit(10_000, 0, MONTH, MONTH) == 0


def test_a_change_before_the_period_is_worth_all_of_it() -> None:
    assert credit([Debit(10_000, 0, MONTH)], -5) == -10_000
    assert debit(10_000, 0, MONTH, -5) == 10_000


def test_what_was_never_billed_is_not_given_back() -> None:
    assert credit([], 0) == 0


@pytest.mark.parametrize(("amount", "second", "given"), [(3, 1, -2), (3, 2, -1), (1, 1, -1), (1, 2, 0)])
def test_the_credit_is_rounded_once_halves_up(amount: int, second: int, given: int) -> None:
    assert credit([Debit(amount, 0, 3)], second) == given


@given(st.integers(0, 10**9), st.integers(1, 366 * DAY), st.integers(-DAY, 400 * DAY), st.sampled_from([1, 10]))
def test_both_halves_are_shares_by_the_second(amount: int, length: int, at: int, step: int) -> None:
    share = Fraction(max(0, min(length, length - at)), length)
    expected = rounded(amount * share, step)
    assert debit(amount, 0, length, at, step) == expected
    assert credit([Debit(amount, 0, length)], at, step) == -expected
