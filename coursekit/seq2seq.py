"""A network that reads one sequence and writes another, looking back at what it has read."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.arguments import check_choice, check_whole, shown
from coursekit.attention import (
    Additive,
    General,
    additive,
    attend,
    check_pair,
    dot,
    length_mask,
    scaled_dot,
)
from coursekit.batching import IGNORED, Batch, check_batch
from coursekit.layers import Encoder, State, embedded, go_on, recurrent_layer
from coursekit.losses import Step, cross_entropy
from coursekit.tensors import check_alike, check_ids, check_state_of
from coursekit.vocab import BOS, PAD, SPECIALS

ATTENTION = ("additive", "dot", "scaled-dot", "general")

# What the decoder looks at: keys, values and a mask; nothing without attention.
Memory = tuple[Float[Tensor, "B T H"] | Bool[Tensor, "B T"], ...]


class Seq2Seq(nn.Module):
    """An encoder that reads a source in both directions and a decoder that writes the target.

    The encoder's last states → linear → tanh give the decoder's first state. The decoder reads
    ``<bos>`` and the target so far: embedding → ``layers`` of ``cell`` of size ``hidden`` →
    attention over the encoder's outputs, brought to ``hidden`` numbers → tanh of a linear layer
    over what came out of both → projection. ``attention`` is "additive", "dot", "scaled-dot",
    "general" (see ``attention``), or None: then all that the decoder knows of the source is its
    first state. ``embedding`` is the size of a token's vector, ``hidden`` unless given; ``dropout``
    acts on what enters each layer and the projection.

    Sources: I. Sutskever, O. Vinyals, Q. V. Le, arXiv:1409.3215; D. Bahdanau, K. Cho, Y. Bengio,
    arXiv:1409.0473; M.-T. Luong, H. Pham, C. D. Manning, arXiv:1508.04025, section 3.

    >>> model = Seq2Seq(20, 30, hidden=8)
    >>> memory, state = model.encode(torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([3, 2]))
    >>> logits, state, weights = model.decode(torch.tensor([[2, 5], [2, 6]]), state, memory)
    >>> tuple(logits.shape), tuple(weights.shape)
    ((2, 2, 30), (2, 2, 3))
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        *,
        cell: str = "lstm",
        hidden: int = 128,
        layers: int = 1,
        embedding: int | None = None,
        attention: str | None = "additive",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        least = len(SPECIALS) + 1
        source_size = check_whole("source_size", source_size, least)
        target_size = check_whole("target_size", target_size, least)
        if attention is not None:
            check_choice("attention", attention, ATTENTION)
        self.encoder = Encoder(
            source_size,
            cell=cell,
            hidden=hidden,
            layers=layers,
            embedding=embedding,
            dropout=dropout,
        )
        shared = self.encoder.arguments
        hidden, layers, size = shared["hidden"], shared["layers"], shared["embedding"]
        # What checkpoints.save_model keeps, in plain values: another such model can be built.
        self.arguments: dict[str, Any] = {
            "source_size": source_size,
            "target_size": target_size,
            "cell": cell,
            "hidden": hidden,
            "layers": layers,
            "embedding": size,
            "attention": attention,
            "dropout": shared["dropout"],
        }
        self.hidden = hidden
        self.attention = attention
        self.embedding = nn.Embedding(target_size, size)
        self.layers = nn.ModuleList(
            recurrent_layer(cell, hidden if depth else size, hidden) for depth in range(layers)
        )
        # An LSTM's state is a pair, h and c.
        parts = 2 if cell == "lstm" else 1
        self.start = nn.Linear(self.encoder.size, layers * parts * hidden)
        if attention is not None:
            self.values = nn.Linear(self.encoder.size, hidden)
        if attention == "additive":
            self.additive = Additive(hidden, hidden, hidden)
        if attention == "general":
            self.general = General(hidden, hidden)
        self.linear = nn.Linear(hidden if attention is None else 2 * hidden, size)
        self.projection = nn.Linear(size, target_size)
        self.dropout = nn.Dropout(dropout)

    def encode(self, inputs: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> tuple[Memory, State]:
        """Return what the decoder looks at and its first state, for sources.

        ``lengths`` are the sources' true lengths; padding changes nothing. A length of 0 is a
        ``ValueError``.
        """
        outputs, last = self.encoder(inputs, lengths)  # [B, T, 2·H], [B, 2·H]
        start = torch.tanh(self.start(last)).unflatten(1, (-1, self.hidden))  # [B, parts, H]
        parts = start.transpose(0, 1).contiguous().split(1)  # each [1, B, H]
        lstm = self.arguments["cell"] == "lstm"
        state: State = tuple(zip(parts[::2], parts[1::2], strict=True)) if lstm else parts
        if self.attention is None:
            return (), state
        values = self.values(outputs)  # [B, T, H]
        # What additive scores make of the keys is the same at every step of the decoder.
        keys = self.additive.key(values) if self.attention == "additive" else values
        return (keys, values, length_mask(lengths, inputs.shape[1])), state

    def decode(
        self, tokens: Int[Tensor, "B U"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "B U V"], State, Float[Tensor, "B U T"] | None]:
        """Return logits after each of ``tokens``, the state, and the attention's weights, if any.

        ``state`` is that of ``encode`` or of the ``decode`` before, so that U tokens may be read at
        once or one by one.
        """
        x = self.dropout(embedded(tokens, self.embedding, "tokens"))  # [B, U, E]
        check_state_of("state", state, self.layers, x)
        states = []
        for layer, before in zip(self.layers, state, strict=True):
            x, after = go_on(layer, x, before)  # [B, U, H]
            x = self.dropout(x)
            states.append(after)
        weights = None
        if self.attention is not None:
            keys, values, mask = check_memory(memory)
            context, weights = attend(self.scores(x, keys), values, mask)  # [B, U, H], [B, U, T]
            x = torch.cat([x, context], dim=-1)
        x = self.dropout(torch.tanh(self.linear(x)))  # [B, U, E]
        return self.projection(x), tuple(states), weights

    def scores(
        self, query: Float[Tensor, "B U H"], keys: Float[Tensor, "B T H"]
    ) -> Float[Tensor, "B U T"]:
        """Return the scores of the decoder's outputs against the keys."""
        if self.attention == "additive":
            check_pair(query, keys, self.hidden, self.hidden)
            check_alike("query", query, "веса", self.additive.v)
            return additive(self.additive.query(query), keys, self.additive.v)
        if self.attention == "general":
            scores: Tensor = self.general(query, keys)
            return scores
        return (scaled_dot if self.attention == "scaled-dot" else dot)(query, keys)

    def loss(self, batch: Batch, state: State | None = None) -> Step:
        """Return the summed cross-entropy of the targets [B, U] in nats, each after the true ones.

        The targets end with ``<eos>``; the decoder reads ``<bos>`` and all but the last of them
        (teacher forcing). Nothing is carried from batch to batch: ``state`` is not looked at.
        """
        check_batch(batch)
        if batch.targets.ndim != 2:
            raise ValueError(
                f"targets: форма {tuple(batch.targets.shape)}, а нужна (B, U): последовательность "
                "на каждую строку пакета. Такие готовит PaddedBatches(…, aligned=False)."
            )
        memory, start = self.encode(batch.inputs, batch.lengths)
        logits, _, _ = self.decode(shifted(batch.targets), start, memory)
        total, correct = cross_entropy(logits, batch.targets)
        return Step(total, batch.count, correct, None)


def check_memory(memory: Memory) -> Memory:
    """Return ``memory`` if it has keys, values and a mask, which ``attend`` itself looks at."""
    if not isinstance(memory, tuple) or len(memory) != 3:
        raise TypeError(
            f"memory = {shown(memory)}: нужна тройка keys, values, mask, какую возвращает encode()."
        )
    return memory


def shifted(targets: Int[Tensor, "B U"]) -> Int[Tensor, "B U"]:
    """Return what the decoder reads to give ``targets``: ``<bos>``, then all but the last.

    >>> shifted(torch.tensor([[7, 8, 3], [9, 3, -100]]))
    tensor([[2, 7, 8],
            [2, 9, 3]])
    """
    check_ids("targets", targets)
    if targets.ndim != 2 or targets.shape[1] == 0:
        raise ValueError(
            f"targets: форма {tuple(targets.shape)}, а нужна (B, U): последовательность на каждую "
            "строку пакета, хотя бы из одного токена."
        )
    before = F.pad(targets[:, :-1], (1, 0), value=BOS)
    return before.masked_fill(before == IGNORED, PAD)
