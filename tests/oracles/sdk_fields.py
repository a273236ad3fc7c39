"""Whether Stripe's objects have a field: asked of the types that the official SDK generates for its pinned version."""

from collections.abc import Iterator, Mapping
from typing import Any, ForwardRef, get_args, get_origin

import stripe
from stripe import _object_classes as classes

# DuckDB type of a leaf → the SDK's type that it must hold; text holds anything.
HOLDS = {"BIGINT": int, "INTEGER": int, "BOOLEAN": bool}


def differences(structure: Mapping[str, Any], name: str) -> list[str]:
    """Paths of `structure` (as the macro unpack takes it) that the object called `name` lacks or types otherwise."""
    return list(_differences(structure, [classes.get_object_class("V1", name)], name))


def _differences(structure: Mapping[str, Any], owners: list[type], path: str) -> Iterator[str]:
    for field, shape in structure.items():
        found = [annotations[field] for owner in owners if field in (annotations := _annotations(owner))]
        place = f"{path}.{field}"
        if not found:
            yield place
            continue
        parts = [part for annotation in found for part in _parts(annotation)]
        inner = shape[0] if isinstance(shape, list) else shape
        kinds = [get_origin(part) or part for part in parts]
        objects = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, stripe.StripeObject)]
        if isinstance(inner, dict):
            if any(map(_annotations, objects)):  # metadata has fields of the account's own
                yield from _differences(inner, objects, place)
            elif not objects:
                yield f"{place} is no object"
        elif HOLDS.get(inner, object) not in [*parts, object]:
            yield f"{place} is not {inner}"


def _annotations(owner: type) -> dict[str, Any]:
    """Fields of an object and of what it inherits from, less the SDK's own."""
    own = [base for base in owner.__mro__ if issubclass(base, stripe.StripeObject) and base.__module__ != _BASE]
    return {field: kind for base in own for field, kind in getattr(base, "__annotations__", {}).items()}


_BASE = stripe.StripeObject.__module__


def _parts(annotation: Any) -> list[Any]:
    """The classes that an annotation is made of, however deep: Optional[List[Union[str, "Discount"]]] has three."""
    if isinstance(annotation, str):
        annotation = ForwardRef(annotation)
    if isinstance(annotation, ForwardRef):
        return [getattr(stripe, annotation.__forward_arg__, annotation)]
    return [annotation, *(part for each in get_args(annotation) for part in _parts(each))]
