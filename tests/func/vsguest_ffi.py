# SPDX-License-Identifier: BSD-3-Clause
"""libvsguest for Python as it is: the structures of bench/guest/guest.h and the library itself.

vsguest.py is what tests use; this file only has to agree with the header, which is checked.
"""

import atexit
import ctypes as c
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def fields(text):
    """Fields of a ctypes structure from "type name[n] ..." lines."""
    types = {'u8': c.c_uint8, 'u16': c.c_uint16, 'u32': c.c_uint32, 'u64': c.c_uint64,
             'i32': c.c_int32, 'ptr': c.c_void_p, 'str': c.c_char}
    out = []
    for line in text.strip().splitlines():
        kind, *names = line.split()
        for name in names:
            name, _, count = name.partition('[')
            base = types.get(kind) or globals()[kind]
            out.append((name, base * int(count[:-1]) if count else base))
    return out


class Chan(c.Structure):
    _fields_ = fields('i32 fd listen_fd\nstr path[108]')


class RegionCfg(c.Structure):
    _fields_ = fields('u64 gpa size mmap_offset file_size uva\ni32 fd\nu16 kind flags')


class Region(c.Structure):
    _fields_ = fields('RegionCfg cfg\nptr map\nu64 usable next\ni32 fd\nu32 pad')


class Mem(c.Structure):
    _fields_ = fields('Region region[16]\nu32 n turn')


class Ring(c.Structure):
    _fields_ = fields('''ptr desc avail used
        u64 desc_gpa avail_gpa used_gpa
        ptr next chain
        u32 index size event_idx wait
        u16 free_head n_free avail_idx published kicked last_used
        i32 kick_fd call_fd err_fd base
        u64 kicks kicks_saved calls bad_used''')


class Cfg(c.Structure):
    _fields_ = fields('''u64 features features_need proto_features mem_size gpa_base
        u32 flags reply_mode queue_pairs enable_pairs ring_size start_index tx_buf_len
        u32 indirect_max rx_chains n_rx_shape rx_shape[32] seed
        i32 timeout_ms
        u32 n_regions
        RegionCfg regions[16]
        str path[108]''')


class Hdr(c.Structure):
    """struct virtio_net_hdr_v1."""
    _fields_ = fields('u8 flags gso_type\nu16 hdr_len gso_size csum_start csum_offset '
                       'num_buffers')


class Pair(c.Structure):
    _fields_ = fields('''Ring rx tx
        ptr rx_slot tx_slot held stock
        u32 n_held n_stock
        u64 tx_frames rx_frames rx_bufs
        Hdr last_hdr''')


class Guest(c.Structure):
    _fields_ = fields('''Cfg cfg
        Chan chan
        Mem mem
        ptr pair
        u64 offered features proto_offered proto_features queue_num
        u32 hdr_len n_rx_seg rx_seg[32] rx_off[32] rx_stride n_rx built started starts
        i32 log_fd
        ptr log
        u64 log_size''')


class Msg(c.Structure):
    _fields_ = fields('u32 request flags size\nu8 payload[4096]\nu32 n_fds\ni32 fds[253]')


class Seg(c.Structure):
    _fields_ = fields('u64 gpa\nu32 len flags')


class Used(c.Structure):
    _fields_ = fields('u16 head pad\nu32 len cookie')


def _findlibrary():
    """The library of $VSGUEST_LIB or of a build directory, else one compiled for this run."""
    if 'VSGUEST_LIB' in os.environ:
        return os.environ['VSGUEST_LIB']
    if 'MESON_BUILD_ROOT' in os.environ:
        built = Path(os.environ['MESON_BUILD_ROOT']) / 'bench/guest/libvsguest.so'
        if built.exists():
            return str(built)
    where = tempfile.mkdtemp(prefix='vsguest-')
    atexit.register(shutil.rmtree, where, ignore_errors=True)
    out = os.path.join(where, 'libvsguest.so')
    sources = sorted(str(p) for p in (ROOT / 'bench/guest').glob('*.c'))
    subprocess.run([os.environ.get('CC', 'cc'), '-std=gnu11', '-D_GNU_SOURCE', '-O2', '-fPIC',
                    '-shared', '-fvisibility=hidden', '-I', str(ROOT), '-o', out, *sources,
                    '-lpthread'], check=True)
    return out


lib = c.CDLL(_findlibrary(), use_errno=True)
ABI = (c.c_uint32 * 9).in_dll(lib, 'vsg_abi')
if list(ABI) != [c.sizeof(t) for t in (Chan, RegionCfg, Region, Mem, Ring, Cfg, Pair,
                                        Guest, Msg)]:
    raise ImportError('vsguest.py and libvsguest.so disagree about structures')
lib.vsg_mem_ptr.restype = c.c_void_p
lib.vsg_mem_ptr.argtypes = [c.c_void_p, c.c_uint64, c.c_uint64]
lib.vsg_mem_uva.restype = c.c_uint64
lib.vsg_mem_uva.argtypes = [c.c_void_p, c.c_uint64]
lib.vsg_mem_alloc.argtypes = [c.c_void_p, c.c_int, c.c_uint64, c.c_uint64, c.c_void_p,
                               c.c_void_p]
lib.vsg_mem_truncate.argtypes = [c.c_void_p, c.c_uint32, c.c_uint64]
lib.vsg_ring_pending.restype = c.c_uint32
lib.vsg_race_start.argtypes = [c.c_void_p, c.c_uint32, c.c_void_p, c.c_uint32, c.c_void_p]
lib.vsg_race_stop.restype = c.c_uint64
lib.vsg_race_stop.argtypes = [c.c_void_p]
lib.vsg_guest_free.argtypes = [c.c_void_p]


def check(rc, what):
    """Return a count as it is, raise OSError for -errno."""
    if rc < 0:
        raise OSError(-rc, f'{what}: {os.strerror(-rc)}')
    return rc


def ms(seconds):
    return -1 if seconds is None else max(0, int(seconds * 1000 + 0.5))


def ints(values, kind=c.c_int):
    values = list(values)
    return (kind * max(1, len(values)))(*values), len(values)
