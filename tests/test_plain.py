"""Values of students' functions as JSON: the same comes back, and nothing else can be built."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.comparing import same
from coursekit.teaching.plain import DTYPES, decode, encode

shapes = st.lists(st.integers(0, 3), max_size=3)
tensors = st.builds(
    lambda shape, dtype: (torch.randn(shape) * 3).to(dtype),
    shapes,
    st.sampled_from([*DTYPES.values()]),
)
plain = st.none() | st.booleans() | st.integers() | st.text() | st.floats() | tensors
keys = st.text() | st.integers() | st.tuples(st.text(), st.text())
values = st.recursive(
    plain,
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.lists(parts, max_size=3).map(tuple)
        | st.dictionaries(
            st.text() | st.integers() | st.tuples(st.text(), st.text()), parts, max_size=3
        )
    ),
    max_leaves=8,
)


def alike(a, b):
    if isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a.nan_to_num(), b.nan_to_num())
    if isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(b, dict):
        return list(a) == list(b) and all(alike(a[key], b[key]) for key in b)
    return type(a) is type(b) and (a == b or (math.isnan(a) and math.isnan(b)))


@given(values)
def test_what_is_written_comes_back(value):
    assert alike(decode(json.loads(json.dumps(encode(value)))), value)


def test_a_tensor_comes_without_its_graph_and_its_strides():
    x = torch.arange(6.0, dtype=torch.float64).view(2, 3).requires_grad_()
    came = decode(encode((x * 2).T))
    assert not came.requires_grad
    assert torch.equal(came, (x * 2).T)


@pytest.mark.parametrize(
    "value", [np.zeros(3), {1, 2}, print, 1j, np.int64(3), torch.zeros(2, dtype=torch.complex64)]
)
def test_odd_things_leave_their_names(value):
    came = decode(json.loads(json.dumps(encode(value))))
    assert type(came).__name__ == type(value).__name__
    assert not same(came, 0)


def test_a_student_whose_repr_fails_is_no_trouble():
    class Bad:
        def __repr__(self):
            raise RuntimeError

    assert repr(decode(encode(Bad()))) == "…"


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"tensor": "AAAA", "dtype": "float64", "shape": [1]},
        {"tensor": "", "dtype": "float64", "shape": [-1]},
        {"tensor": "", "dtype": "float64", "shape": ["a"]},
        {"tensor": "", "dtype": "object", "shape": []},
        {"tensor": "?", "dtype": "uint8", "shape": [1]},
        {"float": "кот"},
        {"dict": [[1]]},
        {"pickle": "x"},
        {"other": "a\0b", "shown": ""},
        1.5,
    ],
)
def test_what_is_never_written_is_refused(value):
    with pytest.raises(ValueError, match=r".*"):
        decode(value)
