"""Sorts Markdown tickets into queues, in stages, and recovers from a failed first attempt."""

import os
import re
from collections import Counter
from pathlib import Path

from markdown_it import MarkdownIt

HERE = Path(__file__).parent
CUSTOMERS = {"acme": "gold", "globex": "silver", "initech": "gold"}


def triage(request: dict) -> dict:
    attempt = int(os.environ.get("AO_ATTEMPT", "1"))
    last_error = os.environ.get("AO_LAST_ERROR", "")
    if last_error:
        print(f"attempt {attempt}: the last one ended with {last_error!r}", flush=True)

    print("stage 1: reading the rubric and the tickets", flush=True)
    rubric = read_rubric((HERE / "prompts" / "triage.md").read_text())
    tickets = [read_ticket(path) for path in sorted((HERE / "data" / "tickets").glob("*.md"))]

    print(f"stage 2: looking up the customers of {len(tickets)} tickets", flush=True)
    if attempt == 1 and request.get("outage", True):
        raise ConnectionError("the customer directory did not answer")
    for ticket in tickets:
        ticket["tier"] = CUSTOMERS.get(ticket["customer"], "standard")

    print("stage 3: sorting", flush=True)
    for ticket in tickets:
        ticket["queue"] = queue_of(ticket, rubric)
        print(f"  {ticket['id']} {ticket['tier']:<8} -> {ticket['queue']:<8} {ticket['title']}", flush=True)

    only = request.get("queue")
    chosen = [ticket for ticket in tickets if only in (None, ticket["queue"])]
    return {
        "queues": dict(Counter(ticket["queue"] for ticket in chosen)),
        "urgent": [
            ticket["id"] for ticket in chosen if ticket["queue"] == "incident" and ticket["tier"] == "gold"
        ],
        "attempt": attempt,
        "recovered_from": last_error or None,
    }


def read_rubric(text: str) -> dict[str, set[str]]:
    """Queue → words, from the list of the prompt."""
    lines = re.findall(r"^- (\w+): (.+)$", text, re.MULTILINE)
    return {queue: {word.strip() for word in words.split(",")} for queue, words in lines}


def read_ticket(path: Path) -> dict:
    """Heading and prose of a Markdown ticket; code blocks do not count as prose."""
    title, prose, in_heading = "", [], False
    for token in MarkdownIt().parse(path.read_text()):
        if token.type in ("heading_open", "heading_close"):
            in_heading = token.type == "heading_open"
        elif token.type == "inline" and in_heading:
            title = token.content
        elif token.type == "inline":
            prose.append(token.content)
    text = "\n".join(prose)
    customer = re.search(r"^Customer: (\S+)$", text, re.MULTILINE)
    return {"id": path.stem, "title": title, "text": text, "customer": customer[1] if customer else ""}


def queue_of(ticket: dict, rubric: dict[str, set[str]]) -> str:
    """The queue with the most words; headings count three times; the rubric's order breaks ties."""
    words = Counter(re.findall(r"[\w-]+", ticket["text"].lower()))
    for word in re.findall(r"[\w-]+", ticket["title"].lower()):
        words[word] += 3
    scores = {queue: sum(words[word] for word in names) for queue, names in rubric.items()}
    best = max(scores, key=lambda queue: scores[queue])
    return best if scores[best] else "general"
