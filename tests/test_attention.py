import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from coursekit.attention import (
    Additive,
    General,
    additive,
    attend,
    dot,
    length_mask,
    scaled_dot,
)

QUERY, KEY, VALUE = 3, 4, 2
NAMES = ["dot", "scaled_dot", "additive", "general"]
names = st.sampled_from(NAMES)


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def score_of(name, seed=0):
    """A function of scores, and the sizes of its queries and keys."""
    torch.manual_seed(seed)
    if name == "additive":
        return Additive(QUERY, KEY, hidden=5).double(), QUERY, KEY
    if name == "general":
        return General(QUERY, KEY).double(), QUERY, KEY
    return {"dot": dot, "scaled_dot": scaled_dot}[name], KEY, KEY


@st.composite
def cases(draw):
    """(B, Q or None, T), a mask that leaves something in each row, and a seed for the numbers."""
    rows, steps = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    queries = draw(st.none() | st.integers(1, 4))
    row = st.lists(st.booleans(), min_size=steps, max_size=steps).filter(any)
    mask = torch.tensor(draw(st.lists(row, min_size=rows, max_size=rows)))
    return (rows, queries, steps), mask, draw(st.integers(0, 999))


def tensors(case, query_size=KEY, key_size=KEY, value_size=VALUE):
    (rows, queries, steps), mask, seed = case
    random = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64).requires_grad_()

    query = normal(rows, query_size) if queries is None else normal(rows, queries, query_size)
    return query, normal(rows, steps, key_size), normal(rows, steps, value_size), mask


def gradients(total, *leaves):
    return torch.autograd.grad(total, leaves)


@given(cases(), st.integers(1, 9), st.integers(1, 5))
def test_scaled_dot_is_that_of_torch_with_its_gradients(case, size, value_size):
    query, keys, values, mask = tensors(case, size, size, value_size)
    context, _ = attend(scaled_dot(query, keys), values, mask)
    many = query if query.ndim == 3 else query[:, None]
    allowed = mask[:, None].expand(-1, many.shape[1], -1)
    expected = F.scaled_dot_product_attention(many, keys, values, attn_mask=allowed)
    expected = expected.reshape(context.shape)
    close(context, expected)
    pull = torch.linspace(-1, 1, context.numel(), dtype=torch.float64).view_as(context)
    ours = gradients((context * pull).sum(), query, keys, values)
    theirs = gradients((expected * pull).sum(), query, keys, values)
    for actual, wanted in zip(ours, theirs, strict=True):
        close(actual, wanted)


def formula(name, score, q, k):
    """The score of one query and one key, as the papers write it, in plain Python."""
    if name in ("dot", "scaled_dot"):
        product = sum(a * b for a, b in zip(q, k, strict=True))
        return product / math.sqrt(len(k)) if name == "scaled_dot" else product
    w = score.query.weight.tolist()
    if name == "general":
        return sum(k[i] * w[i][j] * q[j] for i in range(len(k)) for j in range(len(q)))
    u, v = score.key.weight.tolist(), score.v.tolist()
    return sum(
        v[n]
        * math.tanh(
            sum(a * b for a, b in zip(w[n], q, strict=True))
            + sum(a * b for a, b in zip(u[n], k, strict=True))
        )
        for n in range(len(v))
    )


@given(names, cases())
def test_scores_are_the_formula_pair_by_pair(name, case):
    score, query_size, key_size = score_of(name)
    query, keys, _, _ = tensors(case, query_size, key_size)
    scores = score(query, keys)
    assert scores.shape == (*query.shape[:-1], keys.shape[1])
    many = query if query.ndim == 3 else query[:, None]
    expected = [
        [[formula(name, score, q, k) for k in row_keys] for q in row_queries]
        for row_queries, row_keys in zip(many.tolist(), keys.tolist(), strict=True)
    ]
    close(scores, torch.tensor(expected, dtype=torch.float64).reshape(scores.shape))


@given(cases())
def test_weights_and_context_are_a_softmax_over_real_tokens_by_hand(case):
    query, keys, values, mask = tensors(case)
    scores = dot(query, keys).detach()
    context, weights = attend(scores, values, mask)
    for row in range(len(mask)):
        real = [t for t in range(mask.shape[1]) if mask[row, t]]
        for place in [()] if scores.ndim == 2 else [(q,) for q in range(scores.shape[1])]:
            powers = {t: math.exp(scores[(row, *place, t)]) for t in real}
            total = sum(powers.values())
            for t in range(mask.shape[1]):
                assert weights[(row, *place, t)].item() == pytest.approx(
                    powers.get(t, 0) / total, abs=1e-12
                )
            for n in range(VALUE):
                assert context[(row, *place, n)].item() == pytest.approx(
                    sum(p / total * values[row, t, n].item() for t, p in powers.items()), abs=1e-12
                )


@given(cases(), st.sampled_from([torch.float32, torch.float64]), st.sampled_from([1, 1e4, 1e12]))
def test_weights_sum_to_one_and_are_exactly_zero_at_padding(case, dtype, scale):
    query, keys, values, mask = tensors(case)
    scores = (dot(query, keys) * scale).to(dtype)
    _, weights = attend(scores, values.to(dtype), mask)
    sums = weights.sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums))
    assert (weights >= 0).all()
    hidden = ~mask if weights.ndim == 2 else (~mask[:, None]).expand_as(weights)
    assert (weights[hidden] == 0).all()


@given(names, cases())
def test_without_a_mask_every_position_counts(name, case):
    score, query_size, key_size = score_of(name)
    query, keys, values, mask = tensors(case, query_size, key_size)
    scores = score(query, keys)
    for actual, expected in zip(
        attend(scores, values), attend(scores, values, torch.ones_like(mask)), strict=True
    ):
        assert torch.equal(actual, expected)


@given(names, cases(), st.randoms(use_true_random=False))
def test_keys_in_another_order_get_their_weights_in_that_order(name, case, random):
    score, query_size, key_size = score_of(name)
    query, keys, values, mask = tensors(case, query_size, key_size)
    order = list(range(keys.shape[1]))
    random.shuffle(order)
    context, weights = attend(score(query, keys), values, mask)
    moved = attend(score(query, keys[:, order]), values[:, order], mask[:, order])
    close(moved[0], context)
    close(moved[1], weights[..., order])


@given(names, cases(), st.integers(1, 5), st.sampled_from([0.0, -3.0, 1e6]))
def test_padding_changes_neither_numbers_nor_gradients(name, case, more, filler):
    score, query_size, key_size = score_of(name)
    query, keys, values, mask = tensors(case, query_size, key_size)
    leaves = [query, keys, values, *getattr(score, "parameters", list)()]
    context, weights = attend(score(query, keys), values, mask)
    longer = (
        F.pad(keys, (0, 0, 0, more), value=filler),
        F.pad(values, (0, 0, 0, more), value=filler),
    )
    padded = attend(score(query, longer[0]), longer[1], F.pad(mask, (0, more), value=False))
    close(padded[0], context)
    close(padded[1], F.pad(weights, (0, more)))
    ours = gradients(context.square().sum(), *leaves)
    theirs = gradients(padded[0].square().sum(), *leaves)
    for actual, expected in zip(theirs, ours, strict=True):
        close(actual, expected)


@given(names, cases(), st.sampled_from([1.0, 1e4]))
def test_gradients_stay_finite_and_are_zero_at_padding(name, case, scale):
    score, query_size, key_size = score_of(name)
    query, keys, values, mask = tensors(case, query_size, key_size)
    leaves = [query, keys, values, *getattr(score, "parameters", list)()]
    context, weights = attend(score(query, keys * scale), values, mask)
    grads = gradients(context.square().sum() + weights.square().sum(), *leaves)
    assert all(grad.isfinite().all() for grad in grads)
    assert (grads[1][~mask] == 0).all()
    assert (grads[2][~mask] == 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("queries", [None, 2])
def test_gradients_are_those_of_finite_differences(name, queries):
    score, query_size, key_size = score_of(name)
    mask = torch.tensor([[True, False, True], [False, True, True]])
    *inputs, mask = tensors(((2, queries, 3), mask, 0), query_size, key_size)
    weights = list(getattr(score, "parameters", list)())

    def both(query, keys, values, *_):
        return torch.cat([part.flatten() for part in attend(score(query, keys), values, mask)])

    assert torch.autograd.gradcheck(both, (*inputs, *weights))


@given(names, cases())
def test_many_queries_at_once_are_the_same_one_by_one(name, case):
    score, query_size, key_size = score_of(name)
    (rows, queries, steps), mask, seed = case
    many = (rows, queries or 1, steps), mask, seed
    query, keys, values, mask = tensors(many, query_size, key_size)
    whole = attend(score(query, keys), values, mask)
    for number, one in enumerate(query.unbind(1)):
        for actual, expected in zip(attend(score(one, keys), values, mask), whole, strict=True):
            close(actual, expected[:, number])


@given(cases())
def test_a_decoder_may_project_the_keys_once(case):
    score, query_size, key_size = score_of("additive")
    query, keys, _, _ = tensors(case, query_size, key_size)
    assert torch.equal(additive(score.query(query), score.key(keys), score.v), score(query, keys))


def test_modules_hold_the_parameters_of_the_formula_and_no_others():
    shapes = {name: tuple(w.shape) for name, w in Additive(3, 4, 5).named_parameters()}
    assert shapes == {"query.weight": (5, 3), "key.weight": (5, 4), "v": (5,)}
    shapes = {name: tuple(w.shape) for name, w in General(3, 4).named_parameters()}
    assert shapes == {"query.weight": (4, 3)}


@pytest.mark.parametrize("name", NAMES)
def test_autocast_may_mix_types(name):
    score, query_size, key_size = score_of(name)
    if isinstance(score, torch.nn.Module):
        score.float()
    query, keys, values = torch.ones(2, query_size), torch.ones(2, 5, key_size), torch.ones(2, 5, 1)
    with torch.autocast("cpu", torch.bfloat16):
        context, _ = attend(
            score(query.bfloat16(), keys), values, length_mask(torch.tensor([5, 2]))
        )
    torch.testing.assert_close(context.float(), torch.ones(2, 1), rtol=1e-2, atol=0)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(0, 4))
def test_a_mask_is_true_at_the_first_tokens_of_each_row(lengths, more):
    steps = max(1, *lengths, max(lengths) + more)
    for given_steps in (None, steps):
        width = max(lengths) if given_steps is None else steps
        mask = length_mask(torch.tensor(lengths), given_steps)
        assert mask.tolist() == [[t < length for t in range(width)] for length in lengths]
        assert mask.dtype == torch.bool


@given(cases(), st.data())
def test_a_row_of_padding_only_is_named(case, data):
    query, keys, values, mask = tensors(case)
    row = data.draw(st.integers(0, len(mask) - 1))
    mask[row] = False
    with pytest.raises(
        ValueError, match=rf"^mask\[{row}\]: в строке {row} нет ни одного True.*Убер"
    ):
        attend(dot(query, keys), values, mask)


Q, K, S, V = torch.ones(2, 4), torch.ones(2, 3, 4), torch.ones(2, 3), torch.ones(2, 3, 5)
ALL = torch.ones(2, 3, dtype=torch.bool)
ELSEWHERE = {"device": "meta"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dot(Q, K[0]), r"keys: форма \(3, 4\), а нужна \(B, T, H\): строки пакета"),
        (lambda: dot(Q, K[:, :0]), r"keys: форма \(2, 0, 4\), а нужна \(B, T, H\)"),
        (lambda: dot(Q[:, :0], K[..., :0]), r"keys: форма \(2, 3, 0\), а нужна \(B, T, H\)"),
        (
            lambda: dot(Q[:, :3], K),
            r"query: форма \(2, 3\), а к keys \(2, 3, 4\) нужна \(2, 4\) или \(2, Q, 4\).*General",
        ),
        (lambda: scaled_dot(Q[:1], K), r"query: форма \(1, 4\)"),
        (lambda: dot(torch.tensor(1.0), K), r"query: форма \(\)"),
        (lambda: dot(Q.to(**ELSEWHERE), K), r"query: на устройстве meta, а keys — на cpu; .*'cpu'"),
        (
            lambda: additive(Q, K, torch.ones(3)),
            r"v: форма \(3,\), а к keys \(2, 3, 4\) нужна \(4,",
        ),
        (lambda: Additive(4, 5, 6)(Q, K), r"keys: форма \(2, 3, 4\), а нужна \(B, T, 5\)"),
        (lambda: Additive(5, 4, 6)(Q, K), r"query: форма \(2, 4\), .* нужна \(2, 5\) или"),
        (lambda: General(4, 5)(Q, K), r"keys: форма \(2, 3, 4\), а нужна \(B, T, 5\)"),
        (lambda: General(5, 4)(Q, K), r"query: форма \(2, 4\), .* нужна \(2, 5\) или"),
        (lambda: Additive(0, 4, 6), "query_size = 0: нужно целое число не меньше 1"),
        (lambda: Additive(4, -1, 6), "key_size = -1: нужно целое число не меньше 1"),
        (lambda: Additive(4, 4, 0), "hidden = 0: нужно целое число не меньше 1"),
        (lambda: General(0, 4), "query_size = 0: нужно целое число не меньше 1"),
        (lambda: General(4, 0), "key_size = 0: нужно целое число не меньше 1"),
        (lambda: attend(S[0], V), r"scores: форма \(3,\), а нужна \(B, T\) или \(B, Q, T\)"),
        (lambda: attend(S[:, :0], V[:, :0]), r"scores: форма \(2, 0\), .* хотя бы одна позиция"),
        (
            lambda: attend(S, V[:, :2]),
            r"values: форма \(2, 2, 5\), а к scores \(2, 3\) нужна \(2, 3",
        ),
        (lambda: attend(S, V[0]), r"values: форма \(3, 5\)"),
        (lambda: attend(S, V.to(**ELSEWHERE)), "values: на устройстве meta, а scores — на cpu"),
        (lambda: attend(S, V, ALL.T), r"mask: форма \(3, 2\), а к scores \(2, 3\) нужна \(2, 3\)"),
        (lambda: attend(S, V, ALL[:, :, None]), r"mask: форма \(2, 3, 1\)"),
        (lambda: attend(S, V, ALL.to(**ELSEWHERE)), "mask: на устройстве meta, а scores — на cpu"),
        (lambda: length_mask(torch.tensor([2, -1])), "lengths: есть длина -1, а нужны целые числа"),
        (
            lambda: length_mask(torch.tensor([])[:0].long()),
            r"lengths: форма \(0,\), а нужна \(B,\)",
        ),
        (lambda: length_mask(torch.tensor([[1]])), r"lengths: форма \(1, 1\), а нужна \(B,\)"),
        (
            lambda: length_mask(torch.tensor([1, 5]), 4),
            r"steps = 4: есть строка длины 5, она не поместится.*inputs\.shape\[1\]",
        ),
        (lambda: length_mask(torch.tensor([0]), 0), "steps = 0: нужно целое число не меньше 1"),
    ],
)
def test_wrong_shapes_are_named(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dot([[1.0]], K), r"query = \[\[1\.0\]\]: нужен тензор \(torch\.Tensor\), .* list"),
        (lambda: dot(Q, None), "keys = None: нужен тензор"),
        (lambda: dot(Q.long(), K), r"query: тип torch\.int64, а нужны дробные .* nn\.Embedding"),
        (lambda: dot(Q, K.bool()), r"keys: тип torch\.bool, а нужны дробные числа"),
        (
            lambda: dot(Q.double(), K),
            r"query: тип torch\.float64, а keys — torch\.float32; .* query\.to\(torch\.float32\)",
        ),
        (lambda: additive(Q, K, torch.ones(4).double()), r"v: тип torch\.float64, а keys — torch"),
        (lambda: additive(Q, K, 1.0), r"v = 1\.0: нужен тензор"),
        (lambda: Additive(4, 4, 5)(Q.double(), K.double()), r"query: тип torch\.float64, а веса —"),
        (lambda: General(4, 4)(Q.double(), K.double()), r"query: тип torch\.float64, а веса —"),
        (lambda: General(4.0, 4), r"query_size = 4\.0: нужно целое число, а пришёл тип float"),
        (lambda: attend(S.long(), V), r"scores: тип torch\.int64, а нужны дробные числа"),
        (lambda: attend(S, V.half()), r"values: тип torch\.float16, а scores — torch\.float32"),
        (lambda: attend(S, V, ALL.long()), r"mask: тип torch\.int64, а нужен torch\.bool, .* True"),
        (lambda: attend(S, V, [True]), r"mask = \[True\]: нужен тензор"),
        (lambda: length_mask([2, 1]), r"lengths = \[2, 1\]: нужен тензор"),
        (lambda: length_mask(torch.tensor([2.0])), r"lengths: тип torch\.float32, .*lengths\.long"),
        (lambda: length_mask(torch.tensor([2]), 2.5), r"steps = 2\.5: нужно целое число"),
    ],
)
def test_wrong_types_are_named(call, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        call()


DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.complex64]
some_tensors = st.builds(
    lambda shape, dtype: torch.ones(shape, dtype=dtype),
    st.lists(st.integers(0, 3), max_size=4),
    st.sampled_from(DTYPES),
)
anything = st.one_of(
    some_tensors,
    st.none(),
    st.text(max_size=3),
    st.floats(),
    st.lists(st.integers(), max_size=2),
)


@settings(max_examples=300)
@given(anything, anything, anything)
def test_bad_input_meets_only_russian_errors_of_two_kinds(first, second, third):
    calls = [
        lambda: dot(first, second),
        lambda: scaled_dot(first, second),
        lambda: additive(first, second, third),
        lambda: Additive(2, 3, 2)(first, second),
        lambda: General(2, 3)(first, second),
        lambda: attend(first, second, third),
        lambda: length_mask(first),
        lambda: length_mask(torch.tensor([1]), first),
    ]
    for call in calls:
        try:
            call()
        except (ValueError, TypeError) as error:
            assert "нуж" in str(error) or "mask[" in str(error)
