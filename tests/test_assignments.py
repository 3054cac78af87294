"""The assignments: what students get is today's, asks what is checked, and nbgrader grades it."""

import dis
import os
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path

import assignments
import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from coursekit import variants
from coursekit.checks import Task

ROOT = Path(__file__).resolve().parent.parent

SOURCES = assignments.sources()
by_name = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def released(source):
    return assignments.ASSIGNMENTS / "release" / source.parent.name / source.name


def cells(path):
    return nbformat.read(path, as_version=4).cells


def tagged(source, tag):
    """The one cell with ``tag``."""
    [found] = [cell for cell in cells(source) if tag in cell.metadata.get("tags", [])]
    return found


def tasks_of(source):
    return import_module(f"coursekit.tasks.{source.stem}")


def test_every_release_is_that_of_its_source():
    assert SOURCES
    assert assignments.complaints() == []


@by_name
def test_a_release_has_neither_solutions_nor_outputs(source):
    text = released(source).read_text(encoding="utf-8")
    assert "SOLUTION" not in text
    given = {cell.id: cell for cell in cells(released(source))}
    for cell in cells(source):
        assert not given[cell.id].get("outputs")
        told = cell.metadata.get("nbgrader", {})
        if told.get("solution"):
            assert given[cell.id].source != cell.source
            assert (
                "Ваш ответ." in given[cell.id].source or assignments.STUB in given[cell.id].source
            )
        else:
            assert given[cell.id].source == cell.source


@by_name
def test_every_task_is_asked_checked_and_priced_as_the_table_says(source):
    module = tasks_of(source)
    found = cells(source)
    text = "\n".join(cell.source for cell in found)
    points = {
        cell.metadata["nbgrader"]["grade_id"]: cell.metadata["nbgrader"]["points"]
        for cell in found
        if cell.metadata.get("nbgrader", {}).get("grade")
    }
    for task in module.TASKS:
        assert isinstance(task, Task)
        assert f"\ndef {task.name}({', '.join(task.arguments)}):" in text
        assert f"check(tasks.{task.name.upper()}, {task.name})" in text
        assert f"{task.name}-check" in points
    assert "\ndef mine():" in text
    assert f"check(tasks.mine({', '.join(module.MINE.constants)}), mine)" in text
    assert "mine-check" in points
    table = re.findall(r"^\| \d \| .* \| (\d) \|$", found[0].source, re.MULTILINE)
    assert [int(price) for price in table] == list(points.values())


@by_name
def test_the_book_has_the_common_variant(source):
    variant = tasks_of(source).MINE
    assert tagged(source, variants.TAG).source == variants.cell(variants.common(variant))
    head, _, question = tagged(source, variants.QUESTION_TAG).source.partition("\n\n")
    assert re.fullmatch(r"## \d\. Вопрос", head)
    assert question == next(iter(variant.questions))


@by_name
def test_nothing_else_in_a_notebook_sets_what_a_variant_sets(source):
    # A cell that is run once more would change the student's variant behind their back.
    for cell in cells(source):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and not {"setup", variants.TAG} & set(tags):
            code = compile(cell.source, cell.id, "exec")
            names = {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_NAME"}
            assert not names & set(tasks_of(source).MINE.constants)


@by_name
def test_every_question_says_what_its_four_points_are_for(source):
    questions = tasks_of(source).MINE.questions
    assert len(questions) >= 3
    for question, rubric in questions.items():
        assert re.search(r"(Пять — восемь|Шесть — десять)\sпредложений\.$", question)
        assert sum(map(int, re.findall(r"(?:^|; )(\d) — ", rubric))) == 4
        assert rubric.endswith(".")
    [answer] = [
        cell
        for cell in cells(source)
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "question"
    ]
    assert answer.metadata["nbgrader"]["points"] == 4
    assert f"Баллы: {next(iter(questions.values()))}" in " ".join(answer.source.split())


@pytest.mark.slow
@by_name
def test_nbgrader_gives_the_source_full_marks_and_the_release_none(source, tmp_path, monkeypatch):
    # nbgrader calls alembic, which stands beside this Python, by its name.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    name = source.parent.name
    shutil.copytree(source.parent, tmp_path / "source" / name)
    course = Config(CourseDirectory={"root": str(tmp_path), "assignment_id": name})
    course.ClearSolutions.code_stub = {"python": assignments.STUB}
    course.ExecutePreprocessor.timeout = 120
    api = NbGraderAPI(CourseDirectory(config=course), config=course)
    assert api.generate_assignment(name)["success"]
    for student, notebook in (("knows", source), ("absent", released(source))):
        folder = tmp_path / "submitted" / student / name
        folder.mkdir(parents=True)
        shutil.copy(notebook, folder)
        said = api.autograde(name, student)
        assert said["success"], said
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as gradebook:
        marks = {
            student: gradebook.find_submission(name, student) for student in ("knows", "absent")
        }
        asked = sum(
            cell.max_score
            for cell in marks["knows"].notebooks[0].grades
            if cell.cell.name != "question"
        )
        assert asked > 0
        assert sum(grade.auto_score or 0 for grade in marks["knows"].notebooks[0].grades) == asked
        assert sum(grade.auto_score or 0 for grade in marks["absent"].notebooks[0].grades) == 0
