"""The exercise `token_perplexity`: the perplexity of the real tokens of a padded batch."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The perplexity per token of a batch of sentences: logits (B, T, V), targets (B, T). Short sentences are "
    "filled up with the token `padding`, and such targets do not count.",
    untried={"logits": {"a gradient is wanted": "a perplexity is read, and not trained on"}},
)
def token_perplexity(logits, targets, padding):
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=padding)
    return losses.exp()


@token_perplexity.cases
def some_sentences():
    def sentences(lengths, V, padding):
        T = max(lengths)
        targets = torch.randint(V, (len(lengths), T))
        targets[targets == padding] = (padding + 1) % V
        for row, length in zip(targets, lengths, strict=True):
            row[length:] = padding
        return torch.randn(len(lengths), T, V), targets, padding

    turned = torch.randn(3, 2, 3, dtype=torch.float64).transpose(0, 1)
    return [
        (torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), torch.tensor([[1, 0]]), 0),
        sentences([2, 5], 4, 0),
        sentences([6, 1, 3], 5, 2),
        sentences([3, 3], 7, 6),
        (turned, torch.tensor([[0, 2], [0, 1], [2, 1]]).T, 1),
        sentences([70], 6, 5),
        (torch.tensor([[[1000.0, 1000.0, 0.0], [-1000.0, 0.0, -1000.0]]]), torch.tensor([[1, 1]]), 2),
        sentences([1, 4, 2], 3, 0),
    ]


@token_perplexity.judge
def slow_perplexity(logits, targets, padding):
    """Token by token, in plain numbers."""
    total, count = 0.0, 0
    for scores, target in zip(logits.flatten(0, 1).tolist(), targets.flatten().tolist(), strict=True):
        if target != padding:
            largest = max(scores)
            total += largest + math.log(sum(math.exp(score - largest) for score in scores)) - scores[target]
            count += 1
    return math.exp(total / count)


@token_perplexity.right
def by_a_mask(logits, targets, padding):
    kept = targets != padding
    return torch.exp(F.cross_entropy(logits[kept], targets[kept]))


@token_perplexity.right
def by_weights(logits, targets, padding):
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    mask = (targets != padding).to(losses.dtype)
    return ((losses * mask).sum() / mask.sum()).exp()


@token_perplexity.right
def by_probabilities(logits, targets, padding):
    p = logits.softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)[targets != padding]
    return 1 / math.exp(p.log().mean().item())


@token_perplexity.right
def by_sums_of_sentences(logits, targets, padding):
    total = sum(
        F.cross_entropy(*pair, ignore_index=padding, reduction="sum") for pair in zip(logits, targets, strict=True)
    )
    return math.exp(total / int((targets != padding).sum()))


@token_perplexity.right
def by_a_power_of_two(logits, targets, padding):
    kept = targets != padding
    bits = -logits.log_softmax(-1)[kept][range(int(kept.sum())), targets[kept]] / math.log(2)
    return 2 ** bits.mean()


def token_losses(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def of_losses(turned):
    """What `turned` makes of the losses of the tokens that count."""
    return lambda logits, targets, padding: turned(token_losses(logits, targets)[targets != padding])


def of_sentences(turned):
    """What `turned` makes of the mean loss of each sentence."""

    def answer(logits, targets, padding):
        mask = targets != padding
        return turned((token_losses(logits, targets) * mask).sum(1) / mask.sum(1))

    return answer


def of_places(turned):
    """What `turned` makes of the losses of all places, those of the padding being 0."""
    return lambda logits, targets, padding: turned(token_losses(logits, targets) * (targets != padding))


def shifted(first, second):
    """Logits and targets cut along T before the right formula."""
    return lambda logits, targets, padding: token_perplexity(logits[:, first], targets[:, second], padding)


LOGITS = "logits.flatten(0, 1)"

token_perplexity.mistake(
    "You averaged the perplexities of the sentences. Then a sentence of one token weighs as much as one of a hundred. "
    "Take the mean over all tokens, and exp once at the end.",
    sentence_perplexities_averaged=of_sentences(lambda means: means.exp().mean()),
)
token_perplexity.mistake(
    "You averaged the losses of the sentences, so the tokens of short sentences weigh more. Take one mean over all "
    "tokens.",
    sentence_losses_averaged=of_sentences(lambda means: means.mean().exp()),
)
token_perplexity.mistake(
    "One number for each sentence came. The perplexity is one for all: a mean over all tokens, then exp.",
    one_for_each_sentence=of_sentences(torch.exp),
)
token_perplexity.mistake(
    "You took exp of the mean, over the sentences, of the sums of their losses: the perplexity of whole sentences. Per "
    "token means: divide by the number of tokens.",
    per_sentence=lambda logits, targets, padding: (
        (token_losses(logits, targets) * (targets != padding)).sum() / len(logits)
    ).exp(),
)
token_perplexity.mistake(
    "You divide the sum of the losses by T, the length of the longest sentence. Divide by the number of tokens that "
    "count.",
    divided_by_length=lambda logits, targets, padding: (
        (token_losses(logits, targets) * (targets != padding)).sum() / targets.shape[1]
    ).exp(),
)
token_perplexity.mistake(
    "You counted the padding. It is no text: leave out the targets that equal `padding`.",
    padding_counted=lambda logits, targets, padding: token_losses(logits, targets).mean().exp(),
)
token_perplexity.mistake(
    "You kept the padding only, and left out the text: the comparison is the wrong way round. Keep targets != padding.",
    padding_only=lambda logits, targets, padding: token_losses(logits, targets)[targets == padding].mean().exp(),
)
token_perplexity.mistake(
    "You set the loss of the padding to zero, but still divide by all places, so the perplexity comes out too low. "
    "Divide by the number of tokens that count.",
    divided_by_all_places=of_places(lambda losses: losses.mean().exp()),
)
token_perplexity.mistake(
    "You keep the padding in the sum, but divide by the number of tokens that count. Leave it out of both.",
    padding_in_the_sum=lambda logits, targets, padding: (
        token_losses(logits, targets).sum() / (targets != padding).sum()
    ).exp(),
)
token_perplexity.mistake(
    "You set the logits of the padding to 0, but those places still count, as an even guess. Leave them out of the "
    "mean.",
    logits_set_to_zero=lambda logits, targets, padding: (
        token_losses(logits * (targets != padding)[..., None], targets).mean().exp()
    ),
)
token_perplexity.mistake(
    "You took exp of the sum (or one over the product of the probabilities), which grows with the length of the text. "
    "Take exp of the mean over the tokens.",
    exp_of_the_sum=of_losses(lambda losses: losses.sum().exp()),
)
token_perplexity.mistake(
    "You took exp of the sum over all places, padding too. Take exp of the mean over the tokens that count.",
    exp_of_the_sum_with_padding=lambda logits, targets, padding: token_losses(logits, targets).sum().exp(),
)
token_perplexity.mistake(
    "2 ** loss is for a loss in bits. Cross-entropy is in nats here: use exp.",
    two_to_the_loss=token_perplexity.changed("losses.exp()", "2**losses"),
)
token_perplexity.mistake(
    "10 ** loss is for a logarithm of base 10. Cross-entropy is in nats here: use exp.",
    ten_to_the_loss=token_perplexity.changed("losses.exp()", "10**losses"),
)
token_perplexity.mistake(
    "You divided by log(2), so the loss is in bits, and then took exp, which is for nats. Either 2 ** bits or "
    "exp(nats).",
    exp_of_bits=token_perplexity.changed("losses.exp()", "(losses / math.log(2)).exp()"),
)
token_perplexity.mistake(
    "That is the mean cross-entropy in bits. The perplexity is 2 to that power, or exp of the nats.",
    bits=token_perplexity.changed("losses.exp()", "losses / math.log(2)"),
)
token_perplexity.mistake(
    "That is the mean cross-entropy. The perplexity is exp of it.", no_exp=token_perplexity.changed(".exp()", "")
)
token_perplexity.mistake(
    "That is the mean cross-entropy, and the padding counts in it. Leave the padding out, then take exp.",
    no_exp_and_padding=lambda logits, targets, padding: token_losses(logits, targets).mean(),
)
token_perplexity.mistake(
    "You took the logarithm at the end. The perplexity is exp of the mean cross-entropy.",
    log_at_the_end=token_perplexity.changed(".exp()", ".log()"),
)
token_perplexity.mistake(
    "You subtract 1 at the end (expm1). The perplexity is exp of the mean cross-entropy.",
    one_subtracted=token_perplexity.changed(".exp()", ".expm1()"),
)
token_perplexity.mistake(
    "exp is taken twice. Once is enough.", exp_twice=token_perplexity.changed(".exp()", ".exp().exp()")
)
token_perplexity.mistake(
    "The sign is wrong: you have the geometric mean of the probabilities. The perplexity is one divided by that.",
    wrong_sign=token_perplexity.changed("losses.exp()", "(-losses).exp()"),
)
token_perplexity.mistake(
    "You took exp of every token's loss, and then the mean: one surprising token rules everything. First the mean, "
    "then exp.",
    exp_before_mean=of_losses(lambda losses: losses.exp().mean()),
)
token_perplexity.mistake(
    "You took exp of every token's loss, and then the sum. First the mean of the losses, then exp.",
    exp_before_sum=of_losses(lambda losses: losses.exp().sum()),
)
token_perplexity.mistake(
    "One number for each token came. Take the mean of the losses first, then exp.", no_mean=of_losses(torch.exp)
)
token_perplexity.mistake(
    "You took the median of the losses. Take their mean, then exp.",
    median=of_losses(lambda losses: losses.median().exp()),
)
token_perplexity.mistake(
    "You took the largest loss. Take the mean of all tokens that count, then exp.",
    largest=of_losses(lambda losses: losses.max().exp()),
)
token_perplexity.mistake(
    "You divide by n - 1. A mean divides by the number of tokens, n.",
    divided_by_one_less=of_losses(lambda losses: (losses.sum() / (len(losses) - 1)).exp()),
)
token_perplexity.mistake(
    "You divide after exp. Divide the sum of the losses first, then take exp of the mean.",
    divided_after_exp=of_losses(lambda losses: losses.sum().exp() / len(losses)),
)
token_perplexity.mistake(
    "You took 0 for the padding. Its number is the argument `padding`.",
    padding_of_zero=token_perplexity.changed("ignore_index=padding", "ignore_index=0"),
)
token_perplexity.mistake(
    "You left out every target from the first padding on, in all sentences. Each sentence has its own end.",
    all_cut_at_the_shortest=lambda logits, targets, padding: token_perplexity(
        logits[:, : int((targets != padding).sum(1).min())],
        targets[:, : int((targets != padding).sum(1).min())],
        padding,
    ),
)
token_perplexity.mistake(
    "You left out the last place of each sentence. Only targets that equal `padding` do not count.",
    last_place_left_out=shifted(slice(None, -1), slice(None, -1)),
)
token_perplexity.mistake(
    "You shifted logits and targets by one more. The targets are the next tokens already: use them as they are.",
    shifted_again=shifted(slice(None, -1), slice(1, None)),
)
token_perplexity.mistake(
    "You left out the first place of each sentence. Every target that is not padding counts.",
    first_place_left_out=shifted(slice(1, None), slice(1, None)),
)
token_perplexity.mistake(
    "You measured the first sentence only. Take all tokens of all sentences.",
    first_sentence_only=lambda logits, targets, padding: token_perplexity(logits[:1], targets[:1], padding),
)
token_perplexity.mistake(
    "reshape or view to (B, V, T) mixes up the numbers of different tokens. To exchange two dimensions, use "
    "transpose(1, 2); or flatten B and T together.",
    reshaped=lambda logits, targets, padding: F.cross_entropy(
        logits.reshape(logits.shape[0], logits.shape[2], logits.shape[1]), targets, ignore_index=padding
    ).exp(),
)
token_perplexity.mistake(
    "F.cross_entropy wants the classes in the second dimension, and yours are the last. Flatten B and T together, or "
    "use logits.transpose(1, 2).",
    classes_in_the_wrong_place=lambda logits, targets, padding: F.cross_entropy(
        logits, targets, ignore_index=padding
    ).exp(),
)
token_perplexity.mistake(
    "You flattened the logits, but not the targets. Both must be one row of tokens: logits (B * T, V), targets (B * "
    "T).",
    targets_not_flattened=token_perplexity.changed("targets.flatten()", "targets"),
)
token_perplexity.mistake(
    "You flattened the targets, but not the logits. Both must be one row of tokens: logits (B * T, V), targets (B * "
    "T).",
    logits_not_flattened=token_perplexity.changed(LOGITS, "logits"),
)
token_perplexity.mistake(
    "view cannot flatten a tensor that is not contiguous. reshape and flatten can.",
    view=token_perplexity.changed(LOGITS, "logits.view(-1, logits.shape[-1])", "targets.flatten()", "targets.view(-1)"),
)
token_perplexity.mistake(
    "Your softmax runs over the wrong dimension. It must run over the vocabulary, the last one: dim=-1.",
    softmax_over_places=lambda logits, targets, padding: (
        -logits.log_softmax(1).gather(-1, targets[..., None])[..., 0][targets != padding].mean()
    ).exp(),
)
token_perplexity.mistake(
    "Your softmax runs over the sentences. It must run over the vocabulary, the last dimension: dim=-1.",
    softmax_over_sentences=lambda logits, targets, padding: (
        -logits.log_softmax(0).gather(-1, targets[..., None])[..., 0][targets != padding].mean()
    ).exp(),
)
token_perplexity.mistake(
    "You averaged the probabilities. Perplexity averages their logs: exp of the mean of -log p.",
    probabilities_averaged=of_losses(lambda losses: 1 / (-losses).exp().mean()),
)
token_perplexity.mistake(
    "The product of many probabilities is too small for a float and becomes 0. Add up their logs: exp of the mean of "
    "-log p.",
    product_of_probabilities=of_losses(lambda losses: (-losses).exp().prod() ** (-1 / len(losses))),
)
token_perplexity.mistake(
    "You took the entropy of what the model says. Perplexity asks for the loss of the right tokens, targets.",
    entropy=lambda logits, targets, padding: (
        torch.special.entr(logits.softmax(-1)).sum(-1)[targets != padding].mean().exp()
    ),
)
token_perplexity.mistake(
    "You took the loss of the token that the model likes best. Perplexity asks for that of the right ones, targets.",
    best_token=lambda logits, targets, padding: token_perplexity(
        logits, torch.where(targets == padding, padding, logits.argmax(-1)), padding
    ),
)
token_perplexity.mistake(
    "You applied the softmax twice: F.cross_entropy has it inside. Give it the logits.",
    softmax_twice=token_perplexity.changed(LOGITS, LOGITS + ".softmax(-1)"),
)
token_perplexity.mistake(
    "You took the logits for log-probabilities. They go through log_softmax first.",
    logits_as_log_probabilities=lambda logits, targets, padding: (
        -logits.gather(-1, targets[..., None])[..., 0][targets != padding].mean()
    ).exp(),
)
token_perplexity.mistake(
    "You add an eps to the probabilities before the log. It makes the perplexity wrong in the last places: use "
    "log_softmax, which needs none.",
    eps=lambda logits, targets, padding: (
        -(logits.softmax(-1).gather(-1, targets[..., None])[..., 0][targets != padding] + 1e-3).log().mean()
    ).exp(),
)
token_perplexity.mistake(
    "You round the perplexity. Return it with all its digits.",
    rounded=lambda *case: round(token_perplexity(*case).item(), 2),
)
token_perplexity.mistake(
    "You return an integer: int() cuts off what stands behind the point.",
    cut_to_an_integer=lambda *case: int(token_perplexity(*case)),
)


token_perplexity.hints(
    "Perplexity is exp of the mean cross-entropy. The mean over what?",
    "Put all tokens of all sentences into one row: logits (B * T, V) and targets (B * T).",
    "F.cross_entropy has an argument that leaves targets out, ignore_index; its mean then counts the others only.",
)
