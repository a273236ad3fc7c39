"""What no API should send: one clear line each, counted in the report, and nothing that was good is lost."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlt_pipelines.errors import BadResponse
from dlt_pipelines.load import load
from dlt_pipelines.progress import Progress
from tests.dlt_pipelines.stripe_bytes import METER, TODAY, customer, load_quietly, rows, settings_for, subscription
from tests.dlt_pipelines.stub import DAY, StubStripe, serving

BEYOND = 2**53 + 1  # the first whole number that a float cannot hold
# problem → the table it is counted for, what its line says of it, the example it names
MET = {
    "truncated_body": ("coupons", "ended before its end", "/v1/coupons"),
    "not_json": ("tax_rates", "was not JSON", "/v1/tax_rates"),
    "repeated_cursor": ("payment_methods", "led back", "/v1/payment_methods"),
    "no_id": ("customers", "had no id", ""),
    "beyond_2_53": ("meter_usage_revisions", "beyond 2^53", "mtr_api"),
    "deleted_parent": ("customer_balance_transactions", "was deleted while", "cus_b"),
    "unknown_event": ("events", "a kind of object that is not loaded", "evt_odd"),
}


@dataclass
class Seen:
    """A warehouse that a load has filled from a bad server, and what it said."""

    data: Path
    said: list[str]


def page(objects: list[bytes], has_more: bool) -> tuple[int, bytes]:
    return 200, b'{"object": "list", "data": [%s], "has_more": %s}' % (
        b", ".join(objects),
        json.dumps(has_more).encode(),
    )


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One load from a server that does everything in MET, each once."""
    data = tmp_path_factory.mktemp("bad")
    with serving() as stub:
        stub.lists |= {
            "/v1/customers": [customer("c"), b'{"object": "customer", "name": "nobody"}', customer("b"), customer("a")],
            "/v1/coupons": [b'{"id": "TEN", "object": "coupon", "created": 3, "percent_off": 1e1}'],
            "/v1/tax_rates": [b'{"id": "txr_1", "object": "tax_rate", "created": 3, "percentage": 20.10}'],
            "/v1/billing/meters": [METER],
            "/v1/subscriptions": [subscription(TODAY - 9 * DAY)],
            "/v1/events": [event("evt_odd", "gizmo.made"), event("evt_known", "customer.updated")],
        }
        first, last = (f'{{"id": "pm_{n}", "object": "payment_method", "created": {9 - n}}}'.encode() for n in (1, 2))
        stub.answers["/v1/payment_methods"] = [page([first], True), page([first], True), page([last], False)]
        stub.answers["/v1/tax_rates"] = [(200, b"<html>Welcome to the guest network</html>")]
        stub.answers["/v1/customers/cus_b/balance_transactions"] = [(404, b'{"error": {"code": "resource_missing"}}')]
        stub.cuts["/v1/coupons"] = 1
        stub.usage["mtr_api", "cus_a"] = {TODAY - DAY: f"{BEYOND}"}
        said = io.StringIO()
        load(settings_for(stub, data), Progress(said, is_quiet=False))
        yield Seen(data, said.getvalue().splitlines())


def event(name: str, kind: str) -> bytes:
    about = {"id": "cus_a", "object": kind.partition(".")[0], "created": 10}
    fields = {
        "id": name,
        "object": "event",
        "type": kind,
        "created": TODAY,
        "livemode": False,
        "data": {"object": about},
    }
    return json.dumps(fields).encode()


@pytest.mark.parametrize("problem", MET)
def test_each_problem_is_one_line_and_counted(seen: Seen, problem: str) -> None:
    table, words, example = MET[problem]

    [line] = [line for line in seen.said if words in line]
    assert line.startswith(f"{table}: 1 ×")
    assert example in line
    found = f"select kind, occurrences, is_fatal from raw_stripe.load_problems where problem = '{problem}'"
    assert rows(seen.data, found) == [(table, 1, False)]
    kind = "meter_usage" if table == "meter_usage_revisions" else table  # usage is reported by meter
    assert rows(seen.data, f"select problems from raw_stripe.load_report where kind = '{kind}'") == [(1,)]


def test_no_line_shows_what_the_bodies_held(seen: Seen) -> None:
    assert not [line for line in seen.said if "nobody" in line or "guest network" in line]


@pytest.mark.parametrize(
    ("table", "ids"),
    [
        ("customers", ["cus_a", "cus_b", "cus_c"]),
        ("payment_methods", ["pm_1", "pm_2"]),
        ("coupons", ["TEN"]),
        ("tax_rates", ["txr_1"]),
        ("events", ["evt_known", "evt_odd"]),
    ],
)
def test_what_was_good_has_landed_beside_it(seen: Seen, table: str, ids: list[str]) -> None:
    assert rows(seen.data, f"select list(id order by id) from raw_stripe.{table}") == [(ids,)]


def test_numbers_stay_as_they_were_sent(seen: Seen) -> None:
    assert rows(seen.data, "select payload like '%1e1}' from raw_stripe.coupons") == [(True,)]
    assert rows(seen.data, "select payload like '%20.10}' from raw_stripe.tax_rates") == [(True,)]
    largest = "select max(aggregated_value)::varchar from raw_stripe.meter_usage_revisions"
    assert rows(seen.data, largest)[0][0].startswith(str(BEYOND))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param([(200, b'{"object": "list", "data": [')] * 9, "cut off", id="never whole"),
        pytest.param([page([customer("x")], True)] * 400, "would never end", id="a circle"),
    ],
)
def test_what_stays_bad_ends_the_load_in_one_sentence_and_shows_nothing_of_it(
    stub: StubStripe, tmp_path: Path, answers: list[tuple[int, bytes]], said: str
) -> None:
    stub.lists["/v1/products"] = [b'{"id": "prod_1", "object": "product", "created": 3}']
    stub.answers["/v1/customers"] = answers

    with pytest.raises(BadResponse, match=said) as refused:
        load_quietly(stub, tmp_path)
    assert "\n" not in str(refused.value)
    assert "load_report" not in str(rows(tmp_path, "select table_name from duckdb_tables()")), "the load looks finished"

    stub.answers.clear()
    stub.lists["/v1/customers"] = [customer("a")]
    load_quietly(stub, tmp_path)
    assert rows(tmp_path, "select id from raw_stripe.customers") == [("cus_a",)]
    assert rows(tmp_path, "select id from raw_stripe.products") == [("prod_1",)]
