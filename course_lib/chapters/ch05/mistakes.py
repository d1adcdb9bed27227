"""More mistakes that readers of chapter 05 make: rows for the tables of exercises.py."""

import torch


def path_of(theta, loss_of, batches, alpha):
    path = [theta.detach()]
    for batch in batches:
        path.append(path[-1] - alpha * torch.func.grad(loss_of)(path[-1], batch))
    return path


def mean_of_the_path(theta, loss_of, batches, alpha, epsilon):
    path = path_of(theta, loss_of, batches, alpha)[1:]
    return theta + epsilon * (sum(path) / len(path) - theta)


def one_step_on_the_mean(theta, loss_of, batches, alpha, epsilon):
    slope = torch.func.grad(loss_of)
    gradients = [slope(theta.detach(), batch) for batch in batches]
    return theta - epsilon * alpha * sum(gradients) / len(batches)


def divided_by_the_steps(theta, loss_of, batches, alpha, epsilon):
    return theta + epsilon * (path_of(theta, loss_of, batches, alpha)[-1] - theta) / len(batches)


G = "torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]"
MORE = {
    "reptile_step": {
        mean_of_the_path: (
            "You move towards the mean of the places on the walk. Reptile moves towards its end: "
            "{wanted:.3f}, you have {got:.3f}."
        ),
        one_step_on_the_mean: (
            "All your gradients are taken at theta and averaged, which is one step of joint "
            "training. Take each where the last step ended."
        ),
        divided_by_the_steps: (
            "You divided the walk by its number of steps. Epsilon is the share of the *whole* "
            "way from theta to phi."
        ),
    },
    "meta_sgd_loss": {
        f"loss_of(theta - alpha @ {G}, query)": (
            "`alpha @ gradient` is one number for all weights. Each weight has its own rate: "
            "multiply entry by entry, with `*`."
        ),
        f"loss_of(theta - alpha.exp() * {G}, query)": (
            "You took exp(alpha), which makes every rate positive. Here alpha is the rate itself, "
            "and its sign is free."
        ),
        f"theta - alpha * {G}": (
            "You return phi, the adapted weights. The loss is what the query set says about them."
        ),
        f"torch.autograd.grad(loss_of(theta - alpha * {G}, query), (theta, alpha))": (
            "You return the two gradients. Asked for is the loss that they come from: the outer "
            "loop calls `backward` on it."
        ),
        f"loss_of(theta - alpha[0] * {G}, query)": (
            "You used the first rate for all weights. alpha has the shape of theta: one rate "
            "each."
        ),
        f"loss_of(theta - alpha * {G}, query) + loss_of(theta, support)": (
            "You added the support loss at theta. It has done its work in the inner step; the "
            "outer loss is the query loss alone."
        ),
    },
    "implicit": {
        "torch.linalg.solve(H, g)": (
            "You solved with H alone: there is no spring in your formula. The matrix is "
            "I + H / lam."
        ),
        ("torch.linalg.solve(1 + H / lam, g)", "torch.linalg.solve(H / lam + 1, g)"): (
            "`1 + H / lam` adds 1 to *every* entry. The identity has ones on the diagonal only: "
            "`torch.eye(len(g))`."
        ),
        "torch.linalg.solve(H + lam, g)": (
            "`H + lam` adds lam to every entry, where only the diagonal gets it; and the matrix "
            "is I + H / lam."
        ),
        "g / (1 + lam)": (
            "H plays no part in your answer. How far a direction is pulled back depends on its "
            "curvature: (I + H / lam)⁻¹ g."
        ),
    },
}
