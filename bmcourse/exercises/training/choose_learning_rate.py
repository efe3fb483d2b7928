"""The exercise `choose_learning_rate` of lesson 06."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The learning rate to use, out of rows with the keys 'lr', 'train', 'validation' and 'test'; "
    "the last three are losses."
)
def choose_learning_rate(results):
    return min(results, key=lambda result: result["validation"])["lr"]


@choose_learning_rate.right
def choose_by_sorting(results):
    return sorted(results, key=lambda result: result["validation"])[0]["lr"]


@choose_learning_rate.right
def choose_with_a_loop(results):
    best = results[0]
    for result in results:
        if result["validation"] < best["validation"]:
            best = result
    return best["lr"]


@choose_learning_rate.right
def choose_by_tensor(results):
    return results[torch.tensor([result["validation"] for result in results]).argmin()]["lr"]


@choose_learning_rate.cases
def some_results():
    def row(lr, train, validation, test):
        return {"lr": lr, "train": train, "validation": validation, "test": test}

    return [
        ([row(0.1, 2.0, 2.9, 2.0), row(0.01, 1.2, 2.1, 2.2), row(0.001, 0.9, 2.6, 2.5), row(0.0001, 3.1, 3.2, 2.8)],),
        ([row(0.3, 3.0, 3.1, 3.2), row(0.03, 1.0, 1.9, 2.4), row(0.003, 1.4, 1.8, 2.3), row(0.0003, 2.2, 2.3, 1.7)],),
    ]


choose_learning_rate.mistake(
    "You chose by the training loss. It rewards learning by heart. Choose by the validation loss.",
    TODO_7=lambda results: min(results, key=lambda result: result["train"])["lr"],
)


choose_learning_rate.mistake(
    "You chose by the test loss. Then the test is no test any more: its number flatters you. Choose by the "
    "validation loss, and look at the test once, at the end.",
    TODO_8=lambda results: min(results, key=lambda result: result["test"])["lr"],
)


choose_learning_rate.mistake(
    "You took the largest loss. A loss is better when it is smaller: use min.",
    TODO_9=lambda results: max(results, key=lambda result: result["validation"])["lr"],
)


choose_learning_rate.mistake(
    "You returned the loss itself. Return the learning rate that belongs to it.",
    TODO_10=lambda results: min(result["validation"] for result in results),
)


choose_learning_rate.mistake(
    "You returned the whole row. Return its learning rate: result['lr'].",
    TODO_11=lambda results: min(results, key=lambda result: result["validation"]),
)


choose_learning_rate.mistake(
    "You returned the position in the list. Return the learning rate that stands there.",
    TODO_12=lambda results: min(range(len(results)), key=lambda i: results[i]["validation"]),
)


choose_learning_rate.mistake(
    "You took the smallest learning rate. Take the one with the smallest validation loss.",
    TODO_13=lambda results: min(result["lr"] for result in results),
)


choose_learning_rate.hints(
    "Which of the three losses may you use to make a choice?",
    "min(results, key=...) gives the row with the smallest ...",
    "... result['validation']; then take ['lr'].",
)
