"""The live run: the student's loop gives the same bits with it as without, and ends in good order however it ends."""

import json
import math
import os
import signal
import subprocess
import sys

import nbclient
import nbformat
import numpy as np
import pytest
import torch

from bmcourse import live
from tests.live_kernel import ROOT, started


def model_and_data():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    return model, torch.optim.Adam(model.parameters(), lr=3e-3), torch.randn(200, 32, 8), torch.randn(200, 32, 1)


def train(run, model, optimizer, x, y, body=lambda run, step: None, steer=True):
    """The loop of every lesson; `run` may be a range, for the bare loop."""
    for step in run:
        loss = (model(x[step - 1]) - y[step - 1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        if steer:
            body(run, step)
            run.steer(optimizer)
        optimizer.step()
        if steer:
            run.log(train=loss)


def bits(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def trained(run, body=lambda run, step: None):
    model, *rest = model_and_data()
    train(run, model, *rest, body=body)
    return bits(model)


def test_untouched_it_gives_the_bits_of_the_bare_loop():
    model, *rest = model_and_data()
    train(range(1, 101), model, *rest, steer=False)
    assert same(bits(model), trained(live.Run(steps=100, lr=3e-3)))
    assert not same(bits(model), trained(live.Run(steps=100, lr=4e-3)))


def test_a_finished_run_says_how_to_go_on_and_more_steps_continue_it(capsys):
    run = live.Run(steps=5)
    assert list(run) == [1, 2, 3, 4, 5]
    assert run.ended == "finished" and capsys.readouterr().out == ""
    assert list(run) == []
    assert capsys.readouterr().out == (
        "This run has done its 5 steps. To go on, set run.steps += 300 and run this cell again; "
        "to start afresh, make a new model and a new run.\n"
    )
    run.steps += 2
    assert list(run) == [6, 7]


def test_the_name_told_is_the_one_that_the_notebook_gave(monkeypatch, capsys):
    run = live.Run(steps=1)
    list(run)
    monkeypatch.setattr(sys.modules["__main__"], "_", run, raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "rival_run", run, raising=False)
    list(run)
    assert "To go on, set rival_run.steps += 300" in capsys.readouterr().out


def test_a_schedule_made_for_fewer_steps_is_told_so():
    run = live.Run(steps=3)
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters())
    with pytest.raises(ValueError, match="at step 3 it was -0.5. If a schedule .* made for all .*: run.steps is 3."):
        for step in run:
            run.steer(optimizer, 1 - step / 2)


def test_break_and_an_error_leave_the_run_ready_to_go_on():
    run = live.Run(steps=6)
    for step in run:
        run.log(train=float(step))
        if step == 2:
            break
    assert run.ended == "left"
    with pytest.raises(ZeroDivisionError):
        for step in run:
            1 / (3 - step)
    assert (run.ended, run.step) == ("left", 3)
    assert list(run) == [4, 5, 6]


def test_history_holds_what_was_logged():
    run = live.Run(steps=4)
    for step in run:
        run.log(train=torch.tensor(1.5 * step, requires_grad=True), norm=np.float32(step))
        if step % 2 == 0:
            run.log(val=step)
    assert {name: (list(s), list(v)) for name, (s, v) in run.history.items()} == {
        "train": ([1, 2, 3, 4], [1.5, 3.0, 4.5, 6.0]),
        "norm": ([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0]),
        "val": ([2, 4], [2.0, 4.0]),
    }
    assert run.describe() == (
        "Loss curves of a live run after 4 of 4 steps. train: 1.5 at step 1, 6 at step 4. "
        "norm: 1 at step 1, 4 at step 4. val: 2 at step 2, 4 at step 4."
    )
    assert run.png().startswith(b"\x89PNG")


def test_baselines_are_told_to_those_who_do_not_see_the_picture():
    run = live.Run(steps=1, baselines={"guessing": 4.174})
    assert run.describe().endswith("Dashed: guessing reaches 4.17.")


def test_numbers_on_a_gpu_are_read_every_ten_steps():
    class Number:
        ndim, device, dtype = 0, torch.device("cuda"), torch.float32
        reads = 0

        def detach(self):
            return self

        clone = detach

        def __float__(self):
            Number.reads += 1
            return 2.0

    reads, run = [], live.Run(steps=12)
    for _ in run:
        run.log(train=Number())
        reads.append(Number.reads)
    assert reads == [0] * 9 + [10] * 3
    assert len(run.history["train"][1]) == Number.reads == 12


def test_moves_are_replayed_to_the_same_bits(capsys):
    """Moves between cells, moves by lines of the loop, and a stop: once by hand, and again from the schedule."""

    def body(run, step):
        if step == 40:
            run.lr *= 0.5

    model, *rest = model_and_data()
    run = live.Run(steps=60, lr=3e-3)
    run.lr = 1e-2
    run.schedule.append((0, "pause", True))  # as its button would
    run.schedule.append((0, "pause", False))
    run._replay.append((20, "stop", True))  # as its button would
    train(run, model, *rest, body=body)
    assert (run.step, run.ended) == (20, "stopped")
    assert capsys.readouterr().out == "Stopped after step 20 of 60. Run this cell again to go on with step 21.\n"
    run.lr = 2e-2
    train(run, model, *rest, body=body)

    again = live.Run(steps=60, lr=3e-3, schedule=json.loads(json.dumps(run.schedule)))
    replayed, *rest = model_and_data()
    train(again, replayed, *rest, body=body)
    assert again.step == 20
    train(again, replayed, *rest, body=body)
    assert again.schedule == run.schedule
    assert run.schedule[-2:] == [(20, "lr", 2e-2), (40, "code", 1e-2)]
    assert same(bits(model), bits(replayed))
    assert not same(bits(model), trained(live.Run(steps=60, lr=3e-3)))


def test_steer_writes_the_scaled_rate_into_every_group():
    a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW([{"params": a.parameters()}, {"params": b.parameters(), "lr": 0.5}])
    live.Run(steps=1, lr=0.01).steer(optimizer, scale=0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.005, 0.005]


def test_the_first_interrupt_waits_for_the_end_of_the_step():
    run, done = live.Run(steps=10), []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as caught:
        for step in run:
            if step == 3:
                os.kill(os.getpid(), signal.SIGINT)
            done.append(step)
    assert str(caught.value) == "Interrupted after step 3 of 10. Run this cell again to go on with step 4."
    assert (done, run.ended, signal.getsignal(signal.SIGINT)) == ([1, 2, 3], "interrupted", before)
    assert list(run) == [4, 5, 6, 7, 8, 9, 10]


def test_the_second_interrupt_does_not_wait():
    run, done = live.Run(steps=10), []
    with pytest.raises(KeyboardInterrupt):
        for step in run:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append(step)
    assert (done, run.step, run.ended) == ([], 1, "interrupted")


def test_an_interrupt_in_the_last_step_is_not_swallowed():
    run = live.Run(steps=2)
    with pytest.raises(KeyboardInterrupt, match=r"^Interrupted after step 2 of 2\.$"):
        for step in run:
            if step == 2:
                signal.raise_signal(signal.SIGINT)


def logged(values, lr=0.5):
    run = live.Run(steps=len(values), lr=lr)
    for step in run:
        run.log(train=values[step - 1])
    return run


@pytest.mark.parametrize(
    ("values", "step", "sentence", "advice", "better"),
    [
        ([2.0, math.nan, 1.0], 2, "train became NaN at step 2.", "train never fell", 0.005),
        ([2.0, -math.inf, 1.0], 2, "train became infinite at step 2.", "train never fell", 0.005),
        ([2.0] * 10 + [30.0] * 25, 30, "train exploded: it was 30 at step 30.", "train never fell", 0.005),
        (
            [2.0] + [1.9] * 9 + [30.0] * 25,
            30,
            "train exploded: it was 30 at step 30.",
            "train fell only at first",
            0.05,
        ),
    ],
)
def test_a_loss_that_diverges_ends_the_run_with_the_cause(values, step, sentence, advice, better, capsys):
    run = logged(values)
    assert (run.ended, run.step) == ("diverged", step)
    assert capsys.readouterr().out == (
        f"{sentence} Most likely the learning rate, 0.5, is too large: {advice}. The weights are spoiled. "
        f"Make a new model, and a new run with lr={better:g}.\n"
    )


def test_after_a_divergence_the_rate_advised_is_the_last_at_which_the_loss_fell(capsys):
    run = live.Run(steps=100, lr=3e-3, lr_range=(1e-5, 10))
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters())
    for step in run:
        if step == 50:
            run.lr = 10.0
        run.steer(optimizer)
        run.log(train=4 - step / 50 if step <= 50 else 1e6)  # the loss of step 50 is what the rate before led to
    assert run.ended == "diverged"
    assert "10, is too large: train last fell at 0.003." in (said := capsys.readouterr().out)
    assert said.endswith("a new run with lr=0.003.\n")


def test_a_rate_that_was_lowered_too_late_is_not_blamed(capsys):
    run = live.Run(steps=100, lr=3e-3, lr_range=(1e-5, 10))
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters())
    for step in run:
        if step in (50, 53):
            run.lr = 10.0 if step == 50 else 5e-3
        run.steer(optimizer)
        run.log(train=4 - step / 50 if step <= 50 else 1e6)
    assert "Most likely the learning rate, 10, is too large: train last fell at 0.003." in capsys.readouterr().out


def test_nan_in_the_first_step_is_not_blamed_on_the_learning_rate(capsys):
    assert logged([math.nan, 1.0]).ended == "diverged"
    assert capsys.readouterr().out == (
        "train was NaN at step 1, before the model had learned anything. "
        "Look for NaN or infinity in the data, a division by zero, or the logarithm of zero.\n"
    )


def test_the_rate_told_is_the_one_that_was_used(capsys):
    run = live.Run(steps=3, lr=0.8)
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters())
    for step in run:
        run.steer(optimizer, scale=0.5)
        run.log(train=1.0 if step == 1 else math.inf)
    assert "the learning rate, 0.4, is too large" in capsys.readouterr().out


def noisy():
    rng = np.random.default_rng(0)
    yield "falling", 2 + 3 * np.exp(-np.arange(500) / 50) + rng.normal(0, 0.5, 500)
    yield "one sample a step", rng.chisquare(1, 5000) * 2  # squared errors: often near 0, now and then very large
    yield "spikes", np.where(np.arange(500) % 30 < 15, 1.0, 100.0)
    yield "negative", -np.arange(500.0)
    yield "zero at first", np.append(np.zeros(20), np.ones(50))
    yield "rising", np.linspace(0.1, 0.99, 300)


@pytest.mark.parametrize(("name", "values"), list(noisy()))
def test_noise_is_no_divergence(name, values):
    assert logged(list(map(float, values))).ended == "finished"


def test_other_curves_may_grow(capsys):
    run = live.Run(steps=100)
    for step in run:
        run.log(train=1.0, tokens=1024.0 * step**2)
    assert run.ended == "finished"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be a whole number, 1 or more; it was 0."),
        ({"steps": 2.5}, "steps must be a whole number, 1 or more; it was 2.5."),
        ({"steps": 5, "lr": -1.0}, "lr must be a number from 1e-05 to 1, the ends of the slider; it was -1.0."),
        (
            {"steps": 5, "lr": 3},
            "lr must be a number from 1e-05 to 1, the ends of the slider; it was 3. For other ends",
        ),
        ({"steps": 5, "lr": "fast"}, "it was 'fast'"),
        (
            {"steps": 5, "lr_range": (1, 0)},
            "lr_range must be two positive numbers, the smaller first, like (1e-5, 1.0)",
        ),
        ({"steps": 5, "lr_range": 1e-3}, "it was 0.001."),
        ({"steps": 5, "baselines": 4.17}, "one of them was '': 4.17."),
        ({"steps": 5, "baselines": {"guessing": "4.17"}}, "one of them was 'guessing': '4.17'."),
        ({"steps": 5, "schedule": [(3, "colour", 1)]}, "one of its moves was (3, 'colour', 1)."),
        (
            {"steps": 5, "schedule": [(3, "lr", 0.1), (2, "lr", 0.1)]},
            "in the order of their steps; one of its moves was",
        ),
        ({"steps": 5, "schedule": [7]}, "schedule must be what run.schedule of another run was"),
        ({"steps": 5, "schedule": {"lr": 3}}, "one of its moves was 'lr'."),
        ({"steps": 5, "schedule": 7}, "schedule must be what run.schedule of another run was"),
        ({"steps": 5, "schedule": [(3, "lr", -0.1)]}, "lr must be a number"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError) as caught:
        live.Run(**arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(2, 3), "run.log() takes one number for train, and it got (2, 3), a shape. Log its mean: "),
        (np.ones(1), "it got (1,), a shape."),
        ("0.5", "run.log() takes a number or a tensor for train; it got a str: '0.5'."),
        (None, "it got a NoneType: None."),
        ([0.5], "it got a list: [0.5]."),
    ],
)
def test_log_takes_one_number(value, message):
    run = live.Run(steps=1)
    with pytest.raises(ValueError) as caught:
        run.log(train=value)
    assert message in str(caught.value)
    assert run.history == {}


def test_a_name_is_logged_once_a_step():
    run = live.Run(steps=2)
    with pytest.raises(ValueError, match=r"run.log\(\) got train twice in step 1. Log it once a step, or give"):
        for _ in run:
            run.log(train=1.0)
            run.log(train=1.0)


def test_wrong_use():
    run, model = live.Run(steps=3), torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"run.steer\(\) takes a torch optimizer, such as .*; it got a Linear\."):
        run.steer(model)
    with pytest.raises(
        ValueError, match="scale multiplies the learning rate: it must be 0 or more and finite; at step 0 it was -1"
    ):
        run.steer(torch.optim.SGD(model.parameters()), scale=-1)
    with pytest.raises(ValueError, match="lr must be a number from 1e-05 to 1"):
        run.lr = 0
    with pytest.raises(
        RuntimeError, match="This run's loop is already going. For a loop inside it make another live.Run"
    ):
        for _ in run:
            list(run)
    run.steps = "many"
    with pytest.raises(ValueError, match="steps must be a whole number"):
        list(run)


def test_a_run_inside_a_run():
    outer = live.Run(steps=2)
    assert [list(live.Run(steps=step)) for step in outer] == [[1], [1, 2]]


def test_outside_the_main_thread():
    import threading

    found = []
    thread = threading.Thread(target=lambda: found.extend(live.Run(steps=3)))
    thread.start()
    thread.join()
    assert found == [1, 2, 3]


def test_importing_it_is_cheap_and_a_script_needs_no_widgets():
    code = """
import sys
from bmcourse import live
assert not {"torch", "numpy", "matplotlib", "ipywidgets", "IPython"} & set(sys.modules), sys.modules
run = live.Run(steps=3)
for step in run:
    run.log(train=step)
print(run.ended, "ipywidgets" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("finished False\n", "")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    with started("pinned", tmp_path_factory.mktemp("kernel")) as kernel:
        yield kernel


def test_the_display_becomes_a_picture_with_alt_text(kernel):
    kernel.run("from bmcourse import live\nrun = live.Run(steps=30)")
    kernel.run("for step in run:\n    run.log(train=1 / step)")
    (first, _), (last, metadata) = kernel.displays(kernel.asked[-1])
    assert sorted(first) == ["application/vnd.jupyter.widget-view+json", "text/plain"]
    assert sorted(last) == ["image/png", "text/plain"]
    assert first["text/plain"] == last["text/plain"] == "live.Run(steps=30, lr=0.003)"
    assert metadata["image/png"]["alt"] == (
        "Loss curves of a live run after 30 of 30 steps. train: 1 at step 1, 0.0333 at step 30."
    )
    assert kernel.run("print(run.frames, run.drawing_seconds)") == "0 0.0\n", "nobody looked: no frame is drawn"


def test_frames_are_drawn_when_a_page_looks_and_only_then(kernel):
    ids = kernel.start_loop(until="run.frames >= 3", after="print(run.drawing_seconds > 0)")
    kernel.update(ids["box"], _view_count=1)
    kernel.wait_idle(kernel.loop)
    assert "True" in kernel.outputs(kernel.loop)
    pictures = [m for m in kernel.published if is_picture(m)]
    assert pictures and all(bytes(m["buffers"][0]).startswith(b"\x89PNG") for m in pictures)


def is_picture(message):
    return message["msg_type"] == "comm_msg" and message["content"]["data"].get("buffer_paths") == [["value"]]


def test_a_pause_stops_the_steps_and_is_replayed_without_waiting(kernel):
    ids = kernel.start_loop(until="any(move[1:] == ('pause', False) for move in run.schedule)")
    kernel.wait_idle(kernel.update(ids["pause"], value=True))
    kernel.update(ids["slider"], value=0.5)
    kernel.wait_idle(kernel.update(ids["pause"], value=False))
    kernel.wait_idle(kernel.loop)
    code = "again = live.Run(steps=run.step, lr=1e-3, schedule=run.schedule)\nlist(again)\n"
    found = kernel.run(code + "print(run.schedule, again.schedule == run.schedule, again.lr)")
    schedule = eval(found[: found.index("]") + 1])
    step = schedule[0][0]
    assert sorted(schedule) == sorted([(step, "pause", True), (step, "lr", 0.5), (step, "pause", False)])
    assert found.endswith("True 0.5\n")


def test_the_slider_follows_a_rate_set_in_code(kernel):
    ids = kernel.start_loop(until="run.frames >= 1", after="print(run._panel.slider.value, run.schedule)")
    kernel.update(ids["box"], _view_count=1)
    kernel.wait_idle(kernel.loop)
    kernel.run("run.lr = 0.25\nfor step in run:\n    break")
    assert kernel.run("print(run._panel.slider.value, run.lr, run.schedule[-1][1:])") == "0.25 0.25 ('lr', 0.25)\n"


def test_after_an_error_of_the_student_the_run_says_where_it_stands(kernel):
    kernel.run("run = live.Run(steps=9)")
    said = kernel.run("for step in run:\n    run.log(train=1.0)\n    assert step < 4, 'mine'")
    assert "AssertionError: mine" in said
    assert "The run stands at step 4 of 9. Run this cell again to go on with step 5." in said
    (_, (last, _)) = kernel.displays(kernel.asked[-1])
    assert "image/png" in last
    assert kernel.run("for step in run:\n    pass\nprint(step, run.ended)") == "9 finished\n"


def test_a_cell_that_makes_its_own_run_does_not_promise_to_go_on(kernel):
    said = kernel.run("for step in (own := live.Run(steps=9)):\n    if step == 4: own._record('stop', True)")
    assert said == (
        "Stopped after step 4 of 9. This cell makes a new run each time; a run made in a cell of its own can go on.\n"
    )


def test_a_finished_run_executed_again_keeps_its_curve(kernel):
    kernel.run("run = live.Run(steps=5)")
    kernel.run("for step in run:\n    run.log(train=step)")
    (_, last) = kernel.displays(kernel.asked[-1])
    said = kernel.run("for step in run:\n    run.log(train=step)")
    assert "This run has done its 5 steps." in said
    assert kernel.displays(kernel.asked[-1]) == [last]


WATCHED = """
import time
from bmcourse import live
begin = time.perf_counter()
run = live.Run(steps=40, seconds=SECONDS, shows="share of errors")
for step in run:
    run.log(train=1 / step)
    if step == 1: print("IDS " + run._panel.box.model_id)
print("took", "long" if time.perf_counter() - begin > 0.9 * SECONDS else "no time")
"""


def test_a_loop_that_somebody_watches_takes_its_time(kernel):
    kernel.wait_quiet()
    cell = kernel.execute(WATCHED.replace("SECONDS", "2"), person=True)
    kernel.update(kernel.wait_text("IDS").split()[1], _view_count=1)
    kernel.wait_idle(cell)
    assert "took long" in kernel.outputs(cell)
    (_, (_, metadata)) = kernel.displays(cell)
    assert metadata["image/png"]["alt"].startswith("Share of errors curves of a live run")


def test_a_loop_that_nobody_watches_or_that_holds_up_other_cells_does_not_wait(kernel):
    kernel.wait_quiet()
    watched = WATCHED.replace("SECONDS", "30")
    alone = kernel.execute(watched)
    kernel.wait_idle(alone)
    first = kernel.execute(watched, person=True)
    second = kernel.execute("print('behind it')", person=True)
    kernel.wait_idle(second)
    assert "took no time" in kernel.outputs(alone) and "took no time" in kernel.outputs(first)


def test_a_loop_that_is_left_open_is_closed_with_its_cell(kernel):
    kernel.run("run = live.Run(steps=9)\nsteps = iter(run)\nprint(next(steps))")
    assert len(kernel.displays(kernel.asked[-1])) == 2
    assert kernel.run("print(run.ended, list(steps), list(run)[0])") == "left [] 2\n"


def test_a_figure_of_pyplot_is_neither_shown_nor_closed_in_mid_loop(kernel):
    kernel.run("%matplotlib inline\nimport matplotlib.pyplot as plt")
    body = "\n    ".join(
        [
            "for step in run:",
            "if step == 1: plt.plot([1, 2])",
            "get_ipython().events.trigger('post_execute')  # as a widget message does",
            "if step == 2: print('figures', plt.get_fignums())",
        ]
    )
    said = kernel.run("run = live.Run(steps=3)\n" + body + "\nprint('end')")
    assert "figures [1]" in said
    shown = [data for data, _ in kernel.displays(kernel.asked[-1]) if "live.Run" not in data["text/plain"]]
    assert len(shown) == 1 and "image/png" in shown[0], "pyplot shows it at the end of the cell as ever"


def test_two_runs_in_one_cell_and_one_inside_the_other(kernel):
    said = kernel.run(
        "for outer in live.Run(steps=2):\n    for inner in live.Run(steps=2): print(outer, inner)\nprint('end')"
    )
    assert said == "1 1\n1 2\n2 1\n2 2\nend\n"
    assert len(kernel.displays(kernel.asked[-1])) == 6


CELLS = [
    "from bmcourse import live\nrun = live.Run(steps=20)",
    "for step in run:\n    run.log(train=1 / step)\nprint(run.ended)",
    "for step in run:\n    pass",
    "run = live.Run(steps=20, lr=1.0)\nfor step in run:\n    run.log(train=float('nan') if step == 7 else 1.0)",
]


def test_a_stored_notebook_holds_a_picture_and_passes_strict_nbval(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    env = os.environ | {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)}
    nbclient.NotebookClient(notebook, timeout=60, store_widget_state=False).execute(env=env, cwd=str(tmp_path))
    nbformat.write(notebook, tmp_path / "run.ipynb")
    outputs = notebook.cells[1].outputs
    assert [sorted(output.get("data", ())) for output in outputs] == [["image/png", "text/plain"], []]
    assert outputs[0].metadata["image/png"]["alt"].startswith("Loss curves of a live run after 20 of 20 steps.")
    assert outputs[1].text == "finished\n"
    assert "widgets" not in notebook.metadata
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-cell-timeout=60", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "run.ipynb"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert "4 passed" in done.stdout, done.stdout
