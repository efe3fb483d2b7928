"""Cut channels into the heads of attention."""

import torch

from bmcourse.exercises.checklists import uncommon
from bmcourse.exercises.core import exercise


@exercise(
    prompt="Cut the C channels of x (B, T, C) into `heads` equal parts, one after the other: (B, H, T, D) with "
    "D = C / H. Head 0 gets the first D channels of every position."
)
def split_heads(x, heads):
    B, T, C = x.shape
    return x.view(B, T, heads, C // heads).transpose(1, 2)


@split_heads.cases
def cases():
    return [
        (torch.arange(8.0).view(1, 2, 4), 2),
        (torch.randn(2, 3, 8), 4),
        (torch.randn(3, 5, 6), 2),
        (torch.randn(2, 4, 3), 1),
        uncommon(torch.arange(24.0).view(2, 3, 4) % 5, 4),
    ]


@split_heads.judge
def by_loop(x, heads):
    B, T, C = x.shape
    D = C // heads
    result = x.new_empty(B, heads, T, D)
    for h in range(heads):
        for d in range(D):
            result[:, h, :, d] = x[:, :, h * D + d]
    return result


split_heads.right(by_loop)


@split_heads.right
def by_chunks(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


@split_heads.right
def by_unflatten(x, heads):
    return x.unflatten(2, (heads, -1)).permute(0, 2, 1, 3)


@split_heads.right
def by_columns(x, heads):
    B, T, C = x.shape
    return x.mT.reshape(B, heads, C // heads, T).mT


@split_heads.right
def by_slices(x, heads):
    D = x.size(-1) // heads
    return torch.cat([x[:, None, :, h * D : (h + 1) * D] for h in range(heads)], dim=1)


def reshaped(view, turn=lambda x: x):
    """A wrong way to split: `view(B, T, H, D)` gives the sizes to read x in, `turn` moves dimensions."""

    def answer(x, heads):
        B, T, C = x.shape
        return turn(x.reshape(view(B, T, heads, C // heads)))

    return answer


def after(change):
    """The right heads, changed by `change(result)`."""
    return lambda x, heads: change(split_heads(x, heads))


# The right numbers in other places.

split_heads.mistake(
    "view(B, H, T, D) gives the right shape and mixes positions: it deals the numbers out in the order they "
    "lie in memory. First view(B, T, H, D), then transpose(1, 2).",
    viewed_at_once=reshaped(lambda B, T, H, D: (B, H, T, D)),
)
split_heads.mistake(
    "Head 0 gets channels 0, H, 2H, ... The heads are blocks that lie side by side: view(B, T, H, D).",
    interleaved=reshaped(lambda B, T, H, D: (B, T, D, H), lambda x: x.permute(0, 3, 1, 2)),
)
split_heads.mistake(
    "You transpose first and cut then, which mixes up channels and positions. view(B, T, H, D), then transpose(1, 2).",
    transposed_then_cut=lambda x, heads: x.mT.reshape(len(x), heads, x.shape[1], -1),
)
split_heads.mistake(
    "You read the channels before they are cut: view(B, H, D, T) mixes positions. First view(B, T, H, D).",
    viewed_with_time_last=reshaped(lambda B, T, H, D: (B, H, D, T), lambda x: x.transpose(2, 3)),
)
split_heads.mistake(
    "The heads are in the reverse order: head 0 gets the first D channels.", heads_reversed=after(lambda y: y.flip(1))
)
split_heads.mistake(
    "Your parts overlap: head h begins at channel h * D, and not at channel h.",
    overlapping=lambda x, heads: torch.stack([x[:, :, h : h + x.shape[2] // heads] for h in range(heads)], dim=1),
)
split_heads.mistake(
    "Every head gets the first D channels. Head h gets those from h * D to (h + 1) * D.",
    first_channels_for_all=after(lambda y: y[:, :1].expand_as(y)),
)
split_heads.mistake(
    "All your heads are the same, the last one: the loop writes them all into one place. Head h belongs to [:, h].",
    last_channels_for_all=after(lambda y: y[:, -1:].expand_as(y)),
)
split_heads.mistake(
    "Only head 0 is filled, the others stay 0. Go through all heads.",
    only_first_filled=after(lambda y: torch.cat([y[:, :1], torch.zeros_like(y[:, 1:])], dim=1)),
)
split_heads.mistake(
    "The positions run backwards. They stay in their order.", positions_reversed=after(lambda y: y.flip(2))
)

# The right numbers in another shape.

split_heads.mistake(
    "The heads are cut, but yours is (B, T, H, D). Move the heads in front of time: transpose(1, 2).",
    not_transposed=after(lambda y: y.transpose(1, 2)),
)
split_heads.mistake(
    "You exchanged heads and channels, (B, T, D, H). Exchange time and heads: transpose(1, 2).",
    heads_and_channels_exchanged=after(lambda y: y.permute(0, 2, 3, 1)),
)
split_heads.mistake(
    "You exchanged time and channels, (B, D, H, T). Exchange time and heads: transpose(1, 2).",
    time_and_channels_exchanged=after(lambda y: y.permute(0, 3, 1, 2)),
)
split_heads.mistake(
    "Your heads come first, before the batch: the result is (B, H, T, D).",
    heads_first=after(lambda y: y.transpose(0, 1)),
)
split_heads.mistake(
    "You exchanged batch and time, (T, B, H, D). Exchange time and heads: transpose(1, 2).",
    batch_and_time_exchanged=after(lambda y: y.permute(2, 0, 1, 3)),
)
split_heads.mistake(
    "You exchanged batch and heads, (H, T, B, D). Exchange time and heads: transpose(1, 2).",
    batch_and_heads_exchanged=after(lambda y: y.permute(1, 2, 0, 3)),
)
split_heads.mistake(
    "Every head is transposed, (B, H, D, T). Exchange the last two dimensions once more.",
    each_head_transposed=after(lambda y: y.mT),
)
split_heads.mistake(
    "You put batch and heads into one dimension, (B * H, T, D). Here they stay apart.",
    batch_and_heads_in_one=after(lambda y: y.flatten(0, 1)),
)
split_heads.mistake(
    "Your result is x as it came, (B, T, C). Cut the channels into heads, and leave these apart.",
    joined_again=after(lambda y: y.transpose(1, 2).flatten(2)),
)
split_heads.mistake(
    "You put heads and time into one dimension, (B, H * T, D). Here they stay apart.",
    heads_and_time_in_one=after(lambda y: y.flatten(1, 2)),
)
split_heads.mistake(
    "You return the heads as a list of (B, T, D). Put them into one tensor: torch.stack(..., dim=1).",
    list_of_heads=after(lambda y: list(y.unbind(1))),
)
split_heads.mistake(
    "Only head 0 comes back. All heads are asked for, (B, H, T, D).", first_head_only=after(lambda y: y[:, 0])
)
split_heads.mistake(
    "Only head 0 comes back, as one of one. All heads are asked for, (B, H, T, D).",
    first_head_only_kept=after(lambda y: y[:, :1]),
)
split_heads.mistake(
    "Only the first example of the batch comes back. Take B from x.shape.", first_example_only=after(lambda y: y[:1])
)
split_heads.mistake(
    "The dimension of the batch is lost: only the first example comes back. The result is (B, H, T, D).",
    batch_lost=after(lambda y: y[0]),
)
split_heads.mistake(
    "squeeze() takes away every dimension of size 1, also a batch of one or a single head. Leave it out.",
    squeezed=after(lambda y: y.squeeze()),
)
split_heads.mistake(
    "The examples of the batch lie in one long row with the positions, (H, B * T, D). The batch stays apart.",
    batch_and_time_in_one=after(lambda y: y.transpose(0, 1).flatten(1, 2)),
)

# Cut in another way.

split_heads.mistake(
    "You took H for the size of a head. `heads` is how many there are: each has C // heads channels.",
    heads_as_size=reshaped(lambda B, T, H, D: (B, T, D, H), lambda x: x.transpose(1, 2)),
)
split_heads.mistake(
    "split(heads) makes a list of parts of that size. `heads` is how many there are: chunk(heads, dim=-1), and stack "
    "them along dim=1.",
    list_of_parts_of_that_size=lambda x, heads: list(x.split(heads, dim=-1)),
)
split_heads.mistake(
    "You cut time into parts. Cut the channels: the last dimension.",
    time_cut=lambda x, heads: torch.stack(x.chunk(heads, dim=1), dim=1),
)
split_heads.mistake(
    "You cut the batch into parts. Cut the channels: the last dimension.",
    batch_cut=lambda x, heads: torch.stack(x.chunk(heads, dim=0), dim=1),
)
split_heads.mistake(
    "Every head gets all channels. They share them: D = C // heads for each.",
    all_channels_for_all=lambda x, heads: x[:, None].expand(-1, heads, -1, -1),
)
split_heads.mistake(
    "C / heads is a float, and a size must be a whole number: C // heads.",
    float_size=split_heads.changed("//", "/"),
)
split_heads.mistake(
    "C / heads is a float, and reshape wants whole numbers: C // heads.",
    float_size_in_reshape=split_heads.changed("//", "/", "view", "reshape"),
)
split_heads.mistake(
    "Your last size is C: the heads share the channels, so it is C // heads.",
    size_of_all_channels=split_heads.changed("C // heads", "C"),
)
split_heads.mistake(
    "You average what lies in a head. Each head keeps its D numbers.",
    averaged=after(lambda y: y.mean(dim=-1)),
)
split_heads.mistake(
    "Your result is scaled by the root of D. That comes later, with the scores.",
    scaled=after(lambda y: y / y.shape[-1] ** 0.5),
)
split_heads.mistake(
    "The numbers are right, but the gradient does not come through. Leave out .detach(), .data, no_grad and "
    "torch.tensor(...).",
    graph_cut=after(torch.Tensor.detach),
)
split_heads.mistake(
    "Each head gets one channel only. It gets D = C // heads of them: x[:, :, h * D : (h + 1) * D].",
    one_channel_each=lambda x, heads: torch.stack([x[:, :, h : h + 1] for h in range(heads)], dim=1),
)
split_heads.mistake(
    "view(B, H, D, T) only names the sizes; the numbers stay in their order in memory. First view(B, T, H, D), then "
    "transpose(1, 2).",
    viewed_with_time_at_the_end=reshaped(lambda B, T, H, D: (B, H, D, T)),
)
split_heads.mistake(
    "You read x as (T, B, H, D), but the batch comes first. view(B, T, H, D), then transpose(1, 2).",
    read_from_time=reshaped(lambda B, T, H, D: (T, B, H, D), lambda x: x.permute(1, 2, 0, 3)),
)
split_heads.mistake(
    "You read x as (H, B, T, D): the heads would be parts of the batch. First view(B, T, H, D), then transpose(1, 2).",
    read_from_heads=reshaped(lambda B, T, H, D: (H, B, T, D), lambda x: x.transpose(0, 1)),
)
split_heads.mistake(
    "You read x as (B, T, D, H), so each head gets every H-th channel, and exchange time and channels.",
    read_with_heads_last=reshaped(lambda B, T, H, D: (B, T, D, H), lambda x: x.permute(0, 3, 2, 1)),
)
split_heads.mistake(
    "Your parts are h : h + heads. Head h gets the channels from h * D to (h + 1) * D, with D = C // heads.",
    windows_of_heads=lambda x, heads: torch.stack([x[:, :, h : h + heads] for h in range(heads)], dim=1),
)
split_heads.mistake(
    "Your parts are as many channels long as there are heads. A head has D = C // heads of them.",
    parts_of_heads=lambda x, heads: torch.stack([x[:, :, h * heads : (h + 1) * heads] for h in range(heads)], dim=1),
)
split_heads.mistake("You add up the heads. They stay apart, (B, H, T, D).", heads_added=after(lambda y: y.sum(dim=1)))
split_heads.mistake(
    "All heads lie in one list of (1, T, D) pieces: batch and heads are one dimension, (B * H, 1, T, D).",
    pieces=after(lambda y: y.flatten(0, 1)[:, None]),
)


split_heads.hints(
    "Two steps: first cut the last dimension in two, then move one dimension.",
    "view(B, T, H, D) cuts the channels, and each position keeps its own.",
    "transpose(1, 2) then exchanges T and H.",
)
