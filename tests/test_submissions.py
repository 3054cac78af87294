"""Submissions as they come: every layout is read, every spoilt notebook is mended or spoken of."""

import json
import zipfile

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.teaching.released import release_of, told
from coursekit.teaching.repair import repair
from coursekit.teaching.submissions import collect, read
from coursekit.teaching.syntax import defined, only_imports, python

RELEASE = release_of("lstm")
SOLVED = "def {name}(x, h, W, b):\n    return x"
FUNCTIONS = ["gates", "step", "lstm", "last_states", "contributions", "parameters", "open_forget"]


def solved():
    """A submission with every function written and the question answered."""
    notebook = nbformat.from_dict(json.loads(json.dumps(RELEASE)))
    for cell in notebook.cells:
        name = told(cell).get("grade_id")
        if name in FUNCTIONS:
            cell.source = SOLVED.format(name=name)
        elif name == "question":
            cell.source = "Вентиль забывания меньше единицы, и память гаснет."
    return notebook


def bytes_of(notebook):
    return nbformat.writes(notebook).encode()


def checked(repaired):
    """The functions as they are executed, in order, and the tasks as they are checked."""
    names = [name for cell in repaired.cells for name in FUNCTIONS if f"def {name}(" in cell.source]
    return names, [cell.task for cell in repaired.cells if cell.task in FUNCTIONS]


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("submitted/ivanov/lstm/lstm.ipynb", "ivanov"),
        ("ivanov/lstm/lstm.ipynb", "ivanov"),
        ("ivanov/lstm.ipynb", "ivanov"),
        ("ivanov/моё решение.ipynb", "ivanov"),
        ("ivanov.ipynb", "ivanov"),
        ("ivanov_lstm.ipynb", "ivanov"),
        ("Иванова Анна_41752_assignsubmission_file_/lstm.ipynb", "Иванова Анна_41752"),
        ("Иванова Анна_41752_assignsubmission_file_lstm.ipynb", "Иванова Анна_41752"),
        ("ivanov/lstm/.ipynb_checkpoints/lstm-checkpoint.ipynb", None),
        ("ivanov/rnn/rnn.ipynb", None),
        ("__MACOSX/ivanov/lstm.ipynb", None),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_layout_is_read_as_it_comes(tmp_path, path, student, packed):
    data = {path: b"{}", "petrov/lstm/lstm.ipynb": b"[]", "petrov/lstm/data.csv": b"1,2"}
    place = tmp_path / "class"
    for name, content in data.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    if packed:
        with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
            for name, content in data.items():
                archive.writestr(name, content)
        place = tmp_path / "class.zip"
    found = {one.student: one for one in collect(place, "lstm")}
    assert set(found) == {"petrov", student} - {None}
    assert found["petrov"].data == b"[]"


def test_a_zip_inside_a_folder_is_opened(tmp_path):
    with zipfile.ZipFile(tmp_path / "Moodle.zip", "w") as archive:
        archive.writestr("Ёж Пётр_3_assignsubmission_file_/lstm.ipynb", b"{}")
    assert [one.student for one in collect(tmp_path, "lstm")] == ["Ёж Пётр_3"]


def test_trouble_is_said_and_nobody_is_lost(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "first.ipynb").write_bytes(b"{}")
    (tmp_path / "a" / "second.ipynb").write_bytes(b"{}")
    (tmp_path / "b.ipynb").write_bytes(b" " * (20 * 2**20 + 1))
    (tmp_path / "c.zip").write_bytes(b"no zip")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "lstm.ipynb").write_bytes(b"{}")
    (tmp_path / "d" / "old.ipynb").write_bytes(b"{}")
    found = {one.student: one for one in collect(tmp_path, "lstm")}
    assert "тетрадей несколько (a/first.ipynb, a/second.ipynb)" in found["a"].trouble
    assert "больше 20 МБ" in found["b"].trouble
    assert "архив c.zip не читается" in found["c"].trouble
    assert found["d"].trouble is None
    assert found["d"].path == "d/lstm.ipynb"


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"нет ни одной тетради .ipynb задания lstm"):
        collect(tmp_path, "lstm")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        b"[]",
        b"{}",
        b'{"cells": {}, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        b'{"cells": [1], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        b'{"cells": [{"source": 5}], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_notebook_is_said_to_be_none(data):
    with pytest.raises(ValueError, match="не читается как тетрадь Jupyter"):
        read(data)


def test_a_whole_submission_needs_no_mending():
    repaired = repair(read(bytes_of(solved())), RELEASE)
    assert repaired.notes == []
    assert checked(repaired) == (FUNCTIONS, FUNCTIONS)


def test_an_untouched_release_is_whole_too():
    assert repair(RELEASE, RELEASE).notes == []


def test_stripped_metadata_are_put_back_by_the_names_of_functions():
    notebook = solved()
    for cell in notebook.cells:
        cell.metadata = {}
        cell.pop("id", None)
    repaired = repair(read(bytes_of(notebook)), RELEASE)
    assert checked(repaired) == (FUNCTIONS, FUNCTIONS)
    found = "метаданные ячеек потеряны, найдено по именам и тексту: "
    assert [note for note in repaired.notes if note.startswith(found + "gates, step, lstm")]
    assert any("question" in note for note in repaired.notes)
    answer = next(c for c in repaired.notebook.cells if told(c).get("grade_id") == "question")
    assert answer.source == "Вентиль забывания меньше единицы, и память гаснет."


def test_reordered_cells_are_put_back():
    notebook = solved()
    notebook.cells.reverse()
    repaired = repair(read(bytes_of(notebook)), RELEASE)
    assert checked(repaired) == (FUNCTIONS, FUNCTIONS)
    assert "ячейки стояли в другом порядке: порядок восстановлен" in repaired.notes


def test_of_a_doubled_cell_the_last_written_one_counts():
    notebook = solved()
    place = next(i for i, c in enumerate(notebook.cells) if told(c).get("grade_id") == "gates")
    double = nbformat.from_dict(dict(notebook.cells[place]))
    double.source = "def gates(x, h, W, b):\n    return 'вторая'"
    untouched = nbformat.from_dict(dict(RELEASE.cells[place]))
    notebook.cells[place + 1 : place + 1] = [double, untouched]
    repaired = repair(notebook, RELEASE)
    assert checked(repaired) == (FUNCTIONS, FUNCTIONS)
    assert "ячейка «gates» повторена: взята последняя" in repaired.notes
    assert any("вторая" in cell.source for cell in repaired.cells)


def test_a_deleted_cell_is_spoken_of():
    notebook = solved()
    notebook.cells = [c for c in notebook.cells if told(c).get("grade_id") != "step"]
    repaired = repair(notebook, RELEASE)
    assert "ячейки с функцией step в тетради нет" in repaired.notes
    assert checked(repaired)[1] == FUNCTIONS


def test_a_function_moved_to_another_cell_is_found():
    notebook = solved()
    for cell in notebook.cells:
        if told(cell).get("grade_id") == "step":
            cell.source = "# см. ниже"
    notebook.cells.append(nbformat.v4.new_code_cell(SOLVED.format(name="step")))
    repaired = repair(notebook, RELEASE)
    assert checked(repaired) == (FUNCTIONS, FUNCTIONS)
    assert "метаданные ячеек потеряны, найдено по именам и тексту: step" in repaired.notes


def test_deleted_and_changed_checks_come_from_the_release():
    notebook = solved()
    for cell in notebook.cells:
        if told(cell).get("grade_id") == "gates-check":
            cell.source = "print('gates: верно')"
    notebook.cells = [c for c in notebook.cells if told(c).get("grade_id") != "step-check"]
    repaired = repair(notebook, RELEASE)
    assert checked(repaired)[1] == FUNCTIONS
    assert repaired.notes == ["закрытая ячейка «gates-check» изменена: взята исходная"]
    assert not any("print('gates" in cell.source for cell in repaired.notebook.cells)


def test_own_cells_keep_their_places():
    notebook = solved()
    place = next(i for i, c in enumerate(notebook.cells) if told(c).get("grade_id") == "lstm")
    notebook.cells.insert(place, nbformat.v4.new_code_cell("HELPER = 1"))
    notebook.cells.append(nbformat.v4.new_markdown_cell("Спасибо!"))
    repaired = repair(notebook, RELEASE)
    sources = [cell.source for cell in repaired.cells]
    assert sources.index("HELPER = 1") == sources.index(SOLVED.format(name="lstm")) - 1
    assert repaired.notebook.cells[-1].source == "Спасибо!"


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_however_a_notebook_is_shuffled_and_stripped_no_function_is_lost(data):
    notebook = solved()
    for cell in notebook.cells:
        if data.draw(st.booleans()):
            cell.metadata = nbformat.from_dict({})
    notebook.cells = data.draw(st.permutations(notebook.cells))
    assert checked(repair(notebook, RELEASE)) == (FUNCTIONS, FUNCTIONS)


def test_python_is_read_without_magics():
    source = "%pip install x\n!ls\nx = 1\nimport torch as t, math\ny: int = 2\n(a, b) = 1, 2"
    assert defined(source) == {"x", "t", "math", "y", "a", "b"}
    assert "pip" not in python(source)
    assert defined("def f(:\n") == {"f"}
    assert only_imports("import torch\nfrom math import pi")
    assert not only_imports("import torch\ntorch.manual_seed(0)")
    assert not only_imports("")
