"""Answers that are not what they should be: cut, no JSON, leading back, without ids, after an object that is gone."""

from pathlib import Path

import pytest

from dlt_pipelines.budget import Patience
from dlt_pipelines.client import Page, Reader
from dlt_pipelines.errors import BadResponse, CursorGone
from dlt_pipelines.problems import PROBLEMS, problem_lines
from dlt_pipelines.rows import Tally
from tests.dlt_pipelines.stripe_bytes import customer, settings_for
from tests.dlt_pipelines.stub import StubStripe

CUSTOMERS = "/v1/customers"
HTML = b"<html>maintenance</html>"
NO_TEXT = b'{"data": [{"id": "cus_\xff"}], "has_more": false}'  # JSON is UTF-8


def reader(stub: StubStripe, data: Path) -> Reader:
    return Reader(settings_for(stub, data), patience=Patience(0.001, 0.002, 0.5))


def listed(*payloads: bytes, more: str = "true") -> bytes:
    return b'{"object": "list", "data": [' + b", ".join(payloads) + b'], "has_more": ' + more.encode() + b"}"


def ids(reader: Reader, tally: Tally) -> list[str]:
    return [bytes(payload).decode().split('"')[3] for page in reader.pages(CUSTOMERS, {}, tally) for payload in page]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (HTML, "not_json"),
        (NO_TEXT, "not_json"),
        (listed(customer("a")) + b"}", "not_json"),
        (b"", "truncated_body"),
        (listed(customer("a"))[:-20], "truncated_body"),
        (listed(customer("a"))[:-1], "truncated_body"),
    ],
)
def test_a_body_that_is_not_whole_is_asked_for_again_and_counted(
    stub: StubStripe, tmp_path: Path, body: bytes, problem: str
) -> None:
    stub.lists[CUSTOMERS] = [customer("a"), customer("b")]
    stub.answers[CUSTOMERS] = [(200, body)] * 3
    tally = Tally()

    assert ids(reader(stub, tmp_path), tally) == ["cus_a", "cus_b"]
    assert (tally.requests, tally.retries, tally.problems) == (4, 3, {problem: 3})


def test_every_cut_of_a_page_is_seen(stub: StubStripe, tmp_path: Path) -> None:
    whole = listed(customer("a", ', "name": "1.10"'), customer("b"), more="false")
    one, tally = reader(stub, tmp_path), Tally()
    for length in range(len(whole)):
        stub.answers[CUSTOMERS] = [(200, whole[:length]), (200, whole)]
        assert ids(one, tally) == ["cus_a", "cus_b"]

    assert tally.problems == {"truncated_body": len(whole)}


def test_an_answer_that_breaks_off_is_asked_for_again(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists[CUSTOMERS] = [customer(f"{number:03}") for number in range(150)]
    stub.cuts = {CUSTOMERS: 2, "/v1/account": 1}
    one, tally = reader(stub, tmp_path), Tally()

    assert ids(one, tally) == [f"cus_{number:03}" for number in range(150)]
    assert one.get("/v1/account", {}, tally) == stub.account
    assert (tally.requests, tally.retries, tally.problems) == (6, 3, {"truncated_body": 3})


@pytest.mark.parametrize(
    ("body", "words"),
    [(HTML, "not JSON 4 times in a row"), (listed(customer("a"))[:-9], "cut off 4 times in a row")],
)
def test_a_body_that_is_never_whole_is_one_sentence_without_the_body(
    stub: StubStripe, tmp_path: Path, body: bytes, words: str
) -> None:
    stub.answers[CUSTOMERS] = [(200, body)] * 9

    with pytest.raises(BadResponse, match=words) as raised:
        ids(reader(stub, tmp_path), Tally())

    assert len(stub.asked) == 4
    assert "maintenance" not in str(raised.value)
    assert "cus_a" not in str(raised.value)


@pytest.mark.parametrize(
    "body", [b"[]", b'{"data": [], "object": "list"}', b'{"data": {}, "has_more": false}', b"null"]
)
def test_json_that_is_no_list_is_no_empty_list(stub: StubStripe, tmp_path: Path, body: bytes) -> None:
    stub.answers[CUSTOMERS] = [(200, body)]

    with pytest.raises(BadResponse, match="not what its API describes"):
        ids(reader(stub, tmp_path), Tally())


def test_a_single_object_is_one_whole_object(stub: StubStripe, tmp_path: Path) -> None:
    stub.answers["/v1/account"] = [(200, stub.account[:-1]), (200, b""), (200, b"[]")]
    tally = Tally()

    with pytest.raises(BadResponse, match="not what its API describes"):
        reader(stub, tmp_path).get("/v1/account", {}, tally)

    assert tally.problems == {"truncated_body": 2}


def test_a_page_that_leads_back_is_asked_for_again(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists[CUSTOMERS] = [customer(f"{number:03}") for number in range(250)]
    tally = Tally()
    found = []
    for number, page in enumerate(reader(stub, tmp_path).pages(CUSTOMERS, {}, tally)):
        found += page
        if number == 1:  # instead of the third page: the first again, then the second, then none at all
            first, second = stub.lists[CUSTOMERS][:100], stub.lists[CUSTOMERS][100:200]
            stub.answers[CUSTOMERS] = [(200, listed(*first)), (200, listed(*second)), (200, listed())]

    assert [bytes(payload) for payload in found] == stub.lists[CUSTOMERS]
    assert (tally.requests, tally.retries, tally.problems) == (6, 3, {"repeated_cursor": 3})


@pytest.mark.parametrize("page", [listed(customer("a")), listed(), listed(b'{"object": "customer"}')])
def test_a_list_that_would_never_end_is_an_error(stub: StubStripe, tmp_path: Path, page: bytes) -> None:
    stub.answers[CUSTOMERS] = [(200, page)] * 20

    with pytest.raises(BadResponse, match="would never end"):
        ids(reader(stub, tmp_path), Tally())

    assert len(stub.asked) <= 5


def test_an_object_without_an_id_is_no_cursor(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists[CUSTOMERS] = [customer("a"), customer("b"), b'{"object": "customer"}', customer("c")]
    stub.answers[CUSTOMERS] = [(200, listed(*stub.lists[CUSTOMERS][:3]))]
    one, tally = reader(stub, tmp_path), Tally()

    page = one.page(CUSTOMERS, {}, tally)
    assert page
    assert page.cursor == "cus_b"
    rest = one.page(CUSTOMERS, {}, tally, after=page)
    assert rest
    assert [bytes(payload) for payload in rest.data] == stub.lists[CUSTOMERS][2:]
    assert (rest.has_more, rest.cursor) == (False, None)


def test_a_list_goes_on_where_it_was_though_its_last_objects_are_deleted(stub: StubStripe, tmp_path: Path) -> None:
    everybody = [customer(f"{number:03}") for number in range(250)]
    stub.lists[CUSTOMERS] = list(everybody)
    tally, found = Tally(), []
    for number, page in enumerate(reader(stub, tmp_path).pages(CUSTOMERS, {}, tally)):
        found += page
        if number == 0:
            del stub.lists[CUSTOMERS][97:100]

    assert [bytes(payload) for payload in found] == everybody
    assert (tally.requests, tally.retries, tally.problems) == (6, 3, {"cursor_gone": 3})


def test_a_list_whose_whole_last_page_is_deleted_says_so(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists[CUSTOMERS] = [customer(f"{number:03}") for number in range(6)]
    one, tally = reader(stub, tmp_path), Tally()
    page = one.page(CUSTOMERS, {"limit": 2}, tally)
    del stub.lists[CUSTOMERS][:2]

    with pytest.raises(CursorGone, match="have been deleted"):
        one.page(CUSTOMERS, {"limit": 2}, tally, after=page)

    assert isinstance(page, Page)
    assert tally.problems == {"cursor_gone": 2}


def test_a_whole_list_is_begun_again_when_its_last_page_is_deleted(stub: StubStripe, tmp_path: Path) -> None:
    lines = [customer(f"{number:03}") for number in range(5)]
    stub.lists["/v1/invoices/in_1/lines"] = lines
    gone = (400, b'{"error": {"code": "resource_missing", "param": "starting_after", "message": "gone"}}')
    stub.answers["/v1/invoices/in_1/lines"] = [(200, listed(*lines[:2])), gone, gone]
    tally = Tally()

    found = reader(stub, tmp_path).entries("/v1/invoices/{id}/lines", {}, tally, of="in_1")

    assert found is not None
    assert [bytes(payload) for payload in found] == lines
    assert tally.problems == {"cursor_gone": 2}


def test_a_whole_list_whose_parent_is_deleted_on_the_way_is_none(stub: StubStripe, tmp_path: Path) -> None:
    missing = b'{"error": {"code": "resource_missing", "param": "id"}}'
    stub.answers["/v1/invoices/in_1/lines"] = [(200, listed(customer("a"))), (404, missing)]

    assert reader(stub, tmp_path).entries("/v1/invoices/{id}/lines", {}, Tally(), of="in_1") is None


def test_each_problem_is_one_line_with_its_count_and_first_example() -> None:
    tally = Tally()
    for name in PROBLEMS:
        tally.note(name)
        tally.note(name, "cus_b")
        tally.note(name)

    lines = problem_lines("customers", tally)

    assert len(lines) == len(PROBLEMS)
    assert all(line.startswith("customers: 3 × ") and "\n" not in line and "{" not in line for line in lines)
    assert problem_lines("customers", Tally()) == []
