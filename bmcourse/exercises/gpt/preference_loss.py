"""The exercise `preference_loss` of lesson 15: the loss of DPO, which learns from pairs of answers.

Source: Rafailov and others, "Direct Preference Optimization", 2023, equation 7.
"""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

FROZEN = {"a gradient is wanted": "the reference is frozen: whether a gradient would reach it is left open"}


@exercise(
    prompt="The loss of DPO. All four are log-probabilities (B,) of whole answers: the chosen and the rejected, by "
    "the model that learns, and by the frozen reference. The margin of a pair is (chosen - reference_chosen) - "
    "(rejected - reference_rejected). Return the mean over the pairs of -log(sigmoid(beta * margin)); it must stay "
    "finite for margins of thousands. Rafailov and others 2023, equation 7.",
    tolerance=1e-4,
    untried={"reference_chosen": FROZEN, "reference_rejected": FROZEN},
)
def preference_loss(chosen, rejected, reference_chosen, reference_rejected, beta):
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -F.logsigmoid(beta * margin).mean()


@preference_loss.cases
def cases():
    """One pair; six; three; margins of thousands to both sides; a beta of 0, with zeros and ties, uncommon."""
    ties = torch.tensor([0.0, -2.0, -2.0])
    return [
        (torch.tensor([-1.0]), torch.tensor([-3.0]), torch.tensor([-2.0]), torch.tensor([-2.5]), 0.5),
        (*(-5 * torch.rand(6) for _ in range(4)), 0.1),
        (*(-20 * torch.rand(3) for _ in range(4)), 1.0),
        (torch.tensor([-2000.0, -1.0]), torch.tensor([-1.0, -3000.0]), torch.zeros(2), torch.zeros(2), 1.0),
        (*(part.detach() for part in uncommon(ties, ties.flip(0), ties, ties)), 0.0),
    ]


@preference_loss.run
def loss_and_pull(answer, chosen, rejected, reference_chosen, reference_rejected, beta):
    """The loss, and its gradients to the two log-probabilities that learn."""
    good, bad = (numbers.clone().requires_grad_() for numbers in (chosen, rejected))
    loss = answer(good, bad, reference_chosen, reference_rejected, beta)
    if not torch.is_tensor(loss):
        return loss
    if not loss.requires_grad:
        raise Mistake("Your loss has no gradient: training cannot go back through it. Leave out .item() and .detach().")
    if loss.ndim:
        return loss.detach()
    gradients = torch.autograd.grad(loss, [good, bad], allow_unused=True)
    return [loss.detach(), *(torch.zeros_like(good) if g is None else g for g in gradients)]


@preference_loss.judge
def by_hand(chosen, rejected, reference_chosen, reference_rejected, beta):
    """Pair by pair in Python's own numbers, by the two ratios of probabilities; and the gradients to the first two."""
    total, up, down = 0.0, [], []
    columns = (chosen.tolist(), rejected.tolist(), reference_chosen.tolist(), reference_rejected.tolist())
    for good, bad, old_good, old_bad in zip(*columns, strict=True):
        z = beta * (good - old_good - bad + old_bad)
        total += math.log1p(math.exp(-z)) if z > 0 else -z + math.log1p(math.exp(z))
        pull = beta / (1 + math.exp(z)) if z < 700 else 0.0
        up.append(-pull / len(chosen))
        down.append(pull / len(chosen))
    return [torch.tensor(numbers, dtype=chosen.dtype) for numbers in (total / len(chosen), up, down)]


@preference_loss.right
def softplus(chosen, rejected, reference_chosen, reference_rejected, beta):
    return F.softplus(beta * (rejected - reference_rejected - chosen + reference_chosen)).mean()


@preference_loss.right
def cross_entropy(chosen, rejected, reference_chosen, reference_rejected, beta):
    rewards = beta * torch.stack([chosen - reference_chosen, rejected - reference_rejected], dim=1)
    return F.cross_entropy(rewards, torch.zeros(len(chosen), dtype=torch.long))


@preference_loss.right
def with_logits(chosen, rejected, reference_chosen, reference_rejected, beta):
    ours, theirs = chosen - rejected, reference_chosen - reference_rejected
    return F.binary_cross_entropy_with_logits(beta * (ours - theirs), torch.ones_like(ours))


@preference_loss.right
def logaddexp(chosen, rejected, reference_chosen, reference_rejected, beta):
    good, bad = beta * (chosen - reference_chosen), beta * (rejected - reference_rejected)
    return (torch.logaddexp(good, bad) - good).mean()


@preference_loss.right
def by_logs_of_one_plus(chosen, rejected, reference_chosen, reference_rejected, beta):
    """-log sigmoid(z) is log(1 + exp(-|z|)) + max(-z, 0)."""
    z = beta * (chosen - rejected - reference_chosen + reference_rejected)
    far = torch.where(z > 0, torch.zeros_like(z), -z)
    return sum(torch.log1p(torch.exp(-z.abs())) + far) / z.numel()


changed = preference_loss.changed
MARGIN = "(chosen - reference_chosen) - (rejected - reference_rejected)"
LOSS = "-F.logsigmoid(beta * margin).mean()"


def of_z(loss):
    """A wrong answer: the mean of `loss(beta * margin)`."""
    return lambda chosen, rejected, old_chosen, old_rejected, beta: loss(
        beta * ((chosen - old_chosen) - (rejected - old_rejected))
    ).mean()


# Finite for large margins.
preference_loss.mistake(
    "Right for small margins. For large negative ones the sigmoid is 0, exp(-z) and the loss infinite: "
    "F.logsigmoid does both in one, and stays finite.",
    log_of_sigmoid=of_z(lambda z: -torch.sigmoid(z).log()),
)
preference_loss.mistake(
    "Right for small margins. For large negative ones exp(z) is 0, and has no logarithm: F.logsigmoid stays finite.",
    quotient_of_exps=of_z(lambda z: -torch.log(torch.exp(z) / (1 + torch.exp(z)))),
)
preference_loss.mistake(
    "You keep the sigmoid above 1e-8 or so before the logarithm. So the loss is finite and wrong: past a margin of "
    "-18 it grows no more, and the worst pairs pull no longer. F.logsigmoid is exact.",
    eps_in_the_log=of_z(lambda z: -torch.log(torch.sigmoid(z) + 1e-8)),
)
preference_loss.mistake(
    "You keep the sigmoid above 1e-10 or so before the logarithm. So the loss is finite and wrong: past a margin of "
    "-23 it grows no more, and the worst pairs pull no longer. F.logsigmoid is exact.",
    smaller_eps_in_the_log=of_z(lambda z: -torch.log(torch.sigmoid(z) + 1e-10)),
)
preference_loss.mistake(
    "You keep the sigmoid above 1e-12 or so before the logarithm. So the loss is finite and wrong: past a margin of "
    "-28 it grows no more, and the worst pairs pull no longer. F.logsigmoid is exact.",
    smallest_eps_in_the_log=of_z(lambda z: -torch.log(torch.sigmoid(z) + 1e-12)),
)
preference_loss.mistake(
    "`binary_cross_entropy` cuts the logarithm off at -100, so a margin of -2000 counts as -100. F.logsigmoid, or "
    "binary_cross_entropy_with_logits, is exact.",
    cut_at_a_hundred=of_z(lambda z: F.binary_cross_entropy(torch.sigmoid(z), torch.ones_like(z))),
)
preference_loss.mistake(
    "You leave the pairs out whose loss is infinite. Those are the ones the model has most to learn from: F.logsigmoid "
    "makes them finite.",
    infinite_left_out=of_z(lambda z: (x := torch.log(1 + torch.exp(-z)))[torch.isfinite(x)]),
)
preference_loss.mistake(
    "You clamp the margin, so a pair far on the wrong side pulls no longer. F.logsigmoid stays finite without it.",
    margin_clamped=of_z(lambda z: -F.logsigmoid(z.clamp(-50, 50))),
)

preference_loss.mistake(
    "You keep the sigmoid above 1e-6 or so before the logarithm. So the loss is finite and wrong: past a margin of "
    "-14 it grows no more, and the worst pairs pull no longer. F.logsigmoid is exact.",
    large_eps_in_the_log=of_z(lambda z: -torch.log(torch.sigmoid(z).clamp(min=1e-6))),
)
preference_loss.mistake(
    "You keep the sigmoid above 1e-7 or so before the logarithm. So the loss is finite and wrong: past a margin of "
    "-16 it grows no more, and the worst pairs pull no longer. F.logsigmoid is exact.",
    medium_eps_in_the_log=of_z(lambda z: -torch.log(torch.sigmoid(z).clamp(min=1e-7))),
)


# The margin.
preference_loss.mistake(
    "The reference is missing. What counts is how much *more* than the reference the model prefers the answer.",
    no_reference=changed(MARGIN, "chosen - rejected"),
)
preference_loss.mistake(
    "The model is missing: you compare the reference with itself, and nothing can learn from that.",
    no_model=changed(MARGIN, "reference_chosen - reference_rejected + 0 * chosen"),
)
preference_loss.mistake(
    "Chosen and rejected are changed round: so the model would learn the rejected answers.",
    changed_round=changed("beta * margin", "-beta * margin"),
)
preference_loss.mistake(
    "The reference's preference is added. Subtract it: (chosen - reference_chosen) - (rejected - reference_rejected).",
    reference_added=changed(MARGIN, "chosen - rejected + reference_chosen - reference_rejected"),
)
preference_loss.mistake(
    "The second brackets are lost: a - b - c - d takes reference_rejected away. (chosen - reference_chosen) - "
    "(rejected - reference_rejected).",
    brackets_lost=changed(MARGIN, "chosen - reference_chosen - rejected - reference_rejected"),
)
preference_loss.mistake(
    "The two differences are added. Subtract the second: how much more than the *rejected* answer.",
    differences_added=changed(") - (", ") + ("),
)
preference_loss.mistake(
    "The rejected answers are missing: the model is only pulled to the chosen ones.",
    no_rejected=changed(MARGIN, "chosen - reference_chosen"),
)
preference_loss.mistake(
    "The chosen answers are missing: the model is only pushed away from the rejected ones.",
    no_chosen=changed(MARGIN, "reference_rejected - rejected"),
)
preference_loss.mistake(
    "You divide log-probabilities. The logarithm of a ratio is the difference of the logarithms: chosen - "
    "reference_chosen.",
    logs_divided=changed(MARGIN, "chosen / reference_chosen - rejected / reference_rejected"),
)
preference_loss.mistake(
    "You take exp first. The margin is made of the log-probabilities as they are.",
    ratios=changed(MARGIN, "(chosen - reference_chosen).exp() - (rejected - reference_rejected).exp()"),
)
preference_loss.mistake(
    "You take exp of each and subtract: those are probabilities. The margin is made of the log-probabilities as they "
    "are.",
    probabilities=changed(
        MARGIN, "(chosen.exp() - reference_chosen.exp()) - (rejected.exp() - reference_rejected.exp())"
    ),
)
preference_loss.mistake(
    "You take the logarithm again, of log-probabilities. They are logarithms already.",
    logs_of_logs=changed(MARGIN, "chosen.log() - reference_chosen.log() - rejected.log() + reference_rejected.log()"),
)
preference_loss.mistake(
    "You lost the margin's sign with abs(): a wrong order would count as a right one.",
    sign_lost=changed("beta * margin", "beta * margin.abs()"),
)
preference_loss.mistake(
    "You take the mean of the margins first, and then the sigmoid. Each pair has a loss of its own; the mean "
    "comes last.",
    mean_first=changed("(beta * margin).mean()", "(beta * margin.mean())"),
)

# beta.
preference_loss.mistake("`beta` is missing.", no_beta=changed("beta * ", ""))
preference_loss.mistake(
    "`beta` stands outside. It belongs inside the sigmoid, before the margin.",
    beta_outside=changed(LOSS, "-beta * F.logsigmoid(margin).mean()"),
)
preference_loss.mistake(
    "`beta` stands inside and outside. It belongs inside the sigmoid only.", beta_twice=changed("-F.", "-beta * F.")
)
preference_loss.mistake(
    "You divide by beta. Multiply: a small beta lets the model move far from the reference.",
    divided_by_beta=changed("beta * margin", "margin / beta"),
)
preference_loss.mistake(
    "`beta` multiplies the model's part only. It stands before the whole margin.",
    beta_before_the_model=changed(
        "beta * margin", "beta * (chosen - rejected) - (reference_chosen - reference_rejected)"
    ),
)
preference_loss.mistake(
    "`beta` multiplies the reference's part only. It stands before the whole margin.",
    beta_before_the_reference=changed(
        "beta * margin", "chosen - rejected - beta * (reference_chosen - reference_rejected)"
    ),
)
preference_loss.mistake(
    "`beta` multiplies the chosen part only. It stands before the whole margin.",
    beta_before_the_chosen=changed(
        "beta * margin", "beta * (chosen - reference_chosen) - (rejected - reference_rejected)"
    ),
)
preference_loss.mistake(
    "Your beta is always 0.1. It comes as an argument.", always_a_tenth=changed("beta * margin", "0.1 * margin")
)

# The loss of a margin.
preference_loss.mistake(
    "The minus is missing: so the model would learn the rejected answers.", no_minus=changed("-F.", "F.")
)
preference_loss.mistake(
    "The sigmoid is missing: so a pair that is long learned would pull as hard as a new one, without end.",
    no_sigmoid=of_z(lambda z: -z),
)
preference_loss.mistake(
    "You return the mean of the margins: no sigmoid, no logarithm, no minus.", margin_for_loss=of_z(lambda z: z)
)
preference_loss.mistake(
    "The logarithm is missing: it is -log of the sigmoid.", no_log=of_z(lambda z: -torch.sigmoid(z))
)
preference_loss.mistake(
    "`1 - sigmoid` has no logarithm: a pair far on the wrong side pulls no longer. It is -log of the sigmoid.",
    one_minus_sigmoid=of_z(lambda z: 1 - torch.sigmoid(z)),
)
preference_loss.mistake(
    "You return the mean of the sigmoids. It is -log of each.", sigmoid_for_loss=of_z(torch.sigmoid)
)
preference_loss.mistake(
    "The sigmoid is taken twice: logsigmoid contains it.", sigmoid_twice=of_z(lambda z: -F.logsigmoid(torch.sigmoid(z)))
)
preference_loss.mistake(
    "That is the hinge loss, which ends at a margin of 1. Here it is -log of the sigmoid.",
    hinge=of_z(lambda z: F.relu(1 - z)),
)
preference_loss.mistake(
    "`max(0, -z)` pulls only at pairs in the wrong order. Here it is -log of the sigmoid.",
    perceptron=of_z(lambda z: F.relu(-z)),
)
preference_loss.mistake(
    "`exp(-z)` grows far too fast. Here it is -log of the sigmoid: log(1 + exp(-z)).",
    exponential=of_z(lambda z: torch.exp(-z)),
)
preference_loss.mistake(
    "You square: (1 - z)². A pair far on the right side would be pulled back. Here it is -log of the sigmoid.",
    squared=of_z(lambda z: (1 - z) ** 2),
)
preference_loss.mistake(
    "`log2` makes the loss 1.44 times as large. It is the natural logarithm.",
    log2=of_z(lambda z: -F.logsigmoid(z) / math.log(2)),
)
preference_loss.mistake(
    "`log10` makes the loss 0.43 times as large. It is the natural logarithm.",
    log10=of_z(lambda z: -F.logsigmoid(z) / math.log(10)),
)

# The mean, and the graph.
preference_loss.mistake(
    "You add up over the pairs. Take the mean, so that the step does not grow with the batch.",
    summed=changed(".mean()", ".sum()"),
)
preference_loss.mistake(
    "You return one loss a pair. Return their mean, one number.", one_for_each=changed(".mean()", "")
)
preference_loss.mistake(
    "You divide by twice the number of pairs, or take half. It is the mean over the pairs.",
    halved=changed(".mean()", ".mean() / 2"),
)
preference_loss.mistake(
    "You take the largest loss. Take the mean.", largest=changed(LOSS, "(-F.logsigmoid(beta * margin)).max()")
)
preference_loss.mistake(
    "You take the median loss. Take the mean.", median=changed(LOSS, "(-F.logsigmoid(beta * margin)).median()")
)
preference_loss.mistake(
    "The loss is right, but the rejected answers get no gradient: they are to become less likely. Leave out .detach().",
    rejected_detached=changed("(rejected", "(rejected.detach()"),
)
preference_loss.mistake(
    "The loss is right, but the chosen answers get no gradient: they are to become more likely. Leave out .detach().",
    chosen_detached=changed("= (chosen", "= (chosen.detach()"),
)
preference_loss.mistake(
    "`.item()` makes a plain number, and training cannot go back through it. Return the tensor.",
    plain_number=changed(".mean()", ".mean().item()"),
)


preference_loss.hints(
    "Write the margin in one line; the formula is in the question.",
    "-log(sigmoid(z)) is -F.logsigmoid(z), which stays finite.",
    "-F.logsigmoid(beta * margin).mean()",
)
