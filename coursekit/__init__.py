"""Recurrent networks for Russian text: the package behind «Текст как последовательность».

Data flows one way, and a module imports only from those to its left::

    datasets ─ text ─ vocab ─ batching ─ cells · attention ─ layers ─ losses ─ models · seq2seq
    ─ checkpoints · processes ─ training ─ estimators ─ beam ─ generation · translation
    ─ probes ─ plots ─ comparing ─ checks ─ variants ─ tasks ─ teaching

Two of them are packages: ``tasks`` of the assignments, ``teaching`` behind the teacher's commands.
Import the modules, not this package: ``from coursekit import text, vocab``. Only the modules from
``batching`` on need torch.
"""

from importlib.metadata import version

__version__ = version("coursekit")
