"""Exercises of lesson 06: the training loop, its targets, its evaluation, its learning rate, and the clinic."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import Exercise, Mistake, Wrong

# ---------------------------------------------------------------- train_step


def train_step(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _train_twenty_steps(answer, weights, x, y):
    """What three steps of SGD with momentum do to a small network, and in which order things happen in the first."""
    model = torch.nn.Linear(3, 1)
    torch.nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    order = []
    model.bias.register_hook(lambda gradient: order.append("backward"))
    optimizer.register_step_pre_hook(lambda *_: order.append("step"))
    first = answer(model, optimizer, x, y)
    order = list(order)
    losses = [first, answer(model, optimizer, x, y), answer(model, optimizer, x, y)]
    weights = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    return {"type of loss": type(first).__name__, "losses": losses, "weights": weights, "order": " → ".join(order)}


def _zero_grad_first(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def _zero_grad_last(model, optimizer, x, y):
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())


def _gradients_set_to_none(model, optimizer, x, y):
    for parameter in model.parameters():
        parameter.grad = None
    loss = torch.nn.MSELoss()(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach().item()


def _no_zero_grad(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def _zero_grad_between(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def _no_step(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def _step_first(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()
    return loss.item()


def _sum_of_squares(model, optimizer, x, y):
    loss = ((model(x) - y) ** 2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _loss_as_tensor(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def _loss_after_step(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return F.mse_loss(model(x), y).item()


TRAIN_STEP = Exercise(
    reference=train_step,
    prompt="One training step with the mean squared error. Returns the loss as a plain number.",
    cases=lambda: [
        (torch.zeros(4), torch.eye(3), torch.ones(3, 1)),
        (torch.randn(4), torch.randn(8, 3), torch.randn(8, 1)),
    ],
    run=_train_twenty_steps,
    right=[_zero_grad_first, _zero_grad_last, _gradients_set_to_none],
    wrong=[
        Wrong(
            _no_zero_grad,
            "The gradients are never set back to zero, so every step adds the new gradient to all the "
            "old ones. Call optimizer.zero_grad() before loss.backward().",
        ),
        Wrong(
            _zero_grad_between,
            "You set the gradients to zero after loss.backward() and before optimizer.step(): "
            "the step then has nothing to go by. Call zero_grad() before backward().",
        ),
        Wrong(_no_step, "The weights never change: optimizer.step() is missing."),
        Wrong(
            _step_first,
            "optimizer.step() comes before loss.backward(): each step has no gradient to go by. "
            "First backward(), then step().",
        ),
        Wrong(
            _sum_of_squares,
            "You took the sum of the squared errors, not their mean: loss and gradients are too "
            "big by the number of targets.",
        ),
        Wrong(
            _loss_as_tensor,
            "The loss comes back as a tensor that still holds the whole graph. In a long run that "
            "fills the memory. Return loss.item().",
        ),
        Wrong(
            _loss_after_step,
            "You computed the loss again after the step. Return the loss that made the "
            "gradients: it is already there and costs nothing.",
        ),
    ],
    hints=[
        "Four things happen in a step: the loss, zero gradients, backward, step.",
        "optimizer.zero_grad() must come before loss.backward(), and optimizer.step() after it.",
        "loss = F.mse_loss(model(x), y), then optimizer.zero_grad(), loss.backward(), optimizer.step(); "
        "return loss.item().",
    ],
)

# ---------------------------------------------------------------- next_token_pairs


def next_token_pairs(ids):
    return ids[:-1], ids[1:]


def _shift_by_range(ids):
    positions = torch.arange(len(ids) - 1)
    return ids[positions], ids[positions + 1]


def _shift_by_stack(ids):
    pairs = ids.unfold(0, 2, 1)
    return pairs[:, 0], pairs[:, 1]


def _shift_by_narrow(ids):
    return ids.narrow(0, 0, len(ids) - 1), ids.narrow(0, 1, len(ids) - 1)


NEXT_TOKEN_PAIRS = Exercise(
    reference=next_token_pairs,
    prompt="Inputs and targets of one text: the target of every token is the token after it. ids (T,), both (T - 1,).",
    cases=lambda: [(torch.tensor([5, 6, 7, 8]),), (torch.randint(50, (12,)),), (torch.tensor([3, 9]),)],
    right=[_shift_by_range, _shift_by_stack, _shift_by_narrow],
    wrong=[
        Wrong(
            lambda ids: (ids, ids),
            "Your targets are the inputs themselves. The model then learns to copy what it "
            "sees: the loss falls to zero and nothing is predicted. Shift the targets by "
            "one.",
        ),
        Wrong(
            lambda ids: (ids[:-1], ids[:-1]),
            "You cut both ends equally, so the targets are the inputs themselves. Take ids[1:] as the targets.",
        ),
        Wrong(
            lambda ids: (ids[1:], ids[:-1]),
            "You shifted the wrong way: your model would predict the token before. "
            "Inputs are ids[:-1], targets are ids[1:].",
        ),
        Wrong(
            lambda ids: (ids, ids.roll(-1)),
            "roll() wraps around: the target of the last token is the first token "
            "of the text. The last token has no target: leave it out of the "
            "inputs.",
        ),
        Wrong(
            lambda ids: (ids, ids[1:]),
            "The inputs are one longer than the targets. The last token has no target: leave it out of the inputs.",
        ),
        Wrong(lambda ids: (ids[:-2], ids[2:]), "You shifted by two: your model would skip a token every time."),
    ],
    hints=[
        "Write four tokens on paper, and under each the token that follows it. Which has none?",
        "The last token has nothing after it, so the inputs are ids[:-1].",
        "return ids[:-1], ids[1:]",
    ],
)

# ---------------------------------------------------------------- validation_loss


def validation_loss(model, x, y):
    model.eval()
    with torch.no_grad():
        loss = F.mse_loss(model(x), y).item()
    model.train()
    return loss


def _measure_with_dropout(answer, x, y):
    """The loss an answer gives for a model with dropout, and what state it leaves the model in."""
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
    torch.nn.init.ones_(model[1].weight)
    torch.nn.init.zeros_(model[1].bias)
    seen = []
    model.register_forward_hook(lambda module, inputs, output: seen.append(output.requires_grad))
    loss = answer(model.train(), x, y)
    return {"loss": loss, "gradients recorded": any(seen), "back in training mode": model.training}


@torch.no_grad()
def _validation_with_decorator(model, x, y):
    model.eval()
    loss = F.mse_loss(model(x), y)
    model.train()
    return loss.item()


def _validation_with_inference_mode(model, x, y):
    was_training = model.training
    model.train(False)
    with torch.inference_mode():
        loss = ((model(x) - y) ** 2).mean().item()
    model.train(was_training)
    return loss


def _validation_with_finally(model, x, y):
    try:
        with torch.no_grad():
            return float(F.mse_loss(model.eval()(x), y))
    finally:
        model.train()


def _no_eval(model, x, y):
    with torch.no_grad():
        return F.mse_loss(model(x), y).item()


def _stays_in_eval(model, x, y):
    model.eval()
    with torch.no_grad():
        return F.mse_loss(model(x), y).item()


def _records_gradients(model, x, y):
    model.eval()
    loss = F.mse_loss(model(x), y).item()
    model.train()
    return loss


def _nothing_done(model, x, y):
    return F.mse_loss(model(x), y).item()


def _no_grad_is_not_eval(model, x, y):
    with torch.no_grad():
        loss = F.mse_loss(model(x), y).item()
    model.eval()
    return loss


VALIDATION_LOSS = Exercise(
    reference=validation_loss,
    prompt="The mean squared error of a model as a plain number, measured: no dropout, no gradients. "
    "Afterwards the model is in training mode again.",
    cases=lambda: [(torch.ones(1, 4), torch.zeros(1, 1)), (torch.randn(64, 4), torch.randn(64, 1))],
    run=_measure_with_dropout,
    right=[_validation_with_decorator, _validation_with_inference_mode, _validation_with_finally],
    wrong=[
        Wrong(
            _nothing_done,
            "Dropout is still on, and autograd records every operation. Call model.eval() first, and "
            "compute inside torch.no_grad().",
        ),
        Wrong(_no_eval, "Dropout is still on: no_grad() switches off gradients, not dropout. Call model.eval() first."),
        Wrong(
            _stays_in_eval,
            "The model stays in eval mode, so the training that follows runs without dropout. Call "
            "model.train() before you return.",
        ),
        Wrong(
            _records_gradients,
            "The number is right, but autograd records every operation for a backward() that "
            "never comes: memory and time for nothing. Compute inside `with torch.no_grad():`.",
        ),
        Wrong(
            _no_grad_is_not_eval,
            "model.eval() comes after the measurement, so dropout was on while you measured, "
            "and then stays off in training. First eval(), then measure, then train().",
        ),
    ],
    hints=[
        "Two switches: one for dropout (a method of the model), one for gradients (a context of torch).",
        "model.eval() ... with torch.no_grad(): ... model.train()",
        "Keep the loss in a variable, call model.train(), then return it.",
    ],
)

# ---------------------------------------------------------------- warmup_linear


def warmup_linear(step, steps, warmup):
    if step < warmup:
        return step / warmup
    return (steps - step) / (steps - warmup)


def _linear_as_minimum(step, steps, warmup):
    return min(step / warmup, (steps - step) / (steps - warmup))


def _linear_other_branch(step, steps, warmup):
    if step > warmup:
        return 1 - (step - warmup) / (steps - warmup)
    return step / warmup


def _linear_interpolated(step, steps, warmup):
    knots = ((0, 0.0), (warmup, 1.0), (steps, 0.0))
    (a, low), (b, high) = knots[:2] if step <= warmup else knots[1:]
    return low + (high - low) * (step - a) / (b - a)


def _no_warmup(step, steps, warmup):
    return 1 - step / steps


def _never_falls(step, steps, warmup):
    return min(1.0, step / warmup)


def _jumps_down(step, steps, warmup):
    return step / warmup if step < warmup else 1 - step / steps


def _upside_down(step, steps, warmup):
    return 1 - step / warmup if step < warmup else (step - warmup) / (steps - warmup)


def _falls_too_slowly(step, steps, warmup):
    return step / warmup if step < warmup else 1 - (step - warmup) / steps


def _jumps_up(step, steps, warmup):
    return 0.0 if step < warmup else (steps - step) / (steps - warmup)


WARMUP_LINEAR = Exercise(
    reference=warmup_linear,
    prompt="The share of the peak learning rate: a straight climb to 1 at step `warmup`, then a straight fall to 0 at "
    "step `steps`.",
    cases=lambda: [(step, 100, 10) for step in (1, 5, 10, 11, 50, 99, 100)] + [(3, 8, 4), (4, 8, 4), (6, 8, 4)],
    right=[_linear_as_minimum, _linear_other_branch, _linear_interpolated],
    wrong=[
        Wrong(
            _no_warmup,
            "There is no warm-up: your rate is highest at the first step. Until step `warmup` return step / warmup.",
        ),
        Wrong(
            _never_falls,
            "Your rate climbs to 1 and stays there. After the warm-up it must fall, to 0 at the last step.",
        ),
        Wrong(
            _jumps_down,
            "Your rate jumps down at the end of the warm-up: there it must be 1. Count the fall from "
            "`warmup`, not from 0: (steps - step) / (steps - warmup).",
        ),
        Wrong(
            _upside_down, "Climb and fall are exchanged: your rate starts near 1, is 0 at step `warmup`, and ends at 1."
        ),
        Wrong(
            _falls_too_slowly,
            "Your rate does not reach 0 at the last step. The fall takes steps - warmup steps, "
            "so divide by that and not by steps.",
        ),
        Wrong(_jumps_up, "Your rate is 0 all through the warm-up and then jumps to 1. It must climb: step / warmup."),
    ],
    hints=[
        "Draw it: a triangle with its top at (warmup, 1) and its foot at (steps, 0).",
        "Two cases: step < warmup, and the rest. Both are straight lines.",
        "The fall is (steps - step) / (steps - warmup).",
    ],
)

# ---------------------------------------------------------------- clip_by_norm


def clip_by_norm(gradients, largest):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    scale = torch.clamp(largest / norm, max=1.0)
    return [g * scale for g in gradients]


def _clip_with_if(gradients, largest):
    norm = math.sqrt(sum(float(g.pow(2).sum()) for g in gradients))
    return [g * (largest / norm) for g in gradients] if norm > largest else list(gradients)


def _clip_flat(gradients, largest):
    flat = torch.cat([g.flatten() for g in gradients])
    flat = flat / max(1.0, float(flat.norm()) / largest)
    return [part.view_as(g) for part, g in zip(flat.split([g.numel() for g in gradients]), gradients, strict=True)]


def _clip_norm_of_norms(gradients, largest):
    norm = torch.stack([torch.linalg.vector_norm(g) for g in gradients]).norm()
    return [g / max(norm / largest, torch.tensor(1.0)) for g in gradients]


def _clip_each_alone(gradients, largest):
    return [g * torch.clamp(largest / g.norm(), max=1.0) for g in gradients]


def _clip_values(gradients, largest):
    return [g.clamp(-largest, largest) for g in gradients]


def _always_scale(gradients, largest):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    return [g * largest / norm for g in gradients]


def _forgot_root(gradients, largest):
    squared = sum((g**2).sum() for g in gradients)
    return [g * torch.clamp(largest / squared, max=1.0) for g in gradients]


def _scale_upside_down(gradients, largest):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    return [g * torch.clamp(norm / largest, max=1.0) for g in gradients]


def _sum_of_norms(gradients, largest):
    norm = sum(g.norm() for g in gradients)
    return [g * torch.clamp(largest / norm, max=1.0) for g in gradients]


CLIP_BY_NORM = Exercise(
    reference=clip_by_norm,
    prompt="A list of gradients, shortened together so that the norm of all of them is at most `largest`. Gradients "
    "that are short enough stay as they are.",
    cases=lambda: [
        ([torch.tensor([3.0]), torch.tensor([4.0])], 1.0),
        ([torch.tensor([0.3]), torch.tensor([0.4])], 1.0),
        ([torch.randn(4, 3), torch.randn(5)], 2.0),
        ([torch.randn(2, 2) * 9, torch.randn(3) / 9], 1.5),
    ],
    right=[_clip_with_if, _clip_flat, _clip_norm_of_norms],
    wrong=[
        Wrong(
            _clip_each_alone,
            "You clip each tensor by its own norm. That turns the step: the long ones shrink, "
            "the short ones do not. Use one norm over all tensors and one scale for all.",
        ),
        Wrong(
            _clip_values,
            "You clip every number by itself (that is clip_grad_value_). The direction changes. "
            "Scale all of them by the same factor.",
        ),
        Wrong(
            _always_scale,
            "You scale small gradients up. When the norm is already below `largest`, return them "
            "unchanged: the factor is at most 1.",
        ),
        Wrong(_forgot_root, "You divide by the squared norm. The norm is the square root of the sum of squares."),
        Wrong(
            _scale_upside_down,
            "Your factor is upside down: long gradients stay and short ones shrink. It is largest / norm, at most 1.",
        ),
        Wrong(
            _sum_of_norms, "You added the norms of the tensors. Add their squares, and take the root once at the end."
        ),
    ],
    hints=[
        "Think of all gradients as one long vector. What is its length?",
        "norm = root of the sum of all squares, over all tensors.",
        "Multiply every tensor by the same factor: the smaller of 1 and largest / norm.",
    ],
)

# ---------------------------------------------------------------- choose_learning_rate


def choose_learning_rate(results):
    return min(results, key=lambda result: result["validation"])["lr"]


def _choose_by_sorting(results):
    return sorted(results, key=lambda result: result["validation"])[0]["lr"]


def _choose_with_a_loop(results):
    best = results[0]
    for result in results:
        if result["validation"] < best["validation"]:
            best = result
    return best["lr"]


def _choose_by_tensor(results):
    return results[torch.tensor([result["validation"] for result in results]).argmin()]["lr"]


def _some_results():
    def row(lr, train, validation, test):
        return {"lr": lr, "train": train, "validation": validation, "test": test}

    return [
        ([row(0.1, 2.0, 2.9, 2.0), row(0.01, 1.2, 2.1, 2.2), row(0.001, 0.9, 2.6, 2.5), row(0.0001, 3.1, 3.2, 2.8)],),
        ([row(0.3, 3.0, 3.1, 3.2), row(0.03, 1.0, 1.9, 2.4), row(0.003, 1.4, 1.8, 2.3), row(0.0003, 2.2, 2.3, 1.7)],),
    ]


CHOOSE_LEARNING_RATE = Exercise(
    reference=choose_learning_rate,
    prompt="The learning rate to use, out of rows with the keys 'lr', 'train', 'validation' and 'test'; "
    "the last three are losses.",
    cases=_some_results,
    right=[_choose_by_sorting, _choose_with_a_loop, _choose_by_tensor],
    wrong=[
        Wrong(
            lambda results: min(results, key=lambda result: result["train"])["lr"],
            "You chose by the training loss. It rewards learning by heart. Choose by the validation loss.",
        ),
        Wrong(
            lambda results: min(results, key=lambda result: result["test"])["lr"],
            "You chose by the test loss. Then the test is no test any more: its number flatters you. Choose by the "
            "validation loss, and look at the test once, at the end.",
        ),
        Wrong(
            lambda results: max(results, key=lambda result: result["validation"])["lr"],
            "You took the largest loss. A loss is better when it is smaller: use min.",
        ),
        Wrong(
            lambda results: min(result["validation"] for result in results),
            "You returned the loss itself. Return the learning rate that belongs to it.",
        ),
        Wrong(
            lambda results: min(results, key=lambda result: result["validation"]),
            "You returned the whole row. Return its learning rate: result['lr'].",
        ),
        Wrong(
            lambda results: min(range(len(results)), key=lambda i: results[i]["validation"]),
            "You returned the position in the list. Return the learning rate that stands there.",
        ),
        Wrong(
            lambda results: min(result["lr"] for result in results),
            "You took the smallest learning rate. Take the one with the smallest validation loss.",
        ),
    ],
    hints=[
        "Which of the three losses may you use to make a choice?",
        "min(results, key=...) gives the row with the smallest ...",
        "... result['validation']; then take ['lr'].",
    ],
)

# ---------------------------------------------------------------- diagnose

FAULTS = (
    "softmax twice",
    "same batch",
    "targets not shifted",
    "eval mode forgotten",
    "loss detached",
    "gradients not zeroed",
    "validation leaks",
    "learning rate too big",
)

LISTED = ", ".join(sorted(FAULTS))  # FAULTS has the patients' order: shown as it is, it would be the answer

# Why a fault does not fit the curves of a patient: what the student sees that speaks against it.
AGAINST = {
    "softmax twice": "softmax twice leaves the training loss stuck a little below its start, while the validation "
    "loss, which is computed rightly, shoots up",
    "same batch": "training on one batch again and again drives the training loss to zero little by little, while "
    "the validation loss first falls and then climbs",
    "targets not shifted": "a model that only has to copy its input gets there within some twenty steps, and the "
    "validation loss never gets better than guessing",
    "eval mode forgotten": "with dropout on during validation, measuring the same weights twice gives two numbers",
    "loss detached": "a detached loss changes no weight at all: both curves are flat and the gradient is zero",
    "gradients not zeroed": "gradients that pile up let the loss fall at first and then swing up and away, with a "
    "gradient far larger than the healthy one",
    "validation leaks": "validation on the training text gives two curves that fall together, further than a healthy "
    "run gets in so few steps",
    "learning rate too big": "a rate that is too big makes the loss explode in the very first steps and then stay "
    "too high",
}


def diagnose(patient):
    return {
        "A": "softmax twice",
        "B": "same batch",
        "C": "targets not shifted",
        "D": "eval mode forgotten",
        "E": "loss detached",
        "F": "gradients not zeroed",
        "G": "validation leaks",
        "H": "learning rate too big",
    }[patient]


def _examine(answer, patient):
    """Whether a diagnosis is right, without telling the right one."""
    fault = answer(patient)
    if fault not in FAULTS:
        raise Mistake(f"Patient {patient}: {fault!r} is not on the list of faults. Choose one of: {LISTED}.")
    if fault != diagnose(patient):
        raise Mistake(f"Patient {patient} does not have {fault!r}: {AGAINST[fault]}. Look at its curves again.")
    return "right"


def _diagnosis(patient, fault):
    """All diagnoses right but one: the answer that takes `patient` for a case of `fault`."""
    return lambda letter: fault if letter == patient else diagnose(letter)


def _with_if(patient):
    if patient == "A":
        return "softmax twice"
    return diagnose(patient)


def _by_position(patient):
    return FAULTS["ABCDEFGH".index(patient)]


def _by_match(patient):
    return dict(zip("ABCDEFGH", FAULTS, strict=True)).get(patient)


DIAGNOSE = Exercise(
    reference=diagnose,
    prompt="The fault of a patient, by its curves: 'A' to 'H' in, one of the eight faults out.",
    cases=lambda: [(letter,) for letter in "ABCDEFGH"],
    run=_examine,
    right=[_with_if, _by_position, _by_match],
    wrong=[
        *(
            Wrong(
                _diagnosis(patient, fault),
                f"Patient {patient} does not have {fault!r}: {AGAINST[fault]}. Look at its curves again.",
            )
            for number, patient in enumerate("ABCDEFGH")
            for fault in (FAULTS[number - 1], FAULTS[number - 2])
        ),
        Wrong(
            _diagnosis("A", "no idea"),
            f"Patient A: 'no idea' is not on the list of faults. Choose one of: {LISTED}.",
        ),
    ],
    hints=[
        "Start with the easy ones: in which patient does no weight ever change?",
        "Where the training loss goes to zero, ask what the model could have learned by heart, or just copied.",
        "Under each curve stand two more findings: the same weights measured twice, and the norm of the last gradient.",
    ],
)
