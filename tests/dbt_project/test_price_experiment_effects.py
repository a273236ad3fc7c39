"""Whether bands of price experiments hold what they say: replicates of the sandbox's customers, through the model's own SQL."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

import pandas as pd
import pytest

from tests.dbt_project.experiment_bench import ACCOUNT, Customers, Experiments

REPLICATES, ARM, CUSTOMERS = 400, 32, 260
BEFORE, AFTER = 84, 84
RATIO = 1.3
EFFECTS = "intermediate.int_price_experiment_effects"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Experiments:
    return Experiments(tmp_path_factory.mktemp("experiments"))


@pytest.fixture(scope="module")
def replicates(bench: Experiments) -> pd.DataFrame:
    """True and estimated effects: REPLICATES draws from the same customers, half of each at another price; and as many of
    an experiment in which no price changes. Those who leave are drawn at 6 % and 12 %."""
    customers = Customers(CUSTOMERS)
    begin = customers.last - AFTER
    seen = [person for person in customers.people if person.joins_at // 86_400 < begin - BEFORE]
    logs = [customers.logs(person, begin, BEFORE, AFTER, RATIO) for person in seen]
    rows, true = [], {}
    for replicate in range(2 * REPLICATES):
        is_null, factors = replicate >= REPLICATES, []
        for place, number in enumerate(customers.sample(range(len(seen)), 2 * ARM)):
            is_control = place < ARM
            before, untreated, treated = logs[number]
            after = untreated if is_control or is_null else treated
            if not is_control:
                factors.append(0.0 if is_null else customers.answer(seen[number]) * math.log(RATIO))
            left = customers.chance.random() < (0.06 if is_control or is_null else 0.12)
            rows.append((str(replicate), "control" if is_control else "dearer", is_control, str(place), before, after, left))
        true[str(replicate)] = math.fsum(factors) / ARM
    measures = pd.DataFrame(rows, columns=["experiment_id", "variant", "is_control", "customer_id", "x", "y", "left"])
    bench.con.register("measures", measures)
    bench.put("intermediate.int_price_experiment_measures")
    bench.con.execute(
        "insert into intermediate.int_price_experiment_measures by name "
        f"select '{ACCOUNT}' as account_id, experiment_id, variant, is_control, customer_id, x as log_usage_before, "
        "y as log_usage_after, case when \"left\" then date '2026-12-01' end as churned_on, false as is_shocked from measures"
    )
    bench.build("intermediate", "int_price_experiment_effects")
    told = bench.con.execute(f"select * from {EFFECTS} order by experiment_id, metric").fetchdf()
    told["is_null"] = told["experiment_id"].astype(int) >= REPLICATES
    told["true"] = [
        true[row.experiment_id] if row.metric == "usage" else 0.0 if row.is_null else 0.06 for row in told.itertuples()
    ]
    told["in_80"] = (told["low_80"] <= told["true"]) & (told["true"] <= told["high_80"])
    told["in_95"] = (told["low_95"] <= told["true"]) & (told["true"] <= told["high_95"])
    print(told.groupby(["metric", "is_null"])[["in_80", "in_95", "true", "effect"]].mean())
    return told


def within(share: float, claimed: float, tolerance: float = 3.0) -> bool:
    """Whether a share of REPLICATES may have come about by chance: `tolerance` standard errors of a binomial share."""
    return abs(share - claimed) <= tolerance * math.sqrt(claimed * (1 - claimed) / REPLICATES)


@pytest.mark.parametrize("is_null", [False, True])
def test_bands_hold_the_true_answer_to_a_price_as_often_as_they_say(replicates: pd.DataFrame, is_null: bool) -> None:
    usage = replicates[(replicates["metric"] == "usage") & (replicates["is_null"] == is_null)]

    assert len(usage) == REPLICATES
    assert within(usage["in_80"].mean(), 0.80), usage["in_80"].mean()
    assert within(usage["in_95"].mean(), 0.95), usage["in_95"].mean()


def test_where_no_price_changes_an_effect_is_found_in_one_of_twenty(replicates: pd.DataFrame) -> None:
    nothing = replicates[(replicates["metric"] == "usage") & replicates["is_null"]]

    assert within(((nothing["low_95"] > 0) | (nothing["high_95"] < 0)).mean(), 0.05)


def test_the_estimate_is_right_on_average(replicates: pd.DataFrame) -> None:
    usage = replicates[(replicates["metric"] == "usage") & ~replicates["is_null"]]
    off = usage["effect"] - usage["true"]

    assert usage["true"].mean() < -0.05
    assert abs(off.mean()) < 4 * off.std() / math.sqrt(REPLICATES)


@pytest.mark.parametrize("is_null", [False, True])
def test_bands_of_those_who_leave_hold_the_true_difference(replicates: pd.DataFrame, is_null: bool) -> None:
    # counts of 32 move in steps, so that Newcombe's bands may hold it more often than they say
    churn = replicates[(replicates["metric"] == "churn") & (replicates["is_null"] == is_null)]

    assert 0.74 < churn["in_80"].mean() <= 0.95
    assert 0.917 < churn["in_95"].mean() <= 1


def test_bands_are_those_of_a_textbook_analysis_of_covariance(bench: Experiments) -> None:
    x = [1.0, 2.0, 3.0, 4.0, 5.0, 1.5, 2.5, 3.5, 4.5, 5.5]
    y = [1.2, 1.9, 3.3, 3.8, 5.1, 1.1, 2.4, 3.1, 4.4, 4.9]
    bench.put(
        "intermediate.int_price_experiment_measures",
        *(
            {"experiment_id": "e", "variant": "b" if n > 4 else "a", "is_control": n < 5, "customer_id": str(n)}
            | {"log_usage_before": Decimal(str(x[n])), "log_usage_after": Decimal(str(y[n])), "is_shocked": False}
            | {"churned_on": date(2026, 12, 1) if n in (0, 5, 6) else None}
            for n in range(10)
        ),
    )
    bench.build("intermediate", "int_price_experiment_effects")

    ((effect, low, high, low_80),) = bench.rows(
        f"select effect, low_95, high_95, low_80 from {EFFECTS} where metric = 'usage'"
    )
    import numpy as np
    from scipy import stats

    design = np.column_stack([np.ones(10), np.repeat([0.0, 1.0], 5), x])
    solved, (rest,), *_ = np.linalg.lstsq(design, np.array(y), rcond=None)
    error = math.sqrt(rest / 7 * np.linalg.inv(design.T @ design)[1, 1])
    assert effect == pytest.approx(solved[1])
    assert high - effect == pytest.approx(stats.t.ppf(0.975, 7) * error, rel=2e-3)
    assert effect - low == pytest.approx(stats.t.ppf(0.975, 7) * error, rel=2e-3)
    assert effect - low_80 == pytest.approx(stats.t.ppf(0.9, 7) * error, rel=2e-3)


def test_shares_have_the_bands_that_newcombe_printed(bench: Experiments) -> None:
    # his table II, method 10: 56/70 against 48/80 gives 0.0524 to 0.3339
    counts = [("b", False, n < 56) for n in range(70)] + [("a", True, n < 48) for n in range(80)]
    bench.put(
        "intermediate.int_price_experiment_measures",
        *(
            {"experiment_id": "e", "variant": variant, "is_control": is_control, "customer_id": str(n)}
            | {"is_shocked": False, "churned_on": date(2026, 12, 1) if has_left else None}
            for n, (variant, is_control, has_left) in enumerate(counts)
        ),
    )
    bench.build("intermediate", "int_price_experiment_effects")

    ((low, high),) = bench.rows(f"select low_95, high_95 from {EFFECTS} where metric = 'churn'")
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


