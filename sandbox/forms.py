"""Stripe's bracketed forms: `items[0][price]=…`, `expand[]=…`, `metadata[k]=`, read into dicts, lists and strings."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from sandbox.errors import ApiError
from sandbox.refusals import refuse

Params = dict[str, Any]
MAX_BODY = 1024 * 1024  # bytes of a request's body; what Stripe's front end takes is not published
MAX_DEPTH = 10  # brackets of one name; the deepest parameter in Stripe's own description has 7
MAPS = {"metadata", "payload"}  # objects with names of the caller's choice, which may be numbers
NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


class _Pushed(dict[str, Any]):
    """An array given as `a[]`, its elements keyed by position."""


def parse(text: bytes) -> Params:
    """Nested dicts, lists and strings. `a[]` and `a[0]` both make lists; a name given twice keeps its last value.

    Raises ApiError (400) for unbalanced brackets, names that are both value and object, and bytes that are not text.
    """
    root: Params = {}
    for pair in filter(None, text.split(b"&")):
        name, value = (_decoded(part) for part in pair.partition(b"=")[::2])
        match = NAME.fullmatch(name)
        steps = [match[1], *re.findall(r"\[([^\]]*)\]", match[2])] if match else []
        if not 1 <= len(steps) <= MAX_DEPTH:
            raise _malformed(f"Invalid parameter name, or one of more than {MAX_DEPTH} levels", name)
        _place(root, steps, value, name)
    return {name: _finished(value, name) for name, value in root.items()}


def check_content_type(header: str) -> None:
    """Refuse a body that is not a form; raises ApiError in Stripe's words."""
    if header.partition(";")[0].strip().lower() not in ("", "application/x-www-form-urlencoded"):
        raise refuse("not_a_form")


def _malformed(what: str, name: str) -> ApiError:
    return refuse("malformed", name[:200], what=what, name=name[:200])


def _decoded(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as error:
        raise _malformed("Invalid UTF-8", repr(raw)) from error
    if re.search(rb"%(?![0-9A-Fa-f]{2})", raw) or "\0" in text:
        raise _malformed("Invalid percent-encoding or NUL", repr(raw))
    return text


def _place(place: Params, steps: list[str], value: str, name: str) -> None:
    """Put a value where its steps lead, making the containers on the way."""
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if (step == "") != isinstance(place, _Pushed):
            raise _malformed("Invalid array, elements with and without an index", name)
        if step == "":  # `[][name]` belongs to the last element as long as it names something new in it
            last = place.get(str(len(place) - 1))
            step = str(len(place) - (type(last) is dict and following is not None and following not in last))
        inner = place.setdefault(step, value if following is None else _Pushed() if following == "" else {})
        if isinstance(inner, dict) == (following is None):
            raise _malformed("Invalid object, given both as a value and as an object", name)
        if following is None:
            place[step] = value
        place = inner


def _finished(value: Any, name: str) -> Any:
    """Objects whose keys are the indexes 0, 1, … become lists, in order of those indexes."""
    if not isinstance(value, dict):
        return value
    if isinstance(value, _Pushed):
        return [_finished(one, name) for one in value.values()]
    if name not in MAPS and all(re.fullmatch(r"[0-9]{1,6}", key) for key in value):
        return [_finished(value[key], name) for key in sorted(value, key=int)]
    return {key: _finished(inner, key) for key, inner in value.items()}
