"""Shapes in annotations are promises: tests/conftest.py holds every call of a test to them."""

import ast
from pathlib import Path

import pytest
import torch
from conftest import held_to_its_shapes
from jaxtyping import Float, Int, TypeCheckError
from torch import Tensor

import coursekit
from coursekit.attention import length_mask, scaled_dot
from coursekit.batching import Batch
from coursekit.cells import Weights
from coursekit.layers import Encoder
from coursekit.models import LanguageModel

MODULES = sorted(Path(coursekit.__file__).parent.glob("*.py"))


@held_to_its_shapes
def mean(x: Float[Tensor, "B T H"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B H"]:
    if x.ndim != 3:
        raise ValueError("x: нужна форма (B, T, H).")
    return x.sum(1) / lengths[:, None]


@held_to_its_shapes
def forgetful_mean(x: Float[Tensor, "B T H"]) -> Float[Tensor, "B H"]:
    return x.mean(2)


def test_a_letter_is_one_number_in_a_whole_call():
    assert mean(torch.ones(2, 3, 4), torch.tensor([3, 3])).tolist() == [[1.0] * 4] * 2
    with pytest.raises(TypeCheckError, match=r"lengths.*Int\[Tensor, .B.\]"):
        mean(torch.ones(2, 3, 4), torch.tensor([3]))


def test_another_result_than_promised_fails():
    assert forgetful_mean(torch.ones(2, 4, 4)).shape == (2, 4)
    with pytest.raises(TypeCheckError, match="return value"):
        forgetful_mean(torch.ones(2, 3, 4))


def test_numbers_of_another_kind_fail():
    with pytest.raises(TypeCheckError, match="lengths"):
        mean(torch.ones(2, 3, 4), torch.tensor([3.0, 3.0]))


def test_what_a_function_refuses_it_refuses_in_its_own_words():
    with pytest.raises(ValueError, match="^x: нужна форма"):
        mean(torch.ones(2, 3), torch.tensor([3, 3]))


def test_a_starred_letter_is_any_number_of_axes_and_braces_hold_a_number():
    keys = torch.ones(2, 5, 4)
    assert scaled_dot(torch.ones(2, 4), keys).shape == (2, 5)
    assert scaled_dot(torch.ones(2, 3, 4), keys).shape == (2, 3, 5)
    encoder = Encoder(20, hidden=8)
    inputs, lengths = torch.tensor([[5, 6]]), torch.tensor([2])
    assert encoder(inputs, lengths)[1].shape == (1, encoder.size)
    encoder.size += 1
    with pytest.raises(TypeCheckError, match="return value"):
        encoder(inputs, lengths)


def test_records_are_held_to_their_shapes():
    ids = torch.ones(2, 3, dtype=torch.int64)
    for targets in (ids, ids[:, 0], ids[:, :2]):
        Batch(ids, targets, ids[:, 0], 6, False)
    with pytest.raises(TypeCheckError, match="targets"):
        Batch(ids, ids[:1], ids[:, 0], 6, False)
    with pytest.raises(TypeCheckError, match="hh"):
        Weights(torch.ones(8, 3), torch.ones(6, 2), torch.ones(8), torch.ones(8))


def test_the_package_itself_is_held_wherever_it_is_imported():
    # What the wrapper wraps is the function that coursekit defines.
    for function in (scaled_dot, length_mask, LanguageModel.forward, LanguageModel.read):
        assert function.__code__.co_filename.endswith("conftest.py")
        assert function.__wrapped__.__module__.startswith("coursekit.")


def bare(annotation):
    """Whether an annotation names an array's type without its shape."""
    inside = [
        each.slice.elts[0]
        for each in ast.walk(annotation)
        if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Tuple)
        if isinstance(getattr(each.slice.elts[-1], "value", None), str)
    ]
    return any(
        ast.unparse(each) in ("Tensor", "torch.Tensor", "np.ndarray") and each not in inside
        for each in ast.walk(annotation)
    )


def shapeless(source):
    """Names of public functions and fields that have an array in their annotations, but no shape.

    An alias at the top of a module is looked at as well: a function may hide behind it.
    """
    found = []

    def look(body, place):
        for node in body:
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{place}{node.name}.")
            elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = [each for each in ast.walk(node.args) if isinstance(each, ast.arg)]
                said = [each.annotation for each in arguments] + [node.returns]
                if any(bare(each) for each in said if each is not None):
                    found.append(place + node.name)
            elif isinstance(node, ast.AnnAssign) and bare(node.annotation):
                found.append(place + node.target.id)
            elif isinstance(node, ast.Assign) and bare(node.value):
                found.append(place + node.targets[0].id)

    look(ast.parse(source).body, "")
    return found


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(x: Tensor) -> None: ...", ["f"]),
        ("def f(x: int) -> tuple[Float[Tensor, 'B'], Tensor]: ...", ["f"]),
        ("def f(x: dict[str, torch.Tensor] | None = None) -> None: ...", ["f"]),
        ("def f(x: Float[Tensor, 'B T'], *, y: list[Int[Tensor, '_']]) -> Table: ...", []),
        ("def f(x: Sequence[float] | np.ndarray) -> None: ...", ["f"]),
        ("def _f(x: Tensor) -> None: ...", []),
        ("class A:\n    x: Tensor\n    def f(self) -> Tensor: ...", ["A.x", "A.f"]),
        ("State = tuple[Tensor, ...]", ["State"]),
        ("State = tuple[Float[Tensor, '1 B H'], ...] | None\nT = TypeVar('T')", []),
    ],
)
def test_the_search_finds_arrays_without_a_shape(source, names):
    assert shapeless(source) == names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_array_of_a_public_function_has_a_shape(path):
    assert shapeless(path.read_text(encoding="utf-8")) == []
