"""The mean of all processes' gradients, which all-reduce leaves with every process."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="What all-reduce leaves with every process. `gradients[p][i]` is the gradient of parameter i that process p "
    "computed from its share of the batch. Returns a list: for each parameter the mean over the processes."
)
def average_gradients(gradients):
    processes = len(gradients)
    return [sum(of_all) / processes for of_all in zip(*gradients, strict=True)]


@average_gradients.cases
def cases():
    def drawn(processes, dtype=torch.float32):
        return [[torch.randn(2, 3, dtype=dtype), torch.randn(3, dtype=dtype)] for _ in range(processes)]

    ones = [[torch.ones(2), torch.ones(1)], [3 * torch.ones(2), 5 * torch.ones(1)]]
    turned = [[torch.randn(2, 2).T, torch.randn(3), torch.zeros(1)] for _ in range(5)]
    alike = drawn(1, torch.float64) * 2 + drawn(1, torch.float64)
    return [
        (ones,),
        (drawn(3),),
        (drawn(1),),
        (drawn(4),),
        (turned,),
        (alike,),
        ([[torch.randn(2)] for _ in range(3)],),
        ([[torch.tensor([0.0, 3.0])], [torch.tensor([2.0, 0.0])]],),
    ]


@average_gradients.judge
def by_stack(gradients):
    return [torch.stack(of_all).mean(dim=0) for of_all in zip(*gradients, strict=True)]


average_gradients.right(by_stack)


@average_gradients.right
def around_the_ring(gradients):
    total = [gradient.clone() for gradient in gradients[0]]
    for process in gradients[1:]:
        for sum_so_far, gradient in zip(total, process, strict=True):
            sum_so_far += gradient
    return [sum_so_far / len(gradients) for sum_so_far in total]


@average_gradients.right
def by_numbers(gradients):
    return [
        torch.stack([process[number] / len(gradients) for process in gradients]).sum(0)
        for number in range(len(gradients[0]))
    ]


@average_gradients.right
def by_a_running_mean(gradients):
    means = list(gradients[0])
    for count, process in enumerate(gradients[1:], start=2):
        means = [mean + (gradient - mean) / count for mean, gradient in zip(means, process, strict=True)]
    return means


@average_gradients.right
def as_one_long_row(gradients):
    rows = torch.stack([torch.cat([gradient.flatten() for gradient in process]) for process in gradients])
    parts = rows.mean(dim=0).split([gradient.numel() for gradient in gradients[0]])
    return tuple(part.view(gradient.shape) for part, gradient in zip(parts, gradients[0], strict=True))


def of_each(function):
    """A wrong average: `function(of_all)` of the gradients that all processes have for a parameter."""
    return lambda gradients: [function(of_all) for of_all in zip(*gradients, strict=True)]


average_gradients.mistake(
    "That is the sum: more processes would make larger steps. Divide by how many there are.", sum_not_mean=of_each(sum)
)
average_gradients.mistake(
    "Those are the gradients of process 0 alone: what the others saw in their rows is lost.",
    first_process=lambda gradients: gradients[0],
)
average_gradients.mistake(
    "Those are the gradients of the last process alone: each overwrites the one before. Add them up.",
    last_process=lambda gradients: gradients[-1],
)
average_gradients.mistake(
    "Only the last process is left, divided by their number. Add up: total += gradient.",
    last_process_divided=of_each(lambda of_all: of_all[-1] / len(of_all)),
)
average_gradients.mistake(
    "Only process 0 is left, divided by their number. Add up the gradients of all.",
    first_process_divided=of_each(lambda of_all: of_all[0] / len(of_all)),
)
average_gradients.mistake(
    "The last process is left out of the sum.",
    last_left_out=of_each(lambda of_all: sum(of_all[:-1]) / len(of_all)),
)
average_gradients.mistake(
    "Process 0 is left out of the sum.",
    first_left_out=of_each(lambda of_all: sum(of_all[1:]) / len(of_all)),
)
average_gradients.mistake(
    "Process 0 is counted twice: you begin with it and then add it again. Begin with zeros, or add from process 1 on.",
    first_twice=of_each(lambda of_all: (sum(of_all) + of_all[0]) / len(of_all)),
)
average_gradients.mistake(
    "You divide by the length of a gradient. Divide by the number of processes.",
    divided_by_length=of_each(lambda of_all: sum(of_all) / len(of_all[0])),
)
average_gradients.mistake(
    "You divide by the number of a gradient's elements. Divide by the number of processes.",
    divided_by_elements=of_each(lambda of_all: sum(of_all) / of_all[0].numel()),
)
average_gradients.mistake(
    "You divide by the number of parameters. Divide by the number of processes, len(gradients).",
    divided_by_parameters=lambda gradients: [
        sum(of_all) / len(gradients[0]) for of_all in zip(*gradients, strict=True)
    ],
)
average_gradients.mistake(
    "You divide by 2, however many processes there are.", divided_by_two=of_each(lambda of_all: sum(of_all) / 2)
)
average_gradients.mistake(
    "You divide by one less than there are processes. The mean divides by their number.",
    divided_by_one_less=of_each(lambda of_all: sum(of_all) / max(len(of_all) - 1, 1)),
)
average_gradients.mistake(
    "You divide by one more than there are processes. The mean divides by their number.",
    divided_by_one_more=of_each(lambda of_all: sum(of_all) / (len(of_all) + 1)),
)
average_gradients.mistake(
    "You divide by the number of processes twice.",
    divided_twice=of_each(lambda of_all: sum(of_all) / len(of_all) ** 2),
)
average_gradients.mistake(
    "You divide by the root of the number of processes. The mean divides by their number.",
    divided_by_the_root=of_each(lambda of_all: sum(of_all) / len(of_all) ** 0.5),
)
average_gradients.mistake(
    "You multiply by the number of processes. Divide by it.",
    multiplied=of_each(lambda of_all: sum(of_all) * len(of_all)),
)
average_gradients.mistake(
    "// rounds down, and a gradient is a small number. Divide with /.",
    rounded_down=of_each(lambda of_all: sum(of_all) // len(of_all)),
)
average_gradients.mistake(
    "You average the elements of a gradient too. Only the processes are averaged: each element stays.",
    elements_averaged=of_each(lambda of_all: torch.stack(of_all).mean()),
)
average_gradients.mistake(
    "You average along the elements, dim 1, and keep the processes apart. They are dim 0 of the stack.",
    first_dimension_of_a_gradient=of_each(lambda of_all: torch.stack(of_all).mean(dim=1)),
)
average_gradients.mistake(
    "You average along the last dimension. The processes are dim 0 of the stack: mean(dim=0).",
    last_dimension=of_each(lambda of_all: torch.stack(of_all).mean(dim=-1)),
)
average_gradients.mistake(
    "You stack the processes' gradients and leave them so. Take the mean over them: .mean(dim=0).",
    stacked_only=of_each(lambda of_all: torch.stack(of_all)),
)
average_gradients.mistake(
    "keepdim leaves a dimension of size 1 in front. A mean gradient has the shape of the parameter.",
    dimension_kept=of_each(lambda of_all: torch.stack(of_all).mean(dim=0, keepdim=True)),
)
average_gradients.mistake(
    "cat puts the processes' rows below each other, and their mean is one row. stack keeps the gradients apart.",
    cat_not_stack=of_each(lambda of_all: torch.cat(of_all).mean(dim=0)),
)
average_gradients.mistake(
    "You average the parameters of each process. Average the processes: zip(*gradients), with the star.",
    parameters_averaged=lambda gradients: [sum(process) / len(process) for process in gradients],
)
average_gradients.mistake(
    "You return a mean for every process, a list of lists. All get the same: return one list.",
    one_for_each_process=lambda gradients: [average_gradients(gradients) for _ in gradients],
)
average_gradients.mistake(
    "You return the mean of the first parameter only. Return a list: one for each parameter.",
    first_parameter_only=lambda gradients: average_gradients(gradients)[0],
)
average_gradients.mistake(
    "Your return stands inside the loop: only the first parameter is in the list.",
    stops_after_the_first=lambda gradients: average_gradients(gradients)[:1],
)
average_gradients.mistake(
    "The last parameter is missing.", last_parameter_missing=lambda gradients: average_gradients(gradients)[:-1]
)
average_gradients.mistake(
    "You put all gradients into one long row. Return a list with each in its own shape.",
    one_long_row=lambda gradients: torch.cat([mean.flatten() for mean in average_gradients(gradients)]),
)
average_gradients.mistake(
    "You return numbers in lists. Return tensors.",
    lists=lambda gradients: [mean.tolist() for mean in average_gradients(gradients)],
)
average_gradients.mistake(
    "You return a dict. Return a list: one mean for each parameter, in their order.",
    a_dict=lambda gradients: dict(enumerate(average_gradients(gradients))),
)
average_gradients.mistake(
    "That is the median. One batch on one machine gives the mean, and so must many machines.",
    median=of_each(lambda of_all: torch.stack(of_all).quantile(0.5, dim=0)),
)
average_gradients.mistake(
    "That is the median, the lower one of two. One batch on one machine gives the mean, and so must many machines.",
    lower_median=of_each(lambda of_all: torch.stack(of_all).median(dim=0).values),
)
average_gradients.mistake(
    "That is the largest of all. The mean is asked for.",
    largest=of_each(lambda of_all: torch.stack(of_all).amax(dim=0)),
)
average_gradients.mistake(
    "That is the smallest of all. The mean is asked for.",
    smallest=of_each(lambda of_all: torch.stack(of_all).amin(dim=0)),
)
average_gradients.mistake(
    "You lose the signs. Gradients of opposite signs cancel: take the plain mean.",
    absolute=of_each(lambda of_all: sum(gradient.abs() for gradient in of_all) / len(of_all)),
)
average_gradients.mistake(
    "That is the root of the mean square. Take the plain mean: gradients of opposite signs cancel.",
    root_mean_square=of_each(lambda of_all: (sum(gradient**2 for gradient in of_all) / len(of_all)).sqrt()),
)
average_gradients.mistake(
    "You take the signs of the gradients. Take the mean of the gradients themselves.",
    signs=of_each(lambda of_all: sum(of_all).sign()),
)
average_gradients.mistake(
    "You scale the mean to the length 1. It is used as it is.",
    normalised=of_each(
        lambda of_all: torch.nn.functional.normalize((sum(of_all) / len(of_all)).flatten(), dim=0).view_as(of_all[0])
    ),
)


@average_gradients.mistake(
    "Halving again and again gives the last process half of all weight. Add all up, then divide once."
)
def halved_again_and_again(gradients):
    mean = list(gradients[0])
    for process in gradients[1:]:
        mean = [(one + other) / 2 for one, other in zip(mean, process, strict=True)]
    return mean


@average_gradients.mistake("Your sum goes on from one parameter to the next. Begin each with 0.")
def sum_not_begun_anew(gradients):
    total, means = 0, []
    for of_all in zip(*gradients, strict=True):
        for gradient in of_all:
            total = total + gradient
        means.append(total / len(gradients))
    return means


@average_gradients.mistake(
    "The means are right, but `+=` changed the gradients of process 0. Begin with clones: gradient.clone()."
)
def first_process_changed(gradients):
    total = gradients[0][:]
    for process in gradients[1:]:
        for sum_so_far, gradient in zip(total, process, strict=True):
            sum_so_far += gradient
    return [sum_so_far / len(gradients) for sum_so_far in total]


average_gradients.mistake(
    "You stack the gradients of one process: they have different shapes. Stack what all processes have "
    "for one parameter: "
    "zip(*gradients), with the star.",
    star_missing=lambda gradients: [torch.stack(process).mean(dim=0) for process in gradients],
)
average_gradients.mistake(
    "Your list is as long as there are processes. It has one mean for each parameter: range(len(gradients[0])).",
    as_long_as_processes=lambda gradients: [
        sum(gradients[p][i] for p in range(len(gradients))) / len(gradients) for i in range(len(gradients))
    ],
)
average_gradients.mistake(
    "You return a generator. Return a list: square brackets in place of round ones.",
    a_generator=lambda gradients: (mean for mean in average_gradients(gradients)),
)
average_gradients.mistake(
    "You return a map. Make a list of it: list(map(...)).",
    a_map=lambda gradients: map(torch.clone, average_gradients(gradients)),
)
average_gradients.mistake(
    "You return a zip. Add up what it gives, and return a list.", a_zip=lambda gradients: zip(*gradients, strict=True)
)
average_gradients.mistake(
    "The means do not fit into one tensor: parameters have different shapes. Return a list.",
    one_tensor=lambda gradients: torch.stack(average_gradients(gradients)),
)
average_gradients.mistake(
    "You return one plain number for each parameter. Only the processes are averaged: each element stays.",
    plain_numbers=lambda gradients: [mean.mean().item() for mean in average_gradients(gradients)],
)
average_gradients.mistake(
    "You return one number for all. Return a list: the mean for each parameter, in its shape.",
    one_number=lambda gradients: torch.cat([mean.flatten() for mean in average_gradients(gradients)]).mean(),
)
average_gradients.mistake(
    "You give what all processes have for each parameter, and the mean is missing.",
    regrouped_only=lambda gradients: [list(of_all) for of_all in zip(*gradients, strict=True)],
)
average_gradients.mistake(
    "The gradients come back as they were, process by process. Take the mean over the processes.",
    unchanged=lambda gradients: gradients,
)
average_gradients.mistake(
    "You divide by processes and by parameters. Divide by the number of processes only.",
    divided_by_both=lambda gradients: [mean / len(gradients[0]) for mean in average_gradients(gradients)],
)
average_gradients.mistake(
    "You average only the first two processes. Take all: zip(*gradients).",
    first_two=of_each(lambda of_all: sum(of_all[:2]) / len(of_all[:2])),
)


average_gradients.hints(
    "zip(*gradients) gives, for each parameter, the gradients that all processes have for it.",
    "Add these up element by element and divide by the number of processes.",
)
