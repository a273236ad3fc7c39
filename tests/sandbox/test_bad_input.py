"""Hostile and broken requests: each is refused in Stripe's shape, and none changes anything."""

import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from .conftest import KEY, Sandbox

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def state(data: Path) -> list[Any]:
    """All objects and all that time will do."""
    db = sqlite3.connect(f"file:{data}/sandbox/sandbox.sqlite?mode=ro", uri=True)
    tables = ("select id, hidden, json from object order by seq", "select clock, at, kind, ref from task order by seq")
    found = [db.execute(table).fetchall() for table in tables]
    db.close()
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"name[=x", b"name]=x", b"[name]=x", b"[]=x", b"=x", b"metadata[a]b=x", b"metadata[[a]]=x", b"metadata[a=1",
        b"metadata" + b"[a]" * 2000 + b"=1", b"metadata" + b"[" * 2000 + b"a" + b"]" * 2000 + b"=1", b"a" * 9000 + b"=",
        b"name=%ff%fe", b"name=\xff", b"name=\xed\xa0\x80", b"name=%zz", b"name=%", b"name=a%00b", b"na%00me=b",
        b"name=a&name[x]=b", b"name[x]=b&name=a", b"name[]=x", b"name[0]=x", b"address[]=x", b"address=x",
        b"preferred_locales=de", b"preferred_locales[a]=de", b"preferred_locales[999999][a]=x", b"metadata=x",
        b"metadata[]=x", b"metadata[a][b]=x", b"expand=customer", b"expand[]=", b"expand[]=..", b"expand[][a]=x",
        b"balance=", b"balance=1.5", b"balance=0x10", b"balance=%D9%A3", b"balance=9223372036854775808",
        b"balance=" + b"9" * 4000, b"description=" + b"x" * 6000, b"payment_method=pm_nobody", b"test_clock=clock_no",
        b'{"name": "x"}', b"&".join(b"metadata[k%d]=v" % number for number in range(5000)),
    ],
)  # fmt: skip
def test_a_malformed_form_is_refused_and_changes_nothing(stocked: Sandbox, body: bytes) -> None:
    before = state(stocked.data)
    refused = stocked.send("POST", "/v1/customers", headers=FORM, data=body)
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error"), refused.text
    assert state(stocked.data) == before


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1", "limit=99999999999999999999", "limit=1.5", "limit=", "limit[]=1", "limit=%D9%A3", "created=abc",
        "created[gte]=abc", "created[gte]=", "created[gte]=9223372036854775808", "created[]=1", "created[gte][x]=1",
        "created[gte]=1&created=2", "starting_after=%F0%9F%92%A9", "ending_before=" + "x" * 4000, "starting_after[]=x",
        "starting_after=%00", "expand[]=data", "expand[]=data.", "expand[]=data..", "expand[]=data.email",
    ],
)  # fmt: skip
def test_a_malformed_query_is_refused(stocked: Sandbox, query: str) -> None:
    refused = stocked.get(f"/v1/customers?{query}")
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error"), refused.text


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "DELETE"])
def test_a_method_that_a_route_does_not_have_is_no_url(stocked: Sandbox, method: str) -> None:
    refused = stocked.send(method, "/v1/customers")
    assert (refused.status_code, refused.json()["error"]["type"]) == (404, "invalid_request_error")


@pytest.mark.parametrize(
    "identifier", ["cus%2F1", "..%2f..", "%E2%82%AC", "%FF", "a%00b", "x" * 5000, "cus_1;x", "%20"]
)
def test_an_id_of_any_characters_is_just_not_found(stocked: Sandbox, identifier: str) -> None:
    refused = stocked.get(f"/v1/customers/{identifier}")
    assert (refused.status_code, refused.json()["error"]["type"]) == (404, "invalid_request_error")


def raw(stocked: Sandbox, sent: bytes, *, wait: bool = True) -> bytes:
    """What comes back for bytes sent as they are; without waiting, the client hangs up at once."""
    where = urlsplit(stocked.url)
    with socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=5) as line:
        line.sendall(sent)
        parts = [b""]
        while wait and (part := line.recv(65536)):
            parts.append(part)
    return b"".join(parts)


def head(method: str, path: str, *more: str, version: str = "1.1") -> bytes:
    lines = (f"{method} {path} HTTP/{version}", "Host: x", f"Authorization: Bearer {KEY}", *more)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_half_a_form_has_no_effect_when_the_client_hangs_up(stocked: Sandbox) -> None:
    before = state(stocked.data)
    raw(stocked, head("POST", "/v1/customers", "Content-Length: 500") + b"name=half", wait=False)
    chunked = head("POST", "/v1/customers", "Transfer-Encoding: chunked")
    raw(stocked, chunked + b"9\r\nname=half\r\n", wait=False)
    raw(stocked, chunked + b"9\r\nname=half\r\nZZ\r\n")
    for _ in range(3):  # requests are carried out in turn, so the half ones are over by now
        stocked.get("/v1/customers", limit=1)
    assert state(stocked.data) == before


def test_http_1_0_and_pipelined_requests_are_answered(stocked: Sandbox) -> None:
    assert raw(stocked, head("GET", "/v1/customers", version="1.0")).startswith(b"HTTP/1.1 200")
    page, last = head("GET", "/v1/customers"), head("GET", "/v1/account", "Connection: close")
    answers = raw(stocked, page * 3 + last)
    assert (answers.count(b"HTTP/1.1 200"), answers.count(b'"object": "account"')) == (4, 1)


def test_twenty_threads_with_one_idempotency_key_have_one_effect(account: Sandbox) -> None:
    def send(_: int) -> Any:
        answer = account.post("/v1/customers", {"name": "one"}, **{"Idempotency-Key": "twenty"})
        return (answer.status_code, answer.json().get("id"))

    with ThreadPoolExecutor(20) as threads:
        answers = set(threads.map(send, range(20)))
    assert len({found for status, found in answers if status == 200}) == 1
    assert {status for status, _ in answers} <= {200, 409}
    assert len(account.get("/v1/customers").json()["data"]) == 1


def test_an_invoice_that_was_given_up_is_not_sent(account: Sandbox) -> None:
    invoice = drafted(account)
    for step in ("finalize", "mark_uncollectible"):
        account.made(f"/v1/invoices/{invoice['id']}/{step}")
    assert account.post(f"/v1/invoices/{invoice['id']}/send").status_code == 400


def test_an_invoice_takes_no_items_of_another_customer(account: Sandbox) -> None:
    invoice, other = drafted(account), account.made("/v1/customers")["id"]
    before = state(account.data)
    given = {"customer": other, "invoice": invoice["id"], "amount": 100, "currency": "usd"}
    refused = account.post("/v1/invoiceitems", given)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "customer")
    assert state(account.data) == before


def drafted(account: Sandbox) -> dict[str, Any]:
    """A draft of 50 dollars that will be sent."""
    customer = account.made("/v1/customers")["id"]
    given = {"customer": customer, "collection_method": "send_invoice", "days_until_due": 9}
    invoice = account.made("/v1/invoices", given)
    item = {"customer": customer, "invoice": invoice["id"], "amount": 5000, "currency": "usd"}
    account.made("/v1/invoiceitems", item)
    return invoice


def test_a_number_out_of_range_is_told_its_range_in_words(account: Sandbox) -> None:
    given = {"product": account.made("/v1/products", {"name": "x"})["id"], "currency": "usd", "unit_amount": -1}
    message = account.post("/v1/prices", given).json()["error"]["message"]
    assert "between 0 and unlimited" in message
