"""One training of the usage forecast: the challenger, the champion's recipe and the naives on the same cutoffs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import (
    backtest,
    comparison,
    drift,
    gate,
    intervals,
    lineage,
    matrix,
    model_plots,
    panel,
    paths,
    performance,
    promotion,
    recipes,
    registry,
    routes,
    scores,
)
from ml.artifacts import Candidate
from ml.errors import ArtifactIncomplete
from ml.figures import segments
from ml.forecast import Heads, Recipe, fit
from ml.routes import SEASONAL_NAIVE, WEEKDAY_MEAN, XGBOOST
from ml.settings import Settings

EXAMPLE_ROWS = 3
NAIVES = (WEEKDAY_MEAN, SEASONAL_NAIVE)


@dataclass(frozen=True)
class Contest:
    """What one training compares. serving: the champion's recipe where this code can fit it, None for a baseline."""

    items: panel.Panel
    periods: pd.DataFrame
    recipe: Recipe
    vocabulary: Mapping[str, Sequence[str]]
    block: backtest.Block
    serving: Recipe | None
    champion: registry.Entry | None

    def outcome(self, verdict: backtest.Verdict | None, threads: int) -> gate.Outcome:
        """Put everything before the gate; the champion's recipe is refitted on the same folds if it is another one."""
        said = {name: gate.Said(name, one.mean, one.median) for name, one in self.block.forecasts.items()}
        rival = None
        if verdict is not None and self.serving is not None and self.champion is not None and not self.is_refresh():
            again = backtest.run(self.items, self.serving, self.vocabulary, threads).forecasts[XGBOOST]
            rival = gate.Said(f"the recipe of champion {self.champion.version}", again.mean, again.median)
        return gate.judge(
            gate.HeldOut(
                self.block.actual,
                self.block.cutoff,
                self.items.item[self.block.picked],
                self.items.rows["meter_id"].to_numpy()[self.block.picked],
                judged_apart(self.items, self.block),
            ),
            said.get(XGBOOST) if verdict is not None else None,
            [said[name] for name in NAIVES if name in said],
            rival,
            coverage(verdict.figures) if verdict is not None else None,
        )

    def is_refresh(self) -> bool:
        """Whether the challenger is the champion's recipe on newer data."""
        return self.serving == self.recipe

    def naive_takes_over(self, outcome: gate.Outcome) -> bool:
        """Whether a failed challenger leaves the naive to serve.

        So if nothing serves yet, if a naive does (its bands are learned anew), or if the recipe that serves has itself
        lost to the naive on these cutoffs.
        """
        if self.champion is None:
            return True
        if self.champion.tags.get("recipe") != lineage.fingerprint(recipes.plain(self.recipe)):
            return False  # somebody tried something: the champion is not on trial
        return self.champion.tags.get("method") != XGBOOST or outcome.loses


def train(
    store: registry.Store,
    settings: Settings,
    items: panel.Panel,
    periods: pd.DataFrame,
    recipe: Recipe,
    stamp: scores.Run,
    say: Callable[[str], None],
    blocked: str = "",
) -> None:
    """Hold out, judge, fit on everything known, register as challenger; the gate decides whether it serves.

    periods: billing periods at the panel's origins, for the paths that dbt learns its bands from. blocked: why nothing
    may be promoted now (`promotion.admit`).
    """
    champion = registry.find(store, registry.USAGE)
    known = panel.vocabulary(items.rows, matrix.CATEGORIES)
    block = backtest.run(items, recipe, known, settings.threads)
    contest = Contest(items, periods, recipe, known, block, serving(store, champion), champion)
    heads = fit(items, items.as_of, known, settings.threads, recipe) if XGBOOST in block.forecasts else None
    verdict = backtest.judge(items, block, XGBOOST) if heads is not None else None
    outcome = contest.outcome(verdict, settings.threads)
    if verdict is not None:
        made = candidate(contest, verdict, heads, outcome, stamp)
        entry = registry.register(store, settings, made)
        if outcome.passed:
            if promotion.admit(store, entry, stamp.at, blocked, say):
                say(f"{entry.name} version {entry.version}: champion is {verdict.method} ({outcome.reason}).")
        else:
            say(f"{entry.name} version {entry.version}: challenger failed the gate ({outcome.reason}).")
        for line in comparison.headline(lineage.records(verdict.figures)):
            say(line)
    if not outcome.passed and contest.naive_takes_over(outcome):
        plain = backtest.judge(items, block, best_naive(contest))
        made = candidate(contest, plain, None, outcome, stamp)
        alias = None if verdict is not None else registry.CHALLENGER
        entry = registry.register(store, settings, made, alias)
        if promotion.admit(store, entry, stamp.at, blocked, say):
            say(f"{entry.name} version {entry.version}: champion is {plain.method} ({outcome.reason}).")
    elif not outcome.passed and champion is not None:
        say(f"{champion.name}: champion stays version {champion.version} (as-of {champion.tags['as_of']}).")


def serving(store: registry.Store, champion: registry.Entry | None) -> Recipe | None:
    """The recipe of an XGBoost champion, if this code can still fit it."""
    if champion is None or champion.tags.get("method") != XGBOOST:
        return None
    try:
        with registry.files(champion, store.uri) as folder:
            found = recipes.parse(registry.read_spec(champion, folder)["recipe"])
    except (ArtifactIncomplete, KeyError, ValueError):  # its files are gone, or it is of an older kind
        return None
    return found if set(found.features) <= set(matrix.FEATURES) else None


def judged_apart(items: panel.Panel, block: backtest.Block) -> dict[str, NDArray[np.bool_]]:
    """The segments that must not lose while the whole wins: demand classes, and the biggest items of each meter."""
    every = segments(items, block)
    return {name: rows for name, rows in every.items() if name.startswith(("class:", "top"))}


def best_naive(contest: Contest) -> str:
    """The baseline with the least held-out error; the weekday mean where no day was held out."""
    block = contest.block
    meter = contest.items.rows["meter_id"].to_numpy()[block.picked]
    held = gate.HeldOut(block.actual, block.cutoff, contest.items.item[block.picked], meter)
    said = [gate.Said(name, block.forecasts[name].mean, block.forecasts[name].median) for name in NAIVES]
    return gate.best_naive(held, said).name


def coverage(figures: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """cov80 and cov95 over all, of the challenger and of the naive."""
    rows = figures[(figures["segment"] == "all") & figures["metric"].isin(list(gate.RANGES))]
    values = rows[["value", "baseline_value"]].to_numpy(np.float64)
    return {str(name): (float(pair[0]), float(pair[1])) for name, pair in zip(rows["metric"], values, strict=True)}


def candidate(
    contest: Contest, verdict: backtest.Verdict, heads: Heads | None, outcome: gate.Outcome, stamp: scores.Run
) -> Candidate:
    """Everything that scoring and people need of one fitted version, or of a naive that takes over (no heads)."""
    items, recipe = contest.items, contest.recipe
    now = items.at(items.as_of)
    shapes = drift.item_features({name: values[now] for name, values in items.features.items()})
    figures = lineage.records(verdict.figures)
    measured = lineage.metrics(figures)
    data = lineage.digest(items.daily, items.item, items.position)
    plain = recipes.plain(recipe)
    few = now[:EXAMPLE_ROWS]
    example = matrix.build(items, few, np.ones(len(few), dtype=np.int64), contest.vocabulary, recipe.features)
    donors = paths.residuals(items, contest.block, verdict.method)
    drawn = paths.backtested(items, contest.block, verdict.method, contest.periods, donors)
    passed = "passed" if outcome.passed else "failed" if heads is not None else "failed: baseline serves"
    about = {"method": verdict.method, "data_hash": data, "as_of": items.as_of, "first_origin": items.origins().min()}
    return Candidate(
        model=registry.USAGE,
        method=verdict.method,
        spec={
            "method": verdict.method,
            "features": recipe.features,
            "recipe": plain,
            "horizon": items.horizon,
            "chosen": verdict.chosen,
            "vocabulary": contest.vocabulary,
            "bands": verdict.bands.table,
            "limits": performance.limits(items, contest.block, verdict.method),
            "figures": figures,
            "gate": [asdict(check) for check in outcome.checks],
            "references": {name: drift.summary(values) for name, values in shapes.items()},
        },
        tags={
            "as_of": items.as_of.isoformat(),
            "method": verdict.method,
            "gate": passed,
            "gate_reason": outcome.reason[:2000],
            "data_hash": data,
            "features": lineage.fingerprint(matrix.FEATURES),
            "recipe": lineage.fingerprint(plain),
            "trained_at": stamp.at.isoformat(),
            "metrics": lineage.overall(measured),
            **lineage.tags(),
        },
        params=lineage.flat({**plain, **about, "horizon": items.horizon, **lineage.code()}),
        metrics=measured,
        example=pd.DataFrame(example, columns=list(recipe.features)),
        boosters={"mean": heads.mean, "median": heads.median} if heads else {},
        main="median",  # the mean head goes on from it, so it says nothing alone
        pictures=pictures(contest, verdict, heads),
        frames={"residuals": donors, "backtest_paths": drawn},
    )


def pictures(contest: Contest, verdict: backtest.Verdict, heads: Heads | None) -> dict[str, bytes]:
    """Backtest, calibration and importance, as far as there is anything to show."""
    found = {}
    if heads is not None:
        found["importance.png"] = model_plots.importance({"mean": heads.mean, "median": heads.median})
    block = contest.block
    if not np.isfinite(block.actual).any():
        return found
    said, naive = block.forecasts[verdict.method], best_naive(contest)
    meter = contest.items.rows["meter_id"].to_numpy()[block.picked]
    plain = block.forecasts[naive].mean
    names = (verdict.method, naive)
    found["backtest.png"] = model_plots.backtest(block.actual, said.mean, plain, block.cutoff, meter, names)
    scale = intervals.own_scale(contest.items, block.picked)
    demand = routes.demand_class(contest.items, block.picked)
    bands = intervals.held_out_bands(block.actual, said.median, scale, demand, block.cutoff)
    several = len(np.unique(block.cutoff)) > 1
    origin = "each block by the others' errors" if several else "one block: normal bands"
    found["calibration.png"] = model_plots.calibration(block.actual, said.median, bands, intervals.QUANTILES, origin)
    return found
