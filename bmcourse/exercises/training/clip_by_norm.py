"""The exercise `clip_by_norm`: gradients shortened together to a largest norm (Pascanu and others, 2013)."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="A list of gradients, shortened together so that the norm of all of them is at most `largest`. Gradients "
    "that are short enough stay as they are.",
    built=("clip_grad_norm_", "clip_grads_with_norm_"),
)
def clip_by_norm(gradients, largest):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    scale = torch.clamp(largest / norm, max=1.0)
    return [g * scale for g in gradients]


@clip_by_norm.cases
def cases():
    turned = torch.tensor([[1.0, -7.0], [0.0, 2.0], [2.0, 2.0]], dtype=torch.float64).T
    return [
        ([torch.tensor([3.0]), torch.tensor([4.0])], 1.0),
        ([torch.tensor([0.3]), torch.tensor([0.4])], 2.0),
        ([torch.randn(4, 3), torch.randn(5)], 2.0),
        ([torch.randn(2, 2) * 9, torch.tensor(-0.3), torch.randn(3) / 9], 1.5),
        ([torch.zeros(2, 2), torch.zeros(3)], 1.0),
        ([turned], 3),
        ([torch.tensor([1.2, 0.0]), torch.tensor([1.2, 0.0])], 2.0),
        ([torch.tensor([3.0, -4.0]), torch.zeros(2)], 5.0),
    ]


@clip_by_norm.right
def with_if(gradients, largest):
    norm = math.sqrt(sum(float(g.pow(2).sum()) for g in gradients))
    return [g * (largest / norm) for g in gradients] if norm > largest else list(gradients)


@clip_by_norm.right
def all_in_one_row(gradients, largest):
    flat = torch.cat([g.flatten() for g in gradients])
    flat = flat / max(1.0, float(flat.norm()) / largest)
    return [part.view_as(g) for part, g in zip(flat.split([g.numel() for g in gradients]), gradients, strict=True)]


@clip_by_norm.right
def norm_of_norms(gradients, largest):
    norm = torch.stack([torch.linalg.vector_norm(g) for g in gradients]).norm()
    return [g / max(norm / largest, torch.tensor(1.0)) for g in gradients]


@clip_by_norm.right
def as_torch_does_it(gradients, largest):
    total = torch.norm(torch.stack([g.detach().norm(2) for g in gradients]), 2)
    return tuple(g.clone().mul_((largest / (total + 1e-6)).clamp(max=1.0)) for g in gradients)


@clip_by_norm.right
def number_by_number(gradients, largest):
    squares = 0.0
    for g in gradients:
        for number in g.flatten().tolist():
            squares += number * number
    return gradients if squares <= largest**2 else [g / squares**0.5 * largest for g in gradients]


def scaled(factor):
    """An answer that multiplies all by `factor(norm, largest)`, or leaves them where the norm is small enough."""

    def answer(gradients, largest):
        norm = torch.cat([g.flatten() for g in gradients]).norm().item()
        return [g * factor(norm, largest) for g in gradients] if norm > largest else list(gradients)

    return answer


def another_norm(measure):
    """An answer that takes `measure(gradients, one row of all numbers)` for the norm."""

    def answer(gradients, largest):
        norm = float(measure(gradients, torch.cat([g.flatten() for g in gradients])))
        return [g * (largest / norm) for g in gradients] if norm > largest else list(gradients)

    return answer


@clip_by_norm.mistake(
    "You clip each tensor by its own norm. That turns the step: the long ones shrink, the short ones do not. Use one "
    "norm over all tensors and one scale for all."
)
def each_alone(gradients, largest):
    return [g * torch.clamp(largest / g.norm(), max=1.0) for g in gradients]


@clip_by_norm.mistake(
    "One norm over all is right, but then you shorten only tensors that are too long by themselves. All of them get "
    "the same factor."
)
def only_the_long_ones(gradients, largest):
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    return [g * largest / norm if g.norm() > largest else g for g in gradients]


@clip_by_norm.mistake(
    "You give each tensor the length `largest` when all together are too long. One norm over all tensors, and one "
    "factor for all."
)
def each_to_the_largest(gradients, largest):
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    return [g * largest / g.norm() for g in gradients] if norm > largest else list(gradients)


@clip_by_norm.mistake(
    "You scale each tensor to the norm `largest`, short ones up, each by its own norm. Use one norm over all tensors, "
    "and a factor of at most 1."
)
def each_alone_always(gradients, largest):
    return [g * largest / g.norm() for g in gradients]


clip_by_norm.mistake(
    "You clip every number by itself (that is clip_grad_value_). The direction changes. Scale all of them by the same "
    "factor.",
    values_clipped=lambda gradients, largest: [g.clamp(-largest, largest) for g in gradients],
)
clip_by_norm.mistake(
    "You cap every number at `largest`, and leave large negative ones. Scale all of them by the same factor: largest / "
    "norm.",
    values_capped=lambda gradients, largest: [g.clamp(max=largest) for g in gradients],
)
clip_by_norm.mistake(
    "You scale small gradients up. When the norm is already below `largest`, return them unchanged: the factor is at "
    "most 1. And where all are 0 yours is NaN.",
    always_scaled=clip_by_norm.changed("torch.clamp(largest / norm, max=1.0)", "largest / norm"),
)
clip_by_norm.mistake(
    "You scale small gradients up. When the norm is already below `largest`, return them unchanged: the factor is at "
    "most 1.",
    always_scaled_but_zeros=clip_by_norm.changed("torch.clamp(largest / norm, max=1.0)", "largest / (norm + 1e-6)"),
)
clip_by_norm.mistake(
    "You divide by zero where all gradients are 0: there is nothing to shorten. Divide only when norm > largest.",
    zero_norm=lambda gradients, largest: [
        g * min(1.0, largest / math.sqrt(sum((g**2).sum().item() for g in gradients))) for g in gradients
    ],
)
clip_by_norm.mistake(
    "Where all gradients are 0 you divide 0 by 0, which is NaN. Divide only when norm > largest.",
    zero_by_zero=lambda gradients, largest: [
        g / norm * min(norm, largest)
        for norm in [torch.cat([g.flatten() for g in gradients]).norm()]
        for g in gradients
    ],
)
clip_by_norm.mistake(
    "You divide by the squared norm. The norm is the square root of the sum of squares.",
    root_forgotten=clip_by_norm.changed("largest / norm", "largest / norm**2"),
)
clip_by_norm.mistake(
    "You compare the squared norm with `largest`. Take the root before you compare.",
    square_compared=lambda gradients, largest: [
        g * largest / squares.sqrt() if squares > largest else g
        for squares in [sum((g**2).sum() for g in gradients)]
        for g in gradients
    ],
)
clip_by_norm.mistake(
    "Your factor is upside down: long gradients stay and short ones shrink. It is largest / norm, at most 1.",
    upside_down=clip_by_norm.changed("largest / norm", "norm / largest"),
)
clip_by_norm.mistake(
    "Your factor is upside down: norm / largest makes long gradients longer still. It is largest / norm.",
    made_longer=scaled(lambda norm, largest: norm / largest),
)
clip_by_norm.mistake(
    "The comparison is the wrong way round (or min and max are): you scale the short gradients up and leave the long "
    "ones. Scale when norm > largest.",
    wrong_ones_scaled=lambda gradients, largest: [
        g * largest / norm if norm < largest else g
        for norm in [torch.cat([g.flatten() for g in gradients]).norm()]
        for g in gradients
    ],
)
clip_by_norm.mistake(
    "You cap the factor at `largest`. It is capped at 1: gradients that are short enough stay as they are.",
    factor_capped_at_largest=clip_by_norm.changed("max=1.0", "max=float(largest)"),
)
clip_by_norm.mistake(
    "You shorten to norm 1. Divide by the norm and multiply by `largest`.",
    shortened_to_one=scaled(lambda norm, largest: 1 / norm),
)
clip_by_norm.mistake(
    "You divide by `largest`, and the norm stays too long. The factor is largest / norm.",
    divided_by_largest=scaled(lambda norm, largest: 1 / largest),
)
clip_by_norm.mistake(
    "You multiply by `largest`. The factor is largest / norm.", times_largest=scaled(lambda norm, largest: largest)
)
clip_by_norm.mistake(
    "You take the root of the factor. It is largest / norm itself.",
    root_of_the_factor=scaled(lambda norm, largest: (largest / norm) ** 0.5),
)
clip_by_norm.mistake(
    "You square the factor. It is largest / norm itself.",
    square_of_the_factor=scaled(lambda norm, largest: (largest / norm) ** 2),
)
clip_by_norm.mistake(
    "You throw away gradients that are too long. Shorten them: they still show the way.",
    thrown_away=scaled(lambda norm, largest: 0.0),
)
clip_by_norm.mistake(
    "Nothing is shortened: the gradients come back as they were. Where the norm is above `largest`, multiply by "
    "largest / norm.",
    nothing_shortened=lambda gradients, largest: list(gradients),
)
clip_by_norm.mistake(
    "You added the norms of the tensors. Add their squares, and take the root once at the end.",
    sum_of_norms=another_norm(lambda gradients, flat: sum(g.norm() for g in gradients)),
)
clip_by_norm.mistake(
    "You averaged the norms of the tensors. Add their squares, and take the root once at the end.",
    mean_of_norms=another_norm(lambda gradients, flat: sum(g.norm() for g in gradients) / len(gradients)),
)
clip_by_norm.mistake(
    "You took the largest norm among the tensors. The norm is that of all together, the root of the sum of squares.",
    longest_tensor=another_norm(lambda gradients, flat: max(g.norm() for g in gradients)),
)
clip_by_norm.mistake(
    "You took the largest absolute number for the norm. The norm is the root of the sum of all squares.",
    largest_number=another_norm(lambda gradients, flat: flat.abs().max()),
)
clip_by_norm.mistake(
    "You took the largest number for the norm, with its sign. The norm is the root of the sum of all squares.",
    largest_number_with_its_sign=another_norm(lambda gradients, flat: flat.max()),
)
clip_by_norm.mistake(
    "You added the absolute values (the L1 norm). Add the squares and take the root.",
    absolute_values_added=another_norm(lambda gradients, flat: flat.abs().sum()),
)
clip_by_norm.mistake(
    "You took the mean of the absolute values. The norm is the root of the sum of all squares.",
    mean_of_absolute_values=another_norm(lambda gradients, flat: flat.abs().mean()),
)
clip_by_norm.mistake(
    "You took the root of the mean of the squares. The norm is the root of their sum.",
    root_of_the_mean=another_norm(lambda gradients, flat: (flat**2).mean().sqrt()),
)
clip_by_norm.mistake(
    "You took the standard deviation for the norm. The norm is the root of the sum of all squares.",
    standard_deviation=another_norm(lambda gradients, flat: flat.std() if len(flat) > 1 else 0.0),
)
clip_by_norm.mistake(
    "The squares are missing: you added the numbers, so that +1 and -1 cancel. The norm is the root of the sum of all "
    "squares.",
    squares_forgotten=another_norm(lambda gradients, flat: flat.sum()),
)
clip_by_norm.mistake(
    "You squared the sum of each tensor. Square every number first, then sum.",
    sum_before_square=another_norm(lambda gradients, flat: sum(g.sum() ** 2 for g in gradients) ** 0.5),
)
clip_by_norm.mistake(
    "You took the norm of the last tensor only: in your loop each one overwrites the one before. Add up the squares of "
    "all.",
    last_tensor_only=another_norm(lambda gradients, flat: gradients[-1].norm()),
)
clip_by_norm.mistake(
    "You took the norm of the first tensor only. Add up the squares of all.",
    first_tensor_only=another_norm(lambda gradients, flat: gradients[0].norm()),
)
clip_by_norm.mistake(
    "You return a map object, which is read once and then empty. Return a list.",
    map_object=lambda gradients, largest: map(torch.clone, clip_by_norm(gradients, largest)),
)
clip_by_norm.mistake(
    "You return a generator, which is read once and then empty. Write [g * scale for g in gradients], in brackets.",
    generator=lambda gradients, largest: (g for g in clip_by_norm(gradients, largest)),
)
clip_by_norm.mistake(
    "Only the first tensor comes back: your `return` stands inside the loop. Move it behind the loop.",
    return_in_the_loop=lambda gradients, largest: clip_by_norm(gradients, largest)[:1],
)
clip_by_norm.mistake(
    "You return one tensor, the first. Return a list of all: your `return` may stand inside the loop.",
    one_tensor=lambda gradients, largest: clip_by_norm(gradients, largest)[0],
)
clip_by_norm.mistake(
    "Only the last tensor comes back. Collect all of them in a list.",
    last_tensor_returned=lambda gradients, largest: clip_by_norm(gradients, largest)[-1],
)
clip_by_norm.mistake(
    "You return all numbers in one long tensor. Cut it up again: one tensor for each gradient, of its shape.",
    one_long_row=lambda gradients, largest: torch.cat([g.flatten() for g in clip_by_norm(gradients, largest)]),
)
clip_by_norm.mistake(
    "The numbers are right, but flat. Each gradient keeps its shape: view_as(g).",
    shapes_lost=lambda gradients, largest: [g.flatten() for g in clip_by_norm(gradients, largest)],
)
clip_by_norm.mistake(
    "You return the factor. Multiply each gradient by it, and return the list.",
    factor_returned=clip_by_norm.changed("[g * scale for g in gradients]", "scale"),
)
clip_by_norm.mistake(
    "You return the norm, as torch's clip_grad_norm_ does. Here the list of shortened gradients is asked for.",
    norm_returned=clip_by_norm.changed("[g * scale for g in gradients]", "norm"),
)
clip_by_norm.mistake(
    "You return the norm beside the gradients. Return the list of gradients only.",
    norm_returned_too=clip_by_norm.changed("[g * scale for g in gradients]", "[g * scale for g in gradients], norm"),
)
clip_by_norm.mistake(
    "Gradients that are short enough give None: your `return` stands only where they are too long. Return the list in "
    "both cases.",
    nothing_for_short_ones=lambda gradients, largest: (
        clip_by_norm(gradients, largest) if torch.cat([g.flatten() for g in gradients]).norm() > largest else None
    ),
)
clip_by_norm.mistake(
    "Gradients that are short enough give an empty list. They stay as they are: return them too.",
    empty_for_short_ones=lambda gradients, largest: (
        clip_by_norm(gradients, largest) if torch.cat([g.flatten() for g in gradients]).norm() > largest else []
    ),
)


@clip_by_norm.mistake(
    "The numbers are right, but you changed what you were given (*=, mul_ or gradients[i] = ...). Make a new list of "
    "new tensors: [g * scale for g in gradients]."
)
def changed_in_place(gradients, largest):
    scale = torch.clamp(largest / torch.sqrt(sum((g**2).sum() for g in gradients)), max=1.0)
    for g in gradients:
        g *= scale
    return gradients


clip_by_norm.mistake(
    "You multiplied the norms of the tensors. Add their squares, and take the root once at the end.",
    product_of_norms=another_norm(lambda gradients, flat: math.prod(g.norm().item() for g in gradients)),
)
clip_by_norm.mistake(
    "You share `largest` among the tensors. It is for all of them together: the factor is largest / norm.",
    largest_shared=lambda gradients, largest: clip_by_norm(gradients, largest / len(gradients)),
)
clip_by_norm.mistake(
    "You subtract from every number what the norm is too long by. Multiply all by the same factor: largest / norm.",
    subtracted=lambda gradients, largest: [
        g - (norm - largest).clamp(min=0)
        for norm in [torch.cat([g.flatten() for g in gradients]).norm()]
        for g in gradients
    ],
)
clip_by_norm.mistake(
    "torch.stack needs tensors of the same shape, and gradients have many. Add up the squares of each, or flatten "
    "them.",
    stacked=lambda gradients, largest: [g * min(1, largest / torch.stack(gradients).norm()) for g in gradients],
)
clip_by_norm.mistake(
    "torch.cat cannot join tensors of different shapes. Flatten each first, or add up the squares of each.",
    joined_without_flattening=lambda gradients, largest: [
        g * min(1, largest / torch.cat(gradients).norm()) for g in gradients
    ],
)
clip_by_norm.mistake(
    "view cannot flatten a tensor that is not contiguous. reshape and flatten can.",
    view=lambda gradients, largest: [
        g * min(1, largest / torch.cat([g.view(-1) for g in gradients]).norm()) for g in gradients
    ],
)
clip_by_norm.mistake(
    "torch.norm takes a tensor, not a list. Add up the squares of each tensor, and take the root.",
    norm_of_a_list=lambda gradients, largest: [g * min(1, largest / torch.norm(gradients)) for g in gradients],
)
clip_by_norm.mistake(
    "gradients is a list, which has no norm(). Add up the squares of each tensor, and take the root.",
    list_as_a_tensor=lambda gradients, largest: [g * min(1, largest / gradients.norm()) for g in gradients],
)
clip_by_norm.mistake(
    "You clip each row by its own norm (dim=-1). Use one norm over all tensors and one scale for all.",
    rows_alone=lambda gradients, largest: [
        g * (largest / g.norm(dim=-1, keepdim=True)).clamp(max=1.0) for g in gradients
    ],
)
clip_by_norm.mistake(
    "You scale each tensor by the norm of those seen so far, inside the loop that adds them up. First the whole norm, "
    "then a second loop that scales.",
    norm_so_far=lambda gradients, largest: [
        g * min(1, largest / torch.cat([h.flatten() for h in gradients[: i + 1]]).norm())
        for i, g in enumerate(gradients)
    ],
)
clip_by_norm.mistake(
    "You halve the sum of squares in place of taking its root: sqrt, or ** 0.5.",
    half_for_root=another_norm(lambda gradients, flat: (flat**2).sum() / 2),
)
clip_by_norm.mistake(
    "You add 1 to the norm. To be safe from a division by 0 a tiny number is enough, as 1e-6, or an `if`.",
    one_added=scaled(lambda norm, largest: largest / (norm + 1)),
)
clip_by_norm.mistake(
    "You took the norm with p = 3. Here it is the usual one: the root of the sum of squares.",
    third_norm=another_norm(lambda gradients, flat: torch.linalg.vector_norm(flat, 3)),
)


clip_by_norm.hints(
    "Think of all gradients as one long vector. What is its length?",
    "norm = root of the sum of all squares, over all tensors.",
    "Multiply every tensor by the same factor: the smaller of 1 and largest / norm.",
)
