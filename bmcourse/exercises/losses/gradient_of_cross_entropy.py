"""The exercise `gradient_of_cross_entropy` of lesson 04."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.losses.shared import picked


@exercise(
    prompt="The gradient of the mean cross-entropy with respect to the logits (N, C), for class numbers (N,): again "
    "(N, C). Work it out by hand; it is short."
)
def gradient_of_cross_entropy(logits, targets):
    gradient = torch.softmax(logits, dim=1)
    gradient[torch.arange(len(targets)), targets] -= 1
    return gradient / len(targets)


@gradient_of_cross_entropy.judge
def by_autograd(logits, targets):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(logits, targets), logits)[0]


@gradient_of_cross_entropy.right
def gradient_by_one_hot(logits, targets):
    N, C = logits.shape
    return (logits.softmax(1) - F.one_hot(targets, C)) / N


@gradient_of_cross_entropy.right
def gradient_by_scatter(logits, targets):
    probabilities = torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))
    minus_one = torch.full((len(targets), 1), -1.0)
    return probabilities.scatter_add(1, targets[:, None], minus_one) / len(targets)


@gradient_of_cross_entropy.right
def gradient_by_comparison(logits, targets):
    right = torch.arange(logits.shape[1]) == targets[:, None]
    return torch.where(right, logits.softmax(1) - 1, logits.softmax(1)).div(len(targets))


def onehot(logits, targets):
    return F.one_hot(targets, logits.shape[1]).float()


@gradient_of_cross_entropy.mistake(
    "[:, targets] subtracts in every row, not each in its own. Use [torch.arange(N), targets]."
)
def subtracts_in_every_row(logits, targets):
    gradient = logits.softmax(1)
    gradient[:, targets] -= 1
    return gradient / len(targets)


@gradient_of_cross_entropy.cases
def cases():
    return [
        (torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])),
        (torch.randn(5, 4), torch.tensor([3, 0, 1, 1, 3])),
        (torch.randn(1, 3), torch.tensor([0])),
        (torch.tensor([[1000.0, 0.0, -1000.0], [0.0, 1.0, 2.0]]), torch.tensor([1, 2])),
    ]


gradient_of_cross_entropy.mistake(
    "Right for each example, but the loss is the mean over N examples: divide by N.",
    TODO_53=lambda logits, targets: logits.softmax(1) - onehot(logits, targets),
)


gradient_of_cross_entropy.mistake(
    "The sign is wrong. The gradient points to where the loss grows: probability minus target. You have the way down.",
    TODO_54=lambda logits, targets: (onehot(logits, targets) - logits.softmax(1)) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "Those are only the probabilities. Subtract 1 at the right class of each row.",
    TODO_55=lambda logits, targets: logits.softmax(1) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "You subtract the number of the class (0, 1, 2, ...) from the whole row. Subtract 1, at that class only.",
    TODO_56=lambda logits, targets: (logits.softmax(1) - targets[:, None]) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "Your softmax runs down the columns, over the examples. It must run over the classes of a row: dim=1.",
    TODO_57=lambda logits, targets: (logits.softmax(0) - onehot(logits, targets)) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "You divide by N * C. The mean is over the N examples only.",
    TODO_58=lambda logits, targets: (logits.softmax(1) - onehot(logits, targets)) / logits.numel(),
)


gradient_of_cross_entropy.mistake(
    "You divide by C, the number of classes. Divide by N, the number of examples.",
    TODO_59=lambda logits, targets: (logits.softmax(1) - onehot(logits, targets)) / logits.shape[1],
)


gradient_of_cross_entropy.mistake(
    "You subtract 1 where the model's largest logit is. Subtract it at the right class, targets.",
    TODO_60=lambda logits, targets: (logits.softmax(1) - onehot(logits, logits.argmax(1))) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "-1 / p is the gradient with respect to the probabilities. Go on by the chain rule, through the softmax to "
    "the logits: nearly everything cancels.",
    TODO_61=lambda logits, targets: -onehot(logits, targets) / logits.softmax(1) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "You subtract from the logits. Turn them into probabilities first: softmax.",
    TODO_62=lambda logits, targets: (logits - onehot(logits, targets)) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "You subtract from the log-probabilities. The derivative of log(sum(exp(x))) is the softmax itself.",
    TODO_63=lambda logits, targets: (logits.log_softmax(1) - onehot(logits, targets)) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "Only the right class has a gradient with you. The other logits stand in the sum of the softmax too: each "
    "gets its probability.",
    TODO_64=lambda logits, targets: (logits.softmax(1) - 1) * onehot(logits, targets) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "One number for each example came. The gradient has the shape of the logits, (N, C): every logit counts.",
    TODO_65=lambda logits, targets: (picked(logits.softmax(1), targets) - 1) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "Right, until exp overflows: exp(1000) is infinite and gives NaN. Use torch.softmax, or subtract the "
    "largest logit first.",
    TODO_66=lambda logits, targets: (
        (logits.exp() / logits.exp().sum(1, keepdim=True) - onehot(logits, targets)) / len(targets)
    ),
)


gradient_of_cross_entropy.mistake(
    "one_hot was not told the number of classes, so it counts only up to the largest target. Give it C.",
    TODO_67=lambda logits, targets: (logits.softmax(1) - F.one_hot(targets)) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "You averaged over the examples, so one row is left. Each example's logits have their own gradient: divide "
    "by N and keep the shape (N, C).",
    TODO_68=lambda logits, targets: (logits.softmax(1) - onehot(logits, targets)).mean(0),
)


gradient_of_cross_entropy.mistake(
    "p * (1 - p) is the derivative of a probability by its own logit. The loss is -log p of the right class: "
    "use the chain rule.",
    TODO_69=lambda logits, targets: logits.softmax(1) * (1 - logits.softmax(1)) / len(targets),
)


gradient_of_cross_entropy.mistake(
    "You used the sigmoid, which is for yes-or-no questions. With one right class out of C it is the softmax.",
    TODO_70=lambda logits, targets: (logits.sigmoid() - onehot(logits, targets)) / len(targets),
)


gradient_of_cross_entropy.hints(
    "The loss of one row is log(sum(exp(x))) - x[target]. Take the derivative by each logit.",
    "The derivative of log(sum(exp(x))) is the softmax. What does the second part add, and where?",
    "Probability minus one-hot target, and then the mean over N examples.",
)
