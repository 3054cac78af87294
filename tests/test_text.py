import pickle
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from coursekit import datasets, text

russian = st.text(
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя АБЯ-—«».,!?…0123456789\n\u0301\u0306", max_size=80
)

# The two lists that the seed notebook 001 printed, with pymorphy2 for lemmas: the words of the
# first Tolstoy sentence that a stem or a lemma changes.
STEMS = (
    "князь-княз равнодушно-равнодушн анна-ан свойственною-свойствен ей-е придворною-придворн "
    "женскою-женск ловкостью-ловкост быстротою-быстрот захотела-захотел щелкануть-щелканут "
    "князя-княз отозваться-отозва рекомендованном-рекомендова время-врем утешить-утеш"
)
LEMMAS = (
    "свойственною-свойственный ей-она придворною-придворный женскою-женский ловкостью-ловкость "
    "быстротою-быстрота захотела-захотеть князя-князь дерзнул-дерзнуть "
    "рекомендованном-рекомендовать"
)


def test_a_lemma_is_that_of_the_likeliest_parse():
    beginnings = ("стал", "мыл", "белк", "печь", "ёл")
    known = {word for part in beginnings for word, *_ in text._morph().iter_known_word_parses(part)}
    works = list(datasets.load_zarechinsk())[::10]
    corpus = {word for work in works for word in text.words(work.text)}
    # A parse of a word with a particle or a hyphen asks for the parses of its parts.
    unknown = ["им-то", "море-то", "по-ихнему", "бутявками", "кот-бегемот", "𗀀"]
    for word in [*sorted(known | corpus), *unknown]:
        found = text.parses(word)
        assert text.lemma(word) == (found[0].normal_form if found else word)


@pytest.mark.parametrize(("shape", "printed"), [(text.stem, STEMS), (text.lemma, LEMMAS)])
def test_stems_and_lemmas_are_those_that_the_seed_printed(shape, printed):
    seed_tokens = datasets.load_tolstoy()[0].lower().split()
    assert [f"{word}-{shape(word)}" for word in seed_tokens if word != shape(word)] == (
        printed.split()
    )


def test_pymorphy3_parses_as_pymorphy2_did_in_the_seed():
    sentences = datasets.load_tolstoy()
    assert [text.lemma(word) for word in text.words(sentences[2])[:6]] == (
        "приехать высокий знать петербург человек самый".split()
    )
    assert text.lemma("павловна") == "павлович"
    assert text.lemma("чтобы") == "чтобы"


# «анна» and «князь» in the three sentences, as the seed printed them.
WEIGHTS = {
    (1, 2): {
        "анна": [0.099349, 0.090744, 0],
        "анна павлович": [0.099349, 0.090744, 0],
        "будто выказывать": [0, 0.119318, 0],
        "быстрота такт": [0.130631, 0, 0],
        "василий красавица": [0, 0, 0.121333],
        "что политический": [0, 0.119318, 0],
        "чтобы они": [0, 0, 0.121333],
        "щелкануть князь": [0.130631, 0, 0],
        "элен заехать": [0, 0, 0.121333],
        "это что": [0, 0.119318, 0],
        "князь": [0.154306, 0.070471, 0.071661],
    },
    (1, 1): {"анна": [0.1388, 0.125604, 0], "князь": [0.215582, 0.097543, 0.098536]},
}


@pytest.mark.parametrize("ngrams", WEIGHTS)
def test_tf_idf_weights_are_those_that_the_seed_printed(ngrams):
    vectorizer = TfidfVectorizer(analyzer=text.Analyzer(ngrams=ngrams, min_length=2))
    matrix = vectorizer.fit_transform(datasets.load_tolstoy()).toarray()
    for term, printed in WEIGHTS[ngrams].items():
        column = matrix[:, vectorizer.vocabulary_[term]]
        np.testing.assert_allclose(column, printed, atol=5.0001e-7, err_msg=term)


@given(russian)
def test_normalise_is_nfc_without_stress_and_idempotent(string):
    once = text.normalise(string)
    assert once == text.normalise(once)
    assert "\u0301" not in once
    assert unicodedata.is_normalized("NFC", once) or "\u0301" in string


def test_normalise_keeps_the_letters_that_a_strip_of_marks_would_lose():
    assert text.normalise(unicodedata.normalize("NFD", "йод, ёлка, заЙка")) == "йод, ёлка, заЙка"
    assert text.normalise("за́мок — замо́к") == "замок — замок"


@given(russian)
def test_tokens_lose_nothing_but_spaces(string):
    kept = "".join(text.normalise(string).split())
    assert "".join("".join(text.tokens(string)).split()) == kept


@given(russian)
def test_sentences_lose_nothing_but_spaces(string):
    kept = "".join(text.normalise(string).split())
    assert "".join("".join(text.sentences(string)).split()) == kept


@given(st.text(max_size=60))
def test_any_unicode_is_analysed_or_refused_with_a_value_error(string):
    for form in text.FORMS:
        try:
            terms = text.Analyzer(form, ngrams=(1, 3))(string)
        except ValueError as error:
            assert "не осталось ни одного слова" in str(error)
        else:
            assert terms


def test_stop_words_keep_negations():
    assert not text.NEGATIONS & text.stop_words()
    assert {"и", "в", "что"} <= text.stop_words()


def test_ngrams_are_made_of_neighbours_that_stay():
    analyzer = text.Analyzer("token", ngrams=(1, 2), dropped=text.stop_words())
    assert analyzer("Кот и пёс не спят") == (
        ["кот", "пёс", "не", "спят", "кот пёс", "пёс не", "не спят"]
    )


@pytest.mark.parametrize("string", ["", "  — 14, 15!", "и в на"])
def test_a_text_that_leaves_no_word_is_an_error_unless_allowed(string):
    analyzer = text.Analyzer(dropped=text.stop_words())
    with pytest.raises(
        ValueError, match=r"^text = .*не осталось ни одного слова.*allow_empty=True"
    ):
        analyzer(string)
    assert text.Analyzer(dropped=text.stop_words(), allow_empty=True)(string) == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"form": "root"}, ValueError, "form = 'root': можно 'token', 'stem' или 'lemma'"),
        ({"ngrams": (2, 1)}, ValueError, r"ngrams\[1\] = 1: нужно целое число не меньше 2"),
        ({"ngrams": 2}, TypeError, r"ngrams = 2: нужна пара чисел, например \(1, 2\)"),
        ({"min_length": 0}, ValueError, "min_length = 0"),
        ({"dropped": "и в"}, TypeError, "dropped = 'и в': нужно множество"),
    ],
)
def test_wrong_arguments_of_analyzer_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        text.Analyzer(**arguments)


@pytest.mark.parametrize("function", [text.normalise, text.tokens, text.words, text.stem])
def test_what_is_not_text_is_named(function):
    with pytest.raises(TypeError, match="= None: нужна строка"):
        function(None)


def test_analyzer_pickles_and_lives_in_scikit_learn():
    analyzer = text.Analyzer("stem", dropped=text.stop_words())
    assert pickle.loads(pickle.dumps(analyzer)) == analyzer
    pipeline = make_pipeline(TfidfVectorizer(analyzer=analyzer), LogisticRegression())
    assert clone(pipeline)[0].analyzer == analyzer
    reviews = datasets.load_reviews()[:120]
    search = GridSearchCV(
        pipeline,
        {"tfidfvectorizer__analyzer": [analyzer, text.Analyzer(ngrams=(1, 2))]},
        cv=2,
    ).fit([review.text for review in reviews], [review.label for review in reviews])
    assert search.best_params_["tfidfvectorizer__analyzer"] in (
        analyzer,
        text.Analyzer(ngrams=(1, 2)),
    )
