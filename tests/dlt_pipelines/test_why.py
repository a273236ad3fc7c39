"""`why` reads a published copy: sentences of the marts, a table, and one honest sentence where nothing can be said."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from dlt_pipelines.__main__ import cli

# What a published copy holds of two customers with near ids: a spike on the 27th, a day without usage, one invoice.
COPY = """
    create schema marts;
    create table marts.dim_customers as
        select * from (values
            ('cus_Anna1', 'Quarry & Sons'), ('cus_Anna2', 'Quarry'), ('cus_Ben', null), ('cus_Carl', 'Quarry Hill')
        ) t(customer_id, name);
    create table marts.fct_invoices as
        select * from (values
            ('in_theirs', 'cus_Ben', timestamp '2026-10-01 04:00', timestamp '2026-10-01 05:00'),
            ('in_before', 'cus_Anna1', timestamp '2026-01-01 04:00', timestamp '2026-01-01 05:00'),
            ('in_draft', 'cus_Anna1', timestamp '2026-10-29 04:00', null)
        ) t(invoice_id, customer_id, created_at, finalized_at);
    create table marts.usage_day_explanations as
        select * from (values
            ('cus_Anna1', date '2026-10-27', 'si_1', 'API calls', 9000.5::decimal(18, 6), 3000::decimal(18, 6),
             'USD 9.00', 'USD 6.00', 600, 'a1', 'spike', 'one day far above its weekday', 'USD 6.00', 600,
             'The calls rose.'),
            ('cus_Anna1', date '2026-10-27', 'si_2', 'Storage', 5, 5, 'USD 1.00', 'USD 0.00', 0, null, null, null, null,
             null, 'Storage was as usual.'),
            ('cus_Anna1', date '2026-10-28', 'si_1', 'API calls', 0, 3000, 'USD 0.00', 'USD -3.00', -300, null, null,
             null, null, null, 'On 2026-10-28 there was no usage of API calls.')
        ) t(customer_id, usage_date, subscription_item_id, name, quantity, usual_quantity, cost_text, extra_text,
            extra_minor, anomaly_id, incident_kind, cause, incident_excess_text, incident_excess_minor, said);
    create table marts.invoice_explanations as
        select * from (values
            ('acct_1', 'in_new', 'cus_Anna1', date '2026-10-01', true, 'The new one rose.'),
            ('acct_1', 'in_old', 'cus_Anna1', date '2026-09-01', false, 'The old one fell.')
        ) t(account_id, invoice_id, customer_id, invoice_day, is_newest, said);
    create table marts.invoice_explanation_parts as
        select 'acct_1' as account_id, 'in_new' as invoice_id, 'usage' as part, 'mtr_1' as subject_id, 'API calls'
            as name, 12::decimal(18, 6) as quantity, 'USD 9.00' as amount_text, 'USD 2.00' as change_text,
            900 as amount_minor,
            200 as change_minor, true as is_in_total
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "published").mkdir()
    with duckdb.connect(str(tmp_path / "published" / "warehouse.duckdb")) as copy:
        copy.execute(COPY)
    return tmp_path


def why(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["why", *arguments], env={"METERWISE_DATA": str(data)})


def test_a_spike_is_told_first_and_every_meter_of_the_day_stands_below(data: Path) -> None:
    said, blank, head, *rows = why(data, "cus_Anna1", "--day", "2026-10-27").output.splitlines()
    assert (said, blank, len(rows)) == ("The calls rose.", "", 2)
    assert " ".join(head.split()) == (
        "meter that day usual that day's tiers beside usual incident of the whole period cause"
    )
    assert rows[0].startswith("API calls  9,000.5   3,000")
    assert rows[0].endswith("one day far above its weekday")


def test_a_part_of_an_id_will_do_if_one_customer_alone_has_it(data: Path) -> None:
    whole = why(data, "cus_Anna1", "--day", "2026-10-27").output
    assert why(data, "nna1", "--day", "2026-10-27").output == whole
    both = why(data, "cus_Anna", "--day", "2026-10-27")
    assert both.exit_code == 5
    assert "cus_Anna1, cus_Anna2" in both.output
    # an exact id is never short for another
    assert why(data, "Ben").exit_code == 1


def test_a_name_will_do_where_names_are_published_and_one_customer_alone_has_it(data: Path) -> None:
    assert why(data, "quarry & sons").output == why(data, "cus_Anna1").output
    # the whole name goes before the same in longer ones
    assert "cus_Anna2 has no final invoice" in why(data, "Quarry").output
    several = why(data, "Quar")
    assert several.exit_code == 5
    assert "'Quar' fits 3 customers (cus_Anna1, cus_Anna2, cus_Carl)" in several.output


def test_without_a_day_the_newest_invoice_is_explained_or_the_one_that_was_asked_for(data: Path) -> None:
    assert why(data, "cus_Anna1").output.splitlines()[0] == "The new one rose."
    assert "API calls  12        USD 9.00  USD 2.00" in why(data, "cus_Anna1").output
    # whoever reads it learns where to say that it is wrong
    assert why(data, "cus_Anna1").output.splitlines()[-1].endswith("review in_new agree|wrong|edited --reason …")
    assert json.loads(why(data, "cus_Anna1", "--json").output)["invoice_id"] == "in_new"
    assert why(data, "cus_Anna1", "--invoice", "in_old").output.splitlines()[0] == "The old one fell."


def test_programs_get_the_same_as_json(data: Path) -> None:
    found = json.loads(why(data, "cus_Anna1", "--day", "2026-10-27", "--json").output)
    assert (found["customer_id"], found["said"], len(found["rows"])) == ("cus_Anna1", "The calls rose.", 2)
    assert found["rows"][0]["quantity"] == "9000.500000"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("cus_Anna1", "--day", "2026-10-28"), 0, "there was no usage of API calls"),
        (("cus_Nobody",), 1, "No customer 'cus_Nobody' is in the published copy"),
        (("cus_Anna1", "--day", "2026-01-01"), 3, "days from 2026-10-27 to 2026-10-28 are"),
        (("cus_Ben", "--day", "2026-10-27"), 3, "cus_Ben had no metered subscription on 2026-10-27"),
        (("cus_Ben",), 3, "has no final invoice"),
        (("cus_Anna1", "--day", "2027-01-01"), 3, "the data end with 2026-10-28"),
        (("cus_Anna1", "--invoice", "in_other"), 1, "No invoice 'in_other' is in the published copy"),
        (("cus_Anna1", "--invoice", ""), 1, "No invoice '' is in the published copy"),
        (("cus_Anna1", "--invoice", "in_theirs"), 1, "in_theirs is an invoice of cus_Ben, not of cus_Anna1."),
        (("cus_Anna1", "--invoice", "in_before"), 3, "in_before is of 2026-01-01 and not explained"),
        (("cus_Anna1", "--invoice", "in_draft"), 3, "in_draft is a draft"),
        (("cus_Anna1", "--day", "last Tuesday"), 2, "the last Tuesday in the data is 2026-10-27."),
        (("cus_Anna1", "--day", "Wednesday"), 2, "the last Wednesday in the data is 2026-10-28."),
        (("cus_Anna1", "--day", "27.10.2026"), 2, "give it as YYYY-MM-DD, UTC."),
        (("cus_Anna1", "--day", "2026-10-27", "--invoice", "in_new"), 2, "give one of them"),
    ],
)
def test_what_cannot_be_explained_is_said_in_one_sentence(
    data: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = why(data, *arguments)
    assert (done.exit_code, words in done.output) == (code, True), done.output
    assert code in (0, 2) or done.output.count("\n") == 1, done.output


def test_a_missing_or_older_published_copy_names_the_next_step(tmp_path: Path, data: Path) -> None:
    missing = why(tmp_path / "nowhere", "cus_Anna1")
    assert (missing.exit_code, "run `make run` first" in missing.output) == (1, True)
    with duckdb.connect(str(data / "published" / "warehouse.duckdb")) as copy:
        copy.execute("drop table marts.usage_day_explanations")
    older = why(data, "cus_Anna1", "--day", "2026-10-27")
    assert (older.exit_code, "of a version without explanations" in older.output) == (1, True)


def test_the_company_that_ran_answers_for_each_day_and_invoice(first_run: tuple[Path, str]) -> None:
    data, _ = first_run
    with duckdb.connect(str(data / "published" / "warehouse.duckdb"), read_only=True) as copy:
        [(customer, day)] = copy.execute(
            "select customer_id, usage_date from marts.usage_day_explanations order by anomaly_id nulls last limit 1"
        ).fetchall()
        [(billed, said)] = copy.execute(
            "select customer_id, said from marts.invoice_explanations where is_newest order by invoice_id limit 1"
        ).fetchall()
    assert f"On {day} " in why(data, customer, "--day", str(day)).output
    assert why(data, billed).output.startswith(said)
