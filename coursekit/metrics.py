"""Numbers that say how good a model is, from totals over all the data."""

import math
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

from coursekit.arguments import check_real, check_whole, shown

# No corpus has more: what torch counts in.
TOKENS = 2**63 - 1


def perplexity(total: float, count: int) -> float:
    """Return exp(``total`` / ``count``): ``total`` nats of loss over ``count`` tokens.

    Totals come from all batches: a mean of batch perplexities is another, larger number.
    Source: F. Jelinek et al., J. Acoust. Soc. Am. 62, S63 (1977); chapter 4.

    >>> round(perplexity(10 * math.log(33), 10), 6)
    33.0
    """
    check_whole("count", count, most=TOKENS)
    loss = check_real("total", total) / count
    return math.exp(loss) if loss < 700 else math.inf


def accuracy(correct: int, count: int) -> float:
    """Return the share of ``correct`` answers among ``count``.

    >>> accuracy(3, 4)
    0.75
    """
    check_whole("count", count, most=TOKENS)
    return check_real("correct", correct, 0, count) / count


def tokens_per_second(count: int, seconds: float) -> float:
    """Return the speed of ``count`` tokens in ``seconds``, both summed over the whole measurement.

    The mean of batch speeds is another number. Padding is no token. A GPU works on when Python goes
    further: call ``torch.cuda.synchronize()`` before each look at the clock.

    >>> tokens_per_second(6400, 0.5)
    12800.0
    """
    check_whole("count", count, most=TOKENS)
    return count / check_real("seconds", seconds, open_ends=True)


def confusion_matrix(
    truth: Iterable[object], answers: Iterable[object], labels: Iterable[object] | None = None
) -> list[list[int]]:
    """Return how often each label (row) was answered by each label (column), C rows of C counts.

    ``labels``, strings or whole numbers, give the order of rows and columns; without them all that
    occur are sorted. An example whose label is not among ``labels`` is a ``ValueError``: dropped
    silently, it would make the model look better. ``plots.confusion`` draws the result.

    >>> confusion_matrix(["за", "за", "против"], ["за", "против", "против"])
    [[1, 1], [0, 1]]
    """
    truth, answers = _label_list("truth", truth), _label_list("answers", answers)
    if len(truth) != len(answers) or not truth:
        raise ValueError(
            f"truth и answers: меток {len(truth)} и {len(answers)}, а нужно поровну "
            "и не меньше одной: метка и ответ на каждый пример."
        )
    seen = {*_label_list("truth + answers", truth + answers)}
    order = sorted(seen) if labels is None else _label_list("labels", labels)
    places = {label: place for place, label in enumerate(order)}
    if len(places) != len(order):
        raise ValueError(f"labels = {shown(order)}: метки повторяются, а нужна каждая один раз.")
    matrix = [[0] * len(order) for _ in order]
    for true, answer in zip(truth, answers, strict=True):
        for name, label in (("truth", true), ("answers", answer)):
            if label not in places:
                raise ValueError(f"{name}: метки {shown(label)} нет в labels = {shown(order)}.")
        matrix[places[true]][places[answer]] += 1
    return matrix


def macro_f1(
    truth: Iterable[object], answers: Iterable[object], labels: Iterable[object] | None = None
) -> float:
    """Return the mean of the labels' F1, from 0 to 1, in which a rare label weighs as a frequent.

    F1 of a label is 2·right / (true + answered), or 0 where it neither occurs nor is answered.
    ``labels`` and errors are as in ``confusion_matrix``.
    Source: J. Opitz, S. Burst, arXiv:1911.03347, which also tells it from the F1 of mean precision
    and recall.

    >>> round(macro_f1(["за", "за", "за", "против"], ["за", "за", "за", "за"]), 3)
    0.429
    """
    matrix = confusion_matrix(truth, answers, labels)
    total = 0.0
    for place, (row, column) in enumerate(zip(matrix, zip(*matrix, strict=True), strict=True)):
        total += 2 * row[place] / max(sum(row) + sum(column), 1)
    return total / len(matrix)


def edit_distance(first: Sequence[object], second: Sequence[object]) -> int:
    """Return how many insertions, deletions and replacements turn ``first`` into ``second``.

    Source: В. И. Левенштейн, Докл. АН СССР 163:4 (1965), 845–848.

    >>> edit_distance("лодка", "водка"), edit_distance(["я", "иду"], [])
    (1, 2)
    """
    first, second = _label_list("first", first), _label_list("second", second)
    above = list(range(len(second) + 1))
    for row, left in enumerate(first, 1):
        line = [row]
        for column, right in enumerate(second, 1):
            replaced = above[column - 1] + (left != right)
            line.append(min(replaced, above[column] + 1, line[-1] + 1))
        above = line
    return above[-1]


def _label_list(name: str, labels: Iterable[object]) -> list[Any]:
    """Return ``labels`` as a list, all strings or all whole numbers."""
    # Elements of a tensor are tensors, and equal ones differ as keys; tolist() gives plain numbers.
    listed = labels.tolist() if hasattr(labels, "tolist") else labels
    if not isinstance(listed, Iterable) or isinstance(listed, bytes):
        raise TypeError(
            f"{name} = {shown(labels)}: нужен список меток, а пришёл тип {type(labels).__name__}."
        )
    listed = list(listed)
    for kind in (str, Integral):
        if all(isinstance(label, kind) for label in listed):
            return listed
    raise TypeError(
        f"{name} = {shown(listed)}: метки должны быть или все строками, или все целыми числами."
    )
