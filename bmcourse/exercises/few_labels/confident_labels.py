"""The exercise `confident_labels` of lesson 10."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.few_labels.shared import plain
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="Pseudo-labels: the labels that a model gives where it is sure. From logits (M, K) of M inputs without "
    "labels, take the probabilities. Return two tensors of integers: the places of those inputs whose largest "
    "probability is at least `threshold`, in order, and the likeliest class of each of them. Lee 2013."
)
def confident_labels(logits, threshold):
    confidence, labels = logits.softmax(dim=1).max(dim=1)
    places = (confidence >= threshold).nonzero().flatten()
    return places, labels[places]


@confident_labels.run
def two_tensors(answer, logits, threshold):
    result = answer(logits, threshold)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake(
            "Return two tensors, `return places, labels`: labels alone do not say which inputs they belong to."
        )
    return [plain(part) for part in result]


@confident_labels.right
def confident_by_a_loop(logits, threshold):
    places, labels = [], []
    for i, row in enumerate(logits.exp() / logits.exp().sum(dim=1, keepdim=True)):
        if row.max() >= threshold:
            places.append(i)
            labels.append(row.argmax().item())
    return torch.tensor(places, dtype=torch.long), torch.tensor(labels, dtype=torch.long)


@confident_labels.right
def confident_by_where(logits, threshold):
    probabilities = F.softmax(logits.detach(), dim=-1)
    (places,) = torch.where(probabilities.amax(dim=1) >= threshold)
    return places, probabilities.argmax(dim=1)[places]


@confident_labels.right
def confident_by_mask(logits, threshold):
    log_probabilities = torch.log_softmax(logits, dim=1)
    sure = log_probabilities.max(dim=1)[0].exp() >= threshold
    return torch.arange(len(logits))[sure], logits.argmax(dim=1)[sure]


def confident(score, compare=torch.ge):
    """Wrong pseudo-labels: the sure ones are those whose largest `score(logits)` passes `compare(score, threshold)`."""

    def answer(logits, threshold):
        places = compare(score(logits).max(dim=1).values, threshold).nonzero().flatten()
        return places, logits.argmax(dim=1)[places]

    return answer


@confident_labels.mistake(
    "You compare every class with the threshold: below one half an input may get two labels. Compare the "
    "largest probability of each input only."
)
def all_places(logits, threshold):
    rows, columns = (logits.softmax(dim=1) >= threshold).nonzero().T
    return rows, columns


@confident_labels.cases
def cases():
    return [
        (torch.tensor([[4.0, 0.0, 0.0], [0.1, 0.0, 0.2], [0.0, 0.0, 5.0]]), 0.9),
        (2 * torch.randn(8, 4), 0.6),
        (3 * torch.randn(10, 5) - 4, 0.8),
        (torch.zeros(3, 4), 0.5),
        (torch.tensor([[0.0, 0.0], [1.0, 0.0]]), 0.5),
        (torch.tensor([[2.0, 2.0, 1.0], [1.0, 3.0, 3.0], [0.0, 4.0, 1.0]]), 0.4),
    ]


confident_labels.mistake(
    "Return two tensors, `return places, labels`: labels alone do not say which inputs they belong to.",
    TODO_19=lambda logits, threshold: logits.argmax(dim=1),
)


confident_labels.mistake(
    "You compare logits with the threshold. They are no probabilities and may be any number: softmax(dim=1) first.",
    TODO_20=confident(lambda logits: logits),
)


confident_labels.mistake(
    "softmax(dim=0) runs over the inputs. The classes of one input are a row: dim=1.",
    TODO_21=confident(lambda logits: logits.softmax(dim=0)),
)


confident_labels.mistake(
    "The sigmoid looks at each class alone, so two classes can both be near 1. The classes exclude each other: "
    "softmax.",
    TODO_22=confident(lambda logits: logits.sigmoid()),
)


confident_labels.mistake(
    "Log-probabilities are never above 0, so none reaches the threshold. Use softmax, or .exp().",
    TODO_23=confident(lambda logits: logits.log_softmax(dim=1)),
)


confident_labels.mistake(
    "A probability that equals the threshold counts too: at least means >=.",
    TODO_24=confident(lambda logits: logits.softmax(dim=1), torch.gt),
)


confident_labels.mistake(
    "You keep the inputs of which the model is unsure. Those are the ones that a person should label.",
    TODO_25=confident(lambda logits: logits.softmax(dim=1), torch.lt),
)


confident_labels.mistake(
    "You take every input, the threshold changes nothing: the model would learn all of its own mistakes.",
    TODO_26=lambda logits, threshold: (torch.arange(len(logits)), logits.argmax(dim=1)),
)


confident_labels.mistake(
    "You return the classes of all inputs beside the places of some. Choose them as well: labels[places].",
    TODO_27=lambda logits, threshold: (confident_labels(logits, threshold)[0], logits.argmax(dim=1)),
)


confident_labels.mistake(
    "Your places are True and False. Asked are numbers: .nonzero().flatten() makes them.",
    TODO_28=lambda logits, threshold: (
        logits.softmax(dim=1).amax(dim=1) >= threshold,
        confident_labels(logits, threshold)[1],
    ),
)


confident_labels.mistake(
    "nonzero() gives a column, (n, 1). Flatten it, or labels[places] becomes a column too.",
    TODO_29=lambda logits, threshold: (
        confident_labels(logits, threshold)[0][:, None],
        confident_labels(logits, threshold)[1],
    ),
)


confident_labels.mistake(
    "You return the labels first. Asked are the places, then the labels.",
    TODO_30=lambda logits, threshold: confident_labels(logits, threshold)[::-1],
)


confident_labels.mistake(
    "You return the probabilities. A label is the number of the likeliest class: max(dim=1) gives both, "
    "argmax(dim=1) the class.",
    TODO_31=lambda logits, threshold: (
        confident_labels(logits, threshold)[0],
        logits.softmax(dim=1).amax(dim=1)[confident_labels(logits, threshold)[0]],
    ),
)


confident_labels.hints(
    "softmax(dim=1) makes probabilities of each row; its max(dim=1) gives the largest and its place together.",
    "confidence, labels = logits.softmax(dim=1).max(dim=1)",
    "places = (confidence >= threshold).nonzero().flatten(); then labels[places].",
)
