"""The commands that watch over the others: the ledger, the kill switch, the policy, the doctor."""

import io
import json
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import click

from actions import audit as auditing
from actions import governance, guard, screen
from actions.clock import Clock
from actions.console import Console, cli, command, id_argument, live_option, reason_option
from actions.doctor import examine
from actions.errors import Breach
from actions.ledger import Ledger, create
from actions.plan import plan_phase_change
from actions.policy import PHASES, read_policy
from actions.state import OPEN
from actions.text import safe_text


@command()
@click.argument("action_id", required=False)
def log(console: Console, action_id: str | None) -> None:
    """Print the ledger, or what it has on one action, oldest event first.

    \b
    Example:
        python -m actions log 3f9c21a --json
    """
    ledger = console.reading()
    events = ledger.events(console.one(action_id).action_id if action_id else None)
    console.say(screen.history(events), events=[asdict(event) | {"body": event.facts} for event in events])


@command()
@reason_option()
def halt(console: Console, reason: str) -> None:
    """Stop every runner of this ledger before its next call; what is under way is finished and recorded.

    \b
    Example:
        python -m actions halt --reason "Credits went to the wrong customers"
    """
    guard.write_halt(console.settings.ledger)  # first: it has to work when the ledger cannot be opened
    console.say("halted: nothing more is sent until `python -m actions resume`", is_halted=True)
    guard.halt(console.ledger, reason, console.actor)


@command()
@reason_option()
def resume(console: Console, reason: str) -> None:
    """Take the halt back; the next `apply --send` goes on where it stopped.

    \b
    Example:
        python -m actions resume --reason "The list of customers was corrected"
    """
    guard.resume(console.ledger, reason, console.actor)
    console.say("runners may send again", is_halted=False)


@cli.group()
def policy() -> None:
    """What policy.toml says of an action, and the phases of its kinds.

    \b
    Example:
        python -m actions policy explain 3f9c21a
    """


@command(policy)
@id_argument
def explain(console: Console, action_id: str) -> None:
    """Print every rule on one action as policy.toml is now: values, limits, verdict, and what the plan was held to.

    \b
    Example:
        python -m actions policy explain 3f9c21a
    """
    ledger, rules = console.reading(), read_policy()
    action = console.one(action_id)
    verdict, phase = rules.judge(action.plan.get("case") or {}), governance.phase(ledger, rules, action.kind)
    asked = verdict.denial or f"{verdict.approvers} approver(s), good for {verdict.hours} h"
    lines = [*verdict.reasoning, f"now: {asked}; {action.kind} is in phase {phase}"]
    if action.kind == governance.PHASE_CHANGE:  # no rule's business: what is asked of it stands in [promotion]
        lines = list(action.plan["reasoning"])
    lines.append(f"planned under: {action.needed} approver(s), good for {action.verdict['hours']} h")
    if rules.hash != action.plan["policy_hash"] and action.state in OPEN:
        lines.append("policy.toml has changed since: plan again, the approvals of this plan do not count")
    console.say("\n".join(safe_text(line, 1_000) for line in lines), phase=phase, **asdict(verdict))


@command(policy)
@click.argument("kind")
@click.argument("phase", type=click.Choice(PHASES))
@reason_option()
def promote(console: Console, kind: str, phase: str, reason: str) -> None:
    """Propose another phase for a kind: approved and applied like any action. Back to shadow counts at once.

    \b
    Example:
        python -m actions policy promote usage_alert auto --reason "Two months in agreement"
    """
    rules = read_policy()
    planned = plan_phase_change(console.ledger, rules, kind, phase, reason, console.actor)
    if planned is None:
        console.say(f"{kind} is in phase {phase} now", phase=phase)
    else:
        console.present(planned, {"reason": reason})


@command()
def doctor(console: Console) -> None:
    """Look for what would make a run fail or unsafe: keys and what they must not do, files, ledger, policy, clock.

    Changes nothing. Exit code 1 when a line says fail.

    \b
    Example:
        python -m actions doctor
    """
    checks = []
    for check in examine(console.settings, Clock()):
        console.say(f"{check.level:<5} {check.name}: {safe_text(check.words, limit=400)}")
        checks.append(check._asdict())
        console.end(1 if check.level == "fail" else 0)
    console.data["checks"] = checks


@cli.group()
def audit() -> None:
    """Check, copy and mend the ledger.

    \b
    Example:
        python -m actions audit verify
    """


@command(audit)
@click.option("--stripe", is_flag=True, help="Also hold it against Stripe (STRIPE_SHADOW_KEY): some GETs a customer.")
@live_option
def verify(console: Console, stripe: bool, live: bool) -> None:
    """Check the file, the numbering, every hash and the head; exit 7 when anything does not fit.

    \b
    Example:
        python -m actions audit verify --stripe
    """
    ledger = console.reading()
    count = auditing.verify(ledger)
    console.say(
        f"{count} events: file readable, no gap, every hash follows from the one before, the head is among them",
        events=count,
    )
    if stripe:
        findings = auditing.verify_with_stripe(ledger, console.connect(is_sending=False, is_live_asked=live)[0])
        console.say("\n".join(findings) or "Stripe: every tagged object has an intent, every outcome its object",
                    findings=findings)  # fmt: skip
        if findings:
            raise Breach(f"{len(findings)} things in Stripe do not fit the ledger; docs/actions.md, Recovery")


@command(audit)
@click.option("--to", type=click.File("w", lazy=True), help="A file; standard output otherwise.")
def export(console: Console, to: TextIO | None) -> None:
    """Write every event as JSON Lines, the form to keep elsewhere and to restore from.

    \b
    Example:
        python -m actions audit export --to ledger.jsonl
    """
    out = to or (io.StringIO() if console.is_json else click.get_text_stream("stdout"))
    count = console.data["events"] = auditing.export(console.reading(), out)
    if to is not None:
        console.say(f"{count} events written to {to.name}")
    if isinstance(out, io.StringIO):
        console.data["lines"] = [json.loads(line) for line in out.getvalue().splitlines()]


@command(audit)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def restore(console: Console, file: Path) -> None:
    """Make the ledger anew from an export, where there is none.

    \b
    Example:
        python -m actions audit restore ledger.jsonl
    """
    with file.open() as lines:
        count = auditing.restore(lines, console.settings.ledger, console.settings.head, Clock())
    console.say(f"{count} events restored; run `python -m actions audit recover` next", events=count)


@command(audit)
@live_option
def recover(console: Console, live: bool) -> None:
    """Accept a ledger that is behind its head, after learning from Stripe what was done since (STRIPE_SHADOW_KEY).

    \b
    Example:
        python -m actions audit recover
    """
    settings = console.settings
    if settings.head.exists() and not settings.ledger.exists():  # nothing else is left
        create(settings.ledger)
    console.ledger = Ledger(settings.ledger, settings.head, Clock(), despite_damage=True)
    port, _ = console.connect(is_sending=False, is_live_asked=live)
    count = auditing.recover(console.ledger, port, console.actor)
    console.say(f"{count} outcomes learned from Stripe; the ledger is accepted as it is now", recovered=count)


_alias = copy(audit.commands["verify"])  # its name before there was a group
_alias.hidden = True
cli.add_command(_alias, "verify")
