"""Optimizers, simplest first: gradient descent, SGD, momentum, Nesterov, RMSProp, Adam, AdamW, Muon.

In every formula w is a parameter, g its gradient, and lr the learning rate; other letters are the optimizer's memory.
"""

import math
import numbers

import torch


def gradient_descent(gradient, start, lr, steps):
    """w ← w - lr g, `steps` times from `start` (n,); returns all points on the way (steps + 1, n).

    `gradient(w)` gives g. Raises ValueError when lr is not above 0.
    Source: Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", 1847.
    """
    if not 0 < lr < math.inf:
        raise ValueError(f"lr must be above 0 and finite; it was {lr!r}. At 0 nothing moves, below 0 you go up.")
    path = [start]
    for _ in range(steps):
        path.append(path[-1] - lr * gradient(path[-1]))
    return torch.stack(path)


class Optimizer(torch.optim.Optimizer):
    """The loop that all the optimizers share; each of them only says how to `update` one parameter.

    `step` raises ValueError, with nothing changed, when a gradient has NaN or infinite values, is sparse or complex.
    """

    @torch.no_grad()
    def step(self, closure=None):
        """Update every parameter that has a gradient; returns what `closure`, if any, returned: the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        check_gradients([parameter for group in self.param_groups for parameter in group["params"]])
        # One parameter at a time and in place, as torch does on a CPU unless told otherwise.
        # Its fused kernels are about three times as fast there, and show no formula.
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.update(parameter, parameter.grad, self.state[parameter], group)
        return loss

    def update(self, parameter, gradient, state, group):
        """Change `parameter` in place; `state` is its memory, {} at first, and `group` holds the settings."""
        raise NotImplementedError(f"{type(self).__name__} has no update(parameter, gradient, state, group). Write it.")

    def add_param_group(self, param_group):
        """Take parameters with settings of their own; raises ValueError for a setting out of its range."""
        check_settings({**self.defaults, **param_group})
        super().add_param_group(param_group)


class SGD(Optimizer):
    """w ← w - lr g, where g comes from a few random examples.

    Source: Robbins and Monro, "A Stochastic Approximation Method", 1951.
    """

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    def update(self, parameter, gradient, state, group):
        parameter.add_(gradient, alpha=-group["lr"])


class Momentum(Optimizer):
    """v ← momentum v + g, then w ← w - lr v: the velocity v sums the past gradients.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    def __init__(self, params, lr, momentum=0.9):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    def update(self, parameter, gradient, state, group):
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        velocity = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        parameter.add_(velocity, alpha=-group["lr"])


class Nesterov(Optimizer):
    """v ← momentum v + g, then w ← w - lr (g + momentum v): momentum that looks one step ahead.

    Source: Nesterov, "A method for solving the convex programming problem with convergence rate O(1/k²)", 1983, in the
    form of Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013, section 2.
    """

    def __init__(self, params, lr, momentum=0.9):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    def update(self, parameter, gradient, state, group):
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        velocity = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        parameter.add_(gradient.add(velocity, alpha=group["momentum"]), alpha=-group["lr"])


class RMSProp(Optimizer):
    """s ← alpha s + (1 - alpha) g², then w ← w - lr g / (√s + eps): each number gets a step size of its own.

    Source: Hinton, "Neural Networks for Machine Learning", lecture 6e, 2012.
    """

    def __init__(self, params, lr, alpha=0.99, eps=1e-8):
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps})

    def update(self, parameter, gradient, state, group):
        if not state:
            state["square_avg"] = torch.zeros_like(parameter)
        square = state["square_avg"].mul_(group["alpha"]).addcmul_(gradient, gradient, value=1 - group["alpha"])
        parameter.addcdiv_(gradient, square.sqrt().add_(group["eps"]), value=-group["lr"])


def adam_step_readable(parameter, gradient, state, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    """One step of Adam, the formula line by line; returns the new parameter and the new state, {} before the first.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
    """
    beta1, beta2 = betas
    step = state.get("step", 0) + 1
    mean = beta1 * state.get("exp_avg", 0) + (1 - beta1) * gradient
    square = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * gradient**2
    unbiased_mean = mean / (1 - beta1**step)
    unbiased_square = square / (1 - beta2**step)
    parameter = parameter - lr * unbiased_mean / (unbiased_square.sqrt() + eps)
    return parameter, {"step": step, "exp_avg": mean, "exp_avg_sq": square}


class Adam(Optimizer):
    """m ← beta1 m + (1 - beta1) g and s ← beta2 s + (1 - beta2) g²; after t steps m̂ = m / (1 - beta1ᵗ) and
    ŝ = s / (1 - beta2ᵗ); then w ← w - lr m̂ / (√ŝ + eps).

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def update(self, parameter, gradient, state, group):
        if not state:
            state["step"] = 0
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        beta1, beta2 = group["betas"]
        state["step"] = step = int(state["step"]) + 1  # torch saves a float32 tensor: too coarse for beta2**step
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        denominator = square.sqrt().div_(math.sqrt(1 - beta2**step)).add_(group["eps"])
        parameter.addcdiv_(mean, denominator, value=-group["lr"] / (1 - beta1**step))


class AdamW(Adam):
    """First w ← w - lr weight_decay w, then Adam: the decay is not divided by √ŝ.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2, where the decay is not
    multiplied by lr; here it is, as in torch.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        Optimizer.__init__(self, params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, parameter, gradient, state, group):
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        super().update(parameter, gradient, state, group)


def orthogonalize(matrix, steps=5, dtype=torch.bfloat16):
    """The matrix (m, n) with its singular values pushed near 1 (0.68 to 1.2) and its directions kept; (m, n).

    X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X acts on each singular value alone: σ ← a σ + b σ³ + c σ⁵. Five steps are too few
    for a σ below 0.003 times the norm √(sum of squares).
    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024 (Newton-Schulz iteration).
    """
    if matrix.ndim != 2:
        raise ValueError(f"orthogonalize takes a matrix (m, n); {tuple(matrix.shape)} came. Reshape it.")
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    X = matrix.T.to(dtype) if tall else matrix.to(dtype)
    X = X / X.norm().clamp(min=1e-7)
    for _ in range(steps):
        A = X @ X.T
        B = torch.addmm(A, A, A, beta=b, alpha=c)  # b A + c A A, rounded but once
        X = torch.addmm(X, B, X, beta=a)  # a X + B X
    return (X.T if tall else X).to(matrix.dtype)


class Muon(Optimizer):
    """m ← momentum m + (1 - momentum) g, d = (1 - momentum) g + momentum m, then w ← w - lr weight_decay w and
    w ← w - lr √max(1, rows / columns) orthogonalize(d). For matrices only.

    bfloat16 is what torch computes in; on a processor without bfloat16 units float32 is several times faster.
    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
    """

    def __init__(self, params, lr=1e-3, momentum=0.95, weight_decay=0.1, dtype=torch.bfloat16):
        self.dtype = dtype
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def update(self, parameter, gradient, state, group):
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        rows, columns = parameter.shape
        mean = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        direction = orthogonalize(gradient.lerp(mean, group["momentum"]), dtype=self.dtype)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(direction, alpha=-group["lr"] * math.sqrt(max(1, rows / columns)))

    def add_param_group(self, param_group):
        super().add_param_group(param_group)
        check_matrices(self.param_groups)

    def __getstate__(self):
        return super().__getstate__() | {"dtype": self.dtype}


# ------------------------------------------------------------------------------------------------------------ checks

# Each setting is a number from 0 up to, not including, the first of these two.
SETTINGS = {
    "lr": (math.inf, "Usual values are 0.1 for SGD and 0.001 for Adam."),
    "momentum": (1, "The usual value is 0.9."),
    "alpha": (1, "The usual value is 0.99."),
    "betas": (1, "The usual values are (0.9, 0.999)."),
    "eps": (math.inf, "The usual value is 1e-8."),
    "weight_decay": (math.inf, "Usual values are 0.01 and 0.1; 0 switches it off."),
}


def check_settings(settings):
    """Raises ValueError for the first of the SETTINGS that is not a number in its range."""
    for name, (limit, usual) in SETTINGS.items():
        if name not in settings:
            continue
        value, count = settings[name], 2 if name == "betas" else 1
        values = value if isinstance(value, tuple | list) else [value]
        if len(values) != count or not all(isinstance(v, numbers.Real) and 0 <= v < limit for v in values):
            wanted = "a number" if count == 1 else "two numbers, each"
            up_to = "finite" if limit == math.inf else f"below {limit}"
            raise ValueError(f"{name} must be {wanted} 0 or more and {up_to}; it was {value!r}. {usual}")


def check_matrices(param_groups):
    """Raises ValueError, and takes the last group out again, when it has a parameter that is no matrix."""
    for parameter in param_groups[-1]["params"]:
        if parameter.ndim != 2:
            param_groups.pop()
            raise ValueError(
                f"Muon is for matrices, parameters of 2 dimensions; it got one of shape {tuple(parameter.shape)}. "
                "Give Muon the matrices of the blocks, and give the other parameters to AdamW."
            )


def check_gradients(parameters):
    """Raises ValueError for the first gradient that is not finite, or is sparse or complex."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if any(gradient.layout is not torch.strided or gradient.is_complex() for gradient in gradients):
        raise ValueError(
            "The optimizers of this course take dense real gradients; one was sparse or complex. "
            "Make the embedding with sparse=False, or use an optimizer of torch.optim."
        )
    # One NaN or infinity makes a sum NaN or infinite, and sums are ten times as fast as looking at each number.
    sums = [gradient.sum() for gradient in gradients]
    if not math.isfinite(sum(total.item() for total in sums)):
        look_at_each(parameters)  # finite numbers may have an infinite sum


def look_at_each(parameters):
    """Raises ValueError for the first parameter whose gradient has a number that is NaN or infinite."""
    for number, parameter in enumerate(parameters):
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            found = "NaN" if parameter.grad.isnan().any() else "infinite"
            raise ValueError(
                f"The gradient of parameter {number} (counted from 0, shape {tuple(parameter.shape)}) has {found} "
                "numbers in it, so this step changed nothing. Lower the learning rate, clip the gradients, "
                "or look for a log of 0 or a division by 0 in the loss."
            )
