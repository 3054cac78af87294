"""Lemmas of a corpus: each word form once, against one parse for each token of the text."""

import pymorphy3
from side_by_side import Ratio, in_turn, ratio

from coursekit import datasets, text


def ours(texts: list[str]) -> list[list[str]]:
    return [text.Analyzer("lemma")(one) for one in texts]


def usual(texts: list[str], morph: pymorphy3.MorphAnalyzer) -> list[list[str]]:
    """The usual way: cut the text into tokens, parse every one, then leave out what is no word."""
    parsed = [[morph.parse(token)[0].normal_form for token in text.tokens(one)] for one in texts]
    return [[lemma for lemma in lemmas if any(map(str.isalpha, lemma))] for lemmas in parsed]


def measure() -> list[Ratio]:
    texts = [work.text for work in datasets.load_zarechinsk()]
    morph = pymorphy3.MorphAnalyzer()
    assert ours(texts) == usual(texts, morph), "the two ways give different lemmas"
    ways = {"ours": lambda: ours(texts), "a parse per token": lambda: usual(texts, morph)}
    first = in_turn(ways, before=text.lemma.cache_clear)
    ours(texts)
    again = in_turn(ways)
    return [
        ratio("Analyzer with lemmas over the corpus", first, "a parse per token", demanded=5),
        ratio("the same, second pass", again, "a parse per token"),
    ]
