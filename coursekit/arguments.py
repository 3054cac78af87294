"""Checks of arguments: messages in Russian say what came, what is allowed, what to try."""

import math
import os
from collections.abc import Callable, Collection, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

# No size or number of steps is greater; torch and cuDNN keep some of them in 32 bits.
MOST = 2**31 - 1

# Nor is a real number, or it would not fit float32.
GREAT = 1e38


def shown(value: object, limit: int = 60) -> str:
    """Return ``repr(value)``, cut to ``limit`` characters so that a message stays readable.

    >>> shown("кот")
    "'кот'"
    >>> shown("а" * 100, limit=10)
    "'аааааааа…"
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole numbers of more than 4300 digits
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def check_text(name: str, value: object) -> str:
    """Return ``value`` if it is a ``str``; a ``TypeError`` names the argument otherwise.

    >>> check_text("text", "кот")
    'кот'
    >>> check_text("text", None)
    Traceback (most recent call last):
    TypeError: text = None: нужна строка (str), а пришёл тип NoneType.
    """
    if not isinstance(value, str):
        raise TypeError(
            f"{name} = {shown(value)}: нужна строка (str), а пришёл тип {type(value).__name__}."
        )
    return value


def check_flag(name: str, value: object) -> bool:
    """Return ``value`` if it is ``True`` or ``False``, Python's or NumPy's.

    >>> check_flag("shuffle", False)
    False
    >>> check_flag("shuffle", "нет")
    Traceback (most recent call last):
    TypeError: shuffle = 'нет': нужно True или False, а пришёл тип str.
    """
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(
            f"{name} = {shown(value)}: нужно True или False, а пришёл тип {type(value).__name__}."
        )
    return bool(value)


def check_whole(name: str, value: object, least: int = 1, most: int = MOST) -> int:
    """Return ``value`` as an ``int`` if it is whole and lies from ``least`` to ``most``.

    >>> check_whole("batch_size", 64)
    64
    >>> check_whole("batch_size", -3)
    Traceback (most recent call last):
    ValueError: batch_size = -3: нужно целое число не меньше 1.
    >>> check_whole("batch_size", 2**40)
    Traceback (most recent call last):
    ValueError: batch_size = 1099511627776: нужно целое число от 1 до 2147483647.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name} = {shown(value)}: нужно целое число, а пришёл тип {type(value).__name__}."
        )
    number = int(value)
    if number < least:
        raise ValueError(f"{name} = {shown(value)}: нужно целое число не меньше {least}.")
    if number > most:
        raise ValueError(f"{name} = {shown(value)}: нужно целое число от {least} до {most}.")
    return number


def check_real(
    name: str,
    value: object,
    least: float = 0.0,
    most: float = GREAT,
    open_ends: bool = False,
) -> float:
    """Return ``value`` as a ``float`` if it lies from ``least`` to ``most``, or strictly between.

    Neither NaN nor infinity does.

    >>> check_real("dropout", 0.5, 0, 1)
    0.5
    >>> check_real("lr", 0, open_ends=True)
    Traceback (most recent call last):
    ValueError: lr = 0: нужно число больше 0.
    >>> check_real("dropout", 2, 0, 1)
    Traceback (most recent call last):
    ValueError: dropout = 2: нужно число от 0 до 1.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            f"{name} = {shown(value)}: нужно число, а пришёл тип {type(value).__name__}."
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    fits = least < number < most if open_ends else least <= number <= most
    if not fits:
        if most == GREAT:
            allowed = f"больше {least:g}" if open_ends else f"не меньше {least:g}"
            allowed += f" и не больше {most:g}" if number > most else ""
        else:
            allowed = f"от {least:g} до {most:g}" + (", не считая концов" if open_ends else "")
        raise ValueError(f"{name} = {shown(value)}: нужно число {allowed}.")
    return number


def check_choice(name: str, value: object, choices: Collection[str]) -> str:
    """Return ``value`` if it is one of ``choices``.

    >>> check_choice("cell", "gru", ["rnn", "lstm", "gru"])
    'gru'
    >>> check_choice("cell", "gpt", ["rnn", "lstm", "gru"])
    Traceback (most recent call last):
    ValueError: cell = 'gpt': можно 'rnn', 'lstm' или 'gru'.
    """
    if not isinstance(value, str) or value not in choices:
        *most, last = (repr(choice) for choice in choices)
        allowed = f"{', '.join(most)} или {last}" if most else last
        raise ValueError(f"{name} = {shown(value)}: можно {allowed}.")
    return value


def check_sequence(name: str, value: object, what: str) -> Sequence[Any]:
    """Return ``value`` if it has a length and elements in order; ``what`` says of what it is.

    Arrays, tensors and columns of a table are sequences too, sets and dictionaries are not.

    >>> check_sequence("ids", [5, 4], "номеров")
    [5, 4]
    >>> check_sequence("ids", 5, "номеров")
    Traceback (most recent call last):
    TypeError: ids = 5: нужен список номеров, а пришёл тип int.
    """
    if not isinstance(value, Sequence) and not getattr(value, "ndim", 0):
        raise TypeError(
            f"{name} = {shown(value)}: нужен список {what}, а пришёл тип {type(value).__name__}."
        )
    return value  # type: ignore[return-value]


def check_callable(name: str, value: object) -> Callable[..., Any]:
    """Return ``value`` if it can be called.

    >>> check_callable("on_epoch", 5)
    Traceback (most recent call last):
    TypeError: on_epoch = 5: нужна функция, а пришёл тип int.
    """
    if not callable(value):
        raise TypeError(
            f"{name} = {shown(value)}: нужна функция, а пришёл тип {type(value).__name__}."
        )
    return value


def check_instance(name: str, value: object, kinds: type | tuple[type, ...], what: str) -> None:
    """Raise a ``TypeError`` unless ``value`` is of one of ``kinds``; ``what`` says it in Russian.

    >>> check_instance("vocab", "кот", dict, "нужен словарь")
    Traceback (most recent call last):
    TypeError: vocab = 'кот': нужен словарь, а пришёл тип str.
    """
    if not isinstance(value, kinds):
        raise TypeError(f"{name} = {shown(value)}: {what}, а пришёл тип {type(value).__name__}.")


def check_path(name: str, value: object) -> Path:
    """Return ``value`` as the path of a file; ``name`` is the argument that an error names."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(
            f"{name} = {shown(value)}: нужен путь к файлу, а пришёл тип {type(value).__name__}."
        )
    path = Path(value)
    if not path.name:
        raise ValueError(f"{name} = {shown(value)}: нужен путь к файлу, а имени файла в нём нет.")
    try:
        os.fsencode(path)
        unfit_for_a_path = "\0" in str(path)
    except UnicodeEncodeError:
        unfit_for_a_path = True
    if unfit_for_a_path:
        raise ValueError(f"{name} = {shown(value)}: файла с таким путём быть не может.")
    return path
