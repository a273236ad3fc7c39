"""Incidents of `usage_anomalies` against what really went on: `python -m … WAREHOUSE TRUTH`, counts as JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.oracles.rating import rated_steps

SLACK = timedelta(days=2)
FELT = timedelta(days=28)  # a new price is felt so long
WARM_UP = 28  # days of an item that nobody can judge
Item = tuple[str, str]  # customer and meter


@dataclass(frozen=True)
class Stretch:
    """Days of an item, both ends included, with what is known of them."""

    item: Item
    first: date
    last: date
    kind: str = ""
    units: float = 0.0
    is_told: bool = False

    def meets(self, other: Stretch) -> bool:
        return self.item == other.item and self.first <= other.last + SLACK and other.first <= self.last + SLACK


def runs(rows: Iterable[Mapping[str, Any]]) -> list[Stretch]:
    """Labelled days as anomalies: days of one item and kind without a day between them."""
    days: dict[tuple[Item, str], list[tuple[date, float]]] = defaultdict(list)
    for row in rows:
        day = date.fromisoformat(row["date"])
        days[(row["customer"], row["meter"]), row["kind"]].append((day, row["true_excess"]))
    found = []
    for (item, kind), each in sorted(days.items()):
        group: list[tuple[date, float]] = []
        for one in [*sorted(each), (date.max, 0.0)]:
            if group and one[0] - group[-1][0] > timedelta(days=1):
                found.append(Stretch(item, group[0][0], group[-1][0], kind, sum(units for _, units in group)))
                group = []
            group.append(one)
    return found


def excused(truth: Mapping[str, Any], items: Iterable[Item]) -> list[Stretch]:
    """Days on which usage did change, though no anomaly is labelled: a customer loses interest, a price changes."""
    meters = defaultdict(list)
    for customer, meter in items:
        meters[customer].append(meter)
    found = []
    for customer in truth["customers"]:
        for decline in customer["declines"]:
            first = date.fromisoformat(decline["begins_on"])
            back = decline["recovers_on"]
            last = date.fromisoformat(back) + FELT if back else date.max - SLACK
            found += [Stretch((customer["customer"], meter), first, last) for meter in meters[customer["customer"]]]
    for change in truth["price_changes"]:
        day = date.fromisoformat(change["at"][:10])
        found.append(Stretch((change["customer"], change["meter"]), day, day + FELT))
    return found


def money(con: duckdb.DuckDBPyConnection, stretch: Stretch) -> tuple[int, str] | None:
    """What a true anomaly changed on the bill of the period it began in, by the oracle's rating; None if unknown."""
    found = con.execute(
        "select payload, periods.currency, periods.quantity from marts.fct_usage_periods as periods "
        "inner join raw_stripe.prices on prices.id = periods.price_id "
        "where customer_id = ? and meter_id = ? and ? between cast(period_start as date) and cast(period_end as date) "
        "order by period_start desc, prices.loaded_at desc limit 1",
        [*stretch.item, stretch.first],
    ).fetchone()
    if found is None:
        return None
    price, currency, used = json.loads(found[0]), found[1], found[2]
    without = max(used - Decimal(str(round(stretch.units, 6))), Decimal(0))
    amounts = [sum(step.amount or 0 for step in rated_steps(price, units, currency)) for units in (used, without)]
    return abs(amounts[0] - amounts[1]), currency


def judged(con: duckdb.DuckDBPyConnection, truth: Mapping[str, Any]) -> dict[str, Any]:
    """Counts, to be summed over companies: of incidents, of those told, and of what was there to find."""
    spans = {
        (row[0], row[1]): row[2]
        for row in con.execute(
            "select customer_id, meter_id, min(usage_date) from marts.fct_usage_daily where is_counted group by 1, 2"
        ).fetchall()
    }
    floors = dict(con.execute("select currency, floor_minor from seeds.anomaly_floors").fetchall())
    incidents = [
        Stretch((row[0], row[1]), row[2], row[3], row[4], is_told=row[5])
        for row in con.execute(
            "select customer_id, meter_id, started_on, ended_on, kind, is_told from marts.usage_anomalies"
        ).fetchall()
    ]
    asked = [
        one
        for one in runs(truth["anomalies"])
        if one.item in spans and one.last >= spans[one.item] + timedelta(days=WARM_UP)
    ]
    others = excused(truth, spans)
    counts: Counter[str] = Counter()
    by_item: dict[Item, list[Stretch]] = defaultdict(list)
    for stretch in asked:
        by_item[stretch.item].append(stretch)
    excuses: dict[Item, list[Stretch]] = defaultdict(list)
    for stretch in others:
        excuses[stretch.item].append(stretch)
    found_by: dict[Item, list[Stretch]] = defaultdict(list)
    for incident in incidents:
        found_by[incident.item].append(incident)
        is_right = any(incident.meets(one) for one in by_item[incident.item])
        is_excused = any(incident.meets(one) for one in excuses[incident.item])
        verdict = "right" if is_right else "excused" if is_excused else "wrong"
        counts[verdict] += 1
        counts[f"told_{verdict}"] += incident.is_told
    for one in asked:
        hits = [incident for incident in found_by[one.item] if incident.meets(one)]
        counts["asked"] += 1
        counts["found"] += bool(hits)
        counts[f"asked_{one.kind}"] += 1
        counts[f"found_{one.kind}"] += bool(hits)
        cost = money(con, one)
        if cost is not None and cost[0] >= max(floors.get(cost[1], 1), 1):
            counts["asked_material"] += 1
            counts["found_material"] += bool(hits)
            counts["told_material"] += any(incident.is_told for incident in hits)
    rule = con.execute(
        "select sum(flagged), sum(rule_flagged), sum(days), max(as_of) - min(judged_from) "
        "from staging.stg_ml__usage_anomaly_runs where judged_from < as_of - 40"
    ).fetchone()
    assert rule is not None
    counts.update(flagged=int(rule[0]), rule_flagged=int(rule[1]), days=int(rule[2]), account_days=int(rule[3]))
    return dict(counts)


if __name__ == "__main__":
    with duckdb.connect(sys.argv[1], read_only=True) as warehouse:
        print(json.dumps(judged(warehouse, json.loads(Path(sys.argv[2]).read_text()))))
