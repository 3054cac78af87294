"""Russian text: from characters to the tokens that a model counts or reads."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import pymorphy3
import razdel
import stop_words as stop_word_lists
from pymorphy3.analyzer import Parse

from coursekit.arguments import check_choice, check_flag, check_text, check_whole, shown

STRESS = "\u0301"
BLANK_LINE = re.compile(r"\n\s*\n")
NEGATIONS = frozenset({"без", "не", "нельзя", "нет", "ни", "никогда", "никуда", "ничего"})

# A novel has about 50 000 word types; five of them fit, and memory stays bounded on any stream.
CACHED_WORDS = 2**18


def normalise(text: str) -> str:
    """Return ``text`` in Unicode form NFC without stress marks; й and ё stay letters.

    Source: Unicode Standard Annex 15; chapter 1.

    >>> normalise("за\u0301мок и\u0306од") == "замок йод"
    True
    """
    return unicodedata.normalize("NFC", check_text("text", text)).replace(STRESS, "")


def sentences(text: str) -> list[str]:
    """Return the sentences of the normalised ``text``: razdel's, and a blank line ends one too.

    >>> sentences("О лицее\\n\\nА. С. Пушкин родился в 1799 г. в Москве. Потом — лицей!")
    ['О лицее', 'А. С. Пушкин родился в 1799 г. в Москве.', 'Потом — лицей!']
    """
    return [
        part.text
        for paragraph in BLANK_LINE.split(normalise(text))
        for part in razdel.sentenize(paragraph)
        if part.text
    ]


def tokens(text: str) -> list[str]:
    """Return words, numbers and punctuation marks of the normalised ``text``, in order, case kept.

    >>> tokens("Кое-кто, №14, ушёл…")
    ['Кое-кто', ',', '№', '14', ',', 'ушёл', '…']
    """
    return [part.text for part in razdel.tokenize(normalise(text))]


def words(text: str) -> list[str]:
    """Return the tokens of ``text`` that hold a letter, lowercased.

    >>> words("Кое-кто, №14, ушёл…")
    ['кое-кто', 'ушёл']
    """
    found = tokens(text)
    return [token.lower() for token in found if token.isalpha() or any(map(str.isalpha, token))]


@cache
def _stemmer() -> Any:
    # NLTK brings pandas and scikit-learn along, a second for those who only cut words.
    from nltk.stem.snowball import RussianStemmer

    return RussianStemmer()


@cache
def _morph() -> pymorphy3.MorphAnalyzer:
    return pymorphy3.MorphAnalyzer(lang="ru")


def stem(word: str) -> str:
    """Return the Snowball stem of ``word``, lowercased (NLTK's Russian stemmer).

    Source: M. F. Porter, Snowball, 2001; chapter 1.

    >>> [stem(word) for word in ["княжна", "князь", "князя"]]
    ['княжн', 'княз', 'княз']
    """
    return _stem(check_text("word", word))


@lru_cache(CACHED_WORDS)
def _stem(word: str) -> str:
    return str(_stemmer().stem(word))


@cache
def _unranked() -> pymorphy3.MorphAnalyzer:
    """Return an analyzer that does not ask which parse is likelier: a third of its work."""
    return pymorphy3.MorphAnalyzer(lang="ru", probability_estimator_cls=None, result_type=None)


def _parse(word: str, morph: pymorphy3.MorphAnalyzer) -> list[Any]:
    try:
        return list(morph.parse(word))
    except ValueError:
        # pymorphy3 asks for the Unicode name of every letter, and some, as 𗀀, have none.
        return []


@lru_cache(CACHED_WORDS)
def _parses(word: str) -> tuple[Parse, ...]:
    return tuple(_parse(word, _morph()))


def parses(word: str) -> tuple[Parse, ...]:
    """Return pymorphy3's parses of ``word``, the likeliest first.

    Source: M. Korobov, doi:10.1007/978-3-319-26123-2_31; chapter 1.

    >>> [(parse.normal_form, str(parse.tag.POS)) for parse in parses("стали")][:2]
    [('стать', 'VERB'), ('сталь', 'NOUN')]
    """
    return _parses(check_text("word", word))


def lemma(word: str) -> str:
    """Return the dictionary form of ``word``: that of its likeliest parse, without its context.

    >>> [lemma(word) for word in ["людьми", "шла", "ёлками"]]
    ['человек', 'идти', 'ёлка']
    """
    return _lemma(check_text("word", word))


@lru_cache(CACHED_WORDS)
def _lemma(word: str) -> str:
    # All parses of seven words in eight have the same normal form, the third part of a parse.
    lemmas = {parse[2] for parse in _parse(word, _unranked())}
    if len(lemmas) > 1:
        lemmas = {_parse(word, _morph())[0].normal_form}
    return lemmas.pop() if lemmas else word.lower()


# Chapter 1 measures what remembering saves.
lemma.cache_clear = _lemma.cache_clear  # type: ignore[attr-defined]


FORMS: dict[str, Callable[[str], str]] = {"token": str, "stem": _stem, "lemma": _lemma}


@cache
def stop_words() -> frozenset[str]:
    """Return frequent Russian words that rarely tell texts apart; negations are not among them.

    Source: the list of the stop-words project, less ``NEGATIONS``; chapter 1 says why.

    >>> "и" in stop_words(), "не" in stop_words()
    (True, False)
    """
    return frozenset(stop_word_lists.get_stop_words("ru")) - NEGATIONS


@dataclass(frozen=True)
class Analyzer:
    """Turn a text into the terms that scikit-learn's vectorizers count: ``analyzer=Analyzer()``.

    A word is taken as it stands (``form="token"``), cut to its stem or brought to its lemma, always
    in lower case. Words of ``dropped`` go first, compared as tokens; then forms shorter than
    ``min_length`` characters. ``ngrams=(1, 2)`` gives single words and pairs of neighbours, joined
    by a space. A text that leaves no term is a ``ValueError``, unless ``allow_empty``.

    >>> Analyzer()("Анна Павловна улыбалась князю")
    ['анна', 'павлович', 'улыбаться', 'князь']
    >>> Analyzer("stem", ngrams=(1, 2), dropped=stop_words())("не был князем")
    ['не', 'княз', 'не княз']
    """

    form: str = "lemma"
    ngrams: tuple[int, int] = (1, 1)
    dropped: frozenset[str] = frozenset()
    min_length: int = 1
    allow_empty: bool = False

    def __post_init__(self) -> None:
        check_choice("form", self.form, FORMS)
        check_whole("min_length", self.min_length)
        check_flag("allow_empty", self.allow_empty)
        if not isinstance(self.ngrams, tuple) or len(self.ngrams) != 2:
            raise TypeError(f"ngrams = {shown(self.ngrams)}: нужна пара чисел, например (1, 2).")
        shortest = check_whole("ngrams[0]", self.ngrams[0])
        check_whole("ngrams[1]", self.ngrams[1], least=shortest)
        if not isinstance(self.dropped, frozenset):
            raise TypeError(
                f"dropped = {shown(self.dropped)}: нужно множество frozenset: stop_words() "
                "или frozenset({'и', 'в'})."
            )

    def __call__(self, text: str) -> list[str]:
        """Return the terms of ``text``: n-grams of the smallest order first, each in text order."""
        shape = FORMS[self.form]
        shaped = [shape(word) for word in words(text) if word not in self.dropped]
        units = [unit for unit in shaped if len(unit) >= self.min_length]
        if not units and not self.allow_empty:
            raise ValueError(
                f"text = {shown(text)}: не осталось ни одного слова — текст пуст или состоит из "
                "отброшенных слов. Уберите его из набора либо разрешите пустые: allow_empty=True."
            )
        shortest, longest = self.ngrams
        if longest == 1:
            return units
        return [
            " ".join(units[start : start + order])
            for order in range(shortest, longest + 1)
            for start in range(len(units) - order + 1)
        ]
