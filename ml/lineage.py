"""Where a training run came from: the code, the data and the recipe, as short strings for MLflow."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
SECONDS = 10  # git on a dead network folder must not stop a training
LONGEST = 6000  # characters of a parameter that MLflow keeps


@functools.cache
def code() -> dict[str, str]:
    """code_hash of this package's files, and where they lie in a git repository its code_commit and code_is_dirty.

    Dirty: a file of this package differs from that commit. Asks git itself, reads no network and takes no lock.
    """
    found = {"code_hash": _hash(path.read_bytes() for path in sorted(HERE.glob("*.py")))}
    commit = _git("rev-parse", "HEAD")
    if commit and _git("ls-files", "--error-unmatch", Path(__file__).name):  # not the repository of a venv around us
        dirty = bool(_git("status", "--porcelain", "--", "."))
        found |= {"code_commit": commit, "code_is_dirty": str(dirty).lower()}
    return found


def tags() -> dict[str, str]:
    """The commit under the name by which MLflow's pages show it; nothing outside a repository."""
    commit = code().get("code_commit")
    return {"mlflow.source.git.commit": commit} if commit else {}


def digest(*arrays: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
    """First 16 hex digits of the SHA-256 of the arrays' bytes and shapes."""
    return _hash(part for one in arrays for part in (str(one.shape).encode(), np.ascontiguousarray(one).tobytes()))


def fingerprint(value: object) -> str:
    """Short name of a feature list or a recipe; another one, or another order of a list, gives another name."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _hash(["\n".join(str(one) for one in value).encode()])
    return _hash([json.dumps(value, sort_keys=True, default=str).encode()])


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested values as parameters: `mean.objective`, lists joined by commas, cut where MLflow would refuse."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            found[safe(f"{prefix}{name}")] = text[:LONGEST]
    return found


def metrics(figures: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Figures as MLflow metrics: `wape` and `wape_baseline` over all, `plan.pro/wape` of a segment; undefined left out.

    figures: rows of metric, segment, value, baseline_value.
    """
    found: dict[str, float] = {}
    for row in figures:
        segment = "" if row["segment"] == "all" else safe(str(row["segment"]).replace(":", ".")) + "/"
        for name, value in ((row["metric"], row["value"]), (f"{row['metric']}_baseline", row["baseline_value"])):
            key = f"{segment}{safe(name)}"
            while key in found:  # two plans whose names differ only in characters that MLflow refuses
                key += "_"
            if value is not None and np.isfinite(value):
                found[key] = float(value)
    return found


def records(figures: pd.DataFrame) -> list[dict[str, Any]]:
    """Figures as plain values for JSON; an undefined one is None."""
    rows: list[dict[str, Any]] = json.loads(figures.to_json(orient="records", double_precision=15))
    return rows


def overall(figures: Mapping[str, float]) -> str:
    """The figures over all (of `metrics`) as a version's tag, short enough to list."""
    return json.dumps({name: round(value, 6) for name, value in figures.items() if "/" not in name})


def safe(name: str) -> str:
    """A name that MLflow, and a file system under it, take: letters, digits, `_`, `-` and `.`."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:200] or "_"


def _git(*words: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        done = subprocess.run(
            [git, "-C", str(HERE), *words],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _hash(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]
