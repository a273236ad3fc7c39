"""Price experiments on rows of a test's own: tables that the models read, and customers of the sandbox."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sandbox import member, usage
from sandbox.clock import DAY
from sandbox.company_file import read_company
from sandbox.hazard import elasticity
from sandbox.member import Member, PriceStep
from sandbox.population import Person, Population
from tests.commands import ROOT
from tests.dbt_project.compiled import Bench, compiled_models

REPLICATES, Z_80, Z_95 = 400, 1.2815515655446004, 1.959963984540054
ARM, BEFORE, AFTER, RATIO = 32, 84, 84, 1.3  # customers of a side, days, new price / old
ACCOUNT, AS_OF = "acct_1", date(2026, 10, 31)
EFFECTS = "intermediate.int_price_experiment_effects"
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
        " variant varchar, exclusion varchar, design varchar, as_of date"
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
        " currency varchar default 'usd', subtotal_minor bigint, discount_minor bigint"
    ),
    "intermediate.int_churn_dates": "customer_id varchar, churned_on date",
    "seeds.price_experiment_designs": ", ".join(f"{name} varchar" for name in DESIGN),
    "seeds.message_templates": "kind varchar, locale varchar, subject varchar, body varchar",
}


class Experiments(Bench):
    """The models of price experiments; every table that they read is there, and empty unless `put` fills it."""

    def __init__(
        self,
        folder: Path,
        models: Sequence[str] = (*INTERMEDIATE, *MARTS),
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """more: table → columns of other tables than TABLES that the models read, or of more of their columns."""
        super().__init__(compiled_models(folder, *models))
        self.tables = TABLES | dict(more)
        for table in self.tables:
            self.put(table)
        with (ROOT / "dbt_project" / "seeds" / "message_templates.csv").open() as file:
            self.put("seeds.message_templates", *csv.DictReader(file))
        self.put("intermediate.int_as_of", {"as_of": AS_OF})
        self.put("intermediate.int_price_books_judged", {"book": "dearer", "is_refused": False})
        self.put("marts.dim_prices", {"plan": "growth", "meter_event_name": "api_calls", "is_active": True})

    def put(self, table: str, *rows: Mapping[str, Any]) -> None:
        """These rows, and no others, in a table; what a row leaves out is null."""
        self.con.execute(
            f"create or replace table {table} (account_id varchar default '{ACCOUNT}', {self.tables[table]})"
        )
        if rows:
            given = pd.DataFrame(list(rows)).astype(object)  # noqa: F841 - the query reads it
            self.con.execute(f"insert into {table} by name select * from given")

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


def candidate(number: int, experiment: str = "up", **more: Any) -> dict[str, Any]:
    """A customer whom nothing keeps out; the higher the number, the later it signed up."""
    at = datetime(2024, 1, 1) + timedelta(days=number)  # noqa: DTZ001 - UTC without zone
    row: dict[str, Any] = {
        "experiment_id": experiment,
        "as_of": AS_OF,
        "pre_days": 84,
        "most_risk": 0.3,
        "most_share": 1,
    }
    row |= {"starts_on": date(2026, 11, 1), "is_released": True, "seed": "s", "customer_id": f"cus_{number}"}
    row |= {"segment": "startup", "plan": "growth", "created_at": at, "is_delinquent": False, "status": "active"}
    row |= {"subscription_id": f"sub_{number}", "has_discount": False, "has_schedule": False, "is_ending": False}
    row |= {"subscription_item_id": f"si_{number}", "price_id": "price_a", "currency": "usd", "first_day": at.date()}
    row |= {"is_in_catalogue": True, "is_priced": True, "items_n": 1, "quantity": 84 * 10 ** (number % 3)}
    return row | more


def drawn(bench: Experiments, *candidates: dict[str, Any]) -> dict[str, tuple[str | None, str | None, str | None]]:
    """Customer → variant, exclusion, stratum."""
    bench.put("intermediate.int_price_experiment_candidates", *candidates)
    bench.build("intermediate", "int_price_experiment_draws")
    bench.build("marts", "price_experiment_assignments")
    rows = bench.rows("select customer_id, variant, exclusion, stratum from marts.price_experiment_assignments")
    return {customer: (variant, exclusion, stratum) for customer, variant, exclusion, stratum in rows}


def told(
    bench: Experiments, as_of: date, usage: tuple[float, float], churn: tuple[float, float], **more: Any
) -> list[Any]:
    """State, verdict, effect on usage and words of the dearer variant: usage and churn as (effect, half a band)."""
    bench.put("intermediate.int_as_of", {"as_of": as_of})
    bench.designs(*design(**more))
    bench.build("intermediate", "int_price_experiment_draws")
    bench.build("marts", "price_experiment_assignments")
    columns = (
        "account_id, experiment_id, variant, metric, variant_n, control_n, effect, low_80, high_80, low_95, high_95"
    )
    values = ", ".join(
        f"('{ACCOUNT}', 'up', 'dearer', '{metric}', 30, 30, {e}, {e - h}, {e + h}, {e - 2 * h}, {e + 2 * h}, 0.2, 0.1)"
        for metric, (e, h) in {"usage": usage, "revenue": (0.0, 0.1), "churn": churn, "bill_shock": (0.0, 0.1)}.items()
    )
    bench.con.execute(
        f"create or replace table {EFFECTS} as from (values {values}) as t({columns}, variant_share, control_share)"
    )
    bench.build("intermediate", "int_price_experiment_states")
    bench.build("marts", "price_experiments")
    bench.put("intermediate.int_as_of", {"as_of": AS_OF})
    query = "select state, verdict, usage_effect, said, left_share from marts.price_experiments where not is_control"
    return list(bench.rows(query)[0])


class Customers:
    """Customers of the sandbox's own company and what they use, at the price they know and at another one."""

    def __init__(self, count: int, meter: str = "api_calls", seed: int = 31) -> None:
        self.meter, self.company = meter, read_company(ROOT / "sandbox" / "company.toml")
        self.chance = random.Random(seed)  # noqa: S311 - who is in which replicate
        population = Population(self.company, seed, 4 * count, 24)
        self.people = [population.person(idx) for idx in range(count)]
        self.last = population.start // DAY + 24 * 30

    def logs(self, person: Person, begin: int, before: int, after: int, ratio: float) -> tuple[float, float, float]:
        """Logs of mean daily usage: before the day `begin`, from it on, and the same at a price `ratio` times as high.

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
        before_log, after_log, treated_log = (math.log(max(mean, 1.0)) for mean in means)
        return before_log, after_log, treated_log

    def answer(self, person: Person) -> float:
        """The true exponent of usage in the ratio of prices."""
        return elasticity(self.company, person.segment, self.meter)

    def sample(self, people: Sequence[int], count: int) -> list[int]:
        return self.chance.sample(people, count)


def replicated(bench: Experiments, customers: Customers, count: int) -> pd.DataFrame:
    """True and estimated effects: so many draws from the same customers, half of each at another price; and as many of
    an experiment in which no price changes. Those who leave are drawn at 6 % and 12 %.
    """
    begin = customers.last - AFTER
    seen = [person for person in customers.people if person.joins_at // 86_400 < begin - BEFORE]
    logs = [customers.logs(person, begin, BEFORE, AFTER, RATIO) for person in seen]
    rows, true = [], {}
    for replicate in range(2 * count):
        is_null, factors = replicate >= count, []
        for place, number in enumerate(customers.sample(range(len(seen)), 2 * ARM)):
            is_control = place < ARM
            before, untreated, treated = logs[number]
            after = untreated if is_control or is_null else treated
            if not is_control:
                factors.append(0.0 if is_null else customers.answer(seen[number]) * math.log(RATIO))
            left = customers.chance.random() < (0.06 if is_control or is_null else 0.12)
            rows.append(
                (str(replicate), "control" if is_control else "dearer", is_control, str(place), before, after, left)
            )
        true[str(replicate)] = math.fsum(factors) / ARM
    measures = pd.DataFrame(rows, columns=["experiment_id", "variant", "is_control", "customer_id", "x", "y", "left"])
    bench.con.register("measures", measures)
    bench.put("intermediate.int_price_experiment_measures")
    bench.con.execute(
        "insert into intermediate.int_price_experiment_measures by name "
        f"select '{ACCOUNT}' as account_id, experiment_id, variant, is_control, customer_id, x as log_usage_before, "
        "y as log_usage_after, case when \"left\" then date '2026-12-01' end as churned_on, false as is_shocked "
        "from measures"
    )
    bench.build("intermediate", "int_price_experiment_effects")
    told = bench.con.execute(f"select * from {EFFECTS} order by experiment_id, metric").fetchdf()
    told["is_null"] = told["experiment_id"].astype(int) >= count
    told["true"] = [
        true[str(name)] if metric == "usage" else 0.0 if is_null else 0.06
        for name, metric, is_null in zip(told["experiment_id"], told["metric"], told["is_null"], strict=True)
    ]
    told["in_80"] = (told["low_80"] <= told["true"]) & (told["true"] <= told["high_80"])
    told["in_95"] = (told["low_95"] <= told["true"]) & (told["true"] <= told["high_95"])
    return told


def within(share: float, claimed: float, tolerance: float = 3.0) -> bool:
    """Whether a share of REPLICATES may have come about by chance: `tolerance` standard errors of a binomial share."""
    return abs(share - claimed) <= tolerance * math.sqrt(claimed * (1 - claimed) / REPLICATES)


def newcombe_coverage(z: float, treated: float, control: float) -> float:
    """How often the band of a difference of two shares, ARM customers each, holds the true one: summed over all counts.

    Counts move in steps, so that it is not exactly what the band says.
    """
    share = np.arange(ARM + 1) / ARM
    middle, spread = share + z * z / (2 * ARM), z * np.sqrt(share * (1 - share) / ARM + (z / (2 * ARM)) ** 2)
    low, high = (middle - spread) / (1 + z * z / ARM), (middle + spread) / (1 + z * z / ARM)
    apart = share[:, None] - share[None, :]
    least = apart - np.hypot((share - low)[:, None], (high - share)[None, :])
    most = apart + np.hypot((high - share)[:, None], (share - low)[None, :])
    is_in = (least <= treated - control) & (treated - control <= most)
    of_treated, of_control = (stats.binom.pmf(np.arange(ARM + 1), ARM, chance) for chance in (treated, control))
    return float((np.outer(of_treated, of_control) * is_in).sum())
