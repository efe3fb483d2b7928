"""The exercise `test_loss` of lesson 07."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


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


@test_loss.run
def measure_on_test_data(answer, weights, data, batch_size):
    """The loss an answer gives for a model with dropout, and what it does to the model meanwhile."""
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(3, 3))
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    seen = []
    model.register_forward_hook(lambda module, inputs, output: seen.append((output.requires_grad, len(output))))
    loss = answer(model.train(), data, batch_size)
    recorded, largest = (max(column, default=0) for column in zip(*seen, strict=True))
    return {"loss": loss, "gradients recorded": bool(recorded), "largest batch": largest}


@test_loss.judge
def test_loss_by_hand(weights, data, batch_size):
    matrix, bias = weights[:9].view(3, 3).tolist(), weights[9:].tolist()
    losses = []
    for x, y in zip(data["x_test"].tolist(), data["y_test"].tolist(), strict=True):
        scores = [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(matrix, bias, strict=True)]
        losses.append(math.log(sum(map(math.exp, scores))) - scores[y])
    return {
        "loss": sum(losses) / len(losses),
        "gradients recorded": False,
        "largest batch": min(batch_size, len(losses)),
    }


@test_loss.right
def loss_by_gathering(model, data, batch_size):
    with torch.no_grad():
        logits = torch.cat([model.eval()(x) for x in data["x_test"].split(batch_size)])
    return F.cross_entropy(logits, data["y_test"]).item()


@test_loss.right
@torch.inference_mode()
def loss_by_weighting(model, data, batch_size):
    model.train(False)
    x, y, total = data["x_test"], data["y_test"], 0.0
    for start in range(0, len(x), batch_size):
        part = y[start : start + batch_size]
        total += len(part) * float(torch.nn.CrossEntropyLoss()(model(x[start : start + batch_size]), part))
    return total / len(x)


@test_loss.right
def loss_from_probabilities(model, data, batch_size):
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(data["x_test"], data["y_test"]), batch_size=batch_size
    )
    model.eval()
    losses = []
    with torch.no_grad():
        for x, y in loader:
            losses += model(x).log_softmax(dim=1)[torch.arange(len(y)), y].neg().tolist()
    return sum(losses) / len(losses)


def tested(
    inputs="x_test",
    targets="y_test",
    loss=lambda logits, y: F.cross_entropy(logits, y, reduction="sum"),
    mode=False,
    gradients=False,
    whole=False,
    last=True,
    result=lambda sums, counts: sum(sums) / sum(counts),
):
    """A wrong test loss: one with a changed part."""

    def answer(model, data, batch_size):
        model.train(mode)
        size = len(data[inputs]) if whole else batch_size
        sums, counts = [], []
        with torch.set_grad_enabled(gradients):
            for x, y in zip(data[inputs].split(size), data[targets].split(size), strict=True):
                if last or len(x) == size:
                    sums.append(loss(model(x), y).item())
                    counts.append(len(x))
        return result(sums, counts)

    return answer


@test_loss.mistake(
    "The loss got the predictions only. A loss compares: without y_test nobody knows whether they are right. "
    "Call F.cross_entropy(model(x), y)."
)
def missing_targets(model, data, batch_size):
    model.eval()
    with torch.no_grad():
        return F.cross_entropy(model(data["x_test"]))


def eval_too_late(model, data, batch_size):
    loss = tested(mode=True)(model, data, batch_size)
    model.eval()
    return loss


@test_loss.cases
def some_data():
    def data(count):
        x = torch.randn(2 * count, 3)
        y = (x + 0.5 * torch.randn(2 * count, 3)).argmax(dim=1)
        x[:count] *= 2
        return {"x_train": x[:count], "y_train": y[:count], "x_test": x[count:], "y_test": y[count:]}

    return [(torch.randn(12), data(10), 4), (torch.randn(12), data(8), 4), (torch.randn(12), data(7), 3)]


test_loss.mistake(
    "You compare the model with its own answers: that tells how sure it is, not how right. The targets are y_test.",
    TODO_42=tested(loss=lambda logits, y: F.cross_entropy(logits, logits.argmax(dim=1), reduction="sum")),
)


test_loss.mistake(
    "The inputs are test data and the targets are training data: they do not belong together. Use y_test.",
    TODO_43=tested(targets="y_train"),
)


test_loss.mistake(
    "You measured on the training data. The model has seen it: the number flatters. Use x_test and y_test.",
    TODO_44=tested(inputs="x_train", targets="y_train"),
)


test_loss.mistake(
    "Dropout is still on, so half of every input is missing. Call model.eval() before you measure.",
    TODO_45=tested(mode=True),
)


test_loss.mistake(
    "The number is right, but autograd records every operation for a backward() that never comes. Compute "
    "inside `with torch.no_grad():`.",
    TODO_46=tested(gradients=True),
)


test_loss.mistake(
    "Two things are missing: model.eval(), which switches dropout off, and torch.no_grad(), which keeps "
    "autograd from recording.",
    TODO_47=tested(mode=True, gradients=True),
)


test_loss.mistake(
    "You take the mean of the batches' means. The last batch is smaller, and each of its inputs counts too "
    "much. Add up sums (reduction='sum') and divide by the number of inputs.",
    TODO_48=tested(result=lambda sums, counts: sum(s / n for s, n in zip(sums, counts, strict=True)) / len(sums)),
)


test_loss.mistake(
    "You return the sum over all inputs. The mean is asked for: divide by their number.",
    TODO_49=tested(result=lambda sums, counts: sum(sums)),
)


test_loss.mistake(
    "You divide the sum over all inputs by the number of batches. Divide by the number of inputs.",
    TODO_50=tested(result=lambda sums, counts: sum(sums) / len(sums)),
)


test_loss.mistake(
    "Each batch already gives its mean, and you divide again by the number of inputs: the loss is far too "
    "small. Use reduction='sum', or divide by less.",
    TODO_51=tested(result=lambda sums, counts: sum(s / n for s, n in zip(sums, counts, strict=True)) / sum(counts)),
)


test_loss.mistake("The last, smaller batch is left out. Its inputs belong to the test too.", TODO_52=tested(last=False))


test_loss.mistake(
    "You return the loss of the last batch. Add up over all batches.",
    TODO_53=tested(result=lambda sums, counts: sums[-1] / counts[-1]),
)


test_loss.mistake(
    "The number is right, but the model got all inputs at once: with real data the memory would not do. Give "
    "it batches of at most `batch_size`.",
    TODO_54=tested(whole=True),
)


test_loss.mistake(
    "You call softmax before F.cross_entropy, which does that itself. Give it the logits.",
    TODO_55=tested(loss=lambda logits, y: F.cross_entropy(logits.softmax(dim=1), y, reduction="sum")),
)


test_loss.mistake(
    "You return the share of wrong answers. The cross-entropy is asked for, which also knows how sure they were.",
    TODO_56=tested(loss=lambda logits, y: (logits.argmax(dim=1) != y).sum()),
)


test_loss.hints(
    "What does a loss compare with what? Which two of the four tensors are that here?",
    "model.eval(), torch.no_grad(), and a loop over x_test.split(batch_size) and y_test.split(batch_size).",
    "Add up F.cross_entropy(model(x), y, reduction='sum').item(), and divide by len(y_test) at the end.",
)
