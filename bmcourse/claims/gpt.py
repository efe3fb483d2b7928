"""What lesson 15 says of heads that copy, fine-tuning, LoRA and preferences, measured on small GPTs."""

import copy
import functools

import torch
import torch.nn.functional as F

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.claims.training import documentation as characters
from bmcourse.explain.induction import copying_losses, head_scores, repeated_tokens, start_with_waves, without_heads
from bmcourse.finetuning import (
    add_lora,
    answer_batch,
    answer_log_probability,
    answers,
    fine_tune,
    prefer,
)
from bmcourse.models.fast_gpt import FastGPT, FastGPTConfig
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.optimizers import Muon
from bmcourse.recipes import load_gpt
from bmcourse.training import evaluate

SYMBOLS, LENGTH, COPY_STEPS, EVERY = 63, 24, 250, 25
TASKS, QUESTIONS, STEPS, BATCH, RANK = 2000, 200, 200, 16, 8
RATES = ("full", (1e-4, 3e-4, 1e-3)), ("LoRA", (1e-3, 3e-3, 1e-2))
# The rates are the best of those tried on two other seeds; there β 0.1 gave 61.0 % right answers and β 0.5 59.9 %.
FULL_LR, DPO_LR, BETA, MORE_LR, MORE_STEPS = 1e-3, 3e-5, 0.5, 1e-4, 60
LARGE_LR, LOOSE = 1e-4, 0.1
RIVALS_RATES = (3e-4, 1e-3, 3e-3)

# ---------------------------------------------------------------- heads that copy


def train_to_copy(model, draw, measure):
    """Train `model` on the texts that `draw()` gives; what `measure()` says before, and after every EVERY steps."""
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    optimizers = Muon(matrices, 0.02, dtype=torch.float32), torch.optim.AdamW(others, lr=3e-3)
    curve = [measure()]
    for step in range(1, COPY_STEPS + 1):
        texts = draw()
        F.cross_entropy(model(texts[:, :-1]).flatten(0, 1), texts[:, 1:].flatten()).backward()
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
        if step % EVERY == 0:
            curve.append(measure())
    return curve


def train_on_repeats(model, seed):
    """Train `model` itself on texts that begin again; its copying_losses every EVERY steps."""
    generator = torch.Generator().manual_seed(seed)
    return train_to_copy(
        model,
        lambda: repeated_tokens(32, LENGTH, SYMBOLS, generator)[0],
        lambda: copying_losses(model, *repeats(seed)),
    )


@functools.cache
def copier(seed):
    """A GPT of two layers trained on texts that begin again, and its copying_losses every EVERY steps."""
    torch.manual_seed(seed)
    model = GPT(GPTConfig(SYMBOLS, context=LENGTH, layers=2, heads=2, channels=48))
    start_with_waves(model)
    curve = train_on_repeats(model, seed)
    return model.eval(), curve


@functools.cache
def reader_of_characters(seed):
    """The loss on unread documentation, every EVERY steps, of the same GPT that learns to read characters."""
    ids, unread, vocabulary_size = characters()
    torch.manual_seed(seed)
    model, generator = GPT(GPTConfig(vocabulary_size, LENGTH, 2, 2, 48)), torch.Generator().manual_seed(seed)
    start_with_waves(model)

    def draw():
        starts = torch.randint(len(ids) - LENGTH, (32,), generator=generator)
        return ids[starts[:, None] + torch.arange(LENGTH)]

    return train_to_copy(model, draw, lambda: evaluate(model, unread[:20_000], LENGTH - 1))


def repeats(seed, length=LENGTH, symbols=SYMBOLS):
    """Texts that begin again, which no model was trained on, and after how many tokens they do."""
    return repeated_tokens(64, length, symbols, torch.Generator().manual_seed(1000 + seed))


def copying_curve(seed):
    """The losses on what can be copied, and on the rest, every EVERY steps from step 0."""
    return [[round(loss, 3) for loss in column] for column in zip(*copier(seed)[1], strict=True)]


def first_fifth(losses):
    """The share of the whole fall, in percent, that the first fifth of the training brings."""
    return 100 * (losses[0] - losses[(len(losses) - 1) // 5]) / (losses[0] - losses[-1])


@claim(
    "Copying comes late. In the first fifth of its training a small GPT hardly learns any of it, while the same GPT on "
    "ordinary characters makes most of its progress there.",
    unit="points less of the whole fall of the loss",
    at_least=30.0,
    table=copying_curve,
)
def copying_comes_late(seed):
    return first_fifth(reader_of_characters(seed)) - first_fifth([loss for loss, _ in copier(seed)[1]])


@claim(
    "One layer of plain attention does not learn to copy. One layer whose keys have seen the token before does.",
    unit="nats less on what can be copied",
    at_least=1.0,
)
def one_layer_copies_if_keys_know_their_neighbour(seed):
    """Source of the shift: So et al., "Primer", 2021."""
    losses = []
    for shift in (False, True):
        torch.manual_seed(seed)
        model = FastGPT(FastGPTConfig(SYMBOLS, context=LENGTH, layers=1, heads=2, channels=48, shift=shift))
        losses.append(train_on_repeats(model, seed)[-1][0])
    return losses[0] - losses[1]


def matching_heads(model, texts):
    """All heads as (layer, head), those first that look most at what followed the present token earlier."""
    matching, _ = head_scores(model, texts[:16])
    return [divmod(place, model.config.heads) for place in matching.flatten().argsort(descending=True).tolist()]


def harm(model, heads, texts, periods):
    """By how many nats the losses rise without these heads: on what can be copied, and on the rest."""
    whole, less = (copying_losses(some, texts, periods) for some in (model, without_heads(model, heads)))
    return less[0] - whole[0], less[1] - whole[1]


@claim(
    "Two heads carry the copying: without the two that look most at what came next the last time, the loss rises on "
    "tokens that can be copied, and hardly on the others.",
    unit="nats more on what can be copied than on the rest",
    at_least=2.0,
)
def two_heads_carry_the_copying(seed):
    model, (texts, periods) = copier(seed)[0], repeats(seed)
    copied, rest = harm(model, matching_heads(model, texts)[:2], texts, periods)
    return copied - rest


@functools.cache
def course_gpt():
    return load_gpt()


@claim(
    "A GPT that learned from ordinary text can copy. (Here: the course's, which read documentation; random tokens that "
    "come for the second time should surprise it less than those that come for the first.)",
    unit="nats less surprised",
    opposite="nats more surprised",
    at_least=0.5,
    belief=True,
)
def the_courses_gpt_copies(seed):
    model, _ = course_gpt()
    copied, rest = copying_losses(model, *repeats(seed, 64, model.config.vocabulary_size))
    return rest - copied


# ---------------------------------------------------------------- tasks with answers that can be checked


@functools.cache
def tasks(seed):
    """Training pairs, and pairs to ask about that have other letters, as tokens of the course's GPT."""
    generator, tokenizer = torch.Generator().manual_seed(seed), course_gpt()[1]
    pairs = [tuple(map(tokenizer.encode, pair)) for pair in data.instructions(TASKS + QUESTIONS, generator)]
    known = {tuple(prompt) for prompt, _ in pairs[:TASKS]}
    return pairs[:TASKS], [pair for pair in pairs[TASKS:] if tuple(pair[0]) not in known]


def accuracy(model, seed):
    """The share of new questions that the model answers exactly right, in percent."""
    questions, end = tasks(seed)[1], course_gpt()[1].encode("\n")[0]
    given = answers(model, [prompt for prompt, _ in questions], end, longest=6)
    return 100 * sum(came == right for came, (_, right) in zip(given, questions, strict=True)) / len(questions)


@functools.cache
def tuned(seed, kind="full", lr=FULL_LR):
    """The course's GPT fine-tuned on the answers, on the same batches: kind "full", all of its weights, or "LoRA"."""
    torch.manual_seed(seed)  # of LoRA's matrices A
    whole = course_gpt()[0]
    model = copy.deepcopy(whole) if kind == "full" else add_lora(whole, RANK)
    fine_tune(model, tasks(seed)[0], STEPS, lr, BATCH, seed)
    return model


@functools.cache
def documentation():
    """What documentation the course's GPT has not read, as tokens."""
    return torch.tensor(course_gpt()[1].encode(data.python_docs().validation[:20_000]))


def forgotten(model):
    """By how many nats a token the loss on documentation has risen."""
    whole, now = (evaluate(some, documentation(), 128) for some in (course_gpt()[0], model))
    return now - whole


@functools.cache
def tuning_table(seed):
    """Accuracy and nats forgotten at each of three learning rates: all weights, LoRA."""
    models = [[tuned(seed, kind, lr) for lr in rates] for kind, rates in RATES]
    return [[(round(accuracy(some, seed), 1), round(forgotten(some), 2)) for some in row] for row in models]


def best_right(make, pairs, seed):
    """The accuracy of the model that `make()` gives, fine-tuned on `pairs`, at the best of RIVALS_RATES."""
    rights = []
    for lr in RIVALS_RATES:
        torch.manual_seed(seed)  # of random weights
        model = make()
        fine_tune(model, pairs, STEPS, lr, BATCH, seed)
        rights.append(accuracy(model, seed))
    return max(rights)


@claim(
    "Who has read much learns faster: fine-tuned from the course's GPT the tasks are learned better than from random "
    "weights in as many steps. (The random ones at their best of three learning rates.)",
    unit="points of accuracy ahead",
    opposite="points of accuracy behind",
    belief=True,
)
def pretraining_pays(seed):
    untrained = best_right(lambda: GPT(course_gpt()[0].config).eval(), tasks(seed)[0], seed)
    return accuracy(tuned(seed), seed) - untrained


@claim(
    "Training on the answers only beats training on prompts and answers. (As many steps; the rival at its best of "
    "three learning rates.)",
    unit="points of accuracy ahead",
    opposite="points of accuracy behind",
    belief=True,
)
def answers_only_beats_everything(seed):
    everything = [(prompt[:1], prompt[1:] + answer) for prompt, answer in tasks(seed)[0]]
    return accuracy(tuned(seed), seed) - best_right(lambda: copy.deepcopy(course_gpt()[0]), everything, seed)


@claim(
    "LoRA learns as well as fine-tuning all weights does. (Here with 6 % of the numbers, as many steps, each at its "
    "best of three learning rates.)",
    unit="% of the accuracy",
    at_least=90.0,
    belief=True,
    table=tuning_table,
)
def lora_learns_as_well(seed):
    full, lora = (max(right for right, _ in row) for row in tuning_table(seed))
    return 100 * lora / full


@claim(
    "LoRA forgets less of what the model knew than fine-tuning all weights does. (LoRA at its best learning rate; all "
    "weights at the smallest of three at which they answer as well.)",
    unit="nats less forgotten",
    opposite="nats more forgotten",
    belief=True,
)
def lora_forgets_less(seed):
    full, lora = tuning_table(seed)
    right, lost = max(lora)
    return next(forgot for accurate, forgot in full if accurate >= right) - lost


@functools.cache
def preferences(seed, draws=4, count=600):
    """(prompt, right, wrong): the right answer, and a wrong one that the fine-tuned model itself gave."""
    pairs, end = tasks(seed)[0][:count], course_gpt()[1].encode("\n")[0]
    prompts = [prompt for prompt, _ in pairs]
    given = [answers(tuned(seed), prompts, end, longest=6, seed=10_000 * (draw + 1)) for draw in range(draws)]
    found = []
    for (prompt, right), *came in zip(pairs, *given, strict=True):
        if right in came and (wrong := next((answer for answer in came if answer != right), None)):
            found.append((prompt, right, wrong))
    return found


@functools.cache
def preferring(seed, lr=DPO_LR, beta=BETA):
    """The fine-tuned model after DPO on its own mistakes."""
    model = copy.deepcopy(tuned(seed))
    prefer(model, preferences(seed), MORE_STEPS, lr, beta, BATCH, seed)
    return model


def preferred(model, seed):
    """The mean log-probabilities of the chosen and of the rejected answers."""
    chosen = [(prompt, right) for prompt, right, _ in preferences(seed)]
    rejected = [(prompt, wrong) for prompt, _, wrong in preferences(seed)]
    batches = [answer_batch(pairs, model.config.context) for pairs in (chosen, rejected)]
    with torch.no_grad():
        return [answer_log_probability(model(inputs), targets).mean().item() for inputs, targets in batches]


@claim(
    "DPO widens the margin: after 60 steps the model prefers its right answers to its wrong ones by more than before.",
    unit="nats more",
    at_least=1.0,
)
def dpo_widens_the_margin(seed):
    before, after = (preferred(model, seed) for model in (tuned(seed), preferring(seed)))
    return (after[0] - after[1]) - (before[0] - before[1])


@claim(
    "DPO makes the answers that were chosen likelier.",
    unit="nats likelier",
    opposite="nats less likely",
    belief=True,
)
def dpo_makes_the_chosen_likelier(seed):
    return preferred(preferring(seed), seed)[0] - preferred(tuned(seed), seed)[0]


@claim(
    "At a learning rate three times as large, and held to its reference by a β of 0.1 in place of 0.5, the same DPO "
    "pushes down the answers that were chosen, too.",
    unit="nats less likely",
    at_least=0.05,
)
def a_hasty_dpo_pushes_both_down(seed):
    hasty = preferring(seed, LARGE_LR, LOOSE)
    return preferred(tuned(seed), seed)[0] - preferred(hasty, seed)[0]


@claim(
    "DPO on the model's own mistakes gives more right answers than the model gave before.",
    unit="points more answers right",
    opposite="points fewer answers right",
    at_least=2.0,
)
def dpo_gives_more_right_answers(seed):
    return accuracy(preferring(seed), seed) - accuracy(tuned(seed), seed)


@claim(
    "DPO, which also learns from what it should not say, gives more right answers than as many steps on the right "
    "answers to the same prompts. (As many answers a step; each at its best learning rate, found on other seeds.)",
    unit="points more answers right",
    opposite="points fewer answers right",
    belief=True,
)
def dpo_beats_the_right_answers_alone(seed):
    longer, pairs = copy.deepcopy(tuned(seed)), [(prompt, right) for prompt, right, _ in preferences(seed)]
    fine_tune(longer, pairs, MORE_STEPS, MORE_LR, 2 * BATCH, seed + 50)
    return accuracy(preferring(seed), seed) - accuracy(longer, seed)
