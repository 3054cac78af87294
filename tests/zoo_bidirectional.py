"""Solutions of the assignment «Двунаправленные сети» as students write them, right and wrong.

A wrong one stands with the words of the hint that it must meet.
"""

import torch
from torch import nn

from coursekit.datasets import ALPHABET
from coursekit.layers import reversed_rows
from coursekit.tasks import bidirectional as tasks
from coursekit.variants import common

MINE = common(tasks.MINE)
MINE_TASK = tasks.mine(**MINE)
RIGHT = []
WRONG = []


def right(task):
    return lambda function: RIGHT.append((task, function)) or function


def wrong(task, hint):
    return lambda function: WRONG.append((task, hint, function)) or function


def read(x, weights):
    """All rows to the end of the batch, from the left."""
    W, U, b = weights
    h, states = x.new_zeros(len(x), len(b)), []
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ W.T + h @ U.T + b)
        states.append(h)
    return torch.stack(states, 1)


def reverse(x, lengths):
    x = x.clone()
    for row, length in enumerate(lengths.tolist()):
        x[row, :length] = x[row, :length].flip(0)
    return x


def hide(states, lengths):
    return states * (torch.arange(states.shape[1]) < lengths[:, None])[:, :, None]


@right(tasks.LEFTWARD)
def leftward_by_reversing(x, lengths, weights):
    return hide(reverse(read(reverse(x, lengths), weights), lengths), lengths)


@right(tasks.LEFTWARD)
def leftward_from_the_end(x, lengths, weights):
    W, U, b = weights
    states = [None] * x.shape[1]
    h = x.new_zeros(len(x), len(b))
    for t in reversed(range(x.shape[1])):
        h = torch.tanh(x[:, t] @ W.T + h @ U.T + b) * (t < lengths)[:, None]
        states[t] = h
    return torch.stack(states, 1)


@right(tasks.LEFTWARD)
def leftward_row_by_row(x, lengths, weights):
    W, U, b = weights
    out = x.new_zeros(*x.shape[:2], len(b))
    for row in range(len(x)):
        h = torch.zeros_like(b)
        for t in range(lengths[row].item() - 1, -1, -1):
            h = torch.tanh(W @ x[row, t] + U @ h + b)
            out[row, t] = h
    return out


@wrong(tasks.LEFTWARD, "начала с дополнения")
def leftward_flipped(x, lengths, weights):
    return hide(read(x.flip(1), weights).flip(1), lengths)


@wrong(tasks.LEFTWARD, "на его местах стоят не нули")
def leftward_flipped_and_shown(x, lengths, weights):
    return read(x.flip(1), weights).flip(1)


@wrong(tasks.LEFTWARD, "состояния стоят задом наперёд: переверните")
def leftward_not_turned_back(x, lengths, weights):
    return hide(read(reverse(x, lengths), weights), lengths)


@wrong(tasks.LEFTWARD, "прочитана слева направо")
def leftward_to_the_right(x, lengths, weights):
    return hide(read(x, weights), lengths)


@wrong(tasks.LEFTWARD, "начинается с нулей")
def leftward_without_memory(x, lengths, weights):
    W, _, b = weights
    return hide(torch.tanh(x @ W.T + b), lengths)


@wrong(tasks.LEFTWARD, "обратно не возвращён")
def leftward_flipped_once(x, lengths, weights):
    return read(x.flip(1), weights)


@wrong(tasks.LEFTWARD, "числа не те")
def leftward_with_padding_left_in_outputs(x, lengths, weights):
    return reverse(read(reverse(x, lengths), weights), lengths)


@wrong(tasks.LEFTWARD, "формы")
def leftward_time_first(x, lengths, weights):
    return leftward_from_the_end(x, lengths, weights).transpose(0, 1)


@wrong(tasks.LEFTWARD, "вызвано coursekit.layers")
def leftward_with_rows_turned_by_the_package(x, lengths, weights):
    turned = read(reversed_rows(x, lengths), weights)
    return hide(reversed_rows(turned, lengths), lengths)


@right(tasks.BIDIRECTIONAL)
def both_by_reversing(x, lengths, right, left):
    ahead, back = read(x, right), reverse(read(reverse(x, lengths), left), lengths)
    return hide(torch.cat([ahead, back], -1), lengths)


@right(tasks.BIDIRECTIONAL)
def both_from_two_loops(x, lengths, right, left):
    back = leftward_from_the_end(x, lengths, left)
    return torch.cat((hide(read(x, right), lengths), back), dim=2)


@right(tasks.BIDIRECTIONAL)
def both_row_by_row(x, lengths, right, left):
    out = x.new_zeros(*x.shape[:2], 2 * len(right[2]))
    for row, n in enumerate(lengths.tolist()):
        one = x[row : row + 1, :n]
        out[row, :n] = torch.cat([read(one, right), read(one.flip(1), left).flip(1)], -1)[0]
    return out


@wrong(tasks.BIDIRECTIONAL, "половины переставлены")
def both_exchanged(x, lengths, right, left):
    ahead, back = both_by_reversing(x, lengths, right, left).chunk(2, -1)
    return torch.cat([back, ahead], -1)


@wrong(tasks.BIDIRECTIONAL, "не возвращена в порядок текста")
def both_glued_without_turning_back(x, lengths, right, left):
    return hide(torch.cat([read(x, right), read(reverse(x, lengths), left)], -1), lengths)


@wrong(tasks.BIDIRECTIONAL, "зависит от соседей по пакету")
def both_flipped_with_padding(x, lengths, right, left):
    back = read(x.flip(1), left).flip(1)
    return hide(torch.cat([read(x, right), back], -1), lengths)


@wrong(tasks.BIDIRECTIONAL, "с весами right")
def both_of_one_network(x, lengths, right, left):
    return both_by_reversing(x, lengths, right, right)


@wrong(tasks.BIDIRECTIONAL, "веса направлений перепутаны")
def both_with_weights_exchanged(x, lengths, right, left):
    return both_by_reversing(x, lengths, left, right)


@wrong(tasks.BIDIRECTIONAL, "обе сети читают слева направо")
def both_to_the_right(x, lengths, right, left):
    return hide(torch.cat([read(x, right), read(x, left)], -1), lengths)


@wrong(tasks.BIDIRECTIONAL, "lengths не участвуют")
def both_without_lengths(x, lengths, right, left):
    return torch.cat([read(x, right), read(x.flip(1), left).flip(1)], -1)


@wrong(tasks.BIDIRECTIONAL, "формы")
def both_glued_in_time(x, lengths, right, left):
    return torch.cat([read(x, right), leftward_from_the_end(x, lengths, left)], 1)


@wrong(tasks.BIDIRECTIONAL, "формы")
def both_added(x, lengths, right, left):
    return read(x, right) + leftward_from_the_end(x, lengths, left)


@wrong(tasks.BIDIRECTIONAL, "вызвано torch.nn.modules.rnn")
def both_of_torch(x, lengths, right, left):
    layer = nn.RNN(x.shape[2], len(right[2]), batch_first=True, bidirectional=True).to(x)
    layer(x)
    return both_by_reversing(x, lengths, right, left)


@right(tasks.SUMMARY)
def summary_by_gather(outputs, lengths):
    ahead, back = outputs.chunk(2, -1)
    index = (lengths - 1)[:, None, None].expand(-1, 1, ahead.shape[-1])
    return torch.cat([ahead.gather(1, index)[:, 0], back[:, 0]], 1)


@right(tasks.SUMMARY)
def summary_by_loop(outputs, lengths):
    H = outputs.shape[2] // 2
    return torch.stack(
        [
            torch.cat([row[n - 1, :H], row[0, H:]])
            for row, n in zip(outputs, lengths.tolist(), strict=True)
        ]
    )


@right(tasks.SUMMARY)
def summary_by_mask(outputs, lengths):
    H = outputs.shape[2] // 2
    last = torch.arange(outputs.shape[1]) == (lengths - 1)[:, None]
    return torch.hstack([(outputs[..., :H] * last[..., None]).sum(1), outputs[:, 0, H:]])


@wrong(tasks.SUMMARY, "последнее место пакета")
def summary_of_the_usual_notebook(outputs, lengths):
    return outputs[:, -1]


@wrong(tasks.SUMMARY, "прочла его один")
def summary_at_the_last_token(outputs, lengths):
    return outputs[torch.arange(len(outputs)), lengths - 1]


@wrong(tasks.SUMMARY, "прямая половина на первом месте")
def summary_at_the_first_token(outputs, lengths):
    return outputs[:, 0]


@wrong(tasks.SUMMARY, "места перепутаны")
def summary_at_the_beginnings(outputs, lengths):
    ahead, back = outputs.chunk(2, -1)
    return torch.cat([ahead[:, 0], back[torch.arange(len(back)), lengths - 1]], 1)


@wrong(tasks.SUMMARY, "взято из дополнения")
def summary_of_full_rows(outputs, lengths):
    ahead, back = outputs.chunk(2, -1)
    return torch.cat([ahead[:, -1], back[:, 0]], 1)


@wrong(tasks.SUMMARY, "половины переставлены")
def summary_exchanged(outputs, lengths):
    ahead, back = summary_by_gather(outputs, lengths).chunk(2, -1)
    return torch.cat([back, ahead], 1)


@right(tasks.DEEP)
def deep_by_loop(x, lengths, layers):
    for weights in layers:
        x = both_by_reversing(x, lengths, *weights)
    return x


@right(tasks.DEEP)
def deep_by_recursion(x, lengths, layers):
    if not layers:
        return x
    (right, left), *further = layers
    return deep_by_recursion(both_from_two_loops(x, lengths, right, left), lengths, further)


@right(tasks.DEEP)
def deep_row_by_row(x, lengths, layers):
    for right, left in layers:
        x = both_row_by_row(x, lengths, right, left)
    return x


@wrong(tasks.DEEP, "ответ первого слоя")
def deep_with_return_inside_the_loop(x, lengths, layers):
    for right, left in layers:
        return both_by_reversing(x, lengths, right, left)
    return x


@wrong(tasks.DEEP, "каждый слой прочёл вход x")
def deep_that_forgets_the_layer_below(x, lengths, layers):
    for right, left in layers:
        out = both_by_reversing(x, lengths, right, left)
    return out


@wrong(tasks.DEEP, "в обратном порядке")
def deep_upside_down(x, lengths, layers):
    return deep_by_loop(x, lengths, layers[::-1])


@wrong(tasks.DEEP, "между слоями половины переставлены")
def deep_with_halves_exchanged_between(x, lengths, layers):
    for number, (right, left) in enumerate(layers):
        if number:
            x = torch.cat(x.chunk(2, -1)[::-1], -1)
        x = both_by_reversing(x, lengths, right, left)
    return x


@wrong(tasks.DEEP, "lengths нужны каждому слою")
def deep_without_lengths(x, lengths, layers):
    for right, left in layers:
        x = both_without_lengths(x, lengths, right, left)
    return x


@wrong(tasks.DEEP, "выходы слоёв сложены")
def deep_summed(x, lengths, layers):
    total = 0
    for right, left in layers:
        x = both_by_reversing(x, lengths, right, left)
        total = total + x
    return total


@right(tasks.COMBINE)
def combine_in_logarithms(by_word, by_context, usual):
    return (by_word.log() + by_context.log() - usual.log()).softmax(-1)


@right(tasks.COMBINE)
def combine_by_rows(by_word, by_context, usual):
    rows = [w * c / usual for w, c in zip(by_word, by_context, strict=True)]
    return torch.stack([row / row.sum() for row in rows])


@right(tasks.COMBINE)
def combine_by_normalize(by_word, by_context, usual):
    return nn.functional.normalize(by_word / usual * by_context, p=1, dim=1, eps=0)


@right(tasks.COMBINE)
def combine_by_einsum(by_word, by_context, usual):
    joint = torch.einsum("nk,nk,k->nk", by_word, by_context, 1 / usual)
    return joint / torch.einsum("nk->n", joint)[:, None]


@wrong(tasks.COMBINE, "сосчитана дважды")
def combine_without_the_prior(by_word, by_context, usual):
    p = by_word * by_context
    return p / p.sum(-1, keepdim=True)


@wrong(tasks.COMBINE, "на P(k) делят")
def combine_times_the_prior(by_word, by_context, usual):
    p = by_word * by_context * usual
    return p / p.sum(-1, keepdim=True)


@wrong(tasks.COMBINE, "это среднее")
def combine_by_mean(by_word, by_context, usual):
    return (by_word + by_context) / 2


@wrong(tasks.COMBINE, "сумма не единица")
def combine_without_the_sum(by_word, by_context, usual):
    return by_word * by_context / usual


@wrong(tasks.COMBINE, "по словам пакета")
def combine_over_the_batch(by_word, by_context, usual):
    p = by_word * by_context / usual
    return p / p.sum(0)


@wrong(tasks.COMBINE, "softmax здесь лишний")
def combine_by_softmax(by_word, by_context, usual):
    return torch.softmax(by_word * by_context / usual, -1)


@wrong(tasks.COMBINE, "слово не участвует")
def combine_of_the_context(by_word, by_context, usual):
    p = by_context / usual
    return p / p.sum(-1, keepdim=True)


@wrong(tasks.COMBINE, "соседи не участвуют")
def combine_of_the_word(by_word, by_context, usual):
    p = by_word / usual
    return p / p.sum(-1, keepdim=True)


@right(tasks.SEES)
def sees_by_backward(layer, x):
    rows = []
    for t in range(x.shape[1]):
        x = x.detach().clone().requires_grad_()
        layer(x)[0, t].sum().backward()
        rows.append((x.grad[0] != 0).any(-1))
    return torch.stack(rows)


@right(tasks.SEES)
def sees_by_changing(layer, x):
    T = x.shape[1]
    found, before = torch.zeros(T, T, dtype=torch.bool), layer(x)
    for s in range(T):
        other = x.clone()
        other[:, s] += 0.5
        found[:, s] = (layer(other) != before)[0].any(-1)
    return found


@right(tasks.SEES)
def sees_by_jacobian(layer, x):
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0].sum(-1), x)
    return jacobian[:, 0].abs().amax(-1) > 0


def sees_by_grad(layer, x, clear=True):
    x = x.clone().requires_grad_()
    out, rows = layer(x), []
    for t in range(x.shape[1]):
        if clear:
            x.grad = None
        out[0, t].sum().backward(retain_graph=True)
        rows.append(x.grad[0].abs().sum(-1) > 0)
    return torch.stack(rows)


@wrong(tasks.SEES, "градиенты накопились")
def sees_with_gradients_added_up(layer, x):
    return sees_by_grad(layer, x, clear=False)


@wrong(tasks.SEES, "строка и столбец перепутаны")
def sees_transposed(layer, x):
    return sees_by_grad(layer, x).T


@wrong(tasks.SEES, "выход не зависит")
def sees_not(layer, x):
    return ~sees_by_grad(layer, x)


@wrong(tasks.SEES, "диагональ не особая")
def sees_all_but_itself(layer, x):
    return sees_by_grad(layer, x) & (torch.eye(x.shape[1]) == 0)


@wrong(tasks.SEES, "нужен свой у каждого t")
def sees_in_sum(layer, x):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x).sum(), x)
    return (gradient[0].norm(dim=-1) > 0).repeat(x.shape[1], 1)


@wrong(tasks.SEES, "torch.float64")
def sees_as_lengths(layer, x):
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0].sum(-1), x)
    return jacobian[:, 0].norm(dim=-1)


def mine_given():
    """Both words as rows of a batch, their lengths, and the weights of both directions."""
    word, random = MINE["word"], torch.Generator().manual_seed(MINE["seed"])
    ids = [[ALPHABET.index(char) for char in row] for row in (word, MINE["letter"] + word[1:])]
    x = torch.eye(33, dtype=torch.float64)[torch.tensor(ids)]
    right, left = (
        [torch.randn(*shape, generator=random, dtype=torch.float64) for shape in shapes]
        for shapes in [((6, 33), (6, 6), (6,))] * 2
    )
    right[1] /= 2
    left[1] /= 2
    return x, torch.tensor([len(word)] * 2), tuple(right), tuple(left)


def mine_ratio(found):
    ahead, back = (found[1] - found[0]).view(2, 6)
    return (back.norm() / ahead.norm()).item()


@right(MINE_TASK)
def mine_by_the_other_tasks():
    x, lengths, right, left = mine_given()
    return mine_ratio(summary_by_gather(both_by_reversing(x, lengths, right, left), lengths))


@right(MINE_TASK)
def mine_without_a_batch():
    x, _, *sides = mine_given()
    moved = []
    for (W, U, b), order in zip(sides, (1, -1), strict=True):
        ends = []
        for word in x:
            h = torch.zeros(6, dtype=torch.float64)
            for letter in word if order == 1 else word.flip(0):
                h = torch.tanh(W @ letter + U @ h + b)
            ends.append(h)
        moved.append(torch.dist(*ends).item())
    return moved[1] / moved[0]


@right(MINE_TASK)
def mine_by_columns():
    x, lengths, right, left = mine_given()
    outputs = both_from_two_loops(x, lengths, right, left)
    ahead = outputs[0, -1, :6] - outputs[1, -1, :6]
    back = outputs[0, 0, 6:] - outputs[1, 0, 6:]
    return ((back**2).sum() / (ahead**2).sum()).sqrt().item()


@wrong(MINE_TASK, "дробь перевёрнута")
def mine_upside_down():
    return 1 / mine_without_a_batch()


@wrong(MINE_TASK, "с последнего места")
def mine_at_the_last_place():
    return mine_ratio(both_by_reversing(*mine_given())[:, -1])


@wrong(MINE_TASK, "с первого места")
def mine_at_the_first_place():
    return mine_ratio(both_by_reversing(*mine_given())[:, 0])
