"""Requests in worker threads: their order, what may run beside what, and how a failure ends all of it."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dlt_pipelines import crew as crew_module
from dlt_pipelines.crew import PER_ENDPOINT, Crew, Job
from dlt_pipelines.rows import KIND_SCHEMA, table_of


def test_answers_are_handled_one_at_a_time_in_the_thread_that_iterates_and_may_add_jobs() -> None:
    crew, threads, handled = Crew(4), set(), []

    def then(number: int) -> Iterator[Any]:
        threads.add(threading.get_ident())
        handled.append(number)
        if number < 100:
            crew.add(Job("/b", lambda: number + 100, then))
        yield "table", table_of(KIND_SCHEMA, [])

    for number in range(20):
        crew.add(Job("/a", lambda number=number: number, then))  # type: ignore[misc] # a default that binds the number

    assert len(list(crew.run())) == 40
    assert sorted(handled) == [*range(20), *range(100, 120)]
    assert threads == {threading.get_ident()}
    assert crew.is_idle()


def test_one_endpoint_never_holds_more_workers_than_its_share_so_that_others_go_on() -> None:
    crew, lock, busy, most, order = Crew(16), threading.Lock(), {"/slow": 0, "/fast": 0}, {"/slow": 0, "/fast": 0}, []

    def work(endpoint: str, seconds: float) -> str:
        with lock:
            busy[endpoint] += 1
            most[endpoint] = max(most[endpoint], busy[endpoint])
        time.sleep(seconds)
        with lock:
            busy[endpoint] -= 1
        return endpoint

    def then(endpoint: str) -> Iterator[Any]:
        order.append(endpoint)
        return iter(())

    for _ in range(12):
        crew.add(Job("/slow", lambda: work("/slow", 0.1), then))
    for _ in range(3):
        crew.add(Job("/fast", lambda: work("/fast", 0), then))
    list(crew.run())

    assert most["/slow"] == PER_ENDPOINT
    assert order[:3] == ["/fast"] * 3


def test_lists_wait_while_too_many_objects_do_but_never_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "BACKLOG", 10)
    crew, order = Crew(1), []

    def then(name: str) -> Iterator[Any]:
        order.append(name)
        return iter(())

    for _ in range(30):
        crew.add(Job("/list", lambda: "list", then, is_list=True))
        crew.add(Job("/list/{id}", lambda: "object", then))
    list(crew.run())

    assert sorted(order) == ["list"] * 30 + ["object"] * 30
    assert order[:20] == ["object"] * 20, "with more than ten objects waiting no list may add to them"


@pytest.mark.parametrize("where", ["work", "then"])
def test_the_first_failure_wakes_who_waits_and_begins_nothing_more(where: str) -> None:
    stopped, begun = threading.Event(), []

    def fail(*_: object) -> Any:
        raise LookupError(where)

    def wait() -> None:
        begun.append(1)
        assert stopped.wait(10)

    crew = Crew(2, stopped.set)
    crew.add(Job("/waits", wait, lambda _: iter(())))
    crew.add(Job("/fails", fail if where == "work" else int, fail))
    for _ in range(50):
        crew.add(Job("/waits", wait, lambda _: iter(())))

    with pytest.raises(LookupError, match=where):
        list(crew.run())
    assert len(begun) <= 2


def test_who_stops_listening_ends_the_work_too() -> None:
    stopped = threading.Event()
    crew = Crew(2, stopped.set)
    for number in range(9):
        crew.add(Job(f"/{number}", lambda: None, lambda _: iter([("table", table_of(KIND_SCHEMA, []))])))
    rows = crew.run()
    next(rows)

    rows.close()  # type: ignore[attr-defined] # it is a generator

    assert stopped.is_set()
