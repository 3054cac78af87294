import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.batching import StreamBatches
from coursekit.generation import _drawn, distribution, generate, generate_batch, search
from coursekit.models import LanguageModel
from coursekit.training import fit
from coursekit.vocab import EOS, Vocab

TEXT = "у попа была собака, он её любил. " * 30
VOCAB = Vocab.build(TEXT)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    network = LanguageModel(len(VOCAB), hidden=32)
    stream = StreamBatches(VOCAB.encode(TEXT), batch_size=4, length=32)
    fit(network, stream, epochs=12, lr=2e-2, progress=False)
    return network


logits = st.lists(st.floats(-30, 30, width=32), min_size=5, max_size=40).map(torch.tensor)


@given(logits, st.floats(0, 50), st.none() | st.integers(1, 50), st.none() | st.floats(0.01, 1))
def test_a_distribution_sums_to_one_and_never_draws_special_tokens(values, heat, top_k, top_p):
    probabilities = distribution(values, heat, top_k, top_p)
    assert probabilities.shape == values.shape
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    assert (probabilities >= 0).all()
    assert (probabilities[:3] == 0).all()


@given(logits)
def test_temperature_one_is_softmax_over_what_may_be_drawn(values):
    torch.testing.assert_close(distribution(values)[3:], values[3:].softmax(0))


@given(logits, st.integers(1, 50))
def test_top_k_keeps_the_k_likeliest(values, top_k):
    full, left = distribution(values), distribution(values, top_k=top_k)
    kept = left > 0
    assert kept.sum() <= top_k
    assert kept.all() or full[kept].min() >= full[~kept].max()
    torch.testing.assert_close(left[kept], full[kept] / full[kept].sum(), atol=1e-5, rtol=1e-3)


@given(logits, st.floats(0.01, 0.99))
def test_top_p_keeps_the_fewest_that_reach_p(values, top_p):
    full = distribution(values)
    kept = distribution(values, top_p=top_p) > 0
    mass = full[kept].sum().item()
    assert mass >= top_p - 1e-4
    assert mass - full[kept].min().item() < top_p + 1e-4


@pytest.mark.parametrize("temperature", [1e-30, 0])
def test_no_temperature_is_the_likeliest_token(temperature):
    assert distribution(torch.tensor([9.0, 9, 9, 0, 1, 3, 2]), temperature)[5] == 1


def test_greedy_text_goes_on_with_the_rhyme(model):
    assert generate(model, VOCAB, "у попа бы", length=19, temperature=0) == (
        "у попа была собака, он её лю"
    )


def test_the_same_seed_gives_the_same_text(model):
    first, second, other = (
        generate(model, VOCAB, "у попа", length=60, temperature=2.0, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == second != other
    assert first.startswith("у попа")
    assert len(first) == 66
    unseeded = {generate(model, VOCAB, "у", length=40, temperature=2.0) for _ in range(20)}
    assert len(unseeded) > 1


def test_carried_state_says_what_feeding_the_prefix_again_says(model):
    text = "у попа"
    ids = VOCAB.encode(text)
    for _ in range(25):
        with torch.no_grad():
            ids.append(int(distribution(model(torch.tensor([ids]))[0][0, -1], 0).argmax()))
    assert generate(model, VOCAB, text, length=25, temperature=0) == VOCAB.decode(ids)


def test_no_token_is_read_twice(model):
    read = []
    hook = model.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0].numel()))
    generate(model, VOCAB, "у попа", length=50, seed=0)
    hook.remove()
    # Nothing comes after the last token, so that it is not read at all.
    assert sum(read) == len("у попа") + 49


def test_the_whole_prompt_warms_the_state(model):
    # Both prompts end with the same letter; only one of them has «попа» before it.
    first = generate(model, VOCAB, "у попа б", length=3, temperature=0)
    second = generate(model, VOCAB, "он её люб", length=3, temperature=0)
    assert (first[-3:], second[-3:]) == ("ыла", "ил.")


def test_eos_ends_the_text(model):
    class Ended(LanguageModel):
        def forward(self, inputs, state=None):
            seen = (state or 0) + inputs.shape[1]
            target = EOS if seen >= 3 else 4
            row = torch.nn.functional.one_hot(torch.tensor(target), len(VOCAB)).float() * 99
            return row.view(1, 1, -1), seen

    text = generate(Ended(len(VOCAB), hidden=1), VOCAB, VOCAB.tokens[5], length=50, temperature=0)
    assert text == VOCAB.tokens[5] + VOCAB.tokens[4] * 2


def test_mode_and_random_state_are_left_as_they_were(model):
    model.train()
    before = torch.random.get_rng_state()
    generate(model, VOCAB, "у", length=5, seed=1)
    assert model.training
    assert torch.equal(before, torch.random.get_rng_state())
    model.eval()


@pytest.mark.parametrize(
    "arguments", [{}, {"temperature": 0.6}, {"top_k": 5}, {"temperature": 1.5, "top_p": 0.9}]
)
def test_text_is_drawn_token_by_token_with_one_generator(model, arguments):
    random = torch.Generator().manual_seed(3)
    ids = VOCAB.encode("у попа")
    with torch.no_grad():
        logits, state = model.eval()(torch.tensor([ids]))
        for _ in range(40):
            probabilities = distribution(logits[0, -1], **arguments)
            ids.append(int(torch.multinomial(probabilities, 1, generator=random)))
            logits, state = model(torch.tensor([ids[-1:]]), state)
    assert generate(model, VOCAB, "у попа", length=40, seed=3, **arguments) == VOCAB.decode(ids)


@given(st.lists(logits.filter(lambda row: len(row) >= 9).map(lambda row: row[:9]), min_size=1))
def test_rows_of_logits_give_rows_of_probabilities(rows):
    together = distribution(torch.stack(rows), 0.7, 4, 0.9)
    assert torch.equal(together, torch.stack([distribution(row, 0.7, 4, 0.9) for row in rows]))


def lively(**arguments):
    """A model that was never trained but is sure of itself; it ends its texts now and then."""
    torch.manual_seed(0)
    network = LanguageModel(len(VOCAB), **{"hidden": 16, "layers": 2, **arguments}).double()
    with torch.no_grad():
        network.projection.weight *= 8
        network.projection.bias[EOS] += 2
    return network.eval()


prompts = st.text("упаобелл. ", min_size=1, max_size=9)


@settings(max_examples=40)
@given(
    st.sampled_from(["rnn", "lstm", "gru"]),
    st.lists(prompts, min_size=1, max_size=5),
    st.integers(0, 20),
    st.integers(0, 1000),
    st.sampled_from([0, 0.7, 1.3]),
)
def test_rows_of_a_batch_are_texts_of_their_own(cell, starts, length, seed, temperature):
    network = lively(cell=cell)
    arguments = {"length": length, "temperature": temperature, "top_p": 0.95}
    together = generate_batch(network, VOCAB, starts, seed=seed, **arguments)
    assert together == [
        generate(network, VOCAB, start, seed=seed + row, **arguments)
        for row, start in enumerate(starts)
    ]


def test_a_batch_stops_when_all_rows_have_ended():
    network, read = lively(), []
    with torch.no_grad():
        network.projection.bias[EOS] = 1e4
    network.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0].shape))
    assert generate_batch(network, VOCAB, ["у", "у попа"], length=1000) == ["у", "у попа"]
    # One letter of both, then the five that the longer one has left.
    assert read == [(2, 1)] * 6


def test_rows_without_a_seed_differ(model):
    texts = generate_batch(model, VOCAB, ["у"] * 20, length=40, temperature=2.0)
    assert len(set(texts)) > 1


WORDS = Vocab.build("кот видит дом и кот идёт в дом".split())


def test_words_are_continued_as_characters_are():
    torch.manual_seed(0)
    network = LanguageModel(len(WORDS), hidden=8)
    starts = [["кот"], ["и", "кот"]]
    texts = generate_batch(network, WORDS, starts, length=5, seed=1)
    assert texts == [
        generate(network, WORDS, start, length=5, seed=1 + row) for row, start in enumerate(starts)
    ]
    assert texts[1].startswith("и кот ")
    assert search(network, WORDS, ["кот"], length=2)[0][0].startswith("кот")
    with pytest.raises(TypeError, match="prompt = 'кот': в этом словаре слова, а пришла строка"):
        generate(network, WORDS, "кот")


def test_a_search_of_width_one_is_greedy(model):
    ((text, _),) = search(model, VOCAB, "у попа бы", length=19, width=1)
    assert text == generate(model, VOCAB, "у попа бы", length=19, temperature=0)


@pytest.mark.parametrize("prompt", ["у", "у попа б"])
def test_a_search_gives_the_log_probabilities_of_its_texts(prompt):
    network = lively()
    found = search(network, VOCAB, prompt, length=6, width=4)
    assert len(found) == len({text for text, _ in found}) == 4
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
    for text, p in found:
        ids = VOCAB.encode(text, eos=len(text) < len(prompt) + 6)
        with torch.no_grad():
            logits, _ = network(torch.tensor([ids[:-1]]))
        said = logits[0].log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])
        assert said[len(prompt) - 1 :].sum().item() == pytest.approx(p)


def test_wrong_lists_and_vocabularies_are_named(model):
    for wrong, kind, message in [
        (lambda: generate_batch(model, VOCAB, "у"), TypeError, "prompts = 'у': нужен список"),
        (lambda: generate_batch(model, VOCAB, []), ValueError, r"prompts = \[\]: нужен хотя бы"),
        (lambda: generate_batch(model, VOCAB, ["у", ""]), ValueError, r"prompts\[1\] = ''"),
        (lambda: generate_batch(model, VOCAB, ["у", "г"]), ValueError, "токена 'г' нет в словаре"),
        (lambda: generate(model, WORDS, ["кот"]), ValueError, "vocab: в словаре 10 токенов, а"),
        (lambda: search(model, WORDS, ["кот"]), ValueError, "vocab: в словаре 10 токенов, а мод"),
        (lambda: search(model, VOCAB, ""), ValueError, "prompt = '': нужен хотя бы один токен"),
        (lambda: distribution(torch.zeros(3)), ValueError, r"logits: форма \(3,\), а нужна"),
        (lambda: distribution(torch.full((9,), torch.nan)), ValueError, "logits: среди них NaN"),
    ]:
        with pytest.raises(kind, match=message):
            wrong()


@pytest.mark.parametrize(
    ("prompt", "arguments", "message"),
    [
        ("", {}, "prompt = '': нужен хотя бы один токен"),
        ("попугай", {}, "prompt = 'попугай': токена 'г' нет в словаре"),
        ("у", {"length": -1}, "length = -1: нужно целое число не меньше 0"),
        ("у", {"temperature": -1}, "temperature = -1: нужно число не меньше 0"),
        ("у", {"top_k": 0}, "top_k = 0: нужно целое число не меньше 1"),
        ("у", {"top_p": 0}, "top_p = 0: нужно число больше 0"),
        ("у", {"top_p": 1.5}, "top_p = 1.5: нужно число от 0 до 1"),
    ],
)
def test_wrong_arguments_are_named(model, prompt, arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(model, VOCAB, prompt, **arguments)


def test_tokens_are_drawn_as_torch_multinomial_draws_them():
    weights = torch.rand(200, 50, generator=torch.Generator().manual_seed(0))
    for seed, row in enumerate(weights.softmax(-1)):
        ours, theirs = (torch.Generator().manual_seed(seed) for _ in range(2))
        for _ in range(5):
            token = _drawn(row.clone(), ours)
            assert token == torch.multinomial(row, 1, generator=theirs).item()
