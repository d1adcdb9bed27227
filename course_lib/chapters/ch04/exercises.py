"""Exercises of chapter 04: a first-order loss, a Hessian-vector product, the walk back, bytes kept,
and a meta-gradient on a diet."""

import torch

from course_lib.chapters.ch04.mistakes import MORE
from course_lib.classroom.exercises import Exercise
from course_lib.training.peak_memory import peak_memory

NAMESPACE = {}


# problems: a small network's loss, as a function of one vector of parameters


def tanh_loss(parameters, data):
    """Mean squared error of v . tanh(W x), 3 hidden units; parameters (12,), data = (x, y)."""
    x, y = data
    W, v = parameters[:9].view(3, 3), parameters[9:]
    return (torch.tanh(x @ W) @ v - y).square().mean()


def points(generator, n: int = 8):
    x = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return x, x.sum(1).sin()


def start(generator):
    return torch.randn(12, generator=generator, dtype=torch.float64).requires_grad_()


# 04.first_order


def first_order_loss(theta, loss_of, support, query, alpha):
    (gradient,) = torch.autograd.grad(loss_of(theta, support), theta)
    return loss_of(theta - alpha * gradient, query)


def first_order_by_detach(theta, loss_of, support, query, alpha):
    (gradient,) = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)
    return loss_of(theta - alpha * gradient.detach(), query)


def phi_cut_off(theta, loss_of, support, query, alpha):
    (gradient,) = torch.autograd.grad(loss_of(theta, support), theta)
    return loss_of((theta - alpha * gradient).detach().requires_grad_(), query)


def first_order_cases(generator: torch.Generator) -> list[tuple]:
    return [
        (start(generator), tanh_loss, points(generator), points(generator), alpha)
        for alpha in (0.05, 0.2, 0.4)
    ]


# 04.hessian_vector


def hessian_vector(loss_of, theta, v):
    (gradient,) = torch.autograd.grad(loss_of(theta), theta, create_graph=True)
    (Hv,) = torch.autograd.grad(gradient @ v, theta)
    return Hv


def hessian_vector_forward(loss_of, theta, v):
    return torch.func.jvp(torch.func.grad(loss_of), (theta.detach(),), (v,))[1]


def slope_at(loss_of, theta):
    at = theta.detach().requires_grad_()
    return torch.autograd.grad(loss_of(at), at)[0]


def difference(loss_of, theta, v, ahead=1.0, behind=-1.0, h=1e-5, over=2e-5):
    """(gradient at theta + ahead h v, less that at theta + behind h v) / over."""
    there, here = (slope_at(loss_of, theta.detach() + s * h * v) for s in (ahead, behind))
    return (there - here) / over


def hessian_vector_central(loss_of, theta, v):
    return difference(loss_of, theta, v)


def diagonal_only(loss_of, theta, v):
    H = torch.autograd.functional.hessian(loss_of, theta)
    return H.diagonal() * v


def hessian_cases(generator: torch.Generator) -> list[tuple]:
    cases = []
    for _ in range(4):
        data, theta = points(generator), start(generator)
        v = torch.randn(12, generator=generator, dtype=torch.float64)
        cases.append((lambda t, d=data: tanh_loss(t, d), theta, v))
    return cases


# 04.walk_back


def walk_back(v, hessians, alpha):
    for H in reversed(hessians):
        v = v - alpha * H @ v
    return v


def walk_back_by_matrix(v, hessians, alpha):
    whole = torch.eye(len(v), dtype=v.dtype)
    for H in hessians:
        whole = whole @ (torch.eye(len(v), dtype=v.dtype) - alpha * H)
    return whole @ v


def walk_cases(generator: torch.Generator) -> list[tuple]:
    cases = []
    for steps in (2, 3, 5):
        drawn = torch.randn(steps, 4, 4, generator=generator, dtype=torch.float64)
        v = torch.randn(4, generator=generator, dtype=torch.float64)
        cases.append((v, list(drawn + drawn.mT), 0.1))
    return cases


# 04.kept


def kept_megabytes(k, items, activations, parameters):
    step = items * activations + parameters
    return 4 * k * step / 1e6


def kept_step_by_step(k, items, activations, parameters):
    return sum(4 * (items * activations + parameters) for _ in range(k)) / 1e6


def kept_cases(generator: torch.Generator) -> list[tuple]:
    return [(1, 10, 80, 1761), (5, 5, 200_000, 112_000), (32, 25, 200_000, 112_000)]


# 04.diet, the open one


def diet(theta, loss_of, support, query, alpha, k):
    path = [theta.detach()]
    for _ in range(k):
        path.append(path[-1] - alpha * slope_at(lambda t: loss_of(t, support), path[-1]))
    v = slope_at(lambda t: loss_of(t, query), path.pop())
    while path:
        at = path.pop().requires_grad_()
        v = v - alpha * hessian_vector(lambda t: loss_of(t, support), at, v)
    return v


def diet_forward(theta, loss_of, support, query, alpha, k):
    inner = torch.func.grad(loss_of)
    path = [theta.detach()]
    for _ in range(k):
        path.append(path[-1] - alpha * inner(path[-1], support))
    v = inner(path.pop(), query)
    while path:
        v = v - alpha * torch.func.jvp(lambda t: inner(t, support), (path.pop(),), (v,))[1]
    return v


def whole_graph(theta, loss_of, support, query, alpha, k):
    phi = theta
    for _ in range(k):
        (gradient,) = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)
        phi = phi - alpha * gradient
    return torch.autograd.grad(loss_of(phi, query), theta)[0]


def first_order_only(theta, loss_of, support, query, alpha, k):
    phi = theta.detach()
    for _ in range(k):
        phi = phi - alpha * slope_at(lambda t: loss_of(t, support), phi)
    return slope_at(lambda t: loss_of(t, query), phi)


def diet_cases(generator: torch.Generator) -> list[tuple]:
    return [
        (start(generator), tanh_loss, points(generator), points(generator), 0.2, k)
        for k in (1, 3, 6)
    ]


def held(function, k: int = 20) -> int:
    """Peak bytes of a meta-gradient through k steps on 2000 points."""
    generator = torch.Generator().manual_seed(1)
    data = points(generator, 2000), points(generator, 8)
    theta = start(generator)
    return peak_memory(lambda: function(theta, tanh_loss, *data, 0.2, k))


def is_frugal(function) -> str | None:
    whole, yours = held(whole_graph), held(function)
    if yours <= whole / 3:
        return None
    return (
        f"The numbers are right. Through 20 steps on 2000 points it holds {yours / 1e6:.1f} MB at "
        f"its worst moment; the whole graph holds {whole / 1e6:.1f} MB, and a third of that is "
        "asked for."
    )


EXERCISES = (
    Exercise(
        "04.first_order",
        solution=first_order_loss,
        cases=first_order_cases,
        others=(first_order_by_detach,),
        gradients=True,
        read="What does the second derivative add to the graph?",
        mistakes={
            phi_cut_off: (
                "The number is right, and no gradient reaches theta where {wanted:.3f} was "
                "expected. You cut the graph at phi. First order cuts at the *gradient*: "
                "phi = theta - alpha * gradient must keep the theta in front."
            ),
            "support), theta) -> support), theta, create_graph=True)": (
                "The gradient that reaches theta is {got:.3f}, the full second-order one; first "
                "order gives {wanted:.3f}. `create_graph=True` keeps the inner gradient's graph: "
                "leave it out, or detach the gradient."
            ),
            "loss_of(theta, query)": (
                "You judged theta, not phi: {got:.3f} instead of {wanted:.3f}. First order drops "
                "the second derivative, not the inner step."
            ),
            "first_order_loss(theta, loss_of, support, support, alpha)": (
                "Your outer loss looks at the support set: {got:.3f} instead of {wanted:.3f}."
            ),
            "first_order_loss(theta, loss_of, support, query, -alpha)": (
                "Your inner step climbs: {got:.3f} instead of {wanted:.3f}."
            ),
            **MORE["first_order"],
        },
    ),
    Exercise(
        "04.hessian_vector",
        solution=hessian_vector,
        cases=hessian_cases,
        others=(hessian_vector_forward, hessian_vector_central),
        read="Curvature in one direction",
        mistakes={
            "difference(loss_of, theta, v, ahead=-1.0, behind=1.0)": (
                "The sign is turned: {got:.3f} instead of {wanted:.3f}. The difference is the "
                "gradient *ahead* of theta along v, minus the one behind."
            ),
            "difference(loss_of, theta, v, over=1e-5)": (
                "Twice too much: {got:.3f} instead of {wanted:.3f}. From theta - h v to "
                "theta + h v the way is 2h, so divide by 2h."
            ),
            "difference(loss_of, theta, v, h=0.5, over=1.0)": (
                "Your step is too long: {got:.3f} instead of {wanted:.3f}. With h = 0.5 the "
                "gradient bends on the way. In float64, h = 1e-5 does well."
            ),
            "difference(loss_of, theta, v, over=1.0)": (
                "You forgot to divide by the way gone: {got:.2g} instead of {wanted:.3f}."
            ),
            diagonal_only: (
                "You multiplied by the diagonal of H alone: {got:.3f} instead of {wanted:.3f}. "
                "Every entry of the gradient changes when theta moves along v."
            ),
            "slope_at(loss_of, theta) * v": (
                "This is the gradient times v, entry by entry: {got:.3f} instead of {wanted:.3f}. "
                "It must be differentiated once more."
            ),
            "hessian_vector(loss_of, theta, v / v.norm())": (
                "You made v one long first: {got:.3f} instead of {wanted:.3f}. H v is linear in "
                "v: its length counts."
            ),
            **MORE["hessian_vector"],
        },
    ),
    Exercise(
        "04.walk_back",
        solution=walk_back,
        cases=walk_cases,
        others=(walk_back_by_matrix,),
        read="Walk back instead of keeping the graph",
        mistakes={
            "reversed(hessians) -> hessians": (
                "You walk forward: {got:.3f} instead of {wanted:.3f}. The last step is the first "
                "that the gradient meets on its way back, and matrices do not commute."
            ),
            "v - alpha * H @ v -> v + alpha * H @ v": (
                "The sign of the step is turned: {got:.3f} instead of {wanted:.3f}. "
                "phi = theta - alpha * gradient gives the factor I - alpha * H."
            ),
            "v - alpha * H @ v -> v - H @ v": (
                "alpha is missing: {got:.3f} instead of {wanted:.3f}."
            ),
            "v - alpha * H @ v -> -alpha * H @ v": (
                "The identity is missing: {got:.3f} instead of {wanted:.3f}. Each step keeps phi "
                "itself, and that is the path first order is left with."
            ),
            "v - alpha * sum(hessians) @ v": (
                "You took all steps at once: {got:.3f} instead of {wanted:.3f}. The product of "
                "(I - alpha H) has more terms than the sum."
            ),
            "v": "This is the first-order gradient, {got:.3f}; the walk back ends at {wanted:.3f}.",
            **MORE["walk_back"],
        },
    ),
    Exercise(
        "04.kept",
        solution=kept_megabytes,
        cases=kept_cases,
        others=(kept_step_by_step,),
        read="Count what is kept",
        mistakes={
            "4 * k * (items * activations + parameters**2) / 1e6": (
                "You counted the Hessian, p x p numbers: {got:.3g} MB instead of {wanted:.3g}. "
                "Nobody writes it down. What is kept is what its product with a vector needs."
            ),
            "4 * (items * activations + parameters) / 1e6": (
                "You counted one step: {got:.3g} MB instead of {wanted:.3g}. All k stay until the "
                "backward pass."
            ),
            "k * (items * activations + parameters) / 1e6": (
                "You counted numbers, not bytes: a float32 takes 4. {got:.3g} instead of "
                "{wanted:.3g} MB."
            ),
            "4 * k * (activations + parameters) / 1e6": (
                "You counted the activations of one item: {got:.3g} MB instead of {wanted:.3g}. "
                "Each of the items leaves its own."
            ),
            "4 * k * items * (activations + parameters) / 1e6": (
                "You counted parameters once an item: {got:.3g} MB instead of {wanted:.3g}. All "
                "items of a step share one phi."
            ),
            "4 * k * items * activations / 1e6": (
                "The parameters of each step are missing: {got:.3g} MB instead of {wanted:.3g}. "
                "Every phi is a new copy."
            ),
            **MORE["kept"],
        },
    ),
    Exercise(
        "04.diet",
        solution=diet,
        cases=diet_cases,
        others=(diet_forward,),
        read="Walk back instead of keeping the graph",
        properties=(("frugal", is_frugal),),
        mistakes={
            whole_graph: (
                "The numbers are right, and the graph of all k steps is kept: more than a third "
                "of the plain way's memory. Keep the phis alone, and walk back with one "
                "Hessian-vector product a step."
            ),
            first_order_only: (
                "This is the first-order gradient: {got:.3f} instead of {wanted:.3f}. Little "
                "memory, and another direction."
            ),
            "path.pop().requires_grad_() -> path.pop(0).requires_grad_()": (
                "You walk back from the wrong end: {got:.3f} instead of {wanted:.3f}. The last "
                "phi before the end comes first."
            ),
            "diet(theta, loss_of, query, query, alpha, k)": (
                "You adapt on the query set: {got:.3f} instead of {wanted:.3f}."
            ),
            "v - alpha * hessian_vector -> v + alpha * hessian_vector": (
                "The sign of the step is turned: {got:.3f} instead of {wanted:.3f}."
            ),
            **MORE["diet"],
        },
    ),
)
