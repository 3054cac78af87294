"""How a student's answer differs from the right one: its kind, its shape, its numbers."""

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from coursekit.arguments import shown

# Numbers are compared in float64: what differs by more is another formula, not rounding.
TOLERANCE = 1e-9


class CheckError(AssertionError):
    """A student's function does not do what its task asks; the message is for the student."""


def same(a: Any, b: Any) -> bool:
    """Tell whether ``a`` is equal to ``b``, floating-point numbers nearly so."""
    if isinstance(b, (tuple, list)):
        return isinstance(a, (tuple, list)) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(b, dict):
        return isinstance(a, dict) and set(a) == set(b) and all(same(a[key], b[key]) for key in b)
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


def compare_kinds(where: str, answer: Any, wanted: Any, what: str = "ответ") -> None:
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
            compare_kinds(where, one, other, f"{what}, часть {number},")
    elif isinstance(wanted, dict):
        if not isinstance(answer, dict):
            raise CheckError(f"{where}: {what} — {_kind(answer)}, а нужен словарь, dict.")
        if set(answer) != set(wanted):
            odd = sorted(set(answer) ^ set(wanted), key=repr)[0]
            trouble = "лишний ключ" if odd in answer else "нет ключа"
            raise CheckError(f"{where}: {what} — словарь, и в нём {trouble} {shown(odd)}.")
        for key in wanted:
            compare_kinds(where, answer[key], wanted[key], f"{what}, ключ {shown(key)},")
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


def gap(answer: Any, wanted: Any, part: str = "") -> str:
    """Return where an answer is farthest from the right one."""
    if isinstance(wanted, (tuple, list, dict)):
        places = wanted if isinstance(wanted, dict) else range(len(wanted))
        place = next(key for key in places if not same(answer[key], wanted[key]))
        name = f"ключе {shown(place)}" if isinstance(wanted, dict) else f"части {place + 1}"
        return gap(answer[place], wanted[place], f"{part} в {name}")
    if not isinstance(wanted, Tensor):
        return f"ответ{part} — {shown(answer)}, а верный — {shown(wanted)}."
    apart = (answer.detach().double() - wanted.detach().double()).abs().nan_to_num(torch.inf)
    index = tuple(int(i) for i in torch.unravel_index(apart.argmax(), apart.shape))
    place = f" на месте {list(index)}" if index else ""
    return (
        f"числа не те. Дальше всего от верных ответ{part}{place}: {answer[index].item():.6g}, а "
        f"верный — {wanted[index].item():.6g}."
    )
