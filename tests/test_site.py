"""The built site: made from nothing without a warning, Russian, and asking no other host."""

import re
import shutil
from urllib.parse import unquote, urlsplit

import imagesize
import light_site
import native_math
import pytest
from bs4 import BeautifulSoup
from built_site import ROOT, build
from fontTools.ttLib import TTFont

pytestmark = pytest.mark.slow

PLAIN = ["n", "nn", "p", "w"]  # names, modules, punctuation, spaces
THEME_STYLE = "_static/styles/pydata-sphinx-theme.css"


@pytest.fixture(scope="module")
def pages(site):
    """Every page that a reader can open, parsed."""
    paths = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in paths}


def test_every_page_of_the_contents_is_built(site):
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    files = re.findall(r"(?:file|root): (\S+)", toc)
    assert len(files) >= 8
    for name in files:
        assert (site / f"{name}.html").is_file(), name


def test_pages_speak_russian(pages):
    for path, page in pages.items():
        if page.find("main"):
            assert page.html["lang"] == "ru", path


def test_no_page_asks_another_host(site, pages):
    for path, page in pages.items():
        for element in page.find_all(["script", "link", "img", "iframe", "source", "object"]):
            for attribute in ("src", "href", "data"):
                address = element.get(attribute) or ""
                outside = urlsplit(address).netloc
                assert not outside or element.get("rel") == ["canonical"], (path, str(element))
    for style in (site / "_static").rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*[\"']?https?:", text), style


def test_formulas_are_mathml_in_a_font_that_has_their_signs(site, pages):
    font = TTFont(site / "_static" / native_math.FONT)
    known, signs = font.getBestCmap(), set()
    for path, page in pages.items():
        for formula in page.select(".math"):
            assert formula.math, (path.name, formula.text)
            assert "\\" not in formula.text, (path.name, formula.text)
            signs |= {sign for part in formula.find_all(["mi", "mn", "mo"]) for sign in part.text}
    assert len(signs) > 100
    assert not {sign for sign in signs | {"√"} if ord(sign) not in known}
    assert font["MATH"].table.MathVariants.MinConnectorOverlap > 0


def test_one_style_sheet_has_what_the_pages_use_and_no_more(site, pages):
    style = (site / light_site.STYLE).read_text(encoding="utf-8")
    assert len(style) < 200_000 < len((site / THEME_STYLE).read_text(encoding="utf-8"))
    for word in (".admonition", ".bd-sidebar-primary", ".copybtn", ".fa-download", "@media print"):
        assert word in style, word
    assert ".fa-poo" not in style
    icons = TTFont(site / light_site.ICONS).getBestCmap()
    assert len(icons) > 20
    assert set(icons) <= {ord(sign) for sign in style}
    for path, page in pages.items():
        sheets = page.find_all("link", rel="stylesheet")
        if path != site / "index.html":  # it only leads to the home page
            (sheet,) = sheets
            found = (path.parent / urlsplit(sheet["href"]).path).resolve()
            assert found == (site / light_site.STYLE).resolve()
    for address in re.findall(r"url\(\"(?!data:)([^\"]+)", style):
        assert (site / light_site.STYLE).parent.joinpath(address).is_file(), address


def test_code_is_marked_only_where_it_has_a_colour(site, pages):
    style = (site / light_site.STYLE).read_text(encoding="utf-8")
    for theme in ("light", "dark"):
        code = rf'\[data-theme="{theme}"\] \.highlight'
        (around,) = re.findall(rf"{code}{{background: \S+; color: (#\w+)}}", style)
        colours = [re.findall(rf"{code} \.{kind}{{color: (#\w+)}}", style) for kind in PLAIN]
        assert colours == [[around]] * len(PLAIN)
    page = pages[site / "book" / "06-lstm.html"]
    marked = {name for span in page.select("pre span[class]") for name in span["class"]}
    assert {"k", "nb", "mi"} <= marked
    assert not marked & set(PLAIN)


def test_no_script_keeps_the_text_waiting(pages):
    for path, page in pages.items():
        for script in page.find_all("script", src=True):
            assert script.has_attr("defer") or script.has_attr("async"), (path.name, script["src"])
        # What stands in the page itself must not need what comes later.
        for script in page.find_all("script", src=False, type=lambda kind: kind != "module"):
            assert "DOCUMENTATION_OPTIONS" not in script.text, path.name


def test_pictures_come_when_they_are_near_into_a_place_of_their_size(site, pages):
    for path, page in pages.items():
        for picture in page.select("article img"):
            file = path.parent / unquote(picture["src"])
            width, height = imagesize.get(file)
            assert picture["loading"] == "lazy", (path.name, picture["src"])
            assert (picture["width"], picture["height"]) == (f"{width:.0f}", f"{height:.0f}")


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (".here {a: b}", ".here{a: b}"),
        (".here, .gone {a: b}", ".here{a: b}"),
        (".here .gone {a: b}", ""),
        (".here:not(.gone) p {a: b}", ".here:not(.gone) p{a: b}"),
        ("p > #there::after {a: b}", "p > #there::after{a: b}"),
        ("@media print {.gone {a: b}}", ""),
        ("@media print {.here {a: b}}", "@media print {\n.here{a: b}\n}"),
        ("@font-face {a: b}", "@font-face {a: b}"),
    ],
)
def test_a_rule_is_kept_if_some_page_may_use_it(rule, kept, tmp_path):
    (tmp_path / "some.css").write_text(rule, encoding="utf-8")
    assert light_site.used_style(tmp_path, "some.css", {"here", "there"}).strip() == kept


def test_a_page_loads_nothing_that_it_does_not_use(pages):
    for path, page in pages.items():
        scripts = [script.get("src") or "" for script in page.find_all("script")]
        assert not any("mathjax" in src or "fontawesome" in src for src in scripts), path.name


def test_internal_links_lead_somewhere(site, pages):
    ids = {
        path: {tag["id"] for tag in page.find_all(id=True)}
        | {tag["name"] for tag in page.find_all("a", attrs={"name": True})}
        for path, page in pages.items()
    }
    for path, page in pages.items():
        for link in page.find_all("a", href=True):
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), (path.name, link["href"])
            if parts.fragment and target in ids:
                assert unquote(parts.fragment) in ids[target], (path.name, link["href"])


def test_every_picture_of_a_page_has_alt_text(pages):
    for path, page in pages.items():
        for image in (page.find("article") or page).find_all("img"):
            alt = image.get("alt", "")
            assert re.search("[а-яё]{3}", alt), (path.name, str(image)[:200])


def test_cells_that_only_assert_are_not_shown(pages):
    for path, page in pages.items():
        for code in page.select("div.cell_input pre"):
            assert not re.match(r"\s*assert ", code.get_text()), path.name


def test_no_button_leads_nowhere(pages):
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    if re.search(r'^  url: ""', config, re.MULTILINE):
        for path, page in pages.items():
            for link in page.find_all("a", href=True):
                host = urlsplit(link["href"]).netloc
                assert "mybinder" not in host, path.name
                assert "colab" not in host, path.name


ENGLISH = re.compile(
    r"\b(Search|Contents|Next|Previous|Print|Download|Toggle|Click|Show|Hide|Copy|Skip to|Source|"
    r"Back to|Light|Dark|Theme|Sidebar|Launch|Fullscreen|Error|Copyright|By )\b"
)


def test_the_interface_is_russian(pages):
    for path, page in pages.items():
        for element in page.find_all(True):
            if element.name in ("script", "style") or element.find_parent("article"):
                continue
            said = [element.get(name, "") for name in ("title", "aria-label", "placeholder")]
            said += [str(text) for text in element.find_all(string=True, recursive=False)]
            for text in said:
                assert not ENGLISH.search(text), (path.name, text.strip())


def test_every_page_says_in_russian_what_it_is_about(pages):
    seen = set()
    for path, page in pages.items():
        if page.find("article"):
            facts = {tag.get("property") or tag.get("name"): tag for tag in page.find_all("meta")}
            said = facts["description"]["content"]
            assert 30 <= len(re.findall("[а-яё]", said)) <= 200, (path.name, said)
            assert facts["og:description"]["content"] == said
            assert facts["og:title"]["content"] == page.h1.find(string=True)
            assert said not in seen
            seen.add(said)


def test_chapters_state_the_time_of_reading(pages):
    for path, page in pages.items():
        stated = page.select_one(".reading-time")
        assert bool(stated) == bool(re.match(r"\d\d-", path.name)), path.name
        if stated:
            assert re.search("час|минут", stated.get_text()), path.name


def test_buttons_lead_to_the_repository_once_it_is_set(tmp_path, monkeypatch):
    site = "https://someone.github.io/course/"
    monkeypatch.setenv("BOOK_URL", site)
    url = "https://github.com/someone/course"
    copy = tmp_path / "course"
    ignored = shutil.ignore_patterns(".*", "_build", "tests", "coursekit")
    shutil.copytree(ROOT, copy, ignore=ignored)
    shutil.copytree(ROOT / "coursekit" / "data", copy / "coursekit" / "data")
    config = copy / "_config.yml"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r'^  url: ".*"', f'  url: "{url}"', text, flags=re.M), "utf-8")
    built = build(copy, tmp_path)
    page = BeautifulSoup(
        (built / "book" / "02-tfidf.html").read_text(encoding="utf-8"), "html.parser"
    )
    links = [link["href"] for link in page.find_all("a", href=True)]
    for start in (
        "https://colab.research.google.com/github/someone/course/blob/main/book/02-tfidf.ipynb",
        "https://mybinder.org/v2/gh/someone/course/main?urlpath=lab/tree/book/02-tfidf.ipynb",
        url,
    ):
        assert any(unquote(link).startswith(start) for link in links), start
    address = f"{site}book/02-tfidf.html"
    assert page.find("meta", property="og:url")["content"] == address
    assert f"<loc>{address}</loc>" in (built / "sitemap.xml").read_text(encoding="utf-8")
    picture = page.find("meta", property="og:image")["content"]
    assert (built / picture.removeprefix(site)).read_bytes().startswith(b"\x89PNG")
