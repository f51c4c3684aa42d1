#!/usr/bin/env python3
"""Counts what makes the house hard to read: names that several types share, circles of files, long lists of arguments.

    tests/support/house.py           the counts of the working tree
    tests/support/house.py names     and each name that several types have, with its files
    tests/support/house.py circles   and the files of each circle
    tests/support/house.py functions and each with a long list of parameters

It reads text, not syntax: production code is what stands before `mod tests` in files under `src` of each member.
"""

import pathlib
import re
import sys
from collections import defaultdict

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEMBERS = ["", "core", "keystore", "sandbox", "workers"]
# An indented `type` is one that a trait asks for.
TYPE = re.compile(r"^(?:\s*(?:pub(?:\([a-z ]+\))?\s+)?(?:struct|enum|trait|union)|(?:pub(?:\([a-z ]+\))?\s+)?type)\s+([A-Z]\w*)", re.M)
FUNCTION = re.compile(r"\bfn\s+(\w+)\s*(?:<[^{;]*?>)?\s*\(")
USE = re.compile(r"\b(?:use|pub use|pub\(crate\) use|pub\(super\) use)\s+((?:crate|super|self)\b[^;]*);")
CELL_MAX, PARAMETERS_MAX, CIRCLE_MAX = 200, 5, 4


def production(path):
    text = path.read_text()
    text = re.split(r"^#\[cfg\(test\)\]\s*\n(?:#\[[^\n]*\n)*mod \w+ \{", text, maxsplit=1, flags=re.M)[0]
    return re.sub(r"^\s*//[^\n]*$", "", text, flags=re.M)


def sources(member):
    folder = ROOT / member / "src"
    return [path for path in sorted(folder.rglob("*.rs")) if path.name != "tests.rs" and "tests" not in path.parts]


def module_of(path, folder):
    parts = list(path.relative_to(folder).with_suffix("").parts)
    if parts[-1] in ("mod", "lib", "main"):
        parts.pop()
    return tuple(parts)


def parameters(text, start):
    """How many parameters a list has that opens at `start`; a receiver is none."""
    depth, count, seen, first = 1, 0, "", None
    for sign in text[start:]:
        if sign in "([{<":
            depth += 1
        elif sign in ")]}" or (sign == ">" and not seen.endswith(("-", "="))):
            depth -= 1
        if depth == 0 or (sign == "," and depth == 1):
            if seen.strip():
                count += 1
                first = first if first is not None else seen.strip()
            seen = ""
            if depth == 0:
                break
            continue
        seen += sign
    return count - (1 if first and re.match(r"(&\s*('\w+\s+)?)?(mut\s+)?self\b", first) else 0)


def paths_of(tree, at=()):
    """The paths of a `use`: `a::{b, c::d}` is two."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        name = tree.split(" as ")[0].strip()
        return [at + tuple(part.strip() for part in name.split("::") if part.strip())]
    head = tuple(part.strip() for part in tree[:brace].split("::") if part.strip())
    inner, depth, begun, found = tree[brace + 1 : tree.rfind("}")], 0, 0, []
    for place, sign in enumerate(inner + ","):
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            if inner[begun:place].strip():
                found += paths_of(inner[begun:place], at + head)
            begun = place + 1
    return found


def imports(member):
    """From each file to those that it takes names from."""
    folder = ROOT / member / "src"
    files = {module_of(path, folder): path for path in sources(member)}
    arrows = {module: set() for module in files}
    for module, path in files.items():
        for tree in USE.findall(production(path)):
            for parts in paths_of(tree):
                base = ()
                while parts and parts[0] in ("crate", "super", "self"):
                    base = {"crate": (), "self": base or module}.get(parts[0], (base or module)[:-1])
                    parts = parts[1:]
                target = base + parts
                while target and target not in files:
                    target = target[:-1]
                # A module and what lies inside it are one thing told in two files.
                if target != module and target[: len(module)] != module and module[: len(target)] != target:
                    arrows[module].add(target)
    return arrows


def circles(arrows):
    """Tarjan's strongly connected components of more than one file."""
    sys.setrecursionlimit(10_000)
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in arrows[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            circle = []
            while not circle or circle[-1] != node:
                circle.append(stack.pop())
            if len(circle) > 1:
                found.append(sorted("::".join(part) or "lib" for part in circle))

    for node in arrows:
        if node not in index:
            visit(node)
    return sorted(found, key=len, reverse=True)


def main():
    wanted = sys.argv[1:]
    names, long, lines = defaultdict(list), [], []
    refusals = events = 0
    for member in MEMBERS:
        for path in sources(member):
            text, place = production(path), str(path.relative_to(ROOT))
            lines.append((len(path.read_text().splitlines()), place))
            for name in TYPE.findall(text):
                names[name].append(place)
            for found in FUNCTION.finditer(text):
                if (count := parameters(text, found.end())) > PARAMETERS_MAX:
                    long.append(f"{place}: {found[1]} has {count}")
            if place.startswith("src/") and place != "src/api/error.rs" and not place.startswith("src/api/error/"):
                body = re.sub(r"->\s*Result<[^{;]*?ApiError>", "", text)
                refusals += len(re.findall(r"\bApiError\b", re.sub(r"^use [^;]*;", "", body, flags=re.M)))
            if place.startswith("core/src/store"):
                events += len(re.findall(r"\bjson!\s*[({\[]", text))
    total = sum(len(places) for places in names.values())
    shared = {name: places for name, places in names.items() if len(places) > 1}
    length = sum(len(name) * len(places) for name, places in names.items()) / total
    rings = {member or "src": circles(imports(member)) for member in MEMBERS}
    cells = [cell for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("|") for cell in line.split(" | ")]
    sizes = sorted(lines)
    print(f"types that share their name   {sum(map(len, shared.values()))} of {total}")
    print(f"mean length of a type's name  {length:.1f}")
    print(f"ApiError beside error.rs and signatures  {refusals}")
    print(f"json! in core/src/store       {events}")
    for member, found in rings.items():
        print(f"largest circle of files in {member:9} {max(map(len, found), default=0)}")
    print(f"functions of over {PARAMETERS_MAX} parameters  {len(long)}")
    print(f"README cells over {CELL_MAX} characters  {sum(len(cell.strip('| ')) > CELL_MAX for cell in cells)}")
    print(f"lines of a file: median {sizes[len(sizes) // 2][0]}, p95 {sizes[len(sizes) * 95 // 100][0]}, most {sizes[-1][0]} ({sizes[-1][1]})")
    if "names" in wanted:
        for name, places in sorted(shared.items(), key=lambda one: (-len(one[1]), one[0])):
            print(f"{len(places)}  {name:20} {', '.join(places)}")
    if "circles" in wanted:
        for member, found in rings.items():
            for circle in found:
                print(f"{member}: {len(circle)}: {', '.join(circle)}")
    if "functions" in wanted:
        print("\n".join(long))


if __name__ == "__main__":
    main()
