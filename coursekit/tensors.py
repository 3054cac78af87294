"""Checks of tensors, in the manner of ``arguments``: kind of numbers, shape, device."""

from typing import Any, cast

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from coursekit.arguments import check_sequence, shown

WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def check_tensor(name: str, value: object) -> None:
    """Raise a ``TypeError`` unless ``value`` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} = {shown(value)}: нужен тензор (torch.Tensor), а пришёл тип "
            f"{type(value).__name__}."
        )


def check_floats(name: str, value: Float[Tensor, "..."]) -> None:
    """Raise a ``TypeError`` unless ``value`` is a tensor of floating-point numbers."""
    check_tensor(name, value)
    if not value.is_floating_point():
        raise TypeError(
            f"{name}: тип {value.dtype}, а нужны дробные числа, например torch.float32. "
            "Номера токенов сначала переведите в векторы: nn.Embedding."
        )


def check_ids(name: str, value: Int[Tensor, "..."]) -> None:
    """Raise a ``TypeError`` unless ``value`` is a tensor of whole numbers."""
    found = value.dtype if isinstance(value, Tensor) else type(value).__name__
    if found not in (torch.int32, torch.int64):
        raise TypeError(
            f"{name}: тип {found}, а нужен тензор целых чисел, torch.int64. "
            "Такие готовит PaddedBatches."
        )


def check_shape(name: str, value: Shaped[Tensor, "..."], *axes: str | int) -> None:
    """Raise a ``ValueError`` unless ``value`` has these ``axes``: a letter is any size but 0.

    >>> check_shape("x", torch.zeros(2, 3), "B", 3)
    >>> check_shape("x", torch.zeros(2, 0), "B", "T")
    Traceback (most recent call last):
    ValueError: x: форма (2, 0), а нужна (B, T).
    """
    shape = tuple(value.shape)
    fits = shape == axes or (
        len(shape) == len(axes)
        and all(
            size == axis if isinstance(axis, int) else size > 0
            for size, axis in zip(shape, axes, strict=True)
        )
    )
    if not fits:
        wanted = ", ".join(map(str, axes)) + ("," if len(axes) == 1 else "")
        raise ValueError(f"{name}: форма {shape}, а нужна ({wanted}).")


def check_device(
    name: str, value: Shaped[Tensor, "..."], other_name: str, other: Shaped[Tensor, "..."]
) -> None:
    """Raise a ``ValueError`` unless both tensors are on one device."""
    if value.device != other.device:
        raise ValueError(
            f"{name}: на устройстве {value.device}, а {other_name} — на {other.device}; нужно "
            f"одно. Попробуйте {name}.to({str(other.device)!r})."
        )


def check_alike(
    name: str, value: Float[Tensor, "..."], other_name: str, other: Float[Tensor, "..."]
) -> None:
    """Raise unless both tensors are on one device and of one type, which autocast sees to."""
    check_device(name, value, other_name, other)
    if value.dtype != other.dtype and not torch.is_autocast_enabled(value.device.type):
        raise TypeError(
            f"{name}: тип {value.dtype}, а {other_name} — {other.dtype}; нужен один. "
            f"Попробуйте {name}.to({other.dtype})."
        )


def check_state(name: str, state: object) -> None:
    """Raise unless ``state`` is recurrent: for every layer a tensor h or the pair (h, c)."""
    for parts in _parts(name, state):
        for part in parts:
            check_shape(name, part, 1, "B", "H")


def check_state_of(name: str, state: Any, layers: nn.ModuleList, x: Float[Tensor, "B T E"]) -> None:
    """Raise unless ``state`` fits torch's recurrent ``layers`` that read ``x``."""
    found = _parts(name, state)
    if len(found) != len(layers):
        raise ValueError(f"{name}: состояний {len(found)}, а слоёв в модели {len(layers)}.")
    rows = len(x)
    for layer, parts in zip(layers, found, strict=True):
        if (len(parts) == 2) != isinstance(layer, nn.LSTM):
            raise TypeError(f"{name}: слою LSTM нужна пара (h, c), остальным — один тензор h.")
        hidden, weight = cast(int, layer.hidden_size), cast(Tensor, layer.weight_hh_l0)
        for part in parts:
            check_shape(name, part, 1, rows, hidden)
            check_alike(name, part, "веса", weight)


def _parts(name: str, state: object) -> list[tuple[Tensor, ...]]:
    """Return for every layer of ``state`` its tensors: h, or h and c."""
    if not isinstance(state, tuple):
        raise TypeError(
            f"{name} = {shown(state)}: нужен кортеж (tuple), по состоянию на каждый слой модели. "
            "Его возвращает она сама, а в начале текста вместо него None."
        )
    found: list[tuple[Tensor, ...]] = [
        part if isinstance(part, tuple) and len(part) == 2 else (part,) for part in state
    ]
    for parts in found:
        for part in parts:
            check_floats(name, part)
    return found


def check_step(x: Float[Tensor, "B E"], h: Float[Tensor, "B H"], w: Any, gates: int) -> None:
    """Raise unless an input and a state of B rows fit each other and weights of ``gates``."""
    if not isinstance(w, tuple) or len(w) != 5:
        raise TypeError(f"w = {shown(w)}: нужны веса Weights, какие даёт Recurrent.weights().")
    check_floats("x", x)
    check_floats("h", h)
    size, hidden = w[0].shape[-1], w[1].shape[-1]
    shapes = [tuple(part.shape) for part in w[:4]]
    rows = gates * hidden
    if shapes != [(rows, size), (rows, hidden), (rows,), (rows,)]:
        raise ValueError(
            f"w: формы {shapes}, а для {gates} вентилей нужны (G·H, E), (G·H, H), (G·H,), (G·H,)."
        )
    check_shape("x", x, "B", size)
    check_shape("h", h, len(x), hidden)
    check_alike("x", x, "w", w[0])
    check_alike("h", h, "w", w[1])


def check_lstm_step(x: Float[Tensor, "B E"], state: Any, w: Any) -> None:
    """Raise unless an input and a state (h, c) fit each other and the weights of an LSTM."""
    if not isinstance(state, tuple) or len(state) != 2:
        raise TypeError(f"state = {shown(state)}: нужна пара тензоров (h, c).")
    h, c = state
    check_step(x, h, w, 4)
    check_floats("c", c)
    check_shape("c", c, *h.shape)


def check_lengths(lengths: Int[Tensor, "B"], inputs: Int[Tensor, "B T"]) -> None:
    """Raise unless ``lengths`` are whole numbers from 1 to T, one for each row of ``inputs``."""
    check_ids("lengths", lengths)
    rows, steps = inputs.shape
    if lengths.shape != (rows,):
        raise ValueError(
            f"lengths: форма {tuple(lengths.shape)}, а к inputs {tuple(inputs.shape)} нужна "
            f"({rows},): по одной длине на строку пакета."
        )
    wrong = (lengths < 1) | (lengths > steps)
    if wrong.any():
        row = int(wrong.int().argmax())
        raise ValueError(
            f"lengths[{row}] = {int(lengths[row])}: нужна длина от 1 до {steps}, ширины inputs. "
            "Уберите из пакета пустые последовательности."
        )


def check_targets(targets: Int[Tensor, "B *T"], answers: Float[Tensor, "B *T C"]) -> None:
    """Raise unless ``targets`` are whole numbers, one for each row of ``answers``."""
    check_ids("targets", targets)
    if answers.ndim < 2 or targets.shape != answers.shape[:-1]:
        raise ValueError(
            f"targets: форма {tuple(targets.shape)}, а нужна {tuple(answers.shape[:-1])}. "
            "Classifier ждёт один ответ на строку пакета, Tagger и LanguageModel — один на токен."
        )


def row_of_ids(name: str, value: object) -> Int[Tensor, "T"]:
    """Return ``value``, a sequence of whole numbers, as a tensor of them; T may be 0.

    >>> row_of_ids("ids", [5, 4])
    tensor([5, 4])
    >>> row_of_ids("ids", [0.5])
    Traceback (most recent call last):
    TypeError: ids = [0.5]: нужен список целых чисел, номеров: vocab.encode(text).
    """
    check_sequence(name, value, "номеров")
    try:
        row = torch.as_tensor(value)
    except (OverflowError, RuntimeError, TypeError, ValueError):
        row = torch.empty(0, 0)
    # Nothing has no kind: torch takes it for floating-point numbers.
    if row.ndim != 1 or (row.dtype not in WHOLE and len(row)):
        raise TypeError(
            f"{name} = {shown(value)}: нужен список целых чисел, номеров: vocab.encode(text)."
        )
    return row.to(torch.int64)
