"""Carries out approved plans: each once, whatever dies in between.

Every call has a stored state before it (the intent, with the exact parameters and the key) and after it (outcome,
failed, refused, blocked). A rerun continues from what is stored. What Stripe did is never guessed: the same key is
sent again while Stripe remembers it, afterwards Stripe is searched for the effect, and what stays unknown is
`ambiguous`, then `blocked`.
"""

from dataclasses import asdict

from actions import errors, guard
from actions.executors import by_name
from actions.executors.base import Facts, difference
from actions.executors.shapes import check_shape
from actions.governance import check_caps, check_phase
from actions.ids import idempotency_key
from actions.ledger import Event
from actions.port import LONGEST_CODE, NoAnswer, Reply, StripeWriter
from actions.record import Recorder, Result
from actions.state import IN_FLIGHT, Action, Request, load

EARLIER_S = 3_600  # a search begins so much before the first intent, by Stripe's clock
MAX_TRIES, MAX_WAITS = 4, 8  # in one run
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
LASTING = (  # and so the next time
    errors.PolicyChanged, errors.ApprovalEnded, errors.NotPromoted, errors.Exhausted, errors.AlreadyPaid,
    errors.BadRecommendation,
)  # fmt: skip


class Runner(Recorder):
    """Carries actions out, one after the other. Account and mode are checked once, before anything else."""

    def check_account(self) -> None:
        """Raises WrongAccount unless the key opens the ledger's account in the ledger's mode; ClockSkew."""
        account_id, livemode = self.ledger.account()
        found = (self.port.read("/v1/account") or {}).get("id")
        if (found, self.is_live) != (account_id, livemode):
            raise errors.WrongAccount(
                f"the key opens account {found} (livemode {self.is_live}), the plans are for {account_id} "
                f"(livemode {livemode}); set the key of that account"
            )
        self._check_clock()

    def run(self, action: Action, is_sending: bool) -> Result:
        """`send` or `shadow`; a refusal or an open question of one action does not stop the others.

        Raises what concerns them all: Halted, ClockSkew, KeyRefused, StripeUnusable, and what the ledger raises.
        """
        try:
            return self.send(action) if is_sending else self.shadow(action)
        except (errors.Halted, errors.ClockSkew):
            raise
        except (errors.Refused, errors.BadRecommendation, errors.Undecided) as error:
            return Result(action, "ambiguous" if isinstance(error, errors.Undecided) else "refused", str(error))

    def shadow(self, action: Action) -> Result:
        """Reads, compares, and records what would have been sent and what Stripe says it would come to."""
        guard.check_policy(self.policy, action)
        diff = self._stale(action)
        if diff:
            return self._refuse(action, diff)
        requests = [action.request(step) for step in range(len(action.steps))]
        preview = self._ask(action, lambda: by_name(requests[0].executor).preview(self.port, requests[0]))
        words = "would send " + ", ".join(f"{request.method.upper()} {request.path}" for request in requests)
        body = {"requests": [asdict(request) for request in requests], "preview": preview}
        return self._end(action, "shadowed", words, body)

    def send(self, action: Action) -> Result:
        """Carries out one approved action, or continues one that was interrupted, step by step.

        Raises Refused or Undecided, of many kinds, before anything is sent.
        """
        if action.state == "blocked":
            raise errors.NotApproved(f"{action.action_id} is blocked; `retry` it with a reason, or undo it")
        if action.state == "approved":
            check_phase(self.ledger, self.policy, action)  # before anything is asked of Stripe
        try:
            intent = action.open_intent
            result = self._continue(action, intent) if intent else self._begin(action)
            while result.end == "sending":
                result = self._begin(result.action)
            return result
        except errors.StripeUnusable as error:
            action = load(self.ledger, action.action_id)
            if action.state not in IN_FLIGHT:
                raise
            if action.open_intent:
                return self._end(action, "ambiguous", f"sent, and then: {error}", {}, action.open_intent)
            return Result(action, "unfinished", f"between two steps: {error}")

    def look(self, action: Action) -> Result:
        """Searches Stripe for the effect of a call whose end is not known, and records it when found; never sends."""
        end = "ambiguous" if action.open_intent else action.state
        return self._found(action) or Result(action, end, "nothing new in Stripe")

    def decide(self, action: Action, found: str | None, reason: str) -> Result:
        """A person's word on a call whose end is not known: the id of the object it made, or None: it made none. None
        of a blocked action without such a call gives up what is left of it, so that it holds nobody up.

        Stripe is asked once more, and outweighs it. Raises NotApproved when nothing is unknown, or may be under way, or
        Stripe has no such object.
        """
        if action.open_intent is None and found is None and action.state == "blocked":
            return self._end(action, "failed", reason, {"is_said": True})
        if action.open_intent is None:
            raise errors.NotApproved(f"{action.action_id} is {action.state}: no call of it has an unknown end")
        if found is not None and not self._exists(guard.place(_stored(action.open_intent), found)):
            raise errors.NotApproved("Stripe has no object of that id in its place; copy the id from the dashboard")
        if not found and not guard.is_settled(action, self.ledger.clock.now_us()):
            raise errors.NotApproved("the call may still be under way; say that again in ten minutes")
        kind = "reconciled" if found else "blocked" if action.made else "failed"
        body = {"is_said": True, "is_answered": True, "object_id": found}
        return self._found(action) or self._end(action, kind, reason, body, action.open_intent, object_id=found)

    def _begin(self, action: Action, absent: Event | None = None) -> Result:
        """The next step: facts, intent, call. absent: an intent of it that certainly came to nothing."""
        diff = self._stale(action)
        if diff:
            return self._refuse(action, diff, absent)
        try:
            intent = self._claim(action, absent)
        except LASTING as error:
            if not action.intents and not action.made:
                raise
            end = "expired" if isinstance(error, errors.ApprovalEnded) else "refused"
            end = "blocked" if action.made or isinstance(error, errors.Exhausted) else end
            return self._end(action, end, str(error), {}, absent)
        action = load(self.ledger, action.action_id)
        if action.open_intent is None:
            return Result(action, action.state, "recorded")
        approved_us = max(event.wall_us for event in action.approvals)
        if self.ledger.clock.now_us() - approved_us >= guard.KEY_LIFE_US:
            # A ledger that was put back from a backup has forgotten a call, and Stripe by now its key.
            return self._found(action, since=0) or self._drive(action, intent)
        return self._drive(action, intent)

    def _claim(self, seen: Action, absent: Event | None) -> Event:
        """The intent, on disk: uses up the approvals and shuts out every other way to the same effect."""
        with self.ledger.write():
            action = load(self.ledger, action_id := seen.action_id)
            if action.state not in ("approved", "sending", "ambiguous"):
                raise errors.NotApproved(f"{action_id} is {action.state}, only an approved action is sent; approve it")
            if action.open_intent != absent or action.calls != seen.calls:
                raise errors.AlreadyClaimed(f"another process has begun the same step of {action_id}; apply again")
            self._check(action)
            step, planned, server = action.next_step, action.planned, self.port.server_now
            request = action.request(step)
            if (absent and guard.is_exhausted(action, step, self.ledger.clock.now_us())) or "{" in request.path:
                raise errors.Exhausted(
                    f"the tries of {action_id} came to nothing so far; `retry` with a reason, or undo"
                )
            guard.check_rivals(self.ledger, action)
            check_caps(self.ledger, self.policy, action)
            check_shape(request)
            attempt = sum(intent.step == step for intent in action.intents)
            body = asdict(request) | {
                "recommendation_kind": action.kind, "approvals": [event.event_id for event in action.approvals],
                "needed": action.needed, "server_at": int(server.timestamp()) if server else 0,
            }  # fmt: skip
            columns = {"step": step, "attempt": attempt, "amount_minor": planned.amount_minor}
            key = idempotency_key(planned.account_id, planned.livemode, action_id, step, attempt)
            intent = action.event("intent", self.actor, planned.reasoning, body, idempotency_key=key, **columns)
            intent = self.ledger.append(intent)
            if request.method == "record":
                self.ledger.append(action.event("outcome", self.actor, "Recorded; nothing is called.", {}, **columns))
                self._follow_up(load(self.ledger, action_id))
            return intent

    def _continue(self, action: Action, intent: Event) -> Result:
        """A call whose end is not known: sent again while that is safe, else looked for in Stripe."""
        is_stale = self._stale(action, intent.step)  # by our own change, or by somebody else's since
        if is_stale or not self._may_send(action, intent):
            return self._look(action, intent)
        # Whoever comes after this process must know when the last call may have begun.
        return self._drive(self._note(action, intent, None, "sends the stored call again", status=0), intent)

    def _may_send(self, action: Action, intent: Event) -> bool:
        """Whether the stored call may go out now, with its old key. Raises Halted, AlreadyClaimed."""
        if action.open_intent != intent:
            raise errors.AlreadyClaimed(f"another process went on with {action.action_id}; see `show`")
        try:
            self._check(action)
        except LASTING:
            return False
        now_us = self.ledger.clock.now_us()
        is_known = now_us - intent.wall_us < guard.KEY_LIFE_US and not guard.is_doubtful(action, intent, now_us)
        return is_known and not guard.is_exhausted(action, intent.step, now_us)

    def _drive(self, action: Action, intent: Event) -> Result:
        """Sends the stored parameters with the stored key until Stripe gives an answer that counts."""
        request, tries, waits = _stored(intent), 0, 0
        while self._may_send(action, intent):
            self.point("call")
            reply, words = self._post(request, intent)
            self.point("answered")
            if reply and reply.status < 400:
                return self._done(action, "outcome", "done", reply.body, intent, reply)
            if reply and reply.status < 500 and reply.body and not reply.is_busy:
                return self._rejected(action, intent, reply)
            is_busy = reply is not None and reply.is_busy
            tries, waits = tries + (not is_busy), waits + is_busy
            action = self._note(action, intent, reply, words)
            if reply and reply.is_unknown and reply.is_replayed:
                return self._look(action, intent, is_final=True)  # Stripe will repeat this answer as long as we ask
            if waits >= MAX_WAITS and not tries:
                return Result(action, "unfinished", f"Stripe is busy ({words}); run apply again")
            if tries >= MAX_TRIES or waits >= MAX_WAITS:
                break
            pause = min(FIRST_WAIT_S * 2 ** (tries + waits - 1), LONGEST_WAIT_S) * self._random.uniform(0.5, 1)
            asked = (reply and reply.retry_after_s) or 0.0
            self.ledger.clock.sleep(max(pause, min(asked, LONGEST_WAIT_S)))
        return self._look(action, intent)

    def _post(self, request: Request, intent: Event) -> tuple[Reply | None, str]:
        """Stripe's answer, None without one that can be read, and what to say of it."""
        if not isinstance(self.port, StripeWriter):
            raise errors.NotApproved("this run reads only; `apply --send` is the one that sends")
        try:
            reply = self.port.post(request.path, request.params, intent.idempotency_key or "")
        except NoAnswer as error:
            return None, f"no answer ({error})"
        is_ours = reply.status >= 400 or guard.is_answer(reply, request, self.is_live)
        return (reply, f"status {reply.status} {reply.error_code}") if is_ours else (None, "another object's answer")

    def _rejected(self, action: Action, intent: Event, reply: Reply) -> Result:
        """A 4xx: Stripe did not do it. Its code and request id are kept; its message may name a person."""
        words = f"Stripe said no: {reply.status} {reply.error_code}"
        body = {"status": reply.status, "code": reply.error_code, "param": str(reply.body.get("param"))[:LONGEST_CODE]}
        if reply.status in (401, 403):
            self._note(action, intent, reply, words)
            raise errors.KeyRefused(f"{words}: it does not take the key; correct that, then run apply again")
        if reply.body.get("type") == guard.MISMATCH:
            words = "the key was used with other parameters; look at the request in Stripe's log before anything else"
            return self._end(action, "ambiguous", words, body | {"code": guard.MISMATCH}, intent, reply)
        if action.made and reply.status != 402:
            words += "; `retry` it with a reason once that is corrected, or undo what was done"
            return self._end(action, "blocked", words, body | {"is_answered": True}, intent, reply)
        return self._end(action, "refused" if reply.status == 404 else "failed", words, body, intent, reply)

    def _look(self, action: Action, intent: Event, is_final: bool = False) -> Result:
        """Searches Stripe for the effect. What is absent is begun anew once no call can be under way any more.

        is_final: Stripe has said itself that the call is over.
        """
        found, now_us = self._found(action), self.ledger.clock.now_us()
        if found:
            return found
        if (is_final or guard.is_settled(action, now_us)) and not guard.is_doubtful(action, intent, now_us):
            return self._begin(action, intent)
        if guard.is_exhausted(action, intent.step, now_us):
            words = "no answer that counts, and not found in Stripe; `retry` it with a reason, or decide by `reconcile`"
            return self._end(action, "blocked", words, {}, intent)
        return self._end(action, "ambiguous", "sent, not found in Stripe; run apply again later", {}, intent)

    def _found(self, action: Action, since: int | None = None) -> Result | None:
        """Records the effect of the open intent where Stripe shows it. since: as of `find`, else before the intent."""
        intent = action.open_intent
        if intent is None:
            return None
        if since is None:  # an earlier attempt has the same tags
            begun = [int(event.facts.get("server_at", 0)) for event in action.intents if event.step == intent.step]
            since = max(min(begun) - EARLIER_S, 0)
        request = _stored(intent)
        found = self._ask(action, lambda: by_name(request.executor).find(self.port, request, since))
        return self._done(action, "reconciled", "found in Stripe", found, intent) if found else None

    def _refuse(self, action: Action, diff: Facts, absent: Event | None = None) -> Result:
        words = "the live state is not the planned one; run `make run`, plan again"
        return self._end(action, "refused", words, {"difference": diff}, absent)

    def _stale(self, action: Action, step: int | None = None) -> Facts:
        """R7: where the live facts differ from the planned ones. Stripe has no If-Match, so a change in the second
        between this look and the call stays possible. Later steps look only where the executor asks for it: the first
        one changes the facts.
        """
        request, is_first = action.request(0), not (action.next_step if step is None else step)
        executor = by_name(request.executor)
        if not is_first and not getattr(executor, "rechecks", False):
            return {}
        expected = executor.expected(request, action.plan["precondition"])
        diff: Facts = difference(expected, self._ask(action, lambda: executor.live(self.port, request, expected)))
        self._check_clock()
        server = self.port.server_now
        if is_first and server and action.is_past(server):
            diff["expires_at"] = {"planned": action.plan["expires_at"], "live": server.isoformat()}
        return diff

    def _check(self, action: Action) -> None:
        """What must hold at every call. Approvals end by the later of the two clocks."""
        now_us = max(self.ledger.clock.now_us(), self._server_us())
        guard.check_standing(self.ledger, self.policy, action, now_us)


def _stored(intent: Event) -> Request:
    """The request as the intent holds it: never computed again."""
    facts = intent.facts
    return Request(facts["executor"], facts["method"], facts["path"], facts["params"], facts.get("shape", ""))
