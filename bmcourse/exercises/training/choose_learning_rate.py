"""The exercise `choose_learning_rate`: which of several runs may decide."""

import itertools

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The learning rate to use, out of rows with the keys 'lr', 'train', 'validation' and 'test'; "
    "the last three are losses."
)
def choose_learning_rate(results):
    return min(results, key=lambda result: result["validation"])["lr"]


@choose_learning_rate.cases
def some_results():
    def row(lr, train, validation, test):
        return {"lr": lr, "train": train, "validation": validation, "test": test}

    bad = row(0.2, float("inf"), float("inf"), 9.0)
    again = row(0.02, 1.6, 1.7, 2.6)
    return [
        ([row(0.1, 2.0, 2.9, 2.0), row(0.01, 1.2, 2.1, 2.2), row(0.001, 0.9, 2.6, 2.5), row(0.0001, 3.1, 3.2, 2.8)],),
        ([row(0.3, 3.0, 3.1, 3.2), row(0.03, 1.0, 3.2, 2.4), row(0.003, 1.4, 1.8, 2.3), row(0.0003, 2.2, 2.3, 1.7)],),
        ([row(0.004, 2.5, 2.4, 2.2)],),
        (
            [
                row(0.5, 0.6, 2.2, 1.5),
                again,
                again,
                row(0.0004, 2.0, 1.9, 2.4),
                bad,
            ],
        ),
        ([row(0.1, 0.5, 0.4, 0.6), row(0.01, 0.3, 0.9, 0.8), row(1.0, 0.2, 0.7, 0.5), row(0.001, 0.7, 0.45, 0.4)],),
        ([row(0.001, 1.3, 1.9, 2.0), row(0.03, 1.6, 1.8, 1.9), row(0.01, 1.4, 1.85, 1.7), row(0.003, 1.2, 1.7, 2.4)],),
    ]


@choose_learning_rate.right
def by_sorting(results):
    return sorted(results, key=lambda result: result["validation"])[0]["lr"]


@choose_learning_rate.right
def with_a_loop(results):
    best = results[0]
    for result in results:
        if result["validation"] < best["validation"]:
            best = result
    return best["lr"]


@choose_learning_rate.right
def by_tensor(results):
    return results[torch.tensor([result["validation"] for result in results]).argmin()]["lr"]


@choose_learning_rate.right
def by_pairs(results):
    return min((result["validation"], result["lr"]) for result in results)[1]


@choose_learning_rate.right
def by_a_dictionary(results):
    rates = {result["validation"]: result["lr"] for result in results}
    return rates[min(rates)]


def by(loss):
    """The learning rate of the row with the smallest `loss(row)`."""
    return lambda results: min(results, key=loss)["lr"]


choose_learning_rate.mistake(
    "You chose by the training loss. It rewards learning by heart. Choose by the validation loss.",
    by_training=by(lambda row: row["train"]),
)
choose_learning_rate.mistake(
    "You chose by the test loss. Then the test is no test any more: its number flatters you. Choose by the validation "
    "loss, and look at the test once, at the end.",
    by_test=by(lambda row: row["test"]),
)
choose_learning_rate.mistake(
    "You took the largest loss. A loss is better when it is smaller: use min.",
    largest_loss=by(lambda row: -row["validation"]),
)
choose_learning_rate.mistake(
    "You took the largest training loss. Choose by the validation loss, and take the smallest.",
    largest_training_loss=by(lambda row: -row["train"]),
)
choose_learning_rate.mistake(
    "You took the largest test loss. Choose by the validation loss, and take the smallest.",
    largest_test_loss=by(lambda row: -row["test"]),
)
choose_learning_rate.mistake(
    "You chose by the sum (or mean) of training and validation loss. The training loss rewards learning by heart: "
    "leave it out.",
    by_training_and_validation=by(lambda row: row["train"] + row["validation"]),
)
choose_learning_rate.mistake(
    "You chose by the sum (or mean) of validation and test loss. The test must not choose: use the validation loss "
    "alone.",
    by_validation_and_test=by(lambda row: row["validation"] + row["test"]),
)
choose_learning_rate.mistake(
    "You chose by the sum (or mean) of all three losses. Only the validation loss may choose.",
    by_all_three=by(lambda row: row["train"] + row["validation"] + row["test"]),
)
choose_learning_rate.mistake(
    "You chose by the sum (or mean) of training and test loss. Only the validation loss may choose.",
    by_training_and_test=by(lambda row: row["train"] + row["test"]),
)
choose_learning_rate.mistake(
    "You chose by the largest of the three losses of a row. Only the validation loss may choose.",
    by_the_largest_of_three=by(lambda row: max(row["train"], row["validation"], row["test"])),
)
choose_learning_rate.mistake(
    "You took the smallest gap between validation and training loss. A model that learns nothing has no gap: take the "
    "smallest validation loss itself.",
    smallest_gap=by(lambda row: abs(row["validation"] - row["train"]) if row["train"] < 1e9 else 1e9),
)
choose_learning_rate.mistake(
    "You took the smallest of validation loss minus training loss, with its sign. That rewards a bad training loss: "
    "take the smallest validation loss itself.",
    smallest_difference=by(lambda row: row["validation"] - row["train"] if row["train"] < 1e9 else 1e9),
)
choose_learning_rate.mistake(
    "You took the smallest gap between validation and test loss. Take the smallest validation loss: the test must not "
    "choose.",
    smallest_gap_to_test=by(lambda row: abs(row["validation"] - row["test"])),
)
choose_learning_rate.mistake(
    "You took the smallest learning rate. Take the one with the smallest validation loss.",
    smallest_rate=by(lambda row: row["lr"]),
)
choose_learning_rate.mistake(
    "You took the largest learning rate. Take the one with the smallest validation loss.",
    largest_rate=by(lambda row: -row["lr"]),
)
choose_learning_rate.mistake(
    "You took the first row. Look for the one with the smallest validation loss.",
    first_row=lambda results: results[0]["lr"],
)
choose_learning_rate.mistake(
    "You took the last row. If you loop, keep the best row so far in a variable of its own, and return its rate.",
    last_row=lambda results: results[-1]["lr"],
)
choose_learning_rate.mistake(
    "You took the row in the middle. Look for the one with the smallest validation loss.",
    middle_row=lambda results: results[len(results) // 2]["lr"],
)
choose_learning_rate.mistake(
    "You took the second best. sorted() begins with the smallest: take [0].",
    second_best=lambda results: sorted(results, key=lambda row: row["validation"])[:2][-1]["lr"],
)
choose_learning_rate.mistake(
    "You averaged the learning rates. Return the one with the smallest validation loss.",
    mean_rate=lambda results: sum(row["lr"] for row in results) / len(results),
)
choose_learning_rate.mistake(
    "You sorted the rates and took the one in the middle. Return the one with the smallest validation loss.",
    median_rate=lambda results: sorted(row["lr"] for row in results)[len(results) // 2],
)
choose_learning_rate.mistake(
    "You returned the loss itself. Return the learning rate that belongs to it.",
    loss_returned=lambda results: min(row["validation"] for row in results),
)
choose_learning_rate.mistake(
    "You returned the test loss of the best run. Return its learning rate: result['lr'].",
    test_loss_returned=lambda results: min(results, key=lambda row: row["validation"])["test"],
)
choose_learning_rate.mistake(
    "You returned the training loss of the best run. Return its learning rate: result['lr'].",
    training_loss_returned=lambda results: min(results, key=lambda row: row["validation"])["train"],
)
choose_learning_rate.mistake(
    "You returned the whole row. Return its learning rate: result['lr'].",
    row_returned=lambda results: min(results, key=lambda row: row["validation"]),
)
choose_learning_rate.mistake(
    "You returned the position in the list. Return the learning rate that stands there.",
    position_returned=lambda results: min(range(len(results)), key=lambda i: results[i]["validation"]),
)
choose_learning_rate.mistake(
    "You returned the rate in a list. Return the number itself.",
    rate_in_a_list=lambda results: [choose_learning_rate(results)],
)
choose_learning_rate.mistake(
    "You returned the rate and its loss. Return the rate only.",
    rate_and_loss=lambda results: (choose_learning_rate(results), min(row["validation"] for row in results)),
)
choose_learning_rate.mistake(
    "You returned the loss and the rate. Return the rate only.",
    loss_and_rate=lambda results: min((row["validation"], row["lr"]) for row in results),
)
choose_learning_rate.mistake(
    "You returned the rate as text. Return the number.", rate_as_text=lambda results: str(choose_learning_rate(results))
)
choose_learning_rate.mistake(
    "You returned the name of the column. Return what stands there: the rate of the row with the smallest validation "
    "loss.",
    name_of_the_column=lambda results: "lr",
)
choose_learning_rate.mistake(
    "You returned all the rates, best first. Return the best one: take [0].",
    all_rates_sorted=lambda results: [row["lr"] for row in sorted(results, key=lambda row: row["validation"])],
)
choose_learning_rate.mistake(
    "Rows cannot be compared with one another. Tell min what to look at: key=lambda result: result['validation'].",
    no_key=lambda results: min(results)["lr"],
)
choose_learning_rate.mistake(
    "`results` is a list of rows, and a list has no key 'validation'. Each row has: result['validation'].",
    list_as_a_dictionary=lambda results: results["validation"],
)
choose_learning_rate.mistake(
    "min over a generator of losses gives a number, and a number has no ['lr']. Give min the rows, and the loss as its "
    "key.",
    loss_as_a_row=lambda results: min(row["validation"] for row in results)["lr"],
)


@choose_learning_rate.mistake(
    "Your loop stops at the first loss that is no better than the one before. Later rows may be better: look at all."
)
def stops_early(results):
    best = results[0]
    for row in results[1:]:
        if row["validation"] >= best["validation"]:
            break
        best = row
    return best["lr"]


@choose_learning_rate.mistake(
    "You compare each row with the one before it, not with the best so far. Keep the best row in a variable."
)
def compared_with_the_row_before(results):
    rate = results[0]["lr"]
    for before, row in itertools.pairwise(results):
        if row["validation"] < before["validation"]:
            rate = row["lr"]
    return rate


@choose_learning_rate.mistake(
    "Your search starts at a loss of 1 or less, as if no loss could be larger, and finds nothing where all are. Start "
    "with float('inf')."
)
def started_at_one(results):
    best, rate = 1.0, None
    for row in results:
        if row["validation"] < best:
            best, rate = row["validation"], row["lr"]
    return rate


@choose_learning_rate.mistake(
    "Your search starts at a loss of 0, and none is smaller: nothing is found. Start with float('inf')."
)
def started_at_zero(results):
    return None if all(row["validation"] >= 0 for row in results) else choose_learning_rate(results)


choose_learning_rate.mistake(
    "You returned the position of the smallest loss, in a tensor. Return the learning rate that stands there.",
    position_in_a_tensor=lambda results: torch.tensor([row["validation"] for row in results]).argmin() + 0,
)
choose_learning_rate.mistake(
    "key needs a function. Write key=lambda result: result['validation'].",
    key_as_text=lambda results: min(results, key="validation")["lr"],
)
choose_learning_rate.mistake(
    "The rows have no key 'val'. It is called 'validation'.",
    misspelt_key=by(lambda row: row["val"]),
)
choose_learning_rate.mistake(
    "The rows have no key 'validation_loss'. It is called 'validation'.",
    longer_key=by(lambda row: row["validation_loss"]),
)
choose_learning_rate.mistake(
    "A row is a dictionary: its parts are row['validation'] and row['lr'], with brackets.",
    attributes=lambda results: min(results, key=lambda row: row.validation).lr,
)
choose_learning_rate.mistake(
    "You sort the list that you were given, and whoever owns it finds another order. sorted() makes a new list.",
    sorted_in_place=lambda results: (results.sort(key=lambda row: row["validation"]), results[0]["lr"])[1],
)
choose_learning_rate.mistake(
    "You return a fixed number. Look into the rows.",
    fixed_hundredth=lambda results: 0.01,
)
choose_learning_rate.mistake(
    "You return a fixed number, 0.003. Look into the rows.",
    fixed_three_thousandths=lambda results: 0.003,
)
choose_learning_rate.mistake(
    "You return a fixed number, 0.001. Look into the rows.",
    fixed_thousandth=lambda results: 0.001,
)
choose_learning_rate.mistake(
    "You never lower your best loss so far, so the last row below the start wins. Set it together with the rate.",
    best_never_lowered=lambda results: [row["lr"] for row in results if row["validation"] < 100][-1],
)
choose_learning_rate.mistake(
    "Your loop does not look at the last row. Go through all of them.",
    last_row_left_out=lambda results: min(results[:-1] or results, key=lambda row: row["validation"])["lr"],
)
choose_learning_rate.mistake(
    "You leave out rows whose validation loss lies above the training loss, and choose by the test. Only the "
    "validation loss may choose.",
    test_among_the_sane=lambda results: min(
        [row for row in results if row["train"] <= row["validation"]] or results, key=lambda row: row["test"]
    )["lr"],
)


choose_learning_rate.hints(
    "Which of the three losses may you use to make a choice?",
    "min(results, key=...) gives the row with the smallest ...",
    "... result['validation']; then take ['lr'].",
)
