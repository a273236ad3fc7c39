"""Price experiments: what is refused, who gets which price, when what is told, and whether bands hold what they say."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.dbt_project.experiment_bench import (
    AS_OF,
    EFFECTS,
    REPLICATES,
    Z_80,
    Z_95,
    Customers,
    Experiments,
    candidate,
    design,
    drawn,
    newcombe_coverage,
    replicated,
    told,
    within,
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Experiments:
    return Experiments(tmp_path_factory.mktemp("experiments"))


@pytest.fixture(scope="module")
def replicates(bench: Experiments) -> pd.DataFrame:
    found = replicated(bench, Customers(180), REPLICATES)
    print(found.groupby(["metric", "is_null"])[["in_80", "in_95", "true", "effect"]].mean())
    return found


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
def test_bands_of_those_who_leave_hold_the_true_difference_as_often_as_newcombes_do(
    replicates: pd.DataFrame, is_null: bool
) -> None:
    churn = replicates[(replicates["metric"] == "churn") & (replicates["is_null"] == is_null)]

    for level, z in (("80", Z_80), ("95", Z_95)):
        assert within(churn[f"in_{level}"].mean(), newcombe_coverage(z, 0.06 if is_null else 0.12, 0.06))


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


def test_a_design_that_makes_no_sense_is_refused_with_its_row_named_and_the_others_go_on(bench: Experiments) -> None:
    wrong: dict[str, list[dict[str, Any]]] = {
        "there is no control": [{"price_book": "dearer"}, {"variant": "b", "price_book": "dearer"}],
        "there is more than one control": [{}, {"variant": "b"}],
        "no variant beside the control": [{}],
        "ends before it starts": design(ends_on="2026-10-01"),
        "is no date": design(starts_on="soon"),
        "a number is missing": design(most_risk="a lot"),
        "add up to more than 1": design(share="0.6"),
        "add up to less than 1": design(share="0.4"),
        "there is no price book nowhere": [{}, {"variant": "b", "price_book": "nowhere"}],
        "no active price is of that plan": design(plan="gold"),
        "two rows have this name": [{}, *[{"variant": "b", "price_book": "dearer", "share": "0.25"}] * 2],
        "do not agree": [{}, {"variant": "b", "price_book": "dearer", "ends_on": "2027-02-28"}],
        "fewer than 28 days": design(ends_on="2026-11-20"),
        "neither revenue nor usage": design(primary_metric="fame"),
        "refused: below the margin": [{}, {"variant": "b", "price_book": "cheap"}],
    }
    books = [
        {"book": "dearer", "is_refused": False},
        {"book": "cheap", "is_refused": True, "refusal": "below the margin"},
    ]
    bench.put("intermediate.int_price_books_judged", *books)
    names = {f"e{n}": problem for n, problem in enumerate(wrong)}
    rows = [row | {"experiment_id": name} for name, problem in names.items() for row in wrong[problem]]
    bench.designs(*rows, *design("sound"))

    found = dict(bench.rows("select distinct experiment_id, refusal from intermediate.int_price_experiments_judged"))
    assert found.pop("sound") is None
    assert found.keys() == names.keys()
    for name, problem in names.items():
        assert str(found[name]).startswith(f"experiment {name}, variant ")
        assert problem in str(found[name])


def test_variants_are_balanced_in_each_plan_and_size_and_who_comes_later_moves_nobody(bench: Experiments) -> None:
    bench.designs(*design())
    before = drawn(bench, *(candidate(n) for n in range(61)))
    after = drawn(bench, *(candidate(n) for n in range(90)))

    assert {name: after[name] for name in before} == before
    counts = Counter((stratum, variant) for variant, _, stratum in before.values())
    assert len(counts) == 6
    for stratum in {stratum for stratum, _ in counts}:
        assert abs(counts[stratum, "control"] - counts[stratum, "dearer"]) <= 1
    bench.designs(*design(seed="another"))
    other = drawn(bench, *(candidate(n, seed="another") for n in range(61)))
    assert 10 < sum(other[name] != before[name] for name in before) < 51


def test_unequal_shares_are_kept_in_every_block(bench: Experiments) -> None:
    shares = [{"share": "0.5"}, *({"variant": name, "price_book": "dearer", "share": "0.25"} for name in ("b", "c"))]
    bench.designs(*shares)
    found = drawn(bench, *(candidate(n, quantity=84) for n in range(40)))

    assert Counter(variant for variant, _, _ in found.values()) == {"control": 20, "b": 10, "c": 10}


def test_each_reason_not_to_take_part_is_told_and_a_segment_gives_no_more_than_its_share(bench: Experiments) -> None:
    bench.designs(*design())
    bench.put("seeds.contract_locks", {"customer_id": "cus_3", "locked_until": "2027-06-30"}, {"customer_id": "cus_90"})
    risk = {"customer_id": "cus_5", "probability": 0.31, "is_current": True, "horizon_days": 90}
    bench.put("marts.churn_risk", risk, risk | {"customer_id": "cus_91", "probability": 0.3})
    said = {"experiment_id": "old", "customer_id": "cus_6", "variant": "control", "as_of": date(2026, 1, 31)}
    bench.put("staging.stg_ml__price_assignments_said", said)
    reasons: dict[str, dict[str, Any]] = {
        "past_due": {"status": "past_due"}, "cancelled": {"is_ending": True}, "not_active": {"status": "trialing"},
        "contract": {}, "discount": {"has_discount": True}, "at_risk": {}, "assigned_before": {},
        "two_subscriptions": {"items_n": 2}, "other_price": {"is_in_catalogue": False},
        "no_variant_price": {"is_priced": False}, "too_new": {"first_day": date(2026, 8, 10)},
        "no_usage": {"quantity": 0},
    }  # fmt: skip
    barred = [candidate(n, **more) for n, more in enumerate(reasons.values())]
    others = [candidate(n, most_share=0.3) for n in range(20, 70)]
    found = drawn(bench, *barred, *others, candidate(91, segment="b", first_day=date(2026, 8, 9)))

    assert [found[f"cus_{n}"][1] for n in range(len(barred))] == list(reasons)
    assert sum(found[f"cus_{n}"][0] is not None for n in range(20, 70)) == 15
    assert {found[f"cus_{n}"][1] for n in range(20, 70)} == {None, "over_share"}
    assert found["cus_91"][0] is not None
    told = "select count(*) from marts.price_experiment_assignments where (exclusion is null) != (reason is null)"
    assert bench.rows(told) == [(0,)]
    for table in ("seeds.contract_locks", "marts.churn_risk", "staging.stg_ml__price_assignments_said"):
        bench.put(table)


def test_a_customer_is_in_one_experiment_and_in_what_was_said_when_it_began(bench: Experiments) -> None:
    bench.designs(*design("first"), *design("second", starts_on="2026-11-10"))
    both = [
        candidate(n, name, starts_on=date(2026, 11, day))
        for name, day in (("first", 1), ("second", 10))
        for n in (1, 2)
    ]
    drawn(bench, *both)
    query = "select experiment_id, variant is null, exclusion from marts.price_experiment_assignments order by all"
    assert bench.rows(query) == [("first", False, None)] * 2 + [("second", True, "other_experiment")] * 2

    kept = {"experiment_id": "first", "customer_id": "cus_1", "variant": "dearer", "as_of": AS_OF}
    bench.put("staging.stg_ml__price_assignments_said", kept)
    bench.designs(*design("first"))
    assert drawn(bench) == {"cus_1": ("dearer", None, None)}
    assert bench.rows("select enrolled_on from marts.price_experiment_assignments") == [(AS_OF,)]
    bench.put("staging.stg_ml__price_assignments_said")


@pytest.mark.parametrize(
    ("day", "usage", "churn", "state", "verdict"),
    [
        ("2026-10-30", (-0.1, 0.01), (0.0, 0.1), "planned", None),
        ("2026-10-31", (-0.1, 0.01), (0.0, 0.1), "running", None),
        ("2027-01-29", (-0.1, 0.01), (0.0, 0.1), "running", None),
        ("2027-01-29", (-0.1, 0.01), (0.06, 0.07), "running", None),  # no more than chance
        ("2027-01-29", (-0.1, 0.01), (0.04, 0.01), "running", None),  # no more than allowed
        ("2027-01-29", (0.1, 0.01), (0.06, 0.05), "stopped_by_guardrail", None),
        ("2027-01-30", (0.1, 0.01), (0.0, 0.1), "ended", "winner"),
        ("2027-01-30", (0.1, 0.01), (0.06, 0.05), "ended", "loser"),
        ("2027-01-30", (-0.1, 0.04), (0.0, 0.1), "ended", "loser"),
        ("2027-01-30", (0.01, 0.01), (0.0, 0.1), "ended", "no_difference_shown"),
        ("2027-01-30", (0.03, 0.02), (0.0, 0.1), "ended", "underpowered"),
    ],
)
def test_nothing_is_told_before_the_end_but_what_must_stop_it(
    bench: Experiments,
    day: str,
    usage: tuple[float, float],
    churn: tuple[float, float],
    state: str,
    verdict: str | None,
) -> None:
    kept = [
        {"experiment_id": "up", "customer_id": name, "variant": name, "as_of": AS_OF} for name in ("control", "dearer")
    ]
    bench.put("staging.stg_ml__price_assignments_said", *kept)
    found, judged, effect, said, left = told(bench, date.fromisoformat(day), usage, churn)

    assert (found, judged) == (state, verdict)
    assert (effect is not None) == (state == "ended")
    # the shares that may stop it are half of a comparison, too
    assert (left is not None) == (state in ("ended", "stopped_by_guardrail"))
    assert ("rose by half or more" in said) == (verdict == "loser" or state == "stopped_by_guardrail")
    if state == "ended":
        assert f"{100 * (math.exp(usage[0]) - 1):.1f} %" in said
    draft = told(bench, date.fromisoformat(day), usage, churn, is_released="false")
    assert draft[:3] == ["draft", None, None]
    bench.put("staging.stg_ml__price_assignments_said")


@pytest.mark.parametrize(("day", "verdict"), [("2027-01-29", "refused"), ("2027-01-30", "ended")])
def test_what_an_experiment_has_told_stays_when_its_book_goes(bench: Experiments, day: str, verdict: str) -> None:
    bench.put("intermediate.int_price_books_judged")
    found = told(bench, date.fromisoformat(day), (0.1, 0.01), (0.0, 0.1))

    assert found[0] == verdict
    bench.put("intermediate.int_price_books_judged", {"book": "dearer", "is_refused": False})


def test_a_design_that_is_changed_after_its_start_is_refused_and_stopping_it_is_no_change(bench: Experiments) -> None:
    bench.put("intermediate.int_as_of", {"as_of": date(2027, 1, 15)})
    query = "select min(refusal), min(fixed) from intermediate.int_price_experiments_judged"
    bench.designs(*design())
    ((_, fixed),) = bench.rows(query)
    kept = {"experiment_id": "up", "customer_id": "cus_1", "variant": "dearer", "as_of": AS_OF, "design": fixed}
    bench.put("staging.stg_ml__price_assignments_said", kept)

    for change, is_refused in (({}, False), ({"is_released": "false"}, False), ({"ends_on": "2027-02-28"}, True)):
        bench.designs(*design(**change))
        ((refusal, _),) = bench.rows(query)
        assert ("is not what it was then any more" in str(refusal)) == is_refused
    bench.put("staging.stg_ml__price_assignments_said")
    bench.put("intermediate.int_as_of", {"as_of": AS_OF})
