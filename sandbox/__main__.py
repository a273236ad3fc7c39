"""The command line: `python -m sandbox seed | serve | exec | advance | status | faults | truth`."""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import click

from sandbox.clock import DAY, HOUR, iso
from sandbox.errors import SandboxError
from sandbox.hidden import ask
from sandbox.state import data_folder

# What a command needs is imported inside it, so that help and a restart are quick.
DEFAULTS: dict[str, Any] = {"customers": 300, "months": 24, "seed": 7}
URL = click.option("--url", metavar="URL", help="Of a running server, as `serve` printed it.")
JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")
HELP = {"help_option_names": ["-h", "--help"]}
RAW = {"ignore_unknown_options": True}
FILE = click.Path(path_type=Path)


class Refusing(click.Group):
    """Turns the sandbox's refusals into one sentence on stderr and their exit code."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SandboxError as error:
            click.echo(f"error: {error}", err=True)
            raise SystemExit(error.exit_code) from error
        except sqlite3.Error as error:
            click.echo(f"error: {ctx.obj} cannot be used ({error}): free disk space or seed anew", err=True)
            raise SystemExit(1) from error


@click.group(cls=Refusing, epilog="Example: python -m sandbox serve --port 12111", context_settings=HELP)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A Stripe-compatible server with a seeded company, on loopback, for a machine with no Stripe account.

    State is kept in $METERWISE_DATA/sandbox (default: data/sandbox). README says what is not simulated.
    """
    ctx.obj = data_folder() / "sandbox"


@cli.command(epilog="Example: python -m sandbox seed --customers 40 --months 8 --company mine.toml")
@click.option("--customers", default=DEFAULTS["customers"], show_default=True, type=click.IntRange(1, 100_000))
@click.option("--months", default=DEFAULTS["months"], show_default=True, type=click.IntRange(2, 120))
@click.option("--seed", default=DEFAULTS["seed"], show_default=True, help="The same seed gives the same bytes.")
@click.option("--company", type=FILE, help="A TOML file like sandbox/company.toml, the default.")
@click.option("--empty", is_flag=True, help="An account with no customers, products or meters.")
@click.pass_obj
def seed(folder: Path, /, empty: bool, **options: Any) -> None:
    """Write the state folder anew."""
    from sandbox import state

    with state.hold(folder):
        state.seed(folder, empty=empty, **options)
    what = "an empty account" if empty else f"{options['customers']} customers over {options['months']} months"
    click.echo(f"seeded {what} in {folder}")


@cli.command(epilog="Example: python -m sandbox serve --port 12111 --rate-limit 25 --faults rules.toml")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option("--rate-limit", "rate", type=click.FloatRange(min=0.1), help="Requests a second before 429.")
@click.option("--faults", "script", type=FILE, help="Rules, in TOML or JSON: see `faults`.")
@click.option("--webhooks-anywhere", "anywhere", is_flag=True, help="Deliver webhooks to other machines as well.")
@click.option("--until-stdin-closes", "until_eof", is_flag=True, hidden=True)
@click.pass_obj
def serve(folder: Path, /, port: int, script: Path | None, **options: Any) -> None:
    """Serve the state on 127.0.0.1 until stopped; the URL is the first line printed."""
    from sandbox import faults, state
    from sandbox.serve import serve as answer

    rules = faults.read_file(script) if script else faults.Faults()
    with state.hold(folder):
        answer(folder, port, rules, **options)


@cli.command("exec", context_settings=RAW, epilog="Example: python -m sandbox exec -- python -m dlt_pipelines load")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(folder: Path, command: tuple[str, ...]) -> None:
    """Run a command with a sandbox of its own, seeding first if there is no state; its exit code is ours."""
    from sandbox import runner, state

    if not (folder / state.FILE).exists():
        with state.hold(folder):
            state.seed(folder, **DEFAULTS)
        click.echo("sandbox: seeded {customers} customers over {months} months".format(**DEFAULTS), err=True)
    raise SystemExit(runner.run(folder.parent, list(command)))


@cli.command(epilog="Example: python -m sandbox advance --to 2026-12-24T18:00 --url http://127.0.0.1:12111")
@click.option("--days", default=0, type=click.IntRange(0, 3650))
@click.option("--hours", default=0, type=click.IntRange(0, 87_600))
@click.option("--to", metavar="TIME", help="An ISO 8601 time, UTC unless it says otherwise.")
@URL
@click.pass_obj
def advance(folder: Path, days: int, hours: int, to: str | None, url: str | None) -> None:
    """Move the sandbox's clock on; customers go on using, paying, upgrading and leaving."""
    if bool(days or hours) == bool(to):
        raise click.UsageError("say how far: --days and --hours, or --to")
    given: dict[str, Any] = {"to": to} if to else {"seconds": days * DAY + hours * HOUR}
    click.echo(f"the sandbox's clock is at {iso(ask(url, folder, 'POST advance', given)['now'])}")


@cli.command(epilog="Example: python -m sandbox status --json")
@JSON
@URL
@click.pass_obj
def status(folder: Path, as_json: bool, url: str | None) -> None:
    """The clock and what the account holds."""
    told = ask(url, folder, "GET status") | {"state": url or str(folder)}
    counts = [f"{count:>8} {kind}" for kind, count in told["objects"].items()]
    lines = [f"clock {iso(told['now'])}   seed {told['seed']}   state {told['state']}", *counts]
    click.echo(json.dumps(told) if as_json else "\n".join(lines))


@cli.command(epilog='Example: python -m sandbox faults --url URL --match "POST /v1/*" --kind 500_after')
@click.option("--url", envvar="STRIPE_API_BASE", required=True, metavar="URL", help="Of a running server.")
@click.option("--match", help='What it meets: "POST /v1/customers*", or an event type for webhooks.')
@click.option("--kind", help="What happens; a wrong one is answered with the list.")
@click.option("--times", type=int, help="How often; 0 for ever.  [default: 1]")
@click.option("--after", type=int, help="How many matches pass first.  [default: 0]")
@click.option("--probability", type=float, help="Of each match after those.  [default: 1]")
@click.option("--seconds", type=float, help="Of a stall, or of the skew of `Date`.  [default: 30]")
@click.option("--clear", is_flag=True, help="Take all rules away first.")
@click.pass_obj
def faults(folder: Path, /, url: str, clear: bool, **rule: Any) -> None:
    """Make a running server fail on demand, and list its rules.

    Kinds: 429, 500_before, 500_replayed, 500_after, drop_before, drop_after, stall, truncated, not_json, skewed_date,
    webhook_duplicate, webhook_reorder. A file for `serve --faults` holds seed = 1, and a [[fault]] with these fields
    for each rule: match = "POST /v1/customers*", kind = "500_after", probability = 0.1, …
    """
    if clear:
        ask(url, folder, "POST faults", {"clear": True})
    if given := {name: value for name, value in rule.items() if value is not None}:
        ask(url, folder, "POST faults", given)
    for one in ask(url, folder, "GET faults"):
        left = f"{one['times'] - one['fired']} of {one['times']} left" if one["times"] else "for ever"
        click.echo(f"{one['kind']:<18} {one['match']:<40} {left}")


@cli.command(epilog="Example: python -m sandbox truth --json --table anomalies > anomalies.json")
@JSON
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option("--horizon", default=35, show_default=True, type=click.IntRange(0, 3650), help="Days of expected usage.")
@click.pass_obj
def truth(folder: Path, as_json: bool, tables: tuple[str, ...], horizon: int) -> None:
    """What really goes on: true hazards, planted anomalies, expected usage, and who leaves when and why."""
    from sandbox import state
    from sandbox.truth import truth as tell
    from sandbox.world_company import SeededCompany

    store = state.open_store(folder, read_only=True)
    if not isinstance(store.world, SeededCompany):
        raise SandboxError(f"{folder} holds an empty account, of which there is no truth: seed one with customers")
    told = tell(store, store.world, horizon=horizon, tables=tables)
    counts = [f"{len(rows):>8} {name}" for name, rows in told.items() if isinstance(rows, list)]
    click.echo(json.dumps(told) if as_json else "\n".join(counts))


if __name__ == "__main__":
    sys.exit(cli())
