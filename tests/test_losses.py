import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from coursekit.batching import IGNORED
from coursekit.losses import adaptive_cross_entropy, check_cutoffs, cross_entropy


def adaptive(vocab_size=40, cutoffs=(8, 20), size=16):
    torch.manual_seed(0)
    softmax = nn.AdaptiveLogSoftmaxWithLoss(size, vocab_size, list(cutoffs)).double()
    # Wide enough for right answers in every cluster.
    for weight in softmax.parameters():
        weight.data.mul_(8)
    return softmax


seeds = st.integers(0, 10_000)


@given(seeds, st.integers(1, 4), st.integers(1, 30), st.floats(0, 1))
def test_the_adaptive_loss_is_torchs_and_that_of_all_log_probabilities(seed, rows, steps, share):
    softmax = adaptive()
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, steps, 16, generator=random, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 40, (rows, steps), generator=random)
    whole = softmax.log_prob(x.flatten(0, 1)).unflatten(0, (rows, steps))
    # Half of the answers are right, wherever they lie.
    half = torch.rand(rows, steps, generator=random) < 0.5
    targets = torch.where(half, whole.argmax(-1), targets)
    targets[torch.rand(rows, steps, generator=random) < share] = IGNORED
    counted = targets != IGNORED

    total, correct = adaptive_cross_entropy(softmax, x, targets)
    expected, right = cross_entropy(whole, targets)
    torch.testing.assert_close(total, expected, atol=1e-10, rtol=1e-12)
    assert correct == right
    if counted.any():
        theirs = -softmax(x[counted], targets[counted]).output.sum()
        torch.testing.assert_close(total, theirs, atol=1e-10, rtol=1e-12)

    inside = [x, *softmax.parameters()]
    grads = torch.autograd.grad(total, inside)
    for ours, theirs in zip(grads, torch.autograd.grad(expected, inside), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)


def test_right_answers_come_from_every_cluster():
    softmax = adaptive()
    x = torch.randn(4, 200, 16, dtype=torch.float64)
    likeliest = softmax.log_prob(x.flatten(0, 1)).argmax(-1).view(4, 200)
    for low, high in ((0, 8), (8, 20), (20, 40)):
        assert ((low <= likeliest) & (likeliest < high)).any()
    assert adaptive_cross_entropy(softmax, x, likeliest)[1] == 800


@pytest.mark.parametrize("targets", [[[IGNORED, 40]], [[-1, 5]]])
def test_targets_beyond_the_vocabulary_are_named(targets):
    x = torch.zeros(1, 2, 16, dtype=torch.float64)
    for loss in (
        lambda: adaptive_cross_entropy(adaptive(), x, torch.tensor(targets)),
        lambda: cross_entropy(torch.zeros(1, 2, 40), torch.tensor(targets)),
    ):
        with pytest.raises(ValueError, match="targets: ответы от .* для ответов от 0 до 39"):
            loss()


def test_targets_of_another_shape_or_kind_are_named():
    x = torch.zeros(2, 2, 16, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"targets: форма \(2, 3\), а нужна \(2,\)"):
        cross_entropy(torch.zeros(2, 5), torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"targets: тип torch\.float32, а нужен"):
        cross_entropy(torch.zeros(2, 5), torch.zeros(2))
    with pytest.raises(ValueError, match=r"targets: форма \(4,\), а нужна \(2, 2\)"):
        adaptive_cross_entropy(adaptive(), x, torch.tensor([1, 2, 3, 4]))


@pytest.mark.parametrize(
    ("cutoffs", "message"),
    [
        ([], r"cutoffs = \[\]: нужны номера по возрастанию, меньше vocab_size = 40"),
        ([8, 8], r"cutoffs = \[8, 8\]: нужны номера по возрастанию"),
        ([20, 8], r"cutoffs = \[20, 8\]: нужны номера по возрастанию"),
        ([40], r"cutoffs = \[40\]: нужны номера .* меньше vocab_size = 40"),
        ([0, 8], "cutoffs = 0: нужно целое число не меньше 1"),
        ([8, 12, 20], r"от 16 чисел ничего .*не меньше 64"),
    ],
)
def test_wrong_cutoffs_are_named(cutoffs, message):
    with pytest.raises(ValueError, match=message):
        check_cutoffs(cutoffs, 40, 16)
    assert check_cutoffs((8, 20), 40, 16) == [8, 20]
