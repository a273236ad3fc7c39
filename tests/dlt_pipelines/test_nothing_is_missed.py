"""What could be missed without a word: each test is a way in which a load's answer and Stripe's could part for good."""

import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.errors import OtherAccount
from dlt_pipelines.inbox import Arrival, Inbox
from tests.dlt_pipelines.stripe_bytes import customer, invoice, line, load_quietly, rows, settings_for
from tests.dlt_pipelines.stub import NOW, StubStripe
from tests.dlt_pipelines.test_increments import SECOND, told

HOUR = 3600
NEW = "select count(*) from raw_stripe.customers where payload like '%new%'"


def thing(key: str, kind: str, extra: str = "", created: int = 30) -> bytes:
    return f'{{"id": "{key}", "object": "{kind}", "created": {created}, "livemode": false{extra}}}'.encode()


@pytest.fixture
def loaded(stub: StubStripe, tmp_path: Path) -> StubStripe:
    """A stub with three customers that has been loaded once."""
    stub.lists["/v1/customers"] = [customer(name) for name in "cba"]
    stub.lists["/v1/events"] = []
    told(stub, "customer.created", customer("a"), at=SECOND - 100_000)
    load_quietly(stub, tmp_path)
    return stub


def change(stub: StubStripe, at: int) -> None:
    """Customer a changes, and an event says so."""
    stub.lists["/v1/customers"][2] = customer("a", ', "name": "new"')
    told(stub, "customer.updated", customer("a"), at=at)


def test_a_list_that_was_read_because_it_was_cheaper_does_not_put_off_the_weekly_reading(
    loaded: StubStripe, tmp_path: Path
) -> None:
    loaded.now += timedelta(days=5)
    for name in "abc":
        told(loaded, "customer.updated", customer(name), at=SECOND + 5 * 24 * HOUR)
    assert load_quietly(loaded, tmp_path).tallies["customers"].how == "whole"

    loaded.now += timedelta(days=3)
    assert load_quietly(loaded, tmp_path).tallies["customers"].how == "weekly"


def test_what_the_whole_list_of_a_kind_hides_is_asked_for_by_id(
    stub: StubStripe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__STRIPE__WHOLE_REREAD_DAYS", "0")
    stub.lists["/v1/billing/alerts"] = [thing("alrt_1", "billing.alert")]
    load_quietly(stub, tmp_path)

    stub.lists["/v1/billing/alerts"] = []
    stub.answers["/v1/billing/alerts/alrt_1"] = [(200, thing("alrt_1", "billing.alert", ', "status": "archived"'))]
    load_quietly(stub, tmp_path)

    assert rows(tmp_path, "select count(*) from raw_stripe.alerts where payload like '%archived%'") == [(1,)]


def test_what_events_named_and_a_list_hides_is_asked_for_where_the_list_is_read_instead(
    stub: StubStripe, tmp_path: Path
) -> None:
    cards = [thing(f"pm_{name}", "payment_method") for name in "cba"]
    stub.lists |= {"/v1/payment_methods": list(cards), "/v1/events": []}
    load_quietly(stub, tmp_path)

    detached = thing("pm_a", "payment_method", ', "customer": null')
    del stub.lists["/v1/payment_methods"][2]
    stub.answers["/v1/payment_methods/pm_a"] = [(200, detached)]
    for card in cards:
        told(stub, "payment_method.detached", card)

    assert load_quietly(stub, tmp_path).tallies["payment_methods"].how == "whole"
    assert rows(tmp_path, "select count(*) from raw_stripe.payment_methods where id = 'pm_a'") == [(2,)]


def test_an_object_on_a_test_clock_that_its_list_shows_changes_with_its_events(
    stub: StubStripe, tmp_path: Path
) -> None:
    clock = b', "test_clock": "clock_1", "status": '
    on_clock = invoice([line(1)], "draft").replace(b', "status": ', clock)
    stub.lists |= {"/v1/invoices": [on_clock], "/v1/events": []}
    load_quietly(stub, tmp_path)

    stub.lists["/v1/invoices"] = [invoice([line(1)], "open").replace(b', "status": ', clock)]
    told(stub, "invoice.finalized", {"object": "invoice", "id": "in_1", "created": 20})
    load_quietly(stub, tmp_path)

    landed = rows(tmp_path, "select payload ->> '$.status' from raw_stripe.invoices order by rowid")
    assert landed == [("draft",), ("open",)]


def test_rows_of_a_load_that_was_killed_before_its_account_landed_are_still_that_accounts(
    stub: StubStripe, tmp_path: Path
) -> None:
    stub.lists["/v1/customers"] = [customer("a")]
    load_quietly(stub, tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("delete from raw_stripe.accounts")

    stub.account = b'{"id": "acct_other", "object": "account"}'
    with pytest.raises(OtherAccount, match="holds acct_stub"):
        load_quietly(stub, tmp_path)


def test_a_warehouse_put_back_from_a_copy_goes_on_where_the_copy_ended(loaded: StubStripe, tmp_path: Path) -> None:
    copy = shutil.copy(tmp_path / "warehouse.duckdb", tmp_path / "copy.duckdb")
    change(loaded, SECOND + HOUR)
    loaded.now += timedelta(hours=2)
    load_quietly(loaded, tmp_path)
    loaded.now += timedelta(hours=4)
    told(loaded, "customer.updated", customer("b"), at=SECOND + 5 * HOUR)
    load_quietly(loaded, tmp_path)

    shutil.move(copy, tmp_path / "warehouse.duckdb")
    load_quietly(loaded, tmp_path)

    assert rows(tmp_path, NEW) == [(1,)]


@pytest.mark.parametrize("left", ["warehouse", "dlt"])
def test_without_the_warehouse_all_is_read_again_and_without_dlts_folder_nothing(
    loaded: StubStripe, tmp_path: Path, left: str
) -> None:
    if left == "dlt":
        (tmp_path / "warehouse.duckdb").unlink()
    else:
        shutil.rmtree(tmp_path / "dlt")

    tally = load_quietly(loaded, tmp_path).tallies["customers"]

    assert (tally.how, tally.rows_appended) == (("first", 3) if left == "dlt" else ("changes", 0))


def test_an_event_dated_ahead_of_stripes_clock_hides_none_that_come_after_it(
    loaded: StubStripe, tmp_path: Path
) -> None:
    told(loaded, "customer.updated", customer("b"), at=SECOND + 9 * 24 * HOUR)
    load_quietly(loaded, tmp_path)
    loaded.now += timedelta(hours=2)
    change(loaded, SECOND + 2 * HOUR)

    load_quietly(loaded, tmp_path)

    assert rows(tmp_path, NEW) == [(1,)]


def test_an_event_that_appears_most_of_a_day_late_is_found_by_the_daily_reading_of_a_busy_account(
    loaded: StubStripe, tmp_path: Path
) -> None:
    for minutes in (1, 23 * 60 + 50, 24 * 60 + 10):
        loaded.now = NOW + timedelta(minutes=minutes)
        told(loaded, "customer.updated", customer("b"), at=SECOND + minutes * 60)
        if minutes > 1:
            change(loaded, SECOND - HOUR)  # it shows only now, almost a day late
        load_quietly(loaded, tmp_path)

    assert rows(tmp_path, NEW) == [(1,)]


@pytest.mark.parametrize("left_out", [b'"lines": null', b'"has_no": "lines"'])
def test_an_invoice_that_embeds_no_list_is_kept_and_its_list_is_read_by_itself(
    stub: StubStripe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: bytes
) -> None:
    monkeypatch.setenv("SOURCES__STRIPE__WHOLE_REREAD_DAYS", "0")
    stub.lists |= {"/v1/invoices": [invoice([line(1)])], "/v1/invoices/in_1/lines": [line(1)]}
    load_quietly(stub, tmp_path)

    bare = b'{"id": "in_1", "object": "invoice", "created": 20, "livemode": false, ' + left_out + b"}"
    stub.lists["/v1/invoices"] = [bare]
    tally = load_quietly(stub, tmp_path).tallies["invoices"]

    assert (tally.rows_appended, tally.problems.get("no_id")) == (1, None)
    assert rows(tmp_path, "select is_deleted from raw_stripe.invoice_lines") == [(False,)]


def test_an_object_of_an_unknown_shape_is_kept_and_counted(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists["/v1/customers"] = [customer("a", ', "test_clock": 5'), customer("b")]

    tally = load_quietly(stub, tmp_path).tallies["customers"]

    assert tally.problems == {"odd_shape": 1}
    assert rows(tmp_path, "select id, created from raw_stripe.customers order by id") == [
        ("cus_a", None),
        ("cus_b", 10),
    ]


def test_events_are_read_before_objects_whatever_order_dlt_is_told(
    loaded: StubStripe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTRACT__NEXT_ITEM_MODE", "round_robin")
    body = told(loaded, "customer.updated", customer("b"))  # lands before the list is asked for
    Inbox(settings_for(loaded, tmp_path).inbox).land([Arrival("evt_2", "customer.updated", SECOND, False, None, body)])
    change(loaded, SECOND)

    load_quietly(loaded, tmp_path)

    assert rows(tmp_path, NEW) == [(1,)]


def test_only_what_events_should_have_told_of_is_counted_as_missed_by_them(loaded: StubStripe, tmp_path: Path) -> None:
    loaded.now += timedelta(days=8)
    loaded.lists["/v1/balance_transactions"] = [thing("txn_1", "balance_transaction", created=SECOND)]

    tally = load_quietly(loaded, tmp_path).tallies["balance_transactions"]

    assert (tally.how, tally.rows_appended, tally.problems) == ("weekly", 1, {})


def test_a_tombstoned_object_that_comes_back_lives_again_with_what_hangs_on_it(
    stub: StubStripe, tmp_path: Path
) -> None:
    there = [invoice([line(1)])]
    stub.lists |= {"/v1/invoices": list(there), "/v1/events": []}
    load_quietly(stub, tmp_path)
    for listed in ([], there):
        stub.lists["/v1/invoices"] = list(listed)
        told(stub, "invoice.deleted", {"object": "invoice", "id": "in_1", "created": 20})
        load_quietly(stub, tmp_path)

    for table in ("invoices", "invoice_lines"):
        versions = rows(tmp_path, f"select is_deleted from raw_stripe.{table} order by rowid")
        assert versions == [(False,), (True,), (False,)]


def test_a_nested_list_that_shrinks_to_nothing_leaves_tombstones(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists |= {"/v1/invoices": [invoice([line(1), line(2)])], "/v1/events": []}
    load_quietly(stub, tmp_path)
    stub.lists["/v1/invoices"] = [invoice([])]
    told(stub, "invoice.updated", {"object": "invoice", "id": "in_1", "created": 20})

    load_quietly(stub, tmp_path)

    assert rows(tmp_path, "select id from raw_stripe.invoice_lines where is_deleted order by id") == [
        ("il_001",),
        ("il_002",),
    ]


def test_an_event_that_a_webhook_brought_before_the_first_load_is_landed_once(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists |= {"/v1/customers": [customer("a")], "/v1/events": []}
    body = told(stub, "customer.created", customer("a"))
    box = Inbox(settings_for(stub, tmp_path).inbox)
    box.land([Arrival("evt_1", "customer.created", SECOND, False, None, body)])
    box.close()

    load_quietly(stub, tmp_path)

    assert rows(tmp_path, "select count(*) from raw_stripe.events") == [(1,)]
    assert rows(tmp_path, "select count(*) from raw_stripe.customers") == [(1,)]
