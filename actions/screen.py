"""What a person reads: the table of plans, one action in full, a history. Customer text passes safe_text."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from actions.clock import Clock, stamp
from actions.errors import ActionError
from actions.executors import by_name
from actions.ledger import Event
from actions.record import Result
from actions.state import Action
from actions.text import money, safe_text, table

_LONG = 1_000  # a published reason may be a few sentences
_OVER = ("done", "undone", "failed", "declined")  # no approval is good for anything any more
_SCORES = ("confidence", "risk_score", "pct_change", "margin", "model_version")
WAY_ON = """\
sending, ambiguous: `python -m actions apply --send` goes on, and looks in Stripe before it sends again.
Still ambiguous: see the object in Stripe, then `reconcile ID --found OBJECT` or `reconcile ID --absent`.
blocked: the history (`show ID`) says why; then `retry ID`, or `plan --undo ID` for the steps that were done, or
`reconcile ID --absent` to give up what is left."""


def plans(new: list[tuple[Action, str]], ids: dict[str, str]) -> str:
    """New plans with the mart's own reason, which may name the customer and is therefore not in the ledger."""
    rows = [[ids[action.action_id], *_what(action), safe_text(reason)] for action, reason in new]
    return table([["id", "kind", "customer", "amount", "reason"], *rows])


def listing(actions: list[Action], ids: dict[str, str]) -> str:
    """Actions with their states, and how many have approved of how many."""
    rows = [
        [ids[action.action_id], *_what(action), action.state, f"{len(action.approvals)} of {action.needed}"]
        for action in actions
    ]
    return table([["id", "kind", "customer", "amount", "state", "approved"], *rows])


def everything(action: Action, row: dict[str, Any]) -> str:
    """The screen to decide on: what changes, the money, why, who has to agree, what is sent on which condition.

    row: the recommendation as `published` read it; the ledger has no names, so it cannot tell the reason.
    """
    plan, planned, currency = action.plan, action.planned, action.planned.currency or ""
    ends = None if action.state in _OVER else action.approval_ends_us
    given = "; ".join(f"{event.actor} until {stamp(event.facts['expires_us'])}" for event in action.approvals)
    head = {
        "id": action.action_id,
        "state": action.state + (f", good until {stamp(ends)}" if ends else ""),
        "kind": action.kind + (f", undoes {plan['undoes']}" if plan.get("undoes") else ""),
        "for": f"{planned.customer_id or 'no single customer'} {planned.subscription_id or ''}",
        "account": f"{planned.account_id}, {'LIVE' if planned.livemode else 'test'} mode",
        "money at stake": money(planned.amount_minor or 0, currency) if currency else "none",
        "approvals": f"{len(action.approvals)} of {action.needed} asked for" + (f": {given}" if given else ""),
        "as of": f"{plan['as_of'] or 'now'}, expires {plan['expires_at'] or 'never'}",
    }
    said = {"reason": str(row.get("reason") or "none"), "evidence": _evidence(row.get("evidence"), currency)}
    why = {name: safe_text(text, _LONG) for name, text in said.items()}
    rules = "\n".join(f"  {safe_text(line, _LONG)}" for line in plan.get("reasoning") or ["not known"])
    parts = [
        _table(head),
        _table(why | _worth(row, currency)),
        *(_change(action) if action.steps else ["found in Stripe by `audit recover`: how it was planned is lost"]),
        f"policy:\n{rules}",
        f"history:\n{history(list(action.events))}",
    ]
    return "\n\n".join(parts)


def _change(action: Action) -> list[str]:
    """Before and after, what Stripe said it would come to, the calls, and the condition they rest on."""
    executor, precondition = by_name(action.steps[0].executor), action.plan["precondition"]
    rows = [[safe_text(cell) for cell in cells] for cells in executor.describe(action.steps, precondition)]
    previews = [event.facts.get("preview") for event in action.events if event.kind == "shadowed"]
    said = "not asked for yet; `apply ID` without --send asks, where Stripe has one"
    if previews:
        said = _preview(previews[-1]) if previews[-1] else "Stripe has none for this"
    return [
        table([["what changes in Stripe", "before", "after"], *rows]),
        f"Stripe's preview: {said}",
        "sends:\n" + _calls([asdict(action.request(step)) for step in range(len(action.steps))]),
        f"only if Stripe still says:\n{_lines(executor.expected(action.steps[0], precondition))}",
    ]


def _table(found: dict[str, str]) -> str:
    return table([[name, value.strip()] for name, value in found.items()])


def history(events: list[Event]) -> str:
    """A line per event."""
    rows = [
        [str(event.seq), stamp(event.at_us), event.kind, event.action_id or "", event.actor, safe_text(event.reasoning)]
        for event in events
    ]
    return table([["seq", "at", "event", "action", "by", "reasoning"], *rows])


def result(ended: Result) -> str:
    """How an action ended, with what a rehearsal would have sent, or the facts behind a refusal."""
    last = ended.action.events[-1]
    words = f"{ended.action.action_id}  {ended.end}: {safe_text(ended.words, limit=400)}"
    if ended.end != last.kind:
        return words
    if last.kind == "shadowed":
        found = last.facts.get("preview")
        return f"{words}\n{_calls(last.facts['requests'])}" + (f"\n  preview: {_preview(found)}" if found else "")
    return f"{words}\n{_lines(last.facts)}" if last.kind == "refused" else words


def facts(action: Action) -> dict[str, Any]:
    """An action for --json: its identifying columns, state, approvals, and the plan as it is stored."""
    names = ("recommendation_id", "customer_id", "subscription_id", "account_id", "livemode", "currency")
    known = {name: getattr(action.planned, name) for name in (*names, "amount_minor", "plan_hash")}
    approvals = [{"actor": event.actor, "expires_us": event.facts["expires_us"]} for event in action.approvals]
    return {"action_id": action.action_id, "kind": action.kind, "state": action.state, **known,
            "approvals_needed": action.needed, "approvals": approvals, "plan": action.plan}  # fmt: skip


def _what(action: Action) -> list[str]:
    planned = action.planned
    return [action.kind, planned.customer_id or "", money(planned.amount_minor or 0, planned.currency or "")]


def published(action: Action, path: Path) -> dict[str, Any]:
    """The recommendation as it is published now; its reason says so when it cannot be had."""
    from actions.publication import read_publication

    try:
        found = read_publication(path, Clock(sleep=lambda seconds: None)).recommendations
    except ActionError:
        return {"reason": "the publication cannot be read now"}
    rows = [row for row in found if row["recommendation_id"] == action.recommendation_id]
    return rows[0] if rows else {"reason": "not in the publication any more"}


def _worth(row: dict[str, Any], currency: str) -> dict[str, str]:
    """Expected value with its band, and the scores that the mart gives: what speaks for it, and against it."""
    minor = [row.get(f"expected_value_{name}minor") for name in ("", "low_", "high_")]
    band = "{}, between {} and {}".format(*("unknown" if value is None else money(value, currency) for value in minor))
    known = {name: row[name] for name in _SCORES if row.get(name) is not None}
    said = ", ".join(f"{name} {value if isinstance(value, str) else f'{value:.3g}'}" for name, value in known.items())
    return {"expected value": band, "scores": safe_text(said or "none")}


def _evidence(published: object, currency: str) -> str:
    """The mart's JSON in words, amounts as money; as it is when it is none."""
    try:
        found = dict(json.loads(str(published)))
    except (TypeError, ValueError):
        return str(published or "none")
    said = {
        name.removesuffix("_minor"): money(value, currency) if name.endswith("_minor") and type(value) is int else value
        for name, value in found.items()
        if value is not None  # what does not apply here
    }
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in said.items()) or "none"


def _calls(requests: list[dict[str, Any]]) -> str:
    return "\n".join(f"  {one['method'].upper()} {one['path']}\n{_lines(one['params'])}" for one in requests)


def _preview(found: dict[str, Any]) -> str:
    """What Stripe says it would come to; whole numbers in a preview are money."""
    currency = str(found.get("currency", ""))
    told = {name: money(value, currency) if type(value) is int else value for name, value in found.items()}
    return safe_text("; ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items()))


def _lines(value: dict[str, Any]) -> str:
    """A line per field, none of them cut: what is sent is shown whole."""
    lines = [f"    {key}: {json.dumps(value[key], sort_keys=True, ensure_ascii=False)}" for key in sorted(value)]
    return "\n".join(safe_text(line, limit=65_536) for line in lines)
