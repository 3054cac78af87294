"""The built site as a reader meets it: in a browser, by keyboard, on a phone, in the dark."""

import functools
import gzip
import os
import re
from collections import namedtuple
from urllib.parse import unquote, urlsplit

import browser as chromium
import pdf
import pytest
from built_site import ROOT

pytestmark = pytest.mark.slow

ORDER = pdf.contents()
PAGES = [*ORDER, "search", "index"]
CHAPTER = "book/05-gradients"

SCREENSHOTS = ROOT / "_build" / "screenshots"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
COLOURS = ["color-contrast", "link-in-text-block"]  # what the theme can change

UNFOLD = (
    "() => document.querySelectorAll('.bd-article details').forEach(each => { each.open = true })"
)
# All of a page is looked at, also what a reader's browser would lay out later.
SETTLED = """async () => {
  const style = new CSSStyleSheet();
  style.replaceSync('.bd-article * { content-visibility: visible !important; }');
  document.adoptedStyleSheets.push(style);
  await document.fonts.ready;
  await new Promise(requestAnimationFrame);
}"""
UNDRAWN = """() => [...document.querySelectorAll('.bd-article .math')]
  .filter(formula => !formula.querySelector('math')?.getBoundingClientRect().width ||
    ![...document.fonts].some(font => font.family.includes('STIX') && font.status === 'loaded'))
  .map(each => each.textContent)"""
# Parts of code that are built alike look alike, so one of each on a page is enough, and so it is of
# rows of a table and the 150 entries of the package's reference. Without the rest axe is quick.
THIN_OUT = """() => {
  document.querySelectorAll('.bd-article tr:nth-child(n + 4)').forEach(row => row.remove());
  [...document.querySelectorAll('.bd-article dl.py')].slice(30).forEach(entry => entry.remove());
  const seen = new Set();
  for (const part of document.querySelectorAll('.bd-article :is(pre, dt.sig) :is(span, em)')) {
    const kind = part.parentElement.className + part.outerHTML.replace(/>[^<]*</g, '><');
    if (seen.has(kind)) part.replaceWith(part.textContent);
    seen.add(kind);
  }
  document.querySelector('.bd-article')?.normalize();
}"""
ERASE = "() => document.querySelectorAll('math').forEach(formula => formula.remove())"
# Thirteen pixels are axe's own measure of what need not be scrolled.
OUT_OF_REACH = """() => [...document.querySelectorAll('.bd-article *')]
  .filter(box => box.scrollWidth > box.clientWidth + 13)
  .filter(box => ['auto', 'scroll'].includes(getComputedStyle(box).overflowX))
  .filter(box => box.tabIndex < 0 && !box.querySelector('a[href], button, summary, [tabindex="0"]'))
  .map(box => box.outerHTML.slice(0, 200))"""
NAMES = """() => ['aria-label', 'title', 'placeholder', 'data-tooltip', 'data-bs-original-title']
  .flatMap(name => [...document.querySelectorAll(`[${name}]:not(.sig a)`)]
    .map(each => each.getAttribute(name)))
  .filter(Boolean)"""
# Names that have no Russian spelling.
PROPER = re.compile(r"\b(PDF|TF-IDF|RNN|LSTM|GRU|Colab|Binder|GitHub|Jupyter)\b")

Visit = namedtuple("Visit", "name page address troubles")


@pytest.fixture(scope="module")
def context():
    if not chromium.chromium():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(chromium.MISSING)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with chromium.opened() as browser:
        yield browser.new_context(
            viewport=DESKTOP, color_scheme="light", locale="ru-RU", reduced_motion="reduce"
        )


@pytest.fixture(scope="module")
def address(site):
    with chromium.served(site) as address:
        yield address


@pytest.fixture
def page(context):
    page = context.new_page()
    yield page
    page.close()


def troubles_of(page):
    """Return a list that fills with whatever goes wrong on a page."""
    troubles = []
    page.on("requestfailed", lambda r: troubles.append(f"{r.failure}: {r.url}"))
    page.on(
        "console",
        lambda m: m.type in ("error", "warning") and troubles.append(f"{m.text} {m.location}"),
    )
    page.on("pageerror", lambda error: troubles.append(error.stack))
    return troubles


@pytest.fixture(scope="module", params=PAGES)
def visit(request, context, address):
    """A page with whatever went wrong while it was loaded, looked at and played with."""
    page = context.new_page()
    troubles = troubles_of(page)
    page.on("request", lambda r: r.url.startswith((address, "data:")) or troubles.append(r.url))
    page.on("response", lambda r: r.ok or troubles.append(f"{r.status}: {r.url}"))
    page.goto(f"{address}{request.param}.html", wait_until="networkidle")
    page.evaluate(SETTLED)
    yield Visit(request.param, page, address, troubles)
    page.close()


def shoot(visit, view):
    visit.page.screenshot(path=SCREENSHOTS / f"{visit.name.replace('/', '-')}-{view}.png")


def look(visit, scheme):
    """Prefer another scheme, as a reader's system does in the evening; the theme follows."""
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.wait_for_function(
        "scheme => document.documentElement.dataset.theme === scheme", arg=scheme
    )


def out_of_reach(page):
    """What a keyboard cannot scroll; the theme and book.js find it by and by."""
    for _ in range(40):
        page.wait_for_timeout(250)
        found = page.evaluate(OUT_OF_REACH)
        if not found:
            break
    return found


def violations(page, options):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=options | {"resultTypes": ["violations"]})
    return found.generate_report() if found.violations_count else ""


def test_the_list_of_pages_is_complete(site):
    built = {str(path.relative_to(site).with_suffix("")) for path in site.rglob("*.html")}
    assert {name for name in built if not name.startswith("_static")} == set(PAGES)


def test_a_page_asks_no_other_host_and_nothing_fails(visit):
    assert visit.troubles == []
    assert visit.page.evaluate(UNDRAWN) == []


@functools.cache
def weight(path):
    """The bytes of a file as a host sends it: text is compressed on the way."""
    whole = path.read_bytes()
    return len(gzip.compress(whole) if path.suffix in (".html", ".css", ".js", ".svg") else whole)


def test_a_page_weighs_at_most_1_2_megabytes(visit, site):
    urls = visit.page.evaluate("() => performance.getEntriesByType('resource').map(e => e.name)")
    paths = {unquote(urlsplit(url).path).lstrip("/") for url in [visit.page.url, *urls]}
    assert sum(weight((site / path).resolve()) for path in paths) <= 1_200_000


def test_a_page_has_a_policy_that_allows_no_script_but_its_own(visit):
    policy = visit.page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'")
    scripts = re.findall(r"script-src ([^;]*)", policy)
    assert not any("unsafe" in sources or "http" in sources for sources in scripts)
    visit.page.evaluate(
        "() => document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.intruder = true'}))"
    )
    assert visit.page.evaluate("() => window.intruder") is None
    visit.troubles.clear()  # the browser has complained of the intruder


def test_previous_and_next_lead_where_the_contents_say(visit):
    if visit.name not in ORDER:
        return
    place = ORDER.index(visit.name)
    for link, neighbour in ((".left-prev", place - 1), (".right-next", place + 1)):
        found = visit.page.locator(link)
        if 0 <= neighbour < len(ORDER):
            url = found.evaluate("link => link.href")
            assert url == f"{visit.address}{ORDER[neighbour]}.html"
        else:
            assert found.count() == 0


def test_every_name_of_a_control_is_russian(visit):
    assert visit.page.locator("html").get_attribute("lang") == "ru"
    for name in visit.page.evaluate(NAMES):
        assert not re.search(r"[A-Za-z]{2}", PROPER.sub("", name)), name


def test_a_phone_scrolls_no_page_sideways(visit):
    visit.page.set_viewport_size(PHONE)
    wide = "() => document.scrollingElement.scrollWidth - innerWidth"
    shoot(visit, "phone-light")
    assert visit.page.evaluate(wide) <= 0
    visit.page.evaluate(UNFOLD)
    assert visit.page.evaluate(wide) <= 0
    assert out_of_reach(visit.page) == []
    look(visit, "dark")
    shoot(visit, "phone-dark")
    look(visit, "light")
    visit.page.set_viewport_size(DESKTOP)


def test_a_page_is_accessible_in_both_themes(visit):
    visit.page.evaluate("() => scrollTo(0, 0)")
    shoot(visit, "desktop-light")
    look(visit, "dark")
    shoot(visit, "desktop-dark")
    look(visit, "light")
    assert out_of_reach(visit.page) == []
    visit.page.evaluate(THIN_OUT)
    assert not violations(visit.page, {"runOnly": {"type": "tag", "values": WCAG}})
    visit.page.evaluate(ERASE)  # formulas have the colour of the text around them
    look(visit, "dark")
    assert not violations(visit.page, {"runOnly": {"type": "rule", "values": COLOURS}})
    assert visit.troubles == []


def test_the_site_opens_from_a_folder(page, site):
    troubles = troubles_of(page)
    page.goto((site / f"{CHAPTER}.html").as_uri())
    page.evaluate(SETTLED)
    assert page.evaluate(UNDRAWN) == []
    page.goto(f"{(site / 'search.html').as_uri()}?q=кошками")
    page.wait_for_selector("#search-results li")
    links = page.locator("#search-results li > a").evaluate_all("all => all.map(a => a.href)")
    assert links
    page.goto(links[0])
    assert page.locator("h1").count() == 1
    assert troubles == []


def test_search_finds_other_forms_of_a_word(page, address, site):
    page.goto(f"{address}{CHAPTER}.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("кошками")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results .search-summary")
    found = page.locator("#search-results li > a").evaluate_all(
        "all => all.map(link => link.pathname)"
    )
    texts = [(site / path.lstrip("/")).read_text(encoding="utf-8").lower() for path in found]
    assert texts
    assert all("кошк" in text for text in texts)
    assert any(re.search(r"\bкошка\b", text) for text in texts)


def test_an_answer_opens_and_closes_by_keyboard(page, address):
    page.goto(f"{address}{CHAPTER}.html")
    answer = page.locator(".bd-article details:not(.hide)").first
    answer.locator("summary").focus()
    for key, opened in (("Enter", True), ("Space", False)):
        page.keyboard.press(key)
        assert answer.evaluate("details => details.open") == opened


def test_the_first_tab_leads_past_the_menu(page, address):
    page.goto(f"{address}{CHAPTER}.html")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "К тексту страницы"
    page.keyboard.press("Enter")
    assert urlsplit(page.url).fragment == "main-content"


def test_the_theme_is_switched_by_its_button_and_kept(page, address):
    page.goto(f"{address}{CHAPTER}.html")
    seen = set()
    for _ in range(3):
        page.locator(".theme-switch-button").click()
        seen.add(page.evaluate("() => document.documentElement.dataset.mode"))
    assert seen == {"auto", "light", "dark"}
    while page.evaluate("() => document.documentElement.dataset.mode") != "dark":
        page.locator(".theme-switch-button").click()
    page.goto(f"{address}book/06-lstm.html")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    page.evaluate("() => localStorage.clear()")


def test_paper_is_white_unfolded_and_without_the_menus(page, address):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}{CHAPTER}.html", wait_until="networkidle")
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "light"
    assert page.locator(".bd-article details:not([open])").count() == 0
    for menu in (
        ".bd-sidebar-primary",
        ".bd-sidebar-secondary",
        ".bd-header-article",
        ".prev-next-area",
    ):
        assert not page.locator(menu).first.is_visible(), menu
    assert page.locator(".bd-article h1").is_visible()
    for code in page.locator(".bd-article pre").all():
        assert code.evaluate("pre => pre.scrollWidth <= pre.clientWidth"), code.inner_text()
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"


def test_pages_make_one_pdf_whose_links_stay_inside(context, site, tmp_path):
    names = ["book/index", "book/06-lstm", "book/appendix/glossary"]
    whole = pdf.BeautifulSoup(pdf.whole(site, names), "html.parser").select_one("article")
    ids = [element["id"] for element in whole.find_all(id=True)]
    assert len(set(ids)) == len(ids)
    targets = [link["href"] for link in whole.find_all("a", href=True)]
    assert "#book/06-lstm.html/" in targets
    assert all(link[1:] in ids for link in targets if link.startswith("#"))
    printed = pdf.write(context.browser, site, tmp_path / "three.pdf", names).read_bytes()
    assert printed.startswith(b"%PDF-")
    assert printed.count(b"/Type /Page\n") > 10


def test_a_file_is_downloaded_under_its_own_name(page, address):
    page.goto(f"{address}{CHAPTER}.html")
    page.locator(".dropdown-download-buttons > button").click()
    with page.expect_download() as download:
        page.locator(".btn-download-source-button").click()
    assert unquote(download.value.suggested_filename) == "05-gradients.ipynb"
