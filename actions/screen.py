"""What a person reads: the table of plans, one action in full, a history. Customer text passes safe_text."""

import json
from pathlib import Path

import click

from actions.apply import Result
from actions.clock import Clock, stamp
from actions.errors import ActionError
from actions.executors import by_name
from actions.ledger import Event
from actions.state import Action, current, short_ids
from actions.text import money, safe_text, table


def plans(new: list[tuple[Action, str]], actions: list[Action]) -> str:
    """New plans with the mart's own reason, which may name the customer and is therefore not in the ledger."""
    ids = short_ids(actions)
    rows = [[ids[action.action_id], *_what(action), safe_text(reason)] for action, reason in new]
    return table([["id", "kind", "customer", "amount", "reason"], *rows])


def listing(shown: list[Action], actions: list[Action] | None = None) -> str:
    """Actions with their states; of `actions` (all there are) depends how short an id may be."""
    ids = short_ids(actions or shown)
    rows = [[ids[action.action_id], *_what(action), action.state] for action in (shown if actions else current(shown))]
    return table([["id", "kind", "customer", "amount", "state"], *rows])


def everything(action: Action, published: Path) -> str:
    """One action: what is sent, the facts it rests on, its state and history, and the mart's reason when readable."""
    request, plan = action.request(0), action.plan
    ends = action.approval_ends_us
    expected = by_name(request.executor).expected(request, plan["precondition"])
    parts = [
        table(
            [
                ["id", action.action_id],
                ["state", action.state],
                *([["approved", f"until {stamp(ends)}"]] if ends else []),
            ]
        ),
        "  ".join(_what(action)),
        f"why: {_published_reason(action, published)}",
        f"in numbers: {plan['reason']}; as of {plan['as_of']}, expires {plan['expires_at'] or 'never'}",
        f"sends: {request.method.upper()} {request.path}\n{_json(request.params)}",
        f"only if Stripe still says:\n{_json(expected)}",
        f"history:\n{history(list(action.events))}",
    ]
    return "\n\n".join(parts)


def history(events: list[Event]) -> str:
    """A line per event."""
    rows = [
        [str(event.seq), stamp(event.at_us), event.kind, event.action_id or "", event.actor, safe_text(event.reasoning)]
        for event in events
    ]
    return table([["seq", "at", "event", "action", "by", "reasoning"], *rows])


def echo_result(result: Result, actions: list[Action]) -> str:
    """Prints how an action ended, with the facts behind a refusal; returns the end."""
    last, short = result.action.events[-1], short_ids(actions)[result.action.action_id]
    click.echo(f"{short}  {result.end}: {safe_text(result.words, limit=400)}")
    if last.kind == result.end and last.kind in ("refused", "shadowed"):
        click.echo(_json(last.facts))
    return result.end


def _what(action: Action) -> list[str]:
    planned = action.planned
    return [action.kind, planned.customer_id or "", money(planned.amount_minor or 0, planned.currency or "")]


def _published_reason(action: Action, published: Path) -> str:
    from actions.plan import read_publication

    try:
        found = read_publication(published, Clock(sleep=lambda seconds: None)).recommendations
    except ActionError:
        return "the publication cannot be read now"
    reasons = [row["reason"] for row in found if row["recommendation_id"] == action.recommendation_id]
    return safe_text(reasons[0], limit=1_000) if reasons else "not in the publication any more"


def _json(value: object) -> str:
    lines = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
    return "\n".join(safe_text(line) for line in lines)
