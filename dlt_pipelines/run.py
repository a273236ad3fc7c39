"""`python -m dlt_pipelines run`: the whole loop, then a summary of one screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

from dlt_pipelines.errors import LoaderError
from dlt_pipelines.signals import interruptible
from dlt_pipelines.stages import Outcome, loop_stages, one_run_at_a_time, run_stage


class StageFailed(LoaderError):
    """A stage ended with a code that stops the loop; carries the exit code the run itself should end with."""

    def __init__(self, exit_code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def run_loop(data: Path, as_of: date | None, tell: Callable[[str], None]) -> list[Outcome]:
    """Run every stage of the loop in the state folder `data`, telling one line as each ends.

    as_of: a UTC day to replay, or None for the newest day that is fully loaded.
    Raises StageFailed at the first stage that may not end as it did, Locked when another
    run holds the folder, FolderUnusable when the folder cannot be written.
    """
    outcomes = []
    # Asked to end (systemd, CI), a run ends its stage first, as at Ctrl-C.
    with interruptible(), one_run_at_a_time(data):
        for stage in loop_stages(as_of):
            outcome = run_stage(stage, data)
            if not outcome.is_fine:
                raise StageFailed(*outcome.failure())
            outcomes.append(outcome)
            tell(f"{stage.name:<10} {outcome.wall_seconds:6.1f} s   {_last_line(outcome)}")
        _write_figures(data, outcomes)
    return outcomes


def figures(outcomes: list[Outcome]) -> dict[str, float]:
    """Flat figures of a run, the unit in each key, as `last_run.json` keeps them."""
    flat: dict[str, float] = {}
    for outcome in outcomes:
        flat[f"{outcome.stage.name}_wall_s"] = round(outcome.wall_seconds, 2)
        flat[f"{outcome.stage.name}_cpu_s"] = round(outcome.cpu_seconds, 2)
        flat[f"{outcome.stage.name}_peak_mb"] = round(outcome.peak_mb)
    flat["total_wall_s"] = round(sum(outcome.wall_seconds for outcome in outcomes), 2)
    flat["total_cpu_s"] = round(sum(outcome.cpu_seconds for outcome in outcomes), 2)
    flat["peak_mb"] = round(max(outcome.peak_mb for outcome in outcomes))
    return flat


def _write_figures(data: Path, outcomes: list[Outcome]) -> None:
    unfinished = data / ".last_run.json"
    unfinished.write_text(json.dumps(figures(outcomes), indent=2) + "\n")
    unfinished.replace(data / "last_run.json")


def _last_line(outcome: Outcome) -> str:
    lines = [line.strip() for line in outcome.said().splitlines() if line.strip()]
    done = [line for line in lines if "Done. PASS=" in line]
    return (done or lines or [""])[-1][-110:]
