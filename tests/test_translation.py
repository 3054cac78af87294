import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.seq2seq import Seq2Seq
from coursekit.translation import translate
from coursekit.vocab import BOS, EOS, Vocab

VOCAB = Vocab.build("у попа была собака, он её любил. ")
WORDS = Vocab.build("кот видит дом и кот идёт в дом".split())


def translator(attention="additive", **arguments):
    torch.manual_seed(0)
    network = Seq2Seq(
        len(VOCAB), len(WORDS), **{"cell": "gru", "hidden": 12, "attention": attention, **arguments}
    ).double()
    with torch.no_grad():
        network.embedding.weight *= 2
        network.projection.weight *= 16
        network.start.weight *= 8
    return network.eval()


def greedy(network, text, length):
    """One token at a time, the whole target fed again at every step."""
    ids = torch.tensor([VOCAB.encode(text)])
    memory, start = network.encode(ids, torch.tensor([len(text)]))
    written = [BOS]
    while len(written) <= length and written[-1] != EOS:
        logits, _, _ = network.decode(torch.tensor([written]), start, memory)
        written.append(EOS + int(logits[0, -1, EOS:].argmax()))
    return WORDS.decode(written)


texts = st.lists(st.text("упаобелл. ", min_size=1, max_size=12), min_size=1, max_size=6)


@settings(max_examples=30)
@given(st.sampled_from(["additive", "general", None]), texts, st.integers(1, 9))
def test_a_translation_of_width_one_is_greedy(attention, sources, length):
    network = translator(attention)
    assert translate(network, VOCAB, WORDS, sources, length=length) == [
        greedy(network, text, length) for text in sources
    ]


@settings(max_examples=30)
@given(st.sampled_from(["dot", None]), texts, st.integers(1, 4), st.integers(1, 4))
def test_texts_are_translated_together_as_one_by_one(attention, sources, width, batch_size):
    network = translator(attention)
    arguments = {"length": 7, "width": width}
    together = translate(network, VOCAB, WORDS, sources, batch_size=batch_size, **arguments)
    assert together == [
        text
        for source in sources
        for text in translate(network, VOCAB, WORDS, [source], **arguments)
    ]


def test_a_wide_beam_finds_the_likeliest_translation_of_all():
    # 3 tokens at most over 6 words: 1 + 6 + 36 that end, 216 that are cut.
    network, source = translator(), "у попа"
    assert len(WORDS) == 10
    memory, start = network.encode(torch.tensor([VOCAB.encode(source)]), torch.tensor([6]))
    best = {}
    for count in range(4):
        for words in itertools.product(range(4, 10), repeat=count):
            tokens = torch.tensor([[BOS, *words]])
            logits, _, _ = network.decode(tokens, start, memory)
            said = logits[0].log_softmax(-1).tolist()
            total = sum(said[place][word] for place, word in enumerate(words))
            total += said[-1][EOS] if count < 3 else 0
            best[words] = total / ((5 + min(count + 1, 3)) / 6) ** 0.6
    expected = max(best, key=best.get)
    assert translate(network, VOCAB, WORDS, [source], length=3, width=300) == [
        WORDS.decode(expected)
    ]


def test_translation_leaves_the_mode_as_it_was():
    network = translator(dropout=0.5).train()
    assert len({translate(network, VOCAB, WORDS, ["у попа"])[0] for _ in range(5)}) == 1
    assert network.training
    with pytest.raises(ValueError, match="width = 0: нужно целое число не меньше 1"):
        translate(network, VOCAB, WORDS, ["у попа"], width=0)
    assert network.training


@pytest.mark.parametrize(
    ("vocabs", "texts", "kind", "message"),
    [
        ((VOCAB, WORDS), "у", TypeError, "texts = 'у': нужен список"),
        ((VOCAB, WORDS), [], ValueError, r"texts = \[\]: нужен хотя бы один текст"),
        ((VOCAB, WORDS), [""], ValueError, r"texts\[0\] = '': нужен"),
        ((WORDS, WORDS), [["и"]], ValueError, "source_vocab: в словаре"),
        ((VOCAB, VOCAB), ["у"], ValueError, "target_vocab: в словаре"),
    ],
)
def test_wrong_lists_and_vocabularies_are_named(vocabs, texts, kind, message):
    with pytest.raises(kind, match=message):
        translate(translator(), *vocabs, texts)


def test_batches_of_no_texts_are_refused():
    with pytest.raises(ValueError, match="batch_size = 0: нужно целое число не меньше 1"):
        translate(translator(), VOCAB, WORDS, ["у"], batch_size=0)
