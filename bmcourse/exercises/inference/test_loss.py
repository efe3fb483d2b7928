"""The exercise `test_loss`: the mean cross-entropy on data that a model has not seen, batch by batch."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

NEVER_CALLED = "Your code never calls the model. Give it the inputs, batch by batch: model(x)."


@exercise(
    prompt="The mean cross-entropy of a classifier on the test data, as a plain number. `data` has 'x_train', "
    "'y_train', 'x_test' and 'y_test'; model(x) gives logits. At most `batch_size` inputs at once; the last batch may "
    "be smaller. No dropout, no gradients."
)
def test_loss(model, data, batch_size):
    model.eval()
    total = 0.0
    with torch.no_grad():
        batches = zip(data["x_test"].split(batch_size), data["y_test"].split(batch_size), strict=True)
        for x, y in batches:
            total += F.cross_entropy(model(x), y, reduction="sum").item()
    return total / len(data["y_test"])


@test_loss.cases
def some_data():
    def data(count):
        x = torch.randn(2 * count, 3)
        y = (x + 0.5 * torch.randn(2 * count, 3)).argmax(dim=1)
        x[:count] *= 2
        return {"x_train": x[:count], "y_train": y[:count], "x_test": x[count:], "y_test": y[count:]}

    return [
        (torch.randn(12), data(10), 4),
        (torch.randn(12), data(8), 4),
        (torch.randn(12), data(7), 3),
        (torch.randn(12), data(3), 1),
        (torch.randn(12) * 200, data(5), 2),
    ]


@test_loss.run
def on_a_model_with_dropout(answer, weights, data, batch_size):
    """The loss an answer gives for a model with dropout, and what it does to the model meanwhile."""
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(3, 3))
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    seen = []
    model.register_forward_hook(lambda module, inputs, output: seen.append((output.requires_grad, len(output))))
    loss = answer(model.train(), data, batch_size)
    if not seen and loss is not None:
        raise Mistake(NEVER_CALLED)
    return {
        "loss": loss,
        "gradients recorded": any(recorded for recorded, _ in seen),
        "more than `batch_size` at once": any(size > batch_size for _, size in seen),
    }


@test_loss.judge
def by_hand(weights, data, batch_size):
    matrix, bias = weights[:9].view(3, 3).tolist(), weights[9:].tolist()
    losses = []
    for x, y in zip(data["x_test"].tolist(), data["y_test"].tolist(), strict=True):
        scores = [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(matrix, bias, strict=True)]
        losses.append(math.log(sum(math.exp(score - max(scores)) for score in scores)) + max(scores) - scores[y])
    return {
        "loss": sum(losses) / len(losses),
        "gradients recorded": False,
        "more than `batch_size` at once": False,
    }


@test_loss.right
def by_gathering(model, data, batch_size):
    with torch.no_grad():
        logits = torch.cat([model.eval()(x) for x in data["x_test"].split(batch_size)])
    return F.cross_entropy(logits, data["y_test"]).item()


@test_loss.right
@torch.inference_mode()
def by_weighting(model, data, batch_size):
    model.train(False)
    x, y, total = data["x_test"], data["y_test"], 0.0
    for start in range(0, len(x), batch_size):
        part = y[start : start + batch_size]
        total += len(part) * float(torch.nn.CrossEntropyLoss()(model(x[start : start + batch_size]), part))
    return total / len(x)


@test_loss.right
def by_log_probabilities(model, data, batch_size):
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(data["x_test"], data["y_test"]), batch_size=batch_size
    )
    was_training = model.training
    model.eval()
    losses = []
    with torch.no_grad():
        for x, y in loader:
            losses += model(x).log_softmax(dim=1)[torch.arange(len(y)), y].neg().tolist()
    model.train(was_training)
    return sum(losses) / len(losses)


@test_loss.right
def one_at_a_time(model, data, batch_size):
    model.eval()
    with torch.no_grad():
        losses = [F.cross_entropy(model(x[None])[0], y) for x, y in zip(data["x_test"], data["y_test"], strict=True)]
    return torch.stack(losses).mean().item()


def summed(logits, y):
    return F.cross_entropy(logits, y, reduction="sum")


def tested(
    inputs="x_test",
    targets="y_test",
    loss=summed,
    mode=False,
    gradients=False,
    whole=False,
    which=lambda sums, counts, size: (sums, counts),
    result=lambda sums, counts, size: sum(sums) / sum(counts),
):
    """A wrong test loss: one with another part. `which` of the batches count, and what is made of their sums."""

    def answer(model, data, batch_size):
        model.train(mode)
        size = len(data[inputs]) if whole else batch_size
        sums, counts = [], []
        with torch.set_grad_enabled(gradients):
            for x, y in zip(data[inputs].split(size), data[targets].split(size), strict=True):
                sums.append(loss(model(x), y).item())
                counts.append(len(x))
        return result(*which(sums, counts, size), size)

    return answer


def means(sums, counts):
    """The mean loss of each batch."""
    return [total / count for total, count in zip(sums, counts, strict=True)]


def mean_of_means(sums, counts, size):
    return sum(means(sums, counts)) / len(sums)


def after(change):
    """A wrong test loss: the right one, changed."""
    return tested(result=lambda sums, counts, size: change(sum(sums) / sum(counts)))


# Dropout, gradients and memory.

test_loss.mistake(
    "Dropout is still on, so half of every input is missing. Call model.eval() before you measure.",
    dropout_on=tested(mode=True),
)
test_loss.mistake(
    "The number is right, but autograd records every operation, which is of no use here. Compute "
    "inside `with torch.no_grad():`.",
    gradients_on=tested(gradients=True),
)
test_loss.mistake(
    "Two things are missing: model.eval(), which switches dropout off, and torch.no_grad(), which keeps "
    "autograd from recording.",
    dropout_and_gradients_on=tested(mode=True, gradients=True),
)
test_loss.mistake(
    "The number is right, but the model got all inputs at once: with real data the memory would not do. Give "
    "it batches of at most `batch_size`.",
    all_at_once=tested(whole=True),
)
test_loss.mistake(
    "The model got all inputs at once, and autograd records every operation. Give it batches of at most `batch_size`, "
    "inside `with torch.no_grad():`.",
    all_at_once_with_gradients=tested(whole=True, gradients=True),
)
test_loss.mistake(
    "The model got all inputs at once, and dropout is still on. Call model.eval(), and give it batches of at most "
    "`batch_size`.",
    all_at_once_with_dropout=tested(whole=True, mode=True),
)
test_loss.mistake(
    "Three things: call model.eval() first, compute inside `with torch.no_grad():`, and give the model batches of at "
    "most `batch_size`.",
    all_at_once_with_both=tested(whole=True, mode=True, gradients=True),
)
test_loss.mistake(
    "You take the mean of the batches' means, and autograd records every operation. Add up sums (reduction='sum'), "
    "divide by the number of inputs, and compute inside `with torch.no_grad():`.",
    mean_of_means_with_gradients=tested(gradients=True, result=mean_of_means),
)
test_loss.mistake(
    "You take the mean of the batches' means, and dropout is still on. Call model.eval(), add up sums "
    "(reduction='sum') and divide by the number of inputs.",
    mean_of_means_with_dropout=tested(mode=True, result=mean_of_means),
)
test_loss.mistake(
    "You take the mean of the batches' means; dropout is still on; and autograd records every operation. Add up sums "
    "(reduction='sum'), call model.eval(), and use torch.no_grad().",
    mean_of_means_with_both=tested(mode=True, gradients=True, result=mean_of_means),
)

# Which data.

test_loss.mistake(
    "The inputs are test data and the targets are training data: they do not belong together. Use y_test.",
    targets_of_the_training=tested(targets="y_train"),
)
test_loss.mistake(
    "The inputs are training data and the targets are test data: they do not belong together. Use x_test.",
    inputs_of_the_training=tested(inputs="x_train"),
)
test_loss.mistake(
    "You measured on the training data. The model has seen it: the number flatters. Use x_test and y_test.",
    training_data=tested(inputs="x_train", targets="y_train"),
)
test_loss.mistake(
    "You measured on the training data, all at once. Use x_test and y_test, in batches of at most `batch_size`.",
    training_data_at_once=tested(inputs="x_train", targets="y_train", whole=True),
)
test_loss.mistake(
    "You measured on the training data, and took the mean of the batches' means. Use x_test and y_test, add up sums "
    "and divide by the number of inputs.",
    training_data_mean_of_means=tested(inputs="x_train", targets="y_train", result=mean_of_means),
)
test_loss.mistake(
    "You compare the model with its own answers: that tells how sure it is, not how right. The targets are y_test.",
    own_answers=tested(loss=lambda logits, y: summed(logits, logits.argmax(dim=1))),
)
test_loss.mistake(
    "The last, smaller batch is left out. Its inputs belong to the test too.",
    last_smaller_batch_left_out=lambda model, data, batch_size: tested()(
        model, full_batches(data, batch_size), batch_size
    ),
)
test_loss.mistake(
    "The last, smaller batch is left out of the sum, and its inputs are counted all the same. They belong to the test.",
    last_smaller_batch_not_added=tested(
        which=lambda sums, counts, size: ([s * (n == size) for s, n in zip(sums, counts, strict=True)], counts)
    ),
)
test_loss.mistake(
    "The last batch is left out of the sum. Its inputs belong to the test too.",
    last_batch_not_added=tested(which=lambda sums, counts, size: (sums[:-1], counts)),
)
test_loss.mistake(
    "The first batch is left out of the sum. Its inputs belong to the test too.",
    first_batch_not_added=tested(which=lambda sums, counts, size: (sums[1:], counts)),
)
test_loss.mistake(
    "You return the loss of the last batch. Add up over all batches.",
    last_batch_only=tested(which=lambda sums, counts, size: (sums[-1:], counts[-1:])),
)
test_loss.mistake(
    "Only the sum of the last batch is divided by the number of inputs. Add up over all batches: += and not =.",
    last_batch_by_all=tested(which=lambda sums, counts, size: (sums[-1:], counts)),
)
test_loss.mistake(
    "You return the sum of the last batch. Add up over all batches, and divide by the number of inputs.",
    sum_of_the_last_batch=tested(result=lambda sums, counts, size: sums[-1]),
)


def full_batches(data, batch_size):
    return {name: values[: len(values) // batch_size * batch_size] for name, values in data.items()}


def first_batch(model, data, batch_size, divide=True):
    model.eval()
    with torch.no_grad():
        loss = summed(model(data["x_test"][:batch_size]), data["y_test"][:batch_size]).item()
    return loss / len(data["y_test"] if divide else data["y_test"][:batch_size])


test_loss.mistake(
    "You return the loss of the first batch. Is the `return` inside the loop? Go on through all batches.",
    first_batch_only=lambda model, data, batch_size: first_batch(model, data, batch_size, divide=False),
)
test_loss.mistake(
    "Only the first batch is added up, and divided by the number of all inputs. Is the `return` inside the loop?",
    first_batch_by_all=first_batch,
)


# From batches to one number.

test_loss.mistake(
    "You take the mean of the batches' means. The last batch is smaller, and each of its inputs counts too "
    "much. Add up sums (reduction='sum') and divide by the number of inputs.",
    mean_of_means=tested(result=mean_of_means),
)
for name, message, result in (
    ("sum_not_mean", "You return the sum over all inputs. The mean is asked for: divide by their number.",
     lambda sums, counts, size: sum(sums)),
    ("sum_of_means", "You return the sum of the batches' means. The mean over all inputs is asked for.",
     lambda sums, counts, size: sum(means(sums, counts))),
    ("by_number_of_batches", "You divide the sum over all inputs by the number of batches. Divide by the number of "
     "inputs.", lambda sums, counts, size: sum(sums) / len(sums)),
    ("means_by_inputs", "Each batch already gives its mean, and you divide again by the number of inputs: the loss is "
     "far too small. Use reduction='sum', or divide by less.",
     lambda sums, counts, size: sum(means(sums, counts)) / sum(counts)),
    ("by_batch_size", "You divide the sum over all inputs by `batch_size`. Divide by the number of inputs.",
     lambda sums, counts, size: sum(sums) / size),
    ("means_by_batch_size", "You divide the sum of the batches' means by `batch_size`. Add up sums, and divide by the "
     "number of inputs.", lambda sums, counts, size: sum(means(sums, counts)) / size),
    ("means_times_batch_size", "You multiply each batch's mean by `batch_size`. The last batch is smaller: multiply by "
     "len(y).", lambda sums, counts, size: sum(means(sums, counts)) * size / sum(counts)),
    ("sums_by_batch_size", "You divide each batch's sum by `batch_size`, and take the mean of these. The last batch is "
     "smaller: divide the whole sum by the number of inputs.",
     lambda sums, counts, size: sum(sums) / size / len(sums)),
    ("by_inputs_and_batches", "You divide the sum by the number of inputs and by the number of batches. The first is "
     "enough.", lambda sums, counts, size: sum(sums) / sum(counts) / len(sums)),
    ("mean_times_batches", "Your loss is the mean, times the number of batches. Divide once, at the end, by the number "
     "of inputs.", lambda sums, counts, size: sum(sums) / sum(counts) * len(sums)),
    ("by_one_less", "You divide by one too few. Divide by the number of inputs: len(y_test).",
     lambda sums, counts, size: sum(sums) / (sum(counts) - 1)),
    ("median", "You take the median of the batches. The mean over all inputs is asked for.",
     lambda sums, counts, size: sorted(means(sums, counts))[len(sums) // 2]),
    ("smallest", "You take the best batch. The mean over all inputs is asked for.",
     lambda sums, counts, size: min(means(sums, counts))),
    ("largest", "You take the worst batch. The mean over all inputs is asked for.",
     lambda sums, counts, size: max(means(sums, counts))),
    ("list_of_losses", "You return a list with the loss of each batch. Return one number.",
     lambda sums, counts, size: means(sums, counts)),
    ("list_of_sums", "You return a list with the sum of each batch. Return one number.",
     lambda sums, counts, size: sums),
):  # fmt: skip
    test_loss.mistake(message, **{name: tested(result=result)})

# The loss itself.

for name, message, loss in (
    ("softmax_before", "You call softmax before F.cross_entropy, which does that itself. Give it the logits.",
     lambda logits, y: summed(logits.softmax(dim=1), y)),
    ("argmax_before", "You give F.cross_entropy the likeliest classes. It takes the logits.",
     lambda logits, y: summed(F.one_hot(logits.argmax(dim=1), 3).float(), y)),
    ("wrong_answers", "You return the share of wrong answers. The cross-entropy is asked for, which also knows how "
     "sure they were.", lambda logits, y: (logits.argmax(dim=1) != y).sum()),
    ("right_answers", "You return the accuracy, the share of right answers. The cross-entropy is asked for.",
     lambda logits, y: (logits.argmax(dim=1) == y).sum()),
    ("logits_as_logarithms", "F.nll_loss takes logarithms of probabilities, and got logits. Use F.cross_entropy, or "
     "log_softmax first.", lambda logits, y: F.nll_loss(logits, y, reduction="sum")),
    ("probabilities_as_logarithms", "F.nll_loss takes logarithms of probabilities, and got probabilities. Use "
     "F.cross_entropy on the logits.", lambda logits, y: F.nll_loss(logits.softmax(dim=1), y, reduction="sum")),
    ("squared", "You take the squared error of the logits. The cross-entropy is asked for.",
     lambda logits, y: (logits - F.one_hot(y, 3)).square().mean(dim=1).sum()),
    ("squared_probabilities", "You take the squared error of the probabilities. The cross-entropy is asked for.",
     lambda logits, y: (logits.softmax(dim=1) - F.one_hot(y, 3)).square().mean(dim=1).sum()),
    ("binary", "You take a binary cross-entropy for each class. One class of three is right: F.cross_entropy.",
     lambda logits, y: F.binary_cross_entropy_with_logits(
         logits, F.one_hot(y, 3).float(), reduction="none").mean(dim=1).sum()),
    ("sign", "The sign is wrong: the loss is minus the logarithm of the right class's probability.",
     lambda logits, y: -summed(logits, y)),
    ("smoothed", "You smooth the labels by 0.1. That is for the training; here the cross-entropy as it is.",
     lambda logits, y: F.cross_entropy(logits, y, reduction="sum", label_smoothing=0.1)),
    ("base_two", "Your logarithm has the base 2. Use the natural one: log, not log2.",
     lambda logits, y: summed(logits, y) / math.log(2)),
    ("unstable", "exp() of a large logit is infinite, and the logarithm after it too. F.cross_entropy subtracts the "
     "largest logit first.", lambda logits, y: -(
         logits.exp() / logits.exp().sum(dim=1, keepdim=True))[torch.arange(len(y)), y].log().sum()),
    ("log_of_softmax", "softmax() of a small logit becomes 0, and its logarithm minus infinity. Use F.cross_entropy on "
     "the logits, or log_softmax.", lambda logits, y: -logits.softmax(dim=1)[torch.arange(len(y)), y].log().sum()),
    ("probability", "You return the probability of the right class. The loss is minus its logarithm.",
     lambda logits, y: logits.softmax(dim=1)[torch.arange(len(y)), y].sum()),
):  # fmt: skip
    test_loss.mistake(message, **{name: tested(loss=loss)})
test_loss.mistake(
    "You return the perplexity. The cross-entropy is its logarithm: leave exp() out.",
    perplexity=after(lambda loss: math.exp(min(loss, 700))),
)
test_loss.mistake("You round the loss. Return it as it is.", rounded=after(lambda loss: round(loss, 4)))
test_loss.mistake(
    "You round the loss to two places. Return it as it is.", rounded_to_two=after(lambda loss: round(loss, 2))
)
test_loss.mistake("You return text. Return the number itself.", as_text=after(lambda loss: f"{loss:.4f}"))
test_loss.mistake(NEVER_CALLED, never_called=lambda model, data, batch_size: 0.0)


@test_loss.mistake(
    "You return a tensor that holds on to its graph. Compute inside `with torch.no_grad():`, and return .item()."
)
def with_graph(model, data, batch_size):
    model.eval()
    batches = zip(data["x_test"].split(batch_size), data["y_test"].split(batch_size), strict=True)
    return sum(summed(model(x), y) for x, y in batches) / len(data["y_test"])


@test_loss.mistake(
    "The loss got the predictions only. A loss compares: without y_test nobody knows whether they are right. "
    "Call F.cross_entropy(model(x), y)."
)
def missing_targets(model, data, batch_size):
    model.eval()
    with torch.no_grad():
        return F.cross_entropy(model(data["x_test"]))


@test_loss.mistake("F.cross_entropy takes the logits first, then the targets: F.cross_entropy(model(x), y).")
def targets_first(model, data, batch_size):
    model.eval()
    with torch.no_grad():
        return F.cross_entropy(data["y_test"][:batch_size], model(data["x_test"][:batch_size])).item()


test_loss.hints(
    "What does a loss compare with what? Which two of the four tensors are that here?",
    "model.eval(), torch.no_grad(), and a loop over x_test.split(batch_size) and y_test.split(batch_size).",
    "Add up F.cross_entropy(model(x), y, reduction='sum').item(), and divide by len(y_test) at the end.",
)
