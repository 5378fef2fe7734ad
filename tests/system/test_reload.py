# SPDX-License-Identifier: BSD-3-Clause
"""The configuration changes while clients talk: nobody who need not notice does."""

import json
import signal
import socket
import subprocess
import time

import lab
import test_direct as direct
import test_proxy as splice

EXIT_RUNTIME, EXIT_SETTINGS = 1, 3
LOAD_S = 90  # at most: check_load() ends it when all changes are made
ROUNDS = 5   # of changes
SEEN = 20  # connections of a generator that is at work

WEB = {"name": "web", "listen": [f"{lab.ENGINE4}:80", f"[{lab.ENGINE6}]:80"], "reply": "http",
       "body_size": "1KiB"}
ECHO = {"name": "echo", "listen": f"{lab.ENGINE4}:7", "reply": "echo"}


def handfast(*words: object) -> subprocess.CompletedProcess:
    """Run handfast to its end, whatever that is."""
    return lab.run([lab.HANDFAST, *words], ok=False, timeout=30)


class Changing:
    """The configuration file of a running engine, and what `handfast reload` makes of it."""

    def __init__(self, engine: lab.Engine):
        self.engine = engine
        self.text = engine.config.read_text()
        self.head = self.text[:self.text.index("services:")]

    def write(self, *served: dict, head: str = None) -> None:
        """Other services, and another file up to them."""
        self.engine.config.write_text((head or self.head) + lab.yaml({"services": served}))

    def reload(self, *served: dict, head: str = None) -> str:
        """The same, and reload; it must work."""
        self.write(*served, head=head)
        done = self.reload_as_is()
        lab.check(done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def reload_as_is(self, *more: str) -> subprocess.CompletedProcess:
        """Reload whatever the file says now."""
        return handfast("reload", "-f", self.engine.instance, *more)


def refused(client: lab.Namespace, host: str, port: int) -> bool:
    """Whether nobody listens there."""
    try:
        client.connect(host, port, timeout=3).close()
    except ConnectionRefusedError:
        return True
    return False


def check_load(here: lab.Lab, load: dict) -> None:
    """wrk and ab were at work until now, and not one request failed."""
    for name, process in load.items():
        lab.check(process.poll() is None, f"{name} ended: {here.path(name).read_text()}")
        process.send_signal(signal.SIGINT)
    check_answers(here, load)


def check_answers(here: lab.Lab, load: dict) -> None:
    """Wait for their ends: not one request failed."""
    for name, process in load.items():
        process.wait(30)
        said = here.path(name).read_text()
        lab.check("Requests/sec" in said or "Requests per second" in said, f"{name}: {said}")
        if name == "wrk":
            lab.check("Socket errors" not in said and "Non-2xx" not in said, said)
        else:
            lab.check("Failed requests:        0" in said and "Non-2xx" not in said, said)


def begin_load(here: lab.Lab, client: lab.Namespace, engine: lab.Engine, host: str) -> dict:
    """wrk keeps connections, ab opens one for every request; both at work, until check_load()."""
    commands = {
        "wrk": ["wrk", "-t1", f"-c{SEEN}", f"-d{LOAD_S}s", f"http://{host}/"],
        # Perturbed, as meson has it, ab writes 320 MB of records before it begins.
        "ab": ["env", "MALLOC_PERTURB_=0", "ab", "-q", "-l", "-t", str(LOAD_S), "-n", "10000000",
               "-c", "10", f"http://{host}/"],
    }
    load = {}
    for name, command in commands.items():
        before = engine.counters()["opened"]
        load[name] = client.spawn(*command, stdout=open(here.path(name), "wb"),
                                  stderr=subprocess.STDOUT)
        lab.wait_for(f"{name}'s connections",
                     lambda: engine.counters()["opened"] >= before + SEEN, 30)
    return load


def test_load_does_not_notice_other_services_nor_its_own():
    """wrk and ab run while services are added, changed, drained, removed and bad files offered."""
    lab.need("wrk", "ab")
    with lab.Lab() as here:
        site = lab.Site(here, [WEB], packets=0)
        changing = Changing(site.engine)
        load = begin_load(here, site.client, site.engine, lab.ENGINE4)
        for rounds in range(ROUNDS):
            size = 1000 + rounds
            changing.reload({**WEB, "idle_timeout": f"{30 + rounds}s"}, ECHO)
            changing.reload({**WEB, "body_size": size}, {**ECHO, "listen": f"{lab.ENGINE4}:8"})
            handfast("drain", "echo", "-f", site.engine.instance)
            site.engine.config.write_text(changing.head + "services: [{name: web}]\n")
            lab.check(changing.reload_as_is().returncode == EXIT_SETTINGS, "a bad file was taken")
            changing.reload({**WEB, "body_size": size})
            time.sleep(0.2)
        check_load(here, load)
        done = site.client.run("curl", "-sS", "--max-time", "5", f"http://{lab.ENGINE4}/")
        lab.check(len(done.stdout) == size, f"{len(done.stdout)} bytes")
        site.engine.assert_balance()


def test_first_services_in_front_of_others_come_with_a_reload():
    """wrk and ab ask a responder while mode: proxy and mode: direct come, serve and go again."""
    lab.need("wrk", "ab", "curl", "nginx")
    web = {**WEB, "name": "here", "listen": f"{lab.ENGINE4}:80"}
    proxied = {"name": "front", "listen": f"{lab.ENGINE4}:81", "mode": "proxy", "pool": "web"}
    front = f"{lab.ENGINE4}:81"
    with lab.Lab() as here:
        lan = direct.Lan(here, services=[web])
        changing = Changing(lan.engine)
        grown = changing.head + lab.yaml({"pools": [direct.POOL]})
        with direct.servers(lan):
            load = begin_load(here, lan.client, lan.engine, lab.ENGINE4)
            changing.reload(web, proxied, head=grown)
            lab.check(set(lan.names(20, front)) == {"a", "b"}, "mode: proxy")
            changing.reload(web, proxied, direct.DIRECT, head=grown)
            lab.check(set(lan.names(20)) == {"a", "b"}, "mode: direct")
            lab.check(changing.reload(web).count("removed") == 3, "nothing was removed")
            lab.check(refused(lan.client, lab.ENGINE4, 81), "mode: proxy still takes connections")
            changing.reload(web, proxied, head=grown)
            lab.check(set(lan.names(20, front)) == {"a", "b"}, "mode: proxy again")
            check_load(here, load)
        lan.engine.assert_balance()


def test_direct_connections_end_where_they_began():
    """ab opens connections through mode: direct while its backends come, go and change weight."""
    lab.need("ab", "nginx")
    a, b = (f"{address}:80" for address in direct.BACKENDS)
    # Not checked: a backend that is slow to answer is not to be down here.
    pool = {"name": "web", "backends": [a, b]}
    with lab.Lab() as here:
        lan = direct.Lan(here, pools=[pool], services=[direct.DIRECT])
        changing = Changing(lan.engine)
        head = changing.text[:changing.text.index("pools:")]
        with direct.servers(lan):
            lab.check(set(lan.names()) == {"a", "b"}, "the names of both")
            load = lan.client.spawn("ab", "-q", "-l", "-n", "5000", "-c", "10",
                                    f"http://{direct.SERVICE}/name",
                                    stdout=open(here.path("ab"), "wb"), stderr=subprocess.STDOUT)
            rounds = 0
            while load.poll() is None:
                for backends in ([b], [a, b], [a], [f"{a} weight=9", b], [a, f"{b} weight=9"]):
                    changing.reload(direct.DIRECT, head=head + lab.yaml(
                        {"pools": [{**pool, "backends": backends}]}))
                rounds += 1
            lab.check(rounds > 0, "no change while ab ran")
            check_answers(here, {"ab": load})
        lan.engine.assert_balance()


def test_backends_come_and_go_under_load():
    """wrk and ab run through the splice while backends are added, drained and removed."""
    lab.need("wrk", "ab", "nginx")
    with lab.Lab() as here:
        site = splice.Site(here, 3, packets=0)
        changing = Changing(site.engine)
        with splice.nginx(site):
            load = begin_load(here, site.client, site.engine, splice.FRONT4)
            for rounds in range(ROUNDS):
                for left_out in range(3):
                    names = [f"{a}:80" for i, a in enumerate(site.servers.chosen) if i != left_out]
                    names[0] += f" weight={rounds % 3 + 1}"
                    head = changing.text[:changing.text.index("pools:")] + lab.yaml({"pools": [
                        {"name": "web", "backends": names, "choice": "round_robin"}]})
                    site.engine.config.write_text(
                        head + changing.text[changing.text.index("services:"):])
                    done = changing.reload_as_is()
                    lab.check(done.returncode == 0 and "pool web: backends" in done.stdout,
                              f"{done.returncode}: {done.stdout}{done.stderr}")
                    time.sleep(0.15)
            check_load(here, load)
            # And one by hand: the others answer.
            last = f"web/{site.servers.chosen[1]}:80"
            done = handfast("drain", "--backend", last, "-f", site.engine.instance)
            lab.check(done.returncode == 0, done.stderr)
            names = {site.client.run("curl", "-sS", f"http://{splice.FRONT4}/name").stdout
                     for _ in range(4)}
            lab.check(names == {site.servers.chosen[0]}, f"{names}")
            done = handfast("undrain", "--backend", last, "-f", site.engine.instance)
            lab.check(done.returncode == 0, done.stderr)
            lab.wait_for("both to answer", lambda: len({site.client.run(
                "curl", "-sS", f"http://{splice.FRONT4}/name").stdout for _ in range(4)}) == 2)


def test_a_bad_file_changes_nothing_and_is_explained():
    """Exit code 3 and file:line:column for the caller, the same in the log for SIGHUP."""
    with lab.Lab() as here:
        site = lab.Site(here, [WEB, ECHO], packets=0)
        changing = Changing(site.engine)
        client = site.client.connect(lab.ENGINE4, 7)
        bad = changing.text.replace('reply: "echo"', 'reply: "ecko"')
        site.engine.config.write_text(bad)
        done = changing.reload_as_is()
        line = bad[:bad.index("ecko")].count("\n") + 1
        place = f"{site.engine.config}:{line}:"
        lab.check(done.returncode == EXIT_SETTINGS, f"{done.returncode}: {done.stderr}")
        lab.check(place in done.stderr and "nothing was changed" in done.stderr, done.stderr)
        before = len(site.engine.said())
        site.engine.signal(signal.SIGHUP)
        lab.wait_for("the log", lambda: place in site.engine.said()[before:], 5)
        client.sendall(b"still here")
        lab.check(client.recv(100) == b"still here", "the connection is gone")
        site.engine.config.unlink()
        done = changing.reload_as_is()
        lab.check(done.returncode == EXIT_SETTINGS and "cannot be read" in done.stderr,
                  f"{done.returncode}: {done.stderr}")
        client.close()


def test_what_needs_a_restart_is_named():
    """A port's mtu and a timeout change: one is taken, the other waits; --dry-run takes neither."""
    with lab.Lab() as here:
        site = lab.Site(here, [WEB], packets=0)
        changing = Changing(site.engine)
        changing.write({**WEB, "idle_timeout": "5s"},
                       head=changing.head.replace("ports:\n", "ports:\n  - mtu: 1400\n   ", 1)
                       .replace("\n     - name", "\n    name", 1))
        for more in (["--dry-run"], []):
            done = changing.reload_as_is(*more)
            lab.check(done.returncode == 0, f"{done.returncode}: {done.stderr}")
            lab.check("port lan: mtu 1500 -> 1400; needs a restart, stays 1500" in done.stdout,
                      done.stdout)
            lab.check("service web: idle_timeout 1m -> 5s" in done.stdout, done.stdout)
        lab.check("1 change in force, 1 waits for a restart" in done.stdout, done.stdout)
        done = changing.reload_as_is()
        lab.check("idle_timeout" not in done.stdout, done.stdout)


def test_sighup_reloads_a_body_file():
    """A body file has other contents: after SIGHUP they are served, and open connections end."""
    lab.need("curl")
    with lab.Lab() as here:
        body = here.path("body")
        body.write_text("old\n" * 10)
        web = {key: value for key, value in WEB.items() if key != "body_size"}
        site = lab.Site(here, [{**web, "body_file": str(body)}], packets=0)
        client = site.client.connect(lab.ENGINE4, 80)
        body.write_text("new and longer\n" * 10)
        site.engine.signal(signal.SIGHUP)
        lab.wait_for("the reload", lambda: f"body_file {body} was read again" in site.engine.said())
        done = site.client.run("curl", "-sS", "--max-time", "5", f"http://{lab.ENGINE4}/")
        lab.check(done.stdout == "new and longer\n" * 10, done.stdout)
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
        lab.check(answer.endswith(b"\r\n\r\n" + b"old\n" * 10), answer)
        client.close()


def test_what_a_worker_has_not_seen_is_not_in_force():
    """Workers without a core are waited for, and named when that takes too long."""
    with lab.Lab() as here:
        site = lab.Site(here, [WEB, ECHO], packets=0)
        changing, named = Changing(site.engine), "a worker has no core"
        with site.engine.hold_workers():
            lab.check(named in changing.reload(WEB), "nobody was named")
            changing.write(WEB, ECHO)
            site.engine.signal(signal.SIGHUP)
            lab.wait_for("the log", lambda: site.engine.said().count(named) == 2)
        lab.wait_for("the service", lambda: not refused(site.client, lab.ENGINE4, 7))
        lab.check(named not in changing.reload(WEB), "a worker with a core was named")
        lab.check(refused(site.client, lab.ENGINE4, 7), "a removed service answers")


def test_drain_lets_connections_finish():
    """A drained service keeps its connection and refuses others, until it is undrained."""
    with lab.Lab() as here:
        site = lab.Site(here, [WEB, ECHO], packets=0)
        instance = site.engine.instance
        client = site.client.connect(lab.ENGINE4, 7)
        done = handfast("drain", "echo", "-f", instance)
        lab.check(done.returncode == 0 and "1 stay until they end" in done.stdout,
                  f"{done.stdout}{done.stderr}")
        lab.check(refused(site.client, lab.ENGINE4, 7), "a new connection was taken")
        client.sendall(b"hello")
        lab.check(client.recv(100) == b"hello", "the open one is gone")
        stats = json.loads(handfast("stats", "--json", "--instance", instance).stdout)
        states = {row["name"]: row["state"] for row in stats["services"]}
        lab.check(states == {"web": "open", "echo": "drained"}, f"{states}")
        lab.check(handfast("drain", "nobody", "-f", instance).returncode == EXIT_RUNTIME,
                  "nobody was drained")
        lab.check(handfast("undrain", "--all", "-f", instance).returncode == 0, "not undrained")
        again = site.client.connect(lab.ENGINE4, 7)
        again.sendall(b"again")
        lab.check(again.recv(100) == b"again", "no echo after undrain")
        for one in (client, again):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            one.close()


if __name__ == "__main__":
    lab.main(globals())
