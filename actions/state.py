"""What an action is now: derived from its events, never stored."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from actions.errors import NotApproved, NothingToDo, UnknownAction
from actions.ids import HASH_VERSION, canon
from actions.ledger import Event, Ledger

FEWEST_TYPED = 4  # a slip of one key must not name another action
SHORTEST_ID = 7  # as git does: long enough to be read out and typed, longer only when two would clash
OLD_VERDICT = {"approvers": 1, "hours": 72}  # of plans that were made before a plan kept its verdict

OPEN = ("planned", "approved")  # nothing was sent and it may still be
IN_FLIGHT = ("sending", "ambiguous", "blocked")  # an intent without a known end, or steps left after one that is done
# An approval alone changes nothing: how many of them count is for `derive`.
_STATE_AFTER = {
    "planned": "planned", "declined": "declined", "superseded": "superseded", "expired": "expired",
    "refused": "refused", "intent": "sending", "resumed": "sending", "ambiguous": "ambiguous", "blocked": "blocked",
    "failed": "failed", "outcome": "done", "reconciled": "done", "compensated": "undone",
}  # fmt: skip
_LIGHT = ("seq", "action_id", "recommendation_id", "customer_id", "subscription_id", "currency", "amount_minor", "body")
_PARTS = Path(__file__).with_name("engine.sql").read_text().split("-- :")[1:]
SQL = {part.split()[0]: f"-- {part}" for part in _PARTS}
_SHARED = (
    "recommendation_id", "action_id", "account_id", "livemode", "customer_id", "subscription_id", "source_event_id",
    "plan_hash", "currency",
)  # fmt: skip
_REFERENCE = re.compile(r"\{(\d|action)\}")


@dataclass(frozen=True)
class Actor:
    """Who does it. assurance: `os_user` when the operating system says so, `service` for this program itself.

    uid: the user's number, which stays the same when an account is renamed.
    """

    name: str
    assurance: str
    uid: int | None = None


@dataclass(frozen=True)
class Request:
    """One step: a call to Stripe. params as the SDK takes them: nested, money in integer minor units.

    method: `post`, or `record` for what is decided and not carried out. path and the texts in params may hold {0},
    {1}, … for the id of the object that an earlier step made, and {action}. `metadata` in params asks for our tags.
    shape: the SDK's type of params in stripe.params; "" in ledgers from before it was kept, where all are tagged.
    """

    executor: str
    method: str
    path: str
    params: dict[str, Any]
    shape: str = ""


@dataclass(frozen=True)
class Action:
    """One plan of one recommendation, with everything that happened to it, oldest event first."""

    events: tuple[Event, ...]
    state: str

    @property
    def planned(self) -> Event:
        return self.events[0]

    @property
    def action_id(self) -> str:
        return self.planned.action_id or ""

    @property
    def recommendation_id(self) -> str:
        return self.planned.recommendation_id or ""

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The immutable plan: recommendation_kind, reason, steps, precondition, verdict, policy_hash, as_of, …"""
        return self.planned.facts

    @property
    def kind(self) -> str:
        return str(self.plan.get("recommendation_kind"))

    @property
    def verdict(self) -> dict[str, Any]:
        """What policy asks for: approvers, hours, and the rules that say so."""
        verdict: dict[str, Any] = self.plan.get("verdict") or OLD_VERDICT
        return verdict

    @property
    def needed(self) -> int:
        """Approvals that have to stand. Where policy asks for no person, the service's own word is the one."""
        return max(1, int(self.verdict["approvers"]))

    @property
    def steps(self) -> list[Request]:
        """The planned calls, references not resolved. None for what `recover` found in Stripe without its plan."""
        return [Request(**step) for step in self.plan.get("steps", [])]

    @property
    def made(self) -> dict[int, str]:
        """Step → id of the object that it made, of every step that is done."""
        return {event.step: event.object_id or "" for event in self.events if event.kind in ("outcome", "reconciled")}

    @property
    def next_step(self) -> int:
        """The first step that is not done; the number of steps when all are."""
        made = self.made
        return next((step for step in range(len(self.plan.get("steps", []))) if step not in made), len(made))

    @property
    def intents(self) -> list[Event]:
        return [event for event in self.events if event.kind == "intent"]

    @property
    def calls(self) -> list[int]:
        """Numbers of the events that say when a call was made or was about to be, by whichever process."""
        return [event.seq for event in self.events if event.kind in ("intent", "attempt")]

    @property
    def open_intent(self) -> Event | None:
        """The newest intent of the next step, unless Stripe or a person said that it came to nothing."""
        found = [e for e in self.intents if e.step == self.next_step and self.state in IN_FLIGHT]
        said_no = [event for event in self.events if event.kind == "blocked" and event.facts.get("is_answered")]
        return None if not found or (said_no and said_no[-1].seq > found[-1].seq) else found[-1]

    @property
    def approvals(self) -> list[Event]:
        """One of each person, given on this very plan before anything was sent; ended ones as well."""
        given = [e for e in takewhile(lambda event: event.kind != "intent", self.events) if e.kind == "approved"]
        trusted = ("os_user", "service") if not self.verdict["approvers"] else ("os_user",)
        counted = [e for e in given if e.actor_assurance in trusted and e.plan_hash == self.planned.plan_hash]
        return list({event.facts.get("uid", event.actor): event for event in counted}.values())

    @property
    def approval_ends_us(self) -> int | None:
        """When fewer approvals than needed are left, by the wall clock; None while there are not enough."""
        ends = sorted((event.facts["expires_us"] for event in self.approvals), reverse=True)
        return ends[self.needed - 1] if len(ends) >= self.needed else None

    def is_past(self, moment: datetime) -> bool:
        """Whether the recommendation has expired at `moment`, which is Stripe's or the warehouse's time, not ours."""
        expires_at = self.plan["expires_at"]
        return expires_at is not None and moment >= datetime.fromisoformat(expires_at).replace(tzinfo=UTC)

    def request(self, step: int) -> Request:
        """The step's call as it is sent: references resolved as far as they are known, tagged to be found again."""
        planned = self.steps[step]
        known = {str(number): found for number, found in self.made.items() if found} | {"action": self.action_id}

        def fill(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: fill(item) for key, item in value.items()}
            if isinstance(value, list):
                return [fill(item) for item in value]
            return _REFERENCE.sub(lambda hit: known.get(hit[1], hit[0]), value) if isinstance(value, str) else value

        filled = replace(planned, path=fill(planned.path), params=fill(planned.params))
        if "metadata" not in planned.params and (planned.shape or planned.method == "record"):
            return filled
        tags = {"meterwise_action": self.action_id, "meterwise_step": str(step)}
        tags |= {"meterwise_plan": self.planned.plan_hash or "", "meterwise_v": "1"}
        return replace(filled, params=filled.params | {"metadata": filled.params.get("metadata", {}) | tags})

    def event(self, kind: str, actor: Actor, reasoning: str, body: dict[str, Any], **columns: Any) -> Event:
        """A new event of this action, its identifying columns filled in."""
        known = {name: getattr(self.planned, name) for name in _SHARED}
        return Event(
            kind=kind, actor=actor.name, actor_assurance=actor.assurance, reasoning=reasoning[:4_000],
            body=canon(body), **(known | columns),
        )  # fmt: skip


def _after(kinds: list[str], made: int, steps: int) -> str:
    """The state after these kinds of events; nothing that was written later hides that all is done."""
    if made and made >= steps:
        return "undone" if kinds[-1] == "compensated" else "done"
    state = _STATE_AFTER.get(kinds[-1], "") if kinds else ""
    return "sending" if state == "done" else state


def derive(events: Iterable[Event], now_us: int) -> Action:
    """The action that `events` (of one action id, oldest first) tell of. now_us decides which approvals stand."""
    kept = tuple(events)
    action = Action(kept, "")
    kinds = [event.kind for event in kept if event.kind in _STATE_AFTER]
    action = Action(kept, _after(kinds, len(action.made), len(action.plan.get("steps", []))))
    if action.state not in OPEN or not action.approvals:
        return action
    ends = [event.facts["expires_us"] for event in action.approvals]
    if sum(now_us < end for end in ends) >= action.needed:
        return replace(action, state="approved")
    # Each person approves a plan once, so one that has ended is not given again: a new plan is.
    return replace(action, state="planned" if now_us < min(ends) else "expired")


def load(ledger: Ledger, action_id: str) -> Action:
    """One action as the ledger has it now."""
    return derive(ledger.events(action_id), ledger.clock.now_us())


def current(actions: Iterable[Action]) -> list[Action]:
    """The newest action of each recommendation."""
    return list({action.recommendation_id: action for action in actions}.values())


def find(actions: list[Action], prefix: str) -> Action:
    """The action whose id begins with `prefix` (with or without `h1:`); newer plans hide older ones of the same
    recommendation unless the whole id is given. Raises UnknownAction when none or several do, or it is too short.
    """
    wanted = prefix.removeprefix(HASH_VERSION)
    is_enough = len(wanted) >= FEWEST_TYPED
    found = [action for action in current(actions) if is_enough and _bare(action).startswith(wanted)]
    found = [action for action in actions if _bare(action) == wanted] or found
    if len(found) != 1:
        words = (
            f"{len(found)} actions begin with {prefix[:60]!r}, expected one" if is_enough else f"{prefix!r} is short"
        )
        raise UnknownAction(
            f"{words}; `python -m actions show` lists ids, at least {FEWEST_TYPED} characters are needed"
        )
    return found[0]


def overview(ledger: Ledger) -> list[Action]:
    """Every action with its state, in the order they were planned, and of its events only the first, whose body is cut
    down to what lists and re-planning need: a hundred thousand fit into memory. `load` has the rest.
    """
    actions = []
    for *columns, last, made, steps, is_approved in ledger.query(SQL["overview"], canon(list(_STATE_AFTER))):
        first = Event(kind="planned", **dict(zip(_LIGHT, columns, strict=True)))
        state = _after([last], made, steps)
        if state == "planned" and is_approved:
            state = load(ledger, first.action_id or "").state
        actions.append(Action((first,), state))
    return actions


def choose(ledger: Ledger, prefixes: Iterable[str], is_sending: bool, is_all: bool = False) -> list[str]:
    """Ids of what `apply` works on: the named actions, else the approved ones; to send, the interrupted ones before
    them, and never a blocked one. is_all: for the shadow, also what nobody has approved.

    Raises NotApproved when a named one is not ready, NothingToDo when nothing is.
    """
    actions = overview(ledger)
    named = [find(actions, prefix) for prefix in prefixes]
    wanted = ("sending", "ambiguous", "approved") if is_sending else OPEN if named or is_all else ("approved",)
    for action in named:
        if action.state not in wanted:
            raise NotApproved(f"{action.action_id} is {action.state}, expected {' or '.join(wanted)}; see `show`")
    chosen = [action.action_id for state in wanted for action in named or actions if action.state == state]
    if not chosen:
        raise NothingToDo("nothing is approved; `python -m actions show` lists what waits for a decision")
    return list(dict.fromkeys(chosen))


def short_ids(actions: list[Action]) -> dict[str, str]:
    """For each action id a text that `find` accepts: as few digits as tell the newest ones apart, else the whole."""
    newest = {_bare(action) for action in current(actions)}
    length = next(n for n in count(SHORTEST_ID) if len({name[:n] for name in newest}) == len(newest))
    return {action.action_id: _bare(action)[: length if _bare(action) in newest else None] for action in actions}


def _bare(action: Action) -> str:
    return action.action_id.removeprefix(HASH_VERSION)
