"""The asset graph as text, to be looked at when it changes.

`python -m openfaith_pipeline_tests.unit.defs.asset_graph` writes it anew.
"""

from pathlib import Path

from openfaith_pipeline.definitions import defs

SNAPSHOT = Path(__file__).with_name("asset_graph.txt")


def describe_graph() -> str:
    """A line for each asset: key, group, op, what it is made from, and its checks."""
    graph = defs.get_repository_def().asset_graph
    lines = []
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        made_from = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys)) or "Planning Center"
        checks = ", ".join(sorted(check.name for check in node.check_keys)) or "none"
        op = node.assets_def.op.name
        lines.append(f"{key.to_user_string()} group={node.group_name} op={op} from: {made_from}; checks: {checks}\n")
    return "".join(lines)


if __name__ == "__main__":
    SNAPSHOT.write_text(describe_graph())
