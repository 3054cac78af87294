"""A word language model of 40 004 entries: adaptive softmax against the full one."""

from copy import deepcopy

import torch
from side_by_side import Figure, Ratio, figure, in_turn, ratio

from coursekit import datasets, text
from coursekit.batching import StreamBatches
from coursekit.models import LanguageModel
from coursekit.training import fit
from coursekit.vocab import Vocab

VOCAB_SIZE = 40_004
CUTOFFS = (2_000, 10_000)
HIDDEN = 256
BATCH_SIZE = 128
LENGTH = 35
EPOCHS = 1
LR = 4e-3

# Steps of each measured round.
STEPS = 6


def novel_and_corpus() -> tuple[list[str], list[str]]:
    """Return tokens to train on, nine tenths of «Анна Каренина» and our corpus, and the last tenth.

    The novel alone has 33 566 distinct tokens in lower case, fewer than the vocabulary holds.
    """
    novel = text.tokens(datasets.fetch_anna_karenina().lower())
    corpus = text.tokens(datasets.load_zarechinsk().text("train").lower())
    cut = len(novel) * 9 // 10
    return corpus + novel[:cut], novel[cut:]


def models(vocab_size: int, cutoffs: tuple[int, ...], hidden: int = HIDDEN):
    """Return a model with adaptive softmax and one with full; all that both have starts equal."""
    built = []
    for argument in (cutoffs, None):
        torch.manual_seed(0)
        built.append(LanguageModel(vocab_size, hidden=hidden, cutoffs=argument))
    # Softmaxes are compared, not starts: the wide one of a full projection suits characters.
    adaptive, full = built
    full.linear.load_state_dict(adaptive.linear.state_dict())
    full.projection.reset_parameters()
    return built


def train(model: LanguageModel, train: StreamBatches, valid: StreamBatches | None, epochs: int):
    return fit(model, train, valid, epochs=epochs, lr=LR, progress=False)


def measure() -> list[Ratio | Figure]:
    train_tokens, valid_tokens = novel_and_corpus()
    vocab = Vocab.build(train_tokens, max_size=VOCAB_SIZE)
    assert len(vocab) == VOCAB_SIZE
    train_ids, valid_ids = vocab.encode(train_tokens), vocab.encode(valid_tokens)
    adaptive, full = models(len(vocab), CUTOFFS)
    piece = StreamBatches(train_ids[: BATCH_SIZE * LENGTH * STEPS + 1], BATCH_SIZE, LENGTH)
    times = in_turn(
        {
            "adaptive": lambda: train(deepcopy(adaptive), piece, None, epochs=1),
            "full softmax": lambda: train(deepcopy(full), piece, None, epochs=1),
        }
    )
    batches = [StreamBatches(ids, BATCH_SIZE, LENGTH) for ids in (train_ids, valid_ids)]
    ours, usual = (train(model, *batches, epochs=EPOCHS)[-1] for model in (adaptive, full))
    quality = ours["valid_perplexity"] / usual["valid_perplexity"]
    work = f"word LM, {len(vocab):,} words, {piece.count:,} tokens"
    name = (
        f"perplexity of adaptive by full after {EPOCHS} epoch, "
        f"{ours['valid_perplexity']:.1f} by {usual['valid_perplexity']:.1f}"
    )
    return [
        ratio(work, times, "full softmax", demanded=6),
        figure(name, "by full", [quality], demanded=1.03),
    ]
