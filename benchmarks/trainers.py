"""The same training as in loops.py by Lightning's Trainer and by skorch (extra ``bench``)."""

import logging
import warnings
from collections.abc import Callable, Iterator

import lightning
import skorch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from loops import CLIP, EPOCHS, LR, WEIGHT_DECAY, batched, corpus_sentences, ours, started
from side_by_side import Ratio, apart, ratio
from skorch.callbacks import GradientNormClipping, LRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import IterableDataset

from coursekit.batching import PaddedBatches
from coursekit.models import LanguageModel
from coursekit.processes import best_device
from coursekit.vocab import Vocab


class Epochs(IterableDataset[tuple[Tensor, Tensor]]):
    """The epochs of ``batches``, one each time that it is iterated, the same as ``fit`` sees."""

    def __init__(self, batches: PaddedBatches) -> None:
        self.batches = batches
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.epoch += 1
        for batch in self.batches.epoch(self.epoch):
            yield batch.inputs, batch.targets.flatten()


class Module(lightning.LightningModule):
    def __init__(self, model: LanguageModel, steps: int) -> None:
        super().__init__()
        self.model = model
        self.steps = steps

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, targets = batch
        logits, _ = self.model(inputs)
        return F.cross_entropy(logits.flatten(0, 1), targets)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = AdamW(self.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
        scheduler = OneCycleLR(optimizer, max_lr=LR, total_steps=self.steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def by_lightning(model: LanguageModel, batches: PaddedBatches, epochs: int = EPOCHS) -> int:
    """Lightning without its logger, checkpoints, bar and summary: its fastest."""
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=1,
        gradient_clip_val=CLIP,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(model, epochs * len(batches)), Epochs(batches))
    return epochs * batches.count


class Logits(nn.Module):
    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        return self.model(inputs)[0].flatten(0, 1)


def by_skorch(model: LanguageModel, batches: PaddedBatches, epochs: int = EPOCHS) -> int:
    """Skorch with no split, no printing and only the callbacks that the training needs."""
    net = skorch.NeuralNet(
        Logits(model),
        nn.CrossEntropyLoss,
        optimizer=AdamW,
        optimizer__weight_decay=WEIGHT_DECAY,
        optimizer__fused=True,
        lr=LR,
        max_epochs=epochs,
        train_split=None,
        iterator_train__batch_size=None,
        callbacks=[
            GradientNormClipping(CLIP),
            LRScheduler(
                OneCycleLR, max_lr=LR, total_steps=epochs * len(batches), step_every="batch"
            ),
        ],
        callbacks__print_log=None,
        device=str(best_device()),
        verbose=0,
    )
    net.fit(Epochs(batches), None)
    return epochs * batches.count


def quiet() -> None:
    """Leave out what Lightning says of the machine and of the loader's workers."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")


def trainers() -> dict[str, Callable[[], int]]:
    quiet()
    sentences = corpus_sentences()
    vocab = Vocab.build("".join(sentences))
    model, batches = started(vocab), batched(sentences, vocab)
    return {
        "fit": lambda: ours(model, batches),
        "Lightning": lambda: by_lightning(model, batches),
        "skorch": lambda: by_skorch(model, batches),
    }


def measure() -> list[Ratio]:
    times = apart("trainers", "trainers")
    work = "character LM on sentences, the same model and batches"
    return [ratio(work, times, name, demanded=1.0) for name in ("Lightning", "skorch")]
