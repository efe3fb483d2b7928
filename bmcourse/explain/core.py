"""What all explanations share: the output that is explained, its gradient, and inputs with parts taken away.

A model is a callable from a batch of inputs (B, ...), one tensor, to outputs (B, K), or (B,) where there is one output.
The inputs are numbers, or token ids for methods without a gradient. `target` is the output to explain: an int, (B,)
ints, or None for the largest output of each input. `baseline` is what "absent" looks like, a number or a tensor like
one input. `groups` has the shape of one input and says to which group, 0 to G - 1, each feature belongs: a group comes
and goes as a whole.
"""

import torch
from torch import nn

CHUNK = 2**17  # features in one forward pass: 2,048 digits; more takes memory and is hardly faster on a CPU


def outputs_for(model, inputs, target):
    """The explained output of each input, (B,), in as few forward passes as memory allows; no gradient is kept.

    `target` is (B,) ints, as check_model gives them. Raises ValueError for outputs that are not finite.
    """
    with torch.no_grad():
        pairs = zip(*in_chunks(inputs, target), strict=True)
        return torch.cat([choose(call(model, x), t) for x, t in pairs])


def gradient_of(model, inputs, target):
    """The gradient of each input's explained output to that input, (B, ...). It leaves every parameter's .grad alone.

    Raises ValueError for inputs that are no floating point numbers, and for outputs that have no gradient.
    """
    check_floating(inputs)
    pairs = zip(*in_chunks(inputs, target), strict=True)
    return torch.cat([_gradient(model, x, t) for x, t in pairs])


def _gradient(model, inputs, target):
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad():
        total = choose(call(model, inputs), target).sum()  # no input moves another's output
    check_differentiable(total)
    return torch.autograd.grad(total, inputs, materialize_grads=True)[0]


def masked_outputs(model, inputs, target, present, groups, baseline):
    """The explained output with groups taken away, (B, S): `present` (B, S, G) or (1, S, G) is False where one is.

    The same as outputs_for(mask_inputs(...)), but the masked inputs are made as they are needed.
    """
    columns = []
    for some in present.split(rows_at_once(inputs), dim=1):
        S = some.shape[1]
        kept = kept_features(some, groups).expand(len(inputs), S, *groups.shape)
        chunks = zip(*in_chunks(inputs, target, kept, copies=S), strict=True)
        masked = ((torch.where(k, x[:, None], baseline).flatten(0, 1), t.repeat_interleave(S)) for x, t, k in chunks)
        columns.append(torch.cat([outputs_for(model, x, t) for x, t in masked]).view(len(inputs), S))
    return torch.cat(columns, dim=1)


def mask_inputs(inputs, present, groups, baseline):
    """Each input S times, (B, S, ...): groups where `present` (B, S, G) is False take the value of the baseline."""
    return torch.where(kept_features(present, groups), inputs[:, None], baseline)


def kept_features(present, groups):
    """Which features stay when `present` (..., G) says which groups do."""
    return present.index_select(-1, groups.flatten()).view(*present.shape[:-1], *groups.shape)


def patches(height, width, size):
    """Groups for an image (height, width): squares of `size` × `size` pixels, cut off at the right and at the bottom.

    Raises ValueError for a size below 1.

    >>> patches(2, 4, 2)
    tensor([[0, 0, 1, 1],
            [0, 0, 1, 1]])
    """
    if size < 1:
        raise ValueError(f"The patches are {size} pixels wide; expected 1 or more.")
    rows, columns = torch.arange(height) // size, torch.arange(width) // size
    return rows[:, None] * (columns[-1] + 1) + columns


def in_chunks(inputs, *others, copies=1):
    """The inputs and whatever else has one row for each of them, cut into pieces for one forward pass each.

    With `copies` a piece is so much smaller that as many copies of it fit into one forward pass.
    """
    rows = max(1, rows_at_once(inputs) // copies)
    return [tensor.split(rows) for tensor in (inputs, *others)]


def rows_at_once(inputs):
    return max(1, CHUNK // inputs[0].numel())


# ---------------------------------------------------------------- what may come in


def check_model(model, inputs, target=None):
    """The outputs to explain as (B,) ints, after one forward pass of the inputs that finds what is wrong.

    Raises ValueError for a module in training mode, inputs that are no batch, outputs of another shape than (B, K) or
    (B,), outputs that are not finite, and a target that is out of range or not of the batch's size.
    """
    check_evaluating(model)
    check_batch(inputs)
    with torch.no_grad():
        outputs = torch.cat([call(model, x) for (x,) in zip(*in_chunks(inputs), strict=True)])
    B, K = outputs.shape
    if target is None:
        return outputs.argmax(dim=1)
    target = torch.as_tensor(target, device=outputs.device)
    if target.is_floating_point() or target.dtype == torch.bool or target.shape not in ((), (B,)):
        raise ValueError(
            f"target is {tuple(target.shape)} of {target.dtype}; expected a whole number, or {B} of them, one for each "
            f"input, or None for the largest output of each."
        )
    if not 0 <= target.min() <= target.max() < K:
        raise ValueError(f"target goes from {target.min()} to {target.max()}; the model's outputs are 0 to {K - 1}.")
    return target.long().expand(B)


def check_gradient(model, inputs, target=None):
    """The same for a method that takes gradients, whose inputs must be floating point numbers."""
    check_batch(inputs)
    check_floating(inputs)
    return check_model(model, inputs, target)


def call(model, inputs):
    """The outputs of the model as (B, K), checked."""
    outputs = model(inputs)
    if not isinstance(outputs, torch.Tensor):
        raise ValueError(
            f"The model gave a {type(outputs).__name__}; expected a tensor (B, K). Wrap it in a function that returns "
            f"one, such as lambda x: torch.as_tensor(model(x))."
        )
    if outputs.ndim not in (1, 2) or len(outputs) != len(inputs) or outputs.numel() == 0:
        raise ValueError(
            f"The outputs are {tuple(outputs.shape)} for {len(inputs)} inputs; expected (B, K), one row for each, or "
            f"(B,). Wrap the model in a function that chooses, such as lambda x: model(x)[:, -1]."
        )
    if not outputs.isfinite().all():
        raise ValueError(
            f"{int((~outputs.isfinite()).sum())} of the model's {outputs.numel()} outputs are not finite numbers, so "
            f"they cannot be explained. Look for NaN in the inputs, and for a logarithm or a division inside the model."
        )
    return outputs if outputs.ndim == 2 else outputs[:, None]


def choose(outputs, target):
    """Of outputs (B, K) the one that is explained in each row, (B,)."""
    return outputs.gather(1, target[:, None])[:, 0]


def check_evaluating(model):
    if isinstance(model, nn.Module) and any(module.training for module in model.modules()):
        raise ValueError(
            "The model is in training mode: dropout would make its explanation random, and batch norm would mix the "
            "inputs. Call model.eval() first."
        )


def check_batch(inputs):
    if not isinstance(inputs, torch.Tensor):
        raise ValueError(
            f"inputs is a {type(inputs).__name__}; expected one tensor (B, ...). A model with several inputs is not "
            f"supported: explain one of them, lambda x: model(x, other)."
        )
    if inputs.ndim < 2 or inputs.numel() == 0:
        raise ValueError(
            f"inputs is {tuple(inputs.shape)}; expected a batch (B, ...) that is not empty. One input alone becomes a "
            f"batch with inputs[None]."
        )


def check_floating(inputs):
    if not inputs.is_floating_point():
        raise ValueError(
            f"inputs is of {inputs.dtype}, which has no gradient; expected floating point numbers. For token ids pass "
            f"their embeddings, or use a method that takes parts away, such as occlusion."
        )


def check_differentiable(total):
    if not total.requires_grad:
        raise ValueError(
            "The model's outputs have no gradient to its inputs: something inside it leaves torch, detaches, or works "
            "under no_grad. Use a method that takes parts away, such as occlusion."
        )


def check_groups(groups, inputs):
    """The groups in the shape of one input, and how many there are, G. None: each feature is a group of its own.

    Raises ValueError for groups that do not fit the inputs, that are no whole numbers, or of which one has no feature.
    """
    shape = inputs.shape[1:]
    if groups is None:
        G = shape.numel()
        return torch.arange(G, device=inputs.device).view(shape), G
    groups = torch.as_tensor(groups, device=inputs.device)
    if groups.is_floating_point() or groups.dtype == torch.bool or not _fits(groups, shape):
        raise ValueError(
            f"groups is {tuple(groups.shape)} of {groups.dtype}; expected whole numbers in the shape of one input, "
            f"{tuple(shape)}."
        )
    present = groups.unique().tolist()
    if present != list(range(len(present))):
        raise ValueError(
            f"groups are numbered 0 to G - 1 without a gap, and these are {present[:8]}. Number them anew: "
            f"groups.unique(return_inverse=True)[1]."
        )
    return groups.long().expand(shape), len(present)


def check_baseline(baseline, inputs):
    """The baseline as a tensor in the shape of one input, of the inputs' type.

    Raises ValueError for one that does not fit the inputs or is not finite.
    """
    baseline = torch.as_tensor(baseline, device=inputs.device)
    if not _fits(baseline, inputs.shape[1:]):
        raise ValueError(
            f"baseline is {tuple(baseline.shape)}; expected a number, or the shape of one input, "
            f"{tuple(inputs.shape[1:])}."
        )
    if not baseline.isfinite().all():
        raise ValueError("baseline has values that are not finite; expected what an absent feature looks like.")
    return baseline.to(inputs.dtype).expand(inputs.shape[1:])


def _fits(tensor, shape):
    """Whether a tensor broadcasts to the shape, without making it larger."""
    try:
        return torch.broadcast_shapes(tensor.shape, shape) == shape
    except RuntimeError:
        return False
