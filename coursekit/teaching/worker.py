"""The other side of ``sandbox``: runs a student's cells and calls the student's functions.

    python -m coursekit.teaching.worker '{"memory": 2147483648, …}'

Nothing that this process says is trusted: it answers with plain values, and all that is judged is
judged elsewhere, from arguments made elsewhere. It reads requests from its standard input and
writes answers to its standard output; the student's code has neither of them.
"""

import json
import math
import os
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import torch

from coursekit import checks
from coursekit.teaching.plain import encode

TASKS = Path(__file__).resolve().parents[1] / "tasks"

# What changes the machine, runs programs or speaks with others. Under bubblewrap these do not work
# anyway; here the student is told so in Russian.
CLOSED = {
    "socket": "открывает сокет: сети при проверке нет",
    "subprocess": "запускает программу",
    "os.system": "запускает программу",
    "os.exec": "запускает программу",
    "os.posix_spawn": "запускает программу",
    "os.spawn": "запускает программу",
    "os.fork": "заводит новый процесс",
    "os.forkpty": "заводит новый процесс",
    "pty": "запускает программу",
    "os.kill": "посылает сигнал другому процессу",
    "os.killpg": "посылает сигнал другому процессу",
    "signal": "посылает сигнал другому процессу",
    "ctypes": "зовёт чужой машинный код",
}
# The positions of paths among the arguments of an event.
WRITES = {
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.mkdir": (0,),
    "os.rename": (0, 1),
    "os.link": (0, 1),
    "os.symlink": (0, 1),
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.truncate": (0,),
    "os.utime": (0,),
    "shutil.rmtree": (0,),
}


class RefusedError(PermissionError):
    """A student's code asked for what a solution does not need."""


def limit(memory: int, processor: int, file_size: int) -> None:
    """Bound this process for good: bytes of memory in use, seconds, bytes of a file.

    It can begin no process and no thread, and dumps no core.
    """
    # Most of what torch maps is never in use: the limit is on addresses, so this much is added.
    mapped, used = map(int, Path("/proc/self/statm").read_text(encoding="ascii").split()[:2])
    for what, most in (
        (resource.RLIMIT_AS, (mapped - used) * resource.getpagesize() + memory),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def allow(seconds: int) -> None:
    """Give the next request so many seconds of the processor; the kernel ends what takes more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    until = math.ceil(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (min(until, most), most))


def drop_rights(user: int) -> None:
    """Become ``user``, for whom limits hold; the superuser passes them by."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def guard(own: Path) -> None:
    """Refuse for good what needs no solution: see ``CLOSED``, and files but those of Python.

    ``own`` is the folder where the student's code may do as it likes. This is no wall (machine code
    passes it by), but it holds whatever is written in Python, and says what it refused.
    """
    home = str(own.resolve())
    readable = [os.path.realpath(place) for place in {sys.prefix, sys.base_prefix, *sys.path}]
    readable += ["/usr", "/lib", "/lib64", "/etc/localtime", "/dev/null", "/dev/urandom", home]
    hidden, package = str(TASKS.resolve()), str(TASKS.parent.resolve())
    readable = [place for place in readable if Path(place) != Path(package).parent] + [package]

    def below(path: str, places: list[str]) -> bool:
        return any(path == place or path.startswith(place.rstrip("/") + "/") for place in places)

    def check_path(path: Any, writes: bool) -> None:
        if isinstance(path, int) or path is None:
            return
        true = os.path.realpath(os.fsdecode(path))
        if writes and not below(true, [home, "/dev/null"]):
            raise RefusedError(f"код пишет вне своей папки или удаляет: {os.fsdecode(path)}")
        if below(true, [hidden]):
            raise RefusedError("код читает решения курса")
        if not below(true, readable):
            raise RefusedError(f"код читает чужой файл: {os.fsdecode(path)}")

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            check_path(path, bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)))
        elif event in ("os.listdir", "os.scandir"):
            check_path(arguments[0], writes=False)
        elif event in WRITES:
            for place in WRITES[event]:
                check_path(arguments[place], writes=True)
        else:
            words = CLOSED.get(event) or CLOSED.get(event.split(".")[0])
            if words:
                raise RefusedError(f"код {words}")

    sys.addaudithook(look)


class Silent(ModuleType):
    """``coursekit.tasks`` as a student's cells find it here: names without answers."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Silent(name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return another name without an answer."""
        return Silent("task")


def hide_answers(assignments: list[str]) -> None:
    """Let ``import coursekit.tasks`` and calls of ``check`` do nothing in a student's cells."""
    package = sys.modules["coursekit.tasks"] = Silent("coursekit.tasks")
    package.__path__ = []
    for name in assignments:
        sys.modules[f"coursekit.tasks.{name}"] = Silent(f"coursekit.tasks.{name}")
    checks.check = lambda *arguments, **named: None


def answer(request: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be said to one request: ``run`` a cell, ``call`` a function."""
    if "run" in request:
        try:
            exec(compile(request["run"], "<ячейка>", "exec"), names)
        except (Exception, SystemExit) as error:
            words = f"{type(error).__name__}: {error}"[:2000]
            return {"error": words, "raised": type(error).__name__}
        return {}
    name = request["call"]
    if name not in names:
        return {"error": f"NameError: {name}", "raised": "NameError", "entered": None}
    function: Callable[..., Any] = names[name]
    seen = checks.observe(
        function, request["arguments"], request["forbidden"], request["differentiable"]
    )
    return {
        "answer": encode(seen.answer),
        "arguments": encode(seen.arguments),
        "gradients": encode(seen.gradients),
        "entered": seen.entered,
        "operations": seen.operations,
        "error": seen.error and seen.error[:2000],
        "raised": seen.raised,
    }


def main(settings: dict[str, Any]) -> None:
    """Answer requests until there are no more."""
    requests, answers = Connection(os.dup(0), writable=False), Connection(os.dup(1), readable=False)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    torch.set_num_threads(1)
    # The first backward pass loads what it needs while that is allowed.
    torch.ones(1, requires_grad=True).exp().backward()
    hide_answers(settings["assignments"])
    if settings["user"] is not None:
        drop_rights(settings["user"])
    limit(settings["memory"], settings["processor"], settings["file_size"])
    guard(Path.cwd())
    names: dict[str, Any] = {"__name__": "__main__"}
    os.dup2(nothing, 2)
    answers.send_bytes(b"{}")
    while True:
        try:
            request = cloudpickle.loads(requests.recv_bytes())
        except EOFError:
            return
        allow(settings["seconds"])
        answers.send_bytes(json.dumps(answer(request, names)).encode())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
