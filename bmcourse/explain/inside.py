"""Inside a GPT: what it would say after each layer, and which place of which layer carries the answer.

Every block adds to what it was given: the residual stream (残差流), one vector for each token.
`blocks[layer:]` reads it from there on, so a stream can be looked at, or changed, at any layer.
"""

import torch

from bmcourse.explain.core import check_evaluating
from bmcourse.inference import check_prompt


@torch.no_grad()
def residual_streams(model, tokens):
    """The vectors of one text (T,) before the first block and behind each of them: (layers + 1, T, C).

    Raises ValueError for a GPT in training mode, and for a text that is empty, too long, or of other tokens.
    """
    check_evaluating(model)
    tokens = check_prompt(model, tokens)
    if model.config.context < len(tokens):
        raise ValueError(
            f"The text has {len(tokens)} tokens; this GPT reads at most {model.config.context} at once "
            f"(config.context). Pass a part of it."
        )
    positions = torch.arange(len(tokens), device=tokens.device)
    x = (model.token_embedding(tokens) + model.position_embedding(positions))[None]  # (1, T, C)
    streams = [x]
    for block in model.blocks:
        streams.append(block(streams[-1]))
    return torch.cat(streams)


@torch.no_grad()
def logit_lens(model, tokens):
    """What the GPT would say if it stopped after each layer: logits (layers + 1, T, V) for a text (T,).

    The last norm and the head, made for the last layer, read all of them; row 0 is the embedding, before any block.
    Raises ValueError as residual_streams does.
    Source: nostalgebraist, "interpreting GPT: the logit lens", 2020; Belrose et al., "Eliciting Latent Predictions from
    Transformers with the Tuned Lens", 2023, section 2, says where it goes wrong.
    """
    return model.head(model.norm(residual_streams(model, tokens)))


@torch.no_grad()
def patch_activations(model, clean, corrupted, answer, other):
    """How much of the answer comes back when one vector of the clean run is put into the corrupted run.

    Gives (layers + 1, T): row l for the stream behind block l, row 0 for the embeddings; a column for each place. It
    is a share of the logit difference (answer - other, at the last token): 0 as in the corrupted run, 1 as in the clean
    one. `clean` and `corrupted` are two texts (T,). Raises ValueError when they differ in length or not in the answer.
    Source: Meng et al., "Locating and Editing Factual Associations in GPT", 2022, section 2.1; Wang et al.,
    "Interpretability in the Wild", 2022, measure it as a logit difference.
    """
    check_same_length(clean, corrupted)
    clean, corrupted = residual_streams(model, clean), residual_streams(model, corrupted)
    T = clean.shape[1]
    places = torch.arange(T, device=clean.device)
    effects = []
    for layer, (good, bad) in enumerate(zip(clean, corrupted, strict=True)):
        x = bad.repeat(T, 1, 1)  # (T, T, C): the corrupted text once for each place
        x[places, places] = good
        effects.append(logit_difference(model, model.blocks[layer:](x), answer, other))
    low, high = (logit_difference(model, x[-1:], answer, other) for x in (corrupted, clean))
    check_difference(low, high)
    return (torch.stack(effects) - low) / (high - low)


def logit_difference(model, streams, answer, other):
    """By how much the last tokens of last-layer streams (B, T, C) prefer `answer` to `other`: (B,)."""
    logits = model.head(model.norm(streams[:, -1]))
    return logits[:, answer] - logits[:, other]


def check_same_length(clean, corrupted):
    if len(clean) != len(corrupted):
        raise ValueError(
            f"The clean text has {len(clean)} tokens and the corrupted one {len(corrupted)}; both need the same "
            f"number, so that each place has its counterpart. Change words for others of as many tokens."
        )


def check_difference(low, high):
    if torch.isclose(low, high):
        raise ValueError(
            f"Both texts prefer the answer by {high.item():.3g}, so there is nothing to bring back. Choose texts that "
            f"differ in the answer."
        )
