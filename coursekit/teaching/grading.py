"""Grading a folder of submissions: students' code runs apart, all that is judged is judged here.

The numbers of each call come from a secret, so that nothing in a notebook or in what a student is
told says what will be asked. nbgrader keeps the gradebook, where the teacher marks the questions.
"""

import ast
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from time import monotonic

import nbformat
import torch
from nbformat import NotebookNode

from coursekit.checks import CheckError, Task, judge
from coursekit.teaching.personal import draw, owner, personal
from coursekit.teaching.sandbox import GarbledError, StoppedError, Worker
from coursekit.teaching.secrecy import keyed, seed
from coursekit.teaching.submissions import Repaired, Submission, defined, python, read, repair, told
from coursekit.variants import COMMON, common

PACKAGE = Path(__file__).resolve().parents[1]

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


def release_of(assignment: str) -> NotebookNode:
    """Return the notebook of ``assignment`` as students get it; a ``ValueError`` lists all."""
    folders = [PACKAGE / "release", PACKAGE.parent / "book" / "assignments" / "release"]
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    path = folder / assignment / f"{assignment}.ipynb"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*/*.ipynb")))
        raise ValueError(f"assignment = {assignment!r}: такого задания нет. Есть: {known}.")
    found: NotebookNode = nbformat.read(path, as_version=4)
    return found


def points_of(released: NotebookNode) -> dict[str, float]:
    """Return the points of each task, and of the question, in the order of the notebook."""
    return {
        str(told(cell)["grade_id"]).removesuffix("-check"): float(str(told(cell)["points"]))
        for cell in released.cells
        if told(cell).get("grade")
    }


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
            raise StoppedError(f"время вышло: на всю работу отведено {limit:g} с")
        if self.worker is None:
            started = monotonic()
            self.worker = Worker(self.seconds, self.walls)
            # The start is ours, not the student's.
            self.until += monotonic() - started
            for source in done:
                try:
                    self.worker.run(source)
                except RuntimeError:
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
    home = next((source for source in reversed(done) if "mine" in defined(source)), "")
    if verdicts.get("mine", Verdict(MISSING)).state == RIGHT and not _calls(home, "mine"):
        graded.notes.append("mine возвращает готовый ответ, ничего не считая: спросите, откуда он")
    odd = sorted({name for cell in repaired.cells for name in _names(cell.source)} & SUSPICIOUS)
    if odd:
        graded.notes.append(f"посмотрите глазами, в решениях это не нужно: {', '.join(odd)}")
    return verdicts


def _blame(verdicts: dict[str, Verdict], done: list[str]) -> None:
    """Say of a wrong function which wrong function it calls: the mistake may be there alone."""
    wrong = [name for name, verdict in verdicts.items() if verdict.state != RIGHT]
    for name in wrong:
        verdict = verdicts[name]
        home = next((source for source in reversed(done) if name in defined(source)), "")
        called = [other for other in wrong if other != name and other in _names(home)]
        if called and verdict.state in (WRONG, FAILED):
            verdict.message += f" Здесь вызвана {called[0]}, а она неверна: сначала её."
            if verdict.hint not in ("", OTHER):
                continue
            verdict.hint = f"следствие ошибки в {called[0]}"


def _run(
    source: str, done: list[str], calls: _Calls, troubles: dict[str, Verdict], notes: list[str]
) -> None:
    """Execute a cell; what went wrong is kept under the names that it would have defined."""
    try:
        calls.ready(done).run(python(source))
    except RuntimeError as error:
        words = str(error)
        state = MISSING if words.startswith("NotImplementedError") else FAILED
        verdict = Verdict(state, f"ячейка остановилась с ошибкой {words}")
    except (StoppedError, GarbledError) as error:
        calls.close()
        verdict = _lost(error)
        notes.append(f"ячейка «{_first_line(source)}»: {verdict.message}")
        troubles.update(dict.fromkeys(defined(source), verdict))
        return
    else:
        done.append(python(source))
        return
    # What stands above the line that failed is defined.
    done.append(python(source))
    troubles.update(dict.fromkeys(defined(source), verdict))


def _first_line(source: str) -> str:
    line = source.strip().splitlines()[0] if source.strip() else ""
    return line if len(line) <= 60 else line[:59] + "…"


def _lost(error: StoppedError | GarbledError) -> Verdict:
    if isinstance(error, GarbledError):
        return Verdict(KILLED, "процесс работы ответил не то, что умеет отвечать проверка")
    late = str(error).startswith("время")
    return Verdict(LATE if late else KILLED, str(error))


def _judged(
    task: Task, repaired: Repaired, done: list[str], calls: _Calls, troubles: dict[str, Verdict]
) -> Verdict:
    """Return the verdict on one task by calls with arguments from the secret."""
    home = next((source for source in reversed(done) if task.name in defined(source)), None)
    if home is None:
        return troubles.get(task.name) or Verdict(MISSING, f"функции {task.name} в тетради нет")
    banned = forbidden_in(home, [cell.source for cell in repaired.cells], task.forbidden)
    if banned:
        words = f"{task.name}: взято готовое, {banned}, а здесь это нужно написать самим"
        return Verdict(FORBIDDEN, words, f"взято готовое: {banned}")
    random = torch.Generator().manual_seed(seed(calls.secret, *calls.key, task.name))
    count = 0
    try:
        for label, arguments in task.cases(random):
            worker = calls.ready(done)
            seen = worker.call(task.name, arguments, task.forbidden, task.differentiable)
            judge(task, f"{task.name}, {label}", arguments, seen)
            count += 1
    except CheckError as error:
        return _refused(str(error), task)
    except (StoppedError, GarbledError) as error:
        calls.close()
        return _lost(error)
    return Verdict(RIGHT, f"{task.name}: верно, проверок — {count}")


def _refused(words: str, task: Task) -> Verdict:
    hint = next((hint for hint in task.mistakes if hint in words), "")
    if "NotImplementedError" in words:
        return Verdict(MISSING, f"{task.name}: решения ещё нет")
    if ": вызвано " in words or "RefusedError: " in words:
        return Verdict(FORBIDDEN, words, "вызвано запрещённое")
    if "остановил" in words and "с ошибкой" in words:
        kind = re.search(r"с ошибкой (\w+)", words)
        return Verdict(FAILED, words, f"ошибка {kind[1]}" if kind else "ошибка")
    return Verdict(WRONG, words, hint or OTHER)


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _calls(source: str, name: str) -> bool:
    """Tell whether the function ``name`` of a cell calls anything."""
    tree = _tree(source)
    walked = ast.walk(tree) if tree else ()
    functions = [part for part in walked if isinstance(part, ast.FunctionDef)]
    own = [function for function in functions if function.name == name]
    return any(isinstance(part, ast.Call) for function in own for part in ast.walk(function))


def _names(source: str) -> set[str]:
    """Return every name and attribute that a cell mentions."""
    tree = _tree(source)
    found: set[str] = set()
    for part in ast.walk(tree) if tree else ():
        if isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.Attribute):
            found.add(part.attr)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            found |= {piece for alias in part.names for piece in alias.name.split(".")}
            found |= set((getattr(part, "module", None) or "").split("."))
    return found


def forbidden_in(source: str, cells: list[str], forbidden: frozenset[str]) -> str | None:
    """Return what ``source`` uses of ``forbidden`` under any name it was imported by, or None.

    ``cells`` are all cells of the notebook, whose imports tell what names mean.

    >>> forbidden_in("layer = N.LSTM(2, 3)", ["from torch import nn as N"],
    ...     frozenset({"torch.nn.modules.rnn"}))
    'torch.nn.LSTM'
    """
    meaning: dict[str, str] = {}
    for cell in (*cells, source):
        meaning.update(_imports(cell))
    tree = _tree(source)
    for part in ast.walk(tree) if tree else ():
        if isinstance(part, ast.Import):
            dotted = [alias.name for alias in part.names]
        elif isinstance(part, ast.ImportFrom):
            dotted = [f"{part.module}.{alias.name}" for alias in part.names]
        else:
            dotted = list(_dotted(part, meaning))
        for name in dotted:
            if _is_forbidden(name, forbidden):
                return name
    return None


def _imports(source: str) -> dict[str, str]:
    """Return what each imported name of a cell stands for."""
    tree = _tree(source)
    found: dict[str, str] = {}
    for part in ast.walk(tree) if tree else ():
        if isinstance(part, ast.Import):
            for alias in part.names:
                top = alias.name.split(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(part, ast.ImportFrom) and part.module:
            for alias in part.names:
                found[alias.asname or alias.name] = f"{part.module}.{alias.name}"
    return found


def _dotted(part: ast.AST, meaning: dict[str, str]) -> Iterator[str]:
    names: list[str] = []
    while isinstance(part, ast.Attribute):
        names.append(part.attr)
        part = part.value
    if isinstance(part, ast.Name) and part.id in meaning:
        yield ".".join([meaning[part.id], *reversed(names)])


def _is_forbidden(dotted: str, forbidden: frozenset[str]) -> bool:
    if any(dotted == name or dotted.startswith(name + ".") for name in forbidden):
        return True
    top, *rest = dotted.split(".")
    if dotted.startswith("coursekit.tasks."):
        # Tasks are named in capitals and may be checked against; the functions are the answers.
        return any(name == "reference" or not name.isupper() for name in rest[2:])
    if top not in ("torch", "coursekit", "sklearn", "nltk") or not rest:
        return False
    if top == "torch" and rest[-1] in forbidden:
        return True
    found: object = import_module(top)
    try:
        for name in rest:
            found = getattr(found, name, None)
    except Exception:  # torch.classes and the like answer a name they do not know with any error
        return False
    return str(getattr(found, "__module__", None)) in forbidden


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


def grade_all(
    submissions: list[Submission],
    assignment: str,
    secret: bytes,
    folder: Path,
    expected: Callable[[str], str | None] = lambda student: None,
    seconds: float = 20,
    workers: int = 2,
    walls: bool = True,
) -> Iterator[Graded]:
    """Yield the graded submissions as they are done, ``workers`` at a time.

    ``expected`` tells whose variant a student has. What was graded before with the same notebook,
    secret and release is read from ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = nbformat.writes(release_of(assignment))
    settings = [assignment, given, f"{seconds:g}", str(walls), _version()]

    def work(submission: Submission) -> Graded:
        whose = expected(submission.student)
        digest = hashlib.sha256(submission.data).hexdigest()
        of_this = [submission.student, submission.trouble or "", whose or "", digest]
        key = keyed(secret, *settings, *of_this).hex()
        path = folder / f"{slug(submission.student)}.json"
        before = _read(path)
        if before is not None and before.key == key:
            return before
        try:
            graded = grade_one(submission, assignment, secret, whose, seconds, walls)
        except OSError:
            raise  # the sandbox itself: nobody's submission is at fault
        except Exception as error:  # what one notebook makes of us costs no other anything
            trouble = f"проверка не справилась с тетрадью: {type(error).__name__}"
            broken = Submission(submission.student, submission.path, trouble=trouble)
            graded = grade_one(broken, assignment, secret)
        graded.key = key
        write(path, json.dumps(asdict(graded), ensure_ascii=False, indent=1))
        return graded

    with ThreadPoolExecutor(workers) as pool:
        for ready in as_completed([pool.submit(work, one) for one in submissions]):
            yield ready.result()


def copies(graded: list[Graded]) -> None:
    """Note on every submission which others have the variant of the same student."""
    for one in graded:
        if one.variant is not None:
            also = [
                other.student
                for other in graded
                if other.variant == one.variant and other.student != one.student
            ]
            if also:
                one.notes.append(f"вариант «{one.variant}» ещё у: {', '.join(also)}")


def _version() -> str:
    """Return a digest of the code that grades: another code grades anew."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.glob("**/*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> Graded | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        verdicts = {name: Verdict(**verdict) for name, verdict in found.pop("verdicts").items()}
        return Graded(**found, verdicts=verdicts)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    # A student's text may hold half of a pair of UTF-16, which no file does.
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)


def slug(student: str) -> str:
    """Return a name for files; two students never share one.

    >>> slug("ivanov-3")
    'ivanov-3'
    >>> slug("Ёж/../x")
    'Ёж_x-0455ac'
    """
    plain = re.sub(r"[^\w-]+", "_", student)[:60]
    if plain == student:
        return plain
    return f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:6]}"
