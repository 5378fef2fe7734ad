#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Hold what a configuration's mistakes are answered with against what is written down.

run.py PROGRAM            compare, and report every difference
run.py PROGRAM --update   write the answers down anew: review the diff

cases/NAME.yaml is answered with cases/NAME.expected; without one the file must be good.
config/*.yaml must all be good.  Every message in lib/settings must occur in some answer.
"""

import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CASES = HERE / 'cases'


def large_files(folder):
    """Cases that are too dull to keep: they are written when needed."""
    (folder / 'too_large.yaml').write_text('# large\n' * 200000)
    (folder / 'many_problems.yaml').write_text(
        'tcp:\n' + ''.join(f'  option{i}: 1\n' for i in range(150)))
    (folder / 'many_ports.yaml').write_text(
        'ports:\n' + ''.join(
            f'  - {{name: p{i}, device: "null:", addresses: 10.{i}.0.1/24}}\n'
            for i in range(18)) +
        'services:\n' + ''.join(
            f'  - {{name: s{i}, listen: "10.0.0.1:{i + 1}"}}\n' for i in range(1026)))
    (folder / 'many_backends.yaml').write_text(
        'ports: [{name: lan, device: "tap:hf0", addresses: 10.0.0.1/8}]\n'
        'pools:\n' + ''.join(
            f'  - {{name: p{i}, backends: ['
            f'{", ".join(f"10.1.{i}.{j + 1}:80" for j in range(250))}]}}\n'
            for i in range(18)) +
        'services:\n  - {name: web, listen: "10.0.0.1:80"}\n')
    (folder / 'many_values.yaml').write_text(
        f'engine: {{workers: {list(range(130))}}}\n'
        'ports:\n  - name: lan\n    device: tap:hf0\n'
        f'    addresses: [{", ".join(f"10.9.0.{i}/24" for i in range(1, 67))}]\n'
        f'    gateways: [{", ".join(f"10.9.0.{i}" for i in range(100, 166))}]\n'
        'services:\n  - name: web\n'
        f'    listen: [{", ".join(f"10.9.0.1:{i}" for i in range(1, 67))}]\n')
    (folder / 'long_values.yaml').write_text(
        f'engine:\n  eal: "{"x" * 600}"\n  idle: {"long" * 200}\n'
        f'ports:\n  - name: {"n" * 40}\n    device: vdev:net_{"x" * 510}\n'
        '    addresses: 10.0.0.1/24\n'
        'services:\n  - name: web\n    listen: 10.0.0.1:80\n')


def answer(program, path):
    done = subprocess.run([program, path], capture_output=True, timeout=60)
    if done.returncode not in (0, 1) or (done.returncode == 1) != bool(done.stdout):
        sys.exit(f'{path.name}: exit code {done.returncode}\n{done.stderr.decode()}')
    return done.stdout.decode()


def compare(path, expected_path, text, update):
    expected = expected_path.read_text() if expected_path.exists() else ''
    if text == expected:
        return True
    if update:
        expected_path.write_text(text)
        if not text:
            expected_path.unlink()
        return True
    sys.stdout.writelines(difflib.unified_diff(
        expected.splitlines(True), text.splitlines(True), expected_path.name, path.name))
    return False


def messages():
    """(file and line, format) of every literal that reports a problem or a hint."""
    call = re.compile(r'\b(settings_problem_add|settings_problem_hint|refuse)\(')
    literal = re.compile(r'"((?:[^"\\]|\\.)*)"')
    for path in sorted((ROOT / 'lib/settings').glob('*.c')):
        source = path.read_text()
        for match in call.finditer(source):
            end = source.index(';', match.end())
            # Literals side by side are one; others are further arguments that may be texts.
            joined = re.sub(r'"\s*"', '', source[match.end():end])
            line = source.count('\n', 0, match.start()) + 1
            for text in literal.findall(joined):
                if len(text) > 4:
                    yield f'{path.name}:{line}', text


def pattern_of(text):
    text = text.replace('\\"', '"').replace('\\\\', '\\')
    parts = re.split(r'%(?:%|0?\d*(?:\.\*)?(?:l|ll|z)?[sucdx])', text)
    return re.compile('.*'.join(re.escape(part) for part in parts))


def main():
    program, update = sys.argv[1], '--update' in sys.argv[2:]
    good = True
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        large_files(pathlib.Path(folder))
        written = sorted(pathlib.Path(folder).glob('*.yaml'))
        cases = sorted(CASES.glob('*.yaml'))
        for path in cases + written:
            text = answer(program, path)
            answers.append(text)
            good &= compare(path, CASES / f'{path.stem}.expected', text, update)
        names = {path.stem for path in cases + written}
    for path in CASES.glob('*.expected'):
        if path.stem not in names:
            print(f'{path.name}: there is no such case')
            good = False
    for path in sorted((ROOT / 'config').glob('*.yaml')):
        text = answer(program, path)
        if text:
            print(text, end='')
            good = False
    everything = '\n'.join(answers)
    listed = list(messages())
    for place, text in listed:
        if not pattern_of(text).search(everything):
            print(f'{place}: no case is answered with "{text}"')
            good = False
    print(f'{len(answers)} cases, {len(listed)} messages: {"good" if good else "NOT GOOD"}')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
