"""The assignment «Языковая модель и выборка»: perplexity, streams, windows, sampling (chapter 4).

B rows, T steps, V tokens in the vocabulary, H numbers in a state, K batches. A target equal to
``IGNORED``, −100, is padding: nobody is asked about it.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from coursekit import datasets
from coursekit.checks import Task
from coursekit.tasks.lstm import MANY, numbers, once, whole
from coursekit.variants import Variant

IGNORED = -100

FORBIDDEN = frozenset(
    {
        "coursekit.batching",
        "coursekit.generation",
        "coursekit.losses",
        "coursekit.metrics",
        "coursekit.models",
    }
)
LOSSES = frozenset({"cross_entropy_loss", "nll_loss_nd"})


def perplexity(losses: list[float], counts: list[int]) -> float:
    """Return the perplexity of a text from its batches' mean losses in nats and true tokens."""
    total = sum(loss * count for loss, count in zip(losses, counts, strict=True))
    return math.exp(total / sum(counts))


def masked_loss(logits: Float[Tensor, "B T V"], targets: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Return the mean loss in nats of the true targets."""
    real = targets != IGNORED
    said: Tensor = logits.log_softmax(-1)[real]
    return -said.gather(1, targets[real][:, None]).mean()


def streams(ids: Int[Tensor, "N"], rows: int) -> tuple[Int[Tensor, "B L"], Int[Tensor, "B L"]]:
    """Return the inputs and the targets of a text in ``rows`` equal rows, the odd tail left out."""
    length = (len(ids) - 1) // rows
    used = ids[: rows * length + 1]
    return used[:-1].view(rows, length), used[1:].view(rows, length)


def truncated_gradient(
    inputs: Int[Tensor, "B T"],
    targets: Int[Tensor, "B T"],
    weights: dict[str, Float[Tensor, "_ H"]],
    length: int,
) -> Float[Tensor, "H H"]:
    """Return the gradient by U of the losses' sum, summed over windows of ``length`` steps."""
    return _truncated(inputs, targets, weights, length)


def top_k(logits: Float[Tensor, "B V"], temperature: float, k: int) -> Float[Tensor, "B V"]:
    """Return the probabilities of the ``k`` likeliest tokens, zeros for the others."""
    order = logits.argsort(-1, descending=True)
    cut = logits.scatter(-1, order[:, k:], -torch.inf)
    return (cut / temperature).softmax(-1)


def top_p(p: Float[Tensor, "B V"], mass: float) -> Float[Tensor, "B V"]:
    """Return ``p`` with the fewest likeliest tokens whose sum reaches ``mass``, zeros elsewhere."""
    likely, order = p.sort(-1, descending=True)
    likely = torch.where(likely.cumsum(-1) - likely < mass, likely, 0)
    return torch.zeros_like(p).scatter(-1, order, likely / likely.sum(-1, keepdim=True))


def write(
    step: Callable[[int, Any], tuple[Float[Tensor, "V"], Any]],
    state: Any,
    prompt: list[int],
    length: int,
) -> list[int]:
    """Return ``prompt`` and ``length`` further tokens, the likeliest every time."""
    return _write(step, state, prompt, prompt, length)


@dataclass
class Reader:
    """A model whose answer depends on all that it has read; it refuses to read too much.

    The state is a number that every token mixes; its first bits choose a row of ``table``.
    """

    table: Float[Tensor, "64 V"] = field(compare=False)
    most: int = field(compare=False)
    calls: int = field(default=0, compare=False)

    def __call__(self, token: int, state: int) -> tuple[Float[Tensor, "V"], int]:
        """Return what the model says after ``token``, and the new state."""
        self.calls += 1
        if self.calls > self.most:
            raise RuntimeError(
                f"шаг вызван уже {self.calls} раз, а хватило бы одного на токен. Прочитанное "
                "хранит состояние: передавайте его дальше, а не перечитывайте текст сначала."
            )
        state = (state * 6364136223846793005 + int(token) + 1442695040888963407) % 2**64
        return self.table[state >> 58], state


def _truncated(
    inputs: Any,
    targets: Any,
    weights: Any,
    length: int,
    border: Callable[[Tensor], Tensor] = Tensor.detach,
    between: Callable[[Tensor], Tensor] = lambda h: h,
    reduction: str = "sum",
    windows: slice = slice(None),
    whole_only: bool = False,
) -> Float[Tensor, "H H"]:
    """Do what ``truncated_gradient`` does, with the mistakes that the last arguments ask for."""
    M, U, Q = (weights[name].detach().clone().requires_grad_() for name in "MUQ")
    h = M.new_zeros(len(inputs), len(U))
    losses = []
    for start in range(0, inputs.shape[1], length):
        h = border(h)
        steps = range(start, min(start + length, inputs.shape[1]))
        if whole_only and len(steps) < length:
            break
        logits = []
        for t in steps:
            h = torch.tanh(M[inputs[:, t]] + between(h) @ U.T)
            logits.append(h @ Q.T)
        wanted = targets[:, steps.start : steps.stop].flatten()
        said = torch.stack(logits, 1).flatten(0, 1)
        losses.append(F.cross_entropy(said, wanted, reduction=reduction))
    loss = torch.stack(losses)[windows].sum()
    gradient: Tensor = torch.autograd.grad(loss, U)[0]
    return gradient


def _write(step: Any, state: Any, prompt: Any, read: Any, length: int) -> list[int]:
    """Return ``prompt`` and its continuation by a model that has read ``read`` alone."""
    text = list(prompt)
    logits = None
    for token in read:
        logits, state = step(token, state)
    for _ in range(length):
        if logits is None:
            raise ValueError("модель не прочла ни одного токена, выбирать не из чего")
        text.append(int(logits.argmax()))
        logits, state = step(text[-1], state)
    return text


def _perplexity_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    losses = [1 + whole(random, 0, 9) / 10, 3 + whole(random, 0, 9) / 10, 2.05]
    yield "пакеты разного размера", (losses, [whole(random, 50, 99), 1, whole(random, 5, 20)])
    yield "пакеты одного размера", (losses, [whole(random, 2, 64)] * 3)
    yield "один пакет", (losses[1:2], [whole(random, 2, 9)])


def _masked_loss_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    rows, steps, V = whole(random, 3, 5), whole(random, 5, 7), whole(random, 8, 11)
    targets = torch.randint(0, V, (rows, steps), generator=random)
    targets[0, 2:] = targets[1, 1:] = IGNORED
    yield "строки с дополнением", (numbers(random, rows, steps, V), targets)
    yield (
        "без дополнения",
        (numbers(random, 2, 3, V), torch.randint(0, V, (2, 3), generator=random)),
    )
    targets = torch.randint(0, V, (2, steps), generator=random)
    targets[1] = IGNORED
    yield "строка из одного дополнения", (numbers(random, 2, steps, V), targets)
    yield "один токен", (numbers(random, 1, 1, V), torch.tensor([[whole(random, 0, V - 1)]]))
    logits = numbers(random, 2, 2, V)
    logits[0, 0, 0] += 2000
    yield "самоуверенная модель", (logits, torch.tensor([[1, 2], [3, 0]]))
    targets = torch.randint(0, MANY, (2, 2), generator=random)
    yield f"словарь в {MANY} слов", (numbers(random, 2, 2, MANY), targets)


def _streams_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    rows, length = whole(random, 2, 4), whole(random, 5, 8)
    for label, size, into in (
        ("ровно", rows * length + 1, rows),
        ("с лишним хвостом", rows * length + rows, rows),
        ("одна строка", whole(random, 4, 9), 1),
        ("строки по одному токену", 6, 5),
    ):
        yield (
            f"{label}: токенов {size}, строк {into}",
            (torch.randperm(size, generator=random), into),
        )


def _truncated_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows, steps, length in (
        ("три окна, последнее короче", whole(random, 2, 3), 8, 3),
        ("одна строка, два окна", 1, 6, 3),
        ("окно длиннее текста", 2, 4, 9),
        ("окна по одному шагу", 2, 4, 1),
    ):
        V, H = whole(random, 5, 7), whole(random, 3, 4)
        ids = torch.randint(0, V, (2, rows, steps), generator=random)
        M, Q, U = numbers(random, V, H), numbers(random, V, H), numbers(random, H, H)
        yield label, (*ids, {"M": M / 2, "U": U / 2, "Q": Q}, length)


def _top_k_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    rows, V = whole(random, 2, 4), whole(random, 7, 9)
    yield "τ = 1", (numbers(random, rows, V), 1.0, whole(random, 3, 5))
    for label, temperature in (("τ = 0,5", 0.5), ("τ = 2", 2.0)):
        yield label, (numbers(random, rows, V), temperature, whole(random, 3, 5))
    yield "оставлены все", (numbers(random, rows, V), 0.7, V)
    yield "k больше словаря", (numbers(random, rows, V), 1.5, V + 3)
    yield "одна строка, k = 1", (numbers(random, 1, V), 1.0, 1)
    yield "большие логиты", (numbers(random, rows, V) + 1000, 0.8, 3)
    yield f"словарь в {MANY} слов", (numbers(random, 2, MANY), 0.9, 50)


def _top_p_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    rows, V = whole(random, 2, 4), whole(random, 8, 10)
    for mass in (0.9, 0.5):
        yield f"mass = {mass}", (numbers(random, rows, V).softmax(-1), mass)
    rising = numbers(random, rows, V).sort(-1).values.softmax(-1)
    yield "вероятности по возрастанию", (rising, 0.6)
    sure = numbers(random, rows, V)
    sure[:, V // 2] += 9
    yield "уверенная модель", (sure.softmax(-1), 0.5)
    yield "одна строка", (numbers(random, 1, V).softmax(-1), 0.7)
    yield "mass = 1", (numbers(random, rows, V).softmax(-1), 1.0)
    yield f"словарь в {MANY} слов", (numbers(random, 2, MANY).softmax(-1), 0.9)


def _write_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    V = 24
    for label, known, length in (
        ("длинное начало", whole(random, 5, 9), 12),
        ("начало из одного токена", 1, 12),
        ("дописать один токен", 3, 1),
        ("ничего не дописывать", 3, 0),
    ):
        prompt = torch.randint(0, V, (known,), generator=random).tolist()
        reader = Reader(numbers(random, 64, V), most=known + length + 2)
        yield label, (reader, whole(random, 0, 1000), prompt, length)


PERPLEXITY = Task(
    "perplexity",
    perplexity,
    _perplexity_cases,
    {
        "это среднее экспонент, а нужна экспонента среднего: сложите наты и токены, поделите один "
        "раз в конце.": lambda losses, counts: sum(map(math.exp, losses)) / len(losses),
        "это среднее экспонент, хоть и взвешенное: экспоненту берут один раз, в самом конце.": (
            lambda losses, counts: (
                sum(c * math.exp(x) for x, c in zip(losses, counts, strict=True)) / sum(counts)
            )
        ),
        "пакеты разные, и средние их потери весят не поровну: умножьте каждые на число токенов.": (
            lambda losses, counts: math.exp(sum(losses) / len(losses))
        ),
        "в losses уже средние на токен: до деления на число токенов верните им сумму.": (
            lambda losses, counts: math.exp(sum(losses) / sum(counts))
        ),
        "потери в натах: экспонента, а не степень двойки.": lambda losses, counts: (
            2 ** math.log(perplexity(losses, counts))
        ),
        "это средние потери; перплексия — экспонента от них.": lambda losses, counts: math.log(
            perplexity(losses, counts)
        ),
        "знак: потери уже с минусом, −ln p, и ещё одного не нужно.": lambda losses, counts: (
            1 / perplexity(losses, counts)
        ),
    },
    FORBIDDEN,
)


def _over(logits: Any, targets: Any, dim: int) -> Any:
    real = targets != IGNORED
    return -logits.log_softmax(dim)[real].gather(1, targets[real][:, None]).mean()


def _each(logits: Any, targets: Any) -> Any:
    """Return the loss of every place, those of padding as if token 0 was meant."""
    wanted = targets.clamp(min=0).unsqueeze(-1)
    return -logits.log_softmax(-1).gather(-1, wanted).squeeze(-1)


def _row_means(logits: Any, targets: Any) -> Any:
    real = targets != IGNORED
    return ((_each(logits, targets) * real).sum(1) / real.sum(1).clamp(min=1)).mean()


MASKED_LOSS = Task(
    "masked_loss",
    masked_loss,
    _masked_loss_cases,
    {
        "сумма верна, а поделена на B · T вместе с дополнением: делите на число настоящих целей.": (
            lambda logits, targets: (
                (_each(logits, targets) * (targets != IGNORED)).sum() / targets.numel()
            )
        ),
        "в потери попало дополнение: места, где цель −100, в сумму не идут.": (
            lambda logits, targets: _each(logits, targets).mean()
        ),
        "это сумма, а нужно среднее на настоящую цель.": lambda logits, targets: (
            masked_loss(logits, targets) * (targets != IGNORED).sum()
        ),
        "softmax взят по времени: вероятности складываются в единицу по словарю, dim=-1.": (
            lambda logits, targets: _over(logits, targets, 1)
        ),
        "softmax взят по строкам пакета: вероятности складываются в единицу по словарю, dim=-1.": (
            lambda logits, targets: _over(logits, targets, 0)
        ),
        "знак: удивление −ln p положительно.": lambda logits, targets: (
            -masked_loss(logits, targets)
        ),
        "это биты, а нужны наты: логарифм натуральный.": lambda logits, targets: (
            masked_loss(logits, targets) / math.log(2)
        ),
        "это среднее от средних по строкам: короткая строка весит как длинная. Одна сумма, одно "
        "деление.": _row_means,
        "это вероятность с минусом, логарифм потерян.": lambda logits, targets: (
            -logits.softmax(-1)[targets != IGNORED]
            .gather(1, targets[targets != IGNORED][:, None])
            .mean()
        ),
        "логиты — ещё не логарифмы вероятностей: нужен log_softmax.": lambda logits, targets: (
            -logits[targets != IGNORED].gather(1, targets[targets != IGNORED][:, None]).mean()
        ),
        "вероятность округлилась до нуля, и логарифм стал бесконечным: log_softmax считает "
        "разность логитов и нуля не боится.": lambda logits, targets: (
            -logits.softmax(-1)
            .log()[targets != IGNORED]
            .gather(1, targets[targets != IGNORED][:, None])
            .mean()
        ),
    },
    FORBIDDEN | LOSSES,
    operations=MANY // 2,
)


def _change_streams(change: Any) -> Any:
    return lambda ids, rows: change(*streams(ids, rows))


STREAMS = Task(
    "streams",
    streams,
    _streams_cases,
    {
        "последняя цель строки взята из её же начала: так сдвигает по кругу torch.roll. Следующий "
        "символ лежит в следующей строке.": _change_streams(lambda x, y: (x, x.roll(-1, 1))),
        "цели совпали с входами: сдвиньте их на один токен вперёд.": _change_streams(
            lambda x, y: (x, x)
        ),
        "цели и входы перепутаны: цель — токен, который идёт следом.": _change_streams(
            lambda x, y: (y, x)
        ),
        "текст лёг по столбцам: соседние токены должны стоять в одной строке. Вместо "
        "транспонирования — view(rows, -1).": lambda ids, rows: tuple(
            part.reshape(-1).view(len(part[0]), rows).T for part in streams(ids, rows)
        ),
        "отброшено начало текста, а нужно отбросить хвост.": lambda ids, rows: streams(
            ids[(len(ids) - 1) % rows :], rows
        ),
    },
    FORBIDDEN,
)


def _change(**changes: Any) -> Callable[..., Any]:
    return lambda *given: _truncated(*given, **changes)


TRUNCATED_GRADIENT = Task(
    "truncated_gradient",
    truncated_gradient,
    _truncated_cases,
    {
        "градиент прошёл через границу окна: состояние не отрезано. В начале окна нужно "
        "h = h.detach().": _change(border=lambda h: h),
        "каждое окно начато с нулей: границу проходит состояние, не проходит только градиент.": _change(
            border=torch.zeros_like
        ),
        "состояние отрезано на каждом шаге: внутри окна градиент идёт свободно.": _change(
            between=Tensor.detach
        ),
        "остался градиент одного последнего окна: между окнами его складывают.": _change(
            windows=slice(-1, None)
        ),
        "остался градиент одного первого окна: пройдите все.": _change(windows=slice(0, 1)),
        'потери окна складывают, а у вас среднее: reduction="sum".': _change(reduction="mean"),
        "последнее окно короче прочих, но и оно считается.": _change(whole_only=True),
        "матрица U транспонирована: h @ U.T, как в nn.RNN.": lambda x, y, w, length: (
            _truncated(x, y, w | {"U": w["U"].T}, length).T
        ),
    },
    FORBIDDEN | {"torch.nn.modules.rnn"},
)


def _cut(logits: Any, k: int, fill: float) -> Any:
    return logits.scatter(-1, logits.argsort(-1, descending=True)[:, k:], fill)


def _by_exponents(logits: Any, t: float, k: int) -> Any:
    weights = torch.where(_cut(logits, k, -torch.inf) == logits, (logits / t).exp(), 0)
    return weights / weights.sum(-1, keepdim=True)


TOP_K = Task(
    "top_k",
    top_k,
    _top_k_cases,
    {
        "из k лучших выбор поровну: обрезка обязана сохранить пропорции.": lambda logits, t, k: (
            _cut(logits.softmax(-1), k, 0).bool().to(logits)
            / _cut(logits.softmax(-1), k, 0).bool().sum(-1, keepdim=True)
        ),
        "сумма вероятностей меньше единицы: разделите оставшееся заново.": lambda logits, t, k: (
            _cut((logits / t).softmax(-1), k, 0)
        ),
        "обрезанным логитам поставлен 0, а e⁰ = 1: нужна −∞.": lambda logits, t, k: (
            _cut(logits, k, 0.0) / t
        ).softmax(-1),
        "на температуру логиты делят: τ < 1 делает выбор смелее в пользу лучших.": (
            lambda logits, t, k: top_k(logits, 1 / t, k)
        ),
        "температура не участвует: логиты делят на τ.": lambda logits, t, k: top_k(logits, 1.0, k),
        "на τ делят логиты, до softmax; вероятности делить поздно.": lambda logits, t, k: (
            top_k(logits, 1.0, k) / t
        ),
        "оставлены наименее вероятные: сортируйте по убыванию.": lambda logits, t, k: (
            logits.scatter(-1, logits.argsort(-1)[:, k:], -torch.inf) / t
        ).softmax(-1),
        "softmax взят по строкам пакета: вероятности складываются в единицу по словарю, dim=-1.": (
            lambda logits, t, k: (_cut(logits, k, -torch.inf) / t).softmax(0)
        ),
        "softmax взят дважды.": lambda logits, t, k: top_k(logits.softmax(-1), t, k),
        "экспонента больших логитов — бесконечность, ∞ / ∞ — NaN: softmax сперва вычитает "
        "наибольший.": lambda logits, t, k: _by_exponents(logits, t, k),
    },
    FORBIDDEN,
    operations=MANY // 2,
)


def _sorted_cut(p: Any, mass: float, keep: Any) -> Any:
    likely, order = p.sort(-1, descending=True)
    return torch.where(keep(likely.cumsum(-1), likely), likely, 0), order


def _back(kept: Any, order: Any) -> Any:
    return torch.zeros_like(kept).scatter(-1, order, kept / kept.sum(-1, keepdim=True))


TOP_P = Task(
    "top_p",
    top_p,
    _top_p_cases,
    {
        "потерян токен, на котором сумма достигла mass: он остаётся. Смотрите на сумму до него.": (
            lambda p, mass: _back(*_sorted_cut(p, mass, lambda total, one: total <= mass))
        ),
        "сумма вероятностей меньше единицы: разделите оставшееся заново.": lambda p, mass: (
            torch.where(top_p(p, mass) > 0, p, 0)
        ),
        "сумма накоплена в порядке номеров: сначала отсортируйте по убыванию.": lambda p, mass: (
            _back(
                torch.where(p.cumsum(-1) - p < mass, p, 0), torch.arange(p.shape[-1]).expand_as(p)
            )
        ),
        "вероятности остались отсортированными: верните каждую своему токену, scatter.": (
            lambda p, mass: top_p(p, mass).sort(-1, descending=True).values
        ),
        "сортировка по возрастанию: накопились самые невероятные.": lambda p, mass: _back(
            torch.where(
                p.sort(-1).values.cumsum(-1) - p.sort(-1).values < mass, p.sort(-1).values, 0
            ),
            p.argsort(-1),
        ),
        "mass сравнивают с накопленной суммой, а не с вероятностью одного токена.": (
            lambda p, mass: _back(
                torch.where(p >= mass, p, 0), torch.arange(p.shape[-1]).expand_as(p)
            )
        ),
        "из оставшихся выбор поровну: обрезка обязана сохранить пропорции.": lambda p, mass: (
            (top_p(p, mass) > 0).to(p) / (top_p(p, mass) > 0).sum(-1, keepdim=True)
        ),
        "оставлен лишний токен: сумма достигла mass уже без него.": lambda p, mass: _back(
            *_sorted_cut(
                p,
                mass,
                lambda total, one: torch.cat(
                    [torch.ones_like(one[:, :1]).bool(), (total - one < mass)[:, :-1]], -1
                ),
            )
        ),
    },
    FORBIDDEN,
    operations=MANY // 2,
)


def _write_forgetting(step: Any, state: Any, prompt: Any, length: int) -> list[int]:
    text = list(prompt)
    for token in text[:-1]:
        state = step(token, state)[1]
    for _ in range(length):
        text.append(int(step(text[-1], state)[0].argmax()))
    return text


def _write_twice(step: Any, state: Any, prompt: Any, length: int) -> list[int]:
    text = list(prompt)
    for token in text:
        state = step(token, state)[1]
    for _ in range(length):
        logits, state = step(text[-1], state)
        text.append(int(logits.argmax()))
    return text


def _negative(logits: Any, state: Any) -> Any:
    return -logits, state


WRITE = Task(
    "write",
    write,
    _write_cases,
    {
        "модель прочла только последний токен начала: прогрейте её всем началом.": (
            lambda step, state, prompt, length: _write(step, state, prompt, prompt[-1:], length)
        ),
        "модель прочла только первый токен начала: прогрейте её всем началом.": (
            lambda step, state, prompt, length: _write(step, state, prompt, prompt[:1], length)
        ),
        "последний токен начала прочитан дважды: первый новый токен дают логиты, которые вернулись "
        "вместе с ним.": _write_twice,
        "последний токен начала не прочитан.": lambda step, state, prompt, length: _write(
            step, state, prompt, prompt[:-1], length
        ),
        "начало прочитано задом наперёд.": lambda step, state, prompt, length: _write(
            step, state, prompt, prompt[::-1], length
        ),
        "при дописывании состояние не обновляется: шаг возвращает новое, передайте его дальше.": (
            _write_forgetting
        ),
        "взят самый невероятный токен.": lambda step, state, prompt, length: _write(
            lambda token, before: _negative(*step(token, before)), state, prompt, prompt, length
        ),
    },
    FORBIDDEN,
)

TASKS = (PERPLEXITY, MASKED_LOSS, STREAMS, TRUNCATED_GRADIENT, TOP_K, TOP_P, WRITE)


@cache
def _pairs(rubric: str) -> tuple[list[str], Counter[tuple[str, str]]]:
    """Return the alphabet of a rubric's works to learn from, and how often each pair stands there."""
    works = [work for work in datasets.load_zarechinsk() if work.rubric == rubric]
    texts = [work.text for work in works if work.split == "train"]
    pairs = Counter(pair for text in texts for pair in pairwise(text))
    return sorted(set("".join(texts))), pairs


def mine(rubric: str, saying: str, tau: float) -> Task:
    """Return the task: the perplexity of ``saying`` by the pairs of ``rubric``, at ``tau``."""
    alphabet, pairs = _pairs(rubric)

    @cache
    def losses(tau: float = tau) -> list[float]:
        """What each character but the first costs, in nats."""
        rows = [[1.0 + pairs[a, b] for b in alphabet] for a in saying[:-1]]
        said = top_k(torch.tensor(rows, dtype=torch.float64).log(), tau, len(alphabet))
        places = [alphabet.index(char) for char in saying[1:]]
        return [-math.log(p[place]) for p, place in zip(said, places, strict=True)]

    def answer(tau: float = tau) -> float:
        return math.exp(sum(losses(tau)) / (len(saying) - 1))

    return Task(
        "mine",
        lambda: answer(),
        once,
        {
            "логиты не поделены на tau.": lambda: answer(1.0),
            "на tau делят, а у вас умножено.": lambda: answer(1 / tau),
            "первый символ предсказать не из чего: слагаемых на одно меньше, чем символов.": lambda: (
                math.exp(sum(losses()) / len(saying))
            ),
            "это среднее 1 / p, а нужна экспонента среднего −ln p.": lambda: (
                sum(map(math.exp, losses())) / len(losses())
            ),
        },
        FORBIDDEN,
        differentiable=False,
    )


MINE = Variant(
    constants={
        "rubric": tuple(datasets.RUBRICS.values()),
        "saying": (
            "вера львовна вскипятила самовар",
            "паром ушёл на ту сторону",
            "кот поймал рыбу",
            "снег лежит на крыше",
            "хлеб пекут до рассвета",
            "река встала в ноябре",
            "письмо идёт три недели",
            "ветер переменился к утру",
        ),
        "tau": (0.7, 0.5, 0.8, 1.25, 1.5, 2.0),
    },
    task=mine,
    questions={
        """\
Из отчёта: «Наша посимвольная модель показала перплексию 5,9, а пословная у коллег 160: наша лучше в 27 раз.
Для проверки мы отложили случайные строки тех же рассказов. Состояние обнуляли через каждые 64 символа,
перплексию усредняли по пакетам».

Здесь четыре ошибки. Назовите их, скажите о каждой, завысила она наше число, занизила или сделала его
несравнимым, и опишите честное сравнение. Шесть — десять предложений.""": (
            "1 — разные токены, верный пересчёт в биты на символ (знак вывода меняется); "
            "1 — утечка через соседние строки, число занижено; "
            "1 — обнуление и среднее экспонент, оба завышают; "
            "1 — честное сравнение: общий текст из целых произведений, сумма натов, деление на "
            "символы (за `<unk>` и пробелы баллы не снимаются)."
        ),
        """\
Модель пишет отзывы. Коллега выбрал $\\tau = 0{,}3$: «Перплексия написанного, если посчитать её той же моделью, при такой
температуре самая низкая, значит, и текст лучший». Потом он включил top-k с $k = 5$, посчитал с ним перплексию
настоящих отзывов и получил бесконечность: «Программа сломалась». Что на самом деле измерило первое число? Откуда
бесконечность и права ли программа? При какой температуре меряют перплексию и почему? Чем бы вы выбирали
$\\tau$ и $k$? Шесть — десять предложений.""": (
            "1 — перплексия собственного текста мерит лишь уверенность: ниже всего она у повторов по "
            "кругу; "
            "1 — обрезка даёт настоящему символу вероятность ноль, −ln 0 — бесконечность, программа "
            "права; "
            "1 — перплексию меряют на чужом тексте при τ = 1 и без обрезки: иначе это другая модель; "
            "1 — выбирать по написанному: доля повторов и слов, которых нет, оценки вслепую, по "
            "нескольким зёрнам."
        ),
        """\
Студент построил таблицу: после каждых пяти символов — сколько раз какой стоял шестым. На обучающем тексте перплексия
2,6, на проверочном — бесконечность. Он прибавил ко всем счётчикам единицу и получил 27, а с таблицей пар (один символ
и следующий) — 14. Вывод: «Длинный контекст вреден, одного символа довольно». Объясните все
четыре числа. Почему вывод не следует? Какой опыт сравнил бы длины контекста честно? Шесть — десять
предложений.""": (
            "1 — 2,6: таблица помнит свой текст, после пяти символов выбора почти нет; "
            "1 — бесконечность: хватило одной незнакомой шестёрки, её вероятность — ноль; "
            "1 — 27: контекст встретился раз-другой, а единиц роздано по числу символов, почти вся "
            "вероятность ушла небывалому; у пар счётчики велики, потому 14; "
            "1 — вывод о сглаживании, а не о контексте; опыт: откат к коротким контекстам (Кнезер — "
            "Ней), разные длины, один незнакомый текст."
        ),
    },
)
