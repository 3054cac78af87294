"""Models and runs on disk: written whole or not at all, read without running what they hold."""

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor

from coursekit.arguments import check_path, check_text, shown
from coursekit.models import Classifier, LanguageModel, Tagger
from coursekit.seq2seq import Seq2Seq
from coursekit.vocab import Vocab

Pathlike = str | os.PathLike[str]
StateDict = dict[str, Shaped[Tensor, "..."]]

MODEL = "coursekit: model"
TRAINING = "coursekit: fit"

AnyModel = LanguageModel | Classifier | Tagger | Seq2Seq

# The arguments that say how long each vocabulary or list of labels beside a model is.
SIZES: dict[type[AnyModel], tuple[str, ...]] = {
    LanguageModel: ("vocab_size",),
    Classifier: ("vocab_size", "classes"),
    Tagger: ("vocab_size", "tags"),
    Seq2Seq: ("source_size", "target_size"),
}

# What torch, a model or a vocabulary raises when a file's content does not fit it.
UNFIT = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)


@runtime_checkable
class Stateful(Protocol):
    """A model, an optimizer or a schedule of torch."""

    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: dict[str, Any]) -> object: ...  # noqa: D102


class CheckpointError(ValueError):
    """A file is no checkpoint, is damaged, is of another model, or cannot be written."""


def save_model(path: Pathlike, model: AnyModel, *kept: Vocab | Sequence[str]) -> None:
    """Write ``model``, with what it was built with, and all of ``kept`` to one file at ``path``.

    ``kept`` are the vocabulary of a ``LanguageModel``; that of a ``Classifier`` and its labels;
    that of a ``Tagger`` and its tags; both of a ``Seq2Seq``. The file appears whole or not at all.
    ``kept`` that does not fit the model is a ``ValueError``, a folder that does not exist a
    ``FileNotFoundError``, a disk that does not take the file a ``CheckpointError``.

    >>> import tempfile
    >>> vocab = Vocab.build("мама мыла раму")
    >>> model = Classifier(len(vocab), 2, hidden=8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(f"{folder}/model.pt", model, vocab, ["плохо", "хорошо"])
    ...     model, same, labels = load_model(f"{folder}/model.pt")
    >>> same == vocab, labels, model.arguments["hidden"]
    (True, ['плохо', 'хорошо'], 8)
    """
    if type(model) not in SIZES:
        raise TypeError(f"model: нужна модель курса, а пришёл тип {type(model).__name__}.")
    check_sizes(model, kept)
    content = {
        "model": type(model).__name__,
        "arguments": model.arguments,
        "weights": dict(model.state_dict()),
        "kept": [_plain(each) for each in kept],
    }
    write_checkpoint(path, MODEL, content)


def load_model(path: Pathlike) -> tuple[Any, ...]:
    """Return the model that ``save_model`` wrote and all that was kept beside it, in order.

    The model is on the CPU and in evaluation mode. Nothing in the file is run: one that is damaged,
    malicious or of something else is a ``CheckpointError``, a missing one a ``FileNotFoundError``.
    """
    content = read_checkpoint(path, MODEL)
    try:
        kinds = {each.__name__: each for each in SIZES}
        kept = [_kept(each) for each in content["kept"]]
        # The start is drawn and then overwritten; the reader's random state is not for that.
        with torch.random.fork_rng(devices=[]):
            model = kinds[content["model"]](**content["arguments"])
        check_weights(path, model, content["weights"])
        check_sizes(model, kept)
        model.to(next(iter(content["weights"].values())).dtype)
        model.load_state_dict(content["weights"])
    except CheckpointError:
        raise
    except UNFIT as error:
        raise unfit(path) from error
    return model.eval(), *kept


def _plain(kept: Vocab | Sequence[str]) -> Any:
    if isinstance(kept, Vocab):
        return {"tokens": _plain(kept.tokens), "separator": str(kept.separator)}
    # A string of NumPy's is a str too, but not one that can be read back.
    return [str(check_text("kept", token)) for token in kept]


def _kept(plain: Any) -> Any:
    if isinstance(plain, list):
        return [check_text("kept", token) for token in plain]
    return Vocab(_kept(plain["tokens"]), check_text("separator", plain["separator"]))


def check_sizes(model: AnyModel, kept: Sequence[object]) -> None:
    """Raise a ``ValueError`` unless ``kept`` are as many and as long as ``model`` was built for."""
    name, sizes = type(model).__name__, SIZES[type(model)]
    if len(kept) != len(sizes):
        wanted = " и ".join(sizes)
        raise ValueError(f"kept: пришло {len(kept)}, а {name} хранят с тем, чья длина {wanted}.")
    for number, (each, size) in enumerate(zip(kept, sizes, strict=True)):
        if not isinstance(each, (Vocab, list, tuple)):
            raise TypeError(f"kept[{number}] = {shown(each)}: нужен Vocab или список строк.")
        if len(each) != model.arguments[size]:
            raise ValueError(
                f"kept[{number}]: длина {len(each)}, а у модели {size} = {model.arguments[size]}. "
                "Сохраните её с тем словарём, с которым она училась."
            )


def save_training(
    path: Pathlike,
    arguments: dict[str, Any],
    history: list[dict[str, float]],
    best: StateDict,
    model: Stateful,
    optimizer: Stateful,
    schedule: Stateful,
    device: torch.device,
) -> None:
    """Write everything that ``fit`` needs to go on, random states included."""
    content = {
        "arguments": arguments,
        "history": history,
        "best": best,
        "weights": dict(model.state_dict()),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "random": random_states(device),
    }
    write_checkpoint(path, TRAINING, content)


def resume_training(
    path: Pathlike,
    arguments: dict[str, Any],
    model: Stateful,
    optimizer: Stateful,
    schedule: Stateful,
    device: torch.device,
) -> tuple[list[dict[str, float]], StateDict]:
    """Put everything back as ``save_training`` found it; return the history and best weights.

    An argument that is not what it was is a ``ValueError`` that names it, weights of another model
    a ``CheckpointError``.
    """
    content = read_checkpoint(path, TRAINING)
    try:
        then, history, best = content["arguments"], content["history"], content["best"]
        differing = [name for name in arguments if then[name] != arguments[name]]
    except UNFIT as error:
        raise unfit(path) from error
    if differing:
        name = differing[0]
        raise ValueError(
            f"{name} = {arguments[name]!r}, а в контрольной точке {path} {name} = {then[name]!r}: "
            "с другим значением обучение не продолжить. Верните прежнее или начните заново "
            "с другим checkpoint."
        )
    try:
        epochs = [row["epoch"] for row in history]
        steps = len(epochs) * arguments["len(train)"]
        if epochs != list(range(1, len(epochs) + 1)) or content["schedule"]["last_epoch"] != steps:
            raise unfit(path)
        check_weights(path, model, content["weights"])
        if history and arguments["patience"] is not None:
            check_weights(path, model, best)
        model.load_state_dict(content["weights"])
        optimizer.load_state_dict(content["optimizer"])
        schedule.load_state_dict(content["schedule"])
        set_random_states(content["random"], device)
    except CheckpointError:
        raise
    except UNFIT as error:
        raise unfit(path) from error
    return history, best


def write_checkpoint(path: Pathlike, kind: str, content: dict[str, Any]) -> None:
    """Write ``content``, tensors and plain Python values alone, to ``path`` in one stroke.

    Whoever is killed meanwhile leaves the former file or the new one, never a part.
    """
    path = check_path("path", path)
    whole = io.BytesIO()
    torch.save({"kind": kind, **content}, whole)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(whole.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"Файл {path} не записать: папки {path.parent} нет. Создайте её или укажите другую."
        ) from None
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise CheckpointError(
            f"Файл {path} не записать: {error.strerror}. Освободите место или укажите другой путь."
        ) from error


def read_checkpoint(path: Pathlike, kind: str) -> dict[str, Any]:
    """Return what ``write_checkpoint`` wrote, its tensors on the CPU, running nothing in it.

    Torch older than 2.10 can be tricked all the same: CVE-2025-32434, CVE-2026-24747.
    """
    path = check_path("path", path)
    try:
        whole = io.BytesIO(path.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(f"Файла {path} нет. Проверьте путь.") from None
    except OSError as error:
        raise CheckpointError(f"Файл {path} не прочитать: {error.strerror}.") from error
    try:
        content = torch.load(whole, map_location="cpu", weights_only=True)
    except Exception:
        # A broken file breaks torch in any way; its own message advises to run what is in there.
        raise CheckpointError(
            f"Файл {path} — не контрольная точка курса: он оборван, испорчен или хранит то, что "
            "при чтении пришлось бы выполнить. Ничего из него не выполнено. Возьмите другую копию."
        ) from None
    found = content.get("kind") if isinstance(content, dict) else None
    if found != kind:
        raise CheckpointError(
            f"Файл {path} хранит не то: нужна запись {kind!r}, а в нём {shown(found)}."
        )
    return dict(content)


def check_weights(path: Pathlike, model: Stateful, weights: StateDict) -> None:
    """Raise a ``CheckpointError`` unless ``weights`` have the names and shapes of the model's."""
    own, found = (
        {name: tuple(weight.shape) for name, weight in each.items()}
        for each in (model.state_dict(), weights)
    )
    for name in [*own, *found]:
        if own.get(name) != found.get(name):
            raise CheckpointError(
                f"Файл {path} хранит веса другой модели: {name} в файле — "
                f"{found.get(name, 'нет')}, в этой модели — {own.get(name, 'нет')}. "
                "Постройте модель с прежними аргументами или укажите другой файл."
            )


def unfit(path: Pathlike) -> CheckpointError:
    """Return the error that says that a checkpoint's content is not what it should be."""
    return CheckpointError(
        f"Файл {path} — контрольная точка, но её содержимое испорчено. Возьмите другую копию."
    )


def random_states(device: torch.device) -> dict[str, UInt8[Tensor, "_"]]:
    """Return the states of the generators that training on ``device`` draws from."""
    states = {"cpu": torch.random.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: dict[str, UInt8[Tensor, "_"]], device: torch.device) -> None:
    """Set what ``random_states`` returned; a device that it knows nothing of keeps its state."""
    torch.random.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
