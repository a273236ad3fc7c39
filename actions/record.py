"""What the ledger is told of an action that is being carried out: each end in a transaction of its own."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import SystemRandom
from typing import TypeVar

from actions import errors
from actions.clock import SECOND_US
from actions.executors.base import Facts
from actions.governance import PHASE_CHANGE
from actions.ledger import Event, Ledger, no_point
from actions.policy import Policy
from actions.port import Reply, StripeReader
from actions.state import Action, Actor, derive, load

SKEW_S = 120  # actions.md R14; `doctor` looks for it as well
Answer = TypeVar("Answer")


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

    def _server_us(self) -> int:
        """Stripe's time; this machine's while Stripe has not answered, or is a sandbox here with a clock of its own."""
        server = None if self.port.is_loopback else self.port.server_now
        return int(server.timestamp()) * SECOND_US if server else self.ledger.clock.now_us()

    def _check_clock(self) -> None:
        """R14, right after an answer."""
        behind_s = (self._server_us() - self.ledger.clock.now_us()) // SECOND_US
        if abs(behind_s) > SKEW_S:
            raise errors.ClockSkew(f"this machine's clock is {behind_s} s behind Stripe's; set it, then run again")

    def _ask(self, action: Action, look: Callable[[], Answer]) -> Answer:
        """What an executor reads of Stripe. Raises OddAnswer, so that one odd object does not end the whole run."""
        try:
            return look()
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise errors.OddAnswer(
                f"Stripe's answer for {action.action_id} lacks what was expected ({error!r}); look at it in Stripe, "
                "then run again"
            ) from error

    def _exists(self, path: str) -> bool:
        """Whether Stripe has this very object; a path that is no path has none. Raises StripeUnusable."""
        is_path = re.fullmatch(r"(/[A-Za-z0-9_-]+)+", path, re.ASCII) is not None
        return is_path and (self.port.read(path) or {}).get("id") == path.rpartition("/")[2]

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

        Raises AlreadyClaimed when another process has got further: its word stands. Only an effect that Stripe shows
        is recorded whatever others concluded, and nothing is concluded over a call that began meanwhile.
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
            is_late = now.open_intent != intent or now.calls != action.calls
            is_late = is_late or (intent is None and now.state != action.state)
            if is_step and intent and not body.get("is_said"):
                is_late = intent.step in now.made
            if is_late:
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
