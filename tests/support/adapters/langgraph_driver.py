"""Uses the store as LangGraph does, where LangGraph is installed; prints the answers.

python langgraph_driver.py ADDRESS KEY APP
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import memoir
from langgraph.store.base import BaseStore, GetOp, PutOp, SearchItem, SearchOp
from memoir.langgraph import MemoirStore

ALICE, BOB = ("users", "alice"), ("users", "bob")
VALUE = {"text": "plays the cello", "rank": 3, "tags": ["music", None], "deep": {"a": 0.5}}


def found(items: list[SearchItem]) -> list[list[object]]:
    return [[item.key, item.value, list(item.namespace)] for item in items]


def run(store: BaseStore) -> dict[str, Any]:
    results: dict[str, Any] = {"absent": store.get(ALICE, "hobby")}
    store.put(ALICE, "hobby", VALUE)
    item = store.get(ALICE, "hobby")
    results["item"] = item.dict() if item else None
    store.put(ALICE, "hobby", {**VALUE, "rank": 4})
    store.put(ALICE, "city", {"text": "lives in Lisbon", "rank": 1})
    store.put(ALICE, "same text", {"text": "lives in Lisbon", "rank": 1})
    store.put(BOB, "hobby", {"text": "climbs mountains", "rank": 9})
    store.put(BOB, "secret", {"text": "climbs alone"}, index=False)
    store.put((*ALICE, "notes"), "one", {"text": "bought a metronome"})
    store.put(("users", "alice-2"), "x" * 300, {"text": "no relation"})
    results["replaced"] = store.get(ALICE, "hobby").value["rank"]
    results["by_query"] = found(store.search(("users",), query="Who plays an instrument?", limit=1))
    results["scored"] = store.search(ALICE, query="cello", limit=1)[0].score
    results["by_prefix"] = sorted(item.key for item in store.search(ALICE))
    results["all"] = len(store.search((), limit=100))
    results["page"] = [item.key for item in store.search(ALICE, limit=2, offset=1)]
    results["filtered"] = sorted(
        item.key for item in store.search(("users",), filter={"rank": {"$gt": 3}})
    )
    results["equal"] = sorted(item.key for item in store.search(("users",), filter={"rank": 1}))
    results["not_indexed"] = [item.key for item in store.search(BOB, query="climbs", limit=5)]
    results["long_key"] = found(store.search(("users", "alice-2")))
    results["namespaces"] = store.list_namespaces()
    results["by_suffix"] = store.list_namespaces(suffix=("notes",))
    results["by_wildcard"] = store.list_namespaces(prefix=("users", "*", "notes"))
    results["shallow"] = store.list_namespaces(max_depth=1)
    results["batch"] = [
        None if result is None else len(result) if isinstance(result, list) else result.key
        for result in store.batch(
            [
                PutOp(BOB, "batched", {"text": "first"}),
                PutOp(BOB, "batched", {"text": "last"}),
                GetOp(BOB, "hobby"),
                SearchOp(BOB),
            ]
        )
    ]
    results["last"] = store.get(BOB, "batched").value
    store.delete(ALICE, "hobby")
    store.delete(ALICE, "never there")
    results["deleted"] = store.get(ALICE, "hobby")
    results["refused"] = [refusal(store, number) for number in (2**53 + 1, float("nan"), object())]
    return results


def refusal(store: BaseStore, value: object) -> str:
    try:
        store.put(ALICE, "refused", {"value": value})
    except (TypeError, ValueError) as error:
        return type(error).__name__
    return "kept"


async def run_async(store: BaseStore) -> dict[str, Any]:
    await store.aput(("async",), "a", {"text": "said later"})
    item = await store.aget(("async",), "a")
    hits = await store.asearch(("async",), query="later")
    await store.adelete(("async",), "a")
    return {
        "item": item.value if item else None,
        "hits": len(hits),
        "deleted": await store.aget(("async",), "a"),
    }


def main(address: str, key: str, app: str) -> None:
    with memoir.Client(address, key) as client:
        results = run(MemoirStore(client, app, fields=["text"]))
        results["async"] = asyncio.run(run_async(MemoirStore(client, app)))
        results["other_app"] = MemoirStore(client, f"{app}-2").search(())
        print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
