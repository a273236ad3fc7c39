"""What is landed of each object, against a Stripe whose bytes the test decides."""

from pathlib import Path

import pytest

from dlt_pipelines.errors import OtherAccount
from tests.dlt_pipelines.stripe_bytes import customer, invoice, line, load_quietly, rows
from tests.dlt_pipelines.stub import StubStripe


def test_a_payload_is_the_exact_bytes_with_unknown_fields_and_enum_values_kept(
    stub: StubStripe, tmp_path: Path
) -> None:
    sent = customer(
        "a", ', "x": 1.10, "y":  1e5, "big": 90071992547409931, "status": "invented", "name": "Zo\\u00eb é"'
    )
    stub.lists["/v1/customers"] = [sent]

    load_quietly(stub, tmp_path)

    assert rows(tmp_path, "select payload, created, is_deleted, livemode from raw_stripe.customers") == [
        (sent.decode(), 10, False, False)
    ]


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every load reads every list whole, so that what is on the lists decides, and no event is needed."""
    monkeypatch.setenv("SOURCES__STRIPE__WHOLE_REREAD_DAYS", "0")


@pytest.mark.usefixtures("whole")
def test_only_a_change_that_means_something_appends_a_version_and_the_old_one_stays(
    stub: StubStripe, tmp_path: Path
) -> None:
    stub.lists["/v1/customers"] = [customer("a", ', "rate": 1.10')]
    load_quietly(stub, tmp_path)

    stub.lists["/v1/customers"] = [customer("a", ',\n  "rate" :  1.10')]
    assert load_quietly(stub, tmp_path).tallies["customers"].rows_appended == 0

    stub.lists["/v1/customers"] = [customer("a", ', "rate": 1.1')]
    assert load_quietly(stub, tmp_path).tallies["customers"].rows_appended == 1
    versions = rows(tmp_path, "select payload, loaded_at from raw_stripe.customers order by loaded_at")
    assert [payload[-5:] for payload, _ in versions] == ["1.10}", " 1.1}"]
    assert versions[0][1] < versions[1][1], "two versions under a clock that stands still must not tie"


@pytest.mark.usefixtures("whole")
def test_invoice_lines_beyond_the_embedded_ten_are_complete_and_follow_their_invoice(
    stub: StubStripe, tmp_path: Path
) -> None:
    lines = [line(number) for number in range(250)]
    stub.lists |= {"/v1/invoices": [invoice(lines)], "/v1/invoices/in_1/lines": lines}
    load_quietly(stub, tmp_path)
    landed = rows(tmp_path, "select payload, parent_id from raw_stripe.invoice_lines order by id")
    assert landed == [(each.decode(), "in_1") for each in lines]

    stub.lists |= {"/v1/invoices": [invoice(lines[1:], "paid")], "/v1/invoices/in_1/lines": lines[1:]}
    load_quietly(stub, tmp_path)
    assert rows(tmp_path, "select id, is_deleted from raw_stripe.invoice_lines where is_deleted") == [("il_000", True)]


@pytest.mark.usefixtures("whole")
def test_deleted_objects_become_tombstones_once_and_what_a_list_only_hides_stays(
    stub: StubStripe, tmp_path: Path
) -> None:
    stub.lists["/v1/customers"] = [customer("a"), customer("b"), customer("c")]
    stub.lists["/v1/invoices"] = [invoice([line(1)], "draft")]
    load_quietly(stub, tmp_path)

    stub.lists["/v1/customers"] = []
    stub.lists["/v1/invoices"] = []
    gone = b'{"id": "cus_a", "object": "customer", "deleted": true}'
    for _ in range(2):
        stub.answers = {"/v1/customers/cus_a": [(200, gone)], "/v1/customers/cus_c": [(200, customer("c"))]}
        load_quietly(stub, tmp_path)

    assert rows(tmp_path, "select id, payload from raw_stripe.customers where is_deleted order by id") == [
        ("cus_a", gone.decode()),
        ("cus_b", customer("b").decode()),
    ]
    assert rows(tmp_path, "select id, created from raw_stripe.invoices where is_deleted") == [("in_1", 20)]
    assert rows(tmp_path, "select id, parent_id from raw_stripe.invoice_lines where is_deleted") == [("il_001", "in_1")]


def test_an_event_is_landed_once_though_its_delivery_count_changes(stub: StubStripe, tmp_path: Path) -> None:
    event = '{"id": "evt_1", "type": "an.invented.kind", "created": 1793512800, "pending_webhooks": %d, "data": {}}'
    for waiting in (1, 0):
        stub.lists["/v1/events"] = [(event % waiting).encode()]
        load_quietly(stub, tmp_path)

    assert rows(tmp_path, "select id, payload from raw_stripe.events") == [("evt_1", event % 1)]


def test_an_account_without_customers_loads_to_the_end_and_says_so(stub: StubStripe, tmp_path: Path) -> None:
    assert "no customers" in str(load_quietly(stub, tmp_path))
    empty = rows(tmp_path, "select table_name from duckdb_tables() where schema_name = 'raw_stripe' order by 1")
    assert {"invoice_lines", "credit_note_lines", "events", "meter_usage_revisions", "load_report"} <= {
        name for (name,) in empty
    }


def test_an_object_of_the_other_mode_is_refused(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists["/v1/customers"] = [customer("a").replace(b'"livemode": false', b'"livemode": true')]

    with pytest.raises(OtherAccount, match="cus_a is of live mode and the key is for test mode"):
        load_quietly(stub, tmp_path)
