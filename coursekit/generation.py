"""Text from a language model, token by token; the state is carried, nothing is read twice."""

from collections.abc import Sequence

import torch
from torch import Tensor

from coursekit.arguments import check_real, check_whole, shown
from coursekit.models import LanguageModel
from coursekit.vocab import BOS, EOS, PAD, UNK, Vocab


@torch.no_grad()
def generate(
    model: LanguageModel,
    vocab: Vocab,
    prompt: Sequence[str],
    *,
    length: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
) -> str:
    """Return ``prompt`` and at most ``length`` further tokens, drawn as ``distribution`` says.

    The whole prompt warms the state. ``prompt`` is a string for a vocabulary of characters and a
    list of tokens for one of words; a token that the vocabulary lacks is a ``ValueError``.
    ``<eos>`` ends the text. The same ``seed`` gives the same text; None draws a new one.
    """
    check_whole("length", length, least=0)
    if len(prompt) == 0:
        raise ValueError(f"prompt = {shown(prompt)}: нужен хотя бы один токен, с которого начать.")
    for known in prompt:
        if known not in vocab:
            raise ValueError(
                f"prompt = {shown(prompt)}: токена {shown(known)} нет в словаре, модель его не "
                "видела. Замените его или постройте словарь по тексту, где он есть."
            )
    ids = vocab.encode(prompt)
    device = next(model.parameters()).device
    # The draw happens on the CPU, so that a seed means the same on every device.
    random = torch.Generator()
    random.seed() if seed is None else random.manual_seed(check_whole("seed", seed, least=0))
    training = model.training
    model.eval()
    logits, state = model(torch.tensor([ids], device=device))  # [1, T, V]
    for _ in range(length):
        probabilities = distribution(logits[0, -1].cpu(), temperature, top_k, top_p)  # [V]
        token = int(torch.multinomial(probabilities, 1, generator=random))
        if token == EOS:
            break
        ids.append(token)
        logits, state = model(torch.tensor([[token]], device=device), state)  # [1, 1, V]
    model.train(training)
    return vocab.decode(ids)


def distribution(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Return the probabilities [V] from which the next token is drawn, given ``logits`` [V].

    Temperature divides the logits, and 0 leaves the likeliest token alone. ``top_k`` keeps that
    many likeliest tokens, then ``top_p`` the fewest whose probabilities reach it in sum; equals
    go by their number. ``<pad>``, ``<unk>`` and ``<bos>`` are never drawn.
    Sources: top-k, A. Fan et al., arXiv:1805.04833; top-p, A. Holtzman et al., arXiv:1904.09751.

    >>> logits = torch.tensor([0.0, 0.0, 0.0, 0.0, 2.0, 1.0, 0.0])
    >>> [round(probability, 3) for probability in distribution(logits, top_k=2)[4:].tolist()]
    [0.731, 0.269, 0.0]
    >>> distribution(logits, temperature=0)[4:].tolist()
    [1.0, 0.0, 0.0]
    """
    check_real("temperature", temperature)
    # In float64 even the smallest positive temperature does not round to zero.
    allowed = logits.to(torch.float64, copy=True)
    allowed[[PAD, UNK, BOS]] = -torch.inf
    if temperature == 0:
        return torch.nn.functional.one_hot(allowed.argmax(), len(logits)).to(logits.dtype)
    probabilities = ((allowed - allowed.max()) / temperature).softmax(0)
    sorted_, order = probabilities.sort(descending=True, stable=True)
    if top_k is not None:
        sorted_[check_whole("top_k", top_k) :] = 0
        sorted_ /= sorted_.sum()
    if top_p is not None:
        if check_real("top_p", top_p, 0, 1) == 0:
            raise ValueError("top_p = 0: нужно число больше 0; самый вероятный токен даёт top_k=1.")
        sorted_[sorted_.cumsum(0) - sorted_ >= top_p] = 0
        sorted_ /= sorted_.sum()
    return torch.zeros_like(probabilities).scatter(0, order, sorted_).to(logits.dtype)
