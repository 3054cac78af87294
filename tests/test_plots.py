import matplotlib.pyplot as plt
import pytest
from matplotlib.font_manager import FontProperties, findfont

from coursekit import plots

ROWS = [
    {"epoch": n, "train_loss": 3 / n, "valid_loss": 3.1 / n, "train_perplexity": 9.0}
    for n in (1, 2, 3)
]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_history_draws_both_parts_told_apart_without_colour():
    ax = plots.history(ROWS, "loss")
    train, valid = ax.get_lines()
    assert train.get_ydata().tolist() == [3, 1.5, 1]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["обучение", "проверка"]
    assert train.get_linestyle() != valid.get_linestyle()
    assert train.get_marker() != valid.get_marker()


def test_history_draws_what_there_is_on_the_axes_it_is_given():
    _, ax = plt.subplots()
    assert plots.history(ROWS, ax=ax) is ax
    assert len(ax.get_lines()) == 1
    assert ax.get_ylabel() == "перплексия"


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="metric = 'f1': можно 'loss', 'perplexity' или"):
        plots.history(ROWS, "f1")
    with pytest.raises(ValueError, match=r"rows = \[\]: история пуста"):
        plots.history([])
    with pytest.raises(ValueError, match="name = 'нет такой': можно"):
        plots.diagram("нет такой")


def test_the_style_of_the_book_has_cyrillic_letters_and_distinct_colours():
    with plt.style.context("coursekit.book"):
        assert "DejaVuSans" in findfont(FontProperties(family=plt.rcParams["font.family"]))
        assert len({*plt.rcParams["axes.prop_cycle"].by_key()["color"]}) == 8
