"""The exercise of lesson 05 that has the most ways to go wrong: AdamW, all of it."""

import math

import torch
from torch.optim.adamw import adamw

from bmcourse.exercises.compare import snapshot
from bmcourse.exercises.core import Exercise, Wrong
from bmcourse.exercises.optimizers import IN_GRAPH, UNUSED, explained, learnable, random_tensors


class MyAdamW:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2), without a base class.

    `params` is any iterable of parameters, a generator too. `betas` are the weights of the old
    averages. `eps` is added after the root. With weight_decay = 0 this is Adam.
    """

    def __init__(self, params, lr, betas, eps, weight_decay):
        self.params = list(params)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]
        self.t = 0

    def zero_grad(self):
        """Clear all gradients."""
        for p in self.params:
            p.grad = None

    def step(self):
        """Shrink each parameter by lr * weight_decay of itself, then move it.

        A parameter whose grad is None is left alone; gradients stay as they are.
        """
        self.t += 1
        beta1, beta2 = self.betas
        with torch.no_grad():
            for p, m, v in zip(self.params, self.m, self.v, strict=True):
                if p.grad is not None:
                    p.mul_(1 - self.lr * self.weight_decay)
                    m.mul_(beta1).add_((1 - beta1) * p.grad)
                    v.mul_(beta2).add_((1 - beta2) * p.grad**2)
                    m_hat, v_hat = m / (1 - beta1**self.t), v / (1 - beta2**self.t)
                    p -= self.lr * m_hat / (v_hat.sqrt() + self.eps)


NO_GRADIENT_YET = (
    "Your zero_grad() fails where p.grad is None, as it is before the first backward(). p.grad = None always works; "
    "p.grad.zero_() needs `if p.grad is not None:` before it."
)


def _train_with(answer, values, gradients, lr, betas, eps, weight_decay):
    """What an optimizer makes of parameters whose gradients are given, step by step."""
    parameters, seen = learnable(values), {}
    with explained():
        optimizer = answer((p for p in parameters), lr, betas, eps, weight_decay)
    for step, now in enumerate(gradients, 1):
        with explained(NO_GRADIENT_YET):
            optimizer.zero_grad()
        for p, gradient in zip(parameters, now, strict=True):  # what backward() does; None had no part in the loss
            p.grad = gradient if gradient is None or p.grad is None else p.grad.add_(gradient)
        with explained(UNUSED if any(gradient is None for gradient in now) else None):
            optimizer.step()
        seen[f"parameters after step {step}"] = snapshot(parameters)
    return {**seen, "gradients after the last step": snapshot([p.grad for p in parameters])}


def _adamw_cases():
    """One number; two parameters of one shape; a large eps; a strong decay; gradients of None; twenty steps.

    With betas of 0 it makes no difference whether t counts the steps of all or, as in torch, of each parameter. The
    other None is the last gradient of all.
    """
    one, alike, pair = [(1,)], [(2,), (2,)], [(3,), (2, 2)]
    sparse, long = [random_tensors(alike) for _ in range(3)], [random_tensors(pair) for _ in range(20)]
    sparse[0][0] = sparse[1][1] = long[-1][-1] = None
    return [
        ([torch.tensor([1.0])], [[torch.tensor([2.0])], [torch.tensor([-1.0])]], 0.1, (0.9, 0.99), 1e-8, 0.0),
        (random_tensors(alike), [random_tensors(alike) for _ in range(3)], 0.1, (0.9, 0.999), 1e-8, 0.0),
        (random_tensors(alike), [random_tensors(alike) for _ in range(3)], 0.1, (0.8, 0.9), 0.5, 0.0),
        (random_tensors(one), [random_tensors(one) for _ in range(3)], 0.5, (0.9, 0.99), 1e-8, 0.6),
        (random_tensors(alike), sparse, 0.1, (0.0, 0.0), 0.1, 0.5),
        (random_tensors(pair), long, 0.05, (0.9, 0.99), 1e-8, 0.1),
    ]


class _WithDictionaries:
    """Each parameter has a state of its own, with its own t, as in torch."""

    def __init__(self, params, lr, betas, eps, weight_decay):
        self.settings = lr, *betas, eps, weight_decay
        self.state = {p: {"t": 0, "m": 0.0, "v": 0.0} for p in params}

    def zero_grad(self):
        for p in self.state:
            if p.grad is not None:
                p.grad.zero_()

    def step(self):
        lr, beta1, beta2, eps, weight_decay = self.settings
        for p, state in self.state.items():
            if p.grad is None:
                continue
            state["t"] += 1
            state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
            state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad.square()
            m_hat = state["m"] / (1 - beta1 ** state["t"])
            v_hat = state["v"] / (1 - beta2 ** state["t"])
            p.data -= lr * (m_hat / (v_hat.sqrt() + eps) + weight_decay * p.data)


class _ByTorch:
    def __init__(self, params, lr, betas, eps, weight_decay):
        self.state = {p: (torch.zeros_like(p), torch.zeros_like(p), torch.tensor(0.0)) for p in params}
        self.settings = {"lr": lr, "beta1": betas[0], "beta2": betas[1], "eps": eps, "weight_decay": weight_decay}

    def zero_grad(self):
        for p in self.state:
            p.grad = None

    def step(self):
        for p, (m, v, t) in self.state.items():
            if p.grad is not None:
                settings = {**self.settings, "amsgrad": False, "maximize": False, "foreach": False}
                adamw([p.data], [p.grad], [m], [v], [], [t], **settings)


class _InPieces:
    """A right answer in pieces: each wrong answer below differs from it in one."""

    def __init__(self, params, lr, betas, eps, weight_decay):
        self.params, self.t = list(params), 0
        self.lr, (self.beta1, self.beta2), self.eps, self.decay = lr, betas, eps, weight_decay
        self.m, self.v = ([torch.zeros_like(p) for p in self.params] for _ in range(2))

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.no_grad()
    def step(self):
        self.t += 1
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.update(i, p)

    def update(self, i, p):
        p.mul_(1 - self.lr * self.decay)
        self.remember(i, p.grad)
        p.sub_(self.lr * self.direction(i, p.grad))

    def remember(self, i, g):
        self.m[i].lerp_(g, 1 - self.beta1)
        self.v[i].lerp_(g**2, 1 - self.beta2)

    def direction(self, i, g):
        return self.m_hat(i) / (self.v_hat(i).sqrt() + self.eps)

    def m_hat(self, i):
        return self.m[i] / (1 - self.beta1**self.t)

    def v_hat(self, i):
        return self.v[i] / (1 - self.beta2**self.t)


def _differs(**pieces):
    """The class that is `_InPieces` but for these methods."""
    return type("MyAdamW", (_InPieces,), pieces)


def _remembers(m=None, v=None):
    """`_InPieces` whose averages are `m(self, old, gradient)` and `v(self, old, gradient)`."""

    def remember(self, i, g):
        old_m, old_v = self.m[i].clone(), self.v[i].clone()
        _InPieces.remember(self, i, g)
        self.m[i] = m(self, old_m, g) if m else self.m[i]
        self.v[i] = v(self, old_v, g) if v else self.v[i]

    return _differs(remember=remember)


def _swapped_betas(params, lr, betas, eps, weight_decay):
    return _InPieces(params, lr, betas[::-1], eps, weight_decay)


def _step_for_each_parameter(self, i, p):
    self.t += i > 0
    _InPieces.update(self, i, p)


@torch.no_grad()
def _counts_afterwards(self):
    for i, p in enumerate(self.params):
        if p.grad is not None:
            self.update(i, p)
    self.t += 1


def _never_counts(self, i, p):
    self.t = 1
    _InPieces.update(self, i, p)


def _corrects_what_it_keeps(self, i, g):
    self.m[i] /= 1 - self.beta1**self.t
    self.v[i] /= 1 - self.beta2**self.t
    return self.m[i] / (self.v[i].sqrt() + self.eps)


def _decays(decay):
    """`_InPieces` with `decay(self, p)` before the step, in place of its own."""

    def update(self, i, p):
        decay(self, p)
        self.remember(i, p.grad)
        p.sub_(self.lr * self.direction(i, p.grad))

    return _differs(update=update)


def _decays_afterwards(self, i, p):
    self.remember(i, p.grad)
    p.sub_(self.lr * self.direction(i, p.grad))
    p.sub_(self.lr * self.decay * p)


def _decays_through_the_gradient(self, i, p):
    g = p.grad + self.decay * p
    self.remember(i, g)
    p.sub_(self.lr * self.direction(i, g))


def _adds_the_decay_to_the_gradient(self, i, p):
    p.grad += self.decay * p
    self.remember(i, p.grad)
    p.sub_(self.lr * self.direction(i, p.grad))


@torch.no_grad()
def _decays_the_unused_too(self):
    self.t += 1
    for i, p in enumerate(self.params):
        if p.grad is None:
            p.mul_(1 - self.lr * self.decay)
        else:
            self.update(i, p)


def _scales_the_gradient(self, i, g):
    self.m[i].mul_(self.beta1).add_(g.mul_(1 - self.beta1))
    self.v[i].mul_(self.beta2).add_((1 - self.beta2) * g**2)


def _squares_the_gradient(self, i, g):
    self.m[i].lerp_(g, 1 - self.beta1)
    self.v[i].lerp_(g.square_(), 1 - self.beta2)


def _rebinds(self, i, p):
    self.remember(i, p.grad)
    p = p - self.lr * self.direction(i, p.grad)


def _only_decays(self, i, p):
    p.mul_(1 - self.lr * self.decay)
    self.remember(i, p.grad)


def _uphill_step(self, i, p):
    p.mul_(1 - self.lr * self.decay)
    self.remember(i, p.grad)
    p.add_(self.lr * self.direction(i, p.grad))


def _steps_in_the_graph(self):
    self.t += 1
    for i, p in enumerate(self.params):
        if p.grad is not None:
            self.update(i, p)


@torch.no_grad()
def _step_without_if(self):
    self.t += 1
    for i, p in enumerate(self.params):
        self.update(i, p)


@torch.no_grad()
def _step_until_none(self):
    self.t += 1
    for i, p in enumerate(self.params):
        if p.grad is None:
            return
        self.update(i, p)


@torch.no_grad()
def _none_is_zero(self):
    self.t += 1
    for i, p in enumerate(self.params):
        p.mul_(1 - self.lr * self.decay)
        self.remember(i, torch.zeros_like(p) if p.grad is None else p.grad)
        p.sub_(self.lr * self.direction(i, p.grad))


@torch.no_grad()
def _step_then_zero(self):
    _InPieces.step(self)
    for p in self.params:
        if p.grad is not None:
            p.grad.zero_()


def _step_then_none(self):
    _InPieces.step(self)
    self.zero_grad()


@torch.no_grad()
def _zero_data(self):
    for p in self.params:
        p.zero_()


def _zero_without_if(self):
    for p in self.params:
        p.grad.zero_()


class _ListOfOne(_InPieces):
    """`[tensor] * n` is n times the same tensor."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.m = [self.m[0]] * len(self.params)
        self.v = [self.v[0]] * len(self.params)


class _OneState(_InPieces):
    """One m and one v that are updated once a step, with the sum of all gradients."""

    @torch.no_grad()
    def step(self):
        self.t += 1
        used = [p for p in self.params if p.grad is not None]
        self.remember(0, sum(p.grad for p in used))
        for p in used:
            p.mul_(1 - self.lr * self.decay)
            p.sub_(self.lr * self.direction(0, p.grad))


class _KeepsTheGenerator(_InPieces):
    def __init__(self, params, lr, betas, eps, weight_decay):
        super().__init__((), lr, betas, eps, weight_decay)
        self.params = params

    def zero_grad(self):
        for p in self.params:
            p.grad = None


MY_ADAMW = Exercise(
    reference=MyAdamW,
    prompt=MyAdamW.__doc__,
    cases=_adamw_cases,
    run=_train_with,
    inputs_unchanged=False,
    judge=lambda *case: _train_with(_ByTorch, *case),
    right=[_WithDictionaries, _ByTorch, _InPieces],
    wrong=[
        Wrong(
            _differs(direction=lambda self, i, g: g),
            "Your step is plain SGD: lr times the gradient. Adam moves by the average of the gradients, divided by the "
            "root of the average of their squares.",
        ),
        Wrong(
            _differs(direction=lambda self, i, g: g / (g.abs() + self.eps)),
            "You divide each gradient by its own size: every step is plus or minus lr, and nothing of the past counts. "
            "Keep the two averages, m of the gradients and v of their squares.",
        ),
        Wrong(
            _differs(direction=lambda self, i, g: g / (self.v_hat(i).sqrt() + self.eps)),
            "You move by the gradient of now, and m is not used: that is RMSProp. Put the corrected m above the line.",
        ),
        Wrong(
            _differs(direction=lambda self, i, g: self.m_hat(i)),
            "You move by the average of the gradients alone: that is momentum. Divide it by the root of the corrected "
            "v, plus eps.",
        ),
        Wrong(
            _swapped_betas,
            "The betas are exchanged. The first one is for m, the average of gradients; the second one, nearer to 1, "
            "for v, the average of squares.",
        ),
        Wrong(
            _remembers(v=lambda self, v, g: torch.lerp(v, g**2, 1 - self.beta1)),
            "Both averages use the first beta. The average of squares, v, has the second one.",
        ),
        Wrong(
            _remembers(m=lambda self, m, g: (1 - self.beta1) * g),
            "Nothing of the old m is left in the new one. Keep beta1 * m and add (1 - beta1) * gradient.",
        ),
        Wrong(
            _remembers(v=lambda self, v, g: (1 - self.beta2) * g**2),
            "Nothing of the old v is left in the new one. Keep beta2 * v and add (1 - beta2) * gradient**2.",
        ),
        Wrong(
            _remembers(
                m=lambda self, m, g: (1 - self.beta1) * g,
                v=lambda self, v, g: (1 - self.beta2) * g**2,
            ),
            "m and v forget everything: each step sees only its own gradient. Keep beta times the old average, and see "
            "that the new one is stored for the next step.",
        ),
        Wrong(
            _remembers(m=lambda self, m, g: self.beta1 * m + g),
            "m lacks the factor 1 - beta1, so it is no average: it grows to ten times a steady gradient (beta1 = 0.9). "
            "The two weights must add up to 1.",
        ),
        Wrong(
            _remembers(v=lambda self, v, g: self.beta2 * v + g**2),
            "v lacks the factor 1 - beta2, so it is no average and your steps are far too short. The two weights must "
            "add up to 1.",
        ),
        Wrong(
            _remembers(
                m=lambda self, m, g: self.beta1 * m + g,
                v=lambda self, v, g: self.beta2 * v + g**2,
            ),
            "m and v lack the factors 1 - beta1 and 1 - beta2, so they are sums, not averages. In each, the two "
            "weights must add up to 1.",
        ),
        Wrong(
            _differs(direction=lambda self, i, g: self.m[i] / (self.v[i].sqrt() + self.eps)),
            "The bias correction is missing. m and v begin at 0 and are too small at first; with betas of 0.9 and "
            "0.999 the first step comes out three times too long. Divide m by 1 - beta1**t and v by 1 - beta2**t.",
        ),
        Wrong(
            _differs(v_hat=lambda self, i: self.v[i]),
            "v lacks its bias correction: it begins at 0 and is far too small at first, so the first steps are far too "
            "long. Divide it by 1 - beta2**t.",
        ),
        Wrong(
            _differs(m_hat=lambda self, i: self.m[i]),
            "m lacks its bias correction: it begins at 0, so the first steps are too short. Divide it by 1 - beta1**t.",
        ),
        Wrong(
            _differs(
                m_hat=lambda self, i: self.m[i] * (1 - self.beta1**self.t),
                v_hat=lambda self, i: self.v[i] * (1 - self.beta2**self.t),
            ),
            "Your bias correction multiplies. m and v are too small at first: divide them by 1 - beta**t.",
        ),
        Wrong(
            _differs(update=_never_counts),
            "You divide by 1 - beta in every step, as if t stayed 1, so the correction never fades. It is 1 - beta**t, "
            "and t goes up once a step: self.t += 1.",
        ),
        Wrong(
            _differs(update=_step_for_each_parameter),
            "Your t counts parameters, not steps: the second parameter of the first step already gets t = 2. Count "
            "before the loop, once in every step.",
        ),
        Wrong(
            _differs(step=_counts_afterwards),
            "t is 0 in your first step, and the bias correction divides by 1 - beta**0 = 0. Count t up before you use "
            "it.",
        ),
        Wrong(
            _differs(direction=_corrects_what_it_keeps),
            "You store the corrected m and v, so the next step corrects them again. Keep m and v as they are, and give "
            "the corrected ones new names: m_hat, v_hat.",
        ),
        Wrong(
            _differs(direction=lambda self, i, g: self.m_hat(i) / (self.v_hat(i) + self.eps).sqrt()),
            "Your eps is inside the root. Add it after the root: v_hat.sqrt() + eps. A small eps has a large root: "
            "1e-8 would act like 1e-4.",
        ),
        Wrong(
            _differs(
                direction=lambda self, i, g: (
                    self.m_hat(i) / (self.v[i].sqrt() + self.eps) * math.sqrt(1 - self.beta2**self.t)
                )
            ),
            "You add eps before v is corrected, so eps is corrected too and is larger in the first steps. The paper's "
            "short form does so; torch corrects first: (v / (1 - beta2**t)).sqrt() + eps.",
        ),
        Wrong(
            _differs(direction=lambda self, i, g: self.m_hat(i) / self.v_hat(i).sqrt()),
            "eps is missing. Where the gradient has always been 0, you divide 0 by 0. Divide by v_hat.sqrt() + eps.",
        ),
        Wrong(
            _differs(direction=lambda self, i, g: self.m_hat(i) / (self.v_hat(i) + self.eps)),
            "The root is missing: v is an average of squares, its root has the size of a gradient. Divide by "
            "v_hat.sqrt() + eps.",
        ),
        Wrong(
            _remembers(v=lambda self, v, g: torch.lerp(v, g, 1 - self.beta2)),
            "v averages the gradient itself. Average its square: the root of a negative number is NaN.",
        ),
        Wrong(
            _differs(
                remember=lambda self, i, g: (
                    self.m[i].lerp_(g, 1 - self.beta1),
                    self.v[i].lerp_(self.m[i] ** 2, 1 - self.beta2),
                )
            ),
            "v averages the square of m. It takes the square of the gradient of now.",
        ),
        Wrong(
            _remembers(v=lambda self, v, g: torch.lerp(v, (g**2).mean().expand_as(v), 1 - self.beta2)),
            "You take the mean of the squares over the whole tensor, so all its numbers share one v. Each number has "
            "its own: that is what makes its step its own size.",
        ),
        Wrong(
            _decays(lambda self, p: None),
            "weight_decay is not used. Before the step, each parameter shrinks: p -= lr * weight_decay * p.",
        ),
        Wrong(
            _decays(lambda self, p: p.mul_(1 + self.lr * self.decay)),
            "Your weight decay makes the weights grow. Shrink them: multiply by 1 - lr * weight_decay.",
        ),
        Wrong(
            _decays(lambda self, p: p.mul_(1 - self.decay)),
            "The weight decay lacks the learning rate: multiply by 1 - lr * weight_decay, so that a schedule that "
            "lowers lr lowers the decay too.",
        ),
        Wrong(
            _differs(update=_decays_through_the_gradient),
            "You add weight_decay * p to the gradient: that is Adam with L2. There the decay is divided by the root of "
            "v, and weights with large gradients shrink less. AdamW shrinks the parameter itself.",
        ),
        Wrong(
            _differs(update=_adds_the_decay_to_the_gradient),
            "You add weight_decay * p to p.grad, in place: that is Adam with L2, and the gradient is changed. AdamW "
            "shrinks the parameter itself: p -= lr * weight_decay * p.",
        ),
        Wrong(
            _differs(update=_decays_afterwards),
            "Your decay comes after the step, so it shrinks the step too. First p -= lr * weight_decay * p, then the "
            "step.",
        ),
        Wrong(
            _differs(step=_decays_the_unused_too),
            "You decay parameters that have no gradient. A parameter with p.grad None is left alone altogether.",
        ),
        Wrong(
            _differs(step=_none_is_zero),
            "You treat a gradient of None as 0, so an unused parameter goes on moving by its old averages. It is left "
            "alone altogether.",
        ),
        Wrong(
            _ListOfOne,
            "All your parameters share one m and one v. Each needs its own: [torch.zeros_like(p) for p in params]. "
            "([tensor] * n is n times the same tensor.)",
        ),
        Wrong(
            _OneState,
            "You add the gradients of all parameters into one m and one v. Each parameter has its own two averages.",
        ),
        Wrong(
            _differs(remember=_scales_the_gradient),
            "You changed p.grad: methods that end in _ work in place, and v then sees the small gradient. Write "
            "(1 - beta1) * p.grad, which makes a new tensor.",
        ),
        Wrong(
            _differs(remember=_squares_the_gradient),
            "The parameters are right, but p.grad is changed: square_() and pow_() work in place. Write p.grad**2, "
            "which makes a new tensor.",
        ),
        Wrong(
            _differs(update=_rebinds),
            "No parameter moved. `p = p - ...` makes a new tensor and calls it p; the model still holds the old one. "
            "Change the parameter itself: p -= ..., under torch.no_grad().",
        ),
        Wrong(
            _differs(update=_only_decays),
            "Your parameters only decay. `p = p - ...` makes a new tensor and calls it p; the model still holds the "
            "old one. Change the parameter itself: p -= ..., under torch.no_grad().",
        ),
        Wrong(
            _KeepsTheGenerator,
            "Nothing happens, not even zero_grad(). `params` may be a generator, as model.parameters() is, and a "
            "generator can be read only once. Keep a list: self.params = list(params).",
        ),
        Wrong(_differs(update=_uphill_step), "The sign of the step is wrong: it leads uphill. Subtract it."),
        Wrong(_differs(step=_steps_in_the_graph), IN_GRAPH),
        Wrong(_differs(step=_step_without_if), UNUSED),
        Wrong(
            _differs(step=_step_until_none),
            "Your loop ends at the first parameter without a gradient, and those after it do not move. Skip that one "
            "parameter only.",
        ),
        Wrong(
            _differs(step=_step_then_zero),
            "Your step() also sets the gradients to zero. That is what zero_grad() is for: somebody may want to look "
            "at a gradient after the step.",
        ),
        Wrong(
            _differs(step=_step_then_none),
            "Your step() also throws the gradients away. That is what zero_grad() is for: somebody may want to look at "
            "a gradient after the step.",
        ),
        Wrong(
            _differs(zero_grad=lambda self: None),
            "zero_grad() does not clear the gradients, so backward() adds each new one to the old ones. Set p.grad = "
            "None for every parameter.",
        ),
        Wrong(
            _differs(zero_grad=_zero_data),
            "Your zero_grad() sets the parameters themselves to zero: the model is gone. Clear p.grad, not p.",
        ),
        Wrong(_differs(zero_grad=_zero_without_if), NO_GRADIENT_YET),
    ],
    hints=[
        "Keep list(params), and for each parameter two tensors of its shape, m and v, that begin at 0. Keep one t.",
        "Once a step: t += 1. For each parameter: p *= 1 - lr * weight_decay; m = beta1 * m + (1 - beta1) * g; v = "
        "beta2 * v + (1 - beta2) * g**2. Change p, m and v in place, under torch.no_grad().",
        "m_hat = m / (1 - beta1**t), v_hat = v / (1 - beta2**t), then p -= lr * m_hat / (v_hat.sqrt() + eps).",
    ],
)
