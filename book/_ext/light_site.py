"""A site that a phone gets quickly: the last step of the build rewrites what the theme wrote.

All style sheets become one, without what no page of this book uses; the web font of icons is cut to
those that are shown; no script and no picture keeps the text waiting, and pictures find a place of
their size; code is marked only where it is coloured.
"""

import html
import re
import unicodedata
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from posixpath import join, normpath, relpath
from urllib.parse import unquote

import imagesize
import tinycss2
import web_font
from sphinx.application import Sphinx

STYLE, ICONS = "_static/site.css", "_static/fonts/icons.woff"
SHEET = re.compile(r'\s*<link\b[^>]*\brel="stylesheet"[^>]*>')
WAITING = re.compile(r"<script(?=[^>]*\ssrc=)(?![^>]*\s(?:defer|async))")
# They use what the scripts above them define; a module runs in its turn after those.
USING = re.compile(r"<script(?=>\s*(?:DOCUMENTATION_OPTIONS\.|Object\.assign\(Documentation\.))")
PICTURE = re.compile(r'<img(?=\s)(?![^>]*\sloading=)(?=[^>]*\ssrc="([^"]*_images/[^"]+)")')
ADDRESS = re.compile(r"""url\((?!["']?data:)["']?([^)"']+)["']?\)""")
CODE = re.compile(r"<pre>.*?</pre>", re.DOTALL)
# Names, punctuation and spaces, half of all elements, have the colour of the code around them.
PLAIN = re.compile(r'<span class="(?:n|nn|p|w)">([^<]*)</span>')
# What the theme looks for at once, to let the keyboard scroll it; book.js does so by and by.
TAB_STOPS = re.compile(r'\["pre",[^\]]*"\.pst-scrollable-table-container"\]\.join\(", "\)')
# Search reads the pages it has found for excerpts, which a browser forbids to a page from a folder.
EXCERPTS = re.compile(r"(SHOW_SEARCH_SUMMARY: )true")
ICON = re.compile(r'url\([^)]*fa-solid-900\.woff2"\) format\("woff2"\)')


def lighten(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite the pages of a finished build; those that an earlier build has rewritten stay."""
    if exception is not None or app.builder.name != "html":
        return
    site = Path(app.outdir)
    paths = [path for path in sorted(site.rglob("*.html")) if site / "_static" not in path.parents]
    pages = {path: path.read_text(encoding="utf-8") for path in paths}
    fresh = {path: page for path, page in pages.items() if len(SHEET.findall(page)) > 1}
    if not fresh:
        return
    sheets: dict[str, None] = {}
    for path, page in fresh.items():
        here = path.parent.relative_to(site).as_posix()
        for link in SHEET.findall(page):
            href = re.search(r'href="([^"?]+)', link)
            sheets[normpath(join(here, href[1]))] = None
    scripts = [path.read_text(encoding="utf-8") for path in (site / "_static").rglob("*.js")]
    words = {word for text in (*pages.values(), *scripts) for word in re.findall(r"[\w-]+", text)}
    style = "\n".join(used_style(site, sheet, words) for sheet in sheets)
    style = f'@charset "utf-8";\n{style}'
    style = cut_icons(site, style)
    (site / STYLE).write_text(style, encoding="utf-8")
    _edit(site / "_static/scripts/pydata-sphinx-theme.js", TAB_STOPS, '"no-such"')
    _edit(site / "_static/documentation_options.js", EXCERPTS, r'\1location.protocol !== "file:"')
    version = sha256(style.encode()).hexdigest()[:8]
    for path, page in fresh.items():
        up = relpath(".", path.parent.relative_to(site).as_posix())
        link = f'\n<link rel="stylesheet" href="{join(up, STYLE)}?v={version}">'
        first, rest = SHEET.split(page, maxsplit=1)
        page = first + link + SHEET.sub("", rest)
        page = WAITING.sub("<script defer", page)
        page = USING.sub('<script type="module"', page)
        page = PICTURE.sub(lambda found, path=path: _picture(path, found), page)
        page = CODE.sub(lambda found: PLAIN.sub(r"\1", found[0]), page)
        path.write_text(page, encoding="utf-8")


def _edit(script: Path, pattern: re.Pattern[str], replacement: str) -> None:
    script.write_text(
        pattern.sub(replacement, script.read_text(encoding="utf-8")), encoding="utf-8"
    )


def used_style(site: Path, sheet: str, words: set[str]) -> str:
    """Return the rules of a style sheet whose every class and id is among ``words``."""
    text = (site / sheet).read_text(encoding="utf-8")
    here, there = sheet.rpartition("/")[0], STYLE.rpartition("/")[0]
    text = ADDRESS.sub(lambda found: f'url("{relpath(join(here, found[1]), there)}")', text)
    rules = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
    return "".join(_used(rules, words))


def _used(rules: Iterable[tinycss2.ast.Node], words: set[str]) -> Iterable[str]:
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = _alternatives(rule.prelude)
            kept = [selector for selector in selectors if _is_used(selector, words)]
            if kept:
                yield f"{','.join(kept)}{{{tinycss2.serialize(rule.content).strip()}}}\n"
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            content = "".join(_used(inner, words))
            if content:
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{\n{content}}}\n"
        elif rule.type == "at-rule":
            yield rule.serialize() + "\n"


def _alternatives(prelude: list[tinycss2.ast.Node]) -> list[str]:
    """Return the selectors of a rule, which commas part."""
    parts: list[list[tinycss2.ast.Node]] = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return [tinycss2.serialize(part).strip() for part in parts]


def _is_used(selector: str, words: set[str]) -> bool:
    outside = re.sub(r"\([^()]*\)|\[[^\]]*\]", "", re.sub(r"\([^()]*\)", "", selector))
    return all(
        name.replace("\\", "") in words for name in re.findall(r"[.#]((?:[\w-]|\\.)+)", outside)
    )


def cut_icons(site: Path, style: str) -> str:
    """Cut the font of icons to those that ``style`` names and let it refer to what is left."""
    icons = {sign for sign in style if unicodedata.category(sign) == "Co"}
    (source,) = (site / "_static").rglob("fa-solid-900.ttf")
    web_font.save(web_font.cut(source, icons), site / ICONS)
    return ICON.sub('url("fonts/icons.woff") format("woff")', style)


def _picture(page: Path, found: re.Match[str]) -> str:
    """Return the beginning of a picture's tag with its size, in pixels, and when to fetch it."""
    width, height = imagesize.get(page.parent / unquote(html.unescape(found[1])))
    size = f' width="{width:.0f}" height="{height:.0f}"' if width > 0 else ""
    return f'<img loading="lazy"{size}'


def setup(app: Sphinx) -> dict[str, bool]:
    """Come after everything else that looks at a finished build."""
    app.connect("build-finished", lighten, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
