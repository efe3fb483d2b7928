"""Classifier-free guidance on logits, of Ho and Salimans 2022 (lesson 14)."""

import torch

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
    ]


@guided_logits.judge
def by_loop(conditional, unconditional, guidance):
    pairs = zip(conditional.flatten().tolist(), unconditional.flatten().tolist(), strict=True)
    return torch.tensor([u + guidance * (c - u) for c, u in pairs]).view(conditional.shape)


@guided_logits.right
def by_weights(conditional, unconditional, guidance):
    return guidance * conditional + (1 - guidance) * unconditional


@guided_logits.right
def by_lerp(conditional, unconditional, guidance):
    return torch.lerp(unconditional, conditional, guidance)


@guided_logits.right
def from_above(conditional, unconditional, guidance):
    return conditional - (guidance - 1) * (unconditional - conditional)


guided_logits.mistake(
    "You begin at the logits with the caption, so 0 is already the model as it is. (Some papers count so: w is "
    "guidance - 1.) Begin at those without.",
    from_conditional=lambda conditional, unconditional, guidance: (
        conditional + guidance * (conditional - unconditional)
    ),
)

guided_logits.mistake(
    "You exchanged the two: more guidance goes away from the caption.",
    exchanged=lambda conditional, unconditional, guidance: conditional + guidance * (unconditional - conditional),
)

guided_logits.mistake(
    "You begin at the logits with the caption, but more guidance goes back to those without. The way on is "
    "conditional - unconditional.",
    back_again=lambda conditional, unconditional, guidance: (
        conditional + (guidance - 1) * (unconditional - conditional)
    ),
)

guided_logits.mistake(
    "You return the way and not the place: what every image needs, caption or not, is lost. Add the logits "
    "without the caption.",
    way_only=lambda conditional, unconditional, guidance: guidance * (conditional - unconditional),
)

guided_logits.mistake(
    "That is a low temperature: likely codes get likelier, whether or not the caption asks for them. The "
    "logits without the caption have to come in.",
    temperature=lambda conditional, unconditional, guidance: guidance * conditional,
)

guided_logits.mistake(
    "You add all of the conditional logits: what both share then counts twice at 1. Add the difference.",
    conditional_added=lambda conditional, unconditional, guidance: unconditional + guidance * conditional,
)

guided_logits.mistake(
    "You mix probabilities, and above 1 some become negative. Mix the logits.",
    probabilities=lambda conditional, unconditional, guidance: (
        unconditional.softmax(-1) + guidance * (conditional.softmax(-1) - unconditional.softmax(-1))
    ),
)

guided_logits.hints(
    "The way from a to b is b - a; `guidance` times the way, from a, is a + guidance * (b - a).",
    "Which of the two is a? At guidance 0 it is all that is left.",
)
