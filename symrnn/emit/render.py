"""Text from a template and a plain record: the only module that imports Jinja2.

Reads templates (`symrnn.emit.templates`) and a context of strings, numbers, booleans, None, sequences, mappings and frozen
dataclasses; returns the text. Leaves out: every decision. A context holds no function and no object with behaviour, so
a template can lay out what was decided before and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path

import jinja2

from symrnn.emit.source import Source, joined
from symrnn.emit.templates import template_directory
from symrnn.errors import GenerateError


def render(template: str, context: Mapping[str, object]) -> str:
    """The text of ``template`` with the names of ``context``.

    Args:
        template: path below the template directory, with slashes: ``numpy/module.py.jinja``.
        context: the names that the template may use; it must have every name that the template does use.

    Raises:
        GenerateError: the template is missing or malformed, uses a name that the context lacks, or the context holds
            something other than plain data.
    """
    return render_source(template, context).text


def render_source(template: str, context: Mapping[str, object], folder: Path | None = None) -> Source:
    """The same with its source map: `symrnn.emit.source.Marked` texts of ``context`` mark the lines where they are printed.

    Args:
        template: as in `render`.
        context: as in `render`.
        folder: the templates of another package; the default is symrnn's own.

    Raises:
        GenerateError: as `render`.
    """
    for name, value in context.items():
        _check(template, name, value)
    folder = folder or template_directory()
    try:
        return joined(_environment(folder).get_template(template).generate(context))
    except jinja2.TemplateNotFound as error:
        raise GenerateError(
            f"template {template}: {error.name} is not in the template directory; correct the path"
        ) from error
    except jinja2.TemplateError as error:
        place = _place(template, error, folder)
        raise GenerateError(f"template {place}: {error}; correct the template or its context") from error


@cache
def _environment(folder: Path) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder, encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        newline_sequence="\n",
        autoescape=False,
    )


def _place(template: str, error: jinja2.TemplateError, directory: Path) -> str:
    """The template and line that ``error`` comes from: its own for syntax, the innermost template's otherwise."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.name or template}:{error.lineno}"
    place = template
    trace = error.__traceback__
    while trace is not None:
        # Jinja2 rewrites the traceback so that its frames carry the templates' own files and lines.
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(str(directory)):
            place = f"{file[len(str(directory)) + 1 :]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _check(template: str, path: str, value: object) -> None:
    """Refuse anything in ``value`` that is not plain data; ``path`` says where in the context it stands."""
    if value is None or isinstance(value, str | bool | int | float):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str | int):
                raise _not_plain(template, f"the key {key!r} of {path}", key)
            _check(template, f"{path}[{key!r}]", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(template, f"{path}[{index}]", item)
    elif is_dataclass(value) and not isinstance(value, type) and _is_frozen(value):
        for entry in fields(value):
            _check(template, f"{path}.{entry.name}", getattr(value, entry.name))
    else:
        raise _not_plain(template, path, value)


def _is_frozen(record: object) -> bool:
    parameters = getattr(record, "__dataclass_params__", None)
    return bool(getattr(parameters, "frozen", False))


def _not_plain(template: str, path: str, value: object) -> GenerateError:
    return GenerateError(
        f"template {template}: {path} in its context is of type {type(value).__qualname__}; a context holds strings, "
        "numbers, booleans, None, lists, tuples, mappings and frozen dataclasses only, so decide it before rendering"
    )
