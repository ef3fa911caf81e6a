# SPDX-License-Identifier: BSD-3-Clause
"""Finds out whether guests can run under KVM here, by booting one.

/dev/kvm may exist and yet not carry a stock kernel (nested or filtered virtualisation): the guest
hangs or QEMU ends. So the guest image is booted once under KVM, without a network card, and KVM is
used only if its agent reports in time. The answer is kept until the next boot of the host.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PROBE_SECONDS = 8.0
QEMU = "qemu-system-x86_64"


@functools.lru_cache(maxsize=None)
def image_dir():
    """Build the guest image unless it is there; return the folder with vmlinuz and initramfs."""
    if "VMSWITCH_GUEST_IMAGE" in os.environ:
        return pathlib.Path(os.environ["VMSWITCH_GUEST_IMAGE"])
    done = subprocess.run([str(HERE / "image" / "build")], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError("the guest image could not be built (see above)")
    return pathlib.Path(done.stdout.strip())


def runtime_dir():
    """Folder for what must not outlive a boot of the host."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if not base or not os.access(base, os.W_OK):
        base = "/run" if os.access("/run", os.W_OK) else tempfile.gettempdir()
    path = pathlib.Path(base) / f"vmswitch-vm-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def qemu_flags(accel):
    """QEMU's arguments for one of the two ways to run a guest."""
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


def _boots_under_kvm(image):
    """Boot the image under KVM; return (works, reason)."""
    with tempfile.TemporaryDirectory(prefix="vmswitch-kvm-") as folder:
        out = pathlib.Path(folder) / "agent"
        out.touch()
        log = open(pathlib.Path(folder) / "log", "w+")
        process = subprocess.Popen(
            [QEMU, "-M", "q35", *qemu_flags("kvm"), "-m", "256", "-nodefaults",
             "-no-user-config", "-display", "none", "-serial", "null", "-serial", f"file:{out}",
             "-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initramfs"),
             "-append", "console=ttyS0 quiet"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + PROBE_SECONDS
            while time.monotonic() < deadline:
                if b"@ready" in out.read_bytes():
                    return True, "a guest booted under it"
                if process.poll() is not None:
                    log.seek(0)
                    lines = log.read().strip().splitlines() or ["no message"]
                    return False, f"QEMU ended: {lines[0]}"
                time.sleep(0.05)
            return False, f"a guest did not boot under it within {PROBE_SECONDS:.0f} s"
        finally:
            process.kill()
            process.wait()
            log.close()


def detect():
    """Return (accel, line): "kvm" or "tcg", and a line for people that says why."""
    forced = os.environ.get("VMSWITCH_ACCEL")
    if forced:
        if forced not in ("kvm", "tcg"):
            raise RuntimeError(f"VMSWITCH_ACCEL is '{forced}'; it can be kvm or tcg")
        return forced, f"{forced.upper()}, as VMSWITCH_ACCEL says"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        reason = "not usable by this user" if os.path.exists("/dev/kvm") else "not there"
        return "tcg", f"TCG (emulation, slow): /dev/kvm is {reason}"
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    image = image_dir()
    key = f"{boot} {image.name}"
    cache = runtime_dir() / "accel.json"
    try:
        known = json.loads(cache.read_text())
        if known["key"] == key and known["accel"] in ("kvm", "tcg"):
            return known["accel"], known["line"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    works, reason = _boots_under_kvm(image)
    accel = "kvm" if works else "tcg"
    line = f"KVM: {reason}" if works else f"TCG (emulation, slow): /dev/kvm exists, but {reason}"
    part = cache.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps({"key": key, "accel": accel, "line": line}))
    part.replace(cache)
    return accel, line


if __name__ == "__main__":
    print(detect()[1], file=sys.stderr)
    print(detect()[0])
