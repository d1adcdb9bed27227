"""Exercises of chapter 05: a step of Reptile, Meta-SGD's loss for one task, and the implicit
gradient."""

import torch

from course_lib.chapters.ch05.mistakes import MORE
from course_lib.classroom.exercises import Exercise, told

NAMESPACE = {}


def wave_loss(parameters, data):
    """Mean squared error of A sin(x - p), parameters = (A, p), data = (x, y)."""
    x, y = data
    return (parameters[0] * torch.sin(x - parameters[1]) - y).square().mean()


def waves(generator: torch.Generator, count: int, points: int) -> list[tuple]:
    """(theta, points of one sine wave as (x, y)), ``count`` times."""
    found = []
    for _ in range(count):
        theta = (torch.rand(2, generator=generator) * 2 + 0.5).requires_grad_()
        A, p = (torch.rand(2, generator=generator) * 3 + 0.2).tolist()
        x = torch.rand(points, generator=generator) * 10 - 5
        found.append((theta, (x, A * torch.sin(x - p))))
    return found


def slope_of(loss_of, theta, data):
    phi = theta.detach().requires_grad_()
    return torch.autograd.grad(loss_of(phi, data), phi)[0]


# 05.reptile_step


def reptile_step(theta, loss_of, batches, alpha, epsilon):
    phi = theta.detach()
    for batch in batches:
        phi = phi - alpha * slope_of(loss_of, phi, batch)
    return theta.detach() + epsilon * (phi - theta.detach())


def by_sum_of_gradients(theta, loss_of, batches, alpha, epsilon):
    phi, total = theta.detach(), torch.zeros_like(theta)
    for batch in batches:
        g = slope_of(loss_of, phi, batch)
        phi, total = phi - alpha * g, total + g
    return theta.detach() - epsilon * alpha * total


def as_if_it_were_the_query_gradient(theta, loss_of, batches, alpha, epsilon):
    phi = reptile_step(theta, loss_of, batches[:-1], alpha, 1.0)
    return theta.detach() - epsilon * slope_of(loss_of, phi, batches[-1])


def never_walking(theta, loss_of, batches, alpha, epsilon):
    total = sum(slope_of(loss_of, theta, batch) for batch in batches)
    return theta.detach() - epsilon * alpha * total


def reptile_cases(generator):
    cases = []
    for (theta, (x, y)), steps, alpha in zip(
        waves(generator, 4, 12), (2, 3, 4, 3), (0.1, 0.05, 0.1, 0.2), strict=True
    ):
        batches = [(x[j::steps], y[j::steps]) for j in range(steps)]
        cases.append((theta, wave_loss, batches, alpha, 0.3))
    return cases


# 05.meta_sgd_loss


def meta_sgd_loss(theta, alpha, loss_of, support, query):
    (gradient,) = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)
    return loss_of(theta - alpha * gradient, query)


def meta_sgd_loss_by_func(theta, alpha, loss_of, support, query):
    step = torch.func.grad(loss_of)(theta, support).mul(alpha)
    return loss_of(theta.sub(step), query)


def meta_sgd_cases(generator):
    cases = []
    for theta, (x, y) in waves(generator, 5, 15):
        alpha = torch.randn(2, generator=generator) * 0.1  # of both signs
        halves = (x[:5], y[:5]), (x[5:], y[5:])
        cases.append((theta, alpha.requires_grad_(), wave_loss, *halves))
    return cases


# 05.implicit


def implicit(g, H, lam):
    return torch.linalg.solve(torch.eye(len(g)) + H / lam, g)


def implicit_by_inverse(g, H, lam):
    return torch.linalg.inv(torch.eye(len(g)) + H / lam) @ g


def implicit_multiplied(g, H, lam):
    return torch.linalg.solve(H + lam * torch.eye(len(g)), lam * g)


def implicit_cases(generator):
    cases = []
    for size, lam in ((2, 0.5), (3, 2.0), (4, 1.5), (3, 0.3)):
        B = torch.randn(size, size, generator=generator)
        g = torch.randn(size, generator=generator)
        cases.append((g, B @ B.T / size + 0.1 * torch.eye(size), lam))
    return cases


EXERCISES = (
    Exercise(
        "05.reptile_step",
        solution=reptile_step,
        cases=reptile_cases,
        others=(by_sum_of_gradients,),
        read="Reptile in six lines",
        mistakes={
            as_if_it_were_the_query_gradient: (
                "You took the last batch for a query set and moved along its gradient ({got:.3f} "
                "instead of {wanted:.3f}). That is first-order MAML. Reptile has no query set: it "
                "moves along the difference phi − theta, in which every batch has a share."
            ),
            never_walking: told(
                "All your gradients are taken at theta ({got:.3f} instead of {wanted:.3f}): that "
                "is joint training. Each step has to start where the last one ended.",
                read="One step is not enough",
            ),
            "reptile_step(theta, loss_of, batches, alpha, 1.0)": (
                "You returned phi, the end of the walk ({got:.3f}). theta goes only the share "
                "epsilon of the way: {wanted:.3f}."
            ),
            "reptile_step(theta, loss_of, batches, alpha, -epsilon)": (
                "You walk away from phi: {got:.3f} instead of {wanted:.3f}. theta moves *towards* "
                "the end of the walk."
            ),
            "reptile_step(theta, loss_of, batches[:1], alpha, epsilon)": told(
                "Only the first batch was used: {got:.3f} instead of {wanted:.3f}. With one step "
                "Reptile is joint training. Is a `return` inside the loop?",
                read="One step is not enough",
            ),
            "reptile_step(theta, loss_of, batches, alpha, epsilon / alpha)": (
                "You divided by alpha, as if the difference were to be turned into a gradient "
                "({got:.3f}). epsilon is a share of the way to phi: {wanted:.3f}."
            ),
            **MORE["reptile_step"],
        },
    ),
    Exercise(
        "05.meta_sgd_loss",
        solution=meta_sgd_loss,
        cases=meta_sgd_cases,
        others=(meta_sgd_loss_by_func,),
        gradients=True,
        read="Meta-SGD",
        mistakes={
            "meta_sgd_loss(theta, alpha.mean(), loss_of, support, query)": (
                "You took one rate for all, the mean of alpha: the loss is {got:.3f} instead of "
                "{wanted:.3f}. Each weight has its own, and the product goes number by number."
            ),
            "meta_sgd_loss(theta, alpha.abs(), loss_of, support, query)": (
                "You made the rates positive ({got:.3f} instead of {wanted:.3f}). Meta-SGD leaves "
                "their signs free."
            ),
            "theta - alpha * gradient -> theta - alpha.detach() * gradient": (
                "The loss is right, but no gradient reaches alpha where {wanted:.3f} was expected: "
                "the rates would never be learned."
            ),
            "theta, create_graph=True -> theta": (
                "The loss is right, but its gradient with respect to theta is {got:.3f} where "
                "{wanted:.3f} is right: the inner gradient is a constant in your graph."
            ),
            "meta_sgd_loss(theta, alpha, loss_of, support, support)": (
                "You judged on the support set ({got:.3f} instead of {wanted:.3f}): the outer loss "
                "looks at the query set."
            ),
            "meta_sgd_loss(theta, -alpha, loss_of, support, query)": (
                "You added the step: {got:.3f} instead of {wanted:.3f}. phi is theta *minus* alpha "
                "times the gradient, even where an entry of alpha is negative."
            ),
            **MORE["meta_sgd_loss"],
        },
    ),
    Exercise(
        "05.implicit",
        solution=implicit,
        cases=implicit_cases,
        others=(implicit_by_inverse, implicit_multiplied),
        read="The gradient of an end point",
        mistakes={
            "g * 1.0": (
                "This is the query gradient itself ({got:.3f}), first order: as if phi moved as "
                "far as theta does. The inverse says how far it does: {wanted:.3f}."
            ),
            "g - H @ g / lam": (
                "You multiplied by I − H/lambda ({got:.3f} instead of {wanted:.3f}): the first two "
                "terms of the series for the inverse, good only where H is small beside lambda."
            ),
            "g + H @ g / lam": (
                "You multiplied by I + H/lambda ({got:.3f}). The formula has its *inverse*: "
                "`torch.linalg.solve`, {wanted:.3f}."
            ),
            "torch.linalg.solve(H + lam * torch.eye(len(g)), g)": (
                "You solved with H + lambda·I, which leaves a factor lambda out: {got:.3f} instead "
                "of {wanted:.3f}. Put the slope of the inner problem to zero and differentiate."
            ),
            "torch.linalg.solve(torch.eye(len(g)) + lam * H, g)": (
                "lambda stands upside down: {got:.3f} instead of {wanted:.3f}. A strong spring, a "
                "large lambda, must make phi follow theta, and the inverse tend to I."
            ),
            **MORE["implicit"],
        },
    ),
)
