"""Revenue of the next year: forecast, let a year pass in the sandbox, compare with what the same customers then paid.

The yardstick is "they go on paying what they pay now", all the year.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path

import duckdb

from tests.benches.measure import run
from tests.benches.ml.companies import Company
from tests.benches.ml.stages import LOAD, dbt, load_and_build

COMPANIES = (Company("one", 21, months=20), Company("two", 22, months=20), Company("three", 23, months=20))
SHOWN = (1, 3, 6, 12)  # months ahead
DAYS = 366
SAID = """
    select months_ahead, cast(month_start as varchar), mrr_minor, mrr_now_minor, q10_minor, q90_minor
    from marts.revenue_forecast where level = 'company' and is_current
"""
# the customers there were when it was said; who came since was not forecast
CAME = """
    select cast(month_start as varchar), cast(sum(reporting_mrr_minor) as bigint)
    from marts.fct_mrr_monthly
    where customer_id in (select customer_id from "then".marts.dim_customers)
    group by month_start
"""


def measure(folder: Path) -> dict[str, float]:
    """Mean absolute error of MRR per months ahead, in per cent of what came, ours and unchanged; coverage of 80 %."""
    ours, unchanged, held = defaultdict[int, list[float]](list), defaultdict[int, list[float]](list), []
    for company in COMPANIES:
        for ahead, said, now, low, high, came in of_company(folder / company.name, company):
            ours[ahead].append(abs(said - came) / came)
            unchanged[ahead].append(abs(now - came) / came)
            held.append(low <= came <= high)
        shutil.rmtree(folder / company.name)
        print(f"{company.name}: done", flush=True)
    flat: dict[str, float] = {"revenue_companies": len(COMPANIES)}
    for ahead in SHOWN:
        flat[f"revenue_error_pct_{ahead:02}_months"] = _mean(ours[ahead])
        flat[f"revenue_error_pct_{ahead:02}_months_unchanged"] = _mean(unchanged[ahead])
    return flat | {"revenue_cov80_pct": _mean(held)}


def of_company(data: Path, company: Company) -> list[tuple[int, int, int, int, int, int]]:
    """Rows of months ahead, said, then, low, high, came."""
    size = ("--customers", str(company.customers), "--months", str(company.months), "--seed", str(company.seed))
    run(data, "sandbox", "seed", *size)
    load_and_build(data)
    for step in ("train", "score"):
        run(data, "ml", step)
    dbt(data, "--select", "tag:after_ml")
    before = data / "before.duckdb"
    shutil.copy(data / "warehouse.duckdb", before)
    run(data, "sandbox", "advance", "--days", str(DAYS))
    run(data, *LOAD)
    dbt(data, "--select", "+fct_mrr_monthly")
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute(f"attach '{before}' as \"then\" (read_only)")
        came = dict(connection.execute(CAME).fetchall())
    with duckdb.connect(str(before), read_only=True) as connection:
        said = connection.execute(SAID).fetchall()
    return [(ahead, *figures, came[month]) for ahead, month, *figures in said if month in came]


def _mean(shares: list[float] | list[bool]) -> float:
    return round(100 * sum(shares) / len(shares), 2) if shares else float("nan")
