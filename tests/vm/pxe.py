# SPDX-License-Identifier: BSD-3-Clause
"""What a guest with role "pxe" serves: the guest image itself, for a network-booting machine."""

import pathlib
import shutil
import subprocess

import accel

SCRIPT = """#!ipxe
echo boot script loaded
kernel http://{server}/vmlinuz console=ttyS0 quiet panic=1 vs.name={name} vs.ip={ip}
initrd http://{server}/initramfs
boot
"""


def server_initramfs(folder, server, name, ip):
    """Make the PXE server's initramfs: the image's own, followed by an archive with /www.

    @server is the server's address, @name and @ip are what the booted machine shall call itself.
    Linux unpacks archives that stand one after the other. Returns the path of the file.
    """
    folder = pathlib.Path(folder)
    image = accel.image_dir()
    www = folder / "pxe" / "www"
    shutil.rmtree(www.parent, ignore_errors=True)
    www.mkdir(parents=True)
    (www / "boot.ipxe").write_text(SCRIPT.format(server=server, name=name, ip=ip))
    for part in ("vmlinuz", "initramfs"):
        shutil.copyfile(image / part, www / part)
    names = "\n".join(["www"] + [f"www/{entry.name}" for entry in sorted(www.iterdir())])
    archive = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], check=True,
                             cwd=www.parent, input=names.encode(), stdout=subprocess.PIPE).stdout
    shutil.rmtree(www.parent)
    result = folder / "pxe-server.initramfs"
    result.write_bytes((image / "initramfs").read_bytes() + archive)
    return result
