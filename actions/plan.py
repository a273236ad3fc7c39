"""From published recommendations, and from people's wishes, to immutable plans. Nothing here talks to Stripe."""

import json
import re
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from actions.clock import HOUR_US
from actions.errors import BadRecommendation, CannotUndo, NotApproved, NotPromoted
from actions.executors import KINDS, by_name, for_kind
from actions.executors.shapes import check_shape
from actions.governance import PHASE_CHANGE, agreement, check_evidence, check_size, phase
from actions.ids import action_id, canon, digest
from actions.ledger import Event, Ledger
from actions.policy import Policy
from actions.publication import Publication
from actions.state import IN_FLIGHT, OPEN, Action, Actor, Request, derive, load, overview

SERVICE = Actor("meterwise", "service")  # proposes what the warehouse recommends, so no person approves their own
BODY_LIMIT = 65_536  # of the ledger's column
_ID = re.compile("h1:[0-9a-f]{32}")
_COLUMNS = ("recommendation_id", "account_id", "livemode", "customer_id", "subscription_id", "currency", "amount_minor")


@dataclass
class Report:
    """What `plan` did: new plans with the published reason, and how many recommendations were left and why."""

    new: list[tuple[Action, str]] = field(default_factory=list)
    left: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


def make_plans(
    ledger: Ledger, found: Publication, policy: Policy,
    kind: str | None = None, limit: int | None = None, expect: int | None = None,
) -> Report:  # fmt: skip
    """Writes a plan for every recommendation that has none like it, and ends the plans that are not wanted any more.

    kind: only this one. limit: at most so many new plans. expect: exactly so many, however unusual. One transaction.
    Raises BadRecommendation when a row breaks its contract, UnusualPlan when the brake holds it; nothing is written.
    """
    report, wanted, rows = Report(), {}, found.recommendations
    if len({row["recommendation_id"] for row in rows}) < len(rows):
        raise BadRecommendation("a recommendation is there twice; run `make run` again")
    phases = {name: phase(ledger, policy, name) for name in {row["kind"] for row in rows}}
    for row in [row for row in rows if kind in (None, row["kind"])]:
        verdict = policy.judge(row["policy_case"])
        refusal = row["refusal"] or verdict.denial
        if refusal:
            report.left[refusal] += 1
            continue
        # A rule that needs nobody still needs one person until the kind has earned its phase.
        approvers = verdict.approvers or (0 if phases[row["kind"]] == "auto" else 1)
        bound = {"approvers": approvers, "hours": verdict.hours, "rules": list(verdict.rules)}
        content = _content(row, found) | {"policy_hash": policy.hash, "verdict": bound}
        wanted[row["recommendation_id"]] = (row, content, list(verdict.reasoning))
    with ledger.write():
        history: defaultdict[str, list[Action]] = defaultdict(list)
        for action in overview(ledger):
            history[action.recommendation_id].append(action)
        for last in [actions[-1] for actions in history.values()]:
            is_gone = last.recommendation_id not in wanted and kind in (None, last.kind) and last.state in OPEN
            if is_gone and not (last.plan["undoes"] or last.kind == PHASE_CHANGE):
                _end(ledger, last, "superseded", "Not wanted any more.", found)
        for name, (row, content, reasoning) in wanted.items():
            earlier = history[name]
            standing = _standing(earlier, content, found)
            if standing or len(report.new) == limit:
                report.left[standing or "over the limit"] += 1
                continue
            if earlier and earlier[-1].state in (*OPEN, "expired"):
                end = "superseded" if earlier[-1].state in OPEN and not earlier[-1].is_past(found.now) else "expired"
                _end(ledger, earlier[-1], end, "A newer plan takes its place.", found)
            more = {
                "case": row["policy_case"], "reasoning": reasoning, "evidence_hash": row["evidence_hash"],
                "as_of": found.as_of.isoformat(), "run_id": found.run_id, "source_event_id": row["source_event_id"],
                "expires_at": row["expires_at"] and row["expires_at"].isoformat(),
            }  # fmt: skip
            action = _write(ledger, content, len(earlier), SERVICE, row["in_numbers"], more)
            report.new.append((action, str(row["reason"])))
        check_size(ledger, policy, found.run_id, len(report.new), found.customers, expect)
    return report


def plan_undo(ledger: Ledger, policy: Policy, action: Action, reason: str, actor: Actor) -> Action:
    """A plan that takes back what `action` did; approved and applied like any, by as many people as that one.

    Raises NotApproved when there is nothing to undo or an undo is under way, CannotUndo when Stripe offers no way back.
    """
    if action.state not in ("done", "blocked"):
        raise NotApproved(f"{action.action_id} is {action.state}; only what is done or blocked can be undone")
    plan, steps = action.plan, action.steps
    can_be = steps and not plan.get("undoes")
    undo = by_name(steps[0].executor).compensate(steps, action.made, plan["precondition"]) if can_be else None
    if undo is None:
        raise CannotUndo(f"Stripe offers no way back from {action.action_id}; `show` says what can be done instead")
    content = {key: getattr(action.planned, key) for key in _COLUMNS} | {
        "recommendation_id": digest(f"undo of {action.action_id}")[:35], "amount_minor": 0, "kind": action.kind,
        "policy_hash": policy.hash, "verdict": action.verdict | {"approvers": action.needed},
        "undoes": action.action_id, **_asked(*undo),
    }  # fmt: skip
    kept = {key: plan.get(key) for key in ("case", "evidence_hash", "as_of", "source_event_id")}
    words = [f"undo of {action.action_id}: by as many people as that"]
    return _propose(ledger, content, actor, reason, kept | {"reasoning": words})


def plan_phase_change(
    ledger: Ledger, policy: Policy, kind: str, wanted: str, reason: str, actor: Actor
) -> Action | None:
    """A plan that moves `kind` to the phase `wanted`; back to shadow happens at once, and None is returned.

    Raises NotPromoted, naming all that is lacking.
    """
    kinds = sorted(KINDS - {PHASE_CHANGE})
    if kind not in kinds:
        raise NotPromoted(f"{kind[:40]!r} is no kind that has phases; expected one of {', '.join(kinds)}")
    params, (account_id, livemode) = {"kind": kind, "phase": wanted}, ledger.account()
    columns: dict[str, Any] = {"account_id": account_id, "livemode": livemode}
    if wanted == "shadow":
        changed = Event(kind="mode_changed", reasoning=reason[:4_000], body=canon(params), **columns)
        with ledger.write():
            ledger.append(replace(changed, actor=actor.name, actor_assurance=actor.assurance))
        return None
    check_evidence(ledger, policy, kind, wanted)
    proof = {key: str(value) for key, value in asdict(agreement(ledger, kind)).items()}
    asked = {"approvers": policy.promotion[wanted]["approvers"], "hours": policy.approval["hours"]}
    content = dict.fromkeys(_COLUMNS) | columns | {
        "recommendation_id": digest(canon(params | {"after": ledger.last().seq}))[:35], "amount_minor": 0,
        "kind": PHASE_CHANGE, "policy_hash": policy.hash, "verdict": asked | {"rules": [f"promotion.{wanted}"]},
        **_asked(for_kind(PHASE_CHANGE, params).plan(PHASE_CHANGE, 0, params, {}), {}),
    }  # fmt: skip
    words = [f"{key} {value}" for key, value in proof.items()]
    return _propose(ledger, content, actor, reason, {"case": proof, "reasoning": words})


def _standing(earlier: list[Action], content: dict[str, Any], found: Publication) -> str | None:
    """Why a recommendation with these earlier plans gets no new one; None when it does."""
    states = [action.state for action in earlier]
    for state in ("done", "undone"):
        if state in states:
            return f"{state} already"
    if set(states) & set(IN_FLIGHT):
        return "sent, end unknown: run apply"
    if not earlier or earlier[-1].plan["content_hash"] != digest(canon(content)):
        return None
    last = earlier[-1]
    if last.state in OPEN:
        return None if last.is_past(found.now) else "planned already"
    if last.state == "refused":  # the same facts from the same publication would be refused again
        return "refused already" if last.plan["run_id"] == found.run_id else None
    return f"{last.state} already" if last.state in ("declined", "failed") else None


def _content(row: dict[str, Any], found: Publication) -> dict[str, Any]:
    """What an approval binds to. Evidence and scores are not part of it: a daily rebuild must not void it."""
    name = row["recommendation_id"]
    if not _ID.fullmatch(name or ""):
        raise BadRecommendation(f"{str(name)[:50]!r} is no id of a recommendation, expected h1: and 32 hex digits")
    if (row["account_id"], row["livemode"]) != (found.account_id, found.livemode):
        raise BadRecommendation(f"{name} is of account {row['account_id']}, the publication of {found.account_id}")
    try:
        params, precondition = json.loads(row["params"]), json.loads(row["precondition"])
        held = tuple(precondition.get(key) for key in ("customer", "currency", "livemode"))
        executor = for_kind(row["kind"], params)
        steps = executor.plan(row["kind"], row["amount_minor"], params, precondition)
        executor.describe(steps, precondition)  # what cannot be shown cannot be decided on
        content = {key: row[key] for key in (*_COLUMNS, "kind")} | _asked(steps, precondition)
        canon(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadRecommendation(f"{name} cannot be read: {error!r}; run `make run` again") from error
    if held != (row["customer_id"], row["currency"], row["livemode"]):
        raise BadRecommendation(f"{name}: customer, currency or mode of its precondition are not its own: {held}")
    return content


def _asked(steps: list[Request], precondition: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [vars(step) for step in steps], "precondition": precondition}


def _end(ledger: Ledger, action: Action, kind: str, words: str, found: Publication) -> None:
    ledger.append(load(ledger, action.action_id).event(kind, SERVICE, words, {"run_id": found.run_id}))


def _propose(ledger: Ledger, content: dict[str, Any], actor: Actor, reason: str, more: dict[str, Any]) -> Action:
    empty = dict.fromkeys(("evidence_hash", "as_of", "run_id", "expires_at", "source_event_id"))
    with ledger.write():
        same = [action for action in overview(ledger) if action.recommendation_id == content["recommendation_id"]]
        if same and same[-1].state in (*OPEN, *IN_FLIGHT):
            raise NotApproved(f"{same[-1].action_id} is that already, and {same[-1].state}; decide on it")
        return _write(ledger, content, len(same), actor, reason, empty | more)


def _write(
    ledger: Ledger, content: dict[str, Any], round_: int, actor: Actor, reason: str, more: dict[str, Any]
) -> Action:
    for step in content["steps"]:
        check_shape(Request(**step))
    # The count of earlier plans is hashed too: facts that come back get a new plan, never an old approval.
    content_hash, name = digest(canon(content)), content["recommendation_id"]
    plan_hash = digest(canon([content_hash, round_]))
    kept = {key: content[key] for key in ("steps", "precondition", "verdict", "policy_hash")} | {
        "recommendation_kind": content["kind"], "reason": reason, "undoes": content.get("undoes"), "round": round_,
        "plan_hash": plan_hash, "content_hash": content_hash,
    }  # fmt: skip
    body = canon(kept | more)
    if len(body) > BODY_LIMIT:
        raise BadRecommendation(f"{name} makes a plan of {len(body)} characters, at most {BODY_LIMIT}")
    planned = Event(
        kind="planned", action_id=action_id(name, plan_hash), plan_hash=plan_hash, actor=actor.name, body=body,
        actor_assurance=actor.assurance, reasoning=reason[:4_000], source_event_id=more["source_event_id"],
        **{key: content[key] for key in _COLUMNS},
    )  # fmt: skip
    events, now = [ledger.append(planned)], ledger.clock.now_us()
    if not content["verdict"]["approvers"]:
        given = {"plan_hash": plan_hash, "expires_us": now + content["verdict"]["hours"] * HOUR_US}
        words = "The kind is in phase auto, and its rules ask for nobody."
        events.append(ledger.append(derive(events, now).event("approved", SERVICE, words, given)))
    return derive(events, now)
