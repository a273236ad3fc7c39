"""Parameters checked against the catalogue of what Stripe's routes accept (parameters.json, made from the SDK's types).

The catalogue's forms: `str`, `int`, `bool`, `float`, `decimal`; `=a|b` a choice; `[form]` a list; an object whose
names end in `!` when they must be given; `{"*": form}` any names; `{"any": [forms]}` one of several.
"""

import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from sandbox.errors import ApiError

Spec = dict[str, Any]
CATALOGUE: dict[str, Spec] = msgspec.json.decode((Path(__file__).parent / "parameters.json").read_bytes())
INTEGER = re.compile(r"-?\d{1,15}$", re.ASCII)
DECIMAL = re.compile(r"-?(\d+\.?\d*|\.\d+)$", re.ASCII)
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


def validate(spec: Spec, raw: dict[str, Any], *, lenient: frozenset[str] = frozenset()) -> Given:
    """`raw` (nested dicts, lists and strings) typed by `spec`. Raises ApiError (400) as Stripe words it.

    lenient: top-level names that are dropped instead of refused.
    """
    return _object(spec, {key: value for key, value in raw.items() if key not in lenient}, "")


def _object(spec: Spec, raw: dict[str, Any], name: str) -> Given:
    any_form = spec.get("*")
    if any_form is not None:
        return Given({key: _value(any_form, value, _join(name, key)) for key, value in raw.items()})
    known = {key.rstrip("!"): form for key, form in spec.items()}
    unknown = [_join(name, key) for key in raw if key not in known]
    if unknown:
        many = "s" if len(unknown) > 1 else ""
        raise ApiError(
            400, f"Received unknown parameter{many}: {', '.join(unknown)}", param=unknown[0], code="parameter_unknown"
        )
    for key in spec:
        if key.endswith("!") and key[:-1] not in raw:
            full = _join(name, key[:-1])
            raise ApiError(400, f"Missing required param: {full}.", param=full, code="parameter_missing")
    return Given({key: _value(known[key], value, _join(name, key)) for key, value in raw.items()})


def _join(name: str, key: str) -> str:
    return f"{name}[{key}]" if name else key


def _value(form: Any, raw: Any, name: str) -> Any:
    if isinstance(form, dict):
        if "any" in form and isinstance(form["any"], list):
            return _any(form["any"], raw, name)
        if raw == "" and "*" in form:
            return ""  # metadata: take all of it away
        if not isinstance(raw, dict):
            raise ApiError(400, "Invalid object", param=name)
        return _object(form, raw, name)
    if isinstance(form, list):
        if raw == "":
            return []
        if isinstance(raw, dict) and not raw:
            return []
        if not isinstance(raw, list):
            raise ApiError(400, "Invalid array", param=name)
        return [_value(form[0], one, f"{name}[{place}]") for place, one in enumerate(raw)]
    if not isinstance(raw, str):
        kind = "string" if form in ("str", "decimal") or form.startswith("=") else form.replace("int", "integer")
        raise ApiError(400, f"Invalid {kind}: {_short(raw)}", param=name)
    return _scalar(form, raw, name)


def _scalar(form: str, raw: str, name: str) -> Any:
    if form == "str":
        if len(raw) > LONGEST:
            raise ApiError(
                400, f"Invalid string: {raw[:10]}...{raw[-4:]}; must be at most {LONGEST} characters", param=name
            )
        return raw
    if form.startswith("="):
        choices = form[1:].split("|")
        if raw not in choices:
            named = [f"'{choice}'" if choice == "" else choice for choice in choices]
            last = f"{', '.join(named[:-1])}, or {named[-1]}" if len(named) > 2 else " or ".join(named)
            raise ApiError(400, f"Invalid {name}: must be one of {last}", param=name)
        return raw
    if raw == "":
        raise ApiError(
            400,
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty "
            "value.",
            param=name,
            code="parameter_invalid_empty",
        )
    if form == "int":
        if not INTEGER.match(raw):
            raise ApiError(400, f"Invalid integer: {_short(raw)}", param=name, code="parameter_invalid_integer")
        return int(raw)
    if form == "bool":
        if raw not in ("true", "false"):
            raise ApiError(400, f"Invalid boolean: {_short(raw)}", param=name)
        return raw == "true"
    exact = _decimal(raw, name)
    return exact if form == "decimal" else float(exact)


def _decimal(raw: str, name: str) -> Decimal:
    try:
        if not DECIMAL.match(raw) or len(raw) > 40:
            raise InvalidOperation
        return Decimal(raw)
    except InvalidOperation as error:
        raise ApiError(400, f"Invalid decimal: {_short(raw)}", param=name) from error


def _any(forms: list[Any], raw: Any, name: str) -> Any:
    """The first form that fits; the refusal of the last that has the value's kind (hash, array or scalar)."""
    refusal: ApiError | None = None
    for form in sorted(forms, key=lambda form: not _is_alike(form, raw)):
        try:
            return _value(form, raw, name)
        except ApiError as error:
            refusal = refusal or error
    raise refusal or ApiError(400, f"Invalid value: {_short(raw)}", param=name)


def _is_alike(form: Any, raw: Any) -> bool:
    if isinstance(raw, str):
        return isinstance(form, str)
    return type(form) is type(raw)


def _short(raw: object) -> str:
    text = str(raw)
    return text if len(text) <= 60 else f"{text[:56]}..."
