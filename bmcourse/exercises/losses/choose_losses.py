"""The exercise `choose_losses`: which loss fits which task."""

import difflib

import torch.nn.functional as F

from bmcourse.exercises.compare import short
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

LOSSES = ("mse", "mae", "huber", "binary cross-entropy", "cross-entropy", "kl")


@exercise(prompt="A dictionary with a loss for each of the eight tasks.")
def choose_losses():
    """A loss for each task: "mse", "mae", "huber", "binary cross-entropy", "cross-entropy" or "kl".

    "temperature"    a number; the errors are Gaussian, and you want the mean
    "delivery time"  a number; you want the median: half of the parcels come earlier
    "sensor"         a number; mostly a little noise, now and then a wild value that must not
                     rule; the gradient must shrink to 0 at the target
    "spam"           is a mail spam, yes or no; one logit
    "tags"           which of 20 tags fit a photo: none, one or several; 20 logits
    "digit"          which one of ten digits it is; ten logits
    "next token"     which token of the vocabulary comes next; one logit for each
    "teacher"        a small model copies all the probabilities of a big one; in nats, and 0
                     when they are equal
    """
    return {
        "temperature": "mse",
        "delivery time": "mae",
        "sensor": "huber",
        "spam": "binary cross-entropy",
        "tags": "binary cross-entropy",
        "digit": "cross-entropy",
        "next token": "cross-entropy",
        "teacher": "kl",
    }


NO_BOUNDS = "it wants targets between 0 and 1, and this number has no such bounds"


NO_DISTANCE = "it knows right and wrong but not near and far: a miss by one costs as much as a miss by a thousand"


NO_DISTRIBUTION = "it compares two distributions, and here the target is one number"


VANISHES = (
    "where the model is sure and wrong the sigmoid is flat, so the gradient vanishes and the model learns nothing"
)


NO_ORDER = "class numbers are names: a 3 is no nearer to a 4 than to a 9, but this loss would think so"


SEPARATE = "it asks one yes-or-no question for each class, and several may be answered yes"


ONE_CLASS = (
    "the target is one class and no distribution; as a one-hot row it costs the same loss, and C numbers for each"
)


SMALL = (
    "it hardly sees small probabilities: 0.001 in place of 0.01 is wrong by a factor of ten and costs next to nothing"
)


# What goes wrong with a loss that does not fit a task.
AGAINST = {
    "temperature": {
        "mae": "its best answer is the median, and every error pulls with the same force",
        "huber": "far errors pull less than they should, so its best answer lies between mean and median; Gaussian "
        "errors have no wild values to be saved from",
        "binary cross-entropy": NO_BOUNDS,
        "cross-entropy": NO_DISTANCE,
        "kl": NO_DISTRIBUTION,
    },
    "delivery time": {
        "mse": "its best answer is the mean, which a few very late parcels pull up",
        "huber": "its best answer lies between the mean and the median",
        "binary cross-entropy": NO_BOUNDS,
        "cross-entropy": NO_DISTANCE,
        "kl": NO_DISTRIBUTION,
    },
    "sensor": {
        "mse": "an error pulls as hard as it is far, so a few wild values rule",
        "mae": "wild values do not rule, but its gradient has the same size however near the target you are: with a "
        "fixed learning rate it jumps to and fro",
        "binary cross-entropy": NO_BOUNDS,
        "cross-entropy": NO_DISTANCE,
        "kl": NO_DISTRIBUTION,
    },
    "spam": {
        "mse": VANISHES,
        "mae": f"{VANISHES}; and its best answer is a flat 0 or 1, never a probability",
        "huber": f"{VANISHES}; up to an error of 1 it is only half the squared error",
        "cross-entropy": "its softmax over a single logit is always 1, so the loss is always 0",
        "kl": "it sums over the classes, and one logit gives only the probability of yes: that of no would not count",
    },
    "tags": {
        "mse": VANISHES,
        "mae": f"{VANISHES}; and its best answer is a flat 0 or 1, never a probability",
        "huber": f"{VANISHES}; up to an error of 1 it is only half the squared error",
        "cross-entropy": "its softmax makes the tags compete for a sum of 1: two can never both be certain, and none "
        "is never an answer",
        "kl": "it compares distributions that sum to 1, but a photo may have five tags, or none",
    },
    "digit": {
        "mse": NO_ORDER,
        "mae": NO_ORDER,
        "huber": NO_ORDER,
        "binary cross-entropy": f"{SEPARATE}; here exactly one is right",
        "kl": ONE_CLASS,
    },
    "next token": {
        "mse": NO_ORDER,
        "mae": NO_ORDER,
        "huber": NO_ORDER,
        "binary cross-entropy": f"{SEPARATE}; here exactly one is right",
        "kl": ONE_CLASS,
    },
    "teacher": {
        "mse": SMALL,
        "mae": SMALL,
        "huber": SMALL,
        "binary cross-entropy": f"{SEPARATE}; here the probabilities share a sum of 1",
        "cross-entropy": "its gradient is the same, but for equal probabilities it is their entropy and not 0, so you "
        "cannot see how near you are",
    },
}


TASKS = tuple(AGAINST)
OTHER_NAMES = {
    "l1": "mae",
    "l2": "mse",
    "absolute error": "mae",
    "squared error": "mse",
    "smooth l1": "huber",
    "bce": "binary cross-entropy",
    "ce": "cross-entropy",
    "nll": "cross-entropy",
    "kullback-leibler": "kl",
    "kl divergence": "kl",
    **{loss: loss for loss in LOSSES},
}


@choose_losses.cases
def cases():
    return [()]


@choose_losses.run
def look_up(answer):
    """Whether the loss chosen for each task fits it, without telling which one does."""
    choices = answer()
    if not isinstance(choices, dict):
        raise Mistake(f"Return a dictionary with a loss for each task. What came is {_came(choices)}.")
    if told := _told(choices):
        raise Mistake(told)
    return "right"


def _came(choices):
    return "None: is the `return` missing?" if choices is None else f"a {type(choices).__name__}"


def _told(choices):
    """What is right so far, and what speaks against the first choice that does not fit; "" where all fit."""
    fitting = [task for task in TASKS if _fits(task, choices.get(task))]
    credit = f"Right for {len(fitting)} of {len(TASKS)} tasks so far: {', '.join(fitting)}. " if fitting else ""
    for task in TASKS:
        if task in choices and task not in fitting:
            return credit + _objection(task, choices[task])
    missing = ", ".join(repr(task) for task in TASKS if task not in choices)
    unknown = ", ".join(repr(task) for task in choices if task not in TASKS)
    if not missing:
        return ""
    return f"{credit}Without a loss: {missing}." + (f" There is no task called {unknown}." if unknown else "")


def _fits(task, loss):
    return isinstance(loss, str) and loss in LOSSES and loss not in AGAINST[task]


def _objection(task, loss):
    if isinstance(loss, str) and loss in LOSSES:
        return f"{task!r} with {loss!r}: {AGAINST[task][loss]}."
    near = difflib.get_close_matches(str(loss).lower().replace("_", " ").removesuffix(" loss"), OTHER_NAMES, n=1)
    advice = f"Did you mean {OTHER_NAMES[near[0]]!r}?" if near else f"Choose one of: {', '.join(LOSSES)}."
    return f"{task!r}: {short(loss)} is not on the list. {advice}"


@choose_losses.right
def by_pairs():
    numbers = dict(zip(("temperature", "delivery time", "sensor"), LOSSES, strict=False))
    classes = dict.fromkeys(("digit", "next token"), LOSSES[4])
    return {**numbers, **classes, "spam": LOSSES[3], "tags": LOSSES[3], "teacher": LOSSES[5]}


@choose_losses.right
def by_elimination():
    return {task: next(loss for loss in LOSSES if loss not in AGAINST[task]) for task in TASKS}


@choose_losses.right
def by_assignment():
    choices = {"temperature": "mse", "sensor": "huber", "spam": "binary cross-entropy", "teacher": "kl"}
    choices["digit"], choices["delivery time"] = "cross-entropy", "mae"
    choices["tags"], choices["next token"] = choices["spam"], choices["digit"]
    return choices


def known(name, choices):
    """A wrong dictionary, with what is told about it."""
    choose_losses.mistake(_told(choices), **{name: lambda: choices})


def without(*tasks):
    return {task: loss for task, loss in choose_losses().items() if task not in tasks}


for task in TASKS:
    for loss in AGAINST[task]:
        known(f"{loss} for {task}", choose_losses() | {task: loss})
    known(f"{task} left out", without(task))
known("nothing", {})
known("only the first", without(*TASKS[1:]))
known("only the numbers", without(*TASKS[3:]))
known("a name that is not on the list", choose_losses() | {"spam": "accuracy"})
known("another name for it", choose_losses() | {"delivery time": "L1"})
known("an abbreviation", choose_losses() | {"tags": "BCE"})
known("no hyphen", choose_losses() | {"next token": "cross entropy"})
known("the function itself", choose_losses() | {"temperature": F.mse_loss})
known("a task with another name", without("delivery time") | {"delivery": "mae"})
known("cross-entropy everywhere", dict.fromkeys(TASKS, "cross-entropy"))
known("mse everywhere", dict.fromkeys(TASKS, "mse"))

choose_losses.mistake(
    "Return a dictionary with a loss for each task. What came is a list.",
    list_of_losses=lambda: list(choose_losses().values()),
)
choose_losses.mistake(
    "Return a dictionary with a loss for each task. What came is a str.", one_loss=lambda: "cross-entropy"
)
choose_losses.mistake(
    "Return a dictionary with a loss for each task. What came is a set.", names_only=lambda: set(TASKS)
)
choose_losses.mistake(
    "Return a dictionary with a loss for each task. What came is None: is the `return` missing?", no_return=lambda: None
)


choose_losses.hints(
    "First ask what the target is: a number, one yes or no, several of them, one class out of many, a distribution?",
    "Three tasks are numbers. Which loss finds the mean, which the median, and which lies between?",
    "How many answers can be right at once: exactly one (softmax), or any number (sigmoid)?",
)
