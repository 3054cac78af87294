"""Building the site for the tests that look at it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build(source, folder):
    """Build the site of ``source`` from nothing and return the folder of its pages."""
    program = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(source)]
    strict = ["--path-output", str(folder), "--all", "-W", "-n", "--keep-going"]
    built = subprocess.run([*program, *strict], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-4000:]
    return folder / "_build" / "html"
