"""Attention: scores of queries against keys, and the weighted sum of values that they choose.

B rows, T positions to look at, H numbers in a query or a key, V in a value. A query is [B, H] (one
step of a decoder) or [B, Q, H] (Q of them at once); its scores are [B, T] or [B, Q, T]. A mask is
[B, T], ``True`` at real tokens and ``False`` at padding: it acts in ``attend`` alone.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from coursekit.arguments import check_whole
from coursekit.tensors import check_alike, check_device, check_floats, check_tensor


def length_mask(lengths: Int[Tensor, "B"], steps: int | None = None) -> Bool[Tensor, "B T"]:
    """Return a mask that is ``True`` at the first ``lengths`` positions of each row.

    T is ``steps``, or the greatest length. Other than whole numbers in ``lengths`` are a
    ``TypeError``; a negative length, or one greater than ``steps``, is a ``ValueError``.

    >>> length_mask(torch.tensor([3, 1]))
    tensor([[ True,  True,  True],
            [ True, False, False]])
    """
    check_tensor("lengths", lengths)
    if lengths.dtype not in (torch.int32, torch.int64):
        raise TypeError(
            f"lengths: тип {lengths.dtype}, а нужны целые числа, torch.int64. "
            "Попробуйте lengths.long()."
        )
    if lengths.ndim != 1 or len(lengths) == 0:
        raise ValueError(
            f"lengths: форма {tuple(lengths.shape)}, а нужна (B,): по одной длине на строку пакета."
        )
    least, most = int(lengths.min()), int(lengths.max())
    check_whole("lengths", most, least=0)
    if least < 0:
        raise ValueError(f"lengths: есть длина {least}, а нужны целые числа не меньше 0.")
    if steps is None:
        steps = most
    elif check_whole("steps", steps) < most:
        raise ValueError(
            f"steps = {steps}: есть строка длины {most}, она не поместится. "
            "Возьмите ширину того, к чему маска: inputs.shape[1]."
        )
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def dot(query: Float[Tensor, "B *Q H"], keys: Float[Tensor, "B T H"]) -> Float[Tensor, "B *Q T"]:
    """Return the scores q·k of every query against every key of its row.

    Shapes that do not fit are a ``ValueError``, other than floating numbers or two types at once a
    ``TypeError``; so it is in the whole module.

    Source: M.-T. Luong, H. Pham, C. D. Manning, arXiv:1508.04025, section 3.1.

    >>> dot(torch.tensor([[1.0, 2.0]]), torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]))
    tensor([[1., 2., 3.]])
    """
    check_pair(query, keys)
    return torch.einsum("b...h,bth->b...t", query, keys)


def scaled_dot(
    query: Float[Tensor, "B *Q H"], keys: Float[Tensor, "B T H"]
) -> Float[Tensor, "B *Q T"]:
    """Return the scores q·k / √H of every query against every key of its row.

    The variance of q·k grows with H; divided by √H it does not, and softmax keeps its gradient.
    Source: A. Vaswani et al., arXiv:1706.03762, section 3.2.1.

    >>> scaled_dot(torch.ones(1, 4), torch.ones(1, 3, 4))
    tensor([[2., 2., 2.]])
    """
    return dot(query, keys) / math.sqrt(keys.shape[-1])


def additive(
    query: Float[Tensor, "B *Q H"], keys: Float[Tensor, "B T H"], v: Float[Tensor, "H"]
) -> Float[Tensor, "B *Q T"]:
    """Return the scores v·tanh(q + k) of every query against every key of its row.

    B·Q·T·H numbers are in memory at once. Source: that of ``Additive``, which brings queries and
    keys of any sizes to H numbers first.

    >>> additive(torch.zeros(1, 2), torch.zeros(1, 3, 2), torch.ones(2))
    tensor([[0., 0., 0.]])
    """
    check_pair(query, keys)
    check_floats("v", v)
    if v.shape != keys.shape[2:]:
        raise ValueError(
            f"v: форма {tuple(v.shape)}, а к keys {tuple(keys.shape)} нужна ({keys.shape[2]},)."
        )
    check_alike("v", v, "keys", keys)
    if query.ndim == 3:
        keys = keys[:, None]  # [B, 1, T, H] against [B, Q, 1, H]
    return torch.tanh(query.unsqueeze(-2) + keys) @ v


class Additive(nn.Module):
    """Scores v·tanh(W q + U k): a network of one hidden layer looks at each pair.

    ``query`` is W, ``key`` is U, both without a bias; ``hidden`` is the size of v. U k is the same
    for all queries, so a decoder that makes them one by one computes ``score.key(keys)`` once and
    calls ``additive(score.query(query), projected, score.v)`` at each step.

    Source: D. Bahdanau, K. Cho, Y. Bengio, arXiv:1409.0473, appendix A.1.2.

    >>> score = Additive(6, 4, hidden=8)
    >>> tuple(score(torch.randn(2, 6), torch.randn(2, 5, 4)).shape)
    (2, 5)
    """

    def __init__(self, query_size: int, key_size: int, hidden: int) -> None:
        super().__init__()
        check_whole("query_size", query_size)
        check_whole("key_size", key_size)
        check_whole("hidden", hidden)
        self.query = nn.Linear(query_size, hidden, bias=False)
        self.key = nn.Linear(key_size, hidden, bias=False)
        self.v = nn.Parameter(torch.empty(hidden).uniform_(-1, 1) * hidden**-0.5)

    def forward(
        self, query: Float[Tensor, "B *Q query_size"], keys: Float[Tensor, "B T key_size"]
    ) -> Float[Tensor, "B *Q T"]:
        """Return the scores of every query against every key of its row."""
        check_pair(query, keys, self.query.in_features, self.key.in_features)
        check_alike("query", query, "веса", self.v)
        return additive(self.query(query), self.key(keys), self.v)


class General(nn.Module):
    """Scores q·W k: a dot product for queries and keys of different sizes.

    ``query`` holds W, [key_size, query_size], and acts on queries: there are fewer of them.
    Source: M.-T. Luong, H. Pham, C. D. Manning, arXiv:1508.04025, section 3.1.

    >>> score = General(6, 4)
    >>> tuple(score(torch.randn(2, 3, 6), torch.randn(2, 5, 4)).shape)
    (2, 3, 5)
    """

    def __init__(self, query_size: int, key_size: int) -> None:
        super().__init__()
        check_whole("query_size", query_size)
        check_whole("key_size", key_size)
        self.query = nn.Linear(query_size, key_size, bias=False)

    def forward(
        self, query: Float[Tensor, "B *Q query_size"], keys: Float[Tensor, "B T key_size"]
    ) -> Float[Tensor, "B *Q T"]:
        """Return the scores of every query against every key of its row."""
        check_pair(query, keys, self.query.in_features, self.query.out_features)
        check_alike("query", query, "веса", self.query.weight)
        return dot(self.query(query), keys)


def attend(
    scores: Float[Tensor, "B *Q T"],
    values: Float[Tensor, "B T V"],
    mask: Bool[Tensor, "B T"] | None = None,
) -> tuple[Float[Tensor, "B *Q V"], Float[Tensor, "B *Q T"]]:
    """Return the context of every query and its weights, softmax of ``scores`` over T.

    Without ``mask`` every position counts. Weights sum to 1 and are exactly 0 where the mask is
    ``False``. A row whose mask is ``False`` everywhere is a ``ValueError``.

    Source: D. Bahdanau, K. Cho, Y. Bengio, arXiv:1409.0473, section 3.1.

    >>> mask = length_mask(torch.tensor([2]), steps=4)
    >>> context, weights = attend(torch.zeros(1, 4), torch.tensor([[[1.0], [2], [3], [4]]]), mask)
    >>> context, weights
    (tensor([[1.5000]]), tensor([[0.5000, 0.5000, 0.0000, 0.0000]]))
    """
    check_floats("scores", scores)
    check_floats("values", values)
    if scores.ndim not in (2, 3) or scores.shape[-1] == 0:
        raise ValueError(
            f"scores: форма {tuple(scores.shape)}, а нужна (B, T) или (B, Q, T): строки пакета, "
            "запросы, хотя бы одна позиция."
        )
    size = (scores.shape[0], scores.shape[-1])
    if values.ndim != 3 or values.shape[:2] != size:
        raise ValueError(
            f"values: форма {tuple(values.shape)}, а к scores {tuple(scores.shape)} нужна "
            f"({size[0]}, {size[1]}, V): строки пакета, позиции, числа в значении."
        )
    check_alike("values", values, "scores", scores)
    if mask is not None:
        check_mask(mask, scores)
        padding = ~mask if scores.ndim == 2 else ~mask[:, None]
        scores = scores.masked_fill(padding, -math.inf)
    weights = scores.softmax(-1)
    return torch.einsum("b...t,btv->b...v", weights, values), weights


def check_mask(mask: Bool[Tensor, "B T"], scores: Float[Tensor, "B *Q T"]) -> None:
    """Raise unless ``mask`` is bool, fits ``scores`` and leaves each row something to look at."""
    check_tensor("mask", mask)
    if mask.dtype != torch.bool:
        raise TypeError(
            f"mask: тип {mask.dtype}, а нужен torch.bool, где True — настоящий токен. "
            "Попробуйте mask.bool() или length_mask(lengths)."
        )
    size = (scores.shape[0], scores.shape[-1])
    if mask.shape != size:
        raise ValueError(
            f"mask: форма {tuple(mask.shape)}, а к scores {tuple(scores.shape)} нужна {size}: "
            "строки пакета, позиции. Попробуйте length_mask(lengths, steps)."
        )
    check_device("mask", mask, "scores", scores)
    seen = mask.any(dim=1)
    if not seen.all():
        row = int(seen.int().argmin())
        raise ValueError(
            f"mask[{row}]: в строке {row} нет ни одного True, смотреть не на что. Уберите из "
            "пакета пустые последовательности и проверьте, что True стоит у настоящих токенов, "
            "а False — у дополнения."
        )


def check_pair(
    query: Float[Tensor, "B *Q query_size"],
    keys: Float[Tensor, "B T key_size"],
    query_size: int | None = None,
    key_size: int | None = None,
) -> None:
    """Raise unless ``query`` and ``keys`` fit each other; sizes that are not given are equal."""
    check_floats("query", query)
    check_floats("keys", keys)
    width = key_size or "H"
    if keys.ndim != 3 or 0 in keys.shape[1:] or key_size not in (None, keys.shape[2]):
        raise ValueError(
            f"keys: форма {tuple(keys.shape)}, а нужна (B, T, {width}): строки пакета, хотя бы "
            "одна позиция, числа в ключе."
        )
    rows, size = keys.shape[0], query_size or keys.shape[2]
    if query.ndim not in (2, 3) or (query.shape[0], query.shape[-1]) != (rows, size):
        raise ValueError(
            f"query: форма {tuple(query.shape)}, а к keys {tuple(keys.shape)} нужна "
            f"({rows}, {size}) или ({rows}, Q, {size}): строки пакета, запросы, числа в запросе. "
            "Разные размеры запроса и ключа соединяют Additive и General."
        )
    check_alike("query", query, "keys", keys)
