"""How strong a penalty and how much of the trees: by cross-validation, the simpler unless the data object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.churn_columns import Column
from ml.churn_model import Recipe, fit_booster, fit_ridge, of_booster
from ml.panel import Floats, Ints

# C, the weakest first. Weaker ones change nothing where labels are many, and where they are few chance picks them.
PENALTIES = (0.1, 0.03, 0.01, 0.003, 0.001)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the trees; none first
FOLDS = 4
ERRORS = 2  # standard errors by which trees must be better to be used
LEAST = 10  # of either class: with fewer no fold tells one recipe from another
CAUTIOUS = Recipe(0.03, 0.0)  # what is fitted then


def choose(
    features: Floats, label: Floats, group: NDArray[np.generic], columns: Sequence[Column], threads: int
) -> tuple[Recipe, Floats]:
    """The recipe, and each row's margin as said by models that had not seen its group, shape (rows,).

    group: shape (rows,); the rows of one customer are held out together, since their labels overlap. The penalty is
    the best one; of the trees' shares the smallest within two standard errors of the best is taken (Breiman et al.
    1984 take one): trees that are no better than chance on known rows cost ranking and calibration on later ones. The
    margins are NaN where no fold could be held out.
    """
    folds = folded(group)
    parts = [folds == fold for fold in range(FOLDS)]
    if any(min(counts(label[~part])) < LEAST or not part.any() for part in parts):
        return CAUTIOUS, np.full(len(label), np.nan)
    said = np.empty((len(PENALTIES), len(label)))
    for part in parts:
        for place, penalty in enumerate(PENALTIES):
            said[place, part] = fit_ridge(features[~part], label[~part], columns, penalty).margin(features[part])
    penalty = int(losses(label, said).mean(axis=1).argmin())
    trees = np.empty(len(label))
    for part in parts:
        trees[part] = of_booster(fit_booster(features[~part], label[~part], columns, threads), features[part]).margin
    mixed = np.stack([share * trees + (1 - share) * said[penalty] for share in SHARES])
    share = simplest(losses(label, mixed), group)
    return Recipe(PENALTIES[penalty], SHARES[share]), mixed[share]


def folded(group: NDArray[np.generic]) -> Ints:
    """A fold for each row, the same for all rows of a group; drawn once, by order of the groups' names."""
    names, place = np.unique(group, return_inverse=True)
    found: Ints = np.random.default_rng(7).permutation(len(names))[place] % FOLDS
    return found


def losses(label: Floats, margin: Floats) -> Floats:
    """Negative log likelihood of each row in nats, shape like `margin`: (choices, rows)."""
    found: Floats = np.logaddexp(0, margin) - label * margin
    return found


def simplest(loss: Floats, group: NDArray[np.generic]) -> int:
    """The first of the choices, loss (choices, rows), whose total is within two standard errors of the best one's.

    The errors are of the difference to the best, over groups, since rows of one customer go together.
    """
    best = int(loss.mean(axis=1).argmin())
    _, place = np.unique(group, return_inverse=True)
    for choice in range(best):
        worse = np.bincount(place, weights=loss[choice] - loss[best])
        if worse.sum() <= ERRORS * worse.std() * np.sqrt(len(worse)):
            return choice
    return best


def counts(label: Floats) -> tuple[int, int]:
    """Rows of each class."""
    return int(len(label) - label.sum()), int(label.sum())
