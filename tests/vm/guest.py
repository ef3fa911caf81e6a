# SPDX-License-Identifier: BSD-3-Clause
"""A QEMU guest on a vhost-user socket.

    guest = Guest("vm1", rundir, socket=rundir / "vm1.sock", ip="10.0.0.1/24")
    guest.start()
    guest.wait_boot()
    status, output = guest.run("ping -c 3 10.0.0.2")
    guest.stop()

QEMU is the server of the vhost-user socket unless `vhost_server=False`, and it waits for its back
end before it does anything else: its monitor too answers only after the switch has connected.
Everything a guest leaves behind stands in `rundir`: NAME.json (how to find it again), NAME.log
(QEMU's messages), NAME.console (the guest's serial console).
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

import accel as accelerator
import channel
from child import die_with_parent
from netns import in_ns


class GuestError(Exception):
    """A guest did not do what it must; the text holds the tail of its logs."""


@dataclasses.dataclass
class Guest:
    """One virtual machine. `memory` is how its RAM is backed:

    "shared"    memory-backend-memfd,share=on: the only one a vhost-user switch can use
    "private"   memory-backend-memfd,share=off
    "none"      no memory backend at all, QEMU's default

    `device` holds further properties of virtio-net-pci ("mrg_rxbuf=off,csum=off"), `initramfs`
    another initial file system than the image's own, `netboot` leaves kernel and initramfs out and
    boots from the network with iPXE.

    With `tap`, the name of a TAP interface in the network namespace `netns` (its path), the guest
    has an emulated card instead: `card` is QEMU's name of it.
    """

    name: str
    rundir: pathlib.Path
    socket: pathlib.Path = None
    ip: str = ""
    mac: str = ""
    mtu: int = 0
    role: str = "shell"
    memory: str = "shared"
    megabytes: int = 256
    cpus: int = 1
    queues: int = 1
    device: str = ""
    vhost_server: bool = True
    netboot: bool = False
    initramfs: pathlib.Path = None
    tap: str = ""
    netns: str = ""
    card: str = "e1000"
    accel: str = ""
    detached: bool = False

    def __post_init__(self):
        self.rundir = pathlib.Path(self.rundir)
        self.process = None
        self.pid = 0
        self.started = ""
        self.boot_id = ""

    def path(self, suffix):
        """A file of this guest in its run folder."""
        return self.rundir / f"{self.name}.{suffix}"

    # -- QEMU's arguments

    def _machine_args(self):
        # Without graphics the firmware and iPXE use the serial console.
        machine = "q35,graphics=off" if self.netboot else "q35"
        if self.memory == "none":
            return ["-M", machine, "-m", str(self.megabytes)]
        share = "on" if self.memory == "shared" else "off"
        return ["-M", f"{machine},memory-backend=mem", "-m", str(self.megabytes), "-object",
                f"memory-backend-memfd,id=mem,size={self.megabytes}M,share={share}"]

    def _tap_args(self):
        # vnet_hdr=off: QEMU finishes checksums and segments that the guest leaves to its card.
        device = [self.card, "netdev=net0", f"mac={self.mac}",
                  "bootindex=0" if self.netboot else "romfile="]
        return ["-netdev", f"tap,id=net0,ifname={self.tap},script=no,downscript=no,vhost=off,"
                           "vnet_hdr=off",
                "-device", ",".join(device)]

    def _net_args(self):
        if self.tap:
            return self._tap_args()
        if self.socket is None:
            return []
        side = "server=on,wait=off" if self.vhost_server else "reconnect=1"
        device = ["virtio-net-pci", "netdev=net0"]
        if self.mac:
            device.append(f"mac={self.mac}")
        if self.accel == "tcg":
            # QEMU 7.2 without KVM crashes with vhost-user and MSI-X.
            device.append("vectors=0")
        if self.queues > 1:
            device.append("mq=on")
        device.append("bootindex=0" if self.netboot else "romfile=")
        if self.device:
            device.append(self.device)
        return ["-chardev", f"socket,id=net0,path={self.socket},{side}",
                "-netdev", f"vhost-user,id=net0,chardev=net0,queues={self.queues}",
                "-device", ",".join(device)]

    def _boot_args(self):
        if self.netboot:
            return ["-boot", "strict=on"]
        image = accelerator.image_dir()
        words = ["console=ttyS0", "quiet", "panic=1", f"vs.name={self.name}",
                 f"vs.role={self.role}"]
        if self.ip:
            words.append(f"vs.ip={self.ip}")
        if self.mtu:
            words.append(f"vs.mtu={self.mtu}")
        return ["-kernel", str(image / "vmlinuz"),
                "-initrd", str(self.initramfs or image / "initramfs"), "-append", " ".join(words)]

    def command(self):
        """The whole QEMU command line as a list."""
        self.accel = self.accel or accelerator.detect()[0]
        return [
            accelerator.QEMU, "-name", self.name, *self._machine_args(),
            *accelerator.qemu_flags(self.accel), "-smp", str(self.cpus),
            "-nodefaults", "-no-user-config", "-display", "none",
            "-chardev", f"socket,id=console,path={self.path('tty')},server=on,wait=off,"
                        f"logfile={self.path('console')}",
            "-serial", "chardev:console",
            "-chardev", f"socket,id=agent,path={self.path('agent')},server=on,wait=off",
            "-serial", "chardev:agent",
            "-chardev", f"socket,id=monitor,path={self.path('qmp')},server=on,wait=off",
            "-mon", "chardev=monitor,mode=control",
            *self._net_args(), *self._boot_args()]

    # -- life of the process

    def start(self):
        """Start QEMU. It does not wait for the guest: see wait_boot()."""
        command = self.command()
        self.boot_id = ""
        with open(self.path("log"), "w") as log, self._namespace():
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                preexec_fn=None if self.detached else die_with_parent)
        self.pid = self.process.pid
        self.started = start_time(self.pid)
        self.path("json").write_text(json.dumps(
            {"name": self.name, "pid": self.pid, "started": self.started, "command": command}))
        return self

    def _namespace(self):
        return in_ns(self.netns) if self.netns else contextlib.nullcontext()

    @classmethod
    def attach(cls, rundir, name):
        """Find a guest that another process started."""
        guest = cls(name, rundir)
        try:
            known = json.loads(guest.path("json").read_text())
        except (OSError, ValueError) as error:
            raise GuestError(f"no guest '{name}' in {rundir}") from error
        guest.pid, guest.started = known["pid"], known["started"]
        return guest

    def alive(self):
        """Whether this very QEMU process still runs (its number may have been given away)."""
        if self.process is not None:
            return self.process.poll() is None
        return bool(self.pid) and start_time(self.pid) == self.started

    def kill(self):
        """End QEMU with SIGKILL, as a crash would."""
        if self.alive():
            os.kill(self.pid, signal.SIGKILL)
        self._wait_end(10)

    def stop(self, timeout=5):
        """End QEMU: SIGTERM, and SIGKILL if that is not heard."""
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
            if not self._wait_end(timeout):
                self.kill()
        for suffix in ("json", "tty", "agent", "qmp"):
            self.path(suffix).unlink(missing_ok=True)

    def _wait_end(self, timeout):
        deadline = time.monotonic() + timeout
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    # -- talking to the guest

    def wait_boot(self, timeout=60, previous=""):
        """Wait until the guest takes commands, after a reboot from the boot @previous.

        Returns the seconds waited.
        """
        begin = time.monotonic()
        while time.monotonic() < begin + timeout:
            if not self.alive():
                raise self._error("QEMU ended")
            boot_id = self._read_boot_id(min(5, begin + timeout - time.monotonic()), previous)
            if boot_id:
                self.boot_id = boot_id
                return time.monotonic() - begin
        raise self._error(f"not booted within {timeout} s")

    def _read_boot_id(self, timeout, previous=""):
        """Ask for the kernel's id of this boot; "" if there is none but @previous yet."""
        try:
            output = channel.poll_command(self.path("agent"),
                                          "cat /proc/sys/kernel/random/boot_id", timeout,
                                          lambda text: text.strip() not in ("", previous))
        except channel.ChannelError:
            time.sleep(0.05)
            return ""
        return output.strip() if output else ""

    def run(self, command, timeout=30):
        """Run shell text in the guest: (exit status, output)."""
        if not self.alive():
            raise self._error("QEMU is not running")
        try:
            return channel.run_command(self.path("agent"), command, timeout)
        except channel.ChannelError as error:
            raise self._error(str(error)) from error

    def check(self, command, timeout=30):
        """Run shell text that must succeed; return its output."""
        status, output = self.run(command, timeout)
        if status:
            raise GuestError(f"{self.name}: '{command}' ended with {status}:\n{output}")
        return output

    def spawn(self, command):
        """Start shell text in the background of the guest; returns a Job."""
        return Job(self, command)

    def qmp(self, command, **arguments):
        """Run a QMP command; channel.QmpError holds QEMU's text if it refuses."""
        return channel.qmp(self.path("qmp"), command, arguments)

    def reboot(self, timeout=60):
        """Reboot from inside the guest; returns the seconds until it takes commands again."""
        previous = self.boot_id or self._read_boot_id(10)
        channel.send_command(self.path("agent"), "reboot -f")
        return self.wait_boot(timeout, previous)

    def reset(self, timeout=60):
        """Reset the machine through QEMU's monitor; returns the seconds until it is back."""
        previous = self.boot_id or self._read_boot_id(10)
        self.qmp("system_reset")
        return self.wait_boot(timeout, previous)

    def log_tail(self, lines=15):
        """The last lines of QEMU's messages and of the guest's console."""
        text = ""
        for suffix in ("log", "console"):
            try:
                tail = self.path(suffix).read_text(errors="replace").splitlines()[-lines:]
            except OSError:
                continue
            text += f"\n--- {self.path(suffix)}\n" + "\n".join(tail)
        return text

    def _error(self, what):
        return GuestError(f"{self.name}: {what}{self.log_tail()}")


class Job:
    """A command that runs in the background of a guest."""

    count = 0

    def __init__(self, guest, command):
        Job.count += 1
        self.guest = guest
        self.command = command
        self.base = f"/run/job.{os.getpid()}.{Job.count}"
        guest.check(f"{{ ( {command}\n) > {self.base} 2>&1 < /dev/null; "
                    f"echo $? > {self.base}.status; }} > /dev/null 2>&1 &")

    def wait(self, timeout=60):
        """Wait for the end; returns (exit status, output)."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            status, _ = self.guest.run(f"test -s {self.base}.status")
            if status == 0:
                output = self.output()
                return int(self.guest.check(f"cat {self.base}.status")), output
            time.sleep(0.1)
        raise GuestError(f"{self.guest.name}: '{self.command}' still runs after {timeout} s:\n"
                         f"{self.output()}")

    def output(self):
        """What the command has printed so far."""
        return self.guest.check(f"cat {self.base}")


def start_time(pid):
    """The kernel's start time of a process, with its number an identity; "" if it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
