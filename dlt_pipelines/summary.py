"""One screen about the last run: `marts.run_digest` and what each stage cost. No arithmetic on money here."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from dlt_pipelines.errors import LoaderError, NothingToPublish
from dlt_pipelines.settings import Settings

TITLES = {
    "rows": "Rows",
    "mrr": "MRR",
    "forecasts": "Forecasts against what came (errors: lower is better)",
    "invoices": "Next invoices that change most",
    "risk": "Most at risk",
    "recommendations": "Recommendations",
    "alerts": "Alerts",
    "outcomes": "What actions were followed by",
}
WIDEST = 140  # columns of a line; longer texts go on below


class NothingToSummarise(LoaderError):
    """No run has come as far as a summary."""


def digest(settings: Settings) -> tuple[str, list[tuple[str, str]]]:
    """The build file's headline and its digest lines as (section, text), in order.

    The published copy has the same lines, with stand-ins for names; this screen is for whoever holds the state folder.
    Raises NothingToSummarise before the first run has built its digest, Locked while another process writes.
    """
    import duckdb

    from dlt_pipelines.build_file import attached, is_live, subject

    try:
        connection = attached(settings.warehouse)
        try:
            account, as_of = subject(connection)
            mode = "live" if is_live(connection, account) else "test mode"
            lines = connection.execute(
                "select section, text from warehouse.marts.run_digest order by section_number, line_number"
            )
            found = [(str(section), str(text)) for section, text in lines.fetchall()]
        finally:
            connection.close()
    except (NothingToPublish, duckdb.CatalogException) as error:
        raise NothingToSummarise(f"{settings.warehouse} holds no finished run: run `make run` first.") from error
    return f"meterwise · account {account} ({mode}) · as of {as_of}", found


def stage_seconds(data: Path) -> str:
    """The last run's wall seconds per stage on one line, or an empty text when no run has ended yet."""
    path = data / "last_run.json"
    if not path.exists():
        return ""
    flat = json.loads(path.read_text())
    walls = {key.removesuffix("_wall_s"): value for key, value in flat.items() if key.endswith("_wall_s")}
    total = walls.pop("total")
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in walls.items())
    return f"{stages}; {total:.1f} in all, at most {flat['peak_mb']:.0f} MB in one process"


def summary_lines(settings: Settings) -> list[str]:
    """The summary, line by line, at most about 50 of them.

    Raises NothingToSummarise and Locked, as `digest` does.
    """
    headline, found = digest(settings)
    lines, section = [headline], ""
    for name, text in found:
        if name != section:
            lines += ["", TITLES.get(name, name)]
            section = name
        lines += textwrap.wrap(text, WIDEST, initial_indent="  ", subsequent_indent=" " * 6, break_long_words=False)
    if seconds := stage_seconds(settings.data):
        lines += ["", "Seconds per stage", f"  {seconds}"]
    return [*lines, "", "Next", *(f"  {line}" for line in next_commands())]


def next_commands() -> list[str]:
    """What to try after a run, in the order of README."""
    return [
        "make plan, make show         recommendations become plans; then: make approve ID=… REASON=…",
        "make apply                   rehearse what was approved; make apply SEND=1 carries it out",
        "make advance DAYS=35         let time pass in the sandbox, then make run again",
        "make notebook, make docs     a customer's forecast as a picture; every table and column on one page",
    ]
