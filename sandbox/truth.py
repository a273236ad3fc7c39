"""What is really going on in the seeded company: for tests and for scoring models, never reachable over HTTP.

Columns, units and meanings: docs/sandbox-company.md. Dates are UTC days, times ISO 8601, quantities in units.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox import hazard, member, usage
from sandbox.clock import DAY, iso, iso_date
from sandbox.company_file import METERS
from sandbox.errors import SandboxError
from sandbox.member import Member
from sandbox.population import Person
from sandbox.store import MICRO, Store
from sandbox.world_company import SeededCompany

Row = dict[str, Any]
HORIZON = 35  # days of expectation beyond now
UNIT = 1.0 / MICRO
LABELLED = 1.5  # a shift by less is no anomaly that anybody could see


@dataclass(frozen=True)
class View:
    """What the tables are made from. people: everybody who has signed up. horizon: days of expected_usage from now."""

    store: Store
    world: SeededCompany
    people: list[tuple[Member, Person]]
    horizon: int

    def item(self, one: Member, name: str) -> Row:
        """The columns that say which item a row is about."""
        return {"customer": one.customer, "meter": self.world.meter(self.store, name), "event_name": name}


def truth(store: Store, world: SeededCompany, *, horizon: int = HORIZON, tables: Sequence[str] = ()) -> dict[str, Any]:
    """`now` and a list of rows for each of `tables` (none named: all). horizon: days of expected_usage beyond now.

    Raises SandboxError for a table that does not exist.
    """
    if unknown := set(tables) - set(TABLES):
        raise SandboxError(f"there is no table {', '.join(sorted(unknown))}: there are {', '.join(TABLES)}")
    people = [(one, world.person(one.idx)) for one in member.everybody(store)]
    view = View(store, world, people, horizon)
    return {"now": store.now} | {name: list(TABLES[name](view)) for name in (tables or TABLES)}


def _date(at: int | None) -> str | None:
    return None if at is None else iso_date(at // DAY)


def _customers(view: View) -> Iterator[Row]:
    for one, person in view.people:
        declines = [
            {"begins_on": iso_date(first), "lowest_on": iso_date(first + days), "usage_left": floor}
            | {"recovers_on": iso_date(back) if back >= 0 else None}
            for first, days, floor, back in one.declines
        ]
        row: Row = {"customer": one.customer, "subscription": one.subscription, "segment": person.segment}
        row |= {"plan_at_signup": person.plan, "joined_at": iso(person.joins_at), "upgrades": person.upgrades}
        row |= {"churn_date": _date(one.leaves_at), "churn_cause": one.cause, "ended_on": _date(one.ends_at)}
        row |= {"is_at_period_end": person.leaves_at_period_end, "is_planted": bool(one.planted)}
        yield row | {"usage_decline_from": declines[-1]["begins_on"] if declines else None, "declines": declines}


def _hazards(view: View) -> Iterator[Row]:
    for customer, month, at, risk, gave_up, signs in member.hazards(view.store):
        row = {"customer": customer, "month": month, "month_start": iso(at), "hazard": risk, "gave_up": bool(gave_up)}
        yield row | json.loads(signs)


def _anomalies(view: View) -> Iterator[Row]:
    """A row per labelled day up to now, of every anomaly."""
    for one, person in view.people:
        until = view.store.now if one.ends_at is None else one.ends_at
        begin, end = person.joins_at // DAY, (until - 1) // DAY
        for row, kind, first, last, factor in usage.anomalies(person.items, one.planted, begin, end):
            if max(first, begin) > min(last, end) or (kind == "shift" and max(factor, 1 / factor) < LABELLED):
                continue
            days = np.arange(max(first, begin), min(last, end) + 1, dtype=np.int64)
            actual, normal, at = member.used(person, one, days)
            without = actual[row] * (1 / factor) if factor else normal[row]
            excess = ((actual[row] - without) * UNIT).round(6).tolist()
            told = view.item(one, person.items.meters[row]) | {"kind": kind, "factor": round(factor, 6)}
            for day, second, more in zip(days.tolist(), at[row].tolist(), excess, strict=True):
                if person.joins_at <= second < until:
                    yield told | {"date": iso_date(day), "true_excess": more}


def _elasticity(view: View) -> Iterator[Row]:
    for segment in view.world.company["segments"]:
        for name in METERS:
            row = {"segment": segment, "meter": view.world.meter(view.store, name), "event_name": name}
            yield row | {"elasticity": hazard.elasticity(view.world.company, segment, name)}


def _price_changes(view: View) -> Iterator[Row]:
    for one, _ in view.people:
        for step in one.prices:
            told = {"at": iso(step.at), "ratio": step.ratio, "usage_factor": step.factor}
            yield view.item(one, step.meter) | told | {"is_own_choice": step.is_own_choice}


def _expected_usage(view: View) -> Iterator[Row]:
    """A row per item; `values`: one a day from start_date to the end's day, or to `horizon` days beyond now's."""
    today = view.store.now // DAY
    for one, person in view.people:
        begin = person.joins_at // DAY
        last = today + view.horizon if one.ends_at is None else one.ends_at // DAY
        days = np.arange(begin, last + 1, dtype=np.int64)
        units, at = member.expected(person, one, days, today)
        until = at.max() + 1 if one.ends_at is None else one.ends_at
        units = np.where((at >= person.joins_at) & (at < until), units, 0.0).round(4)
        for name, values in zip(person.items.meters, units.tolist(), strict=True):
            yield view.item(one, name) | {"start_date": iso_date(begin), "values": values}


TABLES: dict[str, Callable[[View], Iterator[Row]]] = {
    "customers": _customers,
    "hazards": _hazards,
    "anomalies": _anomalies,
    "elasticity": _elasticity,
    "price_changes": _price_changes,
    "expected_usage": _expected_usage,
}
