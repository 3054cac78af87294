import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coursekit.batching import IGNORED, POOL, PaddedBatches, StreamBatches
from coursekit.vocab import EOS, PAD

streams = st.integers(2, 120).map(lambda size: list(range(10, 10 + size)))


@given(streams, st.integers(1, 20), st.integers(1, 40))
def test_every_token_of_a_stream_but_the_first_is_a_target_once(ids, batch_size, length):
    if len(ids) <= length:
        return
    batches = list(StreamBatches(ids, batch_size, length))
    targets = torch.cat([batch.targets.flatten() for batch in batches])
    assert sorted(targets[targets != IGNORED].tolist()) == ids[1:]
    assert sum(batch.count for batch in batches) == len(ids) - 1
    assert len(batches) == len(StreamBatches(ids, batch_size, length))


@given(streams, st.integers(1, 20), st.integers(1, 40))
def test_a_target_is_the_token_after_its_input_and_rows_go_on(ids, batch_size, length):
    if len(ids) <= length:
        return
    batches = list(StreamBatches(ids, batch_size, length))
    for batch in batches:
        counted = batch.targets != IGNORED
        assert (batch.targets[counted] == batch.inputs[counted] + 1).all()
        assert batch.lengths.tolist() == counted.sum(1).tolist()
    for earlier, later in itertools.pairwise(batches):
        assert later.continues
        assert (earlier.targets[:, -1] == later.inputs[:, 0])[later.lengths > 0].all()
    assert not batches[0].continues
    assert max(batch.inputs.shape[1] for batch in batches) <= length


def test_rows_of_a_stream_differ_by_one_token_at_most():
    batch = next(iter(StreamBatches(list(range(4, 106)), 4, 60)))
    assert batch.lengths.tolist() == [26, 25, 25, 25]


@pytest.mark.parametrize("ids", [[], [4], [4, 5, 6]])
def test_a_text_shorter_than_a_window_is_an_error(ids):
    with pytest.raises(ValueError, match=r"^ids: .*текст короче одного окна.* length = 3 "):
        StreamBatches(ids, batch_size=2, length=3)


@pytest.mark.parametrize("make", [StreamBatches, PaddedBatches])
@pytest.mark.parametrize("size", [-64, 0])
def test_a_batch_size_below_one_is_named(make, size):
    length = {"length": 2} if make is StreamBatches else {}
    with pytest.raises(ValueError, match=f"batch_size = {size}: нужно целое число не меньше 1"):
        make([[5, 6]] if make is PaddedBatches else [5, 6, 7], batch_size=size, **length)


sequences = st.lists(st.lists(st.integers(4, 99), min_size=2, max_size=12), min_size=1, max_size=60)


@given(sequences, st.integers(1, 8), st.booleans(), st.integers(0, 3))
def test_every_sequence_comes_once_an_epoch_whole(rows, batch_size, shuffle, epoch):
    batches = PaddedBatches(rows, batch_size=batch_size, shuffle=shuffle)
    seen = []
    for batch in batches.epoch(epoch):
        assert not batch.continues
        assert batch.inputs.shape == batch.targets.shape
        for inputs, targets, size in zip(batch.inputs, batch.targets, batch.lengths, strict=True):
            seen.append([int(inputs[0]), *targets[:size].tolist()])
            assert (inputs[size:] == PAD).all()
            assert (targets[size:] == IGNORED).all()
    assert sorted(seen) == sorted(rows)
    assert shuffle or seen == rows
    assert sum(batch.count for batch in batches) == batches.count
    assert len(list(batches)) == len(batches)


def orders(batches):
    return [[batch.inputs.tolist() for batch in batches.epoch(epoch)] for epoch in (1, 2)]


def test_seed_and_epoch_alone_decide_the_order():
    rows = [[4 + n, 5, 6] for n in range(40)]
    first = PaddedBatches(rows, batch_size=4, seed=1)
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    assert orders(first) == orders(PaddedBatches(rows, batch_size=4, seed=1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert orders(first)[0] != orders(first)[1]
    assert orders(first) != orders(PaddedBatches(rows, batch_size=4, seed=2))


@pytest.mark.parametrize("epoch", range(5))
def test_the_longest_go_into_the_batch_that_is_not_full(epoch):
    rows = [[5] * (2 + number % 7) for number in range(4 * POOL + 1)] + [[6] * 500]
    batches = list(PaddedBatches(rows, batch_size=4).epoch(epoch))
    assert len(batches) == POOL + 1
    (short,) = (batch for batch in batches if len(batch.inputs) < 4)
    assert short.lengths.max() == 499
    assert sum(batch.inputs.numel() for batch in batches if batch is not short) < 7 * 4 * POOL


def test_buckets_waste_less_than_file_order():
    rows = [[4] * (2 + n * 7 % 50) for n in range(400)]

    def waste(shuffle):
        batches = PaddedBatches(rows, batch_size=16, shuffle=shuffle)
        return sum((batch.targets == IGNORED).sum().item() for batch in batches)

    assert waste(True) * 5 < waste(False)


def test_classes_and_tags_are_targets_too():
    batch = next(iter(PaddedBatches([[5], [6, 7]], [1, 0], batch_size=2, shuffle=False)))
    assert (batch.targets.tolist(), batch.count) == ([1, 0], 2)
    batch = next(iter(PaddedBatches([[5], [6, 7]], [[1], [0, 2]], batch_size=2, shuffle=False)))
    assert (batch.targets.tolist(), batch.count) == ([[1, IGNORED], [0, 2]], 3)


tags = st.lists(st.sampled_from([IGNORED, 0, 1, 2]), min_size=1, max_size=8)


@given(st.lists(tags, min_size=1, max_size=20), st.integers(1, 6), st.booleans())
def test_targets_that_are_not_asked_do_not_count(targets, batch_size, shuffle):
    sequences = [[5] * len(row) for row in targets]
    asked = [sum(tag != IGNORED for tag in row) for row in targets]
    if 0 in asked:
        with pytest.raises(ValueError, match=rf"targets\[{asked.index(0)}\]: все ответы — IGNORED"):
            PaddedBatches(sequences, targets, batch_size=batch_size)
        return
    batches = PaddedBatches(sequences, targets, batch_size=batch_size, shuffle=shuffle)
    assert batches.count == sum(asked) == sum(batch.count for batch in batches)
    for batch in batches:
        assert batch.count == (batch.targets != IGNORED).sum()


pairs = st.lists(
    st.tuples(
        st.lists(st.integers(4, 99), min_size=1, max_size=9),
        st.lists(st.integers(4, 99), max_size=9).map(lambda ids: [*ids, EOS]),
    ),
    min_size=1,
    max_size=40,
)


@given(pairs, st.integers(1, 8), st.booleans(), st.integers(0, 2))
def test_targets_of_any_length_stay_with_their_sequences(rows, batch_size, shuffle, epoch):
    batches = PaddedBatches(*zip(*rows, strict=True), batch_size=batch_size, aligned=False)
    assert batches.shuffle
    batches.shuffle = shuffle
    seen = []
    for batch in batches.epoch(epoch):
        for inputs, targets, size in zip(batch.inputs, batch.targets, batch.lengths, strict=True):
            known = targets[targets != IGNORED].tolist()
            seen.append((inputs[:size].tolist(), known))
            assert (targets[len(known) :] == IGNORED).all()
            assert (inputs[size:] == PAD).all()
        rows_here = seen[-len(batch.inputs) :]
        assert batch.targets.shape[1] == max(len(target) for _, target in rows_here)
    assert sorted(seen) == sorted(rows)
    assert batches.count == sum(len(target) for _, target in rows)


@pytest.mark.parametrize(
    "targets",
    [[[5, 6]], [[]], [[EOS, 5]], [3], None],
    ids=["no <eos>", "empty", "<eos> elsewhere", "a class", "none"],
)
def test_a_target_of_any_length_ends_with_eos(targets):
    with pytest.raises(ValueError, match=r"targets\[0\] = .*vocab\.encode\(text, eos=True\)"):
        PaddedBatches([[4, 5, 6]], targets, batch_size=2, aligned=False)


def test_a_longer_target_without_eos_is_named_by_its_number():
    with pytest.raises(ValueError, match=r"targets\[1\] = \[7\]: при aligned=False"):
        PaddedBatches([[4], [5]], [[6, EOS], [7]], batch_size=2, aligned=False)


def test_wrong_sequences_are_named():
    with pytest.raises(ValueError, match=r"sequences = \[\]"):
        PaddedBatches([], batch_size=2)
    with pytest.raises(ValueError, match=r"sequences\[1\] = \[5\]: нужно не меньше 2 токенов"):
        PaddedBatches([[4, 5], [5]], batch_size=2)
    with pytest.raises(ValueError, match="targets: их 1, а последовательностей 2"):
        PaddedBatches([[4], [5]], [1], batch_size=2)
    with pytest.raises(ValueError, match=r"targets\[0\]: 1 меток на 2 токенов"):
        PaddedBatches([[4, 5]], [[1]], batch_size=2)
    with pytest.raises(ValueError, match=r"targets\[1\]: 1 меток на 2 токенов; .*aligned=False"):
        PaddedBatches([[4, 5], [4, 5]], [[1, 2], 1], batch_size=2)
    with pytest.raises(ValueError, match=r"targets\[0\]: 1 меток на 2 токенов"):
        PaddedBatches([[4, 5], [4, 5]], [1, [1, 2]], batch_size=2)
    with pytest.raises(ValueError, match=r"targets\[0\]: все ответы — IGNORED"):
        PaddedBatches([[4, 5]], [IGNORED], batch_size=2)
