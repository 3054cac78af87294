"""Tokens and their numbers: the same text always gives the same ids."""

from collections import Counter
from collections.abc import Iterable, Sequence

from coursekit.arguments import check_flag, check_text, check_whole, shown

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
        self.tokens = token_list("tokens", tokens)
        self.separator = check_text("separator", separator)
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
        found = token_list("text", text)
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
        tokens = token_list("text", text)
        if check_flag("strict", strict):
            for token in tokens:
                if token not in self._ids:
                    raise ValueError(
                        f"text = {shown(text)}: токена {shown(token)} нет в словаре "
                        f"из {len(self)} токенов."
                    )
        ids = [self._ids.get(token, UNK) for token in tokens]
        return [BOS] * check_flag("bos", bos) + ids + [EOS] * check_flag("eos", eos)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ``ids``; ``<pad>``, ``<bos>`` and ``<eos>`` leave no trace.

        >>> Vocab.build("ау").decode([2, 5, 4, 1, 3])
        'уа<unk>'
        """
        listed = ids.tolist() if hasattr(ids, "tolist") else ids  # a tensor's are tensors
        if not isinstance(listed, Iterable) or isinstance(listed, (str, bytes)):
            raise TypeError(
                f"ids = {shown(ids)}: нужен список номеров, а пришёл тип {type(ids).__name__}."
            )
        numbers = [check_whole("ids", number, least=0) for number in listed]
        for number in numbers:
            if not 0 <= number < len(self):
                raise ValueError(
                    f"ids: номера {number} нет, в словаре номера от 0 до {len(self) - 1}."
                )
        return self.separator.join(
            self.tokens[number] for number in numbers if number not in (PAD, BOS, EOS)
        )


def token_list(name: str, tokens: Iterable[str]) -> list[str]:
    """Return the characters of a ``str``, or the tokens of another iterable, which must be strings.

    >>> token_list("text", "кот")
    ['к', 'о', 'т']
    """
    if isinstance(tokens, str):
        return list(tokens)
    if not isinstance(tokens, Iterable) or not getattr(tokens, "ndim", 1):
        raise TypeError(
            f"{name} = {shown(tokens)}: нужна строка или список токенов, а пришёл тип "
            f"{type(tokens).__name__}."
        )
    listed = list(tokens)
    for token in listed:
        if not isinstance(token, str):
            raise TypeError(
                f"{name}: среди токенов встретилось {shown(token)} типа {type(token).__name__}, "
                "а нужны строки. Списки токенов сначала соедините в один."
            )
    return listed
