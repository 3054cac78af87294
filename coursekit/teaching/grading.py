"""Grading a folder of submissions: students' code runs apart, all that is judged is judged here.

The numbers of each call come from a secret, so that nothing in a notebook or in what a student is
told says what will be asked. nbgrader keeps the gradebook, where the teacher marks the questions.
"""

import hashlib
from dataclasses import dataclass, field
from importlib import import_module
from time import monotonic

import nbformat
import torch
from nbformat import NotebookNode

from coursekit.checks import Observed, Task, judge
from coursekit.comparing import CheckError
from coursekit.teaching.personal import draw, owner, personal
from coursekit.teaching.released import points_of, release_of, told
from coursekit.teaching.repair import Repaired, repair
from coursekit.teaching.sandbox import (
    GarbledError,
    LateError,
    RaisedError,
    StoppedError,
    Worker,
)
from coursekit.teaching.secrecy import seed
from coursekit.teaching.submissions import Submission, read
from coursekit.teaching.syntax import calls_anything, defined, forbidden_in, names_in, python
from coursekit.variants import COMMON, common

RIGHT, WRONG, MISSING, FAILED = "верно", "неверно", "не решено", "ошибка"
LATE, KILLED, FORBIDDEN = "время вышло", "остановлено", "запрещённое"
UNREAD, WAITS, MARKED = "не проверено", "ждёт преподавателя", "оценено"

OTHER = "другое: числа, размер или вид ответа не те"

# Not wrong in themselves, but a solution needs none of them: the teacher should look.
SUSPICIOUS = {
    *("exec", "eval", "compile", "__import__", "importlib", "setprofile", "settrace", "_getframe"),
    *("ctypes", "gc", "inspect", "__globals__", "__subclasses__", "__builtins__", "cloudpickle"),
}
# A submission whose every cell hangs must not hold the others up.
STEPS_A_SUBMISSION = 12


@dataclass
class Verdict:
    """What became of one task of one submission; ``hint`` is the message without its numbers."""

    state: str
    message: str = ""
    hint: str = ""


@dataclass
class Graded:
    """What became of one submission: ``verdicts`` by task, ``notes`` for the teacher.

    ``variant`` says whose constants were asked, None for the common ones.
    """

    student: str
    path: str
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    variant: str | None = None
    notebook: str = ""
    key: str = ""


def grade_one(
    submission: Submission,
    assignment: str,
    secret: bytes,
    expected: str | None = None,
    seconds: float = 20,
    walls: bool = True,
) -> Graded:
    """Return what ``submission`` is worth; its code runs in a ``sandbox.Worker``.

    ``expected`` is whose variant it should be, None where the notebook itself says so. ``seconds``
    of the processor bound one cell or one call; what hangs or dies costs its task, and the rest
    goes on.
    """
    graded = Graded(submission.student, submission.path)
    released = release_of(assignment)
    trouble = submission.trouble
    if trouble is None:
        try:
            notebook = read(submission.data)
        except ValueError as error:
            trouble = str(error)
    if trouble is not None:
        graded.notes.append(trouble)
        graded.verdicts = {name: Verdict(UNREAD, trouble) for name in points_of(released)}
        return graded
    module = import_module(f"coursekit.tasks.{assignment}")
    graded.variant = _variant(notebook, assignment, secret, expected, graded.notes)
    constants = common(module.MINE)
    if graded.variant is not None:
        constants = draw(module.MINE, secret, assignment, graded.variant)
        released = personal(released, module.MINE, secret, assignment, graded.variant)
    tasks = {task.name: task for task in (*module.TASKS, module.MINE.task(**constants))}
    repaired = repair(notebook, released)
    graded.notes += repaired.notes
    graded.verdicts = _walk(repaired, tasks, _Calls(submission, secret, seconds, walls), graded)
    for cell in released.cells:
        if told(cell).get("grade") and told(cell).get("solution"):
            name = str(told(cell)["grade_id"])
            answer = next(c for c in repaired.notebook.cells if told(c).get("grade_id") == name)
            silent = answer.source.strip() == cell.source.strip()
            graded.verdicts[name] = Verdict(MISSING if silent else WAITS)
    graded.notebook = nbformat.writes(_with_outputs(repaired.notebook, graded.verdicts))
    return graded


def _variant(
    notebook: NotebookNode, assignment: str, secret: bytes, expected: str | None, notes: list[str]
) -> str | None:
    """Return whose variant a submission is graded as; say where the notebook has another."""
    try:
        found = owner([cell.source for cell in notebook.cells], secret, assignment)
    except ValueError as error:
        notes.append(str(error))
        return expected
    if expected is not None and found != expected:
        notes.append(f"в тетради вариант «{found or COMMON}», а проверен «{expected}»")
        return expected
    return found


class _Calls:
    """The worker of one submission, begun anew when it dies, and the time it has left."""

    def __init__(self, submission: Submission, secret: bytes, seconds: float, walls: bool) -> None:
        self.key = (submission.student, hashlib.sha256(submission.data).hexdigest())
        self.secret, self.seconds, self.walls = secret, seconds, walls
        self.until = monotonic() + STEPS_A_SUBMISSION * seconds
        self.worker: Worker | None = None

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    def ready(self, done: list[str]) -> Worker:
        """Return a worker that has executed the cells ``done``."""
        if monotonic() > self.until:
            limit = STEPS_A_SUBMISSION * self.seconds
            raise LateError(f"время вышло: на всю работу отведено {limit:g} с")
        if self.worker is None:
            started = monotonic()
            self.worker = Worker(self.seconds, self.walls)
            # The start is ours, not the student's.
            self.until += monotonic() - started
            for source in done:
                try:
                    self.worker.run(source)
                except RaisedError:
                    continue
        return self.worker


def _walk(
    repaired: Repaired, tasks: dict[str, Task], calls: _Calls, graded: Graded
) -> dict[str, Verdict]:
    """Execute the cells in order and judge each task where the notebook checks it."""
    verdicts: dict[str, Verdict] = {}
    done: list[str] = []
    troubles: dict[str, Verdict] = {}
    try:
        for cell in repaired.cells:
            if cell.task is None:
                _run(cell.source, done, calls, troubles, graded.notes)
            else:
                verdicts[cell.task] = _judged(tasks[cell.task], repaired, done, calls, troubles)
        # A function that stands below its check counts, and is said to stand there.
        below = {name for source in done for name in defined(source)}
        for name, verdict in verdicts.items():
            if verdict.state in (MISSING, FAILED) and name in below:
                again = _judged(tasks[name], repaired, done, calls, troubles)
                if again.state == RIGHT:
                    graded.notes.append(f"функция {name} стоит ниже своей проверки")
                    verdicts[name] = again
    finally:
        calls.close()
    _blame(verdicts, done)
    mine = verdicts.get("mine", Verdict(MISSING))
    if mine.state == RIGHT and not calls_anything(_home("mine", done) or "", "mine"):
        graded.notes.append("mine возвращает готовый ответ, ничего не считая: спросите, откуда он")
    odd = sorted({name for cell in repaired.cells for name in names_in(cell.source)} & SUSPICIOUS)
    if odd:
        graded.notes.append(f"посмотрите глазами, в решениях это не нужно: {', '.join(odd)}")
    return verdicts


def _home(name: str, done: list[str]) -> str | None:
    """Return the last of the cells that defines ``name``, None where none does."""
    return next((source for source in reversed(done) if name in defined(source)), None)


def _blame(verdicts: dict[str, Verdict], done: list[str]) -> None:
    """Say of a wrong function which wrong function it calls: the mistake may be there alone."""
    wrong = [name for name, verdict in verdicts.items() if verdict.state != RIGHT]
    for name in wrong:
        verdict = verdicts[name]
        mentioned = names_in(_home(name, done) or "")
        called = [other for other in wrong if other != name and other in mentioned]
        if called and verdict.state in (WRONG, FAILED):
            state = verdicts[called[0]].state
            verdict.message += f" Здесь вызвана {called[0]}, а её итог — «{state}»: сначала её."
            if verdict.hint not in ("", OTHER):
                continue
            verdict.hint = f"следствие ошибки в {called[0]}"


def _run(
    source: str, done: list[str], calls: _Calls, troubles: dict[str, Verdict], notes: list[str]
) -> None:
    """Execute a cell; what went wrong is kept under the names that it would have defined."""
    try:
        calls.ready(done).run(python(source))
    except RaisedError as error:
        # What stands above the line that failed is defined.
        done.append(python(source))
        verdict = Verdict(_state(error.raised), f"ячейка остановилась с ошибкой {error}")
    except (StoppedError, GarbledError) as error:
        calls.close()
        verdict = _lost(error)
        notes.append(f"ячейка «{_first_line(source)}»: {verdict.message}")
    else:
        done.append(python(source))
        for name in defined(source):
            troubles.pop(name, None)
        return
    troubles.update(dict.fromkeys(defined(source), verdict))


def _first_line(source: str) -> str:
    line = source.strip().splitlines()[0] if source.strip() else ""
    return line if len(line) <= 60 else line[:59] + "…"


def _lost(error: StoppedError | GarbledError) -> Verdict:
    if isinstance(error, GarbledError):
        return Verdict(KILLED, "процесс работы ответил не то, что умеет отвечать проверка")
    return Verdict(LATE if isinstance(error, LateError) else KILLED, str(error))


def _state(raised: str | None) -> str:
    """Return the state of what raised an exception of this type."""
    return {"NotImplementedError": MISSING, "RefusedError": FORBIDDEN}.get(str(raised), FAILED)


def _judged(
    task: Task, repaired: Repaired, done: list[str], calls: _Calls, troubles: dict[str, Verdict]
) -> Verdict:
    """Return the verdict on one task by calls with arguments from the secret."""
    home = _home(task.name, done)
    if home is None:
        return troubles.get(task.name) or Verdict(MISSING, f"функции {task.name} в тетради нет")
    banned = forbidden_in(home, [cell.source for cell in repaired.cells], task.forbidden)
    if banned:
        words = f"{task.name}: взято готовое, {banned}, а здесь это нужно написать самим"
        return Verdict(FORBIDDEN, words, f"взято готовое: {banned}")
    random = torch.Generator().manual_seed(seed(calls.secret, *calls.key, task.name))
    count, seen = 0, Observed()
    try:
        for label, arguments in task.cases(random):
            worker = calls.ready(done)
            seen = worker.call(task.name, arguments, task.forbidden, task.differentiable)
            judge(task, f"{task.name}, {label}", arguments, seen)
            count += 1
    except CheckError as error:
        if seen.raised == "NameError" and task.name in troubles:
            return troubles[task.name]  # its cell stopped above it
        return _refused(str(error), task, seen)
    except (StoppedError, GarbledError) as error:
        calls.close()
        return _lost(error)
    return Verdict(RIGHT, f"{task.name}: верно, проверок — {count}")


def _refused(words: str, task: Task, seen: Observed) -> Verdict:
    """Return the verdict on a call that ``judge`` refused in these words."""
    if seen.error is not None:
        state = _state(seen.raised)
        if state == MISSING:
            return Verdict(MISSING, f"{task.name}: решения ещё нет")
        return Verdict(state, words, f"ошибка {seen.raised}")
    if seen.entered is not None:
        return Verdict(FORBIDDEN, words, f"взято готовое: {seen.entered}")
    return Verdict(WRONG, words, next((hint for hint in task.mistakes if hint in words), OTHER))


def _with_outputs(notebook: NotebookNode, verdicts: dict[str, Verdict]) -> NotebookNode:
    """Put the verdicts where nbgrader reads points: the outputs of the checks."""
    for cell in notebook.cells:
        if told(cell).get("grade") and not told(cell).get("solution"):
            verdict = verdicts[str(told(cell)["grade_id"]).removesuffix("-check")]
            if verdict.state == RIGHT:
                said = nbformat.v4.new_output("stream", name="stdout", text=verdict.message)
            else:
                words = f"{verdict.state}: {verdict.message}"
                said = nbformat.v4.new_output(
                    "error", ename="Проверка", evalue=words, traceback=[words]
                )
            cell.outputs = [said]
    return notebook
