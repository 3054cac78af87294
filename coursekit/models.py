"""Models of the course; each answers ``loss(batch, state=None) -> Step``."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.arguments import check_choice, check_real, check_whole
from coursekit.batching import Batch
from coursekit.cells import open_forget_gate
from coursekit.vocab import SPECIALS

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

# One entry a layer: h of shape [1, B, H], or the pair (h, c) for an LSTM.
State = tuple[Tensor | tuple[Tensor, Tensor], ...]


@dataclass(frozen=True)
class Step:
    """What a model says of one batch.

    ``total`` is the sum of losses in nats and ``correct`` the number of right answers (scalars on
    the model's device, so that nothing waits for them); ``count`` answers were counted; ``state``
    is ready for a batch that continues this one and holds no gradients.
    """

    total: Tensor
    count: int
    correct: Tensor
    state: State | None


class LanguageModel(nn.Module):
    """A recurrent network that gives the next token's distribution after every token.

    Embedding → ``layers`` of ``cell`` ("rnn", "lstm" or "gru") of size ``hidden``, each after the
    first added to its input if ``residual`` → linear → tanh → projection onto the vocabulary.
    ``embedding`` is the size of a token's vector, ``hidden`` unless given; ``tied`` makes the
    projection share the embedding's weights. ``dropout`` acts on what enters each layer and the
    projection. Recurrent matrices start orthogonal, an LSTM's forget gates open (bias 1).

    Sources: T. Mikolov et al., INTERSPEECH 2010, 1045–1048; tying: O. Press, L. Wolf,
    arXiv:1608.05859; start: Q. V. Le et al., arXiv:1504.00941; R. Jozefowicz et al., ICML 2015.

    >>> model = LanguageModel(91, hidden=256, layers=1)
    >>> sum(weight.numel() for weight in model.parameters())
    638811
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        cell: str = "lstm",
        hidden: int = 256,
        layers: int = 1,
        embedding: int | None = None,
        dropout: float = 0.0,
        residual: bool = True,
        tied: bool = False,
    ) -> None:
        super().__init__()
        vocab_size = check_whole("vocab_size", vocab_size, least=len(SPECIALS) + 1)
        recurrent = CELLS[check_choice("cell", cell, CELLS)]
        hidden = check_whole("hidden", hidden)
        layers = check_whole("layers", layers)
        size = hidden if embedding is None else check_whole("embedding", embedding)
        # What checkpoints.save_model keeps, in plain values: another such model can be built.
        self.arguments: dict[str, Any] = {
            "vocab_size": vocab_size,
            "cell": cell,
            "hidden": hidden,
            "layers": layers,
            "embedding": size,
            "dropout": check_real("dropout", dropout, 0, 1),
            "residual": bool(residual),
            "tied": bool(tied),
        }
        self.residual = residual
        self.embedding = nn.Embedding(vocab_size, size)
        stack = [
            recurrent(hidden if depth else size, hidden, batch_first=True)
            for depth in range(layers)
        ]
        for layer in stack:
            start_recurrent(layer)
        self.layers = nn.ModuleList(stack)
        self.linear = nn.Linear(hidden, size)
        self.projection = nn.Linear(size, vocab_size)
        self.dropout = nn.Dropout(dropout)
        if tied:
            nn.init.normal_(self.embedding.weight, std=size**-0.5)
            self.projection.weight = self.embedding.weight

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return logits [B, T, V] for ``inputs`` [B, T] and the state after the last token."""
        x = self.dropout(self.embedding(inputs))  # [B, T, E]
        states = []
        for depth, layer in enumerate(self.layers):
            out, after = layer(x, None if state is None else state[depth])  # [B, T, H]
            x = self.dropout(out + x if self.residual and depth else out)
            states.append(after)
        x = self.dropout(torch.tanh(self.linear(x)))  # [B, T, E]
        return self.projection(x), tuple(states)

    def loss(self, batch: Batch, state: State | None = None) -> Step:
        """Return the summed cross-entropy of ``batch`` in nats, begun from the last one's state."""
        logits, state = self(batch.inputs, state)
        total = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="sum")
        correct = (logits.detach().argmax(-1) == batch.targets).sum()
        return Step(total, batch.count, correct, detached(state))


def start_recurrent(layer: nn.RNNBase) -> None:
    """Start one layer of torch's with orthogonal recurrent matrices, an LSTM with open gates f."""
    hidden = layer.hidden_size
    with torch.no_grad():
        for gate in layer.get_parameter("weight_hh_l0").view(-1, hidden, hidden):
            nn.init.orthogonal_(gate)
    if isinstance(layer, nn.LSTM):
        open_forget_gate(layer.get_parameter("bias_ih_l0"), layer.get_parameter("bias_hh_l0"))


def detached(state: State) -> State:
    """Return ``state`` cut off from the graph: gradients end at the window's edge."""
    return tuple(
        part.detach() if isinstance(part, Tensor) else (part[0].detach(), part[1].detach())
        for part in state
    )
