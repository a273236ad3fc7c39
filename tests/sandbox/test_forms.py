from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import forms
from sandbox.errors import ApiError

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="[]\0"), min_size=1).filter(
    lambda name: not name.isdecimal() and name not in forms.MAPS
)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
TREES: Any = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=8,
)


def encoded(value: Any, name: str = "") -> list[str]:
    """As the SDK encodes it: `a[0][b]=c`, percent-encoded."""
    if isinstance(value, list):
        value = {str(index): one for index, one in enumerate(value)}
    if not isinstance(value, dict):
        return [f"{quote(name, safe='')}={quote(value, safe='')}"]
    return [text for key, inner in value.items() for text in encoded(inner, f"{name}[{key}]" if name else str(key))]


@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_what_the_sdk_encodes_is_read_back_as_it_was(tree: dict[str, Any]) -> None:
    assert forms.parse("&".join(encoded(tree)).encode()) == tree


@given(st.binary(max_size=60) | st.text("ab[]=&%0", max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_in_stripes_shape(body: bytes) -> None:
    outcome: object
    try:
        outcome = forms.parse(body)
    except ApiError as refused:
        outcome = refused.body()["error"]["type"]
    assert isinstance(outcome, dict) or outcome == "invalid_request_error"


def test_both_spellings_of_arrays_mean_the_same() -> None:
    wanted = {"expand": ["data.tiers", "data.product"]}
    assert forms.parse(b"expand[]=data.tiers&expand[]=data.product") == wanted
    assert forms.parse(b"expand[1]=data.product&expand[0]=data.tiers") == wanted


def test_objects_in_an_array_without_indexes_end_where_a_name_repeats() -> None:
    body = b"items[][price]=p1&items[][quantity]=1&items[][price]=p2&items[][metadata][a]=b"
    assert forms.parse(body) == {"items": [{"price": "p1", "quantity": "1"}, {"price": "p2", "metadata": {"a": "b"}}]}


def test_items_are_a_list_of_objects() -> None:
    parsed = forms.parse(b"items[0][id]=si_1&items[0][price]=price_2&items[1][deleted]=true&discounts=")
    assert parsed == {"items": [{"id": "si_1", "price": "price_2"}, {"deleted": "true"}], "discounts": ""}


def test_metadata_may_be_named_by_numbers() -> None:
    assert forms.parse(b"metadata[0]=a&phases[0][metadata][2026]=b") == {
        "metadata": {"0": "a"},
        "phases": [{"metadata": {"2026": "b"}}],
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"metadata=&metadata[a]=1", "both as a value and as an object"),
        (b"metadata[a]=1&metadata=", "both as a value and as an object"),
        (b"expand[]=a&expand[0]=b", "with and without an index"),
        (b"items[0[id]=1", "Invalid parameter name"),
        (b"items]0[=1", "Invalid parameter name"),
        (b"[a]=1", "Invalid parameter name"),
        (b"name=%zz", "Invalid percent-encoding"),
        (b"name=%FF", "Invalid UTF-8"),
        (b"name=\xff", "Invalid UTF-8"),
        (b"name=a%00b", "NUL"),
        (b"a" + b"[b]" * 10 + b"=1", "more than 10 levels"),
    ],
)
def test_a_malformed_form_is_refused_and_says_why(body: bytes, said: str) -> None:
    with pytest.raises(ApiError, match=said) as refused:
        forms.parse(body)
    assert refused.value.status == 400


@pytest.mark.parametrize("header", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
def test_only_forms_are_taken_as_bodies(header: str) -> None:
    with pytest.raises(ApiError, match="application/x-www-form-urlencoded"):
        forms.check_content_type(header)
