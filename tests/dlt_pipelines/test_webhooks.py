"""What the receiver takes and what it refuses (actions.md 6, W1 to W9)."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dlt_pipelines import inbox
from dlt_pipelines.settings import Settings
from tests.dlt_pipelines.receiving import OTHER_SECRET, SECRET, Receiving, event, receiving, signed, stored

BODY = event("evt_table")


def now() -> int:
    """The second it is: a stamp made when tests are collected would be too old when they run."""
    return int(time.time())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("webhooks")


@pytest.fixture(scope="module")
def receiver(data: Path) -> Iterator[Receiving]:
    with receiving(data, secrets=(SECRET, OTHER_SECRET)) as made:
        yield made


GOOD: dict[str, Callable[[bytes], str]] = {
    "first secret": signed,
    "second secret": lambda body: signed(body, OTHER_SECRET),
    "a little old": lambda body: signed(body, at=int(time.time()) - 290),
    "a little ahead": lambda body: signed(body, at=int(time.time()) + 290),
    "two signatures": lambda body: f"{signed(body)},v1={'0' * 64}",
    "the good one last": lambda body: signed(body).replace("v1=", f"v1={'0' * 64},v1="),
    "v0 beside it": lambda body: f"{signed(body)},v0={'0' * 64}",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_signature_is_taken(receiver: Receiving, data: Path, name: str) -> None:
    body = event(f"evt_{name.replace(' ', '_')}", name="Zoë")
    assert receiver.post(body, GOOD[name](body)) == 200
    assert body in stored(data).values()


BAD: dict[str, Callable[[], str]] = {
    "none": lambda: "",
    "wrong secret": lambda: signed(BODY, "whsec_a_wrong_one"),
    "old": lambda: signed(BODY, at=now() - 900),
    "ahead": lambda: signed(BODY, at=now() + 900),
    "a year ahead": lambda: signed(BODY, at=now() + 365 * 86_400),
    "negative time": lambda: signed(BODY, at=-1),
    "no v1": lambda: f"t={now()}",
    "only v0": lambda: signed(BODY).replace("v1=", "v0="),
    "no time": lambda: signed(BODY).split(",")[1],
    "another time first": lambda: signed(BODY).replace("t=", "t=1,t="),
    "time is no number": lambda: signed(BODY).replace("t=", "t=x"),
    "time of 5000 digits": lambda: f"t={'9' * 5000},v1=00",
    "longer": lambda: signed(BODY) + "0",
    "shorter": lambda: signed(BODY)[:-1],
    "signature not ascii": lambda: f"t={now()},v1=\xe9",
    "empty signature": lambda: f"t={now()},v1=",
    "garbage": lambda: ",=,==,",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_signature_is_refused_without_a_word_why(receiver: Receiving, data: Path, name: str) -> None:
    with closing(receiver.connection()) as connection:
        connection.request("POST", "/webhooks", BODY, {"Stripe-Signature": BAD[name]()})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (400, b"bad request\n")
    assert "evt_table" not in stored(data)


def test_a_body_written_again_is_not_what_was_signed(receiver: Receiving) -> None:
    header = signed(BODY)
    for other in (json.dumps(json.loads(BODY)).encode(), BODY + b"\n", b"\xef\xbb\xbf" + BODY, b"", b"\xff" + BODY):
        assert receiver.post(other, header) == 400


def test_no_single_bit_can_be_flipped(receiver: Receiving, data: Path) -> None:
    body = event("evt_bits", note="Müller")
    header = signed(body).encode()
    draw = random.Random(6)  # noqa: S311 no secret is drawn
    statuses = set()
    with closing(receiver.connection()) as connection:
        for number in range(1_000):
            sent = [bytearray(body), bytearray(header)]
            target = sent[number % 4 == 0]  # a quarter of them in the header
            at = draw.randrange(len(target))
            bits = [1 << bit for bit in range(8) if target is sent[0] or 32 < target[at] ^ 1 << bit != 127]
            target[at] ^= draw.choice(bits)  # no control character nor blank in the header: HTTP cannot carry them
            connection.request("POST", "/webhooks", bytes(sent[0]), {"Stripe-Signature": bytes(sent[1])})
            answer = connection.getresponse()
            answer.read()
            statuses.add(answer.status)
    assert statuses == {400}
    assert "evt_bits" not in stored(data)


def test_an_event_is_landed_once_however_often_it_comes(receiver: Receiving, data: Path) -> None:
    draw = random.Random(5)  # noqa: S311 no secret is drawn
    bodies = [event(f"evt_shuffled_{number}") for number in range(12)]
    sent = [body for body in bodies for _ in range(draw.randint(1, 5))]
    draw.shuffle(sent)
    with closing(receiver.connection()) as connection:
        for body in sent:
            connection.request("POST", "/webhooks", body, {"Stripe-Signature": signed(body)})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"ok\n")
    found = {each: body for each, body in stored(data).items() if each.startswith("evt_shuffled")}
    assert sorted(found.values()) == sorted(bodies)


@pytest.mark.parametrize("kind", ["no.such.thing", "v2.core.account[requirements].updated", "x"])
def test_events_of_unknown_types_are_stored(receiver: Receiving, data: Path, kind: str) -> None:
    body = event(f"evt_{len(kind)}", type=kind)
    assert receiver.post(body) == 200
    assert body in stored(data).values()


def test_thin_events_are_stored(receiver: Receiving, data: Path) -> None:
    body = event("evt_thin", object="v2.core.event", created="2026-11-22T13:00:00.000Z", data=None)
    assert receiver.post(body) == 200
    assert stored(data)["evt_thin"] == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"evt_1"',
        b'{"id": "evt_1"}',
        b"[" * 200_000,
        event(""),
        event("evt 1\n200 forged line of the log"),
        event("evt_x", created=-1),
        event("evt_x", created=2**64),
        event("evt_x", livemode=None),  # type: ignore[arg-type] # what no event may hold
        event("evt_\ud800"),
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(receiver: Receiving, data: Path, body: bytes) -> None:
    before = stored(data)
    assert receiver.post(body) == 400
    assert stored(data) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_only_post_is_taken(receiver: Receiving, method: str) -> None:
    assert receiver.post(BODY, method=method) == 405


@pytest.mark.parametrize("path", ["/", "/webhooks/", "/webhook", "/webhooks/x", "//webhooks", "/docs"])
def test_there_is_one_path(receiver: Receiving, path: str) -> None:
    assert receiver.post(BODY, path=path) == 404


def test_a_body_may_have_512_kib_and_no_byte_more(receiver: Receiving, data: Path) -> None:
    frame = len(event("evt_large", pad=""))
    longest, too_long = (event("evt_large", pad="x" * (512 * 1024 - frame + more)) for more in (0, 1))
    assert len(longest) == 512 * 1024
    assert receiver.post(too_long) in {413, 0}  # 0: it closed while we were sending
    with closing(receiver.connection()) as connection:
        chunks = (too_long[at : at + 65_536] for at in range(0, len(too_long), 65_536))
        try:
            connection.request("POST", "/webhooks", chunks, {"Stripe-Signature": signed(too_long)}, encode_chunked=True)
            assert connection.getresponse().status == 413
        except OSError:
            pass
    assert "evt_large" not in stored(data)
    assert receiver.post(longest) == 200
    assert stored(data)["evt_large"] == longest


def test_events_of_the_other_mode_or_another_account_are_refused(tmp_path: Path) -> None:
    here = Settings(data=tmp_path)
    with receiving(tmp_path) as receiver:
        assert receiver.post(event("evt_live", livemode=True)) == 200  # nobody has said yet whose events these are
        assert inbox.remember_account(here, "acct_ours", is_live=False) == 1  # a load did, while we receive
        assert receiver.post(event("evt_live_2", livemode=True)) == 400
        assert receiver.post(event("evt_theirs", account="acct_theirs")) == 400
        assert receiver.post(event("evt_ours", account="acct_ours")) == 200
        assert receiver.post(event("evt_test")) == 200
    assert list(stored(tmp_path)) == ["evt_ours", "evt_test"]


def test_before_the_first_load_the_keys_mode_decides(tmp_path: Path) -> None:
    with receiving(tmp_path, api_key="rk_live_x") as receiver:
        assert receiver.post(event("evt_test")) == 400
        assert receiver.post(event("evt_live", livemode=True)) == 200
    assert list(stored(tmp_path)) == ["evt_live"]


def test_an_event_that_cannot_be_written_is_not_acknowledged(tmp_path: Path) -> None:
    bodies = [event(f"evt_{number}", pad="x" * 100_000) for number in range(6)]
    with receiving(tmp_path, file_bytes=400_000) as receiver:
        statuses = [receiver.post(body) for body in bodies]
    assert statuses[0] == 200
    assert statuses[-1] == 500
    acknowledged = [body for body, status in zip(bodies, statuses, strict=True) if status == 200]
    assert set(stored(tmp_path).values()) >= set(acknowledged)
    with receiving(tmp_path) as receiver:  # there is room again, and Stripe tries again
        assert {receiver.post(body) for body in bodies} == {200}
    assert sorted(stored(tmp_path).values()) == sorted(bodies)


def test_the_log_names_events_and_reasons_and_nothing_else(tmp_path: Path) -> None:
    body = event("evt_logged", email="somebody@example.com")
    with receiving(tmp_path) as receiver:
        receiver.post(body)
        receiver.post(body)
        receiver.post(body, signed(body, "whsec_of_somebody_else"))
        receiver.post(body, path="/webhooks?email=somebody@example.com")
        assert receiver.stop() == 0
    said = "\n".join(receiver.log)
    assert "evt_logged invoice.paid landed" in said
    assert "evt_logged invoice.paid known" in said
    assert "400 no good signature (127.0.0.1)" in said
    assert "Stripe dashboard" in said
    for secret in (SECRET, "somebody", "v1=", "whsec"):
        assert secret not in said
