"""Beam search: the likeliest sequences of tokens, as far as a beam of given width sees."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from coursekit.arguments import check_callable, check_real, check_whole, shown
from coursekit.layers import State
from coursekit.tensors import check_floats, check_ids, check_shape, check_state
from coursekit.vocab import BOS, EOS, PAD, SPECIALS, UNK

# Reads a token a row from the state: log-probabilities of what follows, and the state after.
Reader = Callable[[Int[Tensor, "B"], State], tuple[Float[Tensor, "B V"], State]]


class Hypothesis(NamedTuple):
    """A sequence that the search found: tokens without ``<eos>``, ln p and penalised score."""

    tokens: list[int]
    log_probability: float
    score: float


def penalised(log_probability: float, length: int, length_penalty: float) -> float:
    """Return ln p ÷ ((5 + length) / 6) ^ length_penalty: the larger, the better.

    Every token lowers ln p, so that the shortest sequence tends to win; the penalty 0 leaves it so.
    Source: Y. Wu et al., arXiv:1609.08144, section 7.

    >>> penalised(-6.0, 1, 1.0), penalised(-6.0, 7, 1.0), penalised(-6.0, 7, 0.0)
    (-6.0, -3.0, -6.0)
    """
    check_real("log_probability", log_probability, least=-math.inf)
    check_whole("length", length)
    check_real("length_penalty", length_penalty, 0, 10)
    return log_probability / _divisor(length, length_penalty)


def _divisor(length: int, length_penalty: float) -> float:
    return math.pow((5 + length) / 6, length_penalty)


@torch.no_grad()
def beam_search(
    read: Reader,
    following: Float[Tensor, "B V"],
    state: State,
    *,
    width: int,
    length: int,
    length_penalty: float = 0.0,
) -> list[list[Hypothesis]]:
    """Return for each of B rows its ``width`` best hypotheses, or fewer, the best first.

    ``following`` are the log-probabilities of each row's first token, ``state`` what the
    model has before it reads one; ``read(tokens, state)`` goes on with B·width rows, those of row 0
    first. At each step the ``width`` likeliest extensions of a row are kept, equal ones by their
    number; ``<pad>``, ``<unk>`` and ``<bos>`` are never among them. One that ends with ``<eos>``
    leaves the beam; one of ``length`` tokens, ``<eos>`` counted, stands as it is. They are ranked
    by ``penalised``, and a row stops when nothing in its beam can outrank what it has. A width of 1
    is greedy search; no width below that of all sequences promises the best one.
    Log-probabilities that are NaN are a ``ValueError``.

    Sources: A. Graves, arXiv:1211.3711, section 2.5; Y. Wu et al., arXiv:1609.08144, section 7.

    >>> die = torch.tensor([[0, 0, 0, 0.2, 0.5, 0.3]]).log()
    >>> def throw(tokens, state):
    ...     return die.expand(len(tokens), 6), state
    >>> for found in beam_search(throw, die, (), width=3, length=2)[0]:
    ...     print(found.tokens, round(math.exp(found.log_probability), 2))
    [4, 4] 0.25
    [] 0.2
    [4, 5] 0.15
    """
    width = check_whole("width", width)
    length = check_whole("length", length)
    length_penalty = check_real("length_penalty", length_penalty, 0, 10)
    check_callable("read", read)
    check_floats("following", following)
    check_shape("following", following, "B", "V")
    if following.shape[1] < len(SPECIALS):
        raise ValueError(f"following: токенов {following.shape[1]}, а одних служебных четыре.")
    check_state("state", state)
    rows, size = following.shape
    device = following.device
    starts = torch.arange(rows, device=device)[:, None] * width  # [B, 1]
    # All hypotheses of a row begin as one, in its first place; -inf marks an empty place.
    scores = following.new_full((rows, width), -math.inf)
    scores[:, 0] = 0
    copies = torch.arange(rows, device=device).repeat_interleave(width)
    following, state = following[copies], select(state, copies)  # [B·W, V]
    prefixes: list[list[list[int]]] = [[[]] * width for _ in range(rows)]
    found: list[list[Hypothesis]] = [[] for _ in range(rows)]
    for count in range(1, length + 1):
        if following.isnan().any():
            raise ValueError(
                "following: вероятности следующего токена — NaN: модель испорчена, искать не по "
                "чему. Посмотрите, не разошлось ли обучение."
            )
        following = following.index_fill(1, torch.tensor([PAD, UNK, BOS], device=device), -math.inf)
        extended = scores[:, :, None] + following.view(rows, width, size)
        scores, places = stable_topk(extended.flatten(1), width)  # [B, W]
        parents, chosen = places // size, places % size
        for row, best in enumerate(
            zip(scores.tolist(), parents.tolist(), chosen.tolist(), strict=True)
        ):
            grown = []
            for score, parent, token in zip(*best, strict=True):
                prefix = prefixes[row][parent]
                grown.append([*prefix, token])
                if score > -math.inf and (token == EOS or count == length):
                    told = prefix if token == EOS else grown[-1]
                    rank = score / _divisor(count, length_penalty)
                    found[row].append(Hypothesis(told, score, rank))
            prefixes[row] = grown
            # Python sorts stably: of equals the one that was found first stays ahead.
            found[row] = sorted(found[row], key=lambda each: -each.score)[:width]
        scores = scores.masked_fill(chosen == EOS, -math.inf)
        for row, best in enumerate(scores.amax(1).tolist()):
            # ln p only falls, and no sequence is longer than ``length``.
            hope = best / _divisor(length, length_penalty)
            if len(found[row]) == width and found[row][-1].score >= hope:
                scores[row] = -math.inf
        if count == length or not scores.isfinite().any():
            break
        following, state = read(chosen.flatten(), select(state, (starts + parents).flatten()))
    return found


def select(
    state: State, rows: Int[Tensor, "N"]
) -> tuple[Float[Tensor, "1 N H"] | tuple[Float[Tensor, "1 N H"], Float[Tensor, "1 N H"]], ...]:
    """Return those ``rows`` of a recurrent state.

    >>> (h,) = select((torch.tensor([[[1.0], [2.0]]]),), torch.tensor([1, 1, 0]))
    >>> h.flatten().tolist()
    [2.0, 2.0, 1.0]
    """
    check_state("state", state)
    check_ids("rows", rows)
    try:
        return tuple(
            part[:, rows] if isinstance(part, Tensor) else (part[0][:, rows], part[1][:, rows])
            for part in state
        )
    except IndexError:
        raise ValueError(f"rows = {shown(rows.tolist())}: столько строк в state нет.") from None


def stable_topk(
    values: Float[Tensor, "B N"], k: int
) -> tuple[Float[Tensor, "B {k}"], Int[Tensor, "B {k}"]]:
    """Return the k largest of each row of ``values`` and their places, equals by place.

    ``torch.topk`` promises nothing about equals, and a stable sort of a large row takes long.

    >>> stable_topk(torch.tensor([[1.0, 3.0, 1.0, 1.0, 2.0]]), 3)
    (tensor([[3., 2., 1.]]), tensor([[1, 4, 0]]))
    """
    check_floats("values", values)
    check_shape("values", values, "B", "N")
    k = check_whole("k", k, most=values.shape[1])
    least = values.topk(k).values[:, -1:]
    above, equal = values > least, values == least
    room = k - above.sum(1, keepdim=True)
    kept = above | equal & (equal.cumsum(1) <= room)
    places = kept.nonzero()[:, 1].view(-1, k)
    sorted_, order = values.gather(1, places).sort(descending=True, stable=True)
    return sorted_, places.gather(1, order)
