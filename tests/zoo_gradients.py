"""Solutions of the assignment «Градиенты» as students write them: right ones and wrong ones.

A wrong one stands with the words of the hint that it must meet.
"""

import numpy as np
import torch
from torch import nn

from coursekit.tasks import gradients as tasks
from coursekit.variants import common

MINE = common(tasks.MINE)
MINE_TASK = tasks.mine(**MINE)
RIGHT = []
WRONG = []


def right(task):
    return lambda function: RIGHT.append((task, function)) or function


def wrong(task, hint):
    return lambda function: WRONG.append((task, hint, function)) or function


@right(tasks.JACOBIANS)
def jacobians_by_diag(states, U):
    return torch.stack([torch.diag(1 - h**2) @ U for h in states])


@right(tasks.JACOBIANS)
def jacobians_by_einsum(states, U):
    return torch.einsum("ti,ij->tij", 1 - states.square(), U)


@right(tasks.JACOBIANS)
def jacobians_number_by_number(states, U):
    T, H = states.shape
    J = states.new_zeros(T, H, H)
    for t in range(T):
        for i in range(H):
            J[t, i] = (1 - states[t, i] * states[t, i]) * U[i]
    return J


@wrong(tasks.JACOBIANS, "множители стоят у столбцов")
def jacobians_from_the_other_side(states, U):
    return torch.stack([U @ torch.diag(1 - h**2) for h in states])


@wrong(tasks.JACOBIANS, "множители стоят у столбцов")
def jacobians_by_careless_broadcasting(states, U):
    return torch.stack([(1 - h**2) * U for h in states])


@wrong(tasks.JACOBIANS, "якобиан транспонирован")
def jacobians_transposed(states, U):
    return torch.stack([U.T @ torch.diag(1 - h**2) for h in states])


@wrong(tasks.JACOBIANS, "потеряна производная tanh")
def jacobians_of_a_linear_cell(states, U):
    return torch.stack([U for _ in states])


@wrong(tasks.JACOBIANS, "второй раз tanh не берут")
def jacobians_with_tanh_of_tanh(states, U):
    return torch.stack([torch.diag(1 - h.tanh() ** 2) @ U for h in states])


@wrong(tasks.JACOBIANS, "у каждого свой якобиан")
def jacobians_multiplied(states, U):
    J, product = [], torch.eye(len(U), dtype=U.dtype)
    for h in states:
        product = product @ torch.diag(1 - h**2) @ U
        J.append(product)
    return torch.stack(J)


@wrong(tasks.JACOBIANS, "формы")
def jacobians_in_one_product(states, U):
    return torch.linalg.multi_dot([torch.eye(len(U)).double(), *jacobians_by_diag(states, U)])


@wrong(tasks.JACOBIANS, "градиент по states")
def jacobians_of_numbers(states, U):
    return jacobians_by_diag(states.detach(), U)


@right(tasks.NORMS_BY_LAG)
def norms_going_back(g, J):
    norms = []
    for t in range(len(J) - 1, -1, -1):
        g = J[t].T @ g
        norms.append(g.norm())
    return torch.stack(norms)


@right(tasks.NORMS_BY_LAG)
def norms_by_a_product_of_matrices(g, J):
    product, norms = torch.eye(len(g), dtype=g.dtype), []
    for J_t in reversed(list(J)):
        product = J_t.T @ product
        norms.append((product @ g).square().sum().sqrt())
    return torch.tensor(norms, dtype=g.dtype)


@right(tasks.NORMS_BY_LAG)
def norms_by_rows_in_numpy(g, J):
    row, norms = g.numpy(), []
    for J_t in J.numpy()[::-1]:
        row = row @ J_t
        norms.append(np.linalg.norm(row))
    return torch.from_numpy(np.array(norms))


@wrong(tasks.NORMS_BY_LAG, "а не через J")
def norms_without_transposing(g, J):
    norms = []
    for t in reversed(range(len(J))):
        g = J[t] @ g
        norms.append(g.norm())
    return torch.stack(norms)


@wrong(tasks.NORMS_BY_LAG, "назад идут от J[T − 1] к J[0]")
def norms_from_the_beginning(g, J):
    norms = []
    for J_t in J:
        g = J_t.T @ g
        norms.append(g.norm())
    return torch.stack(norms)


@wrong(tasks.NORMS_BY_LAG, "сначала один шаг назад")
def norms_in_the_order_of_time(g, J):
    return norms_going_back(g, J).flip(0)


@wrong(tasks.NORMS_BY_LAG, "прошёл k − 1 шагов")
def norms_of_single_steps(g, J):
    return torch.stack([(J_t.T @ g).norm() for J_t in J.flip(0)])


@wrong(tasks.NORMS_BY_LAG, "лишь граница сверху")
def norms_by_the_bound(g, J):
    sigmas = torch.stack([torch.linalg.svdvals(J_t)[0] for J_t in J.flip(0)])
    return sigmas.cumprod(0) * g.norm()


@wrong(tasks.NORMS_BY_LAG, "якобианы на всех шагах разные")
def norms_of_powers(g, J):
    norms = []
    for _ in J:
        g = J[-1].T @ g
        norms.append(g.norm())
    return torch.stack(norms)


@wrong(tasks.NORMS_BY_LAG, "забыт корень")
def norms_squared(g, J):
    return norms_going_back(g, J) ** 2


@wrong(tasks.NORMS_BY_LAG, "сдвиг на шаг")
def norms_begun_before_the_first_step(g, J):
    norms = []
    for J_t in J.flip(0):
        norms.append(g.norm())
        g = J_t.T @ g
    return torch.stack(norms)


@right(tasks.SIGMA_RHO)
def sigma_rho_by_norm(U):
    return torch.linalg.norm(U, 2), torch.linalg.eigvals(U).abs().amax()


@right(tasks.SIGMA_RHO)
def sigma_rho_by_hand(U):
    sigma = torch.linalg.eigvalsh(U.T @ U)[-1].sqrt()
    found = torch.linalg.eig(U).eigenvalues
    return sigma, (found.real**2 + found.imag**2).sqrt().max()


@right(tasks.SIGMA_RHO)
def sigma_rho_in_numpy(U):
    U = U.numpy()
    rho = max(abs(value) for value in np.linalg.eigvals(U))
    sigma = np.linalg.svd(U, compute_uv=False).max()
    return torch.tensor(sigma).double(), torch.tensor(rho).double()


@wrong(tasks.SIGMA_RHO, "у вас наоборот")
def sigma_rho_swapped(U):
    return torch.linalg.eigvals(U).abs().max(), torch.linalg.norm(U, 2)


@wrong(tasks.SIGMA_RHO, "у вас вещественная часть")
def sigma_rho_of_the_real_part(U):
    return torch.linalg.norm(U, 2), torch.linalg.eigvals(U).real.max()


@wrong(tasks.SIGMA_RHO, "корень из a² + b²")
def sigma_rho_without_the_imaginary_part(U):
    return torch.linalg.norm(U, 2), torch.linalg.eigvals(U).real.abs().max()


@wrong(tasks.SIGMA_RHO, "норма фробениуса")
def sigma_rho_of_frobenius(U):
    return torch.linalg.norm(U), torch.linalg.eigvals(U).abs().max()


@wrong(tasks.SIGMA_RHO, "забыт корень")
def sigma_rho_without_the_root(U):
    return torch.linalg.eigvalsh(U.T @ U).max(), torch.linalg.eigvals(U).abs().max()


@wrong(tasks.SIGMA_RHO, "для симметричных матриц")
def sigma_rho_of_a_symmetric_matrix(U):
    return torch.linalg.norm(U, 2), torch.linalg.eigvalsh(U).abs().max()


@wrong(tasks.SIGMA_RHO, "часть 2, типа torch.complex128")
def sigma_rho_complex(U):
    found = torch.linalg.eigvals(U)
    return torch.linalg.norm(U, 2), found[found.abs().argmax()]


@right(tasks.CLIP)
def clip_by_gluing(gradients, c):
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    if norm <= c:
        return norm, gradients
    return norm, tuple(g * c / norm for g in gradients)


@right(tasks.CLIP)
def clip_by_norm_of_norms(gradients, c):
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
    share = min(1.0, c / norm.item()) if norm > 0 else 1.0
    return norm, tuple(share * g for g in gradients)


@right(tasks.CLIP)
@torch.no_grad()
def clip_number_by_number(gradients, c):
    total = 0.0
    for g in gradients:
        for number in g.flatten():
            total = total + number * number
    norm = total**0.5
    return norm, tuple(g.div(torch.maximum(norm / c, norm.new_ones(()))) for g in gradients)


@wrong(tasks.CLIP, "каждый тензор укорочен отдельно")
def clip_each_alone(gradients, c):
    norm, _ = clip_by_gluing(gradients, c)
    return norm, tuple(clip_by_gluing((g,), c)[1][0] for g in gradients)


@wrong(tasks.CLIP, "обрезка по числам")
def clip_by_value(gradients, c):
    return clip_by_gluing(gradients, c)[0], tuple(g.clip(-c, c) for g in gradients)


@wrong(tasks.CLIP, "короткий градиент удлинён")
def clip_always(gradients, c):
    norm, _ = clip_by_gluing(gradients, c)
    return norm, tuple(g * (c / norm) for g in gradients)


@wrong(tasks.CLIP, "0 / 0")
def clip_through_the_unit_vector(gradients, c):
    norm, _ = clip_by_gluing(gradients, c)
    return norm, tuple(g / norm * norm.clamp(max=c) for g in gradients)


@wrong(tasks.CLIP, "вернулась норма после обрезки")
def clip_that_returns_the_new_norm(gradients, c):
    _, clipped = clip_by_gluing(gradients, c)
    return torch.cat([g.flatten() for g in clipped]).norm(), clipped


@wrong(tasks.CLIP, "не сумма норм")
def clip_by_the_sum_of_norms(gradients, c):
    norm = sum(g.norm() for g in gradients)
    return norm, tuple(g * min(1, c / norm) if norm > 0 else g for g in gradients)


@wrong(tasks.CLIP, "(list), а нужен кортеж из 3")
def clip_into_a_list(gradients, c):
    norm, clipped = clip_by_gluing(gradients, c)
    return norm, list(clipped)


@wrong(tasks.CLIP, "изменила свой аргумент gradients")
def clip_in_place(gradients, c):
    norm, _ = clip_by_gluing(gradients, c)
    for g in gradients:
        g *= min(1, c / norm)
    return norm, gradients


@wrong(tasks.CLIP, "вызвано torch.nn.utils.clip_grad")
def clip_of_torch(gradients, c):
    weights = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for weight, g in zip(weights, gradients, strict=True):
        weight.grad = g.clone()
    norm = nn.utils.clip_grad_norm_(weights, c)
    return norm, tuple(weight.grad for weight in weights)


@right(tasks.ORTHOGONAL)
def orthogonal_by_qr(A):
    Q, R = torch.linalg.qr(A)
    signs = torch.where(torch.diag(R) < 0, -1.0, 1.0).to(A)
    return Q @ torch.diag(signs)


@right(tasks.ORTHOGONAL)
def orthogonal_by_gram_and_schmidt(A):
    columns = []
    for a in A.T:
        for q in columns:
            a = a - (a @ q) * q
        columns.append(a / a.norm())
    return torch.stack(columns, dim=1)


@right(tasks.ORTHOGONAL)
def orthogonal_by_cholesky(A):
    return torch.linalg.solve_triangular(torch.linalg.cholesky(A.T @ A), A.T, upper=False).T


@wrong(tasks.ORTHOGONAL, "переверните столбец Q")
def orthogonal_as_it_comes(A):
    Q, _ = torch.linalg.qr(A)
    return Q


@wrong(tasks.ORTHOGONAL, "а перевёрнуты строки")
def orthogonal_with_rows_turned(A):
    Q, R = torch.linalg.qr(A)
    return torch.diag(R.diag().sign()) @ Q


@wrong(tasks.ORTHOGONAL, "но не перпендикулярны")
def orthogonal_of_unit_columns(A):
    return A / A.norm(dim=0, keepdim=True)


@wrong(tasks.ORTHOGONAL, "а нужны столбцы")
def orthogonal_by_rows(A):
    return orthogonal_by_gram_and_schmidt(A.T).T


@wrong(tasks.ORTHOGONAL, "ответ транспонирован")
def orthogonal_with_columns_stacked_as_rows(A):
    return orthogonal_by_gram_and_schmidt(A).T


@wrong(tasks.ORTHOGONAL, "а к длине 1 столбцы не приведены")
def orthogonal_without_lengths(A):
    columns = []
    for a in A.T:
        columns.append(a - sum((a @ q) / (q @ q) * q for q in columns))
    return torch.stack(columns, 1)


@wrong(tasks.ORTHOGONAL, "ближайшая к a ортогональная матрица")
def orthogonal_by_svd(A):
    U, _, V = torch.linalg.svd(A)
    return U @ V


@wrong(tasks.ORTHOGONAL, "вызвано torch.nn.init")
def orthogonal_of_torch(A):
    return nn.init.orthogonal_(A.clone())


@right(tasks.COPYING)
def copying_by_pieces(word, lag, K):
    B, S = word.shape

    def blanks(count):
        return torch.full((B, count), K)

    ids = torch.cat([word, blanks(lag - 1), torch.full((B, 1), K + 1), blanks(S)], dim=1)
    return ids, torch.cat([blanks(lag + S), word], dim=1)


@right(tasks.COPYING)
def copying_by_places(word, lag, K):
    S = word.shape[1]
    ids = torch.zeros(len(word), lag + 2 * S, dtype=torch.long) + K
    answer = ids.clone()
    ids[:, range(S)] = word
    ids[:, -S - 1] += 1
    answer[:, lag + S :] = word
    return ids, answer


@right(tasks.COPYING)
def copying_row_by_row(word, lag, K):
    ids, answer = [], []
    for row in word.tolist():
        ids.append(row + [K] * (lag - 1) + [K + 1] + [K] * len(row))
        answer.append([K] * (lag + len(row)) + row)
    return torch.tensor(ids), torch.tensor(answer)


@wrong(tasks.COPYING, "знак стоит на месте S + T − 1")
def copying_with_a_late_sign(word, lag, K):
    ids, answer = copying_by_places(word, lag, K)
    S = word.shape[1]
    ids[:, lag + S - 1], ids[:, lag + S] = K, K + 1
    return ids, answer


@wrong(tasks.COPYING, "формы")
def copying_with_one_blank_more(word, lag, K):
    return copying_by_pieces(word, lag + 1, K)


@wrong(tasks.COPYING, "нет знака")
def copying_without_a_sign(word, lag, K):
    ids, answer = copying_by_places(word, lag, K)
    ids[:, lag + word.shape[1] - 1] = K
    return ids, answer


@wrong(tasks.COPYING, "ответ подсмотрен")
def copying_that_shows_the_answer(word, lag, K):
    ids, answer = copying_by_places(word, lag, K)
    ids[:, -word.shape[1] :] = word
    return ids, answer


@wrong(tasks.COPYING, "а не нуль")
def copying_with_zeros_in_the_answer(word, lag, K):
    ids, answer = copying_by_places(word, lag, K)
    answer[:, : -word.shape[1]] = 0
    return ids, answer


@wrong(tasks.COPYING, "молчать тоже надо учить")
def copying_that_is_free_to_babble(word, lag, K):
    ids, answer = copying_by_places(word, lag, K)
    answer[:, : -word.shape[1]] = -100
    return ids, answer


@wrong(tasks.COPYING, "задом наперёд")
def copying_backwards(word, lag, K):
    ids, _ = copying_by_places(word, lag, K)
    return ids, copying_by_places(word.flip(1), lag, K)[1]


@wrong(tasks.COPYING, "torch.float32")
def copying_in_float(word, lag, K):
    ids = torch.ones(len(word), lag + 2 * word.shape[1]) * K
    ids[:, : word.shape[1]] = word
    ids[:, lag + word.shape[1] - 1] = K + 1
    return ids, copying_by_places(word, lag, K)[1]


def mine_given():
    """A, the inputs and g."""
    text, random = MINE["text"], torch.Generator().manual_seed(MINE["seed"])
    alphabet = sorted(set(text))
    A = torch.randn(8, 8, generator=random, dtype=torch.float64)
    M = torch.randn(len(alphabet), 8, generator=random, dtype=torch.float64)
    g = torch.full((8,), 8**-0.5, dtype=torch.float64)
    return A, torch.stack([M[alphabet.index(letter)] / 2 for letter in text]), g


def mine_states(x, U):
    h, states = torch.zeros(8, dtype=torch.float64), []
    for x_t in x:
        h = torch.tanh(x_t + U @ h)
        states.append(h)
    return torch.stack(states)


@right(MINE_TASK)
def mine_by_the_other_tasks():
    A, x, g = mine_given()
    U = MINE["stretch"] * orthogonal_by_qr(A)
    norms = norms_going_back(g, jacobians_by_diag(mine_states(x, U), U))
    return norms[-1].item() / MINE["stretch"] ** len(x)


@right(MINE_TASK)
def mine_that_never_stretches_the_gradient():
    A, x, g = mine_given()
    Q = orthogonal_by_gram_and_schmidt(A)
    for h in mine_states(x, MINE["stretch"] * Q).flip(0):
        g = Q.T @ ((1 - h**2) * g)
    return g.norm().item()


@right(MINE_TASK)
def mine_in_numpy():
    A, x, g = (part.numpy() for part in mine_given())
    Q, R = np.linalg.qr(A)
    U = MINE["stretch"] * Q * np.sign(np.diag(R))
    h, product = np.zeros(8), np.eye(8)
    for x_t in x:
        h = np.tanh(x_t + U @ h)
        product = np.diag(1 - h**2) @ U @ product
    return float(np.linalg.norm(g @ product) / MINE["stretch"] ** len(x))


@wrong(MINE_TASK, "поделите её на stretch^T")
def mine_as_a_length():
    return mine_in_numpy() * MINE["stretch"] ** len(MINE["text"])


@wrong(MINE_TASK, "знаки столбцов Q")
def mine_with_the_signs_of_qr():
    A, x, g = mine_given()
    Q = torch.linalg.qr(A).Q
    for h in mine_states(x, MINE["stretch"] * Q).flip(0):
        g = Q.T @ ((1 - h**2) * g)
    return g.norm().item()


@wrong(MINE_TASK, "вызвано torch.autograd")
def mine_by_autograd():
    _, _, g = mine_given()
    g.requires_grad_()
    torch.autograd.grad(g.sum(), g)
    return mine_in_numpy()
