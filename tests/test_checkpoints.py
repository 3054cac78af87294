"""Real kills, real malicious pickles, files cut short: what is on disk is whole or refused."""

import inspect
import io
import multiprocessing
import os
import pickle
import random
import signal
import threading
import time
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from coursekit.batching import PaddedBatches, StreamBatches
from coursekit.checkpoints import (
    CheckpointError,
    load_model,
    read_checkpoint,
    save_model,
    write_checkpoint,
)
from coursekit.generation import generate
from coursekit.models import Classifier, LanguageModel, Tagger
from coursekit.seq2seq import Seq2Seq
from coursekit.training import evaluate, fit
from coursekit.vocab import Vocab

TEXT = "у попа была собака, он её любил. " * 20
VOCAB = Vocab.build(TEXT)

# Forks of a process that has imported torch but never run it: a kill costs no new import.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["hypothesis", "pytest", "coursekit.generation", "torch._dynamo"])


def network(**arguments):
    torch.manual_seed(0)
    return LanguageModel(len(VOCAB), **{"hidden": 12, "dropout": 0.3, **arguments})


def batches(kind, text=TEXT):
    if kind == "stream":
        return StreamBatches(VOCAB.encode(text), 4, 16)
    return PaddedBatches([VOCAB.encode(part) for part in text.split(". ") if part], batch_size=4)


def train(kind, checkpoint, epochs=25, **arguments):
    model = network()
    history = fit(
        model,
        batches(kind),
        batches("stream"),
        **{"epochs": epochs, "lr": 1e-2, "patience": 3, "device": "cpu", **arguments},
        checkpoint=checkpoint,
        progress=False,
    )
    return model.state_dict(), [{**row, "seconds": 0} for row in history]


def in_another_process(kind, checkpoint, moment=None, writes=0):
    torch.set_num_threads(1)
    # The bar's own lock is a semaphore among processes, which a kill would leave behind.
    tqdm.set_lock(threading.RLock())
    if moment is not None:
        real = getattr(os, moment)
        calls = []

        def kill_at_last(*arguments):
            calls.append(arguments)
            if len(calls) > writes:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)

        setattr(os, moment, kill_at_last)
    train(kind, checkpoint)


def start(*arguments):
    process = processes.Process(target=in_another_process, args=arguments)
    process.start()
    return process


def epochs_in(path):
    return len(read_checkpoint(path, "coursekit: fit")["history"]) if path.exists() else 0


def assert_same(results, others):
    (weights, history), (other_weights, other_history) = results, others
    assert history == other_history
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


@pytest.mark.parametrize("kind", ["stream", "padded"])
def test_a_run_killed_at_random_moments_ends_as_the_uninterrupted_one(kind, tmp_path):
    path = tmp_path / "run.pt"
    moments = random.Random(kind)
    killed = []
    for _ in range(4):
        before = epochs_in(path)
        process = start(kind, path)
        while process.is_alive() and epochs_in(path) <= before:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        process.join()
        if process.exitcode == -signal.SIGKILL:
            killed.append(epochs_in(path))
    assert killed
    assert 0 < min(killed) < 25
    assert_same(train(kind, path), train(kind, None))


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("writes", [0, 3])
def test_a_kill_in_the_middle_of_writing_leaves_the_former_file(moment, writes, tmp_path):
    path = tmp_path / "run.pt"
    process = start("stream", path, moment, writes)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    # The first file is written before the first epoch.
    assert path.exists() == (writes > 0)
    assert epochs_in(path) == max(0, writes - 1)
    assert_same(train("stream", path, epochs=25), train("stream", None))
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
@pytest.mark.parametrize("stop", [1, 2])
def test_every_schedule_goes_on_where_it_stopped(schedule, stop, tmp_path):
    class StopError(Exception):
        pass

    def interrupt(row):
        if row["epoch"] == stop:
            raise StopError

    path = tmp_path / "run.pt"
    how = {"epochs": 3, "schedule": schedule, "patience": None}
    with pytest.raises(StopError):
        train("padded", path, on_epoch=interrupt, **how)
    assert_same(train("padded", path, **how), train("padded", None, **how))


def test_a_finished_run_is_read_and_not_trained_again(tmp_path):
    first = train("stream", tmp_path / "run.pt", epochs=3)
    seen = []
    assert_same(train("stream", tmp_path / "run.pt", epochs=3, on_epoch=seen.append), first)
    assert seen == []


def test_the_first_model_counts_and_not_the_one_built_to_go_on(tmp_path):
    path = tmp_path / "run.pt"
    how = {"epochs": 2, "device": "cpu", "checkpoint": path, "progress": False}
    process = start("stream", path, "replace", 1)
    process.join()
    assert epochs_in(path) == 0
    how |= {"epochs": 25, "lr": 1e-2, "patience": 3}
    torch.manual_seed(99)
    model = LanguageModel(len(VOCAB), hidden=12, dropout=0.3)
    fit(model, batches("stream"), batches("stream"), **how)
    weights, _ = train("stream", None)
    assert all(torch.equal(weights[name], weight) for name, weight in model.state_dict().items())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epochs": 3}, "epochs = 3, а в контрольной точке .*run.pt epochs = 2"),
        ({"lr": 0.5}, r"lr = 0\.5, а в .* lr = 0\.01"),
        ({"schedule": "cosine"}, "schedule = 'cosine', а в .* schedule = 'one-cycle'"),
        ({"seed": 7}, "seed = 7, а в .* seed = 0"),
        ({"clip": 2.0}, r"clip = 2\.0, а в .* clip = 1\.0"),
        ({"weight_decay": 0.0}, r"weight_decay = 0\.0, а в .* weight_decay = 0\.01"),
        ({"patience": None}, "patience = None, а в .* patience = 3: .*Верните прежнее"),
    ],
)
def test_arguments_that_do_not_agree_are_named(changed, message, tmp_path):
    train("stream", tmp_path / "run.pt", epochs=2)
    with pytest.raises(ValueError, match=message):
        train("stream", tmp_path / "run.pt", **{"epochs": 2, **changed})


def test_other_data_are_named(tmp_path):
    train("stream", tmp_path / "run.pt", epochs=2)
    longer = StreamBatches(VOCAB.encode(TEXT * 2), 4, 16)
    how = {"epochs": 2, "lr": 1e-2, "patience": 3, "checkpoint": tmp_path / "run.pt"}
    with pytest.raises(ValueError, match=r"len\(train\) = 21, а в .* len\(train\) = 11"):
        fit(network(), longer, batches("stream"), **how, progress=False)


def test_a_run_of_another_model_is_refused(tmp_path):
    train("stream", tmp_path / "run.pt", epochs=2)
    how = {"epochs": 2, "lr": 1e-2, "patience": 3, "checkpoint": tmp_path / "run.pt"}
    for other, message in [
        (network(hidden=13), r"embedding\.weight в файле — \(21, 12\), в этой модели — \(21, 13\)"),
        (network(layers=2), r"layers\.1\.\w+ в файле — нет, в этой модели — \(48, 12\)"),
        (network(cell="gru"), r"веса другой модели: layers\.0\.weight_ih_l0"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            fit(other, batches("stream"), batches("stream"), **how, progress=False)


def test_the_global_random_state_is_left_alone_by_a_run_that_goes_on(tmp_path):
    train("stream", tmp_path / "run.pt", epochs=2)
    model = network()
    before = torch.random.get_rng_state()
    how = {"epochs": 2, "lr": 1e-2, "patience": 3, "checkpoint": tmp_path / "run.pt"}
    fit(model, batches("stream"), batches("stream"), **how, progress=False)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_path_that_cannot_be_written_is_known_before_the_first_epoch(tmp_path):
    seen = []
    with pytest.raises(FileNotFoundError, match=r"Файл .*run\.pt не записать: папки .*нет"):
        train("stream", tmp_path / "none" / "run.pt", on_epoch=seen.append)
    with pytest.raises(TypeError, match="checkpoint = 5: нужен путь к файлу, а пришёл тип int"):
        train("stream", 5, on_epoch=seen.append)
    with pytest.raises(ValueError, match="checkpoint = '': нужен путь к файлу, а имени файла"):
        train("stream", "", on_epoch=seen.append)
    assert seen == []


def test_a_full_disk_leaves_the_former_file(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "model.pt"
    save_model(path, network(), VOCAB)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(CheckpointError, match=r"model\.pt не записать: File too large"):
            save_model(path, network(hidden=32), VOCAB)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@given(
    st.sampled_from(["rnn", "lstm", "gru"]),
    st.integers(1, 2),
    st.none() | st.integers(1, 9),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_model_comes_back_as_it_was(tmp_path_factory, cell, layers, size, residual, tied, double):
    path = tmp_path_factory.mktemp("model") / "модель.pt"
    shape = {"cell": cell, "layers": layers, "embedding": size, "residual": residual, "tied": tied}
    model = network(**shape)
    model = model.double() if double else model
    save_model(path, model, VOCAB)
    before = torch.random.get_rng_state()
    again, vocab = load_model(path)
    assert torch.equal(before, torch.random.get_rng_state())
    assert vocab == VOCAB
    assert again.arguments == model.arguments
    assert (again.projection.weight is again.embedding.weight) == tied
    assert not again.training
    inputs = torch.tensor([VOCAB.encode("собака")])
    assert torch.equal(again(inputs)[0], model.eval()(inputs)[0])


def test_a_vocabulary_of_words_comes_back_and_the_model_speaks(tmp_path):
    vocab = Vocab.build("у попа была собака".split())
    saved = LanguageModel(len(vocab), hidden=8)
    save_model(str(tmp_path / "m.pt"), saved, vocab)
    model, again = load_model(str(tmp_path / "m.pt"))
    assert again == vocab
    said = generate(model, again, ["попа"], length=9, seed=1)
    assert said == generate(saved, vocab, ["попа"], length=9, seed=1)
    assert said.split()[0] == "попа"


WORDS = Vocab.build("у попа была собака".split())
LABELS = ["плохо", "так себе", "хорошо"]

# Every model with no argument as it is by default, and what is kept beside it.
OTHERS = {
    "lm": (
        LanguageModel(
            len(VOCAB),
            cell="gru",
            hidden=6,
            layers=2,
            embedding=16,
            dropout=0.25,
            residual=False,
            forget_bias=0.5,
            deep_output=False,
            cutoffs=(6,),
        ),
        [VOCAB],
    ),
    "classifier": (
        Classifier(
            len(WORDS),
            3,
            cell="rnn",
            hidden=6,
            layers=2,
            embedding=5,
            bidirectional=False,
            pooling="attention",
            dropout=0.25,
        ),
        [WORDS, LABELS],
    ),
    "tagger": (
        Tagger(
            len(VOCAB),
            3,
            cell="gru",
            hidden=6,
            layers=2,
            embedding=5,
            bidirectional=False,
            dropout=0.25,
        ),
        [VOCAB, LABELS],
    ),
    "seq2seq": (
        Seq2Seq(
            len(VOCAB),
            len(WORDS),
            cell="gru",
            hidden=6,
            layers=2,
            embedding=5,
            attention="general",
            dropout=0.25,
        ),
        [VOCAB, WORDS],
    ),
}


def answers(model):
    ids, lengths = torch.tensor([[4, 5, 6], [7, 4, 0]]), torch.tensor([3, 2])
    model.eval()
    if isinstance(model, LanguageModel):
        return model(ids)[0]
    if isinstance(model, Seq2Seq):
        memory, state = model.encode(ids, lengths)
        return model.decode(ids, state, memory)[0]
    return model(ids, lengths)


@pytest.mark.parametrize("name", OTHERS)
def test_every_model_comes_back_with_all_that_was_kept(name, tmp_path):
    model, kept = OTHERS[name]
    save_model(tmp_path / "m.pt", model, *kept)
    again, *same = load_model(tmp_path / "m.pt")
    assert type(again) is type(model)
    assert same == kept
    assert again.arguments == model.arguments
    assert not again.training
    assert torch.equal(answers(again), answers(model))


@pytest.mark.parametrize("name", OTHERS)
def test_every_model_is_built_again_from_its_arguments_alone(name):
    model, _ = OTHERS[name]
    assert model.arguments.keys() == inspect.signature(type(model)).parameters.keys()
    again = type(model)(**model.arguments)
    again.load_state_dict(model.state_dict())
    assert torch.equal(answers(again), answers(model))
    # Where a default differs, an argument that is not passed on would go unseen.
    for argument, parameter in inspect.signature(type(model)).parameters.items():
        # Tied weights have no cutoffs; a test of its own brings them back.
        assert argument == "tied" or model.arguments[argument] != parameter.default, argument


def test_labels_of_any_kind_of_list_come_back_as_a_list(tmp_path):
    model, _ = OTHERS["classifier"]
    save_model(tmp_path / "m.pt", model, WORDS, tuple(LABELS))
    assert load_model(tmp_path / "m.pt")[2] == LABELS


@pytest.mark.parametrize(
    ("name", "kept", "error", "message"),
    [
        ("lm", [VOCAB, LABELS], ValueError, "пришло 2, а LanguageModel .* vocab_size"),
        ("classifier", [WORDS], ValueError, "пришло 1, а Classifier .* vocab_size и classes"),
        ("tagger", [VOCAB, LABELS[:2]], ValueError, r"kept\[1\]: длина 2, а у модели tags = 3"),
        ("classifier", [VOCAB, LABELS], ValueError, r"kept\[0\]: длина 21, .* vocab_size = 8"),
        ("seq2seq", [WORDS, VOCAB], ValueError, r"kept\[0\]: длина 8, .* source_size = 21"),
        ("seq2seq", [VOCAB, VOCAB], ValueError, r"kept\[1\]: длина 21, .* target_size = 8"),
        ("tagger", [VOCAB, 3], TypeError, r"kept\[1\] = 3: нужен Vocab или список строк"),
        ("tagger", [VOCAB, "аеё"], TypeError, r"kept\[1\] = 'аеё': нужен Vocab или список"),
        ("tagger", [VOCAB, [1, 2, 3]], TypeError, "kept = 1: нужна строка"),
    ],
)
def test_what_does_not_fit_the_model_is_not_kept(name, kept, error, message, tmp_path):
    with pytest.raises(error, match=message):
        save_model(tmp_path / "m.pt", OTHERS[name][0], *kept)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_names_another_model_is_refused(tmp_path):
    save_model(tmp_path / "m.pt", OTHERS["tagger"][0], *OTHERS["tagger"][1])
    content = read_checkpoint(tmp_path / "m.pt", "coursekit: model")
    for name in ("Classifier", "LanguageModel", "Linear", "os.system", None):
        torch.save({**content, "model": name}, tmp_path / "m.pt")
        with pytest.raises(CheckpointError, match="содержимое испорчено"):
            load_model(tmp_path / "m.pt")


def test_numbers_of_numpy_do_not_get_into_the_file(tmp_path):
    vocab = Vocab([np.str_(token) for token in VOCAB.tokens])
    sizes = {"hidden": np.int64(8), "layers": np.int32(1), "dropout": np.float64(0.5)}
    save_model(tmp_path / "m.pt", LanguageModel(np.int64(len(vocab)), **sizes), vocab)
    assert load_model(tmp_path / "m.pt")[1] == VOCAB


def test_numbers_of_numpy_do_not_get_into_a_run(tmp_path):
    numbers = {"epochs": np.int64(2), "lr": np.float64(1e-2), "clip": np.float32(1.0)}
    numbers |= {"weight_decay": np.float64(0.01), "seed": np.int32(0), "patience": np.int8(3)}
    first = train("stream", tmp_path / "run.pt", **numbers)
    assert_same(train("stream", tmp_path / "run.pt", epochs=2), first)


def test_what_cannot_be_a_saved_model_is_refused_before_it_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"kept\[0\]: длина 6, а у модели vocab_size = 21"):
        save_model(tmp_path / "m.pt", network(), Vocab.build("ау"))
    with pytest.raises(TypeError, match="model: нужна модель курса, а пришёл тип Linear"):
        save_model(tmp_path / "m.pt", torch.nn.Linear(2, 2), VOCAB)
    assert list(tmp_path.iterdir()) == []


class Malicious:
    """Unpickled by plain pickle, it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def archive(data):
    """Return ``data`` as the pickle in a zip archive such as torch writes."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        file.writestr("archive/data.pkl", data)
        file.writestr("archive/version", "3\n")
        file.writestr("archive/byteorder", "little")
    return whole.getvalue()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("wrap", [bytes, archive], ids=["bare", "in an archive"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_not_run(wrap, protocol, tmp_path):
    victim = tmp_path / "crime"
    data = pickle.dumps({"kind": "coursekit: model", "x": Malicious(victim)}, protocol)
    path = tmp_path / "model.pt"
    path.write_bytes(wrap(data))
    with pytest.raises(CheckpointError, match=r"model\.pt — не контрольная точка .*не выполнено"):
        load_model(path)
    with pytest.raises(CheckpointError, match="не контрольная точка"):
        train("stream", path)
    assert not victim.exists()
    pickle.loads(data)
    assert victim.exists(), "the pickle was harmless, the test proves nothing"


def test_a_malicious_file_that_torch_itself_wrote_is_refused_and_not_run(tmp_path):
    victim = tmp_path / "crime"
    write_checkpoint(tmp_path / "m.pt", "coursekit: model", {"tokens": Malicious(victim)})
    with pytest.raises(CheckpointError, match="не контрольная точка"):
        load_model(tmp_path / "m.pt")
    assert not victim.exists()
    torch.load(tmp_path / "m.pt", weights_only=False)
    assert victim.exists(), "the file was harmless, the test proves nothing"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.pt"
    save_model(path, network(hidden=2), VOCAB)
    return path


@given(st.data())
def test_a_file_cut_short_is_refused(saved, tmp_path_factory, data):
    whole = saved.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "model.pt"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(CheckpointError, match="не контрольная точка курса: он оборван"):
        load_model(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@given(st.binary(max_size=200))
def test_a_file_of_something_else_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("else") / "model.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="не контрольная точка"):
        load_model(path)


def test_a_checkpoint_of_another_kind_is_refused(saved, tmp_path):
    run = tmp_path / "run.pt"
    train("stream", run, epochs=1)
    message = "хранит не то: нужна запись 'coursekit: model', а в нём 'coursekit: fit'"
    with pytest.raises(CheckpointError, match=message):
        load_model(run)
    with pytest.raises(CheckpointError, match="нужна запись 'coursekit: fit'"):
        train("stream", saved)
    torch.save(network().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="а в нём None"):
        load_model(tmp_path / "weights.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(CheckpointError, match="а в нём None"):
        load_model(tmp_path / "list.pt")


JUNK = [None, 5, "кот", [1], {}, {"a": 1}, torch.zeros(3)]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize("field", ["model", "arguments", "weights", "kept", "tokens", "separator"])
def test_a_model_with_junk_inside_is_refused(saved, tmp_path, field, junk):
    content = read_checkpoint(saved, "coursekit: model")
    if field == "separator" and isinstance(junk, str):
        return
    if field in ("tokens", "separator"):
        content["kept"][0][field] = junk
    else:
        content[field] = junk
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="содержимое испорчено|веса другой модели"):
        load_model(tmp_path / "m.pt")


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize(
    "field", ["arguments", "history", "best", "weights", "optimizer", "schedule", "random"]
)
def test_a_run_with_junk_inside_is_refused(tmp_path, field, junk):
    path = tmp_path / "run.pt"
    train("stream", path, epochs=1)
    torch.save({**read_checkpoint(path, "coursekit: fit"), field: junk}, path)
    with pytest.raises(CheckpointError, match="содержимое испорчено|веса другой модели"):
        train("stream", path, epochs=1)


def test_weights_of_another_shape_inside_a_model_are_named(saved, tmp_path):
    content = read_checkpoint(saved, "coursekit: model")
    content["arguments"]["hidden"] = 3
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"layers\.0\.weight_ih_l0 в файле — \(8, 2\)"):
        load_model(tmp_path / "m.pt")


def test_a_vocabulary_of_another_size_inside_a_model_is_refused(saved, tmp_path):
    content = read_checkpoint(saved, "coursekit: model")
    content["kept"][0]["tokens"].pop()
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="содержимое испорчено"):
        load_model(tmp_path / "m.pt")


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Файла .*none\.pt нет\. Проверьте путь"):
        load_model(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="не прочитать: Is a directory"):
        load_model(tmp_path)
    with pytest.raises(TypeError, match="path = 5: нужен путь к файлу, а пришёл тип int"):
        load_model(5)


@pytest.mark.parametrize("patience", [3, 12])
def test_the_best_weights_in_the_file_are_no_alias_of_the_last(patience, tmp_path):
    path = tmp_path / "run.pt"
    model = network()
    valid = StreamBatches(VOCAB.encode("собака была у попа. " * 5), 2, 16)
    how = {"epochs": 12, "lr": 3e-2, "patience": patience, "device": "cpu", "progress": False}
    history = fit(model, batches("stream"), valid, checkpoint=path, **how)
    losses = [row["valid_loss"] for row in history]
    assert min(losses) < losses[-1]
    again = network()
    assert fit(again, batches("stream"), valid, checkpoint=path, **how) == history
    assert evaluate(again, valid, device="cpu")["loss"] == min(losses)


def test_a_name_too_long_for_a_file_is_refused_before_training(tmp_path):
    vocab = Vocab.build("мама мыла раму")
    batches = StreamBatches(vocab.encode("мама мыла раму" * 3), batch_size=2, length=8)
    for length in (252, 300):  # the part that is written first has a longer name
        with pytest.raises(CheckpointError, match="не записать"):
            fit(
                LanguageModel(len(vocab), hidden=4),
                batches,
                epochs=1,
                checkpoint=tmp_path / ("a" * length),
                progress=False,
            )
