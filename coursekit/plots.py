"""Drawings of plain numbers; every function returns the ``Axes`` it drew on."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from coursekit.arguments import check_choice

if TYPE_CHECKING:
    from IPython.display import SVG

METRICS = {
    "loss": "потери, нат на токен",
    "perplexity": "перплексия",
    "accuracy": "доля угаданных",
}


def history(
    rows: Sequence[Mapping[str, float]], metric: str = "perplexity", ax: Axes | None = None
) -> Axes:
    """Draw a metric of ``training.fit``'s history by epoch, for training and validation.

    >>> ax = history([{"epoch": 1, "train_loss": 2.5}, {"epoch": 2, "train_loss": 2.0}], "loss")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('эпоха', 'потери, нат на токен')
    """
    check_choice("metric", metric, METRICS)
    if not rows:
        raise ValueError(
            "rows = []: история пуста, рисовать нечего. Сначала обучите модель: fit()."
        )
    ax = ax or plt.figure().add_subplot()
    for part, label, style in (("train", "обучение", "--o"), ("valid", "проверка", "-s")):
        column = f"{part}_{metric}"
        if column in rows[0]:
            ax.plot(
                [row["epoch"] for row in rows], [row[column] for row in rows], style, label=label
            )
    ax.set(xlabel="эпоха", ylabel=METRICS[metric])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
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
