"""What a load asks for when an earlier one has ended: what events told of, and what is due."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dlt_pipelines import inbox
from dlt_pipelines.errors import RequestRefused, SettingMissing
from dlt_pipelines.inbox import Arrival, Inbox
from tests.dlt_pipelines.stripe_bytes import customer, invoice, line, load_quietly, rows, settings_for
from tests.dlt_pipelines.stub import NOW, StubStripe, serving

SECOND = int(NOW.timestamp())


def told(stub: StubStripe, kind: str, about: Any, at: int = SECOND, before: Any = None) -> bytes:
    """Add an event about an object (its JSON, or its fields) to the stub's list."""
    fields = json.loads(about) if isinstance(about, bytes) else about
    number = len(stub.lists.setdefault("/v1/events", [])) + 1
    data = {"object": fields} | ({"previous_attributes": before} if before else {})
    event = {"id": f"evt_{number}", "object": "event", "type": kind, "created": at, "livemode": False, "data": data}
    stub.lists["/v1/events"].insert(0, json.dumps(event).encode())
    return stub.lists["/v1/events"][0]


def fill(stub: StubStripe) -> None:
    """Three customers, one invoice and one event."""
    stub.lists["/v1/customers"] = [customer(name) for name in "cba"]
    stub.lists["/v1/invoices"] = [invoice([line(1)])]
    stub.lists["/v1/events"] = []
    told(stub, "customer.created", customer("a"), at=SECOND - 100_000)


@pytest.fixture(scope="module")
def first_load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of what `fill` makes, loaded once."""
    data = tmp_path_factory.mktemp("first")
    with serving() as server:
        fill(server)
        load_quietly(server, data)
    return data


@pytest.fixture
def loaded(stub: StubStripe, first_load: Path, tmp_path: Path) -> StubStripe:
    """A stub whose three customers and one invoice have been loaded into `tmp_path`, with nothing asked since."""
    shutil.copytree(first_load, tmp_path, dirs_exist_ok=True)
    fill(stub)
    return stub


def test_with_nothing_new_only_the_clock_and_the_events_are_asked_for(loaded: StubStripe, tmp_path: Path) -> None:
    load_quietly(loaded, tmp_path)

    assert loaded.asked == ["/v1/account", "/v1/account", "/v1/events"]


def test_an_object_that_many_events_tell_of_is_fetched_once_and_the_rest_is_left_alone(
    loaded: StubStripe, tmp_path: Path
) -> None:
    loaded.lists["/v1/customers"][2] = customer("a", ', "name": "new"')
    for _ in range(3):
        told(loaded, "customer.updated", customer("a"))

    load_quietly(loaded, tmp_path)

    assert sorted(loaded.asked[3:]) == ["/v1/balance_transactions", "/v1/customers/cus_a"]  # workers ask at once
    versions = rows(tmp_path, "select payload like '%new%' from raw_stripe.customers where id = 'cus_a' order by rowid")
    assert versions == [(False,), (True,)]


def test_an_event_that_a_finished_load_has_seen_is_not_acted_on_again(loaded: StubStripe, tmp_path: Path) -> None:
    told(loaded, "customer.updated", customer("a"))
    load_quietly(loaded, tmp_path)
    loaded.asked.clear()

    load_quietly(loaded, tmp_path)

    assert loaded.asked == ["/v1/account", "/v1/account", "/v1/events"]


def test_an_event_landed_by_a_load_that_did_not_end_is_acted_on_by_the_next(loaded: StubStripe, tmp_path: Path) -> None:
    loaded.lists["/v1/customers"][2] = customer("a", ', "name": "new"')
    told(loaded, "customer.updated", customer("a"))
    loaded.answers["/v1/customers/cus_a"] = [(400, b'{"error": {"message": "no"}}')] * 50
    with pytest.raises(RequestRefused):
        load_quietly(loaded, tmp_path)
    loaded.answers.clear()

    load_quietly(loaded, tmp_path)

    assert rows(tmp_path, "select count(*) from raw_stripe.customers where payload like '%new%'") == [(1,)]


def test_new_objects_come_by_one_list_from_the_oldest_of_them_on(loaded: StubStripe, tmp_path: Path) -> None:
    new = [customer(f"n{number}").replace(b'"created": 10', b'"created": %d' % SECOND) for number in range(40)]
    loaded.lists["/v1/customers"][:0] = new
    for each in new:
        told(loaded, "customer.created", each)

    load_quietly(loaded, tmp_path)

    assert loaded.asked.count("/v1/customers") == 1
    assert rows(tmp_path, "select count(*) from raw_stripe.customers") == [(43,)]


def test_a_deleted_object_is_a_tombstone_with_its_last_payload(loaded: StubStripe, tmp_path: Path) -> None:
    del loaded.lists["/v1/invoices"][0]
    told(loaded, "invoice.deleted", {"object": "invoice", "id": "in_1", "created": 20})

    load_quietly(loaded, tmp_path)

    gone = "select is_deleted from raw_stripe.{} order by rowid desc limit 1"
    assert rows(tmp_path, gone.format("invoices")) == rows(tmp_path, gone.format("invoice_lines")) == [(True,)]


def test_a_moved_balance_reads_the_customers_balance_transactions(loaded: StubStripe, tmp_path: Path) -> None:
    path = "/v1/customers/cus_b/balance_transactions"
    loaded.lists[path] = [b'{"id": "cbtxn_1", "created": 30, "amount": -500, "livemode": false}']
    told(loaded, "customer.updated", customer("b"), before={"balance": 0})

    load_quietly(loaded, tmp_path)

    assert path in loaded.asked
    assert rows(tmp_path, "select id, parent_id from raw_stripe.customer_balance_transactions") == [
        ("cbtxn_1", "cus_b")
    ]


def test_an_event_of_an_unknown_kind_is_kept_and_counted_in_one_line(loaded: StubStripe, tmp_path: Path) -> None:
    told(loaded, "invented.happened", {"object": "invented", "id": "inv_1"})

    load_quietly(loaded, tmp_path)

    problems = rows(tmp_path, "select kind, problem, occurrences, is_fatal from raw_stripe.load_problems")
    assert problems == [("events", "unknown_event", 1, False)]
    assert rows(tmp_path, "select count(*) from raw_stripe.events") == [(2,)]


def test_what_webhooks_left_is_loaded_like_any_event_and_then_not_waiting_any_more(
    loaded: StubStripe, tmp_path: Path
) -> None:
    loaded.lists["/v1/customers"][2] = customer("a", ', "name": "new"')
    body = told(loaded, "customer.updated", customer("a"))
    loaded.lists["/v1/events"].pop(0)  # Stripe's list does not show it yet
    settings = settings_for(loaded, tmp_path)
    Inbox(settings.inbox).land([Arrival("evt_2", "customer.updated", SECOND, False, None, body)])

    load_quietly(loaded, tmp_path)

    assert rows(tmp_path, "select count(*) from raw_stripe.customers where payload like '%new%'") == [(1,)]
    assert rows(tmp_path, "select payload from raw_stripe.events where id = 'evt_2'") == [(body.decode(),)]
    assert inbox.pending(settings) == []


def test_after_a_gap_of_28_days_every_list_is_read_whole_and_the_load_says_so(
    loaded: StubStripe, tmp_path: Path
) -> None:
    loaded.now += timedelta(days=29)
    loaded.lists["/v1/customers"][0] = customer("c", ', "name": "new"')

    tallies = load_quietly(loaded, tmp_path).tallies

    assert {tallies[kind].how for kind in ("customers", "prices", "charges")} == {"gap"}
    assert rows(tmp_path, "select count(*) from raw_stripe.customers where payload like '%new%'") == [(1,)]


def test_after_a_day_what_can_change_without_an_event_is_read_again_and_after_a_week_everything(
    loaded: StubStripe, tmp_path: Path
) -> None:
    loaded.now += timedelta(hours=25)
    load_quietly(loaded, tmp_path)
    after_a_day = [path for path in loaded.asked if path not in ("/v1/account", "/v1/events")]
    assert sorted(after_a_day) == ["/v1/billing/alerts", "/v1/invoiceitems", "/v1/quotes"]

    loaded.now += timedelta(days=7)
    loaded.lists["/v1/customers"][0] = customer("c", ', "name": "new"')
    tally = load_quietly(loaded, tmp_path).tallies["customers"]
    assert (tally.how, tally.rows_appended, tally.problems) == ("weekly", 1, {"missed_by_events": 1})


def test_where_more_changed_than_the_list_has_pages_the_list_is_read(loaded: StubStripe, tmp_path: Path) -> None:
    for name in "abc":
        told(loaded, "customer.updated", customer(name))

    load_quietly(loaded, tmp_path)

    assert sorted(loaded.asked[3:]) == ["/v1/balance_transactions", "/v1/customers"]


def test_a_table_that_is_skipped_is_there_and_empty_and_read_once_it_is_wanted(
    stub: StubStripe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.lists["/v1/customers"] = [customer("a")]
    monkeypatch.setenv("SOURCES__STRIPE__SKIP", "disputes, customers")
    load_quietly(stub, tmp_path)
    assert "/v1/disputes" not in stub.asked
    assert rows(tmp_path, "select count(*) from raw_stripe.customers") == [(0,)]

    monkeypatch.delenv("SOURCES__STRIPE__SKIP")
    load_quietly(stub, tmp_path)
    assert rows(tmp_path, "select count(*) from raw_stripe.customers") == [(1,)]

    monkeypatch.setenv("SOURCES__STRIPE__SKIP", "custmers")
    with pytest.raises(SettingMissing, match="names custmers"):
        load_quietly(stub, tmp_path)
