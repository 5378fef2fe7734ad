# SPDX-License-Identifier: BSD-3-Clause
"""The command line around the packets: exit codes, signals, statistics, telemetry."""

import json
import os
import shutil
import signal
from pathlib import Path

import lab

EXIT_USAGE, EXIT_SETTINGS, EXIT_PREFLIGHT, EXIT_DEVICE, EXIT_PERMISSION = 2, 3, 4, 5, 6
NOBODY = "65534"

GOOD = {"device": "null:", "addresses": [f"{lab.ENGINE4}/24"]}


def config(here: lab.Lab, port: dict, served: list = None, name: str = "test.yaml", **engine):
    """Write a configuration file and return its path."""
    path = here.path(name)
    path.write_text(lab.yaml({
        "engine": {"instance": here.name(), **engine},
        "ports": [{"name": "lan", **port}],
        "services": served or [{"name": "web", "listen": f"{lab.ENGINE4}:80", "reply": "http"}]}))
    return path


def handfast(*words: object, **more):
    """Run handfast to its end, whatever that is."""
    return lab.run([lab.HANDFAST, *words], ok=False, timeout=30, **more)


def test_bad_settings_end_before_any_port():
    """Every error is shown at once with line and column, the exit code is 3, no device appears."""
    with lab.Lab() as here:
        inside, device = here.namespace(), here.name()
        path = config(here, {"device": f"tap:{device}", "adresses": ["10.9.0.2/24"],
                             "mtu": "enormous"})
        done = inside.run(lab.HANDFAST, "run", "-c", str(path), ok=False)
        said = done.stdout + done.stderr
        lab.check(done.returncode == EXIT_SETTINGS, f"exit code {done.returncode}: {said}")
        for part in ("adresses", "mtu", f"{path}:"):
            lab.check(part in said, f"{part} is not in: {said}")
        lab.check(said.count("error:") >= 2, said)
        lab.check("EAL" not in said, f"DPDK was started: {said}")
        done = handfast("check", path)
        lab.check(done.returncode == EXIT_SETTINGS, f"check: {done.returncode}")


def test_check_accepts_what_run_accepts():
    """`check` says yes to a good file with exit code 0, and to the example in config/."""
    with lab.Lab() as here:
        for path in (config(here, GOOD), lab.HERE.parents[1] / "config/responder.yaml"):
            done = handfast("check", path)
            lab.check(done.returncode == 0, f"{path}: {done.returncode} {done.stderr}")


def test_usage_errors_exit_2():
    """An unknown verb and a missing argument are usage errors."""
    for words in (("nonsense",), ("run", "--nonsense"), ("check",)):
        done = handfast(*words)
        lab.check(done.returncode == EXIT_USAGE, f"{words}: {done.returncode} {done.stderr}")
    for words in (("--help",), ("version",)):
        done = handfast(*words)
        lab.check(done.returncode == 0 and done.stdout, f"{words}: {done.returncode}")


def test_a_missing_interface_is_found_before_the_start():
    """A veth that does not exist: exit code 4, and a message that names it, before DPDK starts."""
    with lab.Lab() as here:
        done = handfast("run", "-c", config(here, {**GOOD, "device": "veth:hft-none"}))
        said = done.stdout + done.stderr
        lab.check(done.returncode == EXIT_PREFLIGHT, f"exit code {done.returncode}: {said}")
        lab.check("hft-none" in said and "EAL" not in said, said)


def test_a_device_that_does_not_open_exits_5():
    """A driver that refuses its arguments: exit code 5, and a message that names the device."""
    with lab.Lab() as here:
        device = "vdev:net_pcap0,rx_pcap=/nowhere/in.pcap"
        done = handfast("run", "-c", config(here, {**GOOD, "device": device}))
        said = done.stdout + done.stderr
        lab.check(done.returncode == EXIT_DEVICE, f"exit code {done.returncode}: {said}")
        lab.check("net_pcap0" in said, said)


def test_a_core_out_of_range_is_refused():
    """A worker on a core this machine has not: refused with one message, not DPDK's usage."""
    with lab.Lab() as here:
        done = handfast("run", "-c", config(here, GOOD, workers=[120]))
        said = done.stdout + done.stderr
        lab.check(done.returncode in (EXIT_SETTINGS, EXIT_PREFLIGHT),
                  f"exit code {done.returncode}: {said}")
        lab.check("120" in said and said.count("\n") < 20, said)


def test_without_root_a_tap_is_refused():
    """A TAP without privileges: exit code 4 or 6, and a message that says so."""
    lab.need("setpriv")
    with lab.Lab() as here:
        os.chmod(here.folder, 0o755)
        # The build folder need not be readable for everybody.
        program = here.path("handfast")
        shutil.copy(lab.HANDFAST, program)
        path = config(here, {**GOOD, "device": f"tap:{here.name()}"})
        done = lab.run(["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups",
                        "--inh-caps=-all", program, "run", "-c", path], ok=False,
                       env={**os.environ, "XDG_RUNTIME_DIR": "/tmp"})
        said = done.stdout + done.stderr
        lab.check(done.returncode in (EXIT_PREFLIGHT, EXIT_PERMISSION),
                  f"exit code {done.returncode}: {said}")
        lab.check("root" in said or "privilege" in said or "CAP_NET_ADMIN" in said, said)


def test_sigterm_lets_connections_finish():
    """After SIGTERM an open connection is still served, a new one is not; the exit code is 0."""
    with lab.Lab() as here:
        site = lab.Site(here)
        client = site.client.connect(lab.ENGINE4, 7)
        client.sendall(b"before")
        lab.check(client.recv(100) == b"before", "no echo")
        site.engine.signal(signal.SIGTERM)
        lab.wait_for("the drain", lambda: "drain" in site.engine.said().lower(), 5)
        client.sendall(b"after")
        lab.check(client.recv(100) == b"after", "no echo while draining")
        try:
            site.client.connect(lab.ENGINE4, 7, timeout=1).close()
            lab.check(False, "a new connection was taken while draining")
        except OSError:
            pass
        client.close()
        site.engine.ended(0)


def test_a_second_signal_ends_at_once():
    """With a connection open, the second SIGTERM does not wait for it."""
    with lab.Lab() as here:
        site = lab.Site(here)
        client = site.client.connect(lab.ENGINE4, 7)
        site.engine.signal(signal.SIGTERM)
        lab.wait_for("the drain", lambda: "drain" in site.engine.said().lower(), 5)
        site.engine.signal(signal.SIGTERM)
        lab.wait_for("the end", lambda: site.engine.process.poll() is not None, 3)
        here.engines.remove(site.engine)
        client.close()


def test_sigint_ends_with_0():
    """Ctrl-C is as good as SIGTERM, and DPDK's folder goes, on ordinary pages, too."""
    for memory in ("auto", "none"):
        with lab.Lab() as here:
            site = lab.Site(here, packets=0, memory=memory)
            folder = Path("/var/run/dpdk", site.engine.instance)
            lab.check(folder.is_dir(), folder)
            site.engine.assert_balance()
            site.engine.signal(signal.SIGINT)
            site.engine.ended(0)
            lab.check(not folder.exists(), folder)


def test_sigusr1_dumps_statistics():
    """SIGUSR1 prints the counters and the engine goes on."""
    lab.need("curl")
    with lab.Lab() as here:
        site = lab.Site(here)
        before = len(site.engine.said())
        site.client.run("curl", "-sS", "--max-time", "10", f"http://{lab.ENGINE4}/")
        site.engine.signal(signal.SIGUSR1)
        lab.wait_for("the statistics", lambda: "opened" in site.engine.said()[before:], 5)
        site.client.run("curl", "-sS", "--max-time", "10", f"http://{lab.ENGINE4}/")


def test_statistics_are_json():
    """`stats --json` parses, and agrees with telemetry on what happened."""
    lab.need("curl")
    with lab.Lab() as here:
        site = lab.Site(here)
        for _ in range(3):
            site.client.run("curl", "-sS", "--max-time", "10", f"http://{lab.ENGINE4}/")
        site.settled()
        done = handfast("stats", "--json", "--instance", site.engine.instance)
        lab.check(done.returncode == 0, done.stderr)
        stats = json.loads(done.stdout)
        lab.check('"requests": 3' in json.dumps(stats), done.stdout)
        for verb in ("stats", "conns"):
            done = handfast(verb, "--instance", site.engine.instance)
            lab.check(done.returncode == 0 and done.stdout, f"{verb}: {done.stderr}")


def test_a_dump_does_not_stall_the_workers():
    """`conns` lists 2000 open connections while ab goes on without a failure."""
    lab.need("ab")
    with lab.Lab() as here:
        site = lab.Site(here)
        clients = [site.client.connect(lab.ENGINE4, 9) for _ in range(2000)]
        load = site.client.spawn("ab", "-q", "-n", "5000", "-c", "20", f"http://{lab.ENGINE4}/",
                                 stdout=open(here.path("ab"), "wb"))
        dumps = 0
        while load.poll() is None or dumps == 0:
            done = handfast("conns", "--instance", site.engine.instance)
            lab.check(done.returncode == 0, done.stderr)
            lab.check(done.stdout.count(lab.CLIENT4) >= 2000,
                      f"only {done.stdout.count(lab.CLIENT4)} connections listed")
            dumps += 1
        lab.check("Failed requests:        0" in here.path("ab").read_text(), "ab failed")
        for client in clients:
            client.close()


def test_dpdk_telemetry_works():
    """DPDK's own dpdk-telemetry.py talks to the engine."""
    lab.need("dpdk-telemetry.py")
    with lab.Lab() as here:
        site = lab.Site(here, packets=0)
        done = lab.run(["sh", "-c", "printf '/handfast/info\\n/ethdev/list\\nquit\\n' |"
                        f" dpdk-telemetry.py -f {site.engine.instance}"])
        lab.check('"/handfast/info"' in done.stdout and '"/ethdev/list"' in done.stdout,
                  done.stdout)


if __name__ == "__main__":
    lab.main(globals())
