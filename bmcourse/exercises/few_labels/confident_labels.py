"""The exercise `confident_labels` of lesson 13: a model's own answers as labels, where it is sure (Lee 2013)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
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


@confident_labels.cases
def cases():
    return [
        (torch.tensor([[4.0, 0.0, 0.0], [0.1, 0.0, 0.2], [0.0, 0.0, 5.0]]), 0.9),
        (2 * torch.randn(8, 4), 0.6),
        (3 * torch.randn(10, 5) - 4, 0.8),
        (torch.zeros(3, 4), 0.5),
        (torch.tensor([[2.0, 1.9, 1.0], [1.0, 3.0, 3.1], [0.0, 4.0, 1.0]]), 0.35),
        (*uncommon(torch.randn(7, 2) + 1000), 0.7),
        (torch.tensor([[-1000.0, 1000.0, 0.0, 0.0]]), 1.0),
        (torch.randn(4, 3), 0.0),
    ]


SEVERAL = "Return two tensors, `return places, labels`: labels alone do not say which inputs they belong to."


@confident_labels.run
def two_tensors(answer, logits, threshold):
    result = answer(logits, threshold)
    if isinstance(result, torch.Tensor) and result.ndim < 2:
        raise Mistake(SEVERAL)
    if isinstance(result, torch.Tensor) and len(result) != 2:
        raise Mistake("You return one table of pairs. Return two tensors, `return places, labels`.")
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("Return two tensors: `return places, labels`.")
    if all(isinstance(part, list) for part in result):
        raise Mistake("You return two lists. Make tensors of them: torch.tensor(places, dtype=torch.long).")
    return list(result)


@confident_labels.right
def by_a_loop(logits, threshold):
    places, labels = [], []
    for i, row in enumerate(logits.detach()):
        shares = (row - row.max()).exp() / (row - row.max()).exp().sum()
        if shares.max() >= threshold:
            places.append(i)
            labels.append(row.argmax().item())
    return torch.tensor(places, dtype=torch.long), torch.tensor(labels, dtype=torch.long)


@confident_labels.right
def by_where(logits, threshold):
    probabilities = F.softmax(logits.detach(), dim=-1)
    (places,) = torch.where(probabilities.amax(dim=1) >= threshold)
    return places, probabilities.argmax(dim=1)[places]


@confident_labels.right
def by_mask(logits, threshold):
    log_probabilities = torch.log_softmax(logits, dim=1)
    sure = log_probabilities.max(dim=1)[0].exp() >= threshold
    return torch.arange(len(logits))[sure], logits.argmax(dim=1)[sure]


@confident_labels.right
def by_topk(logits, threshold):
    best = logits.softmax(1).topk(1, dim=1)
    places = torch.argwhere(best.values.squeeze(1) >= threshold)[:, 0]
    return [places, best.indices[places, 0]]


@confident_labels.right
def by_selection(logits, threshold):
    with torch.no_grad():
        labels = logits.argmax(dim=1)
        confidence = F.cross_entropy(logits, labels, reduction="none").neg().exp()
    return confidence.ge(threshold).nonzero(as_tuple=True)[0], labels.masked_select(confidence >= threshold)


def confident(score, compare=torch.ge):
    """Wrong pseudo-labels: the sure ones are those whose largest `score(logits)` passes `compare(score, threshold)`."""

    def answer(logits, threshold):
        places = compare(score(logits).max(dim=1).values, threshold).nonzero().flatten()
        return places, logits.argmax(dim=1)[places]

    return answer


def probabilities(logits):
    return logits.softmax(dim=1)


def then(change):
    """The right places and labels, changed by `change(places, labels, logits)`."""
    return lambda logits, threshold: change(*confident_labels(logits, threshold), logits)


# Which inputs are taken.
confident_labels.mistake(
    "You compare logits with the threshold. They are no probabilities and may be any number: softmax(dim=1) first.",
    logits_compared=confident(lambda logits: logits),
)
confident_labels.mistake(
    "`softmax(dim=0)` runs over the inputs. The classes of one input are a row: dim=1.",
    softmax_over_the_inputs=confident(lambda logits: logits.softmax(dim=0)),
)
confident_labels.mistake(
    "`softmax(dim=0)` runs over the inputs, and the labels come from it as well. The classes of one input are a row: "
    "dim=1.",
    labels_over_the_inputs=confident_labels.changed("softmax(dim=1)", "softmax(dim=0)"),
)
confident_labels.mistake(
    "`softmax` runs over the whole table. Each input has probabilities of its own, which add up to 1: dim=1.",
    softmax_over_all=confident(lambda logits: logits.flatten().softmax(dim=0).reshape(logits.shape)),
)
confident_labels.mistake(
    "The sigmoid looks at each class alone, so two classes can both be near 1. The classes exclude each other: "
    "softmax.",
    sigmoid=confident(lambda logits: logits.sigmoid()),
)
confident_labels.mistake(
    "Log-probabilities are never above 0, so none reaches the threshold. Use softmax, or .exp().",
    logarithms_compared=confident(lambda logits: logits.log_softmax(dim=1)),
)
confident_labels.mistake(
    "You do the softmax twice: of probabilities it makes nearly equal ones. Once is enough.",
    softmax_twice=confident(lambda logits: logits.softmax(dim=1).softmax(dim=1)),
)
confident_labels.mistake(
    "`exp()` of large logits is infinite, and infinity by infinity NaN (not a number). softmax takes the largest logit "
    "away first.",
    naive_softmax=confident(lambda logits: logits.exp() / logits.exp().sum(dim=1, keepdim=True)),
)
confident_labels.mistake(
    "`exp()` alone makes no probabilities: divide by the sum of each row, or use softmax(dim=1).",
    exp_without_a_sum=confident(lambda logits: logits.exp()),
)
confident_labels.mistake(
    "You divide the logits by their sum. Probabilities come from softmax(dim=1).",
    logits_by_their_sum=confident(lambda logits: logits / logits.sum(dim=1, keepdim=True)),
)
confident_labels.mistake(
    "A probability that equals the threshold counts too: at least means >=.",
    above_only=confident(probabilities, torch.gt),
)
confident_labels.mistake(
    "You keep the inputs of which the model is unsure. Those are the ones that a person should label.",
    unsure=confident(probabilities, torch.lt),
)
confident_labels.mistake(
    "You keep the inputs of which the model is unsure, and those at the threshold. Turn the comparison: >=.",
    unsure_and_equal=confident(probabilities, torch.le),
)
confident_labels.mistake(
    "You take every input, the threshold changes nothing: the model would learn all of its own mistakes. Compare the "
    "largest probability of each.",
    all_inputs=confident(probabilities, lambda score, threshold: score >= 0),
)
confident_labels.mistake(
    "Your threshold is always 0.9. It comes as an argument.",
    always_9=confident(probabilities, lambda score, threshold: score >= 0.9),
)
confident_labels.mistake(
    "Your threshold is always 0.95. It comes as an argument.",
    always_95=confident(probabilities, lambda score, threshold: score >= 0.95),
)
confident_labels.mistake(
    "Your threshold is always 0.5. It comes as an argument.",
    always_half=confident(probabilities, lambda score, threshold: score >= 0.5),
)
confident_labels.mistake(
    "You ask how far the best class leads over the second best. Asked is its probability.",
    lead=confident(lambda logits: probabilities(logits).topk(2, dim=1).values.diff(dim=1).neg()),
)
confident_labels.mistake(
    "Hardly any input is sure in your answer: you compare the smallest probability, or their mean. The largest says "
    "how sure the model is.",
    smallest=confident(lambda logits: probabilities(logits).amin(dim=1, keepdim=True)),
)
confident_labels.mistake(
    "You compare the probability of class 0. The largest of all classes counts.",
    class_0=confident(lambda logits: probabilities(logits)[:, :1]),
)
confident_labels.mistake(
    "The inputs of class 0 are lost: the label times True or False is 0 for them, as for the unsure. Take the places "
    "from the comparison.",
    class_0_lost=then(lambda places, labels, logits: (places[labels > 0], labels[labels > 0])),
)
confident_labels.mistake(
    "Place 0 is lost. It is a place like any other: take the places by nonzero() of the comparison.",
    place_0_lost=then(lambda places, labels, logits: (places[places > 0], labels[places > 0])),
)
confident_labels.mistake(
    "You return the first sure input only. Is there a `return` inside the loop? Move it out.",
    first_only=then(lambda places, labels, logits: (places[:1], labels[:1])),
)
confident_labels.mistake(
    "Your places are in order of confidence. Leave them in the order of the inputs.",
    surest_first=lambda logits, threshold: then(
        lambda places, labels, logits: [
            part[probabilities(logits).amax(1)[places].argsort(descending=True, stable=True)]
            for part in (places, labels)
        ]
    )(logits, threshold),
)

confident_labels.mistake(
    "`max(dim=0)` looks for the surest input of each class. The likeliest class of each input is max(dim=1).",
    max_over_the_inputs=confident_labels.changed(".max(dim=1)", ".max(dim=0)"),
)

# What is returned.
confident_labels.mistake(
    "You return the classes of all inputs beside the places of some. Choose them as well: labels[places].",
    all_classes=then(lambda places, labels, logits: (places, logits.argmax(dim=1))),
)
confident_labels.mistake(
    "Your labels are those of the first inputs, as many as there are places. Choose those at the places: "
    "labels[places].",
    first_classes=then(lambda places, labels, logits: (places, logits.argmax(dim=1)[: len(places)])),
)
confident_labels.mistake(
    "You return the classes of all inputs with -1 (or another number) for the unsure. Leave those out: labels[places].",
    unsure_marked=then(
        lambda places, labels, logits: (
            places,
            torch.full((len(logits),), -1).scatter(0, places, labels),
        )
    ),
)
confident_labels.mistake(
    "Your places are True and False. Asked are numbers: .nonzero().flatten() makes them.",
    true_and_false=lambda logits, threshold: (
        logits.softmax(dim=1).amax(dim=1) >= threshold,
        confident_labels(logits, threshold)[1],
    ),
)
confident_labels.mistake(
    "Your places are True and False, and your labels those of all inputs. Asked are numbers, .nonzero().flatten(), and "
    "the labels of these.",
    true_and_false_with_all_classes=lambda logits, threshold: (
        logits.softmax(dim=1).amax(dim=1) >= threshold,
        logits.argmax(dim=1),
    ),
)
confident_labels.mistake(
    "`nonzero()` gives a column, (n, 1). Flatten it, or labels[places] becomes a column too.",
    column_of_places=then(lambda places, labels, logits: (places[:, None], labels)),
)
confident_labels.mistake(
    "`nonzero()` gives a column, (n, 1), and labels[places] is one as well. Flatten the places: .nonzero().flatten().",
    two_columns=then(lambda places, labels, logits: (places[:, None], labels[:, None])),
)
confident_labels.mistake(
    "Your labels are a column, (n, 1). argmax(dim=1) without keepdim gives (n,).",
    column_of_labels=then(lambda places, labels, logits: (places, labels[:, None])),
)
confident_labels.mistake(
    "`squeeze()` makes a single place a tensor without dimensions. Use flatten(), or squeeze(1).",
    squeezed=then(lambda places, labels, logits: (places.squeeze(), labels.squeeze())),
)
confident_labels.mistake(
    "`nonzero(as_tuple=True)` and torch.where give a tuple with one tensor in it. Take that: [0].",
    tuple_of_places=then(lambda places, labels, logits: ((places,), labels)),
)
confident_labels.mistake(
    "You return the labels first. Asked are the places, then the labels.",
    labels_first=then(lambda places, labels, logits: (labels, places)),
)
confident_labels.mistake(
    "You return the places twice. The second is the likeliest class of each: labels[places].",
    places_twice=then(lambda places, labels, logits: (places, places)),
)
confident_labels.mistake(
    "You return the probabilities. A label is the number of the likeliest class: max(dim=1) gives both, "
    "argmax(dim=1) the class.",
    confidence_for_labels=then(lambda places, labels, logits: (places, probabilities(logits).amax(dim=1)[places])),
)
confident_labels.mistake(
    "You return the confidence and the labels of the sure inputs. The first is their places: "
    "(confidence >= threshold).nonzero().flatten().",
    confidence_for_places=then(lambda places, labels, logits: (probabilities(logits).amax(dim=1)[places], labels)),
)
confident_labels.mistake(
    "You return all probabilities of the sure inputs. A label is the number of the likeliest class: argmax(dim=1).",
    rows_of_probabilities=then(lambda places, labels, logits: (places, probabilities(logits)[places])),
)
confident_labels.mistake(
    "You return the logits of the sure inputs. A label is the number of the likeliest class: argmax(dim=1).",
    rows_of_logits=then(lambda places, labels, logits: (places, logits[places])),
)
confident_labels.mistake(
    "You return the sure inputs' logits in place of their places. (confidence >= threshold).nonzero().flatten().",
    logits_for_places=then(lambda places, labels, logits: (logits[places], labels)),
)
confident_labels.mistake(
    "Your labels are one-hot. Asked is the number of the class.",
    one_hot=then(lambda places, labels, logits: (places, F.one_hot(labels, logits.shape[1]))),
)
confident_labels.mistake(
    "Your labels are floats. Classes are whole numbers: argmax gives them.",
    floats=then(lambda places, labels, logits: (places, labels.float())),
)
confident_labels.mistake(
    "Your labels are the least likely classes. Take argmax, not argmin.",
    least_likely=then(lambda places, labels, logits: (places, logits.argmin(dim=1)[places])),
)
confident_labels.mistake(
    "Your labels are counted from 1. Classes begin with 0.",
    labels_from_1=then(lambda places, labels, logits: (places, labels + 1)),
)
confident_labels.mistake(
    "Your places are counted from 1. The first input has the place 0.",
    places_from_1=then(lambda places, labels, logits: (places + 1, labels)),
)
confident_labels.mistake(SEVERAL, labels_alone=then(lambda places, labels, logits: labels))
confident_labels.mistake(
    "You return two lists. Make tensors of them: torch.tensor(places, dtype=torch.long).",
    lists=then(lambda places, labels, logits: (places.tolist(), labels.tolist())),
)
confident_labels.mistake(
    "You return one table of pairs. Return two tensors, `return places, labels`.",
    pairs=then(lambda places, labels, logits: torch.stack([places, labels], 1).repeat(3, 1)),
)
confident_labels.mistake(
    "`torch.tensor([])` holds floats: where no input is sure your result has another type. Give dtype=torch.long.",
    floats_where_none=then(
        lambda places, labels, logits: (places, labels) if len(places) else (torch.tensor([]), torch.tensor([]))
    ),
)
confident_labels.mistake(
    "Where no input is sure you return None. Two empty tensors are right there: nonzero() gives them by itself.",
    none_where_none=lambda logits, threshold: (
        confident_labels(logits, threshold) if (probabilities(logits).amax(1) >= threshold).any() else (None, None)
    ),
)
confident_labels.mistake(
    "You compare every class with the threshold: below one half an input may get two labels. Compare the "
    "largest probability of each input only.",
    all_that_are_above=lambda logits, threshold: tuple((probabilities(logits) >= threshold).nonzero().T),
)


@confident_labels.mistake(
    "The result is right, but `logits` is changed: you write into it. softmax(dim=1) makes a new tensor."
)
def in_place(logits, threshold):
    result = confident_labels(logits, threshold)
    logits.detach().copy_(probabilities(logits).detach())
    return result


confident_labels.hints(
    "softmax(dim=1) turns each row into probabilities; max(dim=1) then gives the largest one and its place.",
    "confidence, labels = logits.softmax(dim=1).max(dim=1)",
    "places = (confidence >= threshold).nonzero().flatten(); then labels[places].",
)
