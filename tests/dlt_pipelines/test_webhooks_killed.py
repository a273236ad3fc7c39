"""Kill -9 at the worst moments: what was acknowledged is there, what was not comes again, nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.dlt_pipelines.receiving import Receiving, event, receiving, signed, stored

# `make soak-webhooks` asks for 100
KILLS = int(os.environ.get("METERWISE_SOAK_KILLS", "6"))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_just_before_or_just_after_the_commit(tmp_path: Path, moment: str) -> None:
    """After it is the gap between commit and answer: Stripe sends such an event again."""
    bodies = [event(f"evt_{number}") for number in range(KILLS)]
    for body in bodies:
        with receiving(tmp_path, kill=moment) as receiver:
            assert receiver.post(body) == 0
            assert receiver.ended() == -signal.SIGKILL
        assert (body in stored(tmp_path).values()) == (moment == "after")
    with receiving(tmp_path) as receiver:
        assert [receiver.post(body) for body in bodies] == [200] * len(bodies)
        assert receiver.stop() == 0
    known = sum(" known " in line for line in receiver.log)
    assert known == (len(bodies) if moment == "after" else 0)
    assert sorted(stored(tmp_path).values()) == sorted(bodies)


def test_killed_at_any_moment_under_a_stream_of_events(tmp_path: Path) -> None:
    draw = random.Random(9)  # noqa: S311 no secret is drawn
    acknowledged: list[bytes] = []
    unanswered: list[bytes] = []
    for kill in range(KILLS):
        stop, before = threading.Event(), len(acknowledged)
        with receiving(tmp_path) as receiver:
            streams = [
                threading.Thread(target=_stream, args=(receiver, f"{kill}_{each}", stop, acknowledged, unanswered))
                for each in range(3)
            ]
            for stream in streams:
                stream.start()
            while len(acknowledged) <= before and receiver.process.is_alive():
                time.sleep(0.001)
            time.sleep(draw.uniform(0, 0.05))
            receiver.process.kill()
            assert receiver.ended() == -signal.SIGKILL
            stop.set()
            for stream in streams:
                stream.join()
        found = stored(tmp_path).values()
        assert set(acknowledged) <= set(found), f"lost after kill {kill}"
    assert len(acknowledged) >= KILLS
    with receiving(tmp_path) as receiver:  # Stripe repeats what was not answered, and at times what was
        assert {receiver.post(body) for body in unanswered + acknowledged[:20]} == {200}
    assert sorted(stored(tmp_path).values()) == sorted({*acknowledged, *unanswered})
    print(f"{KILLS} kills, {len(acknowledged)} acknowledged, {len(unanswered)} unanswered, none lost or doubled")


def _stream(
    receiver: Receiving, name: str, stop: threading.Event, acknowledged: list[bytes], unanswered: list[bytes]
) -> None:
    """Send events on one connection until it breaks."""
    connection = receiver.connection()
    number = 0
    while not stop.is_set():
        body = event(f"evt_{name}_{number}")
        number += 1
        try:
            connection.request("POST", "/webhooks", body, {"Stripe-Signature": signed(body)})
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            unanswered.append(body)
            break
        (acknowledged if answer.status == 200 else unanswered).append(body)
    connection.close()
