"""Training shared by several processes equals that of one: started here as a reader would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import shared_training
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st

from coursekit.batching import IGNORED, PaddedBatches, StreamBatches
from coursekit.models import LanguageModel
from coursekit.processes import best_device, existing, own_rows, place
from coursekit.training import evaluate, fit

PROGRAM = Path(shared_training.__file__)


def start(processes, kinds, folder, *settings):
    """Start the program with ``accelerate launch`` where it has more than one process."""
    launch = ["-m", "accelerate.commands.launch", "--num_machines", "1", "--mixed_precision", "no"]
    launch += ["--dynamo_backend", "no", "--num_cpu_threads_per_process", "1"]
    # Without MPI, accelerate starts several processes this way alone; the program asks for CPUs.
    launch += ["--multi_gpu", "--num_processes", str(processes), "--main_process_port", "0"]
    return subprocess.run(
        [sys.executable, *(launch if processes > 1 else []), PROGRAM, kinds, folder, *settings],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )


def results(processes, kind, folder):
    """What the processes wrote; every one has trained the same model."""
    first, *others = (
        torch.load(folder / f"{kind}-{i}.pt", weights_only=True) for i in range(processes)
    )
    for other in others:
        torch.testing.assert_close(other["weights"], first["weights"], rtol=0, atol=0)
        assert numbers(other) == numbers(first)
    return first


def numbers(result):
    """The history without its times."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in result["history"]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of the same trainings by one process and by two."""
    folders = {1: tmp_path_factory.mktemp("one"), 2: tmp_path_factory.mktemp("two")}
    for processes, folder in folders.items():
        done = start(processes, "stream,padded,tags,adaptive,dropout", folder)
        assert done.returncode == 0, done.stderr
    return folders


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stream", "padded", "tags", "adaptive"])
def test_two_processes_give_the_losses_of_one(kind, trained):
    one, two = (results(n, kind, trained[n]) for n in (1, 2))
    assert one["history"][-1]["train_loss"] < one["history"][0]["train_loss"]
    for row, other in zip(numbers(one), numbers(two), strict=True):
        assert other == pytest.approx(row, rel=1e-6, abs=1e-5)
    torch.testing.assert_close(two["weights"], one["weights"], rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_shared_run_goes_on_from_its_checkpoint_as_if_never_stopped(trained, tmp_path):
    checkpoint = tmp_path / "run.pt"
    setting = f'checkpoint="{checkpoint}"'
    stopped = start(2, "dropout", tmp_path, setting, "stop=2")
    assert "KeyboardInterrupt: нарочно" in stopped.stderr
    resumed = start(2, "dropout", tmp_path, setting)
    assert resumed.returncode == 0, resumed.stderr
    whole, parts = results(2, "dropout", trained[2]), results(2, "dropout", tmp_path)
    assert numbers(parts) == numbers(whole)
    torch.testing.assert_close(parts["weights"], whole["weights"], rtol=0, atol=0)
    with pytest.raises(ValueError, match="processes = 1, а в контрольной точке .* processes = 2"):
        shared_training.train("dropout", Accelerator(cpu=True), checkpoint=checkpoint)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_in_one_process_stops_all_of_them(tmp_path):
    done = start(2, "nan", tmp_path)
    assert done.returncode != 0
    assert done.stderr.count("LossError: Потери стали nan на пакете 1, эпоха 1 из 4") == 2


@given(st.integers(1, 9), st.integers(1, 4))
def test_every_row_belongs_to_one_process(rows, processes):
    sequences = [[4 + row, 5, 6][: 2 + row % 2] for row in range(rows)]
    (batch,) = PaddedBatches(sequences, batch_size=rows, shuffle=False)
    parts = [own_rows(batch, process, processes) for process in range(processes)]
    assert all(part.count == batch.count for part in parts)
    assert sum(int((part.targets != IGNORED).sum()) for part in parts) == batch.count
    kept = [part for part in parts if (part.targets != IGNORED).any()]
    assert torch.equal(torch.cat([part.inputs for part in kept]), batch.inputs)
    assert torch.equal(torch.cat([part.lengths for part in kept]), batch.lengths)


def test_one_process_with_accelerate_is_as_without():
    ids = torch.randint(4, 30, (300,), generator=torch.Generator().manual_seed(1)).tolist()
    histories = []
    for accelerator in (None, Accelerator(cpu=True)):
        torch.manual_seed(0)
        model = LanguageModel(30, hidden=8)
        batches = StreamBatches(ids, batch_size=4, length=8)
        how = {"accelerator": accelerator, "device": "cpu"}
        rows = fit(model, batches, batches, epochs=2, progress=False, **how)
        assert evaluate(model, batches, **how)["loss"] == rows[-1]["valid_loss"]
        histories.append(numbers({"history": rows}))
    assert histories[0] == histories[1]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_bfloat16_learns_nearly_the_same(cell):
    ids = (list(range(4, 16)) * 40)[:400]
    losses = []
    for bf16 in (False, True):
        torch.manual_seed(0)
        model = LanguageModel(30, cell=cell, hidden=16)
        batches = StreamBatches(ids, batch_size=4, length=8)
        rows = fit(model, batches, batches, epochs=8, lr=1e-2, bf16=bf16, progress=False)
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}
        losses.append(rows[-1]["valid_loss"])
    full, half = losses
    assert full < 1.0
    assert half != full
    assert half == pytest.approx(full, abs=0.1)


@pytest.mark.parametrize("device", ["cpuu", "cuda:99", 5.5])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=r"device = .*: такого устройства здесь нет"):
        existing(device)
    with pytest.raises(ValueError, match="такого устройства здесь нет"):
        place(device, False, None)


def test_the_best_device_exists():
    assert existing(best_device()) == best_device()
    assert place(None, False, None) == (best_device(), False)


class Launched:
    """One process of a machine that is not at hand, in a precision as given."""

    num_processes = 1
    process_index = 0
    is_main_process = True
    device = torch.device("cpu")

    def reduce(self, tensor, reduction="mean"):
        return tensor

    def wait_for_everyone(self):
        pass

    def __init__(self, mixed_precision):
        self.mixed_precision = mixed_precision


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("meta", "no", "device = 'meta', а accelerator работает на 'cpu'"),
        (None, "fp16", "mixed_precision = 'fp16': можно 'no' или 'bf16'"),
    ],
)
def test_an_accelerator_that_does_not_fit_is_refused(device, precision, message):
    with pytest.raises(ValueError, match=message):
        place(device, False, Launched(precision))


def test_the_precision_is_that_of_the_accelerator():
    assert place(None, False, Launched("bf16")) == (torch.device("cpu"), True)
