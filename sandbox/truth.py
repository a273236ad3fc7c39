"""What is really going on in the seeded company: for tests and for scoring models, never reachable over HTTP."""

from typing import Any

import numpy as np

from sandbox.billing import Engine
from sandbox.clock import DAY, iso_date
from sandbox.store import MICRO
from sandbox.usage import Plant, daily_use, spikes


def truth(engine: Engine) -> dict[str, Any]:
    """`anomalies`: a row per day of a spike up to now. `customers`: a row each, with its past or future leaving.

    Quantities are in the meter's unit; `churn_date`: the customer gives up; `ended_on`: the subscription ended.
    """
    query = "select idx, customer, subscription, ends_at from member order by idx"
    members = engine.store.db.execute(query).fetchall()
    return {
        "now": engine.store.now,
        "anomalies": [
            row for idx, customer, _, ends_at in members for row in _anomalies(engine, idx, customer, ends_at)
        ],
        "customers": [_customer(engine, *member) for member in members],
    }


def _customer(engine: Engine, idx: int, customer: str, subscription: str, ends_at: int | None) -> dict[str, Any]:
    person = engine.person(idx)
    return {
        "customer": customer,
        "subscription": subscription,
        "churn_date": iso_date(person.leaves_at // DAY),
        "churn_cause": person.cause,
        "is_at_period_end": person.leaves_at_period_end,
        "usage_decline_from": None if person.decline_from is None else iso_date(person.decline_from // DAY),
        "ended_on": None if ends_at is None else iso_date(ends_at // DAY),
        "upgrades": person.upgrades,
        "is_planted": idx in engine.plants,
    }


def _anomalies(engine: Engine, idx: int, customer: str, ends_at: int | None) -> list[dict[str, Any]]:
    person, company, seed = engine.person(idx), engine.population.company, engine.store.seed
    plant = engine.plants.get(idx, Plant())
    first, last = person.joins_at // DAY, (min(ends_at or engine.store.now, engine.store.now) - 1) // DAY
    rows = []
    for meter, meter_id in engine.meters.items():
        if not person.item_scale[meter] or last < first:
            continue
        planted = [spike for spike in plant.spikes if spike.meter == meter]
        for spike in planted + spikes(company, seed, person, meter, first, last):
            days = np.arange(max(spike.first, first), min(spike.last, last) + 1, dtype=np.int64)
            with_spike, without = daily_use(company, seed, person, meter, days, plant)
            for day, excess in zip(days.tolist(), (with_spike - without).tolist(), strict=True):
                row = {
                    "customer": customer,
                    "meter": meter_id,
                    "event_name": meter,
                    "date": iso_date(day),
                    "kind": "spike",
                }
                rows.append(row | {"factor": round(spike.factor, 4), "true_excess": excess * (1.0 / MICRO)})
    return rows
