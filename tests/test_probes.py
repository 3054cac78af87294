import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from coursekit import probes
from coursekit.models import CELLS, LanguageModel

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


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="layer = 3: в модели слои от 0 до 1"):
        probes.gates(model(layers=2), IDS, layer=3)
    with pytest.raises(ValueError, match=r"ids = \[\]: нужен хотя бы один токен"):
        probes.gates(model(), [])
    with pytest.raises(ValueError, match=r"ids: форма \(2,\), а нужна \(B, T\)"):
        probes.gradient_by_lag(model(), torch.tensor([4, 5]))
