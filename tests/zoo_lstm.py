"""Solutions of the assignment «LSTM» as students write them: right ones and wrong ones.

A wrong one stands with the words of the hint that it must meet.
"""

import math

import torch
from torch import nn

from coursekit.cells import Weights, lstm_gates
from coursekit.tasks import lstm as tasks
from coursekit.variants import common

MINE = common(tasks.MINE)
MINE_TASK = tasks.mine(**MINE)
RIGHT = []
WRONG = []


def right(task):
    return lambda function: RIGHT.append((task, function)) or function


def wrong(task, hint):
    return lambda function: WRONG.append((task, hint, function)) or function


@right(tasks.GATES)
def gates_by_slices(x, h, W, b):
    H = h.shape[1]
    z = torch.cat((x, h), 1).mm(W.t()) + b
    return (
        z[:, :H].sigmoid(),
        z[:, H : 2 * H].sigmoid(),
        z[:, 2 * H : 3 * H].tanh(),
        z[:, 3 * H :].sigmoid(),
    )


@right(tasks.GATES)
def gates_by_linear(x, h, W, b):
    i, f, g, o = nn.functional.linear(torch.hstack([x, h]), W, b).split(h.shape[-1], dim=-1)
    return 1 / (1 + torch.exp(-i)), 1 / (1 + torch.exp(-f)), torch.tanh(g), 1 / (1 + torch.exp(-o))


@right(tasks.GATES)
def gates_without_gluing(x, h, W, b):
    E = x.shape[-1]
    z = torch.einsum("be,ge->bg", x, W[:, :E]) + torch.einsum("bh,gh->bg", h, W[:, E:]) + b
    i, f, g, o = z.view(len(x), 4, -1).unbind(1)
    return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()


@wrong(tasks.GATES, "не забыт ли return")
def gates_printed(x, h, W, b):
    print(gates_by_slices(x, h, W, b))


@wrong(tasks.GATES, "нужен кортеж из 4")
def gates_in_one_piece(x, h, W, b):
    return torch.sigmoid(torch.cat([x, h], 1) @ W.T + b)


@wrong(tasks.GATES, "остановилась с ошибкой RuntimeError")
def gates_with_the_matrix_as_it_lies(x, h, W, b):
    return torch.sigmoid(torch.cat([x, h], 1) @ W + b).chunk(4, 1)


@wrong(tasks.GATES, "кандидат c̃ — это tanh")
def gates_all_sigmoids(x, h, W, b):
    return torch.sigmoid(torch.cat([x, h], 1) @ W.T + b).chunk(4, 1)


@wrong(tasks.GATES, "третья четверть — c̃")
def gates_in_the_order_of_another_library(x, h, W, b):
    i, f, o, g = (torch.cat([x, h], 1) @ W.T + b).chunk(4, 1)
    return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()


@wrong(tasks.GATES, "потеряно смещение")
def gates_without_bias(x, h, W, b):
    return gates_by_slices(x, h, W, torch.zeros_like(b))


@wrong(tasks.GATES, "сначала вход")
def gates_glued_the_other_way(x, h, W, b):
    i, f, g, o = (torch.cat([h, x], 1) @ W.T + b).chunk(4, 1)
    return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()


@wrong(tasks.GATES, "torch.float32")
def gates_in_float(x, h, W, b):
    return tuple(gate.float() for gate in gates_by_slices(x, h, W, b))


@wrong(tasks.GATES, "вызвано coursekit.cells")
def gates_of_the_package(x, h, W, b):
    E = x.shape[-1]
    found = lstm_gates(x, (h, h), Weights(W[:, :E], W[:, E:], b, b * 0))
    return found.i, found.f, found.g, found.o


@right(tasks.STEP)
def step_in_a_row(x, state, W, b):
    h, C = state
    i, f, g, o = gates_by_slices(x, h, W, b)
    new_C = f * C + i * g
    new_h = o * torch.tanh(new_C)
    return new_h, new_C


@right(tasks.STEP)
def step_by_addcmul(x, state, W, b):
    i, f, g, o = gates_by_linear(x, state[0], W, b)
    memory = torch.addcmul(torch.mul(i, g), f, state[1])
    return torch.mul(o, memory.tanh()), memory


@right(tasks.STEP)
def step_row_by_row(x, state, W, b):
    hs, cs = [], []
    for row in range(len(x)):
        i, f, g, o = gates_without_gluing(x[row : row + 1], state[0][row : row + 1], W, b)
        cs.append(f * state[1][row] + i * g)
        hs.append(o * cs[-1].tanh())
    return torch.cat(hs), torch.cat(cs)


@wrong(tasks.STEP, "порядок ответа")
def step_with_the_cell_first(x, state, W, b):
    return step_in_a_row(x, state, W, b)[::-1]


@wrong(tasks.STEP, "умножьте его на входной вентиль")
def step_without_the_input_gate(x, state, W, b):
    _, f, g, o = gates_by_slices(x, state[0], W, b)
    C = f * state[1] + g
    return o * C.tanh(), C


@wrong(tasks.STEP, "выходит через tanh")
def step_without_tanh(x, state, W, b):
    i, f, g, o = gates_by_slices(x, state[0], W, b)
    C = f * state[1] + i * g
    return o * C, C


@wrong(tasks.STEP, "по новой памяти")
def step_that_shows_the_old_cell(x, state, W, b):
    i, f, g, o = gates_by_slices(x, state[0], W, b)
    return o * torch.tanh(state[1]), f * state[1] + i * g


@wrong(tasks.STEP, "связанные вентили")
def step_with_coupled_gates(x, state, W, b):
    _, f, g, o = gates_by_slices(x, state[0], W, b)
    C = f * state[1] + (1 - f) * g
    return o * C.tanh(), C


@wrong(tasks.STEP, "изменила свой аргумент state")
def step_in_place(x, state, W, b):
    h, C = (part.detach() for part in state)
    i, f, g, o = gates_by_slices(x, h, W, b)
    C *= f.detach()
    C += (i * g).detach()
    return o * C.tanh(), C


@wrong(tasks.STEP, "градиент по state")
def step_that_forgets_where_it_came_from(x, state, W, b):
    return step_in_a_row(x, tuple(part.detach() for part in state), W, b)


@right(tasks.LSTM)
def lstm_with_a_list(x, W, b):
    H = W.shape[0] // 4
    state = (torch.zeros(x.shape[0], H).to(x), torch.zeros(x.shape[0], H).to(x))
    hs = []
    for t in range(x.shape[1]):
        state = step_in_a_row(x[:, t], state, W, b)
        hs.append(state[0])
    return torch.stack(hs, 1), state


@right(tasks.LSTM)
def lstm_with_room_made_before(x, W, b):
    B, T, _ = x.shape
    H = len(b) // 4
    outputs = x.new_empty(B, T, H)
    state = x.new_zeros(B, H), x.new_zeros(B, H)
    for t in range(T):
        state = step_by_addcmul(x[:, t, :], state, W, b)
        outputs[:, t] = state[0]
    return outputs, state


@right(tasks.LSTM)
def lstm_that_multiplies_the_input_at_once(x, W, b):
    E, H = x.shape[2], W.shape[0] // 4
    ready = x @ W[:, :E].T + b
    h = c = torch.zeros(x.shape[0], H, dtype=x.dtype)
    outputs = []
    for z in ready.transpose(0, 1):
        i, f, g, o = (z + h @ W[:, E:].T).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs).transpose(0, 1), (h, c)


@wrong(tasks.LSTM, "ответ, часть 1, формы")
def lstm_time_first(x, W, b):
    outputs, state = lstm_with_a_list(x, W, b)
    return outputs.transpose(0, 1), state


@wrong(tasks.LSTM, "начинается с нулей")
def lstm_begun_anew_each_step(x, W, b):
    zeros = x.new_zeros(len(x), len(b) // 4)
    steps = [step_in_a_row(x[:, t], (zeros, zeros), W, b) for t in range(x.shape[1])]
    return torch.stack([h for h, _ in steps], 1), steps[-1]


@wrong(tasks.LSTM, "память c не переходит")
def lstm_that_carries_h_alone(x, W, b):
    h, zeros = (x.new_zeros(len(x), len(b) // 4) for _ in "hc")
    hs = []
    for t in range(x.shape[1]):
        h, _ = step_in_a_row(x[:, t], (h, zeros), W, b)
        hs.append(h)
    return torch.stack(hs, 1), (h, zeros)


@wrong(tasks.LSTM, "прочитана с конца")
def lstm_backwards(x, W, b):
    outputs, state = lstm_with_a_list(x.flip(1), W, b)
    return outputs.flip(1), state


@wrong(tasks.LSTM, "градиент по x")
def lstm_cut_at_each_step(x, W, b):
    h = c = x.new_zeros(len(x), len(b) // 4)
    outputs = []
    for t in range(x.shape[1]):
        h, c = step_in_a_row(x[:, t], (h.detach(), c.detach()), W, b)
        outputs.append(h)
    return torch.stack(outputs, 1), (h, c)


@wrong(tasks.LSTM, "вызвано torch.nn.modules.rnn")
def lstm_of_torch(x, W, b):
    E = x.shape[2]
    layer = nn.LSTM(E, len(b) // 4, batch_first=True).to(x)
    weights = {"weight_ih_l0": W[:, :E], "weight_hh_l0": W[:, E:], "bias_ih_l0": b}
    outputs, (h, c) = torch.func.functional_call(layer, weights | {"bias_hh_l0": b * 0}, x)
    return outputs, (h[0], c[0])


@wrong(tasks.LSTM, "вызвано lstm_cell")
def lstm_of_torchs_cells(x, W, b):
    E = x.shape[2]
    h = c = x.new_zeros(len(x), len(b) // 4)
    hs = []
    for t in range(x.shape[1]):
        h, c = torch.lstm_cell(x[:, t], (h, c), W[:, :E], W[:, E:], b, torch.zeros_like(b))
        hs.append(h)
    return torch.stack(hs, 1), (h, c)


@right(tasks.LAST_STATES)
def last_by_gather(outputs, lengths):
    index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, outputs.shape[-1])
    return outputs.gather(1, index).squeeze(1)


@right(tasks.LAST_STATES)
def last_by_loop(outputs, lengths):
    return torch.stack([row[n - 1] for row, n in zip(outputs, lengths.tolist(), strict=True)])


@right(tasks.LAST_STATES)
def last_by_mask(outputs, lengths):
    mask = torch.arange(outputs.shape[1]) == (lengths - 1)[:, None]
    return (outputs * mask[:, :, None]).sum(1)


@wrong(tasks.LAST_STATES, "после дополнения")
def last_of_the_batch(outputs, lengths):
    return outputs[:, -1]


@wrong(tasks.LAST_STATES, "формы")
def last_for_all_pairs(outputs, lengths):
    return outputs[:, lengths - 1]


@wrong(tasks.LAST_STATES, "остановилась с ошибкой IndexError")
def last_one_too_far(outputs, lengths):
    return outputs[torch.arange(len(outputs)), lengths]


@wrong(tasks.LAST_STATES, "это среднее по строке")
def last_as_mean(outputs, lengths):
    mask = torch.arange(outputs.shape[1]) < lengths[:, None]
    return (outputs * mask[:, :, None]).sum(1) / lengths[:, None]


@right(tasks.CONTRIBUTIONS)
def contributions_by_loop(i, f, g):
    found = []
    for t in range(len(f)):
        kept = torch.ones_like(f[0])
        for later in range(t + 1, len(f)):
            kept = kept * f[later]
        found.append(kept * i[t] * g[t])
    return torch.stack(found)


@right(tasks.CONTRIBUTIONS)
def contributions_from_the_end(i, f, g):
    kept, found = torch.ones_like(f[-1]), []
    for t in reversed(range(len(f))):
        found.insert(0, kept * i[t] * g[t])
        kept = kept * f[t]
    return torch.stack(found)


@right(tasks.CONTRIBUTIONS)
def contributions_by_prod(i, f, g):
    return torch.stack([f[t + 1 :].prod(0) for t in range(len(f))]) * i * g


@wrong(tasks.CONTRIBUTIONS, "начинается с t + 1")
def contributions_that_forget_too_soon(i, f, g):
    return torch.stack([f[t:].prod(0) for t in range(len(f))]) * i * g


@wrong(tasks.CONTRIBUTIONS, "до* шага t")
def contributions_of_the_past(i, f, g):
    return f.cumprod(0) * i * g


@wrong(tasks.CONTRIBUTIONS, "f = 0: деление")
def contributions_by_division(i, f, g):
    return f.prod(0) / f.cumprod(0) * i * g


@wrong(tasks.CONTRIBUTIONS, "формы")
def contributions_summed(i, f, g):
    return contributions_by_prod(i, f, g).sum(0)


@right(tasks.PARAMETERS)
def parameters_by_formula(E, H, layers, bidirectional):
    D = 1 + bidirectional
    return 4 * H * D * (E + H + 2 + (layers - 1) * (D * H + H + 2))


@right(tasks.PARAMETERS)
def parameters_by_loop(E, H, layers, bidirectional):
    total, width = 0, E
    for _ in range(layers):
        one = 4 * (H * width + H * H + 2 * H)
        total += 2 * one if bidirectional else one
        width = 2 * H if bidirectional else H
    return total


@right(tasks.PARAMETERS)
def parameters_by_shapes(E, H, layers, bidirectional):
    sides = 2 if bidirectional else 1
    widths = [E] + [sides * H] * (layers - 1)
    shapes = [(4 * H, w) for w in widths] + [(4 * H, H)] * layers + [(4 * H, 2)] * layers
    return sides * sum(a * b for a, b in shapes)


@wrong(tasks.PARAMETERS, "два смещения")
def parameters_with_one_bias(E, H, layers, bidirectional):
    D = 1 + bidirectional
    return 4 * H * D * (E + H + 1 + (layers - 1) * (D * H + H + 1))


@wrong(tasks.PARAMETERS, "два направления: в двунаправленной сети второй слой читает 2h")
def parameters_of_two_separate_stacks(E, H, layers, bidirectional):
    return (1 + bidirectional) * parameters_by_formula(E, H, layers, False)


@wrong(tasks.PARAMETERS, "три — у gru")
def parameters_of_a_gru(E, H, layers, bidirectional):
    return parameters_by_formula(E, H, layers, bidirectional) // 4 * 3


@wrong(tasks.PARAMETERS, "нужен int")
def parameters_as_a_fraction(E, H, layers, bidirectional):
    return parameters_by_formula(E, H, layers, bidirectional) / 1


@wrong(tasks.PARAMETERS, "вызвано torch.nn.modules.rnn")
def parameters_counted_by_torch(E, H, layers, bidirectional):
    layer = nn.LSTM(E, H, layers, bidirectional=bidirectional)
    return sum(weight.numel() for weight in layer.parameters())


@right(tasks.OPEN_FORGET)
def open_by_copy(b, value):
    H = len(b) // 4
    b = b.clone()
    b[H : 2 * H] = value
    return b


@right(tasks.OPEN_FORGET)
def open_by_where(b, value):
    place = torch.arange(len(b)) * 4 // len(b)
    return torch.where(place == 1, torch.as_tensor(value).to(b), b)


@right(tasks.OPEN_FORGET)
def open_by_view(b, value):
    quarters = list(b.view(4, -1))
    quarters[1] = quarters[1] * 0 + value
    return torch.cat(quarters)


@wrong(tasks.OPEN_FORGET, "изменила свой аргумент b")
def open_in_place(b, value):
    H = len(b) // 4
    with torch.no_grad():
        b[H : 2 * H] = value
    return b


@wrong(tasks.OPEN_FORGET, "четверть входного вентиля")
def open_the_wrong_gate(b, value):
    return torch.cat([torch.full((len(b) // 4,), value).to(b), b[len(b) // 4 :]])


@wrong(tasks.OPEN_FORGET, "знак")
def open_with_the_wrong_sign(b, value):
    return open_by_copy(b, -value)


def mine_given():
    """x, W and b, the forget gate not yet open."""
    word, random = MINE["word"], torch.Generator().manual_seed(MINE["seed"])
    alphabet = sorted(set(word))
    x = torch.zeros(len(word), len(alphabet), dtype=torch.float64)
    for place, letter in enumerate(word):
        x[place, alphabet.index(letter)] = 1
    W = torch.randn(24, len(alphabet) + 6, generator=random, dtype=torch.float64)
    return x, W, torch.randn(24, generator=random, dtype=torch.float64)


def mine_share(left, letter=0):
    return (left[letter].abs().sum() / left.abs().sum()).item()


@right(MINE_TASK)
def mine_by_the_other_tasks():
    x, W, b = mine_given()
    b = open_by_copy(b, MINE["forget"])
    outputs, _ = lstm_with_a_list(x[None], W, b)
    before = torch.cat([torch.zeros_like(outputs[0, :1]), outputs[0, :-1]])
    return mine_share(contributions_by_loop(*gates_by_slices(x, before, W, b)[:3]))


@right(MINE_TASK)
def mine_in_one_pass():
    x, W, b = mine_given()
    b[6:12] = MINE["forget"]
    h, left = torch.zeros(6, dtype=torch.float64), []
    for x_t in x:
        i, f, g, o = (W @ torch.cat([x_t, h]) + b).view(4, 6)
        left = [f.sigmoid() * part for part in left] + [i.sigmoid() * g.tanh()]
        h = o.sigmoid() * sum(left).tanh()
    return mine_share(torch.stack(left))


@right(MINE_TASK)
def mine_number_by_number():
    x, W, b = (part.tolist() for part in mine_given())
    b[6:12] = [MINE["forget"]] * 6
    h, left = [0.0] * 6, []
    for row in x:
        z = [sum(map(float.__mul__, w, row + h)) + c for w, c in zip(W, b, strict=True)]
        i, f, o = ([1 / (1 + math.exp(-a)) for a in z[k : k + 6]] for k in (0, 6, 18))
        left = [[a * share for a, share in zip(part, f, strict=True)] for part in left]
        left.append([a * math.tanh(c) for a, c in zip(i, z[12:18], strict=True)])
        h = [a * math.tanh(sum(kept)) for a, *kept in zip(o, *left, strict=True)]
    first, *_ = sums = [sum(map(abs, part)) for part in left]
    return first / sum(sums)


@wrong(MINE_TASK, "вентиль забывания не тронут")
def mine_with_the_gate_as_it_came():
    x, W, b = mine_given()
    outputs, _ = lstm_with_a_list(x[None], W, b)
    before = torch.cat([torch.zeros_like(outputs[0, :1]), outputs[0, :-1]])
    return mine_share(contributions_by_prod(*gates_by_slices(x, before, W, b)[:3]))


@wrong(MINE_TASK, "у вас всюду нули")
def mine_without_the_past():
    x, W, b = mine_given()
    b = open_by_copy(b, MINE["forget"])
    return mine_share(contributions_by_prod(*gates_by_slices(x, x.new_zeros(len(x), 6), W, b)[:3]))


@wrong(MINE_TASK, "нужен float")
def mine_as_a_tensor():
    return torch.tensor(mine_in_one_pass())
