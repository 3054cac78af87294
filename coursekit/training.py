"""One plain training loop."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, OneCycleLR
from tqdm import tqdm

from coursekit.arguments import check_choice, check_real, check_whole
from coursekit.batching import Batch
from coursekit.checkpoints import as_path, resume_training, save_training
from coursekit.metrics import accuracy, perplexity
from coursekit.models import Step

SCHEDULES = ("one-cycle", "cosine", "constant")

# Losses are looked at this often: each look makes a GPU wait.
LOOK_EVERY = 50

Row = dict[str, float]


class Batches(Protocol):
    """What ``fit`` trains on: ``StreamBatches`` or ``PaddedBatches``."""

    count: int

    def __len__(self) -> int: ...

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of one epoch; the same number gives the same batches."""
        ...


class Model(Protocol):
    """What ``fit`` trains: a torch module that answers ``loss``."""

    training: bool

    def parameters(self) -> Iterator[nn.Parameter]: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: dict[str, Any]) -> object: ...  # noqa: D102
    def to(self, device: torch.device) -> object: ...  # noqa: D102
    def train(self, mode: bool = True) -> object: ...  # noqa: D102

    def loss(self, batch: Batch, state: Any = None) -> Step:
        """Return what the model says of ``batch``; see ``models.Step``."""
        ...


class LossError(ValueError):
    """The loss became NaN or infinite."""


def best_device() -> torch.device:
    """Return CUDA where there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def fit(
    model: Model,
    train: Batches,
    valid: Batches | None = None,
    *,
    epochs: int,
    lr: float = 1e-3,
    schedule: str = "one-cycle",
    clip: float = 1.0,
    weight_decay: float = 0.01,
    seed: int = 0,
    patience: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
    on_epoch: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Train ``model`` with AdamW and return its history, a row of numbers an epoch.

    ``lr`` is the step at its largest; ``schedule`` moves it ("one-cycle", "cosine", "constant").
    Gradients longer than ``clip`` are shortened to it. ``seed`` decides dropout and the order of
    batches and leaves the global random state alone. With ``patience`` training stops after that
    many epochs without a better validation loss, and the best weights are restored at the end.
    ``checkpoint`` is a file, rewritten after every epoch; where it exists, training goes on from
    it and, on the same device, ends with the weights of a run that was never interrupted.
    ``on_epoch`` gets every row as it is made.

    A loss that is not finite is a ``LossError`` that names the batch; a checkpoint of another model
    is a ``CheckpointError``, one begun with other arguments a ``ValueError``. Sources: AdamW,
    arXiv:1711.05101; one-cycle, arXiv:1708.07120; clipping, arXiv:1211.5063; early stopping,
    L. Prechelt, doi:10.1007/3-540-49430-8_3.
    """
    epochs = check_whole("epochs", epochs)
    lr = check_real("lr", lr, open_ends=True)
    clip = check_real("clip", clip, open_ends=True)
    weight_decay = check_real("weight_decay", weight_decay)
    seed = check_whole("seed", seed, least=0)
    if patience is not None:
        patience = check_whole("patience", patience)
        if valid is None:
            raise ValueError(
                f"patience = {patience}, а valid = None: судить, стало ли лучше, не по чему. "
                "Дайте valid или уберите patience."
            )
    # What a checkpoint must have been begun with, or going on from it would end elsewhere.
    arguments = {
        "epochs": epochs,
        "lr": lr,
        "schedule": schedule,
        "clip": clip,
        "weight_decay": weight_decay,
        "seed": seed,
        "patience": patience,
        "len(train)": len(train),
        "len(valid)": None if valid is None else len(valid),
    }
    path = None if checkpoint is None else as_path("checkpoint", checkpoint)
    device = best_device() if device is None else torch.device(device)
    model.to(device)
    optimizer = AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    scheduler = _scheduler(optimizer, schedule, lr, steps=epochs * len(train))
    history: list[Row] = []
    best: dict[str, Tensor] = {}

    def save() -> None:
        if path is not None:
            save_training(path, arguments, history, best, model, optimizer, scheduler, device)

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if path is not None and path.exists():
            history, best = resume_training(path, arguments, model, optimizer, scheduler, device)
        else:
            save()  # a path that cannot be written is better known now than after an epoch
        for epoch in range(len(history) + 1, epochs + 1):
            if patience is not None and _epochs_without_better(history) >= patience:
                break
            start = time.perf_counter()
            label = f"эпоха {epoch} из {epochs}, lr = {lr:g}"
            with tqdm(desc=label, total=len(train), unit="пакет", disable=not progress) as bar:
                seen = _train_epoch(
                    model, train.epoch(epoch), optimizer, scheduler, clip, device, bar, label
                )
            row: Row = {"epoch": epoch, **{f"train_{name}": seen[name] for name in seen}}
            if valid is not None:
                seen = evaluate(model, valid, device=device)
                row |= {f"valid_{name}": seen[name] for name in seen}
            row["seconds"] = time.perf_counter() - start
            history.append(row)
            if patience is not None and _epochs_without_better(history) == 0:
                best = {name: weight.clone() for name, weight in model.state_dict().items()}
            save()
            if on_epoch is not None:
                # Neither what it draws nor what it does to its row may change what comes next.
                with torch.random.fork_rng():
                    on_epoch(dict(row))
    if patience is not None:
        model.load_state_dict(best)
    return history


def _epochs_without_better(history: list[Row]) -> int:
    losses = [row["valid_loss"] for row in history]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def _train_epoch(
    model: Model,
    batches: Iterator[Batch],
    optimizer: Optimizer,
    scheduler: LRScheduler,
    clip: float,
    device: torch.device,
    bar: "tqdm[NoReturn]",
    label: str,
) -> Row:
    model.train()
    totals: list[Tensor] = []
    corrects: list[Tensor] = []
    count = 0
    state = None
    for batch in batches:
        step = model.loss(batch.to(device), state if batch.continues else None)
        state = step.state
        optimizer.zero_grad(set_to_none=True)
        (step.total / step.count).backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        scheduler.step()
        totals.append(step.total.detach())
        corrects.append(step.correct)
        count += step.count
        bar.update()
        if len(totals) % LOOK_EVERY == 0:
            _check_finite(totals, label)
            bar.set_postfix_str(f"потери {totals[-1].item() / step.count:.3f}", refresh=False)
    _check_finite(totals, label)
    return _summary(totals, corrects, count)


@torch.no_grad()
def evaluate(model: Model, batches: Batches, *, device: torch.device | str | None = None) -> Row:
    """Return loss in nats a token, perplexity and accuracy of ``model`` over all ``batches``.

    The state is carried where a batch continues the last one. The model's mode is left as it was.
    """
    device = best_device() if device is None else torch.device(device)
    model.to(device)
    training = model.training
    model.train(False)
    totals: list[Tensor] = []
    corrects: list[Tensor] = []
    count = 0
    state = None
    for batch in batches.epoch(0):
        step = model.loss(batch.to(device), state if batch.continues else None)
        state = step.state
        totals.append(step.total)
        corrects.append(step.correct)
        count += step.count
    model.train(training)
    return _summary(totals, corrects, count)


def _summary(totals: list[Tensor], corrects: list[Tensor], count: int) -> Row:
    total = torch.stack(totals).double().sum().item()
    return {
        "loss": total / count,
        "perplexity": perplexity(total, count),
        "accuracy": accuracy(int(torch.stack(corrects).sum()), count),
    }


def _check_finite(totals: list[Tensor], label: str) -> None:
    finite = torch.stack(totals).isfinite()
    if not finite.all():
        number = int((~finite).nonzero()[0])
        raise LossError(
            f"Потери стали {totals[number].item()} на пакете {number + 1}, {label}: обучение "
            "разошлось или в данных не числа. Уменьшите lr и clip и посмотрите на этот пакет."
        )


def _scheduler(optimizer: Optimizer, schedule: str, lr: float, steps: int) -> LRScheduler:
    check_choice("schedule", schedule, SCHEDULES)
    if schedule == "one-cycle":
        return OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    if schedule == "cosine":
        return CosineAnnealingLR(optimizer, T_max=steps)
    return LambdaLR(optimizer, lambda step: 1.0)
