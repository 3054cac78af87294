"""``make bench``: what a reader would otherwise use, measured side by side with ours.

``python benchmarks/run.py`` measures everything; ``python benchmarks/run.py loops words`` a part.
Prints a table and keeps the numbers in benchmarks/results.json, each part with its machine, date.
"""

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from side_by_side import Figure, Ratio

from coursekit.processes import best_device

RESULTS = Path(__file__).parent / "results.json"
PARTS = ("imports", "lemmas", "generation", "loops", "trainers", "words", "shakespeare")
PACKAGES = ("coursekit", "torch", "lightning", "skorch", "pymorphy3", "nltk")


def machine() -> dict[str, object]:
    """Return what the numbers depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    device = best_device()
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else device.type,
        "system": platform.platform(terse=True),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "—"
    return found


def cells(row: Ratio | Figure) -> list[str]:
    """Return one line of the table."""
    if isinstance(row, Ratio):
        return [
            row.work,
            row.against,
            f"{row.ours_seconds:.3g} s",
            f"{row.other_seconds:.3g} s",
            f"{row.ratio:.3g} ×",
            f"{row.least:.3g} – {row.most:.3g}",
            "" if row.demanded is None else f"≥ {row.demanded:g} ×",
        ]
    return [
        row.work,
        "",
        "",
        "",
        f"{row.value:.4g} {row.unit}",
        f"{row.least:.4g} – {row.most:.4g}",
        "" if row.demanded is None else f"≤ {row.demanded:g}",
    ]


def kept(row: Ratio | Figure) -> bool:
    """Tell whether what was promised is kept."""
    if row.demanded is None:
        return True
    return row.ratio >= row.demanded if isinstance(row, Ratio) else row.value <= row.demanded


def main(parts: list[str]) -> None:
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = {part: results[part] for part in results if part in PARTS}
    print("| work | against | ours | other | median | from – to | demanded | |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    for part in parts or PARTS:
        before = machine()
        rows = import_module(part).measure()
        for row in rows:
            print(f"| {' | '.join(cells(row))} | {'' if kept(row) else 'NOT KEPT'} |", flush=True)
        results[part] = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": before,
            "versions": versions(),
            "rows": [row._asdict() for row in rows],
        }
        RESULTS.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
