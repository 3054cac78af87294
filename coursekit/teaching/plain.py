"""Answers of students' functions as JSON: what comes from a process that nobody trusts.

Reading it can build nothing but numbers, strings, lists, tuples, dicts and tensors.
"""

import base64
import math
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
    )
}


def encode(value: Any) -> Any:
    """Return what ``json.dumps`` takes and ``decode`` gives back; odd things leave their names.

    >>> encode((1, 0.5))
    {'tuple': [1, {'float': '0.5'}]}
    >>> encode({"кот": None})
    {'dict': [['кот', None]]}
    """
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return value
    if type(value) in (tuple, list):
        return {type(value).__name__: [encode(part) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(part)] for key, part in value.items()]}
    if isinstance(value, Tensor) and str(value.dtype).removeprefix("torch.") in DTYPES:
        dense = value.detach().to("cpu").to_dense().contiguous()
        data = (
            dense.view(-1).view(torch.uint8) if dense.numel() else torch.zeros(0, dtype=torch.uint8)
        )
        return {
            "tensor": base64.b64encode(data.numpy().tobytes()).decode(),
            "dtype": str(dense.dtype).removeprefix("torch."),
            "shape": list(dense.shape),
        }
    if isinstance(value, Real) and not isinstance(value, Integral):
        return {"float": repr(float(value))}
    return {"other": type(value).__name__, "shown": _shown(value)}


def _shown(value: object) -> str:
    try:
        return repr(value)[:200]
    except Exception:  # it is the student's own __repr__
        return "…"


def decode(value: Any) -> Any:
    """Return the value that ``encode`` wrote; a ``ValueError`` refuses what it never writes.

    >>> decode({"tuple": [1, {"float": "0.5"}]})
    (1, 0.5)
    >>> decode({"tensor": "AAAA", "dtype": "float64", "shape": [3]})
    Traceback (most recent call last):
    ValueError: a tensor of 3 numbers, float64, in 3 bytes
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    match value:
        case {"float": str(text)}:
            return float(text)
        case {"tuple": list(parts)}:
            return tuple(decode(part) for part in parts)
        case {"list": list(parts)}:
            return [decode(part) for part in parts]
        case {"dict": list(pairs)}:
            return {_key(key): decode(part) for key, part in pairs}
        case {"tensor": str(data), "dtype": str(dtype), "shape": list(shape)} if dtype in DTYPES:
            return _tensor(base64.b64decode(data, validate=True), dtype, shape)
        case {"other": str(name), "shown": str(text)}:
            # Of the same name as the student's, so that a message can speak of it.
            return type(name[:60], (), {"__repr__": lambda _: text[:200]})()
    raise ValueError(f"not an encoded value: {str(value)[:60]}")


def _key(key: Any) -> Any:
    found = decode(key)
    hash(found)
    return found


def _tensor(data: bytes, dtype: str, shape: list[Any]) -> Tensor:
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"a tensor of the shape {shape}")
    count, kind = math.prod(shape), DTYPES[dtype]
    if len(data) != count * kind.itemsize:
        raise ValueError(f"a tensor of {count} numbers, {dtype}, in {len(data)} bytes")
    if not data:
        return torch.zeros(shape, dtype=kind)
    return torch.frombuffer(bytearray(data), dtype=kind).view(shape)
