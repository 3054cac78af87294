"""Models of the course; each answers ``loss(batch, state=None) -> Step``."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from coursekit.arguments import check_choice, check_flag, check_real, check_whole
from coursekit.attention import attend, length_mask, scaled_dot
from coursekit.batching import Batch, check_batch
from coursekit.layers import (
    Encoder,
    State,
    detached,
    embedded,
    go_on,
    recurrent_layer,
)
from coursekit.losses import Step, adaptive_cross_entropy, check_cutoffs, cross_entropy
from coursekit.tensors import check_state_of
from coursekit.vocab import SPECIALS

POOLINGS = ("last", "mean", "max", "attention")


class LanguageModel(nn.Module):
    """A recurrent network that gives the next token's distribution after every token.

    Embedding → ``layers`` of ``cell`` ("rnn", "lstm" or "gru") of size ``hidden``, each after the
    first added to its input if ``residual`` → linear → tanh → projection onto the vocabulary.
    ``embedding`` is the size of a token's vector, ``hidden`` unless given; ``tied`` makes the
    projection share the embedding's weights. Without ``deep_output`` the projection reads the last
    layer itself. ``dropout`` acts on what leaves each layer and enters the projection. Recurrent
    matrices start orthogonal, the projection's rows, without ``cutoffs``, as the embedding's, from
    N(0, 1), which suits characters, an LSTM's forget gates with ``forget_bias``: 1 keeps them open,
    to remember from the start, with 0 what is near is learnt sooner.

    ``cutoffs`` make training on a large vocabulary fast, where ids go from frequent to rare, as
    those of ``Vocab`` do: ids below the first cutoff are told apart at once, those between two
    cutoffs only where such a one comes. ``forward`` then returns log-probabilities.

    Sources: T. Mikolov et al., INTERSPEECH 2010, 1045–1048; deep output: R. Pascanu et al.,
    arXiv:1312.6026; tying: O. Press, L. Wolf,
    arXiv:1608.05859; start: Q. V. Le et al., arXiv:1504.00941; R. Jozefowicz et al., ICML 2015;
    cutoffs: E. Grave et al., arXiv:1609.04309.

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
        forget_bias: float = 1.0,
        deep_output: bool = True,
        tied: bool = False,
        cutoffs: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        vocab_size = check_whole("vocab_size", vocab_size, least=len(SPECIALS) + 1)
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
            "residual": check_flag("residual", residual),
            "forget_bias": check_real("forget_bias", forget_bias, least=-math.inf),
            "deep_output": check_flag("deep_output", deep_output),
            "tied": check_flag("tied", tied),
            "cutoffs": None,
        }
        self.residual = residual
        self.embedding = nn.Embedding(vocab_size, size)
        self.layers = nn.ModuleList(
            recurrent_layer(cell, hidden if depth else size, hidden, forget_bias)
            for depth in range(layers)
        )
        self.linear = nn.Linear(hidden, size) if deep_output else None
        self.dropout = nn.Dropout(dropout)
        width = size if deep_output else hidden
        self.projection: nn.Linear | nn.AdaptiveLogSoftmaxWithLoss
        if cutoffs is None:
            self.projection = nn.Linear(width, vocab_size)
            # Shorter rows would take most of an epoch to grow; the layer below starts near zero
            # instead, and an untrained model finds all tokens about alike.
            nn.init.normal_(self.projection.weight)
            if self.linear is not None:
                nn.init.normal_(self.linear.weight, std=1e-3)
        else:
            thresholds = check_cutoffs(cutoffs, vocab_size, width)
            self.projection = nn.AdaptiveLogSoftmaxWithLoss(width, vocab_size, thresholds)
            self.arguments["cutoffs"] = thresholds
        if tied:
            if width != size:
                raise ValueError(
                    f"tied = True: без deep_output проекция читает {hidden} чисел, а вектор токена "
                    f"— из {size}. Возьмите embedding = hidden или deep_output = True."
                )
            if cutoffs is not None:
                raise ValueError(
                    "tied = True: с cutoffs редкие слова получают векторы короче, чем у embedding, "
                    "и общими веса быть не могут. Уберите tied или cutoffs."
                )
            self.projection.weight = self.embedding.weight

    def forward(
        self, inputs: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T V"], State]:
        """Return logits for ``inputs`` and the state after the last token."""
        x, state = self.read(inputs, state)
        if isinstance(self.projection, nn.Linear):
            return self.projection(x), state
        return self.projection.log_prob(x.flatten(0, 1)).unflatten(0, inputs.shape), state

    def read(
        self, inputs: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T width"], State]:
        """Return what enters the projection, and the state after the last token."""
        x = embedded(inputs, self.embedding)  # [B, T, E]
        if state is not None:
            check_state_of("state", state, self.layers, x)
        states = []
        for depth, layer in enumerate(self.layers):
            out, after = go_on(layer, x, None if state is None else state[depth])  # [B, T, H]
            x = self._dropped(out + x if self.residual and depth else out)
            states.append(after)
        if self.linear is not None:
            x = self._dropped(torch.tanh(self.linear(x)))  # [B, T, E]
        return x, tuple(states)

    def _dropped(self, x: Tensor) -> Tensor:
        # Where text is written, a call that does nothing costs as much as a product of matrices.
        return self.dropout(x) if self.training else x

    def loss(self, batch: Batch, state: State | None = None) -> Step:
        """Return the summed cross-entropy of ``batch`` in nats, begun from the last one's state."""
        check_batch(batch)
        if isinstance(self.projection, nn.Linear):
            logits, state = self(batch.inputs, state)
            total, correct = cross_entropy(logits, batch.targets)
        else:
            x, state = self.read(batch.inputs, state)
            total, correct = adaptive_cross_entropy(self.projection, x, batch.targets)
        return Step(total, batch.count, correct, detached(state))


class Classifier(nn.Module):
    """A recurrent network that tells the class of a whole sequence.

    ``layers.Encoder`` → ``pooling`` over the true tokens → linear. ``pooling`` is "last" (the last
    state of each direction), "mean", "max", or "attention": a mean weighted by the scaled dot
    products with a learned query, which starts as the plain mean. The other arguments are those of
    the encoder; ``hidden`` is the size of one direction.

    Sources: max, A. Conneau et al., arXiv:1705.02364; attention, Z. Yang et al.,
    doi:10.18653/v1/N16-1174.

    >>> model = Classifier(20, 3, cell="gru", hidden=8, pooling="max")
    >>> tuple(model(torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([3, 2])).shape)
    (2, 3)
    """

    def __init__(
        self,
        vocab_size: int,
        classes: int,
        *,
        cell: str = "lstm",
        hidden: int = 128,
        layers: int = 1,
        embedding: int | None = None,
        bidirectional: bool = True,
        pooling: str = "last",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        classes = check_whole("classes", classes, least=2)
        self.pooling = check_choice("pooling", pooling, POOLINGS)
        self.encoder = Encoder(
            vocab_size,
            cell=cell,
            hidden=hidden,
            layers=layers,
            embedding=embedding,
            bidirectional=bidirectional,
            dropout=dropout,
        )
        self.arguments = {**self.encoder.arguments, "classes": classes, "pooling": pooling}
        if pooling == "attention":
            self.query = nn.Parameter(torch.zeros(self.encoder.size))
        self.projection = nn.Linear(self.encoder.size, classes)

    def forward(
        self, inputs: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]
    ) -> Float[Tensor, "B classes"]:
        """Return logits for ``inputs`` of ``lengths``."""
        outputs, last = self.encoder(inputs, lengths)  # [B, T, size], [B, size]
        if self.pooling == "last":
            pooled = last
        elif self.pooling == "mean":
            pooled = outputs.sum(1) / lengths[:, None]
        elif self.pooling == "max":
            padding = ~length_mask(lengths, inputs.shape[1])
            pooled = outputs.masked_fill(padding[:, :, None], -torch.inf).amax(1)
        else:
            pooled, _ = self._attend(outputs, lengths)
        logits: Tensor = self.projection(pooled)
        return logits

    def attention(
        self, inputs: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]
    ) -> Float[Tensor, "B T"]:
        """Return the weights that pooling gives to the tokens, 0 at padding."""
        if self.pooling != "attention":
            raise ValueError(
                f"pooling = {self.pooling!r}: весов внимания у этой модели нет. "
                "Постройте её с pooling='attention'."
            )
        outputs, _ = self.encoder(inputs, lengths)
        return self._attend(outputs, lengths)[1]

    def _attend(
        self, outputs: Float[Tensor, "B T H"], lengths: Int[Tensor, "B"]
    ) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B T"]]:
        scores = scaled_dot(self.query.expand(len(outputs), -1), outputs)  # [B, T]
        return attend(scores, outputs, length_mask(lengths, outputs.shape[1]))

    def loss(self, batch: Batch, state: None = None) -> Step:
        """Return the summed cross-entropy of ``batch`` in nats; there is no state to carry."""
        check_batch(batch)
        logits = self(batch.inputs, batch.lengths)
        total, correct = cross_entropy(logits, batch.targets)
        return Step(total, batch.count, correct, None)


class Tagger(nn.Module):
    """A recurrent network that tells the tag of every token.

    ``layers.Encoder`` → linear; the arguments are those of the encoder. Tokens whose target is
    ``batching.IGNORED`` do not count. Source: A. Graves, J. Schmidhuber,
    doi:10.1016/j.neunet.2005.06.042.

    >>> model = Tagger(20, 4, hidden=8)
    >>> tuple(model(torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([3, 2])).shape)
    (2, 3, 4)
    """

    def __init__(
        self,
        vocab_size: int,
        tags: int,
        *,
        cell: str = "lstm",
        hidden: int = 128,
        layers: int = 1,
        embedding: int | None = None,
        bidirectional: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        tags = check_whole("tags", tags, least=2)
        self.encoder = Encoder(
            vocab_size,
            cell=cell,
            hidden=hidden,
            layers=layers,
            embedding=embedding,
            bidirectional=bidirectional,
            dropout=dropout,
        )
        self.arguments = {**self.encoder.arguments, "tags": tags}
        self.projection = nn.Linear(self.encoder.size, tags)

    def forward(
        self, inputs: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]
    ) -> Float[Tensor, "B T tags"]:
        """Return logits for ``inputs`` of ``lengths``."""
        outputs, _ = self.encoder(inputs, lengths)
        logits: Tensor = self.projection(outputs)
        return logits

    def loss(self, batch: Batch, state: None = None) -> Step:
        """Return the summed cross-entropy of ``batch`` in nats; there is no state to carry."""
        check_batch(batch)
        logits = self(batch.inputs, batch.lengths)
        total, correct = cross_entropy(logits, batch.targets)
        return Step(total, batch.count, correct, None)
