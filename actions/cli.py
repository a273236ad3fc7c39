"""`python -m actions`: plan, approve, apply. Shadow is the default: only `apply --send` sends anything."""

import json
import os
import pwd
import sqlite3
import sys
from dataclasses import asdict
from typing import Any

import click

from actions import approval, screen
from actions.apply import Runner, only_runner
from actions.clock import Clock
from actions.errors import ActionError, Breach, Locked, NothingToDo, Refused, Undecided
from actions.ledger import Ledger, open_or_create
from actions.plan import make_plans, read_publication
from actions.policy import read_policy
from actions.port import StripeReader, StripeWriter, check_key
from actions.settings import Settings, read_settings
from actions.state import Actor, choose, find, load_all
from actions.text import safe_text

EXIT_CODES = {NothingToDo: 3, Locked: 4, Undecided: 5, Refused: 6, Breach: 7}
EXIT_AFTER = {"failed": 1, "unfinished": 1, "ambiguous": 5, "refused": 6, "expired": 6}
WORST_FIRST = (5, 1, 6)  # an unknown outcome outweighs a known failure, that one a refusal


class Commands(click.Group):
    """Turns our errors into one sentence on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ActionError, PermissionError, sqlite3.Error) as error:
            click.echo(safe_text(str(error), limit=1_000), err=True)
            ctx.exit(next((code for family, code in EXIT_CODES.items() if isinstance(error, family)), 1))


@click.group(cls=Commands)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Carry out recommendations that a person approved, once each.

    Exit codes: 0 done, 1 failed (the sentence says what next), 2 usage, 3 nothing to do, 4 locked by another process
    (wait), 5 outcome unknown (run apply again, then decide), 6 refused (plan again), 7 the ledger was altered.
    """
    os.umask(0o077)  # the ledger is nobody else's to read
    ctx.obj = read_settings(os.environ)


def _actor(name: str | None) -> Actor:
    user = pwd.getpwuid(os.getuid()).pw_name
    return Actor(user, "os_user") if name in (None, user) else Actor(safe_text(name or ""), "stated")


def _open(settings: Settings) -> Ledger:
    return Ledger(settings.ledger, settings.head, Clock())


actor_option = click.option("--actor", help="Who decides. Default: the operating system's user.")
reason_option = click.option("--reason", required=True, help="Why, in a sentence; kept for good, so name no person.")


@cli.command()
@click.option("--kind", help="Only this kind of recommendation.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many new plans.")
@click.pass_obj
def plan(settings: Settings, kind: str | None, limit: int | None) -> None:
    """Turn published recommendations into plans that can be approved.

    \b
    Example:
        python -m actions plan --kind tier_upgrade --limit 5
    """
    clock, actor = Clock(), _actor(None)
    found, policy = read_publication(settings.published, clock), read_policy()
    ledger = open_or_create(settings.ledger, settings.head, clock, found.account_id, found.livemode, actor.name)
    report = make_plans(ledger, found, policy, actor, kind, limit)
    if report.new:
        click.echo(screen.plans(report.new, load_all(ledger)))
    left = ", ".join(f"{count} {why}" for why, count in sorted(report.left.items()))
    click.echo(f"{len(report.new)} planned, warehouse as of {found.as_of}" + (f"; left: {left}" if left else ""))
    if not report.new:
        raise NothingToDo("nothing new to plan; `python -m actions show` lists what waits")


@cli.command()
@click.argument("action_id", required=False)
@click.pass_obj
def show(settings: Settings, action_id: str | None) -> None:
    """List the actions, or show everything about one: what is sent, on which facts, and its history.

    \b
    Example:
        python -m actions show 3f9c21a
    """
    actions = load_all(_open(settings))
    if action_id is None:
        click.echo(screen.listing(actions))
    else:
        click.echo(screen.everything(find(actions, action_id), settings.published))


@cli.command()
@click.argument("action_ids", nargs=-1, required=True)
@reason_option
@actor_option
@click.pass_obj
def approve(settings: Settings, action_ids: tuple[str, ...], reason: str, actor: str | None) -> None:
    """Approve plans as they are now; a changed plan needs a new approval.

    \b
    Example:
        python -m actions approve 3f9c21a --reason "Usage has outgrown the plan for three months"
    """
    ledger = _open(settings)
    wanted = _named(ledger, action_ids)
    done = approval.approve(ledger, wanted, reason, _actor(actor), settings.approval_hours)
    click.echo(screen.listing(done, load_all(ledger)))


@cli.command()
@click.argument("action_ids", nargs=-1, required=True)
@reason_option
@actor_option
@click.pass_obj
def decline(settings: Settings, action_ids: tuple[str, ...], reason: str, actor: str | None) -> None:
    """Decline plans; they stay declined until what they propose changes.

    \b
    Example:
        python -m actions decline 3f9c21a --reason "Contract ends next month"
    """
    ledger = _open(settings)
    done = approval.decline(ledger, _named(ledger, action_ids), reason, _actor(actor))
    click.echo(screen.listing(done, load_all(ledger)))


@cli.command()
@click.argument("action_ids", nargs=-1)
@click.option("--send", is_flag=True, help="Really send (STRIPE_ACTIONS_KEY). Without it nothing can be written.")
@click.option("--live", is_flag=True, help="Allow a live key; METERWISE_LIVE=1 is needed as well.")
@click.pass_obj
def apply(settings: Settings, action_ids: tuple[str, ...], send: bool, live: bool) -> None:
    """Carry out approved actions, or with no --send show what would be sent (the shadow, STRIPE_SHADOW_KEY).

    An interrupted run is continued by the next one; nothing is sent twice.

    \b
    Example:
        python -m actions apply 3f9c21a --send
    """
    ledger, policy = _open(settings), read_policy()
    with only_runner(settings.ledger):
        chosen = choose(load_all(ledger), action_ids, send)
        port, is_live = _port(settings, send, live, ledger.clock)
        runner = Runner(ledger, port, policy, _actor(None), is_live)
        runner.check_account()
        ends = [screen.echo_result(runner.run(action, send), chosen) for action in chosen]
    codes = {EXIT_AFTER.get(end, 0) for end in ends}
    sys.exit(next((code for code in WORST_FIRST if code in codes), 0))


def _port(settings: Settings, is_sending: bool, is_live_asked: bool, clock: Clock) -> tuple[StripeReader, bool]:
    key, name = settings.shadow_key, "STRIPE_SHADOW_KEY"
    if is_sending:
        key, name = settings.actions_key, "STRIPE_ACTIONS_KEY"
    is_live = check_key(key, name, is_live_asked, settings)
    return (StripeWriter if is_sending else StripeReader)(key, settings, clock), is_live


def _named(ledger: Ledger, prefixes: tuple[str, ...]) -> list[str]:
    actions = load_all(ledger)
    return list(dict.fromkeys(find(actions, prefix).action_id for prefix in prefixes))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event, with every column.")
@click.pass_obj
def log(settings: Settings, as_json: bool) -> None:
    """Print the ledger, oldest event first.

    \b
    Example:
        python -m actions log --json
    """
    events = _open(settings).events()
    rows = [json.dumps(asdict(event) | {"body": event.facts}) for event in events]
    click.echo("\n".join(rows) if as_json else screen.history(events))


@cli.command()
@click.pass_obj
def verify(settings: Settings) -> None:
    """Check the file, the numbering, every hash and the head; exit 7 when anything does not fit.

    \b
    Example:
        python -m actions verify
    """
    count = _open(settings).verify()
    click.echo(f"{count} events: file readable, no gap, every hash follows from the one before, the head is among them")
