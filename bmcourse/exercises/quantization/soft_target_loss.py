"""The loss with which a student learns a teacher's softened answers, of Hinton, Vinyals and Dean 2015 (lesson 11)."""

import math

import torch
import torch.nn.functional as F

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="The distillation loss of Hinton, Vinyals and Dean (2015): both logits (B, C) are divided by the "
    "temperature T, and the loss is KL(teacher ‖ student) of the two softmaxes, the mean over the batch, times T². It "
    "keeps the student's gradient.",
    untried={"teacher_logits": {"a gradient is wanted": "whether the teacher learns as well is left open"}},
)
def soft_target_loss(student_logits, teacher_logits, temperature):
    student = F.log_softmax(student_logits / temperature, dim=-1)
    teacher = F.softmax(teacher_logits / temperature, dim=-1)
    return F.kl_div(student, teacher, reduction="batchmean") * temperature**2


@soft_target_loss.cases
def cases():
    student, teacher = uncommon(torch.randn(2, 5), 3 * torch.randn(2, 5))
    same = torch.tensor([[2.0, 0.0, 2.0], [1.0, 5.0, -1.0], [0.0, 0.0, 0.0], [3.0, 1.0, 2.0]])
    return [
        (torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), 1.0),
        (torch.randn(3, 4, requires_grad=True), 3 * torch.randn(3, 4), 2.0),
        (torch.randn(5, 3, requires_grad=True), 5 * torch.randn(5, 3), 4.0),
        (torch.randn(2, 3, requires_grad=True), torch.tensor([[400.0, 0.0, -400.0], [1.0, 2.0, 3.0]]), 2.0),
        (torch.tensor([[900.0, -900.0, 0.0]]).requires_grad_(), torch.tensor([[-1.0, 1.0, 2.0]]), 1.5),
        (student, teacher.detach(), 0.5),
        (same.clone().requires_grad_(), same, 3.0),
    ]


@soft_target_loss.judge
def by_loop(student_logits, teacher_logits, temperature):
    losses = []
    for s, t in zip(student_logits.double() / temperature, teacher_logits.double() / temperature, strict=True):
        log_q, log_p = s - s.logsumexp(0), t - t.logsumexp(0)
        losses.append(sum(log_p[k].exp() * (log_p[k] - log_q[k]) for k in range(len(s))))
    return (temperature**2 * sum(losses) / len(losses)).to(student_logits.dtype)


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
def by_logarithms(student_logits, teacher_logits, temperature):
    student, teacher = (F.log_softmax(x.div(temperature), -1) for x in (student_logits, teacher_logits.detach()))
    return (
        F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1).mean().mul(temperature).mul(temperature)
    )


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

soft_target_loss.mistake(
    "You divide by T². The gradients have shrunk by T² already: multiply by it.",
    divided_by_square=soft(factor=lambda T: T**-2),
)
soft_target_loss.mistake(
    "You divide by T. The gradients have shrunk by T²: multiply by T².",
    divided_by_t=soft(factor=lambda T: 1 / T),
)
soft_target_loss.mistake(
    "You multiply by T³. It is T²: once because the logits are divided by T, and once because the softened answers lie "
    "closer together.",
    cubed=soft(factor=lambda T: T**3),
)
soft_target_loss.mistake(
    "You multiply by 2T. It is T², temperature**2.",
    doubled=soft(factor=lambda T: 2 * T),
)
soft_target_loss.mistake(
    "You multiply by the root of T. It is T².",
    root_of_t=soft(factor=lambda T: T**0.5),
)
for fixed in (2, 3, 4, 5, 10):
    soft_target_loss.mistake(
        f"The temperature is written down as {fixed}. Use `temperature`.",
        **{f"always_{fixed}": lambda s, t, T, fixed=fixed: soft_target_loss(s, t, fixed)},
    )
soft_target_loss.mistake(
    "The factor is written down as 4. It is temperature**2.",
    factor_4=soft(factor=lambda T: 4),
)
soft_target_loss.mistake(
    "You learn only the class that the teacher finds likeliest, softened or not. What it thinks of the others is what "
    "distillation is for: compare all its probabilities.",
    hard_labels_softened=lambda s, t, T: F.cross_entropy(s / T, t.argmax(dim=-1)) * T**2,
)
soft_target_loss.mistake(
    "You learn only the class that the teacher finds likeliest, and the factor T² is missing. Compare all its "
    "probabilities.",
    hard_labels_softened_without_square=lambda s, t, T: F.cross_entropy(s / T, t.argmax(dim=-1)),
)
soft_target_loss.mistake(
    "The sign is wrong: training would drive the student away from the teacher. KL is p * (log p - log q), added up.",
    sign=soft(compare=lambda log_q, log_p: (log_p.exp() * (log_q - log_p)).sum() / len(log_p)),
)
soft_target_loss.mistake(
    "That is the teacher's probability times the logarithm of the student's, without the minus and without the "
    "teacher's own. KL is p * (log p - log q), added up.",
    positive_cross_entropy=soft(compare=lambda log_q, log_p: (log_p.exp() * log_q).sum() / len(log_p)),
)
soft_target_loss.mistake(
    "You take the mean of both directions. The loss has one, KL(teacher ‖ student).",
    both_directions=soft(compare=lambda q, p: ((p.exp() - q.exp()) * (p - q)).sum() / len(p) / 2),
)
soft_target_loss.mistake(
    "You add both directions. The loss has one, KL(teacher ‖ student).",
    both_directions_added=soft(compare=lambda q, p: ((p.exp() - q.exp()) * (p - q)).sum() / len(p)),
)
soft_target_loss.mistake(
    "The probabilities that weigh are missing: you add up the differences of the logarithms. KL is p * (log p - log "
    "q).",
    no_weights=soft(compare=lambda log_q, log_p: (log_p - log_q).sum() / len(log_p)),
)
soft_target_loss.mistake(
    "You weigh with the student's probabilities. In KL(teacher ‖ student) the teacher's weigh.",
    weighed_by_student=soft(compare=lambda log_q, log_p: (log_q.exp() * (log_p - log_q)).sum() / len(log_p)),
)
soft_target_loss.mistake(
    "The logarithms are missing: you weigh the differences of the probabilities. KL is p * (log p - log q).",
    no_logarithms=soft(compare=lambda log_q, log_p: (log_p.exp() * (log_p.exp() - log_q.exp())).sum() / len(log_p)),
)
soft_target_loss.mistake(
    "The logarithm is missing: you add up p * p / q. KL is p * log(p / q).",
    ratio_without_logarithm=soft(compare=lambda log_q, log_p: (2 * log_p - log_q).exp().sum() / len(log_p)),
)
soft_target_loss.mistake(
    "You add up the absolute differences of the probabilities. The loss of the paper is the Kullback-Leibler "
    "divergence.",
    absolute_probabilities=soft(compare=lambda q, p: (p.exp() - q.exp()).abs().sum() / len(p)),
)
soft_target_loss.mistake(
    "That is the squared error of the logarithms of the probabilities. The loss of the paper is the Kullback-Leibler "
    "divergence.",
    squared_logarithms=soft(compare=F.mse_loss),
)
soft_target_loss.mistake(
    "That is the mean squared error of the softened logits. The loss of the paper is the Kullback-Leibler divergence "
    "of the softmaxes.",
    squared_softened_logits=lambda s, t, T: F.mse_loss(s / T, t / T),
)
soft_target_loss.mistake(
    "F.kl_div takes logarithms of probabilities first, and you give the student's logits as they are, softened but "
    "without log_softmax.",
    logits_for_logarithms=lambda s, t, T: F.kl_div(s / T, (t / T).softmax(-1), reduction="batchmean") * T**2,
)
soft_target_loss.mistake(
    "F.kl_div takes probabilities second, and you give the teacher's logits. Use F.softmax for the teacher.",
    logits_for_probabilities=lambda s, t, T: F.kl_div((s / T).log_softmax(-1), t / T, reduction="batchmean") * T**2,
)
soft_target_loss.mistake(
    "You divide the probabilities by T, after the softmax. They no longer add up to 1: divide the logits.",
    probabilities_divided=lambda s, t, T: (
        F.kl_div((s.softmax(-1) / T).log(), t.softmax(-1) / T, reduction="batchmean") * T**2
    ),
)
soft_target_loss.mistake(
    "You divide the student's log-probabilities and the teacher's probabilities by T, after the softmax. Divide the "
    "logits.",
    divided_after_softmax=lambda s, t, T: (
        F.kl_div(s.log_softmax(-1) / T, t.softmax(-1) / T, reduction="batchmean") * T**2
    ),
)
soft_target_loss.mistake(
    "You make a softmax twice: cross_entropy and log_softmax make one of their own. Give them the logits.",
    softmax_twice=soft(student=lambda logits, T: (logits / T).softmax(-1), teacher=lambda logits, T: logits / T),
)
soft_target_loss.mistake(
    "You make a softmax twice for both. log_softmax makes one of its own: give it the logits.",
    softmax_twice_for_both=soft(*[lambda logits, T: (logits / T).softmax(-1)] * 2),
)
soft_target_loss.mistake(
    "You mix in only half of the loss. The mixture with the true labels is made elsewhere.",
    half=soft(factor=lambda T: T**2 / 2),
)
soft_target_loss.mistake(
    "Your loss is in bits, with log2. The natural logarithm was asked, as F.kl_div has it.",
    bits=soft(factor=lambda T: T**2 / math.log(2)),
)
soft_target_loss.mistake(
    "You take the mean over the batch twice: batchmean has divided by the number of examples already.",
    mean_twice=soft(compare=lambda q, p: (p.exp() * (p - q)).sum() / len(p) ** 2),
)
soft_target_loss.mistake(
    "Only the first example counts. Take the mean over the batch.",
    first_example_only=lambda s, t, T: soft_target_loss(s[:1], t[:1], T),
)
soft_target_loss.mistake(
    "You take the sum over the batch, and T² is missing. Take the mean, and multiply by temperature**2.",
    sum_over_batch_without_square=soft(compare=lambda q, p: (p.exp() * (p - q)).sum(), factor=lambda T: 1),
)
soft_target_loss.mistake(
    "You give one number for each class and example. Add over the classes, and take the mean over the batch.",
    no_reduction=soft(compare=lambda log_q, log_p: log_p.exp() * (log_p - log_q)),
)
for digits in (6, 7, 8, 9, 10, 12):
    soft_target_loss.mistake(
        f"A small number inside of the logarithms (1e-{digits}) makes the loss far too small where the student is "
        f"quite sure, and gives it no gradient there. Compute with log_softmax.",
        **{
            f"small_number_{digits}": soft(
                compare=lambda q, p, e=10.0**-digits: (
                    (p.exp() * ((p.exp() + e).log() - (q.exp() + e).log())).sum() / len(p)
                )
            )
        },
    )
soft_target_loss.mistake(
    "The student's probabilities have a small number added (1e-6) before the logarithm: the loss is far too small "
    "where it is quite sure, with no gradient there. Compute with log_softmax.",
    small_number_for_student=lambda s, t, T: (
        F.kl_div(((s / T).softmax(-1) + 1e-6).log(), (t / T).softmax(-1), reduction="batchmean") * T**2
    ),
)
soft_target_loss.mistake(
    "Right, until the student is quite sure: a probability is then 0, and its logarithm minus infinity. Compute with "
    "log_softmax.",
    logarithm_of_zero=lambda s, t, T: (
        F.kl_div((s / T).softmax(-1).log(), (t / T).softmax(-1), reduction="batchmean") * T**2
    ),
)
soft_target_loss.mistake(
    "Your own softmax overflows: exp(900) is infinite. torch's subtracts the largest logit first: use log_softmax.",
    own_softmax=lambda s, t, T: (
        (
            (p := (e := (t / T).exp()) / e.sum(-1, keepdim=True))
            * (p.log() - (s / T) + (s / T).exp().sum(-1, keepdim=True).log())
        )
        .sum(-1)
        .mean()
        * T**2
    ),
)

soft_target_loss.hints(
    "Divide both logits by the temperature. Which of the two softmaxes do you need as logarithms?",
    'F.kl_div(log_softmax of the student, softmax of the teacher, reduction="batchmean") is KL(teacher ‖ student).',
    "Multiply by temperature**2, so that the gradients keep their size at any temperature.",
)
