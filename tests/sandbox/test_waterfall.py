from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.waterfall import Discount, Grant, Line, Rate, Settlement, apply, ordered, settle, spread
from tests.oracles.unit_by_unit import rounded

TEN = Discount("di_ten", percent=Decimal(10))
VAT = Rate("txr_vat", Decimal(20))


def test_the_worked_example_of_the_reference() -> None:
    lines = [Line(amount, is_metered=True, rates=(VAT,)) for amount in (5_000, 36_000, 6_250)]
    totals = apply(lines, [TEN], [Grant("credgr_a", 10_000)])
    assert (totals.subtotal, totals.discounts, totals.credits) == (47_250, 4_725, 10_000)
    assert (totals.exclusive_tax, totals.total) == (6_505, 39_030)
    assert settle(totals.total, -5_000, "usd") == Settlement(34_030, 0, (("applied_to_invoice", 5_000),))


def test_coupons_stack_in_the_order_of_the_list() -> None:
    fifth_off, fixed = Discount("di_a", percent=Decimal(20)), Discount("di_b", amount_off=500, currency="usd")
    assert apply([Line(1_000)], [fifth_off, fixed]).total == 300
    assert apply([Line(1_000)], [fixed, fifth_off]).total == 400


def test_a_lines_own_discounts_come_before_the_invoices() -> None:
    own = Discount("di_own", amount_off=500, currency="usd")
    line = Line(1_000, own=(own,))
    apply([line], [TEN])
    assert line.discounts == [("di_own", 500), ("di_ten", 50)]


def test_a_percentage_is_rounded_on_every_line() -> None:
    lines = [Line(5), Line(5), Line(5)]
    assert apply(lines, [TEN]).discounts == 3


def test_an_account_may_round_a_percentage_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.options.PERCENT_ROUNDED_PER_LINE", False)
    assert apply([Line(5), Line(5), Line(5)], [TEN]).discounts == 2


def test_an_amount_off_is_shared_in_proportion_and_never_more_than_the_lines() -> None:
    off = Discount("di_off", amount_off=100, currency="usd")
    lines = [Line(100), Line(200), Line(0), Line(-50, discountable=False)]
    assert apply(lines, [off]).discounts == 100
    assert [sum(amount for _, amount in line.discounts) for line in lines] == [33, 67, 0, 0]
    assert apply([Line(60)], [off]).total == 0


def test_discounts_keep_to_their_products_their_currency_and_discountable_lines() -> None:
    mine = Discount("di_mine", percent=Decimal(50), products=frozenset({"prod_a"}))
    euro = Discount("di_euro", amount_off=100, currency="eur")
    lines = [Line(100, product="prod_a"), Line(100, product="prod_b"), Line(100, product="prod_a", discountable=False)]
    apply(lines, [mine, euro], currency="usd")
    assert [line.left for line in lines] == [50, 100, 100]


def test_credits_pay_metered_lines_only_and_those_of_their_prices() -> None:
    lines = [Line(500), Line(500, price="price_a", is_metered=True), Line(500, price="price_b", is_metered=True)]
    grants = [Grant("g_any", 100, priority=9), Grant("g_b", 800, priority=1, prices=frozenset({"price_b"}))]
    assert apply(lines, (), grants).credits == 600
    assert [line.credits for line in lines] == [[], [("g_any", 100)], [("g_b", 500)]]


def test_grants_are_spent_in_stripes_order() -> None:
    grants = [
        Grant("late", 1, created=2),
        Grant("created_first", 1, created=1),
        Grant("effective_first", 1, effective_at=-1, created=3),
        Grant("paid", 1, category="paid", effective_at=-9),
        Grant("expires", 1, expires_at=99, category="paid"),
        Grant("urgent", 1, priority=0, category="paid"),
    ]
    names = ["urgent", "expires", "effective_first", "created_first", "late", "paid"]
    assert [grant.id for grant in ordered(grants[:4])] == ["effective_first", "created_first", "late", "paid"]
    assert [grant.id for grant in ordered(reversed(grants))] == names


def test_inclusive_tax_is_carved_out_and_leaves_the_total() -> None:
    line = Line(1_200, rates=(Rate("txr_in", Decimal(20), inclusive=True),))
    totals = apply([line])
    assert (totals.total, totals.inclusive_tax, totals.exclusive_tax) == (1_200, 200, 0)
    assert [(tax, taxable) for _, tax, taxable in line.taxes] == [(200, 1_000)]


def test_an_exclusive_rate_goes_on_what_inclusive_ones_leave() -> None:
    totals = apply([Line(1_100, rates=(Rate("in", Decimal(10), inclusive=True), Rate("out", Decimal(5))))])
    assert (totals.inclusive_tax, totals.exclusive_tax, totals.total) == (100, 50, 1_150)


def test_tax_is_rounded_per_line_or_once_as_the_account_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert apply([Line(3, rates=(VAT,)) for _ in range(3)]).exclusive_tax == 3
    monkeypatch.setattr("sandbox.options.TAX_ROUNDED_PER_LINE", False)
    lines = [Line(3, rates=(VAT,)) for _ in range(3)]
    assert apply(lines).exclusive_tax == 2
    assert sum(tax for line in lines for _, tax, _ in line.taxes) == 2


@pytest.mark.parametrize(
    ("total", "balance", "due", "ending", "moves"),
    [
        (1_000, 0, 1_000, 0, ()),
        (1_000, -300, 700, 0, (("applied_to_invoice", 300),)),
        (1_000, -3_000, 0, -2_000, (("applied_to_invoice", 1_000),)),
        (1_000, 250, 1_250, 0, (("applied_to_invoice", -250),)),
        (49, 0, 0, 49, (("invoice_too_small", 49),)),
        (50, 0, 50, 0, ()),
        (1_030, -1_000, 0, 30, (("applied_to_invoice", 1_000), ("invoice_too_small", 30))),
        (0, 20, 0, 20, ()),
        (-400, 0, 0, -400, (("applied_to_invoice", -400),)),
        (-50, 80, 0, 30, (("applied_to_invoice", -50),)),
        (0, 0, 0, 0, ()),
    ],
)
def test_the_balance_is_applied_last_and_too_little_is_not_charged(
    total: int, balance: int, due: int, ending: int, moves: tuple[tuple[str, int], ...]
) -> None:
    assert settle(total, balance, "usd") == Settlement(due, ending, moves)


def test_each_currency_has_its_minimum() -> None:
    assert [settle(30, 0, currency).due for currency in ("gbp", "usd", "jpy")] == [30, 0, 0]


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=12), st.integers(0, 10**8))
def test_an_amount_off_is_spent_in_full_and_in_proportion(amounts: list[int], off: int) -> None:
    lines = [Line(amount) for amount in amounts]
    whole = sum(amounts)
    assert apply(lines, [Discount("d", amount_off=off, currency="usd")]).discounts == min(off, whole)
    for line in lines:
        part = line.amount - line.left
        assert 0 <= part <= line.amount
        assert not whole or abs(part - Fraction(min(off, whole) * line.amount, whole)) < 1


def test_parts_are_multiples_of_the_currencys_step_but_for_an_odd_rest() -> None:
    assert spread(1_005, [Decimal(502), Decimal(503)], 10) == [500, 505]
    assert spread(-1, [Decimal("-0.6"), Decimal("-0.4")]) == [-1, 0]


amounts = st.integers(-5_000, 100_000)
rates = st.builds(Rate, st.sampled_from(["r1", "r2"]), st.decimals(0, 30, places=2), st.booleans())


@st.composite
def invoices(draw: st.DrawFn) -> list[Line]:
    shape = st.tuples(amounts, st.booleans(), st.booleans(), st.none() | rates)
    return [
        Line(amount, is_metered=metered, discountable=discountable and amount >= 0, rates=(rate,) if rate else ())
        for amount, metered, discountable, rate in draw(st.lists(shape, min_size=1, max_size=6))
    ]


percents = st.decimals(1, 100, places=2)
discounts = st.builds(Discount, st.just("d1"), percents) | st.builds(
    Discount, st.just("d2"), st.none(), st.integers(1, 9_999), st.just("usd")
)
grants = st.builds(Grant, st.sampled_from(["g1", "g2"]), st.integers(0, 60_000))


@given(invoices(), st.lists(discounts, max_size=3), st.lists(grants, max_size=2))
def test_the_parts_of_an_invoice_always_add_up(lines: list[Line], taken: list[Discount], given_: list[Grant]) -> None:
    totals = apply(lines, taken, given_)
    assert totals.total == totals.subtotal - totals.discounts - totals.credits + totals.exclusive_tax
    for line in lines:
        off = sum(amount for _, amount in line.discounts) + sum(amount for _, amount in line.credits)
        assert line.left == line.amount - off
        assert line.left >= min(line.amount, 0)
        assert not line.credits or line.is_metered
        for rate, tax, _ in line.taxes:
            share = Fraction(rate.percent) / (100 + (Fraction(rate.percent) if rate.inclusive else 0))
            assert tax == rounded(line.left * share)
    assert totals.credits <= sum(grant.left for grant in given_)


@given(st.integers(-10_000, 10_000), st.integers(-10_000, 10_000))
def test_the_balance_moves_by_what_its_transactions_say(total: int, balance: int) -> None:
    settlement = settle(total, balance, "usd")
    assert balance + sum(amount for _, amount in settlement.moves) == settlement.ending_balance
    assert settlement.due + settlement.ending_balance == total + balance
    assert settlement.due >= 0
