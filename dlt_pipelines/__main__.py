"""The command line: `python -m dlt_pipelines`. Refusals become one sentence on stderr and an exit code here."""

import functools
import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import ParamSpec

import click

from dlt_pipelines.errors import LoaderError
from dlt_pipelines.settings import Settings, read_settings, require_key

INTERRUPTED = 130  # the shell's own code for Ctrl-C
Arguments = ParamSpec("Arguments")


def refusals_as_exit_codes(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Tell a LoaderError in one sentence on stderr and exit with its code; Ctrl-C says that nothing is lost."""

    @functools.wraps(command)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except LoaderError as error:
            click.echo(str(error), err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Interrupted; what was landed stays valid: run the same command again to finish.", err=True)
            sys.exit(INTERRUPTED)

    return wrapped


@click.group()
@click.pass_context
def cli(context: click.Context) -> None:
    """Stripe and the audit ledger into the warehouse, and the published copy out of it."""
    context.obj = read_settings(os.environ)


@cli.command()
@click.option("--quiet", is_flag=True, help="No progress lines, only the summary.")
@click.pass_obj
@refusals_as_exit_codes
def load(settings: Settings, quiet: bool) -> None:
    """Append what is new on Stripe to the schema raw_stripe.

    \b
    Example:
        python -m sandbox exec -- python -m dlt_pipelines load
    """
    from dlt_pipelines.load import load as load_all

    click.echo(load_all(settings, say=_silent if quiet else _progress))


@cli.command()
@click.pass_obj
@refusals_as_exit_codes
def ledger(settings: Settings) -> None:
    """Copy the audit ledger into raw_ledger.audit_log."""
    from dlt_pipelines.ledger import load_ledger

    click.echo(f"{load_ledger(settings, _progress)} audit events in raw_ledger.audit_log.")


@cli.command()
@click.pass_obj
@refusals_as_exit_codes
def publish(settings: Settings) -> None:
    """Swap in a new published copy of the marts."""
    from dlt_pipelines.publish import publish as publish_marts

    done = publish_marts(settings)
    click.echo(f"Published {done.tables} marts, {done.rows} rows, as of {done.as_of}: {settings.published}")


@cli.command("as-of")
@click.pass_obj
@refusals_as_exit_codes
def as_of(settings: Settings) -> None:
    """Print the last UTC day that the models cover."""
    from dlt_pipelines.publish import read_as_of

    click.echo(read_as_of(settings).isoformat())


@cli.command()
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Replay an earlier UTC day.")
@click.pass_obj
@refusals_as_exit_codes
def run(settings: Settings, as_of: datetime | None) -> None:
    """The whole loop: load, build, train, score, recommend, publish, and a summary.

    \b
    Example:
        python -m sandbox exec -- python -m dlt_pipelines run --as-of 2026-09-30
    """
    from dlt_pipelines.run import run_loop
    from dlt_pipelines.summary import summary_lines

    require_key(settings)
    run_loop(settings.data, as_of.date() if as_of else None, _progress)
    click.echo("\n".join(summary_lines(settings.data)))


@cli.command()
@click.pass_obj
@refusals_as_exit_codes
def summary(settings: Settings) -> None:
    """Print the last run's summary."""
    from dlt_pipelines.summary import summary_lines

    click.echo("\n".join(summary_lines(settings.data)))


@cli.command("bench-run")
@click.pass_obj
@refusals_as_exit_codes
def bench_run(settings: Settings) -> None:
    """Time a first and a second run of the sandbox, in a state folder of their own."""
    import json

    from dlt_pipelines.bench import bench_run as both_runs
    from dlt_pipelines.bench import bench_table

    flat = both_runs()
    target = settings.data / "bench" / "run.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(flat, indent=2) + "\n")
    click.echo("\n".join([*bench_table(flat), f"written to {target}"]))


def _progress(line: str) -> None:
    click.echo(line, err=True)


def _silent(line: str) -> None:
    """Drop a progress line."""


if __name__ == "__main__":
    cli(prog_name="python -m dlt_pipelines")
