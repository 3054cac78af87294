import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from coursekit.layers import (
    CELLS,
    Encoder,
    go_on,
    recurrent_layer,
    reversed_rows,
)

cells = st.sampled_from(sorted(CELLS))
row_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def rows_of(lengths, width=None, vocab_size=11):
    inputs = torch.randint(4, vocab_size, (len(lengths), width or max(lengths)))
    for row, length in zip(inputs, lengths, strict=True):
        row[length:] = 0
    return inputs, torch.tensor(lengths)


@given(row_lengths, st.integers(0, 3), st.lists(st.integers(1, 3), max_size=2))
def test_rows_are_reversed_one_by_one_and_padding_stays(lengths, more, rest):
    x = torch.randn(len(lengths), max(lengths) + more, *rest)
    turned = reversed_rows(x, torch.tensor(lengths))
    for row, other, length in zip(x, turned, lengths, strict=True):
        assert torch.equal(other[:length], row[:length].flip(0))
        assert torch.equal(other[length:], row[length:])
    assert torch.equal(reversed_rows(turned, torch.tensor(lengths)), x)


def torchs(encoder, layers, bidirectional):
    """Torch's own layers with the weights of ``encoder``, and their pairs of parameters."""
    kind = type(encoder.rightward[0])
    whole = kind(
        encoder.embedding.embedding_dim,
        encoder.hidden,
        layers,
        batch_first=True,
        bidirectional=bidirectional,
    ).double()
    pairs = []
    for depth in range(layers):
        ways = {"": encoder.rightward[depth]}
        if bidirectional:
            ways["_reverse"] = encoder.leftward[depth]
        for way, layer in ways.items():
            for name, weight in layer.named_parameters():
                theirs = whole.get_parameter(f"{name.removesuffix('_l0')}_l{depth}{way}")
                theirs.data.copy_(weight.data)
                pairs.append((weight, theirs))
    return whole, pairs


@given(
    cells,
    row_lengths,
    st.integers(0, 3),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 3),
    st.booleans(),
)
def test_parity_with_torch_over_packed_sequences(
    cell, lengths, more, size, hidden, layers, bidirectional
):
    torch.manual_seed(0)
    encoder = Encoder(
        11, cell=cell, hidden=hidden, layers=layers, embedding=size, bidirectional=bidirectional
    ).double()
    whole, pairs = torchs(encoder, layers, bidirectional)
    inputs, sizes = rows_of(lengths, max(lengths) + more)
    vectors = encoder.embedding(inputs).detach().requires_grad_()
    packed = pack_padded_sequence(vectors, sizes, batch_first=True, enforce_sorted=False)
    packed, state = whole(packed)
    expected, _ = pad_packed_sequence(packed, batch_first=True, total_length=inputs.shape[1])
    h = state[0] if isinstance(state, tuple) else state
    ways = 2 if bidirectional else 1
    expected_last = torch.cat(list(h[-ways:]), dim=-1)

    outputs, last = encoder(inputs, sizes)
    close = {"atol": 1e-12, "rtol": 0}
    torch.testing.assert_close(outputs, expected, **close)
    torch.testing.assert_close(last, expected_last, **close)

    look, look_last = torch.randn_like(outputs), torch.randn_like(last)
    ((outputs * look).sum() + (last * look_last).sum()).backward()
    ((expected * look).sum() + (expected_last * look_last).sum()).backward()
    for ours, theirs in pairs:
        torch.testing.assert_close(ours.grad, theirs.grad, **close)
    table = torch.zeros_like(encoder.embedding.weight)
    table.index_add_(0, inputs.flatten(), vectors.grad.flatten(0, 1))
    torch.testing.assert_close(encoder.embedding.weight.grad, table, **close)
    assert not encoder.embedding.weight.grad[0].any(), "padding must not learn"


@given(cells, row_lengths, st.integers(0, 5), st.booleans(), st.integers(0, 10))
def test_a_row_alone_is_what_it_is_in_a_wide_batch(cell, lengths, more, bidirectional, filler):
    torch.manual_seed(0)
    encoder = Encoder(11, cell=cell, hidden=4, layers=2, bidirectional=bidirectional).double()
    inputs, sizes = rows_of(lengths, max(lengths) + more)
    padded = torch.where(torch.arange(inputs.shape[1]) < sizes[:, None], inputs, filler)
    outputs, last = encoder(padded, sizes)
    for row, length in enumerate(lengths):
        alone, alone_last = encoder(inputs[row, None, :length], sizes[row, None])
        close = {"atol": 1e-12, "rtol": 0}
        torch.testing.assert_close(outputs[row, :length], alone[0], **close)
        torch.testing.assert_close(last[row], alone_last[0], **close)
        assert not outputs[row, length:].any()


@pytest.mark.parametrize("cell", CELLS)
def test_every_layer_starts_orthogonal_and_an_lstm_open(cell):
    encoder = Encoder(20, cell=cell, hidden=8, layers=2)
    for layer in [*encoder.rightward, *encoder.leftward, recurrent_layer(cell, 3, 8)]:
        for gate in layer.weight_hh_l0.double().split(8):
            torch.testing.assert_close(gate @ gate.T, torch.eye(8).double(), atol=1e-6, rtol=0)
        if cell == "lstm":
            assert (layer.bias_ih_l0 + layer.bias_hh_l0)[8:16].tolist() == [1.0] * 8


def test_dropout_acts_after_the_embedding_and_after_each_layer_in_training_only():
    torch.manual_seed(0)
    inputs, sizes = rows_of([6, 4])
    encoder = Encoder(11, hidden=50, dropout=0.5)
    seen = []
    hook = encoder.rightward[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    outputs, _ = encoder(inputs, sizes)
    hook.remove()
    assert 0.3 < (seen[0] == 0).double().mean() < 0.7
    assert 0.3 < (outputs[0] == 0).double().mean() < 0.7
    encoder.eval()
    assert torch.equal(encoder(inputs, sizes)[0], encoder(inputs, sizes)[0])
    assert encoder(inputs, sizes)[0][0].all()


INPUTS = torch.tensor([[4, 5, 6], [7, 0, 0]])


@pytest.mark.parametrize(
    ("inputs", "lengths", "error", "message"),
    [
        (INPUTS, torch.tensor([3, 0]), ValueError, r"lengths\[1\] = 0: нужна длина от 1 до 3"),
        (INPUTS, torch.tensor([4, 1]), ValueError, r"lengths\[0\] = 4: нужна длина от 1 до 3"),
        (INPUTS, torch.tensor([3]), ValueError, r"lengths: форма \(1,\), а .* нужна \(2,\)"),
        (INPUTS, torch.tensor([3.0, 1.0]), TypeError, "lengths: тип torch.float32, а нужен"),
        (INPUTS, [3, 1], TypeError, "lengths: тип list, а нужен тензор"),
        (INPUTS[0], torch.tensor([3]), ValueError, r"inputs: форма \(3,\), а нужна \(B, T\)"),
        (INPUTS[:, :0], torch.tensor([1, 1]), ValueError, r"inputs: форма \(2, 0\)"),
        (INPUTS.double(), torch.tensor([3, 1]), TypeError, "inputs: тип torch.float64, а нужен"),
        (INPUTS + 9, torch.tensor([3, 1]), ValueError, "номера токенов от 9 до 16, .* от 0 до 10"),
        (-INPUTS, torch.tensor([3, 1]), ValueError, "номера токенов от -7 до 0, .* от 0 до 10"),
    ],
)
def test_wrong_rows_are_named(inputs, lengths, error, message):
    with pytest.raises(error, match=message):
        Encoder(11, hidden=4)(inputs, lengths)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "gpt"}, "cell = 'gpt': можно 'rnn', 'lstm' или 'gru'"),
        ({"hidden": 0}, "hidden = 0: нужно целое число не меньше 1"),
        ({"layers": 0}, "layers = 0: нужно целое число не меньше 1"),
        ({"embedding": 0}, "embedding = 0: нужно целое число не меньше 1"),
        ({"dropout": -1}, "dropout = -1: нужно число от 0 до 1"),
        ({"vocab_size": 4}, "vocab_size = 4: нужно целое число не меньше 5"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Encoder(**{"vocab_size": 11, **arguments})


@given(cells, st.integers(1, 4), st.integers(1, 6))
def test_one_step_through_the_cell_is_that_of_torchs_layer(cell, rows, hidden):
    layer = recurrent_layer(cell, 5, hidden).double()
    before, after = torch.randn(2, rows, 3, 5, dtype=torch.float64).unbind(0)
    with torch.no_grad():
        _, state = layer(before)
        out, went = go_on(layer, after[:, :1], state)
        expected, last = layer(after[:, :1], state)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(went, last, rtol=0, atol=1e-12)
    # Where gradients are asked for, or more than one step, it is the layer itself.
    with_gradients, _ = go_on(layer, after, state)
    torch.testing.assert_close(with_gradients, layer(after, state)[0], rtol=0, atol=0)
    assert with_gradients.requires_grad


def test_an_lstm_without_avx512_computes_in_float32_under_autocast(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    layer = recurrent_layer("lstm", 3, 4)
    x = torch.randn(2, 5, 3)
    state = torch.randn(1, 2, 4).bfloat16(), torch.randn(1, 2, 4).bfloat16()
    for start in (None, state):
        with torch.autocast("cpu", torch.bfloat16):
            found = go_on(layer, x.bfloat16(), start)
        floats = None if start is None else tuple(part.float() for part in start)
        torch.testing.assert_close(found, go_on(layer, x.bfloat16().float(), floats))
