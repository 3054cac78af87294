"""Formulas as the site has them: MathJax's MathML with what browsers do not know written out."""

import re

import pytest
from native_math import mathml


def plain(tex, display=False):
    """The signs of a formula with its spaces as dots."""
    made = mathml(tex, display).replace('<mspace width="0.167em"></mspace>', "·")
    return re.sub("<[^>]*>", "", made)


def test_scripts_stay_scripts():
    assert mathml("x_1^2") == "<math><msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup></math>"


def test_a_russian_decimal_is_one_number():
    assert "<mn>0,5</mn>" in mathml("0{,}5")
    assert "<mn>1</mn><mo>,</mo><mn>5</mn>" in mathml("1, 5")
    assert mathml(r"(1{,}5;\ 2)").count("<mn>") == 2


@pytest.mark.parametrize(
    ("tex", "signs"),
    [
        (r"\ln x", "ln·x"),
        (r"\ln(x)", "ln(x)"),
        (r"\ln\bigl(x\bigr)", "ln(x)"),
        (r"s \log r", "s·log·r"),
        (r"a + \log r", "a+log·r"),
        (r"\max_k x", "maxk·x"),
        (r"f(x)\tanh y", "f(x)·tanh·y"),
        (r"\mathrm{softmax}(x)", "softmax(x)"),
    ],
)
def test_names_of_functions_stand_apart(tex, signs):
    assert plain(tex) == signs


def test_a_sign_belongs_to_its_number_and_a_difference_stands_apart():
    tight = '<mo lspace="0" rspace="0">−</mo>'
    assert tight in mathml("x = -1")
    assert tight in mathml("-1")
    assert tight in mathml("x_{t-1}")  # TeX, too, leaves no space in an index
    assert tight not in mathml("x - 1")
    assert "<mo>+</mo><mi>y</mi>" in mathml(r"x + \dots + y")


def test_letters_come_from_their_own_alphabets():
    assert "ℝ" in mathml(r"\mathbb R")
    assert "𝔼" in mathml(r"\mathbb E")
    assert "𝟙" in mathml(r"\mathbb 1")
    assert "ℒ" in mathml(r"\mathcal L")
    assert '<mi mathvariant="normal">T</mi>' in mathml(r"\mathrm T")


def test_a_parenthesis_of_its_own_size_keeps_a_row_to_grow_in():
    assert '<msup><mrow><mo minsize="1.2em" maxsize="1.2em"' in mathml(r"\big(x\big)^2")


def test_firefox_keeps_a_formula_that_stands_alone_in_its_line():
    assert mathml("a, b", True).startswith('<math display="block"><mrow>')
    assert '<mo largeop="false">⊙</mo>' in mathml(r"a \odot b")


def test_columns_of_equations_meet_at_the_sign():
    made = mathml(r"\begin{aligned} a &= b && c \\ d &= e \end{aligned}", True)
    assert re.findall(r'<mtd class="([^"]*)">', made)[:4] == [
        "right",
        "left",
        "right apart",
        "left",
    ]
    assert 'class="joined"' in made
    assert "class" not in mathml(r"\begin{pmatrix} 1 & 2 \end{pmatrix}")


def test_what_mathjax_cannot_read_is_named():
    with pytest.raises(ValueError, match=r"\\nonsense: Undefined control sequence \\nonsense"):
        mathml(r"\nonsense")
    with pytest.raises(ValueError, match="Missing"):
        mathml(r"\frac{1}{2")
