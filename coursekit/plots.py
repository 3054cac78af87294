"""Drawings of plain numbers; every function returns the ``Axes`` it drew on."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from numbers import Real
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from coursekit.arguments import check_choice, check_instance, check_sequence, check_whole, shown

if TYPE_CHECKING:
    from IPython.display import SVG

# Arrays are NumPy's or torch's: whatever has numbers of one kind and a shape.
Row = Sequence[float]
Table = Sequence[Row | Num[Any, "_"]]
Labels = Iterable[object]

METRICS = {
    "loss": "потери, нат на токен",
    "perplexity": "перплексия",
    "accuracy": "доля угаданных",
}

# Lines differ by dash and marker too, for eyes and printers that see no colour.
LINES = ("-o", "--s", "-.^", ":D", "-v", "--P", "-.X", ":*")

# Tokens that would leave no trace on paper.
VISIBLE = {" ": "␣", "\n": "¶", "\t": "⇥"}


def history(
    rows: Sequence[Mapping[str, float]], metric: str = "perplexity", ax: Axes | None = None
) -> Axes:
    """Draw a metric of ``training.fit``'s history by epoch, for training and validation.

    >>> ax = history([{"epoch": 1, "train_loss": 2.5}, {"epoch": 2, "train_loss": 2.0}], "loss")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('эпоха', 'потери, нат на токен')
    """
    check_choice("metric", metric, METRICS)
    check_sequence("rows", rows, "строк, который вернул fit()")
    if len(rows) == 0:
        raise ValueError(
            "rows = []: история пуста, рисовать нечего. Сначала обучите модель: fit()."
        )
    for number, row in enumerate(rows):
        check_instance(f"rows[{number}]", row, Mapping, "нужен словарь, который вернул fit()")
    ax = _axes(ax)
    for part, label, style in (("train", "обучение", "--o"), ("valid", "проверка", "-s")):
        column = f"{part}_{metric}"
        if part == "train" or column in rows[0]:
            ax.plot(_column(rows, "epoch"), _column(rows, column), style, label=label)
    ax.set(xlabel="эпоха", ylabel=METRICS[metric])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
    return ax


def gates(
    values: Table | Num[Any, "R T"],
    tokens: Labels,
    names: Labels | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw activations over T ``tokens``: a row is a gate, or a neuron with its number.

    ``names`` label the rows. Values from 0 to 1 go from white to dark blue; if any lies outside,
    the scale is symmetric about zero, dark where negative. Draw at most about 50 characters.

    >>> ax = gates([[0.9, 0.1, 0.8], [0.0, 1.0, 0.2]], "дом", ["забывания", "входной"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['забывания', 'входной']
    """
    table = _numbers("values", values, "RT")
    columns = _labels("tokens", tokens, table, axis=1)
    rows = None if names is None else _labels("names", names, table, axis=0)
    width = sum(0.17 if len(token) <= 2 else 0.34 for token in columns)
    height = (0.1 if rows is None else 0.4) * len(table)
    ax = _axes(ax, 1.5 + width, min(1.8 + height, 6))
    most = max(1.0, float(abs(table).max()))
    # In "cividis" lightness grows all along, so that the sign is seen without colour.
    colours, least = ("cividis", -most) if table.min() < 0 or most > 1 else ("Blues", 0)
    image = _heat(ax, table, rows, columns, cmap=colours, vmin=least, vmax=most)
    ax.figure.colorbar(image, ax=ax, label="активация", pad=0.02)
    return ax


def attention(
    weights: Table | Num[Any, "Q K"], queries: Labels, keys: Labels, ax: Axes | None = None
) -> Axes:
    """Draw attention ``weights``, from 0 to 1: where each query (row) looks among keys.

    The darkest cell is the largest weight, which the colour bar names.

    >>> attention([[0.9, 0.1], [0.3, 0.7]], ["the", "cat"], ["этот", "кот"]).get_xlabel()
    'ключи'
    """
    table = _numbers("weights", weights, "QK")
    rows = _labels("queries", queries, table, axis=0)
    columns = _labels("keys", keys, table, axis=1)
    if table.min() < 0 or table.max() > 1 + 1e-6:
        span = f"от {table.min():g} до {table.max():g}"
        raise ValueError(f"weights: числа {span}, а нужны от 0 до 1. Оценкам нужен softmax.")
    ax = _axes(ax, 2.2 + 0.38 * len(columns), 2.2 + 0.38 * len(rows))
    image = _heat(ax, table, rows, columns, cmap="Blues", vmin=0, vmax=table.max() or 1)
    ax.set(xlabel="ключи", ylabel="запросы")
    ax.figure.colorbar(image, ax=ax, label="вес внимания", pad=0.02)
    return ax


def gradients(norms: Table | Num[Any, "M K"], labels: Labels, ax: Axes | None = None) -> Axes:
    """Draw gradient norms of at most 8 models by lag on a logarithmic scale.

    Lags go from 1, as ``probes.gradient_by_lag`` gives them: the norm of the gradient of a loss by
    the state k steps earlier. A norm of zero has no logarithm: its line breaks there.

    >>> gradients([[1, 0.5, 0.25], [1, 0.9, 0.81]], ["RNN", "LSTM"]).get_yscale()
    'log'
    """
    table = _numbers("norms", norms, "MK")
    names = _labels("labels", labels, table, axis=0)
    if len(names) > len(LINES):
        raise ValueError(f"norms: моделей {len(names)}, а различить можно не больше {len(LINES)}.")
    if table.min() < 0 or table.max() == 0:
        span = f"от {table.min():g} до {table.max():g}"
        raise ValueError(f"norms: числа {span}, а нужны не меньше 0 и хотя бы одно больше.")
    ax = _axes(ax)
    lags = range(1, table.shape[1] + 1)
    for row, name, style in zip(np.where(table > 0, table, np.nan), names, LINES, strict=False):
        ax.plot(lags, row, style, label=name, markevery=max(1, len(row) // 12))
    ax.set(xlabel="на сколько шагов назад, k", ylabel="норма градиента", yscale="log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
    return ax


def confusion(matrix: Table | Num[Any, "C C"], labels: Labels, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix of counts, truth in rows, with its numbers in the cells.

    ``metrics.confusion_matrix`` makes one.

    >>> confusion([[5, 1], [2, 4]], ["ругают", "хвалят"]).get_xlabel()
    'ответ модели'
    """
    table = _numbers("matrix", matrix, "CC")
    names = _labels("labels", labels, table, axis=0)
    _labels("labels", names, table, axis=1)
    if table.min() < 0 or (table % 1).any():
        raise ValueError("matrix: нужны целые числа не меньше 0, их даёт confusion_matrix().")
    ax = _axes(ax, 2.4 + 0.52 * len(names), 2.0 + 0.46 * len(names))
    most = table.max() or 1
    _heat(ax, table, names, names, cmap="Blues", vmin=0, vmax=most)
    for (row, column), count in np.ndenumerate(table):
        # Beyond 0.71 of "Blues" white has more contrast than black.
        color = "white" if count > 0.71 * most else "black"
        ax.text(column, row, f"{count:.0f}", color=color, ha="center", va="center")
    ax.set(xlabel="ответ модели", ylabel="настоящая метка", aspect="equal")
    return ax


def top_terms(
    weights: Row | Num[Any, "V"], terms: Labels, count: int = 10, ax: Axes | None = None
) -> Axes:
    """Draw the ``count`` largest positive ``weights`` of ``terms``, the largest on top.

    ``weights`` is a row of a TF-IDF matrix or of a linear classifier's coefficients.

    >>> ax = top_terms([0.1, 0.7, 0, 0.4], ["и", "кот", "пёс", "дом"], count=3)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['кот', 'дом', 'и']
    """
    row = _numbers("weights", weights, "V")
    names = _labels("terms", terms, row, axis=0)
    order = np.argsort(-row, kind="stable")[: check_whole("count", count)]
    best = order[row[order] > 0]
    if not best.size:
        raise ValueError(f"weights: наибольший вес {row.max():g}, а рисуются только больше 0.")
    ax = _axes(ax, height=1.1 + 0.32 * len(best))
    ax.barh(range(len(best)), row[best])
    ax.set_yticks(range(len(best)), [names[place] for place in best], parse_math=False)
    ax.grid(axis="y", visible=False)
    ax.invert_yaxis()
    ax.set_xlabel("вес терма")
    return ax


def diagram(name: str) -> "SVG":
    """Return a diagram of the book by its name; a notebook shows it when it ends a cell.

    The drawings ship with the package because Colab loads no relative images.
    """
    from IPython.display import SVG

    drawings = {
        path.name.removesuffix(".svg"): path
        for path in files("coursekit").joinpath("data/figures").iterdir()
    }
    path = drawings[check_choice("name", name, sorted(drawings))]
    return SVG(data=path.read_text(encoding="utf-8"))


def _column(rows: Sequence[Mapping[str, float]], name: str) -> list[float]:
    for number, row in enumerate(rows):
        value = row.get(name)
        if not isinstance(value, Real):
            raise ValueError(
                f"rows[{number}]: {name} = {shown(value)}, а нужно число. Строки даёт fit()."
            )
    return [row[name] for row in rows]


def _axes(ax: Axes | None, width: float = 0, height: float = 4) -> Axes:
    """Return ``ax``, or axes of a new figure at least as wide as the book's column, in inches."""
    if ax is not None:
        check_instance("ax", ax, Axes, "нужны оси matplotlib, plt.subplots()[1], или None")
        return ax
    return plt.figure(figsize=(max(width, 7.2), height), layout="constrained").add_subplot()


def _heat(
    ax: Axes,
    table: Float[np.ndarray, "R T"],
    rows: list[str] | None,
    columns: list[str],
    **scale: Any,
) -> AxesImage:
    image = ax.imshow(table, **scale, aspect="auto")
    ax.set_xticks(range(len(columns)), columns, parse_math=False)
    for label in ax.get_xticklabels():
        if len(label.get_text()) > 2:
            label.set(rotation=45, ha="right", rotation_mode="anchor")
    if rows is None:
        ax.set_ylabel("нейрон")
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        ax.set_yticks(range(len(rows)), rows, parse_math=False)
    ax.grid(visible=False)
    ax.spines[:].set_visible(True)
    ax.tick_params(length=0)
    return image


def _numbers(name: str, values: object, axes: str) -> Float[np.ndarray, "..."]:
    """Return ``values`` if they are finite and have as many axes as ``axes`` has letters."""
    shape = f"[{', '.join(axes)}]"
    try:
        table = np.asarray(values)
        if np.iscomplexobj(table):
            raise TypeError  # NumPy would leave a part of each number out
        table = table.astype(float)
    except (OverflowError, RuntimeError, TypeError, ValueError):
        raise ValueError(
            f"{name} = {shown(values)}: нужен массив чисел {shape} со строками равной длины. "
            "Его даст из тензора .detach().cpu().numpy(), из разреженной матрицы .toarray()."
        ) from None
    if table.ndim != len(axes) or not table.size:
        raise ValueError(f"{name}: форма {list(table.shape)}, а нужен непустой массив {shape}.")
    if not np.isfinite(table).all():
        raise ValueError(f"{name}: среди чисел есть NaN или бесконечность, их не нарисовать.")
    return table


def _labels(name: str, labels: Labels, table: Float[np.ndarray, "..."], axis: int) -> list[str]:
    """Return ``labels`` as text, one for each row (axis 0) or column (axis 1) of ``table``."""
    if not isinstance(labels, Iterable) or not getattr(labels, "ndim", 1):
        raise TypeError(f"{name} = {shown(labels)}: нужен список подписей.")
    # Half of a surrogate pair cannot be drawn.
    texts = [str(label).encode(errors="replace").decode() for label in labels]
    listed = [VISIBLE.get(label, label) for label in texts]
    if len(listed) != table.shape[axis]:
        raise ValueError(
            f"{name}: подписей {len(listed)}, а нужно {table.shape[axis]}, по форме массива "
            f"{list(table.shape)}. Если оси перепутаны, поможет .T."
        )
    return listed
