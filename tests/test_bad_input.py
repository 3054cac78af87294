"""What every public function says to what it cannot work with: Russian that names the argument.

A case is a call that works. Each of its arguments in turn is replaced by what is not meant for it,
and then all of them at once: the call answers, or says in Russian which argument is wrong.
"""

import contextlib
import importlib
import inspect
import pkgutil
import re
from collections import Counter

import jaxtyping
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import coursekit
from coursekit import (
    attention,
    batching,
    beam,
    cells,
    checkpoints,
    checks,
    datasets,
    downloads,
    estimators,
    generation,
    layers,
    losses,
    metrics,
    models,
    plots,
    probes,
    processes,
    seq2seq,
    text,
    training,
    translation,
    vocab,
)
from coursekit.arguments import shown
from coursekit.tasks import lstm as lstm_tasks

MODULES = [
    importlib.import_module(f"coursekit.{found.name}")
    for found in pkgutil.iter_modules(coursekit.__path__)
    if found.name != "__main__"
]

RECORD = "a plain record of values, which nothing reads before they are used"
INNER = "called by the package alone, with what a tried function has checked"
NONE = "takes no argument"
# What is not tried below, and why.
UNTRIED = {
    "batching": {"Batch": RECORD, "Batches": "a protocol", "answer": INNER},
    "beam": {"Hypothesis": RECORD},
    "cells": {"Weights": RECORD, "LSTMGates": RECORD, "GRUGates": RECORD},
    "comparing": {
        "CheckError": "an error",
        "same": INNER,
        "compare_kinds": INNER,
        "gap": INNER,
    },
    "checks": {
        "Task": RECORD,
        "Observed": RECORD,
        "observe": INNER,
        "judge": INNER,
    },
    "variants": {"Variant": RECORD, "common": INNER, "cell": INNER},
    "checkpoints": {
        "Stateful": "a protocol",
        "CheckpointError": "an error",
        "save_training": INNER,
        "resume_training": INNER,
        "write_checkpoint": INNER,
        "read_checkpoint": INNER,
        "unfit": INNER,
        "random_states": INNER,
        "set_random_states": INNER,
    },
    "datasets": {
        **dict.fromkeys(["Work", "Review", "Names", "FirstName", "Token", "Corpus"], RECORD),
        **dict.fromkeys(["load_zarechinsk", "load_reviews", "load_names", "load_tolstoy"], NONE),
        **dict.fromkeys(
            ["fetch_tinyshakespeare", "fetch_names", "fetch_opensentiment", "fetch_rureviews"], NONE
        ),
        **dict.fromkeys(["fetch_rutweetcorp", "fetch_tatoeba"], NONE),
    },
    "downloads": {
        "DownloadError": "an error",
        "Entry": RECORD,
        "registry": NONE,
        "data_folder": NONE,
        "download": INNER,
        "digest_matches": INNER,
    },
    "generation": {"evaluating": INNER},
    "layers": {"embedded": INNER, "go_on": INNER},
    "losses": {"Step": RECORD, "unknown_targets": INNER},
    "memory": {"kept_memory": NONE},
    "processes": {
        "Accelerator": "a protocol",
        "best_device": NONE,
        "start_alike": INNER,
        "add_gradients": INNER,
        "added": INNER,
    },
    "tensors": {"row_of_ids": INNER},
    "text": {"stop_words": NONE},
    "training": {"Model": "a protocol", "LossError": "an error"},
    "vocab": {"token_list": INNER},
}

IDS = [4, 5, 6, 7, 8, 5, 4]
TOKENS = torch.tensor([[4, 5, 6], [7, 8, 0]])
LENGTHS = torch.tensor([3, 2])
QUERY, KEYS = torch.rand(2, 3, 4), torch.rand(2, 5, 4)
BUILT = {"cell": "gru", "hidden": 2, "layers": 1, "embedding": 3, "dropout": 0.1}
DRAWN = {"length": 3, "temperature": 0.7, "top_k": 3, "top_p": 0.9, "seed": 1}


def cases():
    """Calls that work, by the name of what is called: the function and its arguments."""
    alphabet = vocab.Vocab.build("ауом")
    axes = plt.figure().add_subplot()
    stream = batching.StreamBatches(IDS, 2, 3)
    (pairs,) = batching.PaddedBatches([[4, 5, 6]], [[4, 3]], aligned=False, batch_size=2)
    batch = next(iter(stream))
    language = models.LanguageModel(9, hidden=2)
    adaptive = models.LanguageModel(9, hidden=4, cutoffs=[6])
    classifier = models.Classifier(9, 2, hidden=2, pooling="attention")
    tagger = models.Tagger(9, 2, hidden=2)
    writer = seq2seq.Seq2Seq(9, 9, hidden=2)
    small = models.LanguageModel(8, hidden=2)
    pair = seq2seq.Seq2Seq(8, 8, hidden=2)
    memory, state = writer.encode(TOKENS, LENGTHS)
    row, x, h = torch.rand(2, 3), torch.rand(2, 4, 3), torch.rand(2, 2)
    gru = cells.Recurrent("gru", 3, 2)
    of_rnn, of_lstm = (cells.Recurrent(cell, 3, 2).weights(0) for cell in ("rnn", "lstm"))
    additive, general = attention.Additive(4, 4, 2), attention.General(4, 4)
    scores = torch.rand(2, 5)
    logits = torch.rand(2, 9)
    estimator = estimators.TextClassifier(hidden=2, epochs=1, device="cpu", min_count=1)
    texts, labels = ["да да", "нет нет"], ["д", "н"]
    fitted = estimators.TextClassifier(hidden=2, epochs=1, device="cpu", min_count=1)
    fitted.fit(texts, labels)
    corpus = datasets.Corpus([datasets.Work("a", "b", "c", "текст", "train")] * 4)
    heads = [following.log_softmax(-1) for following in (logits, logits)]
    encoder = {name: BUILT[name] for name in BUILT}
    return {
        "attention.length_mask": (attention.length_mask, {"lengths": LENGTHS, "steps": 4}),
        "attention.dot": (attention.dot, {"query": QUERY, "keys": KEYS}),
        "attention.scaled_dot": (attention.scaled_dot, {"query": QUERY, "keys": KEYS}),
        "attention.additive": (
            attention.additive,
            {"query": QUERY, "keys": KEYS, "v": torch.rand(4)},
        ),
        "attention.Additive": (
            attention.Additive,
            {"query_size": 2, "key_size": 3, "hidden": 4},
        ),
        "attention.Additive.forward": (additive, {"query": QUERY, "keys": KEYS}),
        "attention.General": (attention.General, {"query_size": 2, "key_size": 3}),
        "attention.General.forward": (general, {"query": QUERY, "keys": KEYS}),
        "attention.attend": (
            attention.attend,
            {"scores": scores, "values": KEYS, "mask": torch.ones(2, 5, dtype=torch.bool)},
        ),
        "batching.Batch.to": (batch.to, {"device": torch.device("cpu")}),
        "batching.StreamBatches": (
            batching.StreamBatches,
            {"ids": IDS, "batch_size": 2, "length": 3},
        ),
        "batching.StreamBatches.epoch": (lambda number: list(stream.epoch(number)), {"number": 1}),
        "batching.PaddedBatches": (
            batching.PaddedBatches,
            {
                "sequences": [[4, 5, 6], [7, 8]],
                "targets": [[1, 0, 1], [0, 1]],
                "batch_size": 2,
                "aligned": True,
                "shuffle": True,
                "seed": 1,
            },
        ),
        "batching.PaddedBatches.epoch": (
            lambda number: list(batching.PaddedBatches([[4, 5]], batch_size=1).epoch(number)),
            {"number": 1},
        ),
        "beam.penalised": (
            beam.penalised,
            {"log_probability": -1.0, "length": 2, "length_penalty": 0.5},
        ),
        "beam.beam_search": (
            beam.beam_search,
            {
                "read": lambda tokens, state: (heads[0][:1].expand(len(tokens), -1), state),
                "following": heads[0],
                "state": (),
                "width": 2,
                "length": 3,
                "length_penalty": 0.5,
            },
        ),
        "beam.select": (
            beam.select,
            {"state": (torch.rand(1, 2, 3),), "rows": torch.tensor([0, 1, 1])},
        ),
        "beam.stable_topk": (beam.stable_topk, {"values": logits, "k": 2}),
        "cells.rnn_tanh": (cells.rnn_tanh, {"x": row, "h": h, "w": of_rnn}),
        "cells.rnn_relu": (cells.rnn_relu, {"x": row, "h": h, "w": of_rnn}),
        "cells.lstm_gates": (cells.lstm_gates, {"x": row, "state": (h, h), "w": of_lstm}),
        "cells.lstm": (cells.lstm, {"x": row, "state": (h, h), "w": of_lstm}),
        "cells.gru_gates": (cells.gru_gates, {"x": row, "h": h, "w": gru.weights(0)}),
        "cells.gru": (cells.gru, {"x": row, "h": h, "w": gru.weights(0)}),
        "cells.unroll": (
            cells.unroll,
            {"step": cells.gru, "x": x, "state": h, "weights": gru.weights(0), "reverse": True},
        ),
        "cells.Recurrent": (
            cells.Recurrent,
            {
                "cell": "lstm",
                "input_size": 3,
                "hidden_size": 2,
                "layers": 2,
                "bidirectional": True,
                "peephole": True,
            },
        ),
        "cells.Recurrent.weights": (gru.weights, {"layer": 0, "way": ""}),
        "cells.Recurrent.forward": (gru, {"x": x, "state": torch.zeros(1, 2, 2)}),
        "cells.open_forget_gate": (
            cells.open_forget_gate,
            {"bias_ih": torch.zeros(8), "bias_hh": torch.zeros(8)},
        ),
        "checkpoints.save_model": (
            lambda path, model, kept: checkpoints.save_model(path, model, kept),
            {"path": "model.pt", "model": small, "kept": alphabet},
        ),
        "checkpoints.load_model": (checkpoints.load_model, {"path": "none.pt"}),
        "datasets.Corpus.text": (corpus.text, {"split": "train"}),
        "datasets.Corpus.split_text": (corpus.split_text, {"valid": 0.1}),
        "datasets.fetch_anna_karenina": (datasets.fetch_anna_karenina, {"language": "ru"}),
        "datasets.fetch_taiga": (datasets.fetch_taiga, {"split": "train"}),
        "downloads.fetch": (downloads.fetch, {"name": "names-ru.csv"}),
        "estimators.TextClassifier": (
            lambda **how: estimators.TextClassifier(hidden=2, min_count=1, device="cpu", **how).fit(
                texts * 2, labels * 2
            ),
            {"analyzer": "char", "epochs": 1, "patience": 1, "valid_fraction": 0.5, "seed": 1},
        ),
        "estimators.TextClassifier.fit": (estimator.fit, {"X": texts, "y": labels}),
        "estimators.TextClassifier.predict": (fitted.predict, {"X": texts}),
        "estimators.TextClassifier.predict_proba": (fitted.predict_proba, {"X": texts}),
        "generation.generate": (
            generation.generate,
            {"model": small, "vocab": alphabet, "prompt": "ау", **DRAWN},
        ),
        "generation.generate_batch": (
            generation.generate_batch,
            {"model": small, "vocab": alphabet, "prompts": ["ау", "о"], **DRAWN},
        ),
        "generation.distribution": (
            generation.distribution,
            {"logits": logits, "temperature": 0.7, "top_k": 3, "top_p": 0.9},
        ),
        "generation.search": (
            generation.search,
            {
                "model": small,
                "vocab": alphabet,
                "prompt": "ау",
                "length": 3,
                "width": 2,
                "length_penalty": 0.5,
            },
        ),
        "layers.recurrent_layer": (
            layers.recurrent_layer,
            {"cell": "gru", "input_size": 3, "hidden": 2, "forget_bias": 1.0},
        ),
        "layers.detached": (layers.detached, {"state": state}),
        "layers.reversed_rows": (layers.reversed_rows, {"x": x[:, :3], "lengths": LENGTHS}),
        "layers.Encoder": (
            layers.Encoder,
            {"vocab_size": 9, **encoder, "bidirectional": True},
        ),
        "layers.Encoder.forward": (classifier.encoder, {"inputs": TOKENS, "lengths": LENGTHS}),
        "losses.cross_entropy": (
            losses.cross_entropy,
            {"logits": torch.rand(2, 3, 9), "targets": TOKENS},
        ),
        "losses.adaptive_cross_entropy": (
            losses.adaptive_cross_entropy,
            {"softmax": adaptive.projection, "x": torch.rand(2, 3, 4), "targets": TOKENS},
        ),
        "checks.check": (
            checks.check,
            {"task": lstm_tasks.STEP, "function": lstm_tasks.step, "seed": 1},
        ),
        "metrics.perplexity": (metrics.perplexity, {"total": 5.0, "count": 3}),
        "metrics.accuracy": (metrics.accuracy, {"correct": 2, "count": 3}),
        "metrics.tokens_per_second": (metrics.tokens_per_second, {"count": 3, "seconds": 0.1}),
        "metrics.confusion_matrix": (
            metrics.confusion_matrix,
            {"truth": ["а", "б"], "answers": ["а", "а"], "labels": ["а", "б"]},
        ),
        "metrics.macro_f1": (
            metrics.macro_f1,
            {"truth": ["а", "б"], "answers": ["а", "а"], "labels": ["а", "б"]},
        ),
        "metrics.edit_distance": (metrics.edit_distance, {"first": "лодка", "second": "водка"}),
        "models.LanguageModel": (
            models.LanguageModel,
            {
                "vocab_size": 9,
                **BUILT,
                "residual": True,
                "forget_bias": 1.0,
                "deep_output": True,
                "tied": True,
                "cutoffs": None,
            },
        ),
        "models.LanguageModel.forward": (
            language,
            {"inputs": TOKENS, "state": (tuple(torch.zeros(2, 1, 2, 2)),)},
        ),
        "models.LanguageModel.read": (
            language.read,
            {"inputs": TOKENS, "state": (tuple(torch.zeros(2, 1, 2, 2)),)},
        ),
        "models.LanguageModel.loss": (
            language.loss,
            {"batch": batch, "state": (tuple(torch.zeros(2, 1, 2, 2)),)},
        ),
        "models.Classifier": (
            models.Classifier,
            {"vocab_size": 9, "classes": 2, **BUILT, "bidirectional": True, "pooling": "max"},
        ),
        "models.Classifier.forward": (classifier, {"inputs": TOKENS, "lengths": LENGTHS}),
        "models.Classifier.attention": (
            classifier.attention,
            {"inputs": TOKENS, "lengths": LENGTHS},
        ),
        "models.Classifier.loss": (classifier.loss, {"batch": batch}),
        "models.Tagger": (
            models.Tagger,
            {"vocab_size": 9, "tags": 2, **BUILT, "bidirectional": True},
        ),
        "models.Tagger.forward": (tagger, {"inputs": TOKENS, "lengths": LENGTHS}),
        "models.Tagger.loss": (tagger.loss, {"batch": batch}),
        "plots.history": (
            plots.history,
            {"rows": [{"epoch": 1, "train_loss": 0.5}], "metric": "loss", "ax": axes},
        ),
        "plots.gates": (
            plots.gates,
            {"values": [[0.5, 1.0]], "tokens": "да", "names": ["i"], "ax": axes},
        ),
        "plots.attention": (
            plots.attention,
            {"weights": [[0.5, 0.5]], "queries": ["а"], "keys": ["б", "в"], "ax": axes},
        ),
        "plots.gradients": (
            plots.gradients,
            {"norms": [[1.0, 0.5]], "labels": ["RNN"], "ax": axes},
        ),
        "plots.confusion": (
            plots.confusion,
            {"matrix": [[1, 0], [0, 2]], "labels": ["а", "б"], "ax": axes},
        ),
        "plots.top_terms": (
            plots.top_terms,
            {"weights": [0.5, 1.0], "terms": ["а", "б"], "count": 2, "ax": axes},
        ),
        "plots.diagram": (plots.diagram, {"name": "06-lstm"}),
        "probes.gates": (probes.gates, {"model": language, "ids": IDS, "layer": 0}),
        "layers.layer_weights": (layers.layer_weights, {"recurrent": nn.GRU(3, 2)}),
        "probes.gradient_by_lag": (
            probes.gradient_by_lag,
            {"model": language, "ids": torch.tensor([IDS])},
        ),
        "probes.translation_attention": (
            probes.translation_attention,
            {"model": writer, "source": IDS, "target": [4, 3]},
        ),
        "probes.classification_attention": (
            probes.classification_attention,
            {"model": classifier, "ids": IDS},
        ),
        "probes.singular_values": (probes.singular_values, {"recurrent": nn.GRU(3, 2)}),
        "probes.spectral_radius": (probes.spectral_radius, {"recurrent": nn.GRU(3, 2)}),
        "processes.place": (
            processes.place,
            {"device": "cpu", "bf16": False, "accelerator": None},
        ),
        "processes.existing": (processes.existing, {"device": "cpu"}),
        "processes.own_rows": (
            processes.own_rows,
            {"batch": batch, "process": 0, "processes": 2},
        ),
        "seq2seq.Seq2Seq": (
            seq2seq.Seq2Seq,
            {"source_size": 9, "target_size": 8, **BUILT, "attention": "dot"},
        ),
        "seq2seq.Seq2Seq.encode": (writer.encode, {"inputs": TOKENS, "lengths": LENGTHS}),
        "seq2seq.Seq2Seq.decode": (
            writer.decode,
            {"tokens": TOKENS, "state": state, "memory": memory},
        ),
        "seq2seq.Seq2Seq.scores": (
            writer.scores,
            {"query": torch.rand(2, 3, 2), "keys": torch.rand(2, 5, 2)},
        ),
        "seq2seq.Seq2Seq.loss": (writer.loss, {"batch": pairs}),
        "seq2seq.shifted": (seq2seq.shifted, {"targets": TOKENS}),
        "text.normalise": (text.normalise, {"text": "кот"}),
        "text.sentences": (text.sentences, {"text": "Кот. Пёс!"}),
        "text.tokens": (text.tokens, {"text": "кот, пёс"}),
        "text.words": (text.words, {"text": "кот, пёс"}),
        "text.stem": (text.stem, {"word": "коты"}),
        "text.parses": (text.parses, {"word": "коты"}),
        "text.lemma": (text.lemma, {"word": "коты"}),
        "text.Analyzer": (
            text.Analyzer,
            {
                "form": "stem",
                "ngrams": (1, 2),
                "dropped": frozenset({"и"}),
                "min_length": 1,
                "allow_empty": True,
            },
        ),
        "text.Analyzer.__call__": (text.Analyzer("token"), {"text": "кот и пёс"}),
        "training.fit": (
            training.fit,
            {
                "model": language,
                "train": stream,
                "valid": stream,
                "epochs": 1,
                "lr": 0.01,
                "schedule": "cosine",
                "clip": 1.0,
                "weight_decay": 0.01,
                "seed": 1,
                "patience": None,
                "checkpoint": None,
                "device": "cpu",
                "bf16": False,
                "accelerator": None,
                "progress": False,
                "on_epoch": None,
            },
        ),
        "training.evaluate": (
            training.evaluate,
            {
                "model": language,
                "batches": stream,
                "device": "cpu",
                "bf16": False,
                "accelerator": None,
            },
        ),
        "translation.translate": (
            translation.translate,
            {
                "model": pair,
                "source_vocab": alphabet,
                "target_vocab": alphabet,
                "texts": ["ау", "о"],
                "length": 3,
                "width": 2,
                "length_penalty": 0.5,
                "batch_size": 2,
            },
        ),
        "vocab.Vocab": (
            vocab.Vocab,
            {"tokens": ["<pad>", "<unk>", "<bos>", "<eos>", "а"], "separator": " "},
        ),
        "vocab.Vocab.build": (
            vocab.Vocab.build,
            {"text": "мама мыла раму", "min_count": 1, "max_size": 9},
        ),
        "vocab.Vocab.encode": (
            vocab.Vocab.build(["а", "б"]).encode,
            {"text": ["а", "в"], "bos": True, "eos": True, "strict": False},
        ),
        "vocab.Vocab.decode": (alphabet.decode, {"ids": [4, 5]}),
    }


NAMES = sorted(cases())

# A batch is named by what in it is wrong; a state, an accelerator and the like by their parts too.
ALSO_NAMED = {
    "batch": ("inputs", "targets", "lengths"),
    "memory": ("keys", "values", "mask"),
    "state": ("h", "c"),
    "x": ("h", "c"),  # which do not fit it
    "weights": ("w",),
    "path": ("Файл", "Файла"),
    "checkpoint": ("Файл",),
    "X": ("text",),  # which the vocabulary is built of
}

# No size between these is tried: it may be meant, and then takes the memory that it asks for.
WHOLE = st.integers(-(2**70), 8) | st.integers(2**40, 2**70)
DTYPES = [torch.float32, torch.float64, torch.float16, torch.int64, torch.int32, torch.int8]
DTYPES += [torch.bool, torch.complex64]
SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)


def filled(shape, dtype, value):
    return torch.full(shape, value).to(dtype)


TENSORS = st.builds(
    filled, SHAPES, st.sampled_from(DTYPES), st.sampled_from([0.0, 1.0, -3.0, 7.0, 1e9, np.nan])
)
SCALARS = (
    st.none() | st.booleans() | WHOLE | st.floats() | st.complex_numbers() | st.binary(max_size=3)
    | st.text(max_size=5) | st.text(st.characters(categories=["Cs", "Co", "Cn"]), max_size=3)
)  # fmt: skip
NESTED = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
ANYTHING = (
    NESTED | NESTED.map(lambda value: (value, value)) | TENSORS
    | TENSORS.map(lambda value: value.numpy()) | st.lists(TENSORS, max_size=3)
    | st.dictionaries(SCALARS, SCALARS, max_size=2)
)  # fmt: skip

COMMON = [
    None, True, 0, -1, 1, 2**63, 2**70, -(2**70), 10**5000, 1.5, np.nan, np.inf, -np.inf, 1e308, 1j,
    "", "кот", "\ud800", "\0", "🙂" * 3, b"\xff", [], (), {}, [[]], [[], [1]], [1, [2]], ["а", 1],
    [None], [np.nan], [2**70], [[1.5, 2]], ["\ud800"], [[1], [2, 3]], [True], {"а": 1}, object(),
    np.array([]), np.zeros((2, 2)), np.array(["а"]), np.array(["а", None]), np.float32("nan"),
    np.int64(3), torch.tensor([]), torch.tensor(1), torch.zeros(2, 3), torch.zeros(0, 3).long(),
    torch.tensor([[10**6, -5]]), torch.full((2, 3), torch.nan), torch.zeros(1, 1, 1, 1, 1),
    torch.zeros(2, 3, dtype=torch.complex64), [torch.zeros(2)], (torch.zeros(1, 2, 2),),
]  # fmt: skip


def near(value):
    """Values that differ from a good one in one thing."""
    if isinstance(value, torch.Tensor):
        kinds = [value.to(dtype) for dtype in DTYPES]
        shapes = [value[None], value[:0], value[..., :0], value[0], value[:1]]
        shapes += [value.mT] if value.ndim > 1 else []
        return [*kinds, *shapes, torch.cat([value] * 2), value * -1, value * 10**9, value.tolist()]
    if isinstance(value, (list, tuple)):
        kind = type(value) if type(value) in (list, tuple) else tuple
        longer = [*value, *value]
        return [kind(wrong) for wrong in ([None, *value], longer, [value], value[:1], value[:-1])]
    if isinstance(value, str):
        return [value + "\ud800", value.encode(), [value], value.upper()]
    return []


def complaint(call, arguments, names):
    """Return what is wrong with the way in which ``call`` refuses ``arguments``, or None."""
    try:
        call(**arguments)
    except Exception as error:
        said = str(error)
        own = type(error).__module__.startswith("coursekit.")
        if not own and type(error) not in (ValueError, TypeError, FileNotFoundError):
            return f"{type(error).__name__}: {said[:150]}"
        if not re.search("[а-яё]{3}", said):
            return f"not in Russian: {type(error).__name__}: {said[:150]}"
        if not own and not any(re.search(rf"\b{name}\b", said) for name in names):
            return f"names none of {names}: {said[:150]}"
    return None


def named_by(arguments):
    return [*arguments, *(also for name in arguments for also in ALSO_NAMED.get(name, ()))]


@pytest.fixture
def _apart(tmp_path, monkeypatch):
    """No file of a reader's is touched, nothing is downloaded, no figure stays open.

    Annotations are not held to here: the package alone must see what does not fit them.
    """
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file"
    file.write_text("1\tкот\tкот\tNOUN\n", encoding="utf-8")
    monkeypatch.setattr(downloads, "download", lambda entry, folder: file)
    yield
    plt.close("all")


def public(module):
    """The public functions and classes that ``module`` defines."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", None) == module.__name__
    }


def methods(kind):
    for name, value in vars(kind).items():
        function = getattr(value, "__func__", value)
        if inspect.isfunction(function) and (name == "__call__" or not name.startswith("_")):
            yield name


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_is_tried_or_listed_with_a_reason(module):
    short = module.__name__.removeprefix("coursekit.")
    if short == "arguments":
        return  # its functions are the checks themselves; their messages are its doctests
    tried, untried = set(cases()), UNTRIED.get(short, {})
    names = public(module)
    assert set(untried) <= set(names)
    for name, value in names.items():
        if name.startswith("check_"):
            continue
        assert (f"{short}.{name}" in tried) != (name in untried), f"{short}.{name}"
        # The methods of records are tried as well; those of protocols do nothing.
        if inspect.isclass(value) and untried.get(name) not in ("a protocol", "an error"):
            for method in methods(value):
                assert f"{short}.{name}.{method}" in tried, f"{short}.{name}.{method}"


@pytest.mark.usefixtures("_apart")
@pytest.mark.parametrize("name", NAMES)
def test_the_cases_themselves_work(name):
    call, arguments = cases()[name]
    with contextlib.suppress(FileNotFoundError):
        assert complaint(call, arguments, named_by(arguments)) is None


@pytest.mark.usefixtures("_apart")
@pytest.mark.parametrize("name", NAMES)
def test_each_wrong_argument_is_named_in_russian(name):
    call, arguments = cases()[name]
    found = Counter()
    for argument, good in arguments.items():
        for bad in [*COMMON, *near(good)]:
            with torch.random.fork_rng():
                said = complaint(call, arguments | {argument: bad}, named_by(arguments))
            if said:
                found[f"{argument} = {shown(bad)}: {said}"] += 1
        plt.close("all")
    assert not found, "\n".join(found)


@pytest.mark.usefixtures("_apart")
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_anything_at_all_is_answered_or_refused_in_russian(name, data):
    call, arguments = cases()[name]
    wrong = data.draw(st.sampled_from(sorted(arguments)))
    kinds = {argument: st.just(good) | ANYTHING for argument, good in arguments.items()}
    drawn = data.draw(st.fixed_dictionaries(kinds | {wrong: ANYTHING}))
    with torch.random.fork_rng():
        assert complaint(call, drawn, named_by(arguments)) is None
    plt.close("all")
