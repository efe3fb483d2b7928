"""A head for K classes on what stands at [CLS] (lesson 16)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="A head for K classes. `vectors` (B, T, C) come out of BERT's last layer; [CLS] stands at the first place "
    "of each sentence. `weight` is (K, C) and `bias` (K,), as in nn.Linear. Return the logits (B, K) of one linear "
    "layer on what stands at [CLS], with their graph."
)
def cls_logits(vectors, weight, bias):
    return vectors[:, 0] @ weight.T + bias


@cls_logits.cases
def cases():
    return [
        (
            torch.tensor([[[1.0, 2.0], [5.0, 5.0]]], requires_grad=True),
            torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
            torch.tensor([0.5, 0.0]),
        ),
        (torch.randn(3, 5, 4, requires_grad=True), torch.randn(6, 4), torch.randn(6)),
        (torch.randn(4, 4, 4, requires_grad=True), torch.randn(4, 4), torch.randn(4)),
        uncommon(torch.tensor([[[0.0, 2.0, -1.0]], [[0.5, 0.0, 3.0]]]), torch.randn(1, 3), torch.randn(1)),
        (torch.randn(2, 3, 5), torch.randn(4, 5, requires_grad=True), torch.ones(4, requires_grad=True)),
    ]


@cls_logits.right
def by_linear(vectors, weight, bias):
    return F.linear(vectors, weight, bias)[:, 0]


@cls_logits.right
def by_einsum(vectors, weight, bias):
    return torch.einsum("bc,kc->bk", vectors.select(1, 0), weight) + bias


@cls_logits.right
def by_a_loop(vectors, weight, bias):
    return torch.stack(
        [torch.stack([(row[0] * w).sum() + b for w, b in zip(weight, bias, strict=True)]) for row in vectors]
    )


@cls_logits.right
def by_broadcasting(vectors, weight, bias):
    return (vectors[:, :1] * weight).sum(dim=-1).add(bias)


@cls_logits.right
def by_addmm(vectors, weight, bias):
    return torch.addmm(bias, vectors[..., 0, :], weight.mT)


def at(choose):
    """A wrong head: on `choose(vectors)`."""
    return lambda vectors, weight, bias: choose(vectors) @ weight.T + bias


def then(change):
    """A wrong answer: `change(logits)` of the right ones."""
    return lambda *case: change(cls_logits(*case))


# What is read.


cls_logits.mistake(
    "vectors[0] is the whole first sentence. Asked is the first place of *every* sentence: vectors[:, 0].",
    first_sentence=at(lambda vectors: vectors[0]),
)


cls_logits.mistake(
    "vectors[:, :, 0] is the first number of every vector. Asked is the first place: vectors[:, 0].",
    first_channel=at(lambda vectors: vectors[:, :, 0]),
)


cls_logits.mistake(
    "vectors[0, 0] is [CLS] of the first sentence alone. Asked is that of *every* sentence: vectors[:, 0].",
    first_sentence_alone=at(lambda vectors: vectors[0, 0]),
)


cls_logits.mistake(
    "vectors[:, 0:1] keeps a dimension of size 1: (B, 1, K). Asked is (B, K): vectors[:, 0].",
    dimension_kept=at(lambda vectors: vectors[:, :1]),
)


cls_logits.mistake(
    "You read the last place. In a GPT that is the one that has seen all; here it is [CLS], the first one. The "
    "last one may be [PAD].",
    last_place=at(lambda vectors: vectors[:, -1]),
)


cls_logits.mistake(
    "vectors[:, 1] is the second place. Places are counted from 0, and [CLS] stands at the first: vectors[:, 0].",
    second_place=at(lambda vectors: vectors[:, 1]),
)


cls_logits.mistake(
    "You take the mean of all places, padding among them. Asked is what stands at [CLS].",
    mean_of_places=at(lambda vectors: vectors.mean(dim=1)),
)


cls_logits.mistake(
    "You add up all places, padding among them. Asked is what stands at [CLS].",
    sum_of_places=at(lambda vectors: vectors.sum(dim=1)),
)


cls_logits.mistake(
    "You take the largest number of all places, padding among them. Asked is what stands at [CLS].",
    largest_of_places=at(lambda vectors: vectors.amax(dim=1)),
)


cls_logits.mistake(
    "You leave [CLS] out, and take the mean of the others. Asked is what stands at [CLS].",
    mean_of_the_others=at(lambda vectors: vectors[:, 1:].mean(dim=1)),
)


cls_logits.mistake(
    "You classify every token. Asked is one answer a sentence: take the vector at [CLS].",
    every_token=at(lambda vectors: vectors),
)


cls_logits.mistake(
    "You average [CLS] over the sentences. Each sentence has its own answer.",
    sentences_averaged=at(lambda vectors: vectors[:, 0].mean(dim=0)),
)


cls_logits.mistake(
    "BERT's pooler puts a tanh on [CLS]. Here the head is one linear layer alone.",
    pooler=at(lambda vectors: vectors[:, 0].tanh()),
)


cls_logits.mistake(
    "You normalise what stands at [CLS]. The head is one linear layer alone: leave the layer norm out.",
    layer_norm=at(lambda vectors: F.layer_norm(vectors[:, 0], vectors.shape[-1:])),
)


cls_logits.mistake(
    "You put a ReLU on what stands at [CLS]. The head is one linear layer alone.",
    relu_before=at(lambda vectors: vectors[:, 0].relu()),
)


# The linear layer.


cls_logits.mistake("The bias is missing.", no_bias=cls_logits.changed(" + bias", ""))


cls_logits.mistake("You subtract the bias. Add it.", bias_subtracted=cls_logits.changed("+ bias", "- bias"))


cls_logits.mistake(
    "You multiply by the bias. It is added after the product.", times_bias=cls_logits.changed("+ bias", "* bias")
)


cls_logits.mistake(
    "weight is (K, C), as in nn.Linear, so it must be transposed: vectors[:, 0] @ weight.T. F.linear "
    "does that itself, and gets `weight` as it is.",
    not_transposed=cls_logits.changed("weight.T", "weight"),
)


cls_logits.mistake(
    "weight @ vectors gives (K, B), or does not fit. Put the vectors first: vectors[:, 0] @ weight.T.",
    sides_swapped=lambda vectors, weight, bias: weight @ vectors[:, 0] + bias,
)


cls_logits.mistake(
    "weight @ vectors.T is (K, B), and the bias lands on the wrong axis. Put the vectors first: vectors[:, 0] @ "
    "weight.T.",
    classes_first=lambda vectors, weight, bias: weight @ vectors[:, 0].T + bias,
)


cls_logits.mistake(
    "Your logits are (K, B), a row for each class. Asked is (B, K): vectors[:, 0] @ weight.T + bias.",
    transposed=then(lambda logits: logits.T),
)


cls_logits.mistake(
    "* multiplies place by place. A linear layer is a matrix product: vectors[:, 0] @ weight.T.",
    product_by_places=cls_logits.changed("@ weight.T", "* weight"),
)


cls_logits.mistake(
    "A new nn.Linear begins with weights of its own, at random. Use `weight` and `bias`.",
    new_layer=lambda vectors, weight, bias: torch.nn.Linear(weight.shape[1], weight.shape[0]).to(vectors)(
        vectors[:, 0]
    ),
)


cls_logits.mistake(
    "You divide by the root of C, as attention does with its scores. A linear layer does not.",
    scaled_like_attention=lambda vectors, weight, bias: vectors[:, 0] @ weight.T / vectors.shape[-1] ** 0.5 + bias,
)


# What is made of the logits.


cls_logits.mistake(
    "Those are probabilities. Return the logits: the loss does the softmax itself.",
    probabilities=then(lambda logits: logits.softmax(dim=-1)),
)


cls_logits.mistake(
    "Those are log-probabilities. Return the logits: the loss does the softmax itself.",
    log_probabilities=then(lambda logits: logits.log_softmax(dim=-1)),
)


cls_logits.mistake(
    "You took sigmoid of the logits. Return them as they are: the loss does the rest itself.",
    sigmoid=then(lambda logits: logits.sigmoid()),
)


cls_logits.mistake(
    "You took tanh of the logits. Return them as they are.",
    tanh=then(lambda logits: logits.tanh()),
)


cls_logits.mistake(
    "You took ReLU of the logits. Return them as they are: a class may have a negative logit.",
    relu=then(lambda logits: logits.relu()),
)


cls_logits.mistake(
    "Those are the classes themselves, and no gradient goes through argmax. Return the logits.",
    classes=then(lambda logits: logits.argmax(dim=-1)),
)


cls_logits.mistake(
    "Those are the largest logits only. Return all K of them.", largest=then(lambda logits: logits.amax(dim=-1))
)


cls_logits.mistake(
    "squeeze() takes away every dimension of size 1, also a batch of one sentence or one class. Leave it out.",
    squeezed=then(lambda logits: logits.squeeze()),
)


# The graph.


cls_logits.mistake(
    "The numbers are right, but the graph to the BERT is cut: it would stay frozen. Fine-tuning trains all of it.",
    bert_cut_off=cls_logits.changed("vectors[:, 0]", "vectors[:, 0].detach()"),
)


cls_logits.mistake(
    "The numbers are right, but the graph to weight and bias is cut: the head itself could not learn.",
    head_cut_off=cls_logits.changed("weight.T + bias", "weight.T.detach() + bias.detach()"),
)


cls_logits.mistake(
    "The numbers are right, but the graph is cut: nothing could learn. Leave out detach(), no_grad and torch.tensor.",
    everything_cut_off=then(lambda logits: logits.detach()),
)


cls_logits.hints(
    "vectors[:, 0] is (B, C): the first place of every sentence.",
    "A linear layer is x @ weight.T + bias.",
    "F.linear(vectors[:, 0], weight, bias) does the same.",
)
