"""Checks of students' functions against a correct one: kind → shape → numbers → gradients.

A ``Task`` tells what a function must do; ``check`` calls a student's on generated arguments and
raises a ``CheckError`` that says in Russian what was expected, what came and what to look at. Its
halves, ``observe`` and ``judge``, may run in two processes: grading trusts only the second.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from coursekit.arguments import check_callable, check_instance, check_whole
from coursekit.comparing import CheckError, compare_kinds, gap, same


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
    the function answers at all, that nothing forbidden was entered, the kind, shape and type of the
    answer, that no argument was changed, the numbers, the gradients by all arguments that are
    floating-point tensors, the number of operations.

    >>> def cases(random):
    ...     yield "три числа", (torch.randn(3, generator=random, dtype=torch.float64),)
    >>> double = Task("double", lambda x: 2 * x, cases, {"2 · x, а не x · x.": lambda x: x * x})
    >>> check(double, lambda x: x + x)
    double: верно, проверок — 1
    >>> check(double, lambda x: x**2)
    Traceback (most recent call last):
    coursekit.comparing.CheckError: double, три числа: 2 · x, а не x · x.
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

    ``error`` says what stopped it, ``raised`` names the exception's type, and ``cause`` is the
    exception, if it is at hand; then nothing else is known. ``arguments`` are those it was given as
    it left them; ``gradients`` has for each of them the gradients of ``answer``; ``entered`` is
    what it called that is forbidden, ``operations`` how many it made with tensors.
    """

    answer: Any = None
    arguments: tuple[Any, ...] = ()
    gradients: tuple[Any, ...] = ()
    entered: str | None = None
    operations: int = 0
    error: str | None = None
    raised: str | None = None
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
            return Observed(error=stopped, raised=type(error).__name__, cause=error)
    try:
        gradients = tuple(_gradients(answer, given))
    except RuntimeError as error:
        stopped = f"обратный проход остановился с ошибкой {type(error).__name__}: {error}"
        return Observed(error=stopped, raised=type(error).__name__, cause=error)
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
        compare_kinds(where, seen.answer, wanted)
    except CheckError:
        # A list or a dict of another size is often just what a known mistake gives.
        known = _hint(task, seen.answer, arguments) if isinstance(wanted, (list, dict)) else None
        if known:
            raise CheckError(f"{where}: {known}") from None
        raise
    for name, before, after in zip(task.arguments, arguments, seen.arguments, strict=True):
        # What is called is no number that could be changed.
        if not callable(before) and not same(after, before):
            raise CheckError(
                f"{where}: функция изменила свой аргумент {name}. Операции с подчёркиванием на "
                "конце и присваивания x[…] = … пишут прямо в него; начните с копии, x.clone()."
            )
    if not same(seen.answer, wanted):
        # Of a call without arguments the right answer would be the whole solution.
        apart = gap(seen.answer, wanted) if arguments else "ответ не тот. Проверьте по шагам."
        hint = _hint(task, seen.answer, arguments) or apart
        raise CheckError(f"{where}: {hint}")
    for name, ours, theirs in zip(
        task.arguments, seen.gradients, _gradients(wanted, taken), strict=True
    ):
        if theirs is not None and not same(ours, theirs):
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


def _hint(task: Task, answer: Any, arguments: tuple[Any, ...]) -> str | None:
    """Return the hint of the mistake that gives the same ``answer``, or None."""
    for words, mistake in task.mistakes.items():
        try:
            if same(answer, mistake(*_fresh(arguments, task.differentiable))):
                return words
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            # Not every mistake can be made on every call.
            continue
    return None


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
