"""Time two ways of the same work in turn, in one process, and compare medians."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Ratio(NamedTuple):
    """How much longer ``usual`` takes than ``ours``: median of the pairs, and their extremes."""

    work: str
    ours_seconds: float
    usual_seconds: float
    ratio: float
    least: float
    most: float


def compare(
    work: str,
    ours: Callable[[], object],
    usual: Callable[[], object],
    repeats: int = 5,
    before: Callable[[], object] = lambda: None,
) -> Ratio:
    """Run the two in turn ``repeats`` times; ``before`` each of ours goes something untimed."""
    ours_seconds, usual_seconds = [], []
    for _ in range(repeats):
        before()
        ours_seconds.append(seconds(ours))
        usual_seconds.append(seconds(usual))
    ratios = [b / a for a, b in zip(ours_seconds, usual_seconds, strict=True)]
    return Ratio(
        work,
        statistics.median(ours_seconds),
        statistics.median(usual_seconds),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
    )


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
