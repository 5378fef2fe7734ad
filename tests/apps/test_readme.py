#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The README's tables are what the program prints.

test_readme.py HANDFAST             compare
test_readme.py HANDFAST --update    write them anew
"""

import pathlib
import subprocess
import sys

README = pathlib.Path(__file__).resolve().parents[2] / 'README.md'


def printed(program, name):
    """What `handfast check --NAME` prints."""
    return subprocess.run([program, 'check', f'--{name}'], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def with_table(text, name, table):
    """The README's text with the table between its two marks."""
    begin, end = f'<!-- {name} -->\n', f'<!-- /{name} -->'
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    return before + begin + table + end + after


def main():
    program = sys.argv[1]
    old = README.read_text()
    new = old
    for name in ('options', 'counters'):
        new = with_table(new, name, printed(program, name))
    if '--update' in sys.argv:
        README.write_text(new)
    elif new != old:
        sys.exit(f'README.md is not what {program} prints: '
                 f'tests/apps/test_readme.py build/apps/handfast/handfast --update')


if __name__ == '__main__':
    main()
