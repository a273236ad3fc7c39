"""Whole lists in several stretches at once: each object comes exactly once, whatever is asked for in whatever order."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dlt_pipelines.client import Reader
from dlt_pipelines.crew import Crew
from dlt_pipelines.lists import Pair, Walk
from dlt_pipelines.rows import Tally, head_decoder
from dlt_pipelines.settings import Settings
from tests.dlt_pipelines.stub import DAY, StubStripe

PATH, HEADS = "/v1/customers", head_decoder()


def listed(stub: StubStripe, is_dated: bool = True, since: int | None = None, workers: int = 8) -> list[list[str]]:
    """The ids that each call of `handle` got; the last is empty: the end was told once, after all else."""
    crew, tally, got = Crew(workers), Tally(), []

    def read(payloads: list[msgspec.Raw]) -> list[Pair]:
        return [(each, HEADS.decode(each)) for each in payloads]

    def handle(pairs: list[Pair]) -> Iterator[Any]:
        got.append([head.id for _, head in pairs])
        return iter(())

    def at_end() -> Iterator[Any]:
        got.append([])
        return iter(())

    reader = Reader(Settings(Path(), stub.url, "rk_test_x"), workers=workers)
    Walk(crew, reader, PATH, {}, tally, read, handle, at_end, is_dated).start(since)
    list(crew.run())
    return got


def fill(stub: StubStripe, created: list[int]) -> set[str]:
    made = sorted(created, reverse=True)
    stub.lists[PATH] = [f'{{"id": "cus_{n}", "created": {at}}}'.encode() for n, at in enumerate(made)]
    return {f"cus_{number}" for number in range(len(made))}


@pytest.mark.parametrize("spread", [1, 30, 40 * DAY, 4_000 * DAY])
def test_each_object_comes_once_however_dense_the_list(stub: StubStripe, spread: int) -> None:
    chance = random.Random(spread)  # noqa: S311 - no secret
    ids = fill(stub, [1_790_000_000 - chance.randrange(spread) for _ in range(1_500)])

    got = listed(stub)

    assert Counter(each for page in got for each in page) == Counter(ids)
    assert got[-1] == []


def test_an_even_list_is_read_in_several_stretches(stub: StubStripe) -> None:
    ids = fill(stub, [1_790_000_000 - number * DAY // 4 for number in range(2_000)])

    got = listed(stub)

    assert Counter(each for page in got for each in page) == Counter(ids)
    firsts = [int(page[0].removeprefix("cus_")) for page in got if page]
    assert firsts != sorted(firsts), "all pages came one after the other"


@pytest.mark.parametrize("is_dated", [True, False])
def test_a_list_goes_on_when_all_of_a_page_is_deleted_before_the_next_is_asked_for(
    stub: StubStripe, is_dated: bool
) -> None:
    ids = fill(stub, [1_790_000_000 - number * 7 for number in range(250)])
    whole, answer = list(stub.lists[PATH]), stub.answer

    def deleting(path: str, query: dict[str, str]) -> tuple[int, bytes]:
        if "starting_after" in query and len(stub.lists[PATH]) == len(whole):
            stub.lists[PATH] = whole[100:]
        return answer(path, query)

    stub.answer = deleting  # type: ignore[method-assign] # to change the list meanwhile
    got = listed(stub, is_dated, workers=1)

    assert Counter(each for page in got for each in page) == Counter(ids)


def test_what_was_created_before_the_bound_is_left_out(stub: StubStripe) -> None:
    fill(stub, list(range(1_000, 1_400)))

    assert sorted(each for page in listed(stub, since=1_390) for each in page) == sorted(
        f"cus_{number}" for number in range(10)
    )


def test_an_empty_list_has_an_end(stub: StubStripe) -> None:
    assert listed(stub) == [[], []]
