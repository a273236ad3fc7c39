"""`make bench-ml`: how good forecasts are and what they cost, against their marks. Run as a module.

`nn5` and `panels` backtest daily panels with `python -m ml bench backtest` and a scorer outside the repository
(METERWISE_BENCH_DATA). `anomalies` judges what `bench detect` finds in planted NN5 and in NAB. `sandbox` makes
companies, forecasts, lets time pass and compares with what came and with the truth. `speed` scores 100 thousand items.
`churn_truth` holds the churn risk against the hazard that customers really have. `drift` resamples companies in which
nothing drifts, and shifts a segment. `incidents` holds incidents of usage against the planted ones. `revenue` forecasts
MRR and lets a year pass.
None of these panels is Stripe usage; seconds are CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sandbox.state import data_folder
from tests.benches.marks import Mark, missed
from tests.benches.ml import anomalies, backtests, churn, churn_truth, companies, drift, incidents, revenue, speed
from tests.benches.ml.backtests import Data

MUST = (
    churn.MUST
    | churn_truth.MUST
    | backtests.NN5_MUST
    | backtests.PANELS_MUST
    | companies.MUST
    | speed.MUST
    | incidents.MUST
    | drift.MUST
    | anomalies.MUST
)
AIM = backtests.NN5_AIM | backtests.PANELS_AIM | anomalies.AIM
NOTE = "None of these panels is Stripe usage: NN5 is cash machines, NAB servers and traffic, the rest is generated."
NOT_RUN = 3
WITH_DATA: dict[str, Callable[[Path, Data], dict[str, float]]] = {
    "nn5": backtests.nn5,
    "panels": backtests.panels,
    "churn": churn.measure,
    "anomalies": anomalies.measure,
}
WITHOUT: dict[str, Callable[[Path], dict[str, float]]] = {
    "sandbox": companies.measure,
    "speed": speed.measure,
    "incidents": incidents.measure,
    "drift": drift.measure,
    "churn_truth": churn_truth.measure,
    "revenue": revenue.measure,
}


def table(flat: dict[str, float], must: dict[str, Mark], aim: dict[str, Mark]) -> list[str]:
    """Figures as lines for people: what each must be, what it aims at, and whether it is."""
    lines = []
    for name, value in flat.items():
        marks = [marks[name] for marks in (must, aim) if name in marks]
        said = [f"{must[name]}" if name in must else "", f"{aim[name]}" if name in aim else ""]
        verdict = "" if not marks else "pass" if marks[0].is_met(value) else "MISS"
        if len(marks) > 1 and verdict == "pass":
            verdict += ", aim reached" if marks[1].is_met(value) else ", short of the aim"
        lines.append(f"{name:<44}{value:>14,}  {said[0]:<14}  {said[1]:<14}  {verdict}".rstrip())
    return lines


def main() -> None:
    """Print the figures, write them to $METERWISE_DATA/bench/ml.json.

    Exits with 1 if a mark is missed, with 3 if a section was not run for want of data.
    """
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--only", choices=[*WITH_DATA, *WITHOUT], action="append", help="this section; may be repeated")
    asked.add_argument("--folder", type=Path, help="where companies are made (a folder of /tmp)")
    options = asked.parse_args()
    wanted, data = options.only or [*WITH_DATA, *WITHOUT], Data.found()
    if data is None and set(wanted) & set(WITH_DATA):
        left = [name for name in wanted if name in WITH_DATA]
        print(f"{', '.join(left)}: not run. Set METERWISE_BENCH_DATA to a folder with data/ and bench/.", flush=True)
        wanted = [name for name in options.only or [] if name not in WITH_DATA]
    flat: dict[str, float] = {}
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="meterwise-bench-", dir=options.folder) as folder:
            figures = WITHOUT[name](Path(folder)) if name in WITHOUT else WITH_DATA[name](Path(folder), _needed(data))
        if not flat:
            print(f"{'figure':<44}{'value':>14}  {'must':<14}  {'aim':<14}")
        print("\n".join(table(figures, MUST, AIM)), flush=True)
        flat |= figures
    if flat:
        print(NOTE)
        out = data_folder() / "bench" / "ml.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(flat, indent=2) + "\n")
    if lines := missed(flat, MUST):
        print("\n".join(lines), file=sys.stderr)
        raise SystemExit(1)
    if data is None and set(options.only or WITH_DATA) & set(WITH_DATA):
        raise SystemExit(NOT_RUN)


def _needed(data: Data | None) -> Data:
    if data is None:
        raise SystemExit(NOT_RUN)
    return data


if __name__ == "__main__":
    main()
