"""Looks inside a trained model, as plain arrays: what its gates do and how far gradients reach."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.arguments import check_whole
from coursekit.cells import Weights, gru_gates, lstm_gates, rnn_relu, rnn_tanh
from coursekit.models import LanguageModel


@torch.no_grad()
def gates(model: LanguageModel, ids: Sequence[int], layer: int = 0) -> dict[str, Tensor]:
    """Return every gate and state [T, H] of one layer (from 0) while the model reads ``ids``.

    An LSTM gives i, f, g, c, o, h, a GRU r, z, n, h, an RNN h: the letters of ``cells``.

    >>> model = LanguageModel(20, cell="gru", hidden=8)
    >>> {name: tuple(values.shape) for name, values in gates(model, [4, 5, 6]).items()}
    {'r': (3, 8), 'z': (3, 8), 'n': (3, 8), 'h': (3, 8)}
    """
    check_whole("layer", layer, least=0)
    if layer >= len(model.layers):
        raise ValueError(f"layer = {layer}: в модели слои от 0 до {len(model.layers) - 1}.")
    if len(ids) == 0:
        raise ValueError("ids = []: нужен хотя бы один токен.")
    recurrent = cast(nn.RNNBase, model.layers[layer])
    read: list[Tensor] = []
    hook = recurrent.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    training = model.training
    model.eval()
    model(torch.tensor([list(ids)], device=next(model.parameters()).device))
    model.train(training)
    hook.remove()
    weights = layer_weights(recurrent)
    h = c = read[0].new_zeros(1, recurrent.hidden_size)
    rows = []
    for x in read[0].unbind(1):
        if isinstance(recurrent, nn.LSTM):
            row = lstm_gates(x, (h, c), weights)._asdict()
            c = row["c"]
        elif isinstance(recurrent, nn.GRU):
            row = gru_gates(x, h, weights)._asdict()
        else:
            step = rnn_relu if recurrent.nonlinearity == "relu" else rnn_tanh
            row = {"h": step(x, h, weights)}
        h = row["h"]
        rows.append(row)
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


def layer_weights(recurrent: nn.RNNBase) -> Weights:
    """Return the weights of the first layer of torch's ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return Weights(*(recurrent.get_parameter(name) for name in names))


def gradient_by_lag(model: LanguageModel, ids: Tensor) -> Tensor:
    """Return the norm [T-2] of ∂ loss of the last token / ∂ state k tokens before it, k = 1 … T-2.

    ``ids`` is [B, T]; the norm is over the whole state, every layer's h and c, and averaged over
    the B rows. k = 1 is the state that the model has before it reads the last but one token.
    Source: Y. Bengio, P. Simard, P. Frasconi, doi:10.1109/72.279181.

    >>> gradient_by_lag(LanguageModel(20, hidden=8), torch.tensor([[4, 5, 6, 7, 8]])).shape
    torch.Size([3])
    """
    if ids.ndim != 2 or ids.shape[0] == 0 or ids.shape[1] < 3:
        raise ValueError(
            f"ids: форма {tuple(ids.shape)}, а нужна (B, T): хотя бы одна строка и три токена."
        )
    ids = ids.to(next(model.parameters()).device)
    training = model.training
    # A dropout mask of its own at every step would cut gradients at random.
    model.eval()
    state = None
    leaves: list[list[Tensor]] = []
    # cuDNN computes no gradients of a layer in eval mode.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        for token in ids[:, :-1].unbind(1):
            logits, state = model(token[:, None], state)
            leaves.append(
                [part for each in state for part in (each if isinstance(each, tuple) else (each,))]
            )
        loss = F.cross_entropy(logits[:, -1], ids[:, -1], reduction="sum")
        width = len(leaves[0])
        flat = [part for step in leaves[:-1] for part in step]
        grads = torch.autograd.grad(loss, flat)
    model.train(training)
    # [T-2, parts, B, H]; the rows do not mix, so each keeps its own norm.
    norms: Tensor = (
        torch.stack([grad[0] for grad in grads]).unflatten(0, (-1, width)).norm(dim=(1, 3))
    )
    return norms.mean(1).flip(0)


@torch.no_grad()
def singular_values(recurrent: nn.RNNBase) -> Tensor:
    """Return the singular values [G, H] of a layer's recurrent matrix, gate by gate, largest first.

    >>> singular_values(LanguageModel(20, cell="lstm", hidden=8).layers[0]).shape
    torch.Size([4, 8])
    """
    values: Tensor = torch.linalg.svdvals(_recurrent_matrices(recurrent))
    return values


@torch.no_grad()
def spectral_radius(recurrent: nn.RNNBase) -> Tensor:
    """Return the largest modulus of an eigenvalue [G] of a layer's recurrent matrix, gate by gate.

    Source: R. Pascanu, T. Mikolov, Y. Bengio, arXiv:1211.5063.
    """
    values: Tensor = torch.linalg.eigvals(_recurrent_matrices(recurrent))
    return values.abs().amax(-1)


def _recurrent_matrices(recurrent: nn.RNNBase) -> Tensor:
    return layer_weights(recurrent).hh.view(-1, recurrent.hidden_size, recurrent.hidden_size)
