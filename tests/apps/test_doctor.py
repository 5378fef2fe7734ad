#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`handfast doctor` on machines that are made of files.

    test_doctor.py HANDFAST PLUGIN_DIRECTORY
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from machines import Machine

HANDFAST = PLUGIN_DIRECTORY = ""

CONFIG = """
engine: { workers: [%s], memory: %s }
ports:
  - { name: lan, device: "%s", addresses: [10.9.0.2/24] }
services:
  - { name: web, listen: "10.9.0.2:80" }
"""


class Doctor(unittest.TestCase):
    """What is found on a healthy machine after one thing of it was broken."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.machine = Machine(os.path.join(self.directory.name, "root"), PLUGIN_DIRECTORY)

    def run_doctor(self, device=None, workers="1", memory="auto", options=("--json",)):
        arguments = [HANDFAST, "doctor", "--root", self.machine.root, *options]
        if device:
            path = os.path.join(self.directory.name, "config.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(CONFIG % (workers, memory, device))
            arguments += ["-c", path]
        return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)

    def findings(self, identity, severity, **options):
        """All findings of an id and severity; the exit code must agree with the severities."""
        result = self.run_doctor(**options)
        self.assertEqual(result.stderr, "")
        report = json.loads(result.stdout)
        blocking = [each for each in report["findings"] if each["severity"] == "blocking"]
        self.assertEqual(result.returncode, 4 if blocking else 0, result.stdout)
        self.assertEqual(report["blocking"], len(blocking))
        return [each for each in report["findings"]
                if each["id"] == identity and each["severity"] == severity]

    def one(self, identity, severity, **options):
        found = self.findings(identity, severity, **options)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_healthy_machine_has_no_warning(self):
        result = self.run_doctor(options=("--quiet",))
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stdout.count("\n"), 1, result.stdout)

    def test_doctor_changes_nothing(self):
        def tree():
            return sorted((where, tuple(directories), tuple(files)) for where, directories, files
                          in os.walk(self.machine.root))
        before = tree()
        self.run_doctor(device="tap:hf0")
        self.assertEqual(tree(), before)

    def test_processor_without_sse42_blocks(self):
        self.machine.write("/proc/cpuinfo", "model name\t: Old\nflags\t\t: fpu sse4_1\n")
        self.one("cpu.sse42", "blocking")

    def test_missing_hugepages_are_a_warning_with_a_command(self):
        self.machine.hugepages(0, total=0, free=0)
        self.assertIn("nr_hugepages", self.one("memory.hugepages", "warning")["fix"])

    def test_missing_hugepages_block_memory_huge(self):
        self.machine.hugepages(0, total=0, free=0)
        self.one("run.memory", "blocking", device="null:", memory="huge")
        self.findings("run.memory", "ok", device="null:", memory="none")

    def test_hugepages_that_another_process_reserved_are_not_free(self):
        self.machine.hugepages(0, total=512, free=512, reserved=512)
        self.one("run.memory", "blocking", device="null:", memory="huge")
        self.machine.hugepages(0, total=512, free=512)
        self.findings("run.memory", "ok", device="null:", memory="huge")

    def test_shared_memory_needs_a_hugetlbfs(self):
        self.machine.write("/proc/mounts", "proc /proc proc rw 0 0\n")
        self.assertIn("mount -t hugetlbfs",
                      self.one("run.hugetlbfs", "blocking", device="null:", memory="shared")["fix"])
        self.machine.write("/proc/mounts", "none /dev/hugepages hugetlbfs rw 0 0\n")
        self.assertEqual(
            self.findings("run.hugetlbfs", "blocking", device="null:", memory="shared"), [])

    def test_secret_that_others_may_read_blocks(self):
        secret = os.path.join(self.directory.name, "secret")
        with open(secret, "wb") as file:
            file.write(bytes(range(128, 160)))
        with_secret = {"device": "null:", "memory": f"auto, secret: {secret}"}
        os.chmod(secret, 0o644)
        self.assertIn("chmod 600", self.one("run.secret", "blocking", **with_secret)["fix"])
        os.chmod(secret, 0o600)
        self.assertEqual(self.findings("run.secret", "blocking", **with_secret), [])
        os.truncate(secret, 31)
        self.one("run.secret", "blocking", **with_secret)
        os.remove(secret)
        self.one("run.secret", "blocking", **with_secret)

    def test_stale_hugepage_files_are_named_with_the_command(self):
        self.machine.stale_file("rtemap_0", locked=False)
        self.machine.stale_file("rtemap_1", locked=False)
        found = self.one("memory.stale", "warning")
        self.assertTrue(found["what"].startswith("2 files /dev/hugepages/rtemap_* hold"))
        self.assertEqual(found["fix"], "sudo rm /dev/hugepages/rtemap_*")

    def test_each_dead_program_has_its_own_command(self):
        self.machine.stale_file("rtemap_0", locked=False)
        self.machine.stale_file("otherprogrammap_0", locked=False)
        self.assertEqual(sorted(each["fix"] for each in self.findings("memory.stale", "warning")),
                         ["sudo rm /dev/hugepages/otherprogrammap_*",
                          "sudo rm /dev/hugepages/rtemap_*"])

    def test_files_of_a_running_program_are_never_to_be_removed(self):
        self.machine.stale_file("rtemap_0", locked=True)
        self.machine.stale_file("rtemap_1", locked=False)
        self.one("memory.stale", "ok")

    def test_missing_mempool_plugin_blocks_and_names_the_package(self):
        self.machine.remove_plugin("mempool_ring")
        fix = self.one("dpdk.drivers", "blocking")["fix"]
        if PLUGIN_DIRECTORY.startswith("/usr/lib/"):
            self.assertRegex(fix, r"^apt-get install librte-mempool-ring\d+$")

    def test_missing_plugin_blocks_only_the_port_that_needs_it(self):
        self.machine.remove_plugin("net_memif")
        device = "memif:socket=/run/m.sock,role=client,id=0"
        self.one("port.driver", "blocking", device=device)
        self.assertEqual(self.findings("port.driver", "blocking", device="tap:hf0"), [])

    def test_package_of_a_driver_ending_in_a_digit_has_a_hyphen(self):
        fixes = [each["fix"] for each in self.findings("dpdk.drivers", "info")]
        if PLUGIN_DIRECTORY.startswith("/usr/lib/"):
            self.assertTrue(any("librte-net-e1000-2" in fix for fix in fixes), fixes)

    def test_user_without_rights_is_warned_and_a_tap_blocked(self):
        self.machine.capabilities("0000000000000000")
        self.assertEqual(self.one("system.rights", "warning")["what"].count("CAP_"), 4)
        # The finding is handfast-load's, too.
        self.assertNotIn("handfast", self.one("port.rights", "blocking", device="tap:hf0")["fix"])
        self.assertEqual(self.findings("port.rights", "blocking", device="null:"), [])

    def test_missing_tun_blocks_a_tap(self):
        os.unlink(self.machine.path("/dev/net/tun"))
        self.one("network.tun", "warning")
        self.one("port.tun", "blocking", device="tap:hf0")

    def test_tap_name_in_use_blocks(self):
        self.machine.write("/sys/class/net/hf0/mtu", "1500\n")
        self.machine.write("/sys/class/net/hf0/tun_flags", "0x1002\n")
        self.assertIn("ip link delete hf0",
                      self.one("port.name", "blocking", device="tap:hf0")["fix"])

    def test_deleting_a_nic_is_never_proposed(self):
        self.machine.nic("0000:3b:00.0", "i40e", "eth0")
        found = self.one("port.name", "blocking", device="tap:eth0")
        self.assertNotIn("delete", found["fix"])

    def test_core_out_of_range_blocks(self):
        found = self.one("run.cores", "blocking", device="null:", workers="1, 9")
        self.assertIn("no core 9; online are 0-3", found["what"])

    def test_missing_veth_blocks_with_the_command(self):
        self.assertIn("numrxqueues 1",
                      self.one("port.interface", "blocking", device="veth:v0")["fix"])

    def test_veth_needs_the_driver_it_names(self):
        self.machine.write("/sys/class/net/v0/mtu", "1500\n")
        self.machine.remove_plugin("net_af_xdp")
        self.assertEqual(self.findings("port.driver", "blocking", device="veth:v0"), [])
        self.one("port.driver", "blocking", device="veth:v0,af_xdp")
        self.machine.remove_plugin("net_af_packet")
        self.one("port.driver", "blocking", device="veth:v0")

    def test_af_xdp_needs_a_veth_with_one_queue(self):
        self.machine.write("/sys/class/net/v0/mtu", "1500\n")
        self.assertEqual(self.findings("port.queues", "blocking", device="veth:v0,af_xdp"), [])
        self.machine.write("/sys/class/net/v0/queues/rx-1/rps_cpus", "0\n")
        self.assertIn("numrxqueues 1",
                      self.one("port.queues", "blocking", device="veth:v0,af_xdp")["fix"])

    def test_nic_with_default_route_is_marked_and_refused(self):
        self.machine.nic("0000:3b:00.0", "i40e", "eth0")
        self.machine.default_route("eth0")
        self.assertIn("carries the default route", self.one("network.nic", "info")["what"])
        self.one("port.default_route", "blocking", device="pci:0000:3b:00.0")

    def test_ipv6_default_route_counts(self):
        self.machine.nic("0000:3b:00.0", "i40e", "eth0")
        zero = "0" * 32
        self.machine.write("/proc/net/ipv6_route",
                           "%s 00 %s 00 %s 00000400 1 0 3     eth0\n" % (zero, zero, "fd" * 16))
        self.one("port.default_route", "blocking", device="pci:0000:3b:00.0")

    def test_unreachable_ipv6_default_of_loopback_does_not_count(self):
        self.machine.nic("0000:3b:00.0", "vfio-pci", "eth0")
        zero = "0" * 32
        self.machine.write("/proc/net/ipv6_route",
                           "%s 00 %s 00 %s ffffffff 1 0 200200 lo\n" % (zero, zero, zero))
        self.one("port.ready", "ok", device="pci:0000:3b:00.0")

    def test_loopback_is_refused_for_what_it_is(self):
        zero = "0" * 32
        self.machine.write("/sys/class/net/lo/type", "772\n")
        self.machine.write("/proc/net/ipv6_route",
                           "%s 00 %s 00 %s ffffffff 1 0 200200 lo\n" % (zero, zero, zero))
        self.assertIn("lo is the loopback",
                      self.one("port.loopback", "blocking", device="veth:lo")["what"])
        self.assertEqual(self.findings("port.default_route", "blocking", device="veth:lo"), [])

    def test_nic_of_the_kernel_is_refused_with_the_binding_command(self):
        self.machine.nic("0000:3b:00.0", "i40e", "eth1")
        self.assertIn("driverctl set-override 0000:3b:00.0 vfio-pci",
                      self.one("port.binding", "blocking", device="pci:3b:00.0")["fix"])

    def test_bound_nic_is_listed_and_accepted(self):
        self.machine.nic("0000:3b:00.0", "vfio-pci")
        self.assertIn("vfio-pci", self.one("network.nic", "info")["what"])
        self.one("port.ready", "ok", device="pci:0000:3b:00.0")

    def test_unknown_pci_address_blocks(self):
        self.one("port.device", "blocking", device="pci:0000:99:00.0")

    def test_unviable_iommu_group_names_the_other_device(self):
        self.machine.nic("0000:3b:00.0", "vfio-pci")
        self.machine.nic("0000:3b:00.1", "i40e", "eth1")
        self.machine.iommu_group(["0000:3b:00.0", "0000:3b:00.1"])
        self.assertIn("0000:3b:00.1", self.one("port.iommu_group", "blocking",
                                               device="pci:0000:3b:00.0")["what"])

    def test_binding_the_default_route_is_never_proposed(self):
        self.machine.nic("0000:3b:00.0", "vfio-pci")
        self.machine.nic("0000:3b:00.1", "i40e", "eth1")
        self.machine.iommu_group(["0000:3b:00.0", "0000:3b:00.1"])
        self.machine.default_route("eth1")
        for address, identity in (("0000:3b:00.0", "port.iommu_group"),
                                  ("0000:3b:00.1", "port.default_route")):
            found = self.one(identity, "blocking", device="pci:" + address)
            self.assertNotIn("driverctl", found["fix"])

    def test_second_interface_of_a_device_counts(self):
        self.machine.nic("0000:3b:00.0", "mlx4_core", "eno1")
        self.machine.link("/sys/class/net/eno1d1/device",
                          "../../../devices/pci0000:00/0000:3b:00.0")
        for interface in ("eno1", "eno1d1"):
            self.machine.default_route(interface)
            self.one("port.default_route", "blocking", device="pci:0000:3b:00.0")

    def test_worker_on_another_node_is_a_warning_with_the_distance(self):
        self.machine.node(0, "0-1", "10 21")
        self.machine.node(1, "2-3", "21 10")
        self.machine.nic("0000:3b:00.0", "vfio-pci", node=1)
        found = self.one("port.numa", "warning", device="pci:0000:3b:00.0", workers="1, 2")
        self.assertIn("worker on core 1 on node 0, at distance 21", found["what"])
        self.assertTrue(found["fix"].endswith("node 1: 2-3"), found["fix"])
        nodes = self.findings("cpu.numa", "info")
        self.assertEqual(len(nodes), 2)
        self.assertIn("4.0 of 8.0 GiB free, distance 21 to node 1", nodes[0]["what"])

    def test_slow_governor_is_a_warning(self):
        self.machine.write("/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n")
        self.assertIn("powersave", self.one("cpu.governor", "warning")["what"])

    def test_bad_configuration_exits_3(self):
        self.assertEqual(self.run_doctor(device="tap:").returncode, 3)


if __name__ == "__main__":
    HANDFAST, PLUGIN_DIRECTORY = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
