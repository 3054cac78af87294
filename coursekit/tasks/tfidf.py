"""The assignment «Предобработка и TF-IDF»: from a string to a search (chapters 1 and 2).

A document is a list of words, a vector is a dict of what is not zero: word → weight. The weights
are scikit-learn's: counts times ln((1 + N) / (1 + df)) + 1, each document of length 1.
"""

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch

from coursekit import datasets
from coursekit.checks import Task
from coursekit.tasks.lstm import once, whole
from coursekit.variants import Variant

FORBIDDEN = frozenset(
    {"coursekit.text", "sklearn.feature_extraction.text", "nltk.util", "nltk.text"}
)

WORD = re.compile(r"[а-яё]+(?:-[а-яё]+)*")
STRESS = "\u0301"

# What differs by one step of the path has its own list: a case takes a word of each.
YO = ["ёлка", "ещё", "мёд", "лёд", "пчёлы", "тёплый", "самолёт", "берёза"]
SHORT_I = ["чайник", "май", "край", "йод", "герой", "музей", "бойкий", "лишайник"]
HYPHENS = [
    "кое-кто",
    "из-за",
    "по-русски",
    "чуть-чуть",
    "диван-кровать",
    "юго-запад",
    "где-нибудь",
    "из-под",
]
STRESSED = ["за́мок", "замо́к", "му́ка", "доро́га", "по́лки", "ко́шка", "хло́пок", "пу́говица"]
PLAIN = [
    "кот",
    "погода",
    "река",
    "мост",
    "паром",
    "рыба",
    "хлеб",
    "письмо",
    "король",
    "мука",
    "деталь",
    "снег",
]
NUMBERS = ["12", "1799", "2024", "40", "365"]


def words(text: str) -> list[str]:
    """Return the Russian words of ``text`` in order, in lower case, without stress marks."""
    return WORD.findall(_clean(text).lower())


def ngrams(words: list[str], n: int) -> list[str]:
    """Return the runs of ``n`` neighbours of ``words``, joined by a space, in order."""
    return [" ".join(words[start : start + n]) for start in range(len(words) - n + 1)]


def count_documents(documents: list[list[str]]) -> dict[str, int]:
    """Return in how many of ``documents`` each word stands."""
    return dict(Counter(word for document in documents for word in set(document)))


def idf(documents: list[list[str]]) -> dict[str, float]:
    """Return ln((1 + N) / (1 + df)) + 1 for each word of ``documents``."""
    return _idf(documents, lambda size, df: math.log((1 + size) / (1 + df)) + 1)


def vector(document: list[str], idf: dict[str, float]) -> dict[str, float]:
    """Return the weights of the words of ``document`` that ``idf`` knows, of length 1."""
    return _vector(document, idf)


def tfidf(train: list[list[str]], test: list[list[str]]) -> list[dict[str, float]]:
    """Return the vectors of ``test``; what there is to learn is learnt from ``train``."""
    learnt = idf(train)
    return [vector(document, learnt) for document in test]


def search(query: dict[str, float], vectors: list[dict[str, float]]) -> list[int]:
    """Return the numbers of ``vectors`` of a positive cosine with ``query``, greatest first.

    Equals stand in order of their numbers.
    """
    return _search(query, vectors)


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace(STRESS, "")


def _idf(
    documents: list[list[str]],
    formula: Callable[[int, int], float],
    count: Callable[[list[list[str]]], dict[str, int]] = count_documents,
) -> dict[str, float]:
    return {word: formula(len(documents), df) for word, df in count(documents).items()}


def _vector(
    document: list[str],
    idf: dict[str, float],
    tf: Callable[[int], float] = float,
    length: Callable[[list[float]], float] = lambda x: math.hypot(*x),
) -> dict[str, float]:
    counts = Counter(word for word in document if word in idf)
    weights = {word: tf(count) * idf[word] for word, count in counts.items()}
    size = length(list(weights.values())) if weights else 1.0
    return {word: weight / size for word, weight in weights.items()}


def _dot(a: dict[str, float], b: dict[str, float]) -> float:
    return sum(weight * b.get(word, 0.0) for word, weight in a.items())


def _cosine(a: dict[str, float], b: dict[str, float]) -> float:
    return _dot(a, b) / (math.hypot(*a.values()) * math.hypot(*b.values()) or 1.0)


def _search(
    query: dict[str, float],
    vectors: list[dict[str, float]],
    score: Callable[[dict[str, float], dict[str, float]], float] = _cosine,
) -> list[int]:
    scores = [score(query, vector) for vector in vectors]
    order = sorted(range(len(vectors)), key=lambda number: -scores[number])
    return [number for number in order if _dot(query, vectors[number]) > 0]


def _some(random: torch.Generator, pool: list[str], count: int) -> list[str]:
    return [pool[number] for number in torch.randperm(len(pool), generator=random)[:count]]


def _text(random: torch.Generator, *pools: list[str]) -> str:
    """Return a sentence of a word of each pool, in any order, with marks between them."""
    found = [_some(random, pool, 1)[0] for pool in pools]
    marks = [", ", " — ", "… ", ": ", "; ", "\u00a0", "\n"]
    text = ""
    for number, place in enumerate(torch.randperm(len(found), generator=random).tolist()):
        word = found[place]
        text += (_some(random, marks, 1)[0] if number else "") + word
    return f"«{text[0].upper()}{text[1:]}»."


def _words_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for pools in (
        (PLAIN, PLAIN, PLAIN),
        (PLAIN, YO, SHORT_I),
        (PLAIN, HYPHENS, PLAIN),
        (PLAIN, NUMBERS, PLAIN),
        (PLAIN, YO, HYPHENS, SHORT_I, PLAIN),
    ):
        text = _text(random, *pools)
        yield repr(text), (text,)
    text = _text(random, STRESSED, YO, SHORT_I)
    yield f"{text!r}, с ударением", (text,)
    text = unicodedata.normalize("NFD", _text(random, YO, PLAIN, SHORT_I))
    yield f"{text!r}, й и ё из двух знаков", (text,)
    word = _some(random, PLAIN, 1)[0]
    yield "слово повторяется", (f"{word}, {word}!",)
    yield "пустая строка", ("",)
    yield "ни одного слова", ("№ 14 — 15!",)


def _ngrams_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for n in (2, 3):
        found = _some(random, PLAIN, whole(random, 3, 5))
        found = [*found, *found]  # no set of them will do
        yield f"слов {len(found)}, n = {n}", (found, n)
    yield "n = 1", (_some(random, PLAIN, 4), 1)
    yield "слов ровно n", (_some(random, PLAIN, 3), 3)
    yield "слов меньше n", (_some(random, PLAIN, 2), 3)
    yield "слов нет", ([], 2)


def _documents(random: torch.Generator, count: int, pool: list[str]) -> list[list[str]]:
    """Return documents: a word that all have, one in the first alone, one twice in a document."""
    everywhere, lonely, *rest = _some(random, pool, len(pool))
    documents = [[everywhere, *_some(random, rest, whole(random, 2, 4))] for _ in range(count)]
    documents[0] = [lonely, *documents[0], *rest[:3], rest[0]]
    documents[1] += [rest[0]]
    return [_some(random, document, len(document)) for document in documents]


def _documents_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, count in (("несколько документов", whole(random, 3, 4)), ("два документа", 2)):
        yield label, (_documents(random, count, PLAIN),)
    documents = _documents(random, 3, PLAIN)
    yield "один документ пуст", ([*documents, []],)
    # A word inside another one, and each in its own document.
    yield "слово внутри слова", ([["который", "мост"], ["кот", "снег"], ["снег", "мост"]],)
    yield "один документ", ([_some(random, PLAIN, 3)],)


def _vector_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    known = _some(random, PLAIN, 6)
    order = torch.randperm(6, generator=random).tolist()
    idf = {word: 1.1 + 0.3 * place for word, place in zip(known, order, strict=True)}
    several = known[:3] + known[:1] * whole(random, 1, 4)
    yield "все слова знакомы", (_some(random, several, len(several)), idf)
    foreign = [*several, *_some(random, YO, 2)]
    yield "есть незнакомые слова", (_some(random, foreign, len(foreign)), idf)
    yield "одно слово", ([known[0]], idf)
    yield "знакомых слов нет", (_some(random, YO, 2), idf)
    yield "пустой документ", ([], idf)


def _tfidf_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, size in (("несколько документов", 3), ("на проверке один документ", 1)):
        train = _documents(random, 4, PLAIN)
        test = [
            [word for document in train[:2] for word in document] + _some(random, YO, 2)
            for _ in range(size)
        ]
        yield label, (train, test)
    yield "на проверке всё незнакомо", (_documents(random, 3, PLAIN), [["ёлка"], []])


def _search_cases(random: torch.Generator) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for label, long_first in (("несколько документов", False), ("сначала длинный", True)):
        a, b, c, d, e = _some(random, PLAIN, 5)
        qa, qb = (1 + float(torch.rand((), generator=random)) for _ in "ab")
        vectors = [
            {a: 0.6 * qa, b: 0.6 * qb},  # as the query, but short
            {a: 1.0, c: 1.0},
            {a: 1.0, c: 1.0},
            {a: 5.0, c: 30.0, d: 40.0},  # long, and of something else
            {e: 1.0, c: 5.0},
            {},
        ]
        order = torch.randperm(len(vectors), generator=random).tolist()
        order.sort(key=lambda number: long_first and number != 3)
        yield label, ({a: qa, b: qb}, [vectors[number] for number in order])
    yield "общих слов нет", ({"кот": 1.0}, [{"мост": 1.0}, {"снег": 0.5}])
    yield "пустой запрос", ({}, [{"мост": 1.0}])
    yield "документов нет", ({"кот": 1.0}, [])


def _occurrences(documents: list[list[str]]) -> dict[str, int]:
    return dict(Counter(word for document in documents for word in document))


def _without_marks(text: str) -> str:
    parts = unicodedata.normalize("NFD", text)
    return "".join(part for part in parts if not unicodedata.combining(part)).lower()


WORDS = Task(
    "words",
    words,
    _words_cases,
    {
        "в промежутке а-я нет буквы ё: она стоит отдельно, [а-яё].": lambda text: re.findall(
            r"[а-я]+(?:-[а-я]+)*", _clean(text).lower()
        ),
        r"слово с дефисом распалось: ни \w, ни [а-яё] дефиса не знают. После букв могут идти дефис и снова буквы.": lambda text: (
            re.findall(r"[а-яё]+", _clean(text).lower())
        ),
        "числа словами не считаем: нужны только буквы.": lambda text: re.findall(
            r"\w+(?:-\w+)*", _clean(text).lower()
        ),
        "вместе с ударением пропали й и ё. Убирать надо один знак, U+0301.": lambda text: (
            WORD.findall(_without_marks(text))
        ),
        "ё и е — разные буквы; приравнивают их только в ключе поиска.": lambda text: WORD.findall(
            _clean(text).lower().replace("ё", "е")
        ),
        "й и ё, записанные двумя знаками, развалились. Начните с unicodedata.normalize('NFC', text).": lambda text: (
            WORD.findall(text.replace(STRESS, "").lower())
        ),
        "ударение — отдельный знак U+0301, и на нём слово разорвалось. Его надо убрать.": lambda text: (
            WORD.findall(unicodedata.normalize("NFC", text).lower())
        ),
        "регистр прежний: «Кот» и «кот» останутся разными словами.": lambda text: re.findall(
            WORD.pattern, _clean(text), re.IGNORECASE
        ),
        "потеряны прописные буквы: строчными буквы делают до поиска слов.": lambda text: (
            WORD.findall(_clean(text))
        ),
        "split() оставляет знаки приклеенными к словам.": lambda text: _clean(text).lower().split(),
        "в string.punctuation только знаки ASCII: ни «ёлочек», ни тире, ни многоточия.": lambda text: [
            word
            for word in (part.strip(string.punctuation) for part in _clean(text).lower().split())
            if word
        ],
        "дефис выброшен вместе со знаками, и слово склеилось.": lambda text: re.findall(
            "[а-яё]+", re.sub(r"[^\w\s]", "", _clean(text).lower())
        ),
        "порядок и повторы важны: нужен список, а не множество.": lambda text: sorted(
            set(words(text))
        ),
    },
    FORBIDDEN,
)

NGRAMS = Task(
    "ngrams",
    ngrams,
    _ngrams_cases,
    {
        "потеряна последняя n-грамма: начал у неё len(words) − n + 1.": lambda words, n: ngrams(
            words, n
        )[:-1],
        "соседние n-граммы перекрываются: шаг — одно слово, а не n.": lambda words, n: ngrams(
            words, n
        )[::n],
        "в конце остались обрывки короче n слов.": lambda words, n: [
            " ".join(words[start : start + n]) for start in range(len(words))
        ],
        "нужны n-граммы ровно из n слов, без более коротких.": lambda words, n: [
            gram for order in range(1, n + 1) for gram in ngrams(words, order)
        ],
        "повторы нужны: сколько раз n-грамма встретилась, ещё понадобится счёту.": lambda words, n: (
            list(dict.fromkeys(ngrams(words, n)))
        ),
        "это n-граммы символов, а нужны слов.": lambda words, n: [
            " ".join(words)[start : start + n] for start in range(len(" ".join(words)) - n + 1)
        ],
        "слова соединяет пробел.": lambda words, n: [
            "".join(words[start : start + n]) for start in range(len(words) - n + 1)
        ],
        "n-граммы отсортированы, а нужны в порядке текста.": lambda words, n: sorted(
            ngrams(words, n)
        ),
    },
    FORBIDDEN,
)

COUNT_DOCUMENTS = Task(
    "count_documents",
    count_documents,
    _documents_cases,
    {
        "это число вхождений. Слово, которое стоит в документе дважды, даёт единицу.": _occurrences,
        "нужно число документов, а не их доля.": lambda documents: {
            word: df / len(documents) for word, df in count_documents(documents).items()
        },
        "сосчитаны подстроки: «кот» нашёлся внутри «который».": lambda documents: {
            word: sum(word in " ".join(document) for document in documents)
            for word in count_documents(documents)
        },
        "это документы, где слова нет.": lambda documents: {
            word: len(documents) - df for word, df in count_documents(documents).items()
        },
        "пропал последний документ.": lambda documents: count_documents(documents[:-1]),
    },
    FORBIDDEN,
)

IDF = Task(
    "idf",
    idf,
    _documents_cases,
    {
        "это учебный idf, ln(N / df). Здесь нужны обе единицы внутри и единица снаружи.": lambda documents: (
            _idf(documents, lambda n, df: math.log(n / df))
        ),
        "потеряна единица снаружи логарифма: слово, которое есть всюду, исчезнет.": lambda documents: (
            _idf(documents, lambda n, df: math.log((1 + n) / (1 + df)))
        ),
        "логарифм десятичный, а нужен натуральный, math.log.": lambda documents: _idf(
            documents, lambda n, df: math.log10((1 + n) / (1 + df)) + 1
        ),
        "логарифм двоичный, а нужен натуральный, math.log.": lambda documents: _idf(
            documents, lambda n, df: math.log2((1 + n) / (1 + df)) + 1
        ),
        "нет единиц внутри логарифма, воображаемого документа со всеми словами.": lambda documents: (
            _idf(documents, lambda n, df: math.log(n / df) + 1)
        ),
        "единица нужна и в числителе: 1 + N. Иначе у слова, которое есть всюду, логарифм отрицателен.": lambda documents: (
            _idf(documents, lambda n, df: math.log(n / (1 + df)) + 1)
        ),
        "дробь перевёрнута: частое слово получилось тяжелее редкого.": lambda documents: _idf(
            documents, lambda n, df: math.log((1 + df) / (1 + n)) + 1
        ),
        "единица стоит под логарифмом, а прибавляют её после: ln(…) + 1.": lambda documents: _idf(
            documents, lambda n, df: math.log((1 + n) / (1 + df) + 1)
        ),
        "логарифм забыт.": lambda documents: _idf(documents, lambda n, df: (1 + n) / (1 + df) + 1),
        "df сосчитан по вхождениям, а нужны документы.": lambda documents: _idf(
            documents, lambda n, df: math.log((1 + n) / (1 + df)) + 1, _occurrences
        ),
        "в дроби число разных слов, а N — число документов.": lambda documents: _idf(
            documents,
            lambda n, df: math.log((1 + len(count_documents(documents))) / (1 + df)) + 1,
        ),
        "в дроби число всех слов, а N — число документов.": lambda documents: _idf(
            documents, lambda n, df: math.log((1 + sum(map(len, documents))) / (1 + df)) + 1
        ),
    },
    FORBIDDEN,
)

VECTOR = Task(
    "vector",
    vector,
    _vector_cases,
    {
        "вектор не поделён на свою длину.": lambda document, idf: _vector(
            document, idf, length=lambda x: 1.0
        ),
        "строка поделена на сумму весов, а нужна евклидова длина, корень из суммы квадратов.": lambda document, idf: (
            _vector(document, idf, length=sum)
        ),
        "забыт корень: длина — корень из суммы квадратов.": lambda document, idf: _vector(
            document, idf, length=lambda x: sum(w * w for w in x)
        ),
        "строка поделена на длину документа в словах, а нужна евклидова длина вектора.": lambda document, idf: (
            {
                word: weight / len(document)
                for word, weight in _vector(document, idf, length=lambda x: 1.0).items()
            }
        ),
        "повторы слова не учтены: нужен счёт, а не «есть или нет».": lambda document, idf: _vector(
            document, idf, tf=lambda n: 1.0
        ),
        "забыт idf: это просто нормированные счёты.": lambda document, idf: _vector(
            document, dict.fromkeys(idf, 1.0)
        ),
        "счёт прологарифмирован, как с sublinear_tf=True, а здесь нужен он сам.": lambda document, idf: (
            _vector(document, idf, tf=lambda n: 1 + math.log(n))
        ),
        "у незнакомого слова нет idf, и в вектор оно не входит.": lambda document, idf: _vector(
            document, {**dict.fromkeys(document, 1.0), **idf}
        ),
        "незнакомое слово записано нулём. Нули не хранят: ключ не нужен.": lambda document, idf: {
            **dict.fromkeys(document, 0.0),
            **_vector(document, idf),
        },
        "в векторе стоят нули для слов, которых в документе нет. Нули не хранят.": lambda document, idf: {
            **dict.fromkeys(idf, 0.0),
            **_vector(document, idf),
        },
        "вектор нормирован раньше, чем умножен на idf.": lambda document, idf: {
            word: weight * idf[word]
            for word, weight in _vector(document, dict.fromkeys(idf, 1.0)).items()
        },
    },
    FORBIDDEN,
)


def _with(train: Any, test: Any) -> Any:
    return [vector(document, idf(train)) for document in test]


TFIDF = Task(
    "tfidf",
    tfidf,
    _tfidf_cases,
    {
        "idf выучен на проверочных текстах. Учат только на train.": lambda train, test: _with(
            test, test
        ),
        "idf выучен на обеих частях сразу: проверка подсмотрена. Учат только на train.": lambda train, test: (
            _with(train + test, test)
        ),
        "это векторы train, а нужны test.": lambda train, test: _with(train, train),
        "нужны векторы только test, без train.": lambda train, test: _with(train, train + test),
        "idf пересчитан для каждого документа отдельно, а он один на всю коллекцию.": lambda train, test: [
            vector(document, idf([document])) for document in test
        ],
        "idf выучен на обеих частях; незнакомые слова убраны, но и N, и df уже подсмотрены.": lambda train, test: [
            vector(document, {word: idf(train + test)[word] for word in idf(train)})
            for document in test
        ],
    },
    FORBIDDEN,
)

SEARCH = Task(
    "search",
    search,
    _search_cases,
    {
        "это скалярное произведение: длинный документ побеждает длиной. Поделите на обе длины.": lambda query, vectors: (
            _search(query, vectors, _dot)
        ),
        "сосчитаны общие слова, а не косинус.": lambda query, vectors: _search(
            query, vectors, lambda a, b: len(set(a) & set(b))
        ),
        "сначала самые похожие; у вас наоборот.": lambda query, vectors: _search(
            query, vectors, lambda a, b: -_cosine(a, b)
        ),
        "при равной близости первым идёт меньший номер.": lambda query, vectors: [
            len(vectors) - 1 - number for number in _search(query, vectors[::-1])
        ],
        "документы с нулевой близостью ничем не похожи на запрос: их не показывают.": lambda query, vectors: (
            sorted(range(len(vectors)), key=lambda number: -_cosine(query, vectors[number]))
        ),
        "номера документов начинаются с нуля.": lambda query, vectors: [
            number + 1 for number in search(query, vectors)
        ],
        "нужны номера документов, а это их близости.": lambda query, vectors: [
            _cosine(query, vectors[number]) for number in search(query, vectors)
        ],
        "нужны все похожие документы, а не один лучший.": lambda query, vectors: search(
            query, vectors
        )[:1],
    },
    FORBIDDEN,
)

TASKS = (WORDS, NGRAMS, COUNT_DOCUMENTS, IDF, VECTOR, TFIDF, SEARCH)


@cache
def _rubric(name: str) -> tuple[list[list[str]], list[list[str]]]:
    """Return the words of the works of a rubric: those to learn from, and the others."""
    works = [work for work in datasets.load_zarechinsk() if work.rubric == name]
    train = [words(work.text) for work in works if work.split == "train"]
    return train, [words(work.text) for work in works if work.split != "train"]


def mine(taught: str, asked: str, least: int) -> Task:
    """Return the task: which share of the words of ``asked`` a vocabulary of ``taught`` lacks."""
    train, rest = _rubric(taught)
    learnt = count_documents(train)
    read = [word for document in _rubric(asked)[1] for word in document]

    def unseen(df: dict[str, int], found: list[str], least: int = least) -> float:
        return sum(df.get(word, 0) < least for word in found) / len(found)

    return Task(
        "mine",
        lambda: unseen(learnt, read),
        once,
        {
            "это доля разных слов, а нужны все: слово, которое стоит десять раз, считают десять раз.": lambda: (
                unseen(learnt, sorted(set(read)))
            ),
            "сосчитаны вхождения, а least — это число произведений, где слово есть.": lambda: (
                unseen(_occurrences(train), read)
            ),
            'словарь выучен и на произведениях для проверки: годятся только те, где split == "train".': lambda: (
                unseen(count_documents(train + rest), read)
            ),
            "слово, которое есть ровно в least произведениях, в словарь входит.": lambda: unseen(
                learnt, read, least + 1
            ),
        },
        FORBIDDEN,
        differentiable=False,
    )


MINE = Variant(
    constants={
        "taught": tuple(datasets.RUBRICS.values()),
        "asked": (
            "кухня",
            "наука",
            "сказки",
            "техника",
            "природа",
            "детектив",
            "путешествия",
            "городские новости",
            "письма и дневники",
            "семейная хроника",
        ),
        "least": (2, 3, 4, 5, 6),
    },
    task=mine,
    questions={
        """\
Коллега пишет: «Взяли абзацы корпуса, выбросили стоп-слова по готовому списку, на всех абзацах обучили
`TfidfVectorizer`, потом случайно отложили пятую часть абзацев. Рубрика угадана у 90 % отложенных, значит, на новых
рассказах будет не хуже». Что здесь завышает оценку и насколько это серьёзно? Что могло ухудшить саму
модель? Какой опыт покажет настоящее качество? Пять — восемь предложений.""": (
            "1 — названа утечка через абзацы одного произведения; "
            "1 — названа утечка через словарь и idf и сказано, что она слабее; "
            "1 — стоп-слова: что теряется или почему они не нужны; "
            "1 — опыт с делением по произведениям и обучением всего, что учится, только на "
            "обучающей части."
        ),
        """\
Поиск по архиву газеты сделали на TF-IDF по словам, без лемм. Запрос «кот на крыше» первой выводит заметку «Кот на
крыше, ремонт завтра», а большой рассказ о том, как кота снимали с крыши, стоит на пятой странице. Редактор предлагает не
делить векторы документов на длину: «Тогда рассказ поднимется». Почему победила короткая заметка? Что станет с
выдачей, если редактора послушать? Назовите ещё хотя бы одну причину, по которой рассказ мог утонуть, и скажите, как
проверить, что поиск стал лучше. Пять — восемь предложений.""": (
            "1 — в короткой заметке почти нет других слов, и угол с запросом мал; "
            "1 — без деления вперёд выйдут просто самые длинные тексты; "
            "1 — ещё причина: формы слов («кота», «крыши») без лемм не совпали с запросом или другая "
            "верная; "
            "1 — проверка: запросы, к которым нужные тексты отобраны заранее, и обе выдачи рядом."
        ),
        """\
Слово «ледоход» стоит в 3 абзацах сборника из 2716, а в архиве газеты — в 1105 абзацах из миллиона. Коллега
говорит: «Доля одна и та же, значит, и idf по формуле из задачи 4 один и тот же. А ещё я взял двоичный логарифм, чтобы
веса были в битах: порядок выдачи от основания не зависит». Посчитайте оба idf. В чём коллега неправ и почему? Для
какой формулы idf он был бы прав? Как убедиться на своих данных, что основание меняет выдачу? Пять — восемь
предложений.""": (
            "1 — посчитано: около 7,52 и 7,81; "
            "1 — причина: единицы в дроби заметны, когда df мало; "
            "1 — из-за единицы снаружи смена основания не умножает все веса на одно число, и углы "
            "меняются; "
            "1 — названа формула ln (N / df) и опыт: одни и те же запросы с двумя основаниями."
        ),
    },
)
