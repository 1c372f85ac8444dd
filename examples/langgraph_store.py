"""A LangGraph graph that remembers what its users say, in Memoir.

    MEMOIR_API_KEY=mem_... python examples/langgraph_store.py [ADDRESS]

It needs `memoir[langgraph]` and a running server, but no language model.
"""

from __future__ import annotations

import sys
from typing import TypedDict
from uuid import uuid4

import memoir
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from memoir.langgraph import MemoirStore


class Turn(TypedDict, total=False):
    """One turn of a conversation."""

    user: str
    said: str
    answer: str


def answer(turn: Turn, *, store: BaseStore) -> Turn:
    """Answers with what the user said before, and remembers what the user says now."""
    namespace = ("users", turn["user"])
    found = store.search(namespace, query=turn["said"], limit=1)
    store.put(namespace, str(uuid4()), {"text": turn["said"]})
    return {"answer": f"You said: {found[0].value['text']}" if found else "Nice to meet you."}


def main(address: str = "127.0.0.1:50051") -> None:
    """Runs two turns."""
    with memoir.Client(address) as client:
        store = MemoirStore(client, app_id="langgraph-example", fields=["text"])
        graph = StateGraph(Turn).add_node(answer).add_edge(START, "answer").compile(store=store)
        user = f"alice-{uuid4()}"
        for said in ("My sister plays the cello.", "Which instrument does she play?"):
            print(graph.invoke({"user": user, "said": said})["answer"])


if __name__ == "__main__":
    main(*sys.argv[1:])
