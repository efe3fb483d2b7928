"""The house rules: imports run downward, the package starts fast, and README's tree is what is on the disk."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "bmcourse").rglob("*.py"))

# From the foundation up: a module may import its own layer and those before it.
LAYERS = [
    {
        "__init__",
        "preload",
        "threads",
        "data",
        "tokenizer",
        "models",
        "losses",
        "backpropagation",
        "optimizers",
        "plots",
    },
    {
        "training",
        "inference",
        "recipes",
        "recipes_dalle",
        "scaling",
        "pruning",
        "quantization",
        "distillation",
        "finetuning",
        "explain",
        "augment",
        "few_labels",
        "text_to_image",
        "pretraining",
        "train",
        "ngrams",
        "speedrun",
    },
    {"live"},
    {"exercises"},
    {"claims"},
    {"course"},
    {"__main__"},
]


def layer(module):
    """The number of the layer that `bmcourse.<module>...` belongs to."""
    part = (module.split(".") + ["__init__"])[1]
    return next(number for number, names in enumerate(LAYERS) if part in names)


def imports(path):
    """The modules a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            yield node.module
            if node.module == "bmcourse":
                yield from (f"bmcourse.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downward(path):
    own = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for name in imports(path):
        if name.split(".")[0] == "bmcourse":
            assert layer(name) <= layer(own), f"{own} imports {name}"
        assert name.split(".")[0] != "tests"
        assert "pyplot" not in name
        if name.split(".")[0] == "ipywidgets":
            assert own.startswith("bmcourse.live.") or own == "bmcourse.course.doctor"  # which asks if it is there


def test_there_is_no_file_for_everything_else():
    assert not [path for path in MODULES if path.stem in ("utils", "helpers", "common", "misc")]


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, bmcourse; print(*{'torch', 'numpy', 'matplotlib', 'ipywidgets', 'IPython'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def tree_in_readme():
    """What README's tree names, as paths from the root: its files, and the folders under which it names none."""
    block = re.search(r"```text\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S).group(1)
    folders, named = [], []
    for line in block.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders[depth:] = [name.rstrip("/")]
        named.append("/".join(folders) + "/" * name.endswith("/"))
    return {name for name, after in zip(named, [*named[1:], ""], strict=True) if name[-1] != "/" or name not in after}


def test_readmes_tree_is_what_is_on_the_disk():
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    on_disk = {name for name in done.stdout.split() if (ROOT / name).exists() and not name.endswith("__init__.py")}
    tree = tree_in_readme()
    whole = {folder for folder in tree if folder.endswith("/")}
    assert all(any(name.startswith(folder) for name in on_disk) for folder in whole)
    in_these = {name for name in on_disk if name.startswith(tuple(whole))}
    assert tree - whole == on_disk - in_these - {"README.md"}


def test_readmes_commands_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"python3? -m bmcourse (\w+)", readme))
    assert {"lab", "test", "doctor", "notebooks", "claims", "bench"} <= commands
    done = subprocess.run([sys.executable, "-m", "bmcourse"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not [command for command in commands if command not in done.stdout]


def test_readmes_pictures_exist():
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert pictures and all((ROOT / picture).is_file() for picture in pictures)


def test_every_requirement_is_pinned():
    for name in ("requirements.txt", "tests/requirements.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
        assert lines and all(re.fullmatch(r"[a-z0-9_-]+==[0-9.]+", line) for line in lines), name
