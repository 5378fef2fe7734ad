# SPDX-License-Identifier: BSD-3-Clause
"""The load balancer: clients, handfast between two TAP devices, and two nginx behind it.

    namespace c            namespace e              namespace l (a bridge)     namespaces 1, 2
    curl ab wrk hping3 --- [front] handfast [back] --------------------------- nginx, nginx

While wrk opens connections, one nginx is killed and comes back, the configuration is reloaded with
other weights, and a SYN flood begins and ends.
"""

import os
import signal
import time

import clients
from stage import HANDFAST, NAME, Paint, Stage, Trouble, command, must

CLIENT4, VIP4 = "10.9.0.1", "10.9.0.2"
CLIENT6, VIP6 = "fd00:9::1", "fd00:9::2"
ENGINE_BACK = "10.8.0.1"
BACKENDS = {"1": "10.8.0.11", "2": "10.8.0.12"}
BODY_SIZE = 1024
WRK_SECONDS = 5
PROGRAMS = {"ip": "iproute2", "curl": "curl", "ab": "apache2-utils", "wrk": "wrk",
            "nginx": "nginx-light", "hping3": "hping3"}

CONFIGURATION = """\
engine:
  instance: {name}
  workers: auto
  memory: auto
  idle: sleep
ports:
  - name: front
    device: tap:{name}f
    addresses: [{vip4}/24, "{vip6}/64"]
  - name: back
    device: tap:{name}b
    addresses: [{back}/24]
pools:
  - name: nginx
    backends: [{backends}]
    check: http
    check_interval: 500ms
    check_timeout: 500ms
services:
  - name: web
    listen: ["{vip4}:80", "[{vip6}]:80"]
    mode: proxy
    pool: nginx
    cookies: auto
    max_syn_backlog: 512
"""

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx{letter}.pid;
error_log {folder}/nginx{letter}.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder};
  proxy_temp_path {folder};
  fastcgi_temp_path {folder};
  uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{
    listen {address}:80 backlog=4096;
    location / {{ default_type text/plain; return 200 "{body}"; }}
  }}
}}
"""


def configuration(weights: dict) -> str:
    """The engine's file, with a weight for each backend."""
    backends = ", ".join(f'"{address}:80 weight={weights[letter]}"'
                         for letter, address in BACKENDS.items())
    return CONFIGURATION.format(name=NAME, vip4=VIP4, vip6=VIP6, back=ENGINE_BACK,
                                backends=backends)


class FrontEnd:
    """The namespaces around the engine, and the servers in them."""

    def __init__(self, stage: Stage):
        self.stage = stage
        self.client = self.engine = None
        self.nginx, self.namespaces = {}, {}

    def build(self) -> None:
        """Namespaces, servers, and the engine last."""
        stage = self.stage
        self.engine, self.client = stage.namespace("e"), stage.namespace("c")
        bridge = stage.namespace("l")
        must("ip", "-n", bridge, "link", "add", "br0", "type", "bridge")
        must("ip", "-n", bridge, "link", "set", "br0", "up")
        for letter, address in BACKENDS.items():
            self.namespaces[letter] = stage.namespace(letter)
            must("ip", "-n", bridge, "link", "add", f"{NAME}{letter}", "master", "br0", "type",
                 "veth", "peer", "name", "eth0", "netns", self.namespaces[letter])
            must("ip", "-n", bridge, "link", "set", f"{NAME}{letter}", "up")
            must("ip", "-n", self.namespaces[letter], "link", "set", "eth0", "up")
            must("ip", "-n", self.namespaces[letter], "addr", "add", f"{address}/24",
                 "dev", "eth0")
            self.start_nginx(letter)
        stage.start_engine(self.engine, configuration({"1": 1, "2": 1}))
        stage.give_device(f"{NAME}f", self.engine, self.client)
        must("ip", "-n", self.client, "addr", "add", f"{CLIENT4}/24", "dev", f"{NAME}f")
        must("ip", "-n", self.client, "addr", "add", f"{CLIENT6}/64", "dev", f"{NAME}f", "nodad")
        stage.give_device(f"{NAME}b", self.engine, bridge)
        must("ip", "-n", bridge, "link", "set", f"{NAME}b", "master", "br0")

    def start_nginx(self, letter: str) -> None:
        """One backend."""
        stage = self.stage
        file = stage.folder / f"nginx{letter}.conf"
        body = f"backend {letter} ".ljust(BODY_SIZE, ".")
        file.write_text(NGINX.format(folder=stage.folder, letter=letter,
                                     address=BACKENDS[letter], body=body))
        self.nginx[letter] = stage.spawn(self.namespaces[letter], "nginx", "-c", file, "-e",
                                         stage.folder / f"nginx{letter}.log",
                                         start_new_session=True)

    def kill_nginx(self, letter: str) -> None:
        """No goodbye: its kernel resets what was open, and refuses what comes."""
        os.killpg(self.nginx[letter].pid, signal.SIGKILL)
        self.nginx[letter].wait(5)

    def wait_for(self, **states: str) -> None:
        """Wait until health checks say so, for example first="up"."""
        end = time.monotonic() + 15
        while time.monotonic() < end:
            now = {backend["backend"].rsplit(":", 1)[0]: backend["state"]
                   for backend in self.stage.statistics()["backends"]}
            if all(now.get(BACKENDS[letter]) == state for letter, state in states.items()):
                return
            time.sleep(0.1)
        raise Trouble(f"the backends should be {states} and are {now}:\n{self.stage.log()}")

    def wrk(self, step: str, seconds: int = WRK_SECONDS) -> clients.Wrk:
        """Short connections through the VIP, in the background."""
        return clients.Wrk(self.stage, self.client, step, f"http://{VIP4}/", seconds)

    def reload(self, weights: dict) -> None:
        """Other weights, while connections are open."""
        self.stage.configuration.write_text(configuration(weights))
        done = command(HANDFAST, "reload", "--instance", NAME)
        for line in (done.stdout + done.stderr).strip().splitlines():
            print(f"       {line}")
        if done.returncode:
            raise Trouble(f"handfast reload: exit code {done.returncode}")


def kill_and_return(scene: FrontEnd) -> clients.Row:
    """One backend dies under load and comes back; only what it was serving may be lost."""
    wrk = scene.wrk("wrk, a backend killed", 2 * WRK_SECONDS)
    time.sleep(2)
    print(f"     kill -9 nginx at {BACKENDS['1']}")
    scene.kill_nginx("1")
    scene.wait_for(**{"1": "down"})
    print("     handfast sees it down; starting it again")
    scene.start_nginx("1")
    scene.wait_for(**{"1": "up"})
    print("     handfast sees it up")
    row = wrk.result()
    row.allow(clients.WRK_CONNECTIONS, "open at the killed nginx")
    return row


def reload(scene: FrontEnd) -> clients.Row:
    """New weights under load."""
    wrk = scene.wrk("wrk, a reload")
    time.sleep(1)
    print("     handfast reload, with weights 1 and 3")
    scene.reload({"1": 1, "2": 3})
    return wrk.result()


def flood(scene: FrontEnd) -> clients.Row:
    """A SYN flood from random addresses beside the clients."""
    before = scene.stage.statistics()["counters"]
    print(f"     hping3 --flood --rand-source -S -p 80 {VIP4}")
    hping = scene.stage.spawn(scene.client, "hping3", "--flood", "--rand-source", "-S", "-p", "80",
                              "-q", VIP4, stdout=-3, stderr=-3)
    time.sleep(0.5)
    row = scene.wrk("wrk, a SYN flood").result()
    scene.stage.end(hping)
    after = scene.stage.statistics()["counters"]
    print(f"       {clients.thousands(after['syn_received'] - before['syn_received'])} SYNs,"
          f" {clients.thousands(after['syn_cookies_sent'] - before['syn_cookies_sent'])} of them answered"
          " by a cookie")
    return row


def perform(stage: Stage, options) -> list:
    """The whole performance; returns the rows of its table."""
    scene = FrontEnd(stage)
    print(Paint.bold("  1  the scene"))
    print(f"     clients in a network namespace, {CLIENT4} and {CLIENT6};"
          f"\n     handfast listens at {VIP4}:80 and [{VIP6}]:80 on one TAP device and reaches, by"
          f"\n     another, nginx at {' and '.join(BACKENDS.values())}, each in a namespace;"
          "\n     nothing of this machine's own network is used")
    scene.build()
    info = stage.statistics()["info"]
    print(f"     running: handfast {info.get('version', '')}, workers: {info.get('workers', '?')}")
    scene.wait_for(**{"1": "up", "2": "up"})
    print("     both backends are up")

    print(Paint.bold("\n  2  one page"))
    rows = [clients.curl(stage, scene.client, "curl over IPv4", f"http://{VIP4}/", BODY_SIZE),
            clients.curl(stage, scene.client, "curl over IPv6, nginx over IPv4",
                         f"http://[{VIP6}]/", BODY_SIZE)]
    print(Paint.bold("\n  3  many connections, one after the other"))
    rows.append(clients.ab(stage, scene.client, "ab, 50 at a time", f"http://{VIP4}/",
                           options.requests))
    print(Paint.bold("\n  4  many connections at once"))
    rows.append(clients.crowd(stage, scene.client, options.connections, VIP4))
    print(Paint.bold("\n  5  a backend dies and comes back"))
    rows.append(kill_and_return(scene))
    print(Paint.bold("\n  6  a reload"))
    rows.append(reload(scene))
    print(Paint.bold("\n  7  a SYN flood"))
    rows.append(flood(scene))
    return rows
