"""Models and runs on disk: written whole or not at all, read without running what they hold."""

import io
import os
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from coursekit.arguments import check_text, shown
from coursekit.models import LanguageModel
from coursekit.vocab import Vocab

Pathlike = str | os.PathLike[str]

LANGUAGE_MODEL = "coursekit: LanguageModel"
TRAINING = "coursekit: fit"

# What torch, a model or a vocabulary raises when a file's content does not fit it.
UNFIT = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)


class Stateful(Protocol):
    """A model, an optimizer or a schedule of torch."""

    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: dict[str, Any]) -> object: ...  # noqa: D102


class CheckpointError(ValueError):
    """A file is no checkpoint, is damaged, is of another model, or cannot be written."""


def save_model(path: Pathlike, model: LanguageModel, vocab: Vocab) -> None:
    """Write ``model``, with what it was built with, and ``vocab`` to one file at ``path``.

    The file appears whole or not at all. A vocabulary of another size is a ``ValueError``, a
    folder that does not exist a ``FileNotFoundError``, a disk that does not take the file a
    ``CheckpointError``.

    >>> import tempfile
    >>> vocab = Vocab.build("мама мыла раму")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(f"{folder}/model.pt", LanguageModel(len(vocab), hidden=8), vocab)
    ...     model, same = load_model(f"{folder}/model.pt")
    >>> same == vocab, model.arguments["hidden"]
    (True, 8)
    """
    if type(model) is not LanguageModel:
        raise TypeError(f"model: нужна LanguageModel, а пришёл тип {type(model).__name__}.")
    if len(vocab) != model.arguments["vocab_size"]:
        raise ValueError(
            f"vocab: в словаре {len(vocab)} токенов, а модель построена для "
            f"{model.arguments['vocab_size']}. Сохраните её с тем словарём, с которым она училась."
        )
    content = {
        "arguments": model.arguments,
        "weights": dict(model.state_dict()),
        "tokens": [str(token) for token in vocab.tokens],
        "separator": str(vocab.separator),
    }
    write_checkpoint(path, LANGUAGE_MODEL, content)


def load_model(path: Pathlike) -> tuple[LanguageModel, Vocab]:
    """Return the model that ``save_model`` wrote, on the CPU and in evaluation mode, and its vocab.

    Nothing in the file is run. A file that is damaged, malicious or of something else is a
    ``CheckpointError``, a missing one a ``FileNotFoundError``.
    """
    content = read_checkpoint(path, LANGUAGE_MODEL)
    try:
        for token in (*content["tokens"], content["separator"]):
            check_text("tokens", token)
        vocab = Vocab(content["tokens"], content["separator"])
        # The start is drawn and then overwritten; the reader's random state is not for that.
        with torch.random.fork_rng(devices=[]):
            model = LanguageModel(**content["arguments"])
        check_weights(path, model, content["weights"])
        model.to(content["weights"]["embedding.weight"].dtype)
        model.load_state_dict(content["weights"])
    except CheckpointError:
        raise
    except UNFIT as error:
        raise unfit(path) from error
    if len(vocab) != model.arguments["vocab_size"]:
        raise unfit(path)
    return model.eval(), vocab


def save_training(
    path: Pathlike,
    arguments: dict[str, Any],
    history: list[dict[str, float]],
    best: dict[str, Tensor],
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
) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
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


def as_path(name: str, value: object) -> Path:
    """Return ``value`` as the path of a file; ``name`` is the argument that an error names."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(
            f"{name} = {shown(value)}: нужен путь к файлу, а пришёл тип {type(value).__name__}."
        )
    if not Path(value).name:
        raise ValueError(f"{name} = {shown(value)}: нужен путь к файлу, а имени файла в нём нет.")
    return Path(value)


def write_checkpoint(path: Pathlike, kind: str, content: dict[str, Any]) -> None:
    """Write ``content``, tensors and plain Python values alone, to ``path`` in one stroke.

    Whoever is killed meanwhile leaves the former file or the new one, never a part.
    """
    path = as_path("path", path)
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
        part.unlink(missing_ok=True)
        raise CheckpointError(
            f"Файл {path} не записать: {error.strerror}. Освободите место или укажите другой путь."
        ) from error


def read_checkpoint(path: Pathlike, kind: str) -> dict[str, Any]:
    """Return what ``write_checkpoint`` wrote, its tensors on the CPU, running nothing in it.

    Torch older than 2.10 can be tricked all the same: CVE-2025-32434, CVE-2026-24747.
    """
    path = as_path("path", path)
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


def check_weights(path: Pathlike, model: Stateful, weights: dict[str, Tensor]) -> None:
    """Raise a ``CheckpointError`` unless ``weights`` have the names and shapes of the model's."""
    own, found = _shapes(model.state_dict()), _shapes(weights)
    for name in [*own, *found]:
        if own.get(name) != found.get(name):
            raise CheckpointError(
                f"Файл {path} хранит веса другой модели: {name} в файле — "
                f"{found.get(name, 'нет')}, в этой модели — {own.get(name, 'нет')}. "
                "Постройте модель с прежними аргументами или укажите другой файл."
            )


def _shapes(weights: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def unfit(path: Pathlike) -> CheckpointError:
    """Return the error that says that a checkpoint's content is not what it should be."""
    return CheckpointError(
        f"Файл {path} — контрольная точка, но её содержимое испорчено. Возьмите другую копию."
    )


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the generators that training on ``device`` draws from."""
    states = {"cpu": torch.random.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Set what ``random_states`` returned; a device that it knows nothing of keeps its state."""
    torch.random.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
