"""Nothing that a customer wrote can repaint a screen, and no key or e-mail address gets into any output."""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions import screen
from actions.state import load
from actions.text import moment, money, redact, safe_text
from tests.actions.conftest import Desk, credit

POISON = "\x1b[2J\x1b]0;x\x07\u202e\u2066\u200b\u200f\ufeff\u00ad\r\n\t\x9b\u2028\u3164\u2800\U000e0041\ud800"
BLANK = "\u115f\u1160\u2800\u3164\uffa0"
texts = st.text(
    st.one_of(st.characters(), st.sampled_from(POISON), st.characters(categories=["M", "Zs"])), max_size=300
)


@settings(max_examples=5_000, deadline=None)
@given(texts)
def test_safe_text_prints_only_what_can_be_seen_in_its_place(text: str) -> None:
    shown = safe_text(text)
    assert shown.isprintable()  # Python's own list: no control, format, private, unassigned; no space but the plain one
    assert not set(shown) & set(BLANK)
    assert len(shown) <= 200
    assert unicodedata.is_normalized("NFC", shown)
    assert not re.search(r"[\u0300-\u036f]{3}", shown)
    assert safe_text(shown) == shown


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=200))
def test_safe_text_leaves_ordinary_words_alone(text: str) -> None:
    assert safe_text(text) == text


def names() -> list[str]:
    """Customers' names that try to forge a line, hide one, colour one or move the cursor."""
    tricks = ["\x1b[2J", "\x1b[1A\x1b[2K", "\x1b]8;;http://evil\x07", "\r", "\n\nmoney at stake  USD 0.01\n", "\u202e",
              "\x9b31m", "\u2028", "\u0335" * 50, "[link=http://evil]", "\x00", "\u3164" * 9, "\x7f"]  # fmt: skip
    return [first + "Acme" + second for first, second in itertools.product(tricks, tricks[:2])]


def test_the_approval_screen_is_the_same_whatever_a_customer_is_called(desk: Desk) -> None:
    (action,) = desk.approved(credit(reason="Acme should get a credit"))
    ledger = desk.ledger()
    action = load(ledger, action.action_id)
    ledger.close()
    row = dict.fromkeys(("expected_value_minor", "risk_score"), 1)

    def lines(name: str) -> list[str]:
        text = screen.everything(action, row | {"reason": name, "evidence": name})
        return [line for line in text.split("\n") if not line.startswith(("reason ", "evidence "))]

    clean = lines("Acme should get a credit")
    for name in names():
        assert lines(name) == clean, repr(name)
        assert screen.everything(action, row | {"reason": name}).replace("\n", "").isprintable()


SECRETS = ["sk_test_4eC39HqLyjWDarjtT1zdp7dc", "rk_live_51AbC_dEf", "whsec_0123456789abcdef", "pk_live_abcd1234"]
MAIL = ["ada@example.com", "a.b+c@sub.example.co.uk", "ADA@EXAMPLE.COM", "ä@bücher.example"]


@pytest.mark.parametrize("secret", [*SECRETS, *MAIL])
@pytest.mark.parametrize("around", ["{}", "x {} y", "'{}'", "<{}>", "key={},", '{{"a": "{}"}}', "({}).", "mailto:{}"])
def test_keys_and_addresses_do_not_pass_the_last_filter(secret: str, around: str) -> None:
    assert secret not in redact(around.format(secret))


def test_the_last_filter_leaves_ids_and_words_alone() -> None:
    ours = "h1:7aad0b0f-12345678 cus_ArkdyzNUKON1fS risk_score 0.2 rk_ sk_x mw1-abc 2 @ 3 task_rk done."
    assert redact(ours) == ours
    assert redact("expected rk_test_… or rk_live_…") == "expected rk_test_… or rk_live_…"  # what a key begins with
    assert redact("Authorization: Bearer abc.def-ghi") == "Authorization: [secret]"


@pytest.mark.parametrize(("seconds", "said"), [(1_795_307_600, "2026-11-22 00:33Z"), (10**15, f"{10**15} (unix time)")])
def test_stripes_moments_are_days_that_people_read(seconds: int, said: str) -> None:
    assert moment(seconds) == said


DECIMALS = {"usd": 2, "jpy": 0, "kwd": 3, "eur": 2, "krw": 0}


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(DECIMALS)))
def test_money_keeps_every_minor_unit(amount: int, currency: str) -> None:
    digits = money(amount, currency).removeprefix(f"{currency.upper()} ").replace(",", "")
    assert int(digits.replace(".", "")) == amount
    assert len(digits.partition(".")[2]) == DECIMALS[currency]


@pytest.mark.parametrize("evidence", [None, "", "{", "[1]", "7", '["ab"]', "null", "{}", '{"a_minor": null}'])
def test_evidence_that_is_no_table_is_shown_as_it_is(desk: Desk, evidence: str | None) -> None:
    (action,) = desk.approved(credit())
    assert "\nevidence " in screen.everything(action, {"evidence": evidence})


def test_evidence_is_words_with_amounts_as_money(desk: Desk) -> None:
    (action,) = desk.approved(credit())
    said = screen.everything(action, {"evidence": '{"locked_until":null,"next_cost_minor":79900,"used_share":"0.09"}'})
    assert " next cost USD 799.00; used share 0.09\n" in said
    assert "locked" not in said  # null: it does not apply
    assert "Stripe's preview: not asked for yet" in said


def test_an_approval_is_good_until_its_action_is_over(desk: Desk) -> None:
    desk.approved(credit())
    (action,) = desk.actions()
    states = ("approved", "sending", "blocked", "done", "undone", "failed", "declined")
    said = [state for state in states if "good until" in screen.everything(replace(action, state=state), {})]
    assert said == ["approved", "sending", "blocked"]
