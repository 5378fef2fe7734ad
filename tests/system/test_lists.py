# SPDX-License-Identifier: BSD-3-Clause
"""Lists of who may connect: denied and allowed networks, a million of them, read again at will."""

import subprocess
import time

import lab


def lists(act: str, engine: lab.Engine, ok: bool = True) -> subprocess.CompletedProcess:
    """handfast lists."""
    done = lab.run([lab.HANDFAST, "lists", act, "--instance", engine.instance], ok=False)
    lab.check((done.returncode == 0) == ok, f"lists {act}: {done.stdout}{done.stderr}")
    return done


def connects(site: lab.Site, source: str, host: str) -> bool:
    """Whether curl gets the page from an address of ours."""
    done = site.client.run("curl", "-sS", "-m", "2", "--interface", source, "-o", "/dev/null",
                           "-w", "%{http_code}", f"http://{host}/", ok=False)
    return done.stdout == "200"


def test_lists_are_kept_and_changed():
    """A denied client gets nothing, an allowed one in the same network its page; reload swaps."""
    lab.need("curl")
    with lab.Lab() as here:
        deny, allow = here.path("deny"), here.path("allow")
        deny.write_text("10.9.0.0/25  # all of these\nfd00:9::/64\n")
        allow.write_text("10.9.0.1\n")
        site = lab.Site(here, deny=str(deny), allow=str(allow))
        site.client.address(site.device, "10.9.0.77/24")
        lab.check(connects(site, lab.CLIENT4, lab.ENGINE4), "an allowed client was denied")
        lab.check(not connects(site, "10.9.0.77", lab.ENGINE4), "a denied client got in")
        lab.check(not connects(site, lab.CLIENT6, f"[{lab.ENGINE6}]"), "a denied client got in")
        lab.check(site.engine.counters()["drop_denied_prefix"] >= 2, "nothing was counted")
        # Not only TCP is needed to reach a client: neighbour discovery goes on.
        site.client.run("ping", "-c", "1", "-W", "2", lab.ENGINE6)

        deny.write_text("10.9.0.1\n10.9.0.0/40\n")
        said = lists("reload", site.engine, ok=False).stderr
        lab.check(f"{deny}:2:10: error: the prefix length is not from 0 to 32" in said, said)
        lab.check(connects(site, lab.CLIENT4, lab.ENGINE4), "a wrong list was used")

        deny.write_text("".join(f"{a}.{b}.{c}.0/25\n" for a in range(20, 36) for b in range(256)
                                for c in range(0, 256)))
        began = time.monotonic()
        said = lists("reload", site.engine).stdout
        print(f"{said.strip()}, {time.monotonic() - began:.1f} s in all")
        lab.check(said.startswith("denied 1048576 allowed 1 prefixes"), said)
        lab.check(lists("show", site.engine).stdout.startswith("denied 1048576 "), "not in use")
        lab.check(connects(site, "10.9.0.77", lab.ENGINE4), "who is denied no more got nothing")


if __name__ == "__main__":
    lab.main(globals())
