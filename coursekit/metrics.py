"""Numbers that say how good a model is, from totals over all the data."""

import math
from collections.abc import Sequence

from coursekit.arguments import check_real, check_whole


def perplexity(total: float, count: int) -> float:
    """Return exp(``total`` / ``count``): ``total`` nats of loss over ``count`` tokens.

    Totals come from all batches: a mean of batch perplexities is another, larger number.
    Source: F. Jelinek et al., J. Acoust. Soc. Am. 62, S63 (1977); chapter 4.

    >>> round(perplexity(10 * math.log(33), 10), 6)
    33.0
    """
    check_whole("count", count)
    loss = check_real("total", total) / count
    return math.exp(loss) if loss < 700 else math.inf


def accuracy(correct: int, count: int) -> float:
    """Return the share of ``correct`` answers among ``count``.

    >>> accuracy(3, 4)
    0.75
    """
    check_whole("count", count)
    return check_real("correct", correct, 0, count) / count


def edit_distance(first: Sequence[object], second: Sequence[object]) -> int:
    """Return how many insertions, deletions and replacements turn ``first`` into ``second``.

    Source: В. И. Левенштейн, Докл. АН СССР 163:4 (1965), 845–848.

    >>> edit_distance("лодка", "водка"), edit_distance(["я", "иду"], [])
    (1, 2)
    """
    above = list(range(len(second) + 1))
    for row, left in enumerate(first, 1):
        line = [row]
        for column, right in enumerate(second, 1):
            replaced = above[column - 1] + (left != right)
            line.append(min(replaced, above[column] + 1, line[-1] + 1))
        above = line
    return above[-1]
