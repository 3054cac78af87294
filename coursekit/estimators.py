"""A recurrent classifier of texts that follows scikit-learn's conventions."""

from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Shaped
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from coursekit.arguments import check_real, check_text, check_whole, shown
from coursekit.batching import PaddedBatches
from coursekit.models import Classifier
from coursekit.processes import place
from coursekit.text import normalise, words
from coursekit.training import fit
from coursekit.vocab import UNK, Vocab


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Learn the labels of texts with ``models.Classifier`` and ``training.fit``, as scikit-learn's.

    ``analyzer`` cuts a text into tokens: "word" (``text.words``), "char" (its characters), or any
    function, such as ``text.Analyzer()``. A text that has no tokens is read as one ``<unk>``.
    ``min_count`` and ``max_size`` are those of ``Vocab.build``; ``cell``, ``hidden``, ``layers``,
    ``embedding``, ``bidirectional``, ``pooling`` and ``dropout`` those of the model; ``epochs``,
    ``lr``, ``seed``, ``device`` and ``progress`` those of ``fit``. With ``patience`` every class
    gives ``valid_fraction`` of its texts to early stopping, and neither the vocabulary nor the
    weights learn from them. Arguments are checked in ``fit``, as scikit-learn asks.

    After ``fit``: ``classes_``, sorted; ``vocab_``; ``model_``, on the CPU; ``history_``, a row of
    numbers an epoch. Source: L. Buitinck et al., arXiv:1309.0238, for the conventions.

    >>> texts = ["очень хорошо", "просто хорошо", "очень плохо", "просто плохо"]
    >>> classifier = TextClassifier(hidden=8, epochs=20, lr=0.03, device="cpu")
    >>> classifier.fit(texts, ["да", "да", "нет", "нет"]).predict(["плохо", "хорошо!"])
    array(['нет', 'да'], dtype='<U3')
    """

    def __init__(
        self,
        *,
        analyzer: Callable[[str], Iterable[str]] | str = "word",
        cell: str = "lstm",
        hidden: int = 64,
        layers: int = 1,
        embedding: int | None = None,
        bidirectional: bool = True,
        pooling: str = "max",
        dropout: float = 0.0,
        min_count: int = 2,
        max_size: int | None = None,
        epochs: int = 10,
        lr: float = 1e-2,
        batch_size: int = 32,
        patience: int | None = None,
        valid_fraction: float = 0.1,
        seed: int = 0,
        device: torch.device | str | None = None,
        progress: bool = False,
    ) -> None:
        self.analyzer = analyzer
        self.cell = cell
        self.hidden = hidden
        self.layers = layers
        self.embedding = embedding
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.min_count = min_count
        self.max_size = max_size
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.patience = patience
        self.valid_fraction = valid_fraction
        self.seed = seed
        self.device = device
        self.progress = progress

    def fit(self, X: Sequence[str] | ArrayLike, y: Sequence[Any] | ArrayLike) -> "TextClassifier":  # noqa: N803
        """Learn from texts ``X`` and their labels ``y``, strings or whole numbers; return itself.

        Both are lists, or arrays, or columns of a table.
        Something else than texts in ``X`` is a ``TypeError``. Labels of other kinds, of another
        number than the texts, or all of one class are a ``ValueError``.
        """
        texts = _checked_texts(X)
        classes, answers = np.unique(_checked_labels(y, len(texts)), return_inverse=True)
        if len(classes) == 1:
            raise ValueError(
                f"y: у всех текстов один класс, {shown(classes.tolist()[0])}, различать нечего. "
                "Нужны тексты хотя бы двух классов (classes_)."
            )
        seed = check_whole("seed", self.seed, least=0)
        trained, held = self._split(answers, seed)
        tokens = self._tokens(texts)
        learnt = [token for row in trained for token in tokens[row]]
        if not learnt:
            raise ValueError(
                f"X = {shown(texts)}: analyzer не нашёл в текстах ни одного токена, учиться не по "
                "чему. Посмотрите, что он даёт для X[0]."
            )
        vocab = Vocab.build(learnt, self.min_count, self.max_size)

        def batches(rows: list[int]) -> PaddedBatches:
            sequences = [_encoded(vocab, tokens[row]) for row in rows]
            targets = answers[rows].tolist()
            return PaddedBatches(sequences, targets, batch_size=self.batch_size, seed=seed)

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = Classifier(
                len(vocab),
                len(classes),
                cell=self.cell,
                hidden=self.hidden,
                layers=self.layers,
                embedding=self.embedding,
                bidirectional=self.bidirectional,
                pooling=self.pooling,
                dropout=self.dropout,
            )
        self.history_ = fit(
            model,
            batches(trained),
            batches(held) if held else None,
            epochs=self.epochs,
            lr=self.lr,
            seed=seed,
            patience=self.patience,
            device=self.device,
            progress=self.progress,
        )
        self.classes_ = classes
        self.vocab_ = vocab
        # On the CPU, so that what a GPU has learnt can be unpickled where there is none.
        self.model_ = model.cpu().eval()
        return self

    @torch.no_grad()
    def predict_proba(self, X: Sequence[str] | ArrayLike) -> Float64[NDArray[Any], "N classes"]:  # noqa: N803
        """Return the probabilities [N, classes] of N texts, the columns in order of ``classes_``.

        Before ``fit`` it is scikit-learn's ``NotFittedError``, both a ``ValueError`` and an
        ``AttributeError``.
        """
        check_is_fitted(self)
        sequences = [_encoded(self.vocab_, found) for found in self._tokens(_checked_texts(X))]
        # Texts of like length share a batch: little padding.
        order = sorted(range(len(sequences)), key=lambda row: len(sequences[row]))
        batches = PaddedBatches(
            [sequences[row] for row in order],
            [0] * len(order),  # no answers are known
            batch_size=self.batch_size,
            shuffle=False,
        )
        device, _ = place(self.device, False, None)
        self.model_.to(device)
        logits = [
            self.model_(batch.inputs, batch.lengths).cpu()
            for batch in (batch.to(device) for batch in batches)
        ]
        self.model_.cpu()
        probabilities = np.empty((len(order), len(self.classes_)))
        probabilities[order] = torch.cat(logits).double().softmax(-1).numpy()
        return probabilities

    def predict(self, X: Sequence[str] | ArrayLike) -> Shaped[NDArray[Any], " N"]:  # noqa: N803
        """Return the likeliest label of every text."""
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    def _tokens(self, texts: list[str]) -> list[list[str]]:
        if callable(self.analyzer):
            return [list(self.analyzer(text)) for text in texts]
        cuts: dict[str, Callable[[str], list[str]]] = {
            "word": words,
            "char": lambda text: list(normalise(text)),
        }
        if isinstance(self.analyzer, str) and self.analyzer in cuts:
            return [cuts[self.analyzer](text) for text in texts]
        raise ValueError(
            f"analyzer = {shown(self.analyzer)}: можно 'word' (слова), 'char' (символы) или "
            "функцию, которая делит текст на токены, например coursekit.text.Analyzer()."
        )

    def _split(self, answers: NDArray[np.int64], seed: int) -> tuple[list[int], list[int]]:
        """Return rows to learn from and rows for early stopping, a like share of each class."""
        if self.patience is None:
            return list(range(len(answers))), []
        fraction = check_real("valid_fraction", self.valid_fraction, 0, 1, open_ends=True)
        rows = torch.randperm(len(answers), generator=torch.Generator().manual_seed(seed)).tolist()
        trained, held = [], []
        for label in range(int(answers.max()) + 1):
            of_class = [row for row in rows if answers[row] == label]
            size = min(round(fraction * len(of_class)), len(of_class) - 1)
            held += of_class[:size]
            trained += of_class[size:]
        if not held:
            raise ValueError(
                f"valid_fraction = {fraction:g}: в каждом классе слишком мало текстов, чтобы "
                "отложить хоть один для patience. Увеличьте valid_fraction или уберите patience."
            )
        return trained, held


def _encoded(vocab: Vocab, tokens: list[str]) -> list[int]:
    return vocab.encode(tokens) or [UNK]


def _column(name: str, values: Any) -> Shaped[NDArray[Any], "..."]:
    try:
        return np.asarray(values, dtype=object)
    except ValueError:
        raise ValueError(
            f"{name} = {shown(values)}: нужен простой список, а внутри массивы разной формы."
        ) from None


def _checked_texts(texts: Any) -> list[str]:
    column = _column("X", texts)
    if column.ndim == 0:
        raise TypeError(
            f"X = {shown(texts)}: нужен список текстов, а пришёл тип {type(texts).__name__}. "
            "Один текст передайте так: [text]."
        )
    if column.ndim > 1 or len(column) == 0:
        raise ValueError(
            f"X: форма {column.shape}, а нужен один столбец текстов, хотя бы из одного текста. "
            "Из таблицы возьмите столбец: table['text']."
        )
    return [check_text(f"X[{number}]", text) for number, text in enumerate(column)]


def _checked_labels(labels: Any, count: int) -> NDArray[Any]:
    column = _column("y", labels)
    if column.shape != (count,):
        raise ValueError(
            f"y = {shown(labels)}: форма {column.shape}, а текстов в X {count}; нужна одна метка "
            f"на текст, форма ({count},)."
        )
    for number, label in enumerate(column):
        whole = isinstance(label, Real) and float(label).is_integer()
        if not whole and not isinstance(label, str):
            raise ValueError(
                f"y[{number}] = {shown(label)}: меткой может быть строка или целое число. Уберите "
                "тексты без метки; дробные ответы (continuous) — задача регрессии."
            )
    if len({isinstance(label, str) for label in column}) == 2:
        raise ValueError(
            f"y = {shown(labels)}: среди меток и строки, и числа; нужны метки одного вида. "
            "Попробуйте [str(label) for label in y]."
        )
    return np.asarray(labels)
