import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from coursekit import probes
from coursekit.layers import CELLS
from coursekit.models import Classifier, LanguageModel
from coursekit.seq2seq import Seq2Seq
from coursekit.vocab import BOS, EOS

IDS = [4, 9, 7, 5, 11, 6]


def model(**arguments):
    torch.manual_seed(0)
    return LanguageModel(12, **{"hidden": 8, **arguments}).double()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layer", [0, 1])
def test_gates_end_in_the_outputs_of_the_layer(cell, layer):
    network = model(cell=cell, layers=2)
    outs = []
    hook = network.layers[layer].register_forward_hook(lambda _, i, out: outs.append(out[0]))
    seen = probes.gates(network, IDS, layer)
    hook.remove()
    torch.testing.assert_close(seen["h"], outs[0][0], atol=1e-12, rtol=0)


def test_gates_of_an_lstm_obey_its_equations():
    g = probes.gates(model(cell="lstm"), IDS)
    assert list(g) == ["i", "f", "g", "c", "o", "h"]
    for name in "ifo":
        assert ((g[name] > 0) & (g[name] < 1)).all()
    before = torch.cat([torch.zeros(1, 8).double(), g["c"][:-1]])
    torch.testing.assert_close(g["c"], g["f"] * before + g["i"] * g["g"])
    torch.testing.assert_close(g["h"], g["o"] * torch.tanh(g["c"]))


def test_gates_of_a_gru_obey_its_equations():
    g = probes.gates(model(cell="gru"), IDS)
    before = torch.cat([torch.zeros(1, 8).double(), g["h"][:-1]])
    torch.testing.assert_close(g["h"], (1 - g["z"]) * g["n"] + g["z"] * before)


def test_probes_leave_the_model_as_it_was():
    network = model(dropout=0.5).train()
    first = probes.gates(network, IDS)["h"]
    assert torch.equal(first, probes.gates(network, IDS)["h"])
    ids = torch.tensor([IDS])
    assert torch.equal(probes.gradient_by_lag(network, ids), probes.gradient_by_lag(network, ids))
    assert network.training
    assert all(weight.grad is None for weight in network.parameters())
    assert not network.layers[0]._forward_pre_hooks


def by_differences(network, row, lag, step=1e-6):
    """The gradient of the last loss by the state ``lag`` tokens before it, one number at a time."""
    with torch.no_grad():
        head, tail = row[: len(row) - 1 - lag], row[len(row) - 1 - lag : -1]
        _, (h,) = network(head[None])
        slopes = []
        for unit in range(h.shape[-1]):
            losses = []
            for sign in (1, -1):
                moved = h.clone()
                moved[0, 0, unit] += sign * step
                logits, _ = network(tail[None], (moved,))
                losses.append(F.cross_entropy(logits[0, -1], row[-1]))
            slopes.append((losses[0] - losses[1]) / (2 * step))
        return torch.stack(slopes).norm()


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_gradient_by_lag_is_what_finite_differences_say(cell):
    network = model(cell=cell).eval()
    row = torch.tensor(IDS)
    norms = probes.gradient_by_lag(network, row[None])
    assert norms.shape == (4,)
    expected = torch.stack([by_differences(network, row, lag) for lag in (1, 2, 3, 4)])
    torch.testing.assert_close(norms, expected, rtol=1e-5, atol=1e-9)


def test_gradient_by_lag_averages_rows():
    network = model(layers=2)
    rows = torch.tensor([IDS, IDS[::-1]])
    both = probes.gradient_by_lag(network, rows)
    each = torch.stack([probes.gradient_by_lag(network, row[None]) for row in rows])
    torch.testing.assert_close(both, each.mean(0))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_gradients_vanish_and_explode_as_powers_of_the_matrix(scale):
    network = model(cell="rnn")
    with torch.no_grad():
        # Without input the state stays zero, where tanh has slope 1: the matrix alone decides,
        # and an orthogonal one, times scale, multiplies every norm by scale.
        for name, weight in network.layers[0].named_parameters():
            weight.mul_(scale if name == "weight_hh_l0" else 0)
    norms = probes.gradient_by_lag(network, torch.tensor([IDS * 5]))
    powers = scale ** torch.arange(len(norms), dtype=torch.float64)
    # The start is orthogonal to float32 only.
    torch.testing.assert_close(norms, norms[0] * powers, rtol=1e-5, atol=0)


def test_spectra_are_numpys():
    layer = model(cell="lstm").layers[0]
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.randn(32, 8, dtype=torch.float64))
    for gate, values, radius in zip(
        layer.weight_hh_l0.detach().numpy().reshape(4, 8, 8),
        probes.singular_values(layer),
        probes.spectral_radius(layer),
        strict=True,
    ):
        np.testing.assert_allclose(values, np.linalg.svd(gate, compute_uv=False))
        assert radius == pytest.approx(np.abs(np.linalg.eigvals(gate)).max())


def test_an_orthogonal_start_changes_no_norm():
    layer = model(cell="rnn").float().layers[0]
    torch.testing.assert_close(probes.singular_values(layer), torch.ones(1, 8))
    assert isinstance(layer, nn.RNN)


def test_translation_attention_is_what_the_loss_looked_at():
    torch.manual_seed(0)
    network = Seq2Seq(12, 15, hidden=8, dropout=0.5).double()
    weights = probes.translation_attention(network, IDS, [9, 14, 4, EOS])
    assert weights.shape == (4, 6)
    torch.testing.assert_close(weights.sum(1), torch.ones(4).double())
    network.eval()
    memory, state = network.encode(torch.tensor([IDS]), torch.tensor([6]))
    for row, token in zip(weights, [BOS, 9, 14, 4], strict=True):
        _, state, looks = network.decode(torch.tensor([[token]]), state, memory)
        torch.testing.assert_close(row, looks[0, 0])


def test_classification_attention_weighs_what_is_pooled():
    torch.manual_seed(0)
    network = Classifier(12, 3, hidden=8, pooling="attention", dropout=0.5).double()
    torch.nn.init.normal_(network.query)
    weights = probes.classification_attention(network, IDS)
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0).double())
    network.eval()
    inputs, lengths = torch.tensor([IDS]), torch.tensor([len(IDS)])
    outputs, _ = network.encoder(inputs, lengths)
    torch.testing.assert_close(
        network.projection(weights @ outputs[0]), network(inputs, lengths)[0]
    )


def test_attention_probes_leave_the_mode_as_it_was():
    for network, probe in [
        (Seq2Seq(12, 12, hidden=8), lambda each: probes.translation_attention(each, IDS, [4])),
        (
            Classifier(12, 3, hidden=8, pooling="attention"),
            lambda each: probes.classification_attention(each, IDS),
        ),
    ]:
        for mode in (True, False):
            probe(network.train(mode))
            assert network.training is mode


def test_models_without_attention_are_named():
    with pytest.raises(ValueError, match="в этой модели attention = None, смотреть не на что"):
        probes.translation_attention(Seq2Seq(12, 12, hidden=8, attention=None), IDS, [4])
    network = Classifier(12, 3, hidden=8, pooling="mean")
    with pytest.raises(ValueError, match="pooling = 'mean': весов внимания у этой модели нет"):
        probes.classification_attention(network, IDS)
    assert network.training
    with pytest.raises(ValueError, match=r"target = \[\]: нужен хотя бы один токен"):
        probes.translation_attention(Seq2Seq(12, 12, hidden=8), IDS, [])
    with pytest.raises(ValueError, match=r"ids = \[\]: нужен хотя бы один токен"):
        probes.classification_attention(network, [])


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="layer = 3: в модели слои от 0 до 1"):
        probes.gates(model(layers=2), IDS, layer=3)
    with pytest.raises(ValueError, match=r"ids = \[\]: нужен хотя бы один токен"):
        probes.gates(model(), [])
    with pytest.raises(ValueError, match=r"ids: форма \(2,\), а нужна \(B, T\)"):
        probes.gradient_by_lag(model(), torch.tensor([4, 5]))
