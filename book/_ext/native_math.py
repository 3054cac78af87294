"""Formulas as MathML, which browsers draw themselves: no phone has to run a program for them.

MathJax makes it while the book is built: ``sphinx-mathjax-offline`` brings it, QuickJS runs it. Of
what TeX knows about spaces and alphabets browsers know a part; ``core`` writes out the rest. The
font is STIX Two Math from ``ziamath``, cut to the signs of this book.
"""

import json
import re
import unicodedata
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from xml.etree import ElementTree as ET

import quickjs
import web_font
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

PARTS = ("startup.js", "core.js", "adaptors/liteDOM.js", "input/tex.js")
PROGRAM = """
const found = MathJax._;
found.handlers.html_ts.RegisterHTMLHandler(found.adaptors.liteAdaptor.liteAdaptor());
const InputJax = new found.input.tex_ts.TeX({packages: ["base", "ams"]});
const page = found.mathjax.mathjax.document("", {InputJax});
const visitor = new found.core.MmlTree.SerializedMmlVisitor.SerializedMmlVisitor();
const end = found.core.MathItem.STATE.CONVERT;
const made = (tex, display) => visitor.visitTree(page.convert(tex, {display, end}));
"""
CLASS = "data-mjx-texclass"
KEPT = {"display", "displaystyle", "scriptlevel", "stretchy", "minsize", "maxsize", "symmetric"}
KEPT |= {"movablelimits", "width", "lspace", "rspace", "accent", "class"}
ROWS = {"math", "mrow", "mtd", "msqrt", "mstyle"}
SCRIPTS = {"msub", "msup", "msubsup", "munder", "munderover"}
ORDINARY = {"ORD", "OPEN", "CLOSE"}
OPENING, CLOSING, SIGNS = {"(", "[", "{"}, {")", "]", "}", "…", "⋯"}, {"−", "+", "±"}
TIGHT = {".", "…", "⋯"}
PRODUCTS = {"⊙", "⊗"}
PRIME = "′"
THIN = "0.167em"
APPLY = "\u2061"  # between a function's name and its argument
FONT = "fonts/stix-two-math.woff"


@cache
def mathjax() -> quickjs.Context:
    """Return an engine with MathJax in it."""
    place = distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline")
    engine = quickjs.Context()
    engine.eval("var window = this; var MathJax = {startup: {ready() {}}, loader: {load: []}};")
    for part in PARTS:
        engine.eval(Path(str(place), "static/mathjax", part).read_text(encoding="utf-8"))
    engine.eval(PROGRAM)
    return engine


@cache
def mathml(tex: str, display: bool = False) -> str:
    """Return a formula for a page; a ``ValueError`` says what MathJax could not read in it.

    >>> mathml("x_1 = 0{,}5")
    '<math><msub><mi>x</mi><mn>1</mn></msub><mo>=</mo><mn>0,5</mn></math>'
    """
    made = mathjax().eval(f"JSON.stringify(made({json.dumps(tex)}, {json.dumps(display)}))")
    root = ET.fromstring(json.loads(made))
    error = root.find(".//{*}merror")
    if error is not None:
        raise ValueError(f"{tex}: {error.get('data-mjx-error')}")
    formula = core(root)
    if display:  # Firefox breaks a line that is no row
        row = ET.Element("mrow")
        row.extend(formula)
        formula[:] = [row]
    return ET.tostring(formula, encoding="unicode", method="html")


def core(element: ET.Element) -> ET.Element:
    """Return MathJax's MathML as browsers need it."""
    tag, kind = _tag(element), element.get(CLASS)
    made = ET.Element(tag, {name: asked for name, asked in element.attrib.items() if name in KEPT})
    children, names = list(element), set()
    if tag in ROWS:
        children, names = _without_apply(_with_decimals(children))
    made.extend(core(child) for child in children)
    if not len(made):
        made.text = _letters(element)
    if element.get("mathvariant") == "normal":
        made.set("mathvariant", "normal")
    if element.get("mathvariant") == "monospace":
        made.set("class", "monospace")
    if tag == "mo" and (kind in ORDINARY or made.text in TIGHT or str(made.text).isalpha()):
        _set_tight(made)
    if tag == "mo" and made.text in PRODUCTS:
        made.set("largeop", "false")  # Firefox draws them as it draws sums
    if tag == "mover" and made[1].tag == "mo":
        made.set("accent", "true")
    if tag in SCRIPTS:
        for sign in (sign for script in made[1:] for sign in script.iter("mo")):
            _set_tight(sign)
        made[:] = [made[0], *(_small(script) for script in made[1:])]
    if tag == "msup" and made[1].text == PRIME:
        made.tag = "mrow"
    if tag == "mtable":
        _align(made, element)
    if tag in ROWS:
        _set_apart(made, names)
    if tag in ("mrow", "mstyle") and len(made) == 1 and not set(made.attrib) - {"scriptlevel"}:
        (only,) = made
        if only.tag == "mo":
            _set_tight(only)
        # A parenthesis with a size of its own takes it only in a row.
        return made if only.get("minsize") else only
    return made


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _letters(element: ET.Element) -> str | None:
    """Return the text of a sign in the alphabet it is asked in: browsers know only italics."""
    alphabet = element.get("mathvariant", "normal")
    text = element.text
    if alphabet in ("normal", "monospace") or text is None:
        return text
    return "".join(_letter(letter, alphabet) for letter in text)


def _letter(letter: str, alphabet: str) -> str:
    name = f"{alphabet} {unicodedata.name(letter).removeprefix('LATIN ')}".upper()
    for known in (name.replace(" LETTER", ""), f"MATHEMATICAL {name}".replace(" LETTER", "")):
        try:
            return unicodedata.lookup(known)
        except KeyError:
            continue
    raise ValueError(f"{letter}: no such letter in {alphabet}")


def _with_decimals(children: list[ET.Element]) -> list[ET.Element]:
    """Join 0, a comma in braces and 5: as three signs they would stand apart."""
    joined: list[ET.Element] = []
    for child in children:
        joined.append(child)
        if [_tag(part) for part in joined[-3:]] == ["mn", "mrow", "mn"]:
            whole, comma, fraction = joined[-3:]
            if "".join(comma.itertext()).strip() == ",":
                number = ET.Element("mn")
                number.text = f"{whole.text},{fraction.text}"
                joined[-3:] = [number]
    return joined


def _without_apply(children: list[ET.Element]) -> tuple[list[ET.Element], set[int]]:
    """Leave out the invisible sign after a function's name; tell which children are such names."""
    kept: list[ET.Element] = []
    names = set()
    for child in children:
        if _tag(child) == "mo" and child.text == APPLY:
            names.add(len(kept) - 1)
            continue
        base = child
        while _tag(base) in SCRIPTS:
            base = base[0]
        if base.get(CLASS) == "OP" and str(base.text).isalpha():
            names.add(len(kept))
        kept.append(child)
    return kept, names


def _set_apart(row: ET.Element, names: set[int]) -> None:
    """Put thin spaces around names of functions and none after a sign of a number, as TeX does."""
    spaced: list[ET.Element] = []
    operand = False  # is what stands before one?
    for place, child in enumerate(row):
        sign = str(next(child.itertext(), "")) if child.tag in ("mo", "mrow") else ""
        if (place in names and operand) or (place - 1 in names and sign not in OPENING):
            spaced.append(ET.Element("mspace", width=THIN))
        if child.tag == "mo" and ((sign in SIGNS and not operand) or not spaced):
            _set_tight(child) if sign in SIGNS else child.set("lspace", "0")
        if child.tag not in ("mspace", "mtext"):
            operand = child.tag != "mo" or sign in CLOSING
        spaced.append(child)
    row[:] = spaced


def _small(script: ET.Element) -> ET.Element:
    """Return a script that is small even if it is a text, whose own size the style sheet sets."""
    if script.tag != "mtext":
        return script
    row = ET.Element("mrow")
    row.append(script)
    return row


def _set_tight(sign: ET.Element) -> None:
    sign.set("lspace", "0")
    sign.set("rspace", "0")


def _align(table: ET.Element, asked: ET.Element) -> None:
    """Say in classes how columns stand: browsers do not read it from the table."""
    sides = asked.get("columnalign", "").split()
    gaps = asked.get("columnspacing", "").split()
    if gaps[:1] == ["0em"]:
        table.set("class", "joined")
    for row in table:
        for place, cell in enumerate(row):
            words = sides[place : place + 1]
            words += ["apart"] if place and gaps[place - 1 : place] == ["2em"] else []
            if words:
                cell.set("class", " ".join(words))


def draw(translator: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula into the page, or a warning where it is wrong."""
    alone = isinstance(node, nodes.math_block)
    tag = "div" if alone else "span"
    try:
        formula = mathml(node.astext().strip(), alone)
    except ValueError as error:
        logging.getLogger(__name__).warning("formula %s", error, location=node)
    else:
        translator.body.append(f'<{tag} class="math notranslate">{formula}</{tag}>')
    raise nodes.SkipNode


def cut_font(app: Sphinx, exception: Exception | None) -> None:
    """Put into the site as much of the font as its formulas need."""
    if exception is not None or app.builder.format != "html":
        return
    pages = [page.read_text(encoding="utf-8") for page in Path(app.outdir).rglob("*.html")]
    formulas = "".join(formula for page in pages for formula in re.findall("<math.*?</math>", page))
    # Browsers slant single letters and draw roots by themselves.
    italics = (*range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C), 0x210E)
    signs = {*formulas, *map(chr, italics), "√"}
    place = distribution("ziamath").locate_file("ziamath/fonts/STIXTwoMath-Regular.ttf")
    font = web_font.cut(Path(str(place)), signs)
    # As in TeX, the index of a letter with a descender stands no lower than that of others.
    font["MATH"].table.MathConstants.SubscriptBaselineDropMin.Value = 0
    web_font.save(font, Path(app.outdir, "_static", FONT))


def setup(app: Sphinx) -> dict[str, bool]:
    """Draw formulas in place of Sphinx's own MathJax, which then is not loaded."""
    app.add_html_math_renderer("native", (draw, None), (draw, None))
    app.config.html_math_renderer = "native"
    app.connect("build-finished", cut_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
