"""One block of conv4 with its derivatives written out: forward, backward, and both once more with
dots. For gradient.py.

A dot is a derivative along a direction of the parameters (Pearlmutter 1994, the R-operator): with
dots, the backward pass gives the Hessian times that direction. What makes it quick:

- Pictures are stored channels last, (n, h, w, C), where torch pools and sums over channels many
  times faster.
- Batch norm and ReLU keep the order of a channel's numbers, so the largest of four is found first
  and only that one, a quarter of the work, is normalised. What batch norm adds to the gradient
  elsewhere is affine in the pictures: one pass over them.
- A bias before batch norm changes nothing: it is left out, and its gradient is 0.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

PIXELS = (0, 1, 2)  # all dimensions but the channels


class ConvBlock:
    """Convolution, batch norm, ReLU, 2 x 2 max-pool on one batch: forward, backward, and both once
    more with dots.

    What the later passes need stays in the object: x, d (the convolution's output minus its mean),
    r (1 / standard deviation), p (d where it is largest of four), y, and g, gradients at the output
    of batch norm. ``first``: how many items give the statistics, each channel ``count`` numbers.
    """

    def __init__(self, w: Tensor, scale: Tensor, shift: Tensor, eps: float):
        self.w, self.scale, self.shift, self.eps = w, scale, shift, eps

    def forward(self, x, first: int) -> Tensor:
        self.x, self.first = x, first
        variance = self.convolve()
        self.r = (variance + self.eps).rsqrt()
        up = bool((self.scale > 0).all())
        order = (
            self.d if up else self.d * self.scale.sign()
        )  # a negative scale turns the largest into the smallest
        top, where = F.max_pool2d(order.permute(0, 3, 1, 2), 2, return_indices=True)
        self.where, self.p = where.permute(0, 2, 3, 1).flatten(1, 2), top.permute(0, 2, 3, 1)
        if not up:
            self.p = self.pick(self.d)
        self.y = torch.addcmul(self.shift, self.p, self.scale * self.r).clamp_(min=0)
        return self.y

    def backward(self, gy: Tensor, of_x: bool) -> tuple[Tensor | None, list[Tensor]]:
        """The gradient of x (None unless asked for), and those of w, scale and shift."""
        self.g = self.through_relu(gy)
        self.g_shift, self.g_scale = self.g.sum(PIXELS), (self.g * self.p).sum(PIXELS) * self.r
        self.q = self.scale * self.r
        self.slope = (
            self.q * self.r * self.g_scale / self.count
        )  # batch norm's own gradient is -(constant + slope d)
        gx, gw = self.convolve_backward(self.q * self.g, self.q * self.g_shift / self.count, of_x)
        return gx, [gw, self.g_scale, self.g_shift]

    def forward_dot(
        self, x_dot: Tensor | None, w_dot: Tensor, scale_dot: Tensor, shift_dot: Tensor
    ) -> Tensor:
        """The derivative of `forward` along the dots, when all items give the statistics."""
        self.x_dot, self.w_dot = x_dot, w_dot
        kappa = self.convolve_dot() * self.r.square()
        self.r_dot = -self.r * kappa
        self.n_dot = torch.addcmul(self.pick(self.d_dot), self.p, kappa, value=-1).mul_(
            self.r
        )  # of the normalised numbers
        self.q_dot = scale_dot * self.r + self.scale * self.r_dot
        return self.through_relu(
            torch.addcmul(shift_dot, self.p, scale_dot * self.r).addcmul_(self.n_dot, self.scale)
        )

    def backward_dot(self, gy_dot: Tensor) -> tuple[Tensor | None, list[Tensor]]:
        """The derivative of `backward` along the same dots."""
        g_dot = self.through_relu(gy_dot)
        shift_dot = g_dot.sum(PIXELS)
        scale_dot = (g_dot * self.p).sum(PIXELS) * self.r + (self.g * self.n_dot).sum(PIXELS)
        constant_dot = (self.q_dot * self.g_shift + self.q * shift_dot) / self.count
        qr_dot = self.q_dot * self.r + self.q * self.r_dot
        slope_dot = (qr_dot * self.g_scale + self.q * self.r * scale_dot) / self.count
        gx_dot, gw_dot = self.convolve_backward_dot(
            (self.q_dot * self.g).addcmul_(self.q, g_dot), constant_dot, slope_dot
        )
        return gx_dot, [gw_dot, scale_dot, shift_dot]

    def through_relu(self, g: Tensor) -> Tensor:
        """g where ReLU let the numbers pass, 0 elsewhere."""
        return torch.ops.aten.threshold_backward(g, self.y, 0)

    def pick(self, full: Tensor) -> Tensor:
        """The pooled entries of a tensor like d."""
        return full.flatten(1, 2).gather(1, self.where).view(self.p.shape)

    def put(self, full: Tensor, pooled: Tensor) -> Tensor:
        """Add pooled entries to their places in a tensor like d."""
        full.flatten(1, 2).scatter_add_(1, self.where, pooled.flatten(1, 2))
        return full

    # the four passes of the convolution, each with the part of batch norm that touches all pixels

    def convolve(self) -> Tensor:
        """Sets d; returns the variance."""
        self.d = conv(self.x, self.w)
        statistics = self.d[: self.first]
        self.count = statistics.numel() // len(self.scale)
        self.d -= statistics.sum(PIXELS) / self.count
        return statistics.square().sum(PIXELS) / self.count

    def convolve_backward(
        self, pooled: Tensor, constant: Tensor, of_x: bool
    ) -> tuple[Tensor | None, Tensor]:
        self.gc = self.put(self.affine(-constant, -self.slope), pooled)
        return conv_gradients(self.gc, self.x, self.w, of_x)

    def convolve_dot(self) -> Tensor:
        """Sets d_dot; returns the covariance of d and d_dot, half the derivative of the
        variance."""
        self.d_dot = conv(torch.cat([self.x_dot, self.x], 3), torch.cat([self.w, self.w_dot], 1))
        self.d_dot -= self.d_dot.sum(PIXELS) / self.count
        return (self.d * self.d_dot).sum(PIXELS) / self.count

    def convolve_backward_dot(
        self, pooled: Tensor, constant_dot: Tensor, slope_dot: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        gc_dot = self.put(
            self.affine(-constant_dot, -slope_dot).addcmul_(self.d_dot, -self.slope), pooled
        )
        _, gw_dot = conv_gradients(
            torch.cat([self.gc, gc_dot]), torch.cat([self.x_dot, self.x]), self.w, of_x=False
        )
        gx_dot, _ = conv_gradients(
            torch.cat([gc_dot, self.gc], 3), self.x, torch.cat([self.w, self.w_dot]), of_w=False
        )
        return gx_dot, gw_dot

    def affine(self, constant: Tensor, slope: Tensor) -> Tensor:
        """constant + slope d where the statistics come from, 0 for the other items."""
        full = torch.empty_like(self.d)
        torch.addcmul(constant, self.d[: self.first], slope, out=full[: self.first])
        full[self.first :] = 0
        return full


class FirstConvBlock(ConvBlock):
    """The block that sees the pictures: x is (patches, gram) of `patches`, and never
    differentiated.

    The convolution is a product of matrices, and the patches have mean 0, so the sums over all
    pixels that batch norm needs are products with the small gram matrix: variance = diag(w gram
    w^T). That is a small difference of large numbers where pictures are smooth, so the gram matrix
    and what is taken from it are in double precision.
    """

    def forward(self, x, first):
        y = super().forward(x, first)
        del self.d  # the largest tensor of all, and not needed again
        return y

    def convolve(self):
        (x, self.gram), self.w = self.x, self.w.flatten(1)
        self.count = x[: self.first].numel() // x.shape[3]
        self.d = x @ self.w.T
        self.w_gram = self.w.double() @ self.gram
        return (self.w_gram * self.w).sum(1).to(self.w)

    def convolve_backward(self, pooled, constant, of_x):
        return None, self.weight_gradient(pooled, self.slope[:, None] * self.w_gram)

    def convolve_dot(self):
        self.w_dot = self.w_dot.flatten(1)
        self.d_dot = self.x[0] @ self.w_dot.T
        return (self.w_gram * self.w_dot).sum(1).to(self.w)

    def convolve_backward_dot(self, pooled, constant_dot, slope_dot):
        w_gram_dot = self.w_dot.double() @ self.gram
        return None, self.weight_gradient(
            pooled, slope_dot[:, None] * self.w_gram + self.slope[:, None] * w_gram_dot
        )

    def weight_gradient(self, pooled, affine):
        full = self.put(pooled.new_zeros(*self.x[0].shape[:3], len(self.w)), pooled).flatten(0, 2)
        whole = full.T @ self.x[0].flatten(0, 2) - self.count * affine
        return whole.to(full).view(len(full.T), -1, 3, 3)


def conv(x: Tensor, w: Tensor) -> Tensor:
    """3 x 3, the border padded with zeros: (n, h, w, in) and (out, in, 3, 3) -> (n, h, w, out)."""
    return F.conv2d(x.permute(0, 3, 1, 2), w, padding=1).permute(0, 2, 3, 1)


def conv_gradients(
    g: Tensor, x: Tensor, w: Tensor, of_x: bool = True, of_w: bool = True
) -> tuple[Tensor | None, Tensor | None]:
    """What the gradient g at the output of `conv` means for x and for w."""
    settings = (None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [of_x, of_w, False])
    gx, gw, _ = torch.ops.aten.convolution_backward(
        g.permute(0, 3, 1, 2), x.permute(0, 3, 1, 2), w, *settings
    )
    return gx.permute(0, 2, 3, 1) if of_x else None, gw.contiguous(
        memory_format=torch.channels_last
    ) if of_w else None


def patches(x: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """Pictures (n, in, h, w) -> the 3 x 3 pixels around each pixel, (n, h, w, 9 in), with zeros
    beyond the border, minus their mean; and the mean of their outer products, (9 in, 9 in), in
    double precision. Mean over the first items. Batch norm takes the mean off anyway."""
    n, _, h, w = x.shape
    each = F.unfold(x, 3, padding=1).transpose(1, 2).contiguous()
    each -= each[:first].mean((0, 1))
    counted = each[:first].flatten(0, 1).double()
    return each.view(n, h, w, -1), counted.T @ counted / len(counted)
