"""Texts of the course: ``load_*`` reads what ships with the package, ``fetch_*`` downloads."""

import csv
import hashlib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from coursekit.arguments import check_choice, check_real
from coursekit.downloads import fetch

DATA = files("coursekit").joinpath("data")
ALPHABET = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
RUBRICS = {
    "detektiv": "детектив",
    "khronika": "семейная хроника",
    "kukhnya": "кухня",
    "nauka": "наука",
    "novosti": "городские новости",
    "pisma": "письма и дневники",
    "priroda": "природа",
    "puteshestviya": "путешествия",
    "skazki": "сказки",
    "tekhnika": "техника",
}


class Work(NamedTuple):
    """One work of a corpus: ``text`` begins with the title, ``split`` names its fixed part."""

    name: str
    rubric: str
    title: str
    text: str
    split: str


class Review(NamedTuple):
    """A text and what its author thinks; ``domain`` says of what."""

    label: str
    domain: str
    text: str


class Names(NamedTuple):
    """Names in lower case and the letters that they need, in the order of the alphabet."""

    names: list[str]
    alphabet: str


class FirstName(NamedTuple):
    """A name, the number of people who bear it, ``m`` or ``f``."""

    name: str
    frequency: int
    gender: str


class Token(NamedTuple):
    """A word of a treebank: as written, its dictionary form, its part of speech (UPOS)."""

    form: str
    lemma: str
    pos: str


class Corpus(tuple[Work, ...]):
    """The works of a corpus in a fixed order, with a fixed split by work."""

    def text(self, split: str) -> str:
        """Return the works of one part (``train``, ``valid`` or ``test``) as one text.

        >>> load_zarechinsk().text("valid").splitlines()[0]
        'Крючок'
        """
        check_choice("split", split, ("train", "valid", "test"))
        return "\n\n".join(work.text for work in self if work.split == split)

    def split_text(self, valid: float = 0.1) -> tuple[str, str]:
        """Return a text to train on and one of other works to validate on, neither from ``test``.

        ``valid`` is the share of every rubric's works, one work at least; 0.1 gives
        ``text("train")`` and ``text("valid")``, more adds works to the latter.

        >>> corpus = load_zarechinsk()
        >>> corpus.split_text() == (corpus.text("train"), corpus.text("valid"))
        True
        """
        check_real("valid", valid, 0, 0.5, open_ends=True)
        parts = self._resplit(valid)
        return parts.text("train"), parts.text("valid")

    def _resplit(self, valid: float) -> "Corpus":
        """Deal each rubric's works, in the order of their names' digests, one to ``test`` first."""
        splits = {}
        for rubric in {work.rubric for work in self}:
            names = [work.name for work in self if work.rubric == rubric]
            names.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
            last_valid = max(1, round(valid * len(names)))
            for rank, name in enumerate(names):
                splits[name] = "test" if rank == 0 else "valid" if rank <= last_valid else "train"
        return Corpus(work._replace(split=splits[work.name]) for work in self)


def load_zarechinsk() -> Corpus:
    """Return the corpus of Заречинск: 119 works of 10 rubrics, about a million characters.

    >>> corpus = load_zarechinsk()
    >>> len(corpus), corpus[0].rubric, corpus[0].title
    (119, 'детектив', 'Соль-диез')
    """
    works = []
    for folder, rubric in RUBRICS.items():
        paths = sorted(DATA.joinpath("texts", folder).iterdir(), key=lambda path: path.name)
        for path in paths:
            text = path.read_text(encoding="utf-8").strip()
            name = f"{folder}/{path.name.removesuffix('.txt')}"
            works.append(Work(name, rubric, text.split("\n", 1)[0], text, split=""))
    return Corpus(works)._resplit(valid=0.1)


def load_reviews() -> list[Review]:
    """Return 1 200 reviews, half ``pos`` and half ``neg``, in a fixed order.

    >>> len(load_reviews()), load_reviews()[0].label, load_reviews()[0].domain
    (1200, 'neg', 'гостиница')
    """
    paths = sorted(DATA.joinpath("reviews").iterdir(), key=lambda path: path.name)
    lines = (line for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    return [Review(*line.split("\t")) for line in lines if line]


def load_names() -> Names:
    """Return 103 women's names and their alphabet.

    >>> names, alphabet = load_names()
    >>> len(names), names[-1], alphabet
    (103, 'ярослава', 'абвгдеёжзиклмнопрстуфцьюя')
    """
    names = DATA.joinpath("names.txt").read_text(encoding="utf-8").split()
    letters = set("".join(names))
    return Names(names, "".join(letter for letter in ALPHABET if letter in letters))


def load_tolstoy() -> list[str]:
    """Return three sentences from the beginning of «Война и мир», the example of chapter 2.

    >>> [sentence[:5] for sentence in load_tolstoy()]
    ['Князь', '— Я ч', 'Приех']
    """
    return DATA.joinpath("tolstoy.txt").read_text(encoding="utf-8").splitlines()


def fetch_anna_karenina(language: str = "ru") -> str:
    """Return «Анна Каренина» in Russian (``ru``) or in C. Garnett's English (``en``)."""
    check_choice("language", language, ("ru", "en"))
    return fetch(f"anna-karenina-{language}.txt").read_text(encoding="utf-8")


def fetch_tinyshakespeare() -> str:
    """Return tiny shakespeare: 1 115 394 characters, 65 distinct ones."""
    return fetch("tinyshakespeare.txt").read_text(encoding="utf-8")


def fetch_names() -> list[FirstName]:
    """Return Russian first names, the frequent first."""
    return [
        FirstName(name, int(frequency), gender)
        for name, frequency, gender in _rows(fetch("names-ru.csv"), ",")[1:]
    ]


def fetch_opensentiment() -> list[Review]:
    """Return sentences labelled ``positive``, ``negative`` or ``neutral``; the domain is news."""
    rows = _rows(fetch("opensentiment.csv"), ",")[1:]
    return [Review(label, "новости и блоги", text) for text, label in rows]


def fetch_rureviews() -> list[Review]:
    """Return 90 000 reviews of clothes: ``positive``, ``negative`` or ``neutral``."""
    rows = _rows(fetch("rureviews.csv"), "\t")[1:]
    # The file itself spells the third label «neautral».
    return [Review(label.replace("neautral", "neutral"), "одежда", text) for text, label in rows]


def fetch_rutweetcorp() -> list[Review]:
    """Return tweets, ``pos`` before ``neg``.

    Source: Ю. В. Рубцова, Программные продукты и системы, 2015, 1(109), 72–78.
    """
    return [
        Review(part[:3], "твит", row[3])
        for part in ("positive", "negative")
        for row in _rows(fetch(f"rutweetcorp-{part}.csv"), ";")
    ]


def fetch_tatoeba() -> list[tuple[str, str]]:
    """Return pairs of an English sentence and its Russian translation."""
    english, russian = (
        fetch(f"tatoeba.{language}").read_text(encoding="utf-8").splitlines()
        for language in ("eng", "rus")
    )
    return list(zip(english, russian, strict=True))


def fetch_taiga(split: str = "train") -> list[list[Token]]:
    """Return the sentences of one part (``train``, ``dev`` or ``test``) of UD Russian-Taiga."""
    check_choice("split", split, ("train", "dev", "test"))
    text = fetch(f"taiga-{split}.conllu").read_text(encoding="utf-8")
    return [_words_of(block.splitlines()) for block in text.strip().split("\n\n")]


def _words_of(lines: Iterable[str]) -> list[Token]:
    fields = (line.split("\t") for line in lines if not line.startswith("#"))
    # An id such as 3-4 or 5.1 marks a contraction or an elided word, not a word of its own.
    return [Token(field[1], field[2], field[3]) for field in fields if field[0].isdigit()]


def _rows(path: Path, delimiter: str) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))
