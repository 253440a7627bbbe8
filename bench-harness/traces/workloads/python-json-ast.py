"""Loads JSON, indexes it, writes it as Python, parses that to a syntax tree and dumps both."""

import ast
import json
import sys

records = json.load(open(sys.argv[1]))
index = {}
for record in records:
    index.setdefault(record["group"], []).append(record)
source = "\n".join(f"{group} = {found!r}" for group, found in index.items())
tree = ast.parse(source)
print(len(json.dumps(index)), len(ast.dump(tree)))
