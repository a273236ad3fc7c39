"""The benchmark's page server is a Stripe that a reader can trust: it gives every object once."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from tests.benches.load import MUST
from tests.benches.marks import missed
from tests.benches.measure import Server, serving
from tests.benches.pages import APART, EPOCH, LINES
from tests.benches.walk import PARSERS, walk

CUSTOMERS, INVOICES = 1_234, 7


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("--customers", str(CUSTOMERS), "--invoices", str(INVOICES)) as running:
        yield running


def asked(server: Server, path: str, query: Mapping[str, str | int] | None = None, status: int = 200) -> dict[str, Any]:
    answer = requests.get(server.url + path, params=query, timeout=60)
    assert (answer.status_code, bool(answer.headers["Date"])) == (status, True)
    return dict(answer.json())


@pytest.mark.parametrize("parser", PARSERS)
def test_a_walk_meets_every_customer(server: Server, parser: str) -> None:
    assert walk(server.url, "/v1/customers", PARSERS[parser]) == CUSTOMERS


def test_pages_hold_each_object_once_newest_first_and_as_it_reads_by_its_id(server: Server) -> None:
    numbers: list[int] = []
    after: dict[str, str] = {}
    while True:
        page = asked(server, "/v1/customers", {"limit": 100, **after})
        numbers += [(each["created"] - EPOCH) // APART for each in page["data"]]
        after = {"starting_after": page["data"][-1]["id"]}
        assert page["data"][-1] == asked(server, f"/v1/customers/{after['starting_after']}")
        if not page["has_more"]:
            break
    assert numbers == list(range(CUSTOMERS - 1, -1, -1))


def test_stretches_of_created_add_up_to_the_list(server: Server) -> None:
    middle = EPOCH + 500 * APART
    first = asked(server, "/v1/customers", {"limit": 100, "created[lt]": middle})
    assert first["data"][0]["created"] == middle - APART
    assert first["has_more"]
    rest = asked(server, "/v1/customers", {"limit": 100, "created[gte]": middle, "created[lte]": middle + 50 * APART})
    assert (len(rest["data"]), rest["has_more"]) == (51, False)
    assert rest["data"][-1]["created"] == middle
    assert asked(server, "/v1/customers", {"created[gt]": EPOCH + CUSTOMERS * APART})["data"] == []


def test_an_invoice_embeds_all_of_its_lines(server: Server) -> None:
    invoices = asked(server, "/v1/invoices", {"limit": 100})["data"]
    lines = {line["id"] for invoice in invoices for line in invoice["lines"]["data"]}
    assert len(lines) == INVOICES * LINES
    assert not any(invoice["lines"]["has_more"] for invoice in invoices)


def test_it_refuses_what_it_does_not_know_and_has_no_other_kinds(server: Server) -> None:
    assert "ending_before" in asked(server, "/v1/customers", {"ending_before": "cus_1"}, 400)["error"]["message"]
    assert "cus_1" in asked(server, "/v1/customers/cus_1", status=404)["error"]["message"]
    assert asked(server, "/v1/products") == {"object": "list", "data": [], "has_more": False, "url": "/v1/products"}


def test_a_missed_mark_is_named() -> None:
    assert missed({name: mark.least or mark.most or 0 for name, mark in MUST.items()}, MUST) == []
    assert missed({"idle_requests": 11}, MUST) == ["missed: idle_requests is 11 and must be <= 10"]
