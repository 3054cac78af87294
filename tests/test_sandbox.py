"""Students' code in a process apart: whatever it does, the class, the teacher and the points stand.

Every trick is tried for real, with bubblewrap and without it.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from coursekit.checks import judge
from coursekit.comparing import CheckError
from coursekit.tasks import lstm
from coursekit.teaching import sandbox
from coursekit.teaching.sandbox import (
    GarbledError,
    RaisedError,
    StoppedError,
    Worker,
    bubblewrap,
    check_walls,
)

WALLS = bubblewrap() is not None
needs_walls = pytest.mark.skipif(not WALLS, reason="bubblewrap is not installed")

GATES = (
    "import torch\n"
    "def gates(x, h, W, b):\n"
    "    i, f, g, o = (torch.cat([x, h], dim=-1) @ W.T + b).chunk(4, dim=-1)\n"
    "    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)\n"
)

# What a cell does, and what is said of it; "" where the process ends before it can say anything.
HOSTILE = {
    "an endless loop": ("while True: pass", ""),
    "an endless print": ("while True: print('а' * 10_000)", ""),
    "a sleep without end": ("import time; time.sleep(10**6)", ""),
    "fifty gigabytes": ("import numpy; numpy.ones(50 * 2**30 // 8)", "Memory"),
    "fifty gigabytes of torch": ("import torch; torch.ones(50 * 2**30 // 8)", "memory"),
    "fifty gigabytes of a list": ("a = []\nwhile True: a.append(bytearray(2**26))", ""),
    "a fork bomb": ("import os\nwhile True: os.fork()", "новый процесс"),
    "a thread": ("import threading; threading.Thread(target=print).start()", "thread"),
    "a program": ("import subprocess; subprocess.run(['ls'])", "запускает программу"),
    "a shell": ("import os; os.system('ls')", "запускает программу"),
    "the home folder deleted": (
        "import shutil, pathlib; shutil.rmtree(pathlib.Path({home!r}))",
        "удаляет",
    ),
    "a file deleted": ("import os; os.remove({secret!r})", "удаляет"),
    "the secret read": ("open({secret!r}).read()", "чужой файл"),
    "a neighbour's file listed": ("import os; os.listdir({home!r})", "чужой файл"),
    "a file written elsewhere": ("open({home!r} + '/new', 'w')", "вне своей папки"),
    "a socket": ("import socket; socket.create_connection(('127.0.0.1', 80))", "сокет"),
    "the teacher's process killed": ("import os; os.kill(os.getppid(), 9)", "сигнал"),
    "machine code": ("import ctypes; ctypes.CDLL(None)", "машинный код"),
    "the solutions read": ("open({tasks!r} + '/lstm.py').read()", "решения курса"),
    "a way out": ("import os; os._exit(0)", ""),
    "an abort": ("import os; os.abort()", ""),
    "a deep recursion": ("import sys; sys.setrecursionlimit(10**9)\ndef f(): f()\nf()", ""),
}
# What holds under bubblewrap alone: machine code asks Python's guard for nothing.
MACHINE_CODE = {
    "the secret mapped by torch": (
        "import torch\n"
        "print(bytes(torch.from_file({secret!r}, size=6, dtype=torch.uint8).tolist()))\n"
    ),
}

RUN_WITHOUT = """
import json, sys
from coursekit.teaching.sandbox import GarbledError, RaisedError, StoppedError, Worker
cells = json.loads(sys.argv[1])
said = []
for cell in cells:
    with Worker(seconds=2, walls=False) as worker:
        try:
            worker.run(cell)
        except (RaisedError, StoppedError, GarbledError) as error:
            said.append(f"{type(error).__name__}: {error}")
        else:
            said.append("done")
print(json.dumps(said))
"""


@pytest.fixture
def home(tmp_path):
    """A teacher's folder with a secret, as anyone may read it."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "secret").write_text("тайна преподавателя", encoding="utf-8")
    return folder


def filled(cell, home):
    return cell.format(
        home=str(home), secret=str(home / "secret"), tasks=str(Path(lstm.__file__).parent)
    )


def as_user(folder):
    """Return what makes a command run as an ordinary user that may read this Python."""
    if os.getuid() != 0:
        return []
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    walls = sandbox._walls(folder)
    place = walls.index("--tmpfs", walls.index("--size"))
    return [str(bubblewrap()), *walls[: place - 4], "--bind", str(folder), str(folder), *user]


def without_walls(cells, folder):
    """Return what is said of cells in a worker without bubblewrap, begun by an ordinary user."""
    folder.chmod(0o777)
    run = subprocess.run(
        [*as_user(folder), sys.executable, "-c", RUN_WITHOUT, json.dumps(cells)],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(folder), "HOME": str(folder)},
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def worker():
    with Worker(seconds=20, walls=WALLS) as found:
        found.run(GATES)
        yield found


@needs_walls
def test_a_right_function_is_right_in_a_process_apart(worker):
    for label, arguments in lstm.GATES.cases(torch.Generator().manual_seed(5)):
        judge(lstm.GATES, label, arguments, worker.call("gates", arguments, frozenset(), True))


@needs_walls
def test_a_wrong_function_meets_its_hint_there_too(worker):
    worker.run("def wrong(x, h, W, b):\n    return gates(h, x, W, b)")
    label, arguments = list(lstm.GATES.cases(torch.Generator().manual_seed(5)))[-1]
    seen = worker.call("wrong", arguments, frozenset(), True)
    with pytest.raises(CheckError, match=r"сначала вход; у вас \[h, x\]"):
        judge(lstm.GATES, label, arguments, seen)


@needs_walls
def test_an_error_of_a_cell_comes_in_its_words(worker):
    with pytest.raises(RaisedError, match="ZeroDivisionError: division by zero"):
        worker.run("1 / 0")
    with pytest.raises(RaisedError, match="SystemExit"):
        worker.run("import sys; sys.exit()")


@needs_walls
def test_answers_of_the_course_are_not_there(worker):
    worker.run("from coursekit.tasks import lstm as tasks\nfrom coursekit.checks import check")
    worker.run("check(tasks.GATES, gates)\nassert type(tasks.gates).__name__ == 'Silent'")
    with pytest.raises(RaisedError, match="решения курса"):
        worker.run("import coursekit\nopen(coursekit.__path__[0] + '/tasks/lstm.py')")


@needs_walls
@pytest.mark.slow
@pytest.mark.parametrize("trick", HOSTILE)
def test_a_trick_is_contained_by_bubblewrap(trick, home):
    cell, words = HOSTILE[trick]
    began = time.monotonic()
    with Worker(seconds=2) as worker:
        with pytest.raises((RaisedError, StoppedError)) as error:
            worker.run(filled(cell, home))
        assert words.lower() in str(error.value).lower()
    assert (home / "secret").read_text(encoding="utf-8") == "тайна преподавателя"
    assert sorted(path.name for path in home.iterdir()) == ["secret"]
    # What it began has ended with it.
    assert worker.process.poll() is not None
    assert time.monotonic() - began < 60


@needs_walls
@pytest.mark.parametrize("trick", MACHINE_CODE)
def test_machine_code_meets_bubblewrap(trick, home):
    with Worker(seconds=5) as worker, pytest.raises((RaisedError, StoppedError)):
        worker.run(filled(MACHINE_CODE[trick], home))


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() == 0 and not WALLS, reason="no way to become an ordinary user")
def test_the_tricks_in_python_are_contained_without_bubblewrap(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret").write_text("тайна преподавателя", encoding="utf-8")
    (home / "secret").chmod(0o666)
    heard = without_walls([filled(cell, home) for cell, _ in HOSTILE.values()], tmp_path)
    for (trick, (_, words)), said in zip(HOSTILE.items(), heard, strict=True):
        assert said != "done", trick
        assert words.lower() in said.lower(), (trick, said)
    assert (home / "secret").read_text(encoding="utf-8") == "тайна преподавателя"
    assert [path.name for path in home.iterdir()] == ["secret"]


def test_without_bubblewrap_a_teacher_is_told_what_that_means(monkeypatch):
    monkeypatch.setattr(sandbox, "bubblewrap", lambda: None)
    with pytest.raises(RuntimeError, match="Нет программы bubblewrap.*--without-bubblewrap"):
        check_walls(True)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with pytest.raises(RuntimeError, match="нельзя запускать чужой код с правами root"):
        check_walls(False)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert "машинный код такой запрет обходит" in check_walls(False)


def test_students_code_is_not_run_where_nothing_holds_it(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    for walls in (True, False):
        with pytest.raises(RuntimeError, match="WSL"):
            check_walls(walls)


@needs_walls
def test_bubblewrap_holds_and_is_named():
    assert check_walls(True).startswith("bubblewrap:")


@needs_walls
@pytest.mark.slow
@pytest.mark.parametrize(
    "lie",
    [
        "checks.observe = lambda *a: checks.Observed(answer=(1, 2, 3))",
        "import json; json.dumps = lambda *a, **k: '[' * 100_000",
        "import json; json.dumps = lambda *a, **k: '{}'",
        "import json; json.dumps = lambda *a, **k: 'x' * 10**8",
        "import json; json.dumps = lambda *a, **k: ("
        '\'{"answer": {"tensor": "", "dtype": "float64", "shape": [0, 1e99]},\''
        '\'"arguments": 0, "gradients": 0, "entered": null, "error": null}\')',
        "checks.judge = checks.check = lambda *a, **k: print('gates: верно, проверок — 3')",
        "import torch; torch.allclose = lambda *a, **k: True",
    ],
)
def test_a_worker_that_lies_gets_nothing(lie):
    with Worker(seconds=20) as worker:
        worker.run("from coursekit import checks")
        worker.run("def gates(x, h, W, b):\n    return x, h, x, h")
        try:
            worker.run(lie)
        except (RaisedError, GarbledError, StoppedError):
            return
        label, arguments = next(lstm.GATES.cases(torch.Generator().manual_seed(5)))
        with pytest.raises((CheckError, GarbledError, StoppedError)):
            judge(lstm.GATES, label, arguments, worker.call("gates", arguments, frozenset(), True))
