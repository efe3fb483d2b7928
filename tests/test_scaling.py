"""Sizes by formula: equal to real modules on the meta device, to what autograd keeps, and to published figures."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import optimize, stats
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bmcourse import data, scaling
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.models.transformer import Block
from bmcourse.scaling import DALLE, GPT3

SMALL = GPTConfig(vocabulary_size=100, context=64, layers=2, heads=4, channels=64)

SHAPES = [
    GPTConfig(vocabulary_size=37, context=16, layers=1, heads=1, channels=8),
    GPTConfig(vocabulary_size=100, context=48, layers=3, heads=4, channels=64),
    GPTConfig(vocabulary_size=50257, context=1024, layers=12, heads=12, channels=768),
    GPTConfig(vocabulary_size=131072, context=131072, layers=96, heads=64, channels=12288),
]


def numel(module):
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(make):
    """A model that knows its shapes and has no numbers."""
    with torch.device("meta"):
        return make()


# Parameters.


@pytest.mark.parametrize("channels, heads", [(12, 3), (64, 4), (12_288, 96)])
def test_a_block_counts_what_the_courses_and_torchs_have(channels, heads):
    torchs = on_meta(lambda: nn.TransformerEncoderLayer(channels, heads, 4 * channels))
    assert scaling.block_parameters(channels) == numel(on_meta(lambda: Block(channels, heads))) == numel(torchs)


@pytest.mark.parametrize("config", [SMALL, GPT3, DALLE], ids=["small", "GPT-3", "DALL-E"])
def test_a_gpt_counts_what_the_model_has(config):
    model = on_meta(lambda: GPT(config))
    assert scaling.gpt_parameters(config) == numel(model)
    model.head.weight = model.token_embedding.weight
    assert scaling.gpt_parameters(config, tied=True) == numel(model)


@pytest.mark.parametrize("config", SHAPES)
def test_the_parts_have_the_models_parameters(config):
    with torch.device("meta"):
        model = GPT(config)
    assert sum(scaling.parameters_by_part(config).values()) == sum(p.numel() for p in model.parameters())
    parts = {"token embedding": model.token_embedding, "position embedding": model.position_embedding}
    parts |= {"output head": model.head}
    for name, part in parts.items():
        assert scaling.parameters_by_part(config)[name] == sum(p.numel() for p in part.parameters())
    for name, kind in (("attention: projections", "attention."), ("feed-forward", "mlp."), ("norms", "norm")):
        own = [p.numel() for full, p in model.named_parameters() if kind in full]
        assert scaling.parameters_by_part(config)[name] == sum(own)


@pytest.mark.parametrize("config", SHAPES[:3])
def test_the_parts_flops_are_torchs_and_three_times_as_many_in_training(config):
    with torch.device("meta"):  # shapes alone: nothing is computed
        model, tokens = GPT(config), torch.zeros(1, config.context, dtype=torch.long)
    with FlopCounterMode(display=False) as counted:
        logits = model(tokens)
        forward, by_operation = counted.get_total_flops(), counted.get_flop_counts()["Global"]
        scores = sum(flops for operation, flops in by_operation.items() if "bmm" in str(operation))
        logits.sum().backward()
    assert sum(scaling.flops_by_part(config).values()) == forward
    assert scaling.flops_by_part(config)["attention: scores, T × T"] == scores > 0
    assert counted.get_total_flops() == 3 * forward


@pytest.mark.parametrize("layers, channels, heads", [(12, 768, 12), (24, 1024, 16), (2, 30, 5)])
def test_a_bert_counts_what_torchs_encoder_has(layers, channels, heads):
    def bert():
        embeddings = [nn.Embedding(size, channels) for size in (30_522, 512, 2)]
        layer = nn.TransformerEncoderLayer(channels, heads, 4 * channels)
        encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        return nn.ModuleList([*embeddings, nn.LayerNorm(channels), encoder, nn.Linear(channels, channels)])

    assert scaling.bert_parameters(layers, channels) == numel(on_meta(bert))


def test_gpt_3_has_175_billion():
    # Brown et al. 2020: 175.0 B in Table 2.1, 174,600 M in Table D.1, where the embedding and the head are one table.
    assert scaling.gpt_parameters(GPT3) == pytest.approx(175.0e9, rel=0.01)
    assert scaling.gpt_parameters(GPT3, tied=True) == pytest.approx(174_600e6, rel=0.0001)


def test_bert_base_has_110_million():
    # Devlin et al. 2018, section 3: 110M, counted here with the pooler; without it the count is 1.01 % lower.
    assert scaling.bert_parameters(12, 768) == 109_482_240 == pytest.approx(110e6, rel=0.01)


def test_bert_large_is_335_million_where_the_paper_rounds_to_340():
    # Devlin et al. 2018, section 3: 340M, two digits. The shape gives 335.1 M, and the heads of pre-training (a layer
    # of C to C, a norm, a bias for each word; two classes) make it 336.2 M: 1.4 % and 1.1 % from the paper's figure.
    C, V = 1024, 30_522
    count = scaling.bert_parameters(24, C)
    with_heads = count + (C * C + C) + 2 * C + V + (2 * C + 2)
    assert (count, with_heads) == (335_141_888, 336_226_108)
    assert round(count, -7) == round(with_heads, -7) == 340_000_000


def test_dall_e_has_12_billion():
    # Ramesh et al. 2021, Table 1: 12.0 B for d_model = 3968. That is the blocks, to 0.8 %; with one table of tokens and
    # the positions it is 12.2 B, and with the course's separate head 12.3 B.
    blocks = DALLE.layers * scaling.block_parameters(DALLE.channels)
    assert blocks == pytest.approx(12.0e9, rel=0.01)
    assert scaling.gpt_parameters(DALLE, tied=True) == pytest.approx(12.2e9, rel=0.001)
    assert scaling.gpt_parameters(DALLE) == pytest.approx(12.3e9, rel=0.001)


# Floating-point operations.


def test_training_flops_of_gpt_3():
    # Brown et al. 2020, Table D.1: 3.14e23 for 174,600 M parameters and 300 billion tokens.
    assert scaling.training_flops(174_600e6, 300e9) == pytest.approx(3.14e23, rel=0.002)
    assert scaling.forward_flops(174_600e6, 1) == 349.2e9


def test_flops_are_those_that_torch_counts():
    config = GPTConfig(vocabulary_size=50, context=8, layers=2, heads=2, channels=64)  # short: attention costs little
    model, tokens = on_meta(lambda: GPT(config)), torch.zeros(4, 8, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        loss = F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
        forward = counter.get_total_flops()
        loss.backward()
    tables = (config.vocabulary_size + config.context) * config.channels  # looked up, not multiplied
    parameters = scaling.gpt_parameters(config) - tables
    assert forward == pytest.approx(scaling.forward_flops(parameters, 32), rel=0.05)
    assert counter.get_total_flops() == pytest.approx(scaling.training_flops(parameters, 32), rel=0.05)


@pytest.mark.parametrize("parameters, tokens, name", [(-1, 10, "parameters"), (10, -1, "tokens")])
def test_flops_of_less_than_nothing(parameters, tokens, name):
    with pytest.raises(ValueError, match=f"{name} is -1; a number of {name} of 0 or more"):
        scaling.training_flops(parameters, tokens)


@pytest.mark.parametrize("name", ["GPT-3", "Chinchilla", "Llama 3.1 405B"])
def test_6nd_is_what_was_published(name):
    # 3.14e23, 5.76e23 and 3.8e25; where each stands is in data/models.csv.
    model = next(model for model in data.published_models() if model.name == name)
    cost = scaling.training_flops(model.parameters, model.training_tokens)
    assert cost == pytest.approx(model.training_flops, rel=0.05)


@pytest.mark.parametrize("config", SHAPES[:3])
def test_a_block_costs_what_torch_counts(config):
    with torch.device("meta"):
        block, x = Block(config.channels, config.heads), torch.zeros(1, config.context, config.channels)
    with FlopCounterMode(display=False) as counted:
        block(x)
    assert scaling.block_flops(config) == counted.get_total_flops()


def test_exact_training_flops_are_torchs():
    with torch.device("meta"):
        model, tokens = GPT(SMALL), torch.zeros(5, SMALL.context, dtype=torch.long)
    with FlopCounterMode(display=False) as counted:
        model(tokens).sum().backward()
    assert scaling.exact_training_flops(SMALL, 5 * SMALL.context) == counted.get_total_flops()


def test_attention_adds_3_percent_to_6nd_for_gpt_3_and_doubles_it_for_a_long_context():
    parameters = scaling.gpt_parameters(GPT3, tied=True)
    ratio = scaling.exact_training_flops(GPT3, 300e9) / scaling.training_flops(parameters, 300e9)
    assert ratio == pytest.approx(1 + 2048 / (6 * 12_288), abs=0.001)  # the head is counted, the positions hardly count
    long = replace(GPT3, context=6 * GPT3.channels)
    assert scaling.flops_by_part(long)["attention: scores, T × T"] == scaling.block_flops(long) / 2 * GPT3.layers


def test_training_on_less_than_nothing():
    with pytest.raises(ValueError, match="tokens is -1; a number of tokens of 0 or more"):
        scaling.exact_training_flops(SMALL, -1)


# Time and money.

A100, H100 = scaling.HARDWARE[:2]


def test_llama_3_took_the_hours_that_its_card_says():
    # Llama 3.1's model card: 30.84 million hours of H100 for the 405B. Table 4 of the paper: 38 to 43 % of the peak was
    # used while it ran; the hours of the card are 35 %, with all that was lost between.
    hours = [scaling.training_seconds(3.8e25, H100, utilisation=share) / 3600 for share in (0.43, 0.38)]
    assert hours == pytest.approx([24.8e6, 28.1e6], rel=0.01)
    assert scaling.training_seconds(3.8e25, H100, utilisation=0.346) / 3600 == pytest.approx(30.84e6, rel=0.01)


def test_deepseek_v3_cost_what_its_report_says():
    # DeepSeek-AI 2024, Table 1: 2.664 million hours of H800 for the pre-training, at 2 dollars: 5.328 million dollars.
    # An H800 computes as an H100 does; 37 billion active parameters and 14.8e12 tokens are 35 % of its peak in bf16.
    flops = scaling.training_flops(37e9, 14.8e12)
    assert scaling.training_dollars(flops, H100, 0.346, dollars_per_hour=2) == pytest.approx(5.328e6, rel=0.01)


def test_ten_chips_are_ten_times_as_fast_and_cost_the_same():
    assert scaling.training_seconds(312e12 * 100, A100, chips=10, utilisation=0.5) == pytest.approx(20)
    assert scaling.training_dollars(312e12 * 3600, A100, utilisation=1) == pytest.approx(A100.dollars_per_hour)


def test_every_chip_has_its_figures_and_where_they_stand():
    for chip in scaling.HARDWARE:
        assert 1e14 < chip.flops_per_second < 1e16 and 1e10 < chip.memory < 1e12 and 1e12 < chip.bandwidth < 1e13
        assert chip.source and (chip.dollars_per_hour is None or "rent: " in chip.source)


def test_this_cpu_is_measured():
    cpu = scaling.this_cpu(size=64, seconds=0.01)
    assert 1e7 < cpu.flops_per_second < 1e14 and "measured here" in cpu.source


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((-1, H100), "flops is -1; 0 or more"),
        ((1, H100, 0), "chips is 0; 1 or more"),
        ((1, H100, 1, 40), "utilisation is 40; a share above 0 and at most 1 was expected: 0.4 for 40 %"),
        ((1, H100, 1, 0), "utilisation is 0; a share"),
        ((math.nan, H100), "flops is nan"),
    ],
)
def test_time_that_makes_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        scaling.training_seconds(*arguments)


def test_a_price_that_nobody_knows():
    with pytest.raises(ValueError, match=r"No price is known for Google TPU v5p. Give one: dollars_per_hour="):
        scaling.training_dollars(1e20, scaling.HARDWARE[3])


# Memory.


def kept_for_backward(config, batch_size):
    """The bytes that autograd keeps for the backward pass of the course's GPT, parameters aside."""
    model, tokens = GPT(config), torch.zeros(batch_size, config.context, dtype=torch.long)
    return scaling.bytes_kept(model, lambda: F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()))


def test_what_is_kept_by_hand():
    layer, x = nn.Linear(3, 5), torch.zeros(7, 3, requires_grad=True)
    assert scaling.bytes_kept(layer, lambda: layer(x)) == 4 * 7 * 3  # the inputs; the weights are there anyway
    assert scaling.bytes_kept(layer, lambda: layer(x).exp() * layer(x)) == 4 * 7 * (3 + 2 * 5)  # the inputs once
    with torch.no_grad():
        assert scaling.bytes_kept(layer, lambda: layer(x)) == 0


@pytest.mark.parametrize(
    "changes, batch_size",
    [({}, 3), ({"layers": 4}, 1), ({"context": 128, "channels": 96}, 2), ({"vocabulary_size": 3000}, 1)],
)
def test_activations_are_those_that_autograd_keeps(changes, batch_size):
    config = replace(SMALL, **changes)
    assert scaling.activation_bytes(config, batch_size) == pytest.approx(
        kept_for_backward(config, batch_size), rel=0.02
    )


def test_activations_are_those_of_the_paper():
    # Korthikanti et al. 2022, section 4.1: B T C (34 + 5 H T / C) a layer; 5 H T / C is 80 for GPT-3.
    without_end = [
        scaling.activation_bytes(replace(GPT3, dropout=0.1, layers=layers), 2, "bf16", fused=False) for layers in (1, 2)
    ]
    assert without_end[1] - without_end[0] == 2 * 2048 * 12_288 * (34 + 80)


def test_fused_attention_keeps_no_square():
    double = replace(SMALL, context=2 * SMALL.context)
    assert scaling.activation_bytes(double, 1) == 2 * scaling.activation_bytes(SMALL, 1)
    squares = [scaling.activation_bytes(c, 1, fused=False) - scaling.activation_bytes(c, 1) for c in (SMALL, double)]
    assert squares[1] == 4 * squares[0] == 4 * 2 * 4 * 64 * 64 * 4  # layers, heads, T, T, bytes


def test_training_memory_is_that_of_a_real_optimizer():
    torch.manual_seed(0)
    model = GPT(SMALL)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.zeros(1, 4, dtype=torch.long)).sum().backward()
    optimizer.step()
    states = [value for state in optimizer.state.values() for value in state.values() if value.ndim]
    memory = scaling.training_memory(SMALL, 1)
    assert memory["weights"] == memory["gradients"] == sum(p.grad.nbytes for p in model.parameters())
    assert memory["optimizer"] == sum(state.nbytes for state in states)
    assert memory["activations"] == scaling.activation_bytes(SMALL, 1)


def test_training_memory_in_bf16_is_16_bytes_a_parameter():
    # Rajbhandari et al. 2020, section 3.1.
    memory = scaling.training_memory(GPT3, 1, "bf16")
    assert sum(memory.values()) - memory["activations"] == 16 * scaling.gpt_parameters(GPT3)
    assert memory["activations"] == scaling.activation_bytes(GPT3, 1, "bf16")


def test_the_cache_of_opt_13b():
    # Kwon et al. 2023, section 3: 800 KB for a token of OPT-13B (40 layers, 5120 channels) in fp16; 1.6 GB for 2048.
    opt = GPTConfig(vocabulary_size=50_272, context=1, layers=40, heads=40, channels=5120)
    assert scaling.inference_memory(opt, 1)["KV cache"] == 800 * 1024
    assert scaling.inference_memory(replace(opt, context=2048), 1)["KV cache"] == pytest.approx(1.6e9, rel=0.05)


@pytest.mark.parametrize("precision, size", [("fp32", 4), ("bf16", 2), ("int8", 1), ("int4", 0.5)])
def test_inference_memory(precision, size):
    memory = scaling.inference_memory(SMALL, 3, precision, cache_precision="fp32")
    cache = 2 * 2 * 3 * 64 * 64 * 4  # keys and values, layers, texts, tokens, channels, bytes
    assert memory == {"weights": size * numel(GPT(SMALL)), "KV cache": cache}
    assert scaling.inference_memory(SMALL, 3, precision)["KV cache"] == cache / 2


@pytest.mark.parametrize("call", [scaling.inference_memory, scaling.activation_bytes])
def test_what_memory_needs_to_know(call):
    with pytest.raises(ValueError, match="precision is 'fp8'; one of 'fp32', 'bf16', 'int8', 'int4' was expected"):
        call(SMALL, 1, "fp8")


@pytest.mark.parametrize("call", [scaling.inference_memory, scaling.activation_bytes, scaling.training_memory])
def test_memory_for_no_text(call):
    with pytest.raises(ValueError, match="batch_size is 0; one text or more was expected"):
        call(SMALL, 0)


def test_training_in_integers_is_refused():
    with pytest.raises(ValueError, match="precision is 'int8'; training needs 'fp32' or 'bf16'.*inference_memory"):
        scaling.training_memory(SMALL, 1, "int8")


# Power laws.


def noisy(generator, points=12, spread=0.05):
    x = np.logspace(3, 6, points)
    return x, 20 * x**-0.3 * np.exp(spread * generator.standard_normal(points))


def test_a_power_law_without_noise_is_found():
    x = np.array([1e3, 1e4, 1e7])
    law = scaling.fit_power_law(x, 7 * x**-0.25)
    assert (law.factor, law.exponent) == pytest.approx((7, -0.25))
    assert law(16) == pytest.approx(3.5) and law.predict(1e9) == pytest.approx((law(1e9), law(1e9)))


def test_the_fit_and_its_errors_are_scipys():
    x, y = noisy(np.random.default_rng(0))
    law, scipys = scaling.fit_power_law(x, y), stats.linregress(np.log(x), np.log(y))
    assert (law.exponent, math.log(law.factor)) == pytest.approx((scipys.slope, scipys.intercept))
    errors = [math.sqrt(law.covariance[i][i]) for i in (1, 0)]
    assert errors == pytest.approx([scipys.stderr, scipys.intercept_stderr])
    assert law.exponent_interval(0.6826894921370859)[1] - law.exponent > scipys.stderr  # t is wider than a normal


def test_the_intervals_hold_as_often_as_they_say():
    generator, inside = np.random.default_rng(0), np.zeros(2)
    for _ in range(1000):
        law = scaling.fit_power_law(*noisy(generator))
        low, high = law.exponent_interval()
        least, most = law.predict(1e9)
        new = 20 * 1e9**-0.3 * math.exp(0.05 * generator.standard_normal())
        inside += low < -0.3 < high, least < new < most
    assert (abs(inside / 1000 - 0.95) < 0.02).all()


def test_a_prediction_is_wider_further_away():
    law = scaling.fit_power_law(*noisy(np.random.default_rng(1)))
    widths = [np.log(law.predict(x)[1] / law.predict(x)[0]) for x in (3e4, 1e6, 1e9)]
    assert widths == sorted(widths) and widths[2] > 1.5 * widths[0]


@pytest.mark.parametrize(
    "x, y, message",
    [
        ([1, 2], [1, 2], "of 3 measurements or more"),
        ([1, 2, 3], [1, 2], r"x has the shape \(3,\) and y \(2,\)"),
        ([1, 2, 3], [1, 0, 2], "finite numbers above 0"),
        ([1, 2, 3], [1, math.nan, 2], "finite numbers above 0"),
        ([2, 2, 2], [1, 2, 3], "All x are 2; measure at different ones"),
    ],
)
def test_what_no_power_law_fits(x, y, message):
    with pytest.raises(ValueError, match=message):
        scaling.fit_power_law(x, y)


def test_the_best_size_is_a_parabolas_lowest_point():
    sizes = np.array([1e4, 5e4, 2e5, 1e6])
    assert scaling.best_size(sizes, 2 + 0.1 * np.log(sizes / 1e5) ** 2) == pytest.approx(1e5)


@pytest.mark.parametrize(
    "sizes, losses, message",
    [
        ([10, 20], [1, 2], "2 sizes and 2 losses came; a parabola needs 3 different sizes"),
        ([10, 10, 20], [1, 2, 3], "3 different sizes"),
        ([10, 20, 40, 80], [1, 2, 3], "4 sizes and 3 losses"),
        ([10, 20, 40], [3, 2, 1.5], "no lowest point between 10 and 40 parameters. Measure smaller or larger"),
        ([10, 20, 40], [1, 2, 1], "no lowest point"),
    ],
)
def test_a_best_size_that_was_not_measured(sizes, losses, message):
    with pytest.raises(ValueError, match=message):
        scaling.best_size(sizes, losses)


# Chinchilla's law.


@pytest.mark.parametrize("law", [scaling.CHINCHILLA, scaling.REPLICATION], ids=["2022", "2024"])
@pytest.mark.parametrize("flops", [1e15, 5.76e23, 1e27])
def test_the_optimum_is_where_a_search_finds_it(law, flops):
    parameters, tokens = scaling.compute_optimal(flops, law)
    assert scaling.training_flops(parameters, tokens) == pytest.approx(flops)
    searched = optimize.minimize_scalar(
        lambda log_n: law.loss(math.exp(log_n), flops / 6 / math.exp(log_n)),
        bounds=(math.log(parameters) - 5, math.log(parameters) + 6),
        method="bounded",
    )
    assert parameters == pytest.approx(math.exp(searched.x), rel=1e-3)


def test_the_replication_agrees_with_chinchilla_and_the_published_fit_does_not():
    # Chinchilla has 70 billion parameters and 20 tokens for each.
    parameters, tokens = scaling.compute_optimal(5.76e23, scaling.REPLICATION)
    assert parameters == pytest.approx(70e9, rel=0.05) and tokens / parameters == pytest.approx(20, rel=0.1)
    parameters, tokens = scaling.compute_optimal(5.76e23, scaling.CHINCHILLA)
    assert parameters == pytest.approx(32e9, rel=0.05) and tokens / parameters > 90


def test_the_law_has_a_floor():
    assert scaling.CHINCHILLA.loss(1e30, 1e30) == pytest.approx(1.69, abs=1e-5)
    assert scaling.CHINCHILLA.loss(70e9, 1.4e12) == pytest.approx(1.69 + 0.083 + 0.163, abs=0.001)  # by hand


def test_a_budget_of_nothing():
    with pytest.raises(ValueError, match="flops is 0; a budget above 0"):
        scaling.compute_optimal(0, scaling.CHINCHILLA)


def test_the_two_fits_differ_by_three_when_not_rounded():
    ratios = []
    for law in (scaling.UNROUNDED, scaling.REPLICATION):
        parameters, tokens = scaling.compute_optimal(5.76e23, law)
        ratios.append(tokens / parameters)
    assert ratios[0] / ratios[1] == pytest.approx(3.2, abs=0.05)


# Many chips.


def test_a_chip_is_bound_by_its_memory_below_the_ridge_and_by_its_peak_above():
    chip = scaling.Hardware("chip", 100.0, 0, 10.0, None, "")
    assert [scaling.attainable_flops(chip, intensity) for intensity in (1, 10, 50)] == [10, 100, 100]


@pytest.mark.parametrize("chips", [1, 2, 5])
def test_a_ring_sends_what_a_slow_loop_counts(chips):
    sent = sum(60 / chips for _ in ("sum", "share") for _ in range(chips - 1))  # one piece in each round
    assert scaling.all_reduce_seconds(60, chips, 10) == pytest.approx(sent / 10)


@pytest.mark.parametrize("stages, parts", [(1, 1), (4, 1), (4, 8)])
def test_the_bubble_is_what_a_schedule_leaves_empty(stages, parts):
    ends = max(stage + part + 1 for stage in range(stages) for part in range(parts))
    assert scaling.pipeline_bubble(stages, parts) == pytest.approx(1 - parts / ends)


def test_no_chips_and_no_stages_are_refused():
    with pytest.raises(ValueError, match="chips is 0; 1 or more"):
        scaling.all_reduce_seconds(1, 0, 1)
    with pytest.raises(ValueError, match="0 stages and 4 parts"):
        scaling.pipeline_bubble(0, 4)
