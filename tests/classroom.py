"""Make the class of five in tests/classroom, on which the teacher's page shows its commands.

Run ``python tests/classroom.py`` after a change of the assignment.
"""

import sys
from pathlib import Path

import nbformat

from coursekit.teaching.released import release_of, told
from coursekit.variants import TAG

FOLDER = Path(__file__).resolve().parent / "classroom"

ANNA = {
    "gates": """\
def gates(x, h, W, b):
    # всё сразу: одна матрица на четыре вентиля
    z = torch.cat([x, h], dim=1) @ W.T + b
    i, f, c, o = z.chunk(4, dim=1)
    return i.sigmoid(), f.sigmoid(), c.tanh(), o.sigmoid()
""",
    "step": """\
def step(x, state, W, b):
    h, C = state
    i, f, g, o = gates(x, h, W, b)
    C_new = f * C + i * g
    h_new = o * torch.tanh(C_new)
    return h_new, C_new
""",
    "lstm": """\
def lstm(x, W, b):
    B, T, E = x.shape
    H = len(b) // 4
    state = (x.new_zeros(B, H), x.new_zeros(B, H))
    outputs = []
    for t in range(T):
        state = step(x[:, t], state, W, b)
        outputs.append(state[0])
    return torch.stack(outputs, dim=1), state
""",
    "last_states": """\
def last_states(outputs, lengths):
    rows = torch.arange(outputs.shape[0])
    return outputs[rows, lengths - 1]
""",
    "contributions": """\
def contributions(i, f, g):
    T = f.shape[0]
    parts = []
    for t in range(T):
        kept = torch.ones_like(f[0])
        for j in range(t + 1, T):
            kept = kept * f[j]
        parts.append(kept * i[t] * g[t])
    return torch.stack(parts)
""",
    "guess": "guess = {0.9: 1, 0.99: 40}",
    "parameters": """\
def parameters(E, H, layers, bidirectional):
    D = 2 if bidirectional else 1
    first = 4 * H * (E + H) + 8 * H
    others = 4 * H * (D * H + H) + 8 * H
    return D * (first + (layers - 1) * others)
""",
    "open_forget": """\
def open_forget(b, value):
    opened = b.clone()
    H = len(b) // 4
    opened[H : 2 * H] = value
    return opened
""",
    "question": """\
Верно, что вдоль памяти градиент умножается только на вентиль забывания. Неверно, что он совсем не
затухает: если вентиль 0,9, то за сто шагов останутся тысячные доли процента. И градиент ещё не
память: сеть запомнит начало, если это помогает. Я бы взяла отзывы, где решающее слово стоит в
начале, переставила его в конец и сравнила точность по пяти запускам.
""",
}

MINE = {
    "mine": """\
def mine():
    alphabet = sorted(set(word))
    ids = [alphabet.index(letter) for letter in word]
    x = torch.eye(len(alphabet), dtype=torch.float64)[ids]
    random = torch.Generator().manual_seed(seed)
    W = torch.randn(24, len(alphabet) + 6, generator=random, dtype=torch.float64)
    b = torch.randn(24, generator=random, dtype=torch.float64)
    b = open_forget(b, forget)
    h = C = torch.zeros(1, 6, dtype=torch.float64)
    gates_of_steps = []
    for x_t in x:
        gates_of_steps.append(gates(x_t[None], h, W, b))
        h, C = step(x_t[None], (h, C), W, b)
    i, f, g, _ = (torch.cat(part) for part in zip(*gates_of_steps))
    left = contributions(i, f, g).abs()
    return float(left[0].sum() / left.sum())
""",
}

# What a student who hurries writes: the candidate by a sigmoid, the padding read as the text.
BORIS = {
    **ANNA,
    "gates": """\
def gates(x, h, W, b):
    a = torch.cat((x, h), 1) @ W.T + b
    a = torch.sigmoid(a)
    H = h.shape[1]
    return a[:, :H], a[:, H:2*H], a[:, 2*H:3*H], a[:, 3*H:]
""",
    "last_states": """\
def last_states(outputs, lengths):
    return outputs[:, -1]
""",
    "contributions": """\
def contributions(i, f, g):
    c = torch.cumprod(f, 0)
    return c[-1] / c * i * g
""",
    "question": "LSTM помнит всё, потому что у неё есть память. Фраза верна.\n",
}

VERA = {
    **ANNA,
    "gates": """\
def gates(x, h, W, b):
    parts = []
    H = h.shape[-1]
    for k, act in enumerate([torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid]):
        rows = slice(k * H, (k + 1) * H)
        parts.append(act(torch.cat([x, h], -1) @ W[rows].T + b[rows]))
    return tuple(parts)
""",
    "lstm": """\
def lstm(x, W, b):
    h = torch.zeros(len(x), len(W) // 4, dtype=x.dtype)
    c = torch.zeros_like(h)
    out = []
    for t in range(x.size(1)):
        h, c = step(x[:, t, :], (h, c), W, b)
        out.append(h.unsqueeze(1))
    return torch.cat(out, 1), (h, c)
""",
    "contributions": """\
def contributions(i, f, g):
    out = i * g
    for t in range(len(f)):
        out = torch.cat([out[:t] * f[t], out[t:]])
    return out
""",
    "question": """\
Правда тут одна: у памяти есть прямая дорога, на которой градиент множится на f и больше ни на что.
Но f меньше единицы, и у необученной сети он около половины, так что за двадцать шагов пропадёт
почти всё. Проверить можно так: мерить норму градиента по состоянию за k шагов до конца и рядом
точность на отзывах с разным местом решающего слова.
""",
}

GLEB = {
    "gates": ANNA["gates"],
    "step": ANNA["step"],
    "lstm": """\
def lstm(x, W, b):
    # сам не успел
    layer = torch.nn.LSTM(x.shape[2], len(b) // 4, batch_first=True).double()
    with torch.no_grad():
        layer.weight_ih_l0.copy_(W[:, : x.shape[2]])
        layer.weight_hh_l0.copy_(W[:, x.shape[2] :])
        layer.bias_ih_l0.copy_(b)
        layer.bias_hh_l0.zero_()
    return layer(x)
""",
    "last_states": """\
def last_states(outputs, lengths):
    t = 0
    while t < lengths.max():
        last = outputs[:, t]
    return last
""",
}


def copied(solutions):
    """Return solutions as who copies them hands them in: other names, other comments."""
    names = {"C_new": "mem", "h_new": "out", "kept": "prod", "parts": "res", "rows": "idx"}
    names |= {"opened": "copy_b", "others": "rest", "outputs = []": "outputs = list()"}
    found = {}
    for name, source in solutions.items():
        for old, new in names.items():
            source = source.replace(old, new)
        found[name] = source.replace("# всё сразу: одна матрица на четыре вентиля", "# считаем")
    return found


def filled(solutions):
    """Return the release with solutions written in."""
    notebook = release_of("lstm")
    for cell in notebook.cells:
        name = told(cell).get("grade_id")
        if name in solutions:
            cell.source = solutions[name].rstrip("\n")
    return notebook


def mixed(notebook):
    """Return a notebook after a day in an editor that keeps no metadata."""
    for cell in notebook.cells:
        if TAG not in cell.metadata.get("tags", []):
            cell.metadata = nbformat.from_dict({})
    place = next(i for i, c in enumerate(notebook.cells) if c.source.startswith("def last_states"))
    notebook.cells.append(notebook.cells.pop(place))
    first = next(i for i, c in enumerate(notebook.cells) if c.source.startswith("def gates"))
    notebook.cells.insert(first, nbformat.v4.new_code_cell("import numpy as np"))
    return notebook


STUDENTS = {
    "Анна Береговая": lambda: filled(ANNA | MINE),
    "Борис Лодочников": lambda: filled(BORIS),
    "Вера Мостовая": lambda: mixed(filled(VERA | MINE)),
    "Глеб Паромов": lambda: filled(GLEB),
    "Дарья Причалова": lambda: filled(copied(ANNA | MINE)),
}


def main():
    FOLDER.mkdir(exist_ok=True)
    for student, make in STUDENTS.items():
        nbformat.write(make(), FOLDER / f"{student}.ipynb")
    (FOLDER / "students.csv").write_text("student\n" + "\n".join(STUDENTS) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
