"""The exercise `rows_of` of lesson 11."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The rows of `batch` (B, T) that process number `rank` of `processes` works on. Ranks count from 0. "
    "Together they take every row once, all equally many. Raises ValueError where the rows do not divide evenly."
)
def rows_of(rank, processes, batch):
    if len(batch) % processes:
        raise ValueError(f"{len(batch)} rows do not divide by {processes} processes.")
    each = len(batch) // processes
    return batch[rank * each : (rank + 1) * each]


@rows_of.run
def shares_of_all(answer, processes, batch):
    """How many rows each process has, and all rows that any has, in order; or that a ValueError came."""
    try:
        shares = [answer(rank, processes, batch.clone()) for rank in range(processes)]
    except ValueError:
        return "ValueError"
    if not all(isinstance(share, torch.Tensor) for share in shares):
        raise Mistake("Return the rows themselves, a tensor: for example batch[start:end].")
    if any(share.shape[1:] != batch.shape[1:] for share in shares):
        raise Mistake("A row must stay whole: split the first dimension of the batch, not the others.")
    rows = sorted(row for share in shares for row in share.tolist())
    return {"rows of each": [len(share) for share in shares], "all rows": rows}


@rows_of.judge
def judge_shares(processes, batch):
    if len(batch) % processes:
        return "ValueError"
    return {"rows of each": [len(batch) // processes] * processes, "all rows": sorted(batch.tolist())}


@rows_of.right
def rows_by_chunk(rank, processes, batch):
    if len(batch) % processes != 0:
        raise ValueError("uneven")
    return batch.chunk(processes)[rank]


@rows_of.right
def rows_in_turn(rank, processes, batch):
    if len(batch) // processes * processes < len(batch):
        raise ValueError("uneven")
    return batch[rank::processes]


@rows_of.right
def rows_by_view(rank, processes, batch):
    each, rest = divmod(len(batch), processes)
    if rest:
        raise ValueError("uneven")
    return batch.reshape(processes, each, *batch.shape[1:])[rank]


def checked(split):
    """A way to split that refuses what does not divide, as the right one does."""

    def answer(rank, processes, batch):
        rows_of(rank, processes, batch)
        return split(rank, len(batch) // processes, batch)

    return answer


@rows_of.cases
def cases():
    return [
        (2, torch.arange(8).view(4, 2)),
        (3, torch.arange(27).view(9, 3)),
        (1, torch.arange(10).view(5, 2)),
        (4, torch.arange(30).view(10, 3)),
        (3, torch.arange(12).view(6, 2)),
    ]


rows_of.mistake(
    "Every process gets the whole batch: they would all do the same work. Give each its share.",
    TODO_26=checked(lambda rank, each, batch: batch),
)


rows_of.mistake(
    "Every process gets the first rows. Where a share starts depends on `rank`.",
    TODO_27=checked(lambda rank, each, batch: batch[:each]),
)


rows_of.mistake(
    "The shares overlap: process `rank` starts at row rank * (rows of each), not at row `rank`.",
    TODO_28=checked(lambda rank, each, batch: batch[rank : rank + each]),
)


rows_of.mistake(
    "Ranks count from 0: your first process skips the first share and the last one gets nothing.",
    TODO_29=checked(lambda rank, each, batch: batch[(rank + 1) * each : (rank + 2) * each]),
)


rows_of.mistake(
    "One row is lost in each share. A slice leaves out its end: batch[a:b] has b - a rows.",
    TODO_30=checked(lambda rank, each, batch: batch[rank * each : (rank + 1) * each - 1]),
)


rows_of.mistake(
    "Where the rows do not divide evenly, some are never used. Raise ValueError there.",
    TODO_31=lambda rank, processes, batch: batch[rank * (len(batch) // processes) :][: len(batch) // processes],
)


rows_of.mistake(
    "Where the rows do not divide evenly, some processes get more, and the mean of the means is not the mean. "
    "Raise ValueError there.",
    TODO_32=lambda rank, processes, batch: batch.tensor_split(processes)[rank],
)


rows_of.mistake(
    "A row must stay whole: split the first dimension of the batch, not the others.",
    TODO_33=lambda rank, processes, batch: batch.tensor_split(processes, dim=1)[rank],
)


rows_of.mistake(
    "Return the rows themselves, a tensor: for example batch[start:end].",
    TODO_34=lambda rank, processes, batch: list(range(len(batch)))[rank::processes],
)


rows_of.hints(
    "Each process gets len(batch) // processes rows. Check first that nothing is left over.",
    "The share of process 0 starts at row 0, that of process 1 where the first one ends, and so on.",
)
