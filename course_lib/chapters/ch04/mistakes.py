"""More mistakes that readers of chapter 04 make: rows for the tables of exercises.py."""

import torch

STEP = "theta - alpha * torch.autograd.grad(loss_of(theta, support), theta)[0]"
TWICE = "torch.autograd.grad(loss_of(theta), theta, create_graph=True)[0]"


def vector_times_product(loss_of, theta, v):
    (gradient,) = torch.autograd.grad(loss_of(theta), theta, create_graph=True)
    return torch.autograd.grad(gradient @ v, theta)[0] @ v


def walk(theta, loss_of, support, alpha, k):
    path, slope = [theta.detach()], torch.func.grad(loss_of)
    for _ in range(k):
        path.append(path[-1] - alpha * slope(path[-1], support))
    return path


def back(path, v, loss_of, support, alpha):
    for phi in reversed(path):
        phi = phi.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)
        v = v - alpha * torch.autograd.grad(gradient @ v, phi)[0]
    return v


def one_phi_too_late(theta, loss_of, support, query, alpha, k):
    path = walk(theta, loss_of, support, alpha, k)
    return back(path[1:], torch.func.grad(loss_of)(path[-1], query), loss_of, support, alpha)


def query_at_theta(theta, loss_of, support, query, alpha, k):
    path = walk(theta, loss_of, support, alpha, k)
    return back(path[:-1], torch.func.grad(loss_of)(path[0], query), loss_of, support, alpha)


def gives_the_loss(theta, loss_of, support, query, alpha, k):
    return loss_of(walk(theta, loss_of, support, alpha, k)[-1], query)


MORE = {
    "first_order": {
        STEP: (
            "You return phi, the adapted parameters. The loss is one number: what the query set "
            "says about phi."
        ),
        f"torch.autograd.grad(loss_of({STEP}, query), theta)[0]": (
            "You return a gradient. Asked for is the loss, from which this gradient follows by "
            "`backward`."
        ),
    },
    "hessian_vector": {
        "torch.autograd.functional.hessian(loss_of, theta)": (
            "You return the whole Hessian. Asked for is its product with v, a vector, and that "
            "needs no matrix."
        ),
        vector_times_product: (
            "This is v·Hv, one number: the curvature along v. Asked for is the vector H v."
        ),
        f"torch.autograd.grad({TWICE}.sum(), theta)[0] * v": (
            "You differentiated the sum of the gradient, which is H times a vector of ones, and "
            "multiplied by v afterwards. v has to go in before: differentiate gradient · v."
        ),
        "torch.func.grad(loss_of)(theta + v) - torch.func.grad(loss_of)(theta)": (
            "You moved by all of v. The slope changes on the way: move by a small h·v, and divide "
            "the difference by h."
        ),
        "torch.autograd.grad(loss_of(theta), theta)[0] @ v": (
            "This is the slope along v, one number. The curvature along v is the derivative of "
            "it with respect to theta."
        ),
        f"torch.autograd.grad(({TWICE} * v).pow(2).sum(), theta)[0]": (
            "You squared gradient times v before adding up. Differentiate the plain product "
            "gradient · v: its derivative is H v."
        ),
    },
    "walk_back": {
        "__import__('functools').reduce(lambda w, H: w - alpha * H.diagonal() * w, "
        "hessians[::-1], v)": (
            "You used the diagonals of the Hessians only. H @ v mixes the entries of v."
        ),
    },
    "kept": {
        "k * (items * activations + parameters)": (
            "You counted numbers. In float32 each takes 4 bytes, and a megabyte is a million of "
            "these: {wanted:.3g} MB."
        ),
        "k * (items * activations + parameters) * 4 / 2 ** 20": (
            "You divided by 2²⁰. Here a megabyte is a million bytes: {wanted:.4g}, you have "
            "{got:.4g}."
        ),
        "k * (items * activations + parameters) * 4 / 1e3": (
            "You divided by a thousand: these are kilobytes. A megabyte is a million bytes."
        ),
    },
    "diet": {
        one_phi_too_late: (
            "Your way back looks at φ¹ … φᵏ. The step that led from φʲ to φʲ⁺¹ has the curvature "
            "of φʲ: the places are φ⁰ … φᵏ⁻¹."
        ),
        query_at_theta: (
            "You begin the way back with the query gradient at θ. It begins at the end of the "
            "walk, φᵏ."
        ),
        gives_the_loss: (
            "You return the query loss. Asked for is its gradient with respect to theta, a "
            "vector."
        ),
    },
}
