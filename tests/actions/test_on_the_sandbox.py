"""The runner against the bundled sandbox, over HTTP, with its own faults: each kind once, by the command line."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from actions.clock import Clock
from actions.port import StripeReader
from actions.settings import Settings
from tests.actions.conftest import Desk, command, publish, recommendation
from tests.actions.fault_server import World
from tests.commands import ROOT, clean_environment

ACCOUNT = "acct_1MeterwiseSandbox"
WRITE_FAULTS = ("429", "500_before", "500_after", "drop_before", "drop_after", "stall")


@pytest.fixture
def shop(seeded_data: Path, tmp_path: Path) -> Iterator[Desk]:
    """A desk before a sandbox with a small company in it."""
    data = Path(shutil.copytree(seeded_data, tmp_path / "data"))
    server = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "serve", "--until-stdin-closes"],
        cwd=ROOT, env=clean_environment(data), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        address = server.stdout.readline().strip()
        yield Desk(Settings(data, "rk_test_x", "rk_test_x", address, timeout_s=20, writes_per_second=0), World())
    finally:
        server.stdin.close()
        server.wait(timeout=30)


def stripe(shop: Desk) -> StripeReader:
    return StripeReader("rk_test_x", shop.settings, Clock())


def three_kinds(shop: Desk) -> tuple[dict[str, Any], ...]:
    """A credit, an upgrade from Starter and an offer, for three customers who have no discount."""
    prices = {price["lookup_key"]: price["id"] for price in stripe(shop).list("/v1/prices") if price["lookup_key"]}
    names = {price: name for name, price in prices.items()}
    rows: list[dict[str, Any]] = []
    for found in stripe(shop).list("/v1/subscriptions", {"status": "active"}):
        held = {"customer": found["customer"], "currency": found["currency"], "livemode": False}
        on = held | {"subscription": found["id"], "subscription_status": "active"}
        items = {item["id"]: item for item in found["items"]["data"]}
        listed = [
            {"id": name, "price": items[name]["price"]["id"], "quantity": items[name].get("quantity")} for name in items
        ]
        swaps = [
            {"id": item["id"], "price": prices[names[item["price"]].replace("starter", "growth")]}
            for item in listed
            if names.get(item["price"], "").startswith("starter")
        ]
        if found["discounts"]:
            continue
        if not rows:
            sent = {
                "amount": -1200,
                "currency": found["currency"],
                "customer": found["customer"],
                "description": "Sorry",
            }
            rows.append(recommendation("courtesy_credit", sent, held))
        elif len(rows) == 1:
            coupon = {"discounts": [{"coupon": "RETAIN20"}], "subscription": found["id"]}
            rows.append(recommendation("retention_offer", coupon, on | {"items": listed}))
        elif swaps:
            sent = {"items": swaps, "proration_behavior": "none", "subscription": found["id"]}
            # The mart's order of items is not Stripe's.
            rows.append(recommendation("tier_upgrade", sent, on | {"items": listed[::-1]}))
            return tuple(row | {"account_id": ACCOUNT} for row in rows)
    raise AssertionError("the small company has nobody to upgrade")


def fail(shop: Desk, kind: str, times: int = 1, seconds: float = 2) -> None:
    """Tells the sandbox to fail its next writes."""
    body = json.dumps({"match": "POST /v1/", "kind": kind, "times": times, "seconds": seconds}).encode()
    server = http.client.HTTPConnection(urlsplit(shop.settings.api_base).netloc, timeout=10)
    server.request("POST", "/_sandbox/faults", body, {"Content-Type": "application/json"})
    assert server.getresponse().status == 200
    server.close()


def approve_all(shop: Desk, rows: tuple[dict[str, Any], ...]) -> None:
    publish(shop.settings, *rows, account=ACCOUNT)
    assert command(shop, "plan").exit_code == 0
    ids = [row["recommendation_id"] for row in rows]
    assert command(shop, "approve", *ids, "--reason", "agreed").exit_code == 0


def effects(shop: Desk, rows: tuple[dict[str, Any], ...]) -> tuple[int, list[dict[str, Any]], list[dict[str, Any]]]:
    """Credits on the first customer's balance, the offered subscription's and the upgraded one's update events."""
    credited, offered, upgraded = rows
    path = f"/v1/customers/{credited['customer_id']}/balance_transactions"
    tagged = [found for found in stripe(shop).list(path) if "meterwise_action" in found["metadata"]]
    updates = [
        event["data"]["object"]
        for event in stripe(shop).list("/v1/events", {"type": "customer.subscription.updated"})
        if "meterwise_action" in event["data"]["object"]["metadata"]
    ]
    offers, upgrades = (
        [found for found in updates if found["id"] == row["subscription_id"]] for row in (offered, upgraded)
    )
    return len(tagged), offers, upgrades


def test_every_kind_is_carried_out_once_and_the_ledger_tells_it(shop: Desk) -> None:
    rows = three_kinds(shop)
    approve_all(shop, rows)
    assert command(shop, "apply").exit_code == 0
    assert effects(shop, rows) == (0, [], [])
    sent = command(shop, "apply", "--send")
    assert sent.exit_code == 0, sent.output
    assert command(shop, "apply", "--send").exit_code == 3

    credits_made, offers, upgrades = effects(shop, rows)
    assert (credits_made, len(offers), len(upgrades)) == (1, 1, 1)
    customer = stripe(shop).read(f"/v1/customers/{rows[0]['customer_id']}")
    assert customer is not None
    assert customer["balance"] <= -1200
    wanted = {item["id"]: item["price"] for item in json.loads(rows[2]["params"])["items"]}
    live = {item["id"]: item["price"]["id"] for item in upgrades[0]["items"]["data"]}
    assert {name: live[name] for name in wanted} == wanted
    assert len(offers[0]["discounts"]) == 1
    by_action: dict[str, list[str]] = {}
    for action in shop.actions():
        by_action[action.kind] = [event.kind for event in action.events]
    assert set(map(tuple, by_action.values())) == {("planned", "approved", "shadowed", "intent", "attempt", "outcome")}
    assert command(shop, "verify").exit_code == 0


def test_a_ledger_that_is_gone_learns_from_the_sandbox_what_was_done(shop: Desk) -> None:
    rows = three_kinds(shop)
    approve_all(shop, rows)
    assert command(shop, "apply", "--send").exit_code == 0
    for path in shop.settings.ledger.parent.glob("ledger.sqlite*"):
        path.unlink()
    assert command(shop, "plan").exit_code == 7
    recovered = command(shop, "audit", "recover")
    assert "3 outcomes learned from Stripe" in recovered.output
    assert command(shop, "audit", "verify", "--stripe").exit_code == 0
    assert command(shop, "plan").exit_code == 3
    shown = command(shop, "show", shop.actions()[0].action_id)
    assert (shown.exit_code, "reconciled" in shown.output) == (0, True), shown.output


@pytest.mark.parametrize("fault", WRITE_FAULTS)
def test_each_fault_of_the_sandbox_ends_in_one_effect(shop: Desk, fault: str) -> None:
    rows = three_kinds(shop)
    approve_all(shop, rows)
    hurried = {"METERWISE_STRIPE_TIMEOUT": "1"} if fault == "stall" else {}
    for row in rows:
        fail(shop, fault)
        sent = command(shop, "apply", "--send", row["recommendation_id"], **hurried)
        assert sent.exit_code == 0, sent.output
    credits_made, offers, upgrades = effects(shop, rows)
    assert (credits_made, len(offers), len(upgrades)) == (1, 1, 1)
    assert {action.state for action in shop.actions()} == {"done"}


def test_a_change_in_the_sandbox_between_plan_and_apply_is_refused(shop: Desk) -> None:
    rows = three_kinds(shop)
    held = json.loads(rows[2]["precondition"])
    held["items"][0]["price"] = "price_of_last_week"
    stale = rows[2] | {"precondition": json.dumps(held)}
    approve_all(replace(shop), (stale,))
    refused = command(shop, "apply", "--send")
    assert refused.exit_code == 6
    assert "price_of_last_week" in refused.output
    assert effects(shop, rows)[2] == []
