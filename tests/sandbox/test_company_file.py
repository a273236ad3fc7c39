"""The company file: what it may say, and how a mistake in it is told."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from sandbox.clock import WORLD_END, iso_date
from sandbox.company_file import DOCS, check, read_company, schema
from sandbox.errors import BadCompany
from sandbox.truth import truth
from tests.sandbox.worlds import SMALL, default, opened, seeded

MISTAKES = [
    ("share = 3", "share = -3", "segments.agency.share", "-3", "a number from 0"),
    ("share = 3", 'share = "3"', "segments.agency.share", "'3'", "a number from 0"),
    ("share = 3", "share = true", "segments.agency.share", "True", "a number from 0"),
    ("share = 3", "share = nan", "segments.agency.share", "nan", "a number from 0"),
    ("hazard = 0.03", "", "segments.agency.hazard", "nothing", "a number from 0 to 10"),
    ("hazard = 0.03", "hazzard = 0.03", "segments.agency.hazzard", "nobody reads", "segments.*.hazard"),
    ("[behaviour]", "[behavior]", "behavior.welcome", "nobody reads", "behaviour.welcome"),
    ("included = 200000", "included = 0.5", "plans.pro.included", "0.5", "a whole number from 1"),
    ('gbp = "0.2"', "gbp = 0.2", "plans.pro.overage", "0.2", "a list of tables"),
    ('gbp = "0.003"', 'gbp = "cheap"', "addons.compute_second.gbp", "'cheap'", "an amount in a string"),
    ('[{ gbp = "0.2" }]', '[{ up_to = 5, gbp = "1" }, { gbp = "2" }]', "plans.pro.overage", "[5, None]", "over 200000"),
    ('[{ gbp = "7" }]', '[{ up_to = 5, gbp = "7" }]', "addons.storage", "[5]", "none in the last"),
    ("seat = { gbp = 1000 }", "seat = { usd = 1000 }", "addons.seat", "usd", "an amount for each of gbp"),
    ("[currencies]\ngbp = 1", "[currencies]\npounds = 1", "currencies.pounds", "pounds", "three small letters"),
    ("plans = { pro = 1 }\nhazard = 0.03", "plans = { max = 1 }\nhazard = 0.03", "segments.agency.plans", "max", "pro"),
    (
        "plans = { pro = 1 }\nhazard = 0.01",
        "plans = { pro = 0 }\nhazard = 0.01",
        "segments.school.plans",
        "0",
        "above 0",
    ),
    ("welcome = 0", "welcome = 0.1", "behaviour.coupon", "'WELCOME10'", "a name of coupons"),
    ("api_calls = -0.8", "calls = -0.8", "elasticity.calls", "'calls'", "api_calls"),
    ("season = 0.5", "weekend = [0.9, 0.1]", "segments.school.weekend", "[0.9, 0.1]", "the lower first"),
    ("season = 0.5", "seats = [1.5, 2]", "segments.school.seats", "[1.5, 2]", "two whole numbers"),
    ("[behaviour]", "[usage]\nholidays = ['13-01']\n[behaviour]", "usage.holidays", "13-01", "a list of days"),
    ("[segments.agency]", "[segments.Agency]", "segments.Agency", "'Agency'", "small letters"),
]


@pytest.mark.parametrize(("right", "wrong", "key", "found", "expected"), MISTAKES)
def test_a_mistake_is_told_with_the_key_what_was_found_and_what_is_expected(
    tmp_path: Path, right: str, wrong: str, key: str, found: str, expected: str
) -> None:
    assert right in SMALL
    path = tmp_path / "company.toml"
    path.write_text(SMALL.replace(right, wrong, 1))
    with pytest.raises(BadCompany) as refused:
        read_company(path)
    said = str(refused.value)
    assert said.startswith(f"{path}: {key}")
    assert found in said
    assert expected in said.partition("expected")[2]


@pytest.mark.parametrize("text", ["[currencies", "\x00", ""])
def test_a_file_that_is_no_company_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "company.toml"
    path.write_text(text)
    with pytest.raises(BadCompany, match=re.escape(str(path))):
        read_company(path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadCompany, match=r"cannot read .*absent\.toml"):
        read_company(tmp_path / "absent.toml")


def test_every_default_is_a_value_that_the_schema_allows() -> None:
    company = default()
    assert check(company) == company


def test_every_documented_key_says_what_is_expected() -> None:
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `") and line.count(" | ") == 4]
    assert len(schema()) == len(rows) == len({key.path for key in schema()}) > 70
    for key in schema():
        assert key.default in ("required", "none") or key.takes(json.loads(key.default)), key
        assert key.high > key.low or "list" in key.expected or "amount" in key.expected, key


def test_the_documented_example_is_a_company() -> None:
    example = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    assert [list(check(tomllib.loads(text))["plans"]) for text in example] == [["pro"]]


def test_a_company_of_other_segments_and_one_currency_lives(tmp_path: Path) -> None:
    path = tmp_path / "company.toml"
    path.write_text(SMALL)
    with opened(seeded(tmp_path / "state", customers=20, months=4, seed=3, company=path)) as (store, world):
        told = truth(store, world)
        invoices = store.rows("invoice")
    assert len(told["customers"]) == 20
    assert {row["segment"] for row in told["customers"]} == {"agency", "school"}
    assert {invoice["currency"] for invoice in invoices} == {"gbp"}
    assert {row["elasticity"] for row in told["elasticity"] if row["event_name"] == "api_calls"} == {-0.8}
    assert told["anomalies"] == [] or {row["date"] for row in told["anomalies"]} <= {
        iso_date(day) for day in range(WORLD_END // 86_400 - 25, WORLD_END // 86_400 + 1)
    }
