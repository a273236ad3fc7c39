"""What a figure must reach, and how figures are printed beside it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """What a figure must reach: at least `least`, at most `most`, or both."""

    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:,} to {self.most:,}"
        return f">= {self.least:,}" if self.least is not None else f"<= {self.most:,}"

    def is_met(self, value: float) -> bool:
        """Whether `value` is on the right side."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


Marks = Mapping[str, Mark]


def table(flat: Mapping[str, float], must: Marks, aim: Marks) -> list[str]:
    """The figures as lines for people, each with what it must reach or aims at."""
    lines = []
    for name, value in flat.items():
        mark = must.get(name) or aim.get(name)
        said = "" if mark is None else f"{'must' if name in must else 'aim'} {mark}"
        lines.append(f"{name:<40}{value:>14,}  {said}".rstrip())
    return lines


def missed(flat: Mapping[str, float], must: Marks) -> list[str]:
    """One line per mark that was not reached."""
    return [
        f"missed: {name} is {flat[name]:,} and must be {mark}"
        for name, mark in must.items()
        if name in flat and not mark.is_met(flat[name])
    ]
