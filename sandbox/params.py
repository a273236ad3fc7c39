"""Parameters checked against the catalogue of what Stripe's routes accept (parameters.json, made from the SDK's types).

The catalogue's forms: `str`, `int`, `bool`, `float`, `decimal`; `=a|b` a choice; `[form]` a list; an object whose
names end in `!` when they must be given; `{"*": form}` any names; `{"any": [forms]}` one of several.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from sandbox.errors import ApiError
from sandbox.refusals import refuse

Spec = dict[str, Any]
CATALOGUE: dict[str, Spec] = msgspec.json.decode((Path(__file__).parent / "parameters.json").read_bytes())
DECIMAL = re.compile(r"(?=.{1,40}$)-?(\d+\.?\d*|\.\d+)", re.ASCII)
FORMS: dict[
    str, tuple[str, re.Pattern[str], Callable[[str], Any]]
] = {  # how Stripe calls it, what it matches, its value
    "int": ("integer", re.compile(r"-?\d{1,15}", re.ASCII), int),
    "bool": ("boolean", re.compile("true|false"), "true".__eq__),
    "decimal": ("decimal", DECIMAL, Decimal),
    "float": ("decimal", DECIMAL, float),
}
LONGEST = 5000  # characters of a text


class Given(dict[str, Any]):
    """Parameters that remember which of them were read: what nobody reads has no effect, and the answer says so."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.used.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.used.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.used.add(str(name))
        return super().__contains__(name)

    def ignored(self, prefix: str = "") -> list[str]:
        """Dotted names of what was given and never read, at any depth."""
        names: list[str] = []
        for name, value in super().items():
            full = f"{prefix}{name}"
            if name not in self.used:
                names.append(full)
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, Given) and one.used:
                    names += one.ignored(f"{full}.")
        return sorted(set(names))


def validate(spec: Spec, raw: dict[str, Any], name: str = "") -> Given:
    """`raw` (nested dicts, lists and strings) typed by `spec`; `name` is the parameter that holds it all.

    Raises ApiError (400) as Stripe words it.
    """
    if any_name := spec.get("*"):
        return Given({key: _value(any_name, value, inside(name, key)) for key, value in raw.items()})
    known = {key.rstrip("!"): form for key, form in spec.items()}
    if unknown := [inside(name, key) for key in raw if key not in known]:
        many = "s" if len(unknown) > 1 else ""
        raise refuse("unknown_parameter", unknown[0], many=many, names=", ".join(unknown))
    for key in spec:
        if key.endswith("!") and key[:-1] not in raw:
            raise refuse("missing", inside(name, key[:-1]))
    return Given({key: _value(known[key], value, inside(name, key)) for key, value in raw.items()})


def inside(holder: str, name: str) -> str:
    """The name of a parameter in a hash, as Stripe writes it; `holder` may be empty."""
    return f"{holder}[{name}]" if holder else name


def _value(form: Any, raw: Any, name: str) -> Any:
    if isinstance(form, dict):
        if isinstance(form.get("any"), list):
            return _any(form["any"], raw, name)
        if raw == "" and "*" in form:
            return ""  # metadata: take all of it away
        if not isinstance(raw, dict):
            raise refuse("no_object", name)
        return validate(form, raw, name)
    if isinstance(form, list):
        if raw in ("", {}):
            return []
        if not isinstance(raw, list):
            raise refuse("no_array", name)
        return [_value(form[0], one, f"{name}[{place}]") for place, one in enumerate(raw)]
    if not isinstance(raw, str):
        raise refuse("invalid", name, what=FORMS[form][0] if form in FORMS else "string", value=_short(raw))
    return _scalar(form, raw, name)


def _scalar(form: str, raw: str, name: str) -> Any:
    if form == "str" and len(raw) > LONGEST:
        raise refuse("too_long", name, start=raw[:10], end=raw[-4:], most=LONGEST)
    if form.startswith("=") and raw not in (choices := form[1:].split("|")):
        *first, last = [choice or "''" for choice in choices]
        raise refuse("no_choice", name, choices=f"{', '.join(first)}{',' * (len(first) > 1)} or {last}")
    if form not in FORMS:
        return raw
    if raw == "":
        raise refuse("cannot_unset", name)
    what, pattern, read = FORMS[form]
    if not pattern.fullmatch(raw):
        raise refuse("invalid_integer" if form == "int" else "invalid", name, what=what, value=_short(raw))
    return read(raw)


def _any(forms: list[Any], raw: Any, name: str) -> Any:
    """The first form that fits; else the refusal of the first that has the value's kind (hash, array or scalar)."""
    kind = type(raw) if isinstance(raw, list | str) else dict
    refusals = []
    for form in sorted(forms, key=lambda form: type(form) is not kind):
        try:
            return _value(form, raw, name)
        except ApiError as error:
            refusals.append(error)
    raise refusals[0]


def _short(raw: object) -> str:
    text = str(raw)
    return text if len(text) <= 60 else f"{text[:56]}..."
