"""Lists in a YAML file: read as they are written, in one pass, and nothing built of what stands beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

__all__ = ["MOST_YAML", "yaml_lists", "yaml_names"]

MOST_YAML = 2**21
"""Bytes of a file that lists classes; 50,000 names."""

_NO_NAMES = {"", "~", "null", "Null", "NULL"}
_PLAIN_TAGS = {None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool"))}


def yaml_lists(text: str, depth: int, keys: Collection[str]) -> dict[str, Any]:
    """Read the lists and the mappings under some keys, as lists and dicts of the texts that stand there.

    Parameters
    ----------
    text : str
        What the file says.
    depth : int
        How deep lists and mappings may be nested in it.
    keys : collection of str
        Keys at the top. What is something else there is None; an item that is not a text is None.

    Raises
    ------
    ValueError
        It is not YAML.

    Examples
    --------
    >>> yaml_lists("{path: ., names: [cat, no, 1.50], kpt_shape: [17, 3]}", 9, {"names", "kpt_shape", "flip_idx"})
    {'names': ['cat', 'no', '1.50'], 'kpt_shape': ['17', '3']}
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _under(keys, _told(yaml.parse(text, Loader=loader), depth))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"it is not YAML: {getattr(error, 'problem', None) or type(error).__name__}") from None


def yaml_names(found: Any) -> list[str]:
    """Take class names from what :func:`yaml_lists` found: a list of names, or names of 0, 1, 2 and so on.

    A name is the text that stands there: ``no`` and ``2024-01-01`` are names, and no false and no date.

    Raises
    ------
    ValueError
        There are no such names, with what is there instead.

    Examples
    --------
    >>> yaml_names({"1": "dog", "0": "cat"})
    ['cat', 'dog']
    """
    if isinstance(found, dict):
        if found.keys() != set(map(str, range(len(found)))):
            raise ValueError("the names are not those of 0, 1, 2, ...")
        found = [found[str(number)] for number in range(len(found))]
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError("it has no list of names, nor names of 0, 1, 2, ...")
    return found


def _told(events: Iterator[Any], most: int) -> Iterator[Any]:
    """Events that say something, as long as they are not nested too deep."""
    import yaml

    depth = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > most:
                raise ValueError(f"its lists are nested deeper than {most}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            yield event


def _under(keys: Collection[str], events: Iterator[Any]) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = {}
    if isinstance(next(events, None), yaml.MappingStartEvent):
        for key in events:
            if isinstance(key, yaml.MappingEndEvent):
                break
            wanted = isinstance(key, yaml.ScalarEvent) and key.value in keys
            if not wanted:
                _pass_over(key, events)
            value = next(events)
            if wanted:
                found[key.value] = _list_of(value, events)
            else:
                _pass_over(value, events)
    for _ in events:  # what comes then has to be YAML as well
        pass
    return found


def _list_of(first: Any, events: Iterator[Any]) -> Any:
    """Make a list or a dict of texts, or None of something else; its events are gone then."""
    import yaml

    if not isinstance(first, yaml.CollectionStartEvent):
        return None
    items = []
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            break
        items.append(_name(event))
        _pass_over(event, events)
    if isinstance(first, yaml.SequenceStartEvent):
        return items
    names = dict(zip(items[::2], items[1::2], strict=True))
    return names if 2 * len(names) == len(items) else None


def _name(event: Any) -> str | None:
    import yaml

    if not isinstance(event, yaml.ScalarEvent) or event.tag not in _PLAIN_TAGS:
        return None
    plain = event.implicit[0]
    return None if plain and event.value in _NO_NAMES else event.value


def _pass_over(event: Any, events: Iterator[Any]) -> None:
    """Go to the end of what begins with an event."""
    import yaml

    depth = int(isinstance(event, yaml.CollectionStartEvent))
    while depth:
        inner = next(events)
        depth += isinstance(inner, yaml.CollectionStartEvent) - isinstance(inner, yaml.CollectionEndEvent)
