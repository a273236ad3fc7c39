import pytest

from sandbox import forms
from sandbox.errors import ApiError


def test_both_spellings_of_arrays_mean_the_same() -> None:
    wanted = {"expand": ["data.tiers", "data.product"]}
    assert forms.parse("expand[]=data.tiers&expand[]=data.product") == wanted
    assert forms.parse("expand[1]=data.product&expand[0]=data.tiers") == wanted


def test_items_are_a_list_of_objects() -> None:
    parsed = forms.parse("items[0][id]=si_1&items[0][price]=price_2&items[1][deleted]=true&discounts=")
    assert parsed == {"items": [{"id": "si_1", "price": "price_2"}, {"deleted": "true"}], "discounts": ""}


def test_a_value_that_is_also_an_object_is_refused() -> None:
    with pytest.raises(ApiError, match="both as a value and as an object"):
        forms.parse("metadata=&metadata[a]=1")


def test_metadata_is_merged_and_empty_values_delete() -> None:
    assert forms.merge_metadata({"a": "1", "b": "2"}, {"a": "", "c": "3"}) == {"b": "2", "c": "3"}
    assert forms.merge_metadata({"a": "1"}, "") == {}


@pytest.mark.parametrize("value", ["1.5", "", "abc", "1e3", None, ["1"]])
def test_what_is_no_integer_is_refused_by_name(value: object) -> None:
    with pytest.raises(ApiError) as refused:
        forms.integer(value, "amount")
    assert refused.value.param == "amount"
