"""Graphs in a file of their own, of one node each: LangGraph's server loads them by its path."""

import asyncio
from typing import TypedDict

from langgraph.graph import END, START, StateGraph

from benchmarks.peers.drivers.order import in_subprocess


class State(TypedDict, total=False):
    number: int
    result: int


async def noop_node(state: State) -> State:
    return {"result": 2 * state["number"] + 1}


async def subprocess_node(state: State) -> State:
    return {"result": await asyncio.to_thread(in_subprocess, state["number"])}


noop = StateGraph(State).add_node("work", noop_node).add_edge(START, "work").add_edge("work", END).compile()
own_process = (
    StateGraph(State).add_node("work", subprocess_node).add_edge(START, "work").add_edge("work", END).compile()
)
