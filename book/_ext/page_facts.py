"""What a page says of itself: how long it takes, what it is about, how it looks when it is shared.

The time of reading is the one that the author states at the top of a chapter, not one computed from
its words: a chapter is read with a pencil and with its cells running, and a reader should not meet
two different numbers. ``tests/test_notebooks.py`` holds the stated time to the words.
"""

import os
import re
from html import escape, unescape
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

STATED = re.compile(r"Время: (.+?) (?:на чтение|чтения)")
CARD = "_static/card.png"  # 1200 × 630, drawn by book/_static/card.svg
LENGTH = 200

REDIRECT = """<!DOCTYPE html>
<html lang="ru">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={home}">
<title>{title}</title>
{tags}
</head>
<body><main><h1><a href="{home}">{title}</a></h1></main></body>
</html>
"""


def take_address(app: Sphinx, config: Config) -> None:
    """Let the workflow that publishes the site say where it will stand."""
    address = config.html_baseurl or os.environ.get("BOOK_URL", "")
    config.html_baseurl = address.rstrip("/") + "/" if address else ""


def stated_time(doctree: nodes.document) -> str | None:
    """Return what the line «Время: …» of a chapter promises, such as «полтора часа»."""
    for paragraph in doctree.findall(nodes.paragraph):
        if found := STATED.match(" ".join(paragraph.astext().split())):
            return found[1]
    return None


def shorten(text: str, length: int = LENGTH) -> str:
    """Return the first sentences of ``text`` that fit, or the first words of a long one."""
    if len(text) <= length:
        return text
    sentences = re.match(rf".{{60,{length - 1}}}[.!?…](?=\s)", text)
    return sentences[0] if sentences else text[:length].rsplit(" ", 1)[0].rstrip(",;:— ") + "…"


def describe(doctree: nodes.document) -> str:
    """Return the beginning of the first paragraph, up to the sentence that has a formula."""
    for paragraph in doctree.findall(nodes.paragraph):
        plain = takewhile(lambda node: not isinstance(node, nodes.math), paragraph.children)
        text = " ".join("".join(node.astext() for node in plain).split())
        if paragraph.next_node(nodes.math):
            text = text[: text.rfind(". ") + 1]
        if len(text) >= 60 and isinstance(paragraph.parent, nodes.section):
            return shorten(text)
    return ""


def tags(config: Config, title: str, description: str, page: str) -> str:
    """Return the description and the Open Graph tags, with addresses only where they are known."""
    facts = {
        "og:type": "article" if page else "website",
        "og:locale": "ru_RU",
        "og:site_name": config.html_title or config.project,
        "og:title": title,
        "og:description": description,
    }
    if config.html_baseurl:
        facts["og:url"] = urljoin(config.html_baseurl, quote(page))
        facts["og:image"] = urljoin(config.html_baseurl, CARD)
        facts["og:image:width"], facts["og:image:height"] = "1200", "630"
        facts["og:image:alt"] = "Логотип: буква «ё», в которую линия входит, обходит круг и выходит"
    lines = [f'<meta property="{name}" content="{escape(what)}">' for name, what in facts.items()]
    return "\n".join([f'<meta name="description" content="{escape(description)}">', *lines])


def add_facts(app: Sphinx, pagename: str, templatename: str, context: Any, doctree: Any) -> None:
    if doctree is None:
        return
    context["reading_time"] = stated_time(doctree)
    title = unescape(re.sub("<[^>]+>", "", context["title"]))
    context["metatags"] += tags(app.config, title, describe(doctree), f"{pagename}.html")


def write_the_root(app: Sphinx, exception: Exception | None) -> None:
    """Write the page that leads from the site's root to the home page, and the site map."""
    if exception or app.builder.format != "html":
        return
    config, root = app.config, Path(app.outdir)
    home = f"{config.root_doc}.html"
    doctree = app.env.get_doctree(config.root_doc)
    title = config.html_title or config.project
    page = REDIRECT.format(
        home=home, title=escape(title), tags=tags(config, title, describe(doctree), "")
    )
    (root / "index.html").write_text(page, encoding="utf-8")
    sitemap = root / "sitemap.xml"
    sitemap.unlink(missing_ok=True)
    if config.html_baseurl:
        places = [
            f"<url><loc>{escape(urljoin(config.html_baseurl, quote(f'{name}.html')))}</loc></url>"
            for name in sorted(app.env.found_docs)
        ]
        sitemap.write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            + "\n".join(places)
            + "\n</urlset>\n",
            encoding="utf-8",
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", take_address)
    app.connect("html-page-context", add_facts)
    # Before sphinx_external_toc, which writes a bare redirect where there is none.
    app.connect("build-finished", write_the_root, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
