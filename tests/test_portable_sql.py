"""Models are written in the SQL that DuckDB, Spark and Postgres share; what differs stands in dispatched macros."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.commands import ROOT

PROJECT = ROOT / "dbt_project"
# `{{ … }}` may hold mappings and quoted braces, `{% … %}` quoted ones.
QUOTED = r"'[^']*'|\"[^\"]*\""
FLAT = rf"\{{(?:[^{{}}'\"]|{QUOTED})*\}}"
MAPPING = rf"\{{(?:[^{{}}'\"]|{QUOTED}|{FLAT})*\}}"
JINJA = re.compile(rf"\{{\{{(?:[^{{}}'\"]|{QUOTED}|{MAPPING})*\}}\}}|\{{%(?:[^%'\"]|{QUOTED}|%(?!\}}))*%\}}", re.DOTALL)
COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
TEXT = re.compile(r"'(?:[^']|'')*'")

# What a model may not say, and what it says instead (dbt_project/macros/portable, unless another macro is named).
ANYWHERE = {
    r"\bgroup\s+by\s+all\b": "name the columns",
    r"\bqualify\b": "row_number() in a CTE, then where",
    r"\bfilter\s*\(": "sum(case when … then … end)",
    r"\bdistinct\s+on\b": "row_number() in a CTE, then where",
    r"\basof\b": "valid_from and valid_to by lead(), and a range join",
    r"\barg_(max|min)\b": "latest_by, earliest_by",
    r"\bmedian\s*\(": "median_of",
    r"\b(unnest|generate_series|range)\s*\(": "days_between, numbers_between, unnest_tiers",
    r"\b(list|map|struct|array|json)_\w+\s*\(": "json.sql, or a dispatched macro",
    r"\b(list|mode|string_agg|sha256|try_cast|error)\s*\(": "a dispatched macro",
    r"\bunion\s+all\s+by\s+name\b": "columns in one order",
    r"\b(read_parquet|read_csv|read_json)\s*\(": "score_source",
    r"\blambda\b": "a dispatched macro",
    r"\bfrom_json\b": "unpack",
    r"\b(strftime|strptime|printf|format)\s*\(": "date_text, figure_to_text, money_to_text",
    r"\b(epoch|to_timestamp|make_timestamp|date_diff|datediff|isodow|last_day)\w*\s*\(": "dates.sql",
    r"\binterval\s+\d": "interval '1 day', in quotes",
    r"\bas\s+(varchar|double|hugeint)\b": "text_type(), double_type()",
    r"\browid\b": "a dispatched macro",
    r"(?<!:)::(?!:)": "cast(… as …)",
    r"\bstarts_with\s*\(|\bends_with\s*\(|\bregexp_\w+\s*\(": "like, or a dispatched macro",
    r"\bpivot\b|\bpositional\b|\bexclude\s*\(|\bcolumns\s*\(": "name the columns",
    r"\b(json_valid|contains|len|array_length|regexp_full_match)\s*\(": "a dispatched macro",
    # Spark names windows, but extends none: `over (by_week rows …)`
    r"\((?!partition\b|order\b|rows\b|range\b)\w+\s+(rows|range|partition|order)\s+(by|between)\b": "the whole window",
    # a number in DuckDB and Postgres, an interval in Spark (told by how days are called here)
    r"\w+_(on|date|day)\s+-\s+(\w+\.)?\w+_(on|date|day|from)\b": "days_from",
    # Postgres rounds no double to decimals
    r"\bround\s*\(\s*sqrt\b": "cast to a decimal",
}
OUTSIDE_JINJA = {
    r"[\[\]]": "lists stand in macros",
    r"[{}]": "structs stand in macros",
    r"\brow\s*\(": "latest_by takes a list of columns",
    r"\bobject\.": "{% set object = fields(structure) %} and {{ object.field }}",
}
# The only two macros that divide: DuckDB's decimal division is floating point.
DIVIDERS = ("divide_half_up", "share_of")


def code(path: Path) -> str:
    return COMMENT.sub(" ", path.read_text())


def models() -> list[Path]:
    return sorted((PROJECT / "models").rglob("*.sql")) + sorted((PROJECT / "tests").rglob("*.sql"))


def found(text: str, rules: dict[str, str]) -> list[str]:
    return [f"{match[0].strip()!r}: {instead}" for rule, instead in rules.items() for match in re.finditer(rule, text)]


# Spark makes rows only where they stand alone in a select list.
ROWS_IN_AN_EXPRESSION = re.compile(r"[-+*(]\s*\{\{\s*(?:numbers|days)_between\b")


def handed_to_macros(text: str) -> str:
    """The texts inside Jinja: they are SQL that a macro is given."""
    return "\n".join(quoted[1:-1] for jinja in JINJA.findall(text) for quoted in re.findall(QUOTED, jinja))


def unportable(text: str) -> list[str]:
    bare = TEXT.sub("''", JINJA.sub(" ", text))
    nested = [f"{nest!r}: in a CTE before" for nest in ROWS_IN_AN_EXPRESSION.findall(text)]
    return found(bare, ANYWHERE) + found(bare, OUTSIDE_JINJA) + found(handed_to_macros(text), ANYWHERE) + nested


def test_models_use_only_what_the_adapters_share() -> None:
    wrong = {}
    for path in models():
        text = code(path)
        if finds := unportable(text):
            wrong[str(path.relative_to(PROJECT))] = finds
    assert wrong == {}


def test_expressions_of_tests_do_the_same() -> None:
    wrong = {}
    for path in sorted((PROJECT / "models").rglob("*.yml")):
        said = re.findall(r"\b(?:expression|where_clause): (?:>-\s+)?(.+)", path.read_text())
        if finds := [find for line in said for find in found(TEXT.sub("''", line), ANYWHERE)]:
            wrong[str(path.relative_to(PROJECT))] = finds
    assert wrong == {}


def test_macros_that_no_adapter_replaces_do_the_same() -> None:
    wrong = {}
    for path in sorted((PROJECT / "macros").rglob("*.sql")):
        for name, body in macro_bodies(path).items():
            text = COMMENT.sub(" ", body)
            bare = TEXT.sub("''", JINJA.sub(" ", text))
            if not name.startswith("default__") and (finds := found(bare + handed_to_macros(text), ANYWHERE)):
                wrong[f"{path.name}: {name}"] = finds
    assert wrong == {}


@pytest.mark.parametrize(
    "line",
    [
        "select arg_max(a, b) from t",
        "select a from t qualify row_number() over () = 1",
        "select cast(a as varchar) from t",
        "select ts + interval 1 day from t",
        "select a::date from t",
        "select [1, 2] as pair",
        "select {{ share_of('epoch(a)', 'b') }}",
        "select object.id from latest",
        "select sum(a) over (by_week rows between 1 preceding and current row) from t",
        "select sum(a) over last_2 from t window last_2 as (by_week order by b)",
        "select ended_on - began.started_on from t",
        "select as_of - 7 * {{ numbers_between(0, 52) }} as day from t",
    ],
)
def test_the_lint_sees_what_one_adapter_alone_understands(line: str) -> None:
    assert unportable(line)


def divisions(text: str) -> list[str]:
    """Each `/` of SQL that is neither in a comment nor in a literal, with what stands around it."""
    literal_free = TEXT.sub("''", COMMENT.sub(" ", text))
    return [literal_free[max(found.start() - 30, 0) : found.end() + 30] for found in re.finditer("/", literal_free)]


def macro_bodies(path: Path) -> dict[str, str]:
    found = re.finditer(r"\{%-?\s*(?:macro|test)\s+(\w+).*?end(?:macro|test)\s*-?%\}", path.read_text(), re.DOTALL)
    return {match[1]: match[0] for match in found}


def test_only_two_macros_divide() -> None:
    wrong = {str(path.relative_to(PROJECT)): divisions(path.read_text()) for path in models()}
    for path in sorted((PROJECT / "macros").rglob("*.sql")):
        for name, body in macro_bodies(path).items():
            if not name.removeprefix("default__").startswith(DIVIDERS):
                wrong[f"{path.name}: {name}"] = divisions(body)
    assert {where: finds for where, finds in wrong.items() if finds} == {}


def test_what_models_hand_to_macros_does_not_divide_either() -> None:
    wrong = {}
    for path in models():
        handed = handed_to_macros(code(path))
        if finds := re.findall(r".{0,30}[\w)] ?//? ?[\w(].{0,30}", handed):
            wrong[str(path.relative_to(PROJECT))] = finds
    assert wrong == {}
