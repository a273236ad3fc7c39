"""A person's word on a plan: bound to the plan's hash, good for one use and a limited time."""

from actions.clock import HOUR_US, stamp
from actions.errors import NotApproved
from actions.ledger import Ledger
from actions.state import OPEN, Action, Actor, load

CANNOT = "{id} is {state}, only a planned action can be {verb}; `python -m actions plan` makes a new plan if one is due"


def approve(ledger: Ledger, action_ids: list[str], reason: str, actor: Actor, hours: int) -> list[Action]:
    """Approves all of them or none. hours: how long the approval is good, by the wall clock.

    Raises NotApproved when one of them is not open, or was approved by this person before.
    """
    return _decide(ledger, action_ids, "approved", reason, actor, hours)


def decline(ledger: Ledger, action_ids: list[str], reason: str, actor: Actor) -> list[Action]:
    """Declines all of them or none; one decline outweighs every approval. Raises NotApproved."""
    return _decide(ledger, action_ids, "declined", reason, actor, None)


def _decide(
    ledger: Ledger, action_ids: list[str], verdict: str, reason: str, actor: Actor, hours: int | None
) -> list[Action]:
    with ledger.write():
        for action_id in action_ids:
            action = load(ledger, action_id)
            if action.state not in OPEN:
                raise NotApproved(CANNOT.format(id=action_id, state=action.state, verb=verdict))
            body: dict[str, object] = {"plan_hash": action.planned.plan_hash}
            if hours is not None:
                if any(event.kind == verdict and event.actor == actor.name for event in action.events):
                    ends = stamp(action.approval_ends_us or 0)
                    raise NotApproved(f"{action_id} was approved by {actor.name} already, until {ends}; nothing to add")
                body["expires_us"] = ledger.clock.now_us() + hours * HOUR_US
            ledger.append(action.event(verdict, actor, reason, body))
    return [load(ledger, action_id) for action_id in action_ids]
