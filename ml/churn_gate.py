"""Held-out months decide what serves: the contender, plain logistic regression, or the base rate.

The contender is penalised and mixed with trees by cross-validation within the training months. It serves if it beats
plain logistic regression on log loss or PR-AUC, is calibrated, and loses nowhere by much. Limits on calibration allow
for chance: 300 customers of whom 20 leave miss any limit now and then though every probability is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import churn_columns, metrics, splits
from ml.churn_choice import CAUTIOUS, FOLDS, LEAST, choose, counts, folded
from ml.churn_model import BASE_RATE, LOGISTIC, Model, Recipe, calibrated, fit, rate, sigmoid
from ml.gate import WORSE, Check
from ml.panel import Floats

ECE_LIMIT = 0.04  # of the newest held-out month
SLOPE = (0.8, 1.2)  # of the calibration line over all held-out months
SURE_ERRORS = 2  # standard errors of the paired difference that a segment must lose by
SURE = 0.95  # a limit is broken only where chance alone would do it less often than 1 in 20
DRAWS, SEED = 400, 7
SEGMENT_LEAST = 10  # of either class, without which a segment's figure is luck
NEW_DAYS = 180
Rule = Callable[[Floats, Floats], float]
RULES: dict[str, Rule] = {
    "log_loss": metrics.log_loss,
    "pr_auc": metrics.pr_auc,
    "roc_auc": metrics.roc_auc,
    "brier": metrics.brier,
    "ece": metrics.ece,
    "slope": lambda label, said: metrics.calibration_line(label, said)[1],
    "lift10": metrics.lift,
}
FIGURES = ("metric", "segment", "value", "baseline_value", "n")


@dataclass(frozen=True)
class HeldOut:
    """Labels of the held-out months, and what the contender and the plain logistic regression said of them.

    group: whose row it is. said: the rows' keys and label with the probability of what serves, rows of the score table
    `churn_backtest`.
    """

    label: Floats
    contender: Floats
    logistic: Floats
    base_rate: float
    newest: NDArray[np.bool_]
    segments: Mapping[str, NDArray[np.bool_]]
    group: NDArray[np.generic]
    said: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Verdict:
    """What serves one horizon, why, and the figures of what serves beside plain logistic regression's.

    shift, slope: calibration that the contender needs (0 and 1: none). held_out None: no month could be held out.
    """

    method: str
    passed: bool
    reason: str
    recipe: Recipe = CAUTIOUS
    shift: float = 0.0
    slope: float = 1.0
    checks: list[Check] = field(default_factory=list)
    figures: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({name: [] for name in FIGURES}))
    held_out: HeldOut | None = None


def judge(labelled: pd.DataFrame, threads: int) -> Verdict:
    """Hold out the newest as-of dates of one horizon's labels (`churn.load`) and ask the questions.

    With one class, or under 10 rows of either, nothing can be learned: the base rate serves. Without enough matured
    months to hold any out, plain logistic regression does, unjudged.
    """
    label = labelled["is_churned"].to_numpy(np.float64)
    stayed, left = counts(label)
    if min(stayed, left) < LEAST:
        one = "labels have one class" if min(stayed, left) == 0 else f"fewer than {LEAST} labels of one class"
        return Verdict(BASE_RATE, False, f"{one} ({left} of {len(label)} churned)")
    days, matured = (labelled[name].to_numpy().astype("datetime64[D]") for name in ("as_of_date", "matured_on"))
    split = splits.churn_holdout(days, matured)
    if split is None or min(counts(label[split.train])) < LEAST or min(counts(label[split.test])) == 0:
        return Verdict(LOGISTIC, False, "too little matured history to hold dates out")
    known, asked = labelled[split.train], labelled[split.test]
    columns = churn_columns.of_product(known)
    features = churn_columns.matrix(known, columns)
    recipe, _ = choose(features, label[split.train], customers(known), columns, threads)
    model = fit(features, label[split.train], columns, recipe, threads)
    later = churn_columns.matrix(asked, columns)
    newest = days[split.test] == days.max()
    held = HeldOut(
        label[split.test],
        model.say(later).probability,
        model.say_plain(later).probability,
        model.base_rate,
        newest,
        segments(asked),
        customers(asked),
    )
    checks, shift, slope = ask(held), 0.0, 1.0
    mended = None if all(check.passed for check in checks) else recalibrated(held)
    if mended is not None:
        again = ask(replace(held, contender=mended[0]))
        if all(check.passed for check in again):
            checks, (said_again, shift, slope) = again, mended
            held = replace(held, contender=said_again)
    failed = [check.text for check in checks if not check.passed]
    method, serves, why = model.method, held.contender, "; ".join(failed) or checks[0].text
    if failed:
        fallback = metrics.log_loss(held.label, held.logistic) < metrics.log_loss(
            held.label, np.full(len(held.label), held.base_rate)
        )
        method = LOGISTIC if fallback else BASE_RATE
        serves = held.logistic if fallback else np.full(len(held.label), held.base_rate)
    reason = f"{why}, from {split.first_test} on"
    said = asked[["account_id", "customer_id", "horizon_days", "is_churned"]].assign(as_of=asked["as_of_date"].dt.date)
    held = replace(held, said=said.assign(probability=serves))
    return Verdict(method, not failed, reason, recipe, shift, slope, checks, figures(held, serves), held)


def ask(held: HeldOut) -> list[Check]:
    """The questions, each with its answer in words; the first is whether plain logistic regression is beaten."""
    loss = [metrics.log_loss(held.label, said) for said in (held.contender, held.logistic)]
    area = [metrics.pr_auc(held.label, said) for said in (held.contender, held.logistic)]
    text = f"log loss {loss[0]:.4f} against logistic {loss[1]:.4f}, PR-AUC {area[0]:.3f} against {area[1]:.3f}"
    found = [Check("beats_logistic", loss[0] < loss[1] or area[0] > area[1], loss[0], loss[1], text)]
    label, said = held.label[held.newest], held.contender[held.newest]
    ece = metrics.ece(label, said)
    limit = allowed_ece(said)
    text = f"ECE {ece:.3f} at the newest date ({ECE_LIMIT} allowed, {limit:.3f} with so many rows)"
    found.append(Check("ece", ece <= limit, ece, limit, text))
    slope, low, high = slope_range(held.label, held.contender, held.group)
    text = f"calibration slope {slope:.2f} ({low:.2f} to {high:.2f}; {SLOPE[0]} to {SLOPE[1]} wanted)"
    good = bool(np.isnan(slope) or (low <= SLOPE[1] and high >= SLOPE[0]))
    found.append(Check("slope", good, slope, SLOPE[1] if slope > 1 else SLOPE[0], text))
    for name, rows in sorted(held.segments.items()):
        if min(counts(held.label[rows])) < SEGMENT_LEAST:
            found.append(Check(name, True, None, None, f"{name}: too few labels to judge"))
            continue
        ours, theirs = (row_losses(held.label[rows], said[rows]) for said in (held.contender, held.logistic))
        worse = float(ours.sum() / theirs.sum()) - 1
        _, place = np.unique(held.group[rows], return_inverse=True)
        apart = np.bincount(place, weights=ours - theirs)
        chance = SURE_ERRORS * float(apart.std() * np.sqrt(len(apart)) / theirs.sum())
        text = f"{name}: log loss {100 * worse:+.1f} % against logistic ({100 * chance:.1f} % by chance)"
        found.append(Check(name, worse <= max(WORSE, chance), worse, WORSE, text))
    return found


def row_losses(label: Floats, said: Floats) -> Floats:
    """Negative log likelihood of each row in nats."""
    held = np.clip(said, 1e-7, 1 - 1e-7)
    return np.asarray(-(label * np.log(held) + (1 - label) * np.log(1 - held)))


def slope_range(label: Floats, said: Floats, group: NDArray[np.generic]) -> tuple[float, float, float]:
    """Slope of the calibration line with its 95 % interval, which knows that one customer's months go together."""
    _, slope, error = metrics.calibration_line(label, said, group)
    return slope, slope - 1.96 * error, slope + 1.96 * error


def allowed_ece(said: Floats) -> float:
    """The limit where rows are enough to show it; where chance alone exceeds it, chance on top of it."""
    chance = expected_ece(said)
    return ECE_LIMIT if chance <= ECE_LIMIT else ECE_LIMIT + chance


def expected_ece(said: Floats) -> float:
    """The ECE that a perfectly calibrated forecast of these probabilities exceeds 1 time in 20, by drawing labels."""
    if not said.size:
        return 0.0
    rng = np.random.default_rng(SEED)
    drawn = [metrics.ece(rng.random(len(said)) < said, said) for _ in range(DRAWS)]
    return float(np.quantile(drawn, SURE))


def recalibrated(held: HeldOut) -> tuple[Floats, float, float] | None:
    """The contender's held-out probabilities on Platt's line, and the line's shift and slope; None if there is none.

    Asked for only where the gate says no. The line comes from the held-out months, which are later than what was
    learned from; each customer is judged by one that did not see it.
    """
    margin = np.log(held.contender / (1 - held.contender))
    folds, said = folded(held.group), np.empty(len(margin))
    for fold in [*range(FOLDS), FOLDS]:  # the last leaves nobody out
        part = folds == fold
        if min(counts(held.label[~part])) < LEAST:
            return None
        shift, slope, _ = metrics.calibration_line(held.label[~part], held.contender[~part])
        if not slope > 0:
            return None
        said[part] = sigmoid(shift + slope * margin[part])
    return said, shift, slope


def final(labelled: pd.DataFrame, verdict: Verdict, threads: int) -> Model:
    """What won, fitted again on every matured label."""
    label = labelled["is_churned"].to_numpy(np.float64)
    columns = churn_columns.of_product(labelled)
    if verdict.method == BASE_RATE:
        return Model(BASE_RATE, columns, rate(label))
    model = fit(churn_columns.matrix(labelled, columns), label, columns, verdict.recipe, threads)
    if verdict.method == LOGISTIC:
        return replace(model, method=LOGISTIC, ridge=None, booster=None, share=0.0)
    return calibrated(model, verdict.shift, verdict.slope)


def figures(held: HeldOut, serves: Floats) -> pd.DataFrame:
    """metric, segment, value, baseline_value (plain logistic regression's), n: over all, at the newest month and by
    segment where it has labels of both classes enough.
    """
    found = [
        (name, "all", rule(held.label, serves), rule(held.label, held.logistic), len(held.label))
        for name, rule in RULES.items()
    ]
    parts = {"newest": held.newest, **held.segments}
    for segment, rows in sorted(parts.items()):
        if min(counts(held.label[rows])) >= SEGMENT_LEAST or (segment == "newest" and rows.any()):
            found += [
                (
                    name,
                    segment,
                    RULES[name](held.label[rows], serves[rows]),
                    RULES[name](held.label[rows], held.logistic[rows]),
                    int(rows.sum()),
                )
                for name in ("log_loss", "brier", "ece")
            ]
    return pd.DataFrame(found, columns=list(FIGURES))


def segments(rows: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Rows of each part that must not lose: new and old customers, plans by rank, the tenth that pays most."""
    new = rows["tenure_days"].to_numpy(np.float64) < NEW_DAYS
    found = {"tenure:new": new, "tenure:old": ~new}
    for rank in np.unique(rows["plan_rank"].dropna().to_numpy(np.float64)):
        found[f"plan_rank:{rank:.0f}"] = rows["plan_rank"].to_numpy(np.float64) == rank
    paid = rows.groupby("as_of_date")["mrr_minor"].rank(pct=True)
    return found | {"mrr:top_tenth": paid.to_numpy(np.float64) > 0.9}


def customers(rows: pd.DataFrame) -> NDArray[np.generic]:
    """Who each row is of: rows of one customer are held out together."""
    return np.asarray(rows["account_id"].astype(str) + "/" + rows["customer_id"].astype(str))
