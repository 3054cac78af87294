"""One plain training loop."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NoReturn, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, OneCycleLR
from tqdm import tqdm

from coursekit.arguments import (
    check_callable,
    check_choice,
    check_flag,
    check_instance,
    check_path,
    check_real,
    check_whole,
)
from coursekit.batching import Batch, Batches
from coursekit.checkpoints import resume_training, save_training
from coursekit.losses import Step
from coursekit.memory import kept_memory
from coursekit.metrics import accuracy, perplexity
from coursekit.processes import Accelerator, add_gradients, added, own_rows, place, start_alike

SCHEDULES = ("one-cycle", "cosine", "constant")

# Losses are looked at this often: each look makes a GPU wait.
LOOK_EVERY = 50

Row = dict[str, float]


@runtime_checkable
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


MODEL = "нужна модель курса или другая с методом loss(batch, state)"
BATCHES = "нужны PaddedBatches или StreamBatches"


class LossError(ValueError):
    """The loss became NaN or infinite."""


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
    bf16: bool = False,
    accelerator: Accelerator | None = None,
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
    ``bf16`` computes in bfloat16 where autocast deems it safe; weights stay as they are.
    ``accelerator``, an ``accelerate.Accelerator``, shares every batch among its processes, on its
    device and in its precision; the first process alone writes, shows and calls ``on_epoch``.
    ``on_epoch`` gets every row as it is made.

    A loss that is not finite is a ``LossError`` that names the batch; a checkpoint of another model
    is a ``CheckpointError``, one begun with other arguments a ``ValueError``. Sources: AdamW,
    arXiv:1711.05101; one-cycle, arXiv:1708.07120; clipping, arXiv:1211.5063; early stopping,
    L. Prechelt, doi:10.1007/3-540-49430-8_3.
    """
    check_instance("model", model, Model, MODEL)
    check_instance("train", train, Batches, BATCHES)
    if valid is not None:
        check_instance("valid", valid, Batches, BATCHES)
    if on_epoch is not None:
        check_callable("on_epoch", on_epoch)
    check_flag("progress", progress)
    check_choice("schedule", schedule, SCHEDULES)
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
    device, bf16 = place(device, bf16, accelerator)
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
        "bf16": bf16,
        "processes": 1 if accelerator is None else accelerator.num_processes,
    }
    path = None if checkpoint is None else check_path("checkpoint", checkpoint)
    model.to(device)
    first = accelerator is None or accelerator.is_main_process
    optimizer = AdamW(model.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    scheduler = _scheduler(optimizer, schedule, lr, steps=epochs * len(train))
    history: list[Row] = []
    best: dict[str, Tensor] = {}

    def save() -> None:
        if path is not None and first:
            save_training(path, arguments, history, best, model, optimizer, scheduler, device)

    with torch.random.fork_rng(), kept_memory():
        torch.manual_seed(seed)
        # It says no where it may not look, and then writing says why.
        begun = path is not None and os.path.exists(path)  # noqa: PTH110
        if accelerator is not None:
            accelerator.wait_for_everyone()  # to look, before the first one writes
            start_alike(list(model.parameters()), accelerator)
        if path is not None and begun:
            history, best = resume_training(path, arguments, model, optimizer, scheduler, device)
        else:
            save()  # a path that cannot be written is better known now than after an epoch
        for epoch in range(len(history) + 1, epochs + 1):
            if patience is not None and _epochs_without_better(history) >= patience:
                break
            start = time.perf_counter()
            label = f"эпоха {epoch} из {epochs}, lr = {lr:g}"
            if accelerator is not None:
                # Dropout of its own in each process, the same after going on from a checkpoint.
                torch.manual_seed((seed * epochs + epoch) * 1_000_003 + accelerator.process_index)
            shown = progress and first
            with tqdm(desc=label, total=len(train), unit="пакет", disable=not shown) as bar:
                steps = _steps(model, train.epoch(epoch), device, bf16, accelerator)
                seen = _train_epoch(
                    model, steps, optimizer, scheduler, clip, accelerator, bar, label
                )
            row: Row = {"epoch": epoch, **{f"train_{name}": seen[name] for name in seen}}
            if valid is not None:
                seen = evaluate(model, valid, device=device, bf16=bf16, accelerator=accelerator)
                row |= {f"valid_{name}": seen[name] for name in seen}
            row["seconds"] = time.perf_counter() - start
            history.append(row)
            if patience is not None and _epochs_without_better(history) == 0:
                best = {name: weight.clone() for name, weight in model.state_dict().items()}
            save()
            if on_epoch is not None and first:
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
    steps: Iterator[Step],
    optimizer: Optimizer,
    scheduler: LRScheduler,
    clip: float,
    accelerator: Accelerator | None,
    bar: "tqdm[NoReturn]",
    label: str,
) -> Row:
    model.train()
    parameters = list(model.parameters())
    seen: list[Step] = []
    for step in steps:
        optimizer.zero_grad(set_to_none=True)
        (step.total / step.count).backward()
        if accelerator is not None:
            add_gradients(parameters, accelerator)
        nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        scheduler.step()
        seen.append(replace(step, total=step.total.detach(), state=None))
        bar.update()
        if len(seen) % LOOK_EVERY == 0:
            loss = _totals(seen, accelerator, label)[-1].item() / step.count
            bar.set_postfix_str(f"потери {loss:.3f}", refresh=False)
    return _summary(seen, accelerator, label)


@torch.no_grad()
def evaluate(
    model: Model,
    batches: Batches,
    *,
    device: torch.device | str | None = None,
    bf16: bool = False,
    accelerator: Accelerator | None = None,
) -> Row:
    """Return loss in nats a target, perplexity and accuracy of ``model`` over all ``batches``.

    The state is carried where a batch continues the last one. The model's mode is left as it was.
    """
    check_instance("model", model, Model, MODEL)
    check_instance("batches", batches, Batches, BATCHES)
    device, bf16 = place(device, bf16, accelerator)
    model.to(device)
    training = model.training
    model.train(False)
    seen = list(_steps(model, batches.epoch(0), device, bf16, accelerator))
    model.train(training)
    return _summary(seen, accelerator, "проверка")


def _steps(
    model: Model,
    batches: Iterator[Batch],
    device: torch.device,
    bf16: bool,
    accelerator: Accelerator | None,
) -> Iterator[Step]:
    """Yield what the model says of every batch; the state goes on where the batch does."""
    state = None
    for batch in batches:
        if accelerator is not None:
            batch = own_rows(batch, accelerator.process_index, accelerator.num_processes)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            step = model.loss(batch.to(device), state if batch.continues else None)
        state = step.state
        yield step


def _summary(seen: list[Step], accelerator: Accelerator | None, label: str) -> Row:
    total = _totals(seen, accelerator, label).double().sum().item()
    correct = int(added(torch.stack([step.correct for step in seen]).sum(), accelerator))
    count = sum(step.count for step in seen)
    return {
        "loss": total / count,
        "perplexity": perplexity(total, count),
        "accuracy": accuracy(correct, count),
    }


def _totals(seen: list[Step], accelerator: Accelerator | None, label: str) -> Tensor:
    """Return the summed loss of every batch; one that is not finite ends the training."""
    totals = added(torch.stack([step.total for step in seen]), accelerator)
    finite = totals.isfinite()
    if not finite.all():
        number = int((~finite).nonzero()[0])
        raise LossError(
            f"Потери стали {totals[number].item()} на пакете {number + 1}, {label}: обучение "
            "разошлось или в данных не числа. Уменьшите lr и clip и посмотрите на этот пакет."
        )
    return totals


def _scheduler(optimizer: Optimizer, schedule: str, lr: float, steps: int) -> LRScheduler:
    if schedule == "one-cycle":
        return OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    if schedule == "cosine":
        return CosineAnnealingLR(optimizer, T_max=steps)
    return LambdaLR(optimizer, lambda step: 1.0)
