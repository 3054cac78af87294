import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from coursekit import cells
from coursekit.cells import Recurrent, Weights, unroll

TORCH = {
    "rnn": lambda *sizes, **how: nn.RNN(*sizes, **how),
    "rnn-relu": lambda *sizes, **how: nn.RNN(*sizes, nonlinearity="relu", **how),
    "lstm": lambda *sizes, **how: nn.LSTM(*sizes, **how),
    "gru": lambda *sizes, **how: nn.GRU(*sizes, **how),
}

names = st.sampled_from(sorted(TORCH))
size = st.integers(1, 6)


def pair(cell, inputs, hidden, layers, both, dtype=torch.float64):
    """Ours and torch's layer with the same random weights."""
    torch.manual_seed(inputs * 100 + hidden * 10 + layers)
    theirs = TORCH[cell](
        inputs, hidden, num_layers=layers, bidirectional=both, batch_first=True, dtype=dtype
    )
    ours = Recurrent(cell, inputs, hidden, layers=layers, bidirectional=both).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def leaves(state):
    return list(state) if isinstance(state, tuple) else [state]


def random_state(cell, shape):
    parts = tuple(torch.randn(shape, dtype=torch.float64, requires_grad=True) for _ in range(2))
    return parts if cell == "lstm" else parts[0]


@given(names, size, size, size, size, st.integers(1, 3), st.booleans(), st.booleans())
def test_outputs_states_and_gradients_are_torchs(
    cell, rows, steps, inputs, hidden, layers, both, given_state
):
    ours, theirs = pair(cell, inputs, hidden, layers, both)
    x = torch.randn(rows, steps, inputs, dtype=torch.float64, requires_grad=True)
    shape = (layers * (2 if both else 1), rows, hidden)
    state = random_state(cell, shape) if given_state else None
    seen = []
    for layer in (ours, theirs):
        out, last = layer(x, state)
        # Different weights for every number, so that no gradient hides another.
        weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out)
        loss = (out * weights).sum() + sum((part**2).sum() for part in leaves(last))
        wanted = [x, *(leaves(state) if given_state else []), *layer.parameters()]
        seen.append([out, *leaves(last), *torch.autograd.grad(loss, wanted)])
    for mine, other in zip(*seen, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("cell", TORCH)
@pytest.mark.parametrize("both", [False, True])
def test_parameters_go_both_ways_under_torchs_names(cell, both):
    ours, theirs = pair(cell, 3, 4, 2, both)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    fresh = Recurrent(cell, 3, 4, layers=2, bidirectional=both).double()
    theirs.load_state_dict(fresh.state_dict())
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(fresh(x)[0], theirs(x)[0], atol=1e-12, rtol=0)


def test_float32_agrees_to_its_own_precision():
    for cell in TORCH:
        ours, theirs = pair(cell, 8, 16, 2, True, dtype=torch.float32)
        x = torch.randn(4, 30, 8)
        torch.testing.assert_close(ours(x)[0], theirs(x)[0], atol=2e-6, rtol=1e-5)


def by_scalars(x, h, c, w, peephole):
    """One LSTM of one unit, written with numbers: the six equations with peepholes."""
    sigmoid = torch.sigmoid
    pre = [w.ih[k] @ x + w.bias_ih[k] + w.hh[k] @ h + w.bias_hh[k] for k in range(4)]
    i = sigmoid(pre[0] + peephole[0] * c)
    f = sigmoid(pre[1] + peephole[1] * c)
    new = f * c + i * torch.tanh(pre[2])
    o = sigmoid(pre[3] + peephole[2] * new)
    return o * torch.tanh(new), new


def test_peepholes_let_the_gates_see_the_cell():
    torch.manual_seed(0)
    layer = Recurrent("lstm", 3, 1, peephole=True).double()
    w = layer.weights(0)
    x = torch.randn(1, 4, 3, dtype=torch.float64)
    h, c = torch.zeros(2, 1, dtype=torch.float64)
    for t in range(4):
        h, c = by_scalars(x[0, t], h, c, w, w.peephole)
    _, (last_h, last_c) = layer(x)
    torch.testing.assert_close((last_h.view(1), last_c.view(1)), (h, c), atol=1e-12, rtol=0)


def test_without_peepholes_in_use_a_peephole_lstm_is_an_lstm():
    torch.manual_seed(0)
    peeping = Recurrent("lstm", 3, 4, peephole=True).double()
    with torch.no_grad():
        peeping.peephole_l0.zero_()
    plain = Recurrent("lstm", 3, 4).double()
    plain.load_state_dict(peeping.state_dict(), strict=False)
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    assert torch.equal(peeping(x)[0], plain(x)[0])


@given(names, st.integers(1, 8), st.integers(0, 8))
def test_a_sequence_read_in_two_parts_is_the_sequence(cell, first, second):
    ours, _ = pair(cell, 3, 4, 2, False)
    x = torch.randn(2, first + second + 1, 3, dtype=torch.float64)
    whole, last = ours(x)
    head, state = ours(x[:, :first])
    tail, again = ours(x[:, first:], state)
    torch.testing.assert_close(torch.cat([head, tail], 1), whole)
    torch.testing.assert_close(again, last)


def test_one_step_is_the_step_of_the_layer():
    for cell, (step, _) in cells.STEPS.items():
        ours, _ = pair(cell, 3, 4, 1, False)
        x = torch.randn(2, 1, 3, dtype=torch.float64)
        zeros = torch.zeros(2, 4, dtype=torch.float64)
        state = step(x[:, 0], (zeros, zeros) if cell == "lstm" else zeros, ours.weights(0))
        h = state[0] if cell == "lstm" else state
        assert torch.equal(ours(x)[0][:, 0], h)


def test_reading_backwards_is_reading_the_reversed_sequence():
    weights = Recurrent("gru", 3, 4).double().weights(0)
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    zeros = torch.zeros(2, 4, dtype=torch.float64)
    backwards, last = unroll(cells.gru, x, zeros, weights, reverse=True)
    forwards, same = unroll(cells.gru, x.flip(1), zeros, weights)
    assert torch.equal(backwards, forwards.flip(1))
    assert torch.equal(last, same)


def test_an_lstm_starts_with_its_forget_gate_open_and_passes_gradients_on():
    torch.manual_seed(0)
    layer = Recurrent("lstm", 3, 8, layers=2, bidirectional=True)
    for number in (0, 1):
        for way in ("", "_reverse"):
            weights = layer.weights(number, way)
            assert (weights.bias_ih + weights.bias_hh)[8:16].tolist() == [1.0] * 8

    def forgetting(bias):
        torch.manual_seed(1)
        one = Recurrent("lstm", 3, 8)
        with torch.no_grad():
            one.bias_ih_l0[8:16] = bias
        state = tuple(torch.zeros(1, 1, 8, requires_grad=True) for _ in range(2))
        _, (_, c) = one(torch.randn(1, 30, 3), state)
        return torch.autograd.grad(c.sum(), state[1])[0].norm()

    assert forgetting(1.0) > 100 * forgetting(0.0)


def test_weights_have_names():
    assert Weights._fields == ("ih", "hh", "bias_ih", "bias_hh", "peephole")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "gpt"}, "cell = 'gpt': можно 'rnn', 'rnn-relu', 'lstm' или 'gru'"),
        ({"input_size": 0}, "input_size = 0: нужно целое число не меньше 1"),
        ({"hidden_size": -1}, "hidden_size = -1: нужно целое число не меньше 1"),
        ({"layers": 0}, "layers = 0: нужно целое число не меньше 1"),
        ({"peephole": True}, "peephole = True: такие связи есть только у 'lstm', а не у 'gru'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Recurrent(**{"cell": "gru", "input_size": 3, "hidden_size": 4, **arguments})


@pytest.mark.parametrize("shape", [(2, 3), (2, 0, 3), (2, 5, 4)])
def test_inputs_of_another_shape_are_named(shape):
    with pytest.raises(ValueError, match=r"x: форма \(.*\), а нужна \(B, T, 3\)"):
        Recurrent("rnn", 3, 4)(torch.zeros(shape))


def test_states_of_another_shape_are_named():
    zeros = torch.zeros(1, 2, 4)
    with pytest.raises(ValueError, match=r"state: нужен тензор h формы \(1, 2, 4\)"):
        Recurrent("gru", 3, 4)(torch.zeros(2, 5, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"state: нужна пара тензоров \(h, c\) формы"):
        Recurrent("lstm", 3, 4)(torch.zeros(2, 5, 3), zeros)


def test_weights_of_another_cell_are_refused():
    of_lstm = Recurrent("lstm", 3, 2).weights(0)
    with pytest.raises(ValueError, match=r"w: формы .*, а для 3 вентилей нужны"):
        cells.gru(torch.zeros(1, 3), torch.zeros(1, 2), of_lstm)
