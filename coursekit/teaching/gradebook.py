"""What a teacher gets of a graded class: nbgrader's gradebook, a table, pages for students."""

import base64
import csv
import io
import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import CheckCellMetadata, SaveAutoGrades, SaveCells
from traitlets.config import Config

from coursekit.teaching.files import slug, write
from coursekit.teaching.grading import MARKED, RIGHT, UNREAD, WAITS, Graded
from coursekit.teaching.released import points_of

COLUMNS = ("student", "task", "points", "max", "state", "message")

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #8888; padding: .3rem .6rem; text-align: left;
  vertical-align: top; }
td:last-child { overflow-wrap: anywhere; }
td.number { text-align: right; white-space: nowrap; }
img { max-width: 100%; background: #fff; }
.beside { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
pre { font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def record(graded: Iterable[Graded], assignment: str, released: NotebookNode, course: Path) -> None:
    """Write the graded notebooks into nbgrader's course in the folder ``course``.

    nbgrader reads the points from the outputs of the checks, which are ours: it executes nothing.
    Marks that a teacher has given there stay.
    """
    course.mkdir(parents=True, exist_ok=True)
    config = Config(
        CourseDirectory={"root": str(course.resolve()), "assignment_id": assignment},
        GenerateAssignment={"preprocessors": [SaveCells, CheckCellMetadata], "force": True},
        Autograde={
            "sanitize_preprocessors": [CheckCellMetadata],
            "autograde_preprocessors": [SaveAutoGrades],
            "force": True,
        },
    )
    source = course / "source" / assignment / f"{assignment}.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    # Beside them nbgrader's own pages, such as formgrader, find the course.
    (course / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.root = {str(course.resolve())!r}\n", encoding="utf-8"
    )
    if not source.exists():
        nbformat.write(released, source)
        _quiet(GenerateAssignment, config)
    for one in graded:
        folder = course / "submitted" / slug(one.student) / assignment
        path = folder / f"{assignment}.ipynb"
        if one.notebook and (not path.exists() or path.read_text("utf-8") != one.notebook):
            folder.mkdir(parents=True, exist_ok=True)
            write(path, one.notebook)
            config.CourseDirectory.student_id = slug(one.student)
            _quiet(Autograde, config)


def _quiet(converter: type[Autograde] | type[GenerateAssignment], config: Config) -> None:
    made = converter(coursedir=CourseDirectory(config=config), config=config)
    made.log.setLevel(logging.ERROR)
    # nbgrader calls alembic, which stands beside this Python, by its name.
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{before}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy's, of nbgrader's own habits
            made.start()
    finally:
        os.environ["PATH"] = before


def rows(
    graded: list[Graded], assignment: str, released: NotebookNode, course: Path
) -> list[dict[str, object]]:
    """Return a row for each student and task; points of questions are those that nbgrader holds.

    What waits for the teacher has no points yet: None, never a silent zero.
    """
    found: list[dict[str, object]] = []
    most = points_of(released)
    with Gradebook(f"sqlite:///{(course / 'gradebook.db').resolve()}") as book:
        for one in sorted(graded, key=lambda one: one.student):
            marks = _marks(book, assignment, one)
            for task, points in most.items():
                verdict = one.verdicts[task]
                state = verdict.state
                given: float | None = points if state == RIGHT else 0.0
                if state == UNREAD:
                    given = None
                elif marks:
                    auto, manual = marks[task]
                    if auto is not None and auto != given and state != WAITS:
                        raise RuntimeError(
                            f"{one.student}, {task}: у нас {given:g} баллов, у nbgrader {auto:g}."
                        )
                    if manual is not None:
                        state, given = MARKED, manual
                    elif state == WAITS:
                        given = None
                values = (one.student, task, given, points, state, verdict.message)
                found.append(dict(zip(COLUMNS, values, strict=True)))
    return found


def _marks(
    book: Gradebook, assignment: str, one: Graded
) -> dict[str, tuple[float | None, float | None]]:
    """Return the automatic and the teacher's points of each task as nbgrader holds them."""
    try:
        submission = book.find_submission(assignment, slug(one.student))
    except MissingEntry:
        return {}
    return {
        # A mark of an older answer waits for the teacher again.
        grade.cell.name.removesuffix("-check"): (
            grade.auto_score,
            None if grade.needs_manual_grade else grade.manual_score,
        )
        for notebook in submission.notebooks
        for grade in notebook.grades
    }


def write_csv(table: Sequence[Mapping[str, object]], columns: Sequence[str], path: Path) -> None:
    """Write rows as CSV for spreadsheets: UTF-8 with a mark, and no cell is a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in table:
        writer.writerow({name: _cell(row[name]) for name in columns})
    write(path, "\ufeff" + text.getvalue())


def _cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_feedback(table: list[dict[str, object]], graded: Graded, title: str, path: Path) -> None:
    """Write the page for one student: the tasks, what was right, what to look at."""
    own = [row for row in table if row["student"] == graded.student]
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(graded.student)}: {_total(own)}</p>"]
    body += ["<table><tr><th>задача</th><th>баллы</th><th>итог</th><th>что сказала проверка</th>"]
    for row in own:
        given = "—" if row["points"] is None else f"{row['points']:g}"
        body.append(
            f"<tr><td>{escape(str(row['task']))}</td>"
            f"<td class=number>{given} из {row['max']:g}</td>"
            f"<td>{escape(str(row['state']))}</td><td>{escape(str(row['message']))}</td></tr>"
        )
    body.append("</table>")
    if graded.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in graded.notes)
        body.append(f"<h2>Что замечено в тетради</h2><ul>{notes}</ul>")
    write(path, page(title, "\n".join(body)))


def _total(own: list[dict[str, object]]) -> str:
    given = sum(float(str(row["points"])) for row in own if row["points"] is not None)
    waiting = sum(float(str(row["max"])) for row in own if row["points"] is None)
    most = sum(float(str(row["max"])) for row in own)
    later = f", ещё {waiting:g} не оценены" if waiting else ""
    return f"{given:g} из {most:g}{later}"


def page(title: str, body: str) -> str:
    """Return a page whose ``body`` may run nothing and ask nobody."""
    return (
        '<!doctype html>\n<html lang="ru">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n"
        "</body>\n</html>\n"
    )


def write_summary(
    table: list[dict[str, object]], graded: list[Graded], title: str, path: Path
) -> None:
    """Write the page for the teacher: points of each task, commonest mistakes, what to look at."""
    body = [f"<h1>{escape(title)}</h1>", f"<p>Работ: {len(graded)}.</p>"]
    body.append(
        f'<img alt="{escape(_in_words(table))}" src="data:image/png;base64,{_figure(table)}">'
    )
    body.append("<h2>Студенты</h2><table><tr><th>студент</th><th>баллы</th><th>замечания</th></tr>")
    for one in sorted(graded, key=lambda one: one.student):
        own = [row for row in table if row["student"] == one.student]
        notes = "; ".join(one.notes)
        body.append(
            f"<tr><td>{escape(one.student)}</td><td class=number>{_total(own)}</td>"
            f"<td>{escape(notes)}</td></tr>"
        )
    body.append("</table><h2>Частые ошибки</h2>")
    counted = mistakes(graded)
    if counted:
        body.append("<table><tr><th>сколько</th><th>задача</th><th>что не так</th></tr>")
        for (task, hint), count in counted:
            body.append(
                f"<tr><td class=number>{count}</td><td>{escape(task)}</td>"
                f"<td>{escape(hint)}</td></tr>"
            )
        body.append("</table>")
    else:
        body.append("<p>Ошибок нет.</p>")
    write(path, page(title, "\n".join(body)))


def mistakes(graded: list[Graded]) -> list[tuple[tuple[str, str], int]]:
    """Return how often each mistake was made, by tasks, the commonest first."""
    counted = Counter(
        (task, verdict.hint or verdict.state)
        for one in graded
        for task, verdict in one.verdicts.items()
        if verdict.state not in (RIGHT, WAITS, UNREAD)
    )
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _by_task(table: list[dict[str, object]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for row in table:
        given = "?" if row["points"] is None else f"{row['points']:g}"
        found.setdefault(str(row["task"]), Counter())[given] += 1
    return found


def _in_words(table: list[dict[str, object]]) -> str:
    return "Сколько студентов получили сколько баллов. " + "; ".join(
        f"{task}: " + ", ".join(f"{given} — {count}" for given, count in sorted(counts.items()))
        for task, counts in _by_task(table).items()
    )


def _figure(table: list[dict[str, object]]) -> str:
    """Return a PNG in base64: for each task, how many students got how many points."""
    counts = _by_task(table)
    most = {str(row["task"]): float(str(row["max"])) for row in table}
    across = 4
    down = -(-len(counts) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(9, 2.1 * down), squeeze=False, layout="constrained"
    )
    places = list(axes.flat)
    for place, (task, found) in zip(places, counts.items(), strict=False):
        bars = sorted((given for given in found if given != "?"), key=float)
        bars += ["?"] if "?" in found else []
        drawn = place.bar(bars, [found[bar] for bar in bars], color="#0072b2", width=0.6)
        place.bar_label(drawn)
        place.set_title(f"{task}, из {most[task]:g}", fontsize=9)
        place.set_yticks([])
        place.margins(y=0.25)
        place.spines[["top", "right", "left"]].set_visible(False)
    for place in places[len(counts) :]:
        place.set_axis_off()
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    plt.close(figure)
    return base64.b64encode(data.getvalue()).decode()
