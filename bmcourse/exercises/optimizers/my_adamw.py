"""The exercise `MyAdamW` of lesson 07: the whole optimizer, with a memory of its own for every parameter."""

import functools

import torch
from torch.optim.adamw import adamw

from bmcourse.exercises.compare import difference, snapshot
from bmcourse.exercises.core import exercise
from bmcourse.exercises.optimizers.steps import IN_GRAPH, LEFT_OFF, TRUTH, UNUSED, explained, learnable, random_tensors
from bmcourse.exercises.outcomes import fresh_cases


@exercise(
    built=("AdamW", "Adam", "adamw"),
    untried={
        "betas": {"one item": "there are always two", "the same item twice": "equal betas are no harder"},
        "eps": {"0": "a gradient that has always been 0 is then divided by 0"},
    },
)
class MyAdamW:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2), without a base class.

    `params` is any iterable of parameters, a generator too. `betas` are the weights of the old
    averages. `eps` is added after the root. With weight_decay = 0 this is Adam.
    """

    def __init__(self, params, lr, betas, eps, weight_decay):
        self.params = list(params)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.m = [torch.zeros_like(p) for p in self.params]
        self.s = [torch.zeros_like(p) for p in self.params]
        self.t = [0 for _ in self.params]

    def zero_grad(self):
        """Clear all gradients."""
        for p in self.params:
            p.grad = None

    def step(self):
        """Shrink each parameter by lr * weight_decay of itself, then move it.

        (As torch does. In algorithm 2 of the paper the decay is not multiplied by lr.)
        A parameter whose grad is None is left alone, and this step does not count for it: each
        parameter counts its own steps, as in torch. Gradients stay as they are.
        """
        beta1, beta2 = self.betas
        with torch.no_grad():
            for i, p in enumerate(self.params):
                if p.grad is not None:
                    self.t[i] += 1
                    g, m, s, t = p.grad, self.m[i], self.s[i], self.t[i]
                    p.mul_(1 - self.lr * self.weight_decay)
                    m.mul_(beta1).add_((1 - beta1) * g)
                    s.mul_(beta2).add_((1 - beta2) * g**2)
                    m_hat, s_hat = m / (1 - beta1**t), s / (1 - beta2**t)
                    p -= self.lr * m_hat / (s_hat.sqrt() + self.eps)


@MyAdamW.cases
def cases():
    """One number; two of one shape; a large eps; a strong decay; gradients of None and 0; two shapes, twenty steps.

    With betas of 0 all counts of steps are alike; in the last case, a None in the first step, they are not.
    """
    one, alike, pair = [(1,)], [(2,), (2,)], [(3,), (2, 2)]
    sparse, long = [random_tensors(alike) for _ in range(3)], [random_tensors(pair) for _ in range(20)]
    sparse[0][0] = sparse[1][1] = long[-1][-1] = None
    sparse[1][0] = torch.zeros(2)
    late = [[None, torch.ones(2)], random_tensors(alike), [torch.ones(2), None], random_tensors(alike)]
    return [
        ([torch.tensor([1.0])], [[torch.tensor([2.0])], [torch.tensor([-1.0])]], 0.1, (0.9, 0.99), 1e-8, 0.0),
        (random_tensors(alike), [random_tensors(alike) for _ in range(3)], 0.1, (0.9, 0.999), 1e-8, 0.0),
        (random_tensors(alike), [random_tensors(alike) for _ in range(3)], 0.1, (0.8, 0.9), 1.0, 0.0),
        (random_tensors(one), [random_tensors(one) for _ in range(3)], 0.5, (0.9, 0.99), 1e-8, 1.0),
        (random_tensors(alike), sparse, 0.1, (0.0, 0.0), 0.1, 0.5),
        (random_tensors(pair), long, 0.05, (0.9, 0.99), 1e-8, 0.1),
        ([torch.ones(2), torch.ones(2)], late, 0.1, (0.9, 0.999), 1e-8, 0.0),
    ]


NO_GRADIENT_YET = (
    "Your zero_grad() fails where p.grad is None, as it is before the first backward(). p.grad = None always works; "
    "p.grad.zero_() needs `if p.grad is not None:` before it."
)


@MyAdamW.run
def train_with(answer, values, gradients, lr, betas, eps, weight_decay):
    """What an optimizer makes of parameters whose gradients are given, step by step.

    Who counts the steps of all together may err in other things too, and is told of those first: the last case is for
    an answer that is right in all others.
    """
    if gradients[0][0] is None and betas[0] and not right_before(answer):
        return {}
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


class ByTorch:
    def __init__(self, params, lr, betas, eps, weight_decay):
        self.state = {p: (torch.zeros_like(p), torch.zeros_like(p), torch.tensor(0.0)) for p in params}
        self.settings = {"lr": lr, "beta1": betas[0], "beta2": betas[1], "eps": eps, "weight_decay": weight_decay}

    def zero_grad(self):
        for p in self.state:
            p.grad = None

    def step(self):
        for p, (m, s, t) in self.state.items():
            if p.grad is not None:
                settings = {**self.settings, "amsgrad": False, "maximize": False, "foreach": False}
                adamw([p.data], [p.grad], [m], [s], [], [t], **settings)


def right_before(answer):
    """Whether an answer is right on the first five cases."""
    came = (train_with(answer, *case) for case in fresh_cases(MyAdamW)[:5])
    return not any(difference(*pair, 1e-5) for pair in zip(came, first_expected(), strict=True))


@functools.cache
def first_expected():
    return [train_with(ByTorch, *case) for case in fresh_cases(MyAdamW)[:5]]


@MyAdamW.judge
def expected(*case):
    return train_with(ByTorch, *case)


@MyAdamW.right
class WithDictionaries:
    def __init__(self, params, lr, betas, eps, weight_decay):
        self.settings = lr, *betas, eps, weight_decay
        self.state = {p: {"t": 0, "m": 0.0, "s": 0.0} for p in params}

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
            state["s"] = beta2 * state["s"] + (1 - beta2) * p.grad.square()
            m_hat = state["m"] / (1 - beta1 ** state["t"])
            s_hat = state["s"] / (1 - beta2 ** state["t"])
            p.data -= lr * (m_hat / (s_hat.sqrt() + eps) + weight_decay * p.data)


@MyAdamW.right
class InPlace:
    def __init__(self, params, lr, betas, eps, weight_decay):
        self.of = [[p, 0, torch.zeros_like(p.data), torch.zeros_like(p.data)] for p in params]
        self.lr, (self.beta1, self.beta2), self.eps, self.decay = lr, betas, eps, weight_decay

    def zero_grad(self):
        for p, *_ in self.of:
            p.grad = None

    @torch.no_grad()
    def step(self):
        for entry in self.of:
            p, _, m, s = entry
            if p.grad is not None:
                entry[1] += 1
                p.mul_(1 - self.lr * self.decay)
                m.lerp_(p.grad, 1 - self.beta1)
                s.lerp_(p.grad.square(), 1 - self.beta2)
                below = (s / (1 - self.beta2 ** entry[1])).sqrt() + self.eps
                p.addcdiv_(m, below, value=-self.lr / (1 - self.beta1 ** entry[1]))


@MyAdamW.right
class WithSumsOfWeights:
    """The correction 1 - beta**t is the sum of all weights so far."""

    def __init__(self, params, lr, betas, eps, weight_decay):
        self.params, self.lr, self.betas, self.eps, self.decay = tuple(params), lr, betas, eps, weight_decay
        self.memory = {}

    def zero_grad(self):
        for p in filter(lambda p: p.grad is not None, self.params):
            p.grad = torch.zeros_like(p.grad)

    def step(self):
        for p in filter(lambda p: p.grad is not None, self.params):
            averages = []
            for power, (beta, (total, weight)) in enumerate(
                zip(self.betas, self.memory.get(p, [(0, 0), (0, 0)]), strict=True), 1
            ):
                averages.append((beta * total + (1 - beta) * p.grad**power, beta * weight + 1 - beta))
            self.memory[p] = averages
            m, s = (total / weight for total, weight in averages)
            p.data = (1 - self.lr * self.decay) * p.data - self.lr * m / (s.pow(0.5) + self.eps)


@MyAdamW.right
class OnTorchsBase(torch.optim.Optimizer):
    def __init__(self, params, lr, betas, eps, weight_decay):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    state, (beta1, beta2), decay = self.state[p], group["betas"], group["weight_decay"]
                    t = state["t"] = state.get("t", 0) + 1
                    state["m"] = torch.lerp(p.grad, state.get("m", torch.zeros_like(p)), beta1)
                    state["s"] = torch.lerp(p.grad**2, state.get("s", torch.zeros_like(p)), beta2)
                    move = state["m"] / (1 - beta1**t) / ((state["s"] / (1 - beta2**t)) ** 0.5 + group["eps"])
                    p.copy_(p - group["lr"] * (decay * p + move))


changed = MyAdamW.changed


# What is divided by what.
STEP = "m_hat / (s_hat.sqrt() + self.eps)"
MyAdamW.mistake(
    "Your step is plain SGD: lr times the gradient. Adam moves by the average of the gradients, divided by the "
    "root of the average of their squares.",
    plain_sgd=changed(STEP, "g"),
)
MyAdamW.mistake(
    "You divide each gradient by its own size: every step is plus or minus lr, and nothing of the past counts. "
    "Keep the two averages, m of the gradients and s of their squares.",
    sign_only=changed(STEP, "g / (g.abs() + self.eps)"),
)
MyAdamW.mistake(
    "You move by the gradient of now, and m is not used: that is RMSProp. Put the corrected m above the line.",
    rmsprop=changed("* m_hat /", "* g /"),
)
MyAdamW.mistake(
    "You move by the average of the gradients alone: that is momentum. Divide it by the root of the corrected "
    "s, plus eps.",
    momentum=changed(STEP, "m_hat"),
)
MyAdamW.mistake(
    "Your eps is inside the root. Add it after the root: s_hat.sqrt() + eps. A small eps has a large root: "
    "1e-8 would act like 1e-4.",
    eps_in_the_root=changed("s_hat.sqrt() + self.eps", "(s_hat + self.eps).sqrt()"),
)
MyAdamW.mistake(
    "You add eps before s is corrected, so eps is corrected too and is larger in the first steps. The paper's "
    "short form does so; torch corrects first: (s / (1 - beta2**t)).sqrt() + eps.",
    eps_before_the_correction=changed("(s_hat.sqrt() + self.eps)", "(s.sqrt() + self.eps) * (1 - beta2**t) ** 0.5"),
)
MyAdamW.mistake(
    "`eps` is missing. Where the gradient has always been 0, you divide 0 by 0. Divide by s_hat.sqrt() + eps.",
    no_eps=changed(" + self.eps", ""),
)
MyAdamW.mistake(
    "`eps` stands outside the fraction: brackets are missing. Divide by (s_hat.sqrt() + eps).",
    no_brackets=changed("(s_hat.sqrt() + self.eps)", "s_hat.sqrt() + self.eps"),
)
MyAdamW.mistake(
    "Your eps is always 1e-8. It comes as an argument: some models need a larger one.",
    eps_of_its_own=changed("+ self.eps", "+ 1e-8"),
)
MyAdamW.mistake(
    "The root is missing: s is an average of squares, its root has the size of a gradient. Divide by "
    "s_hat.sqrt() + eps.",
    no_root=changed("s_hat.sqrt()", "s_hat"),
)
MyAdamW.mistake(
    "The learning rate is missing in the step: it is lr * m_hat / (s_hat.sqrt() + eps).",
    no_learning_rate=changed("self.lr * m_hat", "m_hat"),
)
MyAdamW.mistake(
    "The sign of the step is wrong: it leads uphill. Subtract it.", uphill=changed("p -= self.lr", "p += self.lr")
)

# The two averages.
MyAdamW.mistake(
    "The betas are exchanged. The first one is for m, the average of gradients; the second one, nearer to 1, "
    "for s, the average of squares.",
    betas_exchanged=changed("beta1, beta2 =", "beta2, beta1 ="),
)
MyAdamW.mistake(
    "Both averages use the first beta. The average of squares, s, has the second one.",
    beta1_for_both=changed("beta1, beta2 = self.betas", "beta1 = beta2 = self.betas[0]"),
)
MyAdamW.mistake(
    "The average of squares decays by the first beta, though it is corrected by the second. s has beta2 throughout.",
    beta1_for_s=changed("s.mul_(beta2).add_((1 - beta2)", "s.mul_(beta1).add_((1 - beta1)"),
)
MyAdamW.mistake(
    "Both averages use the second beta. The average of gradients, m, has the first one.",
    beta2_for_both=changed("beta1, beta2 = self.betas", "beta1 = beta2 = self.betas[1]"),
)
MyAdamW.mistake(
    "Your betas are always 0.9 and 0.999. They come as an argument.",
    betas_of_its_own=changed("= self.betas\n", "= 0.9, 0.999\n"),
)
MyAdamW.mistake(
    "The weights of your averages are turned round: beta is the weight of the old average, 1 - beta that of the new "
    "gradient.",
    weights_turned=changed(
        "m.mul_(beta1).add_((1 - beta1)",
        "m.mul_(1 - beta1).add_(beta1",
        "s.mul_(beta2).add_((1 - beta2)",
        "s.mul_(1 - beta2).add_(beta2",
    ),
)
MyAdamW.mistake(
    "Nothing of the old m is left in the new one. Keep beta1 * m and add (1 - beta1) * gradient.",
    m_forgets=changed("m.mul_(beta1)", "m.mul_(0)"),
)
MyAdamW.mistake(
    "Nothing of the old s is left in the new one. Keep beta2 * s and add (1 - beta2) * gradient**2.",
    s_forgets=changed("s.mul_(beta2)", "s.mul_(0)"),
)
MyAdamW.mistake(
    "`m` and s forget everything: each step sees only its own gradient. Keep beta times the old average, and see "
    "that the new one is stored for the next step.",
    both_forget=changed("m.mul_(beta1)", "m.mul_(0)", "s.mul_(beta2)", "s.mul_(0)"),
)
MyAdamW.mistake(
    "`m` lacks the factor 1 - beta1, so it is no average: it grows to ten times a steady gradient (beta1 = 0.9). "
    "The two weights must add up to 1.",
    m_is_a_sum=changed("add_((1 - beta1) * g)", "add_(g)"),
)
MyAdamW.mistake(
    "`s` lacks the factor 1 - beta2, so it is no average and your steps are far too short. The two weights must "
    "add up to 1.",
    s_is_a_sum=changed("add_((1 - beta2) * g**2)", "add_(g**2)"),
)
MyAdamW.mistake(
    "`m` and s lack the factors 1 - beta1 and 1 - beta2, so they are sums, not averages. In each, the two "
    "weights must add up to 1.",
    both_are_sums=changed("add_((1 - beta1) * g)", "add_(g)", "add_((1 - beta2) * g**2)", "add_(g**2)"),
)
MyAdamW.mistake(
    "`m` does not fade: you add to all of the old m. Keep beta1 of it.", m_never_fades=changed("m.mul_(beta1)", "m")
)
MyAdamW.mistake(
    "`s` does not fade: you add to all of the old s, as Adagrad does. Keep beta2 of it.",
    s_never_fades=changed("s.mul_(beta2)", "s"),
)
MyAdamW.mistake(
    "`s` averages the gradient itself. Average its square: the root of a negative number is NaN.",
    s_of_the_gradient=changed("g**2", "g"),
)
MyAdamW.mistake(
    "`s` averages the absolute value of the gradient. Average its square.", s_of_absolutes=changed("g**2", "g.abs()")
)
MyAdamW.mistake(
    "`s` averages the square of m. It takes the square of the gradient of now.", s_of_m=changed("g**2", "m**2")
)
MyAdamW.mistake(
    "`s` averages the square of the gradient's distance from m: that is the variance, as in AdaBelief. Adam takes the "
    "square of the gradient.",
    adabelief=changed("g**2", "(g - m) ** 2"),
)
MyAdamW.mistake(
    "`s` keeps its largest value so far: that is AMSGrad. Adam lets it fade.",
    amsgrad=changed("s.mul_(beta2).add_((1 - beta2) * g**2)", "s.copy_(s.max(beta2 * s + (1 - beta2) * g**2))"),
)
MyAdamW.mistake(
    "You take the mean of the squares over the whole tensor, so all its numbers share one s. Each number has "
    "its own: that is what makes its step its own size.",
    one_s_for_a_tensor=changed("g**2", "(g**2).mean()"),
)
MyAdamW.mistake(
    "The bias correction is missing. m and s begin at 0 and are too small at first; with betas of 0.9 and "
    "0.999 the first step comes out three times too long. Divide m by 1 - beta1**t and s by 1 - beta2**t.",
    no_correction=changed("m / (1 - beta1**t), s / (1 - beta2**t)", "m, s"),
)
MyAdamW.mistake(
    "`s` lacks its bias correction: it begins at 0 and is far too small at first, so the first steps are far too "
    "long. Divide it by 1 - beta2**t.",
    s_not_corrected=changed("s / (1 - beta2**t)", "s"),
)
MyAdamW.mistake(
    "`m` lacks its bias correction: it begins at 0, so the first steps are too short. Divide it by 1 - beta1**t.",
    m_not_corrected=changed("m / (1 - beta1**t)", "m"),
)
MyAdamW.mistake(
    "Your bias correction multiplies. m and s are too small at first: divide them by 1 - beta**t.",
    correction_multiplies=changed("m / (", "m * (", "s / (", "s * ("),
)
MyAdamW.mistake(
    "You divide by 1 - beta in every step, as if t stayed 1, so the correction never fades. It is 1 - beta**t, "
    "and t goes up once a step.",
    power_missing=changed("**t", ""),
)
MyAdamW.mistake(
    "You multiply beta by t. It is raised to that power: 1 - beta**t, which goes to 1.",
    times_t=changed("beta1**t", "beta1 * t", "beta2**t", "beta2 * t"),
)
MyAdamW.mistake(
    "You divide by beta**t, which goes to 0. Divide by 1 - beta**t, which goes to 1.",
    one_minus_missing=changed("(1 - beta1**t)", "beta1**t", "(1 - beta2**t)", "beta2**t"),
)
MyAdamW.mistake(
    "Both averages are corrected with the first beta. s is divided by 1 - beta2**t.",
    corrected_with_beta1=changed("1 - beta2**t", "1 - beta1**t"),
)
MyAdamW.mistake(
    "You store the corrected m and s, so the next step corrects them again. Keep m and s as they are, and give "
    "the corrected ones new names: m_hat, s_hat.",
    corrected_in_place=changed("m / (1", "m.div_(1", "s / (1", "s.div_(1"),
)
MyAdamW.mistake(
    "`t` is 0 in your first step, and the bias correction divides by 1 - beta**0 = 0. Count t up before you use it.",
    counted_afterwards=changed(
        "s, t = p.grad, self.m[i], self.s[i], self.t[i]", "s, t = p.grad, self.m[i], self.s[i], self.t[i] - 1"
    ),
)
MyAdamW.mistake(
    "`t` is 2 in your first step: it is counted up once too often. It begins at 0, and each step adds 1.",
    counted_from_one=changed("[0 for", "[1 for"),
)
ONE_T = ["[0 for _ in self.params]", "0", "self.t[i] += 1", "", "self.t[i]", "self.t"]
MyAdamW.mistake(
    "All your parameters share one t. Each counts its own steps, as in torch: a parameter that got its first gradient "
    "in step 2 is at t = 1 there, as its m and s are. Keep a t for each, beside m and s.",
    one_count_for_all=changed(*ONE_T, "beta1, beta2 =", "self.t += 1; beta1, beta2 ="),
)
MyAdamW.mistake(
    "Your t counts parameters, not steps: the second parameter of the first step already gets t = 2. Each parameter "
    "counts its own steps: keep a t for each.",
    counts_parameters=changed(*ONE_T[:3], "self.t += 1", *ONE_T[4:]),
)

# The weight decay.
DECAY = "p.mul_(1 - self.lr * self.weight_decay)"
MyAdamW.mistake(
    "`weight_decay` is not used. Before the step, each parameter shrinks: p -= lr * weight_decay * p.",
    no_decay=changed(DECAY, ""),
)
MyAdamW.mistake(
    "Your weight decay makes the weights grow. Shrink them: multiply by 1 - lr * weight_decay.",
    grows=changed("1 - self.lr", "1 + self.lr"),
)
MyAdamW.mistake(
    "The weight decay lacks the learning rate: multiply by 1 - lr * weight_decay, so that a schedule that "
    "lowers lr lowers the decay too.",
    decay_without_rate=changed(DECAY, "p.mul_(1 - self.weight_decay)"),
)
MyAdamW.mistake(
    "You multiply each parameter by lr * weight_decay, so next to nothing is left of it. Multiply by 1 - lr * "
    "weight_decay.",
    only_the_decay_left=changed(DECAY, "p.mul_(self.lr * self.weight_decay)"),
)
MyAdamW.mistake(
    "You subtract lr * weight_decay itself, whatever the parameter is. Subtract that share of it: p -= lr * "
    "weight_decay * p.",
    decay_without_parameter=changed(DECAY, "p.sub_(self.lr * self.weight_decay)"),
)
MyAdamW.mistake(
    "You add weight_decay * p to the gradient: that is Adam with L2. There the decay is divided by the root of "
    "s, and weights with large gradients shrink less. AdamW shrinks the parameter itself.",
    l2=changed(DECAY, "g = g + self.weight_decay * p"),
)
MyAdamW.mistake(
    "You add weight_decay * p to p.grad, in place: that is Adam with L2, and the gradient is changed. AdamW "
    "shrinks the parameter itself: p -= lr * weight_decay * p.",
    l2_in_the_gradient=changed(DECAY, "g.add_(self.weight_decay * p)"),
)
MyAdamW.mistake(
    "Your decay comes after the step, so it shrinks the step too. First p -= lr * weight_decay * p, then the step.",
    decay_afterwards=changed(DECAY, "", "+ self.eps)", f"+ self.eps); {DECAY}"),
)
MyAdamW.mistake(
    "You decay parameters that have no gradient. A parameter with p.grad None is left alone altogether.",
    decays_the_unused=changed("if p.grad is not None:", f"if p.grad is None: {DECAY}\n                else:"),
)

# Gradients, parameters, loops.
MyAdamW.mistake(
    "You treat a gradient of None as 0, so an unused parameter goes on moving by its old averages. It is left "
    "alone altogether.",
    none_is_zero=changed("if p.grad is not None", "if True", "t = p.grad,", "t = 0 * p if p.grad is None else p.grad,"),
)
MyAdamW.mistake(
    "You changed p.grad: methods that end in _ work in place, and s then sees the small gradient. Write "
    "(1 - beta1) * p.grad, which makes a new tensor.",
    gradient_scaled=changed("(1 - beta1) * g", "g.mul_(1 - beta1)"),
)
MyAdamW.mistake(
    "The parameters are right, but p.grad is changed: square_() and pow_() work in place. Write p.grad**2, "
    "which makes a new tensor.",
    gradient_squared=changed("g**2", "g.square_()"),
)
MyAdamW.mistake(
    "No parameter moved. `p = p - ...` makes a new tensor and calls it p; the model still holds the old one. "
    "Change the parameter itself: p -= ..., under torch.no_grad().",
    nothing_moved=changed(DECAY, "", "p -= self.lr", "p = p - self.lr"),
)
MyAdamW.mistake(
    "Your parameters only decay. `p = p - ...` makes a new tensor and calls it p; the model still holds the "
    "old one. Change the parameter itself: p -= ..., under torch.no_grad().",
    step_rebound=changed("p -= self.lr", "p = p - self.lr"),
)
MyAdamW.mistake(IN_GRAPH, in_the_graph=changed("with torch.no_grad()", "with torch.enable_grad()"))
MyAdamW.mistake(LEFT_OFF, left_off=changed("with torch.no_grad():", "torch.set_grad_enabled(False)\n        if True:"))
MyAdamW.mistake(UNUSED, without_if=changed("if p.grad is not None", "if True"))
MyAdamW.mistake(TRUTH, truth_of_a_tensor=changed("if p.grad is not None", "if p.grad"))
MyAdamW.mistake(
    "Your loop ends at the first parameter without a gradient, and those after it do not move. Skip that one "
    "parameter only: continue, not break or return.",
    until_none=changed("if p.grad is not None:", "if p.grad is None: break\n                else:"),
)
MyAdamW.mistake(
    "Only the first parameter moves. Is there a `return` inside the loop?",
    first_only=changed("+ self.eps)", "+ self.eps); return"),
)
MyAdamW.mistake(
    "Your step() also sets the gradients to zero. That is what zero_grad() is for: somebody may want to look "
    "at a gradient after the step.",
    step_zeroes=changed("+ self.eps)", "+ self.eps); g.zero_()"),
)
MyAdamW.mistake(
    "Your step() also throws the gradients away. That is what zero_grad() is for: somebody may want to look at "
    "a gradient after the step.",
    step_throws_away=changed("+ self.eps)", "+ self.eps); p.grad = None"),
)
MyAdamW.mistake(
    "`zero_grad()` does not clear the gradients, so backward() adds each new one to the old ones. Set p.grad = "
    "None for every parameter.",
    gradients_not_cleared=changed("p.grad = None", "pass"),
)
MyAdamW.mistake(
    "Your zero_grad() sets the parameters themselves to zero: the model is gone. Clear p.grad, not p.",
    parameters_cleared=changed("p.grad = None", "p.data.zero_()"),
)
MyAdamW.mistake(NO_GRADIENT_YET, zero_without_if=changed("p.grad = None", "p.grad.zero_()"))
MyAdamW.mistake(
    "All your parameters share one m and one s. Each needs its own: [torch.zeros_like(p) for p in params]. "
    "([tensor] * n is n times the same tensor.)",
    one_state=changed("self.m[i], self.s[i]", "self.m[0], self.s[0]"),
)
FIRST = "[q.shape for q in self.params].index(p.shape)"
MyAdamW.mistake(
    "Parameters of the same shape share one m and one s. Each parameter has its own: keep them in a list, or in a dict "
    "whose keys are the parameters themselves.",
    state_by_shape=changed("self.m[i], self.s[i]", f"self.m[{FIRST}], self.s[{FIRST}]"),
)
MyAdamW.mistake(
    "Nothing happens, not even zero_grad(). `params` may be a generator, as model.parameters() is, and a "
    "generator can be read only once. Keep a list: self.params = list(params).",
    generator_used_up=changed("self.lr, self.betas, ", "self.params = []; self.lr, self.betas, "),
)


MyAdamW.hints(
    "Keep list(params), and for each parameter two tensors of its shape, m and s, that begin at 0, and a count t.",
    "In step(), for each parameter with a gradient g: t += 1; p *= 1 - lr * weight_decay; m = beta1 * m + (1 - beta1) "
    "* g; s = beta2 * s + (1 - beta2) * g**2. Change p, m and s in place, under torch.no_grad().",
    "m_hat = m / (1 - beta1**t), s_hat = s / (1 - beta2**t), then p -= lr * m_hat / (s_hat.sqrt() + eps).",
)
