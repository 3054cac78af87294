"""RNN, LSTM and GRU step by step, equal to torch's, to be read beside their equations.

B rows, T steps, E numbers in an input, H in a state. Weights lie as torch keeps them: the gates
one under another, and two biases that are always added.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from coursekit.arguments import check_callable, check_choice, check_flag, check_real, check_whole
from coursekit.tensors import check_alike, check_floats, check_lstm_step, check_shape, check_step


class Weights(NamedTuple):
    """The weights of one layer in one direction, its G gates one under another: GH is G·H.

    ``ih`` acts on the input, ``hh`` on the state; ``peephole`` lets the gates i, f and o of an LSTM
    see the cell, if it is there.
    """

    ih: Float[Tensor, "GH E"]
    hh: Float[Tensor, "GH H"]
    bias_ih: Float[Tensor, "GH"]
    bias_hh: Float[Tensor, "GH"]
    peephole: Float[Tensor, "3*H"] | None = None


def rnn_tanh(x: Float[Tensor, "B E"], h: Float[Tensor, "B H"], w: Weights) -> Float[Tensor, "B H"]:
    """Return h_t from x_t and h_{t-1}.

    Source: J. L. Elman, Cognitive Science 14:2 (1990), doi:10.1207/s15516709cog1402_1.
    """
    check_step(x, h, w, 1)
    return torch.tanh(x @ w.ih.T + w.bias_ih + h @ w.hh.T + w.bias_hh)


def rnn_relu(x: Float[Tensor, "B E"], h: Float[Tensor, "B H"], w: Weights) -> Float[Tensor, "B H"]:
    """Return h_t from x_t and h_{t-1}, with ReLU in place of tanh.

    Source: Q. V. Le, N. Jaitly, G. E. Hinton, arXiv:1504.00941.
    """
    check_step(x, h, w, 1)
    return torch.relu(x @ w.ih.T + w.bias_ih + h @ w.hh.T + w.bias_hh)


class LSTMGates(NamedTuple):
    """All that one step of an LSTM computes, in the order of the equations."""

    i: Float[Tensor, "B H"]
    f: Float[Tensor, "B H"]
    g: Float[Tensor, "B H"]
    c: Float[Tensor, "B H"]
    o: Float[Tensor, "B H"]
    h: Float[Tensor, "B H"]


def lstm_gates(
    x: Float[Tensor, "B E"], state: tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]], w: Weights
) -> LSTMGates:
    """Return the gates and the new state from x_t and (h_{t-1}, c_{t-1}).

    Sources: S. Hochreiter, J. Schmidhuber, doi:10.1162/neco.1997.9.8.1735; the forget gate,
    F. A. Gers et al., doi:10.1162/089976600300015015; peepholes, F. A. Gers, J. Schmidhuber,
    doi:10.1109/IJCNN.2000.861302.
    """
    check_lstm_step(x, state, w)
    h, c = state
    i, f, g, o = (x @ w.ih.T + w.bias_ih + h @ w.hh.T + w.bias_hh).chunk(4, dim=-1)
    p_i, p_f, p_o = (0, 0, 0) if w.peephole is None else w.peephole.chunk(3)
    i = torch.sigmoid(i + p_i * c)  # how much to write
    f = torch.sigmoid(f + p_f * c)  # how much to keep
    g = torch.tanh(g)  # what to write
    c = f * c + i * g
    o = torch.sigmoid(o + p_o * c)  # how much to show
    h = o * torch.tanh(c)
    return LSTMGates(i, f, g, c, o, h)


def lstm(
    x: Float[Tensor, "B E"], state: tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]], w: Weights
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    """Return (h_t, c_t) from x_t and (h_{t-1}, c_{t-1})."""
    gates = lstm_gates(x, state, w)
    return gates.h, gates.c


class GRUGates(NamedTuple):
    """All that one step of a GRU computes, in the order of the equations."""

    r: Float[Tensor, "B H"]
    z: Float[Tensor, "B H"]
    n: Float[Tensor, "B H"]
    h: Float[Tensor, "B H"]


def gru_gates(x: Float[Tensor, "B E"], h: Float[Tensor, "B H"], w: Weights) -> GRUGates:
    """Return the gates and the new state from x_t and h_{t-1}.

    The reset gate acts after the product, as in torch and cuDNN. Source: K. Cho et al.,
    arXiv:1406.1078.
    """
    check_step(x, h, w, 3)
    r_x, z_x, n_x = (x @ w.ih.T + w.bias_ih).chunk(3, dim=-1)
    r_h, z_h, n_h = (h @ w.hh.T + w.bias_hh).chunk(3, dim=-1)
    r = torch.sigmoid(r_x + r_h)  # how much of the past the candidate sees
    z = torch.sigmoid(z_x + z_h)  # how much of the past stays
    n = torch.tanh(n_x + r * n_h)  # the candidate
    h = (1 - z) * n + z * h
    return GRUGates(r, z, n, h)


def gru(x: Float[Tensor, "B E"], h: Float[Tensor, "B H"], w: Weights) -> Float[Tensor, "B H"]:
    """Return h_t from x_t and h_{t-1}."""
    return gru_gates(x, h, w).h


# What a cell's step is, and how many gates it has.
STEPS: dict[str, tuple[Callable[..., Any], int]] = {
    "rnn": (rnn_tanh, 1),
    "rnn-relu": (rnn_relu, 1),
    "lstm": (lstm, 4),
    "gru": (gru, 3),
}


def unroll(
    step: Callable[..., Any],
    x: Float[Tensor, "B T E"],
    state: Any,
    weights: Weights,
    reverse: bool = False,
) -> tuple[Float[Tensor, "B T H"], Any]:
    """Return the h of every step, and the last state, of ``step`` over ``x``.

    ``reverse`` reads from the last step to the first; outputs stay in the order of ``x``.

    >>> w = Weights(torch.eye(2), torch.zeros(2, 2), torch.zeros(2), torch.zeros(2))
    >>> out, h = unroll(rnn_relu, torch.ones(1, 3, 2), torch.zeros(1, 2), w)
    >>> tuple(out.shape), h.tolist()
    ((1, 3, 2), [[1.0, 1.0]])
    """
    check_callable("step", step)
    check_floats("x", x)
    check_shape("x", x, "B", "T", "E")
    check_flag("reverse", reverse)
    outs = []
    for x_t in reversed(x.unbind(1)) if reverse else x.unbind(1):
        state = step(x_t, state, weights)
        outs.append(state[0] if isinstance(state, tuple) else state)
    return torch.stack(outs[::-1] if reverse else outs, dim=1), state


class Recurrent(nn.Module):
    """Layers of one cell over whole sequences, in one direction or both, batch first.

    ``cell`` is "rnn", "rnn-relu", "lstm" or "gru". Parameters have torch's names and shapes:
    ``load_state_dict`` takes those of ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU`` of the same sizes, and
    they take these. An LSTM starts with the forget gate's bias 1. Everything is plain Python over
    the steps, for reading and for looking inside; torch's own layers compute the same faster.

    >>> layer = Recurrent("gru", 3, 5, layers=2, bidirectional=True)
    >>> out, h = layer(torch.ones(4, 7, 3))
    >>> tuple(out.shape), tuple(h.shape)
    ((4, 7, 10), (4, 4, 5))
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        peephole: bool = False,
    ) -> None:
        super().__init__()
        self.step, gates = STEPS[check_choice("cell", cell, STEPS)]
        self.paired = cell == "lstm"  # its state is (h, c)
        self.input_size = check_whole("input_size", input_size)
        self.hidden_size = check_whole("hidden_size", hidden_size)
        self.layers = check_whole("layers", layers)
        self.ways = ("", "_reverse") if check_flag("bidirectional", bidirectional) else ("",)
        check_flag("peephole", peephole)
        if peephole and cell != "lstm":
            raise ValueError(f"peephole = True: такие связи есть только у 'lstm', а не у {cell!r}.")
        for layer in range(layers):
            size = hidden_size * len(self.ways) if layer else input_size
            shapes = {
                "weight_ih": (gates * hidden_size, size),
                "weight_hh": (gates * hidden_size, hidden_size),
                "bias_ih": (gates * hidden_size,),
                "bias_hh": (gates * hidden_size,),
            }
            if peephole:
                shapes["peephole"] = (3 * hidden_size,)
            for way in self.ways:
                for name, shape in shapes.items():
                    weight = torch.empty(shape).uniform_(-1, 1) * hidden_size**-0.5
                    self.register_parameter(f"{name}_l{layer}{way}", nn.Parameter(weight))
                if self.paired:
                    weights = self.weights(layer, way)
                    open_forget_gate(weights.bias_ih, weights.bias_hh)

    def weights(self, layer: int, way: str = "") -> Weights:
        """Return the weights of ``layer`` (from 0) in one direction, ``""`` or ``"_reverse"``."""
        check_choice("way", way, self.ways)
        check_whole("layer", layer, least=0, most=self.layers - 1)
        of = dict(self.named_parameters())
        place = f"_l{layer}{way}"
        return Weights(
            of[f"weight_ih{place}"],
            of[f"weight_hh{place}"],
            of[f"bias_ih{place}"],
            of[f"bias_hh{place}"],
            of.get(f"peephole{place}"),
        )

    def forward(
        self, x: Float[Tensor, "B T E"], state: Any = None
    ) -> tuple[Float[Tensor, "B T DH"], Any]:
        """Return the outputs for ``x``, D·H numbers a step, and the last states, as torch does.

        A state is h [L·D, B, H] for L layers of D directions, or the pair (h, c) for an LSTM;
        zeros unless given.
        """
        check_floats("x", x)
        if x.ndim != 3 or x.shape[1] == 0 or x.shape[2] != self.input_size:
            raise ValueError(
                f"x: форма {tuple(x.shape)}, а нужна (B, T, {self.input_size}): строки пакета, "
                f"хотя бы один шаг, {self.input_size} чисел на шаг."
            )
        before = iter(self._split(x, state))
        after = []
        for layer in range(self.layers):
            outs = []
            for way in self.ways:
                out, last = unroll(
                    self.step, x, next(before), self.weights(layer, way), way == "_reverse"
                )
                outs.append(out)
                after.append(last)
            x = torch.cat(outs, dim=-1)
        if self.paired:
            h, c = zip(*after, strict=True)
            return x, (torch.stack(h), torch.stack(c))
        return x, torch.stack(after)

    def _split(self, x: Float[Tensor, "B T E"], state: Any) -> list[Any]:
        """Return a state for each layer and direction; zeros where none is given."""
        shape = (self.layers * len(self.ways), x.shape[0], self.hidden_size)
        if state is None:
            zeros = x.new_zeros(shape)
            state = (zeros, zeros) if self.paired else zeros
        parts = state if self.paired else (state,)
        fits = isinstance(parts, tuple) and len(parts) == 1 + self.paired
        if not fits or any(getattr(part, "shape", None) != shape for part in parts):
            kind = "нужна пара тензоров (h, c)" if self.paired else "нужен тензор h"
            raise ValueError(
                f"state: {kind} формы {shape}: слои и направления, строки пакета, размер состояния."
            )
        for part in parts:
            check_floats("state", part)
            check_alike("state", part, "x", x)
        return list(zip(*parts, strict=True)) if self.paired else list(state)


def open_forget_gate(
    bias_ih: Float[Tensor, "GH"], bias_hh: Float[Tensor, "GH"], bias: float = 1.0
) -> None:
    """Set the forget gate's bias of an LSTM, the sum of the two, to ``bias``: 1 remembers at first.

    Source: F. A. Gers et al., doi:10.1162/089976600300015015; R. Jozefowicz et al., ICML 2015.

    >>> ours, other = torch.zeros(4), torch.ones(4)
    >>> open_forget_gate(ours, other)
    >>> ours.tolist(), other.tolist()
    ([0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0])
    """
    bias = check_real("bias", bias, least=-math.inf)
    for name, part in (("bias_ih", bias_ih), ("bias_hh", bias_hh)):
        check_floats(name, part)
        if part.ndim != 1 or len(part) % 4 or len(part) != len(bias_ih):
            raise ValueError(f"{name}: форма {tuple(part.shape)}, а нужна (4·H,), одна на оба.")
    hidden = len(bias_ih) // 4
    with torch.no_grad():
        bias_ih[hidden : 2 * hidden] = bias
        bias_hh[hidden : 2 * hidden] = 0.0
