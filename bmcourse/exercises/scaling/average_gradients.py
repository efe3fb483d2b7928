"""The exercise `average_gradients` of lesson 11."""

import torch

from bmcourse.exercises.core import exercise


@exercise(
    prompt="What all-reduce leaves with every process. `gradients[p][i]` is the gradient of parameter i that process p "
    "computed from its share of the batch. Returns a list: for each parameter the mean over the processes."
)
def average_gradients(gradients):
    processes = len(gradients)
    return [sum(of_all) / processes for of_all in zip(*gradients, strict=True)]


@average_gradients.judge
def average_by_stack(gradients):
    return [torch.stack(of_all).mean(dim=0) for of_all in zip(*gradients, strict=True)]


@average_gradients.right
def average_around_the_ring(gradients):
    total = [gradient.clone() for gradient in gradients[0]]
    for process in gradients[1:]:
        for sum_so_far, gradient in zip(total, process, strict=True):
            sum_so_far += gradient
    return [sum_so_far / len(gradients) for sum_so_far in total]


@average_gradients.right
def average_by_numbers(gradients):
    return [
        torch.stack([process[number] / len(gradients) for process in gradients]).sum(0)
        for number in range(len(gradients[0]))
    ]


@average_gradients.mistake("That is the median. One batch on one machine gives the mean, and so must many machines.")
def median_of_all(gradients):
    return [torch.stack(of_all).quantile(0.5, dim=0) for of_all in zip(*gradients, strict=True)]


@average_gradients.mistake(
    "Halving again and again gives the last process half of all weight. Add all up, then divide once."
)
def running_average(gradients):
    mean = list(gradients[0])
    for process in gradients[1:]:
        mean = [(one + other) / 2 for one, other in zip(mean, process, strict=True)]
    return mean


@average_gradients.cases
def gradient_cases():
    def drawn(processes):
        return [[torch.randn(2, 3), torch.randn(3)] for _ in range(processes)]

    ones = [[torch.ones(2), torch.ones(1)], [3 * torch.ones(2), 5 * torch.ones(1)]]
    return [(ones,), (drawn(3),), (drawn(1),), (drawn(4),)]


average_gradients.right(average_by_stack)


average_gradients.mistake(
    "That is the sum: more processes would make larger steps. Divide by how many there are.",
    TODO_35=lambda gradients: [sum(of_all) for of_all in zip(*gradients, strict=True)],
)


average_gradients.mistake(
    "Those are the gradients of process 0 alone: what the others saw in their rows is lost.",
    TODO_36=lambda gradients: gradients[0],
)


average_gradients.mistake(
    "You divide by the length of a gradient. Divide by the number of processes.",
    TODO_37=lambda gradients: [sum(of_all) / len(of_all[0]) for of_all in zip(*gradients, strict=True)],
)


average_gradients.mistake(
    "You divide by the number of parameters. Divide by the number of processes, len(gradients).",
    TODO_38=lambda gradients: [sum(of_all) / len(gradients[0]) for of_all in zip(*gradients, strict=True)],
)


average_gradients.mistake(
    "You average the elements of a gradient too. Only the processes are averaged: each element stays.",
    TODO_39=lambda gradients: [torch.stack(of_all).mean() for of_all in zip(*gradients, strict=True)],
)


average_gradients.hints(
    "zip(*gradients) gives, for each parameter, the gradients that all processes have for it.",
    "Add these up element by element and divide by the number of processes.",
)
