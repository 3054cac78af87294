"""Solutions of the assignment «Предобработка и TF-IDF» as students write them: right and wrong.

A wrong one stands with the words of the hint that it must meet.
"""

import math
import re
import string
import unicodedata
from collections import Counter, defaultdict
from itertools import islice, tee

from nltk.util import ngrams as ngrams_of_nltk
from sklearn.feature_extraction.text import TfidfVectorizer

import coursekit.text
from coursekit import datasets
from coursekit.tasks import tfidf as tasks
from coursekit.variants import common

MINE = common(tasks.MINE)
MINE_TASK = tasks.mine(**MINE)
RIGHT = []
WRONG = []


def right(task):
    return lambda function: RIGHT.append((task, function)) or function


def wrong(task, hint):
    return lambda function: WRONG.append((task, hint, function)) or function


@right(tasks.WORDS)
def words_by_finditer(text):
    text = unicodedata.normalize("NFC", text.lower()).replace("\u0301", "")
    return [match.group() for match in re.finditer(r"[а-яё]+(?:-[а-яё]+)*", text)]


@right(tasks.WORDS)
def words_by_characters(text):
    found, word = [], ""
    for letter in unicodedata.normalize("NFC", text).lower() + " ":
        if letter == "\u0301":
            continue
        if letter in "абвгдеёжзийклмнопрстуфхцчшщъыьэюя-":
            word += letter
        elif word:
            found.append(word)
            word = ""
    return [word for word in found if word.strip("-")]


@right(tasks.WORDS)
def words_by_split(text):
    text = unicodedata.normalize("NFC", text).replace("\N{COMBINING ACUTE ACCENT}", "")
    parts = re.split(r"[^А-Яа-яЁё-]+", text)
    return [part.strip("-").lower() for part in parts if part.strip("-")]


@wrong(tasks.WORDS, "нет буквы ё")
def words_without_yo(text):
    text = unicodedata.normalize("NFC", text).replace("\u0301", "").lower()
    return re.findall(r"[а-я]+(?:-[а-я]+)*", text)


@wrong(tasks.WORDS, "слово с дефисом распалось")
def words_without_hyphens(text):
    text = unicodedata.normalize("NFC", text).replace("\u0301", "").lower()
    return re.findall(r"[а-яё]+", text)


@wrong(tasks.WORDS, "числа словами не считаем")
def words_and_numbers(text):
    text = unicodedata.normalize("NFC", text).replace("\u0301", "").lower()
    return re.findall(r"\w+(?:-\w+)*", text)


@wrong(tasks.WORDS, "пропали й и ё")
def words_without_marks(text):
    text = unicodedata.normalize("NFD", text.lower())
    text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    return re.findall(r"[а-яё]+(?:-[а-яё]+)*", text)


@wrong(tasks.WORDS, "записанные двумя знаками, развалились")
def words_not_put_together(text):
    return re.findall(r"[а-яё]+(?:-[а-яё]+)*", text.replace("\u0301", "").lower())


@wrong(tasks.WORDS, "на нём слово разорвалось")
def words_with_stress(text):
    return re.findall(r"[а-яё]+(?:-[а-яё]+)*", unicodedata.normalize("NFC", text).lower())


@wrong(tasks.WORDS, "split() оставляет знаки")
def words_by_spaces(text):
    return unicodedata.normalize("NFC", text).replace("\u0301", "").lower().split()


@wrong(tasks.WORDS, "только знаки ascii")
def words_stripped_of_ascii(text):
    text = unicodedata.normalize("NFC", text).replace("\u0301", "").lower()
    return [w for w in (part.strip(string.punctuation) for part in text.split()) if w]


@wrong(tasks.WORDS, "слово склеилось")
def words_cleaned_first(text):
    text = unicodedata.normalize("NFC", text).replace("\u0301", "").lower()
    return re.findall(r"[а-яё]+", re.sub(r"[^а-яё\s\d]", "", text))


@wrong(tasks.WORDS, "потеряны прописные")
def words_in_small_letters_only(text):
    text = unicodedata.normalize("NFC", text).replace("\u0301", "")
    return re.findall(r"[а-яё]+(?:-[а-яё]+)*", text)


@wrong(tasks.WORDS, "вызвано coursekit.text")
def words_of_the_package(text):
    return coursekit.text.words(text)


@right(tasks.NGRAMS)
def ngrams_by_zip(words, n):
    return [" ".join(gram) for gram in zip(*(words[i:] for i in range(n)), strict=False)]


@right(tasks.NGRAMS)
def ngrams_by_window(words, n):
    found, window = [], []
    for word in words:
        window.append(word)
        if len(window) > n:
            window.pop(0)
        if len(window) == n:
            found.append(" ".join(window))
    return found


@right(tasks.NGRAMS)
def ngrams_by_tee(words, n):
    copies = [islice(copy, start, None) for start, copy in enumerate(tee(words, n))]
    return list(map(" ".join, zip(*copies, strict=False)))


@wrong(tasks.NGRAMS, "потеряна последняя")
def ngrams_without_the_last(words, n):
    return [" ".join(words[i : i + n]) for i in range(len(words) - n)]


@wrong(tasks.NGRAMS, "шаг — одно слово")
def ngrams_side_by_side(words, n):
    return [" ".join(words[i : i + n]) for i in range(0, len(words) - n + 1, n)]


@wrong(tasks.NGRAMS, "обрывки")
def ngrams_with_tails(words, n):
    return [" ".join(words[i : i + n]) for i in range(len(words))]


@wrong(tasks.NGRAMS, "повторы нужны")
def ngrams_once_each(words, n):
    return list(dict.fromkeys(ngrams_by_zip(words, n)))


@wrong(tasks.NGRAMS, "часть 1, — (")
def ngrams_as_tuples(words, n):
    return list(zip(*(words[i:] for i in range(n)), strict=False))


@wrong(tasks.NGRAMS, "вызвано nltk.util")
def ngrams_by_nltk(words, n):
    return [" ".join(gram) for gram in ngrams_of_nltk(words, n)]


@right(tasks.COUNT_DOCUMENTS)
def documents_by_update(documents):
    df = Counter()
    for document in documents:
        df.update(set(document))
    return df


@right(tasks.COUNT_DOCUMENTS)
def documents_by_get(documents):
    df = {}
    for document in documents:
        for word in dict.fromkeys(document):
            df[word] = df.get(word, 0) + 1
    return df


@right(tasks.COUNT_DOCUMENTS)
def documents_by_index(documents):
    index = defaultdict(set)
    for number, document in enumerate(documents):
        for word in document:
            index[word].add(number)
    return {word: len(numbers) for word, numbers in index.items()}


@wrong(tasks.COUNT_DOCUMENTS, "это число вхождений")
def documents_by_occurrences(documents):
    return Counter(word for document in documents for word in document)


@wrong(tasks.COUNT_DOCUMENTS, "а не их доля")
def documents_as_a_share(documents):
    return {w: n / len(documents) for w, n in documents_by_get(documents).items()}


@wrong(tasks.COUNT_DOCUMENTS, "внутри «который»")
def documents_by_substring(documents):
    texts = [" ".join(document) for document in documents]
    every = {word for document in documents for word in document}
    return {word: sum(word in text for text in texts) for word in every}


@wrong(tasks.COUNT_DOCUMENTS, "нужен словарь")
def documents_as_a_list(documents):
    return sorted(documents_by_get(documents).items())


@right(tasks.IDF)
def idf_by_index(documents):
    size = len(documents)
    return {w: math.log((1 + size) / (1 + n)) + 1 for w, n in documents_by_index(documents).items()}


@right(tasks.IDF)
def idf_by_difference(documents):
    found = {}
    for word, n in documents_by_update(documents).items():
        found[word] = 1 + math.log1p(len(documents)) - math.log1p(n)
    return found


@right(tasks.IDF)
def idf_slowly(documents):
    every = {word for document in documents for word in document}
    return {
        word: 1.0 - math.log((1 + sum(word in d for d in documents)) / (1 + len(documents)))
        for word in every
    }


@wrong(tasks.IDF, "это учебный idf")
def idf_of_the_textbook(documents):
    return {w: math.log(len(documents) / n) for w, n in documents_by_get(documents).items()}


@wrong(tasks.IDF, "логарифм десятичный")
def idf_by_lg(documents):
    size = len(documents)
    return {w: math.log10((1 + size) / (1 + n)) + 1 for w, n in documents_by_get(documents).items()}


@wrong(tasks.IDF, "нет единиц внутри")
def idf_not_smoothed(documents):
    return {w: math.log(len(documents) / n) + 1 for w, n in documents_by_get(documents).items()}


@wrong(tasks.IDF, "единица нужна и в числителе")
def idf_half_smoothed(documents):
    size = len(documents)
    return {w: math.log(size / (1 + n)) + 1 for w, n in documents_by_get(documents).items()}


@wrong(tasks.IDF, "по вхождениям")
def idf_by_occurrences(documents):
    size = len(documents)
    df = documents_by_occurrences(documents)
    return {w: math.log((1 + size) / (1 + n)) + 1 for w, n in df.items()}


@wrong(tasks.IDF, "потеряна единица снаружи")
def idf_without_the_one_outside(documents):
    size = len(documents)
    return {w: math.log((1 + size) / (1 + n)) for w, n in documents_by_get(documents).items()}


@wrong(tasks.IDF, "дробь перевёрнута")
def idf_upside_down(documents):
    size = len(documents)
    return {w: math.log((1 + n) / (1 + size)) + 1 for w, n in documents_by_get(documents).items()}


@right(tasks.VECTOR)
def vector_by_counter(document, idf):
    weights = {w: n * idf[w] for w, n in Counter(document).items() if w in idf}
    norm = math.sqrt(sum(x**2 for x in weights.values()))
    return {w: x / norm for w, x in weights.items()}


@right(tasks.VECTOR)
def vector_by_shares(document, idf):
    weights = {}
    for word in document:
        if word in idf:
            weights[word] = weights.get(word, 0) + idf[word] / len(document)
    norm = sum(x * x for x in weights.values()) ** 0.5
    return {w: weights[w] / norm for w in weights}


@right(tasks.VECTOR)
def vector_by_the_dictionary(document, idf):
    found = {w: document.count(w) * weight for w, weight in idf.items() if w in document}
    norm = math.dist(found.values(), [0] * len(found))
    for word in found:
        found[word] /= norm
    return found


@wrong(tasks.VECTOR, "не поделён на свою длину")
def vector_as_it_is(document, idf):
    return {w: n * idf[w] for w, n in Counter(document).items() if w in idf}


@wrong(tasks.VECTOR, "поделена на сумму весов")
def vector_of_sum_one(document, idf):
    weights = vector_as_it_is(document, idf)
    total = sum(weights.values())
    return {w: x / total for w, x in weights.items()}


@wrong(tasks.VECTOR, "остановилась с ошибкой KeyError")
def vector_that_knows_all_words(document, idf):
    weights = {w: n * idf[w] for w, n in Counter(document).items()}
    norm = math.hypot(*weights.values())
    return {w: x / norm for w, x in weights.items()}


@wrong(tasks.VECTOR, "записано нулём")
def vector_with_zeros_for_the_unknown(document, idf):
    weights = {w: n * idf.get(w, 0.0) for w, n in Counter(document).items()}
    norm = math.hypot(*weights.values())
    return {w: x / norm for w, x in weights.items()}


@wrong(tasks.VECTOR, "для слов, которых в документе нет")
def vector_dense(document, idf):
    weights = {w: document.count(w) * x for w, x in idf.items()}
    norm = math.hypot(*weights.values())
    return {w: x / norm for w, x in weights.items()}


@wrong(tasks.VECTOR, "повторы слова не учтены")
def vector_of_a_set(document, idf):
    weights = {w: idf[w] for w in set(document) if w in idf}
    norm = math.hypot(*weights.values())
    return {w: x / norm for w, x in weights.items()}


@wrong(tasks.VECTOR, "забыт idf")
def vector_of_counts(document, idf):
    counts = Counter(w for w in document if w in idf)
    norm = math.hypot(*counts.values())
    return {w: n / norm for w, n in counts.items()}


@wrong(tasks.VECTOR, "забыт корень")
def vector_without_the_root(document, idf):
    weights = vector_as_it_is(document, idf)
    total = sum(x * x for x in weights.values())
    return {w: x / total for w, x in weights.items()}


@right(tasks.TFIDF)
def tfidf_in_two_lines(train, test):
    learnt = idf_by_index(train)
    return [vector_by_counter(document, learnt) for document in test]


@right(tasks.TFIDF)
def tfidf_by_map(train, test):
    learnt = idf_by_difference(train)
    return list(map(lambda document: vector_by_shares(document, learnt), test))  # noqa: C417


@right(tasks.TFIDF)
def tfidf_by_append(train, test):
    found = []
    for document in test:
        found.append(vector_by_the_dictionary(document, idf_slowly(train)))
    return found


@wrong(tasks.TFIDF, "выучен на проверочных")
def tfidf_learnt_of_the_test(train, test):
    learnt = idf_by_index(test)
    return [vector_by_counter(document, learnt) for document in test]


@wrong(tasks.TFIDF, "на обеих частях сразу")
def tfidf_learnt_of_all(train, test):
    learnt = idf_by_index(train + test)
    return [vector_by_counter(document, learnt) for document in test]


@wrong(tasks.TFIDF, "это векторы train")
def tfidf_of_the_train(train, test):
    learnt = idf_by_index(train)
    return [vector_by_counter(document, learnt) for document in train]


@wrong(tasks.TFIDF, "для каждого документа отдельно")
def tfidf_learnt_of_each(train, test):
    return [vector_by_counter(document, idf_by_index([document])) for document in test]


@wrong(tasks.TFIDF, "подсмотрены")
def tfidf_learnt_of_all_but_for_the_words(train, test):
    every = idf_by_index(train + test)
    learnt = {word: every[word] for document in train for word in document}
    return [vector_by_counter(document, learnt) for document in test]


@wrong(tasks.TFIDF, "вызвано sklearn.feature_extraction.text")
def tfidf_of_sklearn(train, test):
    vectorizer = TfidfVectorizer(analyzer=list).fit(train)
    names = vectorizer.get_feature_names_out()
    rows = vectorizer.transform(test)
    return [
        {names[j]: float(x) for j, x in zip(row.indices, row.data, strict=True)} for row in rows
    ]


@right(tasks.SEARCH)
def search_by_pairs(query, vectors):
    found = []
    for number, vector in enumerate(vectors):
        dot = sum(query[word] * vector[word] for word in query if word in vector)
        if dot > 0:
            norms = math.hypot(*query.values()) * math.hypot(*vector.values())
            found.append((-dot / norms, number))
    return [number for _, number in sorted(found)]


@right(tasks.SEARCH)
def search_without_the_length_of_the_query(query, vectors):
    scores = {}
    for number, vector in enumerate(vectors):
        length = math.sqrt(sum(x * x for x in vector.values()))
        scores[number] = sum(x * query.get(w, 0) for w, x in vector.items()) / (length or 1)
    order = sorted(scores, key=scores.get, reverse=True)
    return [number for number in order if scores[number] > 0]


@right(tasks.SEARCH)
def search_by_index(query, vectors):
    index = defaultdict(list)
    for number, vector in enumerate(vectors):
        length = math.hypot(*vector.values())
        for word, x in vector.items():
            index[word].append((number, x / length))
    scores = Counter()
    for word, weight in query.items():
        for number, x in index.get(word, []):
            scores[number] += weight * x
    return sorted(scores, key=lambda number: (-scores[number], number))


@wrong(tasks.SEARCH, "побеждает длиной")
def search_by_dot(query, vectors):
    dots = [sum(x * vector.get(w, 0) for w, x in query.items()) for vector in vectors]
    order = sorted(range(len(vectors)), key=lambda number: -dots[number])
    return [number for number in order if dots[number] > 0]


@wrong(tasks.SEARCH, "у вас наоборот")
def search_least_like_first(query, vectors):
    found = dict.fromkeys(search_by_pairs(query, vectors), 0.0)
    for number in found:
        dot = sum(x * vectors[number].get(w, 0) for w, x in query.items())
        found[number] = dot / math.hypot(*vectors[number].values())
    return sorted(found, key=lambda number: (found[number], number))


@wrong(tasks.SEARCH, "меньший номер")
def search_with_equals_turned_round(query, vectors):
    found = []
    for number in search_by_pairs(query, vectors):
        dot = sum(x * vectors[number].get(w, 0) for w, x in query.items())
        found.append((dot / math.hypot(*vectors[number].values()), number))
    return [number for _, number in sorted(found, reverse=True)]


@wrong(tasks.SEARCH, "с нулевой близостью")
def search_that_shows_all(query, vectors):
    def score(number):
        vector = vectors[number]
        dot = sum(x * query.get(w, 0) for w, x in vector.items())
        return dot / (math.hypot(*vector.values()) or 1)

    return sorted(range(len(vectors)), key=score, reverse=True)


@wrong(tasks.SEARCH, "остановилась с ошибкой ZeroDivisionError")
def search_that_fears_the_empty(query, vectors):
    scores = [
        sum(x * query.get(w, 0) for w, x in vector.items()) / math.hypot(*vector.values())
        for vector in vectors
    ]
    order = sorted(range(len(vectors)), key=lambda number: -scores[number])
    return [number for number in order if scores[number] > 0]


@wrong(tasks.SEARCH, "общие слова")
def search_by_shared_words(query, vectors):
    shared = [len(query.keys() & vector.keys()) for vector in vectors]
    order = sorted(range(len(vectors)), key=lambda number: -shared[number])
    return [number for number in order if shared[number]]


def mine_works(rubric, train):
    works = datasets.load_zarechinsk()
    return [
        words_by_finditer(work.text)
        for work in works
        if work.rubric == rubric and (work.split == "train") is train
    ]


@right(MINE_TASK)
def mine_by_a_vocabulary():
    df = documents_by_get(mine_works(MINE["taught"], True))
    known = {word for word, count in df.items() if count >= MINE["least"]}
    read = [word for document in mine_works(MINE["asked"], False) for word in document]
    return 1 - sum(word in known for word in read) / len(read)


@right(MINE_TASK)
def mine_by_counters():
    df = Counter()
    for document in mine_works(MINE["taught"], True):
        df.update(set(document))
    read = Counter(word for document in mine_works(MINE["asked"], False) for word in document)
    return sum(n for word, n in read.items() if df[word] < MINE["least"]) / read.total()


@right(MINE_TASK)
def mine_by_splitting_what_is_left():
    train = [set(document) for document in mine_works(MINE["taught"], True)]
    unseen, count = 0, 0
    for document in mine_works(MINE["asked"], False):
        count += len(document)
        for word in document:
            if sum(word in known for known in train) < MINE["least"]:
                unseen += 1
    return unseen / count


@wrong(MINE_TASK, "это доля разных слов")
def mine_of_different_words():
    df = documents_by_get(mine_works(MINE["taught"], True))
    read = {word for document in mine_works(MINE["asked"], False) for word in document}
    return sum(df.get(word, 0) < MINE["least"] for word in read) / len(read)


@wrong(MINE_TASK, "сосчитаны вхождения")
def mine_by_occurrences():
    df = Counter(word for document in mine_works(MINE["taught"], True) for word in document)
    read = [word for document in mine_works(MINE["asked"], False) for word in document]
    return sum(df[word] < MINE["least"] for word in read) / len(read)


@wrong(MINE_TASK, 'только те, где split == "train"')
def mine_that_learns_from_all():
    rubric = MINE["taught"]
    df = documents_by_get(mine_works(rubric, True) + mine_works(rubric, False))
    read = [word for document in mine_works(MINE["asked"], False) for word in document]
    return sum(df.get(word, 0) < MINE["least"] for word in read) / len(read)


@wrong(MINE_TASK, "вызвано coursekit.text")
def mine_by_the_package():
    coursekit.text.words("кот")
    return mine_by_counters()
