"""What it costs to import the modules that work without torch."""

import subprocess
import sys

from side_by_side import Figure, figure, in_turn

MODULES = "coursekit.text, coursekit.vocab, coursekit.datasets"


def python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def imports_torch(modules: str) -> bool:
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode != 0


def measure() -> list[Figure]:
    assert not imports_torch(MODULES), f"one of {MODULES} imports torch"
    times = in_turn(
        {"import": lambda: python(f"import {MODULES}"), "bare": lambda: python("pass")}, repeats=5
    )
    above = [a - b for a, b in zip(times["import"], times["bare"], strict=True)]
    return [figure(f"import {MODULES}", "s above bare Python", above, demanded=0.3)]
