"""Command line of ml: `python -m ml train | score | detect | drift | registry`."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path

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
@click.option(
    "--recipe",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Try the usage forecast with these JSON fields in place of the default recipe's; {} is the default itself.",
)
def train(as_of: datetime | None, if_needed: bool, recipe: Path | None) -> None:
    """Fit, hold out, gate and register the usage forecast and churn risk.

    \b
    Example:
        python -m ml train --if-needed
    """
    from ml import train as stage

    stage.run(settings(), day(as_of), if_needed=if_needed, say=click.echo, recipe_file=recipe)


@cli.command()
@as_of_option
@click.option("--horizon", type=click.IntRange(1, 90), default=90, show_default=True, help="Days of usage to forecast.")
def score(as_of: datetime | None, horizon: int) -> None:
    """Append forecasts and risks by the champions to the score files.

    \b
    Example:
        python -m ml score
    """
    from ml import score as stage

    stage.run(settings(), day(as_of), click.echo, horizon)


@cli.command("detect")
@as_of_option
@click.option("--all", "everything", is_flag=True, help="Judge all days anew, not only what came since the last run.")
def detect_anomalies(as_of: datetime | None, everything: bool) -> None:
    """Find unusual usage among the days that came since the last run.

    \b
    Example:
        python -m ml detect
    """
    from ml import anomaly_scores as stage

    stage.run(settings(), day(as_of), click.echo, everything=everything)


@cli.command()
@as_of_option
def drift(as_of: datetime | None) -> None:
    """Compare features with those the champions learned from, and what they said with what came; exit 7 at a breach.

    \b
    Example:
        python -m ml drift
    """
    from ml import watch as stage

    if stage.run(settings(), day(as_of), click.echo):
        sys.exit(BREACH)


@cli.command()
def alerts() -> None:
    """Append what changed in the mart alerts to the state folder's alerts.jsonl; exit 3 if nothing did.

    \b
    Example:
        python -m ml alerts
    """
    from ml import alerts as stage

    stage.run(settings(), click.echo)


@cli.group(invoke_without_command=True)
@click.pass_context
def registry(context: click.Context) -> None:
    """List, compare and roll back registered versions (alone: list).

    \b
    Example:
        python -m ml registry list
    """
    if context.invoked_subcommand is None:
        context.invoke(list_versions)


@registry.command("list")
def list_versions() -> None:
    """List the registered versions, newest first, with their aliases and what the gate said.

    \b
    Example:
        python -m ml registry list
    """
    from ml import comparison
    from ml import registry as stage

    for line in comparison.listing(stage.connect(settings(), suffix="")):
        click.echo(line)


@registry.command()
@click.argument("model", default="usage_forecast")
@click.argument("first", default="champion")
@click.argument("second", default="challenger")
def compare(model: str, first: str, second: str) -> None:
    """Set two versions of MODEL side by side: recipe, data and every figure; FIRST and SECOND are numbers or aliases.

    \b
    Example:
        python -m ml registry compare usage_forecast 3 champion
    """
    from ml import comparison, promotion
    from ml import registry as stage

    store, name = promotion.model_named(stage.connect(settings(), suffix=""), model)
    for line in comparison.compare(store, name, first, second):
        click.echo(line)


@registry.command()
@click.argument("model")
@click.argument("version")
def promote(model: str, version: str) -> None:
    """Make VERSION of MODEL champion by a person's decision, whatever the gate or a breach said.

    \b
    Example:
        python -m ml registry promote usage_forecast 4
    """
    from ml import promotion, scores, train
    from ml import registry as stage

    store, name = promotion.model_named(stage.connect(settings(), suffix=""), model)
    was, now = promotion.by_hand(store, name, version, train.FEATURES[name], scores.new_run().at)
    instead = f", not {was.version}" if was else ""
    click.echo(f"{now.name}: champion is version {now.version}{instead}. `python -m ml score` applies it.")


@registry.command()
@click.argument("model")
@click.option("--to", "version", help="Return to this version instead of the champion's predecessor.")
def rollback(model: str, version: str | None) -> None:
    """Make the previous champion of MODEL champion again, and keep it for 7 days of data.

    \b
    Example:
        python -m ml registry rollback usage_forecast --to 3
    """
    from ml import promotion, scores, train
    from ml import registry as stage

    store, name = promotion.model_named(stage.connect(settings(), suffix=""), model)
    was, now, until = promotion.rollback(store, name, version, train.FEATURES[name], scores.new_run().at)
    click.echo(
        f"{now.name}: champion is version {now.version} ({now.tags.get('method', '-')}, as-of {now.tags['as_of']}) "
        f"again, not {was.version}. `train --if-needed` leaves it until as-of {until}; `python -m ml score` applies it."
    )


@cli.command()
@click.option("--customer", metavar="ID", help="Only this customer's page.")
@click.option("--all", "everyone", is_flag=True, help="Every customer, however many there are.")
def charts(customer: str | None, everyone: bool) -> None:
    """Draw forecasts as pictures into the state folder's charts/: customers, and the company's revenue.

    \b
    Example:
        python -m ml charts --customer cus_9Xk2
    """
    from ml import charts as stage

    stage.run(settings(), customer, everyone, click.echo)


@cli.group()
def bench() -> None:
    """The same models on anybody's data, for scorers to judge."""


@bench.command()
@click.option("--panel", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Parquet.")
@click.option("--horizon", type=click.IntRange(1, 90), default=28, show_default=True, help="Days ahead.")
@click.option("--windows", type=click.IntRange(1, 26), default=3, show_default=True, help="Cutoffs, a horizon apart.")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Forecasts, Parquet.")
def backtest(panel: Path, horizon: int, windows: int, output: Path) -> None:
    """Forecast the last windows of a daily panel (unique_id, ds, y; gaps allowed).

    \b
    Example:
        python -m ml bench backtest --panel panel.parquet --horizon 28 --windows 3 --output forecasts.parquet
    """
    from ml import bench as stage
    from ml.settings import quiet_libraries

    quiet_libraries()
    click.echo(stage.run(panel, horizon, windows, output, settings().threads))


@bench.command()
@click.option("--train", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV.")
@click.option("--test", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV.")
@click.option("--id", "key", required=True, help="Column that names the customer; nothing is learned from it.")
@click.option("--label", required=True, help="Column that says who left.")
@click.option("--positive", default="1", show_default=True, help="The label's value of those who left.")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Probabilities, CSV.")
def churn(train: Path, test: Path, key: str, label: str, positive: str, output: Path) -> None:
    """Learn who leaves from a flat table and say it of the rows of another, columns typed by inspection.

    \b
    Example:
        python -m ml bench churn --train a.csv --test b.csv --id ID --label Churn --positive Yes --output out.csv
    """
    from ml import bench_churn as stage
    from ml.settings import quiet_libraries

    quiet_libraries()
    for line in stage.run(train, test, key, label, positive, output, settings().threads):
        click.echo(line)


@bench.command("detect")
@click.option("--panel", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Parquet.")
@click.option("--frequency", type=click.Choice(["D", "h"]), default="D", show_default=True, help="Days or hours.")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Verdicts, Parquet.")
def detect_panel(panel: Path, frequency: str, output: Path) -> None:
    """Find what is unusual in a panel (unique_id, ds, y; gaps allowed), each point judged from those before it.

    \b
    Example:
        python -m ml bench detect --panel panel.parquet --frequency D --output verdicts.parquet
    """
    from ml import bench_detect as stage

    click.echo(stage.run(panel, frequency, output))


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
