"""What a student hears of a function: every right one passes, every wrong one meets its hint."""

import inspect
import itertools
import math
import pkgutil
import random
from importlib import import_module

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import coursekit.tasks
from coursekit.checks import Task, check
from coursekit.comparing import TOLERANCE, CheckError
from coursekit.tasks import lstm
from coursekit.variants import common

ZOOS = {
    found.name: (import_module(f"coursekit.tasks.{found.name}"), import_module(f"zoo_{found.name}"))
    for found in pkgutil.iter_modules(coursekit.tasks.__path__)
}
RIGHT = [pair for _, zoo in ZOOS.values() for pair in zoo.RIGHT]
WRONG = [triple for _, zoo in ZOOS.values() for triple in zoo.WRONG]
TASKS = [task for tasks, _ in ZOOS.values() for task in tasks.TASKS]
MINE = [zoo.MINE_TASK for _, zoo in ZOOS.values()]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("task", "solution"), RIGHT, ids=lambda x: getattr(x, "__name__", ""))
def test_a_right_solution_passes_however_it_is_written(task, solution, seed, capsys):
    check(task, solution, seed)
    assert capsys.readouterr().out.startswith(f"{task.name}: верно, проверок — ")


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("task", "hint", "solution"), WRONG, ids=lambda x: getattr(x, "__name__", "")
)
def test_a_wrong_solution_meets_its_hint(task, hint, solution, seed):
    with pytest.raises(CheckError) as error:
        check(task, solution, seed)
    assert str(error.value).startswith(task.name)
    assert hint.lower() in str(error.value).lower()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_task_has_three_right_solutions_and_wrong_ones(task):
    assert sum(found is task for found, _ in RIGHT) >= 3
    assert sum(found is task for found, *_ in WRONG) >= 3


@pytest.mark.parametrize("task", MINE, ids=ZOOS)
def test_the_task_of_ones_own_has_three_right_solutions_and_two_wrong_ones(task):
    assert sum(found is task for found, _ in RIGHT) >= 3
    assert sum(found is task for found, *_ in WRONG) >= 2


@pytest.mark.parametrize(("tasks", "zoo"), ZOOS.values(), ids=ZOOS)
def test_an_assignment_has_four_tasks_and_ten_mistakes(tasks, zoo):
    assert 4 <= len(tasks.TASKS) <= 7
    assert len(zoo.WRONG) >= 10


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**63 - 1))
def test_no_secret_seed_refuses_the_reference_or_lets_a_known_mistake_pass(task, seed):
    random = torch.Generator().manual_seed(seed)
    cases = [arguments for _, arguments in task.cases(random)]
    check(task, task.reference, seed)
    for hint, mistake in task.mistakes.items():
        with pytest.raises(CheckError):
            check(task, mistake, seed)
        assert hint[0].islower()
        assert hint.endswith(".")
    for arguments in cases:
        assert len(arguments) == len(inspect.signature(task.reference).parameters)


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [tasks for tasks, _ in ZOOS.values()], ids=ZOOS)
def test_no_variant_refuses_the_reference_or_lets_a_known_mistake_pass(tasks):
    values = tasks.MINE.constants.values()
    assert all(5 <= len(several) == len(set(several)) <= 12 for several in values)
    variants = list(itertools.product(*values))
    assert len(variants) >= 60
    answers = []
    for variant in random.Random(0).sample(variants, min(len(variants), 200)):
        task = tasks.MINE.task(*variant)
        check(task, task.reference)
        answers.append(task.reference())
        assert 2 <= len(task.mistakes) <= 4
        for hint, mistake in task.mistakes.items():
            assert hint[0].islower()
            assert hint.endswith(".")
            mistaken = mistake()
            assert type(mistaken) is type(answers[-1])
            assert not math.isclose(mistaken, answers[-1], rel_tol=TOLERANCE, abs_tol=TOLERANCE), (
                hint,
                variant,
            )
    assert len({round(answer, 8) for answer in answers}) > len(answers) / 2


def test_the_same_seed_asks_the_same_and_another_asks_otherwise():
    def asked(seed):
        found = []

        def listens(*arguments):
            found.append(arguments[0])
            return lstm.GATES.reference(*arguments)

        check(lstm.GATES, listens, seed)
        return found

    same = zip(asked(1), asked(1), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    assert not torch.equal(asked(1)[0].flatten()[:4], asked(2)[0].flatten()[:4])


def test_no_hint_is_better_than_a_wrong_one():
    with pytest.raises(
        CheckError, match=r"Дальше всего от верных ответ в части 2 на месте \[\d, \d\]"
    ):
        check(lstm.STEP, lambda *given: (lambda h, c: (h, c + 1e-3))(*lstm.step(*given)))
    with pytest.raises(CheckError, match="ответ — 7, а верный — "):
        check(lstm.PARAMETERS, lambda *given: 7)


def test_what_is_forbidden_is_found_however_it_was_imported():
    hidden = vars(torch)["lstm" + "_cell"]
    zeros = torch.zeros

    def by_a_hidden_name(x, state, w, b):
        size = x.shape[-1]
        return hidden(x, state, w[:, :size], w[:, size:], b, zeros(len(b), dtype=b.dtype))

    with pytest.raises(CheckError, match="вызвано lstm_cell"):
        check(lstm.STEP, by_a_hidden_name)


def test_a_failing_function_does_not_leave_the_watch_on():
    import sys

    before = sys.getprofile()
    with pytest.raises(CheckError, match="ZeroDivisionError"):
        check(lstm.PARAMETERS, lambda *given: 1 / 0)
    assert sys.getprofile() is before


def answers_are(right, wrong, message):
    """A task whose answer is ``right`` hears ``message`` of ``wrong``."""
    task = Task("task", lambda x: right, lambda random: iter([("вызов", (0,))]))
    check(task, lambda x: right)
    with pytest.raises(CheckError, match=message):
        check(task, lambda x: wrong)


def test_answers_of_plain_python_are_compared_part_by_part():
    answers_are(0.5, 0.25, "ответ — 0.25, а верный — 0.5")
    answers_are(0.5, "0.5", "нужен float")
    answers_are(2, 2.0, "нужен int")
    answers_are(True, 1, "нужен bool")
    answers_are(["кот", "кит"], ["кот"], "список из 1, а нужен список из 2")
    answers_are(["кот", "кит"], ("кот", "кит"), "нужен список")
    answers_are(["кот", "кит"], ["кот", "кот"], "ответ в части 2 — 'кот', а верный — 'кит'")
    answers_are({"кот": 0.1}, {"кот": 0.2}, "ответ в ключе 'кот' — 0.2, а верный — 0.1")
    answers_are({"кот": 0.1}, {"кот": 0.1, "кит": 0}, "лишний ключ 'кит'")
    answers_are({"кот": 0.1}, {}, "нет ключа 'кот'")
    answers_are({"кот": 0.1}, 0.1, "нужен словарь")
    answers_are({"кот": [1]}, {"кот": 1}, "ключ 'кот', — 1")
    answers_are(torch.tensor([1.0]), [1.0], "нужен torch.Tensor")


def test_a_task_of_plain_numbers_needs_no_tensors():
    task = Task("half", lambda x: x / 2, lambda random: iter([("x = 3", (3,))]))
    check(task, lambda x: 0.5 * x)
    with pytest.raises(CheckError, match="ответ — 1.0, а верный — 1.5"):
        check(task, lambda x: float(x // 2) if x < 0 else 1.0)


def test_the_right_answer_of_a_variant_is_not_told():
    def mine():
        return 0.123

    task = lstm.mine(**common(lstm.MINE))
    with pytest.raises(CheckError, match="ответ не тот") as error:
        check(task, mine)
    assert f"{task.reference():.3g}" not in str(error.value)


def test_a_backward_pass_that_fails_is_told():
    def gates(*arguments):
        parts = list(lstm.gates(*arguments))
        parts[0].mul_(2)
        return tuple(parts)

    with pytest.raises(CheckError, match="обратный проход остановился с ошибкой RuntimeError"):
        check(lstm.GATES, gates)
