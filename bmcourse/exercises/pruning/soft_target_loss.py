"""The loss with which a student learns a teacher's softened answers, of Hinton, Vinyals and Dean 2015 (lesson 08)."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import exercise


@exercise(
    prompt="The distillation loss of Hinton, Vinyals and Dean (2015): both logits (B, C) are divided by the "
    "temperature T, and the loss is KL(teacher ‖ student) of the two softmaxes, the mean over the batch, times T². It "
    "keeps the student's gradient."
)
def soft_target_loss(student_logits, teacher_logits, temperature):
    student = F.log_softmax(student_logits / temperature, dim=-1)
    teacher = F.softmax(teacher_logits / temperature, dim=-1)
    return F.kl_div(student, teacher, reduction="batchmean") * temperature**2


@soft_target_loss.cases
def cases():
    return [
        (torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), 1.0),
        (torch.randn(3, 4, requires_grad=True), 3 * torch.randn(3, 4), 2.0),
        (torch.randn(5, 3, requires_grad=True), 5 * torch.randn(5, 3), 4.0),
        (torch.randn(2, 3, requires_grad=True), torch.tensor([[400.0, 0.0, -400.0], [1.0, 2.0, 3.0]]), 2.0),
    ]


@soft_target_loss.judge
def by_distributions(student_logits, teacher_logits, temperature):
    student, teacher = (
        torch.distributions.Categorical(logits=logits / temperature) for logits in (student_logits, teacher_logits)
    )
    return temperature**2 * torch.distributions.kl_divergence(teacher, student).mean()


@soft_target_loss.right
def by_formula(student_logits, teacher_logits, temperature):
    log_q = (student_logits / temperature).log_softmax(dim=1)
    log_p = (teacher_logits / temperature).log_softmax(dim=1)
    return temperature * temperature * (log_p.exp() * (log_p - log_q)).sum() / len(log_p)


@soft_target_loss.right
def by_entropy(student_logits, teacher_logits, temperature):
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    entropy = torch.special.entr(p).sum(dim=-1).mean()
    return (F.cross_entropy(student_logits / temperature, p) - entropy) * temperature**2


@soft_target_loss.right
def row_by_row(student_logits, teacher_logits, temperature):
    losses = []
    for s, t in zip(student_logits / temperature, teacher_logits / temperature, strict=True):
        p = t.softmax(0)
        log_ratio = (t - t.logsumexp(0)) - (s - s.logsumexp(0))
        losses.append(torch.dot(p, log_ratio) * temperature**2)
    return torch.stack(losses).mean()


def soft(
    student=lambda logits, T: logits / T,
    teacher=lambda logits, T: logits / T,
    compare=lambda log_q, log_p: (log_p.exp() * (log_p - log_q)).sum() / len(log_p),
    factor=lambda T: T**2,
    dim=-1,
):
    """A wrong loss: one with a changed part; log_q is the student's, log_p the teacher's."""

    def answer(student_logits, teacher_logits, temperature):
        log_q = student(student_logits, temperature).log_softmax(dim=dim)
        log_p = teacher(teacher_logits, temperature).log_softmax(dim=dim)
        return compare(log_q, log_p) * factor(temperature)

    return answer


soft_target_loss.mistake(
    "The factor T² is missing. Softened by T, the gradients shrink by T²: at T = 4 the teacher would have a "
    "sixteenth of its say beside the true labels.",
    no_square=soft(factor=lambda T: 1),
)

soft_target_loss.mistake(
    "You multiply by T. The gradients shrink by T²: once because the logits are divided by T, and once because "
    "the softened answers lie closer together.",
    times_t=soft(factor=lambda T: T),
)


def _plain(logits, temperature):
    return logits


soft_target_loss.mistake(
    "Only the teacher is softened. The student then learns to be as unsure as the softened teacher: both "
    "logits are divided by T.",
    only_teacher_softened=soft(student=_plain),
)

soft_target_loss.mistake(
    "Only the student is softened. The teacher's answer stays as sharp as a label, and what it knows about the "
    "other classes does not show: both logits are divided by T.",
    only_student_softened=soft(teacher=_plain),
)

soft_target_loss.mistake(
    "The temperature softens nothing: divide both logits by it before the softmax.",
    nothing_softened=soft(student=_plain, teacher=_plain),
)

soft_target_loss.mistake(
    "You multiply the logits by T, which makes the answers sharper. Divide by it: a high temperature softens.",
    multiplied_by_t=soft(*[lambda logits, T: logits * T] * 2),
)


def other_direction(log_q, log_p):
    return (log_q.exp() * (log_q - log_p)).sum() / len(log_p)


soft_target_loss.mistake(
    "The direction is wrong: that is KL(student ‖ teacher), where the student may leave out classes that the "
    "teacher finds likely. The teacher's probabilities weigh. Beware of F.kl_div: the student comes first.",
    direction=soft(compare=other_direction),
)


def mean_over_everything(log_q, log_p):
    return (log_p.exp() * (log_p - log_q)).mean()


soft_target_loss.mistake(
    "You take the mean over the classes too, as F.kl_div does by default. The loss is then too small by the "
    'number of classes, and the teacher is hardly heard: reduction="batchmean".',
    mean_over_classes=soft(compare=mean_over_everything),
)

soft_target_loss.mistake(
    "You take the sum over the batch, so twice as many examples give twice the loss, and twice the step. "
    'reduction="batchmean".',
    sum_over_batch=soft(compare=lambda log_q, log_p: (log_p.exp() * (log_p - log_q)).sum()),
)

soft_target_loss.mistake(
    "You give one number for each example. Take the mean over the batch.",
    one_an_example=soft(compare=lambda log_q, log_p: (log_p.exp() * (log_p - log_q)).sum(dim=-1)),
)

soft_target_loss.mistake(
    "F.kl_div takes the logarithms of the student's probabilities, and you give the probabilities. It raises "
    "no error, and the number means nothing. Use F.log_softmax for the student.",
    probabilities_of_student=soft(
        compare=lambda log_q, log_p: F.kl_div(log_q.exp(), log_p.exp(), reduction="batchmean")
    ),
)

soft_target_loss.mistake(
    "F.kl_div takes the teacher's probabilities, and you give their logarithms. They are negative, and what it "
    "makes of them is NaN. Use F.softmax for the teacher, or log_target=True.",
    logarithms_of_teacher=soft(compare=lambda log_q, log_p: F.kl_div(log_q, log_p, reduction="batchmean")),
)


def _cross_entropy(log_q, log_p):
    return -(log_p.exp() * log_q).sum() / len(log_p)


soft_target_loss.mistake(
    "That is the cross-entropy. Its gradient is the same, but it is not 0 when the student answers just as "
    "the teacher: subtract the teacher's entropy, or use F.kl_div.",
    cross_entropy=soft(compare=_cross_entropy),
)

soft_target_loss.mistake(
    "That is the cross-entropy, which is not 0 when the student answers just as the teacher; and the factor T² "
    "is missing, without which the gradients shrink with T. Use F.kl_div and temperature**2.",
    cross_entropy_without_square=soft(compare=_cross_entropy, factor=lambda T: 1),
)

soft_target_loss.mistake(
    "Too small for two reasons: F.kl_div takes the mean over the classes too, unless you say "
    'reduction="batchmean"; and the factor T² is missing.',
    mean_over_classes_without_square=soft(compare=mean_over_everything, factor=lambda T: 1),
)

soft_target_loss.mistake(
    "The direction is wrong, KL(student ‖ teacher), and the factor T² is missing. In F.kl_div the student's "
    "logarithms come first and the teacher's probabilities second.",
    direction_without_square=soft(compare=other_direction, factor=lambda T: 1),
)

soft_target_loss.mistake(
    "You learn only the class that the teacher finds likeliest. What it thinks of the others is what "
    "distillation is for: compare all its probabilities.",
    hard_labels=lambda student, teacher, temperature: F.cross_entropy(student, teacher.argmax(dim=-1)),
)

soft_target_loss.mistake(
    "That is the mean squared error of the probabilities. The loss of the paper is the Kullback-Leibler divergence.",
    squared_probabilities=soft(compare=lambda log_q, log_p: F.mse_loss(log_q.exp(), log_p.exp())),
)

soft_target_loss.mistake(
    "That is the mean squared error of the logits. It is used as well, and the loss of the paper comes near it "
    "for very large T; here it is the Kullback-Leibler divergence.",
    squared_logits=lambda student, teacher, temperature: F.mse_loss(student, teacher),
)


def ratio_of_probabilities(log_q, log_p):
    p, q = log_p.exp(), log_q.exp()
    return (p * (p / q).log()).sum() / len(p)


soft_target_loss.mistake(
    "Right, until the teacher is quite sure: a probability is then 0, and 0 * log(0) is NaN. Compute with "
    "log_softmax, or use F.kl_div.",
    zero_times_log=soft(compare=ratio_of_probabilities),
)

soft_target_loss.mistake(
    "Your softmax runs over the batch. The classes are the last dimension: dim=-1.", softmax_over_batch=soft(dim=0)
)

soft_target_loss.mistake(
    "The number is right, but a plain number has no gradient, and the student cannot learn from it. Leave out .item().",
    plain_number=lambda *case: soft_target_loss(*case).item(),
)

soft_target_loss.mistake(
    "The number is right, but its gradient is cut off, and the student cannot learn from it. Leave out "
    ".detach() and no_grad.",
    cut_graph=lambda *case: soft_target_loss(*case).detach(),
)

soft_target_loss.hints(
    "Divide both logits by the temperature. Which of the two softmaxes do you need as logarithms?",
    'F.kl_div(log_softmax of the student, softmax of the teacher, reduction="batchmean") is KL(teacher ‖ student).',
    "Multiply by temperature**2, so that the gradients keep their size at any temperature.",
)
