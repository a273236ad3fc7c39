"""The official SDK drives every route of the sandbox, and Stripe's own description judges every answer."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import objects, state
from sandbox.routes import Route, routes
from tests.oracles import openapi
from tests.sandbox.conftest import Sandbox, running
from tests.sandbox.drive import drive
from tests.sandbox.recorder import Recorder, client

ROUTES = [pytest.param(route, id=route.key) for route in routes()]


@pytest.fixture(scope="module")
def planted(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A server on an empty account, but for one each of what no route makes."""
    data = tmp_path_factory.mktemp("planted")
    shutil.copytree(empty, data / "sandbox")
    store = state.open_store(data / "sandbox")
    with store.transaction():
        coupon = objects.create(store, "coupon", emits=False, id="PLANTED", percent_off=5.0)
        promotion = {"type": "coupon", "coupon": coupon["id"]}
        objects.create(store, "promotion_code", emits=False, id="promo_planted", code="HELLO", promotion=promotion)
        objects.create(store, "tax_rate", emits=False, id="txr_planted", display_name="VAT", percentage=20.0)
        objects.create(
            store, "dispute", emits=False, id="dp_planted", charge="ch_gone", amount=100, reason="fraudulent"
        )
    store.db.close()
    yield from running(data)


@pytest.fixture(scope="module")
def driven(planted: Sandbox) -> Recorder:
    """What the scenario of drive.py sent to the account, and what came back."""
    sdk, recorder = client(planted.url)
    drive(sdk, planted)
    return recorder


REFUSED = {"POST /v1/refunds/{id}/cancel"}  # the sandbox's refunds succeed at once: nothing is left to cancel


@pytest.mark.parametrize("route", ROUTES)
def test_the_official_sdk_drives_the_route(driven: Recorder, route: Route) -> None:
    answered = any(status == 200 for status, _ in driven.seen.get(route.key, []))
    assert answered or route.key in REFUSED, f"{route.key} was never answered"


@pytest.mark.parametrize("route", ROUTES)
def test_the_route_answers_as_stripe_describes(driven: Recorder, route: Route) -> None:
    verb = route.method
    answers = [body for status, body in driven.seen.get(route.key, []) if status == 200]
    found = [fault for body in answers for fault in openapi.faults(verb, route.path, body)]
    assert not found, "\n".join(sorted(set(found)))


def test_no_refusal_surprised_the_scenario(driven: Recorder) -> None:
    refused: list[Any] = [
        (route, body) for route, seen in driven.seen.items() for status, body in seen if status != 200
    ]
    assert not refused
