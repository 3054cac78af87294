"""Time several ways of the same work in turn and compare medians."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
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
    for name in _turns(list(ways), repeats):
        before()
        times[name].append(seconds(ways[name]))
    return times


def apart(module: str, function: str, repeats: int = 5) -> dict[str, list[float]]:
    """Return the seconds of each way as ``in_turn`` does, every time in a process of its own.

    ``function`` of ``module`` returns the ways, each a call that answers how much work it did, the
    same for all. What one way leaves behind, such as memory that the process holds, then serves no
    other.
    """
    done = set()

    def way(name: str) -> float:
        command = [sys.executable, __file__, module, function, name]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        took, work = json.loads(said.splitlines()[-1])
        done.add(work)
        return took

    names = list(getattr(import_module(module), function)())
    times: dict[str, list[float]] = {name: [] for name in names}
    for name in _turns(names, repeats):
        times[name].append(way(name))
    assert len(done) == 1, f"the ways did different amounts of work: {done}"
    return times


def _turns(names: list[str], repeats: int) -> list[str]:
    return [name for turn in range(repeats) for name in (names if turn % 2 == 0 else names[::-1])]


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


def main(module: str, function: str, name: str) -> None:
    """Do the way ``name`` once: print its seconds, and its answer."""
    answers = []
    way = getattr(import_module(module), function)()[name]
    took = seconds(lambda: answers.append(way()))
    print(json.dumps([took, *answers]))


if __name__ == "__main__":
    main(*sys.argv[1:])
