"""The assignment «GRU»: four equations, rows of unlike length, and the GRUs of others (chapter 8).

B rows, T steps, E numbers in an input, H in a state. W is [3·H, E] and acts on x, U is [3·H, H] and
acts on h, b and c are [3·H], their biases; the thirds belong to r, z and n, in torch's order.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from coursekit.checks import Task
from coursekit.tasks.lstm import numbers, once, spelt, whole
from coursekit.variants import Variant

Rows = Float[Tensor, "B H"]
Input = Float[Tensor, "GH E"]
State = Float[Tensor, "GH H"]
Bias = Float[Tensor, "GH"]

FORBIDDEN = frozenset(
    {"coursekit.cells", "coursekit.layers", "torch.nn.modules.rnn", "gru", "gru_cell"}
)


def gates(
    x: Float[Tensor, "B E"], h: Rows, W: Input, U: State, b: Bias, c: Bias
) -> tuple[Rows, Rows]:
    """Return r and z for an input and the state before it."""
    r, z, _ = (x @ W.T + b + h @ U.T + c).chunk(3, dim=-1)
    return torch.sigmoid(r), torch.sigmoid(z)


def candidate(
    x: Float[Tensor, "B E"], h: Rows, r: Rows, W: Input, U: State, b: Bias, c: Bias
) -> Rows:
    """Return n; the reset gate acts after the product."""
    of_x, of_h = _thirds(x, h, W, U, b, c)
    return torch.tanh(of_x + r * of_h)


def step(x: Float[Tensor, "B E"], h: Rows, W: Input, U: State, b: Bias, c: Bias) -> Rows:
    """Return the new h."""
    r, z = gates(x, h, W, U, b, c)
    return z * h + (1 - z) * candidate(x, h, r, W, U, b, c)


def gru(
    x: Float[Tensor, "B T E"], lengths: Int[Tensor, "B"], W: Input, U: State, b: Bias, c: Bias
) -> tuple[Float[Tensor, "B T H"], Rows]:
    """Return the h of all true steps, zeros at padding, and the last true h of every row."""
    h = x.new_zeros(len(x), U.shape[1])
    outputs = []
    for t, x_t in enumerate(x.unbind(1)):
        true = (t < lengths)[:, None]
        h = torch.where(true, step(x_t, h, W, U, b, c), h)
        outputs.append(torch.where(true, h, 0))
    return torch.stack(outputs, dim=1), h


def step_before(x: Float[Tensor, "B E"], h: Rows, W: Input, U: State, b: Bias, c: Bias) -> Rows:
    """Return the new h; the reset gate acts before the product, as in the paper of Cho."""
    r, z = gates(x, h, W, U, b, c)
    of_x, of_h = _thirds(x, r * h, W, U, b, c)
    return z * h + (1 - z) * torch.tanh(of_x + of_h)


def from_chung(W: Input, U: State, b: Bias, c: Bias) -> tuple[Input, State, Bias, Bias]:
    """Return torch's weights of a GRU with the order z, r, n whose z is the share of the new."""
    moved: tuple[Input, State, Bias, Bias] = _moved((W, U, b, c), lambda z, r, n: (r, -z, n))
    return moved


def update_bias(steps: int, share: float) -> float:
    """Return the bias of z with which ``share`` of a state is left after ``steps`` steps."""
    z = share ** (1 / steps)
    return math.log(z / (1 - z))


def _thirds(x: Any, h: Any, W: Any, U: Any, b: Any, c: Any, *, third: int = 2) -> tuple[Any, Any]:
    """Return a third of both products, the candidate's by default."""
    return (x @ W.T + b).chunk(3, -1)[third], (h @ U.T + c).chunk(3, -1)[third]


def _moved(weights: Any, change: Callable[..., Any]) -> Any:
    return tuple(torch.cat(change(*part.chunk(3))) for part in weights)


def _sizes(random: torch.Generator) -> Iterator[tuple[str, int, int, int]]:
    yield "пакет", whole(random, 2, 5), whole(random, 2, 3), whole(random, 4, 6)
    yield "одна строка", 1, whole(random, 4, 5), whole(random, 2, 3)
    size = whole(random, 3, 4)
    yield "вход не шире состояния", 2, size, size


def _weights(random: torch.Generator, E: int, H: int) -> tuple[Any, ...]:
    W, U = numbers(random, 3 * H, E), numbers(random, 3 * H, H)
    return W, U, numbers(random, 3 * H), numbers(random, 3 * H)


def _step_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, rows, E, H in _sizes(random):
        x, h = numbers(random, rows, E), numbers(random, rows, H)
        yield label, (x, h, *_weights(random, E, H))


def _candidate_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, (x, h, *weights) in _step_cases(random):
        # Half-open at random, and far from saturation: weights are small.
        small = [part / 2 for part in weights]
        yield label, (x, h, numbers(random, *h.shape).sigmoid(), *small)


def _gru_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    rows, steps = whole(random, 3, 4), whole(random, 5, 7)
    some = torch.randint(2, steps, (rows,), generator=random)
    some[0], some[1] = steps, 1
    for label, lengths, T in (
        ("строки разной длины", some, steps),
        ("дополнения нет", torch.full((2,), steps), steps),
        ("одна строка с дополнением", torch.tensor([steps - 2]), steps),
        ("один шаг", torch.ones(3, dtype=torch.int64), 1),
    ):
        E, H = whole(random, 2, 4), whole(random, 2, 4)
        yield label, (numbers(random, len(lengths), T, E), lengths, *_weights(random, E, H))


def _from_chung_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for E, H in ((whole(random, 2, 4), whole(random, 2, 4)), (1, 1)):
        yield f"E = {E}, H = {H}", _weights(random, E, H)


def _update_bias_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for steps in (whole(random, 5, 30), whole(random, 100, 300), 1):
        share = whole(random, 1, 4) / 10
        yield f"шагов {steps}, доля {share}", (steps, share)


def _raw(x: Any, h: Any, W: Any, U: Any, b: Any, c: Any) -> Any:
    return (x @ W.T + b + h @ U.T + c).chunk(3, -1)


_s, _th = torch.sigmoid, torch.tanh

GATES = Task(
    "gates",
    gates,
    _step_cases,
    {
        "порядок третей — r, z, n; у вас z стоит раньше r.": lambda *given: gates(*given)[::-1],
        "вентили — сигмоиды, доли от 0 до 1; tanh нужен кандидату.": lambda *given: tuple(
            map(_th, _raw(*given)[:2])
        ),
        "вентиль — доля от 0 до 1: после сложения нужна сигмоида.": lambda *given: _raw(*given)[:2],
        "последняя треть — кандидата; вентили лежат в первых двух.": lambda *given: tuple(
            map(_s, _raw(*given)[1:])
        ),
        "потеряно смещение c.": lambda x, h, W, U, b, c: gates(x, h, W, U, b, c * 0),
        "потеряно смещение b.": lambda x, h, W, U, b, c: gates(x, h, W, U, b * 0, c),
        "вентили не видят прошлого состояния h.": lambda x, h, W, U, b, c: gates(
            x, h * 0, W, U, b, c
        ),
        "z здесь — доля старого, 1 − z из него не вычитают.": lambda *given: (
            gates(*given)[0],
            1 - gates(*given)[1],
        ),
    },
    FORBIDDEN,
)


def _candidate(change: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, h, r, *weights: change(*_thirds(x, h, *weights), r)


def _bias_outside(x: Any, h: Any, r: Any, W: Any, U: Any, b: Any, c: Any) -> Any:
    of_x, of_h = _thirds(x, h, W, U, b, c * 0)
    return _th(of_x + r * of_h + c.chunk(3)[2])


def _reset_first(x: Any, h: Any, r: Any, *weights: Any) -> Any:
    of_x, of_h = _thirds(x, r * h, *weights)
    return _th(of_x + of_h)


CANDIDATE = Task(
    "candidate",
    candidate,
    _candidate_cases,
    {
        "вентиль сброса не на той стороне: у вас r ⊙ h до матрицы, как у Чо, а в PyTorch r умножает "
        "готовое U h + c.": _reset_first,
        "c стоит внутри скобки, под вентилем сброса: r ⊙ (U h + c).": _bias_outside,
        "вентиль сброса не участвует.": _candidate(lambda of_x, of_h, r: _th(of_x + of_h)),
        "вентиль сброса умножает только прошлое: вход и b остаются целиком.": _candidate(
            lambda of_x, of_h, r: _th(r * (of_x + of_h))
        ),
        "вентиль сброса умножает прошлое, а у вас — вход.": _candidate(
            lambda of_x, of_h, r: _th(r * of_x + of_h)
        ),
        "кандидат — это tanh, а не сигмоида: записи нужны оба знака.": _candidate(
            lambda of_x, of_h, r: _s(of_x + r * of_h)
        ),
        "забыт tanh.": _candidate(lambda of_x, of_h, r: of_x + r * of_h),
        "это треть вентиля r: у кандидата последняя.": lambda x, h, r, *weights: _th(
            _thirds(x, h, *weights, third=0)[0] + r * _thirds(x, h, *weights, third=0)[1]
        ),
        "это треть вентиля z: у кандидата последняя.": lambda x, h, r, *weights: _th(
            _thirds(x, h, *weights, third=1)[0] + r * _thirds(x, h, *weights, third=1)[1]
        ),
        "r — доля прошлого, которую кандидат видит; у вас 1 − r.": _candidate(
            lambda of_x, of_h, r: _th(of_x + (1 - r) * of_h)
        ),
        "потеряно смещение c.": lambda x, h, r, W, U, b, c: candidate(x, h, r, W, U, b, c * 0),
        "потеряно смещение b.": lambda x, h, r, W, U, b, c: candidate(x, h, r, W, U, b * 0, c),
    },
    FORBIDDEN,
)


def _step(change: Callable[..., Any]) -> Callable[..., Any]:
    def mistaken(x: Any, h: Any, *weights: Any) -> Any:
        r, z = gates(x, h, *weights)
        return change(h, r, z, candidate(x, h, r, *weights))

    return mistaken


def _swapped_gates(x: Any, h: Any, *weights: Any) -> Any:
    z, r = gates(x, h, *weights)
    return z * h + (1 - z) * candidate(x, h, r, *weights)


def _without_reset(x: Any, h: Any, *weights: Any) -> Any:
    _, z = gates(x, h, *weights)
    return z * h + (1 - z) * candidate(x, h, torch.ones_like(h), *weights)


STEP = Task(
    "step",
    step,
    _step_cases,
    {
        "z и 1 − z перепутаны: в PyTorch z — доля старого, z ⊙ h + (1 − z) ⊙ n.": _step(
            lambda h, r, z, n: (1 - z) * h + z * n
        ),
        "вентиль сброса не на той стороне: у вас r ⊙ h до матрицы, а нужна форма PyTorch, после.": (
            step_before
        ),
        "r и z перепутаны: первая треть — сброс, вторая — обновление.": _swapped_gates,
        "вентиль сброса не участвует.": _without_reset,
        "сброс касается только кандидата: в среднее входит h целиком, без r.": _step(
            lambda h, r, z, n: z * r * h + (1 - z) * n
        ),
        "кандидат записан целиком: умножьте его на 1 − z.": _step(lambda h, r, z, n: z * h + n),
        "старое состояние осталось целиком: умножьте его на z.": _step(
            lambda h, r, z, n: h + (1 - z) * n
        ),
        "это кандидат n; новое состояние — среднее его и старого h.": _step(lambda h, r, z, n: n),
        "tanh уже есть у кандидата, у состояния его нет.": _step(
            lambda h, r, z, n: _th(z * h + (1 - z) * n)
        ),
    },
    FORBIDDEN,
)


def _gru(x: Any, lengths: Any, weights: Any, freeze: bool, fill: bool) -> Any:
    """Do what ``gru`` does, but let padding change the state, or stay in outputs, if told so."""
    h = x.new_zeros(len(x), weights[1].shape[1])
    outputs = []
    for t, x_t in enumerate(x.unbind(1)):
        true = (t < lengths)[:, None]
        new = step(x_t, h, *weights)
        h = torch.where(true, new, h) if freeze else new
        outputs.append(torch.where(true, h, 0) if fill else h)
    return torch.stack(outputs, dim=1), h


def _erased(x: Any, lengths: Any, *weights: Any) -> Any:
    outputs, _ = gru(x, lengths, *weights)
    return outputs, outputs[:, -1]


def _anew(x: Any, lengths: Any, *weights: Any) -> Any:
    zeros = x.new_zeros(len(x), weights[1].shape[1])
    outputs = torch.stack([step(x_t, zeros, *weights) for x_t in x.unbind(1)], 1)
    true = torch.arange(x.shape[1]) < lengths[:, None]
    return outputs * true[..., None], outputs[torch.arange(len(x)), lengths - 1]


def _backwards(x: Any, lengths: Any, *weights: Any) -> Any:
    outputs, _ = _gru(x.flip(1), lengths, weights, freeze=False, fill=False)
    true = torch.arange(x.shape[1]) < lengths[:, None]
    return outputs.flip(1) * true[..., None], outputs[:, -1]


GRU = Task(
    "gru",
    gru,
    _gru_cases,
    {
        "outputs верны, а последнее состояние короткой строки испортило дополнение: после её конца "
        "оставляйте прежнее h.": lambda x, lengths, *weights: _gru(
            x, lengths, weights, freeze=False, fill=True
        ),
        "lengths не участвуют: дополнение прочитано как настоящие токены.": (
            lambda x, lengths, *weights: _gru(x, lengths, weights, freeze=False, fill=False)
        ),
        "последнее состояние верно, а в outputs на местах дополнения должны стоять нули.": (
            lambda x, lengths, *weights: _gru(x, lengths, weights, freeze=True, fill=False)
        ),
        "у короткой строки последнее состояние стёрто: на последнем месте пакета уже нули "
        "дополнения.": _erased,
        "каждый шаг начинается с нулей: состояние не переходит от шага к шагу.": _anew,
        "строка прочитана с конца.": _backwards,
        "последнее состояние взято после первого шага.": lambda x, lengths, *weights: (
            gru(x, lengths, *weights)[0],
            gru(x, lengths, *weights)[0][:, 0],
        ),
        "сдвиг на единицу: последний токен каждой строки не прочитан.": (
            lambda x, lengths, *weights: gru(x, lengths - 1, *weights)
        ),
    },
    FORBIDDEN,
)


def _before(change: Callable[..., Any]) -> Callable[..., Any]:
    def mistaken(x: Any, h: Any, *weights: Any) -> Any:
        r, z = gates(x, h, *weights)
        return change(h, r, z, _th(sum(_thirds(x, r * h, *weights))))

    return mistaken


def _bias_inside(x: Any, h: Any, W: Any, U: Any, b: Any, c: Any) -> Any:
    r, z = gates(x, h, W, U, b, c)
    of_x, of_h = _thirds(x, r * h, W, U, b, c * 0)
    return z * h + (1 - z) * _th(of_x + of_h + r * c.chunk(3)[2])


STEP_BEFORE = Task(
    "step_before",
    step_before,
    _step_cases,
    {
        "это форма PyTorch, сброс после матрицы; здесь r умножает h раньше неё: U (r ⊙ h).": step,
        "c в этой форме не под вентилем: r умножает одно h.": _bias_inside,
        "вентиль сброса не участвует.": _without_reset,
        "сброс касается только кандидата: в среднее входит h целиком, без r.": _before(
            lambda h, r, z, n: z * r * h + (1 - z) * n
        ),
        "z и 1 − z перепутаны: здесь, как и в PyTorch, z — доля старого.": _before(
            lambda h, r, z, n: (1 - z) * h + z * n
        ),
        "это кандидат n; новое состояние — среднее его и старого h.": _before(lambda h, r, z, n: n),
    },
    FORBIDDEN,
)


def _chung(change: Callable[..., Any], rest: Callable[..., Any] | None = None) -> Any:
    """Return a mistake that moves the thirds of both matrices, and those of biases otherwise."""
    return lambda W, U, b, c: (*_moved((W, U), change), *_moved((b, c), rest or change))


FROM_CHUNG = Task(
    "from_chung",
    from_chung,
    _from_chung_cases,
    {
        "трети переставлены, а z осталась долей нового: поменяйте знак её весов, "
        "σ(−a) = 1 − σ(a).": _chung(lambda z, r, n: (r, z, n)),
        "знак сменён, а трети стоят по-прежнему: в PyTorch сначала r, потом z.": _chung(
            lambda z, r, n: (-z, r, n)
        ),
        "знак сменён у r, а нужно у z: там она стоит первой.": _chung(lambda z, r, n: (-r, z, n)),
        "из единицы вычитают вентиль, а не веса: 1 − σ(a) = σ(−a), и у весов меняют знак.": _chung(
            lambda z, r, n: (r, 1 - z, n)
        ),
        "смещения z тоже меняют знак: σ(−(a + b)) = 1 − σ(a + b).": _chung(
            lambda z, r, n: (r, -z, n), lambda z, r, n: (r, z, n)
        ),
        "смещения остались в старом порядке: переставьте трети и в них.": _chung(
            lambda z, r, n: (r, -z, n), lambda z, r, n: (z, r, n)
        ),
        "знак меняют только у z: кандидат и сброс прежние.": _chung(lambda z, r, n: (-r, -z, -n)),
        "порядок PyTorch — r, z, n; у вас z ушла в конец.": _chung(lambda z, r, n: (r, n, -z)),
    },
    FORBIDDEN,
)

UPDATE_BIAS = Task(
    "update_bias",
    update_bias,
    _update_bias_cases,
    {
        "знак: чем дольше помнить, тем больше смещение.": lambda steps, share: (
            -update_bias(steps, share)
        ),
        "это сам вентиль z, а нужно смещение, при котором σ(b) = z.": lambda steps, share: (
            share ** (1 / steps)
        ),
        "это сигмоида от z, а нужна обратная к ней: ln(z / (1 − z)).": lambda steps, share: (
            1 / (1 + math.exp(-(share ** (1 / steps))))
        ),
        "доли по шагам перемножаются: z — корень степени steps из share.": lambda steps, share: (
            math.log((1 - (1 - share) / steps) / (1 - (1 - (1 - share) / steps)))
        ),
        "share остаётся за один шаг, а нужно за steps: z — корень степени steps.": (
            lambda steps, share: math.log(share / (1 - share))
        ),
        "z взята как e^(−1/steps): так остаётся 1/e, а нужна доля share.": lambda steps, share: (
            update_bias(steps, math.exp(-1))
        ),
        "потерян знаменатель: обратная к сигмоиде — ln(z / (1 − z)).": lambda steps, share: (
            math.log(share) / steps
        ),
    },
    FORBIDDEN,
)

TASKS = (GATES, CANDIDATE, STEP, GRU, STEP_BEFORE, FROM_CHUNG, UPDATE_BIAS)


def mine(word: str, seed: int, kept: float) -> Task:
    """Return the task: which share of a state the gates keep over ``word``, if ``kept`` is ordered."""
    H, T, x = 6, len(word), spelt(word)
    random = torch.Generator().manual_seed(seed)
    W, U = numbers(random, 3 * H, x.shape[1]), numbers(random, 3 * H, H)
    bias, zeros = update_bias(T, kept), torch.zeros(3 * H, dtype=torch.float64)

    def opened(third: int = 1, seen: float = 1.0) -> Any:
        """z of all steps, the bias in a ``third``; gates see ``seen`` of the state before them."""
        b = zeros.clone()
        b.view(3, H)[third] = bias
        states, _ = gru(x[None], torch.tensor([T]), W, U, b, zeros)
        before = torch.cat([zeros[None, :H], states[0, :-1]])
        return gates(x, seen * before, W, U, b, zeros)[1]

    return Task(
        "mine",
        lambda: float(opened().prod(0).mean()),
        once,
        {
            "столько заказано: σ(b_z) — ещё не z, его двигают входы и прошлое.": lambda: kept,
            "смещение попало в треть сброса: вентиль обновления — вторая треть.": lambda: float(
                opened(0).prod(0).mean()
            ),
            "сперва произведение по шагам у каждого нейрона, потом среднее; у вас наоборот.": lambda: (
                float(opened().mean(1).prod())
            ),
            "вентили видят состояние прошлого шага, а у вас всюду нули.": lambda: float(
                opened(seen=0.0).prod(0).mean()
            ),
        },
        FORBIDDEN,
        differentiable=False,
    )


MINE = Variant(
    constants={
        "word": (
            "половодье",
            "скворец",
            "черёмуха",
            "калитка",
            "огород",
            "метель",
            "околица",
            "колодец",
        ),
        "seed": tuple(range(1, 11)),
        "kept": (0.5, 0.3, 0.4, 0.6, 0.7, 0.8),
    },
    task=mine,
    questions={
        """\
Из отчёта: «Мы заменили LSTM на GRU того же размера. Доля верных ответов выросла с 79 до 80 %, эпоха стала короче. Значит,
GRU лучше: у неё меньше вентилей, она не переобучается и помнит дольше. Переводим на неё все задачи».

Что здесь доказано, что нет, и какой опыт вы бы поставили, прежде чем переводить? Назовите хотя бы одну
задачу, где GRU заведомо уступит, и объясните почему. Шесть — десять предложений.""": (
            "1 — один запуск ничего не доказывает, нужны повторы и интервал; "
            "1 — равный H не значит равные сети, шаг обучения подбирают каждой; "
            "1 — счёт или другой верный пример с объяснением через ограниченное состояние; "
            "1 — опыт, у которого есть исход против GRU."
        ),
        """\
Из отчёта: «У нашей обученной GRU вентиль $z$ в среднем по нейронам и символам равен 0,9. За 10 шагов от прошлого остаётся
$0{,}9^{10} \\approx 35$ %, за 50 — 0,5 %. Дальше пятидесяти символов сеть ничего не помнит, и длинные тексты ей можно
не показывать».

Верен ли расчёт для нейрона, у которого $z$ всегда 0,9? Назовите три причины, по которым вывод о всей сети не
следует, и скажите, в какую сторону ошибается каждая. Каким опытом измерить память на самом деле? Шесть — десять
предложений.""": (
            "1 — среднее скрывает разброс: нейрон с z = 0,99 за 50 шагов хранит 60 %, и среднее "
            "произведений больше; "
            "1 — z меняется от символа к символу, считать надо произведение на живом тексте; "
            "1 — прямой путь не единственный: прошлое идёт и через кандидата; "
            "1 — опыт: сменить далёкое начало или взять полную производную и смотреть, меняется ли "
            "ответ, с исходом за и против."
        ),
        """\
Веса GRU из старой библиотеки, где сброс стоит до матрицы, загрузили в `nn.GRU`. Размеры сошлись. На коротких словах ответы
почти прежние, на длинных расходятся, доля верных упала с 91 до 84 %. «Погрешность `float32`, — говорит коллега, — она
накапливается с каждым шагом».

Почему это не погрешность и как показать это одним запуском? Почему короткие слова почти не пострадали? Можно ли
пересчитать веса так, чтобы `nn.GRU` отвечала как прежняя сеть? Что вы сделаете? Шесть — десять предложений.""": (
            "1 — округление портит седьмой знак, а не каждый четырнадцатый ответ; в float64 расхождение "
            "останется; "
            "1 — формы расходятся, когда состояние уже не ноль, и тем дальше, чем больше шагов; "
            "1 — пересчитать нельзя: U (r ⊙ h) и r ⊙ (U h) равны лишь при диагональной U или равных "
            "числах в r; "
            "1 — своя ячейка формы «до» и сверка состояний шаг за шагом, от ненулевого начала; не ещё "
            "одна эпоха."
        ),
    },
)
