"""Make one zip for a class without a network: site, notebooks, assignments, wheels, a start script.

    python book/kit.py [--out class-kit.zip]      after `make book`

The wheels are for the system and the Python on which the kit is made.
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import notebooks

ROOT = notebooks.ROOT
SITE = ROOT / "_build" / "html"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# What a reader needs to run chapters; the site is already built.
NEEDED = ["jupyterlab", "babel"]

START = f"""\
#!/bin/sh
# Ставит курс из папки wheels, без сети, и открывает тетрадки. Второй раз уже ничего не ставит.
set -e
cd "$(dirname "$0")"
if [ ! -e .venv/ready ]; then
    python{PYTHON} -m venv .venv
    .venv/bin/pip install -q --no-index --find-links wheels coursekit {" ".join(NEEDED)}
    touch .venv/ready
fi
[ $# -gt 0 ] || set -- lab
exec .venv/bin/jupyter "$@"
"""
README = f"""\
Курс «Текст как последовательность» для класса без сети.

Читать: откройте в браузере site/index.html.
Запускать тетрадки из папки book: sh start.sh. Нужен Python {PYTHON},
та же система, на которой собран набор, и два гигабайта места.
Задания для студентов — в папке assignments.
"""


def contents(wheels: Path) -> list[tuple[Path, str]]:
    """Return the files of the kit and their places in it."""
    found = [(path, f"site/{path.relative_to(SITE)}") for path in SITE.rglob("*")]
    released = ROOT / "book" / "assignments" / "release"
    for path in notebooks.notebooks():
        if "assignments" not in path.parts:
            found.append((path, str(path.relative_to(ROOT))))
    found += [(path, f"assignments/{path.name}") for path in released.glob("*/*.ipynb")]
    found += [(path, f"wheels/{path.name}") for path in wheels.iterdir()]
    return [
        (path, name) for path, name in sorted(found, key=lambda pair: pair[1]) if path.is_file()
    ]


def gather(wheels: Path) -> None:
    """Put the wheels of the course and of all that it needs into a folder."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "-w", str(wheels)]
    locked = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*command, *locked, str(ROOT), *NEEDED], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "class-kit.zip")
    asked = parser.parse_args()
    if not (SITE / "index.html").is_file():
        sys.exit("no site yet: make book")
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder)
        gather(wheels)
        with zipfile.ZipFile(asked.out, "w", zipfile.ZIP_DEFLATED) as kit:
            for path, name in contents(wheels):
                # Wheels are packed already.
                packing = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
                kit.write(path, name, compress_type=packing)
            kit.writestr("ПРОЧТИ МЕНЯ.txt", README)
            start = zipfile.ZipInfo("start.sh")
            start.external_attr = 0o755 << 16
            kit.writestr(start, START)
    print(f"{asked.out}: {asked.out.stat().st_size / 2**20:.0f} MB")


if __name__ == "__main__":
    main()
