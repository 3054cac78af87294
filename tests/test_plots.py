import io
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties, findfont

from coursekit import plots, probes
from coursekit.metrics import confusion_matrix
from coursekit.models import LanguageModel

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


TEXT = "Вера Львовна ушла в сад.\n"
WAVE = np.abs(np.sin(np.arange(3 * len(TEXT)))).reshape(3, -1)

# Each drawing as a chapter would ask for it; the long labels are the ones that could be cut off.
DRAWINGS = {
    "history": lambda **ax: plots.history(ROWS, **ax),
    "gates": lambda **ax: plots.gates(WAVE, TEXT, ["забывания", "входной", "выходной"], **ax),
    "one gate": lambda **ax: plots.gates(WAVE[:1, :4], ["вчера", "поставила", "в", "сад"], **ax),
    "neurons": lambda **ax: plots.gates(np.resize(WAVE * 2 - 1, (64, len(TEXT))), TEXT, **ax),
    "attention": lambda **ax: plots.attention([[0.9, 0.1]], ["отзыв"], ["самовар", "чай"], **ax),
    "gradients": lambda **ax: plots.gradients([[1, 0.1], [1, 0.9]], ["RNN", "LSTM"], **ax),
    "confusion": lambda **ax: plots.confusion([[5, 1], [0, 9]], ["ругают", "хвалят"], **ax),
    "top terms": lambda **ax: plots.top_terms([0.1, 0.7], ["чайник", "путешествие"], **ax),
}


def texts(labels):
    return [label.get_text() for label in labels]


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("style", ["coursekit.book", "default"])
@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_a_drawing_fits_its_white_figure_in_letters_of_full_size(draw, style):
    with plt.style.context(style):
        ax = draw()
        page = ax.figure.bbox
        ax.figure.canvas.draw()
        inside = ax.figure.get_tightbbox().transformed(ax.figure.dpi_scale_trans)
        assert inside.x0 >= -1
        assert inside.y0 >= -1
        assert inside.x1 <= page.x1 + 1
        assert inside.y1 <= page.y1 + 1
        assert ax.figure.get_facecolor() == (1, 1, 1, 1)
        sizes = {label.get_size() for label in ax.get_xticklabels() + ax.get_yticklabels()}
        assert sizes == {plt.rcParams["font.size"]}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_a_drawing_goes_where_it_is_told(draw):
    figure, (left, right) = plt.subplots(1, 2)
    assert draw(ax=right) is right
    assert not left.has_data()
    assert right.has_data()
    assert plt.get_fignums() == [figure.number]


def test_gates_show_each_value_over_its_token_and_name():
    ax = plots.gates(WAVE, TEXT, ["i", "f", "o"])
    assert np.array_equal(ax.images[0].get_array(), WAVE)
    assert "".join(texts(ax.get_xticklabels())) == "Вера␣Львовна␣ушла␣в␣сад.¶"
    assert texts(ax.get_yticklabels()) == ["i", "f", "o"]
    assert ax.images[0].get_clim() == (0, 1)


@given(st.floats(1e-3, 1e3), st.floats(-1e3, -1e-3))
def test_signed_activations_have_zero_in_the_middle_and_lightness_for_sign(high, low):
    _, ax = plt.subplots()
    image = plots.gates([[high, low, 0]], "кот", ax=ax).images[0]
    least, most = image.get_clim()
    assert least == -most
    assert most == max(1, high, -low)
    lightness = [luminance(image.to_rgba(np.array(value))) for value in np.linspace(-most, most)]
    assert lightness == sorted(lightness)
    assert ax.get_ylabel() == "нейрон"
    plt.close("all")


def test_attention_has_queries_in_rows_and_the_largest_weight_darkest():
    weights = [[0.5, 0.25, 0.25], [0, 0.75, 0.25]]
    ax = plots.attention(weights, ["the", "cat"], ["этот", "кот", "<eos>"])
    assert ax.images[0].get_array().tolist() == weights
    assert ax.images[0].get_clim() == (0, 0.75)
    assert texts(ax.get_yticklabels()) == ["the", "cat"]
    assert texts(ax.get_xticklabels()) == ["этот", "кот", "<eos>"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("ключи", "запросы")


def test_gradients_are_told_apart_without_colour_and_break_at_zero():
    ax = plots.gradients(np.vander(np.linspace(0.2, 0.9, 8), increasing=True), "абвгдежз")
    lines = ax.get_lines()
    assert len({line.get_marker() for line in lines}) == 8
    assert len({line.get_linestyle() for line in lines}) == 4
    assert texts(ax.get_legend().get_texts()) == list("абвгдежз")
    assert ax.get_yscale() == "log"
    line = plots.gradients([[1, 0.5, 0, 0]], ["RNN"]).get_lines()[0]
    assert np.array_equal(line.get_ydata(), [1, 0.5, math.nan, math.nan], equal_nan=True)
    assert line.get_xdata().tolist() == [1, 2, 3, 4]


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 10**4), min_size=3, max_size=3), min_size=3, max_size=3))
def test_every_number_of_a_confusion_matrix_stands_out_from_its_cell(matrix):
    _, ax = plt.subplots()
    image = plots.confusion(matrix, "абв", ax=ax).images[0]
    assert len(ax.texts) == 9
    for text in ax.texts:
        column, row = map(int, text.get_position())
        assert text.get_text() == str(matrix[row][column])
        cell = image.to_rgba(np.array(float(matrix[row][column])))
        assert contrast(cell, to_rgba(text.get_color())) >= 4.5
    plt.close("all")


def test_confusion_draws_what_the_metric_counts():
    matrix = confusion_matrix(["за", "за", "против"], ["за", "против", "против"])
    ax = plots.confusion(matrix, ["за", "против"])
    assert texts(ax.texts) == ["1", "1", "0", "1"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("ответ модели", "настоящая метка")


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.integers(1, 12))
def test_top_terms_are_the_largest_positive_in_order(weights, count):
    weights[0] = 0.5
    terms = [f"т{n}" for n in range(len(weights))]
    _, ax = plt.subplots()
    plots.top_terms(weights, terms, count, ax=ax)
    best = sorted((n for n, w in enumerate(weights) if w > 0), key=lambda n: -weights[n])[:count]
    assert [bar.get_width() for bar in ax.patches] == [weights[n] for n in best]
    assert texts(ax.get_yticklabels()) == [terms[n] for n in best]
    assert ax.yaxis_inverted()
    plt.close("all")


def test_what_probes_return_is_drawn_as_it_is():
    model = LanguageModel(20, cell="gru", hidden=8)
    seen = probes.gates(model, [4, 5, 6])
    image = plots.gates(seen["z"].T, "кот").images[0]
    assert np.allclose(image.get_array(), seen["z"].T, rtol=0, atol=1e-7)
    norms = [probes.gradient_by_lag(model, torch.tensor([[4, 5, 6, 7, 8]])) for _ in range(2)]
    first, second = plots.gradients(norms, ["раз", "два"]).get_lines()
    assert first.get_ydata().tolist() == second.get_ydata().tolist() == norms[0].tolist()


@settings(max_examples=20)
@example(["$^$", "$_$"])
@given(st.lists(st.text(max_size=3), min_size=2, max_size=2))
@pytest.mark.filterwarnings("ignore:Glyph", "ignore:Matplotlib currently does not support")
def test_any_token_is_a_label_and_no_formula(tokens):
    figure, axes = plt.subplots(2, 2)
    plots.gates([[0.1, 0.2]], tokens, ["$_$"], ax=axes[0, 0])
    plots.attention([[0.1, 0.9], [0.5, 0.5]], tokens, tokens, ax=axes[0, 1])
    plots.confusion([[1, 2], [3, 4]], tokens, ax=axes[1, 0])
    plots.top_terms([0.1, 0.2], tokens, ax=axes[1, 1])
    figure.savefig(io.BytesIO())
    plt.close("all")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.gates([0.1, 0.2], "ау"), r"values: форма \[2\], а нужен .* \[R, T\]"),
        (lambda: plots.gates([[]], ""), r"values: форма \[1, 0\], а нужен непустой"),
        (lambda: plots.gates([[1], [1, 2]], "ау"), r"values = .*строками равной длины"),
        (lambda: plots.gates([[math.nan]], "а"), "values: среди чисел есть NaN"),
        (lambda: plots.gates([[1, 1]], "кот"), r"tokens: подписей 3, а нужно 2.*\[1, 2\].*\.T"),
        (lambda: plots.gates([[1, 1]], "ау", "ифо"), "names: подписей 3, а нужно 1"),
        (
            lambda: plots.gates(torch.ones(1, 1, requires_grad=True), "а"),
            r"values = tensor.*\.detach\(\)\.cpu\(\)\.numpy\(\)",
        ),
        (lambda: plots.attention([[1, 0]], "а", "а"), "keys: подписей 1, а нужно 2"),
        (lambda: plots.attention([[1, 0]], "ау", "ау"), "queries: подписей 2, а нужно 1"),
        (
            lambda: plots.attention([[-1, 3]], "а", "ау"),
            "weights: числа от -1 до 3, а нужны от 0 до 1.*softmax",
        ),
        (lambda: plots.gradients([1, 2], "а"), r"norms: форма \[2\], .* \[M, K\]"),
        (lambda: plots.gradients([[1, -1]], "а"), "norms: числа от -1 до 1, а нужны не меньше 0"),
        (lambda: plots.gradients([[0, 0]], "а"), "norms: числа от 0 до 0, .*хотя бы одно больше"),
        (lambda: plots.gradients([[1]] * 9, range(9)), "norms: моделей 9, .*не больше 8"),
        (lambda: plots.gradients([[1]], "аб"), "labels: подписей 2, а нужно 1"),
        (lambda: plots.confusion([[1, 2]], "а"), "labels: подписей 1, а нужно 2"),
        (lambda: plots.confusion([[0.5]], "а"), "matrix: нужны целые числа не меньше 0"),
        (lambda: plots.confusion([[-1]], "а"), "matrix: нужны целые числа не меньше 0"),
        (lambda: plots.top_terms([1, 2], ["кот"]), "terms: подписей 1, а нужно 2"),
        (lambda: plots.top_terms([0, -1], "ау"), "weights: наибольший вес 0, а рисуются"),
        (lambda: plots.top_terms([1], "а", count=0), "count = 0: нужно целое число не меньше 1"),
        (
            lambda: plots.top_terms(scipy.sparse.csr_matrix([[1.0, 2.0]]), "ау"),
            r"weights = <.*из разреженной матрицы \.toarray\(\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_named_and_leaves_no_figure(draw, message):
    # A message may show a value of several lines, as a sparse matrix prints itself.
    with pytest.raises(ValueError, match="(?s)" + message):
        draw()
    assert plt.get_fignums() == []


def test_labels_that_are_no_list_are_a_type_error():
    with pytest.raises(TypeError, match="tokens = 3: нужен список подписей"):
        plots.gates([[1, 1]], 3)


def test_the_style_of_the_book_has_cyrillic_letters_and_distinct_colours():
    with plt.style.context("coursekit.book"):
        assert "DejaVuSans" in findfont(FontProperties(family=plt.rcParams["font.family"]))
        assert len({*plt.rcParams["axes.prop_cycle"].by_key()["color"]}) == 8


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"epoch": 1, "train_loss": 2.5}], r"rows\[0\]: train_accuracy = None, а нужно число"),
        ([{"epoch": "первая", "train_accuracy": 0.5}], r"rows\[0\]: epoch = 'первая'"),
        ([[1, 2]], r"rows\[0\] = \[1, 2\]: нужен словарь, который вернул fit"),
    ],
)
def test_a_history_without_the_metric_is_refused(rows, message):
    with pytest.raises((TypeError, ValueError), match=message):
        plots.history(rows, "accuracy")
