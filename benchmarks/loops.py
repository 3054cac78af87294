"""A character language model trained on sentences: fit, the usual loop of notebooks, a bare one."""

import math
from collections.abc import Callable

import torch
from side_by_side import Ratio, apart, ratio
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, Dataset

from coursekit import datasets, text
from coursekit.batching import IGNORED, PaddedBatches
from coursekit.models import LanguageModel
from coursekit.processes import best_device
from coursekit.training import fit
from coursekit.vocab import BOS, EOS, PAD, UNK, Vocab

HIDDEN = 256
BATCH_SIZE = 256
EPOCHS = 1
LR = 4e-3
CLIP = 1.0
WEIGHT_DECAY = 0.01


class Sentences(Dataset[Tensor]):
    """The usual way: a sentence becomes ids whenever it is asked for, character by character."""

    def __init__(self, sentences: list[str], char_to_id: dict[str, int]) -> None:
        self.sentences = sentences
        self.char_to_id = char_to_id

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index: int) -> Tensor:
        ids = [BOS]
        for char in self.sentences[index]:
            ids.append(self.char_to_id.get(char, UNK))
        ids.append(EOS)
        return torch.tensor(ids)


def collate(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The usual way: pad whatever comes together to the longest of it."""
    padded = pad_sequence(rows, batch_first=True, padding_value=PAD)
    return padded[:, :-1], padded[:, 1:]


def usual(
    model: LanguageModel,
    sentences: list[str],
    vocab: Vocab,
    epochs: int = EPOCHS,
    shuffle: bool = False,
) -> int:
    """The usual loop: batches as they come, the loss and the perplexity looked at every step."""
    char_to_id = {char: number for number, char in enumerate(vocab.tokens)}
    loader = DataLoader(
        Sentences(sentences, char_to_id), BATCH_SIZE, shuffle=shuffle, collate_fn=collate
    )
    device = best_device()
    model.to(device)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)
    optimizer = AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    scheduler = OneCycleLR(optimizer, max_lr=LR, total_steps=epochs * len(loader))
    characters = 0
    losses, perplexities = [], []
    model.train()
    for _ in range(epochs):
        for inputs, targets in loader:
            inputs, targets = inputs.to(device), targets.to(device)
            optimizer.zero_grad()
            logits, _ = model(inputs)
            loss = criterion(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
            perplexities.append(math.exp(loss.item()))
            characters += (targets != PAD).sum().item()
    return characters


def bare(model: LanguageModel, batches: PaddedBatches, epochs: int = EPOCHS) -> int:
    """The least that trains: our batches, no loss kept, nothing looked at."""
    device = best_device()
    model.to(device)
    optimizer = AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
    scheduler = OneCycleLR(optimizer, max_lr=LR, total_steps=epochs * len(batches))
    characters = 0
    model.train()
    for epoch in range(1, epochs + 1):
        for batch in batches.epoch(epoch):
            logits, _ = model(batch.inputs.to(device))
            targets = batch.targets.to(device)
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            scheduler.step()
            characters += batch.count
    return characters


def ours(model: LanguageModel, batches: PaddedBatches, epochs: int = EPOCHS) -> int:
    fit(
        model,
        batches,
        epochs=epochs,
        lr=LR,
        clip=CLIP,
        weight_decay=WEIGHT_DECAY,
        progress=False,
    )
    return epochs * batches.count


def batched(sentences: list[str], vocab: Vocab, batch_size: int = BATCH_SIZE) -> PaddedBatches:
    """Our way: ids are made once, and sentences of like length come together."""
    ids = [vocab.encode(one, bos=True, eos=True) for one in sentences]
    return PaddedBatches(ids, batch_size=batch_size)


def corpus_sentences(every: int = 4) -> list[str]:
    """Return every so many-th sentence of the corpus, in the order of the text."""
    found = [one for work in datasets.load_zarechinsk() for one in text.sentences(work.text)]
    return found[::every]


def started(vocab: Vocab, hidden: int = HIDDEN) -> LanguageModel:
    """Return the model that every way begins with."""
    torch.manual_seed(0)
    return LanguageModel(len(vocab), hidden=hidden)


def notebooks() -> dict[str, Callable[[], int]]:
    sentences = corpus_sentences(every=1)
    vocab = Vocab.build("".join(sentences))
    model = started(vocab)
    # The usual loop makes its ids as it goes, so that making ours belongs to the measured time.
    return {
        "fit": lambda: ours(model, batched(sentences, vocab)),
        "usual loop, file order": lambda: usual(model, sentences, vocab),
        "usual loop, shuffled": lambda: usual(model, sentences, vocab, shuffle=True),
    }


def loops() -> dict[str, Callable[[], int]]:
    sentences = corpus_sentences()
    vocab = Vocab.build("".join(sentences))
    model, batches = started(vocab), batched(sentences, vocab)
    return {"fit": lambda: ours(model, batches), "bare loop": lambda: bare(model, batches)}


def measure() -> list[Ratio]:
    work = "character LM on sentences"
    usual_times = apart("loops", "notebooks", repeats=3)
    # Our padding is 5 % of the characters, that in file order 292 %: 3.72 × the positions.
    return [
        ratio(f"{work}, the corpus", usual_times, "usual loop, file order", demanded=4),
        ratio(f"{work}, the corpus", usual_times, "usual loop, shuffled", demanded=4),
        ratio(f"{work}, a quarter of it", apart("loops", "loops"), "bare loop", demanded=0.97),
    ]
