"""Grading a class: right points, no silent zero, nothing done twice, commands as the page shows."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import classroom
import nbformat
import pytest
from nbgrader.api import Gradebook

from coursekit.__main__ import main, read_students
from coursekit.teaching import gradebook, similarity
from coursekit.teaching.classes import grade_all
from coursekit.teaching.files import slug
from coursekit.teaching.grading import (
    FAILED,
    FORBIDDEN,
    KILLED,
    LATE,
    MISSING,
    RIGHT,
    UNREAD,
    WAITS,
    WRONG,
    Graded,
    Verdict,
    grade_one,
)
from coursekit.teaching.personal import draw, owner, personal
from coursekit.teaching.released import points_of, release_of, told
from coursekit.teaching.sandbox import bubblewrap
from coursekit.teaching.secrecy import keyed, make_secret, read_secret, seed
from coursekit.teaching.submissions import Submission, read
from coursekit.teaching.syntax import defined, forbidden_in
from coursekit.variants import COMMON, TAG, common

ROOT = Path(__file__).resolve().parent.parent
SECRET = b"a secret of these tests alone"
ASSIGNMENTS = ["attention", "bidirectional", "gradients", "gru", "lm", "lstm", "rnn", "tfidf"]

WALLS = bubblewrap() is not None
needs_walls = pytest.mark.skipif(not WALLS, reason="bubblewrap is not installed")


def handed_in(notebook, student="анна"):
    return Submission(student, f"{student}.ipynb", nbformat.writes(notebook).encode())


def states(graded):
    return {task: verdict.state for task, verdict in graded.verdicts.items()}


def of_class(student):
    return nbformat.read(classroom.FOLDER / f"{student}.ipynb", as_version=4)


def with_cell(notebook, task, source):
    for cell in notebook.cells:
        if told(cell).get("grade_id") == task:
            cell.source = source
    return notebook


@pytest.fixture(scope="module")
def graded_class(tmp_path_factory):
    """The class of five, graded by the command."""
    folder = tmp_path_factory.mktemp("class")
    make_secret(folder / "secret.txt")
    words = ["grade", str(classroom.FOLDER), "--assignment", "lstm"]
    main([*words, "--secret", str(folder / "secret.txt"), "--out", str(folder / "grades.csv")])
    return folder


def table_of(folder):
    with (folder / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        return {(row["student"], row["task"]): row for row in csv.DictReader(file)}


@needs_walls
@pytest.mark.slow
def test_a_class_gets_the_points_it_earned(graded_class):
    table = table_of(graded_class)
    state = {key: row["state"] for key, row in table.items()}
    tasks = list(points_of(release_of("lstm")))
    for student in ("Анна Береговая", "Вера Мостовая", "Дарья Причалова"):
        assert {task: state[student, task] for task in tasks} == {
            **dict.fromkeys(tasks, RIGHT),
            "question": WAITS,
        }, student
    boris = {task: state["Борис Лодочников", task] for task in tasks}
    # A wrong gate spoils what calls it: the student sees which hint came first.
    assert boris["gates"] == boris["last_states"] == boris["contributions"] == WRONG
    assert boris["parameters"] == boris["open_forget"] == RIGHT
    assert "кандидат C̃ — это tanh" in table["Борис Лодочников", "gates"]["message"]
    gleb = {task: state["Глеб Паромов", task] for task in tasks}
    assert gleb["gates"] == gleb["step"] == RIGHT
    assert gleb["lstm"] == FORBIDDEN
    assert gleb["last_states"] == LATE
    assert gleb["contributions"] == gleb["mine"] == gleb["question"] == MISSING
    assert table["Глеб Паромов", "gates"]["points"] == "3"
    assert table["Анна Береговая", "question"]["points"] == ""


@needs_walls
@pytest.mark.slow
def test_the_pages_say_what_was_found_and_run_nothing(graded_class):
    folder = graded_class / "grades"
    summary = (folder / "summary.html").read_text(encoding="utf-8")
    assert "Работ: 5" in summary
    assert "метаданные ячеек потеряны" in summary
    assert "взято готовое: torch.nn.LSTM" in summary
    boris = (folder / "feedback" / f"{slug('Борис Лодочников')}.html").read_text(encoding="utf-8")
    assert "кандидат C̃ — это tanh" in boris
    assert "Здесь вызвана gates, а её итог — «неверно»: сначала её." in boris
    for page in [folder / "summary.html", *(folder / "feedback").iterdir()]:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "default-src 'none'" in text


@needs_walls
@pytest.mark.slow
def test_what_was_graded_is_not_graded_again_and_marks_of_the_teacher_stay(graded_class):
    folder = graded_class / "grades"
    before = {path: path.stat().st_mtime_ns for path in (folder / "results").iterdir()}
    with Gradebook(f"sqlite:///{folder / 'course' / 'gradebook.db'}") as book:
        grade = book.find_grade("question", "lstm", "lstm", slug("Анна Береговая"))
        grade.manual_score, grade.needs_manual_grade = 3.5, False
        book.db.commit()
    words = ["grade", str(classroom.FOLDER), "--assignment", "lstm"]
    secret, out = str(graded_class / "secret.txt"), str(graded_class / "grades.csv")
    main([*words, "--secret", secret, "--out", out])
    assert {path: path.stat().st_mtime_ns for path in (folder / "results").iterdir()} == before
    row = table_of(graded_class)["Анна Береговая", "question"]
    assert (row["points"], row["state"]) == ("3.5", "оценено")


@needs_walls
@pytest.mark.slow
def test_a_grading_that_was_killed_goes_on(tmp_path):
    place = tmp_path / "class"
    place.mkdir()
    for number in range(6):
        nbformat.write(of_class("Анна Береговая"), place / f"student{number}.ipynb")
    make_secret(tmp_path / "secret.txt")
    command = [sys.executable, "-m", "coursekit", "grade", str(place), "--assignment", "lstm"]
    command += ["--secret", str(tmp_path / "secret.txt"), "--out", str(tmp_path / "grades.csv")]
    results = tmp_path / "grades" / "results"
    with subprocess.Popen(command, start_new_session=True) as process:
        while not list(results.glob("*.json")) and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    done = {path: path.stat().st_mtime_ns for path in results.glob("*.json")}
    assert 0 < len(done) < 6
    subprocess.run(command, check=True)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    table = table_of(tmp_path)
    assert {student for student, _ in table} == {f"student{number}" for number in range(6)}


@needs_walls
@pytest.mark.slow
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_source_gets_all_points_and_a_release_none(assignment):
    path = ROOT / "book" / "assignments" / "source" / assignment / f"{assignment}.ipynb"
    solved = grade_one(handed_in(nbformat.read(path, 4)), assignment, SECRET)
    assert solved.notes == []
    assert set(states(solved).values()) == {RIGHT, WAITS}, solved.verdicts
    untouched = grade_one(handed_in(release_of(assignment)), assignment, SECRET)
    assert set(states(untouched).values()) == {MISSING}, untouched.verdicts


HOSTILE = {
    "an endless loop": ("while True: pass", {"gates": LATE}),
    "a way out": ("import os; os._exit(0)", {"gates": KILLED}),
    "fifty gigabytes": ("torch.ones(50 * 2**30)", {"gates": FAILED}),
    "a socket": ("import socket; socket.socket()", {"gates": FORBIDDEN}),
    "a secret read": ("open('/etc/passwd')", {"gates": FORBIDDEN}),
    "the class called": ("return torch.nn.LSTM(2, 2)(x)", {"gates": FORBIDDEN}),
}


@needs_walls
@pytest.mark.slow
@pytest.mark.parametrize("trick", HOSTILE)
def test_a_hostile_function_costs_its_task_and_nothing_else(trick):
    body, expected = HOSTILE[trick]
    notebook = of_class("Анна Береговая")
    with_cell(notebook, "gates", f"def gates(x, h, W, b):\n    {body}")
    # The others do not call it.
    with_cell(notebook, "mine", "def mine():\n    return 0.0")
    graded = grade_one(handed_in(notebook), "lstm", SECRET, seconds=6)
    found = states(graded)
    assert {task: found[task] for task in expected} == expected
    for task in ("last_states", "contributions", "parameters", "open_forget"):
        assert found[task] == RIGHT, graded.verdicts


@needs_walls
@pytest.mark.slow
@pytest.mark.parametrize("cell", ["while True: print('a')", "import os; os._exit(1)", "1 / 0"])
def test_a_hostile_cell_costs_nothing_but_itself(cell):
    notebook = of_class("Анна Береговая")
    place = next(i for i, c in enumerate(notebook.cells) if told(c).get("grade_id") == "step")
    notebook.cells.insert(place, nbformat.v4.new_code_cell(cell))
    graded = grade_one(handed_in(notebook), "lstm", SECRET, seconds=6)
    assert set(states(graded).values()) == {RIGHT, WAITS}
    assert bool(graded.notes) == ("1 / 0" not in cell)


@needs_walls
@pytest.mark.slow
def test_a_submission_that_hangs_everywhere_ends():
    notebook = release_of("lstm")
    for cell in notebook.cells:
        if cell.cell_type == "code" and told(cell).get("solution"):
            cell.source = f"{cell.source.splitlines()[0]}\n    while True: pass"
    for _ in range(30):
        notebook.cells.insert(5, nbformat.v4.new_code_cell("while True: pass"))
    began = time.monotonic()
    graded = grade_one(handed_in(notebook), "lstm", SECRET, seconds=2)
    assert time.monotonic() - began < 120
    assert set(states(graded).values()) <= {LATE, MISSING}


@needs_walls
@pytest.mark.slow
def test_printed_points_and_patched_checks_are_worth_nothing():
    notebook = release_of("lstm")
    liar = (
        "import coursekit.checks as checks, sys, builtins\n"
        "checks.check = checks.judge = checks.observe = lambda *a, **k: None\n"
        "print('gates: верно, проверок — 3')\n"
        "def gates(x, h, W, b):\n"
        "    print('3 из 3')\n"
        "    return type('Right', (), {'__eq__': lambda *a: True})()"
    )
    with_cell(notebook, "gates", liar)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text="верно")]
        if told(cell).get("points"):
            cell.metadata.nbgrader.points = 1000
    graded = grade_one(handed_in(notebook), "lstm", SECRET)
    assert RIGHT not in states(graded).values()
    assert points_of(nbformat.reads(graded.notebook, 4)) == points_of(release_of("lstm"))


ODD_SOURCES = {
    "a name that torch answers with an error": "def gates(*given):\n    return torch.classes.a.b",
    "more magics than IPython turns": "%pip\n" * 600,
    "a null": "x = '\0'",
    "brackets": "(" * 50_000,
    "minuses": "x = " + "-" * 50_000 + "1",
    "half a character": "x = '\ud800'",
}


@needs_walls
@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD_SOURCES)
def test_an_odd_source_costs_no_other_submission_anything(odd, tmp_path):
    notebook = of_class("Анна Береговая")
    notebook.cells.insert(3, nbformat.v4.new_code_cell(ODD_SOURCES[odd]))
    data = json.dumps(notebook).encode()
    class_ = [Submission("odd", "odd.ipynb", data), handed_in(of_class("Анна Береговая"))]
    found = {one.student: one for one in grade_all(class_, "lstm", SECRET, tmp_path)}
    assert set(states(found["анна"]).values()) == {RIGHT, WAITS}
    assert set(states(found["odd"]).values()) <= {RIGHT, WAITS, UNREAD, FAILED, WRONG, FORBIDDEN}


@needs_walls
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def gates(x, h, W, b)\n    return x", "SyntaxError: expected ':'"),
        ("1 / 0\ndef gates(x, h, W, b):\n    return x", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_cell_that_defines_nothing_says_why(source, said):
    notebook = of_class("Анна Береговая")
    with_cell(notebook, "gates", source)
    graded = grade_one(handed_in(notebook), "lstm", SECRET)
    verdict = graded.verdicts["gates"]
    assert verdict.state == FAILED
    assert verdict.message.startswith(f"ячейка остановилась с ошибкой {said}")


def test_a_book_is_no_solution():
    notebook = release_of("lstm")
    notebook.cells.append(nbformat.v4.new_code_cell("x = [" + "1, " * 200_000 + "]"))
    graded = grade_one(handed_in(notebook), "lstm", SECRET)
    assert set(states(graded).values()) == {UNREAD}


@needs_walls
@pytest.mark.slow
def test_a_second_assignment_does_not_take_the_place_of_the_first(tmp_path):
    make_secret(tmp_path / "secret")
    place = tmp_path / "class"
    place.mkdir()
    nbformat.write(release_of("gru"), place / "анна.ipynb")
    words = ["grade", str(place), "--secret", str(tmp_path / "secret")]
    out = ["--out", str(tmp_path / "grades.csv")]
    main([*words, "--assignment", "gru", *out])
    with pytest.raises(SystemExit, match="там уже задание gru"):
        main([*words, "--assignment", "lstm", *out])


def test_what_cannot_be_read_is_no_zero(tmp_path):
    graded = grade_one(Submission("x", "x.ipynb", b"spoilt"), "lstm", SECRET)
    assert set(states(graded).values()) == {UNREAD}
    assert "не читается как тетрадь" in graded.notes[0]
    gradebook.record([graded], "lstm", release_of("lstm"), tmp_path)
    rows = gradebook.rows([graded], "lstm", release_of("lstm"), tmp_path)
    assert {row["points"] for row in rows} == {None}


@needs_walls
@pytest.mark.slow
def test_a_function_below_its_check_counts():
    notebook = of_class("Анна Береговая")
    solution = with_cell(notebook, "parameters", "# ниже")
    solution.cells.append(nbformat.v4.new_code_cell(classroom.ANNA["parameters"]))
    # Without metadata the function would simply be put back; here its own cell is there, too.
    graded = grade_one(handed_in(solution), "lstm", SECRET)
    assert states(graded)["parameters"] == RIGHT


FORBIDDEN_NAMES = frozenset({"coursekit.cells", "torch.nn.modules.rnn", "lstm", "lstm_cell"})


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["import torch", "torch.nn.LSTM(2, 3)"], "torch.nn.LSTM"),
        (["import torch.nn as n", "n.LSTMCell(2, 3)"], "torch.nn.LSTMCell"),
        (["from torch import nn", "def f(x): return nn.GRU(2, 3)(x)"], "torch.nn.GRU"),
        (["from torch.nn import LSTM as L", "L(2, 3)"], "torch.nn.LSTM"),
        (["import torch", "torch.lstm_cell(1)"], "torch.lstm_cell"),
        (["import torch", "torch._VF.lstm(1)"], "torch._VF.lstm"),
        (["from coursekit import cells", "cells.LSTMCell(2, 3)"], "coursekit.cells.LSTMCell"),
        (["", "from coursekit.cells import LSTMCell"], "coursekit.cells.LSTMCell"),
        (["from coursekit.tasks import lstm as t", "t.gates(1)"], "coursekit.tasks.lstm.gates"),
        (["", "from coursekit.tasks.lstm import step"], "coursekit.tasks.lstm.step"),
        (
            ["from coursekit.tasks import lstm as t", "t.GATES.reference(1)"],
            "coursekit.tasks.lstm.GATES.reference",
        ),
        (["from coursekit.tasks import lstm as t", "check(t.GATES, gates)"], None),
        (["import torch", "def lstm(x): return torch.nn.functional.relu(x)"], None),
        (["import torch", "lstm = 1; lstm + 1"], None),
        (["import torch", "torch.nn.Linear(2, 3)"], None),
        (["import torch", "def f(:"], None),
    ],
)
def test_what_a_task_forbids_is_found_under_any_name(cells, found):
    assert forbidden_in(cells[-1], cells[:-1], FORBIDDEN_NAMES) == found


@needs_walls
@pytest.mark.slow
def test_what_hides_from_reading_is_found_when_it_runs():
    notebook = of_class("Анна Береговая")
    with_cell(
        notebook,
        "lstm",
        "def lstm(x, W, b):\n"
        "    layer = getattr(torch.nn, 'LS' + 'TM')(x.shape[2], len(b) // 4).double()\n"
        "    return layer(x)",
    )
    graded = grade_one(handed_in(notebook), "lstm", SECRET)
    assert states(graded)["lstm"] == FORBIDDEN


@needs_walls
@pytest.mark.slow
def test_what_a_solution_does_not_need_is_for_the_teacher_to_see():
    notebook = of_class("Анна Береговая")
    notebook.cells.append(nbformat.v4.new_code_cell("eval('1 + 1')"))
    graded = grade_one(handed_in(notebook), "lstm", SECRET)
    assert any("посмотрите глазами" in note and "eval" in note for note in graded.notes)


def test_a_secret_decides_and_is_kept_from_others(tmp_path):
    path = tmp_path / "secret"
    make_secret(path)
    assert path.stat().st_mode & 0o077 == 0
    assert len(read_secret(path)) >= 32
    with pytest.raises(ValueError, match="файл уже есть"):
        make_secret(path)
    (tmp_path / "short").write_text("123", encoding="utf-8")
    with pytest.raises(ValueError, match="короче 16 знаков"):
        read_secret(tmp_path / "short")
    assert keyed(SECRET, "a", "bc") != keyed(SECRET, "ab", "c")
    assert seed(SECRET, "a") != seed(b"another secret of the tests", "a")


@needs_walls
@pytest.mark.slow
def test_another_secret_and_another_notebook_ask_otherwise(monkeypatch):
    asked = []
    from coursekit.teaching.sandbox import Worker

    def listen(self, name, arguments, *rest):
        asked.append(arguments[0])
        raise RuntimeError

    monkeypatch.setattr(Worker, "call", listen)
    for secret, extra in ((SECRET, ""), (SECRET, ""), (SECRET * 2, ""), (SECRET, "\n\nЕщё.")):
        notebook = of_class("Анна Береговая")
        notebook.cells[0].source += extra
        with pytest.raises(RuntimeError):
            grade_one(handed_in(notebook), "lstm", secret)
    first, same, *others = asked
    assert first.equal(same)
    assert all(not first.equal(other) for other in others)


def test_names_of_files_are_plain_and_never_shared():
    names = ["a/../b", "a_.._b", "..", "Ёж Пётр", "Ёж_Пётр", "x" * 300, "x" * 301, "a\0b"]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[\w-]{1,70}", found) for found in slugs)


def test_a_table_holds_no_formulas(tmp_path):
    rows = [{"student": "=cmd|' /C calc'!A0", "points": None, "max": 2.0}]
    gradebook.write_csv(rows, ["student", "points", "max"], tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text(encoding="utf-8")
    assert text == "\ufeffstudent,points,max\n'=cmd|' /C calc'!A0,,2\n"


def test_pages_show_what_students_write_as_text(tmp_path):
    evil = "<script>alert(1)</script>"
    graded = Graded(evil, "x", {"gates": Verdict(WRONG, evil, evil)}, [evil])
    rows = [
        {
            "student": evil,
            "task": "gates",
            "points": 0.0,
            "max": 3.0,
            "state": WRONG,
            "message": evil,
        }
    ]
    gradebook.write_feedback(rows, graded, "Задание", tmp_path / "a.html")
    gradebook.write_summary(rows, [graded], "Задание", tmp_path / "b.html")
    for name in ("a.html", "b.html"):
        assert "<script" not in (tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("анна\nборис\n", ["анна", "борис"]),
        ("\ufeffgroup,student\n1,анна\n1,борис\n", ["анна", "борис"]),
        ("анна\n\n\n", ["анна"]),
    ],
)
def test_a_list_of_students_is_read(tmp_path, text, names):
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    assert read_students(tmp_path / "list.csv") == names


def test_a_list_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "twice.csv").write_text("анна\nанна\n", encoding="utf-8")
    (tmp_path / "empty.csv").write_text("student\n", encoding="utf-8")
    (tmp_path / "cp1251.csv").write_bytes("анна".encode("cp1251"))
    for name, words in (("twice", "повторяются"), ("empty", "имён нет"), ("cp1251", "не UTF-8")):
        with pytest.raises(ValueError, match=words):
            read_students(tmp_path / f"{name}.csv")


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_students_get_their_own_variants(assignment):
    variant = import_module(f"coursekit.tasks.{assignment}").MINE
    students = [f"student{number}" for number in range(30)]
    released = release_of(assignment)
    seen = set()
    for student in students:
        notebook = personal(released, variant, SECRET, assignment, student)
        assert owner([cell.source for cell in notebook.cells], SECRET, assignment) == student
        constants = draw(variant, SECRET, assignment, student)
        (cell,) = [c for c in notebook.cells if TAG in c.metadata.get("tags", [])]
        names = {}
        exec(cell.source, names)
        assert {name: names[name] for name in constants} == constants
        seen.add(cell.source.partition("\n")[2])
        assert len(notebook.cells) == len(released.cells)
    assert len(seen) >= 20
    questions = {
        cell.source
        for student in students
        for cell in personal(released, variant, SECRET, assignment, student).cells
        if "variant-question" in cell.metadata.get("tags", [])
    }
    assert len(questions) == len(variant.questions)


def test_a_variant_is_sealed():
    variant = import_module("coursekit.tasks.lstm").MINE
    notebook = personal(release_of("lstm"), variant, SECRET, "lstm", "анна")
    sources = [cell.source for cell in notebook.cells]
    with pytest.raises(ValueError, match="подделана или от другого секрета"):
        owner(
            [source.replace("Вариант: анна", "Вариант: борис") for source in sources],
            SECRET,
            "lstm",
        )
    with pytest.raises(ValueError, match="подделана или от другого секрета"):
        owner(sources, SECRET, "gru")
    assert owner([cell.source for cell in release_of("lstm").cells], SECRET, "lstm") is None


@needs_walls
@pytest.mark.slow
def test_release_gives_variants_and_grade_knows_them(tmp_path):
    (tmp_path / "list.csv").write_text("анна\nборис\nвера\n", encoding="utf-8")
    secret, out = tmp_path / "secret.txt", tmp_path / "variants"
    make_secret(secret)
    given = ["--students", str(tmp_path / "list.csv"), "--secret", str(secret)]
    main(["release", "lstm", *given, "--out", str(out)])
    with (out / "variants.csv").open(encoding="utf-8-sig", newline="") as file:
        asked = {row["student"]: row for row in csv.DictReader(file)}
    assert set(asked) == {"анна", "борис", "вера"}
    assert all("1 —" in row["rubric"] for row in asked.values())
    # Anna solves hers, Boris hands in Anna's, Vera took the common one from the book.
    done = tmp_path / "done"
    done.mkdir()
    own = nbformat.read(out / slug("анна") / "lstm.ipynb", as_version=4)
    for task, source in (classroom.ANNA | classroom.MINE).items():
        with_cell(own, task, source)
    for student in ("анна", "борис"):
        nbformat.write(own, done / f"{student}.ipynb")
    nbformat.write(of_class("Анна Береговая"), done / "вера.ipynb")
    main(
        ["grade", str(done), "--assignment", "lstm", *given, "--out", str(tmp_path / "grades.csv")]
    )
    table = table_of(tmp_path)
    assert table["анна", "mine"]["state"] == RIGHT
    assert table["борис", "mine"]["state"] == WRONG
    assert table["вера", "mine"]["state"] == WRONG
    summary = (tmp_path / "grades" / "summary.html").read_text(encoding="utf-8")
    assert "в тетради вариант «анна», а проверен «борис»" in summary
    assert f"в тетради вариант «{COMMON}», а проверен «вера»" in summary
    # Without the list a notebook says itself whose it is, and a copy is seen.
    words = ["--secret", str(secret), "--out", str(tmp_path / "again.csv")]
    main(["grade", str(done), "--assignment", "lstm", *words])
    summary = (tmp_path / "again" / "summary.html").read_text(encoding="utf-8")
    assert "вариант «анна» ещё у: борис" in summary


def test_who_copies_is_found_and_who_does_not_is_not(tmp_path, capsys):
    out = tmp_path / "similar.html"
    main(["similar", str(classroom.FOLDER), "--assignment", "lstm", "--out", str(out)])
    said = capsys.readouterr().out
    assert "Анна Береговая и Дарья Причалова: общего кода 100" in said
    assert "Вера Мостовая" not in said
    page = out.read_text(encoding="utf-8")
    assert "<mark>" in page
    assert "<script" not in page


def test_the_given_text_is_no_copy():
    released = release_of("lstm")
    codes = {name: similarity.code_of(released, released) for name in "ab"}
    assert similarity.similar(codes, released) == []
    with pytest.raises(ValueError, match="threshold = 0"):
        similarity.similar(codes, released, threshold=0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["grade", "nowhere", "--assignment", "lstm"], "нет такого файла"),
        (["grade", "nowhere", "--assignment", "xyz"], "такого задания нет. Есть: attention"),
        (["release", "lstm", "--students", "nowhere"], "нет такого файла"),
    ],
)
def test_a_command_says_in_a_line_what_is_wrong(words, said, tmp_path):
    with pytest.raises(SystemExit) as error:
        main([*words, "--secret", str(tmp_path / "none")])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_class_is_what_its_maker_makes(tmp_path, monkeypatch):
    monkeypatch.setattr(classroom, "FOLDER", tmp_path)
    classroom.main()
    committed = ROOT / "tests" / "classroom"
    for path in tmp_path.iterdir():
        ours, theirs = (p.read_text(encoding="utf-8") for p in (path, committed / path.name))
        if path.suffix == ".csv":
            assert ours == theirs
            continue
        sources = [[c["source"] for c in json.loads(text)["cells"]] for text in (ours, theirs)]
        assert sources[0] == sources[1], path.name


@needs_walls
@pytest.mark.slow
def test_the_commands_of_the_teachers_page_work(tmp_path):
    page = (ROOT / "book" / "appendix" / "teacher.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (coursekit .+)$", page, re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["secret", "release", "grade", "similar"]
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for command in commands:
        program, *words = shlex.split(command, comments=True)
        ran = subprocess.run(
            [sys.executable, "-m", program, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, (command, ran.stderr)
    shown = set(re.findall(r"`((?:grades|variants|similar)[\w./-]*)`", page))
    assert len(shown) >= 4
    for name in shown:
        assert (tmp_path / name).exists(), name


def test_the_names_of_a_cell_are_those_it_defines():
    for assignment in ASSIGNMENTS:
        variant = import_module(f"coursekit.tasks.{assignment}").MINE
        released = release_of(assignment)
        (cell,) = [c for c in released.cells if TAG in c.metadata.get("tags", [])]
        assert defined(cell.source) == set(common(variant))
        assert read(nbformat.writes(released).encode()).cells
