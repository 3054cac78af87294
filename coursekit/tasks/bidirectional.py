"""The assignment «Двунаправленные сети»: two directions, their padding and summary (chapter 10).

B rows, T steps, E numbers in an input, H in a state of one direction, K answers. A direction is a
plain recurrent network, its weights the tuple (W, U, b): W [H, E], U [H, H], b [H].
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from coursekit.checks import Task
from coursekit.datasets import ALPHABET
from coursekit.tasks.lstm import numbers, once, spelt, whole
from coursekit.variants import Variant

Weights = tuple[Float[Tensor, "H E"], Float[Tensor, "H H"], Float[Tensor, "H"]]
Pair = tuple[Weights, Weights]
Lengths = Int[Tensor, "B"]

FORBIDDEN = frozenset(
    {
        "coursekit.cells",
        "coursekit.layers",
        "torch.nn.modules.rnn",
        "rnn_tanh",
        "rnn_tanh_cell",
    }
)


def leftward(
    x: Float[Tensor, "B T E"], lengths: Lengths, weights: Weights
) -> Float[Tensor, "B T H"]:
    """Return the states of a network that reads rows from their ends; zeros at padding."""
    return _leftward(x, lengths, weights)


def bidirectional(
    x: Float[Tensor, "B T E"], lengths: Lengths, right: Weights, left: Weights
) -> Float[Tensor, "B T 2*H"]:
    """Return the states of both directions side by side; zeros at padding."""
    return torch.cat([_rightward(x, lengths, right), leftward(x, lengths, left)], dim=-1)


def summary(outputs: Float[Tensor, "B T 2*H"], lengths: Lengths) -> Float[Tensor, "B 2*H"]:
    """Return for each row the last state of either direction."""
    H = outputs.shape[-1] // 2
    ends = outputs[torch.arange(len(outputs)), lengths - 1]
    return torch.cat([ends[:, :H], outputs[:, 0, H:]], dim=-1)


def deep(
    x: Float[Tensor, "B T E"], lengths: Lengths, layers: tuple[Pair, ...]
) -> Float[Tensor, "B T 2*H"]:
    """Return the outputs of the last of ``layers``, each a pair (right, left)."""
    for right, left in layers:
        x = bidirectional(x, lengths, right, left)
    return x


def combine(
    by_word: Float[Tensor, "N K"], by_context: Float[Tensor, "N K"], usual: Float[Tensor, "K"]
) -> Float[Tensor, "N K"]:
    """Return P(k | w, c) from P(k | w), P(k | c) and P(k), w and c independent given k."""
    weight = by_word * by_context / usual
    return weight / weight.sum(-1, keepdim=True)


def sees(
    layer: Callable[[Float[Tensor, "1 T E"]], Float[Tensor, "1 T _"]], x: Float[Tensor, "1 T E"]
) -> Bool[Tensor, "T T"]:
    """Tell for every output, by rows, on which inputs it depends."""
    return torch.stack([gradient != 0 for gradient in _influences(layer, x)])


def _influences(layer: Any, x: Any) -> list[Tensor]:
    """Return for every output the lengths of the gradients of its sum by every input."""
    x = x.detach().clone().requires_grad_()
    out = layer(x)[0]
    return [
        torch.autograd.grad(
            h.sum(), x, retain_graph=True, allow_unused=True, materialize_grads=True
        )[0][0].norm(dim=-1)
        for h in out
    ]


def _cell(x: Any, h: Any, weights: Any) -> Any:
    W, U, b = weights
    return torch.tanh(x @ W.T + h @ U.T + b)


def _read(x: Any, lengths: Any, weights: Any, steps: Any, freeze: bool = True) -> Any:
    """Return the states in the order of the text, read in that of ``steps``."""
    h = x.new_zeros(len(x), len(weights[2]))
    found = {}
    for t in steps:
        true = (t < lengths)[:, None]
        new = _cell(x[:, t], h, weights)
        h = torch.where(true, new, h) if freeze else new
        found[t] = torch.where(true, h, 0)
    return torch.stack([found[t] for t in range(x.shape[1])], dim=1)


def _rightward(x: Any, lengths: Any, weights: Any) -> Any:
    return _read(x, lengths, weights, range(x.shape[1]))


def _leftward(x: Any, lengths: Any, weights: Any, freeze: bool = True) -> Float[Tensor, "B T H"]:
    states: Tensor = _read(x, lengths, weights, range(x.shape[1])[::-1], freeze)
    return states


def _turned(x: Any, lengths: Any) -> Any:
    """Return rows in reverse order within their lengths."""
    steps = torch.arange(x.shape[1])
    order = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return x[torch.arange(len(x))[:, None], order]


def _weights(random: torch.Generator, E: int, H: int) -> Any:
    return numbers(random, H, E), numbers(random, H, H) / 2, numbers(random, H)


def _rows(random: torch.Generator) -> Iterator[tuple[str, Tensor, int]]:
    rows, steps = whole(random, 3, 4), whole(random, 5, 7)
    some = torch.randint(2, steps, (rows,), generator=random)
    some[0], some[1] = steps, 1
    yield "строки разной длины", some, steps
    yield "дополнения нет", torch.full((2,), steps), steps
    yield "одна строка с дополнением", torch.tensor([steps - 2]), steps
    yield "один шаг", torch.ones(3, dtype=torch.int64), 1


def _leftward_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, lengths, T in _rows(random):
        E, H = whole(random, 2, 4), whole(random, 2, 4)
        yield label, (numbers(random, len(lengths), T, E), lengths, _weights(random, E, H))


def _bidirectional_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, (x, lengths, right) in _leftward_cases(random):
        yield label, (x, lengths, right, _weights(random, x.shape[2], len(right[2])))


def _summary_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, lengths, T in _rows(random):
        yield label, (numbers(random, len(lengths), T, 2 * whole(random, 2, 4)), lengths)


def _deep_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for count, (label, lengths, T) in zip((2, 3, 2, 1), _rows(random), strict=True):
        H = whole(random, 2, 3)
        layers = tuple(
            (_weights(random, 2 * H, H), _weights(random, 2 * H, H)) for _ in range(count)
        )
        x = numbers(random, len(lengths), T, 2 * H)
        yield f"{label}, слоёв {count}", (x, lengths, layers)


def _combine_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows in (("пакет", whole(random, 2, 4)), ("одно слово", 1)):
        K = whole(random, 5, 7)
        word, context, usual = (numbers(random, n, K).softmax(-1) for n in (rows, rows, 1))
        yield label, (word, context, usual[0])
    word = word.clone()
    word[:, 1:3] = 0
    yield "словарь разрешает не всё", (word / word.sum(-1, keepdim=True), context, usual[0])


def _sees_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    T, E, H = whole(random, 4, 6), 3, 2
    right, left = ([part / 2 for part in _weights(random, E, H)] for _ in "rl")
    full = torch.tensor([T])
    for label, layer in (
        ("видит два следующих места по кругу", lambda x: x.roll(-1, 1) * x.roll(-2, 1)),
        ("читает справа налево", lambda x: _leftward(x, full, left)),
        ("читает слева направо", lambda x: _rightward(x, full, right)),
        ("читает в обе стороны", lambda x: bidirectional(x, full, tuple(right), tuple(left))),
        ("видит только прошлое место", lambda x: torch.tanh(x.roll(1, 1))),
    ):
        yield label, (layer, numbers(random, 1, T, E))


LEFTWARD = Task(
    "leftward",
    leftward,
    _leftward_cases,
    {
        "сеть начала с дополнения, а не с конца строки: flip переворачивает пакет целиком. Пока "
        "строка не началась, состояние — ноль.": lambda x, lengths, w: _leftward(
            x, lengths, w, freeze=False
        ),
        "дополнение прочитано, и на его местах стоят не нули.": lambda x, lengths, w: _leftward(
            x, torch.full_like(lengths, x.shape[1]), w
        ),
        "состояния стоят задом наперёд: переверните их обратно, в порядок текста.": (
            lambda x, lengths, w: _turned(_leftward(x, lengths, w), lengths)
        ),
        "строка прочитана слева направо, а нужно с конца.": _rightward,
        "каждый шаг начинается с нулей: состояние не переходит от шага к шагу.": (
            lambda x, lengths, w: (
                _cell(x, x.new_zeros(len(w[2])), w)
                * (torch.arange(x.shape[1]) < lengths[:, None])[..., None]
            )
        ),
        "пакет перевёрнут целиком и обратно не возвращён: состояния стоят задом наперёд, а впереди "
        "дополнение.": lambda x, lengths, w: _rightward(
            x.flip(1), torch.full_like(lengths, x.shape[1]), w
        ),
    },
    FORBIDDEN,
)


def _sides(change: Callable[..., Any]) -> Callable[..., Any]:
    """Return a mistake made of the two directions' states."""
    return lambda x, lengths, right, left: torch.cat(
        change(_rightward(x, lengths, right), leftward(x, lengths, left), lengths), -1
    )


BIDIRECTIONAL = Task(
    "bidirectional",
    bidirectional,
    _bidirectional_cases,
    {
        "половины переставлены: сначала прямое состояние, потом обратное.": _sides(
            lambda ahead, back, lengths: [back, ahead]
        ),
        "обратная сеть не возвращена в порядок текста: к первому токену приклеено чужое состояние.": (
            _sides(lambda ahead, back, lengths: [ahead, _turned(back, lengths)])
        ),
        "обратная сеть начала с дополнения: её ответ зависит от соседей по пакету.": (
            lambda x, lengths, right, left: torch.cat(
                [_rightward(x, lengths, right), _leftward(x, lengths, left, freeze=False)], -1
            )
        ),
        "обе половины посчитаны с весами right: у направлений веса разные.": (
            lambda x, lengths, right, left: bidirectional(x, lengths, right, right)
        ),
        "веса направлений перепутаны: right читает слева направо.": (
            lambda x, lengths, right, left: bidirectional(x, lengths, left, right)
        ),
        "обе сети читают слева направо: вторую запустите с конца.": (
            lambda x, lengths, right, left: torch.cat(
                [_rightward(x, lengths, right), _rightward(x, lengths, left)], -1
            )
        ),
        "дополнение прочитано как настоящие токены: lengths не участвуют.": (
            lambda x, lengths, right, left: bidirectional(
                x, torch.full_like(lengths, x.shape[1]), right, left
            )
        ),
    },
    FORBIDDEN,
)


def _halves(ahead: Callable[..., Any], back: Callable[..., Any]) -> Callable[..., Any]:
    """Return a mistake that takes the halves from places told by two functions of lengths."""

    def mistaken(outputs: Any, lengths: Any) -> Any:
        H, rows = outputs.shape[-1] // 2, torch.arange(len(outputs))
        full = torch.full_like(lengths, outputs.shape[1])
        return torch.cat(
            [
                outputs[rows, ahead(lengths, full), :H],
                outputs[rows, back(lengths, full), H:],
            ],
            -1,
        )

    return mistaken


SUMMARY = Task(
    "summary",
    summary,
    _summary_cases,
    {
        "взято последнее место пакета: у короткой строки там дополнение, а обратная сеть кончает на "
        "первом.": _halves(lambda n, full: full - 1, lambda n, full: full - 1),
        "обратная половина на последнем токене прочла его один: её итог на первом месте строки.": (
            _halves(lambda n, full: n - 1, lambda n, full: n - 1)
        ),
        "прямая половина на первом месте прочла один токен: её итог на последнем.": _halves(
            lambda n, full: n * 0, lambda n, full: n * 0
        ),
        "места перепутаны: прямая сеть кончает на последнем токене, обратная — на первом.": _halves(
            lambda n, full: n * 0, lambda n, full: n - 1
        ),
        "у короткой строки прямое состояние взято из дополнения: нужно место lengths − 1.": _halves(
            lambda n, full: full - 1, lambda n, full: n * 0
        ),
        "половины переставлены: сначала прямое состояние, потом обратное.": (
            lambda outputs, lengths: summary(outputs, lengths).roll(outputs.shape[-1] // 2, -1)
        ),
    },
    FORBIDDEN,
)


def _exchanged(x: Any, lengths: Any, layers: Any) -> Any:
    for right, left in layers:
        H = len(right[2])
        x = bidirectional(x, lengths, right, left).roll(H, -1)
    return x.roll(len(layers[-1][0][2]), -1)


DEEP = Task(
    "deep",
    deep,
    _deep_cases,
    {
        "это ответ первого слоя: пройдите все.": lambda x, lengths, layers: deep(
            x, lengths, layers[:1]
        ),
        "каждый слой прочёл вход x, а второй должен читать то, что выдал первый.": (
            lambda x, lengths, layers: deep(x, lengths, layers[-1:])
        ),
        "слои стоят в обратном порядке.": lambda x, lengths, layers: deep(x, lengths, layers[::-1]),
        "между слоями половины переставлены: склейка — прямое состояние, потом обратное.": (
            _exchanged
        ),
        "дополнение прочитано как настоящие токены: lengths нужны каждому слою.": (
            lambda x, lengths, layers: deep(x, torch.full_like(lengths, x.shape[1]), layers)
        ),
        "выходы слоёв сложены, а нужен последний.": lambda x, lengths, layers: sum(
            deep(x, lengths, layers[: n + 1]) for n in range(len(layers))
        ),
    },
    FORBIDDEN,
)


def _normal(weight: Any, dim: int = -1) -> Any:
    return weight / weight.sum(dim, keepdim=True)


COMBINE = Task(
    "combine",
    combine,
    _combine_cases,
    {
        "вероятность P(k) сосчитана дважды, и словарём, и сетью: разделите на usual.": (
            lambda word, context, usual: _normal(word * context)
        ),
        "на P(k) делят, а не умножают.": lambda word, context, usual: _normal(
            word * context * usual
        ),
        "это среднее, а независимые свидетельства перемножаются.": lambda word, context, usual: (
            (word + context) / 2
        ),
        "сумма не единица: ∝ значит «с точностью до множителя», разделите на сумму.": (
            lambda word, context, usual: word * context / usual
        ),
        "сумма взята по словам пакета: вероятности складываются в единицу по ответам, dim=-1.": (
            lambda word, context, usual: _normal(word * context / usual, 0)
        ),
        "softmax здесь лишний: перемножены вероятности, а не логиты. Разделите на сумму.": (
            lambda word, context, usual: (word * context / usual).softmax(-1)
        ),
        "слово не участвует.": lambda word, context, usual: _normal(context / usual),
        "соседи не участвуют.": lambda word, context, usual: _normal(word / usual),
    },
    FORBIDDEN,
    differentiable=False,
)

SEES = Task(
    "sees",
    sees,
    _sees_cases,
    {
        "градиенты накопились: x.grad складывает их от всех выходов. Обнуляйте его или зовите "
        "torch.autograd.grad.": lambda layer, x: sees(layer, x).cumsum(0) > 0,
        "строка и столбец перепутаны: строка — выход t, столбец — вход s.": lambda layer, x: (
            sees(layer, x).T
        ),
        "это места, от которых выход не зависит.": lambda layer, x: ~sees(layer, x),
        "зависит выход и от входа на своём месте, если градиент не ноль: диагональ не особая.": (
            lambda layer, x: sees(layer, x) & ~torch.eye(x.shape[1]).bool()
        ),
        "посчитан градиент суммы всех выходов: нужен свой у каждого t.": lambda layer, x: (
            sees(layer, x).any(0).expand(x.shape[1], -1)
        ),
    },
    FORBIDDEN,
    differentiable=False,
)

TASKS = (LEFTWARD, BIDIRECTIONAL, SUMMARY, DEEP, COMBINE, SEES)


def mine(word: str, seed: int, letter: str) -> Task:
    """Return the task: how much more the left half of a summary minds another first letter."""
    H, T = 6, len(word)
    rows = spelt(word + letter, ALPHABET)
    random = torch.Generator().manual_seed(seed)
    right, left = (_weights(random, rows.shape[1], H) for _ in "rl")

    def ratio(place: int = 0, ends: tuple[int, int] | None = None) -> float:
        """The ratio with another letter at ``place``, halves taken from ``ends`` if told so."""
        changed = rows[:T].clone()
        changed[place] = rows[T]
        lengths = torch.tensor([T, T])
        outputs = bidirectional(torch.stack([rows[:T], changed]), lengths, right, left)
        found = summary(outputs, lengths)
        if ends:
            found = torch.cat([outputs[:, ends[0], :H], outputs[:, ends[1], H:]], -1)
        ahead, back = (found[1] - found[0]).split(H)
        return float(back.norm() / ahead.norm())

    return Task(
        "mine",
        lambda: ratio(),
        once,
        {
            "дробь перевёрнута: сверху обратная половина.": lambda: 1 / ratio(),
            "обе половины взяты с последнего места, а обратная сеть кончает на первом.": lambda: (
                ratio(ends=(-1, -1))
            ),
            "обе половины взяты с первого места, а прямая сеть кончает на последнем.": lambda: (
                ratio(ends=(0, 0))
            ),
            "заменена последняя буква, а нужна первая.": lambda: ratio(-1),
        },
        FORBIDDEN,
        differentiable=False,
    )


MINE = Variant(
    constants={
        "word": (
            "снегирь",
            "ворота",
            "телега",
            "окошко",
            "рыбак",
            "пасека",
            "крыльцо",
            "причал",
        ),
        "seed": tuple(range(1, 11)),
        "letter": ("э", "ю", "ф", "щ", "ц", "ы"),
    },
    task=mine,
    questions={
        """\
Где двунаправленная сеть уместна, а где нет: (а) подсказка следующего слова на клавиатуре; (б) ударения в готовой
книге для синтеза речи; (в) субтитры прямого эфира, которые должны отставать не больше чем на секунду? О каждой
задаче скажите, что с ней делать. И ещё: как до обучения проверить, что сеть для задачи (а) не подглядывает
вперёд, и какой признак выдал бы утечку после него? Шесть — десять предложений.""": (
            "1 — (а) и почему; "
            "1 — (б) и (в), у (в) назван выход с задержкой или кусками и его цена; "
            "1 — проверка зависимостью или подменой входа; "
            "1 — признак утечки и почему он признак."
        ),
        """\
Сеть должна угадывать слово по соседям. Чтобы она его не видела, на месте $t$ склеивают прямое состояние
$\\overrightarrow{h}_{t-1}$ и обратное $\\overleftarrow{h}_{t+1}$. С одним слоем верна половина ответов. Коллега поставил
второй такой же слой поверх первого и получил 99,8 %: «Глубина решает». Проследите, каким путём слово $x_t$ попадает
в ответ на месте $t$. Что покажет таблица из задачи 5 у одного слоя и у двух? Как исправить сеть, не отказываясь от
глубины, и как убедиться, что исправлено? Шесть — десять предложений.""": (
            "1 — один слой честен: состояния слева и справа от места t слова x_t не читали; "
            "1 — второй слой читает место t − 1 первого, а там лежит обратное состояние, прочитавшее x_t; "
            "1 — таблица: на диагонали у одного слоя False, у двух True; "
            "1 — исправление: закрыть слово во входе или вести направления порознь до последнего слоя; "
            "таблица снова проверит."
        ),
        """\
Классификатор отзывов взял у двунаправленной сети `outputs[:, -1]`, строки в пакете разной длины. Доля верных — 84 %, у
прямой сети с тем же $H$ — 85 %. Вывод: «Второе направление бесполезно, а параметров вдвое больше». Что прочла обратная
половина того состояния, которое взяли? А прямая, у короткой строки? Какой итог строки взять вместо этого? Какой опыт
показал бы, полезно ли второе направление, и какой его исход подтвердит вывод коллеги? Шесть — десять
предложений.""": (
            "1 — обратная половина на последнем месте прочла одно последнее слово или одно дополнение; "
            "1 — прямая у короткой строки прошла ещё и по дополнению; "
            "1 — верный итог: прямое состояние с места lengths − 1, обратное с первого; "
            "1 — опыт: верный итог, поровну параметров, несколько зёрен и интервалы; прав коллега, если "
            "интервалы не различить."
        ),
    },
)
