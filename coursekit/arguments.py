"""Checks of arguments: messages in Russian say what came, what is allowed, what to try."""

from collections.abc import Collection
from numbers import Integral, Real


def shown(value: object, limit: int = 60) -> str:
    """Return ``repr(value)``, cut to ``limit`` characters so that a message stays readable.

    >>> shown("кот")
    "'кот'"
    >>> shown("а" * 100, limit=10)
    "'аааааааа…"
    """
    text = repr(value)
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


def check_whole(name: str, value: object, least: int = 1) -> int:
    """Return ``value`` as an ``int`` if it is whole and at least ``least``.

    >>> check_whole("batch_size", 64)
    64
    >>> check_whole("batch_size", -3)
    Traceback (most recent call last):
    ValueError: batch_size = -3: нужно целое число не меньше 1.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name} = {shown(value)}: нужно целое число, а пришёл тип {type(value).__name__}."
        )
    if value < least:
        raise ValueError(f"{name} = {value}: нужно целое число не меньше {least}.")
    return int(value)


def check_real(
    name: str,
    value: object,
    least: float = 0.0,
    most: float = float("inf"),
    open_ends: bool = False,
) -> float:
    """Return ``value`` as a ``float`` if it lies from ``least`` to ``most``, or strictly between.

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
    number = float(value)
    fits = least < number < most if open_ends else least <= number <= most
    if not fits:
        if most == float("inf"):
            allowed = f"больше {least:g}" if open_ends else f"не меньше {least:g}"
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
