"""Runs that end anywhere, and what must hold after them: used by the crash tests, the mutants, and the soak."""

from __future__ import annotations

import itertools
import os
import pickle
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from actions.audit import verify
from actions.clock import HOUR_US, SECOND_US
from actions.errors import LedgerAltered, StripeUnusable
from actions.guard import retry
from actions.policy import Policy, read_policy
from actions.state import Action
from tests.actions.conftest import ME, Desk
from tests.actions.fault_server import World, response_headers

NOWHERE = "http://127.0.0.1:1"  # nothing listens there
RETURN_S = 900  # a person comes back after a quarter of an hour
MOST_RERUNS = 12
OPEN = ("approved", "sending", "ambiguous", "blocked")


class Crash(BaseException):
    """The process is gone: nothing catches it, as nothing catches SIGKILL."""


class DiesAt:
    """Crashes at the n-th point the runner or its ledger passes; never for 0."""

    def __init__(self, n: int) -> None:
        self.n, self.passed = n, 0

    def __call__(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.n:
            raise Crash(name)


@cache
def transport() -> Any:
    """The SDK's HTTP client with the network taken out: everything else of the SDK is as it is."""
    import stripe

    class Memory(stripe.HTTPClient):
        name = "memory"

        def __init__(self, world: World) -> None:
            super().__init__()
            self.world = world

        def request(self, method: str, url: str, headers: Any, post_data: Any = None, **more: Any) -> Any:
            target = "/" + url.split("/", 3)[3]
            answer = self.world.handle(method.upper(), target, post_data or "", headers.get("Idempotency-Key", ""))
            if answer.manner in ("drop", "stall", "truncate"):
                lost: Any = stripe.APIConnectionError
                raise lost(answer.manner)
            return answer.content, answer.status, response_headers(self.world) | answer.more

    return Memory


@cache
def default_policy() -> Policy:
    """Read once: reading it takes longer than a whole case."""
    return read_policy()


@dataclass
class MemoryDesk(Desk):
    """A desk whose Stripe is in the same process: a crash case costs milliseconds."""

    _client: Any = None

    def policy(self) -> Policy:
        return self.rules or default_policy()

    def port(self, send: bool) -> Any:
        import stripe

        port = super().port(send)
        if self._client is None:
            base: Any = {"api": NOWHERE}
            self._client = stripe.StripeClient(
                "rk_test_x", max_network_retries=0, base_addresses=base, http_client=transport()(self.world)
            )
        port._client = self._client
        return port


class Start:
    """An approved state to begin every case from: the files of the ledger and its head."""

    def __init__(self, desk: Desk) -> None:
        self.desk, data = desk, desk.settings.data
        self.files = {
            path.relative_to(data): path.read_bytes()
            for folder in (desk.settings.ledger.parent, desk.settings.head.parent)
            for path in folder.iterdir()
            if not path.name.endswith(".lock")
        }
        self.objects = pickle.dumps(desk.world.objects.by_path)
        self.planned = [action for action in desk.actions() if action.state == "approved"]

    def lay(self, data: Path, kind: type[Desk] | None = None) -> Desk:
        """These files at `data`, before a fresh world of this desk's server."""
        for name, content in self.files.items():
            (data / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (data / name).write_bytes(content)
            (data / name).chmod(0o600)
        desk = self.desk
        made = (kind or type(desk))(
            replace(desk.settings, data=data), desk.world, desk.now_us, runner=desk.runner, rules=desk.rules
        )
        desk.world.tick = lambda: made.now_us
        return made


@contextmanager
def laid(start: Start, folder: Path, *faults: str) -> Iterator[Desk]:
    """A case's own copy of `start` and a Stripe as it began, gone afterwards."""
    start.desk.world.reset(*faults)
    start.desk.world.objects.by_path = pickle.loads(start.objects)  # noqa: S301 - our own bytes
    data = folder / "case"
    desk = start.lay(data)
    try:
        yield desk
    finally:
        start.desk.world.before_write = None
        shutil.rmtree(data)


def come_back(desk: Desk, hours: int = 0) -> None:
    """Time passes, here and at Stripe."""
    desk.now_us += hours * HOUR_US + RETURN_S * SECOND_US
    desk.world.now += timedelta(hours=hours, seconds=RETURN_S)


def rerun_until_settled(desk: Desk) -> None:
    """Applies again, as a person would, until the end of every action is known; says `retry` where that is asked."""
    for _ in range(MOST_RERUNS):
        states = {action.action_id: action.state for action in desk.actions()}
        if not set(states.values()) & set(OPEN):
            return
        for action_id in [name for name, state in states.items() if state == "blocked"]:
            ledger = desk.ledger()
            retry(ledger, action_id, "Stripe is well again", ME)
            ledger.close()
        with suppress(StripeUnusable):  # could not be read: the next run
            desk.apply()
        come_back(desk)


def settle(desk: Desk) -> list[str]:
    """`rerun_until_settled`; an error that comes out of it is one more thing that does not hold."""
    try:
        rerun_until_settled(desk)
    except Exception as error:
        return [f"raised {type(error).__name__}"]
    return []


def watch_intents(desk: Desk, seen: list[str]) -> None:
    """Notes every write whose key no intent on disk has, at the moment it arrives."""

    def look(key: str) -> None:
        with sqlite3.connect(f"file:{desk.settings.ledger}?mode=ro", uri=True) as db:
            found = db.execute("SELECT 1 FROM event WHERE kind = 'intent' AND idempotency_key = ?", (key,)).fetchone()
        db.close()
        if not found:
            seen.append(key)

    desk.world.before_write = look


UNAPPROVED = """SELECT count(*) FROM event AS i WHERE kind = 'intent' AND NOT EXISTS (SELECT 1 FROM event AS a
WHERE a.kind = 'approved' AND a.plan_hash = i.plan_hash AND a.seq < i.seq
AND json_extract(a.body, '$.expires_us') > i.at_us)"""
UNNAMED = """SELECT count(*) FROM event AS o WHERE kind IN ('outcome', 'reconciled') AND object_id IS NULL
AND NOT EXISTS (SELECT 1 FROM event AS i WHERE i.kind = 'intent' AND i.action_id = o.action_id AND i.step = o.step
AND json_extract(i.body, '$.method') = 'record')"""
ENDS = "SELECT action_id, step FROM event WHERE kind IN ('outcome', 'reconciled')"


def broken(desk: Desk, wanted: list[Action], unannounced: list[str] | None = None) -> list[str]:
    """Names of what does not hold. wanted: actions that must be done, each step with one effect in Stripe.

    Written against the tables and Stripe's objects, not against the runner's own idea of a state.
    """
    found: list[str] = []
    try:
        ledger = desk.ledger()
        verify(ledger)
        ledger.close()
    except LedgerAltered:
        found.append("chain error")
    with sqlite3.connect(f"file:{desk.settings.ledger}?mode=ro", uri=True) as db:
        sql = "SELECT idempotency_key, action_id, step FROM event WHERE kind = 'intent'"
        intents = {key: (action, step) for key, action, step in db.execute(sql)}
        ends = Counter(db.execute(ENDS))
        unapproved = db.execute(UNAPPROVED).fetchone()[0]
        unnamed = db.execute(UNNAMED).fetchone()[0]
    db.close()
    effects: Counter[tuple[str, int]] = Counter()
    for key, count in desk.world.keys_done.items():
        effects[intents.get(key, ("", 0))] += count
    for action in wanted:
        for number, step in enumerate(action.steps):
            if effects[action.action_id, number] < (step.method == "post"):
                found.append("lost")
            if ends[action.action_id, number] != 1:
                found.append("not recorded")
    tagged = {what: count for what, count in desk.world.done.items() if what[0]}
    if any(count > 1 for count in (*effects.values(), *tagged.values(), *ends.values())):
        found.append("twice")
    if desk.world.idempotency_errors:
        found.append("idempotency_error")
    if effects[("", 0)] or unannounced:
        found.append("no intent before the call")
    if unapproved:
        found.append("not approved")
    if unnamed:
        found.append("an outcome without its object")
    return found


def crash_everywhere(start: Start, folder: Path, faults: tuple[str, ...], hours: int, tally: Tally) -> None:
    """One case for every point that `apply` passes under these faults, and one that passes them all."""
    for n in itertools.count(1):
        unannounced: list[str] = []
        with laid(start, folder, *faults) as desk:
            watch_intents(desk, unannounced)
            crashed = False
            try:
                desk.apply(point=DiesAt(n))
            except Crash:
                crashed = True
            except StripeUnusable:
                pass
            if crashed:
                come_back(desk, hours)
            found = settle(desk) + broken(desk, start.planned, unannounced)
            if found:
                found.append(" ".join(desk.kinds() if "chain error" not in found else []))
            tally.add(f"point {n}, faults {faults}, {hours} h", crashed, found)
        if not crashed:
            return


@dataclass
class Tally:
    """Counts cases, to be printed and held against the figure that was promised."""

    cases: int = 0
    crashed: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, name: str, crashed: bool, found: list[str]) -> None:
        self.cases += 1
        self.crashed += crashed
        self.wrong += [f"{name}: {', '.join(found)}"] if found else []


def seeded(name: str) -> random.Random:
    """Always the same numbers for one name; METERWISE_SEED, printed with every failure, changes them all."""
    return random.Random(f"{os.environ.get('METERWISE_SEED', '1')} {name}")  # noqa: S311 - not for secrets
