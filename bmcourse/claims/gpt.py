"""What lesson 12 says of heads that copy, fine-tuning, LoRA and preferences, measured on small GPTs."""

import copy
import functools

import torch
import torch.nn.functional as F

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.explain.induction import copying_losses, head_scores, repeated_tokens, start_with_waves, without_heads
from bmcourse.finetuning import (
    add_lora,
    answer_batch,
    answer_log_probability,
    answers,
    fine_tune,
    prefer,
    trainable_parameters,
)
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.optimizers import Muon
from bmcourse.recipes import load_gpt
from bmcourse.training import evaluate

SYMBOLS, LENGTH, COPY_STEPS, EVERY = 63, 24, 250, 25
TASKS, QUESTIONS, STEPS, BATCH, RANK = 2000, 200, 200, 16, 8
FULL_LR, LORA_LR, MORE_LR, DPO_LR, BETA, MORE_STEPS = 1e-3, 3e-3, 3e-4, 1e-4, 0.1, 60

# ---------------------------------------------------------------- heads that copy


@functools.cache
def copier(seed):
    """A GPT of two layers trained on texts that begin again, and its copying_losses every EVERY steps."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = GPT(GPTConfig(SYMBOLS, context=LENGTH, layers=2, heads=2, channels=48))
    start_with_waves(model)
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    optimizers = Muon(matrices, 0.02, dtype=torch.float32), torch.optim.AdamW(others, lr=3e-3)
    curve = [copying_losses(model, *repeats(seed))]
    for step in range(1, COPY_STEPS + 1):
        texts, _ = repeated_tokens(32, LENGTH, SYMBOLS, generator)
        F.cross_entropy(model(texts[:, :-1]).flatten(0, 1), texts[:, 1:].flatten()).backward()
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
        if step % EVERY == 0:
            curve.append(copying_losses(model, *repeats(seed)))
    return model.eval(), curve


def repeats(seed, length=LENGTH, symbols=SYMBOLS):
    """Texts that begin again, which no model was trained on, and after how many tokens they do."""
    return repeated_tokens(64, length, symbols, torch.Generator().manual_seed(1000 + seed))


def copying_curve(seed):
    """The losses on what can be copied, and on the rest, every EVERY steps from step 0."""
    return [[round(loss, 3) for loss in column] for column in zip(*copier(seed)[1], strict=True)]


@claim(
    "A small GPT learns to copy all at once: the best fifth of its training brings half of the whole fall of the loss "
    "on tokens that stood there before.",
    unit="% of the fall in a fifth of the steps",
    at_least=50.0,
    table=copying_curve,
)
def copying_comes_suddenly(seed):
    copied = [loss for loss, _ in copier(seed)[1]]
    window = COPY_STEPS // EVERY // 5
    falls = [copied[place] - copied[place + window] for place in range(len(copied) - window)]
    return 100 * max(falls) / (copied[0] - copied[-1])


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
def tuned(seed):
    """The course's GPT, all of its weights fine-tuned on the answers."""
    model = copy.deepcopy(course_gpt()[0])
    fine_tune(model, tasks(seed)[0], STEPS, FULL_LR, BATCH, seed)
    return model


@functools.cache
def with_lora(seed):
    """The same with LoRA: as many steps, on the same batches."""
    torch.manual_seed(seed)  # of its matrices A
    model = add_lora(course_gpt()[0], RANK)
    fine_tune(model, tasks(seed)[0], STEPS, LORA_LR, BATCH, seed)
    return model


@functools.cache
def documentation():
    """What documentation the course's GPT has not read, as tokens."""
    return torch.tensor(course_gpt()[1].encode(data.python_docs().validation[:20_000]))


def forgotten(model):
    """By how many nats a token the loss on documentation has risen."""
    whole, now = (evaluate(some, documentation(), 128) for some in (course_gpt()[0], model))
    return now - whole


def tuning_table(seed):
    """Accuracy and nats forgotten: all weights, LoRA."""
    return [[round(accuracy(some, seed), 1), round(forgotten(some), 2)] for some in (tuned(seed), with_lora(seed))]


@claim(
    "Who has read much learns faster: fine-tuned from the course's GPT the tasks are learned better than from random "
    "weights in as many steps.",
    unit="points of accuracy ahead",
    at_least=5.0,
)
def pretraining_pays(seed):
    torch.manual_seed(seed)
    new = GPT(course_gpt()[0].config).eval()
    fine_tune(new, tasks(seed)[0], STEPS, FULL_LR, BATCH, seed)
    return accuracy(tuned(seed), seed) - accuracy(new, seed)


@claim(
    "Training on the answers only beats training on prompts and answers. (As many steps.)",
    unit="points of accuracy ahead",
    at_least=5.0,
)
def answers_only_beats_everything(seed):
    model = copy.deepcopy(course_gpt()[0])
    everything = [(prompt[:1], prompt[1:] + answer) for prompt, answer in tasks(seed)[0]]
    fine_tune(model, everything, STEPS, FULL_LR, BATCH, seed)
    return accuracy(tuned(seed), seed) - accuracy(model, seed)


@claim(
    "LoRA learns as well as fine-tuning all weights does. (Here with 6 % of the numbers, and as many steps.)",
    unit="% of the accuracy",
    at_least=90.0,
    belief=True,
    table=tuning_table,
)
def lora_learns_as_well(seed):
    assert trainable_parameters(with_lora(seed)) < 0.065 * trainable_parameters(course_gpt()[0])
    return 100 * accuracy(with_lora(seed), seed) / accuracy(tuned(seed), seed)


@claim(
    "LoRA forgets less of what the model knew than fine-tuning all weights does.",
    unit="nats less forgotten",
    belief=True,
)
def lora_forgets_less(seed):
    return forgotten(tuned(seed)) - forgotten(with_lora(seed))


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
def preferring(seed):
    """The fine-tuned model after DPO on its own mistakes."""
    model = copy.deepcopy(tuned(seed))
    prefer(model, preferences(seed), MORE_STEPS, DPO_LR, BETA, BATCH, seed)
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
    "DPO, with the model's own wrong answers as what it should not say, gives more right answers than as many more "
    "steps on right answers alone.",
    unit="points more answers right",
    opposite="points fewer answers right",
    belief=True,
)
def dpo_beats_more_answers(seed):
    longer = copy.deepcopy(tuned(seed))
    fine_tune(longer, tasks(seed)[0], MORE_STEPS, MORE_LR, 2 * BATCH, seed + 50)
    return accuracy(preferring(seed), seed) - accuracy(longer, seed)
