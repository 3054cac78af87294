"""A student's notebook put back in the order it was given out, whatever an editor made of it."""

from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode

from coursekit.teaching.released import told
from coursekit.teaching.syntax import defined, only_imports
from coursekit.variants import TAG


@dataclass(frozen=True)
class Cell:
    """A code cell to execute, or, with ``task``, the place where that function is checked."""

    source: str
    task: str | None = None


@dataclass(frozen=True)
class Repaired:
    """A submission in the order of the release.

    ``notebook`` is for the gradebook, ``cells`` are what is executed, in order; ``notes`` say in
    Russian what had to be mended.
    """

    notebook: NotebookNode
    cells: list[Cell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def repair(submitted: NotebookNode, released: NotebookNode) -> Repaired:
    """Return a submission in the order and with the metadata of the notebook that was given out.

    A solution is known by its metadata and, where these are lost, by the name of its function;
    locked cells are the release's. A student's own cells keep their places.
    """
    ids = {str(told(cell)["grade_id"]) for cell in released.cells if told(cell)}
    given = {cell.source.strip() for cell in released.cells if not told(cell).get("solution")}
    claims: dict[str, list[int]] = {}
    own: list[int] = []
    for place, cell in enumerate(submitted.cells):
        name = told(cell).get("grade_id")
        if isinstance(name, str) and name in ids:
            claims.setdefault(name, []).append(place)
        elif cell.source.strip() and cell.source.strip() not in given:
            own.append(place)
    notes: list[str] = []
    stripped: list[str] = []
    chosen: dict[str, int] = {}
    for cell in released.cells:
        if told(cell).get("solution"):
            name = str(told(cell)["grade_id"])
            found, note = _find(cell, submitted.cells, claims.get(name, []), own)
            if found is not None:
                chosen[name] = found
            if note:
                notes.append(note)
            elif found in own:
                stripped.append(name)
    if stripped:
        names = ", ".join(stripped)
        notes.append(f"метаданные ячеек потеряны, найдено по именам и тексту: {names}")
    taken = set(chosen.values())
    loose = [
        place
        for place in own
        if place not in taken and submitted.cells[place].cell_type in ("code", "markdown")
    ]
    notes += _changed(submitted, released, claims)
    order = [chosen[name] for name in _solutions(released) if name in chosen]
    if order != sorted(order):
        notes.append("ячейки стояли в другом порядке: порядок восстановлен")
    return _assemble(submitted, released, chosen, loose, notes)


def _is_needed(cell: NotebookNode) -> bool:
    """Tell whether solutions stand on a cell that is no solution: imports, a variant's numbers."""
    return only_imports(cell.source) or TAG in cell.metadata.get("tags", [])


def _solutions(released: NotebookNode) -> list[str]:
    return [str(told(cell)["grade_id"]) for cell in released.cells if told(cell).get("solution")]


def _find(
    wanted: NotebookNode, cells: list[NotebookNode], claims: list[int], own: list[int]
) -> tuple[int | None, str | None]:
    """Return which of ``cells`` holds the solution asked for in ``wanted``, and what to say."""
    name, names = str(told(wanted)["grade_id"]), defined(wanted.source)
    claims = [place for place in claims if cells[place].cell_type == wanted.cell_type]
    if wanted.cell_type != "code" or not names:
        if len(claims) > 1:
            changed = [place for place in claims if cells[place].source != wanted.source]
            return (changed or claims)[-1], f"ячейка «{name}» повторена: взята последняя"
        if claims or wanted.cell_type == "code":
            return (claims[0] if claims else None), None
        return _answer(cells, own)
    untouched = wanted.source.strip()
    holds = [
        place
        for place in claims
        if names & defined(cells[place].source) and cells[place].source.strip() != untouched
    ]
    if holds:
        note = f"ячейка «{name}» повторена: взята последняя" if len(claims) > 1 else None
        return holds[-1], note
    functions = ", ".join(sorted(names))
    elsewhere = [
        place
        for place in own
        if cells[place].cell_type == "code" and names & defined(cells[place].source)
    ]
    if elsewhere:
        return elsewhere[-1], None
    if claims:
        return claims[-1], None
    return None, f"ячейки с функцией {functions} в тетради нет"


def _answer(cells: list[NotebookNode], own: list[int]) -> tuple[int | None, str | None]:
    """Return the longest text of the student's own, if the cell for the answer was lost."""
    texts = [place for place in own if cells[place].cell_type == "markdown"]
    if not texts:
        return None, "ответа на вопрос в тетради нет"
    return max(texts, key=lambda place: len(cells[place].source)), None


def _changed(
    submitted: NotebookNode, released: NotebookNode, claims: dict[str, list[int]]
) -> list[str]:
    """Say which locked cells came back otherwise than they were given out."""
    notes = []
    for cell in released.cells:
        if told(cell) and not told(cell).get("solution"):
            name = str(told(cell)["grade_id"])
            came = [submitted.cells[place].source for place in claims.get(name, [])]
            if came and any(source.strip() != cell.source.strip() for source in came):
                notes.append(f"закрытая ячейка «{name}» изменена: взята исходная")
    return notes


def _assemble(
    submitted: NotebookNode,
    released: NotebookNode,
    chosen: dict[str, int],
    loose: list[int],
    notes: list[str],
) -> Repaired:
    """Return the cells of the release with a student's solutions and own cells among them."""
    notebook = nbformat.v4.new_notebook(metadata=released.metadata)
    cells: list[Cell] = []
    waiting = list(loose)

    def put_own(before: int | None) -> None:
        while waiting and (before is None or waiting[0] < before):
            cell = submitted.cells[waiting.pop(0)]
            if cell.cell_type == "code":
                notebook.cells.append(nbformat.v4.new_code_cell(cell.source))
                cells.append(Cell(cell.source))
            else:
                notebook.cells.append(nbformat.v4.new_markdown_cell(cell.source))

    for cell in released.cells:
        copy = nbformat.from_dict(dict(cell))
        name = str(told(cell).get("grade_id", ""))
        if told(cell).get("solution"):
            if name in chosen:
                put_own(before=chosen[name])
                copy.source = submitted.cells[chosen[name]].source
            if cell.cell_type == "code":
                cells.append(Cell(copy.source))
        elif told(cell).get("grade"):
            cells.append(Cell("", task=name.removesuffix("-check")))
        elif cell.cell_type == "code" and not told(cell) and _is_needed(cell):
            cells.append(Cell(cell.source))
        notebook.cells.append(copy)
    put_own(before=None)
    return Repaired(notebook, cells, notes)
