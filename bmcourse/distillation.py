"""Distillation (知识蒸馏): a student learns from a teacher's probabilities, which say more than one right label."""

import torch

from bmcourse.inference import evaluating
from bmcourse.losses import cross_entropy, kl_div


def soften(logits, temperature):
    """log softmax(logits / temperature): above 1 the temperature (温度) shows how likely the wrong classes are, too.

    Raises ValueError unless the temperature is above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0. 1 changes nothing, 2 to 5 are usual.")
    return (logits / temperature).log_softmax(dim=-1)


def distillation_loss(student_logits, teacher_logits, targets=None, temperature=2.0, alpha=0.5):
    """alpha · T² · KL(teacher ‖ student), both at temperature T, + (1 - alpha) · cross-entropy; logits (N, C).

    The gradient of soft targets shrinks with 1 / T²; the factor T² keeps the two parts in balance at any temperature.
    The teacher gets no gradient. Without `targets` (N,), for inputs without labels, alpha must be 1.
    Raises ValueError for shapes that differ, alpha outside [0, 1], and a temperature that is not above 0.
    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """
    check_distillation(student_logits, teacher_logits, targets, alpha)
    student, teacher = soften(student_logits, temperature), soften(teacher_logits.detach(), temperature)
    soft = kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2
    hard = 0.0 if targets is None else cross_entropy(student_logits, targets)
    return alpha * soft + (1 - alpha) * hard


def distill(student, teacher, inputs, targets=None, steps=300, lr=3e-3, batch_size=32, seed=0, **loss_settings):
    """Train `student` on what `teacher` answers to `inputs` (N, ...), with Adam; returns the loss of every step.

    The teacher is asked once, in eval mode. `targets` (N,), `temperature` and `alpha` are distillation_loss's; `seed`
    chooses the batches.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(student.parameters(), lr=lr)
    answers = answers_of(teacher, inputs)
    losses = []
    for _ in range(steps):
        rows = torch.randint(len(inputs), (batch_size,), generator=generator)
        labels = None if targets is None else targets[rows]
        loss = distillation_loss(student(inputs[rows]), answers[rows], labels, **loss_settings)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def answers_of(teacher, inputs):
    """The logits of `teacher`, without dropout; it is put back in the mode it was in."""
    with evaluating(teacher):
        return teacher(inputs)


def check_distillation(student_logits, teacher_logits, targets, alpha):
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(
            f"The student's logits are {tuple(student_logits.shape)}, the teacher's {tuple(teacher_logits.shape)}; "
            f"expected the same shape: give both the same inputs, and as many classes."
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it is the teacher's share of the loss, from 0 to 1.")
    if targets is None and alpha != 1:
        raise ValueError(
            f"alpha is {alpha} and there are no targets. Pass targets, or alpha=1 for inputs without labels."
        )
