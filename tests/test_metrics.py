import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.metrics import accuracy, edit_distance, perplexity

words = st.text("абв", max_size=8)


def test_perplexity_of_a_uniform_guess_is_the_number_of_choices():
    assert perplexity(1000 * math.log(91), 1000) == pytest.approx(91)


@given(st.lists(st.tuples(st.floats(0, 8), st.integers(1, 100)), min_size=2, max_size=10))
def test_perplexity_from_totals_never_exceeds_the_weighted_mean_of_exponents(batches):
    count = sum(n for _, n in batches)
    mean_of_exponents = sum(math.exp(loss) * n for loss, n in batches) / count
    assert perplexity(sum(loss * n for loss, n in batches), count) <= mean_of_exponents * (1 + 1e-9)


def test_a_hopeless_loss_is_infinite_perplexity_not_an_overflow():
    assert perplexity(1e6, 1) == math.inf


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
