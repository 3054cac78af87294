"""The teacher's commands: ``coursekit secret``, ``release``, ``grade``, ``similar``."""

import argparse
import csv
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import nbformat
from tqdm import tqdm

from coursekit.teaching import gradebook, similarity
from coursekit.teaching.classes import copies, grade_all
from coursekit.teaching.files import slug, write
from coursekit.teaching.grading import Graded
from coursekit.teaching.personal import draw, draw_question, personal
from coursekit.teaching.released import release_of
from coursekit.teaching.sandbox import check_walls
from coursekit.teaching.secrecy import make_secret, read_secret
from coursekit.teaching.submissions import collect, read


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="coursekit", description="Команды преподавателя; подробно о них — в приложении книги."
    )
    commands = parser.add_subparsers(required=True, metavar="КОМАНДА", dest="command")

    secret = commands.add_parser("secret", help="завести секрет, от которого зависят проверки")
    secret.add_argument("file", type=Path, metavar="ФАЙЛ")
    secret.set_defaults(run=run_secret)

    release = commands.add_parser("release", help="раздать каждому студенту свой вариант")
    release.add_argument("assignment", metavar="ЗАДАНИЕ", help="lstm, gru, …")
    release.add_argument("--students", type=Path, required=True, help="список, CSV")
    release.add_argument("--secret", type=Path, required=True, help="файл с вашим секретом")
    release.add_argument("--out", type=Path, default=Path("variants"), help="куда положить тетради")
    release.set_defaults(run=run_release)

    grade = commands.add_parser("grade", help="проверить папку или архив работ")
    grade.add_argument("submissions", type=Path, metavar="РАБОТЫ", help="папка или .zip")
    grade.add_argument("--assignment", required=True, help="задание: lstm, gru, …")
    grade.add_argument("--secret", type=Path, required=True, help="файл с вашим секретом")
    grade.add_argument("--out", type=Path, help="таблица; если не сказано, grades-ЗАДАНИЕ.csv")
    grade.add_argument("--students", type=Path, help="список, CSV: у кого какой вариант")
    grade.add_argument("--seconds", type=float, default=20, help="предел вызова, секунд процессора")
    grade.add_argument("--workers", type=int, default=2, help="сколько работ проверять разом")
    grade.add_argument(
        "--without-bubblewrap", action="store_true", help="обойтись одними пределами (см. книгу)"
    )
    grade.set_defaults(run=run_grade)

    alike = commands.add_parser("similar", help="найти похожие работы")
    alike.add_argument("submissions", type=Path, metavar="РАБОТЫ", help="папка или .zip")
    alike.add_argument("--assignment", required=True, help="задание: lstm, gru, …")
    alike.add_argument(
        "--threshold", type=float, default=0.8, help="доля общего кода, с которой показать пару"
    )
    alike.add_argument("--out", type=Path, default=Path("similar.html"), help="отчёт")
    alike.set_defaults(run=run_similar)
    return parser.parse_args(words)


def run_secret(asked: argparse.Namespace) -> None:
    """Make a secret."""
    make_secret(asked.file)
    print(f"{asked.file}: секрет записан. Не выкладывайте его и не теряйте.")


def read_students(path: Path) -> list[str]:
    """Return the names in a CSV: its column ``student``, or the first column of a bare list."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file) if any(part.strip() for part in line)]
    except UnicodeDecodeError:
        raise ValueError(f"{path}: не UTF-8. Сохраните список как CSV UTF-8.") from None
    place = 0
    if lines and "student" in lines[0]:
        place = lines[0].index("student")
        lines = lines[1:]
    names = [line[place].strip() for line in lines if len(line) > place and line[place].strip()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: имена повторяются: {', '.join(twice)}. Добавьте номер группы.")
    if not names:
        raise ValueError(f"{path}: имён нет. Нужно по одному в строке или столбец student.")
    return names


def run_release(asked: argparse.Namespace) -> None:
    """Write every student's notebook, and a table of what each was asked."""
    released = release_of(asked.assignment)
    secret = read_secret(asked.secret)
    variant = import_module(f"coursekit.tasks.{asked.assignment}").MINE
    rows = []
    for student in read_students(asked.students):
        path = asked.out / slug(student) / f"{asked.assignment}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        notebook = personal(released, variant, secret, asked.assignment, student)
        write(path, nbformat.writes(notebook))
        constants = draw(variant, secret, asked.assignment, student)
        question = draw_question(variant, secret, asked.assignment, student)
        rows.append({"student": student, **constants, "question": question})
        rows[-1]["rubric"] = variant.questions[question]
    gradebook.write_csv(rows, list(rows[0]), asked.out / "variants.csv")
    print(
        f"{asked.out}: вариантов — {len(rows)}; что у кого — {asked.out}/variants.csv, только вам."
    )


def run_grade(asked: argparse.Namespace) -> None:
    """Grade a class: the table, pages for students, a summary and nbgrader's gradebook."""
    released = release_of(asked.assignment)
    secret = read_secret(asked.secret)
    walls = not asked.without_bubblewrap
    if asked.seconds <= 0 or asked.workers < 1:
        raise ValueError("--seconds и --workers: нужны числа больше нуля.")
    names = read_students(asked.students) if asked.students else []
    print(check_walls(walls))
    submissions = collect(asked.submissions, asked.assignment)
    out = asked.out or Path(f"grades-{asked.assignment}.csv")
    folder = out.with_suffix("")
    if folder == out:
        raise ValueError(f"--out = {out}: нужно имя таблицы с расширением, например .csv.")
    others = {path.name for path in (folder / "course" / "source").glob("*")} - {asked.assignment}
    if others:
        raise ValueError(
            f"--out = {out}: там уже задание {', '.join(sorted(others))}. Дайте другое."
        )

    def expected(student: str) -> str | None:
        """Return the student's name in the list; Moodle adds a number to it."""
        bare = re.sub(r"_\d+$", "", student)
        return next((name for name in names if name in (student, bare)), None)

    graded: list[Graded] = []
    for one in tqdm(
        grade_all(
            submissions,
            asked.assignment,
            secret,
            folder / "results",
            expected,
            asked.seconds,
            asked.workers,
            walls,
        ),
        total=len(submissions),
        desc="проверено",
        unit=" раб.",
    ):
        graded.append(one)
    graded.sort(key=lambda one: one.student)
    copies(graded)
    course = folder / "course"
    gradebook.record(graded, asked.assignment, released, course)
    table = gradebook.rows(graded, asked.assignment, released, course)
    title = f"Задание {asked.assignment}"
    (folder / "feedback").mkdir(exist_ok=True)
    for one in graded:
        page = folder / "feedback" / f"{slug(one.student)}.html"
        gradebook.write_feedback(table, one, title, page)
    gradebook.write_summary(table, graded, title, folder / "summary.html")
    gradebook.write_csv(table, gradebook.COLUMNS, out)
    print(f"{out}: таблица; {folder}/summary.html: сводка; {folder}/feedback: студентам")
    handed = {expected(one.student) for one in graded}
    absent = [name for name in names if name not in handed]
    if absent:
        print(f"Работ нет: {', '.join(absent)}")
    waiting = sum(row["points"] is None for row in table)
    if waiting:
        print(
            f"Без баллов пока {waiting}. Вопросы ждут вас в nbgrader formgrader (папка {course}), "
            "а о том, что не читается, сказано в сводке. Потом повторите команду: проверенное "
            "заново не запускается, а ваши баллы попадут в таблицу."
        )


def run_similar(asked: argparse.Namespace) -> None:
    """Write the report on submissions that are nearly one."""
    released = release_of(asked.assignment)
    codes: dict[str, str] = {}
    for one in collect(asked.submissions, asked.assignment):
        try:
            codes[one.student] = similarity.code_of(read(one.data), released)
        except ValueError as error:
            print(f"{one.student}: не сравнивается, {one.trouble or error}")
    pairs = similarity.similar(codes, released, asked.threshold)
    title = f"Похожие работы, задание {asked.assignment}"
    write(asked.out, gradebook.page(title, similarity.report(pairs, title)))
    for pair in pairs:
        print(
            f"{pair.first} и {pair.second}: общего кода {pair.share:.0%}, одинаковых строк "
            f"{pair.equal_lines:.0%}"
        )
    print(f"{asked.out}: пар — {len(pairs)} из {len(codes) * (len(codes) - 1) // 2}")


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; what the teacher can mend is said in one line."""
    asked = parse(words)
    try:
        asked.run(asked)
    except (ValueError, RuntimeError, OSError) as error:
        sys.exit(f"coursekit {asked.command}: {error}")


if __name__ == "__main__":
    main()
