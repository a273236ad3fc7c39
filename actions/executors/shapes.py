"""Whether a call's parameters are of the SDK's own type, before anything about it is written or sent."""

import re
import sys
from decimal import Decimal
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from actions.errors import BadRecommendation
from actions.state import Request

_PATH = re.compile(r"/v1(/[A-Za-z0-9_-]+|/\{\d\})+")  # an id with a slash or a question mark would be another call
_METADATA_KEY, _METADATA_VALUE = re.compile(r"[^\[\]]{1,40}"), 500  # characters, Stripe's limits
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def check_shape(request: Request) -> None:
    """Raises BadRecommendation naming the first parameter that is unknown to Stripe, missing, None, or of another type.
    Steps without a shape (decisions, and those of old ledgers) have nothing to be held to. Decimals are text, so that
    none is ever a float; a word that the SDK does not list is left to Stripe.
    """
    if not request.shape:
        return
    _require(bool(_PATH.fullmatch(request.path)), f"a path of ids, not {request.path:.80}")
    _check(request.params, _typed_dict(request.shape), request.shape)
    for key, value in (request.params.get("metadata") or {}).items():
        is_fit = bool(_METADATA_KEY.fullmatch(key)) and len(value) <= _METADATA_VALUE
        _require(is_fit, f"metadata {key:.60} of 1 to 40 characters, no [], and {_METADATA_VALUE} at most")


@cache
def _typed_dict(shape: str) -> Any:
    """`SubscriptionUpdateParams`, or with a package: `billing.CreditGrantCreateParams`."""
    package, _, name = f"stripe.params.{shape}".rpartition(".")
    try:
        return getattr(import_module(package), name)
    except (ImportError, AttributeError) as error:
        raise BadRecommendation(f"the SDK has no type {shape}; install the version that uv.lock names") from error


@cache
def _fields(typed_dict: Any) -> dict[str, Any]:
    """Key → type. What steers the SDK (api_key …) stands in some types too: sent along it would choose another key."""
    from stripe import StripeContext, _request_options
    from typing_extensions import get_type_hints

    names = vars(sys.modules[typed_dict.__module__])
    hints = get_type_hints(typed_dict, names, vars(_request_options) | {"StripeContext": StripeContext})
    return {key: kind for key, kind in hints.items() if key not in _request_options.RequestOptions.__annotations__}


def _check(value: Any, kind: Any, at: str) -> None:
    choices = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    found: Any = next((one for one in choices if _fits(value, one)), None)
    _require(found is not None, f"{at} of another type than {type(value).__name__}")
    if hasattr(found, "__required_keys__"):
        for key in found.__required_keys__:
            _require(key in value, f"{at} with a {key}")
        for key, one in value.items():
            _require(key in _fields(found), f"{at} without {key}, which Stripe does not know")
            _check(one, _fields(found)[key], f"{at}.{key}")
    elif get_origin(found) in (dict, list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            _check(one, get_args(found)[-1], f"{at}.{key}")


def _fits(value: Any, kind: Any) -> bool:
    """Whether `value` itself is of `kind`, whatever is inside it."""
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if kind in (Decimal, float):
        return type(value) is int or (isinstance(value, str) and bool(_DECIMAL.fullmatch(value)))
    return type(value) is (dict if hasattr(kind, "__required_keys__") else get_origin(kind) or kind)


def _require(is_met: bool, what: str) -> None:
    if not is_met:
        raise BadRecommendation(f"expected {what}; the step is not one that Stripe takes: run `make run` again")
