"""`python -m tests.oracles.loading_page` writes the tables of docs/loading.md from what the loader reads."""

import re
from collections.abc import Callable

from dlt_pipelines.problems import PROBLEMS
from dlt_pipelines.stripe_api import ACCOUNT, EVENTS, KINDS, LEFT_OUT, SUMMARIES_PERMISSION, Kind, Nested
from tests.commands import ROOT

PAGE = ROOT / "docs" / "loading.md"
RULE = "|---"


def kinds() -> list[str]:
    """One line per table that a load fills from a list."""
    lines = [
        "",
        "| table | read at first, and when all is read again | changes | deleted ones | permission |",
        RULE * 5 + "|",
    ]
    lines.append(
        f"| `accounts` | `{ACCOUNT.path}` | asked for by each load | none are deleted | `{ACCOUNT.permission}` |"
    )
    for kind in KINDS:
        lines.append(_kind(kind))
        lines += [_nested(nested, kind) for nested in kind.nested]
    lines.append(f"| `events` | `{EVENTS.path}`, 30 days | each once, as it comes | kept | `{EVENTS.permission}` |")
    usage = "`/v1/billing/meters/{id}/event_summaries`, from the subscription's start"
    lines.append(
        f"| `meter_usage_revisions`, `…_hourly_revisions`, `…_period_revisions` | {usage} | see Usage "
        f"| a window without usage becomes 0 | `{SUMMARIES_PERMISSION}` |"
    )
    return lines


def _kind(kind: Kind) -> str:
    expand = kind.params.get("expand")
    first = f"`{kind.path}`" + (", " + ", ".join(f"`{each}`" for each in expand) + " expanded" if expand else "")
    changes = "new ones by `created`" if kind.fresh else "events"
    if kind.silent is not None:
        changes += ", *silent*" + (" (whole list)" if kind.silent_where == "true" else " while they can still change")
    deleted = "tombstone, by event or when a whole list lacks it" if kind.deletable else "none are deleted"
    return f"| `{kind.table}` | {first} | {changes} | {deleted} | `{kind.permission}` |"


def _nested(nested: Nested, kind: Kind) -> str:
    where = f"embedded, or `{nested.path}` where there are more" if nested.field else f"`{nested.path}`, one by one"
    changes = "when the parent's balance moves" if nested.told else f"with its parent in `{kind.table}`"
    deleted = "kept" if nested.outlives else "tombstone when the list lacks it, or with its parent"
    return f"| `{nested.table}` | {where} | {changes} | {deleted} | `{kind.permission}` |"


def left_out() -> list[str]:
    """One line per list that is not loaded, with the reason."""
    return ["", *(f"- `{path}`: {reason}." for path, reason in LEFT_OUT.items())]


def problems() -> list[str]:
    """One line per problem that a load can meet and get over."""
    head = ["", "| problem | what it means |", RULE * 2 + "|"]
    return head + [f"| `{name}` | {text.replace('{count} × ', '').rstrip('.')} |" for name, text in PROBLEMS.items()]


PARTS: dict[str, Callable[[], list[str]]] = {"kinds": kinds, "left out": left_out, "problems": problems}


def rendered(text: str) -> str:
    """The page with each generated part made anew; what is between the marks of a part is replaced."""
    for name, lines in PARTS.items():
        between = re.compile(rf"(<!-- {name}: generated[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        body = "\n".join([*lines(), "", ""])
        text = between.sub(lambda found, body=body: found[1] + body + found[2], text)  # type: ignore[misc] # a lambda of two forms
    return text


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
