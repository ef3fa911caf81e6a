#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make a C file of a binary one: embed.py IN OUT NAME gives NAME[] and NAME_size."""

import pathlib
import sys


def main():
    """Write the array, 16 bytes a line."""
    data = pathlib.Path(sys.argv[1]).read_bytes()
    out, name = pathlib.Path(sys.argv[2]), sys.argv[3]
    lines = (", ".join(f"0x{b:02x}" for b in data[i:i + 16]) for i in range(0, len(data), 16))
    out.write_text("/* SPDX-License-Identifier: BSD-3-Clause */\n"
                   "#include \"bpf/embedded.h\"\n\n"
                   f"const unsigned char {name}[] __attribute__((aligned(8))) = {{\n\t"
                   + ",\n\t".join(lines) + "\n};\n"
                   f"const unsigned long {name}_size = sizeof({name});\n")


if __name__ == "__main__":
    main()
