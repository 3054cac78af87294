"""The whole book as one PDF, printed by Chromium from the built site.

python book/pdf.py         what `make pdf` calls once the site is built

The pages are put one after another into a single document, in the order of the contents, so that
links between chapters work inside the PDF and its pages are numbered through.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

import browser
import yaml
from bs4 import BeautifulSoup, Tag

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
TARGET = ROOT / "_build" / "book.pdf"
WHOLE = "book/whole.html"  # exists only while it is printed

# Pictures and fonts are there: only then the printer may start.
READY = """async () => {
  for (const image of document.images) image.loading = 'eager';
  await Promise.all([...document.images].map(image => image.decode()));
  await document.fonts.ready;
}"""
MISSING = (
    "Для PDF нужен Chromium или Chrome: установите его (apt-get install chromium) "
    "или укажите путь в переменной CHROMIUM."
)


def contents() -> list[str]:
    """Return the names of the book's pages in the order of reading."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]


def parse(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def anchor(name: str, fragment: str = "") -> str:
    """Return the id, in the whole book, of a page or of a place on it."""
    return f"{name}.html/{fragment}"


def chapter(site: Path, name: str, names: list[str]) -> Tag:
    """Return the text of a page with its ids, links and pictures named for the whole book."""
    text = parse(site, name).select_one("article")
    text.name, text["id"] = "section", anchor(name)
    for element in text.find_all(id=True):
        element["id"] = anchor(name, element["id"])
    for picture in text.find_all("img"):
        picture["src"] = urljoin(f"/{name}.html", picture["src"])
    for link in text.find_all("a", href=True):
        parts = urlsplit(urljoin(f"/{name}.html", link["href"]))
        page = unquote(parts.path).strip("/").removesuffix(".html")
        if page in names:
            link["href"] = f"#{anchor(page, unquote(parts.fragment))}"
        elif not parts.netloc:
            del link["href"]  # a file to download: there is nothing to download from on paper
    return text


def whole(site: Path, names: list[str]) -> str:
    """Return one page with the text of all, in the frame of the first."""
    chapters = [chapter(site, name, names) for name in names]
    frame = parse(site, names[0])
    article = frame.select_one("article")
    article.clear()
    article.extend(chapters)
    frame.title.string = frame.find("meta", property="og:site_name")["content"]
    return str(frame)


def write(
    chromium: "Browser", site: Path = SITE, target: Path = TARGET, names: list[str] | None = None
) -> Path:
    """Print the book, or the pages of ``names``, into ``target``."""
    document = whole(site, names or contents())
    page = chromium.new_page(color_scheme="light", locale="ru-RU")
    with browser.served(site) as address:
        page.route(
            address + WHOLE, lambda route: route.fulfill(body=document, content_type="text/html")
        )
        page.goto(address + WHOLE)
        page.evaluate(READY)
        page.pdf(
            path=target, prefer_css_page_size=True, print_background=True, outline=True, tagged=True
        )
        page.close()
    return target


if __name__ == "__main__":
    if not browser.chromium():
        sys.exit(MISSING)
    with browser.opened() as chromium:
        print(f"PDF готов: {write(chromium)}")
