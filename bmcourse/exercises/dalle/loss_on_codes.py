"""The mean cross-entropy of the codes that follow a caption (lesson 17)."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The loss of a DALL-E. `tokens` (B, T) are captions of `words` words each, followed by codes; `logits` "
    "(B, T, V) are the GPT's: those at place t score the token at place t + 1. Return the mean cross-entropy of the "
    "codes alone, in nats; the words are read, and not predicted."
)
def loss_on_codes(logits, tokens, words):
    return F.cross_entropy(logits[:, words - 1 : -1].flatten(0, 1), tokens[:, words:].flatten())


@loss_on_codes.cases
def cases():
    certain = torch.zeros(2, 4, 3)
    certain[:, :, 1] = 1000.0
    return [
        (torch.randn(1, 3, 4), torch.tensor([[0, 1, 3]]), 1),
        (torch.randn(2, 7, 5, requires_grad=True), torch.randint(5, (2, 7)), 3),
        (2 * torch.randn(3, 6, 8), torch.randint(8, (3, 6)), 2),
        (*uncommon(torch.randn(2, 5, 6), torch.randint(6, (2, 5))), 4),
        (certain.requires_grad_(), torch.tensor([[2, 0, 0, 1], [1, 1, 2, 0]]), 2),
        (torch.randn(4, 8, 4), torch.zeros(4, 8, dtype=torch.long), 5),
    ]


CLASSES = (
    "What cross_entropy wants are the scores of the tokens in the second dimension. Make one long list of all places "
    "first: .flatten(0, 1) for the logits, .flatten() for the tokens."
)
COUNTS = (
    "There are not as many rows of logits as tokens. Of the logits take words - 1 to the last but one place, "
    "logits[:, words - 1 : -1], and of the tokens words to the end."
)
VIEW = (
    ".view() raises an error where the numbers do not lie one after the other in memory, as in a slice. .reshape() and "
    ".flatten() copy them then."
)


@loss_on_codes.run
def explained(answer, logits, tokens, words):
    try:
        return answer(logits, tokens, words)
    except (RuntimeError, ValueError) as error:
        known = {"Expected target size": CLASSES, "to match target batch_size": COUNTS, "view size is not": VIEW}
        told = next((told for text, told in known.items() if text in str(error)), None)
        raise Mistake(told) if told else error from None


@loss_on_codes.judge
def by_loop(logits, tokens, words):
    losses = []
    for b in range(len(tokens)):
        for t in range(words, tokens.shape[1]):
            scores = logits[b, t - 1].double()
            losses.append(torch.logsumexp(scores, dim=0) - scores[tokens[b, t]])
    return (sum(losses) / len(losses)).to(logits.dtype)


@loss_on_codes.right
def by_gather(logits, tokens, words):
    logarithms = logits.log_softmax(dim=-1)[:, words - 1 : tokens.shape[1] - 1]
    return -logarithms.gather(2, tokens[:, words:, None]).mean()


@loss_on_codes.right
def by_transpose(logits, tokens, words):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2)[:, :, words - 1 :], tokens[:, words:])


@loss_on_codes.right
def by_ignoring(logits, tokens, words):
    targets = tokens[:, 1:].clone()
    targets[:, : words - 1] = -100
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())


@loss_on_codes.right
def by_mask(logits, tokens, words):
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")
    mask = (torch.arange(losses.shape[1], device=losses.device) >= words - 1).expand_as(losses)
    return losses[mask].sum() / mask.sum()


@loss_on_codes.right
def image_by_image(logits, tokens, words):
    return sum(
        F.nll_loss(s[words - 1 : -1].log_softmax(1), t[words:]) for s, t in zip(logits, tokens, strict=True)
    ) / len(tokens)


def loss(scores, targets, **settings):
    """The mean cross-entropy of these places."""
    return F.cross_entropy(scores.flatten(0, 1), targets.flatten(), **settings)


def of_codes(logits, tokens, words):
    """The logits that score the codes, and the codes."""
    return logits[:, words - 1 : -1], tokens[:, words:]


def on_codes(change, **settings):
    """A wrong loss: of `change(scores)`, at the right places."""

    def answer(logits, tokens, words):
        scores, codes = of_codes(logits, tokens, words)
        return loss(change(scores), codes, **settings)

    return answer


def then(change):
    """A wrong loss: a right one, of which `change(loss, number of codes, tokens)` comes back."""
    return lambda logits, tokens, words: change(loss_on_codes(logits, tokens, words), tokens.shape[1] - words, tokens)


def of_each(change):
    """A wrong loss: `change(losses)` of those of each code, (B, codes)."""
    return lambda logits, tokens, words: change(
        F.cross_entropy(of_codes(logits, tokens, words)[0].transpose(1, 2), tokens[:, words:], reduction="none")
    )


def probability(logits, tokens, words):
    scores, codes = of_codes(logits, tokens, words)
    return scores.softmax(dim=-1).gather(2, codes[..., None])


loss_on_codes.mistake(
    "Nothing is shifted: the logits at place t score the token at place t + 1. Begin one place earlier, at the last "
    "word.",
    not_shifted=lambda logits, tokens, words: loss(logits[:, words:], tokens[:, words:]),
)
loss_on_codes.mistake(
    "You predict all tokens, and nothing is shifted. Leave the words out; and the logits at place t score the token at "
    "place t + 1.",
    all_not_shifted=lambda logits, tokens, words: loss(logits, tokens),
)
loss_on_codes.mistake(
    "You also predict the words of the caption. The model spends itself on guessing captions: leave them out.",
    words_too=lambda logits, tokens, words: loss(logits[:, :-1], tokens[:, 1:]),
)
loss_on_codes.mistake(
    "The first code is missing: nobody would learn how an image begins. The last word's logits score it.",
    first_code_missing=lambda logits, tokens, words: loss(logits[:, words:-1], tokens[:, words + 1 :]),
)
loss_on_codes.mistake(
    "The last code is missing: the logits of the last but one place score it.",
    last_code_missing=lambda logits, tokens, words: loss(logits[:, words - 1 : -2], tokens[:, words:-1]),
)
loss_on_codes.mistake(
    "One word too many: the last word of the caption is predicted as well. The codes begin at place `words`.",
    last_word_too=lambda logits, tokens, words: loss(logits[:, max(words - 2, 0) : -1], tokens[:, max(words - 1, 1) :]),
)
loss_on_codes.mistake(
    "You shift the wrong way: the logits after a token are compared with the token before.",
    shifted_back=lambda logits, tokens, words: loss(logits[:, words + 1 :], tokens[:, words:-1]),
)
loss_on_codes.mistake(
    "You shift the wrong way, by one place each: logits[:, words:] with tokens[:, words - 1 : -1]. It is the other way "
    "round.",
    shifted_the_other_way=lambda logits, tokens, words: loss(logits[:, words:], tokens[:, words - 1 : -1]),
)
loss_on_codes.mistake(
    "You shift by two places: the logits at place t score the token at place t + 1.",
    shifted_by_two=lambda logits, tokens, words: loss(logits[:, max(words - 2, 0) : -2], tokens[:, max(words, 2) :]),
)
loss_on_codes.mistake(
    "You take the logits of the first places, whatever `words` is. The codes are scored from place words - 1 on.",
    first_logits=lambda logits, tokens, words: loss(logits[:, : tokens.shape[1] - words], tokens[:, words:]),
)
loss_on_codes.mistake(
    "That is the loss of the words, and of the first code with them. The codes are to be predicted: tokens[:, words:].",
    words_and_first_code=lambda logits, tokens, words: loss(logits[:, :words], tokens[:, 1 : words + 1]),
)
loss_on_codes.mistake(
    "That is the loss of the words. The codes are to be predicted: tokens[:, words:].",
    words_only=lambda logits, tokens, words: loss(logits[:, : words - 1], tokens[:, 1:words]),
)
loss_on_codes.mistake(
    "That is the loss of the words, and nothing is shifted. The codes are to be predicted: tokens[:, words:].",
    words_not_shifted=lambda logits, tokens, words: loss(logits[:, :words], tokens[:, :words]),
)
loss_on_codes.mistake(
    "Only the last code is predicted. All codes of an image count.",
    last_code_only=lambda logits, tokens, words: loss(logits[:, -2:-1], tokens[:, -1:]),
)
loss_on_codes.mistake(
    "Only the first code is predicted. All codes of an image count.",
    first_code_only=lambda logits, tokens, words: loss(logits[:, words - 1 : words], tokens[:, words : words + 1]),
)
loss_on_codes.mistake(
    "Only the first image counts. Take the mean over all.",
    first_image_only=lambda logits, tokens, words: loss_on_codes(logits[:1], tokens[:1], words),
)
loss_on_codes.mistake(
    "Only the last image counts: is a sum overwritten in the loop? Take the mean over all.",
    last_image_only=lambda logits, tokens, words: loss_on_codes(logits[-1:], tokens[-1:], words),
)
loss_on_codes.mistake(
    "You took the sum and not the mean: the loss would grow with the batch.",
    sum_not_mean=then(lambda loss, count, tokens: loss * count * len(tokens)),
)
loss_on_codes.mistake(
    "You add up the codes of an image. Take the mean over the codes of all images.",
    sum_over_codes=then(lambda loss, count, tokens: loss * count),
)
loss_on_codes.mistake(
    "You add up the images, and take the mean over the codes only. Take the mean over the codes of all images.",
    sum_over_images=then(lambda loss, count, tokens: loss * len(tokens)),
)
loss_on_codes.mistake(
    "You divide by all T tokens. Divide by the number of codes: the words have no loss.",
    divided_by_all=then(lambda loss, count, tokens: loss * count / tokens.shape[1]),
)
loss_on_codes.mistake(
    "The words have the loss 0 in your mean, and are counted: you divide by T - 1. Divide by the number of codes: pick "
    "those with the mask, and do not multiply by it.",
    words_counted=then(lambda loss, count, tokens: loss * count / (tokens.shape[1] - 1)),
)
loss_on_codes.mistake(
    "You divide by the number of images after a mean: the mean is over them already.",
    divided_by_images=then(lambda loss, count, tokens: loss / len(tokens)),
)
loss_on_codes.mistake(
    "You divide by the number of codes after a mean: the mean is over them already.",
    divided_by_codes=then(lambda loss, count, tokens: loss / count),
)
loss_on_codes.mistake(
    "You divide a sum by the number of codes minus 1. There are T - words of them in each image.",
    one_code_less=then(lambda loss, count, tokens: loss * count / (count - 1) if count > 1 else loss),
)
loss_on_codes.mistake(
    "You give one number for each image. Take the mean over them as well.",
    one_an_image=of_each(lambda losses: losses.mean(dim=1)),
)
loss_on_codes.mistake(
    "You give one number for each place. Take the mean over the batch and the places.",
    one_a_place=of_each(lambda losses: losses.mean(dim=0)),
)
loss_on_codes.mistake(
    'You give one number for each code. Take the mean: leave out reduction="none".',
    one_a_code=of_each(lambda losses: losses),
)
loss_on_codes.mistake(
    'You give one long row of losses. Take the mean: leave out reduction="none".',
    one_long_row=of_each(lambda losses: losses.flatten()),
)
loss_on_codes.mistake(
    "You take the median of the losses. The mean was asked.",
    median=of_each(lambda losses: losses.median()),
)
loss_on_codes.mistake(
    "The sign is wrong: that is the mean log-likelihood, which training would make smaller. The loss is minus that.",
    sign=then(lambda loss, count, tokens: -loss),
)
loss_on_codes.mistake(
    "Your loss is in bits, log2. In nats it is the natural logarithm, which cross_entropy takes.",
    bits=then(lambda loss, count, tokens: loss / math.log(2)),
)
loss_on_codes.mistake(
    "That is the perplexity, exp of the loss. Return the loss itself.",
    perplexity=then(lambda loss, count, tokens: loss.exp()),
)
loss_on_codes.mistake(
    CLASSES, classes_not_second=lambda logits, tokens, words: F.cross_entropy(*of_codes(logits, tokens, words))
)
loss_on_codes.mistake(
    COUNTS, one_row_too_many=lambda logits, tokens, words: loss(logits[:, words - 1 :], tokens[:, words:])
)
loss_on_codes.mistake(
    VIEW,
    view_of_a_slice=lambda logits, tokens, words: F.cross_entropy(
        logits[:, words - 1 : -1].view(-1, logits.shape[2]), tokens[:, words:].flatten()
    ),
)
loss_on_codes.mistake(
    "You exchange places and tokens with reshape, which keeps the order of the numbers and mixes them up. "
    "transpose(1, 2) exchanges dimensions.",
    reshape_for_transpose=lambda logits, tokens, words: F.cross_entropy(
        (s := of_codes(logits, tokens, words)[0]).reshape(len(s), s.shape[2], -1), tokens[:, words:]
    ),
)
loss_on_codes.mistake(
    "The codes go image by image and the logits place by place: you transposed one of them before making a long list. "
    "Use .flatten(0, 1) and .flatten() as they are.",
    mixed_up_images=lambda logits, tokens, words: loss(
        of_codes(logits, tokens, words)[0].transpose(0, 1), tokens[:, words:]
    ),
)
loss_on_codes.mistake(
    "You pass probabilities to cross_entropy, which makes the softmax itself. Pass the logits.",
    probabilities=on_codes(lambda scores: scores.softmax(dim=-1)),
)
loss_on_codes.mistake(
    "Your softmax runs over the places. A code is chosen among the V tokens, the last dimension: dim=-1.",
    softmax_over_places=lambda logits, tokens, words: (
        -(s := of_codes(logits, tokens, words))[0].log_softmax(1).gather(2, s[1][..., None]).mean()
    ),
)
loss_on_codes.mistake(
    "Your softmax runs over the whole batch, dim=0. A code is chosen among the V tokens, the last dimension: dim=-1.",
    softmax_over_batch=lambda logits, tokens, words: (
        -(s := of_codes(logits, tokens, words))[0].log_softmax(0).gather(2, s[1][..., None]).mean()
    ),
)
loss_on_codes.mistake(
    "There is no softmax: you take minus the logits of the right codes. They must be compared with those of all "
    "others: log_softmax.",
    no_softmax=lambda logits, tokens, words: (
        -(s := of_codes(logits, tokens, words))[0].gather(2, s[1][..., None]).mean()
    ),
)
loss_on_codes.mistake(
    "You take minus the mean probability of the right codes: the logarithm is missing.",
    no_logarithm=lambda *case: -probability(*case).mean(),
)
loss_on_codes.mistake(
    "You take the logarithm of the mean probability. First the logarithm of each, and then the mean.",
    logarithm_of_mean=lambda *case: -probability(*case).mean().log(),
)
loss_on_codes.mistake(
    "Right, until the model is quite sure: a probability is then 0, and its logarithm minus infinity. Compute with "
    "log_softmax, or use F.cross_entropy.",
    logarithm_of_zero=lambda *case: -probability(*case).log().mean(),
)
for digits in (6, 7, 8, 9, 10, 12, 20):
    loss_on_codes.mistake(
        f"A small number inside of the logarithm (1e-{digits}, added or as a clamp) hides how wrong a sure model is, "
        f"and gives it no gradient. Compute with log_softmax, or use F.cross_entropy.",
        **{
            f"small_number_{digits}": lambda *case, small=10.0**-digits: (
                -probability(*case).clamp(min=small).log().mean()
            )
        },
    )
loss_on_codes.mistake(
    "Token 0 is left out, as if it were padding. Here it is a token like any other: no ignore_index.",
    token_0_ignored=on_codes(lambda scores: scores, ignore_index=0),
)
loss_on_codes.mistake(
    "Your loss smooths the labels. The cross-entropy of the codes themselves was asked.",
    smoothed=on_codes(lambda scores: scores, label_smoothing=0.1),
)
loss_on_codes.mistake(
    "That is the squared error of the probabilities. The cross-entropy was asked: minus the logarithm of the right "
    "one.",
    squared_error=lambda logits, tokens, words: F.mse_loss(
        of_codes(logits, tokens, words)[0].softmax(-1),
        F.one_hot(tokens[:, words:], logits.shape[2]).to(logits.dtype),
    ),
)
loss_on_codes.mistake(
    "That is the share of codes that are guessed right, which has no gradient. The cross-entropy was asked.",
    accuracy=lambda logits, tokens, words: (
        (of_codes(logits, tokens, words)[0].argmax(-1) == tokens[:, words:]).to(logits.dtype).mean()
    ),
)
loss_on_codes.mistake(
    "The loss is right, but a plain number has no gradient, and the model cannot learn from it. Leave out .item().",
    plain_number=then(lambda loss, count, tokens: loss.item()),
)
loss_on_codes.mistake(
    "The loss is right, but its gradient is cut off, and the model cannot learn from it. Leave out .detach(), .item() "
    "and torch.tensor(...).",
    detached=then(lambda loss, count, tokens: loss.detach()),
)
loss_on_codes.mistake(
    "The loss has one dimension too many. It is one number: mean() without a dim.",
    one_dimension=then(lambda loss, count, tokens: loss[None]),
)
loss_on_codes.mistake(
    "You replace the words by token 0, and the model learns to say 0 there. Leave these places out, or give them -100, "
    "which cross_entropy ignores.",
    words_as_token_0=lambda logits, tokens, words: loss(
        logits[:, :-1], tokens.masked_fill(torch.arange(tokens.shape[1]) < words, 0)[:, 1:]
    ),
)
loss_on_codes.mistake(
    "The loss is right, but you wrote -100 into the tokens that came in: in the next epoch the captions are gone. "
    "Begin with tokens.clone().",
    tokens_overwritten=lambda logits, tokens, words: loss(
        logits[:, :-1], tokens.masked_fill_(torch.arange(tokens.shape[1]) < words, -100)[:, 1:]
    ),
)

loss_on_codes.hints(
    "The codes are tokens[:, words:]. Which places of the logits score them?",
    "One place earlier: from the last word, words - 1, to the last but one code.",
    "F.cross_entropy(logits[:, words - 1 : -1].flatten(0, 1), tokens[:, words:].flatten()).",
)
