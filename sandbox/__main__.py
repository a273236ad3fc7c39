"""The command line: `python -m sandbox seed | serve | exec | advance | status | truth`."""

import json
import sqlite3
import sys
import time
from pathlib import Path

import click

from sandbox import lock, runner, state
from sandbox.clock import DAY, iso
from sandbox.errors import SandboxError
from sandbox.settings import Settings


class Refusing(click.Group):
    """Turns the sandbox's refusals into one sentence on stderr and their exit code."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SandboxError as error:
            click.echo(f"error: {error}", err=True)
            raise SystemExit(error.exit_code) from error
        except sqlite3.Error as error:
            click.echo(
                f"error: the state in {ctx.obj} cannot be used ({error}): free disk space or seed anew", err=True
            )
            raise SystemExit(1) from error


@click.group(cls=Refusing, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A Stripe-compatible server with a seeded company, on loopback, for a machine with no Stripe account.

    Not simulated: prorations, taxes, trials, quotes, schedules, refunds, payment intents, webhooks, v2 endpoints.
    """
    ctx.obj = Settings.from_environment().state


@cli.command()
@click.option("--customers", default=200, show_default=True, type=click.IntRange(1, 20_000))
@click.option("--months", default=24, show_default=True, type=click.IntRange(2, 120), help="Months of history.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same bytes.")
@click.option("--empty", is_flag=True, help="An account with no customers, products or meters.")
@click.pass_obj
def seed(folder: Path, customers: int, months: int, seed: int, empty: bool) -> None:
    """Write the state folder anew.

    \b
    Example:
        python -m sandbox seed --customers 40 --months 8
    """
    with lock.hold(folder):
        state.seed(folder, customers=customers, months=months, seed=seed, empty=empty)
    what = "an empty account" if empty else f"{customers} customers over {months} months"
    click.echo(f"seeded {what} in {folder}")


@cli.command()
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
@click.pass_obj
def serve(folder: Path, port: int, until_stdin_closes: bool) -> None:
    """Serve the state on 127.0.0.1 until stopped; the URL is the first line printed."""
    from sandbox.serve import bind
    from sandbox.serve import serve as answer

    with lock.hold(folder):
        state.open_store(folder, read_only=True).db.close()
        answer(folder, bind(port), click.echo, until_stdin_closes=until_stdin_closes)


@cli.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(folder: Path, command: tuple[str, ...]) -> None:
    """Run a command with a sandbox of its own, seeding first if there is no state; its exit code is ours.

    \b
    Example:
        python -m sandbox exec -- python -m dlt_pipelines load
    """
    if not state.exists(folder):
        began = time.monotonic()
        with lock.hold(folder):
            state.seed(folder, customers=200, months=24, seed=7)
        click.echo(f"sandbox: seeded 200 customers over 24 months in {time.monotonic() - began:.1f} s", err=True)
    raise SystemExit(runner.run(folder.parent, list(command)))


@cli.command()
@click.option("--days", required=True, type=click.IntRange(1, 3650))
@click.pass_obj
def advance(folder: Path, days: int) -> None:
    """Move the sandbox's clock on; customers go on using, paying, upgrading and leaving."""
    with lock.hold(folder):
        store = state.open_store(folder)
        state.open_engine(store).advance(store.now + days * DAY)
        click.echo(f"the sandbox's clock is at {iso(store.now)}")


@cli.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def status(folder: Path, as_json: bool) -> None:
    """The clock and what the account holds."""
    store = state.open_store(folder, read_only=True)
    counts = dict(store.db.execute("select kind, count(*) from object group by kind order by kind").fetchall())
    if as_json:
        click.echo(json.dumps({"now": store.now, "seed": store.seed, "state": str(folder), "objects": counts}))
        return
    click.echo(f"clock {iso(store.now)}   seed {store.seed}   state {folder}")
    for kind, count in counts.items():
        click.echo(f"{count:>8} {kind}")


@cli.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def truth(folder: Path, as_json: bool) -> None:
    """What really goes on: planted anomalies, and who leaves when and why."""
    from sandbox.truth import truth as tell

    told = tell(state.open_engine(state.open_store(folder, read_only=True)))
    if as_json:
        click.echo(json.dumps(told))
        return
    gone = [row for row in told["customers"] if row["ended_on"]]
    click.echo(
        f"{len(told['customers'])} customers, {len(gone)} gone, {len(told['anomalies'])} days of spikes (--json: all)"
    )


if __name__ == "__main__":
    sys.exit(cli())
