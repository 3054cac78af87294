"""Time several ways of the same work in turn, in one process, and compare medians."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch


class Ratio(NamedTuple):
    """How many times longer another way takes than ours: median of the rounds and extremes.

    ``demanded`` is the least that we owe the reader, or None where nothing was promised.
    """

    work: str
    against: str
    ours_seconds: float
    other_seconds: float
    ratio: float
    least: float
    most: float
    demanded: float | None = None


class Figure(NamedTuple):
    """One number in ``unit``, median and extremes; ``demanded`` is the most that is allowed."""

    work: str
    unit: str
    value: float
    least: float
    most: float
    demanded: float | None = None


def in_turn(
    ways: dict[str, Callable[[], object]],
    repeats: int = 5,
    before: Callable[[], object] = lambda: None,
) -> dict[str, list[float]]:
    """Return the seconds of each way, round by round; every second round goes backwards.

    ``before`` each way goes something untimed.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(repeats):
        for name in list(ways) if number % 2 == 0 else reversed(ways):
            before()
            times[name].append(seconds(ways[name]))
    return times


def ratio(
    work: str, times: dict[str, list[float]], against: str, demanded: float | None = None
) -> Ratio:
    """Compare the way named ``against`` with ours, which is the first of ``times``."""
    ours, other = next(iter(times.values())), times[against]
    ratios = [b / a for a, b in zip(ours, other, strict=True)]
    median = statistics.median
    return Ratio(
        work,
        against,
        median(ours),
        median(other),
        median(ratios),
        min(ratios),
        max(ratios),
        demanded,
    )


def figure(work: str, unit: str, values: list[float], demanded: float | None = None) -> Figure:
    return Figure(work, unit, statistics.median(values), min(values), max(values), demanded)


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes; what a GPU has still to do counts too."""
    _wait_for_gpu()
    start = time.perf_counter()
    work()
    _wait_for_gpu()
    return time.perf_counter() - start


def _wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
