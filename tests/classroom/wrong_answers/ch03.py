"""Plausible wrong answers to the exercises of chapter 03, written from statement and stub, by
somebody who had read the table before: the share of the held-out third is flattered here."""

WRONG = {
    "03.meta_gradient": [
        "2 * q * (theta - 2 * alpha * s * (theta - A) - A)",
        "2 * q * (theta - A) * (1 - 2 * alpha * s)",
        "2 * q * (theta - 2 * alpha * s * (theta - A) - A) * -2 * alpha * s",
        "phi = theta - alpha * s * (theta - A) ** 2\n"
        "return 2 * q * (phi - A) * (1 - 2 * alpha * s)",
        "phi = theta - 2 * alpha * s * (theta - A)\n"
        "return 2 * q * (phi - A) * (1 - 2 * alpha * s * (theta - A))",
        "phi = theta - 2 * alpha * s * (theta - A)\n"
        "return 2 * (phi - A) * (1 - 2 * alpha * s)",
        "phi = theta - 2 * alpha * q * (theta - A)\n"
        "return 2 * q * (phi - A) * (1 - 2 * alpha * q)",
        "phi = theta - 2 * s * (theta - A)\nreturn 2 * q * (phi - A) * (1 - 2 * s)",
        "phi = theta - 2 * alpha * s * (theta - A)\n"
        "return 2 * q * (A - phi) * (1 - 2 * alpha * s)",
        "phi = theta - 2 * alpha * s * (theta - A)\n"
        "return 2 * q * (phi - A) + (1 - 2 * alpha * s)",
        "phi = theta - 2 * alpha * s * theta - A\nreturn 2 * q * (phi - A) * (1 - 2 * alpha * s)",
        "phi = theta - 2 * alpha * s * (theta - A)\n"
        "return 2 * q * (phi - A) * (1 - 4 * alpha * s)",
        "2 * s * (theta - A)",
        "2 * q * (theta - A)",
        "phi = theta - 2 * alpha * s * (theta - A)\n"
        "return q * (phi - A) ** 2 * (1 - 2 * alpha * s)",
        "phi = theta - 2 * alpha * s * (theta - A)\nreturn 2 * q * (phi - A) * (1 - alpha)",
        "phi = theta - 2 * alpha * s * (theta - A)\n"
        "return 2 * q * (phi - A) / (1 - 2 * alpha * s)",
        "2 * q * (theta - A) * (1 - 2 * alpha * s) * (1 - 2 * alpha * q)",
    ],
    "03.maml_loss": [
        "g = torch.autograd.grad(loss_of(theta, support), theta)[0]\n"
        "return loss_of(theta - alpha * g, query)",
        "g = torch.autograd.grad(loss_of(theta, query), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, query)",
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)\n"
        "return loss_of(theta - alpha * g, query)",
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, support)",
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - g, query)",
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, query).item()",
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, query).detach()",
        "loss_of(theta, support).backward()\n"
        "return loss_of(theta - alpha * theta.grad, query)",
        "loss_of(theta, support) + loss_of(theta, query)",
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "phi = theta - alpha * g\nreturn (loss_of(phi, support) + loss_of(phi, query)) / 2",
        "loss_of(theta - alpha * loss_of(theta, support), query)",
        "g = torch.autograd.grad(loss_of(theta, support), theta, retain_graph=True)[0]\n"
        "return loss_of(theta - alpha * g, query)",
        "with torch.no_grad():\n    phi = theta - alpha * loss_of(theta, support)\n"
        "return loss_of(phi, query)",
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of((theta - alpha * g).detach().requires_grad_(), query)",
        "g = torch.autograd.grad(loss_of(theta, support), theta, create_graph=True)[0]\n"
        "return loss_of(alpha * g, query)",
        "loss_of(theta, support)",
    ],
    "03.outer_step": [
        "losses = sum(loss(theta) for loss in task_losses)\n"
        "return theta - beta * torch.autograd.grad(losses, theta)[0]",
        "for loss in task_losses:\n"
        "    theta = theta - beta * torch.autograd.grad(loss(theta), theta)[0]\nreturn theta",
        "mean = sum(loss(theta) for loss in task_losses) / len(task_losses)\n"
        "return theta - beta * mean",
        "mean = sum(loss(theta) for loss in task_losses) / len(task_losses)\n"
        "return theta + beta * torch.autograd.grad(mean, theta)[0]",
        "mean = sum(loss(theta) for loss in task_losses) / len(task_losses)\n"
        "return theta - torch.autograd.grad(mean, theta)[0]",
        "mean = sum(loss(theta) for loss in task_losses) / len(task_losses)\n"
        "return torch.autograd.grad(mean, theta)[0]",
        "mean = sum(loss(theta) for loss in task_losses) / len(task_losses)\n"
        "return theta - beta * torch.autograd.grad(mean, theta)",
        "mean = sum(task_losses) / len(task_losses)\n"
        "return theta - beta * torch.autograd.grad(mean, theta)[0]",
        "for loss in task_losses:\n    g = torch.autograd.grad(loss(theta), theta)[0]\n"
        "return theta - beta * g",
        "for loss in task_losses:\n    g = torch.autograd.grad(loss(theta), theta)[0]\n"
        "    return theta - beta * g",
        "mean = sum(loss(theta) for loss in task_losses) / len(task_losses)\n"
        "mean.backward()\ntheta.data -= beta * theta.grad\nreturn theta",
        "worst = max(loss(theta) for loss in task_losses)\n"
        "return theta - beta * torch.autograd.grad(worst, theta)[0]",
        "mean = sum(loss(theta) for loss in task_losses) / len(task_losses)\nmean.backward()\n"
        "return theta - beta * theta.grad / len(task_losses)",
        "return sum(loss(theta) for loss in task_losses) / len(task_losses)",
        "gs = [torch.autograd.grad(loss(theta), theta)[0] for loss in task_losses]\n"
        "return theta - beta * torch.stack(gs).median(0).values",
        "gs = [torch.autograd.grad(loss(theta), theta)[0] for loss in task_losses]\n"
        "return theta - beta * torch.stack(gs)",
    ],
}
