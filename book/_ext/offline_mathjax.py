"""Serve MathJax 3 from the site itself, so that formulas need no network.

The files come from the PyPI package ``sphinx-mathjax-offline``. Its own extension would copy all
24 MB of them into ``_static``; a page with formulas needs the parts below, the fonts and, at a rare
command, one of the small TeX extensions. The usual bundle of these parts is half as large again by
a menu that speaks English only. Pages without formulas load none of it.
"""

import shutil
from importlib.metadata import distribution
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain

PROGRAM = "startup.js"
PARTS = ("core", "input/tex", "output/chtml", "a11y/assistive-mml")
FILES = (
    PROGRAM,
    *(f"{part}.js" for part in PARTS),
    "output/chtml/fonts/tex.js",
    "output/chtml/fonts/woff-v2/*.woff",
    "input/tex/extensions/[!a]*.js",
)


class PageMath(MathDomain):
    """Formulas of a page itself; Sphinx also counts those of the pages below it in the contents."""

    def has_equations(self, docname: str | None = None) -> bool:
        """Return whether the page needs MathJax."""
        if docname is None:
            return super().has_equations()
        return bool(self.data["has_equations"].get(docname))


def copy_mathjax(app: Sphinx) -> None:
    if app.builder.format != "html":
        return
    source = Path(
        str(distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline"))
    ).joinpath("static/mathjax")
    for pattern in FILES:
        found = sorted(source.glob(pattern))
        if not found:
            raise FileNotFoundError(f"sphinx-mathjax-offline has no {pattern}")
        for path in found:
            target = Path(app.outdir, "mathjax", path.relative_to(source))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def setup(app: Sphinx) -> dict[str, bool]:
    # Sphinx resolves the path from _static, at every depth of the page.
    app.config.mathjax_path = f"../mathjax/{PROGRAM}"
    app.config.mathjax3_config = {"loader": {"load": list(PARTS)}}
    app.add_domain(PageMath, override=True)
    app.connect("builder-inited", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
