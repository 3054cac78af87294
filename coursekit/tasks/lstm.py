"""The assignment «LSTM»: six equations, a row of steps, and what they cost and keep (chapter 6).

B rows, T steps, E numbers in an input, H in a state. W is [4·H, E + H] and acts on [x, h]; b is
[4·H]; their quarters belong to i, f, C̃ and o, in torch's order.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from coursekit.checks import Task
from coursekit.variants import Variant

Rows = Float[Tensor, "B H"]

FORBIDDEN = frozenset(
    {"coursekit.cells", "coursekit.layers", "torch.nn.modules.rnn", "lstm", "lstm_cell"}
)

# Words in a vocabulary for which a loop over it makes itself felt.
MANY = 1000


def numbers(random: torch.Generator, *shape: int) -> Float[Tensor, "..."]:
    """Return standard normal numbers of ``shape``, float64."""
    return torch.randn(*shape, generator=random, dtype=torch.float64)


def whole(random: torch.Generator, least: int, most: int) -> int:
    """Return a number from ``least`` to ``most``."""
    return int(torch.randint(least, most + 1, (), generator=random))


def once(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the one call of a task ``mine``: its answer depends on the variant alone."""
    yield "свой вариант", ()


def spelt(text: str, alphabet: str = "") -> Float[Tensor, "T E"]:
    """Return a one-hot row for each character, by default over the sorted characters of ``text``."""
    order = alphabet or sorted(set(text))
    rows = torch.tensor([order.index(char) for char in text])
    return torch.eye(len(order), dtype=torch.float64)[rows]


def gates(
    x: Float[Tensor, "B E"], h: Rows, W: Float[Tensor, "GH EH"], b: Float[Tensor, "GH"]
) -> tuple[Rows, Rows, Rows, Rows]:
    """Return i, f, C̃ and o for an input and the state before it."""
    i, f, g, o = (torch.cat([x, h], dim=-1) @ W.T + b).chunk(4, dim=-1)
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)


def step(
    x: Float[Tensor, "B E"],
    state: tuple[Rows, Rows],
    W: Float[Tensor, "GH EH"],
    b: Float[Tensor, "GH"],
) -> tuple[Rows, Rows]:
    """Return the new (h, C)."""
    h, C = state
    i, f, g, o = gates(x, h, W, b)
    C = f * C + i * g
    return o * torch.tanh(C), C


def lstm(
    x: Float[Tensor, "B T E"], W: Float[Tensor, "GH EH"], b: Float[Tensor, "GH"]
) -> tuple[Float[Tensor, "B T H"], tuple[Rows, Rows]]:
    """Return the h of all steps, begun from zeros, and the last (h, C)."""
    h = C = x.new_zeros(len(x), len(b) // 4)
    outputs = []
    for x_t in x.unbind(1):
        h, C = step(x_t, (h, C), W, b)
        outputs.append(h)
    return torch.stack(outputs, dim=1), (h, C)


def last_states(outputs: Float[Tensor, "B T H"], lengths: Int[Tensor, "B"]) -> Rows:
    """Return the state of each row after its last true token."""
    return outputs[torch.arange(len(outputs)), lengths - 1]


def contributions(
    i: Float[Tensor, "T H"], f: Float[Tensor, "T H"], g: Float[Tensor, "T H"]
) -> Float[Tensor, "T H"]:
    """Return what each step has left in the cell after the last one."""
    kept = f.flip(0).cumprod(0).flip(0)  # ∏ f from step t on, f_t among them
    return torch.cat([kept[1:], torch.ones_like(kept[:1])]) * i * g


def parameters(E: int, H: int, layers: int, bidirectional: bool) -> int:
    """Return how many numbers torch's nn.LSTM trains: it keeps two biases."""
    directions = 2 if bidirectional else 1
    first = directions * 4 * H * (E + H + 2)
    further = directions * 4 * H * (directions * H + H + 2)
    return first + (layers - 1) * further


def open_forget(b: Float[Tensor, "GH"], value: float) -> Float[Tensor, "GH"]:
    """Return ``b`` with ``value`` as the bias of all forget gates."""
    i, _, g, o = b.chunk(4)
    return torch.cat([i, torch.full_like(i, value), g, o])


def _gates_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows in (("пакет", whole(random, 2, 5)), ("одна строка", 1)):
        E, H = whole(random, 2, 4), whole(random, 5, 7)
        x, h = numbers(random, rows, E), numbers(random, rows, H)
        yield label, (x, h, numbers(random, 4 * H, E + H), numbers(random, 4 * H))
    H = whole(random, 2, 4)
    x, h = numbers(random, 2, H), numbers(random, 2, H)
    yield "вход не шире состояния", (x, h, numbers(random, 4 * H, 2 * H), numbers(random, 4 * H))


def _step_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, (x, h, W, b) in _gates_cases(random):
        yield label, (x, (h, 3 * numbers(random, *h.shape)), W, b)


def _lstm_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows, steps in (
        ("пакет", whole(random, 2, 4), whole(random, 5, 7)),
        ("одна строка", 1, whole(random, 3, 6)),
        ("один шаг", 3, 1),
    ):
        E, H = whole(random, 2, 4), whole(random, 2, 4)
        x = numbers(random, rows, steps, E)
        yield label, (x, numbers(random, 4 * H, E + H), numbers(random, 4 * H))


def _last_states_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    rows, steps, H = whole(random, 4, 6), whole(random, 5, 8), whole(random, 2, 4)
    lengths = torch.randint(1, steps, (rows,), generator=random)
    lengths[0], lengths[1] = steps, 1
    yield "строки разной длины", (numbers(random, rows, steps, H), lengths)
    yield "одна строка с дополнением", (numbers(random, 1, steps, H), torch.tensor([steps - 2]))
    square = whole(random, 3, 5)
    yield (
        "строк столько же, сколько шагов",
        (numbers(random, square, square, H), torch.arange(1, square + 1)),
    )


def _contributions_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, steps in (("несколько шагов", whole(random, 4, 7)), ("один шаг", 1)):
        H = whole(random, 2, 4)
        i, f = (numbers(random, steps, H).sigmoid() for _ in "if")
        yield label, (i, f, numbers(random, steps, H).tanh())
    i, f = (numbers(random, 4, 2).sigmoid() for _ in "if")
    f[2] = 0
    yield "на одном шаге всё забыто, f = 0", (i, f, numbers(random, 4, 2).tanh())


def _parameters_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for layers, both in ((1, False), (1, True), (3, False), (3, True)):
        E, H = whole(random, 5, 300), whole(random, 5, 300)
        sides = "два направления" if both else "одно направление"
        yield f"E = {E}, H = {H}, слоёв {layers}, {sides}", (E, H, layers, both)


def _open_forget_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for H in (whole(random, 2, 6), 1):
        value = whole(random, 1, 5) + 0.5
        yield f"H = {H}, value = {value}", (numbers(random, 4 * H), value)


def _then(answer: Any, change: Any) -> Any:
    return change(*answer)


def _raw(x: Any, h: Any, W: Any, b: Any) -> Any:
    return (torch.cat([x, h], dim=-1) @ W.T + b).chunk(4, dim=-1)


def _step(x: Any, state: Any, W: Any, b: Any, change: Any) -> Any:
    return change(*state, *gates(x, state[0], W, b))


def _lstm(x: Any, W: Any, b: Any, change: Any) -> Any:
    h = C = x.new_zeros(len(x), len(b) // 4)
    outputs = []
    for x_t in x.unbind(1):
        h, C = change(*step(x_t, (h, C), W, b), h, C)
        outputs.append(h)
    return torch.stack(outputs, dim=1), (h, C)


_s, _th = torch.sigmoid, torch.tanh

GATES = Task(
    "gates",
    gates,
    _gates_cases,
    {
        "кандидат C̃ — это tanh, а не сигмоида: записи нужны оба знака.": lambda x, h, W, b: tuple(
            map(_s, _raw(x, h, W, b))
        ),
        "вентили i, f, o — сигмоиды, доли от 0 до 1; tanh только у C̃.": lambda x, h, W, b: tuple(
            map(_th, _raw(x, h, W, b))
        ),
        "третья четверть — C̃, четвёртая — o; у вас наоборот.": lambda x, h, W, b: _then(
            _raw(x, h, W, b), lambda i, f, g, o: (_s(i), _s(f), _th(o), _s(g))
        ),
        "i и f перепутаны: первая четверть W — входной вентиль, вторая — забывания.": lambda x, h, W, b: (
            _then(_raw(x, h, W, b), lambda i, f, g, o: (_s(f), _s(i), _th(g), _s(o)))
        ),
        "потеряно смещение b.": lambda x, h, W, b: gates(x, h, W, b * 0),
        "смещение прибавлено дважды. Два смещения у nn.LSTM, здесь оно одно.": lambda x, h, W, b: (
            gates(x, h, W, 2 * b)
        ),
        "склейка — [x, h], сначала вход; у вас [h, x].": lambda x, h, W, b: gates(h, x, W, b),
        "вентили не видят прошлого состояния h.": lambda x, h, W, b: gates(x, h * 0, W, b),
        "после умножения на W нужны сигмоиды и tanh.": lambda x, h, W, b: _raw(x, h, W, b),
    },
    FORBIDDEN,
)

STEP = Task(
    "step",
    step,
    _step_cases,
    {
        "порядок ответа — (h, C), у вас (C, h).": lambda x, state, W, b: step(x, state, W, b)[::-1],
        "кандидат C̃ записан целиком: умножьте его на входной вентиль i.": lambda x, state, W, b: (
            _step(x, state, W, b, lambda h, C, i, f, g, o: (o * _th(f * C + g), f * C + g))
        ),
        "старая память не прошла через вентиль забывания: f ⊙ C.": lambda x, state, W, b: _step(
            x, state, W, b, lambda h, C, i, f, g, o: (o * _th(C + i * g), C + i * g)
        ),
        "наружу память выходит через tanh: h = o ⊙ tanh(C).": lambda x, state, W, b: _step(
            x, state, W, b, lambda h, C, i, f, g, o: (o * (f * C + i * g), f * C + i * g)
        ),
        "h считается по новой памяти, а не по старой.": lambda x, state, W, b: _step(
            x, state, W, b, lambda h, C, i, f, g, o: (o * _th(C), f * C + i * g)
        ),
        "забыт выходной вентиль: h = o ⊙ tanh(C).": lambda x, state, W, b: _step(
            x, state, W, b, lambda h, C, i, f, g, o: (_th(f * C + i * g), f * C + i * g)
        ),
        "входной вентиль у LSTM свой; 1 − f вместо него — это связанные вентили, шаг к GRU.": lambda x, state, W, b: (
            _step(
                x,
                state,
                W,
                b,
                lambda h, C, i, f, g, o: (o * _th(f * C + (1 - f) * g), f * C + (1 - f) * g),
            )
        ),
        "старую память умножают на f, новую запись — на i; у вас наоборот.": lambda x, state, W, b: (
            _step(x, state, W, b, lambda h, C, i, f, g, o: (o * _th(i * C + f * g), i * C + f * g))
        ),
        "в state сначала h, потом C; у вас они перепутаны.": lambda x, state, W, b: step(
            x, state[::-1], W, b
        ),
    },
    FORBIDDEN,
)

LSTM = Task(
    "lstm",
    lstm,
    _lstm_cases,
    {
        "память C не переходит на следующий шаг: передавайте дальше обе, h и C.": lambda x, W, b: (
            _lstm(x, W, b, lambda h, C, h0, C0: (h, C0))
        ),
        "в outputs стоит память C, а нужны состояния h.": lambda x, W, b: _lstm(
            x, W, b, lambda h, C, h0, C0: (C, C)
        ),
        "строка прочитана с конца.": lambda x, W, b: _then(
            lstm(x.flip(1), W, b), lambda out, end: (out.flip(1), end)
        ),
        "последнее состояние — (h, C), у вас (C, h).": lambda x, W, b: _then(
            lstm(x, W, b), lambda out, end: (out, end[::-1])
        ),
        "последнее состояние — после последнего шага, у вас после первого.": lambda x, W, b: _then(
            lstm(x, W, b), lambda out, end: (out, (out[:, 0], end[1]))
        ),
        "каждый шаг начинается с нулей: состояние не переходит от шага к шагу.": lambda x, W, b: (
            torch.stack(
                [step(t, (x.new_zeros(len(x), len(b) // 4),) * 2, W, b)[0] for t in x.unbind(1)],
                1,
            ),
            step(x[:, -1], (x.new_zeros(len(x), len(b) // 4),) * 2, W, b),
        ),
    },
    FORBIDDEN,
)

LAST_STATES = Task(
    "last_states",
    last_states,
    _last_states_cases,
    {
        "взято последнее место пакета, а у короткой строки там состояние после дополнения.": lambda outputs, lengths: (
            outputs[:, -1]
        ),
        "взято первое место строки, а нужно последнее настоящее.": lambda outputs, lengths: outputs[
            :, 0
        ],
        "сдвиг на единицу: у строки длины n последнее место — n − 1.": lambda outputs, lengths: (
            outputs[torch.arange(len(outputs)), lengths.clamp(max=outputs.shape[1] - 1)]
        ),
        "сдвиг на единицу: взят предпоследний токен строки.": lambda outputs, lengths: outputs[
            torch.arange(len(outputs)), lengths - 2
        ],
        "это среднее по строке, а нужно состояние на её последнем месте.": lambda outputs, lengths: (
            torch.stack([row[:n].mean(0) for row, n in zip(outputs, lengths, strict=True)])
        ),
    },
    FORBIDDEN,
)

CONTRIBUTIONS = Task(
    "contributions",
    contributions,
    _contributions_cases,
    {
        "на шаге t запись ещё не проходила через f_t: произведение начинается с t + 1.": lambda i, f, g: (
            f.flip(0).cumprod(0).flip(0) * i * g
        ),
        "перемножены вентили *до* шага t, а запись забывают те, что после него.": lambda i, f, g: (
            f.cumprod(0) * i * g
        ),
        "вклад ослаблен всеми следующими вентилями забывания; у вас только i ⊙ C̃.": lambda i, f, g: (
            i * g
        ),
        "потерян входной вентиль i.": lambda i, f, g: contributions(torch.ones_like(i), f, g),
        "это накопленные суммы, а нужен вклад каждого шага.": lambda i, f, g: contributions(
            i, f, g
        ).cumsum(0),
        "деление на произведение ломается, когда f = 0: 0 / 0. Умножайте с конца.": lambda i, f, g: (
            f.prod(0) / f.cumprod(0) * i * g
        ),
    },
    FORBIDDEN,
)

PARAMETERS = Task(
    "parameters",
    parameters,
    _parameters_cases,
    {
        "у nn.LSTM два смещения на каждый вентиль, b_ih и b_hh; у вас одно.": lambda E, H, layers, both: (
            parameters(E - 1, H, layers, both) - (layers - 1) * (2 if both else 1) * 4 * H
        ),
        "потеряны смещения.": lambda E, H, layers, both: (
            parameters(E - 2, H, layers, both) - (layers - 1) * (2 if both else 1) * 8 * H
        ),
        "не учтено второе направление.": lambda E, H, layers, both: parameters(E, H, layers, False),
        "второй слой читает не E чисел, а то, что выдал первый.": lambda E, H, layers, both: (
            layers * parameters(E, H, 1, both)
        ),
        "не учтены слои выше первого.": lambda E, H, layers, both: parameters(E, H, 1, both),
        "в двунаправленной сети второй слой читает 2H чисел: оба направления.": lambda E, H, layers, both: (
            (2 if both else 1) * parameters(E, H, layers, False)
        ),
        "у LSTM четыре таких набора весов: i, f, C̃ и o.": lambda E, H, layers, both: (
            parameters(E, H, layers, both) // 4
        ),
        "у LSTM четыре набора весов; три — у GRU.": lambda E, H, layers, both: (
            parameters(E, H, layers, both) // 4 * 3
        ),
    },
    FORBIDDEN,
)

OPEN_FORGET = Task(
    "open_forget",
    open_forget,
    _open_forget_cases,
    {
        "это четверть входного вентиля: вентиль забывания — вторая.": lambda b, value: torch.cat(
            [torch.full_like(b.chunk(4)[0], value), b[len(b) // 4 :]]
        ),
        "это четверть кандидата C̃: вентиль забывания — вторая.": lambda b, value: torch.cat(
            [b[: len(b) // 2], torch.full_like(b.chunk(4)[0], value), b[3 * len(b) // 4 :]]
        ),
        "заполнены все четыре четверти, а нужна одна, вторая.": lambda b, value: torch.full_like(
            b, value
        ),
        "знак: открытому вентилю нужно большое положительное смещение, σ(5) ≈ 0,99.": lambda b, value: (
            open_forget(b, -value)
        ),
        "value не прибавляют к прежнему смещению, а ставят вместо него.": lambda b, value: (
            b + torch.cat([torch.full_like(q, value * (n == 1)) for n, q in enumerate(b.chunk(4))])
        ),
    },
    FORBIDDEN,
)

TASKS = (GATES, STEP, LSTM, LAST_STATES, CONTRIBUTIONS, PARAMETERS, OPEN_FORGET)


def mine(word: str, seed: int, forget: float) -> Task:
    """Return the task: which share of what is left of ``word`` in the cell is its first letter's."""
    H, x, random = 6, spelt(word), torch.Generator().manual_seed(seed)
    W, b = numbers(random, 4 * H, x.shape[1] + H), numbers(random, 4 * H)
    opened = open_forget(b, forget)

    def left(b: Any, seen: float = 1.0) -> Any:
        """What each letter has left in the cell; gates see ``seen`` of the state before them."""
        before = lstm(x[None], W, b)[0][0].roll(1, 0)
        before[0] = 0
        return contributions(*gates(x, seen * before, W, b)[:3])

    def share(parts: Any, letter: int = 0) -> float:
        return float(parts[letter].abs().sum() / parts.abs().sum())

    return Task(
        "mine",
        lambda: share(left(opened)),
        once,
        {
            "вентиль забывания не тронут: поставьте ему смещение forget.": lambda: share(left(b)),
            "складывают модули вкладов, а у вас модуль их суммы, то есть самой памяти.": lambda: (
                float(left(opened)[0].abs().sum() / left(opened).sum(0).abs().sum())
            ),
            "это доля последней буквы, а нужна первой.": lambda: share(left(opened), -1),
            "вентили видят состояние прошлого шага, а у вас всюду нули.": lambda: share(
                left(opened, 0.0)
            ),
        },
        FORBIDDEN,
        differentiable=False,
    )


MINE = Variant(
    constants={
        "word": (
            "заречинск",
            "паромщик",
            "самовар",
            "половодье",
            "мельница",
            "ледоход",
            "варенье",
            "пристань",
        ),
        "seed": tuple(range(1, 11)),
        "forget": (1.0, 0.5, 1.5, 2.0, 2.5, 3.0),
    },
    task=mine,
    questions={
        """\
Коллега пишет в отчёте: «Мы взяли LSTM, поэтому затухания градиента нет и сеть помнит начало отзыва».
Что в этой фразе верно, что неверно, и какой опыт на ваших данных решил бы спор? Пять — восемь
предложений.""": (
            "1 — назван прямой путь и произведение f; 1 — сказано, когда он гаснет (f < 1, старт); "
            "1 — различены «градиент доходит» и «сеть помнит» или назван путь через h; "
            "1 — опыт, у которого есть сравнение и исход, способный опровергнуть."
        ),
        """\
В обученной LSTM нашли нейрон: внутри кавычек его память растёт, после них падает почти до нуля. В отчёте
написано: «Это счётчик кавычек, без него сеть разучится их закрывать. Вентиль забывания внутри кавычек
у него 0,6, значит, о кавычке он помнит шага четыре, не больше». Как память может расти при $f = 0{,}6$?
Следует ли отсюда, что через десять символов кавычка забыта? Доказано ли, что кавычки закрывает именно
он, и каким опытом это проверить? Пять — восемь предложений.""": (
            "1 — при f < 1 память держит постоянная запись: C стремится к i · C̃ / (1 − f); "
            "1 — f говорит о прямом пути, а запись возобновляют вентили, которые видят h; "
            "1 — совпадение с признаком ещё не причина, то же могут знать другие нейроны; "
            "1 — опыт: обнулить нейрон, измерить вероятность закрывающей кавычки и сравнить с "
            "обнулением других нейронов."
        ),
        """\
Веса LSTM перенесли из другой библиотеки: у неё одно смещение, а порядок четвертей неизвестен. Размеры
сошлись, ошибок нет, а перплексия 800 вместо 6. Коллега доучил сеть одну эпоху, получил 7 и говорит:
«Перенос удался, осталась погрешность». Почему семёрка этого не доказывает? Как найти порядок четвертей
опытом, имея обе библиотеки? Куда деть единственное смещение, если у PyTorch их два? Что вы
сочли бы доказательством? Пять — восемь предложений.""": (
            "1 — за эпоху нашлись новые веса, верен ли перенос, по семёрке не узнать; "
            "1 — порядок: один шаг на одном входе в обеих библиотеках, перестановок четвертей 24; "
            "1 — смещение кладут в одно из двух, второе обнуляют, в обоих оно удвоится; "
            "1 — доказательство: состояния совпали с точностью до округления на длинной строке и при "
            "ненулевом начале."
        ),
    },
)
