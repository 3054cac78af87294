import os
import platform
import subprocess
import sys

import pytest

from coursekit.memory import kept_memory

# What a process holds, in MB, while it needs nothing: at first, after 100 MB were freed in the
# block, and after the block.
HOLDS = """
from pathlib import Path
from coursekit.memory import kept_memory

def held():
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
    return int(line.split()[1]) // 1024

first = held()
with kept_memory():
    b"x" * (100 << 20)
    inside = held()
print(first, inside, held())
"""


def held(**environment):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    plain.pop("GLIBC_TUNABLES", None)
    done = subprocess.run(
        [sys.executable, "-c", HOLDS],
        env=plain | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    first, inside, after = map(int, done.stdout.split())
    return inside - first, after - first


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_stays_with_the_process_until_the_block_ends():
    inside, after = held()
    assert inside > 90
    assert after < 20


@pytest.mark.skipif(sys.platform != "linux", reason="no /proc")
@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_what_the_environment_says_of_memory_is_left_as_it_is(name):
    inside, after = held(**{name: "2" if name == "MALLOC_ARENA_MAX" else "glibc.malloc.perturb=0"})
    assert inside < 20
    assert after < 20


def test_an_error_in_the_block_comes_out():
    with pytest.raises(ZeroDivisionError), kept_memory():
        1 / 0  # noqa: B018
