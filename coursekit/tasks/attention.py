"""The assignment «Внимание»: scores, masks, a decoder's step and what it looks at (chapter 9).

B rows, U queries, T places to look at, H numbers in a query or a key, V in a value. A mask is
[B, T], ``True`` at real tokens.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from coursekit.checks import Task
from coursekit.tasks.lstm import numbers, once, spelt, whole
from coursekit.variants import Variant

FORBIDDEN = frozenset(
    {
        "coursekit.attention",
        "coursekit.seq2seq",
        "scaled_dot_product_attention",
        "_scaled_dot_product_attention_math",
    }
)

Mask = Bool[Tensor, "B T"]
Scores = Float[Tensor, "B U T"]


def scores(q: Float[Tensor, "B U H"], k: Float[Tensor, "B T H"]) -> Scores:
    """Return q·k / √H of every query against every key of its row."""
    return q @ k.mT / math.sqrt(q.shape[-1])


def additive(
    q: Float[Tensor, "B U Hq"],
    k: Float[Tensor, "B T Hk"],
    Wq: Float[Tensor, "H Hq"],
    Wk: Float[Tensor, "H Hk"],
    w: Float[Tensor, "H"],
) -> Scores:
    """Return w·tanh(Wq q + Wk k) of every query against every key of its row."""
    return torch.tanh(_sums(q, k, Wq, Wk)) @ w


def weights(r: Scores, mask: Mask) -> Scores:
    """Return softmax of ``r`` over T; places where ``mask`` is ``False`` weigh nothing."""
    return _weights(r, mask)


def attend(
    q: Float[Tensor, "B U H"],
    k: Float[Tensor, "B T H"],
    v: Float[Tensor, "B T V"],
    mask: Mask,
) -> tuple[Float[Tensor, "B U V"], Scores]:
    """Return the context of every query and its weights."""
    alpha = weights(scores(q, k), mask)
    return alpha @ v, alpha


def decode(
    s: Float[Tensor, "B H"],
    h: Float[Tensor, "B T H2"],
    mask: Mask,
    B: Float[Tensor, "H H2"],
    b: Float[Tensor, "H"],
    A: Float[Tensor, "E 2*H"],
    a: Float[Tensor, "E"],
) -> Float[Tensor, "B E"]:
    """Return tanh(A [s; c] + a), where c is what a decoder in the state ``s`` sees in ``h``."""
    return _decode(
        s, h, mask, B, b, A, a, lambda s, c, A, a: torch.tanh(torch.cat([s, c], -1) @ A.T + a)
    )


def shift(y: Int[Tensor, "B U"], bos: int) -> Int[Tensor, "B U"]:
    """Return what a decoder reads to write ``y``: ``bos``, then all but the last."""
    return torch.cat([torch.full_like(y[:, :1], bos), y[:, :-1]], dim=1)


def spread(alpha: Float[Tensor, "T"]) -> float:
    """Return exp of the entropy of ``alpha``: over how many places it is spread."""
    return math.exp(_entropy(alpha))


def _sums(q: Any, k: Any, Wq: Any, Wk: Any) -> Any:
    return (q @ Wq.T)[:, :, None] + (k @ Wk.T)[:, None]


def _weights(r: Tensor, mask: Tensor, filler: float = -math.inf, dim: int = -1) -> Tensor:
    return r.masked_fill(~mask[:, None], filler).softmax(dim)


def _decode(
    s: Any, h: Any, mask: Any, B: Any, b: Any, A: Any, a: Any, last: Callable[..., Tensor]
) -> Tensor:
    v = h @ B.T + b
    c, _ = attend(s[:, None], v, v, mask)
    return last(s, c[:, 0], A, a)


def _entropy(alpha: Any) -> float:
    return -math.fsum(p * math.log(p) for p in alpha.tolist() if p > 0)


def _mask(random: torch.Generator, rows: int, steps: int) -> Mask:
    """Return a mask of different lengths from 1; the last row is full, the first is not."""
    lengths = torch.randint(1, steps + 1, (rows,), generator=random)
    lengths[0], lengths[-1] = (steps + 1) // 2, steps
    return torch.arange(steps) < lengths[:, None]


def _scores_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows, queries, steps, size in (
        ("пакет", whole(random, 2, 3), 2, whole(random, 3, 4), whole(random, 6, 8)),
        ("запросов столько же, сколько мест", 2, 3, 3, whole(random, 5, 7)),
        ("один запрос, одно место", 1, 1, 1, whole(random, 2, 4)),
        ("H = 1", 2, 3, 4, 1),
    ):
        yield label, (numbers(random, rows, queries, size), numbers(random, rows, steps, size))


def _additive_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows, queries, steps, Hq, Hk, H in (
        ("размеры запроса и ключа равны", 2, 3, whole(random, 4, 5), 4, 4, whole(random, 5, 6)),
        ("размеры запроса и ключа разные", 3, 2, 4, whole(random, 2, 3), 5, 4),
        ("запросов столько же, сколько мест", 2, 3, 3, 2, 3, 4),
        ("один запрос, одно место", 1, 1, 1, 2, 3, whole(random, 2, 4)),
    ):
        q, k = numbers(random, rows, queries, Hq), numbers(random, rows, steps, Hk)
        yield label, (q, k, numbers(random, H, Hq), numbers(random, H, Hk), numbers(random, H))


def _weights_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows, queries, steps in (
        ("пакет", 3, 2, whole(random, 4, 6)),
        ("запросов столько же, сколько мест", 2, 4, 4),
        ("запросов столько же, сколько строк", 3, 3, 5),
        ("один запрос", 2, 1, whole(random, 3, 5)),
    ):
        yield label, (numbers(random, rows, queries, steps), _mask(random, rows, steps))
    yield "дополнения нет", (numbers(random, 2, 3, 4), torch.ones(2, 4, dtype=torch.bool))
    yield "одно место", (numbers(random, 2, 3, 1), torch.ones(2, 1, dtype=torch.bool))
    # Far below −100, and the distances are those of small numbers: gradients do not vanish.
    r = numbers(random, 2, 3, 4)
    yield "оценки около −2000", (r - 2000, _mask(random, 2, 4))
    yield "оценки около 2000", (r + 2000, _mask(random, 2, 4))


def _attend_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows, queries, steps, H, V in (
        ("ключ и значение равной ширины", 3, 2, whole(random, 6, 7), 5, 5),
        ("ключ и значение разной ширины", 2, 3, 4, whole(random, 2, 4), 5),
        ("запросов столько же, сколько мест", 2, 3, 3, 4, 2),
        ("один запрос, одна строка", 1, 1, whole(random, 3, 5), 4, 3),
    ):
        q, k = numbers(random, rows, queries, H), numbers(random, rows, steps, H)
        yield label, (q, k, numbers(random, rows, steps, V), _mask(random, rows, steps))
    one = torch.ones(2, 1, dtype=torch.bool)
    yield (
        "одно место",
        (numbers(random, 2, 2, 3), numbers(random, 2, 1, 3), numbers(random, 2, 1, 4), one),
    )


def _decode_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows, steps in (
        ("пакет", 3, whole(random, 4, 6)),
        ("строк столько же, сколько мест", 4, 4),
        ("одна строка", 1, whole(random, 3, 5)),
        ("одно место", 2, 1),
    ):
        H, E = whole(random, 3, 5), whole(random, 2, 6)
        mask = _mask(random, rows, steps)
        if steps == 1:
            mask = torch.ones_like(mask)
        s, h = numbers(random, rows, H), numbers(random, rows, steps, 2 * H)
        last = numbers(random, E, 2 * H) / 3, numbers(random, E)
        yield label, (s, h, mask, numbers(random, H, 2 * H), numbers(random, H), *last)


def _shift_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows, steps in (
        ("пакет", whole(random, 2, 3), whole(random, 4, 6)),
        ("строк столько же, сколько шагов", 4, 4),
        ("одна строка", 1, 5),
        ("один шаг", 3, 1),
    ):
        *y, bos = (4 + torch.randperm(rows * steps + 1, generator=random)).tolist()
        yield label, (torch.tensor(y).view(rows, steps), bos)


def _spread_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    steps = whole(random, 4, 7)
    alpha = (torch.arange(steps) / 4 + numbers(random, steps) / 20).softmax(0)
    yield "разные веса", (alpha,)
    yield "есть нулевые веса", (torch.cat([alpha, torch.zeros_like(alpha)]),)
    yield "поровну", (torch.full((steps,), 1 / steps, dtype=torch.float64),)
    yield "всё в одном месте", (torch.eye(steps, dtype=torch.float64)[whole(random, 0, steps - 1)],)


SCORES = Task(
    "scores",
    scores,
    _scores_cases,
    {
        "потерян корень в знаменателе: q·k / √H.": lambda q, k: q @ k.mT,
        "в знаменателе √H, а не H.": lambda q, k: q @ k.mT / q.shape[-1],
        "под корнем H, размер ключа, а у вас число мест T.": lambda q, k: (
            q @ k.mT / math.sqrt(k.shape[1])
        ),
        "под корнем H, размер запроса, а у вас число запросов U.": lambda q, k: (
            q @ k.mT / math.sqrt(q.shape[1])
        ),
        "на корень делят, а не умножают.": lambda q, k: q @ k.mT * math.sqrt(q.shape[-1]),
        "это косинусы: длины запросов и ключей не нужны, только √H.": lambda q, k: (
            q @ k.mT / (q.norm(dim=-1)[:, :, None] * k.norm(dim=-1)[:, None])
        ),
        "нужны оценки, softmax берут потом.": lambda q, k: scores(q, k).softmax(-1),
    },
    FORBIDDEN,
)

ADDITIVE = Task(
    "additive",
    additive,
    _additive_cases,
    {
        "потерян tanh: без него скрытого слоя нет, одна линейная функция.": lambda q, k, Wq, Wk, w: (
            _sums(q, k, Wq, Wk) @ w
        ),
        "вместо tanh взята сигмоида.": lambda q, k, Wq, Wk, w: (
            torch.sigmoid(_sums(q, k, Wq, Wk)) @ w
        ),
        "вместо tanh взят relu.": lambda q, k, Wq, Wk, w: torch.relu(_sums(q, k, Wq, Wk)) @ w,
        "tanh берут до умножения на w, а не после.": lambda q, k, Wq, Wk, w: torch.tanh(
            _sums(q, k, Wq, Wk) @ w
        ),
        "tanh взят от запроса и ключа порознь, а нужен от суммы.": lambda q, k, Wq, Wk, w: (
            (torch.tanh((q @ Wq.T)[:, :, None]) + torch.tanh((k @ Wk.T)[:, None])) @ w
        ),
        "запрос и ключ складывают; перемножают их мультипликативные оценки.": lambda q, k, Wq, Wk, w: (
            torch.tanh((q @ Wq.T)[:, :, None] * (k @ Wk.T)[:, None]) @ w
        ),
        "забыт вектор w: координаты скрытого слоя просто сложены.": lambda q, k, Wq, Wk, w: (
            torch.tanh(_sums(q, k, Wq, Wk)).sum(-1)
        ),
        "матрицы перепутаны: Wq — для запросов, Wk — для ключей.": lambda q, k, Wq, Wk, w: additive(
            q, k, Wk, Wq, w
        ),
        "корень из H нужен скалярному произведению, аддитивной оценке он ни к чему.": lambda q, k, Wq, Wk, w: (
            additive(q, k, Wq, Wk, w) / math.sqrt(len(w))
        ),
    },
    FORBIDDEN,
)

WEIGHTS = Task(
    "weights",
    weights,
    _weights_cases,
    {
        "softmax взят по запросам, а сумма весов по местам T должна быть 1: dim=-1.": lambda r, mask: (
            _weights(r, mask, dim=1)
        ),
        "softmax взят по запросам и без маски. Нужны dim=-1 и −∞ на месте дополнения.": lambda r, mask: (
            r.softmax(1)
        ),
        "softmax взят по строкам пакета, а нужен по местам: dim=-1.": lambda r, mask: _weights(
            r, mask, dim=0
        ),
        "маска забыта: дополнение получило свою долю веса.": lambda r, mask: r.softmax(-1),
        "маска поставлена после softmax: сумма весов меньше 1. Ставьте −∞ до него.": lambda r, mask: (
            r.softmax(-1) * mask[:, None]
        ),
        "маска перевёрнута: True — настоящий токен, закрывать надо False.": lambda r, mask: (
            _weights(r, ~mask)
        ),
        "вместо −∞ стоит число, а оценки бывают и меньше него.": lambda r, mask: _weights(
            r, mask, -1000.0
        ),
        "ноль до softmax не закрывает места: e⁰ = 1. Нужна −∞.": lambda r, mask: _weights(
            r, mask, 0.0
        ),
        "экспоненты не поделены на свою сумму.": lambda r, mask: r.masked_fill(
            ~mask[:, None], -math.inf
        ).exp(),
        "exp большого числа — бесконечность, а очень малого — ноль. Вычтите из оценок наибольшую или возьмите готовый softmax.": lambda r, mask: (
            r.exp() * mask[:, None] / (r.exp() * mask[:, None]).sum(-1, keepdim=True)
        ),
        "сумма взята по всему тензору, а веса каждого запроса в сумме дают 1.": lambda r, mask: (
            _weights(r, mask) / (r.shape[0] * r.shape[1])
        ),
        "это жёсткий выбор: у наибольшего вес 1. Нужен softmax.": lambda r, mask: (
            torch.nn.functional.one_hot(
                r.masked_fill(~mask[:, None], -math.inf).argmax(-1), r.shape[-1]
            ).to(r)
        ),
    },
    FORBIDDEN,
)


def _mix(q: Any, k: Any, v: Any, mask: Any, alpha: Any) -> Any:
    return alpha @ v, alpha


ATTEND = Task(
    "attend",
    attend,
    _attend_cases,
    {
        "смешаны ключи, а нужны значения v.": lambda q, k, v, mask: (
            attend(q, k, k, mask)[0],
            attend(q, k, v, mask)[1],
        ),
        "потерян корень: оценка — q·k / √H.": lambda q, k, v, mask: _mix(
            q, k, v, mask, weights(q @ k.mT, mask)
        ),
        "маска забыта.": lambda q, k, v, mask: _mix(q, k, v, mask, scores(q, k).softmax(-1)),
        "маска обнулила значения, а веса у дополнения остались.": lambda q, k, v, mask: (
            scores(q, k).softmax(-1) @ (v * mask[:, :, None]),
            scores(q, k).softmax(-1),
        ),
        "маска поставлена после softmax: сумма весов меньше 1.": lambda q, k, v, mask: _mix(
            q, k, v, mask, scores(q, k).softmax(-1) * mask[:, None]
        ),
        "смешано оценками: softmax забыт.": lambda q, k, v, mask: _mix(
            q, k, v, mask, scores(q, k) * mask[:, None]
        ),
        "контекст — простое среднее значений, а нужна сумма с весами.": lambda q, k, v, mask: (
            (v.mean(1, keepdim=True) + 0 * q[:, :, :1]),
            attend(q, k, v, mask)[1],
        ),
        "смотрят по ключам k, а у вас по значениям.": lambda q, k, v, mask: attend(q, v, v, mask),
        "сумма делится на число мест, а веса и так в сумме дают 1.": lambda q, k, v, mask: (
            attend(q, k, v, mask)[0] / k.shape[1],
            attend(q, k, v, mask)[1],
        ),
    },
    FORBIDDEN,
)

DECODE = Task(
    "decode",
    decode,
    _decode_cases,
    {
        "склейка — [s; c], сначала состояние; у вас [c; s].": lambda s, h, mask, B, b, A, a: (
            _decode(
                s,
                h,
                mask,
                B,
                b,
                A,
                a,
                lambda s, c, A, a: torch.tanh(torch.cat([c, s], -1) @ A.T + a),
            )
        ),
        "потерян tanh.": lambda s, h, mask, B, b, A, a: _decode(
            s, h, mask, B, b, A, a, lambda s, c, A, a: torch.cat([s, c], -1) @ A.T + a
        ),
        "потерян сдвиг b: значение — B h + b.": lambda s, h, mask, B, b, A, a: decode(
            s, h, mask, B, b * 0, A, a
        ),
        "потерян сдвиг a.": lambda s, h, mask, B, b, A, a: decode(s, h, mask, B, b, A, a * 0),
        "маска забыта: декодировщик смотрит и на дополнение.": lambda s, h, mask, B, b, A, a: (
            decode(s, h, torch.ones_like(mask), B, b, A, a)
        ),
        "потерян корень: оценка — s·k / √H.": lambda s, h, mask, B, b, A, a: _decode(
            s,
            h,
            mask,
            B,
            b,
            A,
            a,
            lambda _, __, A, a: torch.tanh(
                torch.cat(
                    [
                        s,
                        attend(s[:, None] * math.sqrt(len(b)), h @ B.T + b, h @ B.T + b, mask)[0][
                            :, 0
                        ],
                    ],
                    -1,
                )
                @ A.T
                + a
            ),
        ),
        "вместо контекста взято значение последнего места.": lambda s, h, mask, B, b, A, a: (
            torch.tanh(torch.cat([s, h[:, -1] @ B.T + b], -1) @ A.T + a)
        ),
        "вместо контекста взято среднее значений.": lambda s, h, mask, B, b, A, a: torch.tanh(
            torch.cat([s, (h @ B.T + b).mean(1)], -1) @ A.T + a
        ),
        "состояние s прибавлено к контексту, а его склеивают: [s; c].": lambda s, h, mask, B, b, A, a: (
            _decode(
                s,
                h,
                mask,
                B,
                b,
                A,
                a,
                lambda s, c, A, a: torch.tanh(torch.cat([s + c, s + c], -1) @ A.T + a),
            )
        ),
    },
    FORBIDDEN,
)

SHIFT = Task(
    "shift",
    shift,
    _shift_cases,
    {
        "сдвига нет: декодировщик прочтёт тот самый символ, который должен написать.": lambda y, bos: (
            y
        ),
        "сдвиг в другую сторону: на шаге u читают прошлый символ, а не следующий.": lambda y, bos: (
            torch.cat([y[:, 1:], torch.full_like(y[:, :1], bos)], dim=1)
        ),
        "torch.roll переносит последний символ в начало, а там должен стоять bos.": lambda y, bos: (
            y.roll(1, 1)
        ),
        "bos записан поверх первого символа, а сдвига нет.": lambda y, bos: torch.cat(
            [torch.full_like(y[:, :1], bos), y[:, 1:]], dim=1
        ),
        "сдвинуты строки пакета, а не шаги: время — вторая ось.": lambda y, bos: torch.cat(
            [torch.full_like(y[:1], bos), y[:-1]]
        ),
        "bos только в первой строке, а он нужен в начале каждой.": lambda y, bos: torch.cat(
            [y.new_tensor([bos]), y.flatten()[:-1]]
        ).view_as(y),
    },
    FORBIDDEN,
)

SPREAD = Task(
    "spread",
    spread,
    _spread_cases,
    {
        "это энтропия, а нужна экспонента от неё.": _entropy,
        "это энтропия в битах. Логарифм натуральный, а ответ — экспонента.": lambda alpha: (
            _entropy(alpha) / math.log(2)
        ),
        "потерян минус: энтропия — это −Σ α ln α.": lambda alpha: math.exp(-_entropy(alpha)),
        "логарифм и степень разных оснований: к ln нужна exp, к log₂ — степень двойки.": lambda alpha: (
            2 ** _entropy(alpha)
        ),
        "логарифм двоичный, а экспонента — натуральная.": lambda alpha: math.exp(
            _entropy(alpha) / math.log(2)
        ),
        "произведение 0 · ln 0 — это nan. Нулевые веса в сумму не входят.": lambda alpha: (
            (-(alpha * alpha.log()).sum()).exp().item()
        ),
        "это число ненулевых весов, а малый вес — не то же, что большой.": lambda alpha: float(
            (alpha > 0).sum()
        ),
        "это единица, делённая на наибольший вес. Нужна экспонента энтропии.": lambda alpha: (
            1 / max(alpha.tolist())
        ),
        "это 1 / Σ α², тоже мера разброса, но другая. Нужна экспонента энтропии.": lambda alpha: (
            1 / sum(p * p for p in alpha.tolist())
        ),
        "энтропию взяли средней, а нужна сумма по местам.": lambda alpha: math.exp(
            _entropy(alpha) / len(alpha)
        ),
    },
    FORBIDDEN,
    differentiable=False,
)

TASKS = (SCORES, ADDITIVE, WEIGHTS, ATTEND, DECODE, SHIFT, SPREAD)


def mine(phrase: str, seed: int, size: int) -> Task:
    """Return the task: at how many places a letter of ``phrase`` looks in it, on average."""
    letters, random = spelt(phrase), torch.Generator().manual_seed(seed)
    M = numbers(random, letters.shape[1], size)

    def alpha(keys: Any, root: float = 1.0) -> Any:
        """The weights of each place of the phrase over ``keys``."""
        everywhere = torch.ones(1, len(keys), dtype=torch.bool)
        return weights(root * scores((letters @ M)[None], keys[None]), everywhere)[0]

    def mean(values: Any) -> float:
        return math.fsum(values) / len(phrase)

    return Task(
        "mine",
        lambda: mean(map(spread, alpha(letters @ M))),
        once,
        {
            "потерян корень: оценка — q·k / √H.": lambda: mean(
                map(spread, alpha(letters @ M, math.sqrt(size)))
            ),
            "места, а не буквы: одинаковые буквы стоят на разных местах, и в сумму входит каждое.": lambda: (
                mean(map(spread, alpha(M)))
            ),
            "сперва ширина взгляда каждого места, потом среднее; у вас усреднены веса.": lambda: (
                spread(alpha(letters @ M).mean(0))
            ),
            "усреднена энтропия, а нужны её экспоненты.": lambda: math.exp(
                mean(map(_entropy, alpha(letters @ M)))
            ),
        },
        FORBIDDEN,
        differentiable=False,
    )


MINE = Variant(
    constants={
        "phrase": (
            "кот на крыше",
            "снег на мосту",
            "рыба ждала кота",
            "мельница молчит",
            "паром стоит у пристани",
            "вера ставит самовар",
            "в саду пахнет яблоками",
            "почта приходит по средам",
        ),
        "seed": tuple(range(1, 11)),
        "size": (8, 4, 6, 12, 16, 24),
    },
    task=mine,
    questions={
        """\
Классификатор отзывов с вниманием ошибся, и коллега показывает карту: больше всего веса у слова «не».
«Вот и причина, — говорит он, — сеть решила всё по отрицанию». Почему карта этого не доказывает? Какими
двумя опытами проверить его догадку, и какой исход каждого её опровергнет? Пять — восемь предложений.""": (
            "1 — вес места не равен весу слова (соседи в h_t) или мал по сравнению с 1/T; "
            "1 — опыт с подменой весов и исход, который опровергает; "
            "1 — опыт со стиранием слова, и есть с чем сравнить; "
            "1 — сказано, что одного примера мало, или названа разница между «сеть смотрит» и «ответ "
            "изменится»."
        ),
        """\
В сети с вниманием забыли маску. Учили и проверяли её пакетами из строк почти равной длины: верно 95 % ответов. В работе
запросы приходили по одному: 96 %. Потом их стали собирать в пакеты как попало, и вышел 81 %. «Переобучение», — решил
коллега. Почему три числа такие? Почему это не переобучение и каким тестом на двух строках это показать? Надо
ли обучать сеть заново или довольно включить маску? Какой исход опроверг бы ваше объяснение? Пять — восемь
предложений.""": (
            "1 — без маски часть веса уходит на дополнение, и тем больше, чем шире пакет; "
            "1 — у строк по одной и у строк равной длины дополнения почти нет, и беды не видно; "
            "1 — не переобучение: одна и та же строка отвечает по-разному с разными соседями, это и есть "
            "тест; "
            "1 — учили почти без дополнения, поэтому маску можно включить сразу; если не станет около "
            "95 %, причина не одна."
        ),
        """\
Размер запросов и ключей увеличили с 64 до 1024, а корень из знаменателя убрали: «лишнее деление». Обучение встало. Карта
внимания при этом яркая с первого шага, весь вес на одном месте в каждой строке, и коллега рад: «Сеть сразу знает,
куда смотреть». Откуда такая карта у необученной сети? Почему сеть не учится? Что делает корень и много ли
экономит тот, кто его убрал? Какой опыт отделит вину размера от вины корня? Пять — восемь предложений.""": (
            "1 — разброс q·k равен √H = 32, softmax от таких оценок почти жёсткий, а место случайно; "
            "1 — у жёсткого softmax производные почти нулевые, и до W_q и W_k градиент не доходит; "
            "1 — корень возвращает разброс 1; делений в H раз меньше, чем умножений; "
            "1 — опыт: оба размера с корнем и без, на старте сравнить, на сколько мест смотрят, и норму "
            "градиента, по нескольким зёрнам."
        ),
    },
)
