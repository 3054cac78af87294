"""Looks inside a trained model, as plain arrays: gates, attention, how far gradients reach."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.arguments import check_whole
from coursekit.cells import gru_gates, lstm_gates, rnn_relu, rnn_tanh
from coursekit.generation import check_model, evaluating
from coursekit.layers import layer_weights
from coursekit.models import Classifier, LanguageModel
from coursekit.seq2seq import Seq2Seq, shifted
from coursekit.tensors import check_ids, row_of_ids


@torch.no_grad()
def gates(
    model: LanguageModel, ids: Sequence[int], layer: int = 0
) -> dict[str, Float[Tensor, "T H"]]:
    """Return every gate and state of one layer (from 0) while the model reads ``ids``.

    An LSTM gives i, f, g, c, o, h, a GRU r, z, n, h, an RNN h: the letters of ``cells``.

    >>> model = LanguageModel(20, cell="gru", hidden=8)
    >>> {name: tuple(values.shape) for name, values in gates(model, [4, 5, 6]).items()}
    {'r': (3, 8), 'z': (3, 8), 'n': (3, 8), 'h': (3, 8)}
    """
    check_model("model", model, LanguageModel)
    check_whole("layer", layer, least=0)
    if layer >= len(model.layers):
        raise ValueError(f"layer = {layer}: в модели слои от 0 до {len(model.layers) - 1}.")
    inputs = _row(model, "ids", ids, "vocab_size")
    recurrent = cast(nn.RNNBase, model.layers[layer])
    read: list[Tensor] = []
    hook = recurrent.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    training = model.training
    model.eval()
    model(inputs)
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


def gradient_by_lag(model: LanguageModel, ids: Int[Tensor, "B T"]) -> Float[Tensor, "T-2"]:
    """Return the norm of ∂ loss of the last token / ∂ state k tokens before it, k = 1 … T-2.

    The norm is over the whole state, every layer's h and c, and averaged over the B rows. k = 1 is
    the state that the model has before it reads the last but one token.
    Source: Y. Bengio, P. Simard, P. Frasconi, doi:10.1109/72.279181.

    >>> gradient_by_lag(LanguageModel(20, hidden=8), torch.tensor([[4, 5, 6, 7, 8]])).shape
    torch.Size([3])
    """
    check_model("model", model, LanguageModel)
    check_ids("ids", ids)
    if ids.ndim != 2 or ids.shape[0] == 0 or ids.shape[1] < 3:
        raise ValueError(
            f"ids: форма {tuple(ids.shape)}, а нужна (B, T): хотя бы одна строка и три токена."
        )
    _check_range("ids", ids, model.arguments["vocab_size"])
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
        loss = F.cross_entropy(logits[:, -1], ids[:, -1].long(), reduction="sum")
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
def translation_attention(
    model: Seq2Seq, source: Sequence[int], target: Sequence[int]
) -> Float[Tensor, "U T"]:
    """Return the weights: where among the ids ``source`` it looks to give each of ``target``.

    Every row sums to 1. The target before a token is the given one, not what the model would write.
    A model without attention is a ``ValueError``.
    Source: D. Bahdanau, K. Cho, Y. Bengio, arXiv:1409.0473, figure 3.

    >>> translation_attention(Seq2Seq(20, 30, hidden=8), [5, 6, 7], [9, 3]).shape
    torch.Size([2, 3])
    """
    check_model("model", model, Seq2Seq)
    inputs = _row(model, "source", source, "source_size")
    targets = _row(model, "target", target, "target_size")
    with evaluating(model):
        memory, state = model.encode(inputs, torch.tensor([inputs.shape[1]], device=inputs.device))
        _, _, weights = model.decode(shifted(targets), state, memory)  # [1, U, T]
    if weights is None:
        raise ValueError(
            "model: в этой модели attention = None, смотреть не на что. "
            "Постройте Seq2Seq с вниманием, например attention='additive'."
        )
    return weights[0]


@torch.no_grad()
def classification_attention(model: Classifier, ids: Sequence[int]) -> Float[Tensor, "T"]:
    """Return the weights with which a ``Classifier`` pools what it read of ``ids``.

    They sum to 1. A model whose ``pooling`` is not "attention" is a ``ValueError``.

    >>> classification_attention(Classifier(20, 2, hidden=8, pooling="attention"), [5, 6, 7]).shape
    torch.Size([3])
    """
    check_model("model", model, Classifier)
    inputs = _row(model, "ids", ids, "vocab_size")
    with evaluating(model):
        weights = model.attention(inputs, torch.tensor([inputs.shape[1]], device=inputs.device))
    return weights[0]


@torch.no_grad()
def singular_values(recurrent: nn.RNNBase) -> Float[Tensor, "G H"]:
    """Return the singular values of a layer's recurrent matrix, gate by gate, largest first.

    >>> singular_values(LanguageModel(20, cell="lstm", hidden=8).layers[0]).shape
    torch.Size([4, 8])
    """
    values: Tensor = torch.linalg.svdvals(_recurrent_matrices(recurrent))
    return values


@torch.no_grad()
def spectral_radius(recurrent: nn.RNNBase) -> Float[Tensor, "G"]:
    """Return the largest modulus of an eigenvalue of a layer's recurrent matrix, gate by gate.

    Source: R. Pascanu, T. Mikolov, Y. Bengio, arXiv:1211.5063.
    """
    values: Tensor = torch.linalg.eigvals(_recurrent_matrices(recurrent))
    return values.abs().amax(-1)


def _recurrent_matrices(recurrent: nn.RNNBase) -> Float[Tensor, "G H H"]:
    return layer_weights(recurrent).hh.view(-1, recurrent.hidden_size, recurrent.hidden_size)


def _row(
    model: LanguageModel | Classifier | Seq2Seq, name: str, ids: Sequence[int], size: str
) -> Int[Tensor, "1 T"]:
    row = row_of_ids(name, ids)
    if len(row) == 0:
        raise ValueError(f"{name} = []: нужен хотя бы один токен.")
    _check_range(name, row, model.arguments[size])
    return row[None].to(next(model.parameters()).device)


def _check_range(name: str, ids: Int[Tensor, "..."], size: int) -> None:
    least, most = int(ids.min()), int(ids.max())
    if least < 0 or most >= size:
        raise ValueError(
            f"{name}: номера токенов от {least} до {most}, а модель построена для номеров от 0 до "
            f"{size - 1}. Кодируйте текст тем словарём, длину которого дали модели."
        )
