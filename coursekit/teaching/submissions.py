"""Students' notebooks as they come: found, read, and put back in the order they were given out.

Nothing is executed here, and nothing that a student wrote is trusted.
"""

import ast
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from coursekit.variants import TAG

NOTEBOOK_SIZE = 20 * 2**20
# Pictures make a notebook large; what is parsed here is short.
TEXT_SIZE = 300_000
MOODLE = re.compile(r"(?P<student>.+_\d+)_assignsubmission_[a-z]+(_(?P<rest>.*))?")
SKIPPED = {".ipynb_checkpoints", "__MACOSX"}


@dataclass(frozen=True)
class Submission:
    """One student's notebook as bytes, or the ``trouble`` that there is none to grade."""

    student: str
    path: str
    data: bytes = b""
    trouble: str | None = None


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


def collect(place: Path, assignment: str) -> list[Submission]:
    """Return the submissions of ``assignment`` in a folder or a zip, by names of students.

    Read as they come: nbgrader's ``submitted/STUDENT/ASSIGNMENT/``, a folder for each student, one
    folder of notebooks named by their students, a zip of any of these, Moodle's among them. A
    ``ValueError`` says that there are none.

    >>> collect(Path("no such folder"), "lstm")
    Traceback (most recent call last):
    ValueError: no such folder: нет такой папки или архива.
    """
    if not place.exists():
        raise ValueError(f"{place}: нет такой папки или архива.")
    found: dict[str, list[Submission]] = {}
    for name, data, trouble in _files(place):
        path = whole(name)
        parts = [part for part in PurePosixPath(path).parts if part != "submitted"]
        student = _student(parts, assignment)
        if student is not None:
            found.setdefault(student, []).append(Submission(student, path, data, trouble))
    if not found:
        raise ValueError(f"{place}: нет ни одной тетради .ipynb задания {assignment}.")
    return [_only(found[student], assignment) for student in sorted(found)]


def _files(place: Path) -> Iterator[tuple[str, bytes, str | None]]:
    """Yield the path, the bytes and the trouble of every notebook in a folder or a zip."""
    big = f"больше {NOTEBOOK_SIZE // 2**20} МБ: уберите из тетради выводы и пришлите снова"
    if place.is_dir():
        for path in sorted(place.rglob("*")):
            name = path.relative_to(place).as_posix()
            if SKIPPED & set(path.parts) or not path.is_file() or path.is_symlink():
                continue
            if path.suffix == ".zip":
                for inner, data, trouble in _files(path):
                    parent = PurePosixPath(name).parent
                    yield str(parent / inner), data, trouble
            elif path.suffix == ".ipynb":
                small = path.stat().st_size <= NOTEBOOK_SIZE
                yield name, path.read_bytes() if small else b"", None if small else big
        return
    try:
        with zipfile.ZipFile(place) as archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
                inside = PurePosixPath(entry.filename.replace("\\", "/"))
                if SKIPPED & set(inside.parts) or inside.suffix != ".ipynb":
                    continue
                with archive.open(entry) as file:
                    data = file.read(NOTEBOOK_SIZE + 1)
                small = len(data) <= NOTEBOOK_SIZE
                yield str(inside), data if small else b"", None if small else big
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        # RuntimeError: a password; NotImplementedError: a packing that Python does not know.
        yield f"{place.stem}.ipynb", b"", f"архив {place.name} не читается: {error}"


def _student(parts: list[str], assignment: str) -> str | None:
    """Return whose notebook lies at this path, None where it belongs to another assignment."""
    stem = PurePosixPath(parts[-1]).stem
    for part in (parts[0], stem):
        moodle = MOODLE.fullmatch(part)
        if moodle:
            return moodle["student"]
    if len(parts) == 1:
        return re.sub(rf"[-_ ]+{re.escape(assignment)}$", "", stem) or stem
    if len(parts) >= 3:
        return parts[-3] if parts[-2] == assignment else None
    return parts[0]


def _only(several: list[Submission], assignment: str) -> Submission:
    """Return the one notebook of a student that is of this assignment."""
    if len(several) > 1:
        named = [one for one in several if assignment in PurePosixPath(one.path).stem]
        exact = [one for one in several if PurePosixPath(one.path).stem == assignment]
        several = exact or named or several
    if len(several) == 1:
        return several[0]
    paths = ", ".join(one.path for one in several)
    trouble = f"тетрадей несколько ({paths}), и неясно, какую проверять: оставьте одну"
    return Submission(several[0].student, paths, trouble=trouble)


def read(data: bytes) -> NotebookNode:
    """Return a notebook; a ``ValueError`` says in Russian why these bytes are none.

    >>> read(b"{}")
    Traceback (most recent call last):
    ValueError: файл не читается как тетрадь Jupyter: нет списка ячеек
    """
    unreadable = "файл не читается как тетрадь Jupyter"
    try:
        text = data.decode("utf-8-sig")
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{unreadable}: это не JSON, возможно, загрузка оборвалась") from error
    if not isinstance(found, dict) or not {"cells", "worksheets"} & set(found):
        raise ValueError(f"{unreadable}: нет списка ячеек")
    try:
        notebook: NotebookNode = nbformat.reads(text, as_version=4)
    except Exception as error:  # whatever a spoilt file makes of the reader, the teacher hears it
        raise ValueError(f"{unreadable}: {type(error).__name__}") from error
    if not isinstance(notebook.get("cells"), list):
        raise ValueError(f"{unreadable}: нет списка ячеек")
    for cell in notebook.cells:
        source = cell.get("source") if isinstance(cell, dict) else None
        if not isinstance(source, str) or not isinstance(cell.get("cell_type"), str):
            raise ValueError(f"{unreadable}: ячейка без текста")
        if not isinstance(cell.get("metadata"), dict):
            cell["metadata"] = NotebookNode()
        cell.source = whole(source)
    if sum(len(cell.source) for cell in notebook.cells) > TEXT_SIZE:
        raise ValueError(f"в тетради больше {TEXT_SIZE} знаков текста и кода: это не решение")
    return notebook


def whole(text: str) -> str:
    """Return a text that UTF-8 can hold: halves of pairs, which JSON lets through, become «?».

    >>> whole("кот\\ud800")
    'кот?'
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def python(source: str) -> str:
    """Return a cell's source without its magics and shell commands.

    >>> python("%matplotlib inline\\nx = 1")
    '\\nx = 1'
    """
    try:
        lines = TransformerManager().transform_cell(source).splitlines()
    except (SyntaxError, RuntimeError):  # what IPython itself cannot read
        lines = source.splitlines()
    return "\n".join("" if "get_ipython()" in line else line for line in lines)


def defined(source: str) -> set[str]:
    """Return the names that a cell defines at its top level.

    >>> sorted(defined("def f(x):\\n    y = 1\\nz = 2"))
    ['f', 'z']
    """
    try:
        body = ast.parse(python(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r"^(?:async )?def (\w+)", source, re.MULTILINE))
    found: set[str] = set()
    for part in body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(part.name)
        elif isinstance(part, ast.Assign | ast.AnnAssign):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            walked = [name for target in targets for name in ast.walk(target)]
            found |= {name.id for name in walked if isinstance(name, ast.Name)}
        elif isinstance(part, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in part.names}
    return found


def only_imports(source: str) -> bool:
    """Tell whether a cell does nothing but import."""
    try:
        body = ast.parse(python(source)).body
    except SyntaxError:
        return False
    return bool(body) and all(isinstance(part, ast.Import | ast.ImportFrom) for part in body)


def told(cell: NotebookNode) -> dict[str, object]:
    """Return what nbgrader's metadata say of a cell, {} where there are none."""
    found = cell.metadata.get("nbgrader")
    return found if isinstance(found, dict) else {}


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
