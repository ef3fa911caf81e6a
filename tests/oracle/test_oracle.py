# SPDX-License-Identifier: BSD-3-Clause
"""The path of a frame equals the slow reference on random switches, and a path with one mistake in
it does not: each of the mistakes below is put into a copy of one file, compiled, and linked in
front of the real one."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VMSWITCH_BUILD", TOP / "build")).resolve()
PROGRAM = "tests/oracle/vsoracle"
FRAMES, FRAMES_LONG, FRAMES_MISTAKE = 1_000_000, 10_000_000, 400_000
TIMEOUT = 1800

# file, what stands there (once), what is put in its place
MISTAKES = [
    ("dataplane/admit.c", "!rte_is_valid_assigned_ether_addr(src)", "rte_is_zero_ether_addr(src)"),
    ("dataplane/admit.c", "port->flags & VS_PORT_GUARD", "port->flags & VS_PORT_UP"),
    ("dataplane/admit.c", "tag.kind == VS_L2_PRIORITY && !tag.inner", "tag.kind == VS_L2_PRIORITY"),
    ("dataplane/admit.c", "tag.inner ? VS_BARE_NEVER : pkt->vid", "pkt->vid"),
    ("dataplane/admit.c", "port->flags & VS_PORT_PRIORITY", "port->flags & VS_PORT_UP"),
    ("dataplane/admit.c", "if (pkt->fid == 0)", "if (pkt->fid == 0xffff)"),
    ("dataplane/admit.c", "vs_pkt_longest(pkt) > port->max_frame",
     "vs_pkt_longest(pkt) > port->max_frame + 1u"),
    ("dataplane/admit.c", "pkt->bare_vid = port->vid;", "pkt->bare_vid = 0;"),
    ("dataplane/release.c", "pkt->vid != port->vid && pkt->vid != 0", "pkt->vid != 0"),
    ("dataplane/release.c", "return VS_DROP_MTU_OUT;", "return VS_DROP_NONE;"),
    ("dataplane/admit.c", "unlikely(pkt->len > port->max_frame)",
     "unlikely(pkt->len > port->max_frame + 1)"),
    ("dataplane/release.c", "unlikely(pkt->len > port->max_frame)",
     "unlikely(pkt->len > port->max_frame + 1)"),
    ("dataplane/release.c", "if (unlikely(pkt->len > port->max_frame) &&"
     " vs_pkt_longest(pkt) > port->max_frame)", "if (pkt->len >= port->max_frame)"),
    ("dataplane/fdb.c", "if (__atomic_load_n(passed(fdb, at), __ATOMIC_RELAXED) == 0)", "if (1)"),
    ("dataplane/fdb.c", "count_passed(fdb, at, -1);", "count_passed(fdb, at, -2);"),
    ("dataplane/release.c", "out->pkt[kept++] = index;", "out->pkt[kept++] = index & 0x3e;"),
    ("dataplane/release.c", "out->n = kept;", "out->n = n;"),
    ("dataplane/lookup.c", "hint->generation == vs_fdb_generation(fdb)", "hint->generation"),
    ("dataplane/lookup.c", "if (members[i] == port->id)", "if (members[i] == port->id + 1)"),
    ("dataplane/lookup.c", "return VS_DROP_RESERVED_MAC;", "return VS_DROP_NO_RECEIVER;"),
    ("dataplane/lookup.c", "domain_of(ctx, pkt)->n_unknown", "domain_of(ctx, pkt)->n"),
    ("dataplane/lookup.c", "e->kind != VS_FDB_STATIC && !is_group", "!is_group"),
    ("dataplane/lookup.c", "slot->generation == generation &&", ""),
    ("dataplane/lookup.c", "if (!storm_admits(ctx, port, pkt))",
     "if (storm_admits(ctx, port, pkt) && 0)"),
    ("dataplane/fdb.c", "e->kind == VS_FDB_STATIC && kind == VS_FDB_LEARNT",
     "kind == VS_FDB_LEARNT"),
    ("dataplane/guest/ring_pull.c", "in->ext[pkt->n_ext++] = (struct vs_extent){.data = data, .len",
     "in->ext[pkt->n_ext++] = (struct vs_extent){.data = data + 1, .len"),
    ("dataplane/guest/ring_pull.c", "if (n == VS_CHAIN_DESCS_MAX)",
     "if (n == VS_CHAIN_DESCS_MAX - 1)"),
    ("dataplane/guest/ring_pull.c", "drop = VS_DROP_VNET_SHORT;", "drop = VS_DROP_NONE;"),
    ("dataplane/guest/ring_push.c", "ring->next_avail + s->heads) &", "ring->next_avail + 1) &"),
    ("dataplane/guest/ring_push.c", "s->written += n;", "s->written += n + 1;"),
    ("dataplane/guest/ring_push.c", "(uint16_t)(s->pending + s->heads);",
     "(uint16_t)(s->pending + 1);"),
    ("dataplane/guest/ring_push.c", ".num_buffers = htole16(s->heads)",
     ".num_buffers = htole16(1)"),
    ("dataplane/guest/guest_tx.c", "fate[h->at[i]] = own[i]", "fate[i] = own[i]"),
    ("dataplane/guest/guest_tx.c", "mask &= (uint8_t)(mask - 1)", "mask &= (uint8_t)(mask - 2)"),
    ("dataplane/core/flow.c", "f->dst ^= load16(ports + 2)", "f->dst ^= load16(ports)"),
    ("dataplane/core/flow.c", "RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG",
     "RTE_IPV4_HDR_OFFSET_MASK & 0xff"),
    ("dataplane/core/flow.c", "if (unlikely(f.inside))", "if (unlikely(f.inside == 1))"),
    ("offload/ingress.c", "pkt->vnet.hdr.flags | pkt->vnet.hdr.gso_type", "pkt->vnet.hdr.flags"),
]
# Of these, in every run of the tests; the others when there is time.
QUICK = range(0, len(MISTAKES), 5)


def oracle(program, frames, *more):
    """Run it: (exit status, output)."""
    run = subprocess.run([program, "--frames", str(frames), *more], capture_output=True, text=True,
                         timeout=TIMEOUT, check=False)
    return run.returncode, run.stdout + run.stderr


def agree(frames, seed):
    """The path and the reference agree on so many frames."""
    status, output = oracle(BUILD / PROGRAM, frames, "--seed", str(seed), "--verbose")
    print(output)
    assert status == 0, output
    return dict((name, int(n)) for n, name in re.findall(r"^ +(\d+) (\w+)$", output, re.MULTILINE))


def test_equal():
    """A million frames, and every reason that a guest's frame can meet was among them, but those of
    guests with offloads, and of tenants."""
    met = agree(FRAMES, 1)
    elsewhere = {"frame_cut", "mem_lost", "host_full", "host_down", "uplink_full", "uplink_size",
                 "uplink_down", "tx_busy", "csum_range", "gso_header", "gso_size", "gso_failed",
                 "cut_budget"}
    # Nor are there tenants.
    elsewhere |= {"arp_bad", "nd_bad", "router_spoof", "gateway_spoof", "router_header", "martian",
                  "to_router", "ttl_exceeded", "no_route", "no_lookup_record", "mtu_tunnel",
                  "no_peer", "copy_budget"}
    elsewhere |= {name for name in met if name.startswith(("nvgre_", "pa_"))}
    assert {name for name, n in met.items() if n == 0} == elsewhere


@pytest.mark.long
def test_equal_long():
    """Ten million, of other worlds."""
    agree(FRAMES_LONG, 2)


def test_again():
    """A world can be run alone, by its number."""
    status, output = oracle(BUILD / PROGRAM, 0, "--seed", "1", "--world", "7")
    assert status == 0, output


def mistaken(folder, file, old, new):
    """A program with the mistake in it."""
    text = (TOP / file).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file}: '{old}' is not there once: choose the mistake anew"
    source = folder / file
    source.parent.mkdir(parents=True)
    source.write_text(text.replace(old, new), encoding="utf-8")
    commands = json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8"))
    entry = next(c for c in commands if (BUILD / c["file"]).resolve() == (TOP / file).resolve())
    compiler = shlex.split(entry["command"])
    compiler[compiler.index("-o") + 1] = str(folder / "mistake.o")
    compiler[compiler.index("-c") + 1] = str(source)
    if "-MF" in compiler:
        compiler[compiler.index("-MF") + 1] = str(folder / "mistake.d")
    subprocess.run([*compiler, "-Wno-error"], cwd=BUILD, check=True)
    link = subprocess.run(["ninja", "-t", "commands", "-s", PROGRAM], cwd=BUILD, check=True,
                          capture_output=True, text=True).stdout
    linker = shlex.split(link)
    linker[linker.index("-o") + 1] = str(folder / "vsoracle")
    # In front of the library that has the real one, which is not looked for any more then.
    linker.insert(linker.index("-o") + 2, str(folder / "mistake.o"))
    subprocess.run(linker, cwd=BUILD, check=True)
    return folder / "vsoracle"


def catch(folder, number):
    """The mistake is found, and found again in its world."""
    program = mistaken(folder, *MISTAKES[number])
    status, output = oracle(program, FRAMES_MISTAKE, "--raw")
    print(output)
    assert status == 1, f"not found: {MISTAKES[number]}"
    world = re.search(r"^seed 1, world (\d+), step \d+ of \d+: \w+", output, re.MULTILINE)
    assert world, output
    return program, world.group(1)


@pytest.mark.parametrize("number", QUICK)
def test_mistake(tmp_path, number):
    """What is wrong in one place is found."""
    catch(tmp_path, number)


@pytest.mark.long
@pytest.mark.parametrize("number", [i for i in range(len(MISTAKES)) if i not in QUICK])
def test_mistake_long(tmp_path, number):
    """So is all the rest."""
    catch(tmp_path, number)


def test_shorter(tmp_path):
    """A failing row is made short: a frame, the buffer it goes to, a visit, and little more."""
    program, world = catch(tmp_path, QUICK[1])
    status, output = oracle(program, 0, "--seed", "1", "--world", world)
    print(output)
    assert status == 1
    assert len(re.findall(r"^step \d+: ", output, re.MULTILINE)) <= 8
