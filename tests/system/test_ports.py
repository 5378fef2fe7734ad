# SPDX-License-Identifier: BSD-3-Clause
"""Several ports in one engine, and the kinds of port that no kernel is behind."""

import time

import lab


def test_two_ports_serve_their_own_networks():
    """Two TAPs with a network each: both are served, and each counts its own packets only."""
    lab.need("curl")
    with lab.Lab() as here:
        networks = []
        for number in (1, 2):
            networks.append({"tap": here.name(), "client": here.namespace(), "number": number,
                             "mac": f"02:00:00:00:0e:0{number}", "host": f"10.9.{number}.2"})
        engine = here.engine(
            [{"name": f"lan{net['number']}", "device": f"tap:{net['tap']}", "mac": net["mac"],
              "addresses": [f"{net['host']}/24"]} for net in networks],
            [{"name": f"web{net['number']}", "listen": f"{net['host']}:80", "reply": "http",
              "body_size": f"{net['number']}KiB"} for net in networks], workers=2)
        for net in networks:
            lab.move(engine.namespace, net["tap"], net["client"])
            net["client"].address(net["tap"], f"10.9.{net['number']}.1/24")
            here.capture(net["client"], net["tap"]).mac = net["mac"]
        for net in networks:
            for _ in range(net["number"] * 5):
                done = net["client"].run("curl", "-sS", "--max-time", "10",
                                         f"http://{net['host']}/")
                lab.check(len(done.stdout) == 1024 * net["number"], f"{len(done.stdout)} bytes")
        for net in networks:
            now = engine.settled(f"lan{net['number']}")
            lab.check(now["requests"] == net["number"] * 5, f"counters: {now}")


def test_a_raw_vdev_serves():
    """vdev: takes what DPDK takes: a TAP by its driver's name works like tap:."""
    lab.need("curl")
    with lab.Lab() as here:
        client, device = here.namespace(), here.name()
        engine = here.engine([{"name": "lan", "device": f"vdev:net_tap0,iface={device}",
                               "mac": lab.ENGINE_MAC, "addresses": [f"{lab.ENGINE4}/24"]}],
                             [{"name": "web", "listen": f"{lab.ENGINE4}:80", "reply": "http"}])
        lab.move(engine.namespace, device, client)
        client.address(device, f"{lab.CLIENT4}/24")
        here.capture(client, device)
        done = client.run("curl", "-sS", "--max-time", "10", f"http://{lab.ENGINE4}/")
        lab.check(len(done.stdout) == 1024, f"{len(done.stdout)} bytes")


def test_a_flood_of_nothing_is_all_accounted_for():
    """null: gives frames of zeros without end; each is dropped for one reason until SIGTERM."""
    with lab.Lab() as here:
        engine = here.engine([{"name": "void", "device": "null:",
                               "addresses": [f"{lab.ENGINE4}/24"]}],
                             [{"name": "web", "listen": f"{lab.ENGINE4}:80", "reply": "http"}],
                             workers=1)
        time.sleep(0.5)
        lab.check(engine.counters("void")["rx"] > 1000, engine.counters("void"))
        # While frames come in, no two counters are read at the same moment.
        engine.signal(15)
        engine.ended(0)


def test_a_ring_starts_and_stops():
    """ring: has no peer in this process: it starts, is idle, and ends with 0."""
    with lab.Lab() as here:
        engine = here.engine([{"name": "lan", "device": "ring:",
                               "addresses": [f"{lab.ENGINE4}/24"]}],
                             [{"name": "web", "listen": f"{lab.ENGINE4}:80", "reply": "http"}])
        engine.stop()


if __name__ == "__main__":
    lab.main(globals())
