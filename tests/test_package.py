"""The package as others meet it: what it imports, what its wheel holds, what its README shows."""

import ast
import itertools
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from coursekit import checkpoints, datasets, training

ROOT = Path(__file__).resolve().parent.parent
RUN = "book/appendix/run.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Left to right, as the design draws it; a module imports only from those before it.
ORDER = (
    "arguments downloads datasets text vocab tensors batching metrics cells attention layers "
    "losses models seq2seq checkpoints memory processes training estimators beam generation "
    "translation probes plots comparing checks variants"
).split()


def imports(module):
    tree = ast.parse((ROOT / "coursekit" / f"{module}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("coursekit."):
            yield node.module.removeprefix("coursekit.")


def test_modules_import_only_from_their_left():
    modules = {path.stem for path in (ROOT / "coursekit").glob("*.py")} - {"__init__", "__main__"}
    assert modules == set(ORDER)
    for module in ORDER:
        assert set(imports(module)) <= set(ORDER[: ORDER.index(module)]), module


@pytest.mark.parametrize("module", ["text", "vocab", "datasets", "metrics"])
def test_what_needs_no_torch_does_not_import_it(module):
    program = f"import sys, coursekit.{module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def requirement_name(requirement):
    return re.split(r"[^\w-]", requirement)[0].lower().replace("_", "-")


def test_every_dependency_has_a_verified_version():
    locked = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert "torch==2.13.0" in locked
    names = {requirement_name(line) for line in locked}
    extras = PROJECT["project"]["optional-dependencies"].values()
    for requirement in itertools.chain(PROJECT["project"]["dependencies"], *extras):
        assert requirement_name(requirement) in names, requirement


@pytest.mark.parametrize(
    ("limit", "threads"), [("2.0", "2"), ("1", "1"), ("0.5", "1"), (None, "1")]
)
def test_binder_begins_no_more_threads_than_it_lends_cores(limit, threads):
    given = {"PATH": os.environ["PATH"], **({"CPU_LIMIT": limit} if limit else {})}
    ran = subprocess.run(
        [ROOT / "start", "env"], env=given, capture_output=True, text=True, check=True
    )
    assert f"OMP_NUM_THREADS={threads}\n" in ran.stdout


def test_environment_yml_derives_from_the_extras():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert set(environment) == {"name", "channels", "dependencies"}
    *conda, pip = environment["dependencies"]
    python, pip_itself, torch = conda
    assert (pip_itself, pip) == ("pip", {"pip": ["-e .[book,test]"]})
    assert python.removeprefix("python=") == PROJECT["project"]["requires-python"].lstrip(">=")
    bound = next(d for d in PROJECT["project"]["dependencies"] if d.startswith("torch"))
    assert torch == bound.replace("torch", "pytorch-cpu")


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github" / "workflows").iterdir()))
def test_workflows_call_what_a_person_calls(workflow):
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in "\n".join(commands).splitlines():
        program, first, *_ = [*line.split(), ""]
        assert (
            (program == "make" and (first in targets or first == ".venv/ready"))
            or (program == ".venv/bin/python" and (ROOT / first).is_file())
            or line in ("bash .ci/run", "nvidia-smi")
            # What is the runner's own: its packages, its kernel, its commit.
            or program in ("sudo", "git")
        ), line


@pytest.mark.parametrize(("page", "said"), [("README.md", "вера львовна "), (RUN, "")])
def test_the_programs_on_paper_run(page, said, monkeypatch, capsys, tmp_path):
    program = re.search(
        r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL
    )[1]
    small = datasets.Corpus(
        work._replace(text=work.text[:1500]) for work in datasets.load_zarechinsk()
    )
    monkeypatch.setattr(datasets, "load_zarechinsk", lambda: small)
    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *data, **how: fit(*data, **how | {"epochs": 1}))
    monkeypatch.chdir(tmp_path)
    exec(compile(program, page, "exec"), {})
    assert capsys.readouterr().out.startswith(said)
    if "save_model" in program:
        model, vocab = checkpoints.load_model("model.pt")
        assert model.arguments["vocab_size"] == len(vocab)


@pytest.mark.slow
def test_the_wheel_holds_data_types_and_licences(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*build, "-w", str(tmp_path)], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    target = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(target)
    assert "coursekit/py.typed" in names
    assert "coursekit/book.mplstyle" in names
    assert "coursekit/release/lstm/lstm.ipynb" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/LICENSES/CC0-1.0.txt") for name in names)
    assert not any(name.startswith(("tests", "book")) for name in names)
    program = (
        "from coursekit import datasets, downloads; import coursekit; print(coursekit.__file__);"
        "print(len(datasets.load_zarechinsk()), len(datasets.load_reviews()),"
        "len(datasets.load_names().names), len(downloads.registry()))"
    )
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, cwd=target, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [str(target / "coursekit" / "__init__.py"), "119 1200 103 13"]
