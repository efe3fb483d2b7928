"""Fill-in accuracy: how many of the hidden words the model guesses (lesson 16)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="Fill-in accuracy. `logits` are (B, T, V), `targets` (B, T): a word's number where it is asked for, and "
    "-100 elsewhere. Return the share of the words asked for at which the largest logit is the right word's: a plain "
    "number from 0 to 1."
)
def share_filled_in(logits, targets):
    asked = targets != -100
    return (logits[asked].argmax(dim=-1) == targets[asked]).float().mean().item()


@share_filled_in.cases
def cases():
    large = 1000 * torch.eye(3)[torch.tensor([[2, 1], [0, 0], [2, 0], [1, 0], [1, 1]])].double() - 500
    return [
        (
            torch.tensor([[[0.0, 2.0, 1.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]),
            torch.tensor([[1, -100, 0]]),
        ),
        (
            torch.eye(4)[torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])],
            torch.tensor([[0, -100, 2, 1], [-100, -100, -100, 0]]),
        ),
        (
            torch.eye(5)[torch.tensor([[1, 2, 3], [4, 4, 4], [0, 0, 0]])] - 3,
            torch.tensor([[1, 2, 4], [4, -100, -100], [1, -100, -100]]),
        ),
        (large.transpose(0, 1), torch.tensor([[1, 0, -100, 0, 1], [-100, -100, 0, 0, 2]])),
        (torch.tensor([[[-1.0, -2.0], [0.5, 0.4]], [[1.0, 3.0], [2.0, 1.0]]]), torch.tensor([[0, 0], [-100, -100]])),
        (torch.tensor([[[1.0, 2.0, 0.0]], [[1.0, 2.0, 0.0]]]), torch.tensor([[0], [2]])),
    ]


@share_filled_in.right
def by_a_loop(logits, targets):
    right = [logits[b, t].argmax().item() == targets[b, t].item() for b, t in (targets != -100).nonzero(as_tuple=False)]
    return sum(right) / len(right)


@share_filled_in.right
def by_sums(logits, targets):
    right = logits.argmax(dim=-1) == targets
    return (right.sum() / (targets >= 0).sum()).item()


@share_filled_in.right
def by_max(logits, targets):
    guesses = logits.max(dim=2).indices[targets.ne(-100)]
    return (guesses == targets[targets.ne(-100)]).double().mean().item()


@share_filled_in.right
def by_topk(logits, targets):
    guesses, targets = logits.topk(1).indices.reshape(-1), targets.reshape(-1)
    asked = targets >= 0
    return int((guesses[asked] == targets[asked]).count_nonzero()) / int(asked.sum())


@share_filled_in.right
def by_the_right_words_logit(logits, targets):
    asked = targets != -100
    rows, words = logits[asked], targets[asked]
    return float((rows.gather(1, words[:, None])[:, 0] >= rows.amax(1)).float().mean())


def counted(right, of):
    """A wrong share: `right(guesses, targets)` places, of `of(targets)` places, both masks."""
    return lambda logits, targets: int(right(logits.argmax(-1), targets).sum()) / max(int(of(targets).sum()), 1)


def hits(guesses, targets):
    return guesses == targets


def asked_for(targets):
    return targets != -100


def everywhere(targets):
    return torch.ones_like(targets)


def by_sentence(make):
    """A wrong share, made by `make(shares)` from those of each sentence that asks for a word."""

    def answer(logits, targets):
        pairs = zip(logits, targets, strict=True)
        return make([share_filled_in(x[None], y[None]) for x, y in pairs if (y != -100).any()])

    return answer


def of_words(share):
    """A wrong share: `share(logits (n, V), targets (n,))` of the words asked for, a tensor of one number."""
    return lambda logits, targets: share(logits[targets != -100], targets[targets != -100]).item()


def right_ones(logits, targets):
    return (logits.argmax(-1) == targets).float()


# Which places count.


share_filled_in.mistake(
    "You divide by all places. Divide by the number of words that are asked for: targets != -100.",
    of_all_places=counted(hits, everywhere),
)


share_filled_in.mistake(
    "Places where nothing is asked count as right with you. Leave them out.",
    not_asked_is_right=counted(lambda guesses, targets: (guesses == targets) | (targets == -100), everywhere),
)


share_filled_in.mistake(
    "You take -100 for token 0: where nothing is asked, the guess 0 counts as right. Leave those places out: "
    "targets != -100.",
    zero_asked_elsewhere=counted(lambda guesses, targets: guesses == targets.clamp(min=0), everywhere),
)


share_filled_in.mistake(
    "You leave out token 0 as if it were the sign for 'not asked'. That sign is -100: targets != -100.",
    token_zero_left_out=counted(lambda guesses, targets: hits(guesses, targets) & (targets > 0), lambda t: t > 0),
)


share_filled_in.mistake(
    "Your count of right ones leaves out token 0, which can be asked for like any other. The sign for 'not asked' is "
    "-100.",
    hits_of_zero_not_counted=counted(lambda guesses, targets: hits(guesses, targets) & (targets > 0), asked_for),
)


share_filled_in.mistake(
    "You count token 0 among the right ones, and not among those asked for. Divide by (targets != -100).sum().",
    zero_not_counted_below=counted(hits, lambda targets: targets > 0),
)


share_filled_in.mistake(
    "You divide by the places where nothing is asked. Divide by the number of words that are asked for: targets != "
    "-100.",
    of_those_not_asked=counted(hits, lambda targets: targets == -100),
)


share_filled_in.mistake(
    "You divide by the number of sentences. Divide by the number of words that are asked for.",
    of_the_sentences=counted(hits, lambda targets: torch.ones(len(targets))),
)


share_filled_in.mistake(
    "You divide by the length T of a sentence. Divide by the number of words that are asked for.",
    of_the_length=counted(hits, lambda targets: torch.ones(targets.shape[1])),
)


share_filled_in.mistake(
    "You divide by the number of right ones, so the share is always 1. Divide by how many are asked for.",
    of_the_right_ones=lambda logits, targets: float((logits.argmax(-1) == targets).any()),
)


share_filled_in.mistake(
    "You take the share of each sentence, and then their mean. Put all words together first.",
    mean_of_sentences=by_sentence(lambda shares: sum(shares) / len(shares)),
)


share_filled_in.mistake(
    "A sentence without a gap has no share: 0 / 0 is NaN. Put the words of all sentences together first.",
    mean_of_sentences_with_nan=lambda logits, targets: (
        torch.tensor([share_filled_in(x[None], y[None]) for x, y in zip(logits, targets, strict=True)]).mean().item()
    ),
)


share_filled_in.mistake(
    "You count whole sentences in which every word asked for is right. Count words.",
    whole_sentences=by_sentence(lambda shares: sum(share == 1 for share in shares) / len(shares)),
)


share_filled_in.mistake(
    "You look at the last sentence only, as if each one overwrote the one before. Put all words together.",
    last_sentence_only=lambda logits, targets: share_filled_in(logits[-1:], targets[-1:]),
)


share_filled_in.mistake(
    "You look at the first word only, as if `return` stood inside the loop. Count all of them.",
    first_word_only=of_words(lambda logits, targets: right_ones(logits, targets)[0]),
)


share_filled_in.mistake(
    "You compare the guess at place t with target t + 1, as for a GPT. A BERT answers at the place itself.",
    shifted=lambda logits, targets: share_filled_in(logits[:, :-1], targets[:, 1:]),
)


# What is made of them.


share_filled_in.mistake(
    "That is in percent. Asked is a share, from 0 to 1.",
    percent=lambda logits, targets: 100 * share_filled_in(logits, targets),
)


share_filled_in.mistake(
    "That is the share of wrong guesses.", share_of_wrong_ones=lambda *case: 1 - share_filled_in(*case)
)


share_filled_in.mistake(
    "That is how many are right. Divide by how many are asked for.",
    how_many=counted(hits, lambda targets: torch.ones(1)),
)


share_filled_in.mistake(
    "That is how many are asked for. Count those at which the largest logit is the right word's, and divide by it.",
    how_many_asked=lambda logits, targets: int((targets != -100).sum()),
)


share_filled_in.mistake(
    "// divides without a remainder: the share is 0 unless all are right. Use /.",
    whole_division=lambda *case: float(int(share_filled_in(*case))),
)


share_filled_in.mistake(
    "You round the share. Return it as it is.", rounded=lambda *case: float(round(share_filled_in(*case)))
)


share_filled_in.mistake(
    "You round the share to a few digits. Return it as it is.",
    two_digits=lambda *case: round(share_filled_in(*case), 2),
)


share_filled_in.mistake(
    "You return two numbers. Asked is one: how many are right, divided by how many are asked for.",
    both_numbers=lambda logits, targets: (
        int((logits.argmax(-1) == targets).sum()),
        int((targets != -100).sum()),
    ),
)


share_filled_in.mistake(
    "mean() needs floats: right or wrong are True and False. Write .float().mean().",
    mean_of_truths=share_filled_in.changed(".float()", ""),
)


share_filled_in.mistake(
    "That is right or wrong for each word. Return the share: .float().mean().item().",
    one_for_each_word=lambda logits, targets: (logits.argmax(-1) == targets)[targets != -100],
)


share_filled_in.mistake(
    "You ask whether all are right. Count them: .float().mean().",
    all_right=of_words(lambda logits, targets: right_ones(logits, targets).all()),
)


# What counts as a guess.


share_filled_in.mistake(
    "That is the mean probability of the right words. Accuracy counts: is the right word the first guess?",
    mean_probability=of_words(lambda logits, targets: logits.softmax(-1).gather(1, targets[:, None]).float().mean()),
)


share_filled_in.mistake(
    "That is the loss. Accuracy counts: is the right word the first guess?", the_loss=of_words(F.cross_entropy)
)


share_filled_in.mistake(
    "You count a word as right where its probability is above 1/2. It is right where its logit is the largest.",
    more_than_half=of_words(
        lambda logits, targets: (logits.softmax(-1).gather(1, targets[:, None]) > 0.5).float().mean()
    ),
)


share_filled_in.mistake(
    "You count a word as right where its logit is above 0. It is right where its logit is the largest.",
    positive_logit=of_words(lambda logits, targets: (logits.gather(1, targets[:, None]) > 0).float().mean()),
)


share_filled_in.mistake(
    "argmin takes the smallest logit. The guess is the largest: argmax.",
    smallest_logit=share_filled_in.changed("argmax", "argmin"),
)


share_filled_in.mistake(
    "You compare the largest logit itself with the word's number. The guess is its place: argmax.",
    largest_value=of_words(lambda logits, targets: (logits.amax(-1) == targets).float().mean()),
)


share_filled_in.mistake(
    "You compare the largest logit, made a whole number, with the word's number. The guess is its place: argmax.",
    largest_value_rounded=of_words(lambda logits, targets: (logits.amax(-1).long() == targets).float().mean()),
)


share_filled_in.mistake(
    "argmax(dim=1) runs over the places of a sentence, or over the words asked for one after the other. The classes "
    "are "
    "the last dimension: dim=-1.",
    argmax_over_time=lambda logits, targets: (logits.argmax(dim=1) == targets)[targets != -100].float().mean().item(),
)


share_filled_in.mistake(
    "argmax(dim=0) runs over the words asked for. The classes are the last dimension: dim=-1.",
    argmax_over_words=of_words(lambda logits, targets: (logits.argmax(0) == targets).float().mean()),
)


share_filled_in.mistake(
    "argmax without dim gives one place in all the numbers. Each row has its guess: argmax(dim=-1).",
    argmax_of_everything=of_words(lambda logits, targets: (logits.argmax() == targets).float().mean()),
)


share_filled_in.mistake(
    "max(dim=-1) gives two things, values and indices. The guess is the second: .indices, or argmax.",
    pair_of_max=of_words(lambda logits, targets: (logits.max(dim=-1) == targets).float().mean()),
)


share_filled_in.mistake(
    "Words are numbered from 0, and you add 1 to the guess.",
    guess_and_one=of_words(lambda logits, targets: (logits.argmax(-1) + 1 == targets).float().mean()),
)


share_filled_in.mistake(
    "You count a word as right where it is among the first two guesses. The first one alone counts.",
    among_two=of_words(lambda logits, targets: (logits.topk(2, -1).indices == targets[:, None]).any(1).float().mean()),
)


share_filled_in.mistake(
    "You choose the places in the logits only. Choose the same in the targets: targets[asked].",
    targets_not_chosen=lambda logits, targets: (
        (logits[targets != -100].argmax(-1) == targets.flatten()).float().mean().item()
    ),
)


share_filled_in.hints(
    "asked = targets != -100, and only logits[asked] and targets[asked] count.",
    "The guess is the place of the largest logit: argmax(dim=-1).",
    "(guesses == targets[asked]).float().mean().item()",
)
