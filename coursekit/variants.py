"""What differs from student to student in an assignment: some constants and the question."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from coursekit.checks import Task

TAG = "variant"
QUESTION_TAG = "variant-question"
COMMON = "общий"


@dataclass(frozen=True)
class Variant:
    """What differs from student to student in an assignment.

    ``constants`` are values to choose from for each name that the variant cell sets; ``task`` makes
    the task ``mine`` of them; ``questions`` are open questions, each with what its points are for.
    The first of each is the common variant, which is in the book.
    """

    constants: dict[str, tuple[Any, ...]]
    task: Callable[..., Task]
    questions: dict[str, str]


def common(variant: Variant) -> dict[str, Any]:
    """Return the constants of the common variant."""
    return {name: values[0] for name, values in variant.constants.items()}


def cell(constants: dict[str, Any], whose: str = COMMON) -> str:
    """Return the source of the variant cell.

    >>> print(cell({"f": 0.9, "steps": 100}))
    # Вариант: общий
    f = 0.9
    steps = 100
    """
    lines = [f"{name} = {value!r}" for name, value in constants.items()]
    return "\n".join([f"# Вариант: {whose}", *lines])
