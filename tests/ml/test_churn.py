"""Churn risk: two horizons held out in time beside logistic regression, reasons that add up, calm about thin data."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from ml import churn, churn_columns, churn_gate, churn_model, churn_scoring, splits, train_churn, warehouse
from ml.errors import LabelsOverlap
from ml.settings import Settings
from tests.ml import synthetic


def load(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    with warehouse.opened(path, 1) as connection:
        return churn.load(connection, synthetic.AS_OF)


@pytest.fixture(scope="module")
def company(trained: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    return load(trained.warehouse)


@pytest.fixture(scope="module")
def heads(company: tuple[pd.DataFrame, pd.DataFrame]) -> dict[int, train_churn.Fitted]:
    return {horizon: train_churn.fit(company[1], horizon, 1) for horizon in churn.HORIZONS}


def say(rows: pd.DataFrame, heads: dict[int, train_churn.Fitted]) -> pd.DataFrame:
    return churn_scoring.score(rows, {horizon: one.head for horizon, one in heads.items()})


def test_labels_that_had_not_matured_are_not_learned_from(company: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    rows, labelled = company
    assert len(rows) == 60
    assert (labelled["matured_on"] <= pd.Timestamp(synthetic.AS_OF)).all()
    newest = labelled.groupby("horizon_days")["as_of_date"].max()
    assert newest.to_dict() == {30: pd.Timestamp("2026-08-31"), 90: pd.Timestamp("2026-06-30")}


@pytest.mark.parametrize("waiting", [60, 120])
def test_training_labels_are_known_before_the_first_test_day(waiting: int) -> None:
    days = pd.date_range("2025-01-31", periods=20, freq="ME").to_numpy().astype("datetime64[D]").repeat(3)
    matured = days + np.full(days.size, np.timedelta64(waiting, "D"))
    split = splits.churn_holdout(days, matured)
    assert split is not None
    assert len(np.unique(days[split.test])) == 5
    assert (matured[split.train] <= np.datetime64(split.first_test)).all()
    assert not (split.train & split.test).any()


def test_a_split_whose_labels_reach_into_the_test_is_refused() -> None:
    known = np.array(["2026-03-01", "2026-04-02"], dtype="datetime64[D]")
    splits.assert_gap(known, np.datetime64("2026-04-02"))
    with pytest.raises(LabelsOverlap, match=r"1 training labels became known only by 2026-04-02.* 2026-04-01"):
        splits.assert_gap(known, np.datetime64("2026-04-01"))


def test_a_holdout_needs_labels_older_than_its_gap() -> None:
    days = np.array(["2026-01-31", "2026-02-28"], dtype="datetime64[D]")
    assert splits.churn_holdout(days, days + np.full(2, np.timedelta64(120, "D"))) is None


def test_labels_after_the_first_test_day_do_not_move_what_is_said_of_it(
    company: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    known = churn.modelled(company[1], 90)
    verdict = churn_gate.judge(known, 1)
    assert verdict.held_out is not None
    first = verdict.held_out.said["as_of"].min()
    late = known["matured_on"] > pd.Timestamp(first)
    poisoned = known.assign(is_churned=np.where(late, ~known["is_churned"].astype(bool), known["is_churned"]))
    again = churn_gate.judge(poisoned, 1)
    assert again.held_out is not None
    np.testing.assert_array_equal(again.held_out.contender, verdict.held_out.contender)
    np.testing.assert_array_equal(again.held_out.logistic, verdict.held_out.logistic)


def test_the_reasons_and_the_rest_add_up_to_the_margin_and_the_margin_to_the_probability(
    company: tuple[pd.DataFrame, pd.DataFrame], heads: dict[int, train_churn.Fitted]
) -> None:
    said = say(company[0], heads)
    assert said.groupby("customer_id").size().eq(2).all()
    shown = said["reasons"].map(lambda text: sum(one["contribution"] for one in json.loads(text)))
    total = said["base_margin"] + shown + said["other_contribution"]
    assert total.to_numpy() == pytest.approx(said["margin"].to_numpy(), abs=1e-9)
    assert said["probability"].to_numpy() == pytest.approx(1 / (1 + np.exp(-said["margin"].to_numpy())))


def test_the_first_reason_of_the_riskiest_is_what_drives_the_risk(
    company: tuple[pd.DataFrame, pd.DataFrame], heads: dict[int, train_churn.Fitted]
) -> None:
    said = say(company[0], heads)
    riskiest = json.loads(said["reasons"].iloc[int(said["probability"].argmax())])
    assert [one["rank"] for one in riskiest] == [1, 2, 3]
    # falling usage is one reason, however many features see it
    assert sum(one["feature"].startswith(("usage_left", "usage_ratio")) for one in riskiest) == 1
    assert riskiest[0]["feature"].startswith(("usage_ratio_28_91", "usage_left"))
    assert riskiest[0]["contribution"] > 0
    assert riskiest[0]["value"] < 1
    worded = [one for text in said["reasons"] for one in json.loads(text) if one["feature"] == "segment"]
    assert all(one["value"] is None and one["level"] in ("startup", "midmarket", "enterprise") for one in worded)


def test_ninety_days_never_say_less_than_thirty(
    company: tuple[pd.DataFrame, pd.DataFrame], heads: dict[int, train_churn.Fitted]
) -> None:
    swapped = {30: heads[90], 90: heads[30]}  # heads that contradict each other
    for pair in (heads, swapped):
        said = say(company[0], pair).pivot(index="customer_id", columns="horizon_days", values="probability")
        assert (said[90] >= said[30]).all()
    shown = say(company[0], swapped)
    assert (shown["baseline_probability"] <= 1).all()
    total = shown["base_margin"] + shown["other_contribution"]
    total += shown["reasons"].map(lambda text: sum(one["contribution"] for one in json.loads(text)))
    assert total.to_numpy() == pytest.approx(shown["margin"].to_numpy(), abs=1e-9)


@pytest.mark.parametrize("feature", ["usage_left_91", "usage_ratio_28_91", "usage_left_28"])
def test_falling_usage_never_lowers_the_contenders_risk(
    company: tuple[pd.DataFrame, pd.DataFrame], heads: dict[int, train_churn.Fitted], feature: str
) -> None:
    rows, labelled = company
    contender = replace(heads[90].verdict, method=churn_model.RIDGE)
    model = churn_gate.final(churn.modelled(labelled, 90), contender, 1)
    before, after = (
        model.say(churn_columns.matrix(some, model.columns)).margin
        for some in (rows, rows.assign(**{feature: rows[feature] * 0.5}))
    )
    assert (after >= before).all()
    assert (after > before).any() or feature != "usage_ratio_28_91"  # what the labels were drawn from


def test_signs_hold_in_every_part_of_a_blend_though_the_labels_say_otherwise() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(800, 3))
    label = (rng.uniform(size=800) < 1 / (1 + np.exp(1 - 2 * features[:, 0]))).astype(float)
    columns = [churn_columns.Column("a", sign=-1), churn_columns.Column("b"), churn_columns.Column("c", sign=1)]
    model = churn_model.fit(features, label, columns, churn_model.Recipe(1.0, 0.5), 1)
    assert model.ridge is not None
    assert model.ridge.weight[0] == 0
    higher = features + np.array([1.0, 0, 0])
    assert (model.say(higher).margin <= model.say(features).margin + 1e-6).all()
    said = model.say(features)
    assert model.booster is not None
    trees = churn_model.of_booster(model.booster, features)
    assert said.margin == pytest.approx(0.5 * model.ridge.margin(features) + 0.5 * trees.margin, abs=1e-6)


def test_who_has_asked_to_leave_is_not_learned_from_and_gets_the_share_that_left(
    company: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    rows, labelled = company
    asked = labelled["customer_id"].isin(["cus_000", "cus_001"])
    labelled = labelled.assign(
        state=np.where(asked, "leaving", "active"),
        is_churned=labelled["is_churned"] | (asked & (np.arange(len(labelled)) % 2 == 0)),
    )
    heads = {horizon: train_churn.fit(labelled, horizon, 1) for horizon in churn.HORIZONS}
    theirs = labelled[asked & (labelled["horizon_days"] == 90)]["is_churned"]
    share = (theirs.sum() + 0.5) / (len(theirs) + 1)
    said = say(rows.assign(state=np.where(rows["customer_id"] == "cus_000", "leaving", "active")), heads)
    one = said[(said["customer_id"] == "cus_000") & (said["horizon_days"] == 90)].iloc[0]
    assert (one["treatment"], one["reasons"]) == ("leaving", "[]")
    assert one["probability"] == one["baseline_probability"] == pytest.approx(share)
    assert one["base_margin"] == one["margin"]
    assert set(said[said["customer_id"] != "cus_000"]["treatment"]) == {"modelled"}
    others = labelled[~asked]
    assert train_churn.fit(others, 90, 1).head.model.ridge == heads[90].head.model.ridge


def test_labels_of_one_class_give_a_base_rate_and_no_reasons(tmp_path: Path) -> None:
    rows, labelled = load(synthetic.build(tmp_path / "w.duckdb", items=2, days=60, churn="none"))
    heads = {horizon: train_churn.fit(labelled, horizon, 1) for horizon in churn.HORIZONS}
    assert {(one.verdict.method, one.verdict.passed) for one in heads.values()} == {(churn_model.BASE_RATE, False)}
    said = say(rows, heads)
    expected = {horizon: 0.5 / (len(churn.modelled(labelled, horizon)) + 1) for horizon in churn.HORIZONS}
    expected[90] = max(expected.values())  # fewer labels have matured, so it knows less; it never says less
    assert said["probability"].tolist() == pytest.approx([expected[horizon] for horizon in said["horizon_days"]])
    assert said["baseline_probability"].tolist() == pytest.approx(said["probability"].tolist())
    assert set(said["reasons"]) == {"[]"}


def test_a_feature_without_any_value_weighs_nothing_and_breaks_nothing(
    company: tuple[pd.DataFrame, pd.DataFrame], heads: dict[int, train_churn.Fitted]
) -> None:
    rows, labelled = company
    assert labelled["months_since_upgrade"].isna().all()
    model = heads[90].head.model
    place = [column.name for column in model.columns].index("months_since_upgrade")
    for rule in (model.logistic, model.ridge):
        assert rule is not None
        assert rule.weight[place] == 0.0
    gone = rows.assign(**{name: np.nan for name in churn_columns.NUMERIC if name.startswith("usage")})
    assert np.isfinite(say(gone, heads)["probability"]).all()


def test_young_accounts_are_scored_at_the_horizons_that_have_labels(
    company: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    labelled = company[1][company[1]["horizon_days"] == 30]
    assert train_churn.horizons(labelled) == [30]
    few = labelled[labelled["as_of_date"] <= pd.Timestamp(date(2025, 1, 31))]
    verdict = churn_gate.judge(churn.modelled(few, 30), 1)
    assert verdict.method in (churn_model.LOGISTIC, churn_model.BASE_RATE)
    assert not verdict.passed
    assert verdict.reason.startswith(("too little matured history", "fewer than 10 labels"))


def test_the_card_says_what_serves_how_good_it_is_and_which_signs_are_held(trained: Settings) -> None:
    from ml import registry

    store = registry.connect(trained)
    entry = registry.champion(store, registry.CHURN)
    card = str(store.client.get_model_version(entry.name, entry.version).description)
    figures = json.loads(entry.tags["metrics"])
    assert "## Within 30 days" in card
    assert f"| log_loss | {figures['log_loss']:.3f} | {figures['log_loss_baseline']:.3f} |" in card
    for name, (_, why) in churn_columns.SIGNS.items():
        assert f"- {name}: " in card
        assert why in card


def test_what_was_said_of_held_out_months_is_kept_beside_the_scores(trained: Settings) -> None:
    (file,) = (trained.scores / "churn_backtest").glob("run=*.parquet")
    kept = duckdb.execute(f"select * from read_parquet('{file}', hive_partitioning = false)").fetch_df()
    assert set(kept["horizon_days"]) == {30, 90}
    assert kept["probability"].between(0, 1).all()
    assert not kept.duplicated(["account_id", "customer_id", "as_of", "horizon_days"]).any()
    matured = pd.to_datetime(kept["as_of"]) + pd.to_timedelta(kept["horizon_days"] + 30, unit="D")
    assert (matured <= pd.Timestamp(synthetic.AS_OF)).all()
