"""The exercise `consistency_loss` of lesson 10."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="FixMatch's loss for inputs without labels. The model saw each input twice: changed a little, weak_logits "
    "(B, K), and changed a lot, strong_logits (B, K). Where its largest probability for the weak one is at least "
    "`threshold`, the likeliest class is the label, and the strong one pays its cross-entropy; all others pay 0. "
    "Return the mean over all B. No gradient flows into the weak logits. Sohn et al. 2020, equation 4."
)
def consistency_loss(weak_logits, strong_logits, threshold):
    confidence, labels = weak_logits.detach().softmax(dim=1).max(dim=1)
    losses = F.cross_entropy(strong_logits, labels, reduction="none")
    return (losses * (confidence >= threshold)).mean()


@consistency_loss.run
def loss_and_gradients(answer, weak_logits, strong_logits, threshold):
    """The loss, and its gradients to both: that to the weak ones must be 0 or None."""
    weak, strong = (logits.clone().requires_grad_() for logits in (weak_logits, strong_logits))
    loss = answer(weak, strong, threshold)
    if not torch.is_tensor(loss) or loss.ndim or not loss.requires_grad:
        return loss
    gradients = torch.autograd.grad(loss, [strong, weak], allow_unused=True)
    return [loss.detach(), *(torch.zeros_like(weak) if gradient is None else gradient for gradient in gradients)]


@consistency_loss.judge
def loss_by_hand(weak_logits, strong_logits, threshold):
    """The loss and its gradients, input by input, from the formula."""
    B = len(weak_logits)
    loss, gradient = torch.zeros(()), torch.zeros_like(strong_logits)
    for i, (weak, strong) in enumerate(zip(weak_logits.softmax(dim=1), strong_logits.softmax(dim=1), strict=True)):
        if weak.max() >= threshold:
            label = weak.argmax()
            loss -= strong[label].log() / B
            gradient[i] = strong / B
            gradient[i, label] -= 1 / B
    return [loss, gradient, torch.zeros_like(weak_logits)]


@consistency_loss.right
def consistency_by_rows(weak_logits, strong_logits, threshold):
    total = strong_logits.sum() * 0
    for weak, strong in zip(weak_logits.detach(), strong_logits, strict=True):
        if weak.softmax(dim=0).max() >= threshold:
            total = total - strong.log_softmax(dim=0)[weak.argmax()]
    return total / len(weak_logits)


@consistency_loss.right
def consistency_by_index(weak_logits, strong_logits, threshold):
    with torch.no_grad():
        sure = weak_logits.softmax(dim=1).amax(dim=1) >= threshold
    labels = weak_logits.argmax(dim=1)
    return F.cross_entropy(strong_logits[sure], labels[sure], reduction="sum") / len(sure)


@consistency_loss.right
def consistency_by_ignoring(weak_logits, strong_logits, threshold):
    confidence, labels = F.softmax(weak_logits, dim=-1).max(dim=-1)
    labels = labels.masked_fill(confidence < threshold, -100)
    return F.cross_entropy(strong_logits, labels, reduction="sum") / labels.numel()


@consistency_loss.right
def consistency_by_gather(weak_logits, strong_logits, threshold):
    probabilities = weak_logits.softmax(dim=1).detach()
    best = probabilities.argmax(dim=1, keepdim=True)
    sure = probabilities.gather(1, best) >= threshold
    return -(strong_logits.log_softmax(dim=1).gather(1, best) * sure.float()).mean()


def consistent(losses, sure=lambda weak, threshold: weak.softmax(dim=1).amax(dim=1) >= threshold):
    """A wrong loss: `losses(weak, strong)` of each input where `sure(weak, threshold)`, its mean over the batch."""
    return lambda weak, strong, threshold: (losses(weak, strong) * sure(weak, threshold)).mean()


def strong_against_weak(weak, strong):
    return F.cross_entropy(strong, weak.argmax(dim=1), reduction="none")


@consistency_loss.mistake(
    "You divide by the number of sure inputs. Divide by B: as long as the model is sure of few, the loss must be small."
)
def mean_over_the_sure(weak, strong, threshold):
    sure = weak.softmax(dim=1).amax(dim=1) >= threshold
    return (strong_against_weak(weak, strong) * sure).sum() / sure.sum().clamp(min=1)


@consistency_loss.mistake(
    "You take the mean over the sure inputs, and where there are none it is NaN (not a number). Take the mean "
    "over all B, the others pay 0."
)
def mean_of_chosen(weak, strong, threshold):
    sure = weak.softmax(dim=1).amax(dim=1) >= threshold
    return F.cross_entropy(strong[sure], weak.argmax(dim=1)[sure])


@consistency_loss.cases
def cases():
    return [
        (torch.tensor([[3.0, 0.0], [0.2, 0.0]]), torch.tensor([[1.0, 0.0], [5.0, 0.0]]), 0.9),
        (3 * torch.randn(6, 4), torch.randn(6, 4), 0.7),
        (2 * torch.randn(8, 3) - 3, 2 * torch.randn(8, 3), 0.6),
        (torch.zeros(3, 4), torch.randn(3, 4), 0.5),
        (torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[1.0, -1.0], [0.0, 0.0]]), 0.5),
    ]


consistency_loss.mistake(
    "You add up over the batch. Take the mean over all B.",
    TODO_62=lambda weak, strong, threshold: consistency_loss(weak, strong, threshold) * len(weak),
)


consistency_loss.mistake(
    "All inputs pay. Below the threshold the label is a guess: those pay 0.",
    TODO_63=lambda weak, strong, threshold: consistency_loss(weak, strong, 0.0),
)


consistency_loss.mistake(
    "A probability that equals the threshold counts too: at least means >=.",
    TODO_64=consistent(strong_against_weak, lambda weak, threshold: weak.softmax(dim=1).amax(dim=1) > threshold),
)


consistency_loss.mistake(
    "The unsure inputs pay, and the sure ones do not. Your comparison is turned round.",
    TODO_65=consistent(strong_against_weak, lambda weak, threshold: weak.softmax(dim=1).amax(dim=1) < threshold),
)


consistency_loss.mistake(
    "You compare logits with the threshold. Make probabilities first: softmax(dim=1).",
    TODO_66=consistent(strong_against_weak, lambda weak, threshold: weak.amax(dim=1) >= threshold),
)


consistency_loss.mistake(
    "softmax(dim=0) runs over the batch. The classes of one input are a row: dim=1.",
    TODO_67=consistent(strong_against_weak, lambda weak, threshold: weak.softmax(dim=0).amax(dim=1) >= threshold),
)


consistency_loss.mistake(
    "Weak and strong are changed round. The picture changed a little gives the label, the one changed a lot learns it.",
    TODO_68=lambda weak, strong, threshold: consistency_loss(strong, weak, threshold),
)


consistency_loss.mistake(
    "The weak logits pay for their own labels: that is pseudo-labelling, and the strong ones have no part.",
    TODO_69=lambda weak, strong, threshold: consistency_loss(weak, weak, threshold),
)


consistency_loss.mistake(
    "The strong logits are their own labels, so the model can never be wrong. The label is the weak ones' "
    "likeliest class.",
    TODO_70=lambda weak, strong, threshold: (
        F.cross_entropy(strong, strong.argmax(dim=1), reduction="none") * (weak.softmax(dim=1).amax(dim=1) >= threshold)
    ).mean(),
)


consistency_loss.mistake(
    "You ask how sure the strong logits are. The input changed a little says whether the label can be trusted.",
    TODO_71=lambda weak, strong, threshold: (
        strong_against_weak(weak, strong) * (strong.softmax(dim=1).amax(dim=1) >= threshold)
    ).mean(),
)


consistency_loss.mistake(
    "Your labels are the weak probabilities, and a gradient flows into them. Take the likeliest class, a hard label.",
    TODO_72=consistent(lambda weak, strong: F.cross_entropy(strong, weak.softmax(dim=1), reduction="none")),
)


consistency_loss.mistake(
    "Your labels are the weak probabilities. FixMatch takes the likeliest class, a hard label: argmax.",
    TODO_73=consistent(lambda weak, strong: F.cross_entropy(strong, weak.detach().softmax(dim=1), reduction="none")),
)


consistency_loss.mistake(
    "You measure how far the two probabilities are apart, as older methods do. FixMatch: the cross-entropy of "
    "the strong logits with the weak ones' likeliest class.",
    TODO_74=consistent(lambda weak, strong: ((weak.softmax(dim=1) - strong.softmax(dim=1)) ** 2).sum(dim=1)),
)


consistency_loss.mistake(
    "You weigh the losses with the confidence, and its gradient flows into the weak logits. Each input pays "
    "whole or not at all: confidence >= threshold.",
    TODO_75=lambda weak, strong, threshold: (
        strong_against_weak(weak, strong) * weak.softmax(dim=1).amax(dim=1).clamp(min=threshold)
    ).mean(),
)


consistency_loss.mistake(
    "F.cross_entropy takes logits and does the softmax itself. You did it twice: give it strong_logits.",
    TODO_76=lambda weak, strong, threshold: (
        F.cross_entropy(strong.softmax(dim=1), weak.argmax(dim=1), reduction="none")
        * (weak.softmax(dim=1).amax(dim=1) >= threshold)
    ).mean(),
)


consistency_loss.mistake(
    "F.cross_entropy already took the mean, of sure and unsure inputs alike. reduction='none' gives one loss "
    "for each input: multiply, then take the mean.",
    TODO_77=lambda weak, strong, threshold: (
        F.cross_entropy(strong, weak.argmax(dim=1)) * (weak.softmax(dim=1).amax(dim=1) >= threshold).float().mean()
    ),
)


consistency_loss.mistake(
    "You return a loss for each input. Training wants one number: their mean.",
    TODO_78=lambda weak, strong, threshold: (
        strong_against_weak(weak, strong) * (weak.softmax(dim=1).amax(dim=1) >= threshold)
    ),
)


consistency_loss.mistake(
    "`.item()` makes a plain number, and training cannot go back through it. Return the tensor.",
    TODO_79=lambda weak, strong, threshold: consistency_loss(weak, strong, threshold).item(),
)


consistency_loss.hints(
    "Three parts: labels and confidence from the weak logits; a loss for each strong input; keep the sure ones.",
    "confidence, labels = weak_logits.detach().softmax(dim=1).max(dim=1)",
    "F.cross_entropy(strong_logits, labels, reduction='none') gives (B,). Multiply by (confidence >= threshold), "
    "then .mean().",
)
