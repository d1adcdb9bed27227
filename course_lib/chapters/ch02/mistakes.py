"""More mistakes that readers of chapter 02 make: rows for the tables of exercises.py."""

import torch


def gives_the_loss(theta, loss_of, alpha):
    return loss_of(theta).detach() * 1.0


def in_place(theta, loss_of, alpha):
    (gradient,) = torch.autograd.grad(loss_of(theta), theta)
    theta -= alpha * gradient
    return theta


def no_backward(theta, loss_of, alpha):
    return theta - alpha * theta.grad


def a_stack(theta, loss_of, alpha, k):
    path = [theta]
    for _ in range(k):
        (gradient,) = torch.autograd.grad(loss_of(path[-1]), path[-1])
        path.append(path[-1] - alpha * gradient)
    return torch.stack(path)


def one_long_step(theta, loss_of, alpha, k):
    (gradient,) = torch.autograd.grad(loss_of(theta), theta)
    return [theta, theta - k * alpha * gradient]


GRADIENT = "torch.autograd.grad(loss_of(theta), theta)[0]"
MORE = {
    "inner_step": {
        gives_the_loss: (
            "You return the loss at theta, one number. Asked for is phi, the place after the "
            "step: theta minus alpha times the gradient."
        ),
        in_place: (
            "`theta -= ...` changes theta itself, which PyTorch refuses for a leaf of the graph. "
            "Make a new tensor: `phi = theta - ...`."
        ),
        no_backward: (
            "`theta.grad` is None until somebody calls `backward`. Ask for the gradient itself: "
            "`torch.autograd.grad(loss_of(theta), theta)`."
        ),
        f"(1 - alpha) * theta - alpha * {GRADIENT}": (
            "You shrink theta as well, as weight decay does. A plain step leaves theta as it is "
            "and subtracts alpha times the gradient: {wanted:.3f}, not {got:.3f}."
        ),
        f"theta - alpha * {GRADIENT} / {GRADIENT}.norm()": (
            "You brought the gradient to length 1, so every step is alpha long. Here the step is "
            "alpha times the gradient, long where it is steep."
        ),
        f"alpha * (theta - {GRADIENT})": (
            "alpha multiplies theta too: mind the brackets. It belongs to the gradient alone."
        ),
    },
    "adapt": {
        a_stack: (
            "The right places, stacked into one tensor. Asked for is a list of k + 1 tensors: "
            "leave the `torch.stack` away."
        ),
        one_long_step: (
            "You took one step k times as long. Take k short ones, each with the gradient of the "
            "place where the last one ended."
        ),
    },
    "longest_step": {
        "2 / H.norm()": (
            "The norm of H mixes all its entries. What limits a step is the largest curvature, "
            "an eigenvalue: {wanted:.3f}, you have {got:.3f}."
        ),
        "1 / torch.linalg.eigvalsh(H).min()": (
            "You took the *smallest* curvature, and 1 where 2 belongs. The steepest direction is "
            "the first to break: {wanted:.3f}."
        ),
        "2 / (torch.linalg.eigvalsh(H).max() + torch.linalg.eigvalsh(H).min())": (
            "This is the *best* length for two curvatures, {got:.3f}. Asked for is the longest "
            "that still arrives, which the largest curvature alone decides."
        ),
        "2 / H.mean()": (
            "A mean of the entries of H is no curvature. Take eigenvalues: `torch.linalg."
            "eigvalsh(H)`."
        ),
        ("2 * torch.linalg.inv(H)", "2 / H"): (
            "You return a matrix. One number is asked for: the length of step that even the "
            "steepest direction survives."
        ),
    },
}
