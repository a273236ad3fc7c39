"""Does drift cry without a change, and does it see one? A thousand resamples of companies in which nothing drifts.

Made-up companies (tests/ml/drift_worlds.py: weekdays, month ends, holidays, seasons, growth) and the sandbox's, with
the anomalies and declines of its customers: customers are drawn with replacement, and looked at on a day drawn at
random, by every test of `ml drift` on items together. Then 75 of 300 customers use a fifth less, or more.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benches.marks import Mark
from tests.benches.measure import run
from tests.benches.ml.companies import HERE, Company
from tests.benches.ml.stages import load_and_build

if TYPE_CHECKING:
    import numpy as np

    from tests.ml.drift_worlds import World

RESAMPLES, FROM_ONE_WORLD, CUSTOMERS, SEGMENT = 1_000, 20, 300, 75
SHIFTS = 200  # of them, half down and half up, on the resamples of made-up companies
CHECKED = (7, 9, 11, 13)  # days after the first one of a shift on which drift runs: within 14 days of it
MUST = {
    "drift_false_alarms_percent": Mark(most=2.0),
    "drift_sandbox_false_alarms_percent": Mark(most=2.0),
    "drift_shift_seen_percent": Mark(least=95.0),
}
COMPANIES = (Company("default_21", 21, customers=300), Company("seasonal_22", 22, "seasonal.toml", customers=300))


def measure(folder: Path) -> dict[str, float]:
    """Alarms in per cent of resamples, over all tests together; shifts seen in the segment, in per cent."""
    import numpy as np

    from tests.ml import drift_worlds

    rng, alarms, seen, others = np.random.default_rng(41), 0, 0, 0
    for number in range(RESAMPLES):
        if number % FROM_ONE_WORLD == 0:
            pool = drift_worlds.build(1_000 + number // FROM_ONE_WORLD, 2 * CUSTOMERS)
        world, day = pool.resample(rng, CUSTOMERS), int(rng.integers(480, drift_worlds.DAYS))
        alarms += bool(found(world, day, int(rng.integers(0, 5))))
        if number < SHIFTS:
            named = shifted(world, day, 0.8 if number % 2 else 1.2, rng)
            seen += "segment:moved" in named
            others += bool(named - {"segment:moved"})
    flat = {
        "drift_false_alarms_percent": round(100 * alarms / RESAMPLES, 2),
        "drift_shift_seen_percent": round(100 * seen / SHIFTS, 1),
        "drift_shift_others_named_percent": round(100 * others / SHIFTS, 1),
    }
    alarms = seen = 0
    for company in COMPANIES:
        pool = of_company(folder / company.name, company)
        for number in range(RESAMPLES // len(COMPANIES)):
            last = pool.daily.shape[1]
            world, day = pool.resample(rng, CUSTOMERS), int(rng.integers(460, last))
            alarms += bool(found(world, day, int(rng.integers(0, 5))))
            if number < SHIFTS // 4:
                seen += "segment:moved" in shifted(world, day, 0.8 if number % 2 else 1.2, rng)
    flat["drift_sandbox_false_alarms_percent"] = round(100 * alarms / RESAMPLES, 2)
    flat["drift_sandbox_shift_seen_percent"] = round(100 * seen / (SHIFTS // 4 * len(COMPANIES)), 1)
    return flat


def found(world: World, day: int, weeks: int) -> set[str]:
    """Segments in breach on a day, by the level tests and by PSI against a training some weeks earlier."""
    import numpy as np

    from ml import drift, drift_level, watch

    rows = world.features(day)
    grown = (rows["history_days"] >= watch.OWN_DAYS) & (rows["mean_91"] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = {
            name: np.where(grown, rows[f"mean_{days}"] / rows["mean_91"], np.nan)
            for name, days in drift_level.RATIOS.items()
        }
    tests = drift_level.tests(world.items, ratios)
    named = {one.segment for one, flag in zip(tests, drift_level.breaches(tests)[0], strict=True) if flag}
    made = []
    for place in range(rows["level"].shape[1]):
        alive = ~np.isnan(rows["history_days"][:, place])
        made.append(drift.item_features({name: rows[name][alive, place] for name in watch.SHAPES}))
    kept = {name: drift.summary(values) for name, values in made[-1 - weeks].items() if values.size}
    past = [one for one in made[:-1] if one["level"].size]
    shapes = drift.compare(kept, made[-1], "items", drift.usual(past, weeks))
    return named | set(shapes.loc[shapes["is_breach"], "segment"])


def shifted(world: World, day: int, factor: float, rng: np.random.Generator) -> set[str]:
    """What is named on any of the days looked at, when 75 customers use a fifth more, or less, from 13 days before."""
    import numpy as np

    from tests.ml import drift_worlds

    first = day - CHECKED[-1]
    known = ~np.isnan(world.daily[:, [first - 91, day]]).any(axis=1)
    old = world.items["customer_id"].to_numpy()[known]
    moved = set(rng.choice(np.unique(old), min(SEGMENT, len(np.unique(old)) // 2), replace=False))
    labelled = world.items.assign(segment=np.where(world.items["customer_id"].isin(moved), "moved", "others"))
    changed = drift_worlds.World(labelled, world.daily).shifted(moved, first, factor)
    return set().union(*(found(changed, first + since, 1) for since in CHECKED))


def of_company(data: Path, company: Company) -> World:
    """A sandbox company as it comes, drawn from as the made-up ones are."""
    import duckdb
    import numpy as np
    import pandas as pd

    from tests.ml.drift_worlds import World

    file = () if company.file is None else ("--company", str(HERE / "companies" / company.file))
    size = ("--customers", str(company.customers), "--months", str(company.months), "--seed", str(company.seed))
    run(data, "sandbox", "seed", *size, *file)
    load_and_build(data)
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        usage = con.execute("""
            select account_id, subscription_item_id, customer_id, meter_id as meter, currency, usage_date,
                cast(quantity as double) as quantity from marts.fct_usage_daily where is_counted
        """).fetch_df()
        plans = con.execute("""
            select subscription_item_id, max_by(plan, origin_date) as plan from features.usage_asof group by all
        """).fetch_df()
        segments = con.execute("select customer_id, segment from marts.dim_customers").fetch_df()
    items = usage.drop_duplicates("subscription_item_id").merge(plans, how="left").merge(segments, how="left")
    items = items.drop(columns=["usage_date", "quantity"]).reset_index(drop=True)
    first: date = usage["usage_date"].min().date()
    days = (usage["usage_date"] - pd.Timestamp(first)).dt.days.to_numpy()
    daily = np.full((len(items), int(days.max()) + 1), np.nan)
    row = pd.Index(items["subscription_item_id"]).get_indexer(usage["subscription_item_id"])
    daily[row, days] = usage["quantity"]
    print(f"{company.name}: made, {len(items)} items to {first + timedelta(days=int(days.max()))}", flush=True)
    return World(items, daily)
