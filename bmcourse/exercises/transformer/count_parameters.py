"""How many parameters one layer of a Transformer encoder has."""

import math

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How many parameters nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward) has, by a formula: "
    "multi-head attention, a feed-forward network of two layers, two LayerNorms. Biases count.",
    built=("TransformerEncoderLayer", "MultiheadAttention"),
)
def count_parameters(d_model, dim_feedforward, nhead):
    attention = 4 * (d_model * d_model + d_model)
    feed_forward = 2 * d_model * dim_feedforward + dim_feedforward + d_model
    norms = 2 * (d_model + d_model)
    return attention + feed_forward + norms


@count_parameters.cases
def cases():
    return [(4, 8, 1), (6, 10, 2), (512, 2048, 8), (10, 7, 5), (3, 3, 3)]


@count_parameters.judge
def counted_in_torch(d_model, dim_feedforward, nhead):
    layer = torch.nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


def linear(inputs, outputs):
    return (inputs + 1) * outputs


@count_parameters.right
def by_linears(C, F, nhead):
    return linear(C, 3 * C) + linear(C, C) + linear(C, F) + linear(F, C) + 4 * C


@count_parameters.right
def by_shapes(C, F, nhead):
    shapes = [(3 * C, C), (3 * C,), (C, C), (C,), (F, C), (F,), (C, F), (C,), *[(C,)] * 4]
    return sum(map(math.prod, shapes))


@count_parameters.right
def by_heads(C, F, nhead):
    D = C // nhead
    head = 3 * (C * D + D) + D * C
    return nhead * head + C + C * F + F + F * C + C + 2 * 2 * C


@count_parameters.right
def in_one_line(C, F, nhead):
    return 4 * C**2 + 2 * C * F + 9 * C + F


def with_parts(
    qkv=lambda C, H: 3 * (C * C + C),
    out=lambda C, H: C * C + C,
    up=lambda C, F: C * F + F,
    down=lambda C, F: F * C + C,
    norms=lambda C, F: 4 * C,
):
    """A wrong count: one with a changed part."""
    return lambda C, F, nhead: qkv(C, nhead) + out(C, nhead) + up(C, F) + down(C, F) + norms(C, F)


def plus(more):
    """A wrong count: so many too many, or too few."""
    return lambda C, F, nhead: count_parameters(C, F, nhead) + more(C, F, nhead)


count_parameters.mistake(
    "5 * d_model + dim_feedforward are missing. All linear layers together have so many biases, one for every output: "
    "4 * d_model in attention, and dim_feedforward + d_model.",
    no_bias_in_linears=plus(lambda C, F, H: -5 * C - F),
)
count_parameters.mistake(
    "The biases of the feed-forward network are missing: dim_feedforward and d_model.",
    no_bias_in_feed_forward=plus(lambda C, F, H: -F - C),
)
count_parameters.mistake(
    "dim_feedforward are missing: the biases of the first layer of the feed-forward network, one for each output.",
    no_bias_in_first_layer=plus(lambda C, F, H: -F),
)
count_parameters.mistake(
    "d_model are missing. The output projection of attention has that many biases, and so has the second layer of the "
    "feed-forward network.",
    one_bias_of_d_model_missing=plus(lambda C, F, H: -C),
)
count_parameters.mistake(
    "2 * d_model are missing. There are two LayerNorms, each with d_model weights and d_model biases; and the output "
    "projection and the second layer of the feed-forward network have d_model biases each.",
    half_of_the_norms=plus(lambda C, F, H: -2 * C),
)
count_parameters.mistake(
    "3 * d_model are missing: query, key and value have d_model biases each.",
    no_bias_in_query_key_value=plus(lambda C, F, H: -3 * C),
)
count_parameters.mistake(
    "4 * d_model are missing. The two LayerNorms have that many, a weight and a bias for every channel; and so "
    "have the four biases of attention.",
    no_norms=plus(lambda C, F, H: -4 * C),
)
count_parameters.mistake(
    "The biases of attention and the LayerNorms are missing, 4 * d_model each.",
    no_attention_bias_and_no_norms=plus(lambda C, F, H: -8 * C),
)
count_parameters.mistake(
    "No bias is counted, that of the LayerNorms neither. Each linear layer has one for every output, and a LayerNorm "
    "d_model.",
    no_bias_anywhere=plus(lambda C, F, H: -7 * C - F),
)
count_parameters.mistake(
    "You count the big matrices only. Good enough for an estimate; here the biases and the LayerNorms count too.",
    matrices_only=plus(lambda C, F, H: -9 * C - F),
)
count_parameters.mistake(
    "2 * d_model too many: there are two LayerNorms, each with a weight and a bias. A third is in a decoder's layer, "
    "or at the end of all layers.",
    three_norms=plus(lambda C, F, H: 2 * C),
)
count_parameters.mistake(
    "4 * d_model too many. Two LayerNorms have that many in all: d_model weights and d_model biases each.",
    four_norms=plus(lambda C, F, H: 4 * C),
)
count_parameters.mistake(
    "d_model too many. Look at the biases: four in attention and one in the feed-forward network have d_model "
    "numbers, and so have the four parts of the LayerNorms.",
    one_bias_of_d_model_too_many=plus(lambda C, F, H: C),
)
count_parameters.mistake(
    "You count one weight and one bias for a whole LayerNorm. It has one of each for every channel.",
    norms_of_two_numbers=with_parts(norms=lambda C, F: 4),
)
count_parameters.mistake(
    "Your second LayerNorm is dim_feedforward wide. Both stand where the layer is d_model wide.",
    norm_of_dim_feedforward=with_parts(norms=lambda C, F: 2 * C + 2 * F),
)
count_parameters.mistake(
    "You take a LayerNorm for a matrix. It multiplies each channel by one number: d_model weights and d_model biases.",
    norms_as_matrices=with_parts(norms=lambda C, F: 2 * (C * C + C)),
)
count_parameters.mistake(
    "You count one bias for a whole linear layer. It has one for every output.",
    one_number_a_bias=with_parts(
        lambda C, H: 3 * (C * C + 1), lambda C, H: C * C + 1, lambda C, F: C * F + 1, lambda C, F: C * F + 1
    ),
)
count_parameters.mistake(
    "A bias belongs to an output, not to an input: the first layer of the feed-forward network has dim_feedforward.",
    bias_of_inputs_in_first_layer=plus(lambda C, F, H: C - F),
)
count_parameters.mistake(
    "The second layer of the feed-forward network has d_model outputs, and so as many biases.",
    bias_of_inputs_in_second_layer=plus(lambda C, F, H: F - C),
)
count_parameters.mistake(
    "You multiply by the number of heads. The heads share the d_model channels among them: their number "
    "changes nothing.",
    times_heads=with_parts(qkv=lambda C, H: 3 * H * (C * C + C), out=lambda C, H: H * (C * C + C)),
)
count_parameters.mistake(
    "You multiply query, key and value by the number of heads. The heads share the d_model channels among them.",
    query_key_value_times_heads=with_parts(qkv=lambda C, H: 3 * H * (C * C + C)),
)
count_parameters.mistake(
    "Your heads have d_model channels each. They share them, d_model / nhead each, so the output projection gets "
    "d_model channels too.",
    heads_of_full_width=with_parts(qkv=lambda C, H: 3 * H * (C * C + C), out=lambda C, H: H * C * C + C),
)
count_parameters.mistake(
    "You count one head only. Each of the nhead heads has d_model / nhead channels: together they have d_model.",
    one_head_of_query_key_value=with_parts(qkv=lambda C, H: 3 * (C * (C // H) + C // H)),
)
count_parameters.mistake(
    "You count one head only, in the output projection too. Together the heads have d_model channels.",
    one_head=with_parts(qkv=lambda C, H: 3 * (C * (C // H) + C // H), out=lambda C, H: C // H * C + C),
)
count_parameters.mistake(
    "All of attention is divided by the number of heads. Each head is smaller, but there are nhead of them.",
    attention_divided_by_heads=with_parts(lambda C, H: 3 * (C * (C // H) + C // H), lambda C, H: C * (C // H) + C // H),
)
count_parameters.mistake(
    "You count nhead numbers more. A head has nothing of its own beside its share of the matrices.",
    number_for_each_head=plus(lambda C, F, H: H),
)
count_parameters.mistake(
    "The output projection of attention is missing: behind query, key and value comes a fourth matrix.",
    no_output_projection=with_parts(out=lambda C, H: 0),
)
count_parameters.mistake(
    "The output projection of attention and the biases of query, key and value are missing.",
    three_matrices_without_bias=with_parts(qkv=lambda C, H: 3 * C * C, out=lambda C, H: 0),
)
count_parameters.mistake(
    "Attention has four matrices d_model x d_model, and you count two: query, key, value and output.",
    two_matrices=with_parts(qkv=lambda C, H: C * C + C),
)
count_parameters.mistake(
    "Attention has four matrices d_model x d_model, and you count one: query, key, value and output.",
    one_matrix=with_parts(qkv=lambda C, H: 0),
)
count_parameters.mistake(
    "You count attention twice, as in a decoder's layer. An encoder's layer has one.",
    attention_twice=plus(lambda C, F, H: 4 * (C * C + C)),
)
count_parameters.mistake(
    "That is a decoder's layer, with attention to the encoder and a third LayerNorm. Here it is an encoder's.",
    decoder=plus(lambda C, F, H: 4 * (C * C + C) + 2 * C),
)
count_parameters.mistake(
    "Attention is missing: four linear layers of d_model to d_model.",
    no_attention=plus(lambda C, F, H: -4 * (C * C + C)),
)
count_parameters.mistake(
    "The feed-forward network is missing: two linear layers, d_model to dim_feedforward and back.",
    no_feed_forward=plus(lambda C, F, H: -2 * C * F - C - F),
)
count_parameters.mistake(
    "The feed-forward network has two layers: out to dim_feedforward, and back to d_model.",
    one_layer_of_feed_forward=with_parts(down=lambda C, F: 0),
)
count_parameters.mistake(
    "You count the feed-forward network's weights once. They are two matrices of d_model * dim_feedforward.",
    one_matrix_of_feed_forward=plus(lambda C, F, H: -C * F),
)
count_parameters.mistake(
    "You count a layer of dim_feedforward to dim_feedforward in between. There are two layers: out and back.",
    middle_layer=plus(lambda C, F, H: F * F + F),
)
count_parameters.mistake(
    "You count a third matrix of d_model * dim_feedforward, as gated networks (GLU) have it. Here there are two.",
    gated=plus(lambda C, F, H: C * F + F),
)
count_parameters.mistake(
    "You take dim_feedforward as 4 * d_model. It is an argument, and may be anything.",
    four_times_d_model=lambda C, F, nhead: count_parameters(C, 4 * C, nhead),
)
count_parameters.mistake(
    "d_model and dim_feedforward are exchanged: attention and the LayerNorms are d_model wide.",
    sizes_exchanged=lambda C, F, nhead: count_parameters(F, C, nhead),
)
count_parameters.mistake(
    "You take `nhead` for dim_feedforward. The order of the arguments is d_model, dim_feedforward, nhead.",
    arguments_exchanged=lambda C, F, nhead: count_parameters(C, nhead, F),
)
count_parameters.mistake(
    "You return the number as text. Return the number itself.", text=lambda *sizes: f"{count_parameters(*sizes):,}"
)
count_parameters.mistake(
    "You return the parts. Add them up: one number.",
    parts=lambda C, F, nhead: (4 * (C * C + C), 2 * C * F + F + C, 4 * C),
)
SMALL = (
    "d_model numbers each have: the four biases of attention, that of the feed-forward network's second layer, and the "
    "weights and the biases of two LayerNorms. Its first layer has dim_feedforward biases."
)


def small_parts(channels, hidden, matrices=0):
    """The name and the message for a number that is so many d_model, dim_feedforward and d_model^2 off."""
    parts = ((matrices, "d_model * d_model"), (channels, "d_model"), (hidden, "dim_feedforward"))
    words = " and ".join(f"{abs(n)} * {size} {'too many' if n > 0 else 'missing'}" for n, size in parts if n)
    name = "_".join(f"{'plus' if n > 0 else 'minus'}_{abs(n)}_{size}" for n, size in parts if n)
    return name.replace(" * ", "_times_"), f"Your number is off: {words}. {SMALL}"


told = {-1: (1, -1), 0: (2, 1, 0, -1, -2, -3, -4, -8), 1: (-1,)}
for hidden in (-1, 0, 1):
    for channels in range(-10, 6):
        if channels not in told[hidden] and (channels, hidden) not in {(-9, -1), (-7, -1), (-5, -1), (0, -1), (4, 0)}:
            name, message = small_parts(channels, hidden)
            count_parameters.mistake(
                message, **{name: plus(lambda C, F, H, channels=channels, hidden=hidden: channels * C + hidden * F)}
            )
for channels in range(-9, 0):
    if channels not in (-1, -4):
        name, message = small_parts(channels, 0, -1)
        count_parameters.mistake(message, **{name: plus(lambda C, F, H, channels=channels: channels * C - C * C)})


count_parameters.hints(
    "A linear layer from n to m has n * m weights and m biases.",
    "Attention has four of them, d_model to d_model: query, key, value, output. `nhead` changes nothing.",
    "The feed-forward network has two: d_model to dim_feedforward and back. A LayerNorm has 2 * d_model.",
)
