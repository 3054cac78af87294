"""Ids in batches: rows of one long stream, or separate sequences of like length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from coursekit.arguments import check_flag, check_instance, check_sequence, check_whole, shown
from coursekit.tensors import row_of_ids
from coursekit.vocab import EOS, PAD

# What torch's cross_entropy leaves out by default; no token has this id, so no target is lost.
IGNORED = -100

# Batches whose sequences are sorted together: lengths are close, the order stays random enough.
POOL = 50


@dataclass(frozen=True)
class Batch:
    """One step of training for B rows of at most T tokens.

    ``inputs`` are padded with ``PAD``. ``targets`` are [B, T], padded with ``IGNORED``, or [B] with
    a class a row, or [B, U] with another sequence a row. ``lengths`` are the true lengths of the
    inputs. ``count`` targets count in the loss: those that are not ``IGNORED``. ``continues`` tells
    that the rows go on where the previous batch stopped.
    """

    inputs: Int[Tensor, "B T"]
    targets: Int[Tensor, "B *U"]
    lengths: Int[Tensor, "B"]
    count: int
    continues: bool

    def to(self, device: torch.device) -> "Batch":
        """Return the batch with its tensors on ``device``."""
        check_instance("device", device, torch.device, "нужно torch.device('cpu') или другое")
        return replace(
            self,
            inputs=self.inputs.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
            lengths=self.lengths.to(device, non_blocking=True),
        )


@runtime_checkable
class Batches(Protocol):
    """What ``fit`` trains on: ``StreamBatches`` or ``PaddedBatches``."""

    count: int

    def __len__(self) -> int: ...

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of one epoch; the same number gives the same batches."""
        ...


class StreamBatches:
    """Windows of ``length`` tokens over one long text, cut into ``batch_size`` parallel rows.

    Row r of a batch goes on where row r of the previous batch stopped, so that a model may carry
    its state (truncated BPTT). Every token but the first is a target exactly once; the rows differ
    by at most one token, and the missing one is padding. Source: chapter 4.

    >>> for batch in StreamBatches([10, 11, 12, 13, 14, 15], batch_size=2, length=2):
    ...     print(batch.inputs.tolist(), batch.targets.tolist(), batch.continues)
    [[10, 11], [13, 14]] [[11, 12], [14, 15]] False
    [[12], [0]] [[13], [-100]] True
    """

    def __init__(self, ids: Sequence[int], batch_size: int, length: int) -> None:
        check_whole("batch_size", batch_size)
        self.length = check_whole("length", length)
        stream = row_of_ids("ids", ids)
        if len(stream) <= length:
            raise ValueError(
                f"ids: {tuple(stream.shape)} — текст короче одного окна, а нужно больше "
                f"length = {length} токенов подряд. Возьмите текст длиннее или окно короче."
            )
        rows = min(batch_size, len(stream) - 1)
        self.inputs = pad_sequence(list(stream[:-1].tensor_split(rows)), True, PAD)
        self.targets = pad_sequence(list(stream[1:].tensor_split(rows)), True, IGNORED)
        self.count = len(stream) - 1

    def __len__(self) -> int:
        return -(-self.inputs.shape[1] // self.length)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches in the order of the text, the same in every epoch."""
        for start in range(0, self.inputs.shape[1], self.length):
            inputs = self.inputs[:, start : start + self.length]
            targets = self.targets[:, start : start + self.length]
            counted = targets != IGNORED
            yield Batch(inputs, targets, counted.sum(1), int(counted.sum()), start > 0)


class PaddedBatches:
    """Separate sequences in batches of like length; shorter rows are padded at their end.

    Without ``targets`` a sequence's targets are its own tokens moved by one (language modelling).
    ``targets`` are otherwise a class for each sequence, or a sequence of tags of the same length,
    where ``IGNORED`` stands for what is not asked; with ``aligned=False`` a sequence of any length
    that ends with ``<eos>``. Every sequence comes once an epoch; (``seed``, epoch) alone decides
    the order. With ``shuffle=False`` the order is that of ``sequences``.

    >>> batches = PaddedBatches([[5, 6, 7], [8, 9]], batch_size=2, shuffle=False)
    >>> batch = next(iter(batches))
    >>> batch.inputs.tolist(), batch.targets.tolist(), batch.lengths.tolist()
    ([[5, 6], [8, 0]], [[6, 7], [9, -100]], [2, 1])
    """

    def __init__(
        self,
        sequences: Sequence[Sequence[int]],
        targets: Sequence[int] | Sequence[Sequence[int]] | None = None,
        *,
        batch_size: int,
        aligned: bool = True,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        self.batch_size = check_whole("batch_size", batch_size)
        self.shuffle = check_flag("shuffle", shuffle)
        check_flag("aligned", aligned)
        self.seed = check_whole("seed", seed, least=0)
        shortest = 2 if targets is None else 1
        check_sequence("sequences", sequences, "последовательностей")
        if len(sequences) == 0:
            raise ValueError("sequences = []: нет ни одной последовательности.")
        whole = [row_of_ids(f"sequences[{row}]", each) for row, each in enumerate(sequences)]
        for number, sequence in enumerate(whole):
            if len(sequence) < shortest:
                raise ValueError(
                    f"sequences[{number}] = {sequence.tolist()}: нужно не меньше {shortest} "
                    "токенов. Уберите слишком короткие последовательности сами, чтобы знать, "
                    "сколько их."
                )
        if targets is None:
            self.inputs = [sequence[:-1] for sequence in whole]
            self.targets = [sequence[1:] for sequence in whole]
        else:
            check_sequence("targets", targets, "ответов")
            if len(targets) != len(whole):
                raise ValueError(
                    f"targets: их {len(targets)}, а последовательностей {len(whole)}; "
                    "нужен один ответ на последовательность."
                )
            self.inputs = whole
            self.targets = [answer(f"targets[{row}]", each) for row, each in enumerate(targets)]
        if not aligned:
            check_ends(self.targets)
        elif any(target.ndim for target in self.targets):
            check_aligned(self.inputs, self.targets)
        self.counts = [int((target != IGNORED).sum()) for target in self.targets]
        if 0 in self.counts:
            number = self.counts.index(0)
            raise ValueError(
                f"targets[{number}]: все ответы — IGNORED, учиться не на чем. "
                f"Уберите sequences[{number}] сами, чтобы знать, сколько таких."
            )
        self.count = sum(self.counts)

    def __len__(self) -> int:
        return -(-len(self.inputs) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of epoch ``number``; the same number gives the same order."""
        number = check_whole("number", number, least=0)
        for rows in self._order(number):
            inputs = [self.inputs[row] for row in rows]
            targets = [self.targets[row] for row in rows]
            yield Batch(
                pad_sequence(inputs, True, PAD),
                pad_sequence(targets, True, IGNORED) if targets[0].ndim else torch.stack(targets),
                torch.tensor([len(row) for row in inputs]),
                sum(self.counts[row] for row in rows),
                continues=False,
            )

    def _size(self, row: int) -> tuple[int, int]:
        return len(self.inputs[row]), self.targets[row].numel()

    def _order(self, number: int) -> list[list[int]]:
        size = self.batch_size
        if not self.shuffle:
            rows = list(range(len(self.inputs)))
            return [rows[start : start + size] for start in range(0, len(rows), size)]
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        rows = torch.randperm(len(self.inputs), generator=random).tolist()
        # What is left over joins the last pool: the batch that is not full then holds the longest.
        pools = max(1, len(self) // POOL)
        edges = [*range(0, pools * POOL * size, POOL * size), len(rows)]
        batches = []
        for first, end in pairwise(edges):
            pool = sorted(rows[first:end], key=self._size)
            batches += [pool[start : start + size] for start in range(0, len(pool), size)]
        return [batches[i] for i in torch.randperm(len(batches), generator=random).tolist()]


def answer(name: str, value: Any) -> Int[Tensor, "*T"]:
    """Return a target as a tensor: a class, or a row of tags or tokens.

    >>> answer("targets[0]", 2), answer("targets[1]", [2, 0])
    (tensor(2), tensor([2, 0]))
    """
    if isinstance(value, Sequence) or getattr(value, "ndim", None):
        return row_of_ids(name, value)
    number = value.item() if hasattr(value, "item") else value  # a tensor's or an array's
    return torch.tensor(check_whole(name, number, least=IGNORED))


def check_batch(batch: object) -> None:
    """Raise a ``TypeError`` unless ``batch`` is a ``batching.Batch``."""
    check_instance("batch", batch, Batch, "нужен пакет, какие дают PaddedBatches и StreamBatches")


def check_aligned(inputs: list[Int[Tensor, "_"]], targets: list[Int[Tensor, "_"]]) -> None:
    """Raise unless every target has one tag for each token of its input."""
    for number, (row, target) in enumerate(zip(inputs, targets, strict=True)):
        if target.ndim != 1 or len(target) != len(row):
            raise ValueError(
                f"targets[{number}]: {target.numel()} меток на {len(row)} токенов; нужна одна "
                "метка на токен. Для ответов любой длины возьмите aligned=False."
            )


def check_ends(targets: list[Int[Tensor, "_"]]) -> None:
    """Raise unless every target is a sequence that ends with ``<eos>``."""
    for number, target in enumerate(targets):
        if target.ndim != 1 or len(target) == 0 or target[-1] != EOS:
            raise ValueError(
                f"targets[{number}] = {shown(target.tolist())}: при aligned=False ответ — "
                f"последовательность, и последний её номер — {EOS}, <eos>, чтобы модель знала, "
                "где остановиться. Попробуйте vocab.encode(text, eos=True)."
            )
