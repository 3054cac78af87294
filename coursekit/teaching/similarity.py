"""Who wrote like whom: pairs of submissions whose code is nearly one, the given text left out.

copydetect compares the code without its names and comments (winnowing, Schleimer et al., 2003).
"""

from difflib import SequenceMatcher
from html import escape
from io import StringIO
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from copydetect import CodeFingerprint, compare_files
from copydetect.utils import highlight_overlap
from nbformat import NotebookNode

from coursekit.teaching.syntax import python

# Characters of code without names that must be the same at the least, and all places are compared.
SHORTEST, WINDOW = 25, 1


class Pair(NamedTuple):
    """Two submissions: the shares of each one's code that the other has, and of equal lines."""

    first: str
    second: str
    share: float
    equal_lines: float
    first_code: str
    second_code: str


def code_of(notebook: NotebookNode, released: NotebookNode) -> str:
    """Return the code of a notebook that was not given out in ``released``."""
    given = {cell.source.strip() for cell in released.cells}
    own = [
        python(cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip() not in given
    ]
    return "\n\n".join(own)


def similar(codes: dict[str, str], released: NotebookNode, threshold: float = 0.8) -> list[Pair]:
    """Return the pairs of ``codes`` by students that share ``threshold`` of either's code.

    The most alike come first. Short tasks have few ways of solving them: a high share of code
    without names is a reason to look, equal lines with names and comments are a reason to ask.

    >>> import nbformat
    >>> code = "def longest(words):\\n    return max(words, key=lambda word: len(word))"
    >>> given = nbformat.v4.new_notebook()
    >>> [(pair.first, pair.second) for pair in similar({"a": code, "b": code, "c": "x"}, given)]
    [('a', 'b')]
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold = {threshold:g}: нужна доля больше 0 и не больше 1.")
    given = "\n".join(cell.source for cell in released.cells if cell.cell_type == "code")
    known = np.array(sorted(_fingerprint("released", given).hashes))
    prints = {name: _fingerprint(name, code, known) for name, code in sorted(codes.items())}
    found = []
    for first, second in combinations(prints, 2):
        one, other = prints[first], prints[second]
        if not len(one.hashes) or not len(other.hashes):
            continue
        _, shares, (slices, others) = compare_files(one, other)
        if max(shares) >= threshold:
            marked = (_marked(one.raw_code, slices), _marked(other.raw_code, others))
            lines = _equal_lines(one.raw_code, other.raw_code)
            found.append(Pair(first, second, float(max(shares)), lines, *marked))
    return sorted(found, key=lambda pair: (-pair.share, -pair.equal_lines, pair.first))


def _fingerprint(
    name: str, code: str, known: npt.NDArray[np.int64] | None = None
) -> CodeFingerprint:
    return CodeFingerprint(
        f"{name}.py", SHORTEST, WINDOW, boilerplate=known, language="python", fp=StringIO(code)
    )


def _equal_lines(one: str, other: str) -> float:
    """Return the share of equal lines, names and comments included."""
    lines = [[line.strip() for line in code.splitlines() if line.strip()] for code in (one, other)]
    return SequenceMatcher(None, lines[0], lines[1], autojunk=False).ratio()


def _marked(code: str, slices: object) -> str:
    """Return a page's code with what the other has too in ``mark``."""
    text, _ = highlight_overlap(code, slices, "\0", "\1", escape_html=False)
    return escape(text).replace("\0", "<mark>").replace("\1", "</mark>")


def report(pairs: list[Pair], title: str) -> str:
    """Return the body of the report: the pairs, then each pair side by side."""
    body = [f"<h1>{escape(title)}</h1>"]
    if not pairs:
        return body[0] + "<p>Похожих пар нет.</p>"
    body.append(
        "<p>Коротких задач много способов решить нет: общий код без имён — повод посмотреть, "
        "одинаковые строки вместе с именами и комментариями — повод спросить.</p>"
        "<table><tr><th>кто</th><th>и кто</th><th>общий код</th><th>одинаковые строки</th></tr>"
    )
    for place, pair in enumerate(pairs):
        body.append(
            f'<tr><td><a href="#p{place}">{escape(pair.first)}</a></td>'
            f"<td>{escape(pair.second)}</td><td class=number>{pair.share:.0%}</td>"
            f"<td class=number>{pair.equal_lines:.0%}</td></tr>"
        )
    body.append("</table>")
    for place, pair in enumerate(pairs):
        body.append(
            f'<h2 id="p{place}">{escape(pair.first)} · {escape(pair.second)}</h2>'
            f"<div class=beside><pre>{pair.first_code}</pre><pre>{pair.second_code}</pre></div>"
        )
    return "\n".join(body)
