"""What the ledger is told of an action that is being carried out: each end in a transaction of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import SystemRandom

from actions import errors
from actions.executors.base import Facts
from actions.governance import PHASE_CHANGE
from actions.ledger import Event, Ledger, no_point
from actions.policy import Policy
from actions.port import Reply, StripeReader
from actions.state import Action, Actor, derive, load


@dataclass(frozen=True)
class Result:
    """How far one action came: done, shadowed, refused, expired, failed, ambiguous, blocked, unfinished (nothing is
    lost, run again), or, between two steps, sending.
    """

    action: Action
    end: str
    words: str


@dataclass(frozen=True)
class Recorder:
    """What a run works with. point: where a test may kill the process."""

    ledger: Ledger
    port: StripeReader
    policy: Policy
    actor: Actor
    is_live: bool
    point: Callable[[str], None] = no_point
    _random: SystemRandom = field(default_factory=SystemRandom)

    def _done(
        self, action: Action, kind: str, words: str, found: Facts, intent: Event, reply: Reply | None = None
    ) -> Result:
        """An effect that Stripe has shown. server_at (unix seconds) dates it by the clock of its invoices."""
        body = {"status": reply.status if reply else 200, "object_id": found["id"], "object": found.get("object")}
        if self.port.server_now:
            body["server_at"] = int(self.port.server_now.timestamp())
        return self._end(action, kind, words, body, intent, reply, found["id"])

    def _end(
        self, action: Action, kind: str, words: str, body: Facts, intent: Event | None = None,
        reply: Reply | None = None, object_id: str | None = None,
    ) -> Result:  # fmt: skip
        """Records an end, in a transaction of its own, together with the try that brought it.

        Raises AlreadyClaimed when another process has got further: its word stands.
        """
        columns: Facts = {"step": action.next_step, "amount_minor": action.planned.amount_minor}
        columns |= {"request_id": reply.request_id if reply else None, "object_id": object_id}
        if intent:
            columns |= {"attempt": intent.attempt, "idempotency_key": intent.idempotency_key}
        events = [self._try(action, intent, reply, f"status {reply.status}")] if intent and reply else []
        events.append(action.event(kind, self.actor, words, body, **columns))
        is_step = kind in ("outcome", "reconciled")
        with self.ledger.write():
            now = load(self.ledger, action.action_id)
            if now.open_intent != intent or (intent is None and now.state != action.state):
                raise errors.AlreadyClaimed(f"{action.action_id} is {now.state} by another process; see `show`")
            written = [self.ledger.append(event) for event in events]
            now = derive((*now.events, *written), self.ledger.clock.now_us())
            if is_step:
                self._follow_up(now)
        return Result(now, now.state if is_step else kind, words)

    def _follow_up(self, action: Action) -> None:
        """What else is true once the last step is done; part of the transaction that says so."""
        undone = action.plan.get("undoes")
        if action.state == "done" and undone:
            words, body = f"Undone by {action.action_id}.", {"by": action.action_id}
            self.ledger.append(load(self.ledger, undone).event("compensated", self.actor, words, body))
        if action.state == "done" and action.kind == PHASE_CHANGE:
            self.ledger.append(action.event("mode_changed", self.actor, action.plan["reason"], action.steps[0].params))

    def _note(
        self, action: Action, intent: Event, reply: Reply | None, words: str, status: int | None = None
    ) -> Action:
        """Records a try that ended nothing; returns the action with it."""
        with self.ledger.write():
            self.ledger.append(self._try(action, intent, reply, words, status))
        return load(self.ledger, action.action_id)

    def _try(self, action: Action, intent: Event, reply: Reply | None, words: str, status: int | None = None) -> Event:
        """One call and its answer. status: None without one, 0 when it is only about to begin."""
        body: Facts = {"status": reply.status if reply else status, "is_replayed": bool(reply and reply.is_replayed)}
        columns = {"step": intent.step, "attempt": intent.attempt, "idempotency_key": intent.idempotency_key}
        request_id = reply.request_id if reply else None
        return action.event("attempt", self.actor, words, body, request_id=request_id, **columns)
