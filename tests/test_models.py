import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from coursekit import datasets
from coursekit.batching import IGNORED, PaddedBatches, StreamBatches
from coursekit.layers import CELLS
from coursekit.models import POOLINGS, Classifier, LanguageModel, Tagger
from coursekit.training import fit
from coursekit.vocab import Vocab

cells = st.sampled_from(sorted(CELLS))


def parameters(model):
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(
    ("vocab_size", "layers", "count"),
    [(91, 1, 638_811), (91, 3, 1_691_483), (40_004, 1, 21_114_180), (40_004, 3, 22_166_852)],
)
def test_parameters_are_as_many_as_in_the_seed(vocab_size, layers, count):
    # Printed by the seed notebook 000 for its character and word models of 1 and 3 layers.
    assert parameters(LanguageModel(vocab_size, hidden=256, layers=layers)) == count


def by_hand(model, inputs):
    """The model's formula in plain torch: one step of one layer at a time."""
    x = model.embedding(inputs)
    for depth, layer in enumerate(model.layers):
        steps = {nn.RNN: nn.RNNCell, nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}
        step = steps[type(layer)](layer.input_size, layer.hidden_size)
        step.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
        state, outs = None, []
        for t in range(inputs.shape[1]):
            state = step(x[:, t], state)
            outs.append(state[0] if isinstance(state, tuple) else state)
        out = torch.stack(outs, 1)
        x = out + x if depth and model.residual else out
    return model.projection(torch.tanh(model.linear(x)))


@given(cells, st.integers(1, 3), st.booleans(), st.integers(1, 5), st.integers(1, 9))
def test_logits_are_those_of_the_formula(cell, layers, residual, rows, length):
    torch.manual_seed(0)
    model = LanguageModel(
        11, cell=cell, hidden=6, layers=layers, embedding=4, residual=residual
    ).double()
    torch.set_default_dtype(torch.float64)
    try:
        inputs = torch.randint(0, 11, (rows, length))
        torch.testing.assert_close(model(inputs)[0], by_hand(model, inputs))
    finally:
        torch.set_default_dtype(torch.float32)


@given(cells, st.integers(1, 3), st.integers(1, 6))
def test_carried_state_gives_the_logits_of_one_long_window(cell, layers, length):
    torch.manual_seed(0)
    model = LanguageModel(11, cell=cell, hidden=6, layers=layers).double()
    inputs = torch.randint(0, 11, (2, 12))
    whole, _ = model(inputs)
    state, parts = None, []
    for window in inputs.split(length, dim=1):
        logits, state = model(window, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_loss_is_summed_cross_entropy_of_true_targets():
    torch.manual_seed(0)
    model = LanguageModel(20, hidden=8)
    batch = next(iter(PaddedBatches([[5, 6, 7, 8], [9, 10]], batch_size=2, shuffle=False)))
    step = model.loss(batch)
    logits, _ = model(batch.inputs)
    true = [(0, 0), (0, 1), (0, 2), (1, 0)]
    losses = [F.cross_entropy(logits[r, t], batch.targets[r, t]) for r, t in true]
    torch.testing.assert_close(step.total, torch.stack(losses).sum())
    assert step.count == batch.count == 4
    right = [logits[r, t].argmax() == batch.targets[r, t] for r, t in true]
    assert step.correct == sum(right)


def test_padding_changes_no_loss():
    torch.manual_seed(0)
    model = LanguageModel(20, cell="gru", hidden=8).double()
    alone = next(iter(PaddedBatches([[5, 6, 7]], batch_size=1)))
    padded = next(iter(PaddedBatches([[5, 6, 7], [4] * 30], batch_size=2, shuffle=False)))
    other = next(iter(PaddedBatches([[4] * 30], batch_size=1)))
    torch.testing.assert_close(
        model.loss(padded).total, model.loss(alone).total + model.loss(other).total
    )
    assert (padded.targets[0, 2:] == IGNORED).all()


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_holds_no_gradients_and_takes_the_next_batch(cell):
    model = LanguageModel(20, cell=cell, hidden=8, layers=2)
    first, second, *_ = StreamBatches(list(range(4, 20)) * 3, 2, 8)
    step = model.loss(first)
    leaves = [leaf for part in step.state for leaf in (part if cell == "lstm" else [part])]
    assert len(leaves) == (4 if cell == "lstm" else 2)
    assert not any(leaf.requires_grad for leaf in leaves)
    model.loss(second, step.state).total.backward()


def test_tied_weights_are_one_tensor_and_fewer():
    model = LanguageModel(50, hidden=16, embedding=8, tied=True)
    assert model.projection.weight is model.embedding.weight
    assert parameters(LanguageModel(50, hidden=16, embedding=8)) - parameters(model) == 50 * 8


def test_without_deep_output_the_projection_reads_the_last_layer():
    torch.manual_seed(0)
    model = LanguageModel(20, hidden=8, embedding=4, deep_output=False)
    assert parameters(model) == 20 * 4 + 4 * 8 * (4 + 8 + 2) + 8 * 20 + 20
    inputs = torch.tensor([[4, 5, 6]])
    states, _ = model.layers[0](model.embedding(inputs))
    torch.testing.assert_close(model(inputs)[0], model.projection(states))
    rare = LanguageModel(20, hidden=8, embedding=4, deep_output=False, cutoffs=[9])
    assert rare(inputs)[0].exp().sum(-1).tolist() == [pytest.approx([1, 1, 1])]


def forget_bias(layer):
    size = layer.hidden_size
    return (layer.bias_ih_l0 + layer.bias_hh_l0)[size : 2 * size].tolist()


def test_an_lstm_starts_with_open_forget_gates_and_orthogonal_recurrence():
    layer = LanguageModel(20, hidden=8).layers[0]
    assert forget_bias(layer) == [1.0] * 8
    assert forget_bias(LanguageModel(20, hidden=8, forget_bias=-2.5).layers[0]) == [-2.5] * 8
    for gate in layer.weight_hh_l0.double().split(8):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8).double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_an_untrained_model_finds_all_tokens_about_alike(cell, tied):
    torch.manual_seed(0)
    model = LanguageModel(102, cell=cell, hidden=128, embedding=64, tied=tied)
    step = model.loss(next(iter(StreamBatches(torch.randint(4, 102, (513,)).tolist(), 8, 64))))
    assert (step.total / step.count).item() == pytest.approx(math.log(102), abs=0.15)


def test_what_the_projection_starts_from_makes_a_model_learn_sooner():
    text = datasets.load_zarechinsk().text("train")[:100_000]
    vocab = Vocab.build(text)
    losses = {}
    for start in ("ours", "torch's"):
        torch.manual_seed(0)
        model = LanguageModel(len(vocab), hidden=64, embedding=32)
        if start == "torch's":
            model.projection.reset_parameters()
            model.linear.reset_parameters()
        batches = StreamBatches(vocab.encode(text), batch_size=16, length=32)
        losses[start] = fit(model, batches, epochs=1, lr=1e-2, progress=False)[-1]["train_loss"]
    assert losses["ours"] < losses["torch's"] - 0.1, losses


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    model = LanguageModel(20, hidden=16, dropout=0.5)
    inputs = torch.tensor([[4, 5, 6]])
    assert not torch.equal(model(inputs)[0], model(inputs)[0])
    model.eval()
    assert torch.equal(model(inputs)[0], model(inputs)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "gpt"}, "cell = 'gpt': можно 'rnn', 'lstm' или 'gru'"),
        ({"hidden": 0}, "hidden = 0: нужно целое число не меньше 1"),
        ({"layers": -1}, "layers = -1: нужно целое число не меньше 1"),
        ({"dropout": 1.5}, "dropout = 1.5: нужно число от 0 до 1"),
        ({"embedding": 0}, "embedding = 0: нужно целое число не меньше 1"),
        ({"vocab_size": 4}, "vocab_size = 4: нужно целое число не меньше 5"),
        ({"cutoffs": [20]}, r"cutoffs = \[20\]: нужны номера .* меньше vocab_size = 20"),
        ({"cutoffs": [5, 9], "embedding": 15}, "от 15 чисел ничего .* не меньше 16"),
        ({"cutoffs": [8], "tied": True}, "tied = True: с cutoffs .*Уберите tied или cutoffs"),
        (
            {"hidden": 8, "embedding": 4, "tied": True, "deep_output": False},
            "tied = True: без deep_output проекция читает 8 чисел, а вектор токена — из 4",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LanguageModel(**{"vocab_size": 20, **arguments})


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (torch.tensor([[20]]), ValueError, "номера токенов от 20 до 20, .* от 0 до 19"),
        (torch.tensor([5, 6]), ValueError, r"inputs: форма \(2,\), а нужна \(B, T\)"),
        (torch.tensor([[0.5]]), TypeError, "inputs: тип torch.float32, а нужен"),
        ([[5, 6]], TypeError, "inputs: тип list, а нужен тензор"),
    ],
)
def test_wrong_inputs_are_named(inputs, error, message):
    with pytest.raises(error, match=message):
        LanguageModel(20, hidden=8)(inputs)


@given(cells, st.integers(0, 1000), st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_the_adaptive_loss_is_that_of_its_own_log_probabilities(cell, seed, unasked):
    torch.manual_seed(seed)
    model = LanguageModel(40, cell=cell, hidden=16, cutoffs=[8, 20]).double()
    with torch.no_grad():
        model.projection.head.weight.mul_(9)
    batch = next(iter(PaddedBatches([[4, 30, 6, 12, 35], [9, 10, 39]], batch_size=2)))
    targets = model(batch.inputs)[0].argmax(-1).where(torch.rand(2, 4) < 0.5, batch.targets)
    for place in unasked:
        targets[0, place - 1] = IGNORED
    batch = replace(batch, targets=targets)
    logits, _ = model(batch.inputs)
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(2, 4).double())
    step = model.loss(batch)
    total = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="sum")
    torch.testing.assert_close(step.total, total)
    assert step.correct == (logits.argmax(-1) == batch.targets).sum()


def test_the_adaptive_loss_trains_and_carries_its_state_where_nothing_is_asked():
    model = LanguageModel(40, hidden=16, cutoffs=[8, 20])
    first, second, *_ = StreamBatches(list(range(4, 40)) * 3, 2, 8)
    first = replace(first, targets=torch.full_like(first.targets, IGNORED))
    step = model.loss(first)
    step.total.backward()
    assert (step.total.item(), step.correct.item()) == (0, 0)
    assert all(weight.grad.isfinite().all() for weight in model.layers.parameters())
    model.loss(second, step.state).total.backward()
    assert all(weight.grad.any() for weight in model.projection.parameters())


def test_the_adaptive_loss_never_holds_the_whole_vocabulary_for_all_tokens():
    model = LanguageModel(5000, hidden=16, cutoffs=[100, 1000])
    batch = next(iter(StreamBatches(torch.randint(4, 5000, (2000,)).tolist(), 20, 90)))
    largest = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), named=None):
            out = function(*arguments, **(named or {}))
            largest.extend(
                each.numel() for each in tree_leaves(out) if isinstance(each, torch.Tensor)
            )
            return out

    def most_held(model):
        largest.clear()
        with Watch():
            model.loss(batch).total.backward()
        return max(largest)

    whole = batch.targets.numel() * 5000
    assert most_held(LanguageModel(5000, hidden=16)) == whole
    # 4000 of 5000 tokens are in the last cluster, and so is their share of random targets.
    assert most_held(model) < 0.9 * whole


IDS = [[5, 6, 7, 8], [9, 10], [4] * 7, [11]]


def by_pooling(outputs, last, pooling, query):
    """One row's outputs [T, size] pooled, in plain torch."""
    if pooling == "last":
        return last
    if pooling == "mean":
        return outputs.mean(0)
    if pooling == "max":
        return outputs.amax(0)
    scores = (outputs @ query) / len(query) ** 0.5
    return scores.softmax(0) @ outputs


def classifier(pooling, bidirectional=True, **arguments):
    torch.manual_seed(0)
    model = Classifier(
        12, 3, hidden=6, pooling=pooling, bidirectional=bidirectional, **arguments
    ).double()
    if pooling == "attention":
        torch.nn.init.normal_(model.query, std=3)
    return model


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_class_depends_on_the_true_tokens_alone(pooling, bidirectional, cell):
    model = classifier(pooling, bidirectional, cell=cell, layers=2)
    batch = next(iter(PaddedBatches(IDS, [0, 1, 2, 0], batch_size=4, shuffle=False)))
    for filler in (0, 5):
        padding = torch.arange(7) >= batch.lengths[:, None]
        wide = F.pad(batch.inputs.masked_fill(padding, filler), (0, 3), value=filler)
        logits = model(wide, batch.lengths)
        for row, ids in enumerate(IDS):
            alone = torch.tensor([ids]), torch.tensor([len(ids)])
            (outputs,), (last,) = model.encoder(*alone)
            pooled = by_pooling(outputs, last, pooling, getattr(model, "query", None))
            expected = model.projection(pooled)
            close = {"atol": 1e-12, "rtol": 0}
            torch.testing.assert_close(model(*alone)[0], expected, **close)
            torch.testing.assert_close(logits[row], expected, **close)


def test_attention_of_a_classifier_is_over_true_tokens_and_starts_even():
    batch = next(iter(PaddedBatches(IDS, [0, 1, 2, 0], batch_size=4, shuffle=False)))
    mask = torch.arange(7) < batch.lengths[:, None]
    even = Classifier(12, 3, hidden=6, pooling="attention")
    weights = even.attention(batch.inputs, batch.lengths)
    torch.testing.assert_close(weights, mask / batch.lengths[:, None])
    weights = classifier("attention").attention(batch.inputs, batch.lengths)
    torch.testing.assert_close(weights.sum(1), torch.ones(4).double())
    assert torch.equal(weights > 0, mask)
    assert weights[0].max() > 2 * weights[0][:4].min()
    with pytest.raises(ValueError, match="pooling = 'mean': весов внимания .* нет"):
        classifier("mean").attention(batch.inputs, batch.lengths)


def test_the_loss_of_a_classifier_is_summed_cross_entropy():
    model = classifier("max")
    batch = next(iter(PaddedBatches(IDS, [0, 1, 2, 0], batch_size=4, shuffle=False)))
    step = model.loss(batch)
    logits = model(batch.inputs, batch.lengths)
    losses = [
        F.cross_entropy(row, target) for row, target in zip(logits, batch.targets, strict=True)
    ]
    torch.testing.assert_close(step.total, torch.stack(losses).sum())
    assert (step.count, step.state) == (4, None)
    assert step.correct == (logits.argmax(-1) == batch.targets).sum()


def test_the_loss_of_a_tagger_counts_what_is_asked_alone():
    torch.manual_seed(0)
    model = Tagger(12, 4, cell="gru", hidden=6).double()
    tags = [[0, IGNORED, 2, IGNORED], [IGNORED, 3]]
    batch = next(iter(PaddedBatches(IDS[:2], tags, batch_size=2, shuffle=False)))
    step = model.loss(batch)
    asked = [(0, 0), (0, 2), (1, 1)]
    total, right = 0, 0
    for row, place in asked:
        alone = model(torch.tensor([IDS[row]]), torch.tensor([len(IDS[row])]))[0, place]
        total = total + F.cross_entropy(alone, torch.tensor(tags[row][place]))
        right += int(alone.argmax() == tags[row][place])
    torch.testing.assert_close(step.total, total)
    assert (step.count, step.correct, step.state) == (3, right, None)


MODELS = {
    "lm": lambda: LanguageModel(12, hidden=16),
    "adaptive": lambda: LanguageModel(12, hidden=64, cutoffs=[5, 8]),
    **{name: lambda name=name: Classifier(12, 3, hidden=8, pooling=name) for name in POOLINGS},
    "tagger": lambda: Tagger(12, 12, hidden=8),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_and_runs_in_bfloat16(name):
    torch.manual_seed(0)
    model = MODELS[name]()
    # A token's tag is the token itself, the class of a row its first token.
    targets = {"lm": None, "adaptive": None, "tagger": IDS}.get(name, [0, 1, 2, 1])
    rows = IDS if targets else IDS[:3]
    batch = next(iter(PaddedBatches(rows, targets, batch_size=4, shuffle=False)))
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        step = model.loss(batch)
        step.total.backward()
        assert all(weight.grad is not None for weight in model.parameters())
        optimizer.step()
    assert model.loss(batch).correct == batch.count
    with torch.autocast("cpu", torch.bfloat16):
        step = model.loss(batch)
        assert step.correct == batch.count
        step.total.backward()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Classifier(12, 1), "classes = 1: нужно целое число не меньше 2"),
        (lambda: Classifier(12, 2, pooling="sum"), "pooling = 'sum': можно 'last', 'mean', 'max'"),
        (lambda: Classifier(4, 2), "vocab_size = 4: нужно целое число не меньше 5"),
        (lambda: Tagger(12, 0), "tags = 0: нужно целое число не меньше 2"),
        (lambda: Tagger(12, 2, cell="gpt"), "cell = 'gpt': можно"),
    ],
)
def test_wrong_arguments_of_other_models_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_targets_of_another_model_are_named():
    classes = next(iter(PaddedBatches(IDS, [0, 1, 2, 3], batch_size=4)))
    with pytest.raises(ValueError, match=r"targets: форма \(4,\), а нужна \(4, 7\)"):
        Tagger(12, 4).loss(classes)
    with pytest.raises(ValueError, match="ответы от 0 до 3, .* для ответов от 0 до 2"):
        Classifier(12, 3).loss(classes)
