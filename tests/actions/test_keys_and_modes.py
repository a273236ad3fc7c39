"""Which key may do what: mode, account, both live switches, and a shadow that has no way to write."""

from __future__ import annotations

import contextlib
import itertools
import json
import string
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.clock import Clock
from actions.errors import ActionError, ShadowCannotWrite, StripeUnusable
from actions.policy import read_policy
from actions.port import PREVIEW, NoAnswer, StripeReader, StripeWriter, check_key
from actions.settings import Settings
from tests.actions.conftest import HELD, KINDS, Desk, command, credit
from tests.actions.fault_server import World, serving
from tests.actions.rows import NO_CALL, ONE_CALL, TWO_CALLS

KEYS = ("rk_test_x", "sk_test_x", "rk_live_x", "sk_live_x")
CONFIGS = ((), ("--live",), ("METERWISE_LIVE",), ("--live", "METERWISE_LIVE"))
# Key and config that may act, by the mode of the ledger: everything else is refused with exit code 6.
MAY: dict[bool, set[tuple[str, tuple[str, ...]]]] = {
    False: set(itertools.product(("rk_test_x", "sk_test_x"), ((), ("METERWISE_LIVE",)))),
    True: {("rk_live_x", ("--live", "METERWISE_LIVE"))},
}


@pytest.mark.parametrize("is_sending", [False, True])
@pytest.mark.parametrize("livemode", [False, True])
def test_of_keys_and_switches_only_the_fitting_ones_act(desk: Desk, livemode: bool, is_sending: bool) -> None:
    desk.world.customer["livemode"] = livemode
    desk.publish(credit(livemode=livemode, precondition=json.dumps(HELD | {"livemode": livemode})))
    assert command(desk, "plan").exit_code == 0
    approve = ("approve", desk.actions()[0].action_id, "--reason", "agreed")
    assert command(desk, *approve).exit_code == 0
    # Those that may act come last: they leave nothing to do for the others.
    for key, config in sorted(itertools.product(KEYS, CONFIGS), key=MAY[livemode].__contains__):
        before = len(desk.world.requests)
        ran = command(
            desk, "apply", *(["--send"] if is_sending else []), *(["--live"] if "--live" in config else []),
            STRIPE_SHADOW_KEY=key, STRIPE_ACTIONS_KEY=key, METERWISE_LIVE="1" if "METERWISE_LIVE" in config else "",
        )  # fmt: skip
        asked = desk.world.requests[before:]
        if (key, config) in MAY[livemode]:
            # 3: the key before has done it. A live kind begins in shadow, so that all switches are not enough yet.
            assert ran.exit_code in (0, 3) or (livemode and is_sending and "phase" in ran.output), (key, config)
            assert "GET /v1/account" in asked or ran.exit_code == 3
        else:
            assert ran.exit_code == 6, (key, config, ran.output)
            assert asked in ([], ["GET /v1/account"]), (key, config)
    assert sum(desk.world.effects.values()) == int(is_sending and not livemode)


@pytest.mark.parametrize("level", ["debug", "info"])
def test_a_live_key_is_refused_while_the_sdk_would_print_what_it_reads(ready: Desk, level: str) -> None:
    more = {"METERWISE_LIVE": "1", "STRIPE_LOG": level, "STRIPE_SHADOW_KEY": "rk_live_x"}
    refused = command(ready, "apply", "--live", **more)
    assert (refused.exit_code, ready.world.requests) == (6, [])
    assert "STRIPE_LOG" in refused.stderr
    assert check_key("rk_test_x", "STRIPE_SHADOW_KEY", False, Settings(ready.settings.data, stripe_log=level)) is False


ROWS = KINDS | ONE_CALL | TWO_CALLS | NO_CALL
SPOILS: dict[str, Callable[[World], Any]] = {
    "as planned": lambda world: None,
    "customer gone": lambda world: world.customer.update(deleted=True),
    "subscription changed": lambda world: world.subscription.update(status="canceled", livemode=True),
    "no answer": lambda world: world.get_faults.extend(["", "", "drop before"]),
}


def no_writes(world: World) -> bool:
    return [line for line in world.requests if line.startswith("POST") and PREVIEW not in line] == []


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
@pytest.mark.parametrize("kind", ROWS)
def test_a_rehearsal_of_any_kind_writes_nothing_whatever_stripe_says(
    memory_desk: Desk, kind: str, spoil: Callable[[World], Any]
) -> None:
    memory_desk.publish(ROWS[kind]())
    (planned, _reason), *_ = memory_desk.plan().new
    spoil(memory_desk.world)
    with contextlib.suppress(StripeUnusable):
        memory_desk.apply(send=False, ids=(planned.action_id,))  # before anybody approves it
    with contextlib.suppress(ActionError):  # what was stale cannot be approved any more
        memory_desk.approve(planned)
        memory_desk.apply(send=False)
    assert no_writes(memory_desk.world)
    assert not memory_desk.world.effects


@pytest.mark.parametrize("kind", ROWS)
def test_a_kind_in_phase_shadow_is_not_sent_even_with_the_key_that_could(memory_desk: Desk, kind: str) -> None:
    shy = replace(memory_desk, rules=replace(read_policy(), phase={"test": "shadow", "live": "shadow"}))
    shy.approved(ROWS[kind]())
    assert [result.end for result in shy.apply()] == ["refused"]
    assert no_writes(shy.world)
    assert [result.end for result in shy.apply(send=False)] in (["shadowed"], ["refused"])


words = st.text(string.ascii_lowercase + "/_.?%", max_size=30)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["post", "POST", "Post", "delete", "put", "patch", "head"]),
    st.one_of(st.builds("/v1/{}".format, words), st.builds((PREVIEW + "/{}").format, words)),
    st.sampled_from(["request", "request_stream"]),
)
def test_the_shadows_client_has_no_way_out_for_a_write(method: str, path: str, way: str) -> None:
    port = StripeReader("rk_test_x", Settings(data=_NOWHERE, api_base="http://127.0.0.1:9"), Clock())
    assert not hasattr(port, "post")
    client: Any = port._client._requestor._client  # the SDK's own HTTP client, below everything of ours
    with pytest.raises(ShadowCannotWrite):
        getattr(client, way)(method, f"http://127.0.0.1:9{path}", {}, None)


_NOWHERE: Any = "/nonexistent"


def test_the_shadow_may_ask_for_a_preview() -> None:
    world = World()
    with serving(world) as address:
        port = StripeReader("rk_test_x", Settings(data=_NOWHERE, api_base=address), Clock())
        port.preview({"customer": "cus_1"})
        assert world.requests == [f"POST {PREVIEW}"]
        with pytest.raises(ShadowCannotWrite):
            port._call("post", "/v1/customers/cus_1", {}, {})
        assert len(world.requests) == 1


def test_the_writer_is_the_same_client_with_a_way_to_post(desk: Desk) -> None:
    port = StripeWriter("rk_test_x", desk.settings, desk.clock)
    reply = port.post("/v1/customers/cus_1/balance_transactions", {"amount": -1, "currency": "usd"}, "k1")
    assert reply.status == 200
    desk.world.faults = ["drop before"]
    with pytest.raises(NoAnswer):
        port.post("/v1/customers/cus_1/balance_transactions", {"amount": -1, "currency": "usd"}, "k2")
