"""The exercise `consistency_loss` of lesson 13: what FixMatch learns from inputs without labels (Sohn et al. 2020)."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
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


@consistency_loss.cases
def cases():
    def learning(*logits):
        return [tensor.requires_grad_() for tensor in logits]

    return [
        (*learning(torch.tensor([[3.0, 0.0], [0.2, 0.0]]), torch.tensor([[1.0, 0.0], [5.0, 0.0]])), 0.9),
        (*learning(3 * torch.randn(6, 4), torch.randn(6, 4)), 0.7),
        (*learning(2 * torch.randn(8, 3) + 200, 2 * torch.randn(8, 3)), 0.6),
        (*learning(torch.zeros(3, 4), torch.randn(3, 4)), 0.5),
        (*uncommon(torch.randn(5, 3), torch.randn(5, 3)), 0.0),
        (*learning(torch.tensor([[1000.0, -1000.0, 0.0]]), torch.tensor([[-1000.0, 1000.0, 3.0]])), 1.0),
    ]


@consistency_loss.judge
def by_hand(weak_logits, strong_logits, threshold):
    """The loss as a plain number, input by input, from the formula."""
    loss = 0.0
    for weak, strong in zip(weak_logits.tolist(), strong_logits.tolist(), strict=True):
        label = weak.index(max(weak))
        if 1 / sum(math.exp(logit - weak[label]) for logit in weak) >= threshold:
            top = max(strong)
            loss += math.log(sum(math.exp(logit - top) for logit in strong)) + top - strong[label]
    return torch.tensor(loss / len(weak_logits))


@consistency_loss.right
def by_rows(weak_logits, strong_logits, threshold):
    total = strong_logits.sum() * 0
    for weak, strong in zip(weak_logits.detach(), strong_logits, strict=True):
        if weak.softmax(dim=0).max() >= threshold:
            total = total - strong.log_softmax(dim=0)[weak.argmax()]
    return total / len(weak_logits)


@consistency_loss.right
def by_index(weak_logits, strong_logits, threshold):
    with torch.no_grad():
        sure = weak_logits.softmax(dim=1).amax(dim=1) >= threshold
    labels = weak_logits.argmax(dim=1)
    return F.cross_entropy(strong_logits[sure], labels[sure], reduction="sum") / len(sure)


@consistency_loss.right
def by_ignoring(weak_logits, strong_logits, threshold):
    confidence, labels = F.softmax(weak_logits, dim=-1).max(dim=-1)
    labels = labels.masked_fill(confidence < threshold, -100)
    return F.cross_entropy(strong_logits, labels, reduction="sum") / labels.numel()


@consistency_loss.right
def by_gather(weak_logits, strong_logits, threshold):
    probabilities = weak_logits.softmax(dim=1).detach()
    best = probabilities.argmax(dim=1, keepdim=True)
    sure = probabilities.gather(1, best) >= threshold
    return -(strong_logits.log_softmax(dim=1).gather(1, best) * sure.float()).mean()


@consistency_loss.right
def by_one_hot(weak_logits, strong_logits, threshold):
    with torch.no_grad():
        labels = F.one_hot(weak_logits.argmax(1), weak_logits.shape[1])
        sure = weak_logits.log_softmax(1).exp().max(1).values.ge(threshold)
    losses = strong_logits.logsumexp(1) - (strong_logits * labels).sum(1)
    return torch.where(sure, losses, 0.0).sum() / sure.numel()


def surely(weak, threshold):
    return weak.softmax(dim=1).amax(dim=1) >= threshold


def against(strong, labels):
    """The cross-entropy of each input."""
    return F.cross_entropy(strong, labels, reduction="none")


def strong_pays(weak, strong):
    return against(strong, weak.argmax(dim=1))


def pays(losses, sure=surely):
    """The mean of `losses(weak, strong)` where `sure(weak, threshold)`, over the whole batch."""
    return lambda weak, strong, threshold: (losses(weak, strong) * sure(weak, threshold)).mean()


def total(loss):
    """The answer `loss(losses, sure)` of the right losses (B,), and of which are sure."""
    return lambda weak, strong, threshold: loss(strong_pays(weak, strong), surely(weak, threshold))


# What is done with the losses.
consistency_loss.mistake(
    "You divide by the number of sure inputs. Divide by B: as long as the model is sure of few, the loss must be "
    "small.",
    mean_over_the_sure=total(lambda losses, sure: (losses * sure).sum() / sure.sum().clamp(min=1)),
)
consistency_loss.mistake(
    "You take the mean over the sure inputs, and where there are none it is NaN (not a number). Take the mean "
    "over all B, the others pay 0.",
    mean_of_chosen=total(lambda losses, sure: losses[sure].mean()),
)
consistency_loss.mistake(
    "You add up over the batch. Take the mean over all B.",
    sum_not_mean=total(lambda losses, sure: (losses * sure).sum()),
)
consistency_loss.mistake(
    "You divide by the number of classes. Take the mean over the B inputs.",
    divided_by_classes=lambda weak, strong, threshold: (
        (strong_pays(weak, strong) * surely(weak, threshold)).sum() / weak.shape[1]
    ),
)
consistency_loss.mistake(
    "You divide by all B * K numbers. Each input has one loss: take the mean over the B inputs.",
    divided_by_all_numbers=lambda weak, strong, threshold: (
        (strong_pays(weak, strong) * surely(weak, threshold)).sum() / weak.numel()
    ),
)
consistency_loss.mistake(
    "You take the largest loss. Take the mean over all B.",
    largest=total(lambda losses, sure: (losses * sure).max()),
)
consistency_loss.mistake(
    "You return a loss for each input. Training wants one number: their mean.",
    no_mean=total(lambda losses, sure: losses * sure),
)
consistency_loss.mistake(
    "You return the losses of the sure inputs. Training wants one number: their sum divided by B.",
    chosen_losses=total(lambda losses, sure: losses[sure]),
)
consistency_loss.mistake(
    "You return the loss and something else. Return the loss alone.",
    two_results=total(lambda losses, sure: ((losses * sure).mean(), sure)),
)
consistency_loss.mistake(
    "You multiply the mean of all losses with the share of sure inputs. Each input pays its own loss or none: "
    "reduction='none', and both tensors of the shape (B,), for (B, 1) with (B,) mixes every input with every other.",
    mean_taken_first=total(lambda losses, sure: losses.mean() * sure.float().mean()),
)
consistency_loss.mistake(
    "The sign is turned round: training would make the loss smaller and smaller, and the model worse. The "
    "cross-entropy is *minus* the log-probability of the label.",
    wrong_sign=total(lambda losses, sure: -(losses * sure).mean()),
)
consistency_loss.mistake(
    "`.item()` makes a plain number, and training cannot go back through it. Return the tensor.",
    item=total(lambda losses, sure: (losses * sure).mean().item()),
)
consistency_loss.mistake(
    "The loss is right, but nothing can learn from it: no gradient reaches the strong logits. Only the weak ones are "
    "detached (or under no_grad), for the labels.",
    nothing_learns=total(lambda losses, sure: (losses * sure).mean().detach()),
)

# Which inputs pay.
consistency_loss.mistake(
    "All inputs pay. Below the threshold the label is a guess: those pay 0.",
    all_pay=pays(strong_pays, lambda weak, threshold: surely(weak, 0.0)),
)
consistency_loss.mistake(
    "A probability that equals the threshold counts too: at least means >=.",
    above_only=pays(strong_pays, lambda weak, threshold: weak.softmax(dim=1).amax(dim=1) > threshold),
)
consistency_loss.mistake(
    "The unsure inputs pay, and the sure ones do not. Your comparison is turned round.",
    unsure_pay=pays(strong_pays, lambda weak, threshold: ~surely(weak, threshold)),
)
consistency_loss.mistake(
    "The unsure inputs pay, and the sure ones do not. Your comparison is turned round, and at least means >=.",
    unsure_and_equal_pay=pays(strong_pays, lambda weak, threshold: weak.softmax(dim=1).amax(dim=1) <= threshold),
)
consistency_loss.mistake(
    "You compare logits with the threshold. Make probabilities first: softmax(dim=1).",
    logits_compared=pays(strong_pays, lambda weak, threshold: weak.amax(dim=1) >= threshold),
)
consistency_loss.mistake(
    "You compare log-probabilities with the threshold: they are never above 0. Use softmax(dim=1), or .exp().",
    logarithms_compared=pays(strong_pays, lambda weak, threshold: weak.log_softmax(dim=1).amax(dim=1) >= threshold),
)
consistency_loss.mistake(
    "The sigmoid looks at each class alone. The classes exclude each other: softmax(dim=1).",
    sigmoid=pays(strong_pays, lambda weak, threshold: weak.sigmoid().amax(dim=1) >= threshold),
)
consistency_loss.mistake(
    "`exp()` of large logits is infinite, and infinity by infinity NaN (not a number). softmax takes the largest logit "
    "away first.",
    naive_softmax=pays(
        strong_pays, lambda weak, threshold: (weak.exp() / weak.exp().sum(1, keepdim=True)).amax(1) >= threshold
    ),
)
consistency_loss.mistake(
    "`softmax(dim=0)` runs over the batch. The classes of one input are a row: dim=1.",
    softmax_over_the_batch=pays(strong_pays, lambda weak, threshold: weak.softmax(dim=0).amax(dim=1) >= threshold),
)
consistency_loss.mistake(
    "`softmax(dim=0)` runs over the batch, and labels and confidence both come from it. The classes of one input are a "
    "row: dim=1.",
    labels_over_the_batch=pays(
        lambda weak, strong: against(strong, weak.softmax(dim=0).argmax(dim=1)),
        lambda weak, threshold: weak.softmax(dim=0).amax(dim=1) >= threshold,
    ),
)
consistency_loss.mistake(
    "`max(dim=0)` finds the surest input for each class. The likeliest class of each input is max(dim=1).",
    max_over_the_batch=lambda weak, strong, threshold: (
        against(strong, weak.softmax(dim=1).max(dim=0).indices) * (weak.softmax(dim=1).amax(dim=0) >= threshold)
    ).mean(),
)
consistency_loss.mistake(
    "You ask for the smallest probability. The largest says how sure the model is.",
    smallest_probability=pays(strong_pays, lambda weak, threshold: weak.softmax(dim=1).amin(dim=1) >= threshold),
)
consistency_loss.mistake(
    "You compare the lead of the best class over the second best. Compare its probability.",
    lead=pays(
        strong_pays,
        lambda weak, threshold: weak.softmax(dim=1).topk(2, dim=1).values.diff(dim=1)[:, 0].neg() >= threshold,
    ),
)
consistency_loss.mistake(
    "Your threshold is always 0.95, as in the paper. It comes as an argument.",
    always_95=pays(strong_pays, lambda weak, threshold: surely(weak, 0.95)),
)
consistency_loss.mistake(
    "Either all inputs pay or none: you compare one number for the whole batch. Each input has its own confidence.",
    all_or_none=pays(strong_pays, lambda weak, threshold: weak.softmax(dim=1).amax(dim=1).mean() >= threshold),
)
consistency_loss.mistake(
    "Where one input is sure, all pay. Each input has its own confidence.",
    one_for_all=pays(strong_pays, lambda weak, threshold: surely(weak, threshold).any()),
)
consistency_loss.mistake(
    "You ask how sure the strong logits are. The input changed a little says whether the label can be trusted.",
    strong_confidence=lambda weak, strong, threshold: (strong_pays(weak, strong) * surely(strong, threshold)).mean(),
)
consistency_loss.mistake(
    "Both must be sure in your answer. Only the weak ones decide: the strong ones are unsure, and shall learn.",
    both_sure=lambda weak, strong, threshold: (
        strong_pays(weak, strong) * surely(weak, threshold) * surely(strong, threshold)
    ).mean(),
)
consistency_loss.mistake(
    "You weigh the losses with the confidence. Each input pays whole or not at all: confidence >= threshold.",
    weighed=lambda weak, strong, threshold: (
        strong_pays(weak, strong) * surely(weak, threshold) * weak.detach().softmax(dim=1).amax(dim=1)
    ).mean(),
)
consistency_loss.mistake(
    "You weigh the losses of all inputs with the confidence. Each pays whole or not at all: confidence >= threshold.",
    all_weighed=lambda weak, strong, threshold: (
        strong_pays(weak, strong) * weak.detach().softmax(dim=1).amax(dim=1)
    ).mean(),
)
consistency_loss.mistake(
    "You weigh the losses with the confidence, and its gradient flows into the weak logits. Each input pays "
    "whole or not at all: confidence >= threshold.",
    weighed_by_at_least_the_threshold=lambda weak, strong, threshold: (
        strong_pays(weak, strong) * weak.softmax(dim=1).amax(dim=1).clamp(min=threshold)
    ).mean(),
)
consistency_loss.mistake(
    "You multiply the label with True or False, so the unsure inputs pay as class 0. Multiply the losses.",
    unsure_are_class_0=lambda weak, strong, threshold: F.cross_entropy(
        strong, weak.argmax(dim=1) * surely(weak, threshold)
    ),
)
consistency_loss.mistake(
    "You multiply the logits with True or False: logits of 0 still pay log(K). Multiply the losses.",
    unsure_pay_log_k=lambda weak, strong, threshold: strong_pays(
        weak, strong * surely(weak, threshold)[:, None]
    ).mean(),
)

# Who teaches whom.
consistency_loss.mistake(
    "Weak and strong are changed round. The picture changed a little gives the label, the one changed a lot learns it.",
    changed_round=lambda weak, strong, threshold: consistency_loss(strong, weak, threshold),
)
consistency_loss.mistake(
    "The weak logits pay for their own labels: that is pseudo-labelling, and the strong ones have no part.",
    weak_pay=pays(lambda weak, strong: strong_pays(weak, weak)),
)
consistency_loss.mistake(
    "The strong logits have no part in your loss. They pay: F.cross_entropy(strong_logits, labels, ...).",
    weak_pay_detached=pays(lambda weak, strong: strong_pays(weak, weak.detach())),
)
consistency_loss.mistake(
    "Weak and strong both pay. Only the strong logits do, and no gradient flows into the weak ones.",
    both_pay=pays(lambda weak, strong: strong_pays(weak, strong) + strong_pays(weak, weak)),
)
consistency_loss.mistake(
    "The strong logits are their own labels, so the model can never be wrong. The label is the weak ones' "
    "likeliest class.",
    strong_labels=pays(lambda weak, strong: strong_pays(strong, strong)),
)
consistency_loss.mistake(
    "The label is the least likely class in your answer. Take the likeliest: argmax.",
    least_likely=pays(lambda weak, strong: against(strong, weak.argmin(dim=1))),
)
consistency_loss.mistake(
    "Your labels are the weak probabilities, and a gradient flows into them. Take the likeliest class, a hard label.",
    soft_labels_with_gradient=pays(lambda weak, strong: against(strong, weak.softmax(dim=1))),
)
consistency_loss.mistake(
    "Your labels are the weak probabilities. FixMatch takes the likeliest class, a hard label: argmax.",
    soft_labels=pays(lambda weak, strong: against(strong, weak.detach().softmax(dim=1))),
)
consistency_loss.mistake(
    "Your labels are the weak logits themselves. Take the likeliest class, a hard label: argmax.",
    logits_as_labels=pays(lambda weak, strong: against(strong, weak)),
)
consistency_loss.mistake(
    "Your labels are the weak logits themselves, detached. Take the likeliest class, a hard label: argmax.",
    detached_logits_as_labels=pays(lambda weak, strong: against(strong, weak.detach())),
)

# What the strong logits pay.
consistency_loss.mistake(
    "You measure how far the two probabilities are apart, as older methods do. FixMatch: the cross-entropy of "
    "the strong logits with the weak ones' likeliest class.",
    squared_distance=pays(lambda weak, strong: ((weak.softmax(dim=1) - strong.softmax(dim=1)) ** 2).sum(dim=1)),
)
consistency_loss.mistake(
    "You measure how far the two probabilities are apart, in squares. FixMatch: the cross-entropy of the strong logits "
    "with the weak ones' likeliest class.",
    squared_distance_detached=pays(
        lambda weak, strong: ((weak.detach().softmax(dim=1) - strong.softmax(dim=1)) ** 2).mean(dim=1)
    ),
)
consistency_loss.mistake(
    "You measure how far the two probabilities are apart, with KL divergence. FixMatch: the cross-entropy of the "
    "strong logits with the weak ones' likeliest class.",
    kl_divergence=pays(
        lambda weak, strong: F.kl_div(
            strong.log_softmax(1), weak.detach().log_softmax(1), reduction="none", log_target=True
        ).sum(1)
    ),
)
consistency_loss.mistake(
    "You compare probabilities with the label, in squares. FixMatch takes the cross-entropy.",
    squares_of_one_hot=pays(
        lambda weak, strong: ((strong.softmax(1) - F.one_hot(weak.argmax(1), weak.shape[1])) ** 2).sum(1)
    ),
)
consistency_loss.mistake(
    "F.cross_entropy takes logits and does the softmax itself. You did it twice: give it strong_logits.",
    softmax_twice=pays(lambda weak, strong: strong_pays(weak, strong.softmax(dim=1))),
)
consistency_loss.mistake(
    "F.nll_loss takes log-probabilities: give it strong_logits.log_softmax(dim=1), or call F.cross_entropy.",
    nll_of_logits=pays(lambda weak, strong: F.nll_loss(strong, weak.argmax(dim=1), reduction="none")),
)
consistency_loss.mistake(
    "The logarithm is missing: you take minus the probability of the label. F.cross_entropy(strong_logits, ...) does "
    "it all.",
    logarithm_missing=pays(
        lambda weak, strong: F.nll_loss(strong.softmax(dim=1), weak.argmax(dim=1), reduction="none")
    ),
)
consistency_loss.mistake(
    "You take 1 minus the probability of the label. The cross-entropy is minus its logarithm.",
    one_minus_the_probability=pays(
        lambda weak, strong: 1 + F.nll_loss(strong.softmax(dim=1), weak.argmax(dim=1), reduction="none")
    ),
)
consistency_loss.mistake(
    "The logarithm of a softmax is -inf where the probability is too small for a float. log_softmax and cross_entropy "
    "work from the logits and stay finite.",
    log_of_softmax=pays(
        lambda weak, strong: F.nll_loss(strong.softmax(dim=1).log(), weak.argmax(dim=1), reduction="none")
    ),
)
consistency_loss.mistake(
    "With a small number added before the logarithm a loss can never be larger than about 20, and its gradient is "
    "lost. log_softmax and cross_entropy work from the logits.",
    epsilon_in_the_logarithm=pays(
        lambda weak, strong: F.nll_loss((strong.softmax(dim=1) + 1e-9).log(), weak.argmax(dim=1), reduction="none")
    ),
)
consistency_loss.mistake(
    "The softmax of the strong logits runs over the batch. The classes of one input are a row: dim=1.",
    strong_over_the_batch=pays(
        lambda weak, strong: F.nll_loss(strong.log_softmax(dim=0), weak.argmax(dim=1), reduction="none")
    ),
)
consistency_loss.mistake(
    "You count how often the two disagree: no gradient flows through argmax. Take the cross-entropy.",
    disagreement=pays(lambda weak, strong: (weak.argmax(dim=1) != strong.argmax(dim=1)).float()),
)
consistency_loss.mistake(
    "You take the entropy of the strong probabilities: that makes the model sure of anything. It pays its "
    "cross-entropy with the weak ones' likeliest class.",
    entropy=pays(lambda weak, strong: -(strong.softmax(1) * strong.log_softmax(1)).sum(1)),
)
consistency_loss.mistake(
    "You smooth the labels. The likeliest class is the label, whole.",
    smoothed=pays(lambda weak, strong: F.cross_entropy(strong, weak.argmax(1), reduction="none", label_smoothing=0.1)),
)

consistency_loss.hints(
    "Three parts: labels and confidence from the weak logits; a loss for each strong input; keep the sure ones.",
    "confidence, labels = weak_logits.detach().softmax(dim=1).max(dim=1)",
    "F.cross_entropy(strong_logits, labels, reduction='none') gives (B,). Multiply by (confidence >= threshold), "
    "then .mean().",
)
