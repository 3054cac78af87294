import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.vocab import BOS, EOS, PAD, SPECIALS, UNK, Vocab

texts = st.text(min_size=1, max_size=60)


@given(texts)
def test_decode_gives_back_what_encode_took(text):
    vocab = Vocab.build(text)
    assert vocab.decode(vocab.encode(text, bos=True, eos=True)) == text


@given(texts)
def test_ids_follow_frequency_then_the_alphabet(text):
    vocab = Vocab.build(text)
    counts = Counter(text)
    assert vocab.tokens[:4] == list(SPECIALS)
    assert vocab.tokens[4:] == sorted(counts, key=lambda token: (-counts[token], token))
    assert Vocab.build("".join(sorted(text))) == vocab


def test_ids_do_not_depend_on_hash_order():
    program = (
        "from coursekit.vocab import Vocab; print(Vocab.build('мама мыла раму'.split()).tokens)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1


def test_rare_tokens_and_those_over_the_size_become_unk():
    words = "а а а б б в".split()
    assert Vocab.build(words, min_count=2).encode(["а", "б", "в"]) == [4, 5, UNK]
    assert Vocab.build(words, max_size=5).encode(["а", "б", "в"]) == [4, UNK, UNK]


def test_special_tokens_in_the_text_are_the_special_tokens():
    vocab = Vocab.build(["кот", "<unk>", "<unk>"])
    assert vocab.tokens == [*SPECIALS, "кот"]
    assert vocab.encode(["<unk>", "<pad>"]) == [UNK, PAD]


def test_bos_and_eos_frame_the_ids():
    assert Vocab.build("а").encode("а", bos=True, eos=True) == [BOS, 4, EOS]


def test_words_are_joined_by_spaces():
    words = ["вера", "львовна", "ушла"]
    vocab = Vocab.build(words)
    assert vocab.decode(vocab.encode(words)) == "вера львовна ушла"


@pytest.mark.parametrize("text", ["", [], iter("")])
def test_an_empty_text_makes_no_vocabulary(text):
    with pytest.raises(ValueError, match=r"^text = .*нет ни одного токена"):
        Vocab.build(text)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="min_count = 9: так часто не встретился ни один токен"):
        Vocab.build("аб", min_count=9)
    with pytest.raises(ValueError, match="max_size = 4: нужно целое число не меньше 5"):
        Vocab.build("аб", max_size=4)
    with pytest.raises(TypeError, match=r"встретилось \['а'\] типа list, а нужны строки"):
        Vocab.build([["а"]])
    with pytest.raises(ValueError, match="токена '!' нет в словаре из 5 токенов"):
        Vocab.build("а").encode("а!", strict=True)
    with pytest.raises(TypeError, match="в этом словаре слова, а пришла строка"):
        Vocab.build(["кот"]).encode("кот")
    with pytest.raises(ValueError, match="номера 5 нет, в словаре номера от 0 до 4"):
        Vocab.build("а").decode([4, 5])
    with pytest.raises(ValueError, match="словарь начинается со служебных"):
        Vocab(["а", "б"])
    with pytest.raises(ValueError, match="'а' встречается дважды"):
        Vocab([*SPECIALS, "а", "а"])


def test_a_vocabulary_is_nothing_else():
    assert Vocab.build("ау") != ["<pad>", "<unk>", "<bos>", "<eos>", "а", "у"]
