"""The exercise `choose_losses` of lesson 04."""

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


def objection(task, loss):
    return f"{task!r} with {loss!r}: {AGAINST[task][loss]}."


def unknown(task, loss):
    return f"{task!r}: {loss!r} is not on the list. Choose one of: {', '.join(LOSSES)}."


def missing(task):
    return f"The task {task!r} has no loss yet. Return a dictionary with all {len(TASKS)} tasks."


@choose_losses.run
def look_up(answer):
    """Whether the loss chosen for each task fits it, without telling which one does."""
    choices = answer()
    if not isinstance(choices, dict):
        raise Mistake(f"Return a dictionary with a loss for each task. What came is a {type(choices).__name__}.")
    for task in TASKS:
        if task not in choices:
            raise Mistake(missing(task))
        loss = choices[task]
        if loss not in LOSSES:
            raise Mistake(unknown(task, loss))
        if loss in AGAINST[task]:
            raise Mistake(objection(task, loss))
    return "right"


def _with(task, loss):
    """All choices right but one."""
    return lambda: choose_losses() | {task: loss}


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


@choose_losses.cases
def cases():
    return [()]


for task in TASKS:
    for loss in AGAINST[task]:
        choose_losses.mistake(objection(task, loss), **{f"{loss} for {task}": _with(task, loss)})


choose_losses.mistake(unknown("spam", "accuracy"), TODO_144=_with("spam", "accuracy"))


choose_losses.mistake(
    missing("tags"), TODO_145=lambda: {task: loss for task, loss in choose_losses().items() if task != "tags"}
)


choose_losses.mistake(
    "Return a dictionary with a loss for each task. What came is a list.",
    TODO_146=lambda: list(choose_losses().values()),
)


choose_losses.hints(
    "First ask what the target is: a number, one yes or no, several of them, one class out of many, a distribution?",
    "Three tasks are numbers. Which loss finds the mean, which the median, and which lies between?",
    "How many answers can be right at once: exactly one (softmax), or any number (sigmoid)?",
)
