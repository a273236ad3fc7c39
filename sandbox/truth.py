"""What is really going on in the seeded company: for tests and for scoring models, never reachable over HTTP.

Columns, units and meanings: docs/sandbox-company.md. Dates are UTC days, times ISO 8601, quantities in units.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from sandbox import hazard, member
from sandbox.clock import DAY, iso, iso_date
from sandbox.company_file import METERS
from sandbox.member import Member
from sandbox.store import MICRO, Store
from sandbox.world_company import SeededCompany

Row = dict[str, Any]
HORIZON = 35  # days of expectation beyond now
UNIT = 1.0 / MICRO
LABELLED = 1.5  # a shift by less is no anomaly that anybody could see


def truth(
    store: Store, world: SeededCompany, *, horizon: int = HORIZON, tables: Iterable[str] | None = None
) -> dict[str, Any]:
    """`now` and a list of rows for each of `tables` (all of TABLES). horizon: days of expected_usage beyond now."""
    members = member.everybody(store)
    asked = TABLES if tables is None else {name: TABLES[name] for name in tables}
    return {"now": store.now, **{name: table(store, world, members, horizon) for name, table in asked.items()}}


def _customers(store: Store, world: SeededCompany, members: list[Member], horizon: int) -> list[Row]:
    rows: list[Row] = []
    for one in members:
        person = world.person(one.idx)
        declines = [_decline(each) for each in one.declines]
        row: Row = {"customer": one.customer, "subscription": one.subscription, "segment": person.segment}
        row |= {"plan_at_signup": person.plan, "joined_at": iso(person.joins_at), "upgrades": person.upgrades}
        row |= {"churn_date": _date(one.leaves_at), "churn_cause": one.cause, "ended_on": _date(one.ends_at)}
        row |= {"is_at_period_end": person.leaves_at_period_end, "is_planted": bool(one.planted)}
        begins_on = declines[-1]["begins_on"] if declines else None
        rows.append(row | {"usage_decline_from": begins_on, "declines": declines})
    return rows


def _date(at: int | None) -> str | None:
    return None if at is None else iso_date(at // DAY)


def _decline(episode: tuple[int, int, float, int]) -> Row:
    first, days, floor, back = episode
    way_down: Row = {"begins_on": iso_date(first), "lowest_on": iso_date(first + days), "usage_left": floor}
    return way_down | {"recovers_on": iso_date(back) if back >= 0 else None}


def _hazards(store: Store, world: SeededCompany, members: list[Member], horizon: int) -> list[Row]:
    rows = []
    for customer, month, at, risk, gave_up, signs in member.hazards(store):
        row = {"customer": customer, "month": month, "month_start": iso(at), "hazard": risk, "gave_up": bool(gave_up)}
        rows.append(row | json.loads(signs))
    return rows


def _anomalies(store: Store, world: SeededCompany, members: list[Member], horizon: int) -> list[Row]:
    """A row per labelled day up to now, of every anomaly."""
    rows = []
    for one in members:
        person = world.person(one.idx)
        until = store.now if one.ends_at is None else one.ends_at
        begin, end = person.joins_at // DAY, (until - 1) // DAY
        for row, kind, first, last, factor in member.unusual(world.company, person, one, begin, end):
            if max(first, begin) > min(last, end) or (kind == "shift" and max(factor, 1 / factor) < LABELLED):
                continue
            days = np.arange(max(first, begin), min(last, end) + 1, dtype=np.int64)
            actual, normal, at = member.used(world.company, person, one, days)
            without = actual[row] * (1 / factor) if factor else normal[row]
            excess = (actual[row] - without) * UNIT
            name = person.items.meters[row]
            for day, second, more in zip(days.tolist(), at[row].tolist(), excess.tolist(), strict=True):
                if person.joins_at <= second < until:
                    told = {"date": iso_date(day), "kind": kind, "factor": round(factor, 6)}
                    rows.append(_item(store, world, one, name) | told | {"true_excess": round(more, 6)})
    return rows


def _elasticity(store: Store, world: SeededCompany, members: list[Member], horizon: int) -> list[Row]:
    return [
        {"segment": segment, "meter": world.meter(store, name), "event_name": name}
        | {"elasticity": hazard.elasticity(world.company, segment, name)}
        for segment in world.company["segments"]
        for name in METERS
    ]


def _price_changes(store: Store, world: SeededCompany, members: list[Member], horizon: int) -> list[Row]:
    return [
        _item(store, world, one, step.meter)
        | {"at": iso(step.at), "ratio": step.ratio, "usage_factor": step.factor}
        | {"is_own_choice": step.is_own_choice}
        for one in members
        for step in one.prices
    ]


def _expected_usage(store: Store, world: SeededCompany, members: list[Member], horizon: int) -> list[Row]:
    """A row per item; `values`: one a day from start_date to the end's day, or to `horizon` days beyond now's."""
    rows = []
    today = store.now // DAY
    for one in members:
        person = world.person(one.idx)
        begin = person.joins_at // DAY
        last = today + horizon if one.ends_at is None else one.ends_at // DAY
        days = np.arange(begin, last + 1, dtype=np.int64)
        units, at = member.expected(world.company, person, one, days, today)
        until = at.max() + 1 if one.ends_at is None else one.ends_at
        units = np.where((at >= person.joins_at) & (at < until), units, 0.0).round(4)
        for row, name in enumerate(person.items.meters):
            told = {"start_date": iso_date(begin), "values": units[row].tolist()}
            rows.append(_item(store, world, one, name) | told)
    return rows


def _item(store: Store, world: SeededCompany, one: Member, name: str) -> Row:
    return {"customer": one.customer, "meter": world.meter(store, name), "event_name": name}


Table = Callable[[Store, SeededCompany, list[Member], int], list[Row]]
TABLES: dict[str, Table] = {
    "customers": _customers,
    "hazards": _hazards,
    "anomalies": _anomalies,
    "elasticity": _elasticity,
    "price_changes": _price_changes,
    "expected_usage": _expected_usage,
}
