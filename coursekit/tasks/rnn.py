"""The assignment «RNN-ячейка и BPTT»: the cell, and gradients by hand (chapters 3, 5).

B rows, T steps, E numbers in an input, H in a state. W is [H, E] and acts on the input, U is [H, H]
and acts on the state; ``own`` is what every state gets from its own output, ∂L_t/∂h_t.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from coursekit.batching import IGNORED
from coursekit.checks import Task
from coursekit.tasks.lstm import MANY, numbers, once, spelt, whole
from coursekit.variants import Variant

Rows = Float[Tensor, "B H"]
Bias = Float[Tensor, "H"]
Inflow = Float[Tensor, "H E"]
Square = Float[Tensor, "H H"]
Cases = Iterator[tuple[str, tuple[Any, ...]]]

FORBIDDEN = frozenset(
    {
        "coursekit.cells",
        "coursekit.layers",
        "torch.nn.modules.rnn",
        "rnn_tanh",
        "rnn_tanh_cell",
        "torch.autograd",
    }
)


def step(x: Float[Tensor, "B E"], h: Rows, W: Inflow, U: Square, b: Bias, b2: Bias) -> Rows:
    """Return the new h."""
    return torch.tanh(x @ W.T + b + h @ U.T + b2)


def rnn(
    x: Float[Tensor, "B T E"], h: Rows, W: Inflow, U: Square, b: Bias, b2: Bias
) -> tuple[Float[Tensor, "B T H"], Rows]:
    """Return the h of all steps and the last one."""
    states = []
    for x_t in x.unbind(1):
        h = step(x_t, h, W, U, b, b2)
        states.append(h)
    return torch.stack(states, dim=1), h


def loss_gradient(
    logits: Float[Tensor, "B T V"], targets: Int[Tensor, "B T"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "B T V"]]:
    """Return the mean cross-entropy of the targets that count, and its gradient by the logits."""
    loss = F.cross_entropy(logits.transpose(1, 2), targets)
    real = (targets != IGNORED)[..., None]
    return loss, (logits.softmax(-1) - _one_hot(logits, targets)) * real / real.sum()


def step_back(
    g: Rows, x: Float[Tensor, "B E"], before: Rows, after: Rows, W: Inflow, U: Square
) -> tuple[Float[Tensor, "B E"], Rows, Inflow, Square, Bias]:
    """Return the gradients by x, the state before, W, U and b, from ``g``, that by the new state."""
    return _back((1 - after**2) * g, x, before, W, U)


def bptt(
    x: Float[Tensor, "B T E"],
    h: Rows,
    own: Float[Tensor, "B T H"],
    W: Inflow,
    U: Square,
    b: Bias,
) -> tuple[Inflow, Square, Bias, Rows]:
    """Return the gradients by W, U, b and the state before the first step."""
    return _bptt(x, h, own, W, U, b)


def truncated_bptt(
    x: Float[Tensor, "B T E"],
    h: Rows,
    own: Float[Tensor, "B T H"],
    W: Inflow,
    U: Square,
    b: Bias,
    window: int,
) -> tuple[Inflow, Square, Bias]:
    """Return the gradients by W, U and b that do not cross the borders of windows."""
    return _windows(x, h, own, W, U, b, range(0, x.shape[1], window))


def _one_hot(logits: Any, targets: Any) -> Any:
    return F.one_hot(targets.clamp(min=0), logits.shape[-1]).to(logits)


def _back(
    delta: Tensor, x: Tensor, before: Tensor, W: Tensor, U: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return delta @ W, delta @ U, delta.T @ x, delta.T @ before, delta.sum(0)


def _bptt(
    x: Any,
    h: Any,
    own: Any,
    W: Any,
    U: Any,
    b: Any,
    slope: Callable[[Any, Any], Any] = lambda before, after: 1 - after**2,
    flow: Callable[[Any, Any, Any], Any] = lambda g, delta, U: delta @ U,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """BPTT with a ``slope`` of tanh and a ``flow`` into the past that a mistake may replace."""
    states = torch.cat([h[:, None], rnn(x, h, W, U, b, b * 0)[0]], dim=1)
    future, found = torch.zeros_like(h), [torch.zeros_like(w) for w in (W, U, b)]
    for t in reversed(range(x.shape[1])):
        before, after = states[:, t], states[:, t + 1]
        g = own[:, t] + future
        delta = slope(before, after) * g
        parts = _back(delta, x[:, t], before, W, U)[2:]
        found = [total + part for total, part in zip(found, parts, strict=True)]
        future = flow(g, delta, U)
    dW, dU, db = found
    return dW, dU, db, future


def _windows(
    x: Any,
    h: Any,
    own: Any,
    W: Any,
    U: Any,
    b: Any,
    starts: Sequence[int],
    begin: Callable[[Any, Any], Any] = lambda first, last: last,
) -> tuple[Tensor, Tensor, Tensor]:
    """BPTT from each of ``starts`` to the next one, the gradients added.

    ``begin`` gives the state that a window begins with, from the first one and the last one.
    """
    found, last = [torch.zeros_like(w) for w in (W, U, b)], h
    for left, right in zip(starts, [*starts[1:], x.shape[1]], strict=True):
        piece, start = slice(left, right), begin(h, last)
        parts = _bptt(x[:, piece], start, own[:, piece], W, U, b)[:3]
        found = [total + part for total, part in zip(found, parts, strict=True)]
        last = rnn(x[:, piece], start, W, U, b, b * 0)[1]
    dW, dU, db = found
    return dW, dU, db


def _weights(random: torch.Generator, E: int, H: int) -> tuple[Any, ...]:
    return numbers(random, H, E), 0.7 * numbers(random, H, H), numbers(random, H)


def _step_cases(random: torch.Generator) -> Cases:
    for label, rows, E, H in (
        ("вход не шире состояния", 3, 4, 4),
        ("пакет", whole(random, 2, 5), whole(random, 2, 4), whole(random, 5, 7)),
        ("одна строка", 1, whole(random, 5, 7), whole(random, 2, 4)),
    ):
        W, U, b = _weights(random, E, H)
        yield label, (numbers(random, rows, E), numbers(random, rows, H), W, U, b, b.flip(0) + 1)


def _rnn_cases(random: torch.Generator) -> Cases:
    side = whole(random, 3, 5)
    for label, rows, steps in (
        ("строк столько же, сколько шагов", side, side),
        ("пакет", whole(random, 2, 4), whole(random, 5, 7)),
        ("одна строка", 1, whole(random, 3, 6)),
        ("один шаг", 3, 1),
    ):
        E, H = whole(random, 2, 3), whole(random, 4, 5)
        W, U, b = _weights(random, E, H)
        x, h = numbers(random, rows, steps, E), numbers(random, rows, H)
        yield label, (x, h, W, U, b, b.flip(0) + 1)


def _loss_gradient_cases(random: torch.Generator) -> Cases:
    for label, rows, steps in (("пакет", 3, whole(random, 5, 7)), ("одна строка", 1, 4)):
        V = whole(random, 3, 6)
        targets = torch.randint(V, (rows, steps), generator=random)
        targets[-1, -2:] = IGNORED
        yield f"{label} с дополнением", (2 * numbers(random, rows, steps, V), targets)
    logits, targets = numbers(random, 2, 3, 4), torch.randint(4, (2, 3), generator=random)
    yield "без дополнения", (logits, targets)
    yield "логиты больше тысячи", (logits + 2000, targets)
    many = numbers(random, 1, 2, MANY)
    yield f"словарь в {MANY} слов", (many, torch.randint(MANY, (1, 2), generator=random))


def _step_back_cases(random: torch.Generator) -> Cases:
    for label, (x, h, W, U, b, b2) in _step_cases(random):
        after = step(x, h, W, U, b, b2)
        yield label, (numbers(random, *h.shape), x, h, after, W, U)


def _bptt_cases(random: torch.Generator) -> Cases:
    for label, (x, h, W, U, b, _) in _rnn_cases(random):
        if label != "строк столько же, сколько шагов":
            yield label, (x, h, numbers(random, *x.shape[:2], len(b)), W, U, b)
    x, h, W, U, b = numbers(random, 2, 5, 3), numbers(random, 2, 3), *_weights(random, 3, 3)
    own = torch.zeros_like(x)
    own[:, -1] = numbers(random, 2, 3)
    yield "потери только на последнем шаге", (x, h, own, W, U, b)


def _truncated_bptt_cases(random: torch.Generator) -> Cases:
    for label, rows, steps, window in (
        ("T = 7, окно 3", whole(random, 2, 4), 7, 3),
        ("T = 6, окно 2, одна строка", 1, 6, 2),
        ("окно в один шаг", 2, 4, 1),
        ("окно шире строки", 2, 4, 9),
    ):
        E, H = whole(random, 2, 3), whole(random, 4, 5)
        W, U, b = _weights(random, E, H)
        x, h = numbers(random, rows, steps, E), numbers(random, rows, H)
        yield label, (x, h, numbers(random, rows, steps, H), W, U, b, window)


def _then(answer: Any, change: Any) -> Any:
    return change(*answer)


def _in_wrong_order(x: Any, h: Any, W: Any, U: Any, b: Any, b2: Any) -> Any:
    states, last = rnn(x.transpose(0, 1), h, W, U, b, b2)
    return states.transpose(0, 1), last


def _loss(logits: Any, targets: Any, gradient: Any) -> Any:
    real = (targets != IGNORED)[..., None]
    answer = loss_gradient(logits, targets)
    return answer[0], gradient(logits.softmax(-1), _one_hot(logits, targets), real)


def _everything_counts(logits: Any, targets: Any) -> Any:
    real = (targets != IGNORED)[..., None]
    share = real.double().mean()
    loss, gradient = loss_gradient(logits, targets)
    return loss * share, gradient * share


def _naive(logits: Any, targets: Any) -> Any:
    real = (targets != IGNORED)[..., None]
    p = logits.exp() / logits.exp().sum(-1, keepdim=True)
    wanted = _one_hot(logits, targets)
    loss = -((p * wanted).sum(-1).log() * real[..., 0]).sum() / real.sum()
    return loss, (p - wanted) * real / real.sum()


STEP = Task(
    "step",
    step,
    _step_cases,
    {
        "забыт tanh: без него ячейка линейна.": lambda x, h, W, U, b, b2: (
            x @ W.T + b + h @ U.T + b2
        ),
        "tanh берут от всей суммы, а не от её половин.": lambda x, h, W, U, b, b2: (
            torch.tanh(x @ W.T + b) + torch.tanh(h @ U.T + b2)
        ),
        "прошлое тоже проходит через tanh: он берётся от всей суммы.": lambda x, h, W, U, b, b2: (
            torch.tanh(x @ W.T + b) + h @ U.T + b2
        ),
        "у этой ячейки tanh, а не сигмоида.": lambda x, h, W, U, b, b2: torch.sigmoid(
            x @ W.T + b + h @ U.T + b2
        ),
        "у этой ячейки tanh, а не ReLU.": lambda x, h, W, U, b, b2: torch.relu(
            x @ W.T + b + h @ U.T + b2
        ),
        "векторы лежат строками, поэтому U h — это h @ U.T; у вас h @ U.": lambda x, h, W, U, b, b2: (
            step(x, h, W, U.T, b, b2)
        ),
        "векторы лежат строками, поэтому W x — это x @ W.T; у вас x @ W.": lambda x, h, W, U, b, b2: (
            step(x, h, W.T, U, b, b2)
        ),
        "обе матрицы не транспонированы: векторы лежат строками, нужны W.T и U.T.": lambda x, h, W, U, b, b2: (
            step(x, h, W.T, U.T, b, b2)
        ),
        "сеть не видит прошлого состояния h.": lambda x, h, W, U, b, b2: step(
            x, h * 0, W, U, b, b2
        ),
        "потерян второй сдвиг, b2.": lambda x, h, W, U, b, b2: step(x, h, W, U, b, b2 * 0),
        "потерян первый сдвиг, b.": lambda x, h, W, U, b, b2: step(x, h, W, U, b * 0, b2),
        "потеряны сдвиги b и b2.": lambda x, h, W, U, b, b2: step(x, h, W, U, b * 0, b2 * 0),
    },
    FORBIDDEN,
)

RNN = Task(
    "rnn",
    rnn,
    _rnn_cases,
    {
        "пакет и время перепутаны: x — это [B, T, E], шаги идут по второй оси, x[:, t].": _in_wrong_order,
        "каждый шаг начинается с h, данного вначале: состояние не переходит от шага к шагу.": lambda x, h, W, U, b, b2: (
            step(x, h[:, None], W, U, b, b2),
            step(x[:, -1], h, W, U, b, b2),
        ),
        "строка прочитана с конца.": lambda x, h, W, U, b, b2: _then(
            rnn(x.flip(1), h, W, U, b, b2), lambda states, last: (states.flip(1), last)
        ),
        "строка прочитана с конца, и состояния стоят задом наперёд.": lambda x, h, W, U, b, b2: rnn(
            x.flip(1), h, W, U, b, b2
        ),
        "первый шаг начинается с данного h, а не с нулей.": lambda x, h, W, U, b, b2: rnn(
            x, h * 0, W, U, b, b2
        ),
        "на месте t стоит состояние до шага, а нужно после него.": lambda x, h, W, U, b, b2: _then(
            rnn(x, h, W, U, b, b2),
            lambda states, last: (torch.cat([h[:, None], states[:, :-1]], 1), last),
        ),
        "последнее состояние — после последнего шага, у вас после первого.": lambda x, h, W, U, b, b2: (
            _then(rnn(x, h, W, U, b, b2), lambda states, last: (states, states[:, 0]))
        ),
        "последнее состояние — после последнего шага, а вернулось данное h.": lambda x, h, W, U, b, b2: (
            rnn(x, h, W, U, b, b2)[0],
            h,
        ),
        "на всех местах стоит последнее состояние, а нужны состояния всех шагов.": lambda x, h, W, U, b, b2: (
            _then(
                rnn(x, h, W, U, b, b2),
                lambda states, last: (last[:, None].expand_as(states), last),
            )
        ),
    },
    FORBIDDEN,
)

LOSS_GRADIENT = Task(
    "loss_gradient",
    loss_gradient,
    _loss_gradient_cases,
    {
        "дополнение попало в счёт: делите на число целей, не равных −100.": _everything_counts,
        "потери усреднены верно, а градиент поделён на все B · T мест: делите на число настоящих целей.": lambda logits, targets: (
            _loss(logits, targets, lambda p, y, real: (p - y) * real / real.numel())
        ),
        "у дополнения градиент не нулевой: умножьте его на маску настоящих целей.": lambda logits, targets: (
            _loss(
                logits,
                targets,
                lambda p, y, real: torch.where(real, p - y, p) / real.sum(),
            )
        ),
        "цель −100 принята за номер токена: у дополнения градиент нулевой.": lambda logits, targets: (
            _loss(logits, targets, lambda p, y, real: (p - y) / real.sum())
        ),
        "потери — среднее, значит, и градиент нужно поделить на число целей.": lambda logits, targets: (
            _loss(logits, targets, lambda p, y, real: (p - y) * real)
        ),
        "нужно среднее по целям, а это сумма.": lambda logits, targets: tuple(
            part * (targets != IGNORED).sum() for part in loss_gradient(logits, targets)
        ),
        "знак: градиент — p − 1_y, а не наоборот.": lambda logits, targets: _loss(
            logits, targets, lambda p, y, real: (y - p) * real / real.sum()
        ),
        "из вероятностей на месте верного токена нужно вычесть единицу: p − 1_y.": lambda logits, targets: (
            _loss(logits, targets, lambda p, y, real: p * real / real.sum())
        ),
        "softmax взят не по той оси: вероятности складываются в единицу по V, последней.": lambda logits, targets: (
            loss_gradient(logits, targets)[0],
            _loss(
                logits,
                targets,
                lambda p, y, real: (logits.softmax(1) - y) * real / real.sum(),
            )[1],
        ),
        "exp больших логитов — бесконечность; softmax из PyTorch сперва вычитает наибольший.": _naive,
    },
    FORBIDDEN,
    differentiable=False,
    operations=MANY // 2,
)

STEP_BACK = Task(
    "step_back",
    step_back,
    _step_back_cases,
    {
        "потеряна производная tanh: сначала δ = (1 − h²) ⊙ g.": lambda g, x, before, after, W, U: (
            _back(g, x, before, W, U)
        ),
        "производная tanh выражается через новое состояние: 1 − after², а не before.": lambda g, x, before, after, W, U: (
            _back((1 - before**2) * g, x, before, W, U)
        ),
        "h (1 − h) — производная сигмоиды, а у tanh она 1 − h².": lambda g, x, before, after, W, U: (
            _back(after * (1 - after) * g, x, before, W, U)
        ),
        "after уже прошло через tanh: производная — 1 − after², второй раз tanh не берут.": lambda g, x, before, after, W, U: (
            _back((1 - after.tanh() ** 2) * g, x, before, W, U)
        ),
        "производная tanh — 1 − h², а не 1 − h.": lambda g, x, before, after, W, U: _back(
            (1 - after) * g, x, before, W, U
        ),
        "градиент по прошлому состоянию — U⊤ δ, строками это δ @ U; у вас δ @ U.T.": lambda g, x, before, after, W, U: (
            _then(
                step_back(g, x, before, after, W, U),
                lambda dx, dh, *rest: (dx, ((1 - after**2) * g) @ U.T, *rest),
            )
        ),
        "в прошлое уходит U⊤ δ, а не U⊤ g: производную tanh нужно учесть и здесь.": lambda g, x, before, after, W, U: (
            _then(
                step_back(g, x, before, after, W, U),
                lambda dx, dh, *rest: (dx, g @ U, *rest),
            )
        ),
        "градиент по U — это δ на состояние *до* шага: U умножалась на before.": lambda g, x, before, after, W, U: (
            _then(
                step_back(g, x, before, after, W, U),
                lambda dx, dh, dW, dU, db: (dx, dh, dW, ((1 - after**2) * g).T @ after, db),
            )
        ),
        "градиент по U транспонирован: δ — столбец, before — строка.": lambda g, x, before, after, W, U: (
            _then(
                step_back(g, x, before, after, W, U),
                lambda dx, dh, dW, dU, db: (dx, dh, dW, dU.T, db),
            )
        ),
        "веса у строк пакета общие: вклады строк складывают, а не усредняют.": lambda g, x, before, after, W, U: (
            _then(
                step_back(g, x, before, after, W, U),
                lambda dx, dh, *weights: (dx, dh, *(w / len(x) for w in weights)),
            )
        ),
    },
    FORBIDDEN,
    differentiable=False,
)

BPTT = Task(
    "bptt",
    bptt,
    _bptt_cases,
    {
        "потеряно будущее: к own прибавьте U⊤ δ следующего шага.": lambda x, h, own, W, U, b: _bptt(
            x, h, own, W, U, b, flow=lambda g, delta, U: delta * 0
        ),
        "потеряно будущее: g на шаге t — это own[:, t] плюс U⊤ δ шага t + 1.": lambda x, h, own, W, U, b: (
            *_bptt(x, h, own, W, U, b, flow=lambda g, delta, U: delta * 0)[:3],
            _bptt(x[:, :1], h, own[:, :1], W, U, b)[3],
        ),
        "учтены только потери последнего шага: у каждого шага есть свои, own[:, t].": lambda x, h, own, W, U, b: (
            _bptt(
                x,
                h,
                torch.cat([own[:, :-1] * 0, own[:, -1:]], 1),
                W,
                U,
                b,
            )
        ),
        "из будущего приходит U⊤ δ, без матрицы U градиент не вернуть.": lambda x, h, own, W, U, b: (
            _bptt(x, h, own, W, U, b, flow=lambda g, delta, U: delta)
        ),
        "из будущего приходит U⊤ δ, а не U⊤ g: производная tanh потеряна.": lambda x, h, own, W, U, b: (
            _bptt(x, h, own, W, U, b, flow=lambda g, delta, U: g @ U)
        ),
        "из будущего приходит U⊤ δ, строками это δ @ U; у вас δ @ U.T.": lambda x, h, own, W, U, b: (
            _bptt(x, h, own, W, U, b, flow=lambda g, delta, U: delta @ U.T)
        ),
        "производная tanh на шаге t выражается через состояние после него, 1 − h_t².": lambda x, h, own, W, U, b: (
            _bptt(x, h, own, W, U, b, slope=lambda before, after: 1 - before**2)
        ),
        "потеряна производная tanh: δ = (1 − h²) ⊙ g.": lambda x, h, own, W, U, b: _bptt(
            x, h, own, W, U, b, slope=lambda before, after: 1
        ),
        "градиент по U — сумма δ_t h_{t−1}⊤, состояние берётся *до* шага.": lambda x, h, own, W, U, b: (
            _then(
                _bptt(x, h, own, W, U, b),
                lambda dW, dU, db, dh: (dW, _with_the_states_after(x, h, own, W, U, b), db, dh),
            )
        ),
        "вклады шагов складывают, а у вас остался один: += вместо =.": lambda x, h, own, W, U, b: (
            _only_first(x, h, own, W, U, b)
        ),
        "вклады шагов складывают, а не усредняют.": lambda x, h, own, W, U, b: _then(
            _bptt(x, h, own, W, U, b),
            lambda dW, dU, db, dh: (*(w / x.shape[1] for w in (dW, dU, db)), dh),
        ),
        "первый шаг начинается с данного h, а не с нулей.": lambda x, h, own, W, U, b: _bptt(
            x, h * 0, own, W, U, b
        ),
    },
    FORBIDDEN,
    differentiable=False,
)


def _deltas(x: Any, h: Any, own: Any, W: Any, U: Any, b: Any) -> Any:
    """Return the states [B, T + 1, H] and the δ of all steps."""
    states = torch.cat([h[:, None], rnn(x, h, W, U, b, b * 0)[0]], dim=1)
    future = torch.zeros_like(h)
    deltas: list[Tensor] = []
    for t in reversed(range(x.shape[1])):
        deltas.insert(0, (1 - states[:, t + 1] ** 2) * (own[:, t] + future))
        future = deltas[0] @ U
    return states, torch.stack(deltas, 1)


def _with_the_states_after(x: Any, h: Any, own: Any, W: Any, U: Any, b: Any) -> Any:
    states, deltas = _deltas(x, h, own, W, U, b)
    return torch.einsum("bti,btj->ij", deltas, states[:, 1:])


def _only_first(x: Any, h: Any, own: Any, W: Any, U: Any, b: Any) -> Any:
    _, deltas = _deltas(x, h, own, W, U, b)
    _, dh, *weights = _back(deltas[:, 0], x[:, 0], h, W, U)
    return (*weights, dh)


TRUNCATED_BPTT = Task(
    "truncated_bptt",
    truncated_bptt,
    _truncated_bptt_cases,
    {
        "градиент перешёл границу окна: в начале окна состояние — просто число, без истории.": lambda x, h, own, W, U, b, window: (
            _bptt(x, h, own, W, U, b)[:3]
        ),
        "на границе обрывают градиент, а состояние идёт дальше; у вас окно начинается с нулей.": lambda x, h, own, W, U, b, window: (
            _windows(
                x,
                h,
                own,
                W,
                U,
                b,
                range(0, x.shape[1], window),
                lambda first, last: last * float(last is first),
            )
        ),
        "окно начинается с состояния, которым кончилось прошлое, а не с данного вначале h.": lambda x, h, own, W, U, b, window: (
            _windows(x, h, own, W, U, b, range(0, x.shape[1], window), lambda first, last: first)
        ),
        "учтено только последнее окно: вклады окон складывают.": lambda x, h, own, W, U, b, window: (
            _last_window(x, h, own, W, U, b, window)
        ),
        "окна нарезаны с конца, а нужно с начала: короче прочих бывает последнее.": lambda x, h, own, W, U, b, window: (
            _windows(
                x, h, own, W, U, b, [0, *range(x.shape[1] % window or window, x.shape[1], window)]
            )
        ),
        "неполное последнее окно потеряно.": lambda x, h, own, W, U, b, window: truncated_bptt(
            x[:, : x.shape[1] // window * window],
            h,
            own[:, : x.shape[1] // window * window],
            W,
            U,
            b,
            window,
        ),
        "граница сдвинута на шаг: в окне window шагов, у вас на один больше.": lambda x, h, own, W, U, b, window: (
            truncated_bptt(x, h, own, W, U, b, window + 1)
        ),
    },
    FORBIDDEN,
    differentiable=False,
)


def _last_window(x: Any, h: Any, own: Any, W: Any, U: Any, b: Any, window: int) -> Any:
    begin = (x.shape[1] - 1) // window * window
    states, _ = rnn(x, h, W, U, b, b * 0)
    start = states[:, begin - 1] if begin else h
    return _bptt(x[:, begin:], start, own[:, begin:], W, U, b)[:3]


TASKS = (STEP, RNN, LOSS_GRADIENT, STEP_BACK, BPTT, TRUNCATED_BPTT)


def mine(phrase: str, seed: int, width: int) -> Task:
    """Return the task: how far from the gradient by U is that of windows, as a share of it."""
    H, rows, random = 8, spelt(phrase)[None], torch.Generator().manual_seed(seed)
    V = rows.shape[-1]
    W, U, Q = numbers(random, H, V), numbers(random, H, H) / H**0.5, numbers(random, V, H)
    zeros = torch.zeros(H, dtype=torch.float64)

    @cache
    def gradients(by: int = 1, ahead: int = 1) -> tuple[Any, Any]:
        """The whole gradient by W or U and that of windows; targets stand ``ahead`` of inputs."""
        x, h = rows[:, :-1], zeros[None]
        targets = rows[:, ahead : ahead + x.shape[1]].argmax(-1)
        states, _ = rnn(x, h, W, U, zeros, zeros)
        given = x, h, loss_gradient(states @ Q.T, targets)[1] @ Q, W, U, zeros
        return bptt(*given)[by], truncated_bptt(*given, width)[by]

    def apart(full: Any, cut: Any, of: Any) -> float:
        return float((full - cut).norm() / of.norm())

    return Task(
        "mine",
        lambda: apart(*(found := gradients()), found[0]),
        once,
        {
            "это длина разности: поделите её на длину полного градиента.": lambda: apart(
                *gradients(), torch.ones(1)
            ),
            "делят на длину полного градиента, а у вас — усечённого.": lambda: apart(
                *(found := gradients()), found[1]
            ),
            "цели не сдвинуты: сеть угадывает букву, которую ей только что подали.": lambda: apart(
                *(found := gradients(ahead=0)), found[0]
            ),
            "это градиент по W, а нужен по U.": lambda: apart(
                *(found := gradients(by=0)), found[0]
            ),
        },
        FORBIDDEN,
        differentiable=False,
    )


MINE = Variant(
    constants={
        "phrase": (
            "кот поймал рыбу",
            "паром скрипит у причала",
            "снег лежит на крыше",
            "вера ставит самовар",
            "мост через тихую реку",
            "почта придёт в среду",
            "ветер переменился",
            "яблоки пахнут на весь дом",
        ),
        "seed": tuple(range(1, 11)),
        "width": (3, 2, 4, 5, 6),
    },
    task=mine,
    questions={
        """\
Два студента учат одинаковые сети угадывать следующее слово отзыва; отзывы дополнены до 200 слов. У
первого потери вдвое ниже, а настоящие слова на проверке он угадывает реже. Оба уверены, что градиент у них
верный: у обоих он сошёлся с autograd до $10^{-12}$. Назовите хотя бы две причины, по которым так может
быть, и для каждой — проверку, которая её подтвердит или отвергнет. Почему сверка с autograd тут ничего
не доказала? Пять — восемь предложений.""": (
            "1 — сказано, что autograd проверяет производную, а не выбор потерь; "
            "1 — дополнение в потерях; 1 — вторая причина, иная по сути; "
            "1 — для обеих есть проверка, исход которой мог бы причину опровергнуть."
        ),
        """\
Классификатор отзывов усредняет состояния RNN по строке. Коллега заметил: один и тот же отзыв получает разные
ответы, смотря по тому, с кем попал в пакет. Он предлагает два лекарства: составлять пакеты из отзывов
близкой длины и дополнять строки не справа, а слева. Почему ответ зависел от соседей? Что исправит и что
оставит каждое лекарство? Как исправить до конца и каким тестом на двух строках это доказать? Пять — восемь
предложений.""": (
            "1 — среднее взято по ширине пакета: состояния на дополнении попали и в сумму, и в "
            "знаменатель; "
            "1 — близкие длины ошибку уменьшают, но ответ по-прежнему зависит от соседей; "
            "1 — слева: последнее состояние настоящее, но сеть начинает отзыв уже не с нуля из-за "
            "сдвигов, и среднее по-прежнему разбавлено; "
            "1 — маска и деление на свою длину; тест: строка одна и рядом с длинной, ответы обязаны "
            "совпасть."
        ),
        """\
Из отчёта: «Поток режем на окна по 16 шагов. Мы сравнили усечённый градиент по $U$ с полным на свежей `nn.RNN` и
случайном шуме: косинус 0,99. Значит, окна ничего не портят, и сеть выучит зависимости любой длины». Почему
косинус вышел таким? Почему вывод из него не следует? Может ли сеть, обученная окнами, помнить то, что
было за границей окна? Какой опыт показал бы, что окно мешает? Пять — восемь предложений.""": (
            "1 — у свежей сети дальний градиент и так затух, отрезать было почти нечего; "
            "1 — в шуме дальних зависимостей нет, а у обученной сети или ортогональной U косинус будет "
            "другим; "
            "1 — состояние через границу проходит, но удерживать его дольше окна сеть никто не учит; "
            "1 — опыт: ответ стоит дальше 16 шагов, сравнить окна 16 и шире, назван исход каждой "
            "догадки."
        ),
    },
)
