"""The directive ``what-works``: what book/environments.py measured, as a table."""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ENVIRONMENTS = {
    "locked": "проверенные версии",
    "newest": "новейшие версии",
    "colab": "как в Colab",
    "binder": "как в Binder",
    "cuda": "видеокарта",
}
RESULTS = Path(__file__).resolve().parents[1] / "appendix" / "status.json"


def said(row: dict[str, object] | None) -> nodes.paragraph:
    """Return the words of one cell; what is red is red in words as well."""
    if row is None:
        return nodes.paragraph(text="не запускалось")
    if "error" in row:
        words = f"НЕ РАБОТАЕТ: {row['error']}"
        return nodes.paragraph(text=f"{words}, {row['date']}", classes=["does-not-work"])
    text = f"работает: {row['seconds']}\xa0с, {row['megabytes']}\xa0МБ, {row['date']}"
    return nodes.paragraph(text=text)


def table(rows: list[dict[str, object]], titles: dict[str, str]) -> nodes.table:
    """Return a table: a row for each notebook, a column for each environment that was tried."""
    tried = [name for name in ENVIRONMENTS if any(row["environment"] == name for row in rows)]
    found = {(row["notebook"], row["environment"]): row for row in rows}
    group = nodes.tgroup(cols=1 + len(tried))
    group += [nodes.colspec(colwidth=1) for _ in range(1 + len(tried))]
    head, body = nodes.thead(), nodes.tbody()
    disk = {str(row["environment"]): row["disk"] for row in rows}
    top = ["Глава", *(f"{ENVIRONMENTS[name]} ({disk[name]}\xa0МБ)" for name in tried)]
    head += nodes.row("", *(nodes.entry("", nodes.paragraph(text=word)) for word in top))
    for notebook in sorted({str(row["notebook"]) for row in rows}):
        name = notebook.removesuffix(".ipynb")
        cells = [nodes.entry("", nodes.paragraph(text=titles.get(name, name)))]
        cells += [nodes.entry("", said(found.get((notebook, name)))) for name in tried]
        body += nodes.row("", *cells)
    group += [head, body]
    return nodes.table("", group)


class WhatWorks(SphinxDirective):
    """The table, or a line that nothing has been measured yet."""

    def run(self) -> list[nodes.Node]:
        """Return the table of the results that are there."""
        self.env.note_dependency(str(RESULTS))
        if not RESULTS.exists():
            return [nodes.paragraph(text="Измерений ещё нет.")]
        rows = json.loads(RESULTS.read_text(encoding="utf-8"))
        titles = {name: title.astext() for name, title in self.env.titles.items()}
        return [table(rows, titles)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("what-works", WhatWorks)
    return {"parallel_read_safe": False}
