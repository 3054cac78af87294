"""Students' notebooks as they come: found, read, and put back in the order they were given out.

Nothing is executed here, and nothing that a student wrote is trusted.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode

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
