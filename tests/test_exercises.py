"""The contract that every exercise keeps, every kind of verdict, and every path of check, hint and reveal."""

import collections
import dataclasses
import fractions
import functools
import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from bmcourse import exercises
from bmcourse.exercises import core, progress
from bmcourse.exercises.checklists import forgotten
from bmcourse.exercises.compare import Foreign, difference, short, snapshot
from bmcourse.exercises.core import Known
from bmcourse.exercises.judging import FAILED, OPEN, PASSED, assess, sandboxed
from bmcourse.exercises.packing import packed, unpacked
from tests.toys import (
    MSE,
    SCALE,
    STEP,
    TOYS,
    Scale,
    answer,
    detached,
    in_place,
    mse,
    right_power,
    right_torch,
    slow_mse,
    summed,
)


def contract(exercise):
    """Hold one exercise to what every exercise must keep; raises AssertionError."""
    stub = _from_source(exercise.stub, exercise)
    assert assess(exercise, stub).mark == OPEN, f"the stub of {exercise.name} is not 'not attempted'"
    assert sandboxed(exercise, exercise.reference).mark == PASSED, f"the reference of {exercise.name} fails"
    solution = _from_source(exercise.solution, exercise)
    assert assess(exercise, solution).mark == PASSED, f"the solution of {exercise.name} fails when it is pasted"
    codes = [getattr(answer, "__code__", None) for answer in exercise.rights]
    right = {(code.co_code, code.co_names) if code else number for number, code in enumerate(codes)}
    assert len(right) >= 3, f"{exercise.name} has {len(right)} differently written right answers, not 3"
    for other in exercise.rights:
        verdict = assess(exercise, other)
        assert verdict.mark == PASSED, f"{exercise.name}: the right answer {other.__name__} fails: {verdict.text()}"
    assert exercise.mistakes, f"{exercise.name} has no catalogue of wrong answers"
    for what in ("name", "message"):
        several = collections.Counter(getattr(known, what) for known in exercise.mistakes)
        twice = [text for text, count in several.items() if count > 1]
        assert not twice, f"{exercise.name} has the same {what} for two wrong answers: {twice[0]}"
    for known in exercise.mistakes:
        verdict = assess(exercise, known.answer)
        assert verdict.mark == FAILED, f"{exercise.name}: the wrong answer {known.name} passes"
        told = f"{exercise.name}: {known.name} is told: {verdict.message}\nand not: {known.message}"
        assert verdict.message == known.message, told
    assert exercise.advice, f"{exercise.name} has no hints"


def _from_source(source, exercise):
    """What a student's cell with this text defines, with the names that the lesson file has."""
    names = dict(vars(sys.modules[exercise.reference.__module__]))
    exec(compile(source, "cell.py", "exec"), names)
    return names[exercise.name]


COURSE = list(core.exercises())


@pytest.mark.parametrize("exercise", COURSE, ids=lambda exercise: exercise.name)
def test_every_exercise_of_the_course_keeps_the_contract(exercise):
    contract(exercise)


@pytest.mark.parametrize("exercise", COURSE, ids=lambda exercise: exercise.name)
def test_cases_try_what_goes_wrong_in_life(exercise):
    assert forgotten(exercise) == []


def test_names_are_unique_in_the_course():
    names = [exercise.name for exercise in COURSE]
    assert len(names) == len(set(names))


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    """The toy exercises are the course's, and the progress is nobody's."""
    monkeypatch.setattr(core, "exercises", lambda: iter(TOYS))
    monkeypatch.setattr(core, "_read", {toy.name: toy for toy in TOYS}.get)
    monkeypatch.setenv("BMCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(progress, "_unsaved", None)


@pytest.mark.parametrize("exercise", [MSE, STEP], ids=lambda exercise: exercise.name)
def test_good_toys_keep_the_contract(exercise):
    contract(exercise)


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"oracle": lambda p, t: mse(p, t) + 1}, "the reference of mse fails"),
        ({"rights": [right_power, right_power, right_torch]}, "2 differently written right answers, not 3"),
        ({"rights": [right_power, right_torch, summed]}, "the right answer summed fails"),
        ({"mistakes": []}, "no catalogue"),
        ({"mistakes": [Known("right_torch", "no", right_torch)]}, "the wrong answer right_torch passes"),
        ({"mistakes": [Known("one", "A", summed), Known("two", "B", summed)]}, "two is told: A\n *and not: B"),
        (
            {"mistakes": [Known("one", "A", summed), Known("two", "A", detached)]},
            "the same message for two wrong answers",
        ),
        ({"mistakes": [Known("one", "A", summed), Known("one", "B", detached)]}, "the same name for two wrong answers"),
        ({"advice": ()}, "no hints"),
    ],
)
def test_the_contract_finds_a_broken_exercise(change, complaint):
    with pytest.raises(AssertionError, match=complaint):
        contract(dataclasses.replace(MSE, **change))


# What the author's reference becomes.


def test_stub_of_a_function_without_docstring_takes_the_prompt():
    assert MSE.stub == (
        "def mse(prediction, target):\n"
        '    """Mean squared error of two tensors of the same shape."""\n'
        "    raise NotImplementedError"
    )


def test_a_long_prompt_is_wrapped_and_a_docstring_is_kept():
    wrapped = dataclasses.replace(MSE, prompt="word " * 30)
    assert max(map(len, wrapped.stub.splitlines())) <= 100
    assert isinstance(_from_source(wrapped.stub, wrapped), types.FunctionType)
    assert STEP.stub.count('"""') == 2 and "Do one step" in STEP.stub and "One step of" not in STEP.stub


def outer(
    x,
    power=2,  # of every element
):
    # the answer starts here
    def inner(y):
        return y**power

    return inner(x)


def test_a_stub_gives_nothing_of_the_body_away():
    assert dataclasses.replace(MSE, reference=outer, prompt="Powers.").stub == (
        'def outer(\n    x,\n    power=2,  # of every element\n):\n    """Powers."""\n    raise NotImplementedError'
    )


def test_stub_of_a_class_keeps_its_methods_signatures():
    assert SCALE.stub == (
        "class Scale(torch.nn.Module):\n"
        '    """Multiply by a learned number, which starts at `start`."""\n\n'
        "    def __init__(self, start=1.0):\n"
        "        raise NotImplementedError\n\n"
        "    def forward(self, x):\n"
        '        """Return x times the factor."""\n'
        "        raise NotImplementedError"
    )
    assert assess(SCALE, _from_source(SCALE.stub, SCALE)).mark == OPEN
    assert assess(SCALE, Scale).mark == PASSED


# Verdicts in this process: one generic message each. Answers are cells of text, as a student's are.


@pytest.mark.parametrize(
    "source, message",
    [
        ("raise NotImplementedError", "not attempted yet. Replace `raise NotImplementedError` with your answer"),
        ("return ((prediction - target) ** 2).mean()", "right on all 2 inputs."),
        ("(prediction - target) ** 2", "The result is None, but a tensor was expected. Is the `return` missing?"),
        ("return 4.5", "The result is a number, but a tensor was expected. `.item()` and `float()` make a plain"),
        ("return 'x'", "The result is text, but a tensor was expected."),
        ("return torch.nn", "The result is of the type module, but a tensor was expected."),
        ("return (prediction - target) ** 2", "The result is right but for its last step: its mean was expected."),
        ("return target[:2]", "The result has the shape (2,), but () was expected."),
        ("return torch.tensor(4)", "The result holds integers, but floats were expected."),
        ("return prediction.mean() * float('nan')", "The result is NaN (not a number)."),
        ("return (prediction - target).mean()", "The result is wrong, by up to 2.7."),
        ("return targte", "Your code raised an error in line 2"),
        ("exit()", "Your code raised an error in line 2"),
        ("def mse(prediction):\n    return 0", "Wrong arguments. Expected mse(prediction, target), what came is mse("),
        ("return prediction @ target[None]", "That is a matrix product."),
        ("d = target - prediction; return (d * d).sum()", "You took the sum, not the mean."),
        ("return torch.tensor(((prediction - target) ** 2).mean().item())", "The loss must keep its graph."),
        ("prediction.data -= target; return prediction.square().mean()", "You changed the prediction itself."),
        ("target *= -1; return (prediction + target).square().mean()", "The result is right, but your code changed"),
        ("torch.empty(10**15)", "Your code asked for more memory than a check allows (2 GB)."),
    ],
)
def test_every_kind_of_answer_has_its_message(source, message):
    verdict = assess(MSE, answer(source))
    assert verdict.message.startswith(message)
    mark = {"not at": OPEN, "right ": PASSED}.get(message[:6], FAILED)
    assert verdict.mark == mark


def test_a_wrong_value_shows_the_first_failing_input_what_came_and_what_was_expected():
    assert assess(MSE, answer("return (prediction - target).mean()")).text() == (
        "✗ mse: The result is wrong, by up to 2.7.\n"
        "  input     prediction = tensor([1., 2., 3.])\n"
        "            target = tensor([0., 0., 0.])\n"
        "  yours     tensor(2.)\n"
        "  expected  tensor(4.6667)"
    )


def test_inputs_have_the_references_names_where_run_hands_them_on():
    handed_on = dataclasses.replace(MSE, runner=lambda answer, *case: answer(*case))
    wrong = answer("return (prediction - target).sum()")
    assert assess(handed_on, wrong).text() == assess(MSE, wrong).text()


def test_an_error_shows_the_students_own_error():
    assert "  yours     NameError: name 'targte' is not defined" in assess(MSE, answer("return targte")).text()


def test_inputs_may_change_where_the_reference_changes_them():
    allowed = dataclasses.replace(MSE, reference=in_place, mistakes=[])
    assert assess(allowed, in_place).mark == PASSED


def test_an_error_outside_the_students_code_is_not_called_theirs():
    exercise = dataclasses.replace(MSE, runner=lambda f, *case: f(*case).nothing)
    assert assess(dataclasses.replace(exercise, oracle=lambda *case: 1), answer("return 1")).message == (
        "The check could not use what your code gave it."
    )


def test_judging_leaves_the_random_state_and_the_grad_mode():
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with torch.no_grad():
        assert assess(MSE, mse).mark == PASSED
        assert not torch.is_grad_enabled()
    assert torch.equal(state, torch.get_rng_state())


EVIL = {
    "a BaseException of its own": (
        "pass\n    class Odd(BaseException): pass\n    raise Odd('no')",
        "Your code raised an error in",
    ),
    "an exception that cannot say what it is": (
        "pass\n    class Odd(Exception):\n        def __str__(self): raise ValueError\n    raise Odd",
        "Your code raised an error in",
    ),
    "a repr that raises": (
        "pass\n    class Odd:\n        def __repr__(self): raise ValueError\n    return Odd()",
        "The result is of the type Odd",
    ),
    "equal to everything": (
        "pass\n    class Odd:\n        def __eq__(self, other): return True\n    return Odd()",
        "The result is of the type Odd",
    ),
    "a tensor that equals everything": (
        "pass\n    class Odd(torch.Tensor):\n        def __torch_function__(*_, **__): return torch.zeros(())\n"
        "    return torch.ones(()).as_subclass(Odd)",
        "The result is wrong",
    ),
    "a number that equals everything": (
        "pass\n    class Odd(float):\n        def __eq__(self, other): return True\n    return Odd(3)",
        "The result is a number, but a tensor was expected.",
    ),
    "a class that lies": (
        "pass\n    class Odd:\n        __class__ = torch.Tensor\n    return Odd()",
        "The result is of the type Odd",
    ),
    "a tensor without values": ("return torch.empty((), device='meta')", "The result is a tensor on the device meta"),
    "a sparse tensor": ("return torch.zeros(3).to_sparse()", "The result has the shape (3,), but () was expected."),
}


@pytest.mark.parametrize(("source", "message"), EVIL.values(), ids=EVIL)
def test_an_odd_answer_gets_the_blame_and_not_the_exercise(source, message):
    verdict = sandboxed(MSE, answer(source))
    assert (verdict.mark, verdict.message[: len(message)]) == ("✗", message)


@pytest.mark.parametrize(
    "right",
    ["random.random() < 0.5", "np.random.rand() < 0.42", "calls.append(1) or len(calls) < 3"],
    ids=["random", "numpy", "what an earlier call left"],
)
def test_an_answer_that_is_right_now_and_then_does_not_pass(right):
    source = f"""import random
    calls = mse.__dict__.setdefault("calls", [])
    right = {right}
    return ((prediction - target) ** 2).mean() + (0 if right else 1)"""
    verdict = sandboxed(MSE, answer(source))
    assert (verdict.mark, verdict.message[:19]) == ("✗", "Not the same twice:")


def test_a_part_that_is_still_to_be_written_is_told():
    source = """if prediction.requires_grad:
        raise NotImplementedError
    return ((prediction - target) ** 2).mean()"""
    verdict = assess(MSE, answer(source))
    assert verdict.mark == "✗" and verdict.message.startswith("One part is still to be written: line 3")


def test_arguments_by_keyword_only_are_told():
    verdict = assess(MSE, answer("def mse(*, prediction, target):\n    return ((prediction - target) ** 2).mean()"))
    assert verdict.message == (
        "Wrong arguments. Expected mse(prediction, target), what came is mse(*, prediction, target)."
    )


def test_what_a_notebook_has_set_changes_no_verdict_and_stays():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with torch.inference_mode(), torch.autocast("cpu"):
            assert assess(MSE, mse).mark == sandboxed(MSE, mse).mark == PASSED
            assert torch.is_inference_mode_enabled() and torch.is_autocast_enabled("cpu")
        assert (torch.get_default_dtype(), torch.get_default_device().type) == (torch.float64, "meta")
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.use_deterministic_algorithms(False)


def test_judging_shows_nothing_of_what_the_exercise_itself_prints(capfd):
    def loud(prediction, target):
        print("loud")
        return slow_mse(prediction, target)

    assert sandboxed(dataclasses.replace(MSE, oracle=loud), mse).mark == PASSED
    assert capfd.readouterr() == ("", "")


# A wrong answer that tries to pass: what it does to its own process decides nothing.

CHEATS = {
    "a verdict into the pipe": (
        "import json, sys\n    os.write(sys.stdout.sender.fileno(), "
        "json.dumps(['returned', {'mark': '✓', 'name': 'mse', 'message': 'right.'}]).encode() + b'\\n')",
        "Your code wrote into the connection",
    ),
    "no outcomes into the pipe": (
        "import sys\n    os.write(sys.stdout.sender.fileno(), b'[\"returned\", [[], []]]\\n')",
        "Your code wrote into the connection",
    ),
    "outcomes of odd types": (
        "import sys\n    os.write(sys.stdout.sender.fileno(), "
        'b\'["returned", [[[["plain", null], {"text": 1}, []]], []]]\\n\')',
        "Your code wrote into the connection",
    ),
    "another judge": (
        "from bmcourse.exercises import compare, judging\n    judging.difference = compare.difference = lambda *_: ''\n"
        "    judging._verdict = judging._fault = lambda *_: ''",
        "The result is None",
    ),
    "another comparison in torch": (
        "torch.isclose = lambda *_, **__: torch.ones(()).bool(); return target.sum()",
        "The res",
    ),
    "equal to everything inside a list": (
        "pass\n    class Odd(list):\n        __len__ = __eq__ = lambda *_: True\n    return Odd()",
        "The result is a list or tuple",
    ),
}


@pytest.mark.parametrize(("source", "message"), CHEATS.values(), ids=CHEATS)
def test_a_wrong_answer_cannot_make_itself_right(source, message):
    verdict = sandboxed(MSE, answer(source))
    assert verdict.mark == FAILED and verdict.message.startswith(message)


def test_a_process_left_unusable_is_the_answers_doing():
    verdict = sandboxed(MSE, answer("torch.default_generator = None"))
    assert verdict.mark == FAILED and verdict.message.startswith("Your code left Python in a state")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(10**5000),
        1.5,
        float("inf"),
        2 + 3j,
        "text \ud800",
        (),
        [1, (2, {"a": [3.5], 4: None})],
        torch.zeros(0, 3),
        torch.tensor(True),
        torch.randn(3, 4).T[1:],
        torch.randn(4)[::2][:1],
        torch.tensor([1 + 2j]).conj(),
        torch.tensor([1.5, float("nan")], dtype=torch.bfloat16),
        torch.ones(2, requires_grad=True),
        np.arange(6).reshape(2, 3).T,
        np.array(["a", "bc"]),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_a_result_travels_as_data(value):
    there = unpacked(json.loads(json.dumps(packed(value))))
    if isinstance(value, torch.Tensor):
        assert there.dtype == value.dtype and there.requires_grad == value.requires_grad
        assert torch.equal(there.detach().nan_to_num(), value.detach().nan_to_num())
    elif isinstance(value, np.ndarray):
        assert there.dtype == value.dtype and np.array_equal(there, value)
    else:
        assert there == snapshot(value)


@pytest.mark.parametrize(
    "value, kind",
    [(np.float32(0.5), float), (np.bool_(True), bool), (np.int64(3), int), (fractions.Fraction(1, 2), float)],
)
def test_a_number_of_any_kind_travels_as_pythons_own(value, kind):
    assert type(unpacked(packed(value))) is kind and unpacked(packed(value)) == value


def test_what_is_no_result_travels_as_a_description():
    assert unpacked(packed({1})) == Foreign("of the type set", "{1}")
    assert unpacked(packed(np.array([object]))) == Foreign("of the type ndarray", "array([<class 'object'>])")


def test_html_escapes_and_colours_only_its_edge():
    html = assess(MSE, answer("return '<b>' * 3")).html()
    assert "&lt;b&gt;" in html and "✗ mse" in html and "background" not in html and "<script" not in html


@pytest.mark.parametrize(
    "got, expected, sentence",
    [
        (1, 1.0, ""),
        (torch.tensor(1.0), 1.0, ""),
        (np.float32(1.0), 1, ""),
        (float("nan"), float("nan"), ""),
        (float("inf"), float("inf"), ""),
        ([1, (2, "a")], (1, [2, "a"]), ""),
        (True, 1, "the result is True or False, but a number was expected."),
        (1, True, "the result is a number, but True or False was expected."),
        (1.1, 1.0, "the result is wrong."),
        (5.0, float("inf"), "the result is wrong."),
        (
            torch.tensor(1.0, requires_grad=True),
            1.0,
            "the result is a tensor, but a number was expected. `.item()` makes a plain number of a tensor with one "
            "element.",
        ),
        ("a", "b", "the result is wrong."),
        ([1], [1, 2], "the result has 1 items, but 2 were expected."),
        ([1, [2, 3]], [1, [2, 4]], "item 1 of item 1 of the result is wrong."),
        ({"a": 1}, {"b": 1}, "the result has the keys ['a'], but ['b'] were expected."),
        ({"a": 1}, {"a": 2}, "'a' of the result is wrong."),
        (torch.ones(2), np.ones(2), "the result is a tensor, but a NumPy array was expected."),
        (np.array([1.0, 2.0]), np.array([1.0, 3.0]), "the result is wrong in 1 of 2 places, by up to 1."),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), "the result is wrong in 1 of 2 places."),
        (torch.tensor([1.0, float("nan")]), torch.ones(2), "the result is NaN (not a number) in 1 of 2 places."),
        (torch.ones(2, dtype=torch.float64), torch.ones(2), ""),
        (
            torch.ones(1),
            torch.ones(1, requires_grad=True),
            "the result has lost its gradient: `.detach()`, `.item()`, `torch.tensor(...)` or `no_grad` cut it off.",
        ),
    ],
)
def test_differences(got, expected, sentence):
    assert difference(got, expected, 1e-5) == sentence


def test_an_uncomparable_expectation_is_the_authors_error():
    with pytest.raises(TypeError, match="cannot compare a object: let `run` return numbers or tensors"):
        difference(object(), object(), 1e-5)


@pytest.mark.parametrize(
    "value, text",
    [
        (torch.arange(4).reshape(2, 2), "tensor([[0, 1], [2, 3]])"),
        (torch.tensor([0.5, 1e-7, 0.0]), "tensor([0.5, 1e-07, 0.])"),
        (torch.zeros(5, 6), "tensor of shape (5, 6): 0., 0., 0., 0., …"),
        (np.zeros(2), "array([0., 0.])"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …]"),
        ({"a": (1, 2.5)}, "{'a': (1, 2.5)}"),
        (torch.nn.Linear(1, 1), "Linear"),
        (object(), "<object object>"),
        ("x" * 300, "'" + "x" * 199 + "…"),
    ],
)
def test_values_are_written_short(value, text):
    assert short(value) == text


# What a student calls.


def test_check_prints_the_verdict_and_returns_nothing(capsys):
    assert exercises.check(mse) is None
    assert capsys.readouterr().out == "✓ mse: right on all 2 inputs.\n"


def test_check_of_a_stub_writes_no_progress(capsys):
    exercises.check(_from_source(MSE.stub, MSE))
    assert capsys.readouterr().out.startswith("○ mse: not attempted yet.")
    assert not progress.path().exists()


def test_a_pass_is_kept_and_attempts_are_counted(capsys):
    for source in ("return 1", "return ((prediction - target) ** 2).mean()", "return 2"):
        exercises.check(answer(source))
    entry = json.loads(progress.path().read_text())["exercises"]["mse"]
    assert entry.items() >= {"passed": True, "attempts": 3, "hints": 0}.items()
    assert sorted(os.listdir(progress.path().parent)) == ["progress.json", "progress.json.lock"]


def decorated(function):
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@pytest.mark.parametrize(
    "thing, message",
    [
        (3, "Give the function or class itself, as in check\\(mse\\). What came is not a function: int."),
        ("mse", "What came is text: 'mse'."),
        (lambda x: x, "What came is a lambda, which has no name: write it with def."),
        (Scale(), "What came is not a function: Scale."),
        (functools.partial(mse, 1), "What came is not a function: partial."),
        (decorated(mse), "called wrapper. It was made in decorated.*: if that is a decorator, take it away, or let it"),
    ],
)
def test_check_says_what_it_needs(thing, message):
    with pytest.raises(ValueError, match=message):
        exercises.check(thing)


def test_unknown_names_list_the_near_ones():
    with pytest.raises(ValueError, match="There is no exercise called msee. Did you mean mse?"):
        exercises.hint("msee")
    with pytest.raises(ValueError, match="The name must be the one in the exercise's stub"):
        exercises.reveal("quaternion")


def test_hints_come_in_stages(capsys):
    for thing in ("mse", mse, "mse", "mse"):
        exercises.hint(thing)
    end = "There are no more hints. reveal(mse) shows an answer.\n"
    one, two, three = (f"hint {n} of 3 for mse: {MSE.advice[n - 1]}\n" for n in (1, 2, 3))
    assert capsys.readouterr().out == one + two + three + end + one + two + three + end
    exercises.hint(Scale)
    assert capsys.readouterr().out == "There are no more hints. reveal(Scale) shows an answer.\n"


def test_reveal_shows_the_reference(capsys):
    exercises.reveal(mse)
    assert capsys.readouterr().out == "def mse(prediction, target):\n    return ((prediction - target) ** 2).mean()\n"


def test_importing_the_exercises_imports_nothing_heavy():
    script = "import sys, bmcourse.exercises; print({'torch', 'matplotlib', 'ipywidgets'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"
