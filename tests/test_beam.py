import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.beam import beam_search, penalised, select, stable_topk
from coursekit.vocab import EOS

SIZE = 7
LETTERS = range(EOS + 1, SIZE)


CODES = 97


def after(code, token):
    return (code * 5 + token) % CODES


def chain(seed, rows=1):
    """A model whose state keeps, beside the number of its row, a code of all that it has read."""
    random = torch.Generator().manual_seed(seed)
    tables = torch.randn(rows, CODES, SIZE, generator=random, dtype=torch.float64) * 2
    tables = tables.log_softmax(-1)

    def read(tokens, state):
        numbers, codes = (part[0, :, 0].long() for part in state)
        codes = after(codes, tokens)
        return tables[numbers, codes], (state[0], codes.double()[None, :, None])

    start = torch.arange(rows, dtype=torch.float64).view(1, rows, 1)
    return tables, read, (start, torch.zeros_like(start))


def log_probability(table, tokens):
    code, total = 0, 0.0
    for token in tokens:
        total += table[code, token].item()
        code = after(code, token)
    return total


def everything(table, length, length_penalty):
    """Every sequence that ends, or is cut at ``length``, with its score, the best first."""
    found = []
    for count in range(1, length + 1):
        for head in itertools.product(LETTERS, repeat=count - 1):
            for last in range(EOS, SIZE) if count == length else [EOS]:
                p = log_probability(table, [*head, last])
                tokens = [*head, last] if last != EOS else list(head)
                found.append((tokens, p, p / ((5 + count) / 6) ** length_penalty))
    return sorted(found, key=lambda each: -each[2])


seeds = st.integers(0, 10_000)
penalties = st.sampled_from([0.0, 0.6, 1.0, 3.0])


@given(seeds, st.integers(1, 4), penalties)
def test_a_beam_that_holds_everything_finds_everything(seed, length, penalty):
    tables, read, state = chain(seed)
    expected = everything(tables[0], length, penalty)
    width = len(expected)
    (found,) = beam_search(
        read, tables[:, 0], state, width=width, length=length, length_penalty=penalty
    )
    assert [each.tokens for each in found] == [tokens for tokens, _, _ in expected]
    for each, (_, p, score) in zip(found, expected, strict=True):
        assert each.log_probability == pytest.approx(p, abs=1e-12)
        assert each.score == pytest.approx(score, abs=1e-12)


def greedy(table, length):
    code, tokens = 0, []
    while len(tokens) < length and EOS not in tokens:
        tokens.append(EOS + int(table[code, EOS:].argmax()))
        code = after(code, tokens[-1])
    return tokens


@given(seeds, st.integers(1, 9), penalties)
def test_a_beam_of_one_is_greedy(seed, length, penalty):
    tables, read, state = chain(seed)
    (found,) = beam_search(
        read, tables[:, 0], state, width=1, length=length, length_penalty=penalty
    )
    expected = greedy(tables[0], length)
    assert [each.tokens for each in found] == [[token for token in expected if token != EOS]]
    assert found[0].log_probability == pytest.approx(log_probability(tables[0], expected))


def every_step(table, width, length, penalty):
    """The search in plain Python, to the last step: nothing stops early."""
    live, done = [((), 0, 0.0)], []
    for count in range(1, length + 1):
        grown = [
            ((*tokens, token), after(code, token), p + table[code, token].item())
            for tokens, code, p in live
            for token in range(EOS, SIZE)
        ]
        grown = sorted(grown, key=lambda each: -each[2])[:width]
        for tokens, _, p in grown:
            if tokens[-1] == EOS or count == length:
                score = p / ((5 + count) / 6) ** penalty
                done.append(([token for token in tokens if token != EOS], score))
        live = [each for each in grown if each[0][-1] != EOS]
    return sorted(done, key=lambda each: -each[1])[:width]


@given(seeds, st.integers(1, 6), st.integers(1, 9), penalties)
def test_stopping_early_loses_nothing(seed, width, length, penalty):
    tables, read, state = chain(seed)
    (found,) = beam_search(
        read, tables[:, 0], state, width=width, length=length, length_penalty=penalty
    )
    expected = every_step(tables[0], width, length, penalty)
    assert [each.tokens for each in found] == [tokens for tokens, _ in expected]
    assert [each.score for each in found] == pytest.approx([score for _, score in expected])


@given(seeds, st.integers(1, 5), st.integers(1, 6), st.integers(1, 8))
def test_rows_do_not_touch_each_other(seed, rows, width, length):
    tables, read, state = chain(seed, rows)
    arguments = {"width": width, "length": length, "length_penalty": 0.6}
    together = beam_search(read, tables[:, 0], state, **arguments)
    for row in range(rows):
        own = tuple(part[:, row : row + 1] for part in state)
        assert beam_search(read, tables[row : row + 1, 0], own, **arguments) == [together[row]]


def test_the_search_stops_when_nothing_can_overtake():
    table = torch.full((SIZE, SIZE), -50.0)
    table[2, EOS], table[2, 4] = math.log(0.9), math.log(0.1)
    table[4, EOS] = table[4, 5] = math.log(0.5)
    table[5, 5] = 0.0
    calls = []

    def read(tokens, state):
        calls.append(tokens.tolist())
        return table[tokens], state

    for penalty, most in [(0.0, 1), (10.0, 19)]:
        calls.clear()
        (found,) = beam_search(read, table[2:3], (), width=2, length=20, length_penalty=penalty)
        assert len(calls) == most
    # With no penalty of shortness 0.9 and 0.05 stand; a strong one prefers what was cut at 20.
    assert found[0].tokens == [4, *[5] * 19]


def test_equal_sequences_come_in_the_order_of_their_numbers():
    flat = torch.full((1, SIZE), math.log(1 / 4))
    (found,) = beam_search(
        lambda tokens, state: (flat.expand(len(tokens), -1), state), flat, (), width=4, length=2
    )
    assert [each.tokens for each in found] == [[], [4], [4, 4], [4, 5]]


def test_service_tokens_are_never_found():
    loud = torch.tensor([[0.0, 0.0, 0.0, -9, -8, -7, -6]])
    (found,) = beam_search(
        lambda tokens, state: (loud.expand(len(tokens), -1), state), loud, (), width=9, length=3
    )
    assert len(found) == 9
    assert all(token > EOS for each in found for token in each.tokens)


def test_the_penalty_is_that_of_the_paper():
    # Wu et al., formula 14: lp(Y) = (5 + |Y|)^α / (5 + 1)^α, s = log P / lp.
    assert penalised(-4.0, 19, 0.2) == pytest.approx(-4.0 / (24**0.2 / 6**0.2))
    assert penalised(-4.0, 1, 0.7) == -4.0
    assert penalised(-4.0, 19, 1.0) == -1.0


@given(
    st.integers(1, 4).flatmap(
        lambda rows: st.lists(
            st.lists(st.sampled_from([-math.inf, -1.0, 0.0, 2.5]), min_size=6, max_size=6),
            min_size=rows,
            max_size=rows,
        )
    ),
    st.integers(1, 6),
)
def test_stable_topk_is_a_stable_sort_cut_short(values, k):
    values = torch.tensor(values)
    sorted_, order = values.sort(descending=True, stable=True)
    best, places = stable_topk(values, k)
    assert torch.equal(best, sorted_[:, :k])
    assert torch.equal(places, order[:, :k])


def test_select_takes_rows_of_pairs_too():
    h, c = torch.arange(6.0).view(1, 3, 2), -torch.arange(6.0).view(1, 3, 2)
    ((new_h, new_c),) = select(((h, c),), torch.tensor([2, 2, 0, 1]))
    assert new_h[0].tolist() == [[4, 5], [4, 5], [0, 1], [2, 3]]
    assert torch.equal(new_c, -new_h)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "width = 0: нужно целое число не меньше 1"),
        ({"length": 0}, "length = 0: нужно целое число не меньше 1"),
        ({"length_penalty": -1}, "length_penalty = -1: нужно число от 0 до 10"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    tables, read, state = chain(0)
    with pytest.raises(ValueError, match=message):
        beam_search(read, tables[:, 0], state, **{"width": 2, "length": 3, **arguments})


def test_a_model_gone_wrong_is_said():
    broken = torch.full((1, SIZE), math.nan)
    with pytest.raises(ValueError, match="following: вероятности следующего токена — NaN"):
        beam_search(lambda tokens, state: (broken, state), broken, (), width=1, length=3)
