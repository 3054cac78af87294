import itertools
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from coursekit.attention import Additive
from coursekit.batching import PaddedBatches
from coursekit.layers import CELLS
from coursekit.seq2seq import ATTENTION, Seq2Seq, shifted
from coursekit.training import fit
from coursekit.translation import translate
from coursekit.vocab import BOS, EOS, PAD, Vocab

cells = st.sampled_from(sorted(CELLS))
attentions = st.sampled_from([*ATTENTION, None])
ids = st.lists(st.integers(4, 10), min_size=1, max_size=7)
rows = st.lists(st.tuples(ids, ids), min_size=1, max_size=4)


def model(**arguments):
    torch.manual_seed(0)
    return Seq2Seq(11, 13, **{"hidden": 6, "embedding": 5, **arguments}).double()


def batch(pairs):
    sources, targets = zip(*pairs, strict=True)
    ended = [[*target, EOS] for target in targets]
    (whole,) = PaddedBatches(sources, ended, aligned=False, batch_size=len(pairs), shuffle=False)
    return whole


@settings(max_examples=40)
@given(cells, attentions, st.integers(1, 2), rows)
def test_one_pass_says_what_step_by_step_says(cell, attention, layers, pairs):
    network, whole = model(cell=cell, attention=attention, layers=layers), batch(pairs)
    memory, start = network.encode(whole.inputs, whole.lengths)
    tokens = shifted(whole.targets)
    logits, end, weights = network.decode(tokens, start, memory)
    state, steps = start, []
    for token in tokens.split(1, dim=1):
        step, state, looks = network.decode(token, state, memory)
        steps.append((step, looks))
    torch.testing.assert_close(torch.cat([step for step, _ in steps], 1), logits)
    torch.testing.assert_close(state, end)
    if attention is None:
        assert weights is None
    else:
        torch.testing.assert_close(torch.cat([looks for _, looks in steps], 1), weights)


def by_hand(network, source, target):
    """The loss of one pair in plain torch: cells step by step, one score at a time."""
    outputs, last = network.encoder(torch.tensor([source]), torch.tensor([len(source)]))
    first = torch.tanh(network.start(last))[0].split(network.hidden)
    (layer,) = network.layers
    kind = getattr(torch.nn, f"{type(layer).__name__}Cell")
    cell = kind(layer.input_size, layer.hidden_size).double()
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    state = tuple(first) if len(first) == 2 else first[0]
    losses = []
    for before, token in itertools.pairwise([BOS, *target]):
        state = cell(network.embedding(torch.tensor(before)), state)
        h = out = state[0] if isinstance(state, tuple) else state
        if network.attention is not None:
            memory = network.values(outputs[0])
            scores = torch.stack([score(network, h, m) for m in memory])
            out = torch.cat([h, scores.softmax(0) @ memory])
        logits = network.projection(torch.tanh(network.linear(out)))
        losses.append(F.cross_entropy(logits, torch.tensor(token)))
    return torch.stack(losses).sum()


def score(network, h, m):
    if network.attention == "additive":
        parts = network.additive
        return parts.v @ torch.tanh(parts.query.weight @ h + parts.key.weight @ m)
    if network.attention == "general":
        return m @ network.general.query.weight @ h
    return h @ m / (len(h) ** 0.5 if network.attention == "scaled-dot" else 1)


@settings(max_examples=40)
@given(cells, attentions, rows)
def test_the_loss_is_that_of_the_formula(cell, attention, pairs):
    network, whole = model(cell=cell, attention=attention), batch(pairs)
    step = network.loss(whole)
    losses = [by_hand(network, source, [*target, EOS]) for source, target in pairs]
    torch.testing.assert_close(step.total, torch.stack(losses).sum())
    assert step.count == whole.count == sum(len(target) + 1 for _, target in pairs)
    assert step.state is None


@settings(max_examples=40)
@given(cells, attentions, rows)
def test_padding_changes_no_loss_and_no_gradient(cell, attention, pairs):
    network = model(cell=cell, attention=attention, layers=2)
    together = network.loss(batch(pairs))
    alone = [network.loss(batch([pair])) for pair in pairs]
    total = torch.stack([step.total for step in alone]).sum()
    torch.testing.assert_close(together.total, total)
    assert together.correct == sum(step.correct for step in alone)
    weights = list(network.parameters())
    for one, other in zip(
        torch.autograd.grad(together.total, weights),
        torch.autograd.grad(total, weights),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@given(st.sampled_from(ATTENTION), rows)
def test_weights_sum_to_one_over_the_source_and_are_zero_at_padding(attention, pairs):
    network, whole = model(attention=attention), batch(pairs)
    memory, state = network.encode(whole.inputs, whole.lengths)
    _, _, weights = network.decode(shifted(whole.targets), state, memory)
    assert weights.shape == (*whole.targets.shape, whole.inputs.shape[1])
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    for row, length in enumerate(whole.lengths.tolist()):
        assert (weights[row, :, :length] > 0).all()
        assert (weights[row, :, length:] == 0).all()


def test_the_decoder_reads_bos_and_all_but_the_last():
    whole = batch([([5, 6], [7, 8, 9]), ([5], [4])])
    assert shifted(whole.targets).tolist() == [[BOS, 7, 8, 9], [BOS, 4, EOS, PAD]]


@pytest.mark.parametrize("attention", [*ATTENTION, None])
def test_every_weight_learns(attention):
    network = model(attention=attention, layers=2, cell="lstm")
    network.loss(batch([([5, 6, 7], [4, 5]), ([8, 9], [6])])).total.backward()
    still = [name for name, weight in network.named_parameters() if not weight.grad.any()]
    assert still == []


def test_a_model_is_built_again_from_its_arguments():
    for attention in (*ATTENTION, None):
        network = Seq2Seq(11, 13, cell="gru", hidden=6, layers=2, attention=attention, dropout=0.1)
        again = Seq2Seq(**network.arguments)
        again.load_state_dict(network.state_dict())
        assert again.arguments == network.arguments
    assert isinstance(Seq2Seq(11, 13, hidden=6).additive, Additive)


def test_dropout_acts_in_training_only():
    network, whole = model(dropout=0.5), batch([([5, 6, 7], [4, 5])])
    assert network.loss(whole).total != network.loss(whole).total
    network.eval()
    assert network.loss(whole).total == network.loss(whole).total


@pytest.mark.parametrize(
    ("attention", "cell", "hidden", "lr", "epochs"),
    [("additive", "lstm", 48, 1e-2, 6), ("dot", "gru", 48, 1e-2, 6), (None, "rnn", 96, 3e-3, 12)],
)
def test_unseen_words_are_written_backwards(attention, cell, hidden, lr, epochs):
    draw = random.Random(0)
    words = sorted({"".join(draw.choices("абвгде", k=draw.randint(3, 6))) for _ in range(2000)})
    draw.shuffle(words)
    vocab = Vocab.build("".join(words))
    seen, unseen = words[200:], words[:200]
    train = PaddedBatches(
        [vocab.encode(word) for word in seen],
        [vocab.encode(word[::-1], eos=True) for word in seen],
        aligned=False,
        batch_size=32,
    )
    torch.manual_seed(0)
    network = Seq2Seq(
        len(vocab), len(vocab), cell=cell, hidden=hidden, embedding=16, attention=attention
    )
    fit(network, train, epochs=epochs, lr=lr, progress=False, device="cpu")
    written = translate(network, vocab, vocab, unseen, length=10)
    right = sum(word[::-1] == text for word, text in zip(unseen, written, strict=True))
    assert right / len(unseen) > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention": "self"}, "attention = 'self': можно 'additive', 'dot', 'scaled-dot' или"),
        ({"source_size": 4}, "source_size = 4: нужно целое число не меньше 5"),
        ({"target_size": 0}, "target_size = 0: нужно целое число не меньше 5"),
        ({"cell": "gpt"}, "cell = 'gpt': можно 'rnn', 'lstm' или 'gru'"),
        ({"hidden": 0}, "hidden = 0: нужно целое число не меньше 1"),
        ({"layers": 0}, "layers = 0: нужно целое число не меньше 1"),
        ({"embedding": 0}, "embedding = 0: нужно целое число не меньше 1"),
        ({"dropout": 2}, "dropout = 2: нужно число от 0 до 1"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Seq2Seq(**{"source_size": 20, "target_size": 20, **arguments})


def test_targets_that_are_no_sequences_are_named():
    (classes,) = PaddedBatches([[5, 6]], [1], batch_size=1)
    with pytest.raises(ValueError, match=r"targets: форма \(1,\), а нужна \(B, U\)"):
        model().loss(classes)
