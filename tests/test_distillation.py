"""Distillation against torch.nn.functional, its gradient written out, and a teacher that knows the answer."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bmcourse.distillation import answers_of, distill, distillation_loss, soften
from bmcourse.models.mlp import MLP
from tests.twins import randn

STUDENT, TEACHER, TARGETS = randn(6, 4), randn(6, 4, seed=1) * 3, torch.tensor([0, 1, 2, 3, 0, 1])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 20.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_loss_equals_torchs_parts(temperature, alpha):
    soft = F.kl_div(F.log_softmax(STUDENT / temperature, 1), F.softmax(TEACHER / temperature, 1), reduction="batchmean")
    expected = alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(STUDENT, TARGETS)
    torch.testing.assert_close(distillation_loss(STUDENT, TEACHER, TARGETS, temperature, alpha), expected)


def test_the_loss_by_hand():
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 2 * torch.tensor(3.0).log().item()]])
    expected = 4 * (0.25 * torch.tensor(0.5).log() + 0.75 * torch.tensor(1.5).log())  # the teacher says 1/4 and 3/4
    torch.testing.assert_close(distillation_loss(student, teacher, temperature=2.0, alpha=1), expected)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_gradient_is_the_difference_of_the_softened_probabilities(temperature):
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    distillation_loss(student, teacher, temperature=temperature, alpha=1).backward()
    difference = F.softmax(STUDENT / temperature, 1) - F.softmax(TEACHER / temperature, 1)
    torch.testing.assert_close(student.grad, temperature * difference / len(STUDENT))  # T² · 1 / T
    assert teacher.grad is None


def test_the_gradient_equals_finite_differences():
    student, teacher = STUDENT.double().requires_grad_(), TEACHER.double()
    assert torch.autograd.gradcheck(lambda s: distillation_loss(s, teacher, TARGETS, 3.0, 0.7), student)


def test_the_factor_keeps_the_gradient_as_large_at_any_high_temperature():
    def size(temperature):
        student = STUDENT.clone().requires_grad_()
        distillation_loss(student, TEACHER, temperature=temperature, alpha=1).backward()
        return student.grad.norm().item()

    assert size(1000.0) == pytest.approx(size(100.0), rel=0.05)
    # Hinton et al., equation 4, times T²: at high temperatures the logits themselves are matched
    logits = (STUDENT - STUDENT.mean(1, keepdim=True)) - (TEACHER - TEACHER.mean(1, keepdim=True))
    assert size(1000.0) == pytest.approx((logits / 4 / 6).norm().item(), rel=0.05)


def test_a_student_that_answers_as_its_teacher_costs_nothing():
    assert distillation_loss(TEACHER, TEACHER, temperature=3.0, alpha=1) == pytest.approx(0.0, abs=1e-6)


def test_softening_keeps_the_order_and_evens_out():
    for temperature in (0.5, 2.0, 5.0):
        torch.testing.assert_close(soften(TEACHER, temperature), F.log_softmax(TEACHER / temperature, -1))
    likeliest = [soften(TEACHER, t).exp().amax(1).mean() for t in (0.5, 1.0, 2.0, 5.0)]
    assert likeliest == sorted(likeliest, reverse=True)


def test_the_teacher_is_asked_in_eval_mode_and_put_back():
    teacher = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    x = randn(5, 4)
    for mode in (True, False):
        teacher.train(mode)
        answers = answers_of(teacher, x)
        assert torch.equal(answers, teacher[0](x)) and not answers.requires_grad
        assert teacher.training is mode


def test_a_student_learns_what_its_teacher_knows_without_a_label():
    torch.manual_seed(0)
    teacher, student, inputs, fresh = MLP([5, 3]), MLP([5, 3]), randn(400, 5), randn(400, 5, seed=1)
    teacher.layers[0].weight.data.mul_(5)
    before = {name: p.clone() for name, p in teacher.state_dict().items()}
    losses = distill(student, teacher, inputs, steps=400, lr=3e-2, temperature=2.0, alpha=1)
    assert len(losses) == 400 and losses[-1] < losses[0] / 10
    assert (student(fresh).argmax(1) == teacher(fresh).argmax(1)).float().mean() > 0.95
    assert all(torch.equal(before[name], p) for name, p in teacher.state_dict().items())


def test_the_loop_equals_one_written_by_hand_and_repeats_itself():
    torch.manual_seed(0)
    teacher, student = MLP([4, 8, 3]), MLP([4, 3])
    twin = MLP([4, 3])
    twin.load_state_dict(student.state_dict())
    inputs, targets = randn(30, 4), torch.arange(30) % 3
    losses = distill(
        student, teacher, inputs, targets, steps=5, lr=0.01, batch_size=8, seed=7, temperature=3, alpha=0.6
    )
    generator, optimizer = torch.Generator().manual_seed(7), torch.optim.Adam(twin.parameters(), lr=0.01)
    for loss in losses:
        rows = torch.randint(30, (8,), generator=generator)
        logits = twin(inputs[rows])
        soft = F.kl_div(
            F.log_softmax(logits / 3, 1), F.softmax(teacher(inputs[rows]) / 3, 1).detach(), reduction="batchmean"
        )
        expected = 0.6 * 9 * soft + 0.4 * F.cross_entropy(logits, targets[rows])
        assert loss == pytest.approx(expected.item(), rel=1e-4)
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()


def test_shapes_that_differ():
    with pytest.raises(ValueError, match=r"student's logits are \(6, 4\), the teacher's \(6, 3\); expected the same"):
        distillation_loss(STUDENT, TEACHER[:, :3], TARGETS)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1(alpha):
    with pytest.raises(ValueError, match=r"alpha is .*; it is the teacher's share of the loss, from 0 to 1"):
        distillation_loss(STUDENT, TEACHER, TARGETS, alpha=alpha)


def test_no_targets_and_a_loss_that_needs_them():
    with pytest.raises(ValueError, match=r"alpha is 0.5 and there are no targets. Pass targets, or alpha=1"):
        distill(MLP([4, 3]), MLP([4, 3]), randn(5, 4))


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_that_is_not_above_0(temperature):
    with pytest.raises(ValueError, match=r"temperature is .*; it must be above 0. 1 changes nothing, 2 to 5 are usual"):
        distillation_loss(STUDENT, TEACHER, TARGETS, temperature)
