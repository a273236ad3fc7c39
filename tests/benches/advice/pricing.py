"""What price books cost: one over ten million usage rows, and a thousand for 300 customers. Run as a module.

`--small` and `--big` name state folders that are already built, to be copied; without them both companies are made.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from tests.benches.marks import Mark, missed, table
from tests.benches.measure import run
from tests.benches.warehouse.builds import FIRST
from tests.commands import DBT_AT
from tests.dbt_project.pricing_bench import MARTS, MODELS, VIEWS

MUST = {"pricing_10m_wall_s": Mark(most=30), "pricing_1000_books_wall_s": Mark(most=60)}
# A book names every metered price of one meter, or of all, and asks a little more or less for each paid unit.
BOOKS = """
create or replace table seeds.price_books as
select 'book_' || i as book, 'a benchmark' as says, null::varchar as starts_on,
    case when i % 3 = 1 then '2025-06-01' end as grandfathers_before, null::varchar as segment, null::varchar as plan
from range({books}) as numbers(i)
"""
TIERS = """
create or replace table seeds.price_book_tiers as
with meters as (
    select account_id, price_id, dense_rank() over (order by meter_event_name) - 1 as place
    from marts.dim_prices where usage_type = 'metered' and billing_interval = 'month'
)
select 'book_' || i as book, tiers.price_id, null::varchar as plan, null::varchar as product,
    null::varchar as meter_event_name, tiers.currency,
    case when rating_mode in ('graduated', 'volume') then rating_mode end as tiers_mode, null::varchar as above,
    upper_bound::varchar as up_to,
    round(tiers.unit_amount_decimal::double * (0.9 + 0.3 * (i + 1) / {books}), 6)::decimal(24, 12)::varchar
        as unit_amount_decimal,
    flat_amount_decimal::varchar as flat_amount_decimal, package_size::varchar as package_size,
    null::varchar as package_rounding, case when i % 5 = 0 then '300' end as minimum_amount_minor
from intermediate.int_price_tiers as tiers
inner join meters using (account_id, price_id)
cross join range({books}) as numbers(i)
where {books} = 1 or place = i % (select max(place) + 1 from meters)
"""


def build(data: Path) -> None:
    """Everything that scenarios read, and the scenarios of the books that ship."""
    run(data, "dbt.cli.main", "run", *DBT_AT, "--select", "+pricing_scenarios", METERWISE_MEMORY="3GB")


def big(folder: Path) -> Path:
    """A generated company of ten million usage rows, without forecasts."""
    run(folder, "tests.benches.warehouse.company", "--rows", str(10_000_000))
    run(folder, "dbt.cli.main", "seed", *DBT_AT)
    build(folder)
    return folder


def small(folder: Path) -> Path:
    """The default company: 300 customers over two years, with forecasts and chances of leaving."""
    run(folder, "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "load")
    run(folder, "dlt_pipelines", "ledger")
    run(folder, "dbt.cli.main", "build", *DBT_AT, *FIRST)
    for step in ("train", "score"):
        run(folder, "ml", step)
    run(folder, "dbt.cli.main", "seed", *DBT_AT)
    build(folder)
    return folder


def timed(data: Path, name: str, books: int) -> dict[str, float]:
    """Figures of every pricing model with so many books, on a built state folder, whose warehouse changes."""
    sql = {path.stem: path for path in (data / "dbt" / "compiled").rglob("*.sql")}
    seconds: dict[str, float] = {}
    with duckdb.connect(str(data / "warehouse.duckdb")) as con:
        con.execute("set memory_limit = '1500MB'; set threads = 2; set preserve_insertion_order = false")
        con.execute(BOOKS.format(books=books))
        con.execute(TIERS.format(books=books))
        begun_cpu = time.process_time()
        for model in MODELS:
            place = f"{'marts' if model in MARTS else 'intermediate'}.{model}"
            kind = "view" if model in VIEWS else "table"
            begun = time.monotonic()
            con.execute(f"create or replace {kind} {place} as {sql[model].read_text()}")
            seconds[model] = time.monotonic() - begun
        cpu = time.process_time() - begun_cpu
        counts = con.execute(
            "select (select count(*) from staging.stg_stripe__meter_usage), (select count(*) from marts.dim_customers),"
            " "
            "(select count(distinct book) from marts.pricing_scenarios where after_minor is not null) - 1, "
            "(select count(*) from marts.pricing_scenario_customers where reach = 'repriced')"
        ).fetchone()
    assert counts is not None
    for model, spent in sorted(seconds.items(), key=lambda node: -node[1])[:5]:
        print(f"  {spent:8.2f} s  {model}")
    return {
        f"{name}_usage_rows": counts[0],
        f"{name}_customers": counts[1],
        f"{name}_books": counts[2],
        f"{name}_repriced_customers": counts[3],
        f"{name}_wall_s": round(sum(seconds.values()), 1),
        f"{name}_cpu_s": round(cpu, 1),
    }


def pricing(folder: Path, small_at: Path | None = None, big_at: Path | None = None) -> dict[str, float]:
    """Both measurements, each in a folder of its own below `folder`."""
    figures: dict[str, float] = {}
    for name, at, make, books in (("1000_books", small_at, small, 1000), ("10m", big_at, big, 1)):
        data = folder / f"pricing_{name}"
        if at is None:
            data.mkdir()
            make(data)
        else:
            shutil.copytree(at / "dbt", data / "dbt")
            shutil.copy(at / "warehouse.duckdb", data)
        figures |= timed(data, f"pricing_{name}", books)
    return figures


def main() -> None:
    """Print the figures; exit with 1 if a mark is missed."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--small", type=Path, help="a built state folder of the default company")
    asked.add_argument("--big", type=Path, help="a built state folder of ten million usage rows")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="meterwise-bench-") as folder:
        figures = pricing(Path(folder), options.small, options.big)
    print("\n".join(table(figures, MUST, {})), flush=True)
    if lines := missed(figures, MUST):
        print("\n".join(lines), file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
