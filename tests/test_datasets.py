import os
from pathlib import Path

import pytest
from data_card import CARD, rewritten

from coursekit import datasets, downloads

real_files = pytest.mark.skipif(
    not Path(os.environ.get("COURSEKIT_DATA", "/nowhere")).is_dir(),
    reason="COURSEKIT_DATA does not name a folder with the real files",
)


VALID = [
    "detektiv/12-kryuchok",
    "khronika/10-tovarishch-olga",
    "kukhnya/12-chugunok-i-zaslonka",
    "nauka/12-karta-i-glaz",
    "novosti/07-iyul-zhara",
    "pisma/01-mashina-v-chetyryokh-posylkakh",
    "priroda/04-polaya-voda",
    "puteshestviya/04-po-chyornomu-ldu",
    "skazki/02-melnica-dney",
    "tekhnika/03-olovo-i-lezvie",
]
TEST = [
    "detektiv/02-sto-tridtsat-na-vosemdesyat",
    "khronika/05-dukhovnaya",
    "kukhnya/06-bochka-i-krynka",
    "nauka/10-pochva-i-led",
    "novosti/09-sentyabr-den-goroda",
    "pisma/03-sedmoy-v",
    "priroda/09-kupol-nomer-devyat",
    "puteshestviya/08-kolodtsy",
    "skazki/06-korolevskaya-ikota",
    "tekhnika/05-provodka",
]


def test_the_data_card_says_what_the_data_are():
    card = CARD.read_text(encoding="utf-8")
    assert card == rewritten(card), "python tests/data_card.py"


def test_works_are_split_once_and_every_rubric_is_in_every_part():
    corpus = datasets.load_zarechinsk()
    assert len({work.name for work in corpus}) == 119
    for split in ("train", "valid", "test"):
        rubrics = {work.rubric for work in corpus if work.split == split}
        assert rubrics == set(datasets.RUBRICS.values())
    assert corpus == datasets.load_zarechinsk()


def test_the_split_is_the_one_that_published_results_used():
    # Changing it silently would make every number of the book incomparable with the older ones.
    names = {
        split: sorted(work.name for work in datasets.load_zarechinsk() if work.split == split)
        for split in ("valid", "test")
    }
    assert names == {"valid": VALID, "test": TEST}


def test_a_larger_share_of_validation_keeps_the_smaller_one_and_never_takes_test():
    corpus = datasets.load_zarechinsk()
    test_titles = [work.title for work in corpus if work.split == "test"]
    _, smaller = corpus.split_text(valid=0.1)
    train, larger = corpus.split_text(valid=0.3)
    assert len(larger) > 2 * len(smaller)
    for paragraph in smaller.split("\n"):
        assert paragraph in larger
    for title in test_titles:
        assert f"\n{title}\n" not in f"\n{train}\n{larger}\n"


def test_titles_rubrics_and_text_belong_together():
    for work in datasets.load_zarechinsk():
        assert work.text.startswith(work.title)
        assert len(work.text) > 1000
        assert work.text == work.text.strip()


def test_reviews_are_balanced_and_whole():
    reviews = datasets.load_reviews()
    labels = [review.label for review in reviews]
    assert labels.count("pos") == labels.count("neg") == 600
    assert all(40 < len(review.text) < 400 for review in reviews)
    assert len({review.text for review in reviews}) == 1200


def test_names_need_their_alphabet_exactly():
    names, alphabet = datasets.load_names()
    assert len(set(names)) == 103
    assert set("".join(names)) == set(alphabet)


def test_wrong_parts_are_named():
    corpus = datasets.load_zarechinsk()
    with pytest.raises(ValueError, match="split = 'dev': можно 'train', 'valid' или 'test'"):
        corpus.text("dev")
    with pytest.raises(ValueError, match="valid = 0.9: нужно число от 0 до 0.5"):
        corpus.split_text(valid=0.9)
    with pytest.raises(ValueError, match="language = 'fr'"):
        datasets.fetch_anna_karenina("fr")


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Return a function that puts content into the cache as if it had been downloaded."""
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path))

    def put(name, content):
        (tmp_path / name).write_text(content, encoding="utf-8")
        monkeypatch.setattr(downloads, "digest_matches", lambda path, digest: True)

    return put


def test_formats_of_files_that_are_too_large_to_keep(cached):
    cached("rureviews.csv", "review\tsentiment\nОтлично\tpositive\nНу так\tneautral\n")
    assert datasets.fetch_rureviews() == [
        ("positive", "одежда", "Отлично"),
        ("neutral", "одежда", "Ну так"),
    ]
    cached("rutweetcorp-positive.csv", '"1";"1386325927";"me";"ура; ""да""";"1";"0"\n')
    cached("rutweetcorp-negative.csv", '"2";"1386325928";"me";"увы";"-1";"0"\n')
    assert datasets.fetch_rutweetcorp() == [("pos", "твит", 'ура; "да"'), ("neg", "твит", "увы")]


def test_contractions_of_a_treebank_are_not_words(cached):
    lines = ["# text = a", "1-2\tdu\t_\t_", "1\tde\tde\tADP", "2\tle\tle\tDET", "2.1\tx\tx\tX"]
    cached("taiga-dev.conllu", "\n".join(lines) + "\n\n")
    assert datasets.fetch_taiga("dev") == [[("de", "de", "ADP"), ("le", "le", "DET")]]


@real_files
def test_every_small_file_of_the_registry_is_there_and_reads():
    names = datasets.fetch_names()
    assert len(names) == 4874
    assert names[0] == ("Александр", 1_448_706, "m")
    assert len(datasets.fetch_opensentiment()) == 4487
    labels = [review.label for review in datasets.fetch_opensentiment()]
    assert [labels.count(label) for label in ("neutral", "negative", "positive")] == (
        [2459, 1495, 533]
    )
    shakespeare = datasets.fetch_tinyshakespeare()
    assert (len(shakespeare), len(set(shakespeare))) == (1_115_394, 65)
    english = datasets.fetch_anna_karenina("en")
    assert (len(english), len(set(english))) == (1_985_223, 83)
    assert len(datasets.fetch_anna_karenina().split()) == 280_377
    pairs = datasets.fetch_tatoeba()
    assert len(pairs) == 19_425
    assert pairs[2] == ("95 years old! God Save the Queen!", "95 лет! Боже, храни королеву!")
    for split, sentences, words in [
        ("train", 3138, 43_557),
        ("dev", 945, 10_094),
        ("test", 881, 10_269),
    ]:
        taiga = datasets.fetch_taiga(split)
        assert (len(taiga), sum(map(len, taiga))) == (sentences, words)
