"""Challengers: recipes from files, who serves after a failed one, and which of two figures is better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ml import comparison, gate, lineage, matrix, recipes, train_usage
from ml.errors import BadRecipe
from ml.forecast import Recipe
from ml.registry import USAGE, Entry


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{bad", "no readable JSON"),
        ("[1]", "it holds list"),
        ('{"tree": 3}', "unknown field 'tree'"),
        ('{"median": {"max_dept": 2}}', "median has unknown max_dept"),
        ('{"median_rounds": "many"}', "median_rounds is 'many'"),
        ('{"median_rounds": 0}', "at least 1"),
        ('{"features": ["customer_name"]}', "features has customer_name"),
        ('{"rows": 900000}', "at most 250000"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused_by_name(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(BadRecipe) as refused:
        recipes.read(path, matrix.FEATURES)
    assert why in str(refused.value)


def test_a_recipe_overrides_what_it_names_and_survives_its_spec(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text('{"median_rounds": 50, "median": {"max_depth": 4}}')
    recipe = recipes.read(path, matrix.FEATURES)
    assert (recipe.median_rounds, recipe.median["max_depth"]) == (50, 4)
    assert recipe.median["objective"] == Recipe().median["objective"]
    assert recipes.parse(json.loads(json.dumps(recipes.plain(recipe)))) == recipe
    path.write_text("{}")
    assert recipes.read(path, matrix.FEATURES) == Recipe()


@pytest.mark.parametrize(
    ("method", "recipe", "loses", "takes_over"),
    [
        ("xgboost", Recipe(), True, True),  # the recipe that serves has itself lost to the naive
        ("xgboost", Recipe(), False, False),  # better than the naive, but its bands or a segment failed
        ("xgboost", Recipe(rows=1), True, False),  # somebody tried something else
        ("weekday_mean", Recipe(), False, True),  # a naive serves: its bands are learned anew
        (None, Recipe(), False, True),
    ],
)
def test_after_a_failed_challenger_a_naive_serves_only_where_it_should(
    method: str | None, recipe: Recipe, loses: bool, takes_over: bool
) -> None:
    tags = {"method": method or "", "recipe": lineage.fingerprint(recipes.plain(Recipe()))}
    champion = Entry(USAGE, "1", "", tags, USAGE) if method else None
    nothing: Any = None
    contest = train_usage.Contest(nothing, nothing, recipe, {}, nothing, None, champion)
    assert contest.naive_takes_over(gate.Outcome(False, loses, "why", ())) is takes_over


@pytest.mark.parametrize(
    ("metric", "left", "right", "better"),
    [
        ("wape", 20.0, 19.0, 1),
        ("bias", -1.0, 2.0, 0),
        ("cov80", 0.86, 0.79, 1),
        ("cov95_sum", 0.95, 0.99, 0),
        ("pr_auc", 0.4, 0.3, 0),
        ("mase", 0.7, 0.7, None),
    ],
)
def test_better_means_less_error_a_nearer_target_or_more_of_the_rest(
    metric: str, left: float, right: float, better: int | None
) -> None:
    assert comparison.prefer(metric, left, right) == better
