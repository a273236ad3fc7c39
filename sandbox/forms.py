"""Stripe's bracketed parameters: `items[0][price]=…`, `expand[]=…`, `metadata[k]=`."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from sandbox.errors import ApiError

Params = dict[str, Any]
KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)$")
INTEGER = re.compile(r"-?\d{1,15}$")


def parse(text: str) -> Params:
    """Nested dicts, lists and strings; `a[]` and `a[0]` both make lists. Raises ApiError for a malformed key."""
    root: Params = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        match = KEY.match(key)
        if not match:
            raise ApiError(400, f"Invalid parameter name: {key}", param=key)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        place = root
        for step, following in zip(path, [*path[1:], None], strict=True):
            name = str(len(place)) if step == "" else step
            if following is None:
                place[name] = value
                break
            inner = place.setdefault(name, {})
            if not isinstance(inner, dict):
                raise ApiError(400, f"Parameter {key} is given both as a value and as an object", param=key)
            place = inner
    return {key: _lists(value) for key, value in root.items()}


def _lists(value: Any) -> Any:
    """Objects whose keys are all numbers become lists, in order of those numbers."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdecimal() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(inner) for key, inner in value.items()}


def only(params: Params, known: set[str], prefix: str = "") -> None:
    """Refuse parameters that Stripe would not know."""
    for name in params:
        if name not in known:
            full = f"{prefix}[{name}]" if prefix else name
            raise ApiError(400, f"Received unknown parameter: {full}", param=full, code="parameter_unknown")


def required(params: Params, name: str) -> Any:
    if params.get(name) in (None, ""):
        raise ApiError(400, f"Missing required param: {name}.", param=name, code="parameter_missing")
    return params[name]


def integer(value: Any, name: str) -> int:
    if not isinstance(value, str) or not INTEGER.match(value):
        raise ApiError(400, f"Invalid integer: {value}", param=name, code="parameter_invalid_integer")
    return int(value)


def boolean(value: Any, name: str) -> bool:
    if value not in ("true", "false"):
        raise ApiError(400, f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def decimal(value: Any, name: str) -> Decimal:
    """A finite decimal number, as written."""
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise ApiError(400, f"Invalid decimal: {value}", param=name) from error
    if not number.is_finite():
        raise ApiError(400, f"Invalid decimal: {value}", param=name)
    return number


def text(value: Any, name: str, longest: int = 5000) -> str:
    if not isinstance(value, str):
        raise ApiError(400, f"Invalid string: {value}", param=name)
    if len(value) > longest:
        raise ApiError(400, f"Invalid string: must be at most {longest} characters", param=name)
    return value


def strings(params: Params, name: str) -> list[str]:
    """An optional list of strings, such as `expand`."""
    value = params.get(name, [])
    if not isinstance(value, list):
        raise ApiError(400, "Invalid array", param=name)
    return [text(one, name) for one in value]


def objects(value: Any, name: str) -> list[Params]:
    """A list of objects, such as `items`."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ApiError(400, "Invalid array", param=name)
    return value


def merge_metadata(old: dict[str, str], given: Any) -> dict[str, str]:
    """Stripe's merge: sent keys change, an empty value deletes its key, an empty string deletes all."""
    if given == "":
        return {}
    if not isinstance(given, dict):
        raise ApiError(400, "Invalid object", param="metadata")
    merged = dict(old)
    for key, value in given.items():
        if len(key) > 40 or not isinstance(value, str) or len(value) > 500:
            raise ApiError(400, "Metadata keys hold at most 40 characters and values 500", param=f"metadata[{key}]")
        if value == "":
            merged.pop(key, None)
        else:
            merged[key] = value
    if len(merged) > 50:
        raise ApiError(400, "Metadata holds at most 50 keys", param="metadata")
    return merged
