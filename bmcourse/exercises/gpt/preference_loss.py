"""The exercise `preference_loss` of lesson 12."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The loss of DPO. All four are log-probabilities (B,) of whole answers: the chosen and the rejected, by "
    "the model that learns, and by the frozen reference. The margin of a pair is (chosen - reference_chosen) - "
    "(rejected - reference_rejected). Return the mean over the pairs of -log(sigmoid(beta * margin)); it must stay "
    "finite for margins of thousands. Rafailov and others 2023, equation 7.",
    tolerance=1e-4,
)
def preference_loss(chosen, rejected, reference_chosen, reference_rejected, beta):
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -F.logsigmoid(beta * margin).mean()


@preference_loss.judge
def preference_by_hand(chosen, rejected, reference_chosen, reference_rejected, beta):
    """Pair by pair in Python's own numbers, by the two ratios of probabilities; and the gradients to the first two."""
    total, up, down = 0.0, [], []
    columns = (chosen.tolist(), rejected.tolist(), reference_chosen.tolist(), reference_rejected.tolist())
    for good, bad, old_good, old_bad in zip(*columns, strict=True):
        z = beta * (good - old_good - bad + old_bad)
        total += math.log1p(math.exp(-z)) if z > 0 else -z + math.log1p(math.exp(z))
        pull = beta / (1 + math.exp(z)) if z < 700 else 0.0
        up.append(-pull / len(chosen))
        down.append(pull / len(chosen))
    return [torch.tensor(total / len(chosen)), torch.tensor(up), torch.tensor(down)]


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


@preference_loss.right
def preference_softplus(chosen, rejected, reference_chosen, reference_rejected, beta):
    return F.softplus(beta * (rejected - reference_rejected - chosen + reference_chosen)).mean()


@preference_loss.right
def preference_cross_entropy(chosen, rejected, reference_chosen, reference_rejected, beta):
    rewards = beta * torch.stack([chosen - reference_chosen, rejected - reference_rejected], dim=1)
    return F.cross_entropy(rewards, torch.zeros(len(chosen), dtype=torch.long))


@preference_loss.right
def preference_with_logits(chosen, rejected, reference_chosen, reference_rejected, beta):
    ours, theirs = chosen - rejected, reference_chosen - reference_rejected
    return F.binary_cross_entropy_with_logits(beta * (ours - theirs), torch.ones_like(ours))


@preference_loss.right
def preference_logaddexp(chosen, rejected, reference_chosen, reference_rejected, beta):
    good, bad = beta * (chosen - reference_chosen), beta * (rejected - reference_rejected)
    return (torch.logaddexp(good, bad) - good).mean()


def of_margin(loss):
    """A wrong answer: loss(beta, ours, theirs), where these are how much each model prefers the chosen answers."""
    return lambda chosen, rejected, old_chosen, old_rejected, beta: loss(
        beta, chosen - rejected, old_chosen - old_rejected
    )


@preference_loss.cases
def cases():
    return [
        (torch.tensor([-1.0]), torch.tensor([-3.0]), torch.tensor([-2.0]), torch.tensor([-2.5]), 0.5),
        (*(-5 * torch.rand(6) for _ in range(4)), 0.1),
        (*(-20 * torch.rand(3) for _ in range(4)), 1.0),
        (torch.tensor([-2000.0, -1.0]), torch.tensor([-1.0, -2.0]), torch.zeros(2), torch.zeros(2), 1.0),
    ]


preference_loss.mistake(
    "Right for small margins. For large negative ones sigmoid is 0 and its logarithm infinite: "
    "F.logsigmoid does both in one, and stays finite.",
    TODO_38=of_margin(lambda beta, ours, theirs: -torch.sigmoid(beta * (ours - theirs)).log().mean()),
)


preference_loss.mistake(
    "The reference is missing. What counts is how much *more* than the reference the model prefers the answer.",
    TODO_39=of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * ours).mean()),
)


preference_loss.mistake(
    "The minus is missing: so the model would learn the rejected answers.",
    TODO_40=of_margin(lambda beta, ours, theirs: F.logsigmoid(beta * (ours - theirs)).mean()),
)


preference_loss.mistake(
    "Chosen and rejected are changed round: so the model would learn the rejected answers.",
    TODO_41=of_margin(lambda beta, ours, theirs: -F.logsigmoid(-beta * (ours - theirs)).mean()),
)


preference_loss.mistake(
    "The reference's preference is added. Subtract it: (chosen - reference_chosen) - (rejected - reference_rejected).",
    TODO_42=of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * (ours + theirs)).mean()),
)


preference_loss.mistake(
    "beta is missing.", TODO_43=of_margin(lambda beta, ours, theirs: -F.logsigmoid(ours - theirs).mean())
)


preference_loss.mistake(
    "beta stands outside. It belongs inside the sigmoid, before the margin.",
    TODO_44=of_margin(lambda beta, ours, theirs: -beta * F.logsigmoid(ours - theirs).mean()),
)


preference_loss.mistake(
    "You divide by beta. Multiply: a small beta lets the model move far from the reference.",
    TODO_45=of_margin(lambda beta, ours, theirs: -F.logsigmoid((ours - theirs) / beta).mean()),
)


preference_loss.mistake(
    "The sigmoid is missing: so a pair that is long learned would pull as hard as a new one, without end.",
    TODO_46=of_margin(lambda beta, ours, theirs: -beta * (ours - theirs).mean()),
)


preference_loss.mistake(
    "The logarithm is missing: it is -log of the sigmoid.",
    TODO_47=of_margin(lambda beta, ours, theirs: -torch.sigmoid(beta * (ours - theirs)).mean()),
)


preference_loss.mistake(
    "You add up over the pairs. Take the mean, so that the step does not grow with the batch.",
    TODO_48=of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * (ours - theirs)).sum()),
)


preference_loss.mistake(
    "You return one loss a pair. Return their mean, one number.",
    TODO_49=of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * (ours - theirs))),
)


preference_loss.mistake(
    "You take the mean of the margins first, and then the sigmoid. Each pair has a loss of its own; the mean "
    "comes last.",
    TODO_50=of_margin(lambda beta, ours, theirs: -F.logsigmoid(beta * (ours - theirs).mean())),
)


preference_loss.mistake(
    "You take exp first. The margin is made of the log-probabilities as they are.",
    TODO_51=lambda chosen, rejected, old_chosen, old_rejected, beta: (
        -F.logsigmoid(beta * (chosen.exp() / old_chosen.exp() - rejected.exp() / old_rejected.exp())).mean()
    ),
)


preference_loss.mistake(
    "`.item()` makes a plain number, and training cannot go back through it. Return the tensor.",
    TODO_52=lambda *case: preference_loss(*case).item(),
)


preference_loss.hints(
    "Write the margin in one line; the formula is in the question.",
    "-log(sigmoid(z)) is -F.logsigmoid(z), which stays finite.",
    "-F.logsigmoid(beta * margin).mean()",
)
