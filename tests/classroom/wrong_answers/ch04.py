"""Plausible wrong answers to the exercises of chapter 04, written from statement and stub alone."""

WRONG = {
    "04.first_order": [
        # the full one
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, query)",
        # phi detached
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of((theta - alpha * g).detach(), query)",
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of((theta - alpha * g).detach().requires_grad_(), query)",
        # on the support set
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of(theta - alpha * g, support)",
        # theta detached
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of(theta.detach() - alpha * g, query)",
        # no inner step
        "loss_of(theta, query)",
        # the loss detached
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of(theta - alpha * g, query).detach()",
        # alpha forgotten
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of(theta - g, query)",
        # uphill
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of(theta + alpha * g, query)",
        # phi
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\nreturn theta - alpha * g",
        # the gradient
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return torch.autograd.grad(loss_of(theta - alpha * g, query), theta)[0]",
        # no_grad around the step
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "with torch.no_grad():\n    phi = theta - alpha * g\nreturn loss_of(phi, query)",
        # adapted on the query set
        "g = torch.autograd.grad(loss_of(theta, query), theta)[0]\n"
        "return loss_of(theta - alpha * g, query)",
        # .item()
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of(theta - alpha * g, query).item()",
        # a tuple
        "g = torch.autograd.grad(loss_of(theta, support), theta)\n"
        "return loss_of(theta - alpha * g, query)",
    ],
    "04.hessian_vector": [
        # no graph kept
        "g = torch.autograd.grad(loss_of(theta), theta)[0]\n"
        "return torch.autograd.grad(g @ v, theta)[0]",
        # the gradient
        "return torch.autograd.grad(loss_of(theta), theta)[0]",
        # the gradient times v
        "g = torch.autograd.grad(loss_of(theta), theta, create_graph=True)[0]\nreturn g * v",
        # the whole Hessian
        "return torch.autograd.functional.hessian(loss_of, theta)",
        # v' H v
        "g = torch.autograd.grad(loss_of(theta), theta, create_graph=True)[0]\n"
        "return torch.autograd.grad(g @ v, theta)[0] @ v",
        # derivative of the sum of the gradient
        "g = torch.autograd.grad(loss_of(theta), theta, create_graph=True)[0]\n"
        "return torch.autograd.grad(g.sum(), theta)[0]",
        # derivative of the sum, times v
        "g = torch.autograd.grad(loss_of(theta), theta, create_graph=True)[0]\n"
        "return torch.autograd.grad(g.sum(), theta)[0] * v",
        # central differences without the 2
        "grad = torch.func.grad(loss_of)\nh = 1e-4\n"
        "return (grad(theta + h * v) - grad(theta - h * v)) / h",
        # differences not divided
        "grad = torch.func.grad(loss_of)\nh = 1e-4\n"
        "return grad(theta + h * v) - grad(theta - h * v)",
        # forward difference with a long step
        "grad = torch.func.grad(loss_of)\nreturn grad(theta + v) - grad(theta)",
        # a step that is too small
        "grad = torch.func.grad(loss_of)\nh = 1e-14\n"
        "return (grad(theta + h * v) - grad(theta - h * v)) / (2 * h)",
        # the gradient at v
        "return torch.func.grad(loss_of)(v)",
        # the directional derivative
        "return torch.autograd.grad(loss_of(theta), theta)[0] @ v",
        # squared gradient
        "g = torch.autograd.grad(loss_of(theta), theta, create_graph=True)[0]\n"
        "return torch.autograd.grad((g * v).pow(2).sum(), theta)[0]",
        # diagonal only
        "H = torch.autograd.functional.hessian(loss_of, theta)\nreturn H.diagonal() * v",
        # the sign
        "grad = torch.func.grad(loss_of)\nh = 1e-4\n"
        "return (grad(theta - h * v) - grad(theta + h * v)) / (2 * h)",
    ],
    "04.walk_back": [
        # first step first
        "for H in hessians:\n    v = v - alpha * H @ v\nreturn v",
        # only the last
        "return v - alpha * hessians[-1] @ v",
        # only the first
        "return v - alpha * hessians[0] @ v",
        # alpha forgotten
        "for H in reversed(hessians):\n    v = v - H @ v\nreturn v",
        # the wrong sign
        "for H in reversed(hessians):\n    v = v + alpha * H @ v\nreturn v",
        # no identity
        "for H in reversed(hessians):\n    v = alpha * H @ v\nreturn v",
        "for H in reversed(hessians):\n    v = -alpha * H @ v\nreturn v",
        # a sum of Hessians
        "return v - alpha * sum(hessians) @ v",
        # the mean
        "return v - alpha * sum(hessians) / len(hessians) @ v",
        # v unchanged
        "return v",
        # v of the start in each product
        "out = v\nfor H in reversed(hessians):\n    out = out - alpha * H @ v\nreturn out",
        # the inverse
        "for H in reversed(hessians):\n"
        "    v = torch.linalg.solve(torch.eye(len(v), dtype=v.dtype) - alpha * H, v)\nreturn v",
        # element by element
        "for H in reversed(hessians):\n    v = v - alpha * H.diagonal() * v\nreturn v",
        # return inside the loop
        "for H in reversed(hessians):\n    v = v - alpha * H @ v\n    return v",
        # the last is left out
        "for H in reversed(hessians[1:]):\n    v = v - alpha * H @ v\nreturn v",
        # in place
        "for H in reversed(hessians):\n    v -= alpha * H @ v\nreturn v",
        # 2 alpha
        "for H in reversed(hessians):\n    v = v - 2 * alpha * H @ v\nreturn v",
    ],
    "04.kept": [
        "k * (items * activations + parameters)",
        "k * items * activations * 4 / 1e6",
        "(k * items * activations + parameters) * 4 / 1e6",
        "k * (items * activations + parameters) / 1e6",
        "k * (items * activations + parameters) * 4 / 2 ** 20",
        "(items * activations + parameters) * 4 / 1e6",
        "k * items * (activations + parameters) * 4 / 1e6",
        "k * (items * activations + parameters) * 8 / 1e6",
        "k * (items * activations + parameters) * 32 / 1e6",
        "k * (items + activations + parameters) * 4 / 1e6",
        "k * (items * activations + parameters) * 4",
        "k ** 2 * (items * activations + parameters) * 4 / 1e6",
        "(k + 1) * (items * activations + parameters) * 4 / 1e6",
        "k * (activations + parameters) * 4 / 1e6",
        "k * (items * activations + 2 * parameters) * 4 / 1e6",
        "k * (items * activations + parameters ** 2) * 4 / 1e6",
        "k * (items * activations + parameters) * 4 / 1e3",
    ],
    "04.diet": [
        # the plain way
        "phi = theta\nfor _ in range(k):\n"
        "    g = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)[0]\n"
        "    phi = phi - alpha * g\n"
        "return torch.autograd.grad(loss_of(phi, query), theta)[0]",
        # first order
        "phi = theta\nfor _ in range(k):\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, support), phi)[0]\n"
        "return torch.autograd.grad(loss_of(phi, query), theta)[0]",
        # first order, walked without a graph
        "phi = theta\nfor _ in range(k):\n"
        "    phi = (phi - alpha * torch.autograd.grad(loss_of(phi, support), phi)[0])\n"
        "    phi = phi.detach().requires_grad_()\n"
        "return torch.autograd.grad(loss_of(phi, query), phi)[0]",
        # all Hessians at theta
        "grad = torch.func.grad(loss_of)\nphi = theta.detach()\nfor _ in range(k):\n"
        "    phi = phi - alpha * grad(phi, support)\nv = grad(phi, query)\n"
        "for _ in range(k):\n"
        "    t = theta.detach().requires_grad_()\n"
        "    g = torch.autograd.grad(loss_of(t, support), t, create_graph=True)[0]\n"
        "    v = v - alpha * torch.autograd.grad(g @ v, t)[0]\nreturn v",
        # first step first
        "grad = torch.func.grad(loss_of)\npath = [theta.detach()]\nfor _ in range(k):\n"
        "    path.append(path[-1] - alpha * grad(path[-1], support))\n"
        "v = grad(path[-1], query)\nfor phi in path[:-1]:\n"
        "    phi = phi.requires_grad_()\n"
        "    g = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)[0]\n"
        "    v = v - alpha * torch.autograd.grad(g @ v, phi)[0]\nreturn v",
        # curvature of the query loss
        "grad = torch.func.grad(loss_of)\npath = [theta.detach()]\nfor _ in range(k):\n"
        "    path.append(path[-1] - alpha * grad(path[-1], support))\n"
        "v = grad(path[-1], query)\nfor phi in reversed(path[:-1]):\n"
        "    phi = phi.requires_grad_()\n"
        "    g = torch.autograd.grad(loss_of(phi, query), phi, create_graph=True)[0]\n"
        "    v = v - alpha * torch.autograd.grad(g @ v, phi)[0]\nreturn v",
        # one phi too late
        "grad = torch.func.grad(loss_of)\npath = [theta.detach()]\nfor _ in range(k):\n"
        "    path.append(path[-1] - alpha * grad(path[-1], support))\n"
        "v = grad(path[-1], query)\nfor phi in reversed(path[1:]):\n"
        "    phi = phi.detach().requires_grad_()\n"
        "    g = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)[0]\n"
        "    v = v - alpha * torch.autograd.grad(g @ v, phi)[0]\nreturn v",
        # the query gradient at theta
        "grad = torch.func.grad(loss_of)\npath = [theta.detach()]\nfor _ in range(k):\n"
        "    path.append(path[-1] - alpha * grad(path[-1], support))\n"
        "v = grad(theta.detach(), query)\nfor phi in reversed(path[:-1]):\n"
        "    phi = phi.requires_grad_()\n"
        "    g = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)[0]\n"
        "    v = v - alpha * torch.autograd.grad(g @ v, phi)[0]\nreturn v",
        # alpha forgotten on the way back
        "grad = torch.func.grad(loss_of)\npath = [theta.detach()]\nfor _ in range(k):\n"
        "    path.append(path[-1] - alpha * grad(path[-1], support))\n"
        "v = grad(path[-1], query)\nfor phi in reversed(path[:-1]):\n"
        "    phi = phi.requires_grad_()\n"
        "    g = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)[0]\n"
        "    v = v - torch.autograd.grad(g @ v, phi)[0]\nreturn v",
        # the query loss
        "phi = theta\nfor _ in range(k):\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, support), phi)[0]\n"
        "return loss_of(phi, query)",
        # the plus
        "grad = torch.func.grad(loss_of)\npath = [theta.detach()]\nfor _ in range(k):\n"
        "    path.append(path[-1] - alpha * grad(path[-1], support))\n"
        "v = grad(path[-1], query)\nfor phi in reversed(path[:-1]):\n"
        "    phi = phi.requires_grad_()\n"
        "    g = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)[0]\n"
        "    v = v + alpha * torch.autograd.grad(g @ v, phi)[0]\nreturn v",
        # the last step only
        "phi = theta.detach()\ngrad = torch.func.grad(loss_of)\nfor _ in range(k - 1):\n"
        "    phi = phi - alpha * grad(phi, support)\nphi = phi.requires_grad_()\n"
        "g = torch.autograd.grad(loss_of(phi, support), phi, create_graph=True)[0]\n"
        "return torch.autograd.grad(loss_of(phi - alpha * g, query), phi)[0]",
    ],
}
