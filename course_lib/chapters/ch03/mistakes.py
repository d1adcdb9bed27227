"""More mistakes that readers of chapter 03 make: rows for the tables of exercises.py."""

import torch


def not_called(theta, task_losses, beta):
    mean = sum(task_losses) / len(task_losses)
    return theta - beta * torch.autograd.grad(mean, theta)[0]


def step_by_the_loss(theta, loss_of, support, query, alpha):
    return loss_of((theta - alpha * loss_of(theta, support)).detach(), query)


PHI = "(theta - 2 * alpha * s * (theta - A))"
MORE = {
    "meta_gradient": {
        "2 * q * (theta - alpha * s * (theta - A) ** 2 - A) * (1 - 2 * alpha * s)": (
            "Your inner step subtracts alpha times the *loss* s·(theta − A)². It should be alpha "
            "times its slope, 2s·(theta − A)."
        ),
        f"2 * q * ({PHI} - A) * (1 - 2 * alpha * s * (theta - A))": (
            "Your factor contains the slope 2s·(theta − A). When you differentiate phi, the slope "
            "is differentiated once more and leaves 2s."
        ),
        f"2 * q * ({PHI} - A) + (1 - 2 * alpha * s)": (
            "The chain rule multiplies: slope at phi *times* dphi/dtheta. You added them."
        ),
        "2 * q * (theta - 2 * alpha * s * theta - A - A) * (1 - 2 * alpha * s)": (
            "Brackets are missing in phi: the slope is 2s·(theta − A), and alpha multiplies all "
            "of it."
        ),
        ("2 * s * (theta - A)", "2 * s * alpha * (theta - A)"): (
            "This is the inner loop's own slope. It makes the step; asked for is how the query "
            "loss *after* the step changes with theta."
        ),
        f"2 * q * ({PHI} - A) * (1 - alpha)": (
            "Your factor lacks the curvature: the second derivative of s·(theta − A)² is 2s, so "
            "dphi/dtheta is 1 − 2·alpha·s."
        ),
    },
    "maml_loss": {
        "(maml_loss(theta, loss_of, support, query, alpha)"
        " + maml_loss(theta, loss_of, support, support, alpha)) / 2": (
            "You averaged the losses of both sets after the step. Only the query set judges: "
            "{wanted:.2f}, not {got:.2f}."
        ),
        "loss_of(theta - alpha * loss_of(theta, support), query)": (
            "Your step subtracts alpha times the *loss*, one number for all parameters. A step "
            "goes along the gradient of the support loss."
        ),
        step_by_the_loss: (
            "Two things: the step subtracts the loss where its gradient belongs, and under "
            "`no_grad` nothing leads back to theta."
        ),
        "loss_of(theta, support)": (
            "You return the support loss at theta, {got:.2f}: no step was taken, and the query "
            "set was not asked."
        ),
    },
    "outer_step": {
        not_called: (
            "`task_losses` holds functions, and functions cannot be added. Call each one: "
            "`loss(theta)`."
        ),
        "outer_step(theta, task_losses, beta / len(task_losses))": (
            "You divided by the number of tasks twice: {got:.4f} instead of {wanted:.4f}. A mean "
            "has done it already."
        ),
    },
}
