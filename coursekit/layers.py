"""What models are built of: torch's recurrent layers, in one direction or in both."""

import math
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from coursekit.arguments import (
    check_choice,
    check_flag,
    check_instance,
    check_real,
    check_whole,
)
from coursekit.cells import Weights, open_forget_gate
from coursekit.tensors import (
    check_device,
    check_ids,
    check_lengths,
    check_state,
    check_tensor,
)
from coursekit.vocab import SPECIALS

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

# One entry a layer: h, or the pair (h, c) for an LSTM.
Part = Float[Tensor, "1 B H"]
State = tuple[Part | tuple[Part, Part], ...]


def recurrent_layer(
    cell: str, input_size: int, hidden: int, forget_bias: float = 1.0
) -> nn.RNNBase:
    """Return one layer of torch's, batch first, with orthogonal recurrent matrices.

    ``cell`` is "rnn", "lstm" or "gru"; an LSTM's forget gates start with ``forget_bias``. Sources:
    Q. V. Le et al., arXiv:1504.00941; R. Jozefowicz et al., ICML 2015.

    >>> layer = recurrent_layer("gru", 3, 5)
    >>> out, h = layer(torch.ones(4, 7, 3))
    >>> tuple(out.shape), tuple(h.shape)
    ((4, 7, 5), (1, 4, 5))
    """
    kind = CELLS[check_choice("cell", cell, CELLS)]
    input_size, hidden = check_whole("input_size", input_size), check_whole("hidden", hidden)
    layer: nn.RNNBase = kind(input_size, hidden, batch_first=True)
    forget_bias = check_real("forget_bias", forget_bias, least=-math.inf)
    with torch.no_grad():
        for gate in layer.get_parameter("weight_hh_l0").view(-1, hidden, hidden):
            nn.init.orthogonal_(gate)
    if isinstance(layer, nn.LSTM):
        biases = layer.get_parameter("bias_ih_l0"), layer.get_parameter("bias_hh_l0")
        open_forget_gate(*biases, forget_bias)
    return layer


def layer_weights(recurrent: nn.Module) -> Weights:
    """Return the weights of the first layer of torch's ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``."""
    check_instance("recurrent", recurrent, nn.RNNBase, "нужен слой nn.RNN, nn.LSTM или nn.GRU")
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return Weights(*(getattr(recurrent, name) for name in names))


def go_on(
    layer: nn.Module, x: Float[Tensor, "B T E"], state: Part | tuple[Part, Part] | None
) -> tuple[Float[Tensor, "B T H"], Part | tuple[Part, Part]]:
    """Return what a recurrent ``layer`` gives for ``x``, and its state after the last step.

    On a CPU a call of torch's layer costs as much as several steps of it: where text is written,
    one token at a time, torch's single step is taken instead, to the same result. Under autocast
    an LSTM computes in float32 where the processor has no other.
    """
    if torch.is_autocast_enabled(x.device.type):
        if isinstance(layer, nn.LSTM) and _lacks_bfloat16(x.device):
            with torch.autocast("cpu", enabled=False):
                start = None if state is None else tuple(part.float() for part in state)
                out, after = layer(x.float(), start)
            return out, after
        out, after = layer(x, state)
        return out, after
    writing = x.shape[1] == 1 and not (torch.is_grad_enabled() or x.is_cuda)
    if state is None or not writing:
        out, after = layer(x, state)
        return out, after
    weights = layer_weights(layer)[:4]
    if isinstance(state, tuple):
        h, c = torch.lstm_cell(x[:, 0], (state[0][0], state[1][0]), *weights)
        return h[:, None], (h[None], c[None])
    step = torch.gru_cell if isinstance(layer, nn.GRU) else torch.rnn_tanh_cell
    h = step(x[:, 0], state[0], *weights)
    return h[:, None], h[None]


def _lacks_bfloat16(device: torch.device) -> bool:
    # An LSTM of oneDNN, which autocast calls, wants AVX-512 for it; torch tries no other way.
    return device.type == "cpu" and torch.backends.cpu.get_cpu_capability() != "AVX512"


def detached(state: State) -> State:
    """Return ``state`` cut off from the graph: gradients end at the window's edge."""
    check_state("state", state)
    return tuple(
        part.detach() if isinstance(part, Tensor) else (part[0].detach(), part[1].detach())
        for part in state
    )


def reversed_rows(
    x: Shaped[Tensor, "B T *E"], lengths: Int[Tensor, "B"]
) -> Shaped[Tensor, "B T *E"]:
    """Return ``x`` with the first ``lengths`` positions of each row in reverse order.

    Padding stays where it is, and so a second call gives ``x`` back.

    >>> reversed_rows(torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([3, 2]))
    tensor([[7, 6, 5],
            [9, 8, 0]])
    """
    check_tensor("x", x)
    check_ids("lengths", lengths)
    if x.ndim < 2 or lengths.shape != x.shape[:1]:
        raise ValueError(
            f"x: форма {tuple(x.shape)}, а lengths — {tuple(lengths.shape)}; нужны (B, T, …) и "
            "(B,): строки пакета, шаги."
        )
    steps = torch.arange(x.shape[1], device=x.device)
    order = lengths[:, None] - 1 - steps  # [B, T], negative at padding
    order = torch.where(order < 0, steps, order)
    try:
        return x.gather(1, order.view(*order.shape, *[1] * (x.ndim - 2)).expand_as(x))
    except RuntimeError:
        raise ValueError(
            f"lengths: наибольшая длина {int(lengths.max())}, а шагов в x {x.shape[1]}."
        ) from None


class Encoder(nn.Module):
    """A recurrent network that reads padded rows of ids in one direction or in both.

    Embedding → ``layers`` of ``cell`` ("rnn", "lstm" or "gru"), with ``dropout`` after each of
    these. ``hidden`` is the size of one direction, ``size`` that of what comes out, twice as much
    if ``bidirectional``; ``embedding`` is the size of a token's vector, ``hidden`` unless given.
    Equal to torch's bidirectional layers over packed sequences.

    Source: M. Schuster, K. K. Paliwal, doi:10.1109/78.650093.

    >>> encoder = Encoder(20, cell="gru", hidden=8)
    >>> outputs, last = encoder(torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([3, 2]))
    >>> tuple(outputs.shape), tuple(last.shape), encoder.size
    ((2, 3, 16), (2, 16), 16)
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        cell: str = "lstm",
        hidden: int = 128,
        layers: int = 1,
        embedding: int | None = None,
        bidirectional: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        vocab_size = check_whole("vocab_size", vocab_size, least=len(SPECIALS) + 1)
        self.hidden = check_whole("hidden", hidden)
        layers = check_whole("layers", layers)
        width = self.hidden if embedding is None else check_whole("embedding", embedding)
        self.bidirectional = check_flag("bidirectional", bidirectional)
        # What the models built around it keep in theirs.
        self.arguments: dict[str, Any] = {
            "vocab_size": vocab_size,
            "cell": check_choice("cell", cell, CELLS),
            "hidden": self.hidden,
            "layers": layers,
            "embedding": width,
            "bidirectional": self.bidirectional,
            "dropout": check_real("dropout", dropout, 0, 1),
        }
        self.dropout = nn.Dropout(dropout)
        self.size = self.hidden * (2 if bidirectional else 1)
        self.embedding = nn.Embedding(vocab_size, width)
        sizes = [width] + [self.size] * (layers - 1)
        self.rightward = nn.ModuleList(recurrent_layer(cell, size, self.hidden) for size in sizes)
        if bidirectional:
            self.leftward = nn.ModuleList(
                recurrent_layer(cell, size, self.hidden) for size in sizes
            )

    def forward(
        self, inputs: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]
    ) -> tuple[Float[Tensor, "B T {self.size}"], Float[Tensor, "B {self.size}"]]:
        """Return the outputs, zeros at padding, and the last states.

        ``inputs`` are ids of which the first ``lengths`` of each row count; a length below 1 or
        above T is a ``ValueError``. A last state is that of the last layer after the row's last
        token, and beside it, if bidirectional, that of the other direction after the row's first
        token.
        """
        x = self.dropout(embedded(inputs, self.embedding))  # [B, T, E]
        check_lengths(lengths, inputs)
        for depth, layer in enumerate(self.rightward):
            out, _ = go_on(layer, x, None)  # [B, T, H]
            if self.bidirectional:
                back, _ = go_on(self.leftward[depth], reversed_rows(x, lengths), None)
                out = torch.cat([out, reversed_rows(back, lengths)], dim=-1)  # [B, T, 2·H]
            x = self.dropout(out)
        padding = torch.arange(x.shape[1], device=x.device) >= lengths[:, None]
        outputs = x.masked_fill(padding[:, :, None], 0.0)
        ends = outputs[torch.arange(len(x), device=x.device), lengths - 1]  # [B, size]
        return outputs, torch.cat([ends[:, : self.hidden], outputs[:, 0, self.hidden :]], dim=-1)


def embedded(
    ids: Int[Tensor, "B T"], embedding: nn.Embedding, name: str = "inputs"
) -> Float[Tensor, "B T E"]:
    """Return the vectors of ``ids``; what no token is, is an error in Russian, of ``name``."""
    check_instance("embedding", embedding, nn.Embedding, "нужен слой nn.Embedding")
    check_ids(name, ids)
    if ids.ndim != 2 or 0 in ids.shape:
        raise ValueError(
            f"{name}: форма {tuple(ids.shape)}, а нужна (B, T): строки пакета, хотя бы один "
            f"токен. Одной строке поможет {name}[None]."
        )
    check_device(name, ids, "веса", embedding.weight)
    try:
        vectors: Tensor = embedding(ids)
    except IndexError:
        raise ValueError(
            f"{name}: номера токенов от {int(ids.min())} до {int(ids.max())}, а модель построена "
            f"для номеров от 0 до {embedding.num_embeddings - 1}. Кодируйте текст тем словарём, "
            "длину которого дали модели."
        ) from None
    return vectors
