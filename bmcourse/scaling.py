"""What size costs (规模的代价): parameters, operations, memory, time and money, by formula, before anything is built.

A GPT is described by its GPTConfig. Sizes: L layers, B texts, T tokens in each (config.context), C channels, H heads,
V vocabulary, N parameters, D tokens to train on. The last two parts are scaling laws (规模定律): what size buys.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch

from bmcourse.inference import cache_bytes
from bmcourse.models.gpt import GPTConfig

# The largest models of two papers, as the course's GPT would be shaped.
# Brown et al., "Language Models are Few-Shot Learners", 2020, Table 2.1; the vocabulary is GPT-2's.
GPT3 = GPTConfig(vocabulary_size=50_257, context=2048, layers=96, heads=96, channels=12_288)
# Ramesh et al., "Zero-Shot Text-to-Image Generation" (DALL-E), 2021, sections 2.2 and B.1: 16,384 tokens of text and
# 8,192 of image; 256 and then 32 x 32 of them in one sequence.
DALLE = GPTConfig(vocabulary_size=16_384 + 8_192, context=256 + 32 * 32, layers=64, heads=62, channels=3_968)

BYTES = {"fp32": 4, "bf16": 2, "int8": 1, "int4": 0.5}  # of one number in each precision (精度)

# Bytes per parameter with Adam. In bf16 the optimizer also keeps the weights in fp32, beside its two averages in fp32:
# Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", 2020, section 3.1.
TRAINING_BYTES = {
    "fp32": {"weights": 4, "gradients": 4, "optimizer": 8},
    "bf16": {"weights": 2, "gradients": 2, "optimizer": 12},
}

# ---------------------------------------------------------------- parameters


def block_parameters(channels):
    """The parameters of one Transformer block whose feed-forward part is 4 C wide: 12 C² + 13 C."""
    attention = 4 * channels**2 + 4 * channels  # query, key, value, output: each C x C and a bias
    feed_forward = 8 * channels**2 + 5 * channels  # C to 4 C and back, with biases
    norms = 4 * channels  # two, each with a scale and a shift
    return attention + feed_forward + norms


def gpt_parameters(config, tied=False):
    """The parameters of `GPT(config)`; `tied`: token embedding and head are one table, as in GPT-2 and GPT-3."""
    tables = 1 if tied else 2
    embeddings = (tables * config.vocabulary_size + config.context) * config.channels
    blocks = config.layers * block_parameters(config.channels)
    return embeddings + blocks + 2 * config.channels  # the last norm


def bert_parameters(layers, channels, vocabulary_size=30_522, context=512):
    """The parameters of a BERT: embeddings with their norm, encoder and pooler; not the heads of its pre-training.

    The vocabulary is that of the released English models without capitals.
    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2018,
    section 3; two segments, A and B.
    """
    embeddings = (vocabulary_size + context + 2) * channels + 2 * channels
    pooler = channels**2 + channels
    return embeddings + layers * block_parameters(channels) + pooler


def parameters_by_part(config):
    """How many parameters each part of a GPT of that GPTConfig has, as {part: number}; the heads do not matter."""
    C, V = config.channels, config.vocabulary_size
    return {
        "token embedding": V * C,
        "position embedding": config.context * C,
        "attention: projections": config.layers * (4 * C * C + 4 * C),  # query, key, value and output, with biases
        "attention: scores, T × T": 0,
        "feed-forward": config.layers * (8 * C * C + 5 * C),  # C → 4 C → C, with biases
        "norms": (2 * config.layers + 1) * 2 * C,
        "output head": C * V,
    }


# ---------------------------------------------------------------- floating-point operations


def forward_flops(parameters, tokens):
    """About 2 N operations for each token read or written: a multiplication and an addition per parameter.

    The products of queries, keys and values are left out: they cost little while the context is well below 12 C.
    Source: Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1. Raises ValueError below 0.
    """
    for name, value in (("parameters", parameters), ("tokens", tokens)):
        if not value >= 0:
            raise ValueError(f"{name} is {value}; a number of {name} of 0 or more was expected.")
    return 2 * parameters * tokens


def training_flops(parameters, tokens):
    """About 6 N D: forward, and twice as much backward. For a mixture of experts (混合专家) N is the active parameters.

    Source and errors: forward_flops.
    """
    return 3 * forward_flops(parameters, tokens)


def flops_by_part(config):
    """The FLOPs of a GPT's matrix products, forward, for one sequence as long as the context, as {part: number}.

    A product (n, k) @ (k, m) is 2 n k m FLOPs. The scores T × T are counted whole: a causal mask saves nothing here.
    """
    C, T = config.channels, config.context
    return {
        "token embedding": 0,  # a row is looked up, nothing is multiplied
        "position embedding": 0,
        "attention: projections": config.layers * 2 * T * 4 * C * C,
        "attention: scores, T × T": config.layers * 2 * 2 * T * T * C,  # query @ key, then weights @ value
        "feed-forward": config.layers * 2 * T * 8 * C * C,
        "norms": 0,
        "output head": 2 * T * C * config.vocabulary_size,
    }


def block_flops(config):
    """The FLOPs of one block's matrix products, forward, for one sequence: 24 T C² of its weights, 4 T² C of scores.

    The scores are T / (T + 6 C) of it: a third where the context is 3 C tokens, next to nothing where it is short.
    """
    C, T = config.channels, config.context
    return 24 * T * C**2 + 4 * T**2 * C


def exact_training_flops(config, tokens):
    """The FLOPs of training a GPT on so many tokens, in whole contexts: every matrix product, attention included.

    What 6 N D leaves out are the scores; what it counts too much are the embeddings, where rows are only looked up.
    Raises ValueError below 0 tokens.
    """
    if not tokens >= 0:
        raise ValueError(f"tokens is {tokens}; a number of tokens of 0 or more was expected.")
    return 3 * sum(flops_by_part(config).values()) * tokens / config.context


# ---------------------------------------------------------------- time and money


@dataclass(frozen=True)
class Hardware:
    """One chip: its peak in FLOP/s (bf16, no zeros skipped), its memory in bytes, and that memory's bytes a second.

    `dollars_per_hour` is what renting it cost on the day that `source` names: prices fall, so look again. None: no
    price was found.
    """

    name: str
    flops_per_second: float
    memory: float
    bandwidth: float
    dollars_per_hour: float | None
    source: str


HARDWARE = (
    Hardware(
        name="NVIDIA A100 80 GB SXM",
        flops_per_second=312e12,
        memory=80e9,
        bandwidth=2039e9,
        dollars_per_hour=2.79,
        source="NVIDIA A100 80GB Tensor Core GPU, data sheet, 2021; rent: lambda.ai/instances, 20 September 2026",
    ),
    Hardware(
        name="NVIDIA H100 SXM",
        flops_per_second=989e12,
        memory=80e9,
        bandwidth=3350e9,
        dollars_per_hour=3.99,
        source="NVIDIA H100 Tensor Core GPU, data sheet (which gives the double, for half of the weights zero), 2022; "
        "rent: lambda.ai/instances, 20 September 2026",
    ),
    Hardware(
        name="NVIDIA H200 SXM",
        flops_per_second=989e12,
        memory=141e9,
        bandwidth=4800e9,
        dollars_per_hour=3.99,
        source="NVIDIA H200 Tensor Core GPU, data sheet, 2023; rent: hyperstack.cloud/gpu-pricing, 26 August 2026",
    ),
    Hardware(
        name="Google TPU v5p",
        flops_per_second=459e12,
        memory=95e9,
        bandwidth=2765e9,
        dollars_per_hour=None,
        source="Google Cloud, TPU v5p: system architecture, docs.cloud.google.com/tpu/docs/v5p",
    ),
    Hardware(
        name="NVIDIA B200 SXM",
        flops_per_second=2.25e15,
        memory=180e9,
        bandwidth=8e12,
        dollars_per_hour=None,
        source="NVIDIA Blackwell, data sheet, HGX B200 (which gives the double, for half of the weights zero), 2024",
    ),
)


def this_cpu(size=512, seconds=0.5):
    """This machine as Hardware, measured: the fastest of many products of two size x size matrices in fp32.

    It uses as many threads as torch does now. Memory and price are left at 0 and None: nothing here needs them.
    """
    a = torch.ones(size, size)
    best, end = math.inf, time.perf_counter() + seconds
    while best == math.inf or time.perf_counter() < end:
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return Hardware("this CPU", 2 * size**3 / best, 0, 0, None, f"measured here, {torch.get_num_threads()} threads")


def training_seconds(flops, hardware, chips=1, utilisation=0.4):
    """How long `chips` pieces of `hardware` work on `flops` when they reach `utilisation` of their peak.

    0.38 to 0.43 were reached with 8,000 to 16,000 H100s: Llama Team, "The Llama 3 Herd of Models", 2024, Table 4.
    Raises ValueError below 0 FLOPs or 1 chip, and for a utilisation that is not above 0 and at most 1.
    """
    if not flops >= 0:
        raise ValueError(f"flops is {flops}; 0 or more was expected.")
    if not chips >= 1:
        raise ValueError(f"chips is {chips}; 1 or more was expected.")
    if not 0 < utilisation <= 1:
        raise ValueError(f"utilisation is {utilisation}; a share above 0 and at most 1 was expected: 0.4 for 40 %.")
    return flops / (chips * hardware.flops_per_second * utilisation)


def training_dollars(flops, hardware, utilisation=0.4, dollars_per_hour=None):
    """The rent of all chips together for `flops`; more chips end sooner and cost the same.

    The price is the hardware's unless another one is given. Raises ValueError where there is neither, and as
    training_seconds does.
    """
    price = hardware.dollars_per_hour if dollars_per_hour is None else dollars_per_hour
    if price is None:
        raise ValueError(f"No price is known for {hardware.name}. Give one: dollars_per_hour=...")
    return training_seconds(flops, hardware, 1, utilisation) / 3600 * price


# ---------------------------------------------------------------- many chips


def attainable_flops(hardware, intensity):
    """The FLOP/s a chip can reach at `intensity` FLOPs for each byte it reads: its peak, or what its memory feeds.

    Source: Williams, Waterman and Patterson, "Roofline", 2009.
    """
    return min(hardware.flops_per_second, intensity * hardware.bandwidth)


def all_reduce_seconds(number_of_bytes, chips, bandwidth):
    """How long `chips` in a ring need to sum `number_of_bytes`, when each sends `bandwidth` bytes a second.

    Each sends 2 (chips - 1) / chips of the bytes. Latency is left out. Raises ValueError for less than one chip.
    """
    if not chips >= 1:
        raise ValueError(f"chips is {chips}; 1 or more was expected.")
    return 2 * (chips - 1) / chips * number_of_bytes / bandwidth


def pipeline_bubble(stages, parts):
    """The share of a step in which a stage of a pipeline waits, when the batch is cut into `parts`.

    Source: Huang et al., "GPipe", 2019. Raises ValueError for less than one stage or part.
    """
    if not (stages >= 1 and parts >= 1):
        raise ValueError(f"{stages} stages and {parts} parts came; 1 or more of each was expected.")
    return (stages - 1) / (parts + stages - 1)


# ---------------------------------------------------------------- memory


def activation_bytes(config, batch_size, precision="fp32", fused=True):
    """The bytes that one forward pass of a GPT keeps for the backward pass, with the logits in fp32.

    `fused` attention, the course's, never keeps its T x T weights. Dropout, if the config has it, keeps masks of one
    byte, as on GPUs. Source: Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models", 2022,
    section 4: B T C (34 + 5 H T / C) a layer, not fused, with dropout, in 16 bits.
    """
    _check_batch(batch_size)
    number, mask = _bytes_of(precision), 1 if config.dropout else 0
    channels = 16 * number + 2 * mask  # attention keeps 5 numbers, the feed-forward part 9, the norms 2
    weights = 0 if fused else number + mask * (number + 1)  # after the softmax; with dropout again, and the mask
    layer = channels * config.channels + weights * config.heads * config.context
    end = 2 * number * config.channels + BYTES["fp32"] * config.vocabulary_size
    return batch_size * config.context * (config.layers * layer + end)


def training_memory(config, batch_size, precision="fp32", fused=True):
    """Bytes to train `GPT(config)` with Adam: {"weights", "gradients", "optimizer", "activations"}.

    Raises ValueError for precisions other than fp32 and bf16, and for a batch of less than one text.
    """
    if precision not in TRAINING_BYTES:
        raise ValueError(
            f"precision is {precision!r}; training needs 'fp32' or 'bf16': the steps of gradient descent are too small "
            f"for the few values of an integer. int8 and int4 are for inference_memory."
        )
    parts = {part: number * gpt_parameters(config) for part, number in TRAINING_BYTES[precision].items()}
    return {**parts, "activations": activation_bytes(config, batch_size, precision, fused)}


def inference_memory(config, batch_size, precision="bf16", cache_precision="bf16"):
    """Bytes to answer with `GPT(config)`, `batch_size` texts of full length at once: {"weights", "KV cache"}.

    The scales that go with integer weights, a few percent more, are left out.
    Raises ValueError for an unknown precision and for a batch of less than one text.
    Source of the cache: Kwon et al., "Efficient Memory Management for Large Language Model Serving with
    PagedAttention", 2023, section 3.
    """
    _check_batch(batch_size)
    weights = gpt_parameters(config) * _bytes_of(precision)
    return {"weights": weights, "KV cache": cache_bytes(config, batch_size, _bytes_of(cache_precision))}


def bytes_kept(model, forward):
    """The bytes that `forward()`, a call of `model`, keeps for the backward pass; the model's own weights do not count.

    Every storage counts once, however many operations keep it.
    """
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage  # held on to, so that its address is not given away again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward()
    return sum(storage.nbytes() for storage in kept.values())


def _bytes_of(precision):
    if precision not in BYTES:
        raise ValueError(f"precision is {precision!r}; one of {', '.join(map(repr, BYTES))} was expected.")
    return BYTES[precision]


def _check_batch(batch_size):
    if not batch_size >= 1:
        raise ValueError(f"batch_size is {batch_size}; one text or more was expected.")


# ---------------------------------------------------------------- power laws


@dataclass(frozen=True)
class PowerLaw:
    """y = factor · x^exponent, fitted to `points` measurements: a straight line where both axes are logarithmic.

    `covariance` is that of (log factor, exponent), `spread` the standard deviation of log y around the line.
    """

    factor: float
    exponent: float
    covariance: tuple
    spread: float
    points: int

    def __call__(self, x):
        return self.factor * x**self.exponent

    def exponent_interval(self, level=0.95):
        """The exponent's interval at that level of confidence (置信水平), as (low, high)."""
        reach = self._quantile(level) * math.sqrt(self.covariance[1][1])
        return self.exponent - reach, self.exponent + reach

    def predict(self, x, level=0.95):
        """Where a new measurement at `x` will lie, as (low, high): the line's own doubt and the spread around it.

        It is wider the further `x` lies from what was measured. It holds only while the law itself goes on: no
        interval knows of a floor (下限) under the loss that no measurement has come near.
        """
        at = np.array([1.0, math.log(x)])
        reach = self._quantile(level) * math.sqrt(at @ np.array(self.covariance) @ at + self.spread**2)
        return self(x) * math.exp(-reach), self(x) * math.exp(reach)

    def _quantile(self, level):
        from scipy import stats

        return float(stats.t.ppf((1 + level) / 2, self.points - 2))


def fit_power_law(x, y):
    """The PowerLaw nearest to the measurements `y` at `x`: least squares (最小二乘) on the logarithms.

    Raises ValueError for fewer than three measurements, for numbers that are not above 0, and where all x are equal.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3:
        raise ValueError(
            f"x has the shape {x.shape} and y {y.shape}; two lists of the same length were expected, of 3 measurements "
            f"or more: through two points a line always goes, and says nothing of its own error."
        )
    if not (np.isfinite([x, y]).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("A power law needs finite numbers above 0: only they have logarithms. Leave out the others.")
    if np.ptp(np.log(x)) == 0:
        raise ValueError(f"All x are {x[0]:g}; measure at different ones, or there is no slope to fit.")
    design = np.stack([np.ones_like(x), np.log(x)], axis=1)  # (n, 2)
    (intercept, exponent), *_ = np.linalg.lstsq(design, np.log(y), rcond=None)
    rest = np.log(y) - design @ (intercept, exponent)
    spread = math.sqrt(rest @ rest / (len(x) - 2))
    covariance = spread**2 * np.linalg.inv(design.T @ design)
    return PowerLaw(math.exp(intercept), float(exponent), tuple(map(tuple, covariance.tolist())), spread, len(x))


def best_size(parameters, losses):
    """The number of parameters with the least loss among models of the same FLOPs: the lowest point of a parabola.

    The parabola is fitted to the losses over log N. Raises ValueError for fewer than three models, and where the
    lowest point lies outside of what was measured: then the best size is not known.
    Source: Hoffmann et al., "Training Compute-Optimal Large Language Models" (Chinchilla), 2022, section 3.2.
    """
    logs = np.log(np.asarray(parameters, dtype=float))
    if len(set(logs.tolist())) < 3 or len(logs) != len(losses):
        raise ValueError(
            f"{len(logs)} sizes and {len(losses)} losses came; a parabola needs 3 different sizes, each with a loss."
        )
    middle = logs.mean()
    curvature, slope, _ = np.polyfit(logs - middle, losses, 2)
    lowest = middle - slope / (2 * curvature) if curvature > 0 else math.nan
    if not logs.min() <= lowest <= logs.max():
        raise ValueError(
            f"The losses have no lowest point between {min(parameters):,} and {max(parameters):,} parameters. "
            f"Measure smaller or larger models too."
        )
    return math.exp(lowest)


# ---------------------------------------------------------------- Chinchilla's law


@dataclass(frozen=True)
class ParametricLaw:
    """The loss of N parameters trained on D tokens, in nats a token: E + A / N^alpha + B / D^beta.

    E is what no model gets below: the text's own surprise. The other two are the price of a finite model, and of finite
    data.
    """

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, parameters, tokens):
        return self.E + self.A / parameters**self.alpha + self.B / tokens**self.beta


# Hoffmann et al. 2022, appendix D.3, equation 10, rounded as it stands there.
CHINCHILLA = ParametricLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
# The same fit before rounding, from the paper's TeX source, as Besiroglu et al. 2024 quote it.
UNROUNDED = ParametricLaw(E=1.69337368, A=406.401018, B=410.722827, alpha=0.33917084, beta=0.2849083)
# Besiroglu et al., "Chinchilla Scaling: A replication attempt", 2024 (arXiv 2404.10102): the same law fitted again, to
# the points in the paper's figure. The first fit had stopped too early, and its rounding moves the optimum further.
REPLICATION = ParametricLaw(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)


def compute_optimal(flops, law):
    """The (parameters, tokens) with the least loss among all that cost `flops` = 6 N D, by `law`.

    There a percent more parameters would gain just what a percent fewer tokens lose.
    Source: Hoffmann et al., 2022, section 3.3, equation 4. Raises ValueError where `flops` is not above 0.
    """
    if not flops > 0:
        raise ValueError(f"flops is {flops}; a budget above 0 was expected.")
    both = law.alpha + law.beta
    balance = (law.alpha * law.A / (law.beta * law.B)) ** (1 / both)
    return balance * (flops / 6) ** (law.beta / both), (flops / 6) ** (law.alpha / both) / balance
