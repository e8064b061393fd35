"""The life of a run as a Mermaid diagram, from the table that the code enforces."""

from ao.domain.run import TABLE, TERMINAL


def diagram() -> str:
    edges: dict[tuple[str, str], list[str]] = {}
    for frm, to, reason in TABLE:
        edges.setdefault((frm.value if frm else "[*]", to.value), []).append(reason.value)
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {frm} --> {to}: {', '.join(sorted(why))}" for (frm, to), why in sorted(edges.items())]
    lines += [f"    {state} --> [*]" for state in sorted(TERMINAL)]
    return "\n".join([*lines, "```"])
