"""From a file's fields to the columns of a meter event, and what is wrong with a row: one vectorised expression each.

The common case is cheap (a short number, a whole second); only a row that fails it pays for a closer look. A row's
`reason` is one of REASONS, or `conflict`, which passes.py finds.
"""

import json
import re

from dlt_pipelines.errors import UsageLogUnreadable
from dlt_pipelines.quoting import text
from dlt_pipelines.usage_log.config import FIELDS, UNITS, LogConfig
from dlt_pipelines.usage_log.shapes import Shape, nested_names
from dlt_pipelines.usage_log.tables import VALUE

# Why a row is set aside, in the order in which it is asked; docs/usage-log.md says the same to users.
REASONS = (
    "unreadable",
    "missing_identifier",
    "missing_event_name",
    "missing_customer",
    "missing_timestamp",
    "missing_value",
    "value_not_a_number",
    "value_too_many_digits",
    "timestamp_not_a_time",
    "timestamp_before_1970",
    "timestamp_in_future",
    "conflict",
)
# Always true, and what the optimiser may not repeat: without it a filter on is_good computes all below it once more.
_ONCE = "random() >= 0"
_SHORT = 13  # characters: a number without exponent of so many has at most 12 digits behind the point
_NUMBER = r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"}
_SECONDS_DIGITS = 11  # to the year 5138


def rows_sql(shape: Shape, config: LogConfig, until: str, counts: list[str], path: str) -> str:
    """The query over a batch: raw, the columns of an event, is_good and reason.

    `until` is the latest time an event may have, as an SQL timestamp; `counts` the events that need no value; `path`
    names the file in a refusal. The text `{reader}` stands for the table function.
    Raises UsageLogUnreadable when a needed column is missing.
    """
    source, value_kind = (
        (_lines_source(config), "VARCHAR") if shape.format == "jsonl" else _columns_source(shape, config, path)
    )
    is_number = _is_number("value_given", value_kind)
    is_unreadable = "j is null" if shape.format == "jsonl" else "false"
    uncounted = f" or value_given is null and event_name in ({', '.join(map(text, counts))})" if counts else ""
    return f"""
        select *, case
            when is_good then null
            when is_unreadable then 'unreadable'
            when coalesce(identifier, '') = '' then 'missing_identifier'
            when coalesce(event_name, '') = '' then 'missing_event_name'
            when coalesce(customer_id, '') = '' then 'missing_customer'
            when not has_time then 'missing_timestamp'
            when occurred_at is null then 'timestamp_not_a_time'
            when occurred_at < timestamp '1970-01-01' then 'timestamp_before_1970'
            when occurred_at > {until} then 'timestamp_in_future'
            when value_given is null then 'missing_value'
            when not {is_number} then 'value_not_a_number'
            else 'value_too_many_digits'
        end as reason
        from (
            select *,
                {is_unreadable} as is_unreadable,
                coalesce(
                    identifier <> '' and event_name <> '' and customer_id <> '' and (value is not null{uncounted})
                    and occurred_at >= timestamp '1970-01-01' and occurred_at <= {until} and {_ONCE},
                    false
                ) as is_good
            from ({source})
        )"""  # noqa: S608 - names and literals are quoted


def identifiers_sql(shape: Shape, config: LogConfig, path: str) -> str:
    """The same rows in the same order with file_index and mark only: reading less of each is quicker."""
    if shape.format == "jsonl":
        source = f"select *, {_key('identifier', config)} as identifier from ({_objects(['identifier'], config)})"  # noqa: S608 - names and literals are quoted
    else:
        source = _columns_source(shape, config, path)[0]
    return f"select file_index, {mark_sql(shape)} as mark from ({source})"  # noqa: S608 - names are quoted


def mark_sql(shape: Shape) -> str:
    """The hash by which rows of one identifier find each other.

    A line without identifier is marked by its text; columns without it all alike, as reading them all would be dear.
    """
    otherwise = "hash(whole)" if shape.format == "jsonl" else "0"
    return f"case when identifier <> '' then hash(identifier) else {otherwise} end"


def raw_sql(shape: Shape) -> str:
    """The text of a row: the line, or its columns as a JSON object."""
    return "whole" if shape.format == "jsonl" else "to_json(whole)::varchar"


def _columns_source(shape: Shape, config: LogConfig, path: str) -> tuple[str, str]:
    """Parquet and CSV: columns by name; the query, and the type of the value."""
    at_hand = {name: (sql, kind) for name, sql, kind in nested_names(shape)}
    fields: dict[str, tuple[str, str]] = {}
    for field in FIELDS:
        name = next((each for each in config.names(field) if each in at_hand), None)
        if name is None:
            raise UsageLogUnreadable(
                f"{path} has no column {' or '.join(config.names(field))}; it has "
                f"{', '.join(at_hand) or 'none'}: name the right one with --column {field}=…"
            )
        fields[field] = at_hand[name]
    value, value_kind = fields["value"]
    time, time_kind = fields["timestamp"]
    whole = ", ".join(f"{text(name)}: {sql}" for name, sql, _ in nested_names(shape) if name in dict(shape.columns))
    given = f"nullif({value}, '')" if value_kind == "VARCHAR" else value
    query = f"""
        select file_index, {{{whole}}} as whole,
            {_as_text(*fields["identifier"])} as identifier,
            {_as_text(*fields["event_name"])} as event_name,
            {_as_text(*fields["customer"])} as customer_id,
            {given} as value_given,
            {_number(value, value_kind)} as value,
            {_moment(time, time_kind, config.timestamp_unit)} as occurred_at,
            {f"coalesce({time}, '') <> ''" if time_kind == "VARCHAR" else f"{time} is not null"} as has_time
        from {{reader}}"""  # noqa: S608 - names are quoted
    return query, value_kind


def _lines_source(config: LogConfig) -> str:
    """JSONL: keys by dotted path; a value stays JSON, for a number with a point must be read from the line itself."""
    keys = {name.split(".")[-1] for name in config.names("value")}
    return f"""
        select file_index, whole, j, identifier, event_name, customer_id, nullif(value_text, '') as value_given,
            {_number("value_text", "VARCHAR")} as value,
            {_moment("time_text", "VARCHAR", config.timestamp_unit)} as occurred_at,
            coalesce(time_text, '') <> '' as has_time
        from (
            select *, case
                when starts_with(value_json, '"') then trim(value_json, '"')
                when contains(value_json, '.') or contains(value_json, 'e') then {_as_written(keys)}
                else value_json
            end as value_text
            from (
                select file_index, whole, j, {_key("identifier", config)} as identifier,
                    {_key("event_name", config)} as event_name, {_key("customer", config)} as customer_id,
                    {_key("timestamp", config)} as time_text, {_key("value", config)}::varchar as value_json
                from ({_objects(list(FIELDS), config)})
            )
        )"""  # noqa: S608 - names and literals are quoted


def _objects(fields: list[str], config: LogConfig) -> str:
    """Each line that is not blank as `raw`, and as `j` what the fields need of it; NULL where it is no JSON."""
    shape: dict[str, object] = {}
    for field in fields:
        for name in config.names(field):
            *outer, last = name.split(".")
            inner = shape
            for part in outer:
                nested = inner.setdefault(part, {})
                inner = nested if isinstance(nested, dict) else inner
            inner.setdefault(last, "JSON" if field == "value" else "VARCHAR")
    parsed = f"json_transform(line, {text(json.dumps(shape))})"
    return f"""
        select file_index, line as whole, case when json_valid(line) and {_ONCE} then {parsed} end as j
        from {{reader}} where line is not null"""  # noqa: S608 - literals are quoted


def _key(field: str, config: LogConfig) -> str:
    parts = ["j" + "".join(f"[{text(part)}]" for part in name.split(".")) for name in config.names(field)]
    return f"coalesce({', '.join(parts)})" if len(parts) > 1 else parts[0]


def _as_written(keys: set[str]) -> str:
    """The digits of a JSON number as the line has them: DuckDB's reader makes a double of it, good for 15 digits.

    The first number under the key counts if it is the one that DuckDB read; otherwise the row is no clear number.
    """
    pattern = rf'"(?:{"|".join(map(re.escape, sorted(keys)))})"\s*:\s*(-?[0-9][0-9.eE+-]*)'
    found = f"regexp_extract(whole, {text(pattern)}, 1)"
    return (
        f"case when try_cast({found} as double) = try_cast(value_json as double) then {found}"
        " else 'unclear: ' || value_json end"
    )


def _as_text(sql: str, kind: str) -> str:
    return sql if kind == "VARCHAR" else f"{sql}::varchar"


def _number(sql: str, kind: str) -> str:
    """The exact decimal, or NULL; a binary fraction (FLOAT, DOUBLE) is rounded to 12 digits behind the point."""
    if kind == "VARCHAR":
        return f"""case
            when length({sql}) <= {_SHORT} and not contains({sql}, 'e') and not contains({sql}, 'E')
                and not contains({sql}, '_') then try_cast({sql} as {VALUE})
            when regexp_full_match({sql}, {text(_NUMBER)}) and {_digits_behind(sql)} <= 12
                then try_cast({sql} as {VALUE})
        end"""
    if kind.startswith("DECIMAL") and int(kind[:-1].split(",")[1]) > 12:
        return f"case when try_cast({sql} as {VALUE}) = {sql} then try_cast({sql} as {VALUE}) end"
    if kind.startswith("DECIMAL") or kind in _INTEGERS | {"FLOAT", "DOUBLE"}:
        return f"try_cast({sql} as {VALUE})"
    return _number(f"({sql})::varchar", "VARCHAR")


def _is_number(sql: str, kind: str) -> str:
    if kind in {"FLOAT", "DOUBLE"}:
        return f"isfinite({sql})"
    if kind.startswith("DECIMAL") or kind in _INTEGERS:
        return f"{sql} is not null"
    return f"coalesce(regexp_full_match({_as_text(sql, kind)}, {text(_NUMBER)}), false)"


def _digits_behind(sql: str) -> str:
    """How many digits a written number has behind its point, zeros at the end not counted, its exponent applied."""
    fraction = rf"length(rtrim(regexp_extract({sql}, '\.([0-9]*)', 1), '0'))"
    exponent = f"coalesce(try_cast(regexp_extract({sql}, '[eE]([+-]?[0-9]+)', 1) as integer), 0)"
    return f"{fraction} - {exponent}"


def _moment(sql: str, kind: str, unit: str) -> str:
    """A UTC timestamp, or NULL: a whole number in `unit` since 1970, a fraction of it, or ISO 8601 (no offset: UTC)."""
    scale, digits = UNITS[unit], _SECONDS_DIGITS + {"s": 0, "ms": 3, "us": 6}[unit]
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"({sql} at time zone 'UTC')"
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return f"{sql}::timestamp"
    if kind in _INTEGERS:
        limit = 10**digits
        return f"case when {sql} between -{limit} and {limit} then make_timestamp({sql}::bigint * {scale}) end"
    if kind in {"FLOAT", "DOUBLE"} or kind.startswith("DECIMAL"):
        return _moment(f"({sql})::varchar", "VARCHAR", unit)
    if kind != "VARCHAR":
        return "null::timestamp"
    return f"""case
        when {sql} like '____-%' then try_cast({sql} as timestamptz) at time zone 'UTC'
        when contains({sql}, '.') then
            case when strpos({sql}, '.') <= {digits + 1}
                then make_timestamp((try_cast({sql} as decimal(38, 6)) * {scale})::bigint) end
        when length({sql}) <= {digits} then make_timestamp(try_cast({sql} as bigint) * {scale})
    end"""
