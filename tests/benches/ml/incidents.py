"""`usage_anomalies` on sandbox companies against their truth: what it finds, what it cries for nothing, what it takes.

An incident is right if it meets a true anomaly of its item (two days of slack); one that meets only a true decline or
the weeks after a new price is left out of precision and counted apart.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

from tests.benches.marks import Mark
from tests.benches.measure import run
from tests.benches.ml.companies import HERE, Company
from tests.benches.ml.stages import dbt, load_and_build

MUST = {
    "incidents_precision": Mark(least=0.6),
    "incidents_recall": Mark(least=0.7),
    "incidents_pass_s": Mark(most=10),
}
# Not the seeds that limits were chosen on (7, and 1 to 4).
COMPANIES = (
    Company("default_11", 11, customers=300),
    Company("default_12", 12, customers=300),
    Company("seasonal_13", 13, "seasonal.toml", customers=300),
    Company("growing_14", 14, "growing.toml", customers=300),
)
MODELS = ("+usage_anomalies,tag:after_ml",)
KINDS = ("spike", "surge", "zero", "drop", "dip", "shift")


def measure(folder: Path) -> dict[str, float]:
    """Figures of each company, then of all together; shares from 0 to 1, months of 30 days."""
    flat: dict[str, float] = {}
    everything: Counter[str] = Counter()
    slowest = slowest_with_marts = 0.0
    for company in COMPANIES:
        counts, seconds, with_marts = of_company(folder / company.name, company)
        shutil.rmtree(folder / company.name)
        print(f"{company.name}: done", flush=True)
        flat |= {f"incidents_{company.name}_{name}": value for name, value in figures(counts).items() if name in SHORT}
        everything += Counter(counts)
        slowest, slowest_with_marts = max(slowest, seconds), max(slowest_with_marts, with_marts)
    flat |= {f"incidents_{name}": value for name, value in figures(everything).items()}
    return flat | {"incidents_pass_s": slowest, "incidents_pass_with_marts_s": slowest_with_marts}


def of_company(data: Path, company: Company) -> tuple[dict[str, int], float, float]:
    """Make the company and find its incidents: counts, and the CPU seconds of a second pass, alone and with marts."""
    file = () if company.file is None else ("--company", str(HERE / "companies" / company.file))
    size = ("--customers", str(company.customers), "--months", str(company.months), "--seed", str(company.seed))
    run(data, "sandbox", "seed", *size, *file)
    load_and_build(data)
    run(data, "ml", "detect")
    dbt(data, "--select", *MODELS)
    again = run(data, "ml", "detect")
    marts = dbt(data, "--select", *MODELS)
    truth = data / "truth.json"
    tables = [part for name in ("anomalies", "customers", "price_changes") for part in ("--table", name)]
    truth.write_text(run(data, "sandbox", "truth", "--json", *tables).printed)
    judged = run(data, "tests.benches.ml.judge_incidents", str(data / "warehouse.duckdb"), str(truth)).printed
    counts: dict[str, int] = json.loads(judged)
    return counts, round(again.cpu_s, 1), round(again.cpu_s + marts.cpu_s, 1)


SHORT = ("precision", "recall", "wrong_per_month", "told_per_month", "told_wrong_per_month")


def figures(counts: dict[str, int] | Counter[str]) -> dict[str, float]:
    """Flat figures of judge_incidents.py's counts, of one company or the sum of several (per account and month)."""
    n: Counter[str] = Counter(counts)
    months = n["account_days"] / 30

    def part(of: int, whole: int, digits: int = 3) -> float:
        return round(of / max(whole, 1), digits)

    told = n["told_right"] + n["told_wrong"]
    flat: dict[str, float] = {
        "found": n["right"] + n["wrong"] + n["excused"],
        "excused": n["excused"],
        "precision": part(n["right"], n["right"] + n["wrong"]),
        "recall": part(n["found"], n["asked"]),
        "wrong_per_month": round(n["wrong"] / months, 2),
        "told_per_month": round((told + n["told_excused"]) / months, 2),
        "told_precision": part(n["told_right"], told),
        "told_wrong_per_month": round(n["told_wrong"] / months, 2),
        "material_recall": part(n["found_material"], n["asked_material"]),
        "material_told": part(n["told_material"], n["asked_material"]),
    }
    flat |= {f"recall_of_{kind}": part(n[f"found_{kind}"], n[f"asked_{kind}"], 2) for kind in KINDS}
    flat["flagged_share"] = part(n["flagged"], n["days"], 5)
    return flat | {"rule_flagged_share": part(n["rule_flagged"], n["days"], 5)}
