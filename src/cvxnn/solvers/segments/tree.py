"""Sums over segments of rows in one order, whoever adds them up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

# Numbers and arrays that are added each to its like.
Sums: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Node:
    """The sum over the segments ``index 2^level`` to ``(index + 1) 2^level - 1``.

    Attributes
    ----------
    level, index : int
    sums : tuple
    """

    level: int
    index: int
    sums: Sums


def nodes_of(each: Iterable[Sums], first: int = 0) -> list[Node]:
    """The fewest nodes for sums of consecutive segments, from the one with number `first`.

    O(log m) nodes for m segments.

    Examples
    --------
    >>> [(node.level, node.index) for node in nodes_of([(1.0,)] * 6, first=1)]
    [(0, 1), (1, 1), (1, 2), (0, 6)]
    """
    nodes: list[Node] = []
    for place, sums in enumerate(each, start=first):
        _append(nodes, Node(0, place, sums))
    return nodes


def joined(parts: Iterable[Iterable[Node]]) -> list[Node]:
    """The nodes of parts that follow one another."""
    nodes: list[Node] = []
    for part in parts:
        for node in part:
            _append(nodes, node)
    return nodes


def total_of(nodes: Iterable[Node]) -> Sums:
    """The sum over all segments, from the nodes of segments 0, 1, ... to the last.

    Sums of floats depend on their order. Here it is that of a binary tree, whose shape is that of
    the rows alone: the digits are the same in one memory and in several, whichever segments
    each of them has. The error grows with the logarithm of the number of segments (N. Higham,
    SIAM J. Sci. Comput. 14, 1993).

    Examples
    --------
    >>> parts = [(0.1,), (0.2,), (0.3,), (0.4,), (0.5,)]
    >>> alone = total_of(nodes_of(parts))
    >>> both = nodes_of(parts[:3]), nodes_of(parts[3:], first=3)
    >>> total_of(joined(both)) == alone
    True
    """
    *others, last = nodes
    sums = last.sums
    for node in reversed(others):
        sums = _added(node.sums, sums)
    return sums


def _append(nodes: list[Node], node: Node) -> None:
    """A node behind others; two halves of a larger one become that."""
    while nodes and node.index % 2 == 1 and nodes[-1].level == node.level:
        node = Node(node.level + 1, node.index // 2, _added(nodes.pop().sums, node.sums))
    nodes.append(node)


def _added(first: Sums, second: Sums) -> Sums:
    return tuple(a + b for a, b in zip(first, second, strict=True))
