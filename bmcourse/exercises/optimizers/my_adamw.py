"""The exercise `MyAdamW` of lesson 05."""

import math

import torch
from torch.optim.adamw import adamw

from bmcourse.exercises.compare import snapshot
from bmcourse.exercises.core import exercise
from bmcourse.exercises.optimizers.shared import IN_GRAPH, UNUSED, explained, learnable, random_tensors


@exercise()
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


@MyAdamW.run
def train_with(answer, values, gradients, lr, betas, eps, weight_decay):
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


@MyAdamW.cases
def adamw_cases():
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


@MyAdamW.right
class WithDictionaries:
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


@MyAdamW.right
class ByTorch:
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


@MyAdamW.right
class InPieces:
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
    """The class that is `InPieces` but for these methods."""
    return type("MyAdamW", (InPieces,), pieces)


def remembers(m=None, v=None):
    """`InPieces` whose averages are `m(self, old, gradient)` and `v(self, old, gradient)`."""

    def remember(self, i, g):
        old_m, old_v = self.m[i].clone(), self.v[i].clone()
        InPieces.remember(self, i, g)
        self.m[i] = m(self, old_m, g) if m else self.m[i]
        self.v[i] = v(self, old_v, g) if v else self.v[i]

    return _differs(remember=remember)


@MyAdamW.mistake(
    "The betas are exchanged. The first one is for m, the average of gradients; the second one, nearer to 1, "
    "for v, the average of squares."
)
def swapped_betas(params, lr, betas, eps, weight_decay):
    return InPieces(params, lr, betas[::-1], eps, weight_decay)


def step_for_each_parameter(self, i, p):
    self.t += i > 0
    InPieces.update(self, i, p)


@torch.no_grad()
def counts_afterwards(self):
    for i, p in enumerate(self.params):
        if p.grad is not None:
            self.update(i, p)
    self.t += 1


def never_counts(self, i, p):
    self.t = 1
    InPieces.update(self, i, p)


def corrects_what_it_keeps(self, i, g):
    self.m[i] /= 1 - self.beta1**self.t
    self.v[i] /= 1 - self.beta2**self.t
    return self.m[i] / (self.v[i].sqrt() + self.eps)


def decays(decay):
    """`InPieces` with `decay(self, p)` before the step, in place of its own."""

    def update(self, i, p):
        decay(self, p)
        self.remember(i, p.grad)
        p.sub_(self.lr * self.direction(i, p.grad))

    return _differs(update=update)


def decays_afterwards(self, i, p):
    self.remember(i, p.grad)
    p.sub_(self.lr * self.direction(i, p.grad))
    p.sub_(self.lr * self.decay * p)


def decays_through_the_gradient(self, i, p):
    g = p.grad + self.decay * p
    self.remember(i, g)
    p.sub_(self.lr * self.direction(i, g))


def adds_the_decay_to_the_gradient(self, i, p):
    p.grad += self.decay * p
    self.remember(i, p.grad)
    p.sub_(self.lr * self.direction(i, p.grad))


@torch.no_grad()
def decays_the_unused_too(self):
    self.t += 1
    for i, p in enumerate(self.params):
        if p.grad is None:
            p.mul_(1 - self.lr * self.decay)
        else:
            self.update(i, p)


def scales_the_gradient(self, i, g):
    self.m[i].mul_(self.beta1).add_(g.mul_(1 - self.beta1))
    self.v[i].mul_(self.beta2).add_((1 - self.beta2) * g**2)


def squares_the_gradient(self, i, g):
    self.m[i].lerp_(g, 1 - self.beta1)
    self.v[i].lerp_(g.square_(), 1 - self.beta2)


def rebinds(self, i, p):
    self.remember(i, p.grad)
    p = p - self.lr * self.direction(i, p.grad)


def only_decays(self, i, p):
    p.mul_(1 - self.lr * self.decay)
    self.remember(i, p.grad)


def uphill_step(self, i, p):
    p.mul_(1 - self.lr * self.decay)
    self.remember(i, p.grad)
    p.add_(self.lr * self.direction(i, p.grad))


def steps_in_the_graph(self):
    self.t += 1
    for i, p in enumerate(self.params):
        if p.grad is not None:
            self.update(i, p)


@torch.no_grad()
def step_without_if(self):
    self.t += 1
    for i, p in enumerate(self.params):
        self.update(i, p)


@torch.no_grad()
def step_until_none(self):
    self.t += 1
    for i, p in enumerate(self.params):
        if p.grad is None:
            return
        self.update(i, p)


@torch.no_grad()
def none_is_zero(self):
    self.t += 1
    for i, p in enumerate(self.params):
        p.mul_(1 - self.lr * self.decay)
        self.remember(i, torch.zeros_like(p) if p.grad is None else p.grad)
        p.sub_(self.lr * self.direction(i, p.grad))


@torch.no_grad()
def step_then_zero(self):
    InPieces.step(self)
    for p in self.params:
        if p.grad is not None:
            p.grad.zero_()


def step_then_none(self):
    InPieces.step(self)
    self.zero_grad()


@torch.no_grad()
def zero_data(self):
    for p in self.params:
        p.zero_()


def zero_without_if(self):
    for p in self.params:
        p.grad.zero_()


@MyAdamW.mistake(
    "All your parameters share one m and one v. Each needs its own: [torch.zeros_like(p) for p in params]. "
    "([tensor] * n is n times the same tensor.)"
)
class ListOfOne(InPieces):
    """`[tensor] * n` is n times the same tensor."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.m = [self.m[0]] * len(self.params)
        self.v = [self.v[0]] * len(self.params)


@MyAdamW.mistake(
    "You add the gradients of all parameters into one m and one v. Each parameter has its own two averages."
)
class OneState(InPieces):
    """One m and one v that are updated once a step, with the sum of all gradients."""

    @torch.no_grad()
    def step(self):
        self.t += 1
        used = [p for p in self.params if p.grad is not None]
        self.remember(0, sum(p.grad for p in used))
        for p in used:
            p.mul_(1 - self.lr * self.decay)
            p.sub_(self.lr * self.direction(0, p.grad))


@MyAdamW.mistake(
    "Nothing happens, not even zero_grad(). `params` may be a generator, as model.parameters() is, and a "
    "generator can be read only once. Keep a list: self.params = list(params)."
)
class KeepsTheGenerator(InPieces):
    def __init__(self, params, lr, betas, eps, weight_decay):
        super().__init__((), lr, betas, eps, weight_decay)
        self.params = params

    def zero_grad(self):
        for p in self.params:
            p.grad = None


@MyAdamW.judge
def expected(*case):
    return train_with(ByTorch, *case)


MyAdamW.mistake(
    "Your step is plain SGD: lr times the gradient. Adam moves by the average of the gradients, divided by the "
    "root of the average of their squares.",
    TODO_80=_differs(direction=lambda self, i, g: g),
)


MyAdamW.mistake(
    "You divide each gradient by its own size: every step is plus or minus lr, and nothing of the past counts. "
    "Keep the two averages, m of the gradients and v of their squares.",
    TODO_81=_differs(direction=lambda self, i, g: g / (g.abs() + self.eps)),
)


MyAdamW.mistake(
    "You move by the gradient of now, and m is not used: that is RMSProp. Put the corrected m above the line.",
    TODO_82=_differs(direction=lambda self, i, g: g / (self.v_hat(i).sqrt() + self.eps)),
)


MyAdamW.mistake(
    "You move by the average of the gradients alone: that is momentum. Divide it by the root of the corrected "
    "v, plus eps.",
    TODO_83=_differs(direction=lambda self, i, g: self.m_hat(i)),
)


MyAdamW.mistake(
    "Both averages use the first beta. The average of squares, v, has the second one.",
    TODO_84=remembers(v=lambda self, v, g: torch.lerp(v, g**2, 1 - self.beta1)),
)


MyAdamW.mistake(
    "Nothing of the old m is left in the new one. Keep beta1 * m and add (1 - beta1) * gradient.",
    TODO_85=remembers(m=lambda self, m, g: (1 - self.beta1) * g),
)


MyAdamW.mistake(
    "Nothing of the old v is left in the new one. Keep beta2 * v and add (1 - beta2) * gradient**2.",
    TODO_86=remembers(v=lambda self, v, g: (1 - self.beta2) * g**2),
)


MyAdamW.mistake(
    "m and v forget everything: each step sees only its own gradient. Keep beta times the old average, and see "
    "that the new one is stored for the next step.",
    TODO_87=remembers(
        m=lambda self, m, g: (1 - self.beta1) * g,
        v=lambda self, v, g: (1 - self.beta2) * g**2,
    ),
)


MyAdamW.mistake(
    "m lacks the factor 1 - beta1, so it is no average: it grows to ten times a steady gradient (beta1 = 0.9). "
    "The two weights must add up to 1.",
    TODO_88=remembers(m=lambda self, m, g: self.beta1 * m + g),
)


MyAdamW.mistake(
    "v lacks the factor 1 - beta2, so it is no average and your steps are far too short. The two weights must "
    "add up to 1.",
    TODO_89=remembers(v=lambda self, v, g: self.beta2 * v + g**2),
)


MyAdamW.mistake(
    "m and v lack the factors 1 - beta1 and 1 - beta2, so they are sums, not averages. In each, the two "
    "weights must add up to 1.",
    TODO_90=remembers(
        m=lambda self, m, g: self.beta1 * m + g,
        v=lambda self, v, g: self.beta2 * v + g**2,
    ),
)


MyAdamW.mistake(
    "The bias correction is missing. m and v begin at 0 and are too small at first; with betas of 0.9 and "
    "0.999 the first step comes out three times too long. Divide m by 1 - beta1**t and v by 1 - beta2**t.",
    TODO_91=_differs(direction=lambda self, i, g: self.m[i] / (self.v[i].sqrt() + self.eps)),
)


MyAdamW.mistake(
    "v lacks its bias correction: it begins at 0 and is far too small at first, so the first steps are far too "
    "long. Divide it by 1 - beta2**t.",
    TODO_92=_differs(v_hat=lambda self, i: self.v[i]),
)


MyAdamW.mistake(
    "m lacks its bias correction: it begins at 0, so the first steps are too short. Divide it by 1 - beta1**t.",
    TODO_93=_differs(m_hat=lambda self, i: self.m[i]),
)


MyAdamW.mistake(
    "Your bias correction multiplies. m and v are too small at first: divide them by 1 - beta**t.",
    TODO_94=_differs(
        m_hat=lambda self, i: self.m[i] * (1 - self.beta1**self.t),
        v_hat=lambda self, i: self.v[i] * (1 - self.beta2**self.t),
    ),
)


MyAdamW.mistake(
    "You divide by 1 - beta in every step, as if t stayed 1, so the correction never fades. It is 1 - beta**t, "
    "and t goes up once a step: self.t += 1.",
    TODO_95=_differs(update=never_counts),
)


MyAdamW.mistake(
    "Your t counts parameters, not steps: the second parameter of the first step already gets t = 2. Count "
    "before the loop, once in every step.",
    TODO_96=_differs(update=step_for_each_parameter),
)


MyAdamW.mistake(
    "t is 0 in your first step, and the bias correction divides by 1 - beta**0 = 0. Count t up before you use it.",
    TODO_97=_differs(step=counts_afterwards),
)


MyAdamW.mistake(
    "You store the corrected m and v, so the next step corrects them again. Keep m and v as they are, and give "
    "the corrected ones new names: m_hat, v_hat.",
    TODO_98=_differs(direction=corrects_what_it_keeps),
)


MyAdamW.mistake(
    "Your eps is inside the root. Add it after the root: v_hat.sqrt() + eps. A small eps has a large root: "
    "1e-8 would act like 1e-4.",
    TODO_99=_differs(direction=lambda self, i, g: self.m_hat(i) / (self.v_hat(i) + self.eps).sqrt()),
)


MyAdamW.mistake(
    "You add eps before v is corrected, so eps is corrected too and is larger in the first steps. The paper's "
    "short form does so; torch corrects first: (v / (1 - beta2**t)).sqrt() + eps.",
    TODO_100=_differs(
        direction=lambda self, i, g: self.m_hat(i) / (self.v[i].sqrt() + self.eps) * math.sqrt(1 - self.beta2**self.t)
    ),
)


MyAdamW.mistake(
    "eps is missing. Where the gradient has always been 0, you divide 0 by 0. Divide by v_hat.sqrt() + eps.",
    TODO_101=_differs(direction=lambda self, i, g: self.m_hat(i) / self.v_hat(i).sqrt()),
)


MyAdamW.mistake(
    "The root is missing: v is an average of squares, its root has the size of a gradient. Divide by "
    "v_hat.sqrt() + eps.",
    TODO_102=_differs(direction=lambda self, i, g: self.m_hat(i) / (self.v_hat(i) + self.eps)),
)


MyAdamW.mistake(
    "v averages the gradient itself. Average its square: the root of a negative number is NaN.",
    TODO_103=remembers(v=lambda self, v, g: torch.lerp(v, g, 1 - self.beta2)),
)


MyAdamW.mistake(
    "v averages the square of m. It takes the square of the gradient of now.",
    TODO_104=_differs(
        remember=lambda self, i, g: (
            self.m[i].lerp_(g, 1 - self.beta1),
            self.v[i].lerp_(self.m[i] ** 2, 1 - self.beta2),
        )
    ),
)


MyAdamW.mistake(
    "You take the mean of the squares over the whole tensor, so all its numbers share one v. Each number has "
    "its own: that is what makes its step its own size.",
    TODO_105=remembers(v=lambda self, v, g: torch.lerp(v, (g**2).mean().expand_as(v), 1 - self.beta2)),
)


MyAdamW.mistake(
    "weight_decay is not used. Before the step, each parameter shrinks: p -= lr * weight_decay * p.",
    TODO_106=decays(lambda self, p: None),
)


MyAdamW.mistake(
    "Your weight decay makes the weights grow. Shrink them: multiply by 1 - lr * weight_decay.",
    TODO_107=decays(lambda self, p: p.mul_(1 + self.lr * self.decay)),
)


MyAdamW.mistake(
    "The weight decay lacks the learning rate: multiply by 1 - lr * weight_decay, so that a schedule that "
    "lowers lr lowers the decay too.",
    TODO_108=decays(lambda self, p: p.mul_(1 - self.decay)),
)


MyAdamW.mistake(
    "You add weight_decay * p to the gradient: that is Adam with L2. There the decay is divided by the root of "
    "v, and weights with large gradients shrink less. AdamW shrinks the parameter itself.",
    TODO_109=_differs(update=decays_through_the_gradient),
)


MyAdamW.mistake(
    "You add weight_decay * p to p.grad, in place: that is Adam with L2, and the gradient is changed. AdamW "
    "shrinks the parameter itself: p -= lr * weight_decay * p.",
    TODO_110=_differs(update=adds_the_decay_to_the_gradient),
)


MyAdamW.mistake(
    "Your decay comes after the step, so it shrinks the step too. First p -= lr * weight_decay * p, then the step.",
    TODO_111=_differs(update=decays_afterwards),
)


MyAdamW.mistake(
    "You decay parameters that have no gradient. A parameter with p.grad None is left alone altogether.",
    TODO_112=_differs(step=decays_the_unused_too),
)


MyAdamW.mistake(
    "You treat a gradient of None as 0, so an unused parameter goes on moving by its old averages. It is left "
    "alone altogether.",
    TODO_113=_differs(step=none_is_zero),
)


MyAdamW.mistake(
    "You changed p.grad: methods that end in _ work in place, and v then sees the small gradient. Write "
    "(1 - beta1) * p.grad, which makes a new tensor.",
    TODO_114=_differs(remember=scales_the_gradient),
)


MyAdamW.mistake(
    "The parameters are right, but p.grad is changed: square_() and pow_() work in place. Write p.grad**2, "
    "which makes a new tensor.",
    TODO_115=_differs(remember=squares_the_gradient),
)


MyAdamW.mistake(
    "No parameter moved. `p = p - ...` makes a new tensor and calls it p; the model still holds the old one. "
    "Change the parameter itself: p -= ..., under torch.no_grad().",
    TODO_116=_differs(update=rebinds),
)


MyAdamW.mistake(
    "Your parameters only decay. `p = p - ...` makes a new tensor and calls it p; the model still holds the "
    "old one. Change the parameter itself: p -= ..., under torch.no_grad().",
    TODO_117=_differs(update=only_decays),
)


MyAdamW.mistake("The sign of the step is wrong: it leads uphill. Subtract it.", TODO_118=_differs(update=uphill_step))


MyAdamW.mistake(IN_GRAPH, TODO_119=_differs(step=steps_in_the_graph))


MyAdamW.mistake(UNUSED, TODO_120=_differs(step=step_without_if))


MyAdamW.mistake(
    "Your loop ends at the first parameter without a gradient, and those after it do not move. Skip that one "
    "parameter only.",
    TODO_121=_differs(step=step_until_none),
)


MyAdamW.mistake(
    "Your step() also sets the gradients to zero. That is what zero_grad() is for: somebody may want to look "
    "at a gradient after the step.",
    TODO_122=_differs(step=step_then_zero),
)


MyAdamW.mistake(
    "Your step() also throws the gradients away. That is what zero_grad() is for: somebody may want to look at "
    "a gradient after the step.",
    TODO_123=_differs(step=step_then_none),
)


MyAdamW.mistake(
    "zero_grad() does not clear the gradients, so backward() adds each new one to the old ones. Set p.grad = "
    "None for every parameter.",
    TODO_124=_differs(zero_grad=lambda self: None),
)


MyAdamW.mistake(
    "Your zero_grad() sets the parameters themselves to zero: the model is gone. Clear p.grad, not p.",
    TODO_125=_differs(zero_grad=zero_data),
)


MyAdamW.mistake(NO_GRADIENT_YET, TODO_126=_differs(zero_grad=zero_without_if))


MyAdamW.hints(
    "Keep list(params), and for each parameter two tensors of its shape, m and v, that begin at 0. Keep one t.",
    "Once a step: t += 1. For each parameter: p *= 1 - lr * weight_decay; m = beta1 * m + (1 - beta1) * g; v = "
    "beta2 * v + (1 - beta2) * g**2. Change p, m and v in place, under torch.no_grad().",
    "m_hat = m / (1 - beta1**t), v_hat = v / (1 - beta2**t), then p -= lr * m_hat / (v_hat.sqrt() + eps).",
)
