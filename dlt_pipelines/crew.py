"""Requests in worker threads, their answers handled one at a time: the only place where a load waits for Stripe."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

from dlt_pipelines.context import Batch

# Requests in flight on one endpoint: Stripe allows 25 a second on each and answers in 0.1 to 0.3 s.
PER_ENDPOINT = 6
# Jobs that may wait before lists have to: each page of customers adds a hundred.
BACKLOG = 5_000


@dataclass(frozen=True)
class Job:
    """One request and what becomes of its answer.

    endpoint: the path template whose rate limit it counts to. work: runs in a worker and only reads from Stripe.
    then: gets what `work` returned, in the thread that iterates `Crew.run`; may add jobs.
    is_list: a page of a list, whose objects may add a job each.
    """

    endpoint: str
    work: Callable[[], Any]
    then: Callable[[Any], Iterable[Batch]]
    is_list: bool = False


class Crew:
    """Runs jobs until none is left. At most `workers` answers wait to be handled, so memory stays flat.

    Endpoints take turns, and none holds more than PER_ENDPOINT workers: a worker that waits for one endpoint's rate
    must not keep the others idle. stop: wakes workers that wait, when a failure ends it all.
    """

    def __init__(self, workers: int, stop: Callable[[], None] = lambda: None) -> None:
        self._workers, self._stop = workers, stop
        self._waiting: dict[str, deque[Job]] = {}
        self._busy: Counter[str] = Counter()

    def add(self, job: Job) -> None:
        """Queue a job; first come, first served within its endpoint."""
        self._waiting.setdefault(job.endpoint, deque()).append(job)

    def is_idle(self) -> bool:
        """Whether no job waits."""
        return not self._waiting

    def has_room(self, endpoint: str) -> bool:
        """Whether one more request on `endpoint` would start at once."""
        queued = sum(map(len, self._waiting.values()))
        mine = self._busy[endpoint] + len(self._waiting.get(endpoint, ()))
        return mine < PER_ENDPOINT and self._busy.total() + queued < self._workers

    def run(self) -> Iterator[Batch]:
        """What the jobs' answers become, as they come. The first failure stops what has not begun and is raised."""
        finished: SimpleQueue[tuple[Job, Future[Any]]] = SimpleQueue()
        pool = ThreadPoolExecutor(self._workers)
        try:
            while True:
                while self._busy.total() < self._workers and (job := self._next()):
                    self._busy[job.endpoint] += 1
                    pool.submit(job.work).add_done_callback(partial(_put, finished, job))
                if not self._busy.total():
                    return
                job, done = finished.get()
                self._busy[job.endpoint] -= 1
                yield from job.then(done.result())
        except BaseException:
            self._stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _next(self) -> Job | None:
        """A job of the endpoint that has waited longest and has a worker to spare."""
        # Lists do not wait for lists, or a load that has nothing but many of them would never begin.
        is_full = sum(len(jobs) for jobs in self._waiting.values() if not jobs[0].is_list) > BACKLOG
        for endpoint in list(self._waiting):
            is_list = self._waiting[endpoint][0].is_list
            if self._busy[endpoint] < PER_ENDPOINT and not (is_full and is_list):
                jobs = self._waiting.pop(endpoint)
                job = jobs.popleft()
                if jobs:
                    self._waiting[endpoint] = jobs  # to the back: its turn comes again after the others'
                return job
        return None


def _put(finished: "SimpleQueue[tuple[Job, Future[Any]]]", job: Job, done: "Future[Any]") -> None:
    """Hand an answer to the thread that iterates; called in the worker."""
    finished.put((job, done))
