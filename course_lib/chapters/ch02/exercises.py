"""Exercises of chapter 02: one inner step, the inner loop, and the longest safe step."""

import torch

from course_lib.chapters.ch02.mistakes import MORE
from course_lib.classroom.exercises import Exercise, told

NAMESPACE = {}


def bowls(generator: torch.Generator) -> list[tuple]:
    """(start, loss function, alpha) for bowls of several shapes and sizes, and one loss that is no
    bowl."""
    cases = []
    for size, alpha in ((1, 0.05), (2, 0.1), (4, 0.02)):
        factor = torch.randn(size, size, generator=generator)
        H, bottom = factor @ factor.T + torch.eye(size), torch.randn(size, generator=generator)
        theta = torch.randn(size, generator=generator).requires_grad_()
        cases.append((theta, lambda t, H=H, b=bottom: 0.5 * (t - b) @ H @ (t - b), alpha))
    theta = torch.tensor([1.0, 2.2], requires_grad=True)
    x = torch.linspace(-4, 4, 5)
    y = 3 * torch.sin(x - 1)
    cases.append((theta, lambda t: (t[0] * torch.sin(x - t[1]) - y).square().mean(), 0.1))
    return cases


def inner_step(theta, loss_of, alpha):
    (gradient,) = torch.autograd.grad(loss_of(theta), theta)
    return theta - alpha * gradient


def inner_step_by_backward(theta, loss_of, alpha):
    copy = theta.detach().clone().requires_grad_()
    loss_of(copy).backward()
    return theta - copy.grad * alpha


def adapt(theta, loss_of, alpha, k):
    path = [theta]
    for _ in range(k):
        path.append(inner_step(path[-1], loss_of, alpha))
    return path


def adapt_detached(theta, loss_of, alpha, k):
    path = [theta]
    while len(path) <= k:
        here = path[-1].detach().requires_grad_()
        path.append(here - alpha * torch.autograd.grad(loss_of(here), here)[0])
    return path


def gradient_of_the_start(theta, loss_of, alpha, k):
    (gradient,) = torch.autograd.grad(loss_of(theta), theta)
    return [theta - j * alpha * gradient for j in range(k + 1)]


def gradients_pile_up(theta, loss_of, alpha, k):
    here, pile, path = theta.detach(), 0, [theta]
    for _ in range(k):
        here = here.detach().requires_grad_()
        pile = pile + torch.autograd.grad(loss_of(here), here)[0]
        here = here - alpha * pile
        path.append(here)
    return path


def longest_step(H):
    return 2 / torch.linalg.eigvalsh(H).max()


def longest_step_by_norm(H):
    return 2 / torch.linalg.matrix_norm(H, ord=2)


def diagonal(H):
    return 2 / H.diagonal().max()


def curvature_tables(generator: torch.Generator) -> list[tuple]:
    """Symmetric positive matrices, one of them with its large curvature off the axes."""
    cases = [(torch.tensor([[4.0, 0.0], [0.0, 1.0]]),), (torch.tensor([[2.0, 1.9], [1.9, 2.0]]),)]
    for size in (3, 5):
        factor = torch.randn(size, size, generator=generator)
        cases.append((factor @ factor.T + 0.1 * torch.eye(size),))
    return cases


EXERCISES = (
    Exercise(
        "02.inner_step",
        solution=inner_step,
        cases=bowls,
        others=(inner_step_by_backward,),
        read="One step, by hand",
        mistakes={
            "theta + alpha * torch.autograd.grad(loss_of(theta), theta)[0]": (
                "Your step goes up the hill: the sign is turned round. You got {got:.3f} where "
                "{wanted:.3f} was expected. The gradient points to where the loss grows."
            ),
            "theta - torch.autograd.grad(loss_of(theta), theta)[0]": (
                "Your step has the right direction, but alpha is missing: you got {got:.3f}, "
                "expected {wanted:.3f}."
            ),
            "-alpha * torch.autograd.grad(loss_of(theta), theta)[0]": (
                "You returned the step itself, not the place it leads to: {got:.3f} instead of "
                "{wanted:.3f}. phi is theta plus the step."
            ),
            "torch.autograd.grad(loss_of(theta), theta)[0]": (
                "You returned the gradient, {got:.3f}. One more line: step against it from "
                "theta, which leads to {wanted:.3f}."
            ),
            "theta - alpha * loss_of(theta)": (
                "You stepped by alpha times the loss. The loss says how wrong you are ({got:.3f} "
                "instead of {wanted:.3f} came out); only its gradient says where to go."
            ),
            **MORE["inner_step"],
        },
    ),
    Exercise(
        "02.adapt",
        solution=adapt,
        cases=lambda generator: (
            [(*case, k) for case, k in zip(bowls(generator), (3, 5, 1, 4), strict=False)]
            + [(*bowls(generator)[1], 0)]
        ),
        others=(adapt_detached,),
        read="Many steps: the loop",
        mistakes={
            gradient_of_the_start: (
                "Every one of your steps uses the gradient at theta: you walk straight on "
                "({got:.3f} instead of {wanted:.3f}). Take the gradient at the last station."
            ),
            (
                "inner_step(path[-1], loss_of, alpha) -> theta - alpha * "
                "torch.autograd.grad(loss_of(path[-1]), path[-1])[0]"
            ): (
                "Your gradients are taken where the walk is, but every step leaves from theta "
                "again ({got:.3f} instead of {wanted:.3f}). A step leaves from the last station."
            ),
            "[adapt(theta, loss_of, alpha, k)[-1]] * (k + 1)": (
                "All stations of your path are the same tensor, {got:.3f}: you changed one tensor "
                "in place and appended it again and again. Make a new tensor at each step."
            ),
            gradients_pile_up: (
                "Your gradients pile up: `backward` adds to `.grad`, so the second step still "
                "contains the first gradient ({got:.3f} instead of {wanted:.3f}). Use "
                "`torch.autograd.grad`, or clear `.grad`."
            ),
            "adapt(theta, loss_of, alpha, k)[1:]": lambda n: (
                f"Your path has {len(n.result)} stations and {len(n.right)} were expected: "
                "phi^0 = theta belongs to it."
            ),
            "adapt(theta, loss_of, alpha, k)[-1]": lambda n: (
                f"You returned the last station alone. The path is a list of {len(n.right)} "
                "tensors, from phi^0 to phi^k."
            ),
            "adapt(theta, loss_of, -alpha, k)": told(
                "Your steps climb: after the first one you stand at {got:.3f} instead of "
                "{wanted:.3f}. Descent needs the minus sign.",
                read="One step, by hand",
            ),
            **MORE["adapt"],
        },
    ),
    Exercise(
        "02.longest_step",
        solution=longest_step,
        cases=curvature_tables,
        others=(longest_step_by_norm,),
        read="How long may a step be",
        mistakes={
            "2 / -> 1 /": (
                "At your alpha = {got:.3f} one step lands exactly on the bottom of the most "
                "curved direction. That is the best step, not the longest: the walk still "
                "arrives up to {wanted:.3f}."
            ),
            "max -> min": (
                "You used the smallest curvature and got {got:.3f}. The most curved direction "
                "breaks first, at {wanted:.3f}."
            ),
            "(H).max() -> (H)": lambda n: (
                f"You return {n.result.numel()} limits, one per direction. A step has "
                "one length for all of them: which direction breaks first? Here the answer is "
                f"{float(n.right):.3f}."
            ),
            "2 / torch -> torch": (
                "You returned the largest curvature, {got:.3f}. The step that multiplies the "
                "distance by −1 is 2 divided by it: {wanted:.3f}."
            ),
            ".max() -> [1]": (
                "You took the second curvature, which is the largest only for a 2 × 2 table: "
                "{got:.3f} instead of {wanted:.3f}."
            ),
            "2 / H.diagonal().max()": (
                "You read the curvatures off the diagonal and got {got:.3f}. The steepest "
                "direction may lie between the axes: the eigenvalues of H give {wanted:.3f}."
            ),
            "2 / H.trace()": (
                "You added all curvatures up and got {got:.3f}. Directions do not share a "
                "budget: the largest alone decides, {wanted:.3f}."
            ),
            **MORE["longest_step"],
        },
    ),
)
