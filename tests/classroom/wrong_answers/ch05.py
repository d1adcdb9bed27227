"""Plausible wrong answers to the exercises of chapter 05, written from statement and stub alone."""

WRONG = {
    "05.reptile_step": [
        # the end of the walk
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\nreturn phi",
        # away from the end
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "return theta + epsilon * (theta - phi)",
        # shares exchanged
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "return epsilon * theta + (1 - epsilon) * phi",
        # only the difference
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "return epsilon * (phi - theta)",
        # every gradient at theta
        "t = theta.detach().clone().requires_grad_()\nphi = t\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(t, b), t)[0]\n"
        "return theta + epsilon * (phi - theta)",
        # moved after each batch
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - epsilon * alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "return phi",
        # uphill
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi + alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "return theta + epsilon * (phi - theta)",
        # alpha forgotten
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "return theta + epsilon * (phi - theta)",
        # the last batch only
        "phi = theta.detach().clone().requires_grad_()\n"
        "phi = phi - alpha * torch.autograd.grad(loss_of(phi, batches[-1]), phi)[0]\n"
        "return theta + epsilon * (phi - theta)",
        # the first batch only
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "    return theta + epsilon * (phi - theta)",
        # divided by alpha
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "return theta + epsilon * (phi - theta) / alpha",
        # epsilon forgotten in the sum
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "return theta + epsilon * phi",
        # the mean of the places
        "phi, total = theta.detach().clone().requires_grad_(), 0\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "    total = total + phi\nreturn theta + epsilon * (total / len(batches) - theta)",
        # one step on the mean loss
        "t = theta.detach().clone().requires_grad_()\n"
        "loss = sum(loss_of(t, b) for b in batches) / len(batches)\n"
        "phi = t - alpha * torch.autograd.grad(loss, t)[0]\n"
        "return theta + epsilon * (phi - theta)",
        # a start for each batch
        "ends = []\nfor b in batches:\n    t = theta.detach().clone().requires_grad_()\n"
        "    ends.append(t - alpha * torch.autograd.grad(loss_of(t, b), t)[0])\n"
        "return theta + epsilon * (sum(ends) / len(ends) - theta)",
        # the gradient of the last loss
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    g = torch.autograd.grad(loss_of(phi, b), phi)[0]\n    phi = phi - alpha * g\n"
        "return theta - epsilon * g",
        # half the difference
        "phi = theta.detach().clone().requires_grad_()\nfor b in batches:\n"
        "    phi = phi - alpha * torch.autograd.grad(loss_of(phi, b), phi)[0]\n"
        "return theta + epsilon * (phi - theta) / len(batches)",
    ],
    "05.meta_sgd_loss": [
        # no second derivative
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of(theta - alpha * g, query)",
        # alpha detached
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha.detach() * g, query)",
        # the support set
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, support)",
        # a mean rate
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha.mean() * g, query)",
        # a product instead of element by element
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha @ g, query)",
        # uphill
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta + alpha * g, query)",
        # positive rates
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha.abs() * g, query)",
        # exponentials
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha.exp() * g, query)",
        # phi detached
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of((theta - alpha * g).detach(), query)",
        # a number
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, query).item()",
        # phi
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return theta - alpha * g",
        # the query set
        "g = torch.autograd.grad(loss_of(theta, query), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, query)",
        # gradients of both
        "loss = loss_of(theta - alpha * torch.autograd.grad(\n"
        "    loss_of(theta, support), theta, create_graph=True)[0], query)\n"
        "return torch.autograd.grad(loss, (theta, alpha))",
        # the first rate for all
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha[0] * g, query)",
        # theta detached
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta.detach() - alpha * g, query)",
        # no step
        "loss_of(theta, query)",
        # both losses
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, query) + loss_of(theta, support)",
    ],
    "05.implicit": [
        "torch.linalg.solve(H, g)",
        "torch.linalg.solve(H + lam * torch.eye(len(g)), g)",
        "torch.linalg.solve(torch.eye(len(g)) - H / lam, g)",
        "torch.linalg.solve(torch.eye(len(g)) + lam * H, g)",
        "g - H @ g / lam",
        "g + H @ g / lam",
        "(torch.eye(len(g)) + H / lam) @ g",
        "g / (1 + H.diagonal() / lam)",
        "torch.linalg.inv(torch.eye(len(g)) + H / lam)",
        "torch.linalg.solve(1 + H / lam, g)",
        "torch.linalg.solve(torch.eye(len(g)) + H, g)",
        "lam * torch.linalg.solve(H, g)",
        "-torch.linalg.solve(torch.eye(len(g)) + H / lam, g)",
        "g",
        "torch.linalg.inv(torch.eye(len(g)) + H / lam) * g",
        "torch.linalg.solve(H + lam, g)",
        "g / (1 + lam)",
    ],
}
