"""Solutions of the assignment «Языковая модель и выборка» as students write them, right and wrong.

A wrong one stands with the words of the hint that it must meet.
"""

import math
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from coursekit import datasets
from coursekit.generation import distribution
from coursekit.losses import cross_entropy
from coursekit.metrics import perplexity
from coursekit.tasks import lm as tasks
from coursekit.variants import common

MINE = common(tasks.MINE)
MINE_TASK = tasks.mine(**MINE)
RIGHT = []
WRONG = []


def right(task):
    return lambda function: RIGHT.append((task, function)) or function


def wrong(task, hint):
    return lambda function: WRONG.append((task, hint, function)) or function


@right(tasks.PERPLEXITY)
def perplexity_by_loop(losses, counts):
    total, tokens = 0, 0
    for loss, count in zip(losses, counts, strict=True):
        total += loss * count
        tokens += count
    return math.exp(total / tokens)


@right(tasks.PERPLEXITY)
def perplexity_by_numpy(losses, counts):
    return np.exp(np.average(losses, weights=counts))


@right(tasks.PERPLEXITY)
def perplexity_as_a_product(losses, counts):
    result = 1.0
    for loss, count in zip(losses, counts, strict=True):
        result *= math.exp(loss) ** (count / sum(counts))
    return result


@right(tasks.PERPLEXITY)
def perplexity_by_torch(losses, counts):
    losses, counts = torch.tensor(losses, dtype=torch.float64), torch.tensor(counts)
    return ((losses * counts).sum() / counts.sum()).exp().item()


@wrong(tasks.PERPLEXITY, "это среднее экспонент, а нужна экспонента среднего")
def perplexity_of_the_usual_notebook(losses, counts):
    return float(np.mean([math.exp(loss) for loss in losses]))


@wrong(tasks.PERPLEXITY, "хоть и взвешенное")
def perplexity_as_a_weighted_mean_of_exponents(losses, counts):
    return float(np.average(np.exp(losses), weights=counts))


@wrong(tasks.PERPLEXITY, "весят не поровну")
def perplexity_of_equal_batches(losses, counts):
    return math.exp(np.mean(losses))


@wrong(tasks.PERPLEXITY, "в losses уже средние")
def perplexity_of_means_taken_for_sums(losses, counts):
    return math.exp(sum(losses) / sum(counts))


@wrong(tasks.PERPLEXITY, "экспонента, а не степень двойки")
def perplexity_with_two(losses, counts):
    return 2 ** np.average(losses, weights=counts)


@wrong(tasks.PERPLEXITY, "это средние потери")
def perplexity_without_the_exponent(losses, counts):
    return float(np.average(losses, weights=counts))


@wrong(tasks.PERPLEXITY, "знак: потери уже с минусом")
def perplexity_with_one_minus_too_many(losses, counts):
    return math.exp(-np.average(losses, weights=counts))


@wrong(tasks.PERPLEXITY, "нужен float")
def perplexity_as_a_tensor(losses, counts):
    return torch.tensor(perplexity_by_loop(losses, counts))


@wrong(tasks.PERPLEXITY, "вызвано coursekit.metrics")
def perplexity_of_the_package(losses, counts):
    return perplexity(sum(x * n for x, n in zip(losses, counts, strict=True)), sum(counts))


@right(tasks.MASKED_LOSS)
def masked_by_multiplying(logits, targets):
    mask = (targets != -100).to(logits.dtype)
    wanted = targets.masked_fill(targets == -100, 0)
    said = F.log_softmax(logits, dim=2).gather(2, wanted[..., None])[..., 0]
    return -(said * mask).sum() / mask.sum()


@right(tasks.MASKED_LOSS)
def masked_by_logsumexp(logits, targets):
    logits, targets = logits.flatten(0, 1), targets.flatten()
    logits, targets = logits[targets >= 0], targets[targets >= 0]
    return (logits.logsumexp(1) - logits[range(len(targets)), targets]).mean()


@right(tasks.MASKED_LOSS)
def masked_by_loop(logits, targets):
    total, count = 0, 0
    for row in range(targets.shape[0]):
        for t in range(targets.shape[1]):
            if targets[row, t] != -100:
                total = total - torch.log_softmax(logits[row, t], 0)[targets[row, t]]
                count += 1
    return total / count


@right(tasks.MASKED_LOSS)
def masked_by_one_hot(logits, targets):
    real = targets != -100
    wanted = F.one_hot(targets * real, logits.shape[-1]) * real[..., None]
    return -(wanted * logits.log_softmax(-1)).sum() / wanted.sum()


@wrong(tasks.MASKED_LOSS, "поделена на b · t вместе с дополнением")
def masked_but_divided_by_all(logits, targets):
    mask = targets != -100
    said = logits.log_softmax(-1).gather(-1, (targets * mask)[..., None])[..., 0]
    return -(said * mask).mean()


@wrong(tasks.MASKED_LOSS, "в потери попало дополнение")
def masked_not_at_all(logits, targets):
    return -logits.log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None]).mean()


@wrong(tasks.MASKED_LOSS, "softmax взят по времени")
def masked_with_softmax_over_time(logits, targets):
    mask = targets != -100
    said = F.log_softmax(logits, dim=1).gather(-1, (targets * mask)[..., None])[..., 0]
    return -(said * mask).sum() / mask.sum()


@wrong(tasks.MASKED_LOSS, "softmax взят по строкам пакета")
def masked_with_softmax_over_the_batch(logits, targets):
    mask = targets != -100
    said = F.log_softmax(logits, dim=0).gather(-1, (targets * mask)[..., None])[..., 0]
    return -(said * mask).sum() / mask.sum()


@wrong(tasks.MASKED_LOSS, "короткая строка весит как длинная")
def masked_row_by_row(logits, targets):
    return torch.stack(
        [masked_by_logsumexp(x[None], y[None]) for x, y in zip(logits, targets, strict=True)]
    ).mean()


@wrong(tasks.MASKED_LOSS, "самоуверенная модель: вероятность округлилась до нуля")
def masked_with_log_of_softmax(logits, targets):
    real = targets != -100
    p = torch.softmax(logits[real], dim=-1)
    return -torch.log(p[torch.arange(len(p)), targets[real]]).mean()


@wrong(tasks.MASKED_LOSS, "нужно среднее")
def masked_sum(logits, targets):
    return masked_by_multiplying(logits, targets) * (targets != -100).sum()


@wrong(tasks.MASKED_LOSS, "знак: удивление")
def masked_without_the_minus(logits, targets):
    return -masked_by_multiplying(logits, targets)


@wrong(tasks.MASKED_LOSS, "это биты")
def masked_in_bits(logits, targets):
    p = F.softmax(logits[targets != -100], dim=-1)
    return -torch.log2(p[torch.arange(len(p)), targets[targets != -100]]).mean()


@wrong(tasks.MASKED_LOSS, "логарифм потерян")
def masked_without_the_logarithm(logits, targets):
    p = F.softmax(logits[targets != -100], dim=-1)
    return -p[torch.arange(len(p)), targets[targets != -100]].mean()


@wrong(tasks.MASKED_LOSS, "логиты — ещё не логарифмы")
def masked_without_softmax(logits, targets):
    logits, targets = logits[targets != -100], targets[targets != -100]
    return -logits[torch.arange(len(logits)), targets].mean()


@wrong(tasks.MASKED_LOSS, "формы (")
def masked_without_reduction(logits, targets):
    wanted = targets.clamp(min=0)[..., None]
    return -logits.log_softmax(-1).gather(-1, wanted)[..., 0] * (targets != -100)


@wrong(tasks.MASKED_LOSS, "остановилась с ошибкой RuntimeError")
def masked_by_an_index_of_minus_a_hundred(logits, targets):
    return -logits.log_softmax(-1).gather(-1, targets[..., None]).mean()


@wrong(tasks.MASKED_LOSS, "вызвано cross_entropy_loss")
def masked_by_torch(logits, targets):
    return nn.CrossEntropyLoss()(logits.transpose(1, 2), targets)


@wrong(tasks.MASKED_LOSS, "вызвано nll_loss_nd")
def masked_by_nll(logits, targets):
    return F.nll_loss(logits.log_softmax(-1).flatten(0, 1), targets.flatten())


@wrong(tasks.MASKED_LOSS, "вызвано coursekit.losses")
def masked_by_the_package(logits, targets):
    return cross_entropy(logits, targets)[0] / (targets != -100).sum()


@wrong(tasks.MASKED_LOSS, "градиент по logits")
def masked_loss_for_the_log(logits, targets):
    return torch.tensor(masked_by_loop(logits, targets).item(), dtype=logits.dtype)


@wrong(tasks.MASKED_LOSS, "похоже на цикл по словарю")
def masked_by_a_loop_over_the_vocabulary(logits, targets):
    total = sum((logits[..., v] - logits.amax(-1)).exp() for v in range(logits.shape[-1]))
    real = targets != -100
    own = logits.gather(-1, targets.clamp(min=0)[..., None])[..., 0] - logits.amax(-1)
    return (total.log() - own)[real].mean()


@right(tasks.STREAMS)
def streams_by_reshape(ids, rows):
    L = (len(ids) - 1) // rows
    return ids[: rows * L].reshape(rows, L), ids[1 : rows * L + 1].reshape(rows, L)


@right(tasks.STREAMS)
def streams_by_loop(ids, rows):
    L = (ids.numel() - 1) // rows
    x = [ids[r * L : r * L + L] for r in range(rows)]
    y = [ids[r * L + 1 : r * L + L + 1] for r in range(rows)]
    return torch.stack(x), torch.stack(y)


@right(tasks.STREAMS)
def streams_by_index(ids, rows):
    L = (len(ids) - 1) // rows
    place = torch.arange(rows)[:, None] * L + torch.arange(L)
    return ids[place], ids[place + 1]


@right(tasks.STREAMS)
def streams_by_unfold(ids, rows):
    L = (len(ids) - 1) // rows
    windows = ids.unfold(0, L + 1, L)[:rows]
    return windows[:, :-1], windows[:, 1:]


@wrong(tasks.STREAMS, "сдвигает по кругу torch.roll")
def streams_rolled(ids, rows):
    L = (len(ids) - 1) // rows
    x = ids[: rows * L].view(rows, L)
    return x, torch.roll(x, -1, dims=1)


@wrong(tasks.STREAMS, "текст лёг по столбцам")
def streams_down_the_columns(ids, rows):
    L = (len(ids) - 1) // rows
    return ids[: rows * L].view(L, rows).T, ids[1 : rows * L + 1].view(L, rows).T


@wrong(tasks.STREAMS, "часть 1, формы")
def streams_time_first(ids, rows):
    x, y = streams_by_index(ids, rows)
    return x.T, y.T


@wrong(tasks.STREAMS, "цели совпали с входами")
def streams_without_a_shift(ids, rows):
    x, _ = streams_by_index(ids, rows)
    return x, x.clone()


@wrong(tasks.STREAMS, "цели и входы перепутаны")
def streams_of_the_past(ids, rows):
    x, y = streams_by_index(ids, rows)
    return y, x


@wrong(tasks.STREAMS, "с лишним хвостом")
def streams_that_count_the_last_token_as_an_input(ids, rows):
    L = len(ids) // rows
    return ids[: rows * L].view(rows, L), ids[1 : rows * L + 1].view(rows, L)


@wrong(tasks.STREAMS, "отброшено начало текста")
def streams_of_the_end(ids, rows):
    L = (len(ids) - 1) // rows
    return ids[-1 - rows * L : -1].view(rows, L), ids[-rows * L :].view(rows, L)


def start(weights, rows):
    M, U, Q = (weights[name].clone().requires_grad_() for name in ("M", "U", "Q"))
    return M, U, Q, torch.zeros(rows, U.shape[0], dtype=U.dtype)


@right(tasks.TRUNCATED_GRADIENT)
def truncated_with_backward(inputs, targets, weights, length):
    M, U, Q, h = start(weights, len(inputs))
    for begin in range(0, inputs.shape[1], length):
        h, loss = h.detach(), 0
        for t in range(begin, min(begin + length, inputs.shape[1])):
            h = torch.tanh(M[inputs[:, t]] + h @ U.T)
            loss = loss + F.cross_entropy(h @ Q.T, targets[:, t], reduction="sum")
        loss.backward()
    return U.grad


@right(tasks.TRUNCATED_GRADIENT)
def truncated_with_one_backward(inputs, targets, weights, length):
    M, U, Q, h = start(weights, len(inputs))
    logits = []
    for t in range(inputs.shape[1]):
        if t % length == 0:
            h = h.detach()
        h = torch.tanh(F.linear(h, U) + F.embedding(inputs[:, t], M))
        logits.append(h @ Q.mT)
    nn.CrossEntropyLoss(reduction="sum")(torch.stack(logits, 2), targets).backward()
    return U.grad


@right(tasks.TRUNCATED_GRADIENT)
def truncated_by_splitting(inputs, targets, weights, length):
    M, U, Q, h = start(weights, len(inputs))
    total = torch.zeros_like(U)
    for x, y in zip(inputs.split(length, 1), targets.split(length, 1), strict=True):
        h = h.data
        loss = 0
        for x_t, y_t in zip(x.T, y.T, strict=True):
            h = (M[x_t] + h @ U.T).tanh()
            loss -= (h @ Q.T).log_softmax(1).gather(1, y_t[:, None]).sum()
        total += torch.autograd.grad(loss, U)[0]
    return total


@right(tasks.TRUNCATED_GRADIENT)
def truncated_by_hand(inputs, targets, weights, length):
    M, U, Q = (weights[name] for name in "MUQ")
    T = inputs.shape[1]
    states = [torch.zeros(len(inputs), len(U), dtype=U.dtype)]
    for t in range(T):
        states.append(torch.tanh(M[inputs[:, t]] + states[-1] @ U.T))
    found, ahead = torch.zeros_like(U), torch.zeros_like(states[0])
    for t in reversed(range(T)):
        if (t + 1) % length == 0:
            ahead = torch.zeros_like(ahead)
        error = (states[t + 1] @ Q.T).softmax(1) - F.one_hot(targets[:, t], len(Q))
        inside = (error @ Q + ahead) * (1 - states[t + 1] ** 2)
        found += inside.T @ states[t]
        ahead = inside @ U
    return found


def train(inputs, targets, weights, length, border=torch.detach, zero=False, reduction="sum"):
    M, U, Q, h = start(weights, len(inputs))
    for begin in range(0, inputs.shape[1], length):
        h = border(h)
        if zero:
            U.grad = None
        states = []
        for t in range(begin, min(begin + length, inputs.shape[1])):
            h = torch.tanh(M[inputs[:, t]] + h @ U.T)
            states.append(h)
        logits = torch.stack(states, 1) @ Q.T
        wanted = targets[:, begin : begin + length]
        loss = F.cross_entropy(logits.transpose(1, 2), wanted, reduction=reduction)
        loss.backward(retain_graph=True)
    return U.grad


@wrong(tasks.TRUNCATED_GRADIENT, "состояние не отрезано")
def truncated_nowhere(inputs, targets, weights, length):
    return train(inputs, targets, weights, length, border=lambda h: h)


@wrong(tasks.TRUNCATED_GRADIENT, "остановилась с ошибкой RuntimeError: Trying to backward")
def truncated_nowhere_and_freed(inputs, targets, weights, length):
    M, U, Q, h = start(weights, len(inputs))
    for begin in range(0, inputs.shape[1], length):
        loss = 0
        for t in range(begin, min(begin + length, inputs.shape[1])):
            h = torch.tanh(M[inputs[:, t]] + h @ U.T)
            loss = loss + F.cross_entropy(h @ Q.T, targets[:, t], reduction="sum")
        loss.backward()
    return U.grad


@wrong(tasks.TRUNCATED_GRADIENT, "каждое окно начато с нулей")
def truncated_with_a_new_state_each_window(inputs, targets, weights, length):
    return train(inputs, targets, weights, length, border=lambda h: h.new_zeros(h.shape))


@wrong(tasks.TRUNCATED_GRADIENT, "одного последнего окна")
def truncated_with_zero_grad_inside(inputs, targets, weights, length):
    return train(inputs, targets, weights, length, zero=True)


@wrong(tasks.TRUNCATED_GRADIENT, "одного первого окна")
def truncated_with_return_inside_the_loop(inputs, targets, weights, length):
    return train(inputs[:, :length], targets[:, :length], weights, length)


@wrong(tasks.TRUNCATED_GRADIENT, "потери окна складывают")
def truncated_with_means(inputs, targets, weights, length):
    return train(inputs, targets, weights, length, reduction="mean")


@wrong(tasks.TRUNCATED_GRADIENT, "последнее окно короче прочих")
def truncated_without_the_odd_end(inputs, targets, weights, length):
    T = max(inputs.shape[1] // length, 1) * length
    return train(inputs[:, :T], targets[:, :T], weights, length)


@wrong(tasks.TRUNCATED_GRADIENT, "отрезано на каждом шаге")
def truncated_at_each_step(inputs, targets, weights, length):
    M, U, Q, h = start(weights, len(inputs))
    for t in range(inputs.shape[1]):
        h = torch.tanh(M[inputs[:, t]] + h.detach() @ U.T)
        F.cross_entropy(h @ Q.T, targets[:, t], reduction="sum").backward()
    return U.grad


@wrong(tasks.TRUNCATED_GRADIENT, "матрица u транспонирована")
def truncated_with_the_matrix_as_it_lies(inputs, targets, weights, length):
    M, U, Q, h = start(weights, len(inputs))
    loss = 0
    for t in range(inputs.shape[1]):
        h = torch.tanh(M[inputs[:, t]] + (h.detach() if t % length == 0 else h) @ U)
        loss = loss + F.cross_entropy(h @ Q.T, targets[:, t], reduction="sum")
    return torch.autograd.grad(loss, U)[0]


@right(tasks.TOP_K)
def top_k_by_threshold(logits, temperature, k):
    logits = logits / temperature
    least = logits.topk(min(k, logits.shape[1])).values[:, -1:]
    return logits.masked_fill(logits < least, float("-inf")).softmax(1)


@right(tasks.TOP_K)
def top_k_by_renormalizing(logits, temperature, k):
    p = F.softmax(logits / temperature, dim=-1)
    best = torch.zeros_like(p, dtype=torch.bool)
    best.scatter_(1, p.argsort(dim=1, descending=True)[:, :k], True)
    p = p * best
    return p / p.sum(1, keepdim=True)


@right(tasks.TOP_K)
def top_k_row_by_row(logits, temperature, k):
    rows = []
    for row in logits:
        best, where = row.topk(min(k, len(row)))
        weights = torch.exp((best - best.max()) / temperature)
        rows.append(torch.zeros_like(row).index_add(0, where, weights / weights.sum()))
    return torch.stack(rows)


@wrong(tasks.TOP_K, "похоже на цикл по словарю")
def top_k_word_by_word(logits, temperature, k):
    least = logits.topk(min(k, logits.shape[1])).values[:, -1]
    kept = [
        torch.where(logits[:, v] >= least, logits[:, v], -torch.inf) for v in range(logits.shape[1])
    ]
    return (torch.stack(kept, 1) / temperature).softmax(-1)


@wrong(tasks.TOP_K, "из k лучших выбор поровну")
def top_k_equal(logits, temperature, k):
    k = min(k, logits.shape[1])
    return torch.zeros_like(logits).scatter(1, logits.topk(k).indices, 1 / k)


@wrong(tasks.TOP_K, "меньше единицы")
def top_k_without_renormalizing(logits, temperature, k):
    p = (logits / temperature).softmax(-1)
    order = p.argsort(-1, descending=True)
    return p.scatter(-1, order[:, k:], 0)


@wrong(tasks.TOP_K, "обрезанным логитам поставлен 0")
def top_k_with_zeros_for_logits(logits, temperature, k):
    order = logits.argsort(-1, descending=True)
    return (logits.scatter(-1, order[:, k:], 0) / temperature).softmax(-1)


@wrong(tasks.TOP_K, "τ = 0,5: на температуру логиты делят")
def top_k_multiplied_by_temperature(logits, temperature, k):
    return top_k_by_threshold(logits * temperature, 1, k)


@wrong(tasks.TOP_K, "температура не участвует")
def top_k_without_temperature(logits, temperature, k):
    return top_k_by_threshold(logits, 1, k)


@wrong(tasks.TOP_K, "вероятности делить поздно")
def top_k_with_probabilities_divided(logits, temperature, k):
    return top_k_by_threshold(logits, 1, k) / temperature


@wrong(tasks.TOP_K, "оставлены наименее вероятные")
def top_k_from_the_wrong_end(logits, temperature, k):
    cut = logits.scatter(-1, logits.sort(-1).indices[:, k:], -torch.inf)
    return (cut / temperature).softmax(-1)


@wrong(tasks.TOP_K, "softmax взят дважды")
def top_k_of_probabilities(logits, temperature, k):
    p = logits.softmax(-1)
    order = p.argsort(-1, descending=True)
    return (p.scatter(-1, order[:, k:], -torch.inf) / temperature).softmax(-1)


@wrong(tasks.TOP_K, "softmax взят по строкам пакета")
def top_k_over_the_batch(logits, temperature, k):
    order = logits.argsort(-1, descending=True)
    cut = logits.scatter(-1, order[:, k:], -torch.inf)
    return F.softmax(cut / temperature, dim=0)


@wrong(tasks.TOP_K, "k больше словаря: функция остановилась с ошибкой RuntimeError")
def top_k_of_few_tokens(logits, temperature, k):
    best, where = logits.topk(k)
    p = (best / temperature).softmax(-1)
    return torch.zeros_like(logits).scatter(-1, where, p)


@wrong(tasks.TOP_K, "большие логиты: экспонента")
def top_k_by_exponents(logits, temperature, k):
    order = logits.argsort(-1, descending=True)
    weights = torch.exp(logits / temperature).scatter(-1, order[:, k:], 0)
    return weights / weights.sum(-1, keepdim=True)


@wrong(tasks.TOP_K, "изменила свой аргумент logits")
def top_k_in_place(logits, temperature, k):
    with torch.no_grad():
        logits /= temperature
    return top_k_by_threshold(logits, 1, k)


@wrong(tasks.TOP_K, "формы")
def top_k_alone(logits, temperature, k):
    return (logits.topk(min(k, logits.shape[1])).values / temperature).softmax(-1)


@wrong(tasks.TOP_K, "вызвано coursekit.generation")
def top_k_of_the_package(logits, temperature, k):
    return distribution(logits, temperature, top_k=k)


@right(tasks.TOP_P)
def top_p_by_where(p, mass):
    ordered, order = torch.sort(p, dim=1, descending=True)
    before = torch.cat([torch.zeros_like(p[:, :1]), ordered.cumsum(1)[:, :-1]], 1)
    ordered = ordered * (before < mass)
    found = torch.zeros_like(p).scatter(1, order, ordered)
    return found / found.sum(1, keepdim=True)


@wrong(tasks.TOP_P, "похоже на цикл по словарю")
def top_p_by_loop(p, mass):
    rows = []
    for row in p:
        total, kept = 0, []
        for i in row.argsort(descending=True).tolist():
            if total >= mass:
                break
            kept.append(i)
            total += row[i].item()
        chosen = torch.zeros_like(row)
        chosen[kept] = row[kept]
        rows.append(chosen / chosen.sum())
    return torch.stack(rows)


@right(tasks.TOP_P)
def top_p_by_ranks(p, mass):
    ordered, order = p.detach().sort(descending=True)
    count = (ordered.cumsum(-1) < mass).sum(-1, keepdim=True) + 1
    rank = order.argsort(-1)
    kept = p.masked_fill(rank >= count, 0)
    return kept / kept.sum(-1, keepdim=True)


@right(tasks.TOP_P)
def top_p_by_pairs(p, mass):
    # The sum of all likelier tokens, without sorting.
    likelier = (p[:, None, :] > p[:, :, None]).to(p.dtype)
    before = (likelier * p[:, None, :]).sum(-1)
    kept = torch.where(before < mass, p, torch.zeros_like(p))
    return kept / kept.sum(-1, keepdim=True)


@wrong(tasks.TOP_P, "потерян токен, на котором сумма достигла")
def top_p_without_the_one_that_reaches(p, mass):
    ordered, order = p.sort(-1, descending=True)
    kept = ordered.masked_fill(ordered.cumsum(-1) > mass, 0)
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, kept)


@wrong(tasks.TOP_P, "меньше единицы")
def top_p_without_renormalizing(p, mass):
    ordered, order = p.sort(-1, descending=True)
    ordered = ordered * (ordered.cumsum(-1) - ordered < mass)
    return torch.zeros_like(p).scatter(-1, order, ordered)


@wrong(tasks.TOP_P, "в порядке номеров")
def top_p_without_sorting(p, mass):
    kept = p * (p.cumsum(-1) - p < mass)
    return kept / kept.sum(-1, keepdim=True)


@wrong(tasks.TOP_P, "остались отсортированными")
def top_p_left_sorted(p, mass):
    ordered = p.sort(-1, descending=True).values
    kept = ordered * (ordered.cumsum(-1) - ordered < mass)
    return kept / kept.sum(-1, keepdim=True)


@wrong(tasks.TOP_P, "по возрастанию")
def top_p_from_the_wrong_end(p, mass):
    ordered, order = p.sort(-1)
    kept = ordered * (ordered.cumsum(-1) - ordered < mass)
    return torch.zeros_like(p).scatter(-1, order, kept / kept.sum(-1, keepdim=True))


@wrong(tasks.TOP_P, "mass сравнивают с накопленной суммой")
def top_p_as_a_threshold(p, mass):
    kept = torch.where(p >= mass, p, 0)
    return kept / kept.sum(-1, keepdim=True)


@wrong(tasks.TOP_P, "оставлен лишний токен")
def top_p_with_one_more(p, mass):
    ordered, order = p.sort(-1, descending=True)
    count = (ordered.cumsum(-1) < mass).sum(-1, keepdim=True) + 2
    kept = ordered * (torch.arange(p.shape[-1]) < count)
    return torch.zeros_like(p).scatter(-1, order, kept / kept.sum(-1, keepdim=True))


@wrong(tasks.TOP_P, "из оставшихся выбор поровну")
def top_p_equal(p, mass):
    kept = (top_p_by_where(p, mass) > 0).to(p.dtype)
    return kept / kept.sum(-1, keepdim=True)


@right(tasks.WRITE)
def write_in_two_loops(step, state, prompt, length):
    for token in prompt:
        logits, state = step(token, state)
    text = [*prompt]
    for _ in range(length):
        token = logits.argmax().item()
        text.append(token)
        logits, state = step(token, state)
    return text


@right(tasks.WRITE)
def write_in_one_loop(step, state, prompt, length):
    text, place = list(prompt), 0
    while len(text) < len(prompt) + length:
        logits, state = step(text[place], state)
        place += 1
        if place == len(text):
            text.append(int(torch.argmax(logits)))
    return text


@right(tasks.WRITE)
def write_with_recursion(step, state, prompt, length):
    def after(logits, state, left):
        if left == 0:
            return []
        token = max(range(len(logits)), key=lambda i: logits[i].item())
        return [token, *after(*step(token, state), left - 1)]

    logits = None
    for token in prompt:
        logits, state = step(token, state)
    return [*prompt, *after(logits, state, length)]


@wrong(tasks.WRITE, "прочла только последний токен")
def write_warmed_by_one_token(step, state, prompt, length):
    text = list(prompt)
    for _ in range(length):
        logits, state = step(text[-1], state)
        text.append(logits.argmax().item())
    return text


@wrong(tasks.WRITE, "только первый токен")
def write_warmed_by_the_first_token(step, state, prompt, length):
    text = list(prompt)
    logits, state = step(text[0], state)
    for _ in range(length):
        text.append(logits.argmax().item())
        logits, state = step(text[-1], state)
    return text


@wrong(tasks.WRITE, "последний токен начала не прочитан")
def write_warmed_by_all_but_one(step, state, prompt, length):
    return prompt + write_in_two_loops(step, state, prompt[:-1], length)[len(prompt) - 1 :]


@wrong(tasks.WRITE, "задом наперёд")
def write_warmed_backwards(step, state, prompt, length):
    text = write_in_two_loops(step, state, prompt[::-1], length)
    return prompt + text[len(prompt) :]


@wrong(tasks.WRITE, "самый невероятный")
def write_the_unlikeliest(step, state, prompt, length):
    def other(token, state):
        logits, state = step(token, state)
        return -logits, state

    return write_in_two_loops(other, state, prompt, length)


@wrong(tasks.WRITE, "прочитан дважды")
def write_that_reads_the_last_token_twice(step, state, prompt, length):
    text = list(prompt)
    for token in text:
        _, state = step(token, state)
    for _ in range(length):
        logits, state = step(text[-1], state)
        text.append(logits.argmax().item())
    return text


@wrong(tasks.WRITE, "состояние не обновляется")
def write_that_loses_the_state(step, state, prompt, length):
    text = list(prompt)
    for token in text[:-1]:
        _, state = step(token, state)
    for _ in range(length):
        logits, _ = step(text[-1], state)
        text.append(logits.argmax().item())
    return text


@wrong(tasks.WRITE, "а не перечитывайте текст сначала")
def write_that_reads_all_anew(step, state, prompt, length):
    text = list(prompt)
    for _ in range(length):
        now = state
        for token in text:
            logits, now = step(token, now)
        text.append(logits.argmax().item())
    return text


@wrong(tasks.WRITE, "нужен список из")
def write_the_end_alone(step, state, prompt, length):
    return write_in_two_loops(step, state, prompt, length)[len(prompt) :]


@wrong(tasks.WRITE, "нужен int")
def write_tensors(step, state, prompt, length):
    for token in prompt:
        logits, state = step(token, state)
    text = list(prompt)
    for _ in range(length):
        text.append(logits.argmax())
        logits, state = step(text[-1], state)
    return text


@wrong(tasks.WRITE, "изменила свой аргумент prompt")
def write_into_the_prompt(step, state, prompt, length):
    for token in prompt:
        logits, state = step(token, state)
    for _ in range(length):
        prompt.append(logits.argmax().item())
        logits, state = step(prompt[-1], state)
    return prompt


def mine_texts():
    works = datasets.load_zarechinsk()
    return [w.text for w in works if w.rubric == MINE["rubric"] and w.split == "train"]


def mine_losses(tau):
    count = Counter()
    for text in mine_texts():
        count.update(pairwise(text))
    symbols = sorted(set("".join(mine_texts())))
    said = MINE["saying"]
    losses = []
    for a, b in pairwise(said):
        logits = torch.tensor([1 + count[a, c] for c in symbols], dtype=torch.float64).log()
        losses.append(-(logits / tau).log_softmax(0)[symbols.index(b)].item())
    return losses


@right(MINE_TASK)
def mine_by_losses():
    losses = mine_losses(MINE["tau"])
    return perplexity_by_loop(losses, [1] * len(losses))


@right(MINE_TASK)
def mine_by_powers():
    after, symbols = defaultdict(Counter), set()
    for text in mine_texts():
        symbols |= set(text)
        for place in range(1, len(text)):
            after[text[place - 1]][text[place]] += 1
    product = 1.0
    for a, b in pairwise(MINE["saying"]):
        powers = {c: (1 + after[a][c]) ** (1 / MINE["tau"]) for c in symbols}
        product *= sum(powers.values()) / powers[b]
    return product ** (1 / (len(MINE["saying"]) - 1))


@right(MINE_TASK)
def mine_by_a_matrix():
    texts, said = mine_texts(), MINE["saying"]
    symbols = sorted(set("".join(texts)))
    number = {symbol: place for place, symbol in enumerate(symbols)}
    counts = torch.ones(len(symbols), len(symbols), dtype=torch.float64)
    for text in texts:
        ids = torch.tensor([number[symbol] for symbol in text])
        one = torch.ones(len(ids) - 1, dtype=torch.float64)
        counts.index_put_((ids[:-1], ids[1:]), one, accumulate=True)
    p = top_k_by_threshold(counts.log(), MINE["tau"], len(symbols))
    ids = [number[symbol] for symbol in said]
    return (-p[ids[:-1], ids[1:]].log().mean()).exp().item()


@wrong(MINE_TASK, "логиты не поделены на tau")
def mine_without_temperature():
    losses = mine_losses(1)
    return math.exp(sum(losses) / len(losses))


@wrong(MINE_TASK, "слагаемых на одно меньше")
def mine_by_all_characters():
    return math.exp(sum(mine_losses(MINE["tau"])) / len(MINE["saying"]))


@wrong(MINE_TASK, "среднее 1 / p")
def mine_as_a_mean_of_exponents():
    return float(np.exp(mine_losses(MINE["tau"])).mean())
