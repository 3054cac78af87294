"""Text from a character model: the state carried, against the prefix fed again each time."""

import torch
from side_by_side import Ratio, in_turn, ratio

from coursekit import datasets
from coursekit.generation import generate
from coursekit.models import LanguageModel
from coursekit.vocab import SPECIALS, Vocab

HIDDEN = 256
PROMPT = "вера львовна "


@torch.no_grad()
def usual(model: LanguageModel, vocab: Vocab, prompt: str, length: int, seed: int) -> str:
    """The usual way: encode all the text so far, read it from its start, draw one character."""
    char_to_id = {char: number for number, char in enumerate(vocab.tokens)}
    device = next(model.parameters()).device
    torch.manual_seed(seed)
    text = prompt
    model.eval()
    for _ in range(length):
        ids = torch.tensor([[char_to_id[char] for char in text]], device=device)
        logits, _ = model(ids)
        probabilities = torch.softmax(logits[0, -1].cpu(), dim=-1)
        text += vocab.tokens[torch.multinomial(probabilities, num_samples=1).item()]
    return text


def ours(model: LanguageModel, vocab: Vocab, prompt: str, length: int, seed: int) -> str:
    return generate(model, vocab, prompt, length=length, seed=seed)


def untrained(vocab: Vocab, hidden: int = HIDDEN) -> LanguageModel:
    """Return a model that never gives a special token: neither way stops before ``length``."""
    torch.manual_seed(0)
    model = LanguageModel(len(vocab), hidden=hidden)
    with torch.no_grad():
        model.projection.bias[: len(SPECIALS)] = -torch.inf
    model.eval()
    return model


def measure() -> list[Ratio]:
    vocab = Vocab.build(datasets.load_zarechinsk().text("train").lower())
    model = untrained(vocab)
    rows = []
    for length, repeats, demanded in ((256, 5, 10), (1024, 3, 30)):
        texts = set()
        times = in_turn(
            {
                "generate": lambda n=length, t=texts: t.add(ours(model, vocab, PROMPT, n, 1)),
                "prefix again": lambda n=length, t=texts: t.add(usual(model, vocab, PROMPT, n, 1)),
            },
            repeats,
        )
        assert len(texts) == 1, "the two ways drew different texts"
        rows.append(ratio(f"generation of {length:,} characters", times, "prefix again", demanded))
    return rows
