"""What sqlfluff renders macros with in dbt's place: `adapter.dispatch` finds the macro for DuckDB.

sqlfluff knows dbt's `ref`, `source` and `config` by itself, and not its `adapter`.
"""

from collections.abc import Callable
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context


@pass_context
def dispatch(context: Context, name: str, package: str = "meterwise") -> Callable[..., Any]:
    """The macro `duckdb__<name>`, or else `default__<name>`, as dbt would choose it."""
    known = context.get_all()
    for prefix in ("duckdb__", "default__"):
        if prefix + name in known:
            macro: Callable[..., Any] = known[prefix + name]
            return macro
    raise LookupError(f"there is no macro default__{name} in {package}")
