"""`make bench-load`: what a load costs, beside a bare walk and dlt's defaults, against its marks. Run as a module."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sandbox.state import data_folder
from tests.benches.marks import Mark, missed, table
from tests.benches.measure import Used, run, serving
from tests.commands import DBT_AT

LOAD = ("dlt_pipelines", "load")
STAGE = ("dbt.cli.main", "run", *DBT_AT, "--select", "stg_stripe__customers")
WEEK_LATER = ("--days-later", "8")  # by then every list is read whole again
CUSTOMERS = 200_000
MANY = 1_000_000
INVOICES, FLATTENED = 10_000, 600
# One request per customer is what Stripe asks for these; the figures are of lists.
LISTS_ONLY = {"SOURCES__STRIPE__SKIP": "customer_balance_transactions"}

LOADS = ("first", "idle", "again")
MUST = {
    "customers_per_cpu_s": Mark(least=5_000),
    "share_of_json_walk_wall": Mark(least=0.4),
    "share_of_json_walk_cpu": Mark(least=0.4),
    "server_times_load": Mark(least=5),
    "invoices_times_flattened": Mark(least=10),
    **{f"{name}_memory_ratio": Mark(most=1.2) for name in LOADS},
    **{f"{name}_memory_peak_mb": Mark(most=500) for name in LOADS},
    "idle_requests": Mark(most=10),
    "usage_parquet_rows_per_s": Mark(least=600_000),
    "usage_csv_rows_per_s": Mark(least=600_000),
    "usage_jsonl_rows_per_s": Mark(least=350_000),
    "usage_peak_mb": Mark(most=6 * 1024),
}
AIM = {
    "invoices_peak_mb": Mark(most=500),
    "share_of_msgspec_walk_wall": Mark(least=0.4),
    "share_of_msgspec_walk_cpu": Mark(least=0.4),
}


def costs(prefix: str, used: Used) -> dict[str, float]:
    """A command's cost as flat figures."""
    return {
        f"{prefix}_wall_s": round(used.wall_s, 2),
        f"{prefix}_cpu_s": round(used.cpu_s, 2),
        f"{prefix}_peak_mb": round(used.peak_mb),
    }


def customers(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Loading and staging customers together, what of it is start-up, and an idle load afterwards."""
    count: int = options.customers
    flat: dict[str, float] = {"customers": count}
    with serving() as server:
        flat["load_fixed_cpu_s"] = round(run(folder / "none", *LOAD, **server.settings).cpu_s, 2)
        flat["staging_fixed_cpu_s"] = round(run(folder / "none", *STAGE).cpu_s, 2)
    with serving("--customers", str(count)) as server:
        loaded = run(folder / "some", *LOAD, **server.settings, **LISTS_ONLY)
        staged = run(folder / "some", *STAGE)
        asked = server.requests()
        idle = run(folder / "some", *LOAD, **server.settings, **LISTS_ONLY)
        flat |= costs("load", loaded) | costs("staging", staged)
        flat["customers_per_cpu_s"] = round(count / (loaded.cpu_s + staged.cpu_s))
        flat |= costs("idle", idle) | {"idle_requests": server.requests() - asked}
    return flat


def invoices(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Invoices with 25 lines: this load against dlt's flattening, on the same pages, start-up of both included."""
    few = min(options.flattened, options.invoices)
    with serving("--invoices", str(options.invoices)) as server:
        ours = run(folder / "ours", *LOAD, **server.settings)
        theirs = run(folder, "tests.benches.flattened", server.url, str(few), str(folder / "theirs"))
    each, flattened = ours.cpu_s / options.invoices, theirs.cpu_s / few
    return {
        "invoices": options.invoices,
        "invoices_flattened": few,
        **costs("invoices", ours),
        **costs("flattened", theirs),
        "invoice_cpu_ms": round(1000 * each, 2),
        "flattened_invoice_cpu_ms": round(1000 * flattened, 2),
        "invoices_times_flattened": round(flattened / each, 1),
    }


def many(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """A million customers beside a bare walk of them, and beside the peak memory that a tenth of them takes.

    Each is loaded first, then idly, then with every list read again; start-up is included everywhere.
    """
    flat: dict[str, float] = {}
    peaks: dict[tuple[int, str], float] = {}
    for count in (options.many // 10, options.many):
        data, objects = folder / str(count), ("--customers", str(count))
        with serving(*objects) as server:
            for name in LOADS[:2]:
                before = server.cpu_s()
                used = run(data, *LOAD, **server.settings, **LISTS_ONLY)
                flat |= costs(f"{name}_{count}", used)
                peaks[count, name] = used.peak_mb
                if (count, name) == (options.many, "first"):
                    first, served = used, server.cpu_s() - before
            if count == options.many:
                for parser in ("json", "msgspec"):
                    walked = run(folder, "tests.benches.walk", server.url, "/v1/customers", parser)
                    flat |= costs(f"{parser}_walk", walked)
                    flat[f"share_of_{parser}_walk_wall"] = round(walked.wall_s / first.wall_s, 2)
                    flat[f"share_of_{parser}_walk_cpu"] = round(walked.cpu_s / first.cpu_s, 2)
                flat["server_times_load"] = round(first.wall_s / served, 1)
        with serving(*objects, *WEEK_LATER) as server:
            used = run(data, *LOAD, **server.settings, **LISTS_ONLY)
            flat |= costs(f"again_{count}", used)
            peaks[count, "again"] = used.peak_mb
    for name in LOADS:
        flat[f"{name}_memory_ratio"] = round(peaks[options.many, name] / peaks[options.many // 10, name], 2)
        flat[f"{name}_memory_peak_mb"] = round(peaks[options.many, name])
    return flat


def usage(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Usage logs in each format, to the end of staging."""
    from tests.benches.usage_log import measure

    return {f"usage_{name}": value for name, value in measure(options.usage_rows, folder).items()}


GROUPS: dict[str, Callable[[Path, argparse.Namespace], dict[str, float]]] = {
    "customers": customers,
    "invoices": invoices,
    "many": many,
    "usage": usage,
}


def main() -> None:
    """Print the figures, write them to $METERWISE_DATA/bench/load.json, and exit with 1 if a mark is missed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--only", choices=list(GROUPS), action="append", help="these figures only; may be repeated")
    asked.add_argument("--customers", type=int, default=CUSTOMERS)
    asked.add_argument("--invoices", type=int, default=INVOICES)
    asked.add_argument("--flattened", type=int, default=FLATTENED, help="of the invoices, those that dlt flattens")
    asked.add_argument("--many", type=int, default=MANY, help="customers of the largest load")
    asked.add_argument("--usage-rows", type=int, default=100_000_000)
    options = asked.parse_args()
    flat: dict[str, float] = {}
    for name in options.only or GROUPS:
        with tempfile.TemporaryDirectory(prefix="meterwise-bench-") as folder:
            figures = GROUPS[name](Path(folder), options)
        print("\n".join(table(figures, MUST, AIM)), flush=True)
        flat |= figures
    out = data_folder() / "bench" / "load.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(flat, indent=2) + "\n")
    if lines := missed(flat, MUST):
        print("\n".join(lines), file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
