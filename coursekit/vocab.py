"""Tokens and their numbers: the same text always gives the same ids."""

from collections import Counter
from collections.abc import Iterable, Sequence

from coursekit.arguments import check_whole, shown

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
PAD, UNK, BOS, EOS = range(4)


class Vocab:
    """Tokens in a fixed order: four special ones, then the frequent first, equals alphabetically.

    ``tokens`` holds them by id. ``separator`` stands between tokens when ids become text again:
    nothing for characters, a space for words.

    >>> vocab = Vocab.build("мама мыла раму")
    >>> vocab.tokens[4:7], vocab.encode("мама")
    (['а', 'м', ' '], [5, 4, 5, 4])
    >>> vocab.decode([5, 4, 5, 4])
    'мама'
    """

    def __init__(self, tokens: Sequence[str], separator: str = "") -> None:
        self.tokens = list(tokens)
        self.separator = separator
        self._ids = {token: number for number, token in enumerate(self.tokens)}
        if tuple(self.tokens[:4]) != SPECIALS:
            raise ValueError(
                f"tokens[:4] = {shown(self.tokens[:4])}: словарь начинается со служебных "
                f"{', '.join(SPECIALS)}; проще всего построить его так: Vocab.build(text)."
            )
        if len(self._ids) != len(self.tokens):
            twice = next(token for token, n in Counter(self.tokens).items() if n > 1)
            raise ValueError(f"tokens: {shown(twice)} встречается дважды, а номер у токена один.")

    @classmethod
    def build(cls, text: Iterable[str], min_count: int = 1, max_size: int | None = None) -> "Vocab":
        """Count the characters of a ``str``, or the tokens of another iterable, and number them.

        Tokens rarer than ``min_count`` are left out; ``max_size``, the special ones included, keeps
        the most frequent. An empty text is a ``ValueError``.

        >>> Vocab.build(["кот", "и", "кот"]).tokens[4:]
        ['кот', 'и']
        >>> Vocab.build("")
        Traceback (most recent call last):
        ValueError: text = '': в тексте нет ни одного токена, словарь строить не из чего.
        """
        check_whole("min_count", min_count)
        if max_size is not None:
            check_whole("max_size", max_size, least=len(SPECIALS) + 1)
        separator = "" if isinstance(text, str) else " "
        found = list(text)
        for token in found:
            if not isinstance(token, str):
                raise TypeError(
                    f"text: среди токенов встретилось {shown(token)} типа {type(token).__name__}, "
                    "а нужны строки. Списки токенов сначала соедините в один."
                )
        counts = Counter(found)
        for special in SPECIALS:
            counts.pop(special, None)
        if not counts:
            raise ValueError(
                f"text = {shown(text)}: в тексте нет ни одного токена, словарь строить не из чего."
            )
        kept = [token for token, count in counts.items() if count >= min_count]
        if not kept:
            raise ValueError(
                f"min_count = {min_count}: так часто не встретился ни один токен, "
                f"самый частый — {max(counts.values())} раз."
            )
        kept.sort(key=lambda token: (-counts[token], token))
        return cls([*SPECIALS, *kept][:max_size], separator)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocab):
            return NotImplemented
        return (self.tokens, self.separator) == (other.tokens, other.separator)

    def __hash__(self) -> int:
        return hash((tuple(self.tokens), self.separator))

    def __repr__(self) -> str:
        return f"Vocab({len(self)} токенов: {' '.join(map(repr, self.tokens[4:9]))} …)"

    def encode(
        self, text: Sequence[str], bos: bool = False, eos: bool = False, strict: bool = False
    ) -> list[int]:
        """Return the ids of the tokens of ``text``, between ``<bos>`` and ``<eos>`` if asked.

        An unknown token becomes ``<unk>``, or a ``ValueError`` that names it if ``strict``.

        >>> Vocab.build("ау").encode("уа!", bos=True, eos=True)
        [2, 5, 4, 1, 3]
        >>> Vocab.build("ау").encode("уа!", strict=True)
        Traceback (most recent call last):
        ValueError: text = 'уа!': токена '!' нет в словаре из 6 токенов.
        """
        if self.separator and isinstance(text, str):
            raise TypeError(
                f"text = {shown(text)}: в этом словаре слова, а пришла строка. "
                "Разбейте её на токены: vocab.encode(tokens(text))."
            )
        if strict:
            for token in text:
                if token not in self._ids:
                    raise ValueError(
                        f"text = {shown(text)}: токена {shown(token)} нет в словаре "
                        f"из {len(self)} токенов."
                    )
        ids = [self._ids.get(token, UNK) for token in text]
        return [BOS] * bos + ids + [EOS] * eos

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ``ids``; ``<pad>``, ``<bos>`` and ``<eos>`` leave no trace.

        >>> Vocab.build("ау").decode([2, 5, 4, 1, 3])
        'уа<unk>'
        """
        numbers = [int(number) for number in ids]
        for number in numbers:
            if not 0 <= number < len(self):
                raise ValueError(
                    f"ids: номера {number} нет, в словаре номера от 0 до {len(self) - 1}."
                )
        return self.separator.join(
            self.tokens[number] for number in numbers if number not in (PAD, BOS, EOS)
        )
