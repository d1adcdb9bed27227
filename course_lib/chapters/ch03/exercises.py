"""Exercises of chapter 03: a meta-gradient on paper, MAML's loss for one task, and one outer
step."""

import torch

from course_lib.chapters.ch03.mistakes import MORE
from course_lib.classroom.exercises import Exercise, told

NAMESPACE = {}


# 03.meta_gradient: support loss s (theta - A)^2, query loss q (phi - A)^2


def meta_gradient(theta, A, s, q, alpha):
    phi = theta - alpha * 2 * s * (theta - A)
    return 2 * q * (phi - A) * (1 - 2 * alpha * s)


def meta_gradient_multiplied_out(theta, A, s, q, alpha):
    return 2 * q * (theta - A) * (1 - 2 * alpha * s) ** 2


def numbers(generator: torch.Generator) -> list[tuple]:
    """(theta, A, s, q, alpha) as plain numbers, and one case where a single step arrives: 2 alpha s
    = 1."""
    drawn = torch.rand(5, 5, generator=generator).tolist()
    return [
        (4 * t, 1 + 4 * a, 0.2 + s, 0.2 + q, 0.05 + 0.3 * alpha) for t, a, s, q, alpha in drawn
    ] + [(1.0, 3.0, 0.5, 0.7, 1.0)]


# 03.maml_loss


def maml_loss(theta, loss_of, support, query, alpha):
    (gradient,) = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)
    return loss_of(theta - alpha * gradient, query)


def maml_loss_by_func(theta, loss_of, support, query, alpha):
    return loss_of(theta - alpha * torch.func.grad(loss_of)(theta, support), query)


def phi_cut_off(theta, loss_of, support, query, alpha):
    (gradient,) = torch.autograd.grad(loss_of(theta, support), theta)
    return loss_of((theta - alpha * gradient).detach().requires_grad_(), query)


def two_steps(theta, loss_of, support, query, alpha):
    phi = theta
    for _ in range(2):
        (gradient,) = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)
        phi = phi - alpha * gradient
    return loss_of(phi, query)


def gives_phi(theta, loss_of, support, query, alpha):
    (gradient,) = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)
    return theta - alpha * gradient


def gives_gradient(theta, loss_of, support, query, alpha):
    loss = maml_loss(theta, loss_of, support, query, alpha)
    return torch.autograd.grad(loss, theta, create_graph=True)[0]


def wave_loss(parameters, data):
    """Mean squared error of A sin(x - p), parameters = (A, p), data = (x, y)."""
    x, y = data
    return (parameters[0] * torch.sin(x - parameters[1]) - y).square().mean()


def wave_cases(generator: torch.Generator) -> list[tuple]:
    """(theta, loss, support, query, alpha) for four sine waves."""
    cases = []
    for alpha in (0.05, 0.1, 0.2, 0.1):
        theta = (torch.rand(2, generator=generator) * 2 + 0.5).requires_grad_()
        A, p = (torch.rand(2, generator=generator) * 3 + 0.2).tolist()
        x = torch.rand(15, generator=generator) * 10 - 5
        y = A * torch.sin(x - p)
        cases.append((theta, wave_loss, (x[:5], y[:5]), (x[5:], y[5:]), alpha))
    return cases


# 03.outer_step


def outer_step(theta, task_losses, beta):
    mean = sum(loss(theta) for loss in task_losses) / len(task_losses)
    (gradient,) = torch.autograd.grad(mean, theta)
    return theta - beta * gradient


def outer_step_by_gradients(theta, task_losses, beta):
    gradients = [torch.autograd.grad(loss(theta), theta)[0] for loss in task_losses]
    return theta - beta * torch.stack(gradients).mean(0)


def one_after_the_other(theta, task_losses, beta):
    for loss in task_losses:
        theta = outer_step(theta.detach().requires_grad_(), [loss], beta / len(task_losses))
    return theta


def one_after_the_other_full(theta, task_losses, beta):
    for loss in task_losses:
        theta = outer_step(theta.detach().requires_grad_(), [loss], beta)
    return theta


def outer_cases(generator: torch.Generator) -> list[tuple]:
    """(theta, losses after adaptation of 2 to 4 tasks, beta)."""
    cases = []
    for tasks, beta in ((2, 0.1), (3, 0.05), (4, 0.2)):
        four = (wave_cases(generator) * 2)[:tasks]
        losses = [lambda t, c=case: maml_loss(t, *c[1:]) for case in four]
        cases.append((four[0][0], losses, beta))
    return cases


EXERCISES = (
    Exercise(
        "03.meta_gradient",
        solution=meta_gradient,
        cases=numbers,
        others=(meta_gradient_multiplied_out,),
        read="One parameter, on paper",
        mistakes={
            "2 * q * (theta - 2 * alpha * s * (theta - A) - A)": (
                "You have 2q·(phi − A), which is {got:.3f}. Either dphi/dtheta is missing, or "
                "you took the slope at theta instead of phi. When theta moves by 1, phi moves "
                "by 1 − 2·alpha·s; slope at phi times that factor is {wanted:.3f}."
            ),
            "2 * q * (theta - A)": (
                "You took the query loss at theta ({got:.3f}). The outer loss looks at phi, "
                "where the inner step ends; expected {wanted:.3f}."
            ),
            "meta_gradient(theta, A, s, s, alpha)": told(
                "Your outer loss uses the support set: s stands where q belongs, which gives "
                "{got:.3f} instead of {wanted:.3f}.",
                read="A mistake that still trains",
            ),
            (
                "2 * q * (theta - 2 * alpha * s * (theta - A) - A) * (1 - alpha * s)",
                "2 * q * (theta - alpha * s * (theta - A) - A) * (1 - 2 * alpha * s)",
            ): (
                "A 2 is missing, in phi or in the factor: one of them has alpha·s where it should "
                "have 2·alpha·s. The slope of s·(theta − A)² is 2s·(theta − A), and its slope is "
                "2s: {wanted:.3f} instead of {got:.3f}."
            ),
            (
                "2 * q * (theta - alpha * s * (theta - A) - A) * (1 - alpha * s)",
                "q * (theta - alpha * s * (theta - A) - A) * (1 - alpha * s)",
            ): (
                "You took the slope of (theta − A)² as theta − A: a 2 is missing in phi and in the "
                "factor. {wanted:.3f} is right, you have {got:.3f}."
            ),
            "q * (theta - 2 * alpha * s * (theta - A) - A) * (1 - 2 * alpha * s)": (
                "You have half of it, {got:.3f}: the slope of q·(phi − A)² is 2q·(phi − A)."
            ),
            (
                "2 * q * (theta - 2 * alpha * s * (theta - A) - A) * (1 - 2 * alpha)",
                "2 * q * (theta - 2 * alpha * (theta - A) - A) * (1 - 2 * alpha)",
                "2 * q * (theta - 2 * alpha * (theta - A) - A) * (1 - 2 * alpha * s)",
            ): (
                "The s of the support loss is missing, in phi or in the factor: the support loss "
                "is s·(theta − A)², so both contain 2·alpha·s. {wanted:.3f} instead of {got:.3f}."
            ),
            (
                "2 * q * (theta - 2 * alpha * s * (theta - A) - A) * (1 + 2 * alpha * s)",
                "2 * q * (theta + 2 * alpha * s * (theta - A) - A) * (1 + 2 * alpha * s)",
                "2 * q * (theta + 2 * alpha * s * (theta - A) - A) * (1 - 2 * alpha * s)",
            ): (
                "A sign is wrong: phi is theta *minus* alpha times the slope, so dphi/dtheta is "
                "1 *minus* 2·alpha·s. {wanted:.3f} instead of {got:.3f}."
            ),
            "2 * q * (theta - 2 * alpha * s * (theta - A) - A) * (-2 * alpha * s)": (
                "The 1 of dphi/dtheta is missing: phi is theta minus a step, and theta itself "
                "moves phi too. The factor is 1 − 2·alpha·s: {wanted:.3f} instead of {got:.3f}."
            ),
            "2 * q * (theta - 2 * alpha * s * (theta - A) - A) * (1 - 2 * alpha * q)": (
                "Your factor has q where s belongs: the inner step was made on the support set, "
                "so its slope is 1 − 2·alpha·s. {wanted:.3f} instead of {got:.3f}."
            ),
            "q * (theta - 2 * alpha * s * (theta - A) - A) ** 2": (
                "This is the query loss at phi, {got:.3f}. Asked for is its derivative with "
                "respect to theta, {wanted:.3f}."
            ),
            "theta - 2 * alpha * s * (theta - A)": (
                "This is phi, {got:.3f}: where the inner step ends. Asked for is how the query "
                "loss there changes with theta, {wanted:.3f}."
            ),
            **MORE["meta_gradient"],
        },
    ),
    Exercise(
        "03.maml_loss",
        solution=maml_loss,
        cases=wave_cases,
        others=(maml_loss_by_func,),
        gradients=True,
        read="The outer loss",
        mistakes={
            "maml_loss(theta, loss_of, support, support, alpha)": told(
                "Your outer loss uses the support set: it is {got:.2f}, the query loss is "
                "{wanted:.2f}. The inner loop learns from support; the outer loop judges on query.",
                read="A mistake that still trains",
            ),
            "loss_of(theta, query)": (
                "You judged theta before adaptation: {got:.2f}. After the inner step the query "
                "loss is {wanted:.2f}."
            ),
            "theta, create_graph=True -> theta": told(
                "The loss is right, but its gradient with respect to theta is {got:.3f} where "
                "{wanted:.3f} is right: the inner gradient is a constant in your graph. That is "
                "first-order MAML; `create_graph=True` keeps the second derivative.",
                read="Way 1: written out",
            ),
            phi_cut_off: told(
                "The number is right, but no gradient reaches theta where {wanted:.3f} was "
                "expected: somewhere the thread is cut, by `.detach()`, `.item()` or a new "
                "tensor. Detach gradients if you must, never phi or the loss.",
                read="Which edge may you cut",
            ),
            "maml_loss(theta, loss_of, query, support, alpha)": (
                "Support and query have changed places: you adapt on query and judge on support "
                "({got:.2f} instead of {wanted:.2f})."
            ),
            "maml_loss(theta, loss_of, support, query, -alpha)": (
                "Your inner step climbs: after it the query loss is {got:.2f} instead of "
                "{wanted:.2f}. phi is theta minus alpha times the gradient."
            ),
            "maml_loss(theta, loss_of, support, query, 1.0)": (
                "Your inner step lacks alpha: the query loss is {got:.2f} instead of {wanted:.2f}."
            ),
            (
                "maml_loss(theta, loss_of, support, query, alpha) + loss_of(theta, support)",
                "maml_loss(theta, loss_of, support, query, alpha)"
                " + maml_loss(theta, loss_of, support, support, alpha)",
            ): (
                "You added a support loss: {got:.2f} instead of {wanted:.2f}. The support set has "
                "done its work in the inner step; the outer loss is the query loss alone."
            ),
            "loss_of(theta, query) - maml_loss(theta, loss_of, support, query, alpha)": (
                "This is how much the step gains, {got:.2f}. A large gain can come from a bad "
                "start: MAML's loss is the query loss after the step, {wanted:.2f}."
            ),
            "maml_loss(theta, loss_of, support, query, 0.1)": (
                "You wrote 0.1 where alpha belongs: right where alpha happens to be 0.1, and "
                "{got:.2f} instead of {wanted:.2f} elsewhere."
            ),
            two_steps: (
                "You took two inner steps: {got:.2f}. Asked for is the loss after one, "
                "{wanted:.2f}."
            ),
            gives_phi: (
                "You return phi, the adapted parameters. MAML's loss is one number: what the "
                "query set says about phi, {wanted}."
            ),
            gives_gradient: (
                "You return a gradient. Asked for is the loss itself, {wanted}, as a tensor that "
                "can still be differentiated."
            ),
            "maml_loss(theta, loss_of, query, query, alpha)": (
                "You adapted on the query set: the loss {got:.2f} is flattered, {wanted:.2f} is "
                "honest. At test time nobody gives you the query targets."
            ),
            **MORE["maml_loss"],
        },
    ),
    Exercise(
        "03.outer_step",
        solution=outer_step,
        cases=outer_cases,
        others=(outer_step_by_gradients,),
        read="The outer loss",
        mistakes={
            "outer_step(theta, task_losses, beta * len(task_losses))": (
                "You added the task losses up: the step is as many times too long as there are "
                "tasks ({got:.3f} instead of {wanted:.3f}). With a mean, beta means the same "
                "for 2 tasks and for 25."
            ),
            "outer_step(theta, task_losses[-1:], beta)": (
                "Only the last task moved theta: {got:.3f} instead of {wanted:.3f}. A start is "
                "for all tasks."
            ),
            one_after_the_other: (
                "You moved theta after each task, so later tasks were judged from another "
                "start: {got:.4f} instead of {wanted:.4f}. One outer step uses one theta for "
                "the whole batch."
            ),
            one_after_the_other_full: (
                "You take a whole step after each task, each from where the last one ended: "
                "{got:.3f} instead of {wanted:.3f}. One outer step judges all tasks at one "
                "theta, and averages."
            ),
            "outer_step(theta, task_losses[:1], beta)": (
                "Only the first task moved theta: {got:.3f} instead of {wanted:.3f}. Is a "
                "`return` inside the loop?"
            ),
            "theta - beta * sum(loss(theta) for loss in task_losses) / len(task_losses)": (
                "You subtract the loss itself: {got:.3f} instead of {wanted:.3f}. A step goes "
                "along the *gradient* of the mean loss with respect to theta."
            ),
            "(theta - outer_step(theta, task_losses, 1.0)).detach()": (
                "This is the gradient, {got:.3f}. Asked for is the new theta: theta − beta · "
                "gradient, {wanted:.3f}."
            ),
            "(theta - outer_step(theta, task_losses, beta)).detach()": (
                "This is the step, {got:.3f}. Asked for is where it leads: theta minus it, "
                "{wanted:.3f}."
            ),
            "outer_step(theta, task_losses, 1.0)": (
                "Your step lacks beta: {got:.3f} instead of {wanted:.3f}."
            ),
            "outer_step(theta, task_losses, -beta)": (
                "Your outer step climbs: {got:.3f} instead of {wanted:.3f}. It is gradient "
                "descent once more."
            ),
            **MORE["outer_step"],
        },
    ),
)
