# SPDX-License-Identifier: BSD-3-Clause
"""`handfast capture`: packets of a running engine into files that tshark reads."""

import re
import signal
import subprocess

import lab

HUGE_PAGES = 256  # More than the engine takes.


class Capture:
    """A running `handfast capture`."""

    def __init__(self, site: lab.Site, path, *options: str):
        self.site, self.path = site, path
        self.process = site.lab.spawn(
            [lab.HANDFAST, "capture", str(path), "--instance", site.engine.instance, *options],
            stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        lab.check("capturing into" in line, f"handfast capture: {line}")

    def end(self, number: int = signal.SIGINT) -> dict:
        """What it counted, after a signal or by itself (0)."""
        if number:
            self.site.settled()
            self.process.send_signal(number)
        code = self.process.wait(20)
        said = self.process.stderr.read()  # With what readline() has read ahead.
        lab.check(code == 0, said)
        counted = re.search(r"(\d+) packets written, (\d+) not wanted .*, (\d+) dropped", said)
        lab.check(counted, said)
        return dict(zip(("written", "unwanted", "dropped"), map(int, counted.groups())))


def fields(path, *names: str) -> list:
    """tshark's fields of every packet."""
    columns = [word for name in names for word in ("-e", name)]
    done = lab.run(["tshark", "-n", "-r", path, "-T", "fields", *columns])
    return [line.split("\t") for line in done.stdout.splitlines()]


def fetch(site: lab.Site, count: int = 1) -> None:
    """Pages, over a connection each."""
    for _ in range(count):
        site.client.run("curl", "-sS", "--max-time", "10", "-o", "/dev/null",
                        f"http://{lab.ENGINE4}/")


def test_every_packet_is_there_with_its_direction():
    """In and out as tcpdump on the other end has them, in pcapng with port and direction."""
    lab.need("curl", "tshark")
    with lab.Lab() as here:
        site = lab.Site(here)
        fetch(site)  # The link is up and neighbours are known.
        before = site.settled()
        taken = Capture(site, here.path("all.pcapng"))
        fetch(site, 5)
        counted = taken.end()
        now = site.settled()
        moved = now["rx"] - before["rx"] + now["tx"] - before["tx"]
        # The client's kernel says something of its own now and then, before or after, too.
        lab.check(moved - 5 <= counted["written"] <= moved and counted["dropped"] == 0,
                  f"{counted}, the engine counted {moved}")
        rows = fields(taken.path, "frame.interface_name", "frame.packet_flags_direction",
                      "eth.src", "tcp.flags.syn", "tcp.flags.ack")
        lab.check(len(rows) == counted["written"] and {row[0] for row in rows} == {"lan"}, rows)
        for row in rows:
            ours = row[2] == lab.ENGINE_MAC
            lab.check(int(row[1], 0) == (2 if ours else 1), f"direction of {row}")
        told = lab.json.loads(lab.run([lab.HANDFAST, "explain", taken.path, "--json"]).stdout)
        lab.check([one["end"] for one in told["connections"]] == ["closed"] * 5, told)


def test_filter_direction_and_count_choose():
    """A BPF filter, one direction, one port and a number of packets; classic pcap by name."""
    lab.need("curl", "tshark")
    with lab.Lab() as here:
        site = lab.Site(here)
        taken = Capture(site, here.path("syn.pcap"), "--filter", "tcp[tcpflags] & tcp-syn != 0",
                        "--direction", "in", "--port", "lan", "--count", "3", "--snap", "64")
        fetch(site, 5)
        counted = taken.end(0)
        lab.check(counted["written"] == 3 and counted["unwanted"] > 0, counted)
        rows = fields(taken.path, "tcp.flags.syn", "tcp.flags.ack", "frame.cap_len")
        lab.check(rows == [["1", "0", "64"]] * 3, rows)


def mount_huge_pages(here: lab.Lab) -> None:
    """A file system of them, without which processes cannot share them."""
    folder = here.path("hugetlbfs")
    folder.mkdir()
    lab.run(["mount", "-t", "hugetlbfs", "hugetlbfs", folder])
    here.at_exit(lambda: lab.run(["umount", folder]))


def test_every_memory_mode_can_be_captured():
    """Packets in ordinary pages, in hugepages without files, and in those that processes share."""
    lab.need("curl", "tshark")
    for memory in ("none", "huge", "shared"):
        with lab.Lab() as here:
            here.huge_pages(HUGE_PAGES)
            mount_huge_pages(here)
            site = lab.Site(here, packets=0, memory=memory)
            taken = Capture(site, here.path("taken.pcapng"), "--filter", "tcp")
            fetch(site, 5)
            counted = taken.end()
            # The client's FIN is acknowledged: SYN, SYN-ACK, ACK, request, answer, FINs, ACKs.
            rows = fields(taken.path, "tcp.flags.syn", "tcp.checksum.status")
            lab.check(len(rows) == counted["written"] >= 35, counted)
            lab.check(sum(row[0] in ("1", "True") for row in rows) == 10, rows)
            site.engine.stop()


def test_files_are_a_ring():
    """Two files of a megabyte hold the end of what four megabytes were."""
    lab.need("curl", "tshark")
    with lab.Lab() as here:
        site = lab.Site(here, lab.services(web={"body_size": "1MiB"}), packets=0)
        taken = Capture(site, here.path("ring"), "--file-size", "1", "--files", "2")
        fetch(site, 4)
        taken.end(signal.SIGHUP)  # As of a terminal that is closed.
        for number in (1, 2):
            file = here.path(f"ring.{number}")
            lab.check(file.stat().st_size <= 1000000 and fields(file, "frame.number"), file)
        lab.check(not here.path("ring.3").exists(), "a third file")
        # One file only: the size is the end.
        taken = Capture(site, here.path("one.pcapng"), "--file-size", "1", "--duration", "20")
        fetch(site, 2)
        taken.end(0)
        lab.check(900000 < taken.path.stat().st_size <= 1000000 + 100, taken.path.stat())


def test_there_is_one_capture_and_it_ends_with_its_reader():
    """A second one is refused; one that was killed makes room; the engine's end is the end."""
    with lab.Lab() as here:
        site = lab.Site(here, packets=0)
        instance = site.engine.instance
        first = Capture(site, here.path("first.pcapng"))

        def again(*options: str) -> subprocess.CompletedProcess:
            return lab.run([lab.HANDFAST, "capture", str(here.path("second.pcapng")), "--instance",
                            instance, "--duration", "0.1", *options], ok=False)

        refused = again()
        lab.check(refused.returncode == 1 and "another capture is running" in refused.stderr,
                  refused.stderr)
        first.process.kill()
        first.process.wait()
        done = again()
        lab.check(done.returncode == 0, f"one that was killed makes room at once: {done}")
        for options, code in ((("--port", "wan"), 1), (("--filter", "nonsense ("), 2),
                              (("--direction", "up"), 2), (("--snap", "10"), 2)):
            done = again(*options)
            lab.check(done.returncode == code and options[1] in done.stderr, f"{options}: {done}")
        lab.check(lab.run([lab.HANDFAST, "capture", "/nowhere/x", "--instance", instance],
                          ok=False).returncode == 1, "a file in no directory")
        last = Capture(site, here.path("last.pcapng"))
        site.engine.stop()
        last.end(0)


def test_an_end_that_nobody_wanted_is_told():
    """A reader that stood still, and one whose engine was killed, end with an error."""
    with lab.Lab() as here:
        site = lab.Site(here, packets=0)
        still = Capture(site, here.path("still.pcapng"))
        still.process.send_signal(signal.SIGSTOP)
        lab.wait_for("the engine to give up", lambda: "stands still" in site.engine.said(), 10, 0.5)
        still.process.send_signal(signal.SIGCONT)
        last = Capture(site, here.path("last.pcapng"))
        here.engines.remove(site.engine)  # There is nothing to ask it at the end.
        site.engine.process.kill()
        for each, what in ((still, "the engine ended the capture"), (last, "the engine is gone")):
            code = each.process.wait(10)
            said = each.process.stderr.read()
            lab.check(code == 1 and what in said and "packets written" in said, f"{code} {said}")


if __name__ == "__main__":
    lab.main(globals())
