"""Run every notebook as a reader's machine would, and write down what works there today.

    python book/environments.py colab                         all chapters
    python book/environments.py binder book/02-tfidf.ipynb    some of them
    python book/environments.py locked --out status.json      where to write the results
    python book/environments.py merge status-*.json           results of several machines into one

locked    the versions that CI has verified
newest    the newest versions that the extras allow
colab     what Colab has before the first cell, an empty folder, and the first cell as it stands
binder    the pip part of environment.yml, and at most 2 GB of memory; repo2docker reads it first
cuda      the verified versions on the GPU of this machine

Each environment is made anew. Colab's first cell installs from the address of the repository; here
git maps that address to this checkout, of which it sees what is committed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import notebooks
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = notebooks.ROOT
RESULTS = ROOT / "book" / "appendix" / "status.json"
# https://github.com/googlecolab/backend-info lists what Colab brings; a chapter needs these of it.
COLAB = "torch numpy pandas matplotlib scikit-learn nltk tqdm ipykernel".split()
ADDRESS = "https://example.org/course"
BINDER_MEGABYTES = 2048
CELL_SECONDS = 900
# The kernel of Linux counts it anew for each program; getrusage begins with what its parent used.
PEAK = "print(next(s.split()[1] for s in open('/proc/self/status') if s.startswith('VmHWM')))"
CUDA = "import torch\nassert torch.cuda.is_available(), 'no CUDA device'"


def requirements(environment: str) -> list[str]:
    """Return the arguments of ``pip install`` that make an environment."""
    locked = ["-c", str(ROOT / "constraints.txt")]
    if environment in ("locked", "cuda"):
        return [*locked, "-e", f"{ROOT}[book]"]
    if environment == "newest":
        return ["-e", f"{ROOT}[book]"]
    if environment == "colab":
        return [*locked, *COLAB]
    return [*locked, *binder_requirements()]


def binder_requirements() -> list[str]:
    """Return the pip part of environment.yml; a ``ValueError`` names a line that conda refuses."""
    found = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    lines: list[str] = []
    for line in found["dependencies"]:
        if isinstance(line, dict):
            for part in line["pip"]:
                option, _, path = part.partition(" ")
                lines += [option, f"{ROOT}{path.removeprefix('.')}"] if path else [part]
        elif not isinstance(line, str):
            raise ValueError(f"environment.yml: {line!r} is no requirement")
    return lines


def make(environment: str, folder: Path) -> Path:
    """Make an environment in ``folder`` and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", *requirements(environment)]
    subprocess.run(command, check=True)
    return python


def check_binder_reads(folder: Path) -> None:
    """Let Binder's own program read the repository; nothing is built here."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    program = folder / "bin" / "repo2docker"
    subprocess.run([program.with_name("pip"), "install", "-q", "jupyter-repo2docker"], check=True)
    subprocess.run([program, "--no-build", str(ROOT)], check=True, capture_output=True)


def size(folder: Path) -> int:
    """Return the megabytes of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) // 2**20


def run(path: Path, environment: str, python: Path) -> dict[str, object]:
    """Execute a notebook in an empty folder; return its state, seconds and peak of memory."""
    notebook = nbformat.read(path, as_version=4)
    if environment == "colab":
        notebooks.write_setup(notebook, ADDRESS)
    if environment == "cuda":
        notebook.cells.insert(0, nbformat.v4.new_code_cell(CUDA))
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    row: dict[str, object] = {
        "notebook": path.relative_to(ROOT).as_posix(),
        "environment": environment,
        "date": datetime.now(UTC).date().isoformat(),
    }
    with tempfile.TemporaryDirectory() as folder:
        kernel = Path(folder) / "jupyter" / "kernels" / "reader"
        kernel.mkdir(parents=True)
        argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": "reader", "language": "python"}
        (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        work = Path(folder) / "empty"
        work.mkdir()
        os.environ["JUPYTER_PATH"] = str(Path(folder) / "jupyter")
        client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="reader")
        began = time.monotonic()
        try:
            client.execute(cwd=str(work))
        except CellExecutionError as error:
            row["error"] = f"{error.ename}: {error.evalue}"[:200]
        except (CellTimeoutError, DeadKernelError) as error:
            row["error"] = type(error).__name__
        row["seconds"] = round(time.monotonic() - began)
    if "error" not in row:
        row["megabytes"] = int(notebook.cells[-1].outputs[0].text) // 1024
        if environment == "binder" and int(str(row["megabytes"])) > BINDER_MEGABYTES:
            row["error"] = f"{row['megabytes']} MB of memory, Binder lends {BINDER_MEGABYTES}"
    return row


def merge(rows: list[dict[str, object]], path: Path) -> None:
    """Put rows into the results in the place of older ones of the same notebook and environment."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    fresh = {(row["environment"], row["notebook"]) for row in rows}
    kept = [row for row in kept if (row["environment"], row["notebook"]) not in fresh]
    kept = sorted([*kept, *rows], key=lambda row: (row["notebook"], row["environment"]))
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in kept)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    environments = ["locked", "newest", "colab", "binder", "cuda"]
    parser.add_argument("environment", choices=[*environments, "merge"])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    if asked.environment == "merge":
        for path in asked.notebooks:
            merge(json.loads(path.read_text(encoding="utf-8")), asked.out)
        return
    chapters = [path for path in notebooks.notebooks() if "assignments" not in path.parts]
    # Colab clones what is committed here, whatever the user's git says of other addresses.
    os.environ["GIT_CONFIG_COUNT"] = "1"
    os.environ["GIT_CONFIG_KEY_0"] = f"url.file://{ROOT}.insteadOf"
    os.environ["GIT_CONFIG_VALUE_0"] = ADDRESS
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        if asked.environment == "binder":
            check_binder_reads(Path(folder) / "binder")
        first = Path(folder) / "first"
        python = make(asked.environment, first)
        brought = size(first)
        for path in [path.resolve() for path in asked.notebooks] or chapters:
            if asked.environment == "colab":
                # Every chapter meets a machine where nobody has installed the course.
                fresh = Path(folder) / "fresh"
                shutil.rmtree(fresh, ignore_errors=True)
                shutil.copytree(first, fresh, symlinks=True)
                python = fresh / "bin" / "python"
            row = run(path, asked.environment, python) | {"disk": brought}
            rows.append(row)
            state = row.get("error", "works")
            print(f"{row['notebook']}: {state}, {row['seconds']} s, {row.get('megabytes')} MB")
            merge(rows, asked.out)
    sys.exit(any("error" in row for row in rows))


if __name__ == "__main__":
    main()
