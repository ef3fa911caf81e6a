# SPDX-License-Identifier: BSD-3-Clause
"""Whose the files of the state are: what belongs to others is not written to, and what a daemon
of root's has left is the service's afterwards."""

import os
import subprocess

import pytest

from test_state import ends_with, kept, running
from vmswitchd import BUILD

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")

VMSWITCHD = str(BUILD / "control" / "vmswitchd")
USER, UID = "nobody", 65534


def test_files_of_others(tmp_path):
    """Links and files of others in the place of the lock and of the state are left alone."""
    daemon, state, lock = kept(tmp_path), tmp_path / "state", tmp_path / "state.lock"
    daemon.service = ()
    precious = tmp_path / "precious"
    precious.write_text("precious")
    lock.symlink_to(precious)
    ends_with(daemon, str(lock), status=1)
    lock.unlink()
    lock.hardlink_to(precious)
    ends_with(daemon, str(lock), "another name", status=1)
    lock.unlink()
    os.mkfifo(lock)
    ends_with(daemon, str(lock), "no regular file", status=1)
    lock.unlink()
    lock.touch()
    os.chown(lock, UID, UID)
    ends_with(daemon, str(lock), "another user", status=1)
    lock.unlink()
    state.hardlink_to(precious)
    ends_with(daemon, str(state), "another name", status=1)
    state.unlink()
    # The first change makes the file anew, under a name that may be a link already.
    (tmp_path / "state.new").hardlink_to(precious)
    with running(daemon):
        daemon.check("switch", "add", "s", "type", "private")
    assert precious.read_text() == "precious"
    os.chown(state, UID, UID)
    ends_with(daemon, str(state), "another user", status=1)
    # In a folder of that user's, all may be his.
    os.chown(tmp_path, UID, UID)
    with running(daemon):
        assert len(daemon.json("switch", "show")) == 1


def test_names_of_our_own(tmp_path):
    """A daemon that was killed while it kept the old file leaves second names: they are ours."""
    daemon, state = kept(tmp_path), tmp_path / "state"
    daemon.service = ()
    with running(daemon):
        daemon.check("switch", "add", "s", "type", "private")
    for suffix in (".keep", ".old"):
        (tmp_path / f"state{suffix}").hardlink_to(state)
        with running(daemon):
            assert len(daemon.json("switch", "show")) == 1
    (tmp_path / "more").hardlink_to(state)
    ends_with(daemon, str(state), "another name", status=1)


# In mount namespaces of its own: the folders of the service, with what a daemon of root's left.
PREPARE = """
set -eu
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
mkdir /var/lib/vmswitch
cd /var/lib/vmswitch
: > state; : > state.lock; : > linked; : > /var/lib/elsewhere
ln linked /var/lib/linked
ln -s /var/lib/elsewhere link
mkfifo pipe
chown 1 state.lock
chown {owner} .
{daemon} --prepare --user {user} >&2
stat -c '%u %n' . state state.lock linked pipe /var/lib/elsewhere
"""


@pytest.mark.parametrize("owner", [UID, 0])
def test_after_a_run_as_root(owner):
    """The service gets what root's daemon has left, in a folder that was its own already, too."""
    text = PREPARE.format(owner=owner, daemon=VMSWITCHD, user=USER)
    done = subprocess.run(["unshare", "-m", "sh", "-c", text], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    owners = dict(reversed(line.split()) for line in done.stdout.splitlines())
    assert owners["."] == owners["state"] == str(UID)
    assert owners["/var/lib/elsewhere"] == "0"
    if owner == UID:    # where the user could have put them, only what can be nobody else's
        assert owners["linked"] == owners["pipe"] == "0" and owners["state.lock"] == "1"
