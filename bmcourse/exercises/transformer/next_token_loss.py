"""The loss of a GPT: the logits of every token are for the token after it."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The mean cross-entropy of a GPT on the text it has just read: logits (B, T, V) of tokens (B, T) with T of "
    "2 or more. logits[b, t] score the token that comes after tokens[b, t].",
)
def next_token_loss(logits, tokens):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


@next_token_loss.cases
def cases():
    turned = torch.randn(5, 3, 4, dtype=torch.float64).transpose(0, 1)
    return [
        (torch.tensor([[[2.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 3.0]]]), torch.tensor([[1, 0, 2]])),
        (torch.randn(2, 6, 7).requires_grad_(), torch.randint(7, (2, 6))),
        (torch.randn(1, 2, 3), torch.tensor([[0, 2]])),
        (turned, torch.randint(4, (5, 3)).T),
        (100 * torch.randn(3, 4, 4), torch.randint(4, (3, 4))),
        (torch.randn(4, 4, 4), torch.randint(4, (4, 4))),
    ]


@next_token_loss.judge
def token_by_token(logits, tokens):
    """One prediction after the other."""
    losses = [
        -logits[b, t].log_softmax(-1)[tokens[b, t + 1]] for b in range(len(tokens)) for t in range(tokens.shape[1] - 1)
    ]
    return torch.stack(losses).mean()


next_token_loss.right(token_by_token)


@next_token_loss.right
def classes_second(logits, tokens):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:])


@next_token_loss.right
def by_gather(logits, tokens):
    log_p = logits.log_softmax(-1)[:, :-1]
    return -log_p.gather(-1, tokens[:, 1:, None]).mean()


@next_token_loss.right
def last_target_ignored(logits, tokens):
    targets = tokens.roll(-1, dims=1)
    targets[:, -1] = -100
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)


next_token_loss.mistake(
    "You compare the logits of a token with that token itself, which the model has just read. They are for the next "
    "one: logits[:, :-1] with tokens[:, 1:].",
    not_shifted=lambda logits, tokens: F.cross_entropy(logits.flatten(0, 1), tokens.flatten()),
)
next_token_loss.mistake(
    "You shift the wrong way: logits[:, 1:] with tokens[:, :-1] asks for the token before. It is logits[:, :-1] with "
    "tokens[:, 1:].",
    wrong_way=next_token_loss.changed("[:, :-1]", "[:, 1:]", "tokens[:, 1:]", "tokens[:, :-1]"),
)
next_token_loss.mistake(
    "You cut the last token off both, so each token is compared with itself. The targets are tokens[:, 1:].",
    last_cut_off_both=next_token_loss.changed("tokens[:, 1:]", "tokens[:, :-1]"),
)
next_token_loss.mistake(
    "You cut the first token off both, so each token is compared with itself. The logits are logits[:, :-1].",
    first_cut_off_both=next_token_loss.changed("logits[:, :-1]", "logits[:, 1:]"),
)
next_token_loss.mistake(
    "You move the targets around in a circle: the last token gets the first one as its target. Leave the last out.",
    in_a_circle=lambda logits, tokens: F.cross_entropy(logits.flatten(0, 1), tokens.roll(-1, dims=1).flatten()),
)
next_token_loss.mistake(
    "You shift along the batch. Time is the second dimension: [:, :-1] and [:, 1:].",
    along_the_batch=lambda logits, tokens: F.cross_entropy(
        (logits[:-1] if len(logits) > 1 else logits).flatten(0, 1),
        (tokens[1:] if len(tokens) > 1 else tokens).flatten(),
    ),
)
next_token_loss.mistake(
    "You add the losses up. Take their mean.",
    sum_of_losses=next_token_loss.changed("flatten())", "flatten(), reduction='sum')"),
)
next_token_loss.mistake(
    "You return the loss of every place. Take their mean.",
    not_reduced=next_token_loss.changed("flatten())", "flatten(), reduction='none')"),
)
next_token_loss.mistake(
    "You take the softmax before F.cross_entropy, which has its own. Give it the logits.",
    softmax_twice=next_token_loss.changed("logits[:, :-1]", "logits.softmax(-1)[:, :-1]"),
)
next_token_loss.mistake(
    "You flatten into rows of the wrong length: view(-1, T) mixes places and classes. Keep V last: flatten(0, 1).",
    classes_and_time_mixed=lambda logits, tokens: F.cross_entropy(
        logits[:, :-1].transpose(1, 2).reshape(-1, logits.shape[-1]), tokens[:, 1:].flatten()
    ),
)
next_token_loss.mistake(
    "Only the last prediction counts in your loss. A GPT learns from every place at once.",
    last_only=lambda logits, tokens: F.cross_entropy(logits[:, -2], tokens[:, -1]),
)
next_token_loss.mistake(
    "Only the first prediction counts in your loss. A GPT learns from every place at once.",
    first_only=lambda logits, tokens: F.cross_entropy(logits[:, 0], tokens[:, 1]),
)
next_token_loss.mistake(
    "You skip a token: two places ahead. The target is the next token, tokens[:, 1:].",
    two_ahead=lambda logits, tokens: F.cross_entropy(
        logits[:, : max(1, tokens.shape[1] - 2)].flatten(0, 1),
        tokens[:, min(2, tokens.shape[1] - 1) :].flatten(),
    ),
)
next_token_loss.mistake(
    "You divide the sum by all B * T tokens. There are B * (T - 1) predictions: the last token has no target.",
    divided_by_all=lambda logits, tokens: (
        F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum") / tokens.numel()
    ),
)
next_token_loss.mistake(
    "You divide the sum by the number of texts. Take the mean over all predictions, B * (T - 1) of them.",
    divided_by_texts=lambda logits, tokens: (
        F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum") / len(tokens)
    ),
)
next_token_loss.mistake(
    "That is the perplexity, the exponential of the loss. Asked is the loss.",
    perplexity=next_token_loss.changed("flatten())", "flatten()).exp()"),
)
next_token_loss.mistake(
    "The sign is wrong: a loss is minus the log-probability.",
    sign_wrong=next_token_loss.changed("return F", "return -F"),
)
next_token_loss.mistake(
    "That is the mean probability of the next tokens. The loss is minus the mean of its logarithm.",
    mean_probability=lambda logits, tokens: logits.softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None]).mean(),
)
next_token_loss.mistake(
    "You average the raw logits of the next tokens. Cross-entropy takes their log-softmax.",
    raw_logits=lambda logits, tokens: -logits[:, :-1].gather(-1, tokens[:, 1:, None]).mean(),
)
next_token_loss.mistake(
    "You detach the logits, so nothing can be learned from your loss. Leave them as they are.",
    detached=next_token_loss.changed("logits[:, :-1]", "logits.detach()[:, :-1]"),
)
next_token_loss.mistake(
    "You return a plain number, so nothing can be learned from your loss. Leave out .item().",
    plain_number=next_token_loss.changed("flatten())", "flatten()).item()"),
)


next_token_loss.hints(
    "Write a short text on paper. Which token should logits[0, 0] predict? And is there a target for the last one?",
    "Drop the logits of the last token and the first of the tokens. Then both have T - 1 places.",
    "F.cross_entropy wants (N, V) and (N,): flatten the first two dimensions of the logits, and all of the targets.",
)
