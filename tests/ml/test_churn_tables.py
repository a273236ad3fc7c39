"""`python -m ml bench churn`: any flat table, its columns typed by looking at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from ml import churn_choice, churn_model, churn_tables, metrics
from ml.churn_columns import Column
from ml.settings import Settings
from tests.ml.conftest import Cli

ROWS = 900


def customers(rows: int, seed: int) -> pd.DataFrame:
    """Tenure as text with blanks, words, flags, a rare word, an id, a free text, a constant, an empty column, days."""
    rng = np.random.default_rng(seed)
    tenure, plan = rng.integers(1, 70, rows), rng.choice(["month", "year", "two years"], rows, p=[0.5, 0.3, 0.2])
    margin = 1.5 - 0.06 * tenure + np.where(plan == "month", 1.0, -1.0)
    left = rng.uniform(size=rows) < 1 / (1 + np.exp(-margin))
    found = pd.DataFrame({"who": [f"c{seed}-{number}" for number in range(rows)], "tenure": tenure, "plan": plan})
    found["paid"] = [f"{value:.2f}" for value in tenure * rng.uniform(20, 90, rows)]
    found.loc[rng.uniform(size=rows) < 0.05, "paid"] = " "
    found["senior"] = rng.integers(0, 2, rows)
    found["note"] = [f"talked to {number} about {seed}" for number in rng.permutation(rows)]
    found["country"] = np.where(rng.uniform(size=rows) < 0.005, "Nauru", "Peru")
    found["constant"], found["empty"] = "same", ""
    found["since"] = pd.Timestamp("2026-01-01") - pd.to_timedelta(tenure, unit="D")
    found["seen"] = f"2026-0{1 + seed % 9}-01"
    found["left"] = np.where(left, "yes", "no")
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    customers(ROWS, 1).to_csv(folder / "train.csv", index=False)
    customers(400, 2).to_csv(folder / "truth.csv", index=False)
    customers(400, 2).drop(columns="left").to_csv(folder / "test.csv", index=False)
    return folder


@pytest.fixture
def churn(cli: Cli, files: Path, tmp_path: Path) -> Cli:
    """Runs the command on a train and a test file; returns what it left, printed, and said."""

    def run(
        settings: Settings, train: str | Path, test: str | Path = "test.csv", **options: str
    ) -> tuple[int, str, str]:
        given = {"id": "who", "label": "left", "positive": "yes", "output": str(tmp_path / "out.csv")} | options
        named = [part for name, value in given.items() for part in (f"--{name}", value)]
        return cli(settings, "bench", "churn", "--train", str(files / train), "--test", str(files / test), *named)

    return run


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path, f"sqlite:///{tmp_path}/none.db", threads=1)


def test_every_row_gets_a_calibrated_probability_that_ranks_better_than_chance(
    churn: Cli, settings: Settings, files: Path, tmp_path: Path
) -> None:
    code, out, err = churn(settings, "train.csv")
    assert (code, err) == (0, "")
    said, truth = pd.read_csv(tmp_path / "out.csv"), pd.read_csv(files / "truth.csv")
    assert said["who"].tolist() == truth["who"].tolist()
    label = (truth["left"] == "yes").to_numpy(np.float64)
    assert said["probability"].between(0, 1).all()
    assert metrics.roc_auc(label, said["probability"]) > 0.8
    assert metrics.log_loss(label, said["probability"]) < metrics.log_loss(label, said["baseline_probability"]) + 0.01
    assert out.startswith("400 probabilities by ")
    assert "learned from 900 rows" in out


def test_the_types_of_columns_are_found_by_looking(files: Path) -> None:
    known, asked = (churn_tables.read(files / name, ["who"]) for name in ("train.csv", "test.csv"))
    table = churn_tables.inspect(known, asked, ["who", "left"])
    forms = {(column.feature, column.form, column.level) for column in table.columns}
    assert {("tenure", "logged", ""), ("paid", "logged", ""), ("paid", "missing", ""), ("senior", "plain", "")} <= forms
    assert {("plan", "level", "year"), ("plan", "level", "two years"), ("since", "days", "")} <= forms
    assert not any(feature == "country" for feature, _, _ in forms)  # its second word is too rare to stand alone
    assert table.left_out["note"] == "900 different words in 900 rows"
    assert (table.left_out["constant"], table.left_out["empty"]) == ("one value", "no value")
    assert table.left_out["seen"] == "one value"
    later = churn_tables.inspect(known.assign(seen=["2026-01-01", "2026-02-01"] * 450), asked, ["who", "left"])
    assert later.left_out["seen"] == "dates beyond those learned from"
    assert (
        churn_tables.inspect(known, asked.drop(columns="plan"), ["who"]).left_out["plan"].startswith("not in the rows")
    )


def test_words_never_seen_and_unknown_numbers_are_scored_too(churn: Cli, settings: Settings, tmp_path: Path) -> None:
    odd = customers(30, 2).assign(plan="forever", paid="?", tenure="n/a")
    odd.drop(columns="left").to_csv(tmp_path / "odd.csv", index=False)
    assert churn(settings, "train.csv", tmp_path / "odd.csv")[0] == 0
    assert pd.read_csv(tmp_path / "out.csv")["probability"].between(0.01, 0.99).all()


def test_rows_without_a_label_are_left_out_with_a_sentence(churn: Cli, settings: Settings, tmp_path: Path) -> None:
    rows = customers(ROWS, 1)
    rows.loc[:99, "left"] = ""
    rows.to_csv(tmp_path / "train.csv", index=False)
    code, out, _ = churn(settings, tmp_path / "train.csv")
    assert code == 0
    assert "learned from 800 rows" in out
    assert "100 rows without left were not learned from." in out


@pytest.mark.parametrize(("label", "share"), [("no", 0.5 / 901), ("yes", 900.5 / 901), ("", 0.5)])
def test_labels_of_one_class_give_everybody_the_base_rate(
    churn: Cli, settings: Settings, tmp_path: Path, label: str, share: float
) -> None:
    customers(ROWS, 1).assign(left=label).to_csv(tmp_path / "train.csv", index=False)
    code, out, _ = churn(settings, tmp_path / "train.csv")
    assert code == 0
    assert "too few rows of one class" in out
    assert pd.read_csv(tmp_path / "out.csv")["probability"].tolist() == pytest.approx([share] * 400)


def test_files_that_are_no_table_of_customers_are_refused_with_what_is_missing(
    churn: Cli, settings: Settings, tmp_path: Path
) -> None:
    code, _, err = churn(settings, "train.csv", label="churned")
    assert code == 2
    assert "it lacks churned; it has who, tenure" in err
    (tmp_path / "empty.csv").write_text("who,left\n")
    assert "it has no rows" in churn(settings, tmp_path / "empty.csv")[2]
    (tmp_path / "torn.csv").write_bytes(b"\xff\xfe\x00\x01")
    assert "cannot be read as CSV" in churn(settings, tmp_path / "torn.csv")[2]


def test_a_positive_that_no_label_has_is_refused_and_odd_dates_and_sizes_are_borne(
    churn: Cli, settings: Settings, tmp_path: Path
) -> None:
    assert "no left is gone; its values are no, yes" in churn(settings, "train.csv", positive="gone")[2]
    for name, rows in (("train", customers(ROWS, 1)), ("test", customers(20, 2))):
        at = [f"{day}T00:00:00+0{row % 3}:00" for row, day in enumerate(rows["since"].dt.date)]
        odd = rows.assign(since=["0001-01-01", *at[1:]], size=np.where(rows["senior"] == 1, -1e200, 1e200))
        odd.to_csv(tmp_path / f"{name}.csv", index=False)
    assert churn(settings, tmp_path / "train.csv", tmp_path / "test.csv")[0] == 0
    assert pd.read_csv(tmp_path / "out.csv")["probability"].between(0, 1).all()


def test_one_positive_may_be_written_in_several_ways() -> None:
    rows = pd.DataFrame({"left": ["1", "1.0", "0", "yes", None]})
    kept, label = churn_tables.known_labels(rows, "left", "1")
    assert (len(kept), label.tolist()) == (4, [1.0, 1.0, 0.0, 0.0])
    assert churn_tables.known_labels(rows, "left", "Yes")[1].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_trees_are_used_where_they_are_shown_to_help_and_not_where_a_line_is_the_truth() -> None:
    rng = np.random.default_rng(5)
    features, group = rng.normal(size=(1500, 3)), np.arange(1500)
    columns = [Column(name) for name in "abc"]
    line = 1 / (1 + np.exp(1 - features[:, 0]))
    valley = np.where(np.abs(features[:, 0]) > 0.8, 0.7, 0.1)
    shares = []
    for truth in (line, valley):
        label = (rng.uniform(size=1500) < truth).astype(float)
        shares.append(churn_choice.choose(features, label, group, columns, 1)[0].share)
    assert shares[0] == 0
    assert shares[1] >= 0.75


def test_plain_logistic_regression_is_the_one_that_everybody_runs() -> None:
    rng = np.random.default_rng(6)
    features = rng.normal(size=(500, 4)) * [1, 5, 0.1, 1] + [0, 3, 0, 0]
    label = (rng.uniform(size=500) < 0.3).astype(float)
    features[:, 3] = np.where(rng.uniform(size=500) < 0.2, np.nan, features[:, 3])
    rule = churn_model.fit_logistic(features, label)
    filled = np.where(np.isnan(features), np.nanmedian(features, axis=0), features)
    scaled = (filled - filled.mean(axis=0)) / filled.std(axis=0)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(scaled, label)
    assert rule.weight == pytest.approx(theirs.coef_[0].tolist(), abs=1e-5)
    assert rule.margin(features) == pytest.approx(theirs.decision_function(scaled), abs=1e-5)


def test_classes_that_part_cleanly_still_give_finite_probabilities() -> None:
    features = np.linspace(-1, 1, 200)[:, None]
    label = (features[:, 0] > 0).astype(float)
    rule = churn_model.fit_logistic(features, label)
    assert np.isfinite(rule.margin(features)).all()
    assert metrics.log_loss(label, churn_model.sigmoid(rule.margin(features))) < 0.2
