"""Make the notebooks that students get from those with solutions, by nbgrader's own converter.

    python book/assignments.py make      write book/assignments/release anew
    python book/assignments.py check     fail where a release is not what its source gives today

A source is a notebook in nbgrader's format: what stands between BEGIN SOLUTION and END SOLUTION is
taken out, what checks is locked.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

ASSIGNMENTS = Path(__file__).resolve().parent / "assignments"
STUB = 'raise NotImplementedError("Напишите решение и уберите эту строку.")'


def sources() -> list[Path]:
    return sorted((ASSIGNMENTS / "source").glob("*/*.ipynb"))


def release(source: Path, folder: Path) -> Path:
    """Write what students get from ``source`` into ``folder``; return the path of the notebook."""
    name = source.parent.name
    with tempfile.TemporaryDirectory() as course:
        shutil.copytree(source.parent, Path(course) / "source" / name)
        config = Config(
            CourseDirectory={"root": course, "assignment_id": name},
            ClearSolutions={"code_stub": {"python": STUB}, "text_stub": "Ваш ответ."},
            GenerateAssignment={"no_database": True},
            SaveCells={"enabled": False},
        )
        GenerateAssignment(coursedir=CourseDirectory(config=config), config=config).start()
        made = Path(course) / "release" / name / source.name
        notebook = nbformat.read(made, as_version=4)
        # It belongs to the outputs, and a student's notebook has none.
        notebook.metadata.pop("coursekit", None)
        target = folder / name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
    return target


def complaints() -> list[str]:
    """Return which releases are missing, not of today, or of no source."""
    committed = ASSIGNMENTS / "release"
    with tempfile.TemporaryDirectory() as folder:
        made = {release(source, Path(folder)).relative_to(folder) for source in sources()}
        stale = [
            name
            for name in sorted(made)
            if not (committed / name).exists()
            or (committed / name).read_bytes() != (Path(folder) / name).read_bytes()
        ]
    lost = {path.relative_to(committed) for path in committed.glob("*/*.ipynb")} - made
    return [f"book/assignments/release/{name}: run make assignments" for name in stale] + [
        f"book/assignments/release/{name}: has no source" for name in sorted(lost)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["make", "check"])
    if parser.parse_args().action == "make":
        shutil.rmtree(ASSIGNMENTS / "release", ignore_errors=True)
        for source in sources():
            print(release(source, ASSIGNMENTS / "release").relative_to(ASSIGNMENTS))
        return
    said = complaints()
    print("\n".join(said) or f"{len(sources())} assignments: releases are today's")
    sys.exit(bool(said))


if __name__ == "__main__":
    main()
