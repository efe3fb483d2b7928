"""The rows of a batch that one of several processes works on."""

import torch

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

NO_TENSOR = "Return the rows themselves, a tensor: for example batch[start:end]."
NO_ROWS = "A row must stay whole: split the first dimension of the batch, not the others."
ONE_DIMENSION = (
    "What came has one dimension: a single row, or numbers of rows. Return rows, (rows, T): batch[start:end]."
)
RETURNED = "You return the ValueError. Raise it: raise ValueError(...)."
ASSERTED = "An assert raises AssertionError, and may be switched off. Write: if ...: raise ValueError(...)."
OTHER = (
    "Where the rows do not divide evenly, something else than a ValueError comes. Ask first, and raise ValueError(...)."
)
SOME = (
    "Where the rows do not divide evenly, only some processes raise ValueError; the others would wait for them. "
    "Ask whether len(batch) % processes is 0, whatever the rank."
)


@exercise(
    prompt="The rows of `batch` (B, T) that process number `rank` of `processes` works on. Ranks count from 0. "
    "Together they take every row once, all equally many. Raises ValueError where the rows do not divide evenly."
)
def rows_of(rank, processes, batch):
    if len(batch) % processes:
        raise ValueError(f"{len(batch)} rows do not divide by {processes} processes.")
    each = len(batch) // processes
    return batch[rank * each : (rank + 1) * each]


@rows_of.cases
def cases():
    return [
        (2, torch.arange(8).view(4, 2)),
        (3, torch.arange(27).view(9, 3)),
        (1, torch.arange(10).view(5, 2)),
        (4, torch.arange(30).view(10, 3)),
        (3, torch.arange(12).view(6, 2)),
        (4, torch.arange(12).view(6, 2)),
        (2, torch.tensor([[0, 5, 5], [7, 7, 7], [0, 5, 5], [1, 2, 3]])),
        (1, torch.arange(3).view(1, 3)),
        (4, torch.arange(4).view(2, 2)),
        (4, torch.arange(12).view(4, 3).T.contiguous().T),
    ]


@rows_of.run
def shares_of_all(answer, processes, batch):
    """How many rows each process has, and all rows that any has, in order; or that a ValueError came."""
    shares = [share_or_error(answer, rank, processes, batch) for rank in range(processes)]
    if all(share is ValueError for share in shares):
        return "ValueError"
    if len(batch) % processes and any(share is ValueError for share in shares):
        raise Mistake(SOME)
    if any(isinstance(share, ValueError) for share in shares):
        raise Mistake(RETURNED)
    shares = [share for share in shares if share is not ValueError]
    if not all(isinstance(share, torch.Tensor) for share in shares):
        raise Mistake(NO_TENSOR)
    if any(share.ndim == 1 for share in shares):
        raise Mistake(ONE_DIMENSION)
    if any(share.shape[1:] != batch.shape[1:] for share in shares):
        raise Mistake(NO_ROWS)
    rows = sorted(row for share in shares for row in share.tolist())
    return {"rows of each": [len(share) for share in shares], "all rows": rows}


def share_or_error(answer, rank, processes, batch):
    try:
        return answer(rank, processes, batch.clone())
    except ValueError:
        return ValueError
    except Exception as error:
        if len(batch) % processes == 0 or type(error) not in (AssertionError, IndexError, RuntimeError, Exception):
            raise
        raise Mistake(ASSERTED if isinstance(error, AssertionError) else OTHER) from None


@rows_of.judge
def shares(processes, batch):
    if len(batch) % processes:
        return "ValueError"
    return {"rows of each": [len(batch) // processes] * processes, "all rows": sorted(batch.tolist())}


@rows_of.right
def by_chunk(rank, processes, batch):
    if len(batch) % processes != 0:
        raise ValueError("uneven")
    return batch.chunk(processes)[rank]


@rows_of.right
def in_turn(rank, processes, batch):
    if len(batch) // processes * processes < len(batch):
        raise ValueError("uneven")
    return batch[rank::processes]


@rows_of.right
def by_view(rank, processes, batch):
    each, rest = divmod(len(batch), processes)
    if rest:
        raise ValueError("uneven")
    return batch.reshape(processes, each, *batch.shape[1:])[rank]


@rows_of.right
def by_numbers(rank, processes, batch):
    mine = [row for row in range(len(batch)) if row * processes // len(batch) == rank]
    if len(mine) * processes != len(batch):
        raise ValueError("uneven")
    return batch[mine]


@rows_of.right
def by_a_failed_reshape(rank, processes, batch):
    try:
        return batch.unflatten(0, (processes, -1))[rank]
    except RuntimeError as error:
        raise ValueError("uneven") from error


def checked(split):
    """A wrong answer that refuses what does not divide, as the right one does: `split(rank, each, batch)`."""

    def answer(rank, processes, batch):
        rows_of(rank, processes, batch)
        return split(rank, len(batch) // processes, batch)

    return answer


def checked_by(uneven):
    """Splits as the right one does, and raises ValueError where `uneven(rank, processes, batch)`."""

    def answer(rank, processes, batch):
        if uneven(rank, processes, batch):
            raise ValueError
        each = len(batch) // processes
        return batch[rank * each : (rank + 1) * each]

    return answer


# The rows.

rows_of.mistake(
    "Every process gets the whole batch: they would all do the same work. Give each its share.",
    whole_batch=checked(lambda rank, each, batch: batch),
)
rows_of.mistake(
    "Every process gets the first rows. Where a share starts depends on `rank`.",
    first_rows_for_all=checked(lambda rank, each, batch: batch[:each]),
)
rows_of.mistake(
    "Every process gets the last rows. Where a share starts depends on `rank`.",
    last_rows_for_all=checked(lambda rank, each, batch: batch[-each:]),
)
rows_of.mistake(
    "The shares overlap: process `rank` starts at row rank * (rows of each), not at row `rank`.",
    starts_at_rank=checked(lambda rank, each, batch: batch[rank : rank + each]),
)
rows_of.mistake(
    "Every share starts at row 0: batch[: (rank + 1) * each]. It starts at row rank * each.",
    starts_at_zero=checked(lambda rank, each, batch: batch[: (rank + 1) * each]),
)
rows_of.mistake(
    "Every share goes to the end of the batch. It ends at row (rank + 1) * each.",
    goes_to_the_end=checked(lambda rank, each, batch: batch[rank * each :]),
)
rows_of.mistake(
    "A slice has a start and an end, not a start and a length: batch[start : start + each].",
    length_for_end=checked(lambda rank, each, batch: batch[rank * each : each]),
)
rows_of.mistake(
    "Ranks count from 0: your first process skips the first share and the last one gets nothing.",
    one_share_too_far=checked(lambda rank, each, batch: batch[(rank + 1) * each : (rank + 2) * each]),
)
rows_of.mistake(
    "Process 0 gets nothing, and the last share goes to nobody: a slice like batch[-each:0] is empty. Ranks count from "
    "0: batch[rank * each : (rank + 1) * each].",
    ranks_from_one=checked(lambda rank, each, batch: batch[(rank - 1) * each : rank * each]),
)
rows_of.mistake(
    "One row is lost in each share. A slice leaves out its end: batch[a:b] has b - a rows.",
    one_row_lost=checked(lambda rank, each, batch: batch[rank * each : (rank + 1) * each - 1]),
)
rows_of.mistake(
    "Each share has one row too many, which is the next one's first. A slice leaves out its end: batch[a:b] has b - a "
    "rows.",
    one_row_too_many=checked(lambda rank, each, batch: batch[rank * each : (rank + 1) * each + 1]),
)
rows_of.mistake(
    "Your shares start one row late, so row 0 goes to nobody. Rows count from 0.",
    one_row_late=checked(lambda rank, each, batch: batch[rank * each + 1 : (rank + 1) * each + 1]),
)
rows_of.mistake(
    "Each process takes every row whose number is `each` further. In turns, the step is the number of processes: "
    "batch[rank::processes].",
    step_of_each=checked(lambda rank, each, batch: batch[rank::each]),
)
rows_of.mistake(
    "In turns, a process begins with the row of its rank: batch[rank::processes]. All of yours begin with row 0.",
    turns_from_zero=lambda rank, processes, batch: (rows_of(rank, processes, batch), batch[::processes])[1],
)
rows_of.mistake(
    "You take as many rows as there are processes. Each takes len(batch) // processes.",
    processes_for_each=lambda rank, processes, batch: (
        rows_of(rank, processes, batch),
        batch[rank * processes : (rank + 1) * processes],
    )[1],
)
rows_of.mistake(
    "chunk(n) makes n parts. You made as many parts as each process has rows: chunk(processes)[rank].",
    parts_of_processes=lambda rank, processes, batch: (rows_of(rank, processes, batch), batch.split(processes)[rank])[
        1
    ],
)
rows_of.mistake(
    "Each process gets one row only. It takes len(batch) // processes.",
    one_row_each=checked(lambda rank, each, batch: batch[rank : rank + 1]),
)
rows_of.mistake(
    "You divide the number of tokens, batch.numel(). Divide the number of rows, len(batch).",
    tokens_counted=lambda rank, processes, batch: (
        rows_of(rank, processes, batch),
        batch[rank * (batch.numel() // processes) : (rank + 1) * (batch.numel() // processes)],
    )[1],
)
rows_of.mistake(
    "You divide the length of a row, batch.shape[1]. Divide the number of rows, len(batch).",
    length_of_a_row=lambda rank, processes, batch: (
        rows_of(rank, processes, batch),
        batch[rank * (batch.shape[1] // processes) : (rank + 1) * (batch.shape[1] // processes)],
    )[1],
)
rows_of.mistake(
    "len(batch) / processes is a float, and a slice wants whole numbers: //.", float_for_each=rows_of.changed("//", "/")
)
rows_of.mistake(
    "Each process draws its rows by chance, so some are taken twice and others never. Cut the batch instead.",
    drawn_rows=checked(lambda rank, each, batch: batch[torch.randperm(len(batch))[:each]]),
)
rows_of.mistake(NO_ROWS, columns_split=lambda rank, processes, batch: batch.tensor_split(processes, dim=1)[rank])
rows_of.mistake(
    NO_TENSOR, list_of_numbers=checked(lambda rank, each, batch: list(range(rank * each, (rank + 1) * each)))
)
rows_of.mistake(ONE_DIMENSION, single_row=checked(lambda rank, each, batch: batch[rank]))

# The check.

rows_of.mistake(
    "Where the rows do not divide evenly, some are never used. Raise ValueError there.",
    rest_never_used=checked_by(lambda rank, processes, batch: False),
)
rows_of.mistake(
    "Where the rows do not divide evenly, some processes get more, and the mean of the means is not the mean. "
    "Raise ValueError there.",
    rest_to_the_first=lambda rank, processes, batch: batch.tensor_split(processes)[rank],
)


@rows_of.mistake(
    "Where the rows do not divide evenly, the last process gets the rest, and the mean of the means is not the mean. "
    "Raise ValueError there."
)
def rest_to_the_last(rank, processes, batch):
    each = len(batch) // processes
    return batch[rank * each : (rank + 1) * each if rank < processes - 1 else None]


@rows_of.mistake(
    "Where the rows do not divide evenly, you round up and the last process gets fewer. Raise ValueError there."
)
def rounded_up(rank, processes, batch):
    each = -(-len(batch) // processes)
    return batch[rank * each : (rank + 1) * each]


rows_of.mistake(
    OTHER, view_unchecked=lambda rank, processes, batch: batch.reshape(processes, -1, *batch.shape[1:])[rank]
)
rows_of.mistake(
    "chunk(processes) may make fewer parts, and a short last one, where the rows do not divide evenly. Ask for that "
    "first, and raise ValueError.",
    chunk_unchecked=lambda rank, processes, batch: batch.chunk(processes)[rank],
)


@rows_of.mistake(
    "The number of chunks may be right although the last one is short: 10 rows make 3 + 3 + 3 + 1. Ask whether "
    "len(batch) % processes is 0."
)
def number_of_chunks_checked(rank, processes, batch):
    parts = batch.chunk(processes)
    if len(parts) != processes:
        raise ValueError
    return parts[rank]


@rows_of.mistake(SOME)
def only_the_short_one_raises(rank, processes, batch):
    each = -(-len(batch) // processes)
    share = batch[rank * each : (rank + 1) * each]
    if len(share) != each:
        raise ValueError
    return share


rows_of.mistake(
    "You ask whether the number of tokens divides. It may where the rows do not: ask for len(batch) % processes.",
    tokens_checked=checked_by(lambda rank, processes, batch: batch.numel() % processes),
)
rows_of.mistake(
    "You ask whether the length of a row divides. Ask for the number of rows: len(batch) % processes.",
    length_of_a_row_checked=checked_by(lambda rank, processes, batch: batch.shape[1] % processes),
)
rows_of.mistake(
    "The modulo is the wrong way round: len(batch) % processes.",
    modulo_turned=checked_by(lambda rank, processes, batch: processes % len(batch)),
)
rows_of.mistake(
    "You raise ValueError where the rows divide, and not where they don't. % gives the rest: raise where it is not 0.",
    condition_turned=checked_by(lambda rank, processes, batch: len(batch) % processes == 0),
)
rows_of.mistake(
    "You raise ValueError only where there are fewer rows than processes. Ask for the rest: len(batch) % processes.",
    only_too_few_refused=checked_by(lambda rank, processes, batch: len(batch) < processes),
)
rows_of.mistake(
    "You ask whether the number of rows is even. It must divide by the number of processes: len(batch) % processes.",
    even_checked=checked_by(lambda rank, processes, batch: len(batch) % 2),
)
rows_of.mistake(
    "You always raise ValueError. Only where len(batch) % processes is not 0.",
    always_raised=checked_by(lambda rank, processes, batch: True),
)


@rows_of.mistake(ASSERTED)
def asserted(rank, processes, batch):
    assert len(batch) % processes == 0
    return rows_of(rank, processes, batch)


@rows_of.mistake(RETURNED)
def error_returned(rank, processes, batch):
    if len(batch) % processes:
        return ValueError("uneven")
    return rows_of(rank, processes, batch)


rows_of.mistake(
    "Each share starts at row `rank`, and not at rank * (rows of each): they grow and overlap.",
    starts_at_rank_ends_right=checked(lambda rank, each, batch: batch[rank : (rank + 1) * each]),
)
rows_of.mistake(
    "Your shares are `rank` rows long, so process 0 gets nothing. Each ends at row (rank + 1) * each.",
    ends_after_rank=checked(lambda rank, each, batch: batch[rank * each : rank * each + rank]),
)
rows_of.mistake(
    "Process 0 gets the whole batch, and the others nothing. Give each its share.",
    all_to_the_first=checked(lambda rank, each, batch: batch if rank == 0 else batch[:0]),
)


rows_of.hints(
    "Each process gets len(batch) // processes rows. Check first that nothing is left over.",
    "The share of process 0 starts at row 0, that of process 1 where the first one ends, and so on.",
)
