"""Every student's own numbers and question, drawn by a secret: grading draws the same.

A notebook that was given out says in its variant cell whose it is, sealed, so that a copied
notebook is known for what it is.
"""

import re
from copy import deepcopy
from typing import Any

from nbformat import NotebookNode

from coursekit.teaching.secrecy import keyed
from coursekit.variants import QUESTION_TAG, TAG, Variant, cell


def draw(variant: Variant, secret: bytes, assignment: str, student: str) -> dict[str, Any]:
    """Return the constants of a student, by a keyed hash: nobody else can tell them."""
    return {
        name: values[_choice(len(values), secret, assignment, student, name)]
        for name, values in variant.constants.items()
    }


def draw_question(variant: Variant, secret: bytes, assignment: str, student: str) -> str:
    """Return the open question of a student."""
    questions = list(variant.questions)
    return questions[_choice(len(questions), secret, assignment, student, "question")]


def _choice(count: int, secret: bytes, *parts: str) -> int:
    return int.from_bytes(keyed(secret, "variant", *parts)) % count


def seal(secret: bytes, assignment: str, student: str) -> str:
    """Return what shows that a notebook was given out to ``student``."""
    return keyed(secret, "seal", assignment, student).hex()[:12]


def personal(
    released: NotebookNode, variant: Variant, secret: bytes, assignment: str, student: str
) -> NotebookNode:
    """Return the notebook of one student: own constants, own question, sealed."""
    notebook = deepcopy(released)
    whose = f"{student} · {seal(secret, assignment, student)}"
    question = draw_question(variant, secret, assignment, student)
    for found in notebook.cells:
        tags = found.metadata.get("tags", [])
        if TAG in tags:
            found.source = cell(draw(variant, secret, assignment, student), whose)
        elif QUESTION_TAG in tags:
            head, _, _ = found.source.partition("\n\n")
            found.source = f"{head}\n\n{question}"
    return notebook


def owner(sources: list[str], secret: bytes, assignment: str) -> str | None:
    """Return whose variant a notebook with these cells is: a student's, or None for the common one.

    A ``ValueError`` says that the line was written by somebody else.
    """
    for source in sources:
        found = re.search(r"^# Вариант: (.+) · ([0-9a-f]{12})$", source, re.MULTILINE)
        if found:
            student, given = found[1], found[2]
            if given != seal(secret, assignment, student):
                raise ValueError(f"строка «Вариант: {student}» подделана или от другого секрета")
            return student
    return None
