"""Classifier-free guidance on logits, of Ho and Salimans 2022 (lesson 17)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="Classifier-free guidance on logits (B, K) with the caption (`conditional`) and without it "
    "(`unconditional`): from those without, `guidance` times the way to those with. 0 gives the logits without, 1 "
    "those with, 2 goes as far again. Ho and Salimans 2022."
)
def guided_logits(conditional, unconditional, guidance):
    return unconditional + guidance * (conditional - unconditional)


@guided_logits.cases
def cases():
    return [
        (torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]), 1.0),
        (torch.randn(2, 5), torch.randn(2, 5), 0.0),
        (torch.randn(2, 5), torch.randn(2, 5), 3.0),
        (*uncommon(torch.randn(3, 4), torch.randn(3, 4)), 1.5),
        (torch.tensor([[0.0, 1000.0, 1000.0], [-1000.0, 2.0, 0.0]]), torch.randn(2, 3), 7.5),
        (torch.randn(3, 3), torch.randn(3, 3), 0.4),
        (torch.randn(3, 2), torch.randn(3, 2), 2),
        (torch.randn(2, 4), torch.randn(2, 4), -1.0),
    ]


@guided_logits.judge
def by_loop(conditional, unconditional, guidance):
    pairs = zip(conditional.flatten().tolist(), unconditional.flatten().tolist(), strict=True)
    return torch.tensor([u + guidance * (c - u) for c, u in pairs], dtype=torch.float64).view(conditional.shape)


@guided_logits.right
def by_weights(conditional, unconditional, guidance):
    return guidance * conditional + (1 - guidance) * unconditional


@guided_logits.right
def by_lerp(conditional, unconditional, guidance):
    return torch.lerp(unconditional, conditional, guidance)


@guided_logits.right
def from_above(conditional, unconditional, guidance):
    return conditional - (guidance - 1) * (unconditional - conditional)


@guided_logits.right
def row_by_row(conditional, unconditional, guidance):
    rows = [torch.add(u, c - u, alpha=guidance) for c, u in zip(conditional, unconditional, strict=True)]
    return torch.stack(rows)


@guided_logits.right
def by_product(conditional, unconditional, guidance):
    both = torch.stack([conditional, unconditional], dim=-1)
    return both @ torch.tensor([guidance, 1 - guidance], dtype=both.dtype, device=both.device)


def instead(weight):
    """A wrong mixture: another factor `weight(g)` of the way."""
    return lambda c, u, g: u + weight(g) * (c - u)


def first_made(change):
    """A wrong mixture: of something else than the logits."""
    return lambda c, u, g: guided_logits(change(c), change(u), g)


def then_made(change):
    """A wrong answer: something is done to the right logits."""
    return lambda c, u, g: change(guided_logits(c, u, g))


WAY = "The way is conditional - unconditional."

guided_logits.mistake(
    "You begin at the logits with the caption, so 0 is already the model as it is. (Some papers count so: w is "
    "guidance - 1.) Begin at those without.",
    from_conditional=lambda c, u, g: c + g * (c - u),
)
guided_logits.mistake(
    "You exchanged the two: more guidance goes away from the caption.",
    exchanged=lambda c, u, g: c + g * (u - c),
)
guided_logits.mistake(
    "You begin at the logits with the caption, but more guidance goes back to those without. The way on is "
    "conditional - unconditional.",
    back_again=lambda c, u, g: c + (g - 1) * (u - c),
)
guided_logits.mistake(
    f"You begin at the right place, and go the wrong way: away from the caption. {WAY}",
    wrong_way=lambda c, u, g: u + g * (u - c),
)
guided_logits.mistake(
    "You return the way and not the place: what every image needs, caption or not, is lost. Add the logits without the "
    "caption.",
    way_only=lambda c, u, g: g * (c - u),
)
guided_logits.mistake(
    "That is a low temperature: likely codes get likelier, whether or not the caption asks for them. The logits "
    "without the caption have to come in.",
    temperature=lambda c, u, g: g * c,
)
guided_logits.mistake(
    "You add all of the conditional logits: what both share then counts twice at 1. Add the difference.",
    conditional_added=lambda c, u, g: u + g * c,
)
guided_logits.mistake(
    "You add all of the unconditional logits: what both share counts twice. Begin at those without the caption, and "
    "add the difference.",
    unconditional_added=lambda c, u, g: c + g * u,
)
guided_logits.mistake(
    "You subtract the unconditional logits from the guided ones: guidance * c - u. The brackets are missing: guidance "
    "times the difference, added to the logits without.",
    unconditional_subtracted=lambda c, u, g: g * c - u,
)
guided_logits.mistake(
    "The brackets around the difference are missing: only the last part is multiplied. guidance * (conditional - "
    "unconditional).",
    brackets_at_the_end=lambda c, u, g: u + c - u * g,
)
guided_logits.mistake(
    "The brackets are in the wrong place: (u + guidance) * (c - u). Multiply the way first, and then add the start.",
    brackets_at_the_start=lambda c, u, g: (u + g) * (c - u),
)
guided_logits.mistake(
    "You add both logits and multiply the sum. It is the difference that says what the caption changes.",
    sum_multiplied=lambda c, u, g: g * (c + u),
)
guided_logits.mistake(
    "You go guidance times the sum of both. It is the difference that says what the caption changes.",
    sum_for_difference=lambda c, u, g: u + g * (c + u),
)
guided_logits.mistake(
    "A sign is wrong in your weights: they are guidance and 1 - guidance, and add up to 1. Yours is guidance - 1.",
    weight_with_wrong_sign=lambda c, u, g: g * c + (g - 1) * u,
)
guided_logits.mistake(
    "Your weights are 1 + guidance and guidance, and do not add up to 1. They are guidance and 1 - guidance.",
    weights_of_three=lambda c, u, g: (1 + g) * c + g * u,
)
guided_logits.mistake(
    "You go one part of the way less than asked: guidance - 1. That is for those who begin at the logits with the "
    "caption.",
    one_less=instead(lambda g: g - 1),
)
guided_logits.mistake(
    "You go only half of the way: guidance is the whole factor.",
    half_of_the_way=instead(lambda g: g / 2),
)
guided_logits.mistake(
    "You go twice the way: guidance is the whole factor.",
    twice_the_way=instead(lambda g: 2 * g),
)
guided_logits.mistake(
    "You square the guidance. It is the factor as it is.",
    squared=instead(lambda g: g * g),
)
guided_logits.mistake(
    "You divide by the guidance: the more guidance, the less way, and 0 gives no number at all. Multiply by it.",
    divided=lambda c, u, g: u + (c - u) / g,
)
guided_logits.mistake(
    "The guidance is kept between 0 and 1. Above 1 is where it begins to help: leave out the clamp.",
    clamped=instead(lambda g: min(max(g, 0), 1)),
)
guided_logits.mistake(
    "A guidance above 1 is cut to 1. Above 1 is where it begins to help: leave out the min.",
    clamped_above=instead(lambda g: min(g, 1)),
)
guided_logits.mistake(
    "A guidance below 0 is cut to 0. Below 0 goes away from the caption: leave out the max.",
    clamped_below=instead(lambda g: max(g, 0)),
)
guided_logits.mistake(
    "A guidance below 1 is lifted to 1. 0 must give the logits without the caption.",
    at_least_one=instead(lambda g: max(g, 1)),
)
guided_logits.mistake(
    "The guidance is cut to a whole number, int(guidance). 1.5 is between 1 and 2: use it as it is.",
    whole_number=instead(int),
)
guided_logits.mistake(
    "The guidance is rounded to a whole number. Use it as it is.",
    rounded=instead(round),
)
guided_logits.mistake(
    "The guidance has no sign any more. Below 0 goes away from the caption.",
    without_sign=instead(abs),
)
guided_logits.mistake(
    "Where the guidance is 0 you give the logits with the caption (`guidance or 1`, or `if not guidance`). 0 gives "
    "those without.",
    zero_for_none=instead(lambda g: g or 1),
)
guided_logits.mistake(
    "The guidance has no effect: you give the logits with the caption. Go `guidance` times the way.",
    conditional_only=lambda c, u, g: c,
)
guided_logits.mistake(
    "The guidance has no effect: you give the logits without the caption. Go `guidance` times the way.",
    unconditional_only=lambda c, u, g: u,
)
guided_logits.mistake(
    "The guidance has no effect: you give the mean of both. Go `guidance` times the way.",
    mean_of_both=lambda c, u, g: (c + u) / 2,
)
guided_logits.mistake(
    "The guidance is written down as 2. Use `guidance`.",
    always_2=instead(lambda g: 2),
)
guided_logits.mistake(
    "The guidance is written down as 3. Use `guidance`.",
    always_3=instead(lambda g: 3),
)
guided_logits.mistake(
    f"You take the absolute difference: what the caption makes unlikely becomes likely. {WAY}",
    absolute=lambda c, u, g: u + g * (c - u).abs(),
)
guided_logits.mistake(
    f"You leave out where the difference is negative. What the caption makes unlikely counts as well. {WAY}",
    positive_only=lambda c, u, g: u + g * (c - u).relu(),
)
guided_logits.mistake(
    f"You square the difference. {WAY}",
    difference_squared=lambda c, u, g: u + g * (c - u) ** 2,
)
guided_logits.mistake(
    "You make the difference of length 1 first. How long the way is counts: multiply it as it is.",
    normalized=lambda c, u, g: u + g * F.normalize(c - u, dim=-1),
)
guided_logits.mistake(
    "You take one mean difference of all codes. Each code has its own.",
    mean_difference=lambda c, u, g: u + g * (c - u).mean(dim=-1, keepdim=True),
)
guided_logits.mistake(
    "All images are guided from the logits of the first one. Each row begins at its own.",
    first_row_only=lambda c, u, g: u[0] + g * (c - u[0]),
)
guided_logits.mistake(
    "Your way begins at the mean of the batch. Each row begins at its own logits without the caption.",
    mean_of_batch=lambda c, u, g: u.mean(dim=0) + g * (c - u.mean(dim=0)),
)
guided_logits.mistake(
    "You mix probabilities, and above 1 some become negative. Mix the logits.",
    probabilities=first_made(lambda logits: logits.softmax(-1)),
)
guided_logits.mistake(
    "You take log_softmax of both first. That draws from the same codes, but 1 has to give the logits with the caption "
    "as they are: mix the logits.",
    log_softmax_first=first_made(lambda logits: logits.log_softmax(-1)),
)
guided_logits.mistake(
    "Right, until you make probabilities of it. Asked are the logits: leave out the softmax.",
    softmax_at_the_end=then_made(lambda logits: logits.softmax(-1)),
)
guided_logits.mistake(
    "Right, until you take the log_softmax of it. Asked are the logits as they are.",
    log_softmax_at_the_end=then_made(lambda logits: logits.log_softmax(-1)),
)
guided_logits.mistake(
    "You choose the likeliest codes at once. Asked are the logits, from which codes are drawn later.",
    argmax=then_made(lambda logits: logits.argmax(-1)),
)
guided_logits.mistake(
    "Right, but a gradient can no longer reach the logits: .detach() or no_grad cuts it off. Leave it out.",
    detached=then_made(torch.Tensor.detach),
)
guided_logits.mistake(
    "Right, but no gradient reaches the logits without the caption: you detach them. Leave that out.",
    unconditional_detached=lambda c, u, g: guided_logits(c, u.detach(), g),
)
guided_logits.mistake(
    "You write the result into the logits without the caption (+=, add_). They are wanted again, perhaps, and torch "
    "forbids it where they want a gradient. Make a new tensor: a + b.",
    unconditional_overwritten=lambda c, u, g: u.add_(g * (c - u)),
)
guided_logits.mistake(
    "You write into the logits with the caption (-=, sub_). They are wanted again, perhaps, and torch forbids it where "
    "they want a gradient. Make a new tensor: a - b.",
    conditional_overwritten=lambda c, u, g: u + g * c.sub_(u),
)
guided_logits.mistake(
    "You put both logits one after the other. One (B, K) was asked: the mixture of both.",
    both_back=lambda c, u, g: torch.cat([u, guided_logits(c, u, g)]),
)
guided_logits.mistake(
    "You mix probabilities and take the logarithm. Above 1 some are negative, and that gives NaN. Mix the logits.",
    logarithm_of_mixed_probabilities=lambda c, u, g: guided_logits(c.softmax(-1), u.softmax(-1), g).log(),
)
guided_logits.mistake(
    "Your weights are guidance and -(guidance + 1), and do not add up to 1. They are guidance and 1 - guidance.",
    weights_without_sum=lambda c, u, g: g * c - (g + 1) * u,
)
guided_logits.mistake(
    "You raise to a power: guidance is a factor of the way, and `**` is no product.",
    power=lambda c, u, g: u + (c - u) ** g,
)
guided_logits.mistake(
    "You add the guidance to the way. It is a factor of the way.",
    guidance_added=lambda c, u, g: u + g + (c - u),
)

guided_logits.hints(
    "The way from a to b is b - a; `guidance` times the way, from a, is a + guidance * (b - a).",
    "Which of the two is a? At guidance 0 it is all that is left.",
)
