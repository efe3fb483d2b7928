"""Messages for a run's own widgets reach it while its cell runs, on every ipykernel, and no other message suffers."""

import pytest

from tests.live_kernel import TIMEOUT, VERSIONS, started


@pytest.fixture(scope="module", params=VERSIONS)
def kernel(request, tmp_path_factory):
    with started(request.param, tmp_path_factory.mktemp("kernel")) as kernel:
        version = kernel.run("import ipykernel; print(ipykernel.__version__)").strip()
        assert request.param in ("pinned", f"ipykernel-{version}")
        yield kernel
        assert kernel.run("print(1 + 1)") == "2\n", "the kernel must be well after all of it"


@pytest.fixture(autouse=True)
def forget(kernel):
    kernel.published.clear()


def order(kernel, *requests):
    """The requests in the order in which the kernel became busy with them."""
    busy = [m["parent_header"].get("msg_id") for m in kernel.published if m["content"].get("execution_state") == "busy"]
    return [request for request in busy if request in requests]


def test_the_controls_act_before_the_loop_ends(kernel):
    ids = kernel.start_loop()
    moves = [kernel.update(ids["slider"], value=0.01)]
    kernel.wait_idle(moves[0])  # ipywidgets on the page sends the next value only after this
    moves += [kernel.update(ids["pause"], value=True), kernel.update(ids["slider"], value=0.1)]
    moves += [kernel.update(ids["pause"], value=False), kernel.click(ids["stop"])]
    kernel.wait_idle(kernel.loop)
    for move in moves:
        kernel.wait_idle(move)
    assert order(kernel, kernel.loop, *moves) == [kernel.loop, *moves]
    assert "Stopped after step" in kernel.outputs(kernel.loop)
    schedule = eval(kernel.run("print(run.schedule)"))
    assert [value for _, control, value in schedule if control == "lr"][-1] == 0.1
    assert [control for _, control, _ in schedule][-1] == "stop"
    assert kernel.run("print(run.lr, repr(run._panel.inbox.problem))") == "0.1 ''\n"


def test_the_first_value_of_a_drag_is_used_in_the_very_next_steps(kernel):
    ids = kernel.start_loop(until="run.lr != 1e-3", after="print('used', run.lr)")
    kernel.update(ids["slider"], value=0.02)
    kernel.wait_idle(kernel.loop)
    assert "used 0.02" in kernel.outputs(kernel.loop)


def test_other_messages_keep_their_order(kernel):
    ids = kernel.start_loop(until="run.lr != 1e-3")
    others = []
    for number in range(3):
        others.append(kernel.execute(f"print('cell {number}')"))
        others.append(kernel.send("comm_msg", comm_id=f"nobody {number}", data={}))
        others.append(kernel.send("is_complete_request", code=f"{number}"))
    move = kernel.update(ids["slider"], value=0.02)
    others.append(kernel.execute("print('last cell')"))
    kernel.wait_idle(others[-1])
    assert order(kernel, kernel.loop, move, *others) == [kernel.loop, move, *others]
    assert [kernel.outputs(request) for request in others[::3]] == ["cell 0\n", "cell 1\n", "cell 2\n", "last cell\n"]


def test_cells_that_waited_share_one_context(kernel):
    """numpy keeps np.seterr in a context variable: a cell that was put back must set it for the cells after it too."""
    ids = kernel.start_loop(until="run.lr != 1e-3")
    kernel.execute("import numpy as np; before = np.seterr(over='print')")
    kernel.update(ids["slider"], value=0.02)
    kernel.wait_idle(kernel.loop)
    assert kernel.run("print(np.geterr()['over']); after = np.seterr(**before)") == "print\n"


def test_a_page_that_is_reloaded_gets_its_answers_and_its_widgets(kernel):
    ids = kernel.start_loop()
    for question, answer in (("kernel_info_request", "kernel_info_reply"), ("comm_info_request", "comm_info_reply")):
        request = kernel.send(question)
        reply = kernel.reply(request)
        assert reply["msg_type"] == answer
    assert ids["slider"] in reply["content"]["comms"]
    kernel.send("comm_open", comm_id="control", target_name="jupyter.widget.control", data={})
    kernel.send("comm_msg", comm_id="control", data={"method": "request_states"})
    states = kernel.wait(lambda message: message["content"].get("data", {}).get("method") == "update_states")
    assert states["content"]["data"]["states"][ids["slider"]]["state"]["description"] == "learning rate"
    assert not any(m["content"].get("execution_state") == "idle" for m in kernel.published if is_of(kernel.loop, m))
    kernel.click(ids["stop"])
    kernel.wait_idle(kernel.loop)


def is_of(request, message):
    return message["parent_header"].get("msg_id") == request


def test_controls_act_when_the_page_sends_over_a_subshell(kernel):
    """JupyterLab gives widget messages to a subshell, where the kernel has them (7.0 on)."""
    if kernel.run("import ipykernel; print(ipykernel.__version__)").startswith("6"):
        return  # it has no subshells
    message = kernel.client.session.msg("create_subshell_request")
    kernel.client.control_channel.send(message)
    while (reply := kernel.client.get_control_msg(timeout=TIMEOUT))["parent_header"]["msg_id"] != message["header"][
        "msg_id"
    ]:
        pass
    ids = kernel.start_loop(until="run.lr != 1e-3")
    move = kernel.update(ids["slider"], subshell=reply["content"]["subshell_id"], value=0.02)
    kernel.wait_idle(kernel.loop)
    kernel.wait_idle(move)
    assert kernel.run("print(run.lr)") == "0.02\n"


def test_interrupt_ends_after_the_step_and_the_cells_behind_it_do_not_run(kernel):
    kernel.start_loop()
    behind = kernel.execute("print('must not run')")
    kernel.manager.interrupt_kernel()
    kernel.wait_idle(kernel.loop)
    error = kernel.outputs(kernel.loop)
    assert "KeyboardInterrupt: Interrupted after step" in error
    assert "This cell makes a new run each time" in error
    assert kernel.reply(behind)["content"]["status"] == "aborted"
    assert kernel.run("print(run.ended, len(run.history['train'][0]) == run.step)") == "interrupted True\n"
    again = kernel.run("first = run.step\nfor step in run:\n    break\nprint(step - first)")
    assert again == "1\n"


def test_a_failure_switches_the_controls_off_and_the_training_goes_on(kernel):
    broken = "from bmcourse.live import messages\nkept = messages.Inbox._read\n"
    broken += "def fail(*_): raise AttributeError('no attribute of that name')\nmessages.Inbox._read = fail"
    kernel.run(broken)
    ids = kernel.start_loop(until="step == 200", after="print(run._panel.inbox.problem); messages.Inbox._read = kept")
    late = kernel.update(ids["slider"], value=0.02)
    cell = kernel.execute("print('ran')")
    kernel.wait_idle(cell)
    assert (
        "The controls act only when the cell ends, because the page's messages could not be read: "
        "AttributeError: no attribute of that name." in kernel.outputs(kernel.loop)
    )
    assert order(kernel, late, cell) == [late, cell]
    assert kernel.outputs(cell) == "ran\n"
