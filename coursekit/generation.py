"""Text from a language model, token by token; the state is carried, so nothing is read twice."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from coursekit.arguments import check_instance, check_real, check_sequence, check_whole, shown
from coursekit.beam import beam_search
from coursekit.layers import State
from coursekit.models import LanguageModel
from coursekit.tensors import check_floats
from coursekit.vocab import EOS, PAD, Vocab


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
    check_model("model", model, LanguageModel)
    check_vocab("vocab", vocab, model.arguments["vocab_size"])
    check_prompt("prompt", prompt, vocab)
    (text,) = generate_batch(
        model,
        vocab,
        [prompt],
        length=length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
    )
    return text


@torch.inference_mode()
def generate_batch(
    model: LanguageModel,
    vocab: Vocab,
    prompts: Sequence[Sequence[str]],
    *,
    length: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
) -> list[str]:
    """Return for each of ``prompts`` the text that ``generate`` gives, all rows read together.

    Row r draws with the seed ``seed`` + r, whatever the others draw; prompts may be of different
    lengths.
    """
    length = check_whole("length", length, least=0)
    check_model("model", model, LanguageModel)
    check_texts("prompts", prompts)
    check_vocab("vocab", vocab, model.arguments["vocab_size"])
    for row, prompt in enumerate(prompts):
        check_prompt(f"prompts[{row}]", prompt, vocab)
    texts = [vocab.encode(prompt) for prompt in prompts]
    ends = [len(ids) + length for ids in texts]
    # The draws happen on the CPU, so that a seed means the same on every device.
    randoms = [torch.Generator() for _ in texts]
    for row, random in enumerate(randoms):
        if seed is None:
            random.seed()
        else:
            random.manual_seed(check_whole("seed", seed, least=0) + row)
    device = next(model.parameters()).device
    place = min(len(ids) for ids in texts)
    tokens = torch.tensor([ids[:place] for ids in texts], device=device)  # [B, T]
    state = None
    with evaluating(model):
        while any(len(ids) < end for ids, end in zip(texts, ends, strict=True)):
            logits, state = model(tokens, state)  # [B, T, V]
            probabilities = distribution(logits[:, -1].cpu(), temperature, top_k, top_p)  # [B, V]
            for row, ids in enumerate(texts):
                # A row that is still in its prompt, or has ended, draws nothing.
                if len(ids) == place < ends[row]:
                    token = _drawn(probabilities[row], randoms[row])
                    if token == EOS:
                        ends[row] = place
                    else:
                        ids.append(token)
            following = [[ids[place] if place < len(ids) else PAD] for ids in texts]
            tokens = torch.tensor(following, device=device)  # [B, 1]
            place += 1
    return [vocab.decode(ids) for ids in texts]


def _drawn(probabilities: Float[Tensor, "V"], random: torch.Generator) -> int:
    # As torch.multinomial draws, but for its checks: a race that a token wins with its probability.
    arrivals = torch.empty_like(probabilities).exponential_(generator=random)
    return int(probabilities.div_(arrivals).argmax())


def distribution(
    logits: Float[Tensor, "*B V"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "*B V"]:
    """Return the probabilities from which next tokens are drawn, given ``logits``.

    Temperature divides the logits, and 0 leaves the likeliest token alone. ``top_k`` keeps that
    many likeliest tokens, then ``top_p`` the fewest whose probabilities reach it in sum; equals go
    by their number. ``<pad>``, ``<unk>`` and ``<bos>`` are never drawn.
    Sources: top-k, A. Fan et al., arXiv:1805.04833; top-p, A. Holtzman et al., arXiv:1904.09751.

    >>> logits = torch.tensor([0.0, 0.0, 0.0, 0.0, 2.0, 1.0, 0.0])
    >>> [round(probability, 3) for probability in distribution(logits, top_k=2)[4:].tolist()]
    [0.731, 0.269, 0.0]
    >>> distribution(logits, temperature=0)[4:].tolist()
    [1.0, 0.0, 0.0]
    """
    temperature = check_real("temperature", temperature)
    check_floats("logits", logits)
    if logits.ndim not in (1, 2) or logits.shape[-1] <= EOS:
        raise ValueError(
            f"logits: форма {tuple(logits.shape)}, а нужна (V,) или (B, V), где V — размер словаря."
        )
    # NaN, the largest of anything it is among, is not less than anything.
    if logits.numel() > 0 and not logits.max().item() < torch.inf:
        raise ValueError(
            "logits: среди них NaN или бесконечность, выбирать не из чего. Посмотрите, не "
            "разошлось ли обучение модели."
        )
    # In float64 even the smallest positive temperature does not round to zero.
    allowed = logits.to(torch.float64, copy=True)
    allowed[..., :EOS] = -torch.inf  # <pad>, <unk>, <bos>
    if temperature == 0:
        return torch.nn.functional.one_hot(allowed.argmax(-1), logits.shape[-1]).to(logits.dtype)
    if temperature != 1:
        allowed = (allowed - allowed.amax(-1, True)) / temperature
    probabilities = allowed.softmax(-1)
    if top_k is None and top_p is None:
        return probabilities.to(logits.dtype)
    sorted_, order = probabilities.sort(descending=True, stable=True)
    if top_k is not None:
        sorted_[..., check_whole("top_k", top_k) :] = 0
        sorted_ /= sorted_.sum(-1, keepdim=True)
    if top_p is not None:
        if check_real("top_p", top_p, 0, 1) == 0:
            raise ValueError("top_p = 0: нужно число больше 0; самый вероятный токен даёт top_k=1.")
        sorted_[sorted_.cumsum(-1) - sorted_ >= top_p] = 0
        sorted_ /= sorted_.sum(-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter(-1, order, sorted_).to(logits.dtype)


@torch.no_grad()
def search(
    model: LanguageModel,
    vocab: Vocab,
    prompt: Sequence[str],
    *,
    length: int = 200,
    width: int = 5,
    length_penalty: float = 0.0,
) -> list[tuple[str, float]]:
    """Return the likeliest texts that beam search finds after ``prompt``, the best first.

    Each comes with the log-probability in nats of what follows the prompt: at most ``length``
    tokens, ``<eos>`` counted. ``width`` and ``length_penalty`` are those of ``beam.beam_search``.
    """
    check_model("model", model, LanguageModel)
    check_vocab("vocab", vocab, model.arguments["vocab_size"])
    check_prompt("prompt", prompt, vocab)
    ids = vocab.encode(prompt)
    read = torch.tensor([ids], device=next(model.parameters()).device)  # [1, T]

    def step(tokens: Int[Tensor, "W"], state: State) -> tuple[Float[Tensor, "W V"], State]:
        logits, state = model(tokens[:, None], state)  # [W, 1, V]
        return logits[:, 0].log_softmax(-1), state

    with evaluating(model):
        logits, state = model(read)  # [1, T, V]
        (found,) = beam_search(
            step,
            logits[:, -1].log_softmax(-1),
            state,
            width=width,
            length=length,
            length_penalty=length_penalty,
        )
    return [(vocab.decode(ids + each.tokens), each.log_probability) for each in found]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put ``model`` into evaluation mode, and back as it was when the block ends."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def check_model(name: str, model: object, kind: type[nn.Module]) -> None:
    """Raise a ``TypeError`` unless ``model`` is of ``kind``."""
    check_instance(name, model, kind, f"нужна модель {kind.__name__}")


def check_texts(name: str, texts: Sequence[Sequence[str]]) -> None:
    """Raise unless ``texts`` is a list of at least one text, and not one text by itself."""
    if isinstance(texts, str):
        raise TypeError(f"{name} = {shown(texts)}: нужен список текстов; один текст — [текст].")
    check_sequence(name, texts, "текстов")
    if len(texts) == 0:
        raise ValueError(f"{name} = {shown(texts)}: нужен хотя бы один текст.")


def check_vocab(name: str, vocab: Vocab, size: int) -> None:
    """Raise a ``ValueError`` unless ``vocab`` is as large as the model's."""
    check_instance(name, vocab, Vocab, "нужен словарь Vocab")
    if len(vocab) != size:
        raise ValueError(
            f"{name}: в словаре {len(vocab)} токенов, а модель построена для {size}. "
            "Нужен тот словарь, с которым она училась."
        )


def check_prompt(name: str, prompt: Sequence[str], vocab: Vocab) -> None:
    """Raise unless ``prompt`` has at least one token, and ``vocab`` knows all of them."""
    check_sequence(name, prompt, "токенов")
    if len(prompt) == 0:
        raise ValueError(f"{name} = {shown(prompt)}: нужен хотя бы один токен, с которого начать.")
    if vocab.separator and isinstance(prompt, str):
        raise TypeError(
            f"{name} = {shown(prompt)}: в этом словаре слова, а пришла строка. "
            "Разбейте её на токены: tokens(text)."
        )
    for known in prompt:
        if not isinstance(known, str) or known not in vocab:
            raise ValueError(
                f"{name} = {shown(prompt)}: токена {shown(known)} нет в словаре, модель его не "
                "видела. Замените его или постройте словарь по тексту, где он есть."
            )
