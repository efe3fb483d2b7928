"""The diagrams: every one can be drawn, and a GPT grows from step to step."""

import pytest

from bmcourse import plots
from bmcourse.live import diagrams


@pytest.mark.parametrize("draw", [diagrams.mlp, diagrams.unrolled, diagrams.lstm, diagrams.lookup, diagrams.lora])
def test_a_diagram_is_a_picture(draw):
    assert plots.png(draw()).startswith(b"\x89PNG")


def words(fig):
    return [text.get_text() for text in fig.axes[0].texts]


def test_a_gpt_grows():
    seen = [words(diagrams.gpt(step)) for step in range(1, 7)]
    assert all(len(before) <= len(after) for before, after in zip(seen, seen[1:], strict=False))
    assert "attention" in seen[1] and "MLP" not in seen[2] and "MLP" in seen[3] and "head" not in seen[4]
    assert "head" in seen[5]


@pytest.mark.parametrize("step", [0, 7])
def test_a_gpt_has_six_steps(step):
    with pytest.raises(ValueError, match=f"step counts what is built, 1 to 6; {step} came"):
        diagrams.gpt(step)
