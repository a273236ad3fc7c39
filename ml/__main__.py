"""Command line of ml: `python -m ml train | score | drift | registry`."""

from __future__ import annotations

import sys
from datetime import date, datetime

import click

from ml.errors import MlError
from ml.settings import Settings, from_env

BREACH = 7
as_of_option = click.option(
    "--as-of",
    "as_of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Work as of this earlier day (an origin the features were built for); default: the newest.",
)


@click.group()
def cli() -> None:
    """Forecasts of usage and revenue, churn risk and drift, tracked in MLflow."""


@cli.command()
@as_of_option
@click.option("--if-needed", is_flag=True, help="Only without a champion, if it is 7 days old, or after drift.")
def train(as_of: datetime | None, if_needed: bool) -> None:
    """Fit, hold out, gate and register the usage forecast and churn risk.

    \b
    Example:
        python -m ml train --if-needed
    """
    from ml import train as stage

    stage.run(settings(), day(as_of), if_needed=if_needed, say=click.echo)


@cli.command()
@as_of_option
def score(as_of: datetime | None) -> None:
    """Append forecasts and risks by the champions to the score files.

    \b
    Example:
        python -m ml score
    """
    from ml import score as stage

    stage.run(settings(), day(as_of), click.echo)


@cli.command()
@as_of_option
def drift(as_of: datetime | None) -> None:
    """Compare today's features with those the champions learned from; exit 7 at a breach.

    \b
    Example:
        python -m ml drift
    """
    from ml import score as stage

    if stage.watch(settings(), day(as_of), click.echo):
        sys.exit(BREACH)


@cli.command()
def registry() -> None:
    """List the registered versions, newest first, with their aliases.

    \b
    Example:
        python -m ml registry
    """
    from ml import registry as stage

    for entry, aliases in stage.entries(stage.connect(settings())):
        tags = entry.tags
        click.echo(
            f"{entry.model:<15} {entry.version:>4}  {','.join(aliases):<20} {tags.get('as_of', ''):<10}  "
            f"{tags.get('method', ''):<14} {tags.get('gate_reason', '')}"
        )


def settings() -> Settings:
    """The environment's settings."""
    return from_env()


def day(moment: datetime | None) -> date | None:
    """The date of an option's value."""
    return moment.date() if moment else None


def main() -> None:
    """Run the command line; a refusal becomes one sentence on stderr and its exit code."""
    try:
        cli(prog_name="python -m ml")
    except MlError as error:
        click.echo(str(error), err=error.exit_code != 3)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
