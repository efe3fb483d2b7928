"""Rounding that lets the gradient pass."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Rounding that a network can be trained through. The result is weight / scale, rounded, kept between "
    "-largest and largest, and times scale again. Its gradient with respect to `weight` is 1 everywhere, as if "
    "nothing had been rounded (the straight-through estimator). `scale` is a number or a tensor that broadcasts, and "
    "gets no gradient.",
    untried={"scale": {"a zero": "nobody divides by a scale of 0", "a gradient is wanted": "it gets none, as asked"}},
)
def straight_through(weight, scale, largest):
    rounded = (weight / scale).round().clamp(-largest, largest) * scale
    return weight + (rounded - weight).detach()


@straight_through.cases
def cases():
    return [
        (torch.tensor([0.0, 0.4, 0.6, -0.9, 3.0], requires_grad=True), torch.tensor([1.0]), 1),
        (torch.randn(4, 5, requires_grad=True), torch.tensor([[0.1], [0.5], [0.2], [0.2]]), 7),
        (torch.randn(5, 3, dtype=torch.float64).T.requires_grad_(), torch.full((5, 3), 0.3, dtype=torch.float64).T, 3),
        (torch.tensor([[0.2, 0.2, -0.2]], requires_grad=True), torch.tensor([[0.1]]), 1),
        (torch.zeros(3, requires_grad=True), torch.tensor([2.0]), 127),
    ]


class Passed(torch.autograd.Function):
    """What is asked, with the gradient written by hand."""

    @staticmethod
    def forward(context, weight, scale, largest):
        return torch.clamp(torch.round(weight / scale), -largest, largest) * scale

    @staticmethod
    def backward(context, gradient):
        return gradient, None, None


@straight_through.judge
def by_a_function_of_our_own(weight, scale, largest):
    """Forward and backward, each written out."""
    return Passed.apply(weight, scale, largest)


straight_through.right(by_a_function_of_our_own)


@straight_through.right
def what_rounding_adds(weight, scale, largest):
    with torch.no_grad():
        added = torch.round(weight / scale).clamp(-largest, largest) * scale - weight
    return weight + added


@straight_through.right
def detached_first(weight, scale, largest):
    fixed = weight.detach()
    levels = torch.clamp((fixed / scale).round(), min=-largest, max=largest)
    return weight - fixed + levels * scale


wrong = straight_through.changed
straight_through.mistake(
    "The gradient of round() is 0 everywhere, so nothing would be learned. Return weight + (rounded - "
    "weight).detach().",
    plain_rounding=wrong("weight + (rounded - weight).detach()", "rounded"),
)
straight_through.mistake(
    "Nothing is left of the gradient: everything is detached. Keep the first `weight` as it is.",
    all_detached=wrong("weight + (rounded - weight).detach()", "rounded.detach()"),
)
straight_through.mistake(
    "The gradient is 1, but nothing is rounded: weight + (rounded - weight).detach().",
    not_rounded=wrong("weight + (rounded - weight).detach()", "weight + 0 * rounded.detach()"),
)
straight_through.mistake(
    "You detach the wrong part: weight.detach() + (rounded - weight) has the gradient of -weight.",
    wrong_part=wrong("weight + (rounded - weight).detach()", "weight.detach() + rounded - weight"),
)
straight_through.mistake(
    "You forget to subtract the weight: the result is weight + rounded.",
    weight_not_subtracted=wrong("(rounded - weight)", "rounded"),
)
straight_through.mistake(
    "The levels are not kept between -largest and largest. Use .clamp(-largest, largest) before you multiply.",
    not_clamped=wrong(".clamp(-largest, largest)", ""),
)
straight_through.mistake(
    "You keep the levels between 0 and largest. Negative weights need negative levels.",
    negative_cut_off=wrong("-largest, largest", "0, largest"),
)
straight_through.mistake(
    "You allow one level more below 0 than above. Here they go from -largest to largest.",
    one_more_below=wrong("-largest, largest", "-largest - 1, largest"),
)
straight_through.mistake(
    "You return levels. Multiply them by the scale again.", levels_returned=wrong("largest) * scale", "largest)")
)
straight_through.mistake(
    "You multiply by the scale before you round, and never divide. Levels are weight / scale.",
    scale_multiplied=wrong("(weight / scale)", "(weight * scale)"),
)
straight_through.mistake(
    "You ignore the scale and round to whole numbers. Levels are weight / scale.",
    scale_ignored=wrong("(weight / scale)", "(weight)", ") * scale", ")"),
)
straight_through.mistake(
    "You cut the digits off. Round to the nearest level: .round().", cut_off=wrong(".round()", ".trunc()")
)
straight_through.mistake(
    "You round down. Round to the nearest level: .round().", rounded_down=wrong(".round()", ".floor()")
)
straight_through.mistake(
    "You clamp the weight before you divide by the scale. The levels are what must stay within -largest and largest.",
    clamped_before=wrong(
        "(weight / scale).round().clamp(-largest, largest)", "(weight.clamp(-largest, largest) / scale).round()"
    ),
)
straight_through.mistake(
    "The gradient is that of clamp: 0 where a weight is too large. Here it passes everywhere.",
    gradient_of_clamp=lambda weight, scale, largest: (
        lambda inside: inside + (straight_through(weight, scale, largest) - inside).detach()
    )(torch.minimum(torch.maximum(weight, -largest * scale), largest * scale)),
)
straight_through.mistake(
    "Your gradient is 1 / scale. It passes unchanged: the gradient is 1.",
    gradient_over_scale=lambda weight, scale, largest: (
        lambda levels: levels + (straight_through(weight, scale, largest) - levels).detach()
    )(weight / scale),
)
straight_through.mistake(
    "Your gradient is twice as large: weight stands in the result twice.",
    gradient_twice=lambda weight, scale, largest: (
        2 * weight + (straight_through(weight, scale, largest) - 2 * weight).detach()
    ),
)


straight_through.hints(
    "Forward, the result must be the rounded weight. Backward, it must look like the weight itself.",
    "Write the result as weight + something. What is this something, and what does .detach() do to it?",
    "weight + (rounded - weight).detach(): the weights cancel in the value, and only the first has a gradient.",
)
