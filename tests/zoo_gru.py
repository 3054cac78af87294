"""Solutions of the assignment «GRU» as students write them: right ones and wrong ones.

A wrong one stands with the words of the hint that it must meet.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from coursekit import cells
from coursekit.tasks import gru as tasks
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
def gates_by_slices(x, h, W, U, b, c):
    H = h.shape[1]
    a = x @ W[: 2 * H].T + h @ U[: 2 * H].T + b[: 2 * H] + c[: 2 * H]
    return a[:, :H].sigmoid(), a[:, H:].sigmoid()


@right(tasks.GATES)
def gates_by_linear(x, h, W, U, b, c):
    r, z, _ = (F.linear(x, W, b) + F.linear(h, U, c)).split(h.shape[-1], dim=-1)
    return F.sigmoid(r), F.sigmoid(z)


@right(tasks.GATES)
def gates_one_by_one(x, h, W, U, b, c):
    (W_r, W_z, _), (U_r, U_z, _) = W.chunk(3), U.chunk(3)
    (b_r, b_z, _), (c_r, c_z, _) = b.chunk(3), c.chunk(3)
    r = 1 / (1 + torch.exp(-(x @ W_r.T + h @ U_r.T + b_r + c_r)))
    z = 1 / (1 + torch.exp(-(x @ W_z.T + h @ U_z.T + b_z + c_z)))
    return r, z


@wrong(tasks.GATES, "порядок третей")
def gates_in_the_order_of_keras(x, h, W, U, b, c):
    z, r, _ = (x @ W.T + b + h @ U.T + c).chunk(3, 1)
    return r.sigmoid(), z.sigmoid()


@wrong(tasks.GATES, "вентили — сигмоиды")
def gates_by_tanh(x, h, W, U, b, c):
    r, z, _ = (x @ W.T + b + h @ U.T + c).chunk(3, 1)
    return r.tanh(), z.tanh()


@wrong(tasks.GATES, "нужна сигмоида")
def gates_raw(x, h, W, U, b, c):
    r, z, _ = (x @ W.T + b + h @ U.T + c).chunk(3, 1)
    return r, z


@wrong(tasks.GATES, "последняя треть — кандидата")
def gates_of_the_last_thirds(x, h, W, U, b, c):
    _, r, z = torch.sigmoid(x @ W.T + b + h @ U.T + c).chunk(3, 1)
    return r, z


@wrong(tasks.GATES, "потеряно смещение c")
def gates_with_one_bias(x, h, W, U, b, c):
    return gates_by_slices(x, h, W, U, b, torch.zeros_like(c))


@wrong(tasks.GATES, "потеряно смещение b")
def gates_with_the_other_bias(x, h, W, U, b, c):
    return gates_by_slices(x, h, W, U, torch.zeros_like(b), c)


@wrong(tasks.GATES, "не видят прошлого")
def gates_that_see_the_input_alone(x, h, W, U, b, c):
    r, z, _ = torch.sigmoid(x @ W.T + b + c).chunk(3, 1)
    return r, z


@wrong(tasks.GATES, "доля старого")
def gates_of_the_new(x, h, W, U, b, c):
    r, z = gates_by_slices(x, h, W, U, b, c)
    return r, 1 - z


@wrong(tasks.GATES, "нужен кортеж из 2")
def gates_with_the_candidate(x, h, W, U, b, c):
    return torch.sigmoid(x @ W.T + b + h @ U.T + c).chunk(3, 1)


@wrong(tasks.GATES, "вызвано coursekit.cells")
def gates_of_the_package(x, h, W, U, b, c):
    found = cells.gru_gates(x, h, cells.Weights(W, U, b, c))
    return found.r, found.z


@right(tasks.CANDIDATE)
def candidate_by_slices(x, h, r, W, U, b, c):
    H = h.shape[1]
    past = h @ U[2 * H :].T + c[2 * H :]
    return torch.tanh(x @ W[2 * H :].T + b[2 * H :] + r * past)


@right(tasks.CANDIDATE)
def candidate_by_linear(x, h, r, W, U, b, c):
    past = F.linear(h, U, c).chunk(3, 1)[-1]
    return F.tanh(torch.addcmul(F.linear(x, W, b).chunk(3, 1)[-1], r, past))


@right(tasks.CANDIDATE)
def candidate_by_einsum(x, h, r, W, U, b, c):
    H = h.shape[1]
    past = torch.einsum("bh,gh->bg", h, U.view(3, H, H)[2]) + c.view(3, H)[2]
    fresh = torch.einsum("be,ge->bg", x, W.view(3, H, -1)[2]) + b.view(3, H)[2]
    return (fresh + past * r).tanh()


@wrong(tasks.CANDIDATE, "не на той стороне")
def candidate_reset_before(x, h, r, W, U, b, c):
    return candidate_by_slices(x, r * h, torch.ones_like(r), W, U, b, c)


@wrong(tasks.CANDIDATE, "c стоит внутри скобки")
def candidate_with_both_biases_outside(x, h, r, W, U, b, c):
    (*_, W_n), (*_, U_n) = W.chunk(3), U.chunk(3)
    return torch.tanh(x @ W_n.T + r * (h @ U_n.T) + b.chunk(3)[2] + c.chunk(3)[2])


@wrong(tasks.CANDIDATE, "сброса не участвует")
def candidate_without_reset(x, h, r, W, U, b, c):
    return torch.tanh((x @ W.T + b + h @ U.T + c).chunk(3, 1)[2])


@wrong(tasks.CANDIDATE, "умножает только прошлое")
def candidate_reset_whole(x, h, r, W, U, b, c):
    return torch.tanh(r * (x @ W.T + b + h @ U.T + c).chunk(3, 1)[2])


@wrong(tasks.CANDIDATE, "а у вас — вход")
def candidate_with_the_input_reset(x, h, r, W, U, b, c):
    return torch.tanh(r * (x @ W.T + b).chunk(3, 1)[2] + (h @ U.T + c).chunk(3, 1)[2])


@wrong(tasks.CANDIDATE, "кандидат — это tanh")
def candidate_by_sigmoid(x, h, r, W, U, b, c):
    return torch.sigmoid((x @ W.T + b).chunk(3, 1)[2] + r * (h @ U.T + c).chunk(3, 1)[2])


@wrong(tasks.CANDIDATE, "забыт tanh")
def candidate_raw(x, h, r, W, U, b, c):
    return (x @ W.T + b).chunk(3, 1)[2] + r * (h @ U.T + c).chunk(3, 1)[2]


@wrong(tasks.CANDIDATE, "треть вентиля r")
def candidate_of_the_first_third(x, h, r, W, U, b, c):
    return torch.tanh((x @ W.T + b).chunk(3, 1)[0] + r * (h @ U.T + c).chunk(3, 1)[0])


@wrong(tasks.CANDIDATE, "треть вентиля z")
def candidate_of_the_second_third(x, h, r, W, U, b, c):
    return torch.tanh((x @ W.T + b).chunk(3, 1)[1] + r * (h @ U.T + c).chunk(3, 1)[1])


@wrong(tasks.CANDIDATE, "у вас 1 − r")
def candidate_with_reset_turned(x, h, r, W, U, b, c):
    return candidate_by_slices(x, h, 1 - r, W, U, b, c)


@wrong(tasks.CANDIDATE, "потеряно смещение c")
def candidate_with_one_bias(x, h, r, W, U, b, c):
    return candidate_by_slices(x, h, r, W, U, b, c * 0)


@wrong(tasks.CANDIDATE, "потеряно смещение b")
def candidate_with_the_other_bias(x, h, r, W, U, b, c):
    return candidate_by_slices(x, h, r, W, U, b * 0, c)


@wrong(tasks.CANDIDATE, "градиент по r")
def candidate_with_reset_detached(x, h, r, W, U, b, c):
    return candidate_by_slices(x, h, r.detach(), W, U, b, c)


@right(tasks.STEP)
def step_in_ten_lines(x, h, W, U, b, c):
    x_r, x_z, x_n = (x @ W.T + b).chunk(3, dim=1)
    h_r, h_z, h_n = (h @ U.T + c).chunk(3, dim=1)
    r = (x_r + h_r).sigmoid()
    z = (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    return z * h + (1 - z) * n


@right(tasks.STEP)
def step_by_lerp(x, h, W, U, b, c):
    r, z = gates_by_slices(x, h, W, U, b, c)
    return torch.lerp(candidate_by_linear(x, h, r, W, U, b, c), h, z)


@right(tasks.STEP)
def step_as_a_correction(x, h, W, U, b, c):
    r, z = gates_by_linear(x, h, W, U, b, c)
    return h + (1 - z) * (candidate_by_slices(x, h, r, W, U, b, c) - h)


@right(tasks.STEP)
def step_row_by_row(x, h, W, U, b, c):
    return torch.stack(
        [
            step_in_ten_lines(one[None], state[None], W, U, b, c)[0]
            for one, state in zip(x, h, strict=True)
        ]
    )


def turned(change):
    """A step with one line changed."""

    def step(x, h, W, U, b, c):
        r, z = gates_by_slices(x, h, W, U, b, c)
        return change(h, r, z, candidate_by_slices(x, h, r, W, U, b, c))

    return step


@wrong(tasks.STEP, "z и 1 − z перепутаны")
def step_of_chung(x, h, W, U, b, c):
    return turned(lambda h, r, z, n: (1 - z) * h + z * n)(x, h, W, U, b, c)


@wrong(tasks.STEP, "не на той стороне")
def step_reset_before(x, h, W, U, b, c):
    r, z = gates_by_slices(x, h, W, U, b, c)
    n = torch.tanh((x @ W.T + b + (r * h) @ U.T + c).chunk(3, 1)[2])
    return z * h + (1 - z) * n


@wrong(tasks.STEP, "r и z перепутаны")
def step_with_gates_exchanged(x, h, W, U, b, c):
    z, r = gates_by_slices(x, h, W, U, b, c)
    return z * h + (1 - z) * candidate_by_slices(x, h, r, W, U, b, c)


@wrong(tasks.STEP, "сброса не участвует")
def step_without_reset(x, h, W, U, b, c):
    _, z, n = (x @ W.T + b + h @ U.T + c).chunk(3, 1)
    return z.sigmoid() * h + (1 - z.sigmoid()) * n.tanh()


@wrong(tasks.STEP, "без r")
def step_with_the_past_reset_everywhere(x, h, W, U, b, c):
    return turned(lambda h, r, z, n: z * (r * h) + (1 - z) * n)(x, h, W, U, b, c)


@wrong(tasks.STEP, "кандидат записан целиком")
def step_that_adds_the_candidate(x, h, W, U, b, c):
    return turned(lambda h, r, z, n: z * h + n)(x, h, W, U, b, c)


@wrong(tasks.STEP, "осталось целиком")
def step_that_keeps_all(x, h, W, U, b, c):
    return turned(lambda h, r, z, n: h + (1 - z) * n)(x, h, W, U, b, c)


@wrong(tasks.STEP, "это кандидат n")
def step_that_returns_the_candidate(x, h, W, U, b, c):
    return turned(lambda h, r, z, n: n)(x, h, W, U, b, c)


@wrong(tasks.STEP, "tanh уже есть")
def step_with_two_tanhs(x, h, W, U, b, c):
    return torch.tanh(step_in_ten_lines(x, h, W, U, b, c))


@wrong(tasks.STEP, "изменила свой аргумент h")
def step_in_place(x, h, W, U, b, c):
    new = step_in_ten_lines(x, h, W, U, b, c)
    with torch.no_grad():
        h.copy_(new)
    return h


@wrong(tasks.STEP, "нужен torch.tensor")
def step_of_a_pair(x, h, W, U, b, c):
    new = step_in_ten_lines(x, h, W, U, b, c)
    return new, new


@wrong(tasks.STEP, "вызвано gru_cell")
def step_of_torch(x, h, W, U, b, c):
    return torch.gru_cell(x, h, W, U, b, c)


@wrong(tasks.STEP, "градиент по h")
def step_that_forgets_where_it_came_from(x, h, W, U, b, c):
    return step_in_ten_lines(x, h.detach(), W, U, b, c)


@right(tasks.GRU)
def gru_by_where(x, lengths, W, U, b, c):
    B, T, _ = x.shape
    h = torch.zeros(B, U.shape[1], dtype=x.dtype)
    outputs = []
    for t in range(T):
        new = step_in_ten_lines(x[:, t], h, W, U, b, c)
        mask = (t < lengths).to(x.dtype)[:, None]
        h = mask * new + (1 - mask) * h
        outputs.append(mask * new)
    return torch.stack(outputs, 1), h


@right(tasks.GRU)
def gru_that_picks_the_last(x, lengths, W, U, b, c):
    h, outputs = x.new_zeros(len(x), U.shape[1]), []
    for x_t in x.transpose(0, 1):
        h = step_by_lerp(x_t, h, W, U, b, c)
        outputs.append(h)
    outputs = torch.stack(outputs, 1)
    last = outputs[torch.arange(len(x)), lengths - 1]
    padding = torch.arange(x.shape[1]) >= lengths[:, None]
    return outputs.masked_fill(padding[:, :, None], 0), last


@right(tasks.GRU)
def gru_row_by_row(x, lengths, W, U, b, c):
    outputs, last = x.new_zeros(*x.shape[:2], U.shape[1]), []
    for row, length in enumerate(lengths.tolist()):
        h = x.new_zeros(1, U.shape[1])
        for t in range(length):
            h = step_as_a_correction(x[row, t : t + 1], h, W, U, b, c)
            outputs[row, t] = h[0]
        last.append(h)
    return outputs, torch.cat(last)


@wrong(tasks.GRU, "последнее состояние короткой строки испортило")
def gru_with_the_last_state_of_the_batch(x, lengths, W, U, b, c):
    h, outputs = x.new_zeros(len(x), U.shape[1]), []
    for t in range(x.shape[1]):
        h = step_in_ten_lines(x[:, t], h, W, U, b, c)
        outputs.append(h * (t < lengths)[:, None])
    return torch.stack(outputs, 1), h


@wrong(tasks.GRU, "lengths не участвуют")
def gru_without_lengths(x, lengths, W, U, b, c):
    h, outputs = x.new_zeros(len(x), U.shape[1]), []
    for t in range(x.shape[1]):
        h = step_in_ten_lines(x[:, t], h, W, U, b, c)
        outputs.append(h)
    return torch.stack(outputs, 1), h


@wrong(tasks.GRU, "должны стоять нули")
def gru_that_repeats_the_last_state(x, lengths, W, U, b, c):
    h, outputs = x.new_zeros(len(x), U.shape[1]), []
    for t in range(x.shape[1]):
        new = step_in_ten_lines(x[:, t], h, W, U, b, c)
        h = torch.where((t < lengths)[:, None], new, h)
        outputs.append(h)
    return torch.stack(outputs, 1), h


@wrong(tasks.GRU, "стёрто")
def gru_that_erases_the_state(x, lengths, W, U, b, c):
    h, outputs = x.new_zeros(len(x), U.shape[1]), []
    for t in range(x.shape[1]):
        h = step_in_ten_lines(x[:, t], h, W, U, b, c) * (t < lengths)[:, None]
        outputs.append(h)
    return torch.stack(outputs, 1), h


@wrong(tasks.GRU, "начинается с нулей")
def gru_begun_anew_each_step(x, lengths, W, U, b, c):
    outputs, last = [], x.new_zeros(len(x), U.shape[1])
    for t in range(x.shape[1]):
        true = (t < lengths)[:, None]
        h = step_in_ten_lines(x[:, t], x.new_zeros(len(x), U.shape[1]), W, U, b, c)
        outputs.append(h * true)
        last = torch.where(true, h, last)
    return torch.stack(outputs, 1), last


@wrong(tasks.GRU, "прочитана с конца")
def gru_backwards(x, lengths, W, U, b, c):
    full = torch.full_like(lengths, x.shape[1])
    outputs, h = gru_by_where(x.flip(1), full, W, U, b, c)
    return outputs.flip(1) * (torch.arange(x.shape[1]) < lengths[:, None])[..., None], h


@wrong(tasks.GRU, "после первого шага")
def gru_with_the_first_state(x, lengths, W, U, b, c):
    outputs, _ = gru_by_where(x, lengths, W, U, b, c)
    return outputs, outputs[:, 0]


@wrong(tasks.GRU, "сдвиг на единицу")
def gru_one_too_short(x, lengths, W, U, b, c):
    return gru_by_where(x, lengths - 1, W, U, b, c)


@wrong(tasks.GRU, "часть 1, формы")
def gru_time_first(x, lengths, W, U, b, c):
    outputs, h = gru_by_where(x, lengths, W, U, b, c)
    return outputs.transpose(0, 1), h


@wrong(tasks.GRU, "градиент по")
def gru_cut_at_each_step(x, lengths, W, U, b, c):
    h, outputs = x.new_zeros(len(x), U.shape[1]), []
    for t in range(x.shape[1]):
        true = (t < lengths)[:, None]
        h = torch.where(true, step_in_ten_lines(x[:, t], h.detach(), W, U, b, c), h)
        outputs.append(h * true)
    return torch.stack(outputs, 1), h


@wrong(tasks.GRU, "вызвано torch.nn.modules.rnn")
def gru_of_torch(x, lengths, W, U, b, c):
    layer = nn.GRU(x.shape[2], U.shape[1], batch_first=True).to(x)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weights = dict(zip(names, (W, U, b, c), strict=True))
    outputs, _ = torch.func.functional_call(layer, weights, x)
    last = outputs[torch.arange(len(x)), lengths - 1]
    return outputs * (torch.arange(x.shape[1]) < lengths[:, None])[..., None], last


@right(tasks.STEP_BEFORE)
def before_by_slices(x, h, W, U, b, c):
    H = h.shape[1]
    x_r, x_z, x_n = (x @ W.T + b).chunk(3, dim=1)
    h_r, h_z = (h @ U[: 2 * H].T + c[: 2 * H]).chunk(2, dim=1)
    r = (x_r + h_r).sigmoid()
    z = (x_z + h_z).sigmoid()
    n = (x_n + (r * h) @ U[2 * H :].T + c[2 * H :]).tanh()
    return z * h + (1 - z) * n


@right(tasks.STEP_BEFORE)
def before_by_linear(x, h, W, U, b, c):
    r, z = gates_by_slices(x, h, W, U, b, c)
    n = F.tanh(F.linear(x, W, b) + F.linear(r.mul(h), U, c)).chunk(3, -1)[2]
    return torch.lerp(n, h, z)


@right(tasks.STEP_BEFORE)
def before_without_resetting_the_candidate(x, h, W, U, b, c):
    r, z = gates_one_by_one(x, h, W, U, b, c)
    n = candidate_by_slices(x, r * h, torch.ones_like(r), W, U, b, c)
    return n - z * (n - h)


@wrong(tasks.STEP_BEFORE, "это форма pytorch")
def before_that_is_after(x, h, W, U, b, c):
    return step_in_ten_lines(x, h, W, U, b, c)


@wrong(tasks.STEP_BEFORE, "c в этой форме не под вентилем")
def before_with_the_bias_reset(x, h, W, U, b, c):
    r, z = gates_by_slices(x, h, W, U, b, c)
    n = x @ W.T + b + (r * h) @ U.T + r.repeat(1, 3) * c
    return z * h + (1 - z) * n.chunk(3, 1)[2].tanh()


@wrong(tasks.STEP_BEFORE, "сброса не участвует")
def before_without_reset(x, h, W, U, b, c):
    return step_without_reset(x, h, W, U, b, c)


@wrong(tasks.STEP_BEFORE, "без r")
def before_with_the_past_reset_everywhere(x, h, W, U, b, c):
    r, z = gates_by_slices(x, h, W, U, b, c)
    h = r * h
    n = torch.tanh((x @ W.T + b + h @ U.T + c).chunk(3, 1)[2])
    return z * h + (1 - z) * n


@wrong(tasks.STEP_BEFORE, "z и 1 − z перепутаны")
def before_of_the_new(x, h, W, U, b, c):
    r, z = gates_by_slices(x, h, W, U, b, c)
    n = torch.tanh((x @ W.T + b + (r * h) @ U.T + c).chunk(3, 1)[2])
    return (1 - z) * h + z * n


@wrong(tasks.STEP_BEFORE, "это кандидат n")
def before_that_returns_the_candidate(x, h, W, U, b, c):
    r, _ = gates_by_slices(x, h, W, U, b, c)
    return torch.tanh((x @ W.T + b + (r * h) @ U.T + c).chunk(3, 1)[2])


@right(tasks.FROM_CHUNG)
def chung_by_parts(W, U, b, c):
    found = []
    for part in (W, U, b, c):
        z, r, n = part.chunk(3)
        found.append(torch.cat([r, -z, n]))
    return tuple(found)


@right(tasks.FROM_CHUNG)
def chung_by_index(W, U, b, c):
    H = U.shape[1]
    order = torch.cat([torch.arange(H, 2 * H), torch.arange(H), torch.arange(2 * H, 3 * H)])
    sign = torch.ones(3 * H, dtype=W.dtype)
    sign[H : 2 * H] = -1
    return sign[:, None] * W[order], sign[:, None] * U[order], sign * b[order], sign * c[order]


@right(tasks.FROM_CHUNG)
def chung_in_copies(W, U, b, c):
    H = len(b) // 3
    copies = [part.clone() for part in (W, U, b, c)]
    for copy, part in zip(copies, (W, U, b, c), strict=True):
        copy[:H] = part[H : 2 * H]
        copy[H : 2 * H] = -part[:H]
    return tuple(copies)


def chung(change, rest=None):
    """The weights with their thirds changed."""

    def moved(W, U, b, c):
        changes = (change, change, rest or change, rest or change)
        return tuple(
            torch.cat(way(*part.chunk(3))) for way, part in zip(changes, (W, U, b, c), strict=True)
        )

    return moved


@wrong(tasks.FROM_CHUNG, "осталась долей нового")
def chung_without_the_sign(W, U, b, c):
    return chung(lambda z, r, n: [r, z, n])(W, U, b, c)


@wrong(tasks.FROM_CHUNG, "стоят по-прежнему")
def chung_in_the_old_order(W, U, b, c):
    return chung(lambda z, r, n: [-z, r, n])(W, U, b, c)


@wrong(tasks.FROM_CHUNG, "знак сменён у r")
def chung_with_the_sign_on_reset(W, U, b, c):
    return chung(lambda z, r, n: [-r, z, n])(W, U, b, c)


@wrong(tasks.FROM_CHUNG, "вычитают вентиль, а не веса")
def chung_with_one_minus_weights(W, U, b, c):
    return chung(lambda z, r, n: [r, 1 - z, n])(W, U, b, c)


@wrong(tasks.FROM_CHUNG, "смещения z тоже меняют знак")
def chung_with_the_sign_on_matrices_alone(W, U, b, c):
    return chung(lambda z, r, n: [r, -z, n], lambda z, r, n: [r, z, n])(W, U, b, c)


@wrong(tasks.FROM_CHUNG, "в старом порядке")
def chung_with_biases_left(W, U, b, c):
    return (*chung(lambda z, r, n: [r, -z, n])(W, U, b, c)[:2], b.clone(), c.clone())


@wrong(tasks.FROM_CHUNG, "только у z")
def chung_negated_whole(W, U, b, c):
    return chung(lambda z, r, n: [-r, -z, -n])(W, U, b, c)


@wrong(tasks.FROM_CHUNG, "ушла в конец")
def chung_in_a_third_order(W, U, b, c):
    return chung(lambda z, r, n: [r, n, -z])(W, U, b, c)


@wrong(tasks.FROM_CHUNG, "изменила свой аргумент w")
def chung_in_place(W, U, b, c):
    found = chung_by_parts(W, U, b, c)
    with torch.no_grad():
        W.copy_(found[0])
    return found


@right(tasks.UPDATE_BIAS)
def bias_by_logit(steps, share):
    return torch.logit(torch.tensor(share, dtype=torch.float64) ** (1 / steps)).item()


@right(tasks.UPDATE_BIAS)
def bias_by_logarithms(steps, share):
    z = math.exp(math.log(share) / steps)
    return math.log(z) - math.log1p(-z)


@right(tasks.UPDATE_BIAS)
def bias_by_bisection(steps, share):
    low, high = -50.0, 50.0
    for _ in range(200):
        middle = (low + high) / 2
        if (1 / (1 + math.exp(-middle))) ** steps < share:
            low = middle
        else:
            high = middle
    return low


@wrong(tasks.UPDATE_BIAS, "знак: чем дольше")
def bias_of_the_new(steps, share):
    z = share ** (1 / steps)
    return math.log((1 - z) / z)


@wrong(tasks.UPDATE_BIAS, "это сам вентиль z")
def bias_that_is_the_gate(steps, share):
    return share ** (1 / steps)


@wrong(tasks.UPDATE_BIAS, "это сигмоида от z")
def bias_by_sigmoid(steps, share):
    return torch.sigmoid(torch.tensor(share ** (1 / steps), dtype=torch.float64)).item()


@wrong(tasks.UPDATE_BIAS, "доли по шагам перемножаются")
def bias_of_equal_losses(steps, share):
    z = 1 - (1 - share) / steps
    return math.log(z / (1 - z))


@wrong(tasks.UPDATE_BIAS, "share остаётся за один шаг")
def bias_of_one_step(steps, share):
    return math.log(share / (1 - share))


@wrong(tasks.UPDATE_BIAS, "e^(−1/steps)")
def bias_of_a_time_constant(steps, share):
    z = math.exp(-1 / steps)
    return math.log(z / (1 - z))


@wrong(tasks.UPDATE_BIAS, "потерян знаменатель")
def bias_by_logarithm(steps, share):
    return math.log(share ** (1 / steps))


@wrong(tasks.UPDATE_BIAS, "нужен float")
def bias_as_a_tensor(steps, share):
    return torch.logit(torch.tensor(share, dtype=torch.float64) ** (1 / steps))


def mine_given():
    """x, W, U and the biases of the update gate."""
    word, random = MINE["word"], torch.Generator().manual_seed(MINE["seed"])
    alphabet = sorted(set(word))
    x = F.one_hot(torch.tensor([alphabet.index(letter) for letter in word])).double()
    W = torch.randn(18, len(alphabet), generator=random, dtype=torch.float64)
    U = torch.randn(18, 6, generator=random, dtype=torch.float64)
    b = torch.zeros(3, 6, dtype=torch.float64)
    b[1] = bias_by_logit(len(word), MINE["kept"])
    return x, W, U, b.flatten()


def mine_gates(x, W, U, b):
    """z of all steps."""
    zeros = torch.zeros_like(b)
    states, _ = gru_by_where(x[None], torch.tensor([len(x)]), W, U, b, zeros)
    before = torch.cat([zeros[None, :6], states[0, :-1]])
    return gates_by_slices(x, before, W, U, b, zeros)[1]


@right(MINE_TASK)
def mine_by_the_other_tasks():
    return mine_gates(*mine_given()).prod(0).mean().item()


@right(MINE_TASK)
def mine_step_by_step():
    x, W, U, b = mine_given()
    h, kept = torch.zeros(1, 6, dtype=torch.float64), 1
    for x_t in x[:, None]:
        kept = kept * gates_by_linear(x_t, h, W, U, b, b * 0)[1]
        h = step_by_lerp(x_t, h, W, U, b, b * 0)
    return float(kept.sum() / 6)


@right(MINE_TASK)
def mine_in_logarithms():
    z = mine_gates(*mine_given()).log().sum(0).tolist()
    return sum(map(math.exp, z)) / len(z)


@wrong(MINE_TASK, "столько заказано")
def mine_as_ordered():
    return MINE["kept"]


@wrong(MINE_TASK, "у вас наоборот")
def mine_of_means():
    return math.prod(mine_gates(*mine_given()).mean(1).tolist())


@wrong(MINE_TASK, "треть сброса")
def mine_with_the_bias_of_the_reset_gate():
    x, W, U, b = mine_given()
    return mine_gates(x, W, U, b.roll(-6)).prod(0).mean().item()
