"""Recipes from files: which fields of the default one a person overrides to try a challenger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ml.errors import BadRecipe
from ml.forecast import Recipe

# XGBoost's own words besides those of the default; it would pass over a misspelt one in silence.
BOOSTING = frozenset(
    [
        *("max_depth", "eta", "gamma", "alpha", "lambda", "max_delta_step", "grow_policy", "max_leaves", "base_score"),
        *("colsample_bynode", "colsample_bylevel", "num_parallel_tree", "tweedie_variance_power", "huber_slope"),
    ]
)


def read(path: Path, features: Sequence[str]) -> Recipe:
    """The default recipe with the file's fields in place of its own; parameters of a head are merged into its own.

    features: all that this code can build. Raises BadRecipe, naming the field.
    """
    try:
        given = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadRecipe(path, f"it is no readable JSON ({error})") from error
    if not isinstance(given, dict):
        raise BadRecipe(path, f"it holds {type(given).__name__}, not an object of fields")
    default = asdict(Recipe())
    try:
        recipe = parse({name: _merged(default, name, value) for name, value in given.items()})
    except ValueError as error:
        raise BadRecipe(path, str(error)) from error
    unknown = sorted(set(recipe.features) - set(features))
    if unknown or not recipe.features:
        raise BadRecipe(path, f"features has {', '.join(unknown) or 'nothing'}; known are {', '.join(features)}")
    return recipe


def parse(given: Mapping[str, Any]) -> Recipe:
    """A recipe from JSON values, a version's spec or a file; fields that are not given are the default's.

    Raises ValueError on an unknown field, or a value of another kind than the default's.
    """
    default = Recipe()
    values: dict[str, Any] = {}
    for name, value in given.items():
        known = asdict(default)
        if name not in known:
            raise ValueError(f"it has an unknown field {name!r}; known are {', '.join(known)}")
        usual: Any = known[name]
        kinds: tuple[type, ...] = (type(usual),)
        kinds = (int, float) if kinds == (float,) else (list, tuple) if kinds == (tuple,) else kinds
        if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(usual, bool):
            raise ValueError(f"{name} is {value!r}; expected something like {json.dumps(usual)[:60]}")
        if isinstance(value, int) and not isinstance(value, bool) and value < 1 <= usual:
            raise ValueError(f"{name} is {value}; it must be at least 1")
        if name == "rows" and value > usual:
            raise ValueError(f"rows is {value}; a fit uses at most {usual}")
        values[name] = tuple(value) if isinstance(value, list) else value
    return replace(default, **values)


def plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON gives it back (lists for tuples), so that two recipes can be compared."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    return found


def _merged(default: Mapping[str, Any], name: str, value: Any) -> Any:
    usual = default.get(name)
    if not isinstance(usual, dict) or not isinstance(value, dict):
        return value
    if odd := sorted(set(value) - set(usual) - BOOSTING):
        raise ValueError(f"{name} has unknown {', '.join(odd)}; known are {', '.join(sorted({*usual, *BOOSTING}))}")
    return {**usual, **value}
