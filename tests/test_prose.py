"""The Russian of every page: spelling, ё, dashes and quotation marks."""

import re
from pathlib import Path

import nbformat
import pytest

from coursekit import text

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(path for path in (ROOT / "book").rglob("*") if path.suffix in (".md", ".ipynb"))
TERMS = (ROOT / "tests" / "terms.txt").read_text(encoding="utf-8").split()

NOT_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$"  # code and formulas
    r"|(?<=\])\([^)]*\)|</?[a-z][^>]*>"  # addresses of links, tags
    r"|(?m:^(?: {4}|\t)[^\n]*$)"  # code by indentation
    r"|(?m:^> \*\*[\d,]+\*\* [^\n]*$)",  # what a model wrote at a temperature
    re.DOTALL,
)
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def prose(path):
    """What of a page is to be read: no code, no formulas, no addresses of links."""
    whole = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(whole, as_version=4).cells
        whole = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return NOT_PROSE.sub(" ", whole)


def russian_words(path):
    return set(re.findall(r"(?<![\w-])[а-яё]+(?:-[а-яё]+)*(?!\w)", prose(path).lower()))


def known(word):
    return word in TERMS or any(parse.is_known for parse in text.parses(word))


def spelt(word):
    """Whether the dictionary, or the list of terms, has the word, its base form or its parts."""
    return (
        known(word)
        or any(parse.normal_form in TERMS for parse in text.parses(word))
        or ("-" in word and all(known(part) for part in word.split("-")))
    )


@each_page
def test_every_word_is_in_the_dictionary_or_among_our_terms(path):
    assert sorted(word for word in russian_words(path) if not spelt(word)) == []


def test_the_list_of_terms_holds_what_is_needed_and_is_in_order():
    assert sorted(set(TERMS)) == TERMS
    used = {
        form
        for path in PAGES
        for word in russian_words(path)
        for part in {word, *word.split("-")}
        for form in (part, *(parse.normal_form for parse in text.parses(part)))
    }
    assert [term for term in TERMS if term not in used] == []


@each_page
def test_yo_is_always_written(path):
    # The dictionary knows a word without ё only as a slip for one with ё: «еще», but not «все».
    # A single word in quotes may be the slip that the page speaks of.
    unquoted = re.sub(r"«\w+»", " ", prose(path).lower())
    for word in set(re.findall(r"(?<!\w)[а-я]*е[а-я]*(?!\w)", unquoted)):
        found = [parse.word for parse in text.parses(word) if parse.is_known]
        assert not found or word in found, f"{word}: {found[0]}"


@each_page
def test_dashes_and_quotation_marks_are_russian(path):
    for wrong, what in [(r"[а-яё] - [а-яё]", "a hyphen for a dash"), (r'"[А-Яа-яё]', '" for «»')]:
        found = re.search(rf".{{0,30}}{wrong}.{{0,30}}", prose(path))
        assert not found, f"{what}: {found.group()!r}"
