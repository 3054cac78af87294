"""What the benchmarks compare is the same work: at a tiny size, and without a look at the clock."""

import json
from copy import deepcopy
from pathlib import Path

import generation
import imports
import lemmas
import loops
import pymorphy3
import pytest
import run
import shakespeare
import torch
import words
from side_by_side import Figure, Ratio, apart, figure, in_turn, ratio

from coursekit import datasets
from coursekit.batching import StreamBatches
from coursekit.training import evaluate
from coursekit.vocab import Vocab

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow

SENTENCES = ["Вера шла.", "Мороз и солнце, день чудесный!", "Ёж", "Лодка плыла вдоль берега."] * 70
VOCAB = Vocab.build("".join(SENTENCES))


def trained(way, *arguments):
    """Return what ``way`` returns and the model after it, begun as all ways begin."""
    model = loops.started(VOCAB, hidden=12)
    return way(model, *arguments), model.to("cpu").state_dict()


def assert_same_weights(first, second):
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, rtol=1e-3, atol=1e-5, msg=name)


def test_ways_take_turns_and_every_second_round_goes_backwards():
    calls = []
    ways = {name: lambda name=name: calls.append(name) for name in "abc"}
    times = in_turn(ways, repeats=3, before=lambda: calls.append("-"))
    assert "".join(calls) == "-a-b-c-c-b-a-a-b-c"
    assert [len(seconds) for seconds in times.values()] == [3, 3, 3]


WAYS = """
import os
from pathlib import Path

def same():
    def way(name):
        with Path(__file__).with_suffix(".log").open("a") as log:
            print(name, os.getpid(), file=log)
        return 3
    return {"a": lambda: way("a"), "b": lambda: way("b")}

def different():
    return {"a": lambda: 1, "b": lambda: 2}
"""


def test_ways_that_run_apart_have_a_process_each_and_do_the_same_work(tmp_path, monkeypatch):
    (tmp_path / "ways.py").write_text(WAYS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    times = apart("ways", "same", repeats=2)
    log = (tmp_path / "ways.log").read_text().splitlines()
    names, processes = zip(*map(str.split, log), strict=True)
    assert "".join(names) == "abba"
    assert len(set(processes)) == 4
    assert {name: len(seconds) for name, seconds in times.items()} == {"a": 2, "b": 2}
    with pytest.raises(AssertionError, match="different amounts"):
        apart("ways", "different", repeats=1)


def test_a_ratio_is_the_median_of_the_rounds():
    row = ratio("work", {"ours": [1.0, 2.0, 1.0], "usual": [4.0, 6.0, 10.0]}, "usual", demanded=4)
    assert row == Ratio("work", "usual", 1.0, 6.0, 4.0, 3.0, 10.0, 4)
    assert figure("work", "s", [3.0, 1.0, 2.0]) == Figure("work", "s", 2.0, 1.0, 3.0)


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (Ratio("a", "b", 1, 4, 4.0, 3.9, 4.1, 4), True),
        (Ratio("a", "b", 1, 4, 3.9, 3.9, 4.1, 4), False),
        (Ratio("a", "b", 1, 4, 0.1, 0.1, 0.1), True),
        (Figure("a", "s", 150, 150, 150, 150), True),
        (Figure("a", "s", 151, 151, 151, 150), False),
    ],
)
def test_the_table_says_what_is_not_kept(row, kept):
    assert run.kept(row) == kept
    assert len(run.cells(row)) == 7


def test_lemmas_are_the_same():
    texts = [work.text[:2000] for work in datasets.load_zarechinsk()[:3]]
    assert lemmas.ours(texts) == lemmas.usual(texts, pymorphy3.MorphAnalyzer())


def test_loops_train_on_the_same_number_of_characters():
    batches = loops.batched(SENTENCES, VOCAB, batch_size=32)
    expected = sum(len(sentence) + 1 for sentence in SENTENCES)
    count, ours = trained(loops.ours, batches)
    assert count == expected
    count, bare = trained(loops.bare, batches)
    assert count == expected
    assert_same_weights(ours, bare)
    count, usual = trained(loops.usual, SENTENCES, VOCAB)
    assert count == expected
    assert any(not torch.equal(usual[name], ours[name]) for name in ours)


@pytest.mark.parametrize("name", ["by_lightning", "by_skorch"])
def test_other_trainers_end_with_our_weights(name):
    pytest.importorskip("lightning")
    pytest.importorskip("skorch")
    import trainers

    trainers.quiet()
    batches = loops.batched(SENTENCES, VOCAB, batch_size=32)
    _, ours = trained(loops.ours, batches, 2)
    _, theirs = trained(getattr(trainers, name), batches, 2)
    assert_same_weights(ours, theirs)


def test_both_ways_of_generation_draw_the_same_text():
    vocab = Vocab.build("вера львовна шла домой")
    model = generation.untrained(vocab, hidden=16)
    ours = generation.ours(model, vocab, "вера ", length=60, seed=3)
    assert len(ours) == 65
    assert ours == generation.usual(model, vocab, "вера ", length=60, seed=3)
    assert ours != generation.usual(model, vocab, "вера ", length=60, seed=4)


def test_both_softmaxes_begin_alike_and_see_the_same_words():
    tokens = [f"слово{number % 37}" for number in range(400)]
    vocab = Vocab.build(tokens)
    stream = StreamBatches(vocab.encode(tokens), batch_size=4, length=10)
    models = words.models(len(vocab), (8, 20), hidden=16)
    starts = [
        {name: weight for name, weight in model.state_dict().items() if "projection" not in name}
        for model in deepcopy(models)
    ]
    assert_same_weights(*starts)
    for model in models:
        history = words.train(model, stream, stream, epochs=8)
        assert history[-1]["valid_perplexity"] < history[0]["valid_perplexity"]


def test_the_stream_of_shakespeare_begins_anew_at_other_places_each_epoch():
    ids = list(range(4, 4 + 2 * shakespeare.WINDOW + 1))
    batches = shakespeare.Restarted(ids, batch_size=1, length=shakespeare.LENGTH)
    plain = list(StreamBatches(ids, batch_size=1, length=shakespeare.LENGTH))
    for number, places in enumerate([[0, 4], [0, 3, 7], [0, 2, 6]]):
        found = list(batches.epoch(number))
        assert [i for i, batch in enumerate(found) if not batch.continues] == places
        assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(found, plain, strict=True))


def test_windows_begin_anew_and_skip_nothing_between_them():
    ids = list(range(4, 4 + 3 * shakespeare.WINDOW + 5))
    batches = list(shakespeare.windows(ids).epoch(0))
    assert not any(batch.continues for batch in batches)
    targets = torch.cat([batch.targets.flatten() for batch in batches])
    assert targets.tolist() == ids[1 : 3 * shakespeare.WINDOW + 1]


def test_the_recipe_for_shakespeare_learns():
    text = "to be, or not to be, that is the question: " * 60
    vocab = Vocab.build(text)
    stream = StreamBatches(vocab.encode(text), batch_size=4, length=32)
    losses = []
    for epochs in (1, 3):
        model = shakespeare.trained(vocab.encode(text), vocab, epochs, hidden=32)
        losses.append(evaluate(model, stream)["loss"])
    assert losses[1] < losses[0]


def test_what_works_without_torch_does_not_import_it():
    assert not imports.imports_torch(imports.MODULES)
    assert imports.imports_torch("coursekit.batching")


def test_every_part_is_listed():
    parts = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert parts - {"run", "side_by_side"} == set(run.PARTS)


def test_an_unknown_part_is_named():
    with pytest.raises(SystemExit, match="no such part: loop; there are imports,"):
        run.main(["loop"])


def test_results_of_other_parts_are_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(imports, "MODULES", "coursekit.vocab")
    run.RESULTS.write_text(json.dumps({"loops": {"rows": []}, "forgotten": {}}))
    run.main(["imports"])
    results = json.loads(run.RESULTS.read_text())
    assert list(results) == ["loops", "imports"]
    assert set(results["imports"]) == {"date", "machine", "versions", "rows"}
    assert results["imports"]["rows"][0]["demanded"] == 0.3
    assert "s above bare Python" in capsys.readouterr().out
