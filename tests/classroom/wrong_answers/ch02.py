"""Plausible wrong answers to the exercises of chapter 02, written from statement and stub alone."""

WRONG = {
    "02.inner_step": [
        "theta - alpha * loss_of(theta)",
        "theta + alpha * torch.autograd.grad(loss_of(theta), theta)[0]",
        "theta - alpha * torch.autograd.grad(loss_of(theta), theta)",
        "theta - torch.autograd.grad(loss_of(theta), theta)[0]",
        "torch.autograd.grad(loss_of(theta), theta)[0]",
        "alpha * torch.autograd.grad(loss_of(theta), theta)[0]",
        "loss = loss_of(theta)\nloss.backward()\ntheta = theta - alpha * theta.grad\n"
        "return loss",
        "loss_of(theta).backward()\ntheta -= alpha * theta.grad\nreturn theta",
        "loss_of(theta).backward()\ntheta.data -= alpha * theta.grad\nreturn theta",
        "theta - alpha * loss_of.grad",
        "theta - alpha * theta.grad",
        "loss_of(theta - alpha * torch.autograd.grad(loss_of(theta), theta)[0])",
        "(1 - alpha) * theta - alpha * torch.autograd.grad(loss_of(theta), theta)[0]",
        "g = torch.autograd.grad(loss_of(theta), theta)[0]\nreturn theta - alpha * g / g.norm()",
        "g = torch.autograd.grad(loss_of(theta), theta)[0]\nreturn theta - alpha * g.sign()",
        "g = torch.autograd.grad(loss_of(theta), theta)[0]\nreturn theta - g / alpha",
        "g = torch.autograd.grad(loss_of(theta), theta)[0]\nreturn alpha * (theta - g)",
        "g = torch.autograd.grad(loss_of(theta), theta)[0]\nphi = theta - alpha * g",
    ],
    "02.adapt": [
        # the gradient at theta in every step
        "path = [theta]\ng = torch.autograd.grad(loss_of(theta), theta)[0]\nfor _ in range(k):\n"
        "    path.append(path[-1] - alpha * g)\nreturn path",
        # the end alone
        "phi = theta\nfor _ in range(k):\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi), phi)[0]\nreturn phi",
        # without the start
        "phi, path = theta, []\nfor _ in range(k):\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(phi)\nreturn path",
        # one step too many
        "phi, path = theta, [theta]\nfor _ in range(k + 1):\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(phi)\nreturn path",
        # always from theta
        "path = [theta]\nfor _ in range(k):\n"
        "    path.append(theta - alpha * torch.autograd.grad(loss_of(theta), theta)[0])\n"
        "return path",
        # uphill
        "phi, path = theta, [theta]\nfor _ in range(k):\n"
        "    phi = phi + alpha * torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(phi)\nreturn path",
        # the gradient of the walk, but from theta
        "phi, path = theta, [theta]\nfor _ in range(k):\n"
        "    phi = theta - alpha * torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(phi)\nreturn path",
        # one tensor
        "phi, path = theta, [theta]\nfor _ in range(k):\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(phi)\nreturn torch.stack(path)",
        # losses
        "phi, path = theta, [loss_of(theta)]\nfor _ in range(k):\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(loss_of(phi))\nreturn path",
        # in place: every entry is the same tensor
        "phi = theta.detach().clone().requires_grad_()\npath = [phi]\nfor _ in range(k):\n"
        "    g = torch.autograd.grad(loss_of(phi), phi)[0]\n    with torch.no_grad():\n"
        "        phi -= alpha * g\n    path.append(phi)\nreturn path",
        # return inside the loop
        "phi, path = theta, [theta]\nfor _ in range(k):\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(phi)\n    return path",
        # a rate that shrinks
        "phi, path = theta, [theta]\nfor j in range(k):\n"
        "    phi = phi - alpha / (j + 1) * torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(phi)\nreturn path",
        # one long step
        "g = torch.autograd.grad(loss_of(theta), theta)[0]\n"
        "return [theta, theta - k * alpha * g]",
        # gradients pile up in .grad
        "phi = theta.detach().clone().requires_grad_()\npath = [theta]\nfor _ in range(k):\n"
        "    loss_of(phi).backward()\n    with torch.no_grad():\n"
        "        phi -= alpha * phi.grad\n    path.append(phi.detach().clone())\nreturn path",
        # one step short
        "phi, path = theta, [theta]\nfor _ in range(k - 1):\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(phi)\nreturn path",
        # alpha forgotten
        "phi, path = theta, [theta]\nfor _ in range(k):\n"
        "    phi = phi - torch.autograd.grad(loss_of(phi), phi)[0]\n"
        "    path.append(phi)\nreturn path",
    ],
    "02.longest_step": [
        "1 / torch.linalg.eigvalsh(H).max()",
        "2 / torch.linalg.eigvalsh(H).min()",
        "2 / torch.linalg.eigvalsh(H)",
        "2 / torch.trace(H)",
        "2 / H.max()",
        "2 / H.diagonal().max()",
        "torch.linalg.eigvalsh(H).max()",
        "2 / H.norm()",
        "2 / torch.linalg.eigvalsh(H).mean()",
        "torch.linalg.eigvalsh(H).max() / 2",
        "1 / torch.linalg.eigvalsh(H).min()",
        "2 / torch.linalg.det(H)",
        "2 / (torch.linalg.eigvalsh(H).max() + torch.linalg.eigvalsh(H).min())",
        "2 * torch.linalg.eigvalsh(H).max()",
        "2 / torch.linalg.eigvals(H).max()",
        "2 / H.mean()",
        "2 * torch.linalg.inv(H)",
        "2 / torch.linalg.eigvalsh(H).sum()",
    ],
}
