"""Solutions of the assignment «Внимание» as students write them: right ones and wrong ones.

A wrong one stands with the words of the hint that it must meet.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from coursekit import attention, seq2seq
from coursekit.tasks import attention as tasks
from coursekit.variants import common

MINE = common(tasks.MINE)
MINE_TASK = tasks.mine(**MINE)
RIGHT = []
WRONG = []


def right(task):
    return lambda function: RIGHT.append((task, function)) or function


def wrong(task, hint):
    return lambda function: WRONG.append((task, hint, function)) or function


@right(tasks.SCORES)
def scores_by_einsum(q, k):
    return torch.einsum("buh,bth->but", q, k) / q.shape[-1] ** 0.5


@right(tasks.SCORES)
def scores_of_scaled_queries(q, k):
    return torch.bmm(q * k.size(2) ** -0.5, k.transpose(1, 2))


@right(tasks.SCORES)
def scores_by_broadcasting(q, k):
    return (q.unsqueeze(2) * k.unsqueeze(1)).sum(dim=-1) / math.sqrt(k.shape[2])


@wrong(tasks.SCORES, "потерян корень")
def scores_without_the_root(q, k):
    return q @ k.transpose(1, 2)


@wrong(tasks.SCORES, "а не H")
def scores_divided_by_the_size(q, k):
    return q @ k.transpose(1, 2) / q.size(-1)


@wrong(tasks.SCORES, "число мест T")
def scores_with_the_root_of_the_length(q, k):
    return q @ k.transpose(1, 2) / math.sqrt(k.size(1))


@wrong(tasks.SCORES, "остановилась с ошибкой")
def scores_with_the_axes_of_numpy(q, k):
    return q @ k.T / math.sqrt(q.size(-1))


@wrong(tasks.SCORES, "формы")
def scores_of_keys_against_queries(q, k):
    return k @ q.transpose(1, 2) / math.sqrt(q.size(-1))


@wrong(tasks.SCORES, "softmax берут потом")
def scores_already_weights(q, k):
    return F.softmax(scores_by_einsum(q, k), dim=-1)


@wrong(tasks.SCORES, "вызвано coursekit.attention")
def scores_of_the_package(q, k):
    return attention.scaled_dot(q, k)


@right(tasks.ADDITIVE)
def additive_by_linear(q, k, Wq, Wk, w):
    hidden = F.linear(q, Wq).unsqueeze(2) + F.linear(k, Wk).unsqueeze(1)
    return (hidden.tanh() * w).sum(-1)


@right(tasks.ADDITIVE)
def additive_by_loops(q, k, Wq, Wk, w):
    columns = []
    for t in range(k.shape[1]):
        key = k[:, t] @ Wk.T
        columns.append(torch.tanh(q @ Wq.T + key[:, None]) @ w)
    return torch.stack(columns, dim=2)


@right(tasks.ADDITIVE)
def additive_of_glued_pairs(q, k, Wq, Wk, w):
    B, U, T = q.shape[0], q.shape[1], k.shape[1]
    pairs = torch.cat([q[:, :, None].expand(B, U, T, -1), k[:, None].expand(B, U, T, -1)], dim=-1)
    return torch.einsum("buth,h->but", torch.tanh(pairs @ torch.cat([Wq, Wk], 1).T), w)


@wrong(tasks.ADDITIVE, "потерян tanh")
def additive_linear_through(q, k, Wq, Wk, w):
    return ((q @ Wq.T)[:, :, None] + (k @ Wk.T)[:, None]) @ w


@wrong(tasks.ADDITIVE, "до умножения на w")
def additive_with_tanh_outside(q, k, Wq, Wk, w):
    return torch.tanh(additive_linear_through(q, k, Wq, Wk, w))


@wrong(tasks.ADDITIVE, "матрицы перепутаны")
def additive_with_the_matrices_swapped(q, k, Wq, Wk, w):
    return additive_by_linear(q, k, Wk, Wq, w)


@wrong(tasks.ADDITIVE, "перемножают их мультипликативные")
def additive_that_multiplies(q, k, Wq, Wk, w):
    return torch.tanh((q @ Wq.T).unsqueeze(2) * (k @ Wk.T).unsqueeze(1)) @ w


@wrong(tasks.ADDITIVE, "остановилась с ошибкой RuntimeError")
def additive_without_new_axes(q, k, Wq, Wk, w):
    return torch.tanh(q @ Wq.T + k @ Wk.T) @ w


@wrong(tasks.ADDITIVE, "формы")
def additive_with_keys_first(q, k, Wq, Wk, w):
    return torch.tanh((k @ Wk.T)[:, :, None] + (q @ Wq.T)[:, None]) @ w


@right(tasks.WEIGHTS)
def weights_by_where(r, mask):
    closed = torch.where(mask.unsqueeze(1), r, torch.full_like(r, float("-inf")))
    return nn.Softmax(dim=2)(closed)


@right(tasks.WEIGHTS)
def weights_by_exp(r, mask):
    r = r.masked_fill(~mask[:, None, :], -1e9)
    e = torch.exp(r - r.max(dim=-1, keepdim=True).values)
    return e / e.sum(dim=-1, keepdim=True)


@right(tasks.WEIGHTS)
def weights_by_adding(r, mask):
    return torch.log_softmax(r + mask[:, None].to(r).log(), -1).exp()


@right(tasks.WEIGHTS)
def weights_masked_and_divided_again(r, mask):
    alpha = (r - r.max(-1, keepdim=True).values).exp() * mask[:, None]
    return alpha / alpha.sum(-1, keepdim=True)


@wrong(tasks.WEIGHTS, "softmax взят по запросам")
def weights_over_queries(r, mask):
    return r.masked_fill(~mask[:, None], -torch.inf).softmax(1)


@wrong(tasks.WEIGHTS, "по запросам и без маски")
def weights_over_queries_unmasked(r, mask):
    return torch.softmax(r, dim=1)


@wrong(tasks.WEIGHTS, "по строкам пакета")
def weights_over_rows(r, mask):
    return r.masked_fill(~mask[:, None], -torch.inf).softmax(0)


@wrong(tasks.WEIGHTS, "маска забыта")
def weights_unmasked(r, mask):
    return r.softmax(-1)


@wrong(tasks.WEIGHTS, "после softmax")
def weights_masked_too_late(r, mask):
    return r.softmax(-1).masked_fill(~mask[:, None], 0)


@wrong(tasks.WEIGHTS, "маска перевёрнута")
def weights_of_the_padding(r, mask):
    return r.masked_fill(mask[:, None], -torch.inf).softmax(-1)


@wrong(tasks.WEIGHTS, "e⁰ = 1")
def weights_of_zeros(r, mask):
    return (r * mask[:, None]).softmax(-1)


@wrong(tasks.WEIGHTS, "оценки бывают и меньше")
def weights_with_a_small_number(r, mask):
    return r.masked_fill(~mask[:, None], -100).softmax(-1)


@wrong(tasks.WEIGHTS, "exp большого числа")
def weights_that_overflow(r, mask):
    e = r.exp() * mask[:, None]
    return e / e.sum(-1, keepdim=True)


@wrong(tasks.WEIGHTS, "остановилась с ошибкой RuntimeError")
def weights_with_a_mask_that_lacks_an_axis(r, mask):
    return r.masked_fill(~mask, -torch.inf).softmax(-1)


@wrong(tasks.WEIGHTS, "изменила свой аргумент r")
def weights_in_place(r, mask):
    r.data[~mask[:, None].expand_as(r)] = -torch.inf
    return r.softmax(-1)


@wrong(tasks.WEIGHTS, "градиент по r")
def weights_with_a_constant_sum(r, mask):
    e = (r - r.max(-1, keepdim=True).values).exp() * mask[:, None]
    return e / e.sum(-1, keepdim=True).detach()


@right(tasks.ATTEND)
def attend_by_functions(q, k, v, mask):
    alpha = weights_by_where(scores_by_einsum(q, k), mask)
    return torch.bmm(alpha, v), alpha


@right(tasks.ATTEND)
def attend_by_einsum(q, k, v, mask):
    alpha = weights_by_exp(scores_of_scaled_queries(q, k), mask)
    return torch.einsum("but,btv->buv", alpha, v), alpha


@right(tasks.ATTEND)
def attend_row_by_row(q, k, v, mask):
    contexts, alphas = [], []
    for row, seen in enumerate(mask):
        r = q[row] @ k[row, seen].T / math.sqrt(q.shape[-1])
        alpha = F.pad(r.softmax(-1), (0, int((~seen).sum())))
        contexts.append(alpha @ v[row])
        alphas.append(alpha)
    return torch.stack(contexts), torch.stack(alphas)


@wrong(tasks.ATTEND, "смешаны ключи")
def attend_to_keys(q, k, v, mask):
    alpha = weights_by_exp(scores_by_einsum(q, k), mask)
    return alpha @ k, alpha


@wrong(tasks.ATTEND, "потерян корень")
def attend_without_the_root(q, k, v, mask):
    alpha = weights_by_exp(q @ k.mT, mask)
    return alpha @ v, alpha


@wrong(tasks.ATTEND, "маска забыта")
def attend_to_padding(q, k, v, mask):
    alpha = scores_by_einsum(q, k).softmax(-1)
    return alpha @ v, alpha


@wrong(tasks.ATTEND, "обнулила значения")
def attend_to_masked_values(q, k, v, mask):
    alpha = scores_by_einsum(q, k).softmax(-1)
    return alpha @ (v * mask.unsqueeze(-1)), alpha


@wrong(tasks.ATTEND, "ответ, часть 1, формы")
def attend_weights_first(q, k, v, mask):
    return attend_by_functions(q, k, v, mask)[::-1]


@wrong(tasks.ATTEND, "нужен кортеж из 2")
def attend_without_weights(q, k, v, mask):
    return attend_by_functions(q, k, v, mask)[0]


@wrong(tasks.ATTEND, "softmax забыт")
def attend_by_raw_scores(q, k, v, mask):
    r = scores_by_einsum(q, k).masked_fill(~mask[:, None], 0)
    return r @ v, r


@wrong(tasks.ATTEND, "вызвано scaled_dot_product_attention")
def attend_of_torch(q, k, v, mask):
    alpha = weights_by_exp(scores_by_einsum(q, k), mask)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None]), alpha


@right(tasks.DECODE)
def decode_by_attend(s, h, mask, B, b, A, a):
    v = h @ B.T + b
    c = attend_by_functions(s.unsqueeze(1), v, v, mask)[0].squeeze(1)
    return torch.tanh(torch.cat([s, c], dim=1) @ A.T + a)


@right(tasks.DECODE)
def decode_by_einsum(s, h, mask, B, b, A, a):
    v = F.linear(h, B, b)
    r = torch.einsum("bh,bth->bt", s, v) / len(b) ** 0.5
    alpha = r.masked_fill(~mask, -math.inf).softmax(-1)
    return F.linear(torch.hstack([s, torch.einsum("bt,bth->bh", alpha, v)]), A, a).tanh()


@right(tasks.DECODE)
def decode_without_gluing(s, h, mask, B, b, A, a):
    H = s.shape[1]
    v = torch.matmul(h, B.t()) + b
    alpha = weights_by_adding((v @ s[:, :, None]).mT / math.sqrt(H), mask)
    c = (alpha @ v)[:, 0]
    return torch.tanh(s @ A[:, :H].T + c @ A[:, H:].T + a)


@wrong(tasks.DECODE, "у вас [c; s]")
def decode_glued_the_other_way(s, h, mask, B, b, A, a):
    v = h @ B.T + b
    c = attend_by_functions(s[:, None], v, v, mask)[0][:, 0]
    return torch.tanh(torch.cat([c, s], dim=1) @ A.T + a)


@wrong(tasks.DECODE, "маска забыта")
def decode_that_sees_padding(s, h, mask, B, b, A, a):
    v = h @ B.T + b
    alpha = (v @ s[:, :, None] / math.sqrt(s.shape[1])).softmax(1)
    return torch.tanh(torch.cat([s, (alpha * v).sum(1)], dim=1) @ A.T + a)


@wrong(tasks.DECODE, "потерян корень")
def decode_without_the_root(s, h, mask, B, b, A, a):
    v = h @ B.T + b
    alpha = (v @ s[:, :, None])[:, :, 0].masked_fill(~mask, -math.inf).softmax(-1)
    return torch.tanh(torch.cat([s, (alpha[:, :, None] * v).sum(1)], dim=1) @ A.T + a)


@wrong(tasks.DECODE, "потерян tanh")
def decode_without_tanh(s, h, mask, B, b, A, a):
    v = h @ B.T + b
    c = attend_by_functions(s[:, None], v, v, mask)[0][:, 0]
    return torch.cat([s, c], dim=1) @ A.T + a


@wrong(tasks.DECODE, "последнего места")
def decode_through_the_last_output(s, h, mask, B, b, A, a):
    return torch.tanh(torch.cat([s, h[:, -1] @ B.T + b], dim=1) @ A.T + a)


@wrong(tasks.DECODE, "формы")
def decode_with_the_axis_left(s, h, mask, B, b, A, a):
    v = h @ B.T + b
    c, _ = attend_by_functions(s[:, None], v, v, mask)
    return torch.tanh(torch.cat([s[:, None], c], dim=-1) @ A.T + a)


@right(tasks.SHIFT)
def shift_by_pad(y, bos):
    return F.pad(y[:, :-1], (1, 0), value=bos)


@right(tasks.SHIFT)
def shift_by_roll(y, bos):
    x = torch.roll(y, shifts=1, dims=1)
    x[:, 0] = bos
    return x


@right(tasks.SHIFT)
def shift_by_lists(y, bos):
    return torch.tensor([[bos, *row[:-1]] for row in y.tolist()])


@wrong(tasks.SHIFT, "сдвига нет: декодировщик")
def shift_that_does_nothing(y, bos):
    return y


@wrong(tasks.SHIFT, "в другую сторону")
def shift_to_the_left(y, bos):
    return F.pad(y[:, 1:], (0, 1), value=bos)


@wrong(tasks.SHIFT, "переносит последний символ")
def shift_by_roll_alone(y, bos):
    return y.roll(1, dims=1)


@wrong(tasks.SHIFT, "поверх первого символа")
def shift_that_overwrites(y, bos):
    x = y.clone()
    x[:, 0] = bos
    return x


@wrong(tasks.SHIFT, "время — вторая ось")
def shift_of_rows(y, bos):
    return F.pad(y[:-1], (0, 0, 1, 0), value=bos)


@wrong(tasks.SHIFT, "формы")
def shift_that_lengthens(y, bos):
    return torch.cat([torch.full_like(y[:, :1], bos), y], dim=1)


@wrong(tasks.SHIFT, "изменила свой аргумент y")
def shift_in_place(y, bos):
    y[:, 1:] = y[:, :-1].clone()
    y[:, 0] = bos
    return y


@wrong(tasks.SHIFT, "вызвано coursekit.seq2seq")
def shift_of_the_package(y, bos):
    return seq2seq.shifted(y)


@right(tasks.SPREAD)
def spread_by_loop(alpha):
    entropy = 0.0
    for p in alpha.tolist():
        if p > 0:
            entropy -= p * math.log(p)
    return math.exp(entropy)


@right(tasks.SPREAD)
def spread_by_entr(alpha):
    return torch.special.entr(alpha).sum().exp().item()


@right(tasks.SPREAD)
def spread_by_bits(alpha):
    alpha = alpha[alpha > 0]
    return float(2 ** -(alpha * alpha.log2()).sum())


@right(tasks.SPREAD)
def spread_by_product(alpha):
    return math.prod(p**-p for p in alpha.tolist() if p)


@wrong(tasks.SPREAD, "это энтропия, а нужна")
def spread_as_entropy(alpha):
    return torch.special.entr(alpha).sum().item()


@wrong(tasks.SPREAD, "нулевые веса")
def spread_that_fears_zeros(alpha):
    return torch.exp(-(alpha * torch.log(alpha)).sum()).item()


@wrong(tasks.SPREAD, "потерян минус")
def spread_without_the_sign(alpha):
    return math.exp(torch.xlogy(alpha, alpha).sum().item())


@wrong(tasks.SPREAD, "нужен float")
def spread_as_a_tensor(alpha):
    return torch.special.entr(alpha).sum().exp()


@wrong(tasks.SPREAD, "разных оснований")
def spread_of_two_bases(alpha):
    return 2 ** spread_as_entropy(alpha)


@wrong(tasks.SPREAD, "тоже мера разброса")
def spread_by_squares(alpha):
    return 1 / (alpha**2).sum().item()


def mine_letters():
    """The vectors of the alphabet's letters, and the letter of each place."""
    phrase, random = MINE["phrase"], torch.Generator().manual_seed(MINE["seed"])
    alphabet = sorted(set(phrase))
    M = torch.randn(len(alphabet), MINE["size"], generator=random, dtype=torch.float64)
    return M, [alphabet.index(letter) for letter in phrase]


@right(MINE_TASK)
def mine_by_the_other_tasks():
    M, ids = mine_letters()
    k = M[ids][None]
    alpha = weights_by_where(scores_by_einsum(k, k), torch.ones(1, len(ids)).bool())
    return sum(spread_by_loop(row) for row in alpha[0]) / len(ids)


@right(MINE_TASK)
def mine_at_once():
    M, ids = mine_letters()
    alpha = (M[ids] @ M[ids].T / MINE["size"] ** 0.5).softmax(-1)
    return torch.special.entr(alpha).sum(-1).exp().mean().item()


@right(MINE_TASK)
def mine_by_letters_and_their_counts():
    M, ids = mine_letters()
    count = torch.bincount(torch.tensor(ids)).double()
    shares = (M @ M.T / math.sqrt(MINE["size"])).exp() * count
    shares = shares / shares.sum(1, keepdim=True)
    wide = torch.special.entr(shares / count).mul(count).sum(1).exp()
    return ((wide * count).sum() / count.sum()).item()


@wrong(MINE_TASK, "потерян корень")
def mine_without_the_root():
    M, ids = mine_letters()
    alpha = (M[ids] @ M[ids].T).softmax(-1)
    return torch.special.entr(alpha).sum(-1).exp().mean().item()


@wrong(MINE_TASK, "места, а не буквы")
def mine_over_the_alphabet():
    M, ids = mine_letters()
    alpha = (M[ids] @ M.T / MINE["size"] ** 0.5).softmax(-1)
    return torch.special.entr(alpha).sum(-1).exp().mean().item()


@wrong(MINE_TASK, "усреднена энтропия")
def mine_of_the_mean_entropy():
    M, ids = mine_letters()
    alpha = (M[ids] @ M[ids].T / MINE["size"] ** 0.5).softmax(-1)
    return torch.special.entr(alpha).sum(-1).mean().exp().item()
