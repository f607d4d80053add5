"""How large the library is: lines of code, and the longest list of parameters.

python benchmarks/size.py [checkout]
"""

import ast
import sys
from pathlib import Path


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    longest = []
    for package in ("recipes", "callbacks"):
        files = sorted((root / package).rglob("*.py"))
        sizes = {file: len(file.read_text("utf-8").splitlines()) for file in files}
        print(f"{package}: {sum(sizes.values()):,} lines in {len(files)} files, the longest "
              f"{max(sizes.values())}")  # fmt: skip
        for file in files:
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    given = node.args
                    count = len(given.args) + len(given.kwonlyargs)
                    longest.append((count, f"{file.relative_to(root)}: {node.name}"))
    for count, name in sorted(longest, reverse=True)[:12]:
        print(f"{count:4} parameters  {name}")


if __name__ == "__main__":
    main()
