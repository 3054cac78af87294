import math

import pandas as pd
import pytest
import torch

from coursekit.batching import PaddedBatches, StreamBatches
from coursekit.models import LanguageModel
from coursekit.training import LossError, evaluate, fit
from coursekit.vocab import Vocab

TEXT = "у попа была собака, он её любил. " * 30
VOCAB = Vocab.build(TEXT)


def stream(length=16, batch_size=4):
    return StreamBatches(VOCAB.encode(TEXT), batch_size, length)


def model(**arguments):
    torch.manual_seed(0)
    return LanguageModel(len(VOCAB), **{"hidden": 24, **arguments})


def trained(network, seed=0, **arguments):
    rows = fit(network, stream(), epochs=2, lr=1e-2, seed=seed, progress=False, **arguments)
    return [row["train_loss"] for row in rows]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
def test_a_rhyme_is_learnt_by_heart(cell, schedule):
    network = model(cell=cell)
    history = fit(
        network, stream(), stream(), epochs=20, lr=5e-3, schedule=schedule, progress=False
    )
    assert history[0]["train_loss"] > 1.5
    assert history[-1]["valid_perplexity"] < 1.6
    assert history[-1]["valid_accuracy"] > 0.85


def test_history_is_ready_for_pandas_and_on_epoch_sees_each_row():
    seen = []
    history = fit(
        model(), stream(), stream(), epochs=3, progress=False, device="cpu", on_epoch=seen.append
    )
    assert seen == history
    frame = pd.DataFrame(history)
    assert frame["epoch"].tolist() == [1, 2, 3]
    for part in ("train", "valid"):
        loss, perplexity = frame[f"{part}_loss"], frame[f"{part}_perplexity"]
        assert perplexity.tolist() == pytest.approx([math.exp(nats) for nats in loss])


def test_the_same_seed_gives_the_same_numbers_and_another_others():
    first = trained(model(dropout=0.3))
    torch.rand(7)
    assert first == trained(model(dropout=0.3))
    assert first != trained(model(dropout=0.3), seed=1)


def test_the_global_random_state_is_left_alone():
    network = model(dropout=0.3)
    before = torch.random.get_rng_state()
    trained(network)
    assert torch.equal(before, torch.random.get_rng_state())


def test_evaluate_is_the_loss_over_all_tokens_with_carried_state():
    network = model().eval()
    inputs, targets = stream().inputs, stream().targets
    logits, _ = network(inputs)
    total = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    seen = evaluate(network, stream(length=7))
    assert seen["loss"] == pytest.approx(total.item(), rel=1e-5)
    assert seen["perplexity"] == pytest.approx(math.exp(total.item()), rel=1e-5)


def test_evaluate_leaves_mode_and_weights_as_they_were():
    network = model(dropout=0.3).train()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    assert evaluate(network, stream()) == evaluate(network, stream())
    assert network.training
    assert all(torch.equal(before[name], w) for name, w in network.state_dict().items())


def test_padded_batches_train_too_and_carry_no_state():
    lines = [VOCAB.encode(part) for part in TEXT.split(". ")[:20]]
    batches = PaddedBatches(lines, batch_size=4)
    network = model()
    states = []
    original = network.loss
    network.loss = lambda batch, state=None: states.append(state) or original(batch, state)
    fit(network, batches, epochs=1, progress=False)
    assert states == [None] * len(batches)


def test_a_step_is_averaged_over_its_tokens_and_clipped():
    network = model()
    lengths = []
    original = torch.nn.utils.clip_grad_norm_

    def spy(weights, clip):
        weights = list(weights)
        original(weights, clip)
        lengths.append(torch.stack([w.grad.norm() for w in weights]).norm().item())

    torch.nn.utils.clip_grad_norm_ = spy
    try:
        fit(network, stream(), epochs=1, clip=0.05, progress=False)
    finally:
        torch.nn.utils.clip_grad_norm_ = original
    assert max(lengths) == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_batch_epoch_and_step(poison):
    network = model()
    original = network.loss
    calls = []

    def loss(batch, state=None):
        calls.append(batch)
        step = original(batch, state)
        worse = step.total * poison if len(calls) == 3 else step.total
        return type(step)(worse, step.count, step.correct, step.state)

    network.loss = loss
    message = rf"Потери стали {poison} на пакете 3, эпоха 1 из 2, lr = 0\.003: .*Уменьшите lr"
    with pytest.raises(LossError, match=message):
        fit(network, stream(), epochs=2, lr=3e-3, progress=False)


def test_progress_is_in_russian(capsys):
    fit(model(), stream(), epochs=1, progress=True)
    assert "эпоха 1 из 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs = 0: нужно целое число не меньше 1"),
        ({"lr": -1e-3}, r"lr = -0\.001: нужно число больше 0"),
        ({"lr": math.nan}, "lr = nan: нужно число больше 0"),
        ({"clip": 0}, "clip = 0: нужно число больше 0"),
        ({"schedule": "step"}, "schedule = 'step': можно 'one-cycle', 'cosine' или 'constant'"),
        ({"seed": -1}, "seed = -1: нужно целое число не меньше 0"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(model(), stream(), **{"epochs": 1, "progress": False, **arguments})


def test_patience_stops_and_restores_the_best_weights():
    # The order of words is another, so that what is learnt by heart makes it worse and worse.
    valid = StreamBatches(VOCAB.encode("любил собака её он, была попа у. " * 3), 2, 16)
    network = model()
    history = fit(
        network, stream(), valid, epochs=40, lr=2e-3, schedule="constant", patience=3,
        progress=False,
    )  # fmt: skip
    losses = [row["valid_loss"] for row in history]
    best = losses.index(min(losses))
    assert best > 0
    assert len(losses) == best + 1 + 3 < 40
    assert evaluate(network, valid)["loss"] == min(losses) < losses[-1]


def test_patience_that_never_runs_out_restores_the_best_weights_too():
    valid = StreamBatches(VOCAB.encode("любил собака её он, была попа у. " * 3), 2, 16)
    network = model()
    how = {"epochs": 12, "lr": 3e-2, "schedule": "constant", "progress": False}
    history = fit(network, stream(), valid, patience=12, **how)
    losses = [row["valid_loss"] for row in history]
    assert len(losses) == 12
    assert evaluate(network, valid)["loss"] == min(losses) < losses[-1]
    last = model()
    fit(last, stream(), valid, **how)
    assert evaluate(last, valid)["loss"] == losses[-1]


def test_an_equal_loss_is_no_better_one():
    network = model()
    for weight in network.parameters():
        weight.requires_grad_(False)
    network.linear.bias.requires_grad_(True)
    network.projection.weight.zero_()
    history = fit(network, stream(), stream(), epochs=9, lr=1e-2, patience=2, progress=False)
    assert [row["epoch"] for row in history] == [1, 2, 3]


def test_what_on_epoch_does_changes_nothing():
    def meddle(row):
        torch.rand(5)
        row.clear()

    quiet, meddled = model(dropout=0.3), model(dropout=0.3)
    assert trained(quiet) == trained(meddled, on_epoch=meddle)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patience": 2}, "patience = 2, а valid = None: .*Дайте valid или уберите patience"),
        ({"patience": 0}, "patience = 0: нужно целое число не меньше 1"),
        ({"weight_decay": -1}, "weight_decay = -1: нужно число не меньше 0"),
    ],
)
def test_wrong_patience_and_decay_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(model(), stream(), epochs=1, progress=False, **arguments)


def test_the_loss_stands_beside_the_bar_of_a_long_epoch(capsys):
    fit(model(), stream(length=4), epochs=1, progress=True)
    assert "потери" in capsys.readouterr().err
