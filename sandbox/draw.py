"""Chance as a pure function of a seed and a key, so that nothing depends on the order of calls."""

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

Choice = TypeVar("Choice")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LETTERS = bytes(ord(BASE62[byte % 62]) for byte in range(256))


def _digest(width: int, *key: object) -> bytes:
    return hashlib.blake2b("|".join(map(str, key)).encode(), digest_size=width).digest()


def number(seed: int, *key: object) -> int:
    """64 random bits."""
    return int.from_bytes(_digest(8, seed, *key), "big")


def uniform(seed: int, *key: object) -> float:
    """In [0, 1)."""
    return (number(seed, *key) >> 11) * 2.0**-53


def between(low: float, high: float, seed: int, *key: object) -> float:
    """Uniform in [low, high)."""
    return low + (high - low) * uniform(seed, *key)


def whole(low: int, high: int, seed: int, *key: object) -> int:
    """Uniform over the integers low..high, both included."""
    return low + number(seed, *key) % (high - low + 1)


def normal(seed: int, *key: object) -> float:
    """Standard normal (Box and Muller, 1958)."""
    first, second = uniform(seed, *key, "a"), uniform(seed, *key, "b")
    return math.sqrt(-2 * math.log(1 - first)) * math.cos(2 * math.pi * second)


def pick(choices: Sequence[Choice], weights: Sequence[float], seed: int, *key: object) -> Choice:
    """One of `choices`, with probability in proportion to its weight."""
    point = uniform(seed, *key) * sum(weights)
    for choice, weight in zip(choices, weights, strict=True):
        point -= weight
        if point < 0:
            return choice
    return choices[-1]


def identifier(prefix: str, width: int, seed: int, *key: object) -> str:
    """An id in Stripe's form, such as `cus_9sGk2LqXv01bTz`; width: letters after the prefix, 1 to 64."""
    return prefix + _digest(width, seed, prefix, *key).translate(LETTERS).decode()
