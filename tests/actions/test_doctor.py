"""`doctor` says what would make a run fail or unsafe, and changes nothing while it looks."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.actions.conftest import Desk, command


def checks(desk: Desk, *refusals: str, code: int = 0, **environ: str) -> list[tuple[str, str, str]]:
    """What doctor prints when Stripe answers its three forbidden calls so; the exit code is as expected."""
    desk.world.faults = list(refusals or ("403", "403", "403"))
    ran = command(desk, "doctor", **{"STRIPE_API_KEY": "rk_test_load"} | environ)
    assert ran.exit_code == code, ran.output
    return [(line[:5].strip(), *line[6:].split(": ", 1)) for line in ran.stdout.splitlines()]  # type: ignore[misc] # two or three parts


def test_all_is_well_when_each_key_is_refused_what_it_must_not_do(ready: Desk) -> None:
    before = ready.kinds()
    assert {level for level, _, _ in checks(ready)} == {"ok"}
    posts = [line for line in ready.world.requests if not line.startswith("GET ")]
    assert posts == ["POST /v1/customers/cus_meterwise_doctor"] * 2 + ["POST /v1/refunds/re_meterwise_doctor"]
    assert not ready.world.effects
    assert ready.kinds() == before


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_a_key_that_may_do_more_than_it_must_is_a_failure(ready: Desk, allowed: int) -> None:
    answers = ["403", "403", "403"]
    answers[allowed] = "404"  # Stripe looked for the object, so the key has the permission
    name = ("STRIPE_API_KEY", "STRIPE_SHADOW_KEY", "STRIPE_ACTIONS_KEY")[allowed]
    failed = [line for line in checks(ready, *answers, code=1) if line[0] != "ok"]
    assert [line[:2] for line in failed] == [("fail", name)]
    assert "expected 403, not 404" in failed[0][2]


def expose(desk: Desk) -> None:
    desk.settings.ledger.chmod(0o644)


def link(desk: Desk) -> None:
    there = desk.settings.head.rename(desk.settings.data / "elsewhere")
    desk.settings.head.symlink_to(there)


def alter(desk: Desk) -> None:
    desk.settings.head.unlink()


def other_account(desk: Desk) -> None:
    desk.world.account = "acct_other"


WRONG: list[tuple[Callable[[Desk], None], str, str]] = [
    (expose, "files", "chmod"),
    (link, "files", "is a link"),
    (alter, "ledger", "head"),
    (other_account, "STRIPE_ACTIONS_KEY", "acct_other"),
]


@pytest.mark.parametrize(("spoil", "name", "words"), WRONG)
def test_what_is_wrong_is_named_with_what_to_do(
    ready: Desk, spoil: Callable[[Desk], None], name: str, words: str
) -> None:
    spoil(ready)
    told = checks(ready, code=1)
    assert ("fail", name) in [line[:2] for line in told]
    assert words in " ".join(line[2] for line in told if line[1] == name)


@pytest.mark.parametrize(
    ("environ", "level", "name", "code"),
    [
        ({"STRIPE_API_KEY": ""}, "warn", "STRIPE_API_KEY", 0),
        ({"STRIPE_ACTIONS_KEY": "sk_live_x"}, "fail", "STRIPE_ACTIONS_KEY", 1),
        ({"STRIPE_SHADOW_KEY": "pk_test_x"}, "fail", "STRIPE_SHADOW_KEY", 1),
        ({"STRIPE_LOG": "debug"}, "warn", "policy", 0),
        ({"METERWISE_HALT": "1"}, "warn", "ledger", 0),
        ({"STRIPE_API_BASE": "http://stripe.example.com"}, "fail", "STRIPE_ACTIONS_KEY", 1),
    ],
)
def test_settings_that_stand_in_the_way_are_told(
    ready: Desk, environ: dict[str, str], level: str, name: str, code: int
) -> None:
    assert (level, name) in [line[:2] for line in checks(ready, code=code, **environ)]


def test_stripe_not_answering_is_a_failure_and_the_other_checks_go_on(ready: Desk) -> None:
    ready.world.get_faults = ["drop before"]
    told = checks(ready, "403", "403", code=1)
    assert [line[0] for line in told if line[1] == "STRIPE_API_KEY"] == ["fail"]
    assert [line[0] for line in told if line[1] == "STRIPE_ACTIONS_KEY"] == ["ok", "ok"]


def test_doctor_in_json_is_one_document(ready: Desk) -> None:
    ready.world.faults = ["403", "404", "403"]
    found = json.loads(command(ready, "doctor", "--json").stdout)
    assert found["exit_code"] == 1
    assert {check["level"] for check in found["checks"]} >= {"ok", "fail"}
