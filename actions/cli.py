"""`python -m actions`: plan, approve, apply. Shadow is the default: only `apply --send` sends anything."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import click

from actions import approval, governance, guard, oversight, screen
from actions.apply import Runner
from actions.clock import Clock
from actions.console import Console, clean_text, cli, command, id_argument, ids_argument, live_option, reason_option
from actions.errors import NothingToDo
from actions.executors import KINDS
from actions.guard import only_runner
from actions.ledger import open_or_create
from actions.plan import make_plans, plan_undo
from actions.policy import read_policy
from actions.publication import check_explained, read_publication
from actions.record import Result
from actions.state import IN_FLIGHT, choose, current, load, overview, short_ids

__all__ = ["cli", "oversight"]  # the commands of oversight join the group by being imported
EXIT_AFTER = {"failed": 1, "unfinished": 1, "ambiguous": 5, "blocked": 5, "refused": 6, "expired": 6}


@command()
@click.option("--kind", type=click.Choice(sorted(KINDS)), metavar="KIND", help="Only this kind of recommendation.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many new plans.")
@click.option("--expect", type=click.IntRange(min=1), help="So many plans at once are meant: let them pass the brake.")
@click.option("--undo", metavar="ID", help="Plan what takes this action back, instead; needs --reason.")
@reason_option(required=False)
def plan(
    console: Console, kind: str | None, limit: int | None, expect: int | None, undo: str | None, reason: str | None
) -> None:
    """Turn published recommendations into plans that can be approved.

    \b
    Example:
        python -m actions plan --kind tier_upgrade --limit 5
    """
    if undo is not None:
        if reason is None:
            raise click.UsageError("--undo needs --reason")
        action = plan_undo(console.ledger, read_policy(), console.one(undo), reason, console.actor)
        return console.present(action, {"reason": reason})
    clock, settings = Clock(), console.settings
    found, policy = read_publication(settings.published, clock), read_policy()
    ledger = open_or_create(settings.ledger, settings.head, clock, found.account_id, found.livemode, console.actor.name)
    report = make_plans(ledger, found, policy, kind, limit, expect)
    if report.new:
        console.say(screen.plans(report.new, short_ids(overview(ledger))))
    left = ", ".join(f"{count} {why}" for why, count in sorted(report.left.items()))
    console.say(
        f"{len(report.new)} planned, warehouse as of {found.as_of}" + (f"; left: {left}" if left else ""),
        planned=[action.action_id for action, _ in report.new], left=report.left, as_of=found.as_of,
    )  # fmt: skip
    if not report.new:
        raise NothingToDo("nothing new to plan; `python -m actions show` lists what waits")


@command()
@click.argument("action_id", required=False)
def show(console: Console, action_id: str | None) -> None:
    """List the actions, or show everything about one: what changes, why, who has to agree, and its history.

    \b
    Example:
        python -m actions show 3f9c21a
    """
    ledger = console.reading()
    if action_id is None:
        console.tell([load(ledger, action.action_id) for action in current(overview(ledger))])
    else:
        action = console.one(action_id)
        console.present(action, screen.published(action, console.settings.published))


@command()
@ids_argument
@reason_option()
def approve(console: Console, action_ids: tuple[str, ...], reason: str) -> None:
    """Approve plans as they are now; a changed plan needs a new approval.

    \b
    Example:
        python -m actions approve 3f9c21a --reason "Usage has outgrown the plan for three months"
    """
    console.tell(approval.approve(console.ledger, read_policy(), console.named(action_ids), reason, console.actor))


@command()
@ids_argument
@reason_option()
def decline(console: Console, action_ids: tuple[str, ...], reason: str) -> None:
    """Decline plans; they stay declined until what they propose changes.

    \b
    Example:
        python -m actions decline 3f9c21a --reason "Contract ends next month"
    """
    console.tell(approval.decline(console.ledger, console.named(action_ids), reason, console.actor))


@command()
@click.argument("subject")
@click.argument("verdict", type=click.Choice(["agree", "wrong", "edited"]))
@reason_option()
def review(console: Console, subject: str, verdict: str, reason: str) -> None:
    """Say what you think of a recommendation (an action's id) or an explanation (an invoice's id, in_…).

    Reviews decide nothing about the action itself; they are the evidence on which a kind is promoted.

    \b
    Example:
        python -m actions review 3f9c21a wrong --reason "The spike was our own load test"
    """
    if subject.startswith("in_"):
        check_explained(console.settings.published, subject)
    else:
        subject = console.one(subject).action_id
    event = approval.review(console.ledger, subject, verdict, reason, console.actor)
    console.say(f"recorded: {subject} {verdict}", event_id=event.event_id)


@command()
@click.argument("action_ids", nargs=-1)
@click.option("--send", is_flag=True, help="Really send (STRIPE_ACTIONS_KEY). Without it nothing can be written.")
@click.option("--all", "is_all", is_flag=True, help="Rehearse what is planned and not approved as well.")
@live_option
def apply(console: Console, action_ids: tuple[str, ...], send: bool, is_all: bool, live: bool) -> None:
    """Carry out approved actions, or with no --send show what would be sent (the shadow, STRIPE_SHADOW_KEY).

    An interrupted run is continued by the next one; nothing is sent twice.

    \b
    Example:
        python -m actions apply 3f9c21a --send
    """
    with _runner(console, send, live) as runner:
        for action_id in choose(console.ledger, action_ids, send, is_all):
            _tell(console, runner.run(load(console.ledger, action_id), send))


@contextmanager
def _runner(console: Console, is_sending: bool, is_live_asked: bool) -> Iterator[Runner]:
    """The only one on this ledger, with a key of its account. Raises Locked, LiveKeyRefused, WrongAccount."""
    ledger = console.ledger
    with only_runner(ledger.path):
        port, is_live = console.connect(is_sending, is_live_asked)
        runner = Runner(ledger, port, read_policy(), console.actor, is_live)
        runner.check_account()
        yield runner


def _tell(console: Console, result: Result) -> None:
    console.say(screen.result(result))
    told = {"action_id": result.action.action_id, "end": result.end, "words": result.words}
    console.data.setdefault("actions", []).append(told)
    console.end(EXIT_AFTER.get(result.end, 0))


@command()
def status(console: Console) -> None:
    """How many actions are in which state, what waits for a person (exit 5 when something is stuck), and what stops it.

    \b
    Example:
        python -m actions status
    """
    ledger, policy = console.reading(), read_policy()
    actions = overview(ledger)
    states, kinds = Counter(one.state for one in current(actions)), sorted({one.kind for one in actions})
    phases = {kind: governance.phase(ledger, policy, kind) for kind in kinds}
    why = guard.halted(ledger)
    console.say("\n".join(f"{count:>6} {state}" for state, count in sorted(states.items())), states=states)
    console.say("phases: " + ", ".join(f"{kind} {phase}" for kind, phase in phases.items()), phases=phases)
    console.say(why or "not halted", halted=why)
    stuck = [load(ledger, action.action_id) for action in actions if action.state in IN_FLIGHT]
    if stuck:
        console.tell(stuck)
        console.say(screen.WAY_ON)
        console.end(5)


@command()
@id_argument
@reason_option()
def retry(console: Console, action_id: str, reason: str) -> None:
    """Let `apply --send` try a blocked action again, from the step that it stopped at.

    \b
    Example:
        python -m actions retry 3f9c21a --reason "Stripe was down yesterday"
    """
    console.tell([guard.retry(console.ledger, console.one(action_id).action_id, reason, console.actor)])


@command()
@click.argument("action_id", required=False)
@click.option("--found", metavar="OBJECT", callback=clean_text, help="You saw it in Stripe: the object's id.")
@click.option("--absent", is_flag=True, help="Stripe did not do it; of a blocked one: give up the rest.")
@reason_option(required=False)
@live_option
def reconcile(
    console: Console, action_id: str | None, found: str | None, absent: bool, reason: str | None, live: bool
) -> None:
    """Look in Stripe for what was sent and never answered; or decide it yourself, with --found or --absent.

    Sends nothing (STRIPE_SHADOW_KEY).

    \b
    Example:
        python -m actions reconcile 3f9c21a --absent --reason "Not in the customer's balance, checked by hand"
    """
    is_decided = absent or found is not None
    if is_decided and (reason is None or action_id is None or (absent and found is not None)):
        raise click.UsageError("give an ID, --reason, and one of --found OBJECT and --absent")
    with _runner(console, is_sending=False, is_live_asked=live) as runner:
        open_ones = [action.action_id for action in overview(console.ledger) if action.state in IN_FLIGHT]
        for one in console.named([action_id]) if action_id else open_ones:
            action = load(console.ledger, one)
            _tell(console, runner.decide(action, found, reason or "") if is_decided else runner.look(action))
    if not console.data:
        raise NothingToDo("nothing was sent whose end is unknown")
