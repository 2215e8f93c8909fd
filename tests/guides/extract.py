#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""extract.py PAGE OUT - the programs of a page of documentation, each into a file of OUT.

A page is of one of two forms:

  in steps      each section (## ...) with code is a program, STEP.c, of its blocks in their order
  two columns   the page has a table with code in its cells: the blocks of the first column are a
                program, left.c, those of the second another, right.c

Blocks are ```c, ```cpp and ```python. What the reader need not see of a program, includes and
main(), say, stands in comments, at the place where it belongs:

    <!-- code           of the section's program
    <!-- left           of the left one; so <!-- right, and <!-- both
    int main(void)...
    -->

A ```text block in a section, or a cell, is what its program prints: STEP.out. A column that cannot
be compiled says so with a line "<!-- left: not compiled: WHY -->", and no block of it is written.
Code that would be in no program is an error, and so is a program with nothing to see.

Prints a line for each program: its file, and PAGE:LINE of its first block.
"""

import os
import re
import sys

SUFFIX = {"c": ".c", "cpp": ".cc", "python": ".py"}


class Page:
    def __init__(self, path, out):
        self.path = path
        self.out = out
        self.programs = {}  # by name: [suffix, first line, text]
        self.skipped = set()
        self.section = None
        self.steps = 0
        self.cell = -1  # in its row; -1: in no table

    def fail(self, line, what):
        sys.exit(f"{self.path}:{line}: {what}")

    def add(self, name, line, language, lines, seen):
        if name in self.skipped:
            return
        program = self.programs.setdefault(name, [None, None, []])
        if seen:
            if program[0] not in (None, language):
                self.fail(line, f"{language} in a program in {program[0]}")
            program[0] = language
            program[1] = program[1] or line
        program[2].append((line, lines))

    def place(self, line):
        """The name of the program that a block in this line belongs to."""
        if self.cell >= 0:
            return ("left", "right")[self.cell]
        if self.section is None or self.columns:
            self.fail(line, "code that is in no program")
        return self.section

    def read(self):
        text = open(self.path, encoding="utf-8").read().split("\n")
        self.columns = "<table>" in text
        at = 0
        while at < len(text):
            begin, line = at + 1, text[at]
            at += 1
            if match := re.fullmatch(r"<!-- (left|right): not compiled: .+ -->", line):
                self.skipped.add(match[1])
            elif match := re.fullmatch(r"<!-- (code|left|right|both)", line):
                if begin > 1 and text[begin - 2]:
                    self.fail(begin, "a comment after a line that is not empty ends too early")
                end = text.index("-->", at)
                several = {"code": [self.section], "both": ["left", "right"]}
                for name in several.get(match[1], [match[1]]):
                    self.add(name, begin + 1, None, text[at:end], False)
                at = end + 1
            elif match := re.fullmatch(r"```(\w*)", line):
                end = text.index("```", at)
                if match[1] in SUFFIX:
                    self.add(self.place(begin), begin + 1, match[1], text[at:end], True)
                elif match[1] == "text":
                    with open(f"{self.out}/{self.place(begin)}.out", "w") as file:
                        file.write("\n".join(text[at:end]) + "\n")
                at = end + 1
            elif line.startswith("## "):
                self.steps += 1
                self.section = f"{self.steps:02d}"
            elif line == "<tr>":
                self.cell = -1
            elif line.startswith("<td"):
                self.cell += 1
            elif line == "</table>":
                self.cell = -1

    def write(self):
        for name, (language, first, parts) in sorted(self.programs.items()):
            if language is None:
                self.fail(parts[0][0], "a program of which nothing is to be seen")
            path = f"{self.out}/{name}{SUFFIX[language]}"
            with open(path, "w", encoding="utf-8") as file:
                for line, lines in parts:
                    if language != "python":
                        file.write(f'#line {line} "{self.path}"\n')
                    file.write("\n".join(lines) + "\n\n")
            print(f"{path} {self.path}:{first}")


os.makedirs(sys.argv[2], exist_ok=True)
page = Page(sys.argv[1], sys.argv[2])
page.read()
page.write()
