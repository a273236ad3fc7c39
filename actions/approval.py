"""A person's word: on a plan, bound to its hash, good for one use and a limited time; or on what was recommended."""

import re
from typing import Any

from actions.clock import HOUR_US, stamp
from actions.errors import NotApproved, UnknownAction
from actions.ids import canon, digest
from actions.ledger import Event, Ledger
from actions.policy import Policy
from actions.state import OPEN, Action, Actor, load

VERDICTS = ("agree", "wrong", "edited")
_INVOICE = re.compile(r"in_[A-Za-z0-9_]{1,60}")  # whatever else is typed does not get into the ledger
CANNOT = "{id} is {state}, only a planned action can be {verb}; `python -m actions plan` makes a new plan if one is due"


def approve(ledger: Ledger, policy: Policy, action_ids: list[str], reason: str, actor: Actor) -> list[Action]:
    """Approves all of them or none, each for as many hours as its plan says. Several are one batch: every approval
    holds the hash of the whole list.

    Raises NotApproved when one of them is not open, was proposed or approved by this person, or nobody vouches for
    who it is.
    """
    if actor.assurance != "os_user":
        raise NotApproved(f"{actor.name} is not known to the operating system; approve from an account of your own")
    may_be_own = policy.approval["proposer_may_approve"]["live" if ledger.account()[1] else "test"]
    batch = {"size": len(action_ids), "hash": digest(canon(sorted(action_ids)))}

    def body(action: Action) -> dict[str, Any]:
        if action.planned.actor == actor.name and not may_be_own:
            raise NotApproved(f"{action.action_id} was proposed by {actor.name}; somebody else has to approve it")
        for given in action.approvals:
            if actor.name == given.actor or (actor.uid is not None and actor.uid == given.facts.get("uid")):
                until = stamp(given.facts["expires_us"])
                raise NotApproved(f"{action.action_id} was approved by {given.actor} already, until {until}")
        ends = {"expires_us": ledger.clock.now_us() + action.verdict["hours"] * HOUR_US}
        return ends | {"batch": batch} | ({} if actor.uid is None else {"uid": actor.uid})

    return _decide(ledger, action_ids, "approved", reason, actor, body)


def decline(ledger: Ledger, action_ids: list[str], reason: str, actor: Actor) -> list[Action]:
    """Declines all of them or none; one decline outweighs every approval. Raises NotApproved."""
    return _decide(ledger, action_ids, "declined", reason, actor, lambda action: {})


def review(ledger: Ledger, subject: str, verdict: str, reason: str, actor: Actor) -> Event:
    """Keeps what a person thinks of a recommendation (subject: an action id) or of an invoice's explanation (subject:
    the invoice's id). verdict: agree, wrong, or edited (right after a correction). The newest word of a person counts.

    Raises UnknownAction, NotApproved for another verdict.
    """
    if verdict not in VERDICTS:
        raise NotApproved(f"a review is {', '.join(VERDICTS)}, not {verdict}")
    events = ledger.events(subject)
    if not events and not _INVOICE.fullmatch(subject):
        raise UnknownAction(
            f"{subject[:40]!r} is neither an action nor an invoice; `python -m actions show` lists actions"
        )
    with ledger.write():
        if events:
            action = load(ledger, subject)
            said = {"verdict": verdict, "recommendation_kind": action.kind}
            return ledger.append(action.event("reviewed", actor, reason, said))
        account_id, livemode = ledger.account()
        said = {"verdict": verdict, "recommendation_kind": "invoice_explanation"}
        return ledger.append(
            Event(
                kind="reviewed", account_id=account_id, livemode=livemode, object_id=subject, actor=actor.name,
                actor_assurance=actor.assurance, reasoning=reason[:4_000], body=canon(said),
            )
        )  # fmt: skip


def _decide(ledger: Ledger, action_ids: list[str], verdict: str, reason: str, actor: Actor, body: Any) -> list[Action]:
    with ledger.write():
        for action_id in action_ids:
            action = load(ledger, action_id)
            if action.state not in OPEN:
                raise NotApproved(CANNOT.format(id=action_id, state=action.state, verb=verdict))
            ledger.append(action.event(verdict, actor, reason, {"plan_hash": action.planned.plan_hash} | body(action)))
    return [load(ledger, action_id) for action_id in action_ids]
