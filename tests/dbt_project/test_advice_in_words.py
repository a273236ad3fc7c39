"""The words of what is recommended: languages, hashes, names that are out to do harm, slots, and how long they hold."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml  # type: ignore[import-untyped] # the types are a package of their own

from tests.commands import ROOT
from tests.dbt_project.money_world import Row, compiled_in, put
from tests.dbt_project.verdict_bench import FRAMEWORK, TABLES, Verdicts

DIGEST = ("rows", "mrr", "forecasts", "invoices", "models", "alerts", "recommendations", "effects")
LINES = "account_id text, section text, section_number integer, line_number integer, customer_id text, text text"
RISKS = TABLES["marts.churn_risk"] + ", treatment text, mrr_minor bigint, currency text, reasons text"


@pytest.fixture(scope="module")
def sql(first_run: tuple[Path, str]) -> dict[str, str]:
    return compiled_in(first_run[0], *FRAMEWORK, "run_digest")


@pytest.fixture
def bench(sql: dict[str, str]) -> Iterator[Verdicts]:
    made = Verdicts(sql)
    yield made
    made.con.close()


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_a_draft_is_in_the_customers_language_where_there_is_one_and_in_english_else(bench: Verdicts) -> None:
    locales = {
        "none": None,
        "english": "en-GB",
        "german": "de",
        "austrian": "de-AT",
        "french": "fr-FR",
        "delaware": "del",
    }
    for customer, locale in locales.items():
        bench.customers(customer, preferred_locale=locale)
        bench.propose("tier_upgrade", customer)
        bench.propose("invoice_note", customer)
    bench.word("tier_upgrade_message", "Hello {customer}", subject="Hi")
    bench.word("tier_upgrade_message", "Guten Tag {customer}", "de", subject="Hallo")
    bench.word("tier_upgrade_message", "Servus {customer}", "de-AT", subject="Servus")
    bench.word("invoice_note_message", "Hello {customer}", subject="Hi")
    bench.word("invoice_note_message", "Guten Tag {customer}", "de", subject="Hallo")
    bench.word("tier_upgrade", "{customer} auf Deutsch", "de")  # reasons are for the team
    bench.run()
    drafts = bench.rows("from marts.customer_messages")
    assert len(drafts) == 2 * len(locales)
    chosen = {(row["kind"], row["customer_id"]): (row["locale"], row["subject"], row["body"]) for row in drafts}
    wanted = {customer: ("en", "Hi", f"Hello {customer}") for customer in locales}
    german = {customer: ("de", "Hallo", f"Guten Tag {customer}") for customer in ("german", "austrian")}
    upgrades = wanted | german | {"austrian": ("de-AT", "Servus", "Servus austrian")}
    assert {customer: chosen["tier_upgrade", customer] for customer in locales} == upgrades
    assert {customer: chosen["invoice_note", customer] for customer in locales} == wanted | german
    reasons = [row["reason"] for row in bench.rows("from marts.recommendations where kind = 'tier_upgrade'")]
    assert sorted(reasons) == sorted(f"{customer}: tier_upgrade" for customer in locales)


def test_the_hash_that_an_approval_names_is_that_of_exactly_this_text(bench: Verdicts) -> None:
    bench.customers('Jos\u00e9 "Quote" \\ Søn')
    bench.propose("tier_upgrade", 'Jos\u00e9 "Quote" \\ Søn')
    bench.word("tier_upgrade_message", "Hello {customer}", subject="For {customer}")
    bench.run()
    (draft,) = bench.rows("from marts.customer_messages")
    (advice,) = bench.rows("from marts.recommendations where kind = 'customer_message'")
    assert draft["body"] == 'Hello Jos\u00e9 "Quote" \\ Søn'
    text = canonical({"body": draft["body"], "subject": draft["subject"]})
    assert draft["text_hash"] == f"h1:{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    assert json.loads(advice["params"])["text_hash"] == draft["text_hash"]
    assert (advice["recommendation_id"], advice["source_event_id"]) == (
        draft["message_recommendation_id"], draft["recommendation_id"],
    )  # fmt: skip
    # once a person has decided on it, it asks nobody again, and stands as long as its recommendation does
    bench.decide("customer_message", draft["customer_id"], draft["message_recommendation_id"])
    bench.run()
    assert [row["is_decided"] for row in bench.rows("from marts.customer_messages")] == [True]
    assert [row["kind"] for row in bench.rows("from marts.recommendations")] == ["tier_upgrade"]
    # and what anybody has declined is there for nobody to copy
    bench.decide("customer_message", draft["customer_id"], draft["message_recommendation_id"], how="declined")
    bench.run()
    assert bench.rows("from marts.customer_messages") == []


def test_no_text_names_the_customer_twice_as_the_published_copy_would_withhold_it() -> None:
    with (ROOT / "dbt_project" / "seeds" / "message_templates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["kind"] for row in rows} > {"right_size_downgrade", "right_size_downgrade_message"}
    named = [
        row["kind"] for row in rows if any((row[text] or "").count("{customer}") > 1 for text in ("subject", "body"))
    ]
    assert named == []


POISONED = {
    "=cmd|' /C calc'!A0": "cmd|' /C calc'!A0", "+1 555": "1 555", "-2+3": "2+3", "@SUM(1)": "SUM(1)", "\t=1+1": "1+1",
    "\u00a0=1+1": "1+1", "\uff1d1": "1", "\u22121": "1", "<b>Bold</b>": "b Bold /b",
    "<script>alert(1)</script>": "script alert(1) /script", "[b]Acme[/b]": "b Acme /b",
    "\u202egnit\u2066set": "gnit set", "Zero\u200bWidth\ufeff": "Zero Width", "Bell\x07Esc\x1b[31m\r\n": "Bell Esc 31m",
    "{customer} {slot}": "customer slot", "`rm -rf`": "rm -rf", "Full\u3000Width\u00a0Ltd": "Full Width Ltd",
    "Jose\u0301": "Jos\u00e9", "x" * 300: "x" * 200, "O'Neill \"and\" \\ Sons'); DROP TABLE x; --": None,
    "": "", "<>": "", "\u00a0": "", "\u3164\u2800": "", " = ": "", "\u200b": "",
}  # fmt: skip


def test_names_that_are_out_to_do_harm_come_out_harmless_in_digest_reason_and_message(bench: Verdicts) -> None:
    """Nothing left of a name: the id stands in. The digest names the first risk alone; here it names all."""
    names: dict[str, str | None] = {f"cus_{number:02}": name for number, name in enumerate(POISONED)}
    names["cus_none"] = None
    bench.run(())
    for part in DIGEST:
        put(bench, f"intermediate.int_digest_{part}", LINES, [])
    columns = "account_id text, customer_id text, name text"
    put(bench, "marts.dim_customers", columns, [{"customer_id": one, "name": name} for one, name in names.items()])
    risk: Row = {"is_current": True, "horizon_days": 90, "probability": 0.6, "currency": "jpy"}
    risk |= {"treatment": "modelled", "mrr_minor": 5000, "reasons": "so"}
    put(bench, "marts.churn_risk", RISKS, [risk | {"customer_id": customer} for customer in names])
    assert "where line_number = 1" in bench.sql["run_digest"]
    told = bench.rows(f"from ({bench.sql['run_digest'].replace('where line_number = 1', '')})")
    end = " ({}): 60 % within 90 days, JPY 5,000 a month; so"
    clean = {row["customer_id"]: row["text"].removesuffix(end.format(row["customer_id"])) for row in told}
    for customer, name in names.items():
        kept = "" if name is None else POISONED[name]
        assert clean[customer] == (name if kept is None else kept or customer)

    bench.word("tier_upgrade_message", "Hello {customer}, welcome", subject="For {customer}")
    for customer in names:
        bench.customers(customer)
        bench.propose("tier_upgrade", customer, words={"customer": clean[customer]})
    bench.laid.clear()
    bench.run()
    reasons = {row["customer_id"]: row["reason"] for row in bench.rows("from marts.recommendations")}
    drafts = {row["customer_id"]: row for row in bench.rows("from marts.customer_messages")}
    for customer, name in clean.items():
        assert reasons[customer] == f"{name}: tier_upgrade"
        assert (drafts[customer]["subject"], drafts[customer]["body"]) == (f"For {name}", f"Hello {name}, welcome")


@pytest.mark.parametrize("template", ["tier_upgrade", "tier_upgrade_message"])
def test_a_slot_that_is_unknown_or_without_a_value_stops_the_build(bench: Verdicts, template: str) -> None:
    bench.customers("cus")
    bench.propose("tier_upgrade", "cus", words={"empty": None, "brace": "{unknown}"})
    bench.word(template, "{customer} {brace}", subject="Hello")
    bench.run()  # a value in braces is no slot
    texts = [row["reason"] for row in bench.rows("from marts.recommendations")]
    assert "cus {unknown}" in [*texts, *(row["body"] for row in bench.rows("from marts.customer_messages"))]
    for slot in ("{unknown}", "{empty}"):
        bench.word(template, f"{{customer}} {slot}", subject="Hello")
        with pytest.raises(duckdb.Error, match="is not offered, or has no value"):
            bench.run()


def test_what_is_said_of_a_running_period_holds_no_longer_than_it_runs(bench: Verdicts) -> None:
    bench.kinds["usage_alert"] = {"valid_days": 14}
    ends = {"soon": "2026-11-03T10:30:00Z", "later": "2026-11-20T00:00:00Z", "unknown": None}
    for customer, period_end in ends.items():
        bench.customers(customer)
        bench.propose("usage_alert", customer, evidence=json.dumps({"period_end": period_end}))
    bench.word("usage_alert_message", "Hello", subject="Hi")
    bench.run()
    rows = bench.rows("from marts.recommendations")
    for kind in ("usage_alert", "customer_message"):
        assert {row["customer_id"]: str(row["expires_at"]) for row in rows if row["kind"] == kind} == {
            "soon": "2026-11-03 10:30:00", "later": "2026-11-14 00:00:00", "unknown": "2026-11-14 00:00:00",
        }  # fmt: skip


def test_the_best_advice_is_that_of_one_currency_and_yen_are_no_cents(bench: Verdicts) -> None:
    for customer, currency, value in (("yen", "jpy", 40000), ("small", "usd", 100), ("large", "usd", 39600)):
        bench.customers(customer, currency=currency)
        bench.propose("tier_upgrade", customer, currency=currency, expected_value_minor=value,
                      expected_value_high_minor=value)  # fmt: skip
    bench.run()
    total, best = bench.rows("from intermediate.int_digest_recommendations order by line_number")
    assert (best["customer_id"], best["text"]) == ("large", "tier upgrade: large: tier_upgrade")
    assert "JPY 40,000 (80 % band JPY 100 to JPY 40,000), USD 397.00 (" in total["text"]
    bench.kinds["tier_upgrade"] = {"hold_back_share": 1}
    bench.run()
    (total,) = bench.rows("from intermediate.int_digest_recommendations")
    assert total["text"] == "Nothing is recommended now; held back to measure by: 3. Withheld: 0 (-)"


def test_a_slip_in_a_kinds_row_is_found_and_not_followed(bench: Verdicts) -> None:
    seeds = yaml.safe_load((ROOT / "dbt_project" / "seeds" / "_after_ml__seeds.yml").read_text())["seeds"]
    (kinds,) = (seed for seed in seeds if seed["name"] == "action_kinds")
    (rules,) = (test["holds"]["arguments"]["expressions"] for test in kinds["data_tests"] if "holds" in test)
    path = ROOT / "dbt_project" / "seeds" / "action_kinds.csv"
    slips = [
        ("rests_on", "usage_forcast"), ("conflict_group", "bills"), ("conflict_group", None), ("cooldown_days", None),
        ("hold_back_share", 10), ("most_share", 25), ("valid_days", 0), ("effect", 0.5),
    ]  # fmt: skip
    broken = f"select kind from read where not ({') or not ('.join(rules)})"
    for column, value in (("kind", "retention_offer"), *slips):
        bench.con.execute(f"create or replace table read as from read_csv('{path}', header = true)")
        bench.con.execute(f"update read set {column} = ? where kind = 'retention_offer'", [value])
        found = bench.con.execute(broken).fetchall()
        assert found == ([] if column == "kind" else [("retention_offer",)]), column
