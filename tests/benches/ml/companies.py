"""Sandbox companies: forecast today, let 28 days pass, compare with what came and with the truth that none is told."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benches.marks import Mark
from tests.benches.measure import run
from tests.benches.ml.stages import LOAD, dbt, load_and_build

HERE = Path(__file__).parent
METHODS = ("xgboost", "seasonal_naive", "weekday_mean", "oracle_then", "oracle")
BANDS = ((3, "cov80"), (4, "cov95"))  # places in a row of invoices
NEAR = 3.0  # percentage points that coverage may be off, of all; of a segment
NEAR_SEGMENT, ROWS_OF_A_SEGMENT = 6.0, 300
MUST = {
    "sandbox_sums_of_seasonal_naive": Mark(most=0.8),
    "sandbox_sums_of_oracle": Mark(most=1.15),
    "sandbox_invoices_of_run_rate": Mark(most=0.5),
    "sandbox_items_cov80": Mark(80 - NEAR, 80 + NEAR),
    "sandbox_items_cov95": Mark(95 - NEAR, 95 + NEAR),
    "sandbox_sums_cov80": Mark(80 - NEAR, 80 + NEAR),
    "sandbox_sums_cov95": Mark(95 - NEAR, 95 + NEAR),
    "sandbox_segments_worst_off": Mark(most=NEAR_SEGMENT),
}


@dataclass(frozen=True)
class Company:
    """A company to make. file: of companies/, or the sandbox's own when None."""

    name: str
    seed: int
    file: str | None = None
    customers: int = 150
    months: int = 24


COMPANIES = (
    Company("default_1", 1),
    Company("default_2", 2),
    Company("seasonal", 3, "seasonal.toml"),
    Company("growing", 4, "growing.toml"),
)


def measure(folder: Path) -> dict[str, float]:
    """Figures of each company, then of all together. sums: WAPE of 28-day item sums, each meter in its own unit."""
    flat: dict[str, float] = {}
    everything: dict[str, list[Any]] = defaultdict(list)
    for company in COMPANIES:
        found = of_company(folder / company.name, company)
        shutil.rmtree(folder / company.name)
        flat |= {f"sandbox_{company.name}_{key}": value for key, value in figures(found).items()}
        print(f"{company.name}: done", flush=True)
        for name, rows in found.items():
            everything[name] += rows
    return flat | {f"sandbox_{key}": value for key, value in figures(everything).items()}


def of_company(data: Path, company: Company) -> dict[str, list[Any]]:
    """Make the company, forecast, let 28 days pass, load what came: compare.py's rows."""
    file = () if company.file is None else ("--company", str(HERE / "companies" / company.file))
    size = ("--customers", str(company.customers), "--months", str(company.months), "--seed", str(company.seed))
    run(data, "sandbox", "seed", *size, *file)
    load_and_build(data)
    for step in ("train", "score"):
        run(data, "ml", step)
    dbt(data, "--select", "tag:after_ml")
    before, then, since = data / "before.duckdb", data / "then.json", data / "since.json"
    shutil.copy(data / "warehouse.duckdb", before)
    then.write_text(truth(data))
    run(data, "sandbox", "advance", "--days", "29")
    since.write_text(truth(data))
    run(data, *LOAD)
    dbt(data, "--select", "+fct_usage_daily")
    printed = run(
        data, "tests.benches.ml.compare", str(before), str(data / "warehouse.duckdb"), str(then), str(since)
    ).printed
    found: dict[str, list[Any]] = json.loads(printed)
    return found


def truth(data: Path) -> str:
    """What the sandbox expects of each item, as it tells."""
    return run(data, "sandbox", "truth", "--json", "--table", "expected_usage").printed


def figures(found: dict[str, list[Any]]) -> dict[str, float]:
    """Flat figures of compare.py's rows, of one company or of several. Shares and coverage in per cent."""
    wape = {method: wape_by_meter(found["sums"], place) for place, method in enumerate(METHODS, start=2)}
    flat = {"items": len(found["sums"])} | {f"sums_wape_{method}": round(value, 2) for method, value in wape.items()}
    flat["sums_of_seasonal_naive"] = round(wape["xgboost"] / wape["seasonal_naive"], 3)
    flat["sums_of_oracle"] = round(wape["xgboost"] / wape["oracle"], 3)
    flat["sums_of_oracle_then"] = round(wape["xgboost"] / wape["oracle_then"], 3)
    invoices = found["invoices"]
    flat["invoices"] = len(invoices)
    if invoices:
        ours, run_rate = (median(abs(row[place] - row[0]) / row[0] for row in invoices) for place in (1, 2))
        flat["invoices_median_error"] = round(100 * ours, 2)
        flat["invoices_median_error_run_rate"] = round(100 * run_rate, 2)
        flat["invoices_of_run_rate"] = round(ours / run_rate, 3)
        flat |= {f"invoices_{name}": share(sum(row[at] for row in invoices), len(invoices)) for at, name in BANDS}
    for kind, rows in (("items", [row[1:] for row in found["days"]]), ("sums", found["periods"])):
        count = sum(row[0] for row in rows)
        flat |= {f"{kind}_{name}": share(sum(row[at - 2] for row in rows), max(count, 1)) for at, name in BANDS}
        flat[f"{kind}_judged"] = count
    bands = pooled(found["bands"])
    flat |= {f"backtest_{metric}": round(bands[metric, "all"], 1) for metric, segment in bands if segment == "all"}
    off = {
        f"{segment} {metric}": abs(value - float(metric[3:5]))
        for (metric, segment), value in bands.items()
        if segment.startswith(("meter:", "class:", "plan:"))
    }
    if off:
        flat["segments_worst_off"] = round(max(off.values()), 1)
    return flat


def wape_by_meter(rows: Iterable[list[Any]], place: int) -> float:
    """WAPE of each meter in its own unit, averaged by the number of its items, in per cent."""
    meters: dict[str, list[list[Any]]] = defaultdict(list)
    for row in rows:
        meters[row[0]].append(row)
    parts: list[tuple[int, float]] = [
        (len(each), sum(abs(row[place] - row[1]) for row in each) / total)
        for each in meters.values()
        if (total := sum(row[1] for row in each)) > 0
    ]
    return 100 * sum(n * value for n, value in parts) / max(sum(n for n, _ in parts), 1)


def pooled(rows: Iterable[list[Any]]) -> dict[tuple[str, str], float]:
    """Coverage by metric and segment in per cent, weighted by its rows; segments of few rows are left out."""
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for metric, segment, value, n in rows:
        sums[metric, segment][0] += n * (100 * value if value <= 1 else value)
        sums[metric, segment][1] += n
    return {key: total / n for key, (total, n) in sums.items() if n >= ROWS_OF_A_SEGMENT or key[1] == "all"}


def share(part: float, whole: float) -> float:
    """Per cent, to a tenth."""
    return round(100 * part / whole, 1)
