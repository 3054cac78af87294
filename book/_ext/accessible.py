"""What the writers of Sphinx leave to be desired by those who do not see the page."""

import re
from typing import Any

from sphinx.application import Sphinx

SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)
# Sphinx writes the lines of a long signature as a list of definitions without terms.
LINES = {
    "<dl>": '<div class="sig-lines">',
    "</dl>": "</div>",
    "<dd>": "<div>",
    "</dd>": "</div>",
}


def mend(app: Sphinx, pagename: str, templatename: str, context: Any, doctree: Any) -> None:
    def plain(found: re.Match[str]) -> str:
        return re.sub(r"</?d[ld]>", lambda tag: LINES[tag[0]], found[0])

    if "body" in context:
        context["body"] = SIGNATURE.sub(plain, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
