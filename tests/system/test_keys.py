# SPDX-License-Identifier: BSD-3-Clause
"""The secret of SYN cookies: one fleet, two nodes, and its rotation while clients come and go."""

import json
import os
import pathlib
import re
import shutil

import lab

CLIENTS = """
while [ ! -e {folder}/stop ]; do
    ab -q -n 100 -c 10 http://{host}/ >{folder}/ab.txt 2>&1 || exit 1
    grep -q 'Failed requests: *0$' {folder}/ab.txt || exit 1
    echo >>{folder}/rounds
    sleep 0.1
done
"""

SPLIT = """
table inet split {{
    chain output {{
        type route hook output priority mangle;
        tcp flags & (syn | ack) == syn meta mark set 1
    }}
}}
"""


def key(*words: str, ok: bool = True):
    """handfast key."""
    done = lab.run([lab.HANDFAST, "key", *words], ok=False)
    lab.check((done.returncode == 0) == ok, f"key {words}: {done.stdout}{done.stderr}")
    return done


def shown(words: str) -> dict:
    """The lines of `key`, as a dictionary."""
    return {line.split()[0]: line.split()[1].rstrip(",") for line in words.splitlines()}


class Fleet:
    """Two engines with one address: the client's SYNs go to the first, all else to the second."""

    def __init__(self, here: lab.Lab):
        self.here = here
        self.client = here.namespace()
        self.engines, self.devices = [], []
        for number in range(2):
            folder = here.path(f"node{number}")
            folder.mkdir()
            if number == 0:
                key("rotate", "--file", str(folder / "secret"))
            else:
                shutil.copy2(here.path("node0") / "secret", folder / "secret")
            self.start(folder)
        self.client.ip("rule", "add", "fwmark", "1", "lookup", "100")
        self.client.ip("route", "add", f"{lab.ENGINE4}/32", "dev", self.devices[1])
        self.client.ip("route", "add", f"{lab.ENGINE4}/32", "dev", self.devices[0], "table", "100",
                       "src", lab.CLIENT4)
        self.client.run("nft", SPLIT.format())
        # Who closes first has TIME_WAIT, and these clients do not: let them use many ports.
        self.client.set("net.ipv4.ip_local_port_range", "2000 60000")

    def start(self, folder) -> None:
        """One node and its TAP."""
        device = self.here.name()
        engine = self.here.engine(
            [{"name": "lan", "device": f"tap:{device}", "addresses": [f"{lab.ENGINE4}/24"]}],
            [{"name": "web", "listen": f"{lab.ENGINE4}:80", "cookies": "always"}],
            secret=str(folder / "secret"), secret_accepted=str(folder / "secret_accepted"))
        lab.move(engine.namespace, device, self.client)
        self.client.address(device, f"{lab.CLIENT4}/32")
        for which in ("all", device):
            self.client.set(f"net.ipv4.conf.{which}.rp_filter", 0)
        self.engines.append(engine)
        self.devices.append(device)

    def rotate(self, secret, accepted) -> list:
        """Give files to both nodes, and tell them."""
        said = []
        for number, engine in enumerate(self.engines):
            folder = self.here.path(f"node{number}")
            shutil.copy2(secret, folder / "secret")
            shutil.copy2(accepted, folder / "secret_accepted")
            said.append(shown(key("rotate", "--instance", engine.instance).stdout))
        return said

    def rounds(self) -> int:
        """How many rounds of a hundred requests the clients have done."""
        file = self.here.path("rounds")
        return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_fleet_rotates_while_clients_come():
    """SYN through one node, ACK through the other; the secret changes under it, nothing is lost."""
    lab.need("ab", "nft")
    with lab.Lab() as here:
        fleet = Fleet(here)
        clients = fleet.client.spawn("sh", "-c", CLIENTS.format(folder=here.folder,
                                                                host=lab.ENGINE4))
        lab.wait_for("two rounds", lambda: fleet.rounds() >= 2 or clients.poll() is not None)

        # Made on one machine; accepted everywhere first, then used.
        made = here.path("secret")
        shutil.copy2(here.path("node0") / "secret", made)
        key("rotate", "--file", str(made))
        previous = here.path("secret.previous")
        old_id = key("show-id", "--file", str(previous)).stdout.strip()
        new_id = key("show-id", "--file", str(made)).stdout.strip()
        lab.check(old_id != new_id and os.stat(made).st_mode & 0o777 == 0o600, made)
        for said in fleet.rotate(previous, made):
            lab.check((said["active"], said["accepted"]) == (old_id, new_id), said)
        count = fleet.rounds()
        lab.wait_for("a round", lambda: fleet.rounds() > count or clients.poll() is not None)
        for said in fleet.rotate(made, previous):
            lab.check((said["before"], said["active"]) == (old_id, new_id), said)
            lab.check(said["retired"] == old_id, said)
        count = fleet.rounds()
        lab.wait_for("two rounds", lambda: fleet.rounds() > count + 1 or clients.poll() is not None)

        here.path("stop").touch()
        lab.check(clients.wait(20) == 0, "a client failed: " + here.path("ab.txt").read_text())
        first, second = (engine.settled() for engine in fleet.engines)
        # ab opens more connections than it needs, and drops some of them before the SYN-ACK comes.
        rounds = fleet.rounds()
        dropped = first["syn_cookies_sent"] - second["syn_cookies_opened"]
        lab.check(second["requests"] == 100 * rounds >= 500, f"{rounds} rounds: {second}")
        lab.check(second["syn_cookies_opened"] >= second["requests"], f"{second}")
        lab.check(0 <= dropped <= 10 * rounds, f"{first} {second}")
        lab.check(second["syn_cookies_bad"] == second["syn_cookies_expired"] == 0, f"{second}")
        for engine in fleet.engines:
            said = shown(key("show-id", "--instance", engine.instance).stdout)
            lab.check(said["active"] == new_id, said)
            secret = made.read_text().strip()
            lab.check(secret not in engine.said() and secret not in json.dumps(
                engine.ask("/handfast/key")), "the secret was told")


def test_a_wrong_file_is_refused_and_the_secret_stays():
    """Who may read it, too short, not there: refused with what helps; cookies go on as before."""
    lab.need("curl")
    with lab.Lab() as here:
        secret = here.path("secret")
        key("rotate", "--file", str(secret))
        site = lab.Site(here, served=lab.services(web={"cookies": "always"}), secret=str(secret))
        instance = site.engine.instance
        before = shown(key("show-id", "--instance", instance).stdout)["active"]
        limits = (pathlib.Path("/proc") / str(site.engine.process.pid) / "limits").read_text()
        lab.check(re.search(r"^Max core file size +1 ", limits, re.M), "core files: " + limits)
        lab.check(before == key("show-id", "--file", str(secret)).stdout.strip(), before)

        secret.chmod(0o644)
        said = key("rotate", "--instance", instance, ok=False).stderr
        lab.check("mode 0644" in said and f"chmod 600 {secret}" in said, said)
        key("rotate", "--file", str(secret), ok=False)
        secret.write_text("abc")
        secret.chmod(0o600)
        said = key("rotate", "--instance", instance, ok=False).stderr
        lab.check("holds 3 hexadecimal digits, 64 are needed" in said and "try:" in said, said)
        secret.unlink()
        said = key("rotate", "--instance", instance, ok=False).stderr
        lab.check("No such file" in said, said)

        lab.check(shown(key("show-id", "--instance", instance).stdout)["active"] == before, before)
        done = site.client.run("curl", "-sS", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}",
                               f"http://{lab.ENGINE4}/")
        lab.check(done.stdout == "200", done.stdout + done.stderr)


if __name__ == "__main__":
    lab.main(globals())
