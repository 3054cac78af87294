import dataclasses
import functools
import importlib
import inspect
import numbers
import pkgutil
import types

import pytest
import torch
from beartype import BeartypeConf, FrozenDict, beartype
from built_site import ROOT, build
from filelock import FileLock
from hypothesis import settings
from jaxtyping import TypeCheckError, jaxtyped

import coursekit

# A loaded machine is no failure; speed is measured in benchmarks/.
settings.register_profile("course", deadline=None)
settings.load_profile("course")

# Two workers share two cores, and the models of the tests are too small to share among threads.
torch.set_num_threads(1)

# As in coursekit.arguments, NumPy's numbers are numbers, and a whole one is a real one.
NUMBERS = FrozenDict({int: numbers.Integral, float: numbers.Real})
TYPES = beartype(conf=BeartypeConf(hint_overrides=NUMBERS))


def held_to_its_shapes(function):
    """Let ``function`` accept and return nothing but what its annotations say.

    What it refuses, it refuses in its own words: so a call whose arguments do not fit is tried
    without the check, and only if it is answered all the same does the check speak.
    """
    if inspect.isgeneratorfunction(inspect.unwrap(function)):
        return function  # it may be a context manager, whose annotation is that of its generator
    checked, refused = jaxtyped(function, typechecker=TYPES), TypeCheckError

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            return checked(*args, **kwargs)
        except refused:
            function(*args, **kwargs)
            raise

    # Doctest looks for examples only in functions whose globals are those of the module.
    like = types.FunctionType(
        call.__code__, function.__globals__, function.__name__, None, call.__closure__
    )
    return functools.update_wrapper(like, function)


def hold_the_package_to_its_shapes():
    """Do so with every function, method and record of the package, wherever it is imported."""
    modules = [
        importlib.import_module(f"coursekit.{found.name}")
        for found in pkgutil.iter_modules(coursekit.__path__)
    ]
    held = {}
    for module in modules:
        for name, value in list(vars(module).items()):
            if not getattr(value, "__module__", "").startswith("coursekit."):
                continue
            if inspect.isfunction(value):
                held[value] = held.get(value) or held_to_its_shapes(value)
                setattr(module, name, held[value])
            elif inspect.isclass(value) and value.__module__ == module.__name__:
                for method, function in list(vars(value).items()):
                    if inspect.isfunction(function) and not method.startswith("_"):
                        setattr(value, method, held_to_its_shapes(function))
                # What makes a record is annotated as its fields are.
                if dataclasses.is_dataclass(value):
                    value.__init__ = held_to_its_shapes(value.__init__)
                elif hasattr(value, "_fields"):
                    value.__new__ = held_to_its_shapes(value.__new__)


hold_the_package_to_its_shapes()


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """The folder of the built site; whichever worker needs it first builds it for all."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "site"
    with FileLock(f"{folder}.lock"):
        html = folder / "_build" / "html"
        return html if (html / "searchindex.js").is_file() else build(ROOT, folder)
