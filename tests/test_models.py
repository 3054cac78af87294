import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from coursekit.batching import IGNORED, PaddedBatches, StreamBatches
from coursekit.models import CELLS, LanguageModel

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


def test_an_lstm_starts_with_open_forget_gates_and_orthogonal_recurrence():
    layer = LanguageModel(20, hidden=8).layers[0]
    forget = (layer.bias_ih_l0 + layer.bias_hh_l0)[8:16]
    assert forget.tolist() == [1.0] * 8
    for gate in layer.weight_hh_l0.double().split(8):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8).double(), atol=1e-6, rtol=0)


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
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LanguageModel(**{"vocab_size": 20, **arguments})
