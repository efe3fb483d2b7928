"""Induction (归纳): a GPT reads [A][B] … [A] and says [B], since some of its heads look for what stood there before.

Two heads in a row do it. One in an early layer, a previous-token head, notes at every token which one stood before it.
One in a later layer, an induction head, looks for places where that note is the present token, and copies from there.
Sources: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; Olsson et al., "In-context Learning
and Induction Heads", 2022.
"""

import copy

import torch

from bmcourse.explain.attention import gpt_attention
from bmcourse.models.positions import sinusoidal_positions


def repeated_tokens(count, T, vocabulary_size, generator):
    """`count` texts of T random tokens that begin again, (count, T), and after how many tokens they do, (count, 1).

    The length of what is repeated is drawn anew for each text, from T / 4 to T / 2: no position tells where to look.
    """
    periods = torch.randint(T // 4, T // 2 + 1, (count, 1), generator=generator)
    segments = torch.randint(vocabulary_size, (count, T), generator=generator)
    return segments.gather(1, torch.arange(T) % periods), periods


@torch.no_grad()
def start_with_waves(model):
    """Let a new GPT itself know its positions from the start: sine waves, and token embeddings about as large.

    With embeddings near zero a head finds the token before it only after several times as many steps.
    """
    model.position_embedding.weight.copy_(sinusoidal_positions(*model.position_embedding.weight.shape))
    torch.nn.init.normal_(model.token_embedding.weight, std=0.6)


def prefix_matching(weights, tokens):
    """How much each head looks at what followed the present token earlier: (layers, H), from 0 to 1.

    `weights` (layers, H, T, T) are gpt_attention's for a text (T,). It is the mean over all tokens that stood there
    before. Raises ValueError when no token comes twice.
    Source: Olsson et al., "In-context Learning and Induction Heads", 2022, the prefix matching score.
    """
    tokens = torch.as_tensor(tokens)
    after = followers(tokens)
    looking = after.any(dim=1)
    if not looking.any():
        raise ValueError("No token of this text comes twice, so there is nothing to match. Repeat a part of it.")
    return (weights * after).sum(dim=-1)[..., looking].mean(dim=-1)


def followers(tokens):
    """A table (T, T), True at [t, s] where the token before place s <= t is the token at place t."""
    same = tokens[:, None] == tokens
    after = torch.zeros_like(same)
    after[:, 1:] = same[:, :-1]
    return after.tril()


def previous_token(weights):
    """How much each head looks at the token just before: (layers, H), the mean over a text's places but the first."""
    return weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1)


def head_scores(model, texts):
    """Prefix matching and looking at the token before, of each head, (layers, H) each: means over texts (N, T)."""
    weights = [gpt_attention(model, text) for text in texts]
    matching = [prefix_matching(some, text) for some, text in zip(weights, texts, strict=True)]
    return torch.stack(matching).mean(dim=0), torch.stack([previous_token(some) for some in weights]).mean(dim=0)


def without_heads(model, heads):
    """A copy of a GPT in which the `heads`, (layer, head) each, add nothing: zero ablation (消融).

    A head writes through its own columns of `attention.output.weight`; without them it is silent.
    Raises ValueError for a head that is not there.
    """
    model = copy.deepcopy(model)
    for layer, head in heads:
        check_head(model.config, layer, head)
        D = model.config.channels // model.config.heads
        with torch.no_grad():
            model.blocks[layer].attention.output.weight[:, head * D : (head + 1) * D] = 0.0
    return model


def check_head(config, layer, head):
    if not (0 <= layer < config.layers and 0 <= head < config.heads):
        raise ValueError(
            f"There is no layer {layer}, head {head}: layers go from 0 to {config.layers - 1}, heads from 0 to "
            f"{config.heads - 1}."
        )


@torch.no_grad()
def copying_losses(model, texts, periods):
    """Cross-entropy on the tokens of repeated_tokens' texts that can be copied, and on the others, in nats a token.

    From its second token on a repeated part can be foretold by who remembers the first time.
    """
    losses = torch.nn.functional.cross_entropy(model(texts[:, :-1]).transpose(1, 2), texts[:, 1:], reduction="none")
    copied = torch.arange(1, texts.shape[1]) > periods  # (N, T - 1)
    return losses[copied].mean().item(), losses[~copied].mean().item()
