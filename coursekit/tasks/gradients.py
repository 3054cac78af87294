"""The assignment «Градиенты»: how far they reach, what bounds and what saves them (chapter 5).

H numbers in a state, T steps, B rows. U is [H, H] and acts on the state; J_t = ∂h_t / ∂h_{t-1}.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from coursekit.checks import Task
from coursekit.tasks.lstm import numbers, once, spelt, whole
from coursekit.variants import Variant

Square = Float[Tensor, "H H"]
Jacobians = Float[Tensor, "T H H"]
Cases = Iterator[tuple[str, tuple[Any, ...]]]

FORBIDDEN = frozenset({"torch.autograd", "torch.nn.init", "torch.nn.utils.clip_grad"})


def jacobians(states: Float[Tensor, "T H"], U: Square) -> Jacobians:
    """Return ∂h_t / ∂h_{t-1} of every step of h_t = tanh(W x_t + U h_{t-1} + b)."""
    return torch.diag_embed(1 - states**2) @ U


def norms_by_lag(g: Float[Tensor, "H"], J: Jacobians) -> Float[Tensor, "T"]:
    """Return the norm of the gradient 1, 2, …, T steps before the state whose gradient is ``g``."""
    return _norms(g, J.flip(0), lambda J_t, g: J_t.T @ g)


def sigma_rho(U: Square) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the largest singular value and the spectral radius."""
    return torch.linalg.svdvals(U)[0], torch.linalg.eigvals(U).abs().max()


def clip(
    gradients: tuple[Float[Tensor, "..."], ...], c: float
) -> tuple[Float[Tensor, ""], tuple[Float[Tensor, "..."], ...]]:
    """Return the common norm of all gradients, and them, made together no longer than ``c``."""
    norm = _norm(gradients)
    share = (c / norm).clamp(max=1)
    return norm, tuple(g * share for g in gradients)


def orthogonal(A: Square) -> Square:
    """Return Q of A = QR, R with a positive diagonal."""
    Q, R = torch.linalg.qr(A)
    turned: Tensor = Q * R.diagonal().sign()
    return turned


def copying(
    word: Int[Tensor, "B S"], lag: int, K: int
) -> tuple[Int[Tensor, "B N"], Int[Tensor, "B N"]]:
    """Return what the network reads and what it must say, N = lag + 2·S."""
    return _copying(word, lag, K)


def _norm(gradients: Any) -> Tensor:
    return torch.stack([(g**2).sum() for g in gradients]).sum().sqrt()


def _norms(g: Tensor, J: Any, back: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the norms of ``g`` after ``back`` through each of ``J``, in this order."""
    found = []
    for J_t in J:
        g = back(J_t, g)
        found.append(g.norm())
    return torch.stack(found)


def _copying(
    word: Tensor, lag: int, K: int, shift: int = 0, silence: int | None = None
) -> tuple[Tensor, Tensor]:
    """The task with the sign moved by ``shift`` and ``silence`` said in place of blanks."""
    rows, S = word.shape
    ids = word.new_full((rows, lag + 2 * S), K)
    answer = word.new_full(ids.shape, K if silence is None else silence)
    ids[:, :S] = word
    ids[:, S + lag - 1 + shift] = K + 1
    answer[:, -S:] = word
    return ids, answer


def _jacobians_cases(random: torch.Generator) -> Cases:
    for label, steps, H in (
        ("несколько шагов", whole(random, 4, 6), whole(random, 2, 3)),
        ("один шаг", 1, 4),
        ("шагов столько же, сколько чисел в состоянии", 3, 3),
    ):
        yield label, (numbers(random, steps, H).tanh(), numbers(random, H, H))
    states = numbers(random, 3, 3).tanh()
    states[1] = 1
    yield "tanh насыщен, h = 1", (states, numbers(random, 3, 3))


def _norms_by_lag_cases(random: torch.Generator) -> Cases:
    for label, steps in (("несколько шагов", whole(random, 4, 6)), ("один шаг", 1)):
        H = whole(random, 3, 5)
        yield label, (numbers(random, H), numbers(random, steps, H, H))
    J = numbers(random, 5, 3, 3)
    J[2] = 0
    yield "на одном шаге всё забыто, J = 0", (numbers(random, 3), J)
    yield "сто шагов затухания", (numbers(random, 3), 0.1 * numbers(random, 100, 3, 3))


def _sigma_rho_cases(random: torch.Generator) -> Cases:
    angle = 1.8 + numbers(random, 1).sigmoid()
    cos, sin = torch.cos(angle), torch.sin(angle)
    yield "поворот с растяжением", (1.5 * torch.cat([cos, -sin, sin, cos]).view(2, 2),)
    U = torch.tensor([[1.0, 1.0, 0.0], [0.0, -3.0, 1.0], [0.0, 0.0, 2.0]]).double()
    yield "большое отрицательное собственное число", (U,)
    H = whole(random, 3, 5)
    yield "случайная матрица", (numbers(random, H, H),)
    yield "радиус меньше единицы, а растягивает", (torch.tensor([[0.9, 2.0], [0.0, 0.8]]).double(),)
    yield "одно число", (-1 - numbers(random, 1, 1) ** 2,)


def _clip_cases(random: torch.Generator) -> Cases:
    def gradients() -> tuple[Tensor, ...]:
        return numbers(random, 2, 3), numbers(random, 2, 2), 3 * numbers(random, 2)

    long, short = gradients(), gradients()
    yield "длинный градиент", (long, 0.2 * _norm(long).item())
    yield "короткий градиент", (short, 2.0 * _norm(short).item())
    single = (numbers(random, 2, 2),)
    yield "один тензор", (single, 0.5 * _norm(single).item())
    yield "градиент — нули", (tuple(0 * g for g in gradients()), 1.0)


def _orthogonal_cases(random: torch.Generator) -> Cases:
    for label, H in (("матрица", whole(random, 4, 6)), ("три на три", 3)):
        A = numbers(random, H, H) + 4 * H**0.5 * torch.eye(H)
        # Householder turns the first column over and leaves the second one.
        signs = torch.randint(2, (H,), generator=random) * 2 - 1
        signs[0], signs[1] = 1, -1
        yield label, (A * signs,)
    yield "одно число", (-1 - numbers(random, 1, 1) ** 2,)


def _copying_cases(random: torch.Generator) -> Cases:
    for label, rows, S, lag in (
        ("пакет", whole(random, 2, 4), whole(random, 3, 5), whole(random, 4, 8)),
        ("пауза в один такт", 2, 3, 1),
        ("одна строка, одна буква", 1, 1, 5),
    ):
        K = whole(random, 6, 9)
        word = torch.stack([torch.randperm(K, generator=random)[:S] for _ in range(rows)])
        yield f"{label}: S = {S}, T = {lag}, K = {K}", (word, lag, K)


def _scaled(gradients: Any, share: Callable[[Any], Any]) -> Any:
    return _norm(gradients), tuple(g * share(g) for g in gradients)


def _shared(gradients: Any, norm: Any, share: Any) -> Any:
    return norm, tuple(g * share for g in gradients)


JACOBIANS = Task(
    "jacobians",
    jacobians,
    _jacobians_cases,
    {
        "это U diag(1 − h²): множители стоят у столбцов, а нужны у строк, D U.": lambda states, U: (
            U * (1 - states**2)[:, None, :]
        ),
        "якобиан транспонирован: строки — числа h_t, столбцы — числа h_{t−1}.": lambda states, U: (
            jacobians(states, U).mT
        ),
        "потеряна производная tanh: J = diag(1 − h²) U.": lambda states, U: U.expand(
            len(states), -1, -1
        ),
        "производная tanh — 1 − h², а не 1 − h.": lambda states, U: (1 - states)[..., None] * U,
        "h уже прошло через tanh: производная — 1 − h², второй раз tanh не берут.": lambda states, U: (
            (1 - states.tanh() ** 2)[..., None] * U
        ),
        "h (1 − h) — производная сигмоиды, а у tanh она 1 − h².": lambda states, U: (
            (states * (1 - states))[..., None] * U
        ),
        "это одни D без матрицы U.": lambda states, U: torch.diag_embed(1 - states**2),
        "перемножать шаги здесь не нужно: у каждого свой якобиан.": lambda states, U: torch.stack(
            [
                torch.linalg.multi_dot(
                    [U.new_ones(1) * torch.eye(len(U)), *jacobians(states, U)[: t + 1]]
                )
                for t in range(len(states))
            ]
        ),
    },
    FORBIDDEN,
)

NORMS_BY_LAG = Task(
    "norms_by_lag",
    norms_by_lag,
    _norms_by_lag_cases,
    {
        "градиент идёт назад через J⊤, а не через J.": lambda g, J: _norms(
            g, J.flip(0), lambda J_t, g: J_t @ g
        ),
        "первым умножают на последний якобиан: назад идут от J[T − 1] к J[0].": lambda g, J: _norms(
            g, J, lambda J_t, g: J_t.T @ g
        ),
        "якобианы взяты с начала и без транспонирования: назад идут от последнего, через J⊤.": lambda g, J: (
            _norms(g, J, lambda J_t, g: J_t @ g)
        ),
        "порядок ответа: сначала один шаг назад, в конце — T шагов.": lambda g, J: norms_by_lag(
            g, J
        ).flip(0),
        "каждый раз умножается исходный g, а нужен тот, что уже прошёл k − 1 шагов.": lambda g, J: (
            (J.mT @ g).norm(dim=1).flip(0)
        ),
        "якобианы на всех шагах разные, а у вас всюду последний.": lambda g, J: _norms(
            g, J[-1].expand_as(J), lambda J_t, g: J_t.T @ g
        ),
        "это квадраты норм: забыт корень.": lambda g, J: norms_by_lag(g, J) ** 2,
        "норма произведения меньше произведения норм: это лишь граница сверху.": lambda g, J: (
            g.norm() * torch.linalg.matrix_norm(J, 2).flip(0).cumprod(0)
        ),
        "сдвиг на шаг: k = 1 — градиент уже прошёл через последний якобиан.": lambda g, J: (
            torch.cat([g.norm()[None], norms_by_lag(g, J)[:-1]])
        ),
        "это наибольшие числа, а нужна длина, корень из суммы квадратов.": lambda g, J: torch.stack(
            [_back_to(g, J, k).abs().max() for k in range(1, len(J) + 1)]
        ),
        "это суммы модулей, а нужна длина, корень из суммы квадратов.": lambda g, J: torch.stack(
            [_back_to(g, J, k).abs().sum() for k in range(1, len(J) + 1)]
        ),
    },
    FORBIDDEN,
    differentiable=False,
)


def _back_to(g: Tensor, J: Tensor, k: int) -> Tensor:
    for J_t in J.flip(0)[:k]:
        g = J_t.T @ g
    return g


SIGMA_RHO = Task(
    "sigma_rho",
    sigma_rho,
    _sigma_rho_cases,
    {
        "порядок ответа — (σ_max, ρ), у вас наоборот.": lambda U: sigma_rho(U)[::-1],
        "собственные числа бывают комплексными и отрицательными: нужен модуль, а у вас вещественная часть.": lambda U: (
            sigma_rho(U)[0],
            torch.linalg.eigvals(U).real.max(),
        ),
        "у комплексного числа a + bi модуль — корень из a² + b², а не |a|.": lambda U: (
            sigma_rho(U)[0],
            torch.linalg.eigvals(U).real.abs().max(),
        ),
        "это норма Фробениуса; наибольшее растяжение — наибольшее сингулярное число.": lambda U: (
            U.norm(),
            sigma_rho(U)[1],
        ),
        "собственные числа U⊤U — квадраты сингулярных: забыт корень.": lambda U: (
            sigma_rho(U)[0] ** 2,
            sigma_rho(U)[1],
        ),
        "радиус — наибольший модуль собственного числа, а это сингулярное.": lambda U: (
            sigma_rho(U)[0],
            sigma_rho(U)[0],
        ),
        "σ_max — наибольшее сингулярное число, а это модуль собственного.": lambda U: (
            sigma_rho(U)[1],
            sigma_rho(U)[1],
        ),
        "eigvalsh — для симметричных матриц, она смотрит на половину U; нужна eigvals.": lambda U: (
            sigma_rho(U)[0],
            torch.linalg.eigvalsh(U).abs().max(),
        ),
        "это наименьшее сингулярное число: svdvals даёт их по убыванию.": lambda U: (
            torch.linalg.svdvals(U)[-1],
            sigma_rho(U)[1],
        ),
    },
    FORBIDDEN,
    differentiable=False,
)

CLIP = Task(
    "clip",
    clip,
    _clip_cases,
    {
        "нулевому градиенту укорачиваться некуда, а у вас 0 / 0.": lambda gradients, c: _shared(
            gradients, _norm(gradients), (c * (n := _norm(gradients)) / n**2).clamp(max=1)
        ),
        "каждый тензор укорочен отдельно, и направление изменилось: норма — одна на все.": lambda gradients, c: (
            _scaled(gradients, lambda g: (c / g.norm()).clamp(max=1))
        ),
        "это обрезка по числам, она меняет направление; нужна по норме.": lambda gradients, c: (
            _norm(gradients),
            tuple(g.clamp(-c, c) for g in gradients),
        ),
        "короткий градиент удлинён: множитель — не больше единицы, min(1, c / ‖g‖).": lambda gradients, c: (
            _shared(gradients, _norm(gradients), c / _norm(gradients))
        ),
        "вернулась норма после обрезки, а нужна до неё.": lambda gradients, c: (
            clip(gradients, c)[0].clamp(max=c),
            clip(gradients, c)[1],
        ),
        "норма всех чисел вместе — не сумма норм: складывают квадраты.": lambda gradients, c: (
            _shared(
                gradients,
                (total := torch.stack([g.norm() for g in gradients]).sum()),
                (c / total).clamp(max=1),
            )
        ),
        "это квадрат нормы: забыт корень.": lambda gradients, c: _shared(
            gradients, _norm(gradients) ** 2, (c / _norm(gradients) ** 2).clamp(max=1)
        ),
        "длинный градиент не укорочен.": lambda gradients, c: (_norm(gradients), gradients),
        "укорочено до единицы, а не до порога c.": lambda gradients, c: _shared(
            gradients, _norm(gradients), (1 / _norm(gradients)).clamp(max=1)
        ),
    },
    FORBIDDEN,
    differentiable=False,
)

ORTHOGONAL = Task(
    "orthogonal",
    orthogonal,
    _orthogonal_cases,
    {
        "диагональ R обязана быть положительной: где она отрицательна, переверните столбец Q.": lambda A: (
            torch.linalg.qr(A).Q
        ),
        "знаки относятся к столбцам Q, а перевёрнуты строки.": lambda A: (
            torch.linalg.qr(A).R.diagonal().sign()[:, None] * torch.linalg.qr(A).Q
        ),
        "диагональ R вышла отрицательной: знаки наоборот.": lambda A: -orthogonal(A),
        "столбцы приведены к длине 1, но не перпендикулярны.": lambda A: A / A.norm(dim=0),
        "строки приведены к длине 1, но не перпендикулярны.": lambda A: (
            A / A.norm(dim=1, keepdim=True)
        ),
        "перпендикулярными сделаны строки, начиная с первой, а нужны столбцы.": lambda A: (
            orthogonal(A.T).T
        ),
        "ответ транспонирован.": lambda A: orthogonal(A).T,
        "вычтены проекции, а к длине 1 столбцы не приведены.": lambda A: (
            orthogonal(A) * torch.linalg.qr(A).R.diagonal().abs()
        ),
        "это ближайшая к A ортогональная матрица, U V⊤ из SVD, а нужна Q из QR.": lambda A: (
            lambda U, _, V: U @ V
        )(*torch.linalg.svd(A)),
        "делить на σ_max мало: остальные сингулярные числа останутся меньше единицы.": lambda A: (
            A / torch.linalg.svdvals(A)[0]
        ),
        "это R, а нужна Q.": lambda A: torch.linalg.qr(A).R,
    },
    FORBIDDEN,
    differentiable=False,
)

COPYING = Task(
    "copying",
    copying,
    _copying_cases,
    {
        "пробелов между словом и знаком «повтори» T − 1, а не T: знак стоит на месте S + T − 1.": lambda word, lag, K: (
            _copying(word, lag, K, shift=1)
        ),
        "знак «повтори» стоит на шаг раньше, чем нужно.": lambda word, lag, K: _copying(
            word, lag, K, shift=-1
        ),
        "нет знака «повтори», K + 1: сеть не узнает, когда отвечать.": lambda word, lag, K: (
            _copying(word, lag, K)[0].clamp(max=K),
            _copying(word, lag, K)[1],
        ),
        "ответ подсмотрен: на последних S местах входа пробелы, а слово — только в ответе.": lambda word, lag, K: (
            torch.cat([_copying(word, lag, K)[0][:, : -word.shape[1]], word], 1),
            _copying(word, lag, K)[1],
        ),
        "ответ стоит в начале, а повторить слово нужно на последних S местах.": lambda word, lag, K: (
            _copying(word, lag, K)[0],
            _copying(word, lag, K)[1].roll(word.shape[1], 1),
        ),
        "слово в ответе задом наперёд: повторять нужно с первой буквы.": lambda word, lag, K: (
            _copying(word, lag, K)[0],
            _copying(word.flip(1), lag, K)[1],
        ),
        "на остальных местах ответа — пробел, номер K, а не нуль: нуль — это буква.": lambda word, lag, K: (
            _copying(word, lag, K, silence=0)
        ),
        "молчать тоже надо учить: на остальных местах ответа пробел, номер K, а не −100.": lambda word, lag, K: (
            _copying(word, lag, K, silence=-100)
        ),
        "номера перепутаны: пробел — K, знак «повтори» — K + 1.": lambda word, lag, K: (
            (lambda ids: torch.where(ids < K, ids, 2 * K + 1 - ids))(_copying(word, lag, K)[0]),
            _copying(word, lag, K)[1],
        ),
        "порядок ответа: сначала то, что сеть читает, потом то, что должна сказать.": lambda word, lag, K: (
            _copying(word, lag, K)[::-1]
        ),
    },
    FORBIDDEN,
)

TASKS = (JACOBIANS, NORMS_BY_LAG, SIGMA_RHO, CLIP, ORTHOGONAL, COPYING)


def mine(text: str, seed: int, stretch: float) -> Task:
    """Return the task: which share of what a linear cell brings to the start of ``text`` tanh leaves."""
    H, letters, random = 8, spelt(text), torch.Generator().manual_seed(seed)
    A, M = numbers(random, H, H), numbers(random, letters.shape[1], H)
    inputs, g = letters @ M / 2, torch.full((H,), H**-0.5, dtype=torch.float64)
    T = len(text)

    def arrived(Q: Any, norms: Any = norms_by_lag) -> float:
        h, states = torch.zeros_like(g), []
        for x in inputs:
            h = torch.tanh(x + stretch * Q @ h)
            states.append(h)
        return float(norms(g, jacobians(torch.stack(states), stretch * Q))[-1])

    return Task(
        "mine",
        lambda: arrived(orthogonal(A)) / stretch**T,
        once,
        {
            "это длина градиента: поделите её на stretch^T, столько дошло бы без tanh.": lambda: (
                arrived(orthogonal(A))
            ),
            "шагов столько же, сколько букв: делят на stretch в степени len(text).": lambda: (
                arrived(orthogonal(A)) / stretch ** (T - 1)
            ),
            "знаки столбцов Q взяты, как дала qr: диагональ R обязана быть положительной.": lambda: (
                arrived(torch.linalg.qr(A).Q) / stretch**T
            ),
            "градиент идёт назад, от последней буквы к первой и через J⊤.": lambda: (
                arrived(orthogonal(A), lambda g, J: _norms(g, J, lambda J_t, g: J_t @ g))
                / stretch**T
            ),
        },
        FORBIDDEN,
        differentiable=False,
    )


MINE = Variant(
    constants={
        "text": (
            "переправа",
            "заречье",
            "телеграмма",
            "колокольня",
            "подорожник",
            "лодочник",
            "сметана",
            "наводнение",
        ),
        "seed": tuple(range(1, 11)),
        "stretch": (1.2, 0.8, 0.9, 1.1, 1.3, 1.5),
    },
    task=mine,
    questions={
        """\
Коллега обучает RNN на копировании с паузой 100. Его рассуждение: «Потери 0,18 — это мало, значит, сеть что-то
помнит. Спектральный радиус $U$ равен 0,98, меньше единицы, поэтому взрыва быть не может, и клиппинг я
выключил. А чтобы дальний градиент стал слышнее, увеличил шаг обучения вдесятеро». В слове 10 букв, алфавит из
8. Разберите каждое из трёх утверждений и предложите измерение, которое покажет, доходит ли градиент до начала.
Пять — восемь предложений.""": (
            "1 — посчитан уровень незнания; "
            "1 — радиус не граница: нужна σ_max или сказано о разных якобианах; "
            "1 — шаг не меняет отношения дальнего к ближнему; "
            "1 — измерение нормы по задержкам с тем, какой исход что значит."
        ),
        """\
Коллега заменил в RNN $\\tanh$ на ReLU: «Производная у неё единица, затухать нечему». $U$ в начале единичная, клиппинг с
порогом 1 включён. На коротких строках сеть учится, на длинных потери временами становятся `nan`, а один запуск встал:
все градиенты ровно нули. Верно ли, что затухать нечему? Откуда `nan` и почему не помог клиппинг? Откуда нули? Что и на
каких шагах измерить, чтобы увидеть каждую из бед заранее? Пять — восемь предложений.""": (
            "1 — производная единица только там, где сумма положительна, и остаётся произведение матриц "
            "U: оно может и затухать, и расти; "
            "1 — состояние ReLU не ограничено, при σ_max > 1 могут расти и оно, и градиент; бесконечную "
            "норму клиппинг не спасает: 0 · ∞ — nan; "
            "1 — нули: суммы отрицательны на всех примерах, нейроны умерли; "
            "1 — измерения: норма градиента по задержкам, норма состояния и доля нулей по шагам, с "
            "тем, что они предвещают."
        ),
        """\
Две RNN с $\\tanh$ решают копирование с паузой 100. Сеть с ортогональной $U$ на старте выучила его, сеть со стартом PyTorch
гадает. Вывод коллеги: «Ортогональность надо удерживать всё обучение, после каждого шага возвращая $U$ в ортогональные;
тогда градиент не затухнет никогда, какой бы вход ни подали». Следует ли первое из опыта? Верно ли второе? Какие сети
надо обучить, чтобы отделить пользу хорошего старта от пользы постоянного ограничения, и что у них сравнить?
Пять — восемь предложений.""": (
            "1 — опыт говорит только о старте: какой U стала потом, никто не смотрел; "
            "1 — ортогональная U длины не меняет, но J = D U, а D только укорачивает; "
            "1 — сильный вход загоняет tanh в насыщение, и градиент затухает при любой ортогональной U; "
            "1 — опыт: старт обычный и ортогональный, с ограничением и без, несколько зёрен; доля верных "
            "букв и сингулярные числа U по ходу обучения."
        ),
    },
)
