# SPDX-License-Identifier: BSD-3-Clause
"""Two processes on one machine over shared memory: memif, in both roles.

The peer is dpdk-testpmd, which carries frames between its own memif and a TAP, so that a real
kernel talks TCP through the shared memory to the engine.
"""

import subprocess

import lab

ENGINE_ROLE = {"server": "client", "client": "server"}


def serve(role: str, more: str = "") -> None:
    """The engine in one memif role, testpmd in the other, curl and ab behind it; testpmd dies and returns."""
    lab.need("dpdk-testpmd", "curl", "ab")
    with lab.Lab() as here:
        client, inside = here.namespace(), here.namespace()
        path, log = here.path("memif.sock"), here.path("testpmd.log")
        tap, peer = here.name(), here.name()

        def testpmd() -> subprocess.Popen:
            return inside.spawn(
                "dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "128", "--no-pci",
                "--file-prefix", peer, "--vdev", f"net_tap0,iface={tap}", "--vdev",
                f"net_memif0,role={ENGINE_ROLE[role]},id=0,socket={path},socket-abstract=no",
                "--", "--forward-mode=io", "--auto-start", "--disable-link-check",
                "--total-num-mbufs=16384", "--stats-period=1",
                stdout=open(log, "wb"), stderr=subprocess.STDOUT)

        def engine() -> lab.Engine:
            return here.engine(
                [{"name": "lan", "mac": lab.ENGINE_MAC,
                  "device": f"memif:role={role},id=0,socket={path},socket-abstract=no{more}",
                  "addresses": [f"{lab.ENGINE4}/24", f"{lab.ENGINE6}/64"]}], None, inside)

        # Whichever is the server makes the socket, so it starts first: clients want one there.
        # And a TAP may leave for another namespace once its driver has started it.
        if role == "server":
            running = engine()
        other = testpmd()
        lab.wait_for("testpmd", lambda: "Port statistics" in log.read_text(), 20)
        if role == "client":
            running = engine()
        attend(client, inside, tap)
        here.capture(client, tap)
        for host in (lab.ENGINE4, f"[{lab.ENGINE6}]"):
            fetch(client, host)
        said = client.run("ab", "-q", "-n", "500", "-c", "10", f"http://{lab.ENGINE4}/").stdout
        lab.check("Complete requests:      500" in said, said)
        lab.check("Failed requests:        0" in said, said)
        lab.check(running.settled("lan")["requests"] == 502, running.counters("lan"))
        # Control looks once a second.
        lab.wait_for("word of the other end", lambda: "link=up" in running.said()
                     or "other end has come" in running.said(), 10)
        other.kill()
        lab.wait_for("word of its end", lambda: "other end has gone" in running.said()
                     or "server has gone" in running.said(), 10)
        lab.check(running.counters("lan")["requests"] == 502, running.counters("lan"))

        # One that was killed leaves its socket behind, and DPDK's server does not replace it.
        if role == "client":
            path.unlink()
        other = testpmd()
        lab.wait_for("word of its return", lambda: "other end has come" in
                     running.said().rpartition("has gone")[2], 20)
        attend(client, inside, tap)
        fetch(client, lab.ENGINE4)


def attend(client: lab.Namespace, inside: lab.Namespace, tap: str) -> None:
    """The client gets testpmd's TAP, once there is one, and waits for the engine behind it."""
    lab.wait_for("the TAP", lambda: not inside.ip("link", "show", tap, ok=False).returncode, 20)
    lab.move(inside, tap, client)
    client.address(tap, f"{lab.CLIENT4}/24", f"{lab.CLIENT6}/64")
    lab.wait_for("the link", lambda: not client.run(
        "ping", "-n", "-c", "1", "-W", "1", lab.ENGINE4, ok=False).returncode, 20)


def fetch(client: lab.Namespace, host: str) -> None:
    """A page through the memif."""
    done = client.run("curl", "-sS", "--max-time", "10", f"http://{host}/")
    lab.check(len(done.stdout) == 1024, f"{len(done.stdout)} bytes from {host}")


def test_engine_is_the_memif_server():
    """The engine makes the socket and the memory's other user connects to it."""
    serve("server")


def test_engine_is_the_memif_client():
    """The engine connects to another process's socket, and lends it its buffers."""
    serve("client", ",zero-copy=yes")


if __name__ == "__main__":
    lab.main(globals())
