"""The exercise `share_filled_in` of lesson 13."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Fill-in accuracy. `logits` are (B, T, V), `targets` (B, T): a word's number where it is asked for, and "
    "-100 elsewhere. Return the share of the words asked for at which the largest logit is the right word's: a plain "
    "number from 0 to 1."
)
def share_filled_in(logits, targets):
    asked = targets != -100
    return (logits[asked].argmax(dim=-1) == targets[asked]).float().mean().item()


@share_filled_in.right
def share_by_a_loop(logits, targets):
    right = [logits[b, t].argmax().item() == targets[b, t].item() for b, t in (targets != -100).nonzero(as_tuple=False)]
    return sum(right) / len(right)


@share_filled_in.right
def share_by_sums(logits, targets):
    right = logits.argmax(dim=-1) == targets
    return (right.sum() / (targets >= 0).sum()).item()


@share_filled_in.right
def share_by_max(logits, targets):
    guesses = logits.max(dim=2).indices[targets.ne(-100)]
    return (guesses == targets[targets.ne(-100)]).double().mean().item()


@share_filled_in.cases
def cases():
    return [
        (
            torch.tensor([[[0.0, 2.0, 1.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]),
            torch.tensor([[1, -100, 0]]),
        ),
        (
            torch.eye(4)[torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])],
            torch.tensor([[0, -100, 2, 1], [-100, -100, -100, 0]]),
        ),
        (
            torch.eye(5)[torch.tensor([[1, 2, 3], [4, 4, 4], [0, 0, 0]])] - 3,
            torch.tensor([[1, 2, 4], [4, -100, -100], [1, -100, -100]]),
        ),
    ]


share_filled_in.mistake(
    "You divide by all places. Divide by the number of words that are asked for: targets != -100.",
    TODO_27=lambda logits, targets: (logits.argmax(-1) == targets).float().mean().item(),
)


share_filled_in.mistake(
    "Places where nothing is asked count as right with you. Leave them out.",
    TODO_28=lambda logits, targets: ((logits.argmax(-1) == targets) | (targets == -100)).float().mean().item(),
)


share_filled_in.mistake(
    "You take the share of each sentence, and then their mean. Put all words together first.",
    TODO_29=lambda logits, targets: (
        torch.stack(
            [(x[y != -100].argmax(-1) == y[y != -100]).float().mean() for x, y in zip(logits, targets, strict=True)]
        )
        .mean()
        .item()
    ),
)


share_filled_in.mistake(
    "That is in percent. Asked is a share, from 0 to 1.",
    TODO_30=lambda logits, targets: 100 * share_filled_in(logits, targets),
)


share_filled_in.mistake(
    "That is the share of wrong guesses.", TODO_31=lambda logits, targets: 1 - share_filled_in(logits, targets)
)


share_filled_in.mistake(
    "That is how many are right. Divide by how many are asked for.",
    TODO_32=lambda logits, targets: int(((logits.argmax(-1) == targets) & (targets >= 0)).sum()),
)


share_filled_in.mistake(
    "You compare the guess at place t with target t + 1, as for a GPT. A BERT answers at the place itself.",
    TODO_33=lambda logits, targets: (
        (logits[:, :-1].argmax(-1) == targets[:, 1:])[targets[:, 1:] >= 0].float().mean().item()
    ),
)


share_filled_in.mistake(
    "That is the mean probability of the right words. Accuracy counts: is the right word the first guess?",
    TODO_34=lambda logits, targets: (
        logits.softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0][targets >= 0].mean().item()
    ),
)


share_filled_in.hints(
    "asked = targets != -100, and only logits[asked] and targets[asked] count.",
    "The guess is the place of the largest logit: argmax(dim=-1).",
    "(guesses == targets[asked]).float().mean().item()",
)
