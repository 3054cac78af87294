"""Ids in batches: rows of one long stream, or separate sequences of like length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from coursekit.arguments import check_whole
from coursekit.vocab import PAD

# What torch's cross_entropy leaves out by default; no token has this id, so no target is lost.
IGNORED = -100

# Batches whose sequences are sorted together: lengths are close, the order stays random enough.
POOL = 50


@dataclass(frozen=True)
class Batch:
    """One step of training for B rows of at most T tokens.

    ``inputs`` is [B, T], padded with ``PAD``. ``targets`` is [B, T], padded with ``IGNORED``, or
    [B] with a class a row. ``lengths`` [B] are the true lengths. ``count`` targets count in the
    loss. ``continues`` tells that the rows go on where the previous batch stopped.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor
    count: int
    continues: bool

    def to(self, device: torch.device) -> "Batch":
        """Return the batch with its tensors on ``device``."""
        return replace(
            self,
            inputs=self.inputs.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
            lengths=self.lengths.to(device, non_blocking=True),
        )


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
        stream = torch.as_tensor(ids, dtype=torch.int64)
        if stream.ndim != 1 or len(stream) <= length:
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
    ``targets`` are otherwise a class for each sequence, or a sequence of tags of the same length.
    Every sequence comes once an epoch; (``seed``, epoch) alone decides the order. With
    ``shuffle=False`` the order is that of ``sequences``.

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
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        self.batch_size = check_whole("batch_size", batch_size)
        self.shuffle = shuffle
        self.seed = check_whole("seed", seed, least=0)
        shortest = 2 if targets is None else 1
        if len(sequences) == 0:
            raise ValueError("sequences = []: нет ни одной последовательности.")
        for number, sequence in enumerate(sequences):
            if len(sequence) < shortest:
                raise ValueError(
                    f"sequences[{number}] = {list(sequence)}: нужно не меньше {shortest} токенов. "
                    "Уберите слишком короткие последовательности сами, чтобы знать, сколько их."
                )
        whole = [torch.as_tensor(sequence, dtype=torch.int64) for sequence in sequences]
        if targets is None:
            self.inputs = [sequence[:-1] for sequence in whole]
            self.targets = [sequence[1:] for sequence in whole]
        else:
            if len(targets) != len(whole):
                raise ValueError(
                    f"targets: их {len(targets)}, а последовательностей {len(whole)}; "
                    "нужен один ответ на последовательность."
                )
            self.inputs = whole
            self.targets = [torch.as_tensor(target, dtype=torch.int64) for target in targets]
            for number, (row, target) in enumerate(zip(whole, self.targets, strict=True)):
                if target.ndim and len(target) != len(row):
                    raise ValueError(
                        f"targets[{number}]: {len(target)} меток на {len(row)} токенов; "
                        "нужна одна метка на токен."
                    )
        self.count = sum(target.numel() for target in self.targets)

    def __len__(self) -> int:
        return -(-len(self.inputs) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of epoch ``number``; the same number gives the same order."""
        for rows in self._order(number):
            inputs = [self.inputs[row] for row in rows]
            targets = [self.targets[row] for row in rows]
            yield Batch(
                pad_sequence(inputs, True, PAD),
                pad_sequence(targets, True, IGNORED) if targets[0].ndim else torch.stack(targets),
                torch.tensor([len(row) for row in inputs]),
                sum(target.numel() for target in targets),
                continues=False,
            )

    def _order(self, number: int) -> list[list[int]]:
        size = self.batch_size
        if not self.shuffle:
            rows = list(range(len(self.inputs)))
            return [rows[start : start + size] for start in range(0, len(rows), size)]
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        rows = torch.randperm(len(self.inputs), generator=random).tolist()
        batches = []
        for start in range(0, len(rows), size * POOL):
            pool = sorted(rows[start : start + size * POOL], key=lambda row: len(self.inputs[row]))
            batches += [pool[start : start + size] for start in range(0, len(pool), size)]
        return [batches[i] for i in torch.randperm(len(batches), generator=random).tolist()]
