"""A font cut to the signs that a site shows."""

from collections.abc import Iterable
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont


def cut(source: Path, signs: Iterable[str]) -> TTFont:
    """Return what of a font is needed to draw ``signs``; its licence stays in its names."""
    options = subset.Options(layout_features=["*"], name_IDs=["*"], hinting=False)
    font = subset.load_font(str(source), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=map(ord, signs))
    cutter.subset(font)
    return font


def save(font: TTFont, target: Path) -> None:
    """Write a font as browsers take it."""
    target.parent.mkdir(exist_ok=True)
    font.flavor = "woff"
    font.save(target)
