"""The course as a program: python -m bmcourse lab | test | doctor | notebooks | claims | recipes | bench."""

# Any Python a person has must be able to read this file and bmcourse/__init__.py, to be told what is missing: nothing
# newer than Python 3.6 is written here, and nothing newer is imported before the version is known.
import sys

OLDEST = (3, 11)
COMMANDS = {
    "lab": "set up what is missing and open JupyterLab on the first lesson (--no-browser, --port N)",
    "test": "set up what is missing and run the tests (further arguments go to pytest)",
    "doctor": "check this machine and say how to fix what is wrong",
    "notebooks": "execute the notebooks and store their outputs",
    "claims": "measure again what the course claims",
    "recipes": "train a model of data/ again (gpt, bert or dalle)",
    "bench": "print the benchmarks' figures (a name runs one: bench models)",
}
MODULES = {
    "doctor": "bmcourse.course.doctor",
    "notebooks": "bmcourse.course.notebooks",
    "claims": "bmcourse.claims.core",
    "recipes": "bmcourse.recipes",
    "bench": "bmcourse.course.bench",
}


def usage():
    lines = [f"  {name:<10} {phrase}" for name, phrase in COMMANDS.items()]
    return "\n".join(["usage: python3 -m bmcourse COMMAND", "", *lines])


def main(arguments):
    """Run one command and return its exit status: 0 done, 1 failed with a sentence on stderr, 2 no such command."""
    if sys.version_info < OLDEST:
        return fail(
            f"bmcourse needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and this is Python {sys.version_info[0]}."
            f"{sys.version_info[1]}. Install a newer one (https://www.python.org/downloads) and call it by its name, "
            f"for example: python3.12 -m bmcourse lab"
        )
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a Windows pipe cannot encode a ✓
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    if arguments[0] not in COMMANDS:
        return fail(f"bmcourse has no command {arguments[0]!r}; its commands are: {', '.join(COMMANDS)}.", status=2)

    from bmcourse.course import setup

    try:
        return dispatch(setup, arguments[0], arguments[1:])
    except setup.SetupError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 130


def dispatch(setup, command, arguments):
    """lab and test set up the environment themselves; every other command runs inside it, doctor without it too."""
    if command == "lab":
        return setup.lab(arguments)
    if command == "test":
        return setup.test(arguments)
    if not setup.inside() and (command != "doctor" or setup.ready()):
        return setup.run_inside(command, arguments)

    import importlib
    import os

    os.environ.update(setup.environment())
    return importlib.import_module(MODULES[command]).main(arguments)


def fail(sentence, status=1):
    print(sentence, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
