"""Topic patterns, and the tree that finds the first of thousands without trying the others."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.mqtt_topics import TopicPattern, TopicTree, _Node, covers_some

LEVEL = st.sampled_from(["", "a", "b", "$SYS", "ab"])
TOPICS = st.lists(LEVEL, min_size=1, max_size=5).map("/".join)
WANTED = st.one_of(LEVEL, st.sampled_from(["+", "{device}", "{x}"]))
PATTERNS = st.builds(
    lambda levels, rest: "/".join([*levels, *rest]), st.lists(WANTED, max_size=5), st.sampled_from([(), ("#",)])
).filter(bool)


def tree_of(patterns: Iterable[str]) -> TopicTree:
    return TopicTree(TopicPattern(each).levels for each in patterns)


@given(st.lists(PATTERNS, max_size=12), st.lists(TOPICS, min_size=1))
def test_the_tree_finds_what_a_linear_search_finds(patterns: list[str], topics: list[str]) -> None:
    tree = tree_of(patterns)
    for topic in topics:
        matching = (at for at, each in enumerate(patterns) if TopicPattern(each).matches(topic))
        assert tree.first(topic) == next(matching, None)


@given(st.lists(PATTERNS, max_size=12), PATTERNS)
def test_what_covers_a_pattern_matches_all_its_topics(patterns: list[str], pattern: str) -> None:
    covering = tree_of(patterns).covering(TopicPattern(pattern).levels)
    if covering is not None:
        for topic in map("/".join, product(["", "a", "b", "$SYS"], repeat=3)):
            for cut in (topic, topic.rpartition("/")[0], f"{topic}/c/d"):
                assert TopicPattern(patterns[covering]).matches(cut) or not TopicPattern(pattern).matches(cut)


@given(st.lists(PATTERNS, max_size=12), PATTERNS)
def test_the_tree_finds_the_first_that_meets_a_filter(patterns: list[str], pattern: str) -> None:
    filters = ["/".join(TopicPattern(each).levels) for each in patterns]
    wanted = "/".join(TopicPattern(pattern).levels)
    meeting = (at for at, each in enumerate(filters) if covers_some(each, wanted))
    assert tree_of(patterns).meeting(wanted.split("/")) == next(meeting, None)


@pytest.mark.parametrize(
    ("patterns", "covered", "by"),
    [
        (["city/#"], "city/aq/{device}", 0),
        (["a", "+/aq/+", "city/#"], "city/aq/{device}", 1),
        (["city/#"], "city", 0),
        (["city/+"], "city/#", None),
        (["+/x"], "$SYS/x", None),
        (["#"], "$SYS/#", None),
        (["a/{b}/c"], "a/+/c", 0),
    ],
)
def test_a_pattern_that_an_earlier_one_covers(patterns: list[str], covered: str, by: int | None) -> None:
    assert tree_of(patterns).covering(TopicPattern(covered).levels) == by


class Counting(dict[str, _Node]):
    """What leads on from a node; counts how often it was asked."""

    asked = 0

    def get(self, *arguments: Any) -> Any:
        Counting.asked += 1
        return super().get(*arguments)


def counting(tree: TopicTree) -> int:
    """Count from now on, in each node; return how many nodes there are."""
    waiting, nodes = [tree._root], 0
    while waiting:
        node = waiting.pop()
        waiting += node.inner(1)
        node.named = Counting(node.named)
        nodes += 1
    return nodes


def steps(tree: TopicTree, topic: str) -> int:
    Counting.asked = 0
    tree.first(topic)
    return Counting.asked


@pytest.mark.parametrize("topic", ["city/9/9/lamp", "city/99/9/x/y", "elsewhere/" * 60, "/" * 30_000, "x" * 60_000])
def test_a_topic_that_none_of_5000_routes_takes_costs_a_step_a_level(topic: str) -> None:
    tree = tree_of(f"city/{n // 50}/{n % 50}/aq/{{device}}" for n in range(5000))
    counting(tree)
    assert steps(tree, topic) <= 6


def test_routes_with_wildcards_beside_names_cost_a_few_steps_more() -> None:
    tree = tree_of(f"city/{n if n % 3 else '+'}/{n}/{{device}}" for n in range(5000))
    counting(tree)
    assert max(steps(tree, f"city/{n}/{n}/x/y") for n in range(0, 6000, 7)) <= 8


@pytest.mark.parametrize("depth", [3, 12, 100])
def test_no_topic_costs_more_steps_than_the_filters_have_levels(depth: int) -> None:
    """A name and `+` on each of many levels: the ways through them would be 2 to the power of their number."""
    choices = ["/".join("a+"[(n >> (at % 12)) & 1] for at in range(depth)) + "/end" for n in range(2000)]
    tree = tree_of(choices)
    nodes = counting(tree)
    assert steps(tree, "a/" * depth) <= nodes <= sum(len(each.split("/")) for each in choices) + 1
    assert steps(tree, "a/" * (depth - 1) + "b/none") <= nodes
