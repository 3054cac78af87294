"""The notebooks that students were given: tasks, points, nbgrader's metadata."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

PACKAGE = Path(__file__).resolve().parents[1]


def release_of(assignment: str) -> NotebookNode:
    """Return the notebook of ``assignment`` as students get it; a ``ValueError`` lists all."""
    folders = [PACKAGE / "release", PACKAGE.parent / "book" / "assignments" / "release"]
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    path = folder / assignment / f"{assignment}.ipynb"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*/*.ipynb")))
        raise ValueError(f"assignment = {assignment!r}: такого задания нет. Есть: {known}.")
    found: NotebookNode = nbformat.read(path, as_version=4)
    return found


def points_of(released: NotebookNode) -> dict[str, float]:
    """Return the points of each task, and of the question, in the order of the notebook."""
    return {
        str(told(cell)["grade_id"]).removesuffix("-check"): float(str(told(cell)["points"]))
        for cell in released.cells
        if told(cell).get("grade")
    }


def told(cell: NotebookNode) -> dict[str, object]:
    """Return what nbgrader's metadata say of a cell, {} where there are none."""
    found = cell.metadata.get("nbgrader")
    return found if isinstance(found, dict) else {}
