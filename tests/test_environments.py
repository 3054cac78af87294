"""What works today: environments as readers have them, and the table that says so."""

import json
import sys
from pathlib import Path

import environments
import nbformat
import pytest
import status_page
import yaml

ROOT = Path(__file__).resolve().parent.parent


def test_binder_installs_what_environment_yml_says():
    lines = environments.binder_requirements()
    assert lines == ["-e", f"{ROOT}[book,test]"]
    assert (ROOT / "environment.yml").is_file()


def test_colab_is_given_nothing_of_the_course():
    found = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert found["name"]
    asked = environments.requirements("colab")
    assert not any("coursekit" in part or str(ROOT) + "[" in part for part in asked)


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Run a notebook of these cells in this very Python and return the row."""

    def measure(*cells, environment="locked"):
        path = tmp_path / "book" / "chapter.ipynb"
        path.parent.mkdir(exist_ok=True)
        made = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(nbformat.v4.new_notebook(cells=made), path)
        monkeypatch.setattr(environments, "ROOT", tmp_path)
        return environments.run(path, environment, Path(sys.executable))

    return measure


def test_a_notebook_that_works_leaves_seconds_and_megabytes(measured):
    row = measured("import os", "assert os.listdir() == []")
    assert "error" not in row
    assert row["notebook"] == "book/chapter.ipynb"
    # Not what the tests themselves use, several times as much.
    assert 10 < row["megabytes"] < 300
    assert row["seconds"] >= 0


def test_a_claim_that_fails_is_red(measured):
    row = measured("assert 1 > 2, 'обещано'")
    assert row["error"].startswith("AssertionError: обещано")


def test_what_binder_has_no_memory_for_is_red(measured, monkeypatch):
    monkeypatch.setattr(environments, "BINDER_MEGABYTES", 1)
    assert "MB of memory" in measured("1", environment="binder")["error"]


def test_a_gpu_that_is_not_there_is_red(measured, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert measured("1", environment="cuda")["error"] == "AssertionError: no CUDA device"


def test_a_kernel_that_dies_is_red(measured):
    assert "DeadKernelError" in measured("import os; os._exit(1)")["error"]


def test_newer_results_take_the_place_of_older_ones(tmp_path):
    path = tmp_path / "status.json"
    row = {"notebook": "a", "environment": "locked", "date": "2026-01-01"}
    environments.merge([row, row | {"environment": "colab"}], path)
    environments.merge([row | {"date": "2026-01-08"}], path)
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert [(r["environment"], r["date"]) for r in kept] == [
        ("colab", "2026-01-01"),
        ("locked", "2026-01-08"),
    ]


def test_the_table_is_red_where_something_does_not_work():
    rows = [
        {
            "notebook": "book/a.ipynb",
            "environment": "locked",
            "date": "d",
            "seconds": 5,
            "megabytes": 9,
            "disk": 1200,
        },
        {
            "notebook": "book/b.ipynb",
            "environment": "colab",
            "date": "d",
            "error": "KeyError: x",
            "disk": 900,
        },
    ]
    text = status_page.table(rows, {"book/a": "Глава А"}).astext()
    assert "Глава А" in text
    assert "проверенные версии (1200\xa0МБ)" in text
    assert "работает: 5\xa0с, 9\xa0МБ, d" in text
    assert "НЕ РАБОТАЕТ: KeyError: x" in text
    assert text.count("не запускалось") == 2
    assert "видеокарта" not in text


def test_the_results_that_are_published_are_of_notebooks_that_are_there():
    rows = json.loads(environments.RESULTS.read_text(encoding="utf-8"))
    assert rows
    for row in rows:
        assert (ROOT / row["notebook"]).is_file(), row
        assert row["environment"] in status_page.ENVIRONMENTS
