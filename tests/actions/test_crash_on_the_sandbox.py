"""The same crashes before the bundled sandbox, with its own kinds of fault: a server that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from actions.audit import verify
from actions.errors import StripeUnusable
from sandbox.hidden import ask
from tests.actions.conftest import Desk, publish, recommendation
from tests.actions.fault_server import World
from tests.actions.harness import Crash, DiesAt, rerun_until_settled
from tests.actions.till import Till, till_at

KINDS = ("none", "429", "500_before", "500_replayed", "500_after", "drop_before", "drop_after", "truncated", "not_json")
POINTS = range(1, 11)


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    with till_at(tmp_path_factory.mktemp("crashes")) as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_under_a_fault_of_the_sandbox_leaves_one_effect(
    till: Till, desk: Desk, quick_path: Path, kind: str
) -> None:
    account = till.read("/v1/account")["id"]
    for n in POINTS:
        customer = till.customer()
        held = {"customer": customer, "currency": "usd", "livemode": False}
        params = {"amount": -1200, "currency": "usd", "customer": customer, "description": "Courtesy credit"}
        row = recommendation("courtesy_credit", params, held) | {"account_id": account}
        at = replace(desk.settings, data=quick_path / str(n), api_base=till.url)
        case = Desk(at, World())
        publish(at, row, account=account)
        [(planned, _)] = case.plan().new
        case.approve(planned)
        if kind != "none":
            ask(till.url, Path(), "POST faults", {"match": "POST /v1/customers/*/balance_transactions", "kind": kind})
        with suppress(Crash, StripeUnusable):
            case.apply(point=DiesAt(n))
        rerun_until_settled(case)
        (action,) = case.actions()
        found = till.read(f"/v1/customers/{customer}/balance_transactions")["data"]
        ours = [one for one in found if one["metadata"].get("meterwise_action") == planned.action_id]
        assert (action.state, len(ours)) == ("done", 1), (n, case.kinds())
        ledger = case.ledger()
        verify(ledger)
        ledger.close()
