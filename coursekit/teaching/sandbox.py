"""Students' code in a process apart: no network, no files but its own, bounded in all it uses.

With bubblewrap the process sees a file system of its own, read-only but for its folder, where
neither the solutions nor other students' work exist. Without it there are only limits and a guard
in Python (``worker.guard``), which machine code passes by: ``check_walls`` says so.
"""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from multiprocessing import Pipe
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import Any, Self

import cloudpickle

import coursekit.tasks
from coursekit.checks import Observed
from coursekit.teaching.plain import decode

MEMORY = 2 * 2**30
FILE_SIZE = 8 * 2**20
FOLDER_SIZE = 64 * 2**20
# An answer is numbers of a few kilobytes; what is longer is no answer.
ANSWER_SIZE = 32 * 2**20
START_SECONDS = 120.0
PATIENCE = 5
NOBODY = 65534
# The worker has no tasks to import: what an argument needs of them goes with it.
cloudpickle.register_pickle_by_value(coursekit.tasks)
PACKAGE = Path(__file__).resolve().parents[1]


class StoppedError(Exception):
    """The student's process ended before it answered; the message is for the student."""


class LateError(StoppedError):
    """The student's process was ended for the time it took."""


class RaisedError(Exception):
    """A student's cell raised an exception: its words, and in ``raised`` the name of its type."""

    def __init__(self, words: str, raised: str) -> None:
        super().__init__(words)
        self.raised = raised


class GarbledError(Exception):
    """The student's process said what no honest one says."""


def bubblewrap() -> str | None:
    """Return the path of bubblewrap, or None where it is missing or older than 0.7."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)\.(\d+)", said.stdout)
    new = found is not None and (int(found[1]), int(found[2])) >= (0, 7)
    return program if new else None


def check_walls(walls: bool) -> str:
    """Return what students' code is held by; raise a ``RuntimeError`` where it cannot be."""
    if sys.platform != "linux":
        raise RuntimeError(
            f"Работы запускаются только в Linux, а здесь {sys.platform}. В Windows подойдёт WSL, в "
            "macOS — виртуальная машина или контейнер."
        )
    if walls:
        program = bubblewrap()
        if program is None:
            raise RuntimeError(
                "Нет программы bubblewrap (нужна версия 0.7 или новее), а без неё код студента "
                "запускается с вашими правами. Поставьте её: apt install bubblewrap. Или скажите "
                "--without-bubblewrap: останутся пределы времени, памяти и процессов и запрет "
                "чужих файлов, программ и сети для кода на Python. Машинный код такой запрет "
                "обходит, поэтому на этом компьютере не должно быть ничего, что жаль потерять."
            )
        tried = subprocess.run(
            [program, *_walls(Path.cwd()), "true"], capture_output=True, text=True, check=False
        )
        if tried.returncode != 0:
            raise RuntimeError(
                f"bubblewrap есть, но не работает: {tried.stderr.strip()[:300]}. Чаще всего ядро "
                "запрещает пространства имён обычным пользователям."
            )
        return "bubblewrap: своя файловая система, без сети; пределы времени, памяти и процессов"
    if os.getuid() == 0:
        raise RuntimeError(
            "Без bubblewrap нельзя запускать чужой код с правами root: пределы на него не "
            "действуют. Войдите обычным пользователем или поставьте bubblewrap."
        )
    return (
        "БЕЗ bubblewrap: пределы времени, памяти и процессов и запрет чужих файлов, программ и "
        "сети для кода на Python; машинный код такой запрет обходит"
    )


def _walls(folder: Path) -> list[str]:
    """Return bubblewrap's arguments; ``folder`` is where the process begins."""
    read = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives"]
    read += sorted({os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)})
    shown = [part for place in read for part in ("--ro-bind-try", place, place)]
    # The folders above them would be closed to all but their owner.
    inside = [*map(Path, read), PACKAGE, folder]
    above = {str(parent) for place in inside for parent in place.parents}
    opened = [part for place in sorted(above) for part in ("--perms", "0755", "--dir", place)]
    if sys.prefix != os.path.realpath(sys.prefix):
        shown += ["--symlink", os.path.realpath(sys.prefix), sys.prefix]
    # The package, wherever it lies, without its solutions.
    shown += ["--ro-bind", str(PACKAGE), str(PACKAGE), "--tmpfs", str(PACKAGE / "tasks")]
    apart = ["--unshare-all"]
    if os.getuid() == 0:
        # In a user namespace of the superuser limits on processes do not hold: the worker leaves
        # the superuser's rights itself.
        names = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts")
        apart = [*names, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return [
        *apart,
        *("--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"),
        *opened,
        *shown,
        *("--perms", "1777", "--size", str(FOLDER_SIZE), "--tmpfs", str(folder)),
        *("--chdir", str(folder)),
    ]


class Worker:
    """A process with one student's code; as a context manager it is ended on leaving.

    ``seconds`` of the processor bound one cell or one call, so that a busy machine costs nobody
    anything; what sleeps is ended after ``PATIENCE`` times as many. ``walls`` false does without
    bubblewrap.
    """

    def __init__(self, seconds: float = 20, walls: bool = True) -> None:
        self.seconds, self.expired = seconds, False
        self.folder = Path(tempfile.mkdtemp(prefix="coursekit-"))
        settings = {
            "memory": MEMORY,
            "seconds": math.ceil(seconds),
            "processor": math.ceil(START_SECONDS + 10 * seconds),
            "file_size": FILE_SIZE,
            "assignments": [path.stem for path in (PACKAGE / "tasks").glob("[a-z]*.py")],
            "user": NOBODY if os.getuid() == 0 else None,
        }
        command = [sys.executable, "-P", "-m", "coursekit.teaching.worker", json.dumps(settings)]
        if walls:
            command = [str(bubblewrap()), *_walls(self.folder), *command]
        kept = {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")}
        heard, self.requests = Pipe(duplex=False)
        self.answers, said = Pipe(duplex=False)
        self.words = TemporaryFile()  # noqa: SIM115 — it lives as long as the process
        self.process = subprocess.Popen(
            command,
            stdin=heard.fileno(),
            stdout=said.fileno(),
            stderr=self.words,
            cwd=self.folder,
            env={
                **kept,
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder),
                "LANG": "C.UTF-8",
                "PYTHONHASHSEED": "0",
                "PYTHONDONTWRITEBYTECODE": "1",
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
            },
            start_new_session=True,
        )
        heard.close()
        said.close()
        try:
            self._hear(START_SECONDS)
        except (StoppedError, GarbledError) as error:
            self.process.kill()
            self.process.wait()
            self.words.seek(0)
            words = self.words.read().decode(errors="replace").strip()[-300:]
            self.close()
            raise OSError(f"Процесс для проверки работ не запустился: {words}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and all that it began; leave nothing in its folder."""
        self.process.kill()
        self.process.wait()
        for opened in (self.requests, self.answers, self.words):
            opened.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, source: str) -> None:
        """Execute a cell; a ``RaisedError`` has the student's exception in its words."""
        said = self._ask({"run": source})
        if "error" in said:
            raise RaisedError(_short(said["error"]), _short(said.get("raised")))

    def call(
        self,
        name: str,
        arguments: tuple[Any, ...],
        forbidden: frozenset[str],
        differentiable: bool,
    ) -> Observed:
        """Return what the student's function ``name`` does with ``arguments``."""
        said = self._ask(
            {
                "call": name,
                "arguments": arguments,
                "forbidden": forbidden,
                "differentiable": differentiable,
            }
        )
        try:
            error, entered = said["error"], said["entered"]
            if error is not None:
                return Observed(error=_short(error), raised=_short(said["raised"]))
            seen = Observed(
                decode(said["answer"]),
                decode(said["arguments"]),
                decode(said["gradients"]),
                None if entered is None else _short(entered),
                int(said["operations"]),
            )
        except (LookupError, TypeError, ValueError, RuntimeError, RecursionError) as error:
            raise GarbledError(str(error)[:200]) from error
        if not (len(arguments) == len(seen.arguments) == len(seen.gradients)):
            raise GarbledError("not as many arguments as were sent")
        return seen

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self.requests.send_bytes(cloudpickle.dumps(request))
        except OSError:
            raise StoppedError("процесс завершился раньше времени") from None
        return self._hear(PATIENCE * self.seconds)

    def _hear(self, seconds: float) -> dict[str, Any]:
        late = Timer(seconds, self._expire)
        late.start()
        try:
            said = json.loads(self.answers.recv_bytes(ANSWER_SIZE))
        except (EOFError, OSError):
            raise self._why(seconds) from None
        except (ValueError, RecursionError) as error:
            raise GarbledError(str(error)[:200]) from error
        finally:
            late.cancel()
        if not isinstance(said, dict):
            raise GarbledError(str(said)[:200])
        return said

    def _expire(self) -> None:
        self.expired = True
        self.process.kill()

    def _why(self, seconds: float) -> StoppedError:
        if self.expired:
            return LateError(f"время вышло: больше {seconds:g} с")
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        else:
            if status in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
                return LateError(f"время вышло: больше {self.seconds:g} с процессора")
        words = "процесс завершился, не ответив: его остановил сам код или нехватка памяти"
        return StoppedError(words)


def _short(words: object) -> str:
    """Return what a student's process says, as much of it as anybody reads."""
    return str(words)[:2000]
