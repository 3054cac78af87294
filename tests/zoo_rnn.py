"""Solutions of the assignment «RNN-ячейка и BPTT» as students write them: right and wrong ones.

A wrong one stands with the words of the hint that it must meet.
"""

import torch
from torch import nn
from torch.nn import functional as F

from coursekit.cells import Weights, rnn_tanh
from coursekit.tasks import rnn as tasks
from coursekit.variants import common

MINE = common(tasks.MINE)
MINE_TASK = tasks.mine(**MINE)
RIGHT = []
WRONG = []


def right(task):
    return lambda function: RIGHT.append((task, function)) or function


def wrong(task, hint):
    return lambda function: WRONG.append((task, hint, function)) or function


@right(tasks.STEP)
def step_in_a_line(x, h, W, U, b, b2):
    return (x.mm(W.t()) + h.mm(U.t()) + b + b2).tanh()


@right(tasks.STEP)
def step_by_linear(x, h, W, U, b, b2):
    return torch.tanh(F.linear(x, W, b) + F.linear(h, U, b2))


@right(tasks.STEP)
def step_by_one_glued_matrix(x, h, W, U, b, b2):
    a = torch.cat([x, h], 1) @ torch.cat([W, U], 1).T + (b + b2)
    return (a.exp() - (-a).exp()) / (a.exp() + (-a).exp())


@right(tasks.STEP)
def step_row_by_row(x, h, W, U, b, b2):
    return torch.stack([torch.tanh(W @ p + b + U @ q + b2) for p, q in zip(x, h, strict=True)])


@wrong(tasks.STEP, "забыт tanh")
def step_linear(x, h, W, U, b, b2):
    return F.linear(x, W, b) + F.linear(h, U, b2)


@wrong(tasks.STEP, "прошлое тоже проходит через tanh")
def step_with_the_past_outside(x, h, W, U, b, b2):
    return torch.tanh(F.linear(x, W, b)) + F.linear(h, U, b2)


@wrong(tasks.STEP, "а не от её половин")
def step_with_two_tanh(x, h, W, U, b, b2):
    return torch.tanh(F.linear(x, W, b)) + torch.tanh(F.linear(h, U, b2))


@wrong(tasks.STEP, "а не сигмоида")
def step_by_sigmoid(x, h, W, U, b, b2):
    return torch.sigmoid(F.linear(x, W, b) + F.linear(h, U, b2))


@wrong(tasks.STEP, "у вас h @ U")
def step_with_u_as_it_lies(x, h, W, U, b, b2):
    return torch.tanh(x @ W.T + b + h @ U + b2)


@wrong(tasks.STEP, "у вас x @ W")
def step_with_w_as_it_lies(x, h, W, U, b, b2):
    return torch.tanh(x @ W + b + h @ U.T + b2)


@wrong(tasks.STEP, "потерян второй сдвиг")
def step_with_one_bias(x, h, W, U, b, b2):
    return torch.tanh(x @ W.T + h @ U.T + b)


@wrong(tasks.STEP, "torch.float32")
def step_in_float(x, h, W, U, b, b2):
    return step_in_a_line(x, h, W, U, b, b2).float()


@wrong(tasks.STEP, "изменила свой аргумент x")
def step_in_place(x, h, W, U, b, b2):
    answer = step_in_a_line(x, h, W, U, b, b2)
    x.data *= 0
    return answer


@wrong(tasks.STEP, "градиент по h")
def step_that_forgets_where_it_came_from(x, h, W, U, b, b2):
    return step_in_a_line(x, h.detach(), W, U, b, b2)


@wrong(tasks.STEP, "вызвано coursekit.cells")
def step_of_the_package(x, h, W, U, b, b2):
    return rnn_tanh(x, h, Weights(W, U, b, b2))


@right(tasks.RNN)
def rnn_with_a_list(x, h, W, U, b, b2):
    states = []
    for t in range(x.shape[1]):
        h = step_in_a_line(x[:, t], h, W, U, b, b2)
        states += [h]
    return torch.stack(states, 1), states[-1]


@right(tasks.RNN)
def rnn_with_room_made_before(x, h, W, U, b, b2):
    B, T, _ = x.shape
    states = x.new_empty(B, T, U.shape[0])
    for t in range(T):
        h = step_by_linear(x[:, t, :], h, W, U, b, b2)
        states[:, t] = h
    return states, h


@right(tasks.RNN)
def rnn_that_multiplies_the_input_at_once(x, h, W, U, b, b2):
    states = [h]
    for a in (torch.einsum("bte,he->tbh", x, W) + b + b2).unbind(0):
        states.append(torch.tanh(a + states[-1] @ U.T))
    return torch.stack(states[1:]).transpose(0, 1), states[-1]


@right(tasks.RNN)
def rnn_that_calls_itself(x, h, W, U, b, b2):
    h = step_in_a_line(x[:, 0], h, W, U, b, b2)
    if x.shape[1] == 1:
        return h[:, None], h
    states, last = rnn_that_calls_itself(x[:, 1:], h, W, U, b, b2)
    return torch.cat([h[:, None], states], 1), last


@wrong(tasks.RNN, "пакет и время перепутаны")
def rnn_along_the_batch(x, h, W, U, b, b2):
    states = []
    for t in range(len(x)):
        h = step_in_a_line(x[t], h, W, U, b, b2)
        states.append(h)
    return torch.stack(states), h


@wrong(tasks.RNN, "ответ, часть 1, формы")
def rnn_time_first(x, h, W, U, b, b2):
    states, h = rnn_with_a_list(x[:, :-1] if x.shape[1] > 1 else x, h, W, U, b, b2)
    return states.transpose(0, 1), h


@wrong(tasks.RNN, "состояние не переходит от шага к шагу")
def rnn_begun_anew_each_step(x, h, W, U, b, b2):
    states = [step_in_a_line(x[:, t], h, W, U, b, b2) for t in range(x.shape[1])]
    return torch.stack(states, 1), states[-1]


@wrong(tasks.RNN, "строка прочитана с конца")
def rnn_backwards(x, h, W, U, b, b2):
    states = []
    for t in reversed(range(x.shape[1])):
        h = step_in_a_line(x[:, t], h, W, U, b, b2)
        states.append(h)
    return torch.stack(states, 1), h


@wrong(tasks.RNN, "а не с нулей")
def rnn_from_zeros(x, h, W, U, b, b2):
    return rnn_with_a_list(x, torch.zeros_like(h), W, U, b, b2)


@wrong(tasks.RNN, "состояние до шага")
def rnn_that_keeps_the_state_before(x, h, W, U, b, b2):
    states = []
    for t in range(x.shape[1]):
        states.append(h)
        h = step_in_a_line(x[:, t], h, W, U, b, b2)
    return torch.stack(states, 1), h


@wrong(tasks.RNN, "нужен кортеж из 2")
def rnn_states_alone(x, h, W, U, b, b2):
    return rnn_with_a_list(x, h, W, U, b, b2)[0]


@wrong(tasks.RNN, "градиент по x")
def rnn_cut_at_each_step(x, h, W, U, b, b2):
    states = []
    for t in range(x.shape[1]):
        h = step_in_a_line(x[:, t], h.detach(), W, U, b, b2)
        states.append(h)
    return torch.stack(states, 1), h


@wrong(tasks.RNN, "вызвано torch.nn.modules.rnn")
def rnn_of_torch(x, h, W, U, b, b2):
    layer = nn.RNN(x.shape[2], len(b), batch_first=True).to(x)
    weights = dict(zip(dict(layer.named_parameters()), (W, U, b, b2), strict=True))
    states, last = torch.func.functional_call(layer, weights, (x, h[None]))
    return states, last[0]


@wrong(tasks.RNN, "вызвано rnn_tanh_cell")
def rnn_of_torchs_cells(x, h, W, U, b, b2):
    states = []
    for x_t in x.unbind(1):
        h = torch.rnn_tanh_cell(x_t, h, W, U, b, b2)
        states.append(h)
    return torch.stack(states, 1), h


@right(tasks.LOSS_GRADIENT)
def loss_gradient_by_hand(logits, targets):
    logp = logits - logits.logsumexp(-1, keepdim=True)
    real = targets != -100
    chosen = logp.gather(2, targets.where(real, 0).unsqueeze(2)).squeeze(2)
    gradient = logp.exp()
    gradient.scatter_add_(
        2, targets.where(real, 0).unsqueeze(2), -torch.ones_like(chosen).unsqueeze(2)
    )
    gradient[~real] = 0
    return -chosen[real].mean(), gradient / real.sum()


@right(tasks.LOSS_GRADIENT)
def loss_gradient_flat(logits, targets):
    V = logits.shape[-1]
    flat, goals = logits.reshape(-1, V), targets.reshape(-1)
    kept = (goals != -100).nonzero().squeeze(1)
    p = flat[kept].softmax(1)
    loss = -p[range(len(kept)), goals[kept]].log().sum() / len(kept)
    p[range(len(kept)), goals[kept]] -= 1
    gradient = torch.zeros_like(flat)
    gradient[kept] = p / len(kept)
    return loss, gradient.view_as(logits)


@right(tasks.LOSS_GRADIENT)
@torch.no_grad()
def loss_gradient_token_by_token(logits, targets):
    count, loss, gradient = 0, logits.new_zeros(()), torch.zeros_like(logits)
    for row in range(targets.shape[0]):
        for t, y in enumerate(targets[row].tolist()):
            if y == -100:
                continue
            p = torch.softmax(logits[row, t], dim=0)
            loss += -torch.log(p[y])
            gradient[row, t] = p - torch.eye(logits.shape[2], dtype=logits.dtype)[y]
            count += 1
    return loss / count, gradient / count


@wrong(tasks.LOSS_GRADIENT, "похоже на цикл по словарю")
def loss_gradient_word_by_word(logits, targets):
    loss, gradient = loss_gradient_by_hand(logits, targets)
    for v in range(logits.shape[-1]):
        p = (logits[..., v] - logits.logsumexp(-1)).exp() - (targets == v).double()
        gradient[..., v] = p * (targets != -100) / (targets != -100).sum()
    return loss, gradient


@wrong(tasks.LOSS_GRADIENT, "дополнение попало в счёт")
def loss_gradient_over_all_places(logits, targets):
    loss = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none").mean()
    return loss, loss_gradient_by_hand(logits, targets)[1] * (targets != -100).double().mean()


@wrong(tasks.LOSS_GRADIENT, "градиент поделён на все")
def loss_gradient_divided_by_all_places(logits, targets):
    loss, gradient = loss_gradient_by_hand(logits, targets)
    return loss, gradient * (targets != -100).double().mean()


@wrong(tasks.LOSS_GRADIENT, "градиент не нулевой")
def loss_gradient_that_pushes_padding(logits, targets):
    real = targets != -100
    gradient = logits.softmax(-1)
    for row, t in real.nonzero().tolist():
        gradient[row, t, targets[row, t]] -= 1
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), gradient / real.sum()


@wrong(tasks.LOSS_GRADIENT, "принята за номер токена")
def loss_gradient_that_teaches_padding(logits, targets):
    wanted = F.one_hot(targets.clamp(0), logits.shape[-1])
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    return loss, (logits.softmax(-1) - wanted) / (targets != -100).sum()


@wrong(tasks.LOSS_GRADIENT, "поделить на число целей")
def loss_gradient_of_the_sum(logits, targets):
    loss, gradient = loss_gradient_by_hand(logits, targets)
    return loss, gradient * (targets != -100).sum()


@wrong(tasks.LOSS_GRADIENT, "знак")
def loss_gradient_the_other_way(logits, targets):
    loss, gradient = loss_gradient_by_hand(logits, targets)
    return loss, -gradient


@wrong(tasks.LOSS_GRADIENT, "softmax взят не по той оси")
def loss_gradient_over_time(logits, targets):
    real = (targets != -100)[..., None]
    wanted = F.one_hot(targets.clamp(0), logits.shape[-1])
    loss = F.cross_entropy(logits.transpose(1, 2), targets)
    return loss, (logits.softmax(1) - wanted) * real / real.sum()


@wrong(tasks.LOSS_GRADIENT, "логиты больше тысячи: exp больших логитов")
def loss_gradient_with_naive_exp(logits, targets):
    e = torch.exp(logits)
    p = e / e.sum(-1, keepdim=True)
    real = targets != -100
    wanted = F.one_hot(targets.clamp(0), logits.shape[-1])
    loss = -torch.log((p * wanted).sum(-1))[real].mean()
    return loss, (p - wanted) * real[..., None] / real.sum()


@wrong(tasks.LOSS_GRADIENT, "вызвано torch.autograd")
def loss_gradient_of_torch(logits, targets):
    logits = logits.clone().requires_grad_()
    loss = F.cross_entropy(logits.transpose(1, 2), targets)
    loss.backward()
    return loss.detach(), logits.grad


@right(tasks.STEP_BACK)
def step_back_in_a_row(g, x, before, after, W, U):
    delta = g * (1 - after * after)
    return delta @ W, delta @ U, delta.T @ x, delta.T @ before, delta.sum(dim=0)


@right(tasks.STEP_BACK)
def step_back_row_by_row(g, x, before, after, W, U):
    dx, dh = torch.zeros_like(x), torch.zeros_like(before)
    dW, dU, db = torch.zeros_like(W), torch.zeros_like(U), torch.zeros_like(U[0])
    for row in range(len(x)):
        delta = torch.diag(1 - after[row] ** 2) @ g[row]
        dx[row], dh[row] = W.T @ delta, U.T @ delta
        dW += torch.outer(delta, x[row])
        dU += torch.outer(delta, before[row])
        db += delta
    return dx, dh, dW, dU, db


@right(tasks.STEP_BACK)
def step_back_by_einsum(g, x, before, after, W, U):
    delta = torch.addcmul(g, g * after, after, value=-1)
    return (
        torch.einsum("bh,he->be", delta, W),
        torch.einsum("bi,ij->bj", delta, U),
        torch.einsum("bh,be->he", delta, x),
        torch.einsum("bi,bj->ij", delta, before),
        torch.einsum("bh->h", delta),
    )


@wrong(tasks.STEP_BACK, "потеряна производная tanh")
def step_back_of_a_linear_cell(g, x, before, after, W, U):
    return g @ W, g @ U, g.T @ x, g.T @ before, g.sum(0)


@wrong(tasks.STEP_BACK, "через новое состояние")
def step_back_with_the_old_slope(g, x, before, after, W, U):
    return step_back_in_a_row(g * (1 - before**2) / (1 - after**2), x, before, after, W, U)


@wrong(tasks.STEP_BACK, "производная сигмоиды")
def step_back_of_a_sigmoid(g, x, before, after, W, U):
    delta = g * after * (1 - after)
    return delta @ W, delta @ U, delta.T @ x, delta.T @ before, delta.sum(0)


@wrong(tasks.STEP_BACK, "второй раз tanh не берут")
def step_back_with_tanh_of_tanh(g, x, before, after, W, U):
    delta = g * (1 - torch.tanh(after) ** 2)
    return delta @ W, delta @ U, delta.T @ x, delta.T @ before, delta.sum(0)


@wrong(tasks.STEP_BACK, "у вас δ @ U.T")
def step_back_through_the_wrong_matrix(g, x, before, after, W, U):
    delta = g * (1 - after**2)
    return delta @ W, delta @ U.T, delta.T @ x, delta.T @ before, delta.sum(0)


@wrong(tasks.STEP_BACK, "умножалась на before")
def step_back_with_the_state_after(g, x, before, after, W, U):
    delta = g * (1 - after**2)
    return delta @ W, delta @ U, delta.T @ x, delta.T @ after, delta.sum(0)


@wrong(tasks.STEP_BACK, "складывают, а не усредняют")
def step_back_averaged(g, x, before, after, W, U):
    delta, B = g * (1 - after**2), len(g)
    return delta @ W, delta @ U, delta.T @ x / B, delta.T @ before / B, delta.mean(0)


@wrong(tasks.STEP_BACK, "ответ, часть 5, формы")
def step_back_with_a_bias_for_every_row(g, x, before, after, W, U):
    delta = g * (1 - after**2)
    return delta @ W, delta @ U, delta.T @ x, delta.T @ before, delta


@right(tasks.BPTT)
def bptt_by_steps_back(x, h, own, W, U, b):
    states = [h]
    for t in range(x.shape[1]):
        states.append(torch.tanh(x[:, t] @ W.T + states[-1] @ U.T + b))
    dW, dU, db, future = 0, 0, 0, 0
    for t in range(x.shape[1] - 1, -1, -1):
        g = own[:, t] + future
        _, future, w, u, c = step_back_in_a_row(g, x[:, t], states[t], states[t + 1], W, U)
        dW, dU, db = dW + w, dU + u, db + c
    return dW, dU, db, future


@right(tasks.BPTT)
def bptt_row_by_row_as_in_the_book(x, h, own, W, U, b):
    dW, dU, db = (torch.zeros_like(w) for w in (W, U, b))
    starts = []
    for row in range(len(x)):
        states = [h[row]]
        for x_t in x[row]:
            states.append(torch.tanh(W @ x_t + U @ states[-1] + b))
        future = torch.zeros_like(b)
        for t in range(x.shape[1], 0, -1):
            delta = (1 - states[t] ** 2) * (own[row, t - 1] + future)
            dW += torch.outer(delta, x[row, t - 1])
            dU += torch.outer(delta, states[t - 1])
            db += delta
            future = U.T @ delta
        starts.append(future)
    return dW, dU, db, torch.stack(starts)


@right(tasks.BPTT)
@torch.no_grad()
def bptt_with_all_deltas_first(x, h, own, W, U, b):
    states, _ = rnn_with_a_list(x, h, W, U, b, torch.zeros_like(b))
    before = torch.cat([h.unsqueeze(1), states[:, :-1]], 1)
    deltas = own.clone()
    for t in reversed(range(x.shape[1])):
        if t + 1 < x.shape[1]:
            deltas[:, t] += deltas[:, t + 1] @ U
        deltas[:, t] *= 1 - states[:, t] ** 2
    flat = deltas.flatten(0, 1)
    return flat.T @ x.flatten(0, 1), flat.T @ before.flatten(0, 1), flat.sum(0), deltas[:, 0] @ U


@right(tasks.BPTT)
def bptt_by_products_of_jacobians(x, h, own, W, U, b):
    states, _ = rnn_with_a_list(x, h, W, U, b, b * 0)
    before = torch.cat([h[:, None], states[:, :-1]], 1)
    J = (1 - states**2)[..., None] * U
    dW, dU, db, dh = (torch.zeros_like(w) for w in (W, U, b, h))
    for late in range(x.shape[1]):
        g = own[:, late]
        for t in range(late, -1, -1):
            delta = (1 - states[:, t] ** 2) * g
            dW, dU, db = dW + delta.T @ x[:, t], dU + delta.T @ before[:, t], db + delta.sum(0)
            g = (J[:, t].mT @ g[..., None])[..., 0]
        dh = dh + g
    return dW, dU, db, dh


def bptt_with(x, h, own, W, U, b, future_of):
    states = [h]
    for t in range(x.shape[1]):
        states.append(torch.tanh(x[:, t] @ W.T + states[-1] @ U.T + b))
    dW, dU, db, future = W * 0, U * 0, b * 0, h * 0
    for t in reversed(range(x.shape[1])):
        g = own[:, t] + future
        delta = (1 - states[t + 1] ** 2) * g
        dW, dU, db = dW + delta.T @ x[:, t], dU + delta.T @ states[t], db + delta.sum(0)
        future = future_of(g, delta)
    return dW, dU, db, future


@wrong(tasks.BPTT, "потеряно будущее")
def bptt_without_a_future(x, h, own, W, U, b):
    return bptt_with(x, h, own, W, U, b, lambda g, delta: delta * 0)


@wrong(tasks.BPTT, "плюс U⊤ δ шага t + 1")
def bptt_that_counts_the_future_and_forgets_it(x, h, own, W, U, b):
    states = [h]
    for t in range(x.shape[1]):
        states.append(torch.tanh(x[:, t] @ W.T + states[-1] @ U.T + b))
    dW, dU, db = 0, 0, 0
    for t in reversed(range(x.shape[1])):
        _, dh, w, u, c = step_back_in_a_row(own[:, t], x[:, t], states[t], states[t + 1], W, U)
        dW, dU, db = dW + w, dU + u, db + c
    return dW, dU, db, dh


@wrong(tasks.BPTT, "только потери последнего шага")
def bptt_from_the_end_alone(x, h, own, W, U, b):
    last = torch.zeros_like(own)
    last[:, -1] = own[:, -1]
    return bptt_by_steps_back(x, h, last, W, U, b)


@wrong(tasks.BPTT, "без матрицы U")
def bptt_without_u(x, h, own, W, U, b):
    return bptt_with(x, h, own, W, U, b, lambda g, delta: delta)


@wrong(tasks.BPTT, "а не U⊤ g")
def bptt_without_the_slope_in_the_future(x, h, own, W, U, b):
    return bptt_with(x, h, own, W, U, b, lambda g, delta: g @ U)


@wrong(tasks.BPTT, "у вас δ @ U.T")
def bptt_through_the_wrong_matrix(x, h, own, W, U, b):
    return bptt_with(x, h, own, W, U, b, lambda g, delta: delta @ U.T)


@wrong(tasks.BPTT, "+= вместо =")
def bptt_that_keeps_one_step(x, h, own, W, U, b):
    states = [h]
    for t in range(x.shape[1]):
        states.append(torch.tanh(x[:, t] @ W.T + states[-1] @ U.T + b))
    future = torch.zeros_like(h)
    for t in reversed(range(x.shape[1])):
        _, future, dW, dU, db = step_back_in_a_row(
            own[:, t] + future, x[:, t], states[t], states[t + 1], W, U
        )
    return dW, dU, db, future


@wrong(tasks.BPTT, "состояние берётся *до* шага")
def bptt_with_states_shifted(x, h, own, W, U, b):
    dW, dU, db, dh = bptt_with_all_deltas_first(x, h, own, W, U, b)
    states, _ = rnn_with_a_list(x, h, W, U, b, b * 0)
    future, dU = h * 0, U * 0
    for t in reversed(range(x.shape[1])):
        delta = (1 - states[:, t] ** 2) * (own[:, t] + future)
        dU = dU + delta.T @ states[:, t]
        future = delta @ U
    return dW, dU, db, dh


@wrong(tasks.BPTT, "вызвано torch.autograd")
def bptt_of_torch(x, h, own, W, U, b):
    leaves = [leaf.clone().requires_grad_() for leaf in (W, U, b, h)]
    states, _ = rnn_with_a_list(x, leaves[3], *leaves[:3], torch.zeros_like(b))
    return torch.autograd.grad((states * own).sum(), leaves)


@right(tasks.TRUNCATED_BPTT)
def truncated_by_pieces(x, h, own, W, U, b, window):
    dW, dU, db = W * 0, U * 0, b * 0
    for start in range(0, x.shape[1], window):
        piece = x[:, start : start + window]
        w, u, c, _ = bptt_by_steps_back(piece, h, own[:, start : start + window], W, U, b)
        dW, dU, db = dW + w, dU + u, db + c
        h = rnn_with_a_list(piece, h, W, U, b, b * 0)[1]
    return dW, dU, db


@right(tasks.TRUNCATED_BPTT)
def truncated_by_a_future_set_to_zero(x, h, own, W, U, b, window):
    states = [h]
    for t in range(x.shape[1]):
        states.append(torch.tanh(x[:, t] @ W.T + states[-1] @ U.T + b))
    dW, dU, db, future = W * 0, U * 0, b * 0, h * 0
    for t in reversed(range(x.shape[1])):
        if (t + 1) % window == 0:
            future = torch.zeros_like(future)
        delta = (1 - states[t + 1] ** 2) * (own[:, t] + future)
        dW, dU, db = dW + delta.T @ x[:, t], dU + delta.T @ states[t], db + delta.sum(0)
        future = delta @ U
    return dW, dU, db


@right(tasks.TRUNCATED_BPTT)
def truncated_by_split_and_zip(x, h, own, W, U, b, window):
    found = []
    for piece, part in zip(x.split(window, 1), own.split(window, 1), strict=True):
        found.append(bptt_with_all_deltas_first(piece, h, part, W, U, b)[:3])
        for x_t in piece.unbind(1):
            h = step_in_a_line(x_t, h, W, U, b, torch.zeros_like(b))
    return tuple(sum(parts) for parts in zip(*found, strict=True))


@wrong(tasks.TRUNCATED_BPTT, "градиент перешёл границу окна")
def truncated_that_is_full(x, h, own, W, U, b, window):
    return bptt_by_steps_back(x, h, own, W, U, b)[:3]


@wrong(tasks.TRUNCATED_BPTT, "начинается с нулей")
def truncated_with_zeros_at_the_border(x, h, own, W, U, b, window):
    found = []
    for piece, part in zip(x.split(window, 1), own.split(window, 1), strict=True):
        found.append(bptt_by_steps_back(piece, h, part, W, U, b)[:3])
        h = torch.zeros_like(h)
    return tuple(sum(parts) for parts in zip(*found, strict=True))


@wrong(tasks.TRUNCATED_BPTT, "а не с данного вначале h")
def truncated_with_the_first_state_everywhere(x, h, own, W, U, b, window):
    pieces = zip(x.split(window, 1), own.split(window, 1), strict=True)
    found = [bptt_by_steps_back(piece, h, part, W, U, b)[:3] for piece, part in pieces]
    return tuple(sum(parts) for parts in zip(*found, strict=True))


@wrong(tasks.TRUNCATED_BPTT, "учтено только последнее окно")
def truncated_that_keeps_one_window(x, h, own, W, U, b, window):
    for piece, part in zip(x.split(window, 1), own.split(window, 1), strict=True):
        found = bptt_by_steps_back(piece, h, part, W, U, b)[:3]
        h = rnn_with_a_list(piece, h, W, U, b, b * 0)[1]
    return found


@wrong(tasks.TRUNCATED_BPTT, "неполное последнее окно")
def truncated_without_the_rest(x, h, own, W, U, b, window):
    T = x.shape[1] // window * window
    return truncated_by_pieces(x[:, :T], h, own[:, :T], W, U, b, window)


@wrong(tasks.TRUNCATED_BPTT, "граница сдвинута")
def truncated_one_step_late(x, h, own, W, U, b, window):
    return truncated_by_pieces(x, h, own, W, U, b, window + 1)


def mine_given():
    """x, targets, W, U and Q."""
    phrase, random = MINE["phrase"], torch.Generator().manual_seed(MINE["seed"])
    alphabet = sorted(set(phrase))
    V, ids = len(alphabet), torch.tensor([[alphabet.index(letter) for letter in phrase]])
    W, U, Q = (
        torch.randn(*shape, generator=random, dtype=torch.float64)
        for shape in ((8, V), (8, 8), (V, 8))
    )
    return F.one_hot(ids[:, :-1], V).double(), ids[:, 1:], W, U / 8**0.5, Q


def mine_gradients(x, targets, W, U, Q):
    zeros = torch.zeros(8, dtype=torch.float64)
    states, _ = rnn_with_a_list(x, zeros[None], W, U, zeros, zeros)
    own = loss_gradient_flat(states @ Q.T, targets)[1] @ Q
    full = bptt_by_steps_back(x, zeros[None], own, W, U, zeros)[1]
    return full, truncated_by_pieces(x, zeros[None], own, W, U, zeros, MINE["width"])[1]


@right(MINE_TASK)
def mine_by_the_other_tasks():
    full, cut = mine_gradients(*mine_given())
    return ((full - cut).norm() / full.norm()).item()


@right(MINE_TASK)
def mine_step_by_step():
    x, targets, W, U, Q = mine_given()
    h, states, deltas = torch.zeros(8, dtype=torch.float64), [], []
    for letter in x[0]:
        states.append(h)
        h = torch.tanh(W @ letter + U @ h)
        deltas.append((Q @ h).softmax(0))
    found = []
    for width in (len(states), MINE["width"]):
        future, total = torch.zeros_like(h), torch.zeros_like(U)
        for t in reversed(range(len(states))):
            if (t + 1) % width == 0:
                future = torch.zeros_like(h)
            wanted = F.one_hot(targets[0, t], len(Q)).double()
            after = states[t + 1] if t + 1 < len(states) else h
            delta = (1 - after**2) * (Q.T @ (deltas[t] - wanted) + future)
            total += torch.outer(delta, states[t])
            future = U.T @ delta
        found.append(total)
    return (torch.dist(*found) / found[0].norm()).item()


@right(MINE_TASK)
def mine_in_numpy():
    full, cut = (part.flatten().numpy() for part in mine_gradients(*mine_given()))
    return float(((cut - full) ** 2).sum() ** 0.5 / (full**2).sum() ** 0.5)


@wrong(MINE_TASK, "поделите её на длину полного")
def mine_as_a_length():
    full, cut = mine_gradients(*mine_given())
    return (full - cut).norm().item()


@wrong(MINE_TASK, "цели не сдвинуты")
def mine_that_guesses_what_it_reads():
    x, _, *weights = mine_given()
    full, cut = mine_gradients(x, x.argmax(-1), *weights)
    return ((full - cut).norm() / full.norm()).item()


@wrong(MINE_TASK, "вызвано torch.autograd")
def mine_by_autograd():
    U = torch.ones(2, requires_grad=True)
    torch.autograd.grad(U.sum(), U)
    return mine_in_numpy()
