"""A class graded: several submissions at a time, and none of them twice."""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import nbformat

from coursekit.teaching.files import slug, write
from coursekit.teaching.grading import Graded, Verdict, grade_one
from coursekit.teaching.released import PACKAGE, release_of
from coursekit.teaching.secrecy import keyed
from coursekit.teaching.submissions import Submission


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
