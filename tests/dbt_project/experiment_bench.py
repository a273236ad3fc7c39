"""Price experiments on rows of a test's own: tables that the models read, and customers of the sandbox who are treated."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from sandbox import member, usage
from sandbox.clock import DAY
from sandbox.company_file import read_company
from sandbox.hazard import elasticity
from sandbox.member import Member, PriceStep
from sandbox.population import Person, Population
from tests.commands import ROOT
from tests.dbt_project.compiled import Bench, compiled_models

ACCOUNT, AS_OF = "acct_1", date(2026, 10, 31)
INTERMEDIATE = (
    "int_price_experiments_judged", "int_price_experiment_draws", "int_price_experiment_measures",
    "int_price_experiment_effects", "int_price_experiment_states",
)  # fmt: skip
MARTS = ("price_experiment_assignments", "price_experiments")
DESIGN = {
    "experiment_id": "up", "variant": "control", "price_book": None, "plan": "growth", "meter": "api_calls",
    "segment": None, "share": "0.5", "most_share": "1", "starts_on": "2026-11-01", "ends_on": "2027-01-30",
    "settle_days": "7", "pre_days": "84", "primary_metric": "usage", "wanted_effect": "0.05",
    "most_churn_increase": "0.05", "most_bill_shock": "0.1", "most_risk": "0.3", "seed": "s", "is_released": "true",
}  # fmt: skip
TABLES = {
    "intermediate.int_as_of": "as_of date",
    "intermediate.int_price_books_judged": "book varchar, is_refused boolean, refusal varchar",
    "marts.dim_prices": "plan varchar, meter_event_name varchar, is_active boolean, experiment_id varchar",
    "staging.stg_ml__price_assignments_said": (
        "experiment_id varchar, customer_id varchar, subscription_id varchar, subscription_item_id varchar,"
        " price_id varchar, currency varchar, segment varchar, plan varchar, stratum varchar, block integer,"
        " variant varchar, exclusion varchar, as_of date"
    ),
    "seeds.contract_locks": "customer_id varchar, subscription_id varchar, locked_until varchar",
    "marts.churn_risk": "customer_id varchar, probability double, is_current boolean, horizon_days integer",
    "intermediate.int_price_experiment_candidates": (
        "experiment_id varchar, as_of date, pre_days decimal(9, 6), most_risk decimal(9, 6), most_share decimal(9, 6),"
        " starts_on date, is_released boolean, seed varchar, customer_id varchar, segment varchar, plan varchar,"
        " created_at timestamp, is_delinquent boolean, subscription_id varchar, status varchar, has_discount boolean,"
        " has_schedule boolean, is_ending boolean, subscription_item_id varchar, price_id varchar, currency varchar,"
        " first_day date, is_in_catalogue boolean, is_priced boolean, items_n bigint, quantity decimal(38, 6)"
    ),
    "intermediate.int_price_experiment_power": (
        "experiment_id varchar, variant varchar, history_n bigint, detectable_effect double, days_needed integer"
    ),
    "intermediate.int_price_experiment_measures": (
        "experiment_id varchar, variant varchar, is_control boolean, customer_id varchar,"
        " log_usage_before decimal(18, 9), log_usage_after decimal(18, 9), log_revenue_before decimal(18, 9),"
        " log_revenue_after decimal(18, 9), churned_on date, is_shocked boolean"
    ),
    "marts.fct_usage_daily": (
        "customer_id varchar, meter_event_name varchar, usage_date date, quantity decimal(18, 6), is_counted boolean"
    ),
    "marts.fct_invoices": (
        "customer_id varchar, status varchar, billing_reason varchar, period_start timestamp, period_end timestamp,"
        " subtotal_minor bigint, discount_minor bigint"
    ),
    "intermediate.int_churn_dates": "customer_id varchar, churned_on date",
    "seeds.price_experiment_designs": ", ".join(f"{name} varchar" for name in DESIGN),
    "seeds.message_templates": "kind varchar, locale varchar, subject varchar, body varchar",
}


class Experiments(Bench):
    """The models of price experiments; every table that they read is there, and empty unless `put` fills it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(compiled_models(folder, *INTERMEDIATE, *MARTS))
        for table in TABLES:
            self.put(table)
        with (ROOT / "dbt_project" / "seeds" / "message_templates.csv").open() as file:
            self.put("seeds.message_templates", *csv.DictReader(file))
        self.put("intermediate.int_as_of", {"as_of": AS_OF})
        self.put("intermediate.int_price_books_judged", {"book": "dearer", "is_refused": False})
        self.put("marts.dim_prices", {"plan": "growth", "meter_event_name": "api_calls", "is_active": True})

    def put(self, table: str, *rows: Mapping[str, Any]) -> None:
        """These rows, and no others, in a table; what a row leaves out is null."""
        self.con.execute(f"create or replace table {table} (account_id varchar default '{ACCOUNT}', {TABLES[table]})")
        for row in rows:
            names, marks = ", ".join(row), ", ".join("?" for _ in row)
            self.con.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))

    def designs(self, *rows: Mapping[str, Any]) -> None:
        """Experiments, as far as each row differs from DESIGN; judged."""
        self.put("seeds.price_experiment_designs", *({**DESIGN, **row} for row in rows))
        self.build("intermediate", "int_price_experiments_judged")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.con.execute(query).fetchall()


def design(experiment: str = "up", **more: Any) -> list[dict[str, Any]]:
    """An experiment of two variants."""
    both = {"experiment_id": experiment, **more}
    return [both, both | {"variant": "dearer", "price_book": "dearer"}]


class Customers:
    """Customers of the sandbox's own company and what they use, at the price they know and at another one."""

    def __init__(self, count: int, meter: str = "api_calls", seed: int = 31) -> None:
        self.meter, self.company = meter, read_company(ROOT / "sandbox" / "company.toml")
        self.chance = random.Random(seed)  # noqa: S311 - who is in which replicate
        population = Population(self.company, seed, 4 * count, 24)
        self.people = [population.person(idx) for idx in range(count)]
        self.last = population.start // DAY + 24 * 30

    def logs(self, person: Person, begin: int, before: int, after: int, ratio: float) -> tuple[float, float, float]:
        """Logs of mean daily usage: before the day `begin`, from it on, from it on if the price is `ratio` times as high.

        Some disengage in these days, as often as the company file says; the answer to the price is the sandbox's.
        """
        spec, item = self.company["segments"][person.segment], person.items.meters.index(self.meter)
        declines = []
        if self.chance.random() < spec["disengages"] * (before + after) / 30:
            first = begin - before + self.chance.randrange(before + after)
            low, high = self.company["disengagement"]["floor"]
            declines.append((first, 45, self.chance.uniform(low, high), -1))
        step = PriceStep(begin * DAY, self.meter, ratio, ratio ** self.answer(person), False)
        days = np.arange(begin - before, begin + after, dtype=np.int64)
        totals = []
        for prices in ([], [step]):
            one = Member(person.idx, "", "", 0, 0, [], declines=declines, prices=prices)
            totals.append(member.used(person, one, days)[0][item])
        usage._piece.cache_clear()  # each customer is asked once
        means = totals[0][:before].mean(), totals[0][before:].mean(), totals[1][before:].mean()
        return tuple(math.log(max(mean, 1.0)) for mean in means)  # type: ignore[return-value]

    def answer(self, person: Person) -> float:
        """The true exponent of usage in the ratio of prices."""
        return elasticity(self.company, person.segment, self.meter)

    def sample(self, people: Sequence[int], count: int) -> list[int]:
        return self.chance.sample(people, count)
