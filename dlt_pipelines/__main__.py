"""The command line: `python -m dlt_pipelines`."""

import os
import sys
from datetime import datetime
from pathlib import Path

import click

from dlt_pipelines.refusals import refusals_as_exit_codes
from dlt_pipelines.settings import Settings, read_settings, require_key


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
    from dlt_pipelines.progress import Progress

    click.echo(load_all(settings, Progress(sys.stderr, is_quiet=quiet)))


@cli.command("usage-log")
@click.argument("paths", nargs=-1, required=True)
@click.option("--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="A field's name in the files.")
@click.option("--account", metavar="acct_…", help="Whose events these are, before Stripe was loaded.")
@click.option("--again", is_flag=True, help="Also read files that have landed.")
@click.option("--quiet", is_flag=True, help="No progress lines, only the summary.")
@click.pass_obj
@refusals_as_exit_codes
def usage_log(
    settings: Settings, paths: tuple[str, ...], columns: tuple[str, ...], account: str, again: bool, quiet: bool
) -> None:
    """Land meter events of Parquet, CSV or JSONL files in raw_usage; PATHS are files, folders and globs.

    \b
    Example:
        python -m dlt_pipelines usage-log 'events/2026-*.parquet' --column customer=account_id
    """
    from dlt_pipelines.usage_log import land_usage_logs
    from dlt_pipelines.usage_log.config import read_log_config

    config, say = read_log_config(columns), _silent if quiet else _progress
    click.echo(land_usage_logs(settings, paths, config, say, account, again))


@cli.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--units", type=click.Choice(["minor", "major"]), help="Of the amounts; default: by the header's names.")
@click.option("--account", metavar="acct_…", help="Whose invoices these are, before Stripe was loaded.")
@click.pass_obj
@refusals_as_exit_codes
def exports(settings: Settings, files: tuple[str, ...], units: str | None, account: str | None) -> None:
    """Land CSV exports of invoices or their lines (Sigma, Reporting, Dashboard) in raw_exports; FILES may be folders.

    \b
    Example:
        python -m dlt_pipelines exports invoice_line_items.csv
    """
    from dlt_pipelines.exports import land_exports

    click.echo(land_exports(settings, files, units, account))


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
    masked = "personal columns masked" if done.is_masked else "with personal data, as METERWISE_PUBLISH_PII=1 asks"
    click.echo(f"Published {done.tables} marts, {done.rows} rows, as of {done.as_of}, {masked}: {settings.published}")


@cli.command()
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="UTC day to replay (default: the last one loaded).")
@click.option("--full-refresh", is_flag=True, help="Build incremental models anew, whatever was built before.")
@click.pass_obj
@refusals_as_exit_codes
def build(settings: Settings, as_of: datetime | None, full_refresh: bool) -> None:
    """Build the models that scoring reads, with their tests.

    What is incremental is built anew when the definitions or the day replayed differ from the last build.

    \b
    Example:
      python -m dlt_pipelines build --full-refresh
    """
    from dlt_pipelines.building import build as build_models

    sys.exit(build_models(settings, as_of.date() if as_of else None, full_refresh))


@cli.command("as-of")
@click.pass_obj
@refusals_as_exit_codes
def as_of(settings: Settings) -> None:
    """Print the last UTC day that the models cover."""
    from dlt_pipelines.build_file import read_as_of

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
    click.echo("\n".join(summary_lines(settings)))


@cli.command()
@click.pass_obj
@refusals_as_exit_codes
def summary(settings: Settings) -> None:
    """Print the last run's summary."""
    from dlt_pipelines.summary import summary_lines

    click.echo("\n".join(summary_lines(settings)))


@cli.command()
@click.argument("customer")
@click.option("--day", metavar="YYYY-MM-DD", help="What this UTC day did to the bill of its period.")
@click.option("--invoice", metavar="in_…", help="This invoice, not the newest one.")
@click.option("--json", "is_json", is_flag=True, help="For programs.")
@click.pass_obj
@refusals_as_exit_codes
def why(settings: Settings, customer: str, day: str | None, invoice: str | None, is_json: bool) -> None:
    """Explain a customer's newest invoice, or what one day did to its bill.

    CUSTOMER is an id, or a part of one or of a name that no other customer has.

    \b
    Example:
        python -m dlt_pipelines why cus_9JTxVS --day 2026-10-27
    """
    from dlt_pipelines.why import why as explain

    if day is not None and invoice is not None:
        raise click.UsageError("--day explains a day and --invoice an invoice: give one of them.")
    answer = explain(settings, customer, day, invoice)
    click.echo(answer.as_json() if is_json else "\n".join(answer.lines()))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.pass_obj
@refusals_as_exit_codes
def webhooks(settings: Settings, host: str, port: int) -> None:
    """Receive Stripe's webhooks into the inbox, until Ctrl-C.

    \b
    Example:
        STRIPE_WEBHOOK_SECRET=whsec_… python -m dlt_pipelines webhooks --port 8000
    """
    from dlt_pipelines.webhooks.serve import serve

    serve(settings, host, port, _progress)


@cli.command()
@click.option("--once", is_flag=True, help="One cycle, then exit with its code: for cron.")
@click.pass_obj
@refusals_as_exit_codes
def watch(settings: Settings, once: bool) -> None:
    """Load, build and detect when a webhook landed, and every hour, until Ctrl-C.

    \b
    Example:
        python -m sandbox exec -- python -m dlt_pipelines watch
    """
    from dlt_pipelines.watch import cycle_once, keep_watching

    require_key(settings)
    (cycle_once if once else keep_watching)(settings, _progress)


@cli.command()
@click.option(
    "--to", type=click.Path(path_type=Path), help="The file to write; default: DATA/backups/meterwise-<UTC>.tar."
)
@click.pass_obj
@refusals_as_exit_codes
def backup(settings: Settings, to: Path | None) -> None:
    """Write everything that cannot be loaded again into one file.

    \b
    Example:
        python -m dlt_pipelines backup --to /mnt/backups/meterwise.tar
    """
    from dlt_pipelines.backup.make import back_up

    file, manifest = back_up(settings, to and to.absolute(), _progress)
    click.echo("\n".join([*manifest.lines(), f"written to {file}, {file.stat().st_size / 1e6:,.1f} MB"]))
    click.echo("It holds customers' data: keep it as safe as the warehouse, and not only on this disk.")
    click.echo(f"To restore, into a state folder that holds none of it:\n  make restore FROM={file}")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only verify the file and say what is in it.")
@click.option("--missing", is_flag=True, help="Keep what is there and put back only the rest.")
@click.pass_obj
@refusals_as_exit_codes
def restore(settings: Settings, file: Path, check: bool, missing: bool) -> None:
    """Put a backup back into a state folder that holds none of it.

    \b
    Example:
        python -m dlt_pipelines restore data/backups/meterwise-20261101T060000Z.tar
    """
    from dlt_pipelines.backup import archive
    from dlt_pipelines.backup.restore import restore as put_back

    if check:
        click.echo("\n".join([*archive.check(file)[0].lines(), f"{file} is whole."]))
        return
    put_back(settings, file, _progress, only_missing=missing)
    click.echo(
        f"Restored into {settings.data}. Next: make run (loads what changed since, and builds), make audit;"
        " before anything is sent again: python -m actions audit recover."
    )


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
