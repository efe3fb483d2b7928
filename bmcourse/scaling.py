"""What size costs (规模的代价): parameters, floating-point operations and memory, by formula, before anything is built.

A GPT is described by its GPTConfig. Sizes: L layers, B texts, T tokens in each (config.context), C channels, H heads,
V vocabulary, N parameters, D tokens to train on.
"""

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
    """About 6 N D: forward, and twice as much backward. For a mixture of experts (专家混合) N is the active parameters.

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


def _bytes_of(precision):
    if precision not in BYTES:
        raise ValueError(f"precision is {precision!r}; one of {', '.join(map(repr, BYTES))} was expected.")
    return BYTES[precision]


def _check_batch(batch_size):
    if not batch_size >= 1:
        raise ValueError(f"batch_size is {batch_size}; one text or more was expected.")
