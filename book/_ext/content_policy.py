"""A Content-Security-Policy on every page: nothing from other hosts, no script but the book's own.

The theme writes a few short scripts into its pages (which theme to draw before the first paint, the
name of the page for the search). They are known only when a page is written, so the policy first
holds a mark, and once the site is built the mark becomes the hashes of that page's scripts.
"""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

MARK = "'hashes-of-inline-scripts'"
POLICY = {
    "default-src": "'none'",
    "script-src": f"'self' {MARK}",
    # pandas aligns cells by style attributes
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",  # the search reads the pages it has found for an excerpt
    "base-uri": "'none'",
    "form-action": "'self'",
}
META = '<meta http-equiv="Content-Security-Policy" content="{}">'
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


def add_policy(app: Sphinx, pagename: str, templatename: str, context: Any, doctree: Any) -> None:
    """Put the policy before everything that it is to govern."""
    policy = "; ".join(f"{name} {sources}" for name, sources in POLICY.items())
    context["metatags"] = META.format(policy) + context.get("metatags", "")


def hashes(page: str) -> str:
    """Return the sources that allow exactly the inline scripts of ``page``."""
    digests = {hashlib.sha256(body.encode()).digest() for body in INLINE_SCRIPT.findall(page)}
    return " ".join(sorted(f"'sha256-{base64.b64encode(d).decode()}'" for d in digests))


def fill_in(app: Sphinx, exception: Exception | None) -> None:
    """Replace the mark on every page that this build has written."""
    if exception or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        if MARK in page:
            path.write_text(page.replace(MARK, hashes(page)), encoding="utf-8")


def compile_plurals(app: Sphinx, exception: Exception | None) -> None:
    """Write the rule of plurals as a function; Sphinx compiles it in the browser, from a string."""
    path = Path(app.outdir, "_static", "translations.js")
    if exception or not path.is_file():
        return
    found = re.match(r"Documentation\.addTranslations\((.*)\)", path.read_text("utf-8"), re.DOTALL)
    if found:
        catalogue = json.loads(found[1])
        messages = json.dumps(catalogue["messages"], ensure_ascii=False)
        path.write_text(
            f"Object.assign(Documentation.TRANSLATIONS, {messages});\n"
            f"Documentation.PLURAL_EXPR = (n) => Number({catalogue['plural_expr']});\n"
            f"Documentation.LOCALE = {json.dumps(catalogue['locale'])};\n",
            encoding="utf-8",
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_policy, priority=900)
    app.connect("build-finished", fill_in)
    app.connect("build-finished", compile_plurals)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
