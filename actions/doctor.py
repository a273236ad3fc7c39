"""What stands between this machine and a safe run, looked at without changing anything in Stripe or in the ledger."""

import sqlite3
import stat
from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid4

from actions.clock import SECOND_US, Clock
from actions.errors import ActionError
from actions.executors import EXECUTORS
from actions.governance import phase
from actions.guard import halted
from actions.ledger import Ledger
from actions.policy import read_policy
from actions.port import LIVE_KEYS, TEST_KEYS, NoAnswer, StripeWriter
from actions.record import SKEW_S
from actions.settings import KEYS, Settings

# A write that each key must not be able to make, on an object that does not exist: Stripe answers 403 to a key
# without the permission and 404 to one with it, so that whatever the key may do, nothing is done.
FORBIDDEN = {
    "load": "/v1/customers/cus_meterwise_doctor",
    "shadow": "/v1/customers/cus_meterwise_doctor",
    "act": "/v1/refunds/re_meterwise_doctor",
}
Found = Iterator[tuple[str, str]]


class Check(NamedTuple):
    """level: ok, warn or fail; words say what was found and, unless ok, what to do."""

    level: str
    name: str
    words: str


def examine(settings: Settings, clock: Clock) -> Iterator[Check]:
    """One line after the other; a check that cannot be made is one that failed."""
    keys = (settings.load_key, settings.shadow_key, settings.actions_key)
    looks = {"policy": _policy(settings), "ledger": _ledger(settings, clock), "files": _files(settings)}
    looks |= {name: _key(use, key, settings, clock) for (use, name), key in zip(KEYS.items(), keys, strict=True)}
    for name, found in looks.items():
        try:
            yield from (Check(level, name, words) for level, words in found)
        except (ActionError, NoAnswer, OSError, sqlite3.Error) as error:
            yield Check("fail", name, str(error))


def _policy(settings: Settings) -> Found:
    yield "ok", f"readable, {read_policy().hash}"
    if settings.stripe_log:
        yield "warn", f"STRIPE_LOG={settings.stripe_log} is ignored here, and refused with a live key; unset it"


def _ledger(settings: Settings, clock: Clock) -> Found:
    if not settings.ledger.exists():
        yield "warn", f"none at {settings.ledger} yet; `python -m actions plan` makes it"
        return
    ledger, policy = Ledger(settings.ledger, settings.head, clock, despite_damage=True), read_policy()
    account_id, livemode = ledger.account()
    yield "ok", f"{ledger.last().seq} events of {account_id}, {'live' if livemode else 'test'} mode"
    if ledger.damage:
        yield "fail", str(ledger.damage)
    if why := halted(ledger):
        yield "warn", f"{why}; `python -m actions resume` when that is over"
    kinds = sorted({kind for executor in EXECUTORS for kind in executor.kinds})
    yield "ok", "phases: " + ", ".join(f"{kind} {phase(ledger, policy, kind)}" for kind in kinds)


def _files(settings: Settings) -> Found:
    folders = [folder for folder in (settings.ledger.parent, settings.head.parent) if folder.exists()]
    paths = [path for folder in folders for path in (folder, *sorted(folder.iterdir()))]
    for path in paths:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or mode & 0o077:
            yield (
                "fail",
                f"{path} is a link, or open to others: {stat.filemode(mode)}; put the file there, chmod go-rwx",
            )
    yield "ok", f"{len(paths)} of the ledger looked at"


def _key(use: str, key: str, settings: Settings, clock: Clock) -> Found:
    if not key:
        yield "warn", "not set, see .env.example; `make` uses the sandbox while STRIPE_API_KEY is not set"
        return
    if not key.startswith(LIVE_KEYS + TEST_KEYS):
        yield "fail", "expected a restricted key (rk_…); this one was not used; make one in Stripe's dashboard"
        return
    port = StripeWriter(key, settings, clock)
    opened = (str((port.read("/v1/account") or {}).get("id")), key.startswith(LIVE_KEYS))
    yield "ok", f"opens {opened[0]}, {'live' if opened[1] else 'test'} mode"
    if settings.ledger.exists() and (pinned := Ledger(settings.ledger, settings.head, clock).account()) != opened:
        yield "fail", f"the ledger is of {pinned[0]} (livemode {pinned[1]}); set the key of that account"
    answer = port.post(FORBIDDEN[use], {}, f"mw-doctor-{uuid4()}").status
    if answer == 403:
        yield "ok", f"POST {FORBIDDEN[use]}, which does not exist, is refused as it must be (403)"
    else:  # 404: Stripe looked for it, so the key has the permission
        yield (
            "fail",
            f"POST {FORBIDDEN[use]}, which does not exist: expected 403, not {answer}; it may do too much",
        )
    skew_s = abs(clock.now_us() // SECOND_US - int(port.server_now.timestamp())) if port.server_now else 0
    if skew_s > SKEW_S and not port.is_loopback:
        yield "fail", f"this machine's clock and Stripe's differ by {skew_s} s (at most {SKEW_S}); set the clock"
