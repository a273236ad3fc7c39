"""Carries out approved plans: each once, whatever dies in between.

Every call has a stored state before it (the intent, with the exact parameters and the key) and after it (outcome,
failed, refused). A rerun continues from what is stored. What Stripe did is never guessed: the same key is sent again
while Stripe remembers it, afterwards Stripe is searched for the tags, and what stays unknown is `ambiguous`.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import Any

from actions.clock import HOUR_US, SECOND_US
from actions.errors import (
    AlreadyPaid,
    KeyRefused,
    Locked,
    NotApproved,
    OpenIntent,
    PolicyChanged,
    Refused,
    StripeUnusable,
    Undecided,
    WrongAccount,
)
from actions.executors import by_name
from actions.executors.base import difference
from actions.ids import idempotency_key
from actions.ledger import Event, Ledger, no_point
from actions.policy import Policy
from actions.port import NoAnswer, Reply, StripeReader, StripeWriter
from actions.state import IN_FLIGHT, Action, Actor, Request, load

KEY_LIFE_US = 23 * HOUR_US  # Stripe may forget a key after 24 h; later the same key would be a new request
SETTLED_US = 600 * SECOND_US  # far above the longest a request can still be running at Stripe
MAX_TRIES, MAX_WAITS, MAX_ATTEMPTS = 4, 8, 3
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
MISMATCH = "idempotency_error"  # the same key with other parameters: a fault of ours, a person must look
STEP = 0  # both executors of today make one call


@dataclass(frozen=True)
class Result:
    """How one action ended: done, shadowed, refused, failed, ambiguous, or unfinished (nothing lost, run again)."""

    action: Action
    end: str
    words: str


@contextmanager
def only_runner(ledger_path: Path) -> Iterator[None]:
    """Holds ledger.lock; the kernel frees it however this process ends. Raises Locked naming the holder."""
    with open(ledger_path.with_name("ledger.lock"), "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise Locked(f"another apply (PID {lock.read().strip()}) runs on this ledger; wait for it") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@dataclass(frozen=True)
class Runner:
    """point: where a test may kill the process. Account and mode are checked once, before anything else."""

    ledger: Ledger
    port: StripeReader
    policy: Policy
    actor: Actor
    is_live: bool
    point: Callable[[str], None] = no_point
    _random: SystemRandom = field(default_factory=SystemRandom)

    def check_account(self) -> None:
        """Raises WrongAccount unless the key opens the ledger's account in the ledger's mode."""
        account_id, livemode = self.ledger.account()
        found = (self.port.read("/v1/account") or {}).get("id")
        if (found, self.is_live) != (account_id, livemode):
            raise WrongAccount(
                f"the key opens account {found} (livemode {self.is_live}), the plans are for {account_id} "
                f"(livemode {livemode}); set the key of that account"
            )

    def run(self, action: Action, is_sending: bool) -> Result:
        """`send` or `shadow`; a refusal or an open question of one action does not stop the others."""
        try:
            return self.send(action) if is_sending else self.shadow(action)
        except (Refused, Undecided) as error:
            return Result(action, "refused" if isinstance(error, Refused) else "ambiguous", str(error))

    def shadow(self, action: Action) -> Result:
        """Reads, compares, and records what would have been sent."""
        refused = self._refuse_if_stale(action)
        if refused:
            return refused
        request = action.request(STEP)
        words = f"would send {request.method.upper()} {request.path}"
        return self._end(action, "shadowed", words, asdict(request), step=STEP)

    def send(self, action: Action) -> Result:
        """Carries out one approved action, or continues one that was interrupted.

        Raises NotApproved, AlreadyPaid, OpenIntent, PolicyChanged before anything is sent.
        """
        try:
            if action.state in IN_FLIGHT:
                return self._continue(action, action.intents[-1])
            return self._refuse_if_stale(action) or self._drive(action, self._claim(action.action_id))
        except StripeUnusable as error:
            if load(self.ledger, action.action_id).state not in IN_FLIGHT:
                raise
            return self._end(action, "ambiguous", f"sent, and then: {error}", {})

    def _refuse_if_stale(self, action: Action) -> Result | None:
        """R7. Stripe has no If-Match, so a change in the second between this look and the call stays possible."""
        if self.policy.hash != action.plan["policy_hash"]:
            raise PolicyChanged(f"policy.toml changed since {action.action_id} was planned; run plan, approve anew")
        diff = self._stale(action)
        if diff is None:
            return None
        return self._end(action, "refused", "the live state is not the planned one; run `make run`, plan again", diff)

    def _stale(self, action: Action) -> dict[str, Any] | None:
        request = action.request(STEP)
        executor = by_name(request.executor)
        expected = executor.expected(request, action.plan["precondition"])
        diff = difference(expected, executor.live(self.port, request, expected))
        if self.port.server_now is not None and action.is_past(self.port.server_now):
            diff["expires_at"] = {"planned": action.plan["expires_at"], "live": self.port.server_now.isoformat()}
        return {"difference": diff} if diff else None

    def _claim(self, action_id: str, attempt: int = 0) -> Event:
        """The intent, on disk: uses up the approval and shuts out every other way to the same effect."""
        with self.ledger.write():
            action = load(self.ledger, action_id)
            if action.state != "approved" and not (attempt and action.state in IN_FLIGHT):
                raise NotApproved(f"{action_id} is {action.state}, only an approved action is sent; approve it first")
            sent = self.ledger.actions_with_intent(action.planned.customer_id)
            for other in [load(self.ledger, other_id) for other_id in sent if other_id != action_id]:
                if other.state in IN_FLIGHT:
                    raise OpenIntent(f"{action_id} waits for {other.action_id} of the same customer; apply that first")
                if other.state == "done" and other.recommendation_id == action.recommendation_id:
                    raise AlreadyPaid(f"{action_id} is refused: {other.action_id} carried out the same recommendation")
            request = action.request(STEP)
            key = idempotency_key(action.planned.account_id, action.planned.livemode, action_id, STEP, attempt)
            body = asdict(request) | {"recommendation_kind": action.kind}
            amount = action.planned.amount_minor
            return self.ledger.append(
                action.event(
                    "intent", self.actor, f"About to send: {action.plan['reason']}", body,
                    step=STEP, attempt=attempt, idempotency_key=key, amount_minor=amount,
                )
            )  # fmt: skip

    def _continue(self, action: Action, intent: Event) -> Result:
        age_us = self.ledger.clock.now_us() - intent.wall_us
        if age_us < -SETTLED_US or any(event.facts.get("code") == MISMATCH for event in action.events):
            # A clock that was set back leaves the age to guessing, and a mismatch is not cured by another key.
            return self._look(action, intent, is_settled=False)
        if age_us >= KEY_LIFE_US:
            return self._look(action, intent, is_settled=True)
        if self._stale(action) is None:
            return self._drive(action, intent)
        # Our own change, or somebody else's since: sending the old parameters again would be blind.
        return self._look(action, intent, is_settled=age_us > SETTLED_US)

    def _drive(self, action: Action, intent: Event) -> Result:
        """Sends the stored parameters with the stored key until Stripe gives an answer that counts."""
        request, tries, waits = _stored(intent), 0, 0
        while True:
            self.point("call")
            reply, problem = self._post(request, intent)
            self.point("answered")
            if reply is not None and reply.status < 300:
                body = self._answered(reply.status, reply.body)
                return self._end(action, "outcome", "done", body, intent, reply, object_id=reply.body.get("id"))
            if reply is not None and not reply.is_unknown and not reply.is_busy:
                return self._rejected(action, intent, reply)
            is_busy = reply is not None and reply.is_busy
            tries, waits = tries + (not is_busy), waits + is_busy
            with self.ledger.write():
                self.ledger.append(self._try(action, intent, reply, problem))
            if reply is not None and reply.is_unknown and reply.is_replayed:
                return self._look(action, intent, is_settled=True)  # Stripe will repeat this answer as long as we ask
            if waits >= MAX_WAITS and not tries:
                return Result(action, "unfinished", f"Stripe is busy ({problem}); run apply again")
            if tries >= MAX_TRIES or waits >= MAX_WAITS:
                return self._look(action, intent, is_settled=False)
            pause = min(FIRST_WAIT_S * 2 ** (tries + waits - 1), LONGEST_WAIT_S)
            asked = reply.retry_after_s if reply is not None and reply.retry_after_s is not None else 0.0
            self.ledger.clock.sleep(max(min(asked, LONGEST_WAIT_S), pause * self._random.uniform(0.5, 1)))

    def _post(self, request: Request, intent: Event) -> tuple[Reply | None, str]:
        if not isinstance(self.port, StripeWriter):
            raise NotApproved("this run reads only; `apply --send` is the one that sends")
        try:
            reply = self.port.post(request.path, request.params, intent.idempotency_key or "")
        except NoAnswer as error:
            return None, f"no answer ({error})"
        return reply, f"status {reply.status} {reply.error_code}".strip()

    def _rejected(self, action: Action, intent: Event, reply: Reply) -> Result:
        """A 4xx: Stripe did not do it. Its code and request id are kept; its message may name a person."""
        body = {"status": reply.status, "code": reply.error_code, "param": reply.body.get("param")}
        if reply.status in (401, 403):
            raise KeyRefused(f"Stripe refuses the key ({reply.status} {reply.error_code}); correct it, run apply again")
        if reply.body.get("type") == MISMATCH:
            body["code"] = MISMATCH
            words = "the key was used with other parameters; look at the request in Stripe's log before anything else"
            return self._end(action, "ambiguous", words, body, intent, reply)
        end = "refused" if reply.status == 404 else "failed"
        return self._end(action, end, f"Stripe said no: {reply.status} {reply.error_code}", body, intent, reply)

    def _look(self, action: Action, intent: Event, is_settled: bool) -> Result:
        """Searches Stripe for the tags. is_settled: an absent effect will stay absent, so a new attempt is safe."""
        request = _stored(intent)
        found = by_name(request.executor).find(self.port, request)
        if found is not None:
            body = self._answered(200, found)
            return self._end(action, "reconciled", "found in Stripe", body, intent, object_id=found["id"])
        if not is_settled:
            return self._end(action, "ambiguous", "sent, not found in Stripe; run apply again later", {}, intent)
        diff = self._stale(action)
        if diff:
            return self._end(action, "refused", "not in Stripe, and the live state changed; plan again", diff, intent)
        if self.ledger.clock.now_us() >= (action.approval_ends_us or 0):
            return self._end(action, "expired", "not in Stripe, and the approval has ended; plan again", {}, intent)
        if intent.attempt + 1 >= MAX_ATTEMPTS:
            return self._end(action, "ambiguous", f"{MAX_ATTEMPTS} attempts came to nothing; ask Stripe", {}, intent)
        return self._drive(action, self._claim(action.action_id, intent.attempt + 1))

    def _answered(self, status: int, found: dict[str, Any]) -> dict[str, Any]:
        """What an outcome keeps of Stripe's answer; server_at (unix seconds) dates it by the clock of its invoices."""
        now = self.port.server_now
        ids = {"status": status, "object_id": found.get("id"), "object": found.get("object")}
        return ids | ({"server_at": int(now.timestamp())} if now else {})

    def _end(
        self,
        action: Action,
        kind: str,
        words: str,
        body: dict[str, Any],
        intent: Event | None = None,
        reply: Reply | None = None,
        **columns: Any,
    ) -> Result:
        """Records an end, in a transaction of its own, together with the try that brought it."""
        if intent is not None:
            columns |= {"attempt": intent.attempt, "step": intent.step, "idempotency_key": intent.idempotency_key}
        columns |= {"request_id": reply.request_id if reply else None, "amount_minor": action.planned.amount_minor}
        with self.ledger.write():
            if intent is not None and reply is not None:
                self.ledger.append(self._try(action, intent, reply, f"status {reply.status}"))
            self.ledger.append(action.event(kind, self.actor, words, body, **columns))
        end = "done" if kind in ("outcome", "reconciled") else kind
        return Result(load(self.ledger, action.action_id), end, words)

    def _try(self, action: Action, intent: Event, reply: Reply | None, words: str) -> Event:
        body = {"status": reply.status if reply else None, "is_replayed": bool(reply and reply.is_replayed)}
        columns = {"request_id": reply.request_id if reply else None, "idempotency_key": intent.idempotency_key}
        return action.event("attempt", self.actor, words, body, attempt=intent.attempt, **columns)


def _stored(intent: Event) -> Request:
    """The request as the intent holds it: never computed again."""
    facts = intent.facts
    return Request(facts["executor"], facts["method"], facts["path"], facts["params"])
