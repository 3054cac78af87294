"""``make bench``: ratios of the usual way of teaching notebooks to ours, measured side by side.

Prints a table and writes it to benchmarks/results.json.
"""

import json
import platform
from pathlib import Path

import pymorphy3
from side_by_side import Ratio, compare

from coursekit import datasets, text

RESULTS = Path(__file__).parent / "results.json"


def lemmas() -> list[Ratio]:
    """One parse for each token of the corpus against the cached lemma."""
    tokens = [token for work in datasets.load_zarechinsk() for token in text.tokens(work.text)]
    morph = pymorphy3.MorphAnalyzer()

    def usual():
        return [morph.parse(token)[0].normal_form for token in tokens]

    def ours():
        return [text.lemma(token.lower()) for token in tokens]

    if usual() != ours():
        raise AssertionError("the two ways give different lemmas")
    return [
        compare("lemmas of the corpus", ours, usual, before=text.lemma.cache_clear),
        compare("lemmas of the corpus, second pass", ours, usual),
    ]


def main() -> None:
    ratios = lemmas()
    print("| work | ours, s | usual, s | ratio | from – to |")
    print("|---|--:|--:|--:|--:|")
    for ratio in ratios:
        print(
            f"| {ratio.work} | {ratio.ours_seconds:.3g} | {ratio.usual_seconds:.3g} "
            f"| {ratio.ratio:.1f} × | {ratio.least:.1f} – {ratio.most:.1f} |"
        )
    machine = {"processor": platform.processor() or platform.machine(), "system": platform.system()}
    rows = [ratio._asdict() for ratio in ratios]
    RESULTS.write_text(json.dumps({"machine": machine, "ratios": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
