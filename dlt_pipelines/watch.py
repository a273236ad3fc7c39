"""`python -m dlt_pipelines watch`: load, build and detect whenever a webhook landed, and every hour."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from dlt_pipelines import inbox
from dlt_pipelines.errors import LoaderError
from dlt_pipelines.run import StageFailed
from dlt_pipelines.settings import Settings
from dlt_pipelines.signals import interruptible
from dlt_pipelines.stages import Stage, loop_stages, one_run_at_a_time, run_stage

WATCHED = ("load", "build", "drift", "detect", "recommend", "alerts")  # the loop without training, scoring, publishing
BREACH = 7

Say = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """Seconds. A load lists events anyway, so that the hourly cycle fills what no webhook brought."""

    poll: float = 1.0
    settle: float = 5.0  # quiet after an arrival, so that a burst is one cycle
    settle_at_most: float = 30.0  # for an account that is never quiet
    at_least_every: float = 3600.0
    first_pause: float = 30.0  # after a failed cycle, doubled with each further one
    longest_pause: float = 900.0


def watched_stages() -> list[Stage]:
    """The loop's own stages that are repeated here."""
    return [stage for stage in loop_stages(None) if stage.name in WATCHED]


def cycle_once(settings: Settings, say: Say, stages: Sequence[Stage] | None = None) -> None:
    """One cycle and its line. Raises StageFailed, Locked, FolderUnusable, and KeyboardInterrupt at SIGTERM."""
    with interruptible():
        say(_cycle(settings, watched_stages() if stages is None else stages))


def keep_watching(
    settings: Settings, say: Say, stages: Sequence[Stage] | None = None, pace: Pace | None = None
) -> None:
    """Cycle until SIGINT or SIGTERM, which end a running stage first. A failed cycle is told and tried again."""
    stages, pace = watched_stages() if stages is None else stages, pace or Pace()
    failures = 0
    with suppress(KeyboardInterrupt), interruptible(is_last=True):
        say(f"Watching {settings.inbox}; a cycle every {pace.at_least_every / 60:.0f} minutes anyway. Ctrl-C ends it.")
        while True:
            try:
                waited, newest = inbox.waiting(settings)
                say(_cycle(settings, stages))
                failures = 0
                # a load takes only so much at once: what it left is not to wait for the next hour
                _wait_for_news(settings, 0 if inbox.waiting(settings)[0] < waited else newest, pace)
            except LoaderError as error:
                pause = min(pace.first_pause * 2**failures, pace.longest_pause)
                failures += 1
                say(f"{_now()} {error} Trying again in {pause:.0f} s.")
                time.sleep(pause)
    say("Stopped.")


def _cycle(settings: Settings, stages: Sequence[Stage]) -> str:
    """Run the stages; one line of what they took, and of a breach."""
    waited, _ = inbox.waiting(settings)
    parts = []
    with one_run_at_a_time(settings.data):
        for stage in stages:
            outcome = run_stage(stage, settings.data)
            if not outcome.is_fine:
                raise StageFailed(*outcome.failure())
            said = " (a breach: see alerts.jsonl)" if outcome.code == BREACH else ""
            parts.append(f"{stage.name} {outcome.wall_seconds:.1f} s{said}")
    return f"{_now()} {', '.join(parts)}; {waited} webhook events had landed"


def _wait_for_news(settings: Settings, known: int, pace: Pace) -> None:
    """Return when something landed and the inbox is quiet, or when the hour is over.

    known: number of the newest arrival that is no news.
    """
    started = time.monotonic()
    first = last = 0.0  # when the first and the last arrival were noticed
    while (now := time.monotonic()) < started + pace.at_least_every:
        _, newest = inbox.waiting(settings)
        if newest and newest != known:
            known, last = newest, now
            first = first or now
        if first and (now >= last + pace.settle or now >= first + pace.settle_at_most):
            return
        time.sleep(pace.poll)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
