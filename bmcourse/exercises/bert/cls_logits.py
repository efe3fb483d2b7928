"""The exercise `cls_logits` of lesson 13."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="A head for K classes. `vectors` (B, T, C) come out of BERT's last layer; [CLS] stands at the first place "
    "of each sentence. `weight` is (K, C) and `bias` (K,), as in nn.Linear. Return the logits (B, K) of one linear "
    "layer on what stands at [CLS], with their graph."
)
def cls_logits(vectors, weight, bias):
    return vectors[:, 0] @ weight.T + bias


@cls_logits.right
def cls_by_linear(vectors, weight, bias):
    return F.linear(vectors, weight, bias)[:, 0]


@cls_logits.right
def cls_by_einsum(vectors, weight, bias):
    return torch.einsum("bc,kc->bk", vectors.select(1, 0), weight) + bias


@cls_logits.right
def cls_by_a_loop(vectors, weight, bias):
    return torch.stack(
        [torch.stack([(row[0] * w).sum() + b for w, b in zip(weight, bias, strict=True)]) for row in vectors]
    )


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
    ]


cls_logits.mistake(
    "vectors[0] is the whole first sentence. Asked is the first place of *every* sentence: vectors[:, 0].",
    TODO_35=lambda vectors, weight, bias: vectors[0] @ weight.T + bias,
)


cls_logits.mistake(
    "You read the last place. In a GPT that is the one that has seen all; here it is [CLS], the first one. The "
    "last one may be [PAD].",
    TODO_36=lambda vectors, weight, bias: vectors[:, -1] @ weight.T + bias,
)


cls_logits.mistake(
    "You take the mean of all places, padding among them. Asked is what stands at [CLS].",
    TODO_37=lambda vectors, weight, bias: vectors.mean(dim=1) @ weight.T + bias,
)


cls_logits.mistake(
    "You classify every token. Asked is one answer a sentence: take the vector at [CLS].",
    TODO_38=lambda vectors, weight, bias: vectors @ weight.T + bias,
)


cls_logits.mistake("The bias is missing.", TODO_39=lambda vectors, weight, bias: vectors[:, 0] @ weight.T)


cls_logits.mistake(
    "Those are probabilities. Return the logits: the loss does the softmax itself.",
    TODO_40=lambda vectors, weight, bias: cls_logits(vectors, weight, bias).softmax(dim=-1),
)


cls_logits.mistake(
    "The numbers are right, but the graph to the BERT is cut: it would stay frozen. Fine-tuning trains all of it.",
    TODO_41=lambda vectors, weight, bias: cls_logits(vectors.detach(), weight, bias),
)


cls_logits.mistake(
    "Those are the classes themselves, and no gradient goes through argmax. Return the logits.",
    TODO_42=lambda vectors, weight, bias: cls_logits(vectors, weight, bias).argmax(dim=-1),
)


cls_logits.hints(
    "vectors[:, 0] is (B, C): the first place of every sentence.",
    "A linear layer is x @ weight.T + bias.",
    "F.linear(vectors[:, 0], weight, bias) does the same.",
)
