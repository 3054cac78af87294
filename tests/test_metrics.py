import math

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.metrics import (
    accuracy,
    confusion_matrix,
    edit_distance,
    macro_f1,
    perplexity,
    tokens_per_second,
)

words = st.text("абв", max_size=8)


def answered(labels):
    """Truth and answers, few labels and many, of the same length."""
    return st.lists(st.tuples(labels, labels), min_size=1, max_size=40).map(
        lambda pairs: tuple(map(list, zip(*pairs, strict=True)))
    )


pairs_of_labels = answered(st.sampled_from("абвгд")) | answered(st.integers(-3, 3))


def test_perplexity_of_a_uniform_guess_is_the_number_of_choices():
    assert perplexity(1000 * math.log(91), 1000) == pytest.approx(91)


@given(st.lists(st.tuples(st.floats(0, 8), st.integers(1, 100)), min_size=2, max_size=10))
def test_perplexity_from_totals_never_exceeds_the_weighted_mean_of_exponents(batches):
    count = sum(n for _, n in batches)
    mean_of_exponents = sum(math.exp(loss) * n for loss, n in batches) / count
    assert perplexity(sum(loss * n for loss, n in batches), count) <= mean_of_exponents * (1 + 1e-9)


def test_a_hopeless_loss_is_infinite_perplexity_not_an_overflow():
    assert perplexity(1e6, 1) == math.inf


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(1e-3, 1e3)), min_size=1, max_size=10))
def test_speed_from_totals_never_exceeds_the_weighted_mean_of_speeds(batches):
    count, seconds = map(sum, zip(*batches, strict=True))
    weighted = sum(n * n / t for n, t in batches) / count
    assert tokens_per_second(count, seconds) <= weighted * (1 + 1e-9)
    assert tokens_per_second(count, seconds) * seconds == pytest.approx(count)


@pytest.mark.filterwarnings("ignore:A single label was found")
@given(pairs_of_labels)
def test_confusion_matrix_and_macro_f1_equal_those_of_sklearn(pairs):
    truth, answers = pairs
    theirs = sklearn.metrics.confusion_matrix(truth, answers)
    assert confusion_matrix(truth, answers) == theirs.tolist()
    expected = sklearn.metrics.f1_score(truth, answers, average="macro", zero_division=0)
    assert macro_f1(truth, answers) == pytest.approx(expected, abs=1e-12)


@given(answered(st.integers(0, 4)), st.permutations(range(7)))
def test_labels_give_the_order_and_count_those_that_never_occur(pairs, labels):
    truth, answers = pairs
    theirs = sklearn.metrics.confusion_matrix(truth, answers, labels=labels)
    assert confusion_matrix(truth, answers, labels) == theirs.tolist()
    expected = sklearn.metrics.f1_score(
        truth, answers, labels=labels, average="macro", zero_division=0
    )
    assert macro_f1(truth, answers, labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series, torch.tensor, iter])
def test_labels_come_in_any_container(kind):
    assert confusion_matrix(kind([0, 1, 1]), kind([1, 1, 0])) == [[0, 1], [1, 1]]
    assert macro_f1(kind([0, 1, 1]), kind([1, 1, 0]), kind([0, 1])) == 0.25


def test_one_answer_for_all_is_accurate_and_of_little_worth():
    truth, answers = ["хвалят"] * 9 + ["ругают"], ["хвалят"] * 10
    assert accuracy(9, 10) == 0.9
    assert macro_f1(truth, answers) == pytest.approx(9 / 19)


@pytest.mark.parametrize("metric", [confusion_matrix, macro_f1])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1, 2], [1]), ValueError, "truth и answers: меток 2 и 1, а нужно поровну"),
        (([], []), ValueError, "меток 0 и 0, а нужно поровну и не меньше одной"),
        ((["а"], ["б"], ["а"]), ValueError, r"answers: метки 'б' нет в labels = \['а'\]"),
        ((["б"], ["а"], ["а"]), ValueError, "truth: метки 'б' нет в labels"),
        (([1], [1], [1, 1]), ValueError, r"labels = \[1, 1\]: метки повторяются"),
        (([1, "а"], [1, 1]), TypeError, "truth = .*или все строками, или все целыми"),
        (([1], ["а"]), TypeError, r"truth \+ answers = \[1, 'а'\]: метки"),
        (([1], [0.5]), TypeError, r"answers = \[0\.5\]: метки должны быть"),
        (([1], [math.nan]), TypeError, r"answers = \[nan\]: метки должны быть"),
        (([[1]], [[1]]), TypeError, r"truth = \[\[1\]\]: метки должны быть"),
        ((None, [1]), TypeError, "truth = None: нужен список меток, а пришёл тип NoneType"),
        ((np.array(3), [1]), TypeError, "truth = array.3.: нужен список меток"),
    ],
)
def test_wrong_labels_are_named(metric, arguments, error, message):
    with pytest.raises(error, match=message):
        metric(*arguments)


anything = st.one_of(
    st.none(),
    st.text(max_size=3),
    st.lists(st.one_of(st.text(max_size=2), st.integers(), st.floats(), st.none()), max_size=3),
)


@given(anything, anything, anything)
def test_whatever_comes_only_value_and_type_errors_go(truth, answers, labels):
    for metric in (confusion_matrix, macro_f1):
        try:
            metric(truth, answers, labels)
        except (ValueError, TypeError) as error:
            assert any(name in str(error) for name in ("truth", "answers", "labels"))


@given(words, words, words)
def test_edit_distance_is_a_metric(first, second, third):
    assert edit_distance(first, first) == 0
    assert edit_distance(first, second) == edit_distance(second, first)
    assert edit_distance(first, third) <= edit_distance(first, second) + edit_distance(
        second, third
    )
    assert abs(len(first) - len(second)) <= edit_distance(first, second)
    assert edit_distance(first, second) <= max(len(first), len(second))


def test_edit_distance_of_known_words():
    # В. И. Левенштейн's distance on the textbook pair: two replacements and one insertion.
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("молоко", "мелко") == 2


def test_wrong_numbers_are_named():
    with pytest.raises(ValueError, match="count = 0: нужно целое число не меньше 1"):
        perplexity(1.0, 0)
    with pytest.raises(ValueError, match="total = nan: нужно число не меньше 0"):
        perplexity(math.nan, 1)
    with pytest.raises(ValueError, match="correct = 3: нужно число от 0 до 2"):
        accuracy(3, 2)
    with pytest.raises(ValueError, match="count = 0: нужно целое число не меньше 1"):
        tokens_per_second(0, 1.0)
    with pytest.raises(ValueError, match="seconds = 0: нужно число больше 0"):
        tokens_per_second(1, 0)
