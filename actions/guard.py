"""What may stop a call: another runner, the switch that people hold, and what must be true of an action just then."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actions import errors
from actions.clock import HOUR_US, SECOND_US
from actions.executors.base import carries
from actions.governance import check_phase
from actions.ledger import Event, Ledger
from actions.policy import Policy
from actions.port import Reply
from actions.state import IN_FLIGHT, SQL, Action, Actor, Request, load, overview

KEY_LIFE_US = 23 * HOUR_US  # Stripe may forget a key after 24 h; later the same key would be a new request
SETTLED_US = 600 * SECOND_US  # far above the longest a request can still be running at Stripe
MISMATCH = "idempotency_error"  # the same key with other parameters: a fault of ours, a person must look
LONGEST_ID = 255  # Stripe's limit
WITH_VERB = 4  # slashes of a path as /v1/quotes/qt_1/finalize, which ends in a verb and has no tags
MOST_TRIES = 8  # of a step without an answer that counts, until a person says to go on


@contextmanager
def only_runner(ledger_path: Path) -> Iterator[None]:
    """Holds ledger.lock; the kernel frees it however this process ends. Raises Locked naming the holder."""
    with open(ledger_path.with_name("ledger.lock"), "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise errors.Locked(f"another apply (PID {lock.read().strip()}) runs on this ledger; wait") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def halt_file(ledger_path: Path) -> Path:
    """The file that stops every runner of this ledger, by its mere existence."""
    return ledger_path.with_name("HALT")


def halted(ledger: Ledger) -> str | None:
    """Why nothing may be sent, None when it may. Read before every call."""
    if _is_halt_set():
        return "METERWISE_HALT is set (unset it first)"
    if halt_file(ledger.path).exists():
        return f"{halt_file(ledger.path)} exists"
    newest = ledger.query(SQL["switch"])
    return f"halted: {newest[0][1]}" if newest and newest[0][0] == "halted" else None


def _is_halt_set() -> bool:
    return os.environ.get("METERWISE_HALT", "") not in ("", "0")


def write_halt(ledger_path: Path) -> None:
    """Stops every runner before its next call, also when the ledger itself cannot be opened."""
    ledger_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    halt_file(ledger_path).touch(mode=0o600)


def halt(ledger: Ledger, reason: str, actor: Actor) -> None:
    """Stops every runner before its next call; a call that is under way is finished and recorded."""
    write_halt(ledger.path)
    _say(ledger, "halted", reason, actor)


def resume(ledger: Ledger, reason: str, actor: Actor) -> None:
    """Lets runners send again. Raises NotApproved where METERWISE_HALT would go on stopping them."""
    if _is_halt_set():
        raise errors.NotApproved("METERWISE_HALT is set and stops every runner; unset it, then run `resume` again")
    _say(ledger, "resumed", reason, actor)  # first: a process that dies here leaves the file, and so stays halted
    halt_file(ledger.path).unlink(missing_ok=True)


def retry(ledger: Ledger, action_id: str, reason: str, actor: Actor) -> Action:
    """Lets `apply` go on with a blocked action. Raises NotApproved when it is not blocked, or is being undone."""
    with ledger.write():
        action = load(ledger, action_id)
        if action.state != "blocked":
            raise errors.NotApproved(f"{action_id} is {action.state}, only a blocked action is tried again; `status`")
        for other in overview(ledger):  # the two would wait for each other
            if other.plan["undoes"] == action_id and other.state in IN_FLIGHT:
                raise errors.NotApproved(f"{other.action_id} is undoing {action_id}; bring that to an end first")
        ledger.append(action.event("resumed", actor, reason, {}))
    return load(ledger, action_id)


def _say(ledger: Ledger, kind: str, reason: str, actor: Actor) -> None:
    account_id, livemode = ledger.account()
    event = Event(
        kind=kind, account_id=account_id, livemode=livemode, actor=actor.name, actor_assurance=actor.assurance,
        reasoning=reason[:4_000],
    )  # fmt: skip
    with ledger.write():
        ledger.append(event)


def check_standing(ledger: Ledger, policy: Policy, action: Action, now_us: int) -> None:
    """What must hold at every call, also when an old one is sent again. now_us: what approvals end by.

    Raises Halted, PolicyChanged, ApprovalEnded, NotPromoted.
    """
    reason = halted(ledger)
    if reason:
        raise errors.Halted(f"{reason}: nothing is sent; `python -m actions resume` with a reason when that is over")
    check_policy(policy, action)
    if now_us >= (action.approval_ends_us or 0):
        raise errors.ApprovalEnded(f"too few approvals of {action.action_id} still stand; run plan, approve anew")
    check_phase(ledger, policy, action)


def check_policy(policy: Policy, action: Action) -> None:
    """Raises PolicyChanged."""
    if policy.hash != action.plan["policy_hash"]:
        raise errors.PolicyChanged(f"policy.toml changed since {action.action_id} was planned; plan, approve anew")


def check_rivals(ledger: Ledger, action: Action) -> None:
    """One action of a customer at a time, and no recommendation twice, under whatever plan; an undo of what is known.

    Raises NotApproved, OpenIntent, AlreadyPaid.
    """
    planned, undone = action.planned, action.plan.get("undoes")
    target = load(ledger, undone) if undone else None
    if target and (target.open_intent or target.state not in ("done", "blocked")):
        raise errors.NotApproved(f"{undone} is {target.state}, only what is known to be done is undone; `reconcile`")
    for (name,) in ledger.query(SQL["rivals"], planned.customer_id, planned.action_id, planned.recommendation_id):
        other = load(ledger, name)
        if other.state in IN_FLIGHT and name != undone:
            raise errors.OpenIntent(f"{planned.action_id} waits for {name} of the same customer; apply that first")
        if other.state == "done" and other.recommendation_id == planned.recommendation_id:
            raise errors.AlreadyPaid(f"{planned.action_id} is refused: {name} carried out the same recommendation")


def is_answer(reply: Reply, request: Request, is_live: bool) -> bool:
    """Whether a 2xx shows the object that `request` makes or changes: any other one proves nothing (R17: nor does one
    of the other mode).
    """
    found = reply.body.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_ID or reply.body.get("livemode", is_live) != is_live:
        return False
    if "metadata" in request.params:
        return carries(reply.body, request)
    return request.path.count("/") < WITH_VERB or place(request, found) != f"{request.path}/{found}"


def place(request: Request, object_id: str) -> str:
    """Where the object that `request` makes or changes is read, if that is its id."""
    parent, _, last = request.path.rpartition("/")
    if last == object_id:
        return request.path
    is_of_verb = "metadata" not in request.params and parent.endswith(f"/{object_id}")
    return parent if is_of_verb else f"{request.path}/{object_id}"


def is_exhausted(action: Action, step: int, now_us: int) -> bool:
    """R27: eight tries of a step, or a day after the first of them, and no answer that counts."""
    since = max((event.seq for event in action.events if event.kind == "resumed"), default=0)
    tries = [e for e in action.events if e.kind == "attempt" and e.step == step and e.seq > since]
    unknown = [event for event in tries if (status := event.facts["status"]) is None or status >= 500]
    return len(unknown) >= MOST_TRIES or (bool(unknown) and now_us - unknown[0].wall_us >= KEY_LIFE_US)


def is_settled(action: Action, now_us: int) -> bool:
    """Whether no call of this action can be under way any more, whichever process made it."""
    return now_us - max(e.wall_us for e in action.events if e.kind in ("intent", "attempt")) > SETTLED_US


def is_doubtful(action: Action, intent: Event, now_us: int) -> bool:
    """A clock that was set back leaves ages to guessing, and a mismatch is not cured by another key."""
    of_key = [event for event in action.events if event.idempotency_key == intent.idempotency_key]
    is_mismatch = any(event.facts.get("code") == MISMATCH for event in of_key)
    return is_mismatch or max(event.wall_us for event in [intent, *of_key]) > now_us + SETTLED_US
