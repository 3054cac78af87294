"""The tables of the data card, computed: ``python tests/data_card.py`` writes them into it."""

import re
from collections import Counter
from pathlib import Path

from coursekit import datasets, text

CARD = Path(datasets.__file__).parent / "data" / "README.md"
SPLITS = ("train", "valid", "test")


def spaced(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def corpus_table() -> str:
    lines = [
        "| рубрика | работ | символов | предложений | токенов | из них слов |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    corpus = datasets.load_zarechinsk()
    rubrics = [*datasets.RUBRICS.values(), None]
    for rubric in rubrics:
        texts = [work.text for work in corpus if rubric in (work.rubric, None)]
        lines.append(f"| {rubric or '**всего**'} | " + " | ".join(counts(texts)) + " |")
    return "\n".join(lines)


def counts(texts: list[str]) -> list[str]:
    tokens = [token for each in texts for token in text.tokens(each)]
    words = sum(any(map(str.isalpha, token)) for token in tokens)
    sentences = sum(len(text.sentences(each)) for each in texts)
    numbers = (len(texts), sum(map(len, texts)), sentences, len(tokens), words)
    return [spaced(number) for number in numbers]


def split_table() -> str:
    corpus = datasets.load_zarechinsk()
    names = {"train": "обучение", "valid": "проверка", "test": "контроль"}
    lines = ["| часть | работ | символов |", "|---|--:|--:|"]
    for split in SPLITS:
        texts = [work.text for work in corpus if work.split == split]
        size = spaced(sum(map(len, texts)))
        lines.append(f"| {names[split]} (`{split}`) | {len(texts)} | {size} |")
    return "\n".join(lines)


def reviews_table() -> str:
    labels = Counter((review.domain, review.label) for review in datasets.load_reviews())
    lines = ["| о чём | `pos` | `neg` |", "|---|--:|--:|"]
    for domain in sorted({domain for domain, _ in labels}):
        lines.append(f"| {domain} | {labels[domain, 'pos']} | {labels[domain, 'neg']} |")
    total = Counter(review.label for review in datasets.load_reviews())
    lines.append(f"| **всего** | {total['pos']} | {total['neg']} |")
    return "\n".join(lines)


TABLES = {"corpus": corpus_table, "split": split_table, "reviews": reviews_table}


def rewritten(card: str) -> str:
    for name, table in TABLES.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        card, found = re.subn(pattern, rf"\g<1>\n{table()}\n\n\g<2>", card, flags=re.DOTALL)
        if found != 1:
            raise ValueError(f"{CARD}: no place for the table «{name}»")
    return card


if __name__ == "__main__":
    CARD.write_text(rewritten(CARD.read_text(encoding="utf-8")), encoding="utf-8")
