"""The exercise `gradient_of_cross_entropy`: probability minus target, by hand."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The gradient of the mean cross-entropy with respect to the logits (N, C), for class numbers (N,): again "
    "(N, C). Work it out by hand; it is short.",
    built=("backward", "grad", "vjp", "jacobian", "jacrev"),
    untried={"logits": {"a gradient is wanted": "the result is a gradient itself; a second one is not asked for"}},
)
def gradient_of_cross_entropy(logits, targets):
    gradient = torch.softmax(logits, dim=1)
    gradient[torch.arange(len(targets)), targets] -= 1
    return gradient / len(targets)


@gradient_of_cross_entropy.cases
def cases():
    odd = torch.tensor([[1.0, -2.0], [0.0, 1.0], [3.0, 0.5]], dtype=torch.float64).T
    return [
        (torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])),
        (torch.randn(5, 4), torch.tensor([3, 0, 1, 1, 3])),
        (torch.randn(1, 3), torch.tensor([0])),
        (torch.tensor([[1000.0, 0.0, -1000.0], [0.0, 1.0, 2.0]]), torch.tensor([1, 2])),
        (odd, torch.tensor([1, 1])),
    ]


@gradient_of_cross_entropy.judge
def by_autograd(logits, targets):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(logits, targets), logits)[0]


@gradient_of_cross_entropy.right
def by_one_hot(logits, targets):
    N, C = logits.shape
    return (logits.softmax(1) - F.one_hot(targets, C)) / N


@gradient_of_cross_entropy.right
def by_scatter(logits, targets):
    probabilities = torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))
    minus_one = torch.full((len(targets), 1), -1.0, dtype=logits.dtype)
    return probabilities.scatter_add(1, targets[:, None], minus_one) / len(targets)


@gradient_of_cross_entropy.right
def by_comparison(logits, targets):
    right = torch.arange(logits.shape[1]) == targets[:, None]
    return torch.where(right, logits.softmax(1) - 1, logits.softmax(1)).div(len(targets))


@gradient_of_cross_entropy.right
def row_by_row(logits, targets):
    rows = []
    for row, target in zip(logits, targets.tolist(), strict=True):
        exponentials = (row - row.max()).exp()
        row = exponentials / exponentials.sum()
        row[target] = row[target] - 1
        rows.append(row / len(targets))
    return torch.stack(rows)


@gradient_of_cross_entropy.right
def by_the_chain_rule(logits, targets):
    p = logits.double().softmax(1)
    eye = torch.eye(logits.shape[1], dtype=p.dtype)
    right = eye[targets]
    by_probability = -right / (p * right).sum(1, keepdim=True).clamp(min=1e-300)
    softmax = p[:, :, None] * (eye - p[:, None, :])
    chained = (softmax @ by_probability[:, :, None])[:, :, 0]
    certain = (p * right).sum(1, keepdim=True) > 0
    return (torch.where(certain, chained, p - right) / len(p)).to(logits.dtype)


def one_hot(logits, targets):
    return F.one_hot(targets, logits.shape[1]).to(logits.dtype)


def minus(made, by=lambda logits: len(logits)):
    """`made(logits)` minus the one-hot targets, divided `by` a number."""
    return lambda logits, targets: (made(logits) - one_hot(logits, targets)) / by(logits)


def softmax(logits):
    return logits.softmax(1)


gradient_of_cross_entropy.mistake(
    "[:, targets] subtracts in every row, not each in its own. Use [torch.arange(N), targets].",
    subtracted_in_every_row=gradient_of_cross_entropy.changed("[torch.arange(len(targets)), targets]", "[:, targets]"),
)
gradient_of_cross_entropy.mistake(
    "[targets] takes whole rows, by class number. Subtract at one place in each row: [torch.arange(N), targets].",
    subtracted_from_rows=lambda logits, targets: (
        (logits.softmax(1) - torch.zeros_like(logits).index_fill(0, targets.clamp(max=len(logits) - 1), 1))
        / len(targets)
    ),
)
gradient_of_cross_entropy.mistake(
    "Right for each example, but the loss is the mean over N examples: divide by N.",
    not_divided=gradient_of_cross_entropy.changed(" / len(targets)", ""),
)
gradient_of_cross_entropy.mistake(
    "You divide only the probabilities, or only the targets, by N. Subtract first, then divide all of it.",
    targets_not_divided=lambda logits, targets: logits.softmax(1) / len(targets) - one_hot(logits, targets),
)
gradient_of_cross_entropy.mistake(
    "You divide only the targets by N. Subtract first, then divide all of it: brackets.",
    probabilities_not_divided=lambda logits, targets: logits.softmax(1) - one_hot(logits, targets) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "The sign is wrong. The gradient points to where the loss grows: probability minus target. You have the way down.",
    wrong_sign=gradient_of_cross_entropy.changed("return gradient", "return -gradient"),
)
gradient_of_cross_entropy.mistake(
    "Two things: the gradient is probability minus target, not the other way round, and it is divided by N.",
    wrong_sign_and_not_divided=gradient_of_cross_entropy.changed("return gradient / len(targets)", "return -gradient"),
)
gradient_of_cross_entropy.mistake(
    "You add 1 at the right class. Subtract it: a larger right logit lowers the loss.",
    one_added=gradient_of_cross_entropy.changed("-= 1", "+= 1"),
)
gradient_of_cross_entropy.mistake(
    "You set the right class to -1. Subtract 1 from its probability.",
    set_to_minus_one=gradient_of_cross_entropy.changed("-= 1", "= -1"),
)
gradient_of_cross_entropy.mistake(
    "You set the right class to 0. Subtract 1 from its probability.",
    set_to_zero=gradient_of_cross_entropy.changed("-= 1", "= 0"),
)
gradient_of_cross_entropy.mistake(
    "You subtract 1 everywhere. Subtract it at the right class of each row only.",
    subtracted_everywhere=lambda logits, targets: (logits.softmax(1) - 1) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "Those are only the probabilities. Subtract 1 at the right class of each row.",
    probabilities_only=gradient_of_cross_entropy.changed("-= 1", "-= 0"),
)
gradient_of_cross_entropy.mistake(
    "Those are the probabilities themselves. Subtract 1 at the right class of each row, and divide by N.",
    probabilities_not_divided_at_all=lambda logits, targets: logits.softmax(1),
)
gradient_of_cross_entropy.mistake(
    "You subtract the number of the class (0, 1, 2, ...) from the whole row. Subtract 1, at that class only.",
    class_number_subtracted=lambda logits, targets: (logits.softmax(1) - targets[:, None]) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "You subtract the number of the class (0, 1, 2, ...) at its place. Subtract 1 there.",
    class_number_subtracted_at_its_place=gradient_of_cross_entropy.changed("-= 1", "-= targets.to(logits.dtype)"),
)
gradient_of_cross_entropy.mistake(
    "You subtract at the class before the right one. Class numbers count from 0, as the columns do.",
    one_class_before=gradient_of_cross_entropy.changed(", targets]", ", targets - 1]"),
)
gradient_of_cross_entropy.mistake(
    "You subtract 1 at class 0 of each row. Subtract it at the right class, targets.",
    first_class=gradient_of_cross_entropy.changed(", targets]", ", 0]"),
)
gradient_of_cross_entropy.mistake(
    "Your softmax runs down the columns, over the examples. It must run over the classes of a row: dim=1.",
    softmax_of_columns=gradient_of_cross_entropy.changed("dim=1", "dim=0"),
)
gradient_of_cross_entropy.mistake(
    "Your softmax runs over the whole table. It must run over the classes of a row: dim=1.",
    softmax_of_all=minus(lambda logits: logits.flatten().softmax(0).view_as(logits)),
)
gradient_of_cross_entropy.mistake(
    "You divide by N * C. The mean is over the N examples only.",
    divided_by_all=gradient_of_cross_entropy.changed("/ len(targets)", "/ logits.numel()"),
)
gradient_of_cross_entropy.mistake(
    "You divide by C, the number of classes. Divide by N, the number of examples.",
    divided_by_classes=gradient_of_cross_entropy.changed("/ len(targets)", "/ logits.shape[1]"),
)
gradient_of_cross_entropy.mistake(
    "You divide by N twice. Once is enough.",
    divided_twice=gradient_of_cross_entropy.changed("/ len(targets)", "/ len(targets) ** 2"),
)
gradient_of_cross_entropy.mistake(
    "You multiply by N. The loss is a mean: divide by N.",
    multiplied=gradient_of_cross_entropy.changed("/ len(targets)", "* len(targets)"),
)
gradient_of_cross_entropy.mistake(
    "There is a factor of 2, as in the gradient of a squared error. Here it is probability minus target, over N.",
    factor_of_two=gradient_of_cross_entropy.changed("gradient / len", "2 * gradient / len"),
)
gradient_of_cross_entropy.mistake(
    "You subtract 1 where the model's largest logit is. Subtract it at the right class, targets.",
    best_class=lambda logits, targets: (logits.softmax(1) - one_hot(logits, logits.argmax(1))) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "-1 / p is the gradient with respect to the probabilities. Go on by the chain rule, through the softmax to the "
    "logits: nearly everything cancels.",
    by_the_probabilities=lambda logits, targets: -one_hot(logits, targets) / logits.softmax(1) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "You subtract from the logits. Turn them into probabilities first: softmax.",
    no_softmax=minus(lambda logits: logits),
)
gradient_of_cross_entropy.mistake(
    "You subtract from the log-probabilities. The derivative of log(sum(exp(x))) is the softmax itself.",
    log_probabilities=minus(lambda logits: logits.log_softmax(1)),
)
gradient_of_cross_entropy.mistake(
    "exp(x) is not divided by its sum over the row: it is the softmax that is needed.",
    exp_without_sum=minus(torch.exp),
)
gradient_of_cross_entropy.mistake(
    "Only the right class has a gradient with you. The other logits stand in the sum of the softmax too: each gets its "
    "probability.",
    right_class_only=lambda logits, targets: (logits.softmax(1) - 1) * one_hot(logits, targets) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "One number for each example came. The gradient has the shape of the logits, (N, C): every logit counts.",
    one_number_for_each_example=lambda logits, targets: (
        (logits.softmax(1)[torch.arange(len(targets)), targets] - 1) / len(targets)
    ),
)
gradient_of_cross_entropy.mistake(
    "Right, until exp overflows: exp(1000) is infinite and gives NaN. Use torch.softmax, or subtract the largest logit "
    "first.",
    overflow=minus(lambda logits: logits.exp() / logits.exp().sum(1, keepdim=True)),
)
gradient_of_cross_entropy.mistake(
    "one_hot was not told the number of classes, so it counts only up to the largest target. Give it C.",
    one_hot_without_classes=lambda logits, targets: (logits.softmax(1) - F.one_hot(targets)) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "one_hot was told N in place of C, the number of classes.",
    one_hot_of_examples=lambda logits, targets: (logits.softmax(1) - F.one_hot(targets, len(logits))) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "You averaged over the examples, so one row is left. Each example's logits have their own gradient: divide by N "
    "and keep the shape (N, C).",
    averaged=lambda logits, targets: (logits.softmax(1) - one_hot(logits, targets)).mean(0),
)
gradient_of_cross_entropy.mistake(
    "You averaged over the classes. They add up to 0 in every row: divide by N and keep the shape (N, C).",
    averaged_over_classes=lambda logits, targets: (logits.softmax(1) - one_hot(logits, targets)).mean(1),
)
gradient_of_cross_entropy.mistake(
    "p * (1 - p) is the derivative of a probability by its own logit. The loss is -log p of the right class: use the "
    "chain rule.",
    derivative_of_softmax=lambda logits, targets: logits.softmax(1) * (1 - logits.softmax(1)) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "The factor p * (1 - p) belongs to the squared error of a sigmoid. With cross-entropy it cancels: probability "
    "minus target, over N.",
    times_derivative=lambda logits, targets: (
        (softmax(logits) - one_hot(logits, targets)) * softmax(logits) * (1 - softmax(logits)) / len(targets)
    ),
)
gradient_of_cross_entropy.mistake(
    "You multiply once more by the probabilities. Everything cancels to probability minus target, over N.",
    times_probability=lambda logits, targets: (
        (softmax(logits) - one_hot(logits, targets)) * softmax(logits) / len(targets)
    ),
)
gradient_of_cross_entropy.mistake(
    "You used the sigmoid, which is for yes-or-no questions. With one right class out of C it is the softmax.",
    sigmoid=minus(torch.sigmoid),
)
gradient_of_cross_entropy.mistake(
    "You lost the signs: abs() is too many. At the right class the gradient is negative.",
    signs_lost=gradient_of_cross_entropy.changed("return gradient", "return gradient.abs()"),
)
gradient_of_cross_entropy.mistake(
    "Your rows are the classes. The gradient has the shape of the logits: (N, C).",
    transposed=lambda logits, targets: gradient_of_cross_entropy(logits, targets).T,
)
gradient_of_cross_entropy.mistake(
    "That is the loss, one number. Its gradient has the shape of the logits: (N, C).",
    loss_itself=lambda logits, targets: F.cross_entropy(logits, targets),
)
gradient_of_cross_entropy.mistake(
    "Those are the one-hot targets, over N. The probabilities come first: softmax minus targets.",
    targets_only=lambda logits, targets: -one_hot(logits, targets) / len(targets),
)
gradient_of_cross_entropy.mistake(
    "A list came. Return a tensor of shape (N, C): torch.stack(rows), or leave out tolist().",
    list_of_lists=lambda logits, targets: gradient_of_cross_entropy(logits, targets).tolist(),
)


@gradient_of_cross_entropy.mistake(
    "You changed the logits you were given (-= 1). Make the softmax a tensor of its own, and subtract there."
)
def in_place(logits, targets):
    logits.copy_(logits.softmax(1))
    logits[torch.arange(len(targets)), targets] -= 1
    return logits / len(targets)


gradient_of_cross_entropy.hints(
    "The loss of one row is log(sum(exp(x))) - x[target]. Take the derivative by each logit.",
    "The derivative of log(sum(exp(x))) is the softmax. What does the second part add, and where?",
    "Probability minus one-hot target, and then the mean over N examples.",
)
