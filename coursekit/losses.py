"""What a model says of a batch: the summed loss and the number of right answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.arguments import check_instance, check_sequence, check_whole, shown
from coursekit.batching import IGNORED
from coursekit.layers import State
from coursekit.tensors import check_alike, check_floats, check_shape, check_targets


@dataclass(frozen=True)
class Step:
    """What a model says of one batch.

    ``total`` is the sum of losses in nats and ``correct`` the number of right answers (scalars on
    the model's device, so that nothing waits for them); ``count`` answers were counted; ``state``
    is ready for a batch that continues this one and holds no gradients.
    """

    total: Float[Tensor, ""]
    count: int
    correct: Int[Tensor, ""]
    state: State | None


def cross_entropy(
    logits: Float[Tensor, "B *T C"], targets: Int[Tensor, "B *T"]
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Return the summed loss in nats and the number of right answers, ``IGNORED`` ones left out.

    >>> total, correct = cross_entropy(torch.zeros(3, 4), torch.tensor([0, 1, IGNORED]))
    >>> round(total.item(), 4), correct.item()
    (2.7726, 1)
    """
    check_floats("logits", logits)
    check_targets(targets, logits)
    try:
        total = F.cross_entropy(logits.flatten(0, -2), targets.flatten().long(), reduction="sum")
    except IndexError:
        raise unknown_targets(targets, logits.shape[-1]) from None
    return total, (logits.detach().argmax(-1) == targets).sum()


def adaptive_cross_entropy(
    softmax: nn.AdaptiveLogSoftmaxWithLoss, x: Float[Tensor, "B *T E"], targets: Int[Tensor, "B *T"]
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Return what ``cross_entropy`` does, for ``x`` that enters an adaptive softmax.

    Numbers for the whole vocabulary are computed for few tokens, if for any. Torch's own loss says
    nothing of right answers and does not run under autocast. Source: E. Grave et al.,
    arXiv:1609.04309.
    """
    check_instance(
        "softmax", softmax, nn.AdaptiveLogSoftmaxWithLoss, "нужен nn.AdaptiveLogSoftmaxWithLoss"
    )
    check_floats("x", x)
    check_shape("x", x, "B", "T", softmax.in_features)
    check_alike("x", x, "веса", softmax.head.weight)
    check_targets(targets, x)
    counted = targets != IGNORED
    x, targets = x[counted], targets[counted]  # [N, E], [N]
    if ((targets < 0) | (targets >= softmax.n_classes)).any():
        raise unknown_targets(targets, softmax.n_classes)
    head = softmax.head(x).log_softmax(-1)  # [N, frequent tokens + clusters of rare ones]
    place = targets.clone()
    parts = []
    for cluster, (low, high) in enumerate(pairwise(softmax.cutoffs)):
        rows = ((targets >= low) & (targets < high)).nonzero().squeeze(1)
        inside = softmax.tail[cluster](x[rows]).log_softmax(-1)
        parts.append((rows, inside.gather(1, targets[rows, None] - low).squeeze(1)))
        place[rows] = softmax.shortlist_size + cluster
    said = head.gather(1, place[:, None]).squeeze(1)  # log-probabilities of targets
    for rows, inside in parts:
        said = said.index_add(0, rows, inside)
    with torch.no_grad():
        # Only a target that no frequent token beats can be the likeliest: few are asked about.
        likely = said >= head[:, : softmax.shortlist_size].amax(-1)
        correct = (softmax.predict(x[likely]) == targets[likely]).sum()
    return -said.sum(), correct


def unknown_targets(targets: Int[Tensor, "..."], classes: int) -> ValueError:
    """Return the error that names a target outside of those that a model can answer."""
    true = targets[targets != IGNORED]
    return ValueError(
        f"targets: ответы от {int(true.min())} до {int(true.max())}, а модель построена для "
        f"ответов от 0 до {classes - 1}. Пронумеруйте ответы с нуля подряд или постройте модель "
        "с большим их числом."
    )


def check_cutoffs(cutoffs: Sequence[int], vocab_size: int, size: int) -> list[int]:
    """Return ``cutoffs`` as a list if they rise, from 1 on, and stay below ``vocab_size``.

    The vectors that enter the softmax, of ``size`` numbers, are four times shorter in every next
    cluster, and one number at least must be left.
    """
    found = [
        check_whole("cutoffs", cutoff) for cutoff in check_sequence("cutoffs", cutoffs, "номеров")
    ]
    if not found or any(low >= high for low, high in pairwise([*found, vocab_size])):
        raise ValueError(
            f"cutoffs = {shown(cutoffs)}: нужны номера по возрастанию, меньше vocab_size = "
            f"{vocab_size}, например [2000, 10000] для словаря из 40 000 слов."
        )
    if size < 4 ** len(found):
        raise ValueError(
            f"cutoffs = {shown(cutoffs)}: с каждым порогом векторы вчетверо короче, и от {size} "
            f"чисел ничего не останется. Возьмите embedding не меньше {4 ** len(found)} или "
            "порогов меньше."
        )
    return found
