import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.batching import StreamBatches
from coursekit.generation import distribution, generate
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
    assert sum(read) == len("у попа") + 50


def test_the_whole_prompt_warms_the_state(model):
    # Both prompts end with the same letter; only one of them has «попа» before it.
    first = generate(model, VOCAB, "у попа б", length=3, temperature=0)
    second = generate(model, VOCAB, "он её люб", length=3, temperature=0)
    assert (first[-3:], second[-3:]) == ("ыла", "ил.")


def test_eos_ends_the_text(model):
    class Ended(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, inputs, state=None):
            seen = (state or 0) + inputs.shape[1]
            target = EOS if seen >= 3 else 4
            row = torch.nn.functional.one_hot(torch.tensor(target), len(VOCAB)).float() * 99
            return row.view(1, 1, -1), seen

    text = generate(Ended(), VOCAB, VOCAB.tokens[5], length=50, temperature=0)
    assert text == VOCAB.tokens[5] + VOCAB.tokens[4] * 2


def test_mode_and_random_state_are_left_as_they_were(model):
    model.train()
    before = torch.random.get_rng_state()
    generate(model, VOCAB, "у", length=5, seed=1)
    assert model.training
    assert torch.equal(before, torch.random.get_rng_state())
    model.eval()


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
