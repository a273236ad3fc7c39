"""What policy.toml may say, and what follows from it: P1 to P6 of the specification."""

from __future__ import annotations

import math
import random
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.errors import BadPolicy
from actions.policy import KEYS_FILE, POLICY_FILE, Policy, Verdict, read_policy

DEFAULT = read_policy()
TEXT = POLICY_FILE.read_text()
CREDIT = {"kind": "courtesy_credit", "currency": "usd", "amount_minor": "1200"}
MAGNITUDES = ("amount_minor", "pct_change", "risk", "margin")
KINDS, TIERS, CURRENCIES = ("courtesy_credit", "tier_upgrade"), ("standard", "strategic"), ("usd", "jpy")
SETS = {"tiers": TIERS, "segments": ("startup", "midmarket"), "currencies": CURRENCIES}

numbers = st.integers(0, 9).map(lambda tenths: f"0.{tenths}")
thens = st.one_of(
    st.just({"deny": True}),
    st.just({"auto": True}),
    st.fixed_dictionaries({"approvers": st.integers(1, 3)}, optional={"hours": st.integers(1, 100)}),
)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    when: dict[str, Any] = {"kinds": draw(st.lists(st.sampled_from(KINDS), min_size=1, unique=True))}
    for key, values in SETS.items():
        if draw(st.integers(0, 3)) == 0:
            when[key] = draw(st.lists(st.sampled_from(values), min_size=1, unique=True))
    for field in MAGNITUDES:
        if draw(st.integers(0, 2)) == 0:
            words = ("under", "least") if field == "margin" else ("over", "upto")
            bound = st.integers(0, 9) if field == "amount_minor" else numbers
            when[field] = draw(st.dictionaries(st.sampled_from(words), bound, min_size=1))
    return {"name": f"rule {draw(st.integers(0, 10**9))}", "when": when, "then": draw(thens)}


policies = st.lists(rules(), min_size=1, max_size=5).map(lambda found: replace(DEFAULT, rule=found))
cases = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS), "tier": st.sampled_from((*TIERS, "gold", None)),
        "segment": st.sampled_from(("startup", "enterprise", None)), "currency": st.sampled_from(CURRENCIES),
        "amount_minor": st.integers(0, 10).map(str),
        **dict.fromkeys(("pct_change", "risk", "margin"), st.one_of(st.none(), st.just("nan"), numbers)),
    }
)  # fmt: skip


def strictness(verdict: Verdict) -> tuple[float, float]:
    """Larger is stricter, in both numbers."""
    return (math.inf, math.inf) if verdict.approvers is None else (verdict.approvers, -verdict.hours)


def is_as_strict(one: Verdict, other: Verdict) -> bool:
    return all(left >= right for left, right in zip(strictness(one), strictness(other), strict=True))


def oracle(policy: Policy, case: dict[str, Any]) -> tuple[int | None, int]:
    """The rule set said another way: for each rule the set of its objections."""

    def size(field: str) -> Fraction | None:
        value = case[field]
        return None if value in (None, "nan") else abs(Fraction(value)) if field == "pct_change" else Fraction(value)

    people, hours, allowing = [0], [policy.approval["hours"]], 0
    for rule in (found for found in policy.rule if case["kind"] in found["when"]["kinds"]):
        when, is_unknown, is_out, is_over_limit = rule["when"], False, False, False
        for key, field in (("tiers", "tier"), ("segments", "segment"), ("currencies", "currency")):
            if key in when:
                is_unknown |= case[field] in (None, "gold")
                is_out |= case[field] not in (None, "gold", *when[key])
        for field in (name for name in MAGNITUDES if name in when):
            value, bound = size(field), {word: Fraction(limit) for word, limit in when[field].items()}
            if value is None:
                is_unknown = True
                continue
            is_out |= "over" in bound and not value > bound["over"]
            is_out |= "under" in bound and not value < bound["under"]
            is_over_limit |= "upto" in bound and value > bound["upto"]
            is_over_limit |= "least" in bound and value < bound["least"]
        if is_out:
            continue
        if is_unknown or is_over_limit or "deny" in rule["then"]:
            return None, 0
        people.append(rule["then"].get("approvers", 0))
        hours.append(rule["then"].get("hours", policy.approval["hours"]))
        allowing += not {"over", "under"} & {word for field in MAGNITUDES for word in when.get(field, {})}
    return (max(people), min(hours)) if allowing else (None, 0)


@settings(max_examples=100, deadline=None)
@given(policies, cases)
def test_every_rule_counts_and_the_strictest_wins(policy: Policy, case: dict[str, Any]) -> None:
    verdict = policy.judge(case)
    people, hours = oracle(policy, case)
    assert verdict.approvers == people
    assert (verdict.denial is None) == (people is not None)
    assert people is None or verdict.hours == hours
    backwards = replace(policy, rule=policy.rule[::-1]).judge(case)
    assert strictness(backwards) == strictness(verdict)
    concerned = [rule["name"] for rule in policy.rule if case["kind"] in rule["when"]["kinds"]]
    assert [line.split(":")[0] for line in verdict.reasoning] == concerned


@settings(max_examples=80, deadline=None)
@given(policies, cases, st.sampled_from(MAGNITUDES), st.integers(1, 20))
def test_more_money_change_or_risk_or_less_margin_never_loosens(
    policy: Policy, case: dict[str, Any], field: str, more: int
) -> None:
    if case[field] in (None, "nan"):
        return
    step = Fraction(more, 1 if field == "amount_minor" else 10)
    value = Fraction(case[field]) + (-step if field == "margin" else step)
    worse = case | {field: str(value) if field == "amount_minor" else str(float(value))}
    assert is_as_strict(policy.judge(worse), policy.judge(case))


@settings(max_examples=80, deadline=None)
@given(policies, cases, rules(), st.integers(0, 5))
def test_one_more_rule_never_loosens_what_rules_decide(
    policy: Policy, case: dict[str, Any], rule: dict[str, Any], place: int
) -> None:
    """Only what no rule allows yet can be allowed by one more, and then by one that says so without `over`."""
    before, longer = policy.judge(case), [*policy.rule[:place], rule, *policy.rule[place:]]
    after = replace(policy, rule=longer).judge(case)
    tightens = {"over", "under"} & {word for field in MAGNITUDES for word in rule["when"].get(field, {})}
    if tightens or not (before.denial or "").startswith("no rule allows"):
        assert is_as_strict(after, before)


def test_ten_thousand_odd_cases_get_a_verdict_and_never_an_exception() -> None:
    odd = [None, "", "nan", "-inf", "sNaN", "1e9999999", "1e-9999999", "٣", "\ud800", "usd", "courtesy_credit", True,
           float("nan"), float("inf"), -0.0, 1e308, 10**5_000, -(10**5_000), -1, 0, 1, 5e-324, b"1", [], {},
           (1, [], ()), object(), "1_0", " 1 ", "0x1", "strategic", "startup", "1/3", 0.1, 50_000]  # fmt: skip
    pick, allowed = random.Random(8), 0  # noqa: S311 - cases, the same in every run
    fields = ("kind", "tier", "segment", "currency", *MAGNITUDES)
    kinds = [kind for rule in DEFAULT.rule for kind in rule["when"]["kinds"]]
    for number in range(10_000):
        case = {field: pick.choice(odd) for field in fields if pick.random() < 0.9}
        case |= {"kind": pick.choice(kinds)} if number % 2 else {}
        case |= {"currency": "usd"} if number % 3 else {}
        verdict = DEFAULT.judge(case)
        assert (verdict.approvers is None) == bool(verdict.denial)
        allowed += verdict.denial is None
    assert 100 < allowed < 5_000


@pytest.mark.parametrize("amount", [None, "nan", "inf", "-1", "0.5", float("nan"), "", "x", True])
def test_without_an_amount_or_a_currency_with_caps_nothing_is_allowed(amount: object) -> None:
    assert DEFAULT.judge(CREDIT | {"amount_minor": amount}).denial == "its amount_minor is not known"
    assert DEFAULT.judge(CREDIT | {"currency": "chf"}).denial == "its currency is not known"


@pytest.mark.parametrize("tier", [None, "gold", "", 3, ["strategic"]])
def test_what_a_rule_asks_about_and_nobody_knows_is_denied_by_that_rule(tier: object) -> None:
    two = {"name": "ask", "when": {"kinds": ["courtesy_credit"], "tiers": ["strategic"]}, "then": {"approvers": 2}}
    policy = replace(DEFAULT, rule=[*DEFAULT.rule, two])
    assert policy.judge(CREDIT | {"tier": tier}).denial == "rule 'ask': its tier is not known"
    assert policy.judge(CREDIT | {"tier": "standard"}).approvers == 1
    assert policy.judge(CREDIT | {"tier": "strategic"}).approvers == 2


def test_an_explanation_holds_each_rule_with_value_threshold_and_verdict() -> None:
    lines = DEFAULT.judge(CREDIT).reasoning
    assert lines[0] == (
        "courtesy credits up to 500 in dollars and euros: currency usd (usd, eur); amount_minor 1200 (upto 50000): "
        "1 approver(s), 72 h"
    )
    assert lines[1].endswith("currency usd (gbp); amount_minor 1200 (upto 40000): does not apply")
    assert DEFAULT.judge(CREDIT | {"amount_minor": "60000"}).reasoning[0].endswith("may be upto 50000: denied")


def test_the_default_policy_knows_every_kind_and_asks_two_people_about_large_sums() -> None:
    base = {"kind": "tier_upgrade", "currency": "usd"}
    assert DEFAULT.judge(base | {"amount_minor": 100_000}).approvers == 1
    assert DEFAULT.judge(base | {"amount_minor": 100_001}).approvers == 2
    assert DEFAULT.judge(base | {"kind": "usage_alert", "amount_minor": 0}).approvers == 0
    assert DEFAULT.judge(base | {"kind": "phase_change", "amount_minor": 0}).denial


def edited(path: Path, text: str) -> Path:
    file = path / "policy.toml"
    file.write_text(text)
    return file


def test_the_hash_is_of_the_content_not_of_the_comments(tmp_path: Path) -> None:
    assert read_policy(edited(tmp_path, "# more words\n" + TEXT)).hash == DEFAULT.hash
    assert read_policy(edited(tmp_path, TEXT.replace("times_median = 3", "times_median = 4"))).hash != DEFAULT.hash


def test_the_examples_in_the_comments_are_good_rules(tmp_path: Path) -> None:
    shown = re.sub(r"^# (\[\[rule|name|when|then)", r"\1", TEXT, flags=re.MULTILINE)
    policy = read_policy(edited(tmp_path, re.sub(r"^(when|then) {2,}.*$", "", shown, flags=re.MULTILINE)))
    assert len(policy.rule) == len(DEFAULT.rule) + 3


CODE = [(number, line) for number, line in enumerate(TEXT.splitlines()) if line and not line.startswith("#")]
WORDS = [
    (number, found.end())
    for number, line in CODE
    for found in re.finditer(r"\b\w+(?= = )|(?<=\[)\w+(?=\])|(?<=\.)\w+(?=\])", line)
]


def test_every_misspelt_key_is_an_error(tmp_path: Path) -> None:
    lines = TEXT.splitlines()
    for number, end in WORDS:
        line = lines[number]
        wrong = [*lines[:number], f"{line[:end]}x{line[end:]}", *lines[number + 1 :]]
        with pytest.raises(BadPolicy, match="correct it"):
            read_policy(edited(tmp_path, "\n".join(wrong)))
    assert len(WORDS) > 60


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("version = 2", "version = 1"), ("version = 2", ""), ("version = 2", "version = 2\nextra = 1"),
        ("upto = 50000", "upto = -1"), ("upto = 50000", "upto = 1.5"), ("upto = 50000", "upto = true"),
        ("customers_share = 0.5", "customers_share = nan"), ("customers_share = 0.5", "customers_share = inf"),
        ("customers_share = 0.5", "customers_share = 'much'"), ("agreement = 0.95", "agreement = -0.1"),
        ("approvers = 1, hours = 72", "approvers = 0, hours = 72"), ("approvers = 1, hours = 72", "hours = 72"),
        ("approvers = 1, hours = 72", "approvers = 1, hours = 0"),
        ("\nthen = { auto = true", "\nthen = { auto = 1"),
        ("\nthen = { auto = true", "\nthen = { auto = true, deny = true"),
        ("\nthen = { auto = true", "\nthen = { auto = true, hours = 3"),
        ('["gbp"], ', '["chf"], '), ('currencies = ["gbp"], ', ""), ('"gbp"', '""'), ('["gbp"]', "[]"),
        ('test = "assisted"', 'test = "auto"'), ('live = "shadow"', 'live = "none"'), ("[known]", "[[known]]"),
        ("pounds", "yen and then some pounds\"\nname2 = \""), ("400 pounds", "75000 yen"), ("jpy = 300000", "chf = 3"),
        ("{ upto = 50000", '{ "upto?" = 50000'), ("{ usd = 250000", '{ "*" = 1, usd = 250000'), ("actions = 200", ""),
        ("in_a_day.courtesy_credit", "in_a_day.curtesy_credit"), ("[[rule]]", "[rule]"),
        ('kinds = ["courtesy_credit"]', 'kinds = ["courtsy_credit"]'), ("{ upto = 50000 }", "{ }"),
        ("agreement = 0.95", "agreement = 95"), ("customers_share = 0.5", "customers_share = 25"),
    ],
)  # fmt: skip
def test_what_is_not_part_of_the_rule_set_is_an_error(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in TEXT
    with pytest.raises(BadPolicy, match=r"policy\.toml is not a policy: .*; correct it"):
        read_policy(edited(tmp_path, TEXT.replace(right, wrong, 1)))


def test_a_policy_that_is_not_there_or_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "raw.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none.toml", tmp_path / "raw.toml", tmp_path, KEYS_FILE):
        with pytest.raises(BadPolicy):
            read_policy(path)


def test_a_rule_that_does_not_apply_is_not_said_to_limit_anything() -> None:
    case = {"kind": "courtesy_credit", "currency": "usd", "amount_minor": 50_000}
    said = {line.split(":")[0]: line for line in DEFAULT.judge(case).reasoning}
    assert "may be" not in said["courtesy credits up to 400 pounds"]
    assert said["courtesy credits up to 400 pounds"].endswith("(upto 40000): does not apply")
