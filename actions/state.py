"""What an action is now: derived from its events, never stored."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from actions.errors import NotApproved, NothingToDo, UnknownAction
from actions.ids import HASH_VERSION, canon
from actions.ledger import Event, Ledger

SHORTEST_ID = 7  # as git does: long enough to be read out and typed, longer only when two would clash

OPEN = ("planned", "approved")  # nothing was sent and it may still be
IN_FLIGHT = ("sending", "ambiguous")  # an intent without a known end
_STATE_AFTER = {
    "planned": "planned", "approved": "approved", "declined": "declined", "superseded": "superseded",
    "expired": "expired", "refused": "refused", "intent": "sending", "ambiguous": "ambiguous",
    "failed": "failed", "outcome": "done", "reconciled": "done",
}  # fmt: skip


@dataclass(frozen=True)
class Actor:
    """Who does it. assurance: `os_user` when the operating system says so, `stated` when only the command line does."""

    name: str
    assurance: str


@dataclass(frozen=True)
class Request:
    """One call to Stripe. params as the SDK takes them: nested, money in integer minor units."""

    executor: str
    method: str
    path: str
    params: dict[str, Any]


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

    @property
    def plan(self) -> dict[str, Any]:
        """The immutable plan: recommendation_kind, reason, steps, precondition, policy_hash, as_of, expires_at, ..."""
        return self.planned.facts

    @property
    def kind(self) -> str:
        return str(self.plan["recommendation_kind"])

    @property
    def intents(self) -> list[Event]:
        return [event for event in self.events if event.kind == "intent"]

    @property
    def approval_ends_us(self) -> int | None:
        """When the newest approval ends, by the wall clock; None without one."""
        ends = [event.facts["expires_us"] for event in self.events if event.kind == "approved"]
        return max(ends) if ends else None

    def is_past(self, moment: datetime) -> bool:
        """Whether the recommendation has expired at `moment`, which is Stripe's or the warehouse's time, not ours."""
        expires_at = self.plan["expires_at"]
        return expires_at is not None and moment >= datetime.fromisoformat(expires_at).replace(tzinfo=UTC)

    def request(self, step: int) -> Request:
        """The step's call as it is sent: the planned one, tagged so that it can be found again in Stripe."""
        planned = Request(**self.plan["steps"][step])
        tags = {
            "meterwise_action": self.action_id,
            "meterwise_step": str(step),
            "meterwise_plan": self.planned.plan_hash or "",
            "meterwise_v": "1",
        }
        return Request(planned.executor, planned.method, planned.path, planned.params | {"metadata": tags})

    def event(self, kind: str, actor: Actor, reasoning: str, body: dict[str, Any], **columns: Any) -> Event:
        """A new event of this action, its identifying columns filled in."""
        planned = self.planned
        known = {
            name: getattr(planned, name)
            for name in ("recommendation_id", "action_id", "account_id", "livemode", "customer_id", "subscription_id")
        }
        known |= {"plan_hash": planned.plan_hash, "currency": planned.currency}
        return Event(
            kind=kind, actor=actor.name, actor_assurance=actor.assurance, reasoning=reasoning[:4_000],
            body=canon(body), **(known | columns),
        )  # fmt: skip


def derive(events: Iterable[Event], now_us: int) -> Action:
    """The action that `events` (of one action id, oldest first) tell of. now_us decides whether an approval ended."""
    kept = tuple(events)
    state = ""
    for event in kept:
        if event.kind == "approved" and state not in OPEN:
            continue
        state = _STATE_AFTER.get(event.kind, state)
    action = Action(kept, state)
    ends = action.approval_ends_us
    if state == "approved" and ends is not None and now_us >= ends:
        return Action(kept, "expired")
    return action


def load(ledger: Ledger, action_id: str) -> Action:
    """One action as the ledger has it now."""
    return derive(ledger.events(action_id), ledger.clock.now_us())


def load_all(ledger: Ledger) -> list[Action]:
    """Every action, in the order they were planned."""
    by_action: defaultdict[str, list[Event]] = defaultdict(list)
    for event in ledger.events():
        if event.action_id is not None:
            by_action[event.action_id].append(event)
    now_us = ledger.clock.now_us()
    return [derive(events, now_us) for events in by_action.values()]


def current(actions: Iterable[Action]) -> list[Action]:
    """The newest action of each recommendation."""
    return list({action.recommendation_id: action for action in actions}.values())


def find(actions: list[Action], prefix: str) -> Action:
    """The action whose id begins with `prefix` (with or without `h1:`); newer plans hide older ones of the same
    recommendation unless the whole id is given. Raises UnknownAction when none or several do.
    """
    wanted = prefix.removeprefix(HASH_VERSION)
    for action in actions:
        if _bare(action) == wanted:
            return action
    found = [action for action in current(actions) if _bare(action).startswith(wanted)]
    if len(found) != 1 or not wanted:
        raise UnknownAction(
            f"{len(found)} actions begin with {prefix!r}, expected exactly one; `python -m actions show` lists them"
        )
    return found[0]


def choose(actions: list[Action], prefixes: Iterable[str], is_sending: bool) -> list[Action]:
    """What `apply` works on: the named actions, else the approved ones; to send, the interrupted ones before them.

    Raises NotApproved when a named one is not ready, NothingToDo when nothing is.
    """
    wanted: tuple[str, ...] = (*IN_FLIGHT, "approved") if is_sending else OPEN
    named = {find(actions, prefix).action_id for prefix in prefixes}
    for action in actions:
        if action.action_id in named and action.state not in wanted:
            raise NotApproved(f"{action.action_id} is {action.state}, expected {' or '.join(wanted)}; see `show`")
    if not named:
        wanted = (*IN_FLIGHT, "approved") if is_sending else ("approved",)
        named = {action.action_id for action in actions}
    chosen = [action for state in wanted for action in actions if action.state == state and action.action_id in named]
    if not chosen:
        raise NothingToDo("nothing is approved; `python -m actions show` lists what waits for a decision")
    return chosen


def short_ids(actions: list[Action]) -> dict[str, str]:
    """For each action id the shortest text that `find` accepts."""
    newest = sorted(current(actions), key=_bare)
    result = {action.action_id: _bare(action) for action in actions}
    for index, action in enumerate(newest):
        neighbours = [_bare(other) for other in newest[max(index - 1, 0) : index + 2] if other is not action]
        length = SHORTEST_ID
        while any(other.startswith(_bare(action)[:length]) for other in neighbours):
            length += 1
        result[action.action_id] = _bare(action)[:length]
    return result


def _bare(action: Action) -> str:
    return action.action_id.removeprefix(HASH_VERSION)
