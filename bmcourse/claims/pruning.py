"""What lesson 10 says of pruning, fewer bits and distillation, measured: an MLP reads digits, and the course's GPT."""

import functools
import time
import warnings

import torch
import torch.nn.functional as F
from torch import nn

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.mlp import MLP
from bmcourse.pruning import apply_masks, gradual_rate, prunable_weights, prune_model, sparsity_report
from bmcourse.quantization import (
    file_bytes,
    quantize_dynamic,
    replace_layers,
)
from bmcourse.recipes import load_gpt
from bmcourse.training import evaluate

SIZES, EPOCHS, TUNING, BATCH = (64, 300, 100, 10), 15, 5, 64
RATES, HIGH_RATES = (0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), (0.8, 0.9, 0.95, 0.97)
TICKET_EPOCHS = (0, 1, 2, 3, 5, 8, 10, 15, 20, 30, 40, 60)
ROUNDS = 12
INPUT_RATES = (0.5, 0.7, 0.8, 0.9)


# ---------------------------------------------------------------- digits


@functools.cache
def digits(seed):
    """The digits as rows of 64 pixels, split by `seed`: training rows, their labels, validation rows, their labels."""
    split = data.digits(seed=seed)
    return (
        split.train_images.flatten(1),
        split.train_labels,
        split.validation_images.flatten(1),
        split.validation_labels,
    )


@torch.no_grad()
def accuracy(model, seed):
    """The share of validation digits that `model` names rightly, in percent."""
    _, _, x, y = digits(seed)
    return 100 * (model(x).argmax(1) == y).float().mean().item()


def new_mlp(seed, sizes=SIZES):
    torch.manual_seed(seed)
    return MLP(sizes)


def fit(model, seed, epochs, count=None):
    """Train `model` itself on the first `count` digits; the accuracy after each epoch."""
    x, y, _, _ = digits(seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    accuracies = []
    for _ in range(epochs):
        for rows in torch.randperm(len(x[:count]), generator=generator).split(BATCH):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracies.append(accuracy(model, seed))
    return accuracies


@functools.cache
def dense(seed):
    """The MLP that all is measured against, trained."""
    model = new_mlp(seed)
    fit(model, seed, EPOCHS)
    return model


def pruned(seed, rate, method="global"):
    return prune_model(dense(seed), rate, method, generator=torch.Generator().manual_seed(seed))


def curves(seed):
    """Accuracies at RATES: global, layer and random without fine-tuning, then the same three after TUNING epochs."""
    methods = "global", "layer", "random"
    at_once = [[accuracy(pruned(seed, rate, method), seed) for rate in RATES] for method in methods]
    tuned = [[fit(pruned(seed, rate, method), seed, TUNING)[-1] for rate in RATES] for method in methods]
    return [[round(percent, 1) for percent in row] for row in at_once + tuned]


@claim(
    "At 90 % zeros and without fine-tuning, the smallest weights of all layers together are a better choice than the "
    "smallest of each layer, and these are better than weights drawn at random.",
    unit="points, the smaller of the leads",
    table=curves,
)
def global_beats_layer_beats_random(seed):
    together, each, lot = (accuracy(pruned(seed, 0.9, method), seed) for method in ("global", "layer", "random"))
    return min(together - each, each - lot)


@claim(
    "Half of the weights can go without any fine-tuning: it costs less than two points of accuracy.",
    unit="points, against all the weights",
    at_least=-2.0,
)
def half_the_weights_go_for_nothing(seed):
    return accuracy(pruned(seed, 0.5), seed) - accuracy(dense(seed), seed)


@claim(
    "At 90 % zeros five epochs of fine-tuning bring back most of the accuracy that was lost.",
    unit="% of the loss brought back",
    at_least=60.0,
)
def fine_tuning_brings_it_back(seed):
    model = pruned(seed, 0.9)
    before, whole = accuracy(model, seed), accuracy(dense(seed), seed)
    return 100 * (fit(model, seed, TUNING)[-1] - before) / (whole - before)


@claim(
    "Fine-tuned without its mask, a model of 90 % zeros loses most of them in one epoch.",
    unit="points of sparsity lost",
    at_least=50.0,
)
def without_the_mask_zeros_grow_back(seed):
    model = new_mlp(seed)
    model.load_state_dict(pruned(seed, 0.9).state_dict())  # plain weights, which know of no mask
    fit(model, seed, 1)
    return 100 * (0.9 - sparsity_report(model).sparsity)


# ---------------------------------------------------------------- tickets and schedules


@functools.cache
def tickets(seed):
    """Accuracies after each of TICKET_EPOCHS of four networks, a row each, all but the last with 80 % zeros.

    The winning ticket (its mask and first weights); its mask with other weights; the same number of zeros in every
    layer, but drawn, with the ticket's first weights; and the dense network.
    Source: Frankle and Carbin, "The Lottery Ticket Hypothesis", 2019, section 4 (global); pruned once, not in rounds.
    """
    masks = {name: weight != 0 for name, weight in prunable_weights(pruned(seed, 0.8)).items()}
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: shuffle(mask, generator) for name, mask in masks.items()}
    runs = []
    for start, chosen in ((seed, masks), (seed + 1000, masks), (seed, drawn), (seed, {})):
        model = new_mlp(start)
        apply_masks(model, chosen)
        accuracies = [accuracy(model, seed), *fit(model, seed, TICKET_EPOCHS[-1])]
        runs.append([round(accuracies[epoch], 1) for epoch in TICKET_EPOCHS])
    return runs


def shuffle(mask, generator):
    """As many True in a mask of the same shape, at places that are drawn."""
    return mask.flatten()[torch.randperm(mask.numel(), generator=generator)].view(mask.shape)


@claim(
    "A winning ticket (80 % zeros, the rest as it was before training) reads digits before it has been trained at all: "
    "the choice of what stays has already learned.",
    unit="points more than the dense network, both untrained",
    at_least=20.0,
)
def winning_tickets_read_untrained(seed):
    """Source: Zhou et al., "Deconstructing Lottery Tickets", 2019, section 5, who call such a mask a supermask."""
    ticket, _, _, whole = tickets(seed)
    return ticket[0] - whole[0]


@claim(
    "A winning ticket learns faster than the same mask with new weights, and than a drawn mask with its own: after "
    "five epochs it is ahead of the better of the two.",
    unit="points of accuracy ahead",
    at_least=5.0,
    table=tickets,
)
def winning_tickets_start_ahead(seed):
    ticket, *rivals, _ = (row[TICKET_EPOCHS.index(5)] for row in tickets(seed))
    return ticket - max(rivals)


@claim(
    "A winning ticket ends better than a network whose mask is drawn, with as many zeros in every layer. (60 epochs.)",
    unit="points more accurate",
    opposite="points less accurate",
    belief=True,
)
def winning_tickets_end_better(seed):
    ticket, _, drawn, _ = tickets(seed)
    return ticket[-1] - drawn[-1]


@functools.cache
def in_stages(seed, rate, stages):
    """The accuracy after 15 epochs of fine-tuning, in which the zeros grew to `rate` in so many stages."""
    model = dense(seed)
    for stage in range(1, stages + 1):
        model = prune_model(model, gradual_rate(stage, 0, stages, rate))
        accuracies = fit(model, seed, EPOCHS // stages)
    return accuracies[-1]


def one_shot_and_gradual(seed):
    """The accuracies at HIGH_RATES: pruned at once, and in five stages."""
    return [[round(in_stages(seed, rate, stages), 1) for rate in HIGH_RATES] for stages in (1, 5)]


@claim(
    "Pruning little by little beats pruning all at once. (90 % zeros, 15 epochs of fine-tuning for both.)",
    unit="points more accurate",
    opposite="points less accurate",
    belief=True,
    table=one_shot_and_gradual,
)
def iterative_beats_one_shot(seed):
    return in_stages(seed, 0.9, 5) - in_stages(seed, 0.9, 1)


@claim(
    "Where hardly any weight may stay, small steps pay: 97 % zeros reached in five stages keep more accuracy than "
    "97 % at once, in as many epochs.",
    unit="points of accuracy ahead",
    at_least=5.0,
)
def gradual_pruning_saves_97_percent(seed):
    return in_stages(seed, 0.97, 5) - in_stages(seed, 0.97, 1)


# ---------------------------------------------------------------- the course's GPT


@functools.cache
def gpt():
    """The course's GPT, tokens of the documentation's training text, and 5,120 of its validation text."""
    model, tokenizer = load_gpt()
    text = data.python_docs()
    train = torch.tensor(tokenizer.encode(text.train[:100_000]))
    return model, train, torch.tensor(tokenizer.encode(text.validation[:20_000]))[:5121]


@functools.cache
def gpt_loss(method, seed):
    """The loss of the GPT in nats a token, half of its weights pruned; the seed draws the 16 texts it looks at."""
    model, train, validation = gpt()
    texts, _ = data.get_batch(train, 16, model.config.context, torch.Generator().manual_seed(seed))
    half = prune_model(model, 0.5, method, inputs=texts) if method else model
    return evaluate(half, validation, model.config.context)


def losses_of_half_a_gpt(seed):
    return [round(gpt_loss(method, seed), 3) for method in (None, "layer", "wanda", "sparsegpt")]


@claim(
    "Wanda, which looks at the inputs, beats magnitude. (Here: the course's GPT, half of each layer, no fine-tuning. "
    "Its authors measured it on models of billions of weights: Sun et al., 2023.)",
    unit="nats better",
    opposite="nats worse",
    belief=True,
    table=losses_of_half_a_gpt,
)
def wanda_beats_magnitude(seed):
    return gpt_loss("layer", seed) - gpt_loss("wanda", seed)


def accuracies_by_inputs(seed):
    """The accuracies at INPUT_RATES without fine-tuning: magnitude per layer, Wanda, SparseGPT."""
    methods, inputs = ("layer", "wanda", "sparsegpt"), digits(seed)[0]
    return [
        [round(accuracy(prune_model(dense(seed), rate, method, inputs=inputs), seed), 1) for rate in INPUT_RATES]
        for method in methods
    ]


@claim(
    "Wanda beats magnitude on this lesson's network, too. (80 % zeros in each layer, no fine-tuning.)",
    unit="points more accurate",
    opposite="points less accurate",
    belief=True,
    table=accuracies_by_inputs,
)
def wanda_beats_magnitude_on_digits(seed):
    magnitude, wanda, _ = accuracies_by_inputs(seed)
    return wanda[INPUT_RATES.index(0.8)] - magnitude[INPUT_RATES.index(0.8)]


# ---------------------------------------------------------------- time and size


class CSRLinear(nn.Module):
    """A linear layer that stores and multiplies only the weights that are not 0, row after row."""

    def __init__(self, layer):
        super().__init__()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            self.weight, self.bias = layer.weight.detach().to_sparse_csr(), layer.bias

    def forward(self, x):
        output = (self.weight @ x.flatten(0, -2).T).T.view(*x.shape[:-1], -1)
        return output if self.bias is None else output + self.bias


def as_csr(model):
    return replace_layers(model, nn.Linear, lambda _, layer: CSRLinear(layer))


@functools.cache
def speeds(seed):
    """How many times as fast as dense a GPT of 4 × 512 reads 128 tokens, in one thread, in each of five ways.

    90 % zeros, 50 % and 90 % in CSR, half of its parameters cut out, int8. Each time is the shortest of many, taken in
    turns. The weights are random, since the time does not depend on them.
    """
    torch.manual_seed(seed)
    model = GPT(GPTConfig(1024, context=128, layers=4, heads=8, channels=512)).eval()
    tokens = torch.randint(1024, (1, 128))
    sparse = prune_model(model, 0.9)
    ways = [model, sparse, as_csr(prune_model(model, 0.5)), as_csr(sparse), prune_model(model, 0.5, "structured")]
    ways.append(quantize_dynamic(model))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rounds = [[seconds(way, tokens) for way in ways] for _ in range(ROUNDS)]
    torch.set_num_threads(threads)
    whole, *others = map(min, zip(*rounds, strict=True))
    return [round(whole / other, 3) for other in others]


@torch.inference_mode()
def seconds(model, tokens):
    start = time.process_time()
    model(tokens)
    return time.process_time() - start


@claim(
    "A model of which 90 % are zeros answers faster. (A GPT on a CPU, its matrices stored as ever.)",
    unit="times as fast",
    at_least=1.2,
    belief=True,
)
def zeros_make_it_faster(seed):
    return speeds(seed)[0]


@claim(
    "A GPT of which half has been cut out, whole neurons and heads, answers faster.",
    unit="times as fast",
    at_least=1.3,
    table=speeds,
)
def structured_pruning_saves_time(seed):
    return speeds(seed)[3]


@claim(
    "The file of a model with 90 % zeros is as big as before; only zipped is it several times as small.",
    unit="times as small, both zipped",
    at_least=4.0,
)
def zeros_shrink_only_a_zipped_file(seed):
    """How much smaller; 0 where the files that are not zipped differ."""
    whole, sparse = dense(seed), pruned(seed, 0.9)
    same = file_bytes(whole) == file_bytes(sparse)
    return file_bytes(whole, compressed=True) / file_bytes(sparse, compressed=True) if same else 0.0
