"""Shadow sends nothing; live keys, wrong accounts and stale facts are refused; each with its exit code."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actions.clock import Clock
from actions.errors import ActionError, LiveKeyRefused, ShadowCannotWrite, WrongAccount
from actions.port import StripeReader, StripeWriter, check_key
from actions.settings import Settings
from tests.actions.conftest import KINDS, ME, Desk, command, credit, offer, publish, upgrade
from tests.actions.fault_server import item


@pytest.mark.parametrize("kind", KINDS)
def test_the_shadow_records_the_exact_request_and_sends_nothing(desk: Desk, kind: str) -> None:
    desk.approved(KINDS[kind]())
    (shadowed,) = desk.apply(send=False)
    assert shadowed.end == "shadowed"
    assert desk.world.writes == 0
    (sent,) = desk.apply()
    ((told,), intent) = shadowed.action.events[-1].facts["requests"], sent.action.intents[0].facts
    assert told == {key: intent[key] for key in told}


def test_the_shadow_port_cannot_write_even_through_its_own_client(desk: Desk) -> None:
    port = StripeReader("rk_test_x", desk.settings, desk.clock)
    assert not hasattr(port, "post")
    with pytest.raises(ShadowCannotWrite):
        port._call("post", "/v1/customers/cus_1/balance_transactions", {"amount": -1}, {})
    assert desk.world.requests == []


KEYS = {"rk_test_x": "test", "sk_test_x": "test", "rk_live_x": "live", "sk_live_x": "never"}


@pytest.mark.parametrize(("key", "is_asked", "is_allowed"), list(itertools.product(KEYS, (False, True), (False, True))))
def test_a_live_key_needs_both_switches_and_a_test_key_takes_none(key: str, is_asked: bool, is_allowed: bool) -> None:
    settings = Settings(Path("data"), is_live_allowed=is_allowed)
    expected: bool | None = {"test": False, "live": True, "never": None}[KEYS[key]]
    if KEYS[key] == "live" and not (is_asked and is_allowed):
        expected = None
    if KEYS[key] == "test" and is_asked:
        expected = None
    if expected is None:
        with pytest.raises(LiveKeyRefused):
            check_key(key, "STRIPE_ACTIONS_KEY", is_asked, settings)
    else:
        assert check_key(key, "STRIPE_ACTIONS_KEY", is_asked, settings) is expected


@pytest.mark.parametrize("key", ["", "pk_test_x", "whsec_x", "live"])
def test_what_is_no_secret_key_is_refused(key: str) -> None:
    with pytest.raises(ActionError, match="expected a restricted key"):
        check_key(key, "STRIPE_ACTIONS_KEY", False, Settings(Path("data")))


@pytest.mark.parametrize("flags", [[], ["--send"], ["--send", "--live"]])
def test_apply_with_a_live_key_and_not_both_switches_exits_6_with_one_sentence(ready: Desk, flags: list[str]) -> None:
    keys = {"STRIPE_SHADOW_KEY": "rk_live_x", "STRIPE_ACTIONS_KEY": "rk_live_x"}
    refused = command(ready, "apply", *flags, **keys)
    assert refused.exit_code == 6
    assert refused.stderr.count("\n") == 1
    assert "METERWISE_LIVE=1" in refused.stderr
    assert ready.world.requests == []


def test_a_live_key_with_both_switches_is_still_refused_for_plans_of_test_mode(ready: Desk) -> None:
    refused = command(ready, "apply", "--send", "--live", METERWISE_LIVE="1", STRIPE_ACTIONS_KEY="rk_live_x")
    assert refused.exit_code == 6
    assert "livemode" in refused.stderr
    assert ready.world.writes == 0


def test_a_live_account_is_acted_on_with_both_switches_once_the_kind_has_left_the_shadow(desk: Desk) -> None:
    live = {"livemode": True, "precondition": json.dumps({"customer": "cus_1", "currency": "usd", "livemode": True})}
    desk.world.customer["livemode"] = True
    publish(desk.settings, credit(**live))
    command(desk, "plan")
    short = command(desk, "show").output.splitlines()[1].split()[0]
    command(desk, "approve", short, "--reason", "agreed")
    send = ("apply", "--send", "--live")
    refused = command(desk, *send, METERWISE_LIVE="1", STRIPE_ACTIONS_KEY="rk_live_x")
    assert (refused.exit_code, desk.world.writes) == (6, 0)
    assert "phase shadow" in refused.output
    ledger = desk.ledger()
    with ledger.write():
        earned = {"kind": "courtesy_credit", "phase": "assisted"}
        ledger.append(desk.actions()[0].event("mode_changed", ME, "earned", earned))
    done = command(desk, *send, METERWISE_LIVE="1", STRIPE_ACTIONS_KEY="rk_live_x")
    assert done.exit_code == 0, done.output
    assert sum(desk.world.effects.values()) == 1


def test_a_key_of_another_account_is_refused(ready: Desk) -> None:
    ready.world.account = "acct_other"
    refused = command(ready, "apply", "--send")
    assert refused.exit_code == 6
    assert "acct_other" in refused.stderr
    assert ready.world.writes == 0
    with pytest.raises(WrongAccount):
        ready.apply()


def test_a_key_is_not_sent_over_plain_http_to_another_machine(tmp_path: Path) -> None:
    with pytest.raises(ActionError, match="https"):
        StripeWriter("rk_test_x", Settings(tmp_path, api_base="http://stripe.example.com"), Clock())


def change(**fields: Any) -> Callable[[Desk], None]:
    return lambda desk: desk.world.subscription.update(fields)


def delete_customer(desk: Desk) -> None:
    desk.world.customer["deleted"] = True


def swap_price(desk: Desk) -> None:
    desk.world.subscription["items"]["data"][0]["price"] = {"id": "price_9"}


def change_quantity(desk: Desk) -> None:
    desk.world.subscription["items"]["data"][0]["quantity"] = 4


def remove_item(desk: Desk) -> None:
    desk.world.subscription["items"]["data"].pop()


def add_item(desk: Desk) -> None:
    desk.world.subscription["items"]["data"].append(item("si_3", "price_3", 1))


STALE: list[tuple[str, Callable[[Desk], None], str]] = [
    ("upgrade", change(status="canceled"), "subscription_status"),
    ("upgrade", change(currency="jpy"), "currency"),
    ("upgrade", change(livemode=True), "livemode"),
    ("upgrade", change(customer="cus_2"), "customer"),
    ("upgrade", change(schedule="sub_sched_1"), "has_schedule"),
    ("upgrade", change(metadata={f"k{n}": "v" for n in range(47)}), "has_room_for_metadata"),
    ("upgrade", swap_price, "items"),
    ("upgrade", change_quantity, "items"),
    ("upgrade", remove_item, "items"),
    ("offer", add_item, "items"),
    ("upgrade", delete_customer, "is_deleted"),
    ("offer", change(discounts=["di_9"]), "coupons"),
    ("credit", delete_customer, "is_deleted"),
    ("credit", lambda desk: desk.world.customer.update(currency="jpy"), "currency"),
    ("credit", lambda desk: desk.world.customer.update(currency=None), "currency"),
]


@pytest.mark.parametrize("send", [False, True])
@pytest.mark.parametrize(("kind", "make_stale", "field"), STALE)
def test_facts_that_changed_since_the_plan_are_refused_with_what_differs(
    desk: Desk, kind: str, make_stale: Callable[[Desk], None], field: str, send: bool
) -> None:
    desk.approved(KINDS[kind]())
    make_stale(desk)
    (result,) = desk.apply(send=send)
    assert result.end == "refused"
    assert field in result.action.events[-1].facts["difference"]
    assert desk.world.writes == 0
    assert desk.actions()[0].state == "refused"  # the approval is void
    assert desk.plan().left == {"refused already": 1}


def test_room_for_exactly_our_tags_is_enough(desk: Desk) -> None:
    desk.approved(upgrade())
    desk.world.subscription["metadata"] = {f"k{n}": "v" for n in range(46)}
    assert [result.end for result in desk.apply()] == ["done"]


def test_a_recommendation_expires_by_stripes_clock_not_by_ours(desk: Desk) -> None:
    desk.approved(credit(expires_at="2026-11-01 06:00:00"), offer(expires_at="2026-11-01 06:00:01"))
    assert [result.end for result in desk.apply()] == ["refused", "done"]
