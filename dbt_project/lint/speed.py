"""Halves the time of sqlfluff, which loads this folder; no rule is lost.

sqlfluff compiles every macro of the project twice for each model that it renders: here, once for each process. And
Python looks for garbage while millions of pieces of syntax are alive: here, seldom.
"""

import gc
from types import CodeType
from typing import Any

from jinja2 import Environment

_compile: Any = Environment.compile
_compiled: dict[tuple[Any, ...], CodeType] = {}


def _compile_once(environment: Environment, *what: Any, **how: Any) -> CodeType:
    """Environment.compile; sqlfluff's environments differ in what templates see, not in how they are compiled."""
    key = (*what, *how.items())
    if key not in _compiled:
        _compiled[key] = _compile(environment, *what, **how)
    return _compiled[key]


Environment.compile = _compile_once  # type: ignore[assignment, method-assign] # jinja2 has no hook for it
gc.set_threshold(200_000, 20, 100)
