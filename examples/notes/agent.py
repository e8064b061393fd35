"""A small assistant with a memory: facts in the session's state, the talk as messages, notes as files.

It understands "remember KEY is VALUE", "what is KEY?", "note TEXT", "notes" and "forget KEY".
"""

import re
from datetime import UTC, datetime

from ao_runner import session, step


def chat(task: dict[str, str]) -> dict[str, object]:
    session.add("user", task["text"])
    reply = step.run("reply", answer, task["text"])
    session.add("assistant", reply)
    return {"reply": reply, "messages": len(session.messages)}


def answer(text: str) -> str:
    facts = session.state.setdefault("facts", {})
    if match := re.fullmatch(r"remember (.+?) is (.+)", text, re.IGNORECASE):
        facts[match[1].lower()] = match[2]
        return f"{match[1]} is {match[2]}; I will remember it."
    if match := re.fullmatch(r"what is (.+?)\??", text, re.IGNORECASE):
        known = facts.get(match[1].lower())
        return f"{match[1]} is {known}." if known else f"You have not told me what {match[1]} is."
    if match := re.fullmatch(r"forget (.+)", text, re.IGNORECASE):
        return f"I forgot {match[1]}." if facts.pop(match[1].lower(), None) else f"I never knew {match[1]}."
    if match := re.fullmatch(r"note (.+)", text, re.IGNORECASE | re.DOTALL):
        with (session.workspace / "notes.md").open("a", encoding="utf-8") as notes:
            notes.write(f"- {datetime.now(UTC):%Y-%m-%d}: {match[1]}\n")
        return "Noted."
    if text.lower() == "notes":
        notes_file = session.workspace / "notes.md"
        return notes_file.read_text(encoding="utf-8") if notes_file.exists() else "There are no notes yet."
    earlier = sum(message["role"] == "user" for message in session.messages) - 1
    return f"I do not understand that. You have said {earlier} other things so far; I know {len(facts)} facts."
