"""What a Seq2Seq writes for a source: greedily, or the best that beam search finds."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from coursekit.arguments import check_whole, shown
from coursekit.beam import Hypothesis, beam_search
from coursekit.generation import check_model, check_texts, check_vocab, evaluating
from coursekit.layers import State
from coursekit.seq2seq import Memory, Seq2Seq
from coursekit.vocab import BOS, PAD, Vocab, token_list


@torch.no_grad()
def translate(
    model: Seq2Seq,
    source_vocab: Vocab,
    target_vocab: Vocab,
    texts: Sequence[Sequence[str]],
    *,
    length: int = 200,
    width: int = 1,
    length_penalty: float = 0.6,
    batch_size: int = 256,
) -> list[str]:
    """Return what ``model`` writes for each of ``texts``, the best that beam search finds.

    A source is read as ``source_vocab.encode`` gives it. A ``width`` of 1 takes the likeliest token
    at each step; more, and ``length_penalty``, are those of ``beam.beam_search``. At most
    ``length`` tokens are written, ``<eos>`` counted. ``batch_size`` texts are read together, which
    changes no result.
    """
    check_model("model", model, Seq2Seq)
    check_texts("texts", texts)
    check_vocab("source_vocab", source_vocab, model.arguments["source_size"])
    check_vocab("target_vocab", target_vocab, model.arguments["target_size"])
    batch_size = check_whole("batch_size", batch_size)
    width = check_whole("width", width)
    for row, text in enumerate(texts):
        if len(token_list(f"texts[{row}]", text)) == 0:
            raise ValueError(f"texts[{row}] = {shown(text)}: нужен хотя бы один токен.")
    sources = [source_vocab.encode(text) for text in texts]
    # Texts of like length are read together, so that little of a batch is padding.
    order = sorted(range(len(sources)), key=lambda row: len(sources[row]))
    written = [""] * len(sources)
    with evaluating(model):
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            found = _search_targets(
                model, [sources[row] for row in rows], length, width, length_penalty
            )
            for row, hypotheses in zip(rows, found, strict=True):
                written[row] = target_vocab.decode(hypotheses[0].tokens)
    return written


def _search_targets(
    model: Seq2Seq, sources: list[list[int]], length: int, width: int, length_penalty: float
) -> list[list[Hypothesis]]:
    device = next(model.parameters()).device
    inputs = pad_sequence([torch.tensor(ids) for ids in sources], True, PAD).to(device)
    lengths = torch.tensor([len(ids) for ids in sources], device=device)

    def read(
        tokens: Int[Tensor, "B"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "B V"], State]:
        logits, state, _ = model.decode(tokens[:, None], state, memory)  # [B, 1, V]
        return logits[:, 0].log_softmax(-1), state

    memory, state = model.encode(inputs, lengths)
    following, state = read(torch.full_like(lengths, BOS), state, memory)
    # Each row of the beam looks at its own copy of the source.
    copies = tuple(part.repeat_interleave(width, 0) for part in memory)
    return beam_search(
        lambda tokens, state: read(tokens, state, copies),
        following,
        state,
        width=width,
        length=length,
        length_penalty=length_penalty,
    )
