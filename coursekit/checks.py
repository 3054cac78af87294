"""Checks of students' functions against a correct one: kind → shape → numbers → gradients.

A ``Task`` tells what a function must do; ``check`` calls a student's on generated arguments and
raises a ``CheckError`` that says in Russian what was expected, what came and what to look at. Its
halves, ``observe`` and ``judge``, may run in two processes: grading trusts only the second.
"""

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from numbers import Real
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from coursekit.arguments import check_callable, check_instance, check_whole, shown

# Numbers are compared in float64: what differs by more is another formula, not rounding.
TOLERANCE = 1e-9


class CheckError(AssertionError):
    """A student's function does not do what its task asks; the message is for the student."""


@dataclass(frozen=True)
class Task:
    """What a student's function ``name`` must do.

    ``reference`` is a correct solution. ``cases`` yields calls for a generator of random numbers: a
    label in Russian and the arguments. ``mistakes`` are hints, each with what a student writes who
    needs it. ``forbidden`` names modules and functions of libraries that
    must not be entered: there lies the answer. With ``differentiable`` false the arguments ask for
    no gradients: so it is where the answer is itself a gradient, or is no function of theirs. A
    call may make ``operations`` with tensors at most: a loop over a vocabulary makes more.
    """

    name: str
    reference: Callable[..., Any]
    cases: Callable[[torch.Generator], Iterator[tuple[str, tuple[Any, ...]]]]
    mistakes: dict[str, Callable[..., Any]] = field(default_factory=dict)
    forbidden: frozenset[str] = frozenset()
    differentiable: bool = True
    operations: int | None = None

    @property
    def arguments(self) -> list[str]:
        """The names of the function's arguments."""
        return list(inspect.signature(self.reference).parameters)


def check(task: Task, function: Callable[..., Any], seed: int = 0) -> None:
    """Raise a ``CheckError`` unless ``function`` does what ``task`` asks; print a line if it does.

    ``seed`` decides the arguments of the calls. What is checked, in this order, on every call: that
    the function answers at all, the kind, shape and type of the answer, its numbers, the gradients
    by all arguments that are floating-point tensors, that no argument was changed, that nothing
    forbidden was entered.

    >>> def cases(random):
    ...     yield "три числа", (torch.randn(3, generator=random, dtype=torch.float64),)
    >>> double = Task("double", lambda x: 2 * x, cases, {"2 · x, а не x · x.": lambda x: x * x})
    >>> check(double, lambda x: x + x)
    double: верно, проверок — 1
    >>> check(double, lambda x: x**2)
    Traceback (most recent call last):
    coursekit.checks.CheckError: double, три числа: 2 · x, а не x · x.
    """
    check_instance("task", task, Task, "нужна задача из coursekit.tasks")
    check_callable("function", function)
    random = torch.Generator().manual_seed(check_whole("seed", seed, least=0, most=2**63 - 1))
    count = 0
    for label, arguments in task.cases(random):
        seen = observe(function, arguments, task.forbidden, task.differentiable)
        judge(task, f"{task.name}, {label}", arguments, seen)
        count += 1
    print(f"{task.name}: верно, проверок — {count}")


@dataclass(frozen=True)
class Observed:
    """What a student's function did on one call: plain values, so that it can be judged elsewhere.

    ``error`` says what stopped it, and ``cause`` is that exception, if it is at hand; then nothing
    else is known. ``arguments`` are those it was given as it left them; ``gradients`` has for each
    of them the gradients of ``answer``.
    """

    answer: Any = None
    arguments: tuple[Any, ...] = ()
    gradients: tuple[Any, ...] = ()
    entered: str | None = None
    operations: int = 0
    error: str | None = None
    cause: Exception | None = None


def observe(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    forbidden: frozenset[str] = frozenset(),
    differentiable: bool = True,
) -> Observed:
    """Return what ``function`` does on a copy of ``arguments``; nothing is judged here.

    >>> observe(lambda x: 1 / x, (0,)).error
    'функция остановилась с ошибкой ZeroDivisionError: division by zero'
    """
    given = _fresh(arguments, differentiable)
    with _entered(forbidden) as found, _Operations() as counted:
        try:
            answer = function(*given)
        except Exception as error:
            stopped = f"функция остановилась с ошибкой {type(error).__name__}: {error}"
            return Observed(error=stopped, cause=error)
    try:
        gradients = tuple(_gradients(answer, given))
    except RuntimeError as error:
        stopped = f"обратный проход остановился с ошибкой {type(error).__name__}: {error}"
        return Observed(error=stopped, cause=error)
    return Observed(answer, given, gradients, found[0] if found else None, counted.count)


def judge(task: Task, where: str, arguments: tuple[Any, ...], seen: Observed) -> None:
    """Raise a ``CheckError`` beginning with ``where`` unless a call on ``arguments`` was right."""
    if seen.error is not None:
        # The student sees the line that failed as well.
        raise CheckError(f"{where}: {seen.error}") from seen.cause
    if seen.entered is not None:
        raise CheckError(f"{where}: вызвано {seen.entered}, а здесь это нужно написать самим.")
    taken = _fresh(arguments, task.differentiable)
    wanted = task.reference(*taken)
    try:
        _compare_kinds(where, seen.answer, wanted)
    except CheckError:
        # A list or a dict of another size is often just what a known mistake gives.
        known = _hint(task, seen.answer, arguments) if isinstance(wanted, (list, dict)) else None
        if known:
            raise CheckError(f"{where}: {known}") from None
        raise
    for name, before, after in zip(task.arguments, arguments, seen.arguments, strict=True):
        # What is called is no number that could be changed.
        if not callable(before) and not _same(after, before):
            raise CheckError(
                f"{where}: функция изменила свой аргумент {name}. Операции с подчёркиванием на "
                "конце и присваивания x[…] = … пишут прямо в него; начните с копии, x.clone()."
            )
    if not _same(seen.answer, wanted):
        # Of a call without arguments the right answer would be the whole solution.
        gap = _gap(seen.answer, wanted) if arguments else "ответ не тот. Проверьте по шагам."
        hint = _hint(task, seen.answer, arguments) or gap
        raise CheckError(f"{where}: {hint}")
    for name, ours, theirs in zip(
        task.arguments, seen.gradients, _gradients(wanted, taken), strict=True
    ):
        if theirs is not None and not _same(ours, theirs):
            raise CheckError(
                f"{where}: числа верны, а градиент по {name} — нет. Его обрывают .detach(), "
                ".item(), .data, torch.no_grad() и новый тензор torch.tensor(…) из старого."
            )
    if task.operations is not None and seen.operations > task.operations:
        raise CheckError(
            f"{where}: ответ верен, но операций с тензорами {seen.operations}, а хватило бы "
            f"{task.operations}: похоже на цикл по словарю. Одна операция берёт всю строку сразу."
        )


class _Operations(TorchDispatchMode):
    """Counts the operations with tensors inside a block."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        """Count one operation and do it."""
        self.count += 1
        return operation(*arguments, **(named or {}))


def _fresh(value: Any, differentiable: bool) -> Any:
    """Return a copy of arguments that shares nothing with them; floats may ask for gradients."""
    if isinstance(value, tuple):
        return tuple(_fresh(part, differentiable) for part in value)
    if not isinstance(value, Tensor):
        return deepcopy(value)
    return value.detach().clone().requires_grad_(differentiable and value.is_floating_point())


def _same(a: Any, b: Any) -> bool:
    """Tell whether ``a`` is equal to ``b``, floating-point numbers nearly so."""
    if isinstance(b, (tuple, list)):
        return isinstance(a, (tuple, list)) and len(a) == len(b) and all(map(_same, a, b))
    if isinstance(b, dict):
        return isinstance(a, dict) and set(a) == set(b) and all(_same(a[key], b[key]) for key in b)
    if isinstance(b, Tensor):
        return (
            isinstance(a, Tensor)
            and a.shape == b.shape
            and torch.allclose(
                a.double(), b.double(), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
            )
        )
    if isinstance(b, float):
        if not isinstance(a, Real) or math.isnan(b):
            return isinstance(a, Real) and math.isnan(a)
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return not isinstance(a, Tensor) and bool(a == b)


def _compare_kinds(where: str, answer: Any, wanted: Any, what: str = "ответ") -> None:
    """Raise a ``CheckError`` unless ``answer`` is of the kind, shape and type of ``wanted``."""
    if answer is None and wanted is not None:
        raise CheckError(f"{where}: {what} — None. Не забыт ли return?")
    if isinstance(wanted, (tuple, list)):
        name = "кортеж" if isinstance(wanted, tuple) else "список"
        came = _kind(answer)
        if type(answer) is type(wanted):
            came = f"{name} из {len(answer)}"
        if came != f"{name} из {len(wanted)}":
            raise CheckError(f"{where}: {what} — {came}, а нужен {name} из {len(wanted)}.")
        for number, (one, other) in enumerate(zip(answer, wanted, strict=True), 1):
            _compare_kinds(where, one, other, f"{what}, часть {number},")
    elif isinstance(wanted, dict):
        if not isinstance(answer, dict):
            raise CheckError(f"{where}: {what} — {_kind(answer)}, а нужен словарь, dict.")
        if set(answer) != set(wanted):
            odd = sorted(set(answer) ^ set(wanted), key=repr)[0]
            trouble = "лишний ключ" if odd in answer else "нет ключа"
            raise CheckError(f"{where}: {what} — словарь, и в нём {trouble} {shown(odd)}.")
        for key in wanted:
            _compare_kinds(where, answer[key], wanted[key], f"{what}, ключ {shown(key)},")
    elif isinstance(wanted, Tensor):
        if not isinstance(answer, Tensor):
            raise CheckError(f"{where}: {what} — {_kind(answer)}, а нужен torch.Tensor.")
        if answer.shape != wanted.shape:
            raise CheckError(
                f"{where}: {what} формы {tuple(answer.shape)}, а нужна {tuple(wanted.shape)}."
            )
        if answer.dtype != wanted.dtype:
            raise CheckError(
                f"{where}: {what} типа {answer.dtype}, а аргументы и верный ответ — "
                f"{wanted.dtype}. Новые тензоры создавайте того же типа: x.new_zeros(…)."
            )
    elif isinstance(answer, bool) != isinstance(wanted, bool) or not isinstance(
        answer, Real if isinstance(wanted, float) else type(wanted)
    ):
        raise CheckError(f"{where}: {what} — {_kind(answer)}, а нужен {type(wanted).__name__}.")


def _kind(value: object) -> str:
    return f"{shown(value, 30)} ({type(value).__name__})"


def _hint(task: Task, answer: Any, arguments: tuple[Any, ...]) -> str | None:
    """Return the hint of the mistake that gives the same ``answer``, or None."""
    for words, mistake in task.mistakes.items():
        try:
            if _same(answer, mistake(*_fresh(arguments, task.differentiable))):
                return words
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            # Not every mistake can be made on every call.
            continue
    return None


def _gap(answer: Any, wanted: Any, part: str = "") -> str:
    """Return where an answer is farthest from the right one."""
    if isinstance(wanted, (tuple, list, dict)):
        places = wanted if isinstance(wanted, dict) else range(len(wanted))
        place = next(key for key in places if not _same(answer[key], wanted[key]))
        name = f"ключе {shown(place)}" if isinstance(wanted, dict) else f"части {place + 1}"
        return _gap(answer[place], wanted[place], f"{part} в {name}")
    if not isinstance(wanted, Tensor):
        return f"ответ{part} — {shown(answer)}, а верный — {shown(wanted)}."
    apart = (answer.detach().double() - wanted.detach().double()).abs().nan_to_num(torch.inf)
    index = tuple(int(i) for i in torch.unravel_index(apart.argmax(), apart.shape))
    place = f" на месте {list(index)}" if index else ""
    return (
        f"числа не те. Дальше всего от верных ответ{part}{place}: {answer[index].item():.6g}, а "
        f"верный — {wanted[index].item():.6g}."
    )


def _gradients(answer: Any, arguments: tuple[Any, ...]) -> list[Any]:
    """Return for every argument the gradients of a weighted sum of all that ``answer`` holds."""
    total: Any = 0.0
    for number, part in enumerate(_tensors(answer)):
        if part.requires_grad:
            weights = torch.arange(1, part.numel() + 1, dtype=part.dtype).view(part.shape)
            total = total + (part * torch.cos(weights + number)).sum()
    found = []
    for argument in arguments:
        leaves = [leaf for leaf in _tensors(argument) if leaf.requires_grad]
        if not leaves or not isinstance(total, Tensor):
            found.append(None if not leaves else tuple(torch.zeros_like(leaf) for leaf in leaves))
            continue
        grads = torch.autograd.grad(total, leaves, retain_graph=True, allow_unused=True)
        pairs = zip(grads, leaves, strict=True)
        found.append(tuple(torch.zeros_like(x) if g is None else g for g, x in pairs))
    return found


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)
    elif isinstance(value, Tensor):
        yield value


@contextmanager
def _entered(forbidden: frozenset[str]) -> Iterator[list[str]]:
    """Collect which of ``forbidden`` is entered inside the block, however it was imported.

    Modules are known by the functions of theirs that run, functions written in C by their names.
    """
    found: list[str] = []

    def look(frame: FrameType, event: str, argument: object) -> None:
        name = None
        if event == "call":
            name = frame.f_globals.get("__name__")
        elif event == "c_call":
            name = getattr(argument, "__name__", None)
        if name in forbidden:
            found.append(str(name))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(before)
