"""Where a training runs: on what device, in what precision, in how many processes.

Of several processes, on one machine or many, every one walks over the same batches and takes its
own rows of each; gradients are added up. So each step is that of one process with the whole batch,
whether its rows are separate sequences or parts of one stream that carry their states.
"""

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Num
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from coursekit.arguments import check_flag, check_instance, check_whole, shown
from coursekit.batching import IGNORED, Batch, check_batch


@runtime_checkable
class Accelerator(Protocol):
    """What is used of ``accelerate.Accelerator``."""

    @property
    def num_processes(self) -> int: ...  # noqa: D102
    @property
    def process_index(self) -> int: ...  # noqa: D102
    @property
    def is_main_process(self) -> bool: ...  # noqa: D102
    @property
    def device(self) -> torch.device: ...  # noqa: D102
    @property
    def mixed_precision(self) -> str: ...  # noqa: D102
    def reduce(self, tensor: Any, reduction: str = "mean") -> Any: ...  # noqa: D102
    def wait_for_everyone(self) -> None: ...  # noqa: D102


def best_device() -> torch.device:
    """Return CUDA where there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def place(
    device: torch.device | str | None, bf16: bool, accelerator: Accelerator | None
) -> tuple[torch.device, bool]:
    """Return the device to compute on, the best one unless given, and whether in bfloat16.

    A device that is not there, or not the accelerator's, is a ``ValueError``.
    """
    bf16 = check_flag("bf16", bf16)
    if accelerator is None:
        return (best_device() if device is None else existing(device)), bf16
    check_instance("accelerator", accelerator, Accelerator, "нужен accelerate.Accelerator")
    if device is not None and existing(device) != accelerator.device:
        raise ValueError(
            f"device = {str(device)!r}, а accelerator работает на {str(accelerator.device)!r}. "
            "Уберите device: с accelerator он не нужен."
        )
    if accelerator.mixed_precision not in ("no", "bf16"):
        raise ValueError(
            f"accelerator.mixed_precision = {accelerator.mixed_precision!r}: можно 'no' или "
            "'bf16'. Для fp16 потери пришлось бы растягивать, а bf16 обходится без этого."
        )
    return accelerator.device, bf16 or accelerator.mixed_precision == "bf16"


def existing(device: torch.device | str) -> torch.device:
    """Return ``device`` if this machine has it; a ``ValueError`` says what there is.

    >>> existing("cpu")
    device(type='cpu')
    """
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"device = {shown(device)}: такого устройства здесь нет. Можно 'cpu', "
            "'cuda' на машине с видеокартой NVIDIA, 'mps' на Apple или None — лучшее из них."
        ) from error
    return found


def own_rows(batch: Batch, process: int, processes: int) -> Batch:
    """Return the rows of ``batch`` that belong to ``process`` (from 0); ``count`` stays the whole.

    Rows of a stream stay with the same process from batch to batch. A process for which no row is
    left gets the first one, without targets.

    >>> from coursekit.batching import PaddedBatches
    >>> (batch,) = PaddedBatches([[5, 6], [7, 8], [9, 10]], batch_size=3, shuffle=False)
    >>> [own_rows(batch, process, 2).inputs.tolist() for process in (0, 1)]
    [[[5], [7]], [[9]]]
    """
    check_batch(batch)
    processes = check_whole("processes", processes)
    process = check_whole("process", process, least=0, most=processes - 1)
    rows = torch.arange(len(batch.inputs)).tensor_split(processes)[process]
    targets = batch.targets[rows]
    if len(rows) == 0:
        rows = torch.tensor([0])
        targets = torch.full_like(batch.targets[rows], IGNORED)
    return replace(batch, inputs=batch.inputs[rows], targets=targets, lengths=batch.lengths[rows])


def start_alike(parameters: list[nn.Parameter], accelerator: Accelerator) -> None:
    """Give every process the parameters of the first one."""
    with torch.no_grad():
        first = parameters_to_vector(parameters) * accelerator.is_main_process
        vector_to_parameters(accelerator.reduce(first, "sum"), parameters)


def add_gradients(parameters: list[nn.Parameter], accelerator: Accelerator) -> None:
    """Replace every gradient by its sum over all processes, in one exchange.

    A parameter that no process has used keeps no gradient, as in one process.
    """
    used = torch.tensor(
        [parameter.grad is not None for parameter in parameters], device=accelerator.device
    )
    parts = [
        torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for parameter in parameters
    ]
    whole = torch.cat([used.to(parts[0].dtype), *(part.flatten() for part in parts)])
    whole = accelerator.reduce(whole, "sum")
    sums = whole[len(used) :].split([len(part.flatten()) for part in parts])
    for parameter, anyone, total in zip(parameters, whole[: len(used)].tolist(), sums, strict=True):
        parameter.grad = total.view_as(parameter) if anyone else None


def added(values: Num[Tensor, "*N"], accelerator: Accelerator | None) -> Num[Tensor, "*N"]:
    """Return ``values`` summed over all processes, or as they are where there is but one."""
    return values if accelerator is None else accelerator.reduce(values, "sum")
