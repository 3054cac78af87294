"""What tests/test_processes.py starts in one process and in several: ``KINDS FOLDER [argument=…]``.

Every process writes the history and weights of each kind to FOLDER.
"""

import json
import sys
from pathlib import Path

import torch
from accelerate import Accelerator

from coursekit.batching import IGNORED, PaddedBatches, StreamBatches
from coursekit.models import LanguageModel, Tagger
from coursekit.training import fit

IDS = torch.randint(4, 30, (400,), generator=torch.Generator().manual_seed(1)).tolist()
LENGTHS = [2, 3, 5, 9, 4, 7, 7, 2, 11, 3, 6]


def data(kind):
    """Batches whose last one has a single row: one process of two has nothing to do there."""
    if kind in ("stream", "nan", "dropout"):
        return StreamBatches(IDS, batch_size=5, length=9)
    rows = [IDS[9 * i : 9 * i + length] for i, length in enumerate(LENGTHS)]
    if kind == "tags":
        tags = [[IGNORED if token % 3 == 0 else token % 2 for token in row] for row in rows]
        kept = [i for i, row in enumerate(tags) if set(row) != {IGNORED}]
        return PaddedBatches([rows[i] for i in kept], [tags[i] for i in kept], batch_size=5)
    return PaddedBatches(rows, batch_size=5)


def network(kind, process):
    # Another start in every process: the first one's must count.
    torch.manual_seed(process)
    if kind == "tags":
        return Tagger(30, 2, hidden=8)
    model = LanguageModel(
        30,
        hidden=8,
        embedding=16,  # enough for two cutoffs
        dropout=0.3 if kind == "dropout" else 0.0,
        cutoffs=(8, 20) if kind == "adaptive" else None,
    )
    if kind == "nan" and process == 1:
        # Only the second process sees it; both must say so instead of waiting for each other.
        model.loss = lambda batch, state=None: step_of_nan(LanguageModel.loss(model, batch, state))
    return model


def step_of_nan(step):
    return type(step)(step.total * float("nan"), step.count, step.correct, step.state)


def train(kind, accelerator, stop=None, **arguments):
    model = network(kind, accelerator.process_index)
    batches = data(kind)

    def at_the_end_of_an_epoch(row):
        if row["epoch"] == stop:
            raise KeyboardInterrupt("нарочно")

    history = fit(
        model,
        batches,
        batches,
        **{"epochs": 4, "lr": 1e-2, "patience": 4, "progress": False} | arguments,
        accelerator=accelerator,
        on_epoch=at_the_end_of_an_epoch,
    )
    return {"history": history, "weights": model.state_dict()}


def main(kinds, folder, *settings):
    accelerator = Accelerator(cpu=True)
    arguments = dict(setting.split("=") for setting in settings)
    for kind in kinds.split(","):
        result = train(kind, accelerator, **{k: json.loads(v) for k, v in arguments.items()})
        torch.save(result, Path(folder, f"{kind}-{accelerator.process_index}.pt"))


if __name__ == "__main__":
    main(*sys.argv[1:])
